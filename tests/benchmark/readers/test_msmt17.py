"""The reader `msmt17`: two versions, four lists, and all that may not agree."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.readers import msmt17

TRAIN = ("0000/0000_000_01_0303morning_0008_0.jpg", "1040/1040_001_15_0113noon_0008_0_ex.jpg")
VAL = ("0000/0000_000_02_0303afternoon_0009_1.jpg",)
QUERY = ("0000/0000_000_01_0303morning_0015_0.jpg",)
GALLERY = ("0000/0000_001_02_0303morning_0016_0.jpg", "3059/3059_001_09_0303noon_0016_0.jpg")
ABSENT = "0009/0009_000_01_0303noon_0001_0.jpg"
LISTS = {"train": TRAIN, "val": VAL, "query": QUERY, "gallery": GALLERY}
FOLDERS = {"v1": ("train", "test"), "v2": ("mask_train_v2", "mask_test_v2")}


def lay_out(root: Path, version: str = "v1") -> Path:
    for name, names in LISTS.items():
        folder = FOLDERS[version][name in ("query", "gallery")]
        for path in names:
            (root / folder / path).parent.mkdir(parents=True, exist_ok=True)
            (root / folder / path).touch()
        write(root, name, names)
    return root


def write(root: Path, name: str, names: Sequence[str], *more: str) -> None:
    lines = [*(f"{path} {int(path[:4])}" for path in names), *more]
    (root / f"list_{name}.txt").write_text("".join(f"{line}\n" for line in lines))


def read(root: Path, **options: Any) -> Manifest:  # noqa: ANN401
    return msmt17.read(root, msmt17.Options(**options))


def refusal(root: Path, **options: Any) -> str:  # noqa: ANN401
    with pytest.raises(UserError) as error:
        read(root, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def values(manifest: Manifest, *names: str) -> list[tuple[object, ...]]:
    return list(zip(*(manifest.table[name].to_pylist() for name in names), strict=True))


@pytest.mark.parametrize("version", FOLDERS)
def test_people_are_counted_through_and_keep_their_print(version: str, tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, version))
    assert set(found.column("source")) == {f"msmt17-{version}"}
    assert values(found, "pid", "label", "camid", "slot", "date", "subsets", "split", "query", "gallery") == [
        (1042, "0000", 1, "morning", "0303", ["list_query"], "test", True, False),
        (1042, "0000", 2, "morning", "0303", ["list_gallery"], "test", False, True),
        (4101, "3059", 9, "noon", "0303", ["list_gallery"], "test", False, True),
        (1, "0000", 1, "morning", "0303", ["list_train"], "train", False, False),
        (1, "0000", 2, "afternoon", "0303", ["list_val"], "val", False, False),
        (1041, "1040", 15, "noon", "0113", ["list_train"], "train", False, False),
    ]


def test_both_versions_show_the_same_people(tmp_path: Path) -> None:
    for version in FOLDERS:
        assert set(read(lay_out(tmp_path / version, version)).column("id_space")) == {"msmt17"}


def test_validation_can_be_trained_on_and_still_be_told(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path), val="train")
    assert [row for row in values(found, "split", "subsets") if row[1] == ["list_val"]] == [("train", ["list_val"])]
    assert "val" not in set(found.column("split"))


def test_two_versions_in_one_root(tmp_path: Path) -> None:
    lay_out(tmp_path, "v1")
    assert "holds msmt17-v1 (train/, test/) and msmt17-v2" in refusal(lay_out(tmp_path, "v2"))


@pytest.mark.parametrize(
    ("name", "names", "more", "said"),
    [
        (
            "query",
            QUERY,
            ["0009/0009_000_01_0303noon_0001_0.jpg 9"],
            "list_query.txt names 1 picture not there: test/0009/",
        ),
        ("train", TRAIN[:1], [f"{TRAIN[1]} 7"], f"train/{TRAIN[1]} is labelled 7, its name says 1040"),
        ("val", VAL, [f"{TRAIN[0]} 0"], f"1 picture in list_train.txt and in list_val.txt: train/{TRAIN[0]}"),
        ("query", QUERY, [f"{GALLERY[0]} 0"], "1 picture in list_query.txt and in list_gallery.txt"),
        ("train", TRAIN, [f"{TRAIN[0]} 5"], f"names 1 picture more than once: {TRAIN[0]}"),
        ("train", TRAIN, ["0000/x.jpg"], "line 3 is '0000/x.jpg', must be like '0000/0000_000"),
        ("train", TRAIN, ["0000/x.jpg one"], "line 3 is '0000/x.jpg one'"),
        ("val", (), (), "1 of 6 pictures are in no list: train/0000/0000_000_02"),
    ],
)
def test_lists_that_do_not_agree(
    name: str, names: Sequence[str], more: Sequence[str], said: str, tmp_path: Path
) -> None:
    write(lay_out(tmp_path), name, names, *more)
    assert said in refusal(tmp_path)


def test_a_picture_in_no_list_can_be_left_out(tmp_path: Path) -> None:
    write(lay_out(tmp_path), "gallery", GALLERY[:1])
    found = read(tmp_path, unmatched="skip")
    assert (len(found), found.notes) == (5, (f"skipped: 1 of 6 pictures are in no list: test/{GALLERY[1]}",))
    assert f"test/{GALLERY[1]}" not in set(found.column("path"))


def test_a_list_that_is_missing(tmp_path: Path) -> None:
    (lay_out(tmp_path) / "list_val.txt").unlink()
    said = f"{tmp_path}: list_val.txt is not there; --set val=none reads the set without it"
    assert refusal(tmp_path) == refusal(tmp_path, val="train") == said
    assert "1 of 6 pictures are in no list: train/0000/0000_000_02" in refusal(tmp_path, val="none")
    write(tmp_path, "train", [*TRAIN, *VAL])
    found = read(tmp_path, val="none")
    assert (len(found), found.notes) == (6, ("list_val.txt is not there",))
    (tmp_path / "list_query.txt").unlink()
    assert f"{tmp_path / 'list_query.txt'}: " in refusal(tmp_path, val="none")


def test_validation_can_have_no_split(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path), val="none")
    assert [row for row in values(found, "split", "subsets") if row[1] == ["list_val"]] == [("none", ["list_val"])]
    assert found.notes == ()


def test_one_empty_last_line_is_tolerated(tmp_path: Path) -> None:
    whole = read(lay_out(tmp_path)).table
    write(tmp_path, "train", TRAIN, "")
    assert read(tmp_path).table.equals(whole)
    write(tmp_path, "train", TRAIN, "", "")
    assert "line 3 is ''" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("train/0000/0001_000_01_0303noon_0001_0.jpg", "1 of 7 names do not parse"),
        ("train/0000/0000_000_01_0303night_0001_0.jpg", "1 of 7 names do not parse"),
        ("train/0000/0000_000_1_0303noon_0001_0.jpg", "1 of 7 names do not parse"),
        ("train/0000/0000_000_01_0303noon_0001_0_x.jpg", "1 of 7 names do not parse"),
        ("train/0000/0000_000_16_0303noon_0001_0.jpg", "camid is 16, must be 1 to 15"),
        ("train/0000/0000_000_00_0303noon_0001_0.jpg", "camid is 00, must be 1 to 15"),
        ("train/1041/1041_000_01_0303noon_0001_0.jpg", "pid is 1041, must be at most 1040 in train/"),
    ],
)
def test_odd_names(path: str, said: str, tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).touch()
    write(root, "train", [*TRAIN, path.partition("/")[2]])
    assert said in refusal(root)
