"""The tables of a board as plain data, one a group and cut; how they are printed is `rendering`'s.

A group is the runs of equal lists and equal protocol. A row is a configuration: the mean over its seeds.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from benchmark import cuts
from benchmark.console import count
from benchmark.cuts import Cut, Kind
from benchmark.errors import UserError, nearest
from leaderboards import analysis, captions, gathered, labels, literature, ranking, store
from leaderboards.gathered import Gathered, Where
from leaderboards.ranking import Key, Outcome, Place, Task, Tested
from leaderboards.store import Board, Row

NAMED = {"light": "night600-light", "size": "night600-scale", "stops": "stops-5"}
METRICS = ("mAP", "R1", "R5", "R10", "mINP", "mAP_id_macro", "mAP_trapz")
OVERALL = ("mAP", "R1", "R5", "R10", "mINP")
ORDERS = ("overall", "worst")
MOST_APART = 10  # configurations that are not ranked, unless everything is asked for

WHOLE: Place = ("all", "all", None, None)

_CHANCE = {"mAP": "chance_mAP", "R1": "chance_R1"}
_PLACE = ("cut", "scheme_id", "q_stratum", "g_stratum")
_MEANS = (
    *("config_id", *_PLACE, "stratum_order", "metric", "value", "sd_seeds", "ci_lo", "ci_hi", "ci_method", "ci_B"),
    *("ci_seed", "n_query", "n_id", "n_pos_pairs", "low_support"),
)
_PAIRS = ("config_b", *_PLACE, "metric", "difference", "ci_lo", "ci_hi", "p", "p_flip", "seeds", "same_sign")


@dataclass(frozen=True)
class Asked:
    """Which tables are wanted."""

    by: tuple[str, ...] = ()  # overall, light, size, stops, exposure, or what cuts.parse takes; none: overall
    pairs: tuple[str, ...] = ()
    metric: str | None = None  # none: what the protocol ranks by
    protocols: tuple[str, ...] = ()  # names; none: all
    lists: tuple[str, ...] = ()  # the first digits of lists_sha256; none: all
    order: str = "overall"
    published: bool = True
    everything: bool = False


@dataclass(frozen=True)
class Column:
    """One metric in one cell of a cut, with what a number in it must be read beside."""

    title: str
    metric: str
    place: Place
    chance: float | None = None
    queries: int | None = None
    identities: int | None = None
    positives: float | None = None  # a query


@dataclass(frozen=True)
class Cell:
    """One number; or the reason why there is none."""

    value: float | None = None
    sd: float | None = None  # over seeds
    low: float | None = None
    high: float | None = None
    level: str = ""  # which one is the worst
    reason: str = ""  # why there is no value, or no interval
    bold: bool = False
    behind: Outcome | None = None  # the leader of the column


@dataclass(frozen=True)
class Line:
    """One configuration."""

    place: str
    name: str
    method: str
    config_id: str
    run_ids: tuple[str, ...]
    tier: str
    division: str
    official: bool | None
    tests: int  # evaluations of its method on these lists
    flags: tuple[str, ...]
    disclosures: tuple[str, ...]
    cells: tuple[Cell, ...]
    why: str = ""  # it is not ranked

    @property
    def seeds(self) -> int:
        """Count its runs."""
        return len(self.run_ids)


@dataclass(frozen=True)
class Lost:
    """Runs that have no number here, and why."""

    name: str
    why: str
    run_ids: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One table."""

    title: str
    where: Where
    metric: str
    columns: tuple[Column, ...]
    ranked: tuple[Line, ...] = ()
    apart: tuple[Line, ...] = ()
    lost: tuple[Lost, ...] = ()
    published: tuple[Row, ...] = ()
    caption: tuple[str, ...] = ()
    cut: Cut | None = None  # none: the whole


@dataclass(frozen=True)
class Wanted:
    """A cut that was asked for, and where the board's tables have it."""

    text: str
    cut: Cut
    pairs: bool = False


Numbers = Mapping[str, Mapping[Key, Row]]  # of a configuration


