"""STAND-IN (replaced by the issue on evaluation): correct, slow and obvious, one query at a time."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark import junk, strata
from benchmark.errors import UserError
from benchmark.lists import Lists
from benchmark.schemas import QUERIES, STRATA
from benchmark.strata import Scheme

MIN_IDENTITIES = 30  # under this no interval is given

Floats = NDArray[np.float64]
Ranks = NDArray[np.int64]


class Evaluation(NamedTuple):
    """The tables of one evaluation and its headline."""

    queries: pa.Table
    strata: pa.Table
    headline: dict[str, float | int]


def evaluate(queries: Floats, gallery: Floats, lists: Lists, schemes: list[Scheme], run_id: str) -> Evaluation:
    """Rank the gallery for every query by cosine and score the ranks."""
    _require_known(lists)
    codes, rules = junk.codes(lists.query, lists.gallery), lists.rules.junk
    junk.require_positives(*codes, rules, lists.protocol)
    hidden, positive = junk.masks(*codes, rules)
    scores = _normalised(queries) @ _normalised(gallery).T
    rows = [_query(index, scores[index], hidden[index], positive[index]) for index in range(len(scores))]
    facts = {name: lists.query.table[name].to_pylist() for name in ("image_id", "id_space", "pid", "camid")}
    for index, row in enumerate(rows):
        row |= {"run_id": run_id, "trial": lists.trial} | {name: values[index] for name, values in facts.items()}
    valid = np.array([row["n_pos"] > 0 for row in rows])
    cells = [cell for scheme in schemes for cell in _cells(scheme, rows, valid, lists, run_id)]
    identities = lists.query.identities()
    headline = _means(rows, valid) | _optimistic(rows, valid) | _macro(rows, valid, identities)
    headline |= _support(rows, valid, lists)
    return Evaluation(pa.Table.from_pylist(rows, QUERIES), pa.Table.from_pylist(cells, STRATA), headline)


def average_precision(ranks: Ranks) -> float:
    """Give the discrete AP: the mean over positives of the precision at their rank."""
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def trapezoid_precision(ranks: Ranks) -> float:
    """Give the AP of the Oxford rule: at every positive the mean of the precision before it and at it."""
    hits = np.arange(1, len(ranks) + 1)
    before = np.where(ranks > 1, (hits - 1) / np.maximum(ranks - 1, 1), 1.0)
    return float(np.mean((before + hits / ranks) / 2))


def chance_precision(positives: int, negatives: int) -> float:
    """Give the expected discrete AP of a random order of the gallery."""
    count = positives + negatives
    harmonic = float(np.sum(1 / np.arange(1, count + 1)))
    if count == 1:
        return 1.0
    return ((positives - 1) / (count - 1) * (count - harmonic) + harmonic) / count


def _require_known(lists: Lists) -> None:
    """Refuse what this evaluator would score by another rule than the protocol's."""
    for name, known in (("cmc", "first"), ("invalid_queries", "skip")):
        if (found := getattr(lists.rules, name)) != known:
            raise UserError(f"{lists.protocol}: {name} is {found!r}, this evaluator knows {known!r} only")


def _query(index: int, scores: Floats, hidden: NDArray[np.bool_], positive: NDArray[np.bool_]) -> dict[str, Any]:
    negatives = scores[~hidden & ~positive]
    where = np.flatnonzero(positive)
    where = where[np.argsort(-scores[where], kind="stable")]
    # Ties are pessimistic: a negative that scores the same as a positive stands before it.
    place = np.arange(1, len(where) + 1)
    ranks = np.array([np.sum(negatives >= scores[item]) for item in where], dtype=np.int64) + place
    best = np.array([np.sum(negatives > scores[item]) for item in where], dtype=np.int64) + place
    tied, found = int(np.sum(ranks != best)), len(where) > 0
    return {
        "query_idx": index,
        "ap": average_precision(ranks) if found else None,
        "ap_trapz": trapezoid_precision(ranks) if found else None,
        "inp": len(ranks) / ranks[-1] if found else None,
        "first_rank": int(ranks[0]) if found else 0,
        "n_pos": len(where),
        "n_junk": int(hidden.sum()),
        "n_gallery_eff": int((~hidden).sum()),
        "pos_ranks": ranks.tolist(),
        "pos_gidx": where.tolist(),
        "n_ties": tied,
        "ap_opt": average_precision(best) if tied else None,
        "inp_opt": len(best) / best[-1] if tied else None,
        "first_rank_opt": int(best[0]) if tied else None,
        "first_rank_id": 0,
        "d_first_pos": 1 - scores[where].max() if found else None,
        "d_first_neg": 1 - negatives.max() if len(negatives) else None,
    }


