"""Releases: what they hold is what the board holds, they can be done without, and cleaning removes nothing of worth."""

import datetime
import errno
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark import durable
from benchmark.errors import UserError
from leaderboards import analysis, compact, history, store
from leaderboards.store import Board, Row
from tests.leaderboards import shelf

RUNS = 4
NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """Make a board of a few runs, one of them in two states, and a mark."""
    made = store.begun(tmp_path / "board")
    for number in range(RUNS):
        shelf.run(made, number)
    shelf.run(made, 1, "killed")
    store.publish_mark(made, shelf.run_id(0), "flagged", why="a copy")
    store.publish_blob(made, b"a log")
    return made


def loaded(board: Board) -> dict[str, list[Row]]:
    """Read everything, in an order that does not depend on where it was read from."""
    found = {kind: store.load_named(board, kind).table.to_pylist() for kind in ("runs", "strata", "marks", "queries")}
    rows = {kind: sorted(its, key=str) for kind, its in found.items()}
    return rows | {"folded": store.runs(board).rows}


def record(release: Path) -> dict[str, Any]:
    return durable.read_json(release / "release.json")


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the names of the files that are opened."""
    opened, read = list[str](), store.read

    def noted(board: Board, kind: str, name: str, columns: tuple[str, ...] | None = None) -> pa.Table:
        opened.append(name)
        return read(board, kind, name, columns)

    monkeypatch.setattr(store, "read", noted)
    return opened


# --- what a release holds


@settings(deadline=None, max_examples=15)
@given(order=st.permutations(range(5)), cuts=st.sets(st.integers(0, 5)))
def test_a_board_reads_the_same_whatever_of_it_is_in_a_release(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], cuts: set[int]
) -> None:
    """Compacted never, once or often, in whatever order runs come: the rows are those of the files."""
    folder = tmp_path_factory.mktemp("boards")
    plain, packed = store.begun(folder / "plain"), store.begun(folder / "packed")
    for place, number in enumerate(order):
        for board in (plain, packed):
            shelf.run(board, number, "failed" if number == 2 else "ok")
        if place in cuts:
            compact.compact(packed)
    assert loaded(packed) == loaded(plain)
    last = [compact.compact(board, NOW) for board in (plain, packed)]
    assert loaded(packed) == loaded(plain)
    for kind in store.COMPACTED:  # the rows of a release do not depend on the releases before it
        assert (last[0] / f"{kind}.parquet").read_bytes() == (last[1] / f"{kind}.parquet").read_bytes()


def test_a_release_is_read_instead_of_the_files_and_never_beyond_them(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = loaded(board)
    compact.compact(board, NOW)
    shelf.run(board, 9)
    opened = watched(monkeypatch)
    assert len(store.load(board, "runs").table) == len(before["runs"]) + 1
    assert opened == store.names(board, "runs", shelf.run_id(9))
    store.set_aside(board, board.path("runs", opened[0]), "a trial")
    name = store.names(board, "runs", shelf.run_id(0))[0]
    store.set_aside(board, board.path("runs", name), "a trial")  # in the release, and gone from the board
    assert {row["run_id"] for row in store.runs(board).rows} == {shelf.run_id(number) for number in range(1, RUNS)}


def test_a_release_names_every_file_with_its_hash(board: Board) -> None:
    release = compact.compact(board, NOW)
    said, results = record(release), board.root / "results"
    files = {str(path.relative_to(results)): path for path in results.rglob("*") if path.is_file()}
    assert said["files"] == {name: durable.sha256(path.read_bytes()) for name, path in files.items()}
    assert set(said["tables"]) == {"runs.parquet", "strata.parquet", "marks.parquet"}
    for name, fact in said["tables"].items():
        assert fact["sha256"] == durable.sha256((release / name).read_bytes())
        assert fact["rows"] == pq.read_metadata(release / name).num_rows
    assert (said["schema"], said["at"]) == ("release/1", "2026-03-01T12:00:00+00:00")
    assert release.name.startswith("20260301T120000Z-")


def test_the_sums_can_be_checked_by_the_tool_that_everyone_has(board: Board) -> None:
    release = compact.compact(board, NOW)
    command = ["sha256sum", "--check", "--quiet", "--strict", str((release / "SHA256SUMS").relative_to(board.root))]
    assert subprocess.run(command, cwd=board.root, capture_output=True, check=False).returncode == 0
    path = board.path("strata", store.names(board, "strata")[0])
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    done = subprocess.run(command, cwd=board.root, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"results/strata/{path.name}: FAILED" in done.stdout


def test_nothing_new_makes_no_release(board: Board) -> None:
    first = compact.compact(board, NOW)
    assert compact.compact(board, NOW + compact.DAY) == first
    store.publish_blob(board, b"another log")
    second = compact.compact(board, NOW + compact.DAY)
    assert second.name > first.name
    assert len(store.releases(board)) == 2


def test_a_release_comes_after_the_newest_even_where_a_clock_is_slow(board: Board) -> None:
    first = compact.compact(board, NOW)
    shelf.run(board, 9)
    second = compact.compact(board, NOW - compact.DAY)
    assert second.name > first.name
    assert store.releases(board) == [first, second]
    assert len(store.released(board, second, "runs")) == RUNS + 2


def test_what_is_broken_is_in_no_release(board: Board) -> None:
    path = board.path("strata", store.names(board, "strata")[0])
    path.write_bytes(b"PAR1")
    release = compact.compact(board, NOW)
    assert f"strata/{path.name}" not in record(release)["files"]
    assert len(store.released(board, release, "strata")) == 3 * (RUNS - 1)
    assert compact.compact(board, NOW + compact.DAY) == release  # and does not make a new one every time


# --- a release that is damaged


@pytest.mark.parametrize(
    "fault",
    ["cut", "flipped", "no table", "no record", "not JSON", "another version", "no files", "numbers for hashes"],
)
def test_a_damaged_release_is_done_without_and_made_again(
    board: Board, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    before = loaded(board)
    release = compact.compact(board, NOW)
    damage(release, fault)
    opened = watched(monkeypatch)
    assert loaded(board) == before
    assert set(store.names(board, "runs")) <= set(opened)
    monkeypatch.undo()
    assert store.runs(board).problems == ()
    again = compact.compact(board, NOW + compact.DAY)
    assert again != release
    assert len(store.released(board, again, "runs")) == RUNS + 1
    assert loaded(board) == before


def damage(release: Path, fault: str) -> None:
    """Do what disks and people do to a folder."""
    runs, said = release / "runs.parquet", release / "release.json"
    if fault == "cut":
        runs.write_bytes(runs.read_bytes()[:-9])
    elif fault == "flipped":
        data = bytearray(runs.read_bytes())
        data[len(data) // 2] ^= 1
        runs.write_bytes(bytes(data))
    elif fault == "no table":
        runs.unlink()
    elif fault == "no record":
        said.unlink()
    elif fault == "not JSON":
        said.write_text("{")
    elif fault == "another version":
        said.write_text(json.dumps(record(release) | {"schema": "release/2"}))
    elif fault == "no files":
        said.write_text(json.dumps({"schema": "release/1"}))
    elif fault == "numbers for hashes":
        runs.unlink()
        said.write_text(json.dumps(record(release) | {"files": dict.fromkeys(record(release)["files"], 7)}))


def test_an_older_release_serves_where_the_newest_is_damaged(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    compact.compact(board, NOW)
    shelf.run(board, 9)
    damage(compact.compact(board, NOW + compact.DAY), "cut")
    before = len(list(store.load(board, "runs").table["run_id"]))
    opened = watched(monkeypatch)
    assert len(store.load(board, "runs").table) == before
    assert opened == store.names(board, "runs", shelf.run_id(9))


# --- by itself, and cleaning


def test_a_board_is_compacted_by_itself_when_many_runs_are_loose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "MANY", 3)
    board = store.begun(tmp_path / "board")
    counts = list[int]()
    for number in range(7):
        shelf.run(board, number)
        compact.maintain(board)
        counts.append(len(store.releases(board)))
    assert counts == [0, 0, 1, 1, 1, 2, 2]


def test_a_board_that_cannot_be_written_to_is_left_alone(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "MANY", 1)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    compact.maintain(board)
    assert store.releases(board) == []
    monkeypatch.undo()
    monkeypatch.setattr(compact, "MANY", 1)

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store, "_write", full)
    with pytest.raises(UserError, match="cannot write: No space left on device"):
        compact.compact(board)
    compact.maintain(board)  # silent: who asked for a table gets the table
    assert store.releases(board) == []


def test_cleaning_removes_what_nothing_needs(board: Board) -> None:
    first = compact.compact(board, NOW)
    shelf.run(board, 9)
    second = compact.compact(board, NOW + compact.DAY)
    before = loaded(board)
    staging = board.root / "staging"
    for name, hours in (("old", 25), ("young", 23)):
        (staging / name).write_bytes(b"half")
        (staging / f"{name} folder").mkdir()
        for path in (staging / name, staging / f"{name} folder"):
            at = (NOW - datetime.timedelta(hours=hours)).timestamp()
            os.utime(path, (at, at))
    assert compact.clean(board, NOW) == [staging / "old", staging / "old folder", first]
    assert compact.clean(board, NOW) == []
    assert sorted(path.name for path in staging.iterdir()) == ["young", "young folder"]
    assert store.releases(board) == [second]
    assert loaded(board) == before


def test_cleaning_keeps_the_newest_release_that_can_be_read(board: Board) -> None:
    first = compact.compact(board, NOW)
    shelf.run(board, 9)
    second = compact.compact(board, NOW + compact.DAY)
    damage(second, "cut")
    assert compact.clean(board, NOW) == [second]
    assert store.releases(board) == [first]


def means(board: Board, config: int, numbers: tuple[int, ...], said: str | None = None) -> str:
    """Publish a derived file that says something of some runs of a configuration."""
    version = said or f"means {analysis.MEANS_VERSION}, 200 draws, seed 0"
    runs = {"config_id": f"{config:064x}", "run_ids": [shelf.run_id(number) for number in numbers], "analysis": version}
    place = {"lists_sha256": shelf.LISTS_SHA256, "scheme_id": "all", "cut": "all", "metric": "mAP"}
    return store.publish(board, "means", store.encoded("means", shelf.table("means", [runs | place])))


def test_cleaning_removes_derived_files_that_are_not_looked_at_any_more(board: Board) -> None:
    good = means(board, 0, (0, 1, 2))
    stale = [
        means(board, 0, (0, 1)),  # a seed came to it
        means(board, 0, (0, 1, 2, 99)),  # a run that is not there
        means(board, 0, (0, 1, 2), "means 0, 200 draws, seed 0"),  # computed by an older version
    ]
    other = means(board, 0, (0, 1), f"means {analysis.MEANS_VERSION}, 500 draws, seed 0")  # of other draws the newest
    broken = board.path("means", "0" * 32)
    broken.write_bytes(b"PAR1")
    assert {path.stem for path in compact.clean(board, NOW)} == {*stale, broken.stem}
    assert store.names(board, "means") == sorted([good, other])


def test_what_the_analysis_has_just_kept_is_not_stale(tmp_path: Path) -> None:
    from tests.leaderboards import crowd

    board = crowd.board(tmp_path / "board", crowd.bundles(tmp_path, seeds=(0, 1), of=crowd.world(12), draws=0))
    rows = store.runs(board).rows
    leader, rival = sorted({row["config_id"] for row in rows})
    analysis.means(board, rows, draws=20)
    analysis.pairs(board, rows, leader, [rival], flips=50)
    kept = {kind: store.names(board, kind) for kind in ("means", "pairs")}
    assert all(kept.values())
    assert compact.clean(board) == []
    assert {kind: store.names(board, kind) for kind in kept} == kept
    assert history.kind("means").derived


# --- what was released is not forgotten


def test_cleaning_keeps_a_release_that_lists_what_is_gone(board: Board) -> None:
    first = compact.compact(board, NOW)
    path = board.path("runs", store.names(board, "runs", shelf.run_id(0))[0])
    data = path.read_bytes()
    path.unlink()
    second = compact.compact(board, NOW + compact.DAY)
    assert compact.clean(board, NOW) == []
    aside = board.root / "quarantine" / path.relative_to(board.root)
    aside.parent.mkdir(parents=True)
    for content, reason in ((b"", None), (data, None), (data, ""), (b"other", "a trial")):
        aside.write_bytes(content)
        if reason is not None:
            said = {"file": str(path.relative_to(board.root)), "reason": reason}
            aside.with_name(f"{aside.name}.json").write_text(json.dumps(said))
        assert compact.clean(board, NOW) == []
    aside.write_bytes(data)
    assert compact.clean(board, NOW) == [first]
    assert store.releases(board) == [second]


@pytest.mark.parametrize("kind", ["runs", "strata", "queries", "marks", "blobs"])
def test_what_was_set_aside_as_it_was_is_not_gone(board: Board, kind: str) -> None:
    first = compact.compact(board, NOW)
    gone = board.blob(store.blobs(board)[0]) if kind == "blobs" else board.path(kind, store.names(board, kind)[0])
    inside = str(gone.relative_to(board.root / "results"))
    assert list(compact.lost(board, first)) == []
    store.set_aside(board, gone, "a trial")
    assert list(compact.lost(board, first)) == [inside]
    assert compact.set_aside(board, inside, whole=True)
    compact.compact(board, NOW + compact.DAY)
    assert compact.clean(board, NOW) == [first]