def tables(board: Board, asked: Asked) -> list[Table]:
    """Make the tables that are asked for."""
    _require_possible(asked)
    groups = gathered.gathered(board, asked.protocols, asked.lists)
    if not groups:
        return _without_runs(board, asked)
    wanted = _wanted(board, groups, asked)
    published = literature.on(board) if asked.published else None
    return [
        table
        for group, (chosen, notes) in zip(groups, wanted, strict=True)
        for table in _of_group(_Group(board, group, asked, chosen), notes, published)
    ]


@dataclass(frozen=True, eq=False)
class _Group:
    """A group, and what is computed of it for all its tables."""

    board: Board
    runs: Gathered
    asked: Asked
    wanted: Sequence[Wanted]
    tests: dict[str, Mapping[Task, Row]] = field(default_factory=dict)  # by leader

    @property
    def metric(self) -> str:
        """Give the metric that is asked for, or else the one that the protocol ranks by; the worst level is of mAP."""
        ranks_by = str(self.runs.first.get("rank_by"))
        usual = ranks_by if ranks_by in METRICS and self.asked.order == "overall" else "mAP"
        return self.asked.metric or usual

    @property
    def by(self) -> list[str]:
        """Give the cuts of queries as they were asked for."""
        return [one.text for one in self.wanted if not one.pairs]

    @property
    def pairs(self) -> list[str]:
        """Give the cuts of queries and their positives as they were asked for."""
        return [one.text for one in self.wanted if one.pairs]

    def means(self, configurations: Mapping[str, Sequence[Row]]) -> pa.Table | None:
        """Give the means of configurations; nothing where there are none."""
        rows = [row for own in configurations.values() for row in own]
        return analysis.means(self.board, rows, self.by, self.pairs).select(_MEANS) if rows else None

    def against(self, leader: str) -> Mapping[Task, Row]:
        """Give the tests of a leader against all whom it has five seeds in common with."""
        if leader not in self.tests:
            counted = self.runs.counted
            rivals = [one for one in counted if one != leader and ranking.testable(counted, leader, one)]
            rows = [row for config in (leader, *rivals) for row in counted[config]]
            found = analysis.pairs(self.board, rows, leader, rivals, self.by, self.pairs) if rivals else None
            self.tests[leader] = {} if found is None else self.by_task(leader, found)
        return self.tests[leader]

    def by_task(self, leader: str, pairs: pa.Table) -> dict[Task, Row]:
        """Find the tests of a leader by whom, where and what they test; of all that is kept, what tables show."""
        schemes = pa.array(["all", *(one.cut.scheme_id for one in self.wanted)])
        shown = pc.or_(pc.equal(pairs["metric"], self.metric), pc.equal(pairs["cut"], "all"))
        rows = pairs.filter(pc.and_(shown, pc.is_in(pairs["scheme_id"], schemes))).select(_PAIRS).to_pylist()
        return {Task(leader, row["config_b"], _place(row), row["metric"]): row for row in rows}


def _require_possible(asked: Asked) -> None:
    for what, value, allowed in (("metric", asked.metric, METRICS), ("order", asked.order, ORDERS)):
        if value and value not in allowed:
            raise UserError(f"{what} {value}: {nearest(value, list(allowed))}")
    if asked.order == "worst" and asked.metric not in (None, "", "mAP"):
        raise UserError(f"order worst: the worst level is that of mAP, not of {asked.metric}")
    if asked.order == "worst" and not [text for text in asked.by if text != "overall"]:
        raise UserError("order worst: say by which cut; such as light, size or stops")


def _wanted(board: Board, groups: Sequence[Gathered], asked: Asked) -> list[tuple[list[Wanted], list[str]]]:
    """Find the cuts in every group; that one divides nothing is said, and what can be cut nowhere is a mistake."""
    texts = [(_spelled(text), False) for text in asked.by if text != "overall"]
    texts += [(_spelled(text), True) for text in asked.pairs]
    made: list[tuple[list[Wanted], list[str]]] = [([], []) for _ in groups]
    for text, pairs in dict.fromkeys(texts):
        kind: Kind = "pair_pos" if pairs else "query"
        errors = list[UserError]()
        for group, (found, notes) in zip(groups, made, strict=True):
            if not (group.counted or group.apart):
                continue
            try:
                cut = gathered.cut(board, group, text, kind)
            except UserError as error:
                errors.append(error)
                notes.append(f"{error}.")
                continue
            if reason := cuts.idle(cut):
                notes.append(f"{reason}.")
            else:
                found.append(Wanted(text, cut, pairs))
        if errors and len(errors) == sum(bool(group.counted or group.apart) for group in groups):
            raise errors[0]
    return made


