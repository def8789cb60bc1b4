"""Swin transformers (Liu et al., ICCV 2021)."""

import math
from typing import Any

from torch import Tensor, nn

from baselines.backbones import Backbone, Tensors, mean_of_maps
from benchmark.errors import UserError
from benchmark.runner.interfaces import Look

NAMES = {
    "swin_tiny": "swin_tiny_patch4_window7_224.ms_in22k_ft_in1k",
    "swin_small": "swin_small_patch4_window7_224.ms_in22k_ft_in1k",
    "swin_base": "swin_base_patch4_window7_224.ms_in22k_ft_in1k",
}
_TABLE = "relative_position_bias_table"


def make(name: str, size: tuple[int, int], stride: int, drop_path: float) -> Backbone:
    """Make one for pictures of a size; windows that do not divide the maps are filled up."""
    import timm  # takes seconds

    if stride:
        raise UserError(f"backbone {name}: stride {stride}; a Swin transformer has its own: write stride = 0")
    architecture = NAMES[name].partition(".")[0]
    network: Any = timm.create_model(
        architecture, img_size=size, num_classes=0, global_pool="", drop_path_rate=drop_path
    )
    body = Maps(network)
    return Backbone(name, body, network.num_features, Look(body), mean_of_maps)


class Maps(nn.Module):
    """A network whose channels come last, with its channels first."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Give maps as all others do."""
        found: Tensor = self.network(images)
        return found.permute(0, 3, 1, 2)


def adapted(body: nn.Module, tensors: Tensors) -> Tensors:
    """Make the learnt offsets of a larger window fit a smaller one, which low maps have."""
    plain = {"network." + name.removeprefix("network."): value for name, value in tensors.items()}
    return {name: _fitting(body, name, value) for name, value in plain.items()}


def _fitting(body: nn.Module, name: str, value: Tensor) -> Tensor:
    owner, _, last = name.rpartition(".")
    if last != _TABLE or owner not in dict(body.named_modules()):
        return value
    window: Any = body.get_submodule(owner)
    height, width = (2 * side - 1 for side in window.window_size)
    return value if len(value) == height * width else offsets(value, (height, width))


def offsets(table: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut the middle out of a square table: what is one place to the left is so in a window of any size."""
    side = math.isqrt(len(table))
    if side * side != len(table) or max(size) > side:
        return table  # its shape will be refused with its name
    above, left = ((side - part) // 2 for part in size)
    square = table.reshape(side, side, -1)[above : above + size[0], left : left + size[1]]
    return square.reshape(size[0] * size[1], -1)
