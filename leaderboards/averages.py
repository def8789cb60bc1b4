"""The mean over runs, query by query, and the spread between them: one row a cell and metric, as in `strata/1`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from benchmark import compare, statistics, strata_rows
from benchmark.errors import UserError
from benchmark.scorecard import Cell
from benchmark.statistics import Floats, Ints
from benchmark.strata_rows import How
from leaderboards.group import Run

Row = Mapping[str, Any]
Place = tuple[Any, ...]


def table(runs: Sequence[Run], how: How) -> pa.Table:
    """Average runs, the whole being their first cell; do with that what is done with one run."""
    return _stratified(runs[0], _cells(runs), how)


def spreads(runs: Sequence[Run]) -> dict[Place, dict[str, float | None]]:
    """Give the spread over runs of every number, by `place`; of the worst level it is that of the level."""
    found: dict[Place, list[Row]] = {}
    for run in runs if len(runs) > 1 else ():
        for row in _stratified(run, run.cells, How(0, 0)).to_pylist():
            found.setdefault(place(row), []).append(row)
    made = {cell: _spread(rows) for cell, rows in found.items() if len(rows) == len(runs)}
    worst = {("worst", *cell[1:]): spread for cell, spread in made.items() if cell[0] in ("query", "pos")}
    return made | worst


def _stratified(run: Run, cells: Sequence[Cell], how: How) -> pa.Table:
    return strata_rows.table(run.trials, cells, run.known, run.rules, "", how)[0].drop_columns(["run_id", "trial"])


def _cells(runs: Sequence[Run]) -> list[Cell]:
    """Give the cells of the first run with the mean over all runs for every query."""
    orders = [_order(runs[0], run) for run in runs]
    found = [{compare.place_of(cell): cell for cell in run.cells} for run in runs]
    for run, own in zip(runs, found, strict=True):
        if own.keys() != found[0].keys():
            raise _at_odds(run, runs[0])
    return [_mean(runs, orders, [own[place] for own in found]) for place in found[0]]


def _mean(runs: Sequence[Run], orders: Sequence[Ints], cells: Sequence[Cell]) -> Cell:
    names = [name for name in cells[0].values if all(name in cell.values for cell in cells)]
    values = {name: list[Floats]() for name in names}
    for run, order, cell in zip(runs, orders, cells, strict=True):
        if not np.array_equal(np.sort(order[cell.queries]), cells[0].queries):
            raise _at_odds(run, runs[0])
        moved = np.argsort(order[cell.queries])
        for name in names:
            values[name].append(cell.values[name][moved])
    return replace(cells[0], values={name: np.mean(own, axis=0) for name, own in values.items()})


def _order(first: Run, run: Run) -> Ints:
    """Give the position in the first run of every query: equal lists may stand in another order."""
    if run.known.image_ids == first.known.image_ids:
        return np.arange(len(first.known))
    place = {name: number for number, name in enumerate(first.known.image_ids)}
    return np.array([place[name] for name in run.known.image_ids], dtype=np.int64)


def _at_odds(run: Run, first: Run) -> UserError:
    return UserError(
        f"{run.path}: its levels hold other queries than those of {first.path}, though their lists are equal; "
        "`luxreid board check` says more"
    )


def _spread(rows: Sequence[Row]) -> dict[str, float | None]:
    trials = [row["sd_trials"] for row in rows if row["sd_trials"] is not None]
    sd = statistics.sd(np.array([row["value"] for row in rows]))
    return {"sd_seeds": sd, "sd_trials": float(np.mean(trials)) if trials else None}


def place(row: Row) -> Place:
    """Name the cell and the metric of a row."""
    return tuple(row[name] for name in ("cut", "scheme_id", "q_stratum", "g_stratum", "metric"))
