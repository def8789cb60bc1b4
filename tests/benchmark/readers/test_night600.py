"""The reader `night600`: two packagings of one set, and what can be wrong with either."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.readers import night600

FOLDERS = {"train": "bounding_box_train", "query": "query_3", "gallery": "bounding_box_test"}
MARKET = ("bounding_box_train/000001_c1_a.jpg", "query_3/000002_c1_a.jpg", "bounding_box_test/000002_c1_a.jpg")
TREE = (
    "train_all/1/000001_c1_a.jpg",
    "train_all/1/000001_c1_b.jpg",
    "train/1/000001_c1_a.jpg",
    "val/1/000001_c1_b.jpg",
    "query/2/000002_c1_a.jpg",
    "gallery/000002/000002_c1_a.jpg",
)


def lay_out(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def read(root: Path, **options: Any) -> Manifest:  # noqa: ANN401
    return night600.read(root, night600.Options(**options))


def refusal(root: Path, **options: Any) -> str:  # noqa: ANN401
    with pytest.raises(UserError) as error:
        read(root, **options)
    return str(error.value)


def rows(manifest: Manifest, *names: str) -> list[tuple[object, ...]]:
    return list(zip(*(manifest.table[name].to_pylist() for name in names), strict=True))


def world() -> list[tuple[str, int, int, str]]:
    """Draw a set: role, pid, camera and name; a query stands in the gallery too."""
    rng, drawn = np.random.default_rng(3), []
    for pid in rng.permutation(600)[:40] + 1:
        for camid in rng.permutation(8)[: rng.integers(2, 5)] + 1:
            for shot in range(rng.integers(1, 5)):
                name = f"{pid:06d}_c{camid}_{('', '0007', 'x_c9_000009', ' é')[shot]}.jpg"
                roles = ["train"] if pid % 2 else ["gallery", "query"][: 1 + (shot < 3)]
                drawn += [(role, int(pid), int(camid), name) for role in roles]
    return drawn


def facts(manifest: Manifest) -> list[tuple[object, ...]]:
    """Say in an image's own words what a manifest says of it, whatever its path."""
    told = rows(manifest, "path", "pid", "camid", "place", "split", "query", "gallery", "time", "id_space")
    return sorted((str(row[0]).rpartition("/")[2], *row[1:]) for row in told)


def test_both_packagings_say_what_was_drawn(tmp_path: Path) -> None:
    drawn = world()
    market = lay_out(tmp_path / "a", *(f"{FOLDERS[role]}/{name}" for role, _, _, name in drawn))
    words = {"train": "train_all", "query": "query", "gallery": "gallery"}
    tree = lay_out(tmp_path / "b", *(f"{words[role]}/{pid}/{name}" for role, pid, _, name in drawn))
    expected = sorted(
        (name, pid, camid, camid, "train" if role == "train" else "test", role == "query", role == "gallery")
        for role, pid, camid, name in drawn
    )
    for root in (market, tree):
        found = read(root)
        assert facts(found) == [(*row, "night", "night600") for row in expected]
    assert [note for note in read(market).notes if "namesake" in note] == []


@pytest.mark.parametrize(
    ("train", "splits"),
    [("train_all", ["train", "train", "none", "none"]), ("train", ["none", "none", "train", "val"])],
)
def test_one_training_list_of_the_tree_trains(train: str, splits: list[str], tmp_path: Path) -> None:
    found = rows(read(lay_out(tmp_path, *TREE), train=train), "path", "split", "subsets")
    lists = ["train_all", "train_all", "train", "val"]
    expected = [(path, split, [name]) for path, split, name in zip(TREE, splits, lists, strict=False)]
    assert sorted(found) == sorted([*expected, (TREE[4], "test", []), (TREE[5], "test", [])])


def test_a_query_and_its_copy_in_the_gallery_are_two_rows(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, *MARKET))
    assert rows(found, "image_id", "query", "gallery")[:2] == [
        ("night600/bounding_box_test/000002_c1_a.jpg", False, True),
        ("night600/bounding_box_train/000001_c1_a.jpg", False, False),
    ]
    assert len(found) == 3


