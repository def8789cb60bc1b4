"""What white balance leaves of the lamps' colours, and the colour that a camera takes away in the dark: one 3 x 3.

It comes after noise, so that noise is coloured as a camera colours it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.compiled import compiled
from benchmark.config import Strict
from synthesis.night.block import Block, Plan
from synthesis.night.columns import Columns, Floats
from synthesis.night.ranges import Positive, Shares

LOCAL = True
TAKES = "light"
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec. 601
SODIUM, COOL = 0, 2  # kinds of lamps
COLUMNS = {
    "red": "factor on red",
    "blue": "factor on blue",
    "saturation": "part of the colour that is left",
}


class Config(Strict):
    """Gains of red and blue beside green, and how much colour is left."""

    consistent: bool = True
    """Pictures under one light of a camera share their white balance and saturation."""
    red: Positive = (0.75, 1.15)
    """Gain of red, lowest and highest."""
    blue: Positive = (0.7, 1.2)
    """Gain of blue, lowest and highest."""
    saturation: Shares = (0.45, 0.95)
    """Share of colour that is left, lowest and highest."""
    sodium: Shares = (0.3, 0.7)
    """Share of what is left that goes, too, where all lamps are sodium: their light has nearly one wavelength."""
    green: Shares = (0.0, 0.12)
    """How much red and blue lose where all lamps are cool: mercury's light is green."""


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Draw gains and saturation, and change them by the kinds of the lamps."""
    config: Config = columns.config
    scope = "camera" if config.consistent else "image"
    planned = columns.planned or {}
    grey = columns.between("sodium", *config.sodium, scope=scope) * _share(planned, SODIUM, len(columns))
    green = 1 - columns.between("green", *config.green, scope=scope) * _share(planned, COOL, len(columns))
    return {
        "red": columns.between("red", *config.red, scope=scope) * green,
        "blue": columns.between("blue", *config.blue, scope=scope) * green,
        "saturation": columns.between("saturation", *config.saturation, scope=scope) * (1 - grey),
    }


def _share(planned: Mapping[str, NDArray[Any]], kind: int, count: int) -> Floats:
    """Say how much of the lamps' light at the middle of a picture comes from lamps of one kind."""
    of_kind, of_all = np.zeros(count), np.zeros(count)
    for number in (1, 2, 3):
        if f"lamp{number}_intensity" in planned:
            x, y, z, intensity = (
                planned[f"lamp{number}_{name}"].astype(float) for name in ("x", "y", "z", "intensity")
            )
            light = intensity / np.maximum(x**2 + y**2 + z**2, 1e-6)
            of_kind += light * (planned[f"lamp{number}_kind"] == kind)
            of_all += light
    return of_kind / np.maximum(of_all, 1e-30)


def matrix(plan: Plan, count: int) -> NDArray[np.float32]:
    """Give each picture's [s I + (1 - s) 1 L^T] diag(red, 1, blue); without this stage, that changes nothing."""
    kept = np.asarray(plan.get("saturation", np.ones(count)), np.float32)
    mixed = np.empty((count, 3, 3), np.float32)
    mixed[:] = (1 - kept)[:, None, None] * LUMA
    mixed[:, _EACH, _EACH] += kept[:, None]
    if "red" in plan:
        mixed[:, :, 0] *= plan["red"][:, None]
        mixed[:, :, 2] *= plan["blue"][:, None]
    return mixed


_EACH = np.arange(3)


def apply(block: Block, plan: Plan) -> None:
    """Mix the channels of linear light."""
    assert block.light is not None
    _mix(block.light, matrix(plan, len(block)))


@compiled
def _mix(light, matrices):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    count, _, height, width = light.shape
    for i in range(count):
        m = matrices[i]
        rr, rg, rb = m[0]
        gr, gg, gb = m[1]
        br, bg, bb = m[2]
        for y in range(height):
            reds, greens, blues = light[i, 0, y], light[i, 1, y], light[i, 2, y]
            for x in range(width):
                red, green, blue = reds[x], greens[x], blues[x]
                reds[x] = rr * red + rg * green + rb * blue
                greens[x] = gr * red + gg * green + gb * blue
                blues[x] = br * red + bg * green + bb * blue
