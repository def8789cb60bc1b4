"""`data diff`: what changed from one manifest to another, in words."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.console import count
from benchmark.manifest import Manifest

SHOWN = 3


def difference(old: Manifest, new: Manifest) -> list[str]:
    """List rows and columns added and removed, values changed, and what became of the hashes; empty when equal."""
    lines = [*_rows("removed", old, new), *_rows("added", new, old), *_columns(old, new), *_values(old, new)]
    return [*lines, *_hashes(old, new)] if lines else []


def _rows(verb: str, one: Manifest, other: Manifest) -> Iterator[str]:
    alone = pc.invert(pc.is_in(one.table["image_id"], value_set=other.table["image_id"].combine_chunks()))
    names = one.table["image_id"].filter(alone)
    if len(names):
        yield f"{count(len(names), 'row')} {verb}: {_some(names[:SHOWN].to_pylist(), len(names))}"


def _columns(old: Manifest, new: Manifest) -> Iterator[str]:
    before, after = old.table.schema, new.table.schema
    for name in sorted({*before.names, *after.names}):
        if name not in after.names:
            yield f"column {name} removed"
        elif name not in before.names:
            yield f"column {name} added"
        elif before.field(name).type != after.field(name).type:
            yield f"column {name} has another type: {before.field(name).type} -> {after.field(name).type}"


def _values(old: Manifest, new: Manifest) -> Iterator[str]:
    """Compare the rows that both have, column by column."""
    here = pc.index_in(new.table["image_id"], value_set=old.table["image_id"].combine_chunks())
    before = old.table.take(here.drop_null())
    after = new.table.filter(pc.is_valid(here))
    for name in before.column_names:
        if name not in after.column_names:
            continue
        one, other = _of_one_type(before[name], after[name])
        if one.type == other.type:
            changed = np.flatnonzero(_differs(one, other))
            if len(changed):
                examples = [_example(before, after, name, int(row)) for row in changed[:SHOWN]]
                yield f"column {name}: {count(len(changed), 'row')} changed: {_some(examples, len(changed))}"


def _of_one_type(one: pa.ChunkedArray, other: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Give a column without any value the type of the other one: its rows can be compared all the same."""
    if pa.types.is_null(one.type):
        return pa.chunked_array([pa.nulls(len(one), other.type)]), other
    if pa.types.is_null(other.type):
        return one, pa.chunked_array([pa.nulls(len(other), one.type)])
    return one, other


def _differs(before: pa.ChunkedArray, after: pa.ChunkedArray) -> NDArray[np.bool_]:
    try:
        # Where one of the two is null, "not equal" is null too, and the null itself is the difference.
        unequal = pc.fill_null(pc.not_equal(before, after), False)
    except pa.ArrowNotImplementedError:  # lists, half floats, and columns that are null throughout
        pairs = zip(before.to_pylist(), after.to_pylist(), strict=True)
        return np.array([one != other for one, other in pairs], dtype=bool)
    found: NDArray[np.bool_] = np.asarray(pc.or_(unequal, pc.xor(pc.is_null(before), pc.is_null(after))), dtype=bool)
    return found


def _example(before: pa.Table, after: pa.Table, name: str, row: int) -> str:
    one, other = before[name][row].as_py(), after[name][row].as_py()
    return f"{before['image_id'][row].as_py()} {_value(one)} -> {_value(other)}"


def _value(value: object) -> str:
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _hashes(old: Manifest, new: Manifest) -> Iterator[str]:
    for name in ("labels_sha256", "data_sha256"):
        one, other = getattr(old, name), getattr(new, name)
        yield f"{name} {'is equal' if one == other else f'differs: {_value(one)} -> {_value(other)}'}"


def _some(shown: Sequence[str], total: int) -> str:
    return ", ".join(shown) + (", ..." if total > len(shown) else "")
