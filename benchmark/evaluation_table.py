"""One evaluation on the terminal: the whole, then every level with its interval, its chance level and its support."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from benchmark import tables
from benchmark.console import count
from benchmark.results import Bundle

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = ("mAP", "R1", "mINP")
COLUMNS = ("level", "mAP", "95 %", "R1", "mINP", "chance mAP", "queries", "identities", "positives")
MANY = 16  # cells that a person still reads
CUTS = {
    "all": "all queries",
    "query": "queries by {}",
    "pos": "positives by {}, all negatives kept",
    "pair_pos": "query -> positive by {}, all negatives kept",
}
READING = (
    "mAP: discrete, over valid queries, in percent; 95 %: over identities, none under 30; positives: a query. "
    "Levels are made of different queries: differences between them are associations."
)

Row = Mapping[str, Any]
Cell = dict[str, Row]  # by metric


def lines(bundle: Bundle) -> Iterator["Table | str"]:
    """Give the tables of a bundle and the sentences between them, in order."""
    cells = _cells(bundle)
    run = bundle.run
    seed = "seed not stated" if run["seed"] is None else f"seed {run['seed']}"
    yield f"{run['method']}, {seed}, on {run['eval_set']} by {run['protocol_id']}"
    yield _table("", [("all", cells[key]) for key in cells if key[0] == "all"])
    yield from _sentences(bundle, cells)
    for kind, scheme in dict.fromkeys((key[0], key[1]) for key in cells if key[0] in CUTS and key[0] != "all"):
        own = [(_level(key), cell) for key, cell in cells.items() if key[:2] == (kind, scheme)]
        title = CUTS[kind].format(_plain(scheme))
        if len(own) > MANY:
            yield f"{title}: {len(own)} cells, in strata.parquet"
            continue
        yield _table(title, own)
        yield from _worst(cells, scheme) if kind != "pair_pos" else ()
    yield from _exposures(cells)
    yield READING


def _table(title: str, cells: list[tuple[str, Cell]]) -> "Table":
    return tables.table(COLUMNS, [_line(level, cell) for level, cell in cells], title or None)


def _line(level: str, cell: Cell) -> list[str]:
    whole = cell["mAP"]
    scores = {name: percent(cell[name]["value"]) if name in cell else "-" for name in (*SHOWN, "chance_mAP")}
    positives = f"{whole['n_pos_pairs'] / whole['n_query']:.1f}"
    support = [f"{whole['n_query']:,}", f"{whole['n_id']:,}", positives]
    return [level, scores["mAP"], interval(whole), scores["R1"], scores["mINP"], scores["chance_mAP"], *support]


def percent(value: float) -> str:
    """Show a share."""
    return f"{100 * value:.1f}"


def interval(row: Row) -> str:
    """Show an interval, or that there is none."""
    return "-" if row["ci_lo"] is None else f"{percent(row['ci_lo'])} to {percent(row['ci_hi'])}"


def _cells(bundle: Bundle) -> dict[tuple[str, str, str | None, str | None], Cell]:
    found: dict[tuple[str, str, str | None, str | None], Cell] = {}
    for row in bundle.tables["strata"].to_pylist():
        key = (row["cut"], row["scheme_id"], row["q_stratum"], row["g_stratum"])
        found.setdefault(key, {})[row["metric"]] = row
    return found


def _level(key: tuple[str, str, str | None, str | None]) -> str:
    _, _, q, g = key
    return q or "" if g is None else f"{q} -> {g}" if q is not None else f"-> {g}"


def _plain(scheme: str) -> str:
    """Name a scheme without its versions."""
    return " x ".join(part.split("@")[0] for part in scheme.split("+"))


def _sentences(bundle: Bundle, cells: Mapping[tuple[str, str, str | None, str | None], Cell]) -> Iterator[str]:
    """Say what the numbers of the whole do not show."""
    run, whole = bundle.run, cells["all", "all", None, None]
    further = {"mAP_id_macro": "mAP by identity", "mAP_trapz": "trapezoid mAP", "R5": "R5", "R10": "R10"}
    yield "; ".join(f"{words} {percent(whole[name]['value'])}" for name, words in further.items() if name in whole)
    invalid = run["n_query_total"] - run["n_query_valid"]
    if invalid:
        over = percent(run["mAP_all"])
        yield f"{count(invalid, 'query has', 'queries have')} no positive; mAP with 0 for each of them {over}"
    if run["n_query_tied"]:
        best = "" if run["R1_opt"] is None else f", R1 {percent(run['R1_opt'])}"
        tied = count(run["n_query_tied"], "query is", "queries are")
        yield f"{tied} tied; with every tie in its favour mAP {percent(run['mAP_opt'])}{best}"
    broken = [run["n_nonfinite_q"] or 0, run["n_nonfinite_g"] or 0]
    if any(broken):
        yield f"{broken[0]} query and {broken[1]} gallery rows could not be scored and stand last: the run is flagged"
    names = [name for name in ("R1_single", "R5_single", "R10_single") if name in whole]
    if single := [f"{name} {percent(whole[name]['value'])}" for name in names]:
        yield f"expected if one image of every identity were drawn: {', '.join(single)}"
    if "icc" in whole:
        yield f"likeness of the queries of one identity (icc) {whole['icc']['value']:.2f}"
    if whole["mAP"]["sd_trials"] is not None:
        yield f"over {run['n_trials']} trials mAP moves by {100 * whole['mAP']['sd_trials']:.2f} (sd_trials)"
    for key, cell in cells.items():
        if key[0] == "slope":
            row = cell["mAP_per_stop"]
            yield f"one more stop of light on the query: mAP {100 * row['value']:+.2f}, {_signed(row)}"


def _worst(cells: Mapping[tuple[str, str, str | None, str | None], Cell], scheme: str) -> Iterator[str]:
    for key, cell in cells.items():
        if key[:2] == ("worst", scheme):
            row = cell["mAP"]
            score = f"mAP {percent(row['value'])}; 95 % of the lowest {interval(row)}"
            yield f"worst level of those with 30 identities: {_level(key)}, {score}"


def _exposures(cells: Mapping[tuple[str, str, str | None, str | None], Cell]) -> Iterator[str]:
    for key, cell in cells.items():
        if key[0] != "within":
            continue
        for name, words in (("mAP_difference", f"{key[2]} stops against {key[3]}"), ("mAP_per_stop", "one more stop")):
            if row := cell.get(name):
                scenes = f"{row['n_query']:,} scenes"
                yield f"same scene, {words}: mAP {100 * row['value']:+.2f}, {_signed(row)}, {scenes}"


def _signed(row: Row) -> str:
    if row["ci_lo"] is None:
        return "no interval"
    return f"95 % {100 * row['ci_lo']:+.2f} to {100 * row['ci_hi']:+.2f}"
