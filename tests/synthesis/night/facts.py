"""Facts of pictures for tests of the plan: so many pictures, and what a test says of them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from synthesis.night.columns import Facts

NUMBERS = ("camid", "width", "height", "x", "y", "w", "h", "timestamp", "lightness")


def facts(count: int, **numbers: ArrayLike) -> Facts:
    """Make facts of which nothing is known but what is given; a camera's number is 0."""
    known: Mapping[str, ArrayLike] = {"camid": 0.0} | numbers
    table = {name: np.broadcast_to(np.asarray(known.get(name, np.nan), np.float64), (count,)) for name in NUMBERS}
    zeros = np.zeros(count, np.int64)
    return Facts(tuple(f"set/{row:05d}" for row in range(count)), ("set",) * count, table, zeros, zeros)
