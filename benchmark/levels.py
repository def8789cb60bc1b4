"""How a set falls into the levels of a scheme, and how a scheme is put in words."""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark import comparison, tables
from benchmark.console import count
from benchmark.manifest import Manifest
from benchmark.strata import Scheme, Strata

if TYPE_CHECKING:
    from rich.table import Table

_CUT = {
    "size": "height in pixels",
    "lightness": "mean of max(R, G, B)",
    "stops": "median luminance in stops",
    "exposure": "exposure in stops, to a tenth",
}
_COUNTED = ("images", "share", "identities", "queries", "query\nidentities")


def table(manifest: Manifest, strata: Strata) -> "Table":
    """Count images, identities and queries of every level; a scheme over one level says so."""
    edges = _edges(strata.scheme)
    body = []
    for code, name in enumerate(strata.levels):
        rows = strata.codes == code
        share = comparison.percent(float(rows.sum() / (strata.codes >= 0).sum()))
        body.append([name, *(edges[code] if edges else ()), *_counts(manifest, rows, share)])
    if (strata.codes < 0).any():
        blanks = ("", "") if edges else ()
        body.append(["in no level", *blanks, *_counts(manifest, strata.codes < 0, comparison.UNKNOWN)])
    columns = ("level", *(("from", "below") if edges else ()), *_COUNTED)
    return tables.table(columns, body, "\n".join([title(strata.scheme), *remarks(strata)]))


def title(scheme: Scheme) -> str:
    """Name a scheme with its version, and what it cuts."""
    return f"{scheme.id}, {_CUT.get(scheme.measure, scheme.measure)}"


def limits(found: Strata) -> list[str]:
    """Say between which edges every level lies; empty where each level is one value."""
    edges = _edges(found.scheme)
    return [f"[{low}, {high})" if low and high else f"{low} and up" if low else f"below {high}" for low, high in edges]


def labels(found: Strata) -> tuple[str, ...]:
    """Name every level over its limits, for the axis of a figure."""
    return tuple(f"{name}\n{limit}" for name, limit in zip(found.levels, limits(found), strict=True))


def remarks(found: Strata) -> list[str]:
    """Say what was left out, and of a scheme over one level that it compares nothing."""
    lines = []
    left = int((found.codes < 0).sum())
    if found.scheme.light and left:
        lines.append(f"Read from visible pictures only; {count(left, 'infrared or thermal image')} left out.")
    if found.occupied == 1:
        only = found.levels[int(found.codes.max())]
        lines.append(f"{found.scheme.name} has one occupied level, {only}: it divides nothing here.")
    return lines


def _edges(scheme: Scheme) -> list[tuple[str, str]]:
    texts = ["", *(f"{edge:g}" for edge in scheme.edges), ""]
    return list(pairwise(texts)) if scheme.edges else []


def _counts(manifest: Manifest, rows: NDArray[np.bool_], share: str) -> list[str]:
    identities, asked = manifest.identities(), rows & manifest.column("query").astype(bool)
    numbers = (rows.sum(), _people(identities[rows]), asked.sum(), _people(identities[asked]))
    images, *others = (f"{number:,}" for number in numbers)
    return [images, share, *others]


def _people(identities: NDArray[np.int64]) -> int:
    return len(np.unique(identities[identities >= 0]))
