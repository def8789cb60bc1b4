"""Which rows a query does not see: published vectors, a slow twin, and the pairs against the table of all pairs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from benchmark import junk, manifest
from benchmark.columns import MEASURED
from benchmark.manifest import Manifest
from benchmark.protocol import Junk, load

ROOMS = {1: 1, 2: 2, 3: 2, 4: 4, 5: 5, 6: 6}  # SYSU-MM01: cam2 and cam3 look into one room


class Row(NamedTuple):
    """All that the rules may look at."""

    pid: int
    place: int
    content: int = 0  # 0: like no other
    space: str = "world"


def rows(people: list[Row], source: str) -> Manifest:
    numbers = dict.fromkeys(MEASURED, [1.0] * len(people)) | dict.fromkeys(("width", "height"), [9] * len(people))
    names = [f"copy {row.content}" if row.content else f"{source}{place}" for place, row in enumerate(people)]
    hashes = [name.encode().hex().ljust(64, "0") for name in names]
    columns: dict[str, object] = numbers | {"stops": [-5.0] * len(people), "sha256": hashes}
    columns |= {"path": [f"{place:04d}.jpg" for place in range(len(people))], "camid": [row.place for row in people]}
    columns |= {"pid": [row.pid for row in people], "id_space": [row.space for row in people]}
    return manifest.build(columns, source, Path("/nowhere"))


def kept(query: Row, gallery: list[Row], rules: Junk) -> list[int]:
    hidden, _ = junk.masks(*junk.codes(rows([query], "q"), rows(gallery, "g")), rules)
    return [row.pid for row, unseen in zip(gallery, hidden[0], strict=True) if not unseen]


MARKET, SYSU, REGDB, LLCM = (
    load(name).junk for name in ("market-style", "sysu-all-single-official", "regdb-vt", "llcm-a-ir-vis")
)

# (query, ranked gallery, rule, who is left): pid and camera, 0 where there is none. Junk of pid -1 never gets this far.
VECTORS = [
    ((1, 3), [(1, 2), (2, 1), (1, 1)], SYSU, [2, 1]),
    ((1, 6), [(2, 1), (2, 4), (1, 5)], SYSU, [2, 2, 1]),
    ((1, 0), [(2, 0), (2, 0), (1, 0)], REGDB, [2, 2, 1]),
    ((1, 1), [(1, 1), (2, 1), (1, 2), (0, 2), (1, 3)], MARKET, [2, 1, 0, 1]),
    ((1, 1), [(1, 2), (3, 2), (1, 3)], MARKET, [1, 3, 1]),
    ((5, 4), [(5, 4), (7, 4), (5, 1)], LLCM, [7, 5]),
    ((1, 3), [(2, 2), (3, 1), (1, 1)], SYSU, [3, 1]),
    ((1, 3), [(2, 2), (3, 1), (1, 1)], MARKET, [2, 3, 1]),
    ((1, 6), [(2, 1), (1, 1), (1, 1), (3, 4), (1, 5)], SYSU, [2, 1, 1, 3, 1]),
    ((1, 0), [(1, 0), (2, 0), (1, 0)], REGDB, [1, 2, 1]),
]


@pytest.mark.parametrize(("query", "gallery", "rules", "left"), VECTORS)
def test_the_golden_vectors_keep_who_they_should(
    query: tuple[int, int], gallery: list[tuple[int, int]], rules: Junk, left: list[int]
) -> None:
    assert kept(Row(*query), [Row(*row) for row in gallery], rules) == left


@pytest.mark.parametrize(("query", "gallery", "rules", "left"), [one for one in VECTORS if one[2] is SYSU])
def test_the_rule_of_sysu_holds_whether_places_are_rooms_or_cameras(
    query: tuple[int, int], gallery: list[tuple[int, int]], rules: Junk, left: list[int]
) -> None:
    in_rooms = [Row(pid, ROOMS[camera]) for pid, camera in gallery]
    assert kept(Row(query[0], ROOMS[query[1]]), in_rooms, rules) == left


def test_the_rules_say_what_they_are() -> None:
    assert MARKET.words == "own copy; same identity same place"
    assert REGDB.words == "own copy"
    assert SYSU.words == "own copy; place 2 for a query at place 2; place 2 for a query at place 3"


def slow(query: Row, other: Row, rules: Junk) -> tuple[bool, bool]:
    """Say of one pair whether the row is hidden, and whether it is a positive."""
    same = query.space == other.space and query.pid == other.pid and query.pid >= 1
    hidden = same and query.content == other.content != 0
    if rules.same_place and same and query.place == other.place and query.place != 0:
        hidden = True
    if (query.place, other.place) in rules.place_pairs:
        hidden = True
    return hidden, same and not hidden


def crowd(rng: np.random.Generator, count: int, low: int) -> list[Row]:
    """Draw people of two spaces whose numbers overlap; some places are unknown and some files equal."""
    draws = zip(rng.integers(low, 5, count), rng.integers(0, 4, count), rng.choice([0, 0, 0, 1, 2], count), strict=True)
    return [Row(int(pid), int(place), int(copy), str(rng.choice(["here", "there"]))) for pid, place, copy in draws]


RULES = [
    Junk(),
    Junk(same_place=False),
    Junk(place_pairs=((1, 2), (3, 3))),
    Junk(same_place=False, place_pairs=((2, 1), (2, 3))),
]


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("seed", range(3))
def test_masks_and_matches_are_what_a_slow_look_at_every_pair_finds(rules: Junk, seed: int) -> None:
    rng = np.random.default_rng(seed)
    asking, searched = crowd(rng, 40, 0), crowd(rng, 60, 0)
    query, gallery = junk.codes(rows(asking, "q"), rows(searched, "g"))
    expected = np.array([[slow(one, other, rules) for other in searched] for one in asking])
    hidden, positive = junk.masks(query, gallery, rules)
    np.testing.assert_array_equal(hidden, expected[:, :, 0])
    np.testing.assert_array_equal(positive, expected[:, :, 1])
    assert hidden.any()
    assert positive.any()

    found = junk.matches(query, gallery, rules)
    np.testing.assert_array_equal(found.positives(), positive.sum(axis=1))
    for index in range(len(asking)):
        pairs = slice(found.starts[index], found.starts[index + 1])
        here = found.gallery[pairs]
        assert here[~found.hidden[pairs]].tolist() == np.flatnonzero(positive[index]).tolist()
        # Whoever else is hidden is so because of the place alone.
        others = np.setdiff1d(np.flatnonzero(hidden[index]), here[found.hidden[pairs]])
        unseen = junk.unseen(asking[index].place, gallery, rules)
        assert set(others) <= set(np.flatnonzero(unseen)) <= set(np.flatnonzero(hidden[index]))


def test_some_queries_at_a_time_are_the_same_as_all() -> None:
    rng = np.random.default_rng(7)
    query, gallery = junk.codes(rows(crowd(rng, 30, 1), "q"), rows(crowd(rng, 50, 0), "g"))
    whole = junk.masks(query, gallery, RULES[2])
    parts = [junk.masks(query.part(start, start + 7), gallery, RULES[2]) for start in range(0, 30, 7)]
    for place in (0, 1):
        np.testing.assert_array_equal(np.concatenate([part[place] for part in parts]), whole[place])


def test_an_own_copy_is_hidden_in_every_protocol_and_anothers_is_named() -> None:
    query, gallery = junk.codes(
        rows([Row(1, 1, 7)], "q"), rows([Row(1, 2, 7), Row(2, 2, 7), Row(0, 2, 7), Row(1, 3)], "g")
    )
    for rules in RULES[:2]:
        assert junk.masks(query, gallery, rules)[0].tolist() == [[True, False, False, False]]
    asker, row = junk.twins(query, gallery)
    assert list(zip(asker.tolist(), row.tolist(), strict=True)) == [(0, 1), (0, 2)]


def test_the_picture_itself_is_its_own_copy_without_a_hash() -> None:
    both = rows([Row(1, 0), Row(1, 0)], "set")
    bare = both.with_columns(**{name: pa.nulls(2) for name in MEASURED})
    codes = junk.codes(bare, bare)
    assert junk.masks(*codes, Junk())[0].tolist() == [[True, False], [False, True]]
    assert junk.matches(*codes, Junk()).hidden.tolist() == [True, False, False, True]
    assert junk.twins(*codes)[0].tolist() == []


def test_a_picture_with_two_identities_is_refused(mistake: Callable[..., AbstractContextManager[None]]) -> None:
    with mistake("set/0000.jpg", "one identity as a query and another in the gallery"):
        junk.codes(rows([Row(1, 1)], "set"), rows([Row(2, 1)], "set"))


def test_no_positive_is_an_error_that_says_why(mistake: Callable[..., AbstractContextManager[None]]) -> None:
    codes = junk.codes(rows([Row(1, 1), Row(8, 1)], "q"), rows([Row(1, 1), Row(2, 2)], "g"))
    with mistake("lab: no query has a positive", "1 have an identity that is absent", "same identity same place"):
        junk.require_positives(*codes, Junk(), "lab")
    junk.require_positives(*codes, Junk(same_place=False), "lab")


def test_identities_of_two_spaces_do_not_meet_whatever_their_numbers() -> None:
    # With the spaces 256 apart, 300 of the first would be 44 of the second.
    query, gallery = junk.codes(
        rows([Row(300, 1, space="a"), Row(44, 1, space="b")], "q"),
        rows([Row(44, 2, space="b"), Row(300, 2, space="a"), Row(300, 2, space="b"), Row(44, 2, space="a")], "g"),
    )
    found = junk.masks(query, gallery, Junk())[1]
    assert found.tolist() == [[False, True, False, False], [True, False, False, False]]
