"""The runs of a group: lists in another order, columns that only some lists have, lists that end early."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import durable, metrics, query_rows, results
from benchmark.errors import UserError
from benchmark.results import Bundle
from benchmark.schemas import QUERIES
from leaderboards import analysis, group, store
from leaderboards.store import Board
from tests.leaderboards import crowd

Row = dict[str, Any]


def moved(folder: Path, **columns: list[Any]) -> Path:
    """Write a bundle again with its lists, and all that points into them, in another order."""
    found = results.read(folder)
    rng, lists = np.random.default_rng(0), found.tables["lists"]
    roles = np.array(lists["role"].to_pylist())
    places = {role: rng.permutation(int((roles == role).sum())) for role in ("query", "gallery")}
    rows = lists.to_pylist()
    for row in rows:
        row["position"] = int(places[row["role"]][row["position"]])
    queries = found.tables["queries"].to_pylist()
    for row in queries:
        row["query_idx"] = int(places["query"][row["query_idx"]])
        row["pos_gidx"] = [int(places["gallery"][place]) for place in row["pos_gidx"]]
    order = [int(place) for place in rng.permutation(len(rows))]
    tables = dict(found.tables)
    tables["lists"] = pa.Table.from_pylist([rows[place] for place in order], lists.schema)
    tables["queries"] = pa.Table.from_pylist(queries, found.tables["queries"].schema)
    record = {
        name: value for name, value in found.run.items() if not name.endswith(("queries_sha256", "strata_sha256"))
    }
    results.write(Bundle(record, tables), folder)
    return folder


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> tuple[Board, Board]:
    """Give a board, and one that differs in the order in which a run's lists stand."""
    root = tmp_path_factory.mktemp("boards")
    folders = crowd.bundles(root / "bundles", seeds=range(2))
    plain = crowd.board(root / "plain", folders)
    moved(root / "bundles" / "good" / "s1")
    return plain, crowd.board(root / "other", folders)


def rows(board: Board) -> list[Row]:
    return sorted((dict(row) for row in store.runs(board).rows), key=lambda row: (row["method"], row["seed"]))


def test_lists_in_another_order_are_the_same(boards: tuple[Board, Board]) -> None:
    assert len({row["lists_file_sha256"] for row in rows(boards[1])}) == 2
    tables = [analysis.means(board, rows(board), draws=100).to_pylist() for board in boards]
    assert len(tables[0]) == len(tables[1]) > 200
    for row, twin in zip(*tables, strict=True):
        for name in ("scheme_id", "cut", "q_stratum", "g_stratum", "metric", "n_query", "n_id", "n_pos_pairs"):
            assert row[name] == twin[name]
        for name in ("value", "sd_seeds", "ci_lo", "ci_hi"):
            assert row[name] == pytest.approx(twin[name]), (row["cut"], row["metric"], name)


def test_sides_in_another_order_are_the_same(boards: tuple[Board, Board]) -> None:
    tables = []
    for board in boards:
        good, poor = (next(row["config_id"] for row in rows(board) if row["method"] == name) for name in crowd.NOISE)
        tables.append(analysis.pairs(board, rows(board), good, [poor], flips=100).to_pylist())
    for row, twin in zip(*tables, strict=True):
        for name in ("difference", "ci_lo", "p_flip"):
            assert row[name] == pytest.approx(twin[name]), (row["cut"], row["metric"], name)


def test_a_cut_by_a_column_that_only_some_lists_have(boards: tuple[Board, Board]) -> None:
    board = boards[1]
    (name,) = {store.files(row)["lists"] for row in rows(board) if row["method"] == "poor"}
    table = store.read(board, "lists", name)
    words = pa.array(["even" if pid % 2 == 0 else "odd" for pid in table["pid"].to_pylist()])
    data = store.encoded("lists", table.append_column("parity", words))
    changed = rows(board)
    for row in changed:
        if row["method"] == "poor" or row["seed"] == 0:
            row["lists_file_sha256"] = durable.sha256(data)
    board.path("lists", store.files(changed[0])["lists"]).write_bytes(data)
    found = analysis.means(board, changed[::-1], by=["parity"], draws=0).to_pylist()
    (even,) = [row for row in found if (row["q_stratum"], row["metric"]) == ("even", "mAP") and row["seeds"] == 2][:1]
    assert even["n_id"] == crowd.PEOPLE // 2
    assert len({row["config_id"] for row in found if row["q_stratum"] == "odd"}) == 2
    with pytest.raises(UserError, match="no scheme or column is called 'parityy'"):
        analysis.means(board, changed, by=["parityy"], draws=0)


def truncated(table: pa.Table, depth: int) -> pa.Table:
    """Keep of every ranking what a list of so many rows shows."""
    made = table.to_pylist()
    for row in made:
        found = [place for place, rank in enumerate(row["pos_ranks"]) if rank <= depth]
        for name in ("pos_ranks", "pos_gidx"):
            row[name] = [row[name][place] for place in found]
        row["first_rank"] = row["pos_ranks"][0] if found else None
        row["first_rank_id"] = 0 if not found else row["first_rank_id"]
    return pa.Table.from_pylist(made, table.schema)


