"""strata/1: every number against a pencil, in worlds of two id spaces, distractors, own copies and several trials."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from benchmark import cuts, evaluation, query_rows, scorecard, statistics, strata, strata_rows
from benchmark.evaluation import Asked, Evaluation
from benchmark.schemas import STRATA
from benchmark.scorecard import Trial
from tests.benchmark import pencil
from tests.benchmark.pencil import Image, World, image

Mistake = Callable[..., AbstractContextManager[None]]

GALLERIES: Image = {"count": 3, "sampler": "keyed", "role": "gallery", "per": "identity", "shots": 2}
QUERIES: Image = {"count": 3, "sampler": "keyed", "role": "query", "per": "identity", "shots": 2}
FACTS = ("n_query", "n_id", "n_pos_pairs", "n_gallery", "low_support")
OF_CELLS = ("all", "query", "pos", "pair_pos")


def agree(done: Evaluation, world: World, chosen: tuple[tuple[str, str], ...] = pencil.STANDARD) -> None:
    """Compare all rows of all cells, neither more nor fewer."""
    found = {key: rows for key, rows in pencil.by_cell(done).items() if key[0] in OF_CELLS}
    expected = dict(pencil.cells(world, chosen))
    assert found.keys() == expected.keys()
    for key, wanted in expected.items():
        rows = {name: row for name, row in found[key].items() if name != "icc"}
        assert rows.keys() == wanted.keys(), key
        for name, row in rows.items():
            assert row["value"] == pytest.approx(wanted[name]["value"], abs=1e-12), (key, name)
            assert {fact: row[fact] for fact in FACTS} == {fact: wanted[name][fact] for fact in FACTS}, (key, name)
            if world.plan.invalid_queries == "skip" or key[0] != "all":
                assert row["sd_trials"] == pytest.approx(wanted[name]["sd_trials"], abs=1e-12), (key, name)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cmc", ["first", "dedup"])
@pytest.mark.parametrize("trials", [{}, GALLERIES, QUERIES], ids=["one", "galleries", "queries"])
def test_every_cell_is_what_a_pencil_finds(trials: Image, cmc: str, seed: int) -> None:
    world = pencil.small(seed, pencil.plan(cmc=cmc, trials=trials))
    agree(world.evaluate(), world)


@pytest.mark.parametrize("trials", [{}, GALLERIES], ids=["one", "galleries"])
def test_queries_without_a_positive_count_where_a_protocol_says_so(trials: Image) -> None:
    world = pencil.small(4, pencil.plan(invalid_queries="count", trials=trials))
    done = world.evaluate()
    agree(done, world)
    whole = pencil.rows(world, "all", "all", None, None)
    assert done.headline["n_query_valid"] < done.headline["n_query_total"]
    assert done.headline["R1"] < fmean(whole["R1"]["each"].values())
    assert done.headline["mAP"] == pytest.approx(fmean(whole["mAP"]["each"].values()), abs=1e-12)


def test_other_junk_rules_are_followed() -> None:
    world = pencil.small(5, pencil.plan(junk={"same_place": False, "place_pairs": ((1, 2), (3, 3))}))
    agree(world.evaluate(), world)


@pytest.mark.parametrize("cmc", ["first", "dedup"])
@pytest.mark.parametrize("trials", [{}, GALLERIES, QUERIES], ids=["one", "galleries", "queries"])
def test_the_rows_beneath_are_what_a_pencil_finds(trials: Image, cmc: str) -> None:
    world = pencil.small(19, pencil.plan(cmc=cmc, trials=trials, junk={"place_pairs": ((1, 3),)}))
    asked = [(trial, *one) for trial, part in enumerate(world.parts) for one in enumerate(part[0])]
    rows = world.evaluate().queries.to_pylist()
    assert len(rows) == len(asked)
    for row, (trial, place, query) in zip(rows, asked, strict=True):
        found = pencil.walk(world, query, world.parts[trial][1])
        assert (row["run_id"], row["trial"], row["query_idx"]) == ("run", trial, place)
        assert row["image_id"] == f"set/{query['name']}.jpg"
        for name in ("pos_ranks", "pos_gidx", "n_pos", "n_junk", "n_gallery_eff", "n_ties"):
            assert row[name] == found[name], name
        assert row["first_rank_id"] == (found.get("first_id", 0) if cmc == "dedup" else 0)
        for name in ("ap_opt", "inp_opt"):
            assert row[name] == (pytest.approx(found[name], abs=1e-6) if found["n_ties"] else None)
        assert row["first_rank_opt"] == (found["first_opt"] if found["n_ties"] else None)


def test_the_worlds_hold_what_they_are_to_prove() -> None:
    world = pencil.small(0, pencil.plan(trials=GALLERIES))
    walked = [[pencil.walk(world, one, gallery) for one in queries] for queries, gallery in world.parts]
    assert {found["n_pos"] > 0 for found in walked[0]} == {True, False}
    assert any(found["n_ties"] for found in walked[0])
    assert any(found["n_junk"] for found in walked[0])
    assert len({tuple(one["name"] for one in gallery) for _, gallery in world.parts}) == 3
    valid = [{place for place, found in enumerate(trial) if found["n_pos"]} for trial in walked]
    assert valid[0] != valid[1]  # a query has its positives in some trials only
    whole = pencil.rows(world, "all", "all", None, None)["mAP"]
    of_trials = fmean(fmean(found["ap"] for found in trial if found["n_pos"]) for trial in walked)
    assert whole["value"] != pytest.approx(of_trials, abs=1e-9)


@pytest.mark.parametrize("policy", ["skip", "count"])
@pytest.mark.parametrize("cmc", ["first", "dedup"])
@pytest.mark.parametrize("trials", [{}, GALLERIES, QUERIES], ids=["one", "galleries", "queries"])
def test_the_headline_is_that_of_the_whole(trials: Image, cmc: str, policy: str) -> None:
    world = pencil.small(6, pencil.plan(cmc=cmc, invalid_queries=policy, trials=trials))
    head = world.evaluate().headline
    whole = pencil.rows(world, "all", "all", None, None)
    asked = {one["name"]: one for queries, _ in world.parts for one in queries}
    for name in ("mAP", "mAP_trapz", "mINP", "mAP_id_macro", "R1", "R5", "R10"):
        assert head[name] == pytest.approx(whole[name]["value"], abs=1e-12), name
    for name in ("mAP", "mAP_trapz"):
        assert head[f"{name}_all"] == pytest.approx(sum(whole[name]["each"].values()) / len(asked), abs=1e-12)
    counts = {"n_query_total": len(asked), "n_query_valid": whole["mAP"]["n_query"], "n_id": whole["mAP"]["n_id"]}
    walked = [{one["name"]: pencil.walk(world, one, gallery) for one in queries} for queries, gallery in world.parts]
    tied = {name for trial in walked for name, found in trial.items() if found["n_ties"]}
    assert tied
    counts |= {"n_query_tied": len(tied), "n_gallery": whole["mAP"]["n_gallery"]}
    assert {name: head[name] for name in counts} == counts
    optimistic = best(walked, "ap_opt")
    assert head["mAP_opt"] == pytest.approx(fmean(optimistic.values()), abs=1e-12)
    assert head["mAP_opt"] > head["mAP"]
    firsts = best(walked, "first_opt", lambda first: float(first == 1))
    over = len(asked) if policy == "count" else len(firsts)
    assert head["R1_opt"] == pytest.approx(sum(firsts.values()) / over, abs=1e-12)
    assert head["R1_opt"] >= head["R1"]
    assert ("sd_trials_mAP" in head) == bool(trials)
    if trials:
        of_trials = [fmean(found["ap"] for found in trial.values() if found["n_pos"]) for trial in walked]
        assert head["sd_trials_mAP"] == pytest.approx(stdev(of_trials), abs=1e-12)


def best(walked: list[dict[str, Image]], name: str, score: Callable[[Any], float] = float) -> dict[str, float]:
    """Average over trials what every query would score with each tie in its favour."""
    found: dict[str, list[float]] = {}
    for trial in walked:
        for query, one in trial.items():
            if one["n_pos"]:
                found.setdefault(query, []).append(score(one[name]))
    return {query: fmean(scores) for query, scores in found.items()}


def test_the_optimistic_share_is_never_below_the_pessimistic_one() -> None:
    """A query that is invalid in some trials once pulled the optimistic R1 below the other."""
    queries = [image(pid, 1, gallery=False) for pid in (1, 2)]
    gallery = [image(1, 2, query=False), image(1, 1, query=False), image(2, 2, query=False)]
    draws = {"count": 8, "sampler": "keyed", "role": "gallery", "per": "identity", "shots": 1}
    world = World(
        [*queries, *gallery], np.eye(5, 3)[[0, 1, 0, 2, 1]], pencil.plan(invalid_queries="count", trials=draws)
    )
    valid = [bool(pencil.walk(world, world.images[0], gallery)["n_pos"]) for _, gallery in world.parts]
    assert set(valid) == {True, False}
    head = world.evaluate().headline
    assert head["R1"] == head["R1_opt"] == 1


@pytest.mark.parametrize(
    ("cmc", "trials"),
    [("first", {}), ("dedup", {}), ("first", GALLERIES), ("dedup", QUERIES)],
)
def test_tables_and_headline_follow_from_a_bundle_alone(cmc: str, trials: Image) -> None:
    world = pencil.small(7, pencil.plan(cmc=cmc, trials=trials))
    done = world.evaluate(draws=50)
    parts = [again(done, number) for number in range(world.plan.trials.count)]
    joined = [pa.concat_tables([getattr(one, role) for one in parts]) for role in ("query", "gallery")]
    known = scorecard.queries(parts)
    cells = scorecard.cells(parts, cuts.standard(*joined)[0], known, world.plan)
    table, headline = strata_rows.table(parts, cells, known, world.plan, "run", strata_rows.How(50, 0))
    assert table.equals(done.strata)
    stored = {name: value for name, value in done.headline.items() if name in headline}
    # Ties stand in columns of their own, query by query.
    for name in ("mAP_opt", "R1_opt", "n_query_tied"):
        stored.pop(name, None), headline.pop(name, None)
    assert stored == pytest.approx(headline, abs=1e-9)
    assert {"mAP", "mINP", "R1", "n_id"} <= stored.keys()


def again(done: Evaluation, number: int) -> Trial:
    """Make a trial from stored tables."""
    lists = done.lists.filter(pa.compute.equal(done.lists["trial"], number))
    rows = done.queries.filter(pa.compute.equal(done.queries["trial"], number))
    query, gallery = (lists.filter(pa.compute.equal(lists["role"], role)) for role in ("query", "gallery"))
    return Trial(number, query, gallery, query_rows.ranking(rows))


def test_a_table_has_its_schema_and_says_how_it_was_cut() -> None:
    done = pencil.small(8).evaluate()
    assert done.strata.schema == STRATA
    rows = done.strata.to_pylist()
    assert {row["run_id"] for row in rows} == {"run"}
    assert {row["trial"] for row in rows} == {None}
    assert rows[0]["cut"] == "all"
    light = strata.scheme("night600-light")
    own = [row for row in rows if (row["cut"], row["scheme_id"]) == ("pair_pos", light.id)]
    assert {row["scheme_sha256"] for row in own} == {light.sha256}
    names = [(q, g) for q in light.levels for g in light.levels]
    assert {(row["q_stratum"], row["g_stratum"], row["stratum_order"]) for row in own} == {
        (*pair, order) for order, pair in enumerate(names)
    }


# Light, and columns of one's own.


def painted(seed: int, asks: str, searched: str) -> World:
    """Give all queries one modality, and the gallery another."""
    world = pencil.small(seed)
    images = world.images[:75]  # without those that have both roles
    for one in images:
        one["modality"] = asks if one["query"] else searched
    return World(images, world.vectors[:75])


def test_infrared_queries_cut_their_visible_positives() -> None:
    world = painted(9, "infrared", "visible")
    done = world.evaluate()
    light = ("night600-light", "night600-light+night600-scale", "stops-5")
    others = [cut for cut in pencil.STANDARD if cut[1] not in light]
    agree(done, world, (*(("pos", name) for name in light), *others))
    assert any("no query is a visible picture, so only the positives are cut" in note for note in done.notes)
    assert not [row for row in done.strata.to_pylist() if row["cut"] == "slope"]


def test_visible_queries_of_an_infrared_gallery_are_cut_themselves() -> None:
    world = painted(10, "visible", "thermal")
    done = world.evaluate()
    agree(done, world, tuple(cut for cut in pencil.STANDARD if cut[0] == "query" or cut[1] == "camid"))
    assert any("no gallery row is a visible picture" in note for note in done.notes)


def test_nobody_visible_no_light_cut(mistake: Mistake) -> None:
    world = painted(11, "infrared", "thermal")
    done = world.evaluate()
    agree(done, world, (("query", "night600-scale"), ("pair_pos", "camid"), ("query", "exposure")))
    assert any(note.startswith("night600-light: ") and "light is read from no other" in note for note in done.notes)
    with mistake("stops-5", "light is read from no other"):
        world.evaluate(Asked(by=("stops-5",)))


def test_infrared_queries_among_visible_ones_are_in_no_level_of_light() -> None:
    world = pencil.small(12)
    for one in world.images[:10]:
        one["modality"] = "infrared"
    world = World(world.images[:-1], world.vectors[:-1])
    done = world.evaluate()
    agree(done, world)
    slope = pencil.by_cell(done)["slope", "stops", None, None]["mAP_per_stop"]
    whole = pencil.rows(world, "all", "all", None, None)["mAP"]["each"]
    used = [world.images[int(name)] for name in whole if world.images[int(name)]["modality"] == "visible"]
    assert (slope["n_query"], slope["n_id"]) == (len(used), len({pencil.person(one) for one in used}))
    line = np.polyfit([one["stops"] for one in used], [whole[one["name"]] for one in used], 1)
    assert slope["value"] == pytest.approx(line[0], abs=1e-9)


def test_a_scheme_of_one_occupied_level_is_left_out_with_a_note() -> None:
    world = pencil.small(13)
    for one in world.images:
        one |= {"height": 60, "exposure": 0.0}
    world = World(world.images[:-1], world.vectors[:-1])
    done = world.evaluate(Asked(by=("modality",)))
    left = [cut for cut in pencil.STANDARD if "scale" not in cut[1] and cut[1] != "exposure"]
    agree(done, world, tuple(left))
    for scheme, only in (("night600-scale", "Small"), ("exposure", "0"), ("modality", "visible")):
        assert f"{scheme} has one occupied level, {only}: it divides nothing here" in done.notes


@pytest.mark.parametrize("trials", [{}, GALLERIES, QUERIES], ids=["one", "galleries", "queries"])
def test_any_column_cuts_with_edges_or_without_or_two_at_once(trials: Image) -> None:
    world = pencil.small(14, pencil.plan(trials=trials))
    done = world.evaluate(Asked(("time", "height:100,200", "time+camid"), ("place", "time")))
    found = pencil.by_cell(done)
    heights: dict[str, Callable[[Image], bool]] = {
        "below 100": lambda one: one["height"] < 100,
        "100 to 200": lambda one: 100 <= one["height"] < 200,
        "200 and up": lambda one: one["height"] >= 200,
    }
    wanted: dict[tuple[str, str, str | None, str | None], tuple[pencil.Keep, pencil.Keep | None]] = {}
    for name, fits in heights.items():
        wanted["query", "height", name, None] = (fits, None)
    for time in ("day", "night"):
        wanted["query", "time", time, None] = (has(time=time), None)
        for camid in (1, 2, 3):
            wanted["query", "time+camid", f"{time}, {camid}", None] = (has(time=time, camid=camid), None)
        for other in ("day", "night"):
            wanted["pair_pos", "time", time, other] = (has(time=time), has(time=other))
    for here in (1, 2, 3):
        for there in (1, 2, 3):
            wanted["pair_pos", "place", str(here), str(there)] = (has(place=here), has(place=there))
    own = {key for key in found if key[1].split("+")[0] in ("time", "height", "place") and key[0] in OF_CELLS}
    occupied = set()
    for key, (asks, keep) in wanted.items():
        walked, _ = pencil.cell(world, asks, keep)
        names = {name for trial in walked for name in trial}
        if not names:
            continue
        occupied.add(key)
        each = [fmean(trial[name]["ap"] for trial in walked if name in trial) for name in names]
        assert found[key]["mAP"]["value"] == pytest.approx(fmean(each), abs=1e-12), key
        assert found[key]["mAP"]["n_query"] == len(names)
    assert own == occupied
    assert ("pair_pos", "place", "1", "1") not in occupied  # the same place is hidden


def has(**facts: object) -> pencil.Keep:
    return lambda one: all(one[name] == value for name, value in facts.items())


def test_a_cut_that_is_there_already_is_not_made_twice(mistake: Mistake) -> None:
    world = pencil.small(15)
    plain, asked = world.evaluate(), world.evaluate(Asked(("night600-light", "stops-5"), ("camid",)))
    assert asked.strata.equals(plain.strata)
    for words in (Asked(by=("heigth",)), Asked(pairs=("heigth:100",))):
        with mistake("heigth", "did you mean 'height'"):
            world.evaluate(words)


# Intervals: many identities.


def many(seed: int, people: int = 40, each: int = 3) -> World:
    """Make worlds in which bright queries are found more easily."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(people + 1, 6))
    images, vectors = [], []
    for pid in range(1, people + 1):
        for number in range(each):
            stops = float(rng.uniform(-10, -1))
            light = 10.0 if stops < -7 else 40.0 if stops < -4 else 60.0
            # What has an exposure but no scene is compared with nothing.
            more: Image = {"scene": f"{pid}" if pid % 2 else None, "exposure": -2.0 * number}
            height = (60, 250, 150 if pid <= 8 else 250)[number]
            images.append(image(pid, 1, gallery=False, stops=stops, lightness=light, height=height, **more))
            vectors.append(centres[pid] + (0.3 - 0.12 * stops) * rng.normal(size=6))
        images += [image(pid, 2 + pid % 2, query=False), image(0, 2, query=False)]
        vectors += [centres[pid] + 0.3 * rng.normal(size=6), rng.normal(size=6)]
    return World(images, np.round(4 * np.array(vectors)))


