"""Scores against double precision, features of every kind and size, and what is refused."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.scoring import METRICS, Distances, Source, Vectors

Mistake = Callable[..., AbstractContextManager[None]]


def vectors(count: int = 50, seed: int = 0, length: int = 33) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal((count, length))


def scores(source: Source, rows: list[int] | None = None) -> NDArray[np.float32]:
    chosen = np.array(rows if rows is not None else range(source.queries))
    out = np.full((len(chosen), source.gallery), 77, np.float32)
    source.fill(chosen, out)
    return out


def unit(rows: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(rows / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True))


def exact(metric: str, query: NDArray[np.float64], gallery: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the distances as the textbook has them."""
    if metric == "euclidean":
        return np.asarray(np.linalg.norm(query[:, None] - gallery[None], axis=2))
    if metric == "dot":
        return -query @ gallery.T
    return 1 - unit(query) @ unit(gallery).T


@pytest.mark.parametrize("metric", METRICS)
def test_distances_are_those_of_double_precision_and_scores_order_them(metric: str) -> None:
    query, gallery = vectors(7), vectors(60, seed=1)
    source = Vectors(query, gallery, metric)
    assert (source.queries, source.gallery) == (7, 60)
    found, expected = scores(source), exact(metric, query, gallery)
    assert found.dtype == np.float32
    rows = np.repeat(np.arange(7), 60)
    distances = source.distances(found.ravel(), rows)
    assert distances.dtype == np.float32
    np.testing.assert_allclose(distances.reshape(7, 60), expected, atol=1e-4 if metric == "dot" else 1e-5)
    np.testing.assert_array_equal(np.argsort(-found, axis=1, kind="stable"), np.argsort(expected, axis=1))
    np.testing.assert_array_equal(source.distances(np.full(1, np.nan, np.float32), np.zeros(1, int)), [np.nan])


