"""Nights of whole frames: where people stand, what lights them, and what a clip's camera makes of it."""

import itertools
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark import durable, executors, images, manifest, video
from benchmark.errors import UserError
from benchmark.images import PictureError
from benchmark.manifest import Manifest
from synthesis import generate
from synthesis.night import chain, config, tables
from synthesis.night.block import Block
from synthesis.night.config import Night
from synthesis.night.frames import clip, geometry
from synthesis.night.frames.config import Config
from synthesis.night.frames.develop import _Glare
from synthesis.night.frames.geometry import Geometry
from synthesis.night.frames.ground import LUMA, Field, Lamps
from synthesis.night.frames.plan import BY_FRAME
from synthesis.night.order import Order
from synthesis.night.stages import glare
from synthesis.night.tables import meanings
from synthesis.street import places
from tests.synthesis.night import walk

Floats = NDArray[np.float64]
WIDTH, HEIGHT, FPS = 192, 108, 10.0
SMALL = Config()


# Where people stand.


def boxes_of(view: Geometry, count: int, seed: int = 0) -> Floats:
    """Give the boxes of people of 1.7 m who stand all over the ground before a camera."""
    random = np.random.default_rng(seed)
    depth = random.uniform(6, 30, count)
    foot = view.horizon + view.focal * view.height / depth
    tall = view.focal * 1.7 / depth
    return np.stack([random.uniform(300, 1500, count), foot - tall, tall / 3, tall], axis=1)


@settings(max_examples=25, deadline=None)
@given(st.floats(-60, 400), st.floats(3, 8), st.integers(30, 700), st.floats(0, 0.2), st.integers(0, 9))
def test_a_known_horizon_is_found_among_wrong_boxes(
    horizon: float, height: float, count: int, wrong: float, seed: int
) -> None:
    known = Geometry(horizon, height, 1500.0, 960.0)
    boxes = boxes_of(known, count, seed)
    broken = np.arange(count) < wrong * count
    boxes[broken, 3] *= np.random.default_rng(seed).uniform(0.2, 0.8, broken.sum())
    found = geometry.fit(boxes, 1920, 4000, Config(focal=1500 / 1920))
    assert found.height == pytest.approx(height, rel=0.25)
    assert found.horizon == pytest.approx(horizon, abs=0.1 * float(np.ptp(boxes[:, 1] + boxes[:, 3])))
    if not broken.any():
        assert (found.horizon, found.height) == pytest.approx((horizon, height), rel=1e-6, abs=1e-6)


def test_few_or_senseless_boxes_give_a_usual_camera() -> None:
    boxes = boxes_of(Geometry(200, 5, 1500, 960), 29)
    assert geometry.fit(boxes, 1920, 1080, Config()) == geometry.usual(1920, 1080, Config())
    level = np.tile([[900.0, 400, 60, 180]], (50, 1))
    assert geometry.fit(level, 1920, 1080, Config()) == Geometry(108.0, 5.0, 1920.0, 960.0)
    upside_down = boxes_of(Geometry(200, 5, 1500, 960), 50)
    upside_down[:, 1] = 1000 - upside_down[:, 1]
    assert geometry.fit(upside_down, 1920, 1080, Config()) == geometry.usual(1920, 1080, Config())


def test_cut_boxes_tell_nothing() -> None:
    whole = boxes_of(Geometry(200, 5, 1500, 960), 60)
    cut = whole.copy()
    cut[:, 3] = 1080 - cut[:, 1]
    found = geometry.fit(np.concatenate([whole, cut, cut]), 1920, 1080, Config(focal=1500 / 1920))
    assert found.horizon == pytest.approx(200, abs=1e-6)


def test_what_stands_is_seen_where_it_stands() -> None:
    view = Geometry(200, 5, 1500, 960)
    boxes = boxes_of(view, 20)
    feet = view.feet(boxes)
    assert view.seen(feet) == pytest.approx(
        np.stack([boxes[:, 0] + boxes[:, 2] / 2, boxes[:, 1] + boxes[:, 3]], axis=1)
    )
    heads = feet + np.array([0, 1.7, 0])
    assert view.seen(heads)[:, 1] == pytest.approx(boxes[:, 1])
    assert np.isnan(view.seen(np.array([[0.0, 1.0, -3.0]]))).all()


# What lights them.


def lamp(x: float, y: float, z: float, ambient: float = 0.0, cylinder: float = 0.5, above: float = 1.0) -> Lamps:
    return Lamps(np.array([[x, y, z]]), np.array([[1.0, 0.8, 0.5]]), np.full(1, above), np.full(3, ambient), cylinder)


