"""Who is ranked, who is tested against whom, and which places follow from the tests.

A place is a claim: a row stands below the leader only where the paired test over five seeds says so. Rows that it does
not separate from the leader share the first place; rows of fewer seeds have none.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from benchmark import differences
from benchmark.differences import ALPHA, SEEDS
from leaderboards import history
from leaderboards.store import Row

Group = tuple[str, str]  # lists_sha256, protocol_sha256: only runs of one group meet
Place = tuple[str, str, str | None, str | None]  # cut, scheme, level of the queries, level of the positives
Key = tuple[Place, str]  # a cell and its metric


class Sorted(NamedTuple):
    """The runs of a group: those that count, and the others, each with the reason."""

    counted: list[Row]
    others: list[tuple[Row, str]]


class Task(NamedTuple):
    """One test: whether a configuration is better than a rival by this metric in this cell."""

    leader: str
    rival: str
    place: Place
    metric: str


class Outcome(NamedTuple):
    """What a test against the leader of a column found: the leader less the other."""

    difference: float
    low: float | None
    high: float | None
    p: float  # the larger of the two
    corrected: float  # Holm, over its family in the table


class Tested(NamedTuple):
    """What the tests of one table say."""

    tests: int
    beaten: frozenset[str]  # the leader of the order is better than they
    untested: frozenset[str]  # by five seeds; nobody knows
    bold: Mapping[Key, str]  # who is better than all others
    outcomes: Mapping[tuple[Key, str], Outcome]  # by column, and by whom its leader was tested against


def groups(rows: Iterable[Row]) -> dict[Group, list[Row]]:
    """Put runs of equal lists and equal protocol together."""
    found: dict[Group, list[Row]] = {}
    for row in rows:
        found.setdefault((str(row.get("lists_sha256")), str(row.get("protocol_sha256"))), []).append(row)
    return found


def divided(rows: Sequence[Row]) -> Sorted:
    """Divide a group's runs: what may be ranked, once a configuration and seed; who runs one again shows the first."""
    counted, others = dict[tuple[str, int | None], Row](), list[tuple[Row, str]]()
    made = dict[tuple[object, ...], Row]()  # of weights or vectors, and how they were ranked
    measured: str | None = None
    for row in sorted(rows, key=age):
        reason = history.unranked(row)
        if not reason:
            measured = measured or row.get("measures_sha256")
            reason = _again(row, counted, measured) or _copied(row, made)
        if reason:
            others.append((row, reason))
        else:
            counted[row["config_id"], row.get("seed")] = row
            made |= dict.fromkeys(_origins(row).values(), row)
    return Sorted(list(counted.values()), others)


def configurations(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Put the seeds of a configuration together, in their order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row.get("config_id")), []).append(row)
    return {config: sorted(own, key=lambda row: (_seed(row), age(row))) for config, own in found.items()}


def leader(values: Mapping[str, float]) -> str | None:
    """Find the highest value; of equal ones the same every time."""
    return min(values, key=lambda config: (-values[config], config)) if values else None


def placed(rows: Mapping[str, Sequence[Row]]) -> frozenset[str]:
    """Find the configurations with five seeds or more: only they have places, lead, and are bold."""
    return frozenset(config for config, own in rows.items() if len({row.get("seed") for row in own}) >= SEEDS)


def testable(rows: Mapping[str, Sequence[Row]], one: str, other: str) -> bool:
    """Say whether two configurations have five seeds in common."""
    seeds = [{row.get("seed") for row in rows[config]} for config in (one, other)]
    return len(seeds[0] & seeds[1]) >= SEEDS


def tested(
    values: Mapping[Key, Mapping[str, float]],
    order: Mapping[str, float],
    key: Key,
    against: Callable[[str], Mapping[Task, Row]],
) -> Tested:
    """Test the leader of every column against all others, and in the cell `key` the leader of the order.

    `against` gives the tests of a leader against all whom it can be tested against. Tests of a metric are corrected
    together, those of the whole and those of levels. Under 30 identities there is no test. Who has fewer than five
    seeds must be in no values: a lucky one would lead, and as nobody can be tested against it, take all places away.
    """
    columns = {one: _tasks(own, one) for one, own in values.items()}
    asked = {task.rival: task for task in _tasks(order, key)}
    tasks = dict.fromkeys(task for own in (*columns.values(), asked.values()) for task in own)
    found = {task: row for task in tasks if (row := against(task.leader).get(task)) and not math.isnan(_larger(row))}
    better = claims(found)
    bold = {one: own[0].leader for one, own in columns.items() if own and all(better.get(task) for task in own)}
    return Tested(
        tests=len(found),
        beaten=frozenset(other for other, task in asked.items() if better.get(task)),
        untested=frozenset(other for other, task in asked.items() if task not in found),
        bold=bold,
        outcomes=_outcomes(found, [task for own in columns.values() for task in own]),
    )


