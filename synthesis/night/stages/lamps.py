"""The light of up to three lamps and of the sky over the town, as it falls on what a picture shows.

A picture is a plane of 4 units from its top to its foot and as many across as its shape says, its middle at (0, 0); a
lamp is at x to the right, y down and z in front of it, all in those units. The person is a cylinder as wide as the
picture; further down more and more of it shows ground.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator
from scipy.special import ndtri

from benchmark.compiled import compiled
from benchmark.config import Strict
from synthesis.night import kelvin
from synthesis.night.block import Block, Plan
from synthesis.night.columns import Columns, Floats
from synthesis.night.ranges import Amount, Positive, Share, Shares, in_order, refusal

UNITS = 4.0  # from the top of a picture to its foot
FOOT = UNITS / 2
TALL, WIDE = 32, 16  # the light is smooth, so that a coarse grid tells it
LAMPS = (1, 2, 3)
KINDS = ("street", "window", "headlight", "distant")  # column lamp1_sort
FAMILIES = ("sodium", "warm", "cool")  # column lamp1_kind


def _check_odds(odds: tuple[float, ...], what: str) -> None:
    if min(odds) < 0 or sum(odds) <= 0:
        raise refusal(f"odds of {what} are {', '.join(f'{value:g}' for value in odds)}; none is below 0, and one above")


def _with_tuples(value: Any) -> Any:  # noqa: ANN401
    """Turn lists into tuples: what a validator has touched counts as Python's, and there a list is no tuple."""
    if isinstance(value, dict):
        return {name: _with_tuples(part) for name, part in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


TAKES = "light"
BEFORE = NEEDS = ("exposure",)  # which multiplies by their light
COLUMNS = {
    "ambient": "light from everywhere, beside the lamps' mean of 1",
    "ambient_kelvin": "its colour temperature",
    "normal_weight": "part of the person that is lit as a cylinder",
    "half_width": "half the picture's width, in quarter heights",
    "ground": "part of the picture's foot that is lit as ground",
    "ground_top": "where the ground begins, in quarter heights below the picture's middle",
} | {
    f"lamp{number}_{name}": f"lamp {number}: {meaning}"
    for number in (1, 2, 3)
    for name, meaning in {
        "x": "place to the right of the picture's middle, in quarter heights (half metres by default)",
        "y": "place below it, in the same units",
        "z": "place in front of it, in the same units",
        "kelvin": "colour temperature",
        "intensity": "strength; 0: not there",
        "above": "part of its light that goes above its own height",
        "kind": "0 sodium, 1 warm LED, 2 cool LED or mercury",
        "sort": "0 street lamp, 1 window, 2 headlight, 3 distant lamp",
    }.items()
}


_Top = Annotated[float, Field(ge=-2, lt=2)]
Tops = Annotated[tuple[_Top, _Top], AfterValidator(in_order)]


class Kind(Strict):
    """One kind of lamp: how often it is met, and where it stands."""

    odds: float = Field(ge=0)
    """How often a lamp is of this kind, beside the other kinds' odds."""
    height: Amount
    """Metres above the ground."""
    aside: Amount
    """Metres to the left or to the right of where people walk."""
    ahead: Positive
    """Metres in front of where people walk, towards the camera."""
    power: float = Field(gt=0, le=1e6)
    """Median intensity, beside a street lamp's 1."""
    colours: tuple[float, float, float]
    """Odds of sodium, of warm LED, and of cool LED or mercury."""
    above: Shares = (1.0, 1.0)
    """Part of the light that goes above the lamp's own height; dipped headlights keep it low."""
    spacing: float = Field(0.0, ge=0)
    """Metres to the next such lamp, ahead and aside, of which the nearest lights a person; 0: there is no next."""
    moves: bool = False
    """It is somewhere else in every picture, wherever the person stands and whatever lamps the camera has."""

    @model_validator(mode="after")
    def _has_a_colour(self) -> Self:
        _check_odds(self.colours, "colours")
        return self


class Config(Strict):
    """Which lamps there are, how strong they are beside the sky, and whether a camera keeps its own.

    Lamps right before a crop make it more uneven than real nights are, so by default they hang at a street's height.
    """

    consistent: bool = True
    """Lamps hang in a camera's own space, and people stand in different places before them."""
    second: Share = 0.65
    """How often there is a second lamp."""
    third: Share = 0.30
    """How often there is a third lamp."""
    street: Kind = Kind(
        odds=0.55,
        height=(4.5, 8.0),
        aside=(0.0, 8.0),
        ahead=(0.5, 8.0),
        power=1.0,
        colours=(1.0, 1.0, 1.0),
        spacing=15.0,
    )
    """Street lamps, in rows."""
    window: Kind = Kind(
        odds=0.25, height=(1.5, 3.5), aside=(2.0, 6.0), ahead=(0.5, 4.0), power=0.15, colours=(0.0, 1.0, 1.0)
    )
    """Shop windows and lit signs, at the side."""
    headlight: Kind = Kind(
        odds=0.2,
        height=(0.6, 0.8),
        aside=(0.0, 5.0),
        ahead=(4.0, 25.0),
        power=2.0,
        colours=(0.0, 1.0, 4.0),
        above=(0.1, 0.5),
        moves=True,
    )
    """Cars that come towards the people."""
    distant: Kind = Kind(
        odds=0.0, height=(3.0, 12.0), aside=(5.0, 40.0), ahead=(15.0, 60.0), power=1.0, colours=(2.0, 1.0, 1.0)
    )
    """Lamps far away, whose light is even."""
    spread: float = Field(0.6, ge=0, le=3)
    """Standard deviation of the logarithm of lamps' intensities."""
    sodium: Positive = (1900.0, 2300.0)
    """Colour temperatures of sodium lamps, in kelvin."""
    warm: Positive = (2700.0, 3200.0)
    """Colour temperatures of warm LED lamps, in kelvin."""
    cool: Positive = (3800.0, 6000.0)
    """Colour temperatures of cool LED and mercury lamps, in kelvin."""
    ambient: Positive = (0.02, 0.25)
    """Light from everywhere, beside the mean of the lamps' light."""
    ambient_kelvin: Positive = (4600.0, 6200.0)
    """Colour temperature of the light from everywhere, in kelvin."""
    normals: Shares = (0.0, 0.5)
    """How much the person is a cylinder; the rest of him, and the background, is a flat wall."""
    ground: Shares = (0.2, 1.0)
    """How much of the picture's foot shows ground, which faces up: the pool of light under a lamp."""
    ground_top: Tops = (-0.5, 1.2)
    """Where it begins, in quarter heights below the middle: cameras that look down see it behind people's legs."""
    near: float = Field(0.3, gt=0)
    """Metres in front of a person that no lamp comes nearer than."""
    tall: float = Field(2.0, gt=0)
    """Metres that a picture shows from its top to its foot."""
    walk: tuple[float, float] = (2.0, 3.0)
    """Metres to either side, and nearer or farther, that people are found at where no box says where they are."""
    frame: float = Field(1920.0, gt=0)
    """Pixels that a camera's frame is wide, for places that are read from boxes (columns x, w, h)."""
    usual: float = Field(200.0, gt=0)
    """Pixels that a box is high where lamps are as far ahead as their kind says; smaller boxes have them farther."""
    focal: float = Field(1.0, gt=0)
    """A camera's focal length in widths of its frame, for places that are read from boxes."""

    @model_validator(mode="before")
    @classmethod
    def _keep_the_rest_of_a_kind(cls, given: object) -> object:
        """Let a night change one number of a kind of lamp."""
        if not isinstance(given, dict):
            return given
        table: dict[str, Any] = _with_tuples(given)
        kinds = {name: table[name] for name in KINDS if isinstance(table.get(name), dict)}
        return table | {name: cls.model_fields[name].default.model_dump() | kind for name, kind in kinds.items()}

    @model_validator(mode="after")
    def _has_lamps(self) -> Self:
        _check_odds(tuple(getattr(self, name).odds for name in KINDS), "kinds")
        return self


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Hang the lamps, and see them from where each person stands."""
    config: Config = columns.config
    scope = "camera" if config.consistent else "image"
    aside, away = _places(columns) if config.consistent else (np.zeros(len(columns)), np.zeros(len(columns)))
    across = columns.facts.numbers["width"] / columns.facts.numbers["height"]
    planned = {
        "half_width": FOOT * np.where(np.isfinite(across), across, 0.5),
        "ambient": columns.between("ambient", *config.ambient, scope),
        "ambient_kelvin": columns.between("ambient_kelvin", *config.ambient_kelvin, scope),
        "normal_weight": columns.between("normals", *config.normals),
        "ground": columns.between("ground", *config.ground),
        "ground_top": columns.between("ground_top", *config.ground_top),
    }
    for lamp, share in zip(LAMPS, (1.0, config.second, config.third), strict=True):
        on = columns.chance(f"lamp{lamp}", share, scope)
        hung = _Lamp(columns, f"lamp{lamp}", scope).hang(aside, away, on)
        planned |= {f"lamp{lamp}_{name}": values for name, values in hung.items()}
    return planned


def _places(columns: Columns) -> tuple[Floats, Floats]:
    """Say how many metres to the right of its camera's axis, and behind the usual place, each person stands."""
    config: Config = columns.config
    numbers = columns.facts.numbers
    high = np.where(numbers["h"] > 0, numbers["h"], np.nan)
    # A pinhole: what is `tall` metres and `high` pixels is at a depth of focal length x tall / high.
    aside = (numbers["x"] + numbers["w"] / 2 - config.frame / 2) * config.tall / high
    away = config.focal * config.frame * config.tall * (1 / high - 1 / config.usual)
    side, depth = (reach * (2 * columns.uniform(f"walk{axis}") - 1) for axis, reach in enumerate(config.walk))
    seen = np.isfinite(aside)
    return np.where(seen, aside, side), np.where(seen, away, depth)


@dataclass(frozen=True)
class _Lamp:
    """The draws of one lamp: once a camera, but for a kind that moves once a picture."""

    columns: Columns
    name: str
    scope: str

    @cached_property
    def kinds(self) -> list[Kind]:
        return [getattr(self.columns.config, name) for name in KINDS]

    @cached_property
    def sort(self) -> NDArray[np.int64]:
        return self.columns.pick(f"{self.name}.sort", [kind.odds for kind in self.kinds], self.scope)

    @cached_property
    def moves(self) -> NDArray[np.bool_]:
        return np.array([kind.moves for kind in self.kinds])[self.sort]

    def uniform(self, what: str) -> Floats:
        name = f"{self.name}.{what}"
        return np.where(self.moves, self.columns.uniform(name), self.columns.uniform(name, self.scope))

    def between(self, what: str, ranges: list[tuple[float, float]], which: NDArray[np.int64]) -> Floats:
        low, high = np.array(ranges)[which].T
        drawn: Floats = low + (high - low) * self.uniform(what)
        return drawn

    def _nearest(self, metres: Floats) -> Floats:
        """Take, of lamps that stand in a row, the one that is least far."""
        spacing = np.array([kind.spacing for kind in self.kinds])[self.sort]
        nearest: Floats = metres - spacing * np.round(metres / np.where(spacing > 0, spacing, np.inf))
        return nearest

    def hang(self, aside: Floats, away: Floats, on: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """Give the lamp's columns, seen by people at these places."""
        config: Config = self.columns.config
        bounds = np.cumsum([kind.colours for kind in self.kinds], axis=1)[self.sort]
        family = (self.uniform("colour")[:, None] * bounds[:, -1:] >= bounds[:, :-1]).sum(axis=1)
        side = np.where(self.uniform("side") < 0.5, -1, 1)
        right = side * self.between("aside", [kind.aside for kind in self.kinds], self.sort)
        ahead = self.between("ahead", [kind.ahead for kind in self.kinds], self.sort)
        median = np.array([kind.power for kind in self.kinds])[self.sort]
        power = median * np.exp(config.spread * ndtri(self.uniform("power") + 2.0**-25))
        unit = UNITS / config.tall
        return {
            "x": unit * self._nearest(right - np.where(self.moves, 0, aside)),
            "y": FOOT - unit * self.between("height", [kind.height for kind in self.kinds], self.sort),
            "z": unit * np.maximum(self._nearest(ahead + np.where(self.moves, 0, away)), config.near),
            "kelvin": self.between("kelvin", [getattr(config, name) for name in FAMILIES], family),
            "intensity": np.where(on, power, 0),
            "above": self.between("above", [kind.above for kind in self.kinds], self.sort),
            "kind": family.astype(np.int8),
            "sort": self.sort.astype(np.int8),
        }


def in_frame(plan: Plan) -> NDArray[np.bool_]:
    """Say of every picture's three lamps whether they are lit and before what the picture shows: a label to learn."""
    lamps = [(plan[f"lamp{lamp}_intensity"], plan[f"lamp{lamp}_x"], plan[f"lamp{lamp}_y"]) for lamp in LAMPS]
    half = np.asarray(plan.get("half_width", 1.0))
    return np.stack([(on > 0) & (np.abs(x) <= half) & (np.abs(y) <= FOOT) for on, x, y in lamps], axis=1)


def apply(block: Block, plan: Plan) -> None:
    """Work out the light; whoever solves the exposure multiplies by it."""
    block.illumination = illumination(plan)


def illumination(plan: Plan, rows: int = TALL, columns: int = WIDE) -> NDArray[np.float32]:
    """Give pictures x 3 x rows x columns of light, of which the mean luma of every picture is 1."""
    values = np.array([plan[name] for name in _VALUES], np.float32)
    none = np.zeros(values.shape[1], np.float32)
    above = np.array([plan.get(f"lamp{lamp}_above", none + _ONE) for lamp in LAMPS], np.float32)
    ground, sky = plan.get("ground", none), plan.get("ambient_kelvin", none + _SKY)
    begins, halves = plan.get("ground_top", none), plan.get("half_width", none + _ONE)
    light = np.empty((values.shape[1], 3, rows, columns), np.float32)
    _illuminate(values, above, halves, ground, begins, sky, kelvin.TABLE, light)
    return light


_WHERE = ("x", "y", "z", "intensity", "kelvin")
_VALUES = (*(f"lamp{lamp}_{what}" for lamp in LAMPS for what in _WHERE), "ambient", "normal_weight")
_SKY = np.float32(5400)  # kelvin: a tint of (1, .85, .7)
_EDGE = np.float32(0.5)  # quarter heights over which a beam ends
_ZERO, _HALF, _ONE, _TWO, _FOUR = (np.float32(value) for value in (0, 0.5, 1, 2, 4))
_ROUND, _STEEPEST = np.float32(1.4), np.float32(0.95)  # the cylinder: n_x = clip(1.4 X, +-.95)
_RED, _GREEN, _BLUE = np.float32(0.299), np.float32(0.587), np.float32(0.114)
_LOWEST, _STEP, _LAST = np.float32(kelvin.LOWEST), np.float32(kelvin.STEP), len(kelvin.TABLE) - 1


@compiled
def _entry(temperature):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return min(max(int((temperature - _LOWEST) / _STEP + _HALF), 0), _LAST)


@compiled
def _illuminate(values, above, halves, ground, begins, sky, table, light):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add up the lamps, then the ambient light beside their mean, and divide by the mean of all."""
    count, _, rows, columns = light.shape
    field = np.empty((rows, columns), np.float32)
    for i in range(count):
        light[i] = _ZERO
        for k in range(0, 15, 5):
            if values[k + 3, i] > _ZERO:
                lamp, beam = values[k : k + 4, i], above[k // 5, i]
                _lamp_field(lamp, beam, halves[i], values[16, i], ground[i], begins[i], field)
                colour = table[_entry(values[k + 4, i])]
                for channel in range(3):
                    light[i, channel] += colour[channel] * field
        mean = _mean(light[i])
        if mean > _ZERO:
            light[i] *= _ONE / mean
        tint = table[_entry(sky[i])]
        for channel in range(3):
            light[i, channel] += values[15, i] * tint[channel]
        light[i] *= _ONE / _mean(light[i])


@compiled
def _lamp_field(lamp, above, half, cylinder, ground, begins, field):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Light a flat wall, a cylinder before it, and the ground below, all by intensity x cosine / r^2."""
    rows, columns = field.shape
    across, facing, pool = np.empty(columns, np.float32), np.empty(columns, np.float32), np.empty(columns, np.float32)
    front, up = lamp[2], max(_TWO - lamp[1], _ZERO)
    ramp = _ONE / (_TWO - begins)  # further down more and more of the picture shows ground
    for c in range(columns):
        place = _TWO * (np.float32(c) + _HALF) / np.float32(columns) - _ONE
        away = lamp[0] - half * place
        side = min(max(_ROUND * place, -_STEEPEST), _STEEPEST)
        towards = max(away * side + front * np.sqrt(_ONE - side * side), _ZERO)
        across[c] = away * away + front * front
        facing[c] = lamp[3] * ((_ONE - cylinder) * front + cylinder * towards)
        below = across[c] + up * up
        pool[c] = lamp[3] * up / (below * np.sqrt(below))
    for r in range(rows):
        place = _FOUR * (np.float32(r) + _HALF) / np.float32(rows) - _TWO
        down = (lamp[1] - place) * (lamp[1] - place)
        beam = above + (_ONE - above) * min(max((place - lamp[1]) / _EDGE + _HALF, _ZERO), _ONE)
        floor = ground * max((place - begins) * ramp, _ZERO)
        for c in range(columns):
            squared = across[c] + down
            field[r, c] = (_ONE - floor) * beam * facing[c] / (squared * np.sqrt(squared)) + floor * pool[c]


@compiled
def _mean(planes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    _, rows, columns = planes.shape
    total = _ZERO
    for r in range(rows):
        for c in range(columns):
            total += _RED * planes[0, r, c] + _GREEN * planes[1, r, c] + _BLUE * planes[2, r, c]
    return total / np.float32(rows * columns)
