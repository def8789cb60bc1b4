"""`board check`: reads every file of a board, computes every number again, and says what does not hold."""

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from benchmark import durable, lists
from benchmark.console import count
from benchmark.errors import UserError
from benchmark.progress import track
from benchmark.results import Bundle
from benchmark.schemas import TABLES
from leaderboards import check_derived, check_rows, entry, history, intervals, literature, ranking, recount, store
from leaderboards.check_derived import Values
from leaderboards.check_releases import Releases
from leaderboards.quarantine import quarantine
from leaderboards.recount import Shared
from leaderboards.store import Board, Row

SHOWN = 4  # problems of one file that are told in full

__all__ = ("Problem", "Report", "check", "quarantine")


class Problem(NamedTuple):
    """What is wrong with a file."""

    path: Path
    what: str


@dataclass
class Report:
    """What a check found."""

    problems: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)

    @property
    def notes(self) -> list[str]:
        """Give what nobody must act on; what is true of several files is said once."""
        return [note if times == 1 else f"{note} ({times:,} times)" for note, times in self.said.items()]

    @property
    def summary(self) -> str:
        """Say in one line what was looked at and found."""
        looked = ", ".join(count(number, noun) for noun, number in self.counts.items() if number)
        return f"{looked or 'nothing'} checked: {count(len(self.problems), 'problem')}"

    def add(self, path: Path, problems: Iterable[str]) -> None:
        """Add what is wrong with a file; of very much the first."""
        found = [" ".join(what.removeprefix(f"{path}: ").split()) for what in problems]
        more = [f"and {len(found) - SHOWN:,} more"] if len(found) > SHOWN else []
        self.problems += [Problem(path, what) for what in found[:SHOWN] + more]


@dataclass
class _Visit:
    """A check on its way through a board."""

    board: Board
    deep: bool
    report: Report = field(default_factory=Report)
    rows: dict[str, Row] = field(default_factory=dict)  # of a file of runs
    present: dict[str, set[str]] = field(default_factory=dict)  # the files of a kind
    hashes: dict[str, str] = field(default_factory=dict)  # of a file under results/
    values: Values = field(default_factory=Values)

    def __post_init__(self) -> None:
        """Read the releases first: the rows of each file are compared with theirs."""
        self.releases = Releases(self.board)

    def read(self, kind: str, name: str) -> pa.Table | None:
        """Read a file; where it is broken, say so and give nothing."""
        path = self.board.path(kind, name)
        try:
            data = durable.read_bytes(path)
            sha256 = durable.sha256(data)
            self.hashes[f"{kind}/{name}.parquet"] = sha256
            if name[-store.DIGITS :] != store.named(sha256):
                raise UserError("its bytes are not those it is named by; it was changed or cut")
            self.report.counts["file"] += 1
            table = store.decoded(data, kind, str(path))
        except UserError as error:
            self.report.add(path, [str(error)])
            return None
        self.releases.compare(kind, name, table)
        return table


def check(board: Board, deep: bool = False) -> Report:
    """Look at everything on a board; `deep` draws every interval and every test anew."""
    visit = _Visit(board, deep)
    visit.report.counts["run"] = 0  # named first
    for path, what in _strays(board):
        visit.report.add(path, [what])
    _read_rows(visit)
    _rows(visit)
    _tables(visit)
    _copies(visit)
    _unused(visit)
    _marks(visit)
    _blobs(visit)
    for path, what in visit.releases.gone(visit.hashes):
        visit.report.add(path, [what])
    for path, found in visit.releases.problems.items():
        visit.report.add(path, found)
    for path, found, notes in check_derived.problems(board, visit.values, deep):
        visit.report.add(path, found)
        visit.report.said.update(notes)
    return visit.report


def _strays(board: Board) -> Iterator[tuple[Path, str]]:
    """Find what does not belong under results/: other readers read whole folders, and follow links out of the board."""
    root = board.root.resolve()
    kinds = {kind.name for kind in history.KINDS.values() if not kind.derived}
    for folder in _entries(board.root / "results"):
        if folder.name not in (*kinds, "blobs") and not folder.name.startswith("."):
            yield Path(folder), "belongs to no kind of file that a board keeps"
            continue
        digits = [one for one in _entries(Path(folder)) if folder.name == "blobs" and one.is_dir()]
        for one in (*_entries(Path(folder)), *(one for inner in digits for one in _entries(Path(inner)))):
            if one.is_symlink() and not Path(one).resolve().is_relative_to(root):
                yield Path(one), f"is a link out of the board, to {Path(one).readlink()}"
            elif folder.name != "blobs" and one.is_dir():
                yield Path(one), "is a folder; a board keeps its files side by side"
            elif folder.name != "blobs" and not one.name.startswith(".") and not one.name.endswith(".parquet"):
                yield Path(one), "is no Parquet file, which alone a board keeps here"


def _entries(folder: Path) -> "list[os.DirEntry[str]]":
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        return sorted(entries, key=lambda one: one.name)
    return []


