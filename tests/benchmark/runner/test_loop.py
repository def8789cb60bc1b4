"""The loop: what a hand-written one does, and the same bits after a stop at any step."""

import itertools
import math
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.errors import UserError
from benchmark.runner import checkpoint, loop, place, saving
from benchmark.runner.distributed import Group
from benchmark.runner.interfaces import Batch, Method, Moment, Stage
from benchmark.runner.loop import Stopped
from benchmark.runner.recipe import Loop
from tests.benchmark.runner import toys
from tests.benchmark.runner.toys import (
    Batches,
    Pictures,
    Prepared,
    Toy,
    fit,
    lines,
    make,
    options,
    require_same,
    toy,
    weights,
)


class Several(Toy):
    """A toy with two optimisers, two groups and a schedule of one group's own."""

    def stages(self) -> Sequence[Stage]:
        slow: dict[str, Any] = {"params": [*self.backbone.parameters()], "lr": 0.003}
        own: dict[str, Any] = {"params": [self.neck.weight], "lr": 0.02, "schedule": lambda at: 1.0 / (1 + at.epoch)}
        optimisers = (
            torch.optim.AdamW([slow, own], weight_decay=0.1),
            torch.optim.SGD(self.head.parameters(), 0.1, momentum=0.9, nesterov=True),
        )
        return [Stage("all", 4, optimisers, lambda at: 0.5 ** (at.step / 4), (self,))]


def moments(epochs: int = 4) -> Iterator[tuple[Moment, Batch]]:
    plan, loader, taken = Batches(7), Pictures(), 0
    for epoch in range(epochs):
        steps = plan.epoch(0, epoch, "pk")
        for batch in loader.epoch(steps, 0, epoch):
            yield Moment("all", epoch, taken, epochs, len(steps), taken % len(steps)), batch
            taken += 1


def by_hand(method: Several, clip: float = 0.0) -> list[dict[str, Tensor]]:
    """Train in plain torch, with rates by formula; give the weights after every step."""
    trained = [one for one in method.parameters() if one.requires_grad]
    slow, own = [*method.backbone.parameters()], [method.neck.weight]
    adam = torch.optim.AdamW([{"params": slow}, {"params": own}], weight_decay=0.1, foreach=False, fused=False)
    sgd = torch.optim.SGD(method.head.parameters(), momentum=0.9, nesterov=True, foreach=False, fused=False)
    history = []
    for at, batch in moments():
        for one in trained:
            one.grad = None
        found = method.backbone(batch.images.double())
        identity = functional.cross_entropy(method.head(method.neck(found)), batch.label)
        (identity + toys.batch_hard(found, batch.label)).backward()  # type: ignore[no-untyped-call]
        if clip:
            norm = math.sqrt(sum(float(one.grad.square().sum()) for one in trained if one.grad is not None))
            for one in trained:
                if one.grad is not None:
                    one.grad *= min(1.0, clip / (norm + 1e-6))
        factor = 0.5 ** (at.step / 4)
        adam.param_groups[0]["lr"], adam.param_groups[1]["lr"] = 0.003 * factor, 0.02 / (1 + at.epoch)
        sgd.param_groups[0]["lr"] = 0.1 * factor
        adam.step()
        sgd.step()
        history.append(weights(method))
    return history


