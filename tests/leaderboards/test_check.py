"""Checking a board: every fault is found, named by its file, and set aside; nothing else is touched."""

import datetime
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark import durable
from benchmark.results import Bundle
from leaderboards import analysis, check, compact, entry, history, store
from leaderboards.check import Report
from leaderboards.store import Board, Row
from tests.leaderboards import crowd

RUNS = 6  # two methods, three seeds


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """Make a board once: two methods, a failed run, marks, a release, what is derived from it."""
    folder = tmp_path_factory.mktemp("whole")
    board = crowd.board(
        folder / "board", crowd.bundles(folder / "bundles", seeds=range(3), of=crowd.world(40), draws=50)
    )
    rows = store.runs(board).rows
    failed = {"run_id": "f" * 32, "status": "failed", "error_class": "UserError", "schema_version": "run/1"}
    store.publish_run(board, failed | {"provenance": "ran_here", "method": "poor"})
    store.publish_mark(board, rows[0]["run_id"], "flagged", None, "it looks too good")
    configs = sorted({row["config_id"] for row in rows})
    clean = [row | {"flagged": False} for row in rows]
    analysis.means(board, clean, by=("size:100,200",), draws=40)
    analysis.pairs(board, clean, configs[0], configs[1:], flips=40)
    compact.compact(board)
    return board


@pytest.fixture
def board(whole: Board, tmp_path: Path) -> Board:
    """Give a copy that may be broken."""
    shutil.copytree(whole.root, tmp_path / "board")
    return Board(tmp_path / "board")


def runs(board: Board) -> list[Row]:
    """List the runs that ended well, always in one order."""
    return sorted((row for row in store.runs(board).rows if row["status"] == "ok"), key=lambda row: row["run_id"])


def path(board: Board, kind: str, row: Row | None = None) -> Path:
    """Find a file of a run."""
    row = row or runs(board)[0]
    name = store.names(board, "runs", f"{row['run_id']}-")[0] if kind == "runs" else store.files(row)[kind]
    return board.path(kind, name)


def doctored(board: Board, row: Row | None = None, tables: dict[str, pa.Table] | None = None, **facts: object) -> Path:
    """Put another row in a run's place, as somebody would who knows how the store names its files."""
    row = row or runs(board)[0]
    old = path(board, "runs", row)
    raw = store.read(board, "runs", old.stem).to_pylist()[0]
    for kind, table in (tables or {}).items():
        data = store.encoded(kind, table)
        prefix = store.lists_prefix(row["lists_sha256"]) if kind == "lists" else ""
        store.publish(board, kind, data, prefix)
        facts[f"{kind}_file_sha256" if kind == "lists" else f"{kind}_sha256"] = durable.sha256(data)
    old.unlink()
    shutil.rmtree(board.root / "compact", ignore_errors=True)
    return board.path("runs", store.publish_run(board, raw | facts))


def column(table: pa.Table, name: str, change: Callable[[list[Any]], list[Any]]) -> pa.Table:
    """Change a column of a table."""
    values = change(table[name].to_pylist())
    return table.set_column(table.column_names.index(name), name, pa.array(values, table.schema.field(name).type))


def said(report: Report) -> str:
    return "\n".join(f"{problem.path}: {problem.what}" for problem in report.problems)


def test_a_board_as_it_was_made_has_no_problem(board: Board) -> None:
    before = sorted(path for path in board.root.rglob("*"))
    report = check.check(board)
    assert said(report) == ""
    assert report.summary == f"{RUNS + 1} runs, {report.counts['file']} files checked: no problems"
    assert check.quarantine(board, report) == []
    assert sorted(board.root.rglob("*")) == before
    files = [one for one in board.root.rglob("*") if one.is_file() and "results" in one.parts]
    assert report.counts["file"] == len(files)


def test_nothing_comes_out_otherwise_when_all_is_drawn_again(board: Board) -> None:
    assert said(check.check(board, deep=True)) == ""


# --- faults of a disk, or of a careless hand


