"""The files that features come in, of several formats: their numbers, and the names of their rows."""

import csv
import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import IO, NamedTuple
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from benchmark import durable, features
from benchmark.errors import UserError

VECTORS = ("features", "vectors", "embeddings")
NAMES = ("image_id", "path", "name")
FORMATS = "a features/1 folder, .npy, .npz, .safetensors and .parquet"
LISTS = f".txt with one a line, .csv or .parquet with a column {', '.join(NAMES[:-1])} or {NAMES[-1]}"

Vectors = NDArray[np.floating]

# What the libraries raise for files that are cut off or are none of theirs.
_ODD = (OSError, ValueError, EOFError, KeyError, RuntimeError, MemoryError, SyntaxError)
BROKEN = (*_ODD, TokenError, BadZipFile, zlib.error, struct.error)


class Found(NamedTuple):
    """What a file holds: its numbers, and a name a row where it carries them."""

    vectors: Vectors
    names: list[str] | None


def read(path: Path) -> Found:
    """Read a file of a known format."""
    readers = {".npy": _npy, ".npz": _npz, ".safetensors": _safetensors, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{path}: not a format that features come in, which are {FORMATS}; no pickle is opened")
    return reader(_there(path))


def _npy(path: Path) -> Found:
    return Found(features.mapped(path), None)


def _npz(path: Path) -> Found:
    try:
        with path.open("rb") as file, _opened(file) as archive:
            key = _one(archive.files, f"{path}: array")
            names = next((name for name in NAMES if name in archive.files), None)
            return Found(_array(archive, key, path), None if names is None else _texts(archive, names, path))
    except BROKEN as error:
        raise UserError(f"{path}: not an archive of arrays, or a broken one: {_line(error)}") from None


def _opened(file: IO[bytes]) -> NpzFile:
    found = np.load(file, allow_pickle=False)
    if not isinstance(found, NpzFile):
        raise ValueError("it holds a single array; call it .npy")
    return found


def _array(archive: NpzFile, name: str, path: Path) -> Vectors:
    found = archive[name]
    if not isinstance(found, np.ndarray):
        raise ValueError(f"{name} is no array")
    return features.require_vectors(found, f"{path}: {name}")


def _texts(archive: NpzFile, name: str, path: Path) -> list[str]:
    found = archive[name]
    if not isinstance(found, np.ndarray) or found.dtype.kind != "U" or found.ndim != 1:
        what = f"{found.dtype} of shape {found.shape}" if isinstance(found, np.ndarray) else "no array"
        raise UserError(f"{path}: {name} is {what}, must be a line of unicode texts")
    return [str(text) for text in found]


def _one(keys: Sequence[str], where: str) -> str:
    """Choose the array that holds the vectors, by its name, or as the only one there is."""
    named = [key for key in keys if key in VECTORS]
    others = [key for key in keys if key not in NAMES]
    chosen = named if named else others
    if len(chosen) == 1:
        return chosen[0]
    if {key[:1].lower() for key in chosen} >= {"q", "g"}:
        raise UserError(
            f"{where}s {', '.join(others)}: queries and gallery stand apart; put both, one under the other, into one "
            "called features, and the image_id of every row into another"
        )
    raise UserError(f"{where}s {', '.join(others) or 'are missing'}: one of them must be called {' or '.join(VECTORS)}")


def _safetensors(path: Path) -> Found:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            key = _one(sorted(file.keys()), f"{path}: tensor")
            kind = file.get_slice(key).get_dtype()
            if kind not in ("F16", "F32", "F64"):
                raise UserError(f"{path}: {key} holds {kind}, must be F16, F32 or F64")  # NumPy knows no bfloat16
            return Found(features.require_vectors(file.get_tensor(key), f"{path}: {key}"), None)
    except (SafetensorError, *BROKEN) as error:
        raise UserError(f"{path}: not a file of tensors, or a broken one: {_line(error)}") from None


def _parquet(path: Path) -> Found:
    table = _table(path)
    names = _column_of_names(table, path)
    lists = [field.name for field in table.schema if _is_list(field.type)]
    if lists:
        vectors = _from_lists(table[_one(lists, f"{path}: list column")], path)
    else:
        vectors = _from_columns(table.drop_columns([name for name in NAMES if name in table.column_names]), path)
    return Found(features.require_vectors(vectors, str(path)), names)


def _table(path: Path) -> pa.Table:
    try:
        table = pq.ParquetFile(path, page_checksum_verification=True).read()
        table.validate(full=True)  # a flipped byte may leave texts that are no UTF-8
    except (pa.ArrowException, *BROKEN) as error:
        raise UserError(f"{path}: not a Parquet file, or a broken one: {_line(error)}") from None
    features.require_once(table.column_names, f"{path}: columns")
    return table


def _column_of_names(table: pa.Table, path: Path) -> list[str] | None:
    name = next((name for name in NAMES if name in table.column_names), None)
    if name is None:
        return None
    column = table[name]
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise UserError(f"{path}: {name} is {kind}, must be text")
    if column.null_count:
        raise UserError(f"{path}: {column.null_count:,} rows of {name} are null")
    texts: list[str] = column.to_pylist()
    return texts


def _is_list(kind: pa.DataType) -> bool:
    some = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(some and pa.types.is_floating(kind.value_type))


def _from_lists(column: pa.ChunkedArray, path: Path) -> Vectors:
    lengths = pc.list_value_length(column).to_numpy()  # a null list has a null length, which becomes NaN
    strange = np.flatnonzero(lengths != lengths[0]) if len(lengths) else lengths
    if len(strange) or column.null_count:
        row = strange[0] if len(strange) else 0
        raise UserError(f"{path}: row {row} has {lengths[row]:.0f} numbers, row 0 has {lengths[0]:.0f}")
    flat = [chunk.flatten() for chunk in column.chunks]
    _refuse_nulls(sum(part.null_count for part in flat), path)
    numbers = [part.to_numpy() for part in flat] or [np.zeros(0, np.float32)]
    return np.concatenate(numbers).reshape(len(lengths), int(lengths[0]) if len(lengths) else 0)


def _from_columns(table: pa.Table, path: Path) -> Vectors:
    strange = [field for field in table.schema if not pa.types.is_floating(field.type)]
    if strange or not table.num_columns:
        what = f"{strange[0].name!r} is {strange[0].type}" if strange else "there are none"
        raise UserError(
            f"{path}: {what}; all columns but the names must be numbers with a point, or one a list of them"
        )
    _refuse_nulls(sum(column.null_count for column in table.columns), path)
    return np.stack([column.to_numpy() for column in table.columns], axis=1)


def _refuse_nulls(number: int, path: Path) -> None:
    if number:
        raise UserError(f"{path}: {number:,} numbers are null")


def names(path: Path) -> list[str]:
    """Read the names of rows from a list beside the vectors."""
    readers = {".txt": _lines, ".csv": _csv, ".parquet": _names_of_table}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{path}: names of rows are read from {LISTS}")
    found = reader(_there(path))
    if found is None:
        raise UserError(f"{path}: has no column {' or '.join(NAMES)}")
    if not found:
        raise UserError(f"{path}: names no row")
    return found


def _names_of_table(path: Path) -> list[str] | None:
    return _column_of_names(_table(path), path)


def _lines(path: Path) -> list[str]:
    lines = [line.removesuffix("\r") for line in _text(path).removesuffix("\n").split("\n")]
    if "" in lines:
        raise UserError(f"{path}: line {lines.index('') + 1} is empty")
    return lines


def _csv(path: Path) -> list[str] | None:
    reader = csv.DictReader(io.StringIO(_text(path), newline=""))
    try:
        name = next((name for name in NAMES if name in (reader.fieldnames or ())), None)
        names = [line[name] for line in reader] if name else None
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: {error}") from None
    if names and not all(names):
        raise UserError(f"{path}: row {[bool(text) for text in names].index(False) + 1} has no {name}")
    return names


def _text(path: Path) -> str:
    try:
        return durable.read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from None


def _there(path: Path) -> Path:
    """Refuse what is no file, or an empty one, before a library words it its own way."""
    try:
        if not path.stat().st_size:
            raise UserError(f"{path}: the file is empty")
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror}") from None
    return path


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
