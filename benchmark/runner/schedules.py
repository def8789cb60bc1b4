"""How a rate moves: functions from a moment of training to a factor.

Time is counted in epochs from 1: all of the first epoch is 1 where a rate moves `by` epoch (so do BoT and TransReID);
by step it grows within the epoch and is 1 at the first one's end.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from benchmark.runner.interfaces import Moment

By = Literal["epoch", "step"]
Schedule = Callable[[Moment], float]


def _alike(milestones: tuple[float, ...]) -> tuple[float, ...]:
    if len({milestone < 1 for milestone in milestones}) > 1:
        raise ValueError("write all as epochs, from 1 on, or all as shares of the epochs, below 1")
    return milestones


Milestones = Annotated[tuple[Annotated[float, Field(gt=0)], ...], AfterValidator(_alike)]


def constant() -> Schedule:
    """Leave the rate as it is."""
    return lambda at: 1.0


def steps(
    milestones: Sequence[float], gamma: float = 0.1, *, warmup: float = 0, start: float = 0.01, by: By = "epoch"
) -> Schedule:
    """Rise from `start` over `warmup` epochs, then multiply by `gamma` at every milestone.

    A milestone below 1 is a share of the epochs, to a whole one, after which the rate falls: 2/3 of 60 is 41. One in
    epochs stays where it is in a shorter training, and beyond its end never comes.
    """

    def factor(at: Moment) -> float:
        now = time(at, by)
        passed = sum(now >= _counted(milestone, at.epochs, by) for milestone in milestones)
        return _risen(now, warmup, start) * gamma**passed

    return factor


def cosine(floor: float = 0.0, *, warmup: float = 0, start: float = 0.01, by: By = "epoch") -> Schedule:
    """Rise from `start` over `warmup` epochs; then fall along a half cosine, which began with training, to `floor`."""

    def factor(at: Moment) -> float:
        now = time(at, by)
        if now < warmup:
            return _risen(now, warmup, start)
        return floor + (1 - floor) * (1 + math.cos(math.pi * now / at.epochs)) / 2

    return factor


def within(schedule: Schedule, before: int, epochs: int) -> Schedule:
    """Follow a schedule of `epochs` in a stage that is a part of them and begins after the first `before`."""
    return lambda at: schedule(replace(at, epoch=at.epoch + before, epochs=epochs))


def time(at: Moment, by: By) -> float:
    """Say how many epochs have been, with the one that is now; by step: with the part of it that is done."""
    return at.epoch + (1 if by == "epoch" else (at.place + 1) / at.steps_per_epoch)


def _counted(milestone: float, epochs: int, by: By) -> float:
    return milestone if milestone >= 1 else round(milestone * epochs) + (by == "epoch")


def _risen(now: float, warmup: float, start: float) -> float:
    return start + (1 - start) * now / warmup if now < warmup else 1.0