@pytest.fixture(scope="module")
def crowded() -> World:
    return many(0)


def spread(world: World, cell: dict[str, Image], metric: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give the pencil's values of all queries, NaN where one is not in the cell, and who asks."""
    queries, _ = world.parts[0]
    people = sorted({pencil.person(one) for one in queries})
    identities = np.array([people.index(pencil.person(one)) for one in queries])
    column = np.full(len(queries), np.nan)
    if metric == "mAP_id_macro":
        first = {pencil.person(one): place for place, one in reversed(list(enumerate(queries)))}
        asked = {query: place for place, query in enumerate(one["name"] for one in queries)}
        for who, votes in cell[metric]["people"].items():
            own = [asked[name] for name in cell["mAP"]["each"] if identities[asked[name]] == people.index(who)]
            assert first[who] <= min(own)
            column[min(own)] = fmean(votes)
    else:
        for place, one in enumerate(queries):
            column[place] = cell[metric]["each"].get(one["name"], np.nan)
    return column, identities


def test_intervals_are_the_bootstrap_over_identities_of_what_the_pencil_found(crowded: World) -> None:
    done = crowded.evaluate(draws=300, seed=5)
    agree(done, crowded)
    found = pencil.by_cell(done)
    supported = 0
    for key, cell in pencil.cells(crowded):
        for metric, wanted in cell.items():
            row = found[key][metric]
            if wanted["n_id"] < 30 or metric.startswith("chance"):
                assert {row[name] for name in ("se", "ci_lo", "ci_hi", "ci_method", "ci_B", "ci_seed")} == {None}
                continue
            column, identities = spread(crowded, cell, metric)
            expected = statistics.intervals(statistics.bootstrap(column[:, None], identities, 300, 5))[0]
            bounds = [row[name] for name in ("se", "ci_lo", "ci_hi")]
            assert bounds == pytest.approx(list(expected[:3]), abs=1e-9), (key, metric)
            assert (row["ci_method"], row["ci_B"], row["ci_seed"]) == ("BCa", 300, 5)
            supported += 1
    assert supported > 30
    low = found["query", "night600-scale", "Medium", None]["mAP"]
    assert (low["n_id"], low["low_support"], low["ci_lo"]) == (8, True, None)


def test_intervals_follow_their_seed_and_no_other(crowded: World) -> None:
    first, same, other = (crowded.evaluate(draws=100, seed=seed) for seed in (0, 0, 1))
    assert first.strata.equals(same.strata)
    bounds = [[row["ci_lo"] for row in one.strata.to_pylist() if row["cut"] == "all"] for one in (first, other)]
    assert bounds[0] != bounds[1]
    values = [one.strata["value"].to_pylist() for one in (first, other)]
    assert values[0] == values[1]


def test_no_draws_no_intervals(crowded: World) -> None:
    drawn, bare = (crowded.evaluate(draws=draws) for draws in (100, 0))
    for name in ("se", "ci_lo", "ci_hi", "ci_method", "ci_B", "ci_seed"):
        assert bare.strata[name].null_count == len(bare.strata)
    kept = [row for row in drawn.strata.to_pylist() if row["cut"] != "worst"]
    assert [row["value"] for row in kept] == bare.strata["value"].to_pylist()
    assert drawn.headline == bare.headline


def test_batches_of_cells_are_drawn_with_the_same_identities(crowded: World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = crowded.evaluate(draws=100)
    monkeypatch.setattr(strata_rows, "BATCH", 1)
    assert crowded.evaluate(draws=100).strata.to_pylist() == [
        {name: pytest.approx(value, abs=1e-12) if isinstance(value, float) else value for name, value in row.items()}
        for row in whole.strata.to_pylist()
    ]


def test_the_worst_level_is_the_lowest_with_enough_identities() -> None:
    world = many(1, people=120)
    found = pencil.by_cell(world.evaluate(draws=300))
    for scheme in ("night600-light", "night600-scale", "stops-5", "exposure"):
        levels = {key: cell["mAP"] for key, cell in found.items() if key[:2] == ("query", scheme)}
        supported = {key: row for key, row in levels.items() if row["n_id"] >= 30}
        key, lowest = min(supported.items(), key=lambda one: float(one[1]["value"]))
        row = found["worst", scheme, key[2], None]["mAP"]
        assert row["value"] == pytest.approx(lowest["value"], abs=1e-12)
        assert {name: row[name] for name in FACTS} == {name: lowest[name] for name in FACTS}
        # The minimum of all is below every one of them, draw by draw; and the lowest of a draw need not be this level.
        drawn = [draws_of(world, scheme, one[2]) for one in supported]
        least = np.nanquantile(np.fmin.reduce(drawn, axis=0), [0.025, 0.975])
        assert [row["ci_lo"], row["ci_hi"]] == pytest.approx(least.tolist(), abs=1e-9)
    assert "camid" not in {key[1] for key in found if key[0] == "worst"}  # of pairs there is none


def draws_of(world: World, scheme: str, name: str | None) -> NDArray[Any]:
    cell = pencil.rows(world, "query", scheme, name, None)
    column, identities = spread(world, cell, "mAP")
    return statistics.bootstrap(column[:, None], identities, 300, 0).values[:, 0]


def test_one_supported_level_is_no_worst_of_several(crowded: World) -> None:
    found = pencil.by_cell(crowded.evaluate(draws=100))
    two = [key for key, cell in found.items() if key[:2] == ("query", "night600-scale") and cell["mAP"]["n_id"] >= 30]
    assert len(two) == 2
    assert ("worst", "night600-scale") in {key[:2] for key in found}
    medium = World(
        [one | {"height": 150 if one["pid"] > 8 else 60} for one in crowded.images[:-1]], crowded.vectors[:-1]
    )
    found = pencil.by_cell(medium.evaluate(draws=100))
    assert ("worst", "night600-scale") not in {key[:2] for key in found}


def test_the_slope_is_that_of_a_line_through_all_queries(crowded: World) -> None:
    done = crowded.evaluate(draws=300, seed=2)
    row = pencil.by_cell(done)["slope", "stops", None, None]["mAP_per_stop"]
    each = pencil.rows(crowded, "all", "all", None, None)["mAP"]["each"]
    queries = [crowded.images[int(name)] for name in each]
    stops, ap = np.array([one["stops"] for one in queries]), np.array(list(each.values()))
    assert row["value"] == pytest.approx(np.polyfit(stops.astype(np.float32), ap, 1)[0], abs=1e-9)
    assert row["value"] > 0
    value, interval = statistics.slope(ap, stops.astype(np.float32), np.array([one["pid"] for one in queries]), 300, 2)
    assert value == pytest.approx(row["value"], abs=1e-9)
    assert [row["se"], row["ci_lo"], row["ci_hi"]] == pytest.approx(list(interval[:3]), abs=1e-9)
    assert (row["ci_B"], row["ci_seed"], row["n_query"], row["n_id"]) == (300, 2, len(queries), 40)
    assert row["scheme_sha256"] == strata.scheme("stops-5").sha256


def test_exposures_of_one_scene_are_compared_within_it() -> None:
    world = many(3, people=80)
    found = pencil.by_cell(world.evaluate(draws=300))
    each = pencil.rows(world, "all", "all", None, None)["mAP"]["each"]
    table: dict[str, dict[float, float]] = {}
    for name, value in each.items():
        one = world.images[int(name)]
        if one["scene"]:
            table.setdefault(one["scene"], {})[one["exposure"]] = value
    assert len(table) == 40
    for exposure, name in ((-2.0, "-2"), (-4.0, "-4")):
        row = found["within", "exposure", name, "0"]["mAP_difference"]
        gains = [scene[exposure] - scene[0.0] for scene in table.values()]
        assert row["value"] == pytest.approx(fmean(gains), abs=1e-12)
        assert (row["n_query"], row["n_id"], row["low_support"], row["ci_B"]) == (40, 40, False, 300)
        assert row["ci_lo"] < row["value"] < row["ci_hi"]
        assert row["stratum_order"] == (-4.0, -2.0).index(exposure)
    centred = [
        (exposure + 2, value - fmean(scene.values())) for scene in table.values() for exposure, value in scene.items()
    ]
    slope = sum(x * y for x, y in centred) / sum(x * x for x, _ in centred)
    row = found["within", "exposure", None, None]["mAP_per_stop"]
    assert row["value"] == pytest.approx(slope, abs=1e-12)
    assert (row["n_query"], row["n_id"]) == (40, 40)


def test_likeness_is_the_one_way_analysis_of_variance() -> None:
    world = pencil.small(16)
    row = pencil.by_cell(world.evaluate())["all", "all", None, None]["icc"]
    people = list(pencil.rows(world, "all", "all", None, None)["mAP_id_macro"]["people"].values())
    total, groups = sum(map(len, people)), len(people)
    middle = sum(map(sum, people)) / total
    between = sum(len(own) * (fmean(own) - middle) ** 2 for own in people) / (groups - 1)
    inside = sum((one - fmean(own)) ** 2 for own in people for one in own) / (total - groups)
    size = (total - sum(len(own) ** 2 for own in people) / total) / (groups - 1)
    assert row["value"] == pytest.approx((between - inside) / (between + (size - 1) * inside), abs=1e-9)
    assert row["ci_lo"] is None


def test_an_interval_of_trials_is_over_identities_of_averaged_queries() -> None:
    rng = np.random.default_rng(17)
    images = [image(pid, 1, gallery=False) for pid in range(1, 33) for _ in range(2)]
    images += [image(pid, 2, query=False) for pid in range(1, 33) for _ in range(4)]
    draws = {"count": 3, "sampler": "keyed", "role": "gallery", "per": "identity", "shots": 1}
    world = World(images, rng.integers(-4, 5, (len(images), 4)), pencil.plan(trials=draws))
    done = world.evaluate(draws=200)
    row = pencil.by_cell(done)["all", "all", None, None]["mAP"]
    each = pencil.rows(world, "all", "all", None, None)["mAP"]["each"]
    column = np.array(list(each.values()))
    people = np.array([world.images[int(name)]["pid"] for name in each])
    expected = statistics.intervals(statistics.bootstrap(column[:, None], people, 200, 0))[0]
    assert [row["se"], row["ci_lo"], row["ci_hi"]] == pytest.approx(list(expected[:3]), abs=1e-9)
    assert row["n_id"] == 32
    assert row["n_query"] == 64
    assert not math.isclose(row["se"], row["sd_trials"], rel_tol=1e-3)


def test_the_evaluation_gives_the_same_whoever_counts() -> None:
    world = pencil.small(18, pencil.plan(cmc="dedup"))
    parts = [evaluation.evaluate([pencil.only(world)], world.features(), options, "run") for options in both()]
    assert parts[0].queries.equals(parts[1].queries)
    assert parts[0].strata.equals(parts[1].strata)
    assert parts[0].headline == parts[1].headline


def both() -> list[evaluation.Options]:
    return [evaluation.Options(draws=0, metric="dot", memory=memory) for memory in (4.0, 1e-9)]
