"""Undo the camera's tone curve: 8-bit codes become linear light.

Half the strength of a full inversion: surveillance cameras have a milder S-curve than that assumes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import images
from benchmark.compiled import compiled
from benchmark.config import Strict
from synthesis.night.block import Block, Plan
from synthesis.night.columns import Columns

TAKES = "pictures"
GIVES = "light"
BEFORE = ("scale",)  # which may leave a block pictures of several sizes
COLUMNS: dict[str, str] = {}


class Config(Strict):
    """A stage without settings."""


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Draw nothing: the curve is the same for every picture."""
    return {}


def apply(block: Block, plan: Plan) -> None:
    """Turn pictures into planes of linear light."""
    height, width, _ = block.pictures[0].shape
    block.light = np.empty((len(block), 3, height, width), np.float32)
    for picture, planes in zip(block.pictures, block.light, strict=True):
        _linearise(picture, TABLE, planes)


def table() -> NDArray[np.float32]:
    """Give every code's light: sRGB undone after half of an S-curve 3z^2 - 2z^3 is undone."""
    code = np.arange(256) / 255
    flat = 0.5 - np.sin(np.arcsin(1 - 2 * code) / 3)
    return images.to_linear(0.5 * code + 0.5 * flat).astype(np.float32)


TABLE = table()


@compiled
def _linearise(picture, table, planes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    height, width, _ = picture.shape
    for y in range(height):
        pixels = picture[y].reshape(-1)
        red, green, blue = planes[0, y], planes[1, y], planes[2, y]
        for x in range(width):
            red[x] = table[pixels[3 * x]]
            green[x] = table[pixels[3 * x + 1]]
            blue[x] = table[pixels[3 * x + 2]]
