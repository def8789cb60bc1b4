"""The painting of surfaces: the compiled functions against their plain twins, and what every paint must keep to."""

import math
import types
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest

from synthesis.street import finishes, grounds, surfaces, walls
from synthesis.street import materials as m
from synthesis.street.config import Lamps, World
from synthesis.street.materials import material
from synthesis.street.places import place
from synthesis.street.scene import MATERIAL_SIZE, OUT, Array

Paint = Callable[[Array, float, float, float, Array], None]
Dispatcher = numba.core.registry.CPUDispatcher


def plain(function: Any, done: dict[int, Any]) -> Any:  # noqa: ANN401
    """Give a compiled function as plain Python down to the last helper."""
    if id(function) in done:
        return done[id(function)]
    source = function.py_func
    names = dict(source.__globals__)
    copy = done[id(function)] = types.FunctionType(source.__code__, names)
    for name in source.__code__.co_names:
        value = names.get(name)
        if isinstance(value, Dispatcher):
            names[name] = plain(value, done)
        elif value in (walls, grounds, finishes):
            helpers = {key: plain(entry, done) for key, entry in vars(value).items() if isinstance(entry, Dispatcher)}
            names[name] = types.SimpleNamespace(**helpers)
    return copy


@pytest.fixture(scope="module")
def twin() -> Paint:
    copy: Paint = plain(surfaces.paint, {})
    return copy


@pytest.fixture(scope="module")
def rows() -> list[Array]:
    """Give every material of two worlds' sixteen places, and one of each other kind."""
    found = [row for seed in (0, 1) for camid in range(1, 9) for table in tables(seed, camid) for row in table]
    kinds = {int(row[m.KIND]) for row in found}
    assert kinds == set(m.KINDS), set(m.KINDS) - kinds
    return found


def tables(seed: int, camid: int) -> tuple[Array, Array]:
    made = place(World(lamps=Lamps(signs=0.5)), seed, camid)
    return made.surfaces, made.solids.materials


def painted(paint: Paint, row: Array, x: float, y: float, z: float) -> Array:
    out = np.full(OUT, -1.0)
    paint(row, x, y, z, out)
    return out


def points(count: int, size: float, seed: int) -> Array:
    return np.random.default_rng(seed).uniform(-size, size, (count, 3))


def test_compiled_equals_plain(rows: list[Array], twin: Paint) -> None:
    for i, row in enumerate(rows):
        for x, y, z in points(12, 6.0, i):
            assert np.allclose(painted(surfaces.paint, row, x, abs(y), z), painted(twin, row, x, abs(y), z), atol=1e-9)


def test_paint_is_possible_and_finite_wherever_it_is_asked(rows: list[Array]) -> None:
    wild = np.concatenate([points(40, size, 7) for size in (0.3, 5.0, 300.0, 1e6)] + [np.zeros((1, 3))])
    for row in rows:
        for x, y, z in wild:
            out = painted(surfaces.paint, row, x, y, z)
            assert np.isfinite(out).all()
            assert (out[:3] >= 0).all()
            assert (out[:3] <= 0.95).all()
            assert (out[3:6] >= 0).all()
            assert (out[3:6] < 12).all()
            assert out[6] == -1.0  # the part is not its business


def test_an_empty_row_of_any_kind_paints() -> None:
    for kind in m.KINDS:
        row = np.zeros(MATERIAL_SIZE)
        row[m.KIND] = kind
        for size in (m.BAY, m.ALONG, m.ACROSS, m.WHEEL_RADIUS):
            row[size] = 1.0
        assert np.isfinite(painted(surfaces.paint, row, 0.3, 0.4, 0.5)).all(), kind


def house(kind: int, **columns: float) -> Array:
    usual = {"bay": 2.4, "storey": 3.0, "ground": 3.4, "wide": 1.2, "tall": 1.5, "sill": 0.9, "panes": 2.0, "top": 40.0}
    row = material(kind, (0.3, 0.2, 0.1), (0.4, 0.3, 0.2), seed=5, fine=0.005, **(usual | columns))
    row[m.FRAME : m.FRAME + 3], row[m.TRIM : m.TRIM + 3] = 0.5, 0.1
    return row


@pytest.mark.parametrize("front", [m.BLANK, m.SHOPS, m.WINDOWS, m.DOORS, m.SHUTTERS])
def test_only_lit_walls_glow(front: int) -> None:
    dark, lit = house(m.PLASTER, front=front), house(m.PLASTER, front=front, lit=1.0)
    grid = [(x, y) for x in np.linspace(0.1, 40, 80) for y in np.linspace(0.1, 12, 40)]
    glowing = np.mean([painted(surfaces.paint, lit, x, y, 0)[3] > 0 for x, y in grid])
    assert 0.04 < glowing < 0.5
    in_the_dark = [painted(surfaces.paint, dark, x, y, 0)[3] > 0 for x, y in grid]
    assert not any(in_the_dark) or front == m.DOORS  # some halls behind doors are always lit
    assert np.mean(in_the_dark) < 0.01


