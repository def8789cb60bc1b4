"""Every interval of a run drawn again with the draws and the seed that its rows name."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmark import scorecard, sides, strata_rows
from benchmark.protocol import Junk, Rules
from benchmark.results import Bundle
from benchmark.strata_rows import How
from leaderboards.cells import Cells

NEAR = 1e-6  # a last digit of a mean may move a draw by one place

_CELL = ("cut", "scheme_id", "q_stratum", "g_stratum", "metric")
_DRAWN = ("se", "ci_lo", "ci_hi")
_HOW = ("ci_method", "ci_B", "ci_seed")


def problems(bundle: Bundle, parts: Sequence[Cells]) -> Iterator[str]:
    """Say which intervals of a run come out otherwise, lack, or cannot be; its numbers were computed again before."""
    if bundle.run.get("list_depth") is not None:
        return
    stored = bundle.tables["strata"].to_pylist()
    drawn = {(row["ci_B"], row["ci_seed"]) for row in stored if row["ci_B"] is not None}
    if len(drawn) > 1:
        yield "strata: its intervals were drawn in more than one way"
        return
    for draws, seed in drawn:  # without intervals nothing says that there were to be some
        if seed is None:
            yield "strata: ci_seed is None, so its intervals cannot be drawn again"
            return
        fresh = {_cell(one): one for one in _drawn(bundle, parts, draws, seed).to_pylist()}
        for one in stored:
            if (other := fresh.get(_cell(one))) is not None:
                yield from _differing(one, other)


def _drawn(bundle: Bundle, parts: Sequence[Cells], draws: int, seed: int) -> pa.Table:
    run = bundle.run
    rules = Rules(junk=Junk.read(run["junk_rule"]), cmc=run["cmc_kind"], invalid_queries=run["invalid_query_policy"])
    trials = sides.trials(bundle, Path(run["run_id"]))
    known = scorecard.queries(trials)
    cells = scorecard.cells(trials, [part.cut for part in parts], known, rules)
    return strata_rows.table(trials, cells, known, rules, run["run_id"], How(draws, seed))[0]


def _differing(stored: dict[str, Any], fresh: dict[str, Any]) -> Iterator[str]:
    for name in _DRAWN:
        found, wanted = stored[name], fresh[name]
        if (found is None) != (wanted is None) or (found is not None and not abs(found - wanted) <= NEAR):
            yield f"strata: {_words(stored)}: {name} is {found}, drawn again {wanted}"
    for name in _HOW:
        if stored[name] != fresh[name]:
            yield f"strata: {_words(stored)}: {name} is {stored[name]}, drawn again {fresh[name]}"


def _cell(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _CELL)


def _words(row: dict[str, Any]) -> str:
    return " ".join(str(word) for word in _cell(row))
