"""What `data check` says of a set that is not what its card promises, and that documents say what cards say."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmark import checking, config, images
from benchmark.card import Card
from benchmark.commands.data import commands
from benchmark.executors import serial
from benchmark.plugins import Room

READERS = Room("benchmark.readers", "reader")
COUNTED = [name for name in READERS.names() if READERS.load(name).CARD.counts]
PAGE = (Path(__file__).parents[3] / "docs" / "datasets.md").read_text()
SECTIONS = dict(re.findall(r"^### `(\w+)`[^\n]*\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE))
# The reader's other packaging, which its own tests lay out.
ELSEWHERE = {"night600": {"train_all/12/000012_c3_0007.jpg"}}


def lay_out(name: str, root: Path) -> Path:
    """Lay out a reader's examples, each a picture of its own."""
    reader = READERS.load(name)
    for number, example in enumerate(reader.EXAMPLES):
        picture = np.random.default_rng(number).integers(0, 256, (8, 4, 3), dtype=np.uint8)
        (root / example["path"]).parent.mkdir(parents=True, exist_ok=True)
        images.save(root / example["path"], picture)
    for path, data in getattr(reader, "example_files", dict[str, bytes])().items():
        (root / path).write_bytes(data)
    return root


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(commands(READERS, Room("benchmark.formats", "format")), list(words))
    return done.exit_code, done.output


@pytest.mark.parametrize("name", COUNTED)
def test_a_tiny_copy_differs_from_every_number_of_its_card(name: str, tmp_path: Path) -> None:
    root, manifest = lay_out(name, tmp_path / name), str(tmp_path / name / "manifest.parquet")
    assert run("read", name, str(root))[0] == 0
    assert run("measure", manifest)[0] == 0
    code, said = run("check", manifest)
    card, expected = READERS.load(name).CARD, 0
    for part, numbers in card.counts.items():
        for number in numbers:
            expected += number is not None
            assert number is None or re.search(rf"^{part}: .*, {card.title} has {number:,}\b", said, re.MULTILINE), part
    # Cameras too, where the examples do not show all of them; and nothing else is wrong with the copy.
    expected += f"camera, {card.title} has" in said.replace("cameras", "camera")
    assert f"(what a difference usually means: {card.note})" in said
    assert (code, said.count("\n")) == (1, expected + 1)
    assert f"{expected} differences" in said


def test_lists_are_counted_as_official_ones_are(tmp_path: Path) -> None:
    root = lay_out("nightreid", tmp_path)
    reader = READERS.load("nightreid")
    found = reader.read(root, reader.Options())
    right = {"query-528": (1, 1), "query-1000": (1, 1), "gallery-528": (3, 1), "gallery-528-nd": (2, 1)}
    unmeasured = checking.check(found, None, serial)
    assert checking.check(found, Card("Set", counts=right | {"gallery-1000": (2, 1)}), serial) == unmeasured
    wrong = checking.check(found, Card("Set", counts=right | {"gallery-1000": (3, 2)}), serial)
    assert wrong[:-1] == ["gallery-1000: 2 images, Set has 3", "gallery-1000: 1 identity, Set has 2"]


def test_the_page_has_a_section_for_every_reader() -> None:
    assert sorted(SECTIONS) == READERS.names()


@pytest.mark.parametrize("name", READERS.names())
def test_a_section_says_what_the_card_says(name: str) -> None:
    card, section = READERS.load(name).CARD, " ".join(SECTIONS[name].split())
    assert card.title in section
    assert f"Licence: {card.licence or 'of the set itself'}." in section
    assert card.access in section
    assert card.citation in section
    assert card.note in section
    for part, numbers in card.counts.items():
        images_, identities = ("not known" if number is None else f"{number:,}" for number in numbers)
        assert f"| `{part}` | {images_} | {identities} |" in section, part
    shown = set(re.findall(r"^\| `([\w-]+)` \| (?:[\d,]+|not known) \|", SECTIONS[name], re.MULTILINE))
    assert shown == set(card.counts)
    assert card.cameras is None or f"{card.cameras} cameras" in section
    assert f"luxreid data read {name} " in section


@pytest.mark.parametrize("name", READERS.names())
def test_the_names_of_a_section_are_read_by_its_reader(name: str) -> None:
    named = set(re.findall(r"^\|[^\n]*?`([^`\s]+/[^`\s]+\.\w+)`", SECTIONS[name], re.MULTILINE))
    assert named
    assert named - {str(example["path"]) for example in READERS.load(name).EXAMPLES} <= ELSEWHERE.get(name, set())


def test_the_commands_of_the_page_are_commands() -> None:
    lines = [shlex.split(line) for line in re.findall(r"^luxreid data read (.*)$", PAGE, re.MULTILINE)]
    assert {words[0] for words in lines} == set(READERS.names())
    for words in lines:
        sets = [value for flag, value in pairwise(words) if flag == "--set"]
        options = READERS.load(words[0]).Options
        assert config.load(options, None, sets).model_fields_set == {key.split("=")[0].split(".")[0] for key in sets}
