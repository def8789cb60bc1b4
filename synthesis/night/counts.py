"""What the record of a night counts: pictures, people and levels, and how far they are from what was asked for."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark import strata
from benchmark.formats import market
from benchmark.manifest import Manifest
from synthesis.night import names
from synthesis.night.found import Found
from synthesis.night.order import Order
from synthesis.night.reached import achieved, metered, near
from synthesis.night.stages import exposure, scale

SIZE = "night600-scale"


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
