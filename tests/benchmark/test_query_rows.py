"""queries/1: a trial's ranks go into rows and come back, and what a query does not have is null."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark import evaluation, metrics, query_rows, ranking, resolve
from benchmark.evaluation import Options
from benchmark.features import Features
from benchmark.junk import Codes
from benchmark.lists import Lists
from benchmark.protocol import Junk
from benchmark.ranking import Ranking
from benchmark.schemas import QUERIES
from benchmark.scorecard import Trial
from benchmark.scoring import Vectors
from tests.benchmark import little

STORED = ("starts", "ranks", "rows", "junk", "seen", "identity")


def listed(role: str, people: NDArray[np.int64]) -> pa.Table:
    return pa.table(
        {
            "position": pa.array(np.arange(len(people)), pa.int32()),
            "image_id": [f"{role}/{place}" for place in range(len(people))],
            "id_space": ["here"] * len(people),
            "pid": pa.array(people, pa.int32()),
            "camid": pa.array(np.ones(len(people)), pa.int16()),
        }
    )


def codes(people: NDArray[np.int64], places: NDArray[np.int64], first: int) -> Codes:
    images = np.arange(first, first + len(people))
    return Codes(np.where(people > 0, people, -1), places, images, images)


def drawn(seed: int, values: int = 2) -> Trial:
    """Rank a gallery by whole numbers: few values tie, and some queries have no positive, no negative or neither."""
    rng = np.random.default_rng(seed)
    people, other = rng.integers(1, 6, 12), rng.integers(0, 5, rng.integers(1, 25))
    query, gallery = (rng.integers(-values, values + 1, (len(one), 3)) for one in (people, other))
    source = Vectors(query.astype(np.float32), gallery.astype(np.float32), "dot")
    asked, searched = codes(people, rng.integers(1, 3, 12), 0), codes(other, rng.integers(1, 3, len(other)), 100)
    found = ranking.rank(source, asked, searched, Junk(), identities=True)
    return Trial(3, listed("q", people), listed("g", other), found)


def nothing(count: int) -> NDArray[np.float32]:
    return np.full(count, np.nan, np.float32)


def table(trial: Trial) -> pa.Table:
    count = len(trial.query)
    return query_rows.table(trial, "run", (nothing(count), nothing(count)))


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_ranks_come_back_as_they_went_in(seed: int) -> None:
    trial = drawn(seed)
    back = query_rows.ranking(table(trial))
    for name in STORED:
        found, wanted = getattr(back, name), getattr(trial.ranking, name)
        np.testing.assert_array_equal(found, wanted, err_msg=name)
        assert found.dtype == wanted.dtype, name


def test_rows_of_no_positive_at_all_come_back() -> None:
    trial = drawn(1)
    count = len(trial.query)
    empty, zeros = np.zeros(0, np.int32), np.zeros(count, np.int32)
    starts, seen = np.zeros(count + 1, np.int64), np.ones(count, np.int32)
    found = Ranking(starts, empty, empty, empty, nothing(0), zeros, seen, nothing(count), zeros)
    rows = table(Trial(0, trial.query, trial.gallery, found))
    back = query_rows.ranking(rows)
    for name in STORED:
        np.testing.assert_array_equal(getattr(back, name), getattr(found, name), err_msg=name)
    assert rows["ap"].null_count == rows["inp"].null_count == rows["ap_trapz"].null_count == count


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_every_score_follows_from_the_ranks_in_its_row(seed: int) -> None:
    trial = drawn(seed)
    best = trial.ranking.best
    for number, row in enumerate(table(trial).to_pylist()):
        mine = slice(*trial.ranking.starts[number : number + 2])
        ranks, places = row["pos_ranks"], range(1, row["n_pos"] + 1)
        assert (row["run_id"], row["trial"], row["query_idx"], row["image_id"]) == ("run", 3, number, f"q/{number}")
        assert ranks == sorted(ranks)
        assert len(ranks) == len(row["pos_gidx"]) == row["n_pos"]
        assert row["n_ties"] == sum(rank != other for rank, other in zip(ranks, best[mine].tolist(), strict=True))
        assert row["first_rank_opt"] == (int(best[mine][0]) if row["n_ties"] else None)
        if not ranks:
            assert (row["first_rank"], row["first_rank_id"]) == (0, 0)
            assert {row[name] for name in ("ap", "ap_trapz", "inp", "ap_opt", "inp_opt")} == {None}
            continue
        assert row["first_rank"] == ranks[0]
        assert row["ap"] == pytest.approx(np.mean([k / rank for k, rank in zip(places, ranks, strict=True)]))
        assert row["inp"] == pytest.approx(row["n_pos"] / ranks[-1])
        if row["n_ties"]:
            tied = [k / rank for k, rank in zip(places, best[mine].tolist(), strict=True)]
            assert row["ap_opt"] == pytest.approx(np.mean(tied))
            assert row["inp_opt"] == pytest.approx(row["n_pos"] / best[mine][-1])


def test_nothing_is_null_but_what_is_not_there() -> None:
    rows = [row for seed in range(20) for row in table(drawn(seed)).to_pylist()]
    assert {bool(row["n_ties"]) for row in rows} == {bool(row["n_pos"]) for row in rows} == {False, True}
    optional = {"top_gidx", "top_dist", "d_first_pos", "d_first_neg"}
    for row in rows:
        absent = {name for name, value in row.items() if value is None} - optional
        wanted = set() if row["n_pos"] else {"ap", "ap_trapz", "inp"}
        assert absent == wanted | (set() if row["n_ties"] else {"ap_opt", "inp_opt", "first_rank_opt"})


def test_distances_are_null_where_there_is_nobody() -> None:
    trial = drawn(0)
    far = nothing(len(trial.query))
    far[:2] = [0.25, np.inf]
    rows = query_rows.table(trial, "run", (far, far[::-1]))
    assert rows["d_first_pos"].to_pylist()[:3] == [0.25, None, None]
    assert rows["d_first_neg"].to_pylist()[-3:] == [None, None, 0.25]


def test_the_table_is_of_the_schema_with_and_without_top_lists() -> None:
    trial = drawn(0)
    count = len(trial.query)
    assert table(trial).schema.equals(QUERIES)
    assert table(trial)["top_gidx"].null_count == count
    lists = {"top_gidx": [[0]] * count, "top_dist": [[0.5]] * count}
    rows = query_rows.table(trial, "run", (nothing(count), nothing(count)), pa.table(lists))
    assert rows.schema.equals(QUERIES)
    assert rows.select(["top_gidx", "top_dist"]).to_pydict() == lists


@pytest.mark.parametrize("k", [1, 5, 1000])
def test_top_lists_hold_the_first_of_each_ranking_without_junk(k: int) -> None:
    world = little.world()
    vectors = little.vectors(world)
    one = resolve.resolve(world)
    given = Features(world.table["image_id"].to_pylist(), vectors, {})
    # Every person's second camera is where they ask, too: half of the positives are junk.
    gallery = one.gallery.with_columns(place=np.where(one.gallery.column("camid") == 2, 1, 2).astype(np.int16))
    hidden = Lists(one.train, one.query, gallery, one.protocol, one.protocol_sha256)
    rows = evaluation.evaluate([hidden], given, Options(draws=0, top=k)).queries.to_pylist()
    unit = [part / np.linalg.norm(part, axis=1)[:, None] for part in (given.of(one.query), given.of(gallery))]
    far = 1 - unit[0] @ unit[1].T
    pids, places = (gallery.column(name) for name in ("pid", "place"))
    for number, row in enumerate(rows):
        seen = [place for place in np.argsort(far[number]) if not (pids[place] == row["pid"] and places[place] == 1)]
        assert len(seen) == row["n_gallery_eff"] == len(gallery) - 1
        assert row["top_gidx"] == [int(place) for place in seen[:k]]
        np.testing.assert_allclose(row["top_dist"], far[number][seen[:k]], atol=1e-6)
        assert (row["pos_gidx"][0] in row["top_gidx"]) == (row["first_rank"] <= k)


def test_per_query_scores_agree_with_those_made_from_the_stored_ranks() -> None:
    trial = drawn(5)
    rows = table(trial)
    back = query_rows.ranking(rows)
    scores = metrics.per_query(back.starts, back.ranks, back.seen)
    for name, found in (("ap", scores.ap), ("ap_trapz", scores.ap_trapz), ("inp", scores.inp)):
        np.testing.assert_array_equal(rows[name].to_numpy(), found.astype(np.float32))
