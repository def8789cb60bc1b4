"""The reader `market_layout`: trees of many makers, and our own export read back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import export, images, manifest, measure
from benchmark.errors import UserError
from benchmark.executors import executor
from benchmark.formats import market
from benchmark.manifest import Manifest
from benchmark.readers import market_layout

TREE = ("bounding_box_train/0002_c1s1_000451_03.jpg", "query/0001_c2_7.png", "bounding_box_test/0001_c3_7.png")
ROLES = ("pid", "camid", "split", "query", "gallery", "time", "id_space")


def lay_out(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def read(root: Path, **options: Any) -> Manifest:  # noqa: ANN401
    return market_layout.read(root, market_layout.Options(**options))


def refusal(root: Path, **options: Any) -> str:  # noqa: ANN401
    with pytest.raises(UserError) as error:
        read(root, **options)
    return str(error.value)


def values(found: Manifest, *names: str) -> list[tuple[object, ...]]:
    return list(zip(*(found.table[name].to_pylist() for name in names), strict=True))


def drawn(root: Path) -> Manifest:
    """Write a small set of pictures with every role, junk and a distractor among them."""
    rng = np.random.default_rng(2)
    splits = ["train", "train", "val", *["test"] * 5]
    columns: dict[str, object] = {
        "path": [f"{place}.jpg" for place in range(len(splits))],
        "pid": [1, 2, 3, 4, 4, 0, -1, 5],
        "camid": [1, 9, 3, 1, 2, 3, 4, 5],
        "frame": [7, None, 0, 1, 2, 3, 4, 123456],
        "split": splits,
        "query": [False] * 3 + [True, False, False, False, True],
        "gallery": [False] * 3 + [False, True, True, True, True],
        "time": ["night"] * len(splits),
    }
    for place in range(len(splits)):
        images.save(root / f"{place}.jpg", rng.integers(0, 255, (12, 8, 3)).astype(np.uint8), 90, sync=False)
    rows = manifest.build(columns, "drawn", root)
    return measure.measure(rows, root / "scratch", executor("serial", 1))


def test_our_own_export_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    export.export(drawn(tmp_path / "set"), market, tmp_path / "market")
    written = manifest.read(tmp_path / "market" / "manifest.parquet")
    assert len(written) == 9
    found = read(tmp_path / "market", source="drawn-market", id_space="drawn", time="night")
    # The layout has no place for a validation split.
    expected = [("train" if word == "val" else word) for word in written.table["split"].to_pylist()]
    assert values(found, "image_id", *ROLES) == values(written.with_columns(split=expected), "image_id", *ROLES)
    told = [row for row in values(written, "path", "frame") if row[1] is not None]
    assert set(told) <= set(values(found, "path", "frame"))
    assert found.notes == ()


def test_names_of_several_nights_of_a_picture_are_read(tmp_path: Path) -> None:
    names = ("0001_c2s3_000401_03_e0.jpg", "0001_c2s3_000401_03_e4.jpg", "0001_c2s3_000401_03_d1_e12.jpg")
    found = read(lay_out(tmp_path, *TREE, *(f"query/{name}" for name in names)))
    rows = zip(*(found.table[name].to_pylist() for name in ("path", "pid", "camid", "query")), strict=True)
    assert sorted(row for row in rows if "_e" in row[0]) == sorted((f"query/{name}", 1, 2, True) for name in names)


def test_options_for_the_whole_set(tmp_path: Path) -> None:
    options = {"time": "night", "modality": "infrared", "object": "vehicle", "source": "mine", "id_space": "theirs"}
    for row in read(lay_out(tmp_path, *TREE), **options).table.to_pylist():
        assert {name: row[name] for name in options} == options


def test_the_name_of_the_set_is_the_folders(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path / "My Set", *TREE))
    assert set(found.column("source")) == set(found.column("id_space")) == {"my-set"}


def test_folders_of_other_names(tmp_path: Path) -> None:
    root = lay_out(tmp_path, "query_3/0001_c1_1.jpg", "test/0001_c2_1.jpg")
    assert "3 of" not in refusal(root)
    found = read(root, query="query_3", gallery="test")
    assert values(found, "path", "query", "gallery") == [
        ("query_3/0001_c1_1.jpg", True, False),
        ("test/0001_c2_1.jpg", False, True),
    ]
    assert found.notes == ("bounding_box_train/ is not there",)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("0001_c2_f0046182.jpg", (1, 2, None, None)),  # DukeMTMC-reID prints f and a frame: not known to be one
        ("0465_c1_4527.png", (465, 1, None, None)),
        ("-1_c1s1_000401_03.jpg", (-1, 1, "1", 401)),
        ("2543_c16s1_032700_00.jpg", (2543, 16, "1", 32700)),
        ("0502_c0001_000.jpg", (502, 1, None, None)),
        ("0002_c1s1_000451_03.jpeg", (2, 1, None, None)),
        ("7_c1.bmp", (7, 1, None, None)),
        ("x_c1_1.jpg", None),
        ("0001c1_1.jpg", None),
        ("0001_c_1.jpg", None),
        ("0001_c1x1_1.jpg", None),
        ("-3_c1_1.jpg", None),
    ],
)
def test_names_of_many_makers(name: str, row: tuple[object, ...] | None, tmp_path: Path) -> None:
    root = lay_out(tmp_path, *TREE, f"bounding_box_test/{name}")
    if row is None:
        assert f"1 of 4 names do not parse: bounding_box_test/{name}; must be like" in refusal(root)
    else:
        found = {path: rest for path, *rest in values(read(root), "path", "pid", "camid", "sequence", "frame")}
        assert tuple(found[f"bounding_box_test/{name}"]) == row


def test_how_many_cameras_there_are_can_be_said(tmp_path: Path) -> None:
    root = lay_out(tmp_path, *TREE)
    assert len(read(root, cameras=3)) == 3
    assert "bounding_box_test/0001_c3_7.png: camid is 3, must be 1 to 2" in refusal(root, cameras=2)


def test_a_slash_after_a_folder_says_nothing(tmp_path: Path) -> None:
    root = lay_out(tmp_path, *TREE)
    found = read(root, train="bounding_box_train/", query="query/", gallery="bounding_box_test//")
    assert found.table.equals(read(root).table)


def test_queries_and_gallery_may_be_one_folder(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, TREE[0], "test/0001_c2_7.png"), query="test", gallery="test/")
    assert values(found, "path", "split", "query", "gallery") == [
        (TREE[0], "train", False, False),
        ("test/0001_c2_7.png", "test", True, True),
    ]
    assert "train = test is also a folder of the test" in refusal(tmp_path, train="test", query="test/")
