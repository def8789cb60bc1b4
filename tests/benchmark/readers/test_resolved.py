"""Readers and protocols speak of the same lists: whole small sets, read and resolved, against lists made by hand."""

from hashlib import sha256
from pathlib import Path

import pytest

from benchmark.columns import MEASURED
from benchmark.manifest import Manifest
from benchmark.plugins import Room
from benchmark.resolve import resolve

READERS = Room("benchmark.readers", "reader")

NIGHT600 = (
    *("bounding_box_train/000001_c1_a.jpg", "bounding_box_train/000001_c2_a.jpg"),
    *("query_3/000002_c1_a.jpg", "bounding_box_test/000002_c1_a.jpg", "bounding_box_test/000002_c2_a.jpg"),
)
KNIGHT = (
    *("Person/0002/cam1_1.jpg", "Person/0002/cam2_1.jpg", "Person/0004/cam1_2.jpg", "Person/0006/cam3_3.jpg"),
    *("Person/0006/cam2_3.jpg", "Person/0008/cam3_3.jpg", "Person/0008/cam1_3.jpg"),
    *("Person/0003/cam1_4.jpg", "Person/0003/cam2_4.jpg", "Person/0005/cam1_5.jpg", "Person/0005/cam3_5.jpg"),
    *("Person/0007/cam2_6.jpg", "Person/0007/cam3_6.jpg", "Person/0009/cam3_7.jpg"),
)
PEOPLE = {"528": ["0002"], "1000": ["0002", "0003"]}
FOLDERS = {
    "528": ("query", "bounding_box_test", "bounding_box_test-528-noDistractors"),
    "1000": ("query-1000", "bounding_box_test_withDistractors", "bounding_box_test-1000-noDistractors"),
}
NIGHTREID = (
    "bounding_box_train/0001L1C1.jpg",
    *(f"{FOLDERS[size][0]}/{pid}L1C1.jpg" for size in PEOPLE for pid in PEOPLE[size]),
    *(
        f"{FOLDERS[size][1]}/{pid}{at}.jpg"
        for size in PEOPLE
        for pid in [*PEOPLE[size], "7474"]
        for at in ("L1C1", "R1C2")
    ),
    *(f"{FOLDERS[size][2]}/{pid}{at}.jpg" for size in PEOPLE for pid in PEOPLE[size] for at in ("L1C1", "R1C2")),
)
RGBNT201 = tuple(
    f"{folder}/{light}/{name}.jpg"
    for light in ("RGB", "NI", "TI")
    for folder, name in (
        *(("train_171", "000001_cam1_0_01"), ("train_171", "000002_cam1_0_01"), ("train_141", "000001_cam1_0_01")),
        *(("test", "000009_cam1_0_01"), ("test", "000009_cam2_0_01")),
    )
)


def read(name: str, paths: tuple[str, ...], root: Path) -> Manifest:
    """Read a tree as if it had been measured: files of one name, in folders of one kind of light, are copies."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    reader = READERS.load(name)
    found: Manifest = reader.read(root, reader.Options())
    names = zip(found.column("path").tolist(), found.column("modality").tolist(), strict=True)
    hashes = [sha256(f"{path.rpartition('/')[2]} {light}".encode()).hexdigest() for path, light in names]
    return found.with_columns(
        **dict.fromkeys(MEASURED, [0.0] * len(found))
        | dict.fromkeys(("width", "height"), [9] * len(found))
        | {"sha256": hashes}
    )


def lists(found: Manifest, protocol: str) -> tuple[set[str], set[str], set[str]]:
    resolved = resolve(found, protocol)
    train, query, gallery = (
        set(part.column("path").tolist()) for part in (resolved.train, resolved.query, resolved.gallery)
    )
    return train, query, gallery


def under(paths: tuple[str, ...], *folders: str) -> set[str]:
    return {path for path in paths if path.startswith(tuple(f"{folder}/" for folder in folders))}


@pytest.mark.parametrize("protocol", ["night600", "night600-idf", "market-style"])
def test_night600(protocol: str, tmp_path: Path) -> None:
    found = lists(read("night600", NIGHT600, tmp_path), protocol)
    assert found == tuple(under(NIGHT600, folder) for folder in ("bounding_box_train", "query_3", "bounding_box_test"))


@pytest.mark.parametrize(
    ("pair", "train", "test"), [("c1c2", "0002", "0003"), ("c1c3", "0008", "0005"), ("c2c3", "0006", "0007")]
)
@pytest.mark.parametrize("ending", ["", "-full"])
def test_knight(pair: str, train: str, test: str, ending: str, tmp_path: Path) -> None:
    found = lists(read("knight", KNIGHT, tmp_path), f"knight-{pair}{ending}")
    tested = under(KNIGHT, f"Person/{test}")
    query = {path for path in tested if f"cam{pair[1]}" in path}
    assert found == (under(KNIGHT, f"Person/{train}"), query, tested - query)


@pytest.mark.parametrize("size", ["528", "1000"])
@pytest.mark.parametrize("ending", ["", "-nd"])
def test_nightreid(size: str, ending: str, tmp_path: Path) -> None:
    found = lists(read("nightreid", NIGHTREID, tmp_path), f"nightreid-{size}{ending}")
    folders = ("bounding_box_train", FOLDERS[size][0], FOLDERS[size][2 if ending else 1])
    assert found == tuple(under(NIGHTREID, folder) for folder in folders)
    distractors = {path for path in found[2] if "/7474" in path}
    assert len(distractors) == (0 if ending else 2)


@pytest.mark.parametrize("light", ["RGB", "NI", "TI"])
def test_rgbnt201(light: str, tmp_path: Path) -> None:
    found = lists(read("rgbnt201", RGBNT201, tmp_path), f"rgbnt201-{light.lower()}")
    test = under(RGBNT201, f"test/{light}")
    assert found == (under(RGBNT201, f"train_171/{light}"), test, test)
