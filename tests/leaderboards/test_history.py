"""Files of an earlier day are read: golden ones of every schema version, drawn ones that lack, narrow and add columns.

`python -m tests.leaderboards.test_history` writes the golden file of a schema version that has none; one that is there
is never written again.
"""

import datetime
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.errors import UserError
from leaderboards import history, store
from leaderboards.history import Kind
from leaderboards.store import Row
from tests.leaderboards import shelf

GOLDEN = Path(__file__).with_name("golden")
ROWS = 2

# What a column may have been written as before it became as wide as it is.
NARROWER = {
    pa.int16(): (pa.int8(),),
    pa.int32(): (pa.int8(), pa.int16()),
    pa.int64(): (pa.int16(), pa.int32()),
    pa.float32(): (pa.float16(),),
    pa.float64(): (pa.float16(), pa.float32()),
    pa.string(): (pa.dictionary(pa.int32(), pa.string()),),
}


def known(kind: pa.DataType, name: str, row: int) -> Any:  # noqa: ANN401
    """Make a value of a type from the name of its column; it fits the narrowest type too."""
    number = zlib.crc32(name.encode()) % 50 + row
    if pa.types.is_boolean(kind):
        return bool(number % 2)
    if pa.types.is_integer(kind):
        return number
    if pa.types.is_floating(kind):
        return number / 64
    if pa.types.is_timestamp(kind):
        return datetime.datetime(2026, 1, 1 + row, number % 24, tzinfo=datetime.UTC)
    if pa.types.is_list(kind):
        return [known(kind.value_type, f"{name} {place}", row) for place in range(row)]
    if pa.types.is_struct(kind):
        return {field.name: known(field.type, f"{name} {field.name}", row) for field in kind}
    return f"{name} {row}"


def rows(schema: pa.Schema, count: int) -> list[Row]:
    """Make rows whose values are known."""
    return [{field.name: known(field.type, field.name, row) for field in schema} for row in range(count)]


def golden(schema_id: str) -> Path:
    """Name the golden file of a schema version."""
    return GOLDEN / f"{schema_id.replace('/', '-')}.parquet"


# --- golden files


@pytest.mark.parametrize("kind", history.KINDS.values(), ids=list(history.KINDS))
def test_the_golden_file_of_a_schema_version_reads_as_it_was_written(kind: Kind) -> None:
    path = golden(kind.schema_id)
    table = store.decoded(path.read_bytes(), kind.name, str(path))
    assert table.schema.equals(kind.schema)  # nothing of it has become an unknown column
    written = [name for name in table.column_names if table[name].null_count < len(table)]
    expected = rows(pa.schema([kind.schema.field(name) for name in written]), len(table))
    assert [{name: row[name] for name in written} for row in table.to_pylist()] == expected
    assert set(kind.keys) <= set(written)
    assert len(written) > 5  # the golden file is not an empty one


def test_every_golden_file_is_of_a_version_that_is_read() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {golden(kind.schema_id).name for kind in history.KINDS.values()}


# --- drawn files


@st.composite
def files(draw: st.DrawFn, kind: Kind) -> tuple[pa.Table, list[Row]]:
    """Draw a file of some day, and the rows that it must give today."""
    optional = [name for name in kind.schema.names if name not in kind.keys]
    lacking = draw(st.sets(st.sampled_from(optional), max_size=5))
    narrow = draw(st.sets(st.sampled_from(kind.schema.names), max_size=5))
    fields = [field for field in kind.schema if field.name not in lacking]
    given = rows(pa.schema(fields), draw(st.integers(1, 3)))
    empty = draw(st.sampled_from(optional))
    given = [row | {name: None for name in (empty,) if name in row} for row in given]
    types = [
        draw(st.sampled_from(NARROWER.get(field.type, (field.type,)))) if field.name in narrow else field.type
        for field in fields
    ]
    pairs = zip(fields, types, strict=True)
    arrays = [pa.array([row[field.name] for row in given], field.type).cast(one) for field, one in pairs]
    table = pa.table(arrays, names=[field.name for field in fields])
    added = draw(st.booleans())
    if added:
        table = table.append_column(
            "of tomorrow", pa.array([7] * len(table), draw(st.sampled_from([pa.int8(), pa.int64()])))
        )
    blank = dict.fromkeys(kind.schema.names)
    return table, [blank | row | ({"of tomorrow": 7} if added else {}) for row in given]


