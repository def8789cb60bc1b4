"""AP of every query against the light of its picture: dots, the mean of bins with its interval, and chance."""

from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import statistics
from benchmark.console import count
from benchmark.figures import style
from benchmark.statistics import MIN_IDENTITIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LETTERS_OF_TITLE = 85
FEW = 500  # queries: fewer are drawn as larger dots
MOST_BINS = 10
DRAWS = 2000  # the ends of a band need fewer than a number in a table
DASHES = (0, (3, 2))
UNDER = f"fewer than {MIN_IDENTITIES} identities: no interval"

Floats = NDArray[np.float64]


class Points(NamedTuple):
    """The queries that have both an AP and a light, one a place."""

    stops: Floats
    ap: Floats
    chance: Floats
    identities: NDArray[np.int64]


class Bins(NamedTuple):
    """What is said of neighbours in the dark: a place a bin, from dark to bright."""

    low: Floats  # of the bin: the stops of its darkest query
    high: Floats  # of its brightest
    mean: Floats
    chance: Floats
    below: Floats  # ends of the interval of the mean, NaN where there are too few identities
    above: Floats


def points(stops: Floats, ap: Floats, chance: Floats, identities: NDArray[np.int64]) -> Points:
    """Leave out queries without a positive, and pictures whose light nobody knows."""
    known = ~(np.isnan(stops) | np.isnan(ap))
    return Points(stops[known], ap[known], chance[known], identities[known])


def assign(stops: Floats, identities: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give every query its bin: as many equally full ones as have enough identities each, and at least one."""
    ranks = np.searchsorted(np.sort(stops), stops)  # queries of one light stand together
    for number in range(MOST_BINS, 1, -1):
        bins = np.unique(ranks * number // len(stops), return_inverse=True)[1]
        people = [len(np.unique(identities[bins == bin])) for bin in range(bins.max() + 1)]
        if min(people) >= MIN_IDENTITIES:
            return np.asarray(bins, np.int64)
    return np.zeros(len(stops), np.int64)


def summarise(found: Points) -> Bins:
    """Average the bins, and draw their intervals from one bootstrap of the identities."""
    bins = assign(found.stops, found.identities)
    number = int(bins.max()) + 1
    member = bins[:, None] == np.arange(number)
    drawn = statistics.bootstrap(np.where(member, found.ap[:, None], np.nan), found.identities, DRAWS)
    spans = statistics.intervals(drawn)
    parts = [member[:, bin] for bin in range(number)]
    return Bins(
        np.array([found.stops[part].min() for part in parts]),
        np.array([found.stops[part].max() for part in parts]),
        np.array([found.ap[part].mean() for part in parts]),
        np.array([found.chance[part].mean() for part in parts]),
        np.array([span.low for span in spans]),
        np.array([span.high for span in spans]),
    )


def draw(
    title: str,
    stops: Floats,
    ap: Floats,
    chance: Floats,
    identities: NDArray[np.int64],
    slope: tuple[float, float, float] | None = None,
) -> "Figure":
    """Draw one dot a query; `slope` is what AP gains a stop, and its interval."""
    made = style.figure(8.5, 4.6, fill(title, LETTERS_OF_TITLE))
    axes = made.subplots()
    found = points(stops, ap, chance, identities)
    if not len(found.stops):
        style.say(axes, "no query has both an AP and a picture whose light was measured")
        return made
    few = len(found.ap) < FEW
    axes.plot(found.stops, 100 * found.ap, ".", color=style.SKY, markersize=6 if few else 3, alpha=0.8 if few else 0.35)
    axes.plot([], [], ".", color=style.SKY, markersize=6, label=_who(found))
    _draw_bins(axes, summarise(found))
    style.plain(axes, "", "stops: log2 of the median linear luminance of the query", "AP in %")
    axes.set_title(_slope(slope), fontsize=style.NORMAL, loc="left")
    axes.set_title(_left_out(len(ap) - len(found.ap)), fontsize=style.SMALL, loc="right")
    axes.set_ylim(-2, 102)
    if np.ptp(found.stops) == 0:
        axes.set_xlim(found.stops[0] - 1, found.stops[0] + 1)
    made.legend(loc="outside lower center", ncols=4, fontsize=style.SMALL, frameon=False)
    return made


def _left_out(number: int) -> str:
    return f"left out: {count(number, 'query', 'queries')} without a match or a light" if number else ""


def _who(found: Points) -> str:
    people = len(np.unique(found.identities))
    return f"{count(len(found.ap), 'query', 'queries')} of {count(people, 'identity', 'identities')}"


def _slope(slope: tuple[float, float, float] | None) -> str:
    """Say what one more stop brings, in points of AP."""
    if slope is None or np.isnan(slope[0]):
        return ""
    value, low, high = (100 * part for part in slope)
    interval = "no interval" if np.isnan(low) else f"95 % interval {low:+.2f} to {high:+.2f}"
    return f"slope {value:+.2f} points of AP a stop, {interval}"


def _draw_bins(axes: "Axes", bins: Bins) -> None:
    """Draw every bin as wide as the light of its queries; a single light gets a width, to be seen."""
    number = len(bins.mean)
    wide = np.where(bins.high > bins.low, 0, 0.05)
    spans = list(zip(bins.low - wide, bins.high + wide, strict=True))
    for place, across in enumerate(spans):
        mean, chance = (100 * value[place] for value in (bins.mean, bins.chance))
        below, above = 100 * bins.below[place], 100 * bins.above[place]
        axes.fill_between(across, below, above, color=style.BLUE, alpha=0.25, linewidth=0)
        axes.plot(across, [mean, mean], color=style.BLUE, linewidth=2.2)
        axes.plot(across, [chance, chance], color=style.BLACK, linewidth=1.2, linestyle=DASHES)
    axes.plot([], [], color=style.BLUE, linewidth=2.2, label=f"mean of {number} bins" if number > 1 else "mean")
    axes.plot([], [], color=style.BLACK, linewidth=1.2, linestyle=DASHES, label="chance level")
    if np.isnan(bins.below).any():
        axes.plot([], [], " ", label=UNDER)
    else:
        axes.fill_between([], [], color=style.BLUE, alpha=0.25, linewidth=0, label="95 % interval over identities")
