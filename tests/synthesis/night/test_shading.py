"""Day shading: what is even stays even, slow changes weaken by the power asked for, colours stay."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import config
from benchmark.errors import UserError
from synthesis.night.block import Block, Light
from synthesis.night.columns import Columns
from synthesis.night.stages import shading
from synthesis.night.stages.shading import Config
from tests.synthesis.night.facts import facts

LUMA = np.array([0.299, 0.587, 0.114])


def shaded(light: Light, alpha: list[float], sigma: float = 0.1, floor: float = 0.02) -> Light:
    count, _, height, width = light.shape
    block = Block([np.zeros((height, width, 3), np.uint8)] * count, light.copy())
    columns = {"shading": alpha, "shading_sigma": [sigma] * count, "shading_floor": [floor] * count}
    shading.apply(block, {name: np.array(values, np.float32) for name, values in columns.items()})
    assert block.light is not None
    return block.light


def even(colour: list[float], height: int = 40, width: int = 20) -> Light:
    return np.broadcast_to(np.array(colour, np.float32)[:, None, None], (1, 3, height, width)).copy()


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (40, 20), (200, 90), (5, 300)])
def test_an_even_picture_is_divided_by_a_power_of_its_luma(size: tuple[int, int]) -> None:
    light = even([0.4, 0.2, 0.1], *size)
    luma = 0.4 * 0.299 + 0.2 * 0.587 + 0.1 * 0.114
    np.testing.assert_allclose(shaded(light, [0.5]), light / luma**0.5, rtol=1e-4)


def test_what_is_darker_than_the_floor_counts_as_the_floor() -> None:
    light = even([0.001, 0.001, 0.001])
    np.testing.assert_allclose(shaded(light, [0.5], floor=0.04), light * 5, rtol=1e-5)


def test_slow_changes_weaken_by_the_power_asked_for() -> None:
    """Over a smooth rise of light, out = in^(1 - alpha): in logarithms, 40 % of the slope is left of alpha .6."""
    rise = np.exp(np.linspace(-2.5, 0, 160)).astype(np.float32)
    light = np.broadcast_to(rise[None, None, :, None], (1, 3, 160, 80)).copy()
    found = np.log(shaded(light, [0.6], sigma=0.02)[0, 1, :, 40])
    slope = np.polyfit(np.linspace(-2.5, 0, 160)[20:-20], found[20:-20], 1)[0]
    assert slope == pytest.approx(0.4, abs=0.01)


def test_fine_detail_stays() -> None:
    """A chequerboard of single pixels keeps its ratio: the blur sees only its mean."""
    board = np.indices((64, 64)).sum(axis=0) % 2
    light = np.where(board, 0.6, 0.2).astype(np.float32)[None, None].repeat(3, axis=1)
    found = shaded(light, [0.6])[0, 0, 8:-8, 8:-8]
    np.testing.assert_allclose(
        found[board[8:-8, 8:-8] == 1].mean() / found[board[8:-8, 8:-8] == 0].mean(), 3, rtol=1e-3
    )


def test_colours_stay_what_they_are() -> None:
    light = np.random.default_rng(2).random((1, 3, 50, 30), np.float32) + np.float32(0.05)
    found = shaded(light, [0.45])
    np.testing.assert_allclose(found[:, 0] / found[:, 1], light[:, 0] / light[:, 1], rtol=1e-5)


def test_a_picture_that_is_off_keeps_its_very_light_and_feels_no_block_mate() -> None:
    light = np.random.default_rng(2).random((3, 3, 30, 20), np.float32)
    found = shaded(light, [0.0, 0.5, 0.0])
    np.testing.assert_array_equal(found[[0, 2]], light[[0, 2]])
    np.testing.assert_array_equal(found[1], shaded(light[1:2], [0.5])[0])
    assert not np.array_equal(found[1], light[1])


def test_the_blur_is_a_gaussian_of_the_luma() -> None:
    """One bright pixel on a grid that is not reduced: the blur's width is sigma x height."""
    light = np.zeros((3, 61, 61), np.float32)
    light[1, 30, 30] = 1
    blurred = shading.blurred_luminance(light, 0.08)
    y, x = np.indices((61, 61)) - 30
    expected = np.exp(-(x**2 + y**2) / (2 * (0.08 * 61) ** 2))
    np.testing.assert_allclose(blurred, 0.587 * expected / expected.sum(), atol=2e-5)


def drawn(config: Config) -> dict[str, NDArray[Any]]:
    return dict(shading.plan(Columns("shading", config, facts(5000), 1)))


def test_it_is_off_unless_asked_for() -> None:
    assert (drawn(Config())["shading"] == 0).all()
    half = drawn(Config(share=0.5, alpha=(0.2, 0.4)))["shading"]
    assert (half > 0).mean() == pytest.approx(0.5, abs=0.03)
    assert 0.2 <= half[half > 0].min() < half.max() <= 0.4


@pytest.mark.parametrize(
    "table", [{"alpha": [0.5, 1.5]}, {"alpha": [0.6, 0.3]}, {"floor": [0.0, 0.1]}, {"share": -0.1}]
)
def test_bad_settings_are_one_line(table: dict[str, object]) -> None:
    with pytest.raises(UserError) as caught:
        config.check(Config, table, "night.toml")
    assert next(iter(table)) in str(caught.value)
    assert "\n" not in str(caught.value)
