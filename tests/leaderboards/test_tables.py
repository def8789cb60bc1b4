"""What stands in a table is what the runs' own files say: recomputed here from bundles, row by row."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benchmark import bundling, results
from benchmark import protocol as protocols
from benchmark.errors import UserError
from benchmark.evaluation import Options
from benchmark.manifest import Manifest
from leaderboards import analysis, captions, entry, gathered, literature, store, tables
from leaderboards.store import Board
from leaderboards.tables import WHOLE, Asked, Cell, Line, Table
from tests.leaderboards import crowd

Row = dict[str, Any]

BY_LIGHT = Asked(by=("light",))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write bundles: a good method, one as good, a poor one; five seeds each."""
    root = tmp_path_factory.mktemp("bundles")
    crowd.bundles(root, {"good": 0.7, "equal": 0.72, "poor": 1.6})
    return root


@pytest.fixture(scope="module")
def two(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Board:
    return placed(tmp_path_factory.mktemp("two") / "board", folders, "good", "poor")


@pytest.fixture(scope="module")
def three(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Board:
    return placed(tmp_path_factory.mktemp("three") / "board", folders, "good", "equal", "poor")


def placed(root: Path, folders: Path, *methods: str, seeds: int = 5) -> Board:
    return crowd.board(root, [folders / method / f"s{seed}" for method in methods for seed in range(seeds)])


def one(board: Board, asked: Asked | None = None) -> Table:
    (table,) = tables.tables(board, asked or Asked())
    return table


def line(table: Table, name: str) -> Line:
    (found,) = [line for line in (*table.ranked, *table.apart) if line.name == name]
    return found


def cells(table: Table, name: str) -> dict[str, Cell]:
    return dict(zip([column.title for column in table.columns], line(table, name).cells, strict=True))


def records(folders: Path, method: str) -> list[Row]:
    return [results.read(folders / method / f"s{seed}").run for seed in range(5)]


def strata(folders: Path, method: str) -> Iterator[Row]:
    for seed in range(5):
        yield from results.read(folders / method / f"s{seed}").tables["strata"].to_pylist()


@pytest.mark.parametrize("method", ["good", "poor"])
def test_the_whole_is_mean_and_spread_of_what_the_records_say(method: str, two: Board, folders: Path) -> None:
    found = cells(one(two), method)
    assert list(found) == ["mAP", "R1", "R5", "R10", "mINP"]
    for metric, cell in found.items():
        values = [record[metric] for record in records(folders, method)]
        assert cell.value == pytest.approx(np.mean(values), abs=1e-12)
        assert cell.sd == pytest.approx(np.std(values, ddof=1), abs=1e-12)
        assert (cell.low or 1) < np.mean(values) < (cell.high or 0)


@pytest.mark.parametrize("metric", ["mAP", "R1", "mINP"])
def test_a_level_is_the_mean_of_what_the_strata_say_with_its_chance_and_support(
    metric: str, two: Board, folders: Path
) -> None:
    table = one(two, Asked(by=("light",), metric=metric))
    levels = [column.title for column in table.columns]
    assert levels[:4] == ["all", "Low", "Medium", "High"]
    for column, cell in list(zip(table.columns, line(table, "poor").cells, strict=True))[1:4]:
        own = [
            row
            for row in strata(folders, "poor")
            if row["scheme_id"] == column.place[1] and row["cut"] == "query" and row["q_stratum"] == column.title
        ]
        values = [row["value"] for row in own if row["metric"] == metric]
        assert cell.value == pytest.approx(np.mean(values), abs=1e-12)
        support = next(row for row in own if row["metric"] == metric)
        assert (column.queries, column.identities) == (support["n_query"], support["n_id"])
        assert column.positives == support["n_pos_pairs"] / support["n_query"]
        chance = [row["value"] for row in own if row["metric"] == f"chance_{metric}"]
        assert column.chance == (pytest.approx(chance[0], abs=1e-12) if chance else None)


def test_better_in_every_column_is_bold_there_but_never_in_the_worst_level(two: Board) -> None:
    table = one(two, BY_LIGHT)
    assert {title: cell.bold for title, cell in cells(table, "good").items()} == {
        **dict.fromkeys(("all", "Low", "Medium", "High"), True),
        "worst level": False,
    }
    assert not any(cell.bold for cell in line(table, "poor").cells)
    assert [(one.place, one.name) for one in table.ranked] == [("1", "good"), ("2", "poor")]


def test_who_is_not_separated_shares_the_place_and_takes_the_bold_away(three: Board) -> None:
    table = one(three)
    assert {line.name: line.place for line in table.ranked} == {"good": "=1", "equal": "=1", "poor": "3"}
    assert not any(cell.bold for line in table.ranked for cell in line.cells)


def test_four_seeds_describe_and_separate_nothing(folders: Path, tmp_path: Path) -> None:
    table = one(placed(tmp_path / "board", folders, "good", "poor", seeds=4))
    assert [line.place for line in table.ranked] == ["-", "-"]
    assert not any(cell.bold for line in table.ranked for cell in line.cells)
    assert any("nothing is placed, nothing is tested" in said for said in table.caption)


def test_one_lucky_seed_on_top_takes_no_place_and_no_bold(folders: Path, tmp_path: Path) -> None:
    board = placed(tmp_path / "board", folders, "good", "poor")
    before = {name: line(one(board, BY_LIGHT), name) for name in ("good", "poor")}
    entry.add(board, crowd.bundle(tmp_path / "lucky", "lucky", 0, noise=0.1))
    table = one(board, BY_LIGHT)
    assert [(line.place, line.name) for line in table.ranked] == [("-", "lucky"), ("1", "good"), ("2", "poor")]
    assert {name: line(table, name) for name in before} == before
    assert not any(cell.bold or cell.behind for cell in line(table, "lucky").cells)
    assert any("1 ranked row has fewer than 5 seeds" in said for said in table.caption)


def test_five_seeds_each_but_four_in_common_are_untested_and_share(folders: Path, tmp_path: Path) -> None:
    board = placed(tmp_path / "board", folders, "good")
    for seed in range(1, 6):
        entry.add(board, crowd.bundle(tmp_path / f"p{seed}", "poor", seed, noise=1.6))
    table = one(board)
    assert [(line.place, line.name) for line in table.ranked] == [("=1", "good"), ("=1", "poor")]
    assert any("nothing is tested" in said for said in table.caption)


def test_a_cell_says_how_far_it_is_behind_the_leader_of_its_column(two: Board, folders: Path) -> None:
    table = one(two)
    for column, cell in zip(table.columns, line(table, "poor").cells, strict=True):
        means = [np.mean([row[column.metric] for row in records(folders, name)]) for name in ("good", "poor")]
        assert cell.behind
        assert cell.behind.difference == pytest.approx(means[0] - means[1], abs=1e-12)
        assert (cell.behind.low or 1) < cell.behind.difference < (cell.behind.high or 0)
        assert cell.behind.p <= cell.behind.corrected <= 0.05
    assert not any(cell.behind for cell in line(table, "good").cells)


def test_the_metric_is_what_the_protocol_ranks_by_unless_one_is_asked_for(tmp_path: Path) -> None:
    facts = {"rank_by": "mAP_trapz", "invalid_query_policy": "count"}
    board = crowd.board(tmp_path / "board", [crowd.bundle(tmp_path / "b", "good", 0, draws=0)])
    for row in store.runs(board).rows:
        assert row["rank_by"] == "mAP"
    assert one(board).metric == "mAP"
    group = tables._Group(board, replace(gathered.gathered(board)[0], first=facts), Asked(), [])
    assert group.metric == "mAP_trapz"
    assert replace(group, asked=Asked(metric="R1")).metric == "R1"
    assert replace(group, asked=Asked(order="worst")).metric == "mAP"


def test_a_protocol_that_counts_all_queries_is_ordered_by_its_metric_and_says_so(tmp_path: Path) -> None:
    bundles = [
        crowd.bundle(tmp_path / f"b{seed}", "good", seed, with_places(), draws=0, protocol="night600-idf")
        for seed in range(2)
    ]
    table = one(crowd.board(tmp_path / "board", bundles))
    assert [column.title for column in table.columns] == ["mAP_trapz", "mAP", "R1", "R5", "R10", "mINP"]
    assert captions.ALL_QUERIES in table.caption
    means = np.mean([results.read(folder).run["mAP_trapz_all"] for folder in bundles])
    assert table.ranked[0].cells[0].value == pytest.approx(means, abs=1e-12)


def with_places() -> Manifest:
    """Give every image its place, which the junk rule of Night600 compares."""
    of = crowd.world()
    cameras = of.table["camid"].cast(of.table.schema.field("place").type)
    return replace(of, table=of.table.set_column(of.table.column_names.index("place"), "place", cameras))


def test_a_metric_without_a_worst_level_says_so(two: Board) -> None:
    assert any("no worst level of R1" in said for said in one(two, Asked(by=("light",), metric="R1")).caption)
    assert not any("no worst level" in said for said in one(two, BY_LIGHT).caption)


def test_of_one_seed_there_is_no_spread(folders: Path, tmp_path: Path) -> None:
    board = placed(tmp_path / "board", folders, "good", seeds=1)
    (found,) = one(board).ranked
    assert [cell.sd for cell in found.cells] == [None] * 5
    assert found.place == "-"


def test_rows_stand_by_the_metric_that_is_asked_for(three: Board, folders: Path) -> None:
    table = one(three, Asked(metric="mINP"))
    assert table.columns[0].title == "mINP"
    values = [line.cells[0].value or 0 for line in table.ranked]
    assert values == sorted(values, reverse=True)


def doctored(folder: Path, target: Path, **facts: object) -> Path:
    """Copy a bundle with other facts in its record."""
    found = results.read(folder)
    record = {name: value for name, value in found.run.items() if name not in ("queries_sha256", "strata_sha256")}
    if "run_id" in facts:
        made = {
            name: table
            if name == "lists"
            else table.set_column(0, "run_id", pa.array([facts["run_id"]] * len(table), pa.string()))
            for name, table in found.tables.items()
        }
        found = replace(found, tables=made)
    results.write(results.Bundle(record | facts, found.tables), target)
    return target


def test_a_dirty_run_stands_apart_with_its_numbers_and_its_reason(folders: Path, tmp_path: Path) -> None:
    board = placed(tmp_path / "board", folders, "poor")
    entry.add(board, doctored(folders / "good" / "s0", tmp_path / "dirty", git_dirty=True))
    table = one(board, BY_LIGHT)
    assert [line.name for line in table.ranked] == ["poor"]
    (apart,) = table.apart
    assert apart.why == "the evaluator that scored it had changes that no commit holds"
    assert apart.place == "-"
    assert apart.cells[0].value == pytest.approx(records(folders, "good")[0]["mAP"], abs=1e-12)
    assert not any(cell.bold for line in (*table.ranked, apart) for cell in line.cells)


def test_a_seed_that_is_not_ranked_is_not_in_the_mean_of_the_others(folders: Path, tmp_path: Path) -> None:
    board = placed(tmp_path / "board", folders, "good", seeds=3)
    entry.add(board, doctored(folders / "good" / "s3", tmp_path / "dirty", git_dirty=True))
    table = one(board)
    assert table.ranked[0].seeds == 3
    means = [record["mAP"] for record in records(folders, "good")[:3]]
    assert table.ranked[0].cells[0].value == pytest.approx(np.mean(means), abs=1e-12)
    assert table.apart[0].seeds == 1


def test_of_a_run_again_the_first_counts_and_the_other_is_shown(folders: Path, tmp_path: Path) -> None:
    board = placed(tmp_path / "board", folders, "good")
    for digit in "ef":
        again = {"run_id": digit * 32, "started_at": f"2099-01-01T00:00:0{'ef'.index(digit)}+00:00"}
        entry.add(board, doctored(folders / "good" / "s0", tmp_path / digit, **again))
    table = one(board)
    assert table.ranked[0].seeds == 5
    assert [(line.why, line.run_ids) for line in table.apart] == [
        ("seed 0 was run again; the first counts", ("e" * 32,))
    ]
    assert [(lost.why, lost.run_ids) for lost in table.lost] == [
        ("seed 0 was run again; the first counts", ("f" * 32,))
    ]


def failed(target: Path, run_id: str, **facts: object) -> Path:
    record = results.run_record(
        **{"run_id": run_id, "status": "failed", "provenance": "ran_here", "method": "new", "reason_code": "oom"}
        | facts
    )
    results.write(results.Bundle(record), target)
    return target


def test_failed_and_killed_runs_are_shown_with_reasons_counted_or_one_by_one(folders: Path, tmp_path: Path) -> None:
    board = placed(tmp_path / "board", folders, "good", seeds=1)
    where = {name: records(folders, "good")[0][name] for name in ("lists_sha256", "protocol_sha256", "eval_set")}
    for number in range(3):
        entry.add(board, failed(tmp_path / f"f{number}", str(number) * 32, **where))
    said = {"status": "killed", "reason_code": None, "error_class": None, "method": "other"}
    entry.add(board, failed(tmp_path / "k", "9" * 32, **where, **said))
    lost = one(board).lost
    assert [(each.name, each.why, len(each.run_ids)) for each in lost] == [
        ("new", "failed (oom)", 3),
        ("other", "killed", 1),
    ]
    each_alone = one(board, Asked(everything=True)).lost
    assert [(each.name, len(each.run_ids)) for each in each_alone] == [("new", 1)] * 3 + [("other", 1)]


def test_a_training_that_died_before_it_met_lists_stands_with_its_configuration(folders: Path, tmp_path: Path) -> None:
    board = placed(tmp_path / "board", folders, "good", seeds=1)
    config = records(folders, "good")[0]["config_id"]
    entry.add(board, failed(tmp_path / "f", "1" * 32, config_id=config))
    entry.add(board, failed(tmp_path / "g", "2" * 32, config_id="nobody's"))
    found = tables.tables(board, Asked())
    assert [[run for lost in table.lost for run in lost.run_ids] for table in found] == [["1" * 32], ["2" * 32]]
    assert found[0].ranked
    assert not found[1].ranked
    assert not found[1].columns


def test_a_broken_run_is_named_and_the_others_are_averaged(folders: Path, tmp_path: Path) -> None:
    board = placed(tmp_path / "board", folders, "good")
    row = next(row for row in store.runs(board).rows if row["seed"] == 4)
    board.path("queries", store.files(row)["queries"]).unlink()
    table = one(board)
    assert table.ranked[0].seeds == 4
    assert [each.why for each in table.lost] == ["broken: its queries are not on the board"]


def test_a_flagged_or_superseded_run_leaves_the_ranks(folders: Path, tmp_path: Path) -> None:
    board = placed(tmp_path / "board", folders, "good", "poor", seeds=1)
    rows = {row["method"]: row["run_id"] for row in store.runs(board).rows}
    store.publish_mark(board, rows["good"], "flagged", why="a copy of another")
    assert [line.name for line in one(board).ranked] == ["poor"]
    assert one(board).apart[0].why == "flagged: a copy of another"
    store.publish_mark(board, rows["good"], "cleared", why="it was not")
    assert [line.name for line in one(board).ranked] == ["good", "poor"]
    store.publish_mark(board, rows["poor"], "superseded", rows["good"], why="a better recipe")
    assert one(board).apart[0].why == f"superseded by {rows['good'][:8]}"


def relabelled(of: Manifest) -> Manifest:
    """Give two people each other's number."""
    table = of.table
    numbers = [{1: 2, 2: 1}.get(pid, pid) if name.endswith("_0.jpg") else pid for pid, name in zip(
        table["pid"].to_pylist(), table["path"].to_pylist(), strict=True
    )]  # fmt: skip
    place = table.column_names.index("pid")
    return replace(of, table=table.set_column(place, "pid", pa.array(numbers, pa.int32())))


@pytest.mark.parametrize("other", [lambda: crowd.world(night=1), lambda: relabelled(crowd.world())])
def test_two_nights_of_one_day_and_two_labellings_of_one_set_never_meet(
    other: Callable[[], Manifest], folders: Path, tmp_path: Path
) -> None:
    board = placed(tmp_path / "board", folders, "good", seeds=2)
    for seed in range(2):
        entry.add(board, crowd.bundle(tmp_path / f"o{seed}", "poor", seed, other()))
    found = tables.tables(board, Asked())
    assert sorted([line.name for line in table.ranked] for table in found) == [["good"], ["poor"]]
    assert len({table.where.lists_sha256 for table in found}) == 2
    assert {table.where.eval_set for table in found} == {"crowd"}


def uneven(folder: Path, seed: int) -> Path:
    """Write a bundle of a method that is best but for queries in high light."""
    of = crowd.world()
    dark = np.asarray(of.column("lightness")) < 80
    good, poor = (crowd.features(of, noise, seed).vectors for noise in (0.3, 3.0))
    facts = {"method": "uneven", "seed": seed, "config": {}}
    given = replace(crowd.features(of, 0.3, seed, **facts), vectors=np.where(dark[:, None], good, poor))
    bundling.evaluate(of, protocols.load("market-style"), given, Options(metric="euclidean", draws=200), folder)
    crowd.altered(folder, **crowd.CLEAN)
    return folder


def test_the_order_by_the_worst_level_is_another_one_and_shows_its_interval(folders: Path, tmp_path: Path) -> None:
    board = placed(tmp_path / "board", folders, "good")
    for seed in range(5):
        entry.add(board, uneven(tmp_path / f"u{seed}", seed))
    overall, worst = (one(board, Asked(by=("light",), order=order)) for order in tables.ORDERS)
    assert [line.name for line in overall.ranked] == ["uneven", "good"]
    assert [(line.place, line.name) for line in worst.ranked] == [("1", "good"), ("2", "uneven")]
    for name in ("good", "uneven"):
        found = cells(worst, name)
        levels = {title: cell.value for title, cell in found.items() if title in ("Low", "Medium", "High")}
        lowest = min(levels, key=lambda title: levels[title] or 0)
        assert found["worst level"].level == lowest
        assert found["worst level"].value == pytest.approx(levels[lowest], abs=1e-12)
        assert found["worst level"].low is not None


def test_equal_names_are_told_apart_by_the_keys_that_differ(tmp_path: Path) -> None:
    of = crowd.world()
    shared = {"display_name": "ours"}
    made = [
        crowd.bundle(tmp_path / str(rate), "m", 0, of, noise=rate, config={"rate": rate, "epochs": 3}, facts=shared)
        for rate in (0.7, 1.6)
    ]
    table = one(crowd.board(tmp_path / "board", made))
    assert [line.name for line in table.ranked] == ["ours (rate 0.7)", "ours (rate 1.6)"]


def test_numbers_of_papers_stand_below_with_rule_and_source_and_change_nothing(folders: Path, tmp_path: Path) -> None:
    board = placed(tmp_path / "board", folders, "good", "poor")
    before = one(board)
    with (tmp_path / "mine.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("dataset", "protocol", "method", "map", "ap_rule", "source", "eval_set", "protocol_id"))
        writer.writerow(("Crowd", "standard", "Miracle", "99.5", "trapezoid", "A paper", "crowd", "market-style"))
    literature.add(board, tmp_path / "mine.csv")
    after = one(board)
    assert [(row["method"], row["mAP"], row["ap_rule"]) for row in after.published] == [("Miracle", 0.995, "trapezoid")]
    assert replace(after, published=(), caption=after.caption[:-1]) == before
    assert after.caption[-1] == captions.PAPERS
    assert one(board, Asked(published=False)).published == ()
    assert one(board, BY_LIGHT).published == ()
    assert captions.BELOW in one(board, BY_LIGHT).caption


def paper(path: Path, protocol_id: str) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("dataset", "protocol", "method", "map", "ap_rule", "source", "eval_set", "protocol_id"))
        writer.writerow(("Crowd", "odd", "Miracle", "99.5", "unknown", "A paper", "crowd", protocol_id))
    return path


def test_papers_of_the_same_set_by_another_protocol_are_counted(folders: Path, tmp_path: Path) -> None:
    board = placed(tmp_path / "board", folders, "good", seeds=1)
    literature.add(board, paper(tmp_path / "mine.csv", "odd-one"))
    assert one(board).published == ()
    assert one(board).caption[-1] == "Of the same set 1 row of papers stands under odd-one."


def test_a_board_of_papers_only_says_so_and_shows_them(tmp_path: Path) -> None:
    board = store.begun(tmp_path / "board")
    literature.add(board, paper(tmp_path / "mine.csv", "odd-one"))
    table = one(board)
    assert captions.NO_RUN in table.caption
    assert [row["method"] for row in table.published] == ["Miracle"]
    assert one(board, Asked(published=False)).published == ()


def test_a_truncated_configuration_has_no_place_by_what_it_lacks(
    two: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = analysis.means

    def means(board: Board, rows: list[Row], by: list[str], pairs: list[str]) -> pa.Table:
        for row in rows:
            row["list_depth"] = 10 if row["method"] == "good" else None
        short = {row["config_id"] for row in rows if row["method"] == "good"}
        found = whole(board, rows, by, pairs).to_pylist()
        return pa.Table.from_pylist([row for row in found if row["config_id"] not in short or row["metric"] == "R1"])

    monkeypatch.setattr(analysis, "means", means)
    table = one(two)
    assert [(line.place, line.name) for line in table.ranked] == [("1", "poor"), ("-", "good")]
    found = cells(table, "good")
    assert (found["mAP"].value, found["mAP"].reason) == (None, "truncated")
    assert found["R1"].value is not None
    assert found["R1"].bold
    assert line(table, "good").flags == (
        "nothing disclosed",
        "first 10 of each ranking known",
    )


def test_under_thirty_people_there_is_a_number_and_no_interval(tmp_path: Path) -> None:
    board = crowd.board(tmp_path / "board", crowd.bundles(tmp_path, seeds=range(2), of=crowd.world(people=42)))
    table = one(board, Asked(by=("light",)))
    for column, cell in zip(table.columns, table.ranked[0].cells, strict=True):
        few = (column.identities or 99) < 30
        assert (cell.reason, cell.low is None) == (("low_support", True) if few else ("", False))
    assert any(cell.reason for cell in table.ranked[0].cells)


def test_pairs_of_light_have_a_column_each_and_the_same_negatives(two: Board) -> None:
    table = one(two, Asked(pairs=("light",)))
    titles = [column.title for column in table.columns]
    assert titles[:3] == ["all", "Low -> Low", "Low -> Medium"]
    assert len(titles) == 10
    assert {column.place[0] for column in table.columns[1:]} == {"pair_pos"}


def test_any_column_cuts_and_two_together(two: Board) -> None:
    found = tables.tables(two, Asked(by=("overall", "light+size", "camid", "size:100,200"), pairs=("camid",)))
    assert len(found[0].columns) == 5
    assert [table.title.partition(": ")[2] for table in found] == [
        "",
        "mAP, queries by night600-light x night600-scale",
        "mAP, queries by camid",
        "mAP, queries by size",
        "mAP, query -> positive by camid",
    ]
    assert found[2].columns[0].place == WHOLE


def test_a_cut_that_divides_nothing_is_said_and_the_whole_is_shown(two: Board) -> None:
    table = one(two, Asked(by=("modality",)))
    assert table.columns[0].title == "mAP"
    assert any("divides nothing here" in said for said in table.caption)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(metric="map"), "metric map"),
        (Asked(order="best"), "order best"),
        (Asked(order="worst"), "order worst: say by which cut"),
        (Asked(by=("light",), order="worst", metric="R1"), "order worst: the worst level is that of mAP"),
        (Asked(by=("darkness",)), "darkness"),
        (Asked(by=("light+light+size",)), "light"),
        (Asked(protocols=("night600",)), "market-style on lists"),
        (Asked(lists=("zz",)), "market-style on lists"),
    ],
)
def test_a_mistake_is_one_line(asked: Asked, said: str, two: Board) -> None:
    with pytest.raises(UserError) as found:
        tables.tables(two, asked)
    assert said in str(found.value)
    assert "\n" not in str(found.value)


