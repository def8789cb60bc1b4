"""Some pictures of a night: read them, develop them, write them, and put down what was found."""

import hashlib
import json
import math
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark import durable, images, stored
from benchmark.columns import MEASURED
from benchmark.errors import UserError
from benchmark.images import Picture
from benchmark.manifest import Manifest
from synthesis.night import chain
from synthesis.night.block import Block, Plan, Stage
from synthesis.night.columns import Facts
from synthesis.night.config import Night
from synthesis.night.order import RECIPE, Pictures, load

QUALITY = 95  # of a night without a codec
Mark = Callable[[Sequence[int]], None]  # notes at which parents the work is


class Made(NamedTuple):
    """One picture that was made."""

    row: int  # in the shard's pictures
    data: bytes
    solved: dict[str, float]  # what stages found


class SetAside(NamedTuple):
    """A parent of which no picture can be made, and why."""

    parent: int
    reason: str


@dataclass(frozen=True, eq=False)
class Shard:
    """Some pictures, and where their files go."""

    name: str
    rows: NDArray[np.int64]  # of all parents, those that are in `parents`
    parents: Manifest
    pictures: Pictures  # their parents are rows of `parents`
    files: tuple[tuple[str, ...], ...]  # of every picture: one, or two of equal bytes
    seed: int
    surveys: dict[str, dict[str, Any]]
    out: Path
    night_sha256: str
    ledger: durable.Ledger
    clip: Any = None  # a synthesis.night.frames.clip.Clip, whose crops these pictures are
    plan: Plan | None = None  # of a clip, planned as a whole

    @property
    def record(self) -> Path:
        """Say where the ledger puts what was found."""
        return self.ledger.folder / f"{self.name}.json"

    @property
    def marker(self) -> Path:
        """Say where the shard's worker notes what it is at; a worker that dies leaves it."""
        return self.ledger.folder / f"{self.name}.at"

    @property
    def fatal(self) -> Path:
        """Say where parents are listed that killed a process."""
        return self.ledger.folder / f"{self.name}.fatal"


def write(shard: Shard) -> int:
    """Make a shard's pictures, write their files, and commit what was found; give the number of pictures."""
    cv2.setNumThreads(1)  # one process a core
    fatal = _tried(shard)
    aside = dict(fatal)
    record = _Record()
    with _Marker(shard.marker) as mark:
        for one in _made(shard, set(fatal), mark):
            if isinstance(one, SetAside):
                aside[one.parent] = one.reason
            else:
                for path in shard.files[one.row]:
                    durable.write_bytes(shard.out / path, one.data, sync=False)
                    record.files[path] = len(one.data)
                record.add(one)
    if shard.clip is not None and record.rows:
        record.files[shard.clip.file] = (shard.out / shard.clip.file).stat().st_size
    _drop(shard, record, aside)
    shard.ledger.commit(shard.name, **record.columns(), aside={str(key): text for key, text in sorted(aside.items())})
    for left in (shard.marker, shard.fatal):
        left.unlink(missing_ok=True)
    return len(record.rows)


def develop(stages: Sequence[Stage], pictures: Sequence[Picture], plan: Plan) -> tuple[Block, list[bytes]]:
    """Make nights of pictures of one size, as files."""
    block = chain.develop(stages, pictures, plan)
    return block, block.files or [images.encode(picture, QUALITY) for picture in block.pictures]


@lru_cache(maxsize=2)
def _night(out: Path, frames: bool, sha256: str) -> Night:
    night = load(out, frames)
    if night.sha256 != sha256:
        raise UserError(f"{out / RECIPE}: was changed since the set was begun; remove the folder, and begin again")
    return night


@lru_cache(maxsize=2)
def _stages(out: Path, sha256: str, surveys: str) -> list[Stage]:
    return chain.ready(_night(out, False, sha256), json.loads(surveys))


