"""The journey, end to end, through the command line; and every command on what it leaves."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import luxreid
from benchmark import manifest, results, strata
from leaderboards import store

ROOT = Path(__file__).parents[2]


def run(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    command = [sys.executable, "-m", "luxreid", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the demo was run."""
    folder = tmp_path_factory.mktemp("home")
    done = run("demo", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "said.txt").write_text(done.stdout)
    return folder


def test_the_demo_walks_every_package_and_ends_in_a_table(home: Path) -> None:
    said = (home / "said.txt").read_text()
    steps = json.loads((home / "demo" / ".steps" / "leaderboards-board.json").read_text())
    assert steps["seconds"] >= 0
    assert [line.split(":")[0] for line in said.splitlines() if re.match(r"[a-z]+: [A-Z]", line)] == [
        package for package, _ in luxreid.DEMO
    ]
    for word in ("Low", "Medium", "High", "Big", "chance", "no problems"):
        assert word in said.split("leaderboards:")[1]


def test_its_bundle_and_board_agree_and_beat_chance(home: Path) -> None:
    bundle = results.read(home / "demo" / "bundle")
    (row,) = store.runs(store.opened(home / "demo" / "board")).rows
    assert (row["run_id"], row["mAP"]) == (bundle.run["run_id"], bundle.run["mAP"])
    assert f"{100 * row['mAP']:.1f}" in (home / "said.txt").read_text().split("leaderboards:")[1]
    strata = bundle.tables["strata"].to_pylist()
    chance = {cell["q_stratum"]: cell["value"] for cell in strata if cell["metric"] == "chance_mAP"}
    assert bundle.run["mAP"] > 2 * max(chance.values())


def read(home: Path, name: str) -> pd.DataFrame:
    return manifest.read(home / "demo" / name).frame()


def test_day_and_true_night_are_the_same_people_and_scenes(home: Path) -> None:
    day, night = read(home, "street/day.parquet"), read(home, "street/night.parquet")
    joined = night.merge(day, on="scene", suffixes=("", "_day"))
    assert len(joined) == len(day) == len(night)
    for name in ("pid", "camid", "id_space", "frame", "x", "y", "w", "h", "mask"):
        assert joined[name].equals(joined[f"{name}_day"].rename(name)), name
    # Cameras amplify what they get: by night a picture under a lamp may be as bright as by day.
    assert joined["lightness"].median() < joined["lightness_day"].median() / 2
    assert not joined["sha256"].isin(joined["sha256_day"]).any()


def test_every_size_and_every_light_of_the_true_night_has_its_share(home: Path) -> None:
    night = manifest.read(home / "demo" / "street" / "night.parquet")
    for scheme, least in (("night600-scale", 0.15), ("night600-light", 0.1)):
        cut = strata.assign(night, strata.scheme(scheme))
        assert min(np.bincount(cut.codes, minlength=3) / len(night)) >= least, scheme


def test_the_synthetic_night_has_the_days_people_and_scenes(home: Path) -> None:
    day, night = read(home, "street/day.parquet"), read(home, "synthetic-night/manifest.parquet")
    joined = night.merge(day, left_on="parent", right_on="image_id", suffixes=("", "_day"))
    assert len(joined) == len(day) == len(night)
    for name in ("pid", "camid", "id_space", "scene"):
        assert joined[name].equals(joined[f"{name}_day"].rename(name)), name
    assert joined["lightness"].median() < joined["lightness_day"].median() / 2
    assert len(set(joined["synth_recipe_sha256"])) == 1


def test_what_is_trained_and_evaluated_on_is_the_true_night(home: Path) -> None:
    run = results.read(home / "demo" / "bundle").run
    night = manifest.read(home / "demo" / "street" / "night.parquet")
    assert run["eval_data_sha256"] == night.data_sha256
    assert run["eval_set"] == run["train_sets"][0]["name"] == "street-demo-s0-night"


def test_a_second_demo_goes_on_where_the_first_ended(home: Path) -> None:
    (home / "demo" / ".steps" / "leaderboards-board.json").unlink()
    board = sorted(path.name for path in (home / "demo" / "board" / "results").rglob("*"))
    shutil.rmtree(home / "demo" / "board")
    done = run("demo", cwd=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("(done before)") == len(luxreid.DEMO) - 1
    # The names are hashes of what is in the files.
    assert sorted(path.name for path in (home / "demo" / "board" / "results").rglob("*")) == board


def test_two_demos_are_equal_byte_for_byte(home: Path, tmp_path: Path) -> None:
    assert run("demo", cwd=tmp_path).returncode == 0
    for file in sorted((home / "demo").rglob("*")):
        other = tmp_path / file.relative_to(home)
        timed = {".steps", "board"} & set(file.parts) or file.name in (
            "run.json",
            "ledger.jsonl",
            "queries.parquet",
            "strata.parquet",
            "training.json",
            "log.jsonl",  # how fast, beside what
            "features.json",
            "cache.json",  # when its file was written
        )
        if file.is_file() and not timed:
            assert other.read_bytes() == file.read_bytes(), file


def snippets() -> Iterator[tuple[str, str]]:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for line in page.read_text().splitlines():
            if line.startswith("$ luxreid "):
                yield page.name, line[len("$ luxreid ") :]


def test_every_command_in_the_documents_runs(home: Path) -> None:
    found = [(page, line) for page, line in snippets() if not line.startswith("demo")]
    assert len(found) >= 10
    for page, line in found:
        words = line.split("#")[0].split()
        done = run(*[word.strip("'\"") for word in words], cwd=home)
        assert done.returncode in (0, 1), f"{page}: {line}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        assert (done.returncode == 1) == ("exit 1" in line), f"{page}: {line}\n{done.stdout}"


def test_read_measure_check_export_and_read_again(home: Path, tmp_path: Path) -> None:
    night = home / "demo" / "street" / "split.parquet"
    for layout, pattern in (
        ("market", "{split}/{pid}_c{camid}s{sequence}_{frame}_{any}"),
        ("night600", "{split}/{pid}_c{camid}_{any}"),
    ):
        out = tmp_path / layout
        assert run("data", "export", str(night), "--format", layout, "--out", str(out), cwd=tmp_path).returncode == 0
        (out / "manifest.parquet").rename(tmp_path / f"{layout}.parquet")
        (out / "names.csv").rename(tmp_path / f"{layout}.csv")
        # The name of the folder would make it the known set, with another number of pictures.
        settings = ["--set", f"pattern={pattern}", "--set", "source=mine"]
        done = run("data", "read", "folders", str(out), *settings, "--out", str(out / "m.parquet"), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        done = run("data", "measure", str(out / "m.parquet"), "--workers", "2", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert run("data", "check", str(out / "m.parquet"), cwd=tmp_path).returncode == 0
        read = manifest.read(out / "m.parquet").frame()
        source = manifest.read(night).frame()
        for role in ("query", "gallery"):
            assert sorted(read["sha256"][read[role]]) == sorted(source["sha256"][source[role]])
            assert sorted(read["pid"][read[role]]) == sorted(source["pid"][source[role]])
