"""Vision transformers (Dosovitskiy et al., ICLR 2021) with patches that may overlap, and those of DINO and DINOv2."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.backbones import IMAGENET, Backbone, Tensors, first_token
from benchmark.errors import UserError
from benchmark.runner.interfaces import Look

# `vit_base` begins as TransReID does: trained on ImageNet-21k, then on ImageNet.
NAMES = {
    "vit_tiny": "vit_tiny_patch16_224.augreg_in21k_ft_in1k",
    "vit_small": "vit_small_patch16_224.augreg_in21k_ft_in1k",
    "vit_base": "vit_base_patch16_224.orig_in21k_ft_in1k",
    "vit_small_dino": "vit_small_patch16_224.dino",
    "vit_base_dino": "vit_base_patch16_224.dino",
    "vit_small_dinov2": "vit_small_patch14_dinov2.lvd142m",
    "vit_base_dinov2": "vit_base_patch14_dinov2.lvd142m",
    "vit_small_reg4_dinov2": "vit_small_patch14_reg4_dinov2.lvd142m",
    "vit_base_reg4_dinov2": "vit_base_patch14_reg4_dinov2.lvd142m",
}
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def make(name: str, size: tuple[int, int], stride: int, drop_path: float) -> Backbone:
    """Make one for pictures of a size; `stride` pixels lie between two patches, 0: they touch."""
    import timm  # takes seconds

    architecture = NAMES[name].partition(".")[0]
    patch = 14 if "patch14" in architecture else 16
    stride = stride or patch
    if not 1 < stride <= patch:
        raise UserError(f"backbone {name}: stride {stride}; allowed: 2 to {patch}, the pixels between two patches")
    grid = ((size[0] - patch) // stride + 1, (size[1] - patch) // stride + 1)
    if min(grid) < 1:
        raise UserError(f"backbone {name}: pictures of {size[0]} x {size[1]} are smaller than a patch of {patch}")
    # Made for as many touching patches as there will be; then the patches move together and overlap.
    area = (grid[0] * patch, grid[1] * patch)
    body: Any = timm.create_model(architecture, img_size=area, num_classes=0, global_pool="", drop_path_rate=drop_path)
    # What is left over at the right and below is not seen.
    body.patch_embed.img_size, body.patch_embed.proj.stride = size, (stride, stride)
    normalise = IMAGENET if "dino" in name else _HALF
    return Backbone(name, body, body.num_features, Look(body.blocks[-1].norm1, grid), first_token, normalise)


def adapted(body: nn.Module, tensors: Tensors) -> Tensors:
    """Make the learnt places of other sizes fit."""
    if "pos_embed" not in tensors:
        return tensors
    own: Any = body
    prefix = 0 if own.no_embed_class else own.num_prefix_tokens
    return {**tensors, "pos_embed": placed(tensors["pos_embed"], prefix, own.patch_embed.grid_size)}


def placed(table: Tensor, prefix: int, grid: tuple[int, int]) -> Tensor:
    """Resize the learnt embedding of places to another grid; the first `prefix` tokens have no place."""
    first, places = table[:, :prefix], table[:, prefix:]
    count = places.shape[1]
    if count == grid[0] * grid[1]:
        return table
    side = math.isqrt(count)
    if side * side != count:
        raise UserError(f"pretrained: an embedding of {count} places, which are no square, cannot be resized to {grid}")
    square = places.reshape(1, side, side, -1).permute(0, 3, 1, 2).float()
    resized = functional.interpolate(square, size=grid, mode="bicubic", antialias=True)
    return torch.cat([first, resized.flatten(2).transpose(1, 2).to(table.dtype)], 1)