def claims(tests: Mapping[Task, Row]) -> dict[Task, bool]:
    """Say of each test whether the leader is better, after Holm's correction for all tests of its family.

    The tests of the whole are a family, so that what is said of it does not hang on which levels stand beside it; those
    of all levels are another. The larger p counts: the one that draws seeds too, and the one that supposes no
    distribution.
    """
    return {task: _better(tests[task], p) for task, p in _corrected(tests).items()}


def places(values: Mapping[str, float], beaten: Collection[str]) -> dict[str, str]:
    """Give every configuration its place by value: 1 is shared by all that the leader is not shown to be better than.

    Who is beaten has the number of those above it plus one.
    """
    order = sorted(values, key=lambda config: (-values[config], config))
    first = [config for config in order if config not in beaten]
    shared = "=1" if len(first) > 1 else "1"
    above = {value: place for place, value in reversed(list(enumerate(values[config] for config in order)))}
    return {config: shared if config in first else str(above[values[config]] + 1) for config in order}


def _corrected(tests: Mapping[Task, Row]) -> dict[Task, float]:
    """Correct the larger p of every test for all tests of its family."""
    made = dict.fromkeys(tests, math.nan)
    for family in {_family(task) for task in tests}:
        own = [task for task in tests if _family(task) == family]
        corrected = differences.holm(np.array([_larger(tests[task]) for task in own]))
        made |= {task: float(p) for task, p in zip(own, corrected, strict=True)}
    return made


def _outcomes(found: Mapping[Task, Row], tasks: Iterable[Task]) -> dict[tuple[Key, str], Outcome]:
    corrected = _corrected(found)
    return {
        ((task.place, task.metric), task.rival): Outcome(
            row["difference"], row.get("ci_lo"), row.get("ci_hi"), _larger(row), corrected[task]
        )
        for task in tasks
        if (row := found.get(task))
    }


def _tasks(values: Mapping[str, float], key: Key) -> list[Task]:
    """Set the leader of some values against all others."""
    first = leader(values)
    return [Task(str(first), other, *key) for other in values if other != first]


def _family(task: Task) -> tuple[str, bool]:
    return task.metric, task.place[0] == "all"


def _again(row: Row, counted: Mapping[tuple[str, int | None], Row], measured: str | None) -> str:
    if row.get("measures_sha256") not in (None, measured):
        return "its lists were measured otherwise than those of the others"
    if (row["config_id"], row.get("seed")) not in counted:
        return ""
    seed = "the run without a seed" if row.get("seed") is None else f"seed {row['seed']}"
    return f"{seed} was run again; the first counts"


def _copied(row: Row, made: Mapping[tuple[object, ...], Row]) -> str:
    """Look for a counted run of the same network: five seeds of one network are one seed."""
    found = ((words, made[key]) for words, key in _origins(row).items() if key in made)
    return next((f"has the {words} of run {other['run_id'][:8]}" for words, other in found), "")


def _origins(row: Row) -> dict[str, tuple[object, ...]]:
    """Give what a run's ranks come from; one network that is ranked in another way is another configuration."""
    names = {"weights": "ckpt_sha256", "vectors": "features_sha256"}
    return {words: (name, row[name], *how(row)) for words, name in names.items() if row.get(name)}


def how(row: Row) -> tuple[object, ...]:
    """Say how a network's ranks came about; runs of one configuration agree in it."""
    return tuple(row.get(name) for name in ("metric", "rerank", "flip_tta", "input_h", "input_w"))


def age(row: Row) -> tuple[str, str]:
    """Give the order of runs: who began first."""
    return str(row.get("started_at") or ""), str(row["run_id"])


def _seed(row: Row) -> int:
    return -1 if row.get("seed") is None else int(row["seed"])


def _larger(test: Row) -> float:
    known = [test.get(name) for name in ("p", "p_flip")]
    return max((math.nan if p is None else float(p) for p in known), key=lambda p: math.inf if math.isnan(p) else p)


def _better(test: Row, p: float) -> bool:
    """Apply the rule of `differences.claim`: five seeds of one sign, an interval without 0, and p after Holm."""
    low = test.get("ci_lo")
    enough = test["seeds"] >= SEEDS and test["same_sign"] and p <= ALPHA
    return bool(enough and low is not None and low > 0)
