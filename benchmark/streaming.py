"""Rank a gallery that is larger than memory: two passes over a file whose rows stand in any order.

The first pass scores the positives alone, which are few: their scores are the thresholds. The second reads the file
once, in the order of its rows, and counts in every block how many negatives reach or pass each threshold. Both multiply
blocks of one and the same shape, because a product of another shape may round the same pair in another way; and since
it may even round by where a row stands, rows that are equal to a positive are given its score.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import counting, junk, progress
from benchmark.counting import HIDDEN
from benchmark.errors import UserError
from benchmark.junk import Codes, Ints, Matches
from benchmark.protocol import Junk
from benchmark.ranking import Counts, Ranking
from benchmark.scoring import Floats, Mask, Vectors
from benchmark.twins import Twins

BLOCK = 8192  # rows a product
TILE = 256  # queries a product: its scores are counted while they are near
MEMORY = 2**28  # bytes that the table of identities met may take
_LANES = 64  # a block is a whole multiple of what the kernel of any matrix product works on at a time
_SCATTERED = 64  # rows read at a time where they lie apart: a mapped file brings up to 16 pages into memory for each


@dataclass(frozen=True, eq=False)
class _File:
    """The rows of a list in the order of the file, in blocks of one size."""

    rows: Any  # an array, or a map of a file
    metric: str
    positions: Counts  # of the list; in 32 bits, for there are as many as rows
    places: Ints  # in the file, ascending
    width: int  # rows a product

    def blocks(self) -> list[slice]:
        """Cut the list."""
        count = len(self.places)
        return [slice(start, min(start + self.width, count)) for start in range(0, count, self.width)]

    def vectors(self, query: NDArray[Any], block: NDArray[Any]) -> Vectors:
        """Make ready to multiply the queries with at most a block of rows."""
        if len(block) < self.width:
            # The shape of a product stays the same; nobody looks at the last columns.
            block = np.concatenate([block, np.repeat(block[-1:], self.width - len(block), axis=0)])
        return Vectors(query, block, self.metric, nonfinite="worst")

    def read(self, places: Ints) -> NDArray[Any]:
        """Give rows whose places ascend, as they stand in the file."""
        if places[-1] - places[0] == len(places) - 1 and (np.diff(places) == 1).all():
            return np.asarray(self.rows[places[0] : places[-1] + 1])
        parts = []
        for start in range(0, len(places), _SCATTERED):
            parts.append(np.asarray(self.rows[places[start : start + _SCATTERED]]))
            self.forget()
        return np.concatenate(parts)

    def forget(self) -> None:
        """Let go of pages that were read: they count as ours until the system needs them."""
        found, shared = self.rows, False
        while isinstance(found, np.ndarray):
            shared |= isinstance(found, np.memmap) and found.mode == "r"  # what another mode has changed would be lost
            found = found.base
        if shared and isinstance(found, mmap.mmap) and hasattr(found, "madvise"):
            found.madvise(mmap.MADV_DONTNEED)


class _Task(NamedTuple):
    """What is to be ranked, and the file that holds it."""

    query: NDArray[Any]
    file: _File
    query_codes: Codes
    gallery_codes: Codes
    rules: Junk
    found: Matches

    def tiles(self) -> list[slice]:
        """Cut the queries."""
        count = len(self.query)
        return [slice(start, min(start + TILE, count)) for start in range(0, count, TILE)]

    def owner(self) -> Ints:
        """Give the query of every pair of one identity."""
        return np.repeat(np.arange(len(self.query)), np.diff(self.found.starts))


class _Thresholds(NamedTuple):
    """The positives of every query: the highest score first, equal ones by position."""

    starts: Ints
    rows: Ints  # positions
    scores: Floats

    def best(self) -> Floats:
        """Give the highest score of every query's positives; infinite where it has none, so that nothing reaches it."""
        found = np.full(len(self.starts) - 1, np.inf, np.float32)
        some = np.diff(self.starts) > 0
        found[some] = self.scores[self.starts[:-1][some]]
        return found


class _Own(NamedTuple):
    """Pairs of one identity, by block and query: they are no negatives."""

    keys: Ints  # block * queries + query, ascending
    query: Ints
    column: Ints  # within the block

    def of(self, block: int, tile: slice, queries: int) -> tuple[Ints, Ints]:
        """Give the pairs of one product, as its rows and columns."""
        first, last = np.searchsorted(self.keys, [block * queries + tile.start, block * queries + tile.stop])
        return self.query[first:last] - tile.start, self.column[first:last]


