"""What was computed before and is still good: files of `means/1` and `pairs/1`, which may be deleted at any time."""

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache, reduce
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark import strata
from benchmark.errors import UserError
from benchmark.progress import track
from leaderboards import history, store
from leaderboards.group import ALL, Unit
from leaderboards.store import Board

MOST_FILES = 16  # more are merged into one
SLOPES = "stops"  # the scheme_id of slopes in strata/1
CHUNK = 8  # configurations a file: a kill costs some seconds of work

KEY = "key"  # the column that names the runs of a row, while rows are looked for
GROUP = ("lists_sha256", "protocol_sha256", "measures_sha256", "analysis")
_CELL = ("cut", "scheme_id", "scheme_sha256", "q_stratum", "g_stratum", "metric")
OWNERS = {"means": (("config_id",), ("run_ids",)), "pairs": (("config_a", "config_b"), ("run_ids_a", "run_ids_b"))}

Task = TypeVar("Task")


def known(board: Board, kind: str, group: Mapping[str, str | None], configs: Sequence[Collection[str]]) -> pa.Table:
    """Give the rows of a group and of some configurations (of pairs: of both sides), once each, with a column `key`."""
    table = _loaded(board, kind, tuple(store.names(board, kind)))
    kept = [pc.is_null(table[name]) if value is None else pc.equal(table[name], value) for name, value in group.items()]
    for name, wanted in zip(OWNERS[kind][0], configs, strict=True):
        kept.append(pc.is_in(table[name], pa.array(wanted, pa.string())))
    all_kept = reduce(pc.and_, kept)
    if not pc.all(all_kept, min_count=0).as_py():  # else nothing is copied: a board's one group may have many rows
        table = table.filter(all_kept)
    return once(table.append_column(KEY, keys(table, kind)), (KEY, *_CELL))


@lru_cache(maxsize=2)
def _loaded(board: Board, kind: str, names: tuple[str, ...]) -> pa.Table:
    """Read files, which are named by what they hold: the same names are the same rows."""
    return store.load(board, kind, only=names).table


def nothing(kind: str) -> pa.Table:
    """Give no rows, as `known` gives them where nothing was computed before."""
    return history.kind(kind).schema.empty_table().append_column(KEY, pa.array([], pa.string()))


def keys(table: pa.Table, kind: str) -> pa.Array:
    """Name the runs of every row."""
    names, lists = OWNERS[kind]
    parts = [table[name] for name in names] + [pc.binary_join(table[name], ",") for name in lists]
    return pc.binary_join_element_wise(*parts, " ")


def key(configs: Sequence[str], runs: Sequence[Sequence[str]]) -> str:
    """Name runs as `keys` does."""
    return " ".join([*configs, *(",".join(own) for own in runs)])


def present(table: pa.Table) -> set[tuple[str, Unit]]:
    """Say which cuts of which runs are there."""
    found = table.group_by([KEY, "cut", "scheme_id"]).aggregate([])
    return {(row[KEY], (row["cut"], row["scheme_id"])) for row in found.to_pylist()}


def ordered(table: pa.Table, runs: Sequence[str], units: Sequence[Unit]) -> pa.Table:
    """Take the rows of these runs and cuts in their order, whatever file they came from."""
    run, cut = (
        np.asarray(pc.index_in(column, pa.array(values, pa.string())).fill_null(-1).to_numpy())
        for column, values in ((table[KEY], runs), (_named(table), _families(units)))
    )
    rows = np.flatnonzero((run >= 0) & (cut >= 0))
    rows = rows[np.lexsort((cut[rows], run[rows]))]
    # Nothing is copied where all is in order already.
    return table if np.array_equal(rows, np.arange(len(table))) else table.take(pa.array(rows))


def of_units(table: pa.Table, units: Sequence[Unit]) -> pa.Table:
    """Keep the rows of some cuts."""
    return table.filter(pc.is_in(_named(table), pa.array(_families(units), pa.string())))


def _named(table: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(table["cut"], table["scheme_id"], " ")


def _families(units: Sequence[Unit]) -> list[str]:
    """Name cuts with what follows from them: their worst level; slopes and paired exposures from the whole."""
    named = [f"{kind} {scheme}" for kind, scheme in units]
    named += [f"worst {scheme}" for kind, scheme in units if kind in ("query", "pos")]
    return named + [f"slope {SLOPES}", f"within {strata.scheme('exposure').id}"] * (ALL in units)


def once(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Leave out rows that agree in these columns with an earlier one: two processes may compute the same."""
    first = np.unique(numbered(table, names), return_index=True)[1]
    return table if len(first) == len(table) else table.take(pa.array(np.sort(first)))


def numbered(table: pa.Table, names: Sequence[str]) -> NDArray[np.int64]:
    """Give each row a number; rows that agree in these columns, and no others, have the same."""
    codes = np.zeros(len(table), dtype=np.int64)
    for name in names:
        column = table[name].combine_chunks().dictionary_encode(null_encoding="encode")
        if len(column.dictionary) > 1:
            mixed = codes * len(column.dictionary) + column.indices.to_numpy(zero_copy_only=False)
            # Numbered anew after every column, so that products never grow beyond 64 bits.
            codes = np.unique(mixed, return_inverse=True)[1].astype(np.int64)
    return codes


def computed(
    board: Board,
    kind: str,
    tasks: Sequence[Task],
    compute: Callable[[Task], pa.Table],
    what: str,
    writable: bool = True,
) -> list[pa.Table]:
    """Compute what is missing, some at a time; each part is kept as it is done, so that a kill loses only the last."""
    made, kept = list[pa.Table](), 0
    for number, task in enumerate(track(tasks, what), 1):
        made.append(compute(task))
        if writable and (number - kept == CHUNK or number == len(tasks)):
            writable, kept = _keep(board, kind, pa.concat_tables(made[kept:])), number
    if made and writable:
        merge(board, kind)
    return made


def merge(board: Board, kind: str) -> None:
    """Put many files into one; whoever reads meanwhile finds either, or computes again."""
    names = store.names(board, kind)
    if len(names) <= MOST_FILES:
        return
    loaded = store.load(board, kind, only=names)
    if loaded.problems:  # `check` looks into it
        return
    named = loaded.table.append_column(KEY, keys(loaded.table, kind))
    data = store.encoded(kind, once(named, (KEY, *GROUP, *_CELL)).drop_columns([KEY]))
    with contextlib.suppress(UserError, OSError):
        new = store.publish(board, kind, data)
        for name in names:
            if name != new:
                board.path(kind, name).unlink(missing_ok=True)


def _keep(board: Board, kind: str, table: pa.Table) -> bool:
    """Publish rows; a board that cannot be written to is analysed all the same."""
    data = store.encoded(kind, table.select(history.kind(kind).schema.names))
    try:
        store.publish(board, kind, data)
    except UserError:
        return False
    return True
