"""Every cell says its mAP, its chance level and who asked; what is thin is hatched, what is absent is no zero."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from benchmark.figures import level_pairs, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Q, G = ["Low", "High"], ["Low", "Medium", "High"]
VALUE = np.array([[0.123, np.nan, 0.456], [0.0, 0.31, 0.789]])
CHANCE = np.array([[0.01, np.nan, 0.02], [0.03, 0.04, 0.05]])
N_QUERY = np.array([[40, 0, 1200], [7, 80, 99]])
N_ID = np.array([[29, 0, 30], [3, 31, 90]])


def draw(value: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = VALUE, names: list[str] = Q) -> "Figure":
    return level_pairs.draw("pairs", names, G, value, CHANCE, N_QUERY, N_ID)


def test_cells_say_what_was_given() -> None:
    axes = draw().axes[0]
    found: dict[tuple[int, int], list[str]] = {}
    for text in axes.texts:
        column, row = text.get_position()
        found.setdefault((round(row), round(column)), []).append(text.get_text())
    assert found == {
        (0, 0): ["12.3", "chance 1.0\n40 q, 29 id"],
        (0, 1): ["no query"],
        (0, 2): ["45.6", "chance 2.0\n1,200 q, 30 id"],
        (1, 0): ["0.0", "chance 3.0\n7 q, 3 id"],
        (1, 1): ["31.0", "chance 4.0\n80 q, 31 id"],
        (1, 2): ["78.9", "chance 5.0\n99 q, 90 id"],
    }
    colours = np.ma.masked_invalid(np.asarray(axes.images[0].get_array()))
    assert colours.compressed().tolist() == pytest.approx([12.3, 45.6, 0, 31, 78.9])


def test_names_stand_at_their_sides_and_the_first_level_is_on_top() -> None:
    axes = draw().axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == Q
    assert [label.get_text() for label in axes.get_xticklabels()] == G
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_cells_of_few_people_are_hatched_and_it_is_said() -> None:
    made = draw()
    hatched = {
        (round(patch.get_y() + 0.5), round(patch.get_x() + 0.5))
        for patch in made.axes[0].patches
        if isinstance(patch, Rectangle) and patch.get_hatch()
    }
    assert hatched == {(0, 0), (1, 0)}
    assert made.get_supxlabel() == "hatched: fewer than 30 identities"
    many = level_pairs.draw("pairs", Q, G, VALUE, CHANCE, N_QUERY, N_ID + 30)
    assert not many.axes[0].patches
    assert many.get_supxlabel() == ""


@pytest.mark.parametrize(("best", "top"), [(0.789, 80), (0.8, 90), (0.02, 10), (1.0, 100), (0.97, 100)])
def test_colours_reach_to_the_next_ten(best: float, top: float) -> None:
    value = np.where(np.isnan(VALUE), np.nan, VALUE * 0)
    value[1, 2] = best
    assert draw(value).axes[0].images[0].get_clim() == (0, top)


def test_letters_are_white_on_dark_cells_only() -> None:
    colours = {text.get_text(): text.get_color() for text in draw().axes[0].texts}
    assert colours["78.9"] == "white"
    assert colours["45.6"] == colours["12.3"] == style.BLACK


def test_nothing_at_all_says_so() -> None:
    made = draw(VALUE * np.nan)
    assert not made.axes[0].images
    assert "no query" in made.axes[0].texts[0].get_text()


def test_any_name_is_shown_as_it_is_and_inside_the_figure() -> None:
    names = ["$\\foo$", "a level with a very long name " * 4]
    made = draw(names=names)
    made.draw_without_rendering()
    labels = [label.get_text() for label in made.axes[0].get_yticklabels()]
    assert [" ".join(label.split()) for label in labels] == [name.strip() for name in names]
    box, (width, height) = made.get_tightbbox(), made.get_size_inches()
    assert box.x0 >= 0 <= box.y0
    assert box.x1 <= width
    assert box.y1 <= height


def test_equal_cells_give_equal_bytes(tmp_path: Path) -> None:
    first, second = (style.save(draw(), tmp_path / name) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
