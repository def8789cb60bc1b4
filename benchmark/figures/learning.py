"""How a training went: loss and terms, learning rates, and the validation where there was one, over its steps."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmark import durable
from benchmark.errors import UserError
from benchmark.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MANY = 80  # lines of a log: from here on a running mean is drawn over the values
WINDOW = 0.04  # of the lines, that a running mean goes over
DECADES = 1.5  # rates that differ by more are drawn in powers of ten
LETTERS_OF_TITLE = 90
MARKS = ("-", "--", ":", "-.")  # with the colours they tell many terms apart

Line = Mapping[str, Any]
Floats = NDArray[np.float64]


def read(path: Path) -> list[Line]:
    """Read a log: one JSON object a line, where the last one may have been cut by a kill."""
    *texts, rest = durable.read_bytes(path).split(b"\n")
    lines = [_line(path, number, text) for number, text in enumerate(texts, 1)]
    try:
        return [*lines, json.loads(rest)] if rest else lines
    except ValueError:
        return lines


def draw(title: str, lines: Sequence[Line]) -> "Figure":
    """Draw one plot over the other, all over the same steps; a line parts two stages."""
    panels = [
        (_losses, 3.0),
        (_rates, 1.7),
        *([(_validation, 1.9)] if any("val_mAP" in line for line in lines) else []),
    ]
    heights = [height for _, height in panels]
    made = style.figure(9, 0.7 + sum(heights), fill(title, LETTERS_OF_TITLE))
    every = made.subplots(len(panels), 1, height_ratios=heights, sharex=True, squeeze=False).ravel()
    if not any("loss" in line for line in lines):
        style.say(every[0], "no step was logged")
        for axes in every[1:]:
            axes.set_axis_off()
        return made
    steps = places(lines)
    for axes, (panel, _) in zip(every, panels, strict=True):
        panel(axes, lines, steps)
        _part(axes, lines, steps, named=axes is every[0])
        axes.grid(axis="y", color=style.GREY, linewidth=0.4, alpha=0.6)
    every[-1].set_xlabel("step", fontsize=style.SMALL)
    every[-1].xaxis.get_major_locator().set_params(integer=True)
    if np.ptp(steps) == 0:
        every[-1].set_xlim(steps[0] - 1, steps[0] + 1)
    return made


def places(lines: Sequence[Line]) -> Floats:
    """Count the steps over all stages: those of a stage begin at 0 again in the log."""
    found, offset, last, stage = [], 0, -1, None
    for line in lines:
        if line["stage"] != stage:
            offset, stage = offset + last + 1, line["stage"]
        last = int(line["step"])
        found.append(offset + last)
    return np.array(found, np.float64)


def running(values: Floats, window: int) -> Floats:
    """Average every value with its neighbours; at the ends there are fewer."""
    half = window // 2
    sums = np.concatenate([[0.0], np.cumsum(values)])
    place = np.arange(len(values))
    low, high = np.maximum(place - half, 0), np.minimum(place + half + 1, len(values))
    return np.asarray((sums[high] - sums[low]) / (high - low))


def _losses(axes: "Axes", lines: Sequence[Line], steps: Floats) -> None:
    names = list(dict.fromkeys(name for line in lines for name in line.get("terms", {})))
    # One term is the loss.
    series = {"loss": np.array([line.get("loss", np.nan) for line in lines], np.float64)}
    if len(names) > 1:
        series |= {name: np.array([line.get("terms", {}).get(name, np.nan) for line in lines]) for name in names}
    for place, (name, values) in enumerate(series.items()):
        colour = style.SERIES[(place - 1) % 6] if place else style.BLACK
        look = colour, MARKS[(place - 1) // 6 % len(MARKS)] if place else "-"
        _curve(axes, steps, values, _stages(lines), look)
        axes.plot([], [], look[1], color=colour, linewidth=1.6, label=_shown(name))
    style.plain(axes, "loss and its terms" if len(names) > 1 else "loss", "", "")
    _legend(axes)


def _rates(axes: "Axes", lines: Sequence[Line], steps: Floats) -> None:
    found = [_named(line.get("rates", {})) for line in lines]
    names = list(dict.fromkeys(name for rates in found for name in rates))
    for place, name in enumerate(names):
        values = np.array([rates.get(name, np.nan) for rates in found], np.float64)
        drawn = ~np.isnan(values)
        mark = MARKS[place % len(MARKS)]
        (line,) = axes.plot(steps[drawn], values[drawn], mark, color=style.SERIES[place % 7], label=_shown(name))
        line.set(linewidth=1.4, marker="o" if drawn.sum() == 1 else "", markersize=4)
    every = np.array([value for rates in found for value in rates.values() if value > 0])
    if len(every) and np.log10(every.max() / every.min()) > DECADES:
        axes.set_yscale("log")
        axes.minorticks_off()
    style.plain(axes, "learning rate", "", "")
    if len(names) > 1:
        _legend(axes, "best")


def _validation(axes: "Axes", lines: Sequence[Line], steps: Floats) -> None:
    values = np.array([line.get("val_mAP", np.nan) for line in lines], np.float64)
    known = ~np.isnan(values)
    axes.plot(steps[known], 100 * values[known], "o-", color=style.GREEN, markersize=4, linewidth=1.4)
    best = np.flatnonzero(known)[np.argmax(values[known])]
    said = f"validation mAP in %, at best {100 * values[best]:.1f} in epoch {int(lines[best]['epoch']) + 1}"
    style.plain(axes, said, "", "")


def _curve(axes: "Axes", steps: Floats, values: Floats, stages: Sequence[slice], look: tuple[str, str]) -> None:
    """Draw one term, a line a stage; where there are many values, their running mean over them."""
    colour, mark = look
    many = (~np.isnan(values)).sum() >= MANY
    for stage in stages:
        known = ~np.isnan(values[stage])
        across, up = steps[stage][known], values[stage][known]
        if many:
            axes.plot(across, up, color=colour, linewidth=0.7, alpha=0.25)
            up = running(up, max(int(WINDOW * len(up)), 3) | 1)
        axes.plot(across, up, mark, color=colour, linewidth=1.6, marker="o" if len(up) == 1 else "", markersize=4)


def _part(axes: "Axes", lines: Sequence[Line], steps: Floats, *, named: bool) -> None:
    """Draw a line where a stage begins, and name the stages over the first plot."""
    begins = [stage.start for stage in _stages(lines)]
    for place in begins if len(begins) > 1 else ():
        if place:
            axes.axvline((steps[place - 1] + steps[place]) / 2, color=style.BLACK, linewidth=0.8, linestyle=":")
        if named:
            axes.annotate(
                str(lines[place]["stage"]),
                (steps[place], 1),
                xycoords=("data", "axes fraction"),
                xytext=(3, -3),
                textcoords="offset points",
                va="top",
                fontsize=style.SMALL,
                parse_math=False,
            )


def _stages(lines: Sequence[Line]) -> list[slice]:
    """Give the lines of every stage."""
    begins = [place for place, line in enumerate(lines) if not place or line["stage"] != lines[place - 1]["stage"]]
    return [slice(first, last) for first, last in pairwise([*begins, len(lines)])]


def _legend(axes: "Axes", place: Literal["upper right", "best"] = "upper right") -> None:
    legend = axes.legend(fontsize=style.SMALL, frameon=False, ncols=2, loc=place)
    style.literal(legend.get_texts())


def _named(rates: Mapping[str, float] | Sequence[float]) -> dict[str, float]:
    """Name rates that only stand in an order."""
    if isinstance(rates, Mapping):
        return dict(rates)
    return {f"group {place}": rate for place, rate in enumerate(rates, 1)}


def _shown(name: str) -> str:
    return f" {name}" if name.startswith("_") else name  # a legend hides names that begin so


def _line(path: Path, number: int, text: bytes) -> Line:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UserError(f"{path}: line {number} is not JSON: {error}") from None
    if not isinstance(found, dict) or not {"stage", "epoch", "step"} <= set(found):
        raise UserError(f"{path}: line {number} is no line of a training's log: stage, epoch and step are needed")
    return found
