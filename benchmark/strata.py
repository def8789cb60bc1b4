"""Strata as data: what is cut, where, and how the levels are called. Levels are [low, high)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark import durable
from benchmark.errors import UserError, nearest
from benchmark.manifest import Manifest


@dataclass(frozen=True)
class Scheme:
    """One way to cut a set of images into ordered levels."""

    name: str
    measure: str  # a column; `size` is `h` where known, else `height`
    edges: tuple[float, ...] = ()  # none: one level for every distinct value
    levels: tuple[str, ...] = ()
    light: bool = False  # read from visible pictures only
    digits: int = 1  # after the point, to which numbers are rounded where there are no edges

    @property
    def sha256(self) -> str:
        """Hash what decides who falls where; numbers are hashed as text."""
        edges = [repr(float(edge)) for edge in self.edges]
        said: dict[str, object] = {"measure": self.measure, "edges": edges, "light": self.light}
        if self.digits != 1:  # what came later changes no published hash
            said["digits"] = self.digits
        return durable.sha256(durable.canonical(said))

    @property
    def id(self) -> str:
        """Name the scheme and its version."""
        return f"{self.name}@{self.sha256[:8]}"


@dataclass(frozen=True)
class Strata:
    """The level of every row: a position in `levels`, or -1 for a row that is in none."""

    scheme: Scheme
    levels: tuple[str, ...]
    codes: NDArray[np.int16]

    @property
    def occupied(self) -> int:
        """Count the levels that hold a row; a scheme over one level says nothing and is not published."""
        return len(np.unique(self.codes[self.codes >= 0]))


SCHEMES = {
    scheme.name: scheme
    for scheme in (
        # Lu et al., TMM 2023, section IV: 255/10 and 255/5; the paper leaves "lightness" open, see images.lightness.
        Scheme("night600-light", "lightness", (25.5, 51.0), ("Low", "Medium", "High"), light=True),
        # The same section. Its Big starts above 200 pixels, here at 200: levels are half open.
        Scheme("night600-scale", "size", (100.0, 200.0), ("Small", "Medium", "Big")),
        # Absolute edges in stops of linear luminance, the same for every set.
        Scheme(
            "stops-5",
            "stops",
            (-8.0, -6.6, -4.9, -2.9),
            ("below -8", "-8 to -6.6", "-6.6 to -4.9", "-4.9 to -2.9", "-2.9 and up"),
            light=True,
        ),
        Scheme("exposure", "exposure"),
    )
}


def scheme(name: str) -> Scheme:
    """Find a scheme by its name."""
    if name not in SCHEMES:
        raise UserError(f"no scheme is called {name!r}; {nearest(name, sorted(SCHEMES))}")
    return SCHEMES[name]


def sizes(manifest: Manifest) -> NDArray[np.float32]:
    """Give the height of every person in pixels: in the original frame where known, else in the stored crop."""
    frame, stored = (manifest.column(name).astype(np.float32) for name in ("h", "height"))
    return np.where(np.isnan(frame), stored, frame)


def assign(manifest: Manifest, scheme: Scheme) -> Strata:
    """Find every row's level."""
    if scheme.measure not in ("size", "exposure"):
        manifest.require_measured(scheme.name)
    values = sizes(manifest) if scheme.measure == "size" else manifest.column(scheme.measure).astype(np.float32)
    if scheme.measure == "size" and np.isnan(values).any():
        manifest.require_measured(scheme.name)
    found = divide(scheme, values, manifest.column("modality") == "visible")
    if not found.occupied:
        where = " in visible light" if scheme.light else ""
        raise UserError(f"{scheme.name}: no row has {scheme.measure!r}{where}")
    return found


def divide(scheme: Scheme, values: NDArray[np.generic], visible: NDArray[np.bool_]) -> Strata:
    """Find the level of bare values, numbers or texts; NaN and None are in none."""
    texts = values.dtype == object
    known = np.array([value is not None for value in values], dtype=bool) if texts else ~np.isnan(values)
    if scheme.light:
        # An infrared picture's brightness says nothing about the light people see by.
        known &= visible
    codes = np.full(len(values), -1, dtype=np.int16)
    if scheme.edges:
        # In the precision of the column: else a value stored as -2.9 would lie under an edge at -2.9.
        kind = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
        codes[known] = np.digitize(values[known].astype(kind), np.array(scheme.edges, dtype=kind))
        return Strata(scheme, scheme.levels, codes)
    inside = values[known] if texts else _rounded(values[known].astype(np.float64), scheme.digits)
    distinct, codes[known] = np.unique(inside, return_inverse=True)
    levels = [str(value) if texts else np.format_float_positional(value, trim="-") for value in distinct]
    return Strata(scheme, tuple(levels), codes)


def _rounded(values: NDArray[np.float64], digits: int) -> NDArray[np.float64]:
    return np.round(values, digits) + 0.0  # minus zero is zero
