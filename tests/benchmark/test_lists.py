"""lists/1, and the stand-in split and protocol on top of it."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmark import manifest, resolve, splits
from benchmark.columns import MEASURED
from benchmark.errors import UserError
from benchmark.lists import hash_table
from benchmark.manifest import Manifest
from benchmark.schemas import LISTS

PEOPLE, CAMERAS, FRAMES = 10, 3, 4


def world(people: int = PEOPLE, *, measured: bool = True) -> Manifest:
    shots = [(p, c, f) for p in range(1, people + 1) for c in range(1, CAMERAS + 1) for f in range(FRAMES)]
    person, camera, _ = zip(*shots, strict=True)
    paths = [f"{p:03d}/c{c}_{f}.jpg" for p, c, f in shots]
    rows: dict[str, object] = {"path": paths, "pid": list(person), "camid": list(camera)}
    if measured:
        numbers = dict.fromkeys(MEASURED, [0.0] * len(paths)) | {"width": [9] * len(paths), "height": [9] * len(paths)}
        rows |= numbers | {"sha256": [f"{place:064x}" for place in range(len(paths))]}
    return manifest.build(rows, "set", Path("/nowhere"))


def test_the_split_parts_identities_and_draws_probes_of_every_view() -> None:
    split = splits.by_identity(world(), seed=3, probes=2)
    frame = split.frame()
    train, test = (set(frame["pid"][frame["split"] == name]) for name in ("train", "test"))
    assert train.isdisjoint(test)
    assert len(train) == PEOPLE // 2
    assert set(frame[frame["query"]].groupby(["pid", "camid"]).size()) == {2}
    assert frame["gallery"].equals((frame["split"] == "test").rename("gallery").astype("boolean"))


def test_one_more_identity_changes_nobody_elses_probes() -> None:
    def probes(people: int) -> set[str]:
        frame = splits.by_identity(world(people), seed=0, probes=1).frame()
        return set(frame["image_id"][frame["query"]])

    few, many = probes(PEOPLE), probes(PEOPLE + 4)
    pids = {image.split("/")[1] for image in few} & {image.split("/")[1] for image in many}
    assert pids
    assert {i for i in few if i.split("/")[1] in pids} == {i for i in many if i.split("/")[1] in pids}


def test_lists_hash_says_who_is_compared_with_whom() -> None:
    split = splits.by_identity(world(), seed=0)
    lists = resolve.resolve(split)
    assert lists.table().schema == LISTS
    same = resolve.resolve(manifest.Manifest(split.table.slice(0), split.roots))
    assert lists.lists_sha256 == same.lists_sha256
    frame = split.frame()
    first = int(np.flatnonzero(frame["gallery"])[0])
    moved = split.with_columns(camid=pa.array(frame["camid"].where(frame.index != first, 77).to_numpy(np.int16)))
    assert resolve.resolve(moved).lists_sha256 != lists.lists_sha256
    in_train = int(np.flatnonzero(frame["split"] == "train")[0])
    other = split.with_columns(camid=pa.array(frame["camid"].where(frame.index != in_train, 77).to_numpy(np.int16)))
    assert resolve.resolve(other).lists_sha256 == lists.lists_sha256


def test_lists_hash_follows_the_documented_recipe_whatever_the_order() -> None:
    lists = resolve.resolve(splits.by_identity(world(), seed=0))
    rows = lists.table().to_pylist()
    names = ["role", "image_id", "sha256", "id_space", "pid", "camid", "place"]
    lines = [json.dumps([row[name] for name in names], separators=(",", ":")) for row in rows]
    lines.sort(key=json.loads)
    expected = hashlib.sha256("".join(line + "\n" for line in lines).encode()).hexdigest()
    assert lists.lists_sha256 == expected
    turned = np.random.default_rng(0).permutation(len(rows))
    assert hash_table(lists.table().take(turned)) == expected


def test_unmeasured_rows_and_absent_roles_are_errors() -> None:
    with pytest.raises(UserError, match="run `luxreid data measure` first"):
        resolve.resolve(splits.by_identity(world(measured=False), seed=0))
    with pytest.raises(UserError, match="no row has the role 'train'"):
        resolve.resolve(world())
