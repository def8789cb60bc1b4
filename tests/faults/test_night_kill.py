"""Kill the night at random moments, and let pictures kill it: what is there in the end is what nobody disturbed."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmark import durable, executors, keyed, manifest
from benchmark.manifest import Manifest
from synthesis import generate
from synthesis.night import config
from synthesis.night.order import Order
from tests.synthesis import days

ROOT = Path(__file__).parents[2]
KILLS, MOST = 5, 7  # times that it is killed, each after up to so many more shards of 24
SEED, SHARD = 2, 4

RUN = """
import sys
from pathlib import Path
from benchmark import executors, manifest
from synthesis import generate
from synthesis.night import config
from synthesis.night.order import Order

if __name__ == "__main__":
    generate.SHARD_PICTURES = 4
    day, out, night, executor = sys.argv[1:]
    order = Order(config.load(night), manifest.read(Path(day)), 2)
    print("go", flush=True)
    generate.write(order, Path(out), executors.executor(executor, 2))
"""

# A stage that some pictures are fatal to: those of a width that the settings name.
FATAL = '''
"""Pictures of some width kill the process that opens them, as a broken decoder would."""

import os
import signal

import numpy as np

from benchmark.config import Strict


class Config(Strict):
    width: int = 0


def plan(columns):
    return {"fatal_width": np.full(len(columns), columns.config.width, np.int32)}


def apply(block, plan):
    if block.pictures[0].shape[1] == plan["fatal_width"][0]:
        os.kill(os.getpid(), signal.SIGSEGV)
'''


def files(folder: Path) -> dict[str, bytes]:
    """Read everything in a folder that is not hidden."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if "/." not in f"/{name}"}


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a day of 96 pictures."""
    root = tmp_path_factory.mktemp("day")
    rows = [
        (f"{row}.jpg", 1 + row % 9, 1 + row % 3, "test", row % 5 == 0, True, 64 + 16 * (row % 3), 32 + row % 4)
        for row in range(96)
    ]
    manifest.write(days.day(root, rows), root / "manifest.parquet")
    return root / "manifest.parquet"


@pytest.fixture(scope="module")
def undisturbed(day: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Make the night in one go."""
    folder = tmp_path_factory.mktemp("undisturbed") / "set"
    generate.write(Order(config.load("night600"), manifest.read(day), SEED), folder, executors.serial)
    assert "night.json" in files(folder)
    return files(folder)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_killed_nights_end_with_the_same_bytes(
    day: Path, undisturbed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: str
) -> None:
    monkeypatch.setattr(generate, "SHARD_PICTURES", SHARD)
    started, between = 0, 0
    for moment in keyed.uniform(1, np.arange(KILLS, dtype=np.uint64), executor):
        folder = tmp_path / f"set-{started}"
        kill_after(float(moment), folder, [sys.executable, "-c", RUN, str(day), str(folder), "night600", executor])
        left = files(folder) if folder.exists() else {}
        assert left.items() <= undisturbed.items()  # what bears its name is whole
        between += bool(shards(folder))
        started += "night.json" in left
    assert between  # some kill did come between shards
    order = Order(config.load("night600"), manifest.read(day), SEED)
    generate.write(order, tmp_path / f"set-{started}", executors.serial)
    for folder in tmp_path.iterdir():
        assert files(folder) == undisturbed
    assert not list((tmp_path / f"set-{started}").rglob(".*"))


def shards(folder: Path) -> int:
    """Count the shards that are done."""
    return len(list(folder.glob(".shards/0*.json")))


def kill_after(moment: float, folder: Path, command: list[str]) -> None:
    """Start a command, and kill it after some more shards and a moment."""
    wanted = shards(folder) + int(MOST * moment)
    child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    assert child.stdout is not None
    child.stdout.readline()
    while shards(folder) < wanted and child.poll() is None and not (folder / "night.json").exists():
        time.sleep(0.005)
    time.sleep(0.05 * (MOST * moment % 1))
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=60)  # its workers hold the pipe: they must end with it


