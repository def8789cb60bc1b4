"""A person's mistake is one line, also where the text it quotes has several."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.errors import UserError, nearest


@given(st.text())
def test_a_message_is_always_one_line(text: str) -> None:
    assert len(str(UserError(text)).splitlines()) <= 1


def test_a_message_survives_the_way_back_from_a_worker() -> None:
    error = UserError("two\nlines")
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "two lines"


@pytest.mark.parametrize(
    ("name", "allowed", "text"),
    [
        ("serail", ["processes", "serial"], "did you mean 'serial'? allowed: processes, serial"),
        ("xyz", ["processes", "serial"], "allowed: processes, serial"),
        ("xyz", [], "there are none"),
    ],
)
def test_nearest_names_the_closest_first_and_all_that_is_allowed(name: str, allowed: list[str], text: str) -> None:
    assert nearest(name, allowed) == text
