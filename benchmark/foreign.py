"""Features that anyone made, on entry: arrays and tables of several formats, and the image that each row belongs to.

Which row is whose is never guessed: a file names its rows, or a list beside it does, or it is said in so many words
that they stand in the manifest's own order.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark import features, vector_files
from benchmark.errors import UserError
from benchmark.features import Features
from benchmark.manifest import Manifest
from benchmark.vector_files import Vectors

_BLOCK = 4096  # rows that are looked at together


class Naming(NamedTuple):
    """One way to call images, and what every row of a manifest is called in it."""

    title: str
    names: list[str]


def load(path: Path, rows: Path | None, in_order: bool, manifest: Manifest) -> Features:
    """Read features and find the image of every row; `rows` lists their names where the file has none."""
    if path.is_dir():
        _refuse_second_word(path, rows, in_order)
        found = features.read(path)
        return replace(found, notes=(*found.notes, *_collapsed(found.vectors)))
    vectors, names = vector_files.read(path)
    if names is not None:
        _refuse_second_word(path, rows, in_order)
        return _matched(path, path, vectors, names, manifest)
    if rows is not None and in_order:
        raise UserError(f"{path}: --rows and --in-order are two answers to whose its rows are; leave one out")
    if rows is not None:
        return _matched(path, rows, vectors, vector_files.names(rows), manifest)
    if in_order:
        return _ordered(path, vectors, manifest)
    raise UserError(
        f"{path}: does not say whose its rows are; give their names with --rows ({vector_files.LISTS}), "
        "or --in-order where they stand in the manifest's own order"
    )


def _refuse_second_word(path: Path, rows: Path | None, in_order: bool) -> None:
    if rows is not None or in_order:
        raise UserError(f"{path}: says itself whose its rows are; leave out {'--rows' if rows else '--in-order'}")


def _ordered(path: Path, vectors: Vectors, manifest: Manifest) -> Features:
    if len(vectors) != len(manifest):
        raise UserError(
            f"{path}: holds {len(vectors):,} rows, the manifest {len(manifest):,}; --in-order needs a row an image"
        )
    notes = ("features: rows taken in the manifest's own order", *_collapsed(vectors))
    return Features(manifest.table["image_id"].to_pylist(), vectors, {}, features.hash_file(path), notes)


def _matched(path: Path, where: Path, vectors: Vectors, names: list[str], manifest: Manifest) -> Features:
    """Find the image of every name; names of images that the manifest does not have are counted."""
    if len(names) != len(vectors):
        raise UserError(f"{where}: names {len(names):,} rows, the vectors of {path.name} are {len(vectors):,}")
    features.require_once(names, str(where))
    title, places = _places(where, names, manifest)
    known = np.flatnonzero(places >= 0)
    note = f"features: rows found by {title}"
    if len(known) < len(names):
        note += f"; {len(names) - len(known):,} of {len(names):,} belong to no image of the manifest"
    image_ids = manifest.table["image_id"].take(pa.array(places[known])).to_pylist()
    return Features(image_ids, vectors, {}, features.hash_file(path), (note, *_collapsed(vectors)), known)


def _places(where: Path, names: list[str], manifest: Manifest) -> tuple[str, NDArray[np.int64]]:
    """Say which way of calling images knows most of the names, and give the manifest's row of each, or -1."""
    best, most = Naming("", []), 0
    for naming in _namings(manifest):
        number = len(set(naming.names).intersection(names))
        best, most = (naming, number) if number > most else (best, most)
        if most == len(names):
            break
    if not most:
        allowed = " nor ".join(f"{title} such as {texts[0]!r}" for title, texts in _namings(manifest))
        raise UserError(f"{where}: {names[0]!r} and all other names are neither {allowed}")
    numbers = Counter(best.names)
    several = next((name for name in names if numbers[name] > 1), None)
    if several is not None:
        raise UserError(f"{where}: {several!r} is the {best.title} of {numbers[several]} images; use image_id")
    row = {name: place for place, name in enumerate(best.names)}
    return best.title, np.array([row.get(name, -1) for name in names], np.int64)


def _namings(manifest: Manifest) -> Iterator[Naming]:
    """List the ways to call an image, the surest first."""
    yield Naming("image_id", manifest.table["image_id"].to_pylist())
    paths, sources = manifest.table["path"].to_pylist(), manifest.table["source"].to_pylist()
    yield Naming("path", paths)
    roots = {source: str(root.absolute()).rstrip("/") for source, root in manifest.roots.items()}
    yield Naming("whole path", [f"{roots[source]}/{path}" for source, path in zip(sources, paths, strict=True)])
    # Bare names only: of a name with other folders than the manifest's, the end alone would be a guess.
    yield Naming("file name", [path.rpartition("/")[2] for path in paths])


def _collapsed(vectors: Vectors) -> tuple[str, ...]:
    """Say so where all vectors are equal: such a model scores at chance, and the reader should know why."""
    for start in range(0, len(vectors), _BLOCK):
        if len(vectors) < 2 or (vectors[start : start + _BLOCK] != vectors[0]).any():
            return ()
    return (f"features: all {len(vectors):,} vectors are equal, so every image is as close as every other",)
