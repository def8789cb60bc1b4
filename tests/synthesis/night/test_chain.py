"""The chain as a whole: plans that depend on nothing but (seed, scope, name), and pictures on nothing but their row."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.errors import UserError
from synthesis.night import chain, config
from synthesis.night.columns import LIGHTS, Columns, Facts
from synthesis.night.config import Night
from synthesis.night.stages import STAGES, blur
from tests.synthesis.night.facts import facts
from tests.synthesis.night.test_nights import day

COUNT = 12


def planned(night: Night, known: Facts, seed: int = 5) -> dict[str, NDArray[Any]]:
    """Plan some pictures."""
    return chain.plan(night, seed, known, chain.survey(night, known))


def people(count: int = 400) -> Facts:
    """Make facts of pictures before six cameras."""
    return facts(count, camid=np.arange(count) % 6 + 1, width=64, height=128)


def same(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> bool:
    """Say whether two plans are equal to the bit."""
    return one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_a_row_is_planned_alike_in_any_company_and_order() -> None:
    night, known = config.load("night600"), people()
    surveys = chain.survey(night, known)
    everything = chain.plan(night, 5, known, surveys)
    for which in (np.arange(400)[::-1], np.array([7]), np.array([3, 3, 399])):
        alone = chain.plan(night, 5, known.select(which), surveys)
        assert same(alone, chain.rows(everything, which))


def test_another_seed_draw_or_name_is_another_night() -> None:
    night, known = config.load("night600"), people()
    first = planned(night, known)
    others = [planned(night, known, seed=6), planned(night, known.with_draws(known.draw + 1, known.step))]
    for other in others:
        assert np.mean(first["target"] == other["target"]) < 0.01
        assert np.mean(first["shot"] == other["shot"]) < 0.01  # drawn for a camera's light
    moved = planned(night, replace(known, source=("elsewhere",) * len(known)))
    assert np.mean(first["shot"] == moved["shot"]) < 0.01


def test_steps_of_a_ladder_share_all_that_is_drawn() -> None:
    night, known = config.load("exposures"), people(40)
    first, second = (planned(night, known.with_draws(known.draw, known.step + step)) for step in (0, 2))
    differing = {name for name in first if first[name].tobytes() != second[name].tobytes()}
    assert differing <= {"stops", "target", "level", "glare"}  # glare is as much darker as the scene
    assert (second["stops"] == first["stops"] - 2).all()


def test_cameras_share_lamps_and_an_unknown_camera_shares_none() -> None:
    night = config.load("night600")
    cameras = np.arange(400) % 6
    at_once = planned(night, facts(400, width=64, height=128, camid=cameras + 1, timestamp=7200.0))
    unknown = planned(night, facts(400, width=64, height=128))
    for name in ("shot", "smear", "quality", "ambient"):
        assert all(len(np.unique(at_once[name][cameras == camera])) == 1 for camera in range(6)), name
        assert len(np.unique(at_once[name])) > 1
        assert len(np.unique(unknown[name])) > (2 if name == "smear" else 40), name


@pytest.mark.parametrize("by", ["timestamp", "sequence", ""])
def test_a_camera_has_few_lights_and_an_hour_or_a_sequence_has_one(by: str) -> None:
    """A person who is alone in his hour shares its light with many; where no time is known there are several."""
    cameras, span = np.arange(1200) % 3, np.arange(1200) // 12
    times = {"timestamp": 3600.0 * span + 5} if by == "timestamp" else {}
    known = facts(1200, width=64, height=128, camid=cameras + 1, **times)
    known = replace(known, sequence=tuple(f"walk {one}" for one in span)) if by == "sequence" else known
    shot = planned(config.load("night600"), known)["shot"]
    for camera in range(3):
        here = cameras == camera
        lights, counts = np.unique(shot[here], return_counts=True)
        assert len(lights) == LIGHTS
        assert counts.min() > 12  # of 50 on average
        alone = [len(np.unique(shot[here & (span == one)])) == 1 for one in range(100)]
        assert all(alone) if by else not any(alone)
    assert known.blocks == 3 * LIGHTS


@pytest.mark.parametrize("quality", ["fast", "exact"])
def test_a_picture_is_the_same_in_any_block(quality: str) -> None:
    night = config.load("night600", [f"quality={quality}", "glare.share=0.5"])
    plan, stages = planned(night, people(COUNT)), chain.ready(night, {})
    pictures = [day(128, 64, seed) for seed in range(COUNT)]
    together = chain.develop(stages, pictures, plan)
    for row in range(COUNT):
        alone = chain.develop(stages, [pictures[row]], chain.rows(plan, [row]))
        assert alone.files[0] == together.files[row]
    backwards = chain.develop(stages, pictures[::-1], chain.rows(plan, np.arange(COUNT)[::-1]))
    assert backwards.files[::-1] == together.files


@pytest.mark.parametrize("quality", ["fast", "exact"])
def test_a_row_with_what_was_found_makes_its_picture_again_without_solving(
    quality: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = config.load("night600", [f"quality={quality}", "glare.share=0.5"])
    plan, stages = planned(night, people(COUNT)), chain.ready(night, {})
    pictures = [day(128, 64, seed) for seed in range(COUNT)]
    made = chain.develop(stages, pictures, plan)
    monkeypatch.setattr("synthesis.night.stages.exposure._solved", None)
    monkeypatch.setattr("synthesis.night.stages.tone._solved", None)
    assert chain.develop(stages, pictures, plan | made.solved).files == made.files


def test_blocks_hold_every_picture_once_and_only_those_of_one_size() -> None:
    shapes = [(128, 64), (256, 128), (128, 64), (4000, 3000)] * 9
    made = chain.blocks(shapes)
    assert sorted(place for block in made for place in block) == list(range(36))
    for block in made:
        assert len({shapes[place] for place in block}) == 1
        height, width = shapes[block[0]]
        assert len(block) == 1 or len(block) * height * width <= chain.BLOCK_PIXELS


def test_two_stages_that_plan_one_column_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(columns: Columns) -> dict[str, NDArray[Any]]:
        return {"shot": np.zeros(len(columns))}

    monkeypatch.setattr(blur, "plan", plan)
    with pytest.raises(UserError, match="stage noise plans 'shot', as another stage does"):
        planned(config.load("night600"), people(4))


def test_no_column_tells_who_is_in_the_picture() -> None:
    """Within a camera, no column's means over people differ by more than those over shuffled people do."""
    who = np.repeat(np.arange(100), 12)
    known = facts(1200, camid=np.tile(np.arange(6) + 1, 200), width=64, height=128)
    names = tuple(f"set/{pid:04d}_c{row % 6 + 1}s1_{row:06d}.jpg" for row, pid in enumerate(who))
    plan = planned(config.load("night600"), Facts(names, known.source, known.numbers, known.draw, known.step))
    columns = np.stack([values.astype(float) for values in plan.values()])
    columns = columns[:, :, None].reshape(len(columns), -1, 6)  # column, picture of a camera, camera
    columns = columns - columns.mean(axis=1, keepdims=True)
    spread = columns.std(axis=1, keepdims=True)
    moving = (spread > 1e-9).all(axis=(1, 2))
    scaled = np.nan_to_num(columns[moving] / spread[moving])
    assert moving.sum() > 15

    def told(scaled: NDArray[np.float64]) -> float:
        means = scaled.reshape(len(scaled), 100, 2, 6).mean(axis=2)
        return float((means**2).mean(axis=(1, 2)).max())

    rng = np.random.default_rng(0)
    chance = [told(scaled[:, rng.permutation(200)]) for _ in range(200)]
    assert told(scaled) <= np.quantile(chance, 0.995)


@pytest.mark.parametrize("name", [name for name in STAGES.names() if name != "translate"])
def test_every_stage_says_what_its_columns_mean(name: str) -> None:
    stage, known = STAGES.load(name), people(4)
    survey = stage.survey(stage.Config(), known) if hasattr(stage, "survey") else None
    drawn = stage.plan(Columns(name, stage.Config(), known, 0, survey=survey))
    solved = {"exposure": {"gain", "digital", "glare_left"}, "tone": {"ev"}}.get(name, set())
    assert set(drawn) | solved == set(stage.COLUMNS)
    assert all(settings.description for settings in stage.Config.model_fields.values())
