"""Derived tables against the runs that they name: `means/1` and `pairs/1` are believed as long as they are there.

Their means follow from the numbers of the runs, which were just computed from ranks. `deep` computes all of them anew,
intervals and tests too.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark.errors import UserError
from leaderboards import analysis, cells, derived, store
from leaderboards.cells import CHANCE, MACRO
from leaderboards.light import Key
from leaderboards.recount_strata import EXACT, Checked, Layout
from leaderboards.slices import Floats, Ints
from leaderboards.store import Board, Row

NEAR = 1e-6  # a last digit of a mean may move a draw by one place

_DRAWN = ("se", "ci_lo", "ci_hi", "df", "p", "p_flip", "p_holm")
_ANALYSIS = re.compile(r"(means|pairs) (\d+), (\d+) (?:draws|flips), seed (\d+)")
_CELL = ("cut", "scheme_id", "q_stratum", "g_stratum", "metric")
_SUPPORT = ("stratum_order", "n_query", "n_id", "n_pos_pairs", "low_support")
_BESIDE = {"means": ("scheme_sha256", *_SUPPORT, "n_gallery"), "pairs": ("scheme_sha256", *_SUPPORT[:3])}
_LEVELS = ("query", "pos")  # whose lowest level has a row of its own


class _Known(NamedTuple):
    """What the ranks of a run give."""

    layout: Layout
    wanted: Floats


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

    def known(self, run_ids: Iterable[str]) -> list[_Known]:
        """Give what the ranks of runs give, which are on the board."""
        return [self._known[run_id] for run_id in run_ids]


class _Cells:
    """The cells that the rows of a file are of, and where they stand in the layouts of runs."""

    def __init__(self, kind: str, table: pa.Table) -> None:
        """Find the cells, with what stands beside their numbers: all configurations of a group have the same."""
        self._names = _BESIDE[kind]
        self.codes = derived.numbered(table, (*_CELL, *self._names))
        first = np.unique(self.codes, return_index=True)[1]
        self.rows: list[Row] = table.select((*_CELL, *self._names)).take(pa.array(first)).to_pylist()
        self.worst = [place for place, row in enumerate(self.rows) if row["cut"] == "worst"]
        self._places, self._looked = dict[int, Ints](), dict[int, set[int]]()
        self._rivals = dict[tuple[int, int], Ints]()

    def values(self, runs: Sequence[_Known]) -> Floats:
        """Give the mean and the spread of runs in all cells (2, cells); NaN where these are not known."""
        found = np.full((len(runs), len(self.rows)), np.nan)
        for run, (layout, wanted) in enumerate(runs):
            place = self.places(layout)
            found[run, place >= 0] = wanted[place[place >= 0]]
        spread = found.std(axis=0, ddof=1) if len(runs) > 1 else np.full(len(self.rows), np.nan)
        return np.stack([found.mean(axis=0), spread])

    def places(self, layout: Layout) -> Ints:
        """Give the place of every cell among the lines of a layout; -1: it is not there."""
        if id(layout) not in self._places:
            places = [layout.places.get(_key(row), -1) for row in self.rows]
            self._places[id(layout)] = np.array(places, dtype=np.int64)
        return self._places[id(layout)]

    def least(self, runs: Sequence[_Known]) -> Iterator[tuple[int, float]]:
        """Give the lowest mean over runs of the levels that every row of a worst level was chosen from."""
        for place in self.worst:
            lines = [self._levels(run.layout, place) for run in runs]
            if len(lines[0]) and len({len(own) for own in lines}) == 1:
                means = np.mean([run.wanted[own] for run, own in zip(runs, lines, strict=True)], axis=0)
                yield place, float(means.min())

    def _levels(self, layout: Layout, place: int) -> Ints:
        if (id(layout), place) not in self._rivals:
            self._rivals[id(layout), place] = _rivals(layout, self.rows[place])
        return self._rivals[id(layout), place]

    def problems(self, layout: Layout, codes: Ints) -> Iterator[str]:
        """Compare what stands beside the numbers of some cells with a layout, each once."""
        looked = self._looked.setdefault(id(layout), set())
        new = set(codes.tolist()) - looked
        if not new:
            return
        looked |= new
        places = self.places(layout)
        levels = {line.key[:4] for line in layout.lines}
        units = {level[:2] for level in levels}
        for row, place in ((self.rows[cell], int(places[cell])) for cell in sorted(new)):
            if place >= 0:
                yield from _beside(row, layout, place, self._names)
            elif _key(row)[:2] in units and _key(row)[:4] not in levels:
                yield f"{_words(row)}: the lists have no such level"


def problems(board: Board, values: Values, deep: bool) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Give problems and notes, a derived file at a time."""
    for kind in derived.OWNERS:
        for name in store.names(board, kind):
            path = board.path(kind, name)
            try:
                table = store.read(board, kind, name)
            except UserError as error:
                if path.exists():  # else it was merged with others since it was listed
                    yield path, [str(error)], []
                continue
            yield (path, *_of_file(board, kind, table, values, deep))


