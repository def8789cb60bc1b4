"""The tracer: what every pixel of a scene sees, and how much light gets there, by day and by night, in one pass.

Every ray starts at one of few points: the camera or a light. So whatever depends on a ray's origin is computed once a
body, and shadow rays run from the light to the surface. `plain.trace` is the same in numpy, to be read and to be held
against.
"""

import functools
import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from synthesis.street import cloth, directions, surfaces
from synthesis.street.bodies import (
    FLAT,
    KNOWN,
    PER_U,
    PER_V,
    N,
    dot,
    know_cone,
    know_rectangle,
    normal,
    pasted,
    strike,
    strike_rectangle,
)
from synthesis.street.noise import device
from synthesis.street.scene import (
    CORNER,
    DIRECTION,
    EDGE_U,
    EDGE_V,
    FRAME,
    FRAME_HEIGHT,
    FRAME_WIDTH,
    INTENSITY,
    KIND,
    LIGHT_KIND,
    LOBE,
    MATERIAL,
    NEAR,
    OPEN,
    OUT,
    OWNER,
    PART,
    POSITION,
    RADIUS,
    RECTANGLE_MATERIAL,
    RECTANGLE_SHADOW,
    SHADOW,
    SPREAD,
    SUBJECT,
    SUN,
    Array,
    Scene,
)

BLEND = 0.04  # metres over which the normals of neighbouring cones flow into each other
NEAREST_LAMP = 4.0  # nobody comes closer to a lamp than half a metre, as far as its light goes: 1 / .5^2
LIFT, SHORT = 0.015, 0.02  # a shadow ray ends so far above the surface, and so far before it
FOOT = 0.05  # what is lower is the ground, which darkens where something touches it
BODY_SHADE, BODY_FADE = 0.6, 1.2  # a body's lowest end gets .6 of the fill, from 1.2 m on all of it
SURFACE_KINDS = 50  # kinds of material below are painted by cloth, from there on by surfaces
SOFT = ((0.5, 0.2), (-0.5, -0.2), (-0.2, 0.5), (0.2, -0.5))  # where a light's disc is sampled, in radii
# In pixels: the first sample is the middle; the others, a turned square, average an edge.
SAMPLES = np.array([[0.0, 0.0], [0.125, -0.375], [0.375, 0.125], [-0.125, 0.375], [-0.375, -0.125]])
STEP = 0.03  # metres of depth between neighbouring pixels that make an edge within a body
CENTRE_X, CENTRE_Y = FRAME_WIDTH / 2, FRAME_HEIGHT / 2

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Rendering:
    """All that is known of every pixel. Light is linear; where `full` averages an edge, only day and night are."""

    day: Pixels  # (h, w, 3)
    night: Pixels
    irradiance: Pixels  # of the night: night = albedo * irradiance + emission
    albedo: Pixels
    emission: Pixels
    normal: Pixels  # in the world's axes
    depth: Pixels  # (h, w) metres along the ray; infinite where nothing is met
    mask: NDArray[np.bool_]  # the subject
    part: NDArray[np.int8]  # of the subject; -1 elsewhere
    visible: NDArray[np.uint8]  # (h, w, lights): 255 where a light is seen whole; the day's first
    owner: NDArray[np.int8]  # who is seen: 0 the subject, others 1, 2, ...; -1 things
    amodal: NDArray[np.bool_]  # where the subject is, seen or hidden


class _Eye(NamedTuple):
    place: Array  # eye, right, up, forward
    lens: Array  # focal length, left, top, step, 1 / focal length
    samples: Array


class _World(NamedTuple):
    cones: Array
    frames: Array
    materials: Array
    rectangles: Array
    surfaces: Array
    contacts: Array


class _Lights(NamedTuple):
    lights: Array
    origins: Array  # of shadow rays
    first: NDArray[np.int64]  # for each light, where its origins begin
    fill: Array  # day above, day below, night above, night below


class _Tables(NamedTuple):
    """What is computed before the first ray. Origin 0 is the camera, the others are those of the lights."""

    grids: Array
    starts: NDArray[np.int32]  # of the lists in `items`
    items: NDArray[np.int16]
    cones: Array
    rectangles: Array
    bounds: Array
    wanted: NDArray[np.bool_]
    last: NDArray[np.int64]  # the cone that last stood in a light's way, -1 for none


