"""What lies where a ray ends: the painting, the normals, and how much of the fill gets there. Compiled for the kernel.

Here every ray goes its own way, one after the other, in float64: the lanes have only chosen what it meets.
"""

import math

import numpy as np

from synthesis.street import cloth, surfaces
from synthesis.street.bodies import PER_U, PER_V, N, cross, dot, enter, enter_open, flat_of, normal, row_of
from synthesis.street.lanes import (
    AIR,
    ALBEDO,
    AWAY,
    BENT_X,
    DEPTH,
    EMISSION,
    FLAT_X,
    GROUND,
    INFINITE,
    ITEM,
    LANES,
    ONE,
    OWNER,
    PART,
    POINT_X,
    POINT_Z,
    ZERO,
    pasted,
)
from synthesis.street.noise import device
from synthesis.street.scene import (
    CORNER,
    EDGE_U,
    EDGE_V,
    FRAME,
    KIND,
    MATERIAL,
    NEAR,
    OPEN,
    OUT,
    RECTANGLE_MATERIAL,
    SUBJECT,
)
from synthesis.street.scene import OWNER as OWNER_OF
from synthesis.street.scene import PART as PART_OF

BLEND = 0.04  # metres over which the normals of neighbouring cones flow into each other
FOOT = 0.05  # what is lower is the ground, which darkens where something touches it
LEVEL = 0.9  # a normal that points up more than this belongs to the ground
FADED = np.float32(16.0)  # squares of a contact's radius: beyond it is less than a millionth
BODY_SHADE, BODY_FADE = 0.6, 1.2  # a body's lowest end gets .6 of the fill, from 1.2 m on all of it
SURFACE_KINDS = 50  # kinds of material below are painted by cloth, from there on by surfaces


@device
def _touch(contacts, lanes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Leave less of the fill on the ground where something touches it."""
    for k in range(len(contacts)):
        x, z, per = np.float32(contacts[k, 0]), np.float32(contacts[k, 1]), np.float32(contacts[k, 2])
        near = False
        for i in range(LANES):
            dx, dz = lanes[POINT_X + i] - x, lanes[POINT_Z + i] - z
            away = (dx * dx + dz * dz) * per if lanes[GROUND + i] > ZERO else INFINITE
            lanes[AWAY + i] = away
            near |= bool(away < FADED)
        if near:
            for i in range(LANES):
                if lanes[AWAY + i] < FADED:
                    lanes[AIR + i] *= np.float32(1.0 - contacts[k, 3] * math.exp(-float(lanes[AWAY + i])))


@pasted
def _paint(materials, row, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if materials[row, 0] < SURFACE_KINDS:
        cloth.paint(materials[row], x, y, z, out)
    else:
        surfaces.paint(materials[row], x, y, z, out)


@pasted
def _paint_rectangle(world, tables, i, px, py, pz, vx, vy, vz, work):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
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
def _paint_cone(world, shapes, i, px, py, pz, vx, vy, vz, work):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Paint a point of a cone; write its own normal and the one that light sees, which flows into its neighbours'."""
    cones, frames, out, flat, bent = world.cones, world.frames, work.out, work.flat, work.bent
    x, y, z, _ = normal(shapes, i, px, py, pz)
    bx, by, bz = x, y, z
    for neighbour in range(4):
        other = int(cones[i, NEAR + neighbour])
        if other >= 0:
            ox, oy, oz, distance = normal(shapes, other, px, py, pz)
            weight = max(0.0, 1.0 - abs(distance) * (1.0 / BLEND))
            weight *= weight
            bx, by, bz = bx + weight * ox, by + weight * oy, bz + weight * oz
    side = -1.0 if cones[i, KIND] == OPEN and x * vx + y * vy + z * vz > 0.0 else 1.0
    flat[0], flat[1], flat[2] = side * x, side * y, side * z
    bent[0], bent[1], bent[2] = side * bx, side * by, side * bz
    f = int(cones[i, FRAME])
    wx, wy, wz = px - frames[f, 0], py - frames[f, 1], pz - frames[f, 2]
    out[6] = cones[i, PART_OF]
    x, y, z = dot(frames, f, 3, wx, wy, wz), dot(frames, f, 6, wx, wy, wz), dot(frames, f, 9, wx, wy, wz)
    _paint(world.materials, int(cones[i, MATERIAL]), x, y, z, out)
    for k in range(3):
        bent[k] += out[7] * frames[f, 3 + k] + out[8] * frames[f, 6 + k] + out[9] * frames[f, 9 + k]


@pasted
def _open_air(owner, y):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give the share of the fill that reaches a point, as far as it does not touch anything."""
    return BODY_SHADE + (1.0 - BODY_SHADE) * min(1.0, max(y, 0.0) / BODY_FADE) if owner >= 0.0 else 1.0


@pasted
def _distance(world, tables, item, rough, vx, vy, vz):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give exactly how far away a ray meets what its lane has chosen; roughly where it only just touches it."""
    n = len(world.cones)
    if item >= n:
        t = cross(flat_of(tables.rectangles, item - n, np.float64), vx, vy, vz)
    elif world.cones[item, KIND] == OPEN:
        t = enter_open(row_of(tables.cones, item, np.float64), vx, vy, vz)
    else:
        t = enter(row_of(tables.cones, item, np.float64), vx, vy, vz)
    return t if abs(t - rough) < 1e-3 * rough else float(rough)


@pasted
def _note(lanes, i, run, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    lanes[run + i], lanes[run + LANES + i], lanes[run + 2 * LANES + i] = np.float32(x), np.float32(y), np.float32(z)


@device
def look_closer(eye, world, tables, work, batch, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Note for every lane what its ray has met: point, normals, painting, open air; zeros where there is nothing."""
    lanes, aims, out, place = batch.lanes, batch.aims, work.out, eye.place
    for i in range(LANES):
        item, owner = int(lanes[ITEM + i]), -1.0
        for k in range(OUT):
            out[k] = 0.0
        out[6] = -1.0
        if item < 0 or i >= count:
            lanes[ITEM + i] = np.float32(-1.0)
            for run in range(POINT_X, GROUND + LANES, LANES):
                lanes[run + i] = ZERO
        else:
            vx, vy, vz = aims[i], aims[LANES + i], aims[2 * LANES + i]
            depth = _distance(world, tables, item, lanes[DEPTH + i], vx, vy, vz)
            px, py, pz = place[0] + depth * vx, place[1] + depth * vy, place[2] + depth * vz
            if item < len(world.cones):
                _paint_cone(world, tables.shapes, item, px, py, pz, vx, vy, vz, work)
                owner = world.cones[item, OWNER_OF]
            else:
                _paint_rectangle(world, tables, item - len(world.cones), px, py, pz, vx, vy, vz, work)
            lanes[DEPTH + i] = np.float32(depth)
            is_ground = item >= len(world.cones) and py < FOOT and work.flat[1] > LEVEL
            lanes[AIR + i], lanes[GROUND + i] = np.float32(_open_air(owner, py)), ONE if is_ground else ZERO
            _note(lanes, i, POINT_X, px, py, pz)
            _note(lanes, i, FLAT_X, work.flat[0], work.flat[1], work.flat[2])
            _note(lanes, i, BENT_X, work.bent[0], work.bent[1], work.bent[2])
        _note(lanes, i, ALBEDO, out[0], out[1], out[2])
        _note(lanes, i, EMISSION, out[3], out[4], out[5])
        lanes[OWNER + i] = np.float32(owner)
        lanes[PART + i] = np.float32(out[6] if owner == SUBJECT else -1.0)
    _touch(world.contacts, lanes)
