"""Configurations over their seeds: against loops over ranks, against `bench compare`, and what is never tested."""

import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from benchmark import compare, manifest, results
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.results import Bundle
from leaderboards import analysis, derived, entry, store
from leaderboards import group as groups
from leaderboards.store import Board
from tests.leaderboards import crowd

Row = dict[str, Any]

DRAWS, FLIPS = 200, 200


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give bundles of two methods with five seeds each."""
    root = tmp_path_factory.mktemp("bundles")
    crowd.bundles(root)
    return root


@pytest.fixture(scope="module")
def made(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Board:
    """Give a board of these bundles, of which nothing is computed yet."""
    return crowd.board(tmp_path_factory.mktemp("made") / "board", sorted(folders.glob("*/s*")))


@pytest.fixture
def board(made: Board, tmp_path: Path) -> Board:
    """Give a copy of the board."""
    shutil.copytree(made.root, tmp_path / "board")
    return Board(tmp_path / "board")


@pytest.fixture
def small(board: Board) -> Board:
    """Give a board of two seeds a method, for what is no matter of numbers."""
    for row in rows(board):
        if row["seed"] > 1:
            (path,) = board.folder("runs").glob(f"{row['run_id']}-*.parquet")
            path.unlink()
    return board


def rows(board: Board, method: str | None = None) -> list[Row]:
    found = [dict(row) for row in store.runs(board).rows]
    return [row for row in found if method in (None, row["method"])]


def config(board: Board, method: str) -> str:
    return str(rows(board, method)[0]["config_id"])


def means(board: Board, of: Sequence[Row] | None = None, **more: Any) -> pa.Table:  # noqa: ANN401
    return analysis.means(board, rows(board) if of is None else of, **({"draws": DRAWS} | more))


def pairs(board: Board, leader: str = "good", rivals: Sequence[str] = ("poor",), **more: Any) -> pa.Table:  # noqa: ANN401
    names = [config(board, name) for name in rivals]
    return analysis.pairs(board, rows(board), config(board, leader), names, **({"flips": FLIPS} | more))


def one(table: pa.Table, metric: str = "mAP", cut: str = "all", **facts: str) -> Row:
    (found,) = [
        row
        for row in table.to_pylist()
        if (row["metric"], row["cut"]) == (metric, cut) and all(row[name] == value for name, value in facts.items())
    ]
    return dict(found)


def place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("cut", "scheme_id", "q_stratum", "g_stratum", "metric"))


def ap(ranks: Sequence[int]) -> float:
    return float(np.mean([(number + 1) / rank for number, rank in enumerate(ranks)]))


def within(row: Row, light: Mapping[int, str], level: str) -> list[int]:
    """Give the ranks that are left where the positives of all other levels are junk."""
    kept, removed = list[int](), 0
    for rank, position in zip(row["pos_ranks"], row["pos_gidx"], strict=True):
        kept += [rank - removed] if light[position] == level else []
        removed += light[position] != level
    return kept


def lights(bundle: Bundle, role: str) -> dict[int, str]:
    listed = [row for row in bundle.tables["lists"].to_pylist() if row["role"] == role]
    return {row["position"]: {10.0: "Low", 40.0: "Medium", 90.0: "High"}[row["lightness"]] for row in listed}


def test_means_equal_a_loop_over_stored_ranks(board: Board, folders: Path) -> None:
    found = means(board)
    whole, low, pair, runs = list[float](), list[float](), list[float](), list[Bundle]()
    for seed in range(5):
        runs.append(results.read(folders / "good" / f"s{seed}"))
        asked, seen = lights(runs[-1], "query"), lights(runs[-1], "gallery")
        queries = runs[-1].tables["queries"].to_pylist()
        whole.append(float(np.mean([ap(row["pos_ranks"]) for row in queries])))
        dark = [row for row in queries if asked[row["query_idx"]] == "Low"]
        low.append(float(np.mean([ap(row["pos_ranks"]) for row in dark])))
        left = [ranks for ranks in (within(row, seen, "High") for row in dark) if ranks]
        pair.append(float(np.mean([ap(ranks) for ranks in left])))
    good, light = {"config_id": config(board, "good")}, {"scheme_id": "night600-light@09e785fc"}
    for values, facts in (
        (whole, {"cut": "all"}),
        (low, {"cut": "query", "q_stratum": "Low"} | light),
        (pair, {"cut": "pair_pos", "q_stratum": "Low", "g_stratum": "High"} | light),
    ):
        row = one(found, **good, **facts)
        assert (row["value"], row["sd_seeds"]) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
        assert row["seeds"] == 5
        assert row["run_ids"] == [run.run["run_id"] for run in runs]
        assert row["ci_lo"] < row["value"] < row["ci_hi"]
    assert one(found, "R1", **good)["value"] == pytest.approx(np.mean([run.run["R1"] for run in runs]))
    macro = one(found, "mAP_id_macro", **good)["value"]
    assert macro == pytest.approx(np.mean([run.run["mAP_id_macro"] for run in runs]))


def test_an_interval_is_that_of_identities_for_the_mean_of_the_seeds(board: Board, folders: Path) -> None:
    # Enough draws, of another generator: the interval is known to a few hundredths of its width.
    values = np.zeros(crowd.PEOPLE)
    for seed in range(5):
        for row in results.read(folders / "good" / f"s{seed}").tables["queries"].to_pylist():
            values[row["pid"] - 1] += ap(row["pos_ranks"]) / 10
    rng = np.random.default_rng(0)
    drawn = np.array([values[rng.integers(0, len(values), len(values))].mean() for _ in range(4000)])
    found = one(means(board, rows(board, "good"), draws=4000))
    assert found["se"] == pytest.approx(drawn.std(ddof=1), rel=0.05)
    single = one(means(board, [row for row in rows(board, "good") if row["seed"] == 0], draws=4000))
    assert found["se"] < 0.9 * single["se"]  # what one seed does to a person is averaged out
    assert math.isclose(found["value"], values.mean())


def test_one_seed_gives_what_its_bundle_says(board: Board, folders: Path) -> None:
    found = means(board, [row for row in rows(board, "poor") if row["seed"] == 3]).to_pylist()
    assert {row["cut"] for row in found} == {"all", "query", "pair_pos", "worst", "slope"}
    require_as_stored(found, folders / "poor" / "s3")


def require_as_stored(found: Sequence[Row], folder: Path) -> None:
    """Require what the bundle's own rows say; how alike a person's queries are, and pairs of cameras, are not kept."""
    stored = results.read(folder).tables["strata"].to_pylist()
    expected = {place(row): row for row in stored if row["metric"] != "icc" and "camid" not in row["scheme_id"]}
    assert {place(row) for row in found} == set(expected)
    for row in found:
        twin = expected[place(row)]
        for name in set(row) & set(twin):
            assert row[name] == (pytest.approx(twin[name]) if isinstance(twin[name], float) else twin[name]), name
        assert row["sd_seeds"] is None


def test_a_run_goes_by_the_rules_of_its_protocol(tmp_path: Path) -> None:
    plan = tmp_path / "strict.toml"
    plan.write_text(
        'title = "identities, and every query counts"\ncmc = "dedup"\ninvalid_queries = "count"\n[train]\n'
        'split = "train"\n[query]\nquery = true\n[gallery]\ngallery = true\n[junk]\nplace_pairs = [[1, 3], [1, 4]]\n'
    )
    folder = crowd.bundle(tmp_path / "bundle", "good", 0, protocol=plan)
    board = crowd.board(tmp_path / "board", [folder])
    found = means(board)
    run = results.read(folder).run
    assert run["n_query_valid"] == crowd.PEOPLE < run["n_query_total"]  # half of the queries find nobody
    assert (one(found, "R5")["value"], one(found)["value"]) == pytest.approx((run["R5"], run["mAP"]))
    require_as_stored(found.to_pylist(), folder)


def test_the_worst_level_is_the_lowest_with_enough_people(board: Board) -> None:
    found = [row for row in means(board, rows(board, "good")).to_pylist() if row["metric"] == "mAP"]
    worst = [row for row in found if row["cut"] == "worst"]
    assert {row["scheme_id"].split("@")[0] for row in worst} >= {"night600-light", "stops-5", "night600-scale"}
    for row in worst:
        levels = [one for one in found if one["cut"] == "query" and one["scheme_id"] == row["scheme_id"]]
        lowest = min((one for one in levels if one["n_id"] >= 30), key=lambda one: one["value"])
        names = ("q_stratum", "sd_seeds", "n_id", "n_query")
        assert [row[name] for name in names] == [lowest[name] for name in names]
        assert row["value"] == pytest.approx(lowest["value"])
        assert row["ci_lo"] <= lowest["ci_lo"]  # a draw may find another level lower still


def test_pairs_are_what_compare_says(board: Board, folders: Path) -> None:
    found = {place(row): row for row in pairs(board).to_pylist()}
    told = {place(row): row for row in compare.table(compare.compare(folders / "good", folders / "poor", FLIPS))}
    told = {key: row for key, row in told.items() if "camid" not in row["scheme_id"]}
    assert len(told) > 60
    assert {key for key in found if key[-1] in compare.METRICS} == set(told)
    names = {"low": "ci_lo", "high": "ci_hi", "identities": "n_id", "queries": "n_query"}
    shared = ("a", "b", "difference", "se", "df", "p", "p_flip", "p_holm", "seeds", "same_sign", "claim")
    for key, row in told.items():
        for name, mine in [*names.items(), *((name, name) for name in shared)]:
            value = row[name]
            assert found[key][mine] == (pytest.approx(value) if isinstance(value, float) else value), (key, name)
        assert (found[key]["run_ids_a"], found[key]["run_ids_b"]) == (row["run_ids_a"], row["run_ids_b"])
    assert found["all", "all", None, None, "mAP"]["claim"] == "better"


def test_a_pair_turned_round_is_the_opposite(board: Board) -> None:
    there, back = ({place(row): row for row in pairs(board, *sides).to_pylist()} for sides in _both("good", "poor"))
    assert set(there) == set(back)
    opposite = {"better": "worse", "worse": "better", "": ""}
    for key, row in there.items():
        assert (row["a"], row["b"]) == (back[key]["b"], back[key]["a"])
        assert row["difference"] == pytest.approx(-back[key]["difference"])
        assert row["claim"] == opposite[back[key]["claim"]]


def _both(one: str, other: str) -> list[tuple[str, list[str]]]:
    return [(one, [other]), (other, [one])]


def test_the_mean_over_identities_is_tested_too(board: Board, folders: Path) -> None:
    difference = []
    for seed in range(5):
        sides = []
        for method in ("good", "poor"):
            people: dict[int, list[float]] = {}
            for row in results.read(folders / method / f"s{seed}").tables["queries"].to_pylist():
                people.setdefault(row["pid"], []).append(ap(row["pos_ranks"]))
            sides.append(np.mean([np.mean(own) for own in people.values()]))
        difference.append(sides[0] - sides[1])
    found = one(pairs(board), "mAP_id_macro")
    assert found["difference"] == pytest.approx(np.mean(difference))
    assert found["n_id"] == found["n_query"] == crowd.PEOPLE


def test_only_seeds_that_both_have_are_matched(board: Board, folders: Path) -> None:
    some = [row for row in rows(board) if row["method"] == "good" or row["seed"] in (1, 4)]
    good, poor = config(board, "good"), config(board, "poor")
    found = one(analysis.pairs(board, some, good, [poor], flips=FLIPS))
    chosen = [results.read(folders / "good" / f"s{seed}").run for seed in (1, 4)]
    assert found["run_ids_a"] == [run["run_id"] for run in chosen]
    assert found["a"] == pytest.approx(np.mean([run["mAP"] for run in chosen]))
    assert found["seeds"] == 2
    assert found["claim"] == ""
    apart = [row for row in rows(board) if (row["method"] == "good") == (row["seed"] < 3)]
    assert len(analysis.pairs(board, apart, good, [poor], flips=FLIPS)) == 0


def test_of_two_runs_of_one_seed_the_first_that_was_begun_counts(board: Board, tmp_path: Path) -> None:
    first = one(means(board, rows(board, "good")))
    for name, began in (("early", "2001-01-01T00:00:00+00:00"), ("late", "2101-01-01T00:00:00+00:00")):
        folder = crowd.bundle(tmp_path / name, "good", 2, facts={"started_at": began})
        entry.add(board, folder)
        found = one(means(board, rows(board, "good")))
        other = results.read(folder).run["run_id"]
        assert len(found["run_ids"]) == 5
        assert (other in found["run_ids"]) == (name == "early")
    assert first["run_ids"] != found["run_ids"]


def test_nothing_is_computed_twice(small: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    first = (means(small), pairs(small))
    with monkeypatch.context() as patched:
        patched.setattr(groups.Group, "scored", None)
        assert (means(small), pairs(small)) == first
        assert means(small, rows(small, "poor")).equals(_of(first[0], config(small, "poor")))
    files = {kind: store.names(small, kind) for kind in ("means", "pairs")}
    fresh = (means(small, fresh=True), pairs(small, fresh=True))
    assert fresh == first
    assert {kind: store.names(small, kind) for kind in ("means", "pairs")} == files


def _of(table: pa.Table, config_id: str) -> pa.Table:
    return table.filter(pc.equal(table["config_id"], config_id))


def _scored(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...]]]:
    """Note every run that is scored, and in which cuts."""
    noted = list[tuple[str, tuple[Any, ...]]]()
    score = groups.Group.scored

    def note(self: groups.Group, row: groups.Row, units: Sequence[groups.Unit]) -> groups.Run:
        noted.append((row["run_id"], tuple(units)))
        return score(self, row, units)

    monkeypatch.setattr(groups.Group, "scored", note)
    return noted


def test_a_new_seed_computes_its_configuration_alone(
    board: Board, folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    four = [row for row in rows(board) if row["seed"] < 4]
    before = means(board, four)
    noted = _scored(monkeypatch)
    some = four + [row for row in rows(board, "poor") if row["seed"] == 4]
    after = means(board, some)
    assert {run for run, _ in noted} == {row["run_id"] for row in rows(board, "poor")}
    good, poor = (config(board, name) for name in ("good", "poor"))
    assert _of(after, good).equals(_of(before, good))
    assert (one(_of(before, poor))["seeds"], one(_of(after, poor))["seeds"]) == (4, 5)


def test_another_cut_computes_itself_alone(small: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (means(small), pairs(small))
    noted = _scored(monkeypatch)
    after = (means(small, by=["size:120"]), pairs(small, by=["size:120"]))
    assert {unit[1].split("@")[0] for _, units in noted for unit in units} == {"all", "size"}
    assert {row["scheme_id"].split("@")[0] for row in _more(after[0], before[0])} == {"size"}
    assert {row["q_stratum"] for row in _more(after[1], before[1])} == {"below 120", "120 and up"}
    assert (means(small), pairs(small)) == before
    alone = (means(small, by=["size:120"], fresh=True), pairs(small, by=["size:120"], fresh=True))
    for table, twin in zip(after, alone, strict=True):
        assert [place(row) for row in table.to_pylist()] == [place(row) for row in twin.to_pylist()]
        assert table.equals(twin) or _close(table, twin)


def _close(table: pa.Table, twin: pa.Table) -> bool:
    """Say whether tables are equal but for the last digits of their numbers: sums may be made in another order."""
    floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    rest = [name for name in table.column_names if name not in floats]
    numbers = [np.array([one[name].to_numpy() for name in floats]) for one in (table, twin)]
    same = np.allclose(numbers[0], numbers[1], rtol=0, atol=1e-12, equal_nan=True)
    return bool(table.select(rest) == twin.select(rest) and same)


def _more(table: pa.Table, than: pa.Table) -> list[Row]:
    known = {place(row) for row in than.to_pylist()}
    return [row for row in table.to_pylist() if place(row) not in known]


def test_pairs_of_any_column_can_be_asked_for(small: Board) -> None:
    found = _more(means(small, pairs=["camid"]), means(small))
    assert {(row["cut"], row["q_stratum"], row["g_stratum"]) for row in found} == {
        ("pair_pos", asked, answered) for asked in ("1", "2") for answered in ("3", "4")
    }


def test_other_draws_are_other_numbers(small: Board) -> None:
    few, many = means(small), means(small, draws=300)
    assert set(few["ci_B"].drop_null().to_pylist()) == {DRAWS}
    assert set(many["ci_B"].drop_null().to_pylist()) == {300}
    assert few["value"].to_pylist() == pytest.approx(many["value"].to_pylist())
    assert set(few["analysis"].to_pylist()) != set(many["analysis"].to_pylist())
    assert means(small) == few


def test_a_kill_costs_only_what_was_not_kept_yet(small: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "CHUNK", 1)
    whole, score = means(small, fresh=True), groups.Group.scored
    poor = {row["run_id"] for row in rows(small, "poor")}

    def killed(self: groups.Group, row: groups.Row, units: Sequence[groups.Unit]) -> groups.Run:
        if row["run_id"] in poor:
            raise KeyboardInterrupt
        return score(self, row, units)

    good_first = [*rows(small, "good"), *rows(small, "poor")]
    with monkeypatch.context() as patched:
        patched.setattr(groups.Group, "scored", killed)
        with pytest.raises(KeyboardInterrupt):
            means(small, good_first)
    noted = _scored(monkeypatch)
    found = means(small, good_first)
    assert {run for run, _ in noted} == poor
    assert sorted(map(str, found.to_pylist())) == sorted(map(str, whole.to_pylist()))


def test_a_board_that_cannot_be_written_to_is_analysed(small: Board) -> None:
    shutil.rmtree(small.root / "staging")
    (small.root / "staging").write_text("in the way: no file can be written beside the results")
    assert len(means(small)) > 100
    assert one(pairs(small))["difference"] > 0
    assert not (small.root / "derived").exists() or not list((small.root / "derived").rglob("*.parquet"))


def test_a_damaged_file_of_what_was_computed_is_computed_again(small: Board) -> None:
    first = means(small)
    (name,) = store.names(small, "means")
    path = small.path("means", name)
    path.write_bytes(path.read_bytes()[:-100])
    assert means(small) == first


def test_many_files_become_one(small: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "MOST_FILES", 3)
    tables = [means(small, draws=draws) for draws in (0, 50, 100)]
    assert len(store.names(small, "means")) == 3
    tables.append(means(small, draws=150))
    assert len(store.names(small, "means")) == 1
    monkeypatch.setattr(groups.Group, "scored", None)
    assert [means(small, draws=draws) for draws in (0, 50, 100, 150)] == tables


def test_each_query_is_averaged_over_trials_first(tmp_path: Path) -> None:
    plan = tmp_path / "drawn.toml"
    plan.write_text(
        'title = "one gallery picture a person"\n[train]\nsplit = "train"\n[query]\nquery = true\n[gallery]\n'
        'gallery = true\n[trials]\ncount = 3\nsampler = "keyed"\nper = "identity"\n'
    )
    folders = crowd.bundles(tmp_path / "bundles", {"good": 0.7}, range(2), protocol=plan)
    board, values, spreads = crowd.board(tmp_path / "board", folders), list[float](), list[float]()
    for folder in folders:
        queries: dict[str, list[float]] = {}
        trials: dict[int, list[float]] = {}
        for row in results.read(folder).tables["queries"].to_pylist():
            queries.setdefault(row["image_id"], []).append(ap(row["pos_ranks"]))
            trials.setdefault(row["trial"], []).append(ap(row["pos_ranks"]))
        values.append(float(np.mean([np.mean(own) for own in queries.values()])))
        spreads.append(float(np.std([np.mean(own) for own in trials.values()], ddof=1)))
    found = one(means(board))
    assert (found["value"], found["sd_trials"]) == pytest.approx((np.mean(values), np.mean(spreads)))
    assert found["n_query"] == 2 * crowd.PEOPLE


def refused(what: str, *words: str) -> Any:  # noqa: ANN401
    return pytest.raises(UserError, match="(?s)" + ".*".join([what, *words]) + r"[^\n]*\Z")


@pytest.mark.parametrize("other", ["night", "labels", "distractors", "protocol"])
def test_what_is_of_another_group_is_never_compared(small: Board, tmp_path: Path, other: str) -> None:
    """Two nights of one day, two labellings of one set, a larger gallery, another protocol: all are another group."""
    more: dict[str, Any] = {"of": crowd.world(night=7) if other == "night" else crowd.world()}
    if other == "labels":
        more["of"] = relabelled()
    if other == "distractors":
        more["of"] = crowd.world(people=crowd.PEOPLE - 1)
    if other == "protocol":
        more["protocol"] = "no-cameras"
    entry.add(small, crowd.bundle(tmp_path / "bundle", "third", 0, **more))
    assert len({(row["lists_sha256"], row["protocol_sha256"]) for row in rows(small)}) == 2
    what = "another protocol" if other == "protocol" else "other lists"
    with refused("was made with", what, "only results of the same lists and protocol are compared"):
        pairs(small, "good", ["third"])
    with refused("was made with", what):
        means(small)


def relabelled() -> Manifest:
    """Give the same pictures under another labelling: two people are taken for each other."""
    of = crowd.world()
    pids = of.table["pid"].to_pylist()
    swapped = pa.array([{1: 2, 2: 1}.get(pid, pid) for pid in pids], of.table.schema.field("pid").type)
    columns = {name: of.table[name].to_pylist() for name in of.table.column_names if name not in ("image_id", "source")}
    return manifest.build(columns | {"pid": swapped.to_pylist()}, "crowd", Path("/nowhere"))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"git_dirty": True}, ["is not ranked and never tested", "no commit"]),
        ({"flagged": True, "flag_reason": "doubted"}, ["never tested", "doubted"]),
        ({"deterministic": False}, ["never tested", "deterministic"]),
        ({"provenance": "literature"}, ["from the literature", "never analysed"]),
        ({"status": "killed"}, ["'killed'", "only runs that ended well"]),
        ({"broken": "its queries are not on the board"}, ["not on the board"]),
        ({"measures_sha256": "0" * 64}, ["measured otherwise", "one manifest"]),
        ({"protocol_sha256": None}, ["no protocol_sha256"]),
    ],
)
def test_what_may_not_be_ranked_is_never_tested(small: Board, facts: Row, words: list[str]) -> None:
    changed = rows(small)
    changed[-1] |= facts
    good, poor = config(small, "good"), config(small, "poor")
    with refused(changed[-1]["run_id"], *words):
        analysis.pairs(small, changed, good, [poor], flips=FLIPS)


def test_a_run_that_is_not_ranked_still_has_means(board: Board) -> None:
    changed = [row | {"git_dirty": True} for row in rows(board, "poor")]
    assert one(means(board, changed))["seeds"] == 5


def test_a_pair_needs_two_configurations_that_were_named(small: Board) -> None:
    good = config(small, "good")
    with refused("cannot be compared with itself"):
        analysis.pairs(small, rows(small), good, [good])
    with refused("no run of configuration ffffffff was named"):
        analysis.pairs(small, rows(small), good, ["f" * 64])
    with refused("no run was named"):
        analysis.means(small, [])
