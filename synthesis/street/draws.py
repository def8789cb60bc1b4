"""Random numbers of one scope by name, and sequences that spread evenly over a population."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmark import keyed

Choice = TypeVar("Choice", bound=str)

# Multiples of an irrational number modulo 1 spread more evenly than chance; the golden ratio's do so best (Kronecker,
# Weyl). Every population-wide draw has a step of its own, so that two of them are spread jointly, too.
GOLDEN, ROOT_2, ROOT_3, ROOT_7, ROOT_11 = (math.sqrt(5) - 1) / 2, *(math.sqrt(n) % 1 for n in (2, 3, 7, 11))


@dataclass(frozen=True)
class Draws:
    """The random numbers of one scope: a name always means the same number."""

    seed: int
    key: np.uint64

    @classmethod
    def of(cls, seed: int, *scope: object) -> "Draws":
        """Open a scope, such as ("demo", "identity", 7)."""
        return cls(seed, keyed.key("\n".join(["street", *map(str, scope)])))

    def between(self, name: str, low: float = 0.0, high: float = 1.0) -> float:
        """Draw a number, all alike likely."""
        return low + (high - low) * float(keyed.uniform(self.seed, self.key, name))

    def about(self, name: str, low: float, high: float) -> float:
        """Draw a number that lies rather in the middle of two bounds."""
        return 0.5 * (self.between(name, low, high) + self.between(f"{name} again", low, high))

    def chance(self, name: str, share: float) -> bool:
        """Draw yes with a probability."""
        return self.between(name) < share

    def pick(self, name: str, odds: Mapping[Choice, float]) -> Choice:
        """Draw a word by its odds."""
        words, bounds = list(odds), np.cumsum(list(odds.values()))
        place = int(np.searchsorted(bounds, self.between(name) * bounds[-1], side="right"))
        return words[min(place, len(words) - 1)]


def size_eighth(seed: int, space: str, camid: int) -> int:
    """Say in which eighth of the sizes a camera sees people: any eight in a row are in eight different ones."""
    # 5/8 is the golden ratio of eighths: the first few cameras are spread, too, and both parities get all sizes.
    return (5 * (camid - 1) + int(8 * Draws.of(seed, space, "cameras").between("size"))) % 8


def spread(seed: int, scope: tuple[object, ...], name: str, numbers: ArrayLike, step: float) -> NDArray[np.float64]:
    """Give numbered things values in [0, 1) whose share below any bound is close to that bound."""
    values: NDArray[np.float64] = (Draws.of(seed, *scope).between(name) + np.asarray(numbers) * step) % 1.0
    return values
