"""The manifest: what is written comes back, equal tables give equal bytes, and an invalid one cannot be made."""

import hashlib
import random
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark import manifest
from benchmark.columns import COLUMNS, EXTRAS, LABEL_COLUMNS, MEASURED, NAMES
from benchmark.manifest import Manifest

Mistake = Callable[..., AbstractContextManager[None]]
Attempt = Callable[..., Any]

LABELS = ["image_id", "id_space", "pid", "camid", "place", "split", "query", "gallery"]
LABELS += ["subsets", "modality", "time", "object"]

# Everything but control characters and halves of surrogate pairs.
letters = st.characters(exclude_categories=["Cc", "Cs"])
words = st.text(letters, min_size=1, max_size=5)
parts = st.text(letters.filter(lambda letter: letter not in "/\\"), min_size=1, max_size=5)
paths = st.lists(parts.filter(lambda part: part not in (".", "..")), min_size=1, max_size=3).map("/".join)
plain_paths = paths.filter(lambda path: not re.match("[A-Za-z]:", path))
float32 = st.floats(-1e6, 1e6, width=32)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw a value or null."""
    return st.none() | values


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """Draw one valid row without its path."""
    pid, split = draw(st.integers(-1, 2**31 - 1)), draw(st.sampled_from(["train", "val", "test", "none"]))
    camid = st.integers(0, 2**15 - 1)
    return {
        "pid": pid,
        "split": split,
        "query": pid > 0 and split != "train" and draw(st.booleans()),
        "gallery": split != "train" and draw(st.booleans()),
        **{"id_space": draw(words), "camid": draw(camid), "place": draw(camid)},
        "subsets": draw(st.lists(words, max_size=3)),
        "modality": draw(st.sampled_from(["visible", "infrared", "thermal"])),
        "time": draw(st.sampled_from(["day", "night", "unknown"])),
        "object": draw(st.sampled_from(["person", "vehicle"])),
        **{name: draw(maybe(words)) for name in ("parent", "scene", "sequence", "label", "own_words")},
        **{name: draw(maybe(float32)) for name in ("exposure", "x", "noise")},
        "timestamp": draw(maybe(st.floats(allow_nan=False, allow_infinity=False))),
        "frame": draw(maybe(st.integers(-(2**31), 2**31 - 1))),
        "look_alike": draw(maybe(st.booleans())),
        "own_number": draw(st.integers(-(2**63), 2**63 - 1)),
    }


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    """Draw a reader's rows as columns."""
    found = draw(st.lists(plain_paths, min_size=1, max_size=6, unique=True))
    columns = [draw(rows()) for _ in found]
    return {"path": found, **{name: [row[name] for row in columns] for name in columns[0]}}


def slow_hash(table: list[dict[str, Any]], names: list[str]) -> str:
    """Hash rows as documented, one obvious step after the other."""
    text = ""
    for row in sorted(table, key=lambda row: str(row["image_id"]).encode()):
        fields = []
        for name in names:
            value = row[name]
            if isinstance(value, bool):
                fields.append("true" if value else "false")
            elif isinstance(value, list):
                fields.append("\x1e".join(sorted(value)))
            else:
                fields.append(str(value))
        text += "\x1f".join(fields) + "\n"
    return hashlib.sha256(text.encode()).hexdigest()


@settings(max_examples=50)
@given(table=tables(), shuffle=st.randoms(use_true_random=False))
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, list[Any]], shuffle: random.Random
) -> None:
    folder = tmp_path_factory.getbasetemp()
    made = manifest.build(table, "toy", folder)
    order = list(range(len(made)))
    shuffle.shuffle(order)
    permuted = manifest.build({name: [values[row] for row in order] for name, values in table.items()}, "toy", folder)
    for number, one in enumerate((made, permuted)):
        manifest.write(one, folder / f"{number}.parquet")
    found = manifest.read(folder / "0.parquet")
    assert found.table.equals(made.table)
    assert found.roots == {"toy": folder}
    assert (folder / "0.parquet").read_bytes() == (folder / "1.parquet").read_bytes()
    assert found.labels_sha256 == made.labels_sha256 == slow_hash(made.table.to_pylist(), LABELS)
    assert found.data_sha256 is None


