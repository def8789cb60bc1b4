"""Ranks against a walk down a sorted list, published cases, and laws that no rank may break."""

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark import protocol
from benchmark.counting import HIDDEN
from benchmark.junk import NOBODY, Codes
from benchmark.protocol import Junk
from benchmark.ranking import LOWEST, Ranking, rank, single_shot, top
from benchmark.scoring import Distances, Ints, Source, Vectors

MARKET, OPEN, PAIRS = Junk(), Junk(same_place=False), Junk(place_pairs=((1, 2), (3, 3), (3, 1)))
RULES = (MARKET, OPEN, PAIRS, Junk(same_place=False, place_pairs=((2, 1),)))
ARRAYS = ("starts", "ranks", "best", "rows", "scores", "junk", "seen", "negative", "identity")


class World(NamedTuple):
    """Small whole numbers as features, so that products are exact and ties are everywhere."""

    query_vectors: NDArray[np.float32]
    gallery_vectors: NDArray[np.float32]
    query: Codes
    gallery: Codes

    def source(self, metric: str = "dot", nonfinite: str = "error") -> Vectors:
        return Vectors(self.query_vectors, self.gallery_vectors, metric, nonfinite)

    def rank(self, rules: Junk, **options: Any) -> Ranking:  # noqa: ANN401
        return rank(self.source(), self.query, self.gallery, rules, identities=True, **options)


def world(seed: int, queries: int = 9, gallery: int = 40, people: int = 4, span: int = 2) -> World:
    """Draw distractors, unknown places, copies of one file, and pictures that are on both lists."""
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-span, span + 1, (queries + gallery, 3)).astype(np.float32)
    identity = rng.integers(0, people + 1, queries + gallery)
    identity[:queries] = np.maximum(identity[:queries], 1)
    place = rng.integers(0, 4, queries + gallery)
    image, content = np.arange(queries + gallery), rng.choice([NOBODY, NOBODY, 7, 8], queries + gallery)
    both = rng.random(min(queries, gallery)) < 0.2
    for column in (vectors, identity, image, content):
        column[queries : queries + len(both)][both] = column[: len(both)][both]
    all_rows = Codes(np.where(identity > 0, identity, NOBODY), np.where(place > 0, place, NOBODY), image, content)
    whole = all_rows.part(0, queries), all_rows.part(queries, queries + gallery)
    return World(vectors[:queries], vectors[queries:], *whole)


def codes(identity: list[int], place: list[int], first_image: int = 0) -> Codes:
    """Give rows by identity (0: a distractor) and place (0: unknown); no file is like another."""
    people, places = (np.where(np.array(column) > 0, column, NOBODY) for column in (identity, place))
    images = np.arange(first_image, first_image + len(people))
    return Codes(people, places, images, np.full(len(people), NOBODY))


def shown(scores: list[list[float]]) -> Source:
    return Distances(-np.array(scores))


def taken(query: Codes, gallery: Codes, one: int, other: int, rules: Junk) -> bool:
    """Say whether a query does not see a row, in words as near as can be to those of the protocol."""
    same = query.identity[one] == gallery.identity[other] != NOBODY
    if query.image[one] == gallery.image[other]:
        return True
    if same and query.content[one] == gallery.content[other] != NOBODY:
        return True
    if same and rules.same_place and query.place[one] == gallery.place[other] != NOBODY:
        return True
    return (query.place[one], gallery.place[other]) in rules.place_pairs


class Walk(NamedTuple):
    """What one query finds on its way down the list."""

    ranks: list[int]
    rows: list[int]
    seen: int
    negative: float
    identity: int


