"""Kill whoever adds to a board, at random moments; fill its disk; take away the right to write.

`python -m tests.faults.test_board_kill 200` does the kills of the closing note.
"""

import datetime
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from benchmark import durable, keyed, results
from benchmark.errors import UserError
from benchmark.results import Bundle
from leaderboards import compact, entry, store
from leaderboards.store import Board
from tests.leaderboards import crowd, shelf

WRITERS, KILLS = 8, 20


def add_many(root: Path, folder: Path, diary: Path, pace: float) -> None:
    """Add run after run, as `board add` does, and write down what was begun and what was done."""
    board, given, draw = store.begun(root), results.read(folder), np.random.default_rng(int(diary.name))
    with diary.open("a") as file:
        for number in range(10**6):
            run_id = durable.sha256(f"{diary.name} {number}")[:32]
            print("begun", run_id, file=file, flush=True)
            entry.admit(board, renamed(given, run_id), folder, entry.Said(), {"log.jsonl": run_id.encode()})
            print("done", run_id, file=file, flush=True)
            time.sleep(pace * draw.random())  # else the board outgrows those who read it


def compact_often(root: Path) -> None:
    """Write release after release."""
    while True:
        compact.compact(store.opened(root))
        time.sleep(0.2)


def renamed(given: Bundle, run_id: str) -> Bundle:
    """Make another run of a bundle."""
    tables = dict(given.tables)
    for kind in ("queries", "strata"):
        place = tables[kind].column_names.index("run_id")
        tables[kind] = tables[kind].set_column(place, "run_id", pa.repeat(run_id, len(tables[kind])))
    return Bundle(given.run | {"run_id": run_id}, tables)


class Writer(NamedTuple):
    """One who adds, and what it writes down."""

    process: BaseProcess
    diary: Path

    def said(self) -> list[str]:
        """Read its lines, as far as they are whole."""
        lines = self.diary.read_text().splitlines(keepends=True) if self.diary.exists() else []
        return [line.strip() for line in lines if line.endswith("\n")]

    def amid(self) -> bool:
        """Say whether it is in the middle of adding."""
        return self.said()[-1:] != [] and self.said()[-1].startswith("begun")


@dataclass
class Scene:
    """A board, those who write to it, and those who did."""

    root: Path
    bundle: Path
    diaries: Path
    pace: float
    writers: list[Writer] = field(default_factory=list)  # the last ones are alive
    reads: int = 0

    def start(self) -> None:
        """Let one more add."""
        diary = self.diaries / str(len(self.writers))
        process = started(add_many, self.root, self.bundle, diary, self.pace)
        self.writers.append(Writer(process, diary))

    def alive(self) -> list[Writer]:
        """List who is adding, those in the middle of it first."""
        alive = [writer for writer in self.writers if writer.process.exitcode is None]
        return sorted(alive, key=lambda writer: not writer.amid())

    def said(self, word: str) -> list[str]:
        """List what was begun or done so far."""
        return [line.split()[1] for writer in self.writers for line in writer.said() if line.startswith(word)]

    def look(self) -> None:
        """Read the board as anyone may: what was acknowledged is there, and nothing is broken."""
        done = self.said("done")
        found = store.runs(store.opened(self.root))
        assert found.problems == ()
        assert set(done) <= {row["run_id"] for row in found.rows}
        for row in found.rows[self.reads % 7 :: 29]:  # some of them whole
            its = store.tables(Board(self.root), row)
            assert set(its["queries"]["run_id"].to_pylist()) == {row["run_id"]}
            assert set(its["strata"]["run_id"].to_pylist()) == {row["run_id"]}
        self.reads += 1


