"""Filters: `column = value or [values]`, all of which a row must meet. Nothing in them is evaluated."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.columns import KNOWN
from benchmark.console import count
from benchmark.errors import UserError, nearest
from benchmark.manifest import Manifest

Value = bool | int | float | str
Mask = NDArray[np.bool_]

SHOWN = 6  # values named in an error


def meet(manifest: Manifest, wanted: Mapping[str, Sequence[Value]], where: str) -> Mask:
    """Find the rows that meet every filter; `where` is named in the error if there are none."""
    left = np.ones(len(manifest), dtype=bool)
    for name, values in wanted.items():
        holds = left & holding(manifest, name, values, where)
        if not holds.any():
            raise UserError(_nothing_left(manifest.select(left), name, values, where))
        left = holds
    return left


def holding(manifest: Manifest, name: str, values: Sequence[Value], where: str) -> Mask:
    """Find the rows that hold one of the values; where a row holds a list, one of its. Null equals nothing."""
    if name not in manifest.table.column_names:
        raise UserError(f"{where} unknown column {name!r}; {nearest(name, manifest.table.column_names)}")
    column = manifest.table[name].combine_chunks()
    for value in values:
        _check_value(column.type, name, value, where)
    if not pa.types.is_list(column.type):
        return _is_in(column, values)
    found = np.zeros(len(column), dtype=bool)
    found[pc.list_parent_indices(column).to_numpy()[_is_in(pc.list_flatten(column), values)]] = True
    return found


def shown(values: Sequence[Value]) -> str:
    """Write values as TOML has them."""
    words = [str(value).lower() if isinstance(value, bool) else f"{value!r}" for value in values]
    return words[0] if len(words) == 1 else f"[{', '.join(words)}]"


def _check_value(kind: pa.DataType, name: str, value: Value, where: str) -> None:
    types, what = _allowed(kind.value_type if pa.types.is_list(kind) else kind)
    if type(value) not in types:
        raise UserError(f"{where} {name} = {shown([value])}: must be {what}")
    allowed = KNOWN[name].allowed if name in KNOWN else ()
    if allowed and value not in allowed:
        raise UserError(f"{where} {name} = {shown([value])}; {nearest(str(value), list(allowed))}")


def _allowed(kind: pa.DataType) -> tuple[tuple[type, ...], str]:
    if pa.types.is_boolean(kind):
        return (bool,), "true or false"
    if pa.types.is_integer(kind):
        return (int,), "a whole number"
    if pa.types.is_floating(kind):
        return (int, float), "a number"
    if pa.types.is_string(kind):
        return (str,), "a text"
    return (), f"of a column that can be filtered; this one is of type {kind}"


def _is_in(column: pa.Array, values: Sequence[Value]) -> Mask:
    # Wide enough for any number that a person writes: what no row can hold is found in none.
    wide = pa.int64() if pa.types.is_integer(column.type) else column.type
    sought = [float(value) for value in values] if pa.types.is_floating(wide) else list(values)
    found: Mask = pc.is_in(column.cast(wide), pa.array(sought, wide)).to_numpy(zero_copy_only=False)
    return found


def _nothing_left(before: Manifest, name: str, values: Sequence[Value], where: str) -> str:
    """Say which filter left nothing, and what the rows before it hold."""
    column = before.table[name].combine_chunks()
    column = pc.list_flatten(column) if pa.types.is_list(column.type) else column
    words = [shown([word]) for word in sorted(pc.unique(column).drop_null().to_pylist())]
    if len(words) > SHOWN:
        words = [*get_close_matches(shown([values[0]]), words, n=SHOWN, cutoff=0), "..."]
    found = ", ".join(words) or "nothing there"
    return f"{where} {name} = {shown(values)} leaves none of {count(len(before), 'row')}; they have {found}"
