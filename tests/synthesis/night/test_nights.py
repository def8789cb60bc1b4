"""The named nights: each loads, says what it is for, and makes from any picture what it says."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import images, strata
from benchmark.images import Picture
from synthesis.night import chain, config
from synthesis.night.config import CHAIN, Night
from synthesis.nights import NIGHTS
from tests.synthesis.night.facts import facts

PHYSICAL = ("exposures", "glimmer", "headlights", "night600", "street-lamps")
WEAK = {
    "gamma": ("gamma", "codec"),
    "gamma-noise": ("gamma", "grain", "codec"),
    "tint": ("tint", "codec"),
    "maet-like": ("linearise", "darken", "noise", "quantise", "tone", "codec"),
}
SHAPES = ((128, 64), (3, 5), (1, 1))


def day(height: int, width: int, seed: int = 0, grey: bool = False) -> Picture:
    """Make a bright picture with large and small things in it."""
    rng = np.random.default_rng(seed)
    rows, columns = np.arange(height)[:, None, None], np.arange(width)[None, :, None]
    tones = 110 + 60 * np.sin(rows / 17 + rng.random(3) * 6) + 40 * np.cos(columns / 9 + rng.random(3) * 6)
    picture = np.clip(tones + rng.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)
    return np.asarray(picture[:, :, :1].repeat(3, axis=2) if grey else picture)


def nights(night: Night, pictures: list[Picture], seed: int = 0) -> tuple[list[bytes], dict[str, NDArray[Any]]]:
    """Make a night of pictures of one size, a block at a time as the generator does."""
    height, width, _ = pictures[0].shape
    known = facts(len(pictures), camid=np.arange(len(pictures)) % 6 + 1, width=width, height=height)
    plan = chain.plan(night, seed, known, chain.survey(night, known))
    made: list[bytes] = []
    for rows in chain.blocks([(height, width)] * len(pictures)):
        block = chain.develop(list(night.modules.values()), [pictures[row] for row in rows], chain.rows(plan, rows))
        made += block.files
    return made, plan


def test_the_shelf_holds_the_named_nights() -> None:
    assert NIGHTS.names() == sorted([*PHYSICAL, *WEAK])


@pytest.mark.parametrize("name", NIGHTS.names())
def test_a_night_loads_and_says_in_one_sentence_what_it_is_for(name: str) -> None:
    night = config.load(name)
    assert (night.shape.about.endswith("."), len(night.shape.about) > 40) == (True, True)
    assert tuple(night.modules) == WEAK.get(name, CHAIN)


def test_no_two_nights_are_the_same() -> None:
    assert len({config.load(name).sha256 for name in NIGHTS.names()}) == len(NIGHTS.names())


def test_night600_is_declared_over_the_levels_of_the_benchmark() -> None:
    settings = config.load("night600").record()["exposure"]
    assert tuple(settings["shares"]) == (0.45, 0.35, 0.2)
    ends = [tuple(ends) for ends in settings["ranges"]]
    assert ends == [(8, 25.5), (25.5, 51), (51, 95)]
    assert strata.scheme("night600-light").edges == (ends[0][1], ends[1][1])


def test_exposures_are_five_a_stop_apart() -> None:
    assert tuple(config.load("exposures").record()["exposure"]["steps"]) == (0, -1, -2, -3, -4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NIGHTS.names())
def test_every_night_makes_a_darker_picture_of_any_shape(name: str, shape: tuple[int, int]) -> None:
    pictures = [day(*shape, seed=seed, grey=seed % 3 == 0) for seed in range(6)]
    for quality in ("fast", "exact"):
        files, _ = nights(config.load(name, [f"quality={quality}"]), pictures)
        made = [images.decode(file) for file in files]
        assert [picture.shape for picture in made] == [(*shape, 3)] * 6
        if min(shape) > 5:
            before, after = (np.mean([images.lightness(one) for one in some]) for some in (pictures, made))
            assert after < 0.75 * before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["night600", "gamma-noise"])
def test_a_large_picture_works_as_well(name: str) -> None:
    files, _ = nights(
        config.load(name, ["quality=exact", "smear.odds=[0,0,1]"] if name == "night600" else []), [day(3000, 4000)]
    )
    assert images.decode(files[0]).shape == (3000, 4000, 3)


@pytest.mark.parametrize("name", NIGHTS.names())
def test_a_picture_does_not_depend_on_its_company(name: str) -> None:
    night, pictures = config.load(name), [day(64, 32, seed) for seed in range(5)]
    known = facts(5, camid=np.arange(5) + 1, width=32, height=64)
    plan = chain.plan(night, 0, known, chain.survey(night, known))
    stages = list(night.modules.values())
    together = chain.develop(stages, pictures, plan).files
    for row in range(5):
        alone = chain.develop(stages, [pictures[row]], chain.rows(plan, [row])).files
        assert alone == [together[row]]
    back = chain.develop(stages, pictures[::-1], chain.rows(plan, [4, 3, 2, 1, 0])).files
    assert back[::-1] == together


def test_glimmer_is_darker_than_street_lamps_and_headlights_come_from_below() -> None:
    pictures = [day(128, 64, seed) for seed in range(24)]
    light, plans = {}, {}
    for name in ("glimmer", "street-lamps", "headlights"):
        files, plans[name] = nights(config.load(name), pictures)
        light[name] = np.mean([images.lightness(images.decode(file)) for file in files])
    assert light["glimmer"] < 0.7 * light["street-lamps"]
    assert np.median(plans["headlights"]["lamp1_y"]) > np.median(plans["street-lamps"]["lamp1_y"])
    assert (plans["headlights"]["glare"] > 0).mean() > (plans["glimmer"]["glare"] > 0).mean()


def test_street_lamps_make_pools_and_headlights_cool_light_on_legs() -> None:
    """Of grey walls: how much brighter the lowest quarter is than the highest, and red than blue, in stops of codes."""
    pictures, foot, red = [np.full((128, 64, 3), 150, np.uint8)] * 160, {}, {}
    for name in ("glimmer", "night600", "street-lamps", "headlights"):
        settings = ["noise.shot=[1e-6, 1e-6]", "glare.share=0.0", "exposure.shares=[0.0, 0.0, 1.0]"]
        files, _ = nights(config.load(name, settings), pictures)
        made = np.array([images.decode(file) for file in files], np.float64)
        low, high = made[:, 96:].mean(axis=(1, 2, 3)), made[:, :32].mean(axis=(1, 2, 3))
        foot[name] = np.log2(low / high)
        red[name] = np.median(np.log2(made[..., 0].mean(axis=(1, 2)) / made[..., 2].mean(axis=(1, 2))))
    uneven = {name: np.quantile(np.abs(values), [0.5, 0.9]) for name, values in foot.items()}
    assert (uneven["street-lamps"] > 1.3 * uneven["night600"]).all()
    assert uneven["night600"][1] > 1.5 * uneven["glimmer"][1]
    assert (foot["headlights"] > 0.5).mean() > 0.7
    assert red["headlights"] < min(red["night600"], red["street-lamps"]) - 0.2


def test_the_steps_of_a_ladder_differ_in_their_light_only() -> None:
    night = config.load("exposures")
    one = facts(2, camid=1, width=64, height=128)
    rows = np.arange(10) // 5
    ladder = one.select(rows).with_draws(np.zeros(10, np.int64), np.arange(10) % 5)
    plan = chain.plan(night, 0, ladder, chain.survey(night, ladder))
    differing = {
        name
        for name, values in plan.items()
        if not np.array_equal(values[:5], np.repeat(values[:1], 5), equal_nan=values.dtype.kind == "f")
    }
    assert differing <= {"stops", "level", "target"}
    pictures = [day(128, 64, seed) for seed in (0, 1)]
    block = chain.develop(list(night.modules.values()), [pictures[row] for row in rows], plan)
    light = [images.lightness(images.decode(file)) for file in block.files]
    assert (np.diff(light[:5]) < 0).all()
    assert (np.diff(light[5:]) < 0).all()
    assert np.diff(np.log2(block.solved["gain"][:5])) == pytest.approx([-1] * 4, abs=1e-4)
