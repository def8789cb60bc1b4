"""The cells of a cut as weighted sums: every mean of a cell is a sum over its rows, whose weights ranks do not change.

So the weights are made once for all runs of a group, and all cells of a cut are summed at once for each run. A row of a
cell is a query of a trial with the positives that count there: all of it, or those of one level.
"""

import re
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmark import cuts, strata
from benchmark.cuts import Cut
from benchmark.errors import UserError
from benchmark.statistics import MIN_IDENTITIES
from leaderboards.expected import Expected
from leaderboards.slices import SCORED, Floats, Ints, Ranks, Slices

CHANCE = ("chance_mAP", "chance_R1")
MACRO = "mAP_id_macro"

_EDGE = re.compile(r"^(?:below (?P<least>\S+)|(?P<low>\S+) to (?P<high>\S+)|(?P<most>\S+) and up)$")


class Ranked(NamedTuple):
    """The ranks of a run: of each query's positives in order, and where in the galleries they stand."""

    ranks: Ranks
    ahead: Ranks  # a positive: the negatives before it
    rows: Ints  # in the galleries of all trials, one after the other
    owner: Ints  # a positive: the row of its query
    identity: Ints  # a query: the rank of its first positive among identities


class Means(NamedTuple):
    """What every cell of a cut comes to, and how that spreads over trials; NaN where there is one trial."""

    values: dict[str, Floats]
    spreads: dict[str, Floats]


class Support(NamedTuple):
    """What stands beside a number of a cell."""

    q_stratum: str | None
    g_stratum: str | None
    stratum_order: int
    n_query: int
    n_id: int
    n_pos_pairs: int | None
    low_support: bool


class _Weights(NamedTuple):
    """Matrices (cells, rows), which give all means of a cut from the scores of the rows."""

    queries: sparse.csr_array  # every query weighs the same, all its trials together
    people: sparse.csr_array  # every person weighs the same
    trials: sparse.csr_array | None  # (cells x trials, rows): every query of a trial; None where there is one


