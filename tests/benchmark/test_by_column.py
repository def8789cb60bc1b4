"""A scheme made of a column: whatever its type, its levels are told apart, and what cannot be cut is refused."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import by_column
from benchmark.strata import SCHEMES

Mistake = Callable[..., AbstractContextManager[None]]


def levels(text: str, column: pa.Array) -> list[str | None]:
    """Give the level of every row of a table that has one column more."""
    name = text.partition(":")[0]
    rows = pa.table({name: column, "modality": ["visible"] * len(column)})
    found = by_column.divided(by_column.scheme(text, [rows]), rows)
    return [found.levels[code] if code >= 0 else None for code in found.codes]


def test_texts_are_levels_in_sorted_order() -> None:
    column = pa.array(["night", None, "day", "night"])
    assert levels("time", column) == ["night", None, "day", "night"]
    assert levels("time", column.dictionary_encode()) == ["night", None, "day", "night"]
    assert levels("time", column.cast(pa.large_string())) == ["night", None, "day", "night"]
    rows = pa.table({"time": column})
    assert by_column.divided(by_column.scheme("time", [rows]), rows).levels == ("day", "night")


def test_truth_is_two_levels() -> None:
    assert levels("distractor", pa.array([True, False, None])) == ["true", "false", None]


def test_whole_numbers_are_levels_and_an_unknown_camera_is_in_none() -> None:
    column = pa.array([10, 9, None, 1_234_567, 0], pa.int32())
    assert levels("frame", column) == ["10", "9", None, "1234567", "0"]
    assert levels("camid", column) == ["10", "9", None, "1234567", None]
    assert levels("place", column) == ["10", "9", None, "1234567", None]


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
def test_fractions_are_levels_in_whatever_precision(kind: pa.DataType) -> None:
    numbers = np.array([0.5, 0.25, np.nan, -0.0, 12.0]).astype(kind.to_pandas_dtype())
    assert levels("noise", pa.array(numbers, kind)) == ["0.5", "0.25", None, "0", "12"]
    small = np.array([0.01, 0.02], dtype=np.float32)
    assert levels("noise", pa.array(small)) == ["0.01", "0.02"]
    assert levels("noise", pa.array(small.astype(np.float64))) == ["0.01", "0.02"]


@given(st.lists(st.integers(-300, 300), min_size=1, max_size=20), st.sampled_from(["int16", "int64", "float32"]))
def test_edges_equal_their_slow_twin(values: list[int], kind: str) -> None:
    expected = ["below -64" if v < -64 else "-64 to 128.5" if v < 128.5 else "128.5 and up" for v in values]
    assert levels("frame:-64,128.5", pa.array(values, kind)) == expected


def test_an_edge_opens_its_level_in_the_precision_of_the_column() -> None:
    column = pa.array(np.array([-2.9, np.nextafter(np.float32(-2.9), np.float32(-9))], dtype=np.float32))
    assert levels("stops:-4.9,-2.9", column) == ["-2.9 and up", "-4.9 to -2.9"]


def test_a_made_scheme_is_known_by_what_it_cuts() -> None:
    rows = pa.table({"size": [1.0], "h": [1.0], "camid": [1], "lightness": [1.0], "exposure": [0.0], "time": ["day"]})
    made = [by_column.scheme(text, [rows]) for text in ("size:64,128", "size: 64 , 128.0", "size:64,129", "h:64,128")]
    assert made[0].id == made[1].id
    assert len({one.sha256 for one in made}) == 3
    assert made[0].id.startswith("size@")
    light = by_column.scheme("lightness:25.5,51", [rows])
    # The same edges on the same pictures are the same cut, whatever it is called.
    assert light.sha256 == SCHEMES["night600-light"].sha256
    assert by_column.scheme("night600-light", [rows]) is SCHEMES["night600-light"]
    assert by_column.scheme("exposure", [rows]) is SCHEMES["exposure"]
    assert by_column.scheme("exposure:-1,0", [rows]).levels == ("below -1", "-1 to 0", "0 and up")
    # Rounded to a tenth or to six digits is not the same cut.
    fine, tenths = by_column.scheme("size", [rows]), by_column.scheme("camid", [rows])
    assert (fine.digits, tenths.digits) == (6, 1)


@pytest.mark.parametrize("name", by_column.LIGHT)
def test_a_measure_of_light_is_light(name: str) -> None:
    rows = pa.table({name: [1.0]})
    assert by_column.scheme(name, [rows]).light
    assert by_column.scheme(f"{name}:1,2", [rows]).light


def test_many_fractions_need_edges(mistake: Mistake) -> None:
    column = pa.array(np.linspace(0, 100, 101, dtype=np.float32))
    with mistake("luma: 101 different values, at most 12", "such as luma:25,50,75"):
        levels("luma", column)
    assert len(set(levels("luma", column[:12]))) == 12
    assert levels("luma:25,50,75", column)[25] == "25 to 50"


def test_names_are_no_groups(mistake: Mistake) -> None:
    count = by_column.MOST_LEVELS + 1
    with mistake("image_id: 257 different values, at most 256 can be levels"):
        levels("image_id", pa.array([f"{number}" for number in range(count)]))
    with mistake("pid: 257 different values", "such as pid:64,128,192"):
        levels("pid", pa.array(range(count)))
    assert len(set(levels("pid", pa.array(range(count - 1))))) == 256


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("szie", ["no scheme or column is called 'szie'", "did you mean 'size'?", "night600-light"]),
        ("stops-5:1,2", ["stops-5 has edges of its own; name its column, stops:1,2"]),
        ("size:", ["numbers between commas"]),
        ("size:64,big", ["numbers between commas"]),
        ("size:64,nan", ["numbers between commas"]),
        ("size:128,64", ["must ascend"]),
        ("size:64,64", ["must ascend"]),
        ("time:1,2", ["'time' holds texts, which have no edges; write time"]),
        ("subsets", ["list<item: string>", "cannot be cut", "size, time"]),
        ("day", ["date32[day]", "cannot be cut"]),
    ],
)
def test_what_cannot_be_cut_is_refused(text: str, words: list[str], mistake: Mistake) -> None:
    rows = pa.table({"size": [1.0], "time": ["day"], "subsets": [["a"]], "day": [date(2024, 1, 1)]})
    with mistake(*words):
        by_column.scheme(text, [rows])


def test_only_what_is_cut_counts_as_a_value() -> None:
    # Twenty infrared pictures of as many brightnesses are in no level, so they are not too many for one.
    modality = ["visible", "visible", *["infrared"] * 20]
    rows = pa.table({"luma": np.arange(22, dtype=np.float32), "modality": modality})
    assert by_column.divided(by_column.scheme("luma", [rows]), rows).levels == ("0", "1")
