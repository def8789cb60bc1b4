"""The reader `market1501`: three folders, and what else lies beside them."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.readers import market1501

TREE = (
    "bounding_box_train/0002_c1s1_000451_03.jpg",
    "query/0001_c1s1_001051_00.jpg",
    "bounding_box_test/0000_c1s1_000151_01.jpg",
    "bounding_box_test/-1_c1s1_000401_03.jpg",
    "bounding_box_test/0001_c2s3_000401_03.jpg.jpg",
)
MORE = ("gt_bbox/0001_c1s1_001051_00.jpg", "gt_query/0001_c1s1_001051_00_good.mat")


def lay_out(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def read(root: Path, **options: Any) -> Manifest:  # noqa: ANN401
    return market1501.read(root, market1501.Options(**options))


def refusal(root: Path, **options: Any) -> str:  # noqa: ANN401
    with pytest.raises(UserError) as error:
        read(root, **options)
    return str(error.value)


def values(manifest: Manifest, *names: str) -> list[tuple[object, ...]]:
    return list(zip(*(manifest.table[name].to_pylist() for name in names), strict=True))


def test_what_lies_beside_is_left_out_with_a_note(tmp_path: Path) -> None:
    plain, found = read(lay_out(tmp_path / "a", *TREE)), read(lay_out(tmp_path / "b", *TREE, *MORE))
    assert found.table.equals(plain.table)
    assert found.notes == (
        "gt_bbox/: 1 picture left out: boxes drawn by hand, for queries of several pictures",
        "1 files that are no pictures are ignored",
    )


def test_a_name_that_ends_twice_is_one_picture(tmp_path: Path) -> None:
    rows = values(read(lay_out(tmp_path, *TREE)), "path", "pid", "camid", "sequence", "frame")
    assert ("bounding_box_test/0001_c2s3_000401_03.jpg.jpg", 1, 2, "c2s3", 401) in rows


def test_the_large_gallery_is_added_where_it_is_asked_for(tmp_path: Path) -> None:
    root = lay_out(tmp_path, *TREE, "images/0000_c3s1_000001_00.jpg", "images/-1_c3s1_000002_00.jpg")
    assert read(root).notes == ("images/: 2 pictures left out: --set distractors=true adds them",)
    found = read(root, distractors=True)
    rows = values(found, "path", "pid", "split", "query", "gallery", "subsets", "distractor")
    assert [row[1:] for row in rows if str(row[0]).startswith("images/")] == [
        (-1, "test", False, True, ["distractors-500k"], False),
        (0, "test", False, True, ["distractors-500k"], True),
    ]
    assert (len(found), found.notes) == (len(TREE) + 2, ())


def test_a_person_among_the_distractors_is_refused(tmp_path: Path) -> None:
    root = lay_out(tmp_path, *TREE, "images/0007_c3s1_000001_00.jpg")
    text = refusal(root, distractors=True)
    assert text == f"{root}: images/0007_c3s1_000001_00.jpg: pid is 7, a distractor's must be 0"
    assert "must hold images/" in refusal(lay_out(tmp_path / "b", *TREE), distractors=True)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("query/0001_c7s1_000001_00.jpg", "camid is 7, must be 1 to 6"),
        ("query/0001_c0s1_000001_00.jpg", "camid is 0, must be 1 to 6"),
        ("query/0000_c1s1_000001_00.jpg", "row is a query"),
        ("query/-1_c1s1_000001_00.jpg", "row is a query"),
        ("query/-2_c1s1_000001_00.jpg", "1 of 6 names do not parse"),
        ("query/0001_c11s1_000001_00.jpg", "1 of 6 names do not parse"),
        ("query/0001_c1_000001_00.jpg", "1 of 6 names do not parse"),
        ("query/more/0001_c1s1_000001_00.jpg", "1 of 6 names do not parse"),
        ("0001_c1s1_000001_00.jpg", "1 of 6 names do not parse"),
        ("query/0001_c1s1_001051_00 (1).jpg", "1 of 6 names do not parse"),
    ],
)
def test_odd_names(name: str, said: str, tmp_path: Path) -> None:
    text = refusal(lay_out(tmp_path, *TREE, name))
    assert said in text
    assert name.rpartition("/")[2] in text
