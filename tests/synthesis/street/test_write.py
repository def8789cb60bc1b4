"""A world on disk: its files are what its tables say, whatever stopped it, and however many worked on it."""

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from PIL import Image

from benchmark import checking, durable, executors, images, manifest
from benchmark.columns import MEASURED
from benchmark.errors import UserError
from synthesis import claims
from synthesis.street import render, write
from synthesis.street.config import Cameras, World
from synthesis.street.order import Order
from synthesis.street.shots import Walk

WORLD = World(
    identities=2, views=(0, 1), frames=(2, 2), height=32, cameras=Cameras(count=2), space="tiny", occluded=0.6,
)  # fmt: skip
ORDER = Order(WORLD, 3, "tiny", truth=True)
RENDERED = ("occluded", "visible_", "day_exposure_", "night_exposure_")

Files = dict[str, bytes]


def files(folder: Path) -> Files:
    """Read everything in a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def made(order: Order, folder: Path) -> Files:
    """Write a world in this process, and give its files."""
    write.write(order, folder, executors.serial)
    return files(folder)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny world with all maps."""
    folder = tmp_path_factory.mktemp("tiny") / "world"
    made(ORDER, folder)
    return folder


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "SHARD_SHOTS", 2)


def truth(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder / "truth.parquet").to_pylist()
    return rows


# What is written.


def test_the_folder_holds_what_the_tables_name_and_nothing_else(home: Path) -> None:
    day, night = (manifest.read(home / f"{time}.parquet") for time in ("day", "night"))
    named = {*day.column("path"), *night.column("path"), *day.column("mask")}
    named |= {str(path).replace("mask", "truth").replace("png", "npz") for path in day.column("mask")}
    assert set(files(home)) == named | {"day.parquet", "night.parquet", "truth.parquet", "world.json"}
    assert len(day) == len(night) == len(truth(home)) == 8
    assert checking.check(day, None, executors.serial) == checking.check(night, None, executors.serial) == []


@pytest.mark.parametrize("time", ["day", "night"])
def test_every_row_is_its_file(home: Path, time: str) -> None:
    for row in manifest.read(home / f"{time}.parquet").table.to_pylist():
        data = (home / row["path"]).read_bytes()
        light = images.photometry_plain(images.decode(data))
        assert row["sha256"] == durable.sha256(data)
        assert (row["width"], row["height"]) == (light.width, light.height) == (16, 32)
        for name in ("lightness", "luma", "stops", "dark", "saturated"):
            assert row[name] == pytest.approx(getattr(light, name), rel=1e-6), name


def test_masks_are_8_bit_and_their_boxes_are_the_truths(home: Path) -> None:
    known = {row["scene"]: row for row in truth(home)}
    for row in manifest.read(home / "day.parquet").table.to_pylist():
        with Image.open(home / row["mask"]) as mask:
            assert (mask.mode, mask.size) == ("L", (row["width"], row["height"]))
            values = np.asarray(mask)
        assert set(np.unique(values)) <= {0, 255}
        said = known[row["scene"]]
        y, x = np.nonzero(values)
        if not len(x):
            assert said["visible_x"] is None
            continue
        step = said["w"] / said["width"]
        assert said["visible_x"] == pytest.approx(said["x"] + step * x.min())
        assert said["visible_y"] == pytest.approx(said["y"] + step * y.min())
        assert said["visible_w"] == pytest.approx(step * (x.max() - x.min() + 1))
        assert said["visible_h"] == pytest.approx(step * (y.max() - y.min() + 1))


def test_the_maps_make_the_night_again_and_agree_with_mask_and_truth(home: Path) -> None:
    rows = truth(home)
    assert any(row["occluder"] != "none" for row in rows)
    for row in rows:
        stem = f"{row['pid']:04d}/c{row['camid']}_{row['frame']:03d}"
        with np.load(io.BytesIO((home / "truth" / f"{stem}.npz").read_bytes())) as archive:
            maps = dict(archive)
        again = maps["albedo"].astype(np.float64) * maps["irradiance"] + maps["emission"]
        np.testing.assert_allclose(maps["night"], again, rtol=2e-3, atol=1e-7)  # half a float's last digit
        with Image.open(home / "mask" / f"{stem}.png") as mask:
            assert np.array_equal(maps["mask"], np.asarray(mask) > 0)
        assert np.array_equal(maps["part"] >= 0, maps["mask"])
        assert not (maps["mask"] & ~maps["amodal"]).any()
        if row["occluder"] == "none":
            assert np.array_equal(maps["mask"], maps["amodal"])
        lights = [light["position"] + light["intensity"] for light in row["night_lights"]]
        assert maps["night_lights"].tolist() == lights
        assert maps["night_visible"].shape == (32, 16, len(lights))
        assert maps["day_visible"].shape == (32, 16, len(maps["day_lights"]))
        assert (maps["depth"].dtype, maps["night"].dtype) == (np.float32, np.float32)


