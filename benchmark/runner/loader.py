"""Batches on the device: pixels from the cache, one thread ahead of the loop, augmented where they are used.

Where all pictures fit into a quarter of a GPU's memory they are copied there once; else they are streamed.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.errors import UserError
from benchmark.runner import augment, recipe
from benchmark.runner.augment import Draws
from benchmark.runner.batches import Step, share
from benchmark.runner.cache import Cache
from benchmark.runner.interfaces import Batch, Layout, Needs, Triple
from benchmark.runner.pool import Pool

Ints = NDArray[np.int64]

AHEAD = 2  # batches that are made ready before they are asked for
RESIDENT = 0.25  # the share of a GPU's memory that pictures may take
_PLAIN_ROWS = 64
_COPY_ROWS = 1024


@dataclass(frozen=True, eq=False)
class _Ready:
    """A batch as the thread leaves it: everything but what the device does."""

    rows: Ints
    shown: Ints  # picture numbers
    layout: Layout | None
    draws: Draws | None  # None: no augmentation
    pixels: Tensor | Ints | None  # bytes, or the numbers of pictures that lie on the device; None: no pixels are wanted
    parents: Tensor | Ints | None


class Loader:
    """Gives the batches of an epoch; what they hold is a function of (seed, stage, epoch, step) alone."""

    def __init__(
        self,
        pool: Pool,
        caches: Sequence[Cache],
        needs: Needs,
        options: recipe.Augment,
        size: tuple[int, int],
        seed: int,
        device: torch.device | str,
        rank: int = 0,
        world: int = 1,
        resident: bool | None = None,
    ) -> None:
        self.pool, self.caches, self.needs, self.options, self.size = pool, tuple(caches), needs, options, size
        self.seed, self.rank, self.world = seed, rank, world
        self.device = torch.device(device)
        self.waited = 0.0  # seconds in which the loop stood still for data
        self.normalise = needs.normalise if needs.normalise != "data" else statistics(caches[: len(pool.sources)])
        self._starts = np.concatenate([[0], np.cumsum([len(cache) for cache in caches])])
        fits = _fits(self.caches, self.device) if resident is None else resident
        self._resident = _copied(self.caches, self.device) if fits else None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="loader")

    def epoch(
        self, steps: Sequence[Step], stage: int, epoch: int, first: int = 0, images: bool = True
    ) -> Iterator[Batch]:
        """Give this process's share of the batches from step `first` on; without images, only what is known of them."""
        return self._ahead([self._task(steps, stage, epoch, number, images) for number in range(first, len(steps))])

    def plain(self) -> Iterator[Batch]:
        """Pass once over every picture, in order, without augmentation."""
        count = len(self.pool.own)
        blocks = [np.arange(start, min(start + _PLAIN_ROWS, count)) for start in range(0, count, _PLAIN_ROWS)]
        return self._ahead([self._plain_task(rows) for rows in blocks])

    def close(self) -> None:
        """End the thread and let go of the pictures."""
        self._thread.shutdown(cancel_futures=True)
        self._resident = None

    def _task(self, steps: Sequence[Step], stage: int, epoch: int, number: int, images: bool) -> Callable[[], _Ready]:
        return lambda: self._prepared(steps[number], (stage, epoch, number), images)

    def _plain_task(self, rows: Ints) -> Callable[[], _Ready]:
        return lambda: self._ready(rows, self.pool.own[rows], None, None, True)

    def _prepared(self, step: Step, at: tuple[int, int, int], images: bool) -> _Ready:
        places, layout = share(step, self.rank, self.world)
        rows = step.rows[places]
        draws = augment.draw(self.options, self.size, self.seed, *at, places)
        return self._ready(rows, shown(self.pool, rows, draws), layout, draws, images)

    def _ready(self, rows: Ints, shown: Ints, layout: Layout | None, draws: Draws | None, images: bool) -> _Ready:
        pixels = self._fetched(shown) if images else None
        parents = None
        if images and "parent" in self.needs.views:
            own, parent = self.pool.own[rows], self.pool.parent[rows]
            parents = self._fetched(np.where(parent < 0, own, parent))
        return _Ready(rows, shown, layout, draws, pixels, parents)

    def _fetched(self, pictures: Ints) -> Tensor | Ints:
        """Gather bytes from the caches, into memory that a GPU can copy from by itself."""
        if self._resident is not None:
            return pictures
        shape = (len(pictures), *self.size, 3)
        buffer = torch.empty(shape, dtype=torch.uint8, pin_memory=self.device.type == "cuda")
        found = buffer.numpy()
        owner = np.searchsorted(self._starts, pictures, side="right") - 1
        if len(set(owner)) == 1:
            self.caches[owner[0]].gather(pictures - self._starts[owner[0]], found)
            return buffer
        for place in np.unique(owner):
            mine = np.flatnonzero(owner == place)
            found[mine] = self.caches[place].gather(pictures[mine] - self._starts[place])
        return buffer

    def _ahead(self, tasks: Sequence[Callable[[], _Ready]]) -> Iterator[Batch]:
        """Keep the thread some batches ahead; what it raises is raised here."""
        waiting = deque[Future[_Ready]]()
        todo = iter(tasks)
        try:
            for _ in tasks:
                while len(waiting) < AHEAD and (task := next(todo, None)):
                    waiting.append(self._thread.submit(task))
                begin = time.perf_counter()
                ready = waiting.popleft().result()
                self.waited += time.perf_counter() - begin
                yield self._batch(ready)
        finally:
            for future in waiting:
                future.cancel()

    def _batch(self, ready: _Ready) -> Batch:
        pool, rows = self.pool, ready.rows
        images, views = self._images(ready)
        known = [of[rows] for of in (pool.label, pool.person, pool.domain, pool.camera, pool.modality)]
        columns = torch.from_numpy(np.stack([*known, pool.picture_night[ready.shown], rows]))
        label, person, domain, camera, modality, night, row = columns.to(self.device, non_blocking=True)
        return Batch(images, label, person, domain, camera, modality, night, row, ready.layout, views)

    def _images(self, ready: _Ready) -> tuple[Tensor, dict[str, Tensor]]:
        if ready.pixels is None:
            return torch.empty((0, 3, *self.size), device=self.device), {}
        pixels = self._on_device(ready.pixels)
        parents = None if ready.parents is None else self._on_device(ready.parents)
        if ready.draws is None:
            return augment.plain(pixels, parents, self.normalise, self.needs.views)
        return augment.apply(pixels, parents, ready.draws, self.options, self.normalise, self.needs.views)

    def _on_device(self, pixels: Tensor | Ints) -> Tensor:
        if isinstance(pixels, Tensor):
            return pixels.to(self.device, non_blocking=True)
        places = torch.from_numpy(pixels).to(self.device, non_blocking=True)
        return cast(Tensor, self._resident).index_select(0, places)


