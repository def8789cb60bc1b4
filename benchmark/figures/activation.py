"""Where a method looks: queries of every light level with their maps, and how much of the maps lies on the person."""

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark import statistics
from benchmark.console import count
from benchmark.figures import style
from benchmark.figures.samples import brighten
from benchmark.figures.sheet import ACROSS, Cell, sheet
from benchmark.figures.sheet import Strip as Row
from benchmark.images import Picture
from benchmark.statistics import MIN_IDENTITIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EACH = ACROSS  # queries of a level
TALL = 320  # pixels: pictures are drawn this high, so that the outline of a mask is thin
STRONGEST = 0.85  # how much of a picture the warmest colour hides
COLORS = "inferno"  # from dark to bright: read by lightness alone, with every kind of colour vision
DRAWS = 2000  # of the bootstrap
WIDE = 0.5  # of a level: the strip its dots are spread over

LEGEND = "Below each query, over it brightened: warm is what brings it closer to its identity"
OUTLINE = "White: the person. In %: activation inside the outline, and its area (what chance gives)"

Floats = NDArray[np.float64]


class Seen(NamedTuple):
    """One query and its map; the mask is 1 where the person is, None where nobody knows."""

    picture: Picture
    activation: NDArray[np.floating]
    mask: NDArray[np.floating] | None = None
    light: str = ""
    caption: str = ""


class Strip(NamedTuple):
    """Some queries of one level."""

    level: str
    queries: Sequence[Seen]


class Level(NamedTuple):
    """All queries of one level: the share of activation on the person, the person's share of the picture, and who."""

    name: str
    share: Floats  # NaN where nothing is activated
    area: Floats
    identities: NDArray[np.int64]

    def known(self) -> "Level":
        """Leave out queries of which nothing is activated."""
        kept = ~np.isnan(self.share)
        return Level(self.name, self.share[kept], self.area[kept], self.identities[kept])


def draw(title: str, strips: Sequence[Strip]) -> "Figure":
    """Draw two rows a level: queries as they are stored, and what is seen in them."""
    masked = any(seen.mask is not None for strip in strips for seen in strip.queries)
    rows = [Row("", heading=heading) for heading in (title, LEGEND, OUTLINE)[: 3 if masked else 2]]
    for level, queries in strips:
        rows.append(Row(fill(level, 16), [Cell(seen.picture, seen.light) for seen in queries[:ACROSS]]))
        rows.append(Row("where it looks", [Cell(overlaid(seen), seen.caption) for seen in queries[:ACROSS]]))
    if not strips:
        rows.append(Row("", heading="no query to show"))
    return sheet([rows])


def said(share: float, area: float) -> str:
    """Put a share in words, with what chance gives."""
    return "nothing" if np.isnan(share) else f"{100 * share:.0f}, chance {100 * area:.0f}"


