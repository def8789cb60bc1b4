"""Any set in the layout of Market-1501: three folders, names that begin like 0002_c1, and what follows."""

from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from benchmark import grammar
from benchmark.card import Card
from benchmark.config import Strict
from benchmark.errors import UserError
from benchmark.grammar import Names, Part
from benchmark.manifest import Manifest, build

CARD = Card(
    title="A set in the layout of Market-1501",
    note="a layout, not a set: nothing is known about how many pictures there should be",
)

EXAMPLES: list[dict[str, object]] = [
    {
        "path": "bounding_box_train/0002_c1s1_000451_03.jpg",
        **{"pid": 2, "camid": 1, "place": 1, "split": "train", "time": "unknown", "sequence": "1", "frame": 451},
    },
    {
        "path": "bounding_box_train/0001_c2_f0046182.jpg",
        **{"pid": 1, "camid": 2, "split": "train", "query": False, "gallery": False, "sequence": None, "frame": None},
    },
    {"path": "query/0003_c12_0021.png", "pid": 3, "camid": 12, "split": "test", "query": True, "gallery": False},
    {
        "path": "bounding_box_test/-1_c1s1_000401_03.jpg",
        **{"pid": -1, "camid": 1, "split": "test", "query": False, "gallery": True},
    },
    {"path": "bounding_box_test/0000_c0007s2_x.jpeg", "pid": 0, "camid": 7, "query": False, "gallery": True},
]

# Sequence and frame are read only where the name is Market's own from end to end; other sets print other numbers there.
PATTERN = (
    r"(?P<pid>-1|[0-9]+)_c(?P<camid>[0-9]+)"
    r"(?:s(?P<sequence>[0-9]+)_(?P<frame>[0-9]+)_[0-9]+\.jpg|(?:s[0-9]+)?[_.][^/]*)"
)


class Options(Strict):
    """How to read a tree in the layout of Market-1501."""

    source: str | None = None
    """The name of the set: lower case letters, digits and . _ + - (default: made from the root folder's name)."""
    id_space: str | None = None
    """The name space of the identities, for a set that shares them with another one (default: the source)."""
    time: Literal["day", "night", "unknown"] = "unknown"
    """When all pictures were taken."""
    modality: Literal["visible", "infrared", "thermal"] = "visible"
    """What kind of light all pictures show."""
    object: Literal["person", "vehicle"] = "person"
    """What all pictures show."""
    cameras: int | None = Field(default=None, ge=1)
    """How many cameras there are: a number outside of 1 to this is an error (default: any number is taken)."""
    train: str = "bounding_box_train"
    """The folder of the training pictures."""
    query: str = "query"
    """The folder of the queries; with that of the gallery, its pictures are both."""
    gallery: str = "bounding_box_test"
    """The folder of the gallery."""
    unmatched: Literal["error", "skip"] = "error"
    """What to do with pictures whose name does not parse, or that lie in other folders."""


def read(root: Path, options: Options) -> Manifest:
    """Read those of the three folders that are there; one at least must be."""
    parts = _parts(root, options)
    like = f"{parts[0].folder}/0002_c1s1_000451_03.jpg or {parts[0].folder}/0002_c1_7.png"
    names = grammar.find(root, parts, PATTERN, like, unmatched=options.unmatched)
    camids = names.numbers("camid", 1, options.cameras) if options.cameras else names.numbers("camid")
    columns = names.columns() | {"pid": names.numbers("pid"), "camid": camids} | _video(names)
    columns |= {name: pa.repeat(getattr(options, name), len(camids)) for name in ("time", "modality", "object")}
    source = options.source or grammar.source_name(root)
    columns["id_space"] = pa.repeat(options.id_space or source, len(camids))
    return build(columns, source, root, names.notes)


def _parts(root: Path, options: Options) -> tuple[Part, ...]:
    """List the folders; queries and gallery may be one, and its pictures are then both."""
    train, query, gallery = (folder.rstrip("/") for folder in (options.train, options.query, options.gallery))
    if train in (query, gallery):
        raise UserError(f"{root}: train = {train} is also a folder of the test; training and test need one each")
    training = Part(train, "train", required=False)
    if query == gallery:
        return training, Part(query, "test", query=True, gallery=True, required=False)
    asked = Part(query, "test", query=True, required=False)
    return training, asked, Part(gallery, "test", gallery=True, required=False)


def _video(names: Names) -> dict[str, object]:
    """Give sequence and frame; null where the name does not tell."""
    absent = np.array([text == "" for text in names.fields["frame"]])
    return {
        "sequence": pa.array([text or None for text in names.fields["sequence"]], pa.string()),
        "frame": pa.array(names.numbers("frame"), mask=absent),
    }
