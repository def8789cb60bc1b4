"""Points spread evenly over a picture, and noise spread evenly over its distribution: few of them stand for all."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float32]


def sequence(dimensions: int, count: int) -> NDArray[np.float64]:
    """Give points of the unit cube, a row each, of the additive sequence by powers of a generalised golden ratio."""
    # The root of x^(d+1) = x + 1 plays the golden ratio's part in d dimensions (Roberts' R sequence).
    root = 2.0
    for _ in range(60):
        root = (1 + root) ** (1 / (dimensions + 1))
    steps = root ** -np.arange(1, dimensions + 1)
    points: NDArray[np.float64] = (0.5 + np.arange(count)[:, None] * steps) % 1
    return points


@lru_cache(maxsize=256)
def points(height: int, width: int, count: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Give rows and columns of evenly spread pixels."""
    spread = sequence(2, count)
    return (spread[:, 0] * height).astype(np.int32), (spread[:, 1] * width).astype(np.int32)


@lru_cache(maxsize=8)
def normals(dimensions: int, count: int) -> Floats:
    """Give standard normal numbers, a row a dimension, whose mean is 0 and whose variance is 1."""
    drawn = ndtri(np.clip(sequence(dimensions, count), 1e-6, 1 - 1e-6)).T
    drawn -= drawn.mean(axis=1, keepdims=True)
    drawn /= drawn.std(axis=1, keepdims=True)
    return np.ascontiguousarray(drawn, np.float32)