def test_lists_and_protocols_choose(two: Board) -> None:
    table = one(two)
    digits = table.where.lists_sha256[:8]
    assert one(two, Asked(protocols=("market-style",), lists=(digits,))) == table


def test_an_empty_board_says_that_it_is(tmp_path: Path) -> None:
    table = one(store.begun(tmp_path / "board"))
    assert (table.columns, table.ranked, table.published) == ((), (), ())
    assert table.caption == (captions.NO_RUN,)


def test_many_that_are_not_ranked_are_counted_unless_all_is_asked_for(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MOST_APART", 1)
    board = placed(tmp_path / "board", folders, "good", "equal", "poor", seeds=1)
    for row in store.runs(board).rows:
        if row["method"] != "poor":
            store.publish_mark(board, row["run_id"], "flagged", why="x")
    table = one(board)
    assert len(table.apart) == 1
    assert any("1 more" in said for said in table.caption)
    assert len(one(board, Asked(everything=True)).apart) == 2


def test_a_street_is_called_a_procedural_world(tmp_path: Path, two: Board) -> None:
    street = crowd.board(
        tmp_path / "b", crowd.bundles(tmp_path, {"good": 0.7}, [0], of=crowd.world(source="street-s0"))
    )
    assert any("procedural world" in said for said in one(street).caption)
    assert not any("procedural world" in said for said in one(two).caption)


def test_what_was_handed_in_is_said(folders: Path, tmp_path: Path) -> None:
    board = store.begun(tmp_path / "board")
    facts: Mapping[str, Any] = {"disclosures": ["learnt from\n texts"], "division": "open", "official": True}
    more = {"rerank": "k-reciprocal", "flip_tta": True, "pretrain_data": ["A"], "n_test_evals": 12}
    entry.add(board, doctored(folders / "good" / "s0", tmp_path / "b", **more), entry.Said(facts))
    (found,) = one(board).ranked
    assert found.disclosures == ("learnt from texts",)
    assert (found.division, found.official, found.tier, found.tests) == ("open", True, "rescored", 12)
    assert found.flags == ("re-ranked", "flip", "also learnt from A")


def test_names_keep_their_configuration_whatever_it_holds(two: Board) -> None:
    for found in one(two).ranked:
        row = next(row for row in store.runs(two).rows if row["run_id"] == found.run_ids[0])
        assert row["config_id"] == found.config_id
        assert json.loads(row["config_json"])
