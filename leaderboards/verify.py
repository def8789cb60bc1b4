"""`board check --verify`: run a bundle's weights again on the pictures, and compare every rank with the board's.

A row whose weights give its very ranks on another machine can no longer be a slip of a file. The board's row stays as
it is; that it was verified, where and how, is a mark beside it.
"""

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark import durable, environment, lists, metrics, query_rows, resolve
from benchmark import manifest as manifests
from benchmark import protocol as protocols
from benchmark.config import check
from benchmark.errors import UserError, nearest
from benchmark.evaluation import Options, evaluate
from benchmark.features import Features
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.protocol import Protocol
from leaderboards import store
from leaderboards.store import Board, Row

if TYPE_CHECKING:
    from benchmark.runner.extract import Trained

RECORD, WEIGHTS = "training.json", "model.safetensors"  # what a bundle's weights need to run again

_RERANKED = re.compile(r"k-reciprocal k1=([0-9]+) k2=([0-9]+) weight=([0-9.e-]+)")


@dataclass(frozen=True)
class Verified:
    """A run whose weights were run again to equal ranks."""

    run_id: str
    queries: int  # of all trials
    machine_hash: str  # where they were run again
    elsewhere: bool  # on another machine than the run's own
    mark: str  # the name of the mark on the board

    @property
    def sentence(self) -> str:
        """Say it in a line."""
        where = "another machine" if self.elsewhere else "the run's own machine"
        return f"run {self.run_id[:8]}: verified: the ranks of all {self.queries:,} queries are equal, on {where}"


class _Unequal(NamedTuple):
    """How far two tables of ranks are apart."""

    queries: int
    mAP: float  # noqa: N815 (of the new ranks less that of the old)


def verify(
    board: Board,
    folder: Path,
    manifest: Manifest | Mapping[str, Path],
    device: str = "cpu",
    plan: Protocol | None = None,
    workers: int = 1,
) -> Verified:
    """Run a bundle's weights again; where every query has the ranks that the board has, mark its run as verified.

    `manifest` is that of the test, or names and files as `[data]` of luxreid.toml has them; `plan` is needed where the
    protocol is a file that lies elsewhere.
    """
    record = durable.read_json(folder / "run.json")
    row = _row(board, str(record.get("run_id")), folder)
    trained = _trained(folder, row, device)
    tested = manifest if isinstance(manifest, Manifest) else _named(manifest, trained, folder)
    trials = _trials(tested, plan or _protocol(row, trained), row, folder)
    made = _embedded(trained, tested, trials, workers)
    found = evaluate(trials, made, _options(row, folder), row["run_id"]).queries
    known = store.tables(board, row, ("queries",))["queries"]
    if (apart := unequal(known, found)).queries:
        raise UserError(
            f"{folder}: not verified: {apart.queries:,} of {len(known):,} queries of run {row['run_id'][:8]} have "
            f"other ranks here; mAP differs by {100 * apart.mAP:+.4f} points"
        )
    return _marked(board, row, len(known))


def unequal(known: pa.Table, found: pa.Table) -> _Unequal:
    """Count the queries whose ranks differ, and by how much mAP does; in which order queries stand is all the same."""
    known, found = (_ordered(table) for table in (known, found))
    if any(known[name].to_pylist() != found[name].to_pylist() for name in ("trial", "image_id")):
        raise UserError(
            "the table of queries on the board holds others than its lists do; `luxreid board check` says more"
        )
    differ = [a != b for a, b in zip(known["pos_ranks"].to_pylist(), found["pos_ranks"].to_pylist(), strict=True)]
    return _Unequal(sum(differ), _mean_ap(found) - _mean_ap(known))


def _ordered(table: pa.Table) -> pa.Table:
    trial = pc.fill_null(table["trial"], 0)
    table = table.set_column(table.column_names.index("trial"), "trial", trial)
    return table.sort_by([("trial", "ascending"), ("image_id", "ascending")])


def _mean_ap(table: pa.Table) -> float:
    ranking = query_rows.ranking(table)
    scores = metrics.per_query(ranking.starts, ranking.ranks, ranking.seen)
    return float(np.mean(scores.ap[scores.positives > 0]))


