"""Glare: where the label says the lamp is, as bright as the formula says, and only where it is drawn."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark import config, images
from benchmark.errors import UserError
from synthesis.night import kelvin
from synthesis.night.block import Block
from synthesis.night.columns import Columns
from synthesis.night.stages import glare
from synthesis.night.stages.glare import Config
from tests.synthesis.night.facts import facts

Planned = dict[str, NDArray[Any]]


def planned(count: int, config: Config, **before: NDArray[Any]) -> Planned:
    columns = glare.plan(Columns("glare", config, facts(count), 5, planned=before))
    return {
        name: values if values.dtype.kind in "ib" else values.astype(np.float32) for name, values in columns.items()
    }


def one(**columns: float) -> Planned:
    base = {"glare": 0.5, "glare_x": 0.5, "glare_y": 0.5, "glare_angle": 20.0, "glare_star": 0.0, "glare_width": 0.01}
    made = {name: np.array([value], np.float32) for name, value in (base | {"glare_disc": 0.02} | columns).items()}
    return made | {"glare_blades": np.array([columns.get("glare_blades", 3)], np.int8)}


def moved(plan: Planned, by: NDArray[Any]) -> Planned:
    return {name: values for name, values in plan.items() if name != "glare_pair"} | {"glare_x": plan["glare_x"] + by}


def added(plan: Planned, height: int = 64, width: int = 32, row: int = 0) -> NDArray[np.float32]:
    """Give what glare adds to a black picture."""
    block = Block([np.zeros((height, width, 3), np.uint8)], np.zeros((1, 3, height, width), np.float32))
    glare.apply(block, {name: values[row : row + 1] for name, values in plan.items()})
    assert block.light is not None
    return np.asarray(block.light[0])


def twin(plan: Planned, row: int, height: int, width: int) -> NDArray[np.float64]:
    """Work out glare pixel by pixel, in Python's own numbers."""
    value = {name: float(values[row]) for name, values in plan.items()}
    colour = kelvin.colour(plan["lamp1_kelvin"])[row] if "lamp1_kelvin" in plan else np.ones(3)
    glow = np.zeros((height, width))
    blades = int(value["glare_blades"])
    for y in range(height):
        for x in range(width):
            dx = (x + 0.5) / width - value["glare_x"]
            dy = ((y + 0.5) / height - value["glare_y"]) * height / width
            squared = dx * dx + dy * dy
            star = 0.0
            for blade in range(blades):
                angle = math.radians(value["glare_angle"] + 180 * blade / blades)
                across = (dx * math.sin(angle) - dy * math.cos(angle)) / value["glare_width"]
                star += 1 / (1 + across * across)
            halo = 0.05 / (squared + 0.02) * (1 + value["glare_star"] * star)
            size = value["glare_disc"] ** 2 + (0.5 / width) ** 2
            disc = 2 * value["glare_disc"] ** 2 / size / (1 + (squared / size) ** 2)
            glow[y, x] = value["glare"] * (halo + 0.02) + disc
    return np.asarray(colour[:, None, None] * glow if value["glare"] else np.zeros((3, height, width)))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (64, 32), (20, 50)])
def test_every_pixel_is_what_the_formula_says(height: int, width: int) -> None:
    lamp = np.linspace(1900, 6000, 12, dtype=np.float32)
    plan = planned(12, Config(share=0.8)) | {"lamp1_kelvin": lamp}
    for row in range(12):
        np.testing.assert_allclose(
            added(plan, height, width, row), twin(plan, row, height, width), rtol=3e-4, atol=1e-6
        )


def test_a_second_lamp_adds_what_it_would_alone() -> None:
    plan = planned(12, Config(share=1.0, pair=0.7), lamp1_sort=np.full(12, 2))
    assert 0 < (plan["glare_pair"] > 0).sum() < 12
    nowhere = np.zeros(12, np.float32)
    for row in range(12):
        both = added(moved(plan, nowhere), row=row)
        if plan["glare_pair"][row]:
            both = both + added(moved(plan, plan["glare_pair"]), row=row)
        np.testing.assert_allclose(added(plan, row=row), both, rtol=1e-5, atol=1e-6)


@given(x=st.floats(0.05, 0.95), y=st.floats(0.05, 0.95))
@settings(deadline=None, max_examples=30)
def test_the_brightest_spot_is_where_the_label_says(x: float, y: float) -> None:
    glow = added(one(glare_x=x, glare_y=y, glare_disc=0.001))[1]
    row, column = np.unravel_index(int(glow.argmax()), glow.shape)
    assert abs((column + 0.5) / 32 - x) <= 0.5 / 32 + 1e-6
    assert abs((row + 0.5) / 64 - y) <= 0.5 / 64 + 1e-6


def test_far_away_the_veil_is_left() -> None:
    """Four picture widths away: .5 (.05 / (16 + .02) + .02)."""
    far = added(one(glare_x=-3.5, glare_y=0.5), 3, 3)[:, 1, 1]
    np.testing.assert_allclose(far, 0.5 * (0.05 / (4.0**2 + 0.02) + 0.02), rtol=1e-5)


def test_the_lamp_itself_is_at_full_scale_up_to_its_radius_whatever_the_strength() -> None:
    weak = added(one(glare=0.001, glare_disc=0.1), 200, 200)
    assert weak[:, 99, 99 + 19].min() >= 1 > weak[:, 99, 99 + 22].max()
    assert weak[:, 0, 0].max() < 0.01


