"""The tracer against geometry and the laws of light, each computed here from scratch."""

import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synthesis.street import materials
from synthesis.street import scene as table
from synthesis.street.scene import Array, Scene
from synthesis.street.trace import Rendering, trace


def sibling(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


scenes, marcher = sibling("scenes"), sibling("marcher")

HYPOTHESIS = settings(max_examples=25, deadline=None, derandomize=True, database=None)
POWER = np.array([20.0, 16.0, 10.0])  # of scenes.lamp


def rays(scene: Scene) -> Array:
    """Give the pixels' unit directions as an image."""
    return np.asarray(marcher.rays(scene).reshape(scene.view.height, scene.view.width, 3))


def points(scene: Scene, drawn: Rendering) -> Array:
    depth = np.where(np.isfinite(drawn.depth), drawn.depth, 0).astype(float)
    return np.asarray(scene.view.eye + depth[:, :, None] * rays(scene))


def same(one: Rendering, two: Rendering) -> bool:
    return all(np.array_equal(getattr(one, field.name), getattr(two, field.name)) for field in fields(Rendering))


def around(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell the pixels that have both kinds among themselves and their eight neighbours."""
    wide = np.pad(flags, 1, mode="edge")
    height, width = flags.shape
    near = np.stack([wide[j : j + height, i : i + width] for j in range(3) for i in range(3)])
    return np.asarray(near.any(axis=0) & ~near.all(axis=0))


# Shapes.


def test_a_sphere_has_its_depth_normal_and_outline() -> None:
    middle, radius, away = np.array([0.0, 1.0, 0.0]), 0.6, 6.0
    scene = scenes.build([scenes.cone(middle, middle, radius)], look=scenes.view((0, 1, away), middle, 1.5))
    drawn, aim = trace(scene), rays(scene)
    along = away * -aim[:, :, 2]  # of the way to the sphere's middle
    aside = away**2 - along**2
    depth = along - np.sqrt(np.maximum(radius**2 - aside, 0))
    assert np.array_equal(drawn.mask, aside < radius**2)
    np.testing.assert_allclose(drawn.depth[drawn.mask], depth[drawn.mask], rtol=1e-6)
    normal = (scene.view.eye + depth[:, :, None] * aim - middle) / radius
    np.testing.assert_allclose(drawn.normal[drawn.mask], normal[drawn.mask], atol=1e-6)
    pixels = scene.view.focal * radius / np.sqrt(away**2 - radius**2) / scene.view.step
    assert np.sqrt(drawn.mask.sum() / np.pi) == pytest.approx(pixels, abs=0.3)


def surface_of(row: Array, scene: Scene, near: float, far: float) -> tuple[Array, Array]:
    """Find by sampling and bisection where rays enter a cone, by its distance function, and how near they come."""
    distance, aim, eye = marcher.cone(row), marcher.rays(scene), scene.view.eye
    steps = np.linspace(near, far, 200)
    values = distance((eye + steps[:, None, None] * aim).reshape(-1, 3)).reshape(len(steps), -1)
    first = np.argmax(values < 0, axis=0)
    low, high = steps[np.maximum(first - 1, 0)], steps[first]
    for _ in range(40):
        middle = 0.5 * (low + high)
        inside = distance(eye + middle[:, None] * aim) < 0
        low, high = np.where(inside, low, middle), np.where(inside, middle, high)
    return np.where(values.min(axis=0) < 0, high, np.inf), values.min(axis=0)


length, place = st.floats(0.05, 0.6), st.tuples(*[st.floats(-0.6, 0.6)] * 3)


@HYPOTHESIS
@given(place, place, length, length, st.sampled_from([1.0, 1.3, 1.8]), place)
def test_a_cone_is_where_its_distance_is_zero_and_its_normal_the_slope(
    a: tuple[float, ...], b: tuple[float, ...], low: float, high: float, squash: float, axis: tuple[float, ...]
) -> None:
    row = scenes.cone(a, b, low, high, squash, np.add(axis, (0, 0, 1)))
    look = scenes.view((0.3, 0.8, 6), (0, 0, 0), 2.5)
    scene = scenes.build([row], look=look.window(look.left, look.top, 24, 12, 2 * look.step))
    drawn = trace(scene)
    depth, least = surface_of(row, scene, 4.2, 7.8)
    met = np.isfinite(drawn.depth).ravel()
    assert (met == np.isfinite(depth))[np.abs(least) > 5e-3].all()  # nearer than that, the samples may step over it
    both = met & np.isfinite(depth)
    assume(both.any())
    np.testing.assert_allclose(drawn.depth.ravel()[both], depth[both], atol=1e-4)
    slope = marcher.slope(marcher.cone(row), scene.view.eye + depth[both, None] * marcher.rays(scene)[both])
    cosine = (slope * drawn.normal.reshape(-1, 3)[both]).sum(axis=1)
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 0.1


def test_an_open_tube_shows_its_inside() -> None:
    radius, away = 0.5, 6.0
    tube = scenes.cone((0, 1, -1), (0, 1, 1), radius, kind=table.OPEN)
    scene = scenes.build([tube], look=scenes.view((0, 1, away), (0, 1, 0), 1.5))
    drawn, aim = trace(scene), rays(scene)
    outward = np.hypot(aim[:, :, 0], aim[:, :, 1])
    depth = radius / outward
    height = away + depth * aim[:, :, 2]
    assert np.array_equal(drawn.mask, np.abs(height) < 1)
    np.testing.assert_allclose(drawn.depth[drawn.mask], depth[drawn.mask], rtol=1e-6)
    inward = -np.stack([aim[:, :, 0], aim[:, :, 1], np.zeros_like(depth)], axis=2) / outward[:, :, None]
    np.testing.assert_allclose(drawn.normal[drawn.mask], inward[drawn.mask], atol=1e-6)
    assert not drawn.mask[11:13, 23:25].any()  # one looks through


def test_a_squashed_sphere_is_an_ellipsoid() -> None:
    middle, radius, squash = np.array([0.0, 1.0, 0.0]), 0.6, 1.5
    row = scenes.cone(middle, middle, radius, squash=squash, axis=(1, 0, 0))
    scene = scenes.build([row], look=scenes.view((0, 1, 40), middle, 1.5))
    drawn = trace(scene)
    inside = (points(scene, drawn) - middle) / radius * (squash, 1, 1)
    np.testing.assert_allclose(np.linalg.norm(inside[drawn.mask], axis=1), 1, atol=1e-5)
    pixel = 1.5 / scene.view.height
    assert drawn.mask.sum() == pytest.approx(np.pi * radius**2 / squash / pixel**2, rel=0.05)
    assert drawn.mask.any(axis=1).sum() > 1.3 * drawn.mask.any(axis=0).sum()


def test_the_ground_is_where_rays_reach_it() -> None:
    scene = scenes.build(rectangles=[scenes.ground()])
    drawn, aim = trace(scene), rays(scene)
    depth = -1.6 / aim[:, :, 1]
    at = scene.view.eye + depth[:, :, None] * aim
    down = (depth > 0) & (np.abs(at[:, :, [0, 2]]) < 40).all(axis=2)
    assert np.array_equal(np.isfinite(drawn.depth), down)
    assert down.any() > down.all()
    np.testing.assert_allclose(drawn.depth[down], depth[down], rtol=1e-6)
    assert (drawn.normal[down] == (0, 1, 0)).all()


def test_a_rectangle_ends_at_its_edges_and_has_two_sides() -> None:
    wall = scenes.rectangle((-0.8, 0.5, 0), (1.6, 0, 0), (0, 0.9, 0))
    for side in (1, -1):
        scene = scenes.build(rectangles=[wall], look=scenes.view((0, 0.9, 8 * side)))
        drawn, aim = trace(scene), rays(scene)
        at = scene.view.eye + aim * (8 / np.abs(aim[:, :, 2]))[:, :, None]
        inside = (np.abs(at[:, :, 0]) < 0.8) & (at[:, :, 1] > 0.5) & (at[:, :, 1] < 1.4)
        assert np.array_equal(np.isfinite(drawn.depth), inside)
        assert (drawn.normal[inside] == (0, 0, side)).all()


@pytest.mark.parametrize("seed", range(4))
def test_normals_have_unit_length_and_face_the_viewer(seed: int) -> None:
    scene = scenes.street(seed)
    drawn = trace(scene)
    met = np.isfinite(drawn.depth)
    np.testing.assert_allclose(np.linalg.norm(drawn.normal[met], axis=1), 1, atol=1e-6)
    assert (drawn.normal * rays(scene)).sum(axis=2)[met].max() <= 1e-6
    bent = trace(scenes.street(seed, blend=True, painted=True)).normal[met]
    np.testing.assert_allclose(np.linalg.norm(bent, axis=1), 1, atol=1e-6)


def test_blending_joins_two_bodies_without_a_seam() -> None:
    bodies = [((-0.25, 1, 0), (1,)), ((0.25, 1, 0), (0,))]
    turns = []
    for near in (False, True):
        cones = [scenes.cone(at, at, 0.3, near=other if near else ()) for at, other in bodies]
        drawn = trace(scenes.build(cones, look=scenes.view((0, 1, 6), (0, 1, 0), 0.2)))
        across = drawn.normal[12][drawn.mask[12]]
        turns.append((across[1:] * across[:-1]).sum(axis=1).min())
        assert across[:, 0] == pytest.approx(-across[::-1, 0], abs=1e-6)  # the pair is its own mirror image
    without, blended = np.degrees(np.arccos(turns))
    assert without > 100
    assert blended < 40  # of which the balls' own roundness is some


# Light.


def ground_under(lamps: list[Array]) -> tuple[Scene, Rendering, Array, NDArray[np.bool_]]:
    """Light the bare ground from above: the scene, its rendering, the points of the ground, and where they are."""
    look = scenes.view((0, 5, 0.5), (0, 0, 0), 6)
    scene = scenes.build(rectangles=[scenes.ground()], night=scenes.light(lamps), look=look)
    drawn = trace(scene)
    return scene, drawn, points(scene, drawn), np.isfinite(drawn.depth)


@pytest.mark.parametrize("height", [0.3, 2.0, 4.0, 8.0])
def test_light_falls_with_the_square_and_the_cosine(height: float) -> None:
    _, drawn, at, met = ground_under([scenes.lamp((0.4, height, -0.2))])
    away = np.linalg.norm(at - (0.4, height, -0.2), axis=2)
    expected = height / away / (np.pi * np.maximum(away**2, 0.25))
    assert met.all()
    np.testing.assert_allclose(drawn.irradiance, expected[:, :, None] * POWER, rtol=1e-5)


def test_twice_as_far_is_a_quarter() -> None:
    wall = scenes.rectangle((-0.02, 0.98, 0), (0.04, 0, 0), (0, 0.04, 0))
    look = scenes.view((0, 1, 3), (0, 1, 0), 0.01)
    near, far = (
        trace(scenes.build([], [wall], scenes.light([scenes.lamp((0, 1, z))]), look=look)).irradiance
        for z in (1.5, 3.0)
    )
    np.testing.assert_allclose(near / far, 4, rtol=1e-4)


@pytest.mark.parametrize("spread", [0.0, 2.0, 9.0])
def test_a_lobe_narrows_about_its_direction(spread: float) -> None:
    position, toward = np.array([1.0, 2.0, 0.5]), scenes.unit((-1, -1.2, -0.4))
    lobe = scenes.lamp(position, kind=table.LOBE, direction=toward, spread=spread)
    lobed, bare = (ground_under([lamp])[1].irradiance for lamp in (lobe, scenes.lamp(position)))
    _, _, at, _ = ground_under([lobe])
    cosine = (units(at - position) * toward).sum(axis=2)
    expected = np.where(cosine > 0, np.maximum(cosine, 1e-9) ** spread, 0 if spread else 1)
    np.testing.assert_allclose(lobed, bare * expected[:, :, None], rtol=1e-5, atol=1e-9)


def units(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def test_a_lobe_sends_nothing_behind_it() -> None:
    lobe = scenes.lamp((0, 2, 0), kind=table.LOBE, direction=(0, 1, 0), spread=3.0)
    assert not ground_under([lobe])[1].irradiance.any()


def test_the_sun_falls_with_the_cosine_only() -> None:
    sun = scenes.sun((0.5, 1, 0.3))
    _, drawn, at, _ = ground_under([sun])
    toward = units(sun[:3] - at)
    np.testing.assert_allclose(drawn.irradiance, toward[:, :, 1:2] * sun[3:6], rtol=1e-5)


def test_light_of_several_lamps_adds_up() -> None:
    lamps = [scenes.lamp((x, 3, 1)) for x in (-2, 0.5, 1)]
    together = ground_under(lamps)[1].irradiance
    np.testing.assert_allclose(together, sum(ground_under([lamp])[1].irradiance for lamp in lamps), rtol=1e-5)


def test_albedo_one_in_even_light_is_a_constant_picture() -> None:
    glow = materials.material(materials.GLOW, (0.9, 0.9, 0.9))
    even = scenes.light(above=(0.3, 0.2, 0.1), below=(0.3, 0.2, 0.1))
    cones = [scenes.cone((x, 0.7, 0), (x, 1.2, 0), 0.3, 0.2, owner=table.THING) for x in (-1, 0, 1)]
    drawn = trace(scenes.build(cones, [scenes.ground()], even, paints=[glow]))
    met = np.isfinite(drawn.depth)
    np.testing.assert_allclose(drawn.irradiance[met], np.full((met.sum(), 3), (0.3, 0.2, 0.1)), rtol=1e-6)
    np.testing.assert_allclose(drawn.night[met], np.full((met.sum(), 3), (0.27, 0.18, 0.09)), rtol=1e-6)


def test_fill_from_above_and_below_follows_the_slope() -> None:
    night = scenes.light(above=(1, 0, 0), below=(0, 1, 0))
    ball = scenes.cone((0, 2, 0), (0, 2, 0), 0.5, owner=table.THING)
    drawn = trace(scenes.build([ball], night=night, look=scenes.view((0, 2, 5), (0, 2, 0), 1.2)))
    up = drawn.normal[:, :, 1][np.isfinite(drawn.depth)]
    got = drawn.irradiance[np.isfinite(drawn.depth)]
    np.testing.assert_allclose(got, np.stack([0.5 + 0.5 * up, 0.5 - 0.5 * up, 0 * up], axis=1), atol=1e-6)
    assert up.max() > 0.9 > -0.9 > up.min()


def test_contacts_darken_the_ground_only_and_legs_get_less_than_heads() -> None:
    even = scenes.light(above=(1, 1, 1), below=(1, 1, 1))
    pole = [scenes.cone((0, 0.3, 0), (0, 2, 0), 0.2, owner=owner) for owner in (table.SUBJECT, table.THING)]
    contact = [(0, 0, 0.5, 0.6)]
    person, thing = (trace(scenes.build([one], [scenes.ground()], even, contacts=contact)) for one in pole)
    at = points(scenes.build([pole[0]], [scenes.ground()]), person)
    ground = np.isfinite(person.depth) & ~person.mask
    expected = 1 - 0.6 * np.exp(-(at[:, :, 0] ** 2 + at[:, :, 2] ** 2) / 0.25)
    np.testing.assert_allclose(person.irradiance[ground], expected[ground][:, None].repeat(3, axis=1), rtol=1e-5)
    np.testing.assert_allclose(thing.irradiance[person.mask], 1, rtol=1e-6)
    low, high = (person.irradiance[person.mask & band].mean() for band in (at[:, :, 1] < 0.4, at[:, :, 1] > 1.2))
    assert low < 0.8 < 0.999 < high
    assert person.irradiance[person.mask].min() >= 0.6


def test_contacts_do_not_darken_the_foot_of_a_wall() -> None:
    even = scenes.light(above=(1, 1, 1), below=(1, 1, 1))
    wall = scenes.rectangle((-1, 0, 0), (2, 0, 0), (0, 1, 0))
    look = scenes.view((0, 0.1, 2), (0, 0.02, 0), 0.1)
    scene = scenes.build([], [scenes.ground(), wall], even, contacts=[(0, 0, 0.5, 0.6)], look=look)
    drawn = trace(scene)
    upright = drawn.normal[:, :, 2] > 0.9
    assert (drawn.irradiance[upright] == 1).all()
    assert drawn.irradiance[~upright].min() < 0.42
    assert drawn.irradiance[~upright].max() < 0.8
    assert 0.2 < upright.mean() < 0.8
    assert points(scene, drawn)[upright][:, 1].min() < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_night_is_albedo_times_irradiance_plus_emission(seed: int) -> None:
    drawn = trace(scenes.street(seed, painted=True))
    expected = drawn.albedo.astype(float) * drawn.irradiance + drawn.emission
    np.testing.assert_allclose(drawn.night, expected, rtol=3e-7, atol=1e-12)
    assert drawn.emission.max() > 0.05
    assert np.ptp(drawn.albedo) > 0.2


# Shadows.


def test_the_shadow_of_an_edge_lies_where_geometry_says() -> None:
    lamp = np.array([-2.0, 4.0, 1.0])
    screen = scenes.rectangle((0, 0, -1.5), (0, 0, 1.5), (0, 1.2, 0), shadow=1)
    look = scenes.view((0.6, 6, -0.4), (0.6, 0, -0.9), 2)
    scene = scenes.build([], [scenes.ground(), screen], scenes.light([scenes.lamp(lamp)]), look=look)
    drawn = trace(scene)
    at = points(scene, drawn)
    ground = np.abs(at[:, :, 1]) < 1e-4
    share = lamp[0] / (lamp[0] - at[:, :, 0])  # of the way from the lamp, where it crosses x = 0
    crossing = lamp + share[:, :, None] * (at - lamp)
    behind = (at[:, :, 0] > 0) & (crossing[:, :, 1] < 1.2) & (np.abs(crossing[:, :, 2] + 0.75) < 0.75)
    wrong = ground & (behind != (drawn.visible[:, :, 0] == 0))
    assert not (wrong & ~around(behind)).any()
    assert (behind & ground).sum() > 100


def test_the_shadow_of_a_pole_lies_where_geometry_says() -> None:
    lamp, radius, tall = np.array([-1.0, 3.0, 1.0]), 0.12, 1.4
    pole = scenes.cone((0, -1, 0), (0, tall, 0), radius)
    look = scenes.view((0.5, 6, 0), (0.5, 0, -0.5), 1.2)
    scene = scenes.build([pole], [scenes.ground()], scenes.light([scenes.lamp(lamp)]), look=look)
    drawn = trace(scene)
    at = points(scene, drawn)
    plan = (at - lamp)[:, :, [0, 2]]
    far = np.linalg.norm(plan, axis=2)
    along = (-lamp[[0, 2]] * plan).sum(axis=2) / far  # to where the ray passes the pole, seen from above
    aside = np.abs(plan[:, :, 0] * -lamp[2] - plan[:, :, 1] * -lamp[0]) / far
    height = lamp[1] * (1 - along / far)
    behind = (along > 0) & (along < far) & (aside < radius) & (height < tall)
    ground = ~drawn.mask & (height < tall - 0.1)  # the pole's end is round
    wrong = ground & (behind != (drawn.visible[:, :, 0] == 0))
    assert not (wrong & ~around(behind)).any()
    assert (behind & ground).sum() > 40


def test_what_casts_no_shadow_lets_light_through() -> None:
    def shadows(cast: int) -> int:
        bodies = [scenes.cone((0, 1, 0), (0, 1, 0), 0.4, shadow=cast, owner=table.THING)]
        lamps = scenes.light([scenes.lamp((0, 5, 0))])
        drawn = trace(scenes.build(bodies, [scenes.ground()], lamps, look=scenes.view((0, 1.6, 8), tall=2.5)))
        return int((drawn.visible[:, :, 0] == 0)[np.abs(drawn.normal[:, :, 1] - 1) < 1e-6].sum())

    assert shadows(1) > 10
    assert shadows(0) == 0


def test_an_open_tube_casts_its_shadow_and_lets_light_through_its_middle() -> None:
    lamp, radius = np.array([0.0, 3.0, 0.0]), 0.5
    tube = scenes.cone((0, 0.5, 0), (0, 1, 0), radius, kind=table.OPEN)
    look = scenes.view((0, 0.9, 4), (0, 0, 0), 1)
    scene = scenes.build([tube], [scenes.ground()], scenes.light([scenes.lamp(lamp)]), look=look)
    drawn = trace(scene)
    at, ground = points(scene, drawn), np.isfinite(drawn.depth) & ~drawn.mask
    away = np.hypot(at[:, :, 0], at[:, :, 2])
    ring = (away > radius * 3 / 2.5) & (away < radius * 3 / 2)
    wrong = ground & (ring != (drawn.visible[:, :, 0] == 0))
    assert not (wrong & ~around(ring)).any()
    assert (ground & ring).sum() > 20
    assert (ground & (away < radius)).sum() > 5


# Who and what.


def test_the_mask_is_the_subject_and_parts_are_the_subjects() -> None:
    front = scenes.cone((0.3, 1, 1), (0.3, 1, 1), 0.3, owner=2)
    thing = scenes.cone((-0.9, 1, 1), (-0.9, 1, 1), 0.3, owner=table.THING)
    subject = scenes.cone((0, 1, 0), (0, 1, 0), 0.4, owner=table.SUBJECT)
    subject[table.PART] = table.BAG
    alone, crowd = (trace(scenes.build(cones, [scenes.ground()])) for cones in ([subject], [front, thing, subject]))
    assert np.array_equal(crowd.mask, crowd.owner == table.SUBJECT)
    assert crowd.mask.sum() < alone.mask.sum()
    assert np.array_equal(crowd.amodal, alone.mask)
    assert not (crowd.mask & ~alone.mask).any()
    assert set(np.unique(crowd.owner)) == {table.THING, table.SUBJECT, 2}
    assert (crowd.part[crowd.mask] == table.BAG).all()
    assert (crowd.part[~crowd.mask] == table.BACKGROUND).all()


NOTHING_THERE: dict[str, Callable[[], Scene]] = {
    "empty tables": lambda: scenes.build(),
    "no light": lambda: scenes.build([scenes.cone((0, 1, 0), (0, 1, 0), 0.3)], [scenes.ground()]),
    "nothing in view": lambda: scenes.build(
        [scenes.cone((0, 1, 20), (0, 1, 21), 0.3)], night=scenes.light([scenes.lamp((0, 4, 0))])
    ),
    "only lights": lambda: scenes.build(night=scenes.light([scenes.lamp((0, 4, 0))])),
}


@pytest.mark.parametrize("quality", ["fast", "full"])
@pytest.mark.parametrize("name", list(NOTHING_THERE))
def test_where_nothing_is_there_is_no_light(name: str, quality: str) -> None:
    scene = NOTHING_THERE[name]()
    drawn = trace(scene, quality)
    assert not drawn.day.any()
    assert not drawn.irradiance.any()
    assert drawn.visible.shape == (24, 48, len(scene.night.lights))
    nothing = ~np.isfinite(drawn.depth)
    assert nothing.all() == (name != "no light")
    assert not drawn.emission[nothing].any()
    assert not drawn.normal[nothing].any()
    assert (drawn.owner[nothing] == table.THING).all()


def test_a_picture_of_one_pixel_is_the_middle_of_a_bigger_one() -> None:
    scene = scenes.street(1)
    whole = trace(scene)
    view = scene.view
    for j, i in ((0, 0), (12, 24), (23, 47), (15, 20)):
        corner = (view.left + i * view.step, view.top + j * view.step)
        one = trace(replace(scene, view=view.window(*corner, 1, 1, view.step)))
        for field in fields(Rendering):
            np.testing.assert_allclose(
                getattr(one, field.name)[0, 0], getattr(whole, field.name)[j, i], rtol=1e-5, atol=1e-6
            )


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_bodies_and_bodies_out_of_sight_change_nothing(seed: int) -> None:
    scene = scenes.street(seed)
    cones = scene.solids.cones
    behind = scenes.cone((3, 1, 12), (-3, 2, 9), 0.9, 0.3, shadow=0)
    more = np.concatenate([[behind], cones[::-1]])
    other = replace(scene, solids=replace(scene.solids, cones=more))
    assert same(trace(scene), trace(other))


def moved(scene: Scene, turn: float, x: float, z: float) -> Scene:
    """Turn a whole scene about the upright through the origin, and then shift it."""
    cosine, sine = np.cos(turn), np.sin(turn)
    matrix, shift = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]), np.array([x, 0, z])

    def at(rows: Array, points: tuple[int, ...] = (), directions: tuple[int, ...] = ()) -> Array:
        rows = rows.copy()
        for column in (*points, *directions):
            rows[..., column : column + 3] = rows[..., column : column + 3] @ matrix.T + (
                shift if column in points else 0
            )
        return rows

    view = replace(scene.view, eye=at(scene.view.eye, (0,)), right=at(scene.view.right, (), (0,)),
                   up=at(scene.view.up, (), (0,)), forward=at(scene.view.forward, (), (0,)))  # fmt: skip
    day, night = (
        replace(light, lights=at(light.lights, (table.POSITION,), (table.DIRECTION,)))
        for light in (scene.day, scene.night)
    )
    solids = replace(scene.solids, cones=at(scene.solids.cones, (table.A, table.B), (table.AXIS,)))
    flats = at(scene.rectangles, (table.CORNER,), (table.EDGE_U, table.EDGE_V))
    return replace(scene, view=view, solids=solids, rectangles=flats, day=day, night=night)


@pytest.mark.parametrize("turn", [0.7, 2.0, -1.6])
def test_a_scene_that_is_moved_as_a_whole_looks_the_same(turn: float) -> None:
    scene = scenes.street(2)
    here, there = trace(scene), trace(moved(scene, turn, 3.1, -7.7))
    for name in ("day", "night", "depth"):
        close = np.isclose(getattr(here, name), getattr(there, name), rtol=1e-4, atol=1e-6)
        assert close.mean() > 0.999
    assert (here.owner != there.owner).mean() < 0.001


def test_threads_draw_what_one_draws_alone() -> None:
    built = [scenes.street(seed, blend=True, painted=True) for seed in range(8)]
    alone = [trace(scene) for scene in built]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(trace, built))
    assert all(same(one, two) for one, two in zip(alone, together, strict=True))


# Full quality.


def finer(scene: Scene, times: int) -> Array:
    """Draw many times as fine, and average: what a picture's day ought to be."""
    view = scene.view
    width, height = view.width * times, view.height * times
    big = trace(replace(scene, view=view.window(view.left, view.top, width, height, view.step / times))).day
    return np.asarray(big.reshape(view.height, times, view.width, times, 3).mean(axis=(1, 3), dtype=float))


@pytest.mark.parametrize("seed", range(3))
def test_full_quality_is_nearer_to_a_finer_picture(seed: int) -> None:
    scene = scenes.street(seed)
    for light in (scene.day, scene.night):
        light.lights[:, table.RADIUS] = 0
    fast, full, best = trace(scene).day, trace(scene, "full").day, finer(scene, 8)
    assert np.sqrt(((full - best) ** 2).mean()) < 0.7 * np.sqrt(((fast - best) ** 2).mean())


def test_full_quality_averages_the_edges_and_only_those() -> None:
    even = scenes.light(above=(0.4, 0.4, 0.4), below=(0.4, 0.4, 0.4))
    wall = scenes.rectangle((-0.83, 0.21, 0), (1.7, 0.1, 0), (-0.1, 1.3, 0))
    scene = scenes.build([], [wall], day=even)
    fast, full = trace(scene), trace(scene, "full")
    inside = np.isfinite(fast.depth)
    edge = around(inside)
    assert np.array_equal(full.day[~edge], fast.day[~edge])
    colour = fast.day[inside].max(axis=0)
    share = (full.day / colour)[:, :, 0]
    np.testing.assert_allclose(4 * share, np.round(4 * share), atol=1e-5)
    assert len(np.unique(np.round(4 * share[edge]))) == 5
    u, v = wall[table.EDGE_U : table.EDGE_U + 3], wall[table.EDGE_V : table.EDGE_V + 3]
    pixel = scene.view.step * np.linalg.norm(scene.view.eye - (0, 0.9, 0)) / scene.view.focal
    area = np.linalg.norm(np.cross(u, v)) / pixel**2
    assert share.sum() == pytest.approx(area, rel=0.02)
    for name in ("irradiance", "albedo", "emission", "normal", "depth", "mask", "part", "owner"):
        assert np.array_equal(getattr(full, name), getattr(fast, name))


def test_a_lamp_with_a_disc_has_soft_shadows_in_full_quality_only() -> None:
    ball = scenes.cone((0, 1.2, 0), (0, 1.2, 0), 0.3)
    look = scenes.view((0, 1.2, 8), (0, 0.4, 0), 1.6)

    def shares(radius: float, quality: str) -> set[int]:
        lamps = scenes.light([scenes.lamp((0.5, 4, 0.3), radius=radius)])
        drawn = trace(scenes.build([ball], [scenes.ground()], lamps, look=look), quality)
        return set(np.unique(drawn.visible[:, :, 0][~drawn.mask & np.isfinite(drawn.depth)]).tolist())

    assert shares(0.4, "fast") == shares(0.0, "full") == {0, 255}
    assert {64, 128, 191} <= shares(0.4, "full")
