"""What a training costs: one table of what was measured and what was wanted.

On a CPU: how many times chance the smallest recipe reaches in how many CPU seconds, and its pictures a second. On a
CUDA GPU: pictures a second of the published recipes' steps, in plain steps, compiled and as CUDA graphs, what of that
waits for data, and extraction; there, and only there, a missed target is a failure.
"""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.methods import bot
from benchmark import executors, manifest, results, splits
from benchmark.manifest import Manifest
from benchmark.runner import extract, flops, loop, run, training
from benchmark.runner.batches import Plan
from benchmark.runner.cache import Cache, Sums
from benchmark.runner.distributed import Group
from benchmark.runner.interfaces import Method, Moment
from benchmark.runner.job import Job
from benchmark.runner.loader import Loader
from benchmark.runner.pool import Pool, Source, pool
from benchmark.runner.recipe import Augment, Batches, Loop, Order, load
from benchmark.settings import Settings
from synthesis.street import config, write
from synthesis.street.order import Order as StreetOrder

ROOT = Path(__file__).parents[2]
PEOPLE, EACH, SIZE = 256, 16, (256, 128)
STEPS = 120
TIMES, CPU_SECONDS = 10, 20  # chance mAP; for a training at the preset `demo`


class Case(NamedTuple):
    """A network, its batch, and the pictures a second that are wanted of a step and of extraction."""

    backbone: str
    stride: int
    identities: int  # of four pictures each
    step: int
    features: int
    step_mb: float  # bytes that a picture's step moves, in plain steps and bf16, as measured on a CPU


CASES = (
    Case("resnet50", 1, 32, 6500, 15_000, 357),
    Case("resnet50", 1, 16, 5000, 15_000, 357),
    Case("vit_base", 16, 16, 4000, 10_000, 646),
    Case("vit_base", 12, 16, 2400, 0, 1140),
)


def noise(people: int, each: int, size: tuple[int, int]) -> tuple[Pool, Cache, Manifest]:
    """Make up a set: no file is read, the pictures are noise in memory."""
    count = people * each
    columns: dict[str, object] = {"path": [f"{row:06d}.jpg" for row in range(count)]}
    columns["pid"] = np.repeat(np.arange(1, people + 1), each)
    columns |= {"camid": np.tile(np.arange(each) % 6 + 1, people), "split": ["train"] * count}
    found = manifest.build(columns, "noise", Path("/nowhere"))
    pixels: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (count, *size, 3), np.uint8)
    sums = Sums(1, (0, 0, 0), (0, 0, 0))
    return pool([Source("noise", found, None, 0.0, None)]), Cache(pixels, "noise", Path("/nowhere"), sums), found


def build(case: Case, rows: Pool, size: tuple[int, int], device: torch.device) -> Method:
    """Make BoT on a backbone with random weights."""
    options = {"backbone": case.backbone, "pretrained": False, "stride": case.stride, "epochs": 1000}
    torch.manual_seed(0)
    method = bot.build(bot.Config.model_validate(options), rows.world(size))
    return method.to(device)


def fit(case: Case, how: str, size: tuple[int, int], device: torch.device, steps: int) -> loop.Outcome:
    """Train for some steps, as the runner does."""
    rows, kept, _ = noise(PEOPLE, EACH, size)
    method = build(case, rows, size, device)
    plan = Plan(rows, Batches(identities=case.identities, instances=4), Order(), method.needs, 0)
    loader = Loader(rows, [kept], method.needs, Augment(), size, 0, device)
    options = Loop.model_validate({"compile": how, "deterministic": False, "log_every": 20})
    with tempfile.TemporaryDirectory() as folder:
        done = loop.fit(method, plan, loader, options, 0, Path(folder), Group(0, 1, device), limit=steps)
    loader.close()
    return done


