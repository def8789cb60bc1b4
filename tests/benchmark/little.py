"""A little measured world: every person asks once at the first camera and is searched at two others, with strangers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import manifest
from benchmark.manifest import Manifest

PEOPLE = 12
STRANGERS = 4

Row = dict[str, Any]


def rows(people: int = PEOPLE, split: str = "test") -> list[Row]:
    """List queries, gallery, strangers, and one person to learn from."""
    asked = [_row(f"q/{pid:03d}.jpg", pid, 1, split, query=True) for pid in range(1, people + 1)]
    searched = [
        _row(f"g/{pid:03d}-{camid}.jpg", pid, camid, split, gallery=True)
        for pid in range(1, people + 1)
        for camid in (2, 3)
    ]
    strangers = [_row(f"g/stranger-{number}.jpg", 0, 2, split, gallery=True) for number in range(STRANGERS)]
    return [*asked, *searched, *strangers, _row("t/1.jpg", 900, 1, "train"), _row("t/2.jpg", 900, 2, "train")]


def world(found: Sequence[Row] | None = None, root: Path = Path("/nowhere")) -> Manifest:
    """Make a manifest of rows."""
    found = rows() if found is None else found
    return manifest.build({name: [row[name] for row in found] for name in found[0]}, "little", root)


def vectors(of: Manifest, noise: float = 0.8, seed: int = 0) -> NDArray[np.float32]:
    """Draw a vector an image, in the manifest's order: its person's, and noise."""
    rng = np.random.default_rng(seed)
    people = rng.standard_normal((1000, 8))
    found = people[of.column("pid").astype(int)] + noise * rng.standard_normal((len(of), 8))
    return np.asarray(found, np.float32)


def _row(path: str, pid: int, camid: int, split: str, query: bool = False, gallery: bool = False) -> Row:
    # Light and size change from person to person, so that the standard cuts divide something.
    light = {"lightness": 10.0 + 20 * (pid % 3), "luma": 10.0, "stops": -7.5 + 2 * (pid % 3), "p05": 0.0, "p95": 90.0}
    facts = {"path": path, "pid": pid, "camid": camid, "split": split, "query": query, "gallery": gallery}
    size = {"width": 20, "height": 60 + 80 * (pid % 2), "dark": 0.0, "saturated": 0.0}
    return facts | light | size | {"sha256": path.encode().hex().ljust(64, "0")[-64:]}
