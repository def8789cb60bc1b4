"""The sheet of a night: all that a preview made is on it, as it is, and can be read."""

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark import executors
from synthesis import generate
from synthesis.night import sheet
from synthesis.night.order import Order
from tests.synthesis import days


def test_a_preview_of_24_is_on_its_sheet_as_a_whole(tmp_path: Path) -> None:
    """However the 24 fall into levels, here nearly all into one."""
    rows = [(f"a/{number}.jpg", number + 1, 1, "train", False, False, 32, 16) for number in range(30)]
    order = Order(days.plain("gamma.gamma=[3.0, 3.5]"), days.day(tmp_path / "day", rows), limit=24)
    generate.write(order, tmp_path / "set", executors.serial)
    shown = sheet.rows(order, tmp_path / "set")
    assert sum(len(row.cells) for row in shown) == 24
    assert max(len(row.cells) for row in shown) <= sheet.ACROSS


@pytest.mark.parametrize(
    ("size", "shown"), [((1, 1), (2, 2)), ((60, 30), (120, 60)), ((130, 60), (130, 60)), ((384, 96), (192, 48))]
)
def test_a_small_picture_is_enlarged_by_whole_pixels_and_twice_at_most(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    fitted = sheet.fitted(picture)
    assert fitted.shape == (*shown, 3)
    times = shown[0] // size[0]
    for row in range(times):
        np.testing.assert_array_equal(fitted[row::times, row::times], picture)
    assert fitted.mean() == pytest.approx(picture.mean(), abs=1)


def test_a_page_shows_every_pixel_of_its_pictures_on_a_dark_ground() -> None:
    colours = [(200, 10, 90 + number) for number in range(5)]
    pictures = [np.full((50, 20, 3), colour, np.uint8) for colour in colours]
    drawn = sheet.page([sheet.Row([sheet.Cell([picture], "")]) for picture in pictures], "a $title", ["long " * 80])
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png")
    seen = np.asarray(Image.open(buffer).convert("RGB"))
    assert [(seen == colour).all(axis=2).sum() for colour in colours] == [100 * 40] * 5
    assert np.median(seen) == sheet.PAGE < 25
    ends = [text.get_window_extent() for text in drawn.texts]
    assert max(end.x1 for end in ends) <= seen.shape[1] - sheet.MARGIN / 2
    assert all(lower.y1 <= upper.y0 + 1 for upper, lower in itertools.pairwise(ends))
