"""Who may import whom: DESIGN's table, held against the syntax trees."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("benchmark", "synthesis", "annotation", "baselines", "leaderboards")
ALLOWED = {name: {name, "benchmark"} for name in PACKAGES}
FORBIDDEN_TO_ALL = {"luxreid", "tests"}


def complaints(source: str, package: str) -> list[str]:
    """Name the imports and strings of a module that its package may not have."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    named = [*_imports(tree), *(text.split(".")[0] for text in _dotted_strings(tree, docstrings))]
    known = {*PACKAGES, *FORBIDDEN_TO_ALL}
    return sorted({name for name in named if name in known - ALLOWED[package]})


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def _dotted_strings(tree: ast.AST, docstrings: set[int]) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in docstrings:
            continue
        first, dot, _ = node.value.partition(".")
        if dot and first in PACKAGES:
            yield node.value


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_it_may(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    found = {str(file.relative_to(ROOT)): complaints(file.read_text(), package) for file in files}
    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("package", "source", "culprit"),
    [
        ("benchmark", "import synthesis.street", "synthesis"),
        ("benchmark", "def f():\n    from baselines.methods import ide", "baselines"),
        ("benchmark", "load('baselines.methods')", "baselines"),
        ("synthesis", "import annotation", "annotation"),
        ("leaderboards", "import luxreid", "luxreid"),
        ("annotation", "from tests import helpers", "tests"),
    ],
)
def test_a_forbidden_import_is_seen(package: str, source: str, culprit: str) -> None:
    assert complaints(source, package) == [culprit]


def test_docstrings_may_name_a_sibling() -> None:
    assert complaints('"""baselines.methods is elsewhere."""', "benchmark") == []


def test_benchmark_works_without_torch_but_for_its_runner() -> None:
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in sorted((ROOT / "benchmark").rglob("*.py"))
        if file.name != "__init__.py" and "runner" not in file.parts
    ]
    code = "import sys, importlib\nsys.modules['torch'] = None\n" + "".join(
        f"importlib.import_module({name!r})\n" for name in modules
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, luxreid\nsys.argv = ['luxreid', '--help']\n"
        "try:\n    luxreid.main()\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('torch', 'pandas', 'cv2', 'numba', 'pyarrow', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]"), done.stdout


def test_no_folder_is_named_tools_and_tests_are_no_package() -> None:
    folders = [Path(base) for base, _, _ in os.walk(ROOT) if ".venv" not in base and ".git" not in base]
    assert [folder for folder in folders if folder.name == "tools"] == []
    assert list((ROOT / "tests").rglob("__init__.py")) == []
