"""Batch-hard triplets (Hermans et al., 2017): the farthest row of the same person, the nearest of another."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from baselines.layers.precision import full, wide

TINY = 1e-12  # below it a distance has no slope: that of a row to itself would be infinite


def batch_hard(features: Tensor, identity: Tensor, margin: float | Literal["soft"] = 0.3) -> Tensor:
    """Give the mean over all rows; 0 where all are of one person.

    A row is its own positive where it has no other. `soft` is log(1 + exp(positive - negative)).
    """
    with full(features):
        features = wide(features)
        positive, negative, several = _hardest(features.detach(), identity)
        gap = _distance(features, features[positive]) - _distance(features, features[negative])
        terms = functional.softplus(gap) if margin == "soft" else functional.relu(gap + margin)
        return torch.where(several, terms, 0.0).mean()


def _hardest(features: Tensor, identity: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Find each row's farthest positive and nearest negative, and say whether there is one."""
    # Differences, not the product of matrices: that one ties, and ties make mining pick by position.
    distance = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    same = identity[:, None] == identity[None, :]
    positive = distance.masked_fill(~same, -1.0).argmax(1)
    negative = distance.masked_fill(same, torch.inf).argmin(1)
    return positive, negative, ~same.all()


def _distance(one: Tensor, two: Tensor) -> Tensor:
    return (one - two).square().sum(1).clamp(min=TINY).sqrt()
