"""Compiling is told to a person who waits for it, once."""

import io
import sys

import pytest

from benchmark import compiled


class Screen(io.StringIO):
    """A stream at which a person looks."""

    def isatty(self) -> bool:
        """Say that somebody watches."""
        return True


def fresh() -> None:
    """Compile two functions that nothing has compiled before, and call one of them again."""
    import numba

    one, two = numba.njit(lambda x: x + 1), numba.njit(lambda x: x + 2)
    assert (one(1), two(1), one(2)) == (2, 3, 3)


@pytest.mark.parametrize(("stream", "said"), [(Screen(), "wait\n"), (io.StringIO(), "")])
def test_a_line_is_said_once_and_to_a_person(stream: io.StringIO, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    with compiled.announced("wait"):
        fresh()
    fresh()
    assert stream.getvalue() == said


def test_nothing_is_said_where_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Screen()
    monkeypatch.setattr(sys, "stderr", stream)
    with compiled.announced("wait"):
        pass
    assert stream.getvalue() == ""
