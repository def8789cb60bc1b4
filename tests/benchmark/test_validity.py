"""What extra columns may hold; the columns of the schema are tried in the tests of the manifest."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmark import manifest
from benchmark.errors import UserError

NAN, INF = float("nan"), float("inf")


def build(extra: object) -> manifest.Manifest:
    return manifest.build({"path": ["a.jpg", "b.jpg", "c.jpg"], "extra": extra}, "s", Path("root"))


PAIRS = pa.list_(pa.float32(), 2)


@pytest.mark.parametrize(
    ("values", "row"),
    [
        ([[NAN], [1.0], [2.0]], "a"),
        ([[1.0], None, [2.0, None, -INF]], "c"),
        ([[[1.0], []], [None, [0.0, INF]], []], "b"),
        (pa.array([[1, 2], [3, NAN], None], PAIRS), "b"),
        (pa.array([None, [1, 2], [3, NAN]], PAIRS), "c"),
        (pa.array([[], [], [NAN]], pa.large_list(pa.float64())), "c"),
        (pa.array([[], [np.float16(NAN)], []], pa.list_(pa.float16())), "b"),
    ],
)
def test_numbers_in_lists_are_finite(values: object, row: str) -> None:
    with pytest.raises(UserError, match=f"row 's/{row}.jpg', column 'extra': a number in the list is not finite"):
        build(values)


@pytest.mark.parametrize(
    "values",
    [
        [[1.0], None, [2.0, None]],
        [[[1.0], []], None, [None, [0.5]]],
        pa.array([[1, 2], None, [3, 4]], PAIRS),
        [["nan"], [], ["inf"]],
        [[1], [2], []],
        [[], [], []],
        pa.nulls(3),
    ],
)
def test_lists_of_plain_values_are_kept(values: object) -> None:
    expected = values.to_pylist() if isinstance(values, pa.Array) else values
    assert build(values).table["extra"].to_pylist() == expected


@pytest.mark.parametrize(
    "values",
    [
        [{"x": NAN}, {"x": 1.0}, None],
        [[{"x": NAN}], [], []],
        pa.array([[("k", 1.0)], [], None], pa.map_(pa.string(), pa.float64())),
    ],
)
def test_structs_and_maps_are_refused(values: object) -> None:
    with pytest.raises(UserError, match=r"column 'extra' is of type .*, must be plain or a list"):
        build(values)


def test_complaints_count_the_other_rows() -> None:
    for bad, more in ((1, ""), (2, " .and 1 more row.$"), (3, " .and 2 more rows.$")):
        with pytest.raises(UserError, match=f"or null for not measured{more}"):
            build([NAN] * bad + [0.0] * (3 - bad))
