"""Roles in a small file: written, read back, and every file that does not fit refused."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark import manifest, roles
from benchmark.columns import MEASURED
from benchmark.manifest import Manifest

Mistake = Callable[..., AbstractContextManager[None]]

PATHS = ["a, b.jpg", 'c "d".jpg', "e.jpg", "f.jpg", "ü.jpg"]
SPLITS = ["train", "test", "test", "none", "val"]
SUBSETS = [[], ["nd", "nt-st"], ["list 1"], [], ["x"]]


def bare(hashes: list[str] | None = None) -> Manifest:
    hashes = hashes or [f"{7 - place:064x}" for place in range(len(PATHS))]
    numbers: dict[str, object] = {name: [0.0] * len(PATHS) for name in MEASURED}
    numbers |= {name: [9] * len(PATHS) for name in ("width", "height")} | {"sha256": hashes}
    rows = {"path": PATHS, "pid": [1, 2, 2, -1, 3], "camid": [1] * len(PATHS), **numbers}
    return manifest.build(rows, "set", Path("/nowhere"))


def parted() -> Manifest:
    query, gallery = [False, True, False, False, False], [False, True, True, False, False]
    rows = bare()
    order = [PATHS.index(path) for path in rows.column("path")]
    values = {"split": SPLITS, "query": query, "gallery": gallery, "subsets": SUBSETS}
    return rows.with_columns(**{name: [given[place] for place in order] for name, given in values.items()})  # type: ignore[index]


@pytest.mark.parametrize("key", roles.KEYS)
@pytest.mark.parametrize("name", ["roles.csv", "roles.parquet"])
def test_roles_go_out_and_come_back(tmp_path: Path, name: str, key: roles.Key) -> None:
    done = parted()
    roles.write(done, tmp_path / name, key)
    first = (tmp_path / name).read_bytes()
    assert roles.apply(bare(), tmp_path / name).table.equals(done.table)
    roles.write(done, tmp_path / name, key)  # its own file may be written over
    assert (tmp_path / name).read_bytes() == first


def test_by_the_hash_of_its_bytes_a_picture_is_found_under_another_name(tmp_path: Path) -> None:
    done = parted()
    roles.write(done, tmp_path / "roles.csv", "sha256")
    assert not any(path in (tmp_path / "roles.csv").read_text() for path in ("set/", ".jpg"))
    frame = bare().frame()
    renamed = manifest.build(
        {"path": [f"{place}.jpg" for place in range(5)], **{n: frame[n] for n in ("pid", "camid", *MEASURED)}},
        "other",
        Path("/nowhere"),
    )
    found = roles.apply(renamed, tmp_path / "roles.csv").frame().set_index("sha256")
    for name in ("split", "query", "gallery"):
        assert found[name].to_dict() == done.frame().set_index("sha256")[name].to_dict()


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


HEAD = "image_id,split,query,gallery,subsets"


def test_a_file_of_other_pictures_counts_them_and_shows_three(tmp_path: Path, mistake: Mistake) -> None:
    roles.write(parted(), tmp_path / "roles.csv")
    lines = (tmp_path / "roles.csv").read_text().splitlines()
    with mistake("image_id in no row of the manifest: 5, such as set/0.jpg, set/1.jpg, set/2.jpg, ..."):
        more = [f"set/{place}.jpg,none,false,false," for place in range(5)]
        roles.apply(bare(), write(tmp_path / "more.csv", *lines, *more))
    with mistake("image_id of the manifest without a role: 2, such as set/f.jpg, set/ü.jpg"):
        roles.apply(bare(), write(tmp_path / "less.csv", *lines[:-2]))
    with mistake("twice.csv: image_id twice: 1, such as set/e.jpg"):
        roles.apply(bare(), write(tmp_path / "twice.csv", *lines, "set/e.jpg,none,false,false,"))


def test_equal_bytes_under_two_names_are_not_told_apart_by_their_hash(tmp_path: Path, mistake: Mistake) -> None:
    one, none = ("test", True, True), ("none", False, False)
    train, gallery = ("train", False, False), ("test", False, True)
    for given in ([train, one, gallery], [none, one, none], [none, none, one], [none, one, one]):
        with mistake("one sha256 with several roles", "1, such as 000"):
            roles.write(copies(given), tmp_path / "roles.csv", "sha256")
    with mistake("one sha256 with several roles"):
        roles.write(copies([train, none, none], pid=[1, 2, 1]), tmp_path / "roles.csv", "sha256")


@pytest.mark.parametrize("name", ["roles.csv", "roles.parquet"])
def test_rows_of_one_hash_come_back_where_all_or_the_first_has_the_role(tmp_path: Path, name: str) -> None:
    one, none = ("test", True, True), ("none", False, False)
    for given, lines in (([one, one, one], 2), ([one, none, none], 3), ([none, none, none], 2)):
        done = copies(given)
        roles.write(done, tmp_path / name, "sha256")
        assert len(roles.read(tmp_path / name)) == lines
        blank = copies([none] * 3).with_columns(split=["none"] * 4)
        assert roles.apply(blank, tmp_path / name).table.equals(done.table)


def test_a_hash_has_one_line_with_a_role_and_one_without(tmp_path: Path, mistake: Mistake) -> None:
    head, key = HEAD.replace("image_id", "sha256"), f"{7:064x}"
    for one, other in (("train", "test"), ("none", "none")):
        lines = [f"{key},{side},false,false," for side in (one, other)]
        with mistake("sha256 twice: 1, such as 000"):
            roles.read(write(tmp_path / "roles.csv", head, *lines))


def copies(given: Sequence[tuple[str, bool, bool]], pid: Sequence[int] = (1, 1, 1)) -> Manifest:
    """Make three rows of one hash with these roles, and one that trains."""
    columns: dict[str, object] = {name: [0.0] * 4 for name in MEASURED}
    columns |= {name: [9] * 4 for name in ("width", "height")}
    columns |= {"sha256": [f"{7:064x}"] * 3 + [f"{8:064x}"], "path": ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]}
    split, query, gallery = zip(*given, ("train", False, False), strict=True)
    columns |= {"split": list(split), "query": list(query), "gallery": list(gallery), "pid": [*pid, 3]}
    return manifest.build(columns | {"camid": [1] * 4}, "set", Path("/nowhere"))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["image_id,split,query,gallery"], "has the columns image_id, split, query, gallery; a file of roles has"),
        ([HEAD + ",who"], "has the columns"),
        ([HEAD.replace("image_id", "sha256,image_id")], "has the columns"),
        ([HEAD, "set/e.jpg,train,no,false,"], "line 2, query: found 'no', must be true or false"),
        ([HEAD, "set/e.jpg,train,false"], "line 2 has 3 fields, must have 5"),
        ([HEAD, '"set/e.jpg,train'], "not CSV"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, mistake: Mistake, lines: list[str], said: str) -> None:
    with mistake("roles.csv", said):
        roles.read(write(tmp_path / "roles.csv", *lines))


def test_a_role_that_cannot_be_is_refused_as_in_any_manifest(tmp_path: Path, mistake: Mistake) -> None:
    roles.write(parted(), tmp_path / "roles.csv")
    text = (tmp_path / "roles.csv").read_text()
    (tmp_path / "roles.csv").write_text(text.replace("set/e.jpg,test", "set/e.jpg,tset"))
    with mistake("roles.csv", "'set/e.jpg'", "found 'tset'", "train, val, test, none"):
        roles.apply(bare(), tmp_path / "roles.csv")


def test_other_files_are_neither_read_nor_written_over(tmp_path: Path, mistake: Mistake) -> None:
    done = parted()
    manifest.write(done, tmp_path / "set.parquet")
    for path, said in (("set.parquet", "holds no roles"), ("set.txt", "ends in .csv or .parquet")):
        with mistake(path, said):
            roles.write(done, tmp_path / path)
    with mistake("set.parquet", "a file of roles has"):
        roles.apply(done, tmp_path / "set.parquet")
    (tmp_path / "empty.csv").touch()
    with mistake("empty.csv: is empty"):
        roles.read(tmp_path / "empty.csv")
    with mistake("gone.csv", "cannot read"):
        roles.read(tmp_path / "gone.csv")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "set.parquet").read_bytes()[:-9])
    with mistake("cut.parquet", "not a Parquet file"):
        roles.read(tmp_path / "cut.parquet")
    table = pa.table({"image_id": ["a"], "split": ["train"], "query": [None], "gallery": [False], "subsets": [[]]})
    pq.write_table(table, tmp_path / "null.parquet")
    with mistake("column 'query' has no value in 1 rows"):
        roles.read(tmp_path / "null.parquet")
    parts = done.with_columns(subsets=[["a;b"], *[[]] * 4])
    with mistake("a subset holds a ';'", "write .parquet"):
        roles.write(parts, tmp_path / "parts.csv")


def test_unmeasured_rows_have_no_hash_to_be_named_by(tmp_path: Path, mistake: Mistake) -> None:
    empty = manifest.build({"path": ["a.jpg"], "pid": [1]}, "set", Path("/nowhere"))
    with mistake("roles.csv", "1 of 1 rows unmeasured"):
        roles.write(empty, tmp_path / "roles.csv", "sha256")
