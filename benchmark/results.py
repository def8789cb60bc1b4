"""Bundles: the folder in which one run, good or failed, leaves everything that a leaderboard needs."""

import contextlib
import datetime
import io
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark import durable
from benchmark.errors import UserError, nearest
from benchmark.lists import hash_table
from benchmark.schemas import PROVENANCES, REQUIRED, RUN, RUN_SCHEMA, SCORES, STATUSES, TABLES

# Files beside the tables that the run record vouches for.
FILES = {"model.safetensors": "ckpt_sha256", "log.jsonl": "log_sha256"}


@dataclass(frozen=True, eq=False)
class Bundle:
    """One run's record and tables; a failed run has a record only."""

    run: dict[str, Any]
    tables: Mapping[str, pa.Table] = field(default_factory=dict)  # lists, queries, strata


def run_inputs(
    *,
    method: str,
    config: Mapping[str, Any],
    seed: int | None,
    train_sets: Sequence[Mapping[str, str | None]],
    lists_sha256: str,
    protocol_sha256: str,
) -> dict[str, Any]:
    """Put together what shapes a run; `run_id` and `config_id` hash this."""
    return {
        "method": method,
        "config": dict(config),
        "seed": seed,
        "train": [[one.get(name) for name in ("labels_sha256", "data_sha256", "split")] for one in train_sets],
        "lists_sha256": lists_sha256,
        "protocol_sha256": protocol_sha256,
    }


def config_id(inputs: Mapping[str, Any]) -> str:
    """Name a configuration: the inputs without the seed, so that it groups the seeds."""
    return _hash({name: value for name, value in inputs.items() if name != "seed"})


def run_id(inputs: Mapping[str, Any], nonce: str) -> str:
    """Name one run: its inputs and a nonce drawn at its start, since every started run counts."""
    return _hash([inputs, nonce])[:32]


def nonce() -> str:
    """Draw what no other run has: the time in UTC, and chance for two runs of one moment."""
    return f"{datetime.datetime.now(datetime.UTC).isoformat()} {secrets.token_hex(16)}"


def run_record(**facts: object) -> dict[str, Any]:
    """Make a full run record: every column in order, null where nothing is known."""
    record = dict.fromkeys(RUN.names) | {"schema_version": RUN_SCHEMA} | facts
    check_run(record, "run")
    return record


def check_run(record: Mapping[str, Any], where: str) -> None:
    """Check names, types, ranges and words of a record that is to be written."""
    for name in record:
        if name not in RUN.names:
            raise UserError(f"{where}: unknown key {name!r}; {nearest(name, RUN.names)}")
    _check_known(record, where)


def runs_table(records: list[dict[str, Any]]) -> pa.Table:
    """Put run records into one table of the known columns."""
    return pa.Table.from_pylist([with_times(record) for record in records], RUN)


def write(bundle: Bundle, folder: Path, files: Mapping[str, bytes] | None = None) -> None:
    """Write a bundle and files beside it; `run.json` comes last: a folder without one is a run that never ended."""
    files = files or {}
    if bundle.run.get("status") == "ok" and set(bundle.tables) != set(TABLES):
        raise UserError(f"{folder}: a run that ended well needs the tables {', '.join(TABLES)}")
    tables = {name: _for_writing(table, name, folder) for name, table in bundle.tables.items()}
    data = {f"{name}.parquet": encoded(table) for name, table in tables.items()}
    for name in files:
        if name in ("", "..", "run.json", *data) or Path(name).name != name:
            raise UserError(f"{folder}: {name!r} cannot be the name of a further file of a bundle")
    record = bundle.run | _hashes({**data, **files})
    if "lists" in tables:
        record["lists_sha256"] = hash_table(tables["lists"])
        if bundle.run.get("lists_sha256") not in (None, record["lists_sha256"]):
            raise UserError(f"{folder}/lists.parquet: its rows are not those that lists_sha256 of the run names")
    check_run(record, str(folder / "run.json"))
    _clear(folder, data)
    for name, content in {**files, **data}.items():
        durable.write_bytes(folder / name, content)
    durable.write_json(folder / "run.json", record)


