"""A scheme as a person asks for it: by its name, or made of any column; and a table's rows in its levels."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark import strata
from benchmark.errors import UserError, nearest
from benchmark.strata import SCHEMES, Scheme, Strata

Values = NDArray[np.generic]

MOST_LEVELS = 256  # of texts or whole numbers: finer levels are names, not groups
MOST_FRACTIONS = 12  # of a column of fractions without edges

# What says how bright a picture is: read from visible pictures only, as by the named schemes of light.
LIGHT = ("lightness", "luma", "stops", "p05", "p95", "dark", "saturated")
_ZERO_IS_UNKNOWN = ("camid", "place")


def scheme(text: str, tables: Sequence[pa.Table]) -> Scheme:
    """Find a scheme by its name, or make one of a column; a made one is known by what it cuts, as any other."""
    name, colon, given = text.partition(":")
    if name in SCHEMES and not colon:
        return SCHEMES[name]
    if name in SCHEMES and name not in tables[0].column_names:
        raise UserError(f"{text}: {name} has edges of its own; name its column, {SCHEMES[name].measure}:{given}")
    found, light = [values(table, name) for table in tables], name in LIGHT
    if colon:
        edges = _edges(text, given)
        if any(column.dtype == object for column in found):
            raise UserError(f"{text}: {name!r} holds texts, which have no edges; write {name}")
        return Scheme(name, name, edges, _between(edges), light)
    # To six digits: what a float32 holds, and 0.1 is one level in whatever precision it is stored.
    fractions = any(pa.types.is_floating(table.schema.field(name).type) for table in tables)
    return Scheme(name, name, light=light, digits=6) if fractions else Scheme(name, name, light=light)


def divided(scheme: Scheme, table: pa.Table) -> Strata:
    """Find the level of every row of a table; a column whose values are no groups is refused."""
    found, seen = values(table, scheme.measure), visible(table)
    if not scheme.edges and scheme.name not in SCHEMES:
        _require_few(scheme, found[seen] if scheme.light else found)
    return strata.divide(scheme, found, seen)


def values(table: pa.Table, name: str) -> Values:
    """Give a column as texts, None for null, or as numbers, NaN for null."""
    if name not in table.column_names:
        allowed = sorted({*SCHEMES, *_cuttable(table)})
        raise UserError(f"no scheme or column is called {name!r}; {nearest(name, allowed)}")
    column, kind = table[name], table.schema.field(name).type
    if pa.types.is_boolean(kind) or pa.types.is_null(kind) or _is_text(kind):
        return np.asarray(column.cast(pa.string()).to_numpy(), dtype=object)
    if not _is_number(kind):
        raise UserError(f"a column of {kind}, {name!r}, cannot be cut; {nearest(name, sorted(_cuttable(table)))}")
    numbers = column.to_numpy() if pa.types.is_floating(kind) else column.to_numpy().astype(np.float64)
    return np.where(numbers == 0, np.nan, numbers) if name in _ZERO_IS_UNKNOWN else np.asarray(numbers)


def visible(table: pa.Table) -> NDArray[np.bool_]:
    """Say which rows are visible pictures; a modality that nobody gave is none."""
    if "modality" not in table.column_names:
        return np.zeros(len(table), dtype=bool)
    equal = pc.equal(table["modality"].cast(pa.string()), "visible")
    return np.asarray(pc.fill_null(equal, False).to_numpy())


def _edges(text: str, given: str) -> tuple[float, ...]:
    try:
        edges = tuple(float(edge) for edge in given.split(","))
    except ValueError:
        edges = ()
    if not edges or not all(map(math.isfinite, edges)):
        raise UserError(f"{text}: the edges must be numbers between commas, such as size:64,128,256")
    if any(high <= low for low, high in pairwise(edges)):
        raise UserError(f"{text}: the edges must ascend")
    return edges


def _between(edges: tuple[float, ...]) -> tuple[str, ...]:
    words = [np.format_float_positional(edge, trim="-") for edge in edges]
    return (f"below {words[0]}", *(f"{low} to {high}" for low, high in pairwise(words)), f"{words[-1]} and up")


def _require_few(scheme: Scheme, found: Values) -> None:
    texts = found.dtype == object
    known = np.array([value for value in found if value is not None]) if texts else found[~np.isnan(found)]
    most, count = MOST_FRACTIONS if scheme.digits > 1 else MOST_LEVELS, len(np.unique(known))
    if count <= most:
        return
    advice = "" if texts else f"; give edges, such as {scheme.name}:{_quarters(known)}"
    raise UserError(f"{scheme.name}: {count:,} different values, at most {most} can be levels{advice}")


def _quarters(known: Values) -> str:
    words = [f"{edge:.3g}" for edge in np.quantile(known.astype(np.float64), (0.25, 0.5, 0.75))]
    return ",".join(dict.fromkeys(words))


def _cuttable(table: pa.Table) -> list[str]:
    fits = (_is_number, _is_text, pa.types.is_boolean)
    return [field.name for field in table.schema if any(fit(field.type) for fit in fits)]


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
