"""A pretended runner for sweeps: no training, but real bundles of random vectors, and faults on demand."""

import json
import os
import time
from multiprocessing import current_process
from pathlib import Path
from typing import Any

from benchmark import bundling, durable, protocol, results
from benchmark.errors import UserError
from benchmark.evaluation import Options
from benchmark.features import Features
from benchmark.runner.job import Job
from benchmark.runner.recipe import Recipe
from benchmark.settings import Settings
from tests.benchmark import little

PEOPLE = 32


def job(out: Path, name: str, seed: int, **config: object) -> Job:
    """Ask for a run; `config` says how good its vectors are, and what goes wrong."""
    facts: dict[str, Any] = {
        "title": name,
        "method": "none",
        "config": config,
        "size": [64, 32],
        "test": "little",
        "protocol": "market-style",
        "train": [{"data": "little"}],
    }
    found = Recipe.model_validate_json(json.dumps(facts))
    return Job(found, name, "nowhere", seed, "cpu", Settings(), out / name / f"s{seed}")


def jobs(out: Path, seeds: int, recipes: dict[str, dict[str, object]]) -> list[Job]:
    """Ask for recipes x seeds."""
    return [job(out, name, seed, **config) for name, config in recipes.items() for seed in range(seeds)]


def run(asked: Job) -> Path:
    """Leave a bundle, or fail as the recipe says; do nothing where the bundle is there."""
    wish = asked.recipe.config
    if (asked.out / "run.json").exists() and durable.read_json(asked.out / "run.json")["status"] == "ok":
        return asked.out
    _note(asked)
    time.sleep(wish.get("seconds", 0.0))
    if asked.seed == wish.get("mistake at"):
        raise UserError("pictures: 3 of 9 cannot be read")
    if asked.seed == wish.get("fault at"):
        raise ZeroDivisionError("division by zero")
    if asked.seed == wish.get("killed at"):
        os._exit(1)
    world = little.world(little.rows(wish.get("people", PEOPLE)))
    names = world.table["image_id"].to_pylist()
    vectors = little.vectors(world, wish.get("noise", 1.0), asked.seed + wish.get("other seeds", 0))
    given = Features(names, vectors, {"method": asked.name, "seed": asked.seed})
    bundling.evaluate(world, protocol.load(wish.get("protocol", "market-style")), given, Options(draws=0), asked.out)
    record = results.read(asked.out)
    results.write(results.Bundle(record.run | {"train_s": 10.0 + asked.seed}, record.tables), asked.out)
    return asked.out


def calls(out: Path) -> list[dict[str, Any]]:
    """Tell which runs were begun, in order."""
    path = out / "calls.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _note(asked: Job) -> None:
    path = asked.out.parent.parent / "calls.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    fact = {"recipe": asked.name, "seed": asked.seed, "device": asked.device, "process": current_process().name}
    with path.open("a") as file:
        file.write(json.dumps(fact) + "\n")