def shortened(board: Board, row: Row, depth: int) -> Row:
    """Give a run as it would be, had only the first rows of its rankings been handed in."""
    data = store.encoded("queries", truncated(store.read(board, "queries", store.files(row)["queries"]), depth))
    store.publish(board, "queries", data)
    lacking: Row = {f"R{k}": None for k in (1, 5, 10) if k > depth}
    facts = {"run_id": f"{depth:032d}"[:16] + row["run_id"][16:], "list_depth": depth, "mAP": None}
    return row | facts | {"queries_sha256": durable.sha256(data)} | lacking


def test_of_lists_that_end_early_ranks_one_to_their_depth_are_known(boards: tuple[Board, Board]) -> None:
    board = boards[0]
    good = [row for row in rows(board) if row["method"] == "good"]
    whole = {_place(row): row for row in analysis.means(board, good, draws=100).to_pylist()}
    found = analysis.means(board, [shortened(board, row, 6) for row in good], draws=100).to_pylist()
    assert {row["metric"] for row in found} == {"R1", "R5", "chance_R1"}
    assert {row["cut"] for row in found} == {"all", "query"}
    assert len(found) > 40
    for row in found:
        twin = whole[_place(row)]
        for name in ("value", "sd_seeds", "ci_lo", "ci_hi", "n_query", "n_id", "n_pos_pairs", "seeds"):
            assert row[name] == (pytest.approx(twin[name]) if isinstance(twin[name], float) else twin[name]), name
    # A second look finds all of it: what a truncated run can never have is not asked for again.
    again = [shortened(board, row, 6) for row in good]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(group.Group, "scored", None)
        assert analysis.means(board, again, draws=100).to_pylist() == found


def test_a_whole_and_a_truncated_run_meet_in_what_both_have(boards: tuple[Board, Board]) -> None:
    board = boards[0]
    configs = [next(row["config_id"] for row in rows(board) if row["method"] == name) for name in crowd.NOISE]
    mixed = [shortened(board, row, 3) if row["method"] == "poor" else row for row in rows(board)]
    found = {_place(row): row for row in analysis.pairs(board, mixed, configs[0], configs[1:], flips=50).to_pylist()}
    twin = analysis.pairs(board, rows(board), configs[0], configs[1:], flips=50).to_pylist()
    wanted = {_place(row): row for row in twin if row["metric"] == "R1" and row["cut"] in ("all", "query")}
    assert found.keys() == wanted.keys()
    for place, row in found.items():
        assert (row["difference"], row["p_flip"]) == pytest.approx(
            (wanted[place]["difference"], wanted[place]["p_flip"])
        )
    none = [shortened(board, row, 3) | {"R1": None} if row["method"] == "poor" else row for row in rows(board)]
    assert len(analysis.pairs(board, none, configs[0], configs[1:], flips=50)) == 0


def _place(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("cut", "scheme_id", "q_stratum", "g_stratum", "metric"))


ranked = st.lists(
    st.tuples(st.integers(1, 30), st.integers(0, 20)).flatmap(
        lambda size: st.lists(st.integers(1, sum(size)), min_size=0, max_size=size[0], unique=True).map(
            lambda ranks: (sorted(ranks), sum(size))
        )
    ),
    min_size=1,
    max_size=12,
)


@given(ranked, st.integers(1, 12))
def test_what_is_filled_in_changes_nothing_up_to_the_depth(queries: list[tuple[list[int], int]], depth: int) -> None:
    made = [
        {"pos_ranks": ranks, "pos_gidx": ranks, "n_pos": len(ranks), "n_junk": 0, "n_gallery_eff": seen}
        | {"first_rank_id": ranks[0] if ranks else 0}
        for ranks, seen in queries
    ]
    table = pa.Table.from_pylist(made, QUERIES)
    whole, filled = (query_rows.ranking(one) for one in (table, group.filled(truncated(table, depth))))
    first, again = (metrics.per_query(one.starts, one.ranks, one.seen) for one in (whole, filled))
    assert again.positives.tolist() == first.positives.tolist()
    assert again.negatives.tolist() == first.negatives.tolist()
    for k in range(1, depth + 1):
        assert np.array_equal(metrics.cmc(again.first, k), metrics.cmc(first.first, k), equal_nan=True)
        assert np.array_equal(metrics.cmc(filled.identity, k), metrics.cmc(whole.identity, k), equal_nan=True)
    for start, end, seen in zip(filled.starts[:-1], filled.starts[1:], filled.seen, strict=True):
        own = filled.ranks[start:end]
        assert list(own) == sorted(set(own.tolist()))
        assert not len(own) or own[-1] <= seen


def test_runs_that_hold_other_queries_are_not_averaged(boards: tuple[Board, Board]) -> None:
    good = [row for row in rows(boards[0]) if row["method"] == "good"]
    made = store.read(boards[0], "queries", store.files(good[1])["queries"]).to_pylist()
    made[5] |= {"n_pos": 0, "pos_ranks": [], "pos_gidx": [], "first_rank": 0}
    data = store.encoded("queries", pa.Table.from_pylist(made, QUERIES))
    store.publish(boards[0], "queries", data)
    changed = good[1] | {"run_id": "f" * 32, "queries_sha256": durable.sha256(data)}
    with pytest.raises(UserError, match=r"its levels hold other queries than those of .*board check"):
        analysis.means(boards[0], [good[0], changed], draws=0)
