"""A shot's pictures: pure, of the promised sizes and light, and changed by what should change them."""

from dataclasses import replace

import numpy as np
import pytest

from benchmark import images
from synthesis.street import camera, config, places, render, shots
from synthesis.street.config import World
from synthesis.street.shots import Shot
from synthesis.street.trace import trace

SMALL = config.load("demo", ["height=48"])


def some(world: World, step: int = 9) -> list[Shot]:
    return [shots.shot(world, 0, walk, 0) for walk in shots.walks(world, 0)[::step]]


def forget() -> None:
    """Empty every cache between the draws and the picture."""
    from synthesis.street import body, camera, people, places

    for cached in (places.place, places.illumination, camera.sensor, people.person, shots.shots, render._metered):
        cached.cache_clear()
    body._figure.cache_clear()


def test_a_picture_is_the_same_whatever_was_rendered_before_it() -> None:
    wanted = some(SMALL)
    forward = [render.take(SMALL, 0, shot).files for shot in wanted]
    forget()
    backward = [render.take(SMALL, 0, shot).files for shot in wanted[::-1]][::-1]
    assert forward == backward
    forget()
    assert render.take(SMALL, 0, wanted[-1]).files == forward[-1]


def test_more_people_cameras_of_a_person_and_pictures_change_no_picture() -> None:
    first = some(SMALL, 30)
    bigger = SMALL.model_copy(update={"identities": 100, "frames": (5, 9), "mean_frames": None})
    for shot in first:
        again = shots.shot(bigger, 0, shots.Walk(shot.pid, shot.camid, 9), shot.frame)
        assert render.take(bigger, 0, again).files == render.take(SMALL, 0, shot).files


@pytest.mark.parametrize("change", ["seed", "difficulty", "quality", "space"])
def test_what_shapes_a_world_changes_its_pictures(change: str) -> None:
    updates: dict[str, dict[str, str]] = {"difficulty": {"difficulty": "hard"}, "quality": {"quality": "full"}}
    world = SMALL.model_copy(update=(updates | {"space": {"space": "x"}, "seed": {}})[change])
    seed = int(change == "seed")
    for shot in some(SMALL, 25):
        there = shots.shot(world, seed, shots.Walk(shot.pid, shot.camid, 3), 0)
        assert render.take(world, seed, there).files["night"] != render.take(SMALL, 0, shot).files["night"]


def test_day_and_night_are_one_geometry_and_two_lights() -> None:
    for shot in some(SMALL, 20):
        found = render.take(SMALL, 0, shot).rendering
        np.testing.assert_allclose(found.night, found.albedo * found.irradiance + found.emission, rtol=1e-5, atol=1e-6)
        shown = found.albedo.max(axis=2) > 0.02
        ratio = (found.day / np.maximum(found.albedo, 1e-6))[shown] / np.maximum(found.irradiance[shown], 1e-6)
        # A night that were a darker day would have one ratio everywhere.
        assert np.percentile(ratio, 95) > 2 * np.percentile(ratio, 5)


def test_every_pixel_that_is_seen_of_a_person_is_theirs_and_has_a_part() -> None:
    for shot in some(SMALL, 12):
        found = render.take(SMALL, 0, shot).rendering
        assert (found.amodal | ~found.mask).all()
        assert ((found.part >= 0) == found.mask).all()
        assert found.mask.mean() > 0.05 or shot.occluder is not None


def test_what_stands_before_a_person_hides_a_part_of_them() -> None:
    world = config.load("demo", ["height=64", "occluded=1"])
    shares = []
    for shot in some(world, 4):
        found = render.take(world, 0, shot).rendering
        assert shot.occluder is not None
        shares.append(1 - found.mask.sum() / found.amodal.sum())
        clear = render.take(world, 0, replace(shot, occluder=None)).rendering
        # The outline is that of the person without it.
        assert (clear.amodal == found.amodal).all()
    assert np.mean(np.array(shares) > 0.02) > 0.6
    assert np.median(shares) < 0.7


def test_every_picture_has_noise_of_its_own() -> None:
    """The same light taken as another frame, or as day instead of night, has other noise."""
    shot = some(SMALL, 40)[0]
    staged = render.stage(SMALL, 0, shot)
    seen = trace(staged.scene)
    twice = [render.photograph(SMALL, 0, shot, staged, seen, "night") for _ in range(2)]
    later = render.photograph(SMALL, 0, replace(shot, frame=shot.frame + 1), staged, seen, "night")
    assert (twice[0] == twice[1]).all()
    assert (later != twice[0]).mean() > 0.3
    assert abs(later.mean() - twice[0].mean()) < 2


def test_a_walking_person_smears_by_night_and_not_by_day() -> None:
    world = config.load("demo", ["height=256", "cameras.blur=[0.1, 0.1]"])
    shot = next(s for s in some(world, 1) if s.speed > 1 and abs(np.sin(s.pose.yaw)) > 0.9 and s.occluder is None)
    taken, still = render.take(world, 0, shot), render.take(world, 0, replace(shot, speed=0.0))
    assert taken.files["day"] == still.files["day"]
    assert taken.files["night"] != still.files["night"]


@pytest.fixture(scope="module")
def demo() -> list[tuple[float, int, float]]:
    """Give lightness by night, height, and lightness by day of the demo's shots."""
    world = config.load("demo")
    found = []
    for walk in shots.walks(world, 0):
        taken = render.take(world, 0, shots.shot(world, 0, walk, walk.frames // 2))
        light = [images.lightness(taken.pictures[time]) for time in ("night", "day")]
        found.append((light[0], taken.staged.box.height, light[1]))
    return found


def test_every_light_level_holds_a_tenth_of_the_true_night(demo: list[tuple[float, int, float]]) -> None:
    light = np.array([night for night, _, _ in demo])
    assert min(np.mean(light < 25.5), np.mean((light >= 25.5) & (light < 51)), np.mean(light >= 51)) >= 0.1


def test_every_size_holds_fifteen_hundredths(demo: list[tuple[float, int, float]]) -> None:
    height = np.array([height for _, height, _ in demo])
    assert min(np.mean(height < 100), np.mean((height >= 100) & (height < 200)), np.mean(height >= 200)) >= 0.15


def test_a_light_level_is_not_a_size(demo: list[tuple[float, int, float]]) -> None:
    light = np.digitize([night for night, _, _ in demo], [25.5, 51])
    size = np.digitize([height for _, height, _ in demo], [100, 200])
    cells = np.array([[np.sum((light == row) & (size == column)) for column in range(3)] for row in range(3)])
    # Every size is there in the dark, and in the light, and at least eight of the nine cells hold something.
    assert (cells > 0).sum() >= 8, cells
    assert (cells[0] > 0).all(), cells
    assert abs(np.corrcoef(np.log([one[0] for one in demo]), np.log([one[1] for one in demo]))[0, 1]) < 0.5


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("preset", ["demo", "night600", "dev", "held"])
def test_dark_cameras_are_small_and_big_ones(preset: str, seed: int) -> None:
    world = config.load(preset)
    size = [places.place(world, seed, camid).size for camid in range(1, 9)]
    light = [camera.sensor(world, seed, camid).lightness for camid in range(1, 9)]
    assert abs(np.corrcoef(np.log(size), np.log(light))[0, 1]) < 0.3


def test_days_are_bright_and_brighter_than_their_nights(demo: list[tuple[float, int, float]]) -> None:
    assert min(day for _, _, day in demo) > 51
    assert np.mean([day > night for night, _, day in demo]) > 0.9
