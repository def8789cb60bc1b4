"""Syn_Dark: Market-1501 and MSMT17, darkened, as released by the authors of CENet and rebuilt by others."""

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
    title="Syn_Dark",
    licence="not stated",
    access="file-host links in the authors' README",
    note="counts and recipe of the release are not established; in the rebuild, MSMT17's test people are in the "
    "training folder, so a model trained on it must not report MSMT17 scores",
)

EXAMPLES: list[dict[str, object]] = [
    {
        "path": "bounding_box_train/0002_c1s1_000451_03.jpg",
        **{"pid": 2, "camid": 1, "place": 1, "split": "train", "time": "night", "id_space": "syn_dark"},
        **{"modality": "visible", "parent": None, "scene": None, "source": "syn_dark"},
    },
    {"path": "bounding_box_train/1502_c7s1_000001_00.jpg", "pid": 1502, "camid": 7, "split": "train", "query": False},
    {"path": "bounding_box_train/2543_c16s1_032700_00.jpg", "pid": 2543, "camid": 16, "split": "train"},
    {"path": "query/0001_c1s1_001051_00.jpg", "pid": 1, "camid": 1, "split": "test", "query": True, "gallery": False},
    {"path": "bounding_box_test/0000_c1_x.png", "pid": 0, "camid": 1, "query": False, "gallery": True},
    {"path": "bounding_box_test/-1_c1s1_000401_03.jpg", "pid": -1, "camid": 1, "query": False, "gallery": True},
]

PARTS = (
    Part("bounding_box_train", "train"),
    Part("query", "test", query=True),
    Part("bounding_box_test", "test", gallery=True),
)
PATTERN = r"(?P<pid>-1|[0-9]+)_c(?P<camid>[0-9]{1,2})(?:s[0-9]+)?_[^/]*\.(?:jpg|png)"

# The rebuild's numbers: pid 1502 is MSMT17's first person, camera 7 its first camera. Its training people come first,
# then those of its test, as in our numbers of MSMT17, which count from 1.
FIRST_PID, CAMERAS, MSMT_CAMERAS = 1502, 6, 15


class Options(Strict):
    """How to read Syn_Dark."""

    packaging: Literal["release", "rebuild", "rebuild-gt"] = "release"
    """The authors' release (v2), of which nothing is known but the names; the rebuild by others (v3), whose numbers
    say which picture is whose; or that one's clean twin (v3_GT)."""
    unmatched: Literal["error", "skip"] = "error"
    """What to do with pictures whose name does not parse, or whose camera the release cannot have."""


def read(root: Path, options: Options) -> Manifest:
    """Read the three folders; the rebuild's people are those of Market-1501 and MSMT17, and are named so."""
    like = str(EXAMPLES[0]["path"])
    names = grammar.find(root, PARTS, PATTERN, like, unmatched=options.unmatched)
    if options.packaging == "release":
        names = _with_known_cameras(names, options.unmatched)
    pids, camids = names.numbers("pid"), names.numbers("camid", 1)
    columns = names.columns() | {"pid": pids, "camid": camids}
    columns["time"] = pa.repeat("day" if options.packaging == "rebuild-gt" else "night", len(pids))
    if options.packaging == "release":
        return build(columns, "syn_dark", root, names.notes)
    columns |= _people(names, pids, camids)
    if options.packaging == "rebuild-gt":
        return build(columns, "syn_dark-gt", root, names.notes)
    # The clean twin has the same names.
    columns["parent"] = columns["scene"] = [f"syn_dark-gt/{path}" for path in names.paths]
    return build(columns, "syn_dark-rebuild", root, names.notes)


def _with_known_cameras(names: Names, unmatched: str) -> Names:
    """Refuse cameras of a test that neither set has, so that no unknown one enters a score."""
    most, training = CAMERAS + MSMT_CAMERAS, names.part == 0
    fits = training | (names.numbers("camid", 1) <= most)
    return grammar.known(names, fits, f"cameras of queries and gallery are 1 to {most}", unmatched)


def _people(names: Names, pids: NDArray[np.int64], camids: NDArray[np.int64]) -> dict[str, object]:
    """Say which set each person is from, and give MSMT17's people the numbers that they have there."""
    from_msmt = pids >= FIRST_PID
    wrong = np.flatnonzero((from_msmt != (camids > CAMERAS)) | (camids > CAMERAS + MSMT_CAMERAS))
    if len(wrong):
        row = wrong[0]
        allowed = f"people from {FIRST_PID} on have cameras {CAMERAS + 1} to {CAMERAS + MSMT_CAMERAS}, others 1 to 6"
        raise UserError(f"{names.root}: {names.paths[row]}: pid {pids[row]}, camera {camids[row]}: {allowed}")
    return {
        "label": names.fields["pid"],
        "pid": np.where(from_msmt, pids - FIRST_PID + 1, pids),
        "id_space": np.where(from_msmt, "msmt17", "market1501"),
    }
