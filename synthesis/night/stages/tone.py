"""The tone curve, and the last of the exposure: digital gain makes good what smear and codec will take.

The lightness of the picture as it stands is known exactly from a histogram. What comes after, from denoising to the
JPEG, flattens noise and so lowers a maximum of three channels; a few bands of the picture go through all that first, as
a photographer develops a strip before the print, and show by how much.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import images
from benchmark.compiled import compiled
from benchmark.config import Strict
from benchmark.images import Picture
from synthesis.night.block import Block, Plan
from synthesis.night.columns import Columns
from synthesis.night.curve import CURVE, LEAST, MOST, PARTS, shown

BAND, SMALL = 8, 2048  # rows of a band of the strip; up to so many pixels all of a picture is its strip
COLUMNS = {
    "strip": "whether a strip is developed first",
    "ev": "solved: log2 of the light that is left of the day's, gain times digital",
}


class Config(Strict):
    """How closely the exposure is corrected."""

    strip: bool = True
    """Develop a strip first, and make good what denoising and codec take from the lightness."""


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Draw nothing; say whether there is a strip."""
    return {"strip": np.full(len(columns), columns.config.strip)}


def apply(block: Block, plan: Plan) -> None:
    """Turn codes into pictures, by the digital gain that is found here or was before."""
    assert block.codes is not None
    count = len(block)
    digital = np.asarray(plan.get("digital", block.solved.get("digital", np.ones(count))), np.float32)
    if "digital" not in plan and "target" in plan:
        digital = _solved(block, plan, digital)
    block.solved["digital"] = digital
    # The light that is left of the day's, in stops: the lamps' light has mean 1.
    block.solved["ev"] = np.log2(digital * block.solved.get("gain", np.ones(count, np.float32)))
    block.pictures = _developed(block.codes, digital)


def _solved(block: Block, plan: Plan, digital: NDArray[np.float32]) -> NDArray[np.float32]:
    codes = block.codes
    assert codes is not None
    wanted = np.where(plan["corrected"], plan["target"], np.nan).astype(np.float32)
    counts = [_histogram(planes, _BINS[_levels(codes)]) for planes in codes]
    light = _LIGHT[256]
    first = _matched(counts, wanted, digital, light)
    if not plan["strip"][0] or np.isnan(wanted).all():
        return first
    return _matched(counts, wanted / _taken(block, plan, first), first, light)


