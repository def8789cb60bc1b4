"""Where scores come from: a query against the whole gallery, in float32, larger is closer.

A score of plus infinity means that there is none: ranking counts it against the query, whoever is on the picture.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import UserError, nearest

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

METRICS = ("cosine", "dot", "euclidean")

NO_SCORE = np.float32(np.inf)
_BLOCK = 2**20  # numbers that are looked at together: they stay in the cache, and a temporary copy is small
_SAFE = (1e-30, 1e30)  # squared lengths that single precision holds with all its digits
_LARGEST = float(np.finfo(np.float32).max)


class Source(Protocol):
    """Anything that scores some queries against the whole gallery."""

    @property
    def queries(self) -> int:
        """Say how many queries there are."""

    @property
    def gallery(self) -> int:
        """Say how many gallery rows there are."""

    def fill(self, rows: Ints, out: Floats) -> None:
        """Write the scores of some queries, (rows, gallery)."""

    def distances(self, scores: Floats, rows: Ints) -> Floats:
        """Turn scores into what a person reads; `rows` names the query of each score."""


class Vectors:
    """Scores from one vector an image."""

    def __init__(
        self, query: NDArray[Any], gallery: NDArray[Any], metric: str = "cosine", nonfinite: str = "error"
    ) -> None:
        """Take vectors of any floating type; `nonfinite` is "error", or "worst" to rank rows without a score last."""
        _check_choice("metric", metric, METRICS)
        _check_choice("nonfinite", nonfinite, ("error", "worst"))
        if query.ndim != 2 or gallery.ndim != 2 or query.shape[1] != gallery.shape[1]:
            raise UserError(
                f"features: queries of shape {query.shape}, gallery of {gallery.shape}: must be equally long"
            )
        self.queries, self.gallery = len(query), len(gallery)
        self._metric = metric
        self._query, asked, self.bad_queries = _prepared(query, metric)
        self._gallery, self._squares, self.bad_gallery = _prepared(gallery, metric)
        self._query_squares = asked
        if nonfinite == "error":
            _refuse_bad(self.bad_queries, self.bad_gallery, metric)
        if metric != "cosine":
            _refuse_large(asked, self._squares)
        self._without = np.flatnonzero(self.bad_gallery)
        self._copies, self._originals = _repeated(self._gallery)

    def fill(self, rows: Ints, out: Floats) -> None:
        """Write the scores of some queries, (rows, gallery)."""
        if self._metric == "euclidean":
            # |q - g|^2 without |q|^2, which is the same for the whole row and orders nothing.
            np.matmul(2 * self._query[rows], self._gallery.T, out=out)
            out -= self._squares
        else:
            np.matmul(self._query[rows], self._gallery.T, out=out)
        if len(self._copies):
            # Equal vectors tie. A product rounds them by where they stand: in the middle of its tiles, or at an edge.
            out[:, self._copies] = out[:, self._originals]
        if len(self._without):
            out[:, self._without] = NO_SCORE
        if (bad := self.bad_queries[rows]).any():
            out[bad] = NO_SCORE

    def distances(self, scores: Floats, rows: Ints) -> Floats:
        """Give 1 - cosine, minus the dot product, or the Euclidean distance."""
        if self._metric == "cosine":
            return np.asarray(1 - scores)
        if self._metric == "dot":
            return np.asarray(-scores)
        return np.asarray(np.sqrt(np.maximum(self._query_squares[rows] - scores, 0)))


class Distances:
    """Scores from a ready matrix (queries x gallery) of distances: smaller is closer."""

    def __init__(self, matrix: NDArray[Any]) -> None:
        """Take a matrix of any floating type; one that holds NaN or infinity in single precision is refused."""
        if matrix.ndim != 2:
            raise UserError(f"distances: of shape {matrix.shape}, must be queries x gallery")
        self.queries, self.gallery = matrix.shape
        self._matrix = matrix
        bad = np.concatenate([~_finite(block) for _, block in _blocks(matrix)] or [np.zeros(0, bool)])
        if bad.any():
            first = int(np.argmax(bad))
            raise UserError(f"distances: {int(bad.sum())} of {len(bad)} rows are not finite, the first is row {first}")

    def fill(self, rows: Ints, out: Floats) -> None:
        """Write the scores of some queries, (rows, gallery)."""
        np.negative(self._matrix[rows], out=out, casting="same_kind")

    def distances(self, scores: Floats, rows: Ints) -> Floats:
        """Give the numbers of the matrix."""
        return np.asarray(-scores)


def _prepared(vectors: NDArray[Any], metric: str) -> tuple[Floats, Floats, Mask]:
    """Give vectors ready for the product, their squared lengths, and which rows cannot be scored, which are zero."""
    with np.errstate(over="ignore"):  # a double that no float holds becomes infinite, and is refused
        whole = np.asarray(vectors, np.float32, order="C") if metric != "cosine" else None
    ready = np.empty(vectors.shape, np.float32) if whole is None else whole
    squares, bad = np.empty(len(vectors), np.float32), np.zeros(len(vectors), bool)
    for rows, block in _blocks(vectors):
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.einsum("ij,ij->i", block, block)
        odd = np.flatnonzero(~((found > _SAFE[0]) & (found < _SAFE[1])))
        bad[rows][odd] = ~_finite(block[odd]) | ((metric == "cosine") & ~block[odd].any(axis=1))
        squares[rows] = found
        if metric == "cosine":
            _normalise(block, found, odd, ready[rows])
    if bad.any():
        ready = ready if metric == "cosine" else ready.copy()
        ready[bad], squares[bad] = 0, 0
    return ready, squares, bad


def _normalise(block: Floats, squares: Floats, odd: Ints, out: Floats) -> None:
    """Divide rows by their lengths; odd ones, very long or very short, are first brought to a size of about one."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        np.divide(block, np.sqrt(squares)[:, None], out=out)
        for row in odd:
            # By a power of two, which changes no digit.
            scaled = np.ldexp(block[row], -np.frexp(np.abs(block[row]).max())[1])
            out[row] = scaled / np.sqrt(np.dot(scaled, scaled))