def test_the_whole_bodys_box_holds_what_is_seen_of_it_and_touches_it_where_nothing_hides_it(tmp_path: Path) -> None:
    """Native pixels: the seen box is the mask's, whole pixels of the frame; the whole one comes from the cones."""
    world = World(identities=3, views=(1,), frames=(1, 1), cameras=Cameras(count=3), space="whole", occluded=0)
    made(Order(world, 1, "whole"), tmp_path / "w")
    for row in truth(tmp_path / "w"):
        whole = [row["full_x"], row["full_y"], row["full_x"] + row["full_w"], row["full_y"] + row["full_h"]]
        seen = [row["visible_x"], row["visible_y"]]
        seen += [row["visible_x"] + row["visible_w"], row["visible_y"] + row["visible_h"]]
        assert row["occluded"] == 0
        assert np.abs(np.subtract(whole, seen)).max() < 1.6
        assert row["x"] <= whole[0] < whole[2] <= row["x"] + row["w"]
        assert row["y"] <= whole[1] < whole[3] <= row["y"] + row["h"]


def test_a_finished_world_that_lost_files_is_made_whole(tmp_path: Path) -> None:
    before = made(ORDER, tmp_path / "w")
    lost = sorted(path for path in before if path.startswith(("night/", "mask/")))
    for path in lost[::3]:
        (tmp_path / "w" / path).unlink()
    assert made(ORDER, tmp_path / "w") == before
    (tmp_path / "w" / "truth.parquet").unlink()
    assert made(ORDER, tmp_path / "w") == before


def test_tables_alone_say_the_same_but_for_what_is_measured(home: Path, tmp_path: Path) -> None:
    alone = made(Order(WORLD, 3, "tiny", pictures=False), tmp_path / "tables")
    assert set(alone) == {"day.parquet", "night.parquet", "truth.parquet", "world.json"}
    for time in ("day", "night"):
        whole, plain = (manifest.read(folder / f"{time}.parquet").table for folder in (home, tmp_path / "tables"))
        assert plain.drop_columns(list(MEASURED)).equals(whole.drop_columns(list(MEASURED)))
        assert all(plain[name].null_count == len(plain) for name in MEASURED)
    whole, plain = (pq.read_table(folder / "truth.parquet") for folder in (home, tmp_path / "tables"))
    told = [name for name in whole.column_names if name.startswith(RENDERED)]
    assert plain.drop_columns(told).equals(whole.drop_columns(told))
    assert all(plain[name].null_count == len(plain) for name in told)


def test_a_world_by_day_has_no_night(tmp_path: Path) -> None:
    left = made(Order(WORLD.model_copy(update={"times": ("day",), "identities": 1}), 3), tmp_path / "world")
    assert {name.split("/")[0] for name in left} == {"day", "mask", "day.parquet", "truth.parquet", "world.json"}


def test_the_record_counts_what_the_manifests_hold(home: Path) -> None:
    record = durable.read_json(home / "world.json")
    assert record["counts"] == {"identities": 2, "cameras": 2, "tracks": 4, "crops": 8}
    table = manifest.read(home / "night.parquet").table
    low = int(pc.sum(pc.less(table["lightness"], 25.5)).as_py())
    high = int(pc.sum(pc.greater_equal(table["lightness"], 51)).as_py())
    assert record["light"]["night"] == {"Low": low, "Medium": 8 - low - high, "High": high}
    big = int(pc.sum(pc.greater_equal(table["h"], 200)).as_py())
    small = int(pc.sum(pc.less(table["h"], 100)).as_py())
    assert record["sizes"] == {"Small": small, "Medium": 8 - small - big, "Big": big}
    assert World.model_validate_json(durable.canonical(record["config"])) == WORLD


