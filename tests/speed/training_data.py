"""How fast pixels come to a training: what was measured and what was wanted. It prints, and never fails.

CPU seconds of one thread, so that a busy machine disturbs them little; on a GPU, if there is one, its own clock.
"""

import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from baselines import backbones
from benchmark import config, images, manifest
from benchmark.runner import augment, cache, precision, recipe
from benchmark.runner.cache import Cache, Sums
from benchmark.runner.interfaces import Triple, World

Ints = NDArray[np.int64]

PICTURES, BATCH, TURNS = 4096, 64, 15
LARGE, TINY = (256, 128), (96, 48)
GATHER, SHARE = 50_000, 0.1  # images/s a core; augmentation's share of a step
IMAGENET: tuple[Triple, Triple] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
STREET_TINY = Path(__file__).parents[2] / "baselines" / "recipes" / "street-tiny.toml"


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    target: str
    met: bool


def seconds(work: Callable[[int], object], turns: int = TURNS) -> float:
    """Give the median CPU time of a turn; the first one warms up."""
    spent = []
    for turn in range(turns + 1):
        begin = time.process_time()
        work(turn)
        spent.append(time.process_time() - begin)
    return median(spent[1:])


def gather(folder: Path) -> Row:
    """Measure the gather of random rows from a mapped file."""
    rng = np.random.default_rng(0)
    file = np.lib.format.open_memmap(folder / "pixels.npy", "w+", np.dtype(np.uint8), (PICTURES, *LARGE, 3))
    for start in range(0, PICTURES, 256):
        file[start : start + 256] = rng.integers(0, 256, (256, *LARGE, 3), np.uint8)
    file.flush()
    kept = Cache(np.lib.format.open_memmap(folder / "pixels.npy", mode="r"), "", folder, Sums(0, (), ()))
    kept.gather(np.arange(PICTURES))
    out = np.empty((BATCH, *LARGE, 3), np.uint8)
    # An epoch a turn: every picture once, so that nothing is faster for having been read a moment ago.
    order = rng.permutation(PICTURES).reshape(-1, BATCH)
    rate = PICTURES / seconds(lambda _: [kept.gather(rows, out) for rows in order])
    return Row("gather of cached 256x128, images/s a core", f"{rate:,.0f}", f">= {GATHER:,}", rate >= GATHER)


def decode(folder: Path) -> Row:
    """Measure how fast a cache is made, of JPEG crops of 128 x 64 brought to 256 x 128."""
    rng, count = np.random.default_rng(0), 512
    paths = [f"{number:04d}.jpg" for number in range(count)]
    for path in paths:
        coarse = rng.integers(0, 256, (16, 8, 3), np.uint8)
        images.save(folder / path, coarse.repeat(8, 0).repeat(8, 1), quality=90, sync=False)
    table = manifest.build({"path": paths}, "noise", folder)
    spent = seconds(lambda turn: cache.opened(table, LARGE, "bicubic", folder / str(turn)), 3)
    return Row("  decode, resize, hash and write, images/s a core", f"{count / spent:,.0f}", "", True)


def augmentation(options: recipe.Augment, size: tuple[int, int]) -> float:
    """Give the CPU seconds of a batch's augmentation, draws included."""
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (BATCH, *size, 3), np.uint8))
    places = np.arange(BATCH)
    return seconds(lambda turn: _augmented(pixels, options, size, turn, places))


def _augmented(
    pixels: torch.Tensor, options: recipe.Augment, size: tuple[int, int], step: int, places: Ints
) -> torch.Tensor:
    draws = augment.draw(options, size, 0, 0, 0, step, places)
    return augment.apply(pixels, None, draws, options, IMAGENET)[0]


def step(size: tuple[int, int]) -> float:
    """Give the CPU seconds of a step of the tiny backbone, without what is done for its pixels."""
    network = backbones.build("tiny", False, World({"a": 64}, 0, ("visible",), size)).train()
    network = network.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    batch = torch.rand(BATCH, 3, *size).contiguous(memory_format=torch.channels_last)

    def work(_: int) -> None:
        with precision.autocast("auto", torch.device("cpu")):
            loss = network.pool(network(batch)).float().square().mean()
        torch.autograd.backward(loss)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return seconds(work, 5)


def on_the_gpu(options: recipe.Augment) -> Row:
    """Give the milliseconds in which a GPU augments a batch, launches included."""
    pixels = torch.randint(0, 256, (BATCH, *LARGE, 3), dtype=torch.uint8, device="cuda")
    places, spent = np.arange(BATCH), []
    for turn in range(20):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        _augmented(pixels, options, LARGE, turn, places)
        torch.cuda.synchronize()
        spent.append(time.perf_counter() - begin)
    return Row("  on the GPU, 64 x 256x128, ms", f"{median(spent[5:]) * 1e3:.2f}", "", True)


def measured() -> list[Row]:
    """Measure everything."""
    torch.set_num_threads(1)
    options = config.load(recipe.Recipe, STREET_TINY).augment
    with tempfile.TemporaryDirectory() as folder:
        rows = [gather(Path(folder)), decode(Path(folder))]
    large, tiny, whole = augmentation(options, LARGE), augmentation(options, TINY), step(TINY)
    share = tiny / (tiny + whole)
    rows += [
        Row("augmentation on the CPU, 256x128, images/s a core", f"{BATCH / large:,.0f}", "", True),
        Row("  street-tiny, 96x48, images/s a core", f"{BATCH / tiny:,.0f}", "", True),
        Row("  its share of a step, %", f"{share * 100:.1f}", f"<= {SHARE * 100:.0f}", share <= SHARE),
    ]
    return [*rows, on_the_gpu(options)] if torch.cuda.is_available() else rows


def main() -> None:
    """Print the table."""
    rows = measured()
    width = max(len(row.what) for row in rows)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    print(f"{machine}, Python {platform.python_version()}, torch {torch.__version__}")
    print(f"{'what':<{width}}  measured  target")
    for row in rows:
        said = ("met" if row.met else "MISSED") if row.target else ""
        print(f"{row.what:<{width}}  {row.measured:>8}  {row.target:<9}  {said}".rstrip())


if __name__ == "__main__":
    main()