class _Work(NamedTuple):
    out: Array  # what painting gave
    near: Array  # a neighbour's normal
    flat: Array  # the surface's own normal
    bent: Array  # the one that light sees
    seen: Array  # the share of every light
    got: Array  # one sample
    mean: Array
    hits: NDArray[np.int16]


class _Pictures(NamedTuple):
    colours: Pixels
    depth: Pixels
    owner: NDArray[np.int8]
    part: NDArray[np.int8]
    visible: NDArray[np.uint8]
    amodal: NDArray[np.bool_]


# Columns of one sample; the first six are the pictures, in the order of `Rendering`.
_DAY, _NIGHT, _IRRADIANCE, _ALBEDO, _EMISSION, _NORMAL, _DEPTH, _OWNER, _PART, _ITEM, _BEHIND, _SAMPLE = (
    0, 3, 6, 9, 12, 15, 18, 19, 20, 21, 22, 23,
)  # fmt: skip


def trace(scene: Scene, quality: str = "fast") -> Rendering:
    """Trace a scene. `full` softens shadows, and averages four samples where two bodies meet in a pixel."""
    view, solids, full = scene.view, scene.solids, quality == "full"
    size = (view.height, view.width)
    place = np.concatenate([view.eye, view.right, view.up, view.forward])
    eye = _Eye(place, np.array([view.focal, view.left, view.top, view.step, 1.0 / view.focal]), SAMPLES)
    world = _World(
        solids.cones, solids.frames, solids.materials, scene.rectangles, scene.surfaces, scene.contacts
    )  # fmt: skip
    lights = np.concatenate([scene.day.lights, scene.night.lights])
    fill = np.stack([scene.day.above, scene.day.below, scene.night.above, scene.night.below])
    lit = _Lights(lights, *_origins(lights, full), fill)
    pictures = _pictures(size, len(lights))
    tables = _tables(len(lit.origins) + 1, len(world.cones), len(world.rectangles))
    out, near, flat, bent, seen, got, mean = np.zeros((7, max(_SAMPLE, len(lights))))
    work = _Work(out, near, flat, bent, seen, got, mean, np.full(size, -1, np.int16))
    _kernel()(eye, world, lit, len(scene.day.lights), full, tables, work, pictures)
    colours, depth, owner, part, visible, amodal = pictures
    day, night, irradiance, albedo, emission, normals = colours
    return Rendering(
        day, night, irradiance, albedo, emission, normals, depth, owner == SUBJECT, part, visible, owner, amodal
    )


def _pictures(size: tuple[int, int], lights: int) -> _Pictures:
    nobody = np.full((2, *size), -1, np.int8)
    visible = np.zeros((*size, lights), np.uint8)
    colours, depth = np.zeros((6, *size, 3), np.float32), np.zeros(size, np.float32)
    return _Pictures(colours, depth, nobody[0], nobody[1], visible, np.zeros(size, np.bool_))


def _tables(origins: int, cones: int, rectangles: int) -> _Tables:
    bodies = cones + rectangles
    return _Tables(
        np.zeros((origins, directions.GRID)),
        np.empty((origins, directions.LISTS + 1), np.int32),
        np.empty((origins, directions.LISTS * max(bodies, 1)), np.int16),
        np.empty((origins * cones, KNOWN)),
        np.empty((origins * rectangles, FLAT)),
        np.empty((bodies, 4)),
        np.ones(bodies, np.bool_),
        np.full(origins, -1),
    )


def _origins(lights: Array, soft: bool) -> tuple[Array, NDArray[np.int64]]:
    """Give the points that shadow rays start from, and for each light where its own begin."""
    positions = lights[:, POSITION : POSITION + 3]
    if not soft or not len(lights):
        return positions.copy(), np.arange(len(lights) + 1)
    away = positions - np.array([0.0, 1.0, 0.0])
    across = np.cross(away, [0.0, 1.0, 0.001])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    over = np.cross(away, across)
    over /= np.linalg.norm(over, axis=1, keepdims=True)
    disc = [positions + lights[:, RADIUS, None] * (x * across + y * over) for x, y in SOFT]
    return np.stack(disc, axis=1).reshape(-1, 3), np.arange(len(lights) + 1) * len(SOFT)


