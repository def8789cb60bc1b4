"""The figures of one run that need its network or its training; those of the evaluation are drawn beside them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark import executors
from benchmark.features import Features
from benchmark.figures import embedding_map, learning, style
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.runner import activation, cache
from benchmark.runner.extract import Trained
from benchmark.runner.job import Job

LAST = "learning.png"  # once it is there, all are


def draw(trained: Trained, shown: Manifest, lists: Lists, made: Features, job: Job) -> Iterator[Path]:
    """Draw where it looks, how its vectors lie and how it learnt; `shown` is who was embedded, and lies decoded."""
    folder, title = job.out / "figures", f"{job.name}, {lists.protocol}, seed {job.seed}"
    vectors = made.of(lists.gallery)
    if trained.method.look is not None:
        how, executor = trained.how, executors.chosen("", job.workers)
        kept = cache.opened(shown, how.size, how.resample, job.settings.cache, executor)
        asked = activation.Part(kept, np.searchsorted(_names(shown), _names(lists.query)))
        yield from activation.draw(title, trained.method, lists, vectors, how, asked, folder, job.seed)
    yield style.save(embedding_map.draw(title, lists.gallery, vectors, job.seed), folder / "embedding-map.png")
    yield style.save(learning.draw(title, learning.read(job.out / "log.jsonl")), folder / LAST)


def _names(found: Manifest) -> NDArray[np.str_]:
    return found.column("image_id").astype(str)  # sorted, as every manifest is