@given(table=tables())
def test_every_value_is_kept(table: dict[str, list[Any]]) -> None:
    made = {row["path"]: row for row in manifest.build(table, "toy", Path()).table.to_pylist()}
    for row, path in enumerate(table["path"]):
        given_row = {name: values[row] for name, values in table.items()}
        given_row["subsets"] = sorted(set(given_row["subsets"]))
        assert made[path] == made[path] | given_row
        assert made[path]["image_id"] == f"toy/{path}"
        assert made[path]["source"] == "toy"


@given(table=tables())
def test_identities_equal_their_slow_twin(table: dict[str, list[Any]]) -> None:
    table["pid"] = [pid if pid < 1 else pid % 3 + 1 for pid in table["pid"]]
    table["id_space"] = [space[:1] for space in table["id_space"]]
    made = manifest.build(table, "toy", Path())
    pairs = [(row["id_space"], row["pid"]) for row in made.table.to_pylist()]
    known = sorted({pair for pair in pairs if pair[1] > 0})
    assert made.identities().tolist() == [known.index(pair) if pair[1] > 0 else -1 for pair in pairs]


@pytest.fixture
def three(tmp_path: Path) -> Manifest:
    """Give three rows: two of one person, one distractor."""
    columns = {
        "path": ["a.jpg", "b.jpg", "c/d.jpg"],
        "pid": [1, 1, 0],
        "camid": [1, 2, 1],
        "split": ["test", "none", "none"],
    }
    return manifest.build({**columns, "label": ["x", None, "z"]}, "toy", tmp_path)


def with_measures(three: Manifest, **changes: object) -> Manifest:
    """Fill in measures, some of them changed."""
    light = {"lightness": 9.0, "luma": 8.0, "stops": -5.0, "p05": 1.0, "p95": 20.0, "dark": 0.1, "saturated": 0.0}
    hashes = [digit * 64 for digit in "0ab"]
    return three.with_columns(**{"width": 64, "height": 128, **light, "sha256": hashes, **changes})


def test_defaults(three: Manifest) -> None:
    row = three.table.to_pylist()[2]
    assert row | {"image_id": "toy/c/d.jpg", "id_space": "toy", "place": 1, "split": "none", "query": False} == row
    assert row | {"gallery": False, "subsets": [], "modality": "visible", "time": "unknown", "object": "person"} == row
    assert {row[column.name] for column in COLUMNS if column.null} == {None}
    assert three.table.column_names == [*NAMES, "label"]


