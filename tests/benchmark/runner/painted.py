"""A little set on disk: people differ by colour, cameras by light; half of the people are trained on."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark import images, manifest, measure
from benchmark.executors import serial
from benchmark.manifest import Manifest
from benchmark.runner.job import Job
from benchmark.runner.recipe import Recipe
from benchmark.settings import Settings

METHOD = "tests.benchmark.runner.colours"
PLAN = """
title = "all against all"
train = { split = "train" }
query = { query = true }
gallery = { gallery = true }
"""


def world(
    folder: Path, people: int = 16, cameras: int = 3, each: int = 2, time: str = "night", name: str = "painted"
) -> Path:
    """Paint and measure a set, and give its manifest; odd people are trained on."""
    rng, rows = np.random.default_rng(0), []
    colours = rng.integers(40, 256, (people + 1, 2, 3))
    for pid in range(1, people + 1):
        for camid in range(1, cameras + 1):
            for frame in range(each):
                path = f"{pid:03d}_c{camid}_{frame}.png"
                images.save(folder / path, _picture(rng, colours[pid], camid), sync=False)
                split = "train" if pid % 2 else "test"
                tested = split == "test"
                rows.append((path, pid, camid, split, tested and camid == 1 and not frame, tested))
    names = ("path", "pid", "camid", "split", "query", "gallery")
    columns = {key: [row[place] for row in rows] for place, key in enumerate(names)}
    found = manifest.build(columns | {"time": [time] * len(rows), "frame": [0] * len(rows)}, name, folder)
    manifest.write(found, folder / "manifest.parquet")
    measure.measure_file(folder / "manifest.parquet", None, folder / "manifest.parquet", serial)
    return folder / "manifest.parquet"


def _picture(rng: np.random.Generator, colour: NDArray[np.int64], camid: int) -> NDArray[np.uint8]:
    halves = np.repeat(colour, 20, axis=0)[:, None].repeat(20, axis=1)
    noisy = halves / camid + rng.integers(-12, 13, (40, 20, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def read(path: Path) -> Manifest:
    """Read a manifest."""
    return manifest.read(path)


def job(folder: Path, manifest_file: Path, out: str = "run", seed: int = 0, **changes: object) -> Job:
    """Ask for a training of seconds on the little set."""
    plan = folder / "plan.toml"
    plan.write_text(PLAN)
    table: dict[str, object] = {
        "title": "little",
        "method": METHOD,
        "size": [16, 8],
        "test": "painted",
        "protocol": str(plan),
        "train": [{"data": "painted"}],
        "batches": {"identities": 4, "instances": 2},
        "augment": {"pad": 1, "erase": 0.0},
        "loop": {"precision": "fp32"},
    }
    limit, again = changes.pop("limit", None), bool(changes.pop("again", False))
    found = Recipe.model_validate_json(json.dumps(table | changes))
    settings = Settings(data={"painted": manifest_file}, cache=folder / "cache", weights=folder / "weights")
    module = str(found.method)
    return Job(found, "little", module, seed, "cpu", settings, folder / out, limit, again)  # type: ignore[arg-type]
