"""An evaluation as a bundle: what its record says, what a failed one leaves, and how often somebody looked."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import bundling, durable, evaluation, ledger, results
from benchmark.errors import UserError
from benchmark.evaluation import Evaluation, Options
from benchmark.features import Features
from benchmark.lists import hash_table, joined
from benchmark.matrix import Matrix
from benchmark.rerank import Options as Reranking
from benchmark.results import Bundle
from benchmark.schemas import RUN
from tests.benchmark import pencil
from tests.benchmark.pencil import Image, World, image

Mistake = Callable[..., AbstractContextManager[None]]

QUICK = Options(metric="dot", draws=0)
GALLERIES: Image = {"count": 3, "sampler": "keyed", "role": "gallery", "per": "identity", "shots": 2}
WEIGHTS = bytes(range(64))


@pytest.fixture(scope="module")
def world() -> World:
    return pencil.small(0, pencil.plan(trials=GALLERIES))


def bundle(
    world: World,
    folder: Path,
    options: Options = QUICK,
    given: Features | Matrix | None = None,
    **more: Any,  # noqa: ANN401
) -> Evaluation:
    given = given or world.features(method="mine", seed=3, config={"rate": 0.1})
    return bundling.evaluate(world.manifest(), world.plan, given, options, folder, **more)


def record(world: World, folder: Path, options: Options = QUICK, given: Features | None = None) -> Image:
    bundle(world, folder, options, given)
    return results.read(folder).run


def test_a_bundle_holds_what_the_evaluation_gives(world: World, tmp_path: Path) -> None:
    given = replace(world.features(method="mine", seed=3, flip_tta=True, epochs=7, unheard=1), sha256="f" * 64)
    done = bundle(world, tmp_path / "out", given=given)
    found = results.read(tmp_path / "out")
    for name, table in (("lists", done.lists), ("queries", done.queries), ("strata", done.strata)):
        assert found.tables[name].to_pylist() == table.to_pylist()
    run = found.run
    assert {name: run[name] for name in done.headline} == done.headline
    assert {one["run_id"] for one in found.tables["strata"].to_pylist()} == {run["run_id"]}
    expected = {
        "status": "ok",
        "provenance": "rescored",
        "method": "mine",
        "seed": 3,
        "epochs": 7,
        "flip_tta": True,
        "flagged": None,
        "eval_set": "set",
        "eval_labels_sha256": world.manifest().labels_sha256,
        "eval_data_sha256": world.manifest().data_sha256,
        "lists_sha256": hash_table(joined(world.trials)),
        "protocol_id": "test",
        "protocol_sha256": world.plan.sha256,
        "junk_rule": "own copy; same identity same place",
        "cmc_kind": "first",
        "invalid_query_policy": "skip",
        "rank_by": "mAP",
        "n_trials": 3,
        "ap_variant": "discrete",
        "tie_rule": "pessimistic",
        "metric": "dot",
        "rerank": "none",
        "feat_dim": 4,
        "features_sha256": "f" * 64,
        "config_json": "{}",
    }
    assert {name: run[name] for name in expected} == expected
    assert list(run) == list(RUN.names)
    assert run["eval_s"] >= 0
    assert run["started_at"] <= run["ended_at"]
    assert run["python"]


def test_one_network_is_refused_where_every_trial_trains_apart(world: World, tmp_path: Path) -> None:
    apart = world.plan.model_copy(update={"train": {"subsets": ["train-{t}"]}})
    with pytest.raises(UserError, match=r"every trial trains on a list of its own.* feat-\{t\}\.npz"):
        bundling.evaluate(world.manifest(), apart, world.features(), QUICK, tmp_path / "x")
    assert not (tmp_path / "x").exists()
    each = [world.features(method="mine") for _ in range(3)]
    together = bundling.evaluate(world.manifest(), apart, each, QUICK, tmp_path / "each")
    assert together.queries["pos_ranks"].equals(bundle(world, tmp_path / "one").queries["pos_ranks"])


def test_re_ranking_is_another_configuration(world: World, tmp_path: Path) -> None:
    plain, again = Options(draws=0), Options(draws=0, rerank=Reranking(3, 2))
    ids = [record(world, tmp_path / str(place), options)["config_id"] for place, options in enumerate((plain, again))]
    assert ids[0] != ids[1]


def test_features_that_say_nothing_are_unnamed(world: World, tmp_path: Path) -> None:
    run = record(world, tmp_path / "out", given=world.features())
    assert (run["method"], run["seed"], run["features_sha256"], run["train_sets"]) == ("unnamed", None, None, [])


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"metric": "cosine"}, False),
        ({"nonfinite": "worst"}, False),
        ({"metric": "euclidean", "rerank": Reranking(k1=4, k2=2)}, False),
        ({"draws": 50, "seed": 1, "top": 3, "memory": 2.0, "single_shot": True}, True),
    ],
)
def test_what_shapes_the_ranks_makes_another_configuration(
    change: Image, same: bool, world: World, tmp_path: Path
) -> None:
    one, other = record(world, tmp_path / "one"), record(world, tmp_path / "two", QUICK.model_copy(update=change))
    assert (one["config_id"] == other["config_id"]) == same
    assert one["run_id"] != other["run_id"]
    assert one["config_json"] == other["config_json"] == '{"rate": 0.1}'


def test_a_seed_is_the_same_configuration(world: World, tmp_path: Path) -> None:
    runs = [
        record(world, tmp_path / str(seed), given=world.features(method=method, seed=seed))
        for seed, method in ((0, "a"), (1, "a"), (0, "b"))
    ]
    assert runs[0]["config_id"] == runs[1]["config_id"] != runs[2]["config_id"]
    assert len({run["run_id"] for run in runs}) == 3


def test_re_ranking_is_recorded(world: World, tmp_path: Path) -> None:
    options = Options(draws=0, metric="euclidean", rerank=Reranking(k1=5, k2=2, weight=0.5))
    assert record(world, tmp_path / "out", options)["rerank"] == "k-reciprocal k1=5 k2=2 weight=0.5"
    plain = evaluation.evaluate(world.trials, world.features(), Options(draws=0, metric="euclidean"))
    again = results.read(tmp_path / "out").tables["queries"]
    assert again["pos_ranks"].to_pylist() != plain.queries["pos_ranks"].to_pylist()


def test_a_ready_matrix_is_recorded(world: World, tmp_path: Path) -> None:
    names = [f"set/{one['name']}.jpg" for one in world.images]
    given = Matrix(names, names, -world.vectors @ world.vectors.T, {"method": "mine"}, "d" * 64)
    done = bundle(world, tmp_path / "out", given=given)
    run = results.read(tmp_path / "out").run
    assert (run["metric"], run["feat_dim"], run["features_sha256"]) == ("ready matrix", None, "d" * 64)
    assert run["mAP"] == done.headline["mAP"]
    assert done.queries["pos_ranks"].equals(world.evaluate().queries["pos_ranks"])


def broken(world: World, *places: int) -> Features:
    vectors = world.vectors.copy()
    vectors[list(places)] = np.nan
    return replace(world.features(method="mine"), vectors=vectors)


def test_a_failed_evaluation_leaves_a_bundle_that_says_so(world: World, tmp_path: Path, mistake: Mistake) -> None:
    with mistake("features: 2 of 35 rows are not finite, the first is 'set/0003.jpg'"):
        bundle(world, tmp_path / "out", given=broken(world, 3, 7))
    found = results.read(tmp_path / "out")
    assert (found.run["status"], found.tables) == ("failed", {})
    assert found.run["notes"] == "features: 2 of 35 rows are not finite, the first is 'set/0003.jpg'"
    assert found.run["mAP"] is None
    assert found.run["lists_sha256"] == hash_table(joined(world.trials))
    assert ledger.entries(tmp_path) == []


@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_a_number_that_only_double_precision_holds_fails_too(metric: str, world: World, tmp_path: Path) -> None:
    vectors = world.vectors.astype(np.float64) + 0.5
    vectors[3, 1] = 1e300
    given = replace(world.features(), vectors=vectors)
    with pytest.raises(UserError, match="not finite"):
        bundle(world, tmp_path / "out", Options.model_validate({"metric": metric, "draws": 0}), given)
    assert results.read(tmp_path / "out").run["status"] == "failed"


def test_a_failed_evaluation_in_the_place_of_a_good_one_leaves_nothing_of_it(world: World, tmp_path: Path) -> None:
    bundle(world, tmp_path / "out")
    with pytest.raises(UserError, match="not finite"):
        bundle(world, tmp_path / "out", given=broken(world, 3))
    found = results.read(tmp_path / "out")
    assert (found.run["status"], found.tables) == ("failed", {})
    bundle(world, tmp_path / "out")
    assert results.read(tmp_path / "out").run["status"] == "ok"


def test_a_run_with_rows_ranked_last_is_flagged(world: World, tmp_path: Path) -> None:
    searched = next(place for place, one in enumerate(world.images) if one["gallery"] and not one["pid"])
    run = record(
        world, tmp_path / "out", QUICK.model_copy(update={"nonfinite": "worst"}), broken(world, 0, 1, searched)
    )
    assert (run["n_nonfinite_q"], run["n_nonfinite_g"]) == (2, 1)
    assert (run["status"], run["flagged"]) == ("ok", True)
    assert run["flag_reason"] == "rows that could not be scored were ranked last"


def test_every_look_at_a_test_list_is_counted(world: World, tmp_path: Path) -> None:
    looks = [record(world, tmp_path / name)["n_test_evals"] for name in ("one", "two", "deep/three")]
    assert looks == [1, 2, 1]  # another folder has a ledger of its own
    other = record(world, tmp_path / "other", given=world.features(method="other"))
    assert other["n_test_evals"] == 1
    entries = ledger.entries(tmp_path)
    runs = [results.read(tmp_path / name).run for name in ("one", "two", "other")]
    for entry, run in zip(entries, runs, strict=True):
        assert entry == {name: run[name] for name in ("method", "config_id", "lists_sha256", "run_id")}


@pytest.mark.parametrize(("splits", "counted"), [(("val", "val"), False), (("val", "test"), True)])
def test_a_validation_split_is_not_entered(splits: tuple[str, str], counted: bool, tmp_path: Path) -> None:
    queries = [image(pid, 1, gallery=False, split=split) for pid, split in zip((1, 2), splits, strict=True)]
    tuned = World([*queries, image(1, 2, query=False), image(2, 2, query=False)], np.eye(4, 3) + 1)
    run = record(tuned, tmp_path / "out")
    assert run["n_test_evals"] == (1 if counted else None)
    assert (tmp_path / ledger.NAME).exists() == counted


def training(folder: Path, weights: bytes | None = WEIGHTS) -> Path:
    """Leave what a training leaves."""
    files = {"config.json": b'{"rate":0.1}\n', "log.jsonl": b'{"step":0}\n'}
    files |= {} if weights is None else {"model.safetensors": weights}
    run = results.run_record(run_id="t", status="partial", provenance="ran_here", train_s=12.5)
    results.write(Bundle(run), folder, files)
    return folder


def test_the_files_of_its_training_go_with_a_bundle(world: World, tmp_path: Path) -> None:
    given = world.features(method="mine", ckpt_sha256=durable.sha256(WEIGHTS))
    bundle(world, tmp_path / "out", given=given, training=training(tmp_path / "training"))
    run = results.read(tmp_path / "out").run
    assert (run["provenance"], run["train_s"], run["ckpt_sha256"]) == ("ran_here", 12.5, durable.sha256(WEIGHTS))
    for name in ("config.json", "log.jsonl", "model.safetensors"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "training" / name).read_bytes()


@pytest.mark.parametrize("facts", [{}, {"ckpt_sha256": durable.sha256(b"others")}])
@pytest.mark.parametrize("weights", [WEIGHTS, None])
def test_another_training_is_refused(
    weights: bytes | None, facts: Image, world: World, tmp_path: Path, mistake: Mistake
) -> None:
    folder = training(tmp_path / "training", weights)
    with mistake(f"{folder}: its weights are not those that made the features"):
        bundle(world, tmp_path / "out", given=world.features(**facts), training=folder)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / ledger.NAME).exists()


def test_a_protocol_that_leaves_nobody_is_refused_before_anything_is_written(tmp_path: Path, mistake: Mistake) -> None:
    world = World([image(1, 1, gallery=False), image(1, 2, query=False)], np.eye(2, 3))
    same = [one | {"place": 1} for one in world.images]
    lost = [one | {"pid": 5 + place} for place, one in enumerate(world.images)]
    for images, why in ((same, "0 have an identity that is absent"), (lost, "1 have an identity that is absent")):
        world.images = images
        with mistake("no query has a positive in the gallery: of 1 queries", why):
            bundle(world, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
