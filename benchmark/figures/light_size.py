"""Light and size per split, as Fig. 3 of the Night600 paper: a histogram, and the share of every level."""

from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import counts, levels, strata
from benchmark.counts import Groups
from benchmark.figures import style
from benchmark.manifest import Manifest
from benchmark.strata import Strata

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_INCHES = 3.1
WIDE_INCHES = 5.5  # a set that stands beside others
HIGH_INCHES = 1.6
SHARES = (2, 1.3, 2, 1.3)  # of the length: two pairs of a histogram and the bars of its levels
TITLE = "Light and size of the pictures. Light level: read from visible pictures only"
LIGHT_BINS = np.arange(51) * 51 / 10  # 25.5 and 51 are bin edges, exactly
SIZE_BIN = 10.0


class Panel(NamedTuple):
    """One measure of one manifest: the values of the rows that have a level, their splits and levels."""

    name: str
    values: NDArray[np.float32]
    groups: Groups
    found: Strata

    def of(self, split: str) -> NDArray[np.float32]:
        """Give the values of a split, or of all rows."""
        known = self.found.codes >= 0
        if split != "all":
            known &= self.groups.codes == self.groups.names.index(split)
        return self.values[known]

    @property
    def splits(self) -> tuple[str, ...]:
        """Name what is drawn: every split that holds a picture, and all; a single split is all there is."""
        return (*self.groups.names, "all") if len(self.groups.names) > 1 else ("all",)


def light_size(manifests: Sequence[Manifest]) -> "Figure":
    """Draw light and size of every manifest, with axes that all share."""
    made, grid = _beside(len(manifests)) if 1 < len(manifests) <= style.BESIDE else _stacked(len(manifests))
    for column, scheme in ((0, counts.LIGHT), (2, counts.SIZE)):
        panels = [
            _panel(name, manifest, scheme) for name, manifest in zip(counts.names(manifests), manifests, strict=True)
        ]
        bins = LIGHT_BINS if column == 0 else _size_bins([p for p in panels if isinstance(p, Panel)])
        for axes, panel in zip(grid[:, column : column + 2], panels, strict=True):
            _draw_pair(axes[0], axes[1], panel, bins)
        _share_heights(grid[:, column])
    return made


def _stacked(number: int) -> tuple["Figure", NDArray[np.object_]]:
    """Lay out one row of panels a manifest: light on the left, size on the right."""
    made = style.figure(14, 0.5 + ROW_INCHES * number, TITLE)
    return made, made.subplots(number, len(SHARES), squeeze=False, width_ratios=SHARES)


def _beside(number: int) -> tuple["Figure", NDArray[np.object_]]:
    """Lay out one column of panels a manifest: light above, size below."""
    made = style.figure(WIDE_INCHES * number, 0.5 + sum(SHARES) * HIGH_INCHES, TITLE)
    return made, made.subplots(len(SHARES), number, squeeze=False, height_ratios=SHARES).T


def _panel(name: str, manifest: Manifest, scheme: str) -> Panel | str:
    found = counts.levels(manifest, scheme)
    if isinstance(found, str):
        return f"{name}\n{fill(found, 48)}"
    values = strata.sizes(manifest) if scheme == counts.SIZE else manifest.column("lightness").astype(np.float32)
    return Panel(name, values, counts.splits(manifest), found)


def _size_bins(panels: Sequence[Panel]) -> NDArray[np.float64]:
    """Reach far enough for nearly all pictures; the last bin takes the few that are larger."""
    far = max([250.0, *(float(np.percentile(panel.of("all"), 99.5)) for panel in panels)])
    return np.arange(np.ceil(far / SIZE_BIN) + 1) * SIZE_BIN


def _draw_pair(histogram: "Axes", shares: "Axes", panel: Panel | str, bins: NDArray[np.float64]) -> None:
    if isinstance(panel, str):
        style.say(histogram, panel)
        shares.set_axis_off()
        return
    _draw_histogram(histogram, panel, bins)
    _draw_shares(shares, panel)


def histogram(panel: Panel, split: str, bins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the share of a split's pictures in every bin, in percent; the last bin takes what lies beyond."""
    values = panel.of(split)
    number, _ = np.histogram(np.minimum(values, bins[-1]), bins)
    return 100 * number / max(len(values), 1)


def _draw_histogram(axes: "Axes", panel: Panel, bins: NDArray[np.float64]) -> None:
    light = panel.found.scheme.light
    for split in reversed(panel.splits):  # all lies behind, as an area; the splits are lines over it
        label = f"{split} ({len(panel.of(split)):,})"
        shares = histogram(panel, split, bins)
        axes.stairs(shares, bins, fill=split == "all", color=style.SPLITS[split], label=label, linewidth=1.4)
    for edge in panel.found.scheme.edges:
        axes.axvline(edge, color=style.BLACK, linewidth=0.8, linestyle="--")
    beyond = (panel.of("all") > bins[-1]).any()
    across = "lightness, mean of max(R, G, B)" if light else "height in pixels"
    across += f" (last bin: {bins[-2]:g} and up)" if beyond else ""
    what = "visible pictures" if light else "pictures"
    style.plain(axes, f"{panel.name}: {len(panel.of('all')):,} {what}", across, "pictures in %")
    axes.set_xlim(bins[0], 1.01 * bins[-1])
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], fontsize=style.SMALL, framealpha=0.8, edgecolor="none")


def _draw_shares(axes: "Axes", panel: Panel) -> None:
    table = counts.by_split(panel.groups, panel.found)
    width = 0.8 / len(panel.splits)
    for position, split in enumerate(panel.splits):
        shares = 100 * table[split] / max(table[split].sum(), 1)
        places = np.arange(len(shares)) + (position - (len(panel.splits) - 1) / 2) * width
        bars = axes.bar(places, shares, width, color=style.SPLITS[split], label=split)
        upright = len(panel.splits) > 3  # many narrow bars: numbers side by side would touch
        axes.bar_label(bars, fmt="%.0f", fontsize=style.SMALL, padding=1, rotation=90 if upright else 0)
    style.plain(axes, panel.found.scheme.name, "", "pictures in %")
    axes.set_xticks(range(len(panel.found.levels)), levels.labels(panel.found), fontsize=style.SMALL)
    axes.set_ylim(0, 115)


def _share_heights(column: Iterable["Axes"]) -> None:
    drawn = [axes for axes in column if axes.axison]
    top = max((axes.get_ylim()[1] for axes in drawn), default=1)
    for axes in drawn:
        axes.set_ylim(0, top)
