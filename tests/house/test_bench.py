"""Bad input to the evaluation, as a person meets it: one line, exit code 2, and nothing written."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import luxreid
from benchmark import features, manifest, results
from benchmark.features import Features
from tests.benchmark import little
from tests.benchmark.little import Row

FEATURES_OF: dict[str, dict[str, Any]] = {
    "odd-config": {"config": "fast"},
    "odd-sets": {"train_sets": ["market"]},
    "no-sets": {"train_sets": None},
    "odd-seed": {"seed": "one"},
    "odd-flip": {"flip_tta": "yes"},
}
PLAIN = ("--no-figures", "--set", "draws=0")


class Said(NamedTuple):
    """What a command left on the screen."""

    code: object
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs `luxreid bench` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # the command adds to it

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["luxreid", "bench", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            luxreid.main()
        return Said(ended.value.code, *capsys.readouterr())

    return run


def store(folder: Path, rows: list[Row] | None = None) -> None:
    """Write a world and its features in several ways."""
    world = little.world(rows, folder)
    vectors, names = little.vectors(world), world.table["image_id"].to_pylist()
    manifest.write(world, folder / "set.parquet")
    for name, facts in (FEATURES_OF | {"made": {}}).items():
        features.write(Features(names, vectors, facts), world, folder / name)
    np.save(folder / "plain.npy", vectors)
    np.savez(folder / "missing.npz", features=vectors[1:], image_id=names[1:])
    np.savez(folder / "twice.npz", features=vectors, image_id=[names[1], *names[1:]])
    np.savez(folder / "short.npz", features=vectors[1:], image_id=names)
    far = 1 - vectors @ vectors.T
    np.savez(folder / "far.npz", distances=far, query=names, gallery=names)
    np.savez(folder / "far-short.npz", distances=far[:, 1:], query=names, gallery=names)
    np.savez(folder / "far-twice.npz", distances=far, query=[names[1], *names[1:]], gallery=names)


def refused(said: Said) -> str:
    assert (said.code, said.out) == (2, ""), said
    assert said.err.count("\n") == 1, said.err
    assert said.err.startswith("luxreid: ")
    return said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.npz"], "1 of 28 images have none, the first is 'little/g/001-2.jpg'"),
        (["twice.npz"], "twice.npz: 'little/g/001-3.jpg' stands twice"),
        (["short.npz"], "short.npz: names 42 rows, the vectors of short.npz are 41"),
        (["plain.npy"], "plain.npy: does not say whose its rows are; give their names with --rows"),
        (["--distances", "far-short.npz"], "must be floating numbers of 42 queries x 42 gallery rows"),
        (["--distances", "far-twice.npz"], "far-twice.npz: query: 'little/g/001-3.jpg' stands twice"),
        (["odd-config"], "features: their config is 'fast', must be an object"),
        (["odd-sets"], "features: train_sets = ['market'], must be of type"),
        (["no-sets"], "features: their train_sets is None, must be a list of sets"),
        (["odd-seed"], "features: seed = 'one', must be of type int32"),
        (["odd-flip"], "features: flip_tta = 'yes', must be of type bool"),
        (["made", "--by", "lightnes:20"], "did you mean 'lightness'?"),
        (["made", "--pairs", "nothing"], "no scheme or column is called 'nothing'"),
        (["made", "--protocol", "night60"], "did you mean 'night600'?"),
        (["made", "--device", "tpu"], "--device tpu: did you mean 'cpu'? allowed: cpu, cuda"),
        (["made", "--rerank", "reciprocal"], "--rerank reciprocal: did you mean 'k-reciprocal'?"),
        (["made", "--set", "rerank.k3=1"], "rerank.k3 = 1"),
        (["made", "--set", "rerank.k1=0"], "k1 and k2 must be 1 or more"),
        (["made", "--out", "set.parquet/inside"], "set.parquet is a file; a bundle is a folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words: list[str], said: str, command: Command, tmp_path: Path) -> None:
    store(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    out = [] if "--out" in words else ["--out", "out"]
    message = refused(command("evaluate", "set.parquet", *words, *out, *PLAIN))
    if words[0] == "missing.npz":  # it is a run that failed, and is kept as one
        assert results.read(tmp_path / "out").run["notes"] in message
    else:
        assert sorted(tmp_path.rglob("*")) == before
    assert said in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"camid": 0}, "market-style: hides a query's own place (same_place), but no query has a known camera"),
        ({"camid": 4}, "of 12 queries, 0 have an identity that is absent from the gallery, 12 one that is there only"),
        ({"gallery": False}, "[gallery]"),
    ],
    ids=["unknown cameras", "one camera", "no gallery"],
)
def test_a_protocol_that_cannot_be_scored_says_why(
    change: dict[str, Any], said: str, command: Command, tmp_path: Path
) -> None:
    store(tmp_path, [row | change for row in little.rows()])
    assert said in refused(command("evaluate", "set.parquet", "made", "--out", "out", *PLAIN))
    if change.get("camid") == 4:
        free = command("evaluate", "set.parquet", "made", "--protocol", "no-cameras", "--out", "free", *PLAIN)
        assert free.code == 0, free.err


def test_cuda_on_a_machine_without_it_is_one_line(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    store(tmp_path)
    message = refused(command("evaluate", "set.parquet", "made", "--device", "cuda", "--out", "out", *PLAIN))
    assert "--device cuda: torch finds no GPU" in message
    monkeypatch.setitem(sys.modules, "torch", None)
    message = refused(command("evaluate", "set.parquet", "made", "--device", "cuda", "--out", "out", *PLAIN))
    assert "--device cuda: needs torch, which is not installed" in message
    assert not (tmp_path / "out").exists()


def test_a_matrix_is_called_as_it_is_asked_or_as_its_file(command: Command, tmp_path: Path) -> None:
    store(tmp_path)
    for words, method in (((), "far"), (("--method", "mine"), "mine")):
        done = command("evaluate", "set.parquet", "--distances", "far.npz", "--out", method, *words, *PLAIN)
        assert done.code == 0, done.err
        assert results.read(tmp_path / method).run["method"] == method


def test_the_folder_one_stands_in_may_be_the_features(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path)
    monkeypatch.chdir(tmp_path / "made")
    done = command("evaluate", "../set.parquet", ".", *PLAIN)
    assert done.code == 0, done.err
    assert results.read(tmp_path / "made-market-style").run["method"] == "made"


def test_rerank_takes_its_numbers_from_settings(command: Command, tmp_path: Path) -> None:
    store(tmp_path)
    words = ("--rerank", "k-reciprocal", "--set", "rerank.k1=5", "--out", "out")
    done = command("evaluate", "set.parquet", "made", *words, *PLAIN)
    assert done.code == 0, done.err
    assert results.read(tmp_path / "out").run["rerank"] == "k-reciprocal k1=5 k2=6 weight=0.3"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["made"], "name a reference and at least one other side"),
        (["made", "made", "--out", "table.txt"], "--out table.txt: must end in .parquet or .csv"),
        (["made", "made"], "made: holds no run.json"),
        (["made", "made", "--draws", "3"], "'--draws'"),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_be_compared_is_one_line(words: list[str], said: str, command: Command, tmp_path: Path) -> None:
    store(tmp_path)
    assert said in refused(command("compare", *words))
