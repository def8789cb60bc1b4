"""All that is known of the training pictures: rows of every domain, their synthetic nights and their clean parents.

A row is what batches are drawn from; a picture is what is decoded. The first pictures are the rows' own, then come
those that stand in for a row: its synthetic nights, and the daytime image it was made from itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.console import count
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.runner.interfaces import World

Ints = NDArray[np.int64]

_VISIBLE = "visible"


@dataclass(frozen=True, eq=False)
class Source:
    """One part of a recipe: a domain's training rows, and where their twins and parents are found."""

    name: str
    manifest: Manifest  # training rows only, all of known identities
    twins: Manifest | None = None  # synthetic nights, whose `parent` names the rows' pictures
    probability: float = 0.0  # how often a row that has twins is shown as one of them
    parents: Manifest | None = None  # the daytime images that the rows' own `parent` names


@dataclass(frozen=True, eq=False)
class Pool:
    """Rows of all domains, one value a row; rows of a domain stand together, in its manifest's order."""

    sources: tuple[Source, ...]
    starts: Ints  # where each domain begins, and the end
    label: Ints  # number of the identity within its domain
    person: Ints  # number of the identity over all domains: a person may be in several
    domain: Ints
    camera: Ints  # position in `cameras`; -1 unknown
    modality: Ints  # position in `modalities`
    night: Ints  # 1 night, 0 day, -1 unknown
    cameras: tuple[tuple[str, int], ...]  # (id_space, camid)
    modalities: tuple[str, ...]
    pictures: tuple[Manifest, ...]  # what is decoded, in the order of the picture numbers
    own: Ints  # picture number of every row
    twin_starts: Ints  # the twins of row r are twin_pictures[twin_starts[r] : twin_starts[r + 1]]
    twin_pictures: Ints  # picture numbers
    parent: Ints  # picture number; -1: the row stands for itself
    picture_night: Ints  # as `night`, one value a picture

    def world(self, size: tuple[int, int], object: str = "person", weights: Path = Path("weights")) -> World:
        """Say what a method may know."""
        identities = {
            source.name: int(self.label[start:end].max()) + 1
            for source, start, end in zip(self.sources, self.starts, self.starts[1:], strict=False)
        }
        return World(identities, len(self.cameras), self.modalities, size, object, weights)


class _Extra(NamedTuple):
    """Pictures that stand in for rows of one domain."""

    manifest: Manifest
    row: Ints  # of twins: the row within the domain that each picture is a night of
    picture: Ints  # of parents: for every row of the domain its picture's position here; -1 none


def pool(sources: Sequence[Source]) -> Pool:
    """Put the rows of all domains together; refuse what cannot be trained on."""
    for source in sources:
        _require_identities(source)
    manifests = [source.manifest for source in sources]
    starts = _starts([len(manifest) for manifest in manifests])
    twins, parents = [_twins(source) for source in sources], [_parents(source) for source in sources]
    extras = [extra.manifest for extra in (*twins, *parents) if extra]
    bases = iter(starts[-1] + _starts([len(manifest) for manifest in extras])[:-1])
    twin_starts, twin_pictures = _by_row(twins, starts, [int(next(bases)) if one else 0 for one in twins])
    cameras, modalities = _cameras(manifests), _modalities(manifests)
    pictures = (*manifests, *extras)
    night = np.concatenate([_night(manifest) for manifest in pictures])
    return Pool(
        sources=tuple(sources),
        starts=starts,
        label=np.concatenate([manifest.identities() for manifest in manifests]),
        person=_people(manifests),
        domain=np.repeat(np.arange(len(manifests)), np.diff(starts)),
        camera=np.concatenate([_camera(manifest, cameras) for manifest in manifests]),
        modality=np.concatenate([_positions(_words(manifest, "modality"), modalities) for manifest in manifests]),
        night=night[: starts[-1]],
        cameras=cameras,
        modalities=modalities,
        pictures=pictures,
        own=np.arange(starts[-1]),
        twin_starts=twin_starts,
        twin_pictures=twin_pictures,
        parent=_parent_pictures(parents, starts, [int(next(bases)) if one else 0 for one in parents]),
        picture_night=night,
    )


def _require_identities(source: Source) -> None:
    strangers = int((source.manifest.column("pid").astype(np.int64) < 1).sum())
    if strangers:
        rows = count(len(source.manifest), "row")
        raise UserError(f"{source.name}: {strangers} of {rows} are of no known identity (pid below 1); leave them out")
    if source.manifest.identities().max() < 1:
        rows = count(len(source.manifest), "picture")
        raise UserError(f"{source.name}: {rows} of one identity; there must be two or more to tell apart")


def _starts(lengths: Sequence[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(np.array(lengths, dtype=np.int64))]).astype(np.int64)


def _words(manifest: Manifest, name: str) -> NDArray[np.str_]:
    return manifest.column(name).astype(str)


