"""`lists/1`: the query and gallery rows that a protocol resolved, which say what a result is comparable with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark import durable, strata
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.protocol import Rules
from benchmark.schemas import LISTS

_MARKET = Rules()  # the rules of Market-1501, where nothing else is said


@dataclass(frozen=True, eq=False)
class Lists:
    """What a protocol makes of a manifest, for one trial."""

    trained: Manifest | None  # None in a manifest of the test alone
    query: Manifest
    gallery: Manifest
    protocol: str
    protocol_sha256: str
    trial: int = 0  # counted from 0
    rules: Rules = _MARKET
    notes: tuple[str, ...] = ()  # what resolving found and whoever runs it should read

    @property
    def train(self) -> Manifest:
        """Give the rows to train on."""
        if self.trained is None:
            raise UserError(f"{self.protocol}: there is no row to train on")
        return self.trained

    def facts(self) -> dict[str, Any]:
        """Say by which protocol a result was made, in the words of `run/1`."""
        return {
            "lists_sha256": self.lists_sha256,
            "protocol_id": self.protocol,
            "protocol_sha256": self.protocol_sha256,
            "junk_rule": self.rules.junk.words,
            "cmc_kind": self.rules.cmc,
            "rank_by": self.rules.rank_by,
            "invalid_query_policy": self.rules.invalid_queries,
            "n_trials": self.rules.trials.count,
        }

    def table(self) -> pa.Table:
        """Give both lists as one table; `position` counts within a role."""
        parts = pa.concat_tables([_rows("query", self.query), _rows("gallery", self.gallery)])
        trial = pa.repeat(pa.scalar(self.trial, pa.int16()), len(parts))
        return parts.append_column("trial", trial).cast(LISTS)

    @property
    def lists_sha256(self) -> str:
        """Hash who is compared with whom: two results are comparable when this and the protocol's hash are equal."""
        return hash_table(self.table())


def joined(trials: Sequence[Lists]) -> pa.Table:
    """Give the lists of all trials as one table."""
    return pa.concat_tables([lists.table() for lists in trials])


def hash_table(table: pa.Table) -> str:
    """Hash the rows of a `lists/1` table, whatever their order; docs/results.md gives the recipe."""
    numbers = pc.fill_null(table["trial"], 0) if "trial" in table.column_names else pa.array([], pa.int16())
    trials = sorted(pc.unique(numbers).to_pylist())
    if len(trials) < 2:
        return _hash_trial(table)
    parts = [[trial, _hash_trial(table.filter(pc.equal(numbers, trial)))] for trial in trials]
    return durable.sha256(durable.canonical(parts))


def _hash_trial(table: pa.Table) -> str:
    names = ("role", "image_id", "sha256", "id_space", "pid", "camid", "place")
    rows = zip(*(table[name].to_pylist() for name in names), strict=True)
    return durable.sha256("".join(durable.canonical(row) + "\n" for row in sorted(rows)))


def _rows(role: str, manifest: Manifest) -> pa.Table:
    count = len(manifest)
    known = [name for name in LISTS.names if name in manifest.table.column_names]
    table = manifest.table.select(known)
    table = table.append_column("role", pa.repeat(role, count))
    table = table.append_column("position", pa.array(np.arange(count), pa.int32()))
    table = table.append_column("size", pa.array(strata.sizes(manifest)))
    return table.select([name for name in LISTS.names if name != "trial"])
