"""Classification heads, one a domain: people of two sets are never told from each other by a classifier."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.layers.precision import full, wide

ELSEWHERE = -100  # what cross-entropy passes over


class Heads(nn.Module):
    """Linear classifiers over one feature, and the cross-entropy of rows of any domain."""

    def __init__(self, dim: int, identities: Mapping[str, int], *, smoothing: float = 0.0, bias: bool = False) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.heads = nn.ModuleList(_head(dim, count, bias) for count in identities.values())

    def logits(self, features: Tensor) -> list[Tensor]:
        """Give every domain's logits of every row."""
        with full(features):
            return [head(wide(features)) for head in self.heads]

    def loss(self, features: Tensor, label: Tensor, domain: Tensor) -> Tensor:
        """Give the mean cross-entropy, every row judged by its own domain's head; a domain without rows adds 0."""
        # Every head sees every row: no row is picked out, so no step waits for the device to say how many there are.
        parts = []
        for place, logits in enumerate(self.logits(features)):
            own = torch.where(domain == place, label, ELSEWHERE) if len(self.heads) > 1 else label
            parts.append(
                functional.cross_entropy(
                    logits, own, ignore_index=ELSEWHERE, label_smoothing=self.smoothing, reduction="sum"
                )
            )
        return torch.stack(parts).sum() / len(label)


def _head(dim: int, count: int, bias: bool) -> nn.Linear:
    head = nn.Linear(dim, count, bias=bias)
    nn.init.normal_(head.weight, std=0.001)
    if bias:
        nn.init.zeros_(head.bias)
    return head
