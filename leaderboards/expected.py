"""What lists and rules decide before anything is ranked: what each query sees, and which rows it is to find.

Runs of one group share all of it, so it is made once for all of them. The trials of a protocol stand one after the
other: a query of the third trial is a row like any other, and a pair never crosses trials.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.errors import UserError
from benchmark.protocol import Junk
from leaderboards.slices import Ints, Slices

Mask = NDArray[np.bool_]

_WIDE = 2**16  # more than any place


class Rules(NamedTuple):
    """What a run record says of its protocol, as far as numbers follow from it."""

    junk: Junk
    cmc: str
    invalid: str
    depth: int | None  # so many rows of each ranking are known; None: all

    @property
    def dedup(self) -> bool:
        """Say whether R5 and R10 count identities."""
        return self.cmc == "dedup"


class Side:
    """The queries of all trials, or their galleries: one row after the other, and where each trial begins."""

    def __init__(self, table: pa.Table, trials: list[int], role: str) -> None:
        """Take the rows of a role out of `lists/1`, sorted by trial and position."""
        self.table = table.filter(pc.equal(table["role"], role)).combine_chunks()
        numbers = self.table["trial"].to_numpy()
        self.starts = np.searchsorted(numbers, [*trials, trials[-1] + 1])
        self.trial = np.repeat(np.arange(len(trials)), np.diff(self.starts))
        positions = np.arange(len(self.table)) - self.starts[self.trial]
        wrong = np.flatnonzero(self.table["position"].to_numpy() != positions)
        if len(wrong):
            where = f"the positions of the {role} rows of trial {numbers[wrong[0]]}"
            raise UserError(f"lists: {where} do not count from 0 without a gap")

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.table)

    def numbers(self, name: str) -> Ints:
        """Give a column of whole numbers."""
        return np.asarray(self.table[name].to_numpy(), dtype=np.int64)


class Listed:
    """The lists of some runs."""

    def __init__(self, lists: pa.Table) -> None:
        """Put the rows in order; lists that cannot be those of an evaluation are refused."""
        place = lists.column_names.index("trial")
        lists = lists.set_column(place, "trial", pc.fill_null(lists["trial"], 0))
        lists = lists.sort_by([("trial", "ascending"), ("position", "ascending")])
        self.trials: list[int] = sorted(pc.unique(lists["trial"]).to_pylist())
        if not self.trials:
            raise UserError("lists: hold no row")
        self.query, self.gallery = (Side(lists, self.trials, role) for role in ("query", "gallery"))
        if not (len(self.query) and len(self.gallery)):
            raise UserError("lists: hold no query, or no gallery row")
        self.asked, self.people = self._queries()

    def _queries(self) -> tuple[Ints, Ints]:
        """Give of every row the query that it asks, which several trials may ask, and of every query its identity."""
        names = self.query.table["image_id"].combine_chunks().dictionary_encode().indices
        asked = np.asarray(names.to_numpy(zero_copy_only=False), dtype=np.int64)
        first = np.unique(asked, return_index=True)[1]
        people = _codes([self.query.table], "id_space")[0] * 2**32 + self.query.numbers("pid")
        return asked, np.unique(people[first], return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Every query with every gallery row of its identity, query after query, in the order of the gallery."""

    starts: Ints  # a query: where its pairs begin
    asker: Ints
    row: Ints
    within: Ints  # a gallery row: its place among the rows of its identity
    shown: Mask  # a pair: the row is a positive of the query


class Expected:
    """What the rules of a protocol make of lists."""

    def __init__(self, listed: Listed, rules: Rules) -> None:
        """Count for every query what it sees and what it must find."""
        self.listed, self.rules = listed, rules
        query, gallery = listed.query, listed.gallery
        self.person = _identities(query, gallery)
        starts, asker, row, within = _paired(*self.person)
        hidden, elsewhere = self._hidden(asker, row)
        self.pairs = Pairs(starts, asker, row, within, ~hidden)
        total = np.diff(gallery.starts)[query.trial]
        taken = np.bincount(asker, hidden & ~elsewhere, len(query)).astype(np.int64)
        self.junk = taken + self._unseen()
        self.seen = total - self.junk
        self.positives = np.bincount(asker, ~hidden, len(query)).astype(np.int64)
        self.valid = self.positives > 0
        self.slices = Slices(self.positives[self.valid])
        self.owner = np.repeat(np.arange(len(query)), self.positives)
        self.whose, self.first = self.person[0][self.owner], starts[self.owner]  # of a positive: person, first pair

    def _hidden(self, asker: Ints, row: Ints) -> tuple[Mask, Mask]:
        """Say which pairs a query does not see, and which of them it does not see whoever is on the picture."""
        query, gallery = self.listed.query, self.listed.gallery
        own = np.zeros(len(asker), dtype=bool)
        for name in ("image_id", "sha256"):
            one, other = _codes([query.table, gallery.table], name)
            own |= one[asker] == other[row]
        here, there = query.numbers("place")[asker], gallery.numbers("place")[row]
        if self.rules.junk.same_place:
            own |= (here == there) & (here > 0)
        pairs = [one * _WIDE + other for one, other in self.rules.junk.place_pairs]
        elsewhere = np.isin(here * _WIDE + there, pairs)
        return own | elsewhere, elsewhere

    def _unseen(self) -> Ints:
        """Count the rows of a gallery that lie at a place which the query's does not see."""
        query, gallery = self.listed.query, self.listed.gallery
        standing = np.zeros((len(self.listed.trials), _WIDE), dtype=np.int64)
        np.add.at(standing, (gallery.trial, np.maximum(gallery.numbers("place"), 0)), 1)
        total = np.zeros(len(query), dtype=np.int64)
        for own, theirs in set(self.rules.junk.place_pairs):
            total += np.where(query.numbers("place") == own, standing[query.trial, theirs], 0)
        return total


def _identities(query: Side, gallery: Side) -> tuple[Ints, Ints]:
    """Give the people of every trial their numbers, over both sides; -1: a distractor, who is nobody's match."""
    spaces = _codes([query.table, gallery.table], "id_space")
    sides = zip((query, gallery), spaces, strict=True)
    keys = [np.stack([side.trial, space, side.numbers("pid")], axis=1) for side, space in sides]
    person = np.unique(np.concatenate(keys), axis=0, return_inverse=True)[1].reshape(-1)
    person[np.concatenate([side.numbers("pid") for side in (query, gallery)]) <= 0] = -1
    return person[: len(query)], person[len(query) :]


def _paired(query: Ints, gallery: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    order = np.argsort(gallery, kind="stable")
    counts = np.bincount(gallery + 1, minlength=max(query.max(initial=-1), gallery.max(initial=-1)) + 2)
    first = np.cumsum(counts) - counts
    within = np.empty(len(gallery), dtype=np.int64)
    within[order] = np.arange(len(gallery)) - first[gallery[order] + 1]
    own = np.where(query < 0, 0, counts[query + 1])
    starts = np.cumsum(own) - own
    asker = np.repeat(np.arange(len(query)), own)
    row = order[np.arange(len(asker)) - starts[asker] + first[query[asker] + 1]]
    return starts, asker, row, within


def _codes(tables: list[pa.Table], name: str) -> list[Ints]:
    """Give every text of a column its number, the same in all tables."""
    texts = pa.chunked_array([part for table in tables for part in table[name].chunks], pa.string())
    numbers = texts.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return np.split(numbers, np.cumsum([len(table) for table in tables])[:-1])
