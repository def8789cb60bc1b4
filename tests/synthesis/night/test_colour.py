"""Colour: the 3 x 3 that is written down, and what lamps do to it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark.errors import UserError
from synthesis.night.stages import colour
from tests.synthesis.night.facts import facts
from tests.synthesis.night.planned import columns, lit, plan, rows


def three(red: float, blue: float, saturation: float) -> dict[str, NDArray[Any]]:
    numbers = {"red": red, "blue": blue, "saturation": saturation}
    return {name: np.array([value], np.float32) for name, value in numbers.items()}


def mixed(pixel: list[float], red: float, blue: float, kept: float) -> list[float]:
    """Balance a pixel and take its colour away, as one would say it."""
    balanced = [pixel[0] * red, pixel[1], pixel[2] * blue]
    luma = 0.299 * balanced[0] + 0.587 * balanced[1] + 0.114 * balanced[2]
    return [kept * value + (1 - kept) * luma for value in balanced]


@given(st.tuples(st.floats(0.5, 2), st.floats(0.5, 2), st.floats(0, 1)), st.integers(1, 20), st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_pixels_are_balanced_and_then_lose_colour(drawn: tuple[float, float, float], height: int, width: int) -> None:
    light = np.random.default_rng(height).uniform(-0.1, 3, (1, 3, height, width)).astype(np.float32)
    made = lit(colour, light, three(*drawn))[0]
    for y, x in np.ndindex(height, width):
        np.testing.assert_allclose(made[:, y, x], mixed(light[0, :, y, x].tolist(), *drawn), rtol=1e-4, atol=1e-5)


def test_a_matrix_written_out() -> None:
    wanted = [[0.6495 * 2, 0.2935, 0.057 * 0.5], [0.1495 * 2, 0.7935, 0.057 * 0.5], [0.1495 * 2, 0.2935, 0.557 * 0.5]]
    np.testing.assert_allclose(colour.matrix(three(2, 0.5, 0.5), 1), [wanted], rtol=1e-6)


def test_without_the_stage_nothing_changes() -> None:
    np.testing.assert_array_equal(colour.matrix({}, 3), np.broadcast_to(np.eye(3), (3, 3, 3)))
    light = np.random.default_rng(0).random((1, 3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(lit(colour, light, three(1, 1, 1)), light)


def test_no_picture_depends_on_its_company() -> None:
    planned = plan(colour, facts(5), 2)
    light = np.random.default_rng(1).random((5, 3, 33, 21)).astype(np.float32)
    together = lit(colour, light, planned)
    for place in range(5):
        np.testing.assert_array_equal(lit(colour, light[[place]], rows(planned, place))[0], together[place])


def lamps(count: int, *kinds: int, z: float = 1.0) -> dict[str, NDArray[Any]]:
    """Hang lamps of some kinds before the middle of every picture, each as bright as the first."""
    planned: dict[str, NDArray[Any]] = {}
    for number in (1, 2, 3):
        there = number <= len(kinds)
        facts_of = {"x": 0.0, "y": 0.0, "z": z if number == 1 else 1.0, "intensity": float(there)}
        planned |= {f"lamp{number}_{name}": np.full(count, value, np.float32) for name, value in facts_of.items()}
        planned[f"lamp{number}_kind"] = np.full(count, kinds[number - 1] if there else 0, np.int8)
    return planned


def test_sodium_takes_colour_away_and_cool_lamps_are_green() -> None:
    known = facts(3000)
    none, warm, sodium, cool = (
        plan(colour, known, planned=planned, consistent=False)
        for planned in (None, lamps(3000, 1), lamps(3000, 0), lamps(3000, 2))
    )
    for name in none:
        np.testing.assert_array_equal(none[name], warm[name])
    left = sodium["saturation"] / none["saturation"]
    assert (left.min(), left.max()) == pytest.approx((0.3, 0.7), abs=0.01)
    np.testing.assert_array_equal(sodium["red"], none["red"])
    for name in ("red", "blue"):
        kept = cool[name] / none[name]
        assert (kept.min(), kept.max()) == pytest.approx((0.88, 1), abs=0.01)
    np.testing.assert_array_equal(cool["saturation"], none["saturation"])
    after, before = (lit(colour, np.ones((3000, 3, 1, 1), np.float32), planned)[:, :, 0, 0] for planned in (cool, none))
    assert (after[:, 1] / after.sum(axis=1) > before[:, 1] / before.sum(axis=1)).mean() > 0.98


def test_lamps_count_by_the_light_they_give() -> None:
    known = facts(500)
    alone, with_warm, far, off = (
        plan(colour, known, planned=planned, consistent=False)["saturation"]
        for planned in (lamps(500, 0), lamps(500, 0, 1), lamps(500, 0, 1, z=3.0), lamps(500))
    )
    none = plan(colour, known, consistent=False)["saturation"]
    np.testing.assert_allclose(1 - with_warm / none, (1 - alone / none) / 2, atol=1e-5)
    np.testing.assert_allclose(1 - far / none, (1 - alone / none) / 10, atol=1e-5)  # 1/9 beside 1
    np.testing.assert_array_equal(off, none)


def test_a_camera_keeps_its_colours_unless_it_is_told_not_to() -> None:
    known = facts(60, camid=np.arange(60) % 3 + 1, timestamp=0.0)
    together, apart = plan(colour, known), plan(colour, known, consistent=False)
    for name in ("red", "blue", "saturation"):
        assert len(np.unique(together[name])) == 3
        assert len(np.unique(apart[name])) > 55


def test_draws_stay_in_their_ranges() -> None:
    planned = plan(colour, facts(20_000))
    for name, low, high in (("red", 0.75, 1.15), ("blue", 0.7, 1.2), ("saturation", 0.45, 0.95)):
        assert (planned[name].min(), planned[name].max()) == pytest.approx((low, high), abs=1e-3)
        assert planned[name].mean() == pytest.approx((low + high) / 2, abs=0.005)
    assert abs(np.corrcoef(planned["red"], planned["blue"])[0, 1]) < 0.03


@pytest.mark.parametrize(
    ("options", "complaint"),
    [({"red": [1.2, 1.0]}, "red"), ({"blue": [0.0, 1.0]}, "blue"), ({"saturation": [0.5, 1.5]}, "saturation")],
)
def test_settings_that_make_no_sense_are_one_line(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        columns(colour, facts(1), **options)
