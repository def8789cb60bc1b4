"""Any tree of pictures whose folders and names say who, where and when, described by a pattern with named fields."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmark.card import Card
from benchmark.columns import KNOWN
from benchmark.config import Strict
from benchmark.errors import UserError, nearest
from benchmark.grammar import largest, no_picture, refuse_equal_but_for_case, shown, source_name, tree_notes
from benchmark.images import SUFFIXES
from benchmark.manifest import Manifest, build
from benchmark.tree import pictures

CARD = Card(
    title="A tree of folders",
    note="a layout, not a set: nothing is known about how many pictures there should be",
)

EXAMPLES: list[dict[str, object]] = [
    {"path": "train/0001/c1_000001.jpg", "pid": 1, "camid": 1, "place": 1, "split": "train", "gallery": False},
    {"path": "bounding_box_train/0002/c2_x.jpeg", "pid": 2, "camid": 2, "split": "train", "query": False},
    {"path": "val/0003/c1_.webp", "pid": 3, "camid": 1, "split": "val", "time": "unknown"},
    {"path": "test/0004/c12_a_b.bmp", "pid": 4, "camid": 12, "split": "test", "query": False, "gallery": False},
    {"path": "query/0005/c1_01.png", "pid": 5, "camid": 1, "split": "test", "query": True, "gallery": False},
    {"path": "query_3/0005/c2_02.jpg", "pid": 5, "camid": 2, "split": "test", "query": True, "gallery": False},
    {"path": "gallery/-1/c3_000002.JPG", "pid": -1, "camid": 3, "split": "test", "query": False, "gallery": True},
    {"path": "bounding_box_test/0000/c3_01.tif", "pid": 0, "camid": 3, "split": "test", "gallery": True},
]


class Options(Strict):
    """How to read a tree."""

    pattern: str = "{split}/{pid}/c{camid}_{any}"
    """The path under the root, without its ending. {pid} or {label} must be there; {split}, {camid}, {place}, {frame},
    {sequence}, {time}, {modality} and {any} may be. A text field takes the shortest text that fits, never a /."""
    source: str | None = None
    """The name of the set: lower case letters, digits and . _ + - (default: made from the root folder's name)."""
    id_space: str | None = None
    """The name space of the identities, for a set that shares them with another one (default: the source)."""
    time: Literal["day", "night", "unknown"] = "unknown"
    """When all pictures were taken, where the pattern has no {time}."""
    modality: Literal["visible", "infrared", "thermal"] = "visible"
    """What kind of light all pictures show, where the pattern has no {modality}."""
    object: Literal["person", "vehicle"] = "person"
    """What all pictures show."""
    split: Literal["train", "val", "test", "none"] = "none"
    """The split of all pictures, where the pattern has no {split}."""
    query: bool = False
    """Whether every picture of a known person is a query; with split = "test", where the pattern has no {split}."""
    gallery: bool = False
    """Whether every picture is in the gallery; with split = "test", where the pattern has no {split}."""
    unmatched: Literal["error", "skip"] = "error"
    """What to do with pictures whose path does not fit the pattern."""
    shift_pid: int = Field(default=0, ge=0)
    """Added to every {pid} but -1: give 1 where the set prints 0 for a person. The print is kept in `label`."""


SPLITS = {  # split, query, gallery
    "train": ("train", False, False),
    "bounding_box_train": ("train", False, False),
    "val": ("val", False, False),
    "test": ("test", False, False),
    "query": ("test", True, False),
    "query_3": ("test", True, False),
    "gallery": ("test", False, True),
    "bounding_box_test": ("test", False, True),
}

_NUMBERS = ("pid", "camid", "place", "frame")
FIELDS = {
    "split": "|".join(SPLITS),
    "pid": "-1|[0-9]+",
    "label": "[^/]+?",
    **dict.fromkeys(("camid", "place", "frame"), "[0-9]+"),
    "sequence": "[^/]+?",
    **{name: "|".join(KNOWN[name].allowed) for name in ("time", "modality")},
    "any": "[^/]*?",
}

NO_SPLIT = ("none", False)  # what the options of the whole set say when they say nothing

Fields = Mapping[str, Sequence[str]]


def read(root: Path, options: Options) -> Manifest:
    """List the tree and read every row from its path."""
    expression = _compile(options.pattern)
    _check_options(options)
    listing = pictures(root)
    if not listing.pictures:
        raise no_picture(root, listing)
    refuse_equal_but_for_case(root, listing.pictures)
    paths, fields, strange = _match(expression, listing.pictures)
    if not paths:
        raise UserError(f"{root}: {_none_fits(root, strange, expression, options.pattern)}")
    notes = tree_notes(listing)
    if strange:
        total = len(listing.pictures)
        text = f"{len(strange)} of {total} names do not fit the pattern {options.pattern!r}: {shown(strange)}"
        if options.unmatched == "error":
            raise UserError(f"{root}: {text}; --set unmatched=skip skips them")
        notes.append(f"skipped: {text}")
    return build(_columns(paths, fields, options), options.source or source_name(root), root, notes)


def _check_options(options: Options) -> None:
    """Refuse what the pattern leaves no room for."""
    if options.shift_pid and "{pid}" not in options.pattern:
        raise UserError(f"shift_pid = {options.shift_pid}: the pattern {options.pattern!r} has no {{pid}} to shift")
    given = {name: value for name in ("split", "query", "gallery") if (value := getattr(options, name)) not in NO_SPLIT}
    for name, value in given.items():
        said = f"{name} = {str(value).lower()}"
        if "{split}" in options.pattern:
            raise UserError(f"{said}: the pattern {options.pattern!r} has a {{split}}, which says it of every picture")
        if name != "split" and options.split != "test":
            raise UserError(f"{said}: split is {options.split}, must be test")


def _compile(pattern: str) -> re.Pattern[str]:
    """Turn a pattern into one for paths without their ending; the only regular expressions in it are ours."""
    parts = re.split(r"\{([^{}]*)\}", pattern)
    literals, fields = parts[::2], parts[1::2]
    _check_pattern(pattern, literals, fields)
    text = re.escape(literals[0])
    for literal, field in zip(literals[1:], fields, strict=True):
        text += (f"({FIELDS[field]})" if field == "any" else f"(?P<{field}>{FIELDS[field]})") + re.escape(literal)
    return re.compile(text)


def _fits(expression: re.Pattern[str], path: str) -> re.Match[str] | None:
    return expression.fullmatch(path.rpartition(".")[0])


def _match(expression: re.Pattern[str], paths: Sequence[str]) -> tuple[list[str], Fields, list[str]]:
    """Sort paths into those that fit, with the fields of them all, and the others."""
    fitting: list[str] = []
    values: list[str] = []  # of all groups of all paths in one flat list: tuples would wake the garbage collector
    strange: list[str] = []
    for path in paths:
        if found := _fits(expression, path):
            values.extend(found.groups())
            fitting.append(path)
        else:
            strange.append(path)
    fields = {name: values[place - 1 :: expression.groups] for name, place in expression.groupindex.items()}
    return fitting, fields, strange


def _check_pattern(pattern: str, literals: list[str], fields: list[str]) -> None:
    where = f"pattern = {pattern!r}"
    for field in fields:
        if field not in FIELDS:
            raise UserError(f"{where}: unknown field {field!r}; {nearest(field, list(FIELDS))}")
        if field != "any" and fields.count(field) > 1:
            raise UserError(f"{where}: field {field!r} stands twice, must stand once; only {{any}} may be repeated")
    if any("{" in literal or "}" in literal for literal in literals):
        raise UserError(f"{where}: a brace stands alone; a field is written like {{pid}}")
    if ("pid" in fields) == ("label" in fields):
        raise UserError(f"{where}: must name either {{pid}} or {{label}}, which say who is in the picture")
    for first, literal, second in zip(fields, literals[1:], fields[1:], strict=False):
        if not literal and first in _NUMBERS and second in _NUMBERS:
            raise UserError(f"{where}: nothing stands between the numbers {{{first}}} and {{{second}}}")
    if literals[-1].lower().endswith(SUFFIXES):
        raise UserError(f"{where}: leave the ending out; every picture's ending is taken")


def _columns(paths: Sequence[str], fields: Fields, options: Options) -> dict[str, object]:
    """Turn the fields of all rows into the columns of a manifest."""
    count = len(paths)
    columns: dict[str, object] = {"path": paths}
    columns |= {name: [getattr(options, name)] * count for name in ("time", "modality", "object")}
    columns |= {name: fields[name] for name in ("sequence", "time", "modality") if name in fields}
    columns |= {name: _numbers(name, fields[name], paths) for name in _NUMBERS if name in fields}
    if "label" in fields:
        known = {label: number for number, label in enumerate(sorted(set(fields["label"])), 1)}
        columns |= {"label": fields["label"], "pid": [known[label] for label in fields["label"]]}
    elif options.shift_pid:
        shifted = [str(int(pid) + options.shift_pid) if pid != "-1" else pid for pid in fields["pid"]]
        columns |= {"label": fields["pid"], "pid": _numbers("pid", shifted, paths)}
    columns |= _roles(fields.get("split"), np.asarray(columns["pid"]) > 0, options)
    if options.id_space is not None:
        columns["id_space"] = [options.id_space] * count
    return columns


def _roles(words: Sequence[str] | None, known: NDArray[np.bool_], options: Options) -> dict[str, object]:
    """Say of every picture its split and its roles: as its own word does, or as the options do of all."""
    if words is not None:
        splits = [SPLITS[word] for word in words]
        return dict(zip(("split", "query", "gallery"), zip(*splits, strict=True), strict=True))
    # Nobody looks for junk or a distractor.
    count, queries = len(known), known & options.query
    return {"split": [options.split] * count, "query": queries, "gallery": [options.gallery] * count}


def _numbers(name: str, texts: Sequence[str], paths: Sequence[str]) -> list[int]:
    numbers = [int(text) for text in texts]
    limit = largest(name)
    for number, path in zip(numbers, paths, strict=True):
        if number > limit:
            raise UserError(f"{path}: {name} is {number}, must be at most {limit}")
    return numbers


def _none_fits(root: Path, paths: Sequence[str], expression: re.Pattern[str], pattern: str) -> str:
    """Say that nothing fits, and look one folder up and one down for the right root."""
    text = f"none of {len(paths)} names fits the pattern {pattern!r}, such as {paths[0]}"
    place = root.resolve() if root.name in ("", "..") else root
    if any(_fits(expression, f"{place.name}/{path}") for path in paths):
        return f"{text}; seen from {place.parent} they fit: give that folder as the root"
    for path in paths:
        first, _, rest = path.partition("/")
        if _fits(expression, rest):
            return f"{text}; seen from {root / first} they fit: give that folder as the root"
    labelled = _compile(pattern.replace("{pid}", "{label}")) if "{pid}" in pattern else expression
    if any(_fits(labelled, path) for path in paths):
        return f"{text}; {{pid}} takes digits only; {{label}} takes any text"
    return text
