"""The colour of a lamp: a colour temperature as linear RGB."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

LOWEST, HIGHEST, STEP = 1800, 6500, 10


def formula(kelvin: ArrayLike) -> NDArray[np.float64]:
    """Fit a black body's colour (T. Helland's fit, gamma 2.2): linear RGB along the last axis, brightest channel 1."""
    t = np.asarray(kelvin, np.float64) / 100
    warm = t <= 66
    red = np.where(warm, 1, 1.293 * np.maximum(t - 60, 1) ** -0.1332)
    green = np.where(warm, 0.39008 * np.log(t) - 0.63184, 1.1299 * np.maximum(t - 60, 1) ** -0.0755)
    blue = np.where(t >= 66, 1, np.where(t <= 19, 0, 0.54321 * np.log(np.maximum(t - 10, 1)) - 1.19625))
    linear = np.clip(np.stack([red, green, blue], axis=-1), 0.02, 1) ** 2.2
    brightest: NDArray[np.float64] = linear / linear.max(axis=-1, keepdims=True)
    return brightest


# A table, so that a lamp's colour is the same number whatever the machine's logarithm does with its neighbours.
TABLE = formula(np.arange(LOWEST, HIGHEST + STEP, STEP)).astype(np.float32)


def colour(kelvin: NDArray[Any]) -> NDArray[np.float32]:
    """Look up the linear RGB of temperatures, to the nearest 10 K between 1800 and 6500."""
    place = np.floor((np.asarray(kelvin, np.float32) - np.float32(LOWEST)) / np.float32(STEP) + np.float32(0.5))
    return np.asarray(TABLE[np.clip(place, 0, len(TABLE) - 1).astype(np.int64)])
