"""`luxreid data split`: from a manifest to a manifest, and from a small file to the same."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from benchmark import manifest, splits
from benchmark.commands import data
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.plugins import Room


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    return data.commands(Room("benchmark.readers", "reader"), Room("benchmark.formats", "format"))


@pytest.fixture
def stored(pictures: Path, small: Manifest) -> Path:
    manifest.write(small, pictures / "set.parquet")
    return pictures / "set.parquet"


def run(app: typer.Typer, *words: object) -> Result:
    return CliRunner().invoke(app, ["split", *map(str, words)])


def refused(result: Result) -> str:
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


def test_it_writes_what_the_function_gives(app: typer.Typer, stored: Path) -> None:
    out = stored.with_name("out.parquet")
    done = run(app, stored, "--style", "night600", "--seed", 4, "--set", "probes=1", "--out", out)
    assert done.exit_code == 0, done.output
    expected = splits.split(manifest.read(stored), "night600", 4, splits.Options(probes=1))
    assert manifest.read(out).table.equals(expected.table)
    for word in ("train", "query", "gallery", "7 images of 3 identities at 3 cameras", expected.labels_sha256):
        assert word in done.output
    assert "--root" not in done.output


def test_without_out_it_only_shows(app: typer.Typer, stored: Path) -> None:
    before = {path: path.read_bytes() for path in stored.parent.rglob("*.*")}
    assert run(app, stored, "--style", "identities").exit_code == 0
    assert {path: path.read_bytes() for path in stored.parent.rglob("*.*")} == before


def test_the_roles_alone_make_the_same_manifest_again(app: typer.Typer, stored: Path, tmp_path: Path) -> None:
    first, second, roles = (tmp_path / name for name in ("first.parquet", "second.parquet", "roles.csv"))
    assert run(app, stored, "--style", "night600", "--out", first, "--roles", roles).exit_code == 0
    done = run(app, stored, "--from-roles", roles, "--out", second)
    assert done.exit_code == 0, done.output
    assert second.read_bytes() == first.read_bytes()
    assert f"--root {stored.parent}" in done.output


def test_a_file_of_options_is_overridden_by_settings(app: typer.Typer, stored: Path, tmp_path: Path) -> None:
    (tmp_path / "options.toml").write_text("probes = 2\nqueries_stay = true\n")
    out = tmp_path / "out.parquet"
    words = [stored, "--style", "night600", "--config", tmp_path / "options.toml", "--set", "probes=1", "--out", out]
    assert run(app, *words).exit_code == 0
    expected = splits.split(manifest.read(stored), "night600", 0, splits.Options(probes=1))
    assert manifest.read(out, stored.parent).table.equals(expected.table)


def test_what_does_not_fit_is_said(app: typer.Typer, stored: Path, tmp_path: Path) -> None:
    roles = tmp_path / "roles.csv"
    assert "either --style or --from-roles" in refused(run(app, stored))
    assert "either --style" in refused(run(app, stored, "--style", "night600", "--from-roles", roles))
    assert "roles.csv: cannot read" in refused(run(app, stored, "--from-roles", roles))
    assert "did you mean 'sha256'?" in refused(run(app, stored, "--style", "night600", "--key", "sha"))
    assert "unknown key 'colum'" in refused(run(app, stored, "--style", "time-aware", "--set", "colum=slot"))
    words = ["--style", "night600", "--roles", roles, "--key", "sha256"]
    assert "unmeasured" in refused(run(app, stored, *words))
    assert "holds no roles" in refused(run(app, stored, "--style", "night600", "--roles", stored))
    assert not roles.exists()
