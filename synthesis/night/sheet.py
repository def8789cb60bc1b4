"""The contact sheet of a night: some days, and with each the nights that were made of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from benchmark import images, stored
from benchmark.figures import style
from benchmark.images import Picture
from benchmark.manifest import Manifest
from synthesis.night import reached, tables
from synthesis.night.order import Order, spread

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN, LADDERS = 24, 12  # pictures of a night, or ladders of exposures: no fewer than --limit 24 makes
ACROSS = 12  # pictures beside each other
WIDE, HIGH, GAP, MARGIN = 96, 192, 6, 24  # pixels
ENLARGED = 2  # times at most, and by whole pixels: more shows the screen's filter, and not the picture
# Around white no dark picture can be read; a page that is not quite black shows where a black one ends.
PAGE, TEXT, FAINT = 16, "#e8e8e8", "#9a9a9a"
PIXELS = style.DPI / 72  # a point of type
LETTER, LINE = 0.5, 1.4  # width of a letter at most, and from line to line, in the type's size
_READ = ("parent", "draw", "step", "path", "made_level", "made_lightness")
Plan = dict[str, NDArray[Any]]


class Cell(NamedTuple):
    """Pictures below each other, and what stands under them."""

    pictures: Sequence[Picture]
    caption: str


class Row(NamedTuple):
    """Cells beside each other; a heading begins a new part of the page, a label stands to the left."""

    cells: Sequence[Cell]
    heading: str = ""
    label: str = ""


def write(order: Order, out: Path) -> Path:
    """Draw the sheet of a finished night beside its folder; inside it would be a picture that no manifest names."""
    place = out.resolve() if out.name in ("", "..") else out
    title = f"{order.night.name}, seed {order.seed}, quality {order.night.shape.quality}"
    ladder = "the day, then its night at each step of exposure" if _is_ladder(order) else "the day above its night"
    notes = [order.night.shape.about, f"Shown: {ladder}. Numbers: lightness, the mean of max(R, G, B), 0 to 255."]
    made = page(rows(order, out), title, [note for note in notes if note])
    return style.save(made, place.with_name(f"{place.name}-sheet.png"))


def rows(order: Order, out: Path) -> list[Row]:
    """Choose what is shown: as many pictures of every light level, or whole ladders of exposures."""
    plan = _plan(out)
    return _ladders(order, plan, out) if _is_ladder(order) else _levels(order, plan, out)


def _is_ladder(order: Order) -> bool:
    return len(order.steps) > 1


def _plan(out: Path) -> Plan:
    there = pq.read_schema(out / tables.PLAN).names
    read = pq.read_table(out / tables.PLAN, columns=[name for name in _READ if name in there])
    return {name: read[name].to_numpy() for name in read.column_names}


def _levels(order: Order, plan: Plan, out: Path) -> list[Row]:
    shown = spread(plan["made_level"], min(SHOWN, len(plan["path"])))
    shown = shown[np.argsort(plan["made_lightness"][shown], kind="stable")]
    made = []
    for level in reached.achieved(order, np.zeros(0))[0]:
        of, all_of = shown[plan["made_level"][shown] == level], int((plan["made_level"] == level).sum())
        cells = [_pair(order.parents, plan, row, out) for row in of.tolist()]
        heading = f"{level}: {all_of:,} of {len(plan['path']):,}"
        made += [
            Row(cells[start : start + ACROSS], heading if start == 0 else "") for start in range(0, len(cells), ACROSS)
        ]
    return made


def _pair(parents: Manifest, plan: Plan, row: int, out: Path) -> Cell:
    day, lightness = _day(parents, plan["parent"][row])
    return Cell([day, images.load(out, str(plan["path"][row]))], f"{lightness} → {plan['made_lightness'][row]:.0f}")


def _day(parents: Manifest, name: str) -> tuple[Picture, str]:
    row = parents.table["image_id"].to_pylist().index(name)
    return stored.load(parents, row), f"{parents.column('lightness')[row]:.0f}"


def _ladders(order: Order, plan: Plan, out: Path) -> list[Row]:
    """Lay ladders side by side, as many as fit."""
    place = {key: row for row, key in enumerate(zip(plan["parent"], plan["draw"], plan["step"], strict=True))}
    first = np.flatnonzero((plan["step"] == 0) & (plan["draw"] == 0))
    ladders = []
    for begin in first[spread(plan["made_level"][first], min(LADDERS, len(first)))].tolist():
        parent = plan["parent"][begin]
        day, lightness = _day(order.parents, parent)
        cells = [Cell([day], f"day: {lightness}")]
        for step, stops in enumerate(order.steps):
            row = place.get((parent, 0, step))
            if row is not None:
                night = images.load(out, str(plan["path"][row]))
                cells.append(Cell([night], f"{stops:+g}: {plan['made_lightness'][row]:.0f}"))
        ladders.append(cells)
    beside = max(ACROSS // (len(order.steps) + 1), 1)
    groups = [ladders[start : start + beside] for start in range(0, len(ladders), beside)]
    return [Row([cell for cells in group for cell in cells]) for group in groups]


def page(rows: Sequence[Row], title: str = "", notes: Sequence[str] = ()) -> "Figure":
    """Draw rows below a title; every picture keeps its shape, and none is enlarged beyond what it holds."""
    from matplotlib.figure import Figure

    label = max(_width(row.label, style.NORMAL) for row in rows) if rows else 0
    left = MARGIN + label + (2 * GAP if label else 0)
    across = max([len(row.cells) for row in rows] + ([ACROSS] if title else []))
    laid = _Layout(left, left + across * (WIDE + GAP) - GAP + MARGIN)
    laid.say(title, style.LARGE)
    for note in notes:
        laid.say(note, style.NORMAL, FAINT)
    for row in rows:
        laid.add(row)
    height = laid.down + MARGIN - GAP
    canvas = np.full((height, laid.width, 3), PAGE, np.uint8)
    for top, start, picture in laid.pictures:
        canvas[top : top + picture.shape[0], start : start + picture.shape[1]] = picture
    made = Figure(figsize=(laid.width / style.DPI, height / style.DPI), dpi=style.DPI)
    made.figimage(canvas, resize=False)
    for text in laid.texts:
        look: dict[str, Any] = {"ha": text.align, "va": "center", "fontsize": text.size, "color": text.colour}
        made.text(text.x / laid.width, 1 - text.y / height, text.words, parse_math=False, **look)
    return made


class _Text(NamedTuple):
    words: str
    x: float
    y: float
    size: int
    colour: str
    align: str


@dataclass
class _Layout:
    """Where everything is, in pixels; filled from the top."""

    left: int
    width: int
    down: int = MARGIN
    pictures: list[tuple[int, int, Picture]] = field(default_factory=list)
    texts: list[_Text] = field(default_factory=list)

    def say(self, words: str, size: int, colour: str = TEXT) -> None:
        """Write lines over the whole width."""
        for line in wrap(words, int((self.width - 2 * MARGIN) / (LETTER * size * PIXELS))):
            high = round(LINE * size * PIXELS)
            self.texts.append(_Text(line, MARGIN, self.down + high / 2, size, colour, "left"))
            self.down += high

    def add(self, row: Row) -> None:
        """Put a row of pictures below what is there, those of one cell edge to edge, so that they are compared."""
        if row.heading:
            self.down += 2 * GAP
            self.say(row.heading, style.NORMAL)
        self.down += GAP
        cells = [[fitted(picture) for picture in cell.pictures] for cell in row.cells]
        top = self.down
        for level in range(max(map(len, cells))):
            high = max(cell[level].shape[0] for cell in cells)
            for place, cell in enumerate(cells):
                inside = self._start(place) + (WIDE - cell[level].shape[1]) // 2
                above = self.down + (high - cell[level].shape[0] if level == 0 else 0)
                self.pictures.append((above, inside, cell[level]))
            self.down += high + GAP // 2
        if row.label:
            self.texts.append(_Text(row.label, MARGIN, (top + self.down) / 2, style.NORMAL, TEXT, "left"))
        if any(cell.caption for cell in row.cells):
            high = round(LINE * style.SMALL * PIXELS)
            for place, said in enumerate(cell.caption for cell in row.cells):
                middle = self._start(place) + WIDE / 2
                self.texts.append(_Text(said, middle, self.down + high / 2, style.SMALL, TEXT, "center"))
            self.down += high
        self.down += GAP

    def _start(self, place: int) -> int:
        return self.left + place * (WIDE + GAP)


def _width(words: str, size: int) -> int:
    return round(max(map(len, words.split("\n"))) * LETTER * size * PIXELS)


def fitted(picture: Picture) -> Picture:
    """Bring a picture into its place: larger ones are averaged down, small ones enlarged by whole pixels."""
    height, width, _ = picture.shape
    room = min(HIGH / height, WIDE / width)
    if room >= 1:
        times = min(int(room), ENLARGED)
        return picture.repeat(times, axis=0).repeat(times, axis=1)
    size = max(round(width * room), 1), max(round(height * room), 1)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
