"""The dots are the queries, the bins share them out by light, and the band is the interval of each bin's mean."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark import statistics
from benchmark.figures import ap_stops, style
from benchmark.figures.ap_stops import MOST_BINS, Points

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def queries(number: int, people: int, seed: int = 0) -> Points:
    rng = np.random.default_rng(seed)
    stops, ap = rng.normal(-6, 2, number), rng.random(number)
    return Points(stops, ap, rng.uniform(0.01, 0.02, number), rng.integers(0, people, number))


def words(made: "Figure") -> str:
    return " | ".join(text.get_text() for legend in made.legends for text in legend.get_texts())


@given(number=st.integers(1, 600), steps=st.integers(1, 60), people=st.integers(1, 200), seed=st.integers(0, 9))
def test_bins_part_the_light_and_hold_enough_people_or_are_one(number: int, steps: int, people: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    light, identities = rng.integers(0, steps, number) / 5 - 13, rng.integers(0, people, number)
    bins = ap_stops.assign(light, identities)
    number = int(bins.max()) + 1
    assert sorted(set(bins.tolist())) == list(range(number))
    assert number <= MOST_BINS
    for bin in range(1, number):
        assert light[bins == bin - 1].max() < light[bins == bin].min()  # queries of one light stand together
    if number > 1:
        assert min(len(set(identities[bins == bin].tolist())) for bin in range(number)) >= statistics.MIN_IDENTITIES


def test_many_queries_fill_all_bins_equally() -> None:
    found = queries(2000, 300)
    assert np.bincount(ap_stops.assign(found.stops, found.identities)).tolist() == [200] * MOST_BINS


def test_means_and_chance_are_those_of_the_bins_and_the_bands_hold_them() -> None:
    found = queries(600, 200)
    bins = ap_stops.assign(found.stops, found.identities)
    made = ap_stops.summarise(found)
    for place in range(len(made.mean)):
        chosen = [row for row in range(600) if bins[row] == place]
        assert made.mean[place] == pytest.approx(sum(found.ap[row] for row in chosen) / len(chosen))
        assert made.chance[place] == pytest.approx(sum(found.chance[row] for row in chosen) / len(chosen))
        assert (made.low[place], made.high[place]) == (found.stops[chosen].min(), found.stops[chosen].max())
        assert made.below[place] < made.mean[place] < made.above[place]


def test_the_band_is_about_two_standard_errors_of_the_people() -> None:
    # One query a person: the textbook's standard error of a mean holds.
    found = queries(3000, 1)._replace(identities=np.arange(3000))
    made = ap_stops.summarise(found)
    bins = ap_stops.assign(found.stops, found.identities)
    errors = np.array([found.ap[bins == bin].std(ddof=1) / np.sqrt((bins == bin).sum()) for bin in range(MOST_BINS)])
    assert (made.above - made.below) / 2 / errors == pytest.approx(np.full(MOST_BINS, 1.96), rel=0.08)


def test_every_query_is_a_dot_and_those_without_ap_or_light_are_counted() -> None:
    found = queries(300, 80)
    stops, ap = found.stops.copy(), found.ap.copy()
    stops[:7], ap[5:10] = np.nan, np.nan
    made = ap_stops.draw("light", stops, ap, found.chance, found.identities)
    axes = made.axes[0]
    dots = axes.lines[0]
    np.testing.assert_array_equal(np.asarray(dots.get_xdata()), found.stops[10:])
    np.testing.assert_allclose(np.asarray(dots.get_ydata(), float), 100 * found.ap[10:])
    assert "left out: 10 queries" in axes.get_title(loc="right")
    assert f"290 queries of {len(set(found.identities[10:].tolist()))} identities" in words(made)
    assert "chance level" in words(made)
    assert "95 % interval" in words(made)


@pytest.mark.parametrize(
    ("slope", "title"),
    [
        ((0.021, 0.012, 0.03), "slope +2.10 points of AP a stop, 95 % interval +1.20 to +3.00"),
        ((-0.001, -0.01, 0.008), "slope -0.10 points of AP a stop, 95 % interval -1.00 to +0.80"),
        ((0.02, np.nan, np.nan), "slope +2.00 points of AP a stop, no interval"),
        ((np.nan, np.nan, np.nan), ""),
        (None, ""),
    ],
)
def test_the_title_gives_the_slope_in_points(slope: tuple[float, float, float] | None, title: str) -> None:
    assert ap_stops.draw("light", *queries(50, 40), slope).axes[0].get_title(loc="left") == title


def test_few_people_have_a_mean_and_no_band() -> None:
    made = ap_stops.draw("light", *queries(400, statistics.MIN_IDENTITIES - 1))
    assert "no interval" in words(made)
    assert "95 %" not in words(made)
    assert "mean of" not in words(made)  # one bin


@pytest.mark.parametrize("light", [np.full(1, -13.0), np.full(200, -4.0), np.repeat([-8.0, -3.0], 100)])
def test_one_query_or_one_light_can_be_drawn(light: NDArray[np.float64]) -> None:
    rng = np.random.default_rng(0)
    made = ap_stops.draw("light", light, rng.random(len(light)), light * 0, np.arange(len(light)))
    made.draw_without_rendering()
    low, high = made.axes[0].get_xlim()
    assert low < light.min() <= light.max() < high


def test_without_a_query_it_says_so() -> None:
    nothing = np.full(3, np.nan)
    made = ap_stops.draw("light", nothing, nothing, nothing, np.arange(3))
    assert "no query" in made.axes[0].texts[0].get_text()


def test_equal_queries_give_equal_bytes(tmp_path: Path) -> None:
    first, second = (style.save(ap_stops.draw("light", *queries(200, 90)), tmp_path / name) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
