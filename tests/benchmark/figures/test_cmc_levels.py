"""What the curves show equals what is counted, and every level is named with who asked."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmark.figures import cmc_levels, style
from benchmark.figures.cmc_levels import Curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

LOW = Curve("Low", np.array([1, 1, 3, 20, 21, 400]), np.linspace(0.01, 0.2, 20), 5)
HIGH = Curve("High", np.arange(1, 51), np.linspace(0.02, 0.4, 20), 50)


def lines(made: "Figure") -> list["Line2D"]:
    """Give the lines of the plot; the last one is for the legend only."""
    return list(made.axes[0].lines[:-1])


def legend(made: "Figure") -> list[str]:
    found = made.axes[1].get_legend()
    assert found is not None
    return [text.get_text() for text in found.get_texts()]


def test_curves_are_slow_counts_and_chance_is_dashed_in_their_colour() -> None:
    drawn = lines(cmc_levels.draw("levels", [LOW, HIGH]))
    for curve, (line, chance) in zip((LOW, HIGH), (drawn[:2], drawn[2:]), strict=True):
        slow = [100 * sum(rank <= k for rank in curve.first.tolist()) / len(curve.first) for k in range(1, 21)]
        assert np.asarray(line.get_xdata()).tolist() == list(range(1, 21))
        assert np.asarray(line.get_ydata()).tolist() == pytest.approx(slow)
        assert np.asarray(chance.get_ydata()).tolist() == pytest.approx((100 * curve.chance).tolist())
        assert chance.get_linestyle() == "--" != line.get_linestyle()
        assert chance.get_color() == line.get_color()
    assert drawn[0].get_color() != drawn[2].get_color()


def test_the_legend_says_who_asked_and_how_few() -> None:
    one = Curve("one", np.array([4]), LOW.chance, 1)
    assert legend(cmc_levels.draw("levels", [LOW, HIGH, one]))[:3] == [
        "Low\n6 queries, 5 identities, under 30",
        "High\n50 queries, 50 identities",
        "one\n1 query, 1 identity, under 30",
    ]


def test_a_level_that_nobody_asks_at_is_named_and_not_drawn() -> None:
    made = cmc_levels.draw("levels", [Curve("dark", np.array([], int), np.full(20, np.nan), 0), LOW])
    assert legend(made)[0] == "dark: no query"
    assert np.isnan(np.asarray(lines(made)[0].get_ydata(), float)).all()
    assert len(lines(made)) == 3


def test_a_query_without_a_match_is_none_and_not_the_best() -> None:
    first = np.array([0, 0, 2, 5])
    made = cmc_levels.draw("levels", [Curve("Low", first, LOW.chance, 4)])
    assert np.asarray(lines(made)[0].get_ydata())[:5].tolist() == [0, 50, 50, 50, 100]
    assert legend(made)[0].startswith("Low\n2 queries")


def test_two_times_seven_levels_differ_in_colour_or_mark() -> None:
    made = cmc_levels.draw("levels", [HIGH._replace(name=str(number)) for number in range(14)])
    assert len({(line.get_color(), line.get_marker()) for line in lines(made)[::2]}) == 14


@pytest.mark.parametrize("name", ["$\\foo$", "_hidden", "a level with a very long name " * 5])
def test_any_name_is_shown_as_it_is_and_inside_the_figure(name: str) -> None:
    made = cmc_levels.draw("a long title of a figure " * 9, [LOW._replace(name=name)] * 3)
    made.draw_without_rendering()
    assert "".join(legend(made)[0].split()).startswith("".join(name.split()))
    box, (width, height) = made.get_tightbbox(), made.get_size_inches()
    assert box.x0 >= 0 <= box.y0
    assert box.x1 <= width
    assert box.y1 <= height
    first_row = made.axes[1].get_window_extent()
    assert first_row.y1 <= made.texts[0].get_window_extent().y0  # the title


def test_equal_curves_give_equal_bytes(tmp_path: Path) -> None:
    first, second = (style.save(cmc_levels.draw("levels", [LOW, HIGH]), tmp_path / name) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
