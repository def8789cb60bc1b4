"""Near-copies: all that are put in are found, and different pictures of one street are not."""

import csv
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from benchmark import duplicates, durable, executors, images, manifest, measure, thumbs
from benchmark.duplicates import BYTES, COPY, IDENTITY, MIRRORED, SCENE, Options, Pair, Report
from benchmark.errors import UserError
from benchmark.images import Picture
from benchmark.manifest import Manifest
from synthesis.street import config, write
from synthesis.street.order import Order

Mistake = Callable[..., AbstractContextManager[None]]
Texture = Callable[[int, int, int], Picture]
Shard = TypeVar("Shard")
Result = TypeVar("Result")

INJECTED: dict[str, Callable[[Picture], Picture]] = {
    "encoded again": lambda picture: images.decode(images.encode(picture, 60)),
    "darker": lambda picture: (255 * (picture / 255) ** 1.6 + 0.5).astype(np.uint8),
    "cut by 2 pixels": lambda picture: picture[2:-2, 2:-2],
    "cut at two sides": lambda picture: picture[2:, :-2],
    "mirrored": lambda picture: picture[:, ::-1],
    "all at once": lambda picture: (255 * (picture[2:, 2:, :] / 255) ** 1.4 + 0.5).astype(np.uint8),
}


def search(made: Manifest, tmp_path: Path, **options: float) -> Report:
    return duplicates.find(made, tmp_path / "scratch", Options(**options), executors.serial)


