"""Histograms of the colour channels and how they go together, as Fig. 7 of the Night600 paper."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import counts, keyed, stored
from benchmark.figures import style
from benchmark.images import Picture
from benchmark.manifest import Manifest
from benchmark.progress import track

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_INCHES = 3.3
CHANNELS = {"R": style.VERMILION, "G": style.GREEN, "B": style.BLUE}
STEP = 4  # values of a channel in one bin: with less, lines of few pictures are noise
STEEP = 0.2  # a bin that holds more of the pixels flattens the rest of a linear plot; 1/64 would be even


class Statistics(NamedTuple):
    """Sums over the pixels of some pictures, in whole numbers: they can be added and lose nothing."""

    pictures: int
    histogram: NDArray[np.int64]  # 3 x 256
    products: NDArray[np.int64]  # 3 x 3, sums over pixels of one channel times another

    @property
    def pixels(self) -> int:
        """Count the pixels."""
        return int(self.histogram[0].sum())

    def correlation(self) -> NDArray[np.float64]:
        """Give Pearson's correlation of every pair of channels; NaN where a channel never changes."""
        sums = [int(value) for value in self.histogram @ np.arange(256)]
        # Python's whole numbers: the products pass 64 bits, and a dark set's small variance must not drown.
        spread = [[self.pixels * int(self.products[a, b]) - sums[a] * sums[b] for b in range(3)] for a in range(3)]
        scale = [float(spread[channel][channel]) ** 0.5 or np.nan for channel in range(3)]
        return np.array([[spread[a][b] / scale[a] / scale[b] for b in range(3)] for a in range(3)])


def statistics(pictures: Iterable[Picture]) -> Statistics:
    """Add up pictures in one pass."""
    count, histogram, products = 0, np.zeros((3, 256), np.int64), np.zeros((3, 3), np.int64)
    for picture in pictures:
        pixels = picture.reshape(-1, 3)
        count += 1
        histogram += np.stack([np.bincount(pixels[:, channel], minlength=256) for channel in range(3)])
        wide = pixels.astype(np.float64)  # exact below 2^53, and a fast product
        products += (wide.T @ wide).astype(np.int64)
    return Statistics(count, histogram, products)


def sample(manifest: Manifest, limit: int, seed: int) -> list[int]:
    """Choose rows of visible pictures; a larger limit adds rows to those of a smaller one."""
    rows = np.flatnonzero(_visible(manifest))
    keys = keyed.keys(manifest.column("image_id")[rows].tolist())
    chosen = rows[keyed.order(seed, keys, "describe-channels")[:limit]]
    return [int(row) for row in sorted(chosen)]


def channels(manifests: Sequence[Manifest], limit: int, seed: int) -> "Figure":
    """Draw one row a manifest: the histogram of the channels, and their correlation."""
    made = style.figure(
        10, 0.5 + ROW_INCHES * len(manifests), "Colour channels of the stored files, visible pictures only"
    )
    grid = made.subplots(len(manifests), 2, squeeze=False, width_ratios=(2.2, 1))
    sums = [statistics(_read(manifest, sample(manifest, limit, seed))) for manifest in manifests]
    top = max((_shares(found).max() for found in sums), default=0)
    for (left, right), name, manifest, found in zip(grid, counts.names(manifests), manifests, sums, strict=True):
        if not found.pictures:
            style.say(left, f"{name}: no visible pictures")
            right.set_axis_off()
            continue
        title = f"{name}: {found.pictures:,} of {_visible(manifest).sum():,} visible pictures read"
        _draw_histogram(left, title, found, top)
        _draw_correlation(right, found)
    return made


def _visible(manifest: Manifest) -> counts.Mask:
    """Find the pictures whose channels are colours: in infrared all three are one."""
    return np.asarray(manifest.column("modality") == "visible")


def _read(manifest: Manifest, rows: Sequence[int]) -> Iterable[Picture]:
    for row in track(rows, "channels", len(rows)):
        yield stored.load(manifest, row)


def _shares(found: Statistics) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = found.histogram.reshape(3, -1, STEP).sum(axis=2) / max(found.pixels, 1)
    return shares


def _draw_histogram(axes: "Axes", title: str, found: Statistics, top: float) -> None:
    for (name, color), shares in zip(CHANNELS.items(), 100 * _shares(found), strict=True):
        axes.stairs(shares, np.arange(0, 257, STEP) - 0.5, color=color, label=name, linewidth=1.2)
    steep, across = top > STEEP, f"value of the channel, 0 to 255, {STEP} in a bin"
    style.plain(axes, title, across, "pixels in %, log scale" if steep else "pixels in %")
    if steep:
        axes.set_yscale("log")
        axes.set_ylim(1e-3, 200 * top)
    else:
        axes.set_ylim(0, 105 * top)
    axes.set_xlim(0, 255)
    axes.legend(fontsize=style.SMALL, frameon=False, ncols=3)


def _draw_correlation(axes: "Axes", found: Statistics) -> None:
    matrix = found.correlation()
    axes.imshow(np.nan_to_num(matrix), vmin=-1, vmax=1, cmap="PuOr")
    for row, column in np.ndindex(3, 3):
        value = matrix[row, column]
        text = "-" if np.isnan(value) else f"{value:.3f}"
        color = "white" if abs(value) > 0.6 else style.BLACK
        axes.text(column, row, text, ha="center", va="center", fontsize=style.NORMAL, color=color)
    style.plain(axes, "Correlation of the channels", "", "")
    axes.set_xticks(range(3), list(CHANNELS))
    axes.set_yticks(range(3), list(CHANNELS))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
