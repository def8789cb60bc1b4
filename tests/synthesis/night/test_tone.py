"""The tone curve, and the correction by digital gain and a test strip."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark import images
from synthesis.night import chain, config, curve
from synthesis.night.block import Block, Plan
from synthesis.night.stages import exposure, quantise, tone
from tests.synthesis.night.facts import facts
from tests.synthesis.night.test_nights import day


@dataclass
class Halving:
    """A stage that takes half of the lightness."""

    local: bool = True
    heights: list[int] | None = None

    @property
    def LOCAL(self) -> bool:  # noqa: N802
        return self.local

    def plan(self, columns: Any) -> dict[str, NDArray[Any]]:  # noqa: ANN401
        return {}

    def apply(self, block: Block, plan: Plan) -> None:
        if self.heights is not None:
            self.heights += [len(picture) for picture in block.pictures]
        block.pictures = [picture // 2 for picture in block.pictures]


def codes(exact: bool, height: int = 64, width: int = 32, seed: int = 0) -> Block:
    """Make a block that has come as far as codes."""
    light = np.random.default_rng(seed).gamma(1.5, 0.02, (2, 3, height, width)).astype(np.float32)
    block = Block([], light)
    block.pictures = [np.zeros((height, width, 3), np.uint8)] * 2
    quantise.apply(block, {"bits": np.full(2, 12 if exact else 8)})
    return block


def plan(**columns: object) -> dict[str, NDArray[Any]]:
    """Plan two pictures."""
    said = {"target": [30.0, 55.0], "corrected": [True, True], "strip": [True, True]} | columns
    return {name: np.asarray(values) for name, values in said.items()}


@pytest.mark.parametrize("exact", [False, True])
def test_pictures_are_what_the_curve_says_of_their_codes(exact: bool) -> None:
    block = codes(exact)
    assert block.codes is not None
    tone.apply(block, plan(digital=[1.0, 0.3]))
    light = block.codes / 4095 if exact else (block.codes / 255) ** 2
    for picture, planes, digital in zip(block.pictures, light, (1.0, 0.3), strict=True):
        expected = 255 * curve.tone(curve.amplified(planes, digital)).transpose(1, 2, 0)
        assert np.abs(picture - expected).max() < 0.6
    assert block.solved["digital"].tolist() == pytest.approx([1.0, 0.3])


@pytest.mark.parametrize("exact", [False, True])
def test_the_lightness_is_met_where_nothing_comes_after(exact: bool) -> None:
    block = codes(exact)
    tone.apply(block, plan())
    assert [images.lightness(picture) for picture in block.pictures] == pytest.approx([30, 55], abs=0.4)


def test_what_a_later_stage_takes_is_made_good_by_what_the_strip_showed() -> None:
    block, stage = codes(exact=False), Halving(heights=[])
    block.later = [stage]
    tone.apply(block, plan(target=[20.0, 30.0]))
    stage.apply(block, {})
    assert [images.lightness(picture) for picture in block.pictures] == pytest.approx([20, 30], abs=0.6)
    assert stage.heights is not None
    assert stage.heights[0] == 64  # so small a picture is its own strip


def test_a_large_picture_shows_a_strip_and_a_stage_that_is_not_local_sees_none() -> None:
    for local in (True, False):
        block, stage = codes(exact=False, height=256, width=128), Halving(local, [])
        block.later = [stage]
        tone.apply(block, plan())
        assert stage.heights == ([32, 32] if local else [])


def test_a_ladder_and_a_plan_without_targets_are_left_as_they_are() -> None:
    block = codes(exact=False)
    block.solved["digital"] = np.array([0.7, 0.8], np.float32)
    tone.apply(block, plan(corrected=[False, False]))
    assert block.solved["digital"].tolist() == pytest.approx([0.7, 0.8])


@given(st.integers(1, 2000), st.integers(1, 2000))
def test_bands_are_rows_of_the_picture_each_once_on_the_codec_s_borders(height: int, width: int) -> None:
    rows = tone.bands(height, width)
    assert len(np.unique(rows)) == len(rows)
    assert rows.min() >= 0
    assert rows.max() < height
    assert len(rows) == height or (rows[::8] % 8 == 0).all()
    assert len(rows) == height or len(rows) <= height / 2


def test_ev_is_what_is_left_of_the_days_light_in_stops() -> None:
    """Light that is a quarter of another's has two stops less, whether by gain or by digital gain."""
    codes = np.full((3, 3, 8, 8), 1000, np.uint16)
    plan = {"digital": np.array([1, 1, 0.25], np.float32), "strip": np.zeros(3, bool)}
    block = Block([np.zeros((8, 8, 3), np.uint8)] * 3, codes=codes)
    block.solved["gain"] = np.array([0.5, 0.125, 0.5], np.float32)
    tone.apply(block, plan)
    assert block.solved["ev"].tolist() == [-1, -3, -3]
    black = Block([np.zeros((8, 8, 3), np.uint8)], codes=codes[:1])
    black.solved["gain"] = np.array([np.exp(exposure.BRIGHTEST)], np.float32)
    tone.apply(black, {name: values[:1] for name, values in plan.items()})
    assert np.isnan(black.solved["ev"]).all()


def test_the_quick_measure_is_lightness() -> None:
    for seed, size in enumerate(((1, 1), (7, 3), (40, 20))):
        picture = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
        assert tone.mean_of_brightest(picture) == pytest.approx(images.lightness(picture), abs=1e-4)


@pytest.mark.parametrize("quality", ["fast", "exact"])
def test_stored_pictures_have_the_lightness_that_was_planned(quality: str) -> None:
    night = config.load("night600", [f"quality={quality}"])
    known = facts(48, camid=np.arange(48) % 6 + 1, width=64, height=128)
    made = chain.plan(night, 3, known, chain.survey(night, known))
    found = []
    for start in range(0, 48, 4):
        rows = list(range(start, start + 4))
        pictures = [day(128, 64, seed) for seed in rows]
        block = chain.develop(chain.ready(night, {}), pictures, chain.rows(made, rows))
        found += [images.lightness(images.decode(data)) for data in block.files]
    assert np.abs(np.array(found) - made["target"]).mean() < 1.0
    without = config.load("night600", [f"quality={quality}", "tone.strip=false"])
    assert without.sha256 != night.sha256


def test_a_ladder_is_corrected_by_its_first_step() -> None:
    night = config.load("exposures", ["glare.share=0.5"])
    known = facts(80, camid=np.arange(80) % 6 + 1, width=64, height=128)
    steps = known.select(np.arange(80) // 5).with_draws(known.draw, np.arange(80) % 5)
    made = chain.plan(night, 3, steps, {})
    block = chain.develop(chain.ready(night, {}), [day(128, 64, row // 5) for row in range(80)], made)
    found = np.array([images.lightness(images.decode(data)) for data in block.files])
    assert np.abs(found - made["anchor"])[::5].mean() < 1.0
    digital, ev = (block.solved[name].reshape(16, 5) for name in ("digital", "ev"))
    np.testing.assert_allclose(digital, digital[:, :1].repeat(5, axis=1), rtol=1e-3)
    np.testing.assert_allclose(ev - ev[:, :1], made["stops"].reshape(16, 5), atol=2e-3)
