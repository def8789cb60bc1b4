"""Lose detail to few pixels: reduce and enlarge again, or store the picture small; nothing is ever enlarged.

`size` declares which share of the night has which of the heights that night600-scale tells apart. Pictures are reduced
to reach it, as few as can be.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from benchmark import strata
from benchmark.compiled import compiled
from benchmark.config import Strict
from benchmark.errors import UserError
from benchmark.images import Picture
from synthesis.night.block import Block, Plan
from synthesis.night.columns import Columns, Facts, Floats
from synthesis.night.ranges import in_order, refusal

LOCAL = True
TAKES = "pictures"
SCHEME = strata.scheme("night600-scale")
LEVELS = tuple(level.lower() for level in SCHEME.levels)  # small, medium, big
_Share = Annotated[float, Field(ge=0, le=1)]
_Scale = Annotated[float, Field(ge=0.1, le=1)]  # 22 lines make one; more would need finer weights
Heights = NDArray[np.int64]


class Sizes(Strict):
    """Which share of the pictures is how high."""

    small: _Share = 0.0
    """Under 100 pixels."""
    medium: _Share = 0.0
    """From 100, under 200 pixels."""
    big: _Share = 0.0
    """200 pixels and up."""

    @model_validator(mode="after")
    def _whole(self) -> "Sizes":
        total = self.small + self.medium + self.big
        if abs(total - 1) > 1e-6:
            raise refusal(f"the shares of small, medium and big sum to {total:g}, must sum to 1")
        return self


COLUMNS = {
    "scale": "part of height and width that a zoom left; 1: all",
    "stored_width": "width that was asked for; 0: its own",
    "stored_height": "height that was asked for; 0: its own",
}


class Config(Strict):
    """How pictures lose detail."""

    share: float = Field(0.3, ge=0, le=1)
    """Share of pictures that are reduced and enlarged again: what a cheap zoom does."""
    range: Annotated[tuple[_Scale, _Scale], AfterValidator(in_order)] = (0.5, 0.75)
    """What is left of their height and width in between."""
    size: Sizes | None = None
    """Shares of sizes, such as {small = .4, medium = .4, big = .2}; without it every picture keeps its own."""
    smallest: int = Field(40, ge=1, le=99)
    """No picture is made lower than this; one that is lower stays as it is."""


def survey(config: Config, facts: Facts) -> dict[str, Any]:
    """Find the odds with which pictures of every size are reduced, so that the declared shares come out."""
    if config.size is None:
        return {}
    sizes = people(facts)
    if np.isnan(sizes).any() or np.isnan(facts.numbers["height"]).any():
        raise UserError("scale.size: some pictures' heights are not known; run `luxreid data measure` first")
    found = np.bincount(_levels(sizes), minlength=len(LEVELS)) / len(sizes)
    shares = config.size.model_dump()
    odds = _odds(found, np.array([shares[level] for level in LEVELS]))
    rows = {level: row.tolist() for level, row in zip(LEVELS, odds, strict=True)}
    return {"found": dict(zip(LEVELS, found.tolist(), strict=True)), "odds": rows}


def _odds(found: Floats, wanted: Floats) -> Floats:
    """Give the odds of becoming small, medium and big, a row for each size that a picture may have.

    Those stay as they are who can; what is then missing of a size is taken from those that are bigger.
    """
    for level in (2, 1):
        most, asked = found[level:].sum(), wanted[level:].sum()
        if asked > most + 1e-9:
            what = " and ".join(LEVELS[level:])
            raise UserError(
                f"scale.size: {what} = {asked:.6g} cannot be reached: at most {most:.6g} of these pictures are "
                f"{SCHEME.edges[level - 1]:g} pixels high or more, and none is enlarged"
            )
    (_, medium, big), (_, some, many) = found, wanted
    kept, made = min(some, medium), max(some - medium, 0.0)
    flow = np.array([[1.0, 0, 0], [medium - kept, kept, 0], [big - many - made, made, many]])
    flow = np.maximum(flow, 0)
    total = flow.sum(axis=1, keepdims=True)
    return np.where(total > 0, flow / np.where(total > 0, total, 1), np.eye(3))


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Draw how much detail is lost, and how many pixels are stored."""
    config: Config = columns.config
    lost = columns.between("scale", *config.range)
    width, height = (np.nan_to_num(columns.facts.numbers[name]).astype(np.int32) for name in ("width", "height"))
    stored = (width, height) if config.size is None else _stored(columns, config, width, height)
    return {
        "scale": np.where(columns.chance("scaled", config.share), lost, 1.0),
        "stored_width": stored[0].astype(np.int32),
        "stored_height": stored[1].astype(np.int32),
    }


