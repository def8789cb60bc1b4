"""A night of a day's set: where its files go, what its tables say, and that nothing but the plan shapes a byte."""

import csv
import errno
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark import durable, executors, export, images, manifest, strata
from benchmark.columns import MEASURED
from benchmark.errors import UserError
from benchmark.formats import market
from benchmark.manifest import Manifest
from benchmark.measure import measure
from benchmark.plugins import Room
from benchmark.tree import pictures
from synthesis import generate
from synthesis.night import card, config, names, order, reached, sheet
from synthesis.night.columns import VERSION
from synthesis.night.order import Order, spread, toml
from tests.synthesis import days

LADDER = "exposure.steps=[0, -2]"


def files(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if "/." not in f"/{name}"}


def made(order: Order, out: Path) -> dict[str, Any]:
    record, _ = generate.write(order, out, executors.serial)
    return record


def plan(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "plan.parquet").to_pylist()
    return rows


@pytest.fixture(scope="module")
def parents(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    root = tmp_path_factory.mktemp("day")
    boxes: dict[str, list[float]] = {"x": [5.0] * 10, "y": [6.0] * 10, "w": [64.0] * 10, "h": [128.0] * 10}
    return days.day(root, days.ROWS, **boxes, mask=[f"m/{row}.png" for row in range(10)], hat=["cap"] * 10)


@pytest.fixture(scope="module")
def night(parents: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the quickest night of all rows."""
    out = tmp_path_factory.mktemp("night") / "set"
    made(Order(days.plain(), parents, 3), out)
    return out


@pytest.fixture(scope="module")
def full(parents: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a night of the whole chain, at several exposures and several draws."""
    out = tmp_path_factory.mktemp("full") / "set"
    made(Order(config.load("night600", [LADDER, "draws=2"]), parents, 3), out)
    return out


def test_every_row_lies_where_its_roles_say_and_none_is_left_out(night: Path) -> None:
    assert sorted(path for path in files(night) if path.endswith(".jpg")) == [
        "bounding_box_test/0000_c1s1_000001_00.jpg",
        "bounding_box_test/0002_c1s1_000001_00.jpg",
        "bounding_box_test/0002_c2s1_000001_00.jpg",
        "bounding_box_train/0001_c1s1_000001_00.jpg",
        "bounding_box_train/0001_c2s1_000001_00.jpg",
        "bounding_box_train/0001_c2s1_000002_00.jpg",
        "pictures/c/1.jpg",
        "pictures/c/2.png.jpg",
        "pictures/c/3.jpg",
        "query/0002_c1s1_000001_00.jpg",
        "query/0003_c2s1_000001_00.jpg",
    ]
    assert len(plan(night)) == 10
    rows = {row["parent"]: row for row in plan(night)}
    both = rows["day/b/1.jpg"]
    assert (both["path"], both["twin"]) == (
        "query/0002_c1s1_000001_00.jpg",
        "bounding_box_test/0002_c1s1_000001_00.jpg",
    )
    assert (night / both["path"]).read_bytes() == (night / both["twin"]).read_bytes()
    assert [row["twin"] for name, row in rows.items() if name != "day/b/1.jpg"] == [None] * 9
    for row in manifest.read(night / "manifest.parquet").table.to_pylist():
        assert {role: row[role] for role in ("query", "gallery")} == {
            role: row["path"].startswith(f"{market.FOLDERS[role]}/") for role in ("query", "gallery")
        }


def test_names_are_those_of_data_export(parents: Manifest, night: Path, tmp_path: Path) -> None:
    export.export(parents.select(parents.column("split") != "none"), market, tmp_path / "tree")
    exported = {path for path in files(tmp_path / "tree") if path.endswith(".jpg")}
    assert exported == {path for path in files(night) if path.endswith(".jpg") and not path.startswith("pictures/")}


def test_a_manifest_row_inherits_what_stays_true_and_is_measured_anew(parents: Manifest, night: Path) -> None:
    day = {row["image_id"]: row for row in parents.table.to_pylist()}
    found = manifest.read(night / "manifest.parquet")
    record = durable.read_json(night / "night.json")
    assert set(found.column("source")) == {f"day+gamma-{record['recipe_sha256'][:8]}"}
    for row in found.table.to_pylist():
        for name in ("pid", "camid", "place", "split", "id_space", "modality", "object", "frame", "hat", "w", "h", "x"):
            assert row[name] == day[row["parent"]][name], name
        assert row["scene"] == row["parent"]
        assert row["time"] == "night"
        assert row["synth_recipe_sha256"] == record["recipe_sha256"]
        assert row["lightness"] < day[row["parent"]]["lightness"]
    assert "mask" not in found.table.column_names
    blank = found.with_columns(**{name: [None] * len(found) for name in MEASURED})
    again = measure(blank, night.parent / ".measure", executors.serial)
    assert again.table.equals(found.table)


def test_a_scene_of_a_parent_is_kept(parents: Manifest, tmp_path: Path) -> None:
    scenes = parents.with_columns(scene=[f"s/{row}" if row % 2 else None for row in range(len(parents))])
    made(Order(days.plain(), scenes), tmp_path / "set")
    found = manifest.read(tmp_path / "set" / "manifest.parquet").frame()
    expected = dict(zip(parents.column("image_id"), scenes.column("scene"), strict=True))
    for parent, scene in zip(found["parent"], found["scene"], strict=True):
        assert scene == (expected[parent] or parent)


def test_names_of_market_are_kept_and_only_where_they_tell_the_truth(tmp_path: Path) -> None:
    names = ("0002_c1s3_000451_03.jpg", "0002_c2s1_000007_00.jpg")
    rows = [
        (f"bounding_box_train/{name}", 2, place + 1, "train", False, False, 16, 8) for place, name in enumerate(names)
    ]
    made(Order(days.plain(), days.day(tmp_path / "day", rows)), tmp_path / "kept")
    assert {path.name for path in (tmp_path / "kept" / "bounding_box_train").iterdir()} == set(names)
    wrong = [(rows[0][0], 5, *rows[0][2:]), rows[1]]  # somebody gave the first another number
    made(Order(days.plain(), days.day(tmp_path / "other", wrong)), tmp_path / "named")
    assert {path.name for path in (tmp_path / "named" / "bounding_box_train").iterdir()} == {
        "0005_c1s1_000001_00.jpg",
        "0002_c2s1_000001_00.jpg",
    }


def test_replaying_a_row_gives_its_bytes(parents: Manifest, full: Path) -> None:
    rows = plan(full)
    assert len(rows) == 10 * 2 * 2
    again = generate.replay(full, parents, range(len(rows)))
    assert again == [(full / row["path"]).read_bytes() for row in rows]
    for row, data in zip(rows, again, strict=True):
        decoded = images.decode(data)
        assert row["pixels_sha256"] == durable.sha256(np.array(decoded.shape, "<i4").tobytes() + decoded.tobytes())
        assert (row["made_sha256"], row["bytes"]) == (durable.sha256(data), len(data))
        assert row["made_lightness"] == np.float32(images.lightness(decoded))


def test_a_row_that_was_changed_replays_to_another_picture(parents: Manifest, full: Path, tmp_path: Path) -> None:
    table = pq.read_table(full / "plan.parquet")
    for name in ("night.json", "night.toml"):
        (tmp_path / name).write_bytes((full / name).read_bytes())
    gain = table["gain"].to_numpy() * np.float32(1.5)
    pq.write_table(table.set_column(table.column_names.index("gain"), "gain", [gain]), tmp_path / "plan.parquet")
    assert generate.replay(tmp_path, parents, [0]) != generate.replay(full, parents, [0])
    with pytest.raises(UserError, match=r"^\S+: 'day/a/1.jpg', of which row 0 was made, is not in the manifest"):
        generate.replay(full, parents.select([5, 6]), [0])


def test_draws_differ_and_steps_of_one_draw_differ_by_their_exposure_alone(full: Path) -> None:
    rows = {(row["parent"], row["draw"], row["step"]): row for row in plan(full)}
    drawn = [name for name in ("lamp1_x", "shot", "noise_x", "quality", "glare_x", "red") if name in plan(full)[0]]
    assert len(drawn) == 6
    for parent in {row["parent"] for row in plan(full)}:
        one, dim, other = (rows[parent, *key] for key in ((0, 0), (0, 1), (1, 0)))
        assert [one[name] for name in drawn] == [dim[name] for name in drawn]
        assert any(one[name] != other[name] for name in drawn)
        assert (one["stops"], dim["stops"]) == (0, -2)
        stem = one["path"].removesuffix("_e0.jpg")
        assert (dim["path"], other["path"]) == (f"{stem}_e1.jpg", f"{stem}_d1_e0.jpg")
    found = manifest.read(full / "manifest.parquet").frame()
    assert set(found["exposure"]) == {0.0, -2.0}
    assert (found["path"].str.contains("_e1") == (found["exposure"] == -2)).all()


@pytest.mark.parametrize("pictures", [1, 3])
def test_bytes_do_not_depend_on_shards(
    parents: Manifest, full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: int
) -> None:
    monkeypatch.setattr(generate, "SHARD_PICTURES", pictures)
    made(Order(config.load("night600", [LADDER, "draws=2"]), parents, 3), tmp_path / "set")
    assert files(tmp_path / "set") == files(full)


@pytest.mark.slow
def test_bytes_do_not_depend_on_workers(
    parents: Manifest, full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "SHARD_PICTURES", 7)
    order = Order(config.load("night600", [LADDER, "draws=2"]), parents, 3)
    generate.write(order, tmp_path / "set", executors.executor("processes", 2))
    assert files(tmp_path / "set") == files(full)


def test_the_recipe_that_was_written_makes_the_same_pictures(parents: Manifest, full: Path, tmp_path: Path) -> None:
    again = config.load(str(full / "night.toml"))
    assert again.sha256 == config.load("night600", [LADDER, "draws=2"]).sha256
    made(Order(again, parents, 3), tmp_path / "set")
    pairs = [
        {name: data for name, data in files(folder).items() if name.endswith(".jpg")} for folder in (full, tmp_path)
    ]
    assert {f"set/{name}": data for name, data in pairs[0].items()} == pairs[1]


def test_another_seed_and_another_setting_are_another_recipe(parents: Manifest) -> None:
    orders = [
        Order(days.plain(), parents, 0),
        Order(days.plain(), parents, 1),
        Order(days.plain("gamma.gamma=[2.0, 3.0]"), parents, 0),
    ]
    assert len({one.recipe_sha256 for one in orders}) == 3
    assert Order(days.plain("about=other words"), parents, 0).recipe_sha256 == orders[0].recipe_sha256


def test_a_plan_knows_nobody(parents: Manifest) -> None:
    night = config.load("night600", [LADDER, "draws=2", "lamps.consistent=true"])
    # Who is on a picture, and who is tested on it, are told apart from all that a plan may know.
    others = parents.with_columns(pid=[9] * 10, split=["train"] * 10, query=[False] * 10, gallery=[False] * 10)
    one, other = (Order(night, rows, 3) for rows in (parents, others))
    assert one.recipe_sha256 == other.recipe_sha256
    drawn, again = one.plan(one.pictures), other.plan(other.pictures)
    assert list(drawn) == list(again)
    for name, values in drawn.items():
        np.testing.assert_array_equal(values, again[name], err_msg=name)


def test_a_limit_is_a_part_of_the_whole(parents: Manifest, full: Path, tmp_path: Path) -> None:
    record = made(Order(config.load("night600", [LADDER, "draws=2"]), parents, 3, limit=6), tmp_path / "set")
    assert (record["counts"]["pictures"], record["limit"]) == (6, 6)
    assert record["counts"]["levels"]["all_steps"] != record["counts"]["levels"]["made"]
    whole = {row["path"]: row for row in plan(full)}
    assert [whole[row["path"]] for row in plan(tmp_path / "set")] == plan(tmp_path / "set")
    assert all(
        (tmp_path / "set" / path).read_bytes() == (full / path).read_bytes() for path in images_of(tmp_path / "set")
    )
    text = (tmp_path / "set" / "card.md").read_text()
    assert "a part of the set" in text
    assert "| declared | 45 % | 35 % | 20 % |" in text
    assert "| drawn for the preview (step at 0 stops) | 1 33 % | 1 33 % | 1 33 % |" in text


@pytest.mark.parametrize(("limit", "ladders"), [(1, 1), (2, 1), (3, 2)])
def test_a_ladder_that_is_begun_is_made_as_a_whole(parents: Manifest, tmp_path: Path, limit: int, ladders: int) -> None:
    record = made(Order(config.load("night600", [LADDER]), parents, 3, limit=limit), tmp_path / "set")
    rows = plan(tmp_path / "set")
    assert record["counts"]["pictures"] == len(rows) == 2 * ladders
    assert {row["parent"]: [one["step"] for one in rows if one["parent"] == row["parent"]] for row in rows} == {
        row["parent"]: [0, 1] for row in rows
    }
    levels = record["counts"]["levels"]
    assert [sum(levels[name].values()) for name in ("planned", "made", "all_steps")] == [ladders, ladders, 2 * ladders]


def images_of(folder: Path) -> list[str]:
    return [path for path in files(folder) if path.endswith(".jpg")]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(1, 70))
@settings(max_examples=200, deadline=None)
def test_a_spread_takes_of_each_level_alike_as_far_as_it_goes(levels: list[int], wanted: int) -> None:
    chosen = spread(np.array(levels), wanted)
    assert len(chosen) == min(wanted, len(levels))
    assert list(chosen) == sorted(set(chosen.tolist()))
    there, taken = (np.bincount(np.array(values), minlength=4) for values in (levels, np.array(levels)[chosen]))
    # A level with fewer than another has given all it has.
    for level in range(4):
        assert taken[level] == there[level] or taken[level] >= taken.max() - 1


def test_sizes_are_scaled_with_pictures_that_are_stored_small(tmp_path: Path) -> None:
    rows = [(f"{row}.jpg", 1, 1, "none", False, False, 220, 110) for row in range(12)]
    boxes = {"x": [1.0] * 12, "y": [2.0] * 12, "w": [220.0] * 12, "h": [440.0] * 12}  # in the frame; stored at half
    parents = days.day(tmp_path / "day", rows, **boxes)
    night = config.load("gamma", ['stages=["gamma","scale","codec"]', "scale.size={small=0.5,medium=0.5,big=0.0}"])
    record = made(Order(night, parents), tmp_path / "set")
    found = manifest.read(tmp_path / "set" / "manifest.parquet").frame()
    assert found["x"].isna().all()
    assert found["y"].isna().all()
    assert (found["h"] < 200).all()
    np.testing.assert_allclose(found["h"], 440 * found["height"] / 220, rtol=1e-6)
    np.testing.assert_allclose(found["w"], 220 * found["width"] / 110, rtol=1e-6)
    cut = strata.assign(manifest.read(tmp_path / "set" / "manifest.parquet"), strata.scheme("night600-scale"))
    assert list(record["counts"]["sizes"].values()) == np.bincount(cut.codes, minlength=3).tolist()
    assert record["counts"]["sizes_planned"] == record["counts"]["sizes"]
    assert record["counts"]["declared"] == {"light": None, "sizes": {"Small": 0.5, "Medium": 0.5, "Big": 0.0}}
    assert "| declared | 50 % | 50 % | 0 % |" in (tmp_path / "set" / "card.md").read_text()


def test_counts_and_levels_are_what_the_pictures_show(parents: Manifest, tmp_path: Path) -> None:
    record = made(Order(config.load("night600"), parents, 3), tmp_path / "set")
    rows, numbers = plan(tmp_path / "set"), record["counts"]
    light = np.array([images.lightness(images.load(tmp_path / "set", row["path"])) for row in rows])
    names = np.array(["Low", "Medium", "High"])[np.digitize(light, [25.5, 51])]
    assert [row["made_level"] for row in rows] == names.tolist()
    planned = [("Low", "Medium", "High")[row["level"]] for row in rows]
    assert [row["planned_level"] for row in rows] == planned
    apart = np.abs(light - np.array([row["target"] for row in rows]))
    allowed = [min(10, row["target"] / 4) for row in rows]
    assert [row["reached"] for row in rows] == [
        one == other and far <= most for one, other, far, most in zip(names, planned, apart, allowed, strict=True)
    ]
    assert numbers["declared"]["light"] == {"Low": 0.45, "Medium": 0.35, "High": 0.2}
    assert numbers["levels"]["made"] == {name: int((names == name).sum()) for name in ("Low", "Medium", "High")}
    assert numbers["levels"]["planned"] == {name: planned.count(name) for name in ("Low", "Medium", "High")}
    assert numbers["not_reached"] == sum(not row["reached"] for row in rows)
    assert numbers["off_target"] == sum(far > most for far, most in zip(apart, allowed, strict=True))
    assert numbers["lightness_error"] == pytest.approx(apart.mean(), abs=1e-3)
    assert numbers["lightness_worst"] == pytest.approx(apart.max(), abs=1e-3)


def test_a_target_that_is_out_of_reach_shows(tmp_path: Path) -> None:
    shades = {"black": 0, "white": 255, "grey": 40}
    for name, shade in shades.items():
        for number in range(12):
            images.save(tmp_path / "day" / f"{name}/{number}.png", np.full((32, 16, 3), shade, np.uint8))
    paths = [f"{name}/{number}.png" for name in shades for number in range(12)]
    day = measure(manifest.build({"path": paths}, "day", tmp_path / "day"), tmp_path / ".measure", executors.serial)
    record = made(Order(config.load("night600", ["exposure.shares=[0,0,1]"]), day), tmp_path / "set")
    reached = {row["parent"]: row["reached"] for row in plan(tmp_path / "set")}
    assert {name: {reached[f"day/{name}/{number}.png"] for number in range(12)} for name in shades} == {
        "black": {False},  # no light
        "white": {True},
        "grey": {False},  # no night is brighter than its day, so it is at Medium
    }
    assert record["counts"]["not_reached"] == 24
    assert "24 pictures missed level or target" in (tmp_path / "set" / "card.md").read_text()


@pytest.mark.parametrize(
    ("target", "lightness", "expected"),
    [
        (80.0, 90.0, True),
        (80.0, 90.1, False),
        (95.0, 254.0, False),
        (85.8, 54.2, False),
        (9.3, 1.9, False),
        (8.0, 10.0, True),
        (8.0, 10.1, False),
    ],
)
def test_near_is_within_ten_and_within_a_quarter(target: float, lightness: float, expected: bool) -> None:
    assert reached.near(np.array([lightness]), np.array([target])).tolist() == [expected]


def test_a_night_without_targets_misses_none(parents: Manifest, night: Path) -> None:
    assert reached.near(np.array([3.0, 254.0]), np.array([np.nan, np.nan])).all()
    counts = durable.read_json(night / "night.json")["counts"]
    assert (counts["not_reached"], counts["off_target"], counts["lightness_worst"]) == (0, 0, None)
    assert {row["reached"] for row in plan(night)} == {None}


def test_every_column_of_the_plan_says_what_it_is(full: Path) -> None:
    schema = pq.read_schema(full / "plan.parquet")
    assert schema.metadata[b"luxreid.schema"] == b"night-plan/1"
    about = {field.name: (field.metadata or {}).get(b"about", b"").decode() for field in schema}
    assert all(about.values())
    assert about["gain"] == "solved: factor on the light, whose lamps have mean 1"
    assert (schema.metadata[b"chain"], schema.metadata[b"seed"]) == (VERSION.encode(), b"3")


def test_pictures_of_one_camera_block_share_their_lamps_and_noise(parents: Manifest, full: Path) -> None:
    whose = dict(zip(parents.table["image_id"].to_pylist(), parents.table["camid"].to_pylist(), strict=True))
    shared: dict[str, set[tuple[Any, ...]]] = {}
    for row in plan(full):
        assert (row["camera_block"] is None) == (whose[row["parent"]] == 0)
        key = row["camera_block"] or row["parent"] + str(row["draw"])
        shared.setdefault(key, set()).add((whose[row["parent"]], row["shot"], row["lamp1_kelvin"], row["red"]))
    assert {len(draws) for draws in shared.values()} == {1}
    assert len(set.union(*shared.values())) == len(shared)
    blocks = {row["camera_block"] for row in plan(full)} - {None}
    assert durable.read_json(full / "night.json")["counts"]["camera_blocks"] == len(blocks)


def test_lamps_in_frame_are_lit_and_before_the_picture(parents: Manifest, tmp_path: Path) -> None:
    low = ["lamps.street.height=[0.1, 2.5]", "lamps.street.aside=[0.0, 1.0]", "draws=3"]
    made(Order(config.load("night600", low), parents, 3), tmp_path / "set")
    rows, seen = plan(tmp_path / "set"), 0
    for row in rows:
        for lamp in (1, 2, 3):
            before = abs(row[f"lamp{lamp}_x"]) <= row["half_width"] and abs(row[f"lamp{lamp}_y"]) <= 2
            assert row[f"lamp{lamp}_in_frame"] == (before and row[f"lamp{lamp}_intensity"] > 0)
            seen += row[f"lamp{lamp}_in_frame"]
    assert 0 < seen < 3 * len(rows)


def test_the_card_says_what_the_record_says(full: Path) -> None:
    record, text = durable.read_json(full / "night.json"), (full / "card.md").read_text()
    said = [record["recipe_sha256"], record["manifest_data_sha256"], record["parents"]["data_sha256"]]
    said += [record["versions"]["numpy"], "| python |", "| set aside | 0 |", record["recipe"]["about"]]
    assert [one for one in said if one not in text] == []
    found = manifest.read(full / "manifest.parquet")
    assert (record["manifest_data_sha256"], record["manifest_labels_sha256"]) == (
        found.data_sha256,
        found.labels_sha256,
    )
    assert "luxreid synth night MANIFEST --night night.toml --seed 3 --out OUT" in text
    numbers, rows = record["counts"], found.frame()
    people, cameras = rows[rows["pid"] > 0]["pid"].nunique(), rows[rows["camid"] > 0]["camid"].nunique()
    assert (numbers["identities"], numbers["cameras"]) == (people, cameras)
    assert f"| identities | {people} |" in text
    trained = rows["split"].isin(["train", "val"])
    other = ~(trained | rows["query"] | rows["gallery"])
    parts = {"train": trained, "query": rows["query"], "gallery": rows["gallery"], "other": other}
    assert numbers["roles"] == {name: int(part.sum()) for name, part in parts.items()}
    assert all(f"| files, {name} | {number} |" in text for name, number in numbers["roles"].items())


def test_the_terms_of_the_parents_are_in_the_card() -> None:
    [market] = card.terms(["market1501+night600-1a2b3c4d", "market1501", "mine-s0-day"])
    assert market["title"] == "Market-1501"
    assert "ICCV 2015" in market["citation"]
    assert card.terms(["mine"]) == []


def test_a_sheet_shows_days_and_nights(parents: Manifest, full: Path, night: Path) -> None:
    """Of a ladder the day and every step of each picture's first draw; of others a pair of each, level by level."""
    rows = sheet.rows(Order(config.load("night600", [LADDER, "draws=2"]), parents, 3), full)
    cells = [cell for row in rows for cell in row.cells]
    assert [cell.caption.split(":")[0] for cell in cells] == ["day", "+0", "-2"] * len(parents)
    for start in range(0, len(cells), 3):
        light = [int(cell.caption.split(":")[1]) for cell in cells[start : start + 3]]
        assert light == sorted(light, reverse=True)
        assert len({cell.pictures[0].shape for cell in cells[start : start + 3]}) == 1
    levels = sheet.rows(Order(days.plain(), parents, 3), night)
    counts = durable.read_json(night / "night.json")["counts"]["levels"]["made"]
    whole = sum(counts.values())
    assert [row.heading for row in levels] == [f"{name}: {count} of {whole}" for name, count in counts.items() if count]
    assert [len(row.cells) for row in levels] == [count for count in counts.values() if count]
    assert all(len(cell.pictures) == 2 for row in levels for cell in row.cells)
    assert sheet.write(Order(days.plain(), parents, 3), night).name == "set-sheet.png"


# Pictures that cannot be used.


@pytest.fixture
def broken(tmp_path: Path) -> Manifest:
    parents = days.day(tmp_path / "day")
    root = tmp_path / "day"
    (root / "a/2.jpg").unlink()
    (root / "b/2.jpg").write_bytes((root / "b/3.jpg").read_bytes())
    data = (root / "b/1.jpg").read_bytes()
    (root / "b/1.jpg").write_bytes(data[: len(data) // 3])
    cut = durable.sha256(data[: len(data) // 3])
    hashes = [cut if path == "b/1.jpg" else one for path, one in zip(*_pairs(parents), strict=True)]
    return parents.with_columns(sha256=hashes)


def _pairs(parents: Manifest) -> tuple[list[str], list[str]]:
    return parents.table["path"].to_pylist(), parents.table["sha256"].to_pylist()


def test_pictures_that_cannot_be_used_are_set_aside_with_the_reason(broken: Manifest, tmp_path: Path) -> None:
    record = made(Order(days.plain(), broken), tmp_path / "set")
    listed = aside(tmp_path / "set")
    assert sorted(listed) == ["a/2.jpg", "b/1.jpg", "b/2.jpg"]
    assert listed["a/2.jpg"].startswith("is not there")
    assert listed["b/1.jpg"].startswith("broken or cut off")
    assert listed["b/2.jpg"].startswith("is not the file that was measured")
    assert str(tmp_path) not in (tmp_path / "set" / "set-aside.csv").read_text()
    assert (record["counts"]["set_aside"], record["counts"]["pictures"], len(images_of(tmp_path / "set"))) == (3, 7, 7)
    assert "| set aside | 3 (set-aside.csv says why) |" in (tmp_path / "set" / "card.md").read_text()


def test_a_file_that_changed_and_is_no_picture_any_more_says_both(tmp_path: Path) -> None:
    parents = days.day(tmp_path / "day")
    (tmp_path / "day" / "a/1.jpg").write_bytes(b"")
    (tmp_path / "day" / "a/2.jpg").write_bytes((tmp_path / "day" / "a/2.jpg").read_bytes()[:200])
    made(Order(days.plain(), parents), tmp_path / "set")
    reasons = aside(tmp_path / "set")
    assert reasons["a/1.jpg"] == "is not the file that was measured, and cannot be decoded: the file is empty"
    assert reasons["a/2.jpg"].startswith("is not the file that was measured, and cannot be decoded: broken or cut off")


def aside(folder: Path) -> dict[str, str]:
    with (folder / "set-aside.csv").open() as file:
        return {row["path"]: row["reason"] for row in csv.DictReader(file)}


def test_unmeasured_rows_are_set_aside_and_the_others_are_made(night: Path, tmp_path: Path) -> None:
    parents = days.day(tmp_path / "day")
    (tmp_path / "day" / "b/1.jpg").write_bytes(b"text")
    blank = [path in ("a/2.jpg", "b/1.jpg") for path in parents.table["path"].to_pylist()]
    columns = {
        name: [None if gone else value for gone, value in zip(blank, parents.table[name].to_pylist(), strict=True)]
        for name in MEASURED
    }
    given = order.day(parents.with_columns(**columns))
    wanted = Order(days.plain(), given.parents, 3, unmeasured=given.unmeasured)
    assert order.check(wanted) == ["warning: 2 of 10 rows unmeasured (`luxreid data measure`): set aside"]
    record = made(wanted, tmp_path / "set")
    assert aside(tmp_path / "set") == {"a/2.jpg": "was never measured", "b/1.jpg": "not a picture that can be read"}
    assert (record["counts"]["set_aside"], record["counts"]["pictures"]) == (2, 8)
    used = parents.select([not gone for gone in blank])
    assert (record["parents"]["rows"], record["parents"]["unmeasured"]) == (8, 2)
    assert (record["parents"]["data_sha256"], record["parents"]["labels_sha256"]) == (
        used.data_sha256,
        used.labels_sha256,
    )
    assert {row["parent_sha256"] for row in plan(tmp_path / "set")} == set(used.table["sha256"].to_pylist())


def test_infrared_rows_are_left_out_and_counted(parents: Manifest, tmp_path: Path) -> None:
    given = order.day(infrared(parents))
    assert (given.parents.table["image_id"].to_pylist(), given.unmeasured) == (
        parents.table["image_id"].to_pylist()[2:],
        None,
    )
    wanted = Order(days.plain(), given.parents, infrared=given.infrared)
    assert order.check(wanted) == ["warning: 2 rows infrared or thermal left out: nights are of visible light"]
    record = made(wanted, tmp_path / "set")
    assert (record["counts"]["set_aside"], record["parents"]["infrared"]) == (0, 2)
    assert "| rows infrared or thermal, left out | 2 |" in (tmp_path / "set" / "card.md").read_text()
    with pytest.raises(UserError, match=r"^synth night: all 10 rows are infrared or thermal; nights are made of vis"):
        order.day(parents.with_columns(modality=["infrared"] * 10))


def test_a_manifest_without_any_hash_is_refused(parents: Manifest) -> None:
    given = order.day(parents.with_columns(**{name: [None] * 10 for name in MEASURED}))
    with pytest.raises(UserError, match=r"^synth night: 10 of 10 rows unmeasured; run `luxreid data measure` first$"):
        order.check(Order(days.plain(), given.parents))


def test_others_are_what_they_would_be_without_those(broken: Manifest, night: Path, tmp_path: Path) -> None:
    made(Order(days.plain(), broken, 3), tmp_path / "set")
    whole = files(night)
    assert all(data == whole[path] for path, data in files(tmp_path / "set").items() if path.endswith(".jpg"))


def test_nothing_but_broken_pictures_is_an_error(tmp_path: Path) -> None:
    parents = days.day(tmp_path / "day", days.ROWS[:2])
    for path in ("a/1.jpg", "a/2.jpg"):
        (tmp_path / "day" / path).write_bytes(b"x")
    with pytest.raises(UserError, match=r"^synth night: all 2 pictures were set aside: is not the .*says why of each$"):
        made(Order(days.plain(), parents), tmp_path / "set")
    with (tmp_path / "set" / "set-aside.csv").open() as file:
        assert [row["path"] for row in csv.DictReader(file)] == ["a/1.jpg", "a/2.jpg"]


def synthetic(parents: Manifest) -> Manifest:
    return parents.with_columns(synth_recipe_sha256=["1" * 64, *[None] * (len(parents) - 1)])


def unmeasured(parents: Manifest) -> Manifest:
    return parents.with_columns(**{name: [None, *parents.table[name].to_pylist()[1:]] for name in MEASURED})


def shared(parents: Manifest) -> Manifest:
    hashes = parents.table["sha256"].to_pylist()
    return parents.with_columns(sha256=[*hashes[:4], hashes[0], *hashes[5:]])


def infrared(parents: Manifest) -> Manifest:
    return parents.with_columns(modality=["thermal", "infrared", *["visible"] * (len(parents) - 2)])


def elsewhere(parents: Manifest) -> Manifest:
    return Manifest(parents.table, {"day": Path("/nowhere")})


def of_one_name(parents: Manifest) -> Manifest:
    paths = parents.table["path"].to_pylist()
    return parents.with_columns(path=[*paths[:8], paths[7], paths[9]])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (unmeasured, r"^synth night: 1 of 10 rows unmeasured; run `luxreid data measure` first$"),
        (infrared, r"^synth night: 2 rows of 10 infrared or thermal, such as day/a/1.jpg; nights are made of visible"),
        (synthetic, r"^synth night: day/a/1.jpg is of a made night already; give the day that it is of$"),
        (
            shared,
            r"^synth night: day/a/1.jpg and day/b/2.jpg are one picture \(equal sha256\), on both sides of the tr",
        ),
        (elsewhere, r"^/nowhere/a/1.jpg: is not there; if the pictures lie elsewhere, give --root$"),
        (of_one_name, r"^synth night: two pictures would be written to pictures/c/1.jpg; rename one of them$"),
    ],
)
def test_parents_that_no_night_is_made_of_are_refused(
    parents: Manifest, tmp_path: Path, wrong: Callable[[Manifest], Manifest], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        made(Order(days.plain(), wrong(parents)), tmp_path / "set")
    assert images_of(tmp_path) == []


LOADERS = re.compile(r"([-\d]+)_c(\d)")  # torchreid/data/datasets/image/market1501.py, on the whole path


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"camid": [10] + [1] * 9}, "camera 10: this layout's loaders read one digit, cameras 1 to 9"),
        ({"pid": [10000] * 10}, "pid 10000: this layout has four digits, up to 9999"),
        ({"camid": [0] + [1] * 9}, "1 row with camid 0 (unknown), such as 'day/a/1.jpg'"),
        ({"id_space": ["one"] * 5 + ["two"] * 5}, "names hold one space of identities, found one, two"),
    ],
)
def test_what_markets_names_cannot_say_keeps_its_own_below_the_three_folders(
    parents: Manifest, tmp_path: Path, columns: dict[str, Any], said: str
) -> None:
    wanted = Order(days.plain(), parents.with_columns(**columns))
    kept = "pictures keep their own names in its folders, the manifest has the labels"
    assert order.check(wanted) == [f"warning: Market-1501's names cannot hold this set: {said}; {kept}"]
    record = made(wanted, tmp_path / "set")
    assert record["own_names"] == said
    assert f"| names | the parents' own: {said} |" in (tmp_path / "set" / "card.md").read_text()
    found = {row["parent"]: row["path"] for row in plan(tmp_path / "set")}
    assert found["day/a/1.jpg"] == "bounding_box_train/a/1.jpg"
    assert found["day/b/1.jpg"] == "query/b/1.jpg"
    night = manifest.read(tmp_path / "set" / "manifest.parquet")
    for name, values in columns.items():
        known = dict(zip(wanted.parents.table["image_id"].to_pylist(), values, strict=True))
        assert night.table[name].to_pylist() == [known[parent] for parent in night.table["parent"].to_pylist()]