# A look at a part.


@pytest.mark.parametrize(("limit", "kept"), [
    (1, [0, 0, 1, 0]), (2, [0, 1, 0, 1]), (4, [1, 1, 1, 1]), (5, [1, 1, 2, 1]), (7, [1, 2, 2, 2]), (9, [1, 3, 3, 2]),
    (99, [1, 3, 5, 2]),
])  # fmt: skip
def test_a_look_takes_every_walk_before_any_twice(limit: int, kept: list[int]) -> None:
    walks = [Walk(place, 1, frames) for place, frames in enumerate((1, 3, 5, 2), 1)]
    cut = {walk.pid: walk.frames for walk in write.first(walks, limit)}
    assert [cut.get(place, 0) for place in (1, 2, 3, 4)] == kept


def test_a_look_at_a_part_shows_pictures_of_the_whole(home: Path, tmp_path: Path) -> None:
    part = made(Order(WORLD, 3, "tiny", truth=True, limit=3), tmp_path / "part")
    whole = files(home)
    for name in part:
        assert name.endswith((".parquet", ".json")) or part[name] == whole[name]
    for time in ("day", "night"):
        few, all_ = (manifest.read(folder / f"{time}.parquet").table for folder in (tmp_path / "part", home))
        assert len(few) == 3
        assert few.equals(all_.filter(pc.is_in(all_["image_id"], few["image_id"].combine_chunks())).combine_chunks())


# What stops it, and who works on it.


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("stop", [1, 3, 8])
def test_an_interrupted_world_goes_on_and_ends_with_the_same_bytes(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    taken = counted(monkeypatch, stop)
    with pytest.raises(KeyboardInterrupt):
        made(ORDER, tmp_path / "world")
    assert not (tmp_path / "world" / "day.parquet").exists()
    (tmp_path / "world" / "day").mkdir(exist_ok=True)
    (tmp_path / "world" / "day" / ".c9_000.jpg.0123456789ab.part").write_bytes(b"half")
    assert made(ORDER, tmp_path / "world") == files(home)
    assert len(taken) == stop + 8 - 2 * ((stop - 1) // 2)  # whole shards are not done again
    _, fresh = write.write(ORDER, tmp_path / "world", executors.serial)
    assert not fresh
    assert len(taken) == stop + 8 - 2 * ((stop - 1) // 2)


def counted(monkeypatch: pytest.MonkeyPatch, stop: int) -> list[str]:
    """List the shots that are taken, and break off at one of them, once."""
    taken: list[str] = []
    take = render.take

    def counting(world: World, seed: int, shot: Any) -> render.Taken:  # noqa: ANN401
        taken.append(shot.scene)
        if len(taken) == stop:
            raise KeyboardInterrupt
        return take(world, seed, shot)

    monkeypatch.setattr(render, "take", counting)
    return taken


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:50])])
def test_a_file_that_went_missing_or_was_cut_off_is_made_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Path], object]
) -> None:
    counted(monkeypatch, 6)
    with pytest.raises(KeyboardInterrupt):
        made(ORDER, tmp_path / "world")
    harm(min((tmp_path / "world" / "night").rglob("*.jpg")))
    assert made(ORDER, tmp_path / "world") == files(home)


