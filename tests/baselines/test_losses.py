"""Losses against slow twins in float64, by hand where it can be done by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from baselines.losses.center import Centres
from baselines.losses.triplet import batch_hard

torch.set_num_threads(1)


def drawn(rows: int, dim: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow_triplet(features: Tensor, identity: Tensor, margin: float | str) -> Tensor:
    """Look at every pair of rows in turn."""
    rows = [list(map(float, row)) for row in features]
    terms = []
    for one, here in zip(rows, identity, strict=True):
        distances = [(math.dist(one, other), bool(here == there)) for other, there in zip(rows, identity, strict=True)]
        others = [far for far, same in distances if not same]
        if not others:
            continue
        gap = max(far for far, same in distances if same) - min(others)
        terms.append(math.log1p(math.exp(gap)) if margin == "soft" else max(0.0, gap + float(margin)))
    return torch.tensor(sum(terms) / len(terms) if terms else 0.0, dtype=torch.float64)


MARGINS: list[float | str] = [0.0, 0.3, 2.0, "soft"]


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("identity", [[0, 0, 1, 1, 2, 2, 2, 3], [0, 0, 0, 0, 1], [5, 5], [0, 1, 2, 3]])
def test_batch_hard_is_its_slow_twin(identity: list[int], margin: float) -> None:
    features, people = drawn(len(identity), 6), torch.tensor(identity)
    # 1e-6: a row's distance to itself, as published.
    slow = slow_triplet(features, people, margin)
    torch.testing.assert_close(batch_hard(features, people, margin), slow, rtol=1e-9, atol=1e-6)


def test_batch_hard_by_hand() -> None:
    # On a line: 0 and 1 are one person, 3 and 7 another. Only 3 has its own farther (4) than the other's nearest (2).
    features, people = torch.tensor([[0.0], [1.0], [3.0], [7.0]], requires_grad=True), torch.tensor([0, 0, 1, 1])
    loss = batch_hard(features, people, 0.3)
    torch.autograd.backward(loss)
    assert loss.item() == pytest.approx(2.3 / 4)
    # d(4 - 2 + 0.3) / 4: away from 7 costs, towards 1 costs.
    assert features.grad is not None
    assert features.grad.flatten().tolist() == pytest.approx([0.0, 0.25, -0.5, 0.25])


@pytest.mark.parametrize("margin", MARGINS)
def test_the_slope_of_batch_hard_is_that_of_its_values(margin: float) -> None:
    people = torch.tensor([0, 0, 1, 1, 2, 2])
    features = drawn(6, 4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda rows: batch_hard(rows, people, margin), (features,))


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(8)), st.integers(0, 100))
def test_the_order_of_rows_is_nothing_to_batch_hard(order: list[int], seed: int) -> None:
    features, people = drawn(8, 3, seed), torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])
    torch.testing.assert_close(batch_hard(features[order], people[order]), batch_hard(features, people))


def test_rows_that_nobody_else_stands_beside_add_nothing_and_break_nothing() -> None:
    features = drawn(4, 3).requires_grad_()
    loss = batch_hard(features, torch.tensor([7, 7, 7, 7]), 0.3)
    torch.autograd.backward(loss)
    assert loss.item() == 0
    assert features.grad is not None
    assert not features.grad.any()


def test_equal_pictures_leave_the_slope_finite() -> None:
    features = torch.ones(4, 3, requires_grad=True)
    loss = batch_hard(features, torch.tensor([0, 0, 1, 1]), 0.3)
    torch.autograd.backward(loss)
    assert loss.item() == pytest.approx(0.3)
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


def test_distances_of_features_far_from_zero_are_not_rounded_away() -> None:
    # Squares of 1000 plus or minus less than 1 have no digits left for the difference, were they subtracted.
    features, people = drawn(16, 8) / 100 + 1000, torch.arange(4).repeat_interleave(4)
    near = features.float().double()
    with torch.autocast("cpu", torch.bfloat16):
        found = batch_hard(features.float(), people, 0.3)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(slow_triplet(near, people, 0.3).item(), rel=1e-5)


def test_centres_are_their_slow_twin_and_learn_at_their_own_rate() -> None:
    torch.manual_seed(0)
    centres, weight = Centres(3, {"one": 4, "two": 2}).double(), 0.0005
    features, people = drawn(5, 3).requires_grad_(), torch.tensor([0, 5, 5, 2, 0])
    loss = centres(features, people, weight)
    torch.autograd.backward(loss)
    table, slope, moved = centres.table.detach(), torch.zeros(5, 3).double(), torch.zeros(6, 3).double()
    total = 0.0
    for row, person in enumerate(people.tolist()):
        for channel in range(3):
            gap = float(features.detach()[row, channel] - table[person, channel])
            total += weight * gap**2 / 5
            slope[row, channel] = weight * 2 * gap / 5
            moved[person, channel] -= 2 * gap / 5  # without the weight, as BoT's optimiser of the centres sees it
    assert loss.item() == pytest.approx(total)
    assert features.grad is not None
    assert centres.table.grad is not None
    torch.testing.assert_close(features.grad, slope)
    torch.testing.assert_close(centres.table.grad, moved)


def test_a_centre_of_one_row_lands_on_it_in_one_step_at_the_published_rate() -> None:
    centres, feature = Centres(2, {"one": 3}), torch.tensor([[0.25, -4.0]])
    before = centres.table.detach().clone()
    optimiser = torch.optim.SGD(centres.parameters(), lr=0.5)
    torch.autograd.backward(centres(feature, torch.tensor([1]), 0.0005))
    optimiser.step()
    torch.testing.assert_close(centres.table[1].detach(), feature[0])
    assert torch.equal(centres.table[[0, 2]].detach(), before[[0, 2]])