def walk(scores: NDArray[Any], query: Codes, gallery: Codes, one: int, rules: Junk, unlucky: bool) -> Walk:
    """Sort the rows that a query sees and walk down; among equals its positives come last (or first).

    A row without a score (NaN) is at the end if it is a positive, and at the head if it is not.
    """
    rows = [row for row in range(len(gallery.identity)) if not taken(query, gallery, one, row, rules)]
    mine = {row: gallery.identity[row] == query.identity[one] != NOBODY for row in rows}

    def worth(row: int) -> float:
        missing = -np.inf if mine[row] else np.inf
        return float(missing if np.isnan(scores[row]) else scores[row])

    # Pessimistic and optimistic differ among equal scores only; without a score there is no luck.
    luck = {row: mine[row] == unlucky if np.isfinite(worth(row)) else mine[row] for row in rows}
    path = sorted(rows, key=lambda row: (-worth(row), luck[row], row))
    ranks, found, identity = [], [], 0
    before: set[tuple[str, int]] = set()
    for step, row in enumerate(path, 1):
        if mine[row]:
            identity = identity or 1 + len(before)
            ranks.append(step)
            found.append(row)
        else:
            person = gallery.identity[row]
            before.add(("distractor", row) if person == NOBODY else ("person", int(person)))
    others = [worth(row) for row in rows if not mine[row]]
    highest = max(others, default=np.nan)
    return Walk(ranks, found, len(rows), highest if np.isfinite(highest) else np.nan, identity)


def require_walked(made: Ranking, scores: NDArray[Any], query: Codes, gallery: Codes, rules: Junk) -> None:
    """Hold a ranking to the walk of every query."""
    assert made.starts[0] == 0
    for one in range(len(query.identity)):
        mine = slice(made.starts[one], made.starts[one + 1])
        worst = walk(scores[one], query, gallery, one, rules, unlucky=True)
        best = walk(scores[one], query, gallery, one, rules, unlucky=False)
        assert made.ranks[mine].tolist() == worst.ranks
        assert made.best[mine].tolist() == best.ranks
        assert made.rows[mine].tolist() == worst.rows
        np.testing.assert_array_equal(made.scores[mine], scores[one][worst.rows].astype(np.float32))
        assert (made.seen[one], made.junk[one]) == (worst.seen, len(gallery.identity) - worst.seen)
        np.testing.assert_array_equal(made.negative[one], np.float32(worst.negative))
        assert made.identity[one] == worst.identity


def require_equal(one: Ranking, other: Ranking) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        assert getattr(one, name).dtype == getattr(other, name).dtype


worlds = st.builds(
    world,
    st.integers(0, 2**32),
    queries=st.integers(1, 12),
    gallery=st.integers(1, 60),
    people=st.integers(1, 8),
    span=st.sampled_from([0, 1, 3]),
)
rules_of = st.sampled_from(RULES)
engines = st.sampled_from(["numba", "numpy"])


@given(worlds, rules_of, engines, st.integers(1, 15))
def test_ranks_are_what_a_walk_down_the_sorted_list_finds(one: World, rules: Junk, engine: str, chunk: int) -> None:
    made = one.rank(rules, engine=engine, chunk=chunk)
    require_walked(made, one.query_vectors @ one.gallery_vectors.T, one.query, one.gallery, rules)


def test_the_worlds_hold_every_case() -> None:
    cases = [(one, one.rank(rules)) for one in map(world, range(20)) for rules in RULES]
    made = [found for _, found in cases]
    assert any((found.ranks != found.best).any() for found in made)
    assert any((np.diff(found.starts) == 0).any() for found in made)
    assert any((found.junk > 0).any() for found in made)
    for column in ("identity", "place"):
        assert any((getattr(one.gallery, column) == NOBODY).any() for one, _ in cases)
    assert any(np.isin(one.query.image, one.gallery.image).any() for one, _ in cases)
    alone = [one.rank(PAIRS) for one in (world(seed, gallery=1) for seed in range(30))]
    assert {len(found.ranks) > 0 for found in alone} == {True, False}
    assert any(np.isnan(found.negative).any() for found in alone)


