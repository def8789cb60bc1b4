"""The store: what is written comes back, what is damaged is named and left out, what was said later is heard."""

import errno
import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark import durable
from benchmark.errors import UserError
from leaderboards import history, store
from leaderboards.store import Board
from tests.leaderboards import shelf

RUNS = 4


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """Make a board of a few runs."""
    made = store.begun(tmp_path / "board")
    for number in range(RUNS):
        shelf.run(made, number)
    return made


def only_file(board: Board, kind: str, number: int = 0) -> Path:
    """Give the file of a kind that belongs to a run."""
    row = shelf.record(number) | shelf.tables(board, number)
    name = store.names(board, "runs", row["run_id"])[0] if kind == "runs" else store.files(row)[kind]
    return board.path(kind, name)


def damaged(path: Path, data: bytes) -> None:
    """Write other bytes to a place, as a fault of the disk does."""
    path.write_bytes(data)


# --- what is written comes back


def test_what_is_added_comes_back_whole(board: Board) -> None:
    schema = history.kind("runs").schema
    expected = pa.Table.from_pylist(
        [shelf.record(number) | shelf.tables(board, number) for number in range(RUNS)], schema
    )
    assert sorted(store.load(board, "runs").table.to_pylist(), key=lambda row: row["seed"]) == expected.to_pylist()
    rows = store.runs(board).rows
    assert {row["run_id"]: row["broken"] for row in rows} == {shelf.run_id(number): None for number in range(RUNS)}
    for row in rows:
        found = store.bundle(board, row).tables
        assert found["queries"].to_pylist() == shelf.queries(row["seed"]).to_pylist()
        assert found["strata"].to_pylist() == shelf.strata(row["seed"]).to_pylist()
        assert found["lists"].to_pylist() == shelf.lists().to_pylist()


def test_every_file_is_named_by_the_hash_of_its_bytes(board: Board) -> None:
    for kind in ("runs", "queries", "strata", "lists"):
        for path in board.folder(kind).iterdir():
            assert path.stem.endswith(durable.sha256(path.read_bytes())[:32])
    assert {name.split("-")[0] for name in store.names(board, "runs")} == {shelf.run_id(n) for n in range(RUNS)}
    assert store.names(board, "lists", store.lists_prefix(shelf.LISTS_SHA256)) == store.names(board, "lists")


def test_adding_again_changes_nothing(board: Board) -> None:
    before = {path: path.stat().st_mtime_ns for path in board.root.rglob("*.parquet")}
    for number in range(RUNS):
        shelf.run(board, number)
    assert {path: path.stat().st_mtime_ns for path in board.root.rglob("*.parquet")} == before
    assert not list((board.root / "staging").iterdir())


def test_adding_again_mends_what_was_damaged(board: Board) -> None:
    path = only_file(board, "runs")
    whole = path.read_bytes()
    damaged(path, whole[:100])
    assert len(store.runs(board).rows) == RUNS - 1
    shelf.run(board, 0)
    assert path.read_bytes() == whole
    assert store.runs(board).problems == ()


def test_runs_come_in_the_order_of_their_names(board: Board) -> None:
    assert [row["run_id"] for row in store.runs(board).rows] == sorted(shelf.run_id(number) for number in range(RUNS))


