"""That every number of a log is drawn at its step, over all stages, and that a cut log can be read."""

import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.errors import UserError
from benchmark.figures import learning, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def line(step: int, stage: str = "all", epoch: int = 0, **terms: float) -> dict[str, Any]:
    known = {"stage": stage, "epoch": epoch, "step": step, "loss": sum(terms.values()), "terms": terms}
    return known | {"rates": [0.1 / (step + 1), 0.5], "images_per_s": 10.0, "waited": 0.0}


def check(step: int, value: float, epoch: int = 0) -> dict[str, Any]:
    return {"stage": "all", "epoch": epoch, "step": step, "val_mAP": value}


def drawn(axes: "Axes") -> list[tuple[list[float], list[float]]]:
    """Give steps and values of every line that has any."""
    found = [(np.asarray(one.get_xdata()).tolist(), np.asarray(one.get_ydata()).tolist()) for one in axes.lines]
    return [(across, up) for across, up in found if across]


def test_terms_rates_and_validation_stand_at_their_steps() -> None:
    lines = [line(0, a=3.0, b=1.0), line(20, a=2.0, b=0.5), check(29, 0.25), line(40, "all", 1, a=1.0, b=0.25)]
    lines.append(check(59, 0.5, 1))
    made = learning.draw("x", lines)
    losses, rates, validation = made.axes
    values = [[4, 2.5, 1.25], [3, 2, 1], [1, 0.5, 0.25]]
    assert drawn(losses) == [([0, 20, 40], up) for up in values]
    legend = losses.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["loss", "a", "b"]
    assert drawn(rates) == [([0, 20, 40], [0.1, 0.1 / 21, 0.1 / 41]), ([0, 20, 40], [0.5] * 3)]
    assert drawn(validation) == [([29, 59], [25, 50])]
    assert validation.get_title(loc="left") == "validation mAP in %, at best 50.0 in epoch 2"


def test_one_term_is_the_loss_and_without_validation_there_is_no_plot_of_it() -> None:
    made = learning.draw("x", [line(0, a=3.0), line(1, a=2.0)])
    assert len(made.axes) == 2
    assert drawn(made.axes[0]) == [([0, 1], [3, 2])]


def test_stages_follow_each_other_and_no_line_joins_them() -> None:
    lines = [line(step, "first", a=1.0) for step in (0, 5, 9)] + [line(step, "second", b=2.0) for step in (0, 5)]
    assert learning.places(lines).tolist() == [0, 5, 9, 10, 15]
    made = learning.draw("x", lines)
    whole, parts = ([0.0, 5.0, 9.0], [10.0, 15.0]), drawn(made.axes[0])
    assert all(across in (*whole, [9.5, 9.5]) for across, _ in parts)
    assert [sum(across == steps for across, _ in parts) for steps in whole] == [2, 2]  # the loss, and a term
    assert [text.get_text() for text in made.axes[0].texts] == ["first", "second"]


def test_rates_may_have_names() -> None:
    lines = [line(step, a=1.0, b=1.0) | {"rates": {"body": 0.1, "_centres": 0.5}} for step in range(3)]
    legend = learning.draw("x", lines).axes[1].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["body", " _centres"]


def test_rates_that_differ_much_are_drawn_in_powers_of_ten() -> None:
    scales = [
        learning.draw("x", [line(0, a=1.0) | {"rates": [rate, 0.0]} for rate in rates]).axes[1].get_yscale()
        for rates in ([0.1, 0.02], [0.1, 0.001])
    ]
    assert scales == ["linear", "log"]


@given(values=st.lists(st.floats(-10, 10), min_size=1, max_size=30), half=st.integers(0, 6))
def test_a_running_mean_is_that_of_the_neighbours_there_are(values: list[float], half: int) -> None:
    got = learning.running(np.array(values), 2 * half + 1)
    slow = [np.mean(values[max(place - half, 0) : place + half + 1]) for place in range(len(values))]
    np.testing.assert_allclose(got, slow, atol=1e-9)


def test_many_values_are_drawn_under_their_running_mean() -> None:
    few, many = (
        learning.draw("x", [line(step, a=float(step % 2)) for step in range(number)]).axes[0]
        for number in (learning.MANY - 1, learning.MANY)
    )
    assert [len(drawn(axes)) for axes in (few, many)] == [1, 2]
    (_, plain), (_, mean) = drawn(many)
    assert plain == [step % 2 for step in range(learning.MANY)]
    np.testing.assert_allclose(mean, learning.running(np.array(plain), 3))


@pytest.mark.parametrize("lines", [[], [check(3, 0.5)]])
def test_without_a_step_it_says_so(lines: list[dict[str, Any]]) -> None:
    made = learning.draw("x", lines)
    assert [text.get_text() for text in made.axes[0].texts] == ["no step was logged"]
    made.canvas.draw()


def test_texts_lie_in_the_figure_and_plots_in_order(tmp_path: Path) -> None:
    terms = {f"term {name}_": 1.0 for name in range(9)}
    lines = [line(step, f"${step // 10}$") | {"loss": 9.0, "terms": terms} for step in range(30)]
    made = learning.draw("a $very long title " * 12, [*lines, check(30, 0.1)])
    made.canvas.draw()
    boxes = [axes.get_position() for axes in made.axes]
    assert all(above.y0 > below.y1 for above, below in pairwise(boxes))
    assert style.save(made, tmp_path / "a.png").exists()


def test_a_log_is_read_up_to_where_a_kill_cut_it(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    lines = [line(0, a=1.0), line(20, a=0.5)]
    whole = "".join(json.dumps(one) + "\n" for one in lines)
    path.write_text(whole)
    assert learning.read(path) == lines
    path.write_text(whole[:-9])
    assert learning.read(path) == lines[:1]
    path.write_text(whole[:-1])
    assert learning.read(path) == lines


@pytest.mark.parametrize("text", ["{\n", '{"loss": 1}\n', "[]\n", "\n"])
def test_what_is_no_log_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(line(0, a=1.0)) + "\n" + text)
    with pytest.raises(UserError, match="line 2 is no"):
        learning.read(path)
