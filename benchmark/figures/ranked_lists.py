"""Queries and the first of their rankings, right ones and wrong ones framed; what a query does not see is left out."""

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import keyed
from benchmark.figures import style
from benchmark.images import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DEPTH = 10  # pictures of a ranking
EACH = 2  # queries of a level
RIGHT, WRONG, CANVAS = style.BLUE, style.VERMILION, "#e4e4e4"

# Inches.
WIDE, HIGH, GAP = 0.78, 1.56, 0.1
CAPTION, ROW_GAP, LABEL, AFTER_QUERY, MARGIN, HEADING = 0.2, 0.12, 1.05, 0.16, 0.15, 0.3
LINE = 0.2  # of the title

YES, NO = "\N{CHECK MARK}", "\N{BALLOT X}"
LEGEND = (
    f"{YES} blue frame: the same identity.  {NO} orange frame: another one.  "
    "Under each its rank and distance; what the query does not see (junk) is left out."
)


class Hit(NamedTuple):
    """One picture of a ranking; None where its file cannot be read."""

    picture: Picture | None
    right: bool
    distance: float


class Row(NamedTuple):
    """One query and the first of its ranking."""

    level: str
    query: Picture | None
    hits: Sequence[Hit | tuple[Picture | None, bool, float]]


def choose(codes: NDArray[np.integer], image_ids: Sequence[str], each: int = EACH, seed: int = 0) -> list[int]:
    """Draw some queries of every level, in the order of the levels; a larger `each` adds to those of a smaller one."""
    order = keyed.order(seed, keyed.keys([str(image) for image in image_ids]), "ranked-lists")
    levels = np.unique(codes[codes >= 0])
    return [int(row) for level in levels for row in order[codes[order] == level][:each]]


def draw(title: str, rows: Sequence[Row | tuple[str, Picture | None, Sequence[Hit]]]) -> "Figure":
    """Draw a strip a query: its picture on the left, then its ranking from the closest on."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    found = [Row(*row) for row in rows]
    width = 2 * MARGIN + LABEL + WIDE + AFTER_QUERY + DEPTH * (WIDE + GAP)
    lines = fill(title, int(12 * width)).split("\n")
    head = HEADING + LINE * len(lines)
    strip = HIGH + CAPTION + ROW_GAP
    height = 2 * MARGIN + head + max(len(found), 1) * strip
    made = Figure(figsize=(width, height), dpi=style.DPI)
    FigureCanvasAgg(made)
    _write(made, MARGIN, height - MARGIN - LINE * len(lines) / 2, "\n".join(lines), style.LARGE)
    _write(made, MARGIN, height - MARGIN - LINE * len(lines) - HEADING / 2, LEGEND, style.SMALL)
    if not found:
        _write(made, MARGIN, height - MARGIN - head - strip / 2, "no query to show", style.NORMAL)
    for place, row in enumerate(found):
        _draw(made, row, height - MARGIN - head - place * strip)
    return made


def _draw(made: "Figure", row: Row, top: float) -> None:
    _write(made, MARGIN, top - HIGH / 2, fill(row.level, 15), style.NORMAL)
    left = MARGIN + LABEL
    _frame(_cell(made, left, top, row.query), style.BLACK)
    _write(made, left + WIDE / 2, top - HIGH - CAPTION / 2, "query", style.SMALL, middle=True)
    for place, hit in enumerate(Hit(*hit) for hit in row.hits[:DEPTH]):
        left = MARGIN + LABEL + WIDE + AFTER_QUERY + GAP + place * (WIDE + GAP)
        _frame(_cell(made, left, top, hit.picture), RIGHT if hit.right else WRONG)
        # A mark too: a frame's colour is not for every eye.
        caption = f"{place + 1} {YES if hit.right else NO} {_short(hit.distance)}"
        _write(made, left + WIDE / 2, top - HIGH - CAPTION / 2, caption, style.SMALL, middle=True)


def _short(distance: float) -> str:
    return f"{distance:.3f}" if abs(distance) < 10 else f"{distance:.4g}"


def _cell(made: "Figure", left: float, top: float, picture: Picture | None) -> "Axes":
    """Show a picture in a box of one shape, never stretched: what it does not fill stays grey."""
    width, height = made.get_size_inches()
    axes = made.add_axes((left / width, (top - HIGH) / height, WIDE / width, HIGH / height))
    axes.set_facecolor(CANVAS)
    axes.set_xticks([])
    axes.set_yticks([])
    if picture is None:
        axes.text(0.5, 0.5, "cannot\nbe read", ha="center", va="center", fontsize=style.SMALL, transform=axes.transAxes)
        return axes
    rows, columns = picture.shape[:2]
    scale = max(rows / HIGH, columns / WIDE) / 2
    axes.imshow(picture, aspect="auto")
    axes.set_xlim(columns / 2 - 0.5 - scale * WIDE, columns / 2 - 0.5 + scale * WIDE)
    axes.set_ylim(rows / 2 - 0.5 + scale * HIGH, rows / 2 - 0.5 - scale * HIGH)
    return axes


def _frame(axes: "Axes", colour: str) -> None:
    for spine in axes.spines.values():
        spine.set_edgecolor(colour)
        spine.set_linewidth(1.0 if colour == style.BLACK else 2.6)


def _write(made: "Figure", x: float, y: float, text: str, size: int, *, middle: bool = False) -> None:
    width, height = made.get_size_inches()
    align = "center" if middle else "left"
    made.text(x / width, y / height, text, ha=align, va="center", fontsize=size, parse_math=False)
