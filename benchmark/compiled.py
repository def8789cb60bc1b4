"""Compile a numeric function, and keep the result on disk where there is a folder to keep it in."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import numba
from numba.core import event


def compiled(function):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Compile with IEEE rules: division by zero gives infinity, and nothing is reordered for speed."""
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # neither this folder nor the user's cache can be written
        return numba.njit(nogil=True, error_model="numpy")(function)


@contextlib.contextmanager
def announced(line: str) -> Iterator[None]:
    """Say a line to a person who watches, once, if something is compiled here that is not kept on disk."""
    with event.install_listener("numba:compile", _Announcer(line)):
        yield


class _Announcer(event.Listener):
    def __init__(self, line: str) -> None:
        self.line = line

    def on_start(self, event: Any) -> None:  # noqa: ANN401
        """Say it at the first of several."""
        if self.line and sys.stderr.isatty():
            sys.stderr.write(f"{self.line}\n")
        self.line = ""

    def on_end(self, event: Any) -> None:  # noqa: ANN401
        """Say nothing more."""
