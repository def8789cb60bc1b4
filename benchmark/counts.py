"""The counts behind the tables and figures of `data describe`: plain arrays, nothing printed or drawn."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark import strata
from benchmark.columns import KNOWN
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.strata import Strata

LIGHT, SIZE = "night600-light", "night600-scale"
CAMIDS = 2**15  # camid is an int16

Mask = NDArray[np.bool_]
Codes = NDArray[np.int64]  # the group of every row, -1 for none


class Spread(NamedTuple):
    """Mean and range of a number of images."""

    mean: float
    low: int
    high: int


class Summary(NamedTuple):
    """How many images, people and cameras some rows hold; None where there is nothing to average."""

    images: int
    identities: int
    cameras: int
    distractors: int
    junk: int
    per_identity: Spread | None
    cameras_per_identity: float | None
    per_identity_camera: Spread | None


@dataclass(frozen=True)
class Groups:
    """A division of the rows: the names of the groups, and every row's group or -1."""

    names: tuple[str, ...]
    codes: Codes


class People:
    """Who is in the rows of a manifest, and which camera saw them."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self.pids = manifest.column("pid").astype(np.int64)

    @cached_property
    def identities(self) -> Codes:
        """Number the identities; -1 for distractors and junk."""
        return self._manifest.identities()

    @cached_property
    def cameras(self) -> Codes:
        """Number the cameras; -1 where the camera is not known."""
        return cameras(self._manifest).codes

    def summary(self, rows: Mask) -> Summary:
        """Count some rows. Images of unknown cameras are left out of what is said of cameras."""
        people, seen, pids = self.identities[rows], self.cameras[rows], self.pids[rows]
        known = (people >= 0) & (seen >= 0)
        cameras = self.cameras.max() + 1
        pairs, images = np.unique(people[known] * cameras + seen[known], return_counts=True)
        _, met = np.unique(pairs // cameras, return_counts=True)
        _, own = np.unique(people[people >= 0], return_counts=True)
        distractors, junk = (int((pids == pid).sum()) for pid in (0, -1))
        mean = float(met.mean()) if len(met) else None
        several = len(np.unique(seen[seen >= 0]))
        return Summary(len(pids), len(own), several, distractors, junk, _spread(own), mean, _spread(images))


def names(manifests: Sequence[Manifest]) -> list[str]:
    """Name manifests by their sources; equal names get a number."""
    plain = [_sources(manifest) for manifest in manifests]
    twice = {name for name, count in Counter(plain).items() if count > 1}
    return [
        f"{name} ({plain[: position + 1].count(name)})" if name in twice else name
        for position, name in enumerate(plain)
    ]


def roles(manifest: Manifest) -> dict[str, Mask]:
    """Give the rows of every role; a row may be in several, and is in at least one."""
    split = manifest.column("split")
    query, gallery = (manifest.column(name).astype(bool) for name in ("query", "gallery"))
    idle = ~(query | gallery)
    return {
        "train": split == "train",
        "val": split == "val",
        "query": query,
        "gallery": gallery,
        "test, no role": (split == "test") & idle,
        "none": (split == "none") & idle,
        "all": np.ones(len(manifest), dtype=bool),
    }


def splits(manifest: Manifest) -> Groups:
    """Divide the rows by split; only splits that hold a row."""
    found = manifest.column("split")
    present = tuple(name for name in KNOWN["split"].allowed if (found == name).any())
    return Groups(present, np.select([found == name for name in present], range(len(present)), -1).astype(np.int64))


def cameras(manifest: Manifest) -> Groups:
    """Divide the rows by camera: a number of one space of identities, which is one set and what was made of it."""
    numbers = manifest.column("camid").astype(np.int64)
    space, spaces = pd.factorize(manifest.column("id_space"), sort=True)
    known = numbers > 0
    found, codes = np.unique((space * CAMIDS + numbers)[known], return_inverse=True)
    result = np.full(len(numbers), -1, dtype=np.int64)
    result[known] = codes
    pairs = (divmod(int(code), CAMIDS) for code in found)
    texts = (f"{number}" if len(spaces) == 1 else f"{spaces[space]}/{number}" for space, number in pairs)
    return Groups(tuple(texts), result)


def levels(manifest: Manifest, scheme: str) -> Strata | str:
    """Find every row's level, or say in one line why it is not known."""
    try:
        return strata.assign(manifest, strata.scheme(scheme))
    except UserError as error:
        return str(error)


def cross(rows: NDArray[np.integer], columns: NDArray[np.integer], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Count the rows of every pair of groups; a row with -1 on either side counts nowhere."""
    known = (rows >= 0) & (columns >= 0)
    flat = rows[known].astype(np.int64) * shape[1] + columns[known]
    return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64)


def by_split(groups: Groups, found: Strata) -> dict[str, NDArray[np.int64]]:
    """Count the levels of every split, and of all rows together."""
    table = cross(groups.codes, found.codes, (len(groups.names), len(found.levels)))
    return dict(zip(groups.names, table, strict=True)) | {"all": table.sum(axis=0)}


def by_camera(groups: Groups, found: Strata) -> dict[str, NDArray[np.int64]]:
    """Count the levels of every camera, and of the rows whose camera is not known where there are some."""
    names = (*groups.names, "unknown")
    codes = np.where(groups.codes < 0, len(groups.names), groups.codes)
    table = cross(codes, found.codes, (len(names), len(found.levels)))
    return {name: row for name, row in zip(names, table, strict=True) if name != "unknown" or row.any()}


def glimmer(manifest: Manifest) -> float | None:
    """Give the share of visible pictures at the Low level, None where that is not measured."""
    found = levels(manifest, LIGHT)
    if isinstance(found, str):
        return None
    return float((found.codes == 0).sum() / (found.codes >= 0).sum())


def _spread(counts: NDArray[np.integer]) -> Spread | None:
    return Spread(float(counts.mean()), int(counts.min()), int(counts.max())) if len(counts) else None


def _sources(manifest: Manifest) -> str:
    found = sorted(set(manifest.table["source"].unique().to_pylist()))
    return " and ".join(found) if len(found) <= 2 else f"{found[0]} and {len(found) - 1} more"
