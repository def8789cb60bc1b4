"""Where 16 bits are too few: necks, logits and distances are computed in full."""

import torch
from torch import Tensor


def full(like: Tensor) -> torch.autocast:
    """Switch automatic bf16 off within a `with`, on the device of a tensor."""
    return torch.autocast(like.device.type, enabled=False)


def wide(numbers: Tensor) -> Tensor:
    """Give at least 32 bits."""
    return numbers if numbers.dtype == torch.float64 else numbers.float()
