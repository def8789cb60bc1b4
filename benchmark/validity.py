"""What makes a manifest valid. Every complaint names the column, a row, what was found and what is allowed."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark.columns import COLUMNS, EXTRAS, MEASURED, Column
from benchmark.console import count
from benchmark.errors import UserError

SOURCE = re.compile(r"[a-z0-9][a-z0-9._+-]*")


def check_columns(table: pa.Table) -> None:
    """Check names and types."""
    names = table.column_names
    if len(set(names)) < len(names):
        raise UserError(f"manifest: column {next(n for n in names if names.count(n) > 1)!r} stands twice")
    for column in COLUMNS:
        if column.name not in names:
            raise UserError(f"manifest: column {column.name!r} is missing")
    for column in (*COLUMNS, *EXTRAS):
        if column.name in names and table.schema.field(column.name).type != column.type:
            found = table.schema.field(column.name).type
            raise UserError(f"manifest: column {column.name!r} is of type {found}, must be {column.type}")
    for field in table.schema:
        if pa.types.is_nested(_innermost(field.type)):
            raise UserError(f"manifest: column {field.name!r} is of type {field.type}, must be plain or a list")


def check(table: pa.Table) -> None:
    """Check a table with the right columns, sorted by `image_id`."""
    if not table.num_rows:
        raise UserError("manifest: has no rows")
    for name in table.column_names:
        _check_encoding(table, name)
    for column in (*COLUMNS, *EXTRAS):
        if column.name in table.column_names:
            _check_values(table, column)
    for name in table.column_names:
        if pa.types.is_floating(table[name].type):
            _refuse(table, name, pc.invert(pc.is_finite(table[name])), "a finite number, or null for not measured")
        if pa.types.is_string(table[name].type):
            _check_characters(table, name)
        if _is_list(table[name].type):
            _check_list(table, name)
    _check_keys(table)
    _check_paths(table)
    _check_roles(table)
    _check_measures(table)


def _check_encoding(table: pa.Table, name: str) -> None:
    try:
        table[name].validate(full=True)
    except pa.ArrowInvalid as error:
        raise UserError(f"manifest: column {name!r} is broken, or no UTF-8: {error}") from None


def _check_characters(table: pa.Table, name: str) -> None:
    """Refuse control characters: they would break tables, terminals and the hashes' field separators."""
    # Most tables have none, and looking at all bytes at once is far cheaper than looking for a row.
    if any(_has_control(chunk) for chunk in table[name].chunks):
        _refuse(table, name, _matches(table[name], r"[\x00-\x1f\x7f]"), "a text without control characters")


def _has_control(texts: pa.Array) -> bool:
    data = texts.buffers()[2]  # of the texts behind each other; in UTF-8 no other character holds such a byte
    codes = np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)
    return bool(((codes < 0x20) | (codes == 0x7F)).any())


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _innermost(kind: pa.DataType) -> pa.DataType:
    while _is_list(kind):
        kind = kind.value_type
    return kind


def _check_list(table: pa.Table, name: str) -> None:
    """Refuse numbers in lists, or in lists of lists, that are not finite."""
    if not pa.types.is_floating(_innermost(table[name].type)):
        return
    values, rows = table[name].combine_chunks(), pa.array(range(table.num_rows))
    while _is_list(values.type):
        rows, values = rows.take(pc.list_parent_indices(values)), pc.list_flatten(values)
    wrong = rows.filter(pc.invert(pc.is_finite(values)), null_selection_behavior="drop")
    if len(wrong):
        image = table["image_id"][wrong[0].as_py()].as_py()
        raise UserError(f"manifest: row {image!r}, column {name!r}: a number in the list is not finite")


def _check_values(table: pa.Table, column: Column) -> None:
    values = table[column.name]
    if not column.null:
        _refuse(table, column.name, pc.is_null(values), "a value")
    if column.allowed:
        _refuse(
            table,
            column.name,
            pc.invert(pc.is_in(values, pa.array(column.allowed))),
            "one of " + ", ".join(column.allowed),
        )
    if column.low is not None:
        _refuse(table, column.name, pc.less(values, column.low), f"at least {column.low}")
    if column.high is not None:
        _refuse(table, column.name, pc.greater(values, column.high), f"at most {column.high:g}")


def _check_keys(table: pa.Table) -> None:
    identifiers = table["image_id"]
    if table.num_rows > 1:
        twice = pc.equal(identifiers[1:], identifiers[:-1])
        if pc.any(twice).as_py():
            row = pc.index(twice, True).as_py()
            raise UserError(f"manifest: image_id {identifiers[row].as_py()!r} stands twice, must be unique")
    for source in pc.unique(table["source"]).to_pylist():
        if not SOURCE.fullmatch(source):
            raise UserError(f"manifest: source {source!r}, must be lower case letters, digits and . _ + -")
        strange = pc.and_(pc.equal(table["source"], source), pc.invert(pc.starts_with(identifiers, f"{source}/")))
        _refuse(table, "image_id", strange, f"{source}/ and a path")
    _refuse(table, "id_space", pc.equal(table["id_space"], ""), "the name of a space of identities")
    labels = table["subsets"].combine_chunks()
    if pc.list_flatten(labels).null_count:
        raise UserError("manifest: column 'subsets' holds a list with a null, must hold texts")
    words = pc.unique(pc.list_flatten(labels))
    if pc.any(_matches(words, r"[\x00-\x1f\x7f]")).as_py():
        raise UserError("manifest: column 'subsets' holds a control character")


def _check_paths(table: pa.Table) -> None:
    allowed = "a relative path with /, that stays under its root"
    for name in ("path", "mask"):
        if name in table.column_names:
            leaves = _matches(table[name], r"^$|^/|^[A-Za-z]:|\\|(^|/)\.\.?(/|$)|//|/$")
            _refuse(table, name, leaves, allowed)


def _check_roles(table: pa.Table) -> None:
    role = pc.or_(table["query"], table["gallery"])
    _refuse(
        table, "split", pc.and_(role, pc.equal(table["split"], "train")), "not train, since the row is query or gallery"
    )
    _refuse(table, "pid", pc.and_(table["query"], pc.less(table["pid"], 1)), "1 or more, since the row is a query")


def _check_measures(table: pa.Table) -> None:
    hashed = pc.is_valid(table["sha256"])
    _refuse(table, "sha256", pc.invert(_matches(table["sha256"], "^[0-9a-f]{64}$")), "64 hexadecimal digits")
    for name in MEASURED:
        half = pc.xor(hashed, pc.is_valid(table[name]))
        _refuse(table, name, half, "measured together with sha256, or null like it")


def _matches(texts: pa.ChunkedArray | pa.Array, pattern: str) -> pa.ChunkedArray:
    return pc.match_substring_regex(texts, pattern)


def _refuse(table: pa.Table, name: str, wrong: pa.ChunkedArray, allowed: str) -> None:
    """Stop at the first row where `wrong` holds; a null there is no complaint."""
    if not pc.any(wrong).as_py():
        return
    row = pc.index(wrong, True).as_py()
    number = pc.sum(wrong).as_py()
    more = f" (and {count(number - 1, 'more row')})" if number > 1 else ""
    found, image = table[name][row].as_py(), table["image_id"][row].as_py()
    raise UserError(f"manifest: row {image!r}, column {name!r}: found {found!r}, must be {allowed}{more}")
