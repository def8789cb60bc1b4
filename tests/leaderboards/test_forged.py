"""Forged numbers under right hashes: whoever knows how files are named can write any, and is found out."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from benchmark import durable
from benchmark.results import Bundle
from leaderboards import analysis, check_derived, compact, intervals, recount, store
from leaderboards.check_derived import Values
from leaderboards.check_releases import Releases
from leaderboards.recount_strata import Checked
from leaderboards.store import Board, Row
from tests.leaderboards import crowd

Rows = list[Row]
FAILED = "f" * 32


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """Make a board once: two methods of two seeds, a failed run, what is derived from it, a release."""
    folder = tmp_path_factory.mktemp("whole")
    bundles = crowd.bundles(folder / "bundles", seeds=range(2), of=crowd.world(60), draws=30)
    board = crowd.board(folder / "board", bundles)
    rows = store.runs(board).rows
    configs = sorted({row["config_id"] for row in rows})
    analysis.means(board, rows, by=("size:100,200",), draws=30)
    analysis.pairs(board, rows, configs[0], configs[1:], flips=30)
    failed = {"run_id": FAILED, "status": "failed", "error_class": "UserError", "schema_version": "run/1"}
    store.publish_run(board, failed | {"provenance": "ran_here", "method": "poor"})
    compact.compact(board)
    return board


@pytest.fixture(scope="module")
def checked(whole: Board) -> dict[str, Checked]:
    """Compute every run again, once."""
    found = {row["run_id"]: recount.recount(store.bundle(whole, row)).strata for row in runs(whole)}
    return {run_id: strata for run_id, strata in found.items() if strata is not None}


@pytest.fixture(scope="module")
def values(whole: Board, checked: dict[str, Checked]) -> Values:
    made = Values()
    for row in runs(whole):
        made.keep(row, checked[row["run_id"]])
    return made


@pytest.fixture
def board(whole: Board, tmp_path: Path) -> Board:
    """Give a copy that may be forged."""
    shutil.copytree(whole.root, tmp_path / "board")
    return Board(tmp_path / "board")


def runs(board: Board) -> Rows:
    """List the runs that ended well."""
    return [row for row in store.runs(board).rows if row["status"] == "ok"]


# --- derived tables


def said(board: Board, values: Values, deep: bool = False) -> str:
    return "\n".join(what for _, found, _ in check_derived.problems(board, values, deep) for what in found)


def forged(board: Board, kind: str, change: Callable[[Rows], Rows]) -> None:
    """Put other rows in the place of derived ones, in one file with the right name."""
    old = store.names(board, kind)
    table = pa.concat_tables([store.read(board, kind, name) for name in old])
    for name in old:
        board.path(kind, name).unlink()
    made = pa.Table.from_pylist(change(table.to_pylist()), table.schema)
    store.publish(board, kind, store.encoded(kind, made))


def setting(cut: str, scheme: str, **facts: object) -> Callable[[Rows], Rows]:
    """Set columns of the first row of mAP of a cut and scheme."""

    def change(rows: Rows) -> Rows:
        fits = (row for row in rows if row["cut"] == cut and row["scheme_id"].startswith(scheme))
        next(row for row in fits if row["metric"] == "mAP").update(facts)
        return rows

    return change


def of_the_last(rows: Rows) -> Rows:
    """Change a number of the owner that comes last, and no other."""
    config = max(row["config_id"] for row in rows)
    next(row for row in rows if row["config_id"] == config and row["metric"] == "R1")["value"] = 0.999
    return rows


def of_the_first(rows: Rows) -> Rows:
    config = min(row["config_id"] for row in rows)
    next(row for row in rows if row["config_id"] == config and row["metric"] == "R1")["value"] = 0.999
    return rows


def kinder(rows: Rows) -> Rows:
    """Let another level than the lowest stand as the lowest, with the numbers of that level."""
    worst = next(row for row in rows if row["cut"] == "worst" and "light" in row["scheme_id"])
    names = ("cut", "scheme_id", "config_id", "metric")
    fits = ("query", *(worst[name] for name in names[1:]))
    levels = [row for row in rows if tuple(row[name] for name in names) == fits and not row["low_support"]]
    best = max(levels, key=lambda row: float(row["value"]))
    worst.update(best | {"cut": "worst"})
    return rows


CHEAP: Sequence[tuple[str, Callable[[Rows], Rows], str]] = (
    ("means", of_the_first, "value is 0.999"),
    ("means", of_the_last, "value is 0.999"),
    ("means", setting("worst", "", value=0.999), "value is 0.999"),
    ("means", kinder, "is not the lowest level"),
    ("means", setting("all", "all", value=None), "value is None"),
    ("means", setting("all", "all", value=float("nan")), "value is nan"),
    ("means", setting("all", "all", sd_seeds=None), "sd_seeds is None"),
    ("means", setting("all", "all", seeds=99), "seeds is 99"),
    ("means", setting("query", "night600-light", n_id=5000), "n_id is 5000"),
    ("means", setting("query", "night600-light", n_query=5000), "n_query is 5000"),
    ("means", setting("query", "night600-light", n_pos_pairs=5000), "n_pos_pairs is 5000"),
    ("means", setting("query", "night600-light", n_gallery=5000), "n_gallery is 5000"),
    ("means", setting("query", "night600-light", low_support=True), "low_support is True"),
    ("means", setting("query", "night600-light", stratum_order=7), "stratum_order is 7"),
    ("means", setting("query", "night600-light", scheme_sha256="0" * 64), "scheme_sha256 is"),
    ("means", setting("query", "night600-light", q_stratum="Bright"), "the lists have no such level"),
    ("pairs", setting("all", "all", difference=0.999), "difference is 0.999"),
    ("pairs", setting("all", "all", seeds=5), "seeds is 5"),
    ("pairs", setting("query", "night600-light", n_id=5000), "n_id is 5000"),
    ("pairs", setting("all", "all", run_ids_b=None), "run_ids_b is null, or holds nulls"),
    ("pairs", setting("all", "all", run_ids_a=["a", None]), "run_ids_a is null, or holds nulls"),
    ("means", setting("all", "all", run_ids=[None]), "run_ids is null, or holds nulls"),
)


@pytest.mark.parametrize(("kind", "change", "words"), CHEAP)
def test_what_the_ranks_tell_is_compared_of_every_row(
    board: Board, values: Values, kind: str, change: Callable[[Rows], Rows], words: str
) -> None:
    assert said(board, values) == ""
    forged(board, kind, change)
    assert words in said(board, values)


def without_dark(rows: Rows) -> Rows:
    return [row for row in rows if row["q_stratum"] != "Low"]


DEEP: Sequence[tuple[str, Callable[[Rows], Rows], str]] = (
    ("means", setting("query", "size@", value=0.999), "value is 0.999, computed again"),
    ("means", setting("all", "all", sd_trials=0.5), "sd_trials is 0.5, computed again None"),
    ("means", setting("all", "all", ci_lo=None), "ci_lo is None, computed again"),
    ("means", setting("all", "all", se=float("nan")), "se is nan, computed again"),
    ("means", setting("all", "all", ci_method="t"), "ci_method is t, computed again"),
    ("means", setting("all", "all", ci_B=10**6), "ci_B is 1000000, computed again 30"),
    ("means", without_dark, "computed again, there is such a row"),
    ("pairs", setting("all", "all", same_sign=None), "same_sign is None, computed again"),
    ("pairs", setting("all", "all", flips=10**6), "flips is 1000000, computed again 30"),
    ("pairs", setting("all", "all", claim="none of these"), "claim is none of these, computed again"),
    ("pairs", setting("all", "all", p_holm=None), "p_holm is None, computed again"),
    ("pairs", without_dark, "computed again, there is such a row"),
)


@pytest.mark.parametrize(("kind", "change", "words"), DEEP)
def test_every_column_and_row_is_compared_with_what_is_computed_again(
    board: Board, values: Values, kind: str, change: Callable[[Rows], Rows], words: str
) -> None:
    shutil.rmtree(board.folder("means" if kind == "pairs" else "pairs"))
    forged(board, kind, change)
    assert said(board, values) == ""
    assert words in said(board, values, deep=True)


def test_what_is_right_stays_so_when_it_is_computed_again(board: Board, values: Values) -> None:
    before = {kind: store.names(board, kind) for kind in ("means", "pairs")}
    assert said(board, values, deep=True) == ""
    assert {kind: store.names(board, kind) for kind in before} == before


def test_what_is_not_looked_at_is_said(board: Board, values: Values) -> None:
    notes = [note for _, _, own in check_derived.problems(board, values, deep=False) for note in own]
    assert len(notes) == 2
    assert all("with --deep only" in note for note in notes)
    assert not [note for _, _, own in check_derived.problems(board, values, deep=True) for note in own]


def test_files_that_are_merged_meanwhile_are_no_problem(
    board: Board, values: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = store.names

    def earlier(board: Board, kind: str, prefix: str = "") -> list[str]:
        return [*listed(board, kind, prefix), "0" * 32]

    monkeypatch.setattr(store, "names", earlier)
    assert said(board, values) == ""
    board.path("means", "0" * 32).write_bytes(b"")
    assert "cannot be read" in said(board, values) or "its bytes are not" in said(board, values)


def test_cleaning_removes_derived_files_that_name_no_runs(board: Board) -> None:
    forged(board, "means", lambda rows: [row | {"run_ids": [None]} for row in rows])
    assert board.path("means", store.names(board, "means")[0]) in compact.clean(board)


# --- releases


def of_releases(board: Board) -> str:
    """Compare all runs with the releases, as `board check` does."""
    found = Releases(board)
    hashes = dict[str, str]()
    for name in store.names(board, "runs"):
        found.compare("runs", name, store.read(board, "runs", name))
        hashes[f"runs/{name}.parquet"] = durable.sha256(board.path("runs", name).read_bytes())
    gone = [f"{path.name} {what}" for path, what in found.gone(hashes)]
    return "\n".join([*gone, *(what for own in found.problems.values() for what in own)])


def rewritten(board: Board, rows: Callable[[Rows], Rows], whole: bool = True, **facts: object) -> Path:
    """Write other rows of runs into a release; `whole`: all that it says of itself is made to fit."""
    release = store.releases(board)[-1]
    table = store.released(board, release, "runs")
    made = pa.Table.from_pylist(rows(table.to_pylist()), table.schema)
    data, record = store.encoded("runs", made), durable.read_json(release / "release.json")
    record["tables"]["runs.parquet"] = {"sha256": durable.sha256(data), "rows": len(made)}
    record |= facts
    (release / "runs.parquet").write_bytes(data)
    (release / "release.json").write_text(json.dumps(record))
    if not whole:
        return release
    said = {"tables": record["tables"], "files": record["files"]}
    name = f"{release.name.split('-')[0]}-{durable.sha256(durable.canonical(said))[:8]}"
    release = release.rename(release.with_name(name))
    (release / "SHA256SUMS").write_bytes(compact.sums(release.relative_to(board.root), said["tables"], said["files"]))
    return release


def a_winner(rows: Rows) -> tuple[Row, Row]:
    """Give the row of the failed run, and a good one under the name of its file."""
    failed = next(row for row in rows if row["run_id"] == FAILED)
    good = next(row for row in rows if row["status"] == "ok")
    return failed, good | {"run_id": FAILED, "file": failed["file"]}


def apart(rows: Rows) -> Rows:
    failed, fake = a_winner(rows)
    return [fake, *(row for row in rows if row is not failed), failed]


def together(rows: Rows) -> Rows:
    failed, fake = a_winner(rows)
    return [*(row for row in rows if row is not failed), fake, failed]


def dropped(rows: Rows) -> Rows:
    return [row for row in rows if row["run_id"] != FAILED]


def same(rows: Rows) -> Rows:
    return rows


@pytest.mark.parametrize(
    ("change", "words"),
    [(apart, "do not stand together"), (together, "holds 2 rows of"), (dropped, "holds no row of")],
)
def test_a_winner_under_the_name_of_a_failed_run_is_found(
    board: Board, change: Callable[[Rows], Rows], words: str
) -> None:
    assert of_releases(board) == ""
    rewritten(board, same)
    assert of_releases(board) == ""
    rewritten(board, change)
    assert words in of_releases(board)


def test_what_a_release_says_of_itself_is_compared(board: Board) -> None:
    release = store.releases(board)[-1]
    record = durable.read_json(release / "release.json")
    sums, text = (release / "SHA256SUMS").read_bytes(), (release / "release.json").read_text()
    run = next(name for name in record["files"] if name.startswith("runs/"))
    others = {name: sha256 for name, sha256 in record["files"].items() if name != run}
    tables = record["tables"]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"files": others}, "which release.json does not list"),
        ({"files": record["files"] | {run: "0" * 64}}, "is not the file that was released"),
        ({"files": record["files"] | {f"runs/{'0' * 32}.parquet": "0" * 64}}, "was released in"),
        ({"files": dict.fromkeys(others, 7)}, "lists no files"),
        ({"tables": {"runs.parquet": tables["runs.parquet"]}}, "tables must be those of"),
        ({"tables": tables | {"runs.parquet": tables["runs.parquet"] | {"rows": 3}}}, "says 3 rows of runs.parquet"),
        ({"files": others}, "was changed, or the folder renamed"),
    ]
    for facts, words in cases:
        (release / "release.json").write_text(json.dumps(record | facts))
        assert words in of_releases(board), words
    (release / "release.json").write_text(text)
    (release / "SHA256SUMS").write_bytes(sums + b"\n")
    assert of_releases(board) == "SHA256SUMS: does not say what release.json says"
    (release / "SHA256SUMS").unlink()
    assert "SHA256SUMS" in of_releases(board)


def test_a_file_that_is_there_is_not_gone_though_nobody_could_hash_it(board: Board) -> None:
    assert list(Releases(board).gone({})) == []


def test_an_empty_file_in_quarantine_does_not_stand_for_one_that_was_set_aside(board: Board) -> None:
    name = store.names(board, "runs")[0]
    path = board.path("runs", name)
    aside = board.root / "quarantine" / path.relative_to(board.root)
    aside.parent.mkdir(parents=True)
    aside.write_bytes(b"")
    path.unlink()
    assert "was released in" in of_releases(board)


# --- intervals


_INTERVAL = ("se", "ci_lo", "ci_hi", "ci_method", "ci_B", "ci_seed")


def no_interval(rows: Rows) -> None:
    row = next(row for row in rows if row["ci_lo"] is not None)
    row.update(dict.fromkeys(_INTERVAL))


def other_method(rows: Rows) -> None:
    row = next(row for row in rows if row["ci_lo"] is not None)
    row["ci_method"] = "percentile" if row["ci_method"] == "BCa" else "BCa"


def of_chance(rows: Rows) -> None:
    drawn = next(row for row in rows if row["ci_lo"] is not None)
    row = next(row for row in rows if row["metric"] == "chance_mAP")
    row.update({name: drawn[name] for name in _INTERVAL})


def no_seed(rows: Rows) -> None:
    for row in rows:
        row["ci_seed"] = None


def no_number(rows: Rows) -> None:
    next(row for row in rows if row["ci_lo"] is not None)["se"] = float("nan")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (no_interval, "ci_lo is None, drawn again"),
        (other_method, "ci_method is"),
        (of_chance, "chance_mAP: ci_lo is"),
        (no_seed, "ci_seed is None"),
        (no_number, "se is nan, drawn again"),
    ],
)
def test_an_interval_is_there_where_it_can_be_and_nowhere_else(
    whole: Board, checked: dict[str, Checked], change: Callable[[Rows], None], words: str
) -> None:
    row = runs(whole)[0]
    bundle, parts = store.bundle(whole, row), checked[row["run_id"]].layout.parts
    assert list(intervals.problems(bundle, parts)) == []
    strata = bundle.tables["strata"]
    rows = strata.to_pylist()
    change(rows)
    forged = Bundle(bundle.run, {**bundle.tables, "strata": pa.Table.from_pylist(rows, strata.schema)})
    assert words in "\n".join(intervals.problems(forged, parts))
