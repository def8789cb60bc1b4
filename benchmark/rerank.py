"""Re-ranking by mutual neighbours: k-reciprocal encoding (Zhong, Zheng, Cao and Li, CVPR 2017).

Every image, query or gallery, gets weights on its mutual neighbours; weights are averaged over the closest images; and
two images are as close as their weights overlap. All of it is sparse: an image has some hundred weights, where the
published code keeps tables of all pairs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmark import progress
from benchmark.errors import UserError
from benchmark.scoring import Floats, Ints, Vectors

_CHUNK = 128  # images whose distances to all others are in memory together
_PAIRS = 2**14  # pairs whose vectors are


@dataclass(frozen=True)
class Options:
    """The three numbers of the method, as published."""

    k1: int = 20  # neighbours that may be mutual
    k2: int = 6  # closest images, the image itself among them, whose weights are averaged
    weight: float = 0.3  # of the plain distance; the rest is for the overlap

    def __post_init__(self) -> None:
        if self.k1 < 1 or self.k2 < 1 or not 0 <= self.weight <= 1:
            raise UserError(f"{self.words()}: k1 and k2 must be 1 or more, weight from 0 to 1")

    def words(self) -> str:
        """Say what was done, for the record of a run."""
        return f"k-reciprocal k1={self.k1} k2={self.k2} weight={self.weight:g}"


class Reranked:
    """Scores that are minus the re-ranked distance, made for some queries when they are asked for.

    Ties between neighbours go to the earlier image, queries before gallery; an image is its own first neighbour.
    """

    def __init__(
        self, query: NDArray[Any], gallery: NDArray[Any], metric: str = "cosine", options: Options | None = None
    ) -> None:
        """Find who is whose neighbour; junk rules play no part, so that a query's own copy is one."""
        if metric not in ("cosine", "euclidean"):
            raise UserError(f"re-ranking: needs a distance, cosine or euclidean; {metric!r} is none")
        Vectors(query, gallery, metric)  # refuses what cannot be compared
        self.options = options or Options()
        self.queries, self.gallery = len(query), len(gallery)
        self._points = _Points(query, gallery, metric)
        order, self._farthest = self._points.neighbours(max(self.options.k1 + 1, self.options.k2))
        weights = self._weights(order)
        self._asking, self._searched = weights[: self.queries], weights[self.queries :].tocsc()

    def fill(self, rows: Ints, out: Floats) -> None:
        """Write the scores of some queries, (rows, gallery)."""
        self._points.squared(rows, slice(self.queries, None), out)
        out /= self._farthest[rows, None]
        out *= -self.options.weight
        for row, line in zip(rows, out, strict=True):
            overlap = self._overlap(row)
            # Weights sum to 1, so what two images have together is 2 less what they share.
            line -= (1 - self.options.weight) * (1 - overlap / (2 - overlap))

    def distances(self, scores: Floats, rows: Ints) -> Floats:
        """Give the re-ranked distances."""
        return np.asarray(-scores)

    def _weights(self, order: Ints) -> sparse.csr_array:
        """Give every image its weights on all images."""
        mutual = _mutual(order[:, : self.options.k1 + 1])
        # Half of k1, rounded to even as the published code rounds it.
        names = _grown(mutual, _mutual(order[:, : round(self.options.k1 / 2) + 1])).tocoo()
        weights = np.exp(-self._points.between(names.row, names.col) / self._farthest[names.row])
        weights /= np.bincount(names.row, weights)[names.row]
        table = sparse.csr_array((weights.astype(np.float32), (names.row, names.col)), shape=names.shape)
        closest = _pattern(order[:, : self.options.k2], np.float32)
        return closest @ table / np.float32(closest[[0]].nnz)

    def _overlap(self, row: int) -> NDArray[np.float64]:
        """Add up what a query's weights and every gallery image's share, through the columns of the query's weights."""
        mine = slice(self._asking.indptr[row], self._asking.indptr[row + 1])
        columns, weights = self._asking.indices[mine], self._asking.data[mine]
        first = self._searched.indptr[columns]
        counts = self._searched.indptr[columns + 1] - first
        items = np.arange(counts.sum()) + np.repeat(first - np.cumsum(counts) + counts, counts)
        shared = np.minimum(self._searched.data[items], np.repeat(weights, counts))
        return np.asarray(np.bincount(self._searched.indices[items], shared, minlength=self.gallery), np.float64)


