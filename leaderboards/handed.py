"""`submission/1` on disk: what was handed in, and which of our images its rows are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmark import config, durable, features
from benchmark.errors import UserError, nearest
from benchmark.manifest import Manifest
from leaderboards import ranklists
from leaderboards.facts import Facts
from leaderboards.ranklists import RankLists

SCHEMA = "submission/1"
NAME = "submission.json"
FILES = {
    "features": ("features.npy", "rows.parquet", "features.json"),
    "ranks": ("ranks.parquet", "rows.parquet"),
}
MADE_FOR = ("protocol_id", "protocol_sha256", "labels_sha256", "data_sha256", "lists_sha256")

Ints = NDArray[np.int64]
Side = tuple[Manifest, Manifest]


@dataclass(frozen=True, eq=False)
class Submission:
    """What was handed in."""

    folder: Path
    kind: str
    facts: Facts
    made_for: Mapping[str, str | None]
    rows: pa.Table  # image_id, and sha256 where whoever packed it knew
    sha256: str  # of submission.json, which holds the hashes of all else


def read(folder: Path) -> Submission:
    """Read a submission and check it: anybody may have written it."""
    path = folder / NAME
    record = durable.read_json(path)
    if record.get("schema") != SCHEMA:
        raise UserError(f"{path}: schema is {record.get('schema')!r}, this version reads {SCHEMA!r}")
    if record.get("kind") not in FILES:
        raise UserError(f"{path}: kind = {record.get('kind')!r}; {nearest(str(record.get('kind')), list(FILES))}")
    for name in ("facts", "made_for", "files"):
        if not isinstance(record.get(name), dict):
            raise UserError(f"{path}: {name} is {record.get(name)!r}, must be an object")
    facts = config.check(Facts, record["facts"], f"{path}: facts")
    for name in FILES[record["kind"]]:
        said = record["files"].get(name)
        if not isinstance(said, dict) or features.hash_file(folder / name) != said.get("sha256"):
            raise UserError(f"{folder / name}: is not the file that {NAME} was written for")
    made_for = {name: record["made_for"].get(name) for name in MADE_FOR}
    sha256 = durable.sha256(durable.read_bytes(path))
    return Submission(folder, record["kind"], facts, made_for, rows(folder), sha256)


def rows(folder: Path) -> pa.Table:
    """Read which image every row of a submission is."""
    path = folder / "rows.parquet"
    try:
        table = pq.read_table(path, schema=features.ROWS).combine_chunks()
        table.validate(full=True)
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or str(error).splitlines()[0]}") from None
    except (pa.ArrowException, KeyError) as error:
        raise UserError(f"{path}: is no table of image_id and sha256: {str(error).splitlines()[0]}") from None
    if table["image_id"].null_count:
        raise UserError(f"{path}: {table['image_id'].null_count:,} rows have no image_id")
    features.require_once(table["image_id"].to_pylist(), str(path))
    return table


def places(known: pa.Table, part: Manifest, where: str, *, whole: bool = True) -> Ints:
    """Find every image of a part among the rows of a submission: by its image_id, or else by its hash.

    A row of its name but of another picture is refused; where names are hidden, the hash is what both know. What is
    not there is refused too, or -1 where a part need not be `whole`.
    """
    wanted, known = part.table, known.combine_chunks()
    named = pc.index_in(wanted["image_id"], value_set=known["image_id"].combine_chunks())
    theirs = known["sha256"].take(named)
    other = pc.fill_null(pc.not_equal(theirs, wanted["sha256"]), False)
    if pc.any(other).as_py():
        first = wanted["image_id"].filter(other)[0].as_py()
        number = pc.sum(other).as_py()
        raise UserError(f"{where}: {number:,} of {len(part):,} images are other pictures than ours, such as {first!r}")
    hashed = known["sha256"].combine_chunks()
    equal = pc.index_in(wanted["sha256"], value_set=hashed.drop_null())
    rest = pa.array(np.flatnonzero(hashed.is_valid().to_numpy(zero_copy_only=False)), pa.int64())
    found = pc.coalesce(named.cast(pa.int64()), rest.take(equal))
    if found.null_count and whole:
        first = wanted["image_id"].filter(pc.is_null(found))[0].as_py()
        raise UserError(f"{where}: {found.null_count:,} of {len(part):,} images are missing, such as {first!r}")
    return np.asarray(pc.fill_null(found, ranklists.NOWHERE).to_numpy(), dtype=np.int64)


def sides(
    known: pa.Table, given: RankLists, trials: Sequence[Side], depth: int | None, where: Path
) -> list[tuple[Ints, Ints]]:
    """Find queries and gallery of every trial among the rows, and refuse lists that are not theirs."""
    whole, name = depth is None, str(where)  # of lists that end early, none may name some image
    made = [(places(known, query, name), places(known, gallery, name, whole=whole)) for query, gallery in trials]
    if (given.trial == ranklists.ALL).all():  # a list serves all trials, so it names what any of them searches
        query, gallery = (np.concatenate(parts) for parts in zip(*made, strict=True))
        ranklists.require(given, ranklists.ALL, query, gallery, depth, where)
        return made
    if strange := set(given.trial.tolist()) - set(range(len(trials))):
        raise UserError(f"{where}: holds lists of trial {min(strange)}; trials here count from 0 to {len(trials) - 1}")
    for trial, (query, gallery) in enumerate(made):
        ranklists.require(given, trial, query, gallery, depth, where)
    return made