def test_queries_that_were_taken_out_of_the_gallery_are_said(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, *MARKET, "query_3/000002_c2_b.jpg", "bounding_box_test/000002_c2_c.jpg"))
    assert found.notes == ("1 of 2 queries have no namesake in the gallery: 000002_c2_b.jpg",)


def test_the_roots_two_spellings_give_one_table(tmp_path: Path) -> None:
    one, other = (
        read(lay_out(tmp_path / place / name, *MARKET)) for place, name in (("a", "Night600"), ("b", "night600"))
    )
    assert one.table.equals(other.table)
    assert one.labels_sha256 == other.labels_sha256


@pytest.mark.parametrize(
    "name",
    [
        "000001_c9_a.jpg",
        "000001_c0_a.jpg",
        "000000_c1_a.jpg",
        "00001_c1_a.jpg",
        "000001_c1.jpg",
        "000001_c12_a.jpg",
        "000001_c1_a.png",
        "-00001_c1_a.jpg",
        "\u0660\u0660\u0660\u0660\u0660\u0661_c1_a.jpg",
        "deep/000001_c1_a.jpg",
    ],
)
def test_other_names_stop_the_reader_or_are_said(name: str, tmp_path: Path) -> None:
    root = lay_out(tmp_path, *MARKET, f"bounding_box_train/{name}")
    text = f"1 of 4 names do not parse: bounding_box_train/{name}; must be like bounding_box_train/000012_c3_0007.jpg"
    assert refusal(root) == f"{root}: {text}; --set unmatched=skip skips them"
    found = read(root, unmatched="skip")
    assert (len(found), found.notes) == (3, (f"skipped: {text}",))


def test_the_other_packaging_beside_is_said(tmp_path: Path) -> None:
    root = lay_out(tmp_path, *MARKET, *(f"pytorch_2180/{path}" for path in TREE))
    found = read(root)
    assert (len(found), found.notes) == (
        3,
        ("pytorch_2180/: 6 pictures left out: the other packaging, a root of its own",),
    )
    assert len(read(root / "pytorch_2180")) == len(TREE)


def test_two_packagings_in_one_folder_are_refused(tmp_path: Path) -> None:
    assert "must hold one of them" in refusal(lay_out(tmp_path, *MARKET, *TREE))


@pytest.mark.parametrize("paths", [MARKET, TREE])
def test_the_right_root_is_named_from_above_and_below(paths: tuple[str, ...], tmp_path: Path) -> None:
    root = lay_out(tmp_path / "x" / "Night600", *paths)
    for wrong in (root.parent, root / paths[0].partition("/")[0]):
        assert f"{root} looks right: give that folder as the root" in refusal(wrong)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    root = lay_out(tmp_path, *MARKET[:2], "bounding_box_test/Thumbs.db")
    assert refusal(root).startswith(f"{root / 'bounding_box_test'}: no picture found")


def test_a_folder_and_a_name_that_differ_are_refused(tmp_path: Path) -> None:
    root = lay_out(tmp_path, *TREE, "gallery/3/000002_c1_z.jpg")
    said = f"{root}: folder and name must give one identity, 1 names do not: gallery/3/000002_c1_z.jpg"
    assert refusal(root) == said


def test_a_training_list_that_market_folders_do_not_have(tmp_path: Path) -> None:
    assert "train = train: Market-like folders have one" in refusal(lay_out(tmp_path, *MARKET), train="train")
    assert "must hold" in refusal(lay_out(tmp_path / "b", *TREE[:2], *TREE[4:]), train="train")


@pytest.mark.parametrize(
    ("paths", "folder"), [(MARKET, "bounding_box_test"), (TREE, "gallery/601")], ids=["market", "tree"]
)
def test_an_identity_that_the_set_does_not_have(paths: tuple[str, ...], folder: str, tmp_path: Path) -> None:
    odd, last = f"{folder}/000601_c1_a.jpg", f"{folder}/000600_c1_a.jpg".replace("601/", "600/")
    root = lay_out(tmp_path, *paths, odd, last)
    text = f"1 of {len(paths) + 2} names have unknown numbers: {odd}; identities are 1 to 600"
    assert refusal(root) == f"{root}: {text}; --set unmatched=skip skips them"
    found = read(root, unmatched="skip")
    assert (len(found), found.notes) == (len(paths) + 1, (f"skipped: {text}",))
