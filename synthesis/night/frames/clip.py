"""Make a clip's night: develop its frames one after the other, store them as video, and cut the crops from that."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmark import images, video
from benchmark.images import Picture, PictureError
from synthesis.night.block import Plan
from synthesis.night.chain import Surveys
from synthesis.night.config import Night
from synthesis.night.frames.develop import Development
from synthesis.night.frames.find import Clip, cut, find
from synthesis.night.frames.plan import plan, reduced, settings

__all__ = ["Clip", "Crop", "find", "plan", "reduced", "settings", "write"]


class Crop(NamedTuple):
    """One row's picture, cut from the night."""

    row: int  # of the parents
    data: bytes  # JPEG
    picture: Picture  # what was cut, before the JPEG
    solved: dict[str, float]


def write(one: Clip, rows: Plan, night: Night, out: Path, surveys: Surveys | None = None) -> Iterator[Crop]:
    """Write a clip's night as OUT/frames/NAME.mp4, then give its crops; `rows` is the plan of its rows, in order."""
    developing = Development(one, rows, reduced(night), surveys)
    fps = one.fps or settings(night).fps
    video.write(out / one.file, developing.frames(), fps, int(rows["crf"][0]))
    for crop in _crops(out, one, developing.numbers, settings(night).quality):
        yield crop._replace(solved=developing.found[crop.row])


def _crops(out: Path, one: Clip, numbers: list[int], quality: int) -> Iterator[Crop]:
    """Cut the boxes from the night as it is stored."""
    frames, left = video.frames(out / one.file), 0
    for number, frame in zip(numbers, frames, strict=True):
        while left < len(one.rows) and one.frames[left] == number:
            picture = cut(frame.picture[: one.height, : one.width], one.boxes[left].tolist())
            yield Crop(one.rows[left], images.encode(picture, quality), picture, {})
            left += 1
    if left < len(one.rows):
        raise PictureError(f"{one.source}: no frame {one.frames[left]}; it ends with frame {numbers[-1]}")
