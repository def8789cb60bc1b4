"""The reader `nightreid`: six lists, camera letters, and distractors that names only tell by their absence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.readers import nightreid

LISTS = {
    "query": "query-528",
    "query-1000": "query-1000",
    "bounding_box_test": "gallery-528",
    "bounding_box_test-528-noDistractors": "gallery-528-nd",
    "bounding_box_test_withDistractors": "gallery-1000",
    "bounding_box_test-1000-noDistractors": "gallery-1000-nd",
}
SMALL = ("bounding_box_train/0001L1C1.jpg", "query/0002R1C1.jpg", "bounding_box_test/0002R1C1.jpg")
NOT_THERE = tuple(f"{folder}/ is not there" for folder in list(LISTS)[1:] if folder != "bounding_box_test")


def lay_out(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def read(root: Path, **options: Any) -> Manifest:  # noqa: ANN401
    return nightreid.read(root, nightreid.Options(**options))


def refusal(root: Path) -> str:
    with pytest.raises(UserError) as error:
        read(root)
    return str(error.value)


def world() -> dict[str, list[tuple[int, str]]]:
    """Draw the six lists and the training set as the authors describe them: (printed pid, name) by folder."""
    rng = np.random.default_rng(7)
    people = (rng.permutation(7474)[:40] + 1).tolist()
    shots = {
        pid: [
            (pid, f"{pid:04d}{side}{number}C{shot:03d}.jpg") for shot in range(3) for side in "LR" for number in (1, 3)
        ]
        for pid in people
    }
    take = {pid: shots[pid][: rng.integers(2, 12)] for pid in people}
    train, small, large, strangers = people[:10], people[10:16], people[10:22], people[22:]
    lists = {"bounding_box_train": train, "bounding_box_test-528-noDistractors": small}
    lists |= {"bounding_box_test-1000-noDistractors": large, "bounding_box_test": [*small, *strangers]}
    lists |= {"bounding_box_test_withDistractors": [*large, *strangers]}
    drawn = {folder: [shot for pid in pids for shot in take[pid]] for folder, pids in lists.items()}
    drawn |= {"query": [take[pid][0] for pid in small], "query-1000": [take[pid][1] for pid in large]}
    return drawn


def paths(drawn: dict[str, list[tuple[int, str]]]) -> list[str]:
    return [f"{folder}/{name}" for folder, shots in drawn.items() for _, name in shots]


def test_every_list_holds_what_was_drawn(tmp_path: Path) -> None:
    drawn = world()
    found = read(lay_out(tmp_path, *paths(drawn)))
    assert found.notes == ()
    labelled = {pid for pid, _ in drawn["bounding_box_test-1000-noDistractors"]}
    rows = {row["path"]: row for row in found.table.to_pylist()}
    assert len(rows) == sum(map(len, drawn.values()))
    for folder, shots in drawn.items():
        for pid, name in shots:
            row, stranger = rows[f"{folder}/{name}"], folder != "bounding_box_train" and pid not in labelled
            assert (row["pid"], row["distractor"], row["label"]) == (0 if stranger else pid, stranger, f"{pid:04d}")
            assert row["camid"] == ["L1", "L2", "L3", "R1", "R2", "R3"].index(name[4:6]) + 1
            assert row["subsets"] == ([LISTS[folder]] if folder in LISTS else [])
            assert row["split"] == ("test" if folder in LISTS else "train")
            assert (row["query"], row["gallery"]) == (folder == "query", folder == "bounding_box_test")


def test_galleries_differ_by_their_distractors_only(tmp_path: Path) -> None:
    table = read(lay_out(tmp_path, *paths(world()))).frame()
    for whole, without in (("gallery-528", "gallery-528-nd"), ("gallery-1000", "gallery-1000-nd")):
        with_, none = (table[table["subsets"].map(lambda lists, name=name: name in lists)] for name in (whole, without))
        assert (with_["pid"] == 0).sum() == len(with_) - len(none) > 0
        assert not (none["pid"] == 0).any()


def test_without_the_other_gallery_distractors_keep_their_pids_and_a_note_says_so(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, *SMALL, "bounding_box_test/7474L1C002.jpg"))
    assert found.column("pid").tolist() == [2, 7474, 1, 2]
    assert not found.column("distractor").any()
    *absent, said = found.notes
    assert tuple(absent) == NOT_THERE
    assert said.startswith("bounding_box_test: its distractors cannot be told from people without")


def test_who_is_asked_for_is_no_distractor(tmp_path: Path) -> None:
    root = lay_out(
        tmp_path, *SMALL, "bounding_box_test-528-noDistractors/0003R1C1.jpg", "bounding_box_test/0003R1C1.jpg"
    )
    found = read(root)
    assert found.column("pid").tolist() == [3, 2, 3, 1, 2]
    assert found.notes[-1] == (
        "bounding_box_test: 1 pictures of labelled people are not in bounding_box_test-528-noDistractors: 0002R1C1.jpg"
    )


def test_a_gallery_that_lacks_labelled_people_is_said(tmp_path: Path) -> None:
    root = lay_out(tmp_path, *SMALL, *(f"bounding_box_test-528-noDistractors/000{n}R1C1.jpg" for n in (2, 3)))
    said = (
        "bounding_box_test-528-noDistractors: 1 pictures of labelled people are not in bounding_box_test: 0003R1C1.jpg"
    )
    assert read(root).notes[-1] == said


def test_a_query_and_its_copies_are_rows_of_their_own(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, *SMALL, "query-1000/0002R1C1.jpg"))
    same = [row for row in found.table.to_pylist() if row["path"].endswith("/0002R1C1.jpg")]
    assert sorted((row["subsets"][0], row["query"], row["gallery"]) for row in same) == [
        ("gallery-528", False, True),
        ("query-1000", False, False),
        ("query-528", True, False),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "0002L4C1.jpg",
        "0002M1C1.jpg",
        "0002l1C1.jpg",
        "0002L1.jpg",
        "0002L1C.jpg",
        "002L1C1.jpg",
        "0002_c1_1.jpg",
        "0002L1C1.jpeg",
        "0000L1C1.jpg",
        "0002L1C1_1.jpg",
        "a/0002L1C1.jpg",
    ],
)
def test_other_names_stop_the_reader_or_are_said(name: str, tmp_path: Path) -> None:
    root = lay_out(tmp_path, *SMALL, f"query/{name}")
    text = f"1 of 4 names do not parse: query/{name}; must be like bounding_box_train/0002R1C041.jpg"
    assert refusal(root) == f"{root}: {text}; --set unmatched=skip skips them"
    assert f"skipped: {text}" in read(root, unmatched="skip").notes


def test_the_right_root_is_named_from_above_and_below(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "x" / "NightReID", *SMALL)
    for wrong in (root.parent, root / "query"):
        assert f"{root} looks right" in refusal(wrong)


def test_a_list_that_was_unpacked_under_another_name_is_no_silent_loss(tmp_path: Path) -> None:
    root = lay_out(tmp_path, *SMALL, "query_1000/0002R1C1.jpg")
    assert "1 of 4 names do not parse: query_1000/0002R1C1.jpg" in refusal(root)


@pytest.mark.parametrize("gone", ["bounding_box_test-528-noDistractors", "bounding_box_test-1000-noDistractors"])
def test_one_gallery_without_distractors_tells_those_of_both(gone: str, tmp_path: Path) -> None:
    drawn = world()
    whole = read(lay_out(tmp_path / "whole", *paths(drawn)))
    found = read(lay_out(tmp_path / "less", *(path for path in paths(drawn) if not path.startswith(gone))))
    told = dict(zip(whole.column("path"), whole.column("pid"), strict=True))
    assert [told[path] for path in found.column("path")] == found.column("pid").tolist()
    assert found.column("distractor").any()
    assert found.notes[0] == f"{gone}/ is not there"
    assert "its distractors are told by those of bounding_box_test" in found.notes[1]
    assert len(found.notes) == 2


def test_a_name_is_no_distractor_in_one_list_and_a_person_in_another(tmp_path: Path) -> None:
    # Person 3 lies in the small gallery without being labelled there, and is labelled in the large one.
    folders = ("bounding_box_test", "bounding_box_test_withDistractors", "bounding_box_test-1000-noDistractors")
    both = [f"{folder}/0003R1C1.jpg" for folder in folders] + [f"{folder}/0004R1C1.jpg" for folder in folders[:2]]
    root = lay_out(tmp_path, *SMALL, *both, "bounding_box_test-528-noDistractors/0002R1C1.jpg")
    rows = read(root).table.to_pylist()
    said = {(row["path"].rpartition("/")[2], row["distractor"]) for row in rows}
    assert {pair for pair in said if pair[0][:4] in ("0003", "0004")} == {
        ("0003R1C1.jpg", False),
        ("0004R1C1.jpg", True),
    }
