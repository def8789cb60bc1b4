"""The reader `coco`: crops in the ways that tools describe them, and what is no crop or nobody."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.readers import coco

CATEGORIES = [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}]


def image(number: int, name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"id": number, "file_name": name, "width": 40, "height": 90} | more


def box(number: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"image_id": number, "category_id": 1, "bbox": [0, 0, 40, 90]} | more


def lay_out(root: Path, *paths: str, **files: dict[str, Any]) -> Path:
    """Write pictures, and COCO files of these names."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    for name, record in files.items():
        (root / f"{name}.json").write_text(json.dumps({"categories": CATEGORIES} | record))
    return root


def read(root: Path, **options: Any) -> Manifest:  # noqa: ANN401
    return coco.read(root, coco.Options(**({"source": "s"} | options)))


def refusal(root: Path, **options: Any) -> str:  # noqa: ANN401
    with pytest.raises(UserError) as error:
        read(root, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def values(found: Manifest, *names: str) -> list[tuple[object, ...]]:
    return list(zip(*(found.table[name].to_pylist() for name in names), strict=True))


def one(root: Path, described: dict[str, Any], **options: Any) -> dict[str, Any]:  # noqa: ANN401
    """Read a set of one picture, and give its row."""
    found = read(lay_out(root, "a.jpg", annotations=described), **options)
    row: dict[str, Any] = found.table.to_pylist()[0]
    return row


@pytest.mark.parametrize("key", coco.IDENTITIES)
@pytest.mark.parametrize("place", ["annotation", "its attributes", "image", "the image's attributes"])
def test_every_key_in_every_place(key: str, place: str, tmp_path: Path) -> None:
    said: dict[str, Any] = {key: 5, "camera_id": 2, "frame_id": 7}
    said = {"attributes": said} if "attributes" in place else said
    first, second = ({}, said) if "image" in place else (said, {})
    row = one(tmp_path, {"images": [image(1, "a.jpg", **second)], "annotations": [box(1, **first)]})
    assert (row["pid"], row["camid"], row["frame"], row["x"]) == (5, 2, 7, None)


def test_every_key_is_documented() -> None:
    keys = {key for group in (coco.IDENTITIES, coco.CROP, *coco.KEYS.values()) for key in group}
    said = coco.Options.__doc__ or ""
    assert {key for key in keys if f"`{key}`" not in said} == set()


def test_the_annotation_is_believed_before_the_image(tmp_path: Path) -> None:
    described = {"images": [image(1, "a.jpg", person_id=9)], "annotations": [box(1, person_id=5, track_id=1)]}
    assert one(tmp_path, described)["pid"] == 5
    assert one(tmp_path, described, identity="track_id")["pid"] == 1


def test_a_person_anywhere_is_believed_before_a_track(tmp_path: Path) -> None:
    described = {"images": [image(1, "a.jpg", person_id=9)], "annotations": [box(1, track_id=1)]}
    assert one(tmp_path, described)["pid"] == 9
    described = {"images": [image(1, "a.jpg", pid=9, camera_id=2)], "annotations": [box(1, camera=5)]}
    assert one(tmp_path, described)["camid"] == 2


def test_a_track_is_a_person_of_its_own_video_only(tmp_path: Path) -> None:
    images = [image(1, "a.jpg", video_id=1), image(2, "b.jpg", video_id=2), image(3, "c.jpg", video_id=2)]
    described = {"images": images, "annotations": [box(number, track_id=4) for number in (1, 2, 3)]}
    found = read(lay_out(tmp_path, "a.jpg", "b.jpg", "c.jpg", annotations=described))
    assert values(found, "pid", "label", "sequence") == [(1, "1/4", "1"), (2, "2/4", "2"), (2, "2/4", "2")]


def test_texts_are_numbered_in_sorted_order(tmp_path: Path) -> None:
    names = {"a.jpg": "zoe", "b.jpg": "anna", "c.jpg": "zoe"}
    images = [image(place, path, camera=f"cam {who}") for place, (path, who) in enumerate(names.items())]
    boxes = [box(place, person_id=who) for place, who in enumerate(names.values())]
    found = read(lay_out(tmp_path, *names, annotations={"images": images, "annotations": boxes}))
    assert values(found, "pid", "label", "camid") == [(2, "zoe", 2), (1, "anna", 1), (2, "zoe", 2)]
    assert found.notes == ("cameras: 1 is cam anna, 2 is cam zoe",)


def test_numbers_and_texts_are_not_mixed(tmp_path: Path) -> None:
    described = {"images": [image(1, "a.jpg"), image(2, "b.jpg")]}
    described["annotations"] = [box(1, pid=3), box(2, pid="anna")]
    text = refusal(lay_out(tmp_path, "a.jpg", "b.jpg", annotations=described))
    assert "identity is a number, such as 3, and a text, such as 'anna'" in text


def test_a_category_can_be_a_person(tmp_path: Path) -> None:
    described = {"images": [image(1, "a.jpg")], "annotations": [box(1, category_id=3)]}
    assert one(tmp_path, described, identity="category")["label"] == "car"


def test_a_crowd_is_junk_and_zero_a_distractor(tmp_path: Path) -> None:
    described = {"images": [image(1, "a.jpg"), image(2, "b.jpg"), image(3, "c.jpg")]}
    described["annotations"] = [box(1, iscrowd=1), box(2, person_id=0), box(3, person_id=8)]
    root = lay_out(tmp_path, "a.jpg", "b.jpg", "c.jpg", annotations=described)
    assert values(read(root), "pid") == [(-1,), (0,), (8,)]
    shifted = read(root, shift_pid=1)
    assert values(shifted, "pid", "label") == [(-1, "-1"), (1, "0"), (9, "8")]


def test_crops_that_were_cut_from_frames(tmp_path: Path) -> None:
    frame = image(1, "frames/7.jpg", width=640, height=480, frame_id=7, video_id="v", camera_id=2)
    boxes = [box(1, bbox=[10, 20, 30.5, 80], person_id=1, crop="a.jpg"), box(1, person_id=2, crop_file="b.jpg")]
    root = lay_out(tmp_path, "a.jpg", "b.jpg", annotations={"images": [frame], "annotations": boxes})
    assert values(read(root), "path", "pid", "camid", "frame", "x", "y", "w", "h") == [
        ("a.jpg", 1, 2, 7, 10.0, 20.0, 30.5, 80.0),
        ("b.jpg", 2, 2, 7, 0.0, 0.0, 40.0, 90.0),
    ]
    lay_out(root, "frames/7.jpg")
    assert read(root).notes == ("1 picture of whole frames left out: frames/7.jpg",)


@pytest.mark.parametrize(
    ("more", "boxes", "said"),
    [
        ({}, [box(1, pid=1), box(1, pid=2)], "a.jpg holds 2 people"),
        ({"width": 640, "height": 480}, [box(1, pid=1)], "a.jpg is 640 x 480 and its box 40 x 90"),
        ({"width": None, "height": None}, [box(1, pid=1, bbox=[5, 0, 40, 90])], "its box 40 x 90"),
    ],
)
def test_whole_frames_are_refused(more: dict[str, Any], boxes: list[dict[str, Any]], said: str, tmp_path: Path) -> None:
    described = {"images": [image(1, "a.jpg", **more)], "annotations": boxes}
    text = refusal(lay_out(tmp_path, "a.jpg", annotations=described))
    assert said in text
    assert "cut the boxes out" in text


def test_a_box_may_miss_the_edge_by_rounding(tmp_path: Path) -> None:
    described = {"images": [image(1, "a.jpg")], "annotations": [box(1, pid=1, bbox=[0.4, 0, 39.2, 89.5])]}
    assert one(tmp_path, described)["pid"] == 1


def test_other_categories_are_counted(tmp_path: Path) -> None:
    described = {
        "images": [image(1, "a.jpg")],
        "annotations": [box(1, pid=1), box(1, category_id=3), box(1, category_id=3)],
    }
    found = read(lay_out(tmp_path, "a.jpg", annotations=described))
    assert found.notes == (f"{tmp_path / 'annotations.json'}: 2 annotations of other categories left out",)
    assert "no category 'persn'; did you mean 'person'?" in refusal(tmp_path, category="persn")


@pytest.mark.parametrize(
    ("described", "options", "said"),
    [
        (
            {"images": [image(1, "a.jpg")], "annotations": [box(1)]},
            {},
            "a.jpg has no identity; looked for person_id, pid,",
        ),
        ({"images": [image(1, "a.jpg")]}, {}, "a.jpg has no identity"),
        ({"images": [image(1, "a.jpg")]}, {"identity": "name"}, "looked for name (--set identity=KEY"),
        ({"images": [image(1, "a.jpg", pid=True)]}, {}, "identity is True, must be of type int or str"),
        ({"images": [image(1, "a.jpg", pid=1.5)]}, {}, "identity is 1.5, must be of type int or str"),
        ({"images": [image(1, "a.jpg", pid=1, frame="x")]}, {}, "frame is 'x', must be of type int"),
        ({"images": [image(1, "a.jpg", pid=1), image(1, "a.jpg", pid=1)]}, {}, "two images have one `id`"),
        ({"images": [image(1, "a.jpg", pid=1), image(2, "a.jpg", pid=1)]}, {}, "a.jpg is described twice"),
        ({"images": [image(1, "a.jpg", pid=1), image(2, "a.jpg", pid=2)]}, {}, "a.jpg is described in two ways"),
        ({"images": [image(1, "a.jpg", pid=1)], "annotations": [box(2)]}, {}, "of image 2, which is not there"),
        ({"images": [image(1, "b.jpg", pid=1)]}, {}, "COCO names 1 picture not there: b.jpg"),
        ({"images": [image(1, "../a.jpg", pid=1)]}, {}, "COCO names 1 picture not there: ../a.jpg"),
        ({"images": []}, {}, "1 of 1 pictures are in no COCO file: a.jpg"),
        ({"images": []}, {"unmatched": "skip"}, "no picture is described in annotations.json"),
        ({"images": [{"id": 1}]}, {}, "'images.0.file_name' is missing"),
        ({"images": 5}, {}, "images = 5"),
        ({}, {}, "'images' is missing"),
        ({"images": [image(1, "a.jpg", pid=1)]}, {"files": {}}, "must name a COCO file"),
        ({"images": [image(1, "a.jpg", pid=1)]}, {"files": {"train": "x.json"}}, "must hold x.json"),
        ({"images": [image(1, "a.jpg", pid=99999999999)]}, {}, "'pid'"),
    ],
)
def test_a_wrong_file_is_one_line(
    described: dict[str, Any], options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    assert said in refusal(lay_out(tmp_path, "a.jpg", annotations=described), **options)


def test_a_file_that_is_no_json(tmp_path: Path) -> None:
    lay_out(tmp_path, "a.jpg")
    (tmp_path / "annotations.json").write_text("{")
    assert f"{tmp_path / 'annotations.json'}: not JSON" in refusal(tmp_path)


def test_splits_and_roles_come_from_the_files(tmp_path: Path) -> None:
    crops = {"train": ["a.jpg"], "query": ["b.jpg"], "gallery": ["b.jpg", "c.jpg"]}
    files = {
        role: {"images": [image(place, path, person_id=ord(path[0])) for place, path in enumerate(paths)]}
        for role, paths in crops.items()
    }
    root = lay_out(tmp_path, "crops/a.jpg", "crops/b.jpg", "crops/c.jpg", **files)
    options: dict[str, Any] = {"files": {role: f"{role}.json" for role in crops}, "images": "crops"}
    assert values(read(root, **options), "path", "pid", "split", "query", "gallery") == [
        ("crops/a.jpg", 97, "train", False, False),
        ("crops/b.jpg", 98, "test", True, True),
        ("crops/c.jpg", 99, "test", False, True),
    ]
    lay_out(root, train={"images": [image(1, "b.jpg", person_id=98), image(2, "a.jpg", person_id=97)]})
    assert "crops/b.jpg is in the files of gallery and query and train, must be in one split" in refusal(
        root, **options
    )
    lay_out(
        root, train={"images": [image(1, "a.jpg", person_id=97)]}, query={"images": [image(1, "b.jpg", person_id=5)]}
    )
    assert "crops/b.jpg is described in two ways, the second in query.json" in refusal(root, **options)
