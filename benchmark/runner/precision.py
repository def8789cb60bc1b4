"""In which numbers a device computes, and the rules of torch that hold while it trains."""

import contextlib
import os
from collections.abc import Iterator

import torch

from benchmark.runner.recipe import Loop


def reduced(wanted: str, device: torch.device) -> torch.dtype | None:
    """Give the short floats that a device computes in; None: float32 only. `auto` asks torch what is native."""
    if wanted == "fp32" or (wanted == "auto" and not _native(device)):
        return None
    return torch.bfloat16


def name(wanted: str, device: torch.device) -> str:
    """Give the precision that a recipe means here, as `run/1` calls it."""
    return "fp32" if reduced(wanted, device) is None else "bf16"


def autocast(wanted: str, device: torch.device, *, cached: bool = True) -> contextlib.AbstractContextManager[object]:
    """Compute in the precision that a recipe names."""
    dtype = reduced(wanted, device)
    if dtype is None:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype, cache_enabled=cached)


def _native(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Where it is emulated it is slower than float32. Older versions of torch have the second question only.
    known = getattr(torch.cpu, "get_capabilities", None)
    if known is None:
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    found = known()
    return any(bool(found.get(name)) for name in ("avx512_bf16", "amx_bf16"))


@contextlib.contextmanager
def rules(options: Loop, device: torch.device) -> Iterator[None]:
    """Hold torch to a recipe's rules while it trains, and give them back after."""
    with _threads(device), _matrices(device), _deterministic(options.deterministic):
        yield


@contextlib.contextmanager
def _threads(device: torch.device) -> Iterator[None]:
    # Threads of several processes wait for each other on busy cores: two of a process are many times slower than one.
    before = torch.get_num_threads()
    if device.type == "cpu" and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _matrices(device: torch.device) -> Iterator[None]:
    """Let a GPU round the factors of float32 matrices while it trains, and never while it tests."""
    before = torch.get_float32_matmul_precision()
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextlib.contextmanager
def tested(device: torch.device) -> Iterator[None]:
    """Compute float32 matrices in full: for a validation in the midst of a training."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextlib.contextmanager
def _deterministic(wanted: bool) -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    kernels, benchmark = torch.utils.deterministic, torch.backends.cudnn.benchmark
    fill = kernels.fill_uninitialized_memory  # type: ignore[attr-defined, unused-ignore]
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is exact with a fixed work space only
    torch.use_deterministic_algorithms(wanted)
    # Filling memory that is about to be written finds mistakes in kernels, and takes time.
    kernels.fill_uninitialized_memory = False  # type: ignore[attr-defined, unused-ignore]
    torch.backends.cudnn.benchmark = not wanted
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        kernels.fill_uninitialized_memory = fill  # type: ignore[attr-defined, unused-ignore]
        torch.backends.cudnn.benchmark = benchmark