def require_near(left: dict[str, Tensor], right: dict[str, Tensor]) -> None:
    for name in left:
        torch.testing.assert_close(left[name], right[name], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("clip", [0.0, 0.7])
def test_several_optimisers_groups_and_schedules_do_what_plain_torch_does(tmp_path: Path, clip: float) -> None:
    method, twin = make(Several), make(Several)
    fit(method, tmp_path, options(clip=clip))
    history = by_hand(twin, clip)
    require_near(weights(method), history[-1])
    assert not torch.equal(history[-1]["head.weight"], history[-2]["head.weight"])
    rates = [line["rates"] for line in lines(tmp_path)]
    assert rates[1] == pytest.approx([0.003 * 0.5 ** (5 / 4), 0.02 / 2, 0.1 * 0.5 ** (5 / 4)])


def test_clipping_is_felt(tmp_path: Path) -> None:
    loose, tight = make(Several), make(Several)
    fit(loose, tmp_path / "loose")
    fit(tight, tmp_path / "tight", options(clip=0.01))
    assert not torch.allclose(loose.head.weight, tight.head.weight, rtol=1e-3)


def test_the_average_is_a_running_mean_of_the_weights_and_is_what_is_kept(tmp_path: Path) -> None:
    method, twin = make(Several), make(Several)
    fit(method, tmp_path, options(ema=0.8))
    mean = weights(twin)
    for now in by_hand(twin):
        mean = {name: 0.8 * mean[name] + 0.2 * now[name] for name in mean}
    require_near(weights(method), mean)


def test_terms_are_logged_as_means_over_the_steps_of_a_line(tmp_path: Path) -> None:
    twin, terms = toy(), []
    fit(toy(), tmp_path, options(log_every=5))
    adam = twin.adam()
    for at, batch in moments():
        found = twin.losses(batch, at)
        terms.append({name: term.item() for name, term in found.items()})
        adam.zero_grad()
        sum(found.values(), torch.zeros(())).backward()  # type: ignore[no-untyped-call]
        adam.param_groups[0]["lr"] = 0.01 * (1 - at.step / 40)
        adam.step()
    said = lines(tmp_path)
    assert [(line["epoch"], line["step"]) for line in said] == [(1, 4), (3, 9), (3, 11)]
    for line, window in zip(said, (terms[:5], terms[5:10], terms[10:]), strict=True):
        for name in ("identity", "triplet"):
            assert line["terms"][name] == pytest.approx(sum(one[name] for one in window) / len(window), rel=1e-10)
        assert line["loss"] == pytest.approx(sum(line["terms"].values()))


def test_a_method_is_told_where_training_stands(tmp_path: Path) -> None:
    method = toy()
    outcome = fit(method, tmp_path)
    assert method.seen == [Moment("all", step // 3, step, 4, 3, step % 3) for step in range(12)]
    assert (outcome.epochs, outcome.steps, outcome.images, outcome.chosen) == (4, 12, 12 * 32, "last")
    assert not outcome.stopped
    assert outcome.images_per_s > 0
    assert not method.training


class Parts(Prepared):
    """A toy that notes which parts learn and which are in train mode."""

    def __init__(self) -> None:
        super().__init__()
        self.free: dict[str, tuple[set[str], set[str]]] = {}

    def stages(self) -> Sequence[Stage]:
        head, last = super().stages()
        modes = Stage("modes", 1, head.optimisers, lambda at: 1.0, (self.head,), (self.backbone,), images=False)
        return [head, modes, last]

    def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        learning = {name for name, one in self.named_parameters() if one.requires_grad}
        modes = {name for name, one in self.named_children() if one.training}
        self.free[at.stage] = learning, modes
        if at.stage == "modes":
            return {"identity": functional.cross_entropy(self.head(self.kept[batch.row]), batch.label)}
        return super().losses(batch, at)


def test_stages_say_what_learns_what_is_in_train_mode_and_how_batches_are_drawn(tmp_path: Path) -> None:
    method = make(Parts)
    before = weights(method)
    loader, plan = Pictures(), Batches(7)
    loop.fit(method, plan, loader, options(), 7, tmp_path, Group())  # type: ignore[arg-type]
    everything = {name for name, _ in method.named_parameters()} - {"neck.bias"}
    assert method.free == {
        "head": ({"head.weight"}, {"head"}),
        "modes": ({"head.weight"}, {"backbone"}),
        "all": (everything, {"backbone", "neck", "head"}),
    }
    assert [(stage, sampling) for stage, _, sampling in plan.asked] == [(0, "shuffle")] * 2 + [(1, "pk")] + [
        (2, "pk")
    ] * 3
    assert torch.equal(method.neck.bias, before["neck.bias"])  # the method froze it itself


def test_what_a_stage_does_not_train_does_not_move(tmp_path: Path) -> None:
    method = make(Prepared)
    before = weights(method)
    fit(method, tmp_path, limit=12)  # the first stage
    after = weights(method)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"head.weight", "mean"}


KINDS: dict[str, tuple[type[Toy], dict[str, Any]]] = {
    "plain": (Toy, {"drop": 0.3, "norm": True}),
    "several": (Several, {}),
    "prepared": (Prepared, {}),
}


def validated(method: Method) -> float:
    """Score by the weights, so that an epoch in the midst is the best."""
    return -abs(float(next(method.parameters()).detach().abs().sum()) - 31.2)


EVERYTHING = {"ema": 0.9, "clip": 1.0, "select": "val", "validate_every": 2}


def test_a_stopped_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    # Of 12 steps and 9 more: the first stage, its end, the second stage's first step, and its midst.
    _require_resumable(tmp_path, "prepared", EVERYTHING, [5, 12, 13, 17])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("changed", [{}, EVERYTHING])
def test_a_training_stopped_at_any_step_ends_with_the_same_bits(
    tmp_path: Path, kind: str, changed: dict[str, Any]
) -> None:
    _require_resumable(tmp_path, kind, changed, None)


def _require_resumable(tmp_path: Path, kind: str, changed: dict[str, Any], at: list[int] | None) -> None:
    made, arguments = KINDS[kind]
    chosen = options(**changed)
    look = validated if "select" in changed else None
    whole = make(made, **arguments)
    outcome = fit(whole, tmp_path / "whole", chosen, validate=look)
    for limit in at or range(1, outcome.steps):
        folder = tmp_path / str(limit)
        stopped = fit(make(made, **arguments), folder, chosen, validate=look, limit=limit)
        assert (stopped.steps, stopped.stopped) == (limit, True)
        torch.manual_seed(limit)
        again = make(made, **arguments)
        with torch.no_grad():
            for one in again.parameters():
                one.mul_(2)  # what is gone on from is the checkpoint, not the network as it is built
        loader = Pictures()
        ended = fit(again, folder, chosen, validate=look, loader=loader)
        assert len(loader.given) == outcome.steps - limit
        assert (ended.chosen, ended.steps, ended.images) == (outcome.chosen, outcome.steps, outcome.images)
        require_same(weights(again), weights(whole))
        assert lines(folder) == lines(tmp_path / "whole")
        _require_same_state(folder, tmp_path / "whole")


def _require_same_state(left: Path, right: Path) -> None:
    """Compare the optimisers and averages of two last checkpoints."""
    one, two = checkpoint.newest(left / saving.FOLDER), checkpoint.newest(right / saving.FOLDER)
    assert one is not None
    assert two is not None
    require_same(one.weights, two.weights)
    assert _flat(one.state).keys() == _flat(two.state).keys()
    for name, value in _flat(one.state).items():
        other = _flat(two.state)[name]
        same = torch.equal(value, other) if isinstance(value, Tensor) and isinstance(other, Tensor) else value == other
        assert same, name


def _flat(value: object, name: str = "") -> dict[str, object]:
    if isinstance(value, dict):
        return {k: v for key, one in value.items() for k, v in _flat(one, f"{name}/{key}").items()}
    if isinstance(value, list):
        return {k: v for key, one in enumerate(value) for k, v in _flat(one, f"{name}/{key}").items()}
    return {name: value}


def test_a_training_that_has_ended_is_not_trained_again(tmp_path: Path) -> None:
    method, again, loader = toy(), toy(), Pictures()
    first = fit(method, tmp_path)
    second = fit(again, tmp_path, loader=loader)
    assert not loader.given
    assert first == second
    require_same(weights(method), weights(again))


def test_validation_chooses_the_best_epoch_and_sees_the_average(tmp_path: Path) -> None:
    scores, seen = [0.1, 0.3, 0.2, 0.25], []

    def score(method: Method) -> float:
        assert not method.training
        seen.append(weights(method))
        return scores[len(seen) - 1]

    method, twin = make(Several), make(Several)
    outcome = fit(method, tmp_path, options(select="val", validate_every=1, ema=0.5), validate=score)
    assert outcome.chosen == "epoch 2 of 4, best on the validation split"
    require_same(weights(method), seen[1])
    said = [line for line in lines(tmp_path) if "val_mAP" in line]
    assert [(line["epoch"], line["val_mAP"]) for line in said] == list(enumerate(scores))
    mean = weights(twin)
    for step, now in enumerate(by_hand(twin), start=1):
        mean = {name: 0.5 * mean[name] + 0.5 * now[name] for name in mean}
        if step % 3 == 0:
            require_near(seen[step // 3 - 1], mean)
            assert not torch.allclose(mean["head.weight"], now["head.weight"])


def test_looking_is_not_choosing(tmp_path: Path) -> None:
    """With a curve of the validation split and the last epoch kept, the best one is of no consequence."""
    scores, plain, looked = iter([0.1, 0.9, 0.2]), toy(drop=0.2), toy(drop=0.2)
    fit(plain, tmp_path / "plain")
    changed = options(validation=True, validate_every=2)
    outcome = fit(looked, tmp_path / "looked", changed, validate=lambda method: next(scores))
    assert outcome.chosen == "last"
    require_same(weights(looked), weights(plain))
    said = [(line["epoch"], line["val_mAP"]) for line in lines(tmp_path / "looked") if "val_mAP" in line]
    assert said == [(1, 0.1), (3, 0.9)]


def test_validation_does_not_disturb_training(tmp_path: Path) -> None:
    left, right = toy(drop=0.2, norm=True), toy(drop=0.2, norm=True)
    fit(left, tmp_path / "left", options(ema=0.5))
    fit(right, tmp_path / "right", options(ema=0.5, validate_every=2), validate=lambda method: torch.rand(1).item())
    require_same(weights(left), weights(right))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"select": "val"}, r'loop\.select = "val" needs a v'),
        ({"validation": True}, r"loop\.validation = true needs a v"),
    ],
)
def test_looking_without_a_validation_split_is_refused(tmp_path: Path, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        fit(toy(), tmp_path, options(**asked))


class Broken(Toy):
    """A toy whose third term breaks at a step: the loss, or only the gradient."""

    breaks: float = 7
    loss: bool = True

    def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        term = 0 * self.head.weight.sum()
        if at.step == self.breaks:
            term = term + torch.nan if self.loss else (0 * self.head.weight.square().sum()).sqrt()
        return super().losses(batch, at) | {"third": term}


@pytest.mark.parametrize("loss", [True, False])
def test_a_term_that_is_not_finite_stops_and_the_last_good_checkpoint_stands(tmp_path: Path, loss: bool) -> None:
    good = make(Broken)
    good.breaks = math.inf
    fit(good, tmp_path, limit=5)
    standing = weights(good)
    broken = make(Broken)
    broken.loss = loss
    # A gradient that is broken at step 7 breaks the terms of step 8; saving at every step saves the seventh, no more.
    found = ("step 2 of 3: the loss term 'third'", 7) if loss else ("step 3 of 3: the loss term 'identity'", 5)
    standing_at = f"the last good checkpoint, of {found[1]} steps, stands"
    with pytest.raises(UserError, match=f"stage all, epoch 3 of 4, {found[0]} is nan; {standing_at}"):
        fit(broken, tmp_path, options(save_every=1e-9) if loss else options())
    kept = checkpoint.newest(tmp_path / saving.FOLDER)
    assert kept is not None
    assert all(one.isfinite().all() for one in kept.weights.values())
    if not loss:
        require_same(kept.weights, standing)
    good = make(Broken)
    good.breaks = math.inf
    fit(good, tmp_path)
    whole = make(Broken)
    whole.breaks = math.inf
    fit(whole, tmp_path / "whole")
    require_same(weights(good), weights(whole))


def test_weights_that_break_where_the_loss_does_not_are_not_saved(tmp_path: Path) -> None:
    broken = make(Broken)
    broken.loss, broken.breaks = False, 11  # the last step
    said = (
        "epoch 4 of 4, step 3 of 3: the weights 'head.weight' are not finite, though the loss is; no checkpoint was w"
    )
    with pytest.raises(UserError, match=said):
        fit(broken, tmp_path)
    assert checkpoint.newest(tmp_path / saving.FOLDER) is None


class Failing(Toy):
    """A toy that fails at a step."""

    error: Exception = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    stage: Stage | None = None

    def stages(self) -> Sequence[Stage]:
        return [self.stage] if self.stage else super().stages()

    def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        if at.step == 4:
            raise self.error
        return super().losses(batch, at)


def test_out_of_memory_says_which_batch_to_try(tmp_path: Path) -> None:
    method = make(Failing)
    shape = r"a batch has 32 pictures: 8 identities x 4; try batches\.identities=4"
    with pytest.raises(UserError, match=f"stage all, epoch 2 of 4, step 2 of 3: out of memory; {shape}$"):
        fit(method, tmp_path / "pk")
    method.error = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")
    method.stage = Stage("some", 1, (method.adam(),), lambda at: 1.0, (method,), sampling="shuffle")
    with pytest.raises(UserError, match=r"out of memory; a batch has 32 pictures; try batches\.batch=16$"):
        fit(method, tmp_path / "shuffle")


FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def full(*given: object, **named: object) -> Any:  # noqa: ANN401
    raise FULL


class Short(Pictures):
    """A loader that has no room for the third batch."""

    def batch(self, rows: Tensor, layout: Any, images: bool) -> Batch:  # noqa: ANN401
        return full() if len(self.given) == 3 else super().batch(rows, layout, images)


class Unprepared(Prepared):
    """A toy that has no room to look at all pictures."""

    def before_stage(self, stage: Stage, data: object) -> None:
        full()


def test_out_of_memory_is_explained_wherever_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = "stage all, epoch 1 of 4, step"
    with pytest.raises(UserError, match=rf"{first} 3 of 3: out of memory; a batch has .* batches\.identities=4$"):
        fit(toy(), tmp_path / "loader", loader=Short())
    with pytest.raises(UserError, match=r"stage all, the validation after epoch 2: out of memory; set a smaller size"):
        fit(toy(), tmp_path / "look", options(validation=True, validate_every=2), validate=full)
    with pytest.raises(UserError, match=r"stage head, before its first step: out of memory; set a smaller size"):
        fit(make(Unprepared), tmp_path / "before")
    with monkeypatch.context() as patch:
        patch.setattr("benchmark.runner.faster.prepare", full)
        with pytest.raises(UserError, match=rf"{first} 1 of 3: out of memory; a batch has"):
            fit(toy(), tmp_path / "speed")
    with monkeypatch.context() as patch:
        patch.setattr(Toy, "to", full)
        with pytest.raises(UserError, match=r"^training: out of memory; set a smaller size"):
            fit(toy(), tmp_path / "place")


def test_an_operation_that_is_not_deterministic_is_named(tmp_path: Path) -> None:
    method = make(Failing)
    method.error = RuntimeError("put_ does not have a deterministic implementation, but you set ...")
    with pytest.raises(
        UserError, match=r"step 2 of 3: put_ gives other bits every time; set loop\.deterministic=false"
    ):
        fit(method, tmp_path)
    method.error = RuntimeError("something else")
    with pytest.raises(RuntimeError, match="something else"):
        fit(method, tmp_path)


class Signalled(Toy):
    """A toy that is sent a signal in the midst of a step."""

    number: int = signal.SIGTERM
    times: int = 1

    def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        if at.step == 4:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)
        return super().losses(batch, at)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_after_a_checkpoint(tmp_path: Path, number: int) -> None:
    method, handlers = make(Signalled), [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]
    method.number = number
    with pytest.raises(Stopped, match="stopped after 5 steps; the same command goes on from there"):
        fit(method, tmp_path)
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)] == handlers
    kept = checkpoint.newest(tmp_path / saving.FOLDER)
    assert kept is not None
    assert kept.place["steps"] == 5
    again, whole = toy(), toy()
    fit(again, tmp_path)
    fit(whole, tmp_path / "whole")
    require_same(weights(again), weights(whole))


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    method = make(Signalled)
    method.number, method.times = signal.SIGINT, 2
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(method, tmp_path)
    assert not isinstance(caught.value, Stopped)


