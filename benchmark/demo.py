"""The demo's steps of this package."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import durable
from benchmark.errors import UserError

if TYPE_CHECKING:
    from benchmark.lists import Lists

SEED, PROTOCOL = 0, "street-night"
DAY, NIGHT, SPLIT = (Path("street", f"{name}.parquet") for name in ("day", "night", "split"))
SYNTHETIC, ANNOTATED = (Path(name, "manifest.parquet") for name in ("synthetic-night", "annotated"))


def measure(folder: Path) -> None:
    """Measure the light of every picture that is not measured yet, as `data measure` does."""
    from benchmark.console import say
    from benchmark.executors import serial
    from benchmark.measure import measure_file

    for file in (DAY, NIGHT, SYNTHETIC, ANNOTATED):
        measured = measure_file(folder / file, None, folder / file, serial)
        say(f"  {file}: {len(measured)} pictures, data {str(measured.data_sha256)[:12]}")


def read(folder: Path) -> None:
    """Read the day again as a stranger's folder, as `data read folders` does, and find the same people."""
    from benchmark import manifest
    from benchmark.console import say
    from benchmark.readers import folders

    root = folder / DAY.parent / "day"
    found = folders.read(root, folders.Options(pattern="{pid}/c{camid}_{frame}", time="day"))
    known = manifest.read(folder / DAY)
    # File names say no more than this: neither the world's name nor the scene.
    names = ["pid", "camid", "place", "frame", "modality"]
    if any(not found.table[name].equals(known.table[name]) for name in names):
        raise UserError("demo: the reader found others than the street wrote")
    say(f"  {DAY.parent}/day: {len(found)} names read; {', '.join(names)} are what was written")


def split(folder: Path) -> None:
    """Split the true night by identity; queries stay in the gallery, as in Night600."""
    from benchmark import manifest, splits
    from benchmark.console import say

    night = splits.split(manifest.read(folder / NIGHT), "night600", SEED)
    manifest.write(night, folder / SPLIT)
    say(f"  {int((night.column('split') == 'train').sum())} train, {int(night.column('query').sum())} queries")


def describe(folder: Path) -> None:
    """Describe day, true night, stand-in night and crops side by side, as `data describe` does."""
    from benchmark import describe, manifest
    from benchmark.console import console

    sets = [manifest.read(folder / file) for file in (DAY, SPLIT, SYNTHETIC, ANNOTATED)]
    describe.describe(sets, [None] * len(sets), console())
    # Three sets side by side are too small to read on a page.
    for path in describe.draw(sets[:2], folder / "describe", samples=True, limit=200, seed=SEED):
        console().print(f"  {path}", soft_wrap=True)


def evaluate(folder: Path) -> None:
    """Evaluate the features with a slow, exact evaluator and write the run's bundle."""
    import datetime
    import time

    from benchmark import environment, evaluation, features, manifest, resolve, results, strata

    begin, started = time.monotonic(), datetime.datetime.now(datetime.UTC)
    split = manifest.read(folder / SPLIT)
    lists, vectors = resolve.resolve(split, PROTOCOL), features.read(folder / "features")
    inputs = results.run_inputs(
        **{name: vectors.facts[name] for name in ("method", "config", "seed", "train_sets")},
        lists_sha256=lists.lists_sha256,
        protocol_sha256=lists.protocol_sha256,
    )
    run = results.run_id(inputs, results.nonce())
    schemes = [strata.scheme("night600-light"), strata.scheme("night600-scale")]
    query, gallery = (vectors.of(part).astype(float) for part in (lists.query, lists.gallery))
    scored = evaluation.evaluate(query, gallery, lists, schemes, run)
    trained, files = _training(folder, vectors.facts)
    record = trained | environment.facts() | _how(lists) | scored.headline
    record |= {
        "run_id": run,
        "config_id": results.config_id(inputs),
        "status": "ok",
        "provenance": "ran_here",
        "eval_set": str(split.column("source")[0]),
        "eval_labels_sha256": split.labels_sha256,
        "eval_data_sha256": split.data_sha256,
        "features_sha256": durable.read_json(folder / "features" / "features.json")["features_sha256"],
        "feat_dim": vectors.vectors.shape[1],
        "started_at": started.isoformat(),
        "ended_at": datetime.datetime.now(datetime.UTC).isoformat(),
        "eval_s": round(time.monotonic() - begin, 3),
    }
    tables = {"lists": lists.table(), "queries": scored.queries, "strata": scored.strata}
    results.write(results.Bundle(results.run_record(**record), tables), folder / "bundle", files)


def _how(lists: "Lists") -> dict[str, Any]:
    """Say by which rules the stand-in evaluator scores."""
    return lists.facts() | {
        "ap_variant": "discrete",
        "tie_rule": "pessimistic",
        "metric": "cosine",
        "rerank": "none",
        "flip_tta": False,
        "n_trials": 1,
    }


def _training(folder: Path, facts: dict[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Give what is known of the training, and its files; foreign features have neither weights nor a log."""
    import json

    from benchmark import results

    names = "method seed train_sets n_train_ids n_train_imgs input_h input_w epochs deterministic amp ckpt_selection"
    known = {name: facts.get(name) for name in names.split()} | {"config_json": json.dumps(facts["config"])}
    if not facts.get("ckpt_sha256"):
        return known, {}
    trained = results.read(folder / "training").run
    if trained["ckpt_sha256"] != facts["ckpt_sha256"]:
        raise UserError(f"{folder}/features: were made with other weights than those in {folder}/training")
    files = {name: durable.read_bytes(folder / "training" / name) for name in ("config.json", *results.FILES)}
    return known | {"train_s": trained["train_s"]}, files


STEPS = {"measure": measure, "read": read, "split": split, "describe": describe, "evaluate": evaluate}
