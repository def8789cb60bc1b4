"""How a body moves: where every bone is at one moment, and how the cones that hang on the bones follow.

Compiled as a whole and kept on disk. Inside, b-space is the person's own: right, up, forward, metres, with the origin on
the ground below the hips.
"""

import functools
import hashlib
import math
from pathlib import Path
from typing import Any

import numba
import numpy as np

from synthesis.street import scene
from synthesis.street.noise import device
from synthesis.street.scene import AXIS, CONE, FRAME_SIZE, RA, RB, SQUASH, A, Array, B

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

# Columns that a cone has besides those of the scene's table: the bones its two ends hang on, and whether it is a drape
# (cloth that must wrap both legs at its lower end), with the room it leaves.
BONE_A, BONE_B, DRAPE, REST = CONE, CONE + 1, CONE + 2, CONE + 3

USUAL_STRIDE = 0.8  # a step relative to the leg for which the curves below hold

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
AXLE = 0.045  # how high the wheels of a case are above the ground
_TOES_BEND = math.radians(38)


@device
def _series(row, phase):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    orders = len(row) // 2
    total = row[0]
    for k in range(1, orders + 1):
        total += row[k] * math.cos(k * phase) + row[orders + k] * math.sin(k * phase)
    return total


@device
def _below(y, z, radius, flat, pitch):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give the lowest point of a flattened sphere at (y, z), turned toes up by `pitch` about the origin."""
    cosine, sine = math.cos(pitch), math.sin(pitch)
    return y * cosine + z * sine - radius * math.sqrt((cosine / flat) ** 2 + sine * sine)


@device
def _lowest(pitch, scale):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give how far below the ankle the shoe reaches."""
    heel = _below(HEEL_Y, HEEL_Z, HEEL_R, HEEL_FLAT, pitch)
    ball = _below(BALL_Y, BALL_Z, BALL_R, HEEL_FLAT, pitch)
    joint = BALL_Y * math.cos(pitch) + BALL_Z * math.sin(pitch)
    pitch += min(max(-pitch, 0.0), _TOES_BEND)
    root = joint + _below(0.0, 0.0, TOES_R, TOES_FLAT, pitch)
    return scale * min(heel, ball, root, joint + _below(TIP_Y, TIP_Z, TIP_R, TOES_FLAT, pitch))


