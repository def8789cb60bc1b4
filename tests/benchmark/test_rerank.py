"""Re-ranking: the numbers of an obvious dense twin and of a case by hand, in little memory."""

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import ranking, rerank
from benchmark.errors import UserError
from benchmark.junk import NOBODY, Codes
from benchmark.protocol import Junk
from benchmark.rerank import Options, Reranked

Doubles = NDArray[np.float64]


def dense(apart: Doubles, queries: int, options: Options) -> Doubles:
    """Re-rank from a table of all squared distances, image by image, with sets."""
    count = len(apart)
    share = apart / apart.max(axis=1, keepdims=True)
    order = [sorted(range(count), key=lambda other: (other != one, apart[one, other], other)) for one in range(count)]

    def mutual(one: int, most: int) -> set[int]:
        return {other for other in order[one][: most + 1] if one in order[other][: most + 1]}

    weights = np.zeros((count, count))
    for one in range(count):
        core = mutual(one, options.k1)
        names = set(core)
        for other in core:
            theirs = mutual(other, round(options.k1 / 2))
            if len(theirs & core) * 3 > 2 * len(theirs):
                names |= theirs
        total = sum(math.exp(-share[one, name]) for name in names)
        for name in names:
            weights[one, name] = math.exp(-share[one, name]) / total
    weights = np.array([weights[order[one][: options.k2]].mean(axis=0) for one in range(count)])
    found = np.empty((queries, count - queries))
    for one in range(queries):
        for place, other in enumerate(range(queries, count)):
            least, most = (limit(weights[one], weights[other]).sum() for limit in (np.minimum, np.maximum))
            found[one, place] = (1 - options.weight) * (1 - least / most) + options.weight * share[one, other]
    return found


def squared(points: NDArray[Any]) -> Doubles:
    return np.asarray(((points[:, None].astype(float) - points[None]) ** 2).sum(axis=2))


def made(source: Reranked) -> NDArray[np.float32]:
    scores = np.empty((source.queries, source.gallery), np.float32)
    source.fill(np.arange(source.queries), scores)
    return source.distances(scores, np.arange(source.queries))


@pytest.mark.parametrize(
    "options", [Options(), Options(7, 1, 0.5), Options(4, 3, 0), Options(200, 90), Options(1, 1, 1)]
)
@pytest.mark.parametrize("seed", range(3))
def test_it_gives_the_numbers_of_the_dense_twin(options: Options, seed: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((9, 12))
    query, gallery = (centres[rng.integers(0, 9, count)] + 0.4 * rng.standard_normal((count, 12)) for count in (15, 70))
    points = np.concatenate([query, gallery])
    # A millionth is what single precision leaves of distances of about one.
    np.testing.assert_allclose(
        made(Reranked(query, gallery, "euclidean", options)), dense(squared(points), 15, options), atol=2e-6
    )
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    np.testing.assert_allclose(
        made(Reranked(query, gallery, "cosine", options)), dense(squared(points / lengths), 15, options), atol=2e-6
    )


def test_ties_between_whole_numbers_go_to_the_earlier_image() -> None:
    rng = np.random.default_rng(4)
    query, gallery = rng.integers(0, 3, (10, 3)), rng.integers(0, 3, (60, 3))
    options = Options(6, 3)
    expected = dense(squared(np.concatenate([query, gallery])), 10, options)
    found = made(Reranked(query.astype(np.float32), gallery.astype(np.float32), "euclidean", options))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_case_by_hand() -> None:
    # On a line stand the query at 0, one image at 1 and one at 3. The closest of both the query and the first is the
    # other; the second has no mutual neighbour but itself. Squared distances are shares of the largest, 9 and 4.
    found = made(Reranked(np.array([[0.0]]), np.array([[1.0], [3.0]]), "euclidean", Options(k1=1, k2=1, weight=0.3)))
    query, image = math.exp(-1 / 9), math.exp(-1 / 4)
    shared = query / (1 + query) + image / (1 + image)
    expected = [0.7 * (1 - shared / (2 - shared)) + 0.3 / 9, 0.7 + 0.3]
    np.testing.assert_allclose(found, [expected], atol=1e-7)


def test_some_queries_in_any_order_get_the_scores_that_all_get() -> None:
    rng = np.random.default_rng(0)
    source = Reranked(rng.standard_normal((8, 6)), rng.standard_normal((40, 6)), options=Options(5, 2))
    part = np.empty((3, 40), np.float32)
    source.fill(np.array([6, 1, 3]), part)
    np.testing.assert_allclose(-part, made(source)[[6, 1, 3]], atol=1e-6)


def test_equal_images_are_all_equally_close() -> None:
    found = made(Reranked(np.ones((3, 4)), np.ones((9, 4)), options=Options(20, 6)))
    np.testing.assert_allclose(found, 0, atol=1e-6)


def test_a_copy_is_not_closer_than_close() -> None:
    points = np.random.default_rng(0).standard_normal((40, 30))
    found = made(Reranked(points, points, options=Options(5, 2, weight=1)))
    assert found.min() >= 0
    np.testing.assert_allclose(np.diag(found), 0, atol=1e-6)


def test_mutual_neighbours_lift_a_positive_that_a_stranger_beat() -> None:
    # Off its own people stands the query, with a stranger nearer than they; his own are nearer still to the stranger.
    own, other = np.array([[0.0, i / 10] for i in range(6)]), np.array([[5.0, i / 10] for i in range(6)])
    query, stranger = np.array([[2.0, 0.2]]), np.array([[3.6, 0.2]])
    gallery = np.concatenate([own, other, stranger])
    nobody = np.full(13, NOBODY)
    asking = Codes(np.array([1]), nobody[:1], np.array([0]), nobody[:1])
    searched = Codes(np.array([1] * 6 + [2] * 7), nobody, 1 + np.arange(13), nobody)
    before = Reranked(query, gallery, "euclidean", Options(6, 1, weight=1))
    after = Reranked(query, gallery, "euclidean", Options(6, 1))
    ranks = [ranking.rank(source, asking, searched, Junk()).ranks[0] for source in (before, after)]
    assert ranks == [2, 1]


def test_no_table_of_all_pairs_is_made() -> None:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((300, 16))
    points = centres[np.arange(3000) % 300] + 0.3 * rng.standard_normal((3000, 16))
    tracemalloc.start()
    Reranked(points[:300], points[300:])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3000**2 * 4 / 2


def test_the_record_says_what_was_done() -> None:
    assert Options().words() == "k-reciprocal k1=20 k2=6 weight=0.3"


def test_what_cannot_be_re_ranked_is_refused() -> None:
    query, gallery = np.ones((2, 3)), np.ones((4, 3))
    with pytest.raises(UserError, match=r"k1=0 k2=6 weight=0\.3: k1 and k2 must be 1 or more"):
        Options(k1=0)
    with pytest.raises(UserError, match="weight from 0 to 1"):
        Options(weight=1.5)
    with pytest.raises(UserError, match="cosine or euclidean; 'dot' is none"):
        Reranked(query, gallery, "dot")
    gallery[1] = np.nan
    with pytest.raises(UserError, match="1 of 4 gallery rows are not finite"):
        Reranked(query, gallery)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    query, gallery = rng.integers(-3, 4, (20, 8)).astype(float), rng.integers(-3, 4, (100, 8)).astype(float)
    expected = made(Reranked(query, gallery, "euclidean"))
    for name in ("_CHUNK", "_PAIRS"):
        monkeypatch.setattr(rerank, name, 7)
    np.testing.assert_array_equal(made(Reranked(query, gallery, "euclidean")), expected)
