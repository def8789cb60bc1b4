"""Roles in a small file, for sets that may not be handed on: which picture trains, asks, or is looked through.

A picture is named by its `image_id` or, wherever it lies and whatever it is called, by the `sha256` of its bytes.
A hash may have a second line, without a role: then its first row by `image_id` has the role, and the others have none.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmark import durable
from benchmark.columns import KNOWN
from benchmark.errors import UserError
from benchmark.manifest import Manifest

SCHEMA = "roles/1"
SHOWN = 3
Key = Literal["image_id", "sha256"]
KEYS: tuple[Key, ...] = ("image_id", "sha256")
COLUMNS = ("split", "query", "gallery", "subsets")

_PART = ";"  # between the subsets of one picture in a CSV file
_FLAGS = {"true": True, "false": False}


def write(manifest: Manifest, path: Path, key: Key = "image_id") -> None:
    """Write the roles of every row to a .csv or a .parquet file, sorted; equal roles give equal bytes."""
    _known_ending(path)
    if path.exists():
        _require_roles(path)
    if key == "sha256":
        manifest.require_measured(f"{path}: roles by sha256")
    lines = _lines(manifest, path) if key == "sha256" else manifest
    table = lines.table.select([key, *COLUMNS]).sort_by([(key, "ascending"), ("split", "descending")])
    if path.suffix == ".csv":
        durable.write_bytes(path, _csv(table, path))
        return
    marked = table.replace_schema_metadata({"luxreid.schema": SCHEMA})
    durable.write_atomically(path, lambda file: pq.write_table(marked, file, compression="zstd"))


def apply(manifest: Manifest, path: Path) -> Manifest:
    """Give every row the roles that a file has for it; the file must speak of these pictures and no others."""
    table = read(path)
    key = next(name for name in KEYS if name in table.column_names)
    if key == "sha256":
        manifest.require_measured(str(path))
    there, wanted = table[key].to_pylist(), manifest.table[key].to_pylist()
    _refuse(sorted(set(there) - set(wanted)), f"{path}: {key} in no row of the manifest")
    _refuse(sorted(set(wanted) - set(there)), f"{path}: {key} of the manifest without a role")
    sorted_rows = table.take(pa.array(_places(table, key, wanted)))
    try:
        return manifest.with_columns(**{name: sorted_rows[name] for name in COLUMNS})
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def read(path: Path) -> pa.Table:
    """Read a file of roles; every key stands once, a hash once with a role and once without."""
    _known_ending(path)
    table = _read_csv(path) if path.suffix == ".csv" else _read_parquet(path)
    key = next(name for name in KEYS if name in table.column_names)
    for name in (key, *COLUMNS):
        if table[name].null_count:
            raise UserError(f"{path}: column {name!r} has no value in {table[name].null_count} rows")
    names, own = table[key].to_pylist(), _with_role(table)
    once = [names] if key == "image_id" else [np.array(names, dtype=object)[rows].tolist() for rows in (own, ~own)]
    _refuse(sorted(word for part in once for word in _twice(part)), f"{path}: {key} twice")
    return table


def _lines(manifest: Manifest, path: Path) -> Manifest:
    """Keep every role of a hash once; what would not come back as it was is refused."""
    roles = zip(*(manifest.table[name].to_pylist() for name in COLUMNS), strict=True)
    frame = pd.DataFrame({"sha256": manifest.column("sha256"), "role": [str(role) for role in roles]})
    frame["who"], frame["own"] = manifest.identities(), _with_role(manifest.table)
    first = frame.groupby("sha256").transform("first")
    again = frame["sha256"].duplicated()
    other = frame["role"] != first["role"]
    mixed = other.groupby(frame["sha256"]).transform("any")
    # One row has the role and the others, of the same identity, have none, and alike.
    alike = frame[again].groupby("sha256")["role"].nunique().reindex(frame["sha256"]).fillna(1).to_numpy() == 1
    fine = other & ~frame["own"] & first["own"] & (frame["who"] == first["who"]) & alike
    wrong = frame["sha256"][mixed & again & ~fine]
    _refuse(sorted(set(wrong)), f"{path}: one sha256 with several roles, name the pictures by image_id")
    return manifest.select(np.flatnonzero(~frame.duplicated(["sha256", "role"])))


def _places(table: pa.Table, key: Key, wanted: Sequence[str]) -> NDArray[np.int64]:
    """Find the line of every row: the one with a role, but for later rows of a hash the one without, if there is."""
    names, own, asked = np.array(table[key].to_pylist(), object), _with_role(table), np.array(wanted, object)
    found = []
    for rows in (np.flatnonzero(own), np.flatnonzero(~own)):
        places = pd.Index(names[rows]).get_indexer(pd.Index(asked))
        found.append(np.where(places >= 0, np.append(rows, -1)[places], -1))
    role, none = found
    again = pd.Index(asked).duplicated()
    return np.asarray(np.where((role < 0) | (again & (none >= 0)), none, role), dtype=np.int64)


def _with_role(table: pa.Table) -> NDArray[np.bool_]:
    return np.array([split != "none" for split in table["split"].to_pylist()], dtype=bool)


def _require_roles(path: Path) -> None:
    try:
        read(path)
    except UserError:
        raise UserError(f"{path}: is there and holds no roles; name another file, or remove it") from None


def _known_ending(path: Path) -> None:
    if path.suffix not in (".csv", ".parquet"):
        raise UserError(f"{path}: a file of roles ends in .csv or .parquet")


def _twice(texts: Sequence[str]) -> list[str]:
    """List what stands more than once, each once."""
    return sorted({one for one, other in pairwise(sorted(texts)) if one == other})


def _refuse(wrong: Sequence[str], what: str) -> None:
    if wrong:
        shown = ", ".join(wrong[:SHOWN]) + (", ..." if len(wrong) > SHOWN else "")
        raise UserError(f"{what}: {len(wrong):,}, such as {shown}")


def _csv(table: pa.Table, path: Path) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for key, split, query, gallery, subsets in zip(*(column.to_pylist() for column in table.columns), strict=True):
        if any(_PART in word for word in subsets):
            raise UserError(f"{path}: {key}: a subset holds a {_PART!r}, which parts subsets here; write .parquet")
        writer.writerow([key, split, str(query).lower(), str(gallery).lower(), _PART.join(subsets)])
    return text.getvalue().encode()


def _read_csv(path: Path) -> pa.Table:
    try:
        lines = list(csv.reader(io.StringIO(durable.read_bytes(path).decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not CSV in UTF-8: {error}") from None
    if not lines:
        raise UserError(f"{path}: is empty")
    names = lines[0]
    _check_names(path, names)
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(names):
            raise UserError(f"{path}: line {number} has {len(line)} fields, must have {len(names)}")
    columns = dict(zip(names, zip(*lines[1:], strict=True) if lines[1:] else [()] * len(names), strict=True))
    arrays: dict[str, pa.Array] = {}
    for name, values in columns.items():
        if name in ("query", "gallery"):
            arrays[name] = pa.array(_flags(path, name, values), pa.bool_())
        elif name == "subsets":
            arrays[name] = pa.array([[word for word in text.split(_PART) if word] for text in values], KNOWN[name].type)
        else:
            arrays[name] = pa.array(values, pa.string())
    return pa.table(arrays)


def _flags(path: Path, name: str, values: Iterable[str]) -> list[bool]:
    flags = []
    for number, value in enumerate(values, 2):
        if value not in _FLAGS:
            raise UserError(f"{path}: line {number}, {name}: found {value!r}, must be true or false")
        flags.append(_FLAGS[value])
    return flags


def _read_parquet(path: Path) -> pa.Table:
    try:
        table = pq.read_table(io.BytesIO(durable.read_bytes(path)), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a Parquet file, or a broken one: {str(error).splitlines()[0]}") from None
    _check_names(path, table.column_names)
    for name in table.column_names:
        try:
            table = table.set_column(table.column_names.index(name), name, table[name].cast(KNOWN[name].type))
        except pa.ArrowException:
            found = table.schema.field(name).type
            raise UserError(f"{path}: column {name!r} is of type {found}, must be {KNOWN[name].type}") from None
    return table


def _check_names(path: Path, names: Sequence[str]) -> None:
    if sorted(names) not in [sorted([key, *COLUMNS]) for key in KEYS]:
        allowed = f"{' or '.join(KEYS)}, {', '.join(COLUMNS)}"
        raise UserError(f"{path}: has the columns {', '.join(names)}; a file of roles has {allowed}")
