"""Which bodies a batch of rays can meet at all: those whose picture, seen from where the rays start, meets the batch's.

A direction's coordinates are its parts to the right and up over its part ahead, as on a photograph from the origin.
Bodies that reach too far aside for that may be met by any ray.
"""

import math

from synthesis.street.bodies import dot
from synthesis.street.lanes import pasted
from synthesis.street.noise import device
from synthesis.street.scene import CORNER, EDGE_U, EDGE_V, OWNER, RA, RB, SQUASH, A, B

RIGHT, UP, AHEAD, AXES = 0, 3, 6, 9  # columns of the axes of one origin's picture
# Of what a body covers: the ends of its picture, and how far ahead it begins.
LEFT_END, RIGHT_END, LOW_END, HIGH_END, FRONT_END, ENDS = 0, 1, 2, 3, 4, 5
GROUP = 8  # bodies that are tried together first
STEEPEST = 12.0  # what reaches further aside, in parts of the way ahead, covers everything
MARGIN = 1e-5  # of the coordinates: float32 is coarser than what they are computed from


@device
def reach(across, ahead, radius):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give the range of across/ahead that a sphere covers seen from the origin; infinite where it has no end."""
    # The slopes m of the planes that touch the sphere: (across - m ahead)^2 = radius^2 (1 + m^2).
    square = ahead * ahead - radius * radius
    if ahead <= radius or square <= 1e-6 * ahead * ahead:
        return -math.inf, math.inf
    root = radius * math.sqrt(across * across + square)
    low, high = (across * ahead - root) / square, (across * ahead + root) / square
    return (low - MARGIN, high + MARGIN) if low > -STEEPEST and high < STEEPEST else (-math.inf, math.inf)


@device
def bound_sphere(axes, o, x, y, z, radius, bounds, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Widen a bound by what a sphere at (x, y, z) from the origin covers; say whether it lies behind the origin."""
    ahead = dot(axes, o, AHEAD, x, y, z)
    low, high = reach(dot(axes, o, RIGHT, x, y, z), ahead, radius)
    bounds[o, LEFT_END, at] = min(bounds[o, LEFT_END, at], low)
    bounds[o, RIGHT_END, at] = max(bounds[o, RIGHT_END, at], high)
    low, high = reach(dot(axes, o, UP, x, y, z), ahead, radius)
    bounds[o, LOW_END, at] = min(bounds[o, LOW_END, at], low)
    bounds[o, HIGH_END, at] = max(bounds[o, HIGH_END, at], high)
    bounds[o, FRONT_END, at] = min(bounds[o, FRONT_END, at], ahead - radius - MARGIN)
    return ahead < -radius


@device
def cover_nothing(bounds, o, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Empty a bound."""
    bounds[o, LEFT_END, at], bounds[o, RIGHT_END, at] = math.inf, -math.inf
    bounds[o, LOW_END, at], bounds[o, HIGH_END, at] = math.inf, -math.inf
    bounds[o, FRONT_END, at] = math.inf


@device
def bound_cone(cones, i, ox, oy, oz, axes, o, bounds, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give what a cone covers: it is the hull of its ends, and so is its picture."""
    cover_nothing(bounds, o, at)
    longest = 1.0 / min(1.0, cones[i, SQUASH])  # below 1 it is longer along its axis, not flatter
    ax, ay, az = cones[i, A] - ox, cones[i, A + 1] - oy, cones[i, A + 2] - oz
    bx, by, bz = cones[i, B] - ox, cones[i, B + 1] - oy, cones[i, B + 2] - oz
    one = bound_sphere(axes, o, ax, ay, az, longest * cones[i, RA], bounds, at)
    other = bound_sphere(axes, o, bx, by, bz, longest * cones[i, RB], bounds, at)
    if one and other:  # no ray that goes ahead can meet it
        cover_nothing(bounds, o, at)


@device
def bound_rectangle(rectangles, i, ox, oy, oz, axes, o, bounds, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give what a rectangle covers: the hull of its corners."""
    cover_nothing(bounds, o, at)
    behind = True
    for corner in range(4):
        u, v = float(corner & 1), float(corner >> 1)
        x = rectangles[i, CORNER] + u * rectangles[i, EDGE_U] + v * rectangles[i, EDGE_V] - ox
        y = rectangles[i, CORNER + 1] + u * rectangles[i, EDGE_U + 1] + v * rectangles[i, EDGE_V + 1] - oy
        z = rectangles[i, CORNER + 2] + u * rectangles[i, EDGE_U + 2] + v * rectangles[i, EDGE_V + 2] - oz
        behind = bound_sphere(axes, o, x, y, z, 0.0, bounds, at) and behind
    if behind:
        cover_nothing(bounds, o, at)


@device
def bound_groups(bounds, o, count, groups):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give what every GROUP bodies in a row cover together."""
    for group in range((count + GROUP - 1) // GROUP):
        cover_nothing(groups, o, group)
        for at in range(group * GROUP, min(group * GROUP + GROUP, count)):
            for end in (LEFT_END, LOW_END):
                groups[o, end, group] = min(groups[o, end, group], bounds[o, end, at])
                groups[o, end + 1, group] = max(groups[o, end + 1, group], bounds[o, end + 1, at])
            groups[o, FRONT_END, group] = min(groups[o, FRONT_END, group], bounds[o, FRONT_END, at])


@pasted
def _apart(bounds, o, at, left, right, low, high, far):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    aside = (bounds[o, LEFT_END, at] > right) | (bounds[o, RIGHT_END, at] < left)
    aside |= (bounds[o, LOW_END, at] > high) | (bounds[o, HIGH_END, at] < low)
    return aside | (bounds[o, FRONT_END, at] > far)


@device
def choose(tables, o, count, left, right, low, high, far, chosen):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Name the bodies whose pictures meet a range and that begin nearer than `far` ahead; give how many they are."""
    found = 0
    for group in range((count + GROUP - 1) // GROUP):
        if not _apart(tables.groups, o, group, left, right, low, high, far):
            for at in range(group * GROUP, min(group * GROUP + GROUP, count)):
                chosen[found] = at
                found += not _apart(tables.bounds, o, at, left, right, low, high, far)
    return found


@device
def aim(ox, oy, oz, cones, axes, o):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Turn a light's picture towards the people, or towards the bodies where there is nobody."""
    x = y = z = 0.0
    people = False
    for i in range(len(cones)):
        people = people or cones[i, OWNER] >= 0.0
    for i in range(len(cones)):
        if cones[i, OWNER] >= 0.0 or not people:
            x, y, z = x + cones[i, A] - ox, y + cones[i, A + 1] - oy, z + cones[i, A + 2] - oz
    length = math.sqrt(x * x + y * y + z * z)
    if length < 1e-9:
        x, y, z, length = 0.0, -1.0, 0.0, 1.0
    x, y, z = x / length, y / length, z / length
    # Any axis that is not along the direction will do.
    rx, ry, rz = (0.0, z, -y) if abs(x) < 0.7 else (-z, 0.0, x)
    length = math.sqrt(rx * rx + ry * ry + rz * rz)
    rx, ry, rz = rx / length, ry / length, rz / length
    axes[o, AHEAD], axes[o, AHEAD + 1], axes[o, AHEAD + 2] = x, y, z
    axes[o, RIGHT], axes[o, RIGHT + 1], axes[o, RIGHT + 2] = rx, ry, rz
    axes[o, UP], axes[o, UP + 1], axes[o, UP + 2] = y * rz - z * ry, z * rx - x * rz, x * ry - y * rx