def _of_file(board: Board, kind: str, table: pa.Table, values: Values, deep: bool) -> tuple[list[str], list[str]]:
    runs = {name: pc.binary_join(table[name], ",") for name in derived.OWNERS[kind][1]}
    if empty := [name for name, texts in runs.items() if texts.null_count]:
        return [f"{name} is null, or holds nulls, in some row" for name in empty], []
    found, notes, of_cells = list[str](), list[str](), _Cells(kind, table)
    for part in _owners(kind, table, runs):
        own = [runs[name][int(part[0])].as_py().split(",") for name in runs]
        if values.rows(run for side in own for run in side) is None:
            notes.append(f"{kind}: rows of runs that are not on the board; `--clean` removes such files")
            continue
        known = [values.known(side) for side in own]
        found += of_cells.problems(known[0][0].layout, of_cells.codes[part])
        rows = table.take(pa.array(part))
        found += _means(kind, rows, of_cells, of_cells.codes[part], known)
        if deep:
            found += _anew(board, kind, rows.to_pylist(), values, notes)
        else:
            notes.append(f"{kind}: intervals, tests, cuts of one's own and lacking rows are looked at with --deep only")
    return found, list(dict.fromkeys(notes))


def _owners(kind: str, table: pa.Table, runs: dict[str, pa.ChunkedArray]) -> list[Ints]:
    """Part the rows of a table by the runs and the analysis that they are of."""
    configs, named = derived.OWNERS[kind][0], table.select((*derived.GROUP, *derived.OWNERS[kind][0]))
    for name, texts in runs.items():
        named = named.append_column(name, texts)
    codes = derived.numbered(named, (*derived.GROUP, *configs, *runs))
    order = np.argsort(codes, kind="stable")
    return [part for part in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1) if len(part)]


def _means(
    kind: str, rows: pa.Table, of_cells: _Cells, codes: Ints, known: Sequence[Sequence[_Known]]
) -> Iterator[str]:
    """Compare the means of rows with those of their runs, as far as these have numbers of such cells."""
    sides = [of_cells.values(runs) for runs in known]
    for name, wanted in _wanted(kind, sides).items():
        given, found = wanted[codes], rows[name].to_numpy()
        for row in np.flatnonzero(~np.isnan(given) & ~(np.abs(found - given) <= EXACT)).tolist():
            cell = of_cells.rows[codes[row]]
            if not (name == "sd_seeds" and cell["metric"] in CHANCE):
                yield f"{_words(cell)}: {name} is {rows[name][row].as_py()}, its runs give {given[row]:.12g}"
    there = set(codes.tolist())
    for place, least in of_cells.least(known[0]) if kind == "means" and of_cells.worst else ():
        if place in there and not sides[0][0, place] <= least + EXACT:
            yield f"{_words(of_cells.rows[place])}: is not the lowest level, which has {least:.12g}"
    seeds = rows["seeds"].to_numpy()
    if (seeds != len(known[0])).any():
        yield f"seeds is {rows['seeds'][int(np.argmax(seeds != len(known[0])))].as_py()}, its runs are {len(known[0])}"


