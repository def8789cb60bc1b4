"""Which queries are shown, that pictures keep their shape, and that right and wrong can be told without colour."""

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from benchmark.figures import ranked_lists, style
from benchmark.figures.ranked_lists import DEPTH, NO, RIGHT, WRONG, YES, Hit, Row
from benchmark.images import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def picture(height: int = 40, width: int = 20, shade: int = 90) -> Picture:
    return np.full((height, width, 3), shade, np.uint8)


def row(rights: str, level: str = "Low") -> Row:
    return Row(level, picture(), [Hit(picture(), mark == "+", 0.1 * place) for place, mark in enumerate(rights)])


def frame(axes: "Axes") -> str:
    (colour,) = {to_hex(spine.get_edgecolor()) for spine in axes.spines.values()}
    return colour


@given(codes=st.lists(st.integers(-1, 3), min_size=1, max_size=40), each=st.integers(1, 5), seed=st.integers(0, 3))
def test_some_of_every_level_are_drawn_whatever_else_is_there(codes: list[int], each: int, seed: int) -> None:
    levels, names = np.array(codes), [f"set/{number}.jpg" for number in range(len(codes))]
    chosen = ranked_lists.choose(levels, names, each, seed)
    assert len(set(chosen)) == len(chosen)
    shown = levels[chosen].tolist()
    assert shown == sorted(shown)
    assert all(shown.count(level) == min(each, codes.count(level)) for level in range(4))
    assert -1 not in shown
    # A larger sample holds the smaller one, and the order of the rows decides nothing.
    assert set(chosen) <= set(ranked_lists.choose(levels, names, each + 1, seed))
    turned = ranked_lists.choose(levels[::-1], names[::-1], each, seed)
    assert [len(codes) - 1 - place for place in turned] == chosen


def test_the_seed_chooses() -> None:
    names = [f"{number}" for number in range(100)]
    drawn = {tuple(ranked_lists.choose(np.zeros(100, int), names, seed=seed)) for seed in range(5)}
    assert len(drawn) > 1


def test_frames_and_marks_say_right_and_wrong_in_rank_order() -> None:
    made = ranked_lists.draw("lists", [row("+--+"), row("-", "High")])
    query, *hits = made.axes[:5]
    assert frame(query) == to_hex(style.BLACK)
    assert [frame(axes) for axes in hits] == [to_hex(colour) for colour in (RIGHT, WRONG, WRONG, RIGHT)]
    texts = [text.get_text() for text in made.texts]
    assert [text for text in texts if text[:1].isdigit()] == [
        *(f"1 {YES} 0.000", f"2 {NO} 0.100", f"3 {NO} 0.200", f"4 {YES} 0.300"),
        f"1 {NO} 0.000",
    ]
    assert [text for text in texts if text in ("Low", "High")] == ["Low", "High"]
    assert "junk" in texts[1]


def test_only_the_first_of_a_long_ranking_are_shown() -> None:
    assert len(ranked_lists.draw("lists", [row("+-" * DEPTH)]).axes) == 1 + DEPTH


@pytest.mark.parametrize("shape", [(40, 20), (40, 160), (300, 7), (1, 1)])
def test_pictures_are_whole_and_not_stretched(shape: tuple[int, int]) -> None:
    made = ranked_lists.draw("lists", [Row("Low", picture(*shape), [])])
    (axes,) = made.axes
    made.canvas.draw()
    box, (left, right), (bottom, top) = axes.get_position(), axes.get_xlim(), axes.get_ylim()
    width, height = made.get_size_inches() * (box.width, box.height)
    assert width / (right - left) == pytest.approx(height / (bottom - top))
    # Edges of the picture lie in the middle of the box, and one pair of them touches it.
    margins = np.array([-0.5 - left, right - (shape[1] - 0.5), -0.5 - top, bottom - (shape[0] - 0.5)])
    assert margins[0] == pytest.approx(margins[1], abs=1e-9)
    assert margins[2] == pytest.approx(margins[3], abs=1e-9)
    assert margins.min() == pytest.approx(0, abs=1e-9)
    assert to_hex(axes.get_facecolor()) == ranked_lists.CANVAS
    assert list(axes.images[0].get_extent()) == [-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5]
    shown = np.asarray(axes.images[0].get_array())
    np.testing.assert_array_equal(shown, picture(*shape))


def test_a_file_that_cannot_be_read_leaves_a_grey_box() -> None:
    made = ranked_lists.draw("lists", [Row("Low", None, [Hit(None, True, 0.5)])])
    for axes in made.axes:
        assert not axes.images
        assert axes.texts[0].get_text() == "cannot\nbe read"
        assert to_hex(axes.get_facecolor()) == ranked_lists.CANVAS
    assert frame(made.axes[1]) == to_hex(RIGHT)


def test_strips_lie_in_order_without_overlap_inside_the_figure() -> None:
    made = ranked_lists.draw("a very long title " * 20, [row("+" * DEPTH, "a level with a very long name")] * 3)
    made.canvas.draw()
    boxes = [axes.get_position() for axes in made.axes]
    strips = [boxes[start : start + 1 + DEPTH] for start in range(0, len(boxes), 1 + DEPTH)]
    for above, below in pairwise(strips):
        assert min(box.y0 for box in above) > max(box.y1 for box in below)
    for strip in strips:
        assert all(left.x1 < right.x0 for left, right in pairwise(strip))
    extents = [text.get_window_extent() for text in made.texts]
    width, height = made.get_size_inches() * made.dpi
    assert min(extent.x0 for extent in extents) >= 0
    assert max(extent.x1 for extent in extents) <= width
    assert max(extent.y1 for extent in extents) <= height
    assert extents[0].y0 >= extents[1].y1  # the title stands over the legend, and both over the pictures
    assert extents[1].y0 >= max(box.y1 for box in boxes) * height


@pytest.mark.parametrize(
    ("distance", "text"), [(0.12345, "0.123"), (-0.5, "-0.500"), (1234.56, "1235"), (22.75, "22.75")]
)
def test_distances_of_any_size_fit(distance: float, text: str) -> None:
    made = ranked_lists.draw("lists", [Row("Low", picture(), [Hit(picture(), True, distance)])])
    assert f"1 {YES} {text}" in [found.get_text() for found in made.texts]


def test_without_queries_it_says_so() -> None:
    assert "no query to show" in [text.get_text() for text in ranked_lists.draw("lists", []).texts]


def test_equal_lists_give_equal_bytes(tmp_path: Path) -> None:
    first, second = (style.save(ranked_lists.draw("x", [row("+-")]), tmp_path / name) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
