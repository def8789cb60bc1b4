"""`strata/1` and the headline: every cell's means with their support, chance, spread over trials and interval."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark import cuts, exposures, metrics, statistics, strata
from benchmark.protocol import Rules
from benchmark.schemas import RUN, STRATA
from benchmark.scorecard import Cell, Queries, Trial
from benchmark.statistics import MIN_IDENTITIES, Draws, Interval

Floats = NDArray[np.float64]
Row = dict[str, Any]

MACRO = "mAP_id_macro"
ALWAYS_VALID = ("mAP", MACRO)  # whatever a protocol says of queries without a positive
CHANCE = ("chance_mAP", "chance_R1")  # known exactly: no interval
SLOPE = "mAP_per_stop"
BATCH = 2**19  # cells x queries whose draws are held at a time


class How(NamedTuple):
    """With what the intervals are drawn."""

    draws: int
    seed: int


class _Batch(NamedTuple):
    """The draws of some cuts, and which column holds which metric of which cell."""

    draws: Draws
    intervals: list[Interval]
    column: dict[tuple[int, str], int]


def table(
    trials: Sequence[Trial], cells: Sequence[Cell], known: Queries, rules: Rules, run_id: str, how: How
) -> tuple[pa.Table, dict[str, float | int]]:
    """Give all rows of `strata/1`, the whole first, and the headline."""
    batches = [_draw(part, cells, known, rules, how) for part in _batches(cells, known, how)]
    intervals = {key: batch.intervals[column] for batch in batches for key, column in batch.column.items()}
    rows = [row for place, cell in enumerate(cells) for row in _of_cell(place, cell, known, rules, intervals)]
    rows += [row for batch in batches for row in _worst(cells, known, batch)]
    rows += [*_slope(trials, cells[0], known, how), *_within(trials, cells[0], known, how)]
    rows.append(_row(cells[0], known, "icc", statistics.icc(cells[0].spread("mAP", known), known.identities)))
    made = [_filled(row, run_id, how) for row in rows if not math.isnan(row["value"])]
    return pa.Table.from_pylist(made, STRATA), _headline(trials, cells[0], known, rules)


def _filled(row: Row, run_id: str, how: How) -> Row:
    drawn = {"ci_B": how.draws, "ci_seed": how.seed} if "ci_method" in row else {}
    return dict.fromkeys(STRATA.names) | row | drawn | {"run_id": run_id}


def _batches(cells: Sequence[Cell], known: Queries, how: How) -> list[list[int]]:
    """Put whole cuts together until there is enough to draw for; all batches are drawn with the same identities."""
    batches: list[list[int]] = []
    last: tuple[str, str] | None = None
    for place, cell in enumerate(cells):
        if not how.draws or _people(cell, known) < MIN_IDENTITIES:
            continue
        key = (cell.cut.kind, cell.cut.scheme_id)
        if not batches or (key != last and len(batches[-1]) * len(known) > BATCH):
            batches.append([])
        batches[-1].append(place)
        last = key
    return batches


def _draw(part: Sequence[int], cells: Sequence[Cell], known: Queries, rules: Rules, how: How) -> _Batch:
    """Draw once for all columns, so that differences between levels are drawn together too."""
    keys = [(place, name) for place in part for name in _metrics(cells[place]) if name not in CHANCE]
    values = np.stack([_column(cells[place], name, known, rules) for place, name in keys], axis=1)
    draws = statistics.bootstrap(values, known.identities, how.draws, how.seed)
    return _Batch(draws, statistics.intervals(draws), {key: column for column, key in enumerate(keys)})


def _metrics(cell: Cell) -> list[str]:
    """Name what a cell has a value for, in the order of the tables."""
    return [name for name, values in cell.values.items() if not np.isnan(values).all()] + [MACRO]


def _column(cell: Cell, name: str, known: Queries, rules: Rules) -> Floats:
    """Give what is averaged over queries; for `mAP_id_macro` one value an identity."""
    if name == MACRO:
        return statistics.macro(cell.spread("mAP", known), known.identities)
    return cell.spread(name, known, 0.0 if _counts_all(cell, name, rules) else np.nan)


def _counts_all(cell: Cell, name: str, rules: Rules) -> bool:
    """Say whether a query without a positive counts as 0: in the headline of a protocol that wants it."""
    return cell.cut.kind == "all" and rules.invalid_queries == "count" and name not in (*ALWAYS_VALID, *CHANCE)


def _of_cell(
    place: int, cell: Cell, known: Queries, rules: Rules, intervals: Mapping[tuple[int, str], Interval]
) -> list[Row]:
    made = []
    for name in _metrics(cell):
        spread = statistics.sd(cell.trials[name]) if name in cell.trials else math.nan
        value = float(np.nanmean(_column(cell, name, known, rules)))
        row = _row(cell, known, name, value, intervals.get((place, name)))
        made.append(row | {"sd_trials": None if math.isnan(spread) else spread})
    return made


def _row(cell: Cell, known: Queries, metric: str, value: float, interval: Interval | None = None) -> Row:
    q, g = cuts.names(cell.cut, cell.q, cell.g)
    people = _people(cell, known)
    return _bounds(interval) | {
        "scheme_id": cell.cut.scheme_id,
        "scheme_sha256": cell.cut.scheme_sha256,
        "cut": cell.cut.kind,
        "q_stratum": q,
        "g_stratum": g,
        "stratum_order": cuts.order(cell.cut, cell.q, cell.g),
        "metric": metric,
        "value": value,
        "n_query": len(cell.queries),
        "n_id": people,
        "n_pos_pairs": cell.pairs,
        "n_gallery": cell.gallery,
        "low_support": people < MIN_IDENTITIES,
    }


def _bounds(interval: Interval | None) -> Row:
    if interval is None or interval.method == "none":
        return {}
    return {"se": interval.se, "ci_lo": interval.low, "ci_hi": interval.high, "ci_method": interval.method}


def _people(cell: Cell, known: Queries) -> int:
    return len(np.unique(known.identities[cell.queries]))


def _worst(cells: Sequence[Cell], known: Queries, batch: _Batch) -> list[Row]:
    """Name the lowest level of every scheme that cuts one side, of those with enough identities, if several have."""
    schemes: dict[str, list[int]] = {}
    for place, cell in enumerate(cells):
        if cell.cut.kind in ("query", "pos") and (place, "mAP") in batch.column:
            schemes.setdefault(cell.cut.scheme_id, []).append(place)
    made = []
    for own in schemes.values():
        columns = [batch.column[place, "mAP"] for place in own]
        lowest = statistics.lowest(batch.draws, columns)
        if len(own) > 1 and lowest is not None:
            cell, interval = cells[own[columns.index(lowest)]], statistics.worst(batch.draws, columns)
            made.append(_row(cell, known, "mAP", float(batch.draws.value[lowest]), interval) | {"cut": "worst"})
    return made


def _slope(trials: Sequence[Trial], whole: Cell, known: Queries, how: How) -> list[Row]:
    """Give what AP gains with one more stop of light on the query."""
    stops = _fact(trials, known, "stops")
    stops[~_visible(trials, known)] = np.nan
    ap = whole.spread("mAP", known)
    used = ~np.isnan(stops) & ~np.isnan(ap)
    if not used.any():
        return []
    value, interval = statistics.slope(ap, stops, known.identities, how.draws, how.seed)
    scheme = strata.scheme("stops-5")
    row = _row(whole, known, SLOPE, value, interval) | {"scheme_id": "stops", "scheme_sha256": scheme.sha256}
    return [row | _support(used, known) | {"cut": "slope"}]


def _within(trials: Sequence[Trial], whole: Cell, known: Queries, how: How) -> list[Row]:
    """Compare the exposures of one scene: all but the light is equal, so the light makes the difference."""
    exposure, ap = _fact(trials, known, "exposure"), whole.spread("mAP", known)
    compared = exposures.within(ap, exposure, _scenes(trials, known), known.identities, how.draws, how.seed)
    if compared is None:
        return []
    scheme = strata.scheme("exposure")
    common = {"scheme_id": scheme.id, "scheme_sha256": scheme.sha256, "cut": "within"}
    reference = f"{compared.reference:g}"
    made = []
    for order, level in enumerate(compared.levels):
        row = _row(whole, known, "mAP_difference", level.difference, level.interval) | common
        counts = {"n_query": level.scenes, "n_id": level.interval.identities}
        levels = {"q_stratum": f"{level.exposure:g}", "g_stratum": reference, "stratum_order": order}
        made.append(row | counts | levels | {"low_support": level.interval.identities < MIN_IDENTITIES})
    slope = _row(whole, known, SLOPE, compared.slope, compared.slope_interval) | common
    people = compared.slope_interval.identities
    counts = {"n_query": compared.scenes, "n_id": people, "low_support": people < MIN_IDENTITIES}
    return [*made, slope | counts]


def _support(chosen: NDArray[np.bool_], known: Queries) -> Row:
    people = len(np.unique(known.identities[chosen]))
    counts = {"n_query": int(chosen.sum()), "n_id": people, "n_pos_pairs": None}
    return counts | {"low_support": people < MIN_IDENTITIES}


def _fact(trials: Sequence[Trial], known: Queries, name: str) -> Floats:
    """Give a number of every query; NaN where it is not known."""
    found = np.full(len(known), np.nan)
    for trial, places in zip(trials, known.places, strict=True):
        found[places] = trial.query[name].to_numpy()
    return found


def _visible(trials: Sequence[Trial], known: Queries) -> NDArray[np.bool_]:
    found = np.zeros(len(known), dtype=bool)
    for trial, places in zip(trials, known.places, strict=True):
        found[places] = np.asarray(trial.query["modality"].to_pylist()) == "visible"
    return found


def _scenes(trials: Sequence[Trial], known: Queries) -> NDArray[np.int64]:
    """Give every scene a number; -1: a query that is in none."""
    texts = np.full(len(known), "", dtype=object)
    for trial, places in zip(trials, known.places, strict=True):
        texts[places] = [scene or "" for scene in trial.query["scene"].to_pylist()]
    numbers = np.unique(texts.astype(str), return_inverse=True)[1].astype(np.int64)
    return np.where(texts == "", -1, numbers)


def _headline(trials: Sequence[Trial], whole: Cell, known: Queries, rules: Rules) -> dict[str, float | int]:
    names = [name for name in _metrics(whole) if name in RUN.names]
    made: dict[str, float | int] = {name: float(np.nanmean(_column(whole, name, known, rules))) for name in names}
    made |= {f"{name}_all": float(whole.spread(name, known, 0.0).mean()) for name in ("mAP", "mAP_trapz")}
    made |= _optimistic(trials, known, rules)
    if len(trials) > 1:
        made |= {f"sd_trials_{name}": statistics.sd(whole.trials[name]) for name in ("mAP", "R1")}
    return made | {
        "n_query_total": len(known),
        "n_query_valid": len(whole.queries),
        "n_query_tied": _tied(trials, known),
        "n_gallery": whole.gallery,
        "n_id": _people(whole, known),
    }


def _optimistic(trials: Sequence[Trial], known: Queries, rules: Rules) -> dict[str, float]:
    """Give what mAP and R1 would be with every tie in the query's favour; R1 is the same among identities."""
    parts = [metrics.per_query(one.ranking.starts, one.ranking.best, one.ranking.seen) for one in trials]
    first = [metrics.cmc(part.first, 1) for part in parts]
    return {"mAP_opt": _mean(known, [part.ap for part in parts]), "R1_opt": _mean(known, first, rules.invalid_queries)}


def _mean(known: Queries, parts: Sequence[Floats], policy: metrics.Policy = "skip") -> float:
    values = np.full((len(parts), len(known)), np.nan)
    for trial, (places, part) in enumerate(zip(known.places, parts, strict=True)):
        values[trial, places] = part
    return metrics.mean(statistics.over_trials(values)[0], policy)


def _tied(trials: Sequence[Trial], known: Queries) -> int:
    """Count the queries that are tied in some trial."""
    tied = np.zeros(len(known), dtype=bool)
    for trial, places in zip(trials, known.places, strict=True):
        tied[places] |= metrics.ties(trial.ranking.starts, trial.ranking.ranks, trial.ranking.best) > 0
    return int(tied.sum())
