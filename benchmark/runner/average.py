"""A running mean of the weights (EMA), which is then what is kept and tested."""

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn


class Average:
    """mean = decay * mean + (1 - decay) * weights after every step; it begins at the weights as they stand."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = _copies(network)

    def restart(self, network: nn.Module) -> None:
        """Begin again at the weights as they stand."""
        self.values = _copies(network)

    def take(self, values: Mapping[str, Tensor]) -> None:
        """Go on from a mean that was kept; KeyError where it is another network's."""
        for name, own in self.values.items():
            own.copy_(values[name])

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take one step in; running statistics are averaged like weights, counts are copied."""
        own = network.state_dict()
        moving = [name for name in own if own[name].is_floating_point()]
        torch._foreach_lerp_([self.values[name] for name in moving], [own[name] for name in moving], 1 - self.decay)
        for name in own.keys() - moving:
            self.values[name].copy_(own[name])

    @contextlib.contextmanager
    def shown(self, network: nn.Module) -> Iterator[None]:
        """Put the mean into the network for a while."""
        own = _copies(network)
        fill(network, self.values)
        try:
            yield
        finally:
            fill(network, own)


@torch.no_grad()
def fill(network: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Copy values into a network's own memory, of which others may keep the address."""
    for name, tensor in network.state_dict().items():
        tensor.copy_(values[name])


def _copies(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