@pytest.mark.parametrize("metric", METRICS)
def test_some_rows_are_those_rows(metric: str) -> None:
    source = Vectors(vectors(9), vectors(20, seed=1), metric)
    np.testing.assert_allclose(scores(source, [4, 0, 4]), scores(source)[[4, 0, 4]], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_half_precision_is_upcast_before_the_product(metric: str) -> None:
    query, gallery = vectors(6).astype(np.float16), vectors(30, seed=1).astype(np.float16)
    wide = Vectors(query.astype(np.float32), gallery.astype(np.float32), metric)
    np.testing.assert_array_equal(scores(Vectors(query, gallery, metric)), scores(wide))


@pytest.mark.parametrize("metric", METRICS)
def test_the_caller_keeps_its_features(metric: str, tmp_path: Path) -> None:
    query, gallery = vectors(6).astype(np.float32), vectors(30, seed=1).astype(np.float32)
    gallery[3] = np.nan
    np.save(tmp_path / "g.npy", gallery)
    before = query.copy()
    query.setflags(write=False)
    mapped = np.load(tmp_path / "g.npy", mmap_mode="r")
    found = scores(Vectors(query, mapped, metric, "worst"))
    np.testing.assert_array_equal(found, scores(Vectors(query, gallery, metric, "worst")))
    np.testing.assert_array_equal(query, before)
    assert np.isnan(gallery[3]).all()
    # Columns that do not lie together score the same.
    strided = np.asfortranarray(gallery)
    np.testing.assert_array_equal(found, scores(Vectors(query, strided, metric, "worst")))


def test_cosine_does_not_care_how_long_a_vector_is() -> None:
    query, gallery = vectors(4), vectors(30, seed=1)
    plain = scores(Vectors(query, gallery))
    for size in (1e-42, 1e-25, 1e25, 3e37):
        one = scores(Vectors(query.astype(np.float32), (gallery * size).astype(np.float32)))
        np.testing.assert_allclose(one, plain, atol=1e-5 if size > 1e-40 else 0.1)


def test_cosine_of_many_blocks_of_rows() -> None:
    gallery = vectors(70_000, seed=2, length=16)
    gallery[65_536] = 0
    source = Vectors(gallery[:1], gallery, nonfinite="worst")
    assert np.flatnonzero(source.bad_gallery).tolist() == [65_536]
    expected = (gallery[:1] @ gallery.T / np.linalg.norm(gallery[0]))[0, [0, 65_535, 65_537, 69_999]]
    lengths = np.linalg.norm(gallery[[0, 65_535, 65_537, 69_999]], axis=1)
    np.testing.assert_allclose(scores(source)[0, [0, 65_535, 65_537, 69_999]], expected / lengths, atol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_rows_without_a_score_are_counted(metric: str, mistake: Mistake) -> None:
    query, gallery = vectors(8), vectors(20, seed=1)
    query[[2, 5], [0, 32]] = [np.nan, np.inf]
    gallery[7, 3] = -np.inf
    with mistake("2 of 8 query rows", "1 of 20 gallery rows", "not finite", "query row 2"):
        Vectors(query, gallery, metric)
    source = Vectors(query, gallery, metric, nonfinite="worst")
    assert np.flatnonzero(source.bad_queries).tolist() == [2, 5]
    assert np.flatnonzero(source.bad_gallery).tolist() == [7]
    missing = np.zeros((8, 20), bool)
    missing[[2, 5]] = missing[:, 7] = True
    np.testing.assert_array_equal(np.isposinf(scores(source)), missing)
    np.testing.assert_array_equal(np.isposinf(scores(source, [5, 0])), missing[[5, 0]])
    kept = np.setdiff1d(np.arange(8), [2, 5])
    good = scores(Vectors(query[kept], np.delete(gallery, 7, axis=0), metric))
    np.testing.assert_allclose(np.delete(scores(source, kept.tolist()), 7, axis=1), good, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("length", [33, 512])
@pytest.mark.parametrize("queries", [1, 7, 40])
def test_equal_vectors_tie_wherever_they_stand(metric: str, length: int, queries: int) -> None:
    three = vectors(3, seed=3, length=length)
    for count in (2, 15, 100, 1501):
        who = np.random.default_rng(count).integers(0, 3, count)
        found = scores(Vectors(vectors(queries, length=length), three[who], metric))
        for one in np.unique(who):
            assert (np.ptp(found[:, who == one], axis=1) == 0).all()
        assert (np.ptp(found, axis=1) > 0).all() == (len(np.unique(who)) > 1)


@pytest.mark.parametrize("metric", METRICS)
def test_a_vector_that_is_there_twice_ties_with_itself(metric: str) -> None:
    gallery = np.concatenate([vectors(29, seed=4, length=512)] * 2)
    for queries in (1, 2, 7):
        found = scores(Vectors(vectors(queries, length=512), gallery, metric))
        np.testing.assert_array_equal(found[:, :29], found[:, 29:])


def test_a_vector_of_no_length_has_no_cosine_and_a_dot_product(mistake: Mistake) -> None:
    query, gallery = vectors(3), vectors(5, seed=1)
    gallery[4] = 0
    with mistake("0 of 3 query rows", "1 of 5 gallery rows", "have no length", "gallery row 4"):
        Vectors(query, gallery)
    for metric in ("dot", "euclidean"):
        assert not Vectors(query, gallery, metric).bad_gallery.any()


def test_double_precision_that_single_cannot_hold_is_not_finite(mistake: Mistake) -> None:
    with mistake("1 of 3 query rows", "query row 0"):
        Vectors(np.array([[1e300, 1], [1, 1], [1, 2]]), np.ones((4, 2)))


@pytest.mark.parametrize("metric", ["dot", "euclidean"])
def test_products_that_single_precision_cannot_hold_are_refused(metric: str, mistake: Mistake) -> None:
    long = np.array([[1e19, -1e19]], np.float32)
    with mistake("features", "single precision", "scale them"):
        Vectors(long, 10 * long, metric)
    assert np.isfinite(scores(Vectors(long, long / 100, metric))).all()


def test_the_sum_that_a_euclidean_score_is_must_hold_too(mistake: Mistake) -> None:
    with mistake("features", "single precision"):
        Vectors(np.array([[-0.5e19]]), np.array([[1.5e19]]), "euclidean")


def test_what_cannot_be_scored_together_is_a_mistake(mistake: Mistake) -> None:
    with mistake("features", "(3, 4)", "(5, 6)"):
        Vectors(np.ones((3, 4)), np.ones((5, 6)))
    with mistake("features", "(4,)"):
        Vectors(np.ones(4), np.ones((5, 4)))
    with mistake("metric", "'cosin'", "cosine"):
        Vectors(np.ones((3, 4)), np.ones((5, 4)), "cosin")
    with mistake("nonfinite", "'ignore'", "worst"):
        Vectors(np.ones((3, 4)), np.ones((5, 4)), nonfinite="ignore")


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_a_ready_matrix_is_its_own_distance(kind: type[np.floating]) -> None:
    matrix = np.random.default_rng(0).random((6, 9)).astype(kind)
    source = Distances(matrix)
    assert (source.queries, source.gallery) == (6, 9)
    np.testing.assert_array_equal(scores(source, [3, 1]), -matrix[[3, 1]].astype(np.float32))
    np.testing.assert_array_equal(source.distances(scores(source)[2], np.full(9, 2)), matrix[2].astype(np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_a_matrix_that_is_not_finite_is_refused(value: float, mistake: Mistake) -> None:
    matrix = np.zeros((200, 9000))
    matrix[[150, 199], [7, 8999]] = value
    with mistake("distances", "2 of 200 rows", "not finite", "row 150"):
        Distances(matrix)
    with mistake("distances", "(9,)"):
        Distances(matrix[0, :9])