def test_a_checkpoint_is_written_as_often_as_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    keep = checkpoint.save

    def save(folder: Path, place: dict[str, Any], *rest: Any) -> None:  # noqa: ANN401
        saved.append(place["steps"])
        keep(folder, place, *rest)

    monkeypatch.setattr(checkpoint, "save", save)
    fit(toy(), tmp_path / "often", options(save_every=1e-9))
    assert saved == [*range(1, 13), 12]
    saved.clear()
    fit(toy(), tmp_path / "seldom")
    assert saved == [12]


def test_another_seed_and_another_network_are_refused(tmp_path: Path) -> None:
    fit(toy(), tmp_path, limit=4)
    with pytest.raises(UserError, match="its checkpoint is of seed 7, this training has 8"):
        loop.fit(toy(), Batches(7), Pictures(), options(), 8, tmp_path, Group())  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"weights do not fit: 1 missing: mean$"):
        fit(make(Prepared), tmp_path)
    with pytest.raises(UserError, match="its optimisers are not those of this training: groups of"):
        fit(make(Several), tmp_path)


def test_another_device_and_other_numbers_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit(toy(), tmp_path, limit=4)
    otherwise = "go on as it was begun, or delete it to start over"
    with pytest.raises(UserError, match=f"of a training in fp32, this one computes in bf16; {otherwise}"):
        fit(toy(), tmp_path, options(precision="bf16"))
    monkeypatch.setattr(Toy, "to", lambda self, *given, **named: self)
    with pytest.raises(UserError, match=f"of a training on cpu, this one is on cuda; {otherwise}"):
        fit(toy(), tmp_path, group=Group(device=torch.device("cuda")))


