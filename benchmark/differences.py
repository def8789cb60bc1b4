"""Is one method better than another? Seeds and identities are both drawn by chance, and each meets each.

The difference of a seed and an identity is the sum of four parts: the true difference, what the seed does, what the
identity does, and a residual. docs/evaluation.md tells why each rule is as it is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import keyed, statistics
from benchmark.statistics import MIN_IDENTITIES, Floats, Ints

FLIPS = 10_000
SEEDS = 5  # fewer describe
ALPHA = 0.05
POWER = 0.8

Claim = Literal["better", "worse", ""]

_UPPER = 0.25  # see `_freedom`
_CHUNK = 2**20  # that many signs are held at a time


class Estimate(NamedTuple):
    """A mean over seeds and identities, and how sure it is; arrays where many tables are estimated at once."""

    mean: Floats
    se: Floats
    df: Floats
    seed: Floats  # variance of a seed's part; NaN of one seed
    identity: Floats  # variance of an identity's part, and of its queries
    residual: Floats  # variance of what a seed does to an identity


@dataclass(frozen=True)
class Difference:
    """One number of one method less that of another."""

    a: float
    b: float
    difference: float
    se: float
    low: float
    high: float
    df: float
    p: float  # that the interval goes with: seeds and identities are drawn
    p_flip: float  # sign flips of identities: these seeds are taken as they are
    seeds: int
    identities: int
    queries: int
    sd_seeds_a: float
    sd_seeds_b: float
    same_sign: bool  # in every seed
    method: str  # variance components; identities only: of one seed; none: too few identities


def difference(a: Floats, b: Floats, identities: Ints, flips: int = FLIPS, seed: int = 0) -> Difference:
    """Compare two methods by the values (seeds, queries) of matched seeds, NaN where a query is absent."""
    return differences([(a, b)], identities, flips, seed)[0]


def differences(
    pairs: Sequence[tuple[Floats, Floats]], identities: Ints, flips: int = FLIPS, seed: int = 0
) -> list[Difference]:
    """Compare many numbers of the same queries at once: all meet the same sign flips."""
    people = np.unique(identities, return_inverse=True)[1]
    tables = [_table(a - b, people) for a, b in pairs]
    sums = [np.where(counts > 0, table.mean(axis=0), 0) for table, counts in tables]
    if not pairs:
        return []
    chances = sign_flip(np.stack(sums, axis=1), flips, seed)
    return [_difference(*pair, *table, float(p)) for pair, table, p in zip(pairs, tables, chances, strict=True)]


def estimate(sums: Floats, counts: Floats) -> Estimate:
    """Estimate the mean of tables of sums (..., seeds, identities) with so many queries an identity.

    A two-way analysis of variance without repetition. Identities have unequal numbers of queries, so the mean is a
    ratio of sums, and what is analysed are its linear parts: an identity's sum less the mean times its queries. A
    variance of seeds or of identities that comes out negative is taken as 0.
    """
    seeds, people = sums.shape[-2:]
    mean = sums.mean(axis=-2).sum(axis=-1) / counts.sum()
    parts = (sums - mean[..., None, None] * counts) * (people / counts.sum())
    rows, columns = parts.mean(axis=-1, keepdims=True), parts.mean(axis=-2, keepdims=True)
    by_identity = seeds * (columns**2).sum(axis=(-1, -2)) / (people - 1)
    if seeds == 1:
        unknown = np.full(mean.shape, np.nan)
        return Estimate(
            mean, np.sqrt(by_identity / people), np.full(mean.shape, people - 1.0), unknown, by_identity, unknown
        )
    by_seed = people * (rows**2).sum(axis=(-1, -2)) / (seeds - 1)
    rest = ((parts - rows - columns) ** 2).sum(axis=(-1, -2)) / ((seeds - 1) * (people - 1))
    seed, identity = np.maximum(by_seed - rest, 0) / people, np.maximum(by_identity - rest, 0) / seeds
    variance = seed / seeds + identity / people + rest / (seeds * people)
    return Estimate(mean, np.sqrt(variance), _freedom(by_seed, by_identity, rest, seeds, people), seed, identity, rest)


def sign_flip(sums: Floats, flips: int = FLIPS, seed: int = 0) -> Floats:
    """Give p of every column of sums (identities, columns): how often random signs give as large a sum."""
    observed = np.abs(sums.sum(axis=0))
    # Sums of the same numbers in another order differ in the last digits.
    reached = observed - 1e-9 * np.abs(sums).sum(axis=0)
    rng = np.random.default_rng(int(keyed.bits(seed, keyed.key("identities"), "sign flip")))
    people, count, done = len(sums), np.zeros(sums.shape[1]), 0
    while done < flips:
        rows = min(max(_CHUNK // people, 1), flips - done)
        bits = rng.integers(0, 2**64, (rows, -(-people // 64)), np.uint64).view(np.uint8)
        signs = np.unpackbits(bits, axis=1, count=people)
        flipped = 2 * (signs.astype(np.float64) @ sums) - sums.sum(axis=0)
        count += (np.abs(flipped) >= reached).sum(axis=0)
        done += rows
    return np.asarray((1 + count) / (flips + 1))


def holm(p: Floats) -> Floats:
    """Correct p for how many were tried (Holm 1979); NaN was not tried."""
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    corrected = np.full(len(p), np.nan)
    steps = p[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected


def claim(found: Difference, p_holm: float) -> Claim:
    """Say `better` or `worse` only where five seeds agree, and chance alone would not explain it."""
    enough = found.seeds >= SEEDS and found.same_sign and p_holm <= ALPHA
    if not enough or not (found.low > 0 or found.high < 0):
        return ""
    return "better" if found.difference > 0 else "worse"


def detectable(se: float, df: float) -> float:
    """Give the least true difference that a comparison finds with power .8; NaN where nothing is tested.

    (t(1 - alpha / 2) + t(power)) standard errors. The exact factor is a quantile of the non-central t and differs by
    less than 2 % from four degrees of freedom on; the standard error of a few seeds is known far worse.
    """
    from scipy.special import stdtrit

    return float(stdtrit(df, 1 - ALPHA / 2) + stdtrit(df, POWER)) * se


def _difference(a: Floats, b: Floats, sums: Floats, counts: Floats, p_flip: float) -> Difference:
    """Put together what is known of one pair; under 30 identities nothing is tested."""
    chosen = counts > 0
    people, queries = int(chosen.sum()), int(counts.sum())
    means_a, means_b = _means(a, b)
    gained, unknown = means_a - means_b, math.nan
    low = high = se = df = p = unknown
    method = "none"
    if people >= MIN_IDENTITIES:
        found = estimate(sums[:, chosen], counts[chosen])
        se, df = float(found.se), float(found.df)
        low, high, p = _test(float(found.mean), se, df)
        method = "variance components" if len(a) > 1 else "identities only"
    return Difference(
        a=float(means_a.mean()),
        b=float(means_b.mean()),
        difference=float(gained.mean()),
        se=se,
        low=low,
        high=high,
        df=df,
        p=p,
        p_flip=p_flip if people >= MIN_IDENTITIES else unknown,
        seeds=len(a),
        identities=people,
        queries=queries,
        sd_seeds_a=statistics.sd(means_a),
        sd_seeds_b=statistics.sd(means_b),
        same_sign=bool((gained > 0).all() or (gained < 0).all()),
        method=method,
    )


def _table(gained: Floats, people: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """Add up the queries of every identity (seeds, identities), and count them; a query must be there in all seeds."""
    known = ~np.isnan(gained).any(axis=0)
    size = int(people.max(initial=-1)) + 1
    sums = [np.bincount(people[known], row, minlength=size) for row in gained[:, known]]
    return np.array(sums), np.bincount(people[known], minlength=size).astype(np.float64)


def _means(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Average both sides over the queries that are there in all of their seeds."""
    known = ~np.isnan(a - b).any(axis=0)
    if not known.any():
        return np.full(len(a), np.nan), np.full(len(b), np.nan)
    return a[:, known].mean(axis=1), b[:, known].mean(axis=1)