def test_the_share_of_lit_windows_is_as_asked() -> None:
    row = house(m.BRICK, lit=0.3)
    middles = [(2.4 * (i + 0.5) - 0.25, 3.4 + 3.0 * j + 0.9 + 0.4) for i in range(60) for j in range(10)]
    share = np.mean([painted(surfaces.paint, row, x, y, 0)[3] > 0 for x, y in middles])
    assert share == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("kind", [m.BRICK, m.PANELS, m.PLANKS, m.TILES, m.KERB])
def test_lines_finer_than_a_pixel_fade_but_the_mean_stays(kind: int) -> None:
    means, spreads = [], []
    for fine in (0.002, 0.06):
        row = house(kind, storey=0.0, front=m.BLANK) if kind < m.TILES else material(kind, (0.3,) * 3, (0.3,) * 3)
        if kind == m.TILES:
            row[[m.ALONG, m.ACROSS, m.COVER_X]] = 0.4, 0.4, 1e3
        row[m.SEED], row[m.FINE] = 5, fine
        got = [painted(surfaces.paint, row, x, 1.0 + y, 0.0)[:3] for x, y, _ in np.abs(points(6000, 30.0, 3)) + 0.1]
        means.append(np.mean(got, axis=0))
        spreads.append(np.percentile(np.array(got)[:, 0], 2))
    assert means[1] == pytest.approx(means[0], rel=0.03)
    assert spreads[1] > spreads[0]  # no black lines are left


def test_a_sign_glows_with_its_power_and_its_letters_most() -> None:
    usual = {"seed": 3, "width": 4.0, "height": 1.0}
    off, on = (material(m.SIGN, (0.1, 0.02, 0.02), (0.9, 0.9, 0.9), power=power, **usual) for power in (0.0, 3.0))
    grid = [(x, y) for x in np.linspace(0.01, 3.99, 80) for y in np.linspace(0.01, 0.99, 40)]
    light = np.array([painted(surfaces.paint, on, x, y, 0)[3:6].sum() for x, y in grid])
    assert not any(painted(surfaces.paint, off, x, y, 0)[3:6].any() for x, y in grid)
    assert light.min() > 0
    assert 0.1 < (light > 5 * light.min()).mean() < 0.6


def test_markings_lie_where_they_are_asked_for() -> None:
    row = material(m.ASPHALT, (0.1,) * 3, (0.1,) * 3, seed=1, fine=0.01, cover_x=1e3, marking=m.ZEBRA, marking_x=10.0,
                   marking_y=5.0, marking_size=2.0)  # fmt: skip
    bars = [(10.0 + i, y) for i in range(-4, 4) for y in np.linspace(3.2, 6.8, 20)]
    on = [painted(surfaces.paint, row, x + 0.25, y, 0)[0] for x, y in bars]
    off = [painted(surfaces.paint, row, x + 0.75, y, 0)[0] for x, y in bars]
    beyond = [painted(surfaces.paint, row, x, 8.0, 0)[0] for x in np.linspace(0, 20, 100)]
    assert np.mean(on) > 2 * np.mean(off)
    assert max(beyond) < 0.25


def test_a_manhole_is_round() -> None:
    row = material(m.TILES, (0.5,) * 3, (0.5,) * 3, along=0.5, across=0.5, cover_x=3.0, cover_y=2.0, fine=0.01)
    for turn in np.linspace(0, 2 * math.pi, 17):
        inside, outside = (
            painted(surfaces.paint, row, 3.0 + away * math.cos(turn), 2.0 + away * math.sin(turn), 0)[0]
            for away in (0.32, 0.36)
        )
        assert inside < 0.13
        assert outside > 0.13


def test_wheels_have_rims_in_rubber() -> None:
    row = material(m.TYRE, (0.4,) * 3, front_wheel=1.2, rear_wheel=-1.2, wheel_radius=0.3)
    for middle in (-1.2, 1.2):
        assert painted(surfaces.paint, row, middle, 0.3, 0)[0] == pytest.approx(0.4)
        assert painted(surfaces.paint, row, middle + 0.28, 0.3, 0)[0] < 0.05


def test_the_sky_is_turned_up_to_the_light_from_above() -> None:
    row = material(m.SKY, (0.4, 0.6, 0.9), (0.86, 0.88, 0.9), seed=1)
    for x, y, _ in points(50, 100.0, 1):
        assert painted(surfaces.paint, row, x, abs(y), 0)[8] > 5