@pytest.mark.parametrize("width", [12, 24, 48, 96])
@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5])
def test_a_small_lamp_keeps_its_light_and_has_no_hard_edge(width: int, shift: float) -> None:
    """The sum over all pixels is 2 pi r^2 times the integral of t / (1 + t^4), a quarter of pi."""
    disc = 0.02
    light = added(one(glare=1e-9, glare_disc=disc, glare_x=0.5 + shift / width), width, width)[0]
    assert light.sum() / width**2 == pytest.approx(np.pi**2 * disc**2, rel=0.2)
    row = light[width // 2]
    assert row[int(row.argmax()) + 1] > 0.05 * row.max()


def test_a_star_has_two_rays_a_blade() -> None:
    """Around a circle a quarter of a picture wide, each streak is crossed twice."""
    glow = added(one(glare_star=1.0, glare_blades=3, glare_width=0.004), 201, 201)[0]
    turn = np.radians(np.arange(0, 360, 0.5))
    ring = glow[np.rint(100 - 50 * np.sin(turn)).astype(int), np.rint(100 + 50 * np.cos(turn)).astype(int)]
    high = ring > (ring.min() + ring.max()) / 2
    assert int((high & ~np.roll(high, 1)).sum()) == 6


def test_pictures_without_glare_keep_their_very_light() -> None:
    rng = np.random.default_rng(1)
    light = rng.random((3, 3, 8, 4), np.float32)
    block = Block([np.zeros((8, 4, 3), np.uint8)] * 3, light.copy())
    plan = {name: np.repeat(values, 3) for name, values in one().items()}
    plan["glare"] = np.array([0, 0.5, 0], np.float32)
    glare.apply(block, plan)
    assert block.light is not None
    np.testing.assert_array_equal(block.light[[0, 2]], light[[0, 2]])
    alone = Block(block.pictures[:1], light[1:2].copy())
    glare.apply(alone, one())
    assert alone.light is not None
    np.testing.assert_array_equal(block.light[1], alone.light[0])


def test_a_night_without_lamps_has_white_glare() -> None:
    red, green, blue = added(one())
    np.testing.assert_array_equal(red, green)
    np.testing.assert_array_equal(red, blue)


def test_draws_follow_the_settings() -> None:
    plan = planned(20_000, Config())
    on = plan["glare"] > 0
    assert on.mean() == pytest.approx(0.15, abs=0.008)
    assert 0.1 <= plan["glare"][on].min() < 0.11 < 0.59 < plan["glare"][on].max() <= 0.6
    assert 0 <= plan["glare_y"].min() < 0.01 < 0.19 < plan["glare_y"].max() <= 0.2
    between = (plan["glare_x"] > 0.3) & (plan["glare_x"] < 0.7)
    assert between.mean() == pytest.approx(0.1 * 0.4, abs=0.01)  # a tenth is anywhere
    assert not plan["glare_pair"].any()
    np.testing.assert_allclose(np.bincount(plan["glare_blades"])[2:] / 20_000, 1 / 3, atol=0.015)


def test_headlights_are_low_beside_the_person_and_mostly_two() -> None:
    plan = planned(20_000, Config(), lamp1_sort=np.full(20_000, 2))
    right = plan["glare_x"] + plan["glare_pair"]
    assert ((right <= 0.3 + 1e-6) | (plan["glare_x"] >= 0.7 - 1e-6)).all()
    assert (plan["glare_x"].min() >= 0, right.max() <= 1 + 1e-6) == (True, True)
    assert 0.5 <= plan["glare_y"].min() < plan["glare_y"].max() <= 0.95
    pairs = plan["glare_pair"][plan["glare_pair"] > 0]
    assert len(pairs) / 20_000 == pytest.approx(0.75, abs=0.01)
    assert 0.08 <= pairs.min() < pairs.max() <= 0.22 + 1e-6


@given(side=st.sampled_from([-1.0, 1.0]), sort=st.integers(0, 3))
@settings(deadline=None, max_examples=8)
def test_the_lamp_is_on_the_side_its_light_comes_from(side: float, sort: int) -> None:
    plan = planned(200, Config(beside=1.0), lamp1_x=np.full(200, side * 3), lamp1_sort=np.full(200, sort))
    middle = plan["glare_x"] + plan["glare_pair"] / 2
    assert (np.sign(middle - 0.5) == side).all()


def test_a_darker_exposure_takes_in_less_stray_light() -> None:
    """A stop less is half the light; a lightness of 16 instead of 64 is by sRGB's curve a ninth of it."""
    usual = planned(50, Config(share=1.0))["glare"]
    stops = planned(50, Config(share=1.0), anchor=np.full(50, 64.0), stops=np.full(50, -1.0))["glare"]
    np.testing.assert_allclose(stops, usual / 2, rtol=1e-6)
    darker = planned(50, Config(share=1.0), anchor=np.full(50, 16.0))["glare"]
    ratio = images.to_linear(np.array(16 / 255)) / images.to_linear(np.array(64 / 255))
    np.testing.assert_allclose(darker, usual * ratio, rtol=1e-6)
    assert 1 / 11 < ratio < 1 / 8


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"share": 1.5}, "share = 1.5"),
        ({"strength": [0.6, 0.1]}, "from 0.6 to 0.1"),
        ({"disc": [0.0, 0.1]}, "disc"),
        ({"blades": []}, "blades"),
        ({"blades": [2, 0]}, "blades.1 = 0"),
    ],
)
def test_bad_settings_are_one_line(table: dict[str, object], complaint: str) -> None:
    with pytest.raises(UserError) as caught:
        config.check(Config, table, "night.toml")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
