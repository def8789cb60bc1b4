"""What is particular to ide, ide_plus and bot."""

import math

import pytest
import torch
from torch import Tensor, nn

from baselines.methods import bot, ide, ide_plus
from benchmark.errors import UserError
from benchmark.runner.interfaces import Batch, Context, Method, Moment, World

torch.set_num_threads(1)
SIZE = (64, 32)
WORLD = World({"one": 6, "two": 5}, cameras=3, modalities=("visible",), size=SIZE)
ZERO = torch.zeros(8, dtype=torch.long)


def small(**keys: object) -> bot.BoT:
    torch.manual_seed(0)
    return bot.build(bot.Config.model_validate({"backbone": "tiny", "pretrained": False} | keys), WORLD)


def batch() -> Batch:
    torch.manual_seed(1)
    label = torch.arange(2).repeat_interleave(4)
    return Batch(torch.randn(8, 3, *SIZE), label, label, ZERO, ZERO, ZERO, ZERO, torch.arange(8), None)


def at(epoch: int) -> Moment:
    return Moment("train", epoch, epoch * 10, 120, 10)


def embedded(method: Method) -> Tensor:
    method.eval()
    with torch.no_grad():
        return method.embed(batch().images, Context(ZERO, ZERO, ZERO))


def test_bot_has_the_published_terms_and_switches() -> None:
    assert set(small().losses(batch(), at(0))) == {"identity", "triplet", "centre"}
    assert set(small(centre=0.0).losses(batch(), at(0))) == {"identity", "triplet"}
    assert set(small(centre=0.0, triplet=0.0).losses(batch(), at(0))) == {"identity"}
    hard, soft = small().losses(batch(), at(0)), small(margin="soft").losses(batch(), at(0))
    assert hard["triplet"] != soft["triplet"]
    assert hard["identity"] == soft["identity"]
    assert 2 * hard["triplet"] == small(triplet=2.0).losses(batch(), at(0))["triplet"]


def test_day_and_night_of_one_person_are_positives_and_have_one_centre() -> None:
    # Three people by day and by night, two rows each; the night knows them by other labels.
    method, who = small(margin=0.3, centre=1.0), torch.tensor([0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2])
    images, domain = torch.randn(12, 3, *SIZE), torch.arange(12) // 6
    label, none = torch.where(domain == 1, (who + 1) % 3, who), torch.zeros_like(who)
    terms = method.losses(Batch(images, label, who, domain, none, none, none, torch.arange(12), None), at(0))
    with torch.no_grad():
        found = method.backbone.pool(method.backbone(images)).double().tolist()
    triplet = centre = 0.0
    for row, person in zip(found, who.tolist(), strict=True):
        far = [(math.dist(row, other), person == whose) for other, whose in zip(found, who.tolist(), strict=True)]
        triplet += max(0.0, max(d for d, own in far if own) - min(d for d, own in far if not own) + 0.3) / 12
        assert method.centres is not None
        centre += math.dist(row, method.centres.table[person].tolist()) ** 2 / 12
    assert terms["triplet"].item() == pytest.approx(triplet, rel=1e-4)
    assert terms["centre"].item() == pytest.approx(centre, rel=1e-4)


def test_the_centres_have_a_rate_of_their_own_that_nothing_moves() -> None:
    (stage,) = small().stages()
    main, centres = stage.optimisers
    assert isinstance(main, torch.optim.Adam)
    assert isinstance(centres, torch.optim.SGD)
    assert [group["lr"] for group in centres.param_groups] == [0.5]
    own = centres.param_groups[0]["schedule"]
    assert {own(at(epoch)) for epoch in (0, 9, 50, 119)} == {1.0}
    assert stage.schedule(at(0)) == pytest.approx(0.109)
    assert stage.schedule(at(50)) == pytest.approx(0.1)


def test_nothing_shifts_between_the_metric_and_the_classifier_of_bot() -> None:
    method = small()
    assert [name for name, _ in method.neck.named_parameters()] == ["weight"]
    assert all("bias" not in name for name, _ in method.heads.named_parameters())
    torch.autograd.backward(method.losses(batch(), at(0))["identity"])
    assert isinstance(method.neck.weight, nn.Parameter)
    assert method.neck.weight.grad is not None