def _made(shard: Shard, skip: set[int], mark: Mark) -> Iterator[Made | SetAside]:
    return _of_clip(shard, skip, mark) if shard.clip is not None else _of_pictures(shard, skip, mark)


def _of_pictures(shard: Shard, skip: set[int], mark: Mark) -> Iterator[Made | SetAside]:
    """Develop pictures in blocks of one size; a block goes off as soon as it is full, so few are held at a time."""
    night = _night(shard.out, False, shard.night_sha256)
    ready = _stages(shard.out, shard.night_sha256, durable.canonical(shard.surveys))
    made, facts = shard.pictures, Facts.of(shard.parents)
    plan = chain.plan(night, shard.seed, facts.select(made.parent).with_draws(made.draw, made.step), shard.surveys)
    waiting: dict[tuple[int, ...], list[tuple[int, Picture]]] = {}
    for parent in dict.fromkeys(made.parent.tolist()):
        if parent in skip:
            continue
        mark([parent])
        try:
            picture = images.decode(stored.read(shard.parents, parent))
        except UserError as error:
            yield SetAside(parent, str(error).removeprefix(f"{images.locate(*shard.parents.file(parent))}: "))
            continue
        block = waiting.setdefault(picture.shape, [])
        for row in np.flatnonzero(made.parent == parent).tolist():
            block.append((row, picture))
            if len(block) * picture.shape[0] * picture.shape[1] + picture.size // 3 > chain.BLOCK_PIXELS:
                yield from _block(ready, block, plan, made, mark)
                block.clear()
    for block in waiting.values():
        yield from _block(ready, block, plan, made, mark) if block else ()


def _block(
    ready: Sequence[Stage],
    block: Sequence[tuple[int, Picture]],
    plan: Plan,
    made: Pictures,
    mark: Mark,
) -> Iterator[Made]:
    rows = [row for row, _ in block]
    mark(made.parent[rows].tolist())
    done, files = develop(ready, [picture for _, picture in block], chain.rows(plan, rows))
    for place, (row, data) in enumerate(zip(rows, files, strict=True)):
        yield Made(row, data, {name: float(values[place]) for name, values in done.solved.items()})


def _of_clip(shard: Shard, skip: set[int], mark: Mark) -> Iterator[Made | SetAside]:
    """Cut the pictures of a clip from its frames; a clip with a broken frame is set aside as a whole."""
    from synthesis.night.frames import clip

    parents = shard.pictures.parent.tolist()
    try:
        if skip:
            raise images.PictureError("its clip killed the process that opened it")
        mark(parents)
        assert shard.plan is not None
        rows = {row: place for place, row in enumerate(shard.clip.rows)}
        night = _night(shard.out, True, shard.night_sha256)
        for crop in clip.write(shard.clip, shard.plan, night=night, out=shard.out, surveys=shard.surveys):
            yield Made(rows[crop.row], crop.data, crop.solved)
    except images.PictureError as error:
        yield from (SetAside(parent, str(error)) for parent in parents)


class _Record:
    """What was found of the pictures of a shard, as columns of plain data."""

    def __init__(self) -> None:
        self.files: dict[str, int] = {}
        self.rows: list[int] = []
        self.pixels: list[str] = []
        self.measures: dict[str, list[Any]] = {name: [] for name in MEASURED}
        self.solved: dict[str, list[float | None]] = {}
        self.bytes: list[int] = []

    def add(self, one: Made) -> None:
        """Measure a picture as it is stored."""
        picture = images.decode(one.data)
        found = images.photometry(picture)._asdict() | {"sha256": durable.sha256(one.data)}
        for name, values in self.measures.items():
            values.append(found[name])
        for name, value in one.solved.items():
            self.solved.setdefault(name, [None] * len(self.rows)).append(value if math.isfinite(value) else None)
        self.rows.append(one.row)
        self.pixels.append(digest(picture))
        self.bytes.append(len(one.data))

    def columns(self) -> dict[str, Any]:
        """Give all of it."""
        said = {"files": self.files, "rows": self.rows, "pixels": self.pixels, "bytes": self.bytes}
        return said | {"measures": self.measures, "solved": self.solved}

    def drop(self, rows: set[int]) -> None:
        """Forget some pictures."""
        kept = [place for place, row in enumerate(self.rows) if row not in rows]
        for columns in (self.measures, self.solved):
            for name, values in columns.items():
                columns[name] = [values[place] for place in kept]
        self.pixels = [self.pixels[place] for place in kept]
        self.bytes = [self.bytes[place] for place in kept]
        self.rows = [self.rows[place] for place in kept]


