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
from benchmark.errors import UserError
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
    doctored(board, protocol_id="lab-night", protocol_sha256="1" * 64, config_id="5" * 64)
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
    with pytest.raises(UserError, match=r"mAP is 0\.999, the ranks give"):
        entry.add(board, folder)
    assert len(runs(board)) == RUNS


# --- what somebody does who knows the store, and what only looks like it


def copied(board: Board, row: Row, **facts: object) -> Path:
    """Put a run on the board once more, under another name, with its tables."""
    raw = store.read(board, "runs", path(board, "runs", row).stem).to_pylist()[0] | facts
    for kind in ("queries", "strata"):
        table = store.tables(board, row, (kind,))[kind]
        data = store.encoded(kind, column(table, "run_id", lambda values: [raw["run_id"]] * len(values)))
        store.publish(board, kind, data)
        raw[f"{kind}_sha256"] = durable.sha256(data)
    shutil.rmtree(board.root / "compact", ignore_errors=True)
    return board.path("runs", store.publish_run(board, raw))


def problems_of(board: Board) -> dict[Path, str]:
    """Give the problems of every file in one text."""
    found = dict[Path, str]()
    for problem in check.check(board).problems:
        found[problem.path] = f"{found.get(problem.path, '')}{problem.what}\n"
    return found


LATER = datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC)
NEW = {"run_id": "a" * 32, "started_at": LATER}


@pytest.mark.parametrize("facts", [{"seed": 77}, {"seed": None}, {"config_id": "5" * 64, "features_sha256": "6" * 64}])
def test_the_ranks_of_one_run_under_another_seed_or_configuration_are_a_problem(
    board: Board, facts: dict[str, Any]
) -> None:
    row = runs(board)[0]
    new = copied(board, row, **NEW, **facts)
    assert problems_of(board) == {
        new: f"has the very ranks of run {row['run_id'][:8]}, which has another seed or configuration\n"
    }


def test_a_network_that_is_evaluated_again_or_ranked_otherwise_is_no_copy(board: Board) -> None:
    doctored(board, features_sha256="e" * 64)
    row = runs(board)[0]
    copied(board, row, **NEW)
    copied(board, row, **(NEW | {"run_id": "b" * 32}), config_id="5" * 64, metric="cosine")
    copied(board, row, **(NEW | {"run_id": "c" * 32}), config_id="6" * 64)  # of the same vectors, and says so
    assert said(check.check(board)) == ""


@pytest.mark.parametrize(
    "facts",
    [
        {"method": "other"},
        {"config_json": '{"noise": 9}'},
        {"train_sets": [{"name": "secret", "data_sha256": "7" * 64}]},
        {"metric": "cosine"},
        {"rerank": "k-reciprocal"},
        {"flip_tta": True},
    ],
    ids=str,
)
def test_rows_of_one_configuration_agree(board: Board, facts: dict[str, Any]) -> None:
    new = doctored(board, **facts)
    assert problems_of(board).keys() == {new}
    assert f"{next(iter(facts))} is " in said(check.check(board))


def test_the_order_of_keys_makes_no_other_configuration(board: Board) -> None:
    first, second = (row for row in runs(board) if row["method"] == "good" and row["seed"] < 2)
    third = next(row for row in runs(board) if row["method"] == "good" and row["seed"] == 2)
    for row, text in ((first, '{"a": 1, "b": 2}'), (second, '{"b": 2, "a": 1}'), (third, '{"b":2,"a":1}')):
        doctored(board, row, config_json=text)
    assert said(check.check(board)) == ""


@pytest.mark.parametrize("facts", [{"junk_rule": "own copy"}, {"invalid_query_policy": "count"}, {"rank_by": "R1"}])
def test_a_protocol_of_ours_under_another_name_has_our_rules(board: Board, facts: dict[str, Any]) -> None:
    new = doctored(board, protocol_id="lab", **facts)
    assert f"{next(iter(facts))} is {next(iter(facts.values()))!r}, by " in problems_of(board)[new]


