"""What a method is, to the loop that trains it. docs/interfaces.md holds these against six published methods.

A method is a `torch.nn.Module` in one file, with a frozen `Config` and `build(config, world)`; it names its stages and
its losses. Data, batches, precision, checkpoints and evaluation are the runner's.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

Triple = tuple[float, float, float]
Sampling = Literal["pk", "pk-pairs", "shuffle"]


@dataclass(frozen=True)
class World:
    """All that a method may know of its data before it sees any."""

    identities: Mapping[str, int]  # training identities of every domain: one classification head each
    cameras: int  # cameras over all domains; 0 where the sets do not say
    modalities: tuple[str, ...]
    size: tuple[int, int]  # height and width of the pictures it is given
    object: str = "person"  # person or vehicle: what a prompt speaks of
    weights: Path = Path("weights")  # the folder in which `pretrained = "street"` is looked for

    @property
    def domains(self) -> tuple[str, ...]:
        """Name the domains; `Batch.domain` counts in this order."""
        return tuple(self.identities)


@dataclass(frozen=True)
class Needs:
    """What a method asks of its batches, of its pixels and of the comparison."""

    sampling: Sampling = "pk"  # pk-pairs: row k of both halves shares its identity (two modalities, or day and night)
    identities: int = 16  # P
    instances: int = 4  # K, in each half
    batch: int = 64  # rows, where the sampling is `shuffle`
    views: tuple[str, ...] = ()  # of `raw`, `parent`, `resized`
    cameras: bool = False  # embedding needs the camera, so the test set must name its cameras
    # `images` are (picture - mean) / std, with the picture in [0, 1]; "data" takes both from the training pictures.
    normalise: tuple[Triple, Triple] | Literal["data"] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    flip: Literal["none", "sum"] = "none"  # sum: a test vector is that of the picture plus that of its mirror image
    score: Literal["cosine", "dot"] = "cosine"


@dataclass(frozen=True)
class Layout:
    """How the rows of a batch are arranged: halves x identities x instances, in this order."""

    halves: tuple[str, ...]
    identities: int
    instances: int


@dataclass(frozen=True)
class Batch:
    """Rows on one device. Where pixels are given, they are B x 3 x H x W."""

    images: Tensor  # augmented and normalised
    label: Tensor  # training label within the row's domain
    person: Tensor  # who it is over all domains: what a loss that compares rows calls the same
    domain: Tensor  # position in World.domains
    camera: Tensor  # position over all domains; -1 unknown
    modality: Tensor  # position in World.modalities
    night: Tensor  # 1 night, 0 day, -1 unknown
    row: Tensor  # position in the training manifest: the key to what `before_stage` kept of a picture
    layout: Layout | None  # None where rows were shuffled
    # All in [0, 1]. `raw`: after geometry (flip, pad, crop), before erasing, colour and normalisation. `parent`: the
    # daytime image a synthetic row was made from, under the very same geometry. `resized`: before any geometry.
    views: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """What is known of pictures when they are embedded: no labels."""

    camera: Tensor
    modality: Tensor
    night: Tensor
    views: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Moment:
    """Where training stands."""

    stage: str
    epoch: int  # within the stage
    step: int  # within the stage
    epochs: int  # of the stage
    steps_per_epoch: int  # of this epoch: epochs may differ in length
    place: int = 0  # within the epoch


@dataclass(frozen=True)
class Stage:
    """A stretch of training: its optimisers, how their rates move, and which parts learn."""

    name: str
    epochs: int
    optimisers: tuple[torch.optim.Optimizer, ...]
    # Multiplies every group's own rate; a group that keeps its own time has a key `schedule` with such a function.
    schedule: Callable[[Moment], float]
    # Their parameters get gradients, all others none; but what was frozen when the method was built stays frozen.
    trainable: tuple[nn.Module, ...]
    in_train_mode: tuple[nn.Module, ...] | None = None  # default: what is trainable; all others are in eval mode
    sampling: Sampling | None = None  # where it differs from Needs: a second stage may want plain shuffling
    images: bool = True  # False: the stage learns from what `before_stage` kept and is given no pixels


@dataclass(frozen=True)
class Look:
    """Where a method looks: the module whose output an activation map is drawn from."""

    module: nn.Module
    grid: tuple[int, int] | None = None  # None: the output is B x C x h x w; else tokens, of which the last h*w are it


class TrainingSet(Protocol):
    """The training pictures, for a method that must look at all of them before a stage."""

    def plain(self) -> Iterator[Batch]:
        """Pass once over every picture, in order, without augmentation."""
        ...


class Method(nn.Module, ABC):
    """What the runner calls. A method that needs nothing before a stage or after a step leaves those two out."""

    needs: Needs
    backbone: nn.Module | None  # what `bench pretrain` keeps
    look: Look | None  # None: no activation map can be drawn
    facts: Mapping[str, Any]  # of itself, under names of run/1: backbone, pretrain_sha256, ...

    def __init__(self) -> None:
        # Not on the class: there it would hide the module that is registered under the same name.
        super().__init__()
        self.backbone, self.look, self.facts = None, None, {}

    @abstractmethod
    def stages(self) -> Sequence[Stage]:
        """Build the optimisers and say in which order what is trained."""

    @abstractmethod
    def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        """Give the weighted terms; their sum is minimised, and each is logged under its name."""

    @abstractmethod
    def embed(self, images: Tensor, context: Context) -> Tensor:
        """Give one vector a picture; a fused score is a concatenation with square-root weights."""

    def before_stage(self, stage: Stage, data: TrainingSet) -> None:
        """Prepare a stage, for instance by a pass over all training pictures."""

    def after_step(self, at: Moment) -> None:
        """Act after the optimisers, for instance move an average."""
