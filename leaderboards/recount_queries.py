"""The rows of `queries/1` against the lists: the same queries, every positive, ranks that can be, and their scores."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leaderboards.cells import Ranked
from leaderboards.expected import Expected, Mask
from leaderboards.slices import RANKS, SCORED, Floats, Ints

SINGLE = 1e-6  # how far a number in single precision may be off

_PLACES = (("trial", "trial"), ("query_idx", "position"))
_STORED = (("ap", "mAP"), ("ap_trapz", "mAP_trapz"), ("inp", "mINP"))
_OPTIMISTIC = ("ap_opt", "inp_opt", "first_rank_opt")


@dataclass(frozen=True, eq=False)
class Ends:
    """One way in which the ranks that are not known may end, and what each query scores, NaN without positive."""

    ranked: Ranked
    scores: Floats  # (queries, SCORED)

    def of(self, metric: str) -> Floats:
        """Give one score of every query."""
        return np.asarray(self.scores[:, SCORED.index(metric)])


@dataclass(frozen=True, eq=False)
class Scored:
    """What the ranks of a run give."""

    ends: tuple[Ends, ...]  # one; of a truncated list the worst and the best
    first: Ints  # a query: the rank of its first positive; 0: none is known
    identity: Ints  # a query: that rank among identities; 0: not computed
    tied: Mask
    ap_opt: Floats
    first_opt: Floats


def check(table: pa.Table, expected: Expected) -> tuple[list[str], Scored | None]:
    """Give the problems of the rows, and what the ranks give where these can be what was ranked."""
    rows = _ordered(table, expected)
    wrong = list(_strangers(rows, expected)) or list(_counts(rows, expected))
    if wrong:
        return wrong, None
    ranked = _ranked(rows, expected)
    if wrong := list(_positives(rows, ranked, expected)):
        return wrong, None
    scored = _scored(rows, ranked, expected)
    return [
        *_values(rows, scored, expected),
        *_ties(rows, scored, expected),
        *_identities(rows, scored, expected),
    ], scored


def _ordered(rows: pa.Table, expected: Expected) -> pa.Table:
    """Put the rows in the order of the lists, where they are not."""
    if rows["trial"].null_count:
        rows = rows.set_column(rows.column_names.index("trial"), "trial", pc.fill_null(rows["trial"], 0))
    if len(rows) != len(expected.listed.query) or not _listed(rows, expected).all():
        rows = rows.sort_by([("trial", "ascending"), ("query_idx", "ascending")])
    return rows


def _listed(rows: pa.Table, expected: Expected) -> Mask:
    query = expected.listed.query.table
    alike = [rows[one].to_numpy() == query[other].to_numpy() for one, other in _PLACES]
    return np.asarray(np.logical_and(*alike))


def _strangers(rows: pa.Table, expected: Expected) -> Iterator[str]:
    """Say where the rows are not those of the lists' queries."""
    query = expected.listed.query.table
    if len(rows) != len(query):
        yield f"queries: {len(rows):,} rows, but the lists hold {len(query):,} queries"
        return
    yield from _said(~_listed(rows, expected), rows, "query_idx {} has another place in the lists", rows["query_idx"])
    for name in ("image_id", "id_space", "pid", "camid"):
        if not rows[name].equals(query[name]):
            same = pc.fill_null(pc.equal(rows[name], query[name]), False).to_numpy()
            yield from _said(~same, rows, name + " is {}, in the lists {}", rows[name], query[name])


def _counts(rows: pa.Table, expected: Expected) -> Iterator[str]:
    """Say where a query sees other rows, or has another number of positives, than lists and rules give it."""
    known = {"n_pos": expected.positives, "n_junk": expected.junk, "n_gallery_eff": expected.seen}
    for name, wanted in known.items():
        yield from _differing(rows, name, wanted)
    ranks, places = (_column(rows, name) for name in ("pos_ranks", "pos_gidx"))
    lengths, others = _lengths(ranks), _lengths(places)
    yield from _said(lengths != others, rows, "{} pos_ranks, but {} pos_gidx", lengths, others)
    least = expected.positives if expected.rules.depth is None else 0
    wrong = (lengths < least) | (lengths > expected.positives)
    yield from _said(wrong, rows, "{} pos_ranks, but {} positives", lengths, expected.positives)
    if ranks.flatten().null_count or places.flatten().null_count:
        yield "queries: a null in pos_ranks or pos_gidx"