class Cells:
    """All cells of one cut that hold a query with a positive."""

    def __init__(self, expected: Expected, cut: Cut) -> None:
        """Find the rows of every cell, their weights and the support of the cells."""
        self.cut, self._expected = cut, expected
        self._by_positive = bool(cut.g_levels)
        rows, levels, found = self._by_level() if self._by_positive else self._by_query()
        self._rows, self._found = rows, found
        # The scores of a cut of queries are those of all queries; the scores of a level are made for its rows alone.
        self._places = np.arange(len(rows)) if self._by_positive else rows
        self._width = len(rows) if self._by_positive else len(expected.valid)
        asked = cut.q_codes[rows].astype(np.int64) if cut.q_levels else np.zeros(len(rows), dtype=np.int64)
        order, cell = np.unique(asked * max(1, len(cut.g_levels)) + levels, return_inverse=True)
        self.support, weights = _weighed(expected, cut, order, cell.astype(np.int64), rows, found)
        self._weights = self._matrices(cell.astype(np.int64), *weights)

    def __len__(self) -> int:
        """Count the cells."""
        return len(self.support)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Name the numbers that follow from ranks; which identities stood before a positive of a level does not."""
        first = ("R1",) if self._by_positive and self._expected.rules.dedup else ("R1", "R5", "R10")
        if self._expected.rules.depth is not None:
            return (*first, *CHANCE)
        return ("mAP", "mAP_trapz", "mINP", *first, *CHANCE, MACRO)

    def scored(self, scores: Floats, ranked: Ranked) -> Means:
        """Give every metric of every cell, from the scores of the queries and where its positives stand."""
        found = self._restricted(ranked) if self._by_positive else scores
        means = dict(zip(SCORED, (self._weights.queries @ found).T, strict=True))
        values = {name: means[name] * self._counted(name) for name in SCORED if name in self.metrics}
        if MACRO in self.metrics:
            values[MACRO] = self._weights.people @ found[:, SCORED.index("mAP")]
        spreads = dict(zip(SCORED, self._spread(found), strict=True))
        return Means(values | self.chance.values, spreads | self.chance.spreads)

    @cached_property
    def chance(self) -> Means:
        """Give what a random order of the gallery is expected to score."""
        wanted = self._found
        total = wanted + (self._expected.seen - self._expected.positives)[self._rows]
        harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, total.max(initial=0) + 1))])[total]
        share = (wanted - 1) / np.maximum(total - 1, 1)
        found = np.zeros((self._width, 2))
        found[self._places] = np.stack([(harmonic + share * (total - harmonic)) / total, wanted / total], axis=1)
        values = dict(zip(CHANCE, (self._weights.queries @ found).T, strict=True))
        return Means(values, dict(zip(CHANCE, self._spread(found), strict=True)))

    def _by_query(self) -> tuple[Ints, Ints, Ints]:
        chosen = self._expected.valid & (self.cut.q_codes >= 0) if self.cut.q_levels else self._expected.valid
        rows = np.flatnonzero(chosen)
        return rows, np.zeros(len(rows), dtype=np.int64), self._expected.positives[rows]

    def _by_level(self) -> tuple[Ints, Ints, Ints]:
        """Group the positives by their level, then by the query; that is how `_restricted` sorts them."""
        pairs, queries = self._expected.pairs, len(self._expected.listed.query)
        asker = pairs.asker[pairs.shown]
        level = self.cut.g_codes[pairs.row[pairs.shown]].astype(np.int64)
        kept = level >= 0
        if self.cut.q_levels:
            kept &= self.cut.q_codes[asker] >= 0
        groups, found = np.unique(level[kept] * queries + asker[kept], return_counts=True)
        self._slices = Slices(found)
        self._ranks = np.empty(self._slices.total, np.int32)
        return groups % queries, groups // queries, found

    def _restricted(self, ranked: Ranked) -> Floats:
        """Score every query on the positives of one level; the others are as if they were not in the gallery."""
        codes = self._g_codes.take(ranked.rows)
        if self.cut.q_levels and not self._all_asked:
            codes[~self._asked] = len(self.cut.g_levels)
        order = np.argsort(codes, kind="stable")[: self._slices.total]
        ranks = np.take(ranked.ahead, order, out=self._ranks, mode="clip")
        ranks += self._slices.place
        return self._slices.scored(ranks)

    @cached_property
    def _g_codes(self) -> NDArray[np.uint16]:
        """Give the level of every gallery row; what is in none comes after all levels."""
        codes, absent = self.cut.g_codes, len(self.cut.g_levels)
        return np.where(codes < 0, absent, codes).astype(np.uint8 if absent < 256 else np.uint16)

    @cached_property
    def _asked(self) -> NDArray[np.bool_]:
        return np.asarray(self.cut.q_codes[self._expected.owner] >= 0)

    @cached_property
    def _all_asked(self) -> bool:
        return bool(self._asked.all())

    def _counted(self, name: str) -> float:
        """Give what queries without a positive make of the whole, where the protocol counts them as 0."""
        if self.cut.kind != "all" or self._expected.rules.invalid != "count" or name == "mAP":
            return 1.0
        return self.support[0].n_query / len(self._expected.listed.people)

    def _matrices(self, cell: Ints, queries: Floats, people: Floats) -> _Weights:
        shape, trials = (len(self), self._width), len(self._expected.listed.trials)
        alike, voting = (sparse.csr_array((weight, (cell, self._places)), shape) for weight in (queries, people))
        if trials == 1:
            return _Weights(alike, voting, None)
        key = cell * trials + self._expected.listed.query.trial[self._rows]
        counts = np.bincount(key, minlength=len(self) * trials)
        self._empty = (counts == 0).reshape(len(self), trials)
        shape = len(self) * trials, self._width
        return _Weights(alike, voting, sparse.csr_array((1 / counts[key], (key, self._places)), shape))

    def _spread(self, found: Floats) -> Floats:
        """Give standard deviations over trials (scores, cells); NaN for one trial, or where a cell is empty in some."""
        if self._weights.trials is None:
            return np.full((found.shape[1], len(self)), np.nan)
        means = (self._weights.trials @ found).reshape(*self._empty.shape, -1)
        means[self._empty] = np.nan
        return np.asarray(means.std(axis=1, ddof=1).T)


def cut(expected: Expected, kind: str, scheme_id: str, levels: Iterable[str]) -> Cells | str:
    """Make the cut that is known by a scheme's name and hash, or say why it cannot be made of the lists."""
    query, gallery = expected.listed.query.table, expected.listed.gallery.table
    unknown = [name for name in _names(scheme_id) if name not in strata.SCHEMES and name not in query.column_names]
    if unknown:
        return f"the lists have no column {unknown[0]!r}"
    asked = text(scheme_id, levels)
    try:
        made = cuts.parse(asked, query, gallery, kind)  # type: ignore[arg-type]  # kept among those of the format
    except UserError as error:
        return str(error)
    if (made.kind, made.scheme_id) != (kind, scheme_id):
        return f"{asked} is {made.scheme_id} ({made.kind}) here"
    return Cells(expected, made)


