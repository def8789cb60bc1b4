"""The command line as a person meets it: one line and exit code 2 for a mistake of theirs."""

import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import luxreid
from benchmark import images, manifest

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
        (["data", "read", "os.path", "."], "is no reader: it has no CARD"),
        (["data", "read", "folders", "set", "--out", "set/1/c1_0.jpg"], "is there; --again replaces it"),
        (
            ["data", "read", "folders", "set", "--set", "pattern={pid}/{any}", "--out", "set/1/c1_0.jpg", "--again"],
            "no manifest",
        ),
        (["data", "measure", "set.parquet", "--executor", "serial", "--workers", "2"], "works in one process"),
        (["data", "measure", "set.parquet", "--workers", "0"], "must be 1 or more"),
        (["data", "measure", "set.parquet", "--limit", "0"], "'--limit'"),
        (["data", "describe", "set.parquet", "set.parquet", "--root", "set"], "--root goes with one manifest"),
        (["data", "strata", "set.parquet"], "run `luxreid data measure` first"),
        (["data", "export", "set.parquet", "--format", "mot", "--out", "x"], "allowed: market, night600"),
        (["data", "check", "set.parquet", "--reader", "none"], "no reader is called 'none'"),
        (["synth", "street"], "Missing option '--out'"),
        (["synth", "street", "--out", "full"], "full: holds something else, such as mine.txt"),
        (["synth", "street", "--out", "set.parquet"], "set.parquet: is a file; name a folder"),
        (["synth", "street", "--out", "world", "--preset", "night60"], "did you mean 'night600'?"),
        (["synth", "street", "--out", "world", "--set", "identities=0"], "identities = 0"),
        (["demo", "--out", "full"], "holds something else"),
        (["demo", "--out", "full", "--again"], "holds something else"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep me")
    picture = tmp_path / "set" / "1" / "c1_0.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_text("a picture")
    world = manifest.build({"path": ["1/c1_0.jpg"], "pid": [1], "camid": [1]}, "set", tmp_path / "set")
    manifest.write(world, tmp_path / "set.parquet")
    before = sorted(tmp_path.rglob("*"))
    done = run(*words, cwd=tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    assert picture.read_text() == "a picture"
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


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("nights", "gamma         A curve over 8-bit codes and nothing else, as earlier synthetic sets have it: "),
        ("stages", "linearise     Undo the camera's tone curve: 8-bit codes become linear light."),
    ],
)
def test_nights_and_stages_are_listed_with_what_they_are(room: str, line: str, tmp_path: Path) -> None:
    lines = run("list", room, cwd=tmp_path).stdout.splitlines()
    assert [one.split()[0] for one in lines] == luxreid.ROOMS[room].names()
    assert all(len(one.split()) > 4 for one in lines)
    assert [one for one in lines if one.startswith(line)]


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


