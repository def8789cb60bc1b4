"""From a recipe to a bundle: train, embed, evaluate, draw; and how long that would take."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmark import bundling, durable, evaluation, evaluation_figures, features, manifest, protocol, resolve, results
from benchmark.errors import UserError
from benchmark.evaluation import Options
from benchmark.features import Features
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.protocol import Protocol
from benchmark.runner import extract, loop, run_figures, training
from benchmark.runner.distributed import Group
from benchmark.runner.extract import Trained
from benchmark.runner.job import RECORD, Job, require_test
from benchmark.runner.materials import gather

_TRIED = 8  # steps of an estimate, of which the first few are slower than the rest


def run(job: Job) -> Path:
    """Train, embed, evaluate and draw; what is there already is not made again."""
    require_test(job)
    plan = protocol.load(job.recipe.protocol)
    _require_one_training(plan)
    training.train(job)
    evaluated = results.read(job.out).run["status"] == "ok"
    if evaluated and (job.out / "figures" / run_figures.LAST).exists():
        return job.out
    tested = manifest.read(job.settings.manifest(job.recipe.test))
    trained = extract.load(job.out, torch.device(job.device))
    trials = [resolve.resolve(tested, plan, trial, trains=False) for trial in range(plan.trials.count)]
    shown = tested_rows(tested, trials)
    made, options = embedded(trained, shown, job), Options(metric=trained.method.needs.score)
    if evaluated:  # and killed before all was drawn: no second look at the test is entered
        done = evaluation.evaluate(trials, made, options)
    else:
        _restore(job.out)
        device = _counter(job.device)
        done = bundling.evaluate(tested, plan, made, options, job.out, None, device, job.out, job.ledger)
    list(evaluation_figures.draw(tested, plan, done, made, options, job.out / "figures"))
    list(run_figures.draw(trained, shown, trials[0], made, job))
    return job.out


def tested_rows(tested: Manifest, trials: Sequence[Lists]) -> Manifest:
    """Keep everybody who asks or is searched in any trial."""
    parts = [part.column("image_id").astype(str) for lists in trials for part in (lists.query, lists.gallery)]
    return tested.select(np.isin(tested.column("image_id").astype(str), np.concatenate(parts)))


def embedded(trained: Trained, shown: Manifest, job: Job) -> Features:
    """Embed, and keep the vectors beside the run; those of other weights are made anew."""
    folder = job.out / "features"
    if (folder / "features.json").exists():
        known = features.read(folder)
        if known.facts.get("ckpt_sha256") == trained.facts["ckpt_sha256"]:
            return known
    made = extract.features(trained.method, shown, trained.how, job.settings.cache, trained.facts, job.workers)
    features.write(made, shown, folder)
    return features.read(folder)


def estimate(job: Job) -> float:
    """Time some steps, and say how many seconds the whole would take: training and embedding; decoding comes once."""
    materials, group = gather(job), Group(0, 1, torch.device(job.device))
    ready = training.prepare(job, materials, group)
    stages = list(enumerate(ready.method.stages()))
    sampling = ready.method.needs.sampling
    steps = sum(
        len(ready.plan.epoch(number, epoch, stage.sampling or sampling))
        for number, stage in stages
        for epoch in range(stage.epochs)
    )
    options = job.recipe.loop.model_copy(update={"select": "last", "validation": False})
    with tempfile.TemporaryDirectory() as folder:
        tried = loop.fit(
            *(ready.method, ready.plan, ready.loader, options, job.seed, Path(folder), group), limit=_TRIED
        )
    ready.loader.close()
    tested = len(materials.lists.gallery) if materials.lists else 0
    # A forward pass is about a third of a step.
    return (steps * tried.images / max(tried.steps, 1) + tested / 3) / tried.images_per_s


def _require_one_training(plan: Protocol) -> None:
    if plan.apart:
        raise UserError(
            f"{plan.name}: every trial trains on a list of its own; `bench train --trial T` and `bench extract` one by "
            "one, then `bench evaluate` with feat-{t}.npz"
        )


def _restore(folder: Path) -> None:
    """Put back the record of the training, where a test of it failed or was killed."""
    run = durable.read_json(folder / RECORD)["run"]
    files = {name: durable.read_bytes(folder / name) for name in ("config.json", *results.FILES)}
    results.write(results.Bundle(results.run_record(**run)), folder, files)


def _counter(device: str) -> str:
    return "cuda" if device.startswith("cuda") else "cpu"
