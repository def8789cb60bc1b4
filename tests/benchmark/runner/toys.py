"""A toy to train: a small network in float64 without batch statistics, and pictures made of numbers."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam, Optimizer

from benchmark.runner import distributed, loop
from benchmark.runner.batches import Plan, Step, share
from benchmark.runner.distributed import Group
from benchmark.runner.interfaces import Batch, Context, Layout, Method, Moment, Needs, Sampling, Stage, TrainingSet
from benchmark.runner.loader import Loader
from benchmark.runner.recipe import Loop

PEOPLE, EACH, P, K = 24, 8, 8, 4
SHAPE = (3, 4, 2)
TIMES = ("images_per_s", "waited")

Kind = TypeVar("Kind", bound="Toy")

LABEL = torch.arange(PEOPLE).repeat_interleave(EACH)


def pictures() -> Tensor:
    """Make people who differ, under noise."""
    rng = np.random.default_rng(0)
    people, noise = rng.normal(size=(PEOPLE, 1, *SHAPE)), rng.normal(size=(PEOPLE, EACH, *SHAPE))
    return torch.from_numpy((people + 0.7 * noise).reshape(-1, *SHAPE).astype(np.float32))


class Batches:
    """Stands for the plan: three batches of P x K an epoch, or six shuffled ones."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.asked: list[tuple[int, int, str]] = []

    def epoch(self, stage: int, epoch: int, sampling: Sampling) -> list[Step]:
        self.asked.append((stage, epoch, sampling))
        rng = np.random.default_rng((self.seed, stage, epoch))
        if sampling == "shuffle":
            return [Step(rows, None) for rows in rng.permutation(len(LABEL)).reshape(6, -1)]
        people = rng.permutation(PEOPLE).reshape(-1, P)
        layout = Layout(("all",), P, K)
        return [Step(self._rows(rng, chosen), layout) for chosen in people]

    def _rows(self, rng: np.random.Generator, people: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.concatenate([person * EACH + rng.choice(EACH, K, replace=False) for person in people])


class Pictures:
    """Stands for the loader; every batch given is remembered."""

    def __init__(self, rank: int = 0, world: int = 1) -> None:
        self.rank, self.world, self.pixels = rank, world, pictures()
        self.waited = 0.0
        self.given: list[tuple[int, int, int]] = []

    def epoch(
        self, steps: Sequence[Step], stage: int, epoch: int, first: int = 0, images: bool = True
    ) -> Iterator[Batch]:
        for number in range(first, len(steps)):
            places, layout = share(steps[number], self.rank, self.world)
            self.given.append((stage, epoch, number))
            yield self.batch(torch.from_numpy(steps[number].rows[places]), layout, images)

    def plain(self) -> Iterator[Batch]:
        for rows in torch.split(torch.arange(len(LABEL)), 32):
            yield self.batch(rows, None, True)

    def batch(self, rows: Tensor, layout: Layout | None, images: bool) -> Batch:
        none = torch.zeros_like(rows)
        pixels = self.pixels[rows] if images else torch.empty((0, *SHAPE))
        return Batch(pixels, LABEL[rows], LABEL[rows], none, none, none, none, rows, layout)


class Toy(Method):
    """A network with a bias that it froze itself, a head, and triplets that are mined over all processes."""

    backbone: nn.Sequential

    def __init__(self, drop: float = 0.0, norm: bool = False) -> None:
        super().__init__()
        self.needs = Needs(identities=P, instances=K)
        wide = int(np.prod(SHAPE))
        self.backbone = nn.Sequential(nn.Flatten(), nn.Linear(wide, 16), nn.LayerNorm(16), nn.Tanh(), nn.Dropout(drop))
        self.neck = nn.BatchNorm1d(16) if norm else nn.LayerNorm(16)
        self.neck.bias.requires_grad_(False)
        self.head = nn.Linear(16, PEOPLE, bias=False)
        self.double()
        self.seen: list[Moment] = []

    def stages(self) -> Sequence[Stage]:
        return [Stage("all", 4, (self.adam(),), lambda at: 1 - at.step / 40, (self,))]

    def adam(self, *modules: nn.Module, rate: float = 0.01) -> Optimizer:
        return Adam([one for module in modules or (self,) for one in module.parameters()], lr=rate)

    def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        self.seen.append(at)
        found = self.backbone(batch.images.double())
        logits = self.head(self.neck(found))
        return {
            "identity": functional.cross_entropy(logits, batch.label),
            "triplet": batch_hard(distributed.everyone(found), distributed.everyone_plain(batch.person)),
        }

    def embed(self, images: Tensor, context: Context) -> Tensor:
        found: Tensor = self.neck(self.backbone(images.double()))
        return found


def batch_hard(found: Tensor, label: Tensor) -> Tensor:
    """Give the batch-hard triplet loss with a margin of 0.3."""
    far = (found[:, None] - found[None]).square().sum(2).add(1e-12).sqrt()
    same = label[:, None] == label[None]
    positive = far.masked_fill(~same, -torch.inf).amax(1)
    negative = far.masked_fill(same, torch.inf).amin(1)
    return functional.relu(positive - negative + 0.3).mean()


def toy(**options: Any) -> Toy:  # noqa: ANN401
    """Make a toy; its weights are the same every time."""
    return make(Toy, **options)


def make(kind: type[Kind], **options: Any) -> Kind:  # noqa: ANN401
    """Make a toy of a kind."""
    torch.manual_seed(3)
    return kind(**options)


def options(**changed: Any) -> Loop:  # noqa: ANN401
    """Give the loop's options: no short floats, a line every third step."""
    return Loop.model_validate({"precision": "fp32", "log_every": 3, **changed})


def fit(
    method: Method,
    folder: Path,
    changed: Loop | None = None,
    group: Group | None = None,
    validate: Callable[[Method], float] | None = None,
    limit: int | None = None,
    loader: Pictures | None = None,
) -> loop.Outcome:
    """Train a toy."""
    group = group or Group()
    given = cast(Loader, loader or Pictures(group.rank, group.world))
    plan = cast(Plan, Batches(7))
    return loop.fit(method, plan, given, changed or options(), 7, folder, group, validate, limit)


def weights(method: nn.Module) -> dict[str, Tensor]:
    """Copy a network's weights."""
    return {name: tensor.detach().clone() for name, tensor in method.state_dict().items()}


def require_same(left: dict[str, Tensor], right: dict[str, Tensor]) -> None:
    """Compare bit for bit."""
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(left[name], right[name]), name


def lines(folder: Path) -> list[dict[str, Any]]:
    """Read the log without its times."""
    found = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in TIMES} for line in found]