# What breaks a rule: the columns to change, and what the message must hold: column, row, what was found, what may be.
BROKEN: list[tuple[dict[str, Any], list[str]]] = [
    ({"image_id": ["toy/a", "toy/a", "toy/c"]}, ["image_id", "'toy/a'", "stands twice"]),
    ({"image_id": ["toy/a", "toi/b", "toy/c"]}, ["image_id", "'toi/b'", "toy/ and a path"]),
    *(
        ({"path": ["x", path, "z"]}, ["'toy/b.jpg'", "'path'", repr(path), "relative path", "stays under its root"])
        for path in ("..", "../b", "a/../../b", "a/..", "/b", "//b", "a//b", "./b", "a/./b", "b/", "", "C:/b", "a\\b")
    ),
    ({"mask": [None, "../m.png", None]}, ["'toy/b.jpg'", "'mask'", "'../m.png'", "relative path"]),
    ({"split": ["test", "training", "none"]}, ["'toy/b.jpg'", "'split'", "'training'", "train, val, test, none"]),
    ({"modality": "rgb"}, ["'modality'", "'rgb'", "visible, infrared, thermal", "and 2 more rows"]),
    ({"time": "dusk"}, ["'time'", "'dusk'", "day, night, unknown"]),
    ({"object": "dog"}, ["'object'", "'dog'", "person, vehicle"]),
    ({"pid": [1, -2, 0]}, ["'toy/b.jpg'", "'pid'", "-2", "at least -1"]),
    ({"pid": [1, None, 0]}, ["'toy/b.jpg'", "'pid'", "None", "a value"]),
    ({"camid": [1, -1, 0]}, ["'toy/b.jpg'", "'camid'", "-1", "at least 0"]),
    ({"place": [1, -1, 0]}, ["'toy/b.jpg'", "'place'", "-1", "at least 0"]),
    ({"h": [1.0, -1.0, None]}, ["'toy/b.jpg'", "'h'", "-1.0", "at least 0"]),
    ({"w": [1.0, -1.0, None]}, ["'toy/b.jpg'", "'w'", "-1.0", "at least 0"]),
    *(
        ({name: [1.0, number, None]}, ["'toy/b.jpg'", repr(name), repr(number), "finite", "null for not measured"])
        for name in ("exposure", "timestamp", "x", "h", "noise", "my_own")
        for number in (float("nan"), float("inf"), -float("inf"))
        if not (name == "h" and number < 0)
    ),
    ({"query": [True, True, True]}, ["'toy/c/d.jpg'", "'pid'", "found 0", "1 or more", "query"]),
    ({"query": True, "split": "train", "pid": 1}, ["'split'", "'train'", "query or gallery"]),
    ({"gallery": True, "split": "train"}, ["'split'", "'train'", "query or gallery"]),
    ({"query": [True, None, False]}, ["'toy/b.jpg'", "'query'", "None", "a value"]),
    ({"id_space": ["x", "", "y"]}, ["'toy/b.jpg'", "'id_space'", "''", "name of a space"]),
    ({"label": ["x", "a\nb", "y"]}, ["'toy/b.jpg'", "'label'", r"'a\nb'", "without control characters"]),
    ({"my_own": ["x", "a\x1fb", "y"]}, ["'toy/b.jpg'", "'my_own'", r"'a\x1fb'", "without control characters"]),
    ({"subsets": [["x"], None, []]}, ["'toy/b.jpg'", "'subsets'", "None", "a value"]),
    ({"subsets": [["x"], ["y", None], []]}, ["'subsets'", "null", "texts"]),
    ({"subsets": [["x"], ["y\n"], []]}, ["'subsets'", "control character"]),
    ({"subsets": [["x"], ["y\x1ez"], []]}, ["'subsets'", "control character"]),
    ({"sha256": [None, "0" * 64, None]}, ["'toy/b.jpg'", "measured together with sha256"]),
    ({"luma": [None, 3.0, None]}, ["'toy/b.jpg'", "'luma'", "3.0", "measured together with sha256"]),
    ({"pid": ["1", "x", "2"]}, ["'pid'", "'1'", "int32"]),
    ({"pid": [1, 2**31, 0]}, ["'pid'"]),
    ({"noise": ["a", "b", "c"]}, ["'noise'"]),
    ({"look_alike": [1, 2, 3]}, ["'look_alike'"]),
    ({"subsets": ["abc", "b", "c"]}, ["'subsets'", "list of texts"]),
]


@pytest.mark.parametrize(("change", "message"), BROKEN, ids=[f"{change}" for change, _ in BROKEN])
def test_a_row_that_breaks_a_rule_is_named(
    three: Manifest, mistake: Mistake, change: dict[str, Any], message: list[str]
) -> None:
    with mistake("manifest", *message):
        three.with_columns(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": ["0" * 64, "a" * 63, "b" * 64]}, ["'toy/b.jpg'", "'sha256'", "64 hexadecimal digits"]),
        ({"sha256": ["0" * 64, "A" * 64, "b" * 64]}, ["'toy/b.jpg'", "'sha256'", "64 hexadecimal digits"]),
        ({"width": [1, 0, 1]}, ["'toy/b.jpg'", "'width'", "found 0", "at least 1"]),
        ({"height": [1, 0, 1]}, ["'toy/b.jpg'", "'height'", "found 0", "at least 1"]),
        *(({name: [1.0, -1.0, 0.0]}, [repr(name), "-1.0", "at least 0"]) for name in ("lightness", "p05", "dark")),
        *(({name: [1.0, 256.0, 0.0]}, [repr(name), "256.0", "at most 255"]) for name in ("lightness", "luma", "p95")),
        *(({name: [1.0, 1.5, 0.0]}, [repr(name), "1.5", "at most 1"]) for name in ("dark", "saturated")),
        ({"stops": [-1.0, -13.5, -1.0]}, ["'stops'", "-13.5", "at least -13"]),
        ({"stops": [-1.0, 0.5, -1.0]}, ["'stops'", "0.5", "at most 0.001"]),
        *(({name: None}, ["measured together"]) for name in MEASURED),
    ],
    ids=str,
)
def test_a_measure_that_cannot_be_is_named(
    three: Manifest, mistake: Mistake, change: dict[str, Any], message: list[str]
) -> None:
    values = {name: [None] * 3 if value is None else value for name, value in change.items()}
    with mistake("manifest", *message):
        with_measures(three, **values)


