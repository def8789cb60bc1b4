"""Files that survive a kill: write beside, fsync, rename; the last file written is the commit record."""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmark.errors import UserError


def write_atomically(path: Path, write: Callable[[IO[bytes]], object], *, sync: bool = True) -> None:
    """Let `write` fill a file beside `path`, then rename it: a reader sees the old file or the new one, whole."""
    # `sync=False` is for the many pictures of a shard, whose commit record is synced after them.
    path = Path(os.path.realpath(path)) if path.is_symlink() else path  # a link stays a link
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("xb") as file:
                write(file)
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise
        if sync:
            sync_folder(path.parent)
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror or error}") from error


def write_bytes(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Write bytes atomically."""
    write_atomically(path, lambda file: file.write(data), sync=sync)


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write a record as JSON for people: indented, in the order given, a line break at the end."""
    write_bytes(path, (json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object, or say in one line why not."""
    try:
        record = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:  # ValueError: bad JSON, bad UTF-8, a number of thousands of digits
        raise UserError(f"{path}: not JSON: {error}") from None
    if not isinstance(record, dict):
        raise UserError(f"{path}: holds a JSON {type(record).__name__}, not an object")
    return record


def read_bytes(path: Path) -> bytes:
    """Read a file, or say in one line why not."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or error}") from error


def canonical(record: object) -> str:
    """Render plain data as the text that is hashed: sorted keys, no blanks, no NaN."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(data: bytes | str) -> str:
    """Hash bytes, or a text's UTF-8."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` for one process and remove it after; the system lets go of it when the process dies."""
    with _lock(path):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _lock(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            file = path.open("a")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before us may have removed the file between our opening and our locking it.
            if _is_at(path, file.fileno()):
                return file
            file.close()
    except BlockingIOError:
        file.close()
        raise UserError(f"{path.parent}: another process is writing here; wait for it, or end it") from None
    except OSError as error:
        raise UserError(f"{path}: cannot lock: {error.strerror or error}") from error


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


@dataclass(frozen=True)
class Ledger:
    """Which shards of one plan are done: a small JSON file a shard, written after the shard's own files."""

    folder: Path
    plan: str  # a hash of everything that shapes the output

    def done(self) -> dict[str, dict[str, Any]]:
        """Read the records of all finished shards; a folder that belongs to another plan is refused."""
        records = {path.stem: read_json(path) for path in sorted(self.folder.glob("*.json"))}
        if any(record.get("plan") != self.plan for record in records.values()):
            raise UserError(f"{self.folder}: holds shards of another plan; delete it to start over")
        return records

    def commit(self, shard: str, **facts: object) -> None:
        """Record that a shard's files are all in place."""
        write_json(self.folder / f"{shard}.json", {"plan": self.plan, **facts})


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
