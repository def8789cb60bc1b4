"""Night600 (Lu et al., TMM 2023): 600 people on campus roads at night, in either of its two packagings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from benchmark import grammar
from benchmark.card import Card
from benchmark.config import Strict
from benchmark.errors import UserError
from benchmark.grammar import Names, Part
from benchmark.manifest import Manifest, build

CARD = Card(
    title="Night600",
    licence="not stated",
    citation=(
        "A. Lu, Z. Zhang, Y. Huang, Y. Zhang, C. Li, J. Tang, L. Wang: Illumination Distillation Framework for "
        "Nighttime Person Re-Identification and A New Benchmark. IEEE Transactions on Multimedia, 2023"
    ),
    access="links on two file hosts in the READMEs of Alexadlu/IDF and Alexadlu/CENet; no agreement is asked",
    counts={"train": (14462, 300), "query": (2180, 300), "gallery": (14351, 300)},
    cameras=8,
    beside=("pytorch_2180",),
    view="parallel, downward",
    labelling="detectron2, hand",
    note="a gallery short of 2,180 images is a copy that took the queries out; the sums of the paper keep them in",
)

# Names as public loaders read them; what follows the camera is not established, so nothing is read from it.
EXAMPLES: list[dict[str, object]] = [
    {"path": "bounding_box_train/000012_c3_0007.jpg", "pid": 12, "camid": 3, "split": "train", "time": "night"},
    {"path": "bounding_box_train/000600_c8_.jpg", "pid": 600, "camid": 8, "place": 8, "split": "train"},
    {"path": "query_3/000345_c1_0012.jpg", "pid": 345, "camid": 1, "split": "test", "query": True, "gallery": False},
    {"path": "bounding_box_test/000345_c1_0012.jpg", "pid": 345, "camid": 1, "query": False, "gallery": True},
    {"path": "bounding_box_test/000345_c5_a_b.jpg", "pid": 345, "camid": 5, "split": "test", "gallery": True},
]


class Options(Strict):
    """How to read Night600."""

    train: Literal["train_all", "train"] = "train_all"
    """The training list of the ImageFolder packaging: `train_all`, or its part `train`, with `val` as validation."""
    unmatched: Literal["error", "skip"] = "error"
    """What to do with pictures whose name does not parse, or whose identity the set does not have."""


PEOPLE = 600
_NAME = r"(?P<pid>(?!000000)[0-9]{6})_c(?P<camid>[1-8])_[^/]*\.jpg"

_MARKET = (
    Part("bounding_box_train", "train"),
    Part("query_3", "test", query=True),
    Part("bounding_box_test", "test", gallery=True),
)
_BESIDE = {"pytorch_2180": "the other packaging, a root of its own"}


def read(root: Path, options: Options) -> Manifest:
    """Read either packaging: Market-like folders, or an ImageFolder tree with a folder for every identity."""
    layouts = {"Market-like folders": _MARKET, "an ImageFolder tree": _image_folders(options.train)}
    parts, skips = layouts[grammar.layout(root, layouts)], options.unmatched
    if parts is _MARKET:
        if options.train != "train_all":
            raise UserError(
                f"{root}: train = {options.train}: Market-like folders have one training list; leave it out"
            )
        like = "bounding_box_train/000012_c3_0007.jpg"
        return _build(grammar.find(root, parts, _NAME, like, unmatched=skips, ignored=_BESIDE), skips)
    like = "train_all/000012/000012_c3_0007.jpg"
    names = grammar.find(root, parts, f"(?P<folder>[0-9]+)/{_NAME}", like, unmatched=skips)
    _refuse_other_labels(names)
    return _build(names, skips)


def _image_folders(train: str) -> Sequence[Part]:
    """List the folders of the other packaging; its training lists overlap, so only one of them trains."""
    whole = train == "train_all"
    return (
        Part("train_all", "train" if whole else "none", subsets=("train_all",), required=whole),
        Part("train", "none" if whole else "train", subsets=("train",), required=not whole),
        Part("val", "none" if whole else "val", subsets=("val",), required=not whole),
        Part("query", "test", query=True),
        Part("gallery", "test", gallery=True),
    )


def _refuse_other_labels(names: Names) -> None:
    wrong = np.flatnonzero(names.numbers("folder") != names.numbers("pid"))
    if len(wrong):
        shown = grammar.shown([names.paths[row] for row in wrong])
        raise UserError(f"{names.root}: folder and name must give one identity, {len(wrong)} names do not: {shown}")


def _build(names: Names, unmatched: str) -> Manifest:
    names = grammar.known(names, names.numbers("pid") <= PEOPLE, f"identities are 1 to {PEOPLE}", unmatched)
    pid, camid = names.numbers("pid"), names.numbers("camid")
    columns = names.columns() | {"pid": pid, "camid": camid, "time": pa.repeat("night", len(pid))}
    return build(columns, "night600", names.root, [*names.notes, *_absent_copies(names)])


def _absent_copies(names: Names) -> list[str]:
    """Say where queries have no copy in the gallery: the paper's words and its sums differ on it."""
    role = {
        name: {names.paths[row].rpartition("/")[2] for row in np.flatnonzero(np.asarray(names.columns()[name]))}
        for name in ("query", "gallery")
    }
    absent = sorted(role["query"] - role["gallery"])
    if not absent:
        return []
    return [f"{len(absent)} of {len(role['query'])} queries have no namesake in the gallery: {grammar.shown(absent)}"]
