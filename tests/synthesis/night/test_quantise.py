"""Codes: 8 bits of the root, or 12 bits of the light, clipped and rounded."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from synthesis.night.stages import quantise
from tests.synthesis.night.facts import facts
from tests.synthesis.night.planned import applied, plan

LIGHT = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.just(3), st.integers(1, 20), st.integers(1, 20)),
    elements=st.floats(-2, 3, width=32),
)


@pytest.mark.parametrize("exact", [False, True])
@given(light=LIGHT)
@settings(max_examples=60, deadline=None)
def test_every_code_is_the_nearest_one(exact: bool, light: NDArray[np.float32]) -> None:
    codes = applied(quantise, light, plan(quantise, facts(len(light)), exact=exact)).codes
    assert codes is not None
    assert codes.shape == light.shape
    assert codes.dtype == (np.uint16 if exact else np.uint8)
    for code, value in zip(codes.ravel().tolist(), light.ravel().tolist(), strict=True):
        clipped = min(max(value, 0.0), 1.0)
        wanted = 4095 * clipped if exact else 255 * math.sqrt(clipped)
        assert abs(code - wanted) <= 0.5 + 1e-3


@pytest.mark.parametrize(
    ("exact", "wanted"), [(False, [0, 0, 255, 255, 128, 0, 1]), (True, [0, 0, 4095, 4095, 1032, 0, 0])]
)
def test_codes_written_down(exact: bool, wanted: list[int]) -> None:
    values = [-1, 0, 1, 7, (128 / 255) ** 2, (0.49 / 255) ** 2, (0.51 / 255) ** 2]
    light = np.broadcast_to(np.array(values, np.float32), (1, 3, 2, 7))
    codes = applied(quantise, light, plan(quantise, facts(1), exact=exact)).codes
    assert codes is not None
    assert codes[0, 1, 1].tolist() == wanted


def test_every_code_of_the_root_comes_back_from_its_own_light() -> None:
    light = np.broadcast_to(((np.arange(256) / 255) ** 2).astype(np.float32), (2, 3, 1, 256))
    codes = applied(quantise, light, plan(quantise, facts(2))).codes
    assert codes is not None
    assert (codes == np.arange(256)).all()
