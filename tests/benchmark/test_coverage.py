"""By simulation: how often an interval holds the truth, and how often a difference is seen where there is none.

AP in points. A query's ease is that of its person and its own, shared in the given intra-class correlation, and the
same for both methods; what a method makes of a person and of a query comes on top, then what each training does to the
whole (the spread over seeds), to a person and to a query.
"""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

from benchmark import differences, statistics
from benchmark.differences import Estimate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PAIRS = 2000
EASE, METHOD, TRAINING = 30.0, 10.0, 6.0  # points, standard deviations of a query
LIKENESS = (0.3, 0.6)

pytestmark = pytest.mark.slow


def sizes(people: int, rng: np.random.Generator) -> Ints:
    """Give everybody one to seven queries, four on average."""
    return rng.integers(1, 8, people)


def parts(rng: np.random.Generator, likeness: float, shape: tuple[int, ...], counts: Ints) -> Floats:
    """Draw sums over the queries of every person of parts with variance 1, so alike within a person."""
    owner = np.repeat(np.arange(len(counts)), counts)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    own = rng.standard_normal((*shape, len(counts)), np.float32)[..., owner]
    query = rng.standard_normal((*shape, len(owner)), np.float32)
    return np.add.reduceat(np.sqrt(likeness) * own + np.sqrt(1 - likeness) * query, starts, axis=-1).astype(np.float64)