@device
def _unit(x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    length = math.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length


@device
def _put(bone, ox, oy, oz, ux, uy, uz, fx, fy, fz):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write a frame from its origin, its `up`, and a vector that `forward` comes as near to as it can."""
    ux, uy, uz = _unit(ux, uy, uz)
    along = fx * ux + fy * uy + fz * uz
    fx, fy, fz = _unit(fx - along * ux, fy - along * uy, fz - along * uz)
    bone[0], bone[1], bone[2] = ox, oy, oz
    bone[3], bone[4], bone[5] = uy * fz - uz * fy, uz * fx - ux * fz, ux * fy - uy * fx
    bone[6], bone[7], bone[8] = ux, uy, uz
    bone[9], bone[10], bone[11] = fx, fy, fz


@device
def _at(bone, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give where a point of a bone's frame is."""
    return (
        bone[0] + x * bone[3] + y * bone[6] + z * bone[9],
        bone[1] + x * bone[4] + y * bone[7] + z * bone[10],
        bone[2] + x * bone[5] + y * bone[8] + z * bone[11],
    )


@device
def _towards(bone, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give where a direction of a bone's frame points."""
    px, py, pz = _at(bone, x, y, z)
    return px - bone[0], py - bone[1], pz - bone[2]


@device
def _limb(upper, lower, sx, sy, sz, tx, ty, tz, first, second, px, py, pz):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
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
    px, py, pz = _unit(px - slant * dx, py - slant * dy, pz - slant * dz)
    mx, my, mz = sx + along * dx + aside * px, sy + along * dy + aside * py, sz + along * dz + aside * pz
    ex, ey, ez = sx + reach * dx, sy + reach * dy, sz + reach * dz
    _put(upper, sx, sy, sz, sx - mx, sy - my, sz - mz, px, py, pz)
    _put(lower, mx, my, mz, mx - ex, my - ey, mz - ez, px, py, pz)
    return math.acos(min(max((reach * reach - first * first - second * second) / (2.0 * first * second), -1.0), 1.0))


@device
def _spine(build, moment, height, shift, bones):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Place trunk, pelvis, chest and head."""
    amount, phase = moment[AMOUNT] * build[STRIDE] / USUAL_STRIDE, moment[PHASE]
    rest = 1.0 - min(moment[AMOUNT], 1.0)
    lean = build[LEAN] * (0.3 + 0.7 * min(moment[AMOUNT], 1.0)) - (0.05 if moment[ACTIVITY] == CARRY else 0.0)
    drop = 0.05 * amount * math.sin(phase) + 0.07 * rest * math.sin(phase)  # the hip of the leg that swings sinks
    turn, twist = 0.07 * amount * math.cos(phase), -0.10 * amount * build[SWING] * math.cos(phase)
    bend = -0.25 * drop
    ux, uy, uz = math.sin(bend), math.cos(bend) * math.cos(lean), math.cos(bend) * math.sin(lean)
    _put(bones[TRUNK], shift, height, 0.0, ux, uy, uz, 0.0, 0.0, 1.0)
    # A positive turn brings the left side forward.
    _put(bones[PELVIS], shift, height, 0.0, drop + ux, uy, uz, math.sin(turn), 0.0, math.cos(turn))
    _put(bones[CHEST], shift, height, 0.0, ux - 0.5 * drop, uy, uz, math.sin(twist), 0.0, math.cos(twist))
    nod = 0.25 * lean
    if moment[ACTIVITY] == PHONE:
        nod = 0.10 if build[CALLS] > 0.0 else 0.36
    x, y, z = _at(bones[CHEST], 0.0, build[HEAD_PIVOT], build[HEAD_Z])
    sine = math.sin(moment[LOOK])
    fx, fy, fz = sine, -math.sin(nod), math.cos(moment[LOOK])
    _put(bones[HEAD], x, y, z, 0.3 * ux, math.cos(nod), math.sin(nod), fx, fy, fz)
    down = build[HEAD_Y] - build[HEAD_PIVOT]
    bones[HEAD, 0], bones[HEAD, 1], bones[HEAD, 2] = _at(bones[HEAD], 0.0, down, 0.0)


@device
def _legs(build, moment, angles, bones, bends):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
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
        hx, hy, hz = _at(bones[PELVIS], sign * build[HIP_X], 0.0, 0.0)
        px, pz = math.sin(sign * out), math.cos(out)
        bends[2 + side] = _limb(
            bones[THIGH + side], bones[SHIN + side], hx, hy, hz, x, y, z, build[THIGH_LENGTH], build[SHIN_LENGTH],
            0.4 * px, 0.0, pz,
        )  # fmt: skip
        _foot(bones, side, build[SHIN_LENGTH], build[FOOT_SCALE], pitch, px, pz)


@device
def _foot(bones, side, length, scale, pitch, px, pz):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    x, y, z = _at(bones[SHIN + side], 0.0, -length, 0.0)
    cosine, sine = math.cos(pitch), math.sin(pitch)
    _put(bones[FOOT + side], x, y, z, -sine * px, cosine, -sine * pz, cosine * px, sine, cosine * pz)
    x, y, z = _at(bones[FOOT + side], 0.0, scale * BALL_Y, scale * BALL_Z)
    pitch += min(max(-pitch, 0.0), _TOES_BEND)
    cosine, sine = math.cos(pitch), math.sin(pitch)
    _put(bones[TOES + side], x, y, z, -sine * px, cosine, -sine * pz, cosine * px, sine, cosine * pz)


@device
def _arms(build, moment, bones, bends):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Place the arms: they swing against the legs, or do what the hands are there for."""
    first, second = build[ARM_LENGTH], build[FOREARM_LENGTH]
    amount = moment[AMOUNT] * build[STRIDE] / USUAL_STRIDE * build[SWING]
    for side in range(2):
        sign = 2.0 * side - 1.0
        sx, sy, sz = _at(bones[CHEST], sign * build[SHOULDER_X], build[SHOULDER_Y], build[SHOULDER_Z])
        busy = side == int(build[PHONE_SIDE])
        bag = side == int(build[BAG_SIDE])
        if moment[ACTIVITY] == CARRY:
            tx, ty, tz = _at(bones[TRUNK], sign * 0.175 * first / 0.29, 0.15, 0.72 * build[CARRIED_Z])
            px, py, pz = _towards(bones[CHEST], sign * 0.8, -0.6, -0.6)
        elif moment[ACTIVITY] == PHONE and busy:
            if build[CALLS] > 0.0:
                tx, ty, tz = _at(bones[HEAD], sign * 0.118, -0.045, 0.085)
                px, py, pz = _towards(bones[CHEST], sign * 0.7, -1.0, 0.3)
            else:
                tx, ty, tz = _at(bones[CHEST], sign * 0.07, build[SHOULDER_Y] - 0.13, build[CARRIED_Z] + 0.02)
                px, py, pz = _towards(bones[CHEST], sign * 0.55, -1.0, -0.25)
        elif build[TROLLEY] > 0.0 and bag:
            tx, ty, tz = _at(bones[TRUNK], sign * (build[SHOULDER_X] + 0.11), 0.015, -0.20)
            px, py, pz = _towards(bones[CHEST], sign * 0.3, 0.0, -1.0)
        else:
            tx, ty, tz, px, py, pz = _swung(
                build, moment, bones, side, amount * (0.35 if bag and build[HANDBAG] > 0.0 else 1.0)
            )
        bends[side] = _limb(
            bones[UPPER_ARM + side], bones[FOREARM + side], sx, sy, sz, tx, ty, tz, first, second, px, py, pz
        )
        upper = bones[UPPER_ARM + side]
        _put(upper, sx, sy, sz, upper[6], upper[7], upper[8], -upper[9], -upper[10], -upper[11])
        _hand(bones, side, second)
        if moment[ACTIVITY] == CARRY:
            _turn_hand(bones, side, -0.5 * sign, 1.0, 0.3)
        elif moment[ACTIVITY] == PHONE and busy and build[CALLS] > 0.0:
            _raise_hand(bones, side)
        elif moment[ACTIVITY] == PHONE and busy:
            _turn_hand(bones, side, -0.5 * sign, 1.0, -0.4)


@device
def _swung(build, moment, bones, side, amount):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give where the wrist of a hanging arm is, and to where its elbow points."""
    sign = 2.0 * side - 1.0
    swing = -math.cos(moment[PHASE] + side * math.pi)
    flexion = 0.03 + amount * (0.39 * swing - 0.04)
    elbow = 0.17 + amount * (0.03 + 0.24 * max(swing + 0.4, 0.0))
    out = build[OUT_LEFT + side]
    low = flexion + elbow
    first, second = build[ARM_LENGTH], build[FOREARM_LENGTH]
    x = sign * (build[SHOULDER_X] + first * math.sin(out) + second * math.sin(0.55 * out))
    y = build[SHOULDER_Y] - first * math.cos(out) * math.cos(flexion) - second * math.cos(0.55 * out) * math.cos(low)
    z = build[SHOULDER_Z] + first * math.sin(flexion) + second * math.sin(low)
    tx, ty, tz = _at(bones[CHEST], x, y, z)
    px, py, pz = _towards(bones[CHEST], sign * 0.15, 0.0, -1.0)
    return tx, ty, tz, px, py, pz


@device
def _hand(bones, side, length):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Place a hand: its `forward` is where the thumb is, its palm looks inwards."""
    fore = bones[FOREARM + side]
    x, y, z = _at(fore, 0.0, -length, 0.0)
    # The forearm's forward is where the elbow points, which is behind: the thumb is on the other side.
    ux, uy, uz, fx, fy, fz = fore[6], fore[7], fore[8], -fore[9], -fore[10], -fore[11]
    _put(fore, fore[0], fore[1], fore[2], ux, uy, uz, fx, fy, fz)
    _put(bones[HAND + side], x, y, z, ux, uy, uz, fx, fy, fz)
    if abs(uy) > 0.5:
        _turn_hand(bones, side, -0.35 * (2.0 * side - 1.0), 0.0, 1.0)


@device
def _turn_hand(bones, side, fx, fy, fz):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Turn a hand about the forearm until the thumb points as given."""
    hand = bones[HAND + side]
    _put(hand, hand[0], hand[1], hand[2], hand[6], hand[7], hand[8], fx, fy, fz)


@device
def _raise_hand(bones, side):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Let a hand reach along the cheek to the ear."""
    hand, sign = bones[HAND + side], 2.0 * side - 1.0
    ex, ey, ez = _at(bones[HEAD], sign * 0.098, 0.115, 0.01)
    fx, fy, fz = _towards(bones[HEAD], 0.0, 0.3, 1.0)
    x, y, z = hand[0], hand[1], hand[2]
    _put(hand, x, y, z, x - ex, y - ey, z - ez, fx, fy, fz)


@device
def _things(build, bones):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Place what hangs from a hand, or is pulled by it."""
    hand = bones[HAND + int(build[BAG_SIDE])]
    x, y, z = _at(hand, 0.0, -build[GRIP], 0.0)
    _put(bones[HELD], x, y, z, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    # The case stands on its wheels behind the hand, as far as the handle reaches.
    drop = min(y - AXLE, 0.98 * build[CASE_LENGTH])
    back = math.sqrt(build[CASE_LENGTH] ** 2 - drop * drop)
    _put(bones[CASE], x, y - drop, z - back, 0.0, drop, back, 0.0, -back, drop)


@device
def _into_world(moment, bones):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Turn all bones from b-space to the world: right is forward times up, so x is mirrored at yaw 0."""
    cosine, sine = math.cos(moment[YAW]), math.sin(moment[YAW])
    for bone in bones:
        for column in range(0, FRAME_SIZE, 3):
            right, forward = bone[column], bone[column + 2]
            bone[column] = -cosine * right + sine * forward
            bone[column + 2] = sine * right + cosine * forward
        bone[0] += moment[X]
        bone[2] += moment[Z]


@device
def _follow(rest, bones, cones):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Hang the cones on the bones."""
    for i in range(len(rest)):
        cone, row = cones[i], rest[i]
        for column in range(CONE):
            cone[column] = row[column]
        first, last = bones[int(row[BONE_A])], bones[int(row[BONE_B])]
        cone[A], cone[A + 1], cone[A + 2] = _at(first, row[A], row[A + 1], row[A + 2])
        cone[B], cone[B + 1], cone[B + 2] = _at(last, row[B], row[B + 1], row[B + 2])
        cone[AXIS], cone[AXIS + 1], cone[AXIS + 2] = _towards(first, row[AXIS], row[AXIS + 1], row[AXIS + 2])


@device
def _seen_from(bone, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give a point of the world in a bone's frame."""
    dx, dy, dz = x - bone[0], y - bone[1], z - bone[2]
    return (
        dx * bone[3] + dy * bone[4] + dz * bone[5],
        dx * bone[6] + dy * bone[7] + dz * bone[8],
        dx * bone[9] + dy * bone[10] + dz * bone[11],
    )


@device
def _wrap(rest, bones, cones):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Widen every drape until it holds both legs, and let it hang between them."""
    trunk = bones[TRUNK]
    xs, ys, zs = np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 2))
    for i in range(len(rest)):
        row = rest[i]
        room = row[DRAPE]
        if room <= 0.0:
            continue
        hem, top, squash = row[B + 1], row[A + 1], row[SQUASH]
        for side in range(2):
            thigh, shin = bones[THIGH + side], bones[SHIN + side]
            hx, hy, hz = _seen_from(trunk, thigh[0], thigh[1], thigh[2])
            kx, ky, kz = _seen_from(trunk, shin[0], shin[1], shin[2])
            ax, ay, az = _seen_from(trunk, shin[0] - shin[6], shin[1] - shin[7], shin[2] - shin[8])
            share = (hem - hy) / (ky - hy)
            xs[side, 1], ys[side, 1], zs[side, 1] = hx + share * (kx - hx), hem, hz + share * (kz - hz)
            xs[side, 0], ys[side, 0], zs[side, 0] = xs[side, 1], hem, zs[side, 1]
            if share > 1.0:  # the knee is above the hem
                share = (hem - ky) / (ay - ky)
                xs[side, 0], ys[side, 0], zs[side, 0] = kx, ky, kz
                xs[side, 1], zs[side, 1] = kx + share * (ax - kx), kz + share * (az - kz)
        middle = 0.5 * (zs.min() + zs.max())
        need = row[RB]
        for side in range(2):
            for k in range(2):
                share = (top - ys[side, k]) / (top - hem)
                z = zs[side, k] - row[A + 2] - share * (middle - row[A + 2])
                for eighth in range(8):
                    px, pz = room * math.cos(0.25 * math.pi * eighth), room * math.sin(0.25 * math.pi * eighth)
                    wide = math.sqrt((xs[side, k] + px) ** 2 + (squash * (z + pz)) ** 2)
                    need = max(need, row[RA] + (wide - row[RA]) / share)
        cones[i, RB] = need
        cones[i, B], cones[i, B + 1], cones[i, B + 2] = _at(trunk, row[B], hem, middle)


def move(build: Array, moment: Array, rest: Array, bones: Array, cones: Array, bends: Array) -> None:
    """Fill the bones and the cones of one moment, and how far elbows and knees are bent (left, right; radians)."""
    _kernel()(build, moment, rest, bones, cones, bends)


def _make(version):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Build what is compiled; `version` is part of what numba's disk cache is keyed by, which sees only this function."""

    def kernel(build, moment, rest, bones, cones, bends):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if version == "":
            return
        _legs(build, moment, np.zeros((2, 3)), bones, bends)
        _arms(build, moment, bones, bends)
        _things(build, bones)
        _into_world(moment, bones)
        _follow(rest, bones, cones)
        _wrap(rest, bones, cones)

    return kernel


@functools.cache
def _kernel() -> Any:  # noqa: ANN401 - a compiled function has no type of its own
    """Compile, or take it from the disk where the sources are the same."""
    sources = [Path(__file__), Path(scene.__file__)]
    version = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(_make(version))
    except RuntimeError:  # neither this folder nor the user's cache can be written
        return numba.njit(nogil=True, error_model="numpy")(_make(version))
