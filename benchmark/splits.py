"""Splits: who trains and who tests, and which pictures ask. Every draw is a function of (seed, key, name).

One more identity moves at most one other between train and test and one between train and val, and changes the probes
of nobody who stays in test. Two styles hang on more: its pictures can move the cut of time-aware, and light-balanced
probes answer for the whole set. A set is split alike alone or joined with others, and a scene's day as its night.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from benchmark import keyed, probes, strata
from benchmark.config import Strict
from benchmark.console import count
from benchmark.counts import cameras
from benchmark.errors import UserError, nearest
from benchmark.manifest import Manifest

Mask = NDArray[np.bool_]
Sides = NDArray[np.str_]  # train, test or none for every row

_SPACES = "\n"  # parts the words of a key; no text of a manifest holds one


class Options(Strict):
    """What every style knows."""

    share: float = Field(0.5, gt=0, lt=1)
    """Share of the identities that train, rounded down; the others test."""
    val: float = Field(0.0, ge=0, lt=1)
    """Share of the training identities that leave train for val, rounded down."""
    probes: int = Field(3, ge=0)
    """Queries of every identity at every camera, fewer where there are fewer pictures; 0: all pictures."""
    queries_stay: bool = True
    """Queries are in the gallery, too, as in Night600; false: they leave it."""


class Identities(Options):
    """The identities of every space are parted, all pictures of the test are queries and gallery."""

    probes: int = Field(0, ge=0)
    """Queries of every identity at every camera, fewer where there are fewer pictures; 0: all pictures."""


class CameraDisjoint(Options):
    """Train and test share no camera and no identity; what is neither on both counts falls out."""

    cameras: float = Field(0.5, gt=0, lt=1)
    """Share of the cameras that train, rounded down, but at least one; the others test."""


class TimeAware(Options):
    """Train ends before test begins; identities are disjoint, and what they leave on the wrong side falls out."""

    before: float = Field(0.5, gt=0, lt=1)
    """Share of the pictures before the cut, as nearly as the moments allow."""
    column: str = "timestamp"
    """What tells the time: any column of numbers, or of texts that sort."""
    order: tuple[str, ...] = ()
    """The column's texts from first to last, where they do not sort so: ["morning", "noon", "afternoon"]."""


class LightBalanced(Options):
    """As night600, with probes whose light levels are as even as the set allows."""

    scheme: str = "night600-light"
    """Levels that are evened out (see `luxreid data strata`)."""
    equal: bool = False
    """Equally many probes of every level that occurs, as many as the rarest can give; false: as many as night600."""


class People:
    """Who is on the rows of a manifest; identities are numbered in the order of (id_space, pid)."""

    def __init__(self, manifest: Manifest, seed: int) -> None:
        self.manifest, self.seed = manifest, seed
        self.pids = manifest.column("pid").astype(np.int64)
        self.of_row = manifest.identities()
        self.row_spaces = manifest.column("id_space")
        known = np.flatnonzero(self.of_row >= 0)
        if not len(known):
            raise UserError("split: no row has a pid of 1 or more; there is nobody to part")
        _, first = np.unique(self.of_row[known], return_index=True)
        self.spaces = self.row_spaces[known[first]]
        pairs = zip(self.spaces, self.pids[known[first]], strict=True)
        self.keys = keyed.keys([f"{space}{_SPACES}{pid}" for space, pid in pairs])

    def bits(self, name: str) -> NDArray[np.uint64]:
        """Draw for every identity."""
        return keyed.bits(self.seed, self.keys, name)

    def rows(self, chosen: Mask) -> Mask:
        """Find the rows of some identities."""
        return np.append(chosen, False)[self.of_row]  # -1, nobody, is the last

    def images(self, rows: Mask) -> NDArray[np.int64]:
        """Count the pictures of every identity among some rows."""
        return np.bincount(self.of_row[rows & (self.of_row >= 0)], minlength=len(self.keys))


def by_share(people: People, options: Options) -> Sides:
    """Part the identities of every space."""
    train = _drawn(people.spaces, people.bits("split"), options.share, "share")
    return np.select([people.rows(train), people.pids >= 0], ["train", "test"], "none")


def by_camera(people: People, options: CameraDisjoint) -> Sides:
    """Part the cameras, then the identities among them."""
    ours = _training_cameras(people, options.cameras)
    return _parted(people, ours, (people.manifest.column("camid").astype(np.int64) > 0) & ~ours, options.share)


