"""`luxreid.toml`: names are bound relative to its folder, and the command line has the last word."""

from pathlib import Path

import pytest

from benchmark import settings
from benchmark.errors import UserError


def test_paths_are_relative_to_the_file_and_the_command_line_wins(tmp_path: Path) -> None:
    (tmp_path / "luxreid.toml").write_text('weights = "w"\n[data]\nstreet = "a/split.parquet"\nother = "/b.parquet"\n')
    found = settings.load(["street=c.parquet"], tmp_path)
    assert found.data == {"street": Path("c.parquet"), "other": Path("/b.parquet")}
    assert settings.load((), tmp_path).data["street"] == tmp_path / "a/split.parquet"
    assert (found.weights, found.cache) == (tmp_path / "w", tmp_path / "cache")


def test_without_a_file_only_the_command_line_binds(tmp_path: Path) -> None:
    assert settings.load(["a=b.parquet"], tmp_path).data == {"a": Path("b.parquet")}


@pytest.mark.parametrize("text", ["street", "=x", "street=", " =x"])
def test_a_binding_without_name_or_file_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="write it as name=MANIFEST"):
        settings.load([text])


def test_a_name_that_is_not_bound_says_how_to_bind_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no manifest is bound to 'stret': give --data stret=FILE.*street"):
        settings.load(["street=b.parquet"], tmp_path).manifest("stret")


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "luxreid.toml").write_text('wieghts = "w"\n')
    with pytest.raises(UserError, match=r"luxreid.toml: unknown key 'wieghts'.*weights"):
        settings.load((), tmp_path)
