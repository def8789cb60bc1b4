"""Codec: qualities and phases as drawn, and blocks where the phase says."""

import io

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from benchmark import images
from benchmark.images import Picture
from synthesis.night.block import Block
from synthesis.night.columns import Columns
from synthesis.night.stages import codec
from synthesis.night.stages.codec import Config
from tests.synthesis.night.facts import facts


def night(height: int, width: int) -> Picture:
    """Make a smooth, dark, slightly noisy picture: what shows blocks best."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(20, 60, height)[:, None, None] + np.linspace(0, 20, width)[None, :, None]
    return np.clip(ramp + rng.normal(0, 4, (height, width, 3)), 0, 255).astype(np.uint8)


def encoded(picture: Picture, **said: int | bool) -> bytes:
    base = {"quality": 50, "shifted": False, "phase_x": 0, "phase_y": 0, "colour_444": False, "stored_quality": 95}
    block = Block([picture])
    codec.apply(block, {name: np.array([value]) for name, value in (base | said).items()})
    return block.files[0]


def test_the_stored_file_has_the_quality_and_the_colours_that_were_drawn() -> None:
    # libjpeg scales its table by 5000/q below 50 and by 200 - 2q above; the first entry at 50 is 16.
    for quality, first in ((35, 23), (50, 16), (75, 8), (88, 4)):
        for full in (False, True):
            data = encoded(night(40, 24), quality=quality, colour_444=full)
            stored = Image.open(io.BytesIO(data))
            assert stored.quantization[0][0] == first  # type: ignore[attr-defined]
            assert simplejpeg.decode_jpeg_header(data)[3] == ("444" if full else "420")
            assert stored.size == (24, 40)


def steps(picture: Picture) -> list[list[float]]:
    """Give the mean jump between neighbours, along rows and down columns, for each place within eight."""
    luma = picture.astype(float).mean(axis=2)
    jumps = [np.abs(np.diff(luma, axis=axis)).mean(axis=1 - axis) for axis in (1, 0)]
    return [[float(line[place::8].mean()) for place in range(8)] for line in jumps]


@pytest.mark.parametrize("phase", [(0, 0), (3, 5), (7, 1)])
def test_blocks_begin_where_the_phase_says(phase: tuple[int, int]) -> None:
    right, down = phase
    data = encoded(night(256, 128), quality=12, shifted=True, phase_x=right, phase_y=down)
    along, below = steps(images.decode(data))
    # A block ends 8 - phase pixels from the corner: the largest jump is between that pixel and the one before it.
    assert int(np.argmax(along)) == 7 - right
    assert int(np.argmax(below)) == 7 - down


def test_shifted_without_a_shift_is_the_stored_file_stored_again() -> None:
    picture = night(50, 30)
    once = images.decode(encoded(picture))
    assert encoded(picture, shifted=True) == images.encode(once, 95)


def test_what_is_cut_out_lies_where_it_lay() -> None:
    picture = night(64, 48)
    picture[20:28, 10:20] = (200, 40, 30)
    for phase in ((0, 0), (5, 2), (7, 7)):
        made = images.decode(encoded(picture, quality=90, shifted=True, phase_x=phase[0], phase_y=phase[1]))
        assert made.shape == picture.shape
        assert np.abs(made[22:26, 12:18].astype(int) - picture[22:26, 12:18]).max() < 25


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (8, 9)])
def test_tiny_and_grey_pictures_are_encoded(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 90, np.uint8)
    for shifted in (False, True):
        made = images.decode(encoded(picture, shifted=shifted, phase_x=6 * shifted, phase_y=3 * shifted))
        assert made.shape == picture.shape
        assert np.abs(made.astype(int) - 90).max() <= 2


def test_qualities_and_phases_are_evenly_drawn() -> None:
    many = facts(16000)
    exact = codec.plan(Columns("codec", Config(), many, 0, exact=True))
    assert (int(exact["quality"].min()), int(exact["quality"].max())) == (35, 88)
    assert np.bincount(exact["quality"])[35:] / 16000 == pytest.approx(np.full(54, 1 / 54), abs=0.006)
    assert exact["shifted"].all()
    both = np.bincount(exact["phase_x"] * 8 + exact["phase_y"], minlength=64)
    assert both / 16000 == pytest.approx(np.full(64, 1 / 64), abs=0.006)
    fast = codec.plan(Columns("codec", Config(), many, 0))
    assert not fast["shifted"].any()
    assert not fast["phase_x"].any()
    assert not fast["phase_y"].any()
    assert (fast["quality"] == exact["quality"]).all()


def test_a_camera_has_one_quality_and_every_picture_its_phase() -> None:
    known = facts(600, camid=np.arange(600) % 6 + 1, timestamp=0.0)
    drawn = codec.plan(Columns("codec", Config(mode="shifted"), known, 0))
    assert all(len(set(drawn["quality"][camera::6].tolist())) == 1 for camera in range(6))
    assert all(len(set(drawn["phase_x"][camera::6].tolist())) == 8 for camera in range(6))
    alone = codec.plan(Columns("codec", Config(consistent=False), known, 0))
    assert len(set(alone["quality"][::6].tolist())) > 20
