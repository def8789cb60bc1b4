"""Memory that ran out is one line that says what to set; all else stays what it is."""

import numpy as np
import pytest
import torch

from benchmark.errors import UserError
from benchmark.runner.batches import Step
from benchmark.runner.interfaces import Layout
from benchmark.runner.memory import explained_memory, smaller


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        MemoryError("Unable to allocate 9.00 TiB for an array"),
        MemoryError(),
    ],
)
def test_memory_that_ran_out_is_one_line(error: Exception) -> None:
    with (
        pytest.raises(UserError, match=r"^embedding: out of memory; set a smaller size .*batches\.identities"),
        explained_memory("embedding"),
    ):
        raise error
    with pytest.raises(UserError, match=r"^a step: out of memory; wait$"), explained_memory("a step", "wait"):
        raise error


def test_memory_that_is_not_there_is_explained() -> None:
    with pytest.raises(UserError, match="out of memory"), explained_memory("a step"):
        torch.empty(2**55, dtype=torch.uint8)
    with pytest.raises(UserError, match="out of memory"), explained_memory("a step"):
        np.empty(2**55, dtype=np.uint8)


@pytest.mark.parametrize("error", [RuntimeError("shapes do not fit"), ValueError("out of memory"), KeyboardInterrupt()])
def test_what_is_not_memory_stays_what_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, explained_memory("a step"):
        raise error
    assert caught.value is error


def test_what_was_explained_is_not_explained_again() -> None:
    with (
        pytest.raises(UserError, match=r"^inner: out of memory; wait$"),
        explained_memory("outer"),
        explained_memory("inner", "wait"),
    ):
        raise MemoryError


@pytest.mark.parametrize(
    ("layout", "world", "said"),
    [
        (None, 1, "a batch has 32 pictures; try batches.batch=16"),
        (None, 3, "a batch has 32 pictures; try batches.batch=15"),
        (None, 32, "a batch has 32 pictures; try a smaller size"),
        (Layout(("all",), 8, 4), 1, "a batch has 32 pictures: 8 identities x 4; try batches.identities=4"),
        (Layout(("all",), 8, 4), 3, "a batch has 32 pictures: 8 identities x 4; try batches.identities=3"),
        (
            Layout(("day", "night"), 8, 2),
            1,
            "a batch has 32 pictures: 2 halves x 8 identities x 2; try batches.identities=4",
        ),
        (Layout(("all",), 8, 4), 8, "a batch has 32 pictures: 8 identities x 4; try batches.instances=2"),
        (Layout(("all",), 32, 1), 32, "a batch has 32 pictures: 32 identities x 1; try a smaller size"),
    ],
)
def test_half_a_batch_is_one_that_all_processes_can_share(layout: Layout | None, world: int, said: str) -> None:
    assert smaller(Step(np.arange(32), layout), world) == said
