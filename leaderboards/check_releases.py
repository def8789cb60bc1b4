"""Releases against the files that they were made of: what was published may not change, and may not vanish."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow.compute as pc

from benchmark import durable
from benchmark.errors import UserError
from leaderboards import store
from leaderboards.store import Board


def problems(board: Board, hashes: Mapping[str, str]) -> Iterator[tuple[Path, list[str]]]:
    """Give what is wrong, a path at a time; `hashes` are those of the files that are there now."""
    gone = dict[str, Path]()
    for release in store.releases(board):
        found = list(_tables(board, release))
        try:
            files = durable.read_json(release / "release.json").get("files")
        except UserError:
            files = None
        if not isinstance(files, dict):
            found.append("release.json: lists no files")
            files = {}
        changed = [name for name, sha256 in files.items() if hashes.get(name, sha256) != sha256]
        found += [f"{name} is not the file that was released" for name in changed]
        gone |= {name: release for name in files if name not in hashes}
        yield release, found
    for name, release in gone.items():
        path = board.root / "results" / name
        if not _set_aside(board, path) and not path.exists():
            yield path, [f"was released in {release.name} and is gone"]


def _tables(board: Board, release: Path) -> Iterator[str]:
    """Compare the tables of a release with the files that they hold the rows of."""
    for kind in store.COMPACTED:
        try:
            table = store.released(board, release, kind)
        except UserError as error:
            yield str(error).removeprefix(f"{release}/")
            continue
        there = set(store.names(board, kind)) & set(pc.unique(table[store.FILE]).to_pylist())
        own = table.filter(pc.is_in(table[store.FILE], _sorted(there)))
        if not own.equals(_of_files(board, kind, there, own)):
            yield f"{kind}.parquet: its rows are not those of the files it names"
