"""Weights are run again: equal ranks make a mark, and everything else a line that says what differs."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import bundling, durable, manifest, protocol, results
from benchmark.errors import UserError
from benchmark.evaluation import Options
from benchmark.manifest import Manifest
from benchmark.rerank import Options as Reranking
from leaderboards import entry, store, verify
from leaderboards.store import Board
from tests.benchmark.runner import painted
from tests.leaderboards import crowd


@pytest.fixture(scope="module")
def set_of(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return painted.world(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def bundle(set_of: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train, embed and evaluate, without figures."""
    from benchmark.runner import training

    job = painted.job(tmp_path_factory.mktemp("run"), set_of)
    training.train(job)
    return evaluated(job.out, set_of)


@pytest.fixture
def board(bundle: Path, tmp_path: Path) -> Board:
    return crowd.board(tmp_path / "board", [bundle])


def evaluated(folder: Path, set_of: Path, noise: float = 0.0, options: Options | None = None) -> Path:
    """Evaluate a training; with noise, what is ranked is not what the weights give."""
    import torch

    from benchmark.runner import extract

    found, plan = manifest.read(set_of), protocol.load(folder.parent / "plan.toml")
    trained = extract.load(folder, torch.device("cpu"))
    made = extract.features(trained.method, found, trained.how, folder.parent / "cache", trained.facts)
    other = np.random.default_rng(0).standard_normal(made.vectors.shape).astype(np.float32)
    given = replace(made, vectors=made.vectors + noise * other)
    bundling.evaluate(found, plan, given, options or Options(draws=0), folder, training=folder)
    return folder


def copied(folder: Path, target: Path) -> Path:
    shutil.copytree(folder.parent, target)
    return target / folder.name


def row(board: Board) -> store.Row:
    (found,) = store.runs(board).rows
    return found


def refused(board: Board, folder: Path, of: Manifest) -> str:
    before = store.names(board, "marks")
    with pytest.raises(UserError) as error:
        verify.verify(board, folder, of)
    assert store.names(board, "marks") == before
    return str(error.value)


def test_equal_ranks_make_the_row_verified_and_leave_it_as_it_is(board: Board, bundle: Path, set_of: Path) -> None:
    before = [board.path("runs", name).read_bytes() for name in store.names(board, "runs")]
    assert row(board)["provenance"] == "ran_here"
    done = verify.verify(board, bundle, manifest.read(set_of))
    assert (done.run_id, done.queries, done.elsewhere) == (row(board)["run_id"], 8, False)
    assert "verified: the ranks of all 8 queries are equal, on the run's own machine" in done.sentence
    assert row(board)["provenance"] == "verified"
    assert [board.path("runs", name).read_bytes() for name in store.names(board, "runs")] == before
    (mark,) = store.load(board, "marks").table.to_pylist()
    assert (mark["mark"], mark["value"], mark["run_id"]) == ("verified", done.machine_hash, done.run_id)
    assert row(board)["ckpt_sha256"][:16] in mark["why"]


def test_the_manifest_may_be_named_as_the_recipe_names_it(board: Board, bundle: Path, set_of: Path) -> None:
    assert verify.verify(board, bundle, {"painted": set_of}).queries == 8
    with pytest.raises(UserError, match="was tested on 'painted', which no --data names; did you mean 'paint'"):
        verify.verify(board, bundle, {"paint": set_of})


def test_ranks_that_the_weights_do_not_give_are_not_verified(bundle: Path, set_of: Path, tmp_path: Path) -> None:
    folder = copied(bundle, tmp_path / "changed")
    honest = results.read(folder).run["mAP"]
    restored(folder)
    claimed = results.read(evaluated(folder, set_of, noise=0.05)).run["mAP"]
    assert claimed != honest
    board = crowd.board(tmp_path / "board", [folder])  # its ranks are sound in themselves
    said = refused(board, folder, manifest.read(set_of))
    assert f"mAP differs by {100 * (honest - claimed):+.4f} points" in said
    assert "of 8 queries of run" in said
    assert row(board)["provenance"] == "ran_here"


def restored(folder: Path) -> None:
    """Put back the record of the training, so that it may be evaluated again."""
    run = durable.read_json(folder / "training.json")["run"]
    files = {name: durable.read_bytes(folder / name) for name in ("config.json", *results.FILES)}
    results.write(results.Bundle(results.run_record(**run)), folder, files)


