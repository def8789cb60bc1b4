"""Exact evaluation: rank every trial of a protocol and score the ranks. docs/evaluation.md gives formulas and why."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from benchmark import cuts, junk, lists, query_rows, ranking, scorecard, scoring, strata_rows, streaming
from benchmark.config import Strict
from benchmark.cuts import Cut
from benchmark.errors import UserError
from benchmark.features import Features
from benchmark.junk import Codes
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.matrix import Matrix
from benchmark.protocol import Rules
from benchmark.ranking import Ranking
from benchmark.rerank import Options as Reranking
from benchmark.rerank import Reranked
from benchmark.scorecard import Trial
from benchmark.scoring import Source


class Options(Strict):
    """What shapes an evaluation, beside the protocol."""

    metric: Literal["cosine", "dot", "euclidean"] = "cosine"
    """How two vectors are compared."""
    nonfinite: Literal["error", "worst"] = "error"
    """What a vector that cannot be scored does: stop, or rank last and mark the run."""
    rerank: Reranking | None = None
    """Re-rank by k-reciprocal neighbours (Zhong et al., CVPR 2017); looks at all queries together."""
    single_shot: bool = False
    """Score the expected single-gallery-shot CMC too."""
    top: int = Field(0, ge=0, le=1000)
    """How many rows of each ranking are kept."""
    draws: int = Field(10_000, ge=0)
    """How often identities are drawn for the intervals; 0: no intervals."""
    seed: int = Field(0, ge=0)
    """The seed of these draws."""
    memory: float = Field(4.0, gt=0)
    """Gigabytes; vectors of a gallery beyond that are read from their file in blocks."""


class Asked(NamedTuple):
    """Cuts that are wanted beside the standard ones, as `cuts.parse` reads them."""

    by: tuple[str, ...] = ()  # of queries
    pairs: tuple[str, ...] = ()  # of queries and their positives


class Evaluation(NamedTuple):
    """The tables of one evaluation, its headline, and what whoever reads them should know."""

    lists: pa.Table
    queries: pa.Table
    strata: pa.Table
    headline: dict[str, float | int]
    notes: tuple[str, ...]
    trials: tuple[Trial, ...]


class _Ranked(NamedTuple):
    trial: Trial
    rows: pa.Table
    broken: tuple[int, int]  # queries and gallery rows that could not be scored


def evaluate(
    trials: Sequence[Lists],
    given: Features | Matrix | Sequence[Features | Matrix],
    options: Options | None = None,
    run_id: str = "",
    asked: Asked | None = None,
    device: str = "cpu",
) -> Evaluation:
    """Rank the gallery of every trial and score the ranks; where each trial has a network of its own, give all."""
    parts_given = given if isinstance(given, Sequence) else [given] * len(trials)
    options, rules = options or Options(), trials[0].rules
    chosen, notes = chosen_cuts(trials, asked or Asked())  # first: a wrong name should not cost the ranking
    ranked = [_rank(one, own, options, run_id, device) for one, own in zip(trials, parts_given, strict=True)]
    parts = tuple(one.trial for one in ranked)
    known = scorecard.queries(parts)
    cells = scorecard.cells(parts, chosen, known, rules)
    table, headline = strata_rows.table(
        parts, cells, known, rules, run_id, strata_rows.How(options.draws, options.seed)
    )
    headline |= {
        "n_nonfinite_q": max(one.broken[0] for one in ranked),
        "n_nonfinite_g": max(one.broken[1] for one in ranked),
    }
    told = dict.fromkeys([*trials[0].notes, *parts_given[0].notes, *notes])
    rows = pa.concat_tables([one.rows for one in ranked])
    return Evaluation(_listed(trials, parts, chosen), rows, table, headline, tuple(told), parts)


def _listed(trials: Sequence[Lists], parts: Sequence[Trial], chosen: Sequence[Cut]) -> pa.Table:
    """Give the lists with every column that was cut by, so that whoever holds them can cut again."""
    table = lists.joined(trials)
    measures = dict.fromkeys(scheme.measure for cut in chosen for scheme in cut.schemes)
    for name in (name for name in measures if name not in table.column_names):
        columns = [side[name] for part in parts for side in (part.query, part.gallery)]
        table = table.append_column(name, pa.chunked_array([chunk for column in columns for chunk in column.chunks]))
    return table


def _rank(one: Lists, given: Features | Matrix, options: Options, run_id: str, device: str) -> _Ranked:
    codes, rules = junk.codes(one.query, one.gallery), one.rules
    _require_places(codes[0], rules, one.protocol)
    junk.require_positives(*codes, rules.junk, one.protocol)
    source, found = _ranking(one, given, options, codes, device)
    shots = ranking.single_shot(source, *codes, rules.junk, max(scorecard.RANKS)) if options.single_shot else None
    trial = Trial(one.trial, _facts(one.query, one, "query"), _facts(one.gallery, one, "gallery"), found, shots)
    top = _top(source, codes, rules, options.top) if options.top else None
    rows = query_rows.table(trial, run_id, _nearest(found, source), top)
    broken = tuple(int(np.sum(getattr(source, f"bad_{name}", False))) for name in ("queries", "gallery"))
    return _Ranked(trial, rows, (broken[0], broken[1]))


def _ranking(
    one: Lists, given: Features | Matrix, options: Options, codes: tuple[Codes, Codes], device: str
) -> tuple[Source, Ranking]:
    """Choose who counts: a kernel over vectors in memory, a pass over their file, or the GPU."""
    dedup = one.rules.cmc == "dedup"
    if isinstance(given, Features) and streamed(one.gallery, given, options):
        given.check(one.query, options.metric)
        query, places = given.of(one.query), given.places(one.gallery)
        found = streaming.rank(
            query, given.vectors, places, *codes, one.rules.junk, metric=options.metric, identities=dedup
        )
        return scoring.Vectors(query, query[:0], options.metric), found
    scored = source(one, given, options)
    if device == "cpu":
        return scored, ranking.rank(scored, *codes, one.rules.junk, identities=dedup)
    return scored, _on_device(one, given, options, codes, device)


def _on_device(
    one: Lists, given: Features | Matrix, options: Options, codes: tuple[Codes, Codes], device: str
) -> Ranking:
    from benchmark import ranking_torch

    dedup, rules = one.rules.cmc == "dedup", one.rules.junk
    if isinstance(given, Matrix) or options.rerank or options.nonfinite != "error":
        raise UserError(
            f"--device {device}: counts over vectors; a matrix, re-ranking and nonfinite = 'worst' want cpu"
        )
    query, gallery = (given.vectors[given.places(part)] for part in (one.query, one.gallery))
    return ranking_torch.rank(query, gallery, *codes, rules, metric=options.metric, device=device, identities=dedup)


def source(one: Lists, given: Features | Matrix, options: Options) -> Source:
    """Give the scores of a trial's queries against its gallery, from vectors in memory or a ready matrix."""
    if isinstance(given, Matrix):
        if options.rerank:
            raise UserError("rerank: a ready matrix is ranked as it is; re-ranking needs the vectors")
        return given.source(one)
    if options.nonfinite == "error":
        for part in (one.query, one.gallery):
            given.check(part, options.metric)
    query, gallery = (given.vectors[given.places(part)] for part in (one.query, one.gallery))
    if options.rerank:
        return Reranked(query, gallery, options.metric, options.rerank)
    return scoring.Vectors(query, gallery, options.metric, options.nonfinite)


