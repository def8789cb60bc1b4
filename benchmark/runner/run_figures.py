"""The figures of one run that need its network or its training; those of the evaluation are drawn beside them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmark import executors, resolve
from benchmark.features import Features
from benchmark.figures import embedding_map, learning, style
from benchmark.manifest import Manifest
from benchmark.protocol import Protocol
from benchmark.runner import activation, cache
from benchmark.runner.extract import Trained
from benchmark.runner.job import Job


def draw(trained: Trained, tested: Manifest, plan: Protocol, made: Features, job: Job) -> Iterator[Path]:
    """Draw how it learnt, where it looks, and how its vectors lie; name the files."""
    folder, title = job.out / "figures", f"{job.name}, {plan.name}, seed {job.seed}"
    log = job.out / "log.jsonl"
    yield style.save(learning.draw(title, learning.read(log)), folder / "learning.png")
    lists = resolve.resolve(tested, plan, job.trial, trains=False)
    vectors = made.of(lists.gallery)
    yield from _map(title, lists.gallery, vectors, job.seed, folder)
    if trained.method.look is not None:
        how, executor = trained.how, executors.chosen("", job.workers)
        kept = cache.opened(lists.query, how.size, how.resample, job.settings.cache, executor)
        yield from activation.draw(title, trained.method, lists, vectors, how, kept, folder, job.seed)


def _map(title: str, gallery: Manifest, vectors: np.ndarray, seed: int, folder: Path) -> Iterator[Path]:
    yield style.save(embedding_map.draw(title, gallery, vectors, seed), folder / "embedding-map.png")
