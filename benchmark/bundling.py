"""An evaluation as a bundle: everything that a leaderboard needs, written down, and a line in the ledger."""

import datetime
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import durable, environment, evaluation, leaks, ledger, lists, resolve, results
from benchmark.errors import UserError
from benchmark.evaluation import Asked, Evaluation, Options
from benchmark.features import Features
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.matrix import Matrix
from benchmark.protocol import Protocol

# What a training may have said of itself, under its names in run/1.
TRAINED = (
    *("train_sets", "n_train_ids", "n_train_imgs", "synth_recipe_sha256", "input_h", "input_w", "epochs"),
    *("deterministic", "amp", "ckpt_selection", "val_set", "flip_tta", "backbone", "pretrain_id", "pretrain_sha256"),
    *("pretrain_data", "display_name", "method_version", "mode", "paper_ref", "licence", "params_m", "gflops"),
)
# What only the record of a training of ours can vouch for.
RECORDED = (
    *("started_at", "train_s", "img_per_s", "peak_gpu_mb", "gpu_name", "n_gpus", "cudnn", "driver", "tf32"),
    *("flagged", "flag_reason", "notes"),
)


def evaluate(
    manifest: Manifest,
    plan: Protocol,
    given: Features | Matrix | Sequence[Features | Matrix],
    options: Options,
    folder: Path,
    asked: Asked | None = None,
    device: str = "cpu",
    training: Path | None = None,
    beside: Path | None = None,
) -> Evaluation:
    """Evaluate and leave a bundle; where that fails, leave one that says so.

    The look at a test list is entered in the ledger of the folder `beside`; by default the one that holds the bundle.
    """
    begin, started = time.monotonic(), datetime.datetime.now(datetime.UTC)
    trials = [resolve.resolve(manifest, plan, trial, trains=False) for trial in range(plan.trials.count)]
    _require_one_a_trial(plan, given)
    _refuse_leaks(trials, given if isinstance(given, Sequence) else [given])
    evaluation.chosen_cuts(trials, asked or Asked())  # a wrong name is a mistake, not a failed run
    record, files = _record(manifest, trials, given if isinstance(given, Sequence) else [given], options, training)
    record.setdefault("started_at", started.isoformat())  # with a training, the run began when that did
    record |= {f"cuts_{name}": list(texts) or None for name, texts in (asked or Asked())._asdict().items()}
    try:
        done = evaluation.evaluate(trials, given, options, record["run_id"], asked, device)
    except UserError as error:
        results.write(
            results.Bundle(_ended(record, begin, status="failed", error_class="UserError", notes=str(error))), folder
        )
        raise
    record |= done.headline
    if _is_test(trials):
        names = (record["config_id"], lists.hash_table(done.lists), record["run_id"])
        record["n_test_evals"] = ledger.enter((beside or folder.absolute().parent), record["method"], *names)
    tables = {"lists": done.lists, "queries": done.queries, "strata": done.strata}
    results.write(results.Bundle(_ended(record, begin, status="ok"), tables), folder, files)
    return done


