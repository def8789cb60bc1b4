"""lists/1: who is compared with whom, as a table and as a hash."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark import manifest, resolve
from benchmark.columns import MEASURED
from benchmark.lists import Lists, hash_table, joined
from benchmark.manifest import Manifest
from benchmark.protocol import Protocol, Rules
from benchmark.schemas import LISTS, RUN

PEOPLE, CAMERAS, FRAMES = 6, 3, 4


def world() -> Manifest:
    """Half the people train; the first frame of every camera is a query, and stays in the gallery."""
    shots = [(p, c, f) for p in range(1, PEOPLE + 1) for c in range(1, CAMERAS + 1) for f in range(FRAMES)]
    count = len(shots)
    rows: dict[str, object] = dict.fromkeys(MEASURED, [0.0] * count)
    rows |= {"width": [9] * count, "height": [9] * count, "sha256": [f"{place:064x}" for place in range(count)]}
    rows |= {"path": [f"{p:03d}/c{c}_{f}.jpg" for p, c, f in shots], "pid": [p for p, _, _ in shots]}
    rows |= {"camid": [c for _, c, _ in shots], "split": ["train" if p % 2 else "test" for p, _, _ in shots]}
    rows |= {"query": [p % 2 == 0 and f == 0 for p, _, f in shots], "gallery": [p % 2 == 0 for p, _, _ in shots]}
    return manifest.build(rows, "set", Path("/nowhere"))


def moved(rows: Manifest, row: int) -> Manifest:
    """Move one picture to another camera."""
    cameras = rows.column("camid").copy()
    cameras[row] = 77
    return rows.with_columns(camid=pa.array(cameras))


def test_positions_count_within_a_role_and_say_which_row() -> None:
    lists = resolve.resolve(world())
    table = lists.table()
    assert table.schema == LISTS
    for role, part in (("query", lists.query), ("gallery", lists.gallery)):
        rows = [row for row in table.to_pylist() if row["role"] == role]
        assert [row["position"] for row in rows] == list(range(len(part)))
        assert [row["image_id"] for row in rows] == part.column("image_id").tolist()


def test_lists_hash_says_who_is_compared_with_whom() -> None:
    rows = world()
    lists = resolve.resolve(rows)
    assert lists.lists_sha256 == resolve.resolve(Manifest(rows.table.slice(0), rows.roots)).lists_sha256
    searched, learnt = (int(np.flatnonzero(part)[0]) for part in (rows.column("gallery"), rows.column("pid") == 1))
    assert resolve.resolve(moved(rows, searched)).lists_sha256 != lists.lists_sha256
    assert resolve.resolve(moved(rows, learnt)).lists_sha256 == lists.lists_sha256


def test_lists_hash_follows_the_documented_recipe_whatever_the_order() -> None:
    lists = resolve.resolve(world())
    rows = lists.table().to_pylist()
    names = ["role", "image_id", "sha256", "id_space", "pid", "camid", "place"]
    lines = [json.dumps([row[name] for name in names], separators=(",", ":")) for row in rows]
    lines.sort(key=json.loads)
    expected = hashlib.sha256("".join(line + "\n" for line in lines).encode()).hexdigest()
    assert lists.lists_sha256 == expected
    turned = np.random.default_rng(0).permutation(len(rows))
    assert hash_table(lists.table().take(turned)) == expected


DRAWN = {"count": 3, "sampler": "keyed", "role": "gallery", "per": "identity-camera", "shots": 2}


def several(rows: Manifest) -> list[Lists]:
    roles = {"train": {"split": ["train"]}, "query": {"query": [True]}, "gallery": {"gallery": [True]}}
    plan = Protocol.model_validate({"name": "drawn", "title": "drawn", "trials": DRAWN} | roles)
    return [resolve.resolve(rows, plan, trial) for trial in range(3)]


def test_the_lists_of_all_trials_are_one_table() -> None:
    trials = several(world())
    table = joined(trials)
    assert table.schema == LISTS
    for lists in trials:
        own = table.filter(pc.equal(table["trial"], lists.trial))
        assert own.equals(lists.table())
    assert sum(len(lists.query) + len(lists.gallery) for lists in trials) == len(table)
    assert joined(trials[:1]).equals(trials[0].table())


def test_the_hash_of_several_trials_follows_the_documented_recipe() -> None:
    trials = several(world())
    parts = [[number, lists.lists_sha256] for number, lists in enumerate(trials)]
    expected = hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()
    table = joined(trials)
    assert hash_table(table) == expected
    assert hash_table(table.take(np.random.default_rng(1).permutation(len(table)))) == expected
    assert len({lists.lists_sha256 for lists in trials}) == 3
    assert hash_table(joined(trials[:2])) != expected
    swapped = [replace(trials[1], trial=0), replace(trials[0], trial=1), trials[2]]
    assert hash_table(joined(swapped)) != expected  # which draw was the first is part of it


def test_one_trial_is_hashed_as_ever_whatever_its_number_and_where_none_is_named() -> None:
    lists = several(world())[1]
    table = lists.table()
    place = table.column_names.index("trial")
    nameless = table.set_column(place, "trial", pa.nulls(len(table), pa.int16()))
    assert hash_table(nameless) == hash_table(table.drop_columns("trial")) == hash_table(table) == lists.lists_sha256


def test_lists_made_by_hand_stand_for_the_rules_of_market() -> None:
    rows = world()
    by_hand = Lists(rows, rows, rows, "hand", "0" * 64)
    assert by_hand.rules == Rules()
    assert by_hand.facts()["junk_rule"] == "own copy; same identity same place"
    assert by_hand.facts()["protocol_id"] == "hand"
    assert set(by_hand.facts()) <= set(RUN.names)
