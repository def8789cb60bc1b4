"""Weaken the day's own light and shade: divide by a power of the blurred luminance.

Off unless a night asks for it: it helps the background and hurts the person, who is dark for reasons of his own.
"""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark.config import Strict
from synthesis.night.block import Block, Light, Plan
from synthesis.night.columns import Columns
from synthesis.night.ranges import Positive, Share, Shares

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
ROWS = 64  # on which the luminance is blurred
TAKES = "light"
BEFORE = ("exposure",)
COLUMNS = {
    "shading": "power of the smoothed day that is divided out; 0: none",
    "shading_sigma": "standard deviation of the smoothing, in picture heights",
    "shading_floor": "least smoothed light that is divided by",
}


class Config(Strict):
    """How much of the day's shading goes."""

    share: Share = 0.0
    """How many of the pictures are treated."""
    alpha: Shares = (0.3, 0.6)
    """The power of the luminance that light is divided by: 1 would make all alike bright."""
    sigma: Positive = (0.1, 0.1)
    """Of the blur, in picture heights."""
    floor: Positive = (0.02, 0.02)
    """What darker luminance counts as; 1 is full scale."""


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Draw who is treated, and how."""
    config: Config = columns.config
    on = columns.chance("on", config.share)
    return {
        "shading": np.where(on, columns.between("alpha", *config.alpha), 0),
        "shading_sigma": columns.between("sigma", *config.sigma),
        "shading_floor": columns.between("floor", *config.floor),
    }


def apply(block: Block, plan: Plan) -> None:
    """Divide light by max(blurred luminance, floor) to the power of alpha."""
    assert block.light is not None
    for row in np.flatnonzero(plan["shading"]).tolist():
        planes = block.light[row]
        dark = np.maximum(blurred_luminance(planes, float(plan["shading_sigma"][row])), plan["shading_floor"][row])
        factor = _resized(dark ** -plan["shading"][row], planes.shape[1:], cv2.INTER_LINEAR)
        planes *= factor


def blurred_luminance(planes: Light, sigma: float) -> NDArray[np.float32]:
    """Blur a picture's luminance, on a grid of at most ROWS rows: what is left of it needs no more."""
    _, height, width = planes.shape
    rows = min(height, ROWS)
    size = (rows, max(round(width * rows / height), 1))
    small = np.stack([_resized(plane, size, cv2.INTER_AREA) for plane in planes])
    luminance = np.tensordot(LUMA, small, 1)
    blur = cv2.GaussianBlur(luminance, (0, 0), sigma * rows, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blur, np.float32).reshape(size)


def _resized(plane: NDArray[np.float32], size: tuple[int, ...], how: int) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(plane, (size[1], size[0]), interpolation=how), np.float32)
