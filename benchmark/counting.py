"""Count what scores at least as much, and more, than each of some thresholds: the inner loop of ranking.

Two engines give the same integers: compiled loops that compare and count, and plain numpy for where numba does not run.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from benchmark.errors import UserError

ENGINES = ("auto", "numba", "numpy")
HIDDEN = np.float32(-np.inf)  # the score of a row that does not count: below every threshold

_BLOCK = 512  # scores that are compared with all thresholds while they are in the nearest cache


class Kernels(NamedTuple):
    """The functions of one engine; all arrays are contiguous and of these types."""

    # (scores f4 (rows, width), starts i8 (rows + 1), thresholds f4, least i4, more i4, highest f4 (rows)). The finite
    # thresholds of row i stand from starts[i] to starts[i + 1], the highest first. Scores that are >= are added to
    # `least`, those that are > to `more`; `highest` is raised to the highest score. So a row may come in parts.
    reaching: Callable[..., None]
    # (scores f4 (rows, width), thresholds f4 (rows), labels i8 (width), found i4 (rows)): the number of different
    # labels among the scores that are >= the row's threshold; none where it is NaN.
    different: Callable[..., None]


@lru_cache
def kernels(engine: str = "auto") -> Kernels:
    """Give the functions of an engine; "auto" is numba where it runs, else numpy."""
    if engine not in ENGINES:
        raise UserError(f"engine: unknown {engine!r}: allowed: {', '.join(ENGINES)}")
    if engine == "numpy":
        return PLAIN
    try:
        return _compile()
    except Exception as error:  # whatever is wrong with a compiler, numpy gives the same integers
        if engine == "numba":
            raise UserError(f"engine: numba does not run here: {type(error).__name__}: {error}") from error
        return PLAIN


def _compile() -> Kernels:
    """Compile, and try it, so that a fault shows here and not in the middle of an evaluation."""
    import numba

    def compiled(function: Callable[..., None]) -> Any:  # noqa: ANN401
        try:
            return numba.njit(cache=True, nogil=True)(function)
        except RuntimeError:  # neither this folder nor the user's cache can be written
            return numba.njit(nogil=True)(function)

    count, different = compiled(_count), compiled(_labels)

    def count_2d(scores: Any, starts: Any, thresholds: Any, least: Any, more: Any, highest: Any) -> None:  # noqa: ANN401
        count(scores.reshape(-1), scores.shape[1], starts, thresholds, least, more, highest)

    def labels_2d(scores: Any, thresholds: Any, labels: Any, found: Any) -> None:  # noqa: ANN401
        counted = np.full(labels.max(initial=0) + 1, -1)
        different(scores.reshape(-1), scores.shape[1], thresholds, labels, counted, found)

    row, one = np.zeros((1, 1), np.float32), np.zeros(1, np.int32)
    count_2d(row, np.array([0, 1]), row[0], one, one.copy(), row[0].copy())
    labels_2d(row, row[0], np.zeros(1, np.int64), one)
    return Kernels(count_2d, labels_2d)


def _count(scores, width, starts, thresholds, least, more, highest):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    # A plain sum of comparisons over a flat array compiles to vector code if the sum has 32 bits, as a score has, and
    # the index is unsigned: a signed one might count from the end, which is looked at for every number.
    for row in range(len(highest)):
        peak = highest[row]
        for left in range(row * width, (row + 1) * width, _BLOCK):
            right = min(left + _BLOCK, (row + 1) * width)
            higher = np.int32(0)
            for place in range(left, right):
                higher = np.int32(higher + np.int32(scores[np.uint64(place)] > peak))
            if higher > 0:
                for place in range(left, right):
                    peak = max(peak, scores[np.uint64(place)])
            # The lowest threshold first: where nothing reaches one, nothing reaches those above it.
            for item in range(starts[row + 1] - 1, starts[row] - 1, -1):
                threshold, reach, beyond = thresholds[item], np.int32(0), np.int32(0)
                for place in range(left, right):
                    reach = np.int32(reach + np.int32(scores[np.uint64(place)] >= threshold))
                    beyond = np.int32(beyond + np.int32(scores[np.uint64(place)] > threshold))
                if reach == 0:
                    break
                least[item] += reach
                more[item] += beyond
        highest[row] = peak


def _labels(scores, width, thresholds, labels, counted, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(thresholds)):
        threshold, different = thresholds[row], 0
        for left in range(0, width, _BLOCK):
            right, start = min(left + _BLOCK, width), row * width
            reach = np.int32(0)
            for place in range(start + left, start + right):
                reach = np.int32(reach + np.int32(scores[np.uint64(place)] >= threshold))
            if reach == 0:
                continue
            for place in range(left, right):
                if scores[start + place] >= threshold and counted[labels[place]] != row:
                    counted[labels[place]] = row
                    different += 1
        found[row] = different


def _count_plain(scores: Any, starts: Any, thresholds: Any, least: Any, more: Any, highest: Any) -> None:  # noqa: ANN401
    for row, numbers in enumerate(scores):
        highest[row] = max(highest[row], numbers.max(initial=HIDDEN))
        mine = slice(starts[row], starts[row + 1])
        wanted = thresholds[mine]
        if not len(wanted):
            continue
        # Only what reaches the hardest positive is sorted.
        near = np.sort(numbers[numbers >= wanted[-1]])
        least[mine] += (len(near) - np.searchsorted(near, wanted, side="left")).astype(np.int32)
        more[mine] += (len(near) - np.searchsorted(near, wanted, side="right")).astype(np.int32)


def _labels_plain(scores: Any, thresholds: Any, labels: Any, found: Any) -> None:  # noqa: ANN401
    for row, numbers in enumerate(scores):
        found[row] = len(np.unique(labels[numbers >= thresholds[row]]))


PLAIN = Kernels(_count_plain, _labels_plain)
