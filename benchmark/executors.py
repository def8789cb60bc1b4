"""Where shards are worked on: in this process, in several, or by Ray. Doing a shard twice is harmless."""

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import current_process, get_context, parent_process
from pathlib import Path
from typing import Any, Protocol, TypeVar

from benchmark.errors import UserError, nearest

Shard = TypeVar("Shard")
Result = TypeVar("Result")

# OpenMP, BLAS and numba threads of several processes fight for the same cores: one thread a process is faster.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
ATTEMPTS = 3  # a shard's deaths while no other is finished: a set may hold many files that kill
NAMES = ["processes", "ray", "serial"]
RAY_OWN = {  # a Ray of our own tells nobody that it runs, and leaves the choice of a GPU alone
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
RAY_STORE = 128 * 2**20  # bytes for results on their way: ours are small, and Ray would take a third of the memory


class Executor(Protocol):
    """Work on shards and give (position, result) pairs in any order."""

    def __call__(self, function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[tuple[int, Result]]:
        """Call `function` on every shard."""
        ...


def executor(name: str, workers: int) -> Executor:
    """Name an executor: `serial`, `processes` or `ray`."""
    if workers < 1:
        raise UserError(f"--workers {workers}: must be 1 or more")
    if name == "serial":
        return serial
    if name == "processes":
        return _Processes(workers)
    if name == "ray":
        return _Ray(workers)
    raise UserError(f"no executor is called {name!r}; {nearest(name, NAMES)}")


def chosen(name: str, workers: int) -> Executor:
    """Choose as a command line says: several workers mean processes where nothing is named."""
    if name == "serial" and workers > 1:
        raise UserError(f"--executor serial works in one process; --workers {workers} wants processes")
    return executor(name or ("processes" if workers > 1 else "serial"), workers)


def serial(function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[tuple[int, Result]]:
    """Work on the shards here, one after the other."""
    for position, shard in enumerate(shards):
        yield position, function(shard)


class _Processes:
    """Spawned processes, each alone in its pool: one that dies takes nobody with it."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def __call__(self, function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[tuple[int, Result]]:
        pools: dict[int, ProcessPoolExecutor] = {}

        def submit(place: int, shard: Shard) -> Future[Result]:
            with contextlib.suppress(KeyError, BrokenProcessPool):
                return pools[place].submit(function, shard)
            pools[place] = _pool(place)  # the first of this place, or after a death
            return pools[place].submit(function, shard)

        with _environment(ONE_THREAD):  # read by the libraries of a spawned process when it starts
            try:
                yield from _spread(submit, shards, min(self.workers, len(shards)), (BrokenProcessPool,))
            finally:
                for pool in pools.values():
                    pool.shutdown(cancel_futures=True)


def _pool(place: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin, initargs=(place,))


def _spread(
    submit: Callable[[int, Shard], "Future[Result]"],
    shards: Sequence[Shard],
    places: int,
    died: tuple[type[Exception], ...],
) -> Iterator[tuple[int, Result]]:
    """Keep every place at work. A shard whose worker died is tried again before all others."""
    waiting, free = deque(range(len(shards))), list(range(places, 0, -1))
    running, deaths = dict["Future[Result]", tuple[int, int]](), Counter[int]()
    while waiting or running:
        while waiting and free:
            place, position = free.pop(), waiting.popleft()
            running[submit(place, shards[position])] = place, position
        for ended in wait(running, return_when=FIRST_COMPLETED).done:
            place, position = running.pop(ended)
            free.append(place)
            try:
                result = ended.result()
            except died:
                deaths[position] += 1
                if deaths[position] == ATTEMPTS:
                    raise _lost(len(waiting) + len(running) + 1, len(shards)) from None
                waiting.appendleft(position)
            else:
                deaths.clear()
                yield position, result


def _lost(left: int, total: int) -> UserError:
    return UserError(
        f"a worker process died {ATTEMPTS} times (out of memory, or a file that kills the decoder); "
        f"{left} of {total} shards are left, the next run takes up there"
    )


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _begin(place: int) -> None:
    """Give a worker its place's number for a name, and tie it to the process that started it.

    When that one is killed, a worker would wait for work for ever.
    """
    current_process().name = f"worker-{place}"
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class _Ray:
    """Ray: the one at RAY_ADDRESS, with all it has, or one of our own with so many workers on this machine.

    Shards read and write files: every machine of a cluster must see the run's folders under the same names, and have
    this package. Ray's own retries are off, since they know nothing of the shards that were finished in between.
    """

    def __init__(self, workers: int) -> None:
        try:
            import ray
        except ImportError:
            raise UserError('--executor ray: Ray is not installed; pip install "luxreid[ray]"') from None
        self.workers = workers
        self.ray: Any = ray

    def __call__(self, function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[tuple[int, Result]]:
        if not shards:
            return
        errors = self.ray.exceptions
        died = (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError, errors.ObjectLostError)
        variables = ONE_THREAD | {"PYTHONPATH": os.pathsep.join(_own_folders())}
        task = self.ray.remote(max_retries=0, runtime_env={"env_vars": variables})(_work_there)
        given = set[Any]()

        def submit(_: int, shard: Shard) -> "Future[Result]":
            reference = task.remote(function, shard, str(Path.cwd()))
            given.add(reference)
            future: Future[Result] = reference.future()
            future.add_done_callback(lambda _: given.discard(reference))
            return future

        with _connected(self.ray, self.workers):
            places = 2 * int(self.ray.cluster_resources().get("CPU", 1))  # the next shard is there when one is done
            try:
                yield from _spread(submit, shards, places, died)
            except errors.RayTaskError as error:
                raise error.cause from (None if isinstance(error.cause, UserError) else error)
            finally:
                for reference in list(given):
                    self.ray.cancel(reference, force=True)


@contextlib.contextmanager
def _connected(ray: Any, workers: int) -> Iterator[None]:  # noqa: ANN401
    """Join or start a Ray, and leave or end it however the work ends; one that the caller joined stays."""
    if ray.is_initialized():
        yield
        return
    address = os.environ.get("RAY_ADDRESS") or "local"
    own = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": RAY_STORE}
    _refuse_silence(address)
    with _undone():
        try:
            with _environment(RAY_OWN), _no_warnings():
                _start(ray, address, own if address == "local" else {})
            yield
        finally:
            with _no_warnings():
                ray.shutdown()


def _start(ray: Any, address: str, own: dict[str, Any]) -> None:  # noqa: ANN401
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except ConnectionError as error:
        advice = "where it wants a token, set RAY_AUTH_MODE=token"
        raise UserError(f"RAY_ADDRESS={address}: cannot join this Ray: {error} ({advice})") from None


def _refuse_silence(address: str) -> None:
    """Refuse a Ray that does not answer: Ray itself would try for five minutes, and then end the process."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
        except OSError as error:
            raise UserError(f"RAY_ADDRESS={address}: no Ray answers there: {error.strerror or error}") from None


@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    """Let Ray's own warnings pass: they are about its insides."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _undone() -> Iterator[None]:
    """Put back what Ray changes for good: how SIGTERM is answered, and which debugger `breakpoint` opens."""
    before, debugger = signal.getsignal(signal.SIGTERM), os.environ.get("PYTHONBREAKPOINT")
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
        if debugger is None:
            os.environ.pop("PYTHONBREAKPOINT", None)


def _own_folders() -> list[str]:
    """List where modules are found beside those that came with the interpreter: a plug-in's folder, for one."""
    installed = (sys.prefix, sys.base_prefix)
    return [str(Path(folder).absolute()) for folder in sys.path if not folder.startswith(installed)]


def _work_there(function: Callable[[Shard], Result], shard: Shard, folder: str) -> Result:
    """Work in the folder that the run was started in, since names of files may be relative to it."""
    try:
        os.chdir(folder)
    except OSError:
        host = socket.gethostname()
        raise UserError(f"{folder}: is not there on {host}; all machines of a Ray cluster must see it") from None
    return function(shard)