def _read_rows(visit: _Visit) -> None:
    """Read the rows of all runs, before their files: whoever adds meanwhile writes them in the other order."""
    tables = dict[str, pa.Table]()
    for name in store.names(visit.board, "runs"):
        table = visit.read("runs", name)
        if table is not None and len(table) == 1:
            tables[name] = table
        elif table is not None:
            visit.report.add(visit.board.path("runs", name), [f"holds {len(table)} rows, must hold 1"])
    if tables:
        # At once, and of one chunk a column: a thousand tables of one row take fifty times as long.
        joined = pa.concat_tables(tables.values(), promote_options="permissive").combine_chunks()
        visit.rows = dict(zip(tables, joined.to_pylist(), strict=True))
    visit.report.counts["run"] = len(visit.rows)


def _rows(visit: _Visit) -> None:
    """Look at every row by itself, at what it names, and at rows of one run."""
    board, report = visit.board, visit.report
    visit.present = {kind: set(store.names(board, kind)) for kind in TABLES}
    blobs = set(store.blobs(board))
    states = dict[tuple[str, str], tuple[str, Row]]()
    for name, row in visit.rows.items():
        path = board.path("runs", name)
        report.add(path, [*_misnamed(name, row), *check_rows.problems(row), *_missing(row, visit.present, blobs)])
        report.said.update(check_rows.notes(row))
        other, known = states.setdefault((row["run_id"], row["status"]), (name, row))
        if known != row and not _encoded_twice(board, known, row):
            for one, rival in ((name, other), (other, name)):
                report.add(board.path("runs", one), [f"contradicts {rival}, another row of this run"])
        elif other != name:
            report.said[f"run {row['run_id']}: two files hold the same row"] += 1
    report.said.update(check_rows.twins(visit.rows.values()))
    for name, what in check_rows.apart(visit.rows):
        report.add(board.path("runs", name), [what])


def _encoded_twice(board: Board, known: Row, row: Row) -> bool:
    """Say whether two versions encoded one run; a file that cannot be read is a problem by itself, and goes alone."""
    try:
        return store.same_run(board, known, row)
    except UserError:
        return True


def _misnamed(name: str, row: Row) -> Iterator[str]:
    if name[: -store.DIGITS] != f"{row['run_id']}-":
        yield f"is the row of run {row['run_id']}, but its name begins with {name[: -store.DIGITS - 1]}"


def _missing(row: Row, present: dict[str, set[str]], blobs: set[str]) -> Iterator[str]:
    its = store.files(row)
    for kind in TABLES if row["status"] == "ok" else ():
        if kind not in its:
            yield f"ended well, but names no {kind}"
    for kind, file in its.items():
        if file not in present[kind]:
            yield f"its {kind}, {file}, are not on the board"
    for kept in row["files"] or ():
        if kept["sha256"] not in blobs:
            yield f"its {kept['name']}, {kept['sha256'][: store.DIGITS]}, is not on the board"


def _tables(visit: _Visit) -> None:
    """Compute every run again, those with the same lists after one another."""
    by_lists = dict[str, list[str]]()
    for name, row in visit.rows.items():
        by_lists.setdefault(store.files(row).get("lists", ""), []).append(name)
    order = [(file, name) for file, names in by_lists.items() for name in names]
    last, shared = "", None
    for file, name in track(order, "computing every number again"):
        if file != last:
            last, shared = file, _lists(visit, file, by_lists[file])
        path = visit.board.path("runs", name)
        visit.report.add(path, _run(visit, visit.rows[name], shared))


def _lists(visit: _Visit, file: str, names: list[str]) -> "tuple[pa.Table, Shared] | None":
    """Read lists and hold what their runs say of them against them."""
    board = visit.board
    table = visit.read("lists", file) if file in visit.present["lists"] else None
    if table is None:
        return None
    own = {"lists_sha256": lists.hash_table(table), "measures_sha256": entry.measures(table)}
    if not file.startswith(store.lists_prefix(own["lists_sha256"])):
        visit.report.add(board.path("lists", file), [f"holds the lists {own['lists_sha256']}, its name says otherwise"])
    for name in names:
        row = visit.rows[name]
        wrong = [column for column, sha256 in own.items() if row[column] != sha256]
        said = [f"{column} is {row[column]}, that of its lists is {own[column]}" for column in wrong]
        visit.report.add(board.path("runs", name), [*said, *_other_hash(visit, row, "lists", file)])
    try:
        return table, Shared(table)
    except UserError as error:
        visit.report.add(board.path("lists", file), [str(error)])
        return None


def _other_hash(visit: _Visit, row: Row, kind: str, file: str) -> Iterator[str]:
    """Compare all digits of a file's hash; its name has but the first."""
    column, sha256 = store.HASHES[kind], visit.hashes[f"{kind}/{file}.parquet"]
    if row[column] != sha256:
        yield f"{column} is {row[column]}, that of its file is {sha256}"


