"""Numbers of papers: read as they are printed, and placed beside the runs that they may stand by.

They are nobody's runs: no seed, no interval, often no known rule. So they never get a place, are never tested, and each
carries its source, its AP rule and its denominator, in words; what nobody says is `unknown` and is not guessed.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from benchmark import durable, protocol
from benchmark.errors import UserError, nearest
from leaderboards import store
from leaderboards.history import PUBLISHED
from leaderboards.store import Board, Row

FOLDER = Path(__file__).parent / "published"
SHIPPED = ("night_person.csv", "cross_modality.csv")

AP_RULES = ("discrete", "trapezoid", "unknown")
DENOMINATORS = ("valid queries", "all queries", "unknown")
NONE = "none"  # in a mapping: there is no such set, or no such protocol, of ours

# The columns of a CSV; numbers are percents there. The last line may be left out: then the mapping is asked.
NEEDED = ("dataset", "protocol", "method", "ap_rule", "source")
NUMBERS = {"r1": "R1", "r5": "R5", "r10": "R10", "r20": "R20", "map": "mAP", "minp": "mINP"}
TEXTS = ("direction", "backbone", "note")
PLACED = ("eval_set", "protocol_id", "denominator")


class Place(NamedTuple):
    """Where a published row stands: null where no set or protocol of ours is meant."""

    eval_set: str | None
    protocol_id: str | None
    n_query: int | None  # of the official lists; a group with another number has other lists


def shipped() -> pa.Table:
    """Give the published rows that come with the project."""
    return pa.concat_tables([read(FOLDER / name) for name in SHIPPED])


def read(path: Path) -> pa.Table:
    """Read a CSV of published rows: percents become shares, and every row gets its place."""
    rows = list(_rows(path, NEEDED, (*NUMBERS, *TEXTS, *PLACED)))
    places, denominators = _places(), _denominators()
    made = [_published(row, where, places, denominators) for where, row in rows]
    _refuse_shares(made, path)
    _refuse_twice(made, path)
    return pa.Table.from_pylist(made, PUBLISHED)


def add(board: Board, path: Path) -> int:
    """Put a lab's own published rows on its board and say how many there are; adding them again changes nothing."""
    table = read(path)
    store.publish(board, "published", store.encoded("published", table))
    return len(table)


def on(board: Board) -> pa.Table:
    """Give what is published: the rows that come with the project and the board's own, equal ones once."""
    own = store.load(board, "published").table.select(PUBLISHED.names)
    rows = [*shipped().to_pylist(), *own.to_pylist()]
    return pa.Table.from_pylist([dict(row) for row in dict.fromkeys(tuple(row.items()) for row in rows)], PUBLISHED)


def rows_for(
    table: pa.Table,
    eval_set: str,
    protocol_id: str,
    n_query: int | None = None,
    protocol_sha256: str | None = None,
) -> list[Row]:
    """Give the rows that may stand beside the runs of one group, the best mAP first.

    Names can be borrowed: where `n_query` or `protocol_sha256` of the group is given, rows of official lists of another
    length, and of a protocol of ours that was changed under its old name, are left out.
    """
    if protocol_sha256 is not None and _known_hash(protocol_id) not in (None, protocol_sha256):
        return []
    here = pc.and_(pc.equal(table["eval_set"], eval_set), pc.equal(table["protocol_id"], protocol_id))
    rows: list[Row] = table.filter(pc.fill_null(here, False)).to_pylist()
    kept = [row for row in rows if n_query is None or row["n_query"] in (None, n_query)]
    return sorted(kept, key=lambda row: (-(row["mAP"] or 0), row["method"], row["source"]))


def problems(rows: pa.Table) -> Iterator[str]:
    """Say, a line each, what of published rows on a board no CSV could have given."""
    for row in rows.to_pylist():
        where = f"{row['method']!r} from {row['source']!r}"
        for name in NUMBERS.values():
            if row[name] is not None and not 0 <= row[name] <= 1:  # NaN lies nowhere
                yield f"{where}: {name} is {row[name]}, must lie between 0 and 1"
        for name, allowed in (("ap_rule", AP_RULES), ("denominator", DENOMINATORS)):
            if row[name] not in allowed and (row[name] is not None or name in NEEDED):
                yield f"{where}: {name} is {row[name]!r}; {nearest(str(row[name]), list(allowed))}"


def _known_hash(name: str) -> str | None:
    return protocol.load(name).sha256 if name in protocol.PROTOCOLS.names() else None


def _published(
    row: Mapping[str, str],
    where: str,
    places: Mapping[tuple[str, ...], Place],
    denominators: Mapping[tuple[str, str], str],
) -> Row:
    for name in NEEDED:
        if not row[name] and name != "protocol":  # a source may not say by which protocol
            raise UserError(f"{where}: {name} is empty; needed: {', '.join(NEEDED)}")
    _require_word(row["ap_rule"], AP_RULES, "ap_rule", where)
    scores = {ours: _share(row.get(theirs, ""), theirs, where) for theirs, ours in NUMBERS.items()}
    _refuse_falling(scores, where)
    place = _own_place(row, where) or _mapped(row, where, places)
    known = denominators.get((row["source"], row["ap_rule"]), "unknown")
    denominator = row.get("denominator") or known
    _require_word(denominator, DENOMINATORS, "denominator", where)
    texts = {name: row.get(name) or None for name in (*NEEDED, *TEXTS)}
    return texts | scores | place._asdict() | {"denominator": denominator}


