"""`queries/1`: one row a query and trial, with the rank and the gallery position of every positive."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark import metrics
from benchmark.ranking import Ranking
from benchmark.schemas import QUERIES
from benchmark.scorecard import Trial

Floats32 = NDArray[np.float32]


def table(trial: Trial, run_id: str, nearest: tuple[Floats32, Floats32], top: pa.Table | None = None) -> pa.Table:
    """Make the rows of a trial; `nearest` are the distances of the first positive and the first negative."""
    ranking = trial.ranking
    scores = metrics.per_query(ranking.starts, ranking.ranks, ranking.seen)
    ties = metrics.ties(ranking.starts, ranking.ranks, ranking.best)
    best = metrics.per_query(ranking.starts, ranking.best, ranking.seen)
    untied, lost = ties == 0, scores.positives == 0
    columns = {
        "run_id": pa.repeat(run_id, len(ties)),
        "trial": pa.repeat(pa.scalar(trial.number, pa.int16()), len(ties)),
        "query_idx": trial.query["position"],
        **{name: trial.query[name] for name in ("image_id", "id_space", "pid", "camid")},
        "ap": _known(scores.ap, lost),
        "ap_trapz": _known(scores.ap_trapz, lost),
        "inp": _known(scores.inp, lost),
        "first_rank": scores.first,
        "n_pos": scores.positives,
        "n_junk": ranking.junk,
        "n_gallery_eff": ranking.seen,
        "pos_ranks": _lists(ranking.starts, ranking.ranks),
        "pos_gidx": _lists(ranking.starts, ranking.rows),
        "n_ties": ties,
        "ap_opt": _known(best.ap, untied),
        "inp_opt": _known(best.inp, untied),
        "first_rank_opt": _known(best.first, untied),
        "first_rank_id": ranking.identity,
        "d_first_pos": _known(nearest[0], ~np.isfinite(nearest[0])),
        "d_first_neg": _known(nearest[1], ~np.isfinite(nearest[1])),
    }
    columns |= {name: top[name] for name in top.column_names} if top else {}
    absent = {name: pa.nulls(len(ties), QUERIES.field(name).type) for name in QUERIES.names if name not in columns}
    return pa.table(columns | absent).select(QUERIES.names).cast(QUERIES)


def ranking(rows: pa.Table) -> Ranking:
    """Give back the ranks of a trial's rows; scores and optimistic ranks are not stored."""
    starts = np.concatenate([[0], np.cumsum(rows["n_pos"].to_numpy())]).astype(np.int64)
    ranks, gallery = (_flat(rows, name) for name in ("pos_ranks", "pos_gidx"))
    junk, seen, identity = (_flat(rows, name) for name in ("n_junk", "n_gallery_eff", "first_rank_id"))
    unknown = np.full(len(ranks), np.nan, dtype=np.float32)
    nothing = np.full(len(junk), np.nan, dtype=np.float32)
    return Ranking(starts, ranks, ranks, gallery, unknown, junk, seen, nothing, identity)


def _known(values: NDArray[np.generic], absent: NDArray[np.bool_]) -> pa.Array:
    return pa.array(values, mask=absent)


def _lists(starts: NDArray[np.int64], values: NDArray[np.int32]) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(starts, pa.int32()), pa.array(values, pa.int32()))


def _flat(rows: pa.Table, name: str) -> NDArray[np.int32]:
    column = rows[name].combine_chunks()
    found = column.flatten() if pa.types.is_list(column.type) else column
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int32)
