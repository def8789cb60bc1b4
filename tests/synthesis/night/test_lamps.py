"""Lamps: the light of every cell by the book, laws of optics, and lamps that stay where a camera has them."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark import config
from benchmark.errors import UserError
from synthesis.night import kelvin
from synthesis.night.block import Block
from synthesis.night.columns import Columns, Facts
from synthesis.night.stages import lamps
from synthesis.night.stages.lamps import Config
from tests.synthesis.night.facts import facts

LUMA = (0.299, 0.587, 0.114)
Planned = dict[str, NDArray[Any]]


def planned(facts: Facts, config: Config, seed: int = 0) -> Planned:
    columns = lamps.plan(Columns("lamps", config, facts, seed))
    return {
        name: values if values.dtype.kind in "ib" else values.astype(np.float32) for name, values in columns.items()
    }


def one(**columns: float) -> Planned:
    """Plan one picture before a white lamp straight ahead, all else off; a test says what is otherwise."""
    lamp = {"x": 0.0, "y": 0.0, "z": 3.0, "kelvin": 6500.0, "intensity": 0.0, "above": 1.0}
    off = {f"lamp{k}_{what}": value for k in (1, 2, 3) for what, value in lamp.items()}
    off |= {"ambient": 0.0, "ambient_kelvin": 6500.0, "normal_weight": 0.0, "ground": 0.0, "ground_top": 0.8}
    off |= {"half_width": 1.0}
    return {name: np.array([value], np.float32) for name, value in (off | {"lamp1_intensity": 1.0} | columns).items()}


def twin(plan: Mapping[str, NDArray[Any]], row: int, rows: int, columns: int) -> NDArray[np.float64]:
    """Work out one picture's light cell by cell, in Python's own numbers, as the chain's formula is written."""
    value = {name: float(values[row]) for name, values in plan.items()}
    w, ground, top = value["normal_weight"], value["ground"], value["ground_top"]
    light = np.zeros((3, rows, columns))
    for r in range(rows):
        for c in range(columns):
            X, Y = 2 * (c + 0.5) / columns - 1, 4 * (r + 0.5) / rows - 2  # noqa: N806
            nx = min(max(1.4 * X, -0.95), 0.95)
            floor = ground * min(max((Y - top) / (2 - top), 0), 1)
            for k in (1, 2, 3):
                dx, dy = value[f"lamp{k}_x"] - value["half_width"] * X, value[f"lamp{k}_y"] - Y
                z, up = value[f"lamp{k}_z"], max(2 - value[f"lamp{k}_y"], 0)
                far = math.sqrt(dx * dx + dy * dy + z * z)
                towards = max((dx * nx + z * math.sqrt(1 - nx * nx)) / far, 0)
                beam = value[f"lamp{k}_above"]
                beam += (1 - beam) * min(max(0.5 - dy / 0.5, 0), 1)
                upright = beam * ((1 - w) * z / far + w * towards) / far**2
                below = math.sqrt(dx * dx + up * up + z * z)
                both = (1 - floor) * upright + floor * up / below**3
                light[:, r, c] += value[f"lamp{k}_intensity"] * both * kelvin.formula(_tens(value[f"lamp{k}_kelvin"]))
    light /= mean(light) or 1
    light += value["ambient"] * kelvin.formula(_tens(value["ambient_kelvin"]))[:, None, None]
    return light / mean(light)


def _tens(temperature: float) -> float:
    return min(max(math.floor(temperature / 10 + 0.5) * 10, 1800), 6500)


def mean(light: NDArray[Any]) -> float:
    return float(sum(weight * plane.mean(dtype=np.float64) for weight, plane in zip(LUMA, light, strict=True)))


def test_every_cell_is_what_the_formula_says() -> None:
    plan = planned(facts(40, camid=np.arange(40) % 7, width=20 + 11 * np.arange(40), height=128), Config())
    assert np.ptp(plan["half_width"]) > 4
    light = lamps.illumination(plan)
    assert light.dtype == np.float32
    for row in range(40):
        np.testing.assert_allclose(light[row], twin(plan, row, 32, 16), rtol=2e-5)


