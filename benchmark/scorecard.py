"""What the ranks of all trials come to: a value for every query in every cell.

Everything here follows from ranks and `lists/1` alone, so whoever holds a bundle can compute it again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark import cuts, metrics
from benchmark.cuts import Cut
from benchmark.protocol import Rules
from benchmark.ranking import Ranking

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RANKS = (1, 5, 10)
_FIRSTS = {f"R{k}": k for k in RANKS}


@dataclass(frozen=True, eq=False)
class Trial:
    """The lists of one trial, as tables of `lists/1` with what further columns are cut by, and their ranks."""

    number: int
    query: pa.Table
    gallery: pa.Table
    ranking: Ranking
    shots: Floats | None = None  # (queries, ranks): the expected single-gallery-shot CMC


@dataclass(frozen=True, eq=False)
class Queries:
    """All queries of all trials, each once."""

    image_ids: list[str]
    identities: Ints  # a number for every (id_space, pid)
    places: tuple[Ints, ...]  # of every trial: the position here of each of its queries

    def __len__(self) -> int:
        """Count them."""
        return len(self.image_ids)


@dataclass(frozen=True, eq=False)
class Cell:
    """One level of one cut, or the whole: the queries with a positive in it, and a value for each of them."""

    cut: Cut
    q: int
    g: int
    queries: Ints  # positions among all queries, ascending
    values: Mapping[str, Floats]  # of these queries, averaged over the trials
    trials: Mapping[str, Floats]  # the mean of every trial
    pairs: int  # of a query and its positive, averaged over the trials as the values are
    gallery: int

    def spread(self, name: str, known: Queries, absent: float = np.nan) -> Floats:
        """Give a value for every query of all; those without a positive here have `absent`."""
        found = np.full(len(known), absent)
        found[self.queries] = self.values[name]
        return found


def queries(trials: Sequence[Trial]) -> Queries:
    """Find the queries that several trials share."""
    tables = [trial.query for trial in trials]
    names = pa.concat_tables([table.select(["image_id", "id_space", "pid"]) for table in tables])
    encoded = names["image_id"].combine_chunks().dictionary_encode()
    place = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    first = np.unique(place, return_index=True)[1]
    spaces = names["id_space"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    people = spaces.astype(np.int64) * 2**32 + names["pid"].to_numpy().astype(np.int64)
    identities = np.unique(people[first], return_inverse=True)[1].astype(np.int64)
    parts = np.split(place, np.cumsum([len(table) for table in tables])[:-1])
    return Queries(encoded.dictionary.to_pylist(), identities, tuple(parts))


def cells(trials: Sequence[Trial], found: Sequence[Cut], known: Queries, rules: Rules) -> list[Cell]:
    """Score every cell of every cut that holds a query with a positive."""
    made = [cell for cut in found for cell in _of_cut(trials, cut, known, rules)]
    return [cell for cell in made if len(cell.queries)]


def _of_cut(trials: Sequence[Trial], cut: Cut, known: Queries, rules: Rules) -> list[Cell]:
    parts = _split(cut, trials)
    return [_cell(trials, parts, known, rules, q, g) for q, g in cuts.cells(cut)]


def _split(cut: Cut, trials: Sequence[Trial]) -> list[Cut]:
    """Give every trial its part of a cut that was made of all of them, one after the other."""
    q_codes = _parts(cut.q_codes, [len(trial.query) for trial in trials])
    g_codes = _parts(cut.g_codes, [len(trial.gallery) for trial in trials])
    return [replace(cut, q_codes=q, g_codes=g) for q, g in zip(q_codes, g_codes, strict=True)]


def _parts(codes: NDArray[np.int16], lengths: Sequence[int]) -> list[NDArray[np.int16]]:
    return np.split(codes, np.cumsum(lengths)[:-1]) if len(codes) else [codes] * len(lengths)


def _cell(trials: Sequence[Trial], parts: Sequence[Cut], known: Queries, rules: Rules, q: int, g: int) -> Cell:
    """Score one cell in every trial, and average each query over the trials in which it has a positive here."""
    count, pairs = np.zeros((2, len(known)))
    total, spread = dict[str, Floats](), dict[str, list[float]]()
    for trial, part, places in zip(trials, parts, known.places, strict=True):
        chosen, starts, ranks, seen = cuts.members(part, trial.ranking, q, g)
        values = _values(starts, ranks, seen)
        values |= _deduplicated(part, trial.ranking.identity[chosen]) if rules.cmc == "dedup" else {}
        values |= _single(part, trial.shots[chosen]) if trial.shots is not None else {}
        count[places[chosen]] += 1
        pairs[places[chosen]] += np.diff(starts)
        for name, found in values.items():
            total.setdefault(name, np.zeros(len(known)))[places[chosen]] += found
            spread.setdefault(name, []).append(metrics.mean(found))
    met = np.flatnonzero(count)
    means = {name: np.array(found) for name, found in spread.items()}
    averages = {name: found[met] / count[met] for name, found in total.items()}
    gallery = round(float(np.mean([len(trial.gallery) for trial in trials])))
    return Cell(parts[0], q, g, met, averages, means, round(float(np.sum(pairs[met] / count[met]))), gallery)


def _single(cut: Cut, shots: Floats) -> dict[str, Floats]:
    """Give the CMC of one drawn image an identity, where no positive is left out."""
    known = cut.kind in ("all", "query")
    return {f"{name}_single": shots[:, k - 1] if known else np.full(len(shots), np.nan) for name, k in _FIRSTS.items()}


def _values(starts: Ints, ranks: Ints, seen: Ints) -> dict[str, Floats]:
    scores = metrics.per_query(starts, ranks, seen)
    return {
        "mAP": scores.ap,
        "mAP_trapz": scores.ap_trapz,
        "mINP": scores.inp,
        **{name: metrics.cmc(scores.first, k) for name, k in _FIRSTS.items()},
        "chance_mAP": scores.chance,
        "chance_R1": metrics.chance_first(scores.positives, scores.negatives, 1),
    }


def _deduplicated(cut: Cut, first: NDArray[np.int32]) -> dict[str, Floats]:
    """Give CMC as SYSU-MM01 and LLCM count it; which identities stood before a positive of one level, ranks do not say.

    R1 is the same either way: no other identity is ahead where no other image is.
    """
    known, unknown = cut.kind in ("all", "query"), np.full(len(first), np.nan)
    return {name: metrics.cmc(first, k) if known else unknown for name, k in _FIRSTS.items() if k > 1}
