"""The command line as a person meets it: one line and exit code 2 for a mistake of theirs."""

import subprocess
import sys
from pathlib import Path

import pytest

import luxreid

ROOT = Path(__file__).parents[2]


def run(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "luxreid", *words]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(cwd)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data", "hash", "nothing.parquet"], "nothing.parquet: cannot read"),
        (["data", "hash"], "Missing argument 'MANIFEST'"),
        (["lst"], "No such command 'lst'"),
        (["list", "reader"], "did you mean 'readers'?"),
        (["data", "read", "folder", "."], "did you mean 'folders'?"),
        (["data", "read", "folders", "missing"], "missing"),
        (["data", "read", "folders", ".", "--set", "patern=x"], "did you mean 'pattern'?"),
        (["data", "read", "folders", ".", "--set", "pattern=3"], "pattern = 3"),
        (["data", "read", "no.such.module", "."], "no module is called 'no.such.module'"),
        (["demo", "--out", "full"], "holds something else"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep me")
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert said in done.stderr
    assert (tmp_path / "full" / "mine.txt").read_text() == "keep me"


def test_list_names_every_room(tmp_path: Path) -> None:
    done = run("list", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(luxreid.ROOMS)
    assert run("list", "readers", cwd=tmp_path).stdout.split() == luxreid.ROOMS["readers"].names()


def test_doctor_finds_nothing_wrong_here(tmp_path: Path) -> None:
    done = run("doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "all is well"


def test_doctor_sees_a_foreign_package_of_our_name(tmp_path: Path) -> None:
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "__init__.py").write_text("")
    # The current folder comes first on the path of `python -m`: just what a foreign package in site-packages does.
    done = run("doctor", cwd=tmp_path)
    assert done.returncode == 1
    assert "'baselines' is taken by" in done.stdout


def test_a_fault_of_ours_is_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(luxreid, "app", broken)
    with pytest.raises(ZeroDivisionError):
        luxreid.main()
