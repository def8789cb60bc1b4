"""Counts against slow, obvious ones over rows of plain Python."""

from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import counts, manifest, strata
from benchmark.manifest import Manifest


def measured(rows: list[dict[str, Any]], source: str = "made") -> Manifest:
    """Make a manifest whose measures are made up; rows differ from the defaults where they say so."""
    usual = {"pid": 1, "camid": 1, "split": "test", "query": False, "gallery": False, "modality": "visible"}
    usual |= {"id_space": source, "lightness": 10.0, "height": 128, "h": None, "width": 64, "sha256": "0" * 64}
    usual |= {"luma": 1.0, "stops": -5.0, "p05": 1.0, "p95": 1.0, "dark": 0.0, "saturated": 0.0}
    full = [usual | {"path": f"{number:05d}.jpg"} | row for number, row in enumerate(rows)]
    return manifest.build({name: [row[name] for row in full] for name in full[0]}, source, Path("/nowhere"))


def random_rows(seed: int, count: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        pid, split = int(rng.integers(-1, 9)), str(rng.choice(["train", "val", "test", "none"]))
        role = split != "train"
        row = {"pid": pid, "split": split, "camid": int(rng.integers(0, 5)), "id_space": str(rng.choice(["b", "a"]))}
        row |= {"query": role and pid > 0 and rng.random() < 0.4, "gallery": role and rng.random() < 0.6}
        row |= {
            "lightness": float(rng.choice([0.0, 25.49, 25.5, 50.9, 51.0, 255.0])),
            "height": int(rng.integers(50, 300)),
        }
        rows.append(row | {"modality": str(rng.choice(["visible", "infrared", "thermal"]))})
    return rows


def slow_summary(rows: list[dict[str, Any]]) -> counts.Summary:
    own = Counter((row["id_space"], row["pid"]) for row in rows if row["pid"] > 0)
    cameras = {(row["id_space"], row["camid"]) for row in rows if row["camid"]}
    met, pairs = defaultdict(set), Counter[tuple[str, int, int]]()
    for row in rows:
        if row["pid"] > 0 and row["camid"]:
            met[row["id_space"], row["pid"]].add(row["camid"])
            pairs[row["id_space"], row["pid"], row["camid"]] += 1
    kinds = Counter(row["pid"] for row in rows)
    mean = sum(len(found) for found in met.values()) / len(met) if met else None
    spreads = [
        counts.Spread(sum(found.values()) / len(found), min(found.values()), max(found.values())) if found else None
        for found in (own, pairs)
    ]
    return counts.Summary(len(rows), len(own), len(cameras), kinds[0], kinds[-1], spreads[0], mean, spreads[1])


ROLE: dict[str, Callable[[dict[str, Any]], bool]] = {
    "train": lambda row: row["split"] == "train",
    "val": lambda row: row["split"] == "val",
    "query": lambda row: row["query"],
    "gallery": lambda row: row["gallery"],
    "test, no role": lambda row: row["split"] == "test" and not (row["query"] or row["gallery"]),
    "none": lambda row: row["split"] == "none" and not (row["query"] or row["gallery"]),
    "all": lambda row: True,
}


@pytest.mark.parametrize("seed", range(3))
def test_summaries_equal_slow_counts_for_every_role(seed: int) -> None:
    rows = random_rows(seed, 300)
    made = measured(rows)
    people, roles = counts.People(made), counts.roles(made)
    assert list(roles) == list(ROLE)
    for role, mask in roles.items():
        assert people.summary(mask) == slow_summary([row for row in rows if ROLE[role](row)]), role
    assert np.any([mask for role, mask in roles.items() if role != "all"], axis=0).all()


def test_rows_of_unknown_cameras_and_no_people_have_no_averages() -> None:
    unknown = measured([{"camid": 0}, {"camid": 0, "pid": 2}])
    found = counts.People(unknown).summary(np.array([True, True]))
    assert found == counts.Summary(2, 2, 0, 0, 0, counts.Spread(1.0, 1, 1), None, None)
    crowd = measured([{"pid": 0}, {"pid": -1}])
    assert counts.People(crowd).summary(np.array([True, True])) == counts.Summary(2, 0, 1, 1, 1, None, None, None)


@pytest.mark.parametrize("seed", range(3))
def test_levels_by_split_and_camera_equal_slow_counts(seed: int) -> None:
    rows = random_rows(seed, 300)
    made = measured(rows)
    light = counts.levels(made, counts.LIGHT)
    assert isinstance(light, strata.Strata)
    seen = [row for row in rows if row["modality"] == "visible"]

    def slow(chosen: list[dict[str, Any]]) -> list[int]:
        found = Counter("Low" if r["lightness"] < 25.5 else "Medium" if r["lightness"] < 51 else "High" for r in chosen)
        return [found[level] for level in ("Low", "Medium", "High")]

    for split, row in counts.by_split(counts.splits(made), light).items():
        assert row.tolist() == slow([r for r in seen if split in ("all", r["split"])]), split
    table = counts.by_camera(counts.cameras(made), light)
    assert list(table) == [*(f"{space}/{camera}" for space in "ab" for camera in range(1, 5)), "unknown"]
    for name, row in table.items():
        space, _, camera = name.rpartition("/")
        known = [
            r
            for r in seen
            if (r["camid"] == 0 if name == "unknown" else (r["id_space"], r["camid"]) == (space, int(camera)))
        ]
        assert row.tolist() == slow(known), name
    assert sum(table.values()).tolist() == slow(seen)  # type: ignore[union-attr]


def test_levels_begin_at_their_edges() -> None:
    below, edges = np.nextafter(np.array([25.5, 51], np.float32), np.float32(0)), [25.5, 51.0]
    lights = [float(below[0]), edges[0], float(below[1]), edges[1]]
    heights = [99, 100, 199, 200]
    made = measured([{"lightness": a, "height": b} for a, b in zip(lights, heights, strict=True)])
    light, size = counts.levels(made, counts.LIGHT), counts.levels(made, counts.SIZE)
    assert isinstance(light, strata.Strata)
    assert isinstance(size, strata.Strata)
    assert light.codes.tolist() == [0, 1, 1, 2]
    assert size.codes.tolist() == [0, 1, 1, 2]


def test_glimmer_is_the_share_of_visible_pictures_at_the_low_level() -> None:
    made = measured([{"lightness": 3.0}, {"lightness": 90.0}, {"lightness": 3.0, "modality": "infrared"}])
    assert counts.glimmer(made) == 0.5
    assert counts.glimmer(made.select([2])) is None


def test_unmeasured_levels_name_the_command() -> None:
    made = manifest.build({"path": ["a.jpg"]}, "made", Path("/nowhere"))
    found = counts.levels(made, counts.LIGHT)
    assert isinstance(found, str)
    assert "luxreid data measure" in found
    assert counts.glimmer(made) is None


def test_names_are_sources_and_never_equal() -> None:
    one, two = measured([{}], "one"), measured([{}], "two")
    three = manifest.concat([one, two, measured([{}], "zoo")])
    assert counts.names([one, manifest.concat([two, one])]) == ["one", "one and two"]
    assert counts.names([one, two, one, three]) == ["one (1)", "two", "one (2)", "one and 2 more"]


def test_cross_counts_pairs_and_leaves_out_rows_in_no_group() -> None:
    rows, columns = np.array([0, 1, 1, -1, 1]), np.array([2, 0, 0, 1, -1])
    assert counts.cross(rows, columns, (2, 3)).tolist() == [[0, 0, 1], [2, 0, 0]]
