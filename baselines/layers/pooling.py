"""How maps become one vector."""

import torch
from torch import Tensor, nn

from baselines.layers.precision import full, wide


class GeM(nn.Module):
    """Generalised mean (Radenovic et al., TPAMI 2019): 1 is the average, large exponents near the maximum."""

    def __init__(self, exponent: float = 3.0, least: float = 1e-6) -> None:
        super().__init__()
        self.exponent, self.least = nn.Parameter(torch.tensor([exponent])), least

    def forward(self, maps: Tensor) -> Tensor:
        """Give one number a channel, in fp32."""
        with full(maps):
            powers = wide(maps).clamp(min=self.least) ** self.exponent
            return powers.mean((2, 3)) ** (1 / self.exponent)
