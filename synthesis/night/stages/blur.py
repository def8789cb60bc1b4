"""Blur in linear light and before noise: a line for what moves while the shutter is open, a disc for defocus."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from benchmark.config import Strict
from synthesis.night.block import Block, Plan
from synthesis.night.columns import Columns
from synthesis.night.ranges import Amount, Range, Share

LOCAL = True
TAKES = "light"
HEIGHT = 256.0  # of the pictures that lengths are declared for
# What is drawn is rounded to these steps, so that pictures share their kernels.
_LENGTH, _ANGLE, _RADIUS = 0.25, 1.0, 0.125
_FINE = 16  # points a pixel and side that a disc is made of

Kernel = NDArray[np.float32]
COLUMNS = {
    "blur": "length of motion blur, pixels; 0: none",
    "blur_angle": "its direction, degrees",
    "defocus": "radius of defocus, pixels; 0: none",
}


class Config(Strict):
    """How far things move, and how far a picture is out of focus; for pictures 256 pixels high, others scale it."""

    lengths: tuple[Annotated[float, Field(ge=0, le=200)], ...] = Field((0.0, 0.0, 3.0, 5.0, 7.0), min_length=1)
    """Pixels that a person moves while the shutter is open: 1.4 m/s for 1/30 to 1/12 s are 3 to 8."""
    odds: tuple[Annotated[float, Field(ge=0)], ...] = ()
    """Odds of the lengths; none: all alike."""
    angle: Range = (-25.0, 25.0)
    """Degrees between the way moved and the horizontal, lowest and highest."""
    defocused: Share = 0.3
    """Share of pictures that are out of focus."""
    defocus: Amount = (0.5, 1.5)
    """Radius in pixels of the disc that a point becomes, lowest and highest."""

    @model_validator(mode="after")
    def _has_odds(self) -> Self:
        if self.odds and (len(self.odds) != len(self.lengths) or not sum(self.odds)):
            raise ValueError(f"odds has {len(self.odds)} numbers for {len(self.lengths)} lengths, or all are 0")
        return self


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Draw how far and where things move, and how large a point becomes."""
    config: Config = columns.config
    scale = np.nan_to_num(columns.facts.numbers["height"], nan=HEIGHT) / HEIGHT
    picked = columns.pick("length", config.odds or [1.0] * len(config.lengths))
    radius = columns.between("defocus", *config.defocus) * columns.chance("defocused", config.defocused)
    moved = _stepped(np.array(config.lengths)[picked] * scale, _LENGTH)
    return {
        "blur": np.where(moved > 1, moved, 0),  # a line within a pixel blurs nothing
        "blur_angle": _stepped(columns.between("angle", *config.angle), _ANGLE),
        "defocus": _stepped(radius * scale, _RADIUS),
    }


def _stepped(values: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    return np.rint(values / step) * step


def apply(block: Block, plan: Plan) -> None:
    """Blur linear light."""
    assert block.light is not None
    for row in np.flatnonzero((plan["blur"] > 0) | (plan["defocus"] > 0)).tolist():
        for kernel in kernels(float(plan["blur"][row]), float(plan["blur_angle"][row]), float(plan["defocus"][row])):
            for plane in block.light[row]:
                cv2.filter2D(plane, -1, kernel, dst=plane, borderType=cv2.BORDER_REPLICATE)


@lru_cache(maxsize=8192)
def kernels(length: float, angle: float, radius: float) -> tuple[Kernel, ...]:
    """Give what a picture is convolved with, one after another; what changes nothing is left out."""
    made = (line(length, angle), disc(radius))
    return tuple(kernel for kernel in made if kernel.size > 1)


def line(length: float, angle: float) -> Kernel:
    """Spread a point along a line: the share of the line over each pixel of its longer axis, split over the other."""
    turn = math.radians(angle)
    across, down = math.cos(turn), math.sin(turn)
    if abs(down) > abs(across):  # a steep line is a flat one with its axes exchanged
        return np.ascontiguousarray(line(length, 90 - angle).T)
    half = max(length * abs(across), 1) / 2
    reach = math.ceil(round(half - 0.5, 6))
    steps = np.arange(-reach, reach + 1)
    covered = np.clip(np.minimum(steps + 0.5, half) - np.maximum(steps - 0.5, -half), 0, None)
    heights = np.round(steps * (down / across), 6)
    rise = math.ceil(abs(heights).max())
    kernel = np.maximum(1 - abs(np.arange(-rise, rise + 1)[:, None] - heights), 0) * covered
    spread: Kernel = (kernel / kernel.sum()).astype(np.float32)
    return spread


def disc(radius: float) -> Kernel:
    """Spread a point over a disc that lies on a picture whose pixels are joined by straight ramps."""
    reach = math.ceil(radius)
    points = (np.arange(2 * reach * _FINE) + 0.5) / _FINE - reach
    inside = points[:, None] ** 2 + points**2 <= radius**2
    ramps = np.maximum(1 - abs(np.arange(-reach, reach + 1)[:, None] - points), 0)
    kernel: Kernel = (ramps @ inside @ ramps.T).astype(np.float32) if inside.any() else np.ones((1, 1), np.float32)
    spread: Kernel = kernel / kernel.sum()
    return spread
