"""What every reader must do: read its own examples, in any order of the disk, refuse what is odd, and carry a card."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from benchmark.card import Card
from benchmark.config import Strict
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.plugins import Room

READERS = Room("benchmark.readers", "reader")
ODD = ("odd 1.jpg", "odd 2.jpg", "odd 3.jpg", "odd 4.jpg")


def _lay_out(name: str, root: Path, paths: Iterable[str] | None = None) -> Path:
    """Write a tree of a reader's examples: empty pictures, and the lists that a reader asks for beside them."""
    for path in _paths(name) if paths is None else paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    _lay_out_files(name, root)
    return root


def _lay_out_files(name: str, root: Path) -> None:
    for path, data in getattr(READERS.load(name), "example_files", dict)().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)


def _paths(name: str) -> list[str]:
    return [str(example["path"]) for example in READERS.load(name).EXAMPLES]


def _read(name: str, root: Path, **options: Any) -> Manifest:  # noqa: ANN401
    reader = READERS.load(name)
    manifest = reader.read(root, reader.Options(**options))
    assert isinstance(manifest, Manifest)
    return manifest


def _refusal(name: str, root: Path, **options: Any) -> str:  # noqa: ANN401
    with pytest.raises(UserError) as error:
        _read(name, root, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", READERS.names())
def test_examples_are_read_as_promised(name: str, tmp_path: Path) -> None:
    root = _lay_out(name, tmp_path / name)
    rows = {row["path"]: row for row in _read(name, root).table.to_pylist()}
    examples = READERS.load(name).EXAMPLES
    assert len(examples) >= 2
    assert sorted(rows) == sorted(_paths(name))
    for example in examples:
        row = rows[example["path"]]
        assert {column: row.get(column) for column in example} == example


@pytest.mark.parametrize("name", READERS.names())
def test_the_order_on_disk_does_not_matter(name: str, tmp_path: Path) -> None:
    paths = _paths(name)
    forth = _read(name, _lay_out(name, tmp_path / "a" / name, paths))
    back = _read(name, _lay_out(name, tmp_path / "b" / name, paths[::-1]))
    assert forth.table.equals(back.table)
    assert forth.notes == back.notes


@pytest.mark.parametrize("name", READERS.names())
def test_pictures_are_not_opened(name: str, tmp_path: Path) -> None:
    # The files are empty, and links to nothing: whoever opens one fails.
    root = tmp_path / name
    for path in _paths(name):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to("nowhere")
    _lay_out_files(name, root)
    assert len(_read(name, root)) == len(_paths(name))


@pytest.mark.parametrize("name", READERS.names())
def test_unknown_names_are_counted_and_three_are_shown(name: str, tmp_path: Path) -> None:
    folder = Path(_paths(name)[0]).parent
    root = _lay_out(name, tmp_path / name)
    for odd in ODD:
        (root / folder / odd).touch()
    known = _paths(name)
    [said] = [note for note in _read(name, root, unmatched="skip").notes if note.startswith("skipped: ")]
    for text in (_refusal(name, root), said):
        assert re.search(rf"\b{len(ODD)} of {len(known) + len(ODD)} (names|pictures)\b", text)
        assert [odd in text for odd in ODD] == [True, True, True, False]
    assert "--set unmatched=skip skips them" in _refusal(name, root)
    assert sorted(_read(name, root, unmatched="skip").column("path")) == sorted(known)


@pytest.mark.parametrize("name", READERS.names())
def test_the_right_root_is_named_from_above_and_from_below(name: str, tmp_path: Path) -> None:
    root = _lay_out(name, tmp_path / "place" / name)
    below = root / Path(_paths(name)[0]).parts[0]
    for wrong in (root.parent, below):
        text = _refusal(name, wrong)
        assert f"{root} " in text
        assert "give that folder as the root" in text


@pytest.mark.parametrize("name", READERS.names())
def test_an_empty_tree_is_refused(name: str, tmp_path: Path) -> None:
    _refusal(name, tmp_path)
    assert "no such folder" in _refusal(name, tmp_path / "none")
    (tmp_path / "file").touch()
    assert "is a file" in _refusal(name, tmp_path / "file")


@pytest.mark.parametrize("name", READERS.names())
def test_folders_without_pictures_are_refused(name: str, tmp_path: Path) -> None:
    for path in _paths(name):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    _lay_out_files(name, tmp_path)
    _refusal(name, tmp_path)
    _refusal(name, tmp_path, unmatched="skip")


@pytest.mark.parametrize("name", READERS.names())
def test_names_that_differ_only_in_case_are_refused(name: str, tmp_path: Path) -> None:
    first = _paths(name)[0]
    twin = first.rpartition(".")[0] + ".JPG"
    root = _lay_out(name, tmp_path / name, [*_paths(name), twin])
    text = _refusal(name, root)
    assert "differ only in case" in text
    assert first in text
    assert twin in text


@pytest.mark.parametrize("name", READERS.names())
def test_the_card_and_the_options_have_the_right_types(name: str) -> None:
    reader = READERS.load(name)
    assert isinstance(reader.CARD, Card)
    assert reader.CARD.title
    assert issubclass(reader.Options, Strict)
    parts = {"train", "val", "test", "query", "gallery", "all"}
    parts |= {subset for example in reader.EXAMPLES for subset in example.get("subsets", ())}
    assert set(reader.CARD.counts) <= parts
    assert reader.Options.model_fields["unmatched"].default == "error"
    undescribed = [key for key, field in reader.Options.model_fields.items() if not field.description]
    assert not undescribed