def test_triplet_and_centres_see_the_feature_before_the_neck_and_the_test_the_one_after() -> None:
    method = small()
    losses = method.losses(batch(), at(0))
    torch.autograd.backward(losses["triplet"] + losses["centre"])
    assert all(weight.grad is None for part in (method.neck, method.heads) for weight in part.parameters())
    found = embedded(method)
    with torch.no_grad():
        before = method.backbone.pool(method.backbone(batch().images))
    torch.testing.assert_close(found, method.neck(before))


def test_a_bot_without_a_neck_compares_what_it_classifies() -> None:
    method = small(neck=False)
    found = embedded(method)
    with torch.no_grad():
        torch.testing.assert_close(found, method.backbone.pool(method.backbone(batch().images)))


@pytest.mark.parametrize(("name", "kind"), [("adam", "Adam"), ("adamw", "AdamW"), ("sgd", "SGD")])
def test_bot_takes_other_optimisers_and_schedules(name: str, kind: str) -> None:
    (stage,) = small(optimiser=name, schedule="cosine", by="step", warmup=2.0, epochs=7).stages()
    assert type(stage.optimisers[0]).__name__ == kind
    assert stage.epochs == 7
    rates = [stage.schedule(Moment("train", step // 10, step, 7, 10, step % 10)) for step in range(70)]
    assert rates[0] < rates[10] < rates[20]
    assert rates[69] == pytest.approx(0, abs=1e-9)


def test_ide_compares_what_the_backbone_averages() -> None:
    torch.manual_seed(0)
    method = ide.build(ide.Config(pretrained=False, backbone="tiny"), WORLD)
    assert method.needs.sampling == "shuffle"
    assert method.needs.batch == 32
    assert method.needs.flip == "none"
    assert embedded(method).shape == (8, 256)
    assert set(method.losses(batch(), at(0))) == {"identity"}


def test_ide_of_a_resnet_50_has_2048_numbers_and_ide_plus_512() -> None:
    plain = ide.build(ide.Config(pretrained=False), WORLD)
    plus = ide_plus.build(ide_plus.Config(pretrained=False), WORLD)
    assert embedded(plain).shape == (8, 2048)
    assert embedded(plus).shape == (8, 512)


def test_ide_plus_sums_a_picture_and_its_mirror_image_and_learns_at_two_rates() -> None:
    torch.manual_seed(0)
    method = ide_plus.build(ide_plus.Config(pretrained=False, backbone="tiny"), WORLD)
    assert method.needs.flip == "sum"
    (stage,) = method.stages()
    (optimiser,) = stage.optimisers
    assert [group["lr"] for group in optimiser.param_groups] == [0.005, 0.05]
    assert [group["nesterov"] for group in optimiser.param_groups] == [True, True]
    assert sum(len(group["params"]) for group in optimiser.param_groups) == len(list(method.parameters()))
    # 60 epochs, a tenth after two thirds.
    assert [stage.schedule(Moment("train", epoch, 0, 60, 10)) for epoch in (0, 39, 40, 59)] == pytest.approx(
        [1, 1, 0.1, 0.1]
    )


def test_the_classifier_of_ide_plus_misses_half_in_training_and_nothing_in_use() -> None:
    torch.manual_seed(0)
    method = ide_plus.build(ide_plus.Config(pretrained=False, backbone="tiny"), WORLD).train()
    given = batch()
    assert method.losses(given, at(0))["identity"] != method.losses(given, at(0))["identity"]
    assert torch.equal(embedded(method), embedded(method))


@pytest.mark.parametrize("module", [bot, ide, ide_plus])
def test_a_method_shows_its_backbone_and_where_it_looks(module: object) -> None:
    method = module.build(module.Config(backbone="tiny", pretrained=False), WORLD)  # type: ignore[attr-defined]
    assert method.backbone is not None
    assert sum(weight.numel() for weight in method.backbone.parameters()) > 1e6
    assert method.look is method.backbone.look
    assert method.facts == {"backbone": "tiny"}


@pytest.mark.parametrize("module", [bot, ide, ide_plus])
def test_defaults_begin_with_published_weights_and_true_is_no_answer(module: object) -> None:
    from benchmark import config

    assert module.Config().pretrained == "timm"  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="pretrained"):
        config.check(module.Config, {"pretrained": True}, "recipe")  # type: ignore[attr-defined]
