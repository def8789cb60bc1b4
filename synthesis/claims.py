"""The folder of its own that a world or a night is written to: taken, gone on with, or refused."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmark import durable
from benchmark.errors import UserError

SHARDS, BEGUN = ".shards", "begun"  # while it is written: its ledger, and the record that says whose it is


@dataclass(frozen=True)
class Kind:
    """What is written to a folder, and what makes two of them the same."""

    noun: str
    schema: str
    record: str  # the file that is written last
    planned: tuple[str, ...]  # keys of the plan that shape the files
    beside: frozenset[str] = frozenset()  # other files that are there before the first picture is
    told: frozenset[str] = frozenset()  # keys that only tell something


def claim(kind: Kind, out: Path, plan: Mapping[str, Any]) -> bool:
    """Take a folder that is new or empty, or that this very order is in; say whether it is there as a whole."""
    try:
        if out.exists() and not out.is_dir():
            raise UserError(f"{out}: is a file; name a folder with --out")
        left = {path.name for path in out.iterdir()} if out.is_dir() else set()
        (out / SHARDS if left <= {SHARDS} else out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot write: {error.strerror or error}") from None
    begun = out / SHARDS / f"{BEGUN}.json"
    if begun.exists() and left <= {SHARDS, *kind.beside}:
        return False  # it ended before there was a picture: another may take its place
    for state, file in (("holds", out / kind.record), ("holds a part of", begun)):
        if file.exists():
            _compare(kind, durable.read_json(file), plan, f"{out}: {state}")
            return file.name == kind.record
    if not left <= {SHARDS}:
        raise UserError(f"{out}: holds something else, such as {min(left - {SHARDS})}; name another folder with --out")
    return False


def _compare(kind: Kind, there: Mapping[str, Any], plan: Mapping[str, Any], where: str) -> None:
    """Refuse another order, and name the first thing in which it differs."""
    if there.get("schema") != kind.schema:
        raise UserError(f"{where} something else; name another folder with --out")
    one, other = (dict(_flat({key: table.get(key) for key in kind.planned})) for table in (there, plan))
    for key in one | other:
        if one.get(key) != other.get(key) and key not in kind.told:
            said = f"{key} is {_said(one.get(key))} there, {_said(other.get(key))} here"
            raise UserError(f"{where} another {kind.noun}, {there.get('name')}: {said}; name another folder with --out")


def _said(value: object) -> str:
    """Say a setting's value; the three that JSON calls null, true and false in words."""
    words = {None: "not given", True: "on", False: "off"}
    return words[value] if value is None or isinstance(value, bool) else durable.canonical(value)


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def holds(record: Mapping[str, Any] | None, out: Path) -> bool:
    """Say whether a shard is done and its files are still there."""
    return record is not None and all(_size(out / path) == size for path, size in record["files"].items())


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None


def version() -> str:
    """Give the version of luxreid."""
    try:
        return metadata.version("luxreid")
    except metadata.PackageNotFoundError:
        return "not installed"