def _record(
    manifest: Manifest,
    trials: Sequence[Lists],
    parts: Sequence[Features | Matrix],
    options: Options,
    training: Path | None,
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Say what is known before anything is ranked."""
    facts: dict[str, Any] = {"method": "unnamed", "config": {}, "seed": None, "train_sets": []} | parts[0].facts
    _require_fit(facts)
    config = dict(facts["config"]) | {"evaluation": _shaping(options)}
    known = {"lists_sha256": lists.hash_table(lists.joined(trials)), "protocol_sha256": trials[0].protocol_sha256}
    named = {name: facts[name] for name in ("method", "seed", "train_sets")} | known
    inputs = results.run_inputs(**named, config=config)
    trained, files = _training(training, facts)
    record = {name: facts[name] for name in TRAINED if facts.get(name) is not None} | environment.facts() | trained
    record |= trials[0].facts() | known | _how(options, parts) | _set(manifest)
    record |= {"method": facts["method"], "seed": facts["seed"], "provenance": "ran_here" if files else "rescored"}
    record |= {"run_id": results.run_id(inputs, results.nonce()), "config_id": results.config_id(inputs)}
    if options.nonfinite == "worst":
        record |= {"flagged": True, "flag_reason": "rows that could not be scored were ranked last"}
    return record | {"config_json": json.dumps(facts["config"])}, files


def _require_one_a_trial(plan: Protocol, given: Features | Matrix | Sequence[Features | Matrix]) -> None:
    """Refuse one network for trials that train on lists of their own: it has seen who the others test."""
    if plan.apart and not isinstance(given, Sequence):
        raise UserError(
            f"{plan.name}: every trial trains on a list of its own, so one network has seen people that other trials "
            "test; give the features of one network a trial, as feat-{t}.npz"
        )


def _refuse_leaks(trials: Sequence[Lists], parts: Sequence[Features | Matrix]) -> None:
    """Refuse features of a network that was trained on somebody whom it is tested on, where they say who that was."""
    for place, part in enumerate(parts):
        people = part.facts.get("people", [])
        if not isinstance(people, list):
            raise UserError(f"features: their people is {type(people).__name__}, must be a list")
        leaks.refuse_listed("features: their network", map(str, people), trials if len(parts) == 1 else [trials[place]])


def _require_fit(facts: Mapping[str, Any]) -> None:
    """Refuse what no run record can hold, before anything is ranked: anybody may have written these facts."""
    for name, kind, words in (("config", dict, "an object"), ("train_sets", list, "a list of sets")):
        if not isinstance(facts[name], kind):
            raise UserError(f"features: their {name} is {facts[name]!r}, must be {words}")
    known = {name: facts[name] for name in ("method", "seed", *TRAINED) if name in facts}
    results.check_run(results.run_record(run_id="unknown", status="partial", provenance="rescored") | known, "features")


def _shaping(options: Options) -> dict[str, Any]:
    """Give what shapes the ranks; how intervals are drawn, and what is kept, makes no other configuration."""
    return options.model_dump(include={"metric", "nonfinite", "rerank"}, mode="json")


def _how(options: Options, parts: Sequence[Features | Matrix]) -> dict[str, Any]:
    """Say by which rules it is scored; several files have one hash, that of theirs."""
    given, hashes = parts[0], [one.sha256 for one in parts]
    matrix = isinstance(given, Matrix)
    return {
        "ap_variant": "discrete",
        "tie_rule": "pessimistic",
        "metric": "ready matrix" if matrix else options.metric,
        "rerank": options.rerank.words() if options.rerank else "none",
        "feat_dim": None if isinstance(given, Matrix) else int(given.vectors.shape[1]),
        "features_sha256": (hashes[0] if len(hashes) == 1 else durable.sha256(durable.canonical(hashes))) or None,
        "flip_tta": bool(given.facts.get("flip_tta", False)),
    }


def _set(manifest: Manifest) -> dict[str, Any]:
    sources = sorted({str(source) for source in np.unique(manifest.column("source").astype(str))})
    return {
        "eval_set": "+".join(sources),
        "eval_labels_sha256": manifest.labels_sha256,
        "eval_data_sha256": manifest.data_sha256,
    }


def _training(folder: Path | None, facts: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Give what a training left: its files go with the bundle. Features made elsewhere have none."""
    if folder is None:
        return {}, {}
    trained = results.read(folder).run
    if not trained["ckpt_sha256"] or trained["ckpt_sha256"] != facts.get("ckpt_sha256"):
        raise UserError(f"{folder}: its weights are not those that made the features")
    files = {name: durable.read_bytes(folder / name) for name in ("config.json", *results.FILES)}
    return {name: trained[name] for name in RECORDED if trained[name] is not None}, files


def _ended(record: Mapping[str, Any], begin: float, **state: str) -> dict[str, Any]:
    ended = {"ended_at": datetime.datetime.now(datetime.UTC).isoformat(), "eval_s": round(time.monotonic() - begin, 3)}
    return results.run_record(**(dict(record) | ended | state))


def _is_test(trials: Sequence[Lists]) -> bool:
    """Say whether somebody but the validation split is asked for."""
    return any((lists.query.column("split") != "val").any() for lists in trials)
