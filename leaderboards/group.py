"""The runs of one group, scored from their ranks: one group has one set of lists and one set of cuts.

Runs are of one group where their lists and their protocol are equal, and the levels of the lists measured alike.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark import cuts, scorecard, sides
from benchmark.cuts import Cut
from benchmark.errors import UserError
from benchmark.protocol import Rules
from benchmark.results import Bundle
from benchmark.scorecard import Cell, Queries, Trial
from benchmark.sides import Seed
from leaderboards import store
from leaderboards.store import Board

Row = Mapping[str, Any]
Unit = tuple[str, str]  # kind and scheme of a cut: what is computed as a whole

ALL: Unit = ("all", "all")

_RANKS = ("R1", "R5", "R10")
_QUERIES = (
    *("trial", "query_idx", "image_id", "n_pos", "n_junk", "n_gallery_eff"),
    *("pos_ranks", "pos_gidx", "first_rank_id"),
)


class Run(NamedTuple):
    """One run in some cells."""

    path: Path
    trials: Sequence[Trial]
    known: Queries
    cells: Sequence[Cell]
    rules: Rules


class Listed(NamedTuple):
    """Lists as a board keeps them, and what they are cut by."""

    name: str
    table: pa.Table
    cuts: Mapping[Unit, Cut]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Group:
    """Runs that may meet in a table: of every configuration one a seed, in their order."""

    board: Board
    lists_sha256: str
    protocol_sha256: str
    measures_sha256: str | None
    runs: Mapping[str, Mapping[Seed, Row]]  # config_id, seed
    main: Listed  # the lists by which all are cut
    by: tuple[str, ...]
    pairs: tuple[str, ...]
    _listed: dict[str, Listed] = field(default_factory=dict)

    def listed(self, row: Row) -> Listed:
        """Read the lists of a run, which may stand in another order; nearly always all runs have one file."""
        name = store.files(row)["lists"]
        if name == self.main.name:
            return self.main
        if name not in self._listed:
            table = measured_as(self.main.table, _table(self.board, name))
            self._listed[name] = Listed(name, table, *_cuts(table, self.by, self.pairs))
        return self._listed[name]

    def units(self, rows: Iterable[Row]) -> tuple[Unit, ...]:
        """Say which cuts these runs have together: of a truncated one the ranks of single positives are not known."""
        truncated = any(row.get("list_depth") is not None for row in rows)
        return tuple(unit for unit in self.main.cuts if not truncated or unit[0] in ("all", "query"))

    def scored(self, row: Row, units: Iterable[Unit]) -> Run:
        """Score a run in the cells of some cuts."""
        listed, path = self.listed(row), self.board.path("queries", store.files(row)["queries"])
        found = store.read(self.board, "queries", path.stem, _QUERIES)
        if row.get("list_depth") is not None:
            found = filled(found)
        trials = sides.trials(Bundle(dict(row), {"lists": listed.table, "queries": found}), path)
        rules = Rules(cmc=row["cmc_kind"] or "first", invalid_queries=row["invalid_query_policy"] or "skip")
        known, wanted = scorecard.queries(trials), [listed.cuts[unit] for unit in units]
        return Run(path, trials, known, scorecard.cells(trials, wanted, known, rules), rules)


def group(board: Board, rows: Sequence[Row], by: Sequence[str] = (), pairs: Sequence[str] = ()) -> Group:
    """Put runs together; what may not meet in a table is refused."""
    if not rows:
        raise UserError(f"{board.root}: no run was named that could be analysed")
    for row in rows:
        _require_ranks(board, row)
        _require_alike(board, rows[0], row)
    configurations: dict[str, list[Row]] = {}
    for row in rows:
        configurations.setdefault(row["config_id"], []).append(row)
    runs = {config: _by_seed(own) for config, own in configurations.items()}
    measures = next((row["measures_sha256"] for row in rows if row.get("measures_sha256")), None)
    hashes = (rows[0]["lists_sha256"], rows[0]["protocol_sha256"], measures)
    return Group(board, *hashes, runs, _main(board, rows, by, pairs), tuple(by), tuple(pairs))


def metrics(rows: Iterable[Row]) -> frozenset[str] | None:
    """Say which metrics runs have together; None: all. A truncated list has what its record has of R1, R5 and R10."""
    given = [
        {name for name in _RANKS if row.get(name) is not None} for row in rows if row.get("list_depth") is not None
    ]
    return frozenset(set.intersection(*given)) if given else None


def filled(rows: pa.Table) -> pa.Table:
    """Let the positives that a truncated list does not show stand at its very end; R of its depth is as it was."""
    lost = pc.and_(pc.equal(pc.list_value_length(rows["pos_ranks"]), 0), pc.greater(rows["n_pos"], 0))
    identity = pc.if_else(lost, rows["n_gallery_eff"], rows["first_rank_id"])
    rows = rows.set_column(rows.column_names.index("first_rank_id"), "first_rank_id", identity)
    wanted, seen = (rows[name].to_numpy().astype(np.int64) for name in ("n_pos", "n_gallery_eff"))
    found = rows["pos_ranks"].combine_chunks()
    known = pc.list_value_length(found).to_numpy(zero_copy_only=False).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(wanted)])
    place = np.arange(starts[-1]) - np.repeat(starts[:-1], wanted)
    ranks = np.repeat(seen - wanted + 1, wanted) + place
    ranks[place < np.repeat(known, wanted)] = found.flatten().to_numpy()
    made = {"pos_ranks": ranks, "pos_gidx": np.zeros(len(ranks))}
    for name, values in made.items():
        lists = pa.ListArray.from_arrays(pa.array(starts, pa.int32()), pa.array(values.astype(np.int32)))
        rows = rows.set_column(rows.column_names.index(name), name, lists)
    return rows


def _require_ranks(board: Board, row: Row) -> None:
    what = f"{board.root}: run {row['run_id']}"
    if row["provenance"] == "literature":
        raise UserError(f"{what}: is a number from the literature; it has no ranks, and is never analysed")
    if row["status"] != "ok":
        raise UserError(f"{what}: the run is {row['status']!r}; only runs that ended well ('ok') have ranks")
    if row.get("broken"):
        raise UserError(f"{what}: {row['broken']}; `luxreid board check` says more")
    for name in ("config_id", "lists_sha256", "protocol_sha256", "lists_file_sha256", "queries_sha256"):
        if not row[name]:
            raise UserError(f"{what}: its record has no {name}, so nobody knows what it can be compared with")


def _require_alike(board: Board, first: Row, row: Row) -> None:
    """Refuse another night of one day set, another labelling, other distractors: all are other lists."""
    for name, what in (("lists_sha256", "other lists"), ("protocol_sha256", "another protocol")):
        if row[name] != first[name]:
            raise UserError(
                f"{board.root}: run {row['run_id']} was made with {what} than run {first['run_id']} ({name} "
                f"{row[name][:8]}, not {first[name][:8]}); only results of the same lists and protocol are compared"
            )
    measured = (first.get("measures_sha256"), row.get("measures_sha256"))
    if None not in measured and measured[0] != measured[1]:
        raise UserError(
            f"{board.root}: the lists of run {row['run_id']} were measured otherwise than those of run "
            f"{first['run_id']}, so their levels differ; evaluate both again with one manifest"
        )


def _by_seed(rows: Sequence[Row]) -> dict[Seed, Row]:
    """Take one run a seed: the one that was begun first, since taking another would be choosing."""
    begun = sorted(rows, key=lambda row: (str(row.get("started_at") or ""), row["run_id"]))
    runs = {row["seed"]: row for row in reversed(begun)}
    return {seed: runs[seed] for seed in sorted(runs, key=lambda seed: -1 if seed is None else seed)}


def _main(board: Board, rows: Sequence[Row], by: Sequence[str], pairs: Sequence[str]) -> Listed:
    """Find the lists by which all are cut: the first that have the columns that are asked for."""
    errors = list[UserError]()
    for name in dict.fromkeys(store.files(row)["lists"] for row in rows):
        table = _table(board, name)
        try:
            return Listed(name, table, *_cuts(table, by, pairs))
        except UserError as error:
            errors.append(error)
    raise errors[0]


def _table(board: Board, name: str) -> pa.Table:
    """Read lists in the order in which the ranks of all trials stand."""
    table = store.read(board, "lists", name)
    trial = pc.fill_null(table["trial"], 0)
    table = table.set_column(table.column_names.index("trial"), "trial", trial)
    return table.sort_by([("trial", "ascending"), ("position", "ascending")])


def measured_as(main: pa.Table, lists: pa.Table) -> pa.Table:
    """Give equal lists the columns of the main ones, in their own order: columns that were asked for may be in one."""
    names = [(name, "ascending") for name in ("trial", "role", "image_id")]
    main, lists = main.sort_by(names), lists.sort_by(names)
    table = main.set_column(main.column_names.index("position"), "position", lists["position"])
    return table.sort_by([("trial", "ascending"), ("position", "ascending")])


def _cuts(table: pa.Table, by: Sequence[str], pairs: Sequence[str]) -> tuple[dict[Unit, Cut], tuple[str, ...]]:
    """Make the standard cuts but pairs of cameras, and those that were asked for."""
    query, gallery = (table.filter(pc.equal(table["role"], role)) for role in ("query", "gallery"))
    made, notes = cuts.standard(query, gallery)
    kept = [cut for cut in made if cut.kind != "pair_pos" or any(scheme.light for scheme in cut.schemes)]
    for cut in _asked(query, gallery, by, pairs):
        reason = cuts.idle(cut)
        notes += [reason] if reason else cut.notes
        kept += [] if reason else [cut]
    return _keyed(kept), tuple(dict.fromkeys(notes))


def _keyed(found: Iterable[Cut]) -> dict[Unit, Cut]:
    keyed: dict[Unit, Cut] = {}
    for cut in found:
        keyed.setdefault((cut.kind, cut.scheme_id), cut)
    return keyed


def _asked(query: pa.Table, gallery: pa.Table, by: Sequence[str], pairs: Sequence[str]) -> list[Cut]:
    queries = [cuts.parse(text, query, gallery) for text in by]
    return queries + [cuts.parse(text, query, gallery, "pair_pos") for text in pairs]
