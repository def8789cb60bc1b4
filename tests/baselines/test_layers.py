"""Layers against slow twins in float64."""

import math
from collections.abc import Iterable

import pytest
import torch
from torch import Tensor, nn

from baselines.layers.heads import Heads
from baselines.layers.neck import Bottleneck, Neck

torch.set_num_threads(1)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def heads(*, smoothing: float = 0.1, bias: bool = False) -> Heads:
    torch.manual_seed(0)
    made = Heads(5, {"one": 4, "two": 3}, smoothing=smoothing, bias=bias).double()
    for weight in made.parameters():
        nn.init.normal_(weight)
    return made


def slow_identity(made: Heads, features: Tensor, label: Tensor, domain: Tensor, smoothing: float) -> float:
    """Compare with the smoothed one-hot target, row by row and class by class."""
    total = 0.0
    for feature, own, which in zip(features, label.tolist(), domain.tolist(), strict=True):
        head = list(made.heads)[which]
        assert isinstance(head, nn.Linear)
        shift = [0.0] * len(head.weight) if head.bias is None else head.bias.tolist()
        scores = [
            sum(a * b for a, b in zip(feature.tolist(), row, strict=True)) + add
            for row, add in zip(head.weight.tolist(), shift, strict=True)
        ]
        norm = math.log(sum(math.exp(score) for score in scores))
        for place, score in enumerate(scores):
            target = (1 - smoothing) * (place == own) + smoothing / len(scores)
            total -= target * (score - norm)
    return total / len(label)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("domain", [[0, 1, 0, 1, 1, 0], [0] * 6, [1] * 6])
def test_every_row_is_judged_by_its_own_domains_head(domain: list[int], smoothing: float, bias: bool) -> None:
    made, features = heads(smoothing=smoothing, bias=bias), drawn(6, 5)
    label, which = torch.tensor([0, 2, 1, 1, 0, 2]), torch.tensor(domain)
    slow = slow_identity(made, features, label, which, smoothing)
    assert made.loss(features, label, which).item() == pytest.approx(slow, rel=1e-9)


def test_a_head_without_rows_has_no_slope_and_no_nan() -> None:
    made, features = heads(), drawn(6, 5).requires_grad_()
    torch.autograd.backward(made.loss(features, torch.tensor([0, 1, 2, 3, 0, 1]), torch.zeros(6, dtype=torch.long)))
    slopes = [weight.grad for weight in made.parameters()]
    assert all(slope is not None and torch.isfinite(slope).all() for slope in slopes)
    assert [bool(slope.any()) for slope in slopes if slope is not None] == [True, False]


def test_the_slope_of_the_heads_is_that_of_their_values() -> None:
    made, label, domain = heads(), torch.tensor([0, 2, 1]), torch.tensor([0, 1, 0])
    assert torch.autograd.gradcheck(lambda rows: made.loss(rows, label, domain), (drawn(3, 5).requires_grad_(),))


def test_what_is_kept_of_heads_is_their_weights() -> None:
    assert set(heads().state_dict()) == {"heads.0.weight", "heads.1.weight"}


def slow_normalised(column: Iterable[float], scale: float, shift: float) -> list[float]:
    values = list(column)
    mean = sum(values) / len(values)
    spread = sum((value - mean) ** 2 for value in values) / len(values)
    return [scale * (value - mean) / math.sqrt(spread + 1e-5) + shift for value in values]


def test_the_neck_is_its_slow_twin_and_has_no_bias() -> None:
    neck, features = Neck(3).double(), drawn(7, 3)
    nn.init.normal_(neck.weight)
    slow = [slow_normalised(features[:, place].tolist(), neck.weight.tolist()[place], 0.0) for place in range(3)]
    torch.testing.assert_close(neck(features), torch.tensor(slow, dtype=torch.float64).T)
    assert [name for name, _ in neck.named_parameters()] == ["weight"]


def test_the_neck_in_use_normalises_by_what_it_saw() -> None:
    neck, seen = Neck(3), drawn(50, 3).float() * 2 + 3
    for _ in range(200):
        neck(seen)
    neck.eval()
    expected = (seen - seen.mean(0)) / (seen.var(0) + 1e-5).sqrt()
    torch.testing.assert_close(neck(seen), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(neck(seen[:1]), neck(seen)[:1])


def test_the_slope_of_the_neck_is_that_of_its_values() -> None:
    neck = Neck(3).double()
    assert torch.autograd.gradcheck(lambda rows: neck(rows), (drawn(5, 3).requires_grad_(),))


def test_the_bottleneck_is_its_slow_twin() -> None:
    torch.manual_seed(0)
    made, features = Bottleneck(4, 2).double(), drawn(6, 4)
    columns = []
    for place in range(2):
        weight, add = made.reduce.weight[place].tolist(), made.reduce.bias.tolist()[place]
        reduced = [sum(a * b for a, b in zip(row, weight, strict=True)) + add for row in features.tolist()]
        columns.append(slow_normalised(reduced, made.norm.weight.tolist()[place], made.norm.bias.tolist()[place]))
    torch.testing.assert_close(made(features), torch.tensor(columns, dtype=torch.float64).T)


def test_necks_and_heads_compute_in_full_where_all_else_is_short() -> None:
    features = drawn(8, 5).float()
    plain, short = Neck(5)(features), Neck(5)
    made = heads().float()
    label, domain = torch.arange(8) % 3, torch.arange(8) % 2
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(short(features), plain)
        inside = made.loss(features, label, domain)
        assert Bottleneck(5, 2)(features).dtype == torch.float32
    assert torch.equal(inside, made.loss(features, label, domain))
