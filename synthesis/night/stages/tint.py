"""Darken and colour a whole picture by one factor a channel, over 8-bit codes: weak on purpose, for comparison."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark.config import Strict
from synthesis.night.block import Block, Plan
from synthesis.night.columns import Columns
from synthesis.night.ranges import Positive

LOCAL = True
TAKES = "pictures"
CODES = np.arange(256)
COLUMNS = {
    "tint_gain": "factor on all channels",
    "tint_red": "factor on red",
    "tint_green": "factor on green",
    "tint_blue": "factor on blue",
}


class Config(Strict):
    """Which factors are drawn."""

    gain: Positive = (0.1, 0.4)
    """What all channels are multiplied by."""
    red: Positive = (0.7, 1.0)
    """What red is multiplied by, too."""
    green: Positive = (0.7, 1.0)
    """What green is multiplied by, too."""
    blue: Positive = (0.7, 1.0)
    """What blue is multiplied by, too."""


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Draw a darkness and a colour for every picture."""
    ranges = columns.config.model_dump()
    return {f"tint_{name}": columns.between(name, *ends) for name, ends in ranges.items()}


def apply(block: Block, plan: Plan) -> None:
    """Multiply every code by its picture's factors."""
    factors = np.stack([plan[f"tint_{name}"] for name in ("red", "green", "blue")], axis=1) * plan["tint_gain"][:, None]
    tables = np.rint(CODES[:, None] * factors[:, None, :].astype(np.float64)).clip(0, 255).astype(np.uint8)
    block.pictures = [
        np.asarray(cv2.LUT(picture, np.ascontiguousarray(table)[:, None]), np.uint8)
        for picture, table in zip(block.pictures, tables, strict=True)
    ]
