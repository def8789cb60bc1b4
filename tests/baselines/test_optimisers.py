"""Which weight learns how fast, and how much it decays: each exactly once."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from baselines import optimisers
from baselines.methods import bot, ide, ide_plus
from benchmark import config
from benchmark.errors import UserError
from benchmark.runner.interfaces import Batch, Method, Moment, World

torch.set_num_threads(1)
WORLD = World({"one": 6, "two": 5}, cameras=3, modalities=("visible",), size=(64, 32))
TINY = {"backbone": "tiny", "pretrained": False}


def made(**keys: object) -> bot.BoT:
    torch.manual_seed(0)
    return bot.build(config.check(bot.Config, TINY | keys, "recipe"), WORLD)


def numbers(method: Method, optimiser: Optimizer) -> dict[str, tuple[float, float]]:
    """Give every parameter's rate and decay by its name; one that is in two groups, or in none, fails."""
    names = {weight: name for name, weight in method.named_parameters()}
    found: dict[str, tuple[float, float]] = {}
    for group in optimiser.param_groups:
        for weight in group["params"]:
            assert names[weight] not in found
            found[names[weight]] = (group["lr"], group["weight_decay"])
    return found


def test_what_is_said_of_nothing_is_one_group_as_published() -> None:
    method = made()
    (stage,) = method.stages()
    main, centres = stage.optimisers
    assert [(group["lr"], group["weight_decay"]) for group in main.param_groups] == [(3.5e-4, 5e-4)]
    assert isinstance(main, Adam)
    assert set(numbers(method, main)) == {name for name, _ in method.named_parameters()} - {"centres.table"}
    assert set(numbers(method, centres)) == {"centres.table"}


def test_every_weight_has_the_rate_and_the_decay_that_were_asked_for() -> None:
    method = made(rate=0.01, backbone_rate=0.1, bias_rate=2.0, weight_decay=0.05, norm_decay=False)
    found = numbers(method, method.stages()[0].optimisers[0])
    literal = {
        "backbone.body.stem.0.weight": (0.001, 0.05),  # a convolution
        "backbone.body.stem.1.weight": (0.001, 0.0),  # the scale of a normalisation
        "backbone.body.stem.1.bias": (0.002, 0.0),
        "neck.weight": (0.01, 0.0),  # a scale that is no module's `weight` of its own
        "heads.heads.0.weight": (0.01, 0.05),
        "heads.heads.1.weight": (0.01, 0.05),
    }
    for name, expected in literal.items():
        assert found[name] == pytest.approx(expected), name
    assert set(found) == {name for name, _ in method.named_parameters()} - {"centres.table"}
    # By what the modules are, and not by names and dimensions.
    for name, module in method.named_modules():
        for part, _ in module.named_parameters(recurse=False):
            if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
                slow = 0.001 if name.startswith("backbone.") else 0.01
                decays = part == "weight" and not isinstance(module, nn.BatchNorm2d)
                expected = (2 * slow if part == "bias" else slow, 0.05 if decays else 0.0)
                assert found[f"{name}.{part}"] == pytest.approx(expected), name


@pytest.mark.parametrize(
    ("keys", "groups"),
    [
        ({"backbone_rate": 0.1}, {(3.5e-5, 5e-4), (3.5e-4, 5e-4)}),
        ({"bias_rate": 2.0}, {(3.5e-4, 5e-4), (7e-4, 5e-4)}),
        ({"norm_decay": False}, {(3.5e-4, 5e-4), (3.5e-4, 0.0)}),
    ],
)
def test_one_knob_moves_one_thing(keys: dict[str, object], groups: set[tuple[float, float]]) -> None:
    method = made(**keys)
    found = set(numbers(method, method.stages()[0].optimisers[0]).values())
    assert sorted(found) == [pytest.approx(one) for one in sorted(groups)]


def test_biases_that_carry_another_name_are_biases() -> None:
    part = nn.MultiheadAttention(4, 2)
    groups = optimisers.groups([(1.0, part)], 0.1, bias_rate=2.0, norm_decay=False)
    fast = {id(weight) for group in groups if group["lr"] == 2.0 for weight in group["params"]}
    assert fast == {id(part.in_proj_bias), id(part.out_proj.bias)}


