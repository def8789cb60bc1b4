"""`luxreid bench compare`: sides in, a table and a file out; sides that cannot be compared are one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

import luxreid
from benchmark import bundling, compare, protocol, results
from benchmark.commands import bench
from benchmark.errors import UserError
from benchmark.evaluation import Options
from benchmark.features import Features
from tests.benchmark import little

Run = Callable[..., Result]

SIDES = ("poor", "good")


def side(folder: Path, noise: float, seeds: int, people: int = little.PEOPLE, plan: str = "market-style") -> Path:
    """Evaluate a method that was trained with several seeds."""
    world = little.world(little.rows(people))
    names = world.table["image_id"].to_pylist()
    for seed in range(seeds):
        given = Features(names, little.vectors(world, noise, seed), {"method": folder.name, "seed": seed})
        out = folder / f"seed{seed}"
        bundling.evaluate(world, protocol.load(plan), given, Options(draws=0), out)
    return folder


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sides")
    side(root / "good", 1.0, 2)
    side(root / "poor", 3.0, 3)
    side(root / "small", 1.0, 1, people=9)
    side(root / "free", 1.0, 1, plan="no-cameras")
    (root / "nothing").mkdir()
    return root


@pytest.fixture
def run(sides: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(sides)
    return lambda *words: CliRunner().invoke(
        bench.commands(luxreid.METHODS, luxreid.RECIPES), ["compare", *map(str, words)]
    )


def good(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def expected(sides: Path, other: str) -> list[dict[str, Any]]:
    return compare.table(compare.compare(sides / other, sides / "good", 200, 5))


def test_every_other_side_is_compared_with_the_first(run: Run, sides: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "table.parquet"
    said = good(run("good", "poor", "good/seed1", "--out", out, "--draws", 200, "--seed", 5))
    rows = pq.read_table(out).to_pylist()
    assert rows == [*expected(sides, "poor"), *expected(sides, "good/seed1")]
    first = next(row for row in rows if (row["cut"], row["metric"]) == ("all", "mAP"))
    means = [np.mean([results.read(sides / name / f"seed{seed}").run["mAP"] for seed in (0, 1)]) for name in SIDES]
    assert [first["a"], first["b"]] == pytest.approx(means)
    assert first["difference"] == pytest.approx(means[0] - means[1])
    assert first["run_ids_a"] == [results.read(sides / f"poor/seed{seed}").run["run_id"] for seed in (0, 1)]
    assert "poor against good: n too small, 12 identities" in said
    assert str(out) in said.splitlines()


def test_a_csv_holds_the_same_rows_and_runs_stand_in_one_cell(run: Run, sides: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    good(run("good", "poor", "--out", out, "--draws", 200, "--seed", 5))
    rows, wanted = pa.csv.read_csv(out).to_pylist(), expected(sides, "poor")
    assert len(rows) == len(wanted)
    for row, other in zip(rows, wanted, strict=True):
        assert list(row) == list(other)
        assert row["run_ids_a"] == " ".join(other["run_ids_a"])
        assert (row["metric"], row["cut"], row["difference"]) == (
            other["metric"],
            other["cut"],
            pytest.approx(other["difference"]),
        )


def test_without_out_nothing_is_written(run: Run, sides: Path) -> None:
    before = sorted(sides.rglob("*"))
    assert "poor against good" in good(run("good", "poor", "--draws", 200))
    assert sorted(sides.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["good"], "bench compare: name a reference and at least one other side"),
        (["good", "poor", "--out", "table.txt"], "--out table.txt: must end in .parquet or .csv"),
        (["good", "poor", "--out", "table"], "--out table: must end in .parquet or .csv"),
        (["good", "small"], "was made with other lists than"),
        (["good", "free"], "was made with another protocol than"),
        (["good/seed0", "poor/seed2"], "seed"),
        (["good", "nothing"], "nothing: holds no run.json, and no folder in it does"),
        (["good", "elsewhere"], "elsewhere: is no folder"),
        (["good", "."], "holds no run.json"),
        (["good", "poor", "--out", "good/seed0/run.json/a.csv"], "a.csv: cannot write"),
    ],
)
def test_sides_that_do_not_fit_are_one_line(words: list[str], said: str, run: Run, sides: Path) -> None:
    before = sorted(sides.rglob("*"))
    result = run(*words)
    assert isinstance(result.exception, UserError), (result.output, result.exception)
    message = str(result.exception)
    assert said in message
    assert len(message.splitlines()) == 1
    assert sorted(sides.rglob("*")) == before


def test_a_run_that_failed_is_no_side(run: Run, sides: Path, tmp_path: Path) -> None:
    record = results.run_record(run_id="r", status="failed", provenance="rescored", notes="features: broken")
    results.write(results.Bundle(record), tmp_path / "failed")
    message = str(run("good", tmp_path / "failed").exception)
    assert "failed: the run is 'failed'; only runs that ended well ('ok') are compared" in message
    assert sides.is_dir()