def overlaid(seen: Seen) -> Picture:
    """Colour a picture by its map, and draw the outline of the person."""
    from matplotlib import colormaps

    height, width = seen.picture.shape[:2]
    size = max(round(TALL * width / height), 1), TALL
    grey = cv2.cvtColor(brighten(seen.picture)[0], cv2.COLOR_RGB2GRAY)
    under = cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR)[:, :, None] / 255.0
    strongest = float(seen.activation.max())
    level = seen.activation / strongest if strongest else np.zeros_like(seen.activation)
    heat = np.clip(cv2.resize(level.astype(np.float32), size, interpolation=cv2.INTER_LINEAR), 0, 1)
    cover = STRONGEST * heat[:, :, None]
    made = np.round(255 * ((1 - cover) * under + cover * colormaps[COLORS](heat)[:, :, :3])).astype(np.uint8)
    if seen.mask is not None:
        whole = cv2.resize((seen.mask >= 0.5).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(whole, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(made, outlines, -1, (255, 255, 255), 1)
    return np.asarray(made)


def shares(title: str, schemes: Sequence[tuple[str, Sequence[Level]]]) -> "Figure":
    """Draw a panel a scheme: one dot a query, the mean of every level with its interval, and what chance would give."""
    made = style.figure(4.6 * max(len(schemes), 1) + 0.4, 4.4, fill(title, 44 * max(len(schemes), 1)))
    panels = made.subplots(1, max(len(schemes), 1), squeeze=False, sharey=True).ravel()
    for axes, (name, levels) in zip(panels, schemes, strict=False):
        _panel(axes, name, levels)
    if not schemes:
        style.say(panels[0], "no masked query whose light was measured")
        return made
    panels[0].set_ylabel("activation inside the person mask, in %", fontsize=style.SMALL)
    panels[0].set_ylim(-2, 102)
    named = {text: handle for axes in panels for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    made.legend(
        *(list(named.values()), list(named)),
        loc="outside lower center",
        ncols=2 * len(schemes),
        fontsize=style.SMALL,
        frameon=False,
    )
    return made


def _panel(axes: "Axes", name: str, given: Sequence[Level]) -> None:
    levels = [level.known() for level in given]
    idle = sum(len(level.share) for level in given) - sum(len(level.share) for level in levels)
    left = f"; left out: {count(idle, 'query', 'queries')} in which nothing is activated" if idle else ""
    spans = _spans(levels)
    for place, level in enumerate(levels):
        if len(level.share):
            _level(axes, place, level, spans[place])
    axes.plot([], [], ".", color=style.SKY, label="a query")
    axes.plot([], [], color=style.BLUE, linewidth=2.2, label="mean")
    axes.plot(
        [], [], color=style.BLACK, linewidth=1.4, linestyle=":", label="by chance: the person's share of the picture"
    )
    if any(not np.isnan(span.low) for span in spans):
        axes.fill_between([], [], color=style.BLUE, alpha=0.3, linewidth=0, label="95 % interval over identities")
    style.plain(axes, f"{name}{left}", "", "")
    axes.set_xticks(range(len(levels)), [_label(level) for level in levels])
    axes.set_xlim(-0.6, len(levels) - 0.4)
    axes.grid(axis="y", color=style.GREY, linewidth=0.4, alpha=0.6)


def _spans(levels: Sequence[Level]) -> list[statistics.Interval]:
    """Draw the intervals of all levels from one bootstrap of the identities."""
    codes = np.repeat(np.arange(len(levels)), [len(level.share) for level in levels])
    share, people = (np.concatenate([level[part] for level in levels]) for part in (1, 3))
    values = np.where(codes[:, None] == np.arange(len(levels)), share[:, None], np.nan)
    if not len(values):
        return []
    return statistics.intervals(statistics.bootstrap(values, people.astype(np.int64), DRAWS))


def _level(axes: "Axes", place: int, level: Level, span: statistics.Interval) -> None:
    # Dots are spread by their order: no number is drawn at random.
    across = place + WIDE * ((np.arange(len(level.share)) * 0.618034) % 1 - 0.5)
    few = len(level.share) < 300
    axes.plot(across, 100 * level.share, ".", color=style.SKY, markersize=5 if few else 2.5, alpha=0.8 if few else 0.4)
    ends, mean = (place - WIDE / 2, place + WIDE / 2), 100 * level.share.mean()
    axes.fill_between(ends, 100 * span.low, 100 * span.high, color=style.BLUE, alpha=0.3, linewidth=0, zorder=3)
    axes.plot(ends, (mean, mean), color=style.BLUE, linewidth=2.2, zorder=4)
    chance = 100 * level.area.mean()
    wider = (place - 0.62 * WIDE, place + 0.62 * WIDE)
    axes.plot(wider, (chance, chance), color=style.BLACK, linewidth=1.4, linestyle=":", zorder=4)


def _label(level: Level) -> str:
    """Name a level, what was found, and of whom."""
    if not len(level.share):
        return f"{fill(level.name, 12)}\nno query"
    people = len(np.unique(level.identities))
    few = f"\nunder {MIN_IDENTITIES}:\nno interval" if people < MIN_IDENTITIES else ""
    found = said(float(level.share.mean()), float(level.area.mean()))
    return f"{fill(level.name, 12)}\n{found}\n{count(len(level.share), 'query', 'queries')}\n{people:,} id{few}"
