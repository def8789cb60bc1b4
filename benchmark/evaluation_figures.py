"""The figures of one evaluation, drawn from its first trial."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import cuts, evaluation, images, junk, metrics, ranking, resolve, strata
from benchmark.cuts import Cut
from benchmark.errors import UserError
from benchmark.evaluation import Evaluation, Options
from benchmark.features import Features
from benchmark.figures import ap_stops, cmc_levels, distances, level_pairs, ranked_lists, style
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.matrix import Matrix
from benchmark.protocol import Protocol
from benchmark.scorecard import Trial
from benchmark.scoring import Source

LIGHT = "night600-light"
DEPTH = 20  # ranks of a CMC curve
HITS = 10  # pictures of a ranked list
EACH = 100  # queries of a level whose distances are drawn
NEGATIVES = 50_000  # of a level

Picture = NDArray[np.uint8]


class _Level(NamedTuple):
    name: str
    queries: NDArray[np.int64]  # with a positive


def draw(
    manifest: Manifest, plan: Protocol, done: Evaluation, given: Features | Matrix, options: Options, folder: Path
) -> Iterator[Path]:
    """Draw what can be drawn, and name the files."""
    trial = done.trials[0]
    lists = resolve.resolve(manifest, plan, trial.number, trains=False)
    levels = _levels(trial)
    title = f"{given.facts.get('method', 'unnamed')}, {plan.name}" + f", trial {trial.number}" * (len(done.trials) > 1)
    yield style.save(cmc_levels.draw(title, [_curve(trial, level, plan) for level in levels]), folder / "cmc.png")
    yield from _slope(title, trial, done, folder / "ap-stops.png")
    yield from _pairs(title, done, folder / "level-pairs.png")
    if isinstance(given, Matrix) or not evaluation.streamed(lists.gallery, given, options):
        source = evaluation.source(lists, given, options)
        yield _ranked(title, lists, source, levels, folder / "ranked-lists.png")
        yield _distances(title, lists, source, levels, folder / "distances.png")


def _levels(trial: Trial) -> list[_Level]:
    """Give the light levels of the queries; one level of all where light divides nothing."""
    cut = _light(trial)
    found = [_Level(cuts.label(cut, q, g), cuts.members(cut, trial.ranking, q, g)[0]) for q, g in cuts.cells(cut)]
    return [level for level in found if len(level.queries)]


def _light(trial: Trial) -> Cut:
    standard, _ = cuts.standard(trial.query, trial.gallery)
    light = [cut for cut in standard if cut.kind == "query" and cut.scheme_id.startswith(f"{LIGHT}@")]
    return next((cut for cut in light if "+" not in cut.scheme_id), cuts.everything())


def _curve(trial: Trial, level: _Level, plan: Protocol) -> cmc_levels.Curve:
    scores = metrics.per_query(trial.ranking.starts, trial.ranking.ranks, trial.ranking.seen)
    first = trial.ranking.identity if plan.cmc == "dedup" else scores.first
    support = scores.positives[level.queries], scores.negatives[level.queries]
    chance = [float(np.mean(metrics.chance_first(*support, k))) for k in range(1, DEPTH + 1)]
    known = np.array(chance) if plan.cmc == "first" else np.full(DEPTH, np.nan)
    return cmc_levels.Curve(level.name, first[level.queries], known, len(np.unique(_people(trial)[level.queries])))


def _people(trial: Trial) -> NDArray[np.int64]:
    names = zip(trial.query["id_space"].to_pylist(), trial.query["pid"].to_pylist(), strict=True)
    return np.unique([f"{space}/{pid}" for space, pid in names], return_inverse=True)[1].astype(np.int64)


def _slope(title: str, trial: Trial, done: Evaluation, path: Path) -> Iterator[Path]:
    scores = metrics.per_query(trial.ranking.starts, trial.ranking.ranks, trial.ranking.seen)
    stops = trial.query["stops"].to_numpy().astype(np.float64)
    visible = np.array([word == "visible" for word in trial.query["modality"].to_pylist()])
    used = ~np.isnan(stops) & ~np.isnan(scores.ap) & visible
    if not used.any():
        return
    rows = [row for row in done.strata.to_pylist() if row["cut"] == "slope"]
    bounds = (
        [np.nan if rows[0][name] is None else rows[0][name] for name in ("value", "ci_lo", "ci_hi")] if rows else []
    )
    slope = (bounds[0], bounds[1], bounds[2]) if bounds else None
    made = ap_stops.draw(title, stops[used], scores.ap[used], scores.chance[used], _people(trial)[used], slope)
    yield style.save(made, path)


def _pairs(title: str, done: Evaluation, path: Path) -> Iterator[Path]:
    scheme = strata.scheme(LIGHT)
    rows = [row for row in done.strata.to_pylist() if (row["cut"], row["scheme_id"]) == ("pair_pos", scheme.id)]
    order = {row["stratum_order"]: row for row in rows if row["metric"] == "mAP"}
    chance = {row["stratum_order"]: row["value"] for row in rows if row["metric"] == "chance_mAP"}
    if not order:
        return
    shape = len(scheme.levels), len(scheme.levels)
    places = range(shape[0] * shape[1])
    value = np.array([order[place]["value"] if place in order else np.nan for place in places]).reshape(shape)
    known = np.array([chance.get(place, np.nan) for place in places]).reshape(shape)
    counts = [
        np.array([order[place][name] if place in order else 0 for place in places]).reshape(shape)
        for name in ("n_query", "n_id")
    ]
    yield style.save(level_pairs.draw(title, scheme.levels, scheme.levels, value, known, *counts), path)


def _ranked(title: str, lists: Lists, source: Source, levels: list[_Level], path: Path) -> Path:
    """Draw the first of the rankings of some queries of every level."""
    codes = np.full(len(lists.query), -1)
    for place, level in enumerate(levels):
        codes[level.queries] = place
    chosen = ranked_lists.choose(codes, lists.query.table["image_id"].to_pylist())
    keys = junk.codes(lists.query, lists.gallery)
    rows, scores = ranking.top(source, *keys, lists.rules.junk, np.array(chosen), HITS)
    far = source.distances(scores.ravel(), np.repeat(chosen, rows.shape[1])).reshape(rows.shape)
    strips = []
    for place, query in enumerate(chosen):
        right = keys[1].identity[rows[place]] == keys[0].identity[query]
        hits = [
            ranked_lists.Hit(_picture(lists.gallery, int(row)), bool(same), d)
            for row, same, d in zip(rows[place], right, far[place].tolist(), strict=True)
            if row >= 0
        ]
        strips.append(ranked_lists.Row(levels[codes[query]].name, _picture(lists.query, int(query)), hits))
    return style.save(ranked_lists.draw(title, strips), path)


def _picture(part: Manifest, row: int) -> Picture | None:
    try:
        return images.load(*part.file(row))
    except UserError:
        return None


def _distances(title: str, lists: Lists, source: Source, levels: list[_Level], path: Path) -> Path:
    """Draw the distances of a share of every level's queries, taken evenly from its list."""
    made, (asked, searched) = [], junk.codes(lists.query, lists.gallery)
    for level in levels:
        rows = level.queries[:: -(-len(level.queries) // EACH)]
        scores = np.empty((len(rows), len(lists.gallery)), dtype=np.float32)
        source.fill(rows, scores)
        asking = junk.Codes(*(column[rows] for column in asked))
        hidden, positive = junk.masks(asking, searched, lists.rules.junk)
        far = [source.distances(scores[mask], rows[np.nonzero(mask)[0]]) for mask in (positive, ~hidden & ~positive)]
        thin = max(len(far[1]) // NEGATIVES, 1)
        made.append(distances.Level(level.name, far[0].astype(np.float64), far[1][::thin].astype(np.float64)))
    return style.save(distances.draw(title, made), path)
