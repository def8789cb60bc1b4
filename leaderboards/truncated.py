"""What rank lists say that end early: the values that come out the same in whatever order the rest may stand.

The evaluator saw the rows behind a list's end as tied, so of every positive it knows the worst rank and the best.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark import evaluation, scorecard, strata_rows
from benchmark.errors import UserError
from benchmark.evaluation import Asked, Evaluation
from benchmark.lists import Lists
from benchmark.ranking import Ranking
from benchmark.schemas import QUERIES, SCORES
from benchmark.scorecard import RANKS, Trial
from benchmark.strata_rows import How

METRICS = (*(f"R{k}" for k in RANKS), "chance_R1")
REASON = "truncated"

# What is known of no query whose list ends early, or, of ties and distances, says nothing.
_UNKNOWN = ("ap", "ap_trapz", "inp", "n_ties", "ap_opt", "inp_opt", "first_rank_opt", "d_first_pos", "d_first_neg")
_UNKNOWN_HEADLINE = (*SCORES, "n_query_tied", "sd_trials_mAP", "sd_trials_R1")


class Known(NamedTuple):
    """What is left of an evaluation."""

    depth: int  # ranks up to this are known of every query, junk removed
    queries: pa.Table
    strata: pa.Table
    headline: dict[str, float | int | str | None]


def known(done: Evaluation, resolved: Sequence[Lists], length: int, run_id: str, how: How) -> Known:
    """Keep what lists of this length, with all other rows tied behind them, leave no doubt about."""
    depth = _depth(done.trials, length, resolved[0].protocol)
    worst, best = ([_ranked(trial, depth, sure) for trial in done.trials] for sure in (True, False))
    cuts, _ = evaluation.chosen_cuts(resolved, Asked())
    queries, rules = scorecard.queries(done.trials), resolved[0].rules
    tables = []
    for trials, draws in ((worst, how), (best, How(0, how.seed))):
        cells = scorecard.cells(trials, cuts, queries, rules)
        table, _ = strata_rows.table(trials, cells, queries, rules, run_id, draws)
        tables.append(table.filter(pc.is_in(table["metric"], pa.array(METRICS))))
    strata = tables[0].filter(pc.equal(tables[0]["value"], tables[1]["value"]))
    return Known(depth, _rows(done.queries, done.trials, depth), strata, _headline(strata, len(done.trials)))


def _depth(trials: Sequence[Trial], length: int, where: str) -> int:
    """Find the rank up to which every list reaches once junk is taken out."""
    first = [trial.ranking.best[trial.ranking.scores == -length].min(initial=length + 1) for trial in trials]
    depth = int(min(first)) - 1
    if not depth:
        raise UserError(f"{where}: of some query all {length} images of its list are junk; longer lists are needed")
    return depth


def _ranked(trial: Trial, depth: int, worst: bool) -> Trial:
    """Put the positives beyond the depth as far behind as they can stand, or as far in front."""
    ranking = trial.ranking
    count = np.diff(ranking.starts)
    place = np.arange(ranking.starts[-1]) - np.repeat(ranking.starts[:-1], count) + 1
    found = _found(ranking, depth)
    before = ranking.seen - count if worst else np.minimum(depth - found, ranking.seen - count)
    ranks = np.where(ranking.ranks <= depth, ranking.ranks, np.repeat(before, count) + place).astype(np.int32)
    # Whoever stands before an unknown first positive is somebody else: at least one identity.
    unknown = (found == 0) & (count > 0)
    identity = np.where(unknown, ranking.seen if worst else 2, ranking.identity).astype(np.int32)
    return replace(trial, ranking=replace(ranking, ranks=ranks, best=ranks, identity=identity))


def _rows(table: pa.Table, trials: Sequence[Trial], depth: int) -> pa.Table:
    """Keep the ranks up to the depth."""
    parts = [_kept(trial.ranking, depth) for trial in trials]
    ranks, gallery, counts = (np.concatenate(found) for found in zip(*parts, strict=True))
    starts = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    lost, none = counts == 0, table["n_pos"].to_numpy() == 0
    made: dict[str, Any] = {name: pa.nulls(len(table), QUERIES.field(name).type) for name in _UNKNOWN}
    made["pos_ranks"] = pa.ListArray.from_arrays(starts, pa.array(ranks, pa.int32()))
    made["pos_gidx"] = pa.ListArray.from_arrays(starts, pa.array(gallery, pa.int32()))
    made["first_rank"] = pa.array(table["first_rank"].to_numpy(), pa.int32(), mask=lost & ~none)
    made["first_rank_id"] = pa.array(np.where(lost, 0, table["first_rank_id"].to_numpy()), pa.int32())
    for name, column in made.items():
        table = table.set_column(table.column_names.index(name), QUERIES.field(name), column)
    return table


def _kept(ranking: Ranking, depth: int) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    kept = ranking.ranks <= depth
    return ranking.ranks[kept], ranking.rows[kept], _found(ranking, depth)


def _found(ranking: Ranking, depth: int) -> NDArray[np.int64]:
    """Count the positives of every query up to a rank."""
    before = np.concatenate([[0], np.cumsum(ranking.ranks <= depth)])
    return np.diff(before[ranking.starts])


def _headline(strata: pa.Table, trials: int) -> dict[str, float | int | str | None]:
    whole = [row for row in strata.to_pylist() if row["cut"] == "all" and row["metric"].startswith("R")]
    known = {row["metric"]: row["value"] for row in whole}
    known |= dict(_spreads(whole)) if trials > 1 else {}
    return dict.fromkeys(_UNKNOWN_HEADLINE) | known | {"reason_code": REASON}


def _spreads(whole: Sequence[dict[str, Any]]) -> Iterator[tuple[str, float]]:
    return ((f"sd_trials_{row['metric']}", row["sd_trials"]) for row in whole if row["metric"] == "R1")
