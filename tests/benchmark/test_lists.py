"""lists/1: who is compared with whom, as a table and as a hash."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmark import manifest, resolve
from benchmark.columns import MEASURED
from benchmark.lists import Lists, hash_table
from benchmark.manifest import Manifest
from benchmark.protocol import Rules
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


def test_lists_made_by_hand_stand_for_the_rules_of_market() -> None:
    rows = world()
    by_hand = Lists(rows, rows, rows, "hand", "0" * 64)
    assert by_hand.rules == Rules()
    assert by_hand.facts()["junk_rule"] == "own copy; same identity same place"
    assert by_hand.facts()["protocol_id"] == "hand"
    assert set(by_hand.facts()) <= set(RUN.names)
