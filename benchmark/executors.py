"""Where shards are worked on: in this process or in several. Shards are idempotent, so doing one twice is harmless."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import Protocol, TypeVar

from benchmark.errors import UserError, nearest

Shard = TypeVar("Shard")
Result = TypeVar("Result")

# OpenMP, BLAS and numba threads of several processes fight for the same cores: one thread a process is faster.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
ATTEMPTS = 3


class Executor(Protocol):
    """Work on shards and give (position, result) pairs in any order."""

    def __call__(self, function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[tuple[int, Result]]:
        """Call `function` on every shard."""
        ...


def executor(name: str, workers: int) -> Executor:
    """Name an executor: `serial` or `processes`."""
    if workers < 1:
        raise UserError(f"--workers {workers}: must be 1 or more")
    if name == "serial":
        return serial
    if name == "processes":
        return _Processes(workers)
    raise UserError(f"no executor is called {name!r}; {nearest(name, ['processes', 'serial'])}")


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
    """Spawned processes; when one dies, the shards that are missing go to a fresh pool."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def __call__(self, function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[tuple[int, Result]]:
        missing = dict(enumerate(shards))
        for attempt in range(1, ATTEMPTS + 1):
            try:
                for position, result in self._pool(function, missing):
                    del missing[position]
                    yield position, result
                return
            except BrokenProcessPool:
                if attempt == ATTEMPTS:
                    raise UserError(
                        f"a worker process died {ATTEMPTS} times (out of memory, or a file that kills the decoder); "
                        f"{len(missing)} of {len(shards)} shards are left, the next run takes up there"
                    ) from None

    def _pool(self, function: Callable[[Shard], Result], missing: dict[int, Shard]) -> Iterator[tuple[int, Result]]:
        before = {name: os.environ.get(name) for name in ONE_THREAD}
        os.environ.update(ONE_THREAD)  # read by the libraries of a spawned process when it starts
        workers = min(self.workers, len(missing) or 1)
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent)
        try:
            futures = {pool.submit(function, shard): position for position, shard in missing.items()}
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _end_with_parent() -> None:
    """Tie a worker to the process that started it: when that one is killed, its pool would wait for work for ever."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
