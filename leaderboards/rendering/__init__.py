"""Tables printed: one file a format; all print the same numbers, and labels come out as the text that they are."""

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark import durable
from leaderboards.rendering import csv, latex, markdown, terminal
from leaderboards.tables import Table

FORMATS = {"terminal": terminal.text, "markdown": markdown.text, "latex": latex.text, "csv": csv.text}


def write(tables: Sequence[Table], form: str, out: Path | None = None) -> None:
    """Write tables in a format into a file, or to standard output; a CSV file gets its dictionary beside it."""
    made = FORMATS[form](tables)
    if out is None:
        sys.stdout.write(made)
        return
    durable.write_bytes(out, made.encode())
    if form == "csv":
        csv.write_dictionary(out)
