"""The things of the street as bodies."""

import math

import numpy as np
import pytest

from synthesis.street import materials, scene
from synthesis.street.draws import Draws
from synthesis.street.occluders import KINDS, OCCLUDERS, moved, occluder
from synthesis.street.scene import Array, Solids

# Metres: lowest and highest of a kind, and half of the most it may be wide.
SIZES = {"pole": (2.6, 4.6, 0.5), "bush": (0.5, 1.6, 1.1), "car": (1.3, 1.65, 2.4), "bin": (0.7, 1.3, 0.4),
         "bicycle": (0.9, 1.1, 1.0), "fence": (0.8, 1.3, 1.1), "tree": (3.5, 6.5, 2.9),
         "bollard": (0.7, 1.2, 0.2)}  # fmt: skip
EVERY = [(kind, seed) for kind in KINDS for seed in range(8)]


def extent(solids: Solids) -> tuple[Array, Array]:
    """Give the box around bodies; a body stretched along an axis reaches less far along it."""
    cones = solids.cones
    axes, squash = cones[:, scene.AXIS : scene.AXIS + 3], cones[:, scene.SQUASH : scene.SQUASH + 1]
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for start, radius in ((scene.A, scene.RA), (scene.B, scene.RB)):
        reach = cones[:, radius : radius + 1] * np.sqrt(1 - axes**2 + (axes / squash) ** 2)
        low = np.minimum(low, (cones[:, start : start + 3] - reach).min(axis=0))
        high = np.maximum(high, (cones[:, start : start + 3] + reach).max(axis=0))
    return low, high


@pytest.mark.parametrize(("kind", "seed"), EVERY)
def test_a_thing_stands_on_the_ground_and_has_its_kind_s_size(kind: str, seed: int) -> None:
    low, high = extent(occluder(kind, seed, "key"))
    lowest, highest, wide = SIZES[kind]
    assert -0.45 < low[1] < 0.25  # a body may begin in the ground
    assert lowest < high[1] < highest
    assert max(-low[0], high[0], -low[2], high[2]) < wide


@pytest.mark.parametrize(("kind", "seed"), EVERY)
def test_tables_refer_to_rows_that_exist(kind: str, seed: int) -> None:
    solids = occluder(kind, seed, "key")
    cones = solids.cones
    assert (cones[:, scene.OWNER] == scene.THING).all()
    assert (cones[:, scene.PART] == scene.BACKGROUND).all()
    assert (cones[:, scene.FRAME] == 0).all()
    assert set(cones[:, scene.MATERIAL]) == set(range(len(solids.materials)))
    assert set(solids.materials[:, 0]) <= set(materials.KINDS)
    near = cones[:, scene.NEAR :]
    assert ((near >= -1) & (near < len(cones))).all()
    assert (near != np.arange(len(cones))[:, None]).all()
    assert (cones[:, scene.SHADOW] == 1).all()


@pytest.mark.parametrize(("kind", "seed"), EVERY)
def test_the_kernel_s_conditions_hold(kind: str, seed: int) -> None:
    for row in occluder(kind, seed, "key").cones:
        squash, axis = row[scene.SQUASH], row[scene.AXIS : scene.AXIS + 3]
        assert squash >= 1  # the bounds of bodies take their radii as they are
        assert np.linalg.norm(axis) == pytest.approx(1.0)
        way = row[scene.B : scene.B + 3] - row[scene.A : scene.A + 3]
        long = np.linalg.norm(way + (squash - 1) * (way @ axis) * axis)
        if row[scene.KIND] == scene.OPEN:  # a ring whose ends swallow each other has no side
            assert long > abs(row[scene.RA] - row[scene.RB])


def test_a_thing_is_a_function_of_kind_seed_and_key() -> None:
    for kind in KINDS:
        first, again = occluder(kind, 1, "a"), KINDS[kind](Draws.of(1, "occluder", kind, "a"))
        assert np.array_equal(first.cones, again.cones)
        assert np.array_equal(first.materials, again.materials)
        others = [occluder(kind, 2, "a"), occluder(kind, 1, "b")]
        assert all(not np.array_equal(first.materials, other.materials) or
                   not np.array_equal(first.cones, other.cones) for other in others)  # fmt: skip


def test_cached_things_cannot_be_changed_by_moving_them() -> None:
    for kind in OCCLUDERS:
        before = occluder(kind, 0, "kept").cones.copy()
        moved(occluder(kind, 0, "kept"), 3.0, -2.0, 1.0)
        assert np.array_equal(occluder(kind, 0, "kept").cones, before)


def local(solids: Solids, point: Array) -> Array:
    frame = solids.frames[0]
    inside: Array = frame[3:].reshape(3, 3) @ (point - frame[:3])
    return inside


@pytest.mark.parametrize("yaw", [0.0, 0.7, math.pi / 2, -2.5])
def test_moving_is_rigid_and_the_paint_moves_along(yaw: float) -> None:
    car = occluder("car", 0, "key")
    away = moved(car, 4.0, -3.0, yaw)
    for start in (scene.A, scene.B):
        for before, after in zip(car.cones, away.cones, strict=True):
            assert local(away, after[start : start + 3]) == pytest.approx(before[start : start + 3])
    axes = away.cones[:, scene.AXIS : scene.AXIS + 3] @ away.frames[0, 3:].reshape(3, 3).T
    assert axes == pytest.approx(car.cones[:, scene.AXIS : scene.AXIS + 3])
    assert np.linalg.det(away.frames[0, 3:].reshape(3, 3)) == pytest.approx(1.0)


def test_yaw_turns_the_front_as_a_person_s_heading() -> None:
    ahead = moved(occluder("bin", 0, "key"), 1.0, 2.0, math.pi / 2)
    assert ahead.frames[0, 9:12] == pytest.approx([1.0, 0.0, 0.0])  # looks along (sin yaw, 0, cos yaw)
    assert ahead.frames[0, :3] == pytest.approx([1.0, 0.0, 2.0])
    back = moved(moved(ahead, -1.0, -2.0), 0.0, 0.0, -math.pi / 2)
    assert back.cones == pytest.approx(occluder("bin", 0, "key").cones)


def test_occluders_hide_something_of_a_person() -> None:
    """Count the points of a person's outline a metre behind that are hidden from straight ahead."""
    for kind in OCCLUDERS:
        for seed in range(4):
            cones = occluder(kind, seed, "key").cones
            share = np.linspace(0, 1, 25)[:, None, None]
            balls = cones[:, scene.A : scene.A + 3] * (1 - share) + cones[:, scene.B : scene.B + 3] * share
            radii = cones[:, scene.RA] * (1 - share[..., 0]) + cones[:, scene.RB] * share[..., 0]
            x, y = np.meshgrid(np.linspace(-0.25, 0.25, 26), np.linspace(0.02, 1.7, 85))
            away = np.hypot(x[..., None, None] - balls[..., 0], y[..., None, None] - balls[..., 1])
            hidden = (away < radii).any(axis=(-1, -2)).mean()
            assert 0.02 < hidden < 0.95, (kind, seed, hidden)
