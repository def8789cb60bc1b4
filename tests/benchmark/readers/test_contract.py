"""What every reader must do: read its own examples, in any order of the disk, and carry a card."""

from pathlib import Path

import pytest

from benchmark.card import Card
from benchmark.config import Strict
from benchmark.manifest import Manifest
from benchmark.plugins import Room

READERS = Room("benchmark.readers", "reader")


def _lay_out(paths: list[str], root: Path) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def _paths(name: str) -> list[str]:
    return [str(example["path"]) for example in READERS.load(name).EXAMPLES]


def _read(name: str, root: Path) -> Manifest:
    reader = READERS.load(name)
    manifest = reader.read(root, reader.Options())
    assert isinstance(manifest, Manifest)
    return manifest


@pytest.mark.parametrize("name", READERS.names())
def test_examples_are_read_as_promised(name: str, tmp_path: Path) -> None:
    root = _lay_out(_paths(name), tmp_path / name)
    rows = {row["path"]: row for row in _read(name, root).table.to_pylist()}
    examples = READERS.load(name).EXAMPLES
    assert len(examples) >= 2
    assert sorted(rows) == sorted(_paths(name))
    for example in examples:
        row = rows[example["path"]]
        assert {column: row[column] for column in example} == example


@pytest.mark.parametrize("name", READERS.names())
def test_the_order_on_disk_does_not_matter(name: str, tmp_path: Path) -> None:
    paths = _paths(name)
    forth = _read(name, _lay_out(paths, tmp_path / "a" / name))
    back = _read(name, _lay_out(paths[::-1], tmp_path / "b" / name))
    assert forth.table.equals(back.table)


@pytest.mark.parametrize("name", READERS.names())
def test_pictures_are_not_opened(name: str, tmp_path: Path) -> None:
    # The files are empty, and links to nothing: whoever opens one fails.
    root = tmp_path / name
    for path in _paths(name):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to("nowhere")
    assert len(_read(name, root)) == len(_paths(name))


@pytest.mark.parametrize("name", READERS.names())
def test_the_card_and_the_options_have_the_right_types(name: str) -> None:
    reader = READERS.load(name)
    assert isinstance(reader.CARD, Card)
    assert reader.CARD.title
    assert issubclass(reader.Options, Strict)
    assert set(reader.CARD.counts) <= {"train", "val", "test", "query", "gallery", "all"}
