"""Setting aside what a check found broken: rows before their files, so that no run is read without them."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import UserError
from benchmark.schemas import TABLES
from leaderboards import store
from leaderboards.store import Board, Row

if TYPE_CHECKING:
    from leaderboards.check import Report


def quarantine(board: Board, report: "Report") -> list[Path]:
    """Move what is broken to `quarantine/` with the reasons, a run whole, and say what was moved."""
    reasons = dict[Path, list[str]]()
    for problem in report.problems:
        reasons.setdefault(problem.path, []).append(problem.what)
    rows = _rows(board)
    lost = {
        path: row for path, row in rows.items() if path in reasons or any(one in reasons for one in _named(board, row))
    }
    kept = {one for path, row in rows.items() if path not in lost for one in _named(board, row)}
    for path, row in lost.items():
        broken = [f"{one.relative_to(board.root)}: {why}" for one in _named(board, row) for why in reasons.get(one, ())]
        reasons[path] = [*reasons.get(path, ()), *broken]
    own = {one: path for path, row in lost.items() for one in _own(board, row) if one not in kept}
    for one, path in own.items():
        reasons.setdefault(one, [f"belongs to {path.relative_to(board.root)}, which was set aside"])
    order = [*lost, *(path for path in reasons if path not in lost)]
    return [store.set_aside(board, path, "; ".join(reasons[path])) for path in _movable(board, order)]


def _rows(board: Board) -> dict[Path, Row]:
    """Read the rows that can be read."""
    found = dict[Path, Row]()
    for name in store.names(board, "runs"):
        try:
            rows = store.read(board, "runs", name).to_pylist()
        except UserError:
            continue
        found |= {board.path("runs", name): row for row in rows[:1]}
    return found


def _named(board: Board, row: Row) -> Iterator[Path]:
    """Give all files that a row names."""
    yield from (board.path(kind, name) for kind, name in store.files(row).items())
    yield from (board.blob(kept["sha256"]) for kept in row["files"] or ())


def _own(board: Board, row: Row) -> Iterator[Path]:
    """Give the files that hold nothing but this run."""
    its = store.files(row)
    yield from (board.path(kind, its[kind]) for kind in TABLES if kind != "lists" and kind in its)


def _movable(board: Board, paths: Iterable[Path]) -> Iterator[Path]:
    """Leave out what is gone, and the board itself; a release is moved whole."""
    moved = set[Path]()
    for path in paths:
        inside = path.relative_to(board.root).parts
        whole = board.root.joinpath(*inside[:2]) if inside and inside[0] == "compact" else path
        # A row may name anything: nothing outside the board is moved.
        if len(inside) > 1 and ".." not in inside and whole not in moved and os.path.lexists(whole):
            moved.add(whole)
            yield whole
