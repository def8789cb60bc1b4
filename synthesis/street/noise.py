"""Fixed patterns of the world: a hash of whole numbers, and smooth noise made of it.

Compiled for the kernel; the plain Python below the decorator (`.py_func`) gives the same numbers.
"""

import math
from typing import Any

import numba

# Nothing that is compiled here makes an array; counting who holds one would cost more than tracing a ray.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
device = numba.njit(**OPTIONS)  # kept by the kernel that calls them, so they keep no cache
maker = numba.njit(nogil=True, error_model="numpy")  # the same for what makes arrays, once a body and not once a ray


@device
def hashed(i, j, seed):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give a number in [0, 1) for two whole numbers and a seed (a 32-bit mixer, lowbias32 by C. Wellons, 2018)."""
    word = (int(i) * 0x9E3779B1 + int(j) * 0x85EBCA77 + int(seed) * 0xC2B2AE3D) & 0xFFFFFFFF
    word = ((word ^ (word >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    word = ((word ^ (word >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return (word ^ (word >> 16)) / 4294967296.0


@device
def smooth(x, y, seed):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give smooth noise in [0, 1): hashed corners of a unit grid, joined by a cubic."""
    i, j = math.floor(x), math.floor(y)
    u, v = x - i, y - j
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    low = hashed(i, j, seed) * (1 - u) + hashed(i + 1, j, seed) * u
    high = hashed(i, j + 1, seed) * (1 - u) + hashed(i + 1, j + 1, seed) * u
    return low * (1 - v) + high * v
