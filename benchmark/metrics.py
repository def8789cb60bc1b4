"""Metrics from ranks: a query's positives are the slice `starts[i]:starts[i + 1]` of one array of ascending ranks.

Ranks count from 1 in the gallery that the query sees. A query without a positive has an empty slice and the value NaN.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Policy = Literal["skip", "count"]  # what a query without a positive does to a mean: nothing, or it counts as 0

_SMALL = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, 257))])  # harmonic numbers


@dataclass(frozen=True, eq=False)
class Scores:
    """What every query scored; NaN where it has no positive."""

    ap: Floats  # discrete average precision
    ap_trapz: Floats
    inp: Floats  # positives over the rank of the last one
    first: NDArray[np.int32]  # rank of the first positive; 0: none
    positives: NDArray[np.int32]
    negatives: NDArray[np.int32]
    chance: Floats  # the discrete average precision that a random order is expected to have


def per_query(starts: Ints, ranks: Ints, seen: Ints) -> Scores:
    """Score every query; with the ranks that take ties in the query's favour, these are the optimistic scores."""
    counts = np.diff(starts)
    place = _places(starts)
    precision = place / ranks
    # The Oxford rule: at every positive the mean of the precision just before it and at it.
    before = np.where(ranks > 1, (place - 1) / np.maximum(ranks.astype(np.int64) - 1, 1), 1.0)
    valid = counts > 0
    first, inp = np.zeros(len(counts), dtype=np.int32), np.full(len(counts), np.nan)
    first[valid] = ranks[starts[:-1][valid]]
    inp[valid] = counts[valid] / ranks[starts[1:][valid] - 1]
    negatives = np.asarray(seen) - counts
    return Scores(
        ap=_means(starts, precision),
        ap_trapz=_means(starts, (before + precision) / 2),
        inp=inp,
        first=first,
        positives=counts.astype(np.int32),
        negatives=negatives.astype(np.int32),
        chance=chance(counts, negatives),
    )


def restrict(starts: Ints, ranks: Ints, seen: Ints, kept: Mask) -> tuple[Longs, Longs, Longs]:
    """Take some positives for junk: those that stay move up by the removed ones before them; all negatives stay."""
    before = np.concatenate([[0], np.cumsum(kept)])  # kept positives before each, all queries in one row
    inside = before[starts].astype(np.int64)
    removed = _places(starts)[kept] - _places(inside)
    left = np.asarray(seen) - np.diff(starts) + np.diff(inside)
    return inside, ranks[kept].astype(np.int64) - removed, left.astype(np.int64)


def pick(starts: Ints, queries: Ints) -> tuple[Longs, Longs]:
    """Put the slices of some queries one after another: their new starts, and the positions of their positives."""
    counts = np.diff(starts)[queries]
    inside = np.concatenate([[0], np.cumsum(counts)])
    return inside, np.arange(inside[-1]) + np.repeat(starts[:-1][queries] - inside[:-1], counts)


def ties(starts: Ints, ranks: Ints, best: Ints) -> Longs:
    """Count the positives of every query that score the same as a negative."""
    return np.diff(np.concatenate([[0], np.cumsum(ranks != best)])[starts])


def cmc(first: Ints, k: int) -> Floats:
    """Say of every query whether its first positive is among the first k: 1, 0, or NaN where it has none."""
    return np.where(np.asarray(first) > 0, np.asarray(first) <= k, np.nan)


def curve(first: Ints, depth: int, policy: Policy = "skip") -> Floats:
    """Give the share of queries answered by rank 1, 2, ... `depth`; constant beyond the last rank."""
    first = np.asarray(first)
    answered = np.cumsum(np.bincount(first[(first > 0) & (first <= depth)], minlength=depth + 1))[1:]
    asked = len(first) if policy == "count" else int((first > 0).sum())
    return answered / asked if asked else np.full(depth, np.nan)


def r_precision(starts: Ints, ranks: Ints) -> Floats:
    """Give the share of positives among the first m, where m positives are to be found."""
    return _means(starts, ranks <= np.repeat(np.diff(starts), np.diff(starts)))


def precision_at(starts: Ints, ranks: Ints, k: int) -> Floats:
    """Give the share of positives among the first k."""
    return _means(starts, ranks <= k) * np.diff(starts) / k


