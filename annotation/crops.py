"""STAND-IN (replaced by the issue on annotation): boxes that are already known become crops and a manifest."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmark import images, manifest
from benchmark.errors import UserError
from benchmark.manifest import Manifest


class Box(NamedTuple):
    """A person in a frame, in pixels of the frame."""

    camera: int
    frame: int
    pid: int
    x: int
    y: int
    w: int
    h: int


def cut(frames: dict[tuple[int, int], images.Picture], boxes: Sequence[Box], source: str, folder: Path) -> Manifest:
    """Cut boxes out of frames keyed by (camera, frame), and write the crops and their manifest."""
    for box in boxes:
        picture = frames[box.camera, box.frame]
        if not (0 <= box.x < box.x + box.w <= picture.shape[1] and 0 <= box.y < box.y + box.h <= picture.shape[0]):
            raise UserError(f"box {tuple(box)}: leaves its frame of {picture.shape[1]} x {picture.shape[0]} pixels")
        images.save(folder / _path(box), picture[box.y : box.y + box.h, box.x : box.x + box.w])
    columns = {name: [getattr(box, name) for box in boxes] for name in ("pid", "frame", "x", "y", "w", "h")}
    rows = columns | {
        "path": [_path(box) for box in boxes],
        "camid": [box.camera for box in boxes],
        "sequence": [f"c{box.camera}" for box in boxes],
        "box_source": ["known"] * len(boxes),
        "time": ["night"] * len(boxes),
    }
    crops = manifest.build(rows, source, folder)
    manifest.write(crops, folder / "manifest.parquet")
    return crops


def _path(box: Box) -> str:
    return f"{box.pid:06d}_c{box.camera}_{box.frame:04d}.jpg"
