"""The rows of `strata/1` against the ranks: every value, its support and its spread; no row too few or too many.

Runs of one group have nearly always the same rows but for the values. So the rows are taken apart once; the next run's
are compared with them as a whole, and only its numbers are looked at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark import cuts
from leaderboards import cells, light
from leaderboards.cells import CHANCE, Cells, Means, Support
from leaderboards.expected import Expected
from leaderboards.light import Key, Slope, Within
from leaderboards.recount_queries import Scored
from leaderboards.slices import Floats, Ints

EXACT = 1e-9  # how far a number in double precision may be off
METHODS = ("percentile", "BCa")

_NAMED = ("cut", "scheme_id", "q_stratum", "g_stratum", "metric")
_SUPPORT = ("stratum_order", "n_query", "n_id", "n_pos_pairs", "low_support")
_FIXED = ("trial", *_NAMED, "scheme_sha256", *_SUPPORT, "n_gallery")
_INTERVAL = ("se", "ci_lo", "ci_hi", "ci_B", "ci_seed")
_ICC: Key = ("all", "all", None, None, "icc")
_UNTOLD = ("R1_single", "R5_single", "R10_single")  # of one drawn image an identity, which needs the scores

_FIRSTS = ("R1", "R5", "R10")

Row = dict[str, Any]


class Line(NamedTuple):
    """What must stand in a row beside its value."""

    key: Key
    scheme_sha256: str
    support: Support


@dataclass(frozen=True, eq=False)
class Layout:
    """Rows as they stood in some run, and where the value of each stands among all that ranks give."""

    rows: pa.Table
    parts: tuple[Cells, ...]
    lines: list[Line]
    places: dict[Key, int]
    place: Ints  # of a row; -1: it cannot be computed
    absent: list[int]  # places that have no row
    problems: tuple[str, ...]
    notes: tuple[str, ...]


class Checked(NamedTuple):
    """What is wrong with the rows of a run, and what its ranks give."""

    problems: list[str]
    layout: Layout
    wanted: Floats  # a line of the layout: its value
    whole: Means


class Strata:
    """All cuts of one group, made as its runs come to need them."""

    def __init__(self, expected: Expected) -> None:
        """Make what every run has: the whole, and what light does."""
        self.expected = expected
        self.whole = Cells(expected, cuts.everything())
        self.slope, self.within = Slope(expected), Within(expected, self.whole.support[0].n_pos_pairs or 0)
        sizes = np.diff(expected.listed.gallery.starts)
        self.gallery = round(float(np.mean(sizes)))
        self._cells = dict[tuple[str, str, frozenset[str]], Cells | str]()
        made, _ = cuts.standard(expected.listed.query.table, expected.listed.gallery.table)
        self.standard = [(one.kind, one.scheme_id) for one in made[1:] if len(Cells(expected, one))]
        self._layouts = list[Layout]()

    def layout(self, rows: pa.Table) -> Layout:
        """Take the rows of a run apart, or find that they are those of another run."""
        for known in self._layouts:
            if known.rows.equals(rows):
                return known
        made = _layout(self, rows)
        self._layouts = [made, *self._layouts[:7]]
        return made

    def cut(self, kind: str, scheme_id: str, levels: frozenset[str]) -> Cells | str:
        """Make a cut, once; or say why it cannot be made."""
        key = (kind, scheme_id, levels)
        if key not in self._cells:
            self._cells[key] = cells.cut(self.expected, kind, scheme_id, levels) if kind != "all" else self.whole
        return self._cells[key]


def check(table: pa.Table, strata: Strata, scored: Scored) -> Checked:
    """Hold the rows of a run against its ranks."""
    worst = pc.equal(table["cut"], "worst")
    rest = table.select((*_FIXED, "value", "sd_trials")).filter(pc.invert(worst))
    layout = strata.layout(rest.select(_FIXED))
    means = [_means(part, scored) for part in layout.parts]
    whole = strata.expected.rules.depth is None
    ap = light.averaged(strata.expected, scored.ends[0].of("mAP")) if whole else None
    wanted, spread = _wanted(strata, layout, means, ap)
    problems = [*layout.problems, *_values(rest, layout, wanted, spread), *_intervals(table)]
    problems += _worst(
        table.select((*_FIXED, "value")).filter(worst), layout, means, bool(len(table) - table["ci_B"].null_count)
    )
    return Checked(problems, layout, wanted, means[0])


def _means(part: Cells, scored: Scored) -> Means:
    """Score a cut; of a truncated list, what comes out the same however the unknown ranks end, NaN for the rest."""
    found = [part.scored(one.scores, one.ranked) for one in scored.ends]
    if len(found) == 1:
        return found[0]
    values, spreads = (
        {name: np.where(np.abs(one[name] - other[name]) <= EXACT, one[name], np.nan) for name in one}
        for one, other in zip(*found, strict=True)
    )
    return Means(values, spreads)


def _layout(strata: Strata, rows: pa.Table) -> Layout:
    found, notes, problems = rows.to_pylist(), list[str](), list[str]()
    parts, unknown = _parts(strata, found, notes)
    there = {(row["cut"], row["scheme_id"]) for row in found}
    by_query = strata.expected.rules.depth is not None  # a truncated list has no cuts by positives
    problems += [
        f"strata: there are no rows by {scheme} ({kind}), which every evaluation of these lists gives"
        for kind, scheme in strata.standard
        if (kind, scheme) not in there and (kind == "query" or not by_query)
    ]
    lines = _lines(strata, parts)
    places = {line.key: place for place, line in enumerate(lines)}
    place, met = list[int](), set[int]()
    for row in found:
        key = (row["cut"], row["scheme_id"], row["q_stratum"], row["g_stratum"], row["metric"])
        here = places.get(key, -1)
        if row["trial"] is not None or key[:2] in unknown or (here < 0 and row["metric"] in _UNTOLD):
            notes.append(f"strata: {row['metric']} of {row['scheme_id']} cannot be computed from ranks and lists")
            here = -1
        elif here < 0:
            problems.append(f"strata: {_words(key)}: nothing in the lists gives such a row")
        elif here in met:
            problems.append(f"strata: {_words(key)}: stands there twice")
        else:
            met.add(here)
            problems += _support(row, lines[here], strata.gallery)
        place.append(here)
    # Of a truncated list, what is known may have no row.
    least = (*_FIRSTS, *CHANCE) if strata.expected.rules.depth is not None else ()
    absent = [one for one, line in enumerate(lines) if one not in met and line.key[-1] not in least]
    whole = np.array(place, dtype=np.int64)
    return Layout(rows, parts, lines, places, whole, absent, tuple(problems), tuple(dict.fromkeys(notes)))


def _parts(strata: Strata, rows: Sequence[Row], notes: list[str]) -> tuple[tuple[Cells, ...], set[tuple[str, str]]]:
    """Make the cuts that the rows are of; the whole comes first, whether there are rows of it or not."""
    levels = dict[tuple[str, str], set[str]]()
    for row in rows:
        if row["cut"] in ("query", "pos", "pair_pos"):
            names = (row["q_stratum"], row["g_stratum"])
            levels.setdefault((row["cut"], row["scheme_id"]), set()).update(name for name in names if name)
    made = {key: strata.cut(*key, frozenset(names)) for key, names in levels.items()}
    known = [one for one in made.values() if isinstance(one, Cells)]
    unknown = {key: one for key, one in made.items() if isinstance(one, str)}
    notes += [f"strata: the cut by {key[1]} ({key[0]}) cannot be made: {reason}" for key, reason in unknown.items()]
    return (strata.whole, *known), set(unknown)


def _lines(strata: Strata, parts: Sequence[Cells]) -> list[Line]:
    """Say which rows there must be, in the order of `_wanted`."""
    made = []
    for part in parts:
        kind, scheme = part.cut.kind, part.cut.scheme_id
        for metric in part.metrics:
            made += [
                Line((kind, scheme, one.q_stratum, one.g_stratum, metric), part.cut.scheme_sha256, one)
                for one in part.support
            ]
    if strata.expected.rules.depth is not None:
        return made
    for lines in (strata.slope, strata.within):
        made += [Line(key, lines.sha256, one) for key, one in zip(lines.keys, lines.support, strict=True)]
    return [*made, Line(_ICC, strata.whole.cut.scheme_sha256, strata.whole.support[0])]


def _wanted(strata: Strata, layout: Layout, means: Sequence[Means], ap: Floats | None) -> tuple[Floats, Floats]:
    """Give the value of every line and its spread over trials, NaN where there is none."""
    values = [of.values[metric] for part, of in zip(layout.parts, means, strict=True) for metric in part.metrics]
    spreads = [
        of.spreads.get(metric, np.full(len(part), np.nan))
        for part, of in zip(layout.parts, means, strict=True)
        for metric in part.metrics
    ]
    if ap is None:
        return np.concatenate(values), np.concatenate(spreads)
    single = [*strata.slope.values(ap), *strata.within.values(ap), light.icc(ap, strata.expected.listed.people)]
    return np.concatenate([*values, single]), np.concatenate([*spreads, np.full(len(single), np.nan)])


def _values(rows: pa.Table, layout: Layout, wanted: Floats, spread: Floats) -> Iterator[str]:
    known = np.flatnonzero(layout.place >= 0)
    place = layout.place[known]
    for name, given in (("value", wanted[place]), ("sd_trials", spread[place])):
        found = rows[name].to_numpy()[known]
        close = (np.abs(found - given) <= EXACT) | (np.isnan(found) & np.isnan(given))
        for one in np.flatnonzero(~close).tolist():
            key = layout.lines[place[one]].key
            yield f"strata: {_words(key)}: {name} is {found[one]:.12g}, the ranks give {given[one]:.12g}"
    for one in layout.absent:
        if not np.isnan(wanted[one]):
            yield f"strata: {_words(layout.lines[one].key)}: has no row"


def _support(row: Row, line: Line, gallery: int) -> Iterator[str]:
    wanted = dict(zip(_SUPPORT, line.support[2:], strict=True))
    for name, value in {**wanted, "n_gallery": gallery, "scheme_sha256": line.scheme_sha256}.items():
        if row[name] != value:
            yield f"strata: {_words(line.key)}: {name} is {row[name]}, must be {value}"


def _intervals(table: pa.Table) -> Iterator[str]:
    """Say where an interval stands that may not, or half of one."""
    given = {name: ~np.isnan(table[name].to_numpy().astype(np.float64)) for name in _INTERVAL}
    given["ci_method"] = ~np.asarray(table["ci_method"].is_null().to_numpy())
    whole = given["ci_lo"]
    for name, there in given.items():
        yield from _said(there != whole, table, f"{name} belongs to an interval, and only to one")
    low = np.asarray(pc.fill_null(table["low_support"], True).to_numpy())
    yield from _said(whole & low, table, "has an interval, but too few identities for one")
    sure = pc.is_in(table["metric"], pa.array([*CHANCE, "icc"])).to_numpy()
    yield from _said(whole & sure, table, "has an interval, which it cannot have")
    if not whole.any():
        return
    least, most, se = (table[name].to_numpy() for name in ("ci_lo", "ci_hi", "se"))
    with np.errstate(invalid="ignore"):
        yield from _said(whole & ((least > most) | (se < 0)), table, "its interval ends before it begins")
    for word in pc.unique(table["ci_method"]).drop_null().to_pylist():
        if word not in METHODS:
            yield f"strata: ci_method {word!r} is none of {', '.join(METHODS)}"


def _worst(rows: pa.Table, layout: Layout, means: Sequence[Means], drawn: bool) -> Iterator[str]:
    """Hold the rows of the lowest levels against the levels themselves."""
    wanted = dict[str, tuple[Cells, Floats]]()
    for part, of in zip(layout.parts, means, strict=True):
        enough = np.array([not one.low_support for one in part.support])
        if part.cut.kind in ("query", "pos") and enough.sum() > 1 and "mAP" in of.values:
            wanted[part.cut.scheme_id] = part, np.where(enough, of.values["mAP"], np.nan)
    for row in rows.to_pylist():
        name = f"strata: the worst level of {row['scheme_id']}"
        if row["scheme_id"] in wanted:
            yield from (f"{name}: {what}" for what in _of_worst(row, *wanted.pop(row["scheme_id"])))
        elif not any(row["scheme_id"] in note for note in layout.notes):
            yield f"{name}: there is none, or it stands there twice"
    if drawn:
        yield from (f"strata: the worst level of {scheme} has no row" for scheme in wanted)


def _of_worst(row: Row, part: Cells, values: Floats) -> Iterator[str]:
    least = float(np.nanmin(values))
    if row["metric"] != "mAP" or row["value"] is None or not abs(row["value"] - least) <= EXACT:
        yield f"{row['metric']} is {row['value']}, the ranks give mAP {least:.12g}"
    names = [(one.q_stratum, one.g_stratum) for one in part.support]
    named = (row["q_stratum"], row["g_stratum"])
    place = names.index(named) if named in names else int(np.nanargmin(values))
    if named != names[place] or not values[place] <= least + EXACT:
        yield f"is {named[0] or named[1]!r}, must be {' or '.join(filter(None, names[int(np.nanargmin(values))]))!r}"
    found = [row[name] for name in _SUPPORT]
    if found != list(part.support[place][2:]):
        yield f"{', '.join(_SUPPORT)} are {found}, must be {list(part.support[place][2:])}"


def _said(wrong: NDArray[np.bool_], table: pa.Table, what: str) -> Iterator[str]:
    if wrong.any():
        row = table.select(_NAMED).slice(int(np.argmax(wrong)), 1).to_pylist()[0]
        more = int(wrong.sum()) - 1
        yield f"strata: {_words(tuple(row.values()))}: {what}{f' (and {more:,} more)' if more else ''}"


def _words(key: Key) -> str:
    """Name a row for a person: `mAP of night600-light (pair_pos), Low -> High`."""
    cut, scheme, asked, found, metric = key
    level = " -> ".join(name for name in (asked, found) if name)
    return f"{metric} of {scheme} ({cut}){f', {level}' if level else ''}"
