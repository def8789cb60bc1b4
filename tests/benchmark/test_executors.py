"""Executors: every shard comes back once, and a worker that dies costs nothing but time."""

import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType

import pytest

from benchmark import executors

Mistake = Callable[..., AbstractContextManager[None]]

# A module of its own, since a spawned process has to find the functions by name.
WORK = """
import os, signal, time
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

def die_first(shard):
    number, folder = shard
    marker = Path(folder, str(number))
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number

def die_at_last(shard):
    number, folder = shard
    if number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    Path(folder, str(number)).touch()

def die_between(shard):
    number, folder, times = shard
    if number:  # finishes when shard 0 has begun so many times
        wait_for(Path(folder, f"begun-{number}"))
        Path(folder, f"finished-{number}").touch()
        return number
    begun = len(list(Path(folder).glob("begun-*"))) + 1
    Path(folder, f"begun-{begun}").touch()
    if begun <= times:  # dies when another shard is finished since
        wait_for(Path(folder, f"finished-{begun}"))
        os.kill(os.getpid(), signal.SIGKILL)
    return number

def die_together(shard):
    number, folder, count = shard
    marker = Path(folder, str(number))
    if not marker.exists():
        marker.touch()
        for other in range(count):
            wait_for(Path(folder, str(other)))
        os.kill(os.getpid(), signal.SIGKILL)
    return number

def wait_for(file):
    for _ in range(2000):
        if file.exists():
            return
        time.sleep(0.01)
    raise TimeoutError(file)

def name(_):
    from multiprocessing import current_process
    return current_process().name

def name_dying_first(shard):
    die_first(shard)
    return name(shard)

def here(_):
    return os.getcwd(), {name: value for name, value in os.environ.items() if name.endswith("_NUM_THREADS")}

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


def test_many_shards_may_kill_their_worker_once(work: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "died"
    folder.mkdir()
    shards = [(number, str(folder)) for number in range(2 * executors.ATTEMPTS)]
    found = list(executors.executor("processes", 2)(work.die_first, shards))
    assert sorted(found) == [(number, number * number) for number, _ in shards]
    assert len(list(folder.iterdir())) == len(shards)


def test_a_shard_that_always_kills_holds_up_no_other(work: ModuleType, mistake: Mistake, tmp_path: Path) -> None:
    folder = tmp_path / "done"
    folder.mkdir()
    with mistake("died 3 times", "1 of 6 shards are left"):
        list(executors.executor("processes", 2)(work.die_at_last, [(number, str(folder)) for number in range(6)]))
    assert sorted(path.name for path in folder.iterdir()) == ["1", "2", "3", "4", "5"]


def test_shards_that_kill_at_once_are_counted_apart(work: ModuleType, tmp_path: Path) -> None:
    folder, count = tmp_path / "notes", executors.ATTEMPTS
    folder.mkdir()
    found = executors.executor("processes", count)(work.die_together, [(n, str(folder), count) for n in range(count)])
    assert sorted(found) == [(number, number) for number in range(count)]


def test_a_shard_may_kill_more_often_while_others_are_finished(work: ModuleType, tmp_path: Path) -> None:
    folder, times = tmp_path / "notes", executors.ATTEMPTS + 1
    folder.mkdir()
    shards = [(number, str(folder), times) for number in range(times + 1)]
    found = list(executors.executor("processes", 2)(work.die_between, shards))
    assert sorted(found) == [(number, number) for number in range(times + 1)]


def test_workers_are_numbered_by_their_place_and_a_new_one_takes_the_number(work: ModuleType, tmp_path: Path) -> None:
    assert {found for _, found in executors.executor("processes", 1)(work.name, range(3))} == {"worker-1"}
    places = executors.executor("processes", 2)(work.name_dying_first, [(number, str(tmp_path)) for number in range(4)])
    assert {found for _, found in places} == {"worker-1", "worker-2"}


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


def test_ray_is_an_extra(monkeypatch: pytest.MonkeyPatch, mistake: Mistake) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with mistake("--executor ray", 'pip install "luxreid[ray]"'):
        executors.executor("ray", 2)


@pytest.mark.ray
def test_a_ray_that_does_not_answer_is_refused(
    work: ModuleType, monkeypatch: pytest.MonkeyPatch, mistake: Mistake
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        with mistake(f"RAY_ADDRESS={address}", "no Ray answers there", "refused"):
            list(executors.executor("ray", 2)(work.square, [1]))


@pytest.mark.ray
def test_a_ray_that_lets_nobody_join_is_refused(
    work: ModuleType, monkeypatch: pytest.MonkeyPatch, mistake: Mistake
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise ConnectionError("Failed to connect")

    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.setattr("ray.init", refused)
    with mistake("RAY_ADDRESS=auto", "Failed to connect", "RAY_AUTH_MODE=token"):
        list(executors.executor("ray", 2)(work.square, [1]))


def descendants(pid: int) -> set[int]:
    """List the processes below a process."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def gone(pids: set[int]) -> bool:
    """Wait until none of these is there."""
    for _ in range(600):
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.ray
@pytest.mark.slow
def test_a_ray_of_our_own_ends_with_the_work(work: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    before, handler, others = dict(os.environ), signal.getsignal(signal.SIGTERM), descendants(os.getpid())
    [(_, (folder, threads))] = executors.executor("ray", 2)(work.here, [0])
    assert folder == str(tmp_path)
    assert threads.items() >= executors.ONE_THREAD.items()
    results = executors.executor("ray", 2)(work.square, range(50))  # whoever asked for these stops early
    position, result = next(results)
    assert result == position * position
    started = descendants(os.getpid()) - others
    assert started
    results.close()  # type: ignore[attr-defined]
    assert gone(started)
    assert signal.getsignal(signal.SIGTERM) == handler
    rays = {"RAY_AUTH_MODE", "RAY_CLIENT_MODE"}  # which Ray sets itself, the second one as soon as it is imported
    left = {name: value for name, value in os.environ.items() if name not in rays}
    assert left == {name: value for name, value in before.items() if name not in rays}


HEAD = """
import os, sys, ray
where = ray.init("local", num_cpus=2, include_dashboard=False, object_store_memory=2**27)
print(where.address_info["gcs_address"], flush=True)
sys.stdin.read()
print(int(ray.cluster_resources()["CPU"]), flush=True)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Start a Ray of two workers in a process of its own; at the end it must still be there."""
    told = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    env = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}  # anybody may join
    with subprocess.Popen([sys.executable, "-c", HEAD], text=True, env=env, **told) as head:  # type: ignore[call-overload]
        yield head.stdout.readline().strip()
        assert head.communicate("")[0].strip() == "2"


@pytest.mark.ray
@pytest.mark.slow
def test_a_joined_ray_does_what_serial_does(
    work: ModuleType, cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: Mistake
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    ray = executors.executor("ray", 2)
    shards = [5, 3, 8, 3, 0] * 4
    assert sorted(ray(work.square, shards)) == list(executors.serial(work.square, shards))
    with mistake("row 2: found nothing"):
        list(ray(work.refuse, [1, 2, 3]))
    with pytest.raises(ZeroDivisionError) as trouble:
        list(ray(work.trip, [1, 0]))
    assert "in trip" in str(trouble.value.__cause__)  # the worker's own traceback
    with mistake("died 3 times", "2 of 2 shards are left"):
        list(ray(work.die, [0, 1]))
    died = tmp_path / "died"
    died.mkdir()
    found = ray(work.die_first, [(number, str(died)) for number in range(2 * executors.ATTEMPTS)])
    assert sorted(found) == [(number, number * number) for number in range(2 * executors.ATTEMPTS)]
    assert len(list(died.iterdir())) == 2 * executors.ATTEMPTS
