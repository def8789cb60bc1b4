"""Submissions: features or rank lists of somebody's method, what a reader must know of it, and our scores of them.

`submission/1` is a folder whose `submission.json` is written last and holds the hashes of the other files. Nothing in
it needs labels.
"""

import secrets
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmark import bundling, durable, features, lists, protocol, resolve, results
from benchmark.errors import UserError
from benchmark.evaluation import Evaluation, Options
from benchmark.features import Features
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.matrix import Matrix
from benchmark.protocol import Protocol
from benchmark.strata_rows import How
from leaderboards import entry, handed, ranklists, recount, store, truncated
from leaderboards.entry import Said
from leaderboards.facts import Facts
from leaderboards.handed import NAME, Ints, Submission, read
from leaderboards.packing import pack
from leaderboards.ranklists import RankLists
from leaderboards.store import Board, Row

__all__ = ("Facts", "Submission", "add", "count", "pack", "read", "score")


def score(folder: Path, images: Manifest, plan: Protocol, out: Path, options: Options | None = None) -> Path:
    """Score a submission by our evaluator and write a bundle; its provenance is `rescored`."""
    found = read(folder)
    trials = [resolve.resolve(images, plan, trial, trains=False) for trial in range(plan.trials.count)]
    _require_same_task(found, plan, trials)
    if found.kind == "features" and plan.apart:
        raise UserError(
            f"{folder}: every trial of {plan.name} trains on a list of its own, so one network has seen people that "
            "other trials test; hand in rank lists with a column trial"
        )
    options = (options or Options()).model_copy(update={"metric": found.facts.metric})
    given = _given(found, trials)
    beside = out.with_name(f".{out.name}.{secrets.token_hex(6)}.part")
    try:
        done = bundling.evaluate(images, plan, given, options, beside, beside=out.absolute().parent)
        bundle = results.read(beside)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    tables, more = dict(bundle.tables), _known(found, done, trials, options, bundle.run["run_id"])
    tables |= {name: more.pop(name) for name in ("queries", "strata") if name in more}
    record = {name: value for name, value in bundle.run.items() if name not in ("queries_sha256", "strata_sha256")}
    files = {NAME: durable.read_bytes(folder / NAME)}
    results.write(results.Bundle(record | _answers(found) | more, tables), out, files)
    return out


def add(board: Board, folder: Path, images: Manifest, plan: Protocol | str, said: Said | None = None) -> Row:
    """Score a submission and put it on the board; one that is there already is left as it is."""
    said, plan = said or Said(), plan if isinstance(plan, Protocol) else protocol.load(plan)
    found = read(folder)
    trials = [resolve.resolve(images, plan, trial, trains=False) for trial in range(plan.trials.count)]
    if (row := _there(board, found, plan.sha256, lists.hash_table(lists.joined(trials)))) is not None:
        return row
    with tempfile.TemporaryDirectory() as room:
        bundle = results.read(score(folder, images, plan, Path(room) / "bundle"))
    if problem := next(recount.problems(bundle), None):
        raise UserError(f"{folder}: {problem}")
    return entry.admit(board, bundle, folder, _said(found, said), {NAME: durable.read_bytes(folder / NAME)})


def count(rows: Iterable[Mapping[str, Any]], method: str, lists_sha256: str) -> int:
    """Count the submissions that a method had on some lists."""
    own = (row for row in rows if row.get("method") == method and row.get("lists_sha256") == lists_sha256)
    return len({row["submission_sha256"] for row in own if row.get("submission_sha256")})


def _require_same_task(found: Submission, plan: Protocol, trials: Sequence[Lists]) -> None:
    """Refuse what was packed for something else; hidden labels have other hashes, and say nothing of lists."""
    own = {"protocol_sha256": plan.sha256, "lists_sha256": lists.hash_table(lists.joined(trials))}
    for name, value in own.items():
        if found.made_for[name] not in (None, value):
            raise UserError(
                f"{found.folder}: was packed for {name} {str(found.made_for[name])[:8]} "
                f"({found.made_for['protocol_id']}), here it is {value[:8]} ({plan.name})"
            )


