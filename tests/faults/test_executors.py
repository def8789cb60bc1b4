"""Workers end with the process that started them, however it ends; one that is killed at work is replaced."""

import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from benchmark import executors

WORK = """
import os, time

def stay(folder):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(600)

def wait(shard):
    number, folder = shard
    open(os.path.join(folder, f"{number}-{os.getpid()}"), "w").close()
    while not os.path.exists(os.path.join(folder, "go")):
        time.sleep(0.01)
    return number * number
"""

RUN = """
import sys
sys.path[:0] = sys.argv[1:]
from benchmark import executors
import staying_work

if __name__ == "__main__":
    list(executors.executor(sys.argv[3], 2)(staying_work.stay, [sys.argv[1] + "/pids"] * 2))
"""


def alive(pid: int) -> bool:
    """Say whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


NAMES = ["processes", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.slow])]


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_run_leaves_no_worker_behind(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "staying_work.py").write_text(WORK)
    (tmp_path / "pids").mkdir()
    child = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path), str(Path.cwd()), name])
    workers: list[int] = []
    while len(workers) < 2:
        assert child.poll() is None
        time.sleep(0.05)
        workers = [int(path.name) for path in (tmp_path / "pids").iterdir()]
    child.send_signal(signal.SIGKILL)
    child.wait()
    left = workers
    for _ in range(600):
        left = [pid for pid in left if alive(pid)]
        if not left:
            break
        time.sleep(0.05)
    assert left == []


@pytest.mark.parametrize("name", NAMES)
def test_a_worker_that_is_killed_at_work_costs_no_shard(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "killed_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    wait = importlib.import_module("killed_work").wait
    notes = tmp_path / "notes"
    notes.mkdir()
    watcher = threading.Thread(target=kill_one, args=(notes,))
    watcher.start()
    found = list(executors.executor(name, 2)(wait, [(number, str(notes)) for number in range(4)]))
    watcher.join()
    assert sorted(found) == [(number, number * number) for number in range(4)]
    begun = [path.name.partition("-")[0] for path in notes.iterdir() if path.name != "go"]
    assert len(begun) == 5  # one of them twice


def kill_one(notes: Path) -> None:
    """Kill the first worker that begins, wait until another takes its place, and let all go on."""
    _, _, pid = min(waited(notes, 2)).partition("-")
    os.kill(int(pid), signal.SIGKILL)
    waited(notes, 3)
    (notes / "go").touch()


def waited(notes: Path, count: int) -> set[str]:
    """Wait until so many shards were begun."""
    while len(names := {path.name for path in notes.iterdir()}) < count:
        time.sleep(0.02)
    return names