def work(case: Case, size: tuple[int, int], device: torch.device) -> float:
    """Count the FLOP of one picture's step."""
    rows, kept, _ = noise(PEOPLE, EACH, size)
    method = build(case, rows, size, device).train()
    plan = Plan(rows, Batches(identities=2, instances=2), Order(), method.needs, 0)
    loader = Loader(rows, [kept], method.needs, Augment(), size, 0, device)
    batch = next(iter(loader.epoch(plan.epoch(0, 0, "pk"), 0, 0)))
    loader.close()
    return flops.step(method, batch, Moment("train", 0, 0, 1, 1)) / len(batch.label)


def extraction(case: Case, size: tuple[int, int], device: torch.device) -> float:
    """Embed the made-up set and give pictures a second; the first pass warms up."""
    rows, kept, found = noise(PEOPLE, EACH, size)
    method = build(case, rows, size, device)
    how = extract.How(size, "bicubic", rows.cameras, ("visible",), bot_normalise(method), "auto")
    spent = []
    for _ in range(3):
        begin = time.perf_counter()
        extract.embed(method, kept, found, how)
        spent.append(time.perf_counter() - begin)
    return len(found) / min(spent)


def bot_normalise(method: Method) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Give what the method subtracts and divides by."""
    assert method.needs.normalise != "data"
    return method.needs.normalise


def on_gpu(device: torch.device) -> Iterator[tuple[str, bool]]:
    """Measure all cases on a GPU: a line, and whether it holds."""
    for case in CASES:
        flop = work(case, SIZE, device)
        speeds = {}
        for how in ("no", "compile", "graphs"):
            done = fit(case, how, SIZE, device, STEPS)
            speeds[how] = done.images_per_s
            share = done.waited / done.seconds
            name = f"{case.backbone} stride {case.stride}, batch {4 * case.identities}, {how}"
            rates = f"{done.images_per_s * flop / 1e12:.0f} TFLOP/s, {done.images_per_s * case.step_mb / 1e6:.2f} TB/s"
            text = f"{name}: {done.images_per_s:,.0f} img/s, {rates}, {share:.2%} waiting, {done.peak_mb} MB"
            yield "; ".join([text, *done.notes]), share < 0.01
        best = max(speeds.values())
        yield f"  best {best:,.0f} img/s, wanted {case.step:,}", best >= case.step
        if case.features:
            rate = extraction(case, SIZE, device)
            yield f"  extraction {rate:,.0f} img/s, wanted {case.features:,}", rate >= case.features


def smallest(folder: Path) -> Iterator[str]:
    """Train the smallest recipe on the street's preset `demo` and compare it with chance."""
    write.write(StreetOrder(config.load("demo"), 0, "demo"), folder / "street", executors.serial)
    night = splits.split(manifest.read(folder / "street" / "night.parquet"), "night600", 0)
    manifest.write(night, folder / "street" / "split.parquet")
    recipe = load(ROOT / "baselines" / "recipes" / "street-tiny.toml")
    settings = Settings(data={"street": folder / "street" / "split.parquet"}, cache=folder / "cache")
    job = Job(recipe, "street-tiny", "baselines.methods.bot", 0, "cpu", settings, folder / "run")
    begin = time.process_time()
    training.train(job)
    spent = time.process_time() - begin
    found = results.read(run.run(job))
    chance = next(row["value"] for row in found.tables["strata"].to_pylist() if row["metric"] == "chance_mAP")
    record = found.run
    yield (
        f"street-tiny at the preset demo: mAP {100 * record['mAP']:.1f}, {record['mAP'] / chance:.1f} times chance "
        f"(wanted {TIMES}) after {spent:.1f} CPU-s of decoding and training (wanted {CPU_SECONDS})"
    )


def main() -> int:
    """Print; exit 1 where a target is missed on a GPU."""
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {platform.machine()}, {os.cpu_count()} cores")
    if torch.cuda.is_available():
        print(torch.cuda.get_device_name())
        held = []
        for text, good in on_gpu(torch.device("cuda")):
            print(text if good else f"{text}  MISSED", flush=True)
            held.append(good)
        return 0 if all(held) else 1
    print("no CUDA GPU: its targets are not measured")
    with tempfile.TemporaryDirectory() as folder:
        for text in smallest(Path(folder)):
            print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
