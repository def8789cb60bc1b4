"""How fast the street is: one table of what was measured and what was wanted. It prints, and never fails.

A picture is taken with all its truth: day, true night, both in linear light, irradiance, albedo, emission, normals,
depth, parts, masks and what every light sees, and both pictures are encoded. The floor is one decode and one encode of
that day picture as JPEG. All in one thread, in CPU seconds, in turns within one run.
"""

import os
import platform
import subprocess
import sys
import time
from statistics import median
from typing import NamedTuple

from benchmark import images
from synthesis.street import config, render, shots
from synthesis.street.config import World
from synthesis.street.shots import Shot

SHOTS, TURNS = 36, 3
TARGETS = {"fast": 45.0, "full": 110.0}
QUALITY = 90

MEMORY = """
import resource, sys
from synthesis.street import config, render, shots

world = config.load("demo", ["height=256"])
walks = shots.walks(world, 0)
taken = 0
while taken < int(sys.argv[1]):
    walk = walks[taken // 2 % len(walks)]
    render.take(world, 0, shots.shot(world, 0, walk, taken % 2))
    taken += 1
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)  # Linux counts in kB
"""


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    target: str
    met: bool


def chosen(world: World) -> list[Shot]:
    """Choose shots spread over all cameras, whatever stands before the people."""
    walks = shots.walks(world, 0)
    return [shots.shot(world, 0, walk, 0) for walk in walks[:: max(len(walks) // SHOTS, 1)][:SHOTS]]


def floor(files: list[bytes]) -> float:
    """Give the CPU seconds of one decode and encode."""
    begin = time.process_time()
    for _ in range(4):
        for data in files:
            images.encode(images.decode(data), QUALITY)
    return (time.process_time() - begin) / len(files) / 4


def taking(world: World, wanted: list[Shot]) -> float:
    """Give the CPU seconds of one shot with everything."""
    begin = time.process_time()
    for shot in wanted:
        render.take(world, 0, shot)
    return (time.process_time() - begin) / len(wanted)


def ratios(height: int) -> list[Row]:
    """Measure both qualities at one size against the floor."""
    worlds = {quality: config.load("demo", [f"height={height}", f"quality={quality}"]) for quality in TARGETS}
    wanted = chosen(worlds["fast"])
    files = [images.encode(render.take(worlds["fast"], 0, shot).pictures["day"], QUALITY) for shot in wanted]
    taking(worlds["full"], wanted[:1])  # compiles
    rows = []
    for quality, world in worlds.items():
        turns = []
        for _ in range(TURNS):
            before, cost = floor(files), taking(world, wanted)
            turns.append((2 * cost / (before + floor(files)), cost, before))
        ratio, cost, base = (median(column) for column in zip(*turns, strict=True))
        what = f"{quality}, {height}x{height // 2}: {cost * 1e3:.1f} ms over JPEG {base * 1e6:.0f} us"
        rows.append(Row(what, f"{ratio:.0f}", f"<= {TARGETS[quality]:.0f}", ratio <= TARGETS[quality]))
    return rows


def memory() -> Row:
    """Measure how the peak grows from a hundred pictures to a thousand."""
    peaks = [
        float(subprocess.run([sys.executable, "-c", MEMORY, str(count)], stdout=subprocess.PIPE, check=True).stdout)
        for count in (100, 1000)
    ]
    grown = peaks[1] - peaks[0]
    return Row(
        f"peak memory, 100 and 1,000 shots: {peaks[0]:.0f}, {peaks[1]:.0f} MB", f"+{grown:.0f}", "< 30", grown < 30
    )


def main() -> None:
    """Measure everything and print the table."""
    rows = [*ratios(256), *ratios(128), memory()]
    width = max(len(row.what) for row in rows)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    print(f"{machine}, Python {platform.python_version()}")
    print(f"{'what':<{width}}  measured  target")
    for row in rows:
        print(f"{row.what:<{width}}  {row.measured:>8}  {row.target:<8}  {'met' if row.met else 'MISSED'}")


if __name__ == "__main__":
    main()