def _given(found: Submission, trials: Sequence[Lists]) -> Features | Matrix | Sequence[Matrix]:
    if found.kind == "features":
        return _features(found, trials)
    path = found.folder / "ranks.parquet"
    given = ranklists.read(path, found.rows["image_id"].to_pylist())
    made = _matrices(found, given, trials, path)
    return made[0] if len(made) == 1 else made


def _features(found: Submission, trials: Sequence[Lists]) -> Features:
    """Give the vectors under our names."""
    given = features.read(found.folder)
    names, places = list[str](), list[Ints]()
    for part in (part for one in trials for part in (one.query, one.gallery)):
        names += part.table["image_id"].to_pylist()
        places.append(handed.places(found.rows, part, str(found.folder)))
    first = np.unique(np.array(names), return_index=True)[1]
    own = np.concatenate(places)[first]
    return Features([names[place] for place in first], given.vectors, found.facts.record(), given.sha256, (), own)


def _matrices(found: Submission, given: RankLists, trials: Sequence[Lists], path: Path) -> list[Matrix]:
    """Give distances of every trial under our names."""
    sides = handed.sides(found.rows, given, [(one.query, one.gallery) for one in trials], found.facts.depth, path)
    sha256, facts = features.hash_file(path), found.facts.record()
    made = []
    for one, (query, gallery) in zip(trials, sides, strict=True):
        names = [part.table["image_id"].to_pylist() for part in (one.query, one.gallery)]
        far = ranklists.distances(given, one.trial, query, gallery)
        made.append(Matrix(names[0], names[1], far, facts, sha256))
    return made


def _known(
    found: Submission, done: Evaluation, trials: Sequence[Lists], options: Options, run_id: str
) -> dict[str, Any]:
    """Take back what rank lists do not say: of all, distances; of those that end early, whatever the rest decides."""
    if found.kind == "features":
        return {}
    more: dict[str, Any] = {"metric": "rank lists", "queries": _without_distances(done.queries)}
    more["features_sha256"] = features.hash_file(found.folder / "ranks.parquet")
    if found.facts.depth is None:
        return more
    left = truncated.known(done, trials, found.facts.depth, run_id, How(options.draws, options.seed))
    return more | left.headline | {"list_depth": left.depth, "queries": left.queries, "strata": left.strata}


def _without_distances(table: pa.Table) -> pa.Table:
    for name in ("d_first_pos", "d_first_neg"):
        field = table.schema.field(name)
        table = table.set_column(table.column_names.index(name), field, pa.nulls(len(table), field.type))
    return table


def _answers(found: Submission) -> dict[str, Any]:
    """Give what the record holds of the answers, beside what shaped the run."""
    names = {"rerank", "n_test_evals", "official", "division", "overlap_declared"}
    return found.facts.model_dump(mode="json", include=names)


def _said(found: Submission, said: Said) -> Said:
    """Put the answers beside what whoever adds it says."""
    words = [*found.facts.said(), *(said.facts.get("disclosures") or ())]
    if found.rows["sha256"].null_count:
        words.append("its rows carry no hashes: that they are of these pictures is the word of whoever handed it in")
    own = {"contact": found.facts.contact, "submission_sha256": found.sha256, "disclosures": words or None}
    return replace(said, facts=dict(said.facts) | own)


def _there(board: Board, found: Submission, *hashes: str) -> Row | None:
    """Find a submission that was scored before; scored again it would be another run of equal ranks."""
    columns, own = ("submission_sha256", "protocol_sha256", "lists_sha256"), (found.sha256, *hashes)
    for row in store.runs(board, columns).rows:
        if tuple(row[name] for name in columns) == own and not row["broken"]:
            return next(one for one in store.runs(board).rows if one["run_id"] == row["run_id"])
    return None
