"""`bench sweep`: recipes x seeds over devices or processes, then every recipe against the first over matched seeds.

Every job is given to `run`, which goes on where it was and returns at once where all is done: so a finished bundle of a
recipe that has changed since is refused, not taken for the recipe's own.
"""

import heapq
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import current_process
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark import durable, executors, progress, tables
from benchmark.console import count
from benchmark.errors import UserError
from benchmark.runner import sweep_results, sweep_table
from benchmark.runner.job import Job
from benchmark.runner.sweep_table import duration

if TYPE_CHECKING:
    from rich.table import Table

Run = Callable[[Job], Path]
Estimate = Callable[[Job], float]


@dataclass(frozen=True)
class _Failure:
    job: Job
    said: str  # why it left no finished bundle, in a line


def plan(jobs: Sequence[Job], estimate: Estimate, workers: int) -> Iterator["Table | str"]:
    """Say what would run and how long it would take; of every recipe one run is estimated."""
    _require_apart(jobs)
    rows, seconds = list[list[str]](), dict[Path, float]()
    for name, own in _by_recipe(jobs).items():
        left = [job for job in own if not finished(job)]
        each = estimate(left[0]) if left else 0.0
        seconds |= {job.out: each for job in left}
        took = [duration(each), duration(each * len(left))] if left else ["-", "-"]
        rows.append([name, f"{len(own) - len(left)}", f"{len(left)}", *took])
    yield tables.table(("recipe", "seeds\ndone", "seeds\nleft", "a run", "all"), rows)
    waiting = [seconds[job.out] for job in _seed_by_seed(jobs) if job.out in seconds]
    if not waiting:
        yield "nothing is left to run"
        return
    beside = f", {min(workers, len(waiting))} at a time" if workers > 1 else ""
    cost = f"about {duration(wall(waiting, workers))} of training and embedding"
    yield f"{count(len(waiting), 'run')}: {cost}{beside}"


def sweep(jobs: Sequence[Job], run: Run, workers: int, devices: Sequence[str], out: Path) -> Iterator["Table | str"]:
    """Run what is missing and give the tables; a run that fails stops no other one, and is named at the end."""
    _require_apart(jobs)
    failures = _work(jobs, run, workers, devices)
    failed = {failure.job.out for failure in failures}
    done = {name: [job.out for job in own if job.out not in failed] for name, own in _by_recipe(jobs).items()}
    found = sweep_results.gather(done)
    yield from sweep_table.lines(found)
    if found.reached:
        yield from map(str, sweep_results.write(found, out))
    yield from (f"{failure.job.out}: {failure.said}" for failure in failures)
    if failures:
        raise UserError(f"{len(failures)} of {count(len(jobs), 'run')} failed; the next call takes them up again")


def finished(job: Job) -> bool:
    """Say whether a job has left a bundle that ended well."""
    record = job.out / "run.json"
    return record.exists() and durable.read_json(record).get("status") == "ok"


def wall(seconds: Sequence[float], workers: int) -> float:
    """Say when the last of some runs ends, where each takes the worker that is free first."""
    free = [0.0] * workers
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def _require_apart(jobs: Sequence[Job]) -> None:
    places = [job.out for job in jobs]
    for place in places:
        if places.count(place) > 1:
            raise UserError(f"{place}: two runs would be kept there; name every recipe once, by a name of its own")


def _by_recipe(jobs: Sequence[Job]) -> dict[str, list[Job]]:
    recipes = dict[str, list[Job]]()
    for job in jobs:
        recipes.setdefault(job.name, []).append(job)
    return recipes


def _seed_by_seed(jobs: Sequence[Job]) -> list[Job]:
    """Put the first seed of all recipes first: a sweep that is stopped has seeds that match."""
    return sorted(jobs, key=lambda job: job.seed)


def _work(jobs: Sequence[Job], run: Run, workers: int, devices: Sequence[str]) -> list[_Failure]:
    """Give every job to `run`, and tell what failed, in the order of the jobs."""
    waiting = _seed_by_seed(jobs)
    said = dict[Path, str]()
    executor = executors.chosen("", min(workers, len(waiting)) or 1)
    try:
        ended = executor(partial(_attempt, run, tuple(devices)), waiting)
        for position, words in progress.track(ended, "runs", len(waiting)):
            said[waiting[position].out] = words
    except UserError as error:  # of the executor: a process died, again and again
        said |= {job.out: str(error) for job in waiting if job.out not in said}
    return [_Failure(job, said[job.out]) for job in jobs if said[job.out]]


def _attempt(run: Run, devices: Sequence[str], job: Job) -> str:
    """Run one job; say why it failed, or nothing."""
    log = job.out.with_name(f"{job.out.name}.traceback")
    try:
        run(replace(job, device=devices[_worker() % len(devices)]))
    except UserError as error:
        return str(error)
    except Exception as error:  # one recipe's fault must not cost the night that the others need
        durable.write_bytes(log, traceback.format_exc().encode())
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]} ({log})"
    log.unlink(missing_ok=True)
    return "" if finished(job) else "left no finished bundle"


def _worker() -> int:
    """Tell the worker processes apart by number: they are started in turn, so each has a device of its own."""
    number = current_process().name.rpartition("-")[2]
    return int(number) if number.isdigit() else 0
