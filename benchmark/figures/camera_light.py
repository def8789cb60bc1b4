"""Which camera sees which light: a heat map of cameras and light levels for every manifest."""

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import comparison, counts, levels
from benchmark.figures import style
from benchmark.manifest import Manifest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE_INCHES = 0.28  # one camera
WIDE_INCHES = 5.5  # one of several maps side by side
AROUND_INCHES = 1.1  # title and labels of one map
MOST = 50  # cameras of one map; more would make a picture that nothing opens
TITLE = "Light of the cameras, visible pictures only. Colour: share of the camera's pictures"
COLORS = "Blues"  # one hue from light to dark: read by lightness alone, with every kind of colour vision


class Map(NamedTuple):
    """The counts of one manifest: a row a camera, a column a light level."""

    title: str
    cameras: tuple[str, ...]
    labels: tuple[str, ...]
    table: NDArray[np.int64]

    def shares(self) -> NDArray[np.float64]:
        """Give the share of every level in its camera's pictures; 0 where the camera has no visible picture."""
        found: NDArray[np.float64] = self.table / np.maximum(self.table.sum(axis=1, keepdims=True), 1)
        return found


def camera_light(manifests: Sequence[Manifest]) -> "Figure":
    """Draw one map a manifest with the counts in the cells: a few side by side, more one under the other."""
    maps = [_map(name, manifest) for name, manifest in zip(counts.names(manifests), manifests, strict=True)]
    lines = [len(one.cameras) if isinstance(one, Map) else 0 for one in maps]
    beside = 1 < len(maps) <= style.BESIDE
    made, grid = _beside(lines) if beside else _stacked(lines)
    for axes, one, number in zip(grid, maps, lines, strict=True):
        if isinstance(one, Map):
            # Side by side, a line of one map is as high as a line of the next.
            _draw(axes, one, max(lines) if beside else number)
        else:
            style.say(axes, one)
    return made


def _beside(lines: Sequence[int]) -> tuple["Figure", NDArray[np.object_]]:
    made = style.figure(WIDE_INCHES * len(lines), 0.5 + AROUND_INCHES + LINE_INCHES * max(lines), TITLE)
    return made, made.subplots(1, len(lines), squeeze=False)[0]


def _stacked(lines: Sequence[int]) -> tuple["Figure", NDArray[np.object_]]:
    heights = [AROUND_INCHES + LINE_INCHES * number for number in lines]
    made = style.figure(8, 0.5 + sum(heights), TITLE)
    return made, made.subplots(len(lines), 1, squeeze=False, height_ratios=heights)[:, 0]


def _map(name: str, manifest: Manifest) -> Map | str:
    found = counts.levels(manifest, counts.LIGHT)
    if isinstance(found, str):
        return f"{name}\n{fill(found, 80)}"
    rows = counts.by_camera(counts.cameras(manifest), found)
    table = np.stack(list(rows.values()))
    title = f"{name}: {table.sum():,} visible pictures, {found.scheme.id}"
    kept = np.sort(np.argsort(-table.sum(axis=1), kind="stable")[:MOST])
    if len(kept) < len(rows):
        title += f", the {MOST} of {len(rows)} cameras with most of them"
    return Map(title, tuple(list(rows)[place] for place in kept), levels.labels(found), table[kept])


def _draw(axes: "Axes", one: Map, lines: int) -> None:
    shares = one.shares()
    axes.imshow(shares, vmin=0, vmax=1, cmap=COLORS, aspect="auto")
    for row, column in np.ndindex(*shares.shape):
        share, number = shares[row, column], one.table[row, column]
        text = f"{number:,} ({comparison.percent(float(share))})" if number else "0"
        color = "white" if share > 0.6 else style.BLACK
        axes.text(column, row, text, ha="center", va="center", fontsize=style.SMALL, color=color)
    style.plain(axes, one.title, "", "camera")
    axes.set_ylim(lines - 0.5, -0.5)
    axes.set_xticks(range(len(one.labels)), one.labels)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(one.cameras)), [fill(name, 30) for name in one.cameras])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
