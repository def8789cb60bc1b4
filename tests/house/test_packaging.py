"""What is shipped, and that it works where it is installed."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("luxreid", "benchmark", "synthesis", "annotation", "baselines", "leaderboards")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, so that no build folder is left behind or picked up."""
    copy = tmp_path_factory.mktemp("source") / "luxreid"
    ignored = shutil.ignore_patterns(".git", ".venv*", "__pycache__", "*.egg-info", "build", "demo", ".*_cache")
    shutil.copytree(ROOT, copy, ignore=ignored)
    target = tmp_path_factory.mktemp("wheel")
    code = f"from setuptools import build_meta; print(build_meta.build_wheel({str(target)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target / done.stdout.split()[-1]


def test_the_wheel_holds_every_module_and_no_test(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    folders = [ROOT / name for name in OURS if (ROOT / name).is_dir()]
    wanted = {str(file.relative_to(ROOT)) for folder in folders for file in folder.rglob("*.py")}
    data = {str(f.relative_to(ROOT)) for folder in folders for f in folder.rglob("*") if f.suffix in (".toml", ".csv")}
    assert held == wanted | data | {"luxreid.py"}


def test_the_command_works_from_an_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*pip, str(wheel)], check=True)
    environment = os.environ | {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    code = "import benchmark, luxreid, sys; print(benchmark.__file__); sys.argv[1:] = ['list']; luxreid.main()"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    assert first.startswith(str(site))
    assert "folders" in next(line for line in lines if line.startswith("readers"))


@pytest.mark.parametrize("name", OURS)
def test_a_top_level_name_is_ours_alone(name: str) -> None:
    # A foreign `benchmark` or `baselines` in the same environment would win over ours.
    assert set(packages_distributions()[name]) == {"luxreid"}
