"""Metrics from ranks: against a pencil, another library, published small cases and all random orders."""

from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, ndcg_score

from benchmark import metrics
from benchmark.metrics import Ints, Policy, Scores

# Any number of queries, each with any number of ranks; those without one stand anywhere.
RANKS = st.lists(st.lists(st.integers(1, 60), unique=True, max_size=8).map(sorted), min_size=1, max_size=8)


def packed(lists: Sequence[Sequence[int]]) -> tuple[Ints, Ints]:
    """Put lists of ranks one after another, as a ranking holds them."""
    starts = np.concatenate([[0], np.cumsum([len(ranks) for ranks in lists])]).astype(np.int64)
    return starts, np.array([rank for ranks in lists for rank in ranks], dtype=np.int32)


def scored(lists: Sequence[Sequence[int]], seen: int = 60) -> Scores:
    return metrics.per_query(*packed(lists), np.full(len(lists), seen, dtype=np.int32))


def measured(distances: object, positive: object, hidden: object = False) -> Scores:
    """Rank rows of distances by counting what is as close as each positive, one pair at a time."""
    rows = np.asarray(distances, dtype=np.float64)
    wanted, junk = np.broadcast_to(positive, rows.shape), np.broadcast_to(hidden, rows.shape)  # type: ignore[call-overload]
    lists = []
    for row, mine, unseen in zip(rows, wanted, junk, strict=True):
        found, others = np.sort(row[mine & ~unseen]), row[~mine & ~unseen]
        lists.append([int((others <= one).sum()) + place for place, one in enumerate(found, 1)])
    return metrics.per_query(*packed(lists), (~junk).sum(axis=1))


def shares(first: Ints, ranks: Sequence[int]) -> list[float]:
    """Give CMC at some ranks, and see that both ways to it agree."""
    found = [metrics.mean(metrics.cmc(first, k)) for k in ranks]
    assert metrics.curve(first, max(ranks))[np.array(ranks) - 1].tolist() == pytest.approx(found)
    return found


GOLDEN = [
    ([1], 1, 1, 1),
    ([1, 2], 1, 1, 1),
    ([2], 0.5, 0.25, 0.5),
    ([2, 5], 0.45, 0.2875, 0.4),
    ([1, 3, 4], 29 / 36, 55 / 72, 0.75),
    ([3, 7, 50], 0.226349, 0.147755, 0.06),
]


def test_known_ranks_have_known_scores() -> None:
    found = scored([ranks for ranks, *_ in GOLDEN])
    for name, column in (("ap", 1), ("ap_trapz", 2), ("inp", 3)):
        assert getattr(found, name) == pytest.approx([row[column] for row in GOLDEN], abs=1e-6), name
    for ranks, discrete, trapezoid, _ in GOLDEN:
        assert metrics.average_precision(np.array(ranks)) == pytest.approx(discrete, abs=1e-6)
        assert metrics.trapezoid_precision(np.array(ranks)) == pytest.approx(trapezoid, abs=1e-6)


@given(RANKS)
def test_all_queries_at_once_equal_one_with_a_pencil(lists: list[list[int]]) -> None:
    found = scored(lists)
    for row, ranks in enumerate(lists):
        count = len(ranks)
        assert found.positives[row] == count
        assert found.negatives[row] == 60 - count
        if not ranks:
            assert found.first[row] == 0
            assert np.isnan([found.ap[row], found.ap_trapz[row], found.inp[row], found.chance[row]]).all()
            continue
        precision = [place / rank for place, rank in enumerate(ranks, 1)]
        before = [(place - 1) / (rank - 1) if rank > 1 else 1 for place, rank in enumerate(ranks, 1)]
        assert found.first[row] == ranks[0]
        assert found.ap[row] == pytest.approx(sum(precision) / count, abs=1e-14)
        assert found.ap_trapz[row] == pytest.approx((sum(before) + sum(precision)) / 2 / count, abs=1e-14)
        assert found.inp[row] == pytest.approx(count / ranks[-1], abs=1e-14)


def test_no_query_has_a_positive() -> None:
    found = scored([[], []])
    assert np.isnan(found.ap).all()
    assert found.first.tolist() == [0, 0]
    assert np.isnan(metrics.mean(found.ap))
    assert metrics.mean(found.ap, "count") == 0
    assert np.isnan(metrics.curve(found.first, 3)).all()
    assert metrics.curve(found.first, 3, "count").tolist() == [0, 0, 0]
    assert np.isnan(metrics.by_identity(found.ap, np.array([1, 2])))


