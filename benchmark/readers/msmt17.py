"""MSMT17 (Wei et al., CVPR 2018), version 1 and version 2 (faces blurred): fifteen cameras, by day."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark import durable, grammar
from benchmark.card import Card
from benchmark.config import Strict
from benchmark.console import count
from benchmark.errors import UserError
from benchmark.grammar import Names, Part
from benchmark.manifest import Manifest, build

CARD = Card(
    title="MSMT17",
    licence="by agreement",
    citation="Wei et al., Person Transfer GAN to Bridge Domain Gap for Person Re-Identification, CVPR 2018",
    access="by request to the authors; the official site has been down for long periods",
    counts={
        **{"train": (30248, None), "val": (2373, None), "test": (93820, 3060)},
        **{"query": (11659, None), "gallery": (82161, None), "all": (126441, 4101)},
    },
    cameras=15,
    note="with val = train the training split has 32,621 pictures of 1,041 people; versions 1 and 2 give different "
    "scores and are two sets",
)

EXAMPLES: list[dict[str, object]] = [
    {
        "path": "train/0000/0000_000_01_0303morning_0008_0.jpg",
        **{"source": "msmt17-v1", "id_space": "msmt17", "pid": 1, "label": "0000", "camid": 1, "place": 1},
        **{"split": "train", "subsets": ["list_train"], "time": "day", "slot": "morning", "date": "0303"},
    },
    {
        "path": "train/0114/0114_019_10_0303noon_0284_2_ex.jpg",
        **{"pid": 115, "label": "0114", "camid": 10, "split": "val", "subsets": ["list_val"], "slot": "noon"},
    },
    {
        "path": "train/0256/0256_000_13_0303afternoon_0956_1.jpg",
        **{"pid": 257, "camid": 13, "split": "train", "query": False, "gallery": False, "slot": "afternoon"},
    },
    {
        "path": "test/0000/0000_000_01_0303morning_0015_0.jpg",
        **{"pid": 1042, "label": "0000", "camid": 1, "split": "test", "query": True, "gallery": False},
    },
    {
        "path": "test/0000/0000_001_15_0303noon_0031_0.jpg",
        **{"pid": 1042, "camid": 15, "split": "test", "query": False, "gallery": True, "subsets": ["list_gallery"]},
    },
]

TRAINED = 1041  # people of the training part; both parts count theirs from 0
LAYOUTS = {
    "msmt17-v1": (Part("train"), Part("test")),
    "msmt17-v2": (Part("mask_train_v2"), Part("mask_test_v2")),
}
LINE = "0000/0000_000_01_0303morning_0008_0.jpg 0"
LISTS = {"train": 0, "val": 0, "query": 1, "gallery": 1}  # and the part that each is about
PATTERN = (
    r"(?P<pid>[0-9]{4})/(?P=pid)_[0-9]{3}_(?P<camid>[0-9]{2})_(?P<date>[0-9]{4})(?P<slot>morning|noon|afternoon)"
    r"_[0-9]+_[0-9]+(?:_ex)?\.jpg"
)


class Options(Strict):
    """How to read MSMT17."""

    val: Literal["val", "train", "none"] = "val"
    """The split of list_val.txt: some methods train on it too (TransReID and its relatives), others do not; with
    `none` the list may be missing."""
    unmatched: Literal["error", "skip"] = "error"
    """What to do with pictures whose name does not parse, or that stand in no list."""


def example_files() -> dict[str, bytes]:
    """Give the files that the examples need beside the pictures."""
    lists = {"train": [0, 2], "val": [1], "query": [3], "gallery": [4]}
    lines = [str(example["path"]).partition("/")[2] for example in EXAMPLES]
    return {
        f"list_{name}.txt": "".join(f"{lines[row]} {int(lines[row][:4])}\n" for row in rows).encode()
        for name, rows in lists.items()
    }


def read(root: Path, options: Options) -> Manifest:
    """Read the two folders of either version, and say of each picture what the four lists say."""
    version = grammar.layout(root, LAYOUTS)
    parts, file = LAYOUTS[version], EXAMPLES[0]["path"]
    like = f"{parts[0].folder}/{str(file).partition('/')[2]}"
    files = [f"list_{name}.txt" for name in LISTS]
    names = grammar.find(root, parts, PATTERN, like, unmatched=options.unmatched, beside=files)
    absent = _absent(root, options.val)
    lists = {
        name: {} if name in absent else _read_list(root, name, parts[number].folder) for name, number in LISTS.items()
    }
    _check_lists(names, lists)
    names, listed = _listed(names, lists, options.unmatched)
    columns = names.columns() | _roles(listed, options.val) | {name: names.fields[name] for name in ("slot", "date")}
    columns |= {"pid": _pids(names), "label": names.fields["pid"], "camid": names.numbers("camid", 1, 15)}
    # The people of both versions are the same.
    columns |= {"id_space": pa.repeat("msmt17", len(listed)), "time": pa.repeat("day", len(listed))}
    return build(columns, version, root, [*names.notes, *(f"list_{name}.txt is not there" for name in absent)])


def _absent(root: Path, val: str) -> list[str]:
    """Say whether list_val.txt, which some copies lack, is missing; only val = none reads a set without it."""
    if (root / "list_val.txt").exists():
        return []
    if val != "none":
        raise UserError(f"{root}: list_val.txt is not there; --set val=none reads the set without it")
    return ["val"]


def _read_list(root: Path, name: str, folder: str) -> dict[str, int]:
    """Read the lines `<pid>/<name>.jpg <pid>` of one list: the paths under the root, and their labels."""
    file, labels = root / f"list_{name}.txt", {}
    lines = durable.read_bytes(file).decode(errors="replace").splitlines()
    if lines and not lines[-1]:  # an empty last line, as editors leave it
        lines.pop()
    for number, line in enumerate(lines, 1):
        path, _, label = line.rstrip().rpartition(" ")
        if not (path and label.isdecimal() and len(label) < 10):
            raise UserError(f"{file}: line {number} is {line!r}, must be like {LINE!r}")
        labels[f"{folder}/{path}"] = int(label)
    if len(labels) < len(lines):
        twice = [path for path, times in Counter(line.rpartition(" ")[0] for line in lines).items() if times > 1]
        raise UserError(f"{file}: names {count(len(twice), 'picture')} more than once: {grammar.shown(sorted(twice))}")
    return labels


def _check_lists(names: Names, lists: Mapping[str, Mapping[str, int]]) -> None:
    """Refuse lists that contradict the tree, the names, or each other."""
    printed = dict(zip(names.paths, names.numbers("pid").tolist(), strict=True))
    for name, labels in lists.items():
        grammar.require(names.root, f"list_{name}.txt", labels, printed)
        wrong = next((path for path, label in labels.items() if printed[path] != label), None)
        if wrong:
            said = f"{wrong} is labelled {labels[wrong]}, its name says {printed[wrong]}"
            raise UserError(f"{names.root}: list_{name}.txt: {said}")
    for one, other in (("train", "val"), ("query", "gallery")):
        both = sorted(set(lists[one]) & set(lists[other]))
        if both:
            where = f"list_{one}.txt and in list_{other}.txt"
            raise UserError(f"{names.root}: {count(len(both), 'picture')} in {where}: {grammar.shown(both)}")


def _listed(names: Names, lists: Mapping[str, Mapping[str, int]], unmatched: str) -> tuple[Names, list[int]]:
    """Give the number of the list that each picture stands in; one in no list is an error, or left out with a note."""
    place = {path: number for number, labels in enumerate(lists.values()) for path in labels}
    strange = [path for path in names.paths if path not in place]
    if strange:
        text = f"{len(strange)} of {len(names.paths)} pictures are in no list: {grammar.shown(strange)}"
        if unmatched == "error" or not place:
            raise UserError(f"{names.root}: {text}; --set unmatched=skip skips them")
        names = names.keep(np.array([path in place for path in names.paths]), [f"skipped: {text}"])
    return names, [place[path] for path in names.paths]


def _roles(listed: Sequence[int], val: str) -> dict[str, object]:
    """Say what each list means."""
    which = pa.array(listed)
    return {
        "split": pa.array(["train", val, "test", "test"]).take(which),
        **{role: pa.array([name == role for name in LISTS]).take(which) for role in ("query", "gallery")},
        "subsets": pa.array([[f"list_{name}"] for name in LISTS]).take(which),
    }


def _pids(names: Names) -> NDArray[np.int64]:
    """Count both parts' people from 1 through: those of the test follow those of the training."""
    pids = names.numbers("pid")
    wrong = np.flatnonzero((names.part == 0) & (pids >= TRAINED))
    if len(wrong):
        found = f"pid is {pids[wrong[0]]}, must be at most {TRAINED - 1} in {names.parts[0].folder}/"
        raise UserError(f"{names.root}: {names.paths[wrong[0]]}: {found}")
    return pids + 1 + TRAINED * names.part
