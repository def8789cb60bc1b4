"""The tracer: what every pixel of a scene sees, and how much light gets there, by day and by night, in one pass.

Neighbouring pixels are traced together, a batch at a time: `sight` finds what their rays meet, `hits` paints it,
`lighting` lights it. Every ray starts at one of few points: the camera or a light. So whatever depends on a ray's
origin is computed once a body. `plain.trace` is the same in numpy, to be read and to be held against.
"""

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from synthesis.street import directions, hits, lighting, sight
from synthesis.street.bodies import FLAT, KNOWN, SHAPE, know_cone, know_rectangle, know_shape
from synthesis.street.hits import BLEND as BLEND
from synthesis.street.hits import BODY_FADE as BODY_FADE
from synthesis.street.hits import BODY_SHADE as BODY_SHADE
from synthesis.street.hits import FOOT as FOOT
from synthesis.street.hits import SURFACE_KINDS as SURFACE_KINDS
from synthesis.street.lanes import (
    ALBEDO,
    BEHIND,
    DAY,
    DEPTH,
    EMISSION,
    IRRADIANCE,
    ITEM,
    LANES,
    NIGHT,
    RUNS,
    SUM,
    TALL,
    WIDE,
    ZERO,
    pasted,
)
from synthesis.street.lanes import BENT_X as NORMAL
from synthesis.street.lanes import OWNER as OWNER_SEEN
from synthesis.street.lanes import PART as PART_SEEN
from synthesis.street.lighting import LIFT as LIFT
from synthesis.street.lighting import SHORT as SHORT
from synthesis.street.noise import OPTIONS, device
from synthesis.street.scene import (
    OUT,
    POSITION,
    RADIUS,
    RECTANGLE_SHADOW,
    SHADOW,
    SUBJECT,
    Array,
    Scene,
)

SOFT = ((0.5, 0.2), (-0.5, -0.2), (-0.2, 0.5), (0.2, -0.5))  # where a light's disc is sampled, in radii
# In pixels: the first sample is the middle; the others, a turned square, average an edge.
SAMPLES = np.array([[0.0, 0.0], [0.125, -0.375], [0.375, 0.125], [-0.125, 0.375], [-0.375, -0.125]])
STEP = 0.03  # metres of depth between neighbouring pixels that make an edge within a body

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
    contacts: Array  # x, z, 1 / radius^2, strength


class _Lights(NamedTuple):
    lights: Array
    origins: Array  # of shadow rays
    first: NDArray[np.int64]  # for each light, where its origins begin
    fill: Array  # day above, day below, night above, night below


class _Tables(NamedTuple):
    """What is computed before the first ray. Origin 0 is the camera, the others are those of the lights."""

    axes: Array  # of every origin's picture
    bounds: Array  # (origins, ENDS, bodies): what every body covers in it, if it is the camera's or casts shadows
    groups: Array  # the same for every GROUP bodies together
    cones: Array
    shapes: Array  # of the cones; no origin matters
    rectangles: Array
    casters: NDArray[np.int64]  # the bodies that cast shadows
    sizes: NDArray[np.int64]  # how many cones, how many rectangles


class _Work(NamedTuple):
    """Places for one ray."""

    out: Array  # what painting gave
    flat: Array  # the surface's own normal
    bent: Array  # the one that light sees


class _Batch(NamedTuple):
    """Places for the rays that are traced together."""

    lanes: Pixels
    aims: Array  # the rays' directions, more exactly: all x, all y, all z
    seen: NDArray[np.uint8]  # (lights, LANES): the share of every light
    columns: NDArray[np.int64]  # the rays' pixels
    rows: NDArray[np.int64]
    chosen: NDArray[np.int64]  # the bodies that the rays can meet


class _Pictures(NamedTuple):
    """The pictures as rows of pixels: what one number addresses is written faster."""

    colours: Pixels  # (6, 3 * pixels): in the order of `Rendering`
    depth: Pixels
    owner: NDArray[np.int8]
    part: NDArray[np.int8]
    visible: NDArray[np.uint8]
    amodal: NDArray[np.bool_]
    items: NDArray[np.int16]  # the bodies that are seen


def trace(scene: Scene, quality: str = "fast") -> Rendering:
    """Trace a scene. `full` softens shadows, and averages four samples where two bodies meet in a pixel."""
    view, solids, full = scene.view, scene.solids, quality == "full"
    place = np.concatenate([view.eye, view.right, view.up, view.forward])
    eye = _Eye(place, np.array([view.focal, view.left, view.top, view.step, 1.0 / view.focal]), SAMPLES)
    contacts = scene.contacts.copy()
    contacts[:, 2] **= -2
    world = _World(solids.cones, solids.frames, solids.materials, scene.rectangles, scene.surfaces, contacts)
    lights = np.concatenate([scene.day.lights, scene.night.lights])
    fill = np.stack([scene.day.above, scene.day.below, scene.night.above, scene.night.below])
    lit = _Lights(lights, *_origins(lights, full), fill)
    tables, work = _tables(len(lit.origins) + 1, world), _Work(*np.zeros((3, OUT)))
    pictures = _pictures(view.height * view.width, len(lights))
    batch = _batch(len(lights), tables)
    _kernel()(eye, world, lit, len(scene.day.lights), full, view.height, view.width, tables, work, batch, pictures)
    return _rendering(pictures, view.height, view.width)


