"""The tables of a night: its manifest, the plan of every picture with what became of it, and what was set aside."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmark import durable, manifest, strata
from benchmark.columns import KNOWN, MEASURED
from benchmark.errors import UserError
from benchmark.formats import market
from benchmark.manifest import Manifest
from benchmark.progress import track
from synthesis.night import chain
from synthesis.night.config import Night
from synthesis.night.order import Order, Pictures
from synthesis.night.work import Shard

SCHEMA = "night-plan/1"
MANIFEST, PLAN, ASIDE = "manifest.parquet", "plan.parquet", "set-aside.csv"
LIGHT, SIZE = "night600-light", "night600-scale"
# `mask` names a file below the parents' folder; `noise` was measured in the parent.
NOT_CARRIED = ("image_id", "source", "mask", "noise", *MEASURED)
_ROLES = {folder: role for role, folder in market.FOLDERS.items()}

KEYS = {
    "parent": "image_id of the picture that the night was made of",
    "parent_sha256": "hash of its file",
    "draw": "which of several nights of it, from 0",
    "step": "position on the ladder of exposures, from 0",
    "path": "the picture's file",
    "twin": "its second file, of equal bytes, where the row is query and gallery; null: none",
}
ACHIEVED = {
    **{f"made_{name}": f"{name} of the stored picture, as in the manifest" for name in MEASURED},
    "made_level": "the light level that the stored picture is at",
    "planned_level": "the light level that was asked for; null: none",
    "reached": "whether they are equal; null: none was asked for",
    "bytes": "length of the stored file",
    "pixels_sha256": "hash of the decoded picture: height, width and channels as 32-bit numbers, then its bytes",
    "noise_pool": "hash of the pool that noise was cut from; null: no pool",
}


@dataclass(frozen=True)
class Found:
    """All pictures that were made, in the order of their parents."""

    pictures: Pictures
    files: list[tuple[str, ...]]
    plan: dict[str, NDArray[Any]]
    solved: dict[str, NDArray[np.float32]]  # NaN where a stage found nothing
    measures: dict[str, list[Any]]
    bytes: list[int]
    pixels: list[str]
    aside: list[tuple[int, str]]  # parents and reasons

    @property
    def height(self) -> NDArray[np.int64]:
        """Give the height of every picture."""
        return np.array(self.measures["height"], np.int64)


def write(order: Order, shards: Sequence[Shard], out: Path) -> dict[str, Any]:
    """Write the tables, and say for the record what is in them."""
    found = gather(order, shards)
    made = described(order, found, out)
    plan = planned(order, found)
    manifest.write(made, out / MANIFEST)
    durable.write_atomically(out / PLAN, lambda file: _write_parquet(plan, file))
    _write_aside(order.parents, found.aside, out)
    said: dict[str, Any] = {"manifest_data_sha256": made.data_sha256, "manifest_labels_sha256": made.labels_sha256}
    said |= {"counts": counts(order, found, made, plan), "sizes_scheme": strata.scheme(SIZE).id}
    return said


def _write_parquet(table: pa.Table, file: Any) -> None:  # noqa: ANN401
    pq.write_table(table, file, compression="zstd", row_group_size=2**17, write_page_checksum=True)


def read(folder: Path) -> pa.Table:
    """Read the plan of a finished night."""
    try:
        return pq.read_table(folder / PLAN)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{folder / PLAN}: cannot read: {error}") from None


def columns(rows: pa.Table) -> dict[str, NDArray[Any]]:
    """Give rows of a plan as stages take them: what was drawn, and what was solved."""
    drawn = [name for name in rows.column_names if name not in {**KEYS, **ACHIEVED}]
    solved = rows.schema.metadata[b"solved"].decode().split()
    found = [name for name in drawn if name not in solved or not rows[name].null_count]
    return {name: rows[name].to_numpy() for name in found}  # null is NaN again


def gather(order: Order, shards: Sequence[Shard]) -> Found:
    """Put together what the shards found."""
    parts, records = [], []
    for shard in track(shards, "tables"):
        record = durable.read_json(shard.record)
        made = shard.pictures[np.array(record["rows"], np.int64)]
        parts.append((Pictures(shard.rows[made.parent], made.draw, made.step), shard, record))
        records.append(record)
    aside = [(int(shard.rows[int(key)]), why) for _, shard, record in parts for key, why in record["aside"].items()]
    pictures = Pictures(*(np.concatenate([getattr(part, name) for part, _, _ in parts]) for name in _NUMBERS))
    if not len(pictures):
        raise UserError(f"synth night: all {len(aside)} pictures were set aside, such as the first: {aside[0][1]}")
    rank = np.lexsort((pictures.step, pictures.draw, pictures.parent))
    files = [shard.files[row] for _, shard, record in parts for row in record["rows"]]
    plan = order.plan(pictures[rank]) if order.frames is None else _of_clips(parts, rank)
    return Found(
        pictures[rank],
        _taken(files, rank),
        plan,
        _solved(records, rank),
        {name: _taken([one for record in records for one in record["measures"][name]], rank) for name in MEASURED},
        _taken([one for record in records for one in record["bytes"]], rank),
        _taken([one for record in records for one in record["pixels"]], rank),
        sorted(aside),
    )


_NUMBERS = ("parent", "draw", "step")


def _taken(values: list[Any], rank: NDArray[np.intp]) -> list[Any]:
    return [values[place] for place in rank.tolist()]


def _of_clips(parts: Sequence[tuple[Pictures, Shard, dict[str, Any]]], rank: NDArray[np.intp]) -> dict[str, Any]:
    plans = [chain.rows(shard.plan or {}, record["rows"]) for _, shard, record in parts if record["rows"]]
    return {name: np.concatenate([plan[name] for plan in plans])[rank] for name in plans[0]}


def _solved(records: Sequence[Mapping[str, Any]], rank: NDArray[np.intp]) -> dict[str, NDArray[np.float32]]:
    names = dict.fromkeys(name for record in records for name in record["solved"])
    solved = {}
    for name in names:
        values = [record["solved"].get(name) or [None] * len(record["rows"]) for record in records]
        flat = np.array([np.nan if one is None else one for part in values for one in part], np.float32)
        solved[name] = flat[rank]
    return solved


def described(order: Order, found: Found, root: Path) -> Manifest:
    """Make the manifest: one row a file, what is known of the parent, and measures of what is stored."""
    files = [len(paths) for paths in found.files]
    rows = np.repeat(np.arange(len(files)), files)
    paths = [path for one in found.files for path in one]
    table = order.parents.table.take(pa.array(found.pictures.parent[rows]))
    said: dict[str, Any] = {name: table[name] for name in table.column_names if name not in NOT_CARRIED}
    roles = [_ROLES.get(path.partition("/")[0], "") for path in paths]
    said |= {"path": paths, "time": ["night"] * len(paths), "parent": table["image_id"]}
    said |= {role: [one == role for one in roles] for role in ("query", "gallery")}
    said |= {"scene": pc.coalesce(table["scene"], table["image_id"]), "exposure": _exposure(order, found, rows)}
    said |= {name: pa.array(found.measures[name], KNOWN[name].type).take(pa.array(rows)) for name in MEASURED}
    said |= {} if order.frames is not None else _boxes(table, said)
    said |= {"synth_recipe_sha256": [order.recipe_sha256] * len(paths)}
    return _by_source(said, table["source"], order, root)


def _exposure(order: Order, found: Found, rows: NDArray[np.intp]) -> pa.Array:
    """Give the step of a ladder, else by how much the night is darker than the day; null where nothing says it."""
    blank = np.full(len(found.files), np.nan, np.float32)
    values = found.plan["stops"] if len(order.steps) > 1 else found.solved.get("ev", blank)
    return pa.array(values[rows], pa.float32(), mask=~np.isfinite(values[rows]))


def _boxes(table: pa.Table, made: Mapping[str, Any]) -> dict[str, pa.Array]:
    """Scale a person's size with a picture that was reduced; there is then no frame that the box lies in."""
    ratios = {axis: pc.divide(made[side].cast("float64"), table[side].cast("float64")) for axis, side in _SIDES}
    reduced = pc.or_(*(pc.not_equal(ratio, 1.0) for ratio in ratios.values()))
    sizes = {axis: pc.multiply(table[axis].cast("float64"), ratio).cast("float32") for axis, ratio in ratios.items()}
    return sizes | {name: pc.if_else(reduced, pa.scalar(None, pa.float32()), table[name]) for name in ("x", "y")}