@pytest.mark.parametrize("grid", [(1, 1), (3, 5), (64, 40)])
def test_any_grid_can_be_asked_for(grid: tuple[int, int]) -> None:
    plan = planned(facts(3), Config())
    light = lamps.illumination(plan, *grid)
    for row in range(3):
        np.testing.assert_allclose(light[row], twin(plan, row, *grid), rtol=2e-5)


@settings(deadline=None, max_examples=40)
@given(
    x=st.floats(-20, 20),
    y=st.floats(-15, 2),
    z=st.floats(0.2, 60),
    temperature=st.floats(1500, 8000),
    ambient=st.floats(0, 3),
    w=st.floats(0, 1),
    ground=st.floats(0, 1),
)
def test_the_mean_luma_is_one_and_no_light_is_negative(
    x: float, y: float, z: float, temperature: float, ambient: float, w: float, ground: float
) -> None:
    where = {"lamp1_x": x, "lamp1_y": y, "lamp1_z": z, "lamp1_kelvin": temperature}
    light = lamps.illumination(one(**where, ambient=ambient, normal_weight=w, ground=ground))
    assert mean(light[0]) == pytest.approx(1, abs=1e-5)
    assert np.isfinite(light).all()
    assert (light >= 0).all()


def test_light_falls_with_the_square_of_the_distance() -> None:
    """Two rows straight before a lamp that is far: 1 and 2 units above the upper, so r^2 and the cosine are known."""
    light = lamps.illumination(one(lamp1_y=-3.0, lamp1_z=4.0), rows=2, columns=1)[0, 0, :, 0]
    near, far = 2**2 + 4**2, 4**2 + 4**2  # rows at y = -1 and 1
    # Cosine is z / r, so light goes with z / r^3.
    assert light[0] / light[1] == pytest.approx((far / near) ** 1.5, rel=1e-5)


def test_a_lamp_seen_sideways_lights_by_the_cosine() -> None:
    """At one distance, a wall that is turned away by 60 degrees has half the light of one that faces the lamp."""
    straight = one(lamp1_x=0.0, lamp1_z=5.0, lamp2_x=5 * math.sin(math.pi / 3), lamp2_z=2.5, lamp2_kelvin=1800.0)
    straight["lamp2_intensity"][:] = 1
    light = lamps.illumination(straight, rows=1, columns=1)[0, :, 0, 0]
    white, orange = kelvin.formula(6500), kelvin.formula(1800)
    np.testing.assert_allclose(light / light[0], (white + 0.5 * orange) / 1.5, rtol=2e-4)


def test_a_cylinder_is_brighter_on_the_lamps_side_than_a_wall() -> None:
    wall = lamps.illumination(one(lamp1_x=6.0, normal_weight=0.0))[0].mean(axis=(0, 1))
    person = lamps.illumination(one(lamp1_x=6.0, normal_weight=1.0))[0].mean(axis=(0, 1))
    assert person[0] == 0  # turned away
    assert person[-1] > 1.1 * wall[-1] > 1.1 * wall[0] > 0


def test_ground_under_a_high_lamp_is_a_pool_of_light() -> None:
    """The ground faces the lamp: its cosine is height / r, where a wall's is depth / r, here a third of it."""

    def foot(ground: float) -> float:
        light = lamps.illumination(one(lamp1_y=-7.0, lamp1_z=3.0, ground=ground), rows=80)[0, 0]
        return float((light[-1] / light[0]).mean())

    shown = 0.8 * (1.975 - 0.8) / 1.2  # of the ground, in the last row
    assert foot(0.8) / foot(0.0) == pytest.approx(1 - shown + shown * 3, rel=0.02)


@settings(deadline=None, max_examples=20)
@given(top=st.floats(-2, 1.9), ground=st.floats(0.1, 1))
def test_ground_is_lit_from_where_it_begins_and_more_of_it_further_down(top: float, ground: float) -> None:
    """Straight below a lamp ground has more light than a wall, so what it adds grows from there to the foot."""
    wall, both = (
        lamps.illumination(one(lamp1_y=-9.0, lamp1_z=1.0, ground=part, ground_top=top), rows=80, columns=1)[0, 0, :, 0]
        for part in (0.0, ground)
    )
    added = both / both[0] - wall / wall[0]
    rows = 4 * (np.arange(80) + 0.5) / 80 - 2
    np.testing.assert_allclose(added[rows <= min(top, rows[1])], added[0], atol=1e-5)
    assert (np.diff(added[rows > max(top, rows[0])]) > 0).all()


