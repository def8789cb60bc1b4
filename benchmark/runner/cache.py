"""Pictures decoded once: a memory-mapped array of bytes, named by a hash of everything that shapes it.

The resize comes first and is the same for every epoch in the published recipes, so what is kept after it is exact.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark import durable, executors, images, stored
from benchmark.errors import UserError
from benchmark.executors import Executor
from benchmark.images import PictureError
from benchmark.manifest import Manifest
from benchmark.progress import track

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

SCHEMA = "cache/1"
FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "box": Image.Resampling.BOX,
}

_SHARD_BYTES, _SHARD_ROWS = 2**24, 512
_PIXELS, _RECORD, _SHARDS = "pixels.npy", "cache.json", "shards"


@dataclass(frozen=True)
class Sums:
    """Whole numbers that give mean and deviation of every channel, exactly."""

    pixels: int
    first: tuple[int, ...]  # sum of the values of each channel
    second: tuple[int, ...]  # sum of their squares


@dataclass(frozen=True, eq=False)
class Cache:
    """The pictures of a manifest, in its order."""

    pixels: Bytes  # pictures x height x width x 3, mapped read-only
    key: str
    path: Path
    sums: Sums

    def __len__(self) -> int:
        return len(self.pixels)

    def gather(self, rows: Ints, out: Bytes | None = None) -> Bytes:
        """Copy pictures, in the order asked; they are read in the order in which they lie on the disk."""
        found = np.empty((len(rows), *self.pixels.shape[1:]), np.uint8) if out is None else out
        for place in np.argsort(rows, kind="stable"):
            found[place] = self.pixels[rows[place]]
        return found


@dataclass(frozen=True)
class _Shard:
    """Some pictures in a row, and where their bytes go."""

    rows: Manifest
    hashes: tuple[str, ...]
    size: tuple[int, int]
    resample: str
    file: Path
    offset: int  # of the first byte
    name: str
    ledger: durable.Ledger


@dataclass(frozen=True, eq=False)
class _Place:
    """One cache on the disk, finished or not."""

    folder: Path
    key: str
    count: int
    size: tuple[int, int]

    @property
    def file(self) -> Path:
        return self.folder / _PIXELS

    @property
    def ledger(self) -> durable.Ledger:
        return durable.Ledger(self.folder / _SHARDS, self.key)

    @property
    def picture_bytes(self) -> int:
        return self.size[0] * self.size[1] * 3

    @property
    def shards(self) -> list[tuple[str, int, int]]:
        """Name every shard, its first row and its end."""
        step = max(1, min(_SHARD_ROWS, _SHARD_BYTES // self.picture_bytes))
        return [(f"{start:09d}", start, min(start + step, self.count)) for start in range(0, self.count, step)]

    @property
    def header(self) -> bytes:
        """Give the head of the `.npy` file, so that any tool can map the pixels."""
        kind = {"descr": "|u1", "fortran_order": False, "shape": (self.count, *self.size, 3)}
        text = str(kind).encode()
        return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + text.ljust(117) + b"\n"

    @property
    def whole(self) -> int:
        """Count the bytes of the finished file."""
        return len(self.header) + self.count * self.picture_bytes


def opened(
    manifest: Manifest,
    size: tuple[int, int],
    resample: str,
    folder: Path,
    executor: Executor = executors.serial,
) -> Cache:
    """Map the decoded pictures of a manifest; what is missing is decoded, what is cut or changed is decoded again."""
    hashes = _hashes(manifest)
    key = _key(manifest, hashes, size, resample)
    place = _Place(folder / key[:32], key, len(manifest), size)
    record = _record(place)
    if record is None:
        with _alone(place):
            # Another process may have finished it while this one waited.
            record = _record(place) or _build(place, manifest, hashes, resample, executor)
    pixels = np.lib.format.open_memmap(place.file, mode="r")
    shards = record["shards"].values()
    first, second = (tuple(sum(shard[name][c] for shard in shards) for c in range(3)) for name in ("first", "second"))
    return Cache(pixels, key, place.folder, Sums(len(manifest) * size[0] * size[1], first, second))


def decoder() -> str:
    """Name what turns a file into pixels; another version may give other bytes."""
    return f"simplejpeg {version('simplejpeg')}, pillow {version('pillow')}"


def resized(picture: Bytes, size: tuple[int, int], resample: str) -> Bytes:
    """Bring a picture to a height and a width."""
    height, width = size
    return np.asarray(Image.fromarray(picture).resize((width, height), FILTERS[resample]))


def _key(manifest: Manifest, hashes: list[str], size: tuple[int, int], resample: str) -> str:
    files = list(zip(manifest.table["image_id"].to_pylist(), hashes, strict=True))
    record = {"schema": SCHEMA, "files": files, "size": size, "filter": resample, "decoder": decoder()}
    return durable.sha256(durable.canonical(record))


def _hashes(manifest: Manifest) -> list[str]:
    """Give the hash of every file; one that was not measured is read, since only its bytes say that it is the same."""
    known: list[str] = manifest.table["sha256"].to_pylist()
    if all(known):
        return known
    rows = track(range(len(manifest)), "hash", len(manifest))
    return [known[row] or durable.sha256(stored.read(manifest, row)) for row in rows]


@contextmanager
def _alone(place: _Place) -> Iterator[None]:
    """Wait for other processes that fill the same cache: runs of a sweep want the same pictures."""
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
        with (place.folder / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except OSError as error:
        gigabytes = place.whole / 1e9
        raise UserError(
            f"{place.folder}: cannot keep decoded pictures ({gigabytes:.2f} GB): {error.strerror or error}; "
            "name another folder as `cache` in luxreid.toml"
        ) from None


def _record(place: _Place) -> dict[str, Any] | None:
    """Read what vouches for a finished cache; None where the file is not the one that it was written for."""
    try:
        found = json.loads((place.folder / _RECORD).read_bytes())
        fits = found["key"] == place.key and found["version"] == _version(place.file)
        return found if fits and _complete(found["shards"], place) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _complete(shards: object, place: _Place) -> bool:
    return isinstance(shards, dict) and list(shards) == [name for name, _, _ in place.shards]


def _version(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _build(place: _Place, manifest: Manifest, hashes: list[str], resample: str, executor: Executor) -> dict[str, Any]:
    """Decode every shard whose bytes are not those that its record speaks of, then vouch for the whole."""
    known = _known(place)
    _prepare(place)
    missing = [
        _Shard(
            *(manifest.select(np.arange(start, end)), tuple(hashes[start:end]), place.size, resample),
            *(place.file, len(place.header) + start * place.picture_bytes, name, place.ledger),
        )
        for name, start, end in place.shards
        if not _holds(place, known.get(name), start, end)
    ]
    for position, facts in track(executor(_decode, missing), "decode", len(missing)):
        known[missing[position].name] = facts
    with place.file.open("rb") as file:
        os.fsync(file.fileno())
    shards = {name: known[name] for name, _, _ in place.shards}
    record = {"schema": SCHEMA, "key": place.key, "version": _version(place.file), "shards": shards}
    durable.write_json(place.folder / _RECORD, record)
    shutil.rmtree(place.folder / _SHARDS, ignore_errors=True)
    return record


def _known(place: _Place) -> dict[str, Mapping[str, Any]]:
    """Collect what is recorded of shards, by a finished cache or by one that was killed; hashes decide what holds."""
    found: dict[str, Mapping[str, Any]] = {}
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads((place.folder / _RECORD).read_bytes())
        found |= record["shards"] if record["key"] == place.key else {}
    try:
        found |= place.ledger.done()
    except UserError:  # a damaged record
        shutil.rmtree(place.folder / _SHARDS, ignore_errors=True)
    return found


def _prepare(place: _Place) -> None:
    """Give the file its head and its length; where bytes are lacking, no hash will hold."""
    with place.file.open("r+b" if place.file.exists() else "xb") as file:
        file.write(place.header)
        file.truncate(place.whole)
        file.flush()
        # Space is taken before the work, where the system can: a full disk is better known now.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, place.whole)


def _holds(place: _Place, facts: Mapping[str, Any] | None, start: int, end: int) -> bool:
    if facts is None or not {"sha256", "first", "second"} <= set(facts):
        return False
    with place.file.open("rb") as file:
        file.seek(len(place.header) + start * place.picture_bytes)
        found = hashlib.sha256(file.read((end - start) * place.picture_bytes)).hexdigest()
    return bool(found == facts["sha256"])


def _decode(shard: _Shard) -> Mapping[str, Any]:
    """Decode, resize and write one shard, and commit it."""
    loaded = (_load(shard.rows, row, sha256) for row, sha256 in enumerate(shard.hashes))
    pictures = [resized(picture, shard.size, shard.resample) for picture in loaded]
    block = np.stack(pictures)
    data = block.tobytes()
    # Not through a map: where the disk is full, a map ends the process and a write says so.
    with shard.file.open("r+b") as file:
        file.seek(shard.offset)
        file.write(data)
    facts = {"sha256": durable.sha256(data), **_sums(block)}
    shard.ledger.commit(shard.name, **facts)
    return facts


def _load(manifest: Manifest, row: int, sha256: str) -> Bytes:
    data, file = stored.read(manifest, row), images.locate(*manifest.file(row))
    if durable.sha256(data) != sha256:
        raise UserError(f"{file}: changed while it was read; try again when it is at rest")
    try:
        return images.decode(data)
    except PictureError as error:
        raise PictureError(f"{file}: {error}") from None


def _sums(block: Bytes) -> dict[str, Sequence[int]]:
    values = np.arange(256, dtype=np.int64)
    # Pillow counts ten times as fast as numpy.
    counts = np.sum([Image.fromarray(picture).histogram() for picture in block], axis=0).reshape(3, 256)
    return {"first": (counts @ values).tolist(), "second": (counts @ values**2).tolist()}
