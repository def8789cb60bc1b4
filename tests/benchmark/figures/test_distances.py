"""The numbers in the legend against slow counts and known cases, and panels that can be compared."""

from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.patches import StepPatch

from benchmark.figures import distances, style
from benchmark.figures.distances import Level

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SOME = st.lists(st.integers(0, 6), min_size=1, max_size=12)


def normal(far: float, name: str = "Low") -> Level:
    """Give the quantiles of two normal distributions, `far` spreads apart."""
    places = np.array([NormalDist().inv_cdf((place + 0.5) / 4000) for place in range(4000)])
    return Level(name, places, places + far)


def legend(axes: "Axes") -> list[str]:
    found = axes.get_legend()
    assert found is not None
    return [text.get_text() for text in found.get_texts()]


@given(positive=SOME, negative=SOME)
def test_auc_is_the_share_of_pairs_in_order_and_a_tie_is_half(positive: list[int], negative: list[int]) -> None:
    slow = sum((p < n) + (p == n) / 2 for p in positive for n in negative) / len(positive) / len(negative)
    assert distances.auc(Level("", np.array(positive), np.array(negative))) == pytest.approx(slow)


@pytest.mark.parametrize("far", [0.0, 0.5, 2.0])
def test_normal_distances_have_the_textbooks_numbers(far: float) -> None:
    level = normal(far)
    assert distances.d_prime(level) == pytest.approx(far, abs=0.01)
    assert distances.auc(level) == pytest.approx(NormalDist().cdf(far / 2**0.5), abs=0.002)
    # The densities cross half way.
    assert distances.overlap(level, distances.edges([level])) == pytest.approx(2 * NormalDist().cdf(-far / 2), abs=0.03)


def test_apart_and_equal() -> None:
    apart = Level("", np.array([0.1, 0.2]), np.array([0.8, 0.9]))
    assert distances.overlap(apart, distances.edges([apart])) == 0
    assert distances.auc(apart) == 1
    equal = Level("", np.full(5, 0.5), np.full(9, 0.5))
    assert distances.overlap(equal, distances.edges([equal])) == pytest.approx(1)
    assert distances.auc(equal) == 0.5
    assert np.isnan(distances.d_prime(equal))


def test_histograms_hold_all_distances_and_share_their_axes() -> None:
    made = distances.draw("distances", [normal(1), normal(3, "High"), Level("dark", np.array([]), np.array([1.0]))])
    one, other, dark = made.axes
    assert (one.get_xlim(), one.get_ylim()) == (other.get_xlim(), other.get_ylim())
    for axes, far in ((one, 1), (other, 3)):
        (negative, bins, _), (positive, _, _) = (
            patch.get_data() for patch in axes.patches if isinstance(patch, StepPatch)
        )
        assert negative.sum() == pytest.approx(100)
        assert positive.sum() == pytest.approx(100)
        middle = (bins[1:] + bins[:-1]) / 2
        assert (negative * middle).sum() / 100 == pytest.approx(far, abs=0.05)
        assert (positive * middle).sum() / 100 == pytest.approx(0, abs=0.05)
    assert dark.texts[0].get_text() == "dark: no positives"


def test_the_legend_says_how_many_and_how_far() -> None:
    made = distances.draw("distances", [Level("Low", np.array([0.1, np.nan, 0.3]), np.array([0.2, np.inf, 0.4, 0.6]))])
    assert legend(made.axes[0]) == ["3 negatives", "2 positives", "overlap 0.00, d' 1.48, AUC 0.833"]
    assert made.axes[0].get_title(loc="left") == "Low"
    made = distances.draw("distances", [Level("Low", np.array([0.5]), np.array([0.5]))])
    assert legend(made.axes[0]) == ["1 negative", "1 positive", "overlap 1.00, AUC 0.500"]


def test_the_legend_stands_over_the_bars() -> None:
    made = distances.draw("distances", [normal(1)] * 5)
    made.draw_without_rendering()
    for axes in made.axes[:5]:
        found = axes.get_legend()
        assert found is not None
        highest = axes.transData.transform((0, axes.dataLim.y1))[1]
        assert found.get_window_extent().y0 >= highest
    assert not made.axes[5].axison


def test_without_levels_there_is_an_empty_figure() -> None:
    assert not distances.draw("distances", []).axes[0].axison


def test_equal_distances_give_equal_bytes(tmp_path: Path) -> None:
    first, second = (style.save(distances.draw("x", [normal(1)]), tmp_path / name) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
