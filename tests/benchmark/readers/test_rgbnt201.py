"""The reader `rgbnt201`: three modalities, two training lists, and a test set that is query and gallery."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.readers import rgbnt201

LIGHT = {"RGB": "visible", "NI": "infrared", "TI": "thermal"}
SMALL = ("train_171/RGB/000018_cam1_0_04.jpg", "test/RGB/000258_cam1_0_00.jpg")


def lay_out(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def read(root: Path, **options: Any) -> Manifest:  # noqa: ANN401
    return rgbnt201.read(root, rgbnt201.Options(**options))


def refusal(root: Path, **options: Any) -> str:  # noqa: ANN401
    with pytest.raises(UserError) as error:
        read(root, **options)
    return str(error.value)


def world() -> dict[str, tuple[str, str, int, int, str]]:
    """Draw the set: path to folder, modality, pid, camera and view; four people of five train in both lists."""
    rng, drawn = np.random.default_rng(9), {}
    for place, pid in enumerate((rng.permutation(400)[:25] + 1).tolist()):
        lists = ["test"] if place < 5 else ["train_171", "train_141"][: 1 + (place % 5 > 0)]
        for shot in range(rng.integers(2, 6)):
            camid, view = int(rng.integers(1, 5)), str(rng.integers(-2, 3))
            for folder in lists:
                for modality in LIGHT:
                    name = f"{pid:06d}_cam{camid}_{view}_{shot:02d}.jpg"
                    drawn[f"{folder}/{modality}/{name}"] = (folder, modality, pid, camid, view)
    return drawn


@pytest.mark.parametrize("train", ["train_171", "train_141"])
@pytest.mark.parametrize("modality", ["all", *LIGHT])
def test_every_picture_is_read_as_it_was_drawn(train: str, modality: str, tmp_path: Path) -> None:
    drawn = world()
    found = read(lay_out(tmp_path, *drawn), train=train, modality=modality).table.to_pylist()
    wanted = {path for path, facts in drawn.items() if modality in ("all", facts[1])}
    smaller = {facts[2] for facts in drawn.values() if facts[0] == "train_141"}
    assert {row["path"] for row in found} == wanted
    for row in found:
        folder, light, pid, camid, view = drawn[row["path"]]
        assert (row["pid"], row["camid"], row["view"], row["modality"]) == (pid, camid, view, LIGHT[light])
        assert (row["query"], row["gallery"]) == (folder == "test", folder == "test")
        assert row["time"] == "night"
        assert row["subsets"] == ([] if folder == "test" else [folder])
        rest = "none" if train == "train_171" or pid in smaller else "val"
        assert row["split"] == {train: "train", "test": "test"}.get(folder, rest)
    splits = [{row["pid"] for row in found if row["split"] == name} for name in ("train", "val", "test")]
    assert sum(map(len, splits)) == len(set().union(*splits))
    assert bool(splits[1]) == (train == "train_141")


def test_one_modality_says_what_it_leaves_out(tmp_path: Path) -> None:
    root = lay_out(tmp_path, *world())
    [note] = read(root, modality="NI").notes
    folders = ", ".join(
        f"{folder}/{light}/" for folder in ("train_141", "train_171", "test") for light in ("RGB", "TI")
    )
    gone = sum("/NI/" not in path for path in world())
    assert note == f"{folders}: {gone} pictures left out: modality = NI"


def test_the_set_without_its_other_modalities_is_read_and_they_are_missed(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, *SMALL))
    assert (len(found), set(found.column("modality"))) == (2, {"visible"})
    absent = [f"{folder}/{light}" for light in LIGHT for folder in ("train_141", "train_171", "test")]
    there = [path.rpartition("/")[0] for path in SMALL]
    assert found.notes == tuple(f"{folder}/ is not there" for folder in absent if folder not in there)


def test_a_modality_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    assert "must hold train_171/TI/, test/TI/" in refusal(lay_out(tmp_path, *SMALL), modality="TI")
    assert "must hold train_141/RGB/" in refusal(tmp_path, train="train_141")


def test_names_that_lack_a_twin_are_said(tmp_path: Path) -> None:
    drawn = world()
    gone = next(path for path in drawn if path.startswith("test/TI/"))
    found = read(lay_out(tmp_path, *(path for path in drawn if path != gone)))
    name = gone.rpartition("/")[2]
    assert found.notes == (f"test: 1 names are not in all of RGB, NI, TI: {name}",)
    assert read(lay_out(tmp_path, gone)).notes == ()


@pytest.mark.parametrize(
    "name",
    [
        "000001_cam0_0_00.jpg",
        "000001_c1_0_00.jpg",
        "000000_cam1_0_00.jpg",
        "00001_cam1_0_00.jpg",
        "000001_cam1_0.jpg",
        "000001_cam1_-_00.jpg",
        "000001_cam1_0_00.png",
        "a/000001_cam1_0_00.jpg",
        "000001_cam12_0_00.jpg",
    ],
)
def test_other_names_stop_the_reader_or_are_said(name: str, tmp_path: Path) -> None:
    root = lay_out(tmp_path, *SMALL, f"test/RGB/{name}")
    text = f"1 of 3 names do not parse: test/RGB/{name}; must be like train_171/RGB/000018_cam1_0_04.jpg"
    assert refusal(root) == f"{root}: {text}; --set unmatched=skip skips them"
    assert f"skipped: {text}" in read(root, unmatched="skip").notes


def test_the_right_root_is_named_from_above_and_below(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "x" / "RGBNT201", *SMALL)
    for wrong in (root.parent, root / "test"):
        assert f"{root} looks right" in refusal(wrong)


def test_a_camera_that_the_set_does_not_have(tmp_path: Path) -> None:
    odd = [f"test/RGB/000258_cam{camera}_0_00.jpg" for camera in (5, 6, 7, 9)]
    root = lay_out(tmp_path, *SMALL, "test/RGB/000258_cam4_0_00.jpg", *odd)
    text = f"4 of 7 names have unknown numbers: {', '.join(odd[:3])}, ...; cameras are 1 to 4"
    assert refusal(root) == f"{root}: {text}; --set unmatched=skip skips them"
    found = read(root, unmatched="skip")
    assert (len(found), f"skipped: {text}" in found.notes) == (3, True)


@pytest.mark.parametrize(("there", "asked"), [("train_141", "train_171"), ("train_171", "train_141")])
def test_the_other_training_list_is_proposed(there: str, asked: str, tmp_path: Path) -> None:
    root = lay_out(tmp_path, f"{there}/RGB/000018_cam1_0_04.jpg", SMALL[1])
    said = f"{root}: must hold {asked}/RGB/; {there}/ is there: --set train={there} trains on it"
    assert refusal(root, train=asked) == said
    assert len(read(root, train=there)) == 2