def test_another_version_of_torch_is_noted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, again = toy(), toy()
    fit(whole, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(torch, "__version__", "2.0.1")
        fit(toy(), tmp_path / "two", limit=4)
    now = str(torch.__version__)
    note = f"begun with torch 2.0.1, gone on with {now} after step 4"
    assert fit(again, tmp_path / "two", limit=7).notes == (note,)
    assert fit(again, tmp_path / "two").notes == (note,)
    require_same(weights(again), weights(whole))


def test_a_place_of_another_version_is_refused() -> None:
    start = place.Place(7, 1, device="cpu", amp="fp32", torch="2")
    record = start.record()
    assert place.read(record, start, "here") == start
    del record["amp"]
    with pytest.raises(UserError, match="here: its checkpoint was written by another version; delete it to start over"):
        place.read(record, start, "here")


def test_a_folder_that_is_trained_in_is_not_trained_in_twice(tmp_path: Path) -> None:
    class Nested(Toy):
        def after_step(self, at: Moment) -> None:
            with pytest.raises(UserError, match="another process is writing here"):
                fit(toy(), tmp_path)

    fit(make(Nested), tmp_path, limit=1)


def test_a_plan_without_batches_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Batches, "epoch", lambda *_: [])
    with pytest.raises(UserError, match="stage all, epoch 1 of 4: no batch"):
        fit(toy(), tmp_path)


