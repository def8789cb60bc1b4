"""The store: immutable Parquet files named by their hash, with no index, no lock and no server.

A run is there when its row is there: `add` writes lists, queries and strata first and the row last. So whoever is killed
leaves files that nobody refers to, and whoever reads sees a run whole or not at all. Many may write at once.

    results/{runs,queries,strata,lists,marks,published}/   what counts; never changed
    results/blobs/<2 digits>/<sha256>                      configurations, logs, submissions
    derived/{means,pairs}/                                 computed from the above; may be deleted
    compact/<release>/                                     runs, strata and marks in one file each, with all hashes
    staging/, quarantine/                                  beside the results, so that no glob over them meets half a file
"""

import contextlib
import datetime
import io
import os
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark import durable, environment, results
from benchmark.errors import UserError
from benchmark.schemas import TABLES
from leaderboards import history

SCHEMA = "board/1"
FILE = "file"  # the column of a compact table that names the file a row came from

DIGITS = 32
_OURS = {"board.json", "results", "derived", "compact", "staging", "quarantine"}
_STATES = ("ok", "failed", "partial", "killed")  # a run that went on after a kill has a later state
_COMPACTED = ("runs", "strata", "marks")

Row = dict[str, Any]


@dataclass(frozen=True)
class Board:
    """A board on disk."""

    root: Path

    def folder(self, kind: str) -> Path:
        """Give the folder of a kind's files."""
        return self.root / ("derived" if history.kind(kind).derived else "results") / kind

    def path(self, kind: str, name: str) -> Path:
        """Give the path of a file."""
        return self.folder(kind) / f"{name}.parquet"

    def blob(self, sha256: str) -> Path:
        """Give the path of a file of any other kind."""
        return self.root / "results" / "blobs" / sha256[:2] / sha256


class Loaded(NamedTuple):
    """The rows of a kind, and what could not be read, a line each."""

    table: pa.Table
    problems: tuple[str, ...]


class Runs(NamedTuple):
    """One row a run, with its marks, and what is wrong with files, a line each."""

    rows: list[Row]
    problems: tuple[str, ...]


def begun(root: Path) -> Board:
    """Open a board to add to; an absent or empty folder becomes one."""
    with contextlib.suppress(NotADirectoryError):
        if (root / "board.json").exists():
            return opened(root)
    if root.exists() and (not root.is_dir() or _strangers(root)):
        raise UserError(f"{root}: is no board (it has no board.json) and is not empty; name a new folder")
    durable.write_bytes(root / "board.json", (durable.canonical({"schema": SCHEMA}) + "\n").encode())
    return Board(root)


def opened(root: Path) -> Board:
    """Open a board that is there."""
    if not (root / "board.json").is_file():
        raise UserError(f"{root}: is no board: it has no board.json; `luxreid board add` makes one")
    found = durable.read_json(root / "board.json").get("schema")
    if found != SCHEMA:
        raise UserError(f"{root / 'board.json'}: schema is {found!r}, this version reads {SCHEMA!r}")
    return Board(root)


def names(board: Board, kind: str) -> list[str]:
    """List a kind's files, sorted, without their suffix."""
    return sorted(name.removesuffix(".parquet") for name in _listed(board.folder(kind)) if name.endswith(".parquet"))


def named(sha256: str) -> str:
    """Give the name of the file with this hash."""
    return sha256[:DIGITS]


def encoded(kind: str, table: pa.Table) -> bytes:
    """Encode rows of a kind; a single row, which is all footer, without what only helps long columns."""
    known = history.kind(kind)
    table = history.upcast(table.replace_schema_metadata({"luxreid.schema": known.schema_id}), known, kind)
    table = table.replace_schema_metadata({"luxreid.schema": known.schema_id})
    if len(table) > 1:
        return results.encoded(table)
    buffer = io.BytesIO()
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    pq.write_table(table, buffer, write_page_checksum=True, **plain)
    return buffer.getvalue()


def publish(board: Board, kind: str, data: bytes, prefix: str = "") -> str:
    """Put a file into the store under its hash and give its name; what is there already is left as it is."""
    name = prefix + named(durable.sha256(data))
    _place(board, board.path(kind, name), data)
    return name