@pytest.fixture
def poisoned(day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, set[str]]:
    """Give a night that pictures 33 pixels wide are fatal to, and the paths of those."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "fatal.py").write_text(FATAL)
    (tmp_path / "fatal.toml").write_text('stages = ["lab.fatal", "gamma", "codec"]\n[fatal]\nwidth = 33\n')
    (tmp_path / "harmless.toml").write_text('stages = ["lab.fatal", "gamma", "codec"]\n')
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    monkeypatch.syspath_prepend(str(tmp_path))
    table = manifest.read(day)
    return tmp_path / "fatal.toml", set(table.select(table.column("width") == 33).table["path"].to_pylist())


def aside(folder: Path) -> dict[str, str]:
    """Read which pictures were set aside, and why."""
    with (folder / "set-aside.csv").open() as file:
        return {row["path"]: row["reason"] for row in csv.DictReader(file)}


@pytest.mark.slow
def test_pictures_that_kill_a_worker_are_set_aside_and_the_run_goes_on(
    day: Path, poisoned: tuple[Path, set[str]], tmp_path: Path
) -> None:
    night, fatal = poisoned
    command = [sys.executable, "-c", RUN, str(day), str(tmp_path / "set"), str(night), "processes"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # A quarter of all pictures: in every shard is one.
    check_set_aside(manifest.read(day), fatal, tmp_path, night)


def check_set_aside(parents: Manifest, fatal: set[str], tmp_path: Path, night: Path) -> None:
    """Compare with a night that nothing is fatal to: it has the same pictures, and those that were set aside."""
    found = aside(tmp_path / "set")
    assert set(found) == fatal
    assert set(found.values()) == {"killed the process that opened it (SIGSEGV)"}
    assert durable.read_json(tmp_path / "set" / "night.json")["counts"]["set_aside"] == len(fatal)
    generate.write(
        Order(config.load(str(night.with_name("harmless.toml"))), parents, SEED), tmp_path / "all", executors.serial
    )
    whole = {name: data for name, data in files(tmp_path / "all").items() if name.endswith(".jpg")}
    kept = {name: data for name, data in files(tmp_path / "set").items() if name.endswith(".jpg")}
    assert kept.items() < whole.items()


@pytest.mark.slow
def test_a_serial_run_dies_of_a_picture_once_and_goes_past_it_then(
    day: Path, poisoned: tuple[Path, set[str]], tmp_path: Path
) -> None:
    night, fatal = poisoned
    one = manifest.read(day)
    paths = one.table["path"].to_pylist()
    kept = [path not in fatal or path == min(fatal) for path in paths]
    manifest.write(one.select(np.array(kept)), day.with_name("one.parquet"))
    command = [
        sys.executable,
        "-c",
        RUN,
        str(day.with_name("one.parquet")),
        str(tmp_path / "set"),
        str(night),
        "serial",
    ]
    codes = [subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode for _ in range(2)]
    assert codes == [-signal.SIGSEGV, 0]
    check_set_aside(one.select(np.array(kept)), {min(fatal)}, tmp_path, night)


@pytest.mark.slow
def test_an_innocent_picture_is_not_set_aside_for_a_kill(day: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    command = [sys.executable, "-c", RUN, str(day), str(folder), "night600", "serial"]
    while not list(folder.glob(".shards/*.at")):  # until it is killed at work
        kill_after(0.2, folder, command)
        assert not (folder / "night.json").exists()
    done = subprocess.run(command, cwd=ROOT, check=False)
    assert done.returncode == 0
    assert not (folder / "set-aside.csv").exists()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 192 kB, where that is allowed."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or not _run("mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", str(place)):
        pytest.skip("a small disk needs the right to mount; tests/synthesis/test_generate.py refuses a write instead")
    yield place
    _run("umount", "-l", str(place))


def _run(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def test_a_full_disk_is_one_line_and_room_lets_the_night_go_on(disk: Path, day: Path) -> None:
    command = [sys.executable, "-m", "luxreid", "synth", "night", str(day), "--night", "gamma", "--out"]
    full = subprocess.run([*command, str(disk / "set")], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (full.returncode, full.stdout, full.stderr.count("\n")) == (2, "", 1)
    assert "No space left on device" in full.stderr
    assert _run("mount", "-o", "remount,size=64m", str(disk))
    done = subprocess.run([*command, str(disk / "set")], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "96 pictures" in done.stdout
