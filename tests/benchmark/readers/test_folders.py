"""The reader `folders`: patterns, and everything a person can get wrong."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.readers import folders


def lay_out(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def read(root: Path, **options: Any) -> Manifest:  # noqa: ANN401
    return folders.read(root, folders.Options(**options))


def values(manifest: Manifest, *names: str) -> list[tuple[object, ...]]:
    return list(zip(*(manifest.table[name].to_pylist() for name in names), strict=True))


def refusal(root: Path, **options: Any) -> str:  # noqa: ANN401
    with pytest.raises(UserError) as error:
        read(root, **options)
    return str(error.value)


@pytest.mark.parametrize(
    ("pattern", "path", "row"),
    [
        # Market-1501 and Night600 as the reference of layouts prints them.
        (
            "{split}/{pid}_c{camid}s{sequence}_{frame}_{any}",
            "bounding_box_train/0002_c1s1_000451_03.jpg",
            {"pid": 2, "camid": 1, "place": 1, "sequence": "1", "frame": 451, "split": "train"},
        ),
        (
            "{split}/{pid}_c{camid}_{any}",
            "query_3/000345_c1_0012.jpg",
            {"pid": 345, "camid": 1, "split": "test", "query": True, "gallery": False},
        ),
        (
            "{split}/{pid}_c{camid}s{any}",
            "bounding_box_test/-1_c1s1_000401_03.jpg",
            {"pid": -1, "camid": 1, "gallery": True, "query": False},
        ),
        ("{time}/{pid}/{any}", "night/00834/000.png", {"pid": 834, "camid": 0, "place": 0, "time": "night"}),
        (
            "cam{camid}/{pid}/{modality}-{place}",
            "cam3/0006/infrared-9.JPEG",
            {"pid": 6, "camid": 3, "place": 9, "modality": "infrared", "split": "none"},
        ),
        ("{label}/{any}", "anna/1.webp", {"pid": 1, "label": "anna"}),
        ("{label}_{camid}", "anna_b_2.bmp", {"label": "anna_b", "camid": 2}),
        ("{label}_{any}", "anna_b_2.bmp", {"label": "anna"}),
        ("{pid}{any}", "0012L3.tiff", {"pid": 12}),
        ("{pid}", "7.a.jpg", None),
        # Signs of regular expressions are letters like any other.
        ("a.b(+)/{pid}[^x]*", "a.b(+)/5[^x]*.jpg", {"pid": 5}),
        ("a.b/{pid}", "aXb/5.jpg", None),
        ("{pid}|.*", "hello.jpg", None),
        # A field never runs over a folder.
        ("{label}", "anna/b.jpg", None),
        ("{any}{pid}", "a/1.jpg", None),
        ("{pid}", "-2.jpg", None),
        ("{pid}", "\u0663.jpg", None),  # a digit, but none of ours
    ],
)
def test_a_pattern_reads_a_path(pattern: str, path: str, row: dict[str, object] | None, tmp_path: Path) -> None:
    lay_out(tmp_path / "set", path)
    if row is None:
        assert "none of 1 names fits" in refusal(tmp_path / "set", pattern=pattern)
    else:
        found = read(tmp_path / "set", pattern=pattern).table.to_pylist()[0]
        assert {name: found[name] for name in row} == row


def test_labels_are_numbered_in_sorted_order_over_the_whole_tree(tmp_path: Path) -> None:
    lay_out(tmp_path, "test/bo/1.jpg", "test/zoe/2.jpg", "train/zoe/1.jpg", "train/anna/1.jpg")
    found = read(tmp_path, pattern="{split}/{label}/{any}", source="s")
    assert values(found, "path", "label", "pid") == [
        ("test/bo/1.jpg", "bo", 2),
        ("test/zoe/2.jpg", "zoe", 3),
        ("train/anna/1.jpg", "anna", 1),
        ("train/zoe/1.jpg", "zoe", 3),
    ]


def test_a_set_that_prints_zero_for_a_person_is_shifted_and_keeps_its_print(tmp_path: Path) -> None:
    lay_out(tmp_path, "0000/c1_a.jpg", "0009/c1_a.jpg", "-1/c1_a.jpg")
    found = read(tmp_path, pattern="{pid}/c{camid}_{any}", source="s", shift_pid=1)
    assert values(found, "pid", "label") == [(-1, "-1"), (1, "0000"), (10, "0009")]
    assert "no {pid} to shift" in refusal(tmp_path, pattern="{label}/{any}", shift_pid=1)


def test_options_for_the_whole_set(tmp_path: Path) -> None:
    lay_out(tmp_path, "1.jpg")
    options = {"time": "night", "modality": "thermal", "object": "vehicle", "source": "a+b", "id_space": "a"}
    row = read(tmp_path, pattern="{pid}", **options).table.to_pylist()[0]
    assert {name: row[name] for name in options} == options
    assert row["image_id"] == "a+b/1.jpg"


def test_a_set_without_splits_in_its_names_is_given_one(tmp_path: Path) -> None:
    lay_out(tmp_path, "-1.jpg", "0.jpg", "5.jpg")
    names, train = ("pid", "split", "query", "gallery"), read(tmp_path, pattern="{pid}", source="s", split="train")
    assert values(train, *names) == [(pid, "train", False, False) for pid in (-1, 0, 5)]
    test = read(tmp_path, pattern="{pid}", source="s", split="test", query=True, gallery=True)
    assert values(test, *names) == [(pid, "test", pid == 5, True) for pid in (-1, 0, 5)]
    labelled = read(tmp_path, pattern="{label}", source="s", split="test", query=True)
    assert values(labelled, *names[1:]) == [("test", True, False)] * 3


@pytest.mark.parametrize(
    ("pattern", "options", "said"),
    [
        ("{split}/{pid}", {"split": "train"}, "split = train: the pattern '{split}/{pid}' has a {split}"),
        ("{split}/{pid}", {"query": True}, "query = true: the pattern '{split}/{pid}' has a {split}"),
        ("{pid}", {"gallery": True}, "gallery = true: split is none, must be test"),
        ("{pid}", {"query": True, "split": "train"}, "query = true: split is train, must be test"),
    ],
)
def test_a_split_that_says_two_things_is_refused(
    pattern: str, options: dict[str, object], said: str, tmp_path: Path
) -> None:
    assert said in refusal(lay_out(tmp_path, "test/1.jpg"), pattern=pattern, **options)


def test_texts_where_digits_are_wanted_are_said(tmp_path: Path) -> None:
    lay_out(tmp_path, "anna/c1_a.jpg", "bo/c2_a.jpg")
    hint = "{pid} takes digits only; {label} takes any text"
    assert refusal(tmp_path, pattern="{pid}/c{camid}_{any}").endswith(hint)
    assert hint not in refusal(tmp_path, pattern="{pid}/k{camid}_{any}")


def test_every_field_and_its_words_are_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "data.md").read_text()
    cells = [row.split("|") for row in page.splitlines() if row.startswith("|")]
    named = {cell[1].strip().strip("`{}"): cell[2] for cell in cells if "{" in cell[1]}
    assert named.keys() == folders.FIELDS.keys()
    words = {word: cell[3] for cell in cells for word in re.findall("`([a-z_0-9]+)`", cell[2])}
    for word, (split, query, gallery) in folders.SPLITS.items():
        said = words[word]
        assert (f"`{split}`" in said, "a query" in said, "in the gallery" in said) == (True, query, gallery), word


@pytest.mark.parametrize(
    ("folder", "source"), [("Market-1501_v15", "market-1501_v15"), ("Nacht Ö 2", "nacht-2"), ("a+b", "a+b")]
)
def test_the_source_is_made_from_the_folder(folder: str, source: str, tmp_path: Path) -> None:
    lay_out(tmp_path / folder, "1.jpg")
    assert set(read(tmp_path / folder, pattern="{pid}").column("source")) == {source}


def test_the_source_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lay_out(tmp_path / "here", "1.jpg"))
    assert set(read(Path(), pattern="{pid}").column("source")) == {"here"}


def test_a_folder_without_a_usable_name_asks_for_one(tmp_path: Path) -> None:
    lay_out(tmp_path / "夜", "1.jpg")
    assert "set source" in refusal(tmp_path / "夜", pattern="{pid}")
    assert len(read(tmp_path / "夜", pattern="{pid}", source="night")) == 1


def test_what_is_no_picture_is_counted_and_hidden_files_are_not(tmp_path: Path) -> None:
    lay_out(
        tmp_path, "1.jpg", "readme.txt", "a/Thumbs.db", ".hidden.jpg", ".git/2.jpg", "manifest.parquet", "names.csv"
    )
    found = read(tmp_path, pattern="{pid}", source="s")
    assert values(found, "path") == [("1.jpg",)]
    assert found.notes == ("2 files that are no pictures are ignored",)


def test_links_to_folders_are_not_followed_and_linked_pictures_are_listed(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "set", "1.jpg")
    (root / "circle").symlink_to(root)
    (root / "2.jpg").symlink_to(lay_out(tmp_path, "outside.jpg") / "outside.jpg")
    found = read(root, pattern="{pid}")
    assert values(found, "path") == [("1.jpg",), ("2.jpg",)]
    assert found.notes == ("1 links to folders are not followed",)


def test_names_that_do_not_fit_stop_the_reader_or_are_said(tmp_path: Path) -> None:
    lay_out(tmp_path, "1.jpg", *(f"x{number}.jpg" for number in range(5)))
    text = "5 of 6 names do not fit the pattern '{pid}': x0.jpg, x1.jpg, x2.jpg, ..."
    assert refusal(tmp_path, pattern="{pid}") == f"{tmp_path}: {text}; --set unmatched=skip skips them"
    found = read(tmp_path, pattern="{pid}", source="s", unmatched="skip")
    assert (len(found), found.notes) == (1, (f"skipped: {text}",))


@pytest.mark.parametrize("shifted", ["train", "train/1"])
def test_the_right_root_is_named_from_below(shifted: str, tmp_path: Path) -> None:
    root = lay_out(tmp_path / "set", "train/1/c1_a.jpg")
    text = refusal(root / shifted)
    assert "\n" not in text
    assert ("give that folder as the root" in text and f"from {root} they" in text) == (shifted == "train")


@pytest.mark.parametrize("unmatched", ["error", "skip"])
def test_the_right_root_is_named_from_above(unmatched: str, tmp_path: Path) -> None:
    root = lay_out(tmp_path / "set", "train/1/c1_a.jpg")
    assert f"seen from {root} they fit: give that folder as the root" in refusal(tmp_path, unmatched=unmatched)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{split}/{any}", "either {pid} or {label}"),
        ("{pid}/{label}", "either {pid} or {label}"),
        ("", "either {pid} or {label}"),
        ("{pid}/{cam_id}", "unknown field 'cam_id'; did you mean 'camid'?"),
        ("{pid}/{}", "unknown field ''"),
        ("{pid}_{pid}", "'pid' stands twice"),
        ("{pid}/{camid", "a brace stands alone"),
        ("{pid}{camid}", "between the numbers {pid} and {camid}"),
        ("{pid}.jpg", "leave the ending out"),
    ],
)
def test_a_wrong_pattern_is_one_line(pattern: str, said: str, tmp_path: Path) -> None:
    text = refusal(lay_out(tmp_path, "1.jpg"), pattern=pattern)
    assert text.startswith(f"pattern = {pattern!r}: ")
    assert said in text


@pytest.mark.parametrize(
    ("paths", "pattern", "said"),
    [
        (["1_40000.jpg"], "{pid}_{camid}", "1_40000.jpg: camid is 40000, must be at most 32767"),
        (["99999999999.jpg"], "{pid}", "pid is 99999999999, must be at most 2147483647"),
        (["1_1700000000123.jpg"], "{pid}_{frame}", "frame is 1700000000123, must be at most 2147483647"),
        (["a/1.jpg", "A/1.JPG"], "{any}/{pid}", "A/1.JPG and a/1.jpg differ only in case"),
        (["query/0.jpg"], "{split}/{pid}", "row is a query"),
        (["notes.txt"], "{pid}", "no picture found"),
        ([b"1_\xff.jpg".decode(errors="surrogateescape")], "{pid}_{any}", r"'1_\udcff.jpg' is not UTF-8"),
        (["1_\n.jpg"], "{pid}_{any}", "without control characters"),
    ],
)
def test_a_wrong_tree_is_one_line(paths: Sequence[str], pattern: str, said: str, tmp_path: Path) -> None:
    text = refusal(lay_out(tmp_path, *paths), pattern=pattern, source="s")
    assert said in text
    assert "\n" not in text


def test_a_missing_root_and_a_file(tmp_path: Path) -> None:
    lay_out(tmp_path, "file.jpg")
    assert refusal(tmp_path / "none") == f"{tmp_path / 'none'}: no such folder"
    assert re.search(r"file\.jpg: is a file", refusal(tmp_path / "file.jpg"))
    assert "must be lower case letters" in refusal(lay_out(tmp_path / "s", "1.jpg"), pattern="{pid}", source="Big")
