"""What the loop does with a method's optimisers: their rates, their kernels, their state."""

from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import Optimizer

from benchmark.runner.interfaces import Moment, Stage

_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)
_PLAIN = (bool, int, float, str, type(None))


def distinct(stages: Iterable[Stage]) -> list[Optimizer]:
    """List every optimiser once, in order, and note each group's own rate."""
    found = list(dict.fromkeys(optimiser for stage in stages for optimiser in stage.optimisers))
    for optimiser in found:
        for group in optimiser.param_groups:
            group.setdefault("initial_lr", group["lr"])
    return found


def set_rates(stage: Stage, at: Moment) -> None:
    """Multiply every group's own rate by its schedule, or by the stage's."""
    for optimiser in stage.optimisers:
        for group in optimiser.param_groups:
            group["lr"] = group["initial_lr"] * group.get("schedule", stage.schedule)(at)


def rates(stage: Stage) -> list[float]:
    """Give the rates of all groups, in order."""
    return [float(group["lr"]) for optimiser in stage.optimisers for group in optimiser.param_groups]


def fuse(optimiser: Optimizer) -> None:
    """Let one kernel do all parameters, where the method left the choice open."""
    if type(optimiser) not in _FUSED:
        return
    for group in optimiser.param_groups:
        open_ = group.get("fused") is None and group.get("foreach") is None
        if open_ and not group.get("differentiable") and all(one.is_floating_point() for one in group["params"]):
            group["fused"] = True


def state(optimiser: Optimizer) -> dict[str, Any]:
    """Give the state as tensors and numbers; schedules are the method's and are not kept."""
    found = optimiser.state_dict()
    groups = [
        {name: value for name, value in group.items() if name != "params" and _is_plain(value)}
        for group in found["param_groups"]
    ]
    return {"state": found["state"], "groups": groups, "counts": [len(one["params"]) for one in found["param_groups"]]}


def load(optimiser: Optimizer, kept: dict[str, Any]) -> None:
    """Take the state up again; ValueError where it is another optimiser's."""
    own = optimiser.state_dict()
    counts = [len(group["params"]) for group in own["param_groups"]]
    if counts != kept["counts"]:
        raise ValueError(f"groups of {kept['counts']} parameters, not {counts}")
    groups = [group | found for group, found in zip(own["param_groups"], kept["groups"], strict=True)]
    optimiser.load_state_dict({**own, "state": kept["state"], "param_groups": groups})


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(_is_plain(one) for one in value)
    return isinstance(value, _PLAIN)