def test_own_names_are_such_that_no_loader_of_markets_misreads_them(tmp_path: Path) -> None:
    paths = ("0001_c10s1_000001_00.jpg", "7_c2/-1_c11.jpg", "1_c1_c12_3.png", "a_c1.jpg", "0001_cam3.jpg")
    rows = [(path, 1, 10, "train", False, False, 16, 8) for path in paths]
    parents = days.day(tmp_path / "day", rows)
    found = [path for [(_, path)] in names.files(parents)]
    assert not [path for path in found if LOADERS.search(path)]
    assert sorted(found) == sorted(
        f"bounding_box_train/{name}"
        for name in (
            "0001_cam10s1_000001_00.jpg",
            "7_cam2/-1_cam11.jpg",
            "1_cam1_cam12_3.png.jpg",
            "a_c1.jpg",
            "0001_cam3.jpg",
        )
    )


def test_a_set_that_is_dark_already_is_warned_of(parents: Manifest) -> None:
    assert order.check(Order(days.plain(), parents)) == []
    dark = parents.with_columns(lightness=[30.0] * 10)
    assert order.check(Order(days.plain(), dark)) == [
        "warning: the pictures are dark already: median lightness 30, a day has 51 and more"
    ]
    nights = parents.with_columns(time=["night"] * 7 + ["day"] * 3)
    assert order.check(Order(days.plain(), nights)) == [
        "warning: 70 % of the pictures are of a night already (column time)"
    ]


