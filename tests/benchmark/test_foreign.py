"""Features of anyone: every format gives the same rows, and whatever is wrong with a file is said in one line."""

import json
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from benchmark import durable, features, foreign, manifest
from benchmark.errors import UserError
from benchmark.features import Features
from benchmark.manifest import Manifest

Mistake = Callable[..., AbstractContextManager[None]]

# In the file's order, which is not the manifest's.
PATHS = ["q/c.jpg", "g/a.jpg", "q/b.jpg", "g/d.jpg"]
IDS = [f"set/{path}" for path in PATHS]
NUMBERS = np.arange(12, dtype=np.float32).reshape(4, 3) - 5


@pytest.fixture
def world() -> Manifest:
    return manifest.build({"path": PATHS, "pid": [1, 1, 2, 2]}, "set", Path("/nowhere"))


def expected(world: Manifest) -> np.ndarray[Any, Any]:
    return NUMBERS[[IDS.index(str(image)) for image in world.column("image_id")]]


def folder(path: Path, world: Manifest) -> Path:
    features.write(Features(IDS, NUMBERS, {"method": "test"}), world, path)
    return path


def npz(path: Path, /, **arrays: object) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def npy(path: Path, array: object) -> Path:
    np.save(path, np.asarray(array))
    return path


def parquet(path: Path, /, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def text(path: Path, words: str) -> Path:
    path.write_text(words)
    return path


def fixed(numbers: np.ndarray[Any, Any]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), numbers.shape[1])


def with_names(tmp_path: Path, world: Manifest) -> dict[str, Path]:
    return {
        "folder": folder(tmp_path / "folder", world),
        "npz": npz(tmp_path / "a.npz", features=NUMBERS, image_id=np.array(IDS), pid=np.arange(4)),
        "npz, one array": npz(tmp_path / "b.npz", arr_0=NUMBERS, path=np.array(PATHS)),
        "list": parquet(tmp_path / "a.parquet", image_id=IDS, features=NUMBERS.tolist(), pid=[1, 1, 2, 2]),
        "fixed list": parquet(tmp_path / "b.parquet", path=pa.array(PATHS, pa.large_string()), x=fixed(NUMBERS)),
        "columns": parquet(
            tmp_path / "c.parquet",
            name=pa.array(["c.jpg", "a.jpg", "b.jpg", "d.jpg"]).dictionary_encode(),
            **{f"f{column}": NUMBERS[:, column] for column in range(3)},
        ),
    }


def without_names(tmp_path: Path) -> dict[str, Path]:
    save_file({"features": NUMBERS, "other": NUMBERS}, tmp_path / "a.safetensors")
    save_file({"weight": NUMBERS}, tmp_path / "b.safetensors")
    return {
        "npy": npy(tmp_path / "n.npy", NUMBERS),
        "fortran": npy(tmp_path / "o.npy", np.asfortranarray(NUMBERS)),
        "big endian": npy(tmp_path / "p.npy", NUMBERS.astype(">f4")),
        "npz": npz(tmp_path / "n.npz", vectors=NUMBERS),
        "safetensors": tmp_path / "a.safetensors",
        "one tensor": tmp_path / "b.safetensors",
        "parquet": parquet(tmp_path / "n.parquet", embeddings=NUMBERS.tolist()),
    }


def test_every_format_with_names_gives_the_same_rows(world: Manifest, tmp_path: Path) -> None:
    for title, path in with_names(tmp_path, world).items():
        found = foreign.load(path, None, False, world)
        np.testing.assert_array_equal(found.of(world), expected(world), err_msg=title)
        np.testing.assert_array_equal(found.vectors[found.places(world)], expected(world), err_msg=title)


def test_every_format_without_names_takes_them_from_a_list(world: Manifest, tmp_path: Path) -> None:
    lists = [
        text(tmp_path / "r.txt", "\n".join(IDS)),
        text(tmp_path / "windows.txt", "\r\n".join(PATHS) + "\r\n"),
        text(tmp_path / "r.csv", "\ufeffpath,pid\n" + "".join(f'"{path}",1\n' for path in PATHS)),
        parquet(tmp_path / "r.parquet", name=[path[2:] for path in PATHS]),
    ]
    for title, path in without_names(tmp_path).items():
        for rows in lists:
            found = foreign.load(path, rows, False, world)
            np.testing.assert_array_equal(found.of(world), expected(world), err_msg=f"{title}, {rows.name}")