def _repeated(vectors: Floats) -> tuple[Ints, Ints]:
    """Find the rows that are equal to an earlier one, and of each the first such."""
    weights = (np.arange(vectors.shape[1], dtype=np.uint32) * 2 + 1) * np.uint32(2654435769)
    marks = np.einsum("ij,j->i", vectors.view(np.uint32), weights)  # whole numbers: no rounding, whatever the order
    _, place, count = np.unique(marks, return_inverse=True, return_counts=True)
    origin, first = np.arange(len(vectors)), dict[bytes, int]()
    for row in np.flatnonzero(count[place] > 1):
        origin[row] = first.setdefault(hashlib.blake2b(vectors[row]).digest(), int(row))
    copies = np.flatnonzero(origin != np.arange(len(vectors)))
    return copies, origin[copies]


def _blocks(matrix: NDArray[Any]) -> Iterator[tuple[slice, Floats]]:
    step = max(_BLOCK // max(matrix.shape[1], 1), 1)
    for start in range(0, len(matrix), step):
        rows = slice(start, start + step)
        with np.errstate(over="ignore"):  # a double that no float holds becomes infinite, and is refused
            yield rows, np.ascontiguousarray(matrix[rows], np.float32)  # the order of a sum is that of memory


def _finite(block: Floats) -> Mask:
    return np.asarray(np.isfinite(block).all(axis=1))


def _check_choice(name: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise UserError(f"{name}: unknown {given!r}: {nearest(given, list(allowed))}")


def _refuse_bad(queries: Mask, gallery: Mask, metric: str) -> None:
    if not (queries.any() or gallery.any()):
        return
    what = "are not finite" + " or have no length" * (metric == "cosine")
    counts = [f"{int(bad.sum())} of {len(bad)} {name} rows" for name, bad in (("query", queries), ("gallery", gallery))]
    role, bad = ("query", queries) if queries.any() else ("gallery", gallery)
    raise UserError(f"features: {' and '.join(counts)} {what}, the first is {role} row {int(np.argmax(bad))}")


def _refuse_large(queries: Floats, gallery: Floats) -> None:
    """Refuse vectors whose products single precision cannot hold: infinity less infinity is no score."""
    longest, other = (float(np.sqrt(squares.max(initial=0), dtype=np.float64)) for squares in (queries, gallery))
    if not (2 * longest * other + other * other < _LARGEST):
        raise UserError("features: so long that single precision cannot hold their products; scale them, or use cosine")
