"""Several processes that train one network: what `torchrun` started, and what they tell each other.

Every process computes its share of a batch; gradients are averaged by hand after the backward pass, which is right for
any number of optimisers. Mining over all processes needs the features of all: `everyone`.
"""

import datetime
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import Parameter

from benchmark.errors import UserError

if dist.is_available():
    # Torch imports this on its own while it trains, and its functions then keep the group that stands as their default:
    # its threads outlive `stop`, and now and then abort the process while the interpreter ends. Here, none stands yet.
    import torch.distributed.nn.functional

# The others wait for the first process while it validates or writes.
_PATIENCE = datetime.timedelta(hours=2)


@dataclass(frozen=True)
class Group:
    """Which of how many processes this is, and where it computes."""

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Say whether this process is the one that writes."""
        return self.rank == 0

    def largest(self, value: float) -> float:
        """Give the largest of all processes' values; all must ask."""
        if self.world == 1:
            return value
        told = torch.tensor(value, dtype=torch.float64)
        dist.all_reduce(told, dist.ReduceOp.MAX)
        return told.item()

    def said(self, value: float) -> float:
        """Give all processes the first one's value; all must ask."""
        if self.world == 1:
            return value
        told = torch.tensor(value, dtype=torch.float64)
        dist.broadcast(told, 0)
        return told.item()


def start(device: str) -> Group:
    """Join the other processes where `torchrun` started several; otherwise start nothing."""
    world = _number("WORLD_SIZE", 1)
    where = _device(device, world)
    if world == 1:
        return Group(0, 1, where)
    if where.type == "cuda":
        torch.cuda.set_device(where)
    # Words of control go over gloo, so that no device waits for them.
    backend = "cpu:gloo,cuda:nccl" if where.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=_PATIENCE)
    return Group(dist.get_rank(), world, where)


def stop() -> None:
    """Leave the other processes."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def barrier(group: Group) -> None:
    """Wait until all processes are here."""
    if group.world > 1:
        group.largest(0.0)


def everyone(tensor: Tensor) -> Tensor:
    """Gather the rows of all processes, in the order of their ranks; gradients flow back to where rows came from.

    Where every process computes the same loss of the gathered rows and gradients are averaged over the processes, the
    gradient is that of one process with all rows: W equal losses are summed here and divided by W there.
    """
    return tensor if _world() == 1 else _apply(tensor)


def everyone_plain(tensor: Tensor) -> Tensor:
    """Gather rows that need no gradient, such as labels."""
    return tensor if _world() == 1 else _gathered(tensor.detach())


class _Everyone(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:  # noqa: ANN401
        ctx.rows = len(tensor)
        return _gathered(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        whole = gradients[0].contiguous().clone()
        dist.all_reduce(whole)
        begin = dist.get_rank() * ctx.rows
        return whole[begin : begin + ctx.rows]


def _apply(tensor: Tensor) -> Tensor:
    gathered: Tensor = _Everyone.apply(tensor)
    return gathered


def _gathered(tensor: Tensor) -> Tensor:
    own = tensor.contiguous()
    parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, own)
    return torch.cat(parts)


def average(parameters: Sequence[Parameter], terms: Tensor) -> Tensor:
    """Average the gradients over all processes, in place, and give the averaged terms of the loss."""
    if _world() == 1:
        return terms
    present = tuple(parameter.grad is not None for parameter in parameters)
    told = torch.cat([_flags(present, terms.device).to(terms.dtype), terms])
    dist.all_reduce(told)
    # A gradient that no process has stays away, as in one process; the flags are read only where one is missing here.
    if not all(present):
        for parameter, count in zip(parameters, told[: len(present)].tolist(), strict=True):
            if parameter.grad is None and count:
                parameter.grad = torch.zeros_like(parameter)
    _mean([parameter.grad for parameter in parameters if parameter.grad is not None])
    return told[len(present) :] / _world()


@lru_cache(maxsize=64)
def _flags(present: tuple[bool, ...], device: torch.device) -> Tensor:
    return torch.tensor(present, device=device)


@torch.no_grad()
def _mean(tensors: Sequence[Tensor]) -> None:
    for alike in _by_type(tensors):
        flat = torch.cat([tensor.reshape(-1) for tensor in alike])
        dist.all_reduce(flat)
        _fill(alike, flat.div_(_world()))


@torch.no_grad()
def same(tensors: Iterable[Tensor]) -> None:
    """Give all processes the first one's values, in place."""
    if _world() == 1:
        return
    for alike in _by_type([tensor.detach() for tensor in tensors]):
        flat = torch.cat([tensor.reshape(-1) for tensor in alike])
        dist.broadcast(flat, 0)
        _fill(alike, flat)


def same_network(network: nn.Module) -> None:
    """Give all processes the first one's parameters and buffers."""
    same([*network.parameters(), *network.buffers()])


def _by_type(tensors: Sequence[Tensor]) -> list[list[Tensor]]:
    found: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        found.setdefault(tensor.dtype, []).append(tensor)
    return list(found.values())


def _fill(tensors: Sequence[Tensor], flat: Tensor) -> None:
    for tensor, part in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view(tensor.shape))


def _world() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def _device(name: str, world: int) -> torch.device:
    try:
        where = torch.device(name)
    except RuntimeError:
        raise UserError(f"--device {name}: torch knows no such device; allowed: cpu, cuda, cuda:0, ...") from None
    if where.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"--device {name}: torch finds no GPU of this kind here; allowed: cpu")
    if where.type == "cuda" and world > 1:
        if where.index is not None:
            raise UserError(f"--device {name}: {world} processes take a GPU each; write --device cuda")
        where = torch.device("cuda", _number("LOCAL_RANK", 0))
    if where.type == "cuda" and (where.index or 0) >= torch.cuda.device_count():
        raise UserError(f"--device {where}: this machine has {torch.cuda.device_count()} GPUs")
    return where


def _number(name: str, otherwise: int) -> int:
    text = os.environ.get(name, str(otherwise))
    if not text.isdecimal():
        raise UserError(f"{name}={text}: must be a whole number; torchrun sets it")
    return int(text)
