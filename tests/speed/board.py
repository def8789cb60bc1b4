"""How fast a board is: one table of what was measured and what was wanted. It prints, and never fails.

A board of made-up runs: 5 seeds a configuration, 3,000 queries of 300 people, 15 positives each, whose ranks are drawn
so that they spread as those of a network do. CPU seconds of the Python calls, one thread, without start-up.

    python tests/speed/board.py [RUNS] [FOLDER]      # 1,000 runs by default; a folder that is there is measured again
"""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from benchmark.executors import ONE_THREAD

QUERIES, PEOPLE, POSITIVES, STRANGERS, SEEDS = 3000, 300, 15, 10_000, 5


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    target: str


def seconds(work: Callable[[], object]) -> float:
    """Give the CPU seconds of some work."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def lists() -> tuple[pa.Table, pa.Table]:
    """Make the query and the gallery rows: ten queries a person at place 1, its positives elsewhere."""
    rng = np.random.default_rng(0)
    parts = []
    for role, pids, places in (
        ("query", np.repeat(np.arange(1, PEOPLE + 1), QUERIES // PEOPLE), np.ones(QUERIES)),
        ("gallery", *_gallery()),
    ):
        count = len(pids)
        image = [
            f"crowd/{role}/{pid:04d}_c{place:.0f}_{row:06d}.jpg"
            for row, (pid, place) in enumerate(zip(pids, places, strict=True))
        ]
        parts.append(
            {
                "role": [role] * count,
                "position": np.arange(count),
                "image_id": image,
                "sha256": [f"{hash_of(name):064x}" for name in image],
                "id_space": ["crowd"] * count,
                "pid": pids,
                "camid": places,
                "place": places,
                "modality": ["visible"] * count,
                "lightness": rng.gamma(2.0, 20.0, count),
                "stops": rng.normal(-5.0, 2.0, count),
                "size": rng.uniform(60, 300, count),
                "exposure": [None] * count,
                "scene": [None] * count,
                "trial": np.zeros(count),
            }
        )
    from benchmark.schemas import LISTS

    query, gallery = (pa.table(part).cast(LISTS, safe=False) for part in parts)
    return query, gallery


def hash_of(name: str) -> int:
    """Give a number that stands for the bytes of a picture."""
    import hashlib

    return int(hashlib.sha256(name.encode()).hexdigest(), 16)


def _gallery() -> tuple[np.ndarray, np.ndarray]:
    pids = np.concatenate([np.repeat(np.arange(1, PEOPLE + 1), POSITIVES), np.zeros(STRANGERS, int)])
    return pids, np.concatenate([np.tile(2 + np.arange(POSITIVES) % 5, PEOPLE), np.full(STRANGERS, 2)])


def bundle(query: pa.Table, gallery: pa.Table, method: int, seed: int, folder: Path) -> None:
    """Write the bundle of one made-up run: a skill a method, a difficulty a query, and noise."""
    from scipy.special import ndtr

    from benchmark import cuts, query_rows, results, scorecard, strata_rows
    from benchmark import protocol as protocols
    from benchmark.lists import hash_table
    from benchmark.ranking import Ranking
    from benchmark.scorecard import Trial

    rng, plan = np.random.default_rng([method, seed]), protocols.load("market-style")
    hard = np.random.default_rng(1).normal(0, 1, (QUERIES, 1))
    score = 1.5 + method / 400 - 0.7 * hard + rng.normal(0, 1, (QUERIES, POSITIVES)) + rng.normal(0, 0.05)
    rivals = len(gallery) - POSITIVES
    above = np.sort(np.floor(rivals * ndtr(-score)), axis=1)
    ranks = (above + np.arange(1, POSITIVES + 1)).astype(np.int32)
    person = query["pid"].to_numpy() - 1
    rows = rng.permuted(person[:, None] * POSITIVES + np.arange(POSITIVES), axis=1).astype(np.int32)
    nothing = np.full(QUERIES, np.nan, np.float32)
    counts = (np.zeros(QUERIES, np.int32), np.full(QUERIES, len(gallery), np.int32))
    starts = np.arange(QUERIES + 1) * POSITIVES
    flat = ranks.ravel()
    made = Ranking(
        starts,
        flat,
        flat,
        rows.ravel(),
        np.full(flat.shape, np.nan, np.float32),
        *counts,
        nothing,
        np.zeros(QUERIES, np.int32),
    )
    trial = Trial(0, query, gallery, made)
    known = scorecard.queries([trial])
    cells = scorecard.cells([trial], cuts.standard(query, gallery)[0], known, plan)
    run_id = f"{hash_of(f'{method} {seed}'):064x}"[:32]
    strata, headline = strata_rows.table([trial], cells, known, plan, run_id, strata_rows.How(100, 0))
    distances = (rng.random(QUERIES).astype(np.float32), rng.random(QUERIES).astype(np.float32))
    listed = pa.concat_tables([query, gallery])
    record = results.run_record(
        **{"run_id": run_id, "config_id": f"{hash_of(str(method)):064x}", "status": "ok", "provenance": "ran_here"},
        **{"method": f"method {method}", "seed": seed, "config_json": "{}", "git_dirty": False, "git_commit": "0" * 40},
        **{"ckpt_sha256": "1" * 64, "log_sha256": "2" * 64, "deterministic": True, "ckpt_selection": "last"},
        **{"eval_set": "crowd", "protocol_id": plan.name, "protocol_sha256": plan.sha256, "n_trials": 1},
        **{"junk_rule": plan.junk.words, "cmc_kind": "first", "rank_by": "mAP", "invalid_query_policy": "skip"},
        **{
            "ap_variant": "discrete",
            "tie_rule": "pessimistic",
            "metric": "cosine",
            "rerank": "none",
            "flip_tta": False,
        },
        **{"lists_sha256": hash_table(listed), "n_nonfinite_q": 0, "n_nonfinite_g": 0, "package_version": "0.1.0"},
        **headline,
    )
    tables = {"lists": listed, "queries": query_rows.table(trial, run_id, distances), "strata": strata}
    results.write(results.Bundle(record, tables), folder)


def build(runs: int, folder: Path) -> list[float]:
    """Make the board run by run; give what each `add` cost."""
    from leaderboards import entry, store

    query, gallery = lists()
    board, costs = store.begun(folder), []
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(runs):
            bundle(query, gallery, number // SEEDS, number % SEEDS, Path(scratch))
            costs.append(seconds(lambda: entry.add(board, Path(scratch))))
    return costs


def load_all(folder: Path) -> None:
    """Read all columns of all files that `check` reads, with their checksums; the floor of a check."""
    import pyarrow.parquet as pq

    for kind in ("runs", "queries", "strata", "lists"):
        for path in sorted((folder / "results" / kind).glob("*.parquet")):
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                file.read(use_threads=False)


def bytes_a_query(folder: Path) -> tuple[float, float]:
    """Give the bytes of the rank files, and how many 60 a query and 4 a positive would be."""
    from leaderboards import store

    names = list((folder / "results" / "queries").glob("*.parquet"))
    row = store.runs(store.opened(folder)).rows[0]
    allowed = len(names) * (60 * row["n_query_total"] + 4 * row["n_query_total"] * POSITIVES)
    return float(sum(path.stat().st_size for path in names)), float(allowed)


def measure(runs: int, folder: Path) -> list[Row]:
    """Measure everything."""
    from leaderboards import check, store, tables

    made = []
    if not (folder / "board.json").exists():
        costs = build(runs, folder)
        made.append(
            Row(
                f"add, of {runs:,}: mean, the last 20", f"{np.mean(costs):.2f} s, {np.mean(costs[-20:]):.2f} s", "0.5 s"
            )
        )
    board = store.opened(folder)
    asked = tables.Asked(by=("light",), published=False)
    first, again = seconds(lambda: tables.tables(board, asked)), seconds(lambda: tables.tables(board, asked))
    made.append(Row("table by light, nothing computed before", f"{first:.1f} s", ""))
    made.append(Row("table by light, pairs/1 computed", f"{again:.2f} s", "2 s"))
    floor = min(seconds(lambda: load_all(folder)) for _ in range(2))
    checked = seconds(lambda: check.check(board))
    made.append(Row("check / loading all columns", f"{checked / floor:.2f} ({checked:.1f} s / {floor:.1f} s)", "3"))
    held, allowed = bytes_a_query(folder)
    made.append(Row("rank files / (60 bytes a query + 4 a positive)", f"{held / allowed:.2f}", "1"))
    return made


def main() -> None:
    """Print the table."""
    os.environ.update(ONE_THREAD)
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as scratch:
        rows = measure(runs, Path(sys.argv[2]) if len(sys.argv) > 2 else Path(scratch) / "board")
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, one thread")
    for row in rows:
        print(f"{row.what:<50} {row.measured:>28} {row.target:>8}")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
