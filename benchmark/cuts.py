"""Cuts: which queries and which of their positives a cell of a table is about; the negatives always stay.

Tables are those of `lists/1`, of one role and in the order of the ranking, with any further column to cut by.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark import by_column, durable, metrics
from benchmark.by_column import MOST_LEVELS
from benchmark.errors import UserError
from benchmark.metrics import Ints, Longs
from benchmark.strata import Scheme, Strata

Kind = Literal["all", "query", "pos", "pair_pos"]
Codes = NDArray[np.int16]

MOST_CAMERAS = 24  # by default: the cells are their square

_DEFAULTS: tuple[tuple[str, Kind], ...] = (
    ("night600-light", "query"),
    ("night600-scale", "query"),
    ("night600-light+night600-scale", "query"),
    ("stops-5", "query"),
    ("night600-light", "pair_pos"),
    ("stops-5", "pair_pos"),
    ("camid", "pair_pos"),
    ("exposure", "query"),
)


class Ranks(Protocol):
    """What a cut needs of a `Ranking`; the columns of queries/1 hold it too."""

    @property
    def starts(self) -> Ints:
        """Say where every query's positives begin."""

    @property
    def ranks(self) -> Ints:
        """Give the rank of every positive."""

    @property
    def rows(self) -> Ints:
        """Give the gallery position of every positive."""

    @property
    def seen(self) -> Ints:
        """Count the gallery rows that a query sees."""


@dataclass(frozen=True, eq=False)
class Cut:
    """Levels of the queries, of their positives, or of both; a side that is not cut has no levels."""

    kind: Kind
    scheme_id: str
    scheme_sha256: str
    q_levels: tuple[str, ...]
    q_codes: Codes  # a position in q_levels for every query, -1: in none
    g_levels: tuple[str, ...]
    g_codes: Codes  # a position in g_levels for every gallery row, -1: in none
    schemes: tuple[Scheme, ...] = ()
    notes: tuple[str, ...] = ()  # what is in no level, and what could not be cut as asked


def everything() -> Cut:
    """Give the cut into one cell: all queries, all positives."""
    none = np.zeros(0, dtype=np.int16)
    return Cut("all", "all", durable.sha256("all"), (), none, (), none)


def parse(text: str, query: pa.Table, gallery: pa.Table, kind: Kind = "query") -> Cut:
    """Cut by a scheme or by a column, with edges or without, or by two at once: `stops-5`, `size:64,128+camid`."""
    schemes = _schemes(text, [query] * (kind != "pos") + [gallery] * (kind != "query"))
    made = _possible(text, schemes, query, gallery, kind)
    q_levels, q_codes, q_notes = _side(text, schemes, query, "query", "queries", made != "pos")
    g_levels, g_codes, g_notes = _side(text, schemes, gallery, "gallery row", "gallery rows", made != "query")
    notes = [*q_notes, *g_notes]
    if made != kind:
        lacking, cut = ("query", "positives") if made == "pos" else ("gallery row", "queries")
        notes.insert(0, f"{text}: no {lacking} is a visible picture, so only the {cut} are cut")
    hashes = [scheme.sha256 for scheme in schemes]
    sha256 = hashes[0] if len(hashes) == 1 else durable.sha256(durable.canonical(hashes))
    name = "+".join(scheme.id for scheme in schemes)
    return Cut(made, name, sha256, q_levels, q_codes, g_levels, g_codes, schemes, tuple(notes))


def standard(query: pa.Table, gallery: pa.Table) -> tuple[list[Cut], list[str]]:
    """Give the cuts that every evaluation has, `everything` first, and say what was left out and why."""
    made, notes = {("all", "all"): everything()}, list[str]()
    done: set[str] = set()
    for text, kind in _DEFAULTS:
        if ("+" in text and not done.issuperset(text.split("+"))) or (text == "exposure" and _empty(query, text)):
            continue
        try:
            cut = parse(text, query, gallery, kind)
        except UserError as error:
            notes.append(str(error))
            continue
        notes += cut.notes
        if reason := idle(cut) or _too_many(cut):
            notes.append(reason)
        else:
            made.setdefault((cut.kind, cut.scheme_id), cut)
            done.add(text)
    return list(made.values()), list(dict.fromkeys(notes))


def idle(cut: Cut) -> str:
    """Say that a cut has one occupied cell, which is not published; empty where it divides something."""
    sides = [(cut.q_levels, cut.q_codes), (cut.g_levels, cut.g_codes)]
    found = [levels[code] for levels, codes in sides if levels for code in np.unique(codes[codes >= 0])]
    if len(found) > sum(bool(levels) for levels, _ in sides) or cut.kind == "all":
        return ""
    words = "one occupied level" if cut.kind != "pair_pos" else "one occupied pair of levels"
    return f"{_name(cut)} has {words}, {' -> '.join(found)}: it divides nothing here"


def cells(cut: Cut) -> Iterator[tuple[int, int]]:
    """Give the cells (q, g) in the order of their levels; 0 for a side that is not cut."""
    return product(range(max(1, len(cut.q_levels))), range(max(1, len(cut.g_levels))))


