"""BoT (Luo et al., CVPRW 2019): a strong baseline of small tricks.

Identity loss on the feature after a batch normalisation without bias, batch-hard triplets and a centre loss on the
feature before it; the feature after it is compared.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from baselines import backbones, optimisers
from baselines.layers.heads import Heads
from baselines.layers.neck import Neck
from baselines.losses.center import Centres
from baselines.losses.triplet import batch_hard
from benchmark.config import Strict
from benchmark.runner import distributed, schedules
from benchmark.runner.interfaces import Batch, Context, Method, Moment, Needs, Stage, World

_Share = Annotated[float, Field(ge=0, lt=1)]
_Positive = Annotated[float, Field(gt=0)]
_NotNegative = Annotated[float, Field(ge=0)]


class Config(Strict):
    """What is said of nothing is as published."""

    backbone: str = "resnet50"
    """The network: tiny, resnet18, resnet50, resnet50_ibn_a, vit_base and others."""
    pretrained: str | Literal[False] = "timm"
    """What it begins with: `timm` fetches ImageNet's weights, `street` is what `bench pretrain` made, a file is read,
    false is random."""
    stride: Annotated[int, Field(ge=0)] = 1
    """The last stride of a ResNet (1 or 2), or pixels between the patches of a ViT (12, 16); 0: the backbone's own."""
    drop_path: _Share = 0.0
    """How often a block of a transformer is passed over in training."""
    epochs: Annotated[int, Field(ge=1)] = 120
    """Epochs."""
    optimiser: optimisers.Kind = "adam"
    """adam, adamw or sgd."""
    momentum: _Share = 0.9
    """Of `sgd`."""
    rate: _Positive = 3.5e-4
    """Learning rate."""
    backbone_rate: _Positive = 1.0
    """What it is multiplied by for the backbone."""
    bias_rate: _Positive = 1.0
    """What it is multiplied by for biases."""
    weight_decay: _NotNegative = 5e-4
    """Weight decay."""
    norm_decay: bool = True
    """Whether normalisations and biases decay, too."""
    freeze_epochs: Annotated[int, Field(ge=0)] = 0
    """The first of the epochs, in which the backbone is frozen; the rate moves as if it were not."""
    schedule: Literal["steps", "cosine"] = "steps"
    """How the rate falls."""
    by: schedules.By = "epoch"
    """How often the rate moves."""
    warmup: _NotNegative = 10
    """Epochs in which the rate rises."""
    warmup_start: _Share = 0.01
    """The share of the rate it rises from."""
    milestones: schedules.Milestones = (40, 70)
    """Of `steps`: the epochs at which the rate falls, counted from 1; all below 1: the shares of the epochs after which
    it falls, which fit any number of them."""
    gamma: _Positive = 0.1
    """Of `steps`: by what."""
    floor: _Share = 0.0
    """Of `cosine`: the share of the rate it ends at."""
    smoothing: _Share = 0.1
    """Label smoothing."""
    triplet: _NotNegative = 1.0
    """Weight of the triplet loss; 0: none."""
    margin: _NotNegative | Literal["soft"] = 0.3
    """Of the triplet loss; `soft`: log(1 + exp) without one."""
    centre: _NotNegative = 0.0005
    """Weight of the centre loss; 0: none."""
    centre_rate: _Positive = 0.5
    """The centres' own learning rate, which neither warm-up nor milestones move."""
    neck: bool = True
    """Batch normalisation between the metric and the classifier; false: one feature for both."""
    identities: Annotated[int, Field(ge=2)] = 16
    """P, where the recipe says nothing."""
    instances: Annotated[int, Field(ge=1)] = 4
    """K, where the recipe says nothing."""

    @model_validator(mode="after")
    def _thaws(self) -> "Config":
        if self.freeze_epochs >= self.epochs:
            raise ValueError(f"freeze_epochs = {self.freeze_epochs} must be less than epochs = {self.epochs}")
        return self


def build(config: Config, world: World) -> "BoT":
    """Make the network."""
    return BoT(config, world)


class BoT(Method):
    """A backbone, a neck, a head a domain."""

    backbone: backbones.Backbone

    def __init__(self, config: Config, world: World) -> None:
        super().__init__()
        self.config = config
        made = backbones.build(
            config.backbone, config.pretrained, world, stride=config.stride, drop_path=config.drop_path
        )
        self.backbone, self.look, self.facts = made, made.look, made.facts
        self.needs = Needs(identities=config.identities, instances=config.instances, normalise=made.normalise)
        self.neck = Neck(made.dim) if config.neck else nn.Identity()
        self.heads = Heads(made.dim, world.identities, smoothing=config.smoothing)
        self.centres = Centres(made.dim, world.identities) if config.centre else None

    def stages(self) -> Sequence[Stage]:
        """Train everything at once, or first without the backbone; the centres have an optimiser of their own."""
        made, moves = self._optimisers(), _schedule(self.config)
        every, frozen = self.config.epochs, self.config.freeze_epochs
        stages = [Stage("train", every - frozen, made, schedules.within(moves, frozen, every), (self,))]
        if frozen:
            # The same optimisers, so that what has gathered momentum keeps it; they pass over what has no gradient.
            new = tuple(part for part in (self.neck, self.heads, self.centres) if part is not None)
            stages.insert(0, Stage("frozen", frozen, made, schedules.within(moves, 0, every), new))
        return stages

    def _optimisers(self) -> tuple[torch.optim.Optimizer, ...]:
        config = self.config
        slow = config.rate * config.backbone_rate
        parts = [(slow, self.backbone), (config.rate, self.neck), (config.rate, self.heads)]
        every = optimisers.groups(parts, config.weight_decay, bias_rate=config.bias_rate, norm_decay=config.norm_decay)
        made = [optimisers.optimiser(config.optimiser, every, config.weight_decay, momentum=config.momentum)]
        if self.centres is not None:
            own = optimisers.group(config.centre_rate, self.centres, schedule=schedules.constant())
            made.append(torch.optim.SGD([own]))
        return tuple(made)

    def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        """Give identity, triplet and centre loss."""
        config, found = self.config, self.backbone.pool(self.backbone(batch.images)).float()
        terms = {"identity": self.heads.loss(self.neck(found), batch.label, batch.domain)}
        if config.triplet:
            # The hardest rows are looked for in the whole batch, wherever its rows are computed.
            everyone = distributed.everyone(found), distributed.everyone_plain(batch.person)
            terms["triplet"] = config.triplet * batch_hard(*everyone, config.margin)
        if self.centres is not None:
            terms["centre"] = self.centres(found, batch.person, config.centre)
        return terms

    def embed(self, images: Tensor, context: Context) -> Tensor:
        """Give the feature after the neck."""
        found: Tensor = self.neck(self.backbone.pool(self.backbone(images)).float())
        return found


def _schedule(config: Config) -> schedules.Schedule:
    if config.schedule == "cosine":
        return schedules.cosine(config.floor, warmup=config.warmup, start=config.warmup_start, by=config.by)
    return schedules.steps(
        config.milestones, config.gamma, warmup=config.warmup, start=config.warmup_start, by=config.by
    )
