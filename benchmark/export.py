"""`data export`: a manifest as a tree of folders and names that other people's loaders read."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark import durable, images, manifest, stored
from benchmark.columns import MEASURED
from benchmark.console import count
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.progress import track

QUALITY = 95
PLAN = ".export.json"  # written first: says whose unfinished tree a folder holds
RECORD = "manifest.parquet"  # written last: says that all is there
_JPEG = b"\xff\xd8"
# `mask` names a file that is not part of the tree; the others are made anew.
_NOT_CARRIED = ("image_id", "source", "path", "mask")


class Exported(NamedTuple):
    """How many pictures an export was about."""

    files: int  # in the tree
    written_now: int  # the others were there, from a run before
    twice: int  # rows that are query and gallery, so in two files
    encoded: int  # rows whose picture was no JPEG
    left_out: int  # rows that are in no split and have no role


class Target(NamedTuple):
    """One file to be written: the row it shows, its role, its path in the tree."""

    row: int
    role: str
    file: str


def export(rows: Manifest, layout: ModuleType, folder: Path) -> Exported:
    """Write the tree, then `names.csv` and, as the record that all is there, `manifest.parquet`."""
    kept = rows.select(_has_a_place(rows))
    what = layout.__name__.rpartition(".")[2].lower()
    refuse(kept, layout, f"export to {what}")
    targets = _targets(kept, layout)
    _claim(folder, kept, what, targets)
    encoded, written = np.zeros(len(kept), dtype=bool), 0
    places: dict[int, list[str]] = {}
    for target in targets:
        places.setdefault(target.row, []).append(target.file)
    for row, (data, fresh) in enumerate(track(_pictures(kept), "export", len(kept))):
        encoded[row] = fresh
        for file in places[row]:
            written += _write_missing(folder, file, data)
    durable.write_bytes(folder / "names.csv", _names(kept, targets))
    manifest.write(_described(kept, targets, encoded, what, folder), folder / RECORD)
    return Exported(len(targets), written, len(targets) - len(kept), int(encoded.sum()), len(rows) - len(kept))


def _has_a_place(rows: Manifest) -> NDArray[np.bool_]:
    frame = rows.frame()
    has = (frame["split"].isin(["train", "val"]) | frame["query"] | frame["gallery"]).to_numpy(dtype=bool)
    if not has.any():
        raise UserError(
            "export: no row is train, val, query or gallery; read the set again with {split} in the pattern, or with "
            "`--set split=train`, or with `--set split=test --set query=true --set gallery=true`"
        )
    return has


def refuse(rows: Manifest, layout: ModuleType, what: str) -> None:
    """Refuse what no layout of names can say, then what this one cannot; `what` begins the line."""
    frame = rows.frame()
    spaces = sorted(frame["id_space"].unique())
    if len(spaces) > 1:
        raise UserError(f"{what}: names hold one space of identities, found {', '.join(spaces)}")
    unknown = frame.loc[frame["camid"] == 0, "image_id"]
    if len(unknown):
        rows_there, first = count(len(unknown), "row"), unknown.iloc[0]
        raise UserError(f"{what}: {rows_there} with camid 0 (unknown), such as {first!r}")
    people = frame[frame["pid"] > 0]
    # Two sets number their cameras each in its own way, so an equal number would make two cameras one.
    shared = people.groupby(["pid", "camid"])["source"].nunique()
    if (shared > 1).any():
        pid, camid = shared.index[shared > 1][0]
        names = sorted(people.loc[(people["pid"] == pid) & (people["camid"] == camid), "source"].unique())
        raise UserError(f"{what}: names of {' and '.join(names)} clash: both have pid {pid}, camera {camid}")
    problem = layout.problem(rows)
    if problem:
        raise UserError(f"{what}: {problem}")


def _targets(rows: Manifest, layout: ModuleType) -> list[Target]:
    """Name every file."""
    return [
        Target(row, role, f"{layout.FOLDERS[role]}/{name}")
        for row, (name, wanted) in enumerate(zip(names(rows, layout), roles(rows), strict=True))
        for role in wanted
    ]


def names(rows: Manifest, layout: ModuleType) -> list[str]:
    """Name every row's picture. Numbers run over the whole set, so equal names in two folders mean the same picture."""
    frame = rows.frame()[["pid", "camid", "frame"]]
    running = frame.groupby(["pid", "camid"]).cumcount() + 1
    # A negative frame has no name; it is then as good as unknown.
    frame["frame"] = frame["frame"].where((frame["frame"] >= 0).fillna(value=False), running)
    frame["box"] = frame.groupby(["pid", "camid", "frame"]).cumcount()
    return list(map(layout.name, *(frame[name].tolist() for name in ("pid", "camid", "frame", "box"))))


