"""A comparison on the terminal: what can be said of it in a sentence, the whole, then every level."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmark import tables
from benchmark.compare import Comparison, Line
from benchmark.console import count
from benchmark.differences import ALPHA, SEEDS, Difference, detectable
from benchmark.sides import listed

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("A", "B", "A - B", "95 %", "p", "p\nHolm", "p\nflips", "seeds\nagree", "queries", "identi-\nties", "A is")
MANY = 16  # cells that a person still reads
CUTS = {
    "query": "queries by {}",
    "pos": "positives by {}, all negatives kept",
    "pair_pos": "query -> positive by {}, all negatives kept",
}
READING = (
    "In percent and points. 95 %: what other seeds and other people would give, with this gallery (variance "
    "components, t quantile); of one seed it is of other people alone; none under 30 identities. p goes with it; "
    "p flips turns the sign of identities and takes the seeds as they are; p Holm corrects the larger of the two for "
    "the levels of a scheme. Levels are made of different queries: differences between them are associations."
)


def lines(found: Comparison) -> Iterator["Table | str"]:
    """Give the tables of a comparison and the sentences between them, in order."""
    yield from found.notes
    whole = [line for line in found.lines if line.cut == "all"]
    yield tables.table(("metric", *COLUMNS), [[line.metric, *_cells(line)] for line in whole], _caption(found))
    yield sentence(found)
    yield from _spreads(found, next(line for line in whole if line.metric == "mAP"))
    levels = [line for line in found.lines if line.cut != "all" and line.metric == "mAP"]
    for cut, scheme in dict.fromkeys((line.cut, line.scheme_id) for line in levels):
        own = [line for line in levels if (line.cut, line.scheme_id) == (cut, scheme)]
        title = "mAP, " + CUTS[cut].format(" x ".join(part.split("@")[0] for part in scheme.split("+")))
        if len(own) > MANY:
            yield f"{title}: {len(own)} cells, too many for a terminal"
            continue
        yield tables.table(("level", *COLUMNS), [[_level(line), *_cells(line)] for line in own], title)
    yield READING


def sentence(found: Comparison, metric: str = "mAP") -> str:
    """Say in one line what may be said: better and worse need five seeds that agree, and an interval without 0."""
    line = next(line for line in found.lines if line.cut == "all" and line.metric == metric)
    (a, b), one = _names(found), line.found
    support = f"{count(one.seeds, 'seed')}, {one.identities:,} identities"
    points = f"{abs(100 * one.difference):.2f} points of {metric}"
    if one.method == "none":
        return f"{a} against {b}: n too small, {one.identities} identities; no interval and no test under 30"
    if line.claim:
        return f"{a} is {line.claim} than {b} by {points} (95 % {interval(one)}; {support})"
    if one.seeds < SEEDS:
        if one.difference == 0:
            return f"{a} and {b} have the same {metric} ({support})"
        word = "more" if one.difference > 0 else "less"
        return f"{a} has {points} {word} than {b} (95 % {interval(one)}; {support}); a claim needs {SEEDS} seeds"
    return f"no difference between {a} and {b} is shown: {_doubt(line)} (95 % {interval(one)}; {support})"


def _names(found: Comparison) -> tuple[str, str]:
    if found.a.method != found.b.method:
        return found.a.method, found.b.method
    a, b = (f"{one.method} ({one.folder.name})" for one in (found.a, found.b))
    return a, b


def _doubt(line: Line) -> str:
    if line.found.low <= 0 <= line.found.high:
        return "the interval holds 0"
    if not line.found.same_sign:
        return "the seeds do not agree"
    return f"p after Holm is {chance(line.p_holm)}, above {ALPHA}"


def _caption(found: Comparison) -> str:
    sides = "\n".join(
        f"{name}: {one.method}, {one.folder}, {listed(found.seeds)}" for name, one in (("A", found.a), ("B", found.b))
    )
    trials = f", {found.trials} trials" if found.trials > 1 else ""
    return f"{sides}\nby {found.protocol}{trials}, lists {found.lists_sha256[:8]}, protocol {found.protocol_sha256[:8]}"


def _spreads(found: Comparison, line: Line) -> Iterator[str]:
    """Say what moves mAP: each spread under its own name."""
    one = line.found
    for name, a, b, what in (
        ("sd_seeds", one.sd_seeds_a, one.sd_seeds_b, "over seeds"),
        ("sd_trials", line.sd_trials_a, line.sd_trials_b, "over trials"),
    ):
        if not math.isnan(a):
            yield f"{what} mAP moves by {100 * a:.2f} (A) and {100 * b:.2f} (B) points ({name})"
    if not math.isnan(found.icc[0] + found.icc[1]):
        yield f"likeness of the queries of one identity (icc) {found.icc[0]:.2f} (A) and {found.icc[1]:.2f} (B)"
    least = 100 * detectable(one.se, one.df)
    if not math.isnan(least):
        yield f"a true difference of {least:.2f} points of mAP would be found in 4 of 5 such comparisons (p of {ALPHA})"


def _cells(line: Line) -> list[str]:
    one = line.found
    scores = [f"{100 * one.a:.1f}", f"{100 * one.b:.1f}", f"{100 * one.difference:+.2f}"]
    chances = [chance(one.p), chance(line.p_holm), chance(one.p_flip)]
    agree = "yes" if one.same_sign else "no"
    return [*scores, interval(one), *chances, agree, f"{one.queries:,}", f"{one.identities:,}", line.claim or "-"]


def interval(one: Difference) -> str:
    """Print a 95 % interval in points."""
    return "-" if math.isnan(one.low) else f"{100 * one.low:+.2f} to {100 * one.high:+.2f}"


def chance(value: float) -> str:
    """Print a p."""
    return "-" if math.isnan(value) else "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0")


def _level(line: Line) -> str:
    q, g = line.q_stratum, line.g_stratum
    return q or "" if g is None else f"{q} -> {g}" if q is not None else f"-> {g}"
