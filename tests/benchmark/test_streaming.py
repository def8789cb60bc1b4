"""Streaming: the same integers as a slow look at every pair, from files in any order, in little memory."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark import counting, junk, ranking, scoring, streaming
from benchmark.errors import UserError
from benchmark.junk import NOBODY, Codes, Ints
from benchmark.protocol import Junk
from benchmark.ranking import Ranking

RULES = [Junk(), Junk(same_place=False), Junk(place_pairs=((1, 2), (3, 3))), Junk(place_pairs=((2, 1),))]
WHOLE = ("starts", "ranks", "best", "rows", "junk", "seen", "identity")


def people(rng: np.random.Generator, queries: int, gallery: int, names: int = 6) -> tuple[Codes, Codes]:
    """Draw who is where; some gallery rows are nobody's, some places unknown, some images asked and searched."""
    asking = Codes(
        *(rng.integers(1, names, queries), rng.choice([NOBODY, 1, 2, 3], queries)),
        *(np.arange(queries), np.full(queries, NOBODY)),
    )
    images = queries + np.arange(gallery)
    searched = Codes(
        *(rng.choice([NOBODY, *range(2, names + 2)], gallery), rng.choice([NOBODY, 1, 2, 3], gallery)),
        *(images, np.full(gallery, NOBODY)),
    )
    same = min(3, queries, gallery)  # own copies
    searched.identity[:same], searched.image[:same] = asking.identity[:same], asking.image[:same]
    return asking, searched


def file_of(vectors: NDArray[Any], rng: np.random.Generator, path: Path) -> tuple[NDArray[Any], Ints]:
    """Write rows in any order among rows that nobody asks for, as float16; give the file as a map, and their places."""
    places = rng.permutation(len(vectors) + 9)[: len(vectors)]
    rows = rng.integers(-9, 9, (len(vectors) + 9, vectors.shape[1])).astype(np.float16)
    rows[places] = vectors
    np.save(path, rows)
    return np.load(path, mmap_mode="r"), places


def slow(scores: NDArray[Any], asking: Codes, searched: Codes, rules: Junk) -> list[dict[str, Any]]:
    """Look at every pair."""
    found = []
    for index in range(len(scores)):
        hidden, positive = (mask[0] for mask in junk.masks(asking.part(index, index + 1), searched, rules))
        mine = sorted(np.flatnonzero(positive), key=lambda row: (-scores[index, row], row))
        others = [row for row in range(scores.shape[1]) if not hidden[row] and not positive[row]]
        against = [float(scores[index, row]) for row in others]
        wanted = [float(scores[index, row]) for row in mine]
        ahead = {
            searched.identity[row] if searched.identity[row] != NOBODY else ("nobody", row)
            for row, score in zip(others, against, strict=True)
            if wanted and score >= wanted[0]
        }
        found.append(
            {
                "ranks": [sum(one >= score for one in against) + place for place, score in enumerate(wanted, 1)],
                "best": [sum(one > score for one in against) + place for place, score in enumerate(wanted, 1)],
                "rows": [int(row) for row in mine],
                "junk": int(hidden.sum()),
                "seen": int((~hidden).sum()),
                "negative": max(against, default=None),
                "identity": 1 + len(ahead) if wanted else 0,
            }
        )
    return found


def opened(made: Ranking) -> list[dict[str, Any]]:
    """Give a ranking in the form of the slow one."""
    parts = [slice(first, last) for first, last in zip(made.starts[:-1], made.starts[1:], strict=True)]
    return [
        {
            **{name: getattr(made, name)[part].tolist() for name in ("ranks", "best", "rows")},
            **{name: int(getattr(made, name)[index]) for name in ("junk", "seen", "identity")},
            "negative": None if np.isnan(made.negative[index]) else float(made.negative[index]),
        }
        for index, part in enumerate(parts)
    ]


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "TILE", 7)
    monkeypatch.setattr(streaming, "_SCATTERED", 5)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("rules", RULES)
