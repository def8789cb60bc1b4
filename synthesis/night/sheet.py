"""The contact sheet of a night: some days, and below each the nights that were made of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmark import images, stored
from benchmark.figures.sheet import ACROSS, Cell, Strip
from benchmark.manifest import Manifest
from synthesis.night import tables
from synthesis.night.order import Order, spread

_READ = ("parent", "draw", "step", "path", "made_level", "made_lightness")


def write(order: Order, out: Path) -> Path:
    """Draw the sheet of a finished night beside its folder; inside it would be a picture that no manifest names."""
    from benchmark.figures import sheet, style

    place = out.resolve() if out.name in ("", "..") else out
    return style.save(sheet.sheet([strips(order, out)]), place.with_name(f"{place.name}-sheet.png"))


def strips(order: Order, out: Path) -> list[Strip]:
    """Lay out days above their nights: a block a light level, or, of a ladder, a row a step."""
    plan = _plan(out)
    name = f"{order.night.name}, seed {order.seed}, quality {order.night.shape.quality}"
    heading = f"{name}: {order.night.shape.about}" if order.night.shape.about else name
    blocks = _ladder(order, plan, out) if len(order.steps) > 1 else _levels(order, plan, out)
    return [Strip("", heading=heading), *blocks]


def _plan(out: Path) -> dict[str, NDArray[Any]]:
    there = pq.read_schema(out / tables.PLAN).names
    read = pq.read_table(out / tables.PLAN, columns=[name for name in _READ if name in there])
    return {name: read[name].to_numpy() for name in read.column_names}


def _levels(order: Order, plan: dict[str, NDArray[Any]], out: Path) -> list[Strip]:
    made = []
    for level in tables.achieved(order, np.zeros(0))[0]:
        there = np.flatnonzero(plan["made_level"] == level)
        if len(there):
            shown = there[spread(np.zeros(len(there)), ACROSS)]
            shown = shown[np.argsort(plan["made_lightness"][shown], kind="stable")]
            days = _days(order.parents, plan["parent"][shown])
            made += [Strip("day", days, heading=f"{level}: {len(there):,} of {len(plan['path']):,}")]
            made += [Strip("night", _nights(plan, shown, out))]
    return made


def _ladder(order: Order, plan: dict[str, NDArray[Any]], out: Path) -> list[Strip]:
    first = np.flatnonzero((plan["step"] == 0) & (plan["draw"] == 0))
    shown = first[spread(plan["made_level"][first], ACROSS)]
    made = [Strip("day", _days(order.parents, plan["parent"][shown]))]
    place = {key: row for row, key in enumerate(zip(plan["parent"], plan["draw"], plan["step"], strict=True))}
    for step, stops in enumerate(order.steps):
        rows = [place.get((plan["parent"][row], 0, step)) for row in shown.tolist()]
        made.append(Strip(f"{stops:+g} stops", _nights(plan, [row for row in rows if row is not None], out)))
    return made


def _days(parents: Manifest, names: NDArray[Any]) -> list[Cell]:
    place = {name: row for row, name in enumerate(parents.table["image_id"].to_pylist())}
    lightness = parents.column("lightness")
    rows = [place[name] for name in names]
    return [Cell(stored.load(parents, row), f"{lightness[row]:.0f}") for row in rows]


def _nights(plan: dict[str, NDArray[Any]], rows: Sequence[int] | NDArray[np.int64], out: Path) -> list[Cell]:
    cells = [(str(plan["path"][row]), float(plan["made_lightness"][row])) for row in rows]
    return [Cell(images.load(out, path), f"{lightness:.0f}") for path, lightness in cells]
