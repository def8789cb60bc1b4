"""CMC curves of every level, each over the curve of a random order: few positives look hard, many look easy."""

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.console import count
from benchmark.figures import style
from benchmark.statistics import MIN_IDENTITIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DEPTH = 20
RANKS = np.arange(1, DEPTH + 1)
TICKS = (1, 5, 10, 15, 20)
LETTERS, LETTERS_OF_TITLE = 34, 90  # of a line in the legend, and of one over the plot
MARKS = "os^Dv<>"  # with the colours they tell 7 times 7 levels apart


class Curve(NamedTuple):
    """One level: the first ranks of its valid queries, and the expected CMC of a random order at ranks 1 to 20."""

    name: str
    first: NDArray[np.integer]
    chance: NDArray[np.float64]
    identities: int

    @property
    def valid(self) -> NDArray[np.integer]:
        """Leave out queries without a match: a rank of 0 is none, and not the best."""
        return self.first[self.first > 0]

    def values(self) -> NDArray[np.float64]:
        """Give the CMC in percent at every rank; NaN where nobody asks."""
        if not len(self.valid):
            return np.full(DEPTH, np.nan)
        found: NDArray[np.float64] = 100 * (self.valid[:, None] <= RANKS).mean(axis=0)
        return found

    @property
    def label(self) -> str:
        """Name the level and who asked."""
        if not len(self.valid):
            return fill(f"{self.name}: no query", LETTERS)
        few = f", under {MIN_IDENTITIES}" if self.identities < MIN_IDENTITIES else ""
        queries = count(len(self.valid), "query", "queries")
        people = count(self.identities, "identity", "identities")
        return f"{fill(self.name, LETTERS)}\n{queries}, {people}{few}"


def draw(title: str, levels: Sequence[Curve | tuple[str, NDArray[np.integer], NDArray[np.float64], int]]) -> "Figure":
    """Draw all levels into one plot."""
    found = [Curve(*level) for level in levels]
    lines = sum(curve.label.count("\n") + 2 for curve in found)
    made = style.figure(9, max(4.4, 1.2 + 0.14 * lines), fill(title, LETTERS_OF_TITLE))
    axes, beside = made.subplots(1, 2, width_ratios=(3, 1))
    for place, curve in enumerate(found):
        _draw(axes, curve, place)
    axes.plot([], [], color=style.BLACK, linestyle="--", linewidth=1.2, label="a random order\nof the same level")
    style.plain(axes, "", "rank", "queries with a match up to the rank, in %")
    axes.set_xlim(0.5, DEPTH + 0.5)
    axes.set_ylim(0, 102)
    axes.set_xticks(TICKS)
    axes.grid(axis="y", color=style.GREY, linewidth=0.4, alpha=0.6)
    beside.set_axis_off()
    names = axes.get_legend_handles_labels()
    legend = beside.legend(*names, loc="upper left", borderaxespad=0, fontsize=style.SMALL, frameon=False)
    style.literal(legend.get_texts())
    return made


def _draw(axes: "Axes", curve: Curve, place: int) -> None:
    colour = style.SERIES[place % len(style.SERIES)]
    mark = MARKS[place // len(style.SERIES) % len(MARKS)]
    (line,) = axes.plot(RANKS, curve.values(), color=colour, marker=mark, markersize=3.5, linewidth=1.6, zorder=3)
    line.set_label(f" {curve.label}" if curve.label.startswith("_") else curve.label)  # a legend hides such names
    if len(curve.valid):
        axes.plot(RANKS, 100 * np.asarray(curve.chance), color=colour, linestyle="--", linewidth=1.2)