class _Points:
    """All images, queries first, and the squared distances between them."""

    def __init__(self, query: NDArray[Any], gallery: NDArray[Any], metric: str) -> None:
        self.vectors = np.concatenate([query, gallery], dtype=np.float32)
        if metric == "cosine":
            lengths = np.sqrt(np.einsum("ij,ij->i", self.vectors, self.vectors, dtype=np.float64))
            np.divide(self.vectors, lengths[:, None], out=self.vectors, casting="same_kind")
        self.squares = np.einsum("ij,ij->i", self.vectors, self.vectors)

    def squared(self, rows: Ints, columns: slice, out: Floats) -> None:
        """Write the squared distances from some images to others."""
        np.matmul(-2 * self.vectors[rows], self.vectors[columns].T, out=out)
        out += self.squares[rows, None]
        out += self.squares[columns]
        np.maximum(out, 0, out=out)

    def between(self, ones: Ints, others: Ints) -> NDArray[np.float64]:
        """Give the squared distances of pairs."""
        found = np.empty(len(ones))
        for start in range(0, len(ones), _PAIRS):
            part = slice(start, start + _PAIRS)
            apart = self.vectors[ones[part]] - self.vectors[others[part]]
            found[part] = np.einsum("ij,ij->i", apart, apart)
        return found

    def neighbours(self, count: int) -> tuple[Ints, Floats]:
        """Give the closest images of every image, itself first, and the squared distance of the farthest."""
        total = len(self.vectors)
        order, farthest = np.empty((total, min(count, total)), np.int64), np.empty(total, np.float32)
        buffer = np.empty((_CHUNK, total), np.float32)
        for start in progress.track(range(0, total, _CHUNK), "re-ranking, neighbours"):
            rows = np.arange(start, min(start + _CHUNK, total))
            squared = buffer[: len(rows)]
            self.squared(rows, slice(None), squared)
            farthest[rows] = squared.max(axis=1)
            squared[rows - start, rows] = -1
            order[rows] = _smallest(squared, order.shape[1])
        farthest[farthest == 0] = 1  # all images are the same
        return order, farthest


def _smallest(table: Floats, count: int) -> Ints:
    """Find the columns of the smallest numbers of every row, in order; equal ones by column."""
    found = np.empty((len(table), count), np.int64)
    cuts = np.partition(table, count - 1, axis=1)[:, count - 1]
    for line, cut, out in zip(table, cuts, found, strict=True):
        near = np.flatnonzero(line <= cut)
        out[:] = near[np.argsort(line[near], kind="stable")][:count]
    return found


def _pattern(columns: Ints, kind: type[np.generic]) -> sparse.csr_array:
    """Make a square table of ones from the columns of every row."""
    total, count = columns.shape
    starts = np.arange(total + 1) * count
    return sparse.csr_array((np.ones(columns.size, kind), columns.ravel(), starts), shape=(total, total))


def _mutual(order: Ints) -> sparse.csr_array:
    """Keep the neighbours that have the image among theirs."""
    near = _pattern(order, np.int32)
    return near.multiply(near.T).tocsr()


def _grown(mutual: sparse.csr_array, closer: sparse.csr_array) -> sparse.csr_array:
    """Add the closer neighbours of every neighbour, where more than two thirds of them are neighbours already."""
    shared = (mutual @ closer).multiply(mutual).tocoo()  # being mutual, both are their own transposes
    kept = 3 * shared.data > 2 * closer.sum(axis=1)[shared.col]
    helpers = sparse.csr_array((shared.data[kept], (shared.row[kept], shared.col[kept])), shape=shared.shape)
    return mutual + helpers @ closer
