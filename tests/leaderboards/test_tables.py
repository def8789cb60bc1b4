"""The stand-in table prints what the bundle holds."""

import io

import pyarrow as pa
from rich.console import Console

from benchmark import results
from benchmark.results import Bundle
from benchmark.schemas import QUERIES, STRATA
from leaderboards import tables


def test_every_cell_stands_with_its_support_and_its_chance_level() -> None:
    run = {"run_id": "r", "status": "ok", "provenance": "ran_here", "method": "m", "eval_set": "set", "seed": 3}
    record = results.run_record(**run, mAP=0.5, R1=0.25, mINP=0.125, n_query_valid=7, n_id=5)
    support = {"scheme_id": "light@1", "cut": "query", "q_stratum": "Low", "stratum_order": 0, "n_query": 4, "n_id": 2}
    values = {"mAP": 0.111, "R1": 0.222, "mINP": 0.333, "chance_mAP": 0.044}
    cells = [support | {"n_pos_pairs": 9, "metric": name, "value": value} for name, value in values.items()]
    bundle = Bundle(
        record,
        {
            "queries": pa.Table.from_pylist([{"n_pos": n, "n_gallery_eff": n + 1} for n in (1, 1, 0)], QUERIES),
            "strata": pa.Table.from_pylist(cells, STRATA),
        },
    )
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(tables.table(bundle))
    lines = [line.replace("│", " ").split() for line in console.export_text().splitlines()]
    assert ["all", "50.0", "25.0", "12.5", "75.0", "7", "5", "2"] in lines
    assert ["light", "Low", "11.1", "22.2", "33.3", "4.4", "4", "2", "9"] in lines