@pytest.mark.parametrize("how", ["compile", "graphs"])
def test_on_a_cpu_steps_stay_plain_and_it_is_said(tmp_path: Path, how: str) -> None:
    method, plain = toy(), toy()
    outcome = fit(method, tmp_path / how, options(compile=how))
    assert outcome.notes == (f'loop.compile = "{how}" is not used: on cpu it is slower than plain steps',)
    assert fit(plain, tmp_path / "plain").notes == ()
    require_same(weights(method), weights(plain))


def test_short_floats_and_channels_last_reach_the_network(tmp_path: Path) -> None:
    class Seen(Method):
        def __init__(self) -> None:
            super().__init__()
            self.needs, self.found = toy().needs, set[tuple[torch.dtype, bool]]()
            self.body = nn.Conv2d(3, 4, 1)

        def stages(self) -> Sequence[Stage]:
            return [Stage("all", 1, (torch.optim.SGD(self.parameters(), 0.1),), lambda at: 1.0, (self,))]

        def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
            made = self.body(batch.images)
            self.found.add((made.dtype, batch.images.is_contiguous(memory_format=torch.channels_last)))
            return {"one": made.float().square().mean()}

        def embed(self, images: Tensor, context: object) -> Tensor:
            raise NotImplementedError

    for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        for last in (True, False):
            method = Seen()
            where = tmp_path / f"{precision}{last}"
            fit(method, where, options(precision=precision, channels_last=last))
            assert method.found == {(dtype, last)}
            assert method.body.weight.dtype == torch.float32