def test_rows_of_one_protocol_agree_in_what_it_decides(board: Board) -> None:
    row, *others = runs(board)
    for other in others:
        doctored(board, other, protocol_id="lab", protocol_sha256="1" * 64)
    new = doctored(board, row, protocol_id="lab", protocol_sha256="1" * 64, rank_by="R1")
    assert "rank_by is 'R1'; other rows of protocol_sha256 11111111 say otherwise" in problems_of(board)[new]


@pytest.mark.parametrize("kind", ["queries", "strata", "lists"])
def test_all_digits_of_a_hash_are_compared(board: Board, kind: str) -> None:
    name = store.HASHES[kind]
    facts: dict[str, Any] = {name: runs(board)[0][name][:32] + "0" * 32}
    new = doctored(board, **facts)
    assert problems_of(board).keys() == {new}
    assert f"{name} is " in said(check.check(board))


def test_measures_are_named_and_files_are_as_long_as_is_said(board: Board) -> None:
    sha256 = store.publish_blob(board, b"{}")
    nameless = doctored(board, measures_sha256=None)
    longer = doctored(board, runs(board)[1], files=[{"name": "config.json", "sha256": sha256, "size": 3}])
    found = problems_of(board)
    assert found.keys() == {nameless, longer}
    assert "measures_sha256 is None" in found[nameless]
    assert "is of 3 bytes, it is of 2" in found[longer]


@pytest.mark.parametrize(("name", "key"), [("log.jsonl", "log_sha256"), ("model.safetensors", "ckpt_sha256")])
def test_a_kept_file_is_the_one_that_the_record_names(board: Board, name: str, key: str) -> None:
    sha256 = store.publish_blob(board, b"{}")
    facts: dict[str, Any] = {key: "c" * 64}
    new = doctored(board, files=[{"name": name, "sha256": sha256, "size": 2}], **facts)
    assert problems_of(board) == {new: f"{key} is {'c' * 64}, its {name} has {sha256}\n"}


def test_nobody_writes_verified_into_a_row(board: Board) -> None:
    new = doctored(board, provenance="verified")
    assert "provenance is 'verified'" in problems_of(board)[new]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"mark": "superseded", "value": None}, "superseded by run None, which is not on the board"),
        ({"mark": "superseded", "value": "9" * 32}, "which is not on the board"),
        ({"mark": "superseded", "value": "self"}, "is superseded by itself"),
        ({"mark": "reason", "value": "bored"}, "reason is 'bored', must be one of"),
    ],
)
def test_a_mark_says_what_a_mark_may_say(board: Board, facts: dict[str, Any], words: str) -> None:
    run = runs(board)[0]["run_id"]
    row = {"run_id": run, "at": LATER} | facts | ({"value": run} if facts["value"] == "self" else {})
    name = store.publish(board, "marks", store.encoded("marks", pa.Table.from_pylist([row], history.MARKS)))
    assert words in problems_of(board)[board.path("marks", name)]


def published(**facts: object) -> pa.Table:
    known = {"method": "X", "dataset": "d", "ap_rule": "discrete", "source": "s", "mAP": 0.5}
    return pa.Table.from_pylist([known | facts], history.PUBLISHED)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"mAP": 5.0}, "'X' from 's': mAP is 5.0, must lie between 0 and 1"),
        ({"R1": float("nan")}, "R1 is nan"),
        ({"ap_rule": "blah"}, "ap_rule is 'blah'"),
        ({"denominator": "some"}, "denominator is 'some'"),
    ],
)
def test_numbers_of_papers_are_shares_by_a_known_rule(board: Board, facts: dict[str, Any], words: str) -> None:
    store.publish(board, "published", store.encoded("published", published()))
    name = store.publish(board, "published", store.encoded("published", published(**facts)))
    found = problems_of(board)
    assert found.keys() == {board.path("published", name)}
    assert words in found[board.path("published", name)]