def _clear(folder: Path, data: Mapping[str, bytes]) -> None:
    """Take away what an earlier run left: its record vouches for nothing that comes now, its tables belong to none."""
    for name in ("run.json", *(f"{table}.parquet" for table in TABLES)):
        if name not in data:
            with contextlib.suppress(OSError):  # what cannot be removed cannot be replaced either, which is said
                (folder / name).unlink()


def read(folder: Path) -> Bundle:
    """Read a bundle and check it: schemas, hashes, and that the tables belong to the run."""
    found = durable.read_json(folder / "run.json")
    _check_known(found, str(folder / "run.json"))
    record = dict.fromkeys(RUN.names) | found
    for name, column in FILES.items():
        if record[column] and (folder / name).exists():
            _check_hash(folder / name, durable.read_bytes(folder / name), record[column])
    present = [name for name in TABLES if record["status"] == "ok" or (folder / f"{name}.parquet").exists()]
    return Bundle(record, {name: _read_table(folder / f"{name}.parquet", name, record) for name in present})


def encoded(table: pa.Table) -> bytes:
    """Encode a table: small (dictionaries for words, split bytes for floats, deltas for ranks) and checksummed."""
    kinds = {column.name: column.type for column in table.schema}
    lists = {name: kind.value_type for name, kind in kinds.items() if pa.types.is_list(kind)}
    floats = [name for name, kind in kinds.items() if pa.types.is_floating(kind)]
    float_lists = [f"{name}.list.element" for name, kind in lists.items() if pa.types.is_floating(kind)]
    whole_lists = [f"{name}.list.element" for name, kind in lists.items() if pa.types.is_integer(kind)]
    buffer = io.BytesIO()
    pq.write_table(
        table,
        buffer,
        compression="zstd",
        compression_level=9,
        use_dictionary=[name for name in kinds if name not in floats and name not in lists],
        use_byte_stream_split=floats + float_lists,
        column_encoding=dict.fromkeys(whole_lists, "DELTA_BINARY_PACKED") or None,
        write_page_checksum=True,
    )
    return buffer.getvalue()


def _hash(inputs: object) -> str:
    return durable.sha256(durable.canonical(_texts(inputs)))


