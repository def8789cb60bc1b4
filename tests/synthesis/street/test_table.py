"""The tables of a world: manifests that join, and a truth that agrees with what it was made of."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark import durable, manifest
from benchmark.columns import MEASURED
from synthesis.street import camera, config, lamps, places, scene, shots, table
from synthesis.street.config import World
from synthesis.street.people import PALETTE, person
from synthesis.street.scene import Array
from synthesis.street.shots import Shot

WORLD = World(identities=10, views=(0, 1), frames=(2, 4), difficulty="hard", occluded=0.5)
SEED = 4


@pytest.fixture(scope="module")
def taken() -> list[Shot]:
    """Give all shots of a small world."""
    return [shot for walk in shots.walks(WORLD, SEED) for shot in shots.shots(WORLD, SEED, walk)]


def boxes(taken: list[Shot]) -> Array:
    """Make up a box for every shot, each another one."""
    place = np.arange(len(taken), dtype=float)[:, None]
    made: Array = place + np.array([300.0, 200.5, 60.0, 120.0, 30.0, 60.0])
    return made


def truth(taken: list[Shot], found: list[table.Found] | None = None) -> pa.Table:
    """Make the truth of some shots with made-up boxes."""
    return table.truth(WORLD, SEED, taken, boxes(taken), boxes(taken)[:, :4] + 1, found or [])


def found(shot: Shot) -> table.Found:
    """Make up what rendering might find."""
    measures: dict[str, Any] = dict.fromkeys(MEASURED, 0.5) | {
        "width": 30,
        "height": 60,
        "stops": -3.0,
        "sha256": "0" * 64,
    }
    exposures = {"day": camera.Exposure(900.0, 1.0, 0.002), "night": camera.Exposure(700.0, 16.0, 0.02)}
    visible = (1.0, 2.0, 3.0, 4.0) if shot.frame else None
    return table.Found(0.25, visible, exposures, {"day": measures, "night": measures | {"lightness": 9.5}})  # type: ignore[arg-type]


def test_day_and_night_are_the_same_people_and_scenes_in_two_sources(taken: list[Shot], tmp_path: Path) -> None:
    day, night = (table.pictures(WORLD, SEED, time, tmp_path, taken, boxes(taken)) for time in ("day", "night"))
    both = manifest.concat([day, night])
    assert len(both) == 2 * len(taken)
    assert len(set(both.identities().tolist())) == 10
    for name in (
        "pid",
        "camid",
        "place",
        "frame",
        "scene",
        "sequence",
        "x",
        "y",
        "w",
        "h",
        "mask",
        "id_space",
    ):
        assert day.table[name].equals(night.table[name]), name
    assert (np.array(night.table["timestamp"]) > np.array(day.table["timestamp"])).all()
    assert set(day.column("source")) == {f"{config.name(WORLD, SEED)}-day"}
    assert set(day.column("id_space")) == {config.name(WORLD, SEED)}
    assert set(night.column("time")) == {"night"}
    assert day.table["path"][0].as_py().startswith("day/0001/c")
    assert not set(day.column("path")) & set(night.column("path"))
    assert not day.measured


def test_a_row_says_what_its_shot_and_its_person_say(taken: list[Shot], tmp_path: Path) -> None:
    frame = table.pictures(WORLD, SEED, "day", tmp_path, taken, boxes(taken)).frame().set_index("scene")
    assert list(frame.index) == [shot.scene for shot in taken]  # sorted by path is sorted by person, camera and frame
    assert frame["look_alike"].any()
    for place, shot in enumerate(taken):
        row = frame.loc[shot.scene]
        assert (row["pid"], row["camid"], row["frame"]) == (shot.pid, shot.camid, shot.frame)
        assert row["look_alike"] == (person(WORLD, SEED, shot.pid).look_alike_of > 0)
        assert row["path"] == f"day/{shot.pid:04d}/c{shot.camid}_{shot.frame:03d}.jpg"
        assert row["mask"] == f"mask/{shot.pid:04d}/c{shot.camid}_{shot.frame:03d}.png"
        assert (row["x"], row["y"], row["w"], row["h"]) == (300 + place, 200.5 + place, 60 + place, 120 + place)
        assert f"bag: {person(WORLD, SEED, shot.pid).bag}" in row["attributes"]


def test_measures_come_into_the_manifest_of_their_time(taken: list[Shot], tmp_path: Path) -> None:
    known = [found(shot) for shot in taken]
    night = table.pictures(WORLD, SEED, "night", tmp_path, taken, boxes(taken), known)
    assert night.measured
    assert set(night.column("lightness")) == {9.5}


def test_equal_worlds_give_equal_bytes_and_parts_join_to_the_whole(taken: list[Shot], tmp_path: Path) -> None:
    whole, again = truth(taken), truth(taken)
    # Shots with something in the way and without must give columns of the same types, or parts could not be joined.
    rows = (
        [row for row, shot in enumerate(taken) if shot.occluder],
        [row for row, shot in enumerate(taken) if not shot.occluder],
    )
    for part in rows:
        some = [taken[row] for row in part]
        alone = table.truth(WORLD, SEED, some, boxes(taken)[part], boxes(taken)[part][:, :4] + 1)
        assert alone.equals(whole.take(pa.array(part)), check_metadata=True)
    files = [tmp_path / name for name in ("one.parquet", "two.parquet", "joined.parquet")]
    joined = pa.concat_tables([truth(taken[:0] + taken), whole.slice(0, 0)])
    for file, made in zip(files, (whole, again, joined), strict=True):
        table.write_truth(made, file)
    assert len({durable.sha256(file.read_bytes()) for file in files}) == 1
    metadata = pq.read_schema(files[0]).metadata
    said = {
        key: metadata[key.encode()].decode() for key in ("preset", "difficulty", "quality", "seed", "luxreid.schema")
    }
    assert said == {
        "preset": "demo",
        "difficulty": "hard",
        "quality": "fast",
        "seed": "4",
        "luxreid.schema": table.SCHEMA,
    }
    assert World.model_validate_json(metadata[b"config"]) == WORLD


def test_truth_holds_the_cards_of_person_pose_place_and_sensor(taken: list[Shot]) -> None:
    rows = truth(taken).to_pylist()
    assert [row["scene"] for row in rows] == [shot.scene for shot in taken]
    for shot, row in zip(taken, rows, strict=True):
        who, sensor = person(WORLD, SEED, shot.pid), camera.sensor(WORLD, SEED, shot.camid)
        assert (row["look_alike_of"], row["person_height"]) == (who.look_alike_of, who.height)
        assert tuple(row["person_top_colour"]) == who.top_colour
        assert row["wardrobe"] == (who.look_alike_of or shot.pid)
        assert (row["pose_x"], row["pose_activity"]) == (shot.pose.x, shot.pose.activity)
        assert (row["sensor_full_well"], row["sensor_pattern"]) == (sensor.full_well, sensor.pattern)
        assert row["view_eye"] == places.place(WORLD, SEED, shot.camid).view.eye.tolist()
        assert row["occluder"] == (shot.occluder.kind if shot.occluder else "none")
        assert row["occluder_way"] == (shot.occluder.way if shot.occluder else None)
        assert row["full_w"] == row["w"] + 1
    # Both sides of a pair that shares clothes have the same wardrobe.
    groups = {row["wardrobe"]: set() for row in rows}  # type: ignore[var-annotated]
    for row in rows:
        groups[row["wardrobe"]].add(row["pid"])
    assert max(map(len, groups.values())) > 1


def test_what_only_rendering_tells_is_null_without_it(taken: list[Shot]) -> None:
    names = ["occluded", "visible_x", "visible_h", "day_exposure_gain", "night_exposure_seconds"]
    plain, rendered = truth(taken), truth(taken, [found(shot) for shot in taken])
    assert all(plain[name].null_count == len(taken) for name in names)
    assert plain.schema == rendered.schema
    assert set(rendered["occluded"].to_pylist()) == {0.25}
    assert set(rendered["night_exposure_gain"].to_pylist()) == {16.0}
    seen = [row for row, value in enumerate(rendered["visible_x"].to_pylist()) if value is not None]
    assert seen == [row for row, shot in enumerate(taken) if shot.frame]


def test_lights_are_where_the_view_projects_them(taken: list[Shot]) -> None:
    rows, kinds = truth(taken).to_pylist(), set()
    for place, (shot, row) in enumerate(zip(taken, rows, strict=True)):
        here = places.place(WORLD, SEED, shot.camid)
        day, night = places.illumination(here, WORLD, SEED, shot.track, shot.seconds)
        assert len(row["night_lights"]) == len(night.lights)
        x, y, w, h, width, height = boxes(taken)[place]
        for light, known in zip(row["night_lights"], night.lights, strict=True):
            kinds.add(light["kind"])
            assert light["position"] == known[scene.POSITION : scene.INTENSITY].tolist()
            frame_x, frame_y, depth = here.view.project(np.array([light["position"]]))[0]
            away = np.linalg.norm(np.array(light["position"]) - here.view.eye)
            assert np.linalg.norm(light["from_camera"]) == pytest.approx(away)
            assert light["from_camera"][2] == pytest.approx(depth)
            if depth <= 0:
                assert [light[name] for name in ("frame_x", "frame_y", "picture_x", "picture_y")] == [None] * 4
                assert not light["in_frame"]
                continue
            assert (light["frame_x"], light["frame_y"]) == (pytest.approx(frame_x), pytest.approx(frame_y))
            assert light["picture_x"] == pytest.approx((frame_x - x) / w * width)
            assert light["picture_y"] == pytest.approx((frame_y - y) / h * height)
            assert light["in_frame"] == (0 <= frame_x < 1920 and 0 <= frame_y < 1080)
            assert light["in_picture"] == (x <= frame_x < x + w and y <= frame_y < y + h)
        temperatures = [light["kelvin"] for light in row["night_lights"] if light["kind"] == "lamp"]
        assert temperatures == [lamp.kelvin for lamp in here.lamps]
        assert row["headlight"] == ("car" in {light["kind"] for light in row["night_lights"]})
        sun = day.lights[0, scene.POSITION : scene.INTENSITY]
        assert row["sun"] == pytest.approx((sun / np.linalg.norm(sun)).tolist())
        assert row["night_above"] == night.above.tolist()
    assert kinds == {"lamp", "car", "sign"}


def test_a_lamp_in_the_middle_of_the_picture_is_in_it_and_one_behind_the_camera_is_nowhere(taken: list[Shot]) -> None:
    here = places.place(WORLD, SEED, taken[0].camid)
    ahead, behind = here.view.eye + 5 * here.view.forward, here.view.eye - 5 * here.view.forward
    rows = np.stack([lamps.light(at, np.ones(3), scene.POINT, 0.1) for at in (ahead, behind)])
    night = scene.Illumination(rows, np.zeros(3), np.zeros(3))
    box = np.array([[900.0, 500.0, 120.0, 80.0, 60.0, 40.0]])
    (lights,) = table._lights([here], [night], [[("lamp", 2000.0), ("lamp", 3000.0)]], box).to_pylist()
    assert [light["in_picture"] for light in lights] == [True, False]
    assert (lights[0]["picture_x"], lights[0]["picture_y"]) == (pytest.approx(30.0), pytest.approx(20.0))
    assert lights[1]["frame_x"] is None


def test_a_place_without_any_light_by_night_has_an_empty_list(taken: list[Shot]) -> None:
    dark = WORLD.model_copy(update={"lamps": config.Lamps(count=(0, 0), signs=0, headlights=0)})
    made = table.truth(dark, SEED, taken, boxes(taken), boxes(taken)[:, :4])
    assert set(map(len, made["night_lights"].to_pylist())) == {0}
    assert made.schema.field("night_lights") == truth(taken).schema.field("night_lights")


def test_a_colour_of_the_palette_has_its_own_name() -> None:
    assert [table.colour(albedo) for albedo, _ in PALETTE.values()] == list(PALETTE)
    assert table.colour((0.45, 0.05, 0.06)) == "red"
