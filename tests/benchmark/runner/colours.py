"""A method for tests: a picture's vector is a small network's view of its mean colours."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.config import Strict
from benchmark.runner.interfaces import Batch, Context, Look, Method, Moment, Needs, Stage, World


class Config(Strict):
    """How long, how fast, and what goes wrong."""

    epochs: int = 3
    rate: float = 0.01
    flip: bool = False
    cameras: bool = False
    breaks_at: int = -1


def build(config: Config, world: World) -> "Colours":
    """Make it."""
    return Colours(config, world)


class Colours(Method):
    """Two convolutions, means, a head a domain."""

    backbone: nn.Module

    def __init__(self, config: Config, world: World) -> None:
        super().__init__()
        self.config = config
        self.needs = Needs(identities=4, instances=2, flip="sum" if config.flip else "none", cameras=config.cameras)
        self.backbone = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
        self.heads = nn.ModuleList(nn.Linear(16, count) for count in world.identities.values())
        self.look, self.facts = Look(self.backbone), {"backbone": "colours", "licence": "MIT"}

    def stages(self) -> Sequence[Stage]:
        """Train everything."""
        return [
            Stage("all", self.config.epochs, (torch.optim.Adam(self.parameters(), self.config.rate),), _same, (self,))
        ]

    def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        """Sum the cross-entropy of every domain that is there."""
        made = self.embed(batch.images, Context(batch.camera, batch.modality, batch.night))
        total = made.sum() * 0
        for number, head in enumerate(self.heads):
            rows = batch.domain == number
            if rows.any():
                total = total + functional.cross_entropy(head(made[rows]), batch.label[rows])
        return {"identity": total * (float("nan") if at.step == self.config.breaks_at else 1.0)}

    def embed(self, images: Tensor, context: Context) -> Tensor:
        """Give the means of the upper and the lower half."""
        return functional.adaptive_avg_pool2d(self.backbone(images), (2, 1)).flatten(1)


def _same(at: Moment) -> float:
    return 1.0