def felt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changed: Any) -> dict[str, Any]:  # noqa: ANN401
    """Train by changed options, and tell all that they could be felt in."""
    saved: list[int] = []

    class Looked(Several):
        """A toy that looks at the rules under which it computes."""

        def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
            found["short"] = torch.is_autocast_enabled("cpu")
            found["exact"] = torch.are_deterministic_algorithms_enabled()
            found["last"] = batch.images.is_contiguous(memory_format=torch.channels_last)
            return super().losses(batch, at)

    def save(folder: Path, place: dict[str, Any], *rest: Any) -> None:  # noqa: ANN401
        saved.append(place["steps"])
        keep(folder, place, *rest)

    found: dict[str, Any] = {}
    keep, method, falling = checkpoint.save, make(Looked), itertools.count(0, -1)
    score = (lambda method: float(next(falling))) if {"validation", "select"} & changed.keys() else None
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", save)
        outcome = fit(method, tmp_path, options(**changed), validate=score)
    log = lines(tmp_path)
    found |= {"notes": outcome.notes, "chosen": outcome.chosen, "saved": saved}
    found |= {"looks": sum("val_mAP" in line for line in log), "lines": sum("loss" in line for line in log)}
    return found | {"sum": sum(float(one.double().sum()) for one in weights(method).values())}


