"""Configurations over their seeds, and one against another: computed once, kept as `means/1` and `pairs/1`.

Both are derived: they follow from the ranks of the runs that their rows name. A new seed, another number of draws or
another version of what is computed makes new rows; the old ones are not looked at any more.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from benchmark import compare, cuts, differences, statistics
from benchmark.compare import Line, Scored
from benchmark.errors import UserError
from benchmark.sides import Seed
from benchmark.strata_rows import MACRO, How
from leaderboards import averages, derived, history
from leaderboards import group as groups
from leaderboards.group import ALL, Group, Row, Unit
from leaderboards.store import Board

# Raised when the same runs would give other numbers: what was computed before is then computed again.
MEANS_VERSION = PAIRS_VERSION = 1

# What is compared: every mean over queries, and that over identities.
TESTED = ("mAP", "R1", "mINP", "R5", "R10", "mAP_trapz", MACRO)


class _Mean(NamedTuple):
    """A configuration in some cuts."""

    config_id: str
    units: tuple[Unit, ...]


class _Pair(NamedTuple):
    """A configuration that meets the leader in some cuts, over the seeds that both have."""

    rival: str
    seeds: tuple[Seed, ...]
    units: tuple[Unit, ...]


def means(
    board: Board,
    rows: Sequence[Row],
    by: Sequence[str] = (),
    pairs: Sequence[str] = (),
    draws: int = statistics.DRAWS,
    seed: int = 0,
    fresh: bool = False,
) -> pa.Table:
    """Give `means/1` of the configurations of a group: the standard cuts, and cuts of queries `by` and of `pairs`.

    The standard cuts are those of every evaluation but pairs of cameras. Of each configuration one run a seed counts,
    the one that was begun first. `fresh`: what was computed before is not looked at, and nothing is kept.
    """
    group = groups.group(board, rows, by, pairs)
    common = _common(group, f"means {MEANS_VERSION}, {draws} draws, seed {seed}")
    known = derived.nothing("means") if fresh else derived.known(board, "means", common, [list(group.runs)])
    there = derived.present(known)
    wanted = {
        derived.key([config], [_run_ids(own.values())]): _Mean(config, group.units(own.values()))
        for config, own in group.runs.items()
    }
    left = [one._replace(units=_missing(key, one.units, there)) for key, one in wanted.items()]

    def compute(task: _Mean) -> pa.Table:
        return _means(group, task, How(draws, seed), common)

    tasks = [task for task in left if task.units]
    made = derived.computed(board, "means", tasks, compute, "averaging over seeds", writable=not fresh)
    return _chosen("means", known, made, {key: one.units for key, one in wanted.items()})


def pairs(
    board: Board,
    rows: Sequence[Row],
    leader: str,
    rivals: Sequence[str],
    by: Sequence[str] = (),
    pairs: Sequence[str] = (),
    flips: int = differences.FLIPS,
    seed: int = 0,
    fresh: bool = False,
) -> pa.Table:
    """Give `pairs/1` of one configuration (a) against others (b) of its group, by their config_id.

    Seeds are matched by number; a rival that has none of the leader's seeds has no row. p_holm is corrected for the
    levels of one scheme. Where another configuration leads, its rows are other ones: b against a is not read as a
    against b.
    """
    group = _tested_group(board, rows, (leader, *rivals), by, pairs)
    common = _common(group, f"pairs {PAIRS_VERSION}, {flips} flips, seed {seed}")
    known = derived.nothing("pairs") if fresh else derived.known(board, "pairs", common, [[leader], rivals])
    there, wanted = derived.present(known), _meetings(group, leader, rivals)
    left = [one._replace(units=_missing(key, one.units, there)) for key, one in wanted.items()]
    tasks = [task for task in left if task.units]
    against = _Leader(group, leader)

    def compute(task: _Pair) -> pa.Table:
        return _pairs(against, task, How(flips, seed), common)

    made = derived.computed(board, "pairs", tasks, compute, "comparing with the leader", writable=not fresh)
    return _chosen("pairs", known, made, {key: one.units for key, one in wanted.items()})


def _meetings(group: Group, leader: str, rivals: Sequence[str]) -> dict[str, _Pair]:
    """Match the seeds of the leader and of every rival; whoever shares none, or no metric, does not meet."""
    made = {}
    for rival in dict.fromkeys(rivals):
        seeds = tuple(seed for seed in group.runs[leader] if seed in group.runs[rival])
        a, b = (_at(group, config, seeds) for config in (leader, rival))
        if seeds and groups.metrics([*a, *b]) != frozenset():
            made[derived.key([leader, rival], [_run_ids(a), _run_ids(b)])] = _Pair(rival, seeds, group.units([*a, *b]))
    return made


def _common(group: Group, analysis: str) -> dict[str, Any]:
    """Give the columns that all rows of a group share."""
    shared = {name: getattr(group, name) for name in ("lists_sha256", "protocol_sha256", "measures_sha256")}
    return shared | {"analysis": analysis}


def _run_ids(runs: Iterable[Row]) -> list[str]:
    return [str(row["run_id"]) for row in runs]


def _at(group: Group, config: str, seeds: Iterable[Seed]) -> list[Row]:
    return [group.runs[config][seed] for seed in seeds]


def _missing(key: str, units: Iterable[Unit], there: set[tuple[str, Unit]]) -> tuple[Unit, ...]:
    return tuple(unit for unit in units if (key, unit) not in there)


def _chosen(kind: str, known: pa.Table, made: Sequence[pa.Table], wanted: Mapping[str, Sequence[Unit]]) -> pa.Table:
    """Put together what was known and what was made, of these runs and cuts, in the order of the runs."""
    named = [table.append_column(derived.KEY, derived.keys(table, kind)) for table in made]
    table = pa.concat_tables([known, *named], promote_options="default")
    units = list(dict.fromkeys(unit for own in wanted.values() for unit in own))
    return derived.ordered(table, list(wanted), units).select(history.kind(kind).schema.names)


def _means(group: Group, task: _Mean, how: How, common: dict[str, Any]) -> pa.Table:
    """Average the seeds of a configuration query by query, and do with that what is done with one run."""
    rows = list(group.runs[task.config_id].values())
    units = dict.fromkeys((ALL, *task.units))  # the whole comes first, and all that follows is told by it
    runs = [group.scored(row, units) for row in rows]
    made, spreads = averages.table(runs, how), averages.spreads(runs)
    allowed = groups.metrics(rows)
    kept = []
    for row in derived.of_units(made, task.units).to_pylist():
        # How alike the queries of a person are is a fact of a run, not of an average of runs.
        if row["metric"] != "icc" and (allowed is None or row["metric"] in (*allowed, "chance_R1")):
            kept.append(dict.fromkeys(history.MEANS.names) | row | spreads.get(averages.place(row), {}))
    shared = common | {"config_id": task.config_id, "run_ids": _run_ids(rows), "seeds": len(rows)}
    return _filled("means", kept, shared)


class _Leader:
    """The runs that all others are compared with, scored once."""

    def __init__(self, group: Group, config: str) -> None:
        """Score nothing yet."""
        self.group, self.config = group, config
        self._units: tuple[Unit, ...] = ()
        self._scored: dict[Seed, Scored] = {}

    def scored(self, seeds: Sequence[Seed], units: tuple[Unit, ...]) -> list[Scored]:
        """Give the runs of some seeds in some cuts; only those of the cuts asked for last are held."""
        if units != self._units:
            self._units, self._scored = units, {}
        for seed in seeds:
            if seed not in self._scored:
                self._scored[seed] = _scored(self.group, self.group.runs[self.config][seed], units)
        return [self._scored[seed] for seed in seeds]


def _scored(group: Group, row: Row, units: Sequence[Unit]) -> Scored:
    run, allowed = group.scored(row, units), groups.metrics([row])
    names = [name for name in TESTED if allowed is None or name in allowed]
    return compare.scored(run.path, run.cells, run.known, names, ())


def _pairs(against: _Leader, task: _Pair, how: How, common: dict[str, Any]) -> pa.Table:
    """Compare two configurations over the seeds that both have."""
    group, flips, flip_seed = against.group, how.draws, how.seed
    a = against.scored(task.seeds, task.units)
    b = [_scored(group, row, task.units) for row in _at(group, task.rival, task.seeds)]
    found = compare.lines(a, b, flips, flip_seed)
    shared = common | {"config_a": against.config, "config_b": task.rival, "flips": flips, "flip_seed": flip_seed}
    for name, config in (("run_ids_a", against.config), ("run_ids_b", task.rival)):
        shared |= {name: _run_ids(_at(group, config, task.seeds))}
    return _filled("pairs", [_compared(line, a[0]) for line in found], shared)


def _compared(line: Line, scored: Scored) -> dict[str, Any]:
    one, cell = line.found, scored.cells[line.cut, line.scheme_id, line.q_stratum, line.g_stratum]
    names = ("scheme_id", "scheme_sha256", "cut", "q_stratum", "g_stratum", "metric", "p_holm", "claim")
    numbers = ("a", "b", "difference", "se", "df", "p", "p_flip", "seeds", "same_sign")
    row = {name: getattr(line, name) for name in names} | {name: getattr(one, name) for name in numbers}
    row |= {"ci_lo": one.low, "ci_hi": one.high, "n_id": one.identities, "n_query": one.queries}
    row |= {"ci_method": None if one.method == "none" else one.method}
    row |= {"stratum_order": cuts.order(cell.cut, cell.q, cell.g)}
    return {name: None if value != value else value for name, value in row.items()}  # NaN is not known


def _filled(kind: str, rows: Sequence[Row], shared: Row) -> pa.Table:
    """Make a table of rows and of columns that all of them share."""
    schema = history.kind(kind).schema
    made = pa.Table.from_pylist([dict(row) for row in rows], pa.schema([f for f in schema if f.name not in shared]))
    for name, value in shared.items():
        made = made.append_column(name, pa.repeat(pa.scalar(value, schema.field(name).type), len(made)))
    return made.select(schema.names)


def _tested_group(
    board: Board, rows: Sequence[Row], configs: Sequence[str], by: Sequence[str], pairs: Sequence[str]
) -> Group:
    """Take the runs of the configurations that are to meet, and refuse what is never tested."""
    known = dict.fromkeys(str(row["config_id"]) for row in rows)
    for config in configs:
        if config not in known:
            raise UserError(f"{board.root}: no run of configuration {config[:8]} was named")
    if configs[0] in configs[1:]:
        raise UserError(f"{board.root}: configuration {configs[0][:8]} cannot be compared with itself")
    chosen = [row for row in rows if row["config_id"] in configs]
    group = groups.group(board, chosen, by, pairs)
    for row in chosen:
        if reason := history.unranked(row):
            raise UserError(f"{board.root}: run {row['run_id']} is not ranked and never tested: {reason}")
    return group
