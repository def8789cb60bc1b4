"""What must be true of a run's row by itself: words, ranges, and that its protocol is what is known by that name."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from benchmark import protocol
from benchmark.errors import nearest
from benchmark.protocol import PROTOCOLS
from benchmark.schemas import PROVENANCES, RUN_SCHEMA, SCORES, STATUSES
from leaderboards import entry, history
from leaderboards.store import Row

WORDS = {
    "schema_version": (RUN_SCHEMA,),
    "status": STATUSES,
    "provenance": tuple(word for word in PROVENANCES if word != "literature"),
    "division": entry.DIVISIONS,
    "reason_code": history.REASONS,
    "mode": ("paper", "released", "ours"),
}
_NEEDED = ("schema_version", "status", "provenance")
_COUNTS = ("n_query_total", "n_query_valid", "n_query_tied", "n_nonfinite_q", "n_nonfinite_g", "n_gallery", "n_id")
_HASHES = (
    *("lists_sha256", "lists_file_sha256", "queries_sha256", "strata_sha256", "measures_sha256", "protocol_sha256"),
    *("config_id", "ckpt_sha256", "log_sha256", "features_sha256", "submission_sha256"),
)
_HEX = re.compile(r"[0-9a-f]{64}")

# What a protocol decides, and a record repeats.
_DECIDED = ("junk_rule", "cmc_kind", "rank_by", "invalid_query_policy", "n_trials")


def problems(row: Row) -> Iterator[str]:
    """Say, a line each, what cannot stand in a row."""
    for name, allowed in WORDS.items():
        if row[name] not in allowed and (row[name] is not None or name in _NEEDED):
            yield f"{name} is {row[name]!r}; {nearest(str(row[name]), list(allowed))}"
    for name in (*SCORES, *_COUNTS):
        if row[name] is not None and not 0 <= row[name] <= (1 if name in SCORES else math.inf):
            yield f"{name} is {row[name]}, must {'lie between 0 and 1' if name in SCORES else 'be 0 or more'}"
    for name in _HASHES:
        if row[name] is not None and not _HEX.fullmatch(row[name]):
            yield f"{name} is {row[name][:80]!r}, must be 64 hexadecimal digits"
    if row["config_json"] is not None and not _is_object(row["config_json"]):
        yield "config_json is no JSON object"
    if row["status"] == "ok":
        yield from _of_protocol(row)


def _of_protocol(row: Row) -> Iterator[str]:
    """Compare a row with the protocol that we have under its name."""
    known = _known(str(row["protocol_id"]))
    if known is None:
        return
    name = row["protocol_id"]
    if row["protocol_sha256"] != known["sha256"]:
        yield f"protocol_sha256 is {row['protocol_sha256']}, but {name} is {known['sha256']} here: rules were changed"
        return
    for column in _DECIDED:
        if row[column] != known[column]:
            yield f"{column} is {row[column]!r}, by {name} it is {known[column]!r}"


def notes(row: Row) -> Iterator[str]:
    """Say what could not be looked at."""
    if row["status"] == "ok" and _known(str(row["protocol_id"])) is None:
        yield f"protocol {row['protocol_id']} is none of ours: whether its rules are those of its hash, nobody can say"


def twins(rows: Iterable[Row]) -> Iterator[str]:
    """Say which runs have the same vectors under two names: one of them may be a copy."""
    made = dict[tuple[str, str], Row]()
    for row in rows:
        if row["features_sha256"] and row["status"] == "ok":
            first = made.setdefault((str(row["lists_sha256"]), row["features_sha256"]), row)
            if first["method"] != row["method"]:
                names = f"{first['run_id'][:8]} ({first['method']}) and {row['run_id'][:8]} ({row['method']})"
                yield f"runs {names} have the same vectors under two names"


@lru_cache
def _known(name: str) -> dict[str, object] | None:
    """Say what a protocol of ours decides; None for one that is not ours."""
    if name not in PROTOCOLS.names():
        return None
    plan = protocol.load(name)
    return {
        "sha256": plan.sha256,
        "junk_rule": plan.junk.words,
        "cmc_kind": plan.cmc,
        "rank_by": plan.rank_by,
        "invalid_query_policy": plan.invalid_queries,
        "n_trials": plan.trials.count,
    }


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