@given(worlds, rules_of, engines, st.integers(0, 2**32))
def test_rows_without_a_score_count_against_the_query(one: World, rules: Junk, engine: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for vectors in (one.query_vectors, one.gallery_vectors):
        vectors[rng.random(len(vectors)) < 0.25] = np.nan
    source = one.source(nonfinite="worst")
    made = rank(source, one.query, one.gallery, rules, identities=True, engine=engine)
    scores = one.query_vectors @ one.gallery_vectors.T
    require_walked(made, scores, one.query, one.gallery, rules)
    for query in np.flatnonzero(source.bad_queries):
        mine = slice(made.starts[query], made.starts[query + 1])
        last = list(range(made.seen[query] - len(made.ranks[mine]) + 1, made.seen[query] + 1))
        assert made.ranks[mine].tolist() == made.best[mine].tolist() == last


@given(worlds, rules_of, st.integers(1, 20))
def test_both_engines_and_every_chunk_give_the_same_numbers(one: World, rules: Junk, chunk: int) -> None:
    require_equal(one.rank(rules, engine="numba"), one.rank(rules, engine="numpy", chunk=chunk))


@pytest.mark.parametrize("seed", range(4))
def test_both_engines_agree_on_galleries_of_many_blocks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.integers(0, (3, 100, 3000, 10**6)[seed], (40, 4000)).astype(np.float32)
    query = codes(list(range(1, 41)), [1] * 40)
    gallery = codes(list(rng.integers(0, 60, 4000)), list(rng.integers(0, 4, 4000)), 1000)
    both = [rank(Distances(matrix), query, gallery, PAIRS, identities=True, engine=name) for name in ("numba", "numpy")]
    require_equal(*both)
    assert both[0].ranks.max() > 2000


@given(worlds, rules_of, st.integers(0, 2**32))
def test_the_order_of_the_gallery_changes_no_rank(one: World, rules: Junk, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(one.gallery.identity))
    other = one._replace(
        gallery_vectors=one.gallery_vectors[order], gallery=Codes(*(column[order] for column in one.gallery))
    )
    before, after = one.rank(rules), other.rank(rules)
    for name in set(ARRAYS) - {"rows"}:
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name), err_msg=name)
    for query in range(len(one.query.identity)):
        mine = slice(before.starts[query], before.starts[query + 1])
        assert sorted(order[after.rows[mine]]) == sorted(before.rows[mine])


@given(worlds, rules_of, st.integers(0, 2**32))
def test_other_names_for_the_identities_change_nothing(one: World, rules: Junk, seed: int) -> None:
    names = np.random.default_rng(seed).permutation(2**16)[:20] + 1

    def renamed(rows: Codes) -> Codes:
        return rows._replace(identity=np.where(rows.identity > 0, names[rows.identity], NOBODY))

    other = one._replace(query=renamed(one.query), gallery=renamed(one.gallery))
    require_equal(one.rank(rules), other.rank(rules))


@given(worlds, rules_of, st.sampled_from(["cosine", "dot", "euclidean"]), st.integers(-20, 20))
def test_vectors_larger_by_a_power_of_two_have_the_same_ranks(one: World, rules: Junk, metric: str, power: int) -> None:
    for vectors in (one.query_vectors, one.gallery_vectors):
        vectors[~vectors.any(axis=1)] = 1  # cosine has no score for them
    larger = one._replace(
        query_vectors=np.ldexp(one.query_vectors, power), gallery_vectors=np.ldexp(one.gallery_vectors, power)
    )
    before, after = (rank(made.source(metric), one.query, one.gallery, rules) for made in (one, larger))
    for name in ("ranks", "best", "rows"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name), err_msg=name)


def test_cosine_of_untied_features_gives_the_ranks_of_double_precision() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((330, 64))
    query, gallery = codes([1, 2, 3] * 10, [1] * 30), codes(list(rng.integers(0, 4, 300)), [2] * 300, 30)
    made = rank(Vectors(vectors[:30].astype(np.float16), vectors[30:].astype(np.float16)), query, gallery, MARKET)
    exact = vectors.astype(np.float16).astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    scores = exact[:30] @ exact[30:].T
    gaps = np.diff(np.sort(scores, axis=1), axis=1)
    assert (gaps > 1e-5).mean() > 0.9  # the others may not cross a positive, which the next line would notice
    for one in range(30):
        mine = slice(made.starts[one], made.starts[one + 1])
        found = walk(scores[one], query, gallery, one, MARKET, unlucky=True)
        assert made.rows[mine].tolist() == found.rows
        np.testing.assert_array_equal(made.ranks[mine], found.ranks)
    euclidean = rank(Distances(np.sqrt(2 - 2 * scores)), query, gallery, MARKET)
    np.testing.assert_array_equal(euclidean.ranks, made.ranks)