def _matched(
    counts: list[NDArray[np.int64]],
    wanted: NDArray[np.float32],
    digital: NDArray[np.float32],
    light: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Find the digital gains under which pictures with these histograms have these lightnesses; NaN asks for none."""
    found = digital.copy()
    for row, count in enumerate(counts):
        if not np.isnan(wanted[row]):
            found[row] = _match(count, wanted[row], light, CURVE)
    return found


def _taken(block: Block, plan: Plan, digital: NDArray[np.float32]) -> NDArray[np.float32]:
    """Say what the stages after this one leave of the lightness, by a strip of every picture."""
    assert block.codes is not None
    height = block.codes.shape[2]
    rows = bands(height, block.codes.shape[3])
    strips = _developed(np.ascontiguousarray(block.codes[:, :, rows]), digital)
    before = np.array([mean_of_brightest(strip) for strip in strips], np.float32)
    shorter = dict(plan)
    if "shifted" in plan:  # where blocks lie takes no more or less, and the second encoding next to nothing
        shorter["shifted"] = np.zeros(len(block), bool)
    if "stored_height" in plan:
        shorter["stored_height"] = np.maximum(plan["stored_height"] * len(rows) // height, 1)
    sample = Block(strips)
    for stage in block.later:
        if getattr(stage, "LOCAL", False):
            stage.apply(sample, shorter)
    after = [images.decode(data) for data in sample.files] if sample.files else sample.pictures
    left = np.array([mean_of_brightest(picture) for picture in after], np.float32)
    return np.clip(left / np.maximum(before, 0.5), 0.25, 2)


def bands(height: int, width: int) -> NDArray[np.int64]:
    """Choose the strip's rows: an eighth of the picture in two bands or more, on the borders of a codec's blocks."""
    count = max(height // (8 * BAND), 2)
    if height * width <= SMALL or height < 2 * BAND * count:
        return np.arange(height)
    starts = ((2 * np.arange(count) + 1) * height // (2 * count) - BAND // 2) // BAND * BAND
    return np.asarray((starts[:, None] + np.arange(BAND)).ravel(), np.int64)


def _levels(codes: NDArray[Any]) -> int:
    return 256 if codes.dtype == np.uint8 else 4096


def _light(levels: int) -> NDArray[np.float32]:
    """Give the light that each code stands for."""
    share = np.arange(levels) / (levels - 1)
    return np.asarray(share**2 if levels == 256 else share, np.float32)


_LIGHT = {levels: _light(levels) for levels in (256, 4096)}
# Of 256 bins, even in the root of the light, the one that a code falls into.
_BINS = {levels: np.round(255 * np.sqrt(light)).astype(np.uint8) for levels, light in _LIGHT.items()}


def _developed(codes: NDArray[Any], digital: NDArray[np.float32]) -> list[Picture]:
    light = _LIGHT[_levels(codes)]
    pictures = []
    for planes, gain in zip(codes, digital, strict=True):
        picture = np.empty((*planes.shape[1:], 3), np.uint8)
        _look_up(planes, _table(light, gain, CURVE), picture)
        pictures.append(picture)
    return pictures


@compiled
def _table(light, digital, curve):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    table = np.empty(len(light), np.uint8)
    for code in range(len(light)):
        table[code] = np.uint8((shown(light[code], digital, curve) + PARTS // 2) // PARTS)
    return table


@compiled
def _look_up(planes, table, picture):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    _, height, width = planes.shape
    for y in range(height):
        red, green, blue, pixels = planes[0, y], planes[1, y], planes[2, y], picture[y].reshape(-1)
        for x in range(width):
            pixels[3 * x] = table[red[x]]
            pixels[3 * x + 1] = table[green[x]]
            pixels[3 * x + 2] = table[blue[x]]


@compiled
def _histogram(planes, bins):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count the brightest of every pixel's three codes; the curve rises, so it is the brightest after it, too."""
    _, height, width = planes.shape
    # Four histograms in turn: in a dark picture neighbours hit one bin, and would wait for each other.
    counts, brightest = np.zeros((4, 256), np.int64), np.empty(width, planes.dtype)
    for y in range(height):
        red, green, blue = planes[0, y], planes[1, y], planes[2, y]
        for x in range(width):
            brightest[x] = max(red[x], max(green[x], blue[x]))
        for x in range(width):
            counts[x & 3, bins[brightest[x]]] += 1
    return counts.sum(axis=0)


@compiled
def _match(counts, wanted, light, curve):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Bisect the logarithm of the digital gain."""
    low, high = np.float32(np.log(LEAST)), np.float32(np.log(MOST))
    target = np.float64(wanted) * PARTS * counts.sum()
    for _ in range(14):
        middle = (low + high) / np.float32(2)
        digital, total = np.exp(middle), 0
        for code in range(len(light)):
            total += counts[code] * shown(light[code], digital, curve)
        if total < target:
            low = middle
        else:
            high = middle
    return np.exp((low + high) / np.float32(2))


@compiled
def mean_of_brightest(picture):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Measure `images.lightness`, and nothing else."""
    height, width, _ = picture.shape
    total = 0
    for y in range(height):
        pixels, line = picture[y].reshape(-1), np.uint32(0)
        for x in range(width):
            line += np.uint32(max(pixels[3 * x], max(pixels[3 * x + 1], pixels[3 * x + 2])))
        total += int(line)
    return total / (height * width)
