"""Knight, also NightPerson (Zhang et al., IEEE Access 2019): 937 people before three cameras, compared in pairs."""

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
    title="Knight",
    licence="not stated",
    citation="J. Zhang, Y. Yuan, Q. Wang: Night Person Re-Identification and a Benchmark. IEEE Access 7, 2019",
    access="one link on a file host (Baidu) in the READMEs of Alexadlu/IDF and Alexadlu/CENet",
    counts={"all": (315354, 937), "c1c2": (183430, 474), "c1c3": (56889, 176), "c2c3": (153547, 639)},
    cameras=3,
    view="downward",
    labelling="hand",
    note="the text of the Night600 paper says 971 identities, its table and public loaders 937",
)

EXAMPLES: list[dict[str, object]] = [
    {"path": "Person/0002/cam1_15.jpg", "pid": 2, "camid": 1, "split": "train", "subsets": ["c1c2"]},
    {"path": "Person/0002/cam2_0.jpg", "pid": 2, "camid": 2, "split": "train", "subsets": ["c1c2"], "query": False},
    {"path": "Person/0003/cam1_7.jpg", "pid": 3, "camid": 1, "split": "test", "query": True, "gallery": False},
    {"path": "Person/0003/cam2_7.jpg", "pid": 3, "camid": 2, "query": False, "gallery": True, "time": "night"},
    {"path": "Person/004/x_cam3_1.jpg", "pid": 4, "camid": 3, "split": "train", "subsets": [], "modality": "visible"},
    {"path": "Person/0937/cam1_1.jpg", "pid": 937, "camid": 1, "subsets": ["c1c2", "c1c3"], "query": True},
    {"path": "Person/0937/cam2_1.jpg", "pid": 937, "camid": 2, "subsets": ["c1c2", "c2c3"], "gallery": True},
    {"path": "Person/0937/cam3_101.jpg", "pid": 937, "camid": 3, "subsets": ["c1c3", "c2c3"], "gallery": False},
]


class Options(Strict):
    """How to read Knight."""

    split: Literal["even-odd", "none"] = "even-odd"
    """`even-odd`: even identities train and odd ones test, as the public loader has it; the authors' own list is not
    established. `none` leaves the split to `luxreid data split`."""
    pair: Literal["c1c2", "c1c3", "c2c3"] = "c1c2"
    """The pair of cameras that the columns `query` (its lower camera) and `gallery` are for; `subsets` has all."""
    unmatched: Literal["error", "skip"] = "error"
    """What to do with pictures whose name does not parse."""


PAIRS = {"c1c2": (1, 2), "c1c3": (1, 3), "c2c3": (2, 3)}

# The folder has four digits in loaders, three in one README.
_NAME = r"(?P<pid>(?!0+/)[0-9]{3,4})/[^/]*cam(?P<camid>[1-3])_[0-9]+\.jpg"

Flags = NDArray[np.bool_]


def read(root: Path, options: Options) -> Manifest:
    """Read the folders of all identities; an image is in a pair where its identity has both cameras."""
    names = grammar.find(root, [Part("Person")], _NAME, "Person/0002/cam1_15.jpg", unmatched=options.unmatched)
    pid, camid = names.numbers("pid"), names.numbers("camid")
    _refuse_two_spellings(names, pid)
    pairs = _pairs(pid, camid)
    test = (pid % 2 == 1) & (options.split == "even-odd")
    low, high = PAIRS[options.pair]
    columns = names.columns() | {
        "pid": pid,
        "camid": camid,
        "time": pa.repeat("night", len(pid)),
        "query": test & pairs[options.pair] & (camid == low),
        "gallery": test & pairs[options.pair] & (camid == high),
        "subsets": _subsets(pairs),
    }
    if options.split == "even-odd":
        columns["split"] = np.where(test, "test", "train").tolist()
    return build(columns, "knight", root, names.notes)


def _refuse_two_spellings(names: Names, pid: NDArray[np.int64]) -> None:
    first: dict[int, str] = {}
    for number, text in zip(pid.tolist(), names.fields["pid"], strict=True):
        if first.setdefault(number, text) != text:
            raise UserError(
                f"{names.root}: Person/{first[number]} and Person/{text} are one identity in two spellings; "
                "one root must hold one version of the set"
            )


def _pairs(pid: NDArray[np.int64], camid: NDArray[np.int64]) -> dict[str, Flags]:
    """Say for every pair of cameras which images are in it."""
    seen = np.zeros((int(pid.max()) + 1, 4), bool)
    seen[pid, camid] = True
    return {
        name: seen[pid, low] & seen[pid, high] & ((camid == low) | (camid == high))
        for name, (low, high) in PAIRS.items()
    }


def _subsets(pairs: dict[str, Flags]) -> pa.Array:
    """List the pairs of every image; few lists differ, so each is made once."""
    codes = sum(flags.astype(np.int64) << bit for bit, flags in enumerate(pairs.values()))
    distinct = [[name for bit, name in enumerate(pairs) if code >> bit & 1] for code in range(2 ** len(pairs))]
    return pa.array(distinct, pa.list_(pa.string())).take(pa.array(codes))
