"""Where a body lies in a camera's frame, and which window of the frame is kept as its picture."""

import math
from typing import NamedTuple

import numpy as np

from synthesis.street.scene import AXIS, FRAME_HEIGHT, FRAME_WIDTH, RA, RB, SQUASH, A, Array, B, View

LEAST = 4  # pixels on a side: what is cut more by the frame's edge is nobody's picture
ASPECT = 2  # height over width where the height is given


class Box(NamedTuple):
    """A rectangle of the frame, in its pixels, and the size it is stored at."""

    x: float
    y: float
    w: float
    h: float
    width: int
    height: int


def bounds(view: View, cones: Array) -> tuple[float, float, float, float]:
    """Give the box (left, top, right, bottom) of some cones in the frame: exact, and not cut by the frame's edge.

    A cone is the hull of two ellipsoids, so its image is the hull of theirs.
    """
    axes = np.stack([view.right, view.up, view.forward], axis=1)
    centres = np.concatenate([cones[:, A : A + 3], cones[:, B : B + 3]]) - view.eye
    radii = np.concatenate([cones[:, RA], cones[:, RB]])
    squash, flat = np.tile(cones[:, SQUASH], 2), np.tile(cones[:, AXIS : AXIS + 3] @ axes, (2, 1))
    centre, shorter = centres @ axes, 1 - 1 / squash**2
    left, right = _sides(centre[:, 0], centre[:, 2], radii, shorter, flat[:, 0], flat[:, 2])
    low, high = _sides(centre[:, 1], centre[:, 2], radii, shorter, flat[:, 1], flat[:, 2])
    x, y, f = FRAME_WIDTH / 2, FRAME_HEIGHT / 2, view.focal
    return x + f * float(left), y - f * float(high), x + f * float(right), y - f * float(low)


def _sides(across: Array, ahead: Array, radii: Array, shorter: Array, s: Array, f: Array) -> tuple[float, float]:
    """Give the least and the most across/ahead of ellipsoids: the slopes m of the planes that touch one.

    With the shape Q such a plane has (across - m ahead)^2 = Qaa - 2 m Qaf + m^2 Qff, a quadratic in m.
    """
    square = radii**2
    aa, af, ff = square * (1 - shorter * s * s), -square * shorter * s * f, square * (1 - shorter * f * f)
    a, b, c = ahead**2 - ff, across * ahead - af, across**2 - aa
    root = np.sqrt(np.maximum(b * b - a * c, 0.0))
    return float(((b - root) / a).min()), float(((b + root) / a).max())


def frame(view: View, cones: Array, margins: tuple[float, float, float, float], height: int | None) -> Box:
    """Frame a body as a detector does, with margins (left, top, right, bottom) in shares of its height."""
    left, top, right, bottom = bounds(view, cones)
    tall = bottom - top
    left, top, right, bottom = (
        left - margins[0] * tall,
        top - margins[1] * tall,
        right + margins[2] * tall,
        bottom + margins[3] * tall,
    )
    if height is None:
        return _whole_pixels(left, top, right, bottom)
    tall = max(bottom - top, ASPECT * (right - left))
    width = max(round(height / ASPECT), 1)
    step = tall / height
    x, y = (left + right - width * step) / 2, (top + bottom - tall) / 2
    return Box(x, y, width * step, tall, width, height)


def _whole_pixels(left: float, top: float, right: float, bottom: float) -> Box:
    """Cut a box at the frame's edge and round it outwards: the picture's pixels are the frame's own."""
    x0, x1 = _cut(left, right, FRAME_WIDTH)
    y0, y1 = _cut(top, bottom, FRAME_HEIGHT)
    return Box(x0, y0, x1 - x0, y1 - y0, x1 - x0, y1 - y0)


def _cut(low: float, high: float, end: int) -> tuple[int, int]:
    start = min(max(math.floor(low), 0), end - LEAST)
    return start, min(max(math.ceil(high), start + LEAST), end)


def window(view: View, box: Box) -> View:
    """Look at a box only."""
    return view.window(box.x, box.y, box.width, box.height, box.h / box.height)
