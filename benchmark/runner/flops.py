"""What a network costs: FLOP by torch's counter, two for a multiplication and its addition, and parameters."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as trees
from torch.utils.flop_counter import FlopCounterMode

from benchmark.runner.interfaces import Batch, Context, Method, Moment


class Cost(NamedTuple):
    """What embedding one picture takes; where mirror images are embedded too, they take as much again."""

    gflops: float
    params_m: float  # millions of parameters that take part


@torch.no_grad()
def embedding(method: Method, size: tuple[int, int]) -> Cost:
    """Count for one picture through `embed`."""
    sizes = {name: value.numel() for name, value in method.named_parameters()}
    with FlopCounterMode(display=False) as counter:
        names = used(method, size)
    return Cost(counter.get_total_flops() / 1e9, sum(sizes[name] for name in names) / 1e6)


@torch.no_grad()
def used(method: Method, size: tuple[int, int]) -> set[str]:
    """Name the parameters that `embed` reads; heads and whatever else only trains are not among them."""
    images = torch.zeros(1, 3, *size, device=next(method.parameters()).device)
    nothing = torch.zeros(1, dtype=torch.long, device=images.device)
    with evaluating(method), _Reads() as reads:
        method.embed(images, Context(nothing, nothing, nothing, dict.fromkeys(method.needs.views, images)))
    return {name for name, value in method.named_parameters() if id(value) in reads.found}


def step(method: Method, batch: Batch, at: Moment) -> int:
    """Count one step, forward and backward. Gradients are cleared; weights, statistics and random numbers stay."""
    # Of a convolution in groups torch (2.15) counts the slope of the weights as often over as there are groups.
    before = {name: value.clone() for name, value in method.state_dict().items()}
    devices = [batch.images.device] if batch.images.device.type == "cuda" else []
    with torch.random.fork_rng(devices), FlopCounterMode(display=False) as counter:
        torch.autograd.backward(torch.stack(list(method.losses(batch, at).values())).sum())
    method.zero_grad(set_to_none=True)
    method.load_state_dict(before)
    return int(counter.get_total_flops())


@contextlib.contextmanager
def evaluating(method: nn.Module) -> Iterator[None]:
    """Put a network in eval mode for a while; every part of it goes back to the mode it had."""
    modes = [(module, module.training) for module in method.modules()]
    method.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


class _Reads(TorchFunctionMode):
    """Sees which parameters any function computes with; to ask for a shape or a device is not to compute."""

    def __init__(self) -> None:
        super().__init__()
        self.found = set[int]()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        result = func(*args, **(kwargs or {}))
        if any(isinstance(value, Tensor) for value in trees.tree_leaves(result)):
            given = trees.tree_leaves((args, kwargs))
            self.found |= {id(value) for value in given if isinstance(value, nn.Parameter)}
        return result
