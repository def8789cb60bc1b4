"""A ready matrix of distances with the names of its rows and columns: somebody's own way to compare pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from benchmark.errors import UserError
from benchmark.features import hash_file, require_once
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.scoring import Distances
from benchmark.vector_files import BROKEN

ARRAYS = ("distances", "query", "gallery")


@dataclass(frozen=True, eq=False)
class Matrix:
    """Distances of queries (rows) and gallery (columns): smaller is closer."""

    query: list[str]  # image_ids
    gallery: list[str]
    distances: NDArray[Any]
    facts: dict[str, Any]
    sha256: str = ""
    notes: tuple[str, ...] = ()

    def source(self, lists: Lists) -> Distances:
        """Give the part of the matrix that a trial compares, in its order."""
        rows, columns = _places(self.query, lists.query, "query"), _places(self.gallery, lists.gallery, "gallery")
        whole = _is_whole(rows, len(self.query)) and _is_whole(columns, len(self.gallery))
        return Distances(self.distances if whole else self.distances[np.ix_(rows, columns)])


def load(path: Path) -> Matrix:
    """Read an `.npz` with `distances`, `query` and `gallery`; no pickle is run."""
    sha256 = hash_file(path)
    distances, query, gallery = _arrays(path)
    names = [_names(found, f"{path}: {role}") for found, role in ((query, "query"), (gallery, "gallery"))]
    if distances.dtype.kind != "f" or distances.shape != (len(names[0]), len(names[1])):
        raise UserError(
            f"{path}: distances are {distances.dtype} of shape {distances.shape}, must be floating numbers of "
            f"{len(names[0])} queries x {len(names[1])} gallery rows"
        )
    return Matrix(names[0], names[1], distances, {}, sha256)


def _arrays(path: Path) -> list[NDArray[Any]]:
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, NpzFile):
                raise ValueError("it holds a single array")
            missing = [name for name in ARRAYS if name not in archive.files]
            if missing:
                raise UserError(f"{path}: has no array {missing[0]!r}; a matrix needs {', '.join(ARRAYS)}")
            return [np.asarray(archive[name]) for name in ARRAYS]
    except BROKEN as error:
        raise UserError(f"{path}: not an .npz of distances, or a broken one: {error or type(error).__name__}") from None


def _names(found: NDArray[Any], where: str) -> list[str]:
    if found.ndim != 1 or found.dtype.kind != "U":
        raise UserError(f"{where}: is {found.dtype} of shape {found.shape}, must be a list of names as text")
    names: list[str] = found.tolist()
    require_once(names, where)
    return names


def _places(names: list[str], part: Manifest, role: str) -> NDArray[np.int64]:
    """Find every image of a list, by its image_id or by its path, whichever knows more of them."""
    known = pa.array(names, pa.string())
    found = min(
        (pc.index_in(part.table[column], value_set=known) for column in ("image_id", "path")),
        key=lambda one: one.null_count,
    )
    if found.null_count:
        first = part.table["image_id"].filter(pc.is_null(found))[0].as_py()
        raise UserError(f"distances: {found.null_count} of {len(part)} {role} images are not named, such as {first!r}")
    places: NDArray[np.int64] = found.to_numpy().astype(np.int64)
    where, count = np.unique(places, return_counts=True)
    if (count > 1).any():
        raise UserError(f"distances: {names[where[count > 1][0]]!r} is the path of several images; use image_id")
    return places


def _is_whole(places: NDArray[np.int64], count: int) -> bool:
    return len(places) == count and bool((places == np.arange(count)).all())
