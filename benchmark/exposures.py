"""The paired exposure design: the same shot at several exposures, so that person, pose and camera cancel."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import statistics
from benchmark.statistics import DRAWS, Floats, Interval, Ints


class Level(NamedTuple):
    """What one exposure does within scenes."""

    exposure: float
    difference: float  # mean over scenes: at this exposure less at the reference
    interval: Interval
    scenes: int  # that have both


class Within(NamedTuple):
    """What exposure does to the same scene."""

    reference: float
    levels: list[Level]
    slope: float  # for one more stop of light
    slope_interval: Interval
    scenes: int  # with two exposures or more


def within(
    values: Floats,
    exposures: NDArray[np.floating],
    scenes: Ints,
    identities: Ints,
    draws: int = DRAWS,
    seed: int = 0,
) -> Within | None:
    """Compare the exposures of every scene; a scene is a number, -1: none. None where no scene has two exposures.

    The reference is the exposure nearest to 0, which is that of the scene itself.
    """
    table, levels, owners = _table(values, exposures, scenes, identities)
    paired = (~np.isnan(table)).sum(axis=1) > 1
    if not paired.any():
        return None
    table, owners = table[paired], owners[paired]
    place = int(np.lexsort((-levels, np.abs(levels)))[0])
    compared = _compared(table, levels, place, owners, draws, seed)
    # Less the mean of its scene, a value holds nothing of the scene.
    x = _centred(np.where(np.isnan(table), np.nan, levels))
    line = statistics.slope(_centred(table).ravel(), x.ravel(), np.repeat(owners, len(levels)), draws, seed)
    return Within(float(levels[place]), compared, *line, len(table))


def _compared(table: Floats, levels: Floats, place: int, owners: Ints, draws: int, seed: int) -> list[Level]:
    others = np.delete(np.arange(len(levels)), place)
    differences = table[:, others] - table[:, [place]]
    drawn = statistics.bootstrap(differences, owners, draws, seed)
    counts = (~np.isnan(differences)).sum(axis=0).tolist()
    found = zip(levels[others].tolist(), drawn.value.tolist(), statistics.intervals(drawn), counts, strict=True)
    return [Level(*one) for one in found if one[-1]]


def _table(
    values: Floats, exposures: NDArray[np.floating], scenes: Ints, identities: Ints
) -> tuple[Floats, Floats, Ints]:
    """Give the mean value of every scene at every exposure, rounded to a tenth, and whose the scenes are."""
    known = ~(np.isnan(values) | np.isnan(exposures)) & (scenes >= 0)
    levels, column = np.unique(np.round(exposures[known].astype(np.float64), 1) + 0.0, return_inverse=True)
    _, first, row = np.unique(scenes[known], return_index=True, return_inverse=True)
    sums, counts = np.zeros((2, len(first), len(levels)))
    np.add.at(sums, (row, column), values[known])
    np.add.at(counts, (row, column), 1)
    table = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return table, levels, identities[known][first]


def _centred(table: Floats) -> Floats:
    return np.asarray(table - np.nanmean(table, axis=1, keepdims=True))
