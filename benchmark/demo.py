"""The demo's steps of this package."""

from pathlib import Path

SEED = 0


def measure(folder: Path) -> None:
    """Measure the light of every picture, as `data measure` does."""
    from benchmark.console import say
    from benchmark.executors import serial
    from benchmark.measure import measure_file

    for name in ("street-day", "street-night", "annotated"):
        path = folder / name / "manifest.parquet"
        measured = measure_file(path, None, path, serial)
        say(f"  {name}: {len(measured)} pictures, data {str(measured.data_sha256)[:12]}")


def read(folder: Path) -> None:
    """Read the day again as a stranger's folder, as `data read folders` does, and find the same people."""
    from benchmark import manifest
    from benchmark.console import say
    from benchmark.errors import UserError
    from benchmark.readers import folders

    options = folders.Options(
        pattern="{pid}/c{camid}_{frame}", time="day", source="street-s0-day", id_space="street-s0"
    )
    found = folders.read(folder / "street-day", options)
    known = manifest.read(folder / "street-day" / "manifest.parquet")
    if found.labels_sha256 != known.labels_sha256:
        raise UserError("demo: the reader found other labels than the street wrote")
    say(f"  street-day: {len(found)} names read, labels {found.labels_sha256[:12]}, the same as were written")


def split(folder: Path) -> None:
    """Split the night by identity; queries stay in the gallery, as in Night600."""
    from benchmark import manifest, splits
    from benchmark.console import say

    night = splits.by_identity(manifest.read(folder / "street-night" / "manifest.parquet"), SEED)
    manifest.write(night, folder / "street-night" / "split.parquet")
    say(f"  {int((night.column('split') == 'train').sum())} train, {int(night.column('query').sum())} queries")


def describe(folder: Path) -> None:
    """Describe day and night side by side, as `data describe` does."""
    from benchmark import describe, manifest
    from benchmark.console import console

    sets = [manifest.read(folder / "street-day" / "manifest.parquet")]
    sets.append(manifest.read(folder / "street-night" / "split.parquet"))
    describe.describe(sets, [None, None], console())
    for path in describe.draw(sets, folder / "describe", samples=True, limit=200, seed=SEED):
        console().print(f"  {path}", soft_wrap=True)


def evaluate(folder: Path) -> None:
    """Evaluate the features with a slow, exact evaluator and write the run's bundle."""
    import json
    import platform
    import time

    from benchmark import evaluation, features, manifest, resolve, results, strata

    begin = time.process_time()
    lists = resolve.resolve(manifest.read(folder / "street-night" / "split.parquet"))
    vectors = features.read(folder / "features")
    facts = vectors.facts
    inputs = {"method": facts["method"], "config": facts["config"], "seed": facts["seed"], "lists": lists.lists_sha256}
    run = results.run_id(inputs, "demo")
    schemes = [strata.scheme("night600-light"), strata.scheme("night600-scale")]
    query, gallery = (vectors.of(part).astype(float) for part in (lists.query, lists.gallery))
    scored = evaluation.evaluate(query, gallery, lists, schemes, run)
    record = results.run_record(
        run_id=run,
        config_id=results.config_id(inputs),
        status="ok",
        provenance="ran_here",
        method=facts["method"],
        seed=facts["seed"],
        n_train_imgs=len(lists.train),
        eval_set="street-night (stand-in)",
        eval_labels_sha256=lists.query.labels_sha256,
        lists_sha256=lists.lists_sha256,
        protocol_id=lists.protocol,
        protocol_sha256=lists.protocol_sha256,
        ap_variant="discrete",
        tie_rule="pessimistic",
        invalid_query_policy="skip",
        feat_dim=vectors.vectors.shape[1],
        python=platform.python_version(),
        ckpt_selection="last",
        eval_s=round(time.process_time() - begin, 3),
        config_json=json.dumps(facts["config"]),
        **scored.headline,
    )
    tables = {"lists": lists.table(), "queries": scored.queries, "strata": scored.strata}
    results.write(results.Bundle(record, tables), folder / "bundle")


STEPS = {"measure": measure, "read": read, "split": split, "describe": describe, "evaluate": evaluate}
