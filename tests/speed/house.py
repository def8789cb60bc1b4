"""How fast the house is: one table of what was measured and what was wanted. It prints, and never fails.

All figures are CPU seconds, or ratios of them within one run, so that a busy machine disturbs them little.
"""

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from benchmark import images, keyed

HEAVY = ("torch", "pandas", "cv2", "numba")
DISTINCT, PICTURES = 200, 24000  # so many pictures that the start of an interpreter is a small part of the work

HELP = f"""
import sys
sys.argv = ["luxreid", "--help"]
import luxreid
try:
    luxreid.main()
except SystemExit:
    pass
sys.stderr.write(" ".join(name for name in {HEAVY!r} if name in sys.modules))
"""

MEASURE = """
import sys
from pathlib import Path
from benchmark import executors, manifest, measure

if __name__ == "__main__":
    root, scratch = Path(sys.argv[1]), Path(sys.argv[2])
    names = sorted(path.name for path in root.iterdir())[int(sys.argv[3]) :: int(sys.argv[4])]
    table = manifest.build({"path": names}, "speed", root)
    assert measure.measure(table, scratch, executors.executor(sys.argv[5], int(sys.argv[6]))).measured
"""

MILLION = """
import resource, sys, time
from pathlib import Path
import numpy as np
from benchmark import keyed, manifest, validity

count = 1_000_000
rows = np.arange(count, dtype=np.uint64)
light = keyed.uniform(0, rows, "light").astype(np.float32)
table = manifest.build(
    {
        "path": [f"camera{row % 8}/{row % 5000:04d}/{row:07d}.jpg" for row in range(count)],
        "pid": rows % 5000, "camid": rows % 8, "split": np.where(rows % 5000 < 2500, "train", "none"),
        "gallery": rows % 5000 >= 2500, "width": np.full(count, 64), "height": np.full(count, 128),
        "lightness": light * 255, "luma": light * 200, "stops": -13 * light, "p05": light, "p95": light * 250,
        "dark": light, "saturated": light / 9, "sha256": [f"{word:064x}" for word in keyed.bits(1, rows, "hash")],
    },
    "speed", Path(sys.argv[1]),
)
path = Path(sys.argv[1]) / "manifest.parquet"
begin = time.process_time()
manifest.write(table, path)
written = time.process_time()
del table
table = manifest.read(path)
read = time.process_time()
validity.check(table.table)
done = time.process_time()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts in kB
print(written - begin, read - written, done - read, peak)
"""


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    target: str
    met: bool


def texture(seed: int) -> images.Picture:
    """Draw a crop of blurred noise: flat pictures decode too fast to be of use."""
    count = np.arange(256 * 128 * 3, dtype=np.uint64)
    noise = (keyed.uniform(seed, count, "texture") * 256).astype(np.uint8).reshape(256, 128, 3)
    return np.asarray(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1.2))).copy()


def run(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start Python on some code; compiled files are kept, as they are where luxreid is installed."""
    quiet = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=quiet
    )


def cpu_of_children(work: Callable[[], object]) -> float:
    """Give the CPU seconds of all processes that are started, and waited for, meanwhile."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def finish(*children: subprocess.Popen[str]) -> list[tuple[str, str]]:
    """Wait for children, and stop where one failed."""
    found = [child.communicate() for child in children]
    for child, (_, complaint) in zip(children, found, strict=True):
        if child.returncode:
            sys.exit(complaint)
    return found


def help_page() -> list[Row]:
    """Measure the help page, which everybody waits for."""
    [(_, heavy)] = finish(run(HELP))  # the first run also compiles what is not compiled yet
    seconds = median(cpu_of_children(lambda: finish(run(HELP))) for _ in range(5))
    return [
        Row("luxreid --help, CPU-s", f"{seconds:.2f}", "< 0.5", seconds < 0.5),
        Row(f"  imports of {', '.join(HEAVY)}", heavy or "none", "none", not heavy),
    ]


def photometry() -> list[Row]:
    """Measure decoding with photometry over decoding alone, in turns, from memory."""
    files = [images.encode(texture(seed), 90) for seed in range(DISTINCT)]
    images.measure(files[0])  # compiles the kernel
    ratios, alone = [], []
    for _ in range(15):
        begin = time.process_time()
        for data in files:
            images.decode(data)
        middle = time.process_time()
        for data in files:
            images.photometry(images.decode(data))
        ratios.append((time.process_time() - middle) / (middle - begin))
        alone.append((middle - begin) / len(files))
    ratio = median(ratios)
    what = f"decode + photometry / decode, 256x128 (decode {median(alone) * 1e6:.0f} us)"
    return [Row(what, f"{ratio:.2f}", "<= 1.5", ratio <= 1.5)]


def two_workers(folder: Path) -> list[Row]:
    """Measure the CPU time of one run with two workers against two runs of one worker at the same time."""
    root = folder / "pictures"
    root.mkdir()
    for number in range(PICTURES):
        if number < DISTINCT:
            images.save(root / f"{number:05d}.jpg", texture(number), 90, sync=False)
        else:
            (root / f"{number:05d}.jpg").hardlink_to(root / f"{number % DISTINCT:05d}.jpg")
    ratios, per_picture = [], []
    for turn in range(3):
        place = [str(root), str(folder / f"scratch{turn}")]
        two = cpu_of_children(lambda: finish(run(MEASURE, *place, "0", "1", "processes", "2")))  # noqa: B023
        halves = [(place[0], f"{place[1]}-{half}", str(half), "2", "serial", "1") for half in range(2)]
        apart = cpu_of_children(lambda: finish(*(run(MEASURE, *half) for half in halves)))  # noqa: B023
        ratios.append(two / apart)
        per_picture.append((two / PICTURES, apart / PICTURES))
    together, alone = (median(column) * 1e6 for column in zip(*per_picture, strict=True))
    ratio = median(ratios)
    what = f"two workers / two lone processes, CPU a picture ({together:.0f} / {alone:.0f} us)"
    return [Row(what, f"{ratio:.2f}", "<= 1.15", ratio <= 1.15)]


def million_rows(folder: Path) -> list[Row]:
    """Measure a manifest of a million rows, in a process of its own for its peak of memory."""
    [(out, _)] = finish(run(MILLION, str(folder)))
    write, read, validate, peak = (float(word) for word in out.split())
    total = write + read + validate
    what = f"a million rows: write {write:.1f}, read {read:.1f}, validate {validate:.1f}, CPU-s"
    return [Row(what, f"{total:.1f}", "< 10", total < 10), Row("  peak memory, GB", f"{peak:.2f}", "< 1.5", peak < 1.5)]


def main() -> None:
    """Measure everything and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [*help_page(), *photometry(), *two_workers(Path(folder)), *million_rows(Path(folder))]
    width = max(len(row.what) for row in rows)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    print(f"{machine}, Python {platform.python_version()}")
    print(f"{'what':<{width}}  measured  target")
    for row in rows:
        print(f"{row.what:<{width}}  {row.measured:>8}  {row.target:<8}  {'met' if row.met else 'MISSED'}")


if __name__ == "__main__":
    main()
