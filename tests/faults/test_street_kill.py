"""Kill the street at random moments: the world that is there in the end is the one that nobody disturbed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmark import executors, keyed
from synthesis.street import write
from synthesis.street.config import Cameras, World
from synthesis.street.order import Order

ORDER = Order(
    World(identities=12, views=(0, 1), frames=(5, 5), height=64, cameras=Cameras(count=3), space="killed"),
    1,
    truth=True,
)
KILLS, MOST = 8, 7  # times that it is killed, each after up to so many more shards of 24

RUN = """
import sys
from pathlib import Path
from benchmark import executors
from synthesis.street import render, shots, write
from synthesis.street.config import Cameras, World
from synthesis.street.order import Order

write.SHARD_SHOTS = 5
world = World(identities=12, views=(0, 1), frames=(5, 5), height=64, cameras=Cameras(count=3), space="killed")
render.take(world, 1, shots.shots(world, 1, shots.walks(world, 1)[0])[0])
print("go", flush=True)
write.write(Order(world, 1, truth=True), Path(sys.argv[1]), executors.executor(sys.argv[2], 2))
"""


def files(folder: Path) -> dict[str, bytes]:
    """Read everything in a folder that is not hidden."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if "/." not in f"/{name}"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Write the world in one go."""
    folder = tmp_path_factory.mktemp("undisturbed") / "world"
    write.write(ORDER, folder, executors.serial)
    assert "world.json" in files(folder)
    return files(folder)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_killed_worlds_end_with_the_same_bytes(undisturbed: dict[str, bytes], tmp_path: Path, executor: str) -> None:
    started, between = 0, 0
    for moment in keyed.uniform(1, np.arange(KILLS, dtype=np.uint64), executor):
        folder = tmp_path / f"world-{started}"
        kill_after(float(moment), folder, [sys.executable, "-c", RUN, str(folder), executor])
        left = files(folder) if folder.exists() else {}
        assert left.items() <= undisturbed.items()  # what bears its name is whole
        between += bool(shards(folder))
        started += "world.json" in left
    assert between  # some kill did come between shards
    write.write(ORDER, tmp_path / f"world-{started}", executors.serial)
    for world in tmp_path.iterdir():
        assert files(world) == undisturbed
    assert not list((tmp_path / f"world-{started}").rglob(".*"))


def shards(folder: Path) -> int:
    """Count the shards that are done."""
    return len(list(folder.glob(".shards/0*.json")))


def kill_after(moment: float, folder: Path, command: list[str]) -> None:
    """Start a command, and kill it after some more shards and a moment."""
    wanted = shards(folder) + int(MOST * moment)
    child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path.cwd())
    assert child.stdout is not None
    child.stdout.readline()
    while shards(folder) < wanted and child.poll() is None and not (folder / "world.json").exists():
        time.sleep(0.005)
    time.sleep(0.05 * (MOST * moment % 1))
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=60)  # its workers hold the pipe: they must end with it


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 192 kB, where that is allowed."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or not _run("mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", str(place)):
        pytest.skip(
            "a small disk needs the right to mount; tests/synthesis/street/test_write.py refuses a write instead"
        )
    yield place
    _run("umount", "-l", str(place))


def _run(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def test_a_full_disk_is_one_line_and_room_lets_the_world_go_on(disk: Path) -> None:
    command = [sys.executable, "-m", "luxreid", "synth", "street", "--out", str(disk / "world"), "--limit", "30"]
    command += ["--set", "height=64", "--set", "cameras.count=4"]
    full = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (full.returncode, full.stdout, full.stderr.count("\n")) == (2, "", 1)
    assert "cannot write: No space left on device" in full.stderr
    assert _run("mount", "-o", "remount,size=64m", str(disk))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "30 crops" in done.stdout
