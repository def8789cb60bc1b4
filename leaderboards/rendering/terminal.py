"""Tables on the terminal: a number with its spread, below it its interval; wide tables in parts."""

import io
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from leaderboards import labels
from leaderboards.rendering import words
from leaderboards.tables import Cell, Line, Table

if TYPE_CHECKING:
    from rich.table import Table as View
    from rich.text import Text

WIDTH = 120
ABREAST = 5  # columns that fit beside a name
MANY = 30  # columns that a person still reads
STAR = "*"  # where bold cannot be seen


def parts(tables: Sequence[Table]) -> Iterator["View | str"]:
    """Give the tables and the sentences between them, in order."""
    shared = _shared(tables)
    for number, table in enumerate(tables):
        yield from [""] if number else []
        yield _wrapped(table.title)
        if len(table.columns) > MANY:
            yield f"{len(table.columns)} columns, too many for a terminal; --format csv has them"
        else:
            yield from (_view(table, block) for block in _blocks(len(table.columns)))
        yield from (_wrapped(f"No number: {words.lost(one)}") for one in table.lost)
        if table.published:
            yield _printed(table)
        yield from (_wrapped(said) for said in words.remarks(table))
        yield from (_wrapped(_starred(said)) for said in table.caption if said not in shared)
    yield from ["", *(_wrapped(_starred(said)) for said in shared)] if shared else []


def text(tables: Sequence[Table]) -> str:
    """Give all as plain text."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, record=True)
    for part in parts(tables):
        console.print(part, soft_wrap=isinstance(part, str), markup=False, highlight=False, emoji=False)
    return console.export_text()


def _shared(tables: Sequence[Table]) -> list[str]:
    """Find the sentences that stand under several tables: they are said once, at the end; the first never is."""
    counted = Counter(said for table in tables for said in dict.fromkeys(table.caption[1:]))
    return [said for said, count in counted.items() if count > 1]


def _starred(said: str) -> str:
    """Name the star where a sentence explains what is bold."""
    return f"Bold or {STAR}: {said.removeprefix('Bold: ')}" if said.startswith("Bold: ") else said


def _wrapped(said: str) -> str:
    return textwrap.fill(said, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _blocks(columns: int) -> list[range]:
    """Divide columns evenly into parts that fit."""
    count = max(1, -(-columns // ABREAST))
    ends = [round(number * columns / count) for number in range(count + 1)]
    return [range(low, high) for low, high in pairwise(ends)]


def _view(table: Table, block: range) -> "View":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as View
    from rich.text import Text

    view = View(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    view.add_column("", justify="right", no_wrap=True)
    view.add_column("", max_width=38, overflow="fold")
    columns = [table.columns[place] for place in block]
    for column in columns:
        view.add_column(Text(column.title), justify="right", overflow="fold")
    for line in table.ranked:
        view.add_row(Text(line.place), _name(line, details=0 in block), *(_cell(line.cells[place]) for place in block))
    view.add_section()
    for name, cells in words.beside(columns):
        view.add_row("", Text(name, style="dim"), *(Text(cell, style="dim") for cell in cells))
    view.add_section()
    for line in table.apart:
        view.add_row(Text(line.place), _name(line, details=0 in block), *(_cell(line.cells[place]) for place in block))
    return view


def _name(line: Line, details: bool) -> "Text":
    from rich.text import Text

    if not details:
        return Text(line.name)
    why = f"\nnot ranked: {line.why}" if line.why else ""
    return Text.assemble(line.name, (f"\n{words.details(line)}{why}", "dim"))


def _cell(cell: Cell) -> "Text":
    from rich.text import Text

    made = Text(words.score(cell) + STAR * cell.bold, style="bold" if cell.bold else "")
    if spread := words.spread(cell):
        made.append(f" ±{spread}", "not bold")
    if ends := words.interval(cell):
        made.append(f"\n{ends[0]} to {ends[1]}", "not bold dim")
    elif cell.value is not None and cell.reason:
        made.append(f"\n{words.reason(cell)}", "not bold dim")
    if cell.level:
        made.append(f"\n{words.level(cell)}", "not bold dim")
    return made


def _printed(table: Table) -> "View":
    """Show the numbers of papers, grey: with their source, their AP rule and by what they divide."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as View
    from rich.text import Text

    view = View(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False, style="dim", header_style="dim")
    view.add_column("from papers", max_width=34, overflow="fold")
    for name in words.HEADS:
        view.add_column(name.replace(", ", ",\n"), justify="right", no_wrap=True)
    for name in ("AP rule", "divided by", "source"):
        view.add_column(name, overflow="fold")
    for row in table.published:
        facts = [labels.plain(row[key] or "unknown") for key in ("ap_rule", "denominator", "source")]
        view.add_row(*(Text(cell, style="dim") for cell in (words.paper(table, row), *words.printed(row), *facts)))
    return view
