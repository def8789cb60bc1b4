"""`luxreid data read` says under which conditions a set may be used."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark.commands import data
from benchmark.plugins import Room

READERS = Room("benchmark.readers", "reader")


@pytest.mark.parametrize("name", ["market1501", "night600", "knight", "rgbnt201", "nightreid", "msmt17", "syn_dark"])
def test_the_terms_of_a_set_are_told_when_it_is_read(name: str, tmp_path: Path) -> None:
    reader = READERS.load(name)
    for example in reader.EXAMPLES:
        (tmp_path / "set" / str(example["path"])).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / str(example["path"])).touch()
    for path, content in getattr(reader, "example_files", dict)().items():
        (tmp_path / "set" / path).write_bytes(content)
    app = data.commands(READERS, Room("benchmark.formats", "format"))
    done = CliRunner().invoke(app, ["read", name, str(tmp_path / "set"), "--out", str(tmp_path / "m.parquet")])
    assert done.exit_code == 0, done.output
    [told] = [line for line in done.stderr.splitlines() if line.startswith(f"note: {reader.CARD.title}: licence: ")]
    assert reader.CARD.licence in told
    assert reader.CARD.access in told


def test_a_layout_has_no_terms_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "c1_1.jpg").touch()
    app = data.commands(READERS, Room("benchmark.formats", "format"))
    words = ["read", "folders", str(tmp_path), "--set", "pattern={pid}/c{camid}_{frame}", "--set", "source=mine"]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "m.parquet")])
    assert done.exit_code == 0, done.output
    assert "licence" not in done.stderr
