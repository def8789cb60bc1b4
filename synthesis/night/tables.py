"""The tables of a night: its manifest, and the plan of every picture with what became of it."""

from collections.abc import Mapping, Sequence
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
from synthesis.night import aside, names
from synthesis.night.columns import VERSION
from synthesis.night.config import Night
from synthesis.night.counts import SIZE, counts
from synthesis.night.found import Found, gather
from synthesis.night.order import Order
from synthesis.night.reached import achieved, metered, near
from synthesis.night.stages import lamps
from synthesis.night.work import Shard

SCHEMA = "night-plan/1"
MANIFEST, PLAN = "manifest.parquet", "plan.parquet"
# `mask` names a file below the parents' folder; `noise` was measured in the parent.
NOT_CARRIED = ("image_id", "source", "mask", "noise", *MEASURED)
_ROLES = {folder: role for role, folder in market.FOLDERS.items()}

KEYS = {
    "parent": "image_id of the picture that the night was made of",
    "parent_sha256": "hash of its file",
    "camera_block": "key of its camera's light: equal where draws by camera are equal; null: its camera is not known",
    "draw": "which of several nights of it, from 0",
    "step": "position on the ladder of exposures, from 0",
    "path": "the picture's file",
    "twin": "its second file, of equal bytes, where the row is query and gallery; null: none",
}
ACHIEVED = {
    **{f"made_{name}": f"{name} of the stored picture, as in the manifest" for name in MEASURED},
    "made_level": "the light level that the stored picture is at",
    "planned_level": "the light level that was asked for; null: none",
    "reached": "whether they are equal and the lightness is near its target: by 10, and by a quarter of it; with "
    "--frames that of all people in a frame together; null: none was asked for",
    **{f"lamp{lamp}_in_frame": f"whether lamp {lamp} is lit and before what the picture shows" for lamp in lamps.LAMPS},
    "bytes": "length of the stored file",
    "pixels_sha256": "hash of the decoded picture: height, width and channels as 32-bit numbers, then its bytes",
    "noise_pool": "hash of the pool that noise was cut from; null: no pool",
}


def write(order: Order, shards: Sequence[Shard], out: Path) -> dict[str, Any]:
    """Write the tables, and say for the record what is in them."""
    found = gather(order, shards)
    made = described(order, found, out)
    plan = planned(order, found)
    manifest.write(made, out / MANIFEST)
    durable.write_atomically(out / PLAN, lambda file: _write_parquet(plan, file))
    aside.write(order, found.aside, out)
    said: dict[str, Any] = {"manifest_data_sha256": made.data_sha256, "manifest_labels_sha256": made.labels_sha256}
    said |= {"counts": counts(order, found, made, plan), "sizes_scheme": strata.scheme(SIZE).id}
    return said | {"own_names": names.problem(order.parents)}


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
    keys = [f"{key:016x}" for key in found.blocks.tolist()]
    said["camera_block"] = pa.array(keys, pa.string(), mask=parents["camid"].to_numpy() == 0)
    said |= {"draw": pa.array(found.pictures.draw, pa.int32()), "step": pa.array(found.pictures.step, pa.int32())}
    said |= {"path": [paths[0] for paths in found.files]}
    said |= {"twin": pa.array([paths[1] if len(paths) > 1 else None for paths in found.files], pa.string())}
    said |= {name: _array(values) for name, values in (*found.plan.items(), *found.solved.items())}
    said |= {f"made_{name}": pa.array(found.measures[name], KNOWN[name].type) for name in MEASURED}
    said |= _levels(order, found)
    if "lamp1_x" in found.plan:
        shown = lamps.in_frame(found.plan).T
        said |= {f"lamp{lamp}_in_frame": before for lamp, before in zip(lamps.LAMPS, shown, strict=True)}
    said |= {"bytes": pa.array(found.bytes, pa.int32()), "pixels_sha256": found.pixels}
    pool = order.surveys.get("noise", {}).get("pool")
    said["noise_pool"] = pa.array([pool] * len(found.files), pa.string())
    table = pa.table(said)
    words = {**meanings(order.night), **_of_frames(order), **KEYS, **ACHIEVED}
    fields = [field.with_metadata({"about": words.get(field.name, "")}) for field in table.schema]
    said = {"luxreid.schema": SCHEMA, "recipe_sha256": order.recipe_sha256, "solved": " ".join(found.solved)}
    said |= {"chain": VERSION, "seed": str(order.seed)}
    return table.cast(pa.schema(fields, said))


def meanings(night: Night) -> dict[str, str]:
    """Gather what the stages say of their columns."""
    stages = night.modules.values()
    return {name: meaning for stage in stages for name, meaning in getattr(stage, "COLUMNS", {}).items()}


def _of_frames(order: Order) -> dict[str, str]:
    if order.frames is None:
        return {}
    from synthesis.night.frames.plan import COLUMNS

    return COLUMNS


def _array(values: NDArray[Any]) -> pa.Array:
    """Give a column; what is not a number there is not known."""
    return pa.array(values, mask=np.isnan(values) if values.dtype.kind == "f" else None)


def _levels(order: Order, found: Found) -> dict[str, pa.Array]:
    """Say at which light level every picture is, and whether it is where it was to be."""
    levels, at = achieved(order, np.array(found.measures["lightness"], np.float64))
    held = metered(order, found)
    wanted = np.asarray(found.plan.get("level", np.full(len(at), -1)), np.int64)
    asked = wanted >= 0
    return {
        "made_level": pa.array(np.array(levels)[at]),
        "planned_level": pa.array(np.array(levels)[np.where(asked, wanted, 0)], mask=~asked),
        "reached": pa.array((wanted == achieved(order, held)[1]) & near(held, found.plan.get("target")), mask=~asked),
    }
