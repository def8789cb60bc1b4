"""Compare two methods by their bundles: seed by seed, query by query, over all and at every level.

All values are computed again from the stored ranks. Where a run has several trials, each query is averaged over them
first. Means are over queries that have a positive.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark import cuts, differences, scorecard, sides, statistics
from benchmark.differences import Claim, Difference
from benchmark.errors import UserError
from benchmark.protocol import Rules
from benchmark.results import Bundle
from benchmark.scorecard import Cell, Queries
from benchmark.sides import Seed, Side, listed
from benchmark.statistics import Floats, Ints
from benchmark.strata_rows import MACRO

METRICS = ("mAP", "R1", "mINP")

Place = tuple[str, str, str | None, str | None]  # cut, scheme, level of the queries, level of the positives


@dataclass(frozen=True)
class Line:
    """One metric at one level."""

    scheme_id: str
    scheme_sha256: str
    cut: str
    q_stratum: str | None
    g_stratum: str | None
    metric: str
    found: Difference
    sd_trials_a: float  # mean over seeds; NaN where a run has one trial
    sd_trials_b: float
    p_holm: float = float("nan")  # over the levels of one scheme
    claim: Claim = ""


@dataclass(frozen=True, eq=False)
class Comparison:
    """What is known of one method against another."""

    a: Side
    b: Side
    seeds: tuple[Seed, ...]  # that both have
    protocol: str
    protocol_sha256: str
    lists_sha256: str
    trials: int
    icc: tuple[float, float]  # of AP, of either side: how alike the queries of one person are
    lines: tuple[Line, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Scored:
    """Every cell of one run, for queries in the order of their names."""

    path: Path
    image_ids: list[str]
    identities: Ints
    cells: Mapping[Place, Cell]
    notes: tuple[str, ...] = ()


def compare(a: Path, b: Path, flips: int = differences.FLIPS, seed: int = 0) -> Comparison:
    """Compare the bundles of two folders; a folder is a bundle, or holds the bundles of several seeds."""
    return compared(sides.side(a), sides.side(b), flips, seed)


def compared(one: Side, other: Side, flips: int = differences.FLIPS, seed: int = 0) -> Comparison:
    """Compare two sides that are read already."""
    first = _require_alike(one, other)
    seeds = _common(one, other)
    runs = [[score(*runs[number]) for number in seeds] for runs in (one.runs, other.runs)]
    people, found = runs[0][0].identities, lines(runs[0], runs[1], flips, seed)
    correlation = [statistics.icc(_values(own, _whole(own[0]), "mAP").mean(axis=0), people) for own in runs]
    return Comparison(
        one,
        other,
        tuple(seeds),
        str(first["protocol_id"]),
        first["protocol_sha256"],
        first["lists_sha256"],
        first["n_trials"] or 1,
        (correlation[0], correlation[1]),
        tuple(found),
        (*one.notes, *other.notes, *_unmatched(one, other), *_cautions(first, seeds), *runs[0][0].notes),
    )


def score(path: Path, bundle: Bundle) -> Scored:
    """Score a run in the cells that every evaluation has."""
    parts = sides.trials(bundle, path)
    query, gallery = (pa.concat_tables([getattr(part, role) for part in parts]) for role in ("query", "gallery"))
    chosen, notes = cuts.standard(query, gallery)
    known = scorecard.queries(parts)
    rules = Rules(cmc=bundle.run["cmc_kind"] or "first")
    return scored(path, scorecard.cells(parts, chosen, known, rules), known, METRICS, notes)


def scored(path: Path, cells: Sequence[Cell], known: Queries, metrics: Sequence[str], notes: Sequence[str]) -> Scored:
    """Bring the cells of a run into the order of its queries' names, as far as these metrics go."""
    # Equal lists may stand in another order in another bundle.
    order = np.argsort(known.image_ids)
    names, people = [known.image_ids[place] for place in order], known.identities[order]
    made = {place_of(cell): _ordered(cell, known, order, people, metrics) for cell in cells}
    return Scored(path, names, people, made, tuple(notes))


def lines(a: Sequence[Scored], b: Sequence[Scored], flips: int = differences.FLIPS, seed: int = 0) -> list[Line]:
    """Compare matched seeds that are scored already: every cell and metric that both sides have."""
    require_same_queries([*a, *b])
    return _corrected(_lines(a, b, flips, seed))


def require_same_queries(runs: Sequence[Scored]) -> None:
    """Refuse runs whose levels hold other queries: their lists were measured otherwise."""
    first = runs[0]
    for run in runs[1:]:
        for place in dict.fromkeys((*first.cells, *run.cells)):
            pair = (first.cells.get(place), run.cells.get(place))
            if not (pair[0] and pair[1] and np.array_equal(_valid(pair[0]), _valid(pair[1]))):
                raise UserError(
                    f"{run.path}: the level {_words(place)} holds other queries than in {first.path}: their "
                    "lists.parquet were measured otherwise; evaluate both again with one manifest"
                )


def table(found: Comparison) -> list[dict[str, Any]]:
    """Give the lines as flat rows with the runs that they are about; values lie between 0 and 1."""
    runs = {
        f"run_ids_{name}": [one.runs[seed][1].run["run_id"] for seed in found.seeds]
        for name, one in (("a", found.a), ("b", found.b))
    }
    sides = {f"method_{name}": one.method for name, one in (("a", found.a), ("b", found.b))}
    common = sides | runs | {"lists_sha256": found.lists_sha256, "protocol_sha256": found.protocol_sha256}
    rows = []
    for line in found.lines:
        row = asdict(line)
        difference = row.pop("found")
        flat = common | difference | row | {"ci_method": difference["method"]}
        del flat["method"]
        rows.append({name: None if value != value else value for name, value in flat.items()})  # NaN is not known
    return rows