# Folders, kills, and disks.


One = TypeVar("One")
Other = TypeVar("Other")


def stopped_after(most: int) -> executors.Executor:
    """Work on some shards, and then be stopped."""

    def execute(function: Callable[[One], Other], shards: Sequence[One]) -> Iterator[tuple[int, Other]]:
        for position, shard in enumerate(shards):
            if position == most:
                raise KeyboardInterrupt
            yield position, function(shard)

    return execute


def test_a_night_that_was_stopped_goes_on_and_ends_with_the_same_bytes(
    parents: Manifest, night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "SHARD_PICTURES", 3)
    order, out = Order(days.plain(), parents, 3), tmp_path / "set"
    with pytest.raises(KeyboardInterrupt):
        generate.write(order, out, stopped_after(2))
    assert len(images_of(out)) == 7  # six pictures, one of them twice
    first = {path: (out / path).stat().st_mtime_ns for path in images_of(out)}
    record, fresh = generate.write(order, out, executors.serial)
    assert files(out) == files(night)
    assert {path: (out / path).stat().st_mtime_ns for path in first} == first
    assert fresh == 10 - 6
    assert generate.write(order, out, stopped_after(0)) == (record, None)
    assert not list(out.glob(".*"))


def test_a_finished_night_that_lost_a_file_makes_it_again(parents: Manifest, night: Path, tmp_path: Path) -> None:
    order, out = Order(days.plain(), parents, 3), tmp_path / "set"
    made(order, out)
    (out / images_of(out)[2]).unlink()
    assert generate.write(order, out, executors.serial)[1]
    assert files(out) == files(night)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 4}, "seed is 3 there, 4 here"),
        ({"limit": 4}, "limit is not given there, 4 here"),
        ({"night": days.plain("gamma.gain=[0.5, 1.0]")}, r"recipe.gamma.gain is \[0.75,1.0\] there, \[0.5,1.0\] here"),
        ({"night": days.plain("quality=exact")}, 'recipe.quality is "fast" there, "exact" here'),
    ],
)
@pytest.mark.parametrize("begun", [False, True], ids=["whole", "part"])
def test_another_night_is_refused_by_what_differs(
    parents: Manifest,
    night: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    said: str,
    begun: bool,
) -> None:
    out = night
    if begun:
        out = tmp_path / "set"
        monkeypatch.setattr(generate, "SHARD_PICTURES", 4)
        with pytest.raises(KeyboardInterrupt):
            generate.write(Order(days.plain(), parents, 3), out, stopped_after(1))
    before = files(out)
    with pytest.raises(UserError, match=said) as refused:
        made(replace(Order(days.plain(), parents, 3), **change), out)
    assert str(refused.value).startswith(f"{out}: holds {'a part of ' if begun else ''}another night, gamma: ")
    assert files(out) == before


