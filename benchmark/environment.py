"""Where a run ran and by which code: the groups `environment` and `code` of `run/1`; null is: could not be known."""

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

from benchmark import durable

ROOT = Path(__file__).resolve().parents[1]

Facts = dict[str, str | int | float | bool | None]


def facts() -> Facts:
    """Give all facts; nothing heavy is imported for it."""
    return _machine() | _packages() | code(ROOT)


def code(root: Path) -> Facts:
    """Say which commit `root` stands at and what was changed since; null where `root` is not a repository's top."""
    commit = _git(root, "rev-parse", "HEAD") if _is_top(root) else None
    status = _git(root, "status", "--porcelain", "--untracked-files=all") if commit else None
    if commit is None or status is None:
        return {"git_commit": None, "git_dirty": None, "git_diff_sha256": None}
    # Of files that git does not know the names are hashed, not the contents: a data set may lie among them.
    diff = _git(root, "diff", "--binary", "--no-color", "--no-ext-diff", "--no-textconv", "HEAD") if status else None
    changed = None if diff is None else durable.sha256(status + diff)
    return {"git_commit": commit.decode().strip(), "git_dirty": bool(status), "git_diff_sha256": changed}


def _is_top(root: Path) -> bool:
    # An installed package may lie inside somebody else's repository, whose commit says nothing about it.
    top = _git(root, "rev-parse", "--show-toplevel")
    return top is not None and Path(os.fsdecode(top.removesuffix(b"\n"))).resolve() == root.resolve()


def _git(root: Path, *words: str) -> bytes | None:
    # GIT_DIR and its kin would point git at another repository than the one that `root` lies in.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "--no-optional-locks", *words]
    try:
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _packages() -> Facts:
    return {
        "python": platform.python_version(),
        "torch": _version("torch"),
        "cuda": _cuda(),
        "package_version": _version("luxreid"),
        "env_freeze_sha256": durable.sha256("".join(f"{line}\n" for line in _freeze())),
    }


def _freeze() -> list[str]:
    found = ((one.metadata["Name"], one.version) for one in metadata.distributions())
    return sorted({f"{name}=={version}" for name, version in found if name})


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cuda() -> str | None:
    """Read from torch's version file, without importing torch, which CUDA it was built for."""
    try:
        text = Path(str(metadata.distribution("torch").locate_file("torch/version.py"))).read_text()
    except (metadata.PackageNotFoundError, OSError):
        return None
    found = re.search(r"^cuda\b.*= *'([0-9.]+)'", text, re.MULTILINE)
    return found[1] if found else None


def _machine() -> Facts:
    return {
        "cpu_model": _cpu_model(),
        "n_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "ram_gb": _ram_gb(),
        # Cut and hashed: it tells machines apart and does not name them.
        "machine_hash": durable.sha256(f"{platform.node()}\n{_text(Path('/etc/machine-id')).strip()}")[:16],
    }


def _cpu_model() -> str | None:
    found = re.search(r"^model name\s*:\s*(.+)$", _text(Path("/proc/cpuinfo")), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine() or None


def _ram_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
