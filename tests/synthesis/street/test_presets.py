"""The worlds that come ready made, how a world is read and named, and what is refused in one line."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from benchmark.errors import UserError
from synthesis.street import config, shots
from synthesis.street.config import Cameras, Lamps, World

PRESETS = config.PRESETS.names()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_read_and_its_space_is_its_name(preset: str) -> None:
    world = config.load(preset)
    assert world.space == preset
    assert config.name(world, 3) == f"street-{preset}-s3"
    # A slip of the pen in a preset would be a key that repeats the default: it says nothing.
    assert world != World(space=preset)
    assert shots.walks(world.model_copy(update={"identities": 3}), 0)


def test_the_promised_presets_are_there() -> None:
    assert {"demo", "night600", "pretrain", "dev", "held"} <= set(PRESETS)
    assert len(PRESETS) == len({config.name(config.load(preset), 0) for preset in PRESETS})


def test_the_demo_is_small_and_pretraining_has_no_night() -> None:
    demo = shots.walks(config.load("demo"), 0)
    assert sum(walk.frames for walk in demo) == pytest.approx(1200, rel=0.05)
    assert {walk.camid for walk in demo} == set(range(1, 9))
    pretrain = config.load("pretrain")
    assert (pretrain.identities, pretrain.times) == (2000, ("day",))


def test_dev_held_and_the_default_share_no_prior_of_camera_or_lamp() -> None:
    worlds = [World(), config.load("dev"), config.load("held")]
    for one, two in itertools.combinations(worlds, 2):
        for first, second in ((one.cameras, two.cameras), (one.lamps, two.lamps)):
            alike = {name for name in type(first).model_fields if getattr(first, name) == getattr(second, name)}
            assert alike <= {"count"}
    lamps = [family for world in worlds[1:] for family in world.lamps.kelvin]
    assert not any(low < other and start < high for (low, high), (start, other) in itertools.combinations(lamps, 2))
    # Whatever is tuned on one of the two must not be tuned on the other: only sizes and light levels span alike.
    alike = {"count", "size", "lightness", "kelvin", "signs", "headlights"}
    for first, second in ((worlds[1].cameras, worlds[2].cameras), (worlds[1].lamps, worlds[2].lamps)):
        for name in set(type(first).model_fields) - alike:
            (low, high), (other, top) = getattr(first, name), getattr(second, name)
            assert high < other or top < low, name


# Another value for every key of a world.
OTHER: dict[str, Any] = {
    "identities": 7, "views": (1.0,), "frames": (2, 9), "mean_frames": 3.2, "interval": 0.5, "times": ("night",),
    "height": 64, "quality": "full", "difficulty": "hard", "look_alikes": 0.5, "occluded": 0.9, "space": "elsewhere",
    "cameras.count": 6, "cameras.focal": (900.0, 950.0), "cameras.size": (60.0, 90.0), "cameras.parallel": (1.0, 1.1),
    "cameras.downward": (3.0, 3.1), "cameras.balance": (1.0, 1.0), "cameras.quality": (50, 51),
    "cameras.veil": (0.1, 0.2), "cameras.gain": (30.0, 40.0), "cameras.knee": (9.0, 9.5), "cameras.fading": (0.9, 1.0),
    "cameras.smoothing": (5.0, 6.0), "cameras.sharpening": (2.0, 3.0), "cameras.noise": (0.0, 0.1),
    "cameras.lightness": (5.0, 6.0), "cameras.blur": (0.0, 0.1), "lamps.count": (0, 1),
    "lamps.height": (3.0, 3.1), "lamps.power": (0.1, 0.2), "lamps.kelvin": ((2000.0, 2100.0),),
    "lamps.ambient": (0.0, 0.0), "lamps.signs": 0.9, "lamps.headlights": 0.9,
}  # fmt: skip


def changed(world: World, key: str) -> World:
    """Give a world with another value for a key."""
    table, _, inner = key.partition(".")
    value = getattr(world, table).model_copy(update={inner: OTHER[key]}) if inner else OTHER[key]
    return world.model_copy(update={table: value})


def test_every_key_is_tried() -> None:
    keys = set(World.model_fields) - {"cameras", "lamps"}
    keys |= {f"cameras.{name}" for name in Cameras.model_fields} | {f"lamps.{name}" for name in Lamps.model_fields}
    assert set(OTHER) == keys


@pytest.mark.parametrize("key", sorted(set(OTHER) - config.APART))
def test_a_key_that_shapes_pictures_changes_the_name_by_a_hash(key: str) -> None:
    world = config.load("demo")
    name = config.name(changed(world, key), 0)
    assert name.startswith("street-demo-s0-")
    assert len(name) == len("street-demo-s0-12345678")
    assert name == config.name(changed(world, key), 0)


@pytest.mark.parametrize("key", sorted(config.APART - {"space", "difficulty"}))
def test_a_key_that_says_which_pictures_there_are_keeps_the_name(key: str) -> None:
    assert config.name(changed(config.load("demo"), key), 0) == "street-demo-s0"


def test_two_worlds_that_differ_never_share_a_name() -> None:
    base = config.load("demo")
    worlds = [base, *(changed(base, key) for key in OTHER if key not in config.APART - {"space", "difficulty"})]
    worlds += [changed(changed(base, "difficulty"), "interval"), World(space="demo-s0"), World(space="s0")]
    names = [config.name(world, seed) for world in worlds for seed in (0, 1)]
    assert len(set(names)) == len(names)
    assert config.name(changed(base, "difficulty"), 1) == "street-demo-s1-hard"


def test_a_world_of_ones_own_is_read_from_a_file_and_named_by_what_is_in_it(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('space = "mine"\nidentities = 3\n[lamps]\nsigns = 0.5\n')
    world = config.load(str(own), ["cameras.count=4", "difficulty=easy"])
    assert (world.identities, world.lamps.signs, world.cameras.count, world.difficulty) == (3, 0.5, 4, "easy")
    assert config.name(world, 0).startswith("street-mine-s0-easy-")
    # Somebody else's world that calls itself `demo`, too, is another one.
    own.write_text('space = "demo"\n[lamps]\nsigns = 0.5\n')
    assert config.name(config.load(str(own)), 0) != config.name(config.load("demo"), 0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["views=[0, 0]"], ["views", "sum to 0"]),
        (["views=[0, 0, 1]", "cameras.count=2"], ["views", "3 cameras", "there are 2"]),
        (["views=[-1, 2]"], ["views.0", "-1"]),
        (["frames=[0, 3]"], ["frames.0", "0"]),
        (["frames=[5, 3]"], ["frames", "from 5 to 3"]),
        (["frames=[1, 1000]"], ["frames.1", "1000", "999"]),
        (["frames=[8, 40]", "mean_frames=50"], ["mean_frames", "50", "8 to 40"]),
        (["times=[]"], ["times", "day, night or both"]),
        (['times=["day", "day"]'], ["times", "each once"]),
        (["cameras.focal=[2000, 1000]"], ["cameras.focal", "from 2000 to 1000"]),
        (["cameras.focal=[0, 1000]"], ["cameras.focal.0", "0"]),
        (["cameras.size=[10, 2000]"], ["cameras.size.1", "2000", "1000"]),
        (["cameras.quality=[10, 101]"], ["cameras.quality.1", "101", "100"]),
        (["cameras.lightness=[10, 300]"], ["cameras.lightness.1", "300", "255"]),
        (["lamps.kelvin=[]"], ["lamps.kelvin"]),
        (["lamps.kelvin=[[3000, 2000]]"], ["lamps.kelvin.0", "from 3000 to 2000"]),
        (["lamps.count=[0, 9]"], ["lamps.count.1", "9", "4"]),
        (["identities=0"], ["identities", "0", "1"]),
        (["identities=1000000"], ["identities", "1000000", "100000"]),
        (["height=1"], ["height", "1", "8"]),
        (["difficulty=extreme"], ["difficulty", "extreme", "'easy', 'normal' or 'hard'"]),
        (["space=../up"], ["space", "../up"]),
        (["space=Caf\u00e9"], ["space"]),
        (["lamp.count=[0, 1]"], ["lamp", "did you mean 'lamps'"]),
        (["occluded=nan"], ["occluded", "nan"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_world_that_cannot_be_is_refused_in_one_line(settings: list[str], said: list[str]) -> None:
    with pytest.raises(UserError) as refused:
        config.load("demo", settings)
    assert "demo.toml" in str(refused.value)
    assert [word for word in said if word not in str(refused.value)] == []
    assert "\n" not in str(refused.value)


def test_a_world_made_in_python_is_checked_too() -> None:
    with pytest.raises(ValidationError, match="3 cameras, and there are 2"):
        World(cameras=Cameras(count=2))
    with pytest.raises(ValidationError, match="from 9 to 3"):
        World(frames=(9, 3))


def test_an_unknown_preset_lists_those_there_are() -> None:
    with pytest.raises(UserError, match=r"did you mean 'night600'.*demo, dev, held, night600, pretrain"):
        config.load("night60")
    with pytest.raises(UserError, match=r"nowhere\.toml: cannot read"):
        config.load("nowhere.toml")
