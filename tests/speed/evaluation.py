"""How fast evaluation is: one table of what was measured and what was wanted. It prints, and never fails.

Everything runs in one thread and is measured in CPU seconds. The floor of a ranking is the bare matrix product of the
same chunks, as they stand in memory in single precision: for a file it holds neither the reading nor the conversion.
Both are measured in turns within one process, and the smallest of each counts, so that a busy machine disturbs them
little. Memory is the peak above what the process held when the features lay ready and everything was compiled.
"""

import ctypes
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark.executors import ONE_THREAD

if TYPE_CHECKING:
    from benchmark.cuts import Cut, Kind
    from benchmark.junk import Codes
    from benchmark.lists import Lists
    from benchmark.scoring import Vectors

ROOT = Path(__file__).parents[2]
CHUNK = 128  # queries a product, as `ranking.rank` has them
TURNS = {"market": 5, "night600": 5, "msmt": 2, "stream": 2, "strata": 3, "bootstrap": 3}
SETS = {"market": ("Market-like", 1.3), "night600": ("Night600-like", 1.45), "msmt": ("MSMT17-like", 1.6)}
STREAM_QUERIES, STREAM_WIDE, STREAM_POSITIVES = 1000, 256, 20
STREAM_SIZES = (250_000, 1_000_000)
METRICS, DRAWS = 6, 10_000


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    target: str
    met: bool


def seconds(work: Callable[[], object]) -> float:
    """Give the CPU seconds of some work."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def smallest(turns: int, *works: Callable[[], object]) -> list[float]:
    """Give the smallest CPU seconds of each work, all done in turns."""
    found = [[seconds(work) for work in works] for _ in range(turns)]
    return np.min(found, axis=0).tolist()  # type: ignore[no-any-return]


def megabytes(work: Callable[[], object]) -> float:
    """Give the peak of memory above what is held now, or NaN where the system does not tell (all but Linux)."""
    try:
        ctypes.CDLL(None).malloc_trim(0)  # else what was freed before would be filled first
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    except (OSError, AttributeError):
        work()
        return float("nan")
    held = _memory("VmRSS")
    work()
    return _memory("VmHWM") - held


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 2**10  # kB


def rank_crowd(name: str) -> tuple[float, ...]:
    """Measure a made-up crowd from features to metrics: floor, ours, memory."""
    from benchmark import metrics, ranking
    from benchmark.protocol import Junk
    from benchmark.scoring import Vectors
    from tests.speed import crowds

    crowd = crowds.crowd(name)
    codes = crowd.codes()

    def ours() -> None:
        found = ranking.rank(Vectors(crowd.query, crowd.gallery), *codes, Junk(), chunk=CHUNK)
        metrics.per_query(found.starts, found.ranks, found.seen)

    _warm(Vectors(crowd.query[:9], crowd.gallery[:99]), codes)
    memory = megabytes(ours)
    return *smallest(TURNS[name], lambda: product(crowd.query, crowd.gallery), ours), memory


def _warm(source: "Vectors", codes: "tuple[Codes, Codes]") -> None:
    """Compile, and start what starts once."""
    from benchmark import ranking
    from benchmark.protocol import Junk

    ranking.rank(source, codes[0].part(0, source.queries), codes[1].part(0, source.gallery), Junk())


def product(query: NDArray[np.float32], gallery: NDArray[np.float32], chunk: int = CHUNK) -> None:
    """Multiply, chunk by chunk, into one buffer."""
    out = np.empty((chunk, len(gallery)), np.float32)
    for start in range(0, len(query), chunk):
        part = query[start : start + chunk]
        np.matmul(part, gallery.T, out=out[: len(part)])


def stream(count: int, folder: Path) -> tuple[float, ...]:
    """Measure a file in half precision whose rows stand in any order: floor, ours, memory, where the hardest stand."""
    from benchmark import streaming
    from benchmark.junk import NOBODY, Codes
    from benchmark.protocol import Junk

    rng = np.random.default_rng(0)
    people = np.full(count, NOBODY)
    people[: STREAM_QUERIES * STREAM_POSITIVES] = 1 + np.arange(STREAM_QUERIES * STREAM_POSITIVES) % STREAM_QUERIES
    people = rng.permutation(people)
    query, path = write_stream(people, rng, folder)
    places = rng.permutation(count)  # the list's order is not the file's
    nobody = np.full(count, NOBODY)
    asked = np.arange(STREAM_QUERIES)
    asking = Codes(1 + asked, nobody[asked], count + asked, nobody[asked])
    searched = Codes(people[places], nobody, np.arange(count), nobody)
    file = np.load(path, mmap_mode="r")
    few = 3 * streaming.BLOCK
    streaming.rank(query, file, places[:few], asking, searched.part(0, few), Junk())  # compiles
    found = []
    memory = megabytes(lambda: found.append(streaming.rank(query, file, places, asking, searched, Junk())))
    turns = []
    for _ in range(TURNS["stream"]):
        floor = sum(block_floor(query, file))
        turns.append((floor, seconds(lambda: streaming.rank(query, file, places, asking, searched, Junk()))))
    hard = float(np.mean(found[0].ranks[found[0].starts[1:] - 1])) / count
    return *np.min(turns, axis=0).tolist(), memory, hard


def write_stream(people: NDArray[np.int64], rng: np.random.Generator, folder: Path) -> tuple[NDArray[np.float32], Path]:
    """Write unlike vectors in which a person's are a little alike, some more than others; give one more of each."""
    centres = rng.standard_normal((STREAM_QUERIES, STREAM_WIDE), dtype=np.float32)
    path = folder / f"{len(people)}.npy"
    rows = np.lib.format.open_memmap(path, "w+", np.float16, (len(people), STREAM_WIDE))
    for start in range(0, len(people), 2**15):
        who = people[start : start + 2**15]
        block = rng.standard_normal((len(who), STREAM_WIDE), dtype=np.float32)
        known = who > 0
        noise = 1.4 + 1.4 * rng.gamma(1, 1, (int(known.sum()), 1)).astype(np.float32)
        block[known] = centres[who[known] - 1] + noise * block[known]
        rows[start : start + len(who)] = block
    rows.flush()
    query = centres + 1.4 * rng.standard_normal(centres.shape, dtype=np.float32)
    return query, path


