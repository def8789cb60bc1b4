"""Two processes learn what one learns: gradients, trajectories, stops. They are started as a person starts them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.errors import UserError
from benchmark.runner import distributed
from benchmark.runner.distributed import Group
from benchmark.runner.interfaces import Moment
from tests.benchmark.runner import pair, toys

Found = list[dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pair")


@pytest.fixture(scope="module")
def found(folder: Path) -> Found:
    """Give what two processes found."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*start, "-m", "tests.benchmark.runner.pair", str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def require_near(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    for name in left:
        torch.testing.assert_close(left[name], right[name], rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_the_gradient_of_two_is_that_of_one(found: Found) -> None:
    alone = pair.gradient(Group())
    assert "backbone.1.weight" in alone
    for one in found:
        require_near(one["gradient"], alone)


@pytest.mark.slow
def test_mining_over_all_processes_is_felt(found: Found) -> None:
    """Each half mines other triplets than the whole: without `everyone` the test above would fail."""
    halves = []
    for rank in range(2):
        method = toys.make(pair.Long)
        steps = toys.Batches(7).epoch(0, 0, "pk")
        batch = next(toys.Pictures(rank, 2).epoch(steps, 0, 0))
        halves.append(method.losses(batch, Moment("all", 0, 0, 1, 3))["triplet"])
    assert torch.stack(halves).mean() < 0.95 * found[0]["gradient"]["terms"][1]


@pytest.mark.slow
def test_two_processes_train_as_one(found: Found, tmp_path: Path) -> None:
    alone = pair.trained(Group(), tmp_path, [None])
    for one in found:
        # Buffers are the first process's: those of the toy are made of the rows that it saw itself.
        require_near({**one["straight"], "own": alone["own"], "count": alone["count"]}, alone)


@pytest.mark.slow
def test_processes_hold_the_same_bits_in_the_end_and_after_stops(found: Found, folder: Path) -> None:
    for name in ("straight", "resumed"):
        toys.require_same(found[0][name], found[1][name])
    toys.require_same(found[0]["straight"], found[0]["resumed"])
    assert toys.lines(folder / "straight") == toys.lines(folder / "resumed")


@pytest.mark.slow
def test_the_first_process_writes_the_mean_of_the_terms(found: Found, folder: Path, tmp_path: Path) -> None:
    pair.trained(Group(), tmp_path, [None])
    two, one = toys.lines(folder / "straight"), toys.lines(tmp_path)
    assert [line["step"] for line in two] == [line["step"] for line in one]
    for left, right in zip(two, one, strict=True):
        assert left["terms"] == pytest.approx(right["terms"], rel=1e-9)


@pytest.mark.slow
def test_a_gradient_that_one_process_lacks_counts_as_zero_and_one_that_all_lack_stays_away(found: Found) -> None:
    for one in found:
        first, second, third = one["missing"]
        assert first.tolist() == [1.5, 1.5]
        assert second.tolist() == [4.0, 4.0]
        assert third is None


@pytest.mark.slow
def test_a_signal_to_one_process_stops_all_at_the_same_step(found: Found) -> None:
    assert [one["stopped"][0] for one in found] == [10, 10]


@pytest.mark.slow
def test_buffers_are_the_first_process_s_at_every_step(found: Found) -> None:
    first, second = (one["stopped"][1] for one in found)
    assert first.abs().sum() > 0
    assert torch.equal(first, second)


@pytest.mark.slow
def test_words_between_processes(found: Found) -> None:
    assert [one["group"] for one in found] == [[0, 2], [1, 2]]
    for one in found:
        assert one["rows"].tolist() == [[0, 1], [2, 3], [10, 11], [12, 13]]
        assert one["largest"] == [1.0, 0.0]
        assert one["said"] == 5.0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are listed by Linux")
def test_no_thread_of_the_group_outlives_it(found: Found, folder: Path) -> None:
    """One that did would now and then abort a process after its work, and with it the whole training."""
    for rank in range(len(found)):
        threads = (folder / f"threads-{rank}.txt").read_text().split()
        assert threads
        assert not [name for name in threads if "gloo" in name]


@pytest.mark.slow
def test_a_checkpoint_of_two_processes_is_not_gone_on_from_by_one(found: Found, folder: Path) -> None:
    with pytest.raises(UserError, match="its checkpoint is of 2 processes, go on with as many, not 1"):
        pair.trained(Group(), folder / "stopped", [None])


def test_batch_statistics_over_processes_need_gpus(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="works on GPUs only"):
        toys.fit(toys.toy(), tmp_path, toys.options(sync_batchnorm=True), Group(0, 2))


def test_one_process_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    group = distributed.start("cpu")
    assert (group.rank, group.world, group.first, group.device) == (0, 1, True, torch.device("cpu"))
    assert not torch.distributed.is_initialized()
    rows = torch.rand(3, requires_grad=True)
    assert distributed.everyone(rows) is rows
    distributed.barrier(group)
    distributed.stop()


@pytest.mark.parametrize("mined", [True, False])
def test_gradients_flow_back_to_where_rows_came_from(monkeypatch: pytest.MonkeyPatch, mined: bool) -> None:
    """Both processes in one: what they tell each other is computed beside it. Their mean is one process's gradient."""
    torch.manual_seed(0)
    rows, label = torch.rand(2, 4, 3, dtype=torch.float64), torch.tensor([[0, 0, 1, 1], [2, 2, 0, 1]])
    weight = torch.nn.Parameter(torch.rand(3, 3, dtype=torch.float64))

    def loss(found: torch.Tensor) -> torch.Tensor:
        return toys.batch_hard(found, label.flatten()) if mined else found.sum()  # whose gradient is one number, shared

    (alone,) = torch.autograd.grad(loss(rows.flatten(0, 1) @ weight), weight)

    def gather(parts: list[torch.Tensor], own: torch.Tensor) -> None:
        for part, all_rows in zip(parts, rows, strict=True):
            part.copy_(all_rows @ weight.detach())

    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_gather", gather)
    # Both have the same loss of the same rows, so their gradients with respect to these are the same.
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda tensor: tensor.mul_(2))
    found: list[torch.Tensor] = []
    for rank in range(2):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        found += torch.autograd.grad(loss(distributed.everyone(rows[rank] @ weight)), weight)
    torch.testing.assert_close(torch.stack(found).mean(0), alone)
    assert not torch.allclose(found[0], alone)


@pytest.mark.parametrize(
    ("device", "environment", "said"),
    [
        ("abacus", {}, "--device abacus: torch knows no such device"),
        ("cuda", {}, "--device cuda: torch finds no GPU"),
        ("cpu", {"WORLD_SIZE": "two"}, "WORLD_SIZE=two: must be a whole number; torchrun sets it"),
    ],
)
def test_a_wrong_start_is_refused(
    monkeypatch: pytest.MonkeyPatch, device: str, environment: dict[str, str], said: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=said):
        distributed.start(device)


def test_processes_take_a_gpu_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert distributed._device("cuda:1", 1) == torch.device("cuda:1")
    with pytest.raises(UserError, match=r"--device cuda:1: 2 processes take a GPU each; write --device cuda$"):
        distributed._device("cuda:1", 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert distributed._device("cuda", 2) == torch.device("cuda:1")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UserError, match="--device cuda:2: this machine has 2 GPUs"):
        distributed._device("cuda", 3)
