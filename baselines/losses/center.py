"""The centre loss (Wen et al., ECCV 2016) as BoT has it: the mean of squared distances to the person's centre."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from baselines.layers.precision import full, wide


class Centres(nn.Module):
    """One learnt centre a person, over all domains; who is in several leaves the last rows of the table unused."""

    def __init__(self, dim: int, identities: Mapping[str, int]) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(sum(identities.values()), dim))

    def forward(self, features: Tensor, person: Tensor, weight: float) -> Tensor:
        """Give the weighted mean; the weight slows the features, and not the centres, which have their own rate."""
        with full(features):
            features, own = wide(features), self.table[person]
            # BoT divides the centres' gradient by the weight again before their optimiser steps.
            moved = _mean_square(features.detach(), own)
            return weight * _mean_square(features, own.detach()) + (moved - moved.detach())


def _mean_square(one: Tensor, two: Tensor) -> Tensor:
    return (one - two).square().sum(1).mean()