_SIDES = (("w", "width"), ("h", "height"))


def _by_source(said: Mapping[str, Any], sources: pa.ChunkedArray, order: Order, root: Path) -> Manifest:
    """Name the new source after the parents': each of several keeps its own."""
    frame = pa.table(
        {name: values if not isinstance(values, list) else pa.array(values) for name, values in said.items()}
    )
    made = []
    for source in sorted(pc.unique(sources).to_pylist()):
        rows = frame.filter(pc.equal(sources, source))
        made.append(manifest.build({name: rows[name] for name in rows.column_names}, order.source(source), root))
    return manifest.concat(made)


def planned(order: Order, found: Found) -> pa.Table:
    """Make the plan: a row a picture, what was drawn for it, what was solved, and what became of it."""
    parents = order.parents.table.take(pa.array(found.pictures.parent))
    said: dict[str, Any] = {"parent": parents["image_id"], "parent_sha256": parents["sha256"]}
    said |= {"draw": pa.array(found.pictures.draw, pa.int32()), "step": pa.array(found.pictures.step, pa.int32())}
    said |= {"path": [paths[0] for paths in found.files]}
    said |= {"twin": pa.array([paths[1] if len(paths) > 1 else None for paths in found.files], pa.string())}
    said |= {name: _array(values) for name, values in (*found.plan.items(), *found.solved.items())}
    said |= {f"made_{name}": pa.array(found.measures[name], KNOWN[name].type) for name in MEASURED}
    said |= _levels(order, found)
    said |= {"bytes": pa.array(found.bytes, pa.int32()), "pixels_sha256": found.pixels}
    pool = order.surveys.get("noise", {}).get("pool")
    said["noise_pool"] = pa.array([pool] * len(found.files), pa.string())
    table = pa.table(said)
    words = {**meanings(order.night), **KEYS, **ACHIEVED}
    fields = [field.with_metadata({"about": words.get(field.name, "")}) for field in table.schema]
    said = {"luxreid.schema": SCHEMA, "recipe_sha256": order.recipe_sha256, "solved": " ".join(found.solved)}
    return table.cast(pa.schema(fields, said))


