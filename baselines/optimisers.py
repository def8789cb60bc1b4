"""The optimisers that recipes name, and which weight learns how fast."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn

Kind = Literal["adam", "adamw", "sgd"]


def optimiser(
    kind: Kind, groups: Sequence[dict[str, Any]], decay: float, *, momentum: float = 0.9, nesterov: bool = False
) -> torch.optim.Optimizer:
    """Make one of groups that have a rate each; momentum is that of `sgd`."""
    if kind == "sgd":
        return torch.optim.SGD(groups, momentum=momentum, nesterov=nesterov, weight_decay=decay)
    adam = torch.optim.AdamW if kind == "adamw" else torch.optim.Adam
    return adam(groups, weight_decay=decay)


def group(rate: float, *parts: nn.Module, **more: object) -> dict[str, Any]:
    """Put the weights of some modules in one group with a rate."""
    return {"params": [weight for part in parts for weight in part.parameters()], "lr": rate, **more}


def groups(
    parts: Sequence[tuple[float, nn.Module]], decay: float, *, bias_rate: float = 1.0, norm_decay: bool = True
) -> list[dict[str, Any]]:
    """Group the weights of modules that have a rate each by the rate and the decay that is theirs.

    `bias_rate` multiplies the rate of biases. Without `norm_decay`, only what multiplies features decays: no bias, and
    no scale of a normalisation, which are the weights of one dimension.
    """
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    for rate, part in parts:
        for name, weight in part.named_parameters():
            own = rate * bias_rate if name.endswith("bias") else rate
            found.setdefault((own, decay if norm_decay or weight.ndim > 1 else 0.0), []).append(weight)
    return [{"params": weights, "lr": own, "weight_decay": kept} for (own, kept), weights in found.items()]
