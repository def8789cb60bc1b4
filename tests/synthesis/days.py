"""A small day with all that a manifest says, and small nights to make of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmark import executors, images, manifest, measure
from benchmark.images import Picture
from benchmark.manifest import Manifest
from synthesis.night import config
from synthesis.night.config import Night

# path, pid, camid, split, query, gallery, height, width
ROWS = (
    ("a/1.jpg", 1, 1, "train", False, False, 64, 32),
    ("a/2.jpg", 1, 2, "train", False, False, 64, 32),
    ("a/3.png", 1, 2, "val", False, False, 40, 20),
    ("b/1.jpg", 2, 1, "test", True, True, 64, 32),
    ("b/2.jpg", 2, 2, "test", False, True, 48, 24),
    ("b/3.jpg", 3, 2, "test", True, False, 64, 32),
    ("b/grey.jpg", 0, 1, "test", False, True, 30, 30),
    ("c/1.jpg", 4, 0, "none", False, False, 1, 1),
    ("c/2.png", 4, 12, "none", False, False, 3, 5),
    ("c/3.jpg", 5, 3, "test", False, False, 128, 64),
)
NAMES = ("path", "pid", "camid", "split", "query", "gallery", "height", "width")
FULL_SIZE = 200, 100


def picture(number: int, height: int, width: int) -> Picture:
    """Paint blocks of bright colours."""
    drawn = np.random.default_rng(number).integers(40, 256, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    return np.ascontiguousarray(drawn.repeat(8, axis=0).repeat(8, axis=1)[:height, :width])


def day(root: Path, rows: Sequence[tuple[object, ...]] = ROWS, **columns: object) -> Manifest:
    """Write a day's pictures, and measure them."""
    for number, row in enumerate(rows):
        said = dict(zip(NAMES, row, strict=True))
        shown = picture(number, int(str(said["height"])), int(str(said["width"])))
        file = root / str(said["path"])
        file.parent.mkdir(parents=True, exist_ok=True)
        if "grey" in file.name:
            Image.fromarray(shown[:, :, 0]).save(file)
        else:
            images.save(file, shown)
    given = {name: [row[place] for row in rows] for place, name in enumerate(NAMES[:-2])}
    made = manifest.build(given | {"time": ["day"] * len(rows)} | columns, "day", root)
    return measure.measure(made, root / ".measure", executors.serial)


def plain(*sets: str) -> Night:
    """Load the quickest night."""
    return config.load("gamma", sets)
