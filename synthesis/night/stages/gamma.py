"""Darken by a curve over 8-bit codes, as earlier synthetic nights do: weak on purpose, for comparison.

The ranges are those of Degradation-Invariant Re-ID: gain (v / 255)^g with g in [2, 3.5] and a gain in [.75, 1].
"""

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
CODES = np.arange(256) / 255
COLUMNS = {
    "gamma": "power of the codes",
    "gamma_gain": "factor on them",
}


class Config(Strict):
    """Which curves are drawn."""

    gamma: Positive = (2.0, 3.5)
    """The curve's exponent."""
    gain: Positive = (0.75, 1.0)
    """What the curve is multiplied by."""


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Draw a curve for every picture."""
    config: Config = columns.config
    return {
        "gamma": columns.between("gamma", *config.gamma),
        "gamma_gain": columns.between("gamma_gain", *config.gain),
    }


def apply(block: Block, plan: Plan) -> None:
    """Look every code up in its picture's curve."""
    curves = zip(plan["gamma"].tolist(), plan["gamma_gain"].tolist(), strict=True)
    block.pictures = [
        np.asarray(cv2.LUT(picture, curve(exponent, gain)), np.uint8)
        for picture, (exponent, gain) in zip(block.pictures, curves, strict=True)
    ]


def curve(exponent: float, gain: float) -> NDArray[np.uint8]:
    """Give the code that every code becomes."""
    return np.rint(255 * gain * CODES**exponent).clip(0, 255).astype(np.uint8)
