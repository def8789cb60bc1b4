"""Two small sets of stored pictures that the figures are drawn from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import executors, images, manifest, measure
from benchmark.manifest import Manifest


@pytest.fixture(scope="module")
def dusk(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Store and measure small noisy pictures: 6 people, 3 cameras, the last one infrared, 2 pictures each."""
    folder = tmp_path_factory.mktemp("dusk")
    return measure.measure(noisy(folder / "dusk", "dusk", 6), folder / "shards", executors.serial)


@pytest.fixture(scope="module")
def noon(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Store pictures that nobody measured."""
    return noisy(tmp_path_factory.mktemp("noon"), "noon", 2)


def noisy(folder: Path, source: str, people: int) -> Manifest:
    rng, rows = np.random.default_rng(0), list[dict[str, Any]]()
    for pid in range(-1, people + 1):
        for camera in (1, 2, 3):
            for number in (1, 2):
                path, bright = f"{pid}_{camera}_{number}.png", int(rng.integers(2, 120))
                shape = (int(rng.choice([60, 100, 200, 400])), 40, 3)
                images.save(folder / path, rng.integers(0, bright, shape, dtype=np.uint8))
                row = {"path": path, "pid": pid, "camid": camera, "split": "test" if pid < 3 else "train"}
                rows.append(row | {"gallery": pid < 3, "modality": "infrared" if camera == 3 else "visible"})
    return manifest.build({name: [row[name] for row in rows] for name in rows[0]}, source, folder)