def _spelled(text: str) -> str:
    return "+".join(NAMED.get(part.strip(), part.strip()) for part in text.split("+"))


def _of_group(group: _Group, notes: Sequence[str], published: pa.Table | None) -> list[Table]:
    """Make the tables of a group; what has no number of ours stands under the first."""
    means = (group.means(group.runs.counted), group.means(group.runs.apart))
    whole = "overall" in group.asked.by or not (group.asked.by or group.asked.pairs)
    made = [_table(group, None, means)] if whole else []
    made += [_table(group, one, means) for one in group.wanted]
    made = made or [_table(group, None, means)]
    further, elsewhere = _published(group, published)
    under = (*([captions.PAPERS] if further else []), *captions.elsewhere(elsewhere))
    levels = [captions.BELOW] if further else []
    made = [replace(one, caption=(*one.caption, *(under if one.cut is None else levels))) for one in made]
    first = replace(made[0], lost=_lost(group), caption=(*made[0].caption, *notes))
    return [replace(first, published=further if first.cut is None else ()), *made[1:]]


def _published(group: _Group, published: pa.Table | None) -> tuple[tuple[Row, ...], dict[str, int]]:
    """Find the rows of papers that stand beside a group, and count those of its set by other protocols."""
    if published is None:
        return (), {}
    where, first = group.runs.where, group.runs.first
    name, queries = where.protocol_id, first.get("n_query_total")
    rows = literature.rows_for(published, where.eval_set, name, queries, first.get("protocol_sha256"))
    same = published.filter(pc.fill_null(pc.equal(published["eval_set"], where.eval_set), False))
    others = Counter(labels.plain(one) for one in same["protocol_id"].to_pylist() if one not in (None, name))
    return tuple(rows), dict(sorted(others.items()))


def _without_runs(board: Board, asked: Asked) -> list[Table]:
    """Say that a board has no run; the papers that it was given are shown, those that come with the project not."""
    rows = store.load(board, "published").table.to_pylist() if asked.published else []
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((labels.plain(row["dataset"]), labels.plain(row["protocol"] or "")), []).append(row)
    name, said = board.root.resolve().name, (captions.NO_RUN,)
    unknown = gathered.UNKNOWN
    made = [
        Table(
            title=f"{dataset} by {protocol or gathered.UNKNOWN}",
            where=Where(name, dataset, protocol or unknown, unknown, unknown),
            metric="mAP",
            columns=(),
            published=tuple(sorted(own, key=lambda row: (-(row["mAP"] or 0), row["method"], row["source"]))),
            caption=(*said, captions.PAPERS),
        )
        for (dataset, protocol), own in sorted(found.items())
    ]
    return made or [Table(name, Where(name, *[unknown] * 4), "mAP", (), caption=said)]


def _table(group: _Group, wanted: Wanted | None, means: Sequence[pa.Table | None]) -> Table:
    """Make one table: columns, tests, then the rows in their order."""
    metric, runs = group.metric, group.runs
    metrics = (metric,) if wanted else (metric, *(name for name in OVERALL if name != metric))
    ranked, apart = (_numbers(table, wanted, metrics) for table in means)
    columns = _columns({**apart, **ranked}, wanted, metrics)
    order = _order(columns, metric, group.asked.order, wanted)
    full = {config: ranked[config] for config in ranking.placed(runs.counted) if config in ranked}
    tested = _tested(group, columns, order, full, wanted)
    places = ranking.places(_values(full, order), tested.beaten) if order else {}
    lines = [_line(group, config, own, ranked, columns, tested) for config, own in runs.counted.items()]
    lines = [replace(line, place=places.get(line.config_id, "-")) for line in lines]
    others = [_line(group, config, own, apart, columns) for config, own in runs.apart.items()]
    shown = _sorted(others, columns, order)[: None if group.asked.everything else MOST_APART]
    table = Table(
        title=_title(group, wanted),
        where=runs.where,
        metric=metric,
        columns=columns,
        ranked=tuple(_sorted(lines, columns, order)),
        apart=tuple(shown),
        cut=wanted.cut if wanted else None,
    )
    facts = captions.Facts(
        order=order,
        tested=tested,
        placed=len(places),
        left_out=len(others) - len(shown),
        rank_by=labels.plain(runs.first.get("rank_by") or metric),
        drawn=_drawn((ranked, apart)),
        counts_all=runs.first.get("invalid_query_policy") == "count",
    )
    return replace(table, caption=tuple(captions.lines(table, facts)))