def publish_blob(board: Board, data: bytes) -> str:
    """Keep a file of any kind and give its hash."""
    sha256 = durable.sha256(data)
    _place(board, board.blob(sha256), data)
    return sha256


def publish_run(board: Board, row: Mapping[str, Any]) -> str:
    """Commit a run: its row, which names all its files."""
    data = encoded("runs", pa.Table.from_pylist([dict(row)], history.kind("runs").schema))
    return publish(board, "runs", data, f"{row['run_id']}-")


def publish_mark(board: Board, run_id: str, mark: str, value: str | None = None, why: str | None = None) -> str:
    """Say something of a run that is on the board."""
    code = environment.code(environment.ROOT)
    said = {"run_id": run_id, "mark": mark, "value": value, "why": why, "git_commit": code["git_commit"]}
    said |= {"at": datetime.datetime.now(datetime.UTC), "package_version": environment.facts()["package_version"]}
    return publish(board, "marks", encoded("marks", pa.Table.from_pylist([said], history.MARKS)))


def read(board: Board, kind: str, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read one file: its name must be its hash, its pages must have their checksums, its columns today's types."""
    path = board.path(kind, name)
    data = durable.read_bytes(path)
    if durable.sha256(data)[:DIGITS] != name[-DIGITS:]:
        raise UserError(f"{path}: its bytes are not those it is named by; it was changed or cut")
    return decoded(data, kind, str(path), columns)


def decoded(data: bytes, kind: str, where: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read the bytes of a file of a kind."""
    try:
        with pq.ParquetFile(io.BytesIO(data), page_checksum_verification=True) as file:
            known = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
            table = file.read(columns=known, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{where}: cannot be read as a Parquet table: {str(error).splitlines()[0]}") from None
    return history.upcast(table, history.kind(kind), where, columns)


def load(board: Board, kind: str, columns: Sequence[str] | None = None, only: Collection[str] | None = None) -> Loaded:
    """Read all files of a kind, or `only` those of these names; a broken one is left out and named.

    This is the one way into the store. Rows of a compact table stand for their files as long as these are there.
    """
    wanted = [name for name in names(board, kind) if only is None or name in only]
    tables, problems = list[pa.Table](), list[str]()
    packed = _packed(board, kind, columns, wanted) if kind in _COMPACTED else None
    if packed is not None:
        done = set(pc.unique(packed[FILE]).to_pylist())
        tables.append(packed.drop_columns([FILE]))
        wanted = [name for name in wanted if name not in done]
    for name in wanted:
        try:
            tables.append(read(board, kind, name, columns))
        except UserError as error:
            if board.path(kind, name).exists():  # else it was set aside since it was listed
                problems.append(str(error))
    schema = history.kind(kind).schema
    empty = pa.schema([field for field in schema if columns is None or field.name in columns]).empty_table()
    table = pa.concat_tables([empty, *tables], promote_options="default")
    return Loaded(table, tuple(problems))


def runs(board: Board, columns: Sequence[str] | None = None) -> Runs:
    """Give one row a run with its marks folded in: what was flagged, superseded, verified since."""
    wanted = None if columns is None else sorted({*columns, *_NEEDED})
    loaded, marks = load(board, "runs", wanted), load(board, "marks")
    problems = [*loaded.problems, *marks.problems]
    rows = _one_a_run(loaded.table.to_pylist(), problems)
    _fold(rows, marks.table)
    present = {kind: set(names(board, kind)) for kind in TABLES}
    for row in rows.values():
        lacking = [kind for kind, name in files(row).items() if name not in present[kind]]
        row["broken"] = f"its {' and '.join(lacking)} are not on the board" if lacking else row.get("broken")
        if lacking:
            problems.append(f"{board.root}: run {row['run_id']}: {row['broken']}")
    return Runs(list(rows.values()), tuple(problems))


def tables(board: Board, row: Mapping[str, Any], kinds: Iterable[str] = tuple(TABLES)) -> dict[str, pa.Table]:
    """Read the tables of a run."""
    return {kind: read(board, kind, name) for kind, name in files(row).items() if kind in kinds}


def bundle(board: Board, row: Mapping[str, Any]) -> results.Bundle:
    """Give a run as the bundle it came as."""
    return results.Bundle(dict(row), tables(board, row))


def files(row: Mapping[str, Any]) -> dict[str, str]:
    """Name the file of each of a run's tables. Lists begin with what they hold, so that equal lists are found by name."""
    hashes = {kind: row.get(f"{kind}_file_sha256" if kind == "lists" else f"{kind}_sha256") for kind in TABLES}
    prefix = {"lists": f"{str(row.get('lists_sha256'))[:16]}-"}
    return {kind: prefix.get(kind, "") + named(sha256) for kind, sha256 in hashes.items() if sha256}


def set_aside(board: Board, path: Path, reason: str) -> Path:
    """Move a file to quarantine with the reason beside it; nothing is deleted."""
    inside = path.relative_to(board.root)
    target = board.root / "quarantine" / inside
    target.parent.mkdir(parents=True, exist_ok=True)
    durable.write_json(target.with_name(f"{target.name}.json"), {"file": str(inside), "reason": reason, "at": _now()})
    path.replace(target)
    return target


_NEEDED = ("run_id", "status", "provenance", "lists_sha256", "lists_file_sha256", "queries_sha256", "strata_sha256")


def _one_a_run(found: Iterable[Row], problems: list[str]) -> dict[str, Row]:
    """Choose the row of every run: the furthest state it got to; two that ended well are a contradiction."""
    rows = dict[str, Row]()
    for row in found:
        known = rows.setdefault(row["run_id"], row)
        if known is row:
            continue
        if known["status"] == row["status"] and known != row:
            known["broken"] = row["broken"] = "two rows of this run say different things"
            problems.append(f"run {row['run_id']}: two rows say different things of it; neither is ranked")
        if _STATES.index(row["status"]) < _STATES.index(known["status"]):
            rows[row["run_id"]] = row
    return rows


def _fold(rows: Mapping[str, Row], marks: pa.Table) -> None:
    for mark in sorted(marks.to_pylist(), key=lambda mark: (mark["at"], mark["mark"])):
        row = rows.get(mark["run_id"])
        if row is None:
            continue
        if mark["mark"] in ("flagged", "cleared"):
            row["flagged"], row["flag_reason"] = mark["mark"] == "flagged", mark["why"]
        elif mark["mark"] == "superseded":
            row["superseded_by"] = mark["value"]
        elif mark["mark"] == "verified":
            row["provenance"] = "verified"
        elif mark["mark"] == "reason":
            row["reason_code"] = mark["value"]


def _packed(board: Board, kind: str, columns: Sequence[str] | None, wanted: Sequence[str]) -> pa.Table | None:
    """Read the rows of a kind from the newest release that is whole, as far as their files are still there."""
    for release in reversed(releases(board)):
        path = release / f"{kind}.parquet"
        try:
            data = durable.read_bytes(path)
            if durable.sha256(data) != durable.read_json(release / "release.json")["tables"][path.name]["sha256"]:
                continue
            table = decoded(data, kind, str(path), None if columns is None else [*columns, FILE])
        except (UserError, KeyError, TypeError):
            continue
        return table.filter(pc.is_in(table[FILE], pa.array(wanted, pa.string())))
    return None


def releases(board: Board) -> list[Path]:
    """List the releases that are whole, the oldest first."""
    folder = board.root / "compact"
    return [folder / name for name in sorted(_listed(folder)) if (folder / name / "release.json").exists()]


def _strangers(root: Path) -> list[str]:
    return [name for name in _listed(root) if name not in _OURS and not name.startswith(".")]


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{folder}: cannot read: {error.strerror or error}") from None


def _place(board: Board, target: Path, data: bytes) -> None:
    """Write beside the results, sync, rename; a file that is there and whole is left as it is."""
    if target.exists() and target.read_bytes() == data:
        return
    staged = board.root / "staging" / secrets.token_hex(12)
    try:
        staged.parent.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        with staged.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(target)
        durable.sync_folder(target.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            staged.unlink(missing_ok=True)
        raise UserError(f"{target}: cannot write: {error.strerror or error}") from None


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat()
