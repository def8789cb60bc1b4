"""STAND-IN (replaced by the issue on the runner): three convolutions and a neck, trained in seconds."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.config import Strict
from benchmark.runner.interfaces import Batch, Context, Method, Moment, Needs, Stage, World


class Config(Strict):
    """How wide, how long, how fast."""

    width: int = 16
    """Channels of the first convolution; each further one has twice as many."""
    epochs: int = 30
    """Passes over the identities."""
    rate: float = 0.003
    """Learning rate of Adam."""


def build(config: Config, world: World) -> "StandIn":
    """Make the network."""
    return StandIn(config, world)


class StandIn(Method):
    """A tiny network with a neck: the features before the classifier are compared."""

    def __init__(self, config: Config, world: World) -> None:
        super().__init__()
        self.config, self.needs = config, Needs(identities=4, instances=4, normalise=((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))
        widths = [3, config.width, 2 * config.width, 4 * config.width]
        blocks = [_block(before, after) for before, after in pairwise(widths)]
        self.body = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d((4, 1)), nn.Flatten())
        self.neck = nn.BatchNorm1d(4 * widths[-1])
        self.heads = nn.ModuleList(nn.Linear(4 * widths[-1], count, bias=False) for count in world.identities.values())

    def stages(self) -> Sequence[Stage]:
        """Train everything at once."""
        optimiser = torch.optim.Adam(self.parameters(), lr=self.config.rate)
        return [Stage("all", self.config.epochs, (optimiser,), lambda at: 1 - at.epoch / at.epochs, (self,))]

    def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        """Give the cross-entropy of the one domain's identities."""
        logits = self.heads[0](self._features(batch.images))
        return {"identity": functional.cross_entropy(logits, batch.label, label_smoothing=0.1)}

    def embed(self, images: Tensor, context: Context) -> Tensor:
        """Give the features after the neck."""
        return self._features(images)

    def _features(self, images: Tensor) -> Tensor:
        # Each picture's own light is taken out first: by night cameras differ in light more than people in clothes.
        features: Tensor = self.neck(self.body(functional.instance_norm(images, eps=1e-3)))
        return features


def _block(before: int, after: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
