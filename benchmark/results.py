"""Bundles: the folder in which one run, good or failed, leaves everything that a leaderboard needs."""

import datetime
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark import durable
from benchmark.errors import UserError, nearest
from benchmark.schemas import PROVENANCES, RUN, RUN_SCHEMA, STATUSES, TABLES


@dataclass(frozen=True, eq=False)
class Bundle:
    """One run's record and tables; a failed run has a record only."""

    run: dict[str, Any]
    tables: Mapping[str, pa.Table] = field(default_factory=dict)  # lists, queries, strata


def config_id(inputs: dict[str, Any]) -> str:
    """Name a configuration: the inputs without the seed, so that it groups the seeds."""
    return durable.sha256(durable.canonical({name: value for name, value in inputs.items() if name != "seed"}))[:32]


def run_id(inputs: dict[str, Any], nonce: str) -> str:
    """Name one run: its inputs and a nonce drawn at its start, since every started run counts."""
    return durable.sha256(durable.canonical([inputs, nonce]))[:32]


def run_record(**facts: object) -> dict[str, Any]:
    """Make a full run record: every column in order, null where nothing is known."""
    record = dict.fromkeys(RUN.names) | {"schema_version": RUN_SCHEMA} | facts
    check_run(record, "run")
    return record


def check_run(record: Mapping[str, Any], where: str) -> None:
    """Check names, types and words of a run record."""
    if record.get("schema_version") != RUN_SCHEMA:
        raise UserError(
            f"{where}: schema_version is {record.get('schema_version')!r}, this version reads {RUN_SCHEMA!r}"
        )
    for name, value in record.items():
        if name not in RUN.names:
            raise UserError(f"{where}: unknown key {name!r}; {nearest(name, RUN.names)}")
        if value is not None:
            _check_type(value, RUN.field(name).type, f"{where}: {name}")
    for name in ("run_id", "status", "provenance"):
        if not record.get(name):
            raise UserError(f"{where}: {name!r} is missing")
    for name, words in (("status", STATUSES), ("provenance", PROVENANCES)):
        if record[name] not in words:
            raise UserError(f"{where}: {name} = {record[name]!r}; {nearest(record[name], list(words))}")


def runs_table(records: list[dict[str, Any]]) -> pa.Table:
    """Put run records into one table."""
    return pa.Table.from_pylist([_with_times(record) for record in records], RUN)


def write(bundle: Bundle, folder: Path) -> None:
    """Write a bundle; `run.json` comes last, so a folder without one is a run that never ended."""
    record = dict(bundle.run)
    for name, table in bundle.tables.items():
        data = _encoded(table, name)
        durable.write_bytes(folder / f"{name}.parquet", data)
        if f"{name}_sha256" in RUN.names and name != "lists":  # lists_sha256 hashes the rows, not the file
            record[f"{name}_sha256"] = durable.sha256(data)
    if record["status"] == "ok" and set(bundle.tables) != set(TABLES):
        raise UserError(f"{folder}: a run that ended well needs the tables {', '.join(TABLES)}")
    check_run(record, str(folder / "run.json"))
    durable.write_json(folder / "run.json", record)


def read(folder: Path) -> Bundle:
    """Read a bundle and check it: schemas, hashes, and that the tables belong to the run."""
    record = durable.read_json(folder / "run.json")
    check_run(record, str(folder / "run.json"))
    present = [name for name in TABLES if record["status"] == "ok" or (folder / f"{name}.parquet").exists()]
    return Bundle(record, {name: _read_table(folder / f"{name}.parquet", name, record) for name in present})


def _read_table(path: Path, name: str, record: Mapping[str, Any]) -> pa.Table:
    schema_id, schema = TABLES[name]
    data = durable.read_bytes(path)
    expected = record.get(f"{name}_sha256") if name != "lists" else None
    if expected and durable.sha256(data) != expected:
        raise UserError(f"{path}: is not the file that run.json was written for")
    try:
        table = pq.read_table(io.BytesIO(data), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a Parquet file: {str(error).splitlines()[0]}") from None
    found = (table.schema.metadata or {}).get(b"luxreid.schema", b"").decode()
    if found != schema_id or table.schema.remove_metadata() != schema:
        raise UserError(f"{path}: is {found or 'of no named schema'}, this version reads {schema_id} with its columns")
    if "run_id" in table.column_names and set(table["run_id"].to_pylist()) - {record["run_id"]}:
        raise UserError(f"{path}: holds rows of another run than {record['run_id']}")
    return table


def _encoded(table: pa.Table, name: str) -> bytes:
    """Encode a table: small (dictionaries for words, split bytes for floats, deltas for ranks) and checksummed."""
    schema_id, schema = TABLES[name]
    table = table.cast(schema).replace_schema_metadata({"luxreid.schema": schema_id})
    floats = [field.name for field in schema if pa.types.is_floating(field.type)]
    lists = [field.name for field in schema if pa.types.is_list(field.type)]
    buffer = io.BytesIO()
    pq.write_table(
        table,
        buffer,
        compression="zstd",
        compression_level=9,
        use_dictionary=[field.name for field in schema if field.name not in (*floats, *lists)],
        use_byte_stream_split=floats,
        column_encoding={f"{name}.list.element": "DELTA_BINARY_PACKED" for name in lists} or None,
        write_page_checksum=True,
    )
    return buffer.getvalue()


def _check_type(value: object, kind: pa.DataType, where: str) -> None:
    python: tuple[type, ...]
    if pa.types.is_boolean(kind):
        python = (bool,)
    elif pa.types.is_integer(kind):
        python = (int,)
    elif pa.types.is_floating(kind):
        python = (int, float)
    elif pa.types.is_list(kind):
        python = (list,)
    else:
        python = (str,)  # a time is a text in JSON
    if not isinstance(value, python) or (isinstance(value, bool) and python != (bool,)):
        raise UserError(f"{where} = {value!r}, must be of type {kind}")
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        raise UserError(f"{where} = {value!r}, must be finite")
    if pa.types.is_timestamp(kind):
        _parse_time(str(value), where)
    if isinstance(value, list):
        _check_list(value, kind, where)


def _check_list(value: list[Any], kind: pa.DataType, where: str) -> None:
    try:
        pa.array([value], kind)
    except (pa.ArrowException, TypeError, ValueError):
        raise UserError(f"{where} = {json.dumps(value)[:80]}, must be of type {kind}") from None


def _with_times(record: dict[str, Any]) -> dict[str, Any]:
    times = [field.name for field in RUN if pa.types.is_timestamp(field.type)]
    return record | {name: _parse_time(record[name], name) for name in times if record.get(name)}


def _parse_time(text: str, where: str) -> datetime.datetime:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.datetime.min
    if moment.tzinfo is None:
        raise UserError(f"{where} = {text!r}, must be a time in ISO 8601 with its zone")
    return moment