def _stored(columns: Columns, config: Config, width: NDArray[Any], height: NDArray[Any]) -> tuple[Heights, Heights]:
    sizes, full = people(columns.facts), height.astype(np.int64)
    odds = np.array([(columns.survey or {})["odds"][level] for level in LEVELS])
    bounds = np.cumsum(odds, axis=1)[_levels(sizes)]
    level = np.minimum((columns.uniform("size")[:, None] >= bounds).sum(axis=1), _levels(sizes))
    edges = np.array([config.smallest, *SCHEME.edges, np.inf])
    low = _first_at(sizes, full, edges[level])
    high = np.minimum(_first_at(sizes, full, edges[level + 1]) - 1, full)
    drawn = low + (columns.uniform("height") * (high - low + 1)).astype(np.int64)
    # No whole number of pixels may lie in the level, or the picture may be under the smallest: it keeps its own size.
    made = np.where(low <= high, drawn, full)
    return np.maximum(np.rint(width * (made / full)), 1).astype(np.int64), made


def _first_at(sizes: NDArray[np.float32], full: Heights, edge: Floats) -> Heights:
    """Give the least stored height at which a picture's size is not under an edge, or one more than it has."""
    near = np.minimum(np.ceil(edge * full / sizes), full + 1).astype(np.int64)
    # A size a hair under the edge is at the edge once it is rounded to the manifest's 32 bits.
    return np.maximum(near - (shrunk(sizes, near - 1, full) >= edge), 1)


def shrunk(length: NDArray[Any], stored: NDArray[Any], full: NDArray[Any]) -> NDArray[np.float32]:
    """Give a length in the frame after the stored picture's side went from `full` to `stored` pixels."""
    return np.asarray(length.astype(np.float64) * stored / full, np.float32)


def people(facts: Facts) -> NDArray[np.float32]:
    """Give the height that strata go by: in the frame where known, else in the stored crop."""
    frame, own = (facts.numbers[name] for name in ("h", "height"))
    return np.where(np.isnan(frame), own, frame).astype(np.float32)


def _levels(sizes: NDArray[np.float32]) -> NDArray[np.int64]:
    return strata.divide(SCHEME, sizes, np.ones(len(sizes), bool)).codes.astype(np.int64)


def apply(block: Block, plan: Plan) -> None:
    """Reduce pictures to what is left of them, then bring them to their stored size."""
    rows = zip(*(plan[name].tolist() for name in ("scale", "stored_width", "stored_height")), strict=True)
    block.pictures = [scaled(picture, *row) for picture, row in zip(block.pictures, rows, strict=True)]


def scaled(picture: Picture, scale: float, width: int, height: int) -> Picture:
    """Reduce a picture to its stored size, where 0 is its own, and take from it what fewer pixels would not show."""
    rows, columns, _ = picture.shape
    stored = min(width or columns, columns), min(height or rows, rows)
    if stored != (columns, rows):
        picture = np.asarray(cv2.resize(picture, stored, interpolation=cv2.INTER_AREA), np.uint8)
    return picture if scale >= 1 else _coarse(picture, scale)


def _coarse(picture: Picture, scale: float) -> Picture:
    """Reduce by area and enlarge linearly, first down the columns, then along the rows."""
    height, width, _ = picture.shape
    columns = np.empty_like(picture)
    _coarsen(picture.reshape(height, -1), max(round(scale * height), 1), columns.reshape(height, -1))
    turned = np.asarray(cv2.transpose(columns), np.uint8)
    rows = np.empty_like(turned)
    _coarsen(turned.reshape(width, -1), max(round(scale * width), 1), rows.reshape(width, -1))
    return np.asarray(cv2.transpose(rows), np.uint8)


@compiled
def _coarsen(lines, count, made):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Average lines into `count` cells, and place as many lines as there were between the cells' middles.

    Both at once, in whole numbers: a line's weights are 256ths that sum to 256, so flat areas stay what they are.
    """
    height, width = lines.shape
    cell = height / count
    total = np.empty(width, np.uint16)
    for y in range(height):
        place = min(max((y + 0.5) / cell - 0.5, 0.0), count - 1.0)
        above = int(place)
        below, share = min(above + 1, count - 1), place - above
        total[:] = np.uint16(128)
        covered, given = 0.0, 0
        for line in range(int(above * cell), min(int(np.ceil((below + 1) * cell)), height)):
            one = max(min(line + 1.0, (above + 1) * cell) - max(float(line), above * cell), 0.0)
            other = max(min(line + 1.0, (below + 1) * cell) - max(float(line), below * cell), 0.0)
            covered += ((1 - share) * one + share * other) / cell
            weight = np.uint16(int(256 * covered + 0.5) - given)
            given += int(weight)
            source = lines[line]
            for x in range(width):
                total[x] = np.uint16(total[x] + weight * np.uint16(source[x]))
        row = made[y]
        for x in range(width):
            row[x] = np.uint8(total[x] >> np.uint16(8))