def _title(group: _Group, wanted: Wanted | None) -> str:
    where = f"{group.runs.where.eval_set} by {group.runs.where.protocol_id}"
    if wanted is None:
        return where
    words = {"query": "queries by {}", "pos": "positives by {}", "pair_pos": "query -> positive by {}"}
    return f"{where}: {group.metric}, {words[wanted.cut.kind].format(_plain(wanted.cut.scheme_id))}"


def _plain(scheme: str) -> str:
    """Name a scheme without its versions."""
    return labels.plain(" x ".join(part.split("@")[0] for part in scheme.split("+")))


def _numbers(means: pa.Table | None, wanted: Wanted | None, metrics: Sequence[str]) -> Numbers:
    """Pick the rows of a table, by configuration."""
    if means is None:
        return {}
    schemes = ["all", *([wanted.cut.scheme_id] if wanted else [])]
    kinds = ["all", *([wanted.cut.kind, *(["worst"] if wanted.cut.kind != "pair_pos" else [])] if wanted else [])]
    named = [*metrics, *(_CHANCE[name] for name in metrics if name in _CHANCE)]
    for name, values in (("scheme_id", schemes), ("cut", kinds), ("metric", named)):
        means = means.filter(pc.is_in(means[name], pa.array(values)))
    found: dict[str, dict[Key, Row]] = {}
    for row in means.to_pylist():
        found.setdefault(row["config_id"], {})[_place(row), row["metric"]] = row
    return found


def _place(row: Row) -> Place:
    """Say where a row stands; which level is the worst is another one in every configuration."""
    if row["cut"] == "worst":
        return ("worst", row["scheme_id"], None, None)
    return (row["cut"], row["scheme_id"], row["q_stratum"], row["g_stratum"])


def _columns(numbers: Numbers, wanted: Wanted | None, metrics: Sequence[str]) -> tuple[Column, ...]:
    """Make a column of every cell and metric that somebody has: the whole, the levels in their order, the worst."""
    found: dict[Key, tuple[Row, Row]] = {}
    for own in numbers.values():
        for (place, metric), row in own.items():
            if metric in metrics and (place, metric) not in found:
                found[place, metric] = (row, own.get((place, _CHANCE.get(metric, "")), {}))
    rank = {"all": 0, "worst": 2}
    order = sorted(
        found, key=lambda key: (rank.get(key[0][0], 1), found[key][0]["stratum_order"] or 0, metrics.index(key[1]))
    )
    return tuple(_column(key, *found[key], wanted) for key in order)


def _column(key: Key, row: Row, chance: Row, wanted: Wanted | None) -> Column:
    place, metric = key
    if place[0] == "worst":
        return Column("worst level", metric, place)
    title = (place[0] if place == WHOLE else _level(row)) if wanted else metric
    each = row["n_pos_pairs"] / row["n_query"] if row["n_pos_pairs"] and row["n_query"] else None
    return Column(title, metric, place, chance.get("value"), row["n_query"], row["n_id"], each)


def _level(row: Row) -> str:
    q, g = row["q_stratum"], row["g_stratum"]
    words = q or "" if g is None else f"{q} -> {g}" if q is not None else f"-> {g}"
    return labels.plain(words)


def _order(columns: Sequence[Column], metric: str, order: str, wanted: Wanted | None) -> Column | None:
    """Find the column that rows are ordered by; where no level has 30 identities there is no worst one."""
    worst = [column for column in columns if column.place[0] == "worst"]
    if wanted and order == "worst" and worst:
        return worst[0]
    return next((column for column in columns if column.place == WHOLE and column.metric == metric), None)


def _values(numbers: Numbers, column: Column) -> dict[str, float]:
    """Give the values of a column: who has none has no place in it."""
    key = (column.place, column.metric)
    return {config: own[key]["value"] for config, own in numbers.items() if own.get(key, {}).get("value") is not None}


