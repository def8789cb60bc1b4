"""Name grammars of the export layouts: published names, and names both ways."""

from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark import manifest
from benchmark.formats import market, night600

numbers = st.integers(0, 2**31 - 1)
ROLES = {"train": ("train", False, False), "query": ("test", True, False), "gallery": ("test", False, True)}


@pytest.mark.parametrize(
    ("layout", "path", "expected"),
    [
        (market, "bounding_box_train/0002_c1s1_000451_03.jpg", (2, 1, *ROLES["train"])),
        (market, "query/0001_c1s1_001051_00.jpg", (1, 1, *ROLES["query"])),
        (market, "bounding_box_test/0000_c1s1_000151_01.jpg", (0, 1, *ROLES["gallery"])),
        (market, "bounding_box_test/-1_c1s1_000401_03.jpg", (-1, 1, *ROLES["gallery"])),
        (market, "gt_bbox/0001_c1s1_001051_00.jpg", None),
        (market, "deep/query/0001_c1s1_001051_00.jpg", None),
        (market, "query/0001_c10s1_001051_00.jpg", None),
        (market, "query/Thumbs.db", None),
        (night600, "bounding_box_train/000012_c3_000007_00.jpg", (12, 3, *ROLES["train"])),
        (night600, "query_3/000345_c1_0012.jpg", (345, 1, *ROLES["query"])),
        (night600, "bounding_box_test/000345_c5_0003.jpg", (345, 5, *ROLES["gallery"])),
        (night600, "query/000345_c1_0012.jpg", None),
        (night600, "query_3/0345_c1_0012.jpg", None),
        (night600, "query_3/000345_c9_0012.jpg", None),
        (night600, "query_3/-00001_c1_0012.jpg", None),
        (night600, "query_3/000000_c1_0012.jpg", None),
        (night600, "query_3/000345_c1_0012.jpg.part", None),
    ],
)
def test_published_names(layout: ModuleType, path: str, expected: tuple[object, ...] | None) -> None:
    row = layout.parse(path)
    names = ("pid", "camid", "split", "query", "gallery")
    assert (row if row is None else tuple(row[name] for name in names)) == expected


@settings(deadline=None)
@given(st.integers(-1, market.IDENTITIES), st.integers(1, market.CAMERAS), numbers, numbers)
def test_market_names_are_read_back(pid: int, camid: int, frame: int, box: int) -> None:
    row = market.parse(f"bounding_box_test/{market.name(pid, camid, frame, box)}")
    assert row is not None
    assert (row["pid"], row["camid"], row["frame"]) == (pid, camid, frame)


@settings(deadline=None)
@given(st.integers(1, night600.IDENTITIES), st.integers(1, night600.CAMERAS), numbers, numbers)
def test_night600_names_are_read_back(pid: int, camid: int, frame: int, box: int) -> None:
    row = night600.parse(f"query_3/{night600.name(pid, camid, frame, box)}")
    assert row is not None
    assert (row["pid"], row["camid"]) == (pid, camid)


@settings(deadline=None)
@given(*([st.tuples(st.integers(1, 9999), st.integers(1, 8), numbers, numbers)] * 2))
def test_different_pictures_have_different_names(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    for layout in (market, night600):
        assert (layout.name(*one) == layout.name(*other)) == (one == other)


@pytest.mark.parametrize(
    ("pids", "camids", "said"),
    [
        ([1501, -1], [6, 1], []),
        ([1502, 1], [6, 1], ["pid 1502: "]),
        ([1501, 1], [6, 7], ["camera 7: "]),
        ([1, 9999], [9, 1], ["pid 9999: ", "camera 9: "]),
    ],
)
def test_sets_beyond_market_itself_are_told_which_loaders_stop(
    pids: list[int], camids: list[int], said: list[str]
) -> None:
    made = manifest.build({"path": ["1.jpg", "2.jpg"], "pid": pids, "camid": camids}, "s", Path("root"))
    assert market.problem(made) is None
    lines = market.notes(made)
    assert [line[: len(start)] for line, start in zip(lines, said, strict=True)] == said
    assert all("torchreid and fast-reid" in line for line in lines)
    assert night600.notes(made) == []


@pytest.mark.parametrize("layout", [market, night600])
def test_the_name_that_a_layout_shows_is_of_its_making(layout: ModuleType) -> None:
    shown = {market: (2, 1, 451, 3), night600: (12, 3, 7, 0)}
    assert layout.name(*shown[layout]) in (layout.__doc__ or "")