def _require_alike(one: Side, other: Side) -> Mapping[str, Any]:
    """Refuse runs over unlike lists or by unlike protocols; give the record that all of them agree with."""
    runs = [*one.runs.values(), *other.runs.values()]
    first, record = runs[0][0], runs[0][1].run
    for name, what in (("lists_sha256", "other lists"), ("protocol_sha256", "another protocol")):
        for path, bundle in runs:
            if not bundle.run[name]:
                raise UserError(f"{path}: its record has no {name}, so nobody knows what it can be compared with")
            if bundle.run[name] != record[name]:
                raise UserError(
                    f"{path}: was made with {what} than {first} ({name} {bundle.run[name][:8]}, not "
                    f"{record[name][:8]}); only results of the same lists and protocol are compared"
                )
    return record


def _common(one: Side, other: Side) -> list[Seed]:
    seeds = [seed for seed in one.seeds if seed in other.runs]
    if not seeds:
        raise UserError(
            f"{one.folder} and {other.folder} have no seed in common: {listed(one.seeds)} against "
            f"{listed(other.seeds)}; runs are matched by their seed"
        )
    return seeds


def _cautions(run: Mapping[str, Any], seeds: Sequence[Seed]) -> list[str]:
    """Say what a reader of the numbers would not expect."""
    notes = []
    if run["invalid_query_policy"] == "count":
        notes.append("means are over valid queries; the headline of this protocol counts the others as 0")
    if len(seeds) == 2:
        notes.append("two seeds say little of the spread between seeds: the intervals are too short")
    return notes


def _unmatched(one: Side, other: Side) -> list[str]:
    pairs = ((one, other), (other, one))
    alone = [(mine, [seed for seed in mine.seeds if seed not in theirs.runs]) for mine, theirs in pairs]
    return [f"{mine.folder}: {listed(seeds)} left out, the other side has none such" for mine, seeds in alone if seeds]


def _ordered(cell: Cell, known: Queries, order: Ints, people: Ints, metrics: Sequence[str]) -> Cell:
    """Give a cell a value for every query, NaN where it has none there."""
    values = {name: cell.spread(name, known)[order] for name in metrics if name in cell.values}
    if MACRO in metrics:
        values[MACRO] = statistics.macro(cell.spread("mAP", known)[order], people)
    return replace(cell, queries=order, values=values)


def place_of(cell: Cell) -> Place:
    """Name a cell: its cut, its scheme and its levels."""
    return (cell.cut.kind, cell.cut.scheme_id, *cuts.names(cell.cut, cell.q, cell.g))


def _valid(cell: Cell) -> NDArray[np.bool_]:
    """Say which queries have a positive there: what the first metric has a value for."""
    return ~np.isnan(next(iter(cell.values.values())))


def _words(place: Place) -> str:
    _, scheme, q, g = place
    return f"{' -> '.join(level for level in (q, g) if level) or 'all'} of {scheme}"


def _whole(run: Scored) -> Place:
    return next(place for place in run.cells if place[0] == "all")


def _values(runs: Sequence[Scored], place: Place, metric: str) -> Floats:
    return np.stack([run.cells[place].values[metric] for run in runs])


def _lines(a: Sequence[Scored], b: Sequence[Scored], flips: int, seed: int) -> list[Line]:
    """Compare every cell and metric; all meet the same sign flips."""
    tasks, pairs = list[tuple[Place, str]](), list[tuple[Floats, Floats]]()
    for place in a[0].cells:
        for metric in _shared(a, b, place):
            pair = (_values(a, place, metric), _values(b, place, metric))
            if not np.isnan(pair[0] - pair[1]).any(axis=0).all():
                tasks.append((place, metric))
                pairs.append(pair)
    found = differences.differences(pairs, a[0].identities, flips, seed)
    return [_line(a, b, *task, one) for task, one in zip(tasks, found, strict=True)]


def _shared(a: Sequence[Scored], b: Sequence[Scored], place: Place) -> list[str]:
    names = a[0].cells[place].values
    return [name for name in names if all(name in run.cells[place].values for run in (*a, *b))]


def _line(a: Sequence[Scored], b: Sequence[Scored], place: Place, metric: str, found: Difference) -> Line:
    spreads = [np.mean([_sd_trials(run.cells[place], metric) for run in runs]) for runs in (a, b)]
    kind, scheme, q, g = place
    sha256 = a[0].cells[place].cut.scheme_sha256
    return Line(scheme, sha256, kind, q, g, metric, found, float(spreads[0]), float(spreads[1]))


def _sd_trials(cell: Cell, metric: str) -> float:
    return statistics.sd(cell.trials[metric]) if metric in cell.trials else math.nan


def _corrected(lines: Sequence[Line]) -> list[Line]:
    """Correct p for the number of levels of a scheme, and say what can be claimed.

    The larger p counts: the one that draws seeds too, and the one that supposes no distribution.
    """
    families: dict[tuple[str, str, str], list[int]] = {}
    for position, line in enumerate(lines):
        families.setdefault((line.cut, line.scheme_id, line.metric), []).append(position)
    corrected = np.full(len(lines), np.nan)
    for family in families.values():
        tested = [lines[position].found for position in family]
        corrected[family] = differences.holm(np.array([max(one.p, one.p_flip) for one in tested]))
    return [
        replace(line, p_holm=float(p), claim=differences.claim(line.found, float(p)))
        for line, p in zip(lines, corrected, strict=True)
    ]
