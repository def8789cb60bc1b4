"""What stands between a backbone and a classifier."""

import torch
from torch import Tensor, nn

from baselines.layers.precision import full, wide


class Neck(nn.Module):
    """BNNeck (Luo et al., CVPRW 2019): normalise over the batch and scale. The bias that BoT freezes is not there."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dim, affine=False)
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, features: Tensor) -> Tensor:
        """Give features in fp32, whatever the precision around."""
        with full(features):
            found: Tensor = self.norm(wide(features)) * self.weight
        return found


class Bottleneck(nn.Module):
    """IDE+'s: fewer numbers, normalised over the batch."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.reduce, self.norm = nn.Linear(dim, width), nn.BatchNorm1d(width)
        nn.init.kaiming_normal_(self.reduce.weight, mode="fan_out")
        nn.init.zeros_(self.reduce.bias)
        nn.init.normal_(self.norm.weight, mean=1.0, std=0.02)

    def forward(self, features: Tensor) -> Tensor:
        """Give features in fp32, whatever the precision around."""
        with full(features):
            found: Tensor = self.norm(self.reduce(wide(features)))
        return found
