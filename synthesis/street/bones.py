"""The bones of a body, what is known of its build and its moment, and how bones are put into place.

All in b-space, the person's own: right, up, forward, metres, with the origin on the ground below the hips.
"""

import math

from synthesis.street.noise import maker

# Bones: each is a local frame (origin, right, up, forward). Of pairs the left one comes first. TRUNK, PELVIS and CHEST
# share their origin, the middle of the hips; a limb's bone begins at its upper joint, and `up` points back along it.
TRUNK, PELVIS, CHEST, HEAD, UPPER_ARM, FOREARM, HAND, THIGH, SHIN, FOOT, TOES, HELD, CASE, BONES = (
    0, 1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 19, 20,
)  # fmt: skip

# What the skeleton needs to know of a person (columns of `build`): lengths in metres, habits, and what the hands do.
(
    LEG, THIGH_LENGTH, SHIN_LENGTH, FOOT_SCALE, HIP_X, SHOULDER_X, SHOULDER_Y, SHOULDER_Z, ARM_LENGTH, FOREARM_LENGTH,
    GRIP, HEAD_Y, HEAD_Z, HEAD_PIVOT, OUT_LEFT, OUT_RIGHT, STRIDE, SWING, BOUNCE, LEAN,
    BAG_SIDE, HANDBAG, TROLLEY, PHONE_SIDE, CALLS, CASE_LENGTH, CARRIED_Z, BUILD,
) = range(28)  # fmt: skip
# How a person stands at one moment (columns of `moment`).
X, Z, YAW, PHASE, AMOUNT, ACTIVITY, LOOK, MOMENT = range(8)
WALK, STAND, PHONE, CARRY = 0.0, 1.0, 2.0, 3.0
ACTIVITIES = {"walk": WALK, "stand": STAND, "phone": PHONE, "carry": CARRY}

USUAL_STRIDE = 0.8  # a step relative to the leg for which the curves below hold


@maker
def unit(x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Make a vector one long."""
    length = math.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length


@maker
def put(bone, ox, oy, oz, ux, uy, uz, fx, fy, fz):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write a frame from its origin, its `up`, and a vector that `forward` comes as near to as it can."""
    ux, uy, uz = unit(ux, uy, uz)
    along = fx * ux + fy * uy + fz * uz
    fx, fy, fz = unit(fx - along * ux, fy - along * uy, fz - along * uz)
    bone[0], bone[1], bone[2] = ox, oy, oz
    bone[3], bone[4], bone[5] = uy * fz - uz * fy, uz * fx - ux * fz, ux * fy - uy * fx
    bone[6], bone[7], bone[8] = ux, uy, uz
    bone[9], bone[10], bone[11] = fx, fy, fz


@maker
def at(bone, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give where a point of a bone's frame is."""
    return (
        bone[0] + x * bone[3] + y * bone[6] + z * bone[9],
        bone[1] + x * bone[4] + y * bone[7] + z * bone[10],
        bone[2] + x * bone[5] + y * bone[8] + z * bone[11],
    )


@maker
def towards(bone, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give where a direction of a bone's frame points."""
    px, py, pz = at(bone, x, y, z)
    return px - bone[0], py - bone[1], pz - bone[2]


@maker
def limb(upper, lower, sx, sy, sz, tx, ty, tz, first, second, px, py, pz):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Bend a limb of two bones so that it reaches from s to (or towards) t, its middle joint on the side of p.

    Gives the angle between the two bones, 0 for a straight limb.
    """
    dx, dy, dz = tx - sx, ty - sy, tz - sz
    far = math.sqrt(dx * dx + dy * dy + dz * dz)
    reach = min(max(far, abs(first - second) + 0.02), (first + second) * 0.9995)
    dx, dy, dz = dx / far, dy / far, dz / far
    along = (first * first - second * second + reach * reach) / (2.0 * reach)
    aside = math.sqrt(max(first * first - along * along, 0.0))
    slant = px * dx + py * dy + pz * dz
    px, py, pz = unit(px - slant * dx, py - slant * dy, pz - slant * dz)
    mx, my, mz = sx + along * dx + aside * px, sy + along * dy + aside * py, sz + along * dz + aside * pz
    ex, ey, ez = sx + reach * dx, sy + reach * dy, sz + reach * dz
    put(upper, sx, sy, sz, sx - mx, sy - my, sz - mz, px, py, pz)
    put(lower, mx, my, mz, mx - ex, my - ey, mz - ez, px, py, pz)
    return math.acos(min(max((reach * reach - first * first - second * second) / (2.0 * first * second), -1.0), 1.0))