def order(cut: Cut, q: int, g: int) -> int:
    """Give the position of a cell among those of its cut: `stratum_order`."""
    return q * max(1, len(cut.g_levels)) + g


def names(cut: Cut, q: int, g: int) -> tuple[str | None, str | None]:
    """Give the level of the queries and that of the positives: `q_stratum`, `g_stratum`; None for a side not cut."""
    return cut.q_levels[q] if cut.q_levels else None, cut.g_levels[g] if cut.g_levels else None


def label(cut: Cut, q: int, g: int) -> str:
    """Name a cell in one line: `all`, `Low`, `-> Low`, `Low -> High`."""
    asked, found = names(cut, q, g)
    if found is None:
        return asked or "all"
    return f"{asked} -> {found}" if asked else f"-> {found}"


def members(cut: Cut, ranking: Ranks, q: int = 0, g: int = 0) -> tuple[Longs, Longs, Longs, Longs]:
    """Give the queries of a cell that have a positive in it, then starts, ranks and seen of these queries alone."""
    queries = np.flatnonzero(cut.q_codes == q) if cut.q_levels else np.arange(len(ranking.seen))
    starts, places = metrics.pick(ranking.starts, queries)
    ranks, seen = ranking.ranks[places].astype(np.int64), ranking.seen[queries].astype(np.int64)
    if cut.g_levels:
        kept = cut.g_codes[ranking.rows[places]] == g
        starts, ranks, seen = metrics.restrict(starts, ranks, seen, kept)
    valid = np.diff(starts) > 0
    return queries[valid], np.concatenate([starts[:1], starts[1:][valid]]), ranks, seen[valid]


def _schemes(text: str, tables: Sequence[pa.Table]) -> tuple[Scheme, ...]:
    parts = [part.strip() for part in text.split("+")]
    if len(parts) > 2 or len(set(parts)) < len(parts):
        raise UserError(f"{text}: cuts by one scheme or column, or by two different ones joined by +")
    return tuple(by_column.scheme(part, tables) for part in parts)


def _possible(text: str, schemes: Sequence[Scheme], query: pa.Table, gallery: pa.Table, kind: Kind) -> Kind:
    """Find how light can be cut: on the sides that have a visible picture."""
    if not any(scheme.light for scheme in schemes):
        return kind
    asked, found = (bool(by_column.visible(table).any()) for table in (query, gallery))
    if kind == "query":
        kinds: dict[bool, Kind] = {asked: "query", found and not asked: "pos"}
    elif kind == "pos":
        kinds = {found: "pos"}
    else:
        kinds = {asked and found: "pair_pos", asked and not found: "query", found and not asked: "pos"}
    if True not in kinds:
        where = "no gallery row is" if kind == "pos" else "neither a query nor a gallery row is"
        raise UserError(f"{text}: {where} a visible picture, and light is read from no other")
    return kinds[True]


def _side(
    text: str, schemes: Sequence[Scheme], table: pa.Table, one: str, many: str, wanted: bool
) -> tuple[tuple[str, ...], Codes, list[str]]:
    """Find the level of every row of a side; the levels of two schemes are all their pairs."""
    if not wanted:
        return (), np.zeros(0, dtype=np.int16), []
    found = [by_column.divided(scheme, table) for scheme in schemes]
    for scheme, part in zip(schemes, found, strict=True):
        if not part.occupied:
            where = " in visible light" if scheme.light else ""
            raise UserError(f"{text}: no {one} has {scheme.measure!r}{where}")
    levels, codes = found[0].levels, found[0].codes
    for part in found[1:]:
        levels, codes = _paired(text, levels, codes, part)
    outside = int((codes < 0).sum())
    if outside == len(codes):
        raise UserError(f"{text}: no {one} is in a level of both")
    return levels, codes, [f"{text}: {outside:,} of {len(codes):,} {many} are in no level"] if outside else []


def _paired(text: str, levels: tuple[str, ...], codes: Codes, other: Strata) -> tuple[tuple[str, ...], Codes]:
    count = len(levels) * len(other.levels)
    if count > MOST_LEVELS:
        raise UserError(f"{text}: {count:,} pairs of levels, at most {MOST_LEVELS} are allowed; give edges")
    both = (codes >= 0) & (other.codes >= 0)
    paired = np.where(both, codes * len(other.levels) + other.codes, -1).astype(np.int16)
    return tuple(f"{one}, {more}" for one in levels for more in other.levels), paired


def _empty(table: pa.Table, name: str) -> bool:
    return name not in table.column_names or table[name].null_count == len(table)


def _too_many(cut: Cut) -> str:
    sides = [len(cut.q_levels), len(cut.g_levels)]
    if cut.kind != "pair_pos" or max(sides) <= MOST_CAMERAS:
        return ""
    return f"{_name(cut)}: {sides[0]} x {sides[1]} levels are too many for a table; ask for it by name"


def _name(cut: Cut) -> str:
    return "+".join(scheme.name for scheme in cut.schemes)
