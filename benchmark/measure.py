"""`data measure`: the photometry and the hash of every picture, in shards that a kill does not cost."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

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


class Found(NamedTuple):
    """A manifest with its measures, and why pictures have none that could not be measured."""

    manifest: Manifest
    faults: list[str]
    tried: int

    @property
    def broken(self) -> str:
        """Say how many pictures cannot be measured, and why the first of them; nothing where all can."""
        if not self.faults:
            return ""
        shown = "; ".join(self.faults[:SHOWN]) + ("; ..." if len(self.faults) > SHOWN else "")
        return f"{len(self.faults)} of {self.tried} pictures cannot be measured: {shown}"


@dataclass(frozen=True)
class Shard:
    """Some pictures of one root."""

    name: str
    files: tuple[tuple[str, str], ...]  # root and path
    ledger: durable.Ledger


def measure_file(
    path: Path,
    root: Path | None,
    target: Path,
    execute: Executor,
    *,
    again: bool = False,
    limit: int | None = None,
    skip_broken: bool = False,
) -> Found:
    """Measure a manifest file into `target`, which may be the same file; a killed run goes on where it ended.

    Pictures that cannot be measured are an error, or with `skip_broken` stay without measures; never all of them.
    """
    # Beside the file that is written, so that a second run finds the finished shards.
    scratch = target.with_name(f".{target.name}.measure")
    manifest.read(path, root)  # a mistake in the name leaves no lock behind
    with durable.locked(scratch.with_suffix(".lock")):
        found = _found(manifest.read(path, root), scratch, execute, again=again, limit=limit)
        if not (skip_broken and len(found.faults) < found.tried):
            _refuse(found)
        manifest.write(found.manifest, target)
        shutil.rmtree(scratch, ignore_errors=True)
    return found


def measure(
    table: Manifest, scratch: Path, execute: Executor, *, again: bool = False, limit: int | None = None
) -> Manifest:
    """Measure the rows that are not measured yet, or all of them; `scratch` keeps finished shards until the end."""
    found = _found(table, scratch, execute, again=again, limit=limit)
    _refuse(found)
    return found.manifest


def _found(table: Manifest, scratch: Path, execute: Executor, *, again: bool, limit: int | None) -> Found:
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
    done = ledger.done()
    return Found(_filled(table, rows, [done[shard.name] for shard in shards]), sorted(faults), len(files))


def _holds(record: dict[str, Any] | None, shard: Shard) -> bool:
    """Say whether a finished shard still speaks of the files as they are; one with faults is tried again."""
    if record is None or record.get("faults"):
        return False
    return bool(record["versions"] == [_version(Path(*file)) for file in shard.files])


def _version(file: Path) -> list[int]:
    try:
        status = file.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def _measure_shard(shard: Shard) -> list[str]:
    """Measure a shard and commit it; give the reasons why pictures of it have no measures."""
    versions = [_version(Path(*file)) for file in shard.files]
    values: list[images.Measurement | None] = []
    faults = []
    for root, path in shard.files:
        try:
            values.append(_measure_file(Path(root), path))
        except UserError as error:
            values.append(None)
            faults.append(str(error))
    columns = {name: [value and _field(value, name) for value in values] for name in MEASURED}
    rotated = sum(value.rotated for value in values if value)
    shard.ledger.commit(shard.name, versions=versions, rotated=rotated, faults=len(faults), columns=columns)
    return faults


def _refuse(found: Found) -> None:
    if found.broken:
        advice = "mend or remove them, or --skip-broken measures the rest; `luxreid data check` lists all"
        raise UserError(f"{found.broken} ({advice})")


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
    """Put measures into their rows; a picture that could not be measured keeps what its row had."""
    rotated = sum(record["rotated"] for record in records)
    hashes = [value for record in records for value in record["columns"]["sha256"]]
    if len(hashes) != len(rows):
        raise UserError(f"measure: {len(hashes)} of {len(rows)} pictures came back")
    read = np.array([value is not None for value in hashes], bool)
    columns = {}
    for name in MEASURED:
        values = np.array(manifest.table[name].to_pylist(), dtype=object)
        fresh = np.array([value for record in records for value in record["columns"][name]], dtype=object)
        values[rows[read]] = fresh[read]
        columns[name] = pa.array(values, KNOWN[name].type)
    notes = (f"EXIF orientation ignored in {count(rotated, 'picture')}",) if rotated else ()
    filled = manifest.with_columns(**columns)
    return Manifest(filled.table, filled.roots, notes)
