"""The chain: plan all pictures as one table, then develop them, some pictures of one size at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import UserError
from benchmark.images import Picture
from synthesis.night.block import Block, Plan, Stage
from synthesis.night.columns import Columns, Facts
from synthesis.night.config import Night

BLOCK_PIXELS = 262_144  # enough that Python costs little a picture; twice as many cost no less
Surveys = Mapping[str, Mapping[str, Any]]


def survey(night: Night, facts: Facts) -> dict[str, dict[str, Any]]:
    """Let stages look at the whole set once, such as at its sizes; what they find is part of the recipe."""
    asked = {name: module for name, module in night.modules.items() if hasattr(module, "survey")}
    return {name: module.survey(night.settings[name], facts) for name, module in asked.items()}


def plan(night: Night, seed: int, facts: Facts, surveys: Surveys) -> dict[str, NDArray[Any]]:
    """Draw every column for these pictures: whole numbers stay whole, all others are rounded once to 32 bits."""
    columns: dict[str, NDArray[Any]] = {}
    for name, module in night.modules.items():
        drawing = Columns(
            name, night.settings[name], facts, seed, night.shape.quality == "exact", surveys.get(name), columns
        )
        made = {column: _rounded(np.asarray(values)) for column, values in module.plan(drawing).items()}
        twice = set(made) & set(columns)
        if twice:
            raise UserError(f"night {night.name}: stage {name} plans {min(twice)!r}, as another stage does")
        columns |= made
    return columns


def ready(night: Night, surveys: Surveys) -> list[Stage]:
    """Make a night's stages ready to work: some read a folder once, or load somebody's network."""
    return [
        module.ready(night.settings[name], surveys.get(name)) if hasattr(module, "ready") else module
        for name, module in night.modules.items()
    ]


def _rounded(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.float32) if np.issubdtype(values.dtype, np.floating) else values


def develop(stages: Sequence[Stage], pictures: Sequence[Picture], plan: Plan) -> Block:
    """Make nights of some pictures of one size. Columns that a solving stage would find are taken where they are."""
    block = Block(list(pictures))
    run(stages, block, plan)
    return block


def run(stages: Sequence[Stage], block: Block, plan: Plan) -> None:
    """Apply stages in their order."""
    for place, stage in enumerate(stages, 1):
        block.later = stages[place:]
        stage.apply(block, plan)


def rows(plan: Plan, which: NDArray[np.int64] | Sequence[int]) -> dict[str, NDArray[Any]]:
    """Take some rows of a plan; neighbours are looked at where they are, since a block is often one picture."""
    first, count = int(which[0]), len(which)
    if all(row == first + place for place, row in enumerate(which)):
        return {name: values[first : first + count] for name, values in plan.items()}
    return {name: values[which] for name, values in plan.items()}


def blocks(shapes: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Put pictures of one height and width together, no more than a block has."""
    by_shape: dict[tuple[int, int], list[int]] = {}
    for place, shape in enumerate(shapes):
        by_shape.setdefault(shape, []).append(place)
    made = []
    for (height, width), places in by_shape.items():
        most = max(BLOCK_PIXELS // (height * width), 1)
        made += [places[start : start + most] for start in range(0, len(places), most)]
    return made
