"""The contract that every file in baselines/methods keeps."""

import importlib

import pytest
import torch

from benchmark.plugins import Room
from benchmark.runner.interfaces import Batch, Context, Layout, Method, Moment, World

SIZE = (64, 32)
METHODS = Room("baselines.methods", "method").names()


def world() -> World:
    return World({"one": 6, "two": 5}, cameras=3, modalities=("visible",), size=SIZE)


def build(name: str) -> Method:
    torch.manual_seed(0)
    module = importlib.import_module(f"baselines.methods.{name}")
    method = module.build(module.Config(), world())
    assert isinstance(method, Method)
    return method


def batch(identities: int, instances: int) -> Batch:
    torch.manual_seed(1)
    count = identities * instances
    raw = torch.rand(count, 3, *SIZE)
    label = torch.arange(identities).repeat_interleave(instances)
    zero = torch.zeros(count, dtype=torch.long)
    layout = Layout(("all",), identities, instances)
    return Batch((raw - 0.5) / 0.5, label, zero, zero, zero, zero, torch.arange(count), layout, {"raw": raw})


def context(count: int) -> Context:
    zero = torch.zeros(count, dtype=torch.long)
    return Context(zero, zero, zero)


@pytest.mark.parametrize("name", METHODS)
def test_losses_are_finite_and_move_something_in_every_trainable_module(name: str) -> None:
    method = build(name)
    method.train()
    for stage in method.stages():
        at = Moment(stage.name, 0, 0, stage.epochs, 1)
        terms = method.losses(batch(4, 4), at)
        assert terms
        assert all(term.ndim == 0 and torch.isfinite(term) for term in terms.values())
        torch.autograd.backward(torch.stack(list(terms.values())).sum())
        for module in stage.trainable:
            gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
            assert gradients
            assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", METHODS)
def test_an_embedding_is_the_same_alone_and_in_a_batch(name: str) -> None:
    method = build(name)
    method.eval()
    images = batch(4, 4).images
    with torch.no_grad():
        together = method.embed(images, context(16))
        alone = torch.cat([method.embed(image[None], context(1)) for image in images])
    assert together.ndim == 2
    assert torch.isfinite(together).all()
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_equal_seeds_give_equal_weights(name: str) -> None:
    one, two = (build(name).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], two[key]) for key in one)
