"""What is to be written, and the folder of its own that it goes to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmark import durable
from benchmark.errors import UserError
from synthesis.street.config import World, name

SCHEMA = "street-world/1"
RECORD = "world.json"  # of a world that is there as a whole
SHARDS, BEGUN = ".shards", "begun"  # while a world is written: its ledger, and the record that says whose it is
PLANNED = ("preset", "seed", "version", "pictures", "truth", "limit", "config")  # what makes two worlds the same


@dataclass(frozen=True)
class Order:
    """What is to be written."""

    world: World
    seed: int = 0
    preset: str = ""
    pictures: bool = True  # else only the tables
    truth: bool = False  # all maps of every picture, too
    limit: int | None = None  # of shots, for a look

    def plan(self) -> dict[str, Any]:
        """Put down all that shapes the files."""
        said: dict[str, Any] = {"schema": SCHEMA, "name": name(self.world, self.seed)}
        said |= {"preset": self.preset, "seed": self.seed}
        said |= {"version": _version(), "pictures": self.pictures, "truth": self.truth, "limit": self.limit}
        return said | {"config": self.world.model_dump(mode="json")}


def claim(out: Path, plan: dict[str, Any]) -> bool:
    """Take a folder that is new or empty, or that this very world is in; say whether it is there as a whole."""
    try:
        if out.exists() and not out.is_dir():
            raise UserError(f"{out}: is a file; name a folder with --out")
        left = {path.name for path in out.iterdir()} if out.is_dir() else set()
        (out / SHARDS if left <= {SHARDS} else out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot write: {error.strerror or error}") from None
    for state, file in (("holds", out / RECORD), ("holds a part of", out / SHARDS / f"{BEGUN}.json")):
        if file.exists():
            there = durable.read_json(file)
            _compare(there, plan, f"{out}: {state}")
            return file.name == RECORD
    if not left <= {SHARDS}:
        raise UserError(f"{out}: holds something else, such as {min(left - {SHARDS})}; name another folder with --out")
    return False


def _compare(there: Mapping[str, Any], plan: Mapping[str, Any], where: str) -> None:
    """Refuse another world, and name the first thing in which it differs."""
    if there.get("schema") != SCHEMA:
        raise UserError(f"{where} something else; name another folder with --out")
    one, other = (dict(_flat({key: table.get(key) for key in PLANNED})) for table in (there, plan))
    for key in one | other:
        if one.get(key) != other.get(key):
            said = f"{key} is {durable.canonical(one.get(key))} there, {durable.canonical(other.get(key))} here"
            raise UserError(f"{where} another world, {there.get('name')}: {said}; name another folder with --out")


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def _version() -> str:
    try:
        return metadata.version("luxreid")
    except metadata.PackageNotFoundError:
        return "not installed"