def _freedom(by_seed: Floats, by_identity: Floats, rest: Floats, seeds: int, people: int) -> Floats:
    """Give the degrees of freedom of a variance put together of mean squares (Satterthwaite 1946).

    The formula asks for expected mean squares and is given measured ones. Where that of three seeds is low by chance,
    the interval is too short and its degrees of freedom are too many, both at once: it held the truth in 92 % of
    simulated pairs. So here, and only here, the seeds' mean square stands at its upper 75 % limit: 95 %.
    """
    from scipy.special import chdtri

    few, many = seeds - 1, people - 1
    limit = few / chdtri(few, 1 - _UPPER)  # chdtri counts from above
    seed, identity = np.where(by_seed > rest, limit * by_seed, 0), np.where(by_identity > rest, by_identity, 0)
    residual = rest * (1.0 - (by_seed > rest) - (by_identity > rest))
    spread = seed**2 / few + identity**2 / many + residual**2 / (few * many)
    alike = spread == 0  # all seeds and all identities the same
    return np.where(alike, many, (seed + identity + residual) ** 2 / np.where(alike, 1, spread))


def _test(mean: float, se: float, df: float) -> tuple[float, float, float]:
    """Give the interval of a mean, and p that it is 0."""
    from scipy.special import stdtr, stdtrit

    half = float(stdtrit(df, 1 - ALPHA / 2)) * se
    if se == 0:
        return mean, mean, float(mean == 0)
    return mean - half, mean + half, float(2 * stdtr(df, -abs(mean) / se))
