"""The reader `syn_dark`: a release of which little is known, and a rebuild whose numbers say whose picture it is."""

from pathlib import Path
from typing import Any

import pytest

from benchmark import manifest
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.readers import market1501, msmt17, syn_dark

MARKET = (
    "bounding_box_train/0002_c1s1_000451_03.jpg",
    "query/0001_c1s1_001051_00.jpg",
    "bounding_box_test/0000_c1s1_000151_01.jpg",
)
MSMT = {  # and what MSMT17's own reader says of the person
    "bounding_box_train/1502_c7s1_000001_00.jpg": ("train/0000/0000_000_01_0303morning_0008_0.jpg", 1),
    "bounding_box_train/2543_c16s1_032700_00.jpg": ("test/0000/0000_000_10_0303morning_0015_0.jpg", 1042),
}


def lay_out(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def read(root: Path, **options: Any) -> Manifest:  # noqa: ANN401
    return syn_dark.read(root, syn_dark.Options(**options))


def refusal(root: Path, **options: Any) -> str:  # noqa: ANN401
    with pytest.raises(UserError) as error:
        read(root, **options)
    return str(error.value)


def people(*sets: Manifest) -> dict[str, tuple[object, ...]]:
    rows = [row for one in sets for row in one.table.to_pylist()]
    return {row["path"]: (row["id_space"], row["pid"]) for row in rows}


def test_the_rebuilds_people_are_those_of_the_sets_it_was_made_from(tmp_path: Path) -> None:
    dark = people(read(lay_out(tmp_path / "dark", *MARKET, *MSMT), packaging="rebuild"))
    market = people(market1501.read(lay_out(tmp_path / "market", *MARKET), market1501.Options()))
    assert {path: dark[path] for path in MARKET} == market
    names = [path for path, _ in MSMT.values()]
    root = lay_out(tmp_path / "msmt", *names)
    for name, paths in (("train", names[:1]), ("query", names[1:]), ("val", []), ("gallery", [])):
        lines = [f"{path.partition('/')[2]} {int(path.partition('/')[2][:4])}\n" for path in paths]
        (root / f"list_{name}.txt").write_text("".join(lines))
    msmt = people(msmt17.read(root, msmt17.Options()))
    for path, (original, pid) in MSMT.items():
        assert dark[path] == msmt[original] == ("msmt17", pid)


def test_the_rebuild_and_its_clean_twin_belong_together(tmp_path: Path) -> None:
    root = lay_out(tmp_path, *MARKET, *MSMT)
    dark, clean = read(root, packaging="rebuild"), read(root, packaging="rebuild-gt")
    assert dark.table["parent"].to_pylist() == clean.table["image_id"].to_pylist()
    assert dark.table["scene"].to_pylist() == clean.table["image_id"].to_pylist()
    assert set(clean.column("time")) == {"day"}
    assert set(dark.column("time")) == {"night"}
    both = manifest.concat([dark, clean])
    assert len(set(both.identities())) == len(set(dark.identities()))


def test_of_the_release_nothing_is_made_up(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, *MARKET, *MSMT, "bounding_box_test/0007_c21_odd name.png"))
    assert set(found.column("id_space")) == {"syn_dark"}
    assert found.table["parent"].null_count == len(found)
    assert set(found.column("pid")) == {0, 1, 2, 7, 1502, 2543}


@pytest.mark.parametrize(
    ("name", "pid", "camera"),
    [("1502_c6s1_1_00.jpg", 1502, 6), ("1501_c7s1_1_00.jpg", 1501, 7), ("1502_c22s1_1_00.jpg", 1502, 22)],
)
def test_numbers_that_the_rebuild_cannot_have(name: str, pid: int, camera: int, tmp_path: Path) -> None:
    root = lay_out(tmp_path, *MARKET, f"bounding_box_train/{name}")
    assert f"{name}: pid {pid}, camera {camera}: people from 1502 on" in refusal(root, packaging="rebuild")
    assert len(read(root)) == 4


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("0001_c123s1_1_00.jpg", "1 of 4 names do not parse"),
        ("0001_c1.jpg", "1 of 4 names do not parse"),
        ("0001_c1_1.bmp", "1 of 4 names do not parse"),
        ("0001_c0_1.jpg", "camid is 0, must be at least 1"),
    ],
)
def test_odd_names(name: str, said: str, tmp_path: Path) -> None:
    assert said in refusal(lay_out(tmp_path, *MARKET, f"query/{name}"))


@pytest.mark.parametrize("folder", ["query", "bounding_box_test"])
def test_cameras_that_the_releases_tests_cannot_have(folder: str, tmp_path: Path) -> None:
    odd = [f"{folder}/0007_c{camera}_1.jpg" for camera in (22, 30, 31, 99)]
    root = lay_out(tmp_path, *MARKET, f"{folder}/0007_c21_1.jpg", *odd)
    text = f"4 of 8 names have unknown numbers: {', '.join(odd[:3])}, ...; cameras of queries and gallery are 1 to 21"
    assert refusal(root) == f"{root}: {text}; --set unmatched=skip skips them"
    found = read(root, unmatched="skip")
    assert (len(found), found.notes) == (4, (f"skipped: {text}",))
