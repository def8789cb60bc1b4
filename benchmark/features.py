"""`features/1`: the embedding of every image, by anyone's network, as three files that any language can read."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmark import durable
from benchmark.errors import UserError
from benchmark.manifest import Manifest

SCHEMA = "features/1"
ROWS = pa.schema([("image_id", pa.string()), ("sha256", pa.string())])


@dataclass(frozen=True, eq=False)
class Features:
    """One vector an image, and where they come from."""

    image_ids: Sequence[str]
    vectors: NDArray[np.float32]  # images x dimensions
    facts: dict[str, Any]  # method, config, seed, and under their names in run/1 what else the maker knows

    def __post_init__(self) -> None:
        if len(set(self.image_ids)) < len(self.image_ids):
            raise UserError("features: an image stands twice")
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.image_ids):
            raise UserError(f"features: numbers of shape {self.vectors.shape} for {len(self.image_ids)} images")

    def of(self, manifest: Manifest) -> NDArray[np.float32]:
        """Give the vectors of a manifest's rows, in its order; a missing or non-finite one is an error."""
        place = {image: row for row, image in enumerate(self.image_ids)}
        wanted = [str(image) for image in manifest.column("image_id")]
        missing = [image for image in wanted if image not in place]
        if missing:
            raise UserError(f"features: {len(missing)} of {len(wanted)} images have none, the first is {missing[0]!r}")
        vectors = self.vectors[[place[image] for image in wanted]]
        broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(broken):
            # Comparisons with NaN are false: a counting evaluator would rank such a row first.
            raise UserError(f"features: {len(broken)} rows are not finite, the first is {wanted[broken[0]]!r}")
        return vectors


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
        found = hashlib.sha256(durable.read_bytes(folder / name)).hexdigest()
        if found != record.get(f"{name.split('.')[0]}_sha256"):
            raise UserError(f"{folder / name}: is not the file that features.json was written for")
    try:
        vectors = np.load(folder / "features.npy", allow_pickle=False, mmap_mode="r")
    except ValueError:
        raise UserError(f"{folder}/features.npy: not an array of numbers") from None
    image_ids = pq.read_table(folder / "rows.parquet", schema=ROWS)["image_id"].to_pylist()
    return Features(image_ids, vectors, record["facts"])