def test_the_manifests_own_order_must_be_said(world: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    sorted_rows = npy(tmp_path / "n.npy", expected(world))
    found = foreign.load(sorted_rows, None, True, world)
    np.testing.assert_array_equal(found.of(world), expected(world))
    assert found.notes == ("features: rows taken in the manifest's own order",)
    with mistake(sorted_rows, "does not say whose its rows are", "--rows", ".txt", "--in-order"):
        foreign.load(sorted_rows, None, False, world)
    with mistake("holds 4 rows, the manifest 3", "--in-order"):
        foreign.load(sorted_rows, None, True, world.select([0, 1, 2]))


def test_two_answers_to_whose_the_rows_are_are_refused(world: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    rows = text(tmp_path / "r.txt", "\n".join(IDS))
    with mistake("--rows and --in-order are two answers"):
        foreign.load(npy(tmp_path / "n.npy", NUMBERS), rows, True, world)
    for path in with_names(tmp_path, world).values():
        with mistake(path, "says itself", "--rows"):
            foreign.load(path, rows, False, world)
        with mistake(path, "says itself", "--in-order"):
            foreign.load(path, None, True, world)


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("image_id", IDS),
        ("path", PATHS),
        ("whole path", [f"/nowhere/{path}" for path in PATHS]),
        ("file name", [path[2:] for path in PATHS]),
    ],
)
def test_a_note_says_how_the_rows_were_found(title: str, names: list[str], world: Manifest, tmp_path: Path) -> None:
    found = foreign.load(npz(tmp_path / "a.npz", features=NUMBERS, name=np.array(names)), None, False, world)
    assert found.notes == (f"features: rows found by {title}",)
    np.testing.assert_array_equal(found.of(world), expected(world))


def test_the_surest_way_of_calling_an_image_comes_first(tmp_path: Path) -> None:
    world = manifest.build({"path": ["1.jpg", "2.jpg"], "pid": [1, 1]}, "set", Path("/nowhere"))
    path = npz(tmp_path / "a.npz", features=NUMBERS[:2], name=np.array(["2.jpg", "3.jpg"]))
    note = "features: rows found by path; 1 of 2 belong to no image of the manifest"
    assert foreign.load(path, None, False, world).notes == (note,)


def test_names_that_are_nobodys_are_counted_and_do_no_harm(world: Manifest, tmp_path: Path) -> None:
    part = world.select(world.column("pid") == 1)
    for path in with_names(tmp_path, world).values():
        found = foreign.load(path, None, False, part)
        np.testing.assert_array_equal(found.of(part), expected(part))
        assert path.is_dir() or "2 of 4 belong to no image of the manifest" in found.notes[0]


def test_file_names_of_several_images_are_refused_and_ends_of_other_paths_are_no_match(
    tmp_path: Path, mistake: Mistake
) -> None:
    world = manifest.build({"path": ["day/1.jpg", "night/1.jpg"], "pid": [1, 1]}, "set", Path("/nowhere"))
    numbers = NUMBERS[:1]
    with mistake("'1.jpg' is the file name of 2 images", "use image_id"):
        foreign.load(npz(tmp_path / "a.npz", features=numbers, name=np.array(["1.jpg"])), None, False, world)
    with mistake("'dusk/1.jpg'", "'set/day/1.jpg'", "'day/1.jpg'"):
        foreign.load(npz(tmp_path / "b.npz", features=numbers, name=np.array(["dusk/1.jpg"])), None, False, world)


def test_a_path_that_two_sources_share_is_refused(tmp_path: Path, mistake: Mistake) -> None:
    sets = [manifest.build({"path": ["1.jpg"], "pid": [1]}, name, Path("/nowhere") / name) for name in ("a", "b")]
    world = manifest.concat(sets)
    with mistake("'1.jpg' is the path of 2 images"):
        foreign.load(npz(tmp_path / "a.npz", features=NUMBERS[:1], path=np.array(["1.jpg"])), None, False, world)
    whole = np.array(["/nowhere/b/1.jpg", "/nowhere/a/1.jpg"])
    found = foreign.load(npz(tmp_path / "b.npz", features=NUMBERS[:2], name=whole), None, False, world)
    np.testing.assert_array_equal(found.of(world), NUMBERS[[1, 0]])


