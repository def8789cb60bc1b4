"""`data duplicates`: pictures that stand twice, where a test would know what training saw, or one person be two.

Four questions, from the cheapest: is an identity, or a scene or parent, on two sides; are there equal bytes; are there
near-copies. Sides are train, val and test. Pairs of one identity on one side are nobody's concern.
"""

import csv
import io
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from benchmark import durable, images, thumbs
from benchmark.config import Strict
from benchmark.errors import UserError
from benchmark.executors import Executor
from benchmark.manifest import Manifest
from benchmark.probes import shots
from benchmark.progress import track

THUMB_ROWS, BLOCK_ROWS = 500, 500
SHOWN = 3

IDENTITY, SCENE, BYTES = "one identity on two sides", "one scene or parent on two sides", "equal bytes"
COPY, MIRRORED = "near-copy", "near-copy, mirrored"


class Options(Strict):
    """What counts as a near-copy."""

    alike: float = Field(0.8, gt=0, le=1)
    """How much of the fine detail two near-copies share, a correlation."""
    candidate: float = Field(0.78, gt=0, le=1)
    """Rank correlation of the coarse copies from which a pair is looked at."""
    gradient: float = Field(2.0, ge=0)
    """Grey levels between neighbours of a 32 x 16 copy, in the mean; pictures with less are not judged."""


class Pair(NamedTuple):
    """Two pictures that should not both be where they are; the one with the smaller image_id first."""

    kind: str
    score: float
    one: str
    other: str


class Report(NamedTuple):
    """What was found, the worst first; how many pictures were compared, and how many nobody can judge."""

    pairs: list[Pair]
    pictures: int
    unjudged: int


@dataclass(frozen=True)
class Files:
    """Some pictures to shrink."""

    name: str
    files: tuple[tuple[str, str], ...]  # root and path
    folder: Path
    ledger: durable.Ledger


@dataclass(frozen=True)
class Block:
    """Some rows to compare with themselves and all that follow."""

    name: str
    start: int
    stop: int
    folder: Path
    ledger: durable.Ledger
    options: Options


def find_in_file(path: Path, manifest: Manifest, options: Options, execute: Executor) -> Report:
    """Search the pictures of a manifest; a killed run goes on where it ended."""
    scratch = path.with_name(f".{path.name}.duplicates")
    with durable.locked(scratch.with_suffix(".lock")):
        report = find(manifest, scratch, options, execute)
        shutil.rmtree(scratch, ignore_errors=True)
    return report


def find(manifest: Manifest, scratch: Path, options: Options, execute: Executor) -> Report:
    """Find all pairs; `scratch` keeps finished shards until the end. Junk is nobody's picture and left out."""
    known = manifest.column("pid").astype(np.int64) >= 0
    if not known.any():
        raise UserError("duplicates: every row is junk (pid -1); there is nothing to compare")
    manifest = manifest.select(known)
    labels = _Labels.of(manifest)
    folder, judged = _shrink(manifest, scratch, options, execute)
    pairs = [*_on_two_sides(labels), *_equal_bytes(manifest, labels), *_near_copies(labels, folder, options, execute)]
    best: dict[tuple[str, str], Pair] = {}
    for pair in pairs:  # from the gravest kind to the least
        best.setdefault((pair.one, pair.other), pair)
    ordered = sorted(best.values(), key=lambda pair: (-pair.score, pair.one, pair.other))
    return Report(ordered, len(manifest), int((~judged).sum()))


