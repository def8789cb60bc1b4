"""How much light reaches the points that a batch of rays has met. Compiled for the kernel.

Shadow rays run from the light to the surface, so that what depends on a ray's origin is computed once a body.
"""

import math

import numpy as np

from synthesis.street import directions, scene
from synthesis.street.bodies import MORE, SIDES, cross, enter, enter_open, enter_round, flat_of, row_of
from synthesis.street.lanes import (
    ACROSS,
    AHEAD,
    AIM_X,
    AIM_Y,
    AIM_Z,
    AIR,
    ALBEDO,
    ALONG,
    ARRIVING,
    BENT_X,
    BENT_Y,
    BENT_Z,
    DAY,
    EMISSION,
    FLAT_X,
    FLAT_Y,
    FLAT_Z,
    FREE,
    HALF,
    INFINITE,
    IRRADIANCE,
    LANES,
    LIMIT,
    NEAR_BY,
    NIGHT,
    ONE,
    OPEN,
    OVER,
    POINT_X,
    POINT_Y,
    POINT_Z,
    WANTED,
    ZERO,
    pasted,
)
from synthesis.street.noise import device
from synthesis.street.scene import DIRECTION, INTENSITY, LIGHT_KIND, LOBE, POSITION, SPREAD, SUN

LIFT, SHORT = 0.015, 0.02  # a shadow ray ends so far above the surface, and so far before it
NEAREST_LAMP = 4.0  # nobody comes closer to a lamp than half a metre, as far as its light goes: 1 / .5^2
WHOLE = np.float32(255)  # of a light that nothing hides
SIDEWAYS = 1e-3  # a ray of which less goes ahead has no place in a light's picture


@pasted
def _vector(table, row, column):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Take three numbers of a table as the lanes' own kind."""
    return np.float32(table[row, column]), np.float32(table[row, column + 1]), np.float32(table[row, column + 2])


@device
def light_up(lit, days, tables, batch, one):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Fill in what light arrives and what is seen of it; from all points of a light's disc, or from `one` of them."""
    lanes, lights = batch.lanes, lit.lights
    _straighten(lanes)
    _fill(lanes, lit.fill)
    for k in range(len(lights)):
        _arrive(lanes, lights, k)
        if _any_is_free(lanes):
            first, last = lit.first[k], lit.first[k + 1]
            if one >= 0:
                first, last = first + one, first + one + 1
            _cast_shadows(lit.origins, first, last, tables, batch)
            if k < days:
                _add_by_day(lanes, lights, k)
            else:
                _add_by_night(lanes, lights, k)
        for i in range(LANES):
            batch.seen[k, i] = np.uint8(WHOLE * lanes[OPEN + i] + HALF)
    _reflect(lanes)


