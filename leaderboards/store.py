"""The store: immutable Parquet files named by their hash, with no index, no lock and no server.

A run is there when its row is there: `add` writes lists, queries and strata first and the row last. So whoever is
killed leaves files that nobody refers to, and whoever reads sees a run whole or not at all. Many may write at once.

    results/{runs,queries,strata,lists,marks,published}/   what counts; never changed
    results/blobs/<2 digits>/<sha256>                      configurations, logs, submissions
    derived/{means,pairs}/                                 computed from the above; may be deleted
    compact/<release>/                                     runs, strata and marks in one file each, with all hashes
    staging/, quarantine/                                  beside the results: no glob over those meets half a file
"""

import contextlib
import datetime
import io
import os
import re
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark import durable, environment, results
from benchmark.errors import UserError, nearest
from benchmark.schemas import TABLES
from leaderboards import history

SCHEMA = "board/1"
RELEASE = "release/1"
COMPACTED = ("runs", "strata", "marks")
FILE = "file"  # the column of a compact table that names the file a row came from

DIGITS = 32
HASHES = {"queries": "queries_sha256", "strata": "strata_sha256", "lists": "lists_file_sha256"}  # of a run's files
_OURS = {"board.json", "results", "derived", "compact", "staging", "quarantine", "README.md", "LICENSE"}
_STATES = ("ok", "failed", "partial", "killed")  # a run that went on after a kill has a later state
_RUN_ID = re.compile(r"[0-9A-Za-z_]{1,64}")  # it becomes part of a file's name

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
    if _is_board(root):
        return opened(root)
    if root.exists() and (not root.is_dir() or _strangers(root)):
        raise UserError(f"{root}: is no board (it has no board.json) and is not empty; name a new folder")
    durable.write_bytes(root / "board.json", (durable.canonical({"schema": SCHEMA}) + "\n").encode())
    return Board(root)


def opened(root: Path) -> Board:
    """Open a board that is there."""
    if not _is_board(root):
        raise UserError(f"{root}: is no board: it has no board.json; `luxreid board add` makes one")
    found = durable.read_json(root / "board.json").get("schema")
    if found != SCHEMA:
        raise UserError(f"{root / 'board.json'}: schema is {found!r}, this version reads {SCHEMA!r}")
    return Board(root)


def names(board: Board, kind: str, prefix: str = "") -> list[str]:
    """List a kind's files, sorted, without their suffix; with a prefix, those that begin so: no file is opened."""
    found = (name for name in _listed(board.folder(kind)) if name.endswith(".parquet") and name.startswith(prefix))
    return sorted(name.removesuffix(".parquet") for name in found)


def blobs(board: Board) -> list[str]:
    """List the hashes of the files of any other kind."""
    folder = board.root / "results" / "blobs"
    return sorted(name for digits in _listed(folder) for name in _listed(folder / digits))


def named(sha256: str) -> str:
    """Give the name of the file with this hash."""
    return sha256[:DIGITS]


def encoded(kind: str, table: pa.Table) -> bytes:
    """Encode rows of a kind; a single row, which is all footer, without what only helps long columns."""
    known = history.kind(kind)
    table = history.upcast(table.replace_schema_metadata({"luxreid.schema": known.schema_id}), known, kind)
    # Readers of Parquet call the items of a list as they like; by their names here equal rows have equal bytes.
    named = [known.schema.field(one.name) if one.name in known.schema.names else one for one in table.schema]
    table = table.cast(pa.schema(named, {"luxreid.schema": known.schema_id}))
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
    if not _RUN_ID.fullmatch(str(row["run_id"])):
        raise UserError(f"{board.root}: run_id = {str(row['run_id'])[:80]!r}, must be digits and letters, at most 64")
    return publish(board, "runs", encoded("runs", _one_row("runs", row)), f"{row['run_id']}-")


def publish_mark(board: Board, run_id: str, mark: str, value: str | None = None, why: str | None = None) -> str:
    """Say something of a run that is on the board."""
    _check_mark(board, run_id, mark, value)
    code = environment.code(environment.ROOT)
    said: Row = {"run_id": run_id, "mark": mark, "value": value, "why": why, "git_commit": code["git_commit"]}
    said |= {"at": datetime.datetime.now(datetime.UTC), "package_version": environment.facts()["package_version"]}
    return publish(board, "marks", encoded("marks", _one_row("marks", said)))


