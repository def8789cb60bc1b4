"""From recipe to weights to bundle, on a little painted set: what is left, what is refused, and what goes on."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark import bundling, features, ledger, manifest, protocol, results
from benchmark.errors import UserError
from benchmark.evaluation import Options
from benchmark.runner import extract, loop, pretraining, run, training
from benchmark.runner.interfaces import Context
from tests.benchmark.runner import painted

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def set_of(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return painted.world(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def bundle(set_of: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run."""
    return run.run(painted.job(tmp_path_factory.mktemp("run"), set_of, config={"epochs": 30}))


def test_a_run_leaves_a_bundle_with_everything(bundle: Path) -> None:
    found = results.read(bundle)
    record = found.run
    assert record["status"] == "ok"
    assert record["provenance"] == "ran_here"
    assert set(found.tables) == {"lists", "queries", "strata"}
    for name in ("train_s", "img_per_s", "params_m", "gflops", "ckpt_sha256", "log_sha256", "started_at", "cpu_model"):
        assert record[name], name
    assert (record["method"], record["seed"], record["ckpt_selection"]) == ("colours", 0, "last")
    assert (record["n_train_ids"], record["n_train_imgs"]) == (8, 48)
    assert (record["input_h"], record["input_w"], record["feat_dim"]) == (16, 8, 16)
    assert record["licence"] == "MIT"  # what the method says of itself
    assert json.loads(record["config_json"])["recipe"]["batches"]["identities"] == 4
    drawn = {path.name for path in (bundle / "figures").iterdir()}
    assert {"learning.png", "activation.png", "embedding-map.png", "cmc.png", "ranked-lists.png"} <= drawn
    assert record["mAP"] > 0.5  # colours tell these people apart; chance is about a fifth


def test_people_of_two_parts_are_counted_once(set_of: Path, tmp_path: Path) -> None:
    parts = [{"data": "painted", "name": f"c{camid}", "rows": {"split": "train", "camid": camid}} for camid in (1, 2)]
    out = training.train(painted.job(tmp_path, set_of, train=parts, limit=1))
    record = results.read(out).run
    assert (record["n_train_ids"], record["n_train_imgs"]) == (8, 32)
    assert json.loads((out / "config.json").read_text())["domains"] == {"c1": 8, "c2": 8}


def test_a_second_run_makes_nothing_again(bundle: Path, set_of: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in bundle.rglob("*") if path.is_file()}
    run.run(painted.job(bundle.parent, set_of, config={"epochs": 30}))
    assert {path: path.stat().st_mtime_ns for path in bundle.rglob("*") if path.is_file()} == before
    assert len(ledger.entries(bundle.parent)) == 1


def test_figures_that_were_not_drawn_are_drawn_without_another_look_at_the_test(bundle: Path, set_of: Path) -> None:
    (bundle / "figures" / "learning.png").unlink()
    run.run(painted.job(bundle.parent, set_of, config={"epochs": 30}))
    assert (bundle / "figures" / "learning.png").exists()
    assert len(ledger.entries(bundle.parent)) == 1


