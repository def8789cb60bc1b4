"""`data check`: every fault put into a set is found, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmark import checking, images, manifest
from benchmark.card import Card
from benchmark.errors import UserError
from benchmark.executors import executor, serial
from benchmark.manifest import Manifest
from benchmark.measure import measure

COUNT = 6


def save(file: Path, number: int, height: int = 32) -> None:
    images.save(file, np.random.default_rng(number).integers(0, 256, (height, 16, 3), dtype=np.uint8))


def make(root: Path, *, measured: bool = True, mask: bool = False) -> Manifest:
    for number in range(COUNT):
        save(root / f"a/{number}.jpg", number)
    columns: dict[str, object] = {
        "path": [f"a/{number}.jpg" for number in range(COUNT)],
        "pid": [1, 1, 2, 3, 0, -1],
        "camid": [1, 2, 1, 2, 1, 2],
        "split": ["train", "train", "val", "test", "test", "test"],
        "query": [False, False, False, True, False, False],
        "gallery": [False, False, False, True, True, True],
    }
    if mask:
        save(root / "a/m.png", 0)
        columns["mask"] = ["a/m.png", "a/gone.png", *[None] * (COUNT - 2)]
    plain = manifest.build(columns, "s", root)
    return measure(plain, root / ".measure", serial) if measured else plain


def check(found: Manifest, card: Card | None = None) -> list[str]:
    return checking.check(found, card, serial)


def test_a_true_manifest_is_clean(tmp_path: Path) -> None:
    assert check(make(tmp_path)) == []


def _delete(root: Path) -> None:
    (root / "a/2.jpg").unlink()


def _truncate(root: Path) -> None:
    (root / "a/2.jpg").write_bytes((root / "a/2.jpg").read_bytes()[:-100])


def _replace_by_text(root: Path) -> None:
    (root / "a/2.jpg").write_text("not a picture")


def _empty(root: Path) -> None:
    (root / "a/2.jpg").write_bytes(b"")


def _other_bytes(root: Path) -> None:
    save(root / "a/2.jpg", 99)


def _other_size(root: Path) -> None:
    save(root / "a/2.jpg", 99, height=40)


def _folder(root: Path) -> None:
    _delete(root)
    (root / "a/2.jpg").mkdir()


def _link_out(root: Path) -> None:
    _delete(root)
    save(root.parent / "outside.jpg", 2)
    (root / "a/2.jpg").symlink_to(root.parent / "outside.jpg")


CHANGED = "changed: its sha256 is not the one that was measured"


@pytest.mark.parametrize(
    ("fault", "hashed", "unhashed"),
    [
        (_delete, ["missing"], ["missing"]),
        (_truncate, [CHANGED, "cannot be decoded: "], ["cannot be decoded: "]),
        (_replace_by_text, [CHANGED, "cannot be decoded: not a picture"], ["cannot be decoded: not a picture"]),
        (_empty, [CHANGED, "cannot be decoded: the file is empty"], ["cannot be decoded: the file is empty"]),
        (_other_bytes, [CHANGED], []),
        (_other_size, [CHANGED, "size differs: the file has 16 x 40, the row 16 x 32"], []),
        (_folder, ["cannot be read: Is a directory"], ["cannot be read: Is a directory"]),
        (_link_out, ["leaves the root through a link"], ["leaves the root through a link"]),
    ],
)
@pytest.mark.parametrize("measured", [True, False])
def test_a_broken_file_is_found(
    fault: Callable[[Path], None], hashed: list[str], unhashed: list[str], measured: bool, tmp_path: Path
) -> None:
    found = make(tmp_path / "set", measured=measured)
    fault(tmp_path / "set")
    lines = check(found)
    if not measured:
        assert lines.pop() == "6 rows not measured, so bytes not checked; run `luxreid data measure`"
    expected = sorted(hashed if measured else unhashed)
    assert len(lines) == len(expected)
    for line, text in zip(sorted(lines), expected, strict=True):
        assert line.startswith(f"s/a/2.jpg: {text}")


def test_a_size_that_the_file_does_not_have_is_found(tmp_path: Path) -> None:
    found = make(tmp_path)
    widths = np.asarray(found.table["width"]).copy()
    widths[3] += 1
    lines = check(found.with_columns(width=widths))
    assert lines == ["s/a/3.jpg: size differs: the file has 16 x 32, the row 17 x 32"]


def test_masks_are_looked_for(tmp_path: Path) -> None:
    assert check(make(tmp_path, mask=True)) == ["s/a/1.jpg: mask a/gone.png: missing"]


def test_pictures_that_no_row_names_are_counted(tmp_path: Path) -> None:
    found = make(tmp_path)
    for number in range(4):
        save(tmp_path / f"b/{number}.png", number)
    (tmp_path / "b/notes.txt").touch()
    shown = ", ".join(f"{tmp_path}/b/{number}.png" for number in range(3))
    assert check(found) == [f"4 pictures under the root in no row: {shown}, ..."]


def test_folders_that_a_reader_leaves_out_are_no_strangers_until_rows_lie_there(tmp_path: Path) -> None:
    found = make(tmp_path)
    save(tmp_path / "gt_bbox/1.jpg", 1)
    save(tmp_path / "gt_bbox_more/1.jpg", 1)
    card = Card(title="T", beside=("gt_bbox", "a"))
    assert check(found, card) == [f"1 picture under the root in no row: {tmp_path}/gt_bbox_more/1.jpg"]
    save(tmp_path / "a/stranger.jpg", 1)
    assert check(found, card)[0].startswith("2 pictures under the root in no row")


def test_a_manifest_beside_it_vouches_for_its_own_pictures_and_masks(tmp_path: Path) -> None:
    found = make(tmp_path)
    for name in ("night/1.jpg", "mask/1.png", "night/stranger.jpg", "sheet.png"):
        save(tmp_path / name, 1)
    beside = manifest.build({"path": ["night/1.jpg"], "mask": ["mask/1.png"]}, "t", tmp_path)
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    assert check(found)[0].startswith("3 pictures under the root in no row")
    manifest.write(beside, tmp_path / "night.parquet")
    # What lies beside the manifests is no picture of a set whose pictures lie in folders.
    assert check(found) == [f"1 picture under the root in no row: {tmp_path}/night/stranger.jpg"]


def test_a_source_whose_root_lies_in_another_one_is_no_stranger_there(tmp_path: Path) -> None:
    outer = make(tmp_path)
    save(tmp_path / "night/1.jpg", 1)
    inner = manifest.build({"path": ["1.jpg"]}, "t", tmp_path / "night")
    inner = measure(inner, tmp_path / ".measure2", serial)
    assert check(manifest.concat([outer, inner])) == []


def test_many_faults_of_one_kind_are_cut_short(tmp_path: Path) -> None:
    tmp_path.joinpath("a").mkdir()
    count = checking.SHOWN + 5
    found = manifest.build({"path": [f"a/{number}.jpg" for number in range(count)]}, "s", tmp_path)
    lines = check(found)[:-1]
    assert len(lines) == checking.SHOWN + 1
    assert lines[-1] == "... and 5 more files: missing"


def test_a_missing_root_is_one_line(tmp_path: Path) -> None:
    found = manifest.build({"path": ["1.jpg"]}, "s", tmp_path / "gone")
    with pytest.raises(UserError, match="gone: no such folder"):
        check(found)


def test_the_card_is_compared(tmp_path: Path) -> None:
    found = make(tmp_path)
    right = {"train": (2, 1), "val": (1, 1), "query": (1, 1), "gallery": (3, 1), "test": (3, 1), "all": (6, 3)}
    assert check(found, Card("Set", counts=right, cameras=2)) == []
    wrong = Card("Set", counts={"train": (3, 1), "gallery": (None, 2), "all": (7, None)}, cameras=3, note="junk is cut")
    assert check(found, wrong) == [
        "train: 2 images, Set has 3",
        "gallery: 1 identity, Set has 2",
        "all: 6 images, Set has 7",
        "all: 2 cameras, Set has 3 (what a difference usually means: junk is cut)",
    ]


@pytest.mark.slow
def test_processes_find_what_one_process_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "SHARD_ROWS", 2)
    found = make(tmp_path, mask=True)
    _truncate(tmp_path)
    (tmp_path / "a/5.jpg").unlink()
    lines = check(found)
    assert len(lines) == 4
    assert checking.check(found, None, executor("processes", 2)) == lines


def test_shards_may_come_back_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = make(tmp_path)
    (tmp_path / "a/0.jpg").unlink()
    (tmp_path / "a/5.jpg").unlink()
    lines = check(found)
    monkeypatch.setattr(checking, "SHARD_ROWS", 1)
    assert lines == ["s/a/0.jpg: missing", "s/a/5.jpg: missing"]
    assert checking.check(found, None, lambda function, shards: reversed(list(serial(function, shards)))) == lines