@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_another_library_agrees_where_scores_differ(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.uniform(size=count) < 0.3
    truth[rng.integers(count)] = True
    closeness = rng.permutation(count) + 1.0
    found = measured(-closeness[None], truth)
    assert found.ap[0] == pytest.approx(average_precision_score(truth, closeness), abs=1e-12)
    starts, ranks = packed([(np.flatnonzero(truth[np.argsort(-closeness)]) + 1).tolist()])
    assert metrics.ndcg(starts, ranks)[0] == pytest.approx(ndcg_score([truth], [closeness]), abs=1e-12)


@given(RANKS)
def test_ties_in_the_querys_favour_never_cost(lists: list[list[int]]) -> None:
    # A rank better by any number that keeps the order: at the best, the places among the positives.
    better = [[(rank + place) // 2 for place, rank in enumerate(ranks, 1)] for ranks in lists]
    worst, best = scored(lists), scored(better)
    valid = worst.positives > 0
    for name in ("ap", "ap_trapz", "inp"):
        assert (getattr(best, name)[valid] >= getattr(worst, name)[valid]).all()
    tied = [sum(one != other for one, other in zip(*pair, strict=True)) for pair in zip(lists, better, strict=True)]
    assert metrics.ties(*packed(lists), packed(better)[1]).tolist() == tied


# Junk


@given(RANKS, st.integers(0, 2**32 - 1))
def test_removed_positives_are_as_if_they_had_never_been_there(lists: list[list[int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts, ranks = packed(lists)
    kept = rng.uniform(size=len(ranks)) < 0.5
    seen = np.full(len(lists), 60)
    found = metrics.restrict(starts, ranks, seen, kept)
    for row, mine in enumerate(lists):
        stays = {rank for rank, keep in zip(mine, kept[starts[row] : starts[row + 1]], strict=True) if keep}
        order = [rank for rank in range(1, 61) if rank in stays or rank not in mine]  # walk down, skip what is junk
        expected = [place for place, rank in enumerate(order, 1) if rank in stays]
        assert found[1][found[0][row] : found[0][row + 1]].tolist() == expected
        assert found[2][row] == len(order)


@given(RANKS, st.data())
def test_picked_slices_are_the_queries_own(lists: list[list[int]], data: st.DataObject) -> None:
    queries = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8))
    starts, ranks = packed(lists)
    inside, places = metrics.pick(starts, np.array(queries, dtype=np.int64))
    found = [ranks[places[first:last]].tolist() for first, last in pairwise(inside)]
    assert found == [lists[query] for query in queries]


# Means


@given(RANKS, st.integers(1, 70), st.sampled_from(["skip", "count"]))
def test_the_curve_is_the_mean_at_every_rank(lists: list[list[int]], depth: int, policy: Policy) -> None:
    first = scored(lists).first
    found = metrics.curve(first, depth, policy)
    means = [metrics.mean(metrics.cmc(first, k), policy) for k in range(1, depth + 1)]
    assert found.tolist() == pytest.approx(means, nan_ok=True)
    if depth > 60 and (first > 0).any():
        assert (found[59:] == found[59]).all()


def test_a_query_without_a_positive_is_skipped_or_counts_as_nothing() -> None:
    values = np.array([1.0, np.nan, 0.5, np.nan])
    assert metrics.mean(values) == 0.75
    assert metrics.mean(values, "count") == 0.375
    assert shares(np.array([1, 0, 2, 0]), [1, 2, 3]) == [0.5, 1, 1]
    assert metrics.curve(np.array([1, 0, 2, 0]), 3, "count").tolist() == [0.25, 0.5, 0.5]


def test_every_identity_has_one_vote() -> None:
    # Person 7 asks three times, person 3 once, person 5 asks in vain.
    values, people = np.array([1.0, 0.5, 0.0, 0.4, np.nan]), np.array([7, 7, 7, 3, 5])
    assert metrics.by_identity(values, people) == pytest.approx((0.5 + 0.4) / 2)
    assert metrics.by_identity(values, people, "count") == pytest.approx((0.5 + 0.4 + 0) / 3)


@given(RANKS, st.integers(1, 70))
def test_what_comes_for_free_equals_its_definition(lists: list[list[int]], k: int) -> None:
    starts, ranks = packed(lists)
    of_r, at_k = metrics.r_precision(starts, ranks), metrics.precision_at(starts, ranks, k)
    inverse, gain = metrics.reciprocal(scored(lists).first), metrics.ndcg(starts, ranks)
    for row, mine in enumerate(lists):
        if not mine:
            assert np.isnan([of_r[row], at_k[row], inverse[row], gain[row]]).all()
            continue
        assert of_r[row] == pytest.approx(sum(rank <= len(mine) for rank in mine) / len(mine))
        assert at_k[row] == pytest.approx(sum(rank <= k for rank in mine) / k)
        assert inverse[row] == pytest.approx(1 / mine[0])
        best = sum(1 / np.log2(1 + place) for place in range(1, len(mine) + 1))
        assert gain[row] == pytest.approx(sum(1 / np.log2(1 + rank) for rank in mine) / best)


# Chance


@pytest.mark.parametrize(("positives", "negatives"), [(1, 0), (4, 0), (1, 1), (1, 5), (2, 3), (3, 7), (5, 4)])
def test_chance_is_the_mean_over_all_orders(positives: int, negatives: int) -> None:
    count = positives + negatives
    orders = list(combinations(range(1, count + 1), positives))
    found = scored(orders, seen=count)
    assert found.chance == pytest.approx(np.full(len(orders), found.ap.mean()), abs=1e-12)
    assert metrics.chance_precision(positives, negatives) == pytest.approx(found.ap.mean(), abs=1e-12)
    for k in (1, 2, 5, count, count + 3):
        expected = metrics.mean(metrics.cmc(found.first, k))
        of_first = metrics.chance_first(np.array([positives]), np.array([negatives]), k)
        assert of_first == pytest.approx([expected], abs=1e-12)


def test_chance_of_a_large_gallery_by_simulation() -> None:
    rng = np.random.default_rng(0)
    orders = [np.sort(rng.choice(15_000, 20, replace=False)) + 1 for _ in range(2000)]
    found = scored([order.tolist() for order in orders], seen=15_000)
    error = found.ap.std() / np.sqrt(len(orders))
    assert error < 0.05 * found.ap.mean()
    assert abs(found.chance[0] - found.ap.mean()) < 4 * error
    hits = metrics.cmc(found.first, 100)
    chance = metrics.chance_first(found.positives[:1], found.negatives[:1], 100)[0]
    assert abs(chance - hits.mean()) < 4 * hits.std() / np.sqrt(len(hits))


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 258, 1000, 100_000])
def test_chance_is_exact_in_a_gallery_of_any_length(count: int) -> None:
    # With one positive, the expectation is the mean of 1 / rank over all ranks.
    expected = sum(1 / rank for rank in range(count, 0, -1)) / count
    assert metrics.chance_precision(1, count - 1) == pytest.approx(expected, rel=1e-14)


def test_without_a_positive_there_is_no_chance() -> None:
    none, some = np.array([0, 0, 1]), np.array([0, 5, 5])
    assert np.isnan(metrics.chance(none, some)).tolist() == [True, True, False]
    assert np.isnan(metrics.chance_first(none, some, 3)).tolist() == [True, True, False]
    assert len(metrics.chance(none[:0], some[:0])) == len(metrics.chance_first(none[:0], some[:0], 5)) == 0


# Cases that other projects test


def test_cmc_of_open_reid() -> None:
    rows = [[0, 1, 2, 3, 4], [1, 0, 2, 3, 4], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [1, 2, 3, 4, 0]]
    found = measured(rows, np.eye(5, dtype=bool))
    assert shares(found.first, range(1, 6)) == pytest.approx([0.6, 0.6, 0.8, 1, 1])

    people = np.array([0, 0, 1, 1])
    found = measured([[0, 1, 2, 3]] * 4, people[:, None] == people)
    assert shares(found.first, range(1, 5)) == pytest.approx([0.5, 0.5, 1, 1])

    people = np.array([0, 0, 0, 1, 1])
    same = people[:, None] == people
    found = measured([[0, 1, 2, 3, 4]] * 5, same, same & (np.arange(5) == 0))  # the first row is in the query's camera
    assert shares(found.first, range(1, 6)) == pytest.approx([0.6, 0.6, 0.6, 1, 1])


def test_exact_lists_of_open_metric_learning() -> None:
    hits = [[0, 1, 3], [0, 3, 4], [1, 2, 4], [2, 3, 4], [0], [3]]
    found = scored([[hit + 1 for hit in row] for row in hits], seen=5)
    assert found.ap == pytest.approx([11 / 12, 21 / 30, 53 / 90, 43 / 90, 1, 1 / 4])
    assert shares(found.first, range(1, 6)) == pytest.approx([3 / 6, 4 / 6, 5 / 6, 1, 1])


def test_simple_distances_of_open_metric_learning() -> None:
    off, on = ~np.eye(2, dtype=bool), np.eye(3, dtype=bool)
    assert shares(measured([[1, 2], [2, 1]], off).first, [1]) == [0]
    assert shares(measured([[0, 0.5], [0, 0.5]], off).first, [1, 2]) == [0.5, 1]
    assert shares(measured([[1, 0.5, 0.2], [2, 3, 4], [0.4, 3, 4]], on).first, [2]) == pytest.approx([1 / 3])


@pytest.mark.parametrize("seed", range(5))
def test_triangles_of_open_metric_learning_bound_the_curve(seed: int) -> None:
    noise, ranks = np.random.default_rng(seed).uniform(size=(10, 10)), np.arange(1, 11)
    diagonal = np.eye(10, dtype=bool)
    low = metrics.curve(measured(noise + np.tril(np.ones((10, 10))), diagonal).first, 10)
    high = metrics.curve(measured(noise + np.triu(np.ones((10, 10)), 1), diagonal).first, 10)
    assert (low <= ranks / 10 + 1e-12).all()
    assert (high >= ranks / 10 - 1e-12).all()


def clusters(rng: np.random.Generator, many: int, flipped: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Draw far clusters and label some of the gallery as another one's."""
    labels = np.repeat(np.arange(many), 80)
    points = labels * 100 + rng.normal(size=len(labels))
    wrong = rng.uniform(size=len(labels)) < flipped
    given = np.where(wrong, (labels + rng.integers(1, many, len(labels))) % many, labels)
    asked = labels * 100 + rng.normal(size=len(labels))
    return np.abs(asked[:, None] - points), labels[:, None] == given


@pytest.mark.parametrize(("many", "flipped"), [(2, 0.05), (3, 0.15), (4, 0.25)])
def test_flipped_labels_cost_their_share(many: int, flipped: float) -> None:
    # One neighbour answers several queries: the share is that of wrong neighbours, so the mean of ten draws.
    draws = [measured(*clusters(np.random.default_rng(seed), many, flipped)).first for seed in range(10)]
    assert np.mean([metrics.mean(metrics.cmc(first, 1)) for first in draws]) == pytest.approx(1 - flipped, abs=0.05)


def test_lists_of_pytorch_metric_learning() -> None:
    """Positives that the list of five lacks stand so far behind that they add nothing."""
    neighbours = [[0, 1, 1, 2, 2], [1, 0, 1, 1, 3], [4, 4, 4, 4, 2], [3, 1, 3, 1, 3], [0, 0, 4, 2, 2], [1, 2, 3, 4, 5]]
    queries, counts, far = [1, 1, 2, 3, 4, 0], [2, 3, 5, 4, 5], 10**9
    lists = []
    for label, row in zip(queries, neighbours, strict=True):
        hits = [rank for rank, other in enumerate(row, 1) if other == label]
        lists.append(hits + [far + place for place in range(counts[label] - len(hits))])
    expected = [(1 / 2 + 2 / 3) / 3, (1 + 2 / 3 + 3 / 4) / 3, (1 / 5) / 5, (1 + 2 / 3 + 3 / 5) / 4, (1 / 3) / 5, 0]
    assert scored(lists, seen=far + 10).ap == pytest.approx(expected, abs=1e-7)


def test_a_label_that_occurs_once_is_left_out() -> None:
    found = scored([[1, 2], []])
    assert np.isnan(found.ap[1])
    assert metrics.mean(found.ap) == 1


def test_lists_of_the_cross_modal_rule() -> None:
    # The first has its best row removed, since its camera shares a place with the query's.
    found = scored([[2], [3]], seen=3)
    assert found.ap == pytest.approx([1 / 2, 1 / 3])
    assert found.inp == pytest.approx([1 / 2, 1 / 3])