def streamed(gallery: Manifest, given: Features, options: Options) -> bool:
    """Say whether a gallery is too large for memory, and refuse what needs it there."""
    large: bool = 4 * len(gallery) * given.vectors.shape[1] > options.memory * 1e9
    wanting = [name for name in ("rerank", "single_shot", "top") if getattr(options, name)]
    if large and (wanting or options.nonfinite != "error"):
        what = ", ".join(wanting or ["nonfinite = 'worst'"])
        raise UserError(f"features: larger than memory = {options.memory:g} GB; {what} needs them in memory")
    return large


def _require_places(query: Codes, rules: Rules, where: str) -> None:
    """Refuse a camera rule where no camera is known: nothing would be hidden, and no number would be comparable."""
    if rules.junk.same_place and (query.place == junk.NOBODY).all():
        raise UserError(
            f"{where}: hides a query's own place (same_place), but no query has a known camera or place; read the set "
            "with cameras, or name a protocol without that rule, such as no-cameras"
        )


def _facts(part: Manifest, one: Lists, role: str) -> pa.Table:
    """Give a list's rows with the columns of the manifest that the list does not hold: any of them may be cut by."""
    known = one.table()
    rows = known.filter(pa.compute.equal(known["role"], role))
    further = [name for name in part.table.column_names if name not in rows.column_names]
    for name in further:
        rows = rows.append_column(name, part.table[name])
    return rows


def chosen_cuts(trials: Sequence[Lists], asked: Asked) -> tuple[list[Cut], list[str]]:
    """Cut all trials as one, so that a level is the same in each of them; give notes on what was left out, too."""
    query = pa.concat_tables([_facts(one.query, one, "query") for one in trials])
    gallery = pa.concat_tables([_facts(one.gallery, one, "gallery") for one in trials])
    found, notes = cuts.standard(query, gallery)
    named = {(cut.kind, cut.scheme_id) for cut in found}
    for kind, texts in (("query", asked.by), ("pair_pos", asked.pairs)):
        for text in texts:
            cut = cuts.parse(text, query, gallery, "query" if kind == "query" else "pair_pos")
            notes += cut.notes
            if reason := cuts.idle(cut):
                notes.append(reason)
            elif (cut.kind, cut.scheme_id) not in named:
                found.append(cut)
                named.add((cut.kind, cut.scheme_id))
    return found, notes


def _nearest(found: Ranking, source: Source) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give the distances of every query to its first positive and its first negative; NaN where there is none."""
    asked = np.arange(len(found.junk))
    first = np.full(len(asked), np.nan, dtype=np.float32)
    valid = np.diff(found.starts) > 0
    first[valid] = found.scores[found.starts[:-1][valid]]
    with np.errstate(invalid="ignore"):
        return source.distances(first, asked), source.distances(found.negative, asked)


def _top(source: Source, codes: tuple[Codes, Codes], rules: Rules, k: int) -> pa.Table:
    rows, scores = ranking.top(source, *codes, rules.junk, np.arange(source.queries), k)
    kept = rows >= 0
    owners = np.nonzero(kept)[0]
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    far = source.distances(scores[kept], owners)
    lists_of = {"top_gidx": pa.array(rows[kept], pa.int32()), "top_dist": pa.array(far, pa.float32())}
    return pa.table(
        {name: pa.ListArray.from_arrays(pa.array(starts, pa.int32()), flat) for name, flat in lists_of.items()}
    )
