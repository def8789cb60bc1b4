"""Clip linear light at full scale and round it: to 12 bits, or, for speed, to 8 bits of its square root."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.compiled import compiled
from benchmark.config import Strict
from synthesis.night.block import Block, Plan
from synthesis.night.columns import Columns

LOCAL = True
TAKES = "light"
GIVES = "codes"
ROOT_TOP, LIGHT_TOP = 255, 4095  # the highest code of the root, and of light itself
COLUMNS = {
    "bits": "bits of a code: 12, of light; 8, of its root",
}


class Config(Strict):
    """A stage without settings: `quality` says which codes there are."""


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Say how many bits a code has; draw nothing."""
    return {"bits": np.full(len(columns), 12 if columns.exact else 8, np.int8)}


def apply(block: Block, plan: Plan) -> None:
    """Turn linear light into codes; what is no number becomes black."""
    assert block.light is not None
    if plan["bits"][0] == 8:
        block.codes = np.empty(block.light.shape, np.uint8)
        _rooted(block.light.reshape(-1), block.codes.reshape(-1))
    else:
        block.codes = np.empty(block.light.shape, np.uint16)
        _rounded(block.light.reshape(-1), block.codes.reshape(-1))


@compiled
def _rooted(light, codes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    top, zero, half, one = np.float32(ROOT_TOP), np.float32(0), np.float32(0.5), np.float32(1)
    for x in range(len(light)):
        codes[x] = np.uint8(np.int32(np.sqrt(min(max(zero, light[x]), one)) * top + half))


@compiled
def _rounded(light, codes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    top, zero, half, one = np.float32(LIGHT_TOP), np.float32(0), np.float32(0.5), np.float32(1)
    for x in range(len(light)):
        codes[x] = np.uint16(np.int32(min(max(zero, light[x]), one) * top + half))
