"""Values of queries in cells: which queries several trials share, and how they are averaged."""

from dataclasses import replace
from itertools import product
from statistics import fmean

import numpy as np
import pyarrow as pa
import pytest

from benchmark import cuts, scorecard
from benchmark.scorecard import Queries
from tests.benchmark import pencil
from tests.benchmark.pencil import Image, World, image

GALLERIES: Image = {"count": 3, "sampler": "keyed", "role": "gallery", "per": "identity", "shots": 2}
QUERIES: Image = {"count": 4, "sampler": "keyed", "role": "query", "per": "identity", "shots": 2}


def known(world: World) -> Queries:
    return scorecard.queries(world.evaluate().trials)


@pytest.mark.parametrize("trials", [{}, GALLERIES, QUERIES], ids=["one", "galleries", "queries"])
def test_every_query_of_every_trial_is_known_once(trials: Image) -> None:
    world = pencil.small(0, pencil.plan(trials=trials))
    found = known(world)
    asked = [[f"set/{one['name']}.jpg" for one in queries] for queries, _ in world.parts]
    assert len(found) == len(found.image_ids) == len(set(found.image_ids))
    assert set(found.image_ids) == {name for trial in asked for name in trial}
    for names, places in zip(asked, found.places, strict=True):
        assert [found.image_ids[place] for place in places] == names
    if trials == QUERIES:
        assert len({tuple(names) for names in asked}) == 4
        assert len(found) > max(map(len, asked))


def test_the_same_number_in_another_space_is_another_person() -> None:
    world = pencil.small(1)
    found = known(world)
    people = [pencil.person(world.images[int(name[4:8])]) for name in found.image_ids]
    pairs = set(zip(people, found.identities.tolist(), strict=True))
    assert len(pairs) == len(set(people)) == len(set(found.identities.tolist()))
    assert {("here", 1), ("there", 1)} <= set(people)


def test_a_cell_knows_who_is_in_it_and_spreads_over_all_queries() -> None:
    world = pencil.small(2, pencil.plan(trials=GALLERIES))
    trials = world.evaluate().trials
    everybody = scorecard.queries(trials)
    whole = scorecard.cells(trials, [cuts.everything()], everybody, world.plan)[0]
    expected = pencil.rows(world, "all", "all", None, None)["mAP"]["each"]
    found = whole.spread("mAP", everybody)
    for name, value in zip(everybody.image_ids, found, strict=True):
        assert value == pytest.approx(expected.get(name[4:8], np.nan), abs=1e-12, nan_ok=True)
    assert 0 < np.isnan(found).sum() < len(found)
    assert np.array_equal(np.flatnonzero(~np.isnan(found)), whole.queries)
    zeros = whole.spread("mAP", everybody, 0.0)
    assert np.array_equal(zeros, np.nan_to_num(found))


def test_galleries_of_several_sizes_are_counted_in_the_mean() -> None:
    world = pencil.small(3, pencil.plan(trials=GALLERIES))
    trials = list(world.evaluate().trials)
    size = len(trials[0].gallery)
    trials[0] = replace(trials[0], gallery=trials[0].gallery.slice(0, size - 6))
    cell = scorecard.cells(trials, [cuts.everything()], scorecard.queries(trials), world.plan)[0]
    assert cell.gallery == size - 2


def test_a_level_that_nobody_of_a_trial_is_in_leaves_that_trial_without_a_mean() -> None:
    images = [image(pid, 1, gallery=False, height=60 + 100 * pid) for pid in (1, 1, 2, 2)]
    images += [image(pid, 2, query=False) for pid in (1, 2, 3)]
    draws = {"count": 6, "sampler": "keyed", "role": "query", "per": "identity", "shots": 1}
    world = World(images, np.arange(21).reshape(7, 3) % 5, pencil.plan(trials=draws))
    for one in world.images[:4:2]:
        one["time"] = "day"
    world = World(world.images[:-1], world.vectors[:-1], world.plan)
    trials = world.evaluate().trials
    everybody = scorecard.queries(trials)
    tables = [pa.concat_tables([getattr(one, role) for one in trials]) for role in ("query", "gallery")]
    cells = scorecard.cells(trials, [cuts.parse("time+camid", *tables)], everybody, world.plan)
    asked = [[one["time"] for one in queries] for queries, _ in world.parts]
    assert ["night", "night"] in asked
    day = next(cell for cell in cells if cuts.names(cell.cut, cell.q, cell.g)[0] == "day, 1")
    assert np.isnan(day.trials["mAP"]).tolist() == ["day" not in times for times in asked]


@pytest.mark.parametrize("cmc", ["first", "dedup"])
def test_one_drawn_picture_an_identity_is_expected_by_trying_all_draws(cmc: str) -> None:
    images = [image(pid, 1, gallery=False, height=60 * pid) for pid in (1, 2, 2, 9)]
    images += [image(pid, 2 + place % 2, query=False) for place, pid in enumerate((1, 1, 1, 2, 2, 3, 3, 0, 0))]
    rng = np.random.default_rng(5)
    world = World(images, rng.integers(-3, 4, (len(images), 3)), pencil.plan(cmc=cmc))
    found = pencil.by_cell(world.evaluate(single_shot=True))
    whole = found["all", "all", None, None]
    small, medium = (found["query", "night600-scale", name, None] for name in ("Small", "Medium"))
    expected = {place: [tried(world, world.images[place], k) for k in (1, 5, 10)] for place in (0, 1, 2)}
    for k, column in zip((1, 5, 10), zip(*expected.values(), strict=True), strict=True):
        assert whole[f"R{k}_single"]["value"] == pytest.approx(fmean(column), abs=1e-12)
        assert small[f"R{k}_single"]["value"] == pytest.approx(column[0], abs=1e-12)
        assert medium[f"R{k}_single"]["value"] == pytest.approx(fmean(column[1:]), abs=1e-12)
    assert 0 < whole["R1_single"]["value"] < 1
    # Ranks do not say which pictures would have been drawn among the positives of one camera.
    assert not [key for key, cell in found.items() if key[0] == "pair_pos" and "R1_single" in cell]
    assert not [name for cell in pencil.by_cell(world.evaluate()).values() for name in cell if "single" in name]


def tried(world: World, query: Image, k: int) -> float:
    """Try every way to draw one picture an identity."""
    _, gallery = world.parts[0]
    people: dict[object, list[float]] = {}
    for place, other in enumerate(gallery):
        who = other["pid"] or f"distractor {place}"
        people.setdefault(who, []).append(world.score(query, other))
    own = people.pop(query["pid"])
    hits = [1 + sum(score >= mine for score in drawn) <= k for mine in own for drawn in product(*people.values())]
    return fmean(hits)
