"""How far apart positives and negatives lie, level by level: two histograms, and how well they part."""

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 50
ROOM = 1.4  # of the highest bin: the legend stands over it
ACROSS = 3  # panels in a row

Floats = NDArray[np.floating]


class Level(NamedTuple):
    """The distances of one level's queries to their positives and to negatives."""

    name: str
    positive: Floats
    negative: Floats

    def finite(self) -> "Level":
        """Leave out what is no distance."""
        positive, negative = (np.asarray(part, np.float64) for part in (self.positive, self.negative))
        return Level(self.name, positive[np.isfinite(positive)], negative[np.isfinite(negative)])


def overlap(level: Level, edges: Floats) -> float:
    """Give the area that the two histograms share: 1 where they are the same, 0 where they never meet."""
    return float(np.minimum(shares(level.positive, edges), shares(level.negative, edges)).sum() / 100)


def d_prime(level: Level) -> float:
    """Give the distance of the means in units of the common spread; NaN without a spread."""
    spread = float(np.sqrt((np.var(level.positive) + np.var(level.negative)) / 2))
    return float(np.mean(level.negative) - np.mean(level.positive)) / spread if spread else float("nan")


def auc(level: Level) -> float:
    """Give how often a positive is closer than a negative, when one of each is drawn; a tie is half."""
    ordered = np.sort(level.positive)
    closer = np.searchsorted(ordered, level.negative, "left") + np.searchsorted(ordered, level.negative, "right")
    return float(closer.mean() / 2 / len(ordered))


def shares(values: Floats, edges: Floats) -> NDArray[np.float64]:
    """Give the share of the values in every bin, in percent."""
    number = np.histogram(values, edges)[0]
    found: NDArray[np.float64] = 100 * number / max(len(values), 1)
    return found


def edges(levels: Sequence[Level]) -> NDArray[np.float64]:
    """Lay bins over all distances of all levels, so that the panels can be compared."""
    ends = [end for level in levels for part in level[1:] if len(part) for end in (part.min(), part.max())]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    margin = 0.0 if high > low else 0.5  # equal distances have no width of their own
    return np.linspace(low - margin, high + margin, BINS + 1)


def draw(title: str, levels: Sequence[Level | tuple[str, Floats, Floats]]) -> "Figure":
    """Draw a panel a level, all with the same axes."""
    found = [Level(*level).finite() for level in levels]
    across = 2 if len(found) == 4 else min(ACROSS, max(len(found), 1))
    down = max(-(-len(found) // across), 1)
    width = max(4.2 * across, 6.5)
    made = style.figure(width, 0.6 + 2.9 * down, fill(title, int(11 * width)))
    grid = made.subplots(down, across, squeeze=False).ravel()
    bins = edges(found)
    for axes, level in zip(grid, found, strict=False):
        _draw(axes, level, bins)
    for axes in grid[len(found) :]:
        axes.set_axis_off()
    drawn = [axes for axes in grid if axes.axison]
    top = ROOM * max((axes.dataLim.y1 for axes in drawn), default=1.0)
    for axes in drawn:
        axes.set_ylim(0, top)
    return made


def _draw(axes: "Axes", level: Level, bins: Floats) -> None:
    if not (len(level.positive) and len(level.negative)):
        absent = "positives" if not len(level.positive) else "negatives"
        style.say(axes, fill(f"{level.name}: no {absent}", 40))
        return
    axes.stairs(
        shares(level.negative, bins), bins, fill=True, color=style.GREY, label=_many(level.negative, "negative")
    )
    axes.stairs(
        shares(level.positive, bins), bins, color=style.BLUE, linewidth=1.6, label=_many(level.positive, "positive")
    )
    axes.plot([], [], " ", label=_words(level, bins))
    style.plain(axes, level.name, "distance", "share in %")
    axes.legend(fontsize=style.SMALL, loc="upper left", frameon=False)


def _words(level: Level, bins: Floats) -> str:
    far = d_prime(level)
    parts = [f"overlap {overlap(level, bins):.2f}", "" if np.isnan(far) else f"d' {far:.2f}", f"AUC {auc(level):.3f}"]
    return ", ".join(part for part in parts if part)


def _many(values: Floats, noun: str) -> str:
    return f"{len(values):,} {noun}{'s' if len(values) != 1 else ''}"
