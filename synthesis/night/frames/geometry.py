"""Where on the ground people stand, from their boxes alone.

For a level camera at height h_c, somebody of height H is h = (H / h_c) (foot - horizon) pixels high, whatever the
distance: a line through all boxes gives the horizon and the camera's height (Hoiem et al., IJCV 2008).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthesis.night.frames.config import Config

LEAST, MOST = 30, 500  # boxes that a fit needs, and that it looks at
HEIGHTS = (1.5, 30.0)  # metres between which cameras hang
CLOSEST = 1.0  # pixels below the horizon that the farthest ground is
_TOUCHES = 1.5  # pixels from the frame's edge within which a box may be cut off

Floats = NDArray[np.float64]


class Geometry(NamedTuple):
    """A level camera over flat ground: metres to the right, up, and ahead of it are x, y, z; y is 0 on the ground."""

    horizon: float  # row
    height: float  # metres
    focal: float  # pixels
    centre: float  # column

    def depth(self, rows: Floats) -> Floats:
        """Say how far ahead the ground is that is seen in some rows."""
        return self.focal * self.height / np.maximum(rows - self.horizon, CLOSEST)

    def at(self, columns: Floats, rows: Floats, depth: Floats) -> Floats:
        """Give the points (..., 3) that are seen at some pixels, at some depths."""
        across, down, far = np.broadcast_arrays(columns - self.centre, rows - self.horizon, depth)
        return np.stack([across * far / self.focal, self.height - down * far / self.focal, far], axis=-1)

    def feet(self, boxes: Floats) -> Floats:
        """Give the points (n, 3) on the ground where the people in boxes (x, y, w, h) stand."""
        foot = boxes[:, 1] + boxes[:, 3]
        points = self.at(boxes[:, 0] + boxes[:, 2] / 2, foot, self.depth(foot))
        points[:, 1] = 0.0
        return points

    def seen(self, points: Floats) -> Floats:
        """Give the columns and rows (n, 2) at which points show; NaN behind the camera."""
        far = np.where(points[:, 2] > 0, points[:, 2], np.nan)
        across, down = points[:, 0] / far, (self.height - points[:, 1]) / far
        return np.stack([self.centre + self.focal * across, self.horizon + self.focal * down], axis=-1)


def usual(width: int, height: int, config: Config) -> Geometry:
    """Give the geometry of a camera of which nothing is known."""
    return Geometry(config.horizon * height, config.camera_height, config.focal * width, width / 2)


def fit(boxes: Floats, width: int, height: int, config: Config) -> Geometry:
    """Find a camera's horizon and height by a robust line through whole boxes, or take it for a usual one."""
    unknown = usual(width, height, config)
    boxes = boxes[_whole(boxes, width, height)]
    if len(boxes) < LEAST:
        return unknown
    foot, tall = boxes[:, 1] + boxes[:, 3], boxes[:, 3]
    order = np.lexsort((tall, foot))[np.linspace(0, len(boxes) - 1, min(len(boxes), MOST)).astype(np.int64)]
    slope, start = _line(foot[order], tall[order])
    # Rows without a spread, or children beside trucks, give lines that no camera could see.
    if not config.person / HEIGHTS[1] <= slope <= config.person / HEIGHTS[0]:
        return unknown
    return Geometry(-start / slope, config.person / slope, unknown.focal, unknown.centre)


def _whole(boxes: Floats, width: int, height: int) -> NDArray[np.bool_]:
    """Leave out boxes that the frame's edge may cut: they are not as high as who is in them."""
    x, y, w, h = boxes.T
    inside = (y > _TOUCHES) & (y + h < height - _TOUCHES)
    return np.asarray(inside & (x > _TOUCHES) & (x + w < width - _TOUCHES))


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Give slope and intercept: medians over all pairs, which 29 % of wrong boxes do not move far (Theil, Sen)."""
    first, second = np.triu_indices(len(x), 1)
    run = x[second] - x[first]
    apart = np.abs(run) >= 1.0
    if not apart.any():
        return 0.0, 0.0
    slope = float(np.median((y[second] - y[first])[apart] / run[apart]))
    return slope, float(np.median(y - slope * x))
