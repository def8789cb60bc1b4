"""`data export`: what is written reads back, copies are bytes, a kill costs nothing."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark import durable, images, manifest
from benchmark.errors import UserError
from benchmark.executors import serial
from benchmark.export import PLAN, Exported, export
from benchmark.formats import market, night600
from benchmark.manifest import Manifest
from benchmark.measure import measure
from benchmark.tree import pictures

# path, pid, camid, split, query, gallery, frame
ROWS = (
    ("a/1.jpg", 1, 1, "train", False, False, None),
    ("a/2.jpg", 1, 1, "train", False, False, None),
    ("a/3.png", 1, 2, "val", False, False, 7),
    ("b/1.jpg", 2, 1, "test", True, True, 7),
    ("b/2.jpg", 2, 1, "test", False, True, 7),
    ("b/3.jpg", 2, 3, "test", False, True, None),
    ("b/4.bmp", 2, 3, "test", True, False, None),
    ("c/1.jpg", 3, 1, "none", False, False, None),
    ("c/2.jpg", 3, 0, "test", False, False, None),
)


def picture(number: int) -> images.Picture:
    return np.random.default_rng(number).integers(0, 256, (32, 16, 3), dtype=np.uint8)


def rows(**changes: object) -> dict[str, object]:
    names = ("path", "pid", "camid", "split", "query", "gallery", "frame")
    columns: dict[str, object] = {name: [row[place] for row in ROWS] for place, name in enumerate(names)}
    return columns | changes


def make(root: Path, **changes: object) -> Manifest:
    for number, (path, *_) in enumerate(ROWS):
        if path.endswith("bmp"):
            from PIL import Image

            Image.fromarray(picture(number)).save(root / path)
        else:
            images.save(root / path, picture(number))
    return measure(manifest.build(rows(**changes), "day", root), root / ".measure", serial)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def files(folder: Path) -> dict[str, list[str]]:
    """Give the files of every image, from names.csv."""
    found: dict[str, list[str]] = {}
    with (folder / "names.csv").open(newline="") as file:
        for line in csv.DictReader(file):
            found.setdefault(line["image_id"], []).append(line["file"])
    return found


@pytest.mark.parametrize("layout", [market, night600])
def test_an_export_reads_back(layout: ModuleType, tmp_path: Path) -> None:
    source = make(tmp_path / "set")
    out = tmp_path / "out"
    assert export(source, layout, out) == Exported(files=8, written_now=8, twice=1, encoded=2, left_out=2)
    listed = files(out)
    assert sorted(file for named in listed.values() for file in named) == pictures(out).pictures
    for row in source.table.to_pylist():
        parsed = [layout.parse(file) for file in listed.get(row["image_id"], [])]
        assert all((one["pid"], one["camid"]) == (row["pid"], row["camid"]) for one in parsed)
        roles = sorted("train" if one["split"] == "train" else "query" if one["query"] else "gallery" for one in parsed)
        wanted = {"train": row["split"] in ("train", "val"), "query": row["query"], "gallery": row["gallery"]}
        assert roles == sorted(role for role in wanted if wanted[role])


def test_jpeg_bytes_are_copied_and_the_rest_is_encoded(tmp_path: Path) -> None:
    source = make(tmp_path / "set")
    export(source, night600, tmp_path / "out")
    for image, named in files(tmp_path / "out").items():
        path = tmp_path / "set" / image.removeprefix("day/")
        data = path.read_bytes()
        expected = data if path.suffix == ".jpg" else images.encode(images.decode(data), 95)
        assert [(tmp_path / "out" / file).read_bytes() for file in named] == [expected] * len(named)


def test_an_image_with_two_roles_is_two_files_of_one_name(tmp_path: Path) -> None:
    export(make(tmp_path / "set"), night600, tmp_path / "out")
    gallery, query = sorted(files(tmp_path / "out")["day/b/1.jpg"])
    assert (gallery, query) == ("bounding_box_test/000002_c1_000007_00.jpg", "query_3/000002_c1_000007_00.jpg")
    found = manifest.read(tmp_path / "out" / "manifest.parquet").table.to_pylist()
    copies = {row["path"]: row for row in found if row["path"] in (gallery, query)}
    assert (
        copies[gallery]["sha256"] == copies[query]["sha256"] == durable.sha256((tmp_path / "out" / query).read_bytes())
    )
    assert [(copies[path]["query"], copies[path]["gallery"]) for path in (query, gallery)] == [
        (True, False),
        (False, True),
    ]


def test_the_manifest_of_the_tree_is_true_and_carries_what_was_known(tmp_path: Path) -> None:
    source = make(
        tmp_path / "set",
        id_space=["people"] * len(ROWS),
        place=[9] * len(ROWS),
        time=["night"] * len(ROWS),
        parent=[f"day0/{number}.jpg" for number in range(len(ROWS))],
        subsets=[["x"]] * len(ROWS),
        mood=["calm"] * len(ROWS),
        mask=["a/1.png"] * len(ROWS),
    )
    export(source, market, tmp_path / "out")
    written = manifest.read(tmp_path / "out" / "manifest.parquet")
    # Measuring the files themselves is the oracle; a picture that was encoded anew carries no old measure.
    assert written.table["sha256"].null_count == 2
    again = measure(written, tmp_path / "scratch", serial, again=True)
    hashed = ~np.array(written.table["sha256"].is_null())
    assert written.select(hashed).table.equals(again.select(hashed).table)
    origin = {file: image for image, named in files(tmp_path / "out").items() for file in named}
    before = {row["image_id"]: row for row in source.table.to_pylist()}
    assert set(written.column("source")) == {"day-market"}
    for row in written.table.to_pylist():
        old = before[origin[row["path"]]]
        assert all(row[name] == old[name] for name in ("id_space", "pid", "camid", "place", "split", "time", "parent"))
        assert (row["subsets"], row["mood"], "mask" in row) == (["x"], "calm", False)


def _kill_at(call: int, real: Callable[..., None]) -> Callable[..., None]:
    calls = iter(range(1000))

    def write_bytes(path: Path, data: bytes, *, sync: bool = True) -> None:
        if next(calls) == call:
            raise KeyboardInterrupt
        real(path, data, sync=sync)

    return write_bytes


@pytest.mark.parametrize("call", range(10))  # the plan, eight pictures, names.csv
def test_a_killed_export_resumes_to_the_same_tree(call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make(tmp_path / "set")
    counts = export(source, market, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(durable, "write_bytes", _kill_at(call, durable.write_bytes))
        with pytest.raises(KeyboardInterrupt):
            export(source, market, tmp_path / "killed")
    killed = tmp_path / "killed"
    assert not (killed / "manifest.parquet").exists()
    if call > 1:
        first = killed / files(tmp_path / "whole")["day/a/1.jpg"][0]
        (first.parent / ".x.jpg.0123.part").write_bytes(b"half")
        before = first.stat().st_mtime_ns
    there = max(call - 1, 0)  # pictures that the kill left whole
    assert export(source, market, killed) == counts._replace(written_now=max(8 - there, 0))
    assert tree(killed) == tree(tmp_path / "whole")
    assert call <= 1 or first.stat().st_mtime_ns == before


def test_a_file_cut_by_a_power_failure_is_written_again(tmp_path: Path) -> None:
    source = make(tmp_path / "set")
    export(source, market, tmp_path / "out")
    before = tree(tmp_path / "out")
    (tmp_path / "out" / files(tmp_path / "out")["day/a/3.png"][0]).write_bytes(b"")
    assert export(source, market, tmp_path / "out").written_now == 1
    assert tree(tmp_path / "out") == before
    again = export(source, market, tmp_path / "out")
    assert (again.files, again.written_now) == (8, 0)


def test_measuring_makes_no_other_export(tmp_path: Path) -> None:
    measured = make(tmp_path / "set")
    plain = manifest.build(rows(), "day", tmp_path / "set")
    assert export(plain, market, tmp_path / "out").written_now == 8
    assert export(measured, market, tmp_path / "out").written_now == 0
    export(measured, market, tmp_path / "fresh")
    assert tree(tmp_path / "out") == tree(tmp_path / "fresh")


def test_a_picture_changed_to_one_of_equal_length_is_written_again(tmp_path: Path) -> None:
    source = manifest.build(rows(), "day", tmp_path / "set")
    make(tmp_path / "set")
    export(source, market, tmp_path / "out")
    file, copy = tmp_path / "set" / "a" / "1.jpg", tmp_path / "out" / files(tmp_path / "out")["day/a/1.jpg"][0]
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)
    assert export(source, market, tmp_path / "out").written_now == 1
    assert copy.read_bytes() == data


def test_a_whole_export_that_is_being_changed_carries_no_record(tmp_path: Path) -> None:
    source = make(tmp_path / "set")
    export(source, market, tmp_path / "out")
    (tmp_path / "out" / files(tmp_path / "out")["day/a/1.jpg"][0]).write_bytes(b"")
    (tmp_path / "set" / "a" / "2.jpg").unlink()
    with pytest.raises(UserError, match="not there"):
        export(source, market, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.parquet").exists()


def test_only_an_empty_folder_or_the_same_export_is_written_to(tmp_path: Path) -> None:
    source = make(tmp_path / "set")
    export(source, market, tmp_path / "out")
    for layout, folder, said in (
        (night600, tmp_path / "out", "other images or to other names"),
        (market, tmp_path / "set", "is not empty"),
        (market, tmp_path / "set" / "a" / "1.jpg", "is a file"),
    ):
        before = tree(tmp_path)
        with pytest.raises(UserError, match=said):
            export(source, layout, folder)
        assert tree(tmp_path) == before
    with pytest.raises(UserError, match="holds an export of other images"):
        export(source.select([0, 1]), market, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    export(source, market, tmp_path / "empty")
    assert tree(tmp_path / "empty") == tree(tmp_path / "out")


def _with_camera(camid: int) -> Mapping[str, object]:
    return {"camid": [camid, *(row[2] for row in ROWS[1:])]}


def _with_pid(pid: int) -> Mapping[str, object]:
    return {"pid": [pid, *(row[1] for row in ROWS[1:])]}


@pytest.mark.parametrize(
    ("layout", "changes", "said"),
    [
        (market, _with_camera(10), "camera 10: .* cameras 1 to 9"),
        (night600, _with_camera(9), "camera 9: .* cameras 1 to 8"),
        (market, _with_camera(0), "1 row with camid 0 .unknown., such as 'day/a/1.jpg'"),
        (night600, _with_camera(0), "1 row with camid 0"),
        (market, _with_pid(10000), "pid 10000: .* up to 9999"),
        (night600, _with_pid(1000000), "pid 1000000: .* up to 999999"),
        (night600, _with_pid(0), "pid 0: .*neither distractors"),
        (night600, _with_pid(-1), "pid -1: .*neither distractors"),
        (market, {"id_space": ["a"] * 4 + ["b"] * 5}, "one space of identities, found a, b"),
        (night600, {"id_space": ["a"] * 4 + ["b"] * 5}, "one space of identities, found a, b"),
        (market, {"split": ["none"] * 9, "query": [False] * 9, "gallery": [False] * 9}, "`--set split=train`"),
    ],
)
def test_what_a_layout_cannot_say_is_refused(
    layout: ModuleType, changes: Mapping[str, object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        export(manifest.build(rows(**changes), "day", tmp_path), layout, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("pid", [0, -1])
def test_market_takes_distractors_and_junk(pid: int, tmp_path: Path) -> None:
    source = make(tmp_path / "set", **_with_pid(pid))
    export(source, market, tmp_path / "out")
    name = "0000_c1s1_000001_00.jpg" if pid == 0 else "-1_c1s1_000001_00.jpg"
    assert files(tmp_path / "out")["day/a/1.jpg"] == [f"bounding_box_train/{name}"]


def test_sources_whose_names_clash_are_refused_and_others_are_joined(tmp_path: Path) -> None:
    def one(source: str, camid: int) -> Manifest:
        images.save(tmp_path / source / "1.jpg", picture(camid))
        columns = {"path": ["1.jpg"], "pid": [1], "camid": [camid], "split": ["train"], "id_space": ["people"]}
        return manifest.build(columns, source, tmp_path / source)

    both = manifest.concat([one("a", 1), one("b", 1)])
    with pytest.raises(UserError, match="names of a and b clash: both have pid 1, camera 1"):
        export(both, market, tmp_path / "out")
    export(manifest.concat([one("a", 1), one("c", 2)]), market, tmp_path / "out")
    assert sorted(files(tmp_path / "out")) == ["a/1.jpg", "c/1.jpg"]


def test_a_picture_that_changed_since_it_was_measured_is_refused(tmp_path: Path) -> None:
    source = make(tmp_path / "set")
    images.save(tmp_path / "set" / "a" / "2.jpg", picture(99))
    with pytest.raises(UserError, match=r"a/2\.jpg: is not the file that was measured"):
        export(source, market, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.parquet").exists()
    assert (tmp_path / "out" / PLAN).exists()


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    source = manifest.build(rows(), "day", tmp_path / "set")
    with pytest.raises(UserError, match=r"a/1\.jpg: is not there"):
        export(source, market, tmp_path / "out")
    images.save(tmp_path / "set" / "a" / "1.jpg", picture(1))
    (tmp_path / "set" / "a" / "2.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"a/2\.jpg: the file is empty"):
        export(source, market, tmp_path / "out")


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 2), st.sampled_from([None, -5, 0, 1, 2]), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_every_picture_has_its_own_name(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int | None, bool]]
) -> None:
    root = tmp_path_factory.mktemp("set")
    for number in range(len(rows)):
        images.save(root / f"{number}.jpg", picture(number), sync=False)
    columns = {
        "path": [f"{number}.jpg" for number in range(len(rows))],
        **{name: [row[place] for row in rows] for place, name in enumerate(("pid", "camid", "frame", "query"))},
        "gallery": [True] * len(rows),
        "split": ["test"] * len(rows),
    }
    done = export(manifest.build(columns, "s", root), market, root / "out")
    assert done.files == len(pictures(root / "out").pictures) == len(rows) + sum(row[3] for row in rows)
    assert done.written_now == done.files
    for image, named in files(root / "out").items():
        assert len({Path(file).name for file in named}) == 1
        assert all(market.parse(file) for file in named)
        assert (root / "out" / named[0]).read_bytes() == (root / image.removeprefix("s/")).read_bytes()
