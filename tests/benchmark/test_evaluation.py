"""The slow evaluator against hand-made cases, another library, and simulation."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from benchmark import evaluation, manifest, strata
from benchmark.errors import UserError
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.protocol import Rules


def person(pid: int, camid: int, copy: str = "", **more: object) -> dict[str, object]:
    return {"pid": pid, "camid": camid, "copy": copy, "place": camid, "id_space": "world"} | more


def rows(people: list[dict[str, object]], source: str) -> Manifest:
    count = len(people)
    light = {name: [10.0] * count for name in ("lightness", "luma", "p05", "p95")}
    measures = light | {"stops": [-5.0] * count, "dark": [0.0] * count, "saturated": [0.0] * count}
    hashes = [str(one["copy"] or f"{source}{place}").encode().hex().ljust(64, "0") for place, one in enumerate(people)]
    table = measures | {
        "path": [f"{place:04d}.jpg" for place in range(count)],
        "pid": [one["pid"] for one in people],
        "camid": [one["camid"] for one in people],
        "place": [one["place"] for one in people],
        "id_space": [one["id_space"] for one in people],
        "split": ["test"] * count,
        "width": [10] * count,
        "height": [one.get("height", 50 + 100 * (place % 2)) for place, one in enumerate(people)],
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


@pytest.mark.parametrize(("name", "value"), [("cmc", "dedup"), ("invalid_queries", "count")])
def test_rules_that_it_does_not_know_are_refused(name: str, value: str) -> None:
    world = lists([person(1, 1)], [person(1, 2), person(2, 2)])
    other = replace(world, rules=Rules.model_validate({name: value}))
    with pytest.raises(UserError, match=f"test: {name} is '{value}', this evaluator knows"):
        evaluation.evaluate(np.ones((1, 2)), np.ones((2, 2)), other, [], "run")


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
    for metric in ("mAP", "mAP_trapz", "mINP", "R1", "R5", "R10"):
        cells = [row for row in done.strata.to_pylist() if row["metric"] == metric]
        assert {row["q_stratum"] for row in cells} == {"Small", "Medium"}
        assert all(row["n_gallery"] == 60 and row["low_support"] and row["ci_lo"] is None for row in cells)
        whole = sum(row["value"] * row["n_query"] for row in cells) / sum(row["n_query"] for row in cells)
        assert whole == pytest.approx(done.headline[metric], abs=1e-12)


@pytest.mark.parametrize("rank", [1, 2, 5, 6, 10, 11])
def test_a_match_counts_among_the_first_k_up_to_rank_k(rank: int) -> None:
    gallery = [person(1 if place == rank else 2, 2) for place in range(1, 13)]
    angles = np.arange(12) / 20
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    done = evaluation.evaluate(np.array([[1.0, 0.0]]), vectors, lists([person(1, 1)], gallery), [], "run")
    assert {k: done.headline[f"R{k}"] for k in (1, 5, 10)} == {k: float(rank <= k) for k in (1, 5, 10)}


def test_thirty_identities_support_a_cell_whatever_the_number_of_queries() -> None:
    small = [person(pid, 1, height=50) for pid in range(1, 31)]
    # 29 identities in 31 queries.
    medium = [person(pid, 1, height=150) for pid in [*range(1, 30), 1, 2]]
    world = lists(small + medium, [person(pid, 2) for pid in range(1, 31)])
    rng = np.random.default_rng(2)
    scheme = strata.scheme("night600-scale")
    done = evaluation.evaluate(rng.normal(size=(61, 4)), rng.normal(size=(30, 4)), world, [scheme], "run")
    support = {(row["q_stratum"], row["n_id"], row["low_support"]) for row in done.strata.to_pylist()}
    assert support == {("Small", 30, False), ("Medium", 29, True)}


def by_hand(query: dict[str, object], gallery: list[dict[str, object]], closeness: list[float]) -> dict[str, Any]:
    """Score one query without ties by walking down its ranking, as a person would with a pencil."""
    ranks: list[tuple[int, int]] = []
    negatives: list[int] = []
    junk = 0
    for row in sorted(range(len(gallery)), key=lambda row: -closeness[row]):
        other = gallery[row]
        same = query["pid"] == other["pid"] and query["id_space"] == other["id_space"]
        if same and (query["place"] == other["place"] != 0 or (query["copy"] and query["copy"] == other["copy"])):
            junk += 1
        elif same:
            ranks.append((len(ranks) + len(negatives) + 1, row))
        else:
            negatives.append(row)
    found: dict[str, Any] = {
        "n_pos": len(ranks),
        "n_junk": junk,
        "n_gallery_eff": len(ranks) + len(negatives),
        "pos_ranks": [rank for rank, _ in ranks],
        "pos_gidx": [row for _, row in ranks],
        "first_rank": ranks[0][0] if ranks else 0,
        "d_first_neg": 1 - closeness[negatives[0]],
    }
    if ranks:
        found["d_first_pos"] = 1 - closeness[ranks[0][1]]
        found["ap"] = sum(number / rank for number, (rank, _) in enumerate(ranks, 1)) / len(ranks)
        found["inp"] = len(ranks) / ranks[-1][0]
    return found


def crowd(rng: np.random.Generator, count: int, pids: list[int]) -> list[dict[str, object]]:
    """Draw people of two spaces whose numbers overlap, at places that are not their cameras."""
    return [
        person(
            int(rng.choice(pids)),
            int(rng.integers(1, 4)),
            str(rng.choice(["", "", "", "copy a", "copy b"])),
            place=int(rng.integers(0, 4)),
            id_space=str(rng.choice(["here", "there"])),
            height=int(rng.choice([150, 250])),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_rows_cells_and_headline_are_what_a_pencil_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gallery, queries = crowd(rng, 60, [0, 1, 2, 3]), crowd(rng, 40, [1, 2, 3, 9])
    vectors = [rng.normal(size=(count, 4)) for count in (40, 60)]
    unit = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in vectors]
    expected = [by_hand(query, gallery, (unit[1] @ one).tolist()) for query, one in zip(queries, unit[0], strict=True)]
    assert {bool(row["n_pos"]) for row in expected} == {bool(row["n_junk"]) for row in expected} == {True, False}

    scheme = strata.scheme("night600-scale")
    done = evaluation.evaluate(vectors[0], vectors[1], lists(queries, gallery), [scheme], "run")
    for found, row in zip(done.queries.to_pylist(), expected, strict=True):
        for name, value in row.items():
            assert found[name] == pytest.approx(value, abs=1e-6), name

    valid = [(query, row) for query, row in zip(queries, expected, strict=True) if row["n_pos"]]
    assert done.headline["n_id"] == len({(query["id_space"], query["pid"]) for query, _ in valid})
    assert done.headline | in_the_mean(valid) == pytest.approx(done.headline, abs=1e-12)
    cells = done.strata.to_pylist()
    for order, (level, height) in enumerate({"Medium": 150, "Big": 250}.items(), start=1):
        check_cell(
            [cell for cell in cells if cell["q_stratum"] == level],
            order,
            [(query, row) for query, row in valid if query["height"] == height],
        )


def in_the_mean(chosen: list[tuple[dict[str, object], dict[str, Any]]]) -> dict[str, float]:
    """Average what the pencil found; every row has one vote, in the macro mean every identity."""
    scores = {"mAP": "ap", "mINP": "inp"}
    means = {name: float(np.mean([row[score] for _, row in chosen])) for name, score in scores.items()}
    for k in (1, 5, 10):
        means[f"R{k}"] = float(np.mean([row["first_rank"] <= k for _, row in chosen]))
    people: dict[object, list[float]] = {}
    for query, row in chosen:
        people.setdefault((query["id_space"], query["pid"]), []).append(row["ap"])
    return means | {"mAP_id_macro": float(np.mean([np.mean(votes) for votes in people.values()]))}


def check_cell(cells: list[dict[str, Any]], order: int, chosen: list[tuple[dict[str, object], dict[str, Any]]]) -> None:
    """Compare one level's rows, one a metric, with what the pencil found for its queries."""
    values = {cell["metric"]: cell["value"] for cell in cells}
    means = in_the_mean(chosen)
    del means["mAP_id_macro"]
    # Junk is no part of the gallery that chance draws from.
    chances = [evaluation.chance_precision(row["n_pos"], row["n_gallery_eff"] - row["n_pos"]) for _, row in chosen]
    means["chance_mAP"] = float(np.mean(chances))
    assert {name: values[name] for name in means} == pytest.approx(means, abs=1e-12)
    facts = {
        "stratum_order": order,
        "n_query": len(chosen),
        "n_id": len({(query["id_space"], query["pid"]) for query, _ in chosen}),
        "n_pos_pairs": sum(row["n_pos"] for _, row in chosen),
        "n_gallery": 60,
        "low_support": True,
    }
    assert all({name: cell[name] for name in facts} == facts for cell in cells)


def test_a_row_without_length_is_an_error() -> None:
    with pytest.raises(UserError, match="1 rows have no length"):
        evaluation.evaluate(np.zeros((1, 2)), np.ones((1, 2)), lists([person(1, 1)], [person(1, 2)]), [], "run")