def _row(board: Board, run_id: str, folder: Path) -> Row:
    """Find the bundle's row, and refuse one that no weights can stand for."""
    row = next((row for row in store.runs(board).rows if row["run_id"] == run_id), None)
    if row is None:
        raise UserError(
            f"{folder}: its run {run_id[:8]} is not on the board {board.root}; `luxreid board add` puts it there"
        )
    where = f"{folder}: run {run_id[:8]} on the board"
    if row.get("broken"):
        raise UserError(f"{where} is broken: {row['broken']}")
    if row["status"] != "ok":
        raise UserError(f"{where} has the status {row['status']!r}; only one that ended well has ranks to compare")
    if not row["ckpt_sha256"]:
        raise UserError(f"{where} names no weights (it is {row['provenance']}); features alone cannot be verified")
    if row.get("list_depth") is not None:
        raise UserError(f"{where} holds only the first {row['list_depth']} of each ranking")
    return row


def _trained(folder: Path, row: Row, device: str) -> "Trained":
    """Load the weights, which must be those that the row names, with the configuration that it says."""
    import torch

    from benchmark.runner import extract

    for name in (WEIGHTS, RECORD):
        if not (folder / name).exists():
            raise UserError(f"{folder}: has no {name}; verifying needs the weights, and how they were trained")
    found = durable.sha256(durable.read_bytes(folder / WEIGHTS))
    if found != row["ckpt_sha256"]:
        raise UserError(f"{folder / WEIGHTS}: its hash begins with {found[:8]}, the row names {row['ckpt_sha256'][:8]}")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(f"--device {device}: no GPU can be used here")
    trained = extract.load(folder, torch.device(device))
    if trained.facts["config"] != json.loads(row["config_json"] or "{}"):
        raise UserError(f"{folder / RECORD}: its configuration is not the one that the row on the board says")
    return trained


def _named(data: Mapping[str, Path], trained: "Trained", folder: Path) -> Manifest:
    """Find the manifest that the recipe calls its test."""
    name = str(trained.facts["config"].get("recipe", {}).get("test"))
    if name not in data:
        raise UserError(f"{folder}: was tested on {name!r}, which no --data names; {nearest(name, sorted(data))}")
    return manifests.read(data[name])


def _protocol(row: Row, trained: "Trained") -> Protocol:
    """Load the run's protocol: as its recipe names it, which may be a file."""
    return protocols.load(str(trained.facts["config"].get("recipe", {}).get("protocol") or row["protocol_id"]))


def _trials(tested: Manifest, plan: Protocol, row: Row, folder: Path) -> list[Lists]:
    """Resolve the lists, which must be those of the row."""
    if plan.sha256 != row["protocol_sha256"]:
        raise UserError(
            f"{folder}: protocol {plan.name} has the hash {plan.sha256[:8]} here, the row has "
            f"{row['protocol_sha256'][:8]}: its rules have changed"
        )
    if plan.apart:
        raise UserError(f"{folder}: {plan.name} trains a network a trial; one bundle's weights cannot give its ranks")
    trials = [resolve.resolve(tested, plan, trial, trains=False) for trial in range(plan.trials.count)]
    found = lists.hash_table(lists.joined(trials))
    if found != row["lists_sha256"]:
        raise UserError(
            f"{folder}: the manifest gives the lists {found[:8]}, the row was tested on {row['lists_sha256'][:8]}: "
            "other pictures, people or cameras"
        )
    return trials


def _embedded(trained: "Trained", tested: Manifest, trials: Sequence[Lists], workers: int) -> Features:
    """Embed whoever asks or is searched, from the pictures themselves: nothing that was kept decoded is trusted."""
    from benchmark.runner import extract, run

    shown = run.tested_rows(tested, trials)
    with tempfile.TemporaryDirectory() as cache:
        return extract.features(trained.method, shown, trained.how, Path(cache), trained.facts, workers)


def _options(row: Row, folder: Path) -> Options:
    """Score as the row says it was scored; no interval is drawn, since ranks are compared."""
    said: dict[str, Any] = {"metric": row["metric"], "draws": 0}
    if row["rerank"] not in (None, "none"):
        numbers = _RERANKED.fullmatch(row["rerank"])
        if numbers is None:
            raise UserError(f"{folder}: rerank = {row['rerank']!r} is nothing that this version can do again")
        said["rerank"] = {"k1": int(numbers[1]), "k2": int(numbers[2]), "weight": float(numbers[3])}
    return check(Options, said, f"{folder}: its row")


def _marked(board: Board, row: Row, queries: int) -> Verified:
    machine = str(environment.facts()["machine_hash"])
    elsewhere = machine != row["machine_hash"]
    where = "another machine" if elsewhere else "the run's own machine"
    why = f"weights {row['ckpt_sha256'][:16]} gave the ranks of all {queries:,} queries again, on {where}"
    mark = store.publish_mark(board, row["run_id"], "verified", machine, why)
    return Verified(row["run_id"], queries, machine, elsewhere, mark)
