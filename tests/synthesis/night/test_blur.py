"""Blur: lines and discs that keep the light, lie where they should, and change with the picture's size."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from benchmark.errors import UserError
from synthesis.night.stages import blur
from tests.synthesis.night.facts import facts
from tests.synthesis.night.planned import columns, lit, plan, rows

Kernel = NDArray[np.float32]


def moments(kernel: Kernel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give a kernel's middle, and its second moments about it, down and across."""
    places = np.stack(np.meshgrid(*(np.arange(side) - side // 2 for side in kernel.shape), indexing="ij"))
    middle = (places * kernel).sum(axis=(1, 2))
    return middle, np.einsum("ahw,bhw,hw->ab", places, places, kernel.astype(float))


@given(length=st.floats(0, 30), angle=st.floats(-180, 180))
@settings(max_examples=200, deadline=None)
def test_a_line_keeps_light_and_middle_and_points_where_it_should(length: float, angle: float) -> None:
    kernel = blur.line(length, angle)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert (kernel >= 0).all()
    assert all(side % 2 for side in kernel.shape)
    middle, spread = moments(kernel)
    np.testing.assert_allclose(middle, 0, atol=1e-5)
    if length > 4:
        way = np.array([math.sin(math.radians(angle)), math.cos(math.radians(angle))])
        along = way @ spread @ way
        assert along == pytest.approx(length**2 / 12, abs=0.4 + 0.1 * length)
        assert np.trace(spread) - along < 0.35  # as thin as a line between pixels can be


@pytest.mark.parametrize(
    ("length", "angle", "wanted"),
    [
        (0, 10, [[1]]),
        (1, 90, [[1]]),
        (3, 0, [[1 / 3] * 3]),
        (3, 90, [[1 / 3]] * 3),
        (2, 0, [[0.25, 0.5, 0.25]]),
        (3 * math.sqrt(2), 45, np.eye(3) / 3),
        (3 * math.sqrt(2), -45, np.eye(3)[::-1] / 3),
    ],
)
def test_lines_that_can_be_written_down(length: float, angle: float, wanted: ArrayLike) -> None:
    np.testing.assert_allclose(blur.line(length, angle), np.asarray(wanted, float), atol=1e-6)


@given(radius=st.floats(0, 12))
@settings(deadline=None)
def test_a_disc_is_round_and_as_wide_as_it_should_be(radius: float) -> None:
    kernel = blur.disc(radius)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-7)
    np.testing.assert_allclose(kernel, kernel[::-1], atol=1e-7)
    _, spread = moments(kernel)
    # A disc has r^2 / 4 an axis, and straight ramps between pixels add up to 1 / 6 at most 1 / 4.
    assert -0.02 <= spread[0, 0] - radius**2 / 4 <= 0.25 + 0.02


def test_a_disc_of_no_radius_changes_nothing_and_a_larger_one_changes_more() -> None:
    assert blur.disc(0.0).tolist() == [[1]]
    assert blur.kernels(1.0, 5.0, 0.0) == ()
    middles = [blur.disc(radius).max() for radius in (0.125, 0.5, 1, 1.5, 3)]
    assert middles == sorted(middles, reverse=True)
    wide = blur.disc(6.0)
    np.testing.assert_allclose(wide[4:9, 4:9], 1 / (math.pi * 36), rtol=0.02)


def convolved(plane: NDArray[np.float32], kernel: Kernel) -> NDArray[np.float64]:
    """Convolve pixel by pixel; beyond the edge the last pixel goes on."""
    down, across = (side // 2 for side in kernel.shape)
    wide = np.pad(plane.astype(float), ((down, down), (across, across)), "edge")
    made = np.empty(plane.shape)
    for y, x in np.ndindex(plane.shape):
        window = wide[y : y + kernel.shape[0], x : x + kernel.shape[1]]
        made[y, x] = (window * kernel[::-1, ::-1]).sum()
    return made


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (40, 21)])
def test_pictures_are_convolved_first_along_the_line_and_then_with_the_disc(shape: tuple[int, int]) -> None:
    planned = plan(blur, facts(4, height=256.0), defocused=1.0)
    planned["blur"][:], planned["defocus"][:] = (7, 5, 0, 1), (1.5, 0, 0, 0.5)
    light = np.random.default_rng(0).random((4, 3, *shape)).astype(np.float32)
    made = lit(blur, light, planned)
    np.testing.assert_array_equal(made[2], light[2])
    for row in range(4):
        length, angle, radius = (float(planned[name][row]) for name in ("blur", "blur_angle", "defocus"))
        for channel in range(3):
            wanted = convolved(light[row, channel], blur.line(length, angle))
            wanted = convolved(wanted.astype(np.float32), blur.disc(radius))
            np.testing.assert_allclose(made[row, channel], wanted, atol=1e-5)


@given(seed=st.integers(0, 1000), height=st.integers(60, 90), width=st.integers(60, 90))
@settings(max_examples=20, deadline=None)
def test_light_away_from_the_edges_is_kept_and_none_is_negative(seed: int, height: int, width: int) -> None:
    planned = plan(blur, facts(2, height=256.0), seed, defocused=1.0, lengths=[7.0])
    light = np.zeros((2, 3, height, width), np.float32)
    light[:, :, 25:35, 25:35] = np.random.default_rng(seed).random((2, 3, 10, 10)) * 50
    made = lit(blur, light, planned)
    np.testing.assert_allclose(made.sum(axis=(2, 3)), light.sum(axis=(2, 3)), rtol=1e-4)
    assert made.min() >= 0
    even = lit(blur, np.full_like(light, 0.37), planned)
    np.testing.assert_allclose(even, 0.37, rtol=1e-5)  # and edges neither darken nor brighten


def test_no_picture_depends_on_its_company() -> None:
    planned = plan(blur, facts(6, height=256.0), 2, defocused=0.5)
    light = np.random.default_rng(1).random((6, 3, 64, 48)).astype(np.float32)
    together = lit(blur, light, planned)
    for place in range(6):
        np.testing.assert_array_equal(lit(blur, light[[place]], rows(planned, place))[0], together[place])


def test_a_large_picture_is_blurred_in_proportion() -> None:
    planned = plan(blur, facts(1, height=3000.0), lengths=[7.0], defocused=0.0)
    assert planned["blur"][0] == pytest.approx(7 * 3000 / 256, abs=0.125)
    light = np.zeros((1, 3, 400, 300), np.float32)
    light[:, :, 200, 150] = 1
    made = lit(blur, light, planned)[0, 0]
    assert made.sum() == pytest.approx(1, abs=1e-4)
    assert made.max() < 0.02
    assert made.min() > -1e-6  # what a large kernel's transform leaves


def test_lengths_come_at_their_odds_and_all_is_rounded_to_steps_that_share_kernels() -> None:
    planned = plan(blur, facts(20_000, height=256.0))
    lengths, counts = np.unique(planned["blur"], return_counts=True)
    assert lengths.tolist() == [0, 3, 5, 7]
    np.testing.assert_allclose(counts / 20_000, [0.4, 0.2, 0.2, 0.2], atol=0.012)
    assert abs(planned["blur_angle"]).max() == 25
    assert (planned["blur_angle"] % 1 == 0).all()
    assert (planned["defocus"] > 0).mean() == pytest.approx(0.3, abs=0.01)
    assert planned["defocus"][planned["defocus"] > 0].min() == 0.5
    assert planned["defocus"].max() == 1.5
    small = plan(blur, facts(2000, height=64.0))
    assert set(np.unique(small["blur"])) == {0, 1.25, 1.75}  # .75 lies within a pixel
    assert set(np.unique(small["defocus"])) == {0, 0.125, 0.25, 0.375}
    unequal = plan(blur, facts(20_000, height=256.0), lengths=[0.0, 9.0], odds=[1.0, 3.0])
    assert (unequal["blur"] == 9).mean() == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"lengths": [-1.0]}, "lengths"),
        ({"lengths": []}, "lengths"),
        ({"odds": [1.0, 2.0]}, "odds has 2 numbers for 5 lengths"),
        ({"lengths": [1.0], "odds": [0.0]}, "all are 0"),
        ({"defocus": [1.5, 0.5]}, "defocus"),
        ({"defocused": 1.5}, "defocused"),
    ],
)
def test_settings_that_make_no_sense_are_one_line(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        columns(blur, facts(1), **options)
