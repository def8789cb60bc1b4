"""The contract that every file in baselines/methods keeps."""

import importlib
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from benchmark.plugins import Room
from benchmark.runner.interfaces import Batch, Context, Layout, Method, Moment, Stage, World

torch.set_num_threads(1)
SIZE = (64, 32)
METHODS = Room("baselines.methods", "method").names()
# What is asked of methods is not about the network under them: the smallest one, and nothing that is fetched.
SMALL = {"backbone": "tiny", "pretrained": False}


def world(*identities: int) -> World:
    names = ("one", "two")[: len(identities)]
    return World(dict(zip(names, identities, strict=True)), cameras=3, modalities=("visible",), size=SIZE)


def build(name: str, *identities: int, seed: int = 0) -> Method:
    torch.manual_seed(seed)
    module = importlib.import_module(f"baselines.methods.{name}")
    keys = module.Config.model_fields
    config = module.Config(**{key: value for key, value in SMALL.items() if key in keys})
    method = module.build(config, world(*(identities or (6, 5))))
    assert isinstance(method, Method)
    return method


def batch(label: Sequence[int], domain: Sequence[int] = (), instances: int = 4, seed: int = 1) -> Batch:
    """Draw a random picture a person and domain, and rows that are it, each with noise; nobody is in two domains."""
    torch.manual_seed(seed)
    which = torch.tensor(domain or [0] * len(label))
    own, count = torch.tensor(label), len(label)
    people = torch.rand(2, 16, 3, *SIZE)
    raw = (0.7 * people[which, own] + 0.3 * torch.rand(count, 3, *SIZE)).clamp(0, 1)
    layout = Layout(("all",), count // instances, instances)
    zero = torch.zeros(count, dtype=torch.long)
    return Batch(
        (raw - 0.5) / 0.25, own, own + 6 * which, which, zero, zero, zero, torch.arange(count), layout, {"raw": raw}
    )


def every(people: int, instances: int = 4) -> list[int]:
    return [person for person in range(people) for _ in range(instances)]


def context(count: int) -> Context:
    zero = torch.zeros(count, dtype=torch.long)
    return Context(zero, zero, zero)


def ready(method: Method, stage: Stage) -> None:
    """Do as the loop does before a stage."""
    method.requires_grad_(False).eval()
    for module in stage.trainable:
        module.requires_grad_()
    for module in stage.trainable if stage.in_train_mode is None else stage.in_train_mode:
        module.train()


def total(method: Method, given: Batch, at: Moment) -> Tensor:
    terms = method.losses(given, at)
    assert terms
    assert all(term.ndim == 0 and torch.isfinite(term) for term in terms.values())
    return torch.stack(list(terms.values())).sum()


def settled(stage: Stage) -> Moment:
    """Give a moment after any warm-up and before any fall of the rate."""
    epoch = stage.epochs // 4
    return Moment(stage.name, epoch, epoch * 10 + 9, stage.epochs, 10)


def step(method: Method, stage: Stage, given: Batch, at: Moment) -> float:
    loss = total(method, given, at)
    torch.autograd.backward(loss)
    for optimiser in stage.optimisers:
        for group in optimiser.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * group.get("schedule", stage.schedule)(at)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    method.after_step(at)
    return loss.item()


@pytest.mark.parametrize("name", METHODS)
def test_losses_are_finite_and_so_is_every_slope(name: str) -> None:
    method = build(name)
    for stage in method.stages():
        ready(method, stage)
        torch.autograd.backward(total(method, batch(every(4)), settled(stage)))
        learnt = {weight for module in stage.trainable for weight in module.parameters()}
        for key, weight in method.named_parameters():
            if weight not in learnt:
                assert weight.grad is None, key
                continue
            assert weight.grad is None or torch.isfinite(weight.grad).all(), key
        for module in stage.trainable:
            assert any(weight.grad is not None and weight.grad.any() for weight in module.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_what_learns_has_an_optimiser_and_only_one(name: str) -> None:
    method = build(name)
    for stage in method.stages():
        learnt = {weight for module in stage.trainable for weight in module.parameters()}
        held = [weight for one in stage.optimisers for group in one.param_groups for weight in group["params"]]
        assert len(held) == len(set(held))
        assert set(held) == learnt


@pytest.mark.parametrize("name", METHODS)
def test_eight_people_are_learnt_by_heart(name: str) -> None:
    method, given = build(name, 8), batch(every(8))
    for stage in method.stages():
        ready(method, stage)
        losses = [step(method, stage, given, settled(stage)) for _ in range(50)]
        assert losses[-1] < losses[0] / 2
    method.eval()
    with torch.no_grad():
        vectors = torch.nn.functional.normalize(method.embed(given.images, context(32)))
    likeness = (vectors @ vectors.T).fill_diagonal_(-2)
    assert (given.label[likeness.argmax(1)] == given.label).float().mean() > 0.9


def equal_steps(name: str, batches: Sequence[Batch]) -> dict[str, Tensor]:
    method = build(name)
    (stage,) = method.stages()
    ready(method, stage)
    for place, given in enumerate(batches):
        torch.manual_seed(place)  # as the loop does: dropout is a function of the step
        step(method, stage, given, settled(stage))
    return method.state_dict()


@pytest.mark.parametrize("name", METHODS)
def test_equal_seeds_give_equal_weights_after_training_too(name: str) -> None:
    batches = [batch(every(4), seed=seed) for seed in range(3)]
    one, two = (equal_steps(name, batches) for _ in range(2))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert any(not torch.equal(one[key], value) for key, value in build(name).state_dict().items())
    other = build(name, seed=1).state_dict()
    assert any(not torch.equal(other[key], value) for key, value in build(name).state_dict().items())


@pytest.mark.parametrize("name", METHODS)
def test_an_embedding_is_the_same_alone_and_in_a_batch(name: str) -> None:
    method = build(name)
    (stage,) = method.stages()
    ready(method, stage)
    step(method, stage, batch(every(4)), settled(stage))
    method.eval()
    images = batch(every(4)).images
    with torch.no_grad():
        together = method.embed(images, context(16))
        alone = torch.cat([method.embed(image[None], context(1)) for image in images])
    assert together.ndim == 2
    assert together.dtype == torch.float32
    assert torch.isfinite(together).all()
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


MIXED = (every(3) + every(2), [0] * 12 + [1] * 8)


@pytest.mark.parametrize("name", METHODS)
def test_two_domains_have_a_head_each_and_learn_in_one_batch(name: str) -> None:
    method, given = build(name), batch(*MIXED)
    heads = [weight for key, weight in method.named_parameters() if key.startswith("heads.") and key.endswith("weight")]
    assert sorted(len(weight) for weight in heads) == [5, 6]
    (stage,) = method.stages()
    ready(method, stage)
    before = [weight.detach().clone() for weight in heads]
    losses = [step(method, stage, given, settled(stage)) for _ in range(12)]
    assert losses[-1] < losses[0]
    assert not any(torch.equal(old, weight) for old, weight in zip(before, heads, strict=True))


@pytest.mark.parametrize("name", METHODS)
def test_a_batch_of_one_domain_leaves_the_other_alone_and_finite(name: str) -> None:
    method = build(name)
    (stage,) = method.stages()
    ready(method, stage)
    for domain in (0, 1, 0, 1):
        step(method, stage, batch(every(4), [domain] * 16), settled(stage))
    assert all(torch.isfinite(value).all() for value in method.state_dict().values())


COMPARING = {"triplet", "centre"}  # terms that ask who it is over all domains, and never what a domain calls it


def terms_of(name: str, given: Batch) -> dict[str, Tensor]:
    """Give a fresh method's terms in training; dropout is the same every time."""
    method = build(name)
    method.train()
    torch.manual_seed(3)
    return method.losses(given, Moment("train", 30, 300, 120, 10))


@pytest.mark.parametrize("name", METHODS)
def test_the_same_number_in_two_domains_is_not_the_same_person(name: str) -> None:
    # Were they one, a batch-hard triplet would pull them together, and one head would be asked for both.
    given = batch(every(2) * 2, [0] * 8 + [1] * 8)
    apart = terms_of(name, given)
    renamed = terms_of(name, replace(given, label=torch.where(given.domain == 1, given.label + 2, given.label)))
    assert all(torch.equal(apart[key], renamed[key]) for key in COMPARING & set(apart))


@pytest.mark.parametrize("name", METHODS)
def test_the_same_person_in_two_domains_is_the_same_to_what_compares_rows(name: str) -> None:
    # Labels of the second domain are in another order, as where it shows somebody whom the first does not.
    given = batch(every(2) * 2, [0] * 8 + [1] * 8)
    shared = replace(given, label=torch.where(given.domain == 1, 1 - given.label, given.label), person=given.label)
    across, within = terms_of(name, shared), terms_of(name, replace(given, domain=given.domain * 0, person=given.label))
    assert all(torch.equal(across[key], within[key]) for key in COMPARING & set(across))
    apart = terms_of(name, given)
    assert not any(torch.equal(across[key], apart[key]) for key in COMPARING & set(across))


@pytest.mark.parametrize("name", METHODS)
def test_short_floats_in_the_network_leave_losses_and_vectors_in_full(name: str) -> None:
    method, given = build(name), batch(every(4))
    (stage,) = method.stages()
    ready(method, stage)
    with torch.autocast("cpu", torch.bfloat16):
        terms = method.losses(given, settled(stage))
        torch.autograd.backward(torch.stack(list(terms.values())).sum())
        method.eval()
        with torch.no_grad():
            vectors = method.embed(given.images, context(16))
    assert {term.dtype for term in (*terms.values(), vectors)} == {torch.float32}
    assert all(weight.grad is None or torch.isfinite(weight.grad).all() for weight in method.parameters())