def _people(manifests: Sequence[Manifest]) -> Ints:
    """Give every (id_space, pid) a number over all manifests, in sorted order, as `label` has them within one."""
    _, space = np.unique(np.concatenate([_words(manifest, "id_space") for manifest in manifests]), return_inverse=True)
    pid = np.concatenate([manifest.column("pid").astype(np.int64) for manifest in manifests])
    _, person = np.unique(space * (pid.max() + 1) + pid, return_inverse=True)
    return person.astype(np.int64)


def _cameras(manifests: Sequence[Manifest]) -> tuple[tuple[str, int], ...]:
    known = {
        (str(space), int(camid))
        for manifest in manifests
        for space, camid in zip(_words(manifest, "id_space"), manifest.column("camid"), strict=True)
        if camid
    }
    return tuple(sorted(known))


def _camera(manifest: Manifest, cameras: tuple[tuple[str, int], ...]) -> Ints:
    place = {camera: position for position, camera in enumerate(cameras)}
    pairs = zip(_words(manifest, "id_space"), manifest.column("camid"), strict=True)
    return np.array([place.get((str(space), int(camid)), -1) for space, camid in pairs], dtype=np.int64)


def _modalities(manifests: Sequence[Manifest]) -> tuple[str, ...]:
    found = {str(word) for manifest in manifests for word in np.unique(_words(manifest, "modality"))}
    return tuple(sorted(found, key=lambda word: (word != _VISIBLE, word)))


def _positions(words: NDArray[np.str_], known: tuple[str, ...]) -> Ints:
    return np.array([known.index(str(word)) for word in words], dtype=np.int64)


def _night(manifest: Manifest) -> Ints:
    time = _words(manifest, "time")
    return np.select([time == "night", time == "day"], [1, 0], -1).astype(np.int64)


def _found(names: pa.ChunkedArray, known: pa.ChunkedArray) -> Ints:
    """Give the position of every name among the known ones; -1 where it is not, or is null."""
    places = pc.index_in(names, value_set=known.combine_chunks())
    return np.asarray(pc.fill_null(places, -1).to_numpy()).astype(np.int64)


def _twins(source: Source) -> _Extra | None:
    if source.twins is None or not source.probability:
        return None
    row = _found(source.twins.table["parent"], source.manifest.table["image_id"])
    if not (row >= 0).any():
        asked, given = count(len(source.manifest), "picture"), count(len(source.twins), "twin")
        raise UserError(f"{source.name}: 0 of {given} name one of its {asked} as parent; the twins are of another set")
    twins = source.twins.select(row >= 0)
    _require_same_people(source, twins, row[row >= 0])
    return _Extra(twins, row[row >= 0], row[:0])


def _require_same_people(source: Source, twins: Manifest, row: Ints) -> None:
    """Refuse a twin that is said to be somebody else than its parent."""
    wrong = np.zeros(len(row), bool)
    for name in ("id_space", "pid"):
        wrong |= twins.column(name) != source.manifest.column(name)[row]
    if wrong.any():
        first = twins.table["image_id"][int(np.argmax(wrong))].as_py()
        raise UserError(
            f"{source.name}: {count(int(wrong.sum()), 'twin')} of another identity than its parent: {first}"
        )


def _by_row(twins: Sequence[_Extra | None], starts: Ints, bases: Sequence[int]) -> tuple[Ints, Ints]:
    """List the pictures of every row's twins, row after row."""
    none = np.zeros(0, np.int64)
    rows = np.concatenate([start + one.row if one else none for one, start in zip(twins, starts, strict=False)])
    pictures = np.concatenate(
        [base + np.arange(len(one.row)) if one else none for one, base in zip(twins, bases, strict=True)]
    )
    return _starts(list(np.bincount(rows, minlength=int(starts[-1])))), pictures[np.argsort(rows, kind="stable")]


def _parents(source: Source) -> _Extra | None:
    if source.parents is None:
        return None
    names = source.manifest.table["parent"]
    place = _found(names, source.parents.table["image_id"])
    asked, found = len(names) - names.null_count, int((place >= 0).sum())
    if found < asked or not asked:
        lost = np.flatnonzero((place < 0) & np.asarray(names.is_valid()))
        first = f", the first missing is {names[int(lost[0])].as_py()!r}" if len(lost) else ""
        rows = count(len(names), "picture")
        raise UserError(f"{source.name}: {asked} of {rows} name a parent, {found} of these found in its parents{first}")
    used = np.unique(place[place >= 0])
    return _Extra(source.parents.select(used), used[:0], np.where(place < 0, -1, np.searchsorted(used, place)))


def _parent_pictures(parents: Sequence[_Extra | None], starts: Ints, bases: Sequence[int]) -> Ints:
    result = np.full(int(starts[-1]), -1, dtype=np.int64)
    for one, base, start in zip(parents, bases, starts, strict=False):
        if one:
            result[start : start + len(one.picture)] = np.where(one.picture < 0, -1, base + one.picture)
    return result
