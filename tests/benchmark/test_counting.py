"""Counting against a look at every score; compiled and plain loops; and what happens where numba does not run."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark import counting
from benchmark.counting import HIDDEN, PLAIN, Kernels, kernels

both = st.sampled_from(["numba", "numpy"])
# Around the ends of blocks and of vectors.
widths = st.sampled_from([1, 15, 16, 17, 511, 512, 513, 1024, 1300])
levels = st.sampled_from([1, 2, 40, 10**6])


@pytest.fixture
def fresh() -> Iterator[None]:
    """Forget what was compiled, before and after."""
    kernels.cache_clear()
    yield
    kernels.cache_clear()


def table(seed: int, width: int, level: int) -> NDArray[np.float32]:
    """Draw rows of scores of both signs, some of them hidden, and one row without any."""
    rng = np.random.default_rng(seed)
    scores = (rng.integers(-level, level + 1, (4, width)) / 8).astype(np.float32)
    scores[rng.random((4, width)) < 0.2] = HIDDEN
    scores[2] = HIDDEN
    return scores


def thresholds(seed: int, scores: NDArray[np.float32], most: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Draw thresholds for every row, the highest first, from its scores and from between them."""
    rng = np.random.default_rng(seed + 1)
    pool = np.concatenate([scores[scores > HIDDEN], scores[scores > HIDDEN] + np.float32(0.01), [0]])
    lists = [np.sort(rng.choice(pool, rng.integers(0, most + 1)))[::-1] for _ in scores]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in lists])])
    return starts, np.concatenate(lists).astype(np.float32)


def counted(
    engine: Kernels, scores: NDArray[np.float32], starts: NDArray[np.int64], wanted: NDArray[np.float32], step: int
) -> list[NDArray[Any]]:
    """Count the columns in parts."""
    least, more = np.zeros(len(wanted), np.int32), np.zeros(len(wanted), np.int32)
    highest = np.full(len(scores), HIDDEN)
    for left in range(0, scores.shape[1], step):
        part = np.ascontiguousarray(scores[:, left : left + step])
        engine.reaching(part, starts, wanted, least, more, highest)
    return [least, more, highest]


@given(both, st.integers(0, 2**32), widths, levels, st.integers(0, 9), st.sampled_from([7, 512, 10**6]))
def test_counts_are_what_a_look_at_every_score_finds(
    engine: str, seed: int, width: int, level: int, most: int, step: int
) -> None:
    scores = table(seed, width, level)
    starts, wanted = thresholds(seed, scores, most)
    least, more, highest = counted(kernels(engine), scores, starts, wanted, step)
    for row in range(len(scores)):
        for place in range(starts[row], starts[row + 1]):
            assert least[place] == (scores[row] >= wanted[place]).sum()
            assert more[place] == (scores[row] > wanted[place]).sum()
        assert highest[row] == scores[row].max()


@given(both, st.integers(0, 2**32), widths, levels, st.integers(1, 30))
def test_different_labels_are_what_a_set_holds(engine: str, seed: int, width: int, level: int, people: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = table(seed, width, level), rng.integers(0, people, width)
    wanted = np.concatenate([rng.choice(np.maximum(scores[0], -9), 3), [np.nan]]).astype(np.float32)
    found = np.full(4, 99, np.int32)
    kernels(engine).different(scores, wanted, labels, found)
    for row in range(4):
        assert found[row] == len(
            {int(label) for label, score in zip(labels, scores[row], strict=True) if score >= wanted[row]}
        )


def test_neighbours_in_single_precision_are_told_apart() -> None:
    one = np.float32(0.3)
    above, below = np.nextafter(one, np.float32(1)), np.nextafter(one, np.float32(0))
    scores = np.tile(np.array([above, one, below], np.float32), 300)[None]
    for engine in ("numba", "numpy"):
        wanted = np.array([above, one, below], np.float32)
        least, more, highest = counted(kernels(engine), scores, np.array([0, 3]), wanted, 10**6)
        assert (least.tolist(), more.tolist(), highest.tolist()) == ([300, 600, 900], [0, 300, 600], [above])


def test_numba_runs_here_and_is_what_auto_means() -> None:
    assert kernels("auto").reaching is not PLAIN.reaching
    assert kernels("numpy") is PLAIN


def test_without_numba_numpy_counts(
    fresh: None, monkeypatch: pytest.MonkeyPatch, mistake: Callable[..., AbstractContextManager[None]]
) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert kernels("auto") is PLAIN
    with mistake("engine: numba does not run here", "numba"):
        kernels("numba")


def test_a_compiler_that_fails_is_no_reason_to_stop(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    def broken(**_: object) -> Callable[[object], Callable[..., None]]:
        def compile_(_: object) -> Callable[..., None]:
            def run(*_: object) -> None:
                raise ValueError("no such instruction")

            return run

        return compile_

    monkeypatch.setattr(numba, "njit", broken)
    assert kernels("auto") is PLAIN


def test_a_folder_that_cannot_be_written_costs_the_cache_only(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    real, asked = numba.njit, []

    def without_cache(**options: Any) -> Any:  # noqa: ANN401
        asked.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(numba, "njit", without_cache)
    assert kernels("auto").reaching is not PLAIN.reaching
    assert {"nogil": True} in asked


def test_an_unknown_engine_is_a_mistake(mistake: Callable[..., AbstractContextManager[None]]) -> None:
    with mistake("engine", "'cuda'", *counting.ENGINES):
        kernels("cuda")
