"""`board add`: a bundle becomes files of the store and a row; what does not add up is refused at the door."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark import durable, results
from benchmark.errors import UserError, nearest
from benchmark.results import Bundle
from leaderboards import history, recount, store
from leaderboards.store import Board, Row

ACCEPTED = ("ran_here", "rescored")
DIVISIONS = ("closed", "open")
KEPT = ("config.json", "log.jsonl", "training.json")  # beside the tables; the weights only on request

# What the levels of a cut are read from.
_MEASURES = ("modality", "lightness", "stops", "size", "exposure", "scene")


@dataclass(frozen=True)
class Said:
    """What whoever adds a run says of it, beside what its record holds."""

    facts: Mapping[str, Any] = field(default_factory=dict)  # columns of run/1 and of the board
    weights: bool = False  # keep the weights, too


def add(board: Board, folder: Path, said: Said | None = None) -> Row:
    """Put a bundle on the board and give its row; adding it again changes nothing."""
    said, bundle = said or Said(), results.read(folder)
    if bundle.run["provenance"] not in ACCEPTED:
        raise UserError(
            f"{folder}: its provenance is {bundle.run['provenance']!r}; a bundle's is {' or '.join(ACCEPTED)}, and "
            "what was run again is marked so by `luxreid board check --verify`"
        )
    if bundle.run["status"] == "ok" and (problem := next(recount.problems(bundle), None)):
        raise UserError(f"{folder}: {problem}; evaluate it again")
    return admit(board, bundle, folder, said, _kept(folder, said))


def admit(board: Board, bundle: Bundle, where: Path, said: Said, files: Mapping[str, bytes]) -> Row:
    """Publish a bundle that was looked at: tables, files, and last its row."""
    row = _row(bundle, where, said.facts)
    tables = {kind: store.encoded(kind, table) for kind, table in bundle.tables.items()}
    if "lists" in tables:
        row |= _measured(board, bundle.tables["lists"], row, where)
    row |= {store.HASHES[kind]: durable.sha256(data) for kind, data in tables.items()}
    row["files"] = [_file(name, data) for name, data in files.items()] or None
    if (known := _known(board, row, tables, where)) is not None:
        return known
    for kind, data in tables.items():
        store.publish(board, kind, data, store.files(row)[kind][: -store.DIGITS])
    for data in files.values():
        store.publish_blob(board, data)
    store.publish_run(board, row)
    return row


def measures(lists: pa.Table) -> str:
    """Hash what the levels are read from, whatever the order of the rows."""
    lists = lists.sort_by([("trial", "ascending"), ("role", "ascending"), ("image_id", "ascending")])
    parts = [durable.sha256(_bytes(lists[name])) for name in ("role", "image_id", *_MEASURES)]
    return durable.sha256(durable.canonical(parts))


def _kept(folder: Path, said: Said) -> dict[str, bytes]:
    wanted = [*KEPT, *(["model.safetensors"] if said.weights else [])]
    return {name: durable.read_bytes(folder / name) for name in wanted if (folder / name).exists()}


def _file(name: str, data: bytes) -> dict[str, Any]:
    return {"name": name, "sha256": durable.sha256(data), "size": len(data)}


def _row(bundle: Bundle, where: Path, facts: Mapping[str, Any]) -> Row:
    """Complete the record by what was said; nothing that was said overrules it."""
    row = results.with_times(dict(bundle.run))
    for name, value in facts.items():
        if row.get(name) not in (None, value):
            raise UserError(f"{where}: its record says {name} = {row[name]!r}, not {value!r}")
        row[name] = value
    if row.get("division") not in (None, *DIVISIONS):
        raise UserError(f"{where}: division = {row['division']!r}; {nearest(str(row['division']), list(DIVISIONS))}")
    return row


def _measured(board: Board, lists: pa.Table, row: Row, where: Path) -> Row:
    """Hash the measures, and refuse those that another reading of the same lists on the board contradicts."""
    own, prefix = measures(lists), f"{row['lists_sha256'][:16]}-"
    for name in store.names(board, "lists"):
        if name.startswith(prefix) and measures(store.read(board, "lists", name)) != own:
            raise UserError(
                f"{where}: its lists are on the board as {name}, measured otherwise, so its levels are others; "
                "evaluate it again with the manifest that the others were evaluated with"
            )
    return {"measures_sha256": own}


def _known(board: Board, row: Row, tables: Mapping[str, bytes], where: Path) -> Row | None:
    """Find this very run on the board, however it is encoded; one that says something else is refused."""
    known = store.rows_of(board, row["run_id"])
    differing = [(other, sorted(_differing(other, row))) for other in known]
    if not all(names for _, names in differing):
        return row
    for other, names in differing:
        if set(names) <= set(store.HASHES.values()) and store.same_tables(board, other, tables):
            return row | {name: other[name] for name in store.HASHES.values()}
    # A run that was killed may go on; one that ended well is what it is.
    for other, names in ((other, names) for other, names in differing if other["status"] in (row["status"], "ok")):
        name = names[0]
        raise UserError(
            f"{where}: run {row['run_id'][:8]} is on the board with {name} = {other[name]!r}, here it is "
            f"{row.get(name)!r}; what is on a board is not rewritten: `luxreid board mark` adds to it"
        )
    return None


def _differing(one: Row, other: Row) -> Iterator[str]:
    """Name the columns in which two rows differ, as the store would keep them."""
    schema = history.kind("runs").schema
    kept = pa.Table.from_pylist([other], schema).to_pylist()[0]
    return (name for name in schema.names if one[name] != kept[name])


def _bytes(column: pa.ChunkedArray) -> bytes:
    if pa.types.is_floating(column.type):
        numbers = column.to_numpy().astype(np.float32)
        return np.where(np.isnan(numbers), np.float32("nan"), numbers).tobytes()
    return "\n".join(pc.fill_null(column.cast(pa.string()), "\0").to_pylist()).encode()
