"""IDE (Zheng et al., 2016): a classifier of people over the average of all places, whose input is compared."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from baselines import backbones, optimisers
from baselines.layers.heads import Heads
from benchmark.config import Strict
from benchmark.runner import schedules
from benchmark.runner.interfaces import Batch, Context, Method, Moment, Needs, Stage, World

_Share = Annotated[float, Field(ge=0, lt=1)]
_Positive = Annotated[float, Field(gt=0)]
_NotNegative = Annotated[float, Field(ge=0)]


class Config(Strict):
    """What is said of nothing is as in IDE+ (layumi), of which this is the part without a bottleneck."""

    backbone: str = "resnet50"
    """The network: tiny, resnet18, resnet50, resnet50_ibn_a, vit_base and others."""
    pretrained: str | Literal[False] = "timm"
    """What it begins with: `timm` fetches ImageNet's weights, `street` is what `bench pretrain` made, a file is read,
    false is random."""
    stride: Annotated[int, Field(ge=0)] = 2
    """The last stride of a ResNet (1 or 2), or pixels between the patches of a ViT (12, 16); 0: the backbone's own."""
    drop_path: _Share = 0.0
    """How often a block of a transformer is passed over in training."""
    epochs: Annotated[int, Field(ge=1)] = 60
    """Epochs."""
    optimiser: optimisers.Kind = "sgd"
    """sgd has momentum 0.9, after Nesterov."""
    rate: _Positive = 0.05
    """Learning rate of what is new."""
    backbone_rate: _Positive = 0.005
    """Learning rate of the backbone."""
    weight_decay: _NotNegative = 5e-4
    """Weight decay."""
    by: schedules.By = "epoch"
    """How often the rates move."""
    warmup: _NotNegative = 0
    """Epochs in which they rise, from a hundredth."""
    milestones: schedules.Milestones = (0.667,)
    """When they fall to a tenth: epochs, counted from 1, or, all below 1, the shares of the epochs after which they do.
    """
    smoothing: _Share = 0.0
    """Label smoothing."""
    batch: Annotated[int, Field(ge=2)] = 32
    """Rows of a batch, where the recipe says nothing."""


def build(config: Config, world: World) -> "Ide":
    """Make the network."""
    return Ide(config, world)


class Ide(Method):
    """A backbone and a head a domain."""

    backbone: backbones.Backbone

    def __init__(self, config: Config, world: World) -> None:
        super().__init__()
        self.config = config
        made = backbones.build(
            config.backbone, config.pretrained, world, stride=config.stride, drop_path=config.drop_path
        )
        self.backbone, self.look, self.facts = made, made.look, made.facts
        self.needs = Needs(sampling="shuffle", batch=config.batch, normalise=made.normalise)
        self.heads = Heads(made.dim, world.identities, smoothing=config.smoothing, bias=True)

    def stages(self) -> Sequence[Stage]:
        """Train everything at once, the backbone slower."""
        config = self.config
        groups = [optimisers.group(config.backbone_rate, self.backbone), optimisers.group(config.rate, self.heads)]
        made = optimisers.optimiser(config.optimiser, groups, config.weight_decay, nesterov=True)
        schedule = schedules.steps(config.milestones, warmup=config.warmup, by=config.by)
        return [Stage("train", config.epochs, (made,), schedule, (self,))]

    def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        """Give the identity loss."""
        return {"identity": self.heads.loss(self._feature(batch.images), batch.label, batch.domain)}

    def embed(self, images: Tensor, context: Context) -> Tensor:
        """Give the feature that the classifier sees."""
        return self._feature(images)

    def _feature(self, images: Tensor) -> Tensor:
        return self.backbone.pool(self.backbone(images)).float()