def text(scheme_id: str, levels: Iterable[str]) -> str:
    """Write schemes as a person asks for them; edges stand in the names of the levels."""
    parts = [level.split(", ") for level in levels]
    columns = enumerate(_names(scheme_id))
    return "+".join(_text(name, [one[place] for one in parts if place < len(one)]) for place, name in columns)


def _names(scheme_id: str) -> list[str]:
    return [part.partition("@")[0] for part in scheme_id.split("+")]


def _text(name: str, levels: list[str]) -> str:
    if name in strata.SCHEMES:
        return name
    found = [_EDGE.match(level) for level in levels]
    edges = {edge for match in found if match for edge in match.groups() if edge}
    return f"{name}:{','.join(sorted(edges, key=_number))}" if edges and None not in found else name


def _number(edge: str) -> float:
    try:
        return float(edge)
    except ValueError:
        return float("nan")


def _weighed(
    expected: Expected, cut: Cut, order: Ints, cell: Ints, rows: Ints, found: Ints
) -> tuple[list[Support], tuple[Floats, Floats]]:
    """Count who is in every cell, and weigh its rows: in the mean over queries, and in that over people."""
    listed = expected.listed
    queries, people = len(listed.people), int(listed.people.max()) + 1
    asked, row_of, times = np.unique(cell * queries + listed.asked[rows], return_inverse=True, return_counts=True)
    owner, query = np.divmod(asked, queries)
    n_query = np.bincount(owner, minlength=len(order))
    persons, query_of, own = np.unique(owner * people + listed.people[query], return_inverse=True, return_counts=True)
    n_id = np.bincount(persons // people, minlength=len(order))
    share = 1 / times[row_of]
    weights = share / n_query[cell], share / own[query_of][row_of] / n_id[cell]
    # A mean over trials may lie just between two whole numbers: it is summed query by query, as it was when stored.
    parts = np.split(np.bincount(row_of, found, len(asked)) / times, np.cumsum(n_query)[:-1])
    pairs = [round(float(np.sum(part))) for part in parts]
    counts = zip(order.tolist(), n_query.tolist(), n_id.tolist(), pairs, strict=True)
    return [_support(cut, *of) for of in counts], weights


def _support(cut: Cut, place: int, queries: int, people: int, pairs: int) -> Support:
    asked, found = cuts.names(cut, *divmod(place, max(1, len(cut.g_levels))))
    return Support(asked, found, place, queries, people, pairs, people < MIN_IDENTITIES)
