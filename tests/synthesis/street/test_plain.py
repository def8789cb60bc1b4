"""The compiled kernel and its twin in plain NumPy draw the same pictures, and the twin would tell if they did not."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from synthesis.street import materials, people, places, plain, trace
from synthesis.street import scene as table
from synthesis.street.body import body
from synthesis.street.config import World
from synthesis.street.scene import Pose, Scene
from synthesis.street.trace import Rendering

LIGHT = ("day", "night", "irradiance", "albedo", "emission", "normal", "depth")
NAMES = ("mask", "part", "owner", "visible", "amodal")


def sibling(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


scenes = sibling("scenes")


def differ(one: Rendering, two: Rendering) -> NDArray[np.bool_]:
    """Tell the pixels that differ: a number by more than a thousandth of it, or a name at all."""
    wrong = np.zeros(one.depth.shape, bool)
    for name in LIGHT:
        a, b = getattr(one, name), getattr(two, name)
        close = np.isclose(a, b, rtol=1e-3, atol=1e-6 if name != "normal" else 1e-3)
        wrong |= ~close if close.ndim == 2 else ~close.all(axis=2)
    for name in NAMES:
        a, b = getattr(one, name), getattr(two, name)
        same = np.abs(a.astype(int) - b) <= (name == "visible")
        wrong |= ~same if same.ndim == 2 else ~same.all(axis=2)
    return wrong


@pytest.mark.parametrize("quality", ["fast", "full"])
@pytest.mark.parametrize("seed", range(4))
def test_kernel_and_twin_agree_in_the_street(seed: int, quality: str) -> None:
    scene = scenes.street(seed, blend=seed % 2 == 0, painted=seed > 1)
    kernel, twin = trace.trace(scene, quality), plain.trace(scene, quality)
    assert differ(kernel, twin).mean() <= 0.001
    assert 0.02 < twin.mask.mean() < 0.5
    assert twin.night.std() > 0.01


@pytest.mark.parametrize("seed", range(12))
def test_kernel_and_twin_agree_from_within_a_crowd(seed: int) -> None:
    scene = scenes.surrounded(seed)
    kernel, twin = trace.trace(scene), plain.trace(scene)
    assert differ(kernel, twin).mean() <= 0.001
    assert np.isfinite(twin.depth).mean() > 0.1


def test_normals_flow_alike_where_squashed_cones_meet() -> None:
    cones = [
        scenes.cone((-0.5, 1, 0), (0, 1, 0.1), 0.3, 0.25, 1.7, (0, 0, 1), near=(1, 2)),
        scenes.cone((0, 1, 0.1), (0.5, 1.1, 0), 0.25, 0.3, 1.4, (0, 1, 1), near=(0, 2)),
        scenes.cone((0, 0.6, 0), (0, 1, 0.1), 0.2, 0.3, 0.8, (1, 0, 0), near=(0, 1)),
    ]
    look = scenes.view((0, 1, 6), (0, 1, 0), 0.8)
    alone, met = (trace.trace(scenes.build(rows, look=look)) for rows in ([*map(lonely, cones)], cones))
    assert differ(met, plain.trace(scenes.build(cones, look=look))).mean() <= 0.001
    assert (np.abs(alone.normal - met.normal).max(axis=2) > 0.03).mean() > 0.05


def lonely(cone: table.Array) -> table.Array:
    """Give a cone that knows no neighbours."""
    return np.append(cone[: table.NEAR], [-1] * 4)


def test_they_agree_in_full_quality_from_within_a_crowd() -> None:
    scene = scenes.surrounded(99)
    assert differ(trace.trace(scene, "full"), plain.trace(scene, "full")).mean() <= 0.001


def test_the_prototypes_wrong_sign_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    cones = [scenes.cone((0, 0.4, 0), (0, 1.4, 0), 0.5, 0.2)]
    scene = scenes.build(cones, night=scenes.light([scenes.lamp((2, 4, 6))]))
    assert not differ(trace.trace(scene), plain.trace(scene)).any()
    monkeypatch.setattr(plain.Cone, "foot", _wrong_foot)
    assert differ(trace.trace(scene), plain.trace(scene))[trace.trace(scene).mask].mean() > 0.5


def test_a_beam_beside_a_lamps_narrow_grid_still_casts_its_shadow() -> None:
    beam = scenes.rectangle((-20, 4.8, 1), (40, 0, 0), (0, 0.4, 0), shadow=1)  # endless as the lamp sees it
    night = scenes.light([scenes.lamp((0, 6, 0), 100)])
    ball = scenes.cone((0, 0.5, 0), (0, 0.5, 0), 0.2)
    look = scenes.view((0, 4, 14), (0, 0, 6), 8)
    scene = scenes.build([ball], [scenes.ground(), beam], night, look=look)
    kernel, twin = trace.trace(scene), plain.trace(scene)
    assert (twin.visible == 0).sum() > 100
    assert not differ(kernel, twin).any()


def _wrong_foot(cone: plain.Cone, inside: table.Array) -> table.Array:
    """Find the foot as the prototype did, with plus before the narrowing."""
    length, along = float(cone.core @ cone.core), inside @ cone.core
    aside = np.maximum((inside * inside).sum(axis=1) * length - along * along, 0) / cone.straight
    return np.asarray(np.clip((along + cone.narrowing * np.sqrt(aside)) / length, 0, 1))


@pytest.mark.parametrize("kind", materials.KINDS)
def test_every_surface_is_painted_alike(kind: int) -> None:
    paint = materials.material(kind, (0.5, 0.4, 0.3), (0.1, 0.2, 0.3), seed=3, fine=0.004, along=0.4, across=0.3)
    paint[materials.BAY : materials.ALONG + 12] = np.maximum(paint[materials.BAY : materials.ALONG + 12], 0.3)
    wall, ball = scenes.rectangle((-4, 0, -1), (8, 0, 0.4), (0, 4, 0)), scenes.cone((0.3, 0.6, 0), (0, 1.2, 0), 0.4)
    scene = scenes.build([ball], [wall], scenes.light([scenes.lamp((1, 2, 4))]), paints=[paint])
    twin = plain.trace(scene)
    assert differ(trace.trace(scene), twin).mean() <= 0.001
    assert twin.albedo.any()


def test_people_in_their_places_are_alike() -> None:
    wrong = [person_in_place(pid) for pid in range(1, 9)]
    assert np.mean(wrong) <= 0.001
    assert max(wrong) <= 0.002  # two pixels of one picture: outlines in 32 bits


def person_in_place(pid: int) -> float:
    """Give the share of pixels in which the kernel and its twin differ."""
    world, seed = World(), 3
    place = places.place(world, seed, pid)
    pose = Pose(0, 0, 1.3 * pid, 0.9 * pid, min(1, pid % 3), ("walk", "stand", "phone", "carry")[pid % 4])
    solids = place.solids + body(people.person(world, seed, pid), pose)
    foot, top = place.view.project(np.array([[0, 0, 0], [0, 1.9, 0.0]]))[:, :2]
    step = 1.15 * (foot[1] - top[1]) / 48
    view = place.view.window(top[0] - 12 * step, top[1] - 2 * step, 24, 48, step)
    day, night = places.illumination(place, world, seed, "walk", 0.3)
    scene = Scene(view, solids, place.rectangles, place.surfaces, place.contacts, day, night)
    twin = plain.trace(scene)
    assert 0.05 < twin.mask.mean() < 0.6
    return float(differ(trace.trace(scene), twin).mean())
