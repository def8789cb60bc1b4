"""The look that all figures share, and how they are saved: equal figures give equal bytes."""

import io
from collections.abc import Iterable
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from benchmark import durable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

DPI = 130
SMALL, NORMAL, LARGE = 8, 9, 11
BESIDE = 3  # sets that stand side by side; more would make a figure too wide to read
TITLE_LETTERS = 52  # what the narrowest plot with a long title holds in one line

# Okabe and Ito, "Color Universal Design", 2008: told apart with every common kind of colour vision.
BLACK, GREY = "#000000", "#bbbbbb"
ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7"
SERIES = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, BLACK)  # of levels, in their order
SPLITS = {"train": BLUE, "val": GREEN, "test": ORANGE, "none": PURPLE, "all": GREY}


def figure(width: float, height: float, title: str) -> "Figure":
    """Begin a figure of a size in inches that lays its parts out without overlap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(made)
    made.suptitle(title, fontsize=LARGE, parse_math=False)
    return made


def plain(axes: "Axes", title: str, across: str, up: str) -> None:
    """Name a plot and its axes, and take away what is not read."""
    axes.set_title(fill(title, TITLE_LETTERS), fontsize=NORMAL, loc="left", parse_math=False)
    axes.set_xlabel(across, fontsize=SMALL)
    axes.set_ylabel(up, fontsize=SMALL)
    axes.tick_params(labelsize=SMALL)
    axes.spines[["top", "right"]].set_visible(False)


def literal(texts: Iterable["Text"]) -> None:
    """Show names as they are: a dollar sign in one begins no formula."""
    for text in texts:
        text.set_parse_math(False)


def say(axes: "Axes", text: str) -> None:
    """Write in the place of a plot why there is none."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=SMALL, transform=axes.transAxes, parse_math=False)


def save(made: "Figure", path: Path) -> Path:
    """Write a PNG without the date and the version of the library."""
    buffer = io.BytesIO()
    made.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    durable.write_bytes(path, buffer.getvalue())
    return path
