"""A lamp that shines into the lens: a disc, a star, a halo, and a veil over the whole picture, added to the light.

It is of the kind and colour of the picture's first lamp, on the side its light comes from: beside the person, whose
body fills the middle of a crop; above the shoulders, or, of a car, down where its headlights are.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmark import images
from benchmark.compiled import compiled
from benchmark.config import Strict
from synthesis.night import kelvin
from synthesis.night.block import Block, Plan
from synthesis.night.columns import Columns, Floats
from synthesis.night.ranges import Amount, Positive, Range, Share
from synthesis.night.stages import lamps

_WHITE = np.ones(3, np.float32)
_CORE, _NEAR, _VEIL = np.float32(0.05), np.float32(0.02), np.float32(0.02)
_ONE, _TWO, _NONE, _HALF = np.float32(1), np.float32(2), np.float32(0), np.float32(0.5)
TAKES = "light"
COLUMNS = {
    "glare": "strength of halo and veil; 0: no glare",
    "glare_x": "place of the lamp, of a pair the left one, in picture widths from the left",
    "glare_y": "place of the lamp, in picture heights from the top",
    "glare_pair": "from there to the right to a second, equal lamp, in picture widths; 0: there is none",
    "glare_blades": "streaks that cross in its star",
    "glare_angle": "angle of the first, degrees",
    "glare_star": "brightness of a streak's middle beside the halo",
    "glare_width": "half the width of a streak, in picture widths",
    "glare_disc": "radius to which the lamp itself is at full scale, in picture widths",
}


class Config(Strict):
    """How often a lamp shines into the lens, where, and what that looks like."""

    share: Share = 0.15
    """How many of the pictures have glare."""
    strength: Amount = (0.1, 0.6)
    """What halo and veil, .05/(d^2 + .02) + .02 of full scale at d picture widths from the lamp, are multiplied by."""
    lightness: float = Field(64.0, gt=0, le=255)
    """At this target lightness `strength` is what it says; a darker exposure makes glare darker by as much light."""
    high: Range = (0.0, 0.2)
    """Where street lamps and windows are, in picture heights from the top: above shoulders."""
    low: Range = (0.5, 0.95)
    """Where headlights are."""
    side: Share = 0.3
    """Width of the strips beside the person, in picture widths from either edge."""
    beside: Share = 0.9
    """How often a lamp is in one of them, and not anywhere from left to right; headlights always are."""
    pair: Share = 0.75
    """How often headlights are seen both."""
    apart: Positive = (0.08, 0.22)
    """How far from each other those are, in picture widths."""
    blades: tuple[Annotated[int, Field(ge=1, le=16)], ...] = Field((2, 3, 4), min_length=1)
    """How many streaks cross in the star: one of these numbers, at equal odds."""
    star: Amount = (0.3, 1.5)
    """How bright the middle of a streak is, beside the halo at its place."""
    width: Positive = (0.006, 0.02)
    """Half the width of a streak, in picture widths."""
    disc: Positive = (0.01, 0.035)
    """The radius to which the lamp itself is at full scale, in picture widths; the sensor's bloom goes further."""


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Draw who has glare, and where and what it would be for everybody."""
    config: Config = columns.config
    on, car = columns.chance("on", config.share), _is_car(columns)
    pair = np.where(car & columns.chance("pair", config.pair), columns.between("apart", *config.apart), 0)
    top, foot = np.where(car, *(np.array(ends)[:, None] for ends in (config.low, config.high)))
    return {
        "glare": np.where(on, columns.between("strength", *config.strength) * _exposed(columns), 0),
        "glare_x": _across(columns, car, pair),
        "glare_y": top + (foot - top) * columns.uniform("y"),
        "glare_pair": pair,
        "glare_blades": np.array(config.blades, np.int8)[columns.pick("blades", [1] * len(config.blades))],
        "glare_angle": columns.between("angle", 0, 180),
        "glare_star": columns.between("star", *config.star),
        "glare_width": columns.between("width", *config.width),
        "glare_disc": columns.between("disc", *config.disc),
    }


def _is_car(columns: Columns) -> NDArray[np.bool_]:
    kind = (columns.planned or {}).get("lamp1_sort", np.zeros(len(columns)))
    return np.asarray(kind == lamps.KINDS.index("headlight"))


def _across(columns: Columns, car: NDArray[np.bool_], pair: Floats) -> Floats:
    """Say how far from the left the lamp is: beside the person, on the side its light comes from."""
    config: Config = columns.config
    beside = car | columns.chance("beside", config.beside)
    inwards = np.maximum(np.where(beside, config.side, 1) - pair, 0) * columns.uniform("x")
    right = (columns.planned or {}).get("lamp1_x", columns.uniform("right") - 0.5) > 0
    across: Floats = np.where(right, 1 - pair - inwards, inwards)
    return across


def _exposed(columns: Columns) -> Floats:
    """Say how much of a lamp's stray light an exposure takes in, as it does of the scene's."""
    config: Config = columns.config
    planned = columns.planned or {}
    target = np.asarray(planned.get("anchor", np.full(len(columns), config.lightness)), np.float64)
    bright, dark = images.to_linear(np.array([config.lightness]) / 255), images.to_linear(target / 255)
    exposed: Floats = dark / bright * np.exp2(planned.get("stops", np.zeros(len(columns))))
    return exposed


def apply(block: Block, plan: Plan) -> None:
    """Add glare in the colour of the first lamp."""
    assert block.light is not None
    pair = plan.get("glare_pair", np.zeros(len(plan["glare"])))
    left = block.solved.get("glare_left", np.ones(len(plan["glare"]), np.float32))
    for row in np.flatnonzero(plan["glare"]).tolist():
        colour = kelvin.colour(plan["lamp1_kelvin"][row]) if "lamp1_kelvin" in plan else _WHITE
        shape = np.array([plan[name][row] for name in _SHAPE], np.float32)
        shape[0] *= left[row]
        streaks = _streaks(plan, row)
        _add(block.light[row], shape, streaks, colour)
        if pair[row]:
            shape[1] += pair[row]
            _add(block.light[row], shape, streaks, colour)


_SHAPE = ("glare", "glare_x", "glare_y", "glare_star", "glare_disc")


def _streaks(plan: Plan, row: int) -> NDArray[np.float32]:
    """Give each streak's normal, as long as one by its half width: a product with a place is the distance in those."""
    count = int(plan["glare_blades"][row])
    angles = np.radians(float(plan["glare_angle"][row]) + np.arange(count) * 180 / count)
    return np.asarray(np.stack([np.sin(angles), -np.cos(angles)], axis=1) / plan["glare_width"][row], np.float32)


