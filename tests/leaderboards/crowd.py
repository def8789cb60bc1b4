"""Little bundles for boards: several methods of known strength, several seeds, ninety people in three lights."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import bundling, manifest, results
from benchmark import protocol as protocols
from benchmark.evaluation import Asked, Options
from benchmark.features import Features
from benchmark.manifest import Manifest
from leaderboards import entry, store
from leaderboards.store import Board

PEOPLE = 90
NOISE = {"good": 0.7, "poor": 1.6}
CLEAN = {"git_dirty": False, "git_commit": "0" * 40, "package_version": "0.1.0"}

Row = dict[str, Any]


def world(people: int = PEOPLE, source: str = "crowd", night: int = 0) -> Manifest:
    """Make a measured manifest: two queries and three gallery pictures a person; `night` makes other bytes of it."""
    seen = list(enumerate((1, 2, 3, 4, 4)))
    rows = [_row(pid, camid, number, night) for pid in range(1, people + 1) for number, camid in seen]
    rows += [_row(0, 3, number, night) for number in range(8)]
    rows += [_row(pid, camid, 0, night, split="train") for pid in (1001, 1002) for camid in (1, 2)]
    return manifest.build({name: [row[name] for row in rows] for name in rows[0]}, source, Path("/nowhere"))


def features(of: Manifest, noise: float, draw: int, **facts: object) -> Features:
    """Draw a vector an image: its person's, and noise."""
    people = np.random.default_rng(7).standard_normal((2000, 8))
    shift = np.random.default_rng([draw, round(1000 * noise)]).standard_normal((len(of), 8))
    vectors = (people[of.column("pid").astype(int)] + noise * shift).astype(np.float32)
    return Features(of.table["image_id"].to_pylist(), vectors, dict(facts))


def bundle(folder: Path, method: str, seed: int, of: Manifest | None = None, **more: Any) -> Path:  # noqa: ANN401
    """Write one bundle; `more`: noise, draws, facts (of the record), config, protocol, by."""
    of = of or world()
    noise = more.get("noise", NOISE.get(method, 1.0))
    given = features(of, noise, seed, method=method, seed=seed, config=more.get("config", {"noise": noise}))
    options = Options(metric="euclidean", draws=more.get("draws", 200))
    plan = protocols.load(more.get("protocol", "market-style"))
    bundling.evaluate(of, plan, given, options, folder, Asked(tuple(more.get("by", ()))))
    altered(folder, **(CLEAN | more.get("facts", {})))
    return folder


def altered(folder: Path, **facts: object) -> None:
    """Write a bundle again with other facts in its record."""
    found = results.read(folder)
    record = {name: value for name, value in found.run.items() if name not in ("queries_sha256", "strata_sha256")}
    results.write(results.Bundle(record | facts, found.tables), folder)


def bundles(
    root: Path,
    methods: Mapping[str, float] = NOISE,
    seeds: Sequence[int] = range(5),
    **more: Any,  # noqa: ANN401
) -> list[Path]:
    """Write the bundles of several methods and seeds: ROOT/METHOD/s0 and so on."""
    of = more.pop("of", None) or world()
    return [
        bundle(root / method / f"s{seed}", method, seed, of, noise=noise, **more)
        for method, noise in methods.items()
        for seed in seeds
    ]


def board(root: Path, folders: Sequence[Path]) -> Board:
    """Put bundles on a new board."""
    made = store.begun(root)
    for folder in folders:
        entry.add(made, folder)
    return made


def _row(pid: int, camid: int, number: int, night: int, split: str = "test") -> Row:
    path = f"{split}/{pid:04d}_c{camid}_{number}.jpg"
    level = (pid + number) % 3  # a person is asked for in two lights
    light = {"lightness": (10.0, 40.0, 90.0)[level], "luma": 10.0, "stops": (-7.0, -5.0, -2.0)[level]}
    facts = {"path": path, "pid": pid, "camid": camid, "split": split}
    asks, tested = pid > 0 and number < 2, split == "test"
    lists = {"query": tested and asks, "gallery": tested and not asks}
    size = {"width": 40, "height": 80 + 70 * (pid % 3), "p05": 0.0, "p95": 90.0, "dark": 0.0, "saturated": 0.0}
    return facts | lists | light | size | {"sha256": f"{night:02x}" + path.encode().hex().ljust(62, "0")[-62:]}
