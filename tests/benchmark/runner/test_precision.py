"""Rules of torch: held while a training runs, and given back after."""

import os
from collections.abc import Mapping

import pytest
import torch

from benchmark.runner import hardware, precision
from benchmark.runner.recipe import Loop
from benchmark.schemas import RUN

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def state() -> tuple[object, ...]:
    return (
        torch.get_num_threads(),
        torch.get_float32_matmul_precision(),
        torch.are_deterministic_algorithms_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined, unused-ignore]
        torch.backends.cudnn.benchmark,
    )


@pytest.mark.parametrize("found", [{"avx512_bf16": True}, {"amx_bf16": True}, {"avx512_bf16": False}, {}])
def test_auto_asks_torch_whether_short_floats_are_native(
    monkeypatch: pytest.MonkeyPatch, found: Mapping[str, bool]
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    expected = torch.bfloat16 if any(found.values()) else None
    assert precision.reduced("auto", CPU) is expected
    assert precision.reduced("fp32", CPU) is None
    assert precision.reduced("bf16", CPU) is torch.bfloat16


def test_auto_asks_an_older_torch_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert precision.reduced("auto", CPU) is None
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert precision.reduced("auto", CPU) is torch.bfloat16


def test_auto_asks_a_gpu_and_does_not_count_emulation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    assert precision.reduced("auto", GPU) is None


def test_one_thread_on_a_cpu_unless_a_person_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        with precision.rules(Loop(), CPU):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        with precision.rules(Loop(), CPU):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def train(wanted: bool) -> None:
    """Look at the rules from within a training that fails."""
    with precision.rules(Loop(deterministic=wanted), GPU):
        assert torch.are_deterministic_algorithms_enabled() is wanted
        assert torch.backends.cudnn.benchmark is not wanted
        assert torch.get_float32_matmul_precision() == "high"
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
        with precision.tested(GPU):
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "high"
        raise ZeroDivisionError


def test_rules_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "given back after the test")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    before = state()
    for wanted in (True, False):
        with pytest.raises(ZeroDivisionError):
            train(wanted)
        assert state() == before


def test_a_cpu_multiplies_in_full() -> None:
    with precision.rules(Loop(), CPU):
        assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize("kind", ["fp32", "bf16"])
def test_the_run_record_names_what_was_computed_in(kind: str) -> None:
    options = Loop.model_validate({"precision": kind, "deterministic": False})
    found = hardware.facts(CPU, options)
    assert found.keys() <= set(RUN.names)
    assert (found["amp"], found["deterministic"], found["tf32"], found["n_gpus"]) == (kind, False, False, 0)
    assert found["gpu_name"] is None
    assert hardware.peak_mb(CPU) is None
    with precision.autocast(kind, CPU):
        made = torch.ones(2, 2) @ torch.ones(2, 2)
    assert made.dtype == (torch.bfloat16 if kind == "bf16" else torch.float32)