def _lend(typing, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give a table whose references nobody counts: counting them would cost more than the ray. Its owner waits."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        array.meminfo = cgutils.get_null_value(array.meminfo.type)  # type: ignore[no-untyped-call]
        array.parent = cgutils.get_null_value(array.parent.type)  # type: ignore[no-untyped-call]
        return array._getvalue()

    return table(table), build


_lent: Any = intrinsic(_lend)


@pasted
def _is_free(tables, o, n, m, cell, x, y, z, limit):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Say whether nothing stands in a shadow ray's way before `limit` of its length."""
    square = x * x + y * y + z * z
    # What stood in the way of the ray before stands in this one's way, more often than not.
    last = tables.last[o]
    if last >= 0 and strike(tables.cones, o * n + last, x, y, z, square) < limit:
        return False
    for k in range(tables.starts[o, cell], tables.starts[o, cell + 1]):
        item = tables.items[o, k]
        if item < n:
            if item != last and strike(tables.cones, o * n + item, x, y, z, square) < limit:
                tables.last[o] = item
                return False
        elif strike_rectangle(tables.rectangles, o * m + item - n, x, y, z) < limit:
            return False
    tables.last[o] = -1
    return True


@pasted
def _contact(contacts, x, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give the share of the fill that is left on the ground where something touches it."""
    left = 1.0
    for k in range(len(contacts)):
        dx, dz, radius = x - contacts[k, 0], z - contacts[k, 1], contacts[k, 2]
        square = (dx * dx + dz * dz) / (radius * radius)
        if square < 16.0:  # beyond that it is less than a millionth
            left *= 1.0 - contacts[k, 3] * math.exp(-square)
    return left


@pasted
def _fall(lights, k, near_by, lx, ly, lz):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give how much of a light's intensity arrives from a unit way (lx, ly, lz), at a distance of 1 / near_by."""
    if lights[k, LIGHT_KIND] == SUN:
        return 1.0
    fall = min(near_by * near_by, NEAREST_LAMP) * (1.0 / math.pi)
    if lights[k, LIGHT_KIND] == LOBE:
        along = max(-dot(lights, k, DIRECTION, lx, ly, lz), 0.0)
        for _ in range(int(lights[k, SPREAD])):
            fall *= along
    return fall


@pasted
def _paint(materials, row, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if materials[row, 0] < SURFACE_KINDS:
        cloth.paint(materials[row], x, y, z, out)
    else:
        surfaces.paint(materials[row], x, y, z, out)


@pasted
def _meet_rectangle(world, tables, i, px, py, pz, vx, vy, vz, work):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Paint a point of a rectangle; write its own normal and the one that light sees."""
    rectangles, flat, bent = world.rectangles, work.flat, work.bent
    side = -1.0 if dot(tables.rectangles, i, N, vx, vy, vz) > 0.0 else 1.0
    wx, wy, wz = px - rectangles[i, CORNER], py - rectangles[i, CORNER + 1], pz - rectangles[i, CORNER + 2]
    u, v = tables.rectangles[i, PER_U], tables.rectangles[i, PER_V]
    x, y = dot(rectangles, i, EDGE_U, wx, wy, wz) * u, dot(rectangles, i, EDGE_V, wx, wy, wz) * v
    _paint(world.surfaces, int(rectangles[i, RECTANGLE_MATERIAL]), x, y, 0.0, work.out)
    for k in range(3):
        flat[k] = side * tables.rectangles[i, N + k]
        tilt = work.out[7] * u * rectangles[i, EDGE_U + k] + work.out[8] * v * rectangles[i, EDGE_V + k]
        bent[k] = flat[k] + tilt


@pasted
def _meet_cone(world, i, px, py, pz, vx, vy, vz, work):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Paint a point of a cone; write its own normal and the one that light sees, which flows into its neighbours'."""
    cones, frames, out, flat, bent = world.cones, world.frames, work.out, work.flat, work.bent
    normal(cones, i, px, py, pz, flat)
    for k in range(3):
        bent[k] = flat[k]
    for neighbour in range(4):
        other = int(cones[i, NEAR + neighbour])
        if other >= 0:
            weight = max(0.0, 1.0 - abs(normal(cones, other, px, py, pz, work.near)) / BLEND)
            for k in range(3):
                bent[k] += weight * weight * work.near[k]
    inside = cones[i, KIND] == OPEN and flat[0] * vx + flat[1] * vy + flat[2] * vz > 0.0
    side = -1.0 if inside else 1.0
    f = int(cones[i, FRAME])
    wx, wy, wz = px - frames[f, 0], py - frames[f, 1], pz - frames[f, 2]
    out[6] = cones[i, PART]
    x, y, z = dot(frames, f, 3, wx, wy, wz), dot(frames, f, 6, wx, wy, wz), dot(frames, f, 9, wx, wy, wz)
    _paint(world.materials, int(cones[i, MATERIAL]), x, y, z, out)
    for k in range(3):
        flat[k] *= side
        tilt = out[7] * frames[f, 3 + k] + out[8] * frames[f, 6 + k] + out[9] * frames[f, 9 + k]
        bent[k] = side * bent[k] + tilt


@pasted
def _first_hit(tables, cones, n, vx, vy, vz):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give the first body that a ray from the camera meets, how far away, and whether it meets the subject at all."""
    cell = directions.cell(tables.grids, 0, vx, vy, vz)
    best, item, behind = math.inf, -1, 0.0
    for k in range(tables.starts[0, cell], tables.starts[0, cell + 1]):
        candidate = tables.items[0, k]
        if candidate < n:
            t = strike(tables.cones, candidate, vx, vy, vz, 1.0)
            if t < math.inf and cones[candidate, OWNER] == SUBJECT:
                behind = 1.0
        else:
            t = strike_rectangle(tables.rectangles, candidate - n, vx, vy, vz)
        if t < best:
            best, item = t, candidate
    return best, item, behind


@pasted
def _open_air(world, owner, item, py, work, px, pz):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give the share of the fill that reaches a point."""
    if owner >= 0.0:
        return BODY_SHADE + (1.0 - BODY_SHADE) * min(1.0, max(py, 0.0) / BODY_FADE)
    if item >= len(world.cones) and py < FOOT and work.flat[1] > 0.9:
        return _contact(world.contacts, px, pz)
    return 1.0


@pasted
def _add_lights(lit, days, tables, n, m, px, py, pz, nx, ny, nz, one, work):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add what comes from every light that is not hidden; from all points of its disc, or from `one` of them."""
    lights, flat = lit.lights, work.flat
    sx, sy, sz = px + LIFT * flat[0], py + LIFT * flat[1], pz + LIFT * flat[2]
    for k in range(len(lights)):
        lx, ly, lz = lights[k, POSITION] - px, lights[k, POSITION + 1] - py, lights[k, POSITION + 2] - pz
        near_by = 1.0 / math.sqrt(lx * lx + ly * ly + lz * lz)
        lx, ly, lz = lx * near_by, ly * near_by, lz * near_by
        facing = nx * lx + ny * ly + nz * lz
        if facing <= 0.0 or flat[0] * lx + flat[1] * ly + flat[2] * lz <= 0.0:
            continue
        arriving = facing * _fall(lights, k, near_by, lx, ly, lz)
        if arriving <= 0.0:
            continue
        first, last = lit.first[k], lit.first[k + 1]
        if one >= 0:
            first, last = first + one, first + one + 1
        free = tried = 0
        for o in range(first, last):
            rx, ry, rz = sx - lit.origins[o, 0], sy - lit.origins[o, 1], sz - lit.origins[o, 2]
            cell = directions.cell(tables.grids, o + 1, rx, ry, rz)
            free += _is_free(tables, o + 1, n, m, cell, rx, ry, rz, 1.0 - SHORT * near_by)
            tried += 1
            if tried == 2 and free != 1:
                break  # two opposite points of the disc agree: so will those between them
        work.seen[k] = free / tried
        base = _DAY if k < days else _IRRADIANCE
        for c in range(3):
            work.got[base + c] += work.seen[k] * arriving * lights[k, INTENSITY + c]


@pasted
def _sample(eye, world, lit, days, tables, work, x, y, one):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Trace the ray through a point of the picture, and one from each light to what it meets."""
    place, out, got, n, m = eye.place, work.out, work.got, len(world.cones), len(world.rectangles)
    x = (eye.lens[1] + x * eye.lens[3] - CENTRE_X) * eye.lens[4]
    y = (CENTRE_Y - eye.lens[2] - y * eye.lens[3]) * eye.lens[4]
    vx = place[9] + x * place[3] + y * place[6]
    vy = place[10] + x * place[4] + y * place[7]
    vz = place[11] + x * place[5] + y * place[8]
    length = 1.0 / math.sqrt(vx * vx + vy * vy + vz * vz)
    vx, vy, vz = vx * length, vy * length, vz * length
    best, item, behind = _first_hit(tables, world.cones, n, vx, vy, vz)
    for k in range(len(lit.lights)):
        work.seen[k] = 0.0
    got[_DEPTH], got[_OWNER], got[_PART], got[_ITEM], got[_BEHIND] = best, -1.0, -1.0, item, behind
    if item < 0:
        for k in range(_DEPTH):
            got[k] = 0.0
    else:
        for k in range(OUT):
            out[k] = 0.0
        out[6] = -1.0
        px, py, pz = place[0] + best * vx, place[1] + best * vy, place[2] + best * vz
        if item < n:
            _meet_cone(world, item, px, py, pz, vx, vy, vz, work)
            got[_OWNER] = world.cones[item, OWNER]
        else:
            _meet_rectangle(world, tables, item - n, px, py, pz, vx, vy, vz, work)
        bent = work.bent
        length = 1.0 / math.sqrt(bent[0] * bent[0] + bent[1] * bent[1] + bent[2] * bent[2])
        nx, ny, nz = bent[0] * length, bent[1] * length, bent[2] * length
        open_air = _open_air(world, got[_OWNER], item, py, work, px, pz)
        up, down = open_air * (0.5 + 0.5 * ny), open_air * (0.5 - 0.5 * ny)
        for c in range(3):
            got[_DAY + c] = lit.fill[0, c] * up + lit.fill[1, c] * down
            got[_IRRADIANCE + c] = lit.fill[2, c] * up + lit.fill[3, c] * down
        _add_lights(lit, days, tables, n, m, px, py, pz, nx, ny, nz, one, work)
        for c in range(3):
            got[_DAY + c] *= out[c]
            got[_NIGHT + c] = out[c] * got[_IRRADIANCE + c] + out[3 + c]
            got[_ALBEDO + c], got[_EMISSION + c] = out[c], out[3 + c]
        got[_NORMAL], got[_NORMAL + 1], got[_NORMAL + 2] = nx, ny, nz
        if got[_OWNER] == SUBJECT:
            got[_PART] = out[6]


@device
def _prepare(eye, height, width, world, origins, tables):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Compute what is fixed for the camera and for every light, and fill their grids."""
    n, m, grids, lens = len(world.cones), len(world.rectangles), tables.grids, eye.lens
    for o in range(len(origins) + 1):
        if o > 0:
            x, y, z = origins[o - 1, 0], origins[o - 1, 1], origins[o - 1, 2]
            for i in range(n):
                tables.wanted[i] = world.cones[i, SHADOW] == 1.0
            for i in range(m):
                tables.wanted[n + i] = world.rectangles[i, RECTANGLE_SHADOW] == 1.0
            directions.aim(x, y, z, world.cones, tables.wanted, grids, o)
        else:
            x, y, z = eye.place[0], eye.place[1], eye.place[2]
            for k in range(9):
                grids[0, k] = eye.place[3 + k]
            left, right = (lens[1] - CENTRE_X) * lens[4], (lens[1] + width * lens[3] - CENTRE_X) * lens[4]
            low, high = (CENTRE_Y - lens[2] - height * lens[3]) * lens[4], (CENTRE_Y - lens[2]) * lens[4]
            directions.lay(grids, 0, left, right, low, high)
        for i in range(n):
            know_cone(world.cones, i, x, y, z, tables.cones, o * n + i)
        for i in range(m):
            know_rectangle(world.rectangles, i, x, y, z, tables.rectangles, o * m + i)
        for i in range(n + m):
            directions.bound(i, world.cones, world.rectangles, x, y, z, grids, o, tables.bounds)
        if o > 0:
            directions.cover(tables.bounds, tables.wanted, grids, o)
        directions.fill(grids, o, tables.bounds, tables.wanted, tables.starts, tables.items)


@device
def _differ(pictures, hits, j, i, b, a):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if hits[j, i] == hits[b, a]:
        return False
    other = pictures.part[j, i] != pictures.part[b, a] or pictures.owner[j, i] != pictures.owner[b, a]
    return other or pictures.owner[j, i] < 0 or abs(pictures.depth[j, i] - pictures.depth[b, a]) > STEP


@device
def _is_edge(pictures, hits, j, i):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Say whether a pixel looks like an edge; where two cones of one limb flow into each other there is none."""
    height, width = hits.shape
    return (
        (i > 0 and _differ(pictures, hits, j, i, j, i - 1))
        or (i + 1 < width and _differ(pictures, hits, j, i, j, i + 1))
        or (j > 0 and _differ(pictures, hits, j, i, j - 1, i))
        or (j + 1 < height and _differ(pictures, hits, j, i, j + 1, i))
    )


@device
def _average(work, pictures, j, i, s, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Average the samples 1, 2, ... of a pixel into its two pictures."""
    for c in range(6):
        work.mean[c] = (0.0 if s == 1 else work.mean[c]) + work.got[c]
        if s == count:
            pictures.colours[c // 3, j, i, c % 3] = work.mean[c] / count


@pasted
def _write(work, lights, pictures, j, i):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the sample of a pixel's middle."""
    got, colours = work.got, pictures.colours
    for c in range(3):
        colours[0, j, i, c], colours[1, j, i, c] = got[_DAY + c], got[_NIGHT + c]
        colours[2, j, i, c], colours[3, j, i, c] = got[_IRRADIANCE + c], got[_ALBEDO + c]
        colours[4, j, i, c], colours[5, j, i, c] = got[_EMISSION + c], got[_NORMAL + c]
    for k in range(lights):
        pictures.visible[j, i, k] = int(255.0 * work.seen[k] + 0.5)
    pictures.depth[j, i], work.hits[j, i] = got[_DEPTH], int(got[_ITEM])
    pictures.owner[j, i], pictures.part[j, i] = int(got[_OWNER]), int(got[_PART])
    pictures.amodal[j, i] = got[_BEHIND] == 1.0


def _make(version: str) -> Any:  # noqa: ANN401
    """Build the kernel; `version` becomes part of the key of numba's disk cache, which sees one file only."""

    def kernel(eye_, world_, lit_, days, full, tables_, work_, pictures_):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if version == "":
            return
        eye = _Eye(_lent(eye_[0]), _lent(eye_[1]), _lent(eye_[2]))
        world = _World(
            _lent(world_[0]), _lent(world_[1]), _lent(world_[2]), _lent(world_[3]), _lent(world_[4]), _lent(world_[5])
        )
        lit = _Lights(_lent(lit_[0]), _lent(lit_[1]), _lent(lit_[2]), _lent(lit_[3]))
        tables = _Tables(
            _lent(tables_[0]), _lent(tables_[1]), _lent(tables_[2]), _lent(tables_[3]), _lent(tables_[4]),
            _lent(tables_[5]), _lent(tables_[6]), _lent(tables_[7]),
        )  # fmt: skip
        work = _Work(
            _lent(work_[0]), _lent(work_[1]), _lent(work_[2]), _lent(work_[3]), _lent(work_[4]), _lent(work_[5]),
            _lent(work_[6]), _lent(work_[7]),
        )  # fmt: skip
        pictures = _Pictures(
            _lent(pictures_[0]), _lent(pictures_[1]), _lent(pictures_[2]), _lent(pictures_[3]), _lent(pictures_[4]),
            _lent(pictures_[5]),
        )  # fmt: skip
        height, width = pictures.depth.shape
        _prepare(eye, height, width, world, lit.origins, tables)
        # The second round averages the pixels in which two bodies meet.
        for second in range(2 if full else 1):
            for j in range(height):
                for i in range(width):
                    if second == 1 and not _is_edge(pictures, work.hits, j, i):
                        continue
                    for s in range(second, len(eye.samples) if second == 1 else 1):
                        x, y = i + 0.5 + eye.samples[s, 0], j + 0.5 + eye.samples[s, 1]
                        _sample(eye, world, lit, days, tables, work, x, y, s - 1)
                        if second == 0:
                            _write(work, len(lit.lights), pictures, j, i)
                        else:
                            _average(work, pictures, j, i, s, len(eye.samples) - 1)

    return kernel


@functools.cache
def _kernel() -> Any:  # noqa: ANN401 - a compiled function has no type of its own
    """Compile the kernel, or take it from the disk where the sources are the same."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    version = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(_make(version))
    except RuntimeError:  # neither this folder nor the user's cache can be written
        return numba.njit(nogil=True, error_model="numpy")(_make(version))
