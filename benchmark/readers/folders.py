"""Any tree of pictures whose folders and names say who, where and when, described by a pattern with named fields."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmark.card import Card
from benchmark.columns import KNOWN
from benchmark.config import Strict
from benchmark.errors import UserError, nearest
from benchmark.images import SUFFIXES
from benchmark.manifest import Manifest, build
from benchmark.tree import Listing, pictures

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

Row = Mapping[str, str]
Match = Callable[[str], Row | None]


def read(root: Path, options: Options) -> Manifest:
    """List the tree and read every row from its path."""
    match = _compile(options.pattern)
    _check_options(options)
    listing = pictures(root)
    if not listing.pictures:
        raise UserError(f"{root}: no picture found; a picture ends in {', '.join(SUFFIXES)}")
    _refuse_equal_but_for_case(root, listing.pictures)
    matches = {path: match(path) for path in listing.pictures}
    rows = {path: fields for path, fields in matches.items() if fields is not None}
    strange = [path for path, fields in matches.items() if fields is None]
    if not rows:
        raise UserError(f"{root}: {_none_fits(root, listing.pictures, match, options.pattern)}")
    if strange and options.unmatched == "error":
        raise UserError(f"{root}: {_unmatched(strange, matches, options.pattern)}; --set unmatched=skip skips them")
    notes = _notes(listing)
    if strange:
        notes.append(f"skipped: {_unmatched(strange, matches, options.pattern)}")
    return build(_columns(rows, options), options.source or _slug(root), root, notes)


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


def _compile(pattern: str) -> Match:
    """Turn a pattern into a matcher; the only regular expressions in it are ours."""
    parts = re.split(r"\{([^{}]*)\}", pattern)
    literals, fields = parts[::2], parts[1::2]
    _check_pattern(pattern, literals, fields)
    text = re.escape(literals[0])
    for literal, field in zip(literals[1:], fields, strict=True):
        text += (f"({FIELDS[field]})" if field == "any" else f"(?P<{field}>{FIELDS[field]})") + re.escape(literal)
    expression = re.compile(text)

    def match(path: str) -> Row | None:
        found = expression.fullmatch(path.rpartition(".")[0])
        return found.groupdict() if found else None

    return match


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


def _columns(rows: Mapping[str, Row], options: Options) -> dict[str, object]:
    """Turn the fields of all rows into the columns of a manifest."""
    count = len(rows)
    fields = {name: [row[name] for row in rows.values()] for name in next(iter(rows.values()))}
    columns: dict[str, object] = {"path": list(rows)}
    columns |= {name: [getattr(options, name)] * count for name in ("time", "modality", "object")}
    columns |= {name: fields[name] for name in ("sequence", "time", "modality") if name in fields}
    columns |= {name: _numbers(name, fields[name], list(rows)) for name in _NUMBERS if name in fields}
    if "label" in fields:
        known = {label: number for number, label in enumerate(sorted(set(fields["label"])), 1)}
        columns |= {"label": fields["label"], "pid": [known[label] for label in fields["label"]]}
    elif options.shift_pid:
        shifted = [str(int(pid) + options.shift_pid) if pid != "-1" else pid for pid in fields["pid"]]
        columns |= {"label": fields["pid"], "pid": _numbers("pid", shifted, list(rows))}
    columns |= _roles(fields.get("split"), np.asarray(columns["pid"]) > 0, options)
    if options.id_space is not None:
        columns["id_space"] = [options.id_space] * count
    return columns


def _roles(words: list[str] | None, known: NDArray[np.bool_], options: Options) -> dict[str, object]:
    """Say of every picture its split and its roles: as its own word does, or as the options do of all."""
    if words is not None:
        splits = [SPLITS[word] for word in words]
        return dict(zip(("split", "query", "gallery"), zip(*splits, strict=True), strict=True))
    # Nobody looks for junk or a distractor.
    count, queries = len(known), known & options.query
    return {"split": [options.split] * count, "query": queries, "gallery": [options.gallery] * count}


def _numbers(name: str, texts: list[str], paths: list[str]) -> list[int]:
    numbers = [int(text) for text in texts]
    limit = int(np.iinfo(KNOWN[name].type.to_pandas_dtype()).max)
    for number, path in zip(numbers, paths, strict=True):
        if number > limit:
            raise UserError(f"{path}: {name} is {number}, must be at most {limit}")
    return numbers


def _refuse_equal_but_for_case(root: Path, paths: list[str]) -> None:
    counts = Counter(path.lower() for path in paths)
    twice = [path for path in paths if counts[path.lower()] > 1]
    if twice:
        same = [path for path in twice if path.lower() == twice[0].lower()]
        raise UserError(f"{root}: {same[0]} and {same[1]} differ only in case; one copy of the set would lose a file")


def _none_fits(root: Path, paths: list[str], match: Match, pattern: str) -> str:
    """Say that nothing fits, and look one folder up and one down for the right root."""
    text = f"none of {len(paths)} names fits the pattern {pattern!r}, such as {paths[0]}"
    place = root.resolve() if root.name in ("", "..") else root
    if any(match(f"{place.name}/{path}") for path in paths):
        return f"{text}; seen from {place.parent} they fit: give that folder as the root"
    for path in paths:
        first, _, rest = path.partition("/")
        if match(rest):
            return f"{text}; seen from {root / first} they fit: give that folder as the root"
    if "{pid}" in pattern and any(map(_compile(pattern.replace("{pid}", "{label}")), paths)):
        return f"{text}; {{pid}} takes digits only; {{label}} takes any text"
    return text


def _unmatched(strange: list[str], all_paths: Mapping[str, object], pattern: str) -> str:
    shown = ", ".join(strange[:3]) + (", ..." if len(strange) > 3 else "")
    return f"{len(strange)} of {len(all_paths)} names do not fit the pattern {pattern!r}: {shown}"


def _notes(listing: Listing) -> list[str]:
    notes = []
    if listing.others:
        notes.append(f"{listing.others} files that are no pictures are ignored")
    if listing.linked:
        notes.append(f"{listing.linked} links to folders are not followed")
    return notes


def _slug(root: Path) -> str:
    name = (root.resolve() if root.name in ("", "..") else root).name
    slug = re.sub(r"[^a-z0-9._+-]+", "-", name.lower()).strip("-._+")
    if not slug:
        raise UserError(f"{root}: no name for the set can be made from the folder's name; set source")
    return slug
