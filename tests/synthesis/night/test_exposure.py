"""The exposure: a gain that gives the lightness that was asked for, noise included."""

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark import images
from synthesis.night import chain, config, curve
from synthesis.night.block import Block
from synthesis.night.stages import exposure, quantise
from tests.synthesis.night.facts import facts
from tests.synthesis.night.planned import plan as planned
from tests.synthesis.night.test_nights import day

FLAT = {"level": 0, "anchor": 30.0, "target": 30.0, "stops": 0.0, "corrected": True, "noise_share": 0.5}


def rows(count: int, **columns: object) -> dict[str, NDArray[np.generic]]:
    """Plan so many pictures alike, but for what a test says."""
    said = FLAT | {"glare_share": 0.7} | columns
    return {name: np.broadcast_to(np.asarray(value, np.float32), (count,)) for name, value in said.items()}


def light(value: float, count: int = 1, height: int = 24, width: int = 12) -> NDArray[np.float32]:
    """Make flat grey light."""
    return np.full((count, 3, height, width), value, np.float32)


def apply(made: NDArray[np.float32], plan: dict[str, NDArray[np.generic]], lamps: object = None) -> Block:
    """Expose a copy of some light."""
    block = Block([], made.copy())
    block.illumination = None if lamps is None else np.asarray(lamps, np.float32)
    exposure.apply(block, plan)
    return block


def mean_code(code: NDArray[np.float64]) -> float:
    """Turn linear light into the mean lightness of what is shown."""
    return float(255 * curve.tone(code).mean())


@pytest.mark.parametrize("anchor", [8.0, 30.0, 90.0, 200.0])
@pytest.mark.parametrize("value", [0.01, 0.3, 1.0])
def test_flat_light_without_noise_is_brought_to_its_lightness(anchor: float, value: float) -> None:
    block = apply(light(value), rows(1, anchor=anchor, target=anchor))
    assert block.light is not None
    assert mean_code(block.light[0].max(axis=0)) == pytest.approx(anchor, rel=0.025)
    assert block.light == pytest.approx(value * block.solved["gain"][0], rel=1e-5)
    assert block.solved["digital"] == 1


@pytest.mark.parametrize(("shot", "read"), [(0.002, 1e-5), (0.02, 1e-4)])
def test_the_gain_is_right_for_the_mean_over_noise_that_is_drawn_afresh(shot: float, read: float) -> None:
    block = apply(light(0.3), rows(1, anchor=40, target=40, shot=shot, read=read, row=0.2))
    level = 0.3 * float(block.solved["gain"][0])
    rng = np.random.default_rng(1)
    noise = rng.normal(0, np.sqrt(shot * level + read), (200_000, 3)) + rng.normal(0, 0.2 * read**0.5, (200_000, 1))
    shown = (level + noise).max(axis=1).clip(0, 1)
    assert mean_code(shown) == pytest.approx(40, abs=1.2)
    # Without the noise the same gain is far too dark: the expectation is what was solved for.
    assert mean_code(np.array([level])) < 37


def test_noise_alone_makes_no_more_than_its_share() -> None:
    block = apply(light(0.3), rows(1, anchor=12, target=12, shot=0.03, read=1e-3))
    digital = float(block.solved["digital"][0])
    assert digital < 0.9
    noise = np.random.default_rng(2).normal(0, 1e-3**0.5, (100_000, 3)).max(axis=1).clip(0, 1)
    assert mean_code(curve.amplified(noise, digital)) <= 12 * 0.5 * 1.1
    level = 0.3 * float(block.solved["gain"][0])
    both = level + np.random.default_rng(3).normal(0, (0.03 * level + 1e-3) ** 0.5, (100_000, 3))
    assert mean_code(curve.amplified(both.max(axis=1).clip(0, 1), digital)) == pytest.approx(12, abs=0.8)


def test_glare_is_part_of_the_lightness_and_leaves_the_scene_its_share() -> None:
    glare = {"glare": 0.5, "glare_x": 0.5, "glare_y": 0.4, "glare_blades": 3, "glare_angle": 10.0}
    glare |= {"glare_star": 0.5, "glare_width": 0.01, "glare_disc": 0.02}
    without, with_glare = (apply(light(0.3, 1, 64, 32), rows(1, anchor=20, **more)) for more in ({}, glare))
    assert 0 < with_glare.solved["gain"][0] < without.solved["gain"][0]
    assert 0 < with_glare.solved["glare_left"][0] < 1
    assert without.solved["glare_left"][0] == 1


def test_lamps_are_spread_as_opencv_spreads_them() -> None:
    rng = np.random.default_rng(4)
    lamps = rng.uniform(0.2, 2, (2, 3, 32, 16))
    made = rng.uniform(0, 1, (2, 3, 65, 31)).astype(np.float32)
    block = apply(made, rows(2, gain=[0.5, 2.0]), lamps)
    assert block.light is not None
    for picture, gain in enumerate((0.5, 2.0)):
        for channel in range(3):
            wide = cv2.resize(lamps[picture, channel], (31, 65), interpolation=cv2.INTER_LINEAR)
            expected = made[picture, channel] * wide * gain
            assert block.light[picture, channel] == pytest.approx(expected, rel=1e-4)


def test_a_gain_that_is_given_is_taken_and_nothing_is_solved() -> None:
    block = apply(light(0.4, 2), rows(2, gain=[0.25, 0.5], digital=[0.5, 1.0], glare_left=1.0))
    assert block.solved["gain"].tolist() == [0.25, 0.5]
    assert block.solved["digital"].tolist() == [0.5, 1.0]


