"""One stage alone: its plan for some pictures, and its work on light that a test makes."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import config
from synthesis.night.block import Block, Plan, Stage
from synthesis.night.columns import Columns, Facts

Light = NDArray[np.float32]


def columns(
    stage: ModuleType,
    facts: Facts,
    seed: int = 0,
    exact: bool = False,
    planned: Mapping[str, NDArray[Any]] | None = None,
    **settings: object,
) -> Columns:
    """Give the draws of one stage under some settings."""
    checked = config.check(stage.Config, settings, "test")
    return Columns(stage.__name__.rpartition(".")[2], checked, facts, seed, exact, planned=planned)


def plan(
    stage: ModuleType,
    facts: Facts,
    seed: int = 0,
    exact: bool = False,
    planned: Mapping[str, NDArray[Any]] | None = None,
    **settings: object,
) -> dict[str, NDArray[Any]]:
    """Plan one stage; numbers that are not whole are rounded as the chain rounds them."""
    made = stage.plan(columns(stage, facts, seed, exact, planned, **settings))
    arrays = {name: np.asarray(values) for name, values in made.items()}
    return {name: values.astype(np.float32) if values.dtype == float else values for name, values in arrays.items()}


def applied(stage: Stage, light: Light, plan: Plan) -> Block:
    """Let a stage work on a copy of some light."""
    count, _, height, width = light.shape
    block = Block([np.zeros((height, width, 3), np.uint8) for _ in range(count)], light.copy())
    stage.apply(block, plan)
    return block


def lit(stage: Stage, light: Light, plan: Plan) -> Light:
    """Give the light that a stage makes of some light."""
    made = applied(stage, light, plan).light
    assert made is not None
    return made


def rows(plan: Plan, *which: int) -> dict[str, NDArray[Any]]:
    """Take some rows of a plan."""
    return {name: values[list(which)] for name, values in plan.items()}
