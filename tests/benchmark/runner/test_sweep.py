"""Sweeps over pretended runs: what is run, what is told, and tables against bundles that are read apart."""

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmark import compare, differences, results
from benchmark.errors import UserError
from benchmark.runner import sweep, sweep_results
from benchmark.runner.job import Job
from tests.benchmark.runner import pretend

Mistake = Callable[..., AbstractContextManager[None]]

RECIPES: dict[str, dict[str, object]] = {
    "plain": {"noise": 2.0},
    "good": {"noise": 0.8},
    "alike": {"noise": 2.0, "other seeds": 100},
}


def shown(lines: Iterable[Any]) -> str:
    """Print what a command would, and the error that it ends in."""
    console = Console(width=160, highlight=False, markup=False)
    with console.capture() as capture:
        try:
            for part in lines:
                console.print(part, soft_wrap=isinstance(part, str))
        except UserError as error:
            console.print(f"error: {error}", soft_wrap=True)
    return capture.get()


def swept(jobs: list[Job], out: Path, workers: int = 1, devices: tuple[str, ...] = ("cpu",)) -> str:
    return shown(sweep.sweep(jobs, pretend.run, workers, devices, out))


def cells(text: str, begins: str) -> list[list[str]]:
    """Give the rows of a printed table whose first cell is given."""
    return [line.split() for line in text.splitlines() if line.split()[:1] == [begins]]


