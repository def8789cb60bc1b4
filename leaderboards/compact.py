"""Releases: the rows of many small files in one file a kind, with the hash of every file of the board.

A release is a copy. What counts are the files that it was made of; without it these are read.
"""

import contextlib
import datetime
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from benchmark import durable
from benchmark.errors import UserError
from leaderboards import analysis, history, store
from leaderboards.derived import GROUP, OWNERS
from leaderboards.store import Board

MANY = 64  # run files in no release: reading them one by one takes longer than the table that they are for
DAY = datetime.timedelta(hours=24)  # nobody takes that long to write a file

_KINDS = tuple(kind.name for kind in history.KINDS.values() if not kind.derived)  # runs first: what they name is there
_STAMP = "%Y%m%dT%H%M%SZ"
_SECOND = datetime.timedelta(seconds=1)
_VERSIONS = {"means": analysis.MEANS_VERSION, "pairs": analysis.PAIRS_VERSION}


class _Owner(NamedTuple):
    """Whose numbers a derived row holds."""

    of: tuple[str, ...]  # group, analysis, configurations
    runs: frozenset[str]


def compact(board: Board, now: datetime.datetime | None = None) -> Path:
    """Write a release of everything that is on the board now, or give the newest where it says that already."""
    last = _newest(board)
    known = files_of(last) if last else {}
    names = {kind: store.names(board, kind) for kind in _KINDS}
    files = dict(_hashes(board, names, known))
    if last and files == known and _whole(board, last):
        return last
    tables = {kind: _sorted(store.load_named(board, kind, only=names[kind]).table) for kind in store.COMPACTED}
    data = {f"{kind}.parquet": store.encoded(kind, table) for kind, table in tables.items()}
    rows = {f"{kind}.parquet": len(table) for kind, table in tables.items()}
    facts = {name: {"sha256": durable.sha256(content), "rows": rows[name]} for name, content in data.items()}
    said = {"tables": facts, "files": files}
    at = _after(last, now or datetime.datetime.now(datetime.UTC))
    release = board.root / "compact" / f"{at.strftime(_STAMP)}-{durable.sha256(durable.canonical(said))[:8]}"
    summed = sums(release.relative_to(board.root), facts, files)
    record = {"schema": store.RELEASE, "at": at.isoformat(), **said}
    text = json.dumps(record, indent=1, allow_nan=False) + "\n"
    store.write_folder(board, release, {**data, "SHA256SUMS": summed, "release.json": text.encode()})
    return release


def maintain(board: Board) -> None:
    """Compact a board on which many runs are in no release, where it can be written to."""
    last = _newest(board)
    known = files_of(last) if last else {}
    loose = [name for name in store.names(board, "runs") if f"runs/{name}.parquet" not in known]
    if len(loose) >= MANY and os.access(board.root, os.W_OK):
        with contextlib.suppress(UserError):
            compact(board)


def clean(board: Board, now: datetime.datetime | None = None) -> list[Path]:
    """Remove leavings of killed writers, stale derived files, and all releases but the newest whole one.

    A release stays that lists a file which is gone: it may be all that tells of it.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    whole = [release for release in store.releases(board) if _whole(board, release)]
    releases = [
        release for release in store.releases(board) if whole and release != whole[-1] and not _witness(board, release)
    ]
    stale = [board.path(kind, name) for kind in ("means", "pairs") for name in _stale(board, kind)]
    return [path for path in [*_left(board, now), *releases, *stale] if _removed(path)]


def _newest(board: Board) -> Path | None:
    """Give the newest release whose record can be read."""
    for release in reversed(store.releases(board)):
        with contextlib.suppress(UserError):
            files_of(release)
            return release
    return None


def files_of(release: Path) -> dict[str, str]:
    """Give the hash of every file that a release was made of."""
    record = durable.read_json(release / "release.json")
    files = record.get("files")
    ours = record.get("schema") == store.RELEASE and isinstance(files, dict)
    if files is None or not ours or not all(isinstance(sha256, str) for sha256 in files.values()):
        raise UserError(f"{release / 'release.json'}: is no {store.RELEASE} that lists its files")
    return dict(files)


def lost(board: Board, release: Path) -> Iterator[str]:
    """Name the files of a release that are not on the board any more."""
    present = {kind: set(store.names(board, kind)) for kind in _KINDS}
    for name in files_of(release):
        kind, _, file = name.partition("/")
        if kind == "blobs" or kind not in present:
            there = (board.root / "results" / name).exists()
        else:
            there = file.removesuffix(".parquet") in present[kind]
        if not there:
            yield name


def set_aside(board: Board, name: str, whole: bool = False) -> bool:
    """Say whether a file was moved to quarantine with a reason; `whole`: and is there as it was."""
    folder = (board.root / "quarantine" / "results" / name).parent
    for path in folder.glob(f"{Path(name).name}*"):
        with contextlib.suppress(UserError):
            if path.suffix != ".json" and _reasoned(path, name) and (not whole or _named_by(path, name)):
                return True
    return False


def _reasoned(path: Path, name: str) -> bool:
    said = durable.read_json(path.with_name(f"{path.name}.json"))
    return said.get("file") == f"results/{name}" and bool(said.get("reason"))


def _named_by(path: Path, name: str) -> bool:
    sha256 = durable.sha256(durable.read_bytes(path))
    return Path(name).name == sha256 or Path(name).stem.endswith(store.named(sha256))


def _witness(board: Board, release: Path) -> bool:
    try:
        return any(not set_aside(board, name, whole=True) for name in lost(board, release))
    except UserError:
        return False


def _whole(board: Board, release: Path) -> bool:
    try:
        for kind in store.COMPACTED:
            store.released(board, release, kind, ())
    except UserError:
        return False
    return True


def _hashes(board: Board, names: Mapping[str, Sequence[str]], known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Hash every file of the results; one that an earlier release names has the hash that it had then."""
    for kind, its in names.items():
        for name in its:
            sha256 = known.get(f"{kind}/{name}.parquet") or _hash(board.path(kind, name))
            if sha256 is not None and name.endswith(store.named(sha256)):  # what is broken is on no board
                yield f"{kind}/{name}.parquet", sha256
    for sha256 in store.blobs(board):
        yield f"blobs/{sha256[:2]}/{sha256}", sha256


