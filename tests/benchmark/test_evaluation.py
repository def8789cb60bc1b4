"""The slow evaluator against hand-made cases, another library, and simulation."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from benchmark import evaluation, manifest, strata
from benchmark.errors import UserError
from benchmark.lists import Lists
from benchmark.manifest import Manifest


def person(pid: int, camid: int, copy: str = "") -> dict[str, object]:
    return {"pid": pid, "camid": camid, "copy": copy}


def rows(people: list[dict[str, object]], source: str) -> Manifest:
    count = len(people)
    light = {name: [10.0] * count for name in ("lightness", "luma", "p05", "p95")}
    measures = light | {"stops": [-5.0] * count, "dark": [0.0] * count, "saturated": [0.0] * count}
    hashes = [str(one["copy"] or f"{source}{place}").encode().hex().ljust(64, "0") for place, one in enumerate(people)]
    table = measures | {
        "path": [f"{place:04d}.jpg" for place in range(count)],
        "pid": [one["pid"] for one in people],
        "camid": [one["camid"] for one in people],
        "id_space": ["world"] * count,
        "split": ["test"] * count,
        "width": [10] * count,
        "height": [50 + 100 * (place % 2) for place in range(count)],
        "sha256": hashes,
    }
    return manifest.build(table, source, Path("/nowhere"))


def lists(queries: list[dict[str, object]], gallery: list[dict[str, object]]) -> Lists:
    query, found = rows(queries, "q"), rows(gallery, "g")
    return Lists(found, query, found, "test", "0" * 64)


def ranked(gallery: list[dict[str, object]], query: dict[str, object], scores: list[float]) -> dict[str, object]:
    """Rank a gallery whose cosine with the query is given, and give the query's row."""
    angles = np.arccos(scores)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    done = evaluation.evaluate(np.array([[1.0, 0.0]]), vectors, lists([query], gallery), [], "run")
    row: dict[str, object] = done.queries.to_pylist()[0]
    return row


@pytest.mark.parametrize(
    ("ranks", "discrete", "trapezoid"),
    [
        ([1], 1.0, 1.0),
        ([2], 0.5, 0.25),
        ([2, 5], 0.45, 0.2875),
        ([1, 3, 4], 29 / 36, 55 / 72),
        ([3, 7, 50], 0.226349, 0.147755),
    ],
)
def test_average_precision_of_known_ranks(ranks: list[int], discrete: float, trapezoid: float) -> None:
    assert evaluation.average_precision(np.array(ranks)) == pytest.approx(discrete, abs=1e-6)
    assert evaluation.trapezoid_precision(np.array(ranks)) == pytest.approx(trapezoid, abs=1e-6)


def test_same_identity_same_place_is_removed_and_distractors_stay() -> None:
    gallery = [person(1, 1), person(2, 1), person(1, 2), person(0, 2), person(1, 3)]
    row = ranked(gallery, person(1, 1), [0.9, 0.8, 0.7, 0.6, 0.5])
    assert row["pos_ranks"] == [2, 4]
    assert row["pos_gidx"] == [2, 4]
    assert row["n_junk"] == 1
    assert row["ap"] == pytest.approx(1 / 2)


def test_an_own_copy_in_another_place_is_removed_but_not_another_identitys() -> None:
    gallery = [person(1, 2, copy="same"), person(2, 2, copy="same"), person(1, 3)]
    row = ranked(gallery, person(1, 1, copy="same"), [0.9, 0.8, 0.7])
    assert row["pos_ranks"] == [2]
    assert row["n_junk"] == 1


def test_ties_are_pessimistic_and_the_envelope_is_kept() -> None:
    gallery = [person(1, 2), person(2, 1), person(1, 3)]
    done = evaluation.evaluate(np.ones((1, 2)), np.ones((3, 2)), lists([person(1, 1)], gallery), [], "run")
    row = done.queries.to_pylist()[0]
    assert row["pos_ranks"] == [2, 3]
    assert row["n_ties"] == 2
    assert row["ap_opt"] == 1
    assert done.headline["n_query_tied"] == 1


def test_no_valid_query_is_an_error_that_says_why() -> None:
    with pytest.raises(UserError, match=r"of 1 queries, 0 have an identity that is absent.* 1 one that is there only"):
        ranked([person(1, 1), person(2, 1)], person(1, 1), [0.5, 0.4])
    world = lists([person(1, 1), person(8, 1), person(9, 2)], [person(1, 1), person(2, 1)])
    with pytest.raises(UserError, match=r"of 3 queries, 2 have an identity that is absent.* 1 one that is there only"):
        evaluation.evaluate(np.ones((3, 2)), np.ones((2, 2)), world, [], "run")


def test_an_unknown_place_equals_nothing() -> None:
    row = ranked([person(1, 0), person(2, 0), person(1, 1)], person(1, 0), [0.9, 0.8, 0.7])
    assert row["n_junk"] == 0
    assert row["pos_gidx"] == [0, 2]
    row = ranked([person(1, 1), person(2, 0), person(1, 0)], person(1, 1), [0.9, 0.8, 0.7])
    assert row["pos_gidx"] == [2]


