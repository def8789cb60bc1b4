"""What is said under a table, so that it can be read alone: of what it is, what its signs mean, what was not tested."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.console import count
from benchmark.differences import SEEDS
from benchmark.statistics import MANY_IDENTITIES, MIN_IDENTITIES
from leaderboards.ranking import Tested

if TYPE_CHECKING:
    from leaderboards.tables import Column, Table

PAPERS = (
    "Numbers of papers have no place, no interval and no test. Their mAP is as printed: where its AP rule is not "
    "discrete, it is not measured as our mAP is; where the rule is unknown, it may not be."
)
BELOW = "Numbers of papers stand under the table of the whole (overall)."
NO_RUN = "No run is on this board."
ALL_QUERIES = (
    "By this protocol a query without a positive counts as 0 in the numbers of all queries; not in mAP and "
    "mAP_id_macro, and not in levels."
)
WORLD = "A procedural world: this is evidence about code and synthesiser, and says nothing about real night."

_MEANING = {
    "mAP": "discrete AP over valid queries",
    "mAP_trapz": "AP by the trapezoid rule, beside and never instead of mAP",
    "mAP_id_macro": "mean over people of the mean AP of their queries",
}


@dataclass(frozen=True)
class Facts:
    """What a table does not hold itself."""

    order: "Column | None"
    tested: Tested
    placed: int  # rows of five seeds or more
    left_out: int  # configurations that are not ranked, and not shown
    rank_by: str
    drawn: tuple[int, int] | None  # how often, and with which seed, for intervals
    counts_all: bool  # a query without a positive is 0 in the numbers of the whole


def lines(table: "Table", facts: Facts) -> Iterator[str]:
    """Give the sentences under a table."""
    yield _where(table)
    if table.columns:
        yield _numbers(table, facts)
    if facts.counts_all:
        yield ALL_QUERIES
    if table.ranked and facts.order:
        yield _order(table, facts)
        yield from _tests(table, facts)
    if any(column.place[0] == "worst" for column in table.columns):
        yield (
            f"worst level: the lowest of those with {MIN_IDENTITIES} people or more; its interval is that of the "
            "minimum, whichever level that is. It is never bold."
        )
    elif table.cut is not None and table.cut.kind != "pair_pos" and table.metric != "mAP":
        yield f"There is no worst level of {table.metric}: only mAP has one."
    if table.cut is not None:
        yield "Negatives are never cut. Levels hold different queries: differences between them are associations."
    if facts.rank_by != table.metric:
        yield f"This protocol ranks by {facts.rank_by}."
    if table.apart:
        yield f"Not ranked: {_apart(facts)}the reason stands beside each."
    if table.where.eval_set.startswith("street"):
        yield WORLD


def elsewhere(rows: Mapping[str, int]) -> Iterator[str]:
    """Say how many rows of papers of the same set stand beside runs by other protocols."""
    if rows:
        found = [
            f"{count(number, 'row')} of papers stand{'s' if number == 1 else ''} under {name}"
            for name, number in rows.items()
        ]
        yield f"Of the same set {'; '.join(found)}."


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
        f"Ordered by {by}. chance: what a random order would give; queries: those with a positive; evaluations: how "
        "often the method met these lists."
    )


def _tests(table: "Table", facts: Facts) -> Iterator[str]:
    few = len(table.ranked) - facts.placed
    if not facts.placed:
        yield f"No row has {SEEDS} seeds, so nothing is placed, nothing is tested, and nothing is bold."
        return
    if few:
        has = "row has" if few == 1 else "rows have"
        yield (
            f"-: no place. {few} ranked {has} fewer than {SEEDS} seeds or no such number: such a row stands where its "
            "mean is, is in no test, and takes place and bold from nobody."
        )
    if facts.placed == 1:
        yield f"One row has {SEEDS} seeds or more: nothing is tested and nothing is bold."
    elif not facts.tested.tests:
        yield (
            f"No two rows have {SEEDS} seeds in common where n is 30 or more, so nothing is tested: rows of {SEEDS} "
            "seeds share a place, and nothing is bold."
        )
    else:
        yield from _tested(facts)


def _tested(facts: Facts) -> Iterator[str]:
    where = " in the worst level of the leader" if _worst(facts) else ""
    yield (
        f"=1: the paired test over {SEEDS} seeds or more{where} does not show the leader to be better; other places "
        "are counted, not tested."
    )
    yield (
        f"Bold: better than every other row of five seeds or more ({count(facts.tested.tests, 'test')} in this table; "
        "Holm over those of the whole, and over those of levels)."
    )
    if untested := len(facts.tested.untested):
        yield (
            f"{count(untested, 'row of five seeds has', 'rows of five seeds have')} no test with the leader: fewer "
            f"than {SEEDS} seeds in common, or n < 30. Untested rows share its place, and nothing is bold where they "
            "stand."
        )


def _worst(facts: Facts) -> bool:
    return facts.order is not None and facts.order.place[0] == "worst"


def _apart(facts: Facts) -> str:
    return f"{facts.left_out} more are left out; " if facts.left_out else ""
