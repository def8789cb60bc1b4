"""Workers end with the process that started them, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

WORK = """
import os, time

def stay(folder):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(600)
"""

RUN = """
import sys
sys.path[:0] = sys.argv[1:]
from benchmark import executors
import staying_work

if __name__ == "__main__":
    list(executors.executor("processes", 2)(staying_work.stay, [sys.argv[1] + "/pids"] * 2))
"""


def alive(pid: int) -> bool:
    """Say whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_run_leaves_no_worker_behind(tmp_path: Path) -> None:
    (tmp_path / "staying_work.py").write_text(WORK)
    (tmp_path / "pids").mkdir()
    child = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path), str(Path.cwd())])
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
