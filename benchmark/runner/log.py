"""What a training says of itself: `log.jsonl`, one JSON object a line, cut back to where a checkpoint stands."""

import json
import os
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.errors import UserError

NAME = "log.jsonl"


class Log:
    """A file that grows by whole lines."""

    def __init__(self, path: Path, length: int) -> None:
        """Open the log at a length: what was written after the checkpoint is written again."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.file = path.open("r+b" if path.exists() else "w+b")
            found = self.file.seek(0, os.SEEK_END)
            if found < length:
                self.file.close()
                raise UserError(f"{path}: has {found} bytes, the checkpoint beside it knows {length}; it was cut")
            self.file.truncate(length)
            self.file.seek(length)
        except OSError as error:
            raise UserError(f"{path}: cannot write: {error.strerror or error}") from error

    def add(self, line: Mapping[str, Any]) -> None:
        """Write a line."""
        try:
            self.file.write((json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n").encode())
            self.file.flush()
        except OSError as error:
            raise UserError(f"{self.path}: cannot write: {error.strerror or error}") from error

    def sync(self) -> int:
        """Make sure that all is on the disk, and give the length."""
        os.fsync(self.file.fileno())
        return self.file.tell()

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class Silence(Log):
    """The log of all processes but the first: none."""

    def __init__(self) -> None:
        """Open nothing."""

    def add(self, line: Mapping[str, Any]) -> None:
        """Write nothing."""

    def sync(self) -> int:
        """Write nothing."""
        return 0

    def close(self) -> None:
        """Close nothing."""


def read(path: Path) -> list[dict[str, Any]]:
    """Read all lines."""
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{path}: not a log of JSON lines: {error}") from None


def speed(lines: list[dict[str, Any]]) -> float:
    """Give the median images a second; the first line is warm-up where there are more."""
    found = [float(line["images_per_s"]) for line in lines if line.get("images_per_s")]
    return statistics.median(found[1:] or found or [0.0])
