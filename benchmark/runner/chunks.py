"""The pictures of every identity, cut into chunks of K, and whose chunk comes when: the parts of an identity sampler.

Everything is drawn by `keyed`, from (seed, row of the pool, scope): one more identity changes no other one's chunks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from benchmark import keyed

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Members:
    """The pictures that chunks are cut from, sorted by identity."""

    rows: Ints  # positions in the pool
    person: Ints  # number of each row's identity, 0 ... n - 1; every number occurs
    camera: Ints

    @property
    def sizes(self) -> Ints:
        """Count the pictures of every identity."""
        return np.bincount(self.person)


def shuffled(members: Members, often: Ints, instances: int, seed: int, scope: str) -> Ints:
    """Shuffle the pictures of every identity and cut them into so many chunks; who has too few begins again.

    Gives rows of the pool, one line a chunk, identity after identity. BoT draws all K with replacement from an identity
    that has fewer; here each of its pictures comes before one comes twice.
    """
    order = np.lexsort((keyed.bits(seed, members.rows, scope), members.person))
    sizes = members.sizes
    starts, owner = np.cumsum(sizes) - sizes, np.repeat(np.arange(len(often)), often)
    slots = _places(owner)[:, None] * instances + np.arange(instances)
    return members.rows[order[starts[owner][:, None] + slots % sizes[owner][:, None]]]


def spread(members: Members, often: Ints, instances: int, seed: int, scope: str) -> Ints:
    """Fill every chunk from as many cameras as there are, of each the pictures that were shown least."""
    starts = np.cumsum(often) - often
    result = np.empty((int(often.sum()), instances), dtype=np.int64)
    shown = np.zeros_like(members.rows)
    for turn in range(int(often.max())):
        open_ = np.flatnonzero(often[members.person] > turn)
        person, camera, bits = (
            members.person[open_],
            members.camera[open_],
            keyed.bits(seed, members.rows[open_], f"{scope} {turn}"),
        )
        order = np.lexsort((bits, shown[open_], camera, person))
        round_ = np.empty_like(open_)  # a camera's first picture, its second, ...
        round_[order] = _places(person[order] * 2**32 + camera[order] + 1)
        order = np.lexsort((bits, shown[open_], round_, person))
        people, first, sizes = np.unique(person[order], return_index=True, return_counts=True)
        chosen = open_[order[first[:, None] + np.arange(instances) % sizes[:, None]]]
        result[starts[people] + turn] = members.rows[chosen]
        np.add.at(shown, chosen, 1)
    return result


def turns(often: Ints, identities: int, seed: int, scope: str) -> Iterator[tuple[Ints, Ints]]:
    """Draw P identities that have a chunk left, until fewer than P have; with each goes the number of its chunk."""
    done, waiting = np.zeros_like(often), np.arange(len(often))
    for step in count():
        if len(waiting) < identities:
            return
        bits = keyed.bits(seed, waiting, f"{scope} {step}")
        # The P smallest, then in order: to sort all of them takes ten times as long.
        smallest = np.argpartition(bits, identities - 1)[:identities]
        people = waiting[smallest[np.argsort(bits[smallest])]]
        yield people, done[people]
        done[people] += 1
        waiting = waiting[done[waiting] < often[waiting]]


def _places(ascending: Ints) -> Ints:
    """Count up within every run of equal values: 0, 1, 2, ..."""
    return np.arange(len(ascending)) - np.searchsorted(ascending, ascending)
