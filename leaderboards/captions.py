"""What is said under a table, so that it can be read alone: of what it is, what its signs mean, what was not tested."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.console import count
from benchmark.cuts import Cut
from benchmark.differences import SEEDS
from benchmark.statistics import MANY_IDENTITIES, MIN_IDENTITIES
from leaderboards.ranking import Tested

if TYPE_CHECKING:
    from leaderboards.tables import Column, Table

PAPERS = (
    "Numbers of papers have no place, no interval and no test; where the AP rule is not discrete, or not known, their "
    "mAP is not measured as ours is."
)
WORLD = "A procedural world: this is evidence about code and synthesiser, and says nothing about real night."

_MEANING = {
    "mAP": "discrete AP over valid queries",
    "mAP_trapz": "AP by the trapezoid rule over valid queries, beside and never instead of mAP",
    "mAP_id_macro": "mean over people of the mean AP of their queries",
}


@dataclass(frozen=True)
class Facts:
    """What a table does not hold itself."""

    order: "Column | None"
    cut: Cut | None
    tested: Tested
    left_out: int  # configurations that are not ranked, and not shown
    rank_by: str
    drawn: tuple[int, int] | None  # how often, and with which seed, for intervals


def lines(table: "Table", facts: Facts) -> Iterator[str]:
    """Give the sentences under a table."""
    yield _where(table)
    if table.columns:
        yield _numbers(table, facts)
    if table.ranked and facts.order:
        yield _order(table, facts)
        yield _tests(table, facts)
    if any(column.place[0] == "worst" for column in table.columns):
        yield (
            f"worst level: the lowest of those with {MIN_IDENTITIES} people or more; its interval is that of the "
            "minimum, whichever level that is. It is never bold."
        )
    if facts.cut is not None:
        yield "Negatives are never cut. Levels hold different queries: differences between them are associations."
    if facts.rank_by != table.metric:
        yield f"This protocol ranks by {facts.rank_by}."
    if table.apart:
        yield f"Not ranked: {_apart(facts)}the reason stands beside each."
    if table.where.eval_set.startswith("street"):
        yield WORLD


def _where(table: "Table") -> str:
    where = table.where
    hashes = f"lists {where.lists_sha256[:8]}, protocol {where.protocol_sha256[:8]}"
    return f"Board {where.board}, {hashes}; {_seeds(table)}."


def _seeds(table: "Table") -> str:
    counts = sorted({line.seeds for line in (*table.ranked, *table.apart)})
    if not counts:
        return "no run with numbers"
    few = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{few} seed{'s' if counts[-1] > 1 else ''} a row"


def _numbers(table: "Table", facts: Facts) -> str:
    meaning = f" ({_MEANING[table.metric]})" if table.metric in _MEANING else ""
    said = f"{table.metric}{meaning} in percent: mean over seeds ± its standard deviation over seeds"
    if facts.drawn is None:
        return f"{said}; no interval, since no cell has {MIN_IDENTITIES} people."
    how = f"percentiles of {facts.drawn[0]:,} draws, seed {facts.drawn[1]}; BCa under {MANY_IDENTITIES} people"
    return f"{said}; then what other people would give: 95 % over identities ({how}; none where n < {MIN_IDENTITIES})."


def _order(table: "Table", facts: Facts) -> str:
    by = (
        f"the worst level of 30 people or more of {table.metric}" if _worst(facts) else f"{table.metric} of all queries"
    )
    return (
        f"Ordered by {by}. chance: what a random order would give; positives: those of a query; evaluations: how often "
        "the method met these lists."
    )


def _tests(table: "Table", facts: Facts) -> str:
    if len(table.ranked) < 2:
        return "One row is ranked: nothing is tested and nothing is bold."
    if not facts.tested.tests:
        return (
            f"No two rows have {SEEDS} seeds in common, so nothing is tested: all share a place, and nothing is bold."
        )
    where = " in the worst level of the leader" if _worst(facts) else ""
    said = (
        f"=1: the paired test over {SEEDS} seeds or more{where} does not show the leader to be better; other places "
        "are counted, not tested. Bold or *: better than every other ranked row "
        f"({count(facts.tested.tests, 'test')} in this table; Holm over those of the whole, and over those of levels)."
    )
    untested = len(facts.tested.untested)
    if not untested:
        return said
    few = f"no test with the leader: fewer than {SEEDS} seeds in common, or n < 30. Untested rows share its place"
    return (
        f"{said} {count(untested, 'ranked row has', 'ranked rows have')} {few}, and nothing is bold where they stand."
    )


def _worst(facts: Facts) -> bool:
    return facts.order is not None and facts.order.place[0] == "worst"


def _apart(facts: Facts) -> str:
    return f"{facts.left_out} more are left out; " if facts.left_out else ""
