"""Differences over seeds and identities: known tests as special cases, loops as oracles, and when a claim is made."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, stats

from benchmark import differences
from benchmark.differences import Difference

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def runs(seeds: int, people: int, spread: float = 1.0, seed: int = 0) -> tuple[Floats, Floats, Ints]:
    """Draw two methods of equal worth: values (seeds, queries) of people with one to seven queries."""
    rng = np.random.default_rng(seed)
    identities = np.repeat(np.arange(people), rng.integers(1, 8, people))
    ease = rng.normal(50, 30, len(identities))
    sides = [
        ease
        + spread * rng.standard_normal((seeds, 1))
        + 10 * rng.standard_normal(people)[identities]
        + 7 * rng.standard_normal((seeds, len(identities)))
        for _ in "ab"
    ]
    return sides[0], sides[1], identities


def test_one_seed_is_the_t_test_over_people() -> None:
    rng = np.random.default_rng(0)
    identities, gained = np.repeat(np.arange(40), 3), rng.normal(1, 5, (1, 120))
    found = differences.difference(gained + 50, np.full((1, 120), 50.0), identities)
    theirs = stats.ttest_1samp(gained.reshape(40, 3).mean(axis=1), 0)
    assert (found.df, found.p) == pytest.approx((39, theirs.pvalue))
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval()))
    assert found.method == "identities only"
    assert np.isnan(found.sd_seeds_a)


def test_where_only_seeds_differ_it_is_the_t_test_over_seeds() -> None:
    identities = np.repeat(np.arange(40), [1, 2, 3, 4] * 10)
    effect = np.array([[1.0], [4.0], [2.0], [2.5]])
    found = differences.difference(np.full((4, 100), 50.0) + effect, np.full((4, 100), 50.0), identities)
    theirs = stats.ttest_1samp(effect[:, 0], 0)
    assert (found.df, found.p) == pytest.approx((3, theirs.pvalue))
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval()))
    assert found.sd_seeds_a == pytest.approx(effect.std(ddof=1))
    assert found.sd_seeds_b == 0


# t(.975) + t(.8) of tables: 2.776 + .941, 2.262 + .883, 1.960 + .842.
@pytest.mark.parametrize(("df", "errors"), [(4, 3.717), (9, 3.146), (1e9, 2.802)])
def test_the_least_difference_that_is_found_counts_standard_errors(df: float, errors: float) -> None:
    assert differences.detectable(0.02, df) == pytest.approx(0.02 * errors, rel=2e-4)


@pytest.mark.parametrize("df", [4, 5, 8, 20, 300])
def test_the_exact_factor_differs_little_from_four_degrees_of_freedom_on(df: int) -> None:
    # Exactly: a true mean of so many standard errors over the one that was found follows the non-central t.
    edge = stats.t.ppf(0.975, df)
    exact = optimize.brentq(lambda errors: stats.nct.sf(edge, df, errors) - 0.8, 1, 10)
    assert differences.detectable(1.0, df) == pytest.approx(exact, rel=0.02)


def test_under_thirty_identities_no_difference_is_said_to_be_found() -> None:
    found = differences.difference(*runs(5, 20))
    assert np.isnan(differences.detectable(found.se, found.df))


def test_the_components_are_those_of_a_table_of_variance() -> None:
    rng = np.random.default_rng(1)
    seeds, people = 4, 30
    table = 3 + rng.normal(0, 2, (seeds, 1)) + rng.normal(0, 5, people) + rng.normal(0, 1, (seeds, people))
    found = differences.estimate(table * 6, np.full(people, 6.0))
    mean = table.mean()
    squares = {"seed": 0.0, "identity": 0.0, "rest": 0.0}
    for s, i in product(range(seeds), range(people)):
        row, column = table[s].mean() - mean, table[:, i].mean() - mean
        squares["seed"] += row**2
        squares["identity"] += column**2
        squares["rest"] += (table[s, i] - mean - row - column) ** 2
    by_seed, by_identity = squares["seed"] / (seeds - 1), squares["identity"] / (people - 1)
    rest = squares["rest"] / ((seeds - 1) * (people - 1))
    assert found.mean == pytest.approx(mean)
    assert found.residual == pytest.approx(rest)
    assert found.seed == pytest.approx((by_seed - rest) / people)
    assert found.identity == pytest.approx((by_identity - rest) / seeds)
    assert found.se**2 == pytest.approx((by_seed + by_identity - rest) / (seeds * people))


def test_the_components_of_simulated_runs_are_found() -> None:
    rng = np.random.default_rng(2)
    counts = rng.integers(1, 8, 200).astype(np.float64)
    parts = 3 * rng.standard_normal((400, 5, 1)) + 8 * rng.standard_normal((400, 1, 200))
    found = differences.estimate(counts * (parts + 4 * rng.standard_normal((400, 5, 200))), counts)
    assert found.seed.mean() == pytest.approx(9, rel=0.15)
    assert np.mean(found.se**2) == pytest.approx(np.var(found.mean), rel=0.15)


def test_a_negative_component_is_taken_for_none() -> None:
    table = np.where(np.indices((4, 40)).sum(axis=0) % 2, 1.0, -1.0)  # every row and column sums to 0: all is residual
    found = differences.estimate(table, np.ones(40))
    assert [float(found.seed), float(found.identity)] == [0, 0]
    assert found.se**2 == pytest.approx(found.residual / 160)
    assert found.df == pytest.approx(3 * 39)


def test_degrees_of_freedom_lie_between_those_of_seeds_and_of_all() -> None:
    rng = np.random.default_rng(3)
    for spread in (0, 1, 3, 100):
        table = spread * rng.standard_normal((300, 3, 1)) + 10 * rng.standard_normal((300, 1, 80))
        found = differences.estimate(table + 5 * rng.standard_normal((300, 3, 80)), np.ones(80))
        assert (found.df >= 2 - 1e-9).all()
        assert (found.df <= 2 * 79 + 1e-9).all()
    assert np.median(found.df) == pytest.approx(2, abs=0.1)


def test_tables_are_estimated_alone_as_together() -> None:
    rng = np.random.default_rng(4)
    counts = rng.integers(1, 8, 50).astype(np.float64)
    tables = rng.standard_normal((6, 3, 50))
    together = differences.estimate(tables, counts)
    for number, table in enumerate(tables):
        assert [float(part[number]) for part in together] == pytest.approx(
            [float(part) for part in differences.estimate(table, counts)]
        )


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.floats(-50, 50), st.sampled_from([0.01, 2.0, 128.0]))
def test_a_shift_moves_and_a_scale_stretches_the_interval(seed: int, seeds: int, shift: float, scale: float) -> None:
    a, b, identities = runs(seeds, 35, seed=seed)
    first = differences.difference(a, b, identities, flips=10)
    other = differences.difference(scale * a + shift, scale * b, identities, flips=10)
    assert other.se == pytest.approx(scale * first.se)
    assert other.df == pytest.approx(first.df, rel=1e-6)
    assert (other.low, other.high) == pytest.approx(
        (scale * first.low + shift, scale * first.high + shift), abs=1e-6 * scale
    )
    swapped = differences.difference(b, a, identities, flips=10)
    assert (swapped.low, swapped.p, swapped.p_flip) == pytest.approx((-first.high, first.p, first.p_flip))


def test_the_same_runs_on_both_sides_do_not_differ() -> None:
    a, _, identities = runs(5, 60)
    found = differences.difference(a, a.copy(), identities)
    assert (found.difference, found.low, found.high, found.p, found.p_flip) == (0, 0, 0, 1, 1)
    assert not found.same_sign
    assert differences.claim(found, 1.0) == ""


def test_the_interval_leaves_out_0_where_its_p_is_under_the_level() -> None:
    found = [differences.difference(*runs(3, 40, seed=seed), flips=10) for seed in range(200)]
    assert {(one.low > 0 or one.high < 0) == (one.p < 0.05) for one in found} == {True}
    assert len({one.p < 0.05 for one in found}) == 2


def test_under_30_identities_nothing_is_tested() -> None:
    for people in (29, 30):
        a, b, identities = runs(5, people)
        found = differences.difference(a + 40, b, identities)
        assert found.method == ("none" if people < 30 else "variance components")
        unknown = [np.isnan(value) for value in (found.se, found.low, found.high, found.p, found.p_flip)]
        assert set(unknown) == {people < 30}
        assert found.difference == pytest.approx((a + 40 - b).mean())
        assert differences.claim(found, 0.0 if people >= 30 else found.p) == ("better" if people >= 30 else "")


def test_a_query_must_be_there_in_all_runs() -> None:
    a, b, identities = runs(3, 40)
    lost = identities < 4
    b[1, lost] = np.nan
    found = differences.difference(a, b, identities)
    part = differences.difference(a[:, ~lost], b[:, ~lost], identities[~lost])
    assert (found.a, found.b, found.low, found.identities) == pytest.approx((part.a, part.b, part.low, 36))
    assert found.queries == int((~lost).sum())


def test_sign_flips_of_few_people_equal_all_that_there_are() -> None:
    rng = np.random.default_rng(5)
    sums = rng.normal(0.4, 1, (10, 3))
    signs = np.array(list(product([-1, 1], repeat=10)))
    exact = (np.abs(signs @ sums) >= np.abs(sums.sum(axis=0)) - 1e-9).mean(axis=0)
    assert differences.sign_flip(sums, 40_000) == pytest.approx(exact, abs=4 * np.sqrt(0.25 / 40_000))


def test_sign_flips_are_not_misled_by_rounding() -> None:
    # Whole numbers say how often a sum is reached; tenths of them, which are rounded, must say the same.
    for whole in ([-1, -3, -4, 4, 4, 1], [-6, 5, -5, -3, 7, 4], [1, 4, -3, -6, -6, 6]):
        exact, rounded = (differences.sign_flip(np.array(whole)[:, None] / scale, 2000) for scale in (1, 10))
        assert exact.tolist() == rounded.tolist()


def test_sign_flips_add_one_to_both() -> None:
    assert differences.sign_flip(np.full((60, 1), 1.0), 999).tolist() == [1 / 1000]
    assert differences.sign_flip(np.zeros((60, 1)), 999).tolist() == [1]


def test_sign_flips_do_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    sums = np.random.default_rng(6).normal(0.1, 1, (50, 4))
    first = differences.sign_flip(sums, 2000)
    monkeypatch.setattr(differences, "_CHUNK", 500)
    assert differences.sign_flip(sums, 2000).tolist() == first.tolist()


def test_sign_flips_are_right_in_one_of_twenty_worlds_without_a_difference() -> None:
    sums = np.random.default_rng(7).laplace(size=(40, 4000))
    wrong = float((differences.sign_flip(sums, 2000) <= 0.05).mean())
    assert wrong == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 4000))


def test_holm_of_a_known_case() -> None:
    found = differences.holm(np.array([0.01, 0.04, 0.03, np.nan, 0.005]))
    assert found.tolist() == pytest.approx([0.03, 0.06, 0.06, np.nan, 0.02], nan_ok=True)
    assert differences.holm(np.array([0.7, 0.9])).tolist() == [1, 1]
    assert differences.holm(np.array([])).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_as_its_definition_does(chances: list[float]) -> None:
    found = differences.holm(np.array(chances)) <= 0.05
    rejected = set[int]()
    for step, place in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        if (len(chances) - step) * chances[place] > 0.05:
            break
        rejected.add(place)
    assert set(np.flatnonzero(found).tolist()) == rejected


SURE = Difference(
    a=0.6, b=0.5, difference=0.1, se=0.01, low=0.08, high=0.12, df=9, p=0.001, p_flip=0.001, seeds=5, identities=300,
    queries=1200, sd_seeds_a=0.01, sd_seeds_b=0.01, same_sign=True, method="variance components",
)  # fmt: skip


def test_a_claim_needs_all_of_it() -> None:
    assert differences.claim(SURE, 0.01) == "better"
    assert differences.claim(replace(SURE, difference=-0.1, low=-0.12, high=-0.08), 0.01) == "worse"
    assert differences.claim(replace(SURE, seeds=4), 0.01) == ""
    assert differences.claim(replace(SURE, same_sign=False), 0.01) == ""
    assert differences.claim(replace(SURE, low=-0.01), 0.01) == ""
    assert differences.claim(replace(SURE, low=0.0), 0.01) == ""
    assert differences.claim(SURE, 0.06) == ""
    assert differences.claim(replace(SURE, low=np.nan, high=np.nan), np.nan) == ""


def test_the_sign_must_be_the_same_in_every_seed() -> None:
    base, _, identities = runs(5, 40)
    for gained, same in (([3, 2, 1, 4, 0.5], True), ([-3, -2, -1, -4, -0.5], True), ([3, 2, 1, 4, -0.5], False)):
        moved = base + np.array(gained)[:, None]
        assert differences.difference(moved, base, identities).same_sign == same
    assert not differences.difference(base + np.array([3, 2, 1, 4, 0])[:, None], base, identities).same_sign


def test_many_numbers_share_their_flips_and_none_give_none() -> None:
    a, b, identities = runs(3, 40)
    pairs = [(a, b), (b, a), (a, b)]
    found = differences.differences(pairs, identities)
    assert found[0] == found[2] == differences.difference(a, b, identities)
    assert found[0].p_flip == found[1].p_flip
    assert differences.differences([], identities) == []
