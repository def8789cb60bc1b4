"""Methods made by hand, whose vectors and slopes a pencil can follow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.runner.extract import How, Trained
from benchmark.runner.interfaces import Batch, Context, Look, Method, Moment, Needs, Stage

SIZE = (16, 8)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
HOW = How(SIZE, "bicubic", (), ("infrared", "visible"), (MEAN, STD), "auto")


class Hand(Method):
    """Maps by one convolution, averaged and mixed; beside it a head that only trains."""

    def __init__(self, dim: int = 5, seed: int = 0, **needs: Any) -> None:  # noqa: ANN401
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.maps = nn.Conv2d(3, 4, 4, 4)
            self.mix = nn.Linear(4, dim, bias=False)
            self.head = nn.Linear(dim, 100)
            self.scale = nn.Parameter(torch.rand(dim))
        self.needs, self.look = Needs(**needs), Look(self.maps)

    def stages(self) -> Sequence[Stage]:
        return [Stage("all", 1, (torch.optim.SGD(self.parameters(), 0.1),), lambda at: 1.0, (self,))]

    def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        logits = self.head(functional.dropout(self.embed(batch.images, context(len(batch.images)))))
        return {"identity": functional.cross_entropy(logits, batch.label)}

    def embed(self, images: Tensor, context: Context) -> Tensor:
        # What writes into its input must not harm what was kept of it.
        found: Tensor = self.mix(functional.relu(self.maps(images), inplace=True).mean((2, 3)))
        return found


class Tokens(Hand):
    """A token for everything, then one a patch, in rows."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Flatten(2)
        self.rows = Turned(nn.Parameter(torch.rand(1, 1, 4)))
        self.look = Look(self.rows, (4, 2))

    def embed(self, images: Tensor, context: Context) -> Tensor:
        found: Tensor = self.mix(self.rows(self.patches(self.maps(images))).mean(1))
        return found


class Turned(nn.Module):
    """B x C x N to B x (1 + N) x C."""

    def __init__(self, first: nn.Parameter) -> None:
        super().__init__()
        self.first = first

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([self.first.expand(len(maps), -1, -1), maps.transpose(1, 2)], 1)


class Colours(Hand):
    """Sees where a picture is red, green or blue, and how much of each there is."""

    def __init__(self, **needs: Any) -> None:  # noqa: ANN401
        super().__init__(3, **needs)
        self.maps = nn.Conv2d(3, 3, 4, 4, bias=False)
        self.maps.weight = nn.Parameter(torch.eye(3)[:, :, None, None].expand(3, 3, 4, 4) / 16)
        self.mix = nn.Linear(3, 3, bias=False)
        self.mix.weight = nn.Parameter(torch.eye(3))
        self.look = Look(self.maps)


def context(pictures: int) -> Context:
    """Say that nothing is known."""
    unknown = torch.full((pictures,), -1)
    return Context(unknown, unknown, unknown)


def pixels(pictures: int, seed: int = 0) -> Tensor:
    """Draw pictures of noise."""
    return torch.from_numpy(np.random.default_rng(seed).random((pictures, 3, *SIZE), dtype=np.float32))


def trained(method: Method, how: How = HOW) -> Trained:
    """Pretend that a method was trained."""
    return Trained(method.eval(), how, {"method": "hand", "ckpt_sha256": "a" * 64})
