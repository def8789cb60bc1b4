"""Scores of queries from the ranks of their positives: a slice of one array a query, alike in all runs of a group."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Ranks = NDArray[np.int32]

RANKS = (1, 5, 10)
SCORED = ("mAP", "mAP_trapz", "mINP", *(f"R{k}" for k in RANKS))


class Slices:
    """So many positives of each query, none without; and room to score them, which takes longer to get than to fill."""

    def __init__(self, counts: Ints) -> None:
        """Count the positives of every query from 1."""
        self.counts, self.total = counts, int(counts.sum())
        self.starts = np.cumsum(counts) - counts
        place = np.arange(1, self.total + 1) - np.repeat(self.starts, counts)
        self.place = place.astype(np.int32)
        self._exact = place.astype(np.float64)
        shares, ends = np.repeat(1 / counts, counts), np.append(self.starts, self.total)
        # One product gives the means of all slices, in a fifth of the time of a sum over each.
        self._means = sparse.csr_array((shares, np.arange(self.total), ends), (len(counts), self.total))
        self._room, self._made = np.empty((2, self.total)), np.empty((len(counts), len(SCORED)))

    def scored(self, ranks: Ranks) -> Floats:
        """Score every query (queries, SCORED); what is given is overwritten by the next call."""
        one, other = self._room
        made, first, last = self._made, ranks[self.starts], ranks[self.starts + self.counts - 1]
        np.copyto(other, ranks)
        made[:, 0] = self._means @ np.divide(self._exact, other, out=one)
        # The precision just before a positive; before one at rank 1, which comes first, it is 1.
        np.maximum(np.subtract(other, 1, out=other), 1, out=other)
        before = self._means @ np.divide(np.subtract(self._exact, 1, out=one), other, out=one)
        made[:, 1] = (made[:, 0] + before + (first == 1) / self.counts) / 2
        made[:, 2] = self.counts / last
        for column, k in enumerate(RANKS, 3):
            made[:, column] = first <= k
        return made