def digest(picture: Picture) -> str:
    """Hash what a file shows: another library may store the same pixels in other bytes."""
    return hashlib.sha256(np.array(picture.shape, "<i4").tobytes() + picture.tobytes()).hexdigest()


def _drop(shard: Shard, record: _Record, aside: dict[int, str]) -> None:
    """Remove what was made of parents that were set aside later, by this run or by one that died."""
    rows = np.flatnonzero(np.isin(shard.pictures.parent, list(aside))).tolist()
    if not rows:
        return
    for row in rows:
        for path in shard.files[row]:
            record.files.pop(path, None)
            (shard.out / path).unlink(missing_ok=True)
    record.drop(set(rows))


class _Marker:
    """A small file that says which parents are worked on, and stays where the process dies."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Mark:
        try:
            self.file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        except OSError as error:
            raise UserError(f"{self.path}: cannot write: {error.strerror or error}") from None
        return self.note

    def note(self, parents: Sequence[int]) -> None:
        """Overwrite what was noted; a line end says how far the note goes."""
        try:
            os.pwrite(self.file, (" ".join(map(str, parents)) + "\n").encode(), 0)
        except OSError as error:
            raise UserError(f"{self.path}: cannot write: {error.strerror or error}") from None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        os.close(self.file)
        if kind is not None:  # an error is no death: it is told, and what it is about is not suspected
            self.path.unlink(missing_ok=True)


def _noted(marker: Path) -> list[int]:
    try:
        return [int(word) for word in marker.read_text().partition("\n")[0].split()]
    except (OSError, ValueError):
        return []


def _tried(shard: Shard) -> dict[int, str]:
    """Where a worker died at this shard, try what it was at in another process; list the parents that kill that, too.

    Where one does, all others of the shard are tried as well: it need not be the only one.
    """
    fatal = {int(key): how for key, how in durable.read_json(shard.fatal).items()} if shard.fatal.exists() else {}
    suspects = [parent for parent in _noted(shard.marker) if parent not in fatal]
    while suspects and (killed := _killed(shard, suspects)):
        parent, how = killed
        fatal[parent] = f"killed the process that opened it ({how})"
        durable.write_json(shard.fatal, {str(key): how for key, how in fatal.items()})
        everybody = dict.fromkeys(shard.pictures.parent.tolist()) if shard.clip is None else ()
        suspects = [parent for parent in everybody if parent not in fatal]
    return fatal


def _killed(shard: Shard, suspects: Sequence[int]) -> tuple[int, str] | None:
    """Develop some parents one at a time in a process of their own; say at which it died, and of what."""
    notes = shard.marker.with_suffix(".trial")
    notes.unlink(missing_ok=True)
    child = get_context("spawn").Process(target=_try, args=(shard, suspects, notes))
    child.start()
    child.join()
    noted, code = _noted(notes), child.exitcode
    notes.unlink(missing_ok=True)
    if code == 0 or not noted:  # it never came to a picture, so no picture can be the reason
        return None
    assert code is not None
    return noted[0], signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _try(shard: Shard, suspects: Sequence[int], notes: Path) -> None:
    everybody = set(shard.pictures.parent.tolist())
    with _Marker(notes) as mark:
        for parent in suspects:
            with suppress(Exception):  # what raises is told where it is made
                for _ in _made(shard, everybody - {parent} if shard.clip is None else set(), mark):
                    pass
