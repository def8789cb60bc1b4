"""A sheet of pictures: rows with a label, laid out in inches so that nothing overlaps or is stretched."""

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

from benchmark.figures import style
from benchmark.images import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 8  # pictures in a row

# Inches.
WIDE, HIGH, GAP = 0.95, 1.75, 0.08
CAPTION, HEADING, LABEL, MARGIN = 0.22, 0.45, 1.25, 0.15


class Cell(NamedTuple):
    """One picture and what stands under it."""

    picture: Picture
    caption: str


class Strip(NamedTuple):
    """One row of pictures; a heading begins a new block."""

    label: str
    cells: Sequence[Cell] = ()
    heading: str = ""

    @property
    def height(self) -> float:
        """Give the inches the strip takes."""
        return (HEADING if self.heading else 0) + (HIGH + CAPTION if self.cells else 0)


def sheet(columns: Sequence[Sequence[Strip]]) -> "Figure":
    """Draw the columns from left to right, the strips of each from top to bottom."""
    from matplotlib.figure import Figure

    width = 2 * MARGIN + LABEL + ACROSS * (WIDE + GAP)
    height = 2 * MARGIN + max(sum(strip.height for strip in strips) for strips in columns)
    made = Figure(figsize=(width * len(columns), height), dpi=style.DPI)
    for column, strips in enumerate(columns):
        top = height - MARGIN
        for strip in strips:
            _draw(made, strip, column * width + MARGIN, top)
            top -= strip.height
    return made


def _draw(made: "Figure", strip: Strip, start: float, top: float) -> None:
    width, height = made.get_size_inches()
    if strip.heading:
        _write(made, start, top - HEADING / 2, fill(strip.heading, 90), style.LARGE)
        top -= HEADING
    if strip.cells:
        _write(made, start, top - HIGH / 2, strip.label, style.NORMAL)
    for position, cell in enumerate(strip.cells):
        left = start + LABEL + position * (WIDE + GAP)
        axes = made.add_axes((left / width, (top - HIGH) / height, WIDE / width, HIGH / height))
        axes.imshow(cell.picture, aspect="equal")
        axes.set_anchor("S")  # the captions of pictures of all shapes stand on one line, right under them
        axes.set_axis_off()
        _write(made, left + WIDE / 2, top - HIGH - CAPTION / 2, cell.caption, style.SMALL, middle=True)


def _write(made: "Figure", x: float, y: float, text: str, size: int, *, middle: bool = False) -> None:
    width, height = made.get_size_inches()
    align = "center" if middle else "left"
    made.text(x / width, y / height, text, ha=align, va="center", fontsize=size, parse_math=False)
