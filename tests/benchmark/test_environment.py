"""Facts of machine and code: they fit run/1, and no other repository's commit is taken for ours."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from benchmark import environment, results

NOTHING = {"git_commit": None, "git_dirty": None, "git_diff_sha256": None}


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "with space and ü"
    folder.mkdir()
    (folder / "a.py").write_text("1\n")
    git(folder, "init", "-q")
    git(folder, "add", "a.py")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_all_facts_fit_the_record() -> None:
    record = results.run_record(run_id="r", status="ok", provenance="ran_here", **environment.facts())
    assert record["python"] == ".".join(str(part) for part in sys.version_info[:3])
    assert record["torch"] == metadata.version("torch")
    assert record["n_cpus"] >= 1
    assert record["ram_gb"] > 0.1
    assert len(record["machine_hash"]) == 16
    assert environment.facts() | environment.code(environment.ROOT) == environment.facts()


def test_cuda_is_what_torch_was_built_for() -> None:
    code = "import torch; print(torch.version.cuda)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert str(environment.facts()["cuda"]) == said


def test_torch_is_not_imported_for_its_version() -> None:
    code = "import sys; from benchmark import environment; environment.facts(); print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=environment.ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_clean_a_changed_and_an_untracked_tree(repository: Path) -> None:
    clean = environment.code(repository)
    assert clean == {"git_commit": git(repository, "rev-parse", "HEAD"), "git_dirty": False, "git_diff_sha256": None}
    (repository / "a.py").write_text("2\n")
    changed = environment.code(repository)
    (repository / "a.py").write_text("3\n")
    other = environment.code(repository)
    (repository / "a.py").write_text("1\n")
    (repository / "new.py").write_text("")
    untracked = environment.code(repository)
    assert all(facts["git_dirty"] is True for facts in (changed, other, untracked))
    assert len({facts["git_diff_sha256"] for facts in (clean, changed, other, untracked)}) == 4


def test_a_foreign_repository_says_nothing(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = repository / "lib" / "site-packages"
    installed.mkdir(parents=True)
    assert environment.code(installed) == NOTHING
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    (tmp_path / "bare").mkdir()
    assert environment.code(tmp_path / "bare") == NOTHING


def test_no_git_no_repository_and_no_commit(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.code(tmp_path) == NOTHING
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "-q")
    assert environment.code(tmp_path / "empty") == NOTHING
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert environment.code(repository) == NOTHING