# ----------------------------------------------------------------------------------------- published cases


def cmc(first: NDArray[Any], depth: int) -> list[float]:
    """Give CMC@1..depth of the first ranks; 0 is a query without a positive."""
    valid = first[first > 0]
    return [float(np.mean(valid <= k)) for k in range(1, depth + 1)]


def first_ranks(made: Ranking) -> NDArray[Any]:
    valid = np.diff(made.starts) > 0
    return np.where(valid, made.ranks[np.minimum(made.starts[:-1], len(made.ranks) - 1)], 0)


def case(
    distances: list[list[float]], query: list[int], gallery: list[int], cameras: list[int] | None = None
) -> Ranking:
    """Rank with queries in one camera and the gallery in another, where nothing else is said."""
    places = [camera + 1 for camera in cameras or [1] * len(gallery)]
    lists = codes([pid + 1 for pid in query], [1] * len(query)), codes([pid + 1 for pid in gallery], places, 10**6)
    return rank(Distances(np.array(distances)), *lists, MARKET)


OPEN_REID = [
    (
        [[0, 1, 2, 3, 4], [1, 0, 2, 3, 4], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [1, 2, 3, 4, 0]],
        [0, 1, 2, 3, 4],
        None,
        [0.6, 0.6, 0.8, 1, 1],
    ),
    ([[0, 1, 2, 3]] * 4, [0, 0, 1, 1], None, [0.5, 0.5, 1, 1]),
    ([[0, 1, 2, 3, 4]] * 5, [0, 0, 0, 1, 1], [0, 1, 1, 1, 1], [0.6, 0.6, 0.6, 1, 1]),
]


@pytest.mark.parametrize(("distances", "people", "cameras", "expected"), OPEN_REID)
def test_the_cases_of_open_reid(
    distances: list[list[float]], people: list[int], cameras: list[int] | None, expected: list[float]
) -> None:
    assert cmc(first_ranks(case(distances, people, people, cameras)), len(expected)) == pytest.approx(expected)


OML = [
    ([[1, 2], [2, 1]], [[1], [0]], [0]),
    ([[0, 0.5], [0, 0.5]], [[1], [0]], [0.5, 1]),
    ([[1, 0.5, 0.2], [2, 3, 4], [0.4, 3, 4]], [[0], [1], [2]], [0, 1 / 3, 1]),
]


@pytest.mark.parametrize(("distances", "positives", "expected"), OML)
def test_the_small_cases_of_oml(
    distances: list[list[float]], positives: list[list[int]], expected: list[float]
) -> None:
    first = [
        case([row], [0], person_at(found, len(row))).ranks[0] for row, found in zip(distances, positives, strict=True)
    ]
    assert cmc(np.array(first), len(expected)) == pytest.approx(expected)


def person_at(positions: list[int], width: int) -> list[int]:
    return [0 if position in positions else 1 for position in range(width)]


HITS = [
    ([0, 1, 3], 11 / 12),
    ([0, 3, 4], 21 / 30),
    ([1, 2, 4], 53 / 90),
    ([2, 3, 4], 43 / 90),
    ([0], 1.0),
    ([3], 1 / 4),
]


def test_the_ranked_lists_of_oml() -> None:
    made = [case([[0, 1, 2, 3, 4]], [0], person_at(hits, 5)) for hits, _ in HITS]
    for found, (hits, expected) in zip(made, HITS, strict=True):
        assert found.ranks.tolist() == [hit + 1 for hit in hits]
        assert np.mean(np.arange(1, len(hits) + 1) / found.ranks) == pytest.approx(expected)
    assert cmc(np.array([found.ranks[0] for found in made]), 5) == pytest.approx([3 / 6, 4 / 6, 5 / 6, 1, 1])


@pytest.mark.parametrize("seed", range(3))
def test_the_bounds_of_oml(seed: int) -> None:
    noise = np.random.default_rng(seed).random((10, 10))
    people = list(range(10))
    far = first_ranks(case((noise + np.tril(np.ones((10, 10)))).tolist(), people, people))
    near = first_ranks(case((noise + np.triu(np.ones((10, 10)), 1)).tolist(), people, people))
    steps = np.arange(1, 11) / 10
    assert (np.array(cmc(far, 10)) <= steps).all()
    assert (np.array(cmc(near, 10)) >= steps).all()
    assert far.tolist() != near.tolist()