class Prepared(Toy):
    """A toy of two stages that looks at all pictures before each, and changes weights there."""

    def __init__(self) -> None:
        super().__init__(drop=0.2)
        self.mean = nn.Buffer(torch.zeros(16, dtype=torch.float64))
        self.kept = torch.zeros(0)  # not in the state dict: made again where a training goes on

    def stages(self) -> Sequence[Stage]:
        one = Stage("head", 2, (self.adam(self.head),), lambda at: 1.0, (self.head,), sampling="shuffle", images=False)
        two = Stage("all", 3, (self.adam(), torch.optim.SGD(self.neck.parameters(), 0.1)), lambda at: 1.0, (self,))
        return [one, two]

    @torch.no_grad()
    def before_stage(self, stage: Stage, data: TrainingSet) -> None:
        self.kept = torch.cat([self.backbone(batch.images.double()) for batch in data.plain()])
        self.head.weight.add_(0.01 * torch.randn_like(self.head.weight))

    def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        if at.stage == "all":
            old = functional.mse_loss(self.backbone(batch.images.double()), self.kept[batch.row])
            return super().losses(batch, at) | {"old": 0.1 * old}
        assert not len(batch.images)
        return {"identity": functional.cross_entropy(self.head(self.kept[batch.row]), batch.label)}

    @torch.no_grad()
    def after_step(self, at: Moment) -> None:
        self.mean.lerp_(self.kept.mean(0), 0.1)
