"""Which bodies a ray can meet at all: a grid over the directions from one origin, with a list of bodies in every cell.

A direction's coordinates are its parts to the right and up over its part ahead, as on a photograph from the origin.
Bodies that reach too far aside for that are in every list.
"""

import math

from synthesis.street.bodies import dot, pasted
from synthesis.street.noise import device
from synthesis.street.scene import CORNER, EDGE_U, EDGE_V, OWNER, RA, RB, A, B

CELLS = 32  # on a side
# Columns of a grid: its three axes, its range, and the cells for one unit of it.
RIGHT, UP, AHEAD, LOW_X, HIGH_X, LOW_Y, HIGH_Y, PER_X, PER_Y, GRID = 0, 3, 6, 9, 10, 11, 12, 13, 14, 15
EVERYWHERE, ALL, LISTS = CELLS * CELLS, CELLS * CELLS + 1, CELLS * CELLS + 2  # the lists beside the cells'
STEEPEST = 12.0  # what reaches further aside, in parts of the way ahead, is in every list


@device
def reach(across, ahead, radius):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give the range of across/ahead that a sphere covers seen from the origin; infinite where it has no end."""
    # The slopes m of the planes that touch the sphere: (across - m ahead)^2 = radius^2 (1 + m^2).
    square = ahead * ahead - radius * radius
    if ahead <= radius or square <= 1e-6 * ahead * ahead:
        return -math.inf, math.inf
    root = radius * math.sqrt(across * across + square)
    low, high = (across * ahead - root) / square, (across * ahead + root) / square
    return (low, high) if low > -STEEPEST and high < STEEPEST else (-math.inf, math.inf)


@device
def bound_sphere(grids, o, x, y, z, radius, bounds, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Widen a bound by what a sphere at (x, y, z) from the origin covers; say whether it lies behind the origin."""
    ahead = dot(grids, o, AHEAD, x, y, z)
    low, high = reach(dot(grids, o, RIGHT, x, y, z), ahead, radius)
    bounds[at, 0], bounds[at, 1] = min(bounds[at, 0], low), max(bounds[at, 1], high)
    low, high = reach(dot(grids, o, UP, x, y, z), ahead, radius)
    bounds[at, 2], bounds[at, 3] = min(bounds[at, 2], low), max(bounds[at, 3], high)
    return ahead < -radius


@device
def bound(item, cones, rectangles, ox, oy, oz, grids, o, bounds):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give what a body covers in a grid's coordinates: a cone is the hull of its ends, and so is its image."""
    bounds[item, 0], bounds[item, 1], bounds[item, 2], bounds[item, 3] = math.inf, -math.inf, math.inf, -math.inf
    behind = True
    if item < len(cones):
        ax, ay, az = cones[item, A] - ox, cones[item, A + 1] - oy, cones[item, A + 2] - oz
        behind = bound_sphere(grids, o, ax, ay, az, cones[item, RA], bounds, item) and behind
        bx, by, bz = cones[item, B] - ox, cones[item, B + 1] - oy, cones[item, B + 2] - oz
        behind = bound_sphere(grids, o, bx, by, bz, cones[item, RB], bounds, item) and behind
    else:
        i = item - len(cones)
        for corner in range(4):
            u, v = float(corner & 1), float(corner >> 1)
            x = rectangles[i, CORNER] + u * rectangles[i, EDGE_U] + v * rectangles[i, EDGE_V] - ox
            y = rectangles[i, CORNER + 1] + u * rectangles[i, EDGE_U + 1] + v * rectangles[i, EDGE_V + 1] - oy
            z = rectangles[i, CORNER + 2] + u * rectangles[i, EDGE_U + 2] + v * rectangles[i, EDGE_V + 2] - oz
            behind = bound_sphere(grids, o, x, y, z, 0.0, bounds, item) and behind
    if behind:  # no ray that goes ahead can meet it
        bounds[item, 0], bounds[item, 1], bounds[item, 2], bounds[item, 3] = math.inf, -math.inf, math.inf, -math.inf


