"""How fast nights are made, and how exactly: one table of what was measured and what was wanted. It never fails.

The floor is one decode and one encode of the same pictures as JPEG by OpenCV, in the same run and in turns with what is
held to it; one thread, CPU seconds. The chain decodes, plans, does all its stages, and encodes.

    python tests/speed/synthesis.py [--peers PYTHON] [--pictures 6000]

PYTHON is an interpreter that has albumentations 2.0.8 (which is not installed with luxreid): this script runs itself
there and measures two stacks of it, of pictures that are decoded and encoded in the same way.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:  # the peers' interpreter has none of these
    from numpy.typing import NDArray

    from benchmark.manifest import Manifest
    from synthesis.night.config import Night

sys.path = [folder for folder in sys.path if folder != str(Path(__file__).parent)]  # else this file hides the package

SHOTS, DRAWS, TURNS, PEER_TURNS = 48, 4, 9, 5
FLOOR_QUALITY = 90  # of the floor's encoder
QUALITIES = (35, 88)  # of the codec that nights and peers go through
HEIGHTS = (256, 128)
TARGETS = {"fast": 3.5, "exact": 5.5}
PEERS = {"common": 1.9, "physical": 5.0}  # how many times slower than `fast` they are to be
MOVED = 0.6  # share of pictures with motion blur in the chain
WORKERS, FEW, WORKER_TURNS = 1.15, 200, 3  # CPU of two workers over that of two processes; parents that only warm up
DRAWS_EACH = 3  # nights of every day, where the whole command is measured
ERROR, SHARES, REACHED = 1.5, 0.02, 0.95
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    target: str = ""
    met: bool | None = None  # None: nothing was wanted, or nothing measured


def limited(what: str, value: float, most: float) -> Row:
    """Make a row of a number that must not be larger."""
    return Row(what, f"{value:.2f}", f"<= {most:g}", value <= most)


def seconds(work: Callable[[], object]) -> float:
    """Give the CPU seconds of some work."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def recode(files: Sequence[bytes]) -> None:
    """Do what everybody has to do: decode and encode."""
    for data in files:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, FLOOR_QUALITY])


def in_turns(
    files: Sequence[bytes], works: dict[str, Callable[[], object]], turns: int
) -> dict[str, tuple[float, ...]]:
    """Give every work's ratio to the floor, its seconds and the floor's a picture: medians over turns."""
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in works}
    for work in works.values():
        work()  # compiles, and fills what is kept
    for _ in range(turns):
        for name, work in works.items():
            before = seconds(lambda: recode(files))
            spent = seconds(work)
            floor = (before + seconds(lambda: recode(files))) / 2
            found[name].append((spent / floor, spent / len(files), floor / len(files)))
    return {name: tuple(median(column) for column in zip(*rows, strict=True)) for name, rows in found.items()}


# --- the chain -------------------------------------------------------------------------------------------------------


class Work:
    """The chain at one quality, over pictures in memory."""

    def __init__(self, files: Sequence[bytes], quality: str) -> None:
        from synthesis.night import chain, config

        self.files = files
        self.night = config.load("night600", [f"quality={quality}"])
        self.surveys: dict[str, Any] = {}
        self.stages = chain.ready(self.night, self.surveys)
        self.names = list(self.night.modules)

    def __call__(self) -> None:
        """Make the night of every picture."""
        from benchmark import images
        from synthesis.night import chain, work

        plan = self.plan()
        pictures = [images.decode(data) for data in self.files]
        for rows in chain.blocks([picture.shape[:2] for picture in pictures]):
            work.develop(self.stages, [pictures[row] for row in rows], chain.rows(plan, rows))

    def plan(self) -> "dict[str, NDArray[Any]]":
        """Plan all pictures: each file again and again is another draw."""
        from benchmark import images
        from synthesis.night import chain
        from synthesis.night.columns import Facts

        count = len(self.files)
        shape = images.decode(self.files[0]).shape
        unknown = dict.fromkeys(("x", "y", "w", "h", "timestamp", "lightness"), np.full(count, np.nan))
        sizes = {"height": np.full(count, float(shape[0])), "width": np.full(count, float(shape[1]))}
        names = tuple(f"street/{row:06d}.jpg" for row in range(count))
        numbers = {**unknown, **sizes, "camid": np.arange(count) % 8 + 1.0}
        facts = Facts(names, ("street",) * count, numbers, np.zeros(count, np.int64), np.zeros(count, np.int64))
        return chain.plan(self.night, 0, facts, self.surveys)

    def by_stage(self) -> dict[str, float]:
        """Give the microseconds a picture of planning, decoding and every stage."""
        from benchmark import images
        from synthesis.night import chain
        from synthesis.night.block import Block

        spent = dict.fromkeys(("plan", "decode", *self.names), 0.0)
        begin = time.process_time()
        plan = self.plan()
        spent["plan"] = time.process_time() - begin
        begin = time.process_time()
        pictures = [images.decode(data) for data in self.files]
        spent["decode"] = time.process_time() - begin
        for rows in chain.blocks([picture.shape[:2] for picture in pictures]):
            block, part = Block([pictures[row] for row in rows]), chain.rows(plan, rows)
            for place, (name, stage) in enumerate(zip(self.names, self.stages, strict=True), 1):
                block.later = self.stages[place:]
                begin = time.process_time()
                stage.apply(block, part)
                spent[name] += time.process_time() - begin
        return {name: 1e6 * value / len(self.files) for name, value in spent.items()}


