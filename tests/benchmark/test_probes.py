"""Probes: the drawn order, and balanced light held against all choices there are."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import combinations, product

import numpy as np
import pytest

from benchmark import keyed, probes
from benchmark.probes import Candidates

Mistake = Callable[..., AbstractContextManager[None]]


def candidates(sizes: Sequence[int]) -> Candidates:
    cells = np.repeat(np.arange(len(sizes)), sizes)
    places = np.concatenate([np.arange(size) for size in sizes])
    return Candidates(np.arange(len(cells)), cells.astype(np.int64), places.astype(np.int64))


def world(seed: int) -> tuple[list[int], np.ndarray[tuple[int], np.dtype[np.int64]], int]:
    """Draw a few small cells, the levels of their pictures, and a limit."""
    draw = keyed.uniform(seed, np.arange(40, dtype=np.uint64), "world")
    sizes = [1 + int(4 * value) for value in draw[:4]]
    # Squared: the first level is common, the last is rare.
    levels = (3 * draw[4 : 4 + sum(sizes)] ** 2).astype(np.int64)
    return sizes, levels, 1 + seed % 3


def every_choice(sizes: Sequence[int], limit: int) -> list[list[int]]:
    """List all ways to take as many pictures of every cell as the limit allows."""
    starts = np.cumsum([0, *sizes[:-1]])
    cells = [
        list(combinations(range(start, start + size), min(size, limit)))
        for start, size in zip(starts, sizes, strict=True)
    ]
    return [[picture for cell in choice for picture in cell] for choice in product(*cells)]


@pytest.mark.parametrize("seed", range(40))
def test_no_choice_is_more_even_than_the_balanced_one(seed: int) -> None:
    sizes, levels, limit = world(seed)
    drawn = candidates(sizes)
    taken = probes.balanced(drawn, levels, limit, equal=False)
    occupied = np.unique(levels)

    def spread(rows: Sequence[int]) -> list[int]:
        return sorted(int((levels[rows] == level).sum()) for level in occupied)

    per_cell = np.bincount(drawn.cells[taken[drawn.rows]], minlength=len(sizes))
    assert per_cell.tolist() == [min(size, limit) for size in sizes]
    assert spread(np.flatnonzero(taken).tolist()) == max(spread(rows) for rows in every_choice(sizes, limit))


@pytest.mark.parametrize("seed", range(20))
def test_equal_probes_are_as_many_of_every_level_as_the_rarest_can_give(seed: int) -> None:
    sizes, levels, limit = world(seed)
    drawn = candidates(sizes)
    equal = probes.balanced(drawn, levels, limit, equal=True)
    numbers = np.bincount(levels[equal], minlength=3)[np.unique(levels)]
    assert len(set(numbers)) == 1
    assert (np.bincount(drawn.cells[equal], minlength=len(sizes)) <= limit).all()
    best = max(min(np.bincount(levels[rows], minlength=3)[np.unique(levels)]) for rows in every_choice(sizes, limit))
    assert numbers[0] == best


def test_pictures_without_a_level_are_no_probes(mistake: Mistake) -> None:
    drawn = candidates([3, 3])
    taken = probes.balanced(drawn, np.array([-1, 0, 1, -1, 1, -1]), 3, equal=False)
    assert np.flatnonzero(taken).tolist() == [1, 2, 4]
    with mistake("no picture of the test has a light level"):
        probes.balanced(drawn, np.full(6, -1), 3, equal=False)


def test_where_one_level_is_all_there_is_the_balanced_probes_are_the_first() -> None:
    drawn = candidates([5, 2, 4])
    one = probes.balanced(drawn, np.zeros(11, np.int64), 3, equal=False)
    assert one.tolist() == probes.first(drawn, 3, 11).tolist()
