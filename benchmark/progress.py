"""Progress bars: for people only, and only where the work takes long."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

Item = TypeVar("Item")

PATIENCE_SECONDS = 2.0


def track(
    items: Iterable[Item], what: str, total: int | None = None, weigh: Callable[[Item], int] | None = None
) -> Iterator[Item]:
    """Pass the items on, and show a bar on the error stream once two seconds have gone by and a person watches.

    `weigh` says how much of the total an item is; without it each counts as one.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    task = bar.add_task(what, total=total if total is not None else _length(items))
    begin, shown = time.monotonic(), False
    try:
        for item in items:
            yield item
            bar.advance(task, weigh(item) if weigh else 1)
            if not shown and time.monotonic() - begin > PATIENCE_SECONDS:
                bar.start()
                shown = True
    finally:
        if shown:
            bar.stop()


def _length(items: Iterable[object]) -> int | None:
    return len(items) if isinstance(items, Sized) else None