def test_other_parents_are_refused(parents: Manifest, night: Path) -> None:
    moved = parents.with_columns(x=[7.0] * 10)  # where a person stands shapes the light
    with pytest.raises(UserError, match=r"another night, gamma: parents.table_sha256 is \S+ there"):
        made(Order(days.plain(), moved, 3), night)


def test_a_folder_of_something_else_is_left_alone(parents: Manifest, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("mine")
    with pytest.raises(
        UserError, match=r"set: holds something else, such as mine.txt; name another folder with --out$"
    ):
        made(Order(days.plain(), parents), tmp_path / "set")
    with pytest.raises(UserError, match=r"mine.txt: is a file; name a folder with --out$"):
        made(Order(days.plain(), parents), tmp_path / "set" / "mine.txt")
    assert files(tmp_path) == {"set/mine.txt": b"mine"}


def test_a_full_disk_is_one_line_and_the_night_goes_on_after(
    parents: Manifest, night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, true, room = tmp_path / "set", Path.replace, [7]

    def full(self: Path, target: Path) -> Path:
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return true(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UserError, match=r"cannot write: No space left on device$"):
        made(Order(days.plain(), parents, 3), out)
    monkeypatch.setattr(Path, "replace", true)
    made(Order(days.plain(), parents, 3), out)
    assert files(out) == files(night)


# The recipe as TOML.

_texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
_numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
_values = st.recursive(
    _texts | _numbers, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3)
)


@given(st.dictionaries(_texts, _values, max_size=4))
@settings(max_examples=300, deadline=None)
def test_toml_reads_back_as_it_was_written(record: dict[str, Any]) -> None:
    import tomllib

    assert tomllib.loads(toml(record)) == record


# Every reader's layout.

READERS = Room("benchmark.readers", "reader")


@pytest.mark.parametrize("name", READERS.names())
def test_a_night_is_made_of_every_readers_layout(name: str, tmp_path: Path) -> None:
    reader, root = READERS.load(name), tmp_path / "sets" / name
    for number, example in enumerate(reader.EXAMPLES):
        file = root / str(example["path"])
        file.parent.mkdir(parents=True, exist_ok=True)
        images.save(file.with_suffix(".jpg"), days.picture(number, 24, 12))
        file.with_suffix(".jpg").rename(file)  # whatever it is called: its bytes say what it is
    for path, data in getattr(reader, "example_files", dict)().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    found = measure(reader.read(root, reader.Options()), tmp_path / ".measure", executors.serial)
    visible = order.day(found).parents
    assert set(visible.column("modality")) == {"visible"}
    record = made(Order(days.plain(), visible), tmp_path / "set")
    assert record["counts"]["pictures"] == len(visible)
    night = manifest.read(tmp_path / "set" / "manifest.parquet")
    assert sorted(set(night.column("parent"))) == sorted(visible.column("image_id"))
    assert sorted(night.column("path")) == pictures(tmp_path / "set").pictures
