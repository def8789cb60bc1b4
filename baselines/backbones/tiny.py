"""A tiny ResNet for two CPU cores: one block a stage, 1.2 million weights, no file of published ones."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from baselines.backbones import Backbone, Tensors, mean_of_maps
from benchmark.errors import UserError
from benchmark.runner.interfaces import Look

NAMES = {"tiny": ""}
WIDTHS = (32, 64, 128, 256)


def make(name: str, size: tuple[int, int], stride: int, drop_path: float) -> Backbone:
    """Make one; its last stride is 1 (so 0 says, too) or 2."""
    if stride not in (0, 1, 2) or drop_path:
        raise UserError(
            f"backbone tiny: stride {stride}, drop_path {drop_path}; allowed: stride 0, 1 or 2, no drop_path"
        )
    body = Tiny(max(1, stride))
    return Backbone(name, body, WIDTHS[-1], Look(body.stages), mean_of_maps)


def adapted(body: nn.Module, tensors: Tensors) -> Tensors:
    """Take weights as they are."""
    return tensors


class Tiny(nn.Module):
    """A stem of stride 4 in all, then four blocks."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, WIDTHS[0], 5, 2, 2, bias=False),
            nn.BatchNorm2d(WIDTHS[0]),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        widths = pairwise((WIDTHS[0], *WIDTHS))
        strides = (1, 2, 2, last)
        blocks = [Block(before, after, step) for (before, after), step in zip(widths, strides, strict=True)]
        self.stages = nn.Sequential(*blocks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Give maps of 256 channels."""
        found: Tensor = self.stages(self.stem(images))
        return found


class Block(nn.Module):
    """The basic block of He et al., CVPR 2016."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        self.short: nn.Module = nn.Identity()
        if stride > 1 or before != after:
            self.short = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, maps: Tensor) -> Tensor:
        """Add what two convolutions find to what came in."""
        inner = self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(maps)), inplace=True)))
        return functional.relu(inner + self.short(maps), inplace=True)
