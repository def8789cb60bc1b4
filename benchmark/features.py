"""`features/1`: the embedding of every image, by anyone's network, as three files that any language can read."""

import hashlib
import io
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmark import durable
from benchmark.errors import UserError
from benchmark.manifest import Manifest

SCHEMA = "features/1"
ROWS = pa.schema([("image_id", pa.string()), ("sha256", pa.string())])

_BLOCK = 2**24  # bytes that are looked at together: vectors may be larger than memory


@dataclass(frozen=True, eq=False)
class Features:
    """One vector an image, and where they come from."""

    image_ids: Sequence[str]
    vectors: NDArray[np.floating]  # a row an image; a map of the file where it allows, and half precision stays half
    facts: dict[str, Any]  # method, config, seed, and under their names in run/1 what else the maker knows
    sha256: str = ""  # of the file that the vectors came in
    notes: tuple[str, ...] = ()  # what whoever scores them should read
    rows: NDArray[np.int64] | None = None  # the row of every image; None: as they stand

    def __post_init__(self) -> None:
        require_once(self.image_ids, "features")
        count = len(self.vectors) if self.rows is None else len(self.rows)
        if self.vectors.ndim != 2 or count != len(self.image_ids):
            raise UserError(f"features: numbers of shape {self.vectors.shape} for {len(self.image_ids)} images")

    def places(self, manifest: Manifest) -> NDArray[np.int64]:
        """Give the row in `vectors` of every image of a manifest, in its order; a missing one is an error."""
        known = pa.array(self.image_ids, pa.string())
        found = pc.index_in(manifest.table["image_id"], value_set=known)
        if found.null_count:
            first = manifest.table["image_id"].filter(pc.is_null(found))[0].as_py()
            missing = f"{found.null_count} of {len(manifest)} images have none"
            raise UserError(f"features: {missing}, the first is {first!r}")
        places: NDArray[np.int64] = found.to_numpy().astype(np.int64)
        return places if self.rows is None else self.rows[places]

    def of(self, manifest: Manifest) -> NDArray[np.floating]:
        """Give the vectors of a manifest's rows, in its order; a missing or non-finite one is an error."""
        vectors = np.asarray(self.vectors[self.places(manifest)])
        _refuse(np.asarray(np.isfinite(vectors).all(axis=1)), manifest, "are not finite")
        return vectors

    def check(self, manifest: Manifest, metric: str = "") -> None:
        """Refuse what `of` refuses, and what the metric cannot score, without holding more than a block in memory."""
        places = self.places(manifest)
        order = np.argsort(places)  # the file is read from its begin to its end
        finite, long = np.zeros(len(places), bool), np.zeros(len(places), bool)
        step = max(_BLOCK // self.vectors[:1].nbytes, 1)
        for start in range(0, len(places), step):
            rows = order[start : start + step]
            block = self.vectors[places[rows]]
            finite[rows], long[rows] = np.isfinite(block).all(axis=1), block.any(axis=1)
        _refuse(finite, manifest, "are not finite")
        if metric == "cosine":
            _refuse(long, manifest, "have no length and cannot be normalised")


def write(features: Features, manifest: Manifest, folder: Path) -> None:
    """Write a folder of features for a manifest's rows; `features.json` comes last and vouches for the rest."""
    buffer = io.BytesIO()
    np.save(buffer, features.of(manifest).astype(np.float32), allow_pickle=False)
    data = buffer.getvalue()
    rows = manifest.table.select(ROWS.names)
    durable.write_bytes(folder / "features.npy", data)
    durable.write_atomically(folder / "rows.parquet", lambda file: pq.write_table(rows, file, compression="zstd"))
    record = {
        "schema": SCHEMA,
        "rows": len(manifest),
        "dimensions": int(features.vectors.shape[1]),
        "features_sha256": durable.sha256(data),
        "rows_sha256": durable.sha256(durable.read_bytes(folder / "rows.parquet")),
        "facts": features.facts,
    }
    durable.write_json(folder / "features.json", record)


def read(folder: Path) -> Features:
    """Read a folder of features and check it against its own record."""
    record = durable.read_json(folder / "features.json")
    if record.get("schema") != SCHEMA:
        raise UserError(f"{folder}/features.json: schema is {record.get('schema')!r}, this version reads {SCHEMA!r}")
    if not isinstance(record.get("facts"), dict):
        raise UserError(f"{folder}/features.json: facts is {record.get('facts')!r}, must be an object")
    for name in ("features.npy", "rows.parquet"):
        if hash_file(folder / name) != record.get(f"{name.split('.')[0]}_sha256"):
            raise UserError(f"{folder / name}: is not the file that features.json was written for")
    vectors = mapped(folder / "features.npy")
    image_ids = pq.read_table(folder / "rows.parquet", schema=ROWS)["image_id"].to_pylist()
    return Features(image_ids, vectors, record["facts"], record["features_sha256"])


def mapped(path: Path) -> NDArray[np.floating]:
    """Map the numbers of a `.npy` file, which may be larger than memory; no pickle is ever opened."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a header in the words of Python 2, which is read all the same
            found = np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or error}") from None
    except (ValueError, EOFError, SyntaxError, TokenError) as error:
        raise UserError(f"{path}: not an array of numbers: {error}") from None
    return require_vectors(found, str(path))


def require_vectors(found: NDArray[Any], where: str) -> NDArray[np.floating]:
    """Refuse what is not one row of real numbers an image."""
    if found.dtype.kind != "f" or found.dtype.itemsize > 8:
        raise UserError(f"{where}: holds {found.dtype}, must be float16, float32 or float64")
    if found.ndim != 2 or not found.size:
        raise UserError(f"{where}: has the shape {found.shape}, must be images x dimensions, and neither of them 0")
    return found


def require_once(names: Sequence[str], where: str) -> None:
    """Refuse names of which one stands twice."""
    if len(set(names)) < len(names):
        twice = [name for name, number in Counter(names).items() if number > 1]
        more = f", and so do {len(twice) - 1:,} more" if len(twice) > 1 else ""
        raise UserError(f"{where}: {twice[0]!r} stands twice{more}")


def hash_file(path: Path) -> str:
    """Hash a file of any size."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or error}") from None


def _refuse(good: NDArray[np.bool_], manifest: Manifest, what: str) -> None:
    bad = np.flatnonzero(~good)
    if len(bad):
        first = manifest.table["image_id"][int(bad[0])].as_py()
        raise UserError(f"features: {len(bad):,} of {len(good):,} rows {what}, the first is {first!r}")
