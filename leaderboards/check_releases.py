"""Releases against the files that they were made of: what was published may not change, and may not vanish."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmark import durable
from benchmark.errors import UserError
from leaderboards import compact, store
from leaderboards.store import Board

_Places = dict[str, tuple[int, int]]  # where the rows of each file stand
_Part = tuple[pa.Table, _Places]


class Releases:
    """The releases of a board, whose rows stand for those of the files as long as nobody looks into these."""

    def __init__(self, board: Board) -> None:
        """Read them all; what cannot be read is a problem."""
        self._board = board
        self.problems: dict[Path, list[str]] = {release: [] for release in store.releases(board)}
        self._tables = dict[tuple[Path, str], _Part]()
        for release, found in self.problems.items():
            for kind in store.COMPACTED:
                try:
                    table = store.released(board, release, kind)
                except UserError as error:
                    found.append(str(error).removeprefix(f"{release}/"))
                    continue
                self._tables[release, kind] = table, _places(table)
                found += _scattered(kind, table)
            found += self._record(release)

    def compare(self, kind: str, name: str, table: pa.Table) -> None:
        """Compare the rows of a file with those that stand for it."""
        for (release, of), (rows, places) in self._tables.items():
            if of == kind and name in places and not _equal(rows.slice(*places[name]), table):
                self.problems[release].append(f"{kind}.parquet: its rows of {name} are not those of that file")

    def gone(self, hashes: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
        """Compare the files that were released with the hashes of those that are there, and give those that are not."""
        for release, found in self.problems.items():
            for name, sha256 in _files(release).items():
                path = self._board.root / "results" / name
                if hashes.get(name, sha256) != sha256:
                    found.append(f"{name} is not the file that was released")
                elif name not in hashes and not path.exists() and not compact.set_aside(self._board, name):
                    yield path, f"was released in {release.name} and is gone"

    def _record(self, release: Path) -> Iterator[str]:
        """Hold what a release says of itself against its tables, its list of hashes and its name."""
        try:
            files = compact.files_of(release)
        except UserError as error:
            yield f"release.json: lists no files: {str(error).removeprefix(f'{release}/release.json: ')}"
            return
        tables = durable.read_json(release / "release.json").get("tables")
        if not isinstance(tables, dict) or set(tables) != {f"{kind}.parquet" for kind in store.COMPACTED}:
            yield f"release.json: tables must be those of {', '.join(store.COMPACTED)}"
            return
        for kind in (kind for kind in store.COMPACTED if (release, kind) in self._tables):
            table, places = self._tables[release, kind]
            yield from _said(kind, tables[f"{kind}.parquet"], table, places, files)
        if not all(isinstance(fact, dict) and isinstance(fact.get("sha256"), str) for fact in tables.values()):
            yield "release.json: names no hash of some table"
            return
        said = {"tables": tables, "files": files}
        if not release.name.endswith(f"-{durable.sha256(durable.canonical(said))[:8]}"):
            yield "release.json: does not say what the release was named by; it was changed, or the folder renamed"
        yield from _sums(release, compact.sums(release.relative_to(self._board.root), tables, files))


def _places(table: pa.Table) -> _Places:
    """Find the rows of every file, of several parts the last one."""
    names, first, lengths = _parts(table)
    return {name: (int(start), int(length)) for name, start, length in zip(names, first, lengths, strict=True)}


def _parts(table: pa.Table) -> tuple[list[str], Any, Any]:
    """Part a table where the file changes: whose each part is, where it begins and how long it is."""
    files = table[store.FILE].combine_chunks().dictionary_encode(null_encoding="encode")
    codes = files.indices.to_numpy(zero_copy_only=False)
    first = np.flatnonzero(np.diff(codes, prepend=-1))
    names = files.dictionary.to_pylist()
    return [names[codes[start]] for start in first], first, np.diff([*first, len(codes)])


def _scattered(kind: str, table: pa.Table) -> Iterator[str]:
    """Say where rows stand that are read, but are not those that a file is compared with."""
    names, _, lengths = _parts(table)
    met = set[str]()
    for name, length in zip(names, lengths.tolist(), strict=True):
        if name in met:
            yield f"{kind}.parquet: the rows of {name} do not stand together"
        elif kind == "runs" and length > 1:
            yield f"{kind}.parquet: holds {length} rows of {name}, must hold 1"
        met.add(name)


def _said(kind: str, fact: object, table: pa.Table, places: _Places, files: Mapping[str, str]) -> Iterator[str]:
    rows = fact.get("rows") if isinstance(fact, dict) else None
    if rows != len(table):
        yield f"release.json: says {rows} rows of {kind}.parquet, which has {len(table)}"
    for name in places:
        if f"{kind}/{name}.parquet" not in files:
            yield f"{kind}.parquet: holds rows of {name}, which release.json does not list"
    for name in files:
        file = name.removeprefix(f"{kind}/").removesuffix(".parquet")
        # A table of no rows leaves no trace; of a run and a mark there is always one.
        if kind != "strata" and name.startswith(f"{kind}/") and file not in places:
            yield f"{kind}.parquet: holds no row of {file}, which release.json lists"


def _sums(release: Path, wanted: bytes) -> Iterator[str]:
    try:
        found = durable.read_bytes(release / "SHA256SUMS")
    except UserError as error:
        yield str(error).removeprefix(f"{release}/")
        return
    if found != wanted:
        yield "SHA256SUMS: does not say what release.json says"


def _equal(released: pa.Table, table: pa.Table) -> bool:
    if not set(table.column_names) <= set(released.column_names):
        return False
    try:
        return bool(released.select(table.column_names).cast(table.schema).equals(table))
    except pa.ArrowException:
        return False


def _files(release: Path) -> dict[str, str]:
    try:
        return compact.files_of(release)
    except UserError:  # a problem already
        return {}
