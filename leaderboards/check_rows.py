"""What must be true of a run's row by itself: words, ranges, and that its protocol is what is known by that name."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

from benchmark import protocol
from benchmark.errors import nearest
from benchmark.protocol import PROTOCOLS
from benchmark.results import FILES
from benchmark.schemas import RUN_SCHEMA, SCORES, STATUSES
from leaderboards import entry, history, ranking
from leaderboards.store import Row

WORDS = {
    "schema_version": (RUN_SCHEMA,),
    "status": STATUSES,
    "provenance": entry.ACCEPTED,  # who is verified has a mark
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

# What all rows of a configuration have in common.
_CONFIGURED = (
    *("method", "config_json", "train_sets", "metric", "rerank", "flip_tta", "input_h", "input_w"),
    *("lists_sha256", "protocol_sha256"),
)

NEAR = 1e-8  # mAP of equal ranks: each record may be off by what a recount lets pass
FEW = 30  # queries

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
    for kept in row["files"] or ():
        column = FILES.get(kept["name"])
        if column and row[column] != kept["sha256"]:
            yield f"{column} is {row[column]}, its {kept['name']} has {kept['sha256']}"
    if row["status"] == "ok":
        yield from _of_protocol(row)


def _of_protocol(row: Row) -> Iterator[str]:
    """Compare a row with the protocol that we have under its name, or under its hash."""
    named = _known(str(row["protocol_id"]))
    if named is not None and row["protocol_sha256"] != named["sha256"]:
        yield (
            f"protocol_sha256 is {row['protocol_sha256']}, but {row['protocol_id']} is {named['sha256']} here: "
            "rules were changed"
        )
        return
    name = row["protocol_id"] if named else _names().get(str(row["protocol_sha256"]))
    known = _known(str(name)) or {}
    for column in _DECIDED:
        if known and row[column] != known[column]:
            yield f"{column} is {row[column]!r}, by {name} it is {known[column]!r}"


def notes(row: Row) -> Iterator[str]:
    """Say what could not be looked at."""
    known = _known(str(row["protocol_id"])) or str(row["protocol_sha256"]) in _names()
    if row["status"] == "ok" and not known:
        yield f"protocol {row['protocol_id']} is none of ours: whether its rules are those of its hash, nobody can say"


def twins(rows: Iterable[Row]) -> Iterator[str]:
    """Say which runs have the same vectors under two names (one of them may be a copy), and protocols two names."""
    named = dict[str, str]()
    made = dict[tuple[str, str], Row]()
    for row in rows:
        if row["status"] == "ok" and row["protocol_sha256"] and row["protocol_id"]:
            name = named.setdefault(row["protocol_sha256"], row["protocol_id"])
            if name != row["protocol_id"]:
                yield f"protocols {name} and {row['protocol_id']} are one: their rules are the same"
        if row["features_sha256"] and row["status"] == "ok":
            first = made.setdefault((str(row["lists_sha256"]), row["features_sha256"]), row)
            if first["method"] != row["method"]:
                names = f"{first['run_id'][:8]} ({first['method']}) and {row['run_id'][:8]} ({row['method']})"
                yield f"runs {names} have the same vectors under two names"


def apart(rows: Mapping[str, Row]) -> Iterator[tuple[str, str]]:
    """Say of which file what its row says otherwise than most rows of its configuration, or of its protocol."""
    keys: tuple[tuple[str, tuple[str, ...]], ...] = (("config_id", _CONFIGURED), ("protocol_sha256", _DECIDED))
    for key, columns in keys:
        groups = dict[str, list[str]]()
        for file, row in rows.items():
            if row["status"] == "ok" and row[key]:
                groups.setdefault(row[key], []).append(file)
        for value, files in groups.items():
            for column in columns:
                for file, words in _minority({file: rows[file][column] for file in files}, column):
                    yield file, f"{column} is {words}; other rows of {key} {value[:8]} say otherwise"


def _minority(values: Mapping[str, Any], column: str) -> Iterator[tuple[str, str]]:
    """Name those that most others contradict; where half stands against half, all. An older file may lack a column."""
    said = {file: _plain(column, value) for file, value in values.items() if value is not None}
    if len(set(said.values())) < 2:
        return
    (most, times), *_ = Counter(said.values()).most_common()
    for file, words in said.items():
        if words != most or 2 * times <= len(said):
            yield file, words[:80]


def _plain(column: str, value: Any) -> str:  # noqa: ANN401
    if column == "config_json":
        return _ordered(str(value))
    if column == "train_sets":  # what is hashed of a set; its name is not
        return repr([[one.get(name) for name in ("labels_sha256", "data_sha256", "split")] for one in value])
    return repr(value)


@lru_cache(maxsize=4096)
def _ordered(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True) if _is_object(text) else text


def near(rows: Mapping[str, Row]) -> Iterator[list[str]]:
    """Give files whose runs on the same lists by the same rules have nearly the same mAP: who has equal ranks does.

    Perfect ranks, and those of few queries, may be equal by chance.
    """
    groups = dict[tuple[object, ...], list[str]]()
    for file, row in rows.items():
        score, queries = row["mAP"], row["n_query_valid"]
        if row["status"] == "ok" and score is not None and score < 1 and (queries or 0) >= FEW:
            key = (row["lists_sha256"], row["protocol_sha256"], *ranking.how(row))
            groups.setdefault(key, []).append(file)
    for files in groups.values():
        chain = list[str]()
        for file in sorted(files, key=lambda file: rows[file]["mAP"]):
            if chain and rows[file]["mAP"] - rows[chain[-1]]["mAP"] > NEAR:
                yield chain
                chain = []
            chain.append(file)
        yield chain


def is_copy(first: Row, other: Row) -> bool:
    """Say whether a run with the ranks of another claims to be more than that run, or that network, once more."""
    again = first["config_id"] == other["config_id"] and first["seed"] == other["seed"]
    named = any(first[name] and first[name] == other[name] for name in ("ckpt_sha256", "features_sha256"))
    return first["run_id"] != other["run_id"] and not again and not (named and first["seed"] == other["seed"])


@cache
def _names() -> dict[str, str]:
    """Name our protocols by their hashes; of several with one hash any will do, since they decide the same."""
    return {str((_known(name) or {})["sha256"]): name for name in PROTOCOLS.names()}


@cache
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
