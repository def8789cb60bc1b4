"""Tables in LaTeX, for a document that uses booktabs and xcolor; letters beyond Latin want LuaLaTeX or XeLaTeX."""

import re
from collections.abc import Iterator, Sequence

from leaderboards import labels
from leaderboards.rendering import words
from leaderboards.tables import Cell, Line, Table

NEEDED = r"% Needs \usepackage{booktabs} and \usepackage{xcolor}."
ABREAST = 6  # columns beside a name on a page

# Quotes and marks are named or closed, so that none are joined to another sign.
_SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    '"': r"{\char34}",
    "[": "{[}",  # behind a line's end it would be a length
    "]": "{]}",
    "*": "{*}",
    "?": "?{}",  # before a grave accent it would be joined with it
    "!": "!{}",
    "±": r"\ensuremath{\pm}",
    "…": r"\ldots{}",
}


def text(tables: Sequence[Table]) -> str:
    """Give tables, each as an environment with its caption."""
    return "\n".join([NEEDED, *(line for table in tables for line in _lines(table))])


def escaped(label: str) -> str:
    """Give a label so that it is set as it is written."""
    marked = "".join(_SIGNS.get(letter, letter) for letter in label)
    return re.sub(r"([-,])(?=\1)", r"\1{}", marked)


def _lines(table: Table) -> Iterator[str]:
    yield r"\begin{table*}"
    yield r"\centering\small"
    said = [table.title + ".", *table.caption, *words.remarks(table)]
    said += [f"No number: {words.lost(one)}." for one in table.lost]
    yield rf"\caption{{{escaped(' '.join(said))}}}"
    yield rf"\label{{{_label(table)}}}"
    for first in range(0, len(table.columns), ABREAST):
        yield from _block(table, range(first, min(first + ABREAST, len(table.columns))))
    if table.published:
        yield from _printed(table)
    yield r"\end{table*}"
    yield ""


def _label(table: Table) -> str:
    """Make a label that stays the same as long as title, lists and protocol do."""
    words = (table.title, table.where.lists_sha256[:8], table.where.protocol_sha256[:8])
    return f"tab:{re.sub('[^a-z0-9]+', '-', ' '.join(words).lower()).strip('-')}"


def _block(table: Table, block: range) -> Iterator[str]:
    columns = [table.columns[place] for place in block]
    yield rf"\begin{{tabular}}{{rp{{0.25\linewidth}}{'r' * len(columns)}}}"
    yield r"\toprule"
    yield _row(["", "", *(escaped(column.title) for column in columns)])
    yield r"\midrule"
    for line in table.ranked:
        yield from _both(line, block)
    yield r"\midrule"
    for name, cells in words.beside(columns):
        yield _row(["", escaped(name), *(escaped(cell) for cell in cells)])
    if table.apart:
        yield r"\midrule"
    for line in table.apart:
        yield from _both(line, block)
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield ""


def _both(line: Line, block: range) -> Iterator[str]:
    """Set a row: numbers, and below them how it came about and the intervals."""
    cells = [line.cells[place] for place in block]
    why = f"; not ranked: {line.why}" if line.why else ""
    yield _row([escaped(line.place), escaped(line.name), *map(_score, cells)])
    yield _row(["", _small(words.details(line) + why), *map(_interval, cells)])


def _score(cell: Cell) -> str:
    score = escaped(words.score(cell))
    made = rf"\textbf{{{score}}}" if cell.bold else score
    return rf"{made} $\pm$ {spread}" if (spread := words.spread(cell)) else made


def _interval(cell: Cell) -> str:
    ends = words.interval(cell)
    said = f"{ends[0]} to {ends[1]}" if ends else words.reason(cell) if cell.value is not None else ""
    return _small(f"{said} {words.level(cell)}".strip())


def _small(said: str) -> str:
    return rf"{{\footnotesize {escaped(said)}}}" if said else ""


def _printed(table: Table) -> Iterator[str]:
    numbers = words.HEADS
    yield rf"\begin{{tabular}}{{p{{0.2\linewidth}}{'r' * len(numbers)}llp{{0.3\linewidth}}}}"
    yield r"\toprule"
    yield _row(["from papers", *numbers, "AP rule", "divided by", "source"])
    yield r"\midrule"
    for row in table.published:
        facts = [labels.plain(row[key] or "unknown") for key in ("ap_rule", "denominator", "source")]
        cells = (words.paper(table, row), *words.printed(row), *facts)
        yield _row([rf"\textcolor{{gray}}{{{escaped(cell)}}}" for cell in cells])
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield ""


def _row(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"
