"""The tone curve, and the last of the exposure: digital gain makes good what smear and codec will take.

The lightness of the picture as it stands is known exactly from a histogram. What comes after, from denoising to the
JPEG, flattens noise and so lowers a maximum of three channels; a few bands of the picture go through all that first, as
a photographer develops a strip before the print, and show by how much.
"""

from collections.abc import Mapping
from functools import lru_cache
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
from synthesis.night.stages import exposure

BAND, SMALL = 8, 2048  # rows of a band of the strip; up to so many pixels all of a picture is its strip
TAKES = "codes"
GIVES = "pictures"
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
    digital = np.array(plan.get("digital", block.solved.get("digital", np.ones(count))), np.float32)
    if "digital" not in plan and "target" in plan and plan["corrected"].any():
        digital = _solved(block, plan, digital)
    block.solved["digital"] = digital
    # The light that is left of the day's, in stops: the lamps' light has mean 1.
    gain = np.asarray(block.solved.get("gain", np.ones(count)), np.float32)
    block.solved["ev"] = np.where(exposure.is_solved(gain, plan), np.log2(digital * gain), np.nan).astype(np.float32)
    block.pictures = _developed(block.codes, digital)


def _solved(block: Block, plan: Plan, digital: NDArray[np.float32]) -> NDArray[np.float32]:
    """Find the digital gains; pictures that ask for no correction keep theirs."""
    codes = block.codes
    assert codes is not None
    wanted = np.where(plan["corrected"], plan["target"], np.nan).astype(np.float32)
    counts = _histograms(codes, _BINS[_levels(codes)])
    first = _matched(counts, wanted, digital, _LIGHT[256], CURVE)
    if not plan["strip"][0]:
        return np.asarray(first, np.float32)
    left = _left(block, plan, first)
    return np.asarray(_matched(counts, wanted / left, first, _LIGHT[256], CURVE), np.float32)


def _left(block: Block, plan: Plan, digital: NDArray[np.float32]) -> NDArray[np.float32]:
    """Say what the stages after this one leave of the lightness, by a strip of every picture."""
    assert block.codes is not None
    height, width = block.codes.shape[2:]
    rows = bands(height, width)
    strips = _developed(block.codes[:, :, rows], digital)
    before = [mean_of_brightest(strip) for strip in strips]
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
    left = [mean_of_brightest(picture) / max(whole, 0.5) for picture, whole in zip(after, before, strict=True)]
    return np.array([min(max(share, 0.25), 2.0) for share in left], np.float32)


@lru_cache(maxsize=256)
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
    count, _, height, width = codes.shape
    pictures = np.empty((count, height, width, 3), np.uint8)
    _develop(codes, digital, _LIGHT[_levels(codes)], CURVE, pictures)
    return list(pictures)


@compiled
def _develop(codes, digital, light, curve, pictures):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Look every code up in its picture's table."""
    count, _, height, width = codes.shape
    table = np.empty(len(light), np.uint8)
    for i in range(count):
        for code in range(len(light)):
            table[code] = np.uint8((shown(light[code], digital[i], curve) + PARTS // 2) // PARTS)
        for y in range(height):
            red, green, blue = codes[i, 0, y], codes[i, 1, y], codes[i, 2, y]
            pixels = pictures[i, y].reshape(-1)
            for x in range(width):
                pixels[3 * x] = table[red[x]]
                pixels[3 * x + 1] = table[green[x]]
                pixels[3 * x + 2] = table[blue[x]]


@compiled
def _histograms(codes, bins):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count the brightest of every pixel's three codes; the curve rises, so it is the brightest after it, too."""
    count, _, height, width = codes.shape
    # Four histograms in turn: in a dark picture neighbours hit one bin, and would wait for each other.
    counts, brightest = np.zeros((count, 4, 256), np.int64), np.empty(width, codes.dtype)
    for i in range(count):
        for y in range(height):
            red, green, blue = codes[i, 0, y], codes[i, 1, y], codes[i, 2, y]
            for x in range(width):
                brightest[x] = max(red[x], max(green[x], blue[x]))
            for x in range(width):
                counts[i, x & 3, bins[brightest[x]]] += 1
    return counts.sum(axis=1)


@compiled
def _matched(counts, wanted, digital, light, curve):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Bisect the gain under which pictures with these histograms have these lightnesses; NaN asks for none."""
    found = digital.copy()
    for i in range(len(counts)):
        if np.isnan(wanted[i]):
            continue
        low, high = np.float32(np.log(LEAST)), np.float32(np.log(MOST))
        target = np.float64(wanted[i]) * PARTS * counts[i].sum()
        for _ in range(14):
            middle = (low + high) / np.float32(2)
            gain, total = np.exp(middle), 0
            for code in range(len(light)):
                total += counts[i, code] * shown(light[code], gain, curve)
            if total < target:
                low = middle
            else:
                high = middle
        found[i] = np.exp((low + high) / np.float32(2))
    return found


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
