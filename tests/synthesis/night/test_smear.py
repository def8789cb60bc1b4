"""Smear: what noise reduction takes, against the same written out pixel by pixel."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.images import Picture
from synthesis.night.block import Block
from synthesis.night.columns import Columns
from synthesis.night.stages import smear
from synthesis.night.stages.smear import BOTH, COLOUR, NONE, Config
from tests.synthesis.night.facts import facts

LUMA = np.array([0.299, 0.587, 0.114])


def noise(height: int, width: int, seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smeared(picture: Picture, kind: int) -> Picture:
    block = Block([picture])
    smear.apply(block, {"smear": np.array([kind], np.int8)})
    return block.pictures[0]


def windows(plane: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Give every pixel's neighbourhood as its last axis; the edge goes on beyond itself."""
    padded = np.pad(plane, side // 2, mode="edge")
    height, width = plane.shape
    return np.stack([padded[y : y + height, x : x + width] for y in range(side) for x in range(side)], axis=-1)


def plain(picture: Picture, kind: int) -> NDArray[np.float64]:
    values = picture.astype(np.float64)
    luma = values @ LUMA
    colour = values - luma[:, :, None]
    mean = np.stack([windows(colour[:, :, channel], 5).mean(axis=-1) for channel in range(3)], axis=-1)
    kept = np.median(windows(luma, 3), axis=-1) if kind == BOTH else luma
    return np.asarray(np.clip(kept[:, :, None] + mean, 0, 255))


@pytest.mark.parametrize("kind", [COLOUR, BOTH])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 2), (40, 31)])
def test_it_is_a_box_over_colour_and_a_median_over_luma(kind: int, shape: tuple[int, int]) -> None:
    picture = noise(*shape)
    assert np.abs(smeared(picture, kind) - plain(picture, kind)).max() <= 2  # three roundings to whole codes


def test_what_is_not_smeared_is_the_same_picture() -> None:
    picture = noise(20, 10)
    assert smeared(picture, NONE) is picture


@pytest.mark.parametrize("kind", [COLOUR, BOTH])
def test_grey_stays_grey_and_a_flat_colour_stays_itself(kind: int) -> None:
    grey = np.repeat(noise(16, 16)[:, :, :1], 3, axis=2)
    assert (np.ptp(smeared(grey, kind), axis=2) == 0).all()
    flat = np.full((16, 16, 3), (200, 90, 7), np.uint8)
    assert (smeared(flat, kind) == flat).all()


def test_only_the_median_takes_a_single_bright_pixel() -> None:
    dark = np.full((9, 9, 3), 20, np.uint8)
    dark[4, 4] = 220
    assert smeared(dark, COLOUR)[4, 4].min() == 220
    assert smeared(dark, BOTH).max() == 20


def test_a_picture_does_not_depend_on_its_block() -> None:
    pictures = [noise(12, 8, seed) for seed in range(3)]
    kinds = (BOTH, NONE, COLOUR)
    block = Block(list(pictures))
    smear.apply(block, {"smear": np.array(kinds, np.int8)})
    for picture, kind, made in zip(pictures, kinds, block.pictures, strict=True):
        assert (made == smeared(picture, kind)).all()


def test_odds_are_kept_and_a_camera_has_one_kind() -> None:
    many = facts(3000, camid=np.arange(3000) % 600 + 1, timestamp=0.0)
    kinds = smear.plan(Columns("smear", Config(odds=(1, 2, 1)), many, 0))["smear"]
    assert all(len(set(kinds[camera::600].tolist())) == 1 for camera in range(600))
    each = smear.plan(Columns("smear", Config(odds=(1, 2, 1), consistent=False), many, 0))["smear"]
    assert np.bincount(each) / 3000 == pytest.approx([0.25, 0.5, 0.25], abs=0.03)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (5, 3), (64, 33), (17, 128)])
def test_the_median_of_a_grey_picture_is_opencv_s_to_the_code(shape: tuple[int, int]) -> None:
    grey = np.repeat(noise(*shape)[:, :, :1], 3, axis=2)
    assert (smeared(grey, BOTH)[:, :, 0] == cv2.medianBlur(np.ascontiguousarray(grey[:, :, 0]), 3)).all()