def meanings(night: Night) -> dict[str, str]:
    """Gather what the stages say of their columns."""
    stages = night.modules.values()
    return {name: meaning for stage in stages for name, meaning in getattr(stage, "COLUMNS", {}).items()}


def _array(values: NDArray[Any]) -> pa.Array:
    """Give a column; what is not a number there is not known."""
    return pa.array(values, mask=np.isnan(values) if values.dtype.kind == "f" else None)


def _levels(order: Order, found: Found) -> dict[str, pa.Array]:
    """Say at which light level every picture is, and whether it was to be there."""
    names, at = achieved(order, np.array(found.measures["lightness"], np.float64))
    wanted = np.asarray(found.plan.get("level", np.full(len(at), -1)), np.int64)
    asked = wanted >= 0
    return {
        "made_level": pa.array(np.array(names)[at]),
        "planned_level": pa.array(np.array(names)[np.where(asked, wanted, 0)], mask=~asked),
        "reached": pa.array(wanted == at, mask=~asked),
    }


def achieved(order: Order, lightness: NDArray[np.float64]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Give the night's own light levels, else those of the benchmark, and at which one every picture is."""
    exposure: Any = order.night.settings.get("exposure")
    if hasattr(exposure, "levels") and hasattr(exposure, "ranges"):
        names, edges = tuple(exposure.levels), [low for low, _ in exposure.ranges[1:]]
    else:
        names, edges = strata.scheme(LIGHT).levels, list(strata.scheme(LIGHT).edges)
    return names, np.searchsorted(edges, lightness, side="right").astype(np.int64)


def counts(order: Order, found: Found, made: Manifest, plan: pa.Table) -> dict[str, Any]:
    """Count pictures by level and size, and say how far they are from what was asked for."""
    names, _ = achieved(order, np.zeros(0))
    said: dict[str, Any] = {"pictures": len(found.files), "files": len(made), "set_aside": len(found.aside)}
    levels = {name: int(pc.sum(pc.equal(plan["made_level"], name)).as_py() or 0) for name in names}
    said["levels"] = {"planned": _planned_levels(order, plan, names), "made": levels}
    said["not_reached"] = int(pc.sum(pc.invert(plan["reached"])).as_py() or 0)
    said["lightness_error"] = _error(plan)
    said["sizes"] = _sizes(made, found)
    return said


def _planned_levels(order: Order, plan: pa.Table, names: Sequence[str]) -> dict[str, int] | None:
    if pc.all(pc.is_null(plan["planned_level"])).as_py():
        return None
    return {name: int(pc.sum(pc.equal(plan["planned_level"], name)).as_py() or 0) for name in names}


def _error(plan: pa.Table) -> float | None:
    """Give the mean distance of the lightness from its target, of those that have one."""
    if "target" not in plan.column_names:
        return None
    target, lightness = (plan[name].to_numpy().astype(np.float64) for name in ("target", "made_lightness"))
    asked = np.isfinite(target)
    return round(float(np.abs(lightness - target)[asked].mean()), 4) if asked.any() else None


def _sizes(made: Manifest, found: Found) -> dict[str, int]:
    first = {paths[0] for paths in found.files}
    scheme = strata.scheme(SIZE)
    sizes = strata.sizes(made)[[path in first for path in made.table["path"].to_pylist()]]
    codes = np.digitize(sizes, np.array(scheme.edges, np.float32))
    return dict(zip(scheme.levels, np.bincount(codes, minlength=len(scheme.levels)).tolist(), strict=True))


def _write_aside(parents: Manifest, aside: Sequence[tuple[int, str]], out: Path) -> None:
    if not aside:
        (out / ASIDE).unlink(missing_ok=True)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("image_id", "path", "reason"))
    for row, reason in aside:
        writer.writerow((parents.table["image_id"][row].as_py(), parents.table["path"][row].as_py(), reason))
    durable.write_bytes(out / ASIDE, text.getvalue().encode())