def _ranked(rows: pa.Table, expected: Expected) -> Ranked:
    ranks, places = (_numbers(_column(rows, name).flatten()) for name in ("pos_ranks", "pos_gidx"))
    owner = expected.owner
    if expected.rules.depth is not None:
        owner = np.repeat(np.arange(len(rows)), _lengths(_column(rows, "pos_ranks")))
    places = places.astype(np.int64)  # once, for all that is looked up by it
    if len(expected.listed.trials) > 1:
        places += expected.listed.gallery.starts[expected.listed.query.trial[owner]]
    ahead = ranks - expected.slices.place if expected.rules.depth is None else ranks
    return Ranked(ranks, ahead, places, owner, _numbers(pc.fill_null(_column(rows, "first_rank_id"), 0)))


def _positives(rows: pa.Table, ranked: Ranked, expected: Expected) -> Iterator[str]:
    """Say where positives are not those of the lists, all of them, or ranks are none."""
    owner, whole = ranked.owner, expected.rules.depth is None
    outside = _outside(ranked, expected)
    if outside.any():
        yield from _of_positive(outside, rows, ranked, "stands nowhere in the gallery")
        return
    whose = expected.whose if whole else expected.person[0][owner]
    strange = whose != expected.person[1].take(ranked.rows)
    if strange.any():
        yield from _of_positive(strange, rows, ranked, "is of another identity")
        return
    met = _met(ranked, expected)
    wrong = met != expected.pairs.shown if whole else met & ~expected.pairs.shown
    if wrong.any():
        here = np.bincount(expected.pairs.asker, wrong, len(rows)) > 0
        yield from _said(here, rows, "pos_gidx are not the positives that lists and rules give it")
    elif int(met.sum()) != len(owner):
        yield "queries: a positive stands twice in pos_gidx"
    yield from _rank_order(rows, ranked, expected)


def _met(ranked: Ranked, expected: Expected) -> Mask:
    """Mark the pairs of one identity that have a rank."""
    met = np.zeros(len(expected.pairs.shown), dtype=bool)
    first = expected.first if expected.rules.depth is None else expected.pairs.starts[ranked.owner]
    met[first + expected.pairs.within.take(ranked.rows)] = True
    return met


def _outside(ranked: Ranked, expected: Expected) -> Mask:
    gallery = expected.listed.gallery
    if len(expected.listed.trials) == 1:
        return np.asarray((ranked.rows < 0) | (ranked.rows >= len(gallery)))
    trial = expected.listed.query.trial[ranked.owner]
    return np.asarray((ranked.rows < gallery.starts[trial]) | (ranked.rows >= gallery.starts[trial + 1]))


def _rank_order(rows: pa.Table, ranked: Ranked, expected: Expected) -> Iterator[str]:
    ranks, owner = ranked.ranks, ranked.owner
    falling = np.zeros(len(ranks), dtype=bool)
    falling[1:] = (np.diff(ranks) <= 0) & (owner[1:] == owner[:-1])
    yield from _of_positive(falling, rows, ranked, "is not behind the positive before it")
    yield from _of_positive(ranks < 1, rows, ranked, "has no rank; ranks count from 1")
    most = expected.seen if expected.rules.depth is None else np.minimum(expected.seen, expected.rules.depth)
    yield from _of_positive(ranks > most[owner], rows, ranked, "is behind the end of the ranking")


def _scored(rows: pa.Table, ranked: Ranked, expected: Expected) -> Scored:
    first = np.zeros(len(rows), dtype=np.int64)
    begin = (
        np.flatnonzero(np.diff(ranked.owner, prepend=-1))
        if expected.rules.depth is not None
        else expected.slices.starts
    )
    first[ranked.owner[begin]] = ranked.ranks[begin]
    ends = (ranked,) if expected.rules.depth is None else tuple(_ended(ranked, expected))
    made = tuple(Ends(one, _scores(expected, one)) for one in ends)
    tied = np.nan_to_num(_numbers(rows["n_ties"])) > 0
    best, early = _numbers(rows["ap_opt"]), _numbers(rows["first_rank_opt"])
    ap_opt, first_opt = np.where(tied, best, made[0].of("mAP")), np.where(tied, early, first)
    return Scored(made, first, ranked.identity, tied, ap_opt, first_opt)


def _ended(ranked: Ranked, expected: Expected) -> Iterator[Ranked]:
    """Put the positives whose ranks are not known as far behind as they can stand, then as far in front."""
    found = np.bincount(ranked.owner, minlength=len(expected.seen))
    place = expected.slices.place - 1
    known = place < found[expected.owner]
    rows = np.empty(len(place), dtype=np.int64)
    rows[known], rows[~known] = ranked.rows, expected.pairs.row[expected.pairs.shown & ~_met(ranked, expected)]
    negatives, lost = expected.seen - expected.positives, (found == 0) & expected.valid
    for before, identity in (
        (negatives, expected.seen),
        (np.minimum((expected.rules.depth or 0) - found, negatives), 2),
    ):
        ranks = (before[expected.owner] + expected.slices.place).astype(np.int32)
        ranks[known] = ranked.ranks
        # Whoever stands before a first positive that is behind the end is somebody else: at least one identity.
        ahead = ranks - expected.slices.place
        yield Ranked(ranks, ahead, rows, expected.owner, np.where(lost, identity, ranked.identity))


