"""How a body moves: where every bone is at one moment, and how the cones that hang on the bones follow.

Compiled as a whole, and kept on disk.
"""

import functools
import hashlib
import math
from pathlib import Path
from typing import Any

import numba
import numpy as np

from synthesis.street import arms, bones, gait, noise, scene
from synthesis.street.bones import SHIN, THIGH, TRUNK, YAW, X, Z, at, towards
from synthesis.street.noise import maker
from synthesis.street.scene import AXIS, CONE, FRAME_SIZE, RA, RB, SQUASH, A, Array, B

# Columns that a cone has besides those of the scene's table: the bones its two ends hang on, and whether it is a drape
# (cloth that must wrap both legs at its lower end), with the room it leaves.
BONE_A, BONE_B, DRAPE, REST = CONE, CONE + 1, CONE + 2, CONE + 3


@maker
def _into_world(moment, frames):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Turn all frames from b-space to the world: right is forward times up, so x is mirrored at yaw 0."""
    cosine, sine = math.cos(moment[YAW]), math.sin(moment[YAW])
    for bone in frames:
        for column in range(0, FRAME_SIZE, 3):
            right, forward = bone[column], bone[column + 2]
            bone[column] = -cosine * right + sine * forward
            bone[column + 2] = sine * right + cosine * forward
        bone[0] += moment[X]
        bone[2] += moment[Z]


@maker
def _follow(rest, frames, cones):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Hang the cones on the frames."""
    for i in range(len(rest)):
        cone, row = cones[i], rest[i]
        for column in range(CONE):
            cone[column] = row[column]
        first, last = frames[int(row[BONE_A])], frames[int(row[BONE_B])]
        cone[A], cone[A + 1], cone[A + 2] = at(first, row[A], row[A + 1], row[A + 2])
        cone[B], cone[B + 1], cone[B + 2] = at(last, row[B], row[B + 1], row[B + 2])
        cone[AXIS], cone[AXIS + 1], cone[AXIS + 2] = towards(first, row[AXIS], row[AXIS + 1], row[AXIS + 2])


@maker
def _seen_from(bone, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give a point of the world in a bone's frame."""
    dx, dy, dz = x - bone[0], y - bone[1], z - bone[2]
    return (
        dx * bone[3] + dy * bone[4] + dz * bone[5],
        dx * bone[6] + dy * bone[7] + dz * bone[8],
        dx * bone[9] + dy * bone[10] + dz * bone[11],
    )


@maker
def _wrap(rest, frames, cones):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Widen every drape until it holds both legs, and let it hang between them."""
    trunk = frames[TRUNK]
    xs, ys, zs = np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 2))
    for i in range(len(rest)):
        row = rest[i]
        room = row[DRAPE]
        if room <= 0.0:
            continue
        hem, top, squash = row[B + 1], row[A + 1], row[SQUASH]
        for side in range(2):
            thigh, shin = frames[THIGH + side], frames[SHIN + side]
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
        cones[i, B], cones[i, B + 1], cones[i, B + 2] = at(trunk, row[B], hem, middle)


def move(build: Array, moment: Array, rest: Array, frames: Array, cones: Array, bends: Array) -> None:
    """Fill the bones and the cones of one moment, and how far elbows and knees are bent (left, right; radians)."""
    _kernel()(build, moment, rest, frames, cones, bends)


def _make(version: str) -> Any:  # noqa: ANN401
    """Build what is compiled; `version` becomes part of the key of numba's disk cache, which sees one file only."""

    def kernel(build, moment, rest, frames, cones, bends):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if version == "":
            return
        gait.legs(build, moment, np.zeros((2, 3)), frames, bends)
        arms.arms(build, moment, frames, bends)
        arms.things(build, frames)
        _into_world(moment, frames)
        _follow(rest, frames, cones)
        _wrap(rest, frames, cones)

    return kernel


@functools.cache
def _kernel() -> Any:  # noqa: ANN401 - a compiled function has no type of its own
    """Compile, or take it from the disk where the sources are the same."""
    sources = [Path(str(module.__file__)) for module in (scene, bones, gait, arms, noise)] + [Path(__file__)]
    version = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(_make(version))
    except RuntimeError:  # neither this folder nor the user's cache can be written
        return numba.njit(nogil=True, error_model="numpy")(_make(version))
