"""The look that all tables of counts on the terminal share."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> "Table":
    """Make a table: names on the left, numbers aligned on the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    made = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    if title:
        made.title, made.title_justify, made.title_style = Text(title), "left", "none"
    for position, name in enumerate(columns):
        made.add_column(Text(name), justify="right" if position else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))  # as Text: a card's brackets are no markup
    return made