def test_an_evaluation_that_failed_is_taken_up_without_training_again(
    set_of: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = painted.job(tmp_path, set_of)

    def broken(*given: object, **more: object) -> None:
        raise UserError("features: are not what they were")

    monkeypatch.setattr("benchmark.bundling.evaluation.evaluate", broken)
    with pytest.raises(UserError, match="are not what they were"):
        run.run(job)
    assert results.read(job.out).run["status"] == "failed"
    weights = (job.out / "model.safetensors").read_bytes()
    monkeypatch.undo()
    monkeypatch.setattr(loop, "fit", broken)
    run.run(job)
    record = results.read(job.out).run
    assert (record["status"], record["provenance"]) == ("ok", "ran_here")
    assert record["train_s"] is not None
    assert (job.out / "model.safetensors").read_bytes() == weights


def test_equal_seeds_give_equal_weights_and_others_do_not(set_of: Path, tmp_path: Path) -> None:
    made = [
        (training.train(painted.job(tmp_path, set_of, name, seed)) / "model.safetensors").read_bytes()
        for name, seed in (("one", 0), ("two", 0), ("three", 1))
    ]
    assert made[0] == made[1] != made[2]


def test_a_training_that_was_stopped_midway_ends_as_an_undisturbed_one(set_of: Path, tmp_path: Path) -> None:
    whole = training.train(painted.job(tmp_path, set_of, "whole"))
    job = painted.job(tmp_path, set_of, "halves")
    fit = loop.fit

    def stopping(*given: object, **more: object) -> loop.Outcome:
        fit(*given, **more | {"limit": 7})  # type: ignore[arg-type]
        raise loop.Stopped("asked to stop")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "fit", stopping)
        with pytest.raises(loop.Stopped):
            training.train(job)
    record = results.read(job.out).run
    assert (record["status"], record["error_class"]) == ("killed", "Stopped")
    training.train(job)
    for name in ("model.safetensors", "config.json"):
        assert (job.out / name).read_bytes() == (whole / name).read_bytes()
    assert not (job.out / "checkpoint").exists()


def test_a_failed_training_leaves_a_run_that_says_so(set_of: Path, tmp_path: Path) -> None:
    job = painted.job(tmp_path, set_of, config={"breaks_at": 5})
    with pytest.raises(UserError, match="identity"):
        run.run(job)
    record = results.read(job.out).run
    assert (record["status"], record["error_class"]) == ("failed", "UserError")
    assert "identity" in record["notes"]


