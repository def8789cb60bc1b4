"""How a trial draws its rows: our own draw, the one of published code, or the set's own list."""

import random

import numpy as np
from numpy.typing import NDArray

from benchmark import keyed
from benchmark.console import count
from benchmark.errors import UserError
from benchmark.filters import holding
from benchmark.manifest import Manifest
from benchmark.protocol import TRIAL, Trials

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


def draw(rows: Manifest, trials: Trials, number: int, where: str) -> Mask:
    """Say which rows trial `number` draws. Distractors are nobody's, so they are never left out."""
    kept = np.ones(len(rows), dtype=bool)
    people = np.flatnonzero(rows.identities() >= 0)
    if trials.sampler == "all" or not len(people):
        return kept
    known = rows.select(people)
    cells = _cells(known, trials)
    if trials.sampler == "keyed":
        drawn = _keyed(known, cells, trials, number)
    elif trials.sampler == "pyrandom":
        drawn = _pyrandom(cells, number)
    else:
        drawn = _official(known, cells, trials, number, where)
    kept[people] = drawn
    return kept


def _cells(rows: Manifest, trials: Trials) -> Ints:
    """Give every row's cell: identities in the order of (id_space, pid), in each of them cameras, ascending."""
    people = rows.identities()
    cameras = rows.column("camid").astype(np.int64) if trials.per == "identity-camera" else np.zeros_like(people)
    numbers: Ints = np.unique(people * 2**16 + cameras, return_inverse=True)[1]
    return numbers


def _keyed(rows: Manifest, cells: Ints, trials: Trials, number: int) -> Mask:
    """Shuffle every cell by itself and take the first: one more row or identity disturbs no other cell."""
    images = keyed.keys([str(image) for image in rows.column("image_id")])
    order = np.lexsort((keyed.bits(trials.seed, images, f"{trials.role} of trial {number}"), cells))
    starts = np.searchsorted(cells[order], cells[order])
    drawn = np.zeros(len(cells), dtype=bool)
    drawn[order[np.arange(len(order)) - starts < trials.shots]] = True
    return drawn


def _pyrandom(cells: Ints, number: int) -> Mask:
    """Draw as the code of SYSU-MM01 and LLCM does: `random.seed(trial)`, then one `random.choice` a cell, in order."""
    # Our own draws are keyed; this one must give the very rows that published numbers were made with. Within a cell the
    # rows are sorted by path, as a manifest is.
    generator = random.Random(number)
    order = np.argsort(cells, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(cells[order])) + 1)
    drawn = np.zeros(len(cells), dtype=bool)
    drawn[[generator.choice(part) for part in parts if len(part)]] = True
    return drawn


def _official(rows: Manifest, cells: Ints, trials: Trials, number: int, where: str) -> Mask:
    """Take the set's own list, and check that it holds what the protocol says it holds."""
    word = trials.official.replace(TRIAL, str(number))
    drawn = holding(rows, "subsets", [word], where)
    if not drawn.any():
        raise UserError(
            f"{where} no row is in the official list {word!r}; a reader puts the set's own lists into 'subsets'"
        )
    wanted = np.minimum(np.bincount(cells), trials.shots)
    found = np.bincount(cells, weights=drawn, minlength=len(wanted)).astype(np.int64)
    wrong = np.flatnonzero(found != wanted)
    if len(wrong):
        row = rows.table.slice(int(np.flatnonzero(cells == wrong[0])[0]), 1).to_pylist()[0]
        raise UserError(
            f"{where} the official list {word!r} holds {count(int(found[wrong[0]]), 'row')} of identity "
            f"{row['id_space']}/{row['pid']}, camera {row['camid']}, must hold {wanted[wrong[0]]}"
        )
    return drawn
