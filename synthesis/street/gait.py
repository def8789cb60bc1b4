"""Walking and standing: where pelvis, spine, head, legs and feet are at one moment."""

import math

import numpy as np

from synthesis.street.bones import (
    ACTIVITY,
    AMOUNT,
    BOUNCE,
    CALLS,
    CARRY,
    CHEST,
    FOOT,
    FOOT_SCALE,
    HEAD,
    HEAD_PIVOT,
    HEAD_Y,
    HEAD_Z,
    HIP_X,
    LEAN,
    LEG,
    LOOK,
    PELVIS,
    PHASE,
    PHONE,
    SHIN,
    SHIN_LENGTH,
    STRIDE,
    SWING,
    THIGH,
    THIGH_LENGTH,
    TOES,
    TRUNK,
    USUAL_STRIDE,
    at,
    limb,
    put,
)
from synthesis.street.noise import maker

# Angles over a turn of the gait: hip and knee (flexion) and the foot's pitch (toes up), radians; a row is constant,
# cosines, sines. A fit to the textbook curves of level walking (Winter, Biomechanics and Motor Control of Human
# Movement, 1991) under the conditions that the standing foot neither slides nor leaves the ground. 0: the heel strikes.
_HIP = np.array([0.1575, 0.41, -0.0895, -0.023, 0.0037, -0.0976, -0.0311, 0.0497, 0.0056])
_KNEE = np.array([0.4065, -0.0441, -0.2394, -0.0187, -0.0022, -0.0043, -0.3511, 0.1207, 0.0947, 0.0027, 0.0023])
_PITCH = np.array(
    [-0.1944, 0.3747, 0.2232, 0.0012, 0.0726, 0.0159, 0.0325, 0.3535, -0.2653, -0.0467, -0.0354, -0.0291, -0.0074]
)

# The shoe, for a foot scale of 1: middles and radii (sideways) of four spheres that are flatter upwards. Heel and ball
# in the foot's frame (origin: ankle), the toes' root and tip in the toes' (origin: ball).
HEEL_Y, HEEL_Z, HEEL_R = -0.0470, -0.030, 0.0456
BALL_Y, BALL_Z, BALL_R = -0.0525, 0.112, 0.0390
TOES_R, TIP_Y, TIP_Z, TIP_R = 0.0488, -0.0045, 0.068, 0.0415
HEEL_FLAT, TOES_FLAT = 1.2, 1.5  # how much flatter
_TOES_BEND = math.radians(38)


@maker
def _series(row, phase):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    orders = len(row) // 2
    total = row[0]
    for k in range(1, orders + 1):
        total += row[k] * math.cos(k * phase) + row[orders + k] * math.sin(k * phase)
    return total


@maker
def _below(y, z, radius, flat, pitch):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give the lowest point of a flattened sphere at (y, z), turned toes up by `pitch` about the origin."""
    cosine, sine = math.cos(pitch), math.sin(pitch)
    return y * cosine + z * sine - radius * math.sqrt((cosine / flat) ** 2 + sine * sine)


@maker
def _lowest(pitch, scale):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give how far below the ankle the shoe reaches."""
    heel = _below(HEEL_Y, HEEL_Z, HEEL_R, HEEL_FLAT, pitch)
    ball = _below(BALL_Y, BALL_Z, BALL_R, HEEL_FLAT, pitch)
    joint = BALL_Y * math.cos(pitch) + BALL_Z * math.sin(pitch)
    pitch += min(max(-pitch, 0.0), _TOES_BEND)
    root = joint + _below(0.0, 0.0, TOES_R, TOES_FLAT, pitch)
    return scale * min(heel, ball, root, joint + _below(TIP_Y, TIP_Z, TIP_R, TOES_FLAT, pitch))


