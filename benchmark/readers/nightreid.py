"""NightReID (Zhao et al., AAAI 2025): two query lists, four galleries, and distractors that nobody labelled."""

from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark import grammar
from benchmark.card import Card
from benchmark.config import Strict
from benchmark.grammar import Names, Part
from benchmark.manifest import Manifest, build

CARD = Card(
    title="NightReID",
    licence="an agreement, signed and sent by mail",
    citation="Zhao, Ruan, Li, Ye: NightReID. AAAI Conference on Artificial Intelligence, 2025",
    access="a signed agreement by mail, then links on two file hosts",
    counts={
        "all": (None, 1500),
        "train": (15514, 500),
        "query-528": (1394, 528),
        "query-1000": (2637, 1000),
        "gallery-528": (26111, 528),
        "gallery-528-nd": (14300, 528),
        "gallery-1000": (37725, 1000),
        "gallery-1000-nd": (25914, 1000),
    },
    cameras=6,
    note=(
        "a list without images was not unpacked, or is named otherwise; identities too many are distractors that could "
        "not be told; the counts of train and gallery-1000 are inferred from sums"
    ),
)

EXAMPLES: list[dict[str, object]] = [
    {"path": "bounding_box_train/0002R1C041.jpg", "pid": 2, "camid": 4, "split": "train", "time": "night"},
    {"path": "query/1234L3C007.jpg", "pid": 1234, "camid": 3, "query": True, "subsets": ["query-528"]},
    {"path": "query-1000/1234L3C007.jpg", "pid": 1234, "query": False, "split": "test", "subsets": ["query-1000"]},
    {"path": "bounding_box_test/1234L3C007.jpg", "camid": 3, "gallery": True, "subsets": ["gallery-528"]},
    {"path": "bounding_box_test/1234R2C019.jpg", "pid": 1234, "camid": 5, "gallery": True, "distractor": False},
    {"path": "bounding_box_test/7474L1C002.jpg", "pid": 0, "label": "7474", "camid": 1, "distractor": True},
    {"path": "bounding_box_test-528-noDistractors/1234L3C007.jpg", "pid": 1234, "subsets": ["gallery-528-nd"]},
    {"path": "bounding_box_test-528-noDistractors/1234R2C019.jpg", "pid": 1234, "gallery": False, "split": "test"},
    {"path": "bounding_box_test_withDistractors/7474L1C002.jpg", "pid": 0, "subsets": ["gallery-1000"]},
    {"path": "bounding_box_test_withDistractors/1235R3C1.jpg", "pid": 1235, "camid": 6, "distractor": False},
    {"path": "bounding_box_test-1000-noDistractors/1235R3C1.jpg", "pid": 1235, "subsets": ["gallery-1000-nd"]},
]


class Options(Strict):
    """How to read NightReID."""

    unmatched: Literal["error", "skip"] = "error"
    """What to do with pictures whose name does not parse."""


CAMERAS = {"L1": 1, "L2": 2, "L3": 3, "R1": 4, "R2": 5, "R3": 6}

# The columns `query` and `gallery` are those of the default protocol: 528 identities, with distractors.
_PARTS = (
    Part("bounding_box_train", "train"),
    Part("query", "test", query=True, subsets=("query-528",)),
    Part("query-1000", "test", subsets=("query-1000",), required=False),
    Part("bounding_box_test", "test", gallery=True, subsets=("gallery-528",)),
    Part("bounding_box_test-528-noDistractors", "test", subsets=("gallery-528-nd",), required=False),
    Part("bounding_box_test_withDistractors", "test", subsets=("gallery-1000",), required=False),
    Part("bounding_box_test-1000-noDistractors", "test", subsets=("gallery-1000-nd",), required=False),
)
_FOLDERS = [part.folder for part in _PARTS]

# A gallery with distractors, and the same one without.
_GALLERIES = {
    "bounding_box_test": "bounding_box_test-528-noDistractors",
    "bounding_box_test_withDistractors": "bounding_box_test-1000-noDistractors",
}

_TESTS = tuple(_GALLERIES)

_NAME = r"(?P<pid>(?!0000)[0-9]{4})(?P<camera>[LR][123])C[0-9]+\.jpg"

Flags = NDArray[np.bool_]


def read(root: Path, options: Options) -> Manifest:
    """Read all lists; a picture in several of them is a file, and a row, in each."""
    names = grammar.find(root, _PARTS, _NAME, "bounding_box_train/0002R1C041.jpg", unmatched=options.unmatched)
    printed = names.numbers("pid")
    distractor, notes = _distractors(names, printed)
    columns = names.columns() | {
        "pid": np.where(distractor, 0, printed),
        "camid": [CAMERAS[camera] for camera in names.fields["camera"]],
        "label": names.fields["pid"],
        "distractor": distractor,
        "time": pa.repeat("night", len(printed)),
    }
    return build(columns, "nightreid", root, [*names.notes, *notes])


def _distractors(names: Names, pid: NDArray[np.int64]) -> tuple[Flags, list[str]]:
    """Find the people whom a gallery has only with its distractors; the names themselves do not say who they are."""
    here = {folder: _in(names, folder) for folder in _FOLDERS}
    told = [whole for whole, without in _GALLERIES.items() if here[whole].any() and here[without].any()]
    labelled = np.logical_or.reduce([here[folder] for folder in ("query", "query-1000", *_GALLERIES.values())])
    # Both galleries have the same distractors: who is one in either is one in both.
    strangers = np.setdiff1d([number for whole in told for number in pid[here[whole]]], pid[labelled])
    distractor, notes = np.isin(pid, strangers) & (here[_TESTS[0]] | here[_TESTS[1]]), []
    for whole, without in _GALLERIES.items():
        if here[without].any():
            notes += _differences(names, whole, without, here[whole] & ~distractor, here[without])
        elif here[whole].any():
            notes.append(_untold(whole, without, told))
    return distractor, notes


def _untold(whole: str, without: str, told: list[str]) -> str:
    if told:
        return f"{whole}: its distractors are told by those of {told[0]}, since {without}/ is not there"
    return f"{whole}: its distractors cannot be told from people without {without}/, and keep their pids"


def _differences(names: Names, whole: str, without: str, here: Flags, labelled: Flags) -> list[str]:
    """Say where two galleries that should differ by distractors only differ by more."""
    one, other = _files(names, here), _files(names, labelled)
    pairs = ((whole, one - other, without), (without, other - one, whole))
    return [
        f"{folder}: {len(names_)} pictures of labelled people are not in {absent}: {grammar.shown(sorted(names_))}"
        for folder, names_, absent in pairs
        if names_
    ]


def _in(names: Names, folder: str) -> Flags:
    return np.asarray(names.part == _FOLDERS.index(folder))


def _files(names: Names, rows: Flags) -> set[str]:
    return {names.paths[row].rpartition("/")[2] for row in np.flatnonzero(rows)}
