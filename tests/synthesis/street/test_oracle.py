"""A marcher that shares no formula with the tracer finds the same surfaces, the same shadows, and the same night."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from synthesis.street import scene as table
from synthesis.street import trace
from synthesis.street.scene import Array
from synthesis.street.trace import Rendering

SEEDS = range(5)


def sibling(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


scenes, marcher = sibling("scenes"), sibling("marcher")


@dataclass(frozen=True)
class Pair:
    """One scene, seen by both; the rows are the pixels that meet something."""

    drawn: Rendering
    depth: Array  # by the marcher
    normal: Array
    irradiance: Array
    seen: NDArray[np.bool_]
    met: NDArray[np.bool_]  # (pixels,)

    def kernel(self, name: str) -> Array:
        """Give the tracer's numbers of the pixels that meet something."""
        values = np.asarray(getattr(self.drawn, name), float)
        return values.reshape(self.met.size, -1)[self.met]


@pytest.fixture(scope="module", params=SEEDS)
def pair(request: pytest.FixtureRequest) -> Pair:
    scene = scenes.street(request.param)
    # Of things: people are darkened towards the ground, which is not the marcher's matter.
    scene.solids.cones[:, table.OWNER] = table.THING
    sight = marcher.see(scene)
    met = sight.body >= 0
    points = scene.view.eye + sight.distance[met, None] * marcher.rays(scene)[met]
    irradiance, seen = marcher.irradiance(scene, scene.night, points, sight.normal[met])
    return Pair(trace.trace(scene), sight.distance[met], sight.normal[met], irradiance, seen, met)


def same_surface(pair: Pair) -> NDArray[np.bool_]:
    return np.asarray(np.abs(pair.kernel("depth")[:, 0] - pair.depth) < 1e-4)


def test_the_same_rays_meet_something(pair: Pair) -> None:
    assert (np.isfinite(pair.drawn.depth).ravel() != pair.met).mean() <= 0.001
    assert pair.met.mean() > 0.3


def test_surfaces_are_at_the_same_depth(pair: Pair) -> None:
    assert same_surface(pair).mean() >= 0.999


def test_normals_are_the_slope_of_the_distance(pair: Pair) -> None:
    cosine = (pair.kernel("normal") * pair.normal).sum(axis=1)[same_surface(pair)]
    degrees = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    assert np.percentile(degrees, 99.8) < 0.1


def test_a_shadow_from_the_light_is_one_from_the_surface(pair: Pair) -> None:
    kernel = pair.kernel("visible")[:, 1:] > 0
    assert (kernel == pair.seen).mean() >= 0.999
    shadowed = ~pair.seen.all(axis=1)
    assert 0.05 < shadowed.mean() < 0.95


def test_nights_differ_by_nothing_but_a_scale_near_one(pair: Pair) -> None:
    ratio = np.log(pair.kernel("irradiance") / pair.irradiance).mean(axis=1)[same_surface(pair)]
    assert ratio.std() < 0.01  # the scale-invariant error of the logarithm
    assert np.median(np.abs(ratio)) < 1e-4