def flipped(one: Path) -> None:
    data = bytearray(one.read_bytes())
    data[len(data) // 3] ^= 1
    one.write_bytes(data)


def cut(one: Path) -> None:
    one.write_bytes(one.read_bytes()[:-10])


def emptied(one: Path) -> None:
    one.write_bytes(b"")


@pytest.mark.parametrize("kind", ["runs", "queries", "strata", "lists"])
@pytest.mark.parametrize("fault", [flipped, cut, emptied])
def test_a_damaged_file_is_found_named_and_set_aside(board: Board, kind: str, fault: Callable[[Path], None]) -> None:
    broken, others = path(board, kind), [row["run_id"] for row in runs(board)[1:]]
    fault(broken)
    report = check.check(board)
    assert broken in {problem.path for problem in report.problems}
    assert all("\n" not in problem.what and str(problem.path) not in problem.what for problem in report.problems)
    moved = check.quarantine(board, report)
    assert not broken.exists()
    aside = board.root / "quarantine" / broken.relative_to(board.root)
    assert aside in moved
    assert json.loads(aside.with_name(f"{aside.name}.json").read_text())["reason"]
    assert said(check.check(board)) == ""
    assert [row["run_id"] for row in runs(board)] == ([] if kind == "lists" else others)


def test_a_row_goes_before_its_files(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = path(board, "queries")
    its = {path(board, kind) for kind in ("runs", "queries", "strata")}
    cut(broken)
    order = list[Path]()
    move = store.set_aside

    def noted(where: Board, one: Path, reason: str) -> Path:
        order.append(one)
        return move(where, one, reason)

    monkeypatch.setattr(store, "set_aside", noted)
    check.quarantine(board, check.check(board))
    assert order[0].parent.name == "runs"
    assert its <= set(order)
    assert all(board.path("lists", name).exists() for name in store.names(board, "lists"))


@pytest.mark.parametrize("kind", ["queries", "strata", "lists"])
def test_a_missing_file_is_named_with_its_run(board: Board, kind: str) -> None:
    row, gone = runs(board)[0], path(board, kind)
    gone.unlink()
    report = check.check(board)
    assert f"its {kind}, {gone.stem}, are not on the board" in said(report)
    check.quarantine(board, report)
    assert row["run_id"] not in {row["run_id"] for row in runs(board)}


def test_a_file_of_another_schema_is_found(board: Board) -> None:
    table = pa.table({"run_id": ["a"], "score": [1.0]}).replace_schema_metadata({"luxreid.schema": "queries/2"})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    store.publish(board, "queries", sink.getvalue().to_pybytes())
    assert "is queries/2, this version reads queries/1" in said(check.check(board))


def test_a_file_that_nobody_names_is_noted_and_left(board: Board) -> None:
    row = runs(board)[0]
    path(board, "runs").unlink()
    shutil.rmtree(board.root / "compact", ignore_errors=True)
    report = check.check(board)
    assert said(report) == ""
    assert any("queries: 1 file that no run names" in note for note in report.notes)
    assert path(board, "queries", row | {"status": "ok"}).exists()


# --- figures that were changed by somebody who knows the store


FACTS: Sequence[tuple[dict[str, Any], str]] = (
    ({"mAP": 0.99}, "mAP is 0.99, the ranks give"),
    ({"R1": 0.5}, "R1 is 0.5, the ranks give"),
    ({"mINP": 1.5}, "mINP is 1.5, must lie between 0 and 1"),
    ({"n_query_valid": 3}, "n_query_valid is 3"),
    ({"status": "fine"}, "status is 'fine'"),
    ({"provenance": "literature"}, "provenance is 'literature'"),
    ({"division": "best"}, "division is 'best'"),
    ({"protocol_sha256": "0" * 64}, "market-style is"),
    ({"junk_rule": "own copy"}, "by market-style it is"),
    ({"protocol_id": "lab", "junk_rule": "own copy; place 3 for a query at place 1"}, "n_pos is"),
    ({"lists_sha256": "0" * 64}, "lists"),
    ({"measures_sha256": "0" * 64}, "measures_sha256 is"),
    ({"run_id": "0" * 32}, "hold rows of"),
    ({"queries_sha256": None}, "names no queries"),
    ({"config_json": "[1"}, "config_json is no JSON object"),
)


@pytest.mark.parametrize(("facts", "words"), FACTS, ids=[words for _, words in FACTS])
def test_a_changed_fact_is_found_and_set_aside(board: Board, facts: dict[str, Any], words: str) -> None:
    new = doctored(board, **facts)
    report = check.check(board)
    assert words in said(report)
    assert new in {problem.path for problem in report.problems}
    check.quarantine(board, report)
    assert not new.exists()
    assert len(runs(board)) == RUNS - 1
    assert said(check.check(board)) == ""


def test_a_row_that_names_a_file_outside_moves_nothing_there(board: Board) -> None:
    outside = board.root.parent / "mine.parquet"
    outside.write_bytes(b"mine")
    doctored(board, queries_sha256="../../../mine")
    report = check.check(board)
    assert "queries_sha256 is '../../../mine', must be 64 hexadecimal digits" in said(report)
    check.quarantine(board, report)
    assert outside.read_bytes() == b"mine"
    assert len(runs(board)) == RUNS - 1


def test_a_changed_cell_is_found(board: Board) -> None:
    strata = store.tables(board, runs(board)[0])["strata"]
    new = doctored(board, tables={"strata": column(strata, "value", lambda values: [values[0] + 0.01, *values[1:]])})
    assert f"{new}: strata: mAP of all (all): value is" in said(check.check(board))


def test_a_positive_that_was_left_out_is_found(board: Board) -> None:
    queries = store.tables(board, runs(board)[0])["queries"]
    rows = queries.to_pylist()
    row = next(row for row in rows if row["n_pos"] == 3)
    row |= {name: row[name][:2] for name in ("pos_ranks", "pos_gidx")} | {"n_pos": 2, "n_junk": row["n_junk"] + 1}
    new = doctored(board, tables={"queries": pa.Table.from_pylist(rows, queries.schema)})
    assert f"{new}: queries: {row['image_id']}: n_pos is 2, must be 3" in said(check.check(board))


def test_lists_that_were_measured_otherwise_are_found(board: Board) -> None:
    lists = store.tables(board, runs(board)[0])["lists"]
    darker = column(lists, "lightness", lambda values: [value / 2 for value in values])
    new = doctored(board, tables={"lists": darker})
    text = said(check.check(board))
    assert f"{new}: measures_sha256 is" in text
    assert f"{new}: strata: " in text


def test_rows_that_contradict_each_other_are_both_set_aside(board: Board) -> None:
    row = runs(board)[0]
    old = path(board, "runs")
    raw = store.read(board, "runs", old.stem).to_pylist()[0]
    new = board.path("runs", store.publish_run(board, raw | {"seed": 77}))
    report = check.check(board)
    assert {problem.path for problem in report.problems} == {old, new}
    assert "contradicts" in said(report)
    check.quarantine(board, report)
    assert row["run_id"] not in {row["run_id"] for row in runs(board)}
    assert said(check.check(board)) == ""


def test_one_row_in_two_files_is_only_noted(board: Board) -> None:
    raw = store.read(board, "runs", path(board, "runs").stem)
    sink = pa.BufferOutputStream()
    pq.write_table(raw.replace_schema_metadata({"luxreid.schema": "runs/1"}), sink, write_page_checksum=True)
    store.publish(board, "runs", sink.getvalue().to_pybytes(), f"{raw['run_id'][0]}-")
    report = check.check(board)
    assert said(report) == ""
    assert any("two files hold the same row" in note for note in report.notes)


def test_the_same_vectors_under_two_names_are_noted(board: Board) -> None:
    first, other = runs(board)[0], next(row for row in runs(board) if row["method"] != runs(board)[0]["method"])
    for row in (first, other):
        doctored(board, row, features_sha256="e" * 64)
    assert any("have the same vectors under two names" in note for note in check.check(board).notes)


def test_a_protocol_of_ones_own_is_noted(board: Board) -> None:
    doctored(board, protocol_id="lab-night", protocol_sha256="1" * 64)
    report = check.check(board)
    assert said(report) == ""
    assert any("lab-night is none of ours" in note for note in report.notes)


def test_an_interval_is_drawn_again_where_that_is_asked_for(board: Board) -> None:
    strata = store.tables(board, runs(board)[0])["strata"]
    place = next(place for place, low in enumerate(strata["ci_lo"].to_pylist()) if low)
    narrower = column(strata, "ci_lo", lambda values: [*values[:place], values[place] + 0.01, *values[place + 1 :]])
    new = doctored(board, tables={"strata": narrower})
    assert said(check.check(board)) == ""
    text = said(check.check(board, deep=True))
    assert f"{new}: strata: " in text
    assert "drawn again" in text


# --- files beside the runs


def test_a_file_that_is_kept_beside_the_tables_is_looked_into(board: Board) -> None:
    row, sha256 = runs(board)[0], store.publish_blob(board, b"{}")
    new = doctored(board, files=[{"name": "config.json", "sha256": sha256, "size": 2}])
    assert said(check.check(board)) == ""
    board.blob(sha256).write_bytes(b"{ }")
    report = check.check(board)
    assert {problem.path for problem in report.problems} == {board.blob(sha256)}
    moved = check.quarantine(board, report)
    assert not new.exists()
    assert moved[0].parent.name == "runs"
    assert row["run_id"] not in {row["run_id"] for row in runs(board)}
    other = doctored(board, files=[{"name": "log.jsonl", "sha256": "a" * 64, "size": 2}])
    assert f"{other}: its log.jsonl, {'a' * 32}, is not on the board" in said(check.check(board))


def test_a_release_that_says_something_else_than_its_files_is_found(board: Board) -> None:
    release = store.releases(board)[0]
    record = json.loads((release / "release.json").read_text())
    table = store.released(board, release, "runs")
    data = store.encoded("runs", column(table, "mAP", lambda values: [0.9] * len(values)))
    (release / "runs.parquet").write_bytes(data)
    assert "its bytes are not those that release.json names" in said(check.check(board))
    record["tables"]["runs.parquet"]["sha256"] = durable.sha256(data)
    (release / "release.json").write_text(json.dumps(record))
    report = check.check(board)
    assert f"{release}: runs.parquet: its rows of" in said(report)
    assert {problem.path for problem in report.problems} == {release}
    check.quarantine(board, report)
    assert store.releases(board) == []
    assert said(check.check(board)) == ""


def test_what_was_released_may_not_vanish(board: Board) -> None:
    gone = path(board, "runs")
    gone.unlink()
    for _ in range(2):  # setting aside does not make it good
        report = check.check(board)
        assert "was released in" in said(report)
        assert gone in {problem.path for problem in report.problems}
        check.quarantine(board, report)


@pytest.mark.parametrize(
    ("kind", "name"), [("means", "value"), ("means", "sd_seeds"), ("pairs", "difference"), ("pairs", "a")]
)
def test_a_derived_number_that_its_runs_do_not_give_is_found(board: Board, kind: str, name: str) -> None:
    def better(values: list[Any]) -> list[Any]:
        return [value and value + 0.01 for value in values]

    new = changed_derived(board, kind, name, better)
    report = check.check(board)
    assert {problem.path for problem in report.problems} == {new}
    assert f": {name} is" in said(report)
    check.quarantine(board, report)
    assert said(check.check(board)) == ""


@pytest.mark.parametrize(("kind", "name"), [("means", "ci_hi"), ("pairs", "p_flip")])
def test_a_derived_interval_is_drawn_again_where_that_is_asked_for(board: Board, kind: str, name: str) -> None:
    new = changed_derived(board, kind, name, lambda values: [value and value * 0.9 for value in values])
    assert said(check.check(board)) == ""
    report = check.check(board, deep=True)
    assert {problem.path for problem in report.problems} == {new}
    assert f": {name} is" in said(report)


def changed_derived(board: Board, kind: str, name: str, change: Callable[[list[Any]], list[Any]]) -> Path:
    """Put other derived numbers in the place of those that are there."""
    old = store.names(board, kind)
    table = pa.concat_tables([store.read(board, kind, one) for one in old])
    for one in old:
        board.path(kind, one).unlink()
    return board.path(kind, store.publish(board, kind, store.encoded(kind, column(table, name, change))))


def test_derived_numbers_of_runs_that_are_gone_are_only_noted(board: Board) -> None:
    cut(path(board, "runs"))
    check.quarantine(board, check.check(board))
    report = check.check(board)
    assert said(report) == ""
    assert any("rows of runs that are not on the board" in note for note in report.notes)


def test_a_mark_must_be_one_that_is_known(board: Board) -> None:
    row: Row = {"run_id": runs(board)[0]["run_id"], "mark": "excellent", "at": datetime.datetime.now(datetime.UTC)}
    store.publish(board, "marks", store.encoded("marks", pa.Table.from_pylist([row], history.MARKS)))
    strange = row | {"mark": "flagged", "run_id": "9" * 32}
    store.publish(board, "marks", store.encoded("marks", pa.Table.from_pylist([strange], history.MARKS)))
    report = check.check(board)
    assert [problem.what.split(";")[0] for problem in report.problems] == [
        f"mark is 'excellent', must be one of {', '.join(history.MARKS_KNOWN)}"
    ]
    assert any(f"names run {'9' * 32}" in note for note in report.notes)


def test_what_does_not_add_up_is_refused_at_the_door(board: Board, tmp_path: Path) -> None:
    folder = crowd.bundle(tmp_path / "b", "new", 0, crowd.world(40), draws=0)
    crowd.altered(folder, mAP=0.999)
    with pytest.raises(Exception, match=r"mAP is 0\.999, the ranks give"):
        entry.add(board, folder)
    assert isinstance(store.bundle(board, runs(board)[0]), Bundle)
