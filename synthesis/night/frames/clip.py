"""Make a clip's night: develop its frames one after the other, store them as video, and cut the crops from that."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark import images, video
from benchmark.errors import UserError
from benchmark.images import Picture, PictureError
from synthesis.night import chain
from synthesis.night.block import Plan
from synthesis.night.chain import Surveys
from synthesis.night.config import Night
from synthesis.night.frames.develop import Development
from synthesis.night.frames.find import Clip, cut, find
from synthesis.night.frames.plan import COLUMNS, plan, reduced, settings

__all__ = ["COLUMNS", "Clip", "Crop", "find", "plan", "reduced", "replay", "settings", "write"]


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


def replay(
    drawn: Plan, parents: Sequence[int], clips: Sequence[Clip], rows: Sequence[int], night: Night, surveys: Surveys
) -> list[bytes]:
    """Give pictures of a finished set again: rows of its plan, of which `parents` says the rows of its day.

    A picture hangs on all frames before it, by exposure, denoiser and codec, so its clip is made anew; the exposure is
    found again, not taken from the plan.
    """
    places = {parent: place for place, parent in enumerate(parents)}
    owner = {parent: one for one in clips for parent in one.rows}
    made: dict[int, bytes] = {}
    for row in rows:
        if parents[row] not in made:
            if parents[row] not in owner:
                raise UserError(f"the day of row {row} is not in the manifest that was given")
            one = owner[parents[row]]
            _refuse_other(one, drawn, places, row)
            of_clip = chain.rows(drawn, [places[parent] for parent in one.rows])
            with tempfile.TemporaryDirectory() as folder:
                made |= {crop.row: crop.data for crop in write(one, of_clip, night, Path(folder), surveys)}
    return [made[parents[row]] for row in rows]


def _refuse_other(one: Clip, drawn: Plan, places: dict[int, int], row: int) -> None:
    """Refuse a day that has more or fewer boxes of a clip than the night was made of."""
    there = int(np.sum(drawn["frame_key"] == drawn["frame_key"][row]))
    here = [parent in places for parent in one.rows]
    if not all(here) or there != len(here):
        said = f"{len(here)} boxes in the day, {there} in the plan"
        raise UserError(f"clip {one.name}: {said}; give the manifest that the night was made of")


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