def test_above_its_height_a_dipped_headlight_gives_that_part_of_its_light() -> None:
    """Below the beam's edge, and half of 50 cm above it, all is as before and all is that part."""
    where = {"lamp1_x": 2.0, "lamp1_y": 0.6, "lamp1_z": 4.0}
    round_about, dipped = (lamps.illumination(one(**where, lamp1_above=part), rows=80)[0, 0] for part in (1.0, 0.125))
    ratio, rows = dipped / round_about, 4 * (np.arange(80) + 0.5) / 80 - 2
    lit = ratio[rows > 0.6 + 0.25]
    np.testing.assert_allclose(lit, lit[0, 0], rtol=1e-4)
    np.testing.assert_allclose(ratio[rows < 0.6 - 0.25], lit[0, 0] / 8, rtol=1e-4)


def test_no_lamp_at_all_leaves_the_even_light_of_the_sky() -> None:
    light = lamps.illumination(one(lamp1_intensity=0.0, ambient=0.3, ambient_kelvin=5400.0))[0]
    sky = kelvin.formula(5400)
    expected = sky / float(np.dot(LUMA, sky))
    np.testing.assert_allclose(light, np.broadcast_to(expected[:, None, None], light.shape), rtol=1e-5)


def test_more_ambient_light_is_more_even() -> None:
    dim, bright = (lamps.illumination(one(lamp1_z=1.0, ambient=a)).std() for a in (0.02, 0.5))
    assert bright == pytest.approx(dim * 1.02 / 1.5, rel=0.02)


def test_a_picture_does_not_feel_its_block_mates() -> None:
    plan = planned(facts(5), Config())
    together = lamps.illumination(plan)
    block = Block([np.zeros((3, 5, 3), np.uint8)])
    for row in range(5):
        lamps.apply(block, {name: values[row : row + 1] for name, values in plan.items()})
        assert block.illumination is not None
        np.testing.assert_array_equal(block.illumination[0], together[row])


def camera_facts(count: int = 400) -> Facts:
    rng = np.random.default_rng(4)
    box = {"x": rng.uniform(0, 1800, count), "w": np.full(count, 60.0), "h": rng.uniform(80, 300, count)}
    return facts(count, camid=1 + np.arange(count) % 4, y=10.0, timestamp=5.0, **box)


def test_a_camera_keeps_its_lamps_and_people_stand_elsewhere_before_them() -> None:
    """Undo the place that a box tells: what is left of a street lamp is one number a camera."""
    made = camera_facts()
    only = {"window": {"odds": 0.0}, "headlight": {"odds": 0.0}}
    plan = planned(
        made, config.check(Config, only | {"near": 0.001, "street": {"ahead": [200.0, 300.0], "spacing": 0.0}}, "x")
    )
    numbers, unit = made.numbers, 4 / 2
    for camera in (1, 2, 3, 4):
        of = numbers["camid"] == camera
        aside = ((numbers["x"] + numbers["w"] / 2 - 960) * 2 / numbers["h"])[of]
        away = 1920 * 2 * (1 / numbers["h"][of] - 1 / 200)
        for lamp in (1, 2, 3):
            hung = {what: plan[f"lamp{lamp}_{what}"][of] for what in ("x", "y", "z", "kelvin", "intensity", "kind")}
            assert np.ptp(hung["x"] + unit * aside) < 1e-3
            assert np.ptp(hung["z"] - unit * away) < 1e-3
            assert all(np.ptp(hung[what]) == 0 for what in ("y", "kelvin", "intensity", "kind"))
            assert np.ptp(hung["x"]) > 5
            assert np.ptp(hung["z"]) > 5
    assert len(np.unique(plan["lamp1_kelvin"])) == 4


