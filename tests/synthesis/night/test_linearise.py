"""Linear light: the curve of the code alone, undone, plane by plane."""

import numpy as np
import pytest
from numpy.typing import NDArray

from synthesis.night.block import Block
from synthesis.night.stages import linearise


def tone(light: float) -> float:
    """Apply the curve that is to be undone, found without its inverse: by bisection on codes in the test below."""
    code = 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    return float(code)


def full_inverse(value: float) -> float:
    """Undo 3z^2 - 2z^3 by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 3 * middle**2 - 2 * middle**3 < value else (low, middle)
    return low


@pytest.mark.parametrize("code", [0, 1, 37, 128, 200, 254, 255])
def test_shown_again_the_light_is_half_way_to_the_full_inversion(code: int) -> None:
    value = code / 255
    expected = (value + full_inverse(value)) / 2
    assert tone(float(linearise.TABLE[code])) == pytest.approx(expected, abs=1e-6)


def test_black_is_none_white_is_full_scale_and_brighter_codes_are_more_light() -> None:
    assert linearise.TABLE[0] == pytest.approx(0, abs=1e-15)
    assert linearise.TABLE[255] == pytest.approx(1)
    assert (np.diff(linearise.TABLE) > 0).all()


def linear(pictures: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    block = Block(pictures)
    linearise.apply(block, {})
    assert block.light is not None
    return block.light


def test_planes_hold_what_pixels_held() -> None:
    picture = np.array(
        [[[10, 20, 30], [40, 50, 60]], [[70, 80, 90], [100, 110, 120]], [[1, 2, 3], [4, 5, 6]]], np.uint8
    )
    light = linear([picture])
    assert light.shape == (1, 3, 3, 2)
    for y in range(3):
        for x in range(2):
            assert light[0, :, y, x].tolist() == linearise.TABLE[picture[y, x]].tolist()


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (256, 128), (301, 77)])
def test_any_size_and_any_company_give_the_same_light(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    pictures = [rng.integers(0, 256, (*shape, 3), np.uint8) for _ in range(3)]
    together = linear(pictures)
    for place, picture in enumerate(pictures):
        np.testing.assert_array_equal(together[place], linear([picture])[0])
        np.testing.assert_array_equal(together[place], linearise.TABLE[picture].transpose(2, 0, 1))
