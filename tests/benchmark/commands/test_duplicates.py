"""`luxreid data duplicates`: exit 0 where there are none, 1 where there are some, a mistake where none can be seen."""

import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from benchmark import manifest
from benchmark.commands import data
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.plugins import Room


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    return data.commands(Room("benchmark.readers", "reader"), Room("benchmark.formats", "format"))


def run(app: typer.Typer, *words: object) -> Result:
    return CliRunner().invoke(app, ["duplicates", *map(str, words)])


def test_no_copies_some_copies_and_a_broken_picture(
    app: typer.Typer, pictures: Path, small: Manifest, tmp_path: Path
) -> None:
    path = pictures / "set.parquet"
    manifest.write(small, path)
    done = run(app, path)
    assert done.exit_code == 0, done.output
    assert "6 pictures, no pairs that should not be" in done.output  # the seventh is junk
    first, second = small.files()[:2]
    shutil.copy(first, second)
    manifest.write(small.with_columns(pid=[1, 9, 2, 2, 3, 0, -1]), path)
    done = run(app, path, "--out", tmp_path / "pairs.csv")
    assert done.exit_code == 1, done.output
    assert "near-copy: 1" in done.output
    assert all(image in done.output for image in small.table["image_id"].to_pylist()[:2])
    assert len((tmp_path / "pairs.csv").read_text().splitlines()) == 2
    assert run(app, path, "--out", tmp_path / "pairs.csv").exit_code == 1
    done = run(app, path, "--out", path)
    assert isinstance(done.exception, UserError)
    assert "holds no pairs" in str(done.exception)
    second.write_bytes(b"")
    done = run(app, path)
    assert isinstance(done.exception, UserError)
    assert "1 of 6 pictures cannot be read" in str(done.exception)


def test_the_worst_are_shown_and_the_others_counted(
    app: typer.Typer, pictures: Path, small: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark.commands import duplicates

    monkeypatch.setattr(duplicates, "WORST", 1)
    path = pictures / "set.parquet"
    manifest.write(small.with_columns(split=["train", "test"] * 3 + ["none"]), path)
    done = run(app, path)
    assert done.exit_code == 1
    assert "one identity on two sides: 2, the worst 1" in done.output
