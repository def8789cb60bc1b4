"""`luxreid synth street` as a person types it."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from benchmark import durable, manifest
from benchmark.errors import UserError
from synthesis import commands
from synthesis.street.config import PRESETS

ROOT = Path(__file__).parents[2]

TINY = """
space = "tiny"
identities = 2
views = [0, 1]
frames = [2, 2]
height = 32

[cameras]
count = 2
"""


@pytest.fixture
def preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Stand in a folder with a small world's settings."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)
    return "tiny.toml"


def street(*words: str) -> None:
    """Run the command in this process."""
    typer.main.get_group(commands.commands(PRESETS)).main(["street", *words], "synth", standalone_mode=False)


def test_a_world_is_written_and_its_levels_are_printed(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    street("--out", "world", "--preset", preset, "--seed", "3", "--sheet")
    said = capsys.readouterr().out
    record = durable.read_json(Path("world/world.json"))
    assert f"world: {record['name']}: 2 identities, 2 cameras, 4 tracks, 8 crops, day and night; " in said
    assert said.splitlines()[-1] == "world-sheet.png"
    assert Path("world-sheet.png").exists()
    rows = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line.strip()}
    for row, levels in {"all": record["sizes"], **record["light"]}.items():
        assert rows[row][::3] == [str(number) for number in levels.values()]
        assert rows[row][1::3] == [f"{100 * number / 8:.0f}" for number in levels.values()]
    night = Path("world/night.parquet").stat().st_mtime_ns
    street("--out", "world", "--preset", preset, "--seed", "3")
    assert "was finished before, nothing to do" in capsys.readouterr().out
    assert Path("world/night.parquet").stat().st_mtime_ns == night


def test_flags_are_settings(preset: str) -> None:
    street("--out", "one", "--preset", preset, "--difficulty", "hard", "--quality", "full", "--set", "identities=1")
    sets = ("--set", "difficulty=hard", "--set", "quality=full", "--set", "identities=1")
    street("--out", "other", "--preset", preset, *sets)
    one, other = (Path(name) for name in ("one", "other"))
    assert durable.read_json(one / "world.json")["config"]["quality"] == "full"
    assert (one / "world.json").read_bytes() == (other / "world.json").read_bytes()
    assert (one / "truth.parquet").read_bytes() == (other / "truth.parquet").read_bytes()


def test_tables_alone_are_not_measured(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    street("--out", "world", "--preset", preset, "--table-only", "--limit", "3")
    said = capsys.readouterr().out
    assert "3 crops, not rendered" in said
    assert "night600-light" not in said
    assert len(manifest.read(Path("world/night.parquet"))) == 3
    assert not manifest.read(Path("world/night.parquet")).measured
    assert not Path("world/night").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--preset", "night60"], "no preset is called 'night60'; did you mean 'night600'?"),
        (["--preset", "mine.toml"], "mine.toml: cannot read: No such file"),
        (["--set", "identities=0"], "identities = 0: Input should be greater than or equal to 1"),
        (["--set", "identities=1000000"], "identities = 1000000: Input should be less than or equal to 100000"),
        (["--set", "height=1"], "height = 1: Input should be greater than or equal to 8"),
        (["--set", "identites=3"], "unknown key 'identites'; did you mean 'identities'?"),
        (["--set", "cameras.focl=[1, 2]"], "unknown key 'cameras.focl'; did you mean 'focal'?"),
        (["--set", "frames=[4, 3]"], "frames = [4, 3]: no range goes from 4 to 3"),
        (["--set", "views=[0, 0, 0, 0, 0, 0, 0, 0, 1]"], "somebody is seen by 9 cameras, and there are 8"),
        (["--set", "cameras.size=[1, 2]"], "cameras.size.0 = 1: Input should be greater than or equal to 4"),
        (["--set", "identities"], "--set identities: write it as key=value"),
        (["--difficulty", "brutal"], "difficulty = 'brutal': Input should be 'easy', 'normal' or 'hard'"),
        (["--quality", "best"], "quality = 'best': Input should be 'fast' or 'full'"),
        (["--table-only", "--truth"], "--table-only renders nothing; --truth wants pictures"),
        (["--table-only", "--sheet"], "--table-only renders nothing; --sheet wants pictures"),
        (["--workers", "0"], "--workers 0: must be 1 or more"),
        (["--executor", "serial", "--workers", "2"], "--executor serial works in one process"),
        (["--executor", "dask"], "no executor is called 'dask'"),
    ],
    ids=lambda words: "=".join(words[-2:]) if isinstance(words, list) else "",
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as refused:
        street("--out", "world", *words)
    assert said in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("flag", "value"), [("--limit", "0"), ("--seed", "-1"), ("--seed", str(2**64))])
def test_numbers_out_of_range_are_refused(flag: str, value: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "luxreid", "synth", "street", "--out", str(tmp_path / "world"), flag, value]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert flag in done.stderr
    assert list(tmp_path.iterdir()) == []
