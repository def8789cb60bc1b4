"""Scale: declared shares of sizes, no picture enlarged, and detail that is lost as by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark import strata
from benchmark.errors import UserError
from benchmark.images import Picture
from synthesis.night.block import Block
from synthesis.night.columns import Columns, Facts
from synthesis.night.stages import scale
from synthesis.night.stages.scale import LEVELS, Config, Sizes
from tests.synthesis.night.facts import facts

LEVEL = dict(zip(LEVELS, range(3), strict=True))


def noise(height: int, width: int) -> Picture:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def planned(config: Config, known: Facts, seed: int = 0) -> dict[str, NDArray[np.float64]]:
    columns = Columns("scale", config, known, seed, survey=scale.survey(config, known))
    return {name: np.asarray(values) for name, values in scale.plan(columns).items()}


def levels(sizes: NDArray[np.float32]) -> NDArray[np.int16]:
    return strata.divide(scale.SCHEME, sizes, np.ones(len(sizes), bool)).codes


def test_expected_shares_are_the_declared() -> None:
    height = np.repeat([90, 150, 300], [1000, 2000, 5000])
    config = Config(size=Sizes(small=0.4, medium=0.35, big=0.25))
    found = scale.survey(config, facts(8000, width=height / 2, height=height))
    shares = np.array(list(found["found"].values()))
    assert shares @ np.array([found["odds"][level] for level in LEVELS]) == pytest.approx([0.4, 0.35, 0.25])
    # A quarter of the pictures is medium already and stays so; .4 - .125 small and .1 medium ones are made of big ones.
    assert found["odds"]["small"] == [1, 0, 0]
    assert found["odds"]["medium"] == pytest.approx([0, 1, 0])
    assert found["odds"]["big"] == pytest.approx([0.275 / 0.625, 0.1 / 0.625, 0.25 / 0.625])


part = st.integers(0, 20)


@settings(max_examples=200, deadline=None)
@given(st.tuples(part, part, part).filter(any), st.tuples(part, part, part).filter(any))
def test_shares_come_out_or_are_refused_with_the_most_that_is_there(
    counts: tuple[int, int, int], wanted: tuple[int, int, int]
) -> None:
    found, shares = np.array(counts) / sum(counts), np.array(wanted) / sum(wanted)
    height = np.repeat([60.0, 150.0, 300.0], counts)
    config = Config(size=Sizes(small=shares[0], medium=shares[1], big=shares[2]))
    possible = shares[2] <= found[2] + 1e-9 and shares[1:].sum() <= found[1:].sum() + 1e-9
    if possible:
        odds = np.array(list(scale.survey(config, facts(len(height), width=30, height=height))["odds"].values()))
        assert found @ odds == pytest.approx(shares, abs=1e-8)
        assert (odds >= 0).all()
        assert np.triu(odds, 1).max() == 0  # nothing becomes bigger
    else:
        with pytest.raises(UserError, match=r"cannot be reached: at most .* of these pictures are [12]00 pixels"):
            scale.survey(config, facts(len(height), width=30, height=height))


def test_an_unreachable_share_says_what_the_most_is() -> None:
    height = np.repeat([60, 150, 300], [50, 25, 25])
    known = facts(100, width=50, height=height)
    with pytest.raises(UserError, match=r"^scale\.size: big = 0\.3 cannot be reached: at most 0\.25 of these pictures"):
        scale.survey(Config(size=Sizes(small=0.7, big=0.3)), known)
    with pytest.raises(UserError, match=r"^scale\.size: medium and big = 0\.6 cannot be reached: at most 0\.5 of"):
        scale.survey(Config(size=Sizes(small=0.4, medium=0.6)), known)


def test_unknown_heights_are_refused_only_where_sizes_are_asked_for() -> None:
    with pytest.raises(UserError, match="luxreid data measure"):
        scale.survey(Config(size=Sizes(small=1.0)), facts(3))
    assert scale.survey(Config(), facts(3)) == {}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 700), st.floats(5, 900, width=32)), min_size=1, max_size=40),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_every_picture_lands_in_its_level_and_none_grows(
    heights: list[tuple[int, float]], seed: int, in_frame: bool
) -> None:
    stored, frame = np.array(heights).T
    known = facts(len(stored), width=np.ceil(stored / 2), height=stored, h=frame if in_frame else np.nan)
    config = Config(size=Sizes(small=1.0))
    made = planned(config, known, seed)
    natural, now = scale.people(known), scale.shrunk(scale.people(known), made["stored_height"], stored)
    for before, after, rows, full in zip(natural, now, made["stored_height"], stored, strict=True):
        assert 1 <= rows <= full
        # Where one stored pixel stands for 60 and more, a height between the smallest and 100 may not be there.
        if before >= config.smallest and before / full < 100 - config.smallest:
            assert config.smallest <= after < 100
        elif before < config.smallest:
            assert after == before
    assert (made["stored_width"] >= 1).all()
    assert (made["stored_width"] <= np.ceil(stored / 2)).all()


def test_heights_at_the_edges_are_in_the_upper_level() -> None:
    for full, size in ((100, 100.0), (384, 200.0), (511, 200.0), (70, 100.0)):
        known = facts(4000, width=full, height=full, h=size)
        big = size == 200
        config = Config(size=Sizes(medium=0.0 if big else 1.0, big=1.0 if big else 0.0))
        made = planned(config, known)
        assert (made["stored_height"] == full).all()


def test_a_size_that_rounds_to_the_edge_is_not_under_it() -> None:
    size = np.float32(700 / 3)  # a little under 233 1/3, so that 3 of 7 lines are 99.999998 pixels high
    assert scale.shrunk(np.array([size]), np.array([3]), np.array([7]))[0] == 100
    made = planned(Config(size=Sizes(small=1.0)), facts(200, width=7, height=7, h=size))
    assert set(made["stored_height"].tolist()) == {2}


def test_a_picture_is_stored_small_by_area() -> None:
    board = np.indices((64, 64)).sum(axis=0) % 2 * 200
    picture = np.repeat(board[:, :, None], 3, axis=2).astype(np.uint8)
    assert (scale.scaled(picture, 1.0, 16, 16) == 100).all()
    assert np.abs(scale.scaled(picture, 1.0, 20, 20).astype(int) - 100).max() < 30


def test_shares_are_measured_on_the_result() -> None:
    rng = np.random.default_rng(0)
    height = rng.integers(60, 400, 6000)
    known = facts(6000, width=height // 2, height=height)
    config = Config(size=Sizes(small=0.5, medium=0.3, big=0.2))
    made = planned(config, known)
    after = levels(made["stored_height"].astype(np.float32))
    assert np.bincount(after) / 6000 == pytest.approx([0.5, 0.3, 0.2], abs=0.02)
    assert (after <= levels(height.astype(np.float32))).all()
    ratio = made["stored_width"] * 2 / made["stored_height"]
    assert np.abs(ratio - 1).max() < 0.05


def test_steps_of_a_ladder_share_a_size_and_draws_do_not() -> None:
    one = facts(50, width=128, height=256)
    config = Config(size=Sizes(small=0.5, big=0.5))
    again = one.with_draws(one.draw, one.step + 1)
    other = one.with_draws(one.draw + 1, one.step)
    base = planned(config, one)["stored_height"].tolist()
    assert planned(config, again)["stored_height"].tolist() == base
    assert planned(config, other)["stored_height"].tolist() != base


def coarse_by_hand(plane: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.float64]:
    return line_weights(plane.shape[0], rows) @ plane @ line_weights(plane.shape[1], columns).T


def line_weights(length: int, cells: int) -> NDArray[np.float64]:
    """Reduce by area, then enlarge linearly between the cells' middles: one matrix."""
    area = np.array(
        [[overlap(pixel, cell * length / cells, (cell + 1) * length / cells) for pixel in range(length)]
         for cell in range(cells)]
    ) * (cells / length)  # fmt: skip
    middles = (np.arange(cells) + 0.5) * length / cells - 0.5
    return np.stack([np.interp(np.arange(length), middles, column) for column in area.T], axis=1)


