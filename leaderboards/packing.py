"""`board submit`: features or rank lists become a submission; of what a manifest asks for, nothing may be missing."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmark import durable, features, foreign, lists, manifest, protocol, resolve
from benchmark import vector_files as vectors
from benchmark.errors import UserError
from benchmark.features import Features
from benchmark.manifest import Manifest
from leaderboards import handed, hiding, ranklists
from leaderboards.facts import Facts
from leaderboards.handed import Side


class _Task(NamedTuple):
    """For what a submission is packed, as far as that is known."""

    made_for: dict[str, str | None]
    images: Manifest | None = None
    sides: Sequence[Side] = ()  # the queries and the gallery of every trial


def pack(source: Path, out: Path, facts: Facts, data: Path | None = None, plan: str | None = None) -> Path:
    """Write a submission; with a manifest, every query and gallery image of the protocol must be in it."""
    _require_free(out)
    task = _task(data, plan)
    ranked = ranklists.looks_like(source)
    files = _packed_ranks(source, facts, task) if ranked else _packed_features(source, facts, task)
    record = {
        "schema": handed.SCHEMA,
        "kind": "ranks" if ranked else "features",
        "facts": facts.model_dump(mode="json"),
        "made_for": task.made_for,
        "files": {name: {"sha256": durable.sha256(data), "size": len(data)} for name, data in files.items()},
    }
    (out / handed.NAME).unlink(missing_ok=True)  # it vouches for nothing that comes now
    for name, content in files.items():
        durable.write_bytes(out / name, content)
    durable.write_json(out / handed.NAME, record)
    return out


def _require_free(out: Path) -> None:
    known = {handed.NAME, *(name for names in handed.FILES.values() for name in names)}
    if out.is_file() or (out.is_dir() and any(path.name not in known for path in out.iterdir())):
        raise UserError(f"{out}: is there and holds something else; name a new or empty folder")


def _task(data: Path | None, plan: str | None) -> _Task:
    """Find out which images must be there. Where labels are hidden, whoever hid them marked queries and gallery."""
    rules = protocol.load(plan) if plan else None
    made_for = dict.fromkeys(handed.MADE_FOR) | (
        {"protocol_id": rules.name, "protocol_sha256": rules.sha256} if rules else {}
    )
    if data is None:
        return _Task(made_for)
    images = manifest.read(data)
    made_for |= {"labels_sha256": images.labels_sha256, "data_sha256": images.data_sha256}
    if hiding.is_hidden(images):
        return _Task(made_for, images, [hiding.roles(images)])
    if rules is None:
        raise UserError(f"{data}: name the protocol, too: it says which of the images are asked for and searched")
    trials = [resolve.resolve(images, rules, trial, trains=False) for trial in range(rules.trials.count)]
    made_for["lists_sha256"] = lists.hash_table(lists.joined(trials))
    return _Task(made_for, images, [(one.query, one.gallery) for one in trials])


def _union(images: Manifest, sides: Sequence[Side]) -> Manifest:
    wanted = pa.concat_tables([part.table.select(["image_id"]) for side in sides for part in side])["image_id"]
    return images.select(pc.is_in(images.table["image_id"], wanted.combine_chunks()).to_numpy())


def _packed_features(source: Path, facts: Facts, task: _Task) -> dict[str, bytes]:
    if facts.depth is not None:
        raise UserError(f"{source}: holds vectors; depth says how long rank lists are, leave it out")
    if facts.rerank != "none":
        raise UserError(f"{source}: rerank = {facts.rerank!r}: vectors are ranked as they are; hand in rank lists")
    given, own = _vectors(source, task)
    for name in ("method", "seed"):
        if given.facts.get(name) not in (None, getattr(facts, name)):
            raise UserError(f"{source}: says that its {name} is {given.facts[name]!r}, not {getattr(facts, name)!r}")
    rows, place = own, np.arange(len(own))
    if task.images is not None:
        wanted = _union(task.images, task.sides)
        rows, place = wanted.table.select(features.ROWS.names), handed.places(own, wanted, str(source))
    numbers = given.vectors[place if given.rows is None else given.rows[place]]
    with np.errstate(over="ignore"):  # what no float holds becomes infinite, and is refused
        numbers = np.ascontiguousarray(numbers, np.float32)
    _require_usable(numbers, rows, facts, source)
    return _feature_files(numbers, rows, facts)


def _vectors(source: Path, task: _Task) -> tuple[Features, pa.Table]:
    """Read vectors, and of each row the image_id and, where it is known, the hash of the picture."""
    if source.is_dir():
        return features.read(source), handed.rows(source)
    if task.images is not None:
        given = foreign.load(source, None, False, task.images)
        rows = pa.table({"image_id": given.image_ids, "sha256": pa.nulls(len(given.image_ids), pa.string())})
        return given, rows
    numbers, names = vectors.read(source)
    if names is None:
        raise UserError(
            f"{source}: does not say whose its rows are; give the manifest with --data, or name them inside"
        )
    features.require_once(names, str(source))
    rows = pa.table({"image_id": names, "sha256": pa.nulls(len(names), pa.string())})
    return Features(names, numbers, {}), rows


def _require_usable(numbers: NDArray[np.float32], rows: pa.Table, facts: Facts, source: Path) -> None:
    bad = np.asarray(~np.isfinite(numbers).all(axis=1))
    if facts.metric == "cosine":
        bad |= ~numbers.any(axis=1)
    if bad.any():
        first = rows["image_id"][int(np.argmax(bad))].as_py()
        what = "are not finite" + " or have no length" * (facts.metric == "cosine")
        raise UserError(f"{source}: {int(bad.sum()):,} of {len(bad):,} rows {what}, the first is {first!r}")


def _feature_files(numbers: NDArray[np.float32], rows: pa.Table, facts: Facts) -> dict[str, bytes]:
    buffer = io.BytesIO()
    np.save(buffer, numbers, allow_pickle=False)
    made = {"features.npy": buffer.getvalue(), "rows.parquet": _encoded(rows)}
    hashes = {f"{name.split('.')[0]}_sha256": durable.sha256(data) for name, data in made.items()}
    sizes = {"rows": len(numbers), "dimensions": numbers.shape[1]}
    known = {"method": facts.method, "seed": facts.seed, "config": facts.config}
    record = {"schema": features.SCHEMA, **sizes, **hashes, "facts": known}
    return made | {"features.json": (durable.canonical(record) + "\n").encode()}


def _packed_ranks(source: Path, facts: Facts, task: _Task) -> dict[str, bytes]:
    given = ranklists.load(source)
    hashes: list[str | None] = [None] * len(given.names)
    if task.images is not None:
        own = pc.index_in(pa.array(given.names, pa.string()), value_set=task.images.table["image_id"].combine_chunks())
        hashes = task.images.table["sha256"].take(own).to_pylist()
    rows = pa.table({"image_id": given.names, "sha256": hashes}, schema=features.ROWS)
    if task.images is not None:
        handed.sides(rows, given, task.sides, facts.depth, source)
    for trial in np.unique(given.trial) if task.images is None else ():
        mine = given.trial == trial
        query, gallery = given.query[mine], given.items[np.repeat(mine, given.lengths)]
        ranklists.require(given, int(trial), query.astype(np.int64), gallery.astype(np.int64), facts.depth, source)
    return {"ranks.parquet": ranklists.encoded(given), "rows.parquet": _encoded(rows)}


def _encoded(rows: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(rows.cast(features.ROWS).replace_schema_metadata(None), buffer, compression="zstd")
    return buffer.getvalue()