def _texts(value: object) -> object:
    """Turn floats into text: languages print a float in different ways, a text in one."""
    # A config read by its model has a fixed type for every knob, so 1.0 ("1.0") and 1 need not hash alike.
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UserError(f"config: {value!r} is not finite")
        return repr(float(value))
    if isinstance(value, Mapping):
        return {name: _texts(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_texts(item) for item in value]
    return value


def _hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    """Give the columns of a run record that hash files; `lists_sha256` hashes rows and is not among them."""
    columns = FILES | {f"{name}.parquet": f"{name}_sha256" for name in TABLES if name != "lists"}
    return {columns[name]: durable.sha256(data) for name, data in files.items() if name in columns}


def _check_hash(path: Path, data: bytes, expected: str) -> None:
    if durable.sha256(data) != expected:
        raise UserError(f"{path}: is not the file that run.json was written for")


def _read_table(path: Path, name: str, record: Mapping[str, Any]) -> pa.Table:
    schema_id, _ = TABLES[name]
    data = durable.read_bytes(path)
    expected = record.get(f"{name}_sha256")
    if expected and name != "lists":
        _check_hash(path, data, expected)
    try:
        table = pq.read_table(io.BytesIO(data), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: cannot be read as a Parquet table: {str(error).splitlines()[0]}") from None
    found = (table.schema.metadata or {}).get(b"luxreid.schema", b"").decode(errors="replace")
    if found != schema_id:
        raise UserError(f"{path}: is {found or 'of no named schema'}, this version reads {schema_id}")
    table = _completed(table, name, str(path))
    if "run_id" in table.column_names and set(table["run_id"].to_pylist()) - {record["run_id"]}:
        raise UserError(f"{path}: holds rows of another run than {record['run_id']}")
    if expected and name == "lists" and hash_table(table) != expected:
        raise UserError(f"{path}: its rows are not those that lists_sha256 in run.json names")
    return table


def _completed(table: pa.Table, name: str, where: str) -> pa.Table:
    """Check a table's known columns, fill the absent ones with null, and keep unknown ones at the end."""
    _, schema = TABLES[name]
    if len(set(table.column_names)) < len(table.column_names):
        raise UserError(f"{where}: two columns have one name")
    for key in REQUIRED[name]:
        if key not in table.column_names:
            raise UserError(f"{where}: has no column {key!r}; needed: {', '.join(REQUIRED[name])}")
        if table[key].null_count:
            raise UserError(f"{where}: column {key!r} holds {table[key].null_count} nulls, which it may not")
    for column in schema:
        if column.name not in table.column_names:
            table = table.append_column(column, pa.nulls(len(table), column.type))
        elif table[column.name].type != column.type:
            raise UserError(f"{where}: column {column.name!r} is {table[column.name].type}, must be {column.type}")
    return table.select([*schema.names, *(extra for extra in table.column_names if extra not in schema.names)])


def _for_writing(table: pa.Table, name: str, folder: Path) -> pa.Table:
    """Bring a table into its schema; what the schema does not know is refused."""
    where, (schema_id, schema) = f"{folder}/{name}.parquet", TABLES.get(name, ("", pa.schema([])))
    if not schema_id:
        raise UserError(f"{folder}: unknown table {name!r}; {nearest(name, list(TABLES))}")
    further = [column for column in table.column_names if column not in schema.names]
    if further and name != "lists":  # lists keep what somebody cut by
        raise UserError(f"{where}: unknown column {further[0]!r}; {nearest(further[0], schema.names)}")
    try:
        wanted = [
            table.schema.field(column) if column in further else schema.field(column) for column in table.column_names
        ]
        table = table.cast(pa.schema(wanted))
    except pa.ArrowException as error:
        raise UserError(f"{where}: does not fit {schema_id}: {str(error).splitlines()[0]}") from None
    return _completed(table, name, where).replace_schema_metadata({"luxreid.schema": schema_id})


def _check_known(record: Mapping[str, Any], where: str) -> None:
    """Check the known keys of a record; a newer one of the same major version may hold others."""
    if record.get("schema_version") != RUN_SCHEMA:
        raise UserError(
            f"{where}: schema_version is {record.get('schema_version')!r}, this version reads {RUN_SCHEMA!r}"
        )
    for name in RUN.names:
        if record.get(name) is not None:
            _check_value(record[name], RUN.field(name).type, f"{where}: {name}")
    for name in REQUIRED["run"]:
        if not record.get(name):
            raise UserError(f"{where}: {name!r} is missing")
    for name, words in (("status", STATUSES), ("provenance", PROVENANCES)):
        if record[name] not in words:
            raise UserError(f"{where}: {name} = {record[name]!r}; {nearest(record[name], list(words))}")
    for name in SCORES:
        if record.get(name) is not None and not 0 <= record[name] <= 1:
            raise UserError(f"{where}: {name} = {record[name]!r}, must lie between 0 and 1")


def _check_value(value: object, kind: pa.DataType, where: str) -> None:
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
        raise UserError(f"{where} = {_short(value)}, must be of type {kind}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{where} = {value!r}, must be finite")
    _check_fit(_parse_time(str(value), where) if pa.types.is_timestamp(kind) else value, kind, where)


def _check_fit(value: object, kind: pa.DataType, where: str) -> None:
    """Let the column itself say whether it can hold a value: a number out of its range, a list of other things."""
    try:
        held = pa.array([value], kind).to_pylist()[0]
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        raise UserError(f"{where} = {_short(value)}, must be of type {kind}") from None
    if isinstance(held, float) and not math.isfinite(held):
        raise UserError(f"{where} = {_short(value)}, must be of type {kind}")


def _short(value: object) -> str:
    # ascii: half of a surrogate pair, which JSON can hold, cannot be printed.
    text = ascii(value) if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else text[:79] + "…"


def with_times(record: dict[str, Any]) -> dict[str, Any]:
    """Give a record with its times as moments, as a table holds them."""
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
