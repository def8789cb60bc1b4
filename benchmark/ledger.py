"""`ledger.jsonl`: one line for every evaluation on a test list, beside the bundles, so that looking often is seen."""

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from benchmark import durable
from benchmark.errors import UserError

NAME = "ledger.jsonl"


def enter(folder: Path, method: str, config_id: str, lists_sha256: str, run_id: str) -> int:
    """Add an evaluation and say how many a method has had on these lists, this one with them."""
    line = {"method": method, "config_id": config_id, "lists_sha256": lists_sha256, "run_id": run_id}
    with _opened(folder) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # several runs may end at one moment; the system frees it if we die
        file.seek(0)
        text = file.read()
        before = list(_parse(text, folder / NAME))
        # Whoever wrote last may have been killed within a line.
        file.write((b"\n" if text and not text.endswith(b"\n") else b"") + durable.canonical(line).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    looks = [one for one in (*before, line) if (one["method"], one["lists_sha256"]) == (method, lists_sha256)]
    return len({one["run_id"] for one in looks})


def _opened(folder: Path) -> BinaryIO:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / NAME).open("ab+")
    except OSError as error:
        raise UserError(f"{folder / NAME}: cannot write: {error.strerror or error}") from None


def entries(folder: Path) -> list[dict[str, Any]]:
    """Give what was entered; a line that was cut off by a kill is no entry."""
    path = folder / NAME
    return list(_parse(durable.read_bytes(path), path)) if path.exists() else []


def _parse(text: bytes, path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.split(b"\n"), start=1):
        try:
            found = json.loads(line) if line else None
        except ValueError:
            continue
        if found is None:
            continue
        if not isinstance(found, dict) or not {"method", "lists_sha256", "run_id"} <= set(found):
            raise UserError(f"{path}, line {number}: is no entry of a ledger")
        yield found