def started(target: Callable[..., None], *arguments: object) -> BaseProcess:
    """Start a process at once: its modules are imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["leaderboards.compact", "leaderboards.entry", "tests.leaderboards.crowd"])
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def kill_at_random(scene: Scene, kills: int) -> None:
    """Let many add and one compact; kill one at a time and put another in its place; read all the while."""
    for _ in range(WRITERS):
        scene.start()
    until(lambda: bool(scene.said("done")))
    packer = started(compact_often, scene.root)
    for number, moment in enumerate(keyed.uniform(7, np.arange(kills, dtype=np.uint64), "board")):
        time.sleep(0.3 * float(moment))
        scene.look()
        until(lambda: scene.alive()[0].amid())
        end(scene.alive()[0].process)
        scene.start()
        if number % 5 == 4:
            end(packer)
            packer = started(compact_often, scene.root)
    scene.look()
    assert len(scene.alive()) == WRITERS  # nobody stumbled over another
    assert packer.is_alive()
    for process in (*(writer.process for writer in scene.alive()), packer):
        end(process)


def end(process: BaseProcess) -> None:
    """Kill, as the system does when memory runs out."""
    process.kill()
    process.join()


def until(true: Callable[[], bool]) -> None:
    """Wait for something to happen."""
    for _ in range(6000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("nothing happened within a minute")


def judge(scene: Scene) -> dict[str, int]:
    """Look at what is left: every acknowledged run once, every other one whole or not at all."""
    board, done, begun = store.opened(scene.root), scene.said("done"), scene.said("begun")
    scene.look()
    files = Counter(name.split("-")[0] for name in store.names(board, "runs"))
    assert set(done) <= set(files) <= set(begun)
    assert set(files.values()) == {1}
    rows = store.runs(board).rows
    for row in rows:
        assert {len(table) > 0 for table in store.tables(board, row).values()} == {True}
    left = compact.clean(board, datetime.datetime.now(datetime.UTC) + 2 * compact.DAY)
    assert store.runs(board).rows == rows
    assert not list((scene.root / "staging").iterdir())
    named = {name for row in rows for name in store.files(row).values()}
    kept = {name for kind in ("queries", "strata") for name in store.names(board, kind)}
    staged = sum(path.parent.name == "staging" for path in left)
    return {"runs": len(files), "interrupted": len(begun) - len(done), "orphans": len(kept - named), "staged": staged}


def play(folder: Path, kills: int) -> dict[str, int]:
    """Set the scene, kill, and judge."""
    bundle = crowd.bundle(folder / "bundle", "good", 0, crowd.world(8), draws=0)
    scene = Scene(folder / "board", bundle, folder / "diaries", pace=max(0.5, kills / 100))
    scene.diaries.mkdir()
    try:
        kill_at_random(scene, kills)
        return judge(scene) | {"kills": kills, "reads": scene.reads}
    finally:
        for child in multiprocessing.active_children():
            end(child)


@pytest.mark.slow
def test_every_acknowledged_run_is_there_once_whoever_is_killed(tmp_path: Path) -> None:
    seen = play(tmp_path, KILLS)
    assert seen["interrupted"] >= KILLS // 2  # the kills did come in the middle of adding


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 256 kB, where that is allowed."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or not _run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)):
        pytest.skip("a small disk needs the right to mount; tests/leaderboards/test_store.py cuts a write off instead")
    yield place
    _run("umount", "-l", str(place))


def _run(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def fill(board: Board) -> None:
    """Add until there is no room."""
    for number in range(1000):
        shelf.run(board, number)


def test_a_full_disk_is_one_line_and_leaves_a_whole_board(disk: Path) -> None:
    board = store.begun(disk / "board")
    with pytest.raises(UserError, match=r"\.parquet: cannot write: No space left on device"):
        fill(board)
    added = len(store.names(board, "runs"))
    assert added > 0
    found = store.runs(board)
    assert ({row["run_id"] for row in found.rows}, found.problems) == ({shelf.run_id(n) for n in range(added)}, ())
    assert not list((board.root / "staging").iterdir())
    with pytest.raises(UserError, match="cannot write: No space left on device"):
        compact.compact(board)
    assert store.releases(board) == []


def test_a_read_only_disk_is_read_and_says_why_it_takes_nothing(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = store.begun(disk / "board")
    for number in range(2):
        shelf.run(board, number)
    assert _run("mount", "-o", "remount,ro", str(disk))
    monkeypatch.setattr(compact, "MANY", 1)
    compact.maintain(board)
    assert len(store.runs(board).rows) == 2
    shelf.run(board, 1)  # it is there already
    for write in (lambda: shelf.run(board, 2), lambda: compact.compact(board)):
        with pytest.raises(UserError, match="cannot write: Read-only file system"):
            write()
    with pytest.raises(UserError, match="cannot write: Read-only file system"):
        store.set_aside(board, board.path("runs", store.names(board, "runs")[0]), "a trial")
    with pytest.raises(UserError, match="cannot write: Read-only file system"):
        store.begun(disk / "another")
    assert len(store.runs(board).rows) == 2


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        print(play(Path(made), int(sys.argv[1])))