def test_a_ladder_is_exact_in_stops() -> None:
    block = apply(light(0.4, 3), rows(3, stops=[0.0, -1.0, -3.0], corrected=False))
    assert np.log2(block.solved["gain"] / block.solved["gain"][0]) == pytest.approx([0, -1, -3], abs=1e-5)


def test_a_ladder_is_exact_in_stops_where_a_lamp_shines_into_the_lens() -> None:
    night = config.load("exposures", ["glare.share=1", "glare.strength=[0.5, 0.6]"])
    steps = len(night.record()["exposure"]["steps"])
    known = facts(steps, width=64, height=128)
    one = known.select(np.zeros(steps, np.int64)).with_draws(known.draw, np.arange(steps))
    plan = chain.plan(night, 0, one, {})
    assert (plan["glare"] > 0).all()
    block = chain.develop(chain.ready(night, {}), [day(128, 64)] * steps, plan)
    assert np.log2(block.solved["gain"] / block.solved["gain"][0]) == pytest.approx(plan["stops"], abs=1e-3)
    assert np.ptp(block.solved["glare_left"]) < 1e-3
    assert block.solved["glare_left"][0] < 1
    assert block.solved["ev"] - block.solved["ev"][0] == pytest.approx(plan["stops"], abs=1e-3)


def test_no_night_is_to_be_brighter_than_its_day() -> None:
    lightness = np.linspace(0, 120, 400)
    made = planned(exposure, facts(400, lightness=lightness))
    assert (made["anchor"] <= lightness.astype(np.float32)).all()
    free = planned(exposure, facts(400))
    low = free["anchor"] <= lightness
    assert (made["anchor"][low] == free["anchor"][low]).all()
    assert (made["level"] == free["level"]).all()


def test_a_gain_at_the_solvers_bounds_is_no_solution() -> None:
    made = apply(np.stack([light(0.0)[0], light(0.2)[0], light(1e-9)[0]]), rows(3, anchor=30))
    assert exposure.is_solved(made.solved["gain"], rows(3)).tolist() == [False, True, False]
    darker = rows(3, anchor=30, stops=-4.0)
    made = apply(np.stack([light(0.0)[0], light(0.2)[0], light(1e-9)[0]]), darker)
    assert exposure.is_solved(made.solved["gain"], darker).tolist() == [False, True, False]


def test_what_is_no_number_is_black_and_reads_nothing_beyond_a_table() -> None:
    made = light(0.2)
    made[0, :, 3] = np.nan
    assert np.isfinite(apply(made, rows(1)).solved["gain"]).all()
    for bits in (8, 12):
        block = Block([np.zeros((24, 12, 3), np.uint8)], made.copy())
        quantise.apply(block, {"bits": np.array([bits])})
        assert block.codes is not None
        assert not block.codes[0, :, 3].any()


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (1, 400)])
def test_black_and_tiny_pictures_come_through(size: tuple[int, int]) -> None:
    for value in (0.0, 0.5):
        block = apply(light(value, 1, *size), rows(1))
        assert np.isfinite(block.light).all()  # type: ignore[arg-type]
        assert np.isfinite(block.solved["gain"]).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**63), st.lists(st.floats(0.05, 1), min_size=1, max_size=5))
def test_shares_are_met_and_targets_lie_within_their_level(seed: int, odds: list[float]) -> None:
    shares = [odd / sum(odds) for odd in odds]
    shares[0] += 1 - sum(shares)
    edges = np.linspace(10, 200, len(odds) + 1).tolist()
    named: dict[str, Any] = {"levels": [f"L{place}" for place in range(len(odds))], "shares": shares}
    ranges = [list(pair) for pair in pairwise(edges)]
    made = planned(exposure, facts(4000), seed, **named, ranges=ranges)
    found = np.bincount(made["level"], minlength=len(odds)) / 4000
    assert np.abs(found - shares).max() < 5 * (0.25 / 4000) ** 0.5
    low, high = np.array(ranges).T
    assert (made["target"] >= (low - 1e-4)[made["level"]]).all()
    assert (made["target"] <= (high + 1e-4)[made["level"]]).all()


def test_levels_touch_where_the_brighter_one_begins() -> None:
    found = exposure.reached(exposure.Config(), np.array([0, 25.49, 25.5, 50.9, 51, 255]))
    assert found.tolist() == [0, 0, 1, 1, 2, 2]


def test_the_curve_is_srgb_and_an_s_curve_and_its_table_says_the_same() -> None:
    share = np.linspace(0, 1, 999)
    code = images.from_linear(share)
    expected = 255 * (0.6 * code + 0.4 * (3 * code**2 - 2 * code**3))
    table = np.interp(np.sqrt(share) * curve.STEPS, np.arange(curve.STEPS + 1), curve.CURVE / curve.PARTS)
    assert table == pytest.approx(expected, abs=0.02)
    assert (np.diff(curve.CURVE) >= 0).all()


@given(st.floats(curve.LEAST, curve.MOST))
def test_digital_gain_leaves_black_black_and_white_white_and_never_turns_back(digital: float) -> None:
    raised = curve.amplified(np.linspace(0, 1, 500), digital)
    assert raised[0] == 0
    assert raised[-1] == pytest.approx(1)
    assert (np.diff(raised) > -1e-12).all()
    assert raised[1] == pytest.approx(digital / 499, rel=1e-3)