def block_floor(query: NDArray[np.float32], file: NDArray[np.float16]) -> Iterator[float]:
    """Give the CPU seconds of the product of each block, which is read and converted beforehand."""
    from benchmark import streaming

    for start in range(0, len(file), streaming.BLOCK):
        block = np.asarray(file[start : start + streaming.BLOCK], np.float32)
        yield seconds(lambda: product(query, block, streaming.TILE))  # noqa: B023


def strata() -> tuple[float, ...]:
    """Measure overall alone, and with light x size (3 x 3) and stops of query x gallery (5 x 5), without intervals."""
    from benchmark import cuts, evaluation
    from benchmark.features import Features

    lists, vectors = market_lists()
    names = [str(name) for part in (lists.query, lists.gallery) for name in part.column("image_id")]
    features, options = Features(names, vectors, {}), evaluation.Options(draws=0)

    def work(*wanted: "tuple[str, Kind]") -> None:
        def chosen(query: pa.Table, gallery: pa.Table) -> "tuple[list[Cut], list[str]]":
            return [cuts.everything(), *(cuts.parse(text, query, gallery, kind) for text, kind in wanted)], []

        with mock.patch.object(cuts, "standard", chosen):
            evaluation.evaluate([lists], features, options)

    both: list[tuple[str, Kind]] = [("night600-light+night600-scale", "query"), ("stops-5", "pair_pos")]
    return tuple(smallest(TURNS["strata"], work, lambda: work(*both)))


