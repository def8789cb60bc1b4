"""Releases against the files that they were made of: what was published may not change, and may not vanish."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmark import durable
from benchmark.errors import UserError
from leaderboards import store
from leaderboards.store import Board

_Part = tuple[pa.Table, dict[str, tuple[int, int]]]  # a table, and where the rows of each file stand in it


class Releases:
    """The releases of a board, whose rows stand for those of the files as long as nobody looks into these."""

    def __init__(self, board: Board) -> None:
        """Read them all; what cannot be read is a problem."""
        self._board = board
        self.problems: dict[Path, list[str]] = {release: [] for release in store.releases(board)}
        self._tables = dict[tuple[Path, str], _Part]()
        for release in self.problems:
            for kind in store.COMPACTED:
                try:
                    self._tables[release, kind] = _parted(store.released(board, release, kind))
                except UserError as error:
                    self.problems[release].append(str(error).removeprefix(f"{release}/"))

    def compare(self, kind: str, name: str, table: pa.Table) -> None:
        """Compare the rows of a file with those that stand for it."""
        for (release, of), (rows, places) in self._tables.items():
            if of == kind and name in places and not _equal(rows.slice(*places[name]), table):
                self.problems[release].append(f"{kind}.parquet: its rows of {name} are not those of that file")

    def gone(self, hashes: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
        """Compare the files that were released with the hashes of those that are there, and give those that are not."""
        for release, found in self.problems.items():
            files = _files(release)
            if files is None:
                found.append("release.json: lists no files")
            for name, sha256 in (files or {}).items():
                path = self._board.root / "results" / name
                if hashes.get(name, sha256) != sha256:
                    found.append(f"{name} is not the file that was released")
                elif name not in hashes and not path.exists() and not _set_aside(self._board, path):
                    yield path, f"was released in {release.name} and is gone"


def _parted(table: pa.Table) -> _Part:
    files = table[store.FILE].combine_chunks().dictionary_encode()
    codes = files.indices.to_numpy(zero_copy_only=False)
    first = np.flatnonzero(np.diff(codes, prepend=-1))
    lengths = np.diff([*first, len(codes)])
    names = files.dictionary.to_pylist()
    places = {names[codes[start]]: (int(start), int(length)) for start, length in zip(first, lengths, strict=True)}
    return table, places


def _equal(released: pa.Table, table: pa.Table) -> bool:
    if not set(table.column_names) <= set(released.column_names):
        return False
    try:
        return bool(released.select(table.column_names).cast(table.schema).equals(table))
    except pa.ArrowException:
        return False


def _files(release: Path) -> dict[str, str] | None:
    try:
        files = durable.read_json(release / "release.json").get("files")
    except UserError:
        return None
    return files if isinstance(files, dict) else None


def _set_aside(board: Board, path: Path) -> bool:
    inside = path.relative_to(board.root)
    return any((board.root / "quarantine" / inside.parent).glob(f"{inside.name}*"))
