"""queries/1: every row against a pencil, and ranks that come back out of it."""

from dataclasses import fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from benchmark import query_rows
from benchmark.schemas import QUERIES
from tests.benchmark import pencil
from tests.benchmark.pencil import Image, World, image

GALLERIES: Image = {"count": 2, "sampler": "keyed", "role": "gallery", "per": "identity", "shots": 2}


@pytest.mark.parametrize("cmc", ["first", "dedup"])
@pytest.mark.parametrize("seed", range(3))
def test_every_row_is_what_a_pencil_finds(seed: int, cmc: str) -> None:
    world = pencil.small(seed, pencil.plan(cmc=cmc, trials=GALLERIES, junk={"place_pairs": ((1, 3),)}))
    done = world.evaluate()
    assert done.queries.schema == QUERIES
    rows = iter(done.queries.to_pylist())
    for trial, (queries, gallery) in enumerate(world.parts):
        for place, query in enumerate(queries):
            row, found = next(rows), pencil.walk(world, query, gallery)
            assert (row["run_id"], row["trial"], row["query_idx"]) == ("run", trial, place)
            assert row["image_id"] == f"set/{query['name']}.jpg"
            assert [row[name] for name in ("id_space", "pid", "camid")] == [
                query[name] for name in ("id_space", "pid", "camid")
            ]
            for name in ("pos_ranks", "pos_gidx", "n_pos", "n_junk", "n_gallery_eff", "n_ties"):
                assert row[name] == found[name], name
            assert row["first_rank"] == found.get("first", 0)
            assert row["first_rank_id"] == (found.get("first_id", 0) if cmc == "dedup" else 0)
            for name in ("ap", "ap_trapz", "inp"):
                assert row[name] == pytest.approx(found.get(name), abs=1e-6)
            for name, score in (("ap_opt", "ap_opt"), ("inp_opt", "inp_opt"), ("first_rank_opt", "first_opt")):
                assert row[name] == (pytest.approx(found[score], abs=1e-6) if found["n_ties"] else None)
            nearest(world, row, query, gallery)
    assert next(rows, None) is None


def nearest(world: World, row: Image, query: Image, gallery: list[Image]) -> None:
    """Compare the distances of the first positive and the first negative; of a dot product they are minus it."""
    if row["n_pos"]:
        assert row["d_first_pos"] == -world.score(query, gallery[row["pos_gidx"][0]])
    else:
        assert row["d_first_pos"] is None
    strangers = [
        world.score(query, other)
        for other in gallery
        if pencil.person(other) != pencil.person(query) and (query["place"], other["place"]) != (1, 3)
    ]
    assert row["d_first_neg"] == -max(strangers)


def test_a_query_that_meets_no_stranger_has_no_distance_to_one() -> None:
    world = World([image(1, 1, gallery=False), image(1, 2, query=False)], np.eye(2, 3))
    row = world.evaluate().queries.to_pylist()[0]
    assert (row["d_first_pos"], row["d_first_neg"], row["n_gallery_eff"]) == (0, None, 1)


@pytest.mark.parametrize("kind", ["first", "dedup"])
def test_ranks_come_back(kind: str) -> None:
    world = pencil.small(3, pencil.plan(cmc=kind, trials=GALLERIES))
    done = world.evaluate()
    for trial in done.trials:
        rows = done.queries.filter(pc.equal(done.queries["trial"], trial.number))
        found = query_rows.ranking(rows)
        for name in ("starts", "ranks", "rows", "junk", "seen", "identity"):
            assert np.array_equal(getattr(found, name), getattr(trial.ranking, name)), name
            assert getattr(found, name).dtype == getattr(trial.ranking, name).dtype
        assert {field.name for field in fields(found)} == {field.name for field in fields(trial.ranking)}


def test_ranks_come_back_from_a_table_in_pieces() -> None:
    done = pencil.small(4).evaluate()
    pieces = pa.concat_tables([done.queries.slice(0, 7), done.queries.slice(7)])
    one, other = query_rows.ranking(done.queries), query_rows.ranking(pieces)
    assert np.array_equal(one.starts, other.starts)
    assert np.array_equal(one.rows, other.rows)


@pytest.mark.parametrize("depth", [3, 1000])
def test_the_first_of_a_ranking_are_kept_without_junk(depth: int) -> None:
    world = pencil.small(5, pencil.plan(trials=GALLERIES, junk={"place_pairs": ((1, 3),)}))
    done = world.evaluate(top=depth)
    rows = iter(done.queries.to_pylist())
    for queries, gallery in world.parts:
        for query in queries:
            row = next(rows)
            seen = [place for place, other in enumerate(gallery) if is_seen(query, other)]
            seen.sort(key=lambda place: (-world.score(query, gallery[place]), place))
            assert row["top_gidx"] == seen[:depth]
            assert row["top_dist"] == [-world.score(query, gallery[place]) for place in seen[:depth]]
            assert len(seen) == row["n_gallery_eff"]
    assert world.evaluate().queries["top_gidx"].null_count == len(done.queries)


def is_seen(query: Image, other: Image) -> bool:
    same = pencil.person(query) == pencil.person(other)
    own = query["name"] == other["name"] or (same and query["copy"] and query["copy"] == other["copy"])
    view = same and query["place"] == other["place"] != 0
    return not own and not view and (query["place"], other["place"]) != (1, 3)