class _Met:
    """Which identities reached the best positive of every query: a bit each; distractors are counted one by one."""

    def __init__(self, identity: Ints, thresholds: Floats, memory: int) -> None:
        names, labels = np.unique(identity, return_inverse=True)
        labels -= int(names[0] == junk.NOBODY)  # the lowest of all numbers, if it is there at all
        self.labels, self.thresholds = labels, thresholds
        count = int(labels.max()) + 1
        if len(thresholds) * (count // 8 + 1) > memory:
            raise UserError(
                f"ranks among identities: a bit for each of {len(thresholds)} queries x {count} identities is more "
                f"than the {memory} bytes allowed"
            )
        self.bits = np.zeros((len(thresholds), count // 8 + 1), np.uint8)
        self.alone = np.zeros(len(thresholds), np.int64)

    def add(self, scores: Floats, tile: slice, positions: Counts) -> None:
        """Mark who reached it in one product."""
        row, column = np.nonzero(scores[:, : len(positions)] >= self.thresholds[tile, None])
        label = self.labels[positions[column]]
        named = label >= 0
        marks = np.left_shift(1, label[named] & 7).astype(np.uint8)
        np.bitwise_or.at(self.bits[tile], (row[named], label[named] >> 3), marks)
        self.alone[tile] += np.bincount(row[~named], minlength=tile.stop - tile.start)

    def ranks(self) -> Counts:
        """Give the rank of the first positive among identities; 0 where there is none."""
        ahead = np.bitwise_count(self.bits).sum(axis=1, dtype=np.int64) + self.alone
        return np.where(np.isfinite(self.thresholds), 1 + ahead, 0).astype(np.int32)


def rank(
    query: NDArray[Any],
    gallery: NDArray[Any],
    places: Ints,
    query_codes: Codes,
    gallery_codes: Codes,
    rules: Junk,
    *,
    metric: str = "cosine",
    identities: bool = False,
    engine: str = "auto",
    block: int = BLOCK,
    memory: int = MEMORY,
) -> Ranking:
    """Rank a gallery whose position i is the row places[i] of `gallery`, a memory map that may hold other rows too.

    `identities` needs a bit for every pair of a query and an identity; more than `memory` bytes of them are refused.
    """
    _check(query, gallery, places, query_codes, gallery_codes)
    found = junk.matches(query_codes, gallery_codes, rules)
    order = np.argsort(places, kind="stable").astype(np.int32)
    file = _File(gallery, metric, order, places[order], min(block, -(-len(places) // _LANES) * _LANES))
    task = _Task(query, file, query_codes, gallery_codes, rules, found)
    wanted, twins = _score_positives(task, places)
    met = _Met(gallery_codes.identity, wanted.best(), memory) if identities else None
    ranks, best = (places_among(wanted.starts) for _ in range(2))
    negative = np.full(len(query), HIDDEN)
    kernels = counting.kernels(engine)
    for tile, rows, scores in _stream(task, twins):
        first, last = wanted.starts[tile.start], wanted.starts[tile.stop]
        starts, mine = wanted.starts[tile.start : tile.stop + 1] - first, slice(first, last)
        kernels.reaching(scores, starts, wanted.scores[mine], ranks[mine], best[mine], negative[tile])
        if met:
            met.add(scores, tile, order[rows])
    hidden = hidden_rows(found, query_codes, gallery_codes, rules).astype(np.int32)
    return Ranking(
        starts=wanted.starts,
        ranks=ranks,
        best=best,
        rows=wanted.rows.astype(np.int32),
        scores=wanted.scores,
        junk=hidden,
        seen=(len(places) - hidden).astype(np.int32),
        negative=np.where(negative == HIDDEN, np.float32(np.nan), negative),
        identity=met.ranks() if met else np.zeros(len(query), np.int32),
    )


def _check(query: NDArray[Any], gallery: NDArray[Any], places: Ints, asking: Codes, searched: Codes) -> None:
    if query.ndim != 2 or gallery.ndim != 2 or query.shape[1] != gallery.shape[1]:
        raise UserError(f"features: queries of shape {query.shape}, gallery of {gallery.shape}: must be equally long")
    if len(query) != len(asking.identity) or len(places) != len(searched.identity):
        raise UserError(
            f"features: {len(query)} query rows and {len(places)} places for lists of "
            f"{len(asking.identity)} x {len(searched.identity)}"
        )
    if not len(places):
        raise UserError("features: no row of the file is in the gallery")
    wrong = places[(places < 0) | (places >= len(gallery))]
    if len(wrong):
        raise UserError(f"features: there is no row {wrong[0]} in a file of {len(gallery)} rows")


def places_among(starts: Ints) -> Counts:
    """Give every positive its place among the positives of its query, from 1."""
    return (np.arange(starts[-1]) - np.repeat(starts[:-1], np.diff(starts)) + 1).astype(np.int32)


def _score_positives(task: _Task, places: Ints) -> tuple[_Thresholds, Twins]:
    """Pass 1: bring the positives of some queries together, and multiply them as the second pass does."""
    shown, width = ~task.found.hidden, task.file.width
    owner, rows = task.owner()[shown], task.found.gallery[shown]
    starts = np.concatenate([[0], np.cumsum(task.found.positives())])
    scores, product = np.empty(len(rows), np.float32), np.empty((TILE, width), np.float32)
    for tile in task.tiles():
        mine = slice(starts[tile.start], starts[tile.stop])
        wanted, column = np.unique(places[rows[mine]], return_inverse=True)
        for start in range(0, len(wanted), width):
            part = product[: tile.stop - tile.start]
            block = task.file.read(wanted[start : start + width])
            task.file.vectors(task.query, block).fill(np.arange(tile.start, tile.stop), part)
            inside = np.flatnonzero((column >= start) & (column < start + width))
            scores[mine][inside] = part[owner[mine][inside] - tile.start, column[inside] - start]
    twins = Twins(task.file.read, places[rows], owner, scores)
    order = np.lexsort((rows, -scores, owner))
    return _Thresholds(starts, rows[order], scores[order]), twins


def _stream(task: _Task, twins: Twins) -> Iterator[tuple[slice, slice, Floats]]:
    """Pass 2: give the scores of some queries against every block, HIDDEN where a row is no negative."""
    file, own, bad = task.file, _own(task), np.zeros(len(task.file.places), bool)
    product = np.empty((TILE, file.width), np.float32)
    for number, rows in enumerate(progress.track(file.blocks(), "ranking the blocks of the gallery")):
        block = file.read(file.places[rows])
        ready, equal = file.vectors(task.query, block), twins.find(block, file.places[rows])
        bad[rows] = ready.bad_gallery[: rows.stop - rows.start]
        # A row that cannot be scored ends it; what is left to do is to count such rows.
        for tile in [] if bad.any() or ready.bad_queries.any() else task.tiles():
            scores = product[: tile.stop - tile.start]
            ready.fill(np.arange(tile.start, tile.stop), scores)
            twins.level(scores, tile, equal)
            scores[:, rows.stop - rows.start :] = HIDDEN
            scores[own.of(number, tile, len(task.query))] = HIDDEN
            _hide_pairs(task, scores, tile, rows)
            yield tile, rows, scores
        file.forget()
    _refuse_bad(ready.bad_queries, bad, file)


def _own(task: _Task) -> _Own:
    """Sort the pairs of one identity by block and query."""
    place = np.empty(len(task.file.positions), np.int32)
    place[task.file.positions] = np.arange(len(place), dtype=np.int32)
    block, column = np.divmod(place[task.found.gallery].astype(np.int64), task.file.width)
    owner = task.owner()
    keys = block * len(task.query) + owner
    order = np.argsort(keys, kind="stable")
    return _Own(keys[order], owner[order], column[order])


def _hide_pairs(task: _Task, scores: Floats, tile: slice, rows: slice) -> None:
    """Hide what place pairs take away, whoever is on it."""
    if not task.rules.place_pairs:
        return
    here, positions = task.query_codes.place[tile], task.file.positions[rows]
    searched = Codes(*(column[positions] for column in task.gallery_codes))
    for place in np.unique(here):
        columns = np.flatnonzero(junk.unseen(place, searched, task.rules))
        scores[np.ix_(here == place, columns)] = HIDDEN


def hidden_rows(found: Matches, query: Codes, gallery: Codes, rules: Junk) -> Ints:
    """Count the gallery rows that every query does not see."""
    owner, count = np.repeat(np.arange(len(query.place)), np.diff(found.starts)), len(query.place)
    hidden = np.bincount(owner[found.hidden], minlength=count)
    for place in np.unique(query.place) if rules.place_pairs else ():
        unseen = junk.unseen(place, gallery, rules)
        # Those of its own identity are counted already.
        known = np.bincount(owner[unseen[found.gallery]], minlength=count)
        hidden += np.where(query.place == place, unseen.sum() - known, 0)
    return hidden


def _refuse_bad(queries: Mask, gallery: Mask, file: _File) -> None:
    if not (queries.any() or gallery.any()):
        return
    what = "are not finite" + " or have no length" * (file.metric == "cosine")
    first = f"query row {np.argmax(queries)}" if queries.any() else f"row {file.places[np.argmax(gallery)]} of the file"
    raise UserError(
        f"features: {queries.sum()} of {len(queries)} query rows and {gallery.sum()} of {len(gallery)} gallery rows "
        f"{what}, the first is {first}"
    )
