"""STAND-IN (replaced by the issue on the board): one run's row and its strata as a table on the terminal."""

from typing import TYPE_CHECKING

from benchmark.metrics import chance_precision
from benchmark.results import Bundle

if TYPE_CHECKING:
    from rich.table import Table

METRICS = ("mAP", "R1", "mINP")


def table(bundle: Bundle) -> "Table":
    """Make a table: the whole, then every level with its support and its chance level."""
    from rich.table import Table

    run = bundle.run
    view = Table(title=f"{run['method']} on {run['eval_set']}, seed {run['seed']}", title_justify="left")
    for name in ("cut", "level", *METRICS, "chance mAP", "queries", "identities", "positives"):
        view.add_column(name, justify="left" if name in ("cut", "level") else "right")
    queries = bundle.tables["queries"].to_pylist()
    pairs = [(row["n_pos"], row["n_gallery_eff"] - row["n_pos"]) for row in queries if row["n_pos"]]
    chance = sum(chance_precision(*pair) for pair in pairs) / len(pairs)
    whole = [f"{100 * score:.1f}" for score in (*(run[name] for name in METRICS), chance)]
    support = (str(run["n_query_valid"]), str(run["n_id"]), str(sum(found for found, _ in pairs)))
    view.add_row("all", "", *whole, *support, end_section=True)
    for (scheme, level), cell in _cells(bundle).items():
        scores = [f"{100 * cell[name]['value']:.1f}" for name in (*METRICS, "chance_mAP")]
        counts = [str(cell["mAP"][name]) for name in ("n_query", "n_id", "n_pos_pairs")]
        view.add_row(scheme.split("@")[0], level, *scores, *counts)
    view.caption = "Under 30 identities: no interval. A procedural world: this says nothing about real night."
    return view


def _cells(bundle: Bundle) -> dict[tuple[str, str], dict[str, dict[str, float]]]:
    cells: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    rows = [row for row in bundle.tables["strata"].to_pylist() if row["cut"] == "query" and "+" not in row["scheme_id"]]
    for row in sorted(rows, key=lambda row: (row["scheme_id"], row["stratum_order"])):
        cells.setdefault((row["scheme_id"], row["q_stratum"]), {})[row["metric"]] = row
    return cells