def test_a_world_begun_in_other_shards_goes_on(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted(monkeypatch, 7)
    monkeypatch.setattr(write, "SHARD_SHOTS", 2)
    with pytest.raises(KeyboardInterrupt):
        made(ORDER, tmp_path / "world")
    monkeypatch.undo()
    assert made(ORDER, tmp_path / "world") == files(home)


@pytest.mark.usefixtures("small_shards")
def test_two_processes_write_the_bytes_of_one(home: Path, tmp_path: Path) -> None:
    write.write(ORDER, tmp_path / "world", executors.executor("processes", 2))
    assert files(tmp_path / "world") == files(home)


def test_a_kill_after_the_record_leaves_a_finished_world(home: Path, tmp_path: Path) -> None:
    made(ORDER, tmp_path / "world")
    ledger = durable.Ledger(tmp_path / "world" / ".shards", "plan")
    ledger.commit("0000000", files={}, rows=[])
    assert not write.write(ORDER, tmp_path / "world", executors.serial)[1]
    assert files(tmp_path / "world") == files(home)


def test_a_full_disk_is_one_line_and_the_next_run_goes_on(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, sync = [2, 1], os.fsync  # the folder's mark and its name; no room for the first shard's record

    def full(handle: int) -> None:
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left.pop()
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match="cannot write: No space left on device"):
            made(ORDER, tmp_path / "world")
    assert (tmp_path / "world" / "day").is_dir()
    assert made(ORDER, tmp_path / "world") == files(home)


def test_a_second_process_waits_its_turn(tmp_path: Path) -> None:
    with (
        durable.locked(tmp_path / "world" / ".shards" / "lock"),
        pytest.raises(UserError, match="another process is writing here"),
    ):
        made(ORDER, tmp_path / "world")


def test_who_comes_second_finds_the_world_finished(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(ORDER, tmp_path / "other")
    first = iter([False])  # what was seen before the other process ended
    claim = claims.claim
    monkeypatch.setattr(claims, "claim", lambda kind, out, plan: next(first, None) is None and claim(kind, out, plan))
    taken = counted(monkeypatch, 99)
    assert not write.write(ORDER, tmp_path / "other", executors.serial)[1]
    assert not taken
    assert files(tmp_path / "other") == files(home)


# Folders of something else.


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (Order(WORLD, 4, "tiny", truth=True), "street-tiny-s3-.*: seed is 3 there, 4 here"),
        (Order(WORLD, 3, "tiny"), "truth is on there, off here"),
        (Order(WORLD, 3, "tiny", truth=True, limit=2), "limit is not given there, 2 here"),
        (Order(WORLD, 3, "tiny", pictures=False), "pictures is on there, off here"),
        (Order(WORLD.model_copy(update={"frames": (2, 3)}), 3, "tiny", truth=True), r"config.frames is \[2,2\] there"),
        (
            Order(WORLD.model_copy(update={"cameras": Cameras(count=3)}), 3, "tiny", truth=True),
            "config.cameras.count is 2 there, 3 here",
        ),
    ],
    ids=["seed", "truth", "limit", "tables", "frames", "cameras"],
)
@pytest.mark.parametrize("begun", [False, True], ids=["whole", "part"])
def test_another_world_is_refused_by_what_differs(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: Order, said: str, begun: bool
) -> None:
    folder = home
    if begun:
        folder = tmp_path / "begun"
        counted(monkeypatch, 2)
        with pytest.raises(KeyboardInterrupt):
            made(ORDER, folder)
    before = files(folder)
    with pytest.raises(UserError, match=said) as refused:
        made(other, folder)
    assert str(refused.value).startswith(
        f"{folder}: holds {'a part of ' if begun else ''}another world, street-tiny-s3"
    )
    assert str(refused.value).endswith("; name another folder with --out")
    assert files(folder) == before


@pytest.fixture(params=["picture", "world.json", "hidden"])
def taken_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Lay out a folder of somebody else's."""
    folder = tmp_path / "mine"
    name = {"picture": "me.jpg", "world.json": "world.json", "hidden": ".git"}[request.param]
    folder.mkdir()
    (folder / name).write_text('{"schema": "another"}')
    return folder


def test_a_folder_of_something_else_is_refused_and_left_alone(taken_folder: Path) -> None:
    before = files(taken_folder)
    with pytest.raises(UserError, match=r"holds something else(, such as \S+)?; name another folder with --out$"):
        made(ORDER, taken_folder)
    assert files(taken_folder) == before
    assert len(list(taken_folder.iterdir())) == 1


def test_a_file_in_the_folders_place_or_above_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"file: is a file; name a folder with --out$"):
        made(ORDER, tmp_path / "file")
    with pytest.raises(UserError, match=r"world: cannot write: Not a directory$"):
        made(ORDER, tmp_path / "file" / "world")
    assert files(tmp_path) == {"file": b"mine"}


def test_a_folder_without_the_right_to_write_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)  # root may write everywhere
    with pytest.raises(UserError, match=r"world: cannot write: Permission denied$"):
        made(ORDER, tmp_path / "world")
    assert list(tmp_path.iterdir()) == []