def _own_place(row: Mapping[str, str], where: str) -> Place | None:
    """Take the place that a lab names itself; a name that it made up stands beside its own runs only."""
    eval_set, protocol_id = row.get("eval_set", ""), row.get("protocol_id", "")
    if bool(eval_set) != bool(protocol_id):
        raise UserError(f"{where}: give eval_set and protocol_id, both or neither; {NONE!r} where there is none")
    return Place(_or_none(eval_set), _or_none(protocol_id), None) if eval_set else None


def _mapped(row: Mapping[str, str], where: str, places: Mapping[tuple[str, ...], Place]) -> Place:
    """Look up where a row stands; a protocol that nobody thought about must not slip into a table."""
    key = (row["dataset"], row["protocol"], row.get("direction", ""))
    for rule in (row["ap_rule"], ""):
        if (*key, rule) in places:
            return places[(*key, rule)]
    words = ", ".join(
        f"{name} {value!r}" for name, value in zip(("dataset", "protocol", "direction"), key, strict=True)
    )
    known = sorted({", ".join(filter(None, one[1:3])) for one in places if one[0] == row["dataset"]})
    raise UserError(
        f"{where}: {words}, AP rule {row['ap_rule']}, is mapped to no protocol; give the columns eval_set and "
        f"protocol_id ({NONE!r} where there is none), or {_choice(row['dataset'], known, places)}"
    )


def _choice(dataset: str, known: Sequence[str], places: Mapping[tuple[str, ...], Place]) -> str:
    if known:
        return f"one that is mapped for {dataset}: {'; '.join(known)}"
    return f"a set that is mapped: {nearest(dataset, sorted({one[0] for one in places}))}"


def _places() -> dict[tuple[str, ...], Place]:
    """Read where published rows stand; an empty ap_rule means all that have no line of their own."""
    needed = ("dataset", "protocol", "direction", "ap_rule", "eval_set", "protocol_id", "n_query", "why")
    return {
        tuple(row[name] for name in needed[:4]): Place(
            _or_none(row["eval_set"]), _or_none(row["protocol_id"]), int(row["n_query"]) if row["n_query"] else None
        )
        for _, row in _rows(FOLDER / "protocols.csv", needed)
    }


def _denominators() -> dict[tuple[str, str], str]:
    """Read by what a source divides, as far as it is known."""
    rows = _rows(FOLDER / "denominators.csv", ("source", "ap_rule", "denominator", "why"))
    return {(row["source"], row["ap_rule"]): row["denominator"] for _, row in rows}


def _or_none(name: str) -> str | None:
    return None if name == NONE else name


def _rows(path: Path, needed: Sequence[str], more: Sequence[str] = ()) -> Iterator[tuple[str, dict[str, str]]]:
    """Read the rows of a CSV, each with where it stands."""
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        names = _header(next(reader, []), path, needed, more)
        for cells in filter(None, reader):  # an empty line is no row
            where = f"{path}: line {reader.line_num}"
            if len(cells) != len(names):
                raise UserError(f"{where}: has {len(cells)} cells, the header has {len(names)}")
            row = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
            for name, cell in row.items():
                if not cell.isprintable():
                    raise UserError(f"{where}: {name} = {ascii(cell)[:80]} holds what cannot be printed in a line")
            yield where, row
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: not CSV: {error}") from None


def _text(path: Path) -> str:
    try:
        return durable.read_bytes(path).decode("utf-8-sig")  # a spreadsheet may write its mark first
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None


def _header(names: Sequence[str], path: Path, needed: Sequence[str], more: Sequence[str]) -> list[str]:
    found = [name.strip() for name in names]
    for name in needed:
        if name not in found:
            raise UserError(f"{path}: has no column {name!r}; needed: {', '.join(needed)}")
    for name in found:
        if name not in (*needed, *more):
            raise UserError(f"{path}: unknown column {name!r}; {nearest(name, [*needed, *more])}")
        if found.count(name) > 1:
            raise UserError(f"{path}: two columns are called {name!r}")
    return found


def _share(text: str, name: str, where: str) -> float | None:
    """Turn a printed percentage into the nearest share: 11.20 is 0.112 and nothing beside it."""
    if not text:
        return None
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) or Decimal(text) > 100:
        raise UserError(f"{where}: {name} = {text[:40]!r}, must be a percentage from 0 to 100, such as 11.20, or empty")
    return float(Decimal(text) / 100)


def _require_word(word: str, allowed: Sequence[str], name: str, where: str) -> None:
    if word not in allowed:
        raise UserError(f"{where}: {name} = {word!r}; {nearest(word, list(allowed))}")


def _refuse_falling(scores: Mapping[str, float | None], where: str) -> None:
    """Refuse what no ranking gives: a first match among the first five is one among the first ten."""
    if all(score is None for score in scores.values()):
        raise UserError(f"{where}: holds no number; give at least one of {', '.join(NUMBERS)}")
    known = [(name, value) for name in ("R1", "R5", "R10", "R20") if (value := scores[name]) is not None]
    for (low, less), (high, more) in pairwise(known):
        if less > more:
            raise UserError(f"{where}: {low.lower()} is above {high.lower()}, which no ranking gives")


def _refuse_shares(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    if not rows:
        raise UserError(f"{path}: holds no row")
    if max(row[name] for row in rows for name in NUMBERS.values() if row[name] is not None) <= 0.01:
        raise UserError(f"{path}: no number is above 1; percents are needed, 0 to 100, and these look like shares")


def _refuse_twice(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    seen = set[tuple[Any, ...]]()
    for row in rows:
        if (key := tuple(row.values())) in seen:
            raise UserError(f"{path}: {row['method']!r} from {row['source']!r} stands twice")
        seen.add(key)