def test_what_is_found_while_it_runs_is_a_run_that_was_killed(
    set_of: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    fit = loop.fit

    def looking(*given: object, **more: object) -> loop.Outcome:
        seen.append(results.read(tmp_path / "run").run["status"])
        return fit(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "fit", looking)
    training.train(painted.job(tmp_path, set_of))
    assert seen == ["killed"]  # after kill -9 nobody is left to write it
    assert results.read(tmp_path / "run").run["status"] == "partial"


def test_another_training_or_anything_else_is_not_overwritten(set_of: Path, tmp_path: Path) -> None:
    job = painted.job(tmp_path, set_of)
    training.train(job)
    before = (job.out / "model.safetensors").read_bytes()
    other = painted.job(tmp_path, set_of, config={"rate": 0.02})
    for changed in (other, replace(job, seed=1)):
        with pytest.raises(UserError, match=r"holds another training .* --again"):
            training.train(changed)
    assert (job.out / "model.safetensors").read_bytes() == before
    (job.out / "mine.txt").write_text("kept")
    training.train(replace(other, again=True))
    assert (job.out / "model.safetensors").read_bytes() != before
    assert (job.out / "mine.txt").read_text() == "kept"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(UserError, match=r"holds something else \(thesis.txt\)"):
        training.train(replace(job, out=tmp_path / "full"))


def test_a_preview_is_marked_and_is_another_run(set_of: Path, tmp_path: Path) -> None:
    folder = training.train(painted.job(tmp_path, set_of, limit=2))
    record = results.read(folder).run
    assert record["flagged"]
    assert "2 steps" in record["flag_reason"]
    with pytest.raises(UserError, match="holds another training"):
        training.train(painted.job(tmp_path, set_of))


def test_embedding_again_gives_the_runs_own_vectors(bundle: Path, set_of: Path) -> None:
    kept, trained = features.read(bundle / "features"), extract.load(bundle, CPU)
    found = manifest.read(set_of)
    tested = found.select(np.isin(found.column("image_id").astype(str), kept.image_ids))
    again = extract.features(trained.method, tested, trained.how, bundle.parent / "cache", trained.facts)
    assert np.array_equal(kept.of(tested), again.of(tested))
    one = extract.features(trained.method, tested.select([3]), trained.how, bundle.parent / "cache", trained.facts)
    np.testing.assert_allclose(one.vectors[0], again.vectors[3], rtol=1e-5, atol=1e-6)


def test_a_mirror_image_is_added_where_the_method_asks(set_of: Path, tmp_path: Path) -> None:
    trained = extract.load(training.train(painted.job(tmp_path, set_of, config={"flip": True})), CPU)
    assert results.read(tmp_path / "run").run["flip_tta"]
    pixels = torch.rand(3, 3, 16, 8)
    nothing = torch.zeros(3, dtype=torch.long)
    known = Context(nothing, nothing, nothing)
    with torch.no_grad():
        both = extract.vectors(trained.method, pixels, known, trained.how)
        mirrored = extract.vectors(trained.method, pixels.flip(3), known, trained.how)
    torch.testing.assert_close(both, mirrored)


def test_a_method_that_needs_cameras_refuses_pictures_of_an_unknown_one(set_of: Path, tmp_path: Path) -> None:
    parts = [{"data": "painted", "rows": {"split": ["train"], "camid": [1, 2]}}]
    job = painted.job(tmp_path, set_of, config={"cameras": True}, train=parts)
    with pytest.raises(UserError, match=r"16 of 48 pictures are of one .* such as camera 3 of painted"):
        run.run(job)


def test_changed_weights_and_cut_records_are_refused(set_of: Path, tmp_path: Path) -> None:
    folder = training.train(painted.job(tmp_path, set_of))
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(UserError, match="is not the file that"):
        extract.load(folder, CPU)
    record = json.loads((folder / "training.json").read_text())
    (folder / "training.json").write_text(json.dumps(record | {"state": "begun"}))
    with pytest.raises(UserError, match="is no finished training"):
        extract.load(folder, CPU)
    del record["how"]
    (folder / "training.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="'how' is missing"):
        extract.load(folder, CPU)


def test_the_validation_split_may_choose_an_epoch(set_of: Path, tmp_path: Path) -> None:
    found = manifest.read(set_of)
    splits = np.where(found.column("pid").astype(int) % 4 == 1, "val", found.column("split").astype(str))
    manifest.write(found.with_columns(split=splits.tolist()), tmp_path / "val.parquet")
    root = {"painted": set_of.parent}
    manifest.write(
        manifest.Manifest(manifest.read(tmp_path / "val.parquet").table, root), set_of.parent / "val.parquet"
    )
    loop_table = {"precision": "fp32", "select": "val", "validate_every": 1}
    job = painted.job(
        tmp_path, set_of.parent / "val.parquet", loop=loop_table, batches={"identities": 2, "instances": 2}
    )
    training.train(job)
    record = results.read(job.out).run
    assert record["ckpt_selection"] != "last"
    lines = [json.loads(line) for line in (job.out / "log.jsonl").read_text().splitlines()]
    assert sum("val_mAP" in line for line in lines) == 3
    with pytest.raises(UserError, match="has no row in the split val"):
        training.train(painted.job(tmp_path, set_of, "none", loop=loop_table))


def test_a_backbone_is_pretrained_and_its_file_says_who_was_seen(set_of: Path, tmp_path: Path) -> None:
    job = painted.job(tmp_path, set_of, test="", protocol="")
    path = pretraining.pretrain(job)
    assert path == tmp_path / "weights" / "colours.safetensors"
    with pytest.raises(UserError, match="names no test set"):
        run.run(job)


def test_an_estimate_counts_steps_and_pictures(set_of: Path, tmp_path: Path) -> None:
    seconds = [run.estimate(painted.job(tmp_path, set_of, config={"epochs": epochs})) for epochs in (10, 1000)]
    assert 0 < seconds[0] < seconds[1]
    assert not (tmp_path / "run").exists()


CHANGED: dict[str, dict[str, Any]] = {
    "loop": {
        **{"precision": "bf16", "channels_last": False, "compile": "graphs", "deterministic": False, "clip": 1.0},
        **{"ema": 0.9, "select": "val", "sync_batchnorm": True},
    },
    "augment": {
        **{"flip": 0.1, "pad": 3, "erase": 0.2, "erase_area": [0.1, 0.2], "erase_aspect": [0.5, 2.0]},
        **{"erase_fill": "noise", "colour": 0.1, "brightness": 0.3, "contrast": 0.3, "saturation": 0.3},
        **{"grey": 0.1, "exchange": 0.1},
    },
    "batches": {
        **{"identities": 3, "instances": 3, "batch": 8, "halves": "time", "cameras": "spread", "epoch": "identities"},
    },
}


@pytest.mark.parametrize(("table", "key"), [(table, key) for table, keys in CHANGED.items() for key in keys])
def test_every_key_that_shapes_a_training_makes_another_configuration(
    table: str, key: str, set_of: Path, tmp_path: Path
) -> None:
    nothing: dict[str, Any] = {table: {}}
    changed: dict[str, Any] = {table: {key: CHANGED[table][key]}}
    plain = painted.job(tmp_path, set_of, **nothing).resolved()
    assert painted.job(tmp_path, set_of, **changed).resolved() != plain


def test_how_often_it_is_logged_saved_and_looked_at_makes_none(set_of: Path, tmp_path: Path) -> None:
    said = {"log_every": 3, "save_every": 5.0, "validation": True, "validate_every": 2}
    plain = painted.job(tmp_path, set_of, loop={}).resolved()
    assert painted.job(tmp_path, set_of, loop=said, title="other").resolved() == plain


def test_vectors_of_other_weights_are_not_taken_for_those_of_a_run(set_of: Path, tmp_path: Path) -> None:
    first = run.run(painted.job(tmp_path, set_of, "one"))
    second = training.train(painted.job(tmp_path, set_of, "two", seed=1))
    shutil.copytree(first / "features", second / "features")
    run.run(painted.job(tmp_path, set_of, "two", seed=1))
    record = results.read(second).run
    assert features.read(second / "features").facts["ckpt_sha256"] == record["ckpt_sha256"]
    assert record["features_sha256"] != results.read(first).run["features_sha256"]


def test_whoever_was_trained_on_is_not_tested_by_separate_commands_either(set_of: Path, tmp_path: Path) -> None:
    parts = [{"data": "painted", "rows": {"split": ["test"]}}]
    job = painted.job(tmp_path, set_of, test="", protocol="", train=parts)
    trained, found = extract.load(training.train(job), CPU), manifest.read(set_of)
    made = extract.features(trained.method, found, trained.how, tmp_path / "cache", trained.facts)
    features.write(made, found, tmp_path / "vectors")
    again = features.read(tmp_path / "vectors")
    with pytest.raises(UserError, match=r"their network: was trained on 8 identities \(such as painted/2\)"):
        bundling.evaluate(found, protocol.load(str(tmp_path / "plan.toml")), again, Options(), tmp_path / "bundle")


def test_a_mistake_before_the_first_step_costs_an_earlier_training_nothing(set_of: Path, tmp_path: Path) -> None:
    job = painted.job(tmp_path, set_of)
    before = (training.train(job) / "model.safetensors").read_bytes()
    wrong = painted.job(tmp_path, set_of, batches={"identities": 20}, again=True)
    with pytest.raises(UserError, match="8 identities, a batch takes 20"):
        training.train(wrong)
    assert (job.out / "model.safetensors").read_bytes() == before


def test_a_training_that_never_came_to_a_checkpoint_may_be_replaced(
    set_of: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: object, **more: object) -> None:
        raise UserError("out of memory")

    monkeypatch.setattr(loop, "fit", broken)
    with pytest.raises(UserError):
        training.train(painted.job(tmp_path, set_of))
    monkeypatch.undo()
    training.train(painted.job(tmp_path, set_of, batches={"identities": 2, "instances": 2}))


def test_looks_are_counted_in_one_ledger_where_a_job_says_so(set_of: Path, tmp_path: Path) -> None:
    jobs = [painted.job(tmp_path, set_of, name) for name in ("a/s0", "b/s0")]
    for job in jobs:
        run.run(replace(job, ledger=tmp_path))
    assert len(ledger.entries(tmp_path)) == 2
    assert results.read(jobs[1].out).run["n_test_evals"] == 2
