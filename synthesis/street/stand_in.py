"""STAND-IN for the street (replaced by its own issue): a handful of flat-shaded figures before flat walls."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark import images, keyed, manifest
from benchmark.manifest import Manifest

IDENTITIES, CAMERAS, FRAMES = 24, 4, 3
SOURCE, SPACE = "street-s0-day", "street-s0"


@dataclass(frozen=True)
class Figure:
    """What one person wears, in RGB."""

    top: tuple[int, int, int]
    bottom: tuple[int, int, int]
    skin: tuple[int, int, int]
    bag: bool


def figure(seed: int, person: int) -> Figure:
    """Dress a person: a function of the seed and the person."""
    key = keyed.key(f"identity\n{person}")
    colours = [
        tuple(int(40 + 200 * keyed.uniform(seed, key, f"{part} {channel}")) for channel in "rgb")
        for part in ("top", "bottom")
    ]
    tone = float(keyed.uniform(seed, key, "skin"))
    skin = (int(120 + 110 * tone), int(80 + 100 * tone), int(60 + 90 * tone))
    return Figure(colours[0], colours[1], skin, bool(keyed.uniform(seed, key, "bag") < 0.4))  # type: ignore[arg-type]


def crop(seed: int, person: int, camera: int, frame: int) -> images.Picture:
    """Draw a person as one camera sees them; the height in pixels is the camera's distance."""
    shot = keyed.key(f"shot\n{person}\n{camera}\n{frame}")
    far = float(keyed.uniform(seed, keyed.key(f"camera\n{camera}"), "distance"))
    height = int(20 + 40 * far + 50 * camera + 20 * keyed.uniform(seed, shot, "step"))
    width = height // 2
    picture = np.empty((height, width, 3), np.uint8)
    wall = [int(90 + 110 * keyed.uniform(seed, keyed.key(f"camera\n{camera}"), f"wall {c}")) for c in "rgb"]
    picture[: height * 5 // 6], picture[height * 5 // 6 :] = wall, (110, 108, 104)
    draw(picture, figure(seed, person), (0, 0, width, height), float(keyed.uniform(seed, shot, "gait")))
    return picture


def draw(picture: NDArray[np.uint8], person: Figure, box: tuple[int, int, int, int], gait: float) -> None:
    """Draw a figure into a box (x, y, w, h) of a picture."""
    x, y, w, h = box

    def at(across: float, down: float) -> tuple[int, int]:
        return int(x + across * w), int(y + down * h)

    stride = 0.12 * (2 * gait - 1)
    thick = max(1, w // 7)
    for side in (-1, 1):
        cv2.line(picture, at(0.5 + 0.06 * side, 0.55), at(0.5 + side * (0.08 + stride), 0.95), person.bottom, thick)
        cv2.line(picture, at(0.5 + 0.16 * side, 0.25), at(0.5 + side * (0.24 - stride), 0.52), person.top, thick)
    cv2.rectangle(picture, at(0.34, 0.2), at(0.66, 0.58), person.top, -1)
    if person.bag:
        cv2.rectangle(picture, at(0.62, 0.3), at(0.8, 0.48), (60, 40, 30), -1)
    cv2.circle(picture, at(0.5, 0.12), max(1, int(0.07 * h)), person.skin, -1)


def write(folder: Path, seed: int) -> Manifest:
    """Draw the day and write its pictures and manifest."""
    shots = [(p, c, f) for p in range(1, IDENTITIES + 1) for c in range(1, CAMERAS + 1) for f in range(FRAMES)]
    paths = [f"{person:04d}/c{camera}_{frame:02d}.jpg" for person, camera, frame in shots]
    for path, shot in zip(paths, shots, strict=True):
        images.save(folder / path, crop(seed, *shot), sync=False)
    person, camera, frame = (list(column) for column in zip(*shots, strict=True))
    scenes = [f"{SPACE}/{p}/{c}/{f}" for p, c, f in shots]
    rows = {"path": paths, "pid": person, "camid": camera, "frame": frame, "scene": scenes}
    day = manifest.build(rows | {"id_space": [SPACE] * len(paths), "time": ["day"] * len(paths)}, SOURCE, folder)
    manifest.write(day, folder / "manifest.parquet")
    return day
