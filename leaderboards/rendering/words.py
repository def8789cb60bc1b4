"""Numbers and facts of a table as words; what all formats but the long one print."""

import re
from collections.abc import Sequence
from typing import Any

from benchmark.console import count
from leaderboards import labels
from leaderboards.tables import Cell, Column, Line, Lost, Table

NONE = "-"
PRINTED = ("mAP", "R1", "R5", "R10", "mINP")  # of papers
HEADS = ("mAP, as printed", *PRINTED[1:])  # each by the rule of its own row

_REASONS = {"low_support": "n < 30"}

_OFFICIAL: dict[bool | None, list[str]] = {True: ["official"], False: ["unofficial"], None: []}


def percent(share: float | None) -> str:
    """Show a share in percent."""
    return NONE if share is None else f"{100 * share:.1f}"


def score(cell: Cell) -> str:
    """Show a cell's mean, or why there is none."""
    return reason(cell) if cell.value is None else percent(cell.value)


def spread(cell: Cell) -> str:
    """Show the spread over seeds; nothing of one seed."""
    return "" if cell.value is None or cell.sd is None else percent(cell.sd)


def interval(cell: Cell) -> tuple[str, str] | None:
    """Show the ends of an interval; nothing where there is none."""
    return None if cell.low is None or cell.high is None else (percent(cell.low), percent(cell.high))


def level(cell: Cell) -> str:
    """Say which level is the worst."""
    return f"in {cell.level}" if cell.level else ""


def reason(cell: Cell) -> str:
    """Say in words why there is no value, or no interval."""
    return _REASONS.get(cell.reason, cell.reason.replace("_", " "))


def details(line: Line) -> str:
    """Say in one line how a row came about."""
    words = [line.tier, *([line.division] if line.division else []), *_OFFICIAL[line.official]]
    words += [count(line.seeds, "seed"), *([count(line.tests, "evaluation")] if line.tests else [])]
    return ", ".join([*words, *line.flags])


def beside(columns: Sequence[Column]) -> list[tuple[str, list[str]]]:
    """Give the rows that every number is read beside: what chance would give, and of how many it is."""
    rows = [("chance", [percent(column.chance) for column in columns])]
    rows += [
        ("queries", [_whole(column.queries) for column in columns]),
        ("people", [_whole(column.identities) for column in columns]),
        ("positives a query", [NONE if column.positives is None else f"{column.positives:.1f}" for column in columns]),
    ]
    return rows


def lost(one: Lost) -> str:
    """Say in a line which runs have no number, and why."""
    runs = one.run_ids[0][:8] if len(one.run_ids) == 1 else count(len(one.run_ids), "run")
    return f"{one.name}: {one.why} ({runs})"


def printed(row: dict[str, Any]) -> list[str]:
    """Give the numbers of a paper, to the two digits that papers print."""
    return [NONE if row[name] is None else f"{100 * row[name]:.2f}".removesuffix("0") for name in PRINTED]


def paper(table: Table, row: dict[str, Any]) -> str:
    """Name a row of a paper, with the protocol where its source says more of it than a name, and its footnote."""
    name = " ".join(labels.plain(row[key]) for key in ("method", "backbone") if row[key])
    protocol = labels.plain(row["protocol"] or "")
    said = f"{name}; {protocol}" if re.search("[(,;:]", protocol) else name
    note = labels.plain(row["note"] or "")
    return f"{said} [{_notes(table).index(note) + 1}]" if note else said


def remarks(table: Table) -> list[str]:
    """Give what was said by those who handed rows in, equal words once, and the footnotes of papers."""
    found: dict[str, list[str]] = {}
    lines = (*table.ranked, *table.apart)
    for line in lines:
        for said in line.disclosures:
            found.setdefault(said, []).append(line.name)
    told = [
        f"{'Every row' if len(names) == len(lines) > 1 else ', '.join(dict.fromkeys(names))}: {said}"
        for said, names in found.items()
    ]
    return told + [f"[{number}] {note}" for number, note in enumerate(_notes(table), 1)]


def _notes(table: Table) -> list[str]:
    return list(dict.fromkeys(note for row in table.published if (note := labels.plain(row["note"] or ""))))


def _whole(number: int | None) -> str:
    return NONE if number is None else f"{number:,}"