def test_of_lamps_in_a_row_everybody_sees_the_nearest() -> None:
    """Half a spacing is the farthest; what a person's own place is away from is a lamp of one and the same row."""
    made, spacing, unit = camera_facts(), 9.0, 4 / 2
    only = {"window": {"odds": 0.0}, "headlight": {"odds": 0.0}, "near": 0.001}
    alone, row = (
        planned(made, config.check(Config, only | {"street": {"spacing": metres}}, "x")) for metres in (0.0, spacing)
    )
    for lamp in (1, 2, 3):
        x, z = row[f"lamp{lamp}_x"], row[f"lamp{lamp}_z"]
        assert np.abs(x).max() <= unit * spacing / 2 + 1e-4
        assert z.max() <= unit * spacing / 2 + 1e-4
        before = z > 0.01  # a nearest lamp behind the person counts as one above
        assert 0.3 < before.mean() < 0.7
        for one_row, one_lamp, of in (
            (x, alone[f"lamp{lamp}_x"], before | True),
            (z, alone[f"lamp{lamp}_z"], before & (alone[f"lamp{lamp}_z"] > 0.01)),
        ):
            turns = (one_row - one_lamp)[of] / (unit * spacing)
            np.testing.assert_allclose(turns, np.rint(turns), atol=1e-4)


def test_a_car_is_where_it_is_whoever_stands_before_it() -> None:
    cars = {name: {"odds": float(name == "headlight")} for name in lamps.KINDS}
    plan = planned(camera_facts(), config.check(Config, cars, "x"))
    kind = Config().headlight
    assert np.abs(plan["lamp1_x"]).max() <= 2 * kind.aside[1]
    assert 2 * kind.ahead[0] <= plan["lamp1_z"].min() < plan["lamp1_z"].max() <= 2 * kind.ahead[1]


def test_a_car_passes_once_and_a_street_lamp_stays() -> None:
    cars = {name: {"odds": float(name == "headlight")} for name in lamps.KINDS}
    plan = planned(camera_facts(), config.check(Config, cars, "x"))
    assert len(np.unique(plan["lamp1_intensity"])) == 400
    stay = config.check(Config, cars | {"headlight": {"odds": 1.0, "moves": False}}, "x")
    assert len(np.unique(planned(camera_facts(), stay)["lamp1_intensity"])) == 4


def test_lamps_of_pictures_of_their_own_are_all_different() -> None:
    plan = planned(camera_facts(), Config(consistent=False))
    assert len(np.unique(plan["lamp1_x"])) > 395


def test_without_boxes_people_walk_about() -> None:
    made = facts(300, camid=3, timestamp=0.0)
    still = {"headlight": {"odds": 0.0}, "street": {"spacing": 0.0}}
    walk = config.check(Config, still | {"walk": [1.5, 0.0]}, "x")
    x = planned(made, walk)["lamp1_x"]
    assert 5.5 < np.ptp(x) <= 6  # 3 metres, of which 2 units are one
    assert np.ptp(planned(made, walk)["lamp1_z"]) == 0


def test_no_lamp_comes_nearer_than_is_allowed() -> None:
    z = planned(facts(2000, camid=2), config.check(Config, {"near": 2.5, "walk": [0.0, 10.0]}, "x"))["lamp2_z"]
    assert z.min() == 5  # 2.5 metres, of which 2 units are one
    assert z.max() > 10


def test_a_hard_box_moves_nobody_to_infinity() -> None:
    made = facts(4, camid=1, x=[0, 5, 7, 9], y=0.0, w=[0, 4, 5, 6], h=[0, 10, np.nan, 20])
    plan = planned(made, Config())
    assert all(np.isfinite(values).all() for values in plan.values())


def test_a_plan_row_is_the_same_whatever_else_is_planned() -> None:
    made = camera_facts(60)
    whole = lamps.plan(Columns("lamps", Config(), made, 3))
    some = lamps.plan(Columns("lamps", Config(), made.select(np.array([41, 7])), 3))
    for name, values in whole.items():
        np.testing.assert_array_equal(values[[41, 7]], some[name])


