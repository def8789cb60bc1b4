"""The reader `knight`: pairs of cameras against a slow twin, and what can be wrong with the folders."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.readers import knight


def lay_out(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def read(root: Path, **options: Any) -> Manifest:  # noqa: ANN401
    return knight.read(root, knight.Options(**options))


def refusal(root: Path) -> str:
    with pytest.raises(UserError) as error:
        read(root)
    return str(error.value)


def world() -> dict[str, tuple[int, int]]:
    """Draw people before one to three cameras: path to pid and camera."""
    rng, drawn = np.random.default_rng(5), {}
    for pid in rng.permutation(937)[:60] + 1:
        for camid in rng.permutation(3)[: rng.integers(1, 4)] + 1:
            for shot in range(rng.integers(1, 4)):
                name = ("cam", "p_cam", "cam3_cam")[shot] + f"{camid}_{rng.integers(1000)}"
                drawn[f"Person/{pid:04d}/{name}.jpg"] = (int(pid), int(camid))
    return drawn


@pytest.mark.parametrize("pair", ["c1c2", "c1c3", "c2c3"])
def test_pairs_splits_and_roles_are_those_of_a_slow_twin(pair: str, tmp_path: Path) -> None:
    drawn = world()
    seen: dict[int, set[int]] = {}
    for pid, camid in drawn.values():
        seen.setdefault(pid, set()).add(camid)
    found = read(lay_out(tmp_path, *drawn), pair=pair).table.to_pylist()
    assert {row["path"] for row in found} == set(drawn)
    for row in found:
        pid, camid = drawn[row["path"]]
        both = [f"c{a}c{b}" for a, b in combinations((1, 2, 3), 2) if camid in (a, b) and {a, b} <= seen[pid]]
        assert (row["pid"], row["camid"], row["place"], row["subsets"]) == (pid, camid, camid, both)
        assert row["split"] == ("train", "test")[pid % 2]
        asked = pid % 2 == 1 and pair in both
        assert row["query"] == (asked and f"c{camid}" == pair[:2])
        assert row["gallery"] == (asked and f"c{camid}" == pair[2:])
    assert {len(row["subsets"]) for row in found} == {0, 1, 2}


def test_a_pair_holds_only_people_with_both_cameras(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, *world())).table.to_pylist()
    for pair in knight.PAIRS:
        inside = [row for row in found if pair in row["subsets"]]
        low = {row["pid"] for row in inside if row["camid"] == int(pair[1])}
        assert inside
        assert low == {row["pid"] for row in inside if row["camid"] == int(pair[3])}


def test_without_the_public_split_there_are_no_roles(tmp_path: Path) -> None:
    root = lay_out(tmp_path, *world())
    found, public = read(root, split="none"), read(root)
    assert set(found.column("split")) == {"none"}
    assert not found.column("query").any()
    assert not found.column("gallery").any()
    assert found.table["subsets"].equals(public.table["subsets"])


def test_folders_of_three_digits_and_of_four_give_the_same(tmp_path: Path) -> None:
    names = [(pid, f"cam{camid}_1.jpg") for pid in (2, 3, 937) for camid in (1, 2)]
    three = read(lay_out(tmp_path / "a", *(f"Person/{pid:03d}/{name}" for pid, name in names)))
    four = read(lay_out(tmp_path / "b", *(f"Person/{pid:04d}/{name}" for pid, name in names)))
    for column in ("pid", "camid", "split", "query", "gallery"):
        assert three.column(column).tolist() == four.column(column).tolist()


def test_one_identity_in_two_spellings_is_refused(tmp_path: Path) -> None:
    text = refusal(lay_out(tmp_path, "Person/003/cam1_1.jpg", "Person/0003/cam1_1.jpg"))
    assert "Person/0003 and Person/003 are one identity in two spellings" in text


@pytest.mark.parametrize(
    "name",
    [
        "0003/cam4_1.jpg",
        "0003/cam0_1.jpg",
        "0003/cam1.jpg",
        "0003/cam1_x.jpg",
        "0003/cam1_1.png",
        "0000/cam1_1.jpg",
        "3/cam1_1.jpg",
        "00003/cam1_1.jpg",
        "anna/cam1_1.jpg",
        "cam1_1.jpg",
        "0003/more/cam1_1.jpg",
        "0003/cam12_1.jpg",
    ],
)
def test_other_names_stop_the_reader_or_are_said(name: str, tmp_path: Path) -> None:
    root = lay_out(tmp_path, "Person/0002/cam1_15.jpg", f"Person/{name}")
    text = f"1 of 2 names do not parse: Person/{name}; must be like Person/0002/cam1_15.jpg"
    assert refusal(root) == f"{root}: {text}; --set unmatched=skip skips them"
    assert read(root, unmatched="skip").notes == (f"skipped: {text}",)


def test_the_right_root_is_named_from_above_and_below(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "x" / "NightPerson", "Person/0002/cam1_15.jpg")
    for wrong in (root.parent, root / "Person"):
        assert f"{root} looks right" in refusal(wrong)


def test_pictures_beside_the_people_are_said(tmp_path: Path) -> None:
    text = refusal(lay_out(tmp_path, "Person/0002/cam1_15.jpg", "sheet.jpg"))
    assert "1 of 2 names do not parse: sheet.jpg" in text
