"""What the commands say to a person on standard output."""

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@lru_cache(maxsize=1)
def console() -> "Console":
    """Give the one console; where nobody watches, lines are not wrapped to a terminal that is not there."""
    from rich.console import Console

    out = Console(highlight=False, markup=False, emoji=False)
    return out if out.is_terminal else Console(highlight=False, markup=False, emoji=False, width=120)


def say(text: str) -> None:
    """Print one line of text as it stands."""
    console().print(text, soft_wrap=True)


def count(number: int, noun: str, nouns: str = "") -> str:
    """Say how many there are of something: no rows, 1 row, 2 rows."""
    what = noun if number == 1 else nouns or f"{noun}s"
    return f"{number:,} {what}" if number else f"no {what}"