@dataclass(frozen=True)
class _Labels:
    """What decides whether a pair matters."""

    images: NDArray[np.object_]
    who: NDArray[np.int64]  # -1 for distractors
    side: NDArray[np.int64]  # -1 for none
    shot: NDArray[np.int64]

    @classmethod
    def of(cls, manifest: Manifest) -> "_Labels":
        split = manifest.column("split")
        side = np.select([split == name for name in ("train", "val", "test")], range(3), -1)
        shot = pd.factorize(shots(manifest), sort=True)[0]
        return cls(manifest.column("image_id"), manifest.identities(), side, shot)  # type: ignore[arg-type]

    def matter(self, rows: NDArray[np.integer], others: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Say which pairs would be a fault: two identities, or two sides; one scene is a question of its own."""
        two_sides = (self.side[rows] != self.side[others]) & (self.side[rows] >= 0) & (self.side[others] >= 0)
        return np.asarray(((self.who[rows] != self.who[others]) | two_sides) & (self.shot[rows] != self.shot[others]))

    def pair(self, kind: str, score: float, row: int, other: int) -> Pair:
        one, two = sorted((str(self.images[row]), str(self.images[other])))
        return Pair(kind, score, one, two)


def _on_two_sides(labels: _Labels) -> Iterator[Pair]:
    """Name one pair for every identity, and every scene or parent, that is on two sides."""
    for kind, group in ((IDENTITY, labels.who), (SCENE, labels.shot)):
        rows = np.flatnonzero((labels.side >= 0) & (group >= 0))
        frame = pd.DataFrame({"group": group[rows], "side": labels.side[rows], "row": rows})
        firsts = frame.groupby(["group", "side"], as_index=False)["row"].min()
        for _, found in firsts[firsts["group"].duplicated(keep=False)].groupby("group"):
            row, other = found["row"].iloc[0], found["row"].iloc[1]
            yield labels.pair(kind, 1.0, row, other)


def _equal_bytes(manifest: Manifest, labels: _Labels) -> Iterator[Pair]:
    """Find files of equal bytes, dark ones too, each with the first that makes it a fault."""
    hashed = manifest.frame()["sha256"]
    for _, group in hashed[hashed.notna() & hashed.duplicated(keep=False)].groupby(hashed):
        rows = group.index.to_numpy()
        for place, row in enumerate(rows[1:], 1):
            earlier = rows[:place]
            wrong = earlier[labels.matter(np.full(place, row), earlier)]
            if len(wrong):
                yield labels.pair(BYTES, 1.0, int(wrong[0]), int(row))


def _shrink(manifest: Manifest, scratch: Path, options: Options, execute: Executor) -> tuple[Path, NDArray[np.bool_]]:
    """Make the small copies in shards, put them together, and say which pictures can be judged."""
    sources, paths = manifest.column("source"), manifest.column("path")
    files = [(str(manifest.roots[str(source)]), str(path)) for source, path in zip(sources, paths, strict=True)]
    versions = [_version(Path(*file)) for file in files]
    plan = durable.sha256(durable.canonical([THUMB_ROWS, files, versions]))
    folder = scratch / plan[:16]
    ledger = durable.Ledger(folder / "shrunk", plan)
    shards = [
        Files(f"{start:09d}", tuple(files[start : start + THUMB_ROWS]), folder, ledger)
        for start in range(0, len(files), THUMB_ROWS)
    ]
    done = ledger.done()
    missing = [shard for shard in shards if shard.name not in done]
    faults: list[str] = []
    for _, found in track(execute(_shrink_shard, missing), "shrink", len(missing)):
        faults += found
    if faults:
        shown = "; ".join(sorted(faults)[:SHOWN]) + ("; ..." if len(faults) > SHOWN else "")
        raise UserError(f"{len(faults)} of {len(files)} pictures cannot be read: {shown}")
    parts = [np.load(folder / f"{shard.name}.npz") for shard in shards]
    judged = np.concatenate([part["gradient"] for part in parts]) >= options.gradient
    labels = _Labels.of(manifest)
    arrays = {name: np.concatenate([part[name] for part in parts])[judged] for name in ("fine", "coarse")}
    arrays |= {"row": np.flatnonzero(judged)}
    arrays |= {name: getattr(labels, name)[judged] for name in ("who", "side", "shot")}
    for name, values in arrays.items():
        durable.write_atomically(folder / f"{name}.npy", lambda file, values=values: np.save(file, values), sync=False)  # type: ignore[misc]
    return folder, judged


def _version(file: Path) -> list[int]:
    try:
        status = file.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def _shrink_shard(shard: Files) -> list[str]:
    """Shrink a shard and commit it; where a picture cannot be used, give the reasons and commit nothing."""
    made, faults = [], []
    for root, path in shard.files:
        try:
            made.append(thumbs.make(images.load(Path(root), path)))
        except UserError as error:
            faults.append(str(error))
    if not faults:
        columns: dict[str, Any] = {name: np.array([getattr(one, name) for one in made]) for name in made[0]._fields}
        target = shard.folder / f"{shard.name}.npz"
        durable.write_atomically(target, lambda file: np.savez(file, **columns))
        shard.ledger.commit(shard.name)
    return faults


def _near_copies(labels: _Labels, folder: Path, options: Options, execute: Executor) -> Iterator[Pair]:
    """Compare all judged pictures in blocks of rows."""
    rows = np.load(folder / "row.npy")
    facts = [[getattr(labels, name)[rows].tolist() for name in ("who", "side", "shot")], rows.tolist()]
    plan = durable.sha256(durable.canonical([folder.name, BLOCK_ROWS, options.model_dump(), facts]))
    ledger = durable.Ledger(folder / f"compared-{plan[:16]}", plan)
    blocks = [
        Block(f"{start:09d}", start, min(start + BLOCK_ROWS, len(rows)), folder, ledger, options)
        for start in range(0, len(rows), BLOCK_ROWS)
    ]
    done = ledger.done()
    missing = [block for block in blocks if block.name not in done]
    for _ in track(execute(_compare_block, missing), "compare", len(missing)):
        pass
    done = ledger.done()
    for block in blocks:
        for row, other, score, turned in done[block.name]["pairs"]:
            yield labels.pair(MIRRORED if turned else COPY, score, int(rows[row]), int(rows[other]))


def _compare_block(block: Block) -> None:
    arrays = {name: np.load(block.folder / f"{name}.npy", mmap_mode="r") for name in ("fine", "coarse")}
    labels = _Labels(np.empty(0, object), *(np.load(block.folder / f"{name}.npy") for name in ("who", "side", "shot")))
    fine, coarse = arrays["fine"], np.asarray(arrays["coarse"])
    found: list[list[Any]] = []
    for turned in (False, True):
        others = thumbs.mirrored(coarse[block.start :]) if turned else coarse[block.start :]
        rows, places = np.nonzero(coarse[block.start : block.stop] @ others.T >= block.options.candidate)
        rows, places = rows + block.start, places + block.start
        wanted = (rows < places) & labels.matter(rows, places)
        for row, place in zip(rows[wanted].tolist(), places[wanted].tolist(), strict=True):
            score = thumbs.alike(fine[row], fine[place][:, ::-1] if turned else fine[place])
            if score >= block.options.alike:
                found.append([row, place, round(score, 4), turned])
    block.ledger.commit(block.name, pairs=sorted(found, key=lambda pair: (pair[0], pair[1], -pair[2])))


def by_kind(pairs: Sequence[Pair]) -> dict[str, int]:
    """Count the pairs of every kind that occurs."""
    found = [pair.kind for pair in pairs]
    return {kind: found.count(kind) for kind in (IDENTITY, SCENE, BYTES, COPY, MIRRORED) if kind in found}


def write(pairs: Sequence[Pair], path: Path) -> None:
    """Write all pairs as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Pair._fields)
    writer.writerows(pairs)
    durable.write_bytes(path, text.getvalue().encode())


def is_list(path: Path) -> bool:
    """Say whether a file is such a list, which may be written over."""
    return durable.read_bytes(path).startswith(",".join(Pair._fields).encode())
