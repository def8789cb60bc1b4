"""The pool: who is on every row, and which pictures stand in for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmark import manifest
from benchmark.manifest import Manifest
from benchmark.runner.pool import Pool, Source, pool

Mistake = Callable[..., Any]


def table(source: str, rows: list[dict[str, Any]], **same: object) -> Manifest:
    """Make a manifest of rows that say what they hold; no picture is opened."""
    names = sorted({name for row in rows for name in row})
    columns = {name: [row.get(name) for row in rows] for name in names}
    return manifest.build(columns | {name: [value] * len(rows) for name, value in same.items()}, source, Path("/there"))


def person(number: int, pid: int, camid: int = 1, **more: object) -> dict[str, Any]:
    return {"path": f"{number:02d}.jpg", "pid": pid, "camid": camid} | more


DAY = [person(0, 5, 2), person(1, 5, 0), person(2, 9, 1), person(3, 9, 2)]
NIGHTS = [
    person(0, 9, 1, parent="day/02.jpg"),
    person(1, 5, 1, parent="day/00.jpg"),
    person(2, 9, 1, parent="day/02.jpg"),
    person(3, 4, 1, parent="day/77.jpg"),
    person(4, 4, 1),
]


def day() -> Manifest:
    return table("day", DAY, time="day")


def nights(**more: object) -> Manifest:
    return table("night", NIGHTS, **({"time": "night", "id_space": "day"} | more))


def names(made: Pool) -> list[str]:
    """Name every picture by its number."""
    return [str(image) for one in made.pictures for image in one.column("image_id")]


def test_rows_of_two_domains_are_numbered_each_within_its_own() -> None:
    other = table("b", [person(0, 5, 2, modality="infrared"), person(1, 7, 2, modality="thermal")], time="night")
    made = pool([Source("one", day()), Source("two", other)])
    assert made.starts.tolist() == [0, 4, 6]
    assert made.label.tolist() == [0, 0, 1, 1, 0, 1]
    assert made.domain.tolist() == [0, 0, 0, 0, 1, 1]
    assert made.cameras == (("b", 2), ("day", 1), ("day", 2))
    assert made.camera.tolist() == [2, -1, 1, 2, 0, 0]
    assert made.modalities == ("visible", "infrared", "thermal")
    assert made.modality.tolist() == [0, 0, 0, 0, 1, 2]
    assert made.night.tolist() == [0, 0, 0, 0, 1, 1]
    world = made.world((64, 32), "vehicle")
    assert dict(world.identities) == {"one": 2, "two": 2}
    assert (world.cameras, world.modalities, world.size, world.object) == (3, made.modalities, (64, 32), "vehicle")


def test_a_person_has_one_number_in_all_domains() -> None:
    dark = table("dark", [person(0, 9), person(1, 2), person(2, 5)], id_space="day")
    made = pool([Source("one", day()), Source("two", dark)])
    assert made.label.tolist() == [0, 0, 1, 1, 2, 0, 1]
    assert made.person.tolist() == [1, 1, 2, 2, 2, 0, 1]  # 2, 5 and 9
    assert dict(made.world((64, 32)).identities) == {"one": 2, "two": 3}


WHO = st.tuples(st.sampled_from(["b", "a", "B"]), st.integers(1, 4))


@given(st.lists(st.lists(WHO, min_size=2, max_size=8).filter(lambda who: len(set(who)) > 1), min_size=1, max_size=3))
def test_persons_are_equal_where_name_space_and_pid_are(parts: list[list[tuple[str, int]]]) -> None:
    rows = [[person(n, pid, id_space=space) for n, (space, pid) in enumerate(part)] for part in parts]
    made = pool([Source(f"set{n}", table(f"set{n}", part)) for n, part in enumerate(rows)])
    everybody = [who for part in parts for who in part]
    assert made.person.tolist() == [sorted(set(everybody)).index(who) for who in everybody]
    for start, end in zip(made.starts, made.starts[1:], strict=False):  # a label is the place among its domain's people
        own = made.person[start:end].tolist()
        assert made.label[start:end].tolist() == [sorted(set(own)).index(who) for who in own]


def test_one_number_in_two_name_spaces_is_two_people() -> None:
    rows = [person(0, 1, id_space="x"), person(1, 1, id_space="y"), person(2, 1, id_space="x")]
    made = pool([Source("one", table("day", rows))])
    assert made.label.tolist() == made.person.tolist() == [0, 1, 0]


def test_a_row_finds_its_nights_and_only_those_are_decoded() -> None:
    other = table("b", [person(0, 1), person(1, 2)])
    made = pool([Source("two", other), Source("one", day(), nights(), 0.5)])
    shown = names(made)
    assert shown[6:] == ["night/00.jpg", "night/01.jpg", "night/02.jpg"]
    found = {
        shown[made.own[row]]: [shown[twin] for twin in made.twin_pictures[slice(*made.twin_starts[row : row + 2])]]
        for row in range(6)
    }
    nothing: dict[str, list[str]] = {name: [] for name in ("b/00.jpg", "b/01.jpg", "day/01.jpg", "day/03.jpg")}
    assert found == nothing | {"day/00.jpg": ["night/01.jpg"], "day/02.jpg": ["night/00.jpg", "night/02.jpg"]}
    assert made.picture_night.tolist() == [-1, -1, 0, 0, 0, 0, 1, 1, 1]


def test_nights_that_are_never_shown_are_not_decoded() -> None:
    made = pool([Source("one", day(), nights(), 0.0)])
    assert len(made.pictures) == 1
    assert not len(made.twin_pictures)


def test_a_night_finds_the_day_it_was_made_from() -> None:
    own = nights().select([0, 1, 2])
    clean = table("day", [*DAY, person(4, 11)])
    both = pool([Source("day", clean), Source("night", own, parents=clean)])
    shown = names(both)
    assert [shown[picture] for picture in both.parent[5:]] == ["day/02.jpg", "day/00.jpg", "day/02.jpg"]
    assert both.parent[:5].tolist() == [-1] * 5
    assert shown[8:] == ["day/00.jpg", "day/02.jpg"]  # each once, and none that is no parent


def test_a_row_without_a_parent_stands_for_itself() -> None:
    rows = [person(0, 9, parent="day/02.jpg"), person(1, 5)]
    made = pool([Source("mixed", table("mixed", rows), parents=day())])
    assert made.parent.tolist() == [2, -1]


def test_what_cannot_be_trained_on_is_one_line(mistake: Mistake) -> None:
    with mistake("part", "1 of 2 rows", "no known identity"):
        pool([Source("part", table("day", [person(0, 0), person(1, 1)]))])
    with mistake("part", "2 pictures of one identity"):
        pool([Source("part", table("day", [person(0, 3), person(1, 3)]))])
    with mistake("part", "0 of 5 twins", "4 pictures"):
        pool([Source("part", table("else", DAY), nights(), 0.5)])
    with mistake("part", "2 twins of another identity", "night/00.jpg"):
        wrong = [row | {"pid": 8} if row["pid"] == 9 else row for row in NIGHTS]
        pool([Source("part", day(), table("night", wrong, id_space="day"), 0.5)])
    with mistake("part", "another identity", "night/00.jpg"):
        pool([Source("part", day(), nights(id_space="elsewhere"), 0.5)])
    with mistake("part", "4 of 5 pictures name a parent", "3 of these found", "'day/77.jpg'"):
        pool([Source("part", nights(), parents=day())])
    with mistake("part", "0 of 4 pictures name a parent"):
        pool([Source("part", day(), parents=day())])


def test_an_identity_with_one_picture_is_allowed() -> None:
    made = pool([Source("one", table("day", [person(0, 1), person(1, 2), person(2, 2)]))])
    assert np.bincount(made.label).tolist() == [1, 2]
