"""Numbers in words."""

import pytest

from benchmark.console import count


@pytest.mark.parametrize(
    ("number", "nouns", "text"),
    [
        (0, ("row",), "no rows"),
        (1, ("row",), "1 row"),
        (2, ("row",), "2 rows"),
        (12936, ("row",), "12,936 rows"),
        (0, ("identity", "identities"), "no identities"),
        (1, ("identity", "identities"), "1 identity"),
        (3, ("identity", "identities"), "3 identities"),
    ],
)
def test_counts_agree_with_their_nouns(number: int, nouns: tuple[str, ...], text: str) -> None:
    assert count(number, *nouns) == text
