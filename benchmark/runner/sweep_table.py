"""The tables of a sweep on the terminal: what every recipe reaches, and how it differs from the first."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmark import compare_table, statistics, tables
from benchmark.compare import Line
from benchmark.differences import detectable
from benchmark.runner.sweep_results import METRICS, Found, Reached, mean

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("recipe", "method", *(name for metric in METRICS for name in (metric, "over\nseeds")), "seeds", "train s")
AGAINST = ("A", "metric", "A - B", "95 %", "p", "p\nHolm", "p\nflips", "seeds", "agree", "least\nfound", "A is")
READING = (
    "In percent and points. over seeds: standard deviation. 95 %: what other seeds and other people would give; none "
    "under 30 identities. p Holm corrects the larger p for the number of recipes. least found: the true difference "
    "that 4 of 5 such comparisons would find."
)


def lines(found: Found) -> Iterator["Table | str"]:
    """Give the tables and the sentences between them, in order."""
    if found.reached:
        yield tables.table(COLUMNS, [_reached(one) for one in found.reached])
    yield from found.notes
    if found.compared:
        cells = [[name, *_compared(line)] for name, one in found.compared.items() for line in one.lines]
        yield tables.table(AGAINST, cells, f"B: {found.reached[0].name}")
        yield from (compare_table.sentence(one) for one in found.compared.values())
        yield READING


def duration(seconds: float) -> str:
    """Print seconds as a person would say them."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _reached(one: Reached) -> list[str]:
    scores = [_points(number) for metric in METRICS for number in _spread(one, metric)]
    seconds = mean(one.values("train_s"))
    took = "-" if math.isnan(seconds) else f"{seconds:,.0f}"
    return [one.name, one.common("method") or "-", *scores, f"{len(one.bundles)}", took]


def _spread(one: Reached, metric: str) -> tuple[float, float]:
    values = one.values(metric)
    return mean(values), statistics.sd(values)


def _compared(line: Line) -> list[str]:
    one = line.found
    chances = [compare_table.chance(p) for p in (one.p, line.p_holm, one.p_flip)]
    agree = "yes" if one.same_sign else "no"
    least = _points(detectable(one.se, one.df))
    gained = f"{100 * one.difference:+.2f}"
    return [line.metric, gained, compare_table.interval(one), *chances, f"{one.seeds}", agree, least, line.claim or "-"]


def _points(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.2f}"
