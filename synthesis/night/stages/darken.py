"""Take one share of all light, as MAET does (Cui et al., ICCV 2021): weak on purpose, for comparison.

Linear light is multiplied by k, drawn from a normal distribution that is cut off on both sides.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import ndtr, ndtri

from benchmark.config import Strict
from benchmark.errors import UserError
from synthesis.night.block import Block, Plan
from synthesis.night.columns import Columns
from synthesis.night.ranges import Positive

LOCAL = True
TAKES = "light"
COLUMNS = {
    "darken": "share of the light that is left",
}


class Config(Strict):
    """How much light is left."""

    mean: float = Field(0.1, gt=0, le=1)
    """Mean of the normal distribution before it is cut off."""
    spread: float = Field(0.08, gt=0, le=1)
    """Its standard deviation."""
    limits: Positive = (0.01, 1.0)
    """Where it is cut off."""


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Draw the share of light that is left of every picture."""
    config: Config = columns.config
    low, high = (ndtr((limit - config.mean) / config.spread) for limit in config.limits)
    share = config.mean + config.spread * ndtri(columns.between("darken", low, high))
    return {"darken": np.clip(share, *config.limits)}


def apply(block: Block, plan: Plan) -> None:
    """Multiply the light."""
    if block.light is None:
        raise UserError("stage darken takes from linear light: put linearise before it")
    share = plan["darken"].astype(np.float32)
    block.light *= share[:, None, None, None]
    block.solved["ev"] = np.log2(share)
