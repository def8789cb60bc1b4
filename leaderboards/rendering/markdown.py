"""Tables in Markdown (GitHub's): labels come out as text, whatever they hold."""

import re
from collections.abc import Iterable, Iterator, Sequence

from leaderboards import labels
from leaderboards.rendering import words
from leaderboards.tables import Cell, Line, Table

# Every sign that may begin a link, a tag, a heading, an emphasis, a formula, a mention or the next cell; and the point
# or colon that makes a bare address a link.
_SIGNS = re.compile(r"[\\`*_{}\[\]<>#|~&$!@^]|:(?=//)|(?<=[wW]{3})\.")
_STARTS = re.compile(r"^(=|-|\+|\d+[.)])")


def text(tables: Sequence[Table]) -> str:
    """Give tables with what stands under them."""
    return "\n".join(line for table in tables for line in _lines(table))


def escaped(label: str) -> str:
    """Give a label so that it is read as it is written."""
    return _SIGNS.sub(lambda found: f"\\{found[0]}", label)


def paragraph(said: str) -> str:
    """Give a sentence so that it begins no list and underlines nothing."""
    return _STARTS.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", escaped(said))


def _lines(table: Table) -> Iterator[str]:
    yield f"### {escaped(table.title)}"
    yield ""
    if table.columns:
        yield from _main(table)
    if table.apart:
        yield "Not ranked:"
        yield ""
        head = ["name", "how", "why", *(escaped(column.title) for column in table.columns)]
        yield from _grid(head, 3, ([*_name(line), escaped(line.why), *map(_cell, line.cells)] for line in table.apart))
    for one in table.lost:
        yield f"- No number: {escaped(words.lost(one))}"
    yield from [""] if table.lost else []
    if table.published:
        yield from _printed(table)
    for said in (*words.remarks(table), *table.caption):
        yield f"{paragraph(said)}\n"


def _main(table: Table) -> Iterator[str]:
    rows = [[escaped(line.place), *_name(line), *map(_cell, line.cells)] for line in table.ranked]
    rows += [["", f"*{name}*", "", *(escaped(cell) for cell in cells)] for name, cells in words.beside(table.columns)]
    yield from _grid(["place", "name", "how", *(escaped(column.title) for column in table.columns)], 3, rows)


def _printed(table: Table) -> Iterator[str]:
    yield "From papers:"
    yield ""
    rows = []
    for row in table.published:
        facts = [labels.plain(row[key] or "unknown") for key in ("ap_rule", "denominator", "source")]
        rows.append([escaped(cell) for cell in (words.paper(table, row), *facts, *words.printed(row))])
    yield from _grid(["method", "AP rule", "divided by", "source", *words.HEADS], 4, rows)


def _grid(head: Sequence[str], left: int, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lay out a table whose first columns are texts, and whose others are numbers."""
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join(['---'] * left + ['---:'] * (len(head) - left))} |"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _name(line: Line) -> list[str]:
    return [escaped(line.name), escaped(words.details(line))]


def _cell(cell: Cell) -> str:
    made = f"**{words.score(cell)}**" if cell.bold else escaped(words.score(cell))
    if spread := words.spread(cell):
        made += f" ± {spread}"
    if ends := words.interval(cell):
        made += f" ({ends[0]} to {ends[1]})"
    elif cell.value is not None and cell.reason:
        made += f" ({escaped(words.reason(cell))})"
    return f"{made} {escaped(words.level(cell))}" if cell.level else made