def test_a_query_without_positives_is_kept_but_not_counted() -> None:
    world = lists([person(1, 1), person(9, 1)], [person(1, 2), person(2, 2)])
    vectors = np.array([[1.0, 0.0], [0.0, 1.0]])
    done = evaluation.evaluate(vectors, vectors, world, [], "run")
    assert done.headline["n_query_total"] == 2
    assert done.headline["n_query_valid"] == 1
    assert done.headline["mAP"] == 1
    assert done.queries["first_rank"].to_pylist() == [1, 0]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_average_precision_equals_scikit_learn(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.permutation(np.linspace(-0.9, 0.9, count))
    people = [person(int(pid), 2) for pid in rng.integers(1, 4, count)]
    people[0] = person(1, 2)
    row = ranked(people, person(1, 1), scores.tolist())
    truth = np.array([one["pid"] == 1 for one in people])
    assert row["ap"] == pytest.approx(average_precision_score(truth, scores), abs=1e-6)


@pytest.mark.parametrize(("positives", "negatives"), [(1, 0), (1, 5), (3, 7), (5, 95), (4, 0)])
def test_chance_is_the_mean_over_random_orders(positives: int, negatives: int) -> None:
    rng = np.random.default_rng(0)
    count = positives + negatives
    drawn = [np.sort(rng.permutation(count)[:positives] + 1) for _ in range(4000)]
    scores = [evaluation.average_precision(ranks) for ranks in drawn]
    error = np.std(scores) / np.sqrt(len(scores)) + 1e-9
    assert abs(evaluation.chance_precision(positives, negatives) - np.mean(scores)) < 4 * error


def test_every_identity_has_one_vote_in_the_macro_mean() -> None:
    # Person 1 asks three times and is found first; person 2 asks once and is found second; person 3 is not there.
    world = lists([person(1, 1), person(1, 1), person(1, 1), person(2, 1), person(3, 1)], [person(1, 2), person(2, 2)])
    done = evaluation.evaluate(np.array([[1.0, 0.0]] * 5), np.array([[1.0, 0.0], [0.0, 1.0]]), world, [], "run")
    assert done.headline["mAP"] == pytest.approx((3 * 1 + 0.5) / 4)
    assert done.headline["mAP_id_macro"] == pytest.approx((1 + 0.5) / 2)


def test_the_headline_follows_from_the_rows() -> None:
    rng = np.random.default_rng(5)
    gallery = [person(int(pid), int(cam)) for pid, cam in rng.integers(1, 6, (40, 2))]
    world = lists([person(int(pid), 9) for pid in rng.integers(1, 8, 25)], gallery)
    # Whole numbers in two dimensions: many equal directions, so many ties.
    vectors = [rng.integers(1, 4, (count, 2)).astype(float) for count in (25, 40)]
    done = evaluation.evaluate(vectors[0], vectors[1], world, [], "run")
    rows = [row for row in done.queries.to_pylist() if row["n_pos"]]
    assert any(row["n_ties"] for row in rows)
    best = [row["ap"] if row["ap_opt"] is None else row["ap_opt"] for row in rows]
    first = [row["first_rank"] if row["first_rank_opt"] is None else row["first_rank_opt"] for row in rows]
    assert done.headline["mAP_opt"] == pytest.approx(sum(best) / len(best), abs=1e-6)
    assert done.headline["R1_opt"] == pytest.approx(sum(rank == 1 for rank in first) / len(first))
    assert done.headline["mAP_opt"] > done.headline["mAP"]
    people = sorted({row["pid"] for row in rows})
    votes = [np.mean([row["ap"] for row in rows if row["pid"] == pid]) for pid in people]
    assert done.headline["mAP_id_macro"] == pytest.approx(float(np.mean(votes)), abs=1e-6)


def test_without_ties_the_envelope_is_the_score() -> None:
    rng = np.random.default_rng(6)
    world = lists([person(1, 9), person(2, 9)], [person(int(pid), 1) for pid in rng.integers(1, 4, 30)])
    done = evaluation.evaluate(rng.normal(size=(2, 8)), rng.normal(size=(30, 8)), world, [], "run")
    assert done.headline["n_query_tied"] == 0
    assert done.headline["mAP_opt"] == done.headline["mAP"]
    assert done.headline["R1_opt"] == done.headline["R1"]


def test_strata_cut_queries_and_recombine_to_the_whole() -> None:
    rng = np.random.default_rng(1)
    gallery = [person(int(pid), int(cam)) for pid, cam in rng.integers(1, 5, (60, 2))]
    queries = [person(int(pid), 9) for pid in rng.integers(1, 5, 20)]
    world = lists(queries, gallery)
    scheme = strata.scheme("night600-scale")
    vectors = rng.normal(size=(20, 8)), rng.normal(size=(60, 8))
    done = evaluation.evaluate(*vectors, world, [scheme], "run")
    cells = [row for row in done.strata.to_pylist() if row["metric"] == "mAP"]
    assert {row["q_stratum"] for row in cells} == {"Small", "Medium"}
    assert all(row["n_gallery"] == 60 and row["low_support"] and row["ci_lo"] is None for row in cells)
    whole = sum(row["value"] * row["n_query"] for row in cells) / sum(row["n_query"] for row in cells)
    assert whole == pytest.approx(done.headline["mAP"], abs=1e-12)


def test_a_row_without_length_is_an_error() -> None:
    with pytest.raises(UserError, match="1 rows have no length"):
        evaluation.evaluate(np.zeros((1, 2)), np.ones((1, 2)), lists([person(1, 1)], [person(1, 2)]), [], "run")
