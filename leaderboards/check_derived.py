"""Derived tables against the runs that they name: `means/1` and `pairs/1` are believed as long as they are there.

Their means follow from the numbers of the runs, which were just computed from ranks. `deep` computes all of them anew,
intervals and tests too.
"""

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark.errors import UserError
from leaderboards import analysis, cells, store
from leaderboards.cells import CHANCE
from leaderboards.light import Key
from leaderboards.recount_strata import EXACT, Checked, Layout
from leaderboards.store import Board, Row

SAMPLE = 32  # configurations, or pairs of them, of a file that are looked at where not all are
NEAR = 1e-6  # a last digit of a mean may move a draw by one place

_RUNS = {"means": ("run_ids",), "pairs": ("run_ids_a", "run_ids_b")}
_DRAWN = {"means": ("se", "ci_lo", "ci_hi"), "pairs": ("se", "ci_lo", "ci_hi", "df", "p", "p_flip", "p_holm")}
_ANALYSIS = re.compile(r"(means|pairs) (\d+), (\d+) (?:draws|flips), seed (\d+)")
_CELL = ("cut", "scheme_id", "q_stratum", "g_stratum", "metric")


class _Known(NamedTuple):
    """What the ranks of a run give."""

    layout: Layout
    wanted: np.ndarray[Any, np.dtype[np.float64]]


class Values:
    """What the ranks of every run give, as far as rows of strata needed it."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._rows, self._known = dict[str, Row](), dict[str, _Known]()

    def keep(self, row: Row, checked: Checked) -> None:
        """Keep what was computed of a run."""
        self._rows[row["run_id"]] = row
        self._known[row["run_id"]] = _Known(checked.layout, checked.wanted)

    def rows(self, run_ids: Iterable[str]) -> list[Row] | None:
        """Give the rows of runs; None where one is not on the board."""
        rows = [self._rows.get(run_id) for run_id in run_ids]
        return None if None in rows else [row for row in rows if row is not None]

    def of(self, run_ids: Sequence[str], key: Key) -> list[float] | None:
        """Give a number of several runs; None where it was computed of some only."""
        found = []
        for run_id in run_ids:
            layout, wanted = self._known[run_id]
            if key not in layout.places:
                return None
            found.append(float(wanted[layout.places[key]]))
        return found


def problems(board: Board, values: Values, deep: bool) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Give problems and notes, a derived file at a time."""
    for kind in _RUNS:
        for name in store.names(board, kind):
            path = board.path(kind, name)
            try:
                table = store.read(board, kind, name)
            except UserError as error:
                yield path, [str(error)], []
                continue
            yield (path, *_of_file(board, kind, table, values, deep))


def _of_file(board: Board, kind: str, table: pa.Table, values: Values, deep: bool) -> tuple[list[str], list[str]]:
    found, notes = list[str](), list[str]()
    owners = _owners(kind, table)
    step = 1 if deep else -(-len(owners) // SAMPLE)
    for own in owners[::step]:
        rows = own.to_pylist()
        runs = [rows[0][name] for name in _RUNS[kind]]
        if values.rows(run for part in runs for run in part) is None:
            notes.append(f"{kind}: rows of runs that are not on the board; `--clean` removes such files")
            continue
        found += [what for row in rows for what in _means(kind, row, values)]
        if deep and not found:
            found += _anew(board, kind, rows, values, notes)
    return found, notes


def _owners(kind: str, table: pa.Table) -> list[pa.Table]:
    """Part a table by the runs and the analysis that its rows are of."""
    texts = [pc.binary_join(table[name], ",") for name in _RUNS[kind]]
    names = [table[name] for name in ("lists_sha256", "protocol_sha256", "analysis")]
    keys = pc.binary_join_element_wise(*names, *texts, " ")
    codes = keys.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    return [table.take(part) for part in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1) if len(part)]


def _means(kind: str, row: Row, values: Values) -> Iterator[str]:
    """Compare the means of a row with those of its runs."""
    key = (row["cut"], row["scheme_id"], row["q_stratum"], row["g_stratum"], row["metric"])
    if row["cut"] == "worst":  # the lowest of means, in a level of its own
        return
    sides = [values.of(row[name], key) for name in _RUNS[kind]]
    if None in sides:
        return
    found = [float(np.mean(side)) for side in sides if side is not None]
    wanted = (
        {"value": found[0]} if kind == "means" else {"a": found[0], "b": found[1], "difference": found[0] - found[1]}
    )
    if kind == "means" and row["metric"] not in CHANCE and len(sides[0] or ()) > 1:
        wanted["sd_seeds"] = float(np.std(sides[0] or (), ddof=1))
    for name, value in wanted.items():
        if row[name] is None or not abs(row[name] - value) <= EXACT:
            yield f"{' '.join(str(word) for word in key)}: {name} is {row[name]}, its runs give {value:.12g}"


def _anew(board: Board, kind: str, rows: Sequence[Row], values: Values, notes: list[str]) -> list[str]:
    """Compute the rows of some runs again on a board that has the same results and nothing derived from them."""
    said = _ANALYSIS.fullmatch(rows[0]["analysis"] or "")
    version = {"means": analysis.MEANS_VERSION, "pairs": analysis.PAIRS_VERSION}[kind]
    if said is None or said[1] != kind or said[2] != str(version):
        notes.append(f"{kind}: computed by another version ({rows[0]['analysis']}); not looked at")
        return []
    runs = values.rows(run for name in _RUNS[kind] for run in rows[0][name]) or []
    with tempfile.TemporaryDirectory() as folder:
        view = Board(Path(folder))
        (view.root / "results").symlink_to((board.root / "results").resolve())
        how: dict[str, Any] = {"seed": int(said[4]), **_cuts(rows)}
        try:
            if kind == "means":
                table = analysis.means(view, runs, draws=int(said[3]), **how)
            else:
                names = rows[0]["config_a"], [rows[0]["config_b"]]
                table = analysis.pairs(view, runs, *names, flips=int(said[3]), **how)
        except UserError as error:  # nobody could have computed this
            return [str(error).replace(folder, str(board.root))]
        return list(_differing(kind, rows, table.to_pylist()))


def _cuts(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Write the cuts of some rows as a person asks for them."""
    levels = dict[tuple[str, str], set[str]]()
    for row in rows:
        if row["cut"] in ("query", "pos", "pair_pos"):
            named = {row["q_stratum"], row["g_stratum"]} - {None}
            levels.setdefault((row["cut"], row["scheme_id"]), set()).update(named)
    texts = {key: cells.text(key[1], names) for key, names in levels.items()}
    return {
        "by": [text for (cut, _), text in texts.items() if cut != "pair_pos"],
        "pairs": [text for (cut, _), text in texts.items() if cut == "pair_pos"],
    }


def _differing(kind: str, rows: Sequence[Row], fresh: Sequence[Row]) -> Iterator[str]:
    known: Mapping[tuple[Any, ...], Row] = {tuple(row[name] for name in _CELL): row for row in fresh}
    for row in rows:
        key = tuple(row[name] for name in _CELL)
        other = known.get(key)
        if other is None:
            yield f"{' '.join(map(str, key))}: computed again, there is no such row"
            continue
        for name in _DRAWN[kind]:
            found, wanted = row[name], other[name]
            if (found is None) != (wanted is None) or (found is not None and abs(found - wanted) > NEAR):
                yield f"{' '.join(map(str, key))}: {name} is {found}, computed again {wanted}"
        if kind == "pairs" and row["claim"] != other["claim"]:
            yield f"{' '.join(map(str, key))}: claim is {row['claim']}, computed again {other['claim']}"
