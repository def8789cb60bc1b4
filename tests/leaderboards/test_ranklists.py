"""Rank lists: two forms that say the same, distances that are places, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.errors import UserError
from leaderboards import ranklists

NAMES = [f"s/{letter}.jpg" for letter in "abcdefg"]
ROWS = [("q/1", NAMES[:3]), ("q/2", [NAMES[2], NAMES[0], NAMES[1]])]


def wide(path: Path, rows: list[tuple[str, list[str]]], **more: Any) -> Path:  # noqa: ANN401
    pq.write_table(pa.table({"query": [row[0] for row in rows], "gallery": [row[1] for row in rows]} | more), path)
    return path


def long(rows: list[tuple[str, list[str]]], order: list[int] | None = None) -> pa.Table:
    found = [(query, place, name) for query, images in rows for place, name in enumerate(images, 1)]
    found = [found[place] for place in order] if order else found
    return pa.table(dict(zip(("query", "rank", "gallery"), map(list, zip(*found, strict=True)), strict=True)))


def as_dict(lists: ranklists.RankLists) -> dict[tuple[str, int], list[str]]:
    made = {}
    for place, query in enumerate(lists.query):
        items = lists.items[lists.starts[place] : lists.starts[place + 1]]
        made[lists.names[query], int(lists.trial[place])] = [lists.names[item] for item in items]
    return made


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        ranklists.load(path)
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


@given(data=st.data())
@settings(max_examples=25)
def test_all_forms_of_equal_lists_become_equal_bytes(data: st.DataObject, tmp_path_factory: Any) -> None:  # noqa: ANN401
    rows = [(f"q/{number}", data.draw(st.permutations(NAMES))) for number in range(data.draw(st.integers(1, 4)))]
    shuffled = data.draw(st.permutations(range(len(rows) * len(NAMES))))
    folder = tmp_path_factory.mktemp("forms")
    pq.write_table(long(rows, shuffled), folder / "long.parquet")
    pa_csv.write_csv(long(rows, shuffled), folder / "long.csv")
    found = [
        ranklists.load(wide(folder / "wide.parquet", rows)),
        ranklists.load(wide(folder / "turned.parquet", rows[::-1])),
        ranklists.load(folder / "long.parquet"),
        ranklists.load(folder / "long.csv"),
    ]
    assert all(as_dict(one) == {(query, ranklists.ALL): images for query, images in rows} for one in found)
    assert len({ranklists.encoded(one) for one in found}) == 1


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    lists = ranklists.load(wide(tmp_path / "r.parquet", [*ROWS, *ROWS], trial=[1, 1, 0, 0]))
    (tmp_path / "ranks.parquet").write_bytes(ranklists.encoded(lists))
    back = ranklists.read(tmp_path / "ranks.parquet", lists.names)
    assert as_dict(back) == as_dict(lists)
    assert sorted(set(back.trial)) == [0, 1]


def test_texts_in_other_encodings_are_the_same_texts(tmp_path: Path) -> None:
    table = pa.table({"query": [row[0] for row in ROWS], "gallery": [row[1] for row in ROWS]})
    kind = pa.dictionary(pa.int32(), pa.string())
    pq.write_table(
        pa.table(
            {"query": table["query"].cast(kind), "gallery": table["gallery"].cast(pa.large_list(pa.large_string()))}
        ),
        tmp_path / "odd.parquet",
    )
    assert as_dict(ranklists.load(tmp_path / "odd.parquet")) == as_dict(
        ranklists.load(wide(tmp_path / "r.parquet", ROWS))
    )


def test_a_row_that_a_list_does_not_name_stands_behind_its_last(tmp_path: Path) -> None:
    lists = ranklists.load(wide(tmp_path / "r.parquet", ROWS))
    place = {name: number for number, name in enumerate(lists.names)}
    gallery = [*NAMES[:3], "q/1", None]  # an image of another role, and one that no list names
    positions = np.array([ranklists.NOWHERE if name is None else place[name] for name in gallery])
    found = ranklists.distances(lists, 0, np.array([place["q/2"], place["q/1"]]), positions)
    known = dict(ROWS)
    for row, query in zip(found, ("q/2", "q/1"), strict=True):
        expected = [known[query].index(name) if name in known[query] else 3 for name in gallery]
        assert row.tolist() == expected


def test_a_trial_has_its_own_lists(tmp_path: Path) -> None:
    turned = [(query, images[::-1]) for query, images in ROWS]
    lists = ranklists.load(wide(tmp_path / "r.parquet", [*ROWS, *turned], trial=[0, 0, 1, 1]))
    place = {name: number for number, name in enumerate(lists.names)}
    query, gallery = np.array([place["q/1"]]), np.array([place[name] for name in NAMES[:3]])
    assert ranklists.distances(lists, 0, query, gallery).tolist() == [[0, 1, 2]]
    assert ranklists.distances(lists, 1, query, gallery).tolist() == [[2, 1, 0]]


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "an image twice": ({"query": ["q"], "gallery": [["a", "b", "a"]]}, "query 'q': its list names 'a' twice"),
    "a query twice": ({"query": ["q", "q"], "gallery": [["a"], ["b"]]}, "query 'q' has 2 lists"),
    "an empty list": ({"query": ["q", "r"], "gallery": [["a"], []]}, "query 'r': its list is empty"),
    "no list at all": ({"query": [None], "gallery": [["a"]]}, "column 'query' holds 1 nulls"),
    "a null list": ({"query": ["q"], "gallery": [None]}, "column 'gallery' holds 1 nulls"),
    "a null image": ({"query": ["q"], "gallery": [["a", None]]}, "1 images in lists are null"),
    "a name of nothing": ({"query": ["q"], "gallery": [["a", ""]]}, "an image has no name"),
    "numbers for names": ({"query": ["q"], "gallery": [[1, 2]]}, "gallery is int64, must be text"),
    "numbers for queries": ({"query": [1], "gallery": [["a"]]}, "query is int64, must be text"),
    "no rank": ({"query": ["q"], "gallery": ["a"]}, "there is no column 'rank'"),
    "ranks from 0": ({"query": ["q", "q"], "rank": [0, 1], "gallery": ["a", "b"]}, "has the rank 0 where 1 must stand"),
    "a gap": ({"query": ["q", "q"], "rank": [1, 3], "gallery": ["a", "b"]}, "has the rank 3 where 2 must stand"),
    "a rank twice": ({"query": ["q"] * 3, "rank": [1, 2, 2], "gallery": ["a", "b", "c"]}, "the rank 2 where 3 must"),
    "ranks in part": ({"query": ["q"], "rank": [1.5], "gallery": ["a"]}, "rank is double, must be whole numbers"),
    "some trials": ({"query": ["q", "r"], "trial": [0, None], "gallery": [["a"]] * 2}, "in every row, or in none"),
    "a trial below 0": ({"query": ["q"], "trial": [-1], "gallery": [["a"]]}, "trial -1: trials count from 0"),
    "a trial of no size": ({"query": ["q"], "trial": [2**15], "gallery": [["a"]]}, "trial 32768: trials count"),
    "no query": ({"image": ["q"], "gallery": [["a"]]}, "has no column 'query'"),
    "nothing": ({"query": pa.array([], pa.string()), "gallery": pa.array([], pa.list_(pa.string()))}, "holds no list"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_be_rank_lists_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    columns, said = FAULTS[name]
    pq.write_table(pa.table(columns), tmp_path / "ranks.parquet")
    assert said in refusal(tmp_path / "ranks.parquet")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("query,rank,gallery\nq,one,a\n", "not a CSV of rank lists"),
        ("query,rank,gallery\nq,1\n", "not a CSV of rank lists"),
        ("", "not a CSV of rank lists"),
        ("query,rank,gallery,gallery\nq,1,a,b\n", "columns"),
        ("query,rank,gallery\nq,1,\n", "an image has no name"),
    ],
)
def test_a_csv_that_is_none_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "ranks.csv").write_text(text)
    assert said in refusal(tmp_path / "ranks.csv")


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ranks.parquet").write_bytes(b"PAR1 or not")
    assert "not a Parquet file" in refusal(tmp_path / "ranks.parquet")
    assert "cannot read" in refusal(tmp_path / "none.parquet")
    assert "cannot read" in refusal(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"query": [0], "trial": [None], "gallery": [[1, 2]]},
            "names a row that is not in rows.parquet, which holds 2",
        ),
        ({"query": [-1], "trial": [None], "gallery": [[1]]}, "names a row that is not in rows.parquet"),
        ({"query": [0], "trial": [None], "gallery": [[1, 1]]}, "its list names 's/b.jpg' twice"),
        ({"query": [0], "trial": [None], "gallery": [[1, None]]}, "holds nulls"),
        ({"query": [0, 0], "trial": [None, None], "gallery": [[1], [1]]}, "has 2 lists"),
    ],
)
def test_a_kept_file_that_somebody_made_up_is_refused(columns: dict[str, Any], said: str, tmp_path: Path) -> None:
    schema = ranklists.SCHEMA.with_metadata({"luxreid.schema": ranklists.SCHEMA_ID})
    pq.write_table(pa.table(columns, schema=schema), tmp_path / "ranks.parquet")
    with pytest.raises(UserError, match=said):
        ranklists.read(tmp_path / "ranks.parquet", NAMES[:2])


def test_a_kept_file_of_another_schema_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"query": [0]}, schema=pa.schema([("query", pa.int32())])), tmp_path / "ranks.parquet")
    with pytest.raises(UserError, match="of no named schema, this version reads ranks/1"):
        ranklists.read(tmp_path / "ranks.parquet", NAMES)
