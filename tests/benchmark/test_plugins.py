"""Plug-ins: a file is all it takes, a name says all, and listing imports nothing."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from benchmark.plugins import Room, Shelf

Mistake = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    """Lay out a package of plug-ins: two good ones, a folder, a private one and one that lacks a library."""
    package = tmp_path / "shed_of_tests"
    package.mkdir()
    for name, text in {
        "__init__": "",
        "spade": "NAME = 'spade'",
        "axe": "NAME = 'axe'",
        "_rust": "",
        "lacking": "import a_library_that_nobody_has",
    }.items():
        (package / f"{name}.py").write_text(text)
    (package / "rake").mkdir()
    (package / "rake" / "__init__.py").write_text("NAME = 'rake'")
    (package / "notes.txt").write_text("no plug-in")
    for name in ("zebra", "apple"):
        (package / f"{name}.toml").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Room("shed_of_tests", "tool")
    for name in [name for name in sys.modules if name.split(".")[0] in ("shed_of_tests", "my_own_shed")]:
        del sys.modules[name]


def test_names_are_sorted_and_private_ones_left_out(room: Room) -> None:
    assert room.names() == ["axe", "lacking", "rake", "spade"]


def test_a_new_file_is_a_new_plug_in(room: Room, tmp_path: Path) -> None:
    (tmp_path / "shed_of_tests" / "hoe.py").write_text("NAME = 'hoe'")
    importlib.invalidate_caches()
    assert "hoe" in room.names()
    assert room.load("hoe").NAME == "hoe"
    assert room.load("rake").NAME == "rake"


def test_what_a_plug_in_says_of_itself_is_told(room: Room, tmp_path: Path) -> None:
    (tmp_path / "shed_of_tests" / "hoe.py").write_text('"""Turn the ground.\n\nSlowly."""\nimport nobody_has_this\n')
    (tmp_path / "shed_of_tests" / "pear.toml").write_text('about = "Sweet."\nripe = 1\n')
    importlib.invalidate_caches()
    assert [room.about(name) for name in ("hoe", "spade", "rake")] == ["Turn the ground.", "", ""]
    shelf = Shelf("shed_of_tests", "fruit")
    assert [shelf.about(name) for name in ("pear", "apple")] == ["Sweet.", ""]


def test_listing_imports_no_plug_in(room: Room, tmp_path: Path) -> None:
    code = (
        "import json, sys; from benchmark.plugins import Room; Room('shed_of_tests', 'tool').names();"
        "print(json.dumps(sorted(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(Path.cwd())!r}]; {code}"],
        capture_output=True,
        check=True,
    )
    loaded = json.loads(run.stdout)
    assert "shed_of_tests" in loaded
    assert not [name for name in loaded if name.startswith("shed_of_tests.")]


def test_an_unknown_name_lists_the_near_and_the_known(room: Room, mistake: Mistake) -> None:
    with mistake("no tool is called 'spate'", "did you mean 'spade'?", "axe, lacking, rake, spade"):
        room.load("spate")


def test_a_dotted_path_is_a_module_of_ones_own(room: Room, tmp_path: Path, mistake: Mistake) -> None:
    (tmp_path / "my_own_tool.py").write_text("NAME = 'mine'")
    (tmp_path / "my_own_shed").mkdir()
    (tmp_path / "my_own_shed" / "tool.py").write_text("NAME = 'mine too'")
    assert room.load("my_own_shed.tool").NAME == "mine too"
    with mistake("no module is called 'my_own_shed.none'", "tool"):
        room.load("my_own_shed.none")
    with mistake("no module is called 'nowhere.at_all'"):
        room.load("nowhere.at_all")


@pytest.mark.parametrize("name", ["", "_rust", ".spade", "..", "spade.", "../spade", "a b.c", "/etc/passwd.py"])
def test_what_is_no_name_is_refused(room: Room, mistake: Mistake, name: str) -> None:
    with mistake(repr(name), "tool"):
        room.load(name)


@pytest.mark.parametrize("name", ["lacking", "shed_of_tests.lacking"])
def test_a_library_that_a_plug_in_lacks_is_named_by_its_own_error(room: Room, name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match="a_library_that_nobody_has"):
        room.load(name)


def test_a_shelf_holds_toml_files(room: Room, tmp_path: Path, mistake: Mistake) -> None:
    shelf = Shelf("shed_of_tests", "leaflet")
    assert shelf.names() == ["apple", "zebra"]
    assert shelf.path("apple") == tmp_path / "shed_of_tests" / "apple.toml"
    assert shelf.path("some/own.toml") == Path("some/own.toml")
    with mistake("no leaflet is called 'zebbra'", "did you mean 'zebra'?"):
        shelf.path("zebbra")
