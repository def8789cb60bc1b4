"""Every point value of a run computed again from its ranks, fast enough to do it for every run of a board.

An implementation of its own: nothing here calls what scored the run. What ranks do not tell (which identities stood
before a positive, which positive was tied, a cut by a column that the lists lack) is held against bounds, and noted.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from benchmark.errors import UserError, nearest
from benchmark.protocol import Junk
from benchmark.results import Bundle
from benchmark.schemas import SCORES
from leaderboards import light, recount_queries, recount_strata
from leaderboards.cells import Means
from leaderboards.expected import Expected, Listed, Rules
from leaderboards.recount_queries import SINGLE, Scored
from leaderboards.recount_strata import EXACT, Checked, Strata
from leaderboards.slices import Floats

Record = Mapping[str, Any]

_NOTHING = np.full(1, np.nan)
_UNKNOWN = (*SCORES, "n_query_tied", "sd_trials_mAP", "sd_trials_R1")

# The words that a record may use, and of some the only one that this version computes.
WORDS = {
    "ap_variant": ("discrete",),
    "tie_rule": ("pessimistic",),
    "cmc_kind": ("first", "dedup"),
    "invalid_query_policy": ("skip", "count"),
}


class Recounted(NamedTuple):
    """What is wrong with a run, and what could not be looked at, a line each."""

    problems: list[str]
    notes: list[str]
    strata: Checked | None = None  # what the ranks give; None where these cannot be what was ranked


class Shared:
    """What the runs on the same lists share: all that follows from lists and rules alone."""

    def __init__(self, lists: pa.Table) -> None:
        """Take `lists/1`; lists that can be those of no evaluation are refused."""
        self._listed = Listed(lists)
        self._made = dict[Rules, Strata]()

    def under(self, rules: Rules) -> Strata:
        """Give what the rules of a protocol make of the lists."""
        if rules not in self._made:
            expected = Expected(self._listed, rules)
            if not expected.valid.any():
                raise UserError("lists: no query has a positive in the gallery")
            self._made[rules] = Strata(expected)
        return self._made[rules]


def problems(bundle: Bundle, shared: Shared | None = None) -> Iterator[str]:
    """Say, a line each, what the record or the strata hold that the ranks do not give."""
    yield from recount(bundle, shared).problems


def recount(bundle: Bundle, shared: Shared | None = None) -> Recounted:
    """Compute a run again from its lists and ranks."""
    run, tables = bundle.run, bundle.tables
    try:
        strata = (shared or Shared(tables["lists"])).under(_rules(run))
    except UserError as error:
        return Recounted([str(error)], [])
    wrong, scored = recount_queries.check(tables["queries"], strata.expected)
    if scored is None:
        return Recounted(wrong, [])
    found = recount_strata.check(tables["strata"], strata, scored)
    wrong += [*found.problems, *_headline(run, _known(strata, scored, found.whole), strata.expected)]
    return Recounted(wrong, [*found.layout.notes, *_notes(strata.expected, scored)], found)


def _rules(run: Record) -> Rules:
    """Read the rules that a record names."""
    for name, allowed in WORDS.items():
        if run[name] not in allowed:
            raise UserError(f"{name} is {run[name]!r}; {nearest(str(run[name]), list(allowed))}")
    if run["junk_rule"] is None:
        raise UserError("junk_rule is not there, so what a query does not see cannot be known")
    return Rules(Junk.read(run["junk_rule"]), run["cmc_kind"], run["invalid_query_policy"], run.get("list_depth"))


def _headline(run: Record, known: Mapping[str, tuple[float, float]], expected: Expected) -> Iterator[str]:
    """Say which numbers of the record are not what the ranks give."""
    some = expected.rules.depth is not None  # then a number need not be known
    for name, (wanted, tolerance) in known.items():
        found = run.get(name)
        if found is None and (np.isnan(wanted) or (some and name in _UNKNOWN)):
            continue
        if found is None or not abs(found - wanted) <= tolerance:
            yield f"{name} is {found}, the ranks give {'none' if np.isnan(wanted) else f'{wanted:.12g}'}"


def _known(strata: Strata, scored: Scored, whole: Means) -> dict[str, tuple[float, float]]:
    """Give every number of the record that ranks decide, NaN where there is none, and how far it may be off."""
    made = {name: (float(values[0]), EXACT) for name, values in whole.values.items() if name in SCORES}
    made |= {f"sd_trials_{name}": (float(whole.spreads.get(name, _NOTHING)[0]), EXACT) for name in ("mAP", "R1")}
    made |= {name: (float(count), 0.0) for name, count in _counts(strata, scored).items()}
    if strata.expected.rules.depth is not None:
        return dict.fromkeys(SCORES, (np.nan, EXACT)) | made
    return made | _of_all(strata, scored)


def _of_all(strata: Strata, scored: Scored) -> dict[str, tuple[float, float]]:
    """Give what is averaged over queries in another way."""
    expected, ends = strata.expected, scored.ends[0]
    share = strata.whole.support[0].n_query / len(expected.listed.people)
    counted = share if expected.rules.invalid == "count" else 1.0
    return {
        "mAP_all": (_mean(expected, ends.of("mAP")) * share, EXACT),
        "mAP_trapz_all": (_mean(expected, ends.of("mAP_trapz")) * share, EXACT),
        "mAP_opt": (_mean(expected, scored.ap_opt), SINGLE),
        "R1_opt": (_mean(expected, (scored.first_opt == 1).astype(np.float64)) * counted, EXACT),
    }


def _counts(strata: Strata, scored: Scored) -> dict[str, int]:
    listed, support = strata.expected.listed, strata.whole.support[0]
    return {
        "n_query_total": len(listed.people),
        "n_query_valid": support.n_query,
        "n_query_tied": len(np.unique(listed.asked[scored.tied])),
        "n_gallery": strata.gallery,
        "n_id": support.n_id,
        "n_trials": len(listed.trials),
    }


def _mean(expected: Expected, values: Floats) -> float:
    """Average over the queries that have a positive."""
    return float(np.nanmean(light.averaged(expected, values)))


def _notes(expected: Expected, scored: Scored) -> Iterator[str]:
    if scored.tied.any():
        yield "which positives are tied is not stored: optimistic values are held against bounds only"
    if scored.identity.any():
        yield "ranks among identities are held against bounds only: who stood before a positive is not stored"
    if expected.rules.depth is not None:
        yield "only the first of each ranking are known: nothing but R1, R5 and R10 can be computed"
