"""Colours of lamps: near a black body's, and what the published formula says."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from synthesis.night import kelvin

TO_SRGB = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])


def black_body(temperature: float) -> NDArray[np.float64]:
    """Planck's law through analytic fits of the 1931 observer (Wyman, Sloan, Shirley, JCGT 2013), in linear sRGB."""
    nanometres = np.arange(380.0, 781.0, 5)
    metres = nanometres * 1e-9
    radiance = metres**-5 / np.expm1(0.014387769 / (metres * temperature))

    def bell(middle: float, left: float, right: float) -> NDArray[np.float64]:
        slope = np.where(nanometres < middle, left, right)
        return np.exp(-0.5 * ((nanometres - middle) * slope) ** 2)

    x = 0.362 * bell(442, 0.0624, 0.0374) + 1.056 * bell(599.8, 0.0264, 0.0323) - 0.065 * bell(501.1, 0.0490, 0.0382)
    y = 0.821 * bell(568.8, 0.0213, 0.0247) + 0.286 * bell(530.9, 0.0613, 0.0322)
    z = 1.217 * bell(437, 0.0845, 0.0278) + 0.681 * bell(459, 0.0385, 0.0725)
    rgb = np.maximum(TO_SRGB @ [float((radiance * curve).sum()) for curve in (x, y, z)], 0)
    return np.asarray(rgb / rgb.max())


@pytest.mark.parametrize("temperature", [2000, 2300, 2700, 3200, 4000, 5000, 6000, 6500])
def test_colours_are_near_those_of_a_black_body(temperature: int) -> None:
    """The fit was made to displayed codes: it is within a few hundredths of those, and its gamma is not sRGB's."""
    shown = kelvin.formula(temperature) ** (1 / 2.2)
    assert np.abs(shown - black_body(temperature) ** (1 / 2.2)).max() < 0.09


def literal(temperature: float) -> list[float]:
    """The published formula for temperatures up to 6600 K, one number at a time."""
    t = temperature / 100
    green = 0.39008 * math.log(t) - 0.63184
    blue = 0.0 if t <= 19 else 0.54321 * math.log(t - 10) - 1.19625
    codes = [min(max(code, 0.02), 1.0) for code in (1.0, green, blue)]
    return [code**2.2 for code in codes]


@pytest.mark.parametrize("temperature", [1800, 1900, 1910, 2200, 3000, 4500, 6490])
def test_the_table_holds_the_formula(temperature: int) -> None:
    found = kelvin.colour(np.array([temperature]))[0]
    np.testing.assert_allclose(found, literal(temperature), rtol=1e-6)


def test_values_worked_out_by_hand() -> None:
    """At 2000 K: green .39008 ln 20 - .63184 = .53674, blue .54321 ln 10 - 1.19625 = .05454; then the power 2.2."""
    np.testing.assert_allclose(kelvin.formula(2000), [1, 0.53674**2.2, 0.05454**2.2], rtol=2e-4)


def test_hotter_lamps_are_bluer_and_no_channel_jumps() -> None:
    table = kelvin.TABLE
    assert table.shape == (471, 3)
    assert (table[:, 0] == 1).all()
    assert (np.diff(table[:, 1:], axis=0) >= 0).all()
    assert np.abs(np.diff(table, axis=0)).max() < 0.01


def test_above_the_table_red_falls_and_the_brightest_channel_is_one() -> None:
    cold = kelvin.formula(np.array([6700.0, 9000.0]))
    assert cold.max(axis=-1).tolist() == [1.0, 1.0]
    assert cold[1, 0] < cold[0, 0] <= 1


def test_the_nearest_entry_is_taken_and_temperatures_outside_take_the_ends() -> None:
    asked = np.array([100, 1804.9, 1805, 1815.1, 6500, 20_000], np.float32)
    np.testing.assert_array_equal(kelvin.colour(asked), kelvin.TABLE[[0, 0, 1, 2, 470, 470]])
