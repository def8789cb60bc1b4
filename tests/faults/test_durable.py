"""Real faults while writing: a kill, a full disk, a read-only disk, and two processes at one folder."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmark import durable, images, keyed, manifest
from benchmark.errors import UserError

SIZE = 64 * 16384

# Writes the file over and over, all A or all B, slowly; tells when it is in the middle of a write.
WRITER = f"""
import itertools, sys, time
from pathlib import Path
from benchmark import durable

def slowly(file, letter):
    for chunk in range(64):
        file.write(letter * {SIZE // 64})
        file.flush()
        time.sleep(0.0005)
        if chunk == 31:
            print("half", flush=True)
            if sys.argv[2] == "wait":
                sys.stdin.read()

for letter in itertools.cycle([b"A", b"B"]):
    durable.write_atomically(Path(sys.argv[1]), lambda file: slowly(file, letter))
"""

HOLDER = """
import sys, time
from pathlib import Path
from benchmark import durable

with durable.locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def start(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start Python on some code, with pipes both ways."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path.cwd()
    )


def kill(child: subprocess.Popen[bytes]) -> None:
    """Kill, as the system does when memory runs out."""
    child.send_signal(signal.SIGKILL)
    child.communicate()


def test_a_kill_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    durable.write_bytes(path, b"old")
    child = start(WRITER, str(path), "wait")
    assert child.stdout is not None
    assert child.stdout.readline() == b"half\n"
    parts = list(tmp_path.glob(".*.part"))
    kill(child)
    assert parts[0].stat().st_size >= SIZE // 2  # the kill did come in the middle
    assert path.read_bytes() == b"old"


@pytest.mark.slow
def test_kills_at_random_moments_leave_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    durable.write_bytes(path, b"A" * SIZE)
    for moment in keyed.uniform(0, np.arange(25, dtype=np.uint64), "kill"):
        child = start(WRITER, str(path), "on")
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.2 * float(moment))
        kill(child)
        assert path.read_bytes() in (b"A" * SIZE, b"B" * SIZE)
    assert list(tmp_path.glob(".*.part"))  # some kill did come in the middle


def test_a_lock_keeps_another_process_out_until_it_dies(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    child = start(HOLDER, str(path))
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    try:
        with pytest.raises(UserError, match="another process is writing here"), durable.locked(path):
            pass
    finally:
        kill(child)
    with durable.locked(path):
        pass


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 64 kB, where that is allowed."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = os.geteuid() == 0 and _run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place))
    if not mounted:
        pytest.skip("a disk of 64 kB needs the right to mount; tests/benchmark/test_durable.py cuts writes off instead")
    yield place
    _run("umount", "-l", str(place))


def _run(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture
def table(tmp_path: Path) -> manifest.Manifest:
    """Make a manifest that does not fit on the small disk."""
    count = 20000
    noise = keyed.bits(0, np.arange(count, dtype=np.uint64), "path")
    return manifest.build({"path": [f"{word:016x}.jpg" for word in noise]}, "toy", tmp_path)


def test_a_full_disk_leaves_every_old_file(disk: Path, table: manifest.Manifest) -> None:
    first = table.select([0, 1])
    manifest.write(first, disk / "manifest.parquet")
    old = (disk / "manifest.parquet").read_bytes()
    picture = (keyed.uniform(0, np.arange(3 * 2**16, dtype=np.uint64), "x") * 256).astype(np.uint8)
    with pytest.raises(UserError, match=r"manifest\.parquet: cannot write: No space left"):
        manifest.write(table, disk / "manifest.parquet")
    with pytest.raises(UserError, match=r"new\.png: cannot write: No space left"):
        images.save(disk / "new.png", picture.reshape(256, 256, 3))
    with pytest.raises(UserError, match=r"0\.json: cannot write: No space left"):
        durable.Ledger(disk, "plan").commit("0", rows="x" * 70000)
    assert (disk / "manifest.parquet").read_bytes() == old
    assert [path.name for path in disk.iterdir()] == ["manifest.parquet"]


def test_a_read_only_disk_leaves_every_old_file(disk: Path, table: manifest.Manifest) -> None:
    first = table.select([0, 1])
    manifest.write(first, disk / "manifest.parquet")
    old = (disk / "manifest.parquet").read_bytes()
    assert _run("mount", "-o", "remount,ro", str(disk))
    with pytest.raises(UserError, match=r"manifest\.parquet: cannot write: Read-only"):
        manifest.write(first, disk / "manifest.parquet")
    with pytest.raises(UserError, match=r"\.lock: cannot lock: Read-only"), durable.locked(disk / ".lock"):
        pass
    with pytest.raises(UserError, match="cannot write: Read-only"):
        durable.write_bytes(disk / "new folder" / "file", b"x")
    assert (disk / "manifest.parquet").read_bytes() == old
    assert [path.name for path in disk.iterdir()] == ["manifest.parquet"]


def test_a_folder_without_the_right_to_write_leaves_the_old_file(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; the read-only disk stands for it")
    durable.write_bytes(tmp_path / "file", b"old")
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(UserError, match="cannot write: Permission denied"):
            durable.write_bytes(tmp_path / "file", b"new")
    finally:
        tmp_path.chmod(0o755)
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