def read(board: Board, kind: str, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read one file: its name must be its hash, its pages must have their checksums, its columns today's types."""
    path = board.path(kind, name)
    data = durable.read_bytes(path)
    if durable.sha256(data)[:DIGITS] != name[-DIGITS:]:
        raise UserError(
            f"{path}: its bytes are not those it is named by; it was changed or cut; "
            "`luxreid board check` sets it aside"
        )
    return decoded(data, kind, str(path), columns)


def decoded(data: bytes, kind: str, where: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read the bytes of a file of a kind."""
    try:
        with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
            known = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
            table = file.read(columns=known, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{where}: cannot be read as a Parquet table: {str(error).splitlines()[0]}") from None
    return history.upcast(table, history.kind(kind), where, columns)


def load(board: Board, kind: str, columns: Sequence[str] | None = None, only: Collection[str] | None = None) -> Loaded:
    """Read all files of a kind, or `only` those of these names; a broken one is left out and named.

    This is the one way into the store. Rows of a compact table stand for their files as long as these are there.
    """
    loaded = load_named(board, kind, columns, only)
    return Loaded(loaded.table.drop_columns([FILE]), loaded.problems)


def load_named(
    board: Board, kind: str, columns: Sequence[str] | None = None, only: Collection[str] | None = None
) -> Loaded:
    """Load with one more column, `file`: the name of the file that a row is of."""
    wanted = names(board, kind)
    if only is not None:
        only = frozenset(only)
        wanted = [name for name in wanted if name in only]
    packed = _packed(board, kind, columns, wanted) if kind in COMPACTED else None
    done = set() if packed is None else set(pc.unique(packed[FILE]).to_pylist())
    tables, problems = [] if packed is None else [packed], list[str]()
    for name in wanted:
        if name not in done:
            try:
                tables.append(_with_file(read(board, kind, name, columns), name))
            except UserError as error:
                if board.path(kind, name).exists():  # else it was set aside since it was listed
                    problems.append(str(error))
    table = _joined([_empty(kind, columns), *tables], f"{board.folder(kind)}", problems)
    return Loaded(table, tuple(problems))


def runs(board: Board, columns: Sequence[str] | None = None) -> Runs:
    """Give one row a run, by run_id, with its marks folded in: what was flagged, superseded, verified since."""
    wanted = None if columns is None else sorted({*columns, *_NEEDED})
    loaded, marks = load_named(board, "runs", wanted), load(board, "marks")
    problems = [*loaded.problems, *marks.problems]
    rows = {run_id: _furthest(board, found) for run_id, found in _by_run(loaded.table).items()}
    _fold(rows, marks.table)
    present = {kind: set(names(board, kind)) for kind in TABLES}  # after the rows: a row's files were there before it
    for row in rows.values():
        row["broken"] = row["broken"] or _lack(row, present)
        if row["broken"]:
            problems.append(f"{board.root}: run {row['run_id']}: {row['broken']}")
    return Runs([rows[run_id] for run_id in sorted(rows)], tuple(problems))


def rows_of(board: Board, run_id: str, columns: Sequence[str] | None = None) -> list[Row]:
    """Give the rows of one run as they were added, opening no other run's file: one a state that it was added in."""
    rows: list[Row] = load(board, "runs", columns, names(board, "runs", f"{run_id}-")).table.to_pylist()
    return rows


def tables(board: Board, row: Mapping[str, Any], kinds: Iterable[str] = tuple(TABLES)) -> dict[str, pa.Table]:
    """Read the tables of a run."""
    return {kind: read(board, kind, name) for kind, name in files(row).items() if kind in kinds}


def same_run(board: Board, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Say whether two rows are one run in two encodings: nothing but its files' bytes differs, and not what they say.

    What cannot be read raises.
    """
    if any(one.get(name) != other.get(name) for name in one.keys() | other.keys() if name not in HASHES.values()):
        return False
    its, others = files(one), files(other)
    if its.keys() != others.keys():
        return False
    return all(_content(board, kind, its[kind]) == _content(board, kind, others[kind]) for kind in its)


def same_tables(board: Board, row: Mapping[str, Any], encoded_tables: Mapping[str, bytes]) -> bool:
    """Say whether the tables of a run hold what these bytes hold, whoever encoded them."""
    its = files(row)
    return its.keys() == encoded_tables.keys() and all(
        _content(board, kind, its[kind]) == encoded(kind, decoded(data, kind, kind).combine_chunks())
        for kind, data in encoded_tables.items()
    )


def bundle(board: Board, row: Mapping[str, Any]) -> results.Bundle:
    """Give a run as the bundle it came as."""
    return results.Bundle(dict(row), tables(board, row))


def files(row: Mapping[str, Any]) -> dict[str, str]:
    """Name the file of each of a run's tables; lists begin with what they hold, and so are found by name."""
    hashes = {kind: row.get(f"{kind}_file_sha256" if kind == "lists" else f"{kind}_sha256") for kind in TABLES}
    return {
        kind: (lists_prefix(str(row.get("lists_sha256"))) if kind == "lists" else "") + named(sha256)
        for kind, sha256 in hashes.items()
        if sha256
    }


def lists_prefix(lists_sha256: str) -> str:
    """Give what the names of all files with these lists begin with."""
    return f"{lists_sha256[:16]}-"


def set_aside(board: Board, path: Path, reason: str) -> Path:
    """Move a file to quarantine with the reason beside it; nothing is deleted."""
    inside = path.relative_to(board.root)
    target = board.root / "quarantine" / inside
    if target.exists():  # the same name was set aside before, perhaps with other bytes
        target = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
    durable.write_json(target.with_name(f"{target.name}.json"), {"file": str(inside), "reason": reason, "at": _now()})
    try:
        path.replace(target)
    except OSError as error:
        raise UserError(f"{path}: cannot set aside: {error.strerror or error}") from None
    return target


def releases(board: Board) -> list[Path]:
    """List the releases that were written to their end, the oldest first."""
    folder = board.root / "compact"
    return [folder / name for name in sorted(_listed(folder)) if (folder / name / "release.json").exists()]


def released(board: Board, release: Path, kind: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table of a release, whose bytes must be those that the release names."""
    path, known = release / f"{kind}.parquet", durable.read_json(release / "release.json")
    data = durable.read_bytes(path)
    try:
        expected = known["tables"][path.name]["sha256"]
    except (KeyError, TypeError):
        raise UserError(f"{release / 'release.json'}: names no table {path.name}") from None
    if known.get("schema") != RELEASE:
        raise UserError(f"{release / 'release.json'}: is {known.get('schema')!r}, this version reads {RELEASE!r}")
    if durable.sha256(data) != expected:
        raise UserError(f"{path}: its bytes are not those that release.json names; it was changed or cut")
    table = decoded(data, kind, str(path), None if columns is None else [*columns, FILE])
    if FILE not in table.column_names:
        raise UserError(f"{path}: has no column {FILE!r}, which names the file of a row")
    return table


def write_folder(board: Board, target: Path, content: Mapping[str, bytes]) -> None:
    """Write a folder of files that appears at once and whole; the last file named is the last one written."""
    with _staged(board, target) as staged:
        staged.mkdir()
        for name, data in content.items():
            _write(staged / name, data)
        durable.sync_folder(staged)
        staged.rename(target)


_NEEDED = ("run_id", "status", "provenance", "lists_sha256", "lists_file_sha256", "queries_sha256", "strata_sha256")


def _one_row(kind: str, row: Mapping[str, Any]) -> pa.Table:
    known = history.kind(kind)
    try:
        return pa.Table.from_pylist([dict(row)], known.schema)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"run {row['run_id']}: does not fit {known.schema_id}: {error}") from None


def _check_mark(board: Board, run_id: str, mark: str, value: str | None) -> None:
    if mark not in history.MARKS_KNOWN:
        raise UserError(f"mark {mark!r} is not known; {nearest(mark, list(history.MARKS_KNOWN))}")
    if mark == "reason" and value not in history.REASONS:
        raise UserError(f"reason {value!r} is not known; {nearest(str(value), list(history.REASONS))}")
    named_runs = [run_id, str(value)] if mark == "superseded" else [run_id]
    for one in named_runs:
        if not names(board, "runs", f"{one}-"):
            raise UserError(f"{board.root}: has no run {one!r}; `luxreid board table` lists those it has")
    if mark == "superseded" and value == run_id:
        raise UserError(f"{board.root}: run {run_id} cannot be superseded by itself")


def _by_run(table: pa.Table) -> dict[str, list[Row]]:
    rows = dict[str, list[Row]]()
    for row in table.combine_chunks().to_pylist():  # of one chunk a column: of a thousand it takes fifty times as long
        rows.setdefault(row["run_id"], []).append(row | {"broken": None})
    return rows


def _furthest(board: Board, found: Sequence[Row]) -> Row:
    """Choose the row of a run: the furthest state it got to; of two that differ in one state none is right."""
    places = {state: place for place, state in enumerate(_STATES)}
    row = min(found, key=lambda row: (places.get(row["status"], len(places)), row[FILE]))
    rivals = [rival[FILE] for rival in found if rival["status"] == row["status"]]
    if row["status"] not in places:
        row["broken"] = f"its status is {row['status']!r}, which is none of {', '.join(_STATES)}"
    elif len(rivals) > 1:
        row["broken"] = _contradiction(board, load(board, "runs", only=rivals).table.to_pylist())
    return {name: value for name, value in row.items() if name != FILE}


def _contradiction(board: Board, rows: Sequence[Row]) -> str | None:
    """Say why rows are not one run; what only another version encoded otherwise is."""
    try:
        same = all(row == rows[0] or same_run(board, rows[0], row) for row in rows)
    except UserError as error:
        return f"it has two rows, and a file of theirs cannot be compared: {error}"
    return None if same else "two rows of this run say different things"


def _content(board: Board, kind: str, name: str) -> bytes:
    """Encode a table anew, so that equal content has equal bytes (Arrow itself holds NaN unequal to NaN)."""
    return encoded(kind, read(board, kind, name).combine_chunks())


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
            row.setdefault("added_as", row["provenance"])  # what it must show is decided by how it was added
            row["provenance"] = "verified"
        elif mark["mark"] == "reason":
            row["reason_code"] = mark["value"]


def _lack(row: Row, present: Mapping[str, Collection[str]]) -> str | None:
    """Say what a run lacks: a table that it names and the board has not, or that it should name."""
    its = files(row)
    unnamed = [kind for kind in TABLES if row["status"] == "ok" and kind not in its]
    if unnamed:
        return f"it ended well and names no {' and no '.join(unnamed)}"
    lacking = [kind for kind, name in its.items() if name not in present[kind]]
    return f"its {' and '.join(lacking)} are not on the board" if lacking else None


def _packed(board: Board, kind: str, columns: Sequence[str] | None, wanted: Sequence[str]) -> pa.Table | None:
    """Read the rows of a kind from the newest release that is whole, as far as their files are still there."""
    for release in reversed(releases(board)):
        with contextlib.suppress(UserError):  # a release is a copy: without it the files themselves are read
            table = released(board, release, kind, columns)
            return table.filter(pc.is_in(table[FILE], pa.array(wanted, pa.string())))
    return None


def _empty(kind: str, columns: Sequence[str] | None) -> pa.Table:
    fields = [field for field in history.kind(kind).schema if columns is None or field.name in columns]
    return pa.schema([*fields, (FILE, pa.string())]).empty_table()


def _with_file(table: pa.Table, name: str) -> pa.Table:
    if FILE in table.column_names:  # a later version's; here the word is taken
        table = table.drop_columns([FILE])
    return table.append_column(FILE, pa.repeat(name, len(table)))


def _joined(tables: Sequence[pa.Table], where: str, problems: list[str]) -> pa.Table:
    """Put tables together; a column that we do not know and whose types do not fit is left out and named."""
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException:
        clashing = _clashing([table.schema for table in tables])
        problems += [f"{where}: column {name!r} has several types and is left out" for name in clashing]
        kept = [table.drop_columns([name for name in clashing if name in table.column_names]) for table in tables]
        return pa.concat_tables(kept, promote_options="permissive")


def _clashing(schemas: Sequence[pa.Schema]) -> list[str]:
    """Name the columns whose types have no common one."""
    fields = dict[str, list[pa.Field]]()
    for field in (field for schema in schemas for field in schema):
        fields.setdefault(field.name, []).append(field)
    return sorted(name for name, its in fields.items() if not _fit(its))


def _fit(fields: Sequence[pa.Field]) -> bool:
    try:
        pa.unify_schemas([pa.schema([field]) for field in fields], promote_options="permissive")
    except pa.ArrowException:
        return False
    return True


def _is_board(root: Path) -> bool:
    try:
        return (root / "board.json").is_file()
    except OSError as error:
        raise UserError(f"{root}: cannot read: {error.strerror or error}") from None


def _strangers(root: Path) -> list[str]:
    return [name for name in _listed(root) if name not in _OURS and not name.startswith(".")]


def _listed(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{folder}: cannot read: {error.strerror or error}") from None


def _place(board: Board, target: Path, data: bytes) -> None:
    """Write beside the results, sync, rename; a file that is there and whole is left as it is."""
    if _holds(target, data):
        return
    with _staged(board, target) as staged:
        _write(staged, data)
        staged.replace(target)


@contextlib.contextmanager
def _staged(board: Board, target: Path) -> Iterator[Path]:
    """Name a place for what shall become `target`; a fault is one line, and leaves nothing there."""
    staged = board.root / "staging" / secrets.token_hex(12)
    try:
        for folder in (staged.parent, target.parent):
            _make(folder)
        yield staged
        durable.sync_folder(target.parent)
    except OSError as error:
        raise UserError(f"{target}: cannot write: {error.strerror or error}") from None
    finally:
        _remove(staged)


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _make(folder: Path) -> None:
    """Make a folder whose name lasts."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        durable.sync_folder(folder.parent)


def _remove(staged: Path) -> None:
    with contextlib.suppress(OSError):
        staged.unlink(missing_ok=True)
    shutil.rmtree(staged, ignore_errors=True)


def _holds(target: Path, data: bytes) -> bool:
    try:
        return target.read_bytes() == data
    except OSError:
        return False


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat()
