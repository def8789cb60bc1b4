"""The optimisers that recipes name."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn

Kind = Literal["adam", "adamw", "sgd"]


def optimiser(
    kind: Kind, groups: Sequence[dict[str, Any]], decay: float, *, nesterov: bool = False
) -> torch.optim.Optimizer:
    """Make one of groups that have a rate each; `sgd` has momentum 0.9."""
    if kind == "sgd":
        return torch.optim.SGD(groups, momentum=0.9, nesterov=nesterov, weight_decay=decay)
    adam = torch.optim.AdamW if kind == "adamw" else torch.optim.Adam
    return adam(groups, weight_decay=decay)


def group(rate: float, *parts: nn.Module, **more: object) -> dict[str, Any]:
    """Put the weights of some modules in one group with a rate."""
    return {"params": [weight for part in parts for weight in part.parameters()], "lr": rate, **more}
