"""Add noise to 8-bit codes, as earlier synthetic nights do: weak on purpose, for comparison.

Every channel of every pixel for itself, Gaussian, or with the variance of counted photons (Poisson's).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import ndtri

from benchmark.compiled import compiled
from benchmark.config import Strict
from synthesis.night.block import Block, Plan
from synthesis.night.columns import Columns
from synthesis.night.ranges import Positive

LOCAL = True
TAKES = "pictures"
COLUMNS = {
    "grain": "standard deviation of Gaussian noise, in codes",
    "grain_shot": "codes that a photon makes, where noise is that of photons; 0: it is not",
    "grain_key": "where its numbers begin",
}


class Config(Strict):
    """How much noise there is, of which kind."""

    poisson: float = Field(0.5, ge=0, le=1)
    """Share of pictures whose noise is that of photons; the others' is Gaussian."""
    sigma: Positive = (2.0, 12.0)
    """Standard deviation of Gaussian noise, in codes of 255."""
    photons: Positive = (30.0, 300.0)
    """How many photons make a pixel white: the fewer, the more noise."""


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Draw kind and strength, and the number that the noise starts from."""
    config: Config = columns.config
    poisson = columns.chance("poisson", config.poisson)
    high, low = ((columns.uniform(f"grain_key_{part}") * 2**24).astype(np.int64) for part in ("high", "low"))
    return {
        "grain": np.where(poisson, 0.0, columns.between("sigma", *config.sigma)),
        "grain_shot": np.where(poisson, 255 / columns.between("photons", *config.photons), 0.0),
        "grain_key": high * 2**24 + low,
    }


def apply(block: Block, plan: Plan) -> None:
    """Add noise to every picture."""
    for place, picture in enumerate(block.pictures):
        sigma, shot, key = (plan[name][place] for name in ("grain", "grain_shot", "grain_key"))
        deviations = np.sqrt(sigma**2 + shot * CODES).astype(np.float32)
        made = np.empty_like(picture)
        _add(picture.reshape(-1), deviations, NORMAL, np.uint64(key), made.reshape(-1))
        block.pictures[place] = made


CODES = np.arange(256, dtype=np.float32)
NORMAL = ndtri((np.arange(65536) + 0.5) / 65536).astype(np.float32)  # of 16 bits


@compiled
def _add(codes, deviations, normal, key, made):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    # SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): each 64 bits are four draws.
    state = key * np.uint64(0xD1B54A32D192ED03)
    z = np.uint64(0)
    for place in range(len(codes)):
        if place & 3 == 0:
            state += np.uint64(0x9E3779B97F4A7C15)
            z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z ^= z >> np.uint64(31)
        code = codes[place]
        value = np.float32(code) + deviations[code] * normal[z & np.uint64(65535)]
        z >>= np.uint64(16)
        made[place] = np.uint8(min(max(value, np.float32(0)), np.float32(255)) + np.float32(0.5))
