"""`data measure`: the photometry and the hash of every picture, in shards that a kill does not cost."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmark import durable, images, manifest
from benchmark.columns import KNOWN, MEASURED
from benchmark.console import count
from benchmark.errors import UserError
from benchmark.executors import Executor
from benchmark.manifest import Manifest
from benchmark.progress import track

SHARD_ROWS = 200  # a tenth of a second: small enough for a bar that moves, and for little to be lost
SHOWN = 3


@dataclass(frozen=True)
class Shard:
    """Some pictures of one root."""

    name: str
    files: tuple[tuple[str, str], ...]  # root and path
    ledger: durable.Ledger


def measure_file(
    path: Path, root: Path | None, target: Path, execute: Executor, *, again: bool = False, limit: int | None = None
) -> Manifest:
    """Measure a manifest file into `target`, which may be the same file; a killed run goes on where it ended."""
    # Beside the file that is written, so that a second run finds the finished shards.
    scratch = target.with_name(f".{target.name}.measure")
    manifest.read(path, root)  # a mistake in the name leaves no lock behind
    with durable.locked(scratch.with_suffix(".lock")):
        measured = measure(manifest.read(path, root), scratch, execute, again=again, limit=limit)
        manifest.write(measured, target)
        shutil.rmtree(scratch, ignore_errors=True)
    return measured


def measure(
    table: Manifest, scratch: Path, execute: Executor, *, again: bool = False, limit: int | None = None
) -> Manifest:
    """Measure the rows that are not measured yet, or all of them; `scratch` keeps finished shards until the end."""
    todo = np.ones(len(table), dtype=bool) if again else np.array(table.table["sha256"].is_null())
    rows = np.flatnonzero(todo)[:limit]
    sources, paths = table.column("source"), table.column("path")
    files = [(str(table.roots[str(sources[row])]), str(paths[row])) for row in rows]
    plan = durable.sha256(durable.canonical([SHARD_ROWS, files]))
    ledger = durable.Ledger(scratch / plan[:16], plan)
    shards = [
        Shard(f"{start:09d}", tuple(files[start : start + SHARD_ROWS]), ledger)
        for start in range(0, len(files), SHARD_ROWS)
    ]
    done = ledger.done()
    missing = [shard for shard in shards if not _holds(done.get(shard.name), shard)]
    faults: list[str] = []
    for _, found in track(execute(_measure_shard, missing), "measure", len(missing)):
        faults += found
    _refuse(faults, len(files))
    done = ledger.done()
    return _filled(table, rows, [done[shard.name] for shard in shards])


def _holds(record: dict[str, Any] | None, shard: Shard) -> bool:
    """Say whether a finished shard still speaks of the files as they are."""
    return record is not None and record["versions"] == [_version(Path(*file)) for file in shard.files]


def _version(file: Path) -> list[int]:
    try:
        status = file.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def _measure_shard(shard: Shard) -> list[str]:
    """Measure a shard and commit it; where a picture cannot be used, give the reasons and commit nothing."""
    versions = [_version(Path(*file)) for file in shard.files]
    values, faults = [], []
    for root, path in shard.files:
        try:
            values.append(_measure_file(Path(root), path))
        except UserError as error:
            faults.append(str(error))
    if not faults:
        columns = {name: [_field(value, name) for value in values] for name in MEASURED}
        rotated = sum(value.rotated for value in values)
        shard.ledger.commit(shard.name, versions=versions, rotated=rotated, columns=columns)
    return faults


def _refuse(faults: list[str], total: int) -> None:
    if faults:
        shown = "; ".join(sorted(faults)[:SHOWN]) + ("; ..." if len(faults) > SHOWN else "")
        advice = "mend or remove them, shards without one are kept; `luxreid data check` lists all"
        raise UserError(f"{len(faults)} of {total} pictures cannot be measured: {shown} ({advice})")


def _measure_file(root: Path, path: str) -> images.Measurement:
    data = images.read(root, path)
    try:
        return images.measure(data)
    except images.PictureError as error:
        raise images.PictureError(f"{root / path}: {error}") from None


def _field(value: images.Measurement, name: str) -> object:
    return value.sha256 if name == "sha256" else getattr(value.photometry, name)


def _filled(
    manifest: Manifest, rows: "np.ndarray[tuple[int], np.dtype[np.intp]]", records: Sequence[dict[str, Any]]
) -> Manifest:
    rotated = sum(record["rotated"] for record in records)
    columns = {}
    for name in MEASURED:
        values = np.array(manifest.table[name].to_pylist(), dtype=object)
        fresh = [value for record in records for value in record["columns"][name]]
        if len(fresh) != len(rows):
            raise UserError(f"measure: {len(fresh)} of {len(rows)} pictures came back")
        values[rows] = fresh
        columns[name] = pa.array(values, KNOWN[name].type)
    notes = (f"EXIF orientation ignored in {count(rotated, 'picture')}",) if rotated else ()
    filled = manifest.with_columns(**columns)
    return Manifest(filled.table, filled.roots, notes)
