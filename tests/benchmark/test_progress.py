"""Progress changes nothing about the items, and says nothing to nobody."""

import io
import sys

import pytest

from benchmark import progress


class Screen(io.StringIO):
    """A stream at which a person looks."""

    def isatty(self) -> bool:
        """Say that somebody watches."""
        return True


def test_items_pass_in_silence_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", -1.0)
    assert list(progress.track(range(5), "count")) == [0, 1, 2, 3, 4]
    assert stream.getvalue() == ""


@pytest.mark.parametrize(("patience", "shown"), [(-1.0, True), (1000.0, False)])
def test_a_bar_shows_on_a_screen_once_patience_is_over(
    monkeypatch: pytest.MonkeyPatch, patience: float, shown: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Screen())
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", patience)
    stream = sys.stderr
    assert list(progress.track(iter(range(5)), "count pictures", total=5)) == [0, 1, 2, 3, 4]
    assert isinstance(stream, Screen)
    assert ("count pictures" in stream.getvalue()) is shown


def test_items_count_as_much_as_they_weigh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Screen())
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", -1.0)
    stream = sys.stderr
    for _ in progress.track(["ab", "cde"], "letters", 5, len):
        pass
    assert isinstance(stream, Screen)
    assert "5/5" in stream.getvalue()


def test_an_error_and_an_early_end_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Screen())
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", -1.0)
    bar = progress.track([1, 2, 0], "divide")
    with pytest.raises(ZeroDivisionError):
        [1 // item for item in bar]
    for item in progress.track([1, 2, 3], "stop early"):
        if item == 2:
            break
    assert item == 2
