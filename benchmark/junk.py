"""Which gallery rows a query does not see, and which are its positives: by comparing whole numbers.

The pairs of one identity are few and lie in one slice of a sorted gallery, so `matches` finds them without a table of
all pairs; `masks` gives that table for some queries at a time.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.protocol import Junk

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

NOBODY = -1  # a distractor, an unknown place, a row without a hash: equals nothing, not even its like
_WIDE = 2**16  # more than any place


class Codes(NamedTuple):
    """What the rules compare, a number a row; queries and gallery share the numbers."""

    identity: Ints
    place: Ints
    image: Ints
    content: Ints  # equal where the files are, byte for byte

    def part(self, start: int, stop: int) -> "Codes":
        """Give some rows."""
        return Codes(*(column[start:stop] for column in self))


class Matches(NamedTuple):
    """All pairs of one identity, query after query; a query's pairs stand in the order of the gallery."""

    starts: Ints  # (queries + 1): query i has the pairs from starts[i] up to starts[i + 1]
    gallery: Ints
    hidden: Mask  # the query does not see this row; the others are its positives

    def positives(self) -> Ints:
        """Count the positives of every query."""
        seen = np.concatenate([[0], np.cumsum(~self.hidden)])
        return np.asarray(seen[self.starts[1:]] - seen[self.starts[:-1]])


def codes(query: Manifest, gallery: Manifest) -> tuple[Codes, Codes]:
    """Give the numbers of both lists."""
    tables = [query.table, gallery.table]
    spaces = _numbers(tables, "id_space")
    pids = np.concatenate([table["pid"].to_numpy() for table in tables]).astype(np.int64)
    places = np.concatenate([table["place"].to_numpy() for table in tables]).astype(np.int64)
    columns = Codes(
        identity=np.where(pids > 0, spaces * 2**32 + pids, NOBODY),
        place=np.where(places > 0, places, NOBODY),
        image=_numbers(tables, "image_id"),
        content=_numbers(tables, "sha256"),
    )
    parts = columns.part(0, len(query)), columns.part(len(query), len(pids))
    _refuse_two_labels(*parts, query)
    return parts


def matches(query: Codes, gallery: Codes, rules: Junk) -> Matches:
    """Pair every query with the gallery rows of its identity, and say which of them it does not see."""
    starts, asker, row = _join(query.identity, gallery.identity)
    own = (query.image[asker] == gallery.image[row]) | _equal(query.content[asker], gallery.content[row])
    here, there = query.place[asker], gallery.place[row]
    return Matches(starts, row, own | _same_place(here, there, rules) | _paired(here, there, rules))


def masks(query: Codes, gallery: Codes, rules: Junk) -> tuple[Mask, Mask]:
    """Say for every pair whether the query does not see the row, and whether the row is its positive."""
    one, other = (Codes(*(column[:, None] for column in query)), Codes(*(column[None, :] for column in gallery)))
    same = _equal(one.identity, other.identity)
    own = (one.image == other.image) | (_equal(one.content, other.content) & same)
    hidden = own | (same & _same_place(one.place, other.place, rules)) | _paired(one.place, other.place, rules)
    return hidden, same & ~hidden


def unseen(place: int, gallery: Codes, rules: Junk) -> Mask:
    """Find the rows that no query at a place sees, whoever is on them: what place pairs take from a gallery."""
    return _paired(np.full(1, place), gallery.place, rules)


def twins(query: Codes, gallery: Codes) -> tuple[Ints, Ints]:
    """Find pairs of the same bytes under different identities: a wrong label, or a bystander cut out twice."""
    _, asker, row = _join(query.content, gallery.content)
    other = query.identity[asker] != gallery.identity[row]
    return asker[other], row[other]


def require_positives(query: Codes, gallery: Codes, rules: Junk, where: str) -> None:
    """Stop where nothing can be scored, and say why."""
    found = matches(query, gallery, rules)
    if found.positives().any():
        return
    absent = int((np.diff(found.starts) == 0).sum())
    total = len(query.identity)
    raise UserError(
        f"{where}: no query has a positive in the gallery: of {total} queries, {absent} have an "
        f"identity that is absent from the gallery, {total - absent} one that is there only where they do not see it "
        f"({rules.words})"
    )


def _refuse_two_labels(query: Codes, gallery: Codes, images: Manifest) -> None:
    """Refuse lists that come from different tables and do not agree who is on a picture."""
    _, asker, row = _join(query.image, gallery.image)
    wrong = asker[query.identity[asker] != gallery.identity[row]]
    if len(wrong):
        image = images.table["image_id"][int(wrong[0])].as_py()
        raise UserError(f"lists: {image} has one identity as a query and another in the gallery")


def _numbers(tables: list[pa.Table], name: str) -> Ints:
    """Give every text of a column its number; null is nobody's."""
    texts = pa.chunked_array([part for table in tables for part in table[name].chunks], pa.string())
    codes = texts.combine_chunks().dictionary_encode().indices
    return np.asarray(pc.fill_null(codes, NOBODY).to_numpy(zero_copy_only=False), dtype=np.int64)


def _join(left: Ints, right: Ints) -> tuple[Ints, Ints, Ints]:
    """Pair equal numbers: where each left row's pairs start, then of every pair the left row and the right one."""
    order = np.argsort(right, kind="stable")
    first, last = (np.searchsorted(right[order], left, side=side) for side in ("left", "right"))
    counts = np.where(left == NOBODY, 0, last - first)
    starts = np.concatenate([[0], np.cumsum(counts)])
    owner = np.repeat(np.arange(len(left)), counts)
    return starts, owner, order[np.arange(starts[-1]) - starts[owner] + first[owner]]


def _equal(one: Ints, other: Ints) -> Mask:
    return np.asarray((one == other) & (one != NOBODY))


def _same_place(here: Ints, there: Ints, rules: Junk) -> Mask:
    return np.asarray(_equal(here, there) & rules.same_place)


def _paired(here: Ints, there: Ints, rules: Junk) -> Mask:
    if not rules.place_pairs:
        return np.zeros(np.broadcast_shapes(here.shape, there.shape), dtype=bool)
    pairs = [own * _WIDE + theirs for own, theirs in rules.place_pairs]
    return np.asarray(np.isin(here * _WIDE + there, pairs))
