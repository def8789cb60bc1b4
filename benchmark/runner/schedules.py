"""How a rate moves: functions from a moment of training to a factor.

Time is counted in epochs from 1: all of the first epoch is 1 where a rate moves `by` epoch (so do BoT and TransReID);
by step it grows within the epoch and is 1 at the first one's end.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

from benchmark.runner.interfaces import Moment

By = Literal["epoch", "step"]
Schedule = Callable[[Moment], float]


def constant() -> Schedule:
    """Leave the rate as it is."""
    return lambda at: 1.0


def steps(
    milestones: Sequence[float], gamma: float = 0.1, *, warmup: float = 0, start: float = 0.01, by: By = "epoch"
) -> Schedule:
    """Rise from `start` over `warmup` epochs, then multiply by `gamma` at every milestone."""

    def factor(at: Moment) -> float:
        now = time(at, by)
        return _risen(now, warmup, start) * gamma ** sum(now >= milestone for milestone in milestones)

    return factor


def cosine(floor: float = 0.0, *, warmup: float = 0, start: float = 0.01, by: By = "epoch") -> Schedule:
    """Rise from `start` over `warmup` epochs; then fall along a half cosine, which began with training, to `floor`."""

    def factor(at: Moment) -> float:
        now = time(at, by)
        if now < warmup:
            return _risen(now, warmup, start)
        return floor + (1 - floor) * (1 + math.cos(math.pi * now / at.epochs)) / 2

    return factor


def time(at: Moment, by: By) -> float:
    """Say how many epochs have been, with the one that is now; by step: with the part of it that is done."""
    return at.epoch + (1 if by == "epoch" else (at.place + 1) / at.steps_per_epoch)


def _risen(now: float, warmup: float, start: float) -> float:
    return start + (1 - start) * now / warmup if now < warmup else 1.0