def kinds(report: Report) -> dict[str, int]:
    return duplicates.by_kind(report.pairs)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small street: six people, one walk past each of two cameras, two pictures each, by day and by night."""
    out = tmp_path_factory.mktemp("world")
    sets = [
        "identities=6",
        "cameras.count=2",
        "views=[0, 1]",
        "frames=[2, 2]",
        "mean_frames=2",
        "height=128",
        "interval=0.5",
    ]
    write.write(Order(config.load("demo", sets), 0), out, executors.serial)
    return out


def whole(world: Path, time: str) -> Manifest:
    """Every picture its own identity and none with a scene, so that no pair is excused."""
    made = manifest.read(world / f"{time}.parquet")
    split = ["train" if row % 2 else "test" for row in range(len(made))]
    return made.with_columns(pid=np.arange(1, len(made) + 1), split=split, scene=[None] * len(made))


@pytest.mark.parametrize("time", ["day", "night"])
def test_different_pictures_of_one_street_are_no_copies(world: Path, tmp_path: Path, time: str) -> None:
    made = whole(world, time)
    first = made.frame()["frame"] == 0
    report = search(made.select(first.to_numpy(bool)), tmp_path)
    assert report.pairs == []
    assert report.pictures - report.unjudged > 6


def test_the_pictures_of_one_walk_and_the_day_and_night_of_one_shot_are_excused(world: Path, tmp_path: Path) -> None:
    made = manifest.concat([manifest.read(world / f"{time}.parquet") for time in ("day", "night")])
    side = np.where(made.column("pid").astype(int) % 2 == 1, "train", "test")
    assert search(made.with_columns(split=side), tmp_path).pairs == []


def test_by_their_pixels_few_nights_are_copies_of_their_days(world: Path, tmp_path: Path) -> None:
    made = manifest.concat([whole(world, time) for time in ("day", "night")])
    made = made.with_columns(
        split=np.where(made.column("time") == "day", "train", "test"), id_space=made.column("source")
    )
    found = search(made.select((made.frame()["frame"] == 0).to_numpy(bool)), tmp_path).pairs
    assert all(pair.one.split("/")[2:] == pair.other.split("/")[2:] for pair in found)  # never of two shots
    assert len(found) <= len(made) / 4 / 4


@pytest.mark.parametrize("time", ["day", "night"])
@pytest.mark.parametrize("name", INJECTED)
def test_copies_that_are_put_in_are_found(world: Path, tmp_path: Path, time: str, name: str) -> None:
    made = whole(world, time)
    made = made.select((made.frame()["frame"] == 0).to_numpy(bool))
    for row, path in enumerate(made.table["path"].to_pylist()):
        original = images.load(*made.file(row))
        images.save(tmp_path / "set" / path, original, sync=False)
        images.save(tmp_path / "set" / "copy" / path, np.ascontiguousarray(INJECTED[name](original)), 90, sync=False)
    paths = made.table["path"].to_pylist()
    both = manifest.build(
        {
            "path": [*paths, *(f"copy/{path}" for path in paths)],
            "pid": [*range(1, 2 * len(paths) + 1)],
            "camid": [1] * 2 * len(paths),
            "split": ["train"] * len(paths) + ["test"] * len(paths),
        },
        "set",
        tmp_path / "set",
    )
    report = search(both, tmp_path)
    # Darkening takes gradient away: the copy of what is just bright enough may be too dark to judge.
    judged = [path for path in paths if min(gradient(tmp_path / "set" / part / path) for part in ("", "copy")) >= 2]
    assert report.unjudged < len(both)
    assert len(judged) >= 3
    expected = {(f"set/copy/{path}", f"set/{path}") for path in judged}
    assert expected <= {(pair.one, pair.other) for pair in report.pairs}
    known = {(f"set/copy/{path}", f"set/{path}") for path in paths}
    assert {(pair.one, pair.other) for pair in report.pairs} <= known
    assert set(kinds(report)) == {MIRRORED if name == "mirrored" else COPY}


def gradient(file: Path) -> float:
    return thumbs.make(images.load(file.parent, file.name)).gradient


@pytest.fixture
def copies(tmp_path: Path, texture: Texture) -> Manifest:
    """Four textures, each stored twice: by bytes, encoded again, mirrored, and dark beyond judging."""
    root = tmp_path / "copies"
    one, two, three = (images.encode(texture(seed, 96, 48)) for seed in (1, 2, 3))
    dark = images.encode((texture(4, 96, 48) // 64).astype(np.uint8))
    again = images.encode(images.decode(two), 70)
    turned = images.encode(np.ascontiguousarray(images.decode(three)[:, ::-1]))
    for number, data in enumerate((one, one, two, again, three, turned, dark, dark)):
        durable.write_bytes(root / f"{number}.jpg", data)
    rows = {"path": [f"{number}.jpg" for number in range(8)], "pid": range(1, 9), "camid": [1] * 8}
    made = manifest.build({name: list(values) for name, values in rows.items()}, "set", root)
    return measure.measure(made, tmp_path / "measured", executors.serial)


def test_every_kind_is_found_and_the_dark_ones_by_their_bytes_only(copies: Manifest, tmp_path: Path) -> None:
    report = search(copies, tmp_path)
    found = {(pair.kind, pair.one, pair.other) for pair in report.pairs}
    pairs = zip((BYTES, COPY, MIRRORED, BYTES), (0, 2, 4, 6), strict=True)
    assert found == {(kind, f"set/{number}.jpg", f"set/{number + 1}.jpg") for kind, number in pairs}
    assert (report.pictures, report.unjudged) == (8, 2)
    scores = [pair.score for pair in report.pairs]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > 0.9


def test_copies_of_one_identity_are_a_fault_across_train_and_test_only(copies: Manifest, tmp_path: Path) -> None:
    one = copies.with_columns(pid=[1, 1, 2, 2, 3, 3, 4, 4])
    assert search(one, tmp_path).pairs == []
    parted = one.with_columns(split=["train", "test"] * 4)
    # The same two pictures are said to be the worst that they are: one identity on two sides.
    assert kinds(search(parted, tmp_path)) == {IDENTITY: 4}
    strangers = copies.with_columns(pid=[0] * 8)
    assert search(strangers, tmp_path).pairs == []
    assert kinds(search(strangers.with_columns(split=["train", "test"] * 4), tmp_path)) == {
        BYTES: 2,
        COPY: 1,
        MIRRORED: 1,
    }
    assert search(strangers.with_columns(split=["train", "none"] * 4), tmp_path).pairs == []


def test_junk_is_not_compared(copies: Manifest, tmp_path: Path) -> None:
    report = search(copies.with_columns(pid=[1, -1, 2, -1, 3, -1, 4, -1]), tmp_path)
    assert (report.pictures, report.pairs) == (4, [])


def test_a_scene_or_a_parent_on_two_sides_is_a_fault_whatever_is_seen(copies: Manifest, tmp_path: Path) -> None:
    people = copies.with_columns(pid=[1, 2, 3, 4, 5, 6, 7, 8], split=["train", "test"] * 4)
    apart = people.select([0, 3, 4, 7])  # one of each texture
    assert search(apart, tmp_path).pairs == []
    shown_twice = people.with_columns(split=["none"] * 8, scene=["a", "a", "b", "b", "c", "c", None, None])
    assert kinds(search(shown_twice, tmp_path)) == {BYTES: 1}  # the dark ones; the others are one scene each
    scenes = apart.with_columns(scene=["a", "a", "b", None])
    assert search(scenes, tmp_path).pairs == [Pair(SCENE, 1.0, "set/0.jpg", "set/3.jpg")]
    parents = apart.with_columns(parent=[None, None, "set/7.jpg", None])
    assert search(parents, tmp_path).pairs == [Pair(SCENE, 1.0, "set/4.jpg", "set/7.jpg")]


class Stopping:
    """An executor that ends after some shards, and counts those it was given."""

    def __init__(self, after: int) -> None:
        self.left, self.given = after, 0

    def __call__(self, function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[tuple[int, Result]]:
        """Work on the shards until the power is cut."""
        for position, shard in enumerate(shards):
            if not self.left:
                raise KeyboardInterrupt
            self.left, self.given = self.left - 1, self.given + 1
            yield position, function(shard)


@pytest.mark.parametrize("after", range(1, 8))
def test_a_killed_search_goes_on_and_finds_the_same(
    copies: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(duplicates, "THUMB_ROWS", 2)
    monkeypatch.setattr(duplicates, "BLOCK_ROWS", 2)
    scratch = tmp_path / "scratch"
    first, second = Stopping(after), Stopping(99)
    try:
        found = duplicates.find(copies, scratch, Options(), first)
    except KeyboardInterrupt:
        found = duplicates.find(copies, scratch, Options(), second)
    assert first.given + second.given == 7  # four shards of pictures, three blocks of the six that are judged
    shutil.rmtree(scratch)
    monkeypatch.undo()
    assert found == duplicates.find(copies, scratch, Options(), executors.serial)


def test_a_picture_that_changed_since_is_looked_at_again(copies: Manifest, tmp_path: Path, texture: Texture) -> None:
    assert search(copies, tmp_path).pairs
    root = copies.roots["set"]
    for number in range(8):
        images.save(root / f"{number}.jpg", texture(40 + number, 90, 48), sync=False)
    new = copies.with_columns(sha256=[f"{number:064x}" for number in range(8)])
    assert search(new, tmp_path).pairs == []


def test_pictures_that_cannot_be_read_are_counted_and_shown(copies: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    root = copies.roots["set"]
    for number in (0, 2, 4, 6):
        (root / f"{number}.jpg").write_bytes(b"no picture")
    with mistake("4 of 8 pictures cannot be read", "0.jpg", "4.jpg", "..."):
        search(copies, tmp_path)
    with mistake("every row is junk"):
        search(copies.with_columns(pid=[-1] * 8), tmp_path)


def test_a_search_of_a_file_leaves_nothing_behind(copies: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "copies" / "set.parquet"
    manifest.write(copies, path)
    before = sorted(path.parent.iterdir())
    report = duplicates.find_in_file(path, manifest.read(path), Options(), executors.serial)
    assert sorted(path.parent.iterdir()) == before
    duplicates.write(report.pairs, tmp_path / "pairs.csv")
    assert duplicates.is_list(tmp_path / "pairs.csv")
    assert not duplicates.is_list(path)
    with (tmp_path / "pairs.csv").open(newline="") as file:
        lines = list(csv.reader(file))
    assert lines == [list(Pair._fields), *([str(value) for value in pair] for pair in report.pairs)]


def test_several_processes_find_what_one_finds(copies: Manifest, tmp_path: Path) -> None:
    found = duplicates.find(copies, tmp_path / "many", Options(), executors.executor("processes", 2))
    assert found == search(copies, tmp_path)


def test_options_are_bounded() -> None:
    from benchmark import config as configuration

    with pytest.raises(UserError, match="alike"):
        configuration.load(Options, None, ["alike=1.2"])
