"""The evaluator as a whole, against a pencil: everything is ranked again by walking down a sorted list."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from benchmark import cuts, evaluation, manifest, query_rows, scorecard, strata_rows
from benchmark.errors import UserError
from benchmark.evaluation import Asked, Evaluation, Options
from benchmark.features import Features
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.matrix import Matrix
from benchmark.protocol import Rules

Person = dict[str, Any]
Keep = Callable[[Person], bool]
QUICK = Options(draws=0)
LEVELS = {
    "night600-light": ("lightness", (25.5, 51.0), ("Low", "Medium", "High")),
    "night600-scale": ("height", (100.0, 200.0), ("Small", "Medium", "Big")),
    "stops-5": (
        "stops",
        (-8.0, -6.6, -4.9, -2.9),
        ("below -8", "-8 to -6.6", "-6.6 to -4.9", "-4.9 to -2.9", "-2.9 and up"),
    ),
}


def person(pid: int, camid: int, copy: str = "", **more: object) -> Person:
    facts = {"place": camid, "id_space": "world", "lightness": 10.0, "stops": -5.0, "height": 50, "modality": "visible"}
    return {"pid": pid, "camid": camid, "copy": copy, "scene": None, "exposure": None} | facts | more


def rows(people: Sequence[Person], source: str) -> Manifest:
    count = len(people)
    names = ("pid", "camid", "place", "id_space", "lightness", "stops", "height", "modality", "scene", "exposure")
    hashes = [str(one["copy"] or f"{source}{place}").encode().hex().ljust(64, "0") for place, one in enumerate(people)]
    table: dict[str, list[Any]] = {name: [0.0] * count for name in ("luma", "p05", "p95", "dark", "saturated")}
    table |= {name: [one[name] for one in people] for name in names}
    table |= {"path": [f"{one.get('name', f'{place:04d}')}.jpg" for place, one in enumerate(people)]}
    table |= {"split": ["test"] * count, "width": [10] * count, "sha256": hashes}
    return manifest.build(table, source, Path("/nowhere"))


def lists(queries: Sequence[Person], gallery: Sequence[Person], rules: Rules | None = None, trial: int = 0) -> Lists:
    query, found = rows(queries, "q"), rows(gallery, f"g{trial}")
    return Lists(found, query, found, "test", "0" * 64, trial, rules or Rules())


def features(one: Lists, query: NDArray[Any], gallery: NDArray[Any]) -> Features:
    names = [str(name) for part in (one.query, one.gallery) for name in part.column("image_id")]
    return Features(names, np.concatenate([query, gallery]).astype(np.float32), {})


def evaluate(
    vectors: Sequence[NDArray[Any]], one: Lists, options: Options = QUICK, asked: Asked | None = None
) -> Evaluation:
    return evaluation.evaluate([one], features(one, *vectors), options, "run", asked)


def ranked(gallery: Sequence[Person], query: Person, scores: Sequence[float], **rules: object) -> Person:
    """Rank a gallery whose cosine with the query is given, and give the query's row."""
    angles = np.arccos(scores)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    done = evaluate([np.array([[1.0, 0.0]]), vectors], lists([query], gallery, Rules.model_validate(rules)))
    row: Person = done.queries.to_pylist()[0]
    return row


def test_same_identity_same_place_is_removed_and_distractors_stay() -> None:
    gallery = [person(1, 1), person(2, 1), person(1, 2), person(0, 2), person(1, 3)]
    row = ranked(gallery, person(1, 1), [0.9, 0.8, 0.7, 0.6, 0.5])
    assert (row["pos_ranks"], row["pos_gidx"], row["n_junk"]) == ([2, 4], [2, 4], 1)
    assert row["ap"] == pytest.approx(1 / 2)


def test_an_own_copy_in_another_place_is_removed_but_not_another_identitys() -> None:
    gallery = [person(1, 2, copy="same"), person(2, 2, copy="same"), person(1, 3)]
    row = ranked(gallery, person(1, 1, copy="same"), [0.9, 0.8, 0.7])
    assert (row["pos_ranks"], row["n_junk"]) == ([2], 1)


def test_an_unknown_place_equals_nothing() -> None:
    row = ranked([person(1, 1), person(2, 0), person(1, 0)], person(1, 1), [0.9, 0.8, 0.7])
    assert row["pos_gidx"] == [2]