def test_re_ranked_ranks_are_ranked_so_again(bundle: Path, set_of: Path, tmp_path: Path) -> None:
    folder = copied(bundle, tmp_path / "reranked")
    restored(folder)
    evaluated(folder, set_of, options=Options(draws=0, rerank=Reranking(4, 2, 0.25), metric="euclidean"))
    board = crowd.board(tmp_path / "board", [folder])
    assert verify.verify(board, folder, manifest.read(set_of)).queries == 8


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 1000))
def test_re_ranking_is_read_back_from_the_words_of_a_row(k1: int, k2: int, thousandths: int) -> None:
    asked = Reranking(k1, k2, thousandths / 1000)
    row = {"metric": "euclidean", "rerank": asked.words()}
    assert verify._options(row, Path("here")) == Options(metric="euclidean", rerank=asked, draws=0)


def test_a_re_ranking_of_another_kind_is_refused() -> None:
    with pytest.raises(UserError, match="rerank = 'by hand' is nothing that this version can do again"):
        verify._options({"metric": "cosine", "rerank": "by hand"}, Path("here"))


def test_other_weights_and_none_are_refused(board: Board, bundle: Path, set_of: Path, tmp_path: Path) -> None:
    folder, of = copied(bundle, tmp_path / "other"), manifest.read(set_of)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert f"the row names {durable.sha256(whole)[:8]}" in refused(board, folder, of)
    weights.unlink()
    assert "has no model.safetensors" in refused(board, folder, of)
    weights.write_bytes(whole)
    (folder / "training.json").unlink()
    assert "has no training.json" in refused(board, folder, of)


def test_another_configuration_than_the_rows_is_refused(
    board: Board, bundle: Path, set_of: Path, tmp_path: Path
) -> None:
    folder = copied(bundle, tmp_path / "other")
    record = json.loads((folder / "training.json").read_text())
    record["resolved"]["method"]["epochs"] = 300
    (folder / "training.json").write_text(json.dumps(record))
    assert "its configuration is not the one" in refused(board, folder, manifest.read(set_of))


def test_other_lists_are_refused(board: Board, bundle: Path, set_of: Path) -> None:
    found = manifest.read(set_of)
    fewer = found.select(np.arange(len(found) - 1))
    assert "other pictures, people or cameras" in refused(board, bundle, fewer)


def test_another_protocol_under_the_same_name_is_refused(
    board: Board, bundle: Path, set_of: Path, tmp_path: Path
) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(painted.PLAN + "junk = { same_place = false }\n")
    with pytest.raises(UserError, match="its rules have changed"):
        verify.verify(board, bundle, manifest.read(set_of), plan=protocol.load(path))


def test_a_picture_that_changed_is_refused(board: Board, bundle: Path, set_of: Path, tmp_path: Path) -> None:
    shutil.copytree(set_of.parent, tmp_path / "set")
    of = manifest.read(tmp_path / "set" / set_of.name)
    picture = tmp_path / "set" / "002_c1_0.png"
    picture.write_bytes(picture.read_bytes() + b"\0")
    assert "002_c1_0.png" in refused(board, bundle, of)


def test_a_run_that_is_not_there_or_has_no_weights_is_refused(board: Board, tmp_path: Path) -> None:
    of = crowd.world(40)
    folder = crowd.bundle(tmp_path / "foreign", "good", 0, of)
    assert "is not on" in refused(board, folder, of)
    entry.add(board, folder)
    assert "names no weights (it is rescored)" in refused(board, folder, of)


def test_a_run_that_failed_has_no_ranks_to_compare(board: Board, tmp_path: Path) -> None:
    of = crowd.world(40)
    record = results.run_record(run_id="f" * 32, status="failed", provenance="ran_here", method="m")
    results.write(results.Bundle(record), tmp_path / "failed")
    entry.add(board, tmp_path / "failed")
    assert "has the status 'failed'" in refused(board, tmp_path / "failed", of)


def test_one_changed_rank_is_counted_whatever_the_order_of_the_rows() -> None:
    known = queries([[1, 3], [2], []])
    assert verify.unequal(known, known.take([2, 0, 1])) == (0, 0.0)
    found = verify.unequal(known, queries([[1, 4], [2], []]))
    assert found.queries == 1
    assert found.mAP == pytest.approx(((1 + 2 / 4) / 2 - (1 + 2 / 3) / 2) / 2)  # the third has no positive
    with pytest.raises(UserError, match="holds others than its lists do"):
        verify.unequal(known, known.slice(1))


def queries(ranks: list[list[int]]) -> pa.Table:
    count = len(ranks)
    columns = {
        "trial": pa.nulls(count, pa.int16()),
        "query_idx": range(count),
        "image_id": [f"q{n}" for n in range(count)],
    }
    counts = {"n_pos": [len(one) for one in ranks], "n_junk": [0] * count, "n_gallery_eff": [9] * count}
    lists = {"pos_ranks": pa.array(ranks, pa.list_(pa.int32())), "pos_gidx": pa.array(ranks, pa.list_(pa.int32()))}
    return pa.table(columns | counts | lists | {"first_rank_id": [0] * count})
