"""`lists/1`: the query and gallery rows that a protocol resolved, which say what a result is comparable with."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from benchmark import durable, strata
from benchmark.manifest import Manifest
from benchmark.protocol import Rules
from benchmark.schemas import LISTS

_MARKET = Rules()  # the rules of Market-1501, where nothing else is said


@dataclass(frozen=True, eq=False)
class Lists:
    """What a protocol makes of a manifest, for one trial."""

    train: Manifest
    query: Manifest
    gallery: Manifest
    protocol: str
    protocol_sha256: str
    trial: int = 0  # counted from 0
    rules: Rules = _MARKET
    notes: tuple[str, ...] = ()  # what resolving found and whoever runs it should read

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
        parts = [_rows("query", self.query), _rows("gallery", self.gallery)]
        return pa.concat_tables(parts).cast(LISTS)

    @property
    def lists_sha256(self) -> str:
        """Hash who is compared with whom: two results are comparable when this and the protocol's hash are equal."""
        return hash_table(self.table())


def hash_table(table: pa.Table) -> str:
    """Hash the rows of a `lists/1` table, whatever their order; docs/results.md gives the recipe."""
    names = ("role", "image_id", "sha256", "id_space", "pid", "camid", "place")
    rows = zip(*(table[name].to_pylist() for name in names), strict=True)
    return durable.sha256("".join(durable.canonical(row) + "\n" for row in sorted(rows)))


def _rows(role: str, manifest: Manifest) -> pa.Table:
    count = len(manifest)
    known = [name for name in LISTS.names if name in manifest.table.column_names]
    table = manifest.table.select(known)
    table = table.append_column("role", pa.repeat(role, count))
    table = table.append_column("position", pa.array(np.arange(count), pa.int32()))
    return table.append_column("size", pa.array(strata.sizes(manifest))).select(LISTS.names)