def shown(pool: Pool, rows: Ints, draws: Draws) -> Ints:
    """Say which picture every row is shown as: its own, or one of its synthetic nights."""
    first, count = pool.twin_starts[rows], np.diff(pool.twin_starts)[rows]
    chance = np.array([source.probability for source in pool.sources])[pool.domain[rows]]
    chosen = (count > 0) & (draws.twin < chance)
    place = first + (draws.which * count).astype(np.int64)
    result = pool.own[rows].copy()
    result[chosen] = pool.twin_pictures[place[chosen]]
    return result


def statistics(caches: Sequence[Cache]) -> tuple[Triple, Triple]:
    """Give mean and deviation of every channel over all pictures, in [0, 1]."""
    pixels = sum(cache.sums.pixels for cache in caches)
    mean = np.array([sum(cache.sums.first[c] for cache in caches) / pixels for c in range(3)])
    square = np.array([sum(cache.sums.second[c] for cache in caches) / pixels for c in range(3)])
    std = np.sqrt(np.maximum(square - mean**2, 0))
    if (std < 0.5).any():
        raise UserError("training: the pictures are of one colour, so their deviation cannot normalise them")
    return _triple(mean / 255), _triple(std / 255)


def _triple(values: NDArray[np.float64]) -> Triple:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _fits(caches: Sequence[Cache], device: torch.device) -> bool:
    if device.type != "cuda":
        return False
    free, total = torch.cuda.mem_get_info(device)
    return sum(cache.pixels.nbytes for cache in caches) <= min(RESIDENT * total, free)


def _copied(caches: Sequence[Cache], device: torch.device) -> Tensor:
    """Copy all pictures to the device, block by block."""
    count = sum(len(cache) for cache in caches)
    found = torch.empty((count, *caches[0].pixels.shape[1:]), dtype=torch.uint8, device=device)
    place = 0
    for cache in caches:
        for start in range(0, len(cache), _COPY_ROWS):
            block = torch.from_numpy(np.array(cache.pixels[start : start + _COPY_ROWS]))
            found[place : place + len(block)] = block.to(device)
            place += len(block)
    return found
