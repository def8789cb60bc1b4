"""Executors: every shard comes back once, and a worker that dies costs nothing but time."""

import importlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType

import pytest

from benchmark import executors

Mistake = Callable[..., AbstractContextManager[None]]

# A module of its own, since a spawned process has to find the functions by name.
WORK = """
import os, signal
from pathlib import Path
from benchmark.errors import UserError

def square(number):
    return number * number

def threads(_):
    return {name: value for name, value in os.environ.items() if name.endswith("_NUM_THREADS")}

def die_once(shard):
    number, marker = shard
    if number == 3 and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number

def die(_):
    os.kill(os.getpid(), signal.SIGKILL)

def refuse(number):
    if number == 2:
        raise UserError(f"row {number}: found\\nnothing")
    return number

def trip(number):
    return 1 // number
"""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Put the module of functions where spawned processes find it."""
    (tmp_path / "shard_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "shard_work", raising=False)
    return importlib.import_module("shard_work")


@pytest.mark.parametrize(("name", "workers"), [("serial", 1), ("processes", 1), ("processes", 2)])
def test_every_shard_comes_back_once(work: ModuleType, name: str, workers: int) -> None:
    shards = [5, 3, 8, 3, 0]
    found = list(executors.executor(name, workers)(work.square, shards))
    assert sorted(found) == [(position, shard * shard) for position, shard in enumerate(shards)]
    assert list(executors.executor(name, workers)(work.square, [])) == []


def test_workers_have_one_thread_and_the_parent_keeps_its_own(
    work: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    [(_, found)] = executors.executor("processes", 1)(work.threads, [0])
    assert {found[name] for name in executors.ONE_THREAD} == {"1"}
    assert dict(os.environ) == before


def test_a_worker_that_dies_once_is_replaced(work: ModuleType, tmp_path: Path) -> None:
    marker = tmp_path / "died"
    shards = [(number, str(marker)) for number in range(6)]
    found = list(executors.executor("processes", 2)(work.die_once, shards))
    assert marker.exists()
    assert sorted(found) == [(number, number * number) for number in range(6)]


def test_a_worker_that_always_dies_is_a_mistake_that_says_what_is_left(work: ModuleType, mistake: Mistake) -> None:
    with mistake("died 3 times", "2 of 2 shards are left"):
        list(executors.executor("processes", 1)(work.die, [0, 1]))


@pytest.mark.parametrize("name", ["serial", "processes"])
def test_an_exception_of_the_function_passes_through(work: ModuleType, name: str, mistake: Mistake) -> None:
    with mistake("row 2: found nothing"):
        list(executors.executor(name, 1)(work.refuse, [1, 2, 3]))
    with pytest.raises(ZeroDivisionError):
        list(executors.executor(name, 1)(work.trip, [1, 0]))


def test_a_consumer_may_stop_early(work: ModuleType) -> None:
    before = dict(os.environ)
    results = executors.executor("processes", 1)(work.square, range(50))
    assert next(results)[1] >= 0
    results.close()  # type: ignore[attr-defined]
    assert dict(os.environ) == before


def test_wrong_names_and_numbers_are_refused(mistake: Mistake) -> None:
    with mistake("'procesess'", "did you mean 'processes'?", "serial"):
        executors.executor("procesess", 1)
    with mistake("--workers 0", "1 or more"):
        executors.executor("serial", 0)