def _hash(path: Path) -> str | None:
    try:
        return durable.sha256(durable.read_bytes(path))
    except UserError:
        return None


def _sorted(table: pa.Table) -> pa.Table:
    """Order rows by their file, so that the same files make the same bytes whatever was released before."""
    return table.take(pc.sort_indices(table[store.FILE]))  # a stable sort: rows of a file keep their order


def sums(folder: Path, facts: Mapping[str, Mapping[str, Any]], files: Mapping[str, str]) -> bytes:
    """Write what `sha256sum -c` reads in the folder of the board."""
    paths = {f"results/{name}": sha256 for name, sha256 in files.items()}
    paths |= {f"{folder}/{name}": fact["sha256"] for name, fact in facts.items()}
    return "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(paths.items())).encode()


def _after(last: Path | None, now: datetime.datetime) -> datetime.datetime:
    """Give the time, or what comes after the newest release: clocks differ, and the newest is the last by name."""
    now = now.astimezone(datetime.UTC).replace(microsecond=0)
    if last is not None:
        with contextlib.suppress(ValueError):  # a folder that somebody renamed
            stamp = datetime.datetime.strptime(last.name.split("-")[0], _STAMP)
            return max(now, stamp.replace(tzinfo=datetime.UTC) + _SECOND)
    return now


def _left(board: Board, now: datetime.datetime) -> list[Path]:
    """List what writers that were killed a day ago or more left behind."""
    old = now - DAY
    found = [path for path in _inside(board.root / "staging") if _changed(path) < old]
    parts = [path for path in _inside(board.root / "compact") if not (path / "release.json").exists()]
    return found + [path for path in parts if _changed(path) < old]


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _changed(path: Path) -> datetime.datetime:
    try:
        return datetime.datetime.fromtimestamp(path.lstat().st_mtime, datetime.UTC)
    except FileNotFoundError:  # its writer has just put it in its place
        return datetime.datetime.max.replace(tzinfo=datetime.UTC)


def _removed(path: Path) -> bool:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UserError(f"{path}: cannot remove: {error.strerror or error}") from None
    return True


def _stale(board: Board, kind: str) -> list[str]:
    """List derived files of which no row is looked at any more: its runs are gone, or more seeds came to them."""
    owners = {name: _owners(board, kind, name) for name in store.names(board, kind)}
    rows = store.runs(board, ("run_id",)).rows if owners else []
    there = {row["run_id"] for row in rows if row["status"] == "ok" and not row["broken"]}
    good = {owner for its in owners.values() for owner in its if owner.runs <= there}
    most = dict[tuple[str, ...], int]()
    for owner in good:
        most[owner.of] = max(most.get(owner.of, 0), len(owner.runs))
    used = {owner for owner in good if len(owner.runs) == most[owner.of]}
    return [name for name, its in owners.items() if not its & used]


def _owners(board: Board, kind: str, name: str) -> set[_Owner]:
    """Say whose numbers a derived file holds; none where it cannot be read or was made by another version."""
    configs, runs = OWNERS[kind]
    try:
        table = store.read(board, kind, name, [*GROUP, *configs, *runs])
    except UserError:
        return set()
    texts = [pc.binary_join(table[one], ",") for one in runs]
    keys = pa.table([*(table[one] for one in (*GROUP, *configs)), *texts], names=[*GROUP, *configs, *runs])
    rows = keys.group_by(keys.column_names).aggregate([]).to_pylist()
    return {
        _Owner(
            tuple(str(row[one]) for one in (*GROUP, *configs)),
            frozenset(",".join(row[one] for one in runs).split(",")),
        )
        for row in rows
        if str(row["analysis"]).startswith(f"{kind} {_VERSIONS[kind]},") and None not in [row[one] for one in runs]
    }