def settings(optimiser: Optimizer) -> list[dict[str, Any]]:
    kept = ("lr", "momentum", "nesterov", "weight_decay", "dampening")
    return [{name: group[name] for name in kept} for group in optimiser.param_groups]


@pytest.mark.parametrize("module", [ide, ide_plus])
def test_ide_learns_by_sgd_after_nesterov_at_two_rates(module: Any) -> None:  # noqa: ANN401
    method = module.build(module.Config(**TINY), WORLD)
    (stage,) = method.stages()
    (optimiser,) = stage.optimisers
    assert type(optimiser) is SGD
    same = {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4, "dampening": 0}
    assert settings(optimiser) == [{"lr": 0.005, **same}, {"lr": 0.05, **same}]
    found = numbers(method, optimiser)
    assert {name.startswith("backbone.") for name, (rate, _) in found.items() if rate == 0.005} == {True}
    assert {name.startswith("backbone.") for name, (rate, _) in found.items() if rate == 0.05} == {False}
    assert set(found) == {name for name, _ in method.named_parameters()}


def test_sgd_of_bot_is_plain_and_has_the_momentum_that_was_asked_for() -> None:
    same = {"lr": 0.008, "nesterov": False, "weight_decay": 1e-4, "dampening": 0}
    for keys, momentum in (({}, 0.9), ({"momentum": 0.5}, 0.5)):
        method = made(optimiser="sgd", rate=0.008, weight_decay=1e-4, **keys)
        assert settings(method.stages()[0].optimisers[0]) == [{"momentum": momentum, **same}]


def test_a_frozen_backbone_thaws_and_the_rate_goes_on_as_if_it_had_not_been() -> None:
    plain, method = made(epochs=12, milestones=[6]), made(epochs=12, milestones=[6], freeze_epochs=4)
    (whole,), (first, second) = plain.stages(), method.stages()
    assert [(stage.name, stage.epochs) for stage in (first, second)] == [("frozen", 4), ("train", 8)]
    rates = [whole.schedule(Moment("train", epoch, epoch * 10, 12, 10)) for epoch in range(12)]
    parts = [
        stage.schedule(Moment(stage.name, epoch, epoch * 10, stage.epochs, 10))
        for stage in (first, second)
        for epoch in range(stage.epochs)
    ]
    assert parts == rates
    learnt = {id(weight) for part in first.trainable for weight in part.parameters()}
    frozen = {name for name, weight in method.named_parameters() if id(weight) not in learnt}
    assert frozen == {f"backbone.{name}" for name, _ in method.backbone.named_parameters()}
    assert second.trainable == (method,)
    # One of each for both stages: what the heads' optimiser has gathered is not lost.
    assert [id(one) for one in first.optimisers] == [id(one) for one in second.optimisers]


def step(method: Method, stage: Any, images: Tensor) -> None:  # noqa: ANN401
    """Take one step as the loop does."""
    method.requires_grad_(False).eval()
    for module in stage.trainable:
        module.requires_grad_().train()
    label = torch.arange(2).repeat_interleave(4)
    zero = torch.zeros_like(label)
    given = Batch(images, label, label, zero, zero, zero, zero, torch.arange(8), None)
    terms = method.losses(given, Moment(stage.name, 3, 30, stage.epochs, 10))
    torch.autograd.backward(torch.stack(list(terms.values())).sum())
    for optimiser in stage.optimisers:
        optimiser.step()
        optimiser.zero_grad()


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_nothing_of_a_frozen_backbone_moves_and_all_of_a_thawed_one_does(kind: str) -> None:
    # Not by decay nor by momentum, and its normalisations count no batch.
    method, images = made(freeze_epochs=4, optimiser=kind), torch.randn(8, 3, 64, 32)
    first, second = method.stages()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    step(method, first, images)
    step(method, first, images)
    now = method.state_dict()
    moved = {name for name, value in before.items() if not torch.equal(value, now[name])}
    assert {"neck.weight", "heads.heads.0.weight"} <= moved
    assert not any(name.startswith("backbone.") for name in moved)
    step(method, second, images)
    own = {name for name, _ in method.named_parameters() if name.startswith("backbone.")}
    assert all(not torch.equal(before[name], method.state_dict()[name]) for name in own)


def test_epochs_that_never_train_the_backbone_are_refused() -> None:
    with pytest.raises(UserError, match="freeze_epochs = 3 must be less than epochs = 3"):
        made(freeze_epochs=3, epochs=3)
