"""Solve the exposure: the gain that brings a picture to the lightness its light level asks for.

Lightness is `images.lightness`, the mean of max(R, G, B), as in every light level of this project. Noise raises it: a
maximum of three noisy channels that are cut off at black lies above the maximum of their means. So the gain is solved
for the expectation over the noise, at points spread evenly over the picture, through colour and tone as they will be.
What the points leave open, and what smear and codec take, `tone` makes good from the picture itself.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from benchmark.compiled import compiled
from benchmark.config import Strict
from synthesis.night import spread
from synthesis.night.block import Block, Light, Plan
from synthesis.night.columns import Columns
from synthesis.night.curve import CURVE, LEAST, PARTS, shown
from synthesis.night.ranges import refusal
from synthesis.night.stages import colour, glare

POINTS = 256  # where a picture is looked at, each with noise of its own
DARKEST, BRIGHTEST = -14.0, 9.0  # natural logarithms between which the gain is looked for
GRID, MOST_ROWS = 16, 64  # of the coarse picture of glare that the solver looks at
FOUND = ("gain", "digital", "glare_left")  # what is solved here
CLOSE = np.float32(0.02)  # of the lightness: `tone` does the rest

_Level = Annotated[float, Field(ge=0, le=255)]


def _in_order(ends: tuple[float, float]) -> tuple[float, float]:
    if not ends[0] < ends[1]:
        raise refusal(f"no range goes from {ends[0]:g} to {ends[1]:g}; write the smaller number first")
    return ends


TAKES = "light"
BEFORE = ("glare", "blur", "noise", "colour")
COLUMNS = {
    "level": "position in the night's levels of the one that is asked for; -1: none",
    "anchor": "lightness, 0 to 255, that the gain is solved for",
    "target": "lightness that this very picture is to have; null: none",
    "stops": "light relative to the solved exposure, log2",
    "corrected": "whether `tone` corrects this picture by itself; steps of a ladder have the correction of step 0",
    "noise_share": "most of the lightness that noise alone may make",
    "glare_share": "most of it that noise and glare may make",
    "gain": "solved: factor on the light, whose lamps have mean 1",
    "digital": "solved: gain after the sensor, first by this stage, then by `tone`",
    "glare_left": "solved: part of the glare that is left",
}


class Config(Strict):
    """To which lightness pictures are exposed."""

    levels: tuple[str, ...] = Field(("Low", "Medium", "High"), min_length=1)
    """Names of the light levels, from dark to bright."""
    shares: tuple[Annotated[float, Field(ge=0, le=1)], ...] = (0.45, 0.35, 0.20)
    """Share of the pictures at each level; they sum to 1."""
    ranges: tuple[Annotated[tuple[_Level, _Level], AfterValidator(_in_order)], ...] = (
        (8.0, 25.5),
        (25.5, 51.0),
        (51.0, 95.0),
    )
    """Lightness, from and to, of each level; within it a picture's is drawn evenly."""
    steps: tuple[Annotated[float, Field(ge=-12, le=4)], ...] = Field((0.0,), min_length=1)
    """A ladder of exposures of every picture, in stops relative to the solved one."""
    noise_share: float = Field(0.3, gt=0, lt=1)
    """The most of a picture's lightness that noise alone may make; a noisier camera's digital gain is lowered."""
    glare_share: float = Field(0.6, gt=0, lt=1)
    """The most that noise and glare together may make; stronger glare is weakened."""

    @field_validator("shares", "ranges")
    @classmethod
    def _one_a_level(cls, values: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        levels = info.data.get("levels", values)
        if len(values) != len(levels):
            raise refusal(f"{len(values)} of them for {len(levels)} levels")
        return values

    @field_validator("shares")
    @classmethod
    def _all(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if abs(sum(shares) - 1) > 1e-6:
            raise refusal(f"shares sum to {sum(shares):g}, must sum to 1")
        return shares

    @field_validator("ranges")
    @classmethod
    def _apart(cls, ranges: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        if any(low[1] > high[0] for low, high in pairwise(ranges)):
            raise refusal("the ranges overlap or go down; name the darkest level first")
        return ranges

    @field_validator("steps")
    @classmethod
    def _once_each(cls, steps: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(steps)) < len(steps):
            raise refusal("a step is there twice")
        return steps


def reached(config: Config, lightness: NDArray[np.float64]) -> NDArray[np.int64]:
    """Say at which level pictures of some lightness are; levels touch where the brighter one begins."""
    return np.searchsorted([low for low, _ in config.ranges[1:]], lightness, side="right")


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Draw the level, and the lightness within it."""
    config: Config = columns.config
    level = columns.pick("level", config.shares)
    low, high = np.array(config.ranges).T
    drawn = low[level] + (high - low)[level] * columns.uniform("target")
    # No night is brighter than its day; a day that is too dark for its level misses it.
    anchor = np.fmin(drawn, columns.facts.numbers["lightness"])
    stops = np.array(config.steps)[columns.facts.step]
    ladder = len(config.steps) > 1
    return {
        "level": np.where(stops == 0, level, -1).astype(np.int8),
        "anchor": anchor,  # the lightness that the gain is solved for
        "target": np.where(stops == 0, anchor, np.nan),  # the lightness that this very picture is to have
        "stops": stops,
        # A correction of each step by itself would make it another distance from the next.
        "corrected": np.full(len(columns), not ladder),
        "noise_share": np.full(len(columns), config.noise_share),
        "glare_share": np.full(len(columns), config.glare_share),
    }


def is_solved(gain: NDArray[np.float32], plan: Plan) -> NDArray[np.bool_]:
    """Say whether a gain was found between the bounds; at one, the picture has no light or too little."""
    stops = np.asarray(plan.get("stops", 0), np.float64)
    found = np.log(np.maximum(gain, 1e-30)) - stops * np.log(2)
    return np.asarray((found > DARKEST + 0.01) & (found < BRIGHTEST - 0.01))


def apply(block: Block, plan: Plan) -> None:
    """Light the picture, by the lamps' light and the gain that is solved here or was before."""
    assert block.light is not None
    count = len(block.light)
    known = {name: np.array(plan[name], np.float32) for name in FOUND if name in plan}
    if block.illumination is None:
        block.illumination = np.ones((count, 3, 1, 1), np.float32)
    lit = block.illumination
    block.solved |= known if "gain" in known else _solved(block.light, lit, plan)
    if "digital" not in known and "corrected" in plan and not plan["corrected"].all():
        block.solved["digital"] = _digital(block, lit, plan)
    _light(block.light, lit, block.solved["gain"])


def _digital(block: Block, lit: NDArray[np.float32], plan: Plan) -> NDArray[np.float32]:
    """Find the digital gains that all steps of ladders have, by developing each picture at 0 stops."""
    assert block.light is not None
    factor, count = np.exp2(plan["stops"]).astype(np.float32), len(block.light)
    first = {**plan, "stops": np.zeros(count), "target": plan["anchor"], "corrected": np.ones(count, bool)}
    first |= {"glare": plan["glare"] / factor} if "glare" in plan else {}
    sample = Block(list(block.pictures), block.light.copy(), lit)
    sample.solved = block.solved | {"gain": block.solved["gain"] / factor}
    _light(sample.light, lit, sample.solved["gain"])
    for place, stage in enumerate(block.later, 1):
        sample.later = block.later[place:]
        stage.apply(sample, first)
        if getattr(stage, "GIVES", "") == "pictures":
            break
    return sample.solved["digital"]


def _solved(light: Light, lit: NDArray[np.float32], plan: Plan) -> dict[str, NDArray[np.float32]]:
    count, _, height, width = light.shape
    rows, columns = spread.points(height, width, POINTS)
    # Every step of a ladder has the gain and the glare of step 0, times as much light.
    unstepped = {**plan, "glare": plan["glare"] / np.exp2(plan["stops"])} if "glare" in plan else plan
    samples, added = _samples(light, lit, rows, columns), _glare(unstepped, count, height, width, rows, columns)
    noise = _beside(plan, ("shot", "read", "row"), count)
    wanted = _beside(plan, ("anchor", "noise_share", "glare_share"), count)
    drawn = spread.normals(4, POINTS)
    found = _solve(samples, added, noise, colour.matrix(plan, count), wanted, drawn, CURVE)
    solved = dict(zip(FOUND, found.T, strict=True))
    solved["gain"] = solved["gain"] * np.exp2(plan["stops"])
    return solved


def _glare(
    plan: Plan, count: int, height: int, width: int, rows: NDArray[np.int32], columns: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Give the glare at the points, from a picture of glare alone that is as coarse as the lamps' light."""
    if "glare" not in plan or not plan["glare"].any():
        return np.zeros((count, 3, len(rows)), np.float32)
    bright = np.flatnonzero(plan["glare"])
    tall = min(max(round(GRID * height / width), 1), MOST_ROWS)
    coarse = Block([], np.zeros((len(bright), 3, tall, GRID), np.float32))
    glare.apply(coarse, {name: values[bright] for name, values in plan.items()})
    assert coarse.light is not None
    made = np.zeros((count, 3, len(rows)), np.float32)
    made[bright] = _spread(coarse.light, rows, columns, height, width)
    return made


def _beside(plan: Plan, names: tuple[str, ...], count: int) -> NDArray[np.float32]:
    """Put columns beside each other; those of a stage that is left out of a night are 0."""
    made = np.zeros((count, len(names)), np.float32)
    for place, name in enumerate(names):
        if name in plan:
            made[:, place] = plan[name]
    return made


@compiled
def _at(grid, row, column, height, width):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Read a coarse grid between its cells' centres, as it is spread over a picture of some height and width."""
    rows, columns = grid.shape
    down = min(max((row + 0.5) * rows / height - 0.5, 0.0), rows - 1.0)
    over = min(max((column + 0.5) * columns / width - 0.5, 0.0), columns - 1.0)
    top, left = int(down), int(over)
    bottom, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
    low, aside = down - top, over - left
    upper = grid[top, left] * (1 - aside) + grid[top, right] * aside
    lower = grid[bottom, left] * (1 - aside) + grid[bottom, right] * aside
    return upper * (1 - low) + lower * low


@compiled
def _spread(grids, rows, columns, height, width):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Read the pictures' grids at the points: pictures x 3 x points."""
    read = np.empty((len(grids), 3, len(rows)), np.float32)
    for picture in range(len(grids)):
        for channel in range(3):
            for point in range(len(rows)):
                read[picture, channel, point] = _at(grids[picture, channel], rows[point], columns[point], height, width)
    return read


@compiled
def _samples(light, lit, rows, columns):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give the light of lamps on the pictures' points before gain: pictures x 3 x points."""
    samples = _spread(lit, rows, columns, light.shape[2], light.shape[3])
    for picture in range(len(light)):
        for channel in range(3):
            for point in range(len(rows)):
                samples[picture, channel, point] *= light[picture, channel, rows[point], columns[point]]
    return samples


@compiled
def _solve(samples, added, noise, matrices, wanted, drawn, curve):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find every picture's gain; before, the digital gain and the part of the glare that leave the scene its share."""
    found = np.ones((len(samples), 3), np.float32)
    none, one = np.float32(0), np.float32(1)
    for i in range(len(samples)):
        light, nothing, target = samples[i], np.zeros_like(samples[i]), wanted[i, 0]
        least, most = np.log(np.float32(LEAST)), none
        if _lightness(nothing, nothing, none, one, noise[i], matrices[i], drawn, curve) > target * wanted[i, 1]:
            for _ in range(7):
                middle = (least + most) / np.float32(2)
                reached = _lightness(nothing, nothing, none, np.exp(middle), noise[i], matrices[i], drawn, curve)
                least, most = (least, middle) if reached > target * wanted[i, 1] else (middle, most)
            found[i, 1] = np.exp(least)
        digital, bright = found[i, 1], added[i]
        if _lightness(bright, nothing, one, digital, noise[i], matrices[i], drawn, curve) > target * wanted[i, 2]:
            least, most = np.float32(-7), none
            for _ in range(7):
                middle = (least + most) / np.float32(2)
                reached = _lightness(bright, nothing, np.exp(middle), digital, noise[i], matrices[i], drawn, curve)
                least, most = (least, middle) if reached > target * wanted[i, 2] else (middle, most)
            found[i, 2] = np.exp(least)
            bright = bright * found[i, 2]
        found[i, 0] = _gain(light, bright, target, digital, noise[i], matrices[i], drawn, curve)
    return found


@compiled
def _gain(light, added, target, digital, noise, matrix, drawn, curve):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Bracket the gain's logarithm and close in by false position, halving where that stalls (the Illinois rule)."""
    low, high = np.float32(DARKEST), np.float32(BRIGHTEST)
    under = _lightness(light, added, np.exp(low), digital, noise, matrix, drawn, curve) - target
    over = _lightness(light, added, np.exp(high), digital, noise, matrix, drawn, curve) - target
    if under >= 0 or over <= 0:
        return np.exp(low) if under >= 0 else np.exp(high)
    # The middle of what pictures need: from here on the curve of lightness over gain's logarithm is smooth.
    guess, side = np.float32(-3), 0
    for _ in range(12):
        found = _lightness(light, added, np.exp(guess), digital, noise, matrix, drawn, curve) - target
        if abs(found) < CLOSE * target:
            break
        if found < 0:
            low, under = guess, found
            over = over / 2 if side < 0 else over
            side = -1
        else:
            high, over = guess, found
            under = under / 2 if side > 0 else under
            side = 1
        guess = low + (high - low) * min(max(under / (under - over), np.float32(0.05)), np.float32(0.95))
    return np.exp(guess)


@compiled
def _lightness(light, added, gain, digital, noise, matrix, drawn, curve):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Expect the lightness of a picture from its points: gain, noise, colour, cut, digital gain, curve."""
    shot, read, line = noise[0], noise[1], noise[2]
    reading, zero, one = line * np.sqrt(read), np.float32(0), np.float32(1)
    total = 0
    for point in range(light.shape[1]):
        rows = reading * drawn[3, point]
        red = gain * light[0, point] + added[0, point]
        green = gain * light[1, point] + added[1, point]
        blue = gain * light[2, point] + added[2, point]
        red += rows + drawn[0, point] * np.sqrt(shot * red + read)
        green += rows + drawn[1, point] * np.sqrt(shot * green + read)
        blue += rows + drawn[2, point] * np.sqrt(shot * blue + read)
        first = matrix[0, 0] * red + matrix[0, 1] * green + matrix[0, 2] * blue
        second = matrix[1, 0] * red + matrix[1, 1] * green + matrix[1, 2] * blue
        third = matrix[2, 0] * red + matrix[2, 1] * green + matrix[2, 2] * blue
        total += shown(min(max(zero, max(max(first, second), third)), one), digital, curve)
    return np.float32(total) / np.float32(PARTS * light.shape[1])


@compiled
def _light(light, lit, gain):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Multiply every picture by its lamps' light, read between the cells of the grid, and by its gain."""
    count, channels, height, width = light.shape
    rows, columns = lit.shape[2], lit.shape[3]
    left, right, aside = np.empty(width, np.int32), np.empty(width, np.int32), np.empty(width, np.float32)
    for x in range(width):
        over = min(max((x + 0.5) * columns / width - 0.5, 0.0), columns - 1.0)
        left[x], right[x] = int(over), min(int(over) + 1, columns - 1)
        aside[x] = np.float32(over - int(over))
    wide = np.empty((rows, width), np.float32)
    for picture in range(count):
        for channel in range(channels):
            for row in range(rows):
                cells = lit[picture, channel, row]
                for x in range(width):
                    wide[row, x] = gain[picture] * (cells[left[x]] + (cells[right[x]] - cells[left[x]]) * aside[x])
            for y in range(height):
                down = min(max((y + 0.5) * rows / height - 0.5, 0.0), rows - 1.0)
                upper, lower = wide[int(down)], wide[min(int(down) + 1, rows - 1)]
                low, line = np.float32(down - int(down)), light[picture, channel, y]
                for x in range(width):
                    line[x] *= upper[x] + (lower[x] - upper[x]) * low