@compiled
def _add(planes, shape, streaks, colour):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add the lamp, its halo with streaks of 1 / (1 + t^2), and the veil."""
    _, height, width = planes.shape
    strength, star, radius = shape[0], shape[3], shape[4]
    step = _ONE / np.float32(width)
    left, top = shape[1], shape[2] * np.float32(height) * step  # in picture widths
    # A lamp that is smaller than a pixel is spread over it, so that its light is the same at every size of the picture.
    spread = radius * radius + (_HALF * step) * (_HALF * step)
    peak, narrow = _TWO * radius * radius / spread, _ONE / (spread * spread)
    away, rays, glow = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    red, green, blue = colour[0], colour[1], colour[2]
    for x in range(width):
        away[x] = (np.float32(x) + _HALF) * step - left
    for y in range(height):
        down = (np.float32(y) + _HALF) * step - top
        rays[:] = _NONE
        for j in range(len(streaks)):
            across, along = streaks[j, 0], streaks[j, 1] * down
            for x in range(width):
                t = away[x] * across + along
                rays[x] += _ONE / (_ONE + t * t)
        for x in range(width):
            distance = away[x] * away[x] + down * down
            lamp = peak / (_ONE + distance * distance * narrow)
            halo = _CORE / (distance + _NEAR)
            glow[x] = strength * (halo * (_ONE + star * rays[x]) + _VEIL) + lamp
        first, second, third = planes[0, y], planes[1, y], planes[2, y]
        for x in range(width):
            first[x] += red * glow[x]
            second[x] += green * glow[x]
            third[x] += blue * glow[x]