def _tested(
    group: _Group, columns: Sequence[Column], order: Column | None, ranked: Numbers, wanted: Wanted | None
) -> Tested:
    """Test what the table shows.

    Two worst levels may be different ones, so the leader is tested in its own: who is worse there has a worst level
    that is no better than that.
    """
    if order is None:
        return Tested(0, frozenset(), frozenset(), {}, {})
    cells = [column for column in columns if column.place[0] != "worst"]
    values = {(column.place, column.metric): _values(ranked, column) for column in cells}
    ordered = _values(ranked, order)
    key, first = (order.place, order.metric), ranking.leader(ordered)
    if order.place[0] == "worst" and wanted and first:
        row = ranked[first][key]
        key = ((wanted.cut.kind, row["scheme_id"], row["q_stratum"], row["g_stratum"]), order.metric)
    return ranking.tested(values, ordered, key, group.against)


def _line(
    group: _Group,
    config: str,
    rows: Sequence[Row],
    numbers: Numbers,
    columns: Sequence[Column],
    tested: Tested | None = None,
) -> Line:
    runs, division = group.runs, labels.common(rows, "division")
    keys = [(one.place, one.metric) for one in columns]
    cells = [_cell(rows, numbers.get(config, {}).get(key)) for key in keys]
    if tested:
        cells = [
            replace(cell, bold=tested.bold.get(key) == config, behind=tested.outcomes.get((key, config)))
            for cell, key in zip(cells, keys, strict=True)
        ]
    reasons = dict.fromkeys(runs.reasons[row["run_id"]] for row in rows if tested is None)
    return Line(
        place="-",
        name=runs.names[config],
        method=labels.plain(rows[0].get("method") or ""),
        config_id=config,
        run_ids=tuple(row["run_id"] for row in rows),
        tier=labels.tier(rows),
        division=labels.plain(division or ""),
        official=labels.common(rows, "official"),
        tests=runs.tests.get(str(rows[0].get("method")), 0),
        flags=(*labels.flags(rows), *_submissions(runs, rows[0])),
        disclosures=labels.disclosures(rows),
        cells=tuple(cells),
        why=labels.plain("; ".join(reasons)),
    )


def _submissions(runs: Gathered, row: Row) -> list[str]:
    found = runs.submissions.get(str(row.get("method")), 0)
    return [count(found, "submission")] if found else []


def _cell(rows: Sequence[Row], row: Row | None) -> Cell:
    if row is None or row["value"] is None:
        truncated = any(one.get("list_depth") is not None for one in rows)
        said = next((one["reason_code"] for one in rows if one.get("reason_code")), "not_applicable")
        return Cell(reason="truncated" if truncated else labels.plain(said))
    level = _level(row) if row["cut"] == "worst" else ""
    reason = "low_support" if row["low_support"] else ""
    return Cell(row["value"], row["sd_seeds"], row["ci_lo"], row["ci_hi"], level, reason)


def _sorted(lines: Sequence[Line], columns: Sequence[Column], order: Column | None) -> list[Line]:
    """Put the highest value first, and who has none last; of equal ones the same every time."""
    place = columns.index(order) if order else None

    def key(line: Line) -> tuple[float, str, str]:
        value = None if place is None else line.cells[place].value
        return (math.inf if value is None else -value, line.name, line.config_id)

    return sorted(lines, key=key)


def _lost(group: _Group) -> tuple[Lost, ...]:
    """Name the runs without a number: one by one where all is asked for, else counted by name and reason."""
    found: dict[tuple[str, ...], list[str]] = {}
    for row in group.runs.lost:
        name, why = labels.given(row), labels.plain(group.runs.reasons[row["run_id"]])
        key = (name, why, row["run_id"]) if group.asked.everything else (name, why)
        found.setdefault(key, []).append(row["run_id"])
    return tuple(Lost(key[0], key[1], tuple(runs)) for key, runs in sorted(found.items()))


def _drawn(numbers: Iterable[Numbers]) -> tuple[int, int] | None:
    """Say how often, and with which seed, identities were drawn for the intervals of a table."""
    rows = (row for own in numbers for cells in own.values() for row in cells.values())
    return next(((row["ci_B"], row["ci_seed"]) for row in rows if row["ci_method"]), None)
