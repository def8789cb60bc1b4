"""Filters on columns of every kind, and what a person reads where one leaves nothing."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmark import filters, manifest
from benchmark.manifest import Manifest

Mistake = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def five() -> Manifest:
    return manifest.build(
        {
            "path": [f"{place}.jpg" for place in range(5)],
            "pid": [1, 1, 2, 3, 0],
            "camid": [1, 2, 1, 2, 3],
            "split": ["train", "train", "test", "test", "test"],
            "query": [False, False, True, False, False],
            "time": ["day", "night", "night", "day", "night"],
            "subsets": [[], ["list-1"], ["list-1", "list-2"], ["list-10"], []],
            "exposure": [None, -2.0, -0.1, -2.0, None],
            "slot": [None, "noon", None, "morning", "noon"],
        },
        "set",
        Path("/nowhere"),
    )


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [
        ({"split": ["test"]}, [2, 3, 4]),
        ({"query": [True]}, [2]),
        ({"query": [False]}, [0, 1, 3, 4]),
        ({"camid": [2, 3]}, [1, 3, 4]),
        ({"camid": [70_000, 1]}, [0, 2]),  # what no row can hold is found in none
        ({"exposure": [-0.1]}, [2]),
        ({"exposure": [-2]}, [1, 3]),
        ({"subsets": ["list-1"]}, [1, 2]),
        ({"subsets": ["list-2", "list-10"]}, [2, 3]),
        ({"slot": ["noon"]}, [1, 4]),
        ({"time": ["night"], "split": ["test"], "camid": [1, 2]}, [2]),
    ],
)
def test_all_filters_must_hold_and_one_value_is_enough(
    five: Manifest, wanted: dict[str, list[filters.Value]], rows: list[int]
) -> None:
    assert np.flatnonzero(filters.meet(five, wanted, "lab: [query]")).tolist() == rows


def test_the_filter_that_left_nothing_is_named_with_what_was_there(five: Manifest, mistake: Mistake) -> None:
    with mistake("lab: [query] camid = 3 leaves none of 2 rows; they have 1, 2"):
        filters.meet(five, {"split": ["train"], "camid": [3], "time": ["day"]}, "lab: [query]")
    with mistake("[query] subsets = 'list-3' leaves none of 3 rows; they have 'list-", "'list-10'"):
        filters.meet(five, {"split": ["test"], "subsets": ["list-3"]}, "lab: [query]")
    with mistake("subsets = 'list-1' leaves none of 1 row; they have nothing there"):
        filters.meet(five, {"camid": [3], "subsets": ["list-1"]}, "lab: [query]")


def test_many_values_are_not_all_listed(mistake: Mistake) -> None:
    many = manifest.build(
        {"path": [f"{place}.jpg" for place in range(30)], "subsets": [[f"test-{place}"] for place in range(30)]},
        "set",
        Path("/nowhere"),
    )
    with mistake("'test-2', ", ", ..."):
        filters.meet(many, {"subsets": ["tset-2"]}, "lab: [query]")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("tiem", "day", "unknown column 'tiem'; did you mean 'time'?"),
        ("time", "nihgt", "time = 'nihgt'; did you mean 'night'? allowed: day, night, unknown"),
        ("camid", "1", "camid = '1': must be a whole number"),
        ("camid", True, "camid = true: must be a whole number"),
        ("query", 1, "query = 1: must be true or false"),
        ("slot", 3, "slot = 3: must be a text"),
        ("subsets", 3, "subsets = 3: must be a text"),
        ("exposure", "dark", "exposure = 'dark': must be a number"),
    ],
)
def test_an_unknown_column_and_a_wrong_value_are_named(
    five: Manifest, mistake: Mistake, name: str, value: filters.Value, words: str
) -> None:
    with mistake(f"lab: [gallery] {words}"):
        filters.meet(five, {name: [value]}, "lab: [gallery]")


def test_a_column_of_lists_of_lists_cannot_be_filtered(five: Manifest, mistake: Mistake) -> None:
    odd = five.with_columns(pose=pa.array([[[1.0]]] * 5))
    with mistake("pose = 1: must be of a column that can be filtered; this one is of type list"):
        filters.meet(odd, {"pose": [1]}, "lab: [query]")
