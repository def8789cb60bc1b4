"""Atomic writing, reading, locks and the shard ledger, with faults that need no special rights."""

import errno
import fcntl
import json
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import durable

Mistake = Callable[..., AbstractContextManager[None]]


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let the system refuse to write beyond a size: the nearest thing to a full disk that needs no rights."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_makes_folders_and_leaves_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.bin"
    durable.write_bytes(path, b"one")
    durable.write_bytes(path, b"two", sync=False)
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("sync", [True, False])
def test_the_file_is_on_the_disk_before_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, sync: bool
) -> None:
    path, data = tmp_path / "file.bin", b"some bytes"
    seen: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def watched_fsync(handle: int) -> None:
        status = os.fstat(handle)
        if os.path.samestat(status, tmp_path.stat()):
            seen.append("folder synced")
        else:
            seen.append(f"{status.st_size} bytes synced")
        fsync(handle)

    def watched_replace(self: Path, target: Path) -> Path:
        seen.append("renamed")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    durable.write_bytes(path, data, sync=sync)
    assert seen == (["10 bytes synced", "renamed", "folder synced"] if sync else ["renamed"])


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, mistake: Mistake) -> None:
    path = tmp_path / "file.bin"
    durable.write_bytes(path, b"old")

    def write(file: IO[bytes]) -> None:
        file.write(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with mistake(path, "cannot write", "No space left"):
        durable.write_atomically(path, write)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_the_system_cuts_off_leaves_the_old_file(tmp_path: Path, mistake: Mistake) -> None:
    path = tmp_path / "file.bin"
    durable.write_bytes(path, b"old")
    with file_size_limit(65536), mistake(path, "cannot write", "File too large"):
        durable.write_bytes(path, bytes(200_000))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_error_of_the_writer_passes_and_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file.bin"
    durable.write_bytes(path, b"old")

    def write(file: IO[bytes]) -> None:
        file.write(b"half of it")
        raise error

    with pytest.raises(error):
        durable.write_atomically(path, write)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_rename_leaves_no_part(tmp_path: Path, mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "replace", refuse)
    with mistake(tmp_path / "new", "cannot write", "Read-only"):
        durable.write_bytes(tmp_path / "new", b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path, mistake: Mistake) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with mistake(tmp_path / "taken", "cannot write", "directory"):
        durable.write_bytes(tmp_path / "taken", b"x")
    with mistake(tmp_path / "file" / "below", "cannot write"):
        durable.write_bytes(tmp_path / "file" / "below", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]


def test_missing_files_and_folders_are_named(tmp_path: Path, mistake: Mistake) -> None:
    with mistake(tmp_path / "none", "cannot read", "No such file"):
        durable.read_bytes(tmp_path / "none")
    with mistake(tmp_path, "cannot read", "directory"):
        durable.read_bytes(tmp_path)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("a\u00e9\n"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("xyz", min_size=1, max_size=3), plain, max_size=4))
def test_json_comes_back_and_its_canonical_form_ignores_key_order(
    tmp_path_factory: pytest.TempPathFactory, record: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "record.json"
    durable.write_json(path, record)
    assert durable.read_json(path) == record
    backwards = dict(reversed(list(record.items())))
    assert durable.canonical(backwards) == durable.canonical(record)
    assert json.loads(durable.canonical(record)) == record


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_without_nan(tmp_path: Path, number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        durable.write_json(tmp_path / "x.json", {"a": number})
    with pytest.raises(ValueError, match="not JSON compliant"):
        durable.canonical({"a": number})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": \xff}', "not JSON"),
        (b"[1, 2]", "a JSON list, not an object"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_broken_json_is_named(tmp_path: Path, mistake: Mistake, data: bytes, words: str) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(data)
    with mistake(path, words):
        durable.read_json(path)


def test_sha256_of_a_text_is_that_of_its_utf8() -> None:
    assert durable.sha256("\u00e9") == durable.sha256("\u00e9".encode())
    # FIPS 180-2, example B.1.
    assert durable.sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_lock_is_held_once_and_let_go(tmp_path: Path, mistake: Mistake) -> None:
    path = tmp_path / "new" / ".lock"
    with durable.locked(path), mistake(path.parent, "another process"), durable.locked(path):
        pass
    with durable.locked(path):
        pass


@pytest.mark.parametrize("anew", [True, False])
def test_a_lock_on_a_file_that_its_last_holder_removed_is_taken_again(
    tmp_path: Path, mistake: Mistake, monkeypatch: pytest.MonkeyPatch, *, anew: bool
) -> None:
    path, flock = tmp_path / ".lock", fcntl.flock
    locked: list[int] = []

    def late(file: IO[str], operation: int) -> None:
        if not locked:
            path.unlink()
            if anew:
                path.touch()
        locked.append(operation)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with durable.locked(path), mistake(tmp_path, "another process"), durable.locked(path):
        pass
    # The lost file, the one in its place, and the attempt that was refused.
    assert len(locked) == 3


def test_a_lock_that_cannot_be_made_is_named(tmp_path: Path, mistake: Mistake) -> None:
    with mistake(tmp_path, "cannot lock"), durable.locked(tmp_path):
        pass


def test_a_ledger_keeps_facts_and_refuses_another_plan(tmp_path: Path, mistake: Mistake) -> None:
    ledger = durable.Ledger(tmp_path / "steps", "plan a")
    assert ledger.done() == {}
    ledger.commit("b", rows=2)
    ledger.commit("a", rows=1)
    assert ledger.done() == {"a": {"plan": "plan a", "rows": 1}, "b": {"plan": "plan a", "rows": 2}}
    with mistake(tmp_path / "steps", "another plan", "delete"):
        durable.Ledger(tmp_path / "steps", "plan b").done()


def test_a_ledger_does_not_count_what_was_being_written(tmp_path: Path) -> None:
    ledger = durable.Ledger(tmp_path, "plan")
    ledger.commit("a")
    (tmp_path / ".b.json.0123456789ab.part").write_bytes(b"{")
    assert list(ledger.done()) == ["a"]
