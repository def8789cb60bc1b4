"""Numbers computed again from ranks: two implementations agree, and whatever is altered is found."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmark import bundling, lists, manifest, protocol, results
from benchmark.evaluation import Asked, Options
from benchmark.features import Features
from benchmark.manifest import Manifest
from benchmark.results import Bundle
from benchmark.schemas import REQUIRED, SCORES
from leaderboards import recount, slices
from leaderboards.recount import Shared
from tests.benchmark import little
from tests.leaderboards import crowd, handing, test_truncated

Row = dict[str, Any]

PEOPLE = 70  # two levels of 30 identities or more: there is a worst one

_whole, _fraction = st.integers(-(2**31), 2**31 - 1), st.floats(width=32)
ANYTHING = {
    "string": st.one_of(st.none(), st.text(max_size=20), st.sampled_from(["size@1", "a+b+c", "query", "pos", "{x}"])),
    "int16": st.one_of(st.none(), st.integers(-(2**15), 2**15 - 1)),
    "int32": st.one_of(st.none(), _whole),
    "bool": st.one_of(st.none(), st.booleans()),
    "float": st.one_of(st.none(), _fraction),
    "double": st.one_of(st.none(), st.floats()),
    "list<element: int32>": st.lists(st.one_of(st.none(), _whole), max_size=4),
    "list<item: int32>": st.lists(st.one_of(st.none(), _whole), max_size=4),
    "list<element: float>": st.lists(_fraction, max_size=4),
    "list<item: float>": st.lists(_fraction, max_size=4),
}

# What no protocol of ours has in one: repeated draws, CMC by identity, rooms that are not seen, and zeros that count.
EVERYTHING = """title = "several draws"
cmc = "dedup"
invalid_queries = "count"
[train]
split = "train"
[query]
split = "test"
camid = [1, 2]
[gallery]
split = "test"
camid = [1, 3, 4, 5]
[junk]
same_place = true
place_pairs = [[2, 5], [1, 9]]
[trials]
count = 3
sampler = "keyed"
per = "identity-camera"
shots = 1
"""


def hard() -> Manifest:
    """Make a set in which nearly everything happens: scenes at several exposures, distractors, copies, lone queries."""
    rng = np.random.default_rng(3)
    rows = list[Row]()
    for pid in range(PEOPLE + 1):
        for number in range(8):
            camid = 1 + int(rng.integers(5)) if number > 2 else 1 + number % 2
            light = float(rng.uniform(5, 90))
            facts: Row = {"path": f"{pid:03d}-{number}.jpg", "pid": pid, "camid": camid, "split": "test"}
            facts |= {
                "query": pid > 0 and number < 3,
                "gallery": True,
                "lightness": light,
                "stops": -9 + light / 10,
                "luma": light,
                "p05": 0.0,
            }
            facts |= {"p95": 90.0, "dark": 0.0, "saturated": 0.0, "width": 40, "height": int(rng.integers(60, 300))}
            facts |= {"exposure": float(-number % 3), "scene": f"s{pid}-{number // 3}" if number < 6 else None}
            copied = number == 7 and pid % 5 == 0
            name = f"{pid:03d}-{0 if copied else number}"
            rows.append(facts | {"sha256": name.encode().hex().ljust(64, "0")})
    for row in rows:  # nobody is searched who is asked for here: such a query has no positive
        if row["pid"] % 11 == 3 and row["camid"] > 2:
            row |= {"split": "none", "query": False, "gallery": False}
    own = {"path": "train.jpg", "pid": 900, "split": "train", "query": False, "gallery": False}
    rows.append(rows[0] | own | {"sha256": "f" * 64, "scene": None})
    return manifest.build({name: [row[name] for row in rows] for name in rows[0]}, "hard", Path("/nowhere"))


def evaluated(folder: Path, plan: str, of: Manifest, asked: Asked, **how: Any) -> Bundle:  # noqa: ANN401
    """Evaluate vectors that are rough enough to tie."""
    vectors = np.round(little.vectors(of, 1.0), how.pop("digits", 3))
    vectors[~vectors.any(axis=1)] = 1
    text = {"everything": EVERYTHING, "again": EVERYTHING.replace('"dedup"', '"first"').replace('"count"', '"skip"')}
    path = folder / f"{plan}.toml"
    if plan in text:
        path.write_text(text[plan])
    chosen = protocol.load(path if plan in text else plan)
    features = Features(of.table["image_id"].to_pylist(), vectors.astype(np.float32), {"method": "m", "seed": 1})
    bundling.evaluate(of, chosen, features, Options(draws=how.pop("draws", 20), **how), folder / "b", asked)
    return results.read(folder / "b")


CASES = {
    "market": ("no-cameras", Asked(("camid", "size:100,150", "camid+size:100"), ("camid", "size:128"))),
    "cameras": ("everything", Asked(("place", "size:90,140,200"), ("place", "camid+night600-scale"))),
    "trials": ("again", Asked(("exposure",), ("stops-5",))),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """Evaluate every case once."""
    world = hard()
    return {
        name: evaluated(tmp_path_factory.mktemp(name), plan, world, asked, digits=0)
        for name, (plan, asked) in CASES.items()
    }


@pytest.fixture(scope="module")
def shared(made: Mapping[str, Bundle]) -> dict[str, Shared]:
    """Prepare the lists of every case once."""
    return {name: Shared(bundle.tables["lists"]) for name, bundle in made.items()}


# --- two implementations agree


@pytest.mark.parametrize("case", CASES)
def test_what_the_evaluator_says_is_what_the_ranks_give(made: Mapping[str, Bundle], case: str) -> None:
    bundle = made[case]
    found = recount.recount(bundle)
    assert found.problems == []
    assert not [note for note in found.notes if "strata" in note]
    assert found.strata is not None
    kinds = {(row["cut"], row["metric"]) for row in bundle.tables["strata"].to_pylist()}
    assert len(found.strata.layout.place) + sum(cut == "worst" for cut in column(bundle, "cut")) == len(
        bundle.tables["strata"]
    )
    assert {"query", "pair_pos", "slope", "within", "worst"} <= {cut for cut, _ in kinds}


def test_the_cases_hold_what_they_are_for(made: Mapping[str, Bundle]) -> None:
    assert all(bundle.run["n_query_tied"] for bundle in made.values())
    assert made["cameras"].run["n_trials"] == made["trials"].run["n_trials"] == 3
    for name in ("cameras", "trials"):
        run = made[name].run
        assert run["n_query_valid"] < run["n_query_total"]
        assert any(value is not None and value > 0 for value in column(made[name], "sd_trials"))
    run = made["cameras"].run
    assert run["mAP"] > run["mAP_all"]
    assert run["cmc_kind"] == "dedup"
    ranks = [made["cameras"].tables["queries"][name].to_pylist() for name in ("first_rank", "first_rank_id")]
    assert ranks[0] != ranks[1]
    assert "place 5 for a query at place 2" in run["junk_rule"]


def test_runs_of_one_group_share_what_lists_decide(tmp_path: Path) -> None:
    of = crowd.world(people=31)
    bundles = [results.read(crowd.bundle(tmp_path / f"s{seed}", "m", seed, of, draws=20)) for seed in range(3)]
    shared = Shared(bundles[0].tables["lists"])
    assert [recount.recount(bundle, shared).problems for bundle in bundles] == [[], [], []]
    # Lists in another order are the same lists.
    moved = (
        bundles[0].tables["lists"].take(pa.array(np.random.default_rng(0).permutation(len(bundles[0].tables["lists"]))))
    )
    assert lists.hash_table(moved) == bundles[0].run["lists_sha256"]
    assert list(recount.problems(bundles[1], Shared(moved))) == []


@pytest.mark.parametrize("depth", [2, 6, 11])
def test_what_a_truncated_list_says_is_computed_again_and_no_more(tmp_path: Path, depth: int) -> None:
    of, plan = test_truncated.crowded(), protocol.load("no-cameras")
    ranked = handing.ranked(of, plan)
    bundle = test_truncated.scored(tmp_path, of, plan, ranked, depth)
    found = recount.recount(bundle)
    assert found.problems == []
    assert bundle.run["list_depth"] is not None
    rows = bundle.tables["strata"].to_pylist()
    assert {row["metric"] for row in rows} & {"R1", "R5", "R10"}
    assert list(recount.problems(with_row(bundle, {"metric": "R1"}, value=lambda value: value / 2 + 0.3)))
    assert list(recount.problems(Bundle(bundle.run | {"mAP": 0.5}, bundle.tables)))


def test_ap_of_ranks_that_a_person_can_check() -> None:
    scores = slices.Slices(np.array([2, 1])).scored(np.array([2, 5, 1], np.int32))
    found = dict(zip(slices.SCORED, scores.T, strict=True))
    assert found["mAP"].tolist() == pytest.approx([(1 / 2 + 2 / 5) / 2, 1])
    assert found["mAP_trapz"].tolist() == pytest.approx([((0 + 1 / 2) / 2 + (1 / 4 + 2 / 5) / 2) / 2, 1])
    assert found["mINP"].tolist() == pytest.approx([2 / 5, 1])
    assert [found[name].tolist() for name in ("R1", "R5")] == [[0, 1], [1, 1]]


# --- whatever is altered is found


@pytest.mark.parametrize("case", CASES)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_no_value_of_the_strata_can_be_another(
    made: Mapping[str, Bundle], shared: Mapping[str, Shared], case: str, data: st.DataObject
) -> None:
    bundle = made[case]
    names = ("value", "n_query", "n_id", "n_pos_pairs", "n_gallery", "stratum_order", "low_support", "sd_trials")
    name = data.draw(st.sampled_from(names))
    row = data.draw(st.integers(0, len(bundle.tables["strata"]) - 1))
    values = column(bundle, name)
    if values[row] is None:
        return
    values[row] = (
        not values[row] if name == "low_support" else values[row] + (1 if isinstance(values[row], int) else 2e-9)
    )
    assert list(recount.problems(with_column(bundle, "strata", name, values), shared[case]))


@pytest.mark.parametrize("case", CASES)
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_no_row_of_the_strata_can_be_missing_or_double(
    made: Mapping[str, Bundle], shared: Mapping[str, Shared], case: str, data: st.DataObject
) -> None:
    strata = made[case].tables["strata"]
    row = data.draw(st.integers(0, len(strata) - 1))
    without = pa.concat_tables([strata.slice(0, row), strata.slice(row + 1)])
    for table in (without, pa.concat_tables([strata, strata.slice(row, 1)])):
        found = list(recount.problems(with_tables(made[case], {"strata": table}), shared[case]))
        assert found
        assert all(line.startswith("strata: ") for line in found)


RECORDED = (
    *(*SCORES, "n_query_total", "n_query_valid", "n_query_tied", "n_gallery", "n_id", "n_trials"),
    *("sd_trials_mAP", "sd_trials_R1"),
)


@pytest.mark.parametrize("name", RECORDED)
def test_no_number_of_the_record_can_be_another(made: Mapping[str, Bundle], name: str) -> None:
    bundle = made["cameras"]
    for wrong in (bundle.run[name] + (1 if isinstance(bundle.run[name], int) else 1e-5), None):
        lines = list(recount.problems(Bundle(bundle.run | {name: wrong}, bundle.tables)))
        assert [line.split()[0] for line in lines] == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("junk_rule", "own copy"),
        ("junk_rule", "whatever I like"),
        ("junk_rule", None),
        ("cmc_kind", "first"),
        ("invalid_query_policy", "skip"),
        ("ap_variant", "trapezoid"),
        ("tie_rule", "optimistic"),
    ],
)
def test_no_rule_of_the_record_can_be_another(made: Mapping[str, Bundle], name: str, value: str | None) -> None:
    assert list(recount.problems(Bundle(made["cameras"].run | {name: value}, made["cameras"].tables)))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("pid", lambda value: value + 1),
        ("camid", lambda value: value + 1),
        ("image_id", lambda value: value + "x"),
        ("id_space", lambda value: value + "x"),
        ("query_idx", lambda value: value + 1000),
        ("ap", lambda value: value * 0.99),
        ("ap_trapz", lambda value: value * 0.99),
        ("inp", lambda value: value / 2),
        ("first_rank", lambda value: value + 1),
        ("n_pos", lambda value: value - 1),
        ("n_junk", lambda value: value + 1),
        ("n_gallery_eff", lambda value: value - 1),
        ("n_ties", lambda value: 99),
        ("pos_ranks", lambda value: [value[0] - 1, *value[1:]]),
        ("pos_ranks", lambda value: value[::-1]),
        ("pos_ranks", lambda value: [*value[:-1], 99_999]),
        ("pos_ranks", lambda value: [0, *value[1:]]),
        ("pos_ranks", lambda value: value[:-1]),
        ("pos_gidx", lambda value: [value[0], *value[:-1]]),
        ("pos_gidx", lambda value: [-1, *value[1:]]),
        ("pos_gidx", lambda value: [*value[:-1], 99_999]),
    ],
)
def test_no_row_of_the_queries_can_be_another(made: Mapping[str, Bundle], name: str, change: Any) -> None:  # noqa: ANN401
    bundle = made["market"]
    rows = bundle.tables["queries"].to_pylist()
    row = next(place for place, one in enumerate(rows) if one["n_pos"] > 2 and one["first_rank"] > 1)
    values = column(bundle, name, "queries")
    values[row] = change(values[row])
    lines = list(recount.problems(with_column(bundle, "queries", name, values)))
    assert lines
    assert lines[0].startswith("queries: ")


def test_a_hard_positive_cannot_be_left_out(made: Mapping[str, Bundle]) -> None:
    bundle = made["market"]
    rows = bundle.tables["queries"].to_pylist()
    row = next(one for one in rows if one["n_pos"] > 1)
    row["pos_ranks"], row["pos_gidx"] = row["pos_ranks"][:-1], row["pos_gidx"][:-1]
    row["n_pos"], row["n_junk"], row["n_gallery_eff"] = row["n_pos"] - 1, row["n_junk"] + 1, row["n_gallery_eff"] - 1
    table = pa.Table.from_pylist(rows, bundle.tables["queries"].schema)
    assert list(recount.problems(with_tables(bundle, {"queries": table})))


def test_a_strangers_picture_is_no_positive(made: Mapping[str, Bundle]) -> None:
    bundle = made["market"]
    rows = bundle.tables["queries"].to_pylist()
    one, other = (next(row for row in rows if row["pid"] == pid and row["n_pos"]) for pid in (1, 2))
    one["pos_gidx"] = [other["pos_gidx"][0], *one["pos_gidx"][1:]]
    table = pa.Table.from_pylist(rows, bundle.tables["queries"].schema)
    lines = list(recount.problems(with_tables(bundle, {"queries": table})))
    assert "is of another identity" in lines[0]


def test_rows_in_another_order_are_the_same_rows(made: Mapping[str, Bundle]) -> None:
    bundle = made["trials"]
    order = np.random.default_rng(0).permutation(len(bundle.tables["queries"]))
    assert list(recount.problems(with_tables(bundle, {"queries": bundle.tables["queries"].take(order)}))) == []


def test_a_query_cannot_be_left_out_or_asked_twice(made: Mapping[str, Bundle]) -> None:
    bundle, queries = made["market"], made["market"].tables["queries"]
    for table in (queries.slice(1), pa.concat_tables([queries.slice(1), queries.slice(1, 1)])):
        assert list(recount.problems(with_tables(bundle, {"queries": table})))


@pytest.mark.parametrize(
    ("metric", "name", "value"),
    [
        ("mAP", "ci_lo", None),
        ("mAP", "ci_method", "guessed"),
        ("mAP", "ci_lo", 0.99),
        ("chance_mAP", "ci_lo", 0.1),
        ("mAP", "ci_B", None),
    ],
)
def test_an_interval_is_whole_and_of_a_known_kind(
    made: Mapping[str, Bundle], metric: str, name: str, value: object
) -> None:
    assert list(recount.problems(with_row(made["market"], {"cut": "all", "metric": metric}, **{name: lambda _: value})))


def test_too_few_people_have_no_interval(made: Mapping[str, Bundle]) -> None:
    interval = {"se": 0.1, "ci_lo": 0.0, "ci_hi": 1.0, "ci_method": "BCa", "ci_B": 20, "ci_seed": 0}
    given = {name: lambda _, value=value: value for name, value in interval.items()}
    lines = list(recount.problems(with_row(made["market"], {"low_support": True, "metric": "mAP"}, **given)))
    assert any("too few identities" in line for line in lines)


def test_ranks_among_identities_lie_within_those_among_images(made: Mapping[str, Bundle]) -> None:
    bundle = made["cameras"]
    rows = bundle.tables["queries"].to_pylist()
    place = next(place for place, row in enumerate(rows) if row["first_rank"] > 2)
    for wrong in (rows[place]["first_rank"] + 1, 1, 0, -1):
        values = column(bundle, "first_rank_id", "queries")
        values[place] = wrong
        assert any(
            "first_rank_id" in line
            for line in recount.problems(with_column(bundle, "queries", "first_rank_id", values))
        )


def test_ties_are_in_the_querys_favour_by_so_much_and_no_more(made: Mapping[str, Bundle]) -> None:
    bundle = made["cameras"]
    rows = bundle.tables["queries"].to_pylist()
    place = next(place for place, row in enumerate(rows) if row["n_ties"] and row["first_rank"] > 1)
    for name, wrong in (("ap_opt", 0.0), ("ap_opt", 1.5), ("first_rank_opt", 0), ("inp_opt", None), ("n_ties", 0)):
        values = column(bundle, name, "queries")
        values[place] = wrong
        assert list(recount.problems(with_column(bundle, "queries", name, values)))


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_nothing_that_a_table_can_hold_stops_a_check(
    made: Mapping[str, Bundle], shared: Mapping[str, Shared], data: st.DataObject
) -> None:
    bundle = made["cameras"]
    table = data.draw(st.sampled_from(["queries", "strata"]))
    field = data.draw(st.sampled_from(list(bundle.tables[table].schema)))
    values = column(bundle, field.name, table)
    place = data.draw(st.integers(0, len(values) - 1))
    values[place] = data.draw(ANYTHING[str(field.type)])
    assume(values[place] is not None or field.name not in REQUIRED[table])  # no reader lets a key be null
    found = recount.recount(with_column(bundle, table, field.name, values), shared["cameras"])
    assert all(isinstance(line, str) for line in found.problems)


# --- what cannot be computed is said


def test_a_cut_by_any_column_of_the_lists_is_computed_and_one_that_they_lack_is_noted(tmp_path: Path) -> None:
    of = crowd.world(people=31)
    bundle = results.read(crowd.bundle(tmp_path, "m", 0, of, draws=20, by=("height", "size:100,200")))
    found = recount.recount(bundle)
    assert (found.problems, [note for note in found.notes if "cannot be made" in note]) == ([], [])
    lists = bundle.tables["lists"].drop_columns(["height"])
    lacking = recount.recount(results.Bundle(bundle.run, {**bundle.tables, "lists": lists}))
    assert lacking.problems == []
    (note,) = [note for note in lacking.notes if "cannot be made" in note]
    assert "height" in note


@pytest.mark.parametrize("scheme", ["night600-light", "stops-5"])
def test_a_standard_cut_that_is_left_out_is_named(tmp_path: Path, scheme: str) -> None:
    bundle = results.read(crowd.bundle(tmp_path, "m", 0, crowd.world(people=31), draws=0))
    strata = bundle.tables["strata"]
    kept = strata.filter(pc.invert(pc.match_substring(strata["scheme_id"], scheme)))
    found = recount.recount(results.Bundle(bundle.run, {**bundle.tables, "strata": kept}))
    assert any(f"there are no rows by {scheme}" in problem for problem in found.problems)


def test_single_shot_and_identity_ranks_are_noted(made: Mapping[str, Bundle], tmp_path: Path) -> None:
    bundle = evaluated(tmp_path, "no-cameras", hard(), Asked(), single_shot=True, draws=0)
    found = recount.recount(bundle)
    assert found.problems == []
    assert any("R1_single" in note for note in found.notes)
    assert any("among identities" in note for note in recount.recount(made["cameras"]).notes)


def column(bundle: Bundle, name: str, table: str = "strata") -> list[Any]:
    """Give a column as Python has it."""
    values: list[Any] = bundle.tables[table][name].to_pylist()
    return values


def with_tables(bundle: Bundle, tables: Mapping[str, pa.Table]) -> Bundle:
    """Put other tables into a bundle."""
    return Bundle(bundle.run, {**bundle.tables, **tables})


def with_column(bundle: Bundle, table: str, name: str, values: list[Any]) -> Bundle:
    """Put other values into a column."""
    old = bundle.tables[table]
    place, kind = old.column_names.index(name), old.schema.field(name).type
    return with_tables(bundle, {table: old.set_column(place, name, pa.array(values, kind))})


def with_row(bundle: Bundle, which: Row, **changes: Any) -> Bundle:  # noqa: ANN401
    """Change the first row of the strata that is of a kind."""
    rows = bundle.tables["strata"].to_pylist()
    row = next(row for row in rows if all(row[name] == value for name, value in which.items()))
    row |= {name: change(row[name]) for name, change in changes.items()}
    table = pa.Table.from_pylist(rows, bundle.tables["strata"].schema)
    return with_tables(bundle, {"strata": table})