FELT: dict[str, tuple[dict[str, Any], set[str]]] = {
    "precision": ({"precision": "bf16"}, {"short"}),  # a network in float64 is left alone
    "channels_last": ({"channels_last": False}, {"last"}),
    "compile": ({"compile": "graphs"}, {"notes"}),
    "deterministic": ({"deterministic": False}, {"exact"}),
    "clip": ({"clip": 0.5}, {"sum"}),
    "ema": ({"ema": 0.9}, {"sum"}),
    "select": ({"select": "val", "validate_every": 1}, {"chosen", "looks", "saved", "sum"}),
    "validation": ({"validation": True}, {"looks", "saved"}),
    "validate_every": ({"validation": True, "validate_every": 1}, {"looks", "saved"}),
    "log_every": ({"log_every": 4}, {"lines"}),
    "save_every": ({"save_every": 1e-9}, {"saved"}),
    "sync_batchnorm": ({"sync_batchnorm": True}, set()),  # of one process; of several: below
}


def test_every_key_of_the_loop_is_felt_where_it_should_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FELT.keys() == Loop.model_fields.keys()
    plain = felt(tmp_path / "plain", monkeypatch)
    for key, (changed, where) in FELT.items():
        found = felt(tmp_path / key, monkeypatch, **changed)
        assert {name for name in plain if found[name] != plain[name]} == where, key


@pytest.mark.parametrize(("asked", "several"), [(True, 2), (True, 1), (False, 2)])
def test_batch_statistics_are_shared_where_it_is_asked_and_there_are_several(
    monkeypatch: pytest.MonkeyPatch, asked: bool, several: int
) -> None:
    method, converted = toy(norm=True), list[nn.Module]()
    monkeypatch.setattr(nn.SyncBatchNorm, "convert_sync_batchnorm", converted.append)
    monkeypatch.setattr(Toy, "to", lambda self, *given, **named: self)
    loop._place_network(method, options(sync_batchnorm=asked), Group(0, several, torch.device("cuda")))
    assert converted == ([method] if asked and several == 2 else [])
