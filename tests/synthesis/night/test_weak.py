"""The weak stages: each does what the work says that it is to stand for, and no more."""

import numpy as np
import pytest
from scipy.stats import truncnorm

from benchmark.errors import UserError
from benchmark.images import Picture
from synthesis.night.block import Block
from synthesis.night.columns import Columns
from synthesis.night.stages import darken, gamma, grain, tint
from tests.synthesis.night.facts import facts


def ramp() -> Picture:
    return np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(2, axis=0)


def test_gamma_is_one_curve_for_the_whole_picture() -> None:
    block = Block([ramp(), ramp()])
    gamma.apply(block, {"gamma": np.array([2.0, 1.0], np.float32), "gamma_gain": np.array([1.0, 0.5], np.float32)})
    assert block.pictures[0][0, [0, 51, 128, 255], 0].tolist() == [0, 10, 64, 255]  # 255 (v / 255)^2, rounded
    assert block.pictures[1][0, [0, 51, 128, 255], 1].tolist() == [0, 26, 64, 128]


def test_tint_is_one_factor_a_channel() -> None:
    block = Block([ramp()])
    factors = {"tint_gain": 0.5, "tint_red": 1.0, "tint_green": 0.8, "tint_blue": 0.4}
    tint.apply(block, {name: np.array([value], np.float32) for name, value in factors.items()})
    assert block.pictures[0][0, 200].tolist() == [100, 80, 40]
    assert block.pictures[0].max() == 128


def test_factors_are_drawn_from_their_ranges() -> None:
    drawn = tint.plan(Columns("tint", tint.Config(red=(0.2, 0.3)), facts(2000), 0))
    assert 0.2 <= drawn["tint_red"].min() < 0.202
    assert 0.298 < drawn["tint_red"].max() < 0.3
    curves = gamma.plan(Columns("gamma", gamma.Config(), facts(2000), 0))
    assert 2 <= curves["gamma"].min() < 2.01
    assert 3.49 < curves["gamma"].max() < 3.5
    assert abs(np.corrcoef(curves["gamma"], curves["gamma_gain"])[0, 1]) < 0.07


def test_the_share_of_light_is_a_normal_cut_off_on_both_sides() -> None:
    drawn = np.sort(darken.plan(Columns("darken", darken.Config(), facts(5000), 0))["darken"])
    assert (drawn[0] >= 0.01, drawn[-1] <= 1) == (True, True)
    law = truncnorm((0.01 - 0.1) / 0.08, (1 - 0.1) / 0.08, 0.1, 0.08)
    assert np.abs(law.cdf(drawn) - (np.arange(5000) + 0.5) / 5000).max() < 1.63 / np.sqrt(5000)  # Kolmogorov, 1 %


def test_darken_multiplies_light_and_says_by_how_many_stops() -> None:
    light = np.random.default_rng(0).random((2, 3, 4, 5), dtype=np.float32)
    block = Block([ramp()] * 2, light=light.copy())
    darken.apply(block, {"darken": np.array([0.25, 0.5], np.float32)})
    assert block.light is not None
    assert (block.light[0] == light[0] / 4).all()
    assert (block.light[1] == light[1] / 2).all()
    assert block.solved["ev"].tolist() == [-2, -1]


def test_darken_without_linear_light_says_what_is_missing() -> None:
    with pytest.raises(UserError, match="put linearise before it"):
        darken.apply(Block([ramp()]), {"darken": np.array([0.5], np.float32)})


def grained(picture: Picture, sigma: float = 0.0, shot: float = 0.0, key: int = 1) -> Picture:
    block = Block([picture])
    numbers = {"grain": np.array([sigma], np.float32), "grain_shot": np.array([shot], np.float32)}
    grain.apply(block, numbers | {"grain_key": np.array([key], np.int64)})
    return block.pictures[0]


@pytest.mark.parametrize("code", [60, 120, 180])
def test_noise_has_the_variance_that_was_drawn(code: int) -> None:
    flat = np.full((200, 200, 3), code, np.uint8)
    rounding = 1 / 12
    assert grained(flat, sigma=6).astype(float).var() == pytest.approx(36 + rounding, rel=0.03)
    assert grained(flat, shot=255 / 300).astype(float).var() == pytest.approx(code * 255 / 300 + rounding, rel=0.03)
    assert grained(flat, sigma=6).mean() == pytest.approx(code, abs=0.1)


def test_noise_is_of_every_pixel_and_channel_for_itself() -> None:
    noise = grained(np.full((256, 128, 3), 128, np.uint8), sigma=10).astype(float) - 128
    pairs = {
        "right": (noise[:, 1:], noise[:, :-1]),
        "below": (noise[1:], noise[:-1]),
        "channels": (noise[:, :, 1:], noise[:, :, :-1]),
        "another key": (noise, grained(np.full((256, 128, 3), 128, np.uint8), sigma=10, key=2).astype(float)),
    }
    for one, other in pairs.values():
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.015


def test_black_has_no_photon_noise_and_nothing_leaves_the_codes() -> None:
    black = np.zeros((9, 7, 3), np.uint8)
    assert (grained(black, shot=8.5) == 0).all()
    extremes = np.array([[[0, 255, 0]]], np.uint8).repeat(500, axis=0)
    noisy = grained(extremes, sigma=40)
    assert (noisy[:, 0, 0].max() < 255, noisy[:, 0, 1].min() > 0) == (True, True)  # no code wraps around


def test_noise_keys_are_all_different_and_kinds_keep_their_odds() -> None:
    drawn = grain.plan(Columns("grain", grain.Config(poisson=0.3), facts(20000), 0))
    assert len(set(drawn["grain_key"].tolist())) == 20000
    assert (drawn["grain_shot"] > 0).mean() == pytest.approx(0.3, abs=0.015)
    assert ((drawn["grain"] > 0) != (drawn["grain_shot"] > 0)).all()
