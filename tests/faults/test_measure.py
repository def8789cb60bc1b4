"""Kill `measure` at random moments: what the next run writes is what an undisturbed run writes."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmark import executors, images, keyed, manifest, measure

MOST = 14  # shards of 60 that are done, at most, before a kill

RUN = """
import sys
from pathlib import Path
from benchmark import executors, measure

measure.SHARD_ROWS = 20
path = Path(sys.argv[1])
print("go", flush=True)
measure.measure_file(path, None, path, executors.executor(sys.argv[2], 2))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write the manifest of 1200 pictures, a few seconds of work."""
    drawn = (keyed.uniform(0, np.arange(64 * 32 * 3, dtype=np.uint64), "x") * 256).astype(np.uint8).reshape(64, 32, 3)
    data = images.encode(drawn.repeat(4, 0).repeat(4, 1))
    names = [f"{number:04d}.jpg" for number in range(1200)]
    for name in names:
        (tmp_path / name).write_bytes(data + name.encode())  # what follows the picture changes its hash alone
    manifest.write(manifest.build({"path": names}, "toy", tmp_path), tmp_path / "manifest.parquet")
    return tmp_path / "manifest.parquet"


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_killed_runs_end_with_the_same_bytes(path: Path, tmp_path: Path, executor: str) -> None:
    unmeasured = path.read_bytes()
    measure.measure_file(path, None, tmp_path / "undisturbed.parquet", executors.serial)
    whole = (tmp_path / "undisturbed.parquet").read_bytes()
    between = 0
    for moment in keyed.uniform(1, np.arange(8, dtype=np.uint64), executor):
        kill_after(float(moment), path, unmeasured, [sys.executable, "-c", RUN, str(path), executor])
        assert path.read_bytes() in (unmeasured, whole)
        path.write_bytes(unmeasured)  # where the run was through before the kill, the next one starts over
        between += bool(shards(tmp_path))
    assert between  # some kill did come between shards
    measure.measure_file(path, None, path, executors.serial)
    assert path.read_bytes() == whole
    assert not list(tmp_path.rglob("0*.json"))


def shards(folder: Path) -> int:
    """Count the shards that are done."""
    return len(list(folder.rglob("0*.json")))


def kill_after(moment: float, path: Path, unmeasured: bytes, command: list[str]) -> None:
    """Start a command, and kill it after some more of its shards and a moment: a busy machine takes longer for both."""
    wanted = shards(path.parent) + int(MOST * moment)
    child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path.cwd())
    assert child.stdout is not None
    child.stdout.readline()
    while shards(path.parent) < wanted and child.poll() is None and path.read_bytes() == unmeasured:
        time.sleep(0.005)
    time.sleep(0.05 * (MOST * moment % 1))
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=60)  # its workers hold the pipe: they must end with it