def _scores(expected: Expected, ranked: Ranked) -> Floats:
    valid = expected.valid
    scores = np.full((len(valid), len(SCORED)), np.nan)
    scores[valid] = expected.slices.scored(ranked.ranks)
    for k in RANKS[1:] if expected.rules.dedup else ():
        scores[valid, SCORED.index(f"R{k}")] = ranked.identity[valid] <= k
    return scores


def _values(rows: pa.Table, scored: Scored, expected: Expected) -> Iterator[str]:
    """Compare what is stored of every query with its ranks."""
    if expected.rules.depth is None:
        yield from _differing(rows, "first_rank", scored.first)
    else:
        found = _numbers(rows["first_rank"])
        lost = (scored.first == 0) & expected.valid
        wrong = np.where(lost, ~np.isnan(found), found != scored.first)
        yield from _said(wrong, rows, "first_rank is {:g}, the first known is {}", found, scored.first)
    nothing = np.full(len(rows), np.nan)
    for name, metric in _STORED:
        found = _numbers(rows[name])
        wanted = nothing if expected.rules.depth is not None else scored.ends[0].of(metric)
        far = ~((np.abs(found - wanted) <= SINGLE) | (np.isnan(found) & np.isnan(wanted)))
        yield from _said(far, rows, name + " is {:.7g}, its ranks give {:.7g}", found, wanted)


def _ties(rows: pa.Table, scored: Scored, expected: Expected) -> Iterator[str]:
    """Say where the ranks that take ties in the query's favour cannot be; which positive is tied is not stored."""
    count, tied = np.nan_to_num(_numbers(rows["n_ties"])), scored.tied
    yield from _said((count < 0) | (count > expected.positives), rows, "n_ties is {:g}", count)
    best = {name: _numbers(rows[name]) for name in _OPTIMISTIC}
    for name, found in best.items():
        yield from _said(np.isnan(found) == tied, rows, name + " belongs where n_ties is above 0, and only there")
    if not tied.any():
        return
    early = best["first_rank_opt"]
    good = (early >= 1) & (early <= scored.first)
    for name, metric in (("ap_opt", "mAP"), ("inp_opt", "mINP")):
        good &= (best[name] >= scored.ends[0].of(metric) - SINGLE) & (best[name] <= 1 + SINGLE)
    yield from _said(tied & ~good, rows, "its optimistic values do not lie between its own and the best there are")


def _identities(rows: pa.Table, scored: Scored, expected: Expected) -> Iterator[str]:
    """Say where the rank among identities cannot be: behind that among images, first where that is not, or absent."""
    rank, first = scored.identity, scored.first
    wrong = (rank != 0) & ((rank < 1) | (rank > first) | ((rank == 1) != (first == 1)))
    if expected.rules.dedup:
        wrong |= (rank == 0) & (first > 0)
    yield from _said(wrong, rows, "first_rank_id is {}, first_rank {}", rank, first)


def _of_positive(wrong: Mask, rows: pa.Table, ranked: Ranked, what: str) -> Iterator[str]:
    if wrong.any():
        first, more = int(np.argmax(wrong)), int(wrong.sum()) - 1
        image = rows["image_id"][int(ranked.owner[first])]
        yield f"queries: {image}: the positive at rank {ranked.ranks[first]} {what}{_more(more)}"


def _differing(rows: pa.Table, name: str, wanted: Ints) -> Iterator[str]:
    found = _numbers(rows[name])
    yield from _said(found != wanted, rows, name + " is {:g}, must be {}", found, wanted)


def _said(wrong: NDArray[np.bool_], rows: pa.Table, what: str, *values: Sequence[Any] | NDArray[Any]) -> Iterator[str]:
    """Name the first query of which something is wrong, and count the others."""
    if wrong.any():
        first, more = int(np.argmax(wrong)), int(wrong.sum()) - 1
        said = what.format(*(of[first] for of in values))
        yield f"queries: {rows['image_id'][first]}: {said}{_more(more)}"


def _more(count: int) -> str:
    return f" (and {count:,} more)" if count else ""


def _column(rows: pa.Table, name: str) -> pa.Array:
    column = rows[name]
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _numbers(column: pa.Array | pa.ChunkedArray) -> NDArray[Any]:
    """Give a column of numbers; NaN for null."""
    return np.asarray(column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy())


def _lengths(column: pa.Array) -> Ints:
    return np.asarray(np.diff(column.offsets.to_numpy()))
