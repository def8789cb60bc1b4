"""The device that a training ran on, and the numbers it computed in, under their names in `run/1`."""

from pathlib import Path

import torch

from benchmark.environment import Facts
from benchmark.runner import precision
from benchmark.runner.recipe import Loop

_DRIVER = Path("/sys/module/nvidia/version")


def facts(device: torch.device, options: Loop, processes: int = 1) -> Facts:
    """Give all facts; null is: there is none, or it could not be known."""
    gpu = device.type == "cuda"
    return {
        "gpu_name": torch.cuda.get_device_name(device) if gpu else None,
        "n_gpus": processes if gpu else 0,
        "cuda": torch.version.cuda,
        "cudnn": _cudnn() if gpu else None,
        "driver": _driver() if gpu else None,
        "amp": precision.name(options.precision, device),
        # Where short floats are used, what stays float32 may still be rounded by the GPU's matrix units.
        "tf32": gpu,
        "deterministic": options.deterministic,
    }


def peak_mb(device: torch.device) -> int | None:
    """Give the most memory that tensors took on a GPU; the CPU's is not known."""
    return round(torch.cuda.max_memory_allocated(device) / 2**20) if device.type == "cuda" else None


def _cudnn() -> str | None:
    found = torch.backends.cudnn.version()  # type: ignore[no-untyped-call, unused-ignore]
    return None if found is None else str(found)


def _driver() -> str | None:
    try:
        return _DRIVER.read_text().strip() or None
    except OSError:
        return None