@pytest.mark.parametrize("place", ["queries/note.txt", "queries/x/y.parquet", "foo/y.parquet"])
def test_what_a_board_does_not_keep_is_found_and_set_aside(board: Board, place: str) -> None:
    stray = board.root / "results" / place
    stray.parent.mkdir(exist_ok=True)
    shutil.copy(path(board, "queries"), stray)
    report = check.check(board)
    assert len(report.problems) == 1
    assert stray.is_relative_to(report.problems[0].path)
    check.quarantine(board, report)
    assert not stray.exists()
    assert len(runs(board)) == RUNS
    assert said(check.check(board)) == ""


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_out_of_the_board_is_found_and_set_aside(board: Board, dangling: bool) -> None:
    one, outside = path(board, "queries"), board.root.parent / "outside.parquet"
    shutil.copy(one, outside)
    one.unlink()
    one.symlink_to(board.root.parent / "nowhere" if dangling else outside)
    report = check.check(board)
    assert f"{one}: is a link out of the board" in said(report)
    check.quarantine(board, report)
    assert not one.is_symlink()
    assert outside.exists()
    assert said(check.check(board)) == ""


def reencoded(board: Board, row: Row, change: Callable[[pa.Table], pa.Table] = lambda table: table) -> None:
    """Put a run on the board as another version of the library encodes it."""
    raw = store.read(board, "runs", path(board, "runs", row).stem).to_pylist()[0]
    for kind, table in store.tables(board, row).items():
        sink = pa.BufferOutputStream()
        given = (change(table) if kind == "strata" else table).replace_schema_metadata({"luxreid.schema": f"{kind}/1"})
        pq.write_table(given, sink, compression="snappy", write_page_checksum=True)
        data = sink.getvalue().to_pybytes()
        store.publish(board, kind, data, store.lists_prefix(row["lists_sha256"]) if kind == "lists" else "")
        raw[store.HASHES[kind]] = durable.sha256(data)
    store.publish_run(board, raw)


def test_one_run_in_two_encodings_is_one_run(board: Board) -> None:
    row = runs(board)[0]
    reencoded(board, row)
    assert len(store.names(board, "runs", row["run_id"])) == 2
    loaded = store.runs(board)
    assert loaded.problems == ()
    assert len(runs(board)) == RUNS
    report = check.check(board)
    assert said(report) == ""
    assert any("two files hold the same row" in note for note in report.notes)
    shutil.rmtree(board.root / "compact")
    assert store.runs(board).rows == loaded.rows  # whatever was read first


def test_of_two_encodings_a_damaged_one_goes_alone(board: Board) -> None:
    row = runs(board)[0]
    before = {path(board, kind, row) for kind in ("queries", "strata")}
    reencoded(board, row)
    cut(next(one for one in before if one.parent.name == "queries"))
    check.quarantine(board, check.check(board))
    assert len(runs(board)) == RUNS
    assert row["run_id"] in {one["run_id"] for one in runs(board)}


def test_two_encodings_of_other_content_contradict_each_other(board: Board) -> None:
    row = runs(board)[0]
    reencoded(
        board, row, lambda table: column(table, "ci_lo", lambda values: [value and value / 2 for value in values])
    )
    assert "contradicts" in said(check.check(board))
    (found,) = (one for one in store.runs(board).rows if one["run_id"] == row["run_id"])
    assert found["broken"] == "two rows of this run say different things"


# --- names


def test_lists_whose_name_begins_with_other_lists_are_found(board: Board) -> None:
    one = path(board, "lists")
    other = one.with_name(f"{'0' * 16}-{one.stem[-store.DIGITS :]}.parquet")
    for row in runs(board):
        doctored(board, row, lists_sha256="0" * 64)
    one.rename(other)
    assert "its name says otherwise" in problems_of(board)[other]


def test_a_row_under_the_name_of_another_run_is_found(board: Board) -> None:
    one = path(board, "runs")
    other = one.with_name(f"{'0' * 32}-{one.stem[-store.DIGITS :]}.parquet")
    shutil.rmtree(board.root / "compact")
    one.rename(other)
    assert problems_of(board) == {
        other: f"is the row of run {runs(board)[0]['run_id']}, but its name begins with {'0' * 32}\n"
    }


def test_a_kept_file_is_noted_where_no_run_names_it_and_only_there(board: Board) -> None:
    used = store.publish_blob(board, b"{}")
    doctored(board, files=[{"name": "config.json", "sha256": used, "size": 2}])
    words = "files that no run names are kept as blobs"
    assert not any(words in note for note in check.check(board).notes)
    store.publish_blob(board, b"unused")
    assert [note for note in check.check(board).notes if words in note] == [f"{board.root}: {words}"]