def plain(lamps: Lamps, point: Floats, normal: Floats) -> list[float]:
    """Say it again, a number at a time."""
    total = [0.0, 0.0, 0.0]
    for place, power in zip(lamps.places.tolist(), lamps.power.tolist(), strict=True):
        way = [there - here for there, here in zip(place, point.tolist(), strict=True)]
        distance = math.dist(place, point.tolist())
        cosine = sum(one * other for one, other in zip(way, normal.tolist(), strict=True)) / distance
        for channel in range(3):
            total[channel] += power[channel] * max(cosine, 0.0) / distance**2
    return total


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_light_falls_off_with_the_square_and_the_cosine(seed: int) -> None:
    random = np.random.default_rng(seed)
    places, power = random.uniform(-5, 5, (3, 3)) + np.array([0, 0, 20]), random.uniform(0, 1, (3, 3))
    lamps = Lamps(places, power, np.ones(3), np.zeros(3), 0.0)
    points, normals = random.uniform(-5, 5, (4, 3)), random.normal(size=(4, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    expected = [plain(lamps, point, normal) for point, normal in zip(points, normals, strict=True)]
    assert lamps.light(points, normals) == pytest.approx(np.array(expected), rel=1e-9)


def test_a_beam_leaves_a_part_of_its_light_to_what_is_above_it() -> None:
    points = np.array([[1.0, height, 8.0] for height in np.linspace(0, 2, 41)])
    whole, cut = (lamp(0.0, 0.7, 12.0, above=above).light(points, np.array([0.0, 0.0, 1.0])) for above in (1.0, 0.2))
    left = (cut / whole)[:, 0]
    assert left[points[:, 1] < 0.5] == pytest.approx(1.0)
    assert left[points[:, 1] > 0.9] == pytest.approx(0.2)
    assert (np.diff(left) <= 1e-12).all()


def test_the_ground_is_brightest_below_the_lamp() -> None:
    view = Geometry(20.0, 5.0, 200.0, 96.0)
    field = Field(view, lamp(-2.0, 4.0, 15.0), WIDTH, HEIGHT, SMALL)
    luma = field.empty @ LUMA
    row, column = np.unravel_index(int(luma.argmax()), luma.shape)
    below = view.seen(np.array([[-2.0, 0.0, 15.0]]))[0]
    assert field.columns[column] == pytest.approx(below[0], abs=1.0)
    assert field.rows[row] == pytest.approx(below[1], abs=1.0)
    assert luma.mean() == pytest.approx(1.0, abs=1e-5)


def test_the_pool_stays_while_somebody_walks_through() -> None:
    field = Field(Geometry(20.0, 5.0, 200.0, 96.0), lamp(0.0, 5.0, 15.0, ambient=0.1), WIDTH, HEIGHT, SMALL)
    for x in range(20, 150, 10):
        box = np.array([[x, 50.0, 9.0, 26.0]])
        light = field.frame(box)[0].transpose(1, 2, 0)
        outside = np.ones(light.shape[:2], bool)
        outside[np.ix_((field.rows > 49) & (field.rows < 77), (field.columns > x - 1) & (field.columns < x + 10))] = (
            False
        )
        assert np.array_equal(light[outside], field.empty[outside])
        assert not np.array_equal(light[~outside], field.empty[~outside])


def test_who_is_nearer_to_the_lamp_is_brighter_and_on_its_side() -> None:
    view = Geometry(20.0, 5.0, 200.0, 96.0)
    field = Field(view, lamp(-3.0, 4.0, 10.0, cylinder=0.9), WIDTH, HEIGHT, SMALL)
    near, far = np.array([60.0, 54.0, 10.0, 28.0]), np.array([140.0, 54.0, 10.0, 28.0])
    light = field.frame(np.stack([near, far]))
    near_light, far_light = (field.cut(light, box, 16, 8) for box in (near, far))
    assert near_light.mean() > 1.5 * far_light.mean()
    # The lamp is to the left of both, so a cylinder is brighter there.
    assert far_light[:, 4:12, 1:3].mean() > far_light[:, 4:12, 5:7].mean()


def test_a_body_is_lit_and_not_its_box() -> None:
    field = Field(Geometry(20.0, 5.0, 200.0, 96.0), lamp(0.0, 5.0, 9.0), WIDTH, HEIGHT, SMALL)
    x, y, w, h = 80.0, 40.0, 24.0, 54.0
    changed = np.abs(field.frame(np.array([[x, y, w, h]]))[0].transpose(1, 2, 0) - field.empty).max(axis=-1) > 1e-6
    columns, rows = np.meshgrid((field.columns - x) / w, (field.rows - y) / h)
    assert changed[(np.abs(columns - 0.5) < 0.1) & (rows > 0.1) & (rows < 0.95)].all()
    edge = np.abs(columns - 0.5) > 0.4
    beside_a_head = (np.abs(columns - 0.5) > 0.25) & (rows < 0.1)
    assert not changed[edge | beside_a_head | (rows < 0) | (rows > 1)].any()
    assert 0.4 < changed.sum() / (w * h) < 0.75  # about what a person fills of a box


def test_who_stands_before_another_hides_them() -> None:
    view = Geometry(20.0, 5.0, 200.0, 96.0)
    field = Field(view, lamp(-3.0, 4.0, 12.0), WIDTH, HEIGHT, SMALL)
    front, back = np.array([80.0, 50.0, 14.0, 45.0]), np.array([82.0, 48.0, 10.0, 26.0])
    both, alone = field.frame(np.stack([front, back])), field.frame(front[None])
    middle = (slice(None), slice(None), slice(60, 65), slice(86, 88))
    assert np.allclose(both[middle], alone[middle])
    assert np.array_equal(both, field.frame(np.stack([back, front])))


# Clips.


def street(folder: Path, frames: int = 5, walkers: int = 2, camid: int = 1, name: str | None = None) -> Manifest:
    """Write frames in which dark figures walk over a grey street, and list their boxes."""
    random = np.random.default_rng(camid)
    empty = cv2.resize(random.integers(90, 180, (9, 16, 3), np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    called = name or f"c{camid}"
    rows: dict[str, list[object]] = {key: [] for key in ("path", "pid", "frame", "timestamp", "x", "y", "w", "h")}
    for number in range(frames):
        picture = empty.copy()
        for walker in range(walkers):
            x, y, w, h = 20 + 40 * walker + 5 * number, 40 + 6 * walker, 14, 36 + 4 * walker
            picture[y : y + h, x : x + w] = (90, 120 - 30 * walker, 160)
            values = (f"day/{called}_{walker}_{number}.jpg", walker + 1, number, number / FPS, x, y, w, h)
            for key, value in zip(rows, values, strict=True):
                rows[key].append(value)
        images.save(folder / "frames" / called / f"{number:06d}.png", np.asarray(picture, np.uint8))
    count = len(rows["path"])
    more: dict[str, object] = {"camid": [camid] * count, "sequence": [name] * count}
    return manifest.build(rows | more, f"s{camid}", folder)


@pytest.fixture(scope="module")
def night() -> Night:
    return config.load("street-lamps")


def made(parents: Manifest, frames: Path, night: Night, out: Path, seed: int = 0) -> list[list[clip.Crop]]:
    found = clip.find(parents, frames)
    plan = clip.plan(night, seed, parents, found)
    return [list(clip.write(one, chain.rows(plan, list(one.rows)), night, out)) for one in found]


def test_crops_are_cut_from_the_video(tmp_path: Path, night: Night) -> None:
    parents = street(tmp_path)
    ((*crops,),) = made(parents, tmp_path / "frames", night, tmp_path / "out")
    assert sorted(crop.row for crop in crops) == list(range(len(parents)))
    frames = list(video.read(tmp_path / "out/frames/c1.mp4"))
    assert len(frames) == 5
    assert video.shape(tmp_path / "out/frames/c1.mp4").fps == pytest.approx(FPS)
    table = parents.table.to_pylist()
    for crop in crops:
        row = table[crop.row]
        x, y, w, h = (int(row[name]) for name in "xywh")
        assert np.array_equal(crop.picture, frames[row["frame"]][y : y + h, x : x + w])
        assert images.decode(crop.data).shape == (h, w, 3)
        assert set(crop.solved) == {"gain", "digital", "glare_left", "ev"}


def test_a_clip_made_again_is_the_same(tmp_path: Path, night: Night) -> None:
    parents = street(tmp_path)
    one, other = (made(parents, tmp_path / "frames", night, tmp_path / name)[0] for name in ("one", "other"))
    assert [crop.data for crop in one] == [crop.data for crop in other]
    files = [(tmp_path / name / "frames/c1.mp4").read_bytes() for name in ("one", "other")]
    assert files[0] == files[1]


def test_a_clip_does_not_depend_on_others(tmp_path: Path, night: Night) -> None:
    alone, other = street(tmp_path), street(tmp_path, 4, 3, 2, "night/second")
    both = manifest.concat([alone, other])
    plans = [clip.plan(night, 3, rows, clip.find(rows, tmp_path / "frames")) for rows in (alone, both)]
    rows = [both.table["image_id"].to_pylist().index(name) for name in alone.table["image_id"].to_pylist()]
    for name, values in plans[0].items():
        assert np.array_equal(values, plans[1][name][rows], equal_nan=True), name


def test_what_stays_stays_and_what_changes_changes(tmp_path: Path, night: Night) -> None:
    parents = street(tmp_path)
    plan = clip.plan(night, 0, parents, clip.find(parents, tmp_path / "frames"))
    frame = parents.column("frame")
    for name, values in plan.items():
        assert len(values) == len(parents)
        by_frame = [len(np.unique(values[frame == number])) for number in np.unique(frame)]
        if name in BY_FRAME:
            assert set(by_frame) == {1}, name
        elif name not in ("lamp1_x", "lamp2_x", "lamp3_x", "lamp1_z", "lamp2_z", "lamp3_z"):
            assert len(np.unique(values)) == 1, name
    assert len(np.unique(plan["noise_x"])) > 2
    assert np.all((plan["crf"] >= 28) & (plan["crf"] <= 38))
    # The lamp hangs still, so who goes to the right has it more and more to the left.
    walker = parents.column("pid") == 1
    order = np.argsort(frame[walker])
    assert (np.diff(plan["lamp1_x"][walker][order]) < 0).all()


def test_a_camera_keeps_its_lamps_over_its_sequences(tmp_path: Path, night: Night) -> None:
    one, two = (street(tmp_path, name=name).table.drop_columns(["image_id", "source"]) for name in ("one", "two"))
    both = manifest.build(pa.concat_tables([one, two]).to_pydict(), "s1", tmp_path)
    plan = clip.plan(night, 0, both, clip.find(both, tmp_path / "frames"))
    for name in ("lamp1_at_x", "lamp1_kelvin", "shot", "red", "crf", "smear", "horizon", "pattern_x"):
        assert len(np.unique(plan[name])) == 1, name
    assert len(np.unique(plan["target"])) == len(np.unique(plan["frame_key"])) == 2


def test_a_still_street_does_not_flicker(tmp_path: Path) -> None:
    parents, night = street(tmp_path, frames=12, walkers=1), config.load("street-lamps", ["frames.response=60.0"])
    made(parents, tmp_path / "frames", night, tmp_path / "out")
    frames = [frame.astype(float) for frame in video.read(tmp_path / "out/frames/c1.mp4")]
    light = np.array([frame[:, 120:].mean() for frame in frames])
    assert np.abs(np.diff(light)).max() < 0.03 * light.mean() + 0.3
    # And yet there is noise: no two frames are the same.
    assert min(np.abs(one - other).max() for one, other in itertools.pairwise(frames)) > 2


def test_exposure_follows_slowly(tmp_path: Path) -> None:
    parents, night = street(tmp_path, frames=10, walkers=1), config.load("street-lamps", ["frames.response=1.5"])
    for number in range(5, 10):  # somebody puts a hand before the sun
        file = tmp_path / "frames/c1" / f"{number:06d}.png"
        images.save(file, images.decode(file.read_bytes()) // 3)
    (crops,) = made(parents, tmp_path / "frames", night, tmp_path / "out")
    gain = np.log2([crop.solved["gain"] for crop in crops])
    assert np.abs(np.diff(gain[:6])).max() < 0.1  # what a frame asks for, the next one gets
    step = np.diff(gain[5:])
    assert (step > 0).all()  # up, all the way ...
    assert step.max() < 0.1 * (gain[-1] - gain[5]) + 0.4  # ... and never at once
    assert gain[-1] - gain[5] > 0.3


def test_lightness_comes_near_its_target(tmp_path: Path) -> None:
    for seed, level in ((0, "Low"), (1, "High")):
        shares = [1.0, 0.0, 0.0] if level == "Low" else [0.0, 0.0, 1.0]
        night = config.load("night600", [f"exposure.shares={shares}", "glare.share=0.0"])
        parents = street(tmp_path / level, walkers=1)
        found = clip.find(parents, tmp_path / level / "frames")
        plan = clip.plan(night, seed, parents, found)
        crops = list(clip.write(found[0], chain.rows(plan, list(found[0].rows)), night, tmp_path / level / "out"))
        lightness = np.mean([images.lightness(crop.picture) for crop in crops])
        assert lightness == pytest.approx(float(plan["target"][0]), rel=0.15, abs=2)


@pytest.fixture(scope="module")
def walkers(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return walk.film(tmp_path_factory.mktemp("walkers"), frames=12)


@pytest.mark.parametrize("name", ["headlights", "night600", "street-lamps"])
def test_people_have_their_lightness_where_lamps_shine_into_the_lens(
    walkers: Manifest, tmp_path: Path, name: str
) -> None:
    night = config.load(name, ["glare.share=1.0", "frames.response=0.0", "exposure.shares=[0.0,0.4,0.6]"])
    frame, missed = walkers.column("frame"), []
    for seed in range(5):
        found = clip.find(walkers, walkers.roots["walk"] / "seen")
        plan = clip.plan(night, seed, walkers, found)
        crops = list(clip.write(found[0], chain.rows(plan, list(found[0].rows)), night, tmp_path))
        lightness = np.array([images.lightness(crop.picture) for crop in crops])
        of = frame[[crop.row for crop in crops]]
        seen = np.array([lightness[of == number].mean() for number in np.unique(of)])
        missed.append(np.abs(seen - plan["target"][0]).mean())
    # A person who is nearer to the lamp is brighter than one who is not; together they are as bright as was asked for.
    assert np.mean(missed) < 4
    assert max(missed) < 6


def test_who_stands_still_gets_their_lightness_in_four_times_the_response(tmp_path: Path) -> None:
    parents = street(tmp_path, frames=32, walkers=1)
    parents = parents.with_columns(x=[20.0] * 32, y=[40.0] * 32)
    first = images.decode((tmp_path / "frames/c1/000000.png").read_bytes())
    for number in range(32):  # in the sixth frame the sun goes
        images.save(tmp_path / f"frames/c1/{number:06d}.png", first if number < 5 else first // 3)
    night = config.load("street-lamps", ["glare.share=1.0", "exposure.shares=[0.0,0.0,1.0]"])
    found = clip.find(parents, tmp_path / "frames")
    plan = clip.plan(night, 0, parents, found)
    crops = clip.write(found[0], chain.rows(plan, list(found[0].rows)), night, tmp_path / "out")
    lightness = np.array([images.lightness(crop.picture) for crop in crops])
    assert lightness[5] < 0.7 * plan["target"][0]
    assert np.abs(lightness[25:] - plan["target"][0]).max() < 4


def test_strong_glare_leaves_people_their_share(tmp_path: Path) -> None:
    parents = street(tmp_path, frames=2)
    sets = ["glare.share=1.0", "glare.strength=[60.0,80.0]", "exposure.shares=[0.0,0.0,1.0]"]
    night = config.load("night600", sets)
    found = clip.find(parents, tmp_path / "frames")
    plans = [clip.plan(night, seed, parents, found) for seed in range(6)]
    plan = next(plan for plan in plans if plan["glare"][0] > 0)

    def seen() -> tuple[float, float]:
        crops = list(clip.write(found[0], chain.rows(plan, list(found[0].rows)), night, tmp_path / "out"))
        first = [crop for crop in crops if parents.column("frame")[crop.row] == 0]
        return float(np.mean([images.lightness(crop.picture) for crop in first])), first[0].solved["glare_left"]

    target = float(plan["target"][0])
    lightness, left = seen()
    assert lightness == pytest.approx(target, rel=0.05)
    assert 0 < left < 1
    for file in (tmp_path / "frames/c1").iterdir():  # a black day leaves glare and noise only
        images.save(file, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert seen() == pytest.approx((0.6 * target, left), rel=0.1)


def test_glare_is_where_a_lamp_is_seen(walkers: Manifest) -> None:
    found, cases = clip.find(walkers, walkers.roots["walk"] / "seen"), set()
    for name, seed in itertools.product(("headlights", "street-lamps"), range(30)):
        plan = clip.plan(config.load(name, ["glare.share=1.0"]), seed, walkers, found)
        row = {column: float(values[0]) for column, values in plan.items()}
        view = Geometry(*(row[column] for column in ("horizon", "camera_height", "focal", "centre")))
        places = np.array([[row[f"lamp{lamp}_at_{axis}"] for axis in "xyz"] for lamp in (1, 2, 3)])
        seen = view.seen(places) / [320, 180]
        lit = np.array([row[f"lamp{lamp}_intensity"] > 0 for lamp in (1, 2, 3)])
        shown = lit & ((seen >= 0) & (seen < 1)).all(axis=1)
        assert (row["glare_lamp"] > 0) == (row["glare"] > 0) == bool((lit & (places[:, 2] > 0)).any())
        if row["glare_lamp"]:
            which = int(row["glare_lamp"]) - 1
            assert seen[which] == pytest.approx([row["glare_x"], row["glare_y"]], rel=1e-4, abs=1e-4)
            assert lit[which]
            assert shown[which] == shown.any() == (row["glare_star"] > 0) == (row["glare_disc"] > 0)
        cases.add("shown" if shown.any() else "beside")
    assert cases == {"shown", "beside"}


def test_glare_is_as_large_as_people_and_not_as_the_frame() -> None:
    row = {"glare": 0.5, "glare_pair": 0.3, "glare_star": 1.0, "glare_angle": 30.0, "glare_width": 0.02}
    row |= {"glare_disc": 0.05, "glare_x": 0.25, "glare_y": 0.5, "lamp1_kelvin": 2000.0, "lamp2_kelvin": 7000.0}
    whole: dict[str, NDArray[Any]] = {"glare_blades": np.array([3], np.int8), "glare_unit": np.array([20], np.int32)}
    plan = whole | {name: np.array([value], np.float32) for name, value in row.items()}

    def glow(width: int, **changed: float) -> NDArray[np.float32]:
        block = Block([], np.zeros((1, 3, 50, width), np.float32))
        kinds = {name: plan[name].dtype if name in plan else np.int8 for name in changed}
        values = {name: np.array([value], kinds[name]) for name, value in changed.items()}
        _Glare(glare).apply(block, plan | values)
        assert block.light is not None
        return np.asarray(block.light[0], np.float32)

    # 20 pixels from the left edge of a frame, however wide the frame is.
    assert glow(160, glare_x=20 / 160)[:, :, :80] == pytest.approx(glow(80), rel=1e-4)
    assert np.abs(glow(160, glare_x=20 / 160)[:, :, :80] - glow(80, glare_unit=40)).max() > 0.1
    # A picture of one person is what the glare stage itself makes.
    alone = Block([], np.zeros((1, 3, 50, 20), np.float32))
    glare.apply(alone, plan)
    assert alone.light is not None
    assert np.array_equal(glow(20), alone.light[0])
    # Of the second lamp it is bluer.
    red, blue = (glow(80, glare_lamp=lamp)[[0, 2]].mean(axis=(1, 2)) for lamp in (1, 2))
    assert red[0] / red[1] > 2 * blue[0] / blue[1]


def test_every_column_of_a_plan_has_a_meaning(walkers: Manifest) -> None:
    found, own = clip.find(walkers, walkers.roots["walk"] / "seen"), set()
    for path in sorted((Path(config.__file__).parents[1] / "nights").glob("*.toml")):
        night = config.load(path.stem)
        if getattr(night.settings.get("exposure"), "steps", (0.0,)) == (0.0,):
            columns = set(clip.plan(night, 0, walkers, found))
            assert columns <= set(meanings(night)) | set(clip.COLUMNS), path.stem
            own |= columns
    assert own >= set(clip.COLUMNS)


def test_a_video_is_as_good_as_its_frames(tmp_path: Path, night: Night) -> None:
    parents = street(tmp_path)
    pictures = [images.decode(file.read_bytes()) for file in sorted((tmp_path / "frames/c1").iterdir())]
    video.write(tmp_path / "videos/c1.mp4", enumerate(pictures), FPS, 10)
    (one,) = clip.find(parents, tmp_path / "videos")
    assert (one.width, one.height, one.fps) == (WIDTH, HEIGHT, FPS)
    (crops,) = made(parents, tmp_path / "videos", night, tmp_path / "out")
    (others,) = made(parents, tmp_path / "frames", night, tmp_path / "other")
    for crop, other in zip(crops, others, strict=True):
        assert crop.picture.shape == other.picture.shape
        assert images.lightness(crop.picture) == pytest.approx(images.lightness(other.picture), rel=0.1, abs=1)


@pytest.mark.parametrize("name", ["gamma", "tint", "gamma-noise", "maet-like"])
def test_weak_nights_work_on_frames(tmp_path: Path, name: str) -> None:
    parents = street(tmp_path, 3, 1)
    (crops,) = made(parents, tmp_path / "frames", config.load(name), tmp_path / "out")
    day = images.decode((tmp_path / "frames/c1/000000.png").read_bytes())
    assert len(crops) == 3
    assert 0 < images.lightness(crops[0].picture) < images.lightness(day)


def test_fixed_noise_stays_in_its_place(tmp_path: Path) -> None:
    parents = street(tmp_path, 4, 1)
    for file in (tmp_path / "frames/c1").iterdir():
        images.save(file, np.full((HEIGHT, WIDTH, 3), 150, np.uint8))
    found = clip.find(parents, tmp_path / "frames")
    sets = ["exposure.shares=[0.0,0.0,1.0]", "noise.row=[0.0,0.0]", "smear.odds=[1.0,0.0,0.0]", "glare.share=0.0"]
    night = config.load("night600", sets)

    def alike(pattern: float) -> float:
        """Correlate what is fine in the first frame with what is fine in the last."""
        plan = clip.plan(night, 0, parents, found)
        plan["pattern"][:], plan["crf"][:], plan["denoise"][:] = pattern, 5, 0
        list(clip.write(found[0], chain.rows(plan, list(found[0].rows)), night, tmp_path / "out"))
        frames = [frame.astype(float) for frame in video.read(tmp_path / "out/frames/c1.mp4")]
        fine = [frame - cv2.GaussianBlur(frame, (0, 0), 3) for frame in (frames[0], frames[-1])]
        return float(np.corrcoef(fine[0].ravel(), fine[1].ravel())[0, 1])

    assert abs(alike(0.0)) < 0.1
    assert alike(4.0) > 0.3


def test_a_street_becomes_a_night_set(tmp_path: Path) -> None:
    day = walk.film(tmp_path / "day", frames=10, people=4)
    night = config.load("street-lamps")
    order = Order(night, day, frames=tmp_path / "day/seen")
    generate.write(order, tmp_path / "night", executors.serial)
    generate.write(order, tmp_path / "again", executors.executor("processes", 2))
    for path in ("frames/c1.mp4", "manifest.parquet", "plan.parquet"):
        assert (tmp_path / "night" / path).read_bytes() == (tmp_path / "again" / path).read_bytes(), path
    made = manifest.read(tmp_path / "night/manifest.parquet")
    _told_by_frame(tmp_path / "night", day, made)
    _replays(tmp_path / "night", day, tmp_path / "day/seen")
    assert len(made) == len(day)
    parents = dict(zip(day.table["image_id"].to_pylist(), day.table.to_pylist(), strict=True))
    for row in made.table.to_pylist():
        parent = parents[row["parent"]]
        assert all(row[name] == parent[name] for name in ("x", "y", "w", "h", "frame", "sequence", "pid", "camid"))
        assert row["time"] == "night"
        assert row["lightness"] < parent["lightness"]
    # The renderer's camera looks down a little, which a level one does not; it is found nevertheless, about.
    view = places.place(walk.WORLD, 0, 1).view
    boxes = np.stack([day.column(name).astype(np.float64) for name in "xywh"], axis=1)
    found = geometry.fit(boxes, 320, 180, Config(focal=view.focal / 1920))
    assert found != geometry.usual(320, 180, Config(focal=view.focal / 1920))
    assert found.height == pytest.approx(float(view.eye[1]), rel=0.4)


def _told_by_frame(folder: Path, day: Manifest, made: Manifest) -> None:
    """Hold to the target what the exposure goes by: the mean of the people in a frame."""
    target = tables.read(folder)["target"].to_numpy()
    frame, lightness = made.column("frame"), made.column("lightness").astype(np.float64)
    means = np.array([lightness[frame == one].mean() for one in frame])
    counts = durable.read_json(folder / "night.json")["counts"]
    assert counts["lightness_error"] == pytest.approx(np.abs(means - target).mean(), abs=1e-3)
    assert counts["lightness_error"] < np.abs(lightness - target).mean()
    before = dict(zip(day.table["image_id"].to_pylist(), day.column("lightness").astype(np.float64), strict=True))
    left = np.log2(lightness / [before[name] for name in made.table["parent"].to_pylist()])
    assert np.corrcoef(tables.read(folder)["ev"].to_numpy(), left)[0, 1] > 0.7  # who has less light left is darker


def _replays(folder: Path, day: Manifest, frames: Path) -> None:
    """Make some pictures again, from the plan as it is stored and the frames of the day."""
    table = tables.read(folder)
    rows = [len(table) - 1, 0, 7, 7]
    again = generate.replay(folder, day, rows, frames)
    assert again == [(folder / table["path"][row].as_py()).read_bytes() for row in rows]
    with pytest.raises(UserError, match="was made of whole frames; say in which folder they are"):
        generate.replay(folder, day, rows)
    fewer = day.select(np.arange(len(day) - 1))
    with pytest.raises(UserError, match=r"^clip c1: \d+ boxes in the day, \d+ in the plan; give the manifest"):
        generate.replay(folder, fewer, [0], frames)
    paths = [f"another/{row}.jpg" for row in range(len(day))]
    renamed = day.with_columns(path=pa.array(paths), image_id=pa.array([f"walk/{path}" for path in paths]))
    with pytest.raises(UserError, match=r"^the day of row 3 is not in the manifest"):
        generate.replay(folder, renamed, [3], frames)


def test_sizes_of_single_pictures_are_refused() -> None:
    night = config.load("night600", ["scale.size={small=0.4,medium=0.4,big=0.2}"])
    with pytest.raises(UserError, match=r"^night night600 with --frames: scale.size reduces single pictures"):
        clip.reduced(night)


# What is wrong is one line.


def test_what_a_row_lacks_is_named(tmp_path: Path) -> None:
    parents = street(tmp_path)
    frames = tmp_path / "frames"
    for name in ("frame", "x", "h"):
        values = [None, *parents.table[name].to_pylist()[1:]]
        with pytest.raises(UserError, match=rf"1 of 10 rows have no {name}, such as s1/day"):
            clip.find(parents.with_columns(**{name: values}), frames)
    with pytest.raises(UserError, match="neither a sequence nor a camera"):
        clip.find(parents.with_columns(camid=[0] * 10), frames)
    with pytest.raises(UserError, match=r"nothere: is no folder"):
        clip.find(parents, tmp_path / "nothere")
    with pytest.raises(UserError, match=r"no such folder of frames, and no video c1\.mp4"):
        clip.find(parents, tmp_path)
    for name in ("../c1", "/c1", "a\\b", ""):
        with pytest.raises(UserError, match="--frames"):
            clip.find(parents.with_columns(sequence=[name] * 10, camid=[0] * 10), frames)
    with pytest.raises(UserError, match="of two cameras"):
        clip.find(parents.with_columns(sequence=["c1"] * 10, camid=[1, 2] * 5), frames)
    with pytest.raises(UserError, match=r"no frame 77, of which s1/day/.* is; it has 5 frames, 0 to 4"):
        clip.find(parents.with_columns(frame=[77, *parents.table["frame"].to_pylist()[1:]]), frames)
    with pytest.raises(UserError, match=r"box 500, .* is off its frame of 192 x 108"):
        clip.find(parents.with_columns(x=[500, *parents.table["x"].to_pylist()[1:]]), frames)
    (tmp_path / "frames/c9").mkdir()
    with pytest.raises(UserError, match=r"c9: holds no frames"):
        clip.find(parents.with_columns(sequence=["c9"] * 10), frames)
    images.save(frames / "c1/000000.jpg", images.decode((frames / "c1/000001.png").read_bytes()))
    with pytest.raises(UserError, match=r"000000\.png: is frame 0, as 000000\.jpg is"):
        clip.find(parents, frames)


def test_several_nights_of_a_frame_are_refused(tmp_path: Path) -> None:
    parents = street(tmp_path)
    found = clip.find(parents, tmp_path / "frames")
    for sets in (["draws=2"], ["exposure.steps=[0.0,-1.0]"]):
        with pytest.raises(UserError, match="of frames one night is made"):
            clip.plan(config.load("night600", sets), 0, parents, found)


def test_a_broken_frame_breaks_the_clip_and_leaves_no_video(tmp_path: Path, night: Night) -> None:
    parents = street(tmp_path)
    file = tmp_path / "frames/c1/000003.png"
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(PictureError, match=r"000003\.png: "):
        made(parents, tmp_path / "frames", night, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.mp4"))
    images.save(file, np.zeros((50, 50, 3), np.uint8))
    with pytest.raises(PictureError, match=r"000003\.png: 50 x 50 pixels, the first frame has 192 x 108"):
        made(parents, tmp_path / "frames", night, tmp_path / "out")


def test_what_the_page_says_makes_a_night_of_a_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(config.__file__).parents[2] / "docs/synthesis.md").read_text().split("## Frames and video")[1]
    monkeypatch.chdir(tmp_path)
    parents = street(tmp_path / "made", frames=4)
    pictures = [images.decode(file.read_bytes()) for file in sorted(Path("made/frames/c1").iterdir())]
    video.write(Path("videos/gate.mp4"), enumerate(pictures), FPS, 20)
    boxes = parents.frame()[["camid", "frame", "pid", "x", "y", "w", "h"]].assign(sequence="gate")
    boxes.to_csv("boxes.csv", index=False)
    exec(re.findall(r"```py\n(.*?)```", page, re.DOTALL)[0], {})
    for line in re.findall(r"```console\n(.*?)```", page, re.DOTALL)[0].splitlines():
        command = [sys.executable, "-m", *line.split()]
        told = os.environ | {"PYTHONPATH": str(Path(config.__file__).parents[2])}
        done = subprocess.run(command, env=told, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    made = manifest.read(Path("street-at-night/manifest.parquet"))
    assert len(made) == len(parents) == 8
    assert made.table["sequence"].to_pylist() == ["gate"] * 8
    assert len(list(video.read(Path("street-at-night/frames/gate.mp4")))) == 4
    assert set(re.findall(r"`(\w+)`", page.split("What comes out")[1].split("What is different")[0])) - {"x", "y"} <= {
        *made.table.column_names,
        *tables.read(Path("street-at-night")).column_names,
    }
