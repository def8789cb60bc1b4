"""The log: whole lines, cut back to a checkpoint, and the speed that it tells."""

from pathlib import Path

import pytest
import torch

from benchmark.errors import UserError
from benchmark.runner import log
from benchmark.runner.log import Log, Silence
from benchmark.runner.terms import Terms


class Loader:
    """Never waits."""

    waited = 0.0


def test_a_log_is_cut_back_to_a_length(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "log.jsonl"
    first = Log(path, 0)
    first.add({"step": 1, "where": "día"})
    length = first.sync()
    first.add({"step": 2, "more": "what comes after the checkpoint is longer than what is written again"})
    first.add({"step": 3})
    first.close()
    assert [line["step"] for line in log.read(path)] == [1, 2, 3]
    again = Log(path, length)
    again.add({"step": 4})
    again.close()
    assert log.read(path) == [{"step": 1, "where": "día"}, {"step": 4}]


def test_a_log_that_was_cut_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("{}\n")
    with pytest.raises(UserError, match=r"log\.jsonl: has 3 bytes, the checkpoint beside it knows 4; it was cut"):
        Log(tmp_path / "log.jsonl", 4)


def test_a_log_that_cannot_be_written_or_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not json")
    with pytest.raises(UserError, match="cannot write"):
        Log(tmp_path / "file" / "log.jsonl", 0)
    with pytest.raises(UserError, match="not a log of JSON lines"):
        log.read(tmp_path / "file")
    with pytest.raises(UserError, match="cannot read"):
        log.read(tmp_path / "nothing")


def test_all_but_the_first_process_write_nothing() -> None:
    silence = Silence()
    silence.add({"step": 1})
    assert silence.sync() == 0
    silence.close()


def test_speed_is_the_median_after_warm_up() -> None:
    def lines(*speeds: float | None) -> list[dict[str, float | None]]:
        return [{"images_per_s": speed} for speed in speeds]

    assert log.speed([]) == 0
    assert log.speed(lines(5)) == 5
    assert log.speed([*lines(1, 30, None, 10), {"val_mAP": 0.5}, *lines(20)]) == 20


def test_terms_are_fetched_together_and_averaged() -> None:
    window: list[dict[str, float]] = []
    terms = Terms(window, Loader())
    terms.add("step 0", ("a", "b"), torch.tensor([1.0, 10.0]), 32)
    terms.add("step 1", ("b",), torch.tensor([30.0]), 32)
    assert not window
    terms.fetch("stands")
    assert window == [{"a": 1.0, "b": 10.0}, {"b": 30.0}]
    line = terms.line()
    assert (line["terms"], line["loss"]) == ({"a": 1.0, "b": 20.0}, 20.5)
    assert line["images_per_s"] > 0
    assert window == []
    assert terms.line() == {}


def test_a_line_of_steps_that_were_taken_before_tells_no_speed() -> None:
    terms = Terms([{"a": 1.0}], Loader())
    assert terms.line()["images_per_s"] is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_first_term_that_is_not_finite_is_named(value: float) -> None:
    terms = Terms([], Loader())
    terms.add("step 0", ("a", "b"), torch.tensor([1.0, 2.0]), 1)
    terms.add("step 1", ("b", "c"), torch.tensor([1.0, value]), 1)
    terms.add("step 2", ("a", "b"), torch.tensor([value, value]), 1)
    with pytest.raises(UserError, match=f"step 1: the loss term 'c' is {value}; so it is"):
        terms.fetch("so it is")
