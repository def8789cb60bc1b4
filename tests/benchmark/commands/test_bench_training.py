"""`luxreid bench train, run, sweep, extract, search, weights, pretrain`: through the command line, on a painted set."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner, Result

import luxreid
from benchmark import features, results
from benchmark.commands import bench
from benchmark.errors import UserError
from benchmark.runner import weights
from tests.benchmark.runner import painted

RECIPE = f"""
title = "little"
method = "{painted.METHOD}"
size = [16, 8]
test = "painted"
protocol = "plan.toml"
[config]
epochs = 3
[[train]]
data = "painted"
[batches]
identities = 4
instances = 2
[augment]
pad = 1
[loop]
precision = "fp32"
"""

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    return bench.commands(luxreid.METHODS, luxreid.RECIPES)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a set, a recipe, and a file that binds their names."""
    folder = tmp_path_factory.mktemp("home")
    painted.world(folder / "set")
    (folder / "little.toml").write_text(RECIPE)
    (folder / "other.toml").write_text(RECIPE.replace("epochs = 3", "epochs = 6"))
    (folder / "plan.toml").write_text(painted.PLAN)
    (folder / "pre.toml").write_text(
        RECIPE.replace('test = "painted"\nprotocol = "plan.toml"\n', 'test = ""\nprotocol = ""\n')
    )
    (folder / "luxreid.toml").write_text('[data]\npainted = "set/manifest.parquet"\n')
    return folder


@pytest.fixture
def run(app: typer.Typer, home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(home)
    return lambda *words: CliRunner().invoke(app, [*map(str, words)])


def good(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def refused(result: Result) -> str:
    assert isinstance(result.exception, UserError), (result.output, result.exception)
    message = str(result.exception)
    assert len(message.splitlines()) == 1, message
    return message


def test_train_extract_and_evaluate_one_by_one_give_what_run_gives(run: Run, home: Path) -> None:
    good(run("train", "little.toml", "--out", "alone"))
    good(run("extract", "alone", "set/manifest.parquet", "--out", "vectors"))
    words = ("set/manifest.parquet", "vectors", "--protocol", "plan.toml", "--training", "alone", "--out", "tested")
    good(run("evaluate", *words))
    said = good(run("run", "little.toml", "--out", "whole"))
    assert "chance mAP" in said
    apart, whole = (results.read(home / name) for name in ("tested", "whole"))
    for name in ("mAP", "R1", "ckpt_sha256", "lists_sha256", "train_sets", "config_id", "provenance"):
        assert apart.run[name] == whole.run[name], name
    assert apart.tables["queries"]["pos_ranks"] == whole.tables["queries"]["pos_ranks"]


def test_the_default_folder_names_recipe_and_seed(run: Run, home: Path) -> None:
    assert "runs/little-s3" in good(run("train", "little.toml", "--seed", "3", "--limit", "1"))
    assert results.read(home / "runs" / "little-s3").run["flagged"]


def test_a_limit_on_extraction_is_a_preview(run: Run, home: Path) -> None:
    good(run("train", "little.toml", "--out", "alone"))
    good(run("extract", "alone", "set/manifest.parquet", "--out", "few", "--limit", "5"))
    assert len(features.read(home / "few").image_ids) == 5


def test_a_sweep_runs_what_is_missing_and_compares(run: Run, home: Path) -> None:
    said = good(run("sweep", "little.toml", "other.toml", "--seeds", "2", "--out", "sw", "--plan"))
    assert not (home / "sw").exists()
    assert "4 runs" in said
    said = good(run("sweep", "little.toml", "other.toml", "--seeds", "2", "--out", "sw"))
    assert all(
        (home / "sw" / name / seed / "run.json").exists() for name in ("little", "other") for seed in ("s0", "s1")
    )
    assert "little" in said
    assert "other" in said
    assert "nothing is left" in good(run("sweep", "little.toml", "other.toml", "--seeds", "2", "--out", "sw", "--plan"))


def test_a_pretrained_backbone_is_what_street_means(run: Run, home: Path) -> None:
    path = good(run("pretrain", "--data", "set/manifest.parquet", "--recipe", "pre.toml")).strip().splitlines()[-1]
    assert Path(path) == Path("weights/colours.safetensors")
    about = weights.described(home / path)
    assert (about["recipe"], about["trained_on"]) == ("pre", "painted")
    assert len(about["people"].split()) == 8
    assert "has one [[train]] and no test" in refused(run("pretrain", "--data", "x.parquet", "--recipe", "little.toml"))


def test_search_ranks_ones_own_pictures(run: Run, home: Path) -> None:
    good(run("train", "little.toml", "--out", "alone"))
    asked = home / "set" / "002_c1_0.png"
    good(run("search", "alone", "set", asked, "--out", "found", "--first", "4"))
    rows = pq.read_table(home / "found" / "search.parquet").to_pylist()
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert "002_c1_0.png" not in {row["path"] for row in rows}  # a query does not find itself


def test_weights_are_described_and_exported(run: Run, home: Path) -> None:
    good(run("train", "little.toml", "--out", "alone"))
    said = good(run("weights", "alone", "--torchscript", "a.pt"))
    assert "colours" in said
    assert json.loads((home / "a.pt.json").read_text())["greatest_difference"] < 1e-4


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("train", "litle.toml"), "litle.toml"),
        (("train", "street-tinny"), "street-tiny"),
        (("train", "little.toml", "--set", "config.rat=1"), "unknown key 'rat'"),
        (("train", "little.toml", "--set", "method=bott"), "no method is called 'bott'"),
        (("train", "little.toml", "--data", "painted=none.parquet"), "none.parquet: cannot read"),
        (("train", "little.toml", "--device", "gpu"), "--device gpu"),
        (("train", "little.toml", "--set", "batches.identities=20", "--out", "p"), "8 identities, a batch takes 20"),
        (("run", "pre.toml", "--data", "painted=set/manifest.parquet", "--out", "q"), "names no test set and protocol"),
        (("extract", "set", "set/manifest.parquet"), "holds no training.json"),
        (("sweep", "little.toml", "little.toml"), "little"),
    ],
)
def test_a_mistake_is_one_line(run: Run, words: tuple[str, ...], complaint: str) -> None:
    assert complaint in refused(run(*words))