def test_ties_are_pessimistic_and_the_envelope_is_kept() -> None:
    gallery = [person(1, 2), person(2, 1), person(1, 3)]
    done = evaluate([np.ones((1, 2)), np.ones((3, 2))], lists([person(1, 1)], gallery))
    row = done.queries.to_pylist()[0]
    assert (row["pos_ranks"], row["n_ties"], row["ap_opt"]) == ([2, 3], 2, 1)
    assert (done.headline["n_query_tied"], done.headline["mAP_opt"], done.headline["R1_opt"]) == (1, 1, 1)


def test_a_collapsed_network_is_near_chance_and_a_note_says_so() -> None:
    rng = np.random.default_rng(0)
    gallery = [person(int(pid), 2) for pid in rng.integers(1, 20, 200)]
    one = lists([person(pid, 1) for pid in range(1, 20)], gallery)
    done = evaluate([np.ones((19, 8)), np.ones((200, 8))], one)
    chance = next(row["value"] for row in done.strata.to_pylist() if row["metric"] == "chance_mAP")
    assert done.headline["mAP"] < 1.5 * chance
    assert done.headline["mAP_opt"] == 1


def test_no_valid_query_is_an_error_that_says_why() -> None:
    with pytest.raises(UserError, match=r"of 1 queries, 0 have an identity that is absent.* 1 one that is there only"):
        ranked([person(1, 1), person(2, 1)], person(1, 1), [0.5, 0.4])
    world = lists([person(1, 1), person(8, 1), person(9, 2)], [person(1, 1), person(2, 1)])
    with pytest.raises(UserError, match=r"of 3 queries, 2 have an identity that is absent.* 1 one that is there only"):
        evaluate([np.ones((3, 2)), np.ones((2, 2))], world)


def test_a_camera_rule_without_cameras_is_refused() -> None:
    with pytest.raises(UserError, match=r"test: hides a query's own place .* no query has a known camera.*no-cameras"):
        ranked([person(1, 0), person(2, 0)], person(1, 0), [0.9, 0.8])
    row = ranked([person(1, 0), person(2, 0)], person(1, 0), [0.9, 0.8], junk={"same_place": False})
    assert row["pos_ranks"] == [1]