def by_time(people: People, options: TimeAware) -> Sides:
    """Cut every space in time, then part the identities before and after."""
    moments = _moments(people, options)
    early, late = np.zeros(len(moments), bool), np.ones(len(moments), bool)
    for space in np.unique(people.spaces):
        rows = people.row_spaces == space
        cut = _cut(moments[rows & (people.of_row >= 0)], options, space)
        early |= rows & (moments >= 0) & (moments < cut)
        late &= ~rows | (moments >= cut)
    return _parted(people, early, late, options.share)


class Style(NamedTuple):
    """One way to split: what can be set, and who is on which side."""

    options: type[Options]
    sides: Callable[[People, Any], Sides]
    falls_out: str = ""  # why pictures of identities are on no side


STYLES = {
    "night600": Style(Options, by_share),
    "identities": Style(Identities, by_share),
    "camera-disjoint": Style(CameraDisjoint, by_camera, "identities of one side at cameras of the other or unknown"),
    "time-aware": Style(TimeAware, by_time, "identities of one side at times of the other"),
    "light-balanced": Style(LightBalanced, by_share),
}


def style(name: str) -> Style:
    """Find a style by its name."""
    if name not in STYLES:
        raise UserError(f"split: no style is called {name!r}; {nearest(name, list(STYLES))}")
    return STYLES[name]


def split(manifest: Manifest, name: str, seed: int, options: Options | None = None) -> Manifest:
    """Give every row its roles anew; distractors go to the gallery, junk nowhere. Notes say what fell out."""
    again = _again(manifest)
    done = _split(manifest.select(np.flatnonzero(~again)), name, seed, options)
    if not again.any():
        return done
    empty = {"split": "none", "query": False, "gallery": False}
    columns = {role: np.full(len(manifest), nothing, dtype=object) for role, nothing in empty.items()}
    for role, values in columns.items():
        values[~again] = done.column(role)
    number = int(again.sum())
    note = f"{count(number, 'row')} of {len(manifest):,} repeat the bytes of another of their identity and have no role"
    whole = manifest.with_columns(**{role: pa.array(values) for role, values in columns.items()})
    return Manifest(whole.table, whole.roots, (*done.notes, note))


def _again(manifest: Manifest) -> Mask:
    """Find rows whose picture stands in an earlier row: one identity, one set, equal bytes."""
    # Night600, NightReID and RGBNT201 store a query a second time, in the gallery.
    names = {name: manifest.column(name) for name in ("source", "sha256")}
    frame = pd.DataFrame({"identity": manifest.identities(), **names})
    return np.asarray(frame.duplicated() & (frame["identity"] >= 0) & frame["sha256"].notna(), dtype=bool)


def _split(manifest: Manifest, name: str, seed: int, options: Options | None) -> Manifest:
    """Split pictures that all differ."""
    chosen = style(name)
    options = options or chosen.options()
    people = People(manifest, seed)
    sides = chosen.sides(people, options)
    test = (sides == "test") & (people.of_row >= 0)
    query = _queries(people, test, options)
    gallery = (sides == "test") & (options.queries_stay | ~query)
    _require(manifest, {"train": sides == "train", "query": query, "gallery": gallery & (people.of_row >= 0)}, name)
    sides = np.where(people.rows(_validation(people, sides, options.val)) & (sides == "train"), "val", sides)
    done = manifest.with_columns(split=pa.array(sides, pa.string()), query=pa.array(query), gallery=pa.array(gallery))
    return Manifest(done.table, done.roots, tuple(_notes(manifest, people, sides, chosen)))


def _drawn(spaces: NDArray[Any], bits: NDArray[np.uint64], share: float, key: str) -> Mask:
    """Choose a share of every space: the first in an order that one more member does not disturb."""
    chosen = np.zeros(len(spaces), dtype=bool)
    for space in np.unique(spaces):
        members = np.flatnonzero(spaces == space)
        number = _part(len(members), share)
        if not 0 < number < len(members):
            whole = f"the {count(len(members), 'identity', 'identities')} of {space!r}"
            raise UserError(f"split: {key} = {share:g} of {whole} is {number}, must be some and not all")
        chosen[members[np.argsort(bits[members], kind="stable")][:number]] = True
    return chosen


def _part(number: int, share: float) -> int:
    return int(share * number + 1e-9)  # .29 of 100 is 29, whatever binary fractions say


def _validation(people: People, sides: Sides, share: float) -> Mask:
    """Cut the validation from train, by identity."""
    train = people.images(sides == "train") > 0
    if not share:
        return np.zeros(len(train), dtype=bool)
    chosen = train.copy()
    chosen[train] = _drawn(people.spaces[train], people.bits("val")[train], share, "val")
    return chosen


