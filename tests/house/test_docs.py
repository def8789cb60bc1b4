"""The documents are true: commands, columns, examples."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import luxreid
from benchmark import columns
from benchmark.card import Card

ROOT = Path(__file__).parents[2]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def make() -> ModuleType:
    return load(ROOT / "docs" / "make.py")


def test_the_page_of_commands_is_fresh(make: ModuleType) -> None:
    assert (ROOT / "docs" / "commands.md").read_text() == make.commands_page(), "run `make docs`"


def test_the_page_of_nights_is_fresh(make: ModuleType) -> None:
    assert (ROOT / "docs" / "nights.md").read_text() == make.nights_page(), "run `make docs`"


def test_every_command_has_help_and_is_in_the_readme(make: ModuleType) -> None:
    import typer

    readme = (ROOT / "README.md").read_text()
    for name, command in make._walk(typer.main.get_command(luxreid.app), "luxreid"):
        assert command.help, name
        assert all(parameter.help for parameter in command.params), name
        group, _, last = name.rpartition(" ")
        rows = [row for row in readme.splitlines() if row.startswith(f"| `{group} ") and "| here" in row]
        assert any(re.search(rf"\b{last}\b", row.split("|")[1]) for row in rows), name


def test_every_column_is_documented_with_its_type() -> None:
    page = (ROOT / "docs" / "manifest.md").read_text()
    for column in columns.COLUMNS:
        row = next(row for row in page.splitlines() if row.startswith("|") and f"`{column.name}`" in row.split("|")[1])
        kind = str(column.type).replace("list<item: string>", "list of string").replace("double", "float64")
        assert kind.replace("float", "float32").replace("float3264", "float64") in row or kind in row, column.name
        assert ("or null" in row) == column.null, column.name
    for column in columns.EXTRAS:
        assert re.search(rf"\b{column.name}\b", page), column.name


def test_the_reader_shown_to_contributors_works(tmp_path: Path) -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    code = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "CARD = " in block)
    (tmp_path / "mystreet.py").write_text(code)
    reader = load(tmp_path / "mystreet.py")
    assert isinstance(reader.CARD, Card)
    root = tmp_path / "pictures"
    root.mkdir()
    for example in reader.EXAMPLES:
        (root / example["path"]).touch()
    frame = reader.read(root, reader.Options()).frame().set_index("path")
    for example in reader.EXAMPLES:
        assert {name: frame.loc[example["path"], name] for name in example if name != "path"} == {
            name: value for name, value in example.items() if name != "path"
        }


def test_a_reader_of_ones_own_is_named_by_its_dotted_path(tmp_path: Path) -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    code = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "CARD = " in block)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "mystreet.py").write_text(code)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "0007_c2_0001.jpg").touch()
    # As the console script starts it: the folder one stands in is not on Python's path by itself.
    start = "import luxreid; luxreid.main()"
    command = [sys.executable, "-P", "-c", start, "data", "read", "lab.mystreet", "pictures", "--out", "m.parquet"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 image, 1 identity" in done.stdout
    (tmp_path / "pictures" / "IMG 2231 (copy).JPG").touch()
    done = subprocess.run(
        [*command, "--again"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "1 of 2 names are none of this set's, such as IMG 2231 (copy).JPG" in done.stderr


def test_the_map_of_benchmark_names_every_file() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    files = {path.name for path in (ROOT / "benchmark").glob("*.py")} - {"__init__.py", "demo.py"}
    assert {name for name in files if name not in text} == set()
    named = set(re.findall(r"\b(\w+\.py)\b", text.split("Inside `benchmark/`:")[1].split("```")[1]))
    assert named - files == set()


def test_pages_link_to_files_that_exist() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_python_in_the_documents_compiles() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))):
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            compile(block, page.name, "exec")