def overlap(pixel: int, low: float, high: float) -> float:
    return max(min(pixel + 1, high) - max(pixel, low), 0)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (64, 31), (256, 128)])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.61, 0.75])
def test_detail_is_lost_as_by_hand(shape: tuple[int, int], share: float) -> None:
    picture = noise(*shape)
    made = scale.scaled(picture, share, shape[1], shape[0])
    cells = [max(round(share * length), 1) for length in shape]
    close = 0.2 if min(shape) > 9 else 1.0  # two roundings do not average out over a few pixels
    for channel in range(3):
        by_hand = coarse_by_hand(picture[:, :, channel].astype(float), *cells)
        assert np.abs(made[:, :, channel] - by_hand).max() <= 3  # weights are whole 256ths
        assert made[:, :, channel].mean() == pytest.approx(by_hand.mean(), abs=close)


def test_flat_pictures_stay_flat() -> None:
    for code in (0, 1, 77, 254, 255):
        flat = np.full((90, 41, 3), code, np.uint8)
        assert (scale.scaled(flat, 0.63, 41, 90) == code).all()


def test_the_plan_says_the_size_and_0_is_a_picture_s_own() -> None:
    pictures = [noise(200, 100)] * 4
    block = Block(list(pictures))
    plan = {
        "scale": np.array([1, 1, 0.5, 1], np.float32),
        "stored_width": np.array([100, 41, 41, 0]),
        "stored_height": np.array([200, 83, 83, 0]),
    }
    scale.apply(block, plan)
    assert [picture.shape for picture in block.pictures] == [(200, 100, 3), (83, 41, 3), (83, 41, 3), (200, 100, 3)]
    assert block.pictures[0] is pictures[0]
    assert np.diff(block.pictures[2].astype(int), axis=0).std() < np.diff(block.pictures[1].astype(int), axis=0).std()
    scale.apply(block, plan | {"stored_width": np.full(4, 1000), "stored_height": np.full(4, 1000)})
    assert block.pictures[0].shape == (200, 100, 3)  # never enlarged