@device
def _straighten(lanes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give the bent normals unit length."""
    for i in range(LANES):
        x, y, z = lanes[BENT_X + i], lanes[BENT_Y + i], lanes[BENT_Z + i]
        square = x * x + y * y + z * z
        per = ONE / math.sqrt(square) if square > ZERO else ZERO
        lanes[BENT_X + i], lanes[BENT_Y + i], lanes[BENT_Z + i] = x * per, y * per, z * per


@device
def _fill(lanes, fill):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give every point the light that comes from all sides."""
    _fill_colours(lanes, DAY, fill, 0)
    _fill_colours(lanes, IRRADIANCE, fill, 2)


@pasted
def _fill_colours(lanes, run, fill, row):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    r, g, b = _vector(fill, row, 0)
    low_r, low_g, low_b = _vector(fill, row + 1, 0)
    for i in range(LANES):
        air, half = lanes[AIR + i], HALF * lanes[BENT_Y + i]
        up, down = air * (HALF + half), air * (HALF - half)
        lanes[run + i] = r * up + low_r * down
        lanes[run + LANES + i] = g * up + low_g * down
        lanes[run + 2 * LANES + i] = b * up + low_b * down


@device
def _arrive(lanes, lights, k):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Compute what would arrive of a light if nothing stood in its way."""
    x, y, z = _vector(lights, k, POSITION)
    dx, dy, dz = _vector(lights, k, DIRECTION)
    is_sun, most_of_it, per_pi = lights[k, LIGHT_KIND] == SUN, np.float32(NEAREST_LAMP), np.float32(1.0 / math.pi)
    for i in range(LANES):
        wx, wy, wz = x - lanes[POINT_X + i], y - lanes[POINT_Y + i], z - lanes[POINT_Z + i]
        near_by = ONE / math.sqrt(wx * wx + wy * wy + wz * wz)
        wx, wy, wz = wx * near_by, wy * near_by, wz * near_by
        facing = lanes[BENT_X + i] * wx + lanes[BENT_Y + i] * wy + lanes[BENT_Z + i] * wz
        own = lanes[FLAT_X + i] * wx + lanes[FLAT_Y + i] * wy + lanes[FLAT_Z + i] * wz
        fall = min(near_by * near_by, most_of_it) * per_pi
        fall = ONE if is_sun else fall
        lanes[ARRIVING + i] = facing * fall if (facing > ZERO) & (own > ZERO) else ZERO
        lanes[ALONG + i] = max(-(dx * wx + dy * wy + dz * wz), ZERO)
        lanes[NEAR_BY + i] = near_by
    if lights[k, LIGHT_KIND] == LOBE:
        for _ in range(int(lights[k, SPREAD])):
            for i in range(LANES):
                lanes[ARRIVING + i] *= lanes[ALONG + i]
    for i in range(LANES):
        lanes[WANTED + i] = ONE if lanes[ARRIVING + i] > ZERO else ZERO
        lanes[FREE + i] = lanes[WANTED + i]
        lanes[OPEN + i] = ZERO


@pasted
def _cast_shadows(origins, first, last, tables, batch):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Compute the share that is seen of a light, from some points of its disc."""
    lanes = batch.lanes
    for o in range(first, last):
        if o == first + 2:  # two opposite points of the disc agree: so will those between them
            for i in range(LANES):
                lanes[WANTED + i] = ONE if lanes[OPEN + i] == ONE else ZERO
        for i in range(LANES):
            lanes[FREE + i] = lanes[WANTED + i]
        if not _any_is_free(lanes):
            break
        _cast(origins[o, 0], origins[o, 1], origins[o, 2], o + 1, tables, batch)
        for i in range(LANES):
            lanes[OPEN + i] += lanes[FREE + i]
    if last - first > 1:
        for i in range(LANES):
            lanes[OPEN + i] *= HALF * HALF if lanes[WANTED + i] == ONE else HALF


@pasted
def _cast(x, y, z, o, tables, batch):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Follow the shadow rays from one origin: FREE becomes 1 where one is wanted and nothing stands in its way."""
    lanes = batch.lanes
    _start(lanes, np.float32(x), np.float32(y), np.float32(z), tables.axes, o)
    count, n, m = len(tables.casters), tables.sizes[0], tables.sizes[1]
    ahead, far, left, right, low, high = _range(lanes)
    if ahead > np.float32(SIDEWAYS):
        count = directions.choose(tables, o, count, left, right, low, high, far, batch.chosen)
    else:
        for k in range(count):
            batch.chosen[k] = k
    for k in range(count):
        item = tables.casters[batch.chosen[k]]
        if item >= n:
            _hide_behind_rectangle(lanes, tables.rectangles, o * m + item - n)
        elif tables.cones[o * n + item, SIDES] == scene.OPEN:
            _hide_behind_open(lanes, tables.cones, o * n + item)
        elif tables.cones[o * n + item, MORE] != 0.0:
            _hide_behind_closed(lanes, tables.cones, o * n + item)
        else:
            _hide_behind_round(lanes, tables.cones, o * n + item)
        if not _any_is_free(lanes):
            break


@device
def _start(lanes, x, y, z, axes, o):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Aim shadow rays, and find their range in the light's picture."""
    rx, ry, rz = _vector(axes, o, directions.RIGHT)
    ux, uy, uz = _vector(axes, o, directions.UP)
    ax, ay, az = _vector(axes, o, directions.AHEAD)
    lift, short = np.float32(LIFT), np.float32(SHORT)
    for i in range(LANES):
        vx = lanes[POINT_X + i] + lift * lanes[FLAT_X + i] - x
        vy = lanes[POINT_Y + i] + lift * lanes[FLAT_Y + i] - y
        vz = lanes[POINT_Z + i] + lift * lanes[FLAT_Z + i] - z
        length = math.sqrt(vx * vx + vy * vy + vz * vz)
        per = ONE / length
        vx, vy, vz = vx * per, vy * per, vz * per
        lanes[AIM_X + i], lanes[AIM_Y + i], lanes[AIM_Z + i] = vx, vy, vz
        lanes[LIMIT + i] = length - length * short * lanes[NEAR_BY + i]
        ahead = vx * ax + vy * ay + vz * az
        per = ONE / ahead
        across, over = (vx * rx + vy * ry + vz * rz) * per, (vx * ux + vy * uy + vz * uz) * per
        lanes[ACROSS + i], lanes[OVER + i], lanes[AHEAD + i] = across, over, ahead


@device
def _range(lanes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give how much of the wanted shadow rays goes ahead at least, how far they get, and their ends in the picture."""
    ahead, far, left, right, low, high = INFINITE, ZERO, INFINITE, -INFINITE, INFINITE, -INFINITE
    for i in range(LANES):
        wanted = lanes[FREE + i] == ONE
        ahead = min(ahead, lanes[AHEAD + i] if wanted else INFINITE)
        far = max(far, lanes[AHEAD + i] * lanes[LIMIT + i] if wanted else ZERO)
        left = min(left, lanes[ACROSS + i] if wanted else INFINITE)
        right = max(right, lanes[ACROSS + i] if wanted else -INFINITE)
        low = min(low, lanes[OVER + i] if wanted else INFINITE)
        high = max(high, lanes[OVER + i] if wanted else -INFINITE)
    return ahead, far, left, right, low, high


@device
def _any_is_free(lanes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Say whether any ray is still wanted, and nothing stands in its way as yet."""
    found = False
    for i in range(LANES):
        found |= lanes[FREE + i] > ZERO
    return found


@device
def _hide_behind_closed(lanes, known, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    row = row_of(known, at, np.float32)
    for i in range(LANES):
        t = enter(row, lanes[AIM_X + i], lanes[AIM_Y + i], lanes[AIM_Z + i])
        lanes[FREE + i] = ZERO if t < lanes[LIMIT + i] else lanes[FREE + i]


@device
def _hide_behind_round(lanes, known, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    row = row_of(known, at, np.float32)
    for i in range(LANES):
        t = enter_round(row, lanes[AIM_X + i], lanes[AIM_Y + i], lanes[AIM_Z + i])
        lanes[FREE + i] = ZERO if t < lanes[LIMIT + i] else lanes[FREE + i]


@device
def _hide_behind_open(lanes, known, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    row = row_of(known, at, np.float32)
    for i in range(LANES):
        t = enter_open(row, lanes[AIM_X + i], lanes[AIM_Y + i], lanes[AIM_Z + i])
        lanes[FREE + i] = ZERO if t < lanes[LIMIT + i] else lanes[FREE + i]


@device
def _hide_behind_rectangle(lanes, flats, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    flat = flat_of(flats, at, np.float32)
    for i in range(LANES):
        t = cross(flat, lanes[AIM_X + i], lanes[AIM_Y + i], lanes[AIM_Z + i])
        lanes[FREE + i] = ZERO if t < lanes[LIMIT + i] else lanes[FREE + i]


@device
def _add_by_day(lanes, lights, k):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    _add(lanes, DAY, lights, k)


@device
def _add_by_night(lanes, lights, k):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    _add(lanes, IRRADIANCE, lights, k)


@pasted
def _add(lanes, run, lights, k):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    r, g, b = _vector(lights, k, INTENSITY)
    for i in range(LANES):
        share = lanes[OPEN + i] * lanes[ARRIVING + i]
        lanes[run + i] += share * r
        lanes[run + LANES + i] += share * g
        lanes[run + 2 * LANES + i] += share * b


@device
def _reflect(lanes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Turn light into what the eye sees of it."""
    for i in range(3 * LANES):
        albedo = lanes[ALBEDO + i]
        lanes[DAY + i] *= albedo
        lanes[NIGHT + i] = albedo * lanes[IRRADIANCE + i] + lanes[EMISSION + i]
