"""The law: what the counter counts over one step is the sum over the layers by formula; and what embedding reads."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.runner import flops
from benchmark.runner.interfaces import Batch, Context, Moment
from tests.benchmark.runner import hand
from tests.benchmark.runner.hand import SIZE, Hand

ROWS = 4
AT = Moment("all", 0, 0, 1, 1)


class Block(nn.Module):
    """Two convolutions and a way round them."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
        )
        self.second = nn.Sequential(nn.Conv2d(after, after, 3, 1, 1), nn.BatchNorm2d(after))
        self.round = nn.Conv2d(before, after, 1, stride) if before != after else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        found: Tensor = functional.relu(self.second(self.first(maps)) + self.round(maps))
        return found


class Attention(nn.Module):
    """Heads that look at all tokens, written out."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads, self.ask, self.give = heads, nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.ask(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1)
        found: Tensor = tokens + self.give((weights @ value).transpose(1, 2).flatten(2))
        return found


class Fused(Attention):
    """The same in one operation."""

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.ask(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(query, key, value)
        return tokens + torch.as_tensor(self.give(found.transpose(1, 2).flatten(2)))


def convolutional() -> nn.Module:
    blocks = [Block(8, 8, 1), Block(8, 16, 2), Block(16, 32, 2)]
    stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 5))


class Transformer(nn.Module):
    """Patches, places, two blocks, the mean."""

    def __init__(self, attention: type[Attention] = Attention) -> None:
        super().__init__()
        self.patches, self.places = nn.Conv2d(3, 12, 4, 4), nn.Parameter(torch.rand(1, 8, 12))
        parts = [[attention(12, 3), nn.LayerNorm(12), nn.Linear(12, 24), nn.GELU(), nn.Linear(24, 12)] for _ in "ab"]
        self.blocks = nn.Sequential(*parts[0], *parts[1])
        self.last = nn.Linear(12, 5)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2) + self.places
        found: Tensor = self.last(self.blocks(tokens).mean(1))
        return found


class Wrapped(Hand):
    """Any network, with a classifier over it."""

    def __init__(self, network: nn.Module, **needs: Any) -> None:  # noqa: ANN401
        super().__init__(**needs)
        self.network, self.maps, self.mix, self.look = network, nn.Identity(), nn.Identity(), None  # type: ignore[assignment]

    def embed(self, images: Tensor, context: Context) -> Tensor:
        found: Tensor = self.network(images)
        return found


def batch() -> Batch:
    label = torch.arange(ROWS)
    return Batch(hand.pixels(ROWS), label, label, label * 0, label * 0, label * 0, label * 0, label, None)


def by_formula(method: Hand, run: Any) -> tuple[int, int]:  # noqa: ANN401
    """Add the layers up: forward, and backward to weights and to what came in, which pictures do not need."""
    forward = backward = 0

    def count(module: nn.Module, given: tuple[Tensor], made: Tensor) -> None:
        nonlocal forward, backward
        if isinstance(module, nn.Conv2d):
            rows, channels, height, width = made.shape
            taps = module.kernel_size[0] * module.kernel_size[1] * module.in_channels // module.groups
            once = 2 * rows * channels * height * width * taps
        elif isinstance(module, nn.Linear):
            once = 2 * given[0].numel() * module.out_features
        elif isinstance(module, Attention):
            rows, tokens, dim = given[0].shape
            once = 2 * 2 * rows * tokens * tokens * dim  # two products, of all heads together
        else:
            return
        forward += once
        backward += once * (2 if given[0].requires_grad else 1)

    handles = [module.register_forward_hook(count) for module in method.modules()]
    run()
    for handle in handles:
        handle.remove()
    return forward, backward


@pytest.mark.parametrize("network", [convolutional, Transformer])
def test_a_step_costs_the_sum_over_its_layers(network: Any) -> None:  # noqa: ANN401
    method = Wrapped(network())
    forward, backward = by_formula(method, lambda: method.losses(batch(), AT))
    assert flops.step(method, batch(), AT) == forward + backward


@pytest.mark.parametrize("network", [convolutional, Transformer])
def test_a_picture_costs_the_sum_over_the_layers_that_embed(network: Any) -> None:  # noqa: ANN401
    method = Wrapped(network())
    forward, _ = by_formula(method, lambda: method.eval().embed(hand.pixels(1), hand.context(1)))
    cost = flops.embedding(method, SIZE)
    assert cost.gflops == forward / 1e9
    assert cost.params_m == sum(value.numel() for value in method.network.parameters()) / 1e6


def test_fused_attention_costs_what_it_costs_written_out() -> None:
    plain, fused = (Wrapped(Transformer(kind)) for kind in (Attention, Fused))
    assert flops.embedding(plain, SIZE) == flops.embedding(fused, SIZE)


def test_mirror_images_are_not_counted() -> None:
    assert flops.embedding(Hand(flip="sum"), SIZE) == flops.embedding(Hand(), SIZE)


class Odd(Hand):
    """Reads a parameter by itself, and asks another for its shape and device only."""

    def embed(self, images: Tensor, context: Context) -> Tensor:
        vectors = super().embed(images.to(self.head.weight.device), context)[:, : self.head.weight.shape[1]]
        return torch.cat([vectors * self.scale, context.views["raw"].mean((2, 3))], 1)


def test_parameters_that_embedding_reads_are_named() -> None:
    embeds = {"maps.weight", "maps.bias", "mix.weight"}
    assert flops.used(Hand(), SIZE) == embeds
    assert flops.used(Odd(views=("raw",)), SIZE) == embeds | {"scale"}


def test_frozen_parameters_count_and_modes_come_back() -> None:
    method = Hand().train().requires_grad_(False)
    method.mix.eval()
    cost = flops.embedding(method, SIZE)
    assert cost.params_m == (3 * 4 * 16 + 4 + 4 * 5) / 1e6
    assert [method.training, method.mix.training, method.maps.training] == [True, False, True]


def test_counting_a_step_changes_nothing() -> None:
    method = Wrapped(convolutional()).train()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    flops.step(method, batch(), AT)
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    assert all(value.grad is None for value in method.parameters())
    assert method.training
