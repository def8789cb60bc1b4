"""Smear as a camera's noise reduction does: colours over five pixels, and at its strongest the luma's grain, too."""

from collections.abc import Mapping
from typing import Annotated, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from benchmark.compiled import compiled
from benchmark.config import Strict
from benchmark.images import Picture
from synthesis.night.block import Block, Plan
from synthesis.night.columns import Columns
from synthesis.night.ranges import refusal

LOCAL = True
TAKES = "pictures"
NONE, COLOUR, BOTH = range(3)
BOX, MEDIAN = 5, 3  # pixels a side
Odds = Annotated[float, Field(ge=0)]
COLUMNS = {
    "smear": "noise reduction: 0 none, 1 colour over 5 x 5, 2 that and a 3 x 3 median of the luma",
}


class Config(Strict):
    """How often cameras smear, and how much."""

    odds: tuple[Odds, Odds, Odds] = (1.0, 1.0, 1.0)
    """Odds of no smear, of a 5x5 box over the colours, and of that with a 3x3 median over the luma."""
    consistent: bool = True
    """Whether all pictures of a camera are smeared alike; else each is drawn for itself."""

    @field_validator("odds")
    @classmethod
    def _some(cls, odds: tuple[float, float, float]) -> tuple[float, float, float]:
        if not sum(odds) > 0:
            raise refusal("these odds sum to 0; at least one must be above it")
        return odds


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Draw which noise reduction a camera has."""
    config: Config = columns.config
    scope = "camera" if config.consistent else "image"
    return {"smear": columns.pick("smear", config.odds, scope).astype(np.int8)}


def apply(block: Block, plan: Plan) -> None:
    """Smear the pictures that are to be smeared."""
    for place, kind in enumerate(plan["smear"].tolist()):
        if kind != NONE:
            block.pictures[place] = _smeared(block.pictures[place], median=kind == BOTH)


def _smeared(picture: Picture, *, median: bool) -> Picture:
    """Smooth all three channels, then give every pixel its own luma back: so only its colour is smoothed."""
    luma = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    luma = _median(luma) if median else luma
    smooth = cv2.blur(picture, (BOX, BOX), borderType=cv2.BORDER_REPLICATE)
    made = np.empty_like(picture)
    _with_luma(luma, cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY), smooth, made)
    return made


def _median(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Take the median of 3 x 3 neighbours; small pictures cost OpenCV's own ten times as much."""
    if min(luma.shape) < 2:
        return np.asarray(cv2.medianBlur(luma, MEDIAN), np.uint8)
    padded, made = cv2.copyMakeBorder(luma, 1, 1, 1, 1, cv2.BORDER_REPLICATE), np.empty_like(luma)
    _middle(padded, made)
    return made


@compiled
def _middle(padded, made):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Sort the three columns of a window; of nine, the middle one is the middle of three (Paeth, Graphics Gems)."""
    height, width = made.shape
    least, middle, most = np.empty(width + 2, np.uint8), np.empty(width + 2, np.uint8), np.empty(width + 2, np.uint8)
    for y in range(height):
        upper, line, lower = padded[y], padded[y + 1], padded[y + 2]
        for x in range(width + 2):
            low, high = min(upper[x], line[x]), max(upper[x], line[x])
            least[x], most[x] = min(low, lower[x]), max(high, lower[x])
            middle[x] = max(low, min(high, lower[x]))
        row = made[y]
        for x in range(width):
            top = max(least[x], max(least[x + 1], least[x + 2]))
            bottom = min(most[x], min(most[x + 1], most[x + 2]))
            a, b, c = middle[x], middle[x + 1], middle[x + 2]
            centre = max(min(a, b), min(max(a, b), c))
            row[x] = max(min(top, centre), min(max(top, centre), bottom))


@compiled
def _with_luma(luma, smooth_luma, smooth, made):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    height, width = luma.shape
    black, white = np.int16(0), np.int16(255)
    for y in range(height):
        light, soft_light, soft, row = luma[y], smooth_luma[y], smooth[y].reshape(-1), made[y].reshape(-1)
        for x in range(width):
            change = np.int16(np.int16(light[x]) - np.int16(soft_light[x]))
            row[3 * x] = min(max(np.int16(np.int16(soft[3 * x]) + change), black), white)
            row[3 * x + 1] = min(max(np.int16(np.int16(soft[3 * x + 1]) + change), black), white)
            row[3 * x + 2] = min(max(np.int16(np.int16(soft[3 * x + 2]) + change), black), white)
