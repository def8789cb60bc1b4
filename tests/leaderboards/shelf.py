"""Little runs put on a board by hand: a few rows a table, no evaluation."""

import datetime
from typing import Any

import pyarrow as pa

from benchmark import durable
from leaderboards import history, store
from leaderboards.store import Board, Row

LISTS_SHA256 = "1" * 64


def run(board: Board, number: int, status: str = "ok", **facts: Any) -> Row:  # noqa: ANN401
    """Put a run on the board as `board add` does: its tables first, its row last."""
    row = record(number, status) | tables(board, number) | facts
    store.publish_run(board, row)
    return row


def record(number: int, status: str = "ok") -> Row:
    """Make a run's record."""
    facts = {"method": f"method {number // 5}", "config_id": f"{number // 5:064x}", "seed": number % 5}
    scores = {"mAP": 1 / (number + 1), "n_query_total": 3, "deterministic": True, "pretrain_data": ["a set"]}
    times = {"started_at": datetime.datetime(2026, 1, 1, 0, 0, number % 60, tzinfo=datetime.UTC)}
    places = {"lists_sha256": LISTS_SHA256, "protocol_sha256": "2" * 64}
    known = {"schema_version": "run/1", "run_id": run_id(number), "status": status, "provenance": "ran_here"}
    return known | facts | scores | times | places


def run_id(number: int) -> str:
    """Name a run."""
    return durable.sha256(f"run {number}")[:32]


def tables(board: Board, number: int) -> dict[str, str]:
    """Publish a run's tables and give the columns that name them."""
    made = {"lists": lists(), "queries": queries(number), "strata": strata(number)}
    data = {kind: store.encoded(kind, table) for kind, table in made.items()}
    for kind, content in data.items():
        store.publish(board, kind, content, store.lists_prefix(LISTS_SHA256) if kind == "lists" else "")
    columns = {"lists": "lists_file_sha256", "queries": "queries_sha256", "strata": "strata_sha256"}
    return {columns[kind]: durable.sha256(content) for kind, content in data.items()}


def lists() -> pa.Table:
    """Make lists of one query and two gallery pictures."""
    rows = [("query", 0, "q"), ("gallery", 0, "g"), ("gallery", 1, "h")]
    keys = {"id_space": "toy", "pid": 1, "camid": 1, "place": 1}
    found = [
        {"role": role, "position": place, "image_id": name, "sha256": name * 64} | keys for role, place, name in rows
    ]
    return table("lists", found)


def queries(number: int) -> pa.Table:
    """Make three queries."""
    found = [
        {"run_id": run_id(number), "query_idx": place, "image_id": f"q{place}"}
        | {"ap": 0.5 + number / 1000, "pos_ranks": [1, 3 + place], "pos_gidx": [place, 7]}
        for place in range(3)
    ]
    return table("queries", found)


def strata(number: int) -> pa.Table:
    """Make the rows of a scheme of three levels, in an order that is not that of their words."""
    found = [
        {"run_id": run_id(number), "scheme_id": "light@1", "cut": "query", "q_stratum": level, "metric": "mAP"}
        | {"stratum_order": place, "value": number + place / 10}
        for place, level in enumerate(("dark", "dim", "bright"))
    ]
    return table("strata", found)


def table(kind: str, rows: list[Row]) -> pa.Table:
    """Put rows into a table of a kind's columns."""
    return pa.Table.from_pylist(rows, history.kind(kind).schema)