def market_lists() -> "tuple[Lists, NDArray[np.float32]]":
    """Make the lists of a Market-like crowd, whose pictures have any light and size."""
    from benchmark import manifest
    from benchmark.columns import MEASURED
    from benchmark.lists import Lists
    from tests.speed import crowds

    crowd, rng, parts = crowds.crowd("market"), np.random.default_rng(0), []
    for role, facts in (("query", crowd.query_facts), ("gallery", crowd.gallery_facts)):
        count = len(facts["pid"])
        columns: dict[str, object] = {**dict.fromkeys(MEASURED, np.ones(count, np.int64)), **facts}
        columns |= {"path": [f"{place:06d}.jpg" for place in range(count)], "id_space": ["market"] * count}
        columns |= {"sha256": [f"{role}{place}".encode().hex().ljust(64, "0") for place in range(count)]}
        columns |= {"height": rng.choice([64, 128, 256], count), "lightness": rng.uniform(1, 99, count)}
        columns |= {"stops": rng.uniform(-10, -1, count)}
        parts.append(manifest.build(columns, role, Path("/nowhere")))
    return Lists(parts[1], parts[0], parts[1], "speed", "0" * 64), np.concatenate([crowd.query, crowd.gallery])


def bootstrap() -> tuple[float, ...]:
    """Measure the draws of identities for six metrics of 3,368 queries of 750 people, and their intervals."""
    from benchmark import statistics

    rng = np.random.default_rng(0)
    values, people = rng.uniform(size=(3368, METRICS)), np.arange(3368) % 750
    return tuple(
        smallest(TURNS["bootstrap"], lambda: statistics.intervals(statistics.bootstrap(values, people, DRAWS)))
    )


def child(*arguments: str) -> list[float]:
    """Measure in a process of its own, with one thread."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.speed.evaluation", *arguments],
        capture_output=True,
        cwd=ROOT,
        env=os.environ | ONE_THREAD,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return [float(word) for word in done.stdout.split()]


def rankings() -> Iterator[Row]:
    """Measure the crowds."""
    for name, (words, target) in SETS.items():
        floor, ours, memory = child(name)
        ratio = ours / floor
        yield Row(
            f"{words}: features to metrics / product ({floor:.2f} CPU-s)",
            f"{ratio:.2f}",
            f"<= {target:g}",
            ratio <= target,
        )
        wanted, met = ("<= 300", memory <= 300) if name == "msmt" else ("", True)
        yield Row("  peak memory above the features, MB", f"{memory:.0f}", wanted, met)


def streams() -> Iterator[Row]:
    """Measure the files."""
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for count in STREAM_SIZES:
            floor, ours, memory, hard = child("stream", str(count), folder)
            ratio = ours / floor
            what = f"file of {count:,} rows, hardest positive at {hard:.0%}: ranking / product ({floor:.2f} CPU-s)"
            wanted, met = ("<= 1.6", ratio <= 1.6) if count == STREAM_SIZES[-1] else ("", True)
            yield Row(what, f"{ratio:.2f}", wanted, met)
            yield Row("  peak memory, MB", f"{memory:.0f}", "<= 600", memory <= 600)
            peaks.append(memory)
    flat = peaks[1] / peaks[0]
    yield Row("  the same, four times the rows / once", f"{flat:.2f}", "<= 1.5", flat <= 1.5)


def others() -> Iterator[Row]:
    """Measure what comes after ranks."""
    alone, cut = child("strata")
    what = f"with 3 x 3 and 5 x 5 cells / overall alone ({alone:.2f} CPU-s), Market-like"
    yield Row(what, f"{cut / alone:.2f}", "<= 1.5", cut / alone <= 1.5)
    [took] = child("bootstrap")
    yield Row(f"{DRAWS:,} draws, 3,368 queries, {METRICS} metrics, CPU-s", f"{took:.2f}", "<= 2", took <= 2)


def main() -> None:
    """Measure everything and print the table."""
    rows = [*rankings(), *streams(), *others()]
    width = max(len(row.what) for row in rows)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    print(f"{machine}, Python {platform.python_version()}")
    print(f"{'what':<{width}}  measured  target")
    for row in rows:
        print(f"{row.what:<{width}}  {row.measured:>8}  {row.target:<8}  {'met' if row.met else 'MISSED'}")


def measure(name: str, *arguments: str) -> tuple[float, ...]:
    """Do what a child was started for."""
    if name in SETS:
        return rank_crowd(name)
    if name == "stream":
        return stream(int(arguments[0]), Path(arguments[1]))
    return strata() if name == "strata" else bootstrap()


if __name__ == "__main__":
    if sys.argv[1:]:
        print(*measure(*sys.argv[1:]))
    else:
        main()
