"""How fast sets are read: one table of what was measured and what was wanted. It prints, and never fails.

A tree of 150,000 empty files in the layout of each set is read by its reader, and listed by a recursion of `os.scandir`
that does nothing else; both in CPU seconds, in turns within one process, so that a busy machine disturbs them little.
"""

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

NAMES = 150_000
TARGET, MEMORY = 10.0, 1.0  # times the recursion; GB

READ = """
import os, resource, sys, time
from importlib import import_module
from pathlib import Path
from statistics import median

def listed(folder):
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            count += listed(entry.path) if entry.is_dir(follow_symlinks=False) else 1
    return count

root, reader = Path(sys.argv[1]), import_module("benchmark.readers." + sys.argv[2])
options = reader.Options.model_validate_json(sys.argv[3])
ratios, floors = [], []
for turn in range(4):
    begin = time.process_time()
    listed(root)
    middle = time.process_time()
    found = reader.read(root, options)
    done = time.process_time()
    if turn:  # the first turn loads what is loaded once
        ratios.append((done - middle) / (middle - begin))
        floors.append(middle - begin)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts in kB
print(len(found), median(ratios), median(floors), peak)
"""


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    target: str
    met: bool


def market() -> Iterator[str]:
    """Name pictures as Market-1501 does: three folders of many files."""
    for number in range(NAMES):
        folder = "query" if number % 10 == 0 else "bounding_box_train" if number % 2 else "bounding_box_test"
        yield f"{folder}/{number % 1501 + 1:04d}_c{number % 6 + 1}s{number % 3 + 1}_{number:06d}_{number % 7:02d}.jpg"


def msmt() -> Iterator[str]:
    """Name pictures as MSMT17 does: a folder a person, four lists beside them."""
    for number in range(NAMES):
        part, pid = ("train", number % 1041) if number % 4 == 0 else ("test", number % 3060)
        yield f"{part}/{pid:04d}/{pid:04d}_{number % 1000:03d}_{number % 15 + 1:02d}_0303noon_{number}_0.jpg"


def msmt_lists(paths: list[str]) -> dict[str, str]:
    """Write the lists of MSMT17."""
    lists: dict[str, list[str]] = {"train": [], "val": [], "query": [], "gallery": []}
    for number, path in enumerate(paths):
        part, _, rest = path.partition("/")
        two = ("train", "val") if part == "train" else ("gallery", "query")
        lists[two[number % 9 == 0]].append(f"{rest} {int(rest[:4])}\n")
    return {f"list_{name}.txt": "".join(lines) for name, lines in lists.items()}


def folders() -> Iterator[str]:
    """Name pictures in the pattern that `folders` reads by default: a folder a person."""
    for number in range(NAMES):
        yield f"{'train' if number % 2 else 'gallery'}/{number % 3000:05d}/c{number % 8 + 1}_{number:07d}.jpg"


def night600() -> Iterator[str]:
    """Name pictures as Night600 does; every query has its copy in the gallery."""
    for number in range(NAMES // 21):
        name = f"{number % 600 + 1:06d}_c{number % 8 + 1}_{number:06d}.jpg"
        yield from (f"query_3/{name}", f"bounding_box_test/{name}")
    for number in range(NAMES - 2 * (NAMES // 21)):
        folder = "bounding_box_train" if number % 2 else "bounding_box_test"
        yield f"{folder}/{number % 600 + 1:06d}_c{number % 8 + 1}_9{number:06d}.jpg"


def knight() -> Iterator[str]:
    """Name pictures as Knight does: a folder a person."""
    for number in range(NAMES):
        yield f"Person/{number % 937 + 1:04d}/cam{number % 3 + 1}_{number}.jpg"


def nightreid() -> Iterator[str]:
    """Name pictures as NightReID does; every query has its copy in the gallery."""
    for number in range(NAMES):
        name = f"{number % 1500 + 1:04d}{'LR'[number % 2]}{number % 3 + 1}C{number:06d}.jpg"
        if number % 20 == 1:
            yield f"query/{name}"
        yield f"{'bounding_box_train' if number % 2 == 0 else 'bounding_box_test'}/{name}"


def rgbnt201() -> Iterator[str]:
    """Name pictures as RGBNT201 does: every picture in three kinds of light."""
    for number in range(NAMES // 3):
        part = "train_171" if number % 2 else "test"
        for kind in ("RGB", "NI", "TI"):
            yield f"{part}/{kind}/{number % 400 + 1:06d}_cam{number % 4 + 1}_{number % 3}_{number:05d}.jpg"


SETS: tuple[tuple[str, str, Callable[[], Iterator[str]]], ...] = (
    ("market1501", "{}", market),
    ("market_layout", "{}", market),
    ("syn_dark", "{}", market),
    ("folders", "{}", folders),
    ("msmt17", "{}", msmt),
    ("night600", "{}", night600),
    ("knight", "{}", knight),
    ("nightreid", "{}", nightreid),
    ("rgbnt201", "{}", rgbnt201),
)


def lay_out(root: Path, names: Iterator[str]) -> list[str]:
    """Write empty files, and give their paths."""
    paths = list(names)
    for folder in {str(Path(path).parent) for path in paths}:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for path in paths:
        os.close(os.open(root / path, os.O_CREAT))
    return paths


def measure(root: Path, reader: str, options: str) -> list[Row]:
    """Read one tree in a process of its own, for its peak of memory."""
    done = subprocess.run([sys.executable, "-c", READ, str(root), reader, options], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    count, ratio, floor, peak = (float(word) for word in done.stdout.split())
    what = f"{reader}: read {count:,.0f} names / os.scandir recursion ({floor * 1e3:.0f} ms), CPU"
    return [
        Row(what, f"{ratio:.1f}", f"<= {TARGET:g}", ratio <= TARGET),
        Row("  peak memory, GB", f"{peak:.2f}", f"< {MEMORY:g}", peak < MEMORY),
    ]


def main() -> None:
    """Measure everything and print the table."""
    rows: list[Row] = []
    for reader, options, names in SETS:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            paths = lay_out(root, names())
            for file, text in (msmt_lists(paths) if names is msmt else {}).items():
                (root / file).write_text(text)
            rows += measure(root, reader, options)
    width = max(len(row.what) for row in rows)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    print(f"{machine}, Python {platform.python_version()}")
    print(f"{'what':<{width}}  measured  target")
    for row in rows:
        print(f"{row.what:<{width}}  {row.measured:>8}  {row.target:<8}  {'met' if row.met else 'MISSED'}")


if __name__ == "__main__":
    main()
