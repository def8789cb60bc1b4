"""Swin transformers (Liu et al., ICCV 2021)."""

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
    """Make the learnt offsets within a window fit other windows, as timm does."""
    from timm.models.swin_transformer import checkpoint_filter_fn

    network, own = body.get_submodule("network"), body.state_dict()
    plain = {"network." + name.removeprefix("network."): value for name, value in tensors.items()}
    if all(name in own and own[name].shape == value.shape for name, value in plain.items()):
        return plain
    found = checkpoint_filter_fn({name.removeprefix("network."): v for name, v in plain.items()}, network)
    return {f"network.{name}": value for name, value in found.items()}
