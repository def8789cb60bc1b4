"""`data diff`: hand-made cases, and the laws of a difference."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark import manifest
from benchmark.difference import difference
from benchmark.manifest import Manifest


def make(**columns: object) -> Manifest:
    base: dict[str, object] = {"path": [f"{number}.jpg" for number in range(5)], "pid": [1, 2, 3, 4, 5]}
    return manifest.build(base | columns, "s", Path("root"))


def same_hashes() -> list[str]:
    return ["labels_sha256 is equal", "data_sha256 is equal"]


def test_rows_added_and_removed() -> None:
    old, new = make().select([0, 1, 2]), make().select([2, 3])
    lines = difference(old, new)
    assert lines[:2] == ["2 rows removed: s/0.jpg, s/1.jpg", "1 row added: s/3.jpg"]
    assert lines[2:] == [
        f"labels_sha256 differs: {old.labels_sha256} -> {new.labels_sha256}",
        "data_sha256 is equal",  # none of the two is measured
    ]
    assert difference(old.select([0]), new)[1] == "2 rows added: s/2.jpg, s/3.jpg"


def test_more_than_three_are_counted() -> None:
    assert difference(make().select([4]), make())[0] == "4 rows added: s/0.jpg, s/1.jpg, s/2.jpg, ..."


@pytest.mark.parametrize(
    ("name", "old", "new", "line"),
    [
        ("pid", [1, 2, 3, 4, 5], [1, 2, 7, 4, 5], "1 row changed: s/2.jpg 3 -> 7"),
        ("frame", [1, None, None, 4, 5], [None, 2, None, 4, 5], "2 rows changed: s/0.jpg 1 -> null, s/1.jpg null -> 2"),
        ("exposure", [0.0, 0.5, None, 1, 1], [0.0, -0.25, None, 1, 1], "1 row changed: s/1.jpg 0.5 -> -0.25"),
        (
            "subsets",
            [["a"], [], [], [], []],
            [["a"], ["b", "c"], [], [], []],
            "1 row changed: s/1.jpg [] -> ['b', 'c']",
        ),
        ("mood", ["a", None, "", "d", "e"], ["a", "", "", "d", "e"], "1 row changed: s/1.jpg null -> "),
        ("query", [True] * 5, [True, False, True, True, True], "1 row changed: s/1.jpg True -> False"),
        (
            "scene",
            ["a"] * 5,
            ["b"] * 5,
            "5 rows changed: s/0.jpg a -> b, s/1.jpg a -> b, s/2.jpg a -> b, ...",
        ),
    ],
)
def test_values_changed(name: str, old: list[object], new: list[object], line: str) -> None:
    lines = difference(make(**{name: old}), make(**{name: new}))
    assert lines[0] == f"column {name}: {line}"
    # Some of these columns are labels, which the hash sees; the others leave it alone.
    equal = name not in ("pid", "subsets", "query")
    assert (lines[1] == "labels_sha256 is equal") == equal
    assert len(lines) == 3


def test_columns_added_removed_and_of_another_type() -> None:
    old = make(mood=["a"] * 5, level=pa.array([1] * 5, pa.int32()))
    new = make(level=pa.array([1] * 5, pa.int64()), view=["top"] * 5)
    assert difference(old, new) == [
        "column level has another type: int32 -> int64",
        "column mood removed",
        "column view added",
        *same_hashes(),
    ]


def test_columns_without_any_value_are_compared() -> None:
    blank, empty = make(mood=pa.nulls(5)), make(mood=pa.array([None] * 5, pa.string()))
    said = make(mood=[None, "calm", None, None, None])
    assert difference(blank, make(mood=pa.nulls(5))) == []
    assert difference(blank, empty) == ["column mood has another type: null -> string", *same_hashes()]
    assert difference(blank, said) == [
        "column mood has another type: null -> string",
        "column mood: 1 row changed: s/1.jpg null -> calm",
        *same_hashes(),
    ]
    assert difference(said, blank)[1] == "column mood: 1 row changed: s/1.jpg calm -> null"
    lists = make(mood=[[1.5], None, None, None, None])
    assert difference(lists, blank)[1] == "column mood: 1 row changed: s/0.jpg [1.5] -> null"


def test_half_floats_are_compared() -> None:
    one, other = (make(mood=np.array([1, 2, 3, 4, last], np.float16)) for last in (5, 6))
    assert difference(one, other)[0] == "column mood: 1 row changed: s/4.jpg 5 -> 6"


def test_values_are_compared_row_by_row_where_rows_moved() -> None:
    # A row in front moves all the others; only what one row says before and after counts.
    old = make().select([1, 2, 3])
    new = make(pid=[9, 2, 3, 8, 5])
    lines = difference(old, new)
    assert lines[0] == "2 rows added: s/0.jpg, s/4.jpg"
    assert lines[1] == "column pid: 1 row changed: s/3.jpg 4 -> 8"


def test_manifests_without_a_common_row() -> None:
    lines = difference(make().select([0]), make().select([1]))
    assert lines[:2] == ["1 row removed: s/0.jpg", "1 row added: s/1.jpg"]
    assert len(lines) == 4


rows = st.fixed_dictionaries(
    {
        "pid": st.integers(-1, 3),
        "camid": st.integers(0, 2),
        "frame": st.none() | st.integers(0, 2),
        "noise": st.none() | st.floats(0, 1, width=16),
        "subsets": st.lists(st.sampled_from(["a", "b"]), unique=True),
        "mood": st.none() | st.sampled_from(["calm", "wild"]),
    }
)
tables = st.dictionaries(st.integers(0, 5), rows, min_size=1)


def from_rows(table: dict[int, dict[str, object]]) -> Manifest:
    columns: dict[str, object] = {name: [row[name] for row in table.values()] for name in next(iter(table.values()))}
    columns["noise"] = pa.array(columns["noise"], pa.float32())
    columns["mood"] = pa.array(columns["mood"], pa.string())
    return manifest.build({"path": [f"{key}.jpg" for key in table], **columns}, "s", Path("root"))


def mirrored(lines: list[str]) -> list[str]:
    swap = {"added": "removed", "removed": "added"}
    turned = [re.sub(r"\b(added|removed)\b", lambda found: swap[found[0]], line) for line in lines]
    value = r"(\[[^\]]*\]|[^ ,]+)"
    return sorted(re.sub(rf"{value} -> {value}", r"\2 -> \1", line) for line in turned)


@settings(deadline=None)
@given(tables)
def test_nothing_differs_from_itself(table: dict[int, dict[str, object]]) -> None:
    shuffled = dict(sorted(table.items(), reverse=True))
    assert difference(from_rows(table), from_rows(shuffled)) == []


@settings(deadline=None)
@given(tables, tables)
def test_a_difference_read_backwards_is_its_mirror(
    one: dict[int, dict[str, object]], other: dict[int, dict[str, object]]
) -> None:
    forth, back = difference(from_rows(one), from_rows(other)), difference(from_rows(other), from_rows(one))
    assert mirrored(forth) == sorted(back)


@settings(deadline=None)
@given(tables, tables)
def test_the_counts_are_those_of_a_plain_comparison(
    one: dict[int, dict[str, object]], other: dict[int, dict[str, object]]
) -> None:
    lines = difference(from_rows(one), from_rows(other))
    counts = {
        found[1]: int(found[2]) for line in lines if (found := re.match(r"column (\w+): (\d+) rows? changed", line))
    }
    common = one.keys() & other.keys()
    plain = {
        name: sum(_plain(one[key][name]) != _plain(other[key][name]) for key in common)
        for name in ("pid", "camid", "frame", "noise", "subsets", "mood")
    }
    # The place is the camera where nobody says otherwise.
    plain["place"] = plain["camid"]
    assert counts == {name: count for name, count in plain.items() if count}


def _plain(value: object) -> object:
    if isinstance(value, list):
        return sorted(value)
    return np.float32(value) if isinstance(value, float) else value