def test_one_run_is_found_without_opening_the_others(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, read = list[str](), store.read

    def watched(board: Board, kind: str, name: str, columns: tuple[str, ...]) -> pa.Table:
        opened.append(name)
        return read(board, kind, name, columns)

    monkeypatch.setattr(store, "read", watched)
    found = store.rows_of(board, shelf.run_id(2), ("run_id",))
    assert found == [{"run_id": shelf.run_id(2)}]
    assert opened == store.names(board, "runs", shelf.run_id(2))
    assert len(opened) == 1


def test_columns_and_files_are_chosen(board: Board) -> None:
    names = store.names(board, "runs")
    some = store.load(board, "runs", ("mAP", "run_id"), names[1:3]).table
    assert set(some.column_names) == {"mAP", "run_id"}
    assert some["run_id"].to_pylist() == [name.split("-")[0] for name in names[1:3]]
    named = store.load_named(board, "strata", ("value",)).table
    assert [name for name, _ in zip(named["file"].to_pylist(), range(99), strict=False)] == [
        name for name in store.names(board, "strata") for _ in range(3)
    ]


def test_a_board_without_a_kind_has_an_empty_table_of_its_columns(tmp_path: Path) -> None:
    empty = store.begun(tmp_path / "board")
    for kind in history.KINDS:
        assert store.load(empty, kind).table.schema.equals(history.kind(kind).schema)
    assert store.runs(empty) == ([], ())


# --- what is damaged is named and left out


@settings(deadline=None)
@given(where=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_seen(tmp_path_factory: pytest.TempPathFactory, where: int, bit: int) -> None:
    board = store.begun(tmp_path_factory.mktemp("flipped") / "board")
    for number in range(2):
        shelf.run(board, number)
    path = only_file(board, "queries")
    data = bytearray(path.read_bytes())
    data[where % len(data)] ^= 1 << bit
    damaged(path, bytes(data))
    loaded = store.load(board, "queries")
    assert loaded.problems == (
        f"{path}: its bytes are not those it is named by; it was changed or cut; `luxreid board check` sets it aside",
    )
    assert loaded.table.to_pylist() == shelf.queries(1).to_pylist()


@pytest.mark.parametrize("kind", ["runs", "queries", "strata", "lists"])
@pytest.mark.parametrize("kept", [0, 4, 1000, -1])
def test_a_cut_file_is_seen_and_the_others_are_read(board: Board, kind: str, kept: int) -> None:
    path, before = only_file(board, kind), len(store.load(board, kind).table)
    damaged(path, path.read_bytes()[:kept])
    loaded = store.load(board, kind)
    assert len(loaded.problems) == 1
    assert str(path) in loaded.problems[0]
    assert len(loaded.table) < before


def test_a_changed_page_is_seen_even_under_a_name_that_fits(board: Board) -> None:
    """Whoever renames a changed file to its new hash still meets the checksum of the page."""
    path = only_file(board, "queries")
    data = bytearray(path.read_bytes())
    with pq.ParquetFile(path) as file:
        group = file.metadata.row_group(0)
        column = next(group.column(i) for i in range(group.num_columns) if group.column(i).path_in_schema == "ap")
    data[column.data_page_offset + column.total_compressed_size - 1] ^= 1  # the last byte of its last page
    name = store.publish(board, "queries", bytes(data))
    with pytest.raises(UserError, match=r"cannot be read as a Parquet table: .*(CRC|crc|checksum)"):
        store.read(board, "queries", name)


def test_what_is_no_file_of_the_store_is_named(board: Board) -> None:
    (board.folder("runs") / "part-0.parquet").write_bytes(b"PAR1 and more")
    (board.folder("runs") / "folder.parquet").mkdir()
    (board.folder("runs") / "readme.txt").write_text("no table: not looked at")
    loaded = store.runs(board)
    assert len(loaded.rows) == RUNS
    assert [problem.split("/")[-1] for problem in loaded.problems] == [
        "folder.parquet: cannot read: Is a directory",
        "part-0.parquet: its bytes are not those it is named by; it was changed or cut; "
        "`luxreid board check` sets it aside",
    ]


@pytest.mark.parametrize("kind", ["queries", "strata", "lists"])
def test_a_run_without_its_table_is_broken(board: Board, kind: str) -> None:
    only_file(board, kind).unlink()
    rows = store.runs(board, ("mAP",)).rows
    broken = {row["run_id"] for row in rows if row["broken"] == f"its {kind} are not on the board"}
    assert broken == ({shelf.run_id(n) for n in range(RUNS)} if kind == "lists" else {shelf.run_id(0)})


def test_a_run_that_ended_well_must_name_its_tables(board: Board) -> None:
    shelf.run(board, 9, queries_sha256=None, strata_sha256=None)
    shelf.run(board, 8, "failed", queries_sha256=None, strata_sha256=None, lists_file_sha256=None)
    broken = {row["run_id"]: row["broken"] for row in store.runs(board).rows}
    assert broken[shelf.run_id(9)] == "it ended well and names no queries and no strata"
    assert broken[shelf.run_id(8)] is None


def test_unknown_columns_stay_and_those_that_clash_are_named(board: Board) -> None:
    made = (
        ("new", pa.int32()),
        ("new", pa.int64()),
        ("other", pa.int32()),
        ("other", pa.string()),
        ("file", pa.string()),
    )
    for number, (name, kind) in enumerate(made):
        row = shelf.record(20 + number, "failed")
        table = shelf.table("runs", [row]).append_column(name, pa.array([7]).cast(kind))
        table = table.replace_schema_metadata({"luxreid.schema": "runs/1"})
        store.publish(board, "runs", store.encoded("runs", table), f"{row['run_id']}-")
    loaded = store.load(board, "runs")
    assert loaded.problems == (f"{board.folder('runs')}: column 'other' has several types and is left out",)
    assert [value for value in loaded.table["new"].to_pylist() if value] == [7, 7]  # the wider of two numbers
    assert {"other", "file"}.isdisjoint(loaded.table.column_names)
    assert len(store.runs(board).rows) == RUNS + len(made)


# --- many states and many words about one run


def test_a_run_stands_in_its_furthest_state(board: Board) -> None:
    for status in ("killed", "partial", "ok"):
        shelf.run(board, 7, status)
    shelf.run(board, 8, "killed")
    shelf.run(board, 8, "failed")
    rows = {row["run_id"]: row for row in store.runs(board).rows}
    assert (rows[shelf.run_id(7)]["status"], rows[shelf.run_id(8)]["status"]) == ("ok", "failed")
    assert not any(row["broken"] for row in rows.values())
    assert len(store.rows_of(board, shelf.run_id(7))) == 3


@pytest.mark.parametrize("columns", [None, ("mAP",), ("method",)])
def test_two_rows_that_contradict_each_other_are_seen_whatever_is_asked(
    board: Board, columns: tuple[str, ...] | None
) -> None:
    shelf.run(board, 1, mAP=0.9)
    loaded = store.runs(board, columns)
    (row,) = (row for row in loaded.rows if row["run_id"] == shelf.run_id(1))
    assert row["broken"] == "two rows of this run say different things"
    assert [problem for problem in loaded.problems if shelf.run_id(1) in problem]
    assert len(loaded.rows) == RUNS


def test_the_same_row_in_other_bytes_contradicts_nothing(board: Board) -> None:
    """Another version of the library writes the same row otherwise."""
    import io

    row = shelf.record(1) | shelf.tables(board, 1)
    table = shelf.table("runs", [row]).replace_schema_metadata({"luxreid.schema": "runs/1"})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="snappy", write_page_checksum=True)
    store.publish(board, "runs", buffer.getvalue(), f"{row['run_id']}-")
    assert len(store.names(board, "runs", row["run_id"])) == 2
    loaded = store.runs(board)
    assert (len(loaded.rows), loaded.problems) == (RUNS, ())


def test_a_state_that_nobody_knows_is_named(board: Board) -> None:
    shelf.run(board, 6, "excellent")
    (row,) = (row for row in store.runs(board).rows if row["run_id"] == shelf.run_id(6))
    assert row["broken"] == "its status is 'excellent', which is none of ok, failed, partial, killed"


def test_marks_are_heard_in_their_order(board: Board) -> None:
    first, second, third, fourth = (shelf.run_id(number) for number in range(4))
    store.publish_mark(board, first, "flagged", why="a copy")
    store.publish_mark(board, second, "flagged", why="an error")
    store.publish_mark(board, second, "cleared", why="no error")
    store.publish_mark(board, third, "superseded", fourth)
    store.publish_mark(board, fourth, "verified", "a machine")
    store.publish_mark(board, fourth, "reason", "oom")
    rows = {row["run_id"]: row for row in store.runs(board, ("flagged", "flag_reason", "superseded_by")).rows}
    assert (rows[first]["flagged"], rows[first]["flag_reason"]) == (True, "a copy")
    assert (rows[second]["flagged"], rows[second]["flag_reason"]) == (False, "no error")
    assert rows[third]["superseded_by"] == fourth
    assert (rows[fourth]["provenance"], rows[fourth]["reason_code"]) == ("verified", "oom")
    assert (rows[first]["provenance"], rows[first].get("reason_code")) == ("ran_here", None)


@pytest.mark.parametrize(
    ("run", "mark", "value", "said"),
    [
        (0, "flaged", None, "mark 'flaged' is not known; did you mean 'flagged'?"),
        (0, "reason", "no time", "reason 'no time' is not known"),
        (99, "flagged", None, "has no run "),
        (0, "superseded", "nobody", "has no run 'nobody'"),
        (0, "superseded", shelf.run_id(0), "cannot be superseded by itself"),
    ],
)
def test_a_mark_that_means_nothing_is_refused(board: Board, run: int, mark: str, value: str | None, said: str) -> None:
    with pytest.raises(UserError, match=said):
        store.publish_mark(board, shelf.run_id(run), mark, value)
    assert store.names(board, "marks") == []


# --- the board as a place


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"run_id": "../../../evil"}, "must be digits and letters"),
        ({"run_id": ""}, "must be digits and letters"),
        ({"mAP": "high"}, r"run [0-9a-f]{32}: does not fit runs/1"),
        ({"seed": 2**40}, "does not fit runs/1"),
        ({"notes": "half \ud800"}, "does not fit runs/1"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_in_one_line(board: Board, facts: dict[str, Any], said: str) -> None:
    before = sorted(board.root.parent.rglob("*"))
    with pytest.raises(UserError, match=said):
        store.publish_run(board, shelf.record(50) | facts)
    assert sorted(board.root.parent.rglob("*")) == before


def test_a_folder_of_other_things_becomes_no_board(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    for made in (store.begun, store.opened):
        with pytest.raises(UserError, match="is no board"):
            made(tmp_path)
    with pytest.raises(UserError, match="is no board"):
        store.begun(tmp_path / "thesis.tex")
    with pytest.raises(UserError, match="is no board"):
        store.opened(tmp_path / "thesis.tex" / "below")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_board_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "board.json").write_text('{"schema":"board/2"}')
    with pytest.raises(UserError, match=r"board\.json: schema is 'board/2', this version reads 'board/1'"):
        store.begun(tmp_path)


def _begin(root: str) -> str:
    board = store.begun(Path(root))
    shelf.run(board, multiprocessing.current_process()._identity[0])
    return str(board.root)


def test_a_board_may_be_begun_by_many_at_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert set(pool.map(_begin, [str(tmp_path / "board")] * 4, chunksize=1)) == {str(tmp_path / "board")}
    rows = store.runs(store.opened(tmp_path / "board"))
    assert rows.rows
    assert rows.problems == ()


def test_what_is_set_aside_keeps_its_reason_and_all_its_bytes(board: Board) -> None:
    path = only_file(board, "runs")
    whole = path.read_bytes()
    damaged(path, b"one")
    first = store.set_aside(board, path, "cut")
    shelf.run(board, 0)
    second = store.set_aside(board, path, "flagged by hand")
    assert (first.read_bytes(), second.read_bytes()) == (b"one", whole)
    for moved, reason in ((first, "cut"), (second, "flagged by hand")):
        said = durable.read_json(moved.with_name(f"{moved.name}.json"))
        assert (said["file"], said["reason"]) == (f"results/runs/{path.name}", reason)
    assert len(store.runs(board).rows) == RUNS - 1
    with pytest.raises(UserError, match="cannot set aside: No such file"):
        store.set_aside(board, path, "gone")


def test_a_board_can_be_copied_and_moved(board: Board, tmp_path: Path) -> None:
    shutil.copytree(board.root, tmp_path / "copy")
    copied = store.opened(tmp_path / "copy")
    assert store.runs(copied) == store.runs(board)


def test_a_write_that_is_cut_off_leaves_nothing(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in board.root.rglob("*") if path.is_file()}

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"strata/[0-9a-f]{32}\.parquet: cannot write: No space left on device"):
        store.publish(board, "strata", store.encoded("strata", shelf.strata(77)))
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in board.root.rglob("*") if path.is_file()} == before
    assert len(store.runs(board).rows) == RUNS