def roles(rows: Manifest) -> list[list[str]]:
    """Give the roles of every row, a file each; none for a row that is in no split and on no list."""
    columns = (rows.table[name].to_pylist() for name in ("split", "query", "gallery"))
    return [_roles(*row) for row in zip(*columns, strict=True)]


def _roles(split: str, query: bool, gallery: bool) -> list[str]:
    # Whatever lists a validation split has of its own: these layouts' query and gallery are the test.
    if split in ("train", "val"):
        return ["train"]
    return [role for role, wanted in (("query", query), ("gallery", gallery)) if wanted]


def _claim(folder: Path, rows: Manifest, what: str, targets: Sequence[Target]) -> None:
    """Take a folder that is empty, or that holds an export of these images to these names."""
    names = rows.table["image_id"].to_pylist()
    # No hashes: measuring makes no other export of a set. Whether a file is the right one, its bytes say.
    lines = [(names[target.row], target.file) for target in targets]
    plan = durable.sha256(durable.canonical([what, QUALITY, lines]))
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file, must be a folder that is new or empty")
    record = folder / PLAN
    if record.is_file():
        if durable.read_json(record).get("plan") != plan:
            found = "holds an export of other images or to other names"
            raise UserError(f"{folder}: {found}; give a folder that is new or empty")
        for stray in sorted(folder.rglob(".*.part")):  # what a kill left half written
            stray.unlink()
        return
    if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise UserError(f"{folder}: is not empty; give a folder that is new or empty")
    durable.write_json(record, {"plan": plan})


def _pictures(rows: Manifest) -> Iterator[tuple[bytes, bool]]:
    """Give every picture as JPEG bytes, and whether they had to be made."""
    for row in range(len(rows)):
        data = stored.read(rows, row)
        if data.startswith(_JPEG):
            yield data, False
        else:
            yield images.encode(stored.load(rows, row), QUALITY), True


def _write_missing(folder: Path, file: str, data: bytes) -> bool:
    """Write a file unless its bytes are there already, and say whether it was written."""
    if (folder / file).is_file() and durable.read_bytes(folder / file) == data:
        return False
    (folder / RECORD).unlink(missing_ok=True)  # of an export that was whole, and now is not for a while
    durable.write_bytes(folder / file, data, sync=False)
    return True


def _names(rows: Manifest, targets: Sequence[Target]) -> bytes:
    names = rows.table["image_id"].to_pylist()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("image_id", "file"))
    writer.writerows((names[target.row], target.file) for target in targets)
    return text.getvalue().encode()


def _described(
    rows: Manifest,
    targets: Sequence[Target],
    encoded: NDArray[np.bool_],
    what: str,
    root: Path,
) -> Manifest:
    """Make the manifest of the tree: one row a file, what was known of a picture, and measures of copied bytes."""
    numbers = np.array([target.row for target in targets])
    table = rows.table.take(pa.array(numbers))
    columns: dict[str, object] = {name: table[name] for name in table.column_names if name not in _NOT_CARRIED}
    fresh = pa.array(encoded[numbers])
    columns |= {name: pc.if_else(fresh, pa.scalar(None, table[name].type), table[name]) for name in MEASURED}
    columns["path"] = [target.file for target in targets]
    columns |= {role: [target.role == role for target in targets] for role in ("query", "gallery")}
    source = "-".join([*sorted(set(rows.table["source"].to_pylist())), what])
    return manifest.build(columns, source, root)
