"""The paired exposure design: worlds whose truth is known, with scenes that differ far more than exposures do."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import exposures

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def world(people: int, scenes: int, noise: float = 0.0, seed: int = 0) -> tuple[Floats, Floats, Ints, Ints]:
    """Lay out scenes at 0, -2 and -4 stops; a stop less costs 5 points, and a scene's own ease is anything."""
    rng = np.random.default_rng(seed)
    ease = rng.normal(50, 30, people * scenes)
    scene = np.repeat(np.arange(people * scenes), 3)
    light = np.tile([0.0, -2.0, -4.0], people * scenes)
    return 5 * light + ease[scene] + noise * rng.standard_normal(len(scene)), light, scene, scene // scenes


def test_what_belongs_to_the_scene_cancels() -> None:
    found = exposures.within(*world(40, 3), draws=500)
    assert found is not None
    assert (found.reference, found.scenes) == (0, 120)
    assert [(level.exposure, level.scenes) for level in found.levels] == [(-4, 120), (-2, 120)]
    assert [level.difference for level in found.levels] == pytest.approx([-20, -10])
    assert found.slope == pytest.approx(5)
    for interval in (found.slope_interval, *(level.interval for level in found.levels)):
        assert interval.se == pytest.approx(0, abs=1e-9)
        assert (interval.method, interval.identities) == ("BCa", 40)


def test_darker_scenes_that_are_easier_do_not_mislead() -> None:
    values, light, scenes, people = world(120, 1)
    # Half of the scenes lack the bright picture, and all of these are easy.
    easy = scenes % 2 == 0
    values, kept = values + 200 * easy, ~(easy & (light == 0))
    found = exposures.within(values[kept], light[kept], scenes[kept], people[kept], draws=200)
    assert found is not None
    assert np.polyfit(light[kept], values[kept], 1)[0] < 0
    assert found.slope == pytest.approx(5)
    assert [level.difference for level in found.levels] == pytest.approx([-20, -10])
    assert [level.scenes for level in found.levels] == [60, 60]
    assert found.levels[0].interval.identities == 60
    assert found.slope_interval.identities == 120


def test_the_interval_covers_people_and_not_pictures() -> None:
    values, light, scenes, people = world(120, 4)
    effect = np.random.default_rng(1).normal(0, 3, 120)  # what a stop does to a person, in all their scenes
    found = exposures.within(values + effect[people] * light, light, scenes, people, draws=4000)
    assert found is not None
    assert found.slope == pytest.approx(5 + effect.mean())
    assert found.slope_interval.se == pytest.approx(effect.std() / np.sqrt(120), rel=0.05)
    assert found.levels[1].interval.se == pytest.approx(2 * effect.std() / np.sqrt(120), rel=0.05)
    assert found.slope_interval.low < 5 < found.slope_interval.high


def test_several_pictures_of_one_scene_and_exposure_are_averaged() -> None:
    values, light = np.array([1.0, 3.0, 10.0, np.nan]), np.array([-1.0, -0.96, 0.04, -1.0])
    found = exposures.within(values, light, np.zeros(4, int), np.zeros(4, int), draws=10)
    assert found is not None
    assert found.reference == 0
    assert [(level.exposure, level.difference) for level in found.levels] == [(-1, 2 - 10)]
    assert found.levels[0].interval.method == "none"


@pytest.mark.parametrize(
    ("light", "reference"), [([-6.0, -3.0, -9.0], -3), ([-1.0, 1.0, -2.0], 1), ([2.0, 1.0, 3.0], 1)]
)
def test_the_reference_is_the_exposure_nearest_to_that_of_the_scene(light: list[float], reference: float) -> None:
    found = exposures.within(np.arange(3.0), np.array(light), np.zeros(3, int), np.zeros(3, int), draws=10)
    assert found is not None
    assert found.reference == reference
    assert sorted(level.exposure for level in found.levels) == sorted(set(light) - {reference})


def test_an_exposure_that_never_meets_the_reference_has_no_difference_to_it() -> None:
    values, light = np.array([1.0, 2, 5, 9]), np.array([0.0, -1, -1, -2])
    found = exposures.within(values, light, np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), draws=10)
    assert found is not None
    assert [(level.exposure, level.difference, level.scenes) for level in found.levels] == [(-1, 1, 1)]
    assert found.slope == pytest.approx((-1 - 4) / 2)


def test_without_a_scene_at_two_exposures_there_is_no_design() -> None:
    values, people = np.arange(4.0), np.arange(4)
    no_scene, alone = np.full(4, -1), np.arange(4)
    light = np.array([0.0, -1, -2, -3])
    assert exposures.within(values, light, no_scene, people) is None
    assert exposures.within(values, light, alone, people) is None
    assert exposures.within(values, np.full(4, np.nan), np.zeros(4, int), people) is None
    assert exposures.within(values, np.zeros(4), np.zeros(4, int), people) is None
    assert exposures.within(values[:0], light[:0], alone[:0], people[:0]) is None