def _pictures(pixels: int, lights: int) -> _Pictures:
    owner, part = np.empty((2, pixels), np.int8)
    visible, amodal = np.empty((pixels, lights), np.uint8), np.empty(pixels, np.bool_)
    colours, depth = np.empty((6, 3 * pixels), np.float32), np.empty(pixels, np.float32)
    return _Pictures(colours, depth, owner, part, visible, amodal, np.empty(pixels, np.int16))


def _rendering(pictures: _Pictures, height: int, width: int) -> Rendering:
    day, night, irradiance, albedo, emission, normal = pictures.colours.reshape(6, height, width, 3)
    owner = pictures.owner.reshape(height, width)
    return Rendering(
        day, night, irradiance, albedo, emission, normal,
        depth=pictures.depth.reshape(height, width),
        mask=owner == SUBJECT,
        part=pictures.part.reshape(height, width),
        visible=pictures.visible.reshape(height, width, pictures.visible.shape[1]),
        owner=owner,
        amodal=pictures.amodal.reshape(height, width),
    )  # fmt: skip


def _tables(origins: int, world: _World) -> _Tables:
    cones, rectangles = len(world.cones), len(world.rectangles)
    shadows = np.concatenate([world.cones[:, SHADOW], world.rectangles[:, RECTANGLE_SHADOW]])
    return _Tables(
        np.empty((origins, directions.AXES)),
        np.empty((origins, directions.ENDS, cones + rectangles)),
        np.empty((origins, directions.ENDS, (cones + rectangles) // directions.GROUP + 1)),
        np.empty((origins * cones, KNOWN)),
        np.empty((cones, SHAPE)),
        np.empty((origins * rectangles, FLAT)),
        np.flatnonzero(shadows == 1.0),
        np.array([cones, rectangles]),
    )


def _batch(lights: int, tables: _Tables) -> _Batch:
    columns, rows = np.zeros((2, LANES), np.int64)
    lanes, seen = np.zeros(RUNS, np.float32), np.zeros((lights, LANES), np.uint8)
    return _Batch(lanes, np.zeros(3 * LANES), seen, columns, rows, np.zeros(tables.sizes.sum() + 1, np.int64))


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


@device
def _prepare(eye, world, origins, tables):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Compute what is fixed for the camera and for every light."""
    n, m, axes, bounds, casters = len(world.cones), len(world.rectangles), tables.axes, tables.bounds, tables.casters
    for i in range(n):
        know_shape(world.cones, i, tables.shapes)
    for o in range(len(origins) + 1):
        if o > 0:
            x, y, z = origins[o - 1, 0], origins[o - 1, 1], origins[o - 1, 2]
            directions.aim(x, y, z, world.cones, axes, o)
        else:
            x, y, z = eye.place[0], eye.place[1], eye.place[2]
            for k in range(directions.AXES):
                axes[0, k] = eye.place[3 + k]
        count = len(casters) if o > 0 else n + m
        for at in range(count):
            item = casters[at] if o > 0 else at
            if item < n:
                know_cone(world.cones, item, x, y, z, tables.cones, o * n + item)
                directions.bound_cone(world.cones, item, x, y, z, axes, o, bounds, at)
            else:
                know_rectangle(world.rectangles, item - n, x, y, z, tables.rectangles, o * m + item - n)
                directions.bound_rectangle(world.rectangles, item - n, x, y, z, axes, o, bounds, at)
        directions.bound_groups(bounds, o, count, tables.groups)


@pasted
def _trace(eye, world, lit, days, tables, work, batch, count, sample):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Trace one sample of the first `count` pixels of a batch."""
    sight.look(eye, batch, sample)
    sight.meet_first(world, tables, batch)
    hits.look_closer(eye, world, tables, work, batch, count)
    lighting.light_up(lit, days, tables, batch, sample - 1)


@device
def _differ(pictures, here, there):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if pictures.items[here] == pictures.items[there]:
        return False
    other = pictures.part[here] != pictures.part[there] or pictures.owner[here] != pictures.owner[there]
    return other or pictures.owner[here] < 0 or abs(pictures.depth[here] - pictures.depth[there]) > STEP


@device
def _is_edge(pictures, height, width, j, i):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Say whether a pixel looks like an edge; where two cones of one limb flow into each other there is none."""
    here = j * width + i
    return (
        (i > 0 and _differ(pictures, here, here - 1))
        or (i + 1 < width and _differ(pictures, here, here + 1))
        or (j > 0 and _differ(pictures, here, here - width))
        or (j + 1 < height and _differ(pictures, here, here + width))
    )


@device
def _write(batch, count, width, pictures):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the middles of a batch's pixels."""
    lanes, colours = batch.lanes, pictures.colours
    for i in range(count):
        pixel = batch.rows[i] * width + batch.columns[i]
        for c in range(3):
            at, lane = 3 * pixel + c, c * LANES + i
            colours[0, at], colours[1, at] = lanes[DAY + lane], lanes[NIGHT + lane]
            colours[2, at], colours[3, at] = lanes[IRRADIANCE + lane], lanes[ALBEDO + lane]
            colours[4, at], colours[5, at] = lanes[EMISSION + lane], lanes[NORMAL + lane]
        for k in range(len(batch.seen)):
            pictures.visible[pixel, k] = batch.seen[k, i]
        pictures.depth[pixel], pictures.items[pixel] = lanes[DEPTH + i], int(lanes[ITEM + i])
        pictures.owner[pixel], pictures.part[pixel] = int(lanes[OWNER_SEEN + i]), int(lanes[PART_SEEN + i])
        pictures.amodal[pixel] = lanes[BEHIND + i] > ZERO


@device
def _write_mean(batch, count, width, samples, pictures):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the averages of a batch's pixels into the two pictures."""
    share = np.float32(1.0 / samples)
    for i in range(count):
        at = 3 * (batch.rows[i] * width + batch.columns[i])
        for c in range(3):
            pictures.colours[0, at + c] = batch.lanes[SUM + c * LANES + i] * share
            pictures.colours[1, at + c] = batch.lanes[SUM + (3 + c) * LANES + i] * share


@device
def _sum_up(lanes, sample):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add a sample of the two pictures to those before it."""
    for i in range(6 * LANES):
        lanes[SUM + i] = (ZERO if sample == 1 else lanes[SUM + i]) + lanes[DAY + i]


@pasted
def _trace_picture(eye, world, lit, days, tables, work, batch, height, width, pictures):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Trace the middles of all pixels, a tile of them at a time."""
    for top in range(0, height, TALL):
        for left in range(0, width, WIDE):
            count = np.int64(0)  # a plain 0 is a type of its own: everything would be compiled twice
            for j in range(top, min(top + TALL, height)):
                for i in range(left, min(left + WIDE, width)):
                    batch.rows[count], batch.columns[count] = j, i
                    count += 1
            for lane in range(count, LANES):  # the rest repeats the last one, and is not written
                batch.rows[lane], batch.columns[lane] = batch.rows[count - 1], batch.columns[count - 1]
            _trace(eye, world, lit, days, tables, work, batch, count, np.int64(0))
            _write(batch, count, width, pictures)


@pasted
def _average_edges(eye, world, lit, days, tables, work, batch, height, width, pictures):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Average the pixels in which two bodies meet."""
    count = np.int64(0)
    for top in range(0, height, TALL):
        for left in range(0, width, WIDE):
            for j in range(top, min(top + TALL, height)):
                for i in range(left, min(left + WIDE, width)):
                    if _is_edge(pictures, height, width, j, i):
                        batch.rows[count], batch.columns[count] = j, i
                        count += 1
                    last = j == height - 1 and i == width - 1
                    if count == LANES or (last and count > 0):
                        _average(eye, world, lit, days, tables, work, batch, count, width, pictures)
                        count = np.int64(0)


@pasted
def _average(eye, world, lit, days, tables, work, batch, count, width, pictures):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for lane in range(count, LANES):
        batch.rows[lane], batch.columns[lane] = batch.rows[count - 1], batch.columns[count - 1]
    for sample in range(1, len(eye.samples)):
        _trace(eye, world, lit, days, tables, work, batch, count, sample)
        _sum_up(batch.lanes, sample)
    _write_mean(batch, count, width, len(eye.samples) - 1, pictures)


def _make(version: str) -> Any:  # noqa: ANN401
    """Build the kernel; `version` becomes part of the key of numba's disk cache, which sees one file only."""

    def kernel(eye, world, lit, days, full, height, width, tables, work, batch, pictures):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if version == "":
            return
        _prepare(eye, world, lit.origins, tables)
        _trace_picture(eye, world, lit, days, tables, work, batch, height, width, pictures)
        if full:
            _average_edges(eye, world, lit, days, tables, work, batch, height, width, pictures)

    return kernel


@functools.cache
def _kernel() -> Any:  # noqa: ANN401 - a compiled function has no type of its own
    """Compile the kernel, or take it from the disk where the sources are the same."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    version = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()
    try:
        return numba.njit(cache=True, **OPTIONS)(_make(version))
    except RuntimeError:  # neither this folder nor the user's cache can be written
        return numba.njit(**OPTIONS)(_make(version))
