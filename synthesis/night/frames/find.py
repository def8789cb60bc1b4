"""Which frames belong to a manifest's boxes: one clip a sequence, in a folder of pictures or in a video."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import durable, images, video
from benchmark.errors import UserError
from benchmark.images import Picture, PictureError
from benchmark.manifest import Manifest
from synthesis.night.columns import HOUR

SUFFIXES = (".jpg", ".jpeg", ".png")
_NUMBER = re.compile(r"\d{6,}")
_BOX = ("x", "y", "w", "h")


class Numbered(NamedTuple):
    """A frame and its number in the sequence."""

    number: int
    picture: Picture


@dataclass(frozen=True, eq=False)
class Clip:
    """One sequence of a manifest: where its frames are, and which boxes are cut from them."""

    name: str
    source: Path  # a folder of frames, or a video
    camera: str  # names the camera, and the hour for which it stays as it is
    camid: int
    of: str  # the rows' source
    timestamp: float  # of its first row; NaN where not known
    rows: tuple[int, ...]  # of the manifest, by frame
    frames: NDArray[np.int64]  # of each row
    boxes: NDArray[np.float64]  # of each row: x, y, w, h
    width: int
    height: int
    fps: float  # 0 where nothing says

    @property
    def file(self) -> str:
        """Name its night below the output's folder."""
        return f"frames/{self.name}.mp4"

    def read(self) -> Iterator[Numbered]:
        """Give all frames of the day, in order."""
        if self.source.is_dir():
            for number, file in _numbered(self.source).items():
                yield Numbered(number, self._sized(file, _decoded(file)))
        else:
            for frame in video.frames(self.source):
                yield Numbered(frame.number, self._sized(self.source, frame.picture))

    def _sized(self, file: Path, picture: Picture) -> Picture:
        height, width, _ = picture.shape
        if (width, height) != (self.width, self.height):
            raise PictureError(f"{file}: {width} x {height} pixels, the first frame has {self.width} x {self.height}")
        return picture


def find(parents: Manifest, folder: Path) -> list[Clip]:
    """Find every sequence's frames below a folder; a row without a box, a frame or a sequence is refused."""
    if not folder.is_dir():
        raise UserError(f"--frames {folder}: is no folder")
    table = {name: parents.table[name].to_pylist() for name in ("image_id", "source", "sequence", "camid", "frame")}
    _refuse_missing(parents, table)
    sequences: dict[str, list[int]] = {}
    for row, (sequence, camid) in enumerate(zip(table["sequence"], table["camid"], strict=True)):
        sequences.setdefault(f"c{camid}" if sequence is None else sequence, []).append(row)
    return [_clip(parents, table, folder, name, rows) for name, rows in sorted(sequences.items())]


def _refuse_missing(parents: Manifest, table: Mapping[str, list[Any]]) -> None:
    for name in ("frame", *_BOX):
        missing = parents.table[name].is_null().to_pylist()
        if any(missing):
            first = table["image_id"][missing.index(True)]
            said = f"{sum(missing)} of {len(parents)} rows have no {name}, such as {first}"
            raise UserError(f"--frames: {said}; crops of frames need frame, x, y, w and h")
    for row, (sequence, camid) in enumerate(zip(table["sequence"], table["camid"], strict=True)):
        if sequence is None and camid == 0:
            raise UserError(f"--frames: {table['image_id'][row]} has neither a sequence nor a camera")


def _clip(parents: Manifest, table: Mapping[str, list[Any]], folder: Path, name: str, rows: list[int]) -> Clip:
    first = rows[0]
    for row in rows:
        if (table["camid"][row], table["source"][row]) != (table["camid"][first], table["source"][first]):
            pair = f"{table['image_id'][first]} and {table['image_id'][row]}"
            raise UserError(f"--frames: sequence {name!r} is of two cameras or sources: {pair}")
    frames = np.array([table["frame"][row] for row in rows], np.int64)
    order = np.argsort(frames, kind="stable")  # rows come in their order
    rows, frames = [rows[place] for place in order.tolist()], frames[order]
    boxes = np.stack([parents.table[part].to_numpy().astype(np.float64)[rows] for part in _BOX], axis=1)
    times = parents.table["timestamp"].to_numpy().astype(np.float64)[rows]
    source = _located(folder, name)
    width, height, fps, numbers = _look(source)
    clip = Clip(
        name, source, _camera(table, first, name, times[0]), table["camid"][first], table["source"][first],
        float(times[0]), tuple(rows), frames, boxes, width, height, fps or _rate(times, frames),
    )  # fmt: skip
    _refuse_outside(clip, [table["image_id"][row] for row in rows], numbers)
    return clip


