"""A ready matrix of distances with the names of its rows and columns: somebody's own way to compare pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark import durable
from benchmark.errors import UserError
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.scoring import Distances

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
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in ARRAYS if name not in archive.files]
            if missing:
                raise UserError(f"{path}: has no array {missing[0]!r}; a matrix needs {', '.join(ARRAYS)}")
            distances, query, gallery = (archive[name] for name in ARRAYS)
    except UserError:
        raise
    except (OSError, ValueError, EOFError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: cannot read as an .npz of distances: {str(error).splitlines()[0]}") from None
    names = [_names(found, f"{path}: {role}") for found, role in ((query, "query"), (gallery, "gallery"))]
    if distances.dtype.kind != "f" or distances.shape != (len(names[0]), len(names[1])):
        raise UserError(
            f"{path}: distances are {distances.dtype} of shape {distances.shape}, must be floating numbers of "
            f"{len(names[0])} queries x {len(names[1])} gallery rows"
        )
    return Matrix(names[0], names[1], distances, {"method": path.stem}, durable.sha256(durable.read_bytes(path)))


def _names(found: NDArray[Any], where: str) -> list[str]:
    if found.ndim != 1 or found.dtype.kind != "U":
        raise UserError(f"{where}: is {found.dtype} of shape {found.shape}, must be a list of names as text")
    names: list[str] = found.tolist()
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise UserError(f"{where}: {twice!r} stands twice")
    return names


def _places(names: list[str], part: Manifest, role: str) -> NDArray[np.int64]:
    """Find every image of a list, by its image_id or by its path."""
    known = pa.array(names, pa.string())
    found = max(
        (pc.index_in(part.table[column], value_set=known) for column in ("image_id", "path")),
        key=lambda one: len(one) - one.null_count,
    )
    if found.null_count:
        first = part.table["image_id"].filter(pc.is_null(found))[0].as_py()
        raise UserError(f"distances: {found.null_count} of {len(part)} {role} images are not named, such as {first!r}")
    places: NDArray[np.int64] = found.to_numpy().astype(np.int64)
    return places


def _is_whole(places: NDArray[np.int64], count: int) -> bool:
    return len(places) == count and bool((places == np.arange(count)).all())