@pytest.mark.parametrize(("clusters", "noise"), [(2, 0.05), (3, 0.15), (4, 0.25)])
def test_wrong_labels_in_separate_clusters_cost_their_share_of_first_places(clusters: int, noise: float) -> None:
    rng = np.random.default_rng(clusters)
    who = np.arange(1200) % clusters
    vectors = 20 * np.eye(clusters, 8)[who] + rng.standard_normal((1200, 8))
    labels = who.copy()
    flipped = rng.random(1200) < noise
    labels[flipped] = (who[flipped] + 1) % clusters
    query, gallery = codes(list(who[:600] + 1), [1] * 600), codes(list(labels[600:] + 1), [2] * 600, 600)
    made = rank(Vectors(vectors[:600], vectors[600:], "euclidean"), query, gallery, MARKET)
    assert cmc(first_ranks(made), 1)[0] == pytest.approx(1 - noise, abs=0.05)


SYSU = [
    (3, [1, 2, 1], [2, 1, 1], [2], 2, [0, 1, 1]),
    (6, [2, 2, 1], [1, 4, 5], [3], 2, [0, 1, 1]),
]


@pytest.mark.parametrize(("camera", "people", "cameras", "ranks", "identity", "expected"), SYSU)
def test_the_cases_of_the_sysu_rule(
    camera: int, people: list[int], cameras: list[int], ranks: list[int], identity: int, expected: list[float]
) -> None:
    rules = protocol.load("sysu-all-single-official").junk
    source = Distances(np.arange(3.0)[None])
    made = rank(source, codes([1], [camera]), codes(people, cameras, 1), rules, identities=True)
    assert made.ranks.tolist() == ranks
    assert made.identity.tolist() == [identity]
    assert cmc(made.identity, 3) == expected


