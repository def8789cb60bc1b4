"""One evaluation on the terminal: its numbers are those of strata/1, and what they do not show is said."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from benchmark import bundling, evaluation_table, results
from benchmark.evaluation import Asked, Options
from benchmark.rerank import Options as Reranking
from benchmark.results import Bundle
from tests.benchmark import pencil
from tests.benchmark.pencil import Image, World, image

QUERIES: Image = {"count": 3, "sampler": "keyed", "role": "query", "per": "identity", "shots": 2}


def evaluated(world: World, folder: Path, asked: Asked | None = None, **options: object) -> Bundle:
    chosen = Options.model_validate({"metric": "dot", "draws": 0} | options)
    given = world.features(method="mine [bold]", seed=4)
    bundling.evaluate(world.manifest(), world.plan, given, chosen, folder, asked)
    return results.read(folder)


def printed(bundle: Bundle) -> str:
    console = Console(width=200, markup=False, highlight=False)
    with console.capture() as capture:
        for part in evaluation_table.lines(bundle):
            console.print(part, soft_wrap=isinstance(part, str))
    return capture.get()


def tables(bundle: Bundle) -> dict[str, list[list[str]]]:
    """Read the cells of every table, by its title."""
    found = {}
    for part in evaluation_table.lines(bundle):
        if isinstance(part, Table):
            columns = [[str(cell) for cell in column.cells] for column in part.columns]
            found[str(part.title or "")] = [list(row) for row in zip(*columns, strict=True)]
    return found


def crowded(seed: int = 0) -> World:
    """Make enough identities for intervals: two light levels of which one is under thirty people."""
    rng = np.random.default_rng(seed)
    images = []
    for pid in range(1, 51):
        light = (10.0, 40.0, 60.0 if pid <= 5 else 10.0)
        images += [image(pid, 1, gallery=False, lightness=one, stops=one / 10 - 7) for one in light]
        images += [image(pid, 2, query=False), image(0, 2, query=False)]
    own = rng.integers(-2, 3, (51, 5))
    return World(images, own[[one["pid"] for one in images]] + rng.integers(-1, 2, (len(images), 5)))


@pytest.mark.parametrize("trials", [{}, QUERIES], ids=["one", "several"])
def test_every_line_is_what_strata_hold(trials: Image, tmp_path: Path) -> None:
    world = pencil.small(0, pencil.plan(trials=trials))
    bundle = evaluated(world, tmp_path / "out")
    found = tables(bundle)
    kinds = {
        "": ("all", "all"),
        "queries by night600-light": ("query", "night600-light"),
        "queries by night600-scale": ("query", "night600-scale"),
        "queries by night600-light x night600-scale": ("query", "night600-light+night600-scale"),
        "queries by stops-5": ("query", "stops-5"),
        "queries by exposure": ("query", "exposure"),
        "query -> positive by night600-light, all negatives kept": ("pair_pos", "night600-light"),
        "query -> positive by camid, all negatives kept": ("pair_pos", "camid"),
    }
    assert found.keys() == kinds.keys()
    expected = dict(pencil.cells(world))
    for title, (cut, scheme) in kinds.items():
        own = {key: cell for key, cell in expected.items() if key[:2] == (cut, scheme)}
        assert len(found[title]) == len(own)
        for level, *shown in found[title]:
            parts = level.split(" -> ")
            q, g = ("all" if cut == "all" else parts[0]), (parts[1] if len(parts) > 1 else None)
            cell = own[cut, scheme, None if cut == "all" else q, g]
            whole = cell["mAP"]
            scores = {name: f"{100 * cell[name]['value']:.1f}" for name in ("mAP", "R1", "mINP", "chance_mAP")}
            assert shown[:5] == [scores["mAP"], "-", scores["R1"], scores["mINP"], scores["chance_mAP"]]
            assert shown[5:7] == [str(whole["n_query"]), str(whole["n_id"])]
            # Positives a query, also where every trial asks others.
            assert shown[7] == f"{whole['n_pos_pairs'] / whole['n_query']:.1f}"
    text = printed(bundle)
    many = sum(key[:2] == ("pair_pos", "stops-5") for key in expected)
    assert many > evaluation_table.MANY
    assert f"query -> positive by stops-5, all negatives kept: {many} cells, in strata.parquet" in text
    assert "mine [bold], seed 4, on set by test" in text
    assert ("over 3 trials mAP moves by" in text) == bool(trials)


def test_positives_a_query_do_not_shrink_with_the_number_of_trials(tmp_path: Path) -> None:
    images = [image(pid, 1, gallery=False) for pid in (1, 2) for _ in range(6)]
    images += [image(pid, 2, query=False) for pid in (1, 2) for _ in range(3)]
    world = World(images, np.random.default_rng(0).integers(-3, 4, (len(images), 3)), pencil.plan(trials=QUERIES))
    bundle = evaluated(world, tmp_path / "out")
    assert bundle.run["n_query_total"] > 4
    assert tables(bundle)[""][0][-1] == "3.0"


def test_what_numbers_do_not_show_is_said(tmp_path: Path) -> None:
    world = pencil.small(1)
    bundle = evaluated(world, tmp_path / "out")
    run, text = bundle.run, printed(bundle)
    whole = pencil.rows(world, "all", "all", None, None)
    for words, name in (("mAP by identity", "mAP_id_macro"), ("trapezoid mAP", "mAP_trapz"), ("R10", "R10")):
        assert f"{words} {100 * whole[name]['value']:.1f}" in text
    invalid = run["n_query_total"] - run["n_query_valid"]
    assert invalid > 1
    assert f"{invalid} queries have no positive; mAP with 0 for each of them {100 * run['mAP_all']:.1f}" in text
    tied, best = run["n_query_tied"], f"{100 * run['mAP_opt']:.1f}, R1 {100 * run['R1_opt']:.1f}"
    assert f"{tied} queries are tied; with every tie in its favour mAP {best}" in text
    icc = pencil.by_cell(world.evaluate())["all", "all", None, None]["icc"]["value"]
    assert f"likeness of the queries of one identity (icc) {icc:.2f}" in text
    assert evaluation_table.READING in text


def test_one_lone_query_needs_few_words(tmp_path: Path) -> None:
    world = World([image(1, 1, gallery=False), image(1, 2, query=False), image(2, 2, query=False)], np.eye(3, 3) + 1)
    text = printed(evaluated(world, tmp_path / "out"))
    assert "1 query is tied" in text
    for word in ("no positive", "icc", "worst", "stop of light", "trials", "queries by"):
        assert word not in text
    assert "nan" not in text.lower()


def test_intervals_worst_and_slope_are_shown_where_they_are_known(tmp_path: Path) -> None:
    bundle = evaluated(crowded(), tmp_path / "out", draws=200)
    rows = {
        (row["cut"], row["scheme_id"].split("@")[0], row["q_stratum"], row["metric"]): row
        for row in bundle.tables["strata"].to_pylist()
        if row["cut"] != "pair_pos"
    }
    found = {line[0]: line for line in tables(bundle)["queries by night600-light"]}
    for level in ("Low", "Medium"):
        row = rows["query", "night600-light", level, "mAP"]
        assert found[level][2] == f"{100 * row['ci_lo']:.1f} to {100 * row['ci_hi']:.1f}"
    assert found["High"][2] == "-"
    text = printed(bundle)
    lowest = min(("Low", "Medium"), key=lambda level: float(rows["query", "night600-light", level, "mAP"]["value"]))
    row = rows["worst", "night600-light", lowest, "mAP"]
    bounds = f"{100 * row['ci_lo']:.1f} to {100 * row['ci_hi']:.1f}"
    score = f"mAP {100 * row['value']:.1f}; 95 % of the lowest {bounds}"
    assert f"worst level of those with 30 identities: {row['q_stratum']}, {score}" in text
    row = rows["slope", "stops", None, "mAP_per_stop"]
    bounds = f"{100 * row['ci_lo']:+.2f} to {100 * row['ci_hi']:+.2f}"
    assert f"one more stop of light on the query: mAP {100 * row['value']:+.2f}, 95 % {bounds}" in text


def test_without_draws_there_are_dashes(tmp_path: Path) -> None:
    text = printed(evaluated(crowded(), tmp_path / "out"))
    assert "no interval" in text
    assert "worst" not in text
    shown = [line[2] for lines in tables(evaluated(crowded(), tmp_path / "again")).values() for line in lines]
    assert set(shown) == {"-"}


def test_paired_exposures_and_rows_of_other_rules(tmp_path: Path) -> None:
    images = []
    for pid in range(1, 36):
        images += [
            image(pid, 1, gallery=False, scene=f"{pid}", exposure=exposure, stops=-5 + exposure)
            for exposure in (0.0, -2.0)
        ]
        images.append(image(pid, 2, query=False))
    rng = np.random.default_rng(2)
    world = World(images, rng.integers(-3, 4, (len(images), 3)), pencil.plan(cmc="dedup"))
    bundle = evaluated(world, tmp_path / "out", draws=100)
    text = printed(bundle)
    row = next(row for row in bundle.tables["strata"].to_pylist() if row["metric"] == "mAP_difference")
    bounds = f"{100 * row['ci_lo']:+.2f} to {100 * row['ci_hi']:+.2f}"
    said = f"same scene, -2 stops against 0 stops: mAP {100 * row['value']:+.2f}, 95 % {bounds}, 35 scenes"
    assert said.replace("0 stops", "0") in text
    assert "same scene, one more stop: mAP" in text
    assert "with every tie in its favour mAP" in text
    assert f", R1 {100 * bundle.run['R1_opt']:.1f}" in next(line for line in text.splitlines() if "tied" in line)


def test_rows_that_could_not_be_scored_and_single_shots_are_said(tmp_path: Path) -> None:
    world = pencil.small(4)
    searched = next(place for place, one in enumerate(world.images) if one["gallery"] and not one["query"])
    world.vectors[[0, searched]] = np.nan
    text = printed(evaluated(world, tmp_path / "out", nonfinite="worst", single_shot=True))
    assert "1 query and 1 gallery rows could not be scored and stand last: the run is flagged" in text
    bundle = results.read(tmp_path / "out")
    whole = {row["metric"]: row["value"] for row in bundle.tables["strata"].to_pylist() if row["cut"] == "all"}
    shown = ", ".join(f"R{k}_single {100 * whole[f'R{k}_single']:.1f}" for k in (1, 5, 10))
    assert f"expected if one image of every identity were drawn: {shown}" in text
    plain = printed(evaluated(pencil.small(4), tmp_path / "plain"))
    assert "could not be scored" not in plain
    assert "were drawn" not in plain


def test_re_ranking_and_own_columns_are_named(tmp_path: Path) -> None:
    world = pencil.small(3)
    asked = Asked(("time",), ("time",))
    found = tables(evaluated(world, tmp_path / "out", asked, metric="euclidean", rerank=Reranking(k1=5, k2=2)))
    assert {line[0] for line in found["queries by time"]} == {"day", "night"}
    assert {line[0] for line in found["query -> positive by time, all negatives kept"]} == {
        f"{one} -> {other}" for one in ("day", "night") for other in ("day", "night")
    }
