"""A backbone is made faster where that works; where not, all is as before and it is said."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmark.runner import faster
from benchmark.runner.faster import prepare
from tests.benchmark.runner.toys import Toy, require_same, toy, weights

GPU = torch.device("cuda")
Try = Callable[[], None]


def attempt(method: Toy, calls: int = 1) -> Try:
    def step() -> None:
        assert method.backbone is not None
        found = [method.neck(method.backbone(torch.rand(8, 3, 4, 2, dtype=torch.float64))) for _ in range(calls)]
        torch.autograd.backward(torch.stack(found).square().sum())

    return step


def refused(method: Toy, how: str, said: str, calls: int = 1) -> None:
    """Prepare where it does not work, and see that nothing has changed."""
    before = weights(method.train())
    done = prepare(method, how, GPU, attempt(method, calls), contextlib.nullcontext)
    assert [said in note for note in done.notes] == [True], done.notes
    assert done.notes[0].startswith(f'loop.compile = "{how}" is not used: ')
    assert done.backbone is None
    assert "forward" not in vars(method.backbone)
    assert method.backbone._compiled_call_impl is None
    assert all(one.grad is None for one in method.parameters())
    require_same(weights(method), before)


def test_nothing_is_done_or_said_where_nothing_is_asked() -> None:
    def never() -> None:
        raise AssertionError

    assert prepare(toy(), "no", GPU, never, contextlib.nullcontext).notes == []


def test_what_fails_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: object, **named: object) -> None:
        raise RuntimeError("no graph today\nand more")

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", fail)
    refused(toy(norm=True), "graphs", "RuntimeError: no graph today")
    monkeypatch.setattr(nn.Module, "compile", fail)
    refused(toy(norm=True), "compile", "RuntimeError: no graph today")


def test_what_fails_only_when_it_is_called_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: object) -> None:
        raise RuntimeError("no kernel")

    def compiled(module: nn.Module, **named: object) -> None:
        module._compiled_call_impl = fail

    monkeypatch.setattr(nn.Module, "compile", compiled)
    refused(toy(norm=True), "compile", "no kernel")


def test_graphs_need_one_call_a_step() -> None:
    refused(toy(norm=True), "graphs", "a step calls the backbone 2 times, graphs need one", calls=2)


def test_a_method_without_a_backbone_or_with_a_frozen_one_stays_plain() -> None:
    method = toy()
    method.backbone.requires_grad_(False)
    refused(method, "graphs", "the backbone is not trained in this stage")
    method.backbone = None  # type: ignore[assignment]
    note = prepare(method, "compile", GPU, attempt(method), contextlib.nullcontext).notes[0]
    assert note == 'loop.compile = "compile" is not used: the method names no backbone'


class Replayed:
    """Stands for a recorded graph: it counts its replays."""

    def __init__(self, plain: Callable[[Tensor], Tensor]) -> None:
        self.plain, self.count = plain, 0

    def __call__(self, images: Tensor) -> Tensor:
        self.count += 1
        return self.plain(images)


def test_a_graph_is_replayed_for_its_own_batches_only(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Replayed] = []

    def record(module: nn.Module, sample: tuple[Any, ...], **named: object) -> None:
        made.append(Replayed(module.forward))
        module.forward = made[0]

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", record)
    method = toy(norm=True)
    before = weights(method.train())
    done = prepare(method, "graphs", GPU, attempt(method), contextlib.nullcontext)
    assert done.notes == []
    require_same(weights(method), before)
    counted = made[0].count
    images, few = torch.rand(8, 3, 4, 2, dtype=torch.float64), torch.rand(3, 3, 4, 2, dtype=torch.float64)
    method.backbone(images)
    assert made[0].count == counted + 1
    method.backbone(few)
    with torch.no_grad():
        method.backbone(images)
    method.eval().backbone(images)
    assert made[0].count == counted + 1
    done.undo()
    assert "forward" not in vars(method.backbone)
    method.train().backbone(images)
    assert made[0].count == counted + 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("how", ["compile", "graphs"])
def test_on_a_gpu_the_gradient_is_that_of_plain_steps(how: str) -> None:
    torch.manual_seed(0)
    images = torch.rand(8, 3, 4, 2, dtype=torch.float64, device=GPU)
    found: list[dict[str, Tensor]] = []
    for kind in ("no", how):
        method = toy(norm=True).to(GPU).train()

        def step(method: Toy = method) -> None:
            torch.autograd.backward(method.neck(method.backbone(images)).pow(3).sum())

        done = faster.prepare(method, kind, GPU, step, contextlib.nullcontext)
        assert done.notes == []
        step()
        grads = {name: one.grad.clone() for name, one in method.named_parameters() if one.grad is not None}
        found.append(grads | weights(method))
        done.undo()
    for name in found[0]:
        torch.testing.assert_close(found[0][name], found[1][name], rtol=1e-9, atol=1e-12)