def line(found: compare.Comparison, metric: str) -> compare.Line:
    return next(line for line in found.lines if (line.cut, line.metric) == ("all", metric))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Sweep three recipes over five seeds."""
    out = tmp_path_factory.mktemp("sweep")
    return out, swept(pretend.jobs(out, 5, RECIPES), out)


def test_recipes_meet_seed_by_seed_and_a_second_call_runs_nothing(done: tuple[Path, str]) -> None:
    out, said = done
    begun = [(call["seed"], call["recipe"]) for call in pretend.calls(out)]
    assert begun == [(seed, name) for seed in range(5) for name in RECIPES]
    assert swept(pretend.jobs(out, 5, RECIPES), out) == said
    assert len(pretend.calls(out)) == 15


def test_the_first_table_says_what_the_bundles_say(done: tuple[Path, str]) -> None:
    out, said = done
    for name in RECIPES:
        runs = [results.read(out / name / f"s{seed}").run for seed in range(5)]
        scores = [
            f"{100 * number:.2f}"
            for metric in ("mAP", "R1")
            for values in [[run[metric] for run in runs]]
            for number in (sum(values) / 5, math.sqrt(sum((value - sum(values) / 5) ** 2 for value in values) / 4))
        ]
        assert cells(said, name)[0] == [name, name, *scores, "5", "12"]


def test_every_other_recipe_is_compared_with_the_first(done: tuple[Path, str]) -> None:
    out, _ = done
    rows = {(row["recipe"], row["metric"]): row for row in pq.read_table(out / "sweep.parquet").to_pylist()}
    assert list(rows) == [(name, metric) for name in RECIPES for metric in ("mAP", "R1")]
    found = {name: compare.compare(out / name, out / "plain") for name in ("good", "alike")}
    for metric in ("mAP", "R1"):
        assert rows["plain", metric]["against"] is None
        # Holm over the two recipes: the smaller of the larger p counts twice.
        largest = {name: max(one.found.p, one.found.p_flip) for name in found for one in [line(found[name], metric)]}
        low, high = sorted(largest.values())
        for name, one in found.items():
            row, own = rows[name, metric], line(one, metric).found
            assert row["against"] == "plain"
            for key in ("difference", "se", "low", "high", "df", "p", "p_flip", "same_sign", "identities", "queries"):
                assert row[key] == getattr(own, key), key
            assert row["matched_seeds"] == [0, 1, 2, 3, 4]
            assert row["p_holm"] == pytest.approx(2 * low if largest[name] == low else max(2 * low, high))
            assert row["detectable"] == pytest.approx(differences.detectable(own.se, own.df))
            assert row["run_ids"] == [results.read(out / name / f"s{seed}").run["run_id"] for seed in range(5)]
    assert rows["good", "mAP"]["claim"] == "better"
    assert rows["alike", "mAP"]["claim"] == ""


def test_the_second_table_and_the_sentences_say_the_same(done: tuple[Path, str]) -> None:
    out, said = done
    rows = {(row["recipe"], row["metric"]): row for row in pq.read_table(out / "sweep.parquet").to_pylist()}
    for name in ("good", "alike"):
        for place, metric in enumerate(("mAP", "R1"), start=1):
            row, cell = rows[name, metric], cells(said, name)[place]
            assert cell[1:3] == [metric, f"{100 * row['difference']:+.2f}"]
            assert cell[-4:] == [
                "5",
                "yes" if row["same_sign"] else "no",
                f"{100 * row['detectable']:.2f}",
                row["claim"] or "-",
            ]
    assert "good is better than plain by" in said
    assert "B: plain" in said


def test_the_files_hold_the_same_rows(done: tuple[Path, str]) -> None:
    out, said = done
    table, flat = pq.read_table(out / "sweep.parquet"), pa.csv.read_csv(out / "sweep.csv").to_pylist()
    assert table.schema.metadata == {b"luxreid.schema": b"sweep/1"}
    assert table.schema.equals(sweep_results.TABLE)
    for row, other in zip(table.to_pylist(), flat, strict=True):
        assert other["run_ids"] == " ".join(row["run_ids"])
        assert other["difference"] == row["difference"]
    assert {str(out / "sweep.parquet"), str(out / "sweep.csv")} <= set(said.splitlines())


def test_a_run_that_fails_stops_no_other_one_and_is_taken_up_again(tmp_path: Path) -> None:
    recipes: dict[str, dict[str, object]] = {"plain": {"mistake at": 1}, "other": {"fault at": 0}}
    said = swept(pretend.jobs(tmp_path, 3, recipes), tmp_path)
    assert len(pretend.calls(tmp_path)) == 6
    log = tmp_path / "other" / "s0.traceback"
    assert f"{tmp_path / 'plain' / 's1'}: pictures: 3 of 9 cannot be read" in said.splitlines()
    assert f"{tmp_path / 'other' / 's0'}: ZeroDivisionError: division by zero ({log})" in said.splitlines()
    assert said.splitlines()[-1] == "error: 2 of 6 runs failed; the next call takes them up again"
    assert 'raise ZeroDivisionError("division by zero")' in log.read_text()
    # Only seed 2 has run on both sides.
    (row,) = (
        row
        for row in pq.read_table(tmp_path / "sweep.parquet").to_pylist()
        if row["metric"] == "mAP" and row["against"]
    )
    assert (row["recipe"], row["seeds"], row["matched_seeds"]) == ("other", [1, 2], [2])
    again = swept(pretend.jobs(tmp_path, 3, {"plain": {}, "other": {}}), tmp_path)
    assert [(call["recipe"], call["seed"]) for call in pretend.calls(tmp_path)[6:]] == [("other", 0), ("plain", 1)]
    assert "error" not in again
    assert not log.exists()


def test_what_ended_of_another_sweep_is_not_counted(tmp_path: Path) -> None:
    swept(pretend.jobs(tmp_path, 3, {"plain": {}}), tmp_path)
    said = swept(pretend.jobs(tmp_path, 2, {"plain": {}}), tmp_path)
    assert cells(said, "plain")[0][-2:] == ["2", "10"]


def test_a_bundle_that_its_run_refuses_is_in_no_table(tmp_path: Path) -> None:
    def refuse(job: Job) -> Path:
        raise UserError(f"{job.out}: holds another training")

    swept([pretend.job(tmp_path, "plain", 0)], tmp_path)
    said = shown(sweep.sweep([pretend.job(tmp_path, "plain", 0)], refuse, 1, ("cpu",), tmp_path))
    assert "plain: no run has ended well, so it is in no table" in said
    assert not cells(said, "plain")


def test_a_run_that_ends_without_a_bundle_has_failed(tmp_path: Path) -> None:
    said = shown(sweep.sweep([pretend.job(tmp_path, "plain", 0)], lambda job: job.out, 1, ("cpu",), tmp_path))
    assert f"{tmp_path / 'plain' / 's0'}: left no finished bundle" in said.splitlines()


@pytest.mark.parametrize("other", [{"people": 20}, {"protocol": "no-cameras"}])
def test_recipes_that_test_otherwise_are_not_compared_and_still_in_the_first_table(
    tmp_path: Path, other: dict[str, object]
) -> None:
    said = swept(pretend.jobs(tmp_path, 1, {"plain": {}, "other": other, "alike": {}}), tmp_path)
    assert "other is not compared with plain: " in said
    assert len(cells(said, "other")) == 2  # the first table, and that line
    assert len(cells(said, "alike")) == 4  # the first table, two lines of the second, and a sentence
    rows = {row["recipe"]: row for row in pq.read_table(tmp_path / "sweep.parquet").to_pylist()}
    assert (rows["other"]["against"], rows["alike"]["against"]) == (None, "plain")
    assert rows["other"]["mean"] is not None


def test_where_the_first_recipe_failed_nothing_is_compared(tmp_path: Path) -> None:
    said = swept(pretend.jobs(tmp_path, 1, {"plain": {"mistake at": 0}, "other": {}, "alike": {}}), tmp_path)
    assert "plain: no run has ended well, so it is in no table" in said
    assert "B: " not in said
    assert len(cells(said, "other")) == 1


def test_a_run_whose_vectors_could_not_be_scored_is_named_once(tmp_path: Path) -> None:
    jobs = pretend.jobs(tmp_path, 1, {"plain": {}, "other": {}, "alike": {}})
    swept(jobs, tmp_path)
    broken = results.read(jobs[0].out)
    results.write(results.Bundle(broken.run | {"n_nonfinite_q": 2}, broken.tables), jobs[0].out)
    said = swept(jobs, tmp_path)
    assert said.count(f"{jobs[0].out}: 2 vectors could not be scored") == 1


@pytest.mark.slow
def test_workers_have_a_device_each_and_one_that_dies_costs_no_other_run(tmp_path: Path) -> None:
    recipes: dict[str, dict[str, object]] = {"plain": {"seconds": 0.5}, "other": {"seconds": 0.5, "fault at": 1}}
    jobs = pretend.jobs(tmp_path, 3, recipes)
    said = swept(jobs, tmp_path, workers=2, devices=("cuda:0", "cuda:1"))
    begun = pretend.calls(tmp_path)
    devices = {(call["process"], call["device"]) for call in begun}
    assert len(devices) == 2
    assert {device for _, device in devices} == {"cuda:0", "cuda:1"}
    assert sum(call["device"] == "cuda:0" for call in begun) in (2, 3, 4)
    assert said.splitlines()[-1] == "error: 1 of 6 runs failed; the next call takes them up again"
    dying = pretend.jobs(tmp_path, 1, {"plain": {}, "dying": {"killed at": 0}})
    said = swept(dying, tmp_path, workers=2)
    assert "a worker process died 3 times" in said
    assert len(cells(said, "plain")) == 1


def test_the_plan_says_how_long_the_rest_takes_and_runs_nothing(tmp_path: Path) -> None:
    recipes: dict[str, dict[str, object]] = {"plain": {}, "other": {}}
    swept(pretend.jobs(tmp_path, 1, recipes), tmp_path)
    asked = list[tuple[str, int]]()

    def estimate(job: Job) -> float:
        asked.append((job.name, job.seed))
        return {"plain": 30.0, "other": 606.0}[job.name]

    jobs = pretend.jobs(tmp_path, 4, recipes)
    said = shown(sweep.plan(jobs, estimate, 2))
    assert asked == [("plain", 1), ("other", 1)]  # one run of each
    assert cells(said, "plain")[0] == ["plain", "1", "3", "30", "s", "90", "s"]
    assert cells(said, "other")[0] == ["other", "1", "3", "10", "min", "30", "min"]
    # One worker takes 30, 30 and 606 seconds, the other 606, 30 and 606.
    assert said.splitlines()[-1] == "6 runs: about 21 min of training and embedding, 2 at a time"
    assert shown(sweep.plan(jobs, estimate, 1)).splitlines()[-1] == "6 runs: about 32 min of training and embedding"
    assert len(pretend.calls(tmp_path)) == 2
    finished = pretend.jobs(tmp_path, 1, recipes)
    assert shown(sweep.plan(finished, estimate, 1)).splitlines()[-1] == "nothing is left to run"


@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.integers(1, 4))
def test_the_wall_time_is_that_of_workers_who_take_what_is_next(seconds: list[int], workers: int) -> None:
    clock, waiting, running = 0, list(seconds), list[int]()
    while waiting or running:
        while waiting and len(running) < workers:
            running.append(waiting.pop(0))
        clock += 1
        running = [left - 1 for left in running if left > 1]
    assert sweep.wall([float(each) for each in seconds], workers) == clock


def test_two_runs_in_one_place_are_refused(tmp_path: Path, mistake: Mistake) -> None:
    twice = [pretend.job(tmp_path, "plain", 0), pretend.job(tmp_path, "plain", 0)]
    with mistake(tmp_path / "plain" / "s0", "two runs would be kept there", "name every recipe once"):
        list(sweep.plan(twice, lambda job: 0.0, 1))
    with mistake("name every recipe once"):
        list(sweep.sweep([twice[0], replace(twice[1], name="other")], pretend.run, 1, ("cpu",), tmp_path))
    assert not pretend.calls(tmp_path)


def test_who_stops_a_sweep_stops_it(tmp_path: Path) -> None:
    def interrupt(job: Job) -> Path:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(sweep.sweep(pretend.jobs(tmp_path, 2, {"plain": {}}), interrupt, 1, ("cpu",), tmp_path))


def test_one_seed_has_no_spread(tmp_path: Path) -> None:
    said = swept(pretend.jobs(tmp_path, 1, {"plain": {}}), tmp_path)
    assert cells(said, "plain")[0][3] == "-"
    assert np.isfinite(pq.read_table(tmp_path / "sweep.parquet")["mean"].to_pylist()).all()
    assert pq.read_table(tmp_path / "sweep.parquet")["sd_seeds"].null_count == 2