@maker
def _spine(build, moment, height, shift, bones):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Place trunk, pelvis, chest and head."""
    amount, phase = moment[AMOUNT] * build[STRIDE] / USUAL_STRIDE, moment[PHASE]
    rest = 1.0 - min(moment[AMOUNT], 1.0)
    lean = build[LEAN] * (0.3 + 0.7 * min(moment[AMOUNT], 1.0)) - (0.05 if moment[ACTIVITY] == CARRY else 0.0)
    drop = 0.05 * amount * math.sin(phase) + 0.07 * rest * math.sin(phase)  # the hip of the leg that swings sinks
    turn, twist = 0.07 * amount * math.cos(phase), -0.10 * amount * build[SWING] * math.cos(phase)
    bend = -0.25 * drop
    ux, uy, uz = math.sin(bend), math.cos(bend) * math.cos(lean), math.cos(bend) * math.sin(lean)
    put(bones[TRUNK], shift, height, 0.0, ux, uy, uz, 0.0, 0.0, 1.0)
    # A positive turn brings the left side forward.
    put(bones[PELVIS], shift, height, 0.0, drop + ux, uy, uz, math.sin(turn), 0.0, math.cos(turn))
    put(bones[CHEST], shift, height, 0.0, ux - 0.5 * drop, uy, uz, math.sin(twist), 0.0, math.cos(twist))
    nod = 0.25 * lean
    if moment[ACTIVITY] == PHONE:
        nod = 0.10 if build[CALLS] > 0.0 else 0.36
    x, y, z = at(bones[CHEST], 0.0, build[HEAD_PIVOT], build[HEAD_Z])
    sine = math.sin(moment[LOOK])
    fx, fy, fz = sine, -math.sin(nod), math.cos(moment[LOOK])
    put(bones[HEAD], x, y, z, 0.3 * ux, math.cos(nod), math.sin(nod), fx, fy, fz)
    down = build[HEAD_Y] - build[HEAD_PIVOT]
    bones[HEAD, 0], bones[HEAD, 1], bones[HEAD, 2] = at(bones[HEAD], 0.0, down, 0.0)


@maker
def legs(build, moment, angles, bones, bends):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Place the legs: the curves of the gait say where the ankles are, and the knees follow.

    The hips are as high as the lower foot lets them.
    """
    amount, rest = moment[AMOUNT] * build[STRIDE] / USUAL_STRIDE, 1.0 - min(moment[AMOUNT], 1.0)
    height = 0.0
    for side in range(2):
        phase = moment[PHASE] + side * math.pi
        hip, knee, pitch = (
            amount * _series(_HIP, phase),
            amount * _series(_KNEE, phase),
            amount * _series(_PITCH, phase),
        )
        y = -build[THIGH_LENGTH] * math.cos(hip) - build[SHIN_LENGTH] * math.cos(hip - knee)
        z = build[THIGH_LENGTH] * math.sin(hip) + build[SHIN_LENGTH] * math.sin(hip - knee)
        angles[side, 0], angles[side, 1], angles[side, 2] = y, z, pitch
        height = max(height, -(y + _lowest(pitch, build[FOOT_SCALE])))
    ground = height
    # Legs that bend a little more: at the top of the bob for a smooth walker, at its bottom for a bouncy one.
    wave = 0.5 - 0.5 * math.cos(2.0 * moment[PHASE])
    spring = build[BOUNCE] - 1.0
    height -= 0.015 * min(moment[AMOUNT], 1.0) * (max(-spring, 0.0) * wave + max(spring, 0.0) * (1.0 - wave))
    height -= 0.014 * rest * build[LEG]
    shift = -(0.04 * rest + 0.015 * amount) * math.sin(moment[PHASE])  # towards the leg that stands
    _spine(build, moment, height, shift, bones)
    for side in range(2):
        sign = 2.0 * side - 1.0
        free = rest * max(sign * math.sin(moment[PHASE]), 0.0)  # how much this leg rests while one stands
        out = 0.10 + 0.22 * rest + 0.25 * free
        x = sign * ((0.045 + 0.05 * rest) * build[LEG] / 0.92 + 0.03 * free)
        y, z, pitch = ground + angles[side, 0], angles[side, 1] + rest * (0.02 + 0.07 * free), angles[side, 2]
        hx, hy, hz = at(bones[PELVIS], sign * build[HIP_X], 0.0, 0.0)
        px, pz = math.sin(sign * out), math.cos(out)
        bends[2 + side] = limb(
            bones[THIGH + side], bones[SHIN + side], hx, hy, hz, x, y, z, build[THIGH_LENGTH], build[SHIN_LENGTH],
            0.4 * px, 0.0, pz,
        )  # fmt: skip
        _foot(bones, side, build[SHIN_LENGTH], build[FOOT_SCALE], pitch, px, pz)


@maker
def _foot(bones, side, length, scale, pitch, px, pz):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    x, y, z = at(bones[SHIN + side], 0.0, -length, 0.0)
    cosine, sine = math.cos(pitch), math.sin(pitch)
    put(bones[FOOT + side], x, y, z, -sine * px, cosine, -sine * pz, cosine * px, sine, cosine * pz)
    x, y, z = at(bones[FOOT + side], 0.0, scale * BALL_Y, scale * BALL_Z)
    pitch += min(max(-pitch, 0.0), _TOES_BEND)
    cosine, sine = math.cos(pitch), math.sin(pitch)
    put(bones[TOES + side], x, y, z, -sine * px, cosine, -sine * pz, cosine * px, sine, cosine * pz)
