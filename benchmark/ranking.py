"""The rank of every positive, by counting, without sorting the gallery: all metrics and strata derive from it.

The rank of a positive is the number of negatives that beat or tie it, plus its place among the positives. A query's
own identity is taken out of its row of scores first, so that what is left to count are the negatives.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import counting, junk, progress
from benchmark.counting import HIDDEN
from benchmark.errors import UserError
from benchmark.junk import Codes, Ints
from benchmark.protocol import Junk
from benchmark.scoring import NO_SCORE, Floats, Source

Counts = NDArray[np.int32]

LOWEST = np.finfo(np.float32).min  # below every score and above HIDDEN


@dataclass(frozen=True, eq=False)
class Ranking:
    """Where the positives of every query stand in the gallery without junk."""

    starts: Ints  # (queries + 1): query i has the positives from starts[i] up to starts[i + 1]
    ranks: Counts  # pessimistic, ascending, from 1: negatives that score >= it, plus its place among the positives
    best: Counts  # optimistic: negatives that score >, plus its place
    rows: Counts  # gallery position of each positive: by score, the highest first; equal scores by position
    scores: Floats  # of each positive; NaN where it has none
    junk: Counts  # a query: gallery rows it does not see
    seen: Counts  # a query: gallery rows it sees, positives and negatives
    negative: Floats  # a query: the highest score of a negative, NaN where there is none
    identity: Counts  # a query: rank of its first positive among identities; 0: not computed, or no positive


class _Part(NamedTuple):
    """Some queries: their scores without junk and without their own identity, and their positives in order."""

    queries: Ints
    scores: Floats  # (queries, gallery); HIDDEN where a row is no negative
    owner: Ints  # a positive: whose it is, a place in `queries`
    rows: Ints  # its gallery position
    worth: Floats  # its score, the highest first; HIDDEN where it has none, which is the last place


def rank(
    source: Source,
    query: Codes,
    gallery: Codes,
    rules: Junk,
    *,
    identities: bool = False,
    engine: str = "auto",
    chunk: int = 128,
) -> Ranking:
    """Rank the positives of every query, `chunk` queries at a time."""
    view, kernels = _View(source, query, gallery, rules), counting.kernels(engine)
    made = _empty(view)
    labels = _labels(gallery) if identities else None
    negatives = made.seen - np.diff(made.starts)
    parts = view.parts(np.arange(source.queries), chunk)
    for part in progress.track(parts, "ranking", -(-source.queries // chunk)):
        first, last = part.queries[0], part.queries[-1] + 1
        mine = slice(made.starts[first], made.starts[last])
        # A positive without a score stands behind all negatives.
        made.ranks[mine] = made.best[mine] = negatives[first:last][part.owner]
        _count(part, kernels, made.ranks[mine], made.best[mine], made.negative[first:last])
        made.rows[mine] = part.rows
        made.scores[mine] = np.where(part.worth == HIDDEN, np.nan, part.worth)
        if labels is not None:
            _count_identities(part, kernels, labels, made.identity[first:last])
    place = np.arange(made.starts[-1]) - np.repeat(made.starts[:-1], np.diff(made.starts)) + 1
    for ranks in (made.ranks, made.best):
        ranks += place.astype(np.int32)
    made.negative[~np.isfinite(made.negative)] = np.nan
    return made


def top(
    source: Source, query: Codes, gallery: Codes, rules: Junk, queries: Ints, k: int
) -> tuple[Ints, NDArray[np.float32]]:
    """Give the first k gallery positions of some queries and their scores, junk removed; -1 and NaN beyond the end.

    Equal scores stand by position; a row without a score (NaN) stands last.
    """
    view = _View(source, query, gallery, rules)
    rows, scores = np.full((len(queries), k), -1), np.full((len(queries), k), np.nan, np.float32)
    place = 0
    for part in view.parts(queries, 128):
        part.scores[part.scores == NO_SCORE] = LOWEST
        part.scores[part.owner, part.rows] = np.maximum(part.worth, LOWEST)
        for numbers in part.scores:
            found = _first(numbers, k)
            rows[place, : len(found)] = found
            scores[place, : len(found)] = np.where(numbers[found] == LOWEST, np.nan, numbers[found])
            place += 1
    return rows, scores


def single_shot(source: Source, query: Codes, gallery: Codes, rules: Junk, depth: int) -> NDArray[np.float64]:
    """Give the expected CMC@1..depth of every query when one image an identity is drawn; NaN without positives.

    The draws are uniform among the images a query sees and independent, so the number of identities ahead of a drawn
    positive follows a Poisson binomial distribution. A distractor is an identity of its own.
    """
    view = _View(source, query, gallery, rules)
    labels = _labels(gallery)
    order = np.argsort(labels, kind="stable")
    bounds = np.flatnonzero(np.diff(labels[order], prepend=-1))
    curves = np.full((source.queries, depth), np.nan)
    for part in view.parts(np.arange(source.queries), 128):
        starts = np.searchsorted(part.owner, np.arange(len(part.queries) + 1))
        for place, index in enumerate(part.queries):
            drawn = np.maximum(part.worth[starts[place] : starts[place + 1]], LOWEST)
            if len(drawn):
                ahead = _chances_ahead(part.scores[place][order], bounds, drawn)
                curves[index] = _curve(ahead, depth)
    return curves


class _View:
    """What every query sees of a gallery."""

    def __init__(self, source: Source, query: Codes, gallery: Codes, rules: Junk) -> None:
        sizes = (len(query.identity), len(gallery.identity))
        if (source.queries, source.gallery) != sizes:
            raise UserError(
                f"scores of {source.queries} queries x {source.gallery} gallery rows "
                f"for lists of {sizes[0]} x {sizes[1]}"
            )
        self.source = source
        self.found = junk.matches(query, gallery, rules)
        places, self.place = np.unique(query.place, return_inverse=True)
        # What place pairs take away, a row of flags for every place that asks.
        unseen = [junk.unseen(place, gallery, rules) for place in places] if rules.place_pairs else []
        self.unseen = np.array(unseen, bool).reshape(len(unseen), sizes[1])

    def hidden(self) -> Ints:
        """Count the gallery rows that every query does not see."""
        taken = self.found.hidden
        total = np.zeros(self.source.queries, np.int64)
        if len(self.unseen):
            owner = np.repeat(self.place, np.diff(self.found.starts))
            taken = taken & ~self.unseen[owner, self.found.gallery]  # counted with the rows of others
            total += self.unseen.sum(axis=1)[self.place]
        before = np.concatenate([[0], np.cumsum(taken)])
        return np.asarray(total + before[self.found.starts[1:]] - before[self.found.starts[:-1]])

    def parts(self, queries: Ints, chunk: int) -> Iterator[_Part]:
        """Score some queries, so many at a time, into one buffer that is used again."""
        buffer = np.empty((min(chunk, len(queries)), self.source.gallery), np.float32)
        for start in range(0, len(queries), chunk):
            rows = queries[start : start + chunk]
            scores = buffer[: len(rows)]
            self.source.fill(rows, scores)
            for place, unseen in enumerate(self.unseen):
                scores[np.ix_(self.place[rows] == place, unseen)] = HIDDEN
            yield self._part(rows, scores)

    def _part(self, rows: Ints, scores: Floats) -> _Part:
        owner, pairs = self._pairs(rows)
        columns = self.found.gallery[pairs]
        worth = scores[owner, columns]
        worth[worth == NO_SCORE] = HIDDEN
        scores[owner, columns] = HIDDEN
        shown = ~self.found.hidden[pairs]
        owner, columns, worth = owner[shown], columns[shown], worth[shown]
        order = np.lexsort((-worth, owner))  # stable: pairs stand in the order of the gallery
        return _Part(rows, scores, owner, columns[order], worth[order])

    def _pairs(self, rows: Ints) -> tuple[Ints, Ints]:
        """Find the pairs of some queries: of each the place in `rows` and the position among all pairs."""
        first, count = self.found.starts[rows], np.diff(self.found.starts)[rows]
        owner = np.repeat(np.arange(len(rows)), count)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        return owner, first[owner] + within


def _empty(view: _View) -> Ranking:
    """Make the arrays: how many positives there are, and who is seen, is known before any score."""
    starts = np.concatenate([[0], np.cumsum(view.found.positives())])
    hidden, queries, total = view.hidden().astype(np.int32), view.source.queries, int(starts[-1])
    ranks, best, rows = (np.zeros(total, np.int32) for _ in range(3))
    scores, negative = np.zeros(total, np.float32), np.full(queries, HIDDEN)
    seen = (view.source.gallery - hidden).astype(np.int32)
    return Ranking(starts, ranks, best, rows, scores, hidden, seen, negative, np.zeros(queries, np.int32))


def _count(part: _Part, kernels: counting.Kernels, ranks: Counts, best: Counts, highest: Floats) -> None:
    """Replace the number of negatives by the number of those ahead, wherever a positive has a score."""
    scored = part.worth > HIDDEN
    starts = np.searchsorted(part.owner[scored], np.arange(len(part.queries) + 1))
    least, more = (np.zeros(int(starts[-1]), np.int32) for _ in range(2))
    kernels.reaching(part.scores, starts, part.worth[scored], least, more, highest)
    ranks[scored], best[scored] = least, more


def _count_identities(part: _Part, kernels: counting.Kernels, labels: Ints, identity: Counts) -> None:
    """Count the other identities whose best image reaches the first positive."""
    starts = np.searchsorted(part.owner, np.arange(len(part.queries) + 1))
    asked = np.diff(starts) > 0
    thresholds = np.full(len(part.queries), np.nan, np.float32)
    thresholds[asked] = np.maximum(part.worth[starts[:-1][asked]], LOWEST)
    kernels.different(part.scores, thresholds, labels, identity)
    identity[asked] += 1


def _labels(gallery: Codes) -> Ints:
    """Give every gallery row the number of its identity; a distractor is an identity of its own."""
    alone = gallery.identity == junk.NOBODY
    names, labels = np.unique(gallery.identity, return_inverse=True)
    labels[alone] = len(names) + np.arange(int(alone.sum()))
    return np.asarray(labels)


def _first(numbers: Floats, k: int) -> Ints:
    """Find the k highest scores, in order; hidden rows are none."""
    rest = len(numbers) - k
    cut = np.partition(numbers, rest)[rest] if 0 < rest < len(numbers) else HIDDEN
    near = np.flatnonzero((numbers >= cut) & (numbers > HIDDEN))
    return np.asarray(near[np.argsort(-numbers[near], kind="stable")][:k])


def _chances_ahead(numbers: Floats, bounds: Ints, drawn: Floats) -> NDArray[np.float64]:
    """Give the chance that another identity's drawn image reaches each possible positive: (positives, identities)."""
    shown = np.add.reduceat(numbers > HIDDEN, bounds, dtype=np.int64)
    ahead = np.array([np.add.reduceat(numbers >= score, bounds, dtype=np.int64) for score in drawn])
    rivals = ahead.any(axis=0)
    return np.asarray(ahead[:, rivals] / shown[rivals])


def _curve(ahead: NDArray[np.float64], depth: int) -> NDArray[np.float64]:
    """Give the expected CMC from the chances of the rivals, over a uniform draw of the positive."""
    certain = (ahead == 1).sum(axis=1)
    exactly = np.zeros((len(ahead), depth))  # the chance that so many of the uncertain rivals are ahead
    exactly[:, 0] = 1
    for chance in np.where(ahead == 1, 0, ahead).T[:, :, None]:
        behind = exactly * (1 - chance)
        behind[:, 1:] += exactly[:, :-1] * chance
        exactly = behind
    at_most = np.hstack([np.zeros((len(ahead), depth)), np.cumsum(exactly, axis=1)])
    reached = at_most[np.arange(len(ahead))[:, None], np.maximum(depth + np.arange(depth) - certain[:, None], 0)]
    return np.asarray(reached.mean(axis=0))