def _queries(people: People, test: Mask, options: Options) -> Mask:
    candidates = probes.order(people.manifest, people.of_row, test, people.seed)
    limit = options.probes or len(test)
    if not isinstance(options, LightBalanced):
        return probes.first(candidates, limit, len(test))
    cut = strata.assign(people.manifest, strata.scheme(options.scheme))
    return probes.balanced(candidates, cut.codes, limit, equal=options.equal)


def _require(manifest: Manifest, roles: dict[str, Mask], name: str) -> None:
    for role, rows in roles.items():
        if not rows.any():
            why = "; all queries leave it: ask for fewer probes" if role == "gallery" else ""
            raise UserError(f"split: {name} leaves no picture of {len(manifest):,} for {role}{why}")


def _notes(manifest: Manifest, people: People, sides: Sides, chosen: Style) -> list[str]:
    notes = []
    if had := sorted(set(manifest.column("split")) - {"none"}):
        notes.append(f"the roles that were there ({', '.join(had)}) are replaced; subsets stay")
    out = int(((sides == "none") & (people.of_row >= 0)).sum())
    if chosen.falls_out:
        notes.append(f"{count(out, 'image')} of {len(manifest):,} fall out: {chosen.falls_out}")
    if (lost := int(((sides == "none") & (people.pids == 0)).sum())) and chosen.falls_out:
        notes.append(f"{count(lost, 'distractor')} fall out, being not on the side of the test")
    return notes


def _parted(people: People, ours: Mask, theirs: Mask, share: float) -> Sides:
    """Part the identities where the pictures are parted already: what is of one side on both counts stays.

    Whoever is seen on one side only belongs there. Of the others those train who lose least by it, up to the share;
    where they lose alike, the draw says. Distractors go with the pictures of the test.
    """
    before, after = people.images(ours), people.images(theirs)
    train = before > 0
    for space in np.unique(people.spaces):
        members = people.spaces == space
        wanted = _part(int(members.sum()), share) - int((members & train & (after == 0)).sum())
        both = np.flatnonzero(members & (before > 0) & (after > 0))
        willing = both[np.lexsort((people.bits("split")[both], (after - before)[both]))]
        train[willing[max(wanted, 0) :]] = False
    test = (people.rows(~train) | (people.pids == 0)) & theirs
    return np.select([people.rows(train) & ours, test], ["train", "test"], "none")


def _training_cameras(people: People, share: float) -> Mask:
    """Find the rows of the cameras that train, a share of every space's."""
    groups = cameras(people.manifest)
    rows = [int(np.flatnonzero(groups.codes == code)[0]) for code in range(len(groups.names))]
    numbers = people.manifest.column("camid")[rows]
    spaces = people.row_spaces[rows]
    keys = keyed.keys([f"{space}{_SPACES}{number}" for space, number in zip(spaces, numbers, strict=True)])
    bits, chosen = keyed.bits(people.seed, keys, "camera"), np.zeros(len(rows), dtype=bool)
    for space in np.unique(people.spaces):
        members = np.flatnonzero(spaces == space)
        if len(members) < 2:
            raise UserError(f"split: camera-disjoint needs two known cameras, {space!r} has {len(members)}")
        chosen[members[np.argsort(bits[members])][: max(1, _part(len(members), share))]] = True
    return np.append(chosen, False)[groups.codes]


def _moments(people: People, options: TimeAware) -> NDArray[np.int64]:
    """Give every row the number of its moment in their order, -1 where it has none."""
    values = people.manifest.column(options.column)
    if options.order:
        places = {word: place for place, word in enumerate(options.order)}
        if strange := sorted({str(value) for value in values if value is not None} - set(places)):
            raise UserError(f"split: column {options.column!r} holds {strange[0]!r}; order names {', '.join(places)}")
        codes = np.array([places.get(value, -1) for value in values], dtype=np.int64)
    elif pa.types.is_nested(kind := people.manifest.table[options.column].type) or pa.types.is_boolean(kind):
        raise UserError(f"split: column {options.column!r} holds neither numbers nor texts, so it tells no time")
    else:
        codes = pd.factorize(values, sort=True)[0].astype(np.int64)
    missing = int(((codes < 0) & (people.of_row >= 0)).sum())
    if missing:
        hint = "name another column with --set column=..."
        raise UserError(f"split: {missing:,} of {len(codes):,} rows have no {options.column!r}; {hint}")
    return codes


def _cut(moments: NDArray[np.int64], options: TimeAware, space: str) -> int:
    """Find the first moment of the test: the one whose earlier pictures come nearest to the share."""
    found, number = np.unique(moments, return_counts=True)
    if len(found) < 2:
        raise UserError(f"split: all rows of {space!r} have one {options.column!r}; there is no before and after")
    before = np.cumsum(number)[:-1]
    return int(found[1 + np.argmin(np.abs(before - options.before * len(moments)))])
