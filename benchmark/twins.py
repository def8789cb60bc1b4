"""Rows of a file that are equal to a positive: they must tie with it, whatever a matrix product makes of them.

A product may round a pair by where its row stands, in the middle of a tile or at an edge, so that one vector in two
places scores differently in the last digit, and a tie is lost. Such rows are found by their bytes, as they stand in the
file, and are given the score of the positive.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.junk import Ints, Mask
from benchmark.scoring import Floats

_BLOCK = 8192  # rows read at a time


class Twins:
    """Rows that are equal to a positive, and the score that the query of that positive gave it."""

    def __init__(self, read: Callable[[Ints], NDArray[Any]], places: Ints, owner: Ints, scores: Floats) -> None:
        known, item = np.unique(places, return_inverse=True)
        keys, names = [np.zeros(0, np.uint64)], dict[bytes, int]()
        groups = np.empty(len(known), np.int64)
        for start in range(0, len(known), _BLOCK):
            block = read(known[start : start + _BLOCK])
            keys.append(_keys(block))
            groups[start : start + len(block)] = [names.setdefault(_digest(row), len(names)) for row in block]
        self.keys, self.names = np.unique(np.concatenate(keys)), names
        # A positive that is like no other is nobody else's negative by its own row.
        self.single = known[np.bincount(groups)[groups] == 1] if len(known) else known
        pairs = groups[item] * (int(owner.max(initial=0)) + 1) + owner
        _, first, again = np.unique(pairs, return_index=True, return_inverse=True)
        scores[:] = scores[first][again]  # a query's positives that are equal tie as well
        self.group, self.query, self.scores = groups[item][first], owner[first], scores[first]

    def find(self, block: NDArray[Any], places: Ints) -> dict[int, list[int]]:
        """Find such rows of a block: their columns, by the vector that they are."""
        near = np.flatnonzero(_among(_keys(block), self.keys))
        near = near[~_among(places[near], self.single)]
        found: dict[int, list[int]] = {}
        for column in near:
            name = self.names.get(_digest(block[column]))
            if name is not None:
                found.setdefault(name, []).append(int(column))
        return found

    def level(self, scores: Floats, tile: slice, found: dict[int, list[int]]) -> None:
        """Give them the score of the positive in one product."""
        for name, columns in found.items():
            first, last = np.searchsorted(self.group, [name, name + 1])
            query = self.query[first:last]
            inside = (query >= tile.start) & (query < tile.stop)
            scores[np.ix_(query[inside] - tile.start, columns)] = self.scores[first:last][inside, None]


def _keys(block: NDArray[Any]) -> NDArray[np.uint64]:
    """Give 8 bytes of every row, from columns that lie apart: equal rows have equal ones, unlike rows seldom."""
    count = max(8 // block.itemsize, 1)
    if block.shape[1] < count:
        return np.zeros(len(block), np.uint64)
    columns = block[:, :: block.shape[1] // count][:, :count]
    return np.asarray(np.ascontiguousarray(columns).view(np.uint64)[:, 0])


def _among(numbers: NDArray[Any], known: NDArray[Any]) -> Mask:
    """Say which numbers are among known ones, which ascend: faster than a join where few are asked about."""
    if not len(known):
        return np.zeros(len(numbers), bool)
    return np.asarray(known[np.minimum(np.searchsorted(known, numbers), len(known) - 1)] == numbers)


def _digest(row: NDArray[Any]) -> bytes:
    return hashlib.blake2b(row.tobytes(), digest_size=16).digest()
