"""features/1: what is written is what is read, and what is broken is named."""

from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from benchmark import durable, features, manifest
from benchmark.errors import UserError
from benchmark.features import Features
from benchmark.manifest import Manifest


@pytest.fixture
def world() -> Manifest:
    return manifest.build({"path": ["b.jpg", "a.jpg", "c.jpg"], "pid": [1, 1, 2]}, "set", Path("/nowhere"))


def vectors(*image_ids: str) -> Features:
    numbers = np.arange(4 * len(image_ids), dtype=np.float32).reshape(-1, 4)
    return Features(image_ids, numbers, {"method": "test"})


def test_round_trip_in_the_manifests_order(world: Manifest, tmp_path: Path) -> None:
    given = vectors("set/c.jpg", "set/a.jpg", "set/b.jpg", "set/more.jpg")
    features.write(given, world, tmp_path)
    found = features.read(tmp_path)
    assert list(found.image_ids) == ["set/a.jpg", "set/b.jpg", "set/c.jpg"]
    assert found.facts == {"method": "test"}
    np.testing.assert_array_equal(found.of(world), given.vectors[[1, 2, 0]])


def test_missing_and_double_rows_are_named(world: Manifest) -> None:
    with pytest.raises(UserError, match=r"1 of 3 images have none, the first is 'set/c.jpg'"):
        vectors("set/a.jpg", "set/b.jpg").of(world)
    with pytest.raises(UserError, match="stands twice"):
        vectors("set/a.jpg", "set/a.jpg")
    with pytest.raises(UserError, match=r"shape \(1, 4\) for 2 images"):
        Features(["a", "b"], np.zeros((1, 4), np.float32), {})


def test_rows_that_are_not_finite_are_counted(world: Manifest) -> None:
    broken = vectors("set/a.jpg", "set/b.jpg", "set/c.jpg")
    broken.vectors[1:, 2] = np.nan, np.inf
    with pytest.raises(UserError, match=r"2 of \d+ rows are not finite, the first is 'set/b.jpg'"):
        broken.of(world)


@pytest.mark.parametrize("name", ["features.npy", "rows.parquet"])
def test_a_flipped_byte_is_found(name: str, world: Manifest, tmp_path: Path) -> None:
    features.write(vectors("set/a.jpg", "set/b.jpg", "set/c.jpg"), world, tmp_path)
    data = bytearray((tmp_path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=f"{name}: is not the file"):
        features.read(tmp_path)


def test_a_folder_without_its_last_file_is_not_read(world: Manifest, tmp_path: Path) -> None:
    features.write(vectors("set/a.jpg", "set/b.jpg", "set/c.jpg"), world, tmp_path)
    (tmp_path / "features.json").unlink()
    with pytest.raises(UserError, match=r"features\.json: cannot read"):
        features.read(tmp_path)


@pytest.mark.parametrize("allowed", range(3))
def test_whatever_write_fails_no_record_vouches_for_the_rest(
    world: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    write = durable.write_atomically
    written: list[str] = []

    def failing(path: Path, fill: Callable[[IO[bytes]], object], *, sync: bool = True) -> None:
        assert sync  # the record vouches for what is on the disk
        if len(written) == allowed:
            raise UserError(f"{path}: cannot write")
        write(path, fill, sync=sync)
        written.append(path.name)

    monkeypatch.setattr(durable, "write_atomically", failing)
    with pytest.raises(UserError, match="cannot write"):
        features.write(vectors("set/a.jpg", "set/b.jpg", "set/c.jpg"), world, tmp_path)
    assert len(written) == allowed
    assert "features.json" not in written


def test_no_pickle_is_run(world: Manifest, tmp_path: Path) -> None:
    features.write(vectors("set/a.jpg", "set/b.jpg", "set/c.jpg"), world, tmp_path)
    np.save(tmp_path / "features.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    record = (tmp_path / "features.json").read_text()
    old = durable.read_json(tmp_path / "features.json")["features_sha256"]
    new = durable.sha256((tmp_path / "features.npy").read_bytes())
    (tmp_path / "features.json").write_text(record.replace(old, new))
    with pytest.raises(UserError, match="not an array of numbers"):
        features.read(tmp_path)


def test_a_record_without_facts_is_refused(world: Manifest, tmp_path: Path) -> None:
    features.write(vectors("set/a.jpg", "set/b.jpg", "set/c.jpg"), world, tmp_path)
    durable.write_json(tmp_path / "features.json", durable.read_json(tmp_path / "features.json") | {"facts": None})
    with pytest.raises(UserError, match=r"features\.json: facts is None"):
        features.read(tmp_path)


def test_places_are_the_rows_of_a_manifest_in_its_order(world: Manifest) -> None:
    given = vectors("set/c.jpg", "set/a.jpg", "set/b.jpg", "set/more.jpg")
    assert given.places(world).tolist() == [1, 2, 0]
    turned = Features(given.image_ids, given.vectors, {}, rows=np.array([3, 2, 1, 0]))
    assert turned.places(world).tolist() == [2, 1, 3]
    np.testing.assert_array_equal(turned.of(world), given.vectors[[2, 1, 3]])
    with pytest.raises(UserError, match="for 2 images"):
        Features(["a", "b"], given.vectors, {}, rows=np.array([0]))


def test_half_precision_stays_half(world: Manifest) -> None:
    half = Features(["set/a.jpg", "set/b.jpg", "set/c.jpg"], np.ones((3, 2), np.float16), {})
    assert half.of(world).dtype == np.float16


def test_a_folder_is_mapped_and_carries_the_hash_of_its_numbers(world: Manifest, tmp_path: Path) -> None:
    features.write(vectors("set/a.jpg", "set/b.jpg", "set/c.jpg"), world, tmp_path)
    found = features.read(tmp_path)
    assert isinstance(found.vectors, np.memmap)
    assert found.sha256 == durable.sha256((tmp_path / "features.npy").read_bytes())


def test_a_folder_of_whole_numbers_is_refused(world: Manifest, tmp_path: Path) -> None:
    features.write(vectors("set/a.jpg", "set/b.jpg", "set/c.jpg"), world, tmp_path)
    np.save(tmp_path / "features.npy", np.ones((3, 4), np.int32))
    record = durable.read_json(tmp_path / "features.json")
    record["features_sha256"] = durable.sha256((tmp_path / "features.npy").read_bytes())
    durable.write_json(tmp_path / "features.json", record)
    with pytest.raises(UserError, match=r"features\.npy: holds int32, must be float16"):
        features.read(tmp_path)
