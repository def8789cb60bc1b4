"""Every evaluation on a test list leaves a line, also when many end at once or one is killed."""

from multiprocessing import get_context
from pathlib import Path

import pytest

from benchmark import ledger
from benchmark.errors import UserError


def enter(folder: Path, run: str, method: str = "bot", lists: str = "a") -> int:
    return ledger.enter(folder, method, "config", lists, run)


def test_it_counts_a_methods_looks_at_one_pair_of_lists(tmp_path: Path) -> None:
    assert [enter(tmp_path, "1"), enter(tmp_path, "2")] == [1, 2]
    assert enter(tmp_path, "3", method="ide") == 1
    assert enter(tmp_path, "4", lists="b") == 1
    assert enter(tmp_path, "5") == 3
    assert [one["run_id"] for one in ledger.entries(tmp_path)] == ["1", "2", "3", "4", "5"]


def test_a_run_counts_once(tmp_path: Path) -> None:
    assert [enter(tmp_path, "1"), enter(tmp_path, "1"), enter(tmp_path, "2")] == [1, 1, 2]


def test_a_line_that_was_cut_off_is_no_entry_and_harms_no_other(tmp_path: Path) -> None:
    enter(tmp_path, "1")
    file = tmp_path / ledger.NAME
    file.write_bytes(file.read_bytes() + b'{"method": "bo')
    assert enter(tmp_path, "2") == 2
    assert [one["run_id"] for one in ledger.entries(tmp_path)] == ["1", "2"]


def test_something_else_is_refused_with_its_line(tmp_path: Path) -> None:
    enter(tmp_path, "1")
    file = tmp_path / ledger.NAME
    file.write_bytes(file.read_bytes() + b"[3]\n")
    with pytest.raises(UserError, match=r"ledger.jsonl, line 2: is no entry"):
        enter(tmp_path, "2")
    assert ledger.entries(tmp_path / "nowhere") == []


def many(folder: Path, name: int) -> None:
    for number in range(20):
        enter(folder, f"{name}-{number}")


def test_four_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    context = get_context("spawn")
    writers = [context.Process(target=many, args=(tmp_path, name)) for name in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len({one["run_id"] for one in ledger.entries(tmp_path)}) == 80
    assert enter(tmp_path, "last") == 81


def test_a_ledger_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / ledger.NAME).mkdir()
    for folder in (tmp_path, tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(UserError, match=r"ledger.jsonl: cannot write: "):
            enter(folder, "1")
    assert (tmp_path / "file").read_text() == "mine"
