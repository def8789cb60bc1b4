"""What more light does to AP, by an implementation of its own: the slope on stops, and the exposures of one scene.

Which queries and scenes take part, the lists decide; so that is found once for all runs of a group.
"""

import numpy as np
import pyarrow.compute as pc

from benchmark import strata
from benchmark.statistics import MIN_IDENTITIES
from leaderboards.cells import Support
from leaderboards.expected import Expected, Mask
from leaderboards.slices import Floats, Ints

SLOPE = "mAP_per_stop"
DIFFERENCE = "mAP_difference"

Key = tuple[str, str, str | None, str | None, str]  # cut, scheme_id, q_stratum, g_stratum, metric


class Slope:
    """The line of AP on the stops of a query."""

    def __init__(self, expected: Expected) -> None:
        """Find the visible queries whose stops are known and that have a positive."""
        stops = _fact(expected, "stops")
        self._used = _valid(expected) & _visible(expected) & ~np.isnan(stops)
        self._x = stops[self._used]
        people = len(np.unique(expected.listed.people[self._used]))
        self.keys: list[Key] = [("slope", "stops", None, None, SLOPE)] if self._used.any() else []
        self.support = [Support(None, None, 0, int(self._used.sum()), people, None, people < MIN_IDENTITIES)]
        self.sha256 = strata.scheme("stops-5").sha256

    def values(self, ap: Floats) -> list[float]:
        """Give what AP gains with one more stop; NaN where all are equally bright."""
        return [_steepness(self._x, ap[self._used])] if self.keys else []


class Within:
    """The exposures of one scene against that nearest to the scene's own."""

    def __init__(self, expected: Expected, pairs: int) -> None:
        """Find the scenes that were asked for at two exposures or more."""
        scheme, scenes, exposure = strata.scheme("exposure"), _scenes(expected), _fact(expected, "exposure")
        self._used = _valid(expected) & ~np.isnan(exposure) & (scenes >= 0)
        levels, column = np.unique(np.round(exposure[self._used], 1) + 0.0, return_inverse=True)
        _, first, row = np.unique(scenes[self._used], return_index=True, return_inverse=True)
        self._cell, self._shape = row * len(levels) + column, (len(first), len(levels))
        self._count = np.bincount(self._cell, minlength=len(first) * len(levels)).reshape(self._shape)
        self._paired = (self._count > 0).sum(axis=1) > 1
        self._levels, owners = levels, expected.listed.people[self._used][first]
        self.sha256, self._id = scheme.sha256, scheme.id
        self.keys, self.support = list[Key](), list[Support]()
        if self._paired.any():
            self._describe(owners, pairs)

    def _describe(self, owners: Ints, pairs: int) -> None:
        there = (self._count > 0) & self._paired[:, None]
        self._place = min(range(len(self._levels)), key=lambda one: (abs(self._levels[one]), -self._levels[one]))
        names, reference = [f"{level:g}" for level in self._levels], there[:, self._place]
        both = {other: there[:, other] & reference for other in range(len(names)) if other != self._place}
        self._others = [other for other, scenes in both.items() if scenes.any()]
        for order, other in enumerate(self._others):
            self._say(DIFFERENCE, names[other], names[self._place], order, owners[both[other]], pairs)
        self._say(SLOPE, None, None, 0, owners[self._paired], pairs)

    def _say(self, metric: str, level: str | None, reference: str | None, order: int, owners: Ints, pairs: int) -> None:
        people = len(np.unique(owners))
        self.keys.append(("within", self._id, level, reference, metric))
        self.support.append(Support(level, reference, order, len(owners), people, pairs, people < MIN_IDENTITIES))

    def values(self, ap: Floats) -> list[float]:
        """Give the mean difference of every exposure to the reference, and last the slope."""
        if not self.keys:
            return []
        sums = np.bincount(self._cell, ap[self._used], self._count.size).reshape(self._shape)
        table = np.where(self._count > 0, sums / np.maximum(self._count, 1), np.nan)[self._paired]
        found = [float(np.nanmean(table[:, other] - table[:, self._place])) for other in self._others]
        x = np.where(np.isnan(table), np.nan, self._levels)
        x, y = (part - np.nanmean(part, axis=1, keepdims=True) for part in (x, table))
        known = ~np.isnan(y)
        return [*found, _steepness(x[known], y[known])]


def averaged(expected: Expected, values: Floats) -> Floats:
    """Average every query over the trials in which it has a positive; NaN where it has none."""
    listed = expected.listed
    if len(listed.people) == len(listed.asked):  # every query is asked once
        return np.where(expected.valid, values, np.nan)
    rows = np.flatnonzero(expected.valid)
    sums = np.bincount(listed.asked[rows], values[rows], len(listed.people))
    times = np.bincount(listed.asked[rows], minlength=len(listed.people))
    return np.where(times > 0, sums / np.maximum(times, 1), np.nan)


def icc(values: Floats, people: Ints) -> float:
    """Give the share of the variance that lies between people, from sums of squares; NaN where there is none."""
    known = ~np.isnan(values)
    values, people = values[known], people[known]
    counts, sums = np.bincount(people), np.bincount(people, values)
    total, groups = len(values), int(np.count_nonzero(counts))
    if groups < 2 or total == groups:
        return float("nan")
    centre, means = values.mean(), sums / np.maximum(counts, 1)
    explained = float(np.sum(counts * (means - centre) ** 2))
    rest = float(np.sum((values - means[people]) ** 2))
    between, inside = explained / (groups - 1), rest / (total - groups)
    size = (total - float(np.sum(counts * counts)) / total) / (groups - 1)
    spread = between + (size - 1) * inside
    return (between - inside) / spread if spread else float("nan")


def _steepness(x: Floats, y: Floats) -> float:
    centre = float(x.mean())
    x, y = x - centre, y - y.mean()
    spread = float(x @ x)
    # Equal numbers leave a trace of a spread by rounding.
    return float(x @ y) / spread if spread > 1e-24 * len(x) * (1 + centre**2) else float("nan")


def _valid(expected: Expected) -> Mask:
    found = np.zeros(len(expected.listed.people), dtype=bool)
    found[expected.listed.asked[expected.valid]] = True
    return found


def _fact(expected: Expected, name: str) -> Floats:
    """Give a measure of every query; NaN where it is not known."""
    found = np.full(len(expected.listed.people), np.nan)
    found[expected.listed.asked] = expected.listed.query.table[name].to_numpy()
    return found


def _visible(expected: Expected) -> Mask:
    found = np.zeros(len(expected.listed.people), dtype=bool)
    visible = pc.fill_null(pc.equal(expected.listed.query.table["modality"], "visible"), False)
    found[expected.listed.asked] = visible.to_numpy()
    return found


def _scenes(expected: Expected) -> Ints:
    """Give every query the number of its scene; -1: in none."""
    names = expected.listed.query.table["scene"].combine_chunks()
    numbers = pc.fill_null(names.dictionary_encode().indices, -1).to_numpy(zero_copy_only=False)
    nameless = pc.fill_null(pc.equal(names, ""), True).to_numpy(zero_copy_only=False)
    found = np.full(len(expected.listed.people), -1, dtype=np.int64)
    found[expected.listed.asked] = np.where(nameless, -1, numbers)
    return found
