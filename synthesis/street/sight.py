"""What a batch of rays from the eye meets first. Compiled for the kernel."""

import math

import numpy as np

from synthesis.street import directions
from synthesis.street.bodies import cross, enter, enter_open, flat_of, row_of
from synthesis.street.lanes import (
    ACROSS,
    AIM_X,
    AIM_Y,
    AIM_Z,
    BEHIND,
    DEPTH,
    INFINITE,
    ITEM,
    LANES,
    ONE,
    OVER,
    ZERO,
    fill,
)
from synthesis.street.noise import device
from synthesis.street.scene import FRAME_HEIGHT, FRAME_WIDTH, KIND, OPEN, OWNER, SUBJECT

CENTRE_X, CENTRE_Y = FRAME_WIDTH / 2, FRAME_HEIGHT / 2


@device
def look(eye, batch, sample):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Aim the rays through a place in each pixel of a batch."""
    lanes, aims, place = batch.lanes, batch.aims, eye.place
    left, top, step, near = eye.lens[1], eye.lens[2], eye.lens[3], eye.lens[4]
    dx, dy = 0.5 + eye.samples[sample, 0], 0.5 + eye.samples[sample, 1]
    fx, fy, fz = place[9], place[10], place[11]
    rx, ry, rz, ux, uy, uz = place[3], place[4], place[5], place[6], place[7], place[8]
    for i in range(LANES):
        x = (left + (batch.columns[i] + dx) * step - CENTRE_X) * near
        y = (CENTRE_Y - top - (batch.rows[i] + dy) * step) * near
        vx, vy, vz = fx + x * rx + y * ux, fy + x * ry + y * uy, fz + x * rz + y * uz
        length = 1.0 / math.sqrt(vx * vx + vy * vy + vz * vz)
        vx, vy, vz = vx * length, vy * length, vz * length
        aims[i], aims[LANES + i], aims[2 * LANES + i] = vx, vy, vz
        lanes[ACROSS + i], lanes[OVER + i] = np.float32(x), np.float32(y)
        lanes[AIM_X + i], lanes[AIM_Y + i], lanes[AIM_Z + i] = np.float32(vx), np.float32(vy), np.float32(vz)


@device
def meet_first(world, tables, batch):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Find the first body that each ray meets, how far away, and whether it meets the subject at all."""
    lanes, n = batch.lanes, len(world.cones)
    fill(lanes, DEPTH, INFINITE)
    fill(lanes, ITEM, -ONE)
    fill(lanes, BEHIND, ZERO)
    left, right, low, high = _range(lanes)
    count = directions.choose(tables, 0, n + len(world.rectangles), left, right, low, high, INFINITE, batch.chosen)
    for k in range(count):
        item = batch.chosen[k]
        if item >= n:
            _meet_rectangle(lanes, tables.rectangles, item - n, item)
        elif world.cones[item, KIND] == OPEN:
            _meet_open(lanes, tables.cones, item, ONE if world.cones[item, OWNER] == SUBJECT else ZERO)
        else:
            _meet_closed(lanes, tables.cones, item, ONE if world.cones[item, OWNER] == SUBJECT else ZERO)


@device
def _range(lanes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give the ends of the batch in the picture."""
    left, right, low, high = INFINITE, -INFINITE, INFINITE, -INFINITE
    for i in range(LANES):
        left, right = min(left, lanes[ACROSS + i]), max(right, lanes[ACROSS + i])
        low, high = min(low, lanes[OVER + i]), max(high, lanes[OVER + i])
    return left, right, low, high


@device
def _meet_closed(lanes, known, item, mine):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    row, name = row_of(known, item, np.float32), np.float32(item)
    for i in range(LANES):
        t = enter(row, lanes[AIM_X + i], lanes[AIM_Y + i], lanes[AIM_Z + i])
        lanes[ITEM + i] = name if t < lanes[DEPTH + i] else lanes[ITEM + i]
        lanes[DEPTH + i] = min(t, lanes[DEPTH + i])
        lanes[BEHIND + i] = max(mine, lanes[BEHIND + i]) if t < INFINITE else lanes[BEHIND + i]


@device
def _meet_open(lanes, known, item, mine):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    row, name = row_of(known, item, np.float32), np.float32(item)
    for i in range(LANES):
        t = enter_open(row, lanes[AIM_X + i], lanes[AIM_Y + i], lanes[AIM_Z + i])
        lanes[ITEM + i] = name if t < lanes[DEPTH + i] else lanes[ITEM + i]
        lanes[DEPTH + i] = min(t, lanes[DEPTH + i])
        lanes[BEHIND + i] = max(mine, lanes[BEHIND + i]) if t < INFINITE else lanes[BEHIND + i]


@device
def _meet_rectangle(lanes, flats, number, item):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    flat, name = flat_of(flats, number, np.float32), np.float32(item)
    for i in range(LANES):
        t = cross(flat, lanes[AIM_X + i], lanes[AIM_Y + i], lanes[AIM_Z + i])
        lanes[ITEM + i] = name if t < lanes[DEPTH + i] else lanes[ITEM + i]
        lanes[DEPTH + i] = min(t, lanes[DEPTH + i])
