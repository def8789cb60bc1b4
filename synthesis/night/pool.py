"""Noise made beforehand: numbers of unit variance with the neighbour correlation that a camera's processing leaves.

Drawing noise afresh costs six times what reading it from a pool does. A pool is blurred a little, since demosaicing and
denoising correlate neighbours; what is cut from it as a 2-D window has that correlation, too.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from benchmark import keyed

NEAR = (64, 128)  # columns: windows up to so wide are cut from `near`
SIDE = 1024  # pixels a side; larger pictures see the pool again
LINES = 65_536  # unit normals for the noise of whole lines
_QUANTILES = 65_536
_STEP = 2048  # whole numbers a standard deviation before the blur: 16 bits of it
# Gaussian of sigma .6 in 1,024ths: neighbours then correlate by .44.
_TAPS = (3, 169, 680, 169, 3)

Quantile = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Pool:
    """Frames x 3 x height x width of whole numbers; times `unit` their variance is 1."""

    values: NDArray[Any]
    unit: np.float32

    @property
    def sha256(self) -> str:
        """Hash what the pool holds."""
        return hashlib.sha256(self.values.tobytes() + self.unit.tobytes()).hexdigest()


@lru_cache(maxsize=1)
def normal() -> Pool:
    """Give the pool of the normal law, of which no number is larger than what fits into its bytes."""
    return _made("normal", ndtri, 24)


@lru_cache(maxsize=len(NEAR))
def near(wide: int) -> Pool:
    """Give the normal pool as upright strips, a frame each, twice as wide as a window and half of it shared.

    Lines of a narrow window lie a kilobyte apart in the pool itself; here they are fetched ahead.
    """
    columns = (np.arange(0, SIDE, wide)[:, None] + np.arange(2 * wide)) % SIDE
    values = normal().values[0][:, :, columns].transpose(2, 0, 1, 3)
    return Pool(np.ascontiguousarray(values), normal().unit)


@lru_cache(maxsize=4)
def tukey(shape: float) -> Pool:
    """Give a pool of Tukey's lambda law, whose tails are the heavier the smaller the shape."""
    # Twice as many standard deviations fit in; what lies beyond ten is cut.
    return _made(f"tukey {shape:.3f}", lambda share: _tukey(share, shape), 12)


def _tukey(share: NDArray[np.float64], shape: float) -> NDArray[np.float64]:
    if shape == 0:
        return np.asarray(np.log(share / (1 - share)))
    return np.asarray((share**shape - (1 - share) ** shape) / shape)


@lru_cache(maxsize=1)
def lines() -> NDArray[np.float32]:
    """Give unit normals for whole lines, which nothing correlates."""
    return (_table(ndtri)[_drawn("lines", LINES)] / np.float32(_STEP)).astype(np.float32)


def _made(name: str, quantile: Quantile, fineness: int) -> Pool:
    """Draw, blur and round a pool: in whole numbers wherever the order of a sum could matter, so alike everywhere."""
    drawn = _table(quantile)[_drawn(name, 3 * SIDE * SIDE)].reshape(3, SIDE, SIDE)
    blurred = _blurred(_blurred(drawn, 1), 2)
    centred = blurred - blurred.sum(axis=(1, 2), keepdims=True) // (SIDE * SIDE)
    fine = centred / (math.sqrt(_mean_square(centred)) / fineness)
    values = np.clip(np.rint(fine), -127, 127).astype(np.int8)
    return Pool(values[None], np.float32(1 / math.sqrt(_mean_square(values))))


def _table(quantile: Quantile) -> NDArray[np.int32]:
    """Tabulate a law's quantiles in whole steps of its standard deviation."""
    values = quantile((np.arange(_QUANTILES) + 0.5) / _QUANTILES)
    return np.rint(values / math.sqrt(math.fsum((values**2).tolist()) / _QUANTILES) * _STEP).astype(np.int32)


def _drawn(name: str, count: int) -> NDArray[np.uint16]:
    words = keyed.bits(0, np.arange(-(-count // 4), dtype=np.uint64), f"noise pool {name}")
    return words.astype("<u8").view("<u2")[:count]


def _blurred(values: NDArray[Any], axis: int) -> NDArray[np.int64]:
    """Blur along one axis and around its ends, so that a window may wrap."""
    summed = np.zeros(values.shape, np.int64)
    for shift, weight in zip(range(-2, 3), _TAPS, strict=True):
        summed += weight * np.roll(values, shift, axis).astype(np.int64)
    return summed // 1024


def _mean_square(values: NDArray[Any]) -> float:
    whole = values.astype(np.int64)
    return float(np.sum(whole * whole)) / whole.size