@pytest.mark.parametrize("column", [column for column in COLUMNS if not column.null], ids=lambda column: column.name)
def test_a_null_where_a_value_must_be_is_refused(three: Manifest, mistake: Mistake, column: Any) -> None:  # noqa: ANN401
    with mistake("manifest"):
        three.with_columns(**{column.name: pa.nulls(3, column.type)})


@pytest.mark.parametrize("source", ["Toy", "", "a b", "a/b", "-a", "\u00e9"])
def test_a_source_is_a_slug(tmp_path: Path, mistake: Mistake, source: str) -> None:
    with mistake("source", repr(source), "lower case"):
        manifest.build({"path": ["a"]}, source, tmp_path)


def test_columns_must_be_there_once_and_of_their_type(three: Manifest, mistake: Mistake) -> None:
    with mistake("column 'camid' is missing"):
        Manifest(three.table.drop_columns(["camid"]), three.roots)
    with mistake("column 'pid' stands twice"):
        Manifest(three.table.append_column("pid", three.table["pid"]), three.roots)
    for column in (*COLUMNS, *EXTRAS):
        table = three.table.drop_columns([column.name]) if column.name in three.table.column_names else three.table
        wrong = pa.nulls(3, pa.float64() if column.type != pa.float64() else pa.string())
        with mistake(repr(column.name), f"of type {wrong.type}", f"must be {column.type}"):
            Manifest(table.append_column(column.name, wrong), three.roots)


def test_a_source_without_a_folder_and_an_empty_table_are_refused(three: Manifest, mistake: Mistake) -> None:
    with mistake("no folder is known for source 'toy'"):
        Manifest(three.table, {})
    with mistake("no rows"):
        three.select([])
    with mistake("no rows"):
        three.select(np.zeros(3, dtype=bool))
    with mistake("a reader must give the column 'path'"):
        manifest.build({"pid": [1]}, "toy", Path())
    with mistake("somewhere", "no picture found"):
        manifest.build({"path": []}, "toy", Path("somewhere"))


def test_a_file_name_that_is_no_text_is_named(tmp_path: Path, mistake: Mistake) -> None:
    with mistake("'path'", "surrogates not allowed"):
        manifest.build({"path": ["a.jpg", "b\udcff.jpg"]}, "toy", tmp_path)


def write_raw(table: pa.Table, path: Path, schema: str | None = "manifest/1") -> None:
    """Write a Parquet file past all checks."""
    pq.write_table(table.replace_schema_metadata({"luxreid.schema": schema} if schema else None), path)


