"""Tests of Table I: what is counted, what the card says, what nobody knows."""

from pathlib import Path

import pytest

from benchmark import comparison, manifest
from benchmark.card import Card
from benchmark.manifest import Manifest


def small_set(times: list[str]) -> Manifest:
    paths = [f"{number}.jpg" for number in range(len(times))]
    return manifest.build({"path": paths, "pid": [1] * len(times), "time": times}, "small", Path("/nowhere"))


def test_what_nobody_knows_is_a_dash() -> None:
    assert comparison.facts(small_set(["unknown"]), None) == ["1", "-", "1", "-", "-", "-", "-"]


def test_numbers_are_counted_and_the_card_stands_beside_them_where_it_differs() -> None:
    card = Card("Small", counts={"all": (28000, 1)}, cameras=8, view="parallel", labelling="hand")
    found = dict(zip(comparison.FACTS, comparison.facts(small_set(["night"] * 3), card), strict=True))
    assert found["Image Number"] == "3 (card: 28,000)"
    assert found["Identity Number"] == "1"
    assert found["Camera Number"] == "- (card: 8)"
    assert (found["Viewpoint"], found["Labeling Method"], found["Time of Day"]) == ("parallel", "hand", "night")


def test_a_card_that_knows_no_total_contradicts_nothing() -> None:
    facts = comparison.facts(small_set(["day", "night", "night", "night"]), Card("Small", counts={"all": (None, None)}))
    assert facts == ["1", "-", "4", "-", "-", "-", "day 25 %, night 75 %"]


@pytest.mark.parametrize(
    ("share", "said"), [(None, "-"), (0.0, "NO"), (0.45, "YES (45 %)"), (0.0004, "YES (< 0.1 %)"), (1.0, "YES (100 %)")]
)
def test_glimmer_images_are_said_with_their_share(share: float | None, said: str) -> None:
    assert comparison.glimmer(share) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0, "0 %"),
        (0.001, "0.1 %"),
        (0.0099, "1.0 %"),
        (0.5, "50 %"),
        (0.994, "99.4 %"),
        (0.9999, "> 99.9 %"),
        (1, "100 %"),
    ],
)
def test_a_share_never_reads_as_nothing_or_all_where_it_is_not(share: float, said: str) -> None:
    assert comparison.percent(share) == said


def test_sets_of_one_title_are_told_apart_by_their_sources() -> None:
    sets = [small_set(["day"]), small_set(["day"]), small_set(["day"])]
    assert comparison.titles(sets, [Card("A"), Card("B"), None]) == ["A", "B", "small (3)"]
    assert comparison.titles(sets, [Card("A"), Card("A"), None]) == ["small (1)", "small (2)", "small (3)"]
