"""`luxreid synth night` as a person types it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import typer

import luxreid
from benchmark import durable, manifest
from benchmark.columns import MEASURED
from benchmark.errors import UserError
from synthesis import generate
from synthesis.night import work
from tests.synthesis import days

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with a day's manifest."""
    manifest.write(days.day(tmp_path / "day"), tmp_path / "day" / "manifest.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def night(*words: str, day: str = "day/manifest.parquet") -> None:
    """Run the command in this process."""
    group = typer.main.get_group(luxreid.app)
    if group.main(["synth", "night", day, *words], "luxreid", standalone_mode=False):
        raise SystemExit(1)


def test_a_night_is_made_and_its_levels_are_printed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    night("--night", "night600", "--out", "made", "--seed", "5", "--sheet")
    said = capsys.readouterr().out
    record = durable.read_json(Path("made/night.json"))
    assert said.startswith("made: night600: 10 pictures in 11 files; ")
    assert " pictures a second\n" in said
    assert f"lightness: mean error {record['counts']['lightness_error']:.2f} of 255" in said
    printed = {line.partition("  ")[0]: line for line in reversed(said.splitlines())}  # of two rows, the first
    assert printed["declared"].split()[1::2] == ["45", "35", "20"]
    for row, levels in (("drawn", "planned"), ("made", "made")):
        numbers = [int(word) for word in printed[row].removeprefix(row).replace("%", "").split()]
        assert numbers[::2] == list(record["counts"]["levels"][levels].values())
        assert numbers[1::2] == [10 * number for number in numbers[::2]]
    assert said.splitlines()[-1] == "made-sheet.png"
    assert Path("made-sheet.png").is_file()
    before = Path("made/plan.parquet").stat().st_mtime_ns
    night("--night", "night600", "--out", "made", "--seed", "5")
    assert "was finished before, nothing to do" in capsys.readouterr().out
    assert Path("made/plan.parquet").stat().st_mtime_ns == before


def test_options_are_settings_and_the_written_recipe_is_a_night(home: Path) -> None:
    night("--night", "gamma", "--out", "one", "--quality", "exact", "--set", "gamma.gain=[0.8, 0.9]", "--limit", "4")
    assert durable.read_json(Path("one/night.json"))["recipe"]["quality"] == "exact"
    night("--night", "one/night.toml", "--out", "two", "--limit", "4")
    one, two = (sorted(Path(name).rglob("*.jpg")) for name in ("one", "two"))
    assert [path.relative_to("one") for path in one] == [path.relative_to("two") for path in two]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_the_stage_that_the_page_shows_works(home: Path) -> None:
    page = (ROOT / "docs" / "synthesis.md").read_text()
    code = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "COLUMNS = " in block)
    named = re.findall(r"`(stages = \[[^`]*lab\.fog[^`]*\])`", page)
    Path("lab").mkdir()
    Path("lab/fog.py").write_text(code)
    for name, last in (("clear", 0), ("foggy", 1)):
        Path(f"{name}.toml").write_text(f"{named[0]}\n[fog]\nrange = [{last}, {last}]\n")
        command = [sys.executable, "-m", "luxreid", "synth", "night", "day/manifest.parquet", "--night", f"{name}.toml"]
        done = subprocess.run(
            [*command, "--out", name],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    clear, foggy = (manifest.read(Path(name) / "manifest.parquet") for name in ("clear", "foggy"))
    contrast = [np.median(night.column("p95").astype(float) - night.column("p05")) for night in (clear, foggy)]
    assert contrast[1] < 0.5 * contrast[0]
    about = pq.read_schema("foggy/plan.parquet").field("fog").metadata[b"about"]
    assert about == b"part of the light that is replaced"


OWN = """
from benchmark.config import Strict


class Config(Strict):
    pass


def plan(columns):
    return {}


def apply(block, plan):
    block.pictures = [255 - picture for picture in block.pictures]
"""


def test_the_code_of_a_stage_of_ones_own_is_part_of_the_night(home: Path) -> None:
    Path("lab").mkdir()
    Path("own.toml").write_text('stages = ["lab.upside", "codec"]')
    command = [sys.executable, "-m", "luxreid", "synth", "night", "day/manifest.parquet", "--night", "own.toml"]

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        environment = os.environ | {"PYTHONPATH": f"{home}{os.pathsep}{ROOT}"}
        return subprocess.run([*command, *words], env=environment, capture_output=True, text=True, check=False)

    Path("lab/upside.py").write_text(OWN)
    assert run("--out", "one").returncode == 0
    Path("lab/upside.py").write_text(OWN.replace("255", "250"))
    again = run("--out", "one")
    assert again.returncode == 2
    assert again.stderr.startswith("luxreid: one: holds another night, own: recipe.code_sha256.lab.upside is ")
    assert run("--out", "two").returncode == 0
    first, second = (durable.read_json(Path(name) / "night.json") for name in ("one", "two"))
    assert first["recipe_sha256"] != second["recipe_sha256"]
    script = "import sys; from pathlib import Path; from benchmark import manifest; from synthesis import generate\n"
    script += "generate.replay(Path('one'), manifest.read(Path('day/manifest.parquet')), [0])"
    environment = os.environ | {"PYTHONPATH": f"{home}{os.pathsep}{ROOT}"}
    told = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert "the code of lab.upside is not what it was when this night was made" in told.stderr


def test_a_night_that_failed_at_once_leaves_its_folder_free(home: Path) -> None:
    Path("lab").mkdir()
    Path("lab/upside.py").write_text(OWN.replace("255 - picture", "1 / 0"))
    Path("own.toml").write_text('stages = ["lab.upside", "codec"]')
    environment = os.environ | {"PYTHONPATH": f"{home}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "luxreid", "synth", "night", "day/manifest.parquet", "--night", "own.toml"]
    codes = []
    for code in (OWN.replace("255 - picture", "1 / 0"), OWN):
        Path("lab/upside.py").write_text(code)
        done = subprocess.run([*command, "--out", "one"], env=environment, capture_output=True, text=True, check=False)
        codes.append(done.returncode)
    assert codes == [1, 0]


def test_sizes_are_declared_drawn_and_made(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [f"--set=scale.size.{name}={share}" for name, share in (("small", 0.9), ("medium", 0.1))]
    night("--out", "made", *sizes)
    said = capsys.readouterr().out
    rows = [line.split() for line in said[said.index("size, ") :].splitlines()[2:]]
    assert rows[0] == ["declared", "90", "%", "10", "%", "0", "%"]
    assert [row[0] for row in rows] == ["declared", "drawn", "made"]
    assert rows[1][1:] == rows[2][1:]


def test_a_ladder_and_a_preview_say_which_shares_they_print(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    night("--night", "exposures", "--limit", "6", "--out", "made")
    said = capsys.readouterr().out
    assert said.startswith("made: exposures: 10 pictures; ")  # two whole ladders of five steps
    rows = {row: line for line in said.splitlines() for row in [line.partition("  ")[0]] if line.endswith(" %")}
    shares = {row: [int(word) for word in rows[row].removeprefix(row).replace("%", "").split()] for row in rows}
    assert shares["declared"] == [0, 0, 100]
    assert shares["drawn for the preview (step at 0 stops)"] == [0, 0, 0, 0, 2, 100]
    assert sum(shares["made (step at 0 stops)"][::2]) == 2
    assert sum(shares["made (all steps)"][::2]) == 10
    assert "by which all steps of its ladder are corrected" in said


def test_what_stops_a_night_says_how_to_go_on(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "SHARD_PICTURES", 3)
    true, left = work.write, [1]

    def stopping(shard: work.Shard) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return true(shard)

    monkeypatch.setattr(work, "write", stopping)
    with pytest.raises(typer.Abort, match=r"^stopped; the same command goes on from here$"):
        night("--night", "gamma", "--out", "made")
    left[0] = 100
    night("--night", "gamma", "--out", "made")
    said = capsys.readouterr().out.splitlines()[0]
    assert said.startswith("made: gamma: 10 pictures in 11 files; 7 made now and 3 there before; ")


def test_a_tenth_camera_is_warned_of_and_the_night_is_made(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day = manifest.read(Path("day/manifest.parquet"))
    manifest.write(day.with_columns(camid=[15, *day.table["camid"].to_pylist()[1:]]), Path("day/manifest.parquet"))
    night("--night", "gamma", "--out", "made")
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("warning: Market-1501's names cannot hold this set: camera 15: ")
    assert durable.read_json(Path("made/night.json"))["own_names"].startswith("camera 15: ")


def test_unmeasured_pictures_are_set_aside_and_infrared_ones_left_out(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day = manifest.read(Path("day/manifest.parquet"))
    rows = {name: [None, *day.table[name].to_pylist()[1:]] for name in MEASURED}
    changed = day.with_columns(**rows, modality=["visible"] * 9 + ["thermal"])
    manifest.write(changed, Path("day/manifest.parquet"))
    with pytest.raises(SystemExit) as ended:
        night("--night", "gamma", "--out", "made")
    assert ended.value.code == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "warning: 1 row infrared or thermal left out: nights are of visible light"
    assert said[1] == "warning: 1 of 9 rows unmeasured (`luxreid data measure`): set aside"
    assert said[2].startswith("made: gamma: 8 pictures in 9 files; ")
    assert said[-1] == "1 picture set aside; made/set-aside.csv says which, and why"
    assert "day/a/1.jpg,a/1.jpg,was never measured" in Path("made/set-aside.csv").read_text()


def test_pictures_lie_where_root_says(home: Path) -> None:
    Path("day/manifest.parquet").rename("there.parquet")
    with pytest.raises(UserError, match=r"a/1.jpg: is not there; if the pictures lie elsewhere, give --root$"):
        night("--night", "gamma", "--out", "made", day="there.parquet")
    night("--night", "gamma", "--out", "made", "--root", "day", day="there.parquet")
    assert Path("made/night.json").is_file()


def test_what_was_set_aside_is_said_and_the_exit_code_is_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("day/a/2.jpg").write_bytes(b"x")
    for _ in range(2):  # a second run changes nothing about it
        with pytest.raises(SystemExit) as ended:
            night("--night", "gamma", "--out", "made")
        assert ended.value.code == 1
        last = capsys.readouterr().out.splitlines()[-1]
        assert last == "1 picture set aside; made/set-aside.csv says which, and why"


def test_a_dark_set_is_warned_of(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day = manifest.read(Path("day/manifest.parquet"))
    manifest.write(day.with_columns(time="night"), Path("day/manifest.parquet"))
    night("--night", "gamma", "--out", "made")
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "warning: 100 % of the pictures are of a night already (column time)"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--night", "night60"], "no night is called 'night60'; did you mean 'night600'?"),
        (["--night", "mine.toml"], "mine.toml: cannot read: No such file"),
        (["--set", "exposure.shares=[0.5, 0.2, 0.2]"], "shares sum to 0.9, must sum to 1"),
        (["--set", "exposre.shares=[1]"], "unknown key 'exposre'; did you mean 'exposure'?"),
        (["--set", 'stages=["linearise", "tnoe"]'], "no night stage is called 'tnoe'; did you mean 'tone'?"),
        (["--set", "draws=0"], "draws = 0: Input should be greater than or equal to 1"),
        (["--quality", "best"], "quality = 'best': Input should be 'fast' or 'exact'"),
        (["--workers", "0"], "--workers 0: must be 1 or more"),
        (["--executor", "serial", "--workers", "2"], "--executor serial works in one process"),
        (["--executor", "rya"], "no executor is called 'rya'; did you mean 'ray'?"),
    ],
    ids=lambda words: "=".join(words[-2:]) if isinstance(words, list) else "",
)
def test_a_mistake_is_one_line_and_nothing_is_written(home: Path, words: list[str], said: str) -> None:
    before = sorted(home.rglob("*"))
    with pytest.raises(UserError) as refused:
        night("--out", "made", *words)
    assert said in str(refused.value)
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--limit", "0"], 2, "--limit"),
        (["--seed", "-1"], 2, "--seed"),
        (["--night", "gamma", "--limit", "3"], 0, ""),
    ],
)
def test_a_process_ends_with_the_code_that_says_how_it_went(home: Path, words: list[str], code: int, said: str) -> None:
    command = [sys.executable, "-m", "luxreid", "synth", "night", "day/manifest.parquet", "--out", "made", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == (code > 0)
    assert said in done.stderr
