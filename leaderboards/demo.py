"""The demo's steps of this package."""

from pathlib import Path


def board(folder: Path) -> None:
    """Put the run on a board, compute every number again from its ranks, print it by light and size."""
    import shutil

    from benchmark.console import console, say
    from leaderboards import check, entry, store, tables
    from leaderboards.rendering import terminal

    shutil.rmtree(folder / "board", ignore_errors=True)  # of a step that was killed
    place = store.begun(folder / "board")
    entry.add(place, folder / "bundle")
    say(f"  {check.check(place).summary}")
    for part in terminal.parts(tables.tables(place, tables.Asked(by=("light", "size", "light+size"), everything=True))):
        console().print(part, soft_wrap=isinstance(part, str), markup=False, highlight=False)


STEPS = {"board": board}
