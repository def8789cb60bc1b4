"""The board in the repository is whole, is what its README says, and its page is fresh."""

import hashlib
import importlib.util
import shutil
from pathlib import Path

import pytest

from leaderboards import check, store
from leaderboards.store import Board

ROOT = Path(__file__).parents[2]
STREET = ROOT / "leaderboards" / "boards" / "street"


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """Take what is in the repository, without what an earlier table left."""
    folder = tmp_path_factory.mktemp("boards") / "street"
    shutil.copytree(STREET, folder, ignore=shutil.ignore_patterns("derived", "staging"))
    return store.opened(folder)


def test_every_number_on_it_follows_from_its_ranks(street: Board) -> None:
    report = check.check(street)
    assert report.problems == []
    assert "15 runs" in report.summary


def test_its_sums_are_true_by_other_means(street: Board) -> None:
    (release,) = store.releases(street)
    lines = [line.split("  ") for line in (release / "SHA256SUMS").read_text().splitlines()]
    assert len(lines) > 15
    for sha256, name in lines:
        assert hashlib.sha256((street.root / name).read_bytes()).hexdigest() == sha256, name


def test_its_runs_are_those_that_the_readme_tells_of(street: Board) -> None:
    rows, readme = store.runs(street).rows, (STREET / "README.md").read_text()
    assert sorted({(row["display_name"], row["seed"]) for row in rows}) == [
        (name, seed) for name in ("street-tiny", "street-tiny-day-night", "street-tiny-soft") for seed in range(5)
    ]
    for row in rows:
        assert f"`{row['display_name']}`" in readme
        assert row["git_commit"][:7] in readme
        assert (row["git_dirty"], row["deterministic"], row["provenance"]) == (False, True, "ran_here")


def test_its_page_is_fresh() -> None:
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs" / "make.py")
    assert spec
    assert spec.loader
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    assert (ROOT / "docs" / "board.md").read_text() == make.board_page(), "run `make docs`"
