"""ResNets (He et al., CVPR 2016), also with instance normalisation (IBN-Net: Pan et al., ECCV 2018)."""

import re
from typing import Any

import torch
from torch import Tensor, nn

from baselines.backbones import Backbone, Tensors, mean_of_maps
from benchmark.errors import UserError
from benchmark.runner.interfaces import Look

# The weights that BoT and AGW began with are torchvision's first ones. IBN-Net's own are files for `pretrained`.
NAMES = {
    "resnet18": "resnet18.tv_in1k",
    "resnet50": "resnet50.tv_in1k",
    "resnet50_ibn_a": "",
    "resnet50_ibn_b": "",
}


def make(name: str, size: tuple[int, int], stride: int, drop_path: float) -> Backbone:
    """Make one; its last stride is 2 (so 0 says, too) or 1, which leaves maps twice as fine (BoT)."""
    import timm  # takes seconds

    if stride not in (0, 1, 2):
        raise UserError(f"backbone {name}: stride {stride}; allowed: 1 or 2, the last stride of a ResNet")
    architecture, _, variant = name.partition("_ibn_")
    body: Any = timm.create_model(architecture, num_classes=0, global_pool="", drop_path_rate=drop_path)
    if stride == 1:
        _keep_size(body)
    if variant == "a":
        _half_instance(body)
    elif variant == "b":
        _instance_after(body)
    return Backbone(name, body, body.num_features, Look(body.layer4), mean_of_maps)


def adapted(body: nn.Module, tensors: Tensors) -> Tensors:
    """Name IBN-Net's published tensors as here."""
    return {_renamed(name): value for name, value in tensors.items()}


def _renamed(name: str) -> str:
    inner = name.replace(".bn1.IN.", ".bn1.instance.").replace(".bn1.BN.", ".bn1.batch.")
    return re.sub(r"^(layer\d\.\d+)\.IN\.", r"\1.act3.0.", inner)


def _keep_size(body: nn.Module) -> None:
    block: Any = body.get_submodule("layer4.0")
    for part in (block.conv1, block.conv2, block.downsample[0]):
        part.stride = (1, 1)


class HalfInstance(nn.Module):
    """IBN-a: the first half of the channels is normalised a picture, the other over the batch."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = channels // 2
        self.instance = nn.InstanceNorm2d(self.first, affine=True)
        self.batch = nn.BatchNorm2d(channels - self.first)

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise both halves."""
        one, two = torch.split(maps, [self.first, maps.shape[1] - self.first], 1)
        return torch.cat([self.instance(one), self.batch(two)], 1)


def _half_instance(body: nn.Module) -> None:
    """Put IBN-a into all blocks but those of the last stage: what is light and what is shape is told apart early."""
    for stage in ("layer1", "layer2", "layer3"):
        block: Any
        for block in body.get_submodule(stage).children():
            block.bn1 = HalfInstance(block.bn1.num_features)


def _instance_after(body: nn.Module) -> None:
    """Put IBN-b after the stem's convolution, and after the sum at the end of the first two stages."""
    whole: Any = body
    whole.bn1 = nn.InstanceNorm2d(whole.bn1.num_features, affine=True)
    for last in (whole.layer1[-1], whole.layer2[-1]):
        last.act3 = nn.Sequential(nn.InstanceNorm2d(last.bn3.num_features, affine=True), last.act3)