def test_a_folder_appears_at_once_or_not_at_all(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    target = board.root / "compact" / "one"
    store.write_folder(board, target, {"a": b"1", "b": b"2"})
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {"a": b"1", "b": b"2"}

    def full(path: Path, data: bytes) -> None:
        if path.name == "b":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        path.write_bytes(data)

    monkeypatch.setattr(store, "_write", full)
    with pytest.raises(UserError, match="two: cannot write: No space left on device"):
        store.write_folder(board, board.root / "compact" / "two", {"a": b"1", "b": b"2"})
    assert [path.name for path in (board.root / "compact").iterdir()] == ["one"]
    assert not list((board.root / "staging").iterdir())


def test_a_row_of_its_own_file_has_checksums(board: Board) -> None:
    path = only_file(board, "runs")
    data = bytearray(path.read_bytes())
    place = data.find(b"method 0")
    assert place > 0
    data[place] ^= 1
    with pytest.raises(UserError, match="cannot be read as a Parquet table"):
        store.decoded(bytes(data), "runs", "here")


@pytest.mark.parametrize("name", ["README.md", "LICENSE"])
def test_a_folder_that_only_says_what_it_will_be_becomes_a_board(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("a board")
    assert store.begun(tmp_path).root == tmp_path
    assert (tmp_path / name).read_text() == "a board"


def test_a_verified_run_keeps_what_it_was_added_as(board: Board) -> None:
    for _ in range(2):
        store.publish_mark(board, shelf.run_id(0), "verified", "m")
    (row,) = (row for row in store.runs(board).rows if row["run_id"] == shelf.run_id(0))
    assert (row["provenance"], row["added_as"]) == ("verified", "ran_here")
