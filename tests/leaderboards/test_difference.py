"""A board against an earlier one: what came, what was said since, what may never happen, and whose place moved."""

import json
import shutil
from pathlib import Path

import pytest

from benchmark import results
from benchmark.errors import UserError
from leaderboards import compact, difference, entry, store
from leaderboards.difference import Difference
from leaderboards.store import Board, Row
from tests.leaderboards import crowd

SEEDS = range(2)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evaluate three methods, the second of which is the best."""
    folder = tmp_path_factory.mktemp("bundles")
    crowd.bundles(folder, {"fair": 1.2, "best": 0.5, "poor": 2.0}, SEEDS, of=crowd.world(20), draws=0)
    return folder


@pytest.fixture
def board(bundles: Path, tmp_path: Path) -> Board:
    """Make a board of two methods and its release."""
    board = crowd.board(
        tmp_path / "board", [bundles / name / f"s{seed}" for name in ("fair", "poor") for seed in SEEDS]
    )
    compact.compact(board)
    return board


@pytest.fixture(params=["copy", "release", "release elsewhere"])
def old(request: pytest.FixtureRequest, board: Board, tmp_path: Path) -> Path:
    """Give what was there before, in every form in which it may be kept."""
    release = store.releases(board)[0]
    if request.param == "copy":
        shutil.copytree(board.root, tmp_path / "copy")
        return tmp_path / "copy"
    if request.param == "release elsewhere":
        shutil.copytree(release, tmp_path / "published")
        return tmp_path / "published"
    return release


def kinds(found: Difference) -> dict[str, list[str]]:
    made = dict[str, list[str]]()
    for event in found.events:
        made.setdefault(event.kind, []).append(event.run_id)
    return made


def run(board: Board, method: str, seed: int = 0) -> Row:
    return next(row for row in store.runs(board).rows if (row["method"], row["seed"]) == (method, seed))


def test_nothing_is_different_at_first(board: Board, old: Path) -> None:
    found = difference.against(board, old)
    assert found.lines == [f"since {old}: the same runs"]
    assert (found.events, found.moved, found.removed) == ((), (), [])


def test_what_came_is_named_and_moves_places(board: Board, old: Path, bundles: Path) -> None:
    new = [str(entry.add(board, bundles / "best" / f"s{seed}")["run_id"]) for seed in SEEDS]
    found = difference.against(board, old)
    assert kinds(found) == {"added": sorted(new)}
    assert found.removed == []
    assert [(one.name, one.before, one.after) for one in found.moved] == [
        ("best", None, "1"),
        ("fair", "1", "2"),
        ("poor", "2", "3"),
    ]
    assert found.lines[0] == f"since {old}: 2 runs added"
    assert any(line.startswith(f"added: run {min(new)}: best, seed ") for line in found.lines)
    assert any(line.startswith("place 1 -> 2: fair (crowd, market-style, lists ") for line in found.lines)


def test_a_run_that_is_gone_is_a_loss(board: Board, old: Path) -> None:
    lost = [run(board, "fair", seed) for seed in SEEDS]
    for row in lost:
        name = store.names(board, "runs", f"{row['run_id']}-")[0]
        board.path("runs", name).unlink()
    found = difference.against(board, old)
    assert kinds(found) == {"removed": sorted(row["run_id"] for row in lost)}
    assert found.removed == kinds(found)["removed"]
    assert [(one.name, one.before, one.after) for one in found.moved] == [("poor", "2", "1"), ("fair", "1", None)]


def test_a_run_that_says_something_else_is_a_loss(board: Board, old: Path) -> None:
    row = run(board, "poor")
    name = store.names(board, "runs", f"{row['run_id']}-")[0]
    raw = store.read(board, "runs", name).to_pylist()[0]
    store.publish_run(board, raw | {"mAP": 0.999})
    board.path("runs", name).unlink()
    found = difference.against(board, old)
    assert kinds(found) == {"changed": [row["run_id"]]}
    assert found.removed == [row["run_id"]]
    assert any(line.endswith(f"mAP was {raw['mAP']!r}, is 0.999") for line in found.lines)


def test_a_second_row_that_says_something_else_is_a_loss(board: Board, old: Path) -> None:
    row = run(board, "poor")
    raw = store.rows_of(board, row["run_id"])[0]
    store.publish_run(board, raw | {"mAP": 0.999})
    assert difference.against(board, old).removed == [row["run_id"]]


def test_what_was_said_since_is_told(board: Board, old: Path) -> None:
    flagged, superseded, verified = (run(board, *which) for which in (("fair", 0), ("fair", 1), ("poor", 0)))
    store.publish_mark(board, flagged["run_id"], "flagged", None, "wrong night")
    store.publish_mark(board, superseded["run_id"], "superseded", flagged["run_id"], "run again")
    store.publish_mark(board, verified["run_id"], "verified", "a machine", "weights were run again")
    found = difference.against(board, old)
    assert kinds(found) == {
        "flagged": [flagged["run_id"]],
        "superseded": [superseded["run_id"]],
        "verified": [verified["run_id"]],
    }
    assert f"flagged: run {flagged['run_id']}: wrong night" in found.lines
    assert found.removed == []
    assert [(one.name, one.after) for one in found.moved] == [("poor", "1"), ("fair", None)]


def test_a_killed_run_that_went_on_has_ended(board: Board, tmp_path: Path, bundles: Path) -> None:
    bundle = results.read(bundles / "best" / "s0")
    killed = {name: bundle.run[name] for name in ("run_id", "schema_version", "provenance", "method", "seed")}
    store.publish_run(board, killed | {"status": "killed"})
    release = compact.compact(board)
    entry.add(board, bundles / "best" / "s0")
    found = difference.against(board, release)
    assert kinds(found) == {"ended": [bundle.run["run_id"]]}
    assert found.removed == []


def test_many_runs_are_counted_and_some_are_named(board: Board, tmp_path: Path) -> None:
    raw = store.rows_of(board, run(board, "poor")["run_id"])[0]
    copy = tmp_path / "copy"
    shutil.copytree(board.root, copy)
    for number in range(difference.SHOWN + 5):
        store.publish_run(board, raw | {"run_id": f"{number:032x}", "status": "failed"})
    lines = difference.against(board, copy).lines
    assert lines[0].endswith(f"{difference.SHOWN + 5} runs added")
    assert lines[-1] == "added: and 5 more"


def test_a_release_that_was_changed_is_refused(board: Board, tmp_path: Path) -> None:
    release = tmp_path / "release"
    shutil.copytree(store.releases(board)[0], release)
    path = release / "runs.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="its bytes are not those that release"):
        difference.against(board, release)
    shutil.copytree(store.releases(board)[0], tmp_path / "other")
    record = json.loads((tmp_path / "other" / "release.json").read_text()) | {"files": None}
    (tmp_path / "other" / "release.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="lists no files"):
        difference.against(board, tmp_path / "other")


def test_what_is_no_board_is_refused(board: Board, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no board"):
        difference.against(board, tmp_path / "nowhere")
