"""Which light finds which: a heat map of mAP from the level of the query to the level of the positive."""

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.figures import style
from benchmark.statistics import MIN_IDENTITIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = "Blues"  # one hue from light to dark: read by lightness alone, with every kind of colour vision
CELL = (1.25, 0.78)  # inches across and down: three short lines
LETTERS = 16  # of a level's name in one line
DARK = 0.72  # of the colours: from here on white letters are read more easily than black ones
NO_CELL = "#f0f0f0"

Floats = NDArray[np.float64]
Counts = NDArray[np.integer]


def draw(
    title: str,
    q_levels: Sequence[str],
    g_levels: Sequence[str],
    value: Floats,
    chance: Floats,
    n_query: Counts,
    n_id: Counts,
) -> "Figure":
    """Draw a cell a pair of levels, with its chance level and who asked; NaN is a pair that nobody asks for."""
    names = [fill(name, LETTERS) for name in (*q_levels, *g_levels)]
    down = [max(CELL[1], 0.15 * (name.count("\n") + 1)) for name in names[: len(q_levels)]]
    width = max(6.5, 2.4 + CELL[0] * len(g_levels))
    made = style.figure(width, 1.9 + sum(down), fill(title, int(10 * width)))
    axes = made.subplots()
    if np.isnan(value).all():
        style.say(axes, "no query has a positive at any level")
        return made
    top = _top(value)
    axes.set_facecolor(NO_CELL)
    shown = axes.imshow(100 * value, vmin=0, vmax=top, cmap=COLORS, aspect="auto")
    for row, column in np.ndindex(*value.shape):
        _write(axes, row, column, value, chance, n_query, n_id, top)
    _name(axes, names[: len(q_levels)], names[len(q_levels) :])
    bar = made.colorbar(shown, ax=axes, fraction=0.04, pad=0.02)
    bar.set_label("mAP in %", fontsize=style.SMALL)
    bar.ax.tick_params(labelsize=style.SMALL)
    bar.outline.set_visible(False)
    if ((n_id < MIN_IDENTITIES) & ~np.isnan(value)).any():
        made.supxlabel(f"hatched: fewer than {MIN_IDENTITIES} identities", fontsize=style.SMALL)
    return made


def _top(value: Floats) -> float:
    """End the colours at the next ten above the best cell."""
    return float(min(10 * np.floor(10 * np.nanmax(value) + 1), 100))


def _write(
    axes: "Axes", row: int, column: int, value: Floats, chance: Floats, n_query: Counts, n_id: Counts, top: float
) -> None:
    from matplotlib.patches import Rectangle

    if np.isnan(value[row, column]):
        axes.text(column, row, "no query", ha="center", va="center", fontsize=style.SMALL, color="#666666")
        return
    dark = 100 * value[row, column] > DARK * top
    colour = "white" if dark else style.BLACK
    few = n_id[row, column] < MIN_IDENTITIES
    if few:
        edge = "#ffffff44" if dark else "#00000022"
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, hatch="///", edgecolor=edge, linewidth=0))
    lines = f"chance {100 * chance[row, column]:.1f}\n{n_query[row, column]:,} q, {n_id[row, column]:,} id"
    axes.text(
        column,
        row - 0.2,
        f"{100 * value[row, column]:.1f}",
        ha="center",
        va="center",
        fontsize=style.LARGE,
        color=colour,
    )
    axes.text(column, row + 0.2, lines, ha="center", va="center", fontsize=style.SMALL, color=colour)


def _name(axes: "Axes", q_names: Sequence[str], g_names: Sequence[str]) -> None:
    style.plain(axes, "", "level of the positives that count; all negatives stay", "level of the query")
    axes.set_xticks(range(len(g_names)), g_names)
    axes.set_yticks(range(len(q_names)), q_names)
    style.literal([*axes.get_xticklabels(), *axes.get_yticklabels()])
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
