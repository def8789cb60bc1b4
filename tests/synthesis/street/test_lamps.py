"""The lights: colours, falls and sums against values from elsewhere."""

import math

import numpy as np
import pytest

from synthesis.street import lamps, scene
from synthesis.street.config import World
from synthesis.street.draws import Draws
from synthesis.street.scene import Illumination

DARK = np.zeros(3)


@pytest.mark.parametrize(
    ("temperature", "encoded"),
    # Black bodies in sRGB after M. Charity's table (CIE 1931, 2 degrees), rounded.
    [(2000, (255, 137, 14)), (3000, (255, 177, 110)), (4000, (255, 205, 166)), (5000, (255, 228, 206)),
     (6000, (255, 243, 239))],
)  # fmt: skip
def test_the_colours_of_black_bodies(temperature: float, encoded: tuple[int, int, int]) -> None:
    assert lamps.kelvin(temperature) ** (1 / 2.2) == pytest.approx(np.array(encoded) / 255, abs=0.03)


def test_hotter_is_bluer_all_the_way() -> None:
    ratios = np.array([lamps.kelvin(t)[2] / lamps.kelvin(t)[0] for t in range(1950, 6501, 50)])
    assert (np.diff(ratios) > 0).all()
    assert lamps.kelvin(1800).max() == 1
    assert lamps.kelvin(12000).max() == 1


def one(light: np.ndarray) -> Illumination:
    return Illumination(light[None], DARK, DARK)


def test_lamps_fall_with_the_square_and_the_cosine() -> None:
    light = lamps.light(np.array([0.0, 5.0, 0.0]), np.array([30.0, 20.0, 10.0]), scene.POINT, 0.1)
    points = np.array([[0.0, 0.0, 0.0], [0.0, 2.5, 0.0], [5.0, 0.0, 0.0], [0.0, 4.9, 0.0]])
    got = lamps.irradiance(one(light), points, np.tile([0.0, 1.0, 0.0], (4, 1)))
    falls = [1 / 25, 1 / 6.25, math.cos(math.pi / 4) / 50, 1 / 0.25]  # the last is nearer than half a metre
    assert got[:, 0] == pytest.approx(np.array(falls) * 30 / math.pi)
    assert got[:, 2] * 3 == pytest.approx(got[:, 0])


def test_a_lobe_is_a_lamp_where_it_points_and_nothing_behind() -> None:
    at, up = np.array([0.0, 4.0, 0.0]), np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    lamp, lobe = (lamps.light(at, np.ones(3), kind, 0.1, spread=4.0) for kind in (scene.POINT, scene.LOBE))
    points = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]])
    ratio = lamps.irradiance(one(lobe), points, up)[:, 0] / lamps.irradiance(one(lamp), points, up)[:, 0]
    assert ratio == pytest.approx([1.0, 0.25])  # cos^4 of 45 degrees
    above = lamps.irradiance(one(lobe), np.array([[0.0, 6.0, 0.0]]), np.array([[0.0, -1.0, 0.0]]))
    assert above == pytest.approx(0.0)


def test_fill_is_split_between_above_and_below() -> None:
    night = Illumination(np.zeros((0, scene.LIGHT)), np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.5, 0.5]))
    normals = np.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
    got = lamps.irradiance(night, np.zeros((3, 3)), normals)
    assert got == pytest.approx(np.array([[1, 2, 3], [0.5, 0.5, 0.5], [0.75, 1.25, 1.75]]))


def test_metering_is_the_mean_over_what_faces_the_camera() -> None:
    sun = lamps.light(np.array([0.0, 0.0, 6e4]), np.ones(3), scene.SUN, 0.3)  # at the horizon, behind the camera
    wanted = np.mean(np.cos(np.radians([60, 30, 0, 30, 60])))
    assert lamps.metered(one(sun), 0.0) == pytest.approx(wanted, rel=1e-4)
    assert lamps.metered(one(sun), math.pi) == pytest.approx(0.0, abs=1e-6)


def test_clouds_dim_the_sun_and_brighten_the_sky() -> None:
    earth = np.full(3, 0.2)
    clear, cloudy = (lamps.day_of(0.8, 0.3, clouds, earth) for clouds in (0.0, 1.0))
    assert cloudy.lights[0, scene.INTENSITY : scene.LIGHT_KIND] == pytest.approx(0.0)
    assert (cloudy.above > clear.above).all()
    assert np.linalg.norm(clear.lights[0, :3]) == pytest.approx(60.0)
    low = lamps.day_of(0.25, 0.3, 0.0, earth).lights[0, scene.INTENSITY : scene.LIGHT_KIND]
    high = clear.lights[0, scene.INTENSITY : scene.LIGHT_KIND]
    assert low[2] / low[0] < high[2] / high[0]  # a low sun is redder


def test_the_number_of_lamps_and_their_families_are_drawn_evenly() -> None:
    room = lamps.Room(-50, 50, -20, 2, 3, 12)
    hung = [lamps.lamps(World(), Draws.of(seed, "lamps"), room) for seed in range(300)]
    assert np.mean([len(some) == 2 for some in hung]) == pytest.approx(0.5, abs=0.1)
    kelvins = np.array([lamp.kelvin for some in hung for lamp in some])
    families = [(kelvins < 2301).mean(), ((kelvins > 2699) & (kelvins < 3201)).mean(), (kelvins > 3799).mean()]
    assert sum(families) == pytest.approx(1.0)
    assert min(families) > 0.28
    assert all(any(lamp.post for lamp in some) and not all(lamp.post for lamp in some) for some in hung)