def test_missing_images_are_counted_when_they_are_asked_for(world: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    path = npz(tmp_path / "a.npz", features=NUMBERS[:2], path=np.array(PATHS[:2]))
    found = foreign.load(path, None, False, world)
    assert len(found.of(world.select([0]))) == 1
    with mistake("2 of 4 images have none, the first is 'set/g/d.jpg'"):
        found.of(world)


def test_an_image_that_stands_twice_is_named(world: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    twice = [*IDS[:3], IDS[0]]
    with mistake("a.npz", f"{IDS[0]!r} stands twice"):
        foreign.load(npz(tmp_path / "a.npz", features=NUMBERS, image_id=np.array(twice)), None, False, world)
    rows = text(tmp_path / "r.txt", "\n".join([*PATHS[:2], *PATHS[:2]]))
    with mistake("r.txt", f"{PATHS[0]!r} stands twice, and so do 1 more"):
        foreign.load(npy(tmp_path / "n.npy", NUMBERS), rows, False, world)


def test_names_and_vectors_of_other_lengths_are_refused(world: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    rows = text(tmp_path / "r.txt", "\n".join(PATHS[:3]))
    with mistake("r.txt: names 3 rows, the vectors of n.npy are 4"):
        foreign.load(npy(tmp_path / "n.npy", NUMBERS), rows, False, world)
    with mistake("a.npz: names 4 rows, the vectors of a.npz are 3"):
        foreign.load(npz(tmp_path / "a.npz", features=NUMBERS[:3], image_id=np.array(IDS)), None, False, world)
    with mistake("a.parquet: row 2 has 1 numbers, row 0 has 2"):
        lengths = parquet(tmp_path / "a.parquet", image_id=IDS[:3], features=[[1.0, 2.0], [3.0, 4.0], [5.0]])
        foreign.load(lengths, None, False, world)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_numbers_stay_as_precise_as_they_came(kind: type[np.floating], world: Manifest, tmp_path: Path) -> None:
    numbers = NUMBERS.astype(kind)
    save_file({"features": numbers}, tmp_path / "a.safetensors")
    rows = text(tmp_path / "r.txt", "\n".join(IDS))
    for path in (
        npy(tmp_path / "n.npy", numbers),
        npz(tmp_path / "n.npz", features=numbers),
        tmp_path / "a.safetensors",
        parquet(tmp_path / "a.parquet", features=fixed(numbers)),
        parquet(tmp_path / "b.parquet", **{f"f{column}": numbers[:, column] for column in range(3)}),
    ):
        found = foreign.load(path, rows, False, world)
        assert found.vectors.dtype == found.of(world).dtype == kind, path
        np.testing.assert_array_equal(found.of(world), expected(world))


def test_an_array_on_disk_is_mapped_and_not_copied(world: Manifest, tmp_path: Path) -> None:
    found = foreign.load(npy(tmp_path / "n.npy", NUMBERS), text(tmp_path / "r.txt", "\n".join(IDS)), False, world)
    assert isinstance(found.vectors, np.memmap)
    assert found.places(world).tolist() == [IDS.index(str(image)) for image in world.column("image_id")]


def test_the_hash_is_that_of_the_file_that_came_in(world: Manifest, tmp_path: Path) -> None:
    for title, path in with_names(tmp_path, world).items():
        file = path / "features.npy" if path.is_dir() else path
        assert foreign.load(path, None, False, world).sha256 == durable.sha256(file.read_bytes()), title


def test_a_collapsed_model_is_scored_and_a_note_says_what_it_is(world: Manifest, tmp_path: Path) -> None:
    def notes(numbers: np.ndarray[Any, Any]) -> tuple[str, ...]:
        path = npz(tmp_path / "a.npz", features=numbers, image_id=np.array(IDS))
        found = foreign.load(path, None, False, world)
        assert len(found.of(world)) == 4
        return found.notes[1:]

    numbers = np.ones((4, 3), np.float16)
    (note,) = notes(numbers)
    assert "all 4 vectors are equal" in note
    numbers[3, 2] = 2
    assert notes(numbers) == ()
    features.write(Features(IDS, np.ones((4, 3), np.float32), {}), world, tmp_path / "folder")
    assert "equal" in foreign.load(tmp_path / "folder", None, False, world).notes[0]


@pytest.mark.parametrize("first", [4096, 3 * 4096 - 1])
def test_other_rows_far_behind_are_no_collapse(first: int, tmp_path: Path) -> None:
    count = 3 * 4096
    world = manifest.build({"path": [f"{row:05d}.jpg" for row in range(count)], "pid": [1] * count}, "set", tmp_path)
    numbers = np.ones((count, 1), np.float32)
    numbers[first:] = 0
    assert len(foreign.load(npy(tmp_path / "n.npy", numbers), None, True, world).notes) == 1


BAD_ARRAYS: dict[str, tuple[Any, str]] = {
    "integers": (np.ones((4, 3), np.int64), "holds int64, must be float16, float32 or float64"),
    "bytes": (np.ones((4, 3), np.uint8), "holds uint8"),
    "truths": (np.ones((4, 3), bool), "holds bool"),
    "complex": (np.ones((4, 3), np.complex64), "holds complex64"),
    "texts": (np.array([["a", "b"]] * 4), "holds <U1"),
    "records": (np.zeros(4, [("a", "f4"), ("b", "f4")]), "holds ["),
    "long doubles": (np.ones((4, 3), np.longdouble), "must be float16"),
    "one number": (np.float32(1), "shape ()"),
    "a line": (np.ones(4, np.float32), "shape (4,)"),
    "pictures": (np.ones((4, 3, 2), np.float32), "shape (4, 3, 2), must be images x dimensions"),
    "no dimensions": (np.ones((4, 0), np.float32), "shape (4, 0)"),
    "no rows": (np.ones((0, 3), np.float32), "shape (0, 3)"),
}


@pytest.mark.parametrize("title", BAD_ARRAYS)
def test_arrays_that_are_no_vectors_are_refused(title: str, world: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    array, words = BAD_ARRAYS[title]
    for path in (npy(tmp_path / "n.npy", array), npz(tmp_path / "n.npz", features=array, image_id=np.array(IDS))):
        with mistake(path, words):
            foreign.load(path, None, False, world)


@pytest.mark.parametrize("title", ["integers", "bytes", "truths", "a line", "pictures", "no dimensions", "no rows"])
def test_tensors_that_are_no_vectors_are_refused(title: str, world: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    save_file({"features": BAD_ARRAYS[title][0]}, tmp_path / "a.safetensors")
    with mistake("a.safetensors: features", "must be"):
        foreign.load(tmp_path / "a.safetensors", None, True, world)


def test_bfloat16_is_refused_by_name(world: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    header = json.dumps({"features": {"dtype": "BF16", "shape": [4, 3], "data_offsets": [0, 24]}}).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(24))
    with mistake("a.safetensors: features holds BF16, must be F16, F32 or F64"):
        foreign.load(tmp_path / "a.safetensors", None, True, world)


class Bomb:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def test_no_pickle_is_opened(world: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    objects = np.array([[Bomb(tmp_path / "mark")]] * 4, dtype=object)
    np.save(tmp_path / "n.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "a.npz", features=objects, image_id=np.array(IDS))
    np.savez(tmp_path / "b.npz", features=NUMBERS, image_id=np.array(IDS, dtype=object))
    objects.dump(tmp_path / "c.npz")
    objects.dump(tmp_path / "c.npy")
    for name in ("n.npy", "a.npz", "b.npz", "c.npz", "c.npy"):
        with mistake(name):
            foreign.load(tmp_path / name, None, True, world)
    for name in ("features.pkl", "features.pt", "features.mat"):
        with mistake(name, "no pickle is opened", ".safetensors"):
            foreign.load(text(tmp_path / name, "x"), None, True, world)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "names", [np.array(["a"] * 4, "S1"), np.arange(4), np.array([["a", "b"]] * 2), np.array("a"), np.array([1.0] * 4)]
)
def test_names_that_are_no_texts_are_refused(
    names: np.ndarray[Any, Any], world: Manifest, tmp_path: Path, mistake: Mistake
) -> None:
    with mistake("a.npz: path is", "unicode"):
        foreign.load(npz(tmp_path / "a.npz", features=NUMBERS, path=names), None, False, world)


@pytest.mark.parametrize("keys", [("query", "gallery"), ("qf", "gf"), ("query_features", "gallery_features")])
def test_queries_and_gallery_apart_are_refused_with_a_way_out(
    keys: tuple[str, str], world: Manifest, tmp_path: Path, mistake: Mistake
) -> None:
    path = npz(tmp_path / "a.npz", **dict.fromkeys(keys, NUMBERS))
    with mistake(keys[0], keys[1], "put both", "called features", "image_id"):
        foreign.load(path, None, False, world)


def test_arrays_between_which_nothing_chooses_are_listed(world: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    with mistake("array", "one, two", "must be called features or vectors or embeddings"):
        foreign.load(npz(tmp_path / "a.npz", one=NUMBERS, two=NUMBERS), None, True, world)
    with mistake("features, vectors"):
        foreign.load(npz(tmp_path / "b.npz", features=NUMBERS, vectors=NUMBERS), None, True, world)
    with mistake("arrays are missing"):
        foreign.load(npz(tmp_path / "c.npz", image_id=np.array(IDS)), None, True, world)
    with mistake("list column", "a, b"):
        foreign.load(parquet(tmp_path / "a.parquet", a=NUMBERS.tolist(), b=NUMBERS.tolist()), None, True, world)


def test_tables_that_are_no_vectors_are_refused(world: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    cases: list[tuple[str, dict[str, object]]] = [
        ("'pid' is int64", {"image_id": IDS, "f0": [1.0] * 4, "pid": [1] * 4}),
        ("'features' is list", {"image_id": IDS, "features": [[1, 2]] * 4}),
        ("there are none", {"image_id": IDS}),
        ("2 rows of path are null", {"path": [None, *PATHS[:2], None], "f0": [1.0] * 4}),
        ("image_id is int64, must be text", {"image_id": [1, 2, 3, 4], "f0": [1.0] * 4}),
        ("3 numbers are null", {"image_id": IDS, "features": [[1.0, None], [None, None], [1.0, 2.0], [1.0, 2.0]]}),
        ("1 numbers are null", {"image_id": IDS, "f0": [1.0, None, 1.0, 1.0]}),
        ("row 1 has nan numbers, row 0 has 1", {"image_id": IDS, "features": [[1.0], None, [1.0], [1.0]]}),
        ("shape (4, 0)", {"image_id": IDS, "features": pa.array([[]] * 4, pa.list_(pa.float32()))}),
        ("shape (0, 0)", {"image_id": pa.array([], pa.string()), "x": pa.array([], pa.list_(pa.float32()))}),
    ]
    for words, columns in cases:
        with mistake("a.parquet", words):
            foreign.load(parquet(tmp_path / "a.parquet", **columns), None, False, world)


def test_a_table_with_a_flipped_byte_is_found(world: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    table, numbers = pa.table({"image_id": IDS, "features": fixed(NUMBERS)}), NUMBERS[:, 0].copy()
    pq.write_table(table, tmp_path / "a.parquet", compression="none", use_dictionary=False, write_page_checksum=True)
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data.replace(NUMBERS[1].tobytes(), (NUMBERS[1] + 1).tobytes()))
    with mistake("a.parquet: not a Parquet file, or a broken one"):
        foreign.load(tmp_path / "a.parquet", None, False, world)
    words = pa.Array.from_buffers(
        pa.string(), 4, [None, pa.py_buffer(np.arange(5, dtype="i4")), pa.py_buffer(b"a\xffbc")]
    )
    with mistake("b.parquet", "broken"):
        foreign.load(parquet(tmp_path / "b.parquet", path=words, f0=numbers), None, False, world)


def test_lists_of_names_that_are_no_good_are_refused(world: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    vectors = npy(tmp_path / "n.npy", NUMBERS)
    cases = [
        (text(tmp_path / "a.txt", "a\n\nb\nc\n"), "line 2 is empty"),
        (text(tmp_path / "b.txt", ""), "the file is empty"),
        (text(tmp_path / "c.txt", "a\n"), "names 1 rows"),
        (text(tmp_path / "a.csv", "file,pid\na,1\n"), "has no column image_id or path or name"),
        (text(tmp_path / "b.csv", "pid,path\n1,a\n2\n"), "row 2 has no path"),
        (text(tmp_path / "c.csv", "path\n"), "names no row"),
        (parquet(tmp_path / "a.parquet", pid=[1]), "has no column image_id"),
        (text(tmp_path / "a.json", "[]"), "read from .txt"),
        (tmp_path / "nowhere.txt", "cannot read: No such file"),
        (tmp_path, "names of rows are read from"),
    ]
    (tmp_path / "latin.txt").write_bytes("größe\n".encode("latin-1"))
    for path, words in [*cases, (tmp_path / "latin.txt", "not UTF-8 text")]:
        with mistake(path, words):
            foreign.load(vectors, path, False, world)


def test_files_that_are_not_there_or_hold_something_else_are_refused(
    world: Manifest, tmp_path: Path, mistake: Mistake
) -> None:
    for suffix in ("npy", "npz", "safetensors", "parquet"):
        with mistake("cannot read: No such file"):
            foreign.load(tmp_path / f"nowhere.{suffix}", None, True, world)
        with mistake("the file is empty"):
            foreign.load(text(tmp_path / f"empty.{suffix}", ""), None, True, world)
        with mistake(f"other.{suffix}", "not "):
            foreign.load(text(tmp_path / f"other.{suffix}", "something else " * 99), None, True, world)
    npy(tmp_path / "n.npy", NUMBERS).rename(tmp_path / "n.npz")
    with mistake("n.npz", "call it .npy"):
        foreign.load(tmp_path / "n.npz", None, True, world)
    with mistake("features.json: cannot read"):
        (tmp_path / "folder").mkdir()
        foreign.load(tmp_path / "folder", None, False, world)


@given(data=st.data())
def test_a_file_cut_anywhere_or_with_a_flipped_byte_is_one_line_or_still_whole(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, attempt: Callable[..., Any]
) -> None:
    place = tmp_path_factory.mktemp("cut")
    world = manifest.build({"path": PATHS, "pid": [1, 1, 2, 2]}, "set", Path("/nowhere"))
    files = with_names(place, world) | {f"bare {title}": path for title, path in without_names(place).items()}
    title = data.draw(st.sampled_from(sorted(set(files) - {"folder"})))
    path, rows = files[title], text(place / "r.txt", "\n".join(IDS)) if title.startswith("bare") else None
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.booleans())
    path.write_bytes(whole[:at] if cut else whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
    found = attempt(lambda: foreign.load(path, rows, False, world).of(world))
    assert found is None or len(found) == 4


def test_rows_that_cannot_be_scored_are_counted_and_named(world: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    numbers = np.ones((4, 3), np.float16)
    numbers[0, 1], numbers[2, 2] = np.nan, -np.inf
    found = foreign.load(npz(tmp_path / "a.npz", features=numbers, image_id=np.array(IDS)), None, False, world)
    for work in (found.of, found.check):
        with mistake("2 of ", "rows are not finite, the first is 'set/q/b.jpg'"):
            work(world)
    found.check(world.select(world.column("path") == "g/a.jpg"), "cosine")
    numbers = np.ones((4, 3), np.float16)
    numbers[1] = 0
    found = foreign.load(npz(tmp_path / "b.npz", features=numbers, image_id=np.array(IDS)), None, False, world)
    found.check(world, "euclidean")
    with mistake("1 of ", "rows have no length and cannot be normalised, the first is 'set/g/a.jpg'"):
        found.check(world, "cosine")


def test_rows_are_checked_beyond_the_first_block(
    world: Manifest, monkeypatch: pytest.MonkeyPatch, mistake: Mistake
) -> None:
    monkeypatch.setattr(features, "_BLOCK", 1)
    for row, image in enumerate(IDS):
        numbers = NUMBERS.copy()
        numbers[row, 2] = np.inf
        with mistake("1 of ", f"rows are not finite, the first is {image!r}"):
            Features(IDS, numbers, {}).check(world)


def test_an_error_of_ours_is_no_mistake_of_theirs(world: Manifest, tmp_path: Path) -> None:
    # The formats' errors are caught by name; the law holds only as long as UserError is none of them.
    with pytest.raises(UserError, match="holds int64"):
        foreign.load(npz(tmp_path / "a.npz", features=np.ones((4, 3), np.int64)), None, True, world)