def test_rows_that_cannot_be_scored_are_counted() -> None:
    one = lists([person(1, 1), person(2, 1)], [person(1, 2), person(2, 2)])
    with pytest.raises(UserError, match="1 of 2 rows have no length"):
        evaluate([np.array([[0.0, 0.0], [1, 1]]), np.ones((2, 2))], one)
    broken = np.array([[1.0, np.nan], [1, 1]])
    with pytest.raises(UserError, match=r"1 of 2 .*not finite"):
        evaluate([broken, np.ones((2, 2))], one)
    done = evaluate([broken, np.array([[1.0, 0], [1, 1]])], one, Options(draws=0, nonfinite="worst"))
    assert (done.headline["n_nonfinite_q"], done.headline["n_nonfinite_g"]) == (1, 0)
    assert done.queries["pos_ranks"].to_pylist() == [[2], [1]]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_average_precision_equals_scikit_learn(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.permutation(np.linspace(-0.9, 0.9, count))
    people = [person(int(pid), 2) for pid in rng.integers(1, 4, count)]
    people[0] = person(1, 2)
    row = ranked(people, person(1, 1), scores.tolist())
    truth = np.array([one["pid"] == 1 for one in people])
    assert row["ap"] == pytest.approx(average_precision_score(truth, scores), abs=1e-6)


def test_thirty_identities_support_a_cell_whatever_the_number_of_queries() -> None:
    small = [person(pid, 1, height=50) for pid in range(1, 31)]
    # 29 identities in 31 queries.
    medium = [person(pid, 1, height=150) for pid in [*range(1, 30), 1, 2]]
    one = lists(small + medium, [person(pid, 2) for pid in range(1, 31)])
    rng = np.random.default_rng(2)
    done = evaluate([rng.normal(size=(61, 4)), rng.normal(size=(30, 4))], one, Options(draws=200))
    found = [row for row in done.strata.to_pylist() if row["cut"] == "query" and row["metric"] == "mAP"]
    assert {(row["q_stratum"], row["n_id"], row["low_support"]) for row in found} == {
        ("Small", 30, False),
        ("Medium", 29, True),
    }
    assert {row["q_stratum"]: row["ci_lo"] is None for row in found} == {"Small": False, "Medium": True}


# The pencil.


def by_hand(query: Person, gallery: Sequence[Person], closeness: NDArray[Any], keep: Keep | None = None) -> Person:
    """Score one query without ties by walking down its ranking; positives that are not kept are junk."""
    ranks: list[tuple[int, int]] = []
    negatives: list[int] = []
    others: set[object] = set()
    junk, before = 0, -1
    for row in np.argsort(-closeness).tolist():
        other = gallery[row]
        same = query["pid"] == other["pid"] and query["id_space"] == other["id_space"]
        if same and (query["place"] == other["place"] != 0 or (query["copy"] and query["copy"] == other["copy"])):
            junk += 1
        elif same and keep is not None and not keep(other):
            continue
        elif same:
            before = len(others) if before < 0 else before
            ranks.append((len(ranks) + len(negatives) + 1, row))
        else:
            negatives.append(row)
            others.add((other["id_space"], other["pid"]) if other["pid"] else row)  # a distractor is its own
    found: Person = {"n_pos": len(ranks), "n_junk": junk, "n_gallery_eff": len(ranks) + len(negatives)}
    found |= {"pos_ranks": [rank for rank, _ in ranks], "pos_gidx": [row for _, row in ranks]}
    found |= {"first_rank": ranks[0][0] if ranks else 0, "first_rank_id": before + 1}
    if negatives:
        found["d_first_neg"] = 1 - closeness[negatives[0]]
    if ranks:
        found["d_first_pos"] = 1 - closeness[ranks[0][1]]
        found["ap"] = sum(number / rank for number, (rank, _) in enumerate(ranks, 1)) / len(ranks)
        steps = [((k - 1) / (rank - 1) if rank > 1 else 1) + k / rank for k, (rank, _) in enumerate(ranks, 1)]
        found["ap_trapz"] = sum(steps) / 2 / len(ranks)
        found["inp"] = len(ranks) / ranks[-1][0]
    return found


def chance(positives: int, count: int) -> float:
    """Give the expected AP of a random order, rank by rank."""
    pairs = (positives - 1) / (count - 1) if count > 1 else 0
    return sum((1 + (rank - 1) * pairs) / rank for rank in range(1, count + 1)) / count


def in_the_mean(chosen: Sequence[tuple[Person, Person]], dedup: bool = False) -> dict[str, float]:
    """Average what the pencil found; every row has one vote, in the macro mean every identity."""
    columns = {"mAP": "ap", "mAP_trapz": "ap_trapz", "mINP": "inp"}
    means = {name: float(np.mean([row[column] for _, row in chosen])) for name, column in columns.items()}
    first = "first_rank_id" if dedup else "first_rank"
    means |= {f"R{k}": float(np.mean([row[first] <= k for _, row in chosen])) for k in (1, 5, 10)}
    means["chance_mAP"] = float(np.mean([chance(row["n_pos"], row["n_gallery_eff"]) for _, row in chosen]))
    means["chance_R1"] = float(np.mean([row["n_pos"] / row["n_gallery_eff"] for _, row in chosen]))
    people: dict[object, list[float]] = {}
    for query, row in chosen:
        people.setdefault((query["id_space"], query["pid"]), []).append(row["ap"])
    return means | {"mAP_id_macro": float(np.mean([np.mean(votes) for votes in people.values()]))}


def level(scheme: str, one: Person) -> str:
    """Say in which level a person stands, by the scheme's name alone."""
    parts = [part.split("@")[0] for part in scheme.split("+")]
    if parts == ["camid"]:
        return str(one["camid"])
    found = []
    for measure, edges, names in (LEVELS[part] for part in parts):
        found.append(names[sum(one[measure] >= edge for edge in edges)])
    return ", ".join(found)


def anybody(_: Person) -> bool:
    return True


def at(scheme: str, name: str | None) -> Keep:
    """Say who is in a level."""
    return lambda one: name is None or level(scheme, one) == name


def crowd(rng: np.random.Generator, count: int, pids: Sequence[int]) -> list[Person]:
    """Draw people of two spaces whose numbers overlap, at places that are not their cameras."""
    return [
        person(
            int(rng.choice(pids)),
            int(rng.integers(1, 4)),
            str(rng.choice(["", "", "", "copy a", "copy b"])),
            place=int(rng.integers(0, 4)),
            id_space=str(rng.choice(["here", "there"])),
            height=int(rng.choice([60, 150, 250])),
            lightness=float(rng.choice([10.0, 25.5, 40.0, 60.0])),
            stops=float(rng.choice([-9.0, -8.0, -7.0, -6.0, -3.0, -1.0])),
        )
        for _ in range(count)
    ]


def unit(vectors: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


class World:
    """Queries, a gallery, vectors, and what a pencil makes of any cut of them."""

    def __init__(self, seed: int, rules: Rules | None = None) -> None:
        rng = np.random.default_rng(seed)
        self.gallery, self.queries = crowd(rng, 60, [0, 1, 2, 3]), crowd(rng, 40, [1, 2, 3, 9])
        self.vectors = [rng.normal(size=(count, 4)) for count in (40, 60)]
        self.closeness = unit(self.vectors[0]) @ unit(self.vectors[1]).T
        self.lists = lists(self.queries, self.gallery, rules)
        self.dedup = self.lists.rules.cmc == "dedup"

    def evaluate(self, options: Options = QUICK) -> Evaluation:
        return evaluate(self.vectors, self.lists, options)

    def cell(self, asks: Keep, keep: Keep | None = None) -> list[tuple[Person, Person]]:
        asked = [place for place, query in enumerate(self.queries) if asks(query)]
        pairs = [
            (self.queries[place], by_hand(self.queries[place], self.gallery, self.closeness[place], keep))
            for place in asked
        ]
        return [(query, row) for query, row in pairs if row["n_pos"]]


@pytest.mark.parametrize("cmc", ["first", "dedup"])
@pytest.mark.parametrize("seed", range(3))
def test_every_row_is_what_a_pencil_finds(seed: int, cmc: str) -> None:
    world = World(seed, Rules.model_validate({"cmc": cmc}))
    done = world.evaluate()
    for place, found in enumerate(done.queries.to_pylist()):
        expected = by_hand(world.queries[place], world.gallery, world.closeness[place])
        expected["first_rank_id"] *= cmc == "dedup"
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, abs=1e-6), name
        assert found["image_id"] == f"q/{place:04d}.jpg"
        assert (found["pid"], found["id_space"]) == (world.queries[place]["pid"], world.queries[place]["id_space"])


@pytest.mark.parametrize("cmc", ["first", "dedup"])
@pytest.mark.parametrize("seed", range(3))
def test_every_cell_is_what_a_pencil_finds(seed: int, cmc: str) -> None:
    world = World(seed, Rules.model_validate({"cmc": cmc}))
    cells: dict[tuple[str, str, str | None, str | None], dict[str, Person]] = {}
    for row in world.evaluate().strata.to_pylist():
        if row["cut"] in ("all", "query", "pair_pos") and row["metric"] != "icc":
            key = (row["cut"], row["scheme_id"], row["q_stratum"], row["g_stratum"])
            cells.setdefault(key, {})[row["metric"]] = row
    kinds = {(cut, scheme.split("@")[0] if "+" not in scheme else "two") for cut, scheme, _, _ in cells}
    assert kinds == {
        ("all", "all"),
        *(("query", name) for name in ("night600-light", "night600-scale", "two", "stops-5")),
        *(("pair_pos", name) for name in ("night600-light", "stops-5", "camid")),
    }
    for (cut, scheme, q, g), found in cells.items():
        expected = world.cell(at(scheme, q), None if g is None else at(scheme, g))
        means = in_the_mean(expected, world.dedup)
        if cmc == "dedup" and cut == "pair_pos":
            means = {name: value for name, value in means.items() if name not in ("R5", "R10")}
        assert {name: row["value"] for name, row in found.items()} == pytest.approx(means, abs=1e-12)
        facts = {
            "n_query": len(expected),
            "n_id": len({(query["id_space"], query["pid"]) for query, _ in expected}),
            "n_pos_pairs": sum(row["n_pos"] for _, row in expected),
            "n_gallery": 60,
            "low_support": True,
        }
        assert all({name: row[name] for name in facts} == facts for row in found.values())


@pytest.mark.parametrize("policy", ["skip", "count"])
def test_the_headline_is_that_of_the_whole(policy: str) -> None:
    world = World(4, Rules.model_validate({"invalid_queries": policy}))
    done = world.evaluate()
    valid = world.cell(anybody)
    means = {name: value for name, value in in_the_mean(valid).items() if not name.startswith("chance")}
    share = len(valid) / 40
    assert share < 1
    assert done.headline["mAP_all"] == pytest.approx(means["mAP"] * share)
    assert done.headline["mAP_trapz_all"] == pytest.approx(means["mAP_trapz"] * share)
    if policy == "count":
        counted = ("mAP_trapz", "mINP", "R1", "R5", "R10")
        means |= {name: means[name] * share for name in counted}
    assert {name: done.headline[name] for name in means} == pytest.approx(means, abs=1e-12)
    counts = {"n_query_total": 40, "n_query_valid": len(valid), "n_gallery": 60, "n_query_tied": 0}
    assert {name: done.headline[name] for name in counts} == counts


def test_trials_are_averaged_a_query_and_their_spread_stands_beside() -> None:
    rules = Rules.model_validate({"trials": {"count": 3, "sampler": "keyed"}})
    rng = np.random.default_rng(3)
    queries = [
        person(pid, 1, lightness=float(light)) for pid, light in zip([1, 1, 2, 3], [10, 60, 60, 10], strict=True)
    ]
    # The last query has its positive in one gallery only.
    galleries = [[person(int(p), 2) for p in (1, 2, 4, 4, 5)] + [person(3 if t == 1 else 6, 2)] for t in range(3)]
    asked = rng.normal(size=(4, 3))
    searched = [rng.normal(size=(6, 3)) for _ in galleries]
    trials = [lists(queries, gallery, rules, number) for number, gallery in enumerate(galleries)]
    names = [str(name) for one in trials for name in one.gallery.column("image_id")]
    names += [str(name) for name in trials[0].query.column("image_id")]
    given_ = Features(names, np.concatenate([*searched, asked]).astype(np.float32), {})
    done = evaluation.evaluate(trials, given_, QUICK, "run")
    hands = [
        [by_hand(query, gallery, (unit(asked) @ unit(vectors).T)[place]) for place, query in enumerate(queries)]
        for gallery, vectors in zip(galleries, searched, strict=True)
    ]
    of_queries = [np.mean([trial[place]["ap"] for trial in hands if trial[place]["n_pos"]]) for place in range(4)]
    of_trials = [np.mean([row["ap"] for row in trial if row["n_pos"]]) for trial in hands]
    whole = next(row for row in done.strata.to_pylist() if row["cut"] == "all" and row["metric"] == "mAP")
    assert whole["value"] == pytest.approx(np.mean(of_queries), abs=1e-12)
    assert whole["value"] != pytest.approx(np.mean(of_trials), abs=1e-6)
    assert whole["sd_trials"] == pytest.approx(np.std(of_trials, ddof=1), abs=1e-12)
    assert whole["n_query"] == 4
    low = [row for row in done.strata.to_pylist() if (row["cut"], row["q_stratum"]) == ("query", "Low")]
    assert low[0]["value"] == pytest.approx(np.mean([of_queries[0], of_queries[3]]), abs=1e-12)
    assert done.headline["sd_trials_mAP"] == whole["sd_trials"]
    assert done.queries["trial"].to_pylist() == [0] * 4 + [1] * 4 + [2] * 4
    assert set(done.lists["trial"].to_pylist()) == {0, 1, 2}


@pytest.mark.parametrize("cmc", ["first", "dedup"])
def test_everything_can_be_computed_again_from_the_tables_of_a_bundle(cmc: str) -> None:
    world = World(5, Rules.model_validate({"cmc": cmc}))
    done = world.evaluate(Options(draws=300))
    parts = [done.lists.filter(np.array(done.lists["role"].to_pylist()) == role) for role in ("query", "gallery")]
    trial = scorecard.Trial(0, parts[0], parts[1], query_rows.ranking(done.queries))
    known = scorecard.queries([trial])
    cells = scorecard.cells([trial], cuts.standard(parts[0], parts[1])[0], known, world.lists.rules)
    table, headline = strata_rows.table([trial], cells, known, world.lists.rules, "run", strata_rows.How(300, 0))
    assert table.equals(done.strata)
    optimistic = ("mAP_opt", "R1_opt", "n_query_tied", "n_nonfinite_q", "n_nonfinite_g")  # ties are stored by query
    assert {n: v for n, v in headline.items() if n not in optimistic} == {
        n: v for n, v in done.headline.items() if n not in optimistic
    }


@pytest.mark.parametrize(
    ("asks", "searched", "kinds"),
    [("visible", "infrared", {"query"}), ("infrared", "visible", {"pos"}), ("infrared", "thermal", set())],
)
def test_light_is_read_where_it_is_visible(asks: str, searched: str, kinds: set[str]) -> None:
    world = World(6)
    for people, modality in ((world.queries, asks), (world.gallery, searched)):
        for one in people:
            one["modality"] = modality
    world.lists = lists(world.queries, world.gallery)
    done = world.evaluate()
    light = [row for row in done.strata.to_pylist() if row["scheme_id"].split("@")[0] == "night600-light"]
    assert {row["cut"] for row in light} - {"worst"} == kinds
    assert any("visible" in note for note in done.notes)
    if kinds == {"pos"}:
        single = [row for row in light if row["metric"] == "mAP" and "+" not in row["scheme_id"]]
        found = {row["g_stratum"]: row["value"] for row in single}
        for name, value in found.items():
            cell = world.cell(anybody, at("night600-light", name))
            assert value == pytest.approx(in_the_mean(cell)["mAP"], abs=1e-12)
    assert {row["cut"] for row in done.strata.to_pylist() if row["cut"] == "slope"} == (
        {"slope"} if "query" in kinds else set()
    )


def test_any_column_cuts_with_edges_or_without_or_two_at_once() -> None:
    world = World(7)
    asked = Asked(("height:100,200", "id_space+camid"), ("place",))
    found = [
        row for row in evaluate(world.vectors, world.lists, QUICK, asked).strata.to_pylist() if row["metric"] == "mAP"
    ]
    for scheme, columns in (("height", ("height",)), ("id_space", ("id_space", "camid"))):
        own = [row["value"] for row in found if row["scheme_id"].startswith(scheme) and row["cut"] == "query"]
        asking: dict[object, list[tuple[Person, Person]]] = {}
        for query, row in world.cell(anybody):
            asking.setdefault(tuple(query[name] for name in columns), []).append((query, row))
        assert sorted(own) == pytest.approx(sorted(in_the_mean(cell)["mAP"] for cell in asking.values()), abs=1e-12)
        assert len(own) >= 3
    pairs = [row for row in found if row["scheme_id"].startswith("place") and row["cut"] == "pair_pos"]
    for row in pairs:
        cell = world.cell(standing(int(row["q_stratum"])), standing(int(row["g_stratum"])))
        assert row["value"] == pytest.approx(in_the_mean(cell)["mAP"], abs=1e-12)
    assert len(pairs) > 3
    with pytest.raises(UserError, match="heigth"):
        evaluate(world.vectors, world.lists, QUICK, Asked(("heigth:100",)))


def standing(place: int) -> Keep:
    return lambda one: bool(one["place"] == place)


def test_one_occupied_level_divides_nothing_and_is_left_out() -> None:
    world = World(8)
    for one in (*world.queries, *world.gallery):
        one["height"] = 60
    world.lists = lists(world.queries, world.gallery)
    done = world.evaluate()
    assert not [row for row in done.strata.to_pylist() if "night600-scale" in row["scheme_id"]]
    assert any("night600-scale has one occupied level, Small" in note for note in done.notes)


def many(seed: int, people: int = 60) -> tuple[Lists, list[NDArray[Any]], list[Person]]:
    """Make enough identities for intervals; AP rises with light."""
    rng = np.random.default_rng(seed)
    queries = [
        person(pid, 1, lightness=float(rng.choice([10.0, 40.0, 60.0])), stops=float(rng.uniform(-9, -2)))
        for pid in range(1, people + 1)
        for _ in range(3)
    ]
    gallery = [person(pid, 2) for pid in range(1, people + 1) for _ in range(2)]
    centres = rng.normal(size=(people + 1, 8))
    noise = np.array([0.4 + 0.15 * -one["stops"] for one in queries])
    asked = centres[[one["pid"] for one in queries]] + noise[:, None] * rng.normal(size=(len(queries), 8))
    searched = centres[[one["pid"] for one in gallery]] + 0.3 * rng.normal(size=(len(gallery), 8))
    return lists(queries, gallery), [asked, searched], queries


def test_intervals_surround_their_values_and_follow_the_seed() -> None:
    one, vectors, _ = many(0)
    first, again, other = (evaluate(vectors, one, Options(draws=500, seed=seed)) for seed in (0, 0, 1))
    assert first.strata.equals(again.strata)
    assert not first.strata.equals(other.strata)
    known = [row for row in first.strata.to_pylist() if row["ci_lo"] is not None]
    assert {row["cut"] for row in known} == {"all", "query", "pair_pos", "worst", "slope"}
    for row in known:
        assert row["ci_lo"] <= row["value"] <= row["ci_hi"] or row["cut"] == "worst"
        assert row["n_id"] >= 30
        assert row["se"] > 0
    assert not [row for row in evaluate(vectors, one).strata.to_pylist() if row["ci_lo"] is not None]


def test_the_worst_level_is_the_lowest_and_its_interval_that_of_the_minimum() -> None:
    one, vectors, _ = many(1)
    found = evaluate(vectors, one, Options(draws=500)).strata.to_pylist()
    light = [row for row in found if row["scheme_id"].startswith("night600-light@") and row["metric"] == "mAP"]
    levels = [row for row in light if row["cut"] == "query"]
    lowest = min(levels, key=lambda row: float(row["value"]))
    worst = next(row for row in light if row["cut"] == "worst")
    assert (worst["q_stratum"], worst["value"]) == (lowest["q_stratum"], pytest.approx(lowest["value"], abs=1e-12))
    assert worst["ci_hi"] <= lowest["ci_hi"] + 1e-12


def test_the_slope_is_that_of_a_line_through_all_queries() -> None:
    one, vectors, queries = many(2)
    done = evaluate(vectors, one, Options(draws=300))
    slope = next(row for row in done.strata.to_pylist() if row["cut"] == "slope")
    ap = done.queries["ap"].to_numpy()
    expected = np.polyfit([query["stops"] for query in queries], ap, 1)[0]
    assert slope["value"] == pytest.approx(expected, abs=1e-6)
    assert slope["value"] > 0
    assert slope["ci_lo"] < expected < slope["ci_hi"]


def test_exposures_of_one_scene_are_compared_within_it() -> None:
    _, vectors, queries = many(3)
    for place, query in enumerate(queries):
        query |= {"scene": f"scene {query['pid']}", "exposure": float(-2 * (place % 3))}
    world = lists(queries, [person(pid, 2) for pid in range(1, 61) for _ in range(2)])
    done = evaluate(vectors, world, Options(draws=300))
    ap = done.queries["ap"].to_numpy().reshape(60, 3).astype(float)
    rows_ = {(row["q_stratum"], row["metric"]): row for row in done.strata.to_pylist() if row["cut"] == "within"}
    for step, name in ((1, "-2"), (2, "-4")):
        row = rows_[name, "mAP_difference"]
        assert row["value"] == pytest.approx((ap[:, step] - ap[:, 0]).mean(), abs=1e-6)
        assert (row["g_stratum"], row["n_query"], row["n_id"]) == ("0", 60, 60)
        assert row["ci_lo"] < row["value"] < row["ci_hi"]
    centred = ap - ap.mean(axis=1, keepdims=True)
    slope = (centred * np.array([2.0, 0, -2])).sum() / (60 * 8)
    assert rows_[None, "mAP_per_stop"]["value"] == pytest.approx(slope, abs=1e-6)
    exposures = [
        row for row in done.strata.to_pylist() if row["scheme_id"].startswith("exposure@") and row["cut"] == "query"
    ]
    assert {row["q_stratum"] for row in exposures} == {"0", "-2", "-4"}


def test_a_file_read_in_blocks_gives_the_same_integers() -> None:
    world = World(9)
    rng = np.random.default_rng(9)
    # Small whole numbers: every product is exact, and there are many ties.
    vectors = [rng.integers(-3, 4, (count, 5)).astype(float) for count in (40, 60)]
    here, blocks = (
        evaluate(vectors, world.lists, Options(draws=0, metric="dot", memory=memory)) for memory in (4.0, 1e-9)
    )
    assert here.queries.equals(blocks.queries)
    assert here.strata.equals(blocks.strata)
    with pytest.raises(UserError, match="larger than memory = 1e-09 GB; single_shot needs them"):
        evaluate(vectors, world.lists, Options(draws=0, metric="dot", memory=1e-9, single_shot=True))


def test_a_ready_matrix_gives_the_ranks_that_its_vectors_give() -> None:
    world = World(10)
    one = world.lists
    names = [[str(name) for name in part.column("image_id")] for part in (one.query, one.gallery)]
    turned = [np.random.default_rng(1).permutation(len(part)) for part in names]
    distances = (1 - world.closeness)[np.ix_(*turned)]
    given_ = Matrix([names[0][i] for i in turned[0]], [names[1][i] for i in turned[1]], distances, {})
    found = evaluation.evaluate([one], given_, QUICK, "run")
    assert found.queries["pos_ranks"].equals(world.evaluate().queries["pos_ranks"])


def test_the_first_of_a_ranking_are_kept_without_junk() -> None:
    world = World(11)
    done = world.evaluate(Options(draws=0, top=5))
    for place, row in enumerate(done.queries.to_pylist()):
        query = world.queries[place]
        seen = [
            int(item)
            for item in np.argsort(-world.closeness[place])
            if not (
                (query["pid"], query["id_space"]) == (world.gallery[item]["pid"], world.gallery[item]["id_space"])
                and (
                    query["place"] == world.gallery[item]["place"] != 0
                    or (query["copy"] and query["copy"] == world.gallery[item]["copy"])
                )
            )
        ]
        assert row["top_gidx"] == seen[:5]
        assert row["top_dist"] == pytest.approx((1 - world.closeness[place][seen[:5]]).tolist(), abs=1e-6)


def test_the_expected_single_shot_is_the_mean_over_draws() -> None:
    gallery = [person(1, 2), person(1, 2), person(2, 2), person(2, 2), person(0, 3)]
    scores = np.array([0.9, 0.3, 0.6, 0.1, 0.5])
    angles = np.arccos(scores)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    one = lists([person(1, 1)], gallery)
    done = evaluate([np.array([[1.0, 0.0]]), vectors], one, Options(draws=0, single_shot=True))
    whole = {row["metric"]: row["value"] for row in done.strata.to_pylist() if row["cut"] == "all"}
    # Positive .9 is always first. Positive .3 comes after the distractor, and after person 2 in half of the draws.
    assert whole["R1_single"] == pytest.approx(0.5)
    assert whole["R5_single"] == 1


def test_the_likeness_of_a_persons_queries_is_reported() -> None:
    one, vectors, _ = many(4)
    rows_ = {row["metric"]: row for row in evaluate(vectors, one).strata.to_pylist() if row["cut"] == "all"}
    assert -0.5 < rows_["icc"]["value"] < 1


def test_re_ranking_uses_all_queries_together() -> None:
    one, vectors, _ = many(5)
    plain = evaluate(vectors, one)
    again = evaluate(vectors, one, Options.model_validate_json('{"draws": 0, "rerank": {"k1": 4, "k2": 2}}'))
    assert not again.queries["pos_ranks"].equals(plain.queries["pos_ranks"])
    assert again.headline["mAP"] > 3 * 2 / 120  # far from chance
    matrix = Matrix([], [], np.zeros((0, 0)), {})
    with pytest.raises(UserError, match="re-ranking needs the vectors"):
        evaluation.evaluate([one], matrix, Options.model_validate_json('{"rerank": {}}'), "run")


def test_a_gallery_of_one_image_and_a_query_asked_for_by_nobody_else() -> None:
    done = evaluate([np.ones((1, 2)), np.ones((1, 2))], lists([person(1, 1)], [person(1, 2)]))
    assert done.headline["mAP"] == done.headline["R1"] == 1
    assert math.isclose(next(r["value"] for r in done.strata.to_pylist() if r["metric"] == "chance_mAP"), 1)


def test_lists_of_other_rules_need_no_manifest_of_their_own() -> None:
    world = World(12)
    hidden = replace(world.lists, rules=Rules.model_validate({"junk": {"same_place": False, "place_pairs": ((1, 2),)}}))
    done = evaluate(world.vectors, hidden)
    for place, row in enumerate(done.queries.to_pylist()):
        query = world.queries[place]
        taken = [
            other
            for other in world.gallery
            if (query["place"], other["place"]) == (1, 2)
            or (
                (query["pid"], query["id_space"]) == (other["pid"], other["id_space"])
                and query["copy"]
                and query["copy"] == other["copy"]
            )
        ]
        assert (row["n_junk"], row["n_gallery_eff"]) == (len(taken), 60 - len(taken))