@pytest.mark.parametrize(
    ("error", "said"),
    [(KeyboardInterrupt("stopped after 5 steps"), "luxreid: stopped after 5 steps\n"), (KeyboardInterrupt(), "")],
)
def test_what_was_stopped_says_how_to_go_on(
    error: KeyboardInterrupt, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(manifest, "read", stopped)
    monkeypatch.setattr(sys, "argv", ["luxreid", "data", "hash", "set.parquet"])
    with pytest.raises(SystemExit) as ended:
        luxreid.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == said


def test_the_version_is_the_packages(tmp_path: Path) -> None:
    assert run("--version", cwd=tmp_path).stdout == f"luxreid {version('luxreid')}\n"


def test_a_full_disk_under_the_output_is_one_line(tmp_path: Path) -> None:
    command = f"PYTHONPATH={ROOT} {sys.executable} -m luxreid list > /dev/full"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "luxreid: cannot write the output: No space left on device\n"


def test_a_reader_that_goes_away_is_nobodys_mistake(tmp_path: Path) -> None:
    command = f"PYTHONPATH={ROOT} {sys.executable} -m luxreid list | true"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_a_demo_killed_in_its_first_step_goes_on_and_again_spares_what_is_a_persons(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "luxreid", "demo"]
    child = subprocess.Popen(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE)
    while not (tmp_path / "demo" / "street" / "day").exists():
        time.sleep(0.01)
        assert child.poll() is None
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert not (tmp_path / "demo" / ".steps" / "synthesis-street.json").exists()
    (tmp_path / "demo" / "my-notes.txt").write_text("keep me")
    done = run("demo", "--again", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "demo" / "my-notes.txt").read_text() == "keep me"
    left = {path.name for path in (tmp_path / "demo").iterdir()} - {".steps", "my-notes.txt"}
    assert left == set(luxreid.MADE)


def test_where_no_cache_can_be_written_the_kernel_is_compiled_anew(tmp_path: Path) -> None:
    copy = tmp_path / "site"
    shutil.copytree(ROOT / "benchmark", copy / "benchmark", ignore=shutil.ignore_patterns("__pycache__"))
    # A file where the cache folder should be: not even root can make a folder there.
    (copy / "benchmark" / "__pycache__").write_text("")
    (tmp_path / "home").write_text("")
    code = "import numpy, benchmark.images as i; print(i.lightness(numpy.full((4, 4, 3), 7, numpy.uint8)))"
    home = str(tmp_path / "home")
    environment = {"PYTHONPATH": str(copy), "HOME": home, "XDG_CACHE_HOME": home, "PATH": ""}
    command = [sys.executable, "-B", "-c", code]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "7.0\n", done.stderr


def test_reading_again_asks_before_it_drops_measures(tmp_path: Path) -> None:
    picture = tmp_path / "set" / "1_c1.png"
    images.save(picture, np.full((8, 4, 3), 90, np.uint8))
    read = ("data", "read", "folders", "set", "--set", "pattern={pid}_c{camid}")
    assert run(*read, cwd=tmp_path).returncode == 0
    assert run("data", "measure", "set/manifest.parquet", cwd=tmp_path).returncode == 0
    assert run(*read, cwd=tmp_path).returncode == 2
    assert manifest.read(tmp_path / "set" / "manifest.parquet").measured
    assert run(*read, "--again", cwd=tmp_path).returncode == 0
    assert not manifest.read(tmp_path / "set" / "manifest.parquet").measured
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["1_c1.png", "manifest.parquet"]


def broken_manifest(fault: str) -> "tuple[pa.Table, str]":
    """Make a table with one fault, and the schema it claims."""
    table = manifest.build({"path": ["a.jpg", "b.jpg"], "pid": [1, 2]}, "set", Path("/nowhere")).table
    changes: dict[str, tuple[str, list[object], pa.DataType]] = {
        "duplicate": ("image_id", ["set/a.jpg"] * 2, pa.string()),
        "leaves": ("path", ["../a.jpg", "b.jpg"], pa.string()),
        "enum": ("time", ["dusk", "day"], pa.string()),
        "nan": ("exposure", [float("nan"), 0.0], pa.float32()),
        "type": ("pid", ["1", "2"], pa.string()),
    }
    if fault in changes:
        name, values, kind = changes[fault]
        table = table.set_column(table.column_names.index(name), name, pa.array(values, kind))
    return table, "manifest/9" if fault == "version" else "manifest/1"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("version", "schema is manifest/9, this version reads manifest/1"),
        ("duplicate", "image_id 'set/a.jpg' stands twice"),
        ("leaves", "found '../a.jpg', must be a relative path"),
        ("enum", "found 'dusk', must be one of day, night, unknown"),
        ("nan", "found nan, must be a finite number"),
        ("type", "column 'pid' is of type string, must be int32"),
    ],
)
def test_a_broken_manifest_is_one_line_and_stays_as_it_is(fault: str, said: str, tmp_path: Path) -> None:
    table, schema = broken_manifest(fault)
    pq.write_table(table.replace_schema_metadata({"luxreid.schema": schema}), tmp_path / "m.parquet")
    before = (tmp_path / "m.parquet").read_bytes()
    done = run("data", "measure", "m.parquet", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("luxreid: m.parquet: ")
    assert said in done.stderr
    assert (tmp_path / "m.parquet").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.parquet"]