@device
def cells(grids, o, bounds, item, side):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give the first and the last cell that a body covers to one side (0 across, 1 over); none for a body behind."""
    low, per = grids[o, LOW_X + 2 * side], grids[o, PER_X + side]
    first, last = (bounds[item, 2 * side] - low) * per - 1e-6, (bounds[item, 2 * side + 1] - low) * per + 1e-6
    if not (last >= 0.0 and first < CELLS):
        return 0, -1
    return int(max(first, 0.0)), int(min(last, CELLS - 1.0))


@device
def fill(grids, o, bounds, wanted, starts, items):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Name in every cell the bodies that a ray through it can meet; `starts` says where each list begins."""
    for place in range(LISTS + 1):
        starts[o, place] = 0
    # First the lists' lengths, each in the place after its own; then their sums; then the lists.
    for writing in (False, True):
        for item in range(len(bounds)):
            if not wanted[item]:
                continue
            i0, i1 = cells(grids, o, bounds, item, 0)
            j0, j1 = cells(grids, o, bounds, item, 1)
            for j in range(j0, j1 + 1):
                for i in range(i0, i1 + 1):
                    put(starts, items, o, j * CELLS + i, item, writing)
            size = abs(bounds[item, 0]) + abs(bounds[item, 1]) + abs(bounds[item, 2]) + abs(bounds[item, 3])
            if not math.isfinite(size) and bounds[item, 0] <= bounds[item, 1]:
                put(starts, items, o, EVERYWHERE, item, writing)
            put(starts, items, o, ALL, item, writing)
        if not writing:
            for place in range(LISTS):
                starts[o, place + 1] += starts[o, place]
    for place in range(LISTS, 0, -1):  # each start has moved to its list's end, which is the next one's start
        starts[o, place] = starts[o, place - 1]
    starts[o, 0] = 0


@device
def put(starts, items, o, place, item, writing):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Count a body in a list, or write it there."""
    if writing:
        items[o, starts[o, place]] = item
        starts[o, place] += 1
    else:
        starts[o, place + 1] += 1


@pasted
def cell(grids, o, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give the list of the bodies that a ray can meet."""
    ahead = dot(grids, o, AHEAD, x, y, z)
    across, over = dot(grids, o, RIGHT, x, y, z), dot(grids, o, UP, x, y, z)
    if (abs(across) + abs(over)) >= STEEPEST * ahead:
        return ALL
    ahead = 1.0 / ahead
    u = (across * ahead - grids[o, LOW_X]) * grids[o, PER_X]
    v = (over * ahead - grids[o, LOW_Y]) * grids[o, PER_Y]
    if u < 0.0 or v < 0.0 or u >= CELLS or v >= CELLS:
        return EVERYWHERE
    return int(v) * CELLS + int(u)


@device
def aim(ox, oy, oz, cones, wanted, grids, o):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Turn a light's grid towards the people, or towards whatever casts shadows where there is nobody."""
    x = y = z = 0.0
    people = False
    for i in range(len(cones)):
        people = people or (wanted[i] and cones[i, OWNER] >= 0.0)
    for i in range(len(cones)):
        if wanted[i] and (cones[i, OWNER] >= 0.0 or not people):
            x, y, z = x + cones[i, A] - ox, y + cones[i, A + 1] - oy, z + cones[i, A + 2] - oz
    length = math.sqrt(x * x + y * y + z * z)
    if length < 1e-9:
        x, y, z, length = 0.0, -1.0, 0.0, 1.0
    x, y, z = x / length, y / length, z / length
    # Any axis that is not along the direction will do.
    rx, ry, rz = (0.0, z, -y) if abs(x) < 0.7 else (-z, 0.0, x)
    length = math.sqrt(rx * rx + ry * ry + rz * rz)
    rx, ry, rz = rx / length, ry / length, rz / length
    grids[o, AHEAD], grids[o, AHEAD + 1], grids[o, AHEAD + 2] = x, y, z
    grids[o, RIGHT], grids[o, RIGHT + 1], grids[o, RIGHT + 2] = rx, ry, rz
    grids[o, UP], grids[o, UP + 1], grids[o, UP + 2] = y * rz - z * ry, z * rx - x * rz, x * ry - y * rx


@device
def lay(grids, o, left, right, low, high):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Lay a grid over a range."""
    grids[o, LOW_X], grids[o, HIGH_X], grids[o, LOW_Y], grids[o, HIGH_Y] = left, right, low, high
    grids[o, PER_X], grids[o, PER_Y] = CELLS / (right - left), CELLS / (high - low)


@device
def cover(bounds, wanted, grids, o):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Let a grid reach over all bodies that have an end."""
    left, right, low, high = math.inf, -math.inf, math.inf, -math.inf
    for item in range(len(bounds)):
        ends = abs(bounds[item, 0]) + abs(bounds[item, 1]) + abs(bounds[item, 2]) + abs(bounds[item, 3])
        if wanted[item] and math.isfinite(ends):
            left, right = min(left, bounds[item, 0]), max(right, bounds[item, 1])
            low, high = min(low, bounds[item, 2]), max(high, bounds[item, 3])
    if not (right > left and high > low):
        left, right, low, high = -1.0, 1.0, -1.0, 1.0
    lay(grids, o, left, right, low, high)