@settings(deadline=None, max_examples=60)
@given(data=st.data(), name=st.sampled_from(sorted(history.KINDS)))
def test_files_of_many_days_read_as_the_widest_with_nulls(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, name: str
) -> None:
    board, kind = store.begun(tmp_path_factory.mktemp("mixed") / "board"), history.kind(name)
    drawn = [data.draw(files(kind)) for _ in range(3)]
    expected = dict[str, list[Row]]()
    for table, its in drawn:
        content = raw(table.replace_schema_metadata({"luxreid.schema": kind.schema_id}))
        expected[store.publish(board, name, content)] = its
    loaded = store.load(board, name)
    assert loaded.problems == ()
    extra = dict.fromkeys(set(loaded.table.column_names) - set(kind.schema.names))
    wanted = [extra | row for one in sorted(expected) for row in expected[one]]
    assert loaded.table.to_pylist() == wanted
    assert pa.schema(list(loaded.table.schema)[: len(kind.schema)]).equals(kind.schema)


def raw(table: pa.Table) -> bytes:
    """Write a file as some other version did: without today's checks."""
    import io

    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, write_page_checksum=True)
    return buffer.getvalue()


# --- what is not read


def strange(change: str) -> pa.Table:
    """Make a table of marks that is not one of `marks/1`."""
    kind = history.kind("marks")
    table = pa.Table.from_pylist(rows(kind.schema, ROWS), kind.schema)
    named = table.replace_schema_metadata({"luxreid.schema": kind.schema_id})
    at = table.column_names.index("at")
    if change == "no schema":
        return table
    if change == "a later schema":
        return table.replace_schema_metadata({"luxreid.schema": "marks/2"})
    if change == "another kind":
        return table.replace_schema_metadata({"luxreid.schema": "runs/1"})
    if change == "no key":
        return named.drop_columns(["mark"])
    if change == "a null in a key":
        return named.set_column(0, "run_id", pa.array(["a", None]))
    if change == "a time without zone":
        return named.set_column(at, "at", named["at"].cast(pa.timestamp("us")))
    if change == "another type":
        return named.set_column(at, "at", pa.array(np.arange(ROWS)))
    return named.append_column("why", pa.array(["twice"] * ROWS))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("no schema", "where: is of no named schema, this version reads marks/1"),
        ("a later schema", "where: is marks/2, this version reads marks/1"),
        ("another kind", "where: is runs/1, this version reads marks/1"),
        ("no key", "where: has no column 'mark'; needed: run_id, mark, at"),
        ("a null in a key", "where: column 'run_id' holds 1 nulls, which it may not"),
        ("a time without zone", r"where: column 'at' is timestamp\[us\], must be timestamp\[us, tz=UTC\]"),
        ("another type", r"where: column 'at' is int64, must be timestamp\[us, tz=UTC\]"),
        ("a double column", "where: two columns have one name"),
    ],
)
def test_what_does_not_fit_is_refused_and_not_bent(change: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        history.upcast(strange(change), history.kind("marks"), "where")


@pytest.mark.parametrize(
    ("column", "kind"), [("seed", pa.int64()), ("seed", pa.float64()), ("mAP", pa.int32()), ("ram_gb", pa.float64())]
)
def test_a_wider_or_another_number_is_not_squeezed_into_a_column(column: str, kind: pa.DataType) -> None:
    table = shelf.table("runs", [shelf.record(1)])
    table = table.set_column(table.column_names.index(column), column, pa.array([1]).cast(kind))
    table = table.replace_schema_metadata({"luxreid.schema": "runs/1"})
    with pytest.raises(UserError, match=f"column '{column}' is {kind}, must be"):
        history.upcast(table, history.kind("runs"), "where")


def test_a_key_that_is_not_asked_for_is_not_needed() -> None:
    table = pa.table({"why": ["a", None]}).replace_schema_metadata({"luxreid.schema": "marks/1"})
    assert history.upcast(table, history.kind("marks"), "where", ("why",)).to_pydict() == {"why": ["a", None]}


def test_a_kind_is_named_right() -> None:
    with pytest.raises(UserError, match=r"no table of a board is called 'run'; did you mean 'runs'\?"):
        history.kind("run")


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for one in history.KINDS.values():
        if not golden(one.schema_id).exists():
            made = pa.Table.from_pylist(rows(one.schema, ROWS - (one.name == "runs")), one.schema)
            golden(one.schema_id).write_bytes(store.encoded(one.name, made))
