"""A backbone that is compiled or replayed as CUDA graphs; where that cannot work, plain steps and a note."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.runner.interfaces import Method

Try = Callable[[], None]  # computes the losses and gradients of one batch, without a step


@dataclass
class Faster:
    """What was done to the backbone for one stage, and how it is undone."""

    backbone: nn.Module | None = None
    notes: list[str] = field(default_factory=list)

    def undo(self) -> None:
        """Give the backbone its own forward back."""
        if self.backbone is not None:
            self.backbone._compiled_call_impl = None
            self.backbone.__dict__.pop("forward", None)
            self.backbone = None


def prepare(method: Method, how: str, device: torch.device, attempt: Try, autocast: Callable[[], Any]) -> Faster:
    """Speed a stage up as the recipe says; `attempt` is called to see whether it works, its gradients are dropped."""
    reason = _reason(method, how, device)
    if reason or how == "no":
        return Faster(notes=[f'loop.compile = "{how}" is not used: {reason}'] if reason else [])
    assert method.backbone is not None
    faster, before = Faster(method.backbone), _buffers(method)
    try:
        reason = _graphs(method.backbone, attempt, autocast) if how == "graphs" else _compiled(method.backbone)
        if not reason:
            attempt()
    except Exception as error:  # whatever it is, plain steps go on; what is wrong with the method itself comes again
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:160]}"
    if reason:
        faster.undo()
        faster.notes.append(f'loop.compile = "{how}" is not used: {reason}')
    method.zero_grad(set_to_none=True)
    _restore(method, before)
    return faster


def _reason(method: Method, how: str, device: torch.device) -> str:
    """Say why it cannot work at all; empty where it can."""
    if how == "no":
        return ""
    if device.type != "cuda":
        return f"on {device.type} it is slower than plain steps"
    if method.backbone is None:
        return "the method names no backbone"
    if not any(parameter.requires_grad for parameter in method.backbone.parameters()):
        return "the backbone is not trained in this stage"
    return ""


def _compiled(backbone: nn.Module) -> str:
    backbone.compile(dynamic=False)
    return ""


def _graphs(backbone: nn.Module, attempt: Try, autocast: Callable[[], Any]) -> str:
    """Record the backbone's forward and backward, for pictures of the shape that this stage's batches have."""
    calls = _calls(backbone, attempt)
    # A replay overwrites what the one before it left for the backward pass.
    if len(calls) != 1 or len(calls[0]) != 1 or not isinstance(calls[0][0], Tensor):
        return f"a step calls the backbone {len(calls)} times, graphs need one call with the pictures alone"
    pictures = calls[0][0]
    sample = torch.empty_like(pictures).copy_(pictures).requires_grad_(pictures.requires_grad)
    plain = backbone.forward
    with autocast():
        torch.cuda.make_graphed_callables(backbone, (sample,), allow_unused_input=True)
    replayed = backbone.forward

    def forward(images: Tensor) -> Any:  # noqa: ANN401
        fits = backbone.training and images.shape == sample.shape and torch.is_grad_enabled()
        return replayed(images) if fits else plain(images)

    backbone.__dict__["forward"] = forward
    return ""


def _calls(backbone: nn.Module, attempt: Try) -> list[tuple[Any, ...]]:
    """List the arguments with which one plain step calls the backbone."""
    found: list[tuple[Any, ...]] = []

    def note(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        found.append((*given, *named.items()))

    hook = backbone.register_forward_pre_hook(note, with_kwargs=True)
    try:
        attempt()
    finally:
        hook.remove()
    return found


def _buffers(method: Method) -> list[Tensor]:
    return [buffer.detach().clone() for buffer in method.buffers()]


@torch.no_grad()
def _restore(method: Method, before: list[Tensor]) -> None:
    for buffer, own in zip(method.buffers(), before, strict=True):
        buffer.copy_(own)
