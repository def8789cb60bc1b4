"""Market-1501 (Zheng et al., ICCV 2015): six cameras before a supermarket, by day."""

from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark import grammar
from benchmark.card import Card
from benchmark.config import Strict
from benchmark.errors import UserError
from benchmark.grammar import Names, Part
from benchmark.manifest import Manifest, build

CARD = Card(
    title="Market-1501",
    licence="terms not established",
    citation="Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015",
    access="public links",
    # 19,732 files of the gallery are 15,913 and 3,819 of junk.
    counts={"train": (12936, 751), "query": (3368, 750), "gallery": (19732, None)},
    cameras=6,
    labelling="DPM",
    beside=("gt_bbox", "images"),
    note="the gallery has 15,913 files where junk (pid -1, 3,819 files) was removed, and more with the 500,000 "
    "distractors; the number of distractors (pid 0) in it is not confirmed: 2,793 or 2,798",
)

EXAMPLES: list[dict[str, object]] = [
    {
        "path": "bounding_box_train/0002_c1s1_000451_03.jpg",
        **{"pid": 2, "camid": 1, "place": 1, "split": "train", "query": False, "gallery": False},
        **{"modality": "visible", "time": "day", "sequence": "c1s1", "frame": 451, "distractor": False},
    },
    {"path": "query/0001_c1s1_001051_00.jpg", "pid": 1, "camid": 1, "split": "test", "query": True, "gallery": False},
    {
        "path": "bounding_box_test/0000_c1s1_000151_01.jpg",
        **{"pid": 0, "camid": 1, "split": "test", "query": False, "gallery": True, "distractor": True},
    },
    {
        "path": "bounding_box_test/-1_c1s1_000401_03.jpg",
        **{"pid": -1, "camid": 1, "split": "test", "query": False, "gallery": True, "distractor": False},
    },
    {"path": "bounding_box_test/1501_c6s4_024567_00.jpg", "pid": 1501, "camid": 6, "gallery": True},
]

PARTS = (
    Part("bounding_box_train", "train"),
    Part("query", "test", query=True),
    Part("bounding_box_test", "test", gallery=True),
)
MORE = Part("images", "test", gallery=True, subsets=("distractors-500k",))
# The authors' grammar leaves the end open, so a name that ends twice is taken too.
PATTERN = r"(?P<pid>-1|[0-9]{4})_c(?P<camid>[0-9])s(?P<sequence>[0-9]+)_(?P<frame>[0-9]+)_[0-9]+\.jpg(?:\.jpg)?"
IGNORED = {"gt_bbox": "boxes drawn by hand, for queries of several pictures"}


class Options(Strict):
    """How to read Market-1501."""

    distractors: bool = False
    """Whether the 500,000 distractors, in the folder images/, are added to the gallery."""
    unmatched: Literal["error", "skip"] = "error"
    """What to do with pictures whose name does not parse."""


def read(root: Path, options: Options) -> Manifest:
    """Read the three folders, and the 500,000 distractors where they are wanted."""
    parts = (*PARTS, MORE) if options.distractors else PARTS
    ignored = IGNORED if options.distractors else IGNORED | {"images": "--set distractors=true adds them"}
    like = str(EXAMPLES[0]["path"])
    names = grammar.find(root, parts, PATTERN, like, unmatched=options.unmatched, ignored=ignored)
    pids, camids = names.numbers("pid"), names.numbers("camid", 1, 6)
    _refuse_people(names, pids)
    sequences = zip(names.fields["camid"], names.fields["sequence"], strict=True)
    columns = names.columns() | {"pid": pids, "camid": camids, "frame": names.numbers("frame")}
    columns |= {"sequence": [f"c{camid}s{sequence}" for camid, sequence in sequences]}
    columns |= {"time": pa.repeat("day", len(pids)), "distractor": pids == 0}
    return build(columns, "market1501", root, names.notes)


def _refuse_people(names: Names, pids: NDArray[np.int64]) -> None:
    """Refuse a person among the 500,000 distractors: it would be a wrong negative, or a wrong positive."""
    more = [number for number, part in enumerate(names.parts) if part == MORE]
    wrong = np.flatnonzero(np.isin(names.part, more) & (pids > 0))
    if len(wrong):
        raise UserError(f"{names.root}: {names.paths[wrong[0]]}: pid is {pids[wrong[0]]}, a distractor's must be 0")