def _camera(table: Mapping[str, list[Any]], row: int, name: str, time: float) -> str:
    """Name the camera of a sequence; one without a number stands for itself."""
    camid, source = table["camid"][row], table["source"][row]
    return f"{source}\n{camid}\n{np.nan_to_num(time) // HOUR:.0f}" if camid else f"{source}\n{name}"


def _located(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\\" in name:
        raise UserError(f"--frames: sequence {name!r} cannot be the name of a folder or a video")
    if (folder / name).is_dir():
        return folder / name
    videos = [folder / f"{name}{suffix}" for suffix in video.SUFFIXES]
    found = [file for file in videos if file.is_file()]
    if not found:
        raise UserError(f"{folder / name}: no such folder of frames, and no video {name}{video.SUFFIXES[0]} beside it")
    return found[0]


def _look(source: Path) -> tuple[int, int, float, NDArray[np.int64]]:
    """Give width, height, frames a second (0: unknown) and the frames' numbers."""
    if not source.is_dir():
        seen = video.shape(source)
        return seen.width, seen.height, seen.fps, np.arange(seen.frames)
    numbered = _numbered(source)
    if not numbered:
        raise UserError(f"{source}: holds no frames; they are named by their numbers in 6 digits, such as 000001.jpg")
    height, width, _ = _decoded(next(iter(numbered.values()))).shape
    return width, height, 0.0, np.array(list(numbered), np.int64)


def _numbered(folder: Path) -> dict[int, Path]:
    """List the frames of a folder by their numbers."""
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    found: dict[int, Path] = {}
    for path in pictures:
        if _NUMBER.fullmatch(path.stem):
            if int(path.stem) in found:
                raise UserError(f"{path}: is frame {int(path.stem)}, as {found[int(path.stem)].name} is")
            found[int(path.stem)] = path
    return dict(sorted(found.items()))


def _decoded(file: Path) -> Picture:
    try:
        return images.decode(durable.read_bytes(file))
    except PictureError as error:
        raise PictureError(f"{file}: {error}") from None


def _rate(times: NDArray[np.float64], frames: NDArray[np.int64]) -> float:
    """Tell frames a second from the rows' times."""
    run, steps = np.diff(times), np.diff(frames)
    known = (steps > 0) & (run > 0)
    return float(np.median(steps[known] / run[known])) if known.any() else 0.0


def _refuse_outside(clip: Clip, names: list[str], numbers: NDArray[np.int64]) -> None:
    """Refuse rows of frames that are not there, and boxes off the frame."""
    absent = np.flatnonzero(~np.isin(clip.frames, numbers)) if len(numbers) else np.array([], np.int64)
    if len(absent):
        row = int(absent[0])
        there = f"it has {len(numbers)} frames, {numbers.min()} to {numbers.max()}"
        raise UserError(f"{clip.source}: no frame {clip.frames[row]}, of which {names[row]} is; {there}")
    x, y, w, h = clip.boxes.T
    across = np.minimum(np.ceil(x + w), clip.width) - np.maximum(np.floor(x), 0)
    down = np.minimum(np.ceil(y + h), clip.height) - np.maximum(np.floor(y), 0)
    outside = np.flatnonzero((across < 1) | (down < 1) | (w <= 0) | (h <= 0))
    if len(outside):
        row = int(outside[0])
        box = ", ".join(f"{value:g}" for value in clip.boxes[row])
        raise UserError(f"{names[row]}: box {box} is off its frame of {clip.width} x {clip.height}")


def cut(picture: Picture, box: list[float]) -> Picture:
    """Cut a box out, rounded outwards to whole pixels and cut at the frame's edge."""
    x, y, w, h = box
    height, width, _ = picture.shape
    rows = slice(max(math.floor(y), 0), min(math.ceil(y + h), height))
    return np.ascontiguousarray(picture[rows, max(math.floor(x), 0) : min(math.ceil(x + w), width)])