def _wanted(kind: str, sides: Sequence[Floats]) -> dict[str, Floats]:
    if kind == "pairs":
        return {"a": sides[0][0], "b": sides[1][0], "difference": sides[0][0] - sides[1][0]}
    return {"value": sides[0][0], "sd_seeds": sides[0][1]}


def _key(row: Row) -> Key:
    """Name the cell whose number a row holds; that of a worst level is the level's own."""
    cut = row["cut"] if row["cut"] != "worst" else _LEVELS[row["q_stratum"] is None]
    return cut, row["scheme_id"], row["q_stratum"], row["g_stratum"], row["metric"]


def _rivals(layout: Layout, row: Row) -> Ints:
    """Give the lines of the levels, of those with enough identities, whose lowest a row is."""
    cut, scheme, _, _, metric = _key(row)
    lines = [
        place
        for place, line in enumerate(layout.lines)
        if (line.key[0], line.key[1], line.key[4]) == (cut, scheme, metric) and not line.support.low_support
    ]
    return np.array(lines, dtype=np.int64)


def _beside(row: Row, layout: Layout, place: int, names: Sequence[str]) -> Iterator[str]:
    line = layout.lines[place]
    wanted: Row = dict(zip(_SUPPORT, line.support[2:], strict=True)) | {"scheme_sha256": line.scheme_sha256}
    wanted["n_gallery"] = layout.rows["n_gallery"][0].as_py() if len(layout.rows) else row.get("n_gallery")
    if names == _BESIDE["pairs"] and row["metric"] == MACRO:  # compared are people, not queries
        wanted["n_query"] = wanted["n_id"]
    for name in names:
        if row[name] != wanted[name]:
            yield f"{_words(row)}: {name} is {row[name]}, must be {wanted[name]}"


def _anew(board: Board, kind: str, rows: Sequence[Row], values: Values, notes: list[str]) -> list[str]:
    """Compute the rows of some runs again, as if nothing had been derived from them."""
    said = _ANALYSIS.fullmatch(rows[0]["analysis"] or "")
    version = {"means": analysis.MEANS_VERSION, "pairs": analysis.PAIRS_VERSION}[kind]
    if said is None or said[1] != kind or said[2] != str(version):
        notes.append(f"{kind}: computed by another version ({rows[0]['analysis']}); not looked at")
        return []
    runs = values.rows(dict.fromkeys(run for name in derived.OWNERS[kind][1] for run in rows[0][name])) or []
    how: dict[str, Any] = {"seed": int(said[4]), "fresh": True, **_cuts(rows)}
    try:
        if kind == "means":
            table = analysis.means(board, runs, draws=int(said[3]), **how)
        else:
            names = rows[0]["config_a"], [rows[0]["config_b"]]
            table = analysis.pairs(board, runs, *names, flips=int(said[3]), **how)
    except UserError as error:  # nobody could have computed this
        return [str(error)]
    return list(_differing(rows, table))


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


def _differing(rows: Sequence[Row], fresh: pa.Table) -> Iterator[str]:
    """Compare every column of every row; of a cut that is there at all, no row may lack."""
    known = {_cell(row): row for row in fresh.to_pylist()}
    for row in rows:
        if (other := known.get(_cell(row))) is None:
            yield f"{_words(row)}: computed again, there is no such row"
            continue
        for name, wanted in other.items():
            # Which of equal lists have measures decides whether this is known; where it is, it must be right.
            if not _alike(name, row[name], wanted) and (name != "measures_sha256" or wanted is not None):
                yield f"{_words(row)}: {name} is {row[name]}, computed again {wanted}"
    units = list(dict.fromkeys((row["cut"], row["scheme_id"]) for row in rows))
    there = {_cell(row) for row in rows}
    for row in derived.of_units(fresh, units).to_pylist():
        if _cell(row) not in there:
            yield f"{_words(row)}: computed again, there is such a row, which lacks here"


def _alike(name: str, found: object, wanted: object) -> bool:
    if isinstance(found, float) and isinstance(wanted, float):
        return abs(found - wanted) <= (NEAR if name in _DRAWN else EXACT)
    return found == wanted


def _cell(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in _CELL)


def _words(row: Row) -> str:
    return " ".join(str(row[name]) for name in _CELL)
