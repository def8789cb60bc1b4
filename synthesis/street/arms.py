"""Where arms and hands are, and what the hands hold: arms swing against the legs, or do something."""

import math

from synthesis.street.bones import (
    ACTIVITY,
    AMOUNT,
    ARM_LENGTH,
    BAG_SIDE,
    CALLS,
    CARRIED_Z,
    CARRY,
    CASE,
    CASE_LENGTH,
    CHEST,
    FOREARM,
    FOREARM_LENGTH,
    GRIP,
    HAND,
    HANDBAG,
    HEAD,
    HELD,
    OUT_LEFT,
    PHASE,
    PHONE,
    PHONE_SIDE,
    SHOULDER_X,
    SHOULDER_Y,
    SHOULDER_Z,
    STRIDE,
    SWING,
    TROLLEY,
    TRUNK,
    UPPER_ARM,
    USUAL_STRIDE,
    at,
    limb,
    put,
    towards,
)
from synthesis.street.noise import maker

AXLE = 0.045  # how high the wheels of a case are above the ground


@maker
def arms(build, moment, bones, bends):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Place the arms: they swing against the legs, or do what the hands are there for."""
    first, second = build[ARM_LENGTH], build[FOREARM_LENGTH]
    amount = moment[AMOUNT] * build[STRIDE] / USUAL_STRIDE * build[SWING]
    for side in range(2):
        sign = 2.0 * side - 1.0
        sx, sy, sz = at(bones[CHEST], sign * build[SHOULDER_X], build[SHOULDER_Y], build[SHOULDER_Z])
        busy = side == int(build[PHONE_SIDE])
        bag = side == int(build[BAG_SIDE])
        if moment[ACTIVITY] == CARRY:
            tx, ty, tz = at(bones[TRUNK], sign * 0.175 * first / 0.29, 0.15, 0.72 * build[CARRIED_Z])
            px, py, pz = towards(bones[CHEST], sign * 0.8, -0.6, -0.6)
        elif moment[ACTIVITY] == PHONE and busy:
            if build[CALLS] > 0.0:
                tx, ty, tz = at(bones[HEAD], sign * 0.118, -0.045, 0.085)
                px, py, pz = towards(bones[CHEST], sign * 0.7, -1.0, 0.3)
            else:
                tx, ty, tz = at(bones[CHEST], sign * 0.07, build[SHOULDER_Y] - 0.13, build[CARRIED_Z] + 0.02)
                px, py, pz = towards(bones[CHEST], sign * 0.55, -1.0, -0.25)
        elif build[TROLLEY] > 0.0 and bag:
            tx, ty, tz = at(bones[TRUNK], sign * (build[SHOULDER_X] + 0.11), 0.015, -0.20)
            px, py, pz = towards(bones[CHEST], sign * 0.3, 0.0, -1.0)
        else:
            tx, ty, tz, px, py, pz = _swung(
                build, moment, bones, side, amount * (0.35 if bag and build[HANDBAG] > 0.0 else 1.0)
            )
        bends[side] = limb(
            bones[UPPER_ARM + side], bones[FOREARM + side], sx, sy, sz, tx, ty, tz, first, second, px, py, pz
        )
        upper = bones[UPPER_ARM + side]
        put(upper, sx, sy, sz, upper[6], upper[7], upper[8], -upper[9], -upper[10], -upper[11])
        _hand(bones, side, second)
        if moment[ACTIVITY] == CARRY:
            _turn_hand(bones, side, -0.5 * sign, 1.0, 0.3)
        elif moment[ACTIVITY] == PHONE and busy and build[CALLS] > 0.0:
            _raise_hand(bones, side)
        elif moment[ACTIVITY] == PHONE and busy:
            _turn_hand(bones, side, -0.5 * sign, 1.0, -0.4)


@maker
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
    tx, ty, tz = at(bones[CHEST], x, y, z)
    px, py, pz = towards(bones[CHEST], sign * 0.15, 0.0, -1.0)
    return tx, ty, tz, px, py, pz


@maker
def _hand(bones, side, length):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Place a hand: its `forward` is where the thumb is, its palm looks inwards."""
    fore = bones[FOREARM + side]
    x, y, z = at(fore, 0.0, -length, 0.0)
    # The forearm's forward is where the elbow points, which is behind: the thumb is on the other side.
    ux, uy, uz, fx, fy, fz = fore[6], fore[7], fore[8], -fore[9], -fore[10], -fore[11]
    put(fore, fore[0], fore[1], fore[2], ux, uy, uz, fx, fy, fz)
    put(bones[HAND + side], x, y, z, ux, uy, uz, fx, fy, fz)
    if abs(uy) > 0.5:
        _turn_hand(bones, side, -0.35 * (2.0 * side - 1.0), 0.0, 1.0)


@maker
def _turn_hand(bones, side, fx, fy, fz):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Turn a hand about the forearm until the thumb points as given."""
    hand = bones[HAND + side]
    put(hand, hand[0], hand[1], hand[2], hand[6], hand[7], hand[8], fx, fy, fz)


@maker
def _raise_hand(bones, side):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Let a hand reach along the cheek to the ear."""
    hand, sign = bones[HAND + side], 2.0 * side - 1.0
    ex, ey, ez = at(bones[HEAD], sign * 0.098, 0.115, 0.01)
    fx, fy, fz = towards(bones[HEAD], 0.0, 0.3, 1.0)
    x, y, z = hand[0], hand[1], hand[2]
    put(hand, x, y, z, x - ex, y - ey, z - ez, fx, fy, fz)


@maker
def things(build, bones):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Place what hangs from a hand, or is pulled by it."""
    hand = bones[HAND + int(build[BAG_SIDE])]
    x, y, z = at(hand, 0.0, -build[GRIP], 0.0)
    put(bones[HELD], x, y, z, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    # The case stands on its wheels behind the hand, as far as the handle reaches.
    drop = min(y - AXLE, 0.98 * build[CASE_LENGTH])
    back = math.sqrt(build[CASE_LENGTH] ** 2 - drop * drop)
    put(bones[CASE], x, y - drop, z - back, 0.0, drop, back, 0.0, -back, drop)