def reciprocal(first: Ints) -> Floats:
    """Give one over the rank of the first positive; its mean is the MRR."""
    return 1 / np.where(np.asarray(first) > 0, first, np.nan)


def ndcg(starts: Ints, ranks: Ints) -> Floats:
    """Give the discounted gain, 1 / log2(1 + rank) a positive, over that of a perfect order."""
    gain, best = (_means(starts, 1 / np.log2(1.0 + where)) for where in (ranks, _places(starts)))
    return gain / best


def mean(values: Floats, policy: Policy = "skip") -> float:
    """Average over queries; NaN where there is none to average."""
    chosen = _counted(values, policy)
    return float(np.mean(chosen)) if len(chosen) else float("nan")


def by_identity(values: Floats, identities: Ints, policy: Policy = "skip") -> float:
    """Give every identity one vote: the mean over identities of the mean of their queries."""
    known = np.full(len(values), True) if policy == "count" else ~np.isnan(values)
    _, person = np.unique(np.asarray(identities)[known], return_inverse=True)
    return mean(np.bincount(person, _counted(values, policy)) / np.bincount(person))


def chance(positives: Ints, negatives: Ints) -> Floats:
    """Give the expected discrete average precision of a random order: NaN where there is no positive.

    A row at rank r is a positive with chance m / n; each row before it then with chance (m - 1) / (n - 1). So the
    expectation is the mean over ranks of (1 + (r - 1) (m - 1) / (n - 1)) / r.
    """
    wanted = np.asarray(positives, dtype=np.int64)
    count = wanted + negatives
    harmonic = _harmonic(count)
    share = (wanted - 1) / np.maximum(count - 1, 1)
    found = (harmonic + share * (count - harmonic)) / np.maximum(count, 1)
    return np.where(wanted > 0, found, np.nan)


def chance_first(positives: Ints, negatives: Ints, k: int) -> Floats:
    """Give the chance that a random order has a positive among its first k; NaN where there is none."""
    wanted, others = np.asarray(positives, dtype=np.int64), np.asarray(negatives, dtype=np.int64)
    missed = np.ones(len(wanted))
    for drawn in range(min(k, int(others.max(initial=0)) + 1)):
        missed *= np.maximum(others - drawn, 0) / np.maximum(wanted + others - drawn, 1)
    return np.where(wanted > 0, 1 - missed, np.nan)


def average_precision(ranks: Ints) -> float:
    """Give the discrete AP of one query: the mean over positives of the precision at their rank."""
    return float(_alone(ranks).ap[0])


def trapezoid_precision(ranks: Ints) -> float:
    """Give the AP of the Oxford rule: at every positive the mean of the precision before it and at it."""
    return float(_alone(ranks).ap_trapz[0])


def chance_precision(positives: int, negatives: int) -> float:
    """Give the expected discrete AP of a random order of the gallery."""
    return float(chance(np.array([positives]), np.array([negatives]))[0])


def _alone(ranks: Ints) -> Scores:
    return per_query(np.array([0, len(ranks)]), np.asarray(ranks), np.array([ranks[-1]]))


def _places(starts: Ints) -> Longs:
    """Count the positives of every query from 1."""
    return np.arange(1, starts[-1] + 1) - np.repeat(starts[:-1], np.diff(starts))


def _means(starts: Ints, values: NDArray[np.generic]) -> Floats:
    """Average every slice; NaN where it is empty."""
    counts = np.diff(starts)
    result = np.full(len(counts), np.nan)
    valid = counts > 0
    if valid.any():
        # Only slices that hold something: `reduceat` gives an empty one the value of its neighbour.
        sums = np.add.reduceat(values, starts[:-1][valid], dtype=np.float64)
        result[valid] = sums / counts[valid]
    return result


def _counted(values: Floats, policy: Policy) -> Floats:
    unknown = np.isnan(values)
    return np.where(unknown, 0.0, values) if policy == "count" else values[~unknown]


def _harmonic(count: Longs) -> Floats:
    """Sum 1 + 1/2 + ... + 1/n for every n: small ones from a table, the others by Euler's expansion, exact to 1e-16."""
    large = np.maximum(count, len(_SMALL)).astype(np.float64)
    expansion = np.log(large) + np.euler_gamma + 1 / (2 * large) - 1 / (12 * large**2) + 1 / (120 * large**4)
    return np.where(count < len(_SMALL), _SMALL[np.minimum(count, len(_SMALL) - 1)], expansion)
