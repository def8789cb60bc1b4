"""Resampling of identities against loops, formulas and the ordinary bootstrap; coverage is in test_coverage.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark import metrics, statistics

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def crowd(people: int, seed: int = 0, alike: float = 0.5) -> tuple[Floats, Ints]:
    """Draw values of people with one to seven queries each, in mixed order."""
    rng = np.random.default_rng(seed)
    identities = rng.permutation(np.repeat(np.arange(people), rng.integers(1, 8, people)))
    own, noise = rng.standard_normal(people)[identities], rng.standard_normal(len(identities))
    return 50 + 10 * (np.sqrt(alike) * own + np.sqrt(1 - alike) * noise), identities.astype(np.int64)


def slow(values: Floats, identities: Ints, draws: int, seed: int) -> Floats:
    """Resample the obvious way: pick people, put all their queries together, average."""
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(identities == person) for person in np.unique(identities)]
    picks = rng.integers(0, len(rows), (draws, len(rows)))
    return np.array([np.nanmean(values[np.concatenate([rows[one] for one in pick])]) for pick in picks])


def test_draws_are_distributed_as_those_of_a_loop_over_people() -> None:
    values, identities = crowd(40)
    found = statistics.bootstrap(values[:, None], identities, draws=20_000).values[:, 0]
    other = slow(values, identities, 20_000, seed=1)
    assert found.std() == pytest.approx(other.std(), rel=0.03)
    shares = [0.01, 0.1, 0.5, 0.9, 0.99]
    assert np.quantile(found, shares) == pytest.approx(np.quantile(other, shares), abs=0.1 * other.std())


def test_one_query_an_identity_is_the_ordinary_bootstrap() -> None:
    values = np.random.default_rng(3).gamma(2, size=150)
    drawn = statistics.bootstrap(values[:, None], np.arange(150)[::-1].copy())
    assert drawn.values.var() == pytest.approx(values.var() / 150, rel=0.06)
    ordinary = np.random.default_rng(4).choice(values, (10_000, 150)).mean(axis=1)
    (interval,) = statistics.intervals(drawn)
    assert (interval.low, interval.high) == pytest.approx(np.quantile(ordinary, [0.025, 0.975]), abs=0.15 * interval.se)


def test_a_fixed_seed_gives_fixed_draws_in_any_order_and_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    values, identities = crowd(40)
    first = statistics.bootstrap(values[:, None], identities, 500, seed=7)
    order = np.random.default_rng(0).permutation(len(values))
    monkeypatch.setattr(statistics, "_WEIGHTS", 130)
    again = statistics.bootstrap(values[order, None], identities[order], 500, seed=7)
    np.testing.assert_allclose(again.values, first.values, rtol=1e-12)
    assert not np.allclose(statistics.bootstrap(values[:, None], identities, 500, seed=8).values, first.values)


def test_published_draws_do_not_change() -> None:
    drawn = statistics.bootstrap(np.arange(5.0)[:, None], np.arange(5), 4, seed=1)
    assert drawn.values[:, 0].tolist() == pytest.approx([1.4, 2.0, 2.4, 2.2])


def test_all_columns_meet_the_same_draws() -> None:
    values, identities = crowd(50)
    half = np.where(identities % 2 == 0, values, np.nan)
    other = np.where(identities % 2 == 1, values, np.nan)
    table = np.stack([values, 100 - values, half, other, half], axis=1)
    drawn = statistics.bootstrap(table, identities, 300).values
    np.testing.assert_allclose(drawn[:, 0] + drawn[:, 1], 100)
    np.testing.assert_array_equal(drawn[:, 2], drawn[:, 4])
    # The whole lies between its two halves in every draw only if all three saw the same people.
    assert ((drawn[:, 0] - drawn[:, 2]) * (drawn[:, 0] - drawn[:, 3]) <= 1e-9).all()


def test_a_level_that_a_draw_misses_is_nan_there() -> None:
    values, identities = crowd(40)
    rare = np.where(identities == 5, values, np.nan)
    drawn = statistics.bootstrap(np.stack([values, rare], axis=1), identities, 4000)
    assert np.isnan(drawn.values[:, 1]).mean() == pytest.approx((1 - 1 / 40) ** 40, abs=0.03)
    assert not np.isnan(drawn.values[:, 0]).any()
    assert drawn.values[:, 1][~np.isnan(drawn.values[:, 1])] == pytest.approx(values[identities == 5].mean())
    assert drawn.identities.tolist() == [40, 1]


@pytest.mark.parametrize(
    ("people", "method"), [(29, "none"), (30, "BCa"), (99, "BCa"), (100, "percentile"), (120, "percentile")]
)
def test_a_column_has_the_interval_of_its_own_identities(people: int, method: str) -> None:
    values, identities = crowd(120)
    column = np.where(identities < people, values, np.nan)
    interval = statistics.intervals(statistics.bootstrap(column[:, None], identities, 2000))[0]
    assert (interval.method, interval.identities) == (method, people)
    assert np.isnan(interval.low) == np.isnan(interval.high) == np.isnan(interval.se) == (method == "none")
    if method != "none":
        assert interval.low < np.nanmean(column) < interval.high


def test_bca_equals_another_library_but_for_the_t_quantile(monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy import special, stats

    values = np.random.default_rng(5).gamma(0.7, size=40)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=40_000, method="BCa", rng=np.random.default_rng(1))
    drawn = statistics.bootstrap(values[:, None], np.arange(40), 40_000)
    wide = statistics.intervals(drawn)[0]
    monkeypatch.setattr(special, "stdtrit", lambda _, share: special.ndtri(share) / np.sqrt(40 / 39))
    plain = statistics.intervals(drawn)[0]
    assert plain[:3] == pytest.approx((theirs.standard_error, *theirs.confidence_interval), rel=0.02)
    assert wide.low < plain.low < plain.high < wide.high
    assert wide.high - values.mean() > values.mean() - wide.low  # as lopsided as what was measured


def test_an_interval_stays_among_what_a_number_can_be() -> None:
    hits = np.ones(40)
    hits[0] = 0
    columns = np.stack([hits, 1 - hits, np.ones(40), np.zeros(40)], axis=1)
    for interval in statistics.intervals(statistics.bootstrap(columns, np.arange(40))):
        assert 0 <= interval.low <= interval.high <= 1


def test_no_draws_no_interval() -> None:
    values, identities = crowd(120)
    drawn = statistics.bootstrap(np.stack([values, values], axis=1), identities, draws=0)
    assert drawn.value == pytest.approx(values.mean())
    assert {one.method for one in statistics.intervals(drawn)} == {statistics.worst(drawn, [0, 1]).method} == {"none"}


def test_the_worst_level_is_found_anew_in_every_draw() -> None:
    rng = np.random.default_rng(2)
    identities = np.repeat(np.arange(150), 2)
    levels = rng.integers(0, 3, 300)
    values = rng.normal(50, 20, 300)
    table = np.stack([np.where(levels == level, values, np.nan) for level in range(3)], axis=1)
    table = np.column_stack([table, np.where(identities < 20, -1000.0, np.nan)])  # too few to take part
    drawn = statistics.bootstrap(table, identities, 3000)
    found = statistics.worst(drawn, [0, 1, 2, 3])
    lows = [min(row[:3]) for row in drawn.values.tolist()]
    assert (found.low, found.high) == pytest.approx(np.quantile(lows, [0.025, 0.975]))
    assert (found.method, found.identities) == ("percentile", drawn.identities[:3].min())
    column = statistics.lowest(drawn, [0, 1, 2, 3])
    assert column == np.argmin(drawn.value[:3])
    assert column is not None
    assert found.high < np.quantile(drawn.values[:, column], 0.975)  # looking for the worst lowers it
    assert statistics.worst(drawn, [3]).method == "none"
    assert statistics.lowest(drawn, [3]) is None


def test_the_slope_is_that_of_a_fitted_line_in_every_draw() -> None:
    values, identities = crowd(110)
    x = np.random.default_rng(1).uniform(-9, -2, len(values))
    y = values + 3 * x
    y[4], x[9] = np.nan, np.nan
    kept = ~np.isnan(x + y)
    value, interval = statistics.slope(y, x, identities, draws=4000)
    assert value == pytest.approx(np.polyfit(x[kept], y[kept], 1)[0])
    rng = np.random.default_rng(2)
    rows = [np.flatnonzero((identities == person) & kept) for person in range(110)]
    picks = [np.concatenate([rows[one] for one in rng.integers(0, 110, 110)]) for _ in range(1500)]
    slow = [np.polyfit(x[pick], y[pick], 1)[0] for pick in picks]
    assert interval.se == pytest.approx(np.std(slow), rel=0.08)
    assert (interval.low, interval.high) == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.2 * interval.se)
    # Neither where x and y begin, nor how large they are, is of any account.
    moved = statistics.slope(y + 1e6, x * 1e-3 + 1e4, identities, draws=4000)
    assert moved[0] == pytest.approx(1e3 * value, rel=1e-4)
    assert moved[1].low == pytest.approx(1e3 * interval.low, rel=1e-4)


def test_the_slope_of_few_people_has_a_corrected_interval_and_of_fewer_none() -> None:
    for people, method in ((60, "BCa"), (20, "none")):
        values, identities = crowd(people)
        x = np.arange(len(values)) / len(values)
        value, interval = statistics.slope(values + 100 * x, x, identities, draws=1000)
        assert interval.method == method
        assert 80 < value < 120


@pytest.mark.parametrize("x", [-5.0, 0.1, np.nan])
def test_nothing_can_be_fitted_to_one_light(x: float) -> None:
    values, identities = crowd(50)
    value, interval = statistics.slope(values, np.full(len(values), x), identities, draws=100)
    assert np.isnan(value)
    assert interval.method == "none"


def test_draws_that_miss_all_but_one_light_have_no_slope() -> None:
    """A third of all draws miss the one person in the light; rounding alone must not give them a line."""
    values, identities = crowd(120)
    x = np.where(identities == 7, -2.9, -8.3)
    _, interval = statistics.slope(values, x, identities, draws=2000)
    step = values[identities == 7].mean() - values[identities != 7].mean()
    assert interval.low < step / 5.4 < interval.high
    assert interval.se < 2


def test_macro_is_one_vote_an_identity() -> None:
    values, identities = crowd(50)
    values[identities % 7 == 0] = np.nan
    values[::5] = np.nan
    column = statistics.macro(values, identities)
    assert np.nanmean(column) == pytest.approx(metrics.by_identity(values, identities))
    drawn = statistics.bootstrap(column[:, None], identities, 100)
    assert drawn.value[0] == pytest.approx(metrics.by_identity(values, identities))
    assert drawn.identities[0] == len(np.unique(identities[~np.isnan(values)]))


def test_macro_of_nothing_is_nothing() -> None:
    assert np.isnan(statistics.macro(np.full(3, np.nan), np.array([4, 4, 9]))).all()


def test_likeness_of_known_cases() -> None:
    identities = np.repeat(np.arange(3), 2)
    assert statistics.icc(np.array([1.0, 1, 5, 5, 9, 9]), identities) == 1
    # Within each person 1 and 3, so all persons are alike: (0 - 2) / (0 + 2)
    assert statistics.icc(np.array([1.0, 3, 1, 3, 3, 1]), identities) == -1
    # Between: ((2-3)^2 * 2 + 0 + (4-3)^2 * 2) / 2 = 2; within: 3 * 2 / 3 = 2
    assert statistics.icc(np.array([1.0, 3, 2, 4, 3, 5]), identities) == 0
    # One of the three queries of the second person is not known.
    unequal = np.array([1.0, 3, 2, np.nan, 4, 3, 5])
    assert statistics.icc(unequal, np.array([0, 0, 1, 1, 1, 2, 2])) == 0
    for values in ([2.0] * 6, [np.nan] * 6, [1, np.nan, 2, np.nan, 3, np.nan], [1, 2] + [np.nan] * 4):
        assert np.isnan(statistics.icc(np.array(values), identities))


@pytest.mark.parametrize("alike", [0.0, 0.3, 0.6])
def test_likeness_of_simulated_people_of_unequal_size(alike: float) -> None:
    found = [statistics.icc(*crowd(200, seed, alike)) for seed in range(50)]
    assert np.mean(found) == pytest.approx(alike, abs=4 * np.std(found) / np.sqrt(50))


def test_trials_are_averaged_for_each_query_first() -> None:
    values = np.array([[1.0, np.nan, 0.0, np.nan], [0.0, 0.5, 0.0, np.nan]])
    means, spread = statistics.over_trials(values)
    np.testing.assert_array_equal(means, [0.5, 0.5, 0.0, np.nan])
    assert spread == pytest.approx(np.std([1 / 2, 0.5 / 3], ddof=1))
    assert np.isnan(statistics.over_trials(values[:1])[1])


@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(1, 5))
def test_the_means_are_ratios_of_sums(seed: int, people: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    identities = rng.integers(-5, people, 3 * people)
    values = rng.random((3 * people, columns))
    values[rng.random(values.shape) < 0.4] = np.nan
    drawn = statistics.bootstrap(values, identities, 5, seed)
    for column in range(columns):
        known = values[~np.isnan(values[:, column]), column]
        assert drawn.value[column] == pytest.approx(known.mean() if len(known) else np.nan, nan_ok=True)
        assert drawn.identities[column] == len(set(identities[~np.isnan(values[:, column])].tolist()))
        found = drawn.values[:, column][~np.isnan(drawn.values[:, column])]
        assert ((found >= known.min(initial=1) - 1e-12) & (found <= known.max(initial=0) + 1e-12)).all()