def _means(rows: list[dict[str, Any]], chosen: NDArray[np.bool_]) -> dict[str, float]:
    picked = [rows[index] for index in np.flatnonzero(chosen)]
    ranks = [np.array(row["pos_ranks"], dtype=np.int64) for row in picked]
    first = np.array([rank[0] for rank in ranks])
    return {
        "mAP": float(np.mean([average_precision(rank) for rank in ranks])),
        "mAP_trapz": float(np.mean([trapezoid_precision(rank) for rank in ranks])),
        "mINP": float(np.mean([len(rank) / rank[-1] for rank in ranks])),
        **{f"R{k}": float(np.mean(first <= k)) for k in (1, 5, 10)},
    }


def _optimistic(rows: list[dict[str, Any]], chosen: NDArray[np.bool_]) -> dict[str, float]:
    """Give what the scores would be with every tie in the query's favour; a row without ties has nothing to gain."""
    picked = [rows[index] for index in np.flatnonzero(chosen)]
    scores = [row["ap_opt"] if row["n_ties"] else row["ap"] for row in picked]
    first = np.array([row["first_rank_opt"] if row["n_ties"] else row["first_rank"] for row in picked])
    return {"mAP_opt": float(np.mean(scores)), "R1_opt": float(np.mean(first <= 1))}


def _macro(rows: list[dict[str, Any]], chosen: NDArray[np.bool_], identities: NDArray[np.int64]) -> dict[str, float]:
    """Give every identity one vote: the mean over identities of the mean AP of its valid queries."""
    scores: dict[int, list[float]] = {}
    for index in np.flatnonzero(chosen):
        scores.setdefault(int(identities[index]), []).append(rows[index]["ap"])
    return {"mAP_id_macro": float(np.mean([np.mean(found) for found in scores.values()]))}


def _support(rows: list[dict[str, Any]], valid: NDArray[np.bool_], lists: Lists) -> dict[str, int]:
    return {
        "n_query_total": len(rows),
        "n_query_valid": int(valid.sum()),
        "n_query_tied": sum(bool(row["n_ties"]) for row in rows),
        "n_gallery": len(lists.gallery),
        "n_id": len(set(lists.query.identities()[valid].tolist())),
    }


def _cells(
    scheme: Scheme, rows: list[dict[str, Any]], valid: NDArray[np.bool_], lists: Lists, run_id: str
) -> list[dict[str, Any]]:
    """Cut the queries, never the negatives; the chance level stands beside every cell."""
    levels = strata.assign(lists.query, scheme)
    identities = lists.query.identities()
    cells = []
    for code, level in enumerate(levels.levels):
        chosen = valid & (levels.codes == code)
        if not chosen.any():
            continue
        picked = [rows[index] for index in np.flatnonzero(chosen)]
        pairs = [(len(row["pos_ranks"]), row["n_gallery_eff"]) for row in picked]
        chance = np.mean([chance_precision(found, total - found) for found, total in pairs])
        people = len(set(identities[chosen].tolist()))
        for metric, value in (_means(rows, chosen) | {"chance_mAP": float(chance)}).items():
            cells.append(
                {
                    "run_id": run_id,
                    "scheme_id": scheme.id,
                    "scheme_sha256": scheme.sha256,
                    "cut": "query",
                    "q_stratum": level,
                    "stratum_order": code,
                    "metric": metric,
                    "value": value,
                    "n_query": len(picked),
                    "n_id": people,
                    "n_pos_pairs": sum(found for found, _ in pairs),
                    "n_gallery": len(lists.gallery),
                    "low_support": people < MIN_IDENTITIES,
                }
            )
    return cells


def _normalised(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise UserError(f"features: {int((lengths == 0).sum())} rows have no length and cannot be normalised")
    return np.asarray(vectors / lengths)