def _run(visit: _Visit, row: Row, shared: "tuple[pa.Table, Shared] | None") -> Iterator[str]:
    """Compute a run again; its files are read whether it can be or not."""
    tables = dict[str, pa.Table]()
    for kind, file in store.files(row).items():
        if kind == "lists" or file not in visit.present[kind]:
            continue
        table = visit.read(kind, file)
        if table is None:
            continue
        tables[kind] = table
        yield from _other_hash(visit, row, kind, file)
        strangers = set(pc.unique(table["run_id"]).to_pylist()) - {row["run_id"]}
        if strangers:
            yield f"its {kind} hold rows of {', '.join(sorted(strangers)[:3])}"
    if row["status"] != "ok" or shared is None or len(tables) < len(TABLES) - 1:
        return
    bundle = Bundle(dict(row), tables | {"lists": shared[0]})
    found = recount.recount(bundle, shared[1])
    yield from found.problems
    visit.report.said.update(found.notes)
    if found.strata is not None:
        visit.values.keep(row, found.strata)
        if visit.deep and not found.problems:
            yield from intervals.problems(bundle, found.strata.layout.parts)


def _copies(visit: _Visit) -> None:
    """Look for ranks that stand under several seeds or configurations; the run that began first is believed."""
    for names in check_rows.near(visit.rows):
        seen = dict[str, Row]()
        for name in sorted(names, key=lambda name: ranking.age(visit.rows[name])) if len(names) > 1 else ():
            row = visit.rows[name]
            first = seen.setdefault(_ranks(visit.board, row) or name, row)
            if check_rows.is_copy(first, row):
                what = f"has the very ranks of run {first['run_id'][:8]}, which has another seed or configuration"
                visit.report.add(visit.board.path("runs", name), [what])


def _ranks(board: Board, row: Row) -> str | None:
    """Hash where every positive stands, whatever the order of the rows."""
    try:
        columns = ("trial", "query_idx", "pos_ranks", "pos_gidx")
        table = store.read(board, "queries", store.files(row)["queries"], columns)
    except (UserError, KeyError):  # which is said elsewhere
        return None
    table = table.select(columns).sort_by([("trial", "ascending"), ("query_idx", "ascending")])
    return durable.sha256(repr(table.to_pydict()).encode())


def _unused(visit: _Visit) -> None:
    """Read what no run names, too: half a file spoils a folder for whoever reads all of it."""
    for kind in TABLES:
        names = [name for name in store.names(visit.board, kind) if f"{kind}/{name}.parquet" not in visit.hashes]
        for name in names:
            visit.read(kind, name)
        if names:
            files = count(len(names), "file")
            visit.report.said[f"{visit.board.folder(kind)}: {files} that no run names, such as {names[0]}"] += 1


def _marks(visit: _Visit) -> None:
    """Read marks and numbers of papers."""
    known = {row["run_id"] for row in visit.rows.values()}
    for name in store.names(visit.board, "published"):
        table = visit.read("published", name)
        if table is not None:
            visit.report.add(visit.board.path("published", name), literature.problems(table))
    for name in store.names(visit.board, "marks"):
        table, path = visit.read("marks", name), visit.board.path("marks", name)
        for mark in table.to_pylist() if table is not None else ():
            visit.report.add(path, _of_mark(mark, known))
            if mark["run_id"] not in known:
                visit.report.said[f"{path}: names run {mark['run_id']}, which is not on the board"] += 1


def _of_mark(mark: Row, known: set[str]) -> Iterator[str]:
    """Say what no mark of ours says: the rules of `store.publish_mark`."""
    word, value = mark["mark"], mark["value"]
    if word not in history.MARKS_KNOWN:
        yield f"mark is {word!r}, must be one of {', '.join(history.MARKS_KNOWN)}"
    if word == "reason" and value not in history.REASONS:
        yield f"reason is {value!r}, must be one of {', '.join(history.REASONS)}"
    if word == "superseded" and value == mark["run_id"]:
        yield f"says that run {value} is superseded by itself"
    elif word == "superseded" and value not in known:
        yield f"says superseded by run {value}, which is not on the board"


def _blobs(visit: _Visit) -> None:
    """Hash every file that is kept beside the tables."""
    used = dict[str, list[tuple[str, int | None]]]()  # by whom, and as how long
    for file, row in visit.rows.items():
        for kept in row["files"] or ():
            used.setdefault(kept["sha256"], []).append((file, kept["size"]))
    for name in store.blobs(visit.board):
        path = visit.board.blob(name)
        visit.report.counts["file"] += 1
        try:
            data = durable.read_bytes(path)
        except UserError as error:
            visit.report.add(path, [str(error)])
            continue
        sha256 = durable.sha256(data)
        visit.hashes[f"blobs/{name[:2]}/{name}"] = sha256
        if sha256 != name:
            visit.report.add(path, ["its bytes are not those it is named by; it was changed or cut"])
        for file, size in used.get(name, ()) if sha256 == name else ():
            if size != len(data):
                visit.report.add(
                    visit.board.path("runs", file), [f"says that {name[:8]} is of {size} bytes, it is of {len(data)}"]
                )
        if sha256 == name and name not in used:
            visit.report.said[f"{visit.board.root}: files that no run names are kept as blobs"] += 1