def days(height: int) -> list[bytes]:
    """Take day pictures of one size, spread over all cameras of the street, whatever stands before the people."""
    from synthesis.street import config, render, shots

    world = config.load("demo", [f"height={height}", 'times=["day"]'])
    walks = shots.walks(world, 0)
    chosen = [shots.shot(world, 0, walk, 0) for walk in walks[:: max(len(walks) // SHOTS, 1)][:SHOTS]]
    return [render.take(world, 0, shot).files["day"] for shot in chosen] * DRAWS


def speeds(height: int, peers: str) -> list[Row]:
    """Measure both qualities and the peers at one size."""
    files = days(height)
    works = {quality: Work(files, quality) for quality in TARGETS}
    found = in_turns(files, dict(works), TURNS)
    rows = []
    for quality, (ratio, cost, floor) in found.items():
        what = f"{quality}, {height}x{height // 2}: {cost * 1e6:.0f} us over JPEG {floor * 1e6:.0f} us"
        rows.append(limited(what, ratio, TARGETS[quality]))
    for quality, work in works.items():
        turns = [work.by_stage() for _ in range(TURNS)]
        stages = {name: median(turn[name] for turn in turns) for name in turns[0]}
        said = ", ".join(f"{name} {value:.0f}" for name, value in stages.items())
        rows.append(Row(f"  {quality}, us a stage: {said}", f"{sum(stages.values()):.0f}"))
    return rows + against_peers(files, height, found["fast"][0], peers)


def against_peers(files: Sequence[bytes], height: int, fast: float, python: str) -> list[Row]:
    """Compare ratios to the floor, each measured in its own process."""
    if not python:
        return [
            Row(f"{name} albumentations stack, {height}x{height // 2}", "not measured", f">= {times:g}")
            for name, times in PEERS.items()
        ]
    with tempfile.TemporaryDirectory() as folder:
        for place, data in enumerate(files):
            Path(folder, f"{place:06d}.jpg").write_bytes(data)
        told = subprocess.run(
            [python, __file__, "--peer", folder],
            stdout=subprocess.PIPE,
            check=True,
            env=os.environ | {"NO_ALBUMENTATIONS_UPDATE": "1"},
        ).stdout
    rows = []
    for name, (ratio, cost, floor) in json.loads(told).items():
        spent = f"{cost * 1e6:.0f} us, {ratio:.1f} x {floor * 1e6:.0f} us"
        what = f"{name} albumentations stack, {height}x{height // 2}: {spent}"
        times = ratio / fast
        rows.append(Row(f"{what}; over fast", f"{times:.2f}", f">= {PEERS[name]:g}", times >= PEERS[name]))
    return rows


# --- in the peers' interpreter ---------------------------------------------------------------------------------------


def peer(folder: Path) -> None:
    """Measure both stacks over the pictures of a folder, and print their ratios as JSON."""
    import albumentations as A  # type: ignore[import-not-found]  # noqa: N812

    blur = A.MotionBlur(blur_limit=(3, 7), p=MOVED)
    darker = A.RandomBrightnessContrast(brightness_limit=(-0.8, -0.4), contrast_limit=(-0.2, 0.2), p=1)
    stacks = {
        "common": A.Compose([darker, A.ISONoise(p=1), blur]),
        "physical": A.Compose(
            [A.RandomGamma((200, 350), p=1), A.ShotNoise(p=1), A.PlanckianJitter(p=1), A.Illumination(p=1), blur]
        ),
    }
    files = [path.read_bytes() for path in sorted(folder.iterdir())]
    quality = np.random.default_rng(0).integers(QUALITIES[0], QUALITIES[1] + 1, len(files)).tolist()

    def run(stack: Any) -> None:  # noqa: ANN401
        for data, stored in zip(files, quality, strict=True):
            decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            assert decoded is not None
            picture = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
            dark = cv2.cvtColor(stack(image=picture)["image"], cv2.COLOR_RGB2BGR)
            cv2.imencode(".jpg", dark, [cv2.IMWRITE_JPEG_QUALITY, stored])

    works: dict[str, Callable[[], object]] = {name: partial(run, stack) for name, stack in stacks.items()}
    print(json.dumps(in_turns(files, works, PEER_TURNS)))


# --- the whole command -----------------------------------------------------------------------------------------------


def world(folder: Path, count: int) -> Path:
    """Render so many days of the street, in the sizes that cameras see people in; give their manifest."""
    from benchmark import executors
    from synthesis.street import config, write
    from synthesis.street.order import Order

    settings = config.load("demo", [f"identities={count // 10}", 'times=["day"]'])
    write.write(Order(settings, 0, "demo", limit=count), folder, executors.chosen("", os.cpu_count() or 1))
    return folder / "day.parquet"


def make(parents: "Manifest", out: Path, night: "Night", executor: str = "serial", workers: int = 1) -> dict[str, Any]:
    """Make a night as the command does, and give its record."""
    from benchmark import executors
    from synthesis import generate
    from synthesis.night.order import Order

    record, fresh = generate.write(Order(night, parents), out, executors.executor(executor, workers))
    assert fresh
    return record


def made_apart(path: Path, out: Path, first: int, last: int, executor: str, workers: int) -> subprocess.Popen[str]:
    """Make the night of some rows in a process of its own, which says how much memory it took."""
    words = ["--make", str(path), str(out), str(first), str(last), executor, str(workers)]
    return subprocess.Popen([sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True)


def make_here(words: Sequence[str]) -> None:
    """Make the night of some rows and print the peak of this process's memory in MB."""
    from benchmark import manifest
    from synthesis.night import config

    path, out, first, last, executor, workers = words
    parents = manifest.read(Path(path)).select(np.arange(int(first), int(last)))
    make(parents, Path(out), config.load("night600", [f"draws={DRAWS_EACH}"]), executor, int(workers))
    # `getrusage` would give the peak of the process that started this one, where that is higher.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) / 2**10)


def children() -> float:
    """Give the CPU seconds of all processes that were started here and have ended, with all that those started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def costs(path: Path, folder: Path, count: int, name: str) -> tuple[float, float]:
    """Give CPU seconds of so many pictures: by a run with two workers, and by two runs at once of half of them each."""
    begin = children()
    assert made_apart(path, folder / f"{name}-two", 0, count, "processes", 2).wait() == 0
    together = children() - begin
    begin, half = children(), count // 2
    runs = [
        made_apart(path, folder / f"{name}-{part}", part * half, (part + 1) * half, "serial", 1) for part in range(2)
    ]
    assert [run.wait() for run in runs] == [0, 0]
    return together, children() - begin


def two_workers(path: Path, folder: Path, count: int) -> Row:
    """Compare the cost of a picture with two workers; what few pictures cost is taken off, as it is start-up."""
    found = []
    for turn in range(WORKER_TURNS):
        few, many = costs(path, folder, FEW, f"few-{turn}"), costs(path, folder, count, f"many-{turn}")
        shared, apart = ((more - less) / (count - FEW) / DRAWS_EACH for less, more in zip(few, many, strict=True))
        found.append((shared / apart, shared * 1e6, apart * 1e6))
    ratio, shared, apart = (median(column) for column in zip(*found, strict=True))
    said = f"{min(found)[0]:.2f} to {max(found)[0]:.2f}"
    what = f"CPU a picture, two workers {shared:.0f} us over two processes at once {apart:.0f} us ({said})"
    return limited(what, ratio, WORKERS)


def memory(path: Path, folder: Path, most: int) -> Row:
    """Measure how the peak grows from a hundred pictures to a thousand or so."""
    peaks, counts = [], (100, most)
    for count in counts:
        said, _ = made_apart(path, folder / f"memory-{count}", 0, count, "serial", 1).communicate()
        peaks.append(float(said))
    small, large = (f"{DRAWS_EACH * count:,}" for count in counts)
    what = f"peak memory, {small} and {large} pictures: {peaks[0]:.0f}, {peaks[1]:.0f} MB"
    return Row(what, f"+{peaks[1] - peaks[0]:.0f}")


def exactness(path: Path, folder: Path, quality: str) -> list[Row]:
    """Make several nights of every picture; say what the whole command cost, and how near it came to its plan."""
    from benchmark import images, manifest
    from synthesis.night import config

    parents = manifest.read(path)
    night = config.load("night600", [f"draws={DRAWS_EACH}", f"quality={quality}"])
    files = [images.read(*parents.file(row)) for row in range(len(parents))]
    make(parents.select(np.arange(8)), folder / f"warm-{quality}", night)
    floor = seconds(lambda: recode(files)) / len(files)
    begin = time.process_time()
    counts = make(parents, folder / quality, night)["counts"]
    cost = (time.process_time() - begin) / counts["pictures"]
    size = round(float(np.mean(parents.column("width").astype(float) * parents.column("height").astype(float))))
    what = f"{quality}, the whole command, {counts['pictures']:,} pictures of {size:,} pixels: {cost * 1e6:.0f} us"
    return [Row(f"{what} over JPEG {floor * 1e6:.0f} us", f"{cost / floor:.2f}"), *shares(quality, counts)]


def shares(quality: str, counts: dict[str, Any]) -> list[Row]:
    """Hold a night's counts to what was declared."""
    from synthesis.night import config

    declared = config.load("night600").record()["exposure"]["shares"]
    total, made = counts["pictures"], counts["levels"]["made"]
    apart = max(abs(number / total - share) for number, share in zip(made.values(), declared, strict=True))
    reached = 1 - counts["not_reached"] / total
    said = ", ".join(f"{level} {100 * number / total:.1f} %" for level, number in made.items())
    return [
        limited(f"{quality}, mean error of lightness, of 255", counts["lightness_error"], ERROR),
        Row(f"{quality}, {said}; largest distance of a share", f"{apart:.3f}", f"<= {SHARES:g}", apart <= SHARES),
        Row(f"{quality}, planned level reached", f"{reached:.3f}", f">= {REACHED:g}", reached >= REACHED),
    ]


def commanded(count: int) -> list[Row]:
    """Measure what the command does with a street of so many pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = world(folder / "street", count)
        rows = [row for quality in TARGETS for row in exactness(path, folder, quality)]
        return [*rows, memory(path, folder, min(count, 1000)), two_workers(path, folder, count)]


def show(rows: Sequence[Row]) -> None:
    """Print rows as a table."""
    width = max(len(row.what) for row in rows if row.target)
    for row in rows:
        verdict = "" if row.met is None else "met" if row.met else "MISSED"
        print(f"{row.what:<{width}}  {row.measured:>12}  {row.target:<8}  {verdict}".rstrip(), flush=True)


def main() -> None:
    """Measure everything and print the table; or do one part of it in another process."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--peers", default="", metavar="PYTHON")
    asked.add_argument("--pictures", type=int, default=6000)
    asked.add_argument("--peer", type=Path, help=argparse.SUPPRESS)
    asked.add_argument("--make", nargs=6, help=argparse.SUPPRESS)
    words = asked.parse_args()
    parents = -(-words.pictures // DRAWS_EACH) // 2 * 2
    if parents <= FEW:
        asked.error(f"--pictures {words.pictures}: must be more than {DRAWS_EACH * (FEW + 1)}")
    cv2.setNumThreads(1)
    if words.peer:
        peer(words.peer)
    elif words.make:
        make_here(words.make)
    else:
        machine = f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}"
        print(f"{machine}, Python {platform.python_version()}, OpenCV {cv2.__version__}")
        for height in HEIGHTS:
            show(speeds(height, words.peers))
        show(commanded(parents))


if __name__ == "__main__":
    os.environ.update(THREADS)  # for the processes that are started from here
    main()
