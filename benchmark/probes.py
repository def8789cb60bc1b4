"""Which pictures of the test ask: some of every identity at every camera, drawn or balanced over light levels."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark import keyed
from benchmark.errors import UserError
from benchmark.manifest import Manifest

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Candidates:
    """Rows that may become queries, cell by cell, and within a cell in the order in which they are drawn.

    A cell is one identity at one camera in one source: the day and the night of a world ask for themselves.
    """

    rows: NDArray[np.intp]
    cells: NDArray[np.int64]  # 0, 1, 2, ... in a drawn order
    places: NDArray[np.int64]  # 0, 1, 2, ... in each cell


def order(manifest: Manifest, identities: NDArray[np.int64], test: Mask, seed: int) -> Candidates:
    """Bring the rows of the test into their drawn order; a place in it depends on the rows of its own cell only."""
    rows = np.flatnonzero(test)
    frame = pd.DataFrame({"identity": identities[rows], "shot": shots(manifest)[rows]}, index=rows)
    for name in ("source", "camid", "image_id"):
        frame[name] = manifest.column(name)[rows]
    cell = ["source", "identity", "camid"]
    frame["own"] = keyed.bits(seed, keyed.keys(frame["image_id"].to_list()), "probe")
    frame["draw"] = keyed.bits(seed, keyed.keys(frame["shot"].to_list()), "probe")
    # Several exposures of one shot in one set: one of each shot comes before the second of any.
    frame["copy"] = frame.groupby([*cell, "shot"])["own"].rank(method="first")
    first = frame.groupby(cell)["draw"].transform("min")
    frame["cell"] = frame.assign(first=first).groupby(["first", *cell]).ngroup()
    frame = frame.sort_values(["cell", "copy", "draw", "own"])
    places = frame.groupby("cell").cumcount()
    return Candidates(*(np.asarray(values) for values in (frame.index, frame["cell"], places)))


def first(candidates: Candidates, limit: int, length: int) -> Mask:
    """Take the first of every cell."""
    chosen = np.zeros(length, dtype=bool)
    chosen[candidates.rows[candidates.places < limit]] = True
    return chosen


def balanced(candidates: Candidates, codes: NDArray[np.integer], limit: int, *, equal: bool) -> Mask:
    """Take as many of every cell, such that the levels come out as even as any choice could make them.

    How many probes a set of levels can give at most is a sum of truncated counts, one a cell: the rank function of a
    polymatroid (Edmonds 1970). So filling the emptiest level that can still grow ends in the most even numbers there
    are, and a picture may be taken exactly when no set of levels is left with less than it still must give.
    """
    level = codes[candidates.rows].astype(np.int64)
    known = level >= 0
    rows, cells, level = candidates.rows[known], candidates.cells[known], level[known]
    if not len(rows):
        raise UserError("split: no picture of the test has a light level")
    levels, level = np.unique(level, return_inverse=True)
    sets = np.array(list(product((0, 1), repeat=len(levels)))[1:], dtype=np.int64)
    starts = np.flatnonzero(np.diff(cells, prepend=-1))
    numbers = np.add.reduceat(np.eye(len(levels), dtype=np.int64)[level], starts)
    reach = np.minimum(numbers @ sets.T, limit)
    wanted = _even(reach.sum(axis=0), sets)
    left = np.minimum(wanted, wanted.min()) if equal else wanted
    chosen = np.zeros(len(codes), dtype=bool)
    rest = reach.sum(axis=0)
    for cell, start in enumerate(starts):
        rest -= reach[cell]
        own = level[start : start + numbers[cell].sum()]
        taken = _take(own, left, rest, sets, limit)
        chosen[rows[start + np.array(taken, dtype=np.intp)]] = True
    return chosen


def _even(most: NDArray[np.int64], sets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Fill the emptiest level that can still grow, until none can."""
    wanted = np.zeros(sets.shape[1], dtype=np.int64)
    growing = list(range(sets.shape[1]))
    while growing:
        level = min(growing, key=lambda level: wanted[level])
        wanted[level] += 1
        if (sets @ wanted > most).any():
            wanted[level] -= 1
            growing.remove(level)
    return wanted


def _take(
    own: NDArray[np.int64], left: NDArray[np.int64], rest: NDArray[np.int64], sets: NDArray[np.int64], limit: int
) -> list[int]:
    """Take what can be taken of one cell, in its order; `left` is what the levels still want, and shrinks."""
    taken: list[int] = []
    after = np.bincount(own, minlength=len(left))
    for place, level in enumerate(own):
        after[level] -= 1
        left[level] -= 1
        able = rest + np.minimum(sets @ after, limit - len(taken) - 1)
        if len(taken) < limit and left[level] >= 0 and (sets @ left <= able).all():
            taken.append(place)
        else:
            left[level] += 1
    return taken


def shots(manifest: Manifest) -> NDArray[np.object_]:
    """Name what each row shows: the day and the night of one scene, and a child and its parent, share it."""
    names = manifest.frame()[["scene", "parent", "image_id"]]
    return np.asarray(names["scene"].fillna(names["parent"]).fillna(names["image_id"]), dtype=object)