def test_whole_numbers_with_many_ties_rank_as_a_slow_look_at_every_pair_does(
    rules: Junk, engine: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    asking, searched = people(rng, 30, 300)
    asking.identity[4] = 99  # who is not there
    query, gallery = rng.integers(-2, 3, (30, 5)), rng.integers(-2, 3, (300, 5))
    file, places = file_of(gallery, rng, tmp_path / "gallery.npy")
    features = query.astype(np.float32)
    made = streaming.rank(
        *(features, file, places, asking, searched, rules), metric="dot", identities=True, engine=engine, block=64
    )
    assert opened(made) == slow(query @ gallery.T, asking, searched, rules)
    assert (made.ranks != made.best).any()
    assert made.starts[4] == made.starts[5]
    expected = (query @ gallery.T)[np.repeat(np.arange(30), np.diff(made.starts)), made.rows]
    np.testing.assert_array_equal(made.scores, expected)


@pytest.mark.parametrize("metric", ["dot", "euclidean", "cosine"])
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_it_ranks_as_the_one_in_memory_does(metric: str, kind: type[np.floating[Any]], tmp_path: Path) -> None:
    for seed in range(99):
        rng = np.random.default_rng(seed)
        query, gallery = rng.standard_normal((9, 16)), rng.standard_normal((70, 16)).astype(kind)
        source = scoring.Vectors(query, gallery, metric)
        scores = np.empty((9, 70), np.float32)
        source.fill(np.arange(9), scores)
        if np.diff(np.sort(scores, axis=1), axis=1).min() > 1e-5:  # so that rounding decides nothing
            break
    asking, searched = people(rng, 9, 70)
    places = rng.permutation(70)
    rows = np.empty_like(gallery)
    rows[places] = gallery
    np.save(tmp_path / "gallery.npy", rows)
    expected = ranking.rank(source, asking, searched, Junk(), identities=True)
    file = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    made = streaming.rank(query, file, places, asking, searched, Junk(), metric=metric, identities=True, block=64)
    for name in WHOLE:
        np.testing.assert_array_equal(getattr(made, name), getattr(expected, name), err_msg=name)
    for name in ("scores", "negative"):
        np.testing.assert_allclose(getattr(made, name), getattr(expected, name), rtol=2e-6, atol=2e-6, err_msg=name)


@given(seed=st.integers(0, 2**32 - 1), block=st.integers(1, 400), gallery=st.integers(3, 200))
def test_neither_the_order_of_the_file_nor_the_size_of_a_block_changes_a_rank(
    seed: int, block: int, gallery: int
) -> None:
    rng = np.random.default_rng(seed)
    asking, searched = people(rng, 9, gallery)
    query, vectors = (rng.integers(-2, 3, (count, 4)).astype(np.float32) for count in (9, gallery))
    expected = streaming.rank(query, vectors, np.arange(gallery), asking, searched, Junk(), metric="dot")
    places = rng.permutation(gallery)
    rows = np.empty_like(vectors)
    rows[places] = vectors
    made = streaming.rank(query, rows, places, asking, searched, Junk(), metric="dot", block=block)
    assert opened(made) == opened(expected)


def test_an_equal_vector_of_somebody_else_is_a_tie_wherever_it_stands(tmp_path: Path) -> None:
    # Powers of two, each alone in its column: the product is exact in every order of summation.
    query = np.eye(4, dtype=np.float32)[:1]
    file, places = file_of(np.repeat(np.eye(4)[:1], 200, axis=0), np.random.default_rng(0), tmp_path / "gallery.npy")
    nobody = np.full(200, NOBODY)
    searched = Codes(np.where(np.arange(200) == 120, 1, 2), nobody, np.arange(1, 201), nobody)
    asking = Codes(np.array([1]), nobody[:1], np.array([0]), nobody[:1])
    made = streaming.rank(query, file, places, asking, searched, Junk(), block=64, identities=True)
    assert (made.ranks.tolist(), made.best.tolist(), made.identity.tolist()) == ([200], [1], [2])


class Uneven(scoring.Vectors):
    """Scores that are rounded by where a row stands in its block, as some matrix products do."""

    def fill(self, rows: Ints, out: NDArray[np.float32]) -> None:
        super().fill(rows, out)
        out[:, 1::2] = np.nextafter(out[:, 1::2], np.float32(9))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("wide", [1, 3, 16])
def test_equal_vectors_tie_even_where_a_product_rounds_by_the_place_of_a_row(
    wide: int, kind: type[np.floating[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    asking, searched = people(rng, 20, 300)
    some = np.sort(rng.integers(1, 99, (5, wide)), axis=0)  # all gallery rows are one of five vectors
    query, gallery = np.ones((20, wide)), some[rng.integers(0, 5, 300)].astype(kind)
    places = rng.permutation(300)
    rows = np.empty_like(gallery)
    rows[places] = gallery
    inputs = (query, rows, places, asking, searched, Junk())
    expected = streaming.rank(*inputs, metric="dot", identities=True)
    monkeypatch.setattr(streaming, "Vectors", Uneven)
    made = streaming.rank(*inputs, metric="dot", identities=True, block=64)
    for name in ("ranks", "best", "identity"):
        np.testing.assert_array_equal(getattr(made, name), getattr(expected, name), err_msg=name)


def test_places_need_not_be_all_rows_and_may_name_one_twice() -> None:
    query, rows = np.array([[1.0]]), np.array([[5.0], [7.0], [6.0]])
    nobody = np.full(3, NOBODY)
    searched = Codes(np.array([1, 2, 2]), nobody, np.array([1, 2, 3]), nobody)
    asking = Codes(np.array([1]), nobody[:1], np.array([0]), nobody[:1])
    made = streaming.rank(query, rows, np.array([0, 2, 2]), asking, searched, Junk(), metric="dot")
    assert (made.ranks.tolist(), made.seen.tolist(), made.negative.tolist()) == ([3], [3], [6.0])


def test_a_query_without_negatives_has_no_best_one() -> None:
    nobody = np.full(3, NOBODY)
    searched = Codes(np.array([1, 1, 1]), nobody, np.array([1, 2, 3]), nobody)
    asking = Codes(np.array([1]), nobody[:1], np.array([0]), nobody[:1])
    made = streaming.rank(np.eye(3)[:1], np.eye(3), np.array([2, 0, 1]), asking, searched, Junk(), identities=True)
    assert (made.ranks.tolist(), made.rows.tolist(), made.identity.tolist()) == ([1, 2, 3], [1, 0, 2], [1])
    assert np.isnan(made.negative).all()


def test_broken_rows_are_counted_in_the_whole_file_and_named_by_their_place(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    asking, searched = people(rng, 10, 200)
    vectors = rng.integers(1, 9, (200, 4)).astype(np.float16)
    vectors[150], vectors[170, 2], vectors[3, 1] = 0, np.inf, np.nan
    np.save(tmp_path / "gallery.npy", np.concatenate([np.zeros((50, 4), np.float16), vectors[::-1]]))
    file, query = np.load(tmp_path / "gallery.npy", mmap_mode="r"), np.ones((10, 4))
    inputs = (file, np.arange(249, 49, -1), asking, searched, Junk())
    with pytest.raises(UserError, match=r"0 of 10 query rows and 3 of 200 gallery rows are not finite or have no len"):
        streaming.rank(query, *inputs, block=64)
    with pytest.raises(UserError, match="2 of 200 gallery rows are not finite, the first is row 79 of the file"):
        streaming.rank(query, *inputs, block=64, metric="dot")
    query[4, 0] = np.nan
    with pytest.raises(UserError, match=r"1 of 10 query rows and 3 of 200 .* the first is query row 4"):
        streaming.rank(query, *inputs, block=64)


def test_what_does_not_fit_together_is_refused() -> None:
    asking, searched = people(np.random.default_rng(1), 3, 5)
    query, rows, places = np.ones((3, 4)), np.ones((6, 4)), np.arange(5)
    refused: list[tuple[str, tuple[NDArray[Any], NDArray[Any], Ints, Codes, Codes]]] = [
        ("equally long", (query, rows[:, 1:], places, asking, searched)),
        ("3 query rows and 4 places for lists of 3 x 5", (query, rows, places[1:], asking, searched)),
        ("there is no row 6 in a file of 6 rows", (query, rows, places + 2, asking, searched)),
        ("no row of the file is in the gallery", (query, rows, places[:0], asking, searched.part(0, 0))),
    ]
    for words, arguments in refused:
        with pytest.raises(UserError, match=words):
            streaming.rank(*arguments, Junk())
    with pytest.raises(UserError, match="unknown 'hamming'"):
        streaming.rank(query, rows, places, asking, searched, Junk(), metric="hamming")


def test_ranks_among_identities_are_refused_where_their_bits_need_more_than_is_allowed() -> None:
    asking, searched = people(np.random.default_rng(1), 30, 100)
    query, rows = np.ones((30, 4)), np.ones((100, 4))
    with pytest.raises(UserError, match="30 queries x 6 identities is more than the 29 bytes allowed"):
        streaming.rank(query, rows, np.arange(100), asking, searched, Junk(), identities=True, memory=29)
    assert streaming.rank(query, rows, np.arange(100), asking, searched, Junk(), identities=True, memory=30)


def test_the_gallery_never_stands_in_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    count, wide = 20_000, 256
    asking, searched = people(rng, 5, count, names=4000)
    np.save(tmp_path / "gallery.npy", rng.integers(-9, 9, (count, wide)).astype(np.float16))
    file = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    counting.kernels()  # compiles
    tracemalloc.start()
    streaming.rank(np.ones((5, wide)), file, rng.permutation(count), asking, searched, Junk(), block=512)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < count * wide * 4 / 3


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the system does not say what is mapped")
def test_what_was_read_of_the_file_is_let_go(tmp_path: Path) -> None:
    np.save(tmp_path / "gallery.npy", np.ones((6000, 64), np.float32))
    file = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    asking, searched = people(np.random.default_rng(1), 5, 6000)
    for places in (np.arange(6000), np.random.default_rng(0).permutation(6000)):
        assert file.sum() == file.size  # so all of it is here
        assert resident(tmp_path / "gallery.npy") > 1000
        streaming.rank(np.ones((5, 64)), file, places, asking, searched, Junk(), metric="dot")
        assert resident(tmp_path / "gallery.npy") < 1000


def resident(path: Path) -> int:
    """Say how many kB of a mapped file are in memory."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    first = next(place for place, line in enumerate(lines) if line.endswith(path.name))
    return next(int(line.split()[1]) for line in lines[first:] if line.startswith("Rss:"))


def test_a_private_map_keeps_what_was_written_into_it(tmp_path: Path) -> None:
    np.save(tmp_path / "gallery.npy", np.zeros((6000, 4), np.float32))
    rows = np.load(tmp_path / "gallery.npy", mmap_mode="c")
    rows[:] = np.arange(24000).reshape(6000, 4)
    asking, searched = people(np.random.default_rng(1), 5, 6000)
    streaming.rank(np.ones((5, 4)), rows, np.arange(6000), asking, searched, Junk())
    assert rows[-1].tolist() == [23996, 23997, 23998, 23999]