def test_files_that_are_no_manifest_are_named(three: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    path = tmp_path / "m.parquet"
    with mistake(path, "cannot read", "o such file"):
        manifest.read(path)
    with mistake(tmp_path, "is a folder"):
        manifest.read(tmp_path)
    for junk in (b"", b"PAR1", b"a text\n" * 9, b"PAR1" + bytes(50) + b"PAR1"):
        path.write_bytes(junk)
        with mistake(path, "not a Parquet file"):
            manifest.read(path)
    write_raw(three.table, path, "manifest/2")
    with mistake(path, "schema is manifest/2", "reads manifest/1"):
        manifest.read(path)
    write_raw(three.table, path, None)
    with mistake(path, "schema is not named", "reads manifest/1"):
        manifest.read(path)
    write_raw(three.table.drop_columns(["source"]), path)
    with mistake(path, "'source' is missing"):
        manifest.read(path)
    write_raw(three.table.slice(0, 0), path)
    with mistake(path, "no rows"):
        manifest.read(path)


def test_a_bad_row_of_a_file_is_named_with_the_file(three: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    path = tmp_path / "m.parquet"
    column = three.table.column_names.index("path")
    write_raw(three.table.set_column(column, "path", pa.array(["a", "../b", "c"])), path)
    with mistake(path, "'toy/b.jpg'", "'path'", "'../b'"):
        manifest.read(path)
    twice = pa.concat_tables([three.table, three.table])
    write_raw(twice, path)
    with mistake(path, "'toy/a.jpg' stands twice"):
        manifest.read(path)
    broken = pa.array([b"ok", b"\xff\xfe", b"x"]).view(pa.string())
    write_raw(three.table.set_column(three.table.column_names.index("label"), "label", broken), path)
    with mistake(path, "'label'", "UTF-8"):
        manifest.read(path)


def test_a_cut_file_is_refused(three: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    path = tmp_path / "m.parquet"
    manifest.write(three, path)
    data = path.read_bytes()
    for length in range(0, len(data), 97):
        path.write_bytes(data[:length])
        with mistake(path):
            manifest.read(path)


def flipped(data: bytes, position: int) -> bytes:
    """Change one bit of one byte."""
    changed = bytearray(data)
    changed[position] ^= 1 << position % 8
    return bytes(changed)


def test_a_flipped_byte_is_refused_or_does_no_harm(three: Manifest, tmp_path: Path, attempt: Attempt) -> None:
    path = tmp_path / "m.parquet"
    made = with_measures(three)
    manifest.write(made, path)
    data = path.read_bytes()
    found: list[Manifest | None] = []
    for position in range(0, len(data), 5):
        path.write_bytes(flipped(data, position))
        found.append(attempt(lambda: manifest.read(path), str(path)))
    # Headers and statistics have no checksum; but what is read in spite of a change must be what was written.
    # (The one thing that no checksum holds and no schema names is how an extra column is called.)
    assert all(one.table.select(NAMES).equals(made.table.select(NAMES)) for one in found if one is not None)
    assert sum(one is None for one in found) > 0.5 * len(found)


def test_a_flipped_byte_of_a_page_fails_its_checksum(three: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    path = tmp_path / "m.parquet"
    manifest.write(three, path)
    data = path.read_bytes()
    path.write_bytes(flipped(data, data.index(b"c/d.jpg")))  # the first page holds the texts of image_id as they are
    with mistake(path, "broken", "CRC checksum"):
        manifest.read(path)


def test_extra_columns_are_kept_in_order(three: Manifest, tmp_path: Path) -> None:
    made = three.with_columns(zeta=[1, 2, 3], alpha=["p", None, "q"], noise=0.5, view="front")
    assert made.table.column_names == [*NAMES, "label", "view", "noise", "alpha", "zeta"]
    manifest.write(made, tmp_path / "m.parquet")
    assert manifest.read(tmp_path / "m.parquet").table.equals(made.table)


def test_pandas_and_lists_give_one_table(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {"path": ["a", "b"], "pid": [1, 2], "exposure": [-1.0, None]}
    columns |= {"label": ["x", None], "own": ["u", None]}
    from_lists = manifest.build(columns, "toy", tmp_path)
    assert manifest.build(pd.DataFrame(columns), "toy", tmp_path).table.equals(from_lists.table)
    frame = from_lists.frame()
    assert from_lists.with_columns(**{str(name): frame[name] for name in frame}).table.equals(from_lists.table)


def test_frame_and_column(three: Manifest) -> None:
    frame = three.frame()
    assert str(frame["pid"].dtype) == "Int32"
    assert frame["pid"].tolist() == three.column("pid").tolist() == [1, 1, 0]
    assert three.column("query").dtype == bool
    assert np.isnan(three.column("exposure").astype(float)).all()
    assert three.column("label").tolist() == ["x", None, "z"]


def test_an_unknown_column_is_named(three: Manifest, mistake: Mistake) -> None:
    with mistake("no column 'lux'", "image_id, source, path"):
        three.column("lux")


def test_select_by_mask_and_by_position(three: Manifest) -> None:
    mask = np.array([True, False, True])
    for rows_ in (mask, [0, 2], [2, 0], np.array([0, 2]), pd.Series([True, False, True])):
        found = three.select(rows_)  # type: ignore[arg-type]
        assert found.table["path"].to_pylist() == ["a.jpg", "c/d.jpg"]
        assert found.roots == three.roots
    assert len(three) == 3


def test_with_columns_changes_a_copy(three: Manifest) -> None:
    changed = three.with_columns(time="night", pid=np.array([4, 5, 6]), exposure=-2)
    assert changed.column("time").tolist() == ["night"] * 3
    assert changed.column("pid").tolist() == [4, 5, 6]
    assert changed.column("exposure").tolist() == [-2.0] * 3
    assert changed.table.schema.equals(three.table.schema)
    assert three.column("time").tolist() == ["unknown"] * 3


def test_subsets_are_sets(three: Manifest) -> None:
    lists = [["b", "a", "b"], [], ["a b", "a,b"]]
    found = three.with_columns(subsets=lists)
    assert found.table["subsets"].to_pylist() == [["a", "b"], [], ["a b", "a,b"]]
    assert found.labels_sha256 == three.with_columns(subsets=[["a", "b"], [], ["a,b", "a b"]]).labels_sha256
    assert found.labels_sha256 != three.labels_sha256


CHANGED: dict[str, object] = {
    "image_id": ["toy/a.jpg", "toy/b.jpg", "toy/c/e.jpg"],
    "id_space": ["toy", "other", "toy"],
    "pid": [1, 2, 0],
    "camid": [1, 3, 1],
    "place": [1, 3, 1],
    "split": ["test", "val", "none"],
    "query": [False, True, False],
    "gallery": [False, True, False],
    "subsets": [[], ["x"], []],
    "modality": ["visible", "thermal", "visible"],
    "time": ["unknown", "night", "unknown"],
    "object": ["person", "vehicle", "person"],
}


@pytest.mark.parametrize("name", LABEL_COLUMNS)
def test_the_labels_hash_sees_every_label_column(three: Manifest, name: str) -> None:
    changed = three.with_columns(**{name: CHANGED[name]})
    assert changed.labels_sha256 == slow_hash(changed.table.to_pylist(), LABELS) != three.labels_sha256


def test_the_labels_hash_sees_nothing_else(three: Manifest) -> None:
    changed = with_measures(three, path=["x", "y", "z"], exposure=1.0, scene="s", label="l", own=3)
    assert changed.labels_sha256 == three.labels_sha256


def test_the_data_hash_needs_every_row(three: Manifest) -> None:
    measured = with_measures(three)
    assert measured.measured
    assert not three.measured
    assert three.data_sha256 is None
    assert measured.data_sha256 == slow_hash(measured.table.to_pylist(), ["image_id", "sha256"])
    assert measured.with_columns(pid=1).data_sha256 == measured.data_sha256
    assert with_measures(three, sha256=["0" * 64, "c" * 64, "b" * 64]).data_sha256 != measured.data_sha256
    none = {name: [value, None, value] for name, value in measured.table.to_pylist()[0].items() if name in MEASURED}
    partly = measured.with_columns(**none)
    assert partly.data_sha256 is None
    assert not partly.measured


def test_rows_that_must_be_measured_name_the_command(three: Manifest, mistake: Mistake) -> None:
    with mistake("light", "3 of 3 rows unmeasured", "`luxreid data measure`"):
        three.require_measured("light")
    with_measures(three).require_measured("light")


def two_sets(tmp_path: Path) -> list[Manifest]:
    """Lay out two sets in two folders, every file with a text of its own."""
    found = []
    for source in ("day", "night"):
        root = tmp_path / "sets" / source
        for name in ("a", "b", "m"):
            (root / "sub").mkdir(parents=True, exist_ok=True)
            (root / "sub" / name).write_text(f"{source} {name}")
        found.append(manifest.build({"path": ["sub/a", "sub/b"], "mask": ["sub/m", None]}, source, root))
    return found


def test_concat_keeps_every_root(tmp_path: Path) -> None:
    day, night = two_sets(tmp_path)
    joined = manifest.concat([night, day.with_columns(own=[1, 2])])
    assert joined.roots == {"day": tmp_path / "sets" / "day", "night": tmp_path / "sets" / "night"}
    assert joined.files() == day.files() + night.files()
    assert joined.table["own"].to_pylist() == [1, 2, None, None]
    assert manifest.common_root(joined) == tmp_path / "sets"
    parts_ = [joined.select(joined.column("source") == name) for name in ("day", "night")]
    assert parts_[1].table["path"].to_pylist() == ["sub/a", "sub/b"]


@pytest.mark.parametrize("way", ["plain", "dotted"])
def test_a_joined_table_is_written_under_one_root(tmp_path: Path, way: str) -> None:
    day, night = two_sets(tmp_path)
    if way == "dotted":  # as from --root ../night
        night = Manifest(night.table, {"night": tmp_path / "sets" / "day" / ".." / "night"})
    joined = manifest.concat([day, night])
    path = tmp_path / "sets" / "joined.parquet"
    manifest.write(joined, path)
    found = manifest.read(path)
    assert found.table["image_id"].equals(joined.table["image_id"])
    assert found.labels_sha256 == joined.labels_sha256
    assert [file.read_text() for file in found.files()] == [file.read_text() for file in joined.files()]
    masks = [mask for mask in found.table["mask"].to_pylist() if mask]
    assert [(path.parent / mask).read_text() for mask in masks] == ["day m", "night m"]
    manifest.write(found, tmp_path / "sets" / "again.parquet")
    assert (tmp_path / "sets" / "again.parquet").read_bytes() == path.read_bytes()


def test_concat_refuses_what_does_not_go_together(tmp_path: Path, mistake: Mistake) -> None:
    day, night = two_sets(tmp_path)
    with mistake("source 'day' is in two manifests"):
        manifest.concat([day, night, day])
    with mistake("differ in type", "own"):
        manifest.concat([day.with_columns(own=1), night.with_columns(own="x")])


def test_notes_are_kept_and_never_stored(three: Manifest, tmp_path: Path) -> None:
    noted = manifest.build({"path": ["a"]}, "other", tmp_path, notes=["mind the gap"])
    assert manifest.concat([three, noted]).notes == noted.select([0]).notes == ("mind the gap",)
    manifest.write(noted, tmp_path / "m.parquet")
    assert manifest.read(tmp_path / "m.parquet").notes == ()


def test_a_file_that_is_no_manifest_is_never_replaced(tmp_path: Path, mistake: Mistake) -> None:
    for name, data in (("notes.txt", b"mine"), ("picture.jpg", b"\xff\xd8"), ("empty", b"")):
        (tmp_path / name).write_bytes(data)
        with mistake(name, "is there and is no manifest"):
            manifest.write(manifest.build({"path": ["a.jpg"]}, "set", tmp_path), tmp_path / name)
        assert (tmp_path / name).read_bytes() == data


def test_a_manifest_behind_a_link_is_written_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    first = manifest.build({"path": ["a.jpg"]}, "set", tmp_path)
    manifest.write(first, tmp_path / "real" / "m.parquet")
    (tmp_path / "link.parquet").symlink_to(tmp_path / "real" / "m.parquet")
    manifest.write(first.with_columns(pid=7), tmp_path / "link.parquet")
    assert (tmp_path / "link.parquet").is_symlink()
    assert manifest.read(tmp_path / "real" / "m.parquet").table["pid"].to_pylist() == [7]


def test_wide_and_encoded_texts_of_other_writers_are_taken(tmp_path: Path) -> None:
    made = manifest.build({"path": ["a.jpg", "b.jpg"], "subsets": [["x"], []], "own": ["p", "q"]}, "set", tmp_path)
    wide = made.table.replace_schema_metadata({"luxreid.schema": "manifest/1"})
    changes = {"path": pa.large_string(), "own": pa.large_string(), "subsets": pa.large_list(pa.large_string())}
    for name, kind in changes.items():
        wide = wide.set_column(wide.column_names.index(name), name, wide[name].cast(kind))
    place = wide.column_names.index("split")
    wide = wide.set_column(place, "split", wide["split"].dictionary_encode())
    pq.write_table(wide, tmp_path / "wide.parquet")
    assert manifest.read(tmp_path / "wide.parquet").table.equals(made.table)