@pytest.mark.parametrize("people", [30, 300])
@pytest.mark.parametrize("seed", range(4))
def test_random_distances_as_the_toolboxes_test_them(seed: int, people: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.random((30, 300)).astype(np.float32)
    query = codes([*range(1, 31)], list(rng.integers(1, 6, 30)))
    gallery = codes(list(rng.integers(0, people, 300) + 1), list(rng.integers(1, 6, 300)), 30)
    made = rank(Distances(matrix), query, gallery, MARKET, identities=True)
    require_walked(made, -matrix, query, gallery, MARKET)


def test_a_collapsed_model_is_last_and_the_envelope_says_so() -> None:
    query, gallery = codes([1], [1]), codes([1] * 4 + [2] * 96, [2] * 100, 1)
    made = rank(Vectors(np.ones((1, 5)), np.ones((100, 5))), query, gallery, MARKET, identities=True)
    assert made.ranks.tolist() == [97, 98, 99, 100]
    assert made.best.tolist() == [1, 2, 3, 4]
    assert made.rows.tolist() == [0, 1, 2, 3]
    assert made.identity.tolist() == [2]


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
@pytest.mark.parametrize("others", [10, 96])
def test_a_network_that_gives_one_vector_to_all_is_never_lucky(metric: str, others: int) -> None:
    vector = np.random.default_rng(0).standard_normal((1, 512))
    query, gallery = codes([1] * 7, [1] * 7), codes([1, *[2] * others, 1], [2] * (others + 2), 7)
    made = rank(Vectors(vector.repeat(7, axis=0), vector.repeat(others + 2, axis=0), metric), query, gallery, MARKET)
    assert made.ranks.tolist() == [others + 1, others + 2] * 7
    assert made.best.tolist() == [1, 2] * 7


def test_a_distractor_is_an_identity_of_its_own_and_a_person_one_whatever_the_pictures() -> None:
    scores = shown([[9, 9, 9, 8, 8, 7, 5]])
    query, gallery = codes([1], [1]), codes([2, 2, 2, 0, 0, 1, 0], [2] * 7, 1)
    made = rank(scores, query, gallery, MARKET, identities=True)
    assert made.ranks.tolist() == [6]
    assert made.identity.tolist() == [4]
    assert rank(scores, query, gallery, MARKET).identity.tolist() == [0]


def test_identities_that_the_query_does_not_see_are_not_counted() -> None:
    query, gallery = codes([1], [1]), codes([2, 3, 1], [2, 4, 4], 1)
    made = rank(shown([[9, 8, 7]]), query, gallery, Junk(place_pairs=((1, 2),)), identities=True)
    assert (made.ranks.tolist(), made.identity.tolist()) == ([2], [2])
    assert (made.junk.tolist(), made.seen.tolist(), made.negative.tolist()) == ([1], [2], [8.0])


def test_a_query_that_sees_nothing_but_junk() -> None:
    query, gallery = codes([1, 1], [1, 0]), codes([1, 1], [1, 1], 2)
    made = rank(shown([[2, 1], [2, 1]]), query, gallery, MARKET)
    assert made.starts.tolist() == [0, 0, 2]
    assert (made.junk.tolist(), made.seen.tolist()) == ([2, 0], [0, 2])
    assert made.ranks.tolist() == [1, 2]
    assert np.isnan(made.negative).all()


@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_empty_lists_have_empty_ranks(engine: str) -> None:
    one = world(0)
    nobody, vectors = one.query.part(0, 0), one.query_vectors
    made = rank(Vectors(vectors[:0], vectors), nobody, one.query, MARKET, identities=True, engine=engine)
    assert (made.starts.tolist(), made.ranks.tolist(), made.seen.tolist()) == ([0], [], [])
    made = rank(Vectors(vectors, vectors[:0]), one.query, nobody, PAIRS, identities=True, engine=engine)
    assert (made.seen.tolist(), made.identity.tolist()) == ([0] * 9, [0] * 9)
    assert top(Vectors(vectors, vectors[:0]), one.query, nobody, PAIRS, np.arange(2), 1)[0].tolist() == [[-1], [-1]]
    assert top(one.source(), one.query, one.gallery, PAIRS, np.arange(2), 0)[0].shape == (2, 0)
    assert np.isnan(single_shot(Vectors(vectors, vectors[:0]), one.query, nobody, MARKET, 2)).all()


def test_scores_for_other_lists_are_refused(mistake: Callable[..., AbstractContextManager[None]]) -> None:
    with mistake("scores of 1 queries x 2 gallery rows", "lists of 1 x 3"):
        rank(shown([[1, 2]]), codes([1], [1]), codes([1, 2, 3], [2] * 3, 1), MARKET)
    with mistake("engine", "fortran", "numpy"):
        rank(shown([[1]]), codes([1], [1]), codes([1], [2], 1), MARKET, engine="fortran")


# ---------------------------------------------------------------------------------------- the head of the list


@given(worlds, rules_of, st.integers(1, 70), st.integers(0, 2**32))
def test_the_head_of_the_list_is_the_sorted_row_without_junk(one: World, rules: Junk, k: int, seed: int) -> None:
    asked = np.random.default_rng(seed).permutation(len(one.query.identity))[:3]
    rows, scores = top(one.source(), one.query, one.gallery, rules, asked, k)
    table = one.query_vectors @ one.gallery_vectors.T
    for place, query in enumerate(asked):
        seen = [row for row in range(len(one.gallery.identity)) if not taken(one.query, one.gallery, query, row, rules)]
        expected = sorted(seen, key=lambda row: (-table[query, row], row))[:k]
        assert rows[place].tolist() == expected + [-1] * (k - len(expected))
        np.testing.assert_array_equal(scores[place], [*table[query, expected], *[np.nan] * (k - len(expected))])


def test_a_row_without_a_score_is_the_last_of_the_head() -> None:
    gallery = np.array([[1.0, 0], [np.nan, 0], [2, 0], [3, 0]])
    source = Vectors(np.array([[1.0, 0]]), gallery, "dot", "worst")
    for people in ([2, 1, 1, 1], [1, 2, 1, 1]):
        rows, scores = top(source, codes([1], [1]), codes(people, [2, 2, 2, 1], 1), OPEN, np.arange(1), 5)
        assert rows.tolist() == [[3, 2, 0, 1, -1]]
        np.testing.assert_array_equal(scores, [[3, 2, 1, np.nan, np.nan]])


# ------------------------------------------------------------------------------------- one image an identity


def drawn_curve(one: World, query: int, rules: Junk, depth: int) -> NDArray[np.float64]:
    """Rank every possible draw of one image an identity, each as likely as the next."""
    scores = one.query_vectors[query] @ one.gallery_vectors.T
    people: dict[object, list[int]] = {}
    for row, person in enumerate(one.gallery.identity):
        if not taken(one.query, one.gallery, query, row, rules):
            people.setdefault(("nobody", row) if person == NOBODY else int(person), []).append(row)
    mine = people.pop(int(one.query.identity[query]), None)
    if mine is None:
        return np.full(depth, np.nan)
    ranks = [
        1 + sum(scores[row] >= scores[positive] for row in others)
        for positive in mine
        for others in itertools.product(*people.values())
    ]
    return np.array([np.mean(np.array(ranks) <= k) for k in range(1, depth + 1)])


@given(st.integers(0, 2**32), rules_of, st.integers(1, 8))
def test_the_closed_form_is_the_mean_over_all_draws(seed: int, rules: Junk, depth: int) -> None:
    one = world(seed, queries=3, gallery=10, people=4)
    curves = single_shot(one.source(), one.query, one.gallery, rules, depth)
    for query in range(3):
        np.testing.assert_allclose(curves[query], drawn_curve(one, query, rules, depth), atol=1e-12)


def test_the_closed_form_is_what_seeded_draws_give() -> None:
    rng = np.random.default_rng(5)
    people, draws = np.repeat(np.arange(1, 13), 5), 800
    centres = rng.standard_normal((13, 6))
    query_vectors = centres[1:] + 0.7 * rng.standard_normal((12, 6))
    gallery_vectors = centres[people] + 0.7 * rng.standard_normal((60, 6))
    query, gallery = codes([*range(1, 13)], [1] * 12), codes(list(people), [2] * 60, 12)
    curves = single_shot(Vectors(query_vectors, gallery_vectors), query, gallery, MARKET, 5)
    found = np.zeros(5)
    for _ in range(draws):
        chosen = np.arange(12) * 5 + rng.integers(0, 5, 12)
        source = Vectors(query_vectors, gallery_vectors[chosen])
        part = Codes(*(column[chosen] for column in gallery))
        found += cmc(rank(source, query, part, MARKET).ranks, 5)
    assert 0.3 < curves.mean(axis=0)[0] < 0.9
    np.testing.assert_allclose(curves.mean(axis=0), found / draws, atol=0.015)


def test_one_image_an_identity_is_the_ordinary_cmc() -> None:
    rng = np.random.default_rng(6)
    query, gallery = codes([*range(1, 21)], [1] * 20), codes([*range(1, 21), 0, 0], [2] * 22, 20)
    source = Distances(rng.random((20, 22)))
    curves = single_shot(source, query, gallery, MARKET, 22)
    assert curves.mean(axis=0).tolist() == pytest.approx(cmc(rank(source, query, gallery, MARKET).ranks, 22))


def test_a_row_without_a_score_spoils_its_draw() -> None:
    gallery = np.array([[3.0], [np.nan], [1.0], [np.nan]])
    source = Vectors(np.ones((1, 1)), gallery, "dot", "worst")
    curves = single_shot(source, codes([1], [1]), codes([1, 1, 2, 2], [2] * 4, 1), MARKET, 2)
    # Its second image never wins; its first wins unless the other's second is drawn.
    np.testing.assert_allclose(curves, [[0.25, 1]])


def test_the_lowest_number_is_below_every_score_and_above_hidden_ones() -> None:
    assert np.float32(-3e38) > LOWEST > HIDDEN


def test_queries_may_stand_in_any_order_for_the_head() -> None:
    one = world(11)
    order: Ints = np.array([5, 0, 5])
    rows, _ = top(one.source(), one.query, one.gallery, PAIRS, order, 4)
    assert rows[0].tolist() == rows[2].tolist()
    assert rows[1].tolist() == top(one.source(), one.query, one.gallery, PAIRS, np.array([0]), 4)[0][0].tolist()