def pairs(
    spread: float, likeness: float, seeds: int, gain: float, people: int = 300
) -> Iterator[tuple[Floats, Floats]]:
    """Draw pairs of methods, a hundred at a time: sums (pairs, seeds, identities) of a - b, and the counts.

    What both methods share of a query cancels in a - b to the last digit, so it need not be drawn.
    """
    rng = np.random.default_rng([int(10 * spread), int(10 * likeness), seeds, int(gain), people])
    for _ in range(PAIRS // 100):
        counts = sizes(people, rng)
        method = np.sqrt(2) * METHOD * parts(rng, likeness, (100, 1), counts)
        training = np.sqrt(2) * TRAINING * parts(rng, likeness, (100, seeds), counts)
        whole = gain + np.sqrt(2) * spread * rng.standard_normal((100, seeds, 1))
        yield whole * counts + method + training, counts.astype(np.float64)


def holds(found: Estimate, truth: float) -> NDArray[np.bool_]:
    return np.asarray(np.abs(found.mean - truth) <= stdtrit(found.df, 0.975) * found.se)


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
def test_the_interval_of_a_difference(seeds: int, spread: float) -> None:
    for likeness in LIKENESS:
        kept, seen, df = list[bool](), list[bool](), list[float]()
        for sums, counts in pairs(spread, likeness, seeds, gain=2):
            kept += holds(differences.estimate(sums, counts), 2).tolist()
        for sums, counts in pairs(spread, likeness, seeds, gain=0):
            found = differences.estimate(sums, counts)
            seen += (~holds(found, 0)).tolist()
            df += found.df.tolist()
        print(
            f"seeds {seeds:2}, seed spread {spread:.0f}, icc {likeness}: holds the truth in "
            f"{100 * np.mean(kept):.1f} %, sees a difference where there is none in {100 * np.mean(seen):.1f} %, "
            f"df {np.median(df):.0f}"
        )
        assert len(kept) == len(seen) == PAIRS
        assert 0.90 <= np.mean(kept) <= 0.97
        assert np.mean(seen) <= 0.06


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
def test_the_least_difference_is_found_four_times_in_five(seeds: int, spread: float) -> None:
    for likeness in LIKENESS:
        squares, df, told, seen = list[float](), list[float](), list[float](), list[bool]()
        for sums, counts in pairs(spread, likeness, seeds, gain=0):
            found = differences.estimate(sums, counts)
            squares += (found.se**2).tolist()
            df += found.df.tolist()
            told += [differences.detectable(*pair) for pair in zip(found.se.tolist(), found.df.tolist(), strict=True)]
        gain = differences.detectable(math.sqrt(np.mean(squares)), float(np.median(df)))
        for sums, counts in pairs(spread, likeness, seeds, gain=gain):
            seen += (~holds(differences.estimate(sums, counts), 0)).tolist()
        print(
            f"seeds {seeds:2}, seed spread {spread:.0f}, icc {likeness}: a difference of {gain:.2f} points is found in "
            f"{100 * np.mean(seen):.1f} %; single pairs say {np.quantile(told, 0.05):.2f} to "
            f"{np.quantile(told, 0.95):.2f} points"
        )
        assert 0.72 <= np.mean(seen) <= 0.83


def test_an_interval_over_people_alone_sees_what_is_not_there() -> None:
    """The bounds above can be missed: three seeds taken for the whole truth, as many papers do."""
    seen = list[bool]()
    for sums, counts in pairs(1.0, 0.3, 3, gain=0):
        found = differences.estimate(sums.mean(axis=1, keepdims=True), counts)
        seen += (~holds(found, 0)).tolist()
    print(f"people alone, 3 seeds, seed spread 1, icc 0.3: sees a difference in {100 * np.mean(seen):.1f} %")
    assert np.mean(seen) > 0.2


def test_degrees_of_freedom_as_they_are_usually_put_in_are_too_many() -> None:
    """Why the seeds' mean square stands at its upper limit there: by chance it is low, and both errors add up."""
    seen, plain = list[bool](), list[bool]()
    for sums, counts in pairs(3.0, 0.6, 3, gain=0):
        found = differences.estimate(sums, counts)
        people = sums.shape[-1]
        rest = found.residual
        seed = np.where(found.seed > 0, people * found.seed + rest, 0)
        identity = np.where(found.identity > 0, 3 * found.identity + rest, 0)
        spread = seed**2 / 2 + identity**2 / (people - 1)
        df = (3 * people * found.se**2) ** 2 / spread
        seen += (~holds(found, 0)).tolist()
        plain += (~holds(found._replace(df=df), 0)).tolist()
    print(
        f"3 seeds, seed spread 3, icc 0.6: sees a difference in {100 * np.mean(seen):.1f} %, by Satterthwaite's "
        f"formula as it stands in {100 * np.mean(plain):.1f} %"
    )
    assert np.mean(seen) <= 0.06 < np.mean(plain)


def test_the_interval_of_the_command_is_the_one_that_was_simulated() -> None:
    rng = np.random.default_rng(0)
    identities = np.repeat(np.arange(60), sizes(60, rng))
    a, b = rng.normal(50, 20, (2, 3, len(identities)))
    sums = np.stack([np.bincount(identities, row) for row in a - b])
    counts = np.bincount(identities).astype(np.float64)
    found, one = differences.difference(a, b, identities), differences.estimate(sums.astype(np.float64), counts)
    half = stdtrit(one.df, 0.975) * one.se
    assert (found.low, found.high) == pytest.approx((one.mean - half, one.mean + half))


def sets(people: int, likeness: float, shape: str, rng: np.random.Generator, counts: Ints) -> tuple[Floats, float]:
    """Draw PAIRS sets of queries (queries, sets) of one shape, and say what their true mean is."""
    own = rng.standard_normal((people, PAIRS))[np.repeat(np.arange(people), counts)]
    ease = np.sqrt(likeness) * own + np.sqrt(1 - likeness) * rng.standard_normal(own.shape)
    if shape == "normal":
        return 50 + EASE * ease, 50.0
    if shape == "skewed":  # as AP in the dark: most near 0, some near 100
        return 100 * ndtr(1.5 * ease - 1.8), 100 * float(ndtr(-1.8 / np.sqrt(1 + 1.5**2)))
    return 100.0 * (ease < ndtri(0.9)), 90.0  # R1


def jackknife_t(values: Floats, identities: Ints) -> tuple[Floats, Floats]:
    """Give the interval that was not chosen."""
    sums = np.stack([np.bincount(identities, column) for column in values.T], axis=1)
    counts = np.bincount(identities)[:, None]
    people, mean = len(sums), values.mean(axis=0)
    left = (sums.sum(axis=0) - sums) / (counts.sum() - counts)
    se = np.sqrt((people - 1) / people * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    half = stdtrit(people - 1, 0.975) * se
    return mean - half, mean + half


@pytest.mark.parametrize(
    ("shape", "people"),
    [
        *(("normal", people) for people in (30, 60, 100, 300)),
        *(("skewed", people) for people in (30, 60, 100)),
        *(("R1", people) for people in (30, 60, 100)),
    ],
)
def test_the_interval_of_one_run(shape: str, people: int) -> None:
    for likeness in LIKENESS:
        rng = np.random.default_rng([people, int(10 * likeness), len(shape)])
        counts = sizes(people, rng)
        identities = np.repeat(np.arange(people), counts)
        values, truth = sets(people, likeness, shape, rng, counts)
        kept = list[bool]()
        for chunk, columns in enumerate(np.array_split(values, 8, axis=1)):
            drawn = statistics.bootstrap(columns, identities, 2000, seed=chunk)
            kept += [one.low <= truth <= one.high for one in statistics.intervals(drawn)]
        low, high = jackknife_t(values, identities)
        other = np.mean((low <= truth) & (truth <= high))
        print(
            f"{shape}, {people} people, icc {likeness}: holds the truth in {100 * np.mean(kept):.1f} %; "
            f"the t interval of the jackknife in {100 * other:.1f} %"
        )
        assert 0.90 <= np.mean(kept) <= 0.97
