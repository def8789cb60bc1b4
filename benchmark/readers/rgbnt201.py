"""RGBNT201 (Zheng et al., AAAI 2021): 201 people, each shot in visible, near-infrared and thermal light at once."""

from collections.abc import Sequence
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

CAMERAS = 4

CARD = Card(
    title="RGBNT201",
    licence="not stated",
    citation="A. Zheng, Z. Wang, Z. Chen, C. Li, J. Tang: Robust Multi-Modality Person Re-identification. AAAI, 2021",
    access="links on file hosts in author READMEs; the RGB folders also in that of Alexadlu/CENet",
    counts={"all": (None, 201), "train": (None, 171), "test": (None, 30)},
    cameras=CAMERAS,
    beside=tuple(f"{part}/{kind}" for part in ("train_141", "train_171", "test") for kind in ("RGB", "NI", "TI")),
    note=(
        "141 training identities are those of train=train_141; a set split otherwise may be RGBNT201-C, which is not "
        "this one; the number of images is not confirmed"
    ),
)

EXAMPLES: list[dict[str, object]] = [
    {"path": "train_171/RGB/000018_cam1_0_04.jpg", "pid": 18, "camid": 1, "view": "0", "split": "train"},
    {"path": "train_171/NI/000018_cam1_0_04.jpg", "pid": 18, "modality": "infrared", "subsets": ["train_171"]},
    {"path": "train_171/TI/000018_cam1_0_04.jpg", "pid": 18, "modality": "thermal", "time": "night"},
    {"path": "train_141/RGB/000018_cam1_0_04.jpg", "pid": 18, "split": "none", "subsets": ["train_141"]},
    {"path": "test/RGB/000258_cam1_0_00.jpg", "pid": 258, "split": "test", "query": True, "gallery": True},
    {"path": "test/NI/000258_cam4_-1_00.jpg", "pid": 258, "camid": 4, "view": "-1", "modality": "infrared"},
    {"path": "test/TI/000258_cam1_0_00.jpg", "pid": 258, "modality": "thermal", "query": True, "gallery": True},
]


class Options(Strict):
    """How to read RGBNT201."""

    train: Literal["train_171", "train_141"] = "train_171"
    """The training list; with `train_141`, those whom only `train_171` has are for validation."""
    modality: Literal["all", "RGB", "NI", "TI"] = "all"
    """Read one modality only. A protocol takes its own modality out of all of them, so this is seldom needed."""
    unmatched: Literal["error", "skip"] = "error"
    """What to do with pictures whose name does not parse, or whose camera the set does not have."""


MODALITIES = {"RGB": "visible", "NI": "infrared", "TI": "thermal"}
TRAIN = ("train_141", "train_171")

_NAME = r"(?P<pid>(?!000000)[0-9]{6})_cam(?P<camid>[1-9])_(?P<view>-?[0-9]+)_[0-9]+\.jpg"


def read(root: Path, options: Options) -> Manifest:
    """Read all modalities, or one; every test picture is a query and in the gallery."""
    parts, like = _parts(options), str(EXAMPLES[0]["path"])
    _propose_the_other_list(root, options.train)
    names = grammar.find(root, parts, _NAME, like, unmatched=options.unmatched, ignored=_ignored(options))
    names = grammar.known(names, names.numbers("camid") <= CAMERAS, f"cameras are 1 to {CAMERAS}", options.unmatched)
    lights = pa.array([MODALITIES[part.folder.rpartition("/")[2]] for part in parts])
    pid = names.numbers("pid")
    columns = names.columns() | {
        "pid": pid,
        "camid": names.numbers("camid"),
        "view": names.fields["view"],
        "modality": lights.take(pa.array(names.part)),
        "time": pa.repeat("night", len(pid)),
    }
    if options.train == "train_141":
        columns["split"] = _with_validation(names, pid)
    return build(columns, "rgbnt201", root, [*names.notes, *_incomplete(names)])


def _propose_the_other_list(root: Path, train: str) -> None:
    [other] = set(TRAIN) - {train}
    if grammar.is_folder(root / other) and not grammar.is_folder(root / train):
        raise UserError(f"{root}: must hold {train}/RGB/; {other}/ is there: --set train={other} trains on it")


def _parts(options: Options) -> Sequence[Part]:
    """List the folders; RGB must be there, since the whole field has it, and a modality that is asked for."""
    parts = []
    for name in MODALITIES if options.modality == "all" else (options.modality,):
        needed = name in ("RGB", options.modality)
        for folder in TRAIN:
            split = "train" if folder == options.train else "none"
            required = needed and folder == options.train
            parts.append(Part(f"{folder}/{name}", split, subsets=(folder,), required=required))
        parts.append(Part(f"test/{name}", "test", query=True, gallery=True, required=needed))
    return parts


def _ignored(options: Options) -> dict[str, str]:
    others = [name for name in MODALITIES if options.modality not in ("all", name)]
    why = f"modality = {options.modality}"
    return {f"{folder}/{name}": why for folder in (*TRAIN, "test") for name in others}


def _with_validation(names: Names, pid: NDArray[np.int64]) -> list[str]:
    """Take those whom the larger training list has beyond the smaller one for validation: 171 = 141 + 30."""
    folder = np.array([part.folder.partition("/")[0] for part in names.parts])[names.part]
    smaller = folder == "train_141"
    rest = np.where(np.isin(pid, pid[smaller]), "none", "val")
    split: list[str] = np.where(smaller, "train", np.where(folder == "test", "test", rest)).tolist()
    return split


def _incomplete(names: Names) -> list[str]:
    """Say which pictures lack a twin in another modality: the folders of all hold the same names."""
    notes = []
    for folder in (*TRAIN, "test"):
        numbers = [number for number, part in enumerate(names.parts) if part.folder.startswith(f"{folder}/")]
        files = {names.parts[number].folder[len(folder) + 1 :]: _files(names, number) for number in numbers}
        there = {modality: found for modality, found in files.items() if found}
        every = set[str]().union(*there.values())
        lacking = sorted(every - every.intersection(*there.values()))
        if lacking:
            notes.append(
                f"{folder}: {len(lacking)} names are not in all of {', '.join(there)}: {grammar.shown(lacking)}"
            )
    return notes


def _files(names: Names, part: int) -> set[str]:
    return {names.paths[row].rpartition("/")[2] for row in np.flatnonzero(names.part == part)}
