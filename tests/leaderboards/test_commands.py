"""`luxreid board` as a person types it; a mistake is one line."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from benchmark import results
from benchmark.errors import UserError
from leaderboards import commands, store
from tests.leaderboards import crowd

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    crowd.bundles(folder, seeds=(0, 1), draws=0)
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give a function that runs a command in a folder of its own; what is no mistake is shown as it was raised."""
    monkeypatch.chdir(tmp_path)
    app, runner = commands.commands(), CliRunner()

    def called(*words: str) -> Result:
        done = runner.invoke(app, list(words))
        if done.exception and not isinstance(done.exception, SystemExit | UserError):
            raise done.exception
        return done

    return called


def refused(done: Result) -> str:
    assert isinstance(done.exception, UserError), done.output
    assert "\n" not in str(done.exception)
    return str(done.exception)


def test_runs_walk_from_bundles_to_a_table(run: Run, runs: Path) -> None:
    done = run("add", "board", str(runs), "--unofficial", "--division", "open", "--disclose", "made up")
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert all(": run " in line and ", mAP " in line for line in lines)
    assert run("check", "board").exit_code == 0
    assert run("compact", "board").exit_code == 0
    said = run("table", "board", "--by", "light", "--by", "size").stdout
    for row in store.runs(store.opened(Path("board"))).rows:
        assert (row["official"], row["division"], row["disclosures"]) == (False, "open", ["made up"])
    means = [
        100 * sum(results.read(runs / method / f"s{seed}").run["mAP"] for seed in (0, 1)) / 2 for method in crowd.NOISE
    ]
    for word in (*(f"{mean:.1f}" for mean in means), "Low", "Big", "unofficial", "open"):
        assert word in said, word


@pytest.mark.parametrize(("form", "mark"), [("markdown", "| --- |"), ("latex", r"\toprule"), ("csv", "ci_lo")])
def test_a_table_goes_into_a_file_in_every_format(run: Run, runs: Path, form: str, mark: str) -> None:
    run("add", "board", str(runs))
    assert mark in run("table", "board", "--format", form).stdout
    run("table", "board", "--format", form, "--out", f"table.{form}")
    assert mark in Path(f"table.{form}").read_text()
    assert Path("table.dictionary.csv").exists() == (form == "csv")


def test_a_broken_board_is_said_set_aside_and_then_whole(run: Run, runs: Path) -> None:
    run("add", "board", str(runs))
    broken = next(Path("board/results/queries").glob("*.parquet"))
    data = bytearray(broken.read_bytes())
    data[len(data) // 2] ^= 1
    broken.write_bytes(data)
    looked = run("check", "board", "--look")
    assert looked.exit_code == 1
    assert broken.name in looked.stdout
    assert broken.exists()
    assert run("check", "board").exit_code == 1
    assert not broken.exists()
    assert list(Path("board/quarantine").rglob(broken.name))
    assert run("check", "board", "--look").exit_code == 0
    assert len(store.runs(store.opened(Path("board"))).rows) == 3


def test_what_is_learnt_later_is_added_by_a_mark(run: Run, runs: Path) -> None:
    run("add", "board", str(runs / "good"))
    rows = store.runs(store.opened(Path("board"))).rows
    one, other = rows[0]["run_id"], rows[1]["run_id"]
    run("mark", "board", one[:8], "--flag", "--why", "it saw the test")
    run("mark", "board", other, "--superseded-by", one, "--why", "wrong crops")
    found = {row["run_id"]: row for row in store.runs(store.opened(Path("board"))).rows}
    assert (found[one]["flagged"], found[one]["flag_reason"]) == (True, "it saw the test")
    assert found[other]["superseded_by"] == one
    assert "it saw the test" in run("table", "board", "--all").stdout.replace("\n", " ")
    run("mark", "board", one[:8], "--clear", "--why", "it did not")
    assert not {row["run_id"]: row for row in store.runs(store.opened(Path("board"))).rows}[one]["flagged"]


def test_an_older_board_says_what_changed(run: Run, runs: Path) -> None:
    run("add", "board", str(runs / "good"))
    shutil.copytree("board", "old")
    run("add", "board", str(runs / "poor" / "s0"))
    done = run("check", "board", "--look", "--against", "old")
    assert done.exit_code == 0
    assert "added" in done.stdout
    backwards = run("check", "old", "--look", "--against", "board")
    assert backwards.exit_code == 1
    assert "removed" in backwards.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "nowhere"), "is no board"),
        (("table", "nowhere"), "is no board"),
        (("compact", "nowhere"), "is no board"),
        (("mark", "nowhere", "12345678", "--flag", "--why", "x"), "is no board"),
        (("add", "board", "nowhere"), "is no bundle, no submission"),
        (("add", "board", "file.txt"), "is no bundle, no submission"),
        (("add", "board", "full"), "holds no run.json and no submission.json"),
        (("add", "board", "RUNS", "--disclose", "one\ntwo"), "a line break"),
        (("add", "file.txt", "RUNS"), "file.txt"),
        (("add", "full", "RUNS"), "is no board"),
        (("add", "board", "RUNS", "--division", "shut"), "4 of 4 were refused"),
        (("table", "kept", "--format", "html"), "--format html"),
        (("table", "kept", "--order", "best"), "--order best"),
        (("table", "kept", "--metric", "map"), "mAP"),
        (("table", "kept", "--by", "colour"), "colour"),
        (("mark", "kept", "1234", "--flag", "--why", "x"), "eight digits"),
        (("mark", "kept", "12345678", "--why", "x"), "--flag"),
        (("mark", "kept", "12345678", "--reason", "lazy", "--why", "x"), "--reason lazy"),
        (("check", "kept", "--verify", "RUNS/good/s0"), "--data"),
        (("check", "kept", "--against", "nowhere"), "nowhere"),
    ],
)
def test_a_mistake_is_one_line(run: Run, runs: Path, words: tuple[str, ...], said: str) -> None:
    Path("file.txt").touch()
    Path("full").mkdir()
    Path("full/holiday.jpg").touch()
    run("add", "kept", str(runs / "good"))
    assert said in refused(run(*[word.replace("RUNS", str(runs)) for word in words]))


def test_a_wrong_path_adds_nothing(run: Run, runs: Path) -> None:
    refused(run("add", "board", str(runs), "nowhere"))
    assert not Path("board").exists()


def test_one_that_is_refused_does_not_keep_the_others_out(run: Run, runs: Path) -> None:
    shutil.copytree(runs, "mixed")
    broken = Path("mixed/good/s0/queries.parquet")
    broken.write_bytes(broken.read_bytes()[:-1])
    done = run("add", "board", "mixed")
    assert "1 of 4 were refused" in refused(done)
    assert f"refused: {broken}: is not the file" in done.stderr
    assert len(store.runs(store.opened(Path("board"))).rows) == 3


def test_every_command_is_told_of(run: Run) -> None:
    names = {command.name for command in typer.main.get_group(commands.commands()).commands.values()}
    assert names == {"add", "hide", "submit", "check", "compact", "mark", "table"}
