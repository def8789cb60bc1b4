"""Cameras measured in the dark: the published lines, and what they come to where full scale is 1."""

import math

import numpy as np
import pytest
from scipy import stats

from synthesis.night import profiles

NONE = (np.zeros(1), np.zeros(1))


@pytest.mark.parametrize("shape", [-0.3, -0.1, 0.0, 0.14, 0.5])
def test_the_variance_of_tukeys_law(shape: float) -> None:
    assert profiles.tukey_variance(shape) == pytest.approx(stats.tukeylambda.var(shape), rel=1e-6)


def test_sony_at_gain_1_amplified_100_times() -> None:
    found = profiles.noise(profiles.CAMERAS["sony_a7s2"], None, np.ones(1), np.full(1, 100.0), NONE)
    unit = 100 / 15583
    assert found.shot[0] == pytest.approx(unit)
    assert found.read[0] == pytest.approx((math.exp(1.218) ** 2 + 1 / 12) * unit**2)
    assert found.row[0] * math.sqrt(found.read[0]) == pytest.approx(math.exp(-0.592) * unit)


@pytest.mark.parametrize("name", sorted(profiles.CAMERAS))
def test_lines_are_noisier_than_nothing_and_quieter_than_pixels(name: str) -> None:
    for shape in (None, -0.1):
        found = profiles.noise(profiles.CAMERAS[name], shape, np.ones(1), np.full(1, 200.0), NONE)
        assert 0.05 < found.row[0] < 0.2  # at gain 1, as published for the normal law


def test_noise_grows_with_gain_by_the_slope_and_with_the_ratio_in_proportion() -> None:
    camera, gain = profiles.CAMERAS["canon_5d4"], np.array([2.0, 20.0])
    low = profiles.noise(camera, -0.1, gain, np.full(2, 100.0), (np.zeros(2), np.zeros(2)))
    high = profiles.noise(camera, -0.1, gain, np.full(2, 300.0), (np.zeros(2), np.zeros(2)))
    np.testing.assert_allclose(high.read / low.read, 9)
    np.testing.assert_allclose(high.shot / low.shot, 3)
    np.testing.assert_allclose(high.row, low.row)
    rounding = (100 / 15583) ** 2 / 12
    slope = np.diff(np.log(low.read - rounding))[0] / 2 / math.log(10)
    assert slope == pytest.approx(0.656)