def test_draws_follow_the_settings() -> None:
    plan = planned(facts(20_000), Config())
    sort, family = plan["lamp1_sort"], plan["lamp1_kind"]
    np.testing.assert_allclose(np.bincount(sort, minlength=4) / 20_000, [0.55, 0.25, 0.2, 0], atol=0.015)
    assert (plan["lamp2_intensity"] > 0).mean() == pytest.approx(0.65, abs=0.015)
    assert (plan["lamp3_intensity"] > 0).mean() == pytest.approx(0.30, abs=0.015)
    assert (plan["lamp1_intensity"] > 0).all()
    for number, (low, high) in enumerate(((1900, 2300), (2700, 3200), (3800, 6000))):
        of = plan["lamp1_kelvin"][family == number]
        assert low <= of.min() < of.max() <= high
    assert not (family[sort == 1] == 0).any()  # no shop is lit by sodium
    assert ((family == 2) & (sort == 2)).sum() / (sort == 2).sum() == pytest.approx(4 / 5, abs=0.02)
    assert (plan["lamp1_above"][sort != 2] == 1).all()
    assert 0.1 <= plan["lamp1_above"][sort == 2].min() < plan["lamp1_above"][sort == 2].max() <= 0.5
    metres = (2 - plan["lamp1_y"]) / 2
    assert 4.5 <= metres[sort == 0].min() < metres[sort == 0].max() <= 8
    assert 0.6 <= metres[sort == 2].min() < metres[sort == 2].max() <= 0.8 + 1e-6
    streets = np.log(plan["lamp1_intensity"][sort == 0])
    assert streets.mean() == pytest.approx(0, abs=0.02)
    assert streets.std() == pytest.approx(0.6, abs=0.02)


def test_a_lamp_before_the_picture_is_in_frame() -> None:
    plan = one(lamp1_x=0.5, lamp1_y=-1.9, lamp2_x=1.1, lamp2_intensity=1.0, lamp3_x=0.0)
    assert lamps.in_frame(plan).tolist() == [[True, False, False]]  # beside it; not lit


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"street": {"odds": -1.0}}, "street.odds = -1.0"),
        ({"street": {"hight": [1.0, 2.0]}}, "unknown key 'street.hight'; did you mean 'height'"),
        ({"street": {"height": [8.0, 4.0]}}, "from 8 to 4"),
        ({"street": {"ahead": [0.0, 4.0]}}, "street.ahead"),
        ({"window": {"colours": [0.0, 0.0, 0.0]}}, "odds of colours are 0, 0, 0"),
        ({name: {"odds": 0.0} for name in lamps.KINDS}, "odds of kinds are 0, 0, 0, 0"),
        ({"ambient": [0.0, 0.1]}, "ambient"),
        ({"street": 3}, "street = 3"),
        ({"street": {"spacing": -1.0}}, "street.spacing = -1.0"),
        ({"headlight": {"above": [0.5, 0.1]}}, "from 0.5 to 0.1"),
        ({"ground_top": [0.0, 2.0]}, "ground_top"),
    ],
)
def test_bad_settings_are_one_line(table: dict[str, object], complaint: str) -> None:
    with pytest.raises(UserError) as caught:
        config.check(Config, table, "night.toml")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_number_of_a_kind_keeps_the_others() -> None:
    changed = config.check(Config, {"headlight": {"odds": 3.0}}, "x")
    assert changed.headlight == Config().headlight.model_copy(update={"odds": 3.0})
    assert config.check(Config, changed.model_dump(mode="json"), "x") == changed


def test_a_wide_picture_shows_more_of_the_same_light() -> None:
    """The middle of a picture twice as wide is what the narrow one shows, but for the mean that both have."""
    narrow = lamps.illumination(one(lamp1_x=1.5, lamp1_y=-3.0), rows=8, columns=8)[0, 0]
    wide = lamps.illumination(one(lamp1_x=1.5, lamp1_y=-3.0, half_width=2.0), rows=8, columns=16)[0, 0, :, 4:12]
    np.testing.assert_allclose(wide / wide.mean(), narrow / narrow.mean(), rtol=1e-5)
