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

from benchmark import durable, images, keyed, manifest, strata
from benchmark.columns import KNOWN, MEASURED
from benchmark.errors import UserError
from benchmark.formats import market
from benchmark.manifest import Manifest
from benchmark.progress import track
from synthesis.night import chain, names
from synthesis.night.columns import VERSION
from synthesis.night.config import Night
from synthesis.night.order import ASIDE, Order, Pictures
from synthesis.night.stages import exposure, lamps, scale
from synthesis.night.work import Shard

SCHEMA = "night-plan/1"
MANIFEST, PLAN = "manifest.parquet", "plan.parquet"
LIGHT, SIZE = "night600-light", "night600-scale"
# Of a street's 2,371 pictures 99.6 % or more end within a quarter of their target, and all within 7 of 255. A picture
# that does not was out of the solver's reach, as a black one is, and its night is not the one that its plan says.
TOLERANCE, DARK_TOLERANCE = 10.0, 0.25
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


@dataclass(frozen=True)
class Found:
    """All pictures that were made, in the order of their parents."""

    pictures: Pictures
    files: list[tuple[str, ...]]
    plan: dict[str, NDArray[Any]]
    solved: dict[str, NDArray[np.float32]]  # NaN where a stage found nothing
    blocks: NDArray[np.uint64]  # keys of cameras' lights
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
    _write_aside(_aside(order, found.aside), out)
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
        listed = shards[0].out / ASIDE
        _write_aside(_aside(order, aside), listed.parent)
        raise UserError(
            f"synth night: all {len(aside)} pictures were set aside: {aside[0][1]}; {listed} says why of each"
        )
    rank = np.lexsort((pictures.step, pictures.draw, pictures.parent))
    files = [shard.files[row] for _, shard, record in parts for row in record["rows"]]
    made = pictures[rank]
    plan = order.plan(made) if order.frames is None else _of_clips(parts, rank)
    return Found(
        made,
        _taken(files, rank),
        plan,
        _solved(records, rank),
        _blocks(order, made) if order.frames is None else _blocks_of_clips(parts)[rank],
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


def _blocks(order: Order, made: Pictures) -> NDArray[np.uint64]:
    return np.asarray(order.facts.select(made.parent).with_draws(made.draw, made.step).keys["camera"], np.uint64)


def _blocks_of_clips(parts: Sequence[tuple[Pictures, Shard, dict[str, Any]]]) -> NDArray[np.uint64]:
    keys = [keyed.key(f"{VERSION}\ncamera\n{shard.clip.camera}") for _, shard, _ in parts]
    return np.repeat(np.array(keys, np.uint64), [len(part) for part, _, _ in parts])


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


def metered(order: Order, found: Found) -> NDArray[np.float64]:
    """Give the lightness that is held to the target: a picture's own, or the mean of all people in its frame."""
    lightness = np.array(found.measures["lightness"], np.float64)
    if order.frames is None:
        return lightness
    parents = order.parents.table.take(pa.array(found.pictures.parent))
    named = zip(*(parents[name].to_pylist() for name in ("source", "camid", "sequence", "frame")), strict=True)
    _, which = np.unique([repr(name) for name in named], return_inverse=True)
    return np.asarray((np.bincount(which, lightness) / np.bincount(which))[which])


def near(lightness: NDArray[np.float64], target: NDArray[Any] | None) -> NDArray[np.bool_]:
    """Say which pictures are near their target; without a target every one is."""
    wanted = np.full(len(lightness), np.nan) if target is None else target.astype(np.float64)
    allowed = np.minimum(TOLERANCE, DARK_TOLERANCE * wanted)
    return ~(np.abs(lightness - wanted) > allowed)


def achieved(order: Order, lightness: NDArray[np.float64]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Give the night's own light levels, else those of the benchmark, and at which one every picture is."""
    asked = order.night.settings.get("exposure")
    if isinstance(asked, exposure.Config):
        return asked.levels, exposure.reached(asked, lightness)
    scheme = strata.scheme(LIGHT)
    return scheme.levels, np.searchsorted(list(scheme.edges), lightness, side="right").astype(np.int64)


def counts(order: Order, found: Found, made: Manifest, plan: pa.Table) -> dict[str, Any]:
    """Count pictures, people and levels, and say how far they are from what was asked for."""
    aside = len(found.aside) + (len(order.unmeasured) if order.unmeasured else 0)
    said: dict[str, Any] = {"pictures": len(found.files), "files": len(made), "set_aside": aside}
    people, cameras = made.identities(), made.table.select(["source", "camid"]).filter(pc.field("camid") > 0)
    said |= {
        "identities": int(people.max()) + 1,
        "cameras": cameras.group_by(["source", "camid"]).aggregate([]).num_rows,
    }
    said |= {"camera_blocks": pc.count_distinct(plan["camera_block"]).as_py(), "roles": _roles(made)}
    said |= {"levels": _light(order, plan)} | _misses(order, plan, found)
    return said | {"sizes": _sizes(made, found), "sizes_planned": _sizes_planned(order, found)} | _declared(order)


def _roles(made: Manifest) -> dict[str, int]:
    """Count files by the folder that they are in."""
    folders = [path.partition("/")[0] for path in made.table["path"].to_pylist()]
    said = {role: folders.count(folder) for role, folder in market.FOLDERS.items()}
    return said | {"other": folders.count(names.OTHERS)}


def _light(order: Order, plan: pa.Table) -> dict[str, Any]:
    """Count the levels that were asked for and those that came of them; of a ladder also those of all steps."""
    levels, _ = achieved(order, np.zeros(0))

    def counted(column: pa.ChunkedArray) -> dict[str, int]:
        return {name: int(pc.sum(pc.equal(column, name)).as_py() or 0) for name in levels}

    asked = plan.filter(pc.is_valid(plan["planned_level"]))
    if not len(asked):
        return {"planned": None, "made": counted(plan["made_level"])}
    said: dict[str, Any] = {"planned": counted(asked["planned_level"]), "made": counted(asked["made_level"])}
    return said | ({"all_steps": counted(plan["made_level"])} if len(order.steps) > 1 else {})


def _misses(order: Order, plan: pa.Table, found: Found) -> dict[str, Any]:
    """Say how many pictures are not where they were to be, and how far the lightness is from its target."""
    said: dict[str, Any] = {"not_reached": int(pc.sum(pc.invert(plan["reached"])).as_py() or 0)}
    said |= {"off_target": 0, "lightness_error": None, "lightness_worst": None}
    if "target" not in plan.column_names:
        return said
    target, lightness = plan["target"].to_numpy().astype(np.float64), metered(order, found)
    apart = np.abs(lightness - target)[np.isfinite(target)]
    if not len(apart):
        return said
    said["off_target"] = int((~near(lightness, target)).sum())
    return said | {
        "lightness_error": round(float(apart.mean()), 4),
        "lightness_worst": round(float(apart.max()), 4),
        "corrected": bool(np.all(found.plan.get("corrected", np.zeros(1, bool)))),
    }


def _sizes(made: Manifest, found: Found) -> dict[str, int]:
    first = {paths[0] for paths in found.files}
    return _by_size(strata.sizes(made)[[path in first for path in made.table["path"].to_pylist()]])


def _sizes_planned(order: Order, found: Found) -> dict[str, int] | None:
    """Count the sizes that pictures were to be reduced to, where a night declares any."""
    if "stored_height" not in found.plan or _wanted_sizes(order) is None:
        return None
    facts = order.facts.select(found.pictures.parent)
    full = facts.numbers["height"]
    return _by_size(scale.shrunk(scale.people(facts), found.plan["stored_height"], full))


def _by_size(sizes: NDArray[np.float32]) -> dict[str, int]:
    scheme = strata.scheme(SIZE)
    codes = np.digitize(sizes, np.array(scheme.edges, np.float32))
    return dict(zip(scheme.levels, np.bincount(codes, minlength=len(scheme.levels)).tolist(), strict=True))


def _declared(order: Order) -> dict[str, Any]:
    """Give the shares of levels that the night declares; null where it declares none."""
    asked = order.night.settings.get("exposure")
    levels = dict(zip(asked.levels, asked.shares, strict=True)) if isinstance(asked, exposure.Config) else None
    return {"declared": {"light": levels, "sizes": _wanted_sizes(order)}}


def _wanted_sizes(order: Order) -> dict[str, float] | None:
    wanted: Any = getattr(order.night.settings.get("scale"), "size", None)
    return {level: getattr(wanted, level.lower()) for level in strata.scheme(SIZE).levels} if wanted else None


def _aside(order: Order, aside: Sequence[tuple[int, str]]) -> list[tuple[str, str, str]]:
    """Give name, path and reason of all that was set aside."""
    rows = [(order.parents, row, _more(order.parents, row, reason)) for row, reason in aside]
    if order.unmeasured:
        reasons = [_fault(order.unmeasured, row) or "was never measured" for row in range(len(order.unmeasured))]
        rows += [(order.unmeasured, row, reason) for row, reason in enumerate(reasons)]
    return sorted((of.table["image_id"][row].as_py(), of.file(row)[1], reason) for of, row, reason in rows)


def _more(parents: Manifest, row: int, reason: str) -> str:
    """Say of a file that changed since it was measured whether it is a picture at all."""
    fault = _fault(parents, row) if reason.startswith("is not the file that was measured") else ""
    return f"is not the file that was measured, and cannot be decoded: {fault}" if fault else reason


def _fault(parents: Manifest, row: int) -> str:
    """Say why a picture cannot be decoded; nothing where it can."""
    root, path = parents.file(row)
    try:
        images.load(root, path)
    except UserError as error:
        return str(error).removeprefix(f"{root / path}: ")
    return ""


def _write_aside(aside: Sequence[tuple[str, str, str]], out: Path) -> None:
    if not aside:
        (out / ASIDE).unlink(missing_ok=True)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([("image_id", "path", "reason"), *aside])
    durable.write_bytes(out / ASIDE, text.getvalue().encode())
