"""Crops are the pixels of their boxes."""

from pathlib import Path

import numpy as np
import pytest

from annotation import crops
from annotation.crops import Box
from benchmark import images, manifest
from benchmark.errors import UserError

FRAME = np.random.default_rng(0).integers(0, 256, (1, 1, 3), dtype=np.uint8).repeat(90, 0).repeat(160, 1)


def test_a_crop_has_the_pixels_and_the_row_of_its_box(tmp_path: Path) -> None:
    frame = FRAME.copy()
    frame[20:60, 30:50] = (200, 10, 10)
    made = crops.cut({(1, 7): frame}, [Box(1, 7, 4, 30, 20, 20, 40)], "set", tmp_path)
    row = manifest.read(tmp_path / "manifest.parquet").frame().iloc[0]
    assert tuple(row[["pid", "camid", "frame", "x", "y", "w", "h"]]) == (4, 1, 7, 30, 20, 20, 40)
    picture = images.load(*made.file(0))
    assert picture.shape == (40, 20, 3)
    assert abs(picture.astype(int) - (200, 10, 10)).max() < 6


@pytest.mark.parametrize("box", [Box(1, 7, 4, -1, 0, 9, 9), Box(1, 7, 4, 155, 0, 9, 9), Box(1, 7, 4, 5, 5, 0, 9)])
def test_a_box_that_leaves_its_frame_is_refused(box: Box, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="leaves its frame of 160 x 90 pixels"):
        crops.cut({(1, 7): FRAME}, [box], "set", tmp_path)
    assert list(tmp_path.iterdir()) == []
