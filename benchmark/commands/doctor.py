"""`luxreid doctor`: what is installed, and what would go wrong."""

import importlib.util
import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

PACKAGES = ("benchmark", "synthesis", "annotation", "baselines", "leaderboards")
NEEDED = (
    *("torch", "torchvision", "timm", "numpy", "numba", "pandas", "pyarrow", "opencv-python-headless", "simplejpeg"),
    *("pillow", "av", "matplotlib", "scipy", "scikit-learn", "pydantic", "typer", "rich", "starlette", "uvicorn"),
    *("jinja2", "safetensors"),
)
OPTIONAL = {
    "ray": "pip install 'luxreid[ray]'",
    "mlcroissant": "pip install 'luxreid[croissant]'",
    "onnx": "pip install 'luxreid[onnx]'",
    "detectron2": "built from source, see its own instructions",
}


def doctor() -> None:
    """Say what is installed, what the machine has, and what would go wrong; exit 1 where something would."""
    from benchmark.console import say

    problems = [*_missing(), *_shadowed()]
    say(f"python      {platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores")
    say(f"torch       {_accelerator()}")
    say(f"disk        {shutil.disk_usage(Path.cwd()).free / 2**30:.0f} GiB free in this folder")
    say("installed   " + ", ".join(f"{name} {_version(name)}" for name in NEEDED if _version(name)))
    for name, how in OPTIONAL.items():
        say(f"optional    {name}: {_version(name) or f'not installed ({how})'}")
    for problem in problems:
        say(f"problem     {problem}")
    say("all is well" if not problems else f"{len(problems)} problems")
    if problems:
        sys.exit(1)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _missing() -> list[str]:
    lost = [f"{name} is not installed (pip install -e .)" for name in NEEDED if not _version(name)]
    if _version("opencv-python") and _version("opencv-python-headless"):
        lost.append("opencv-python and opencv-python-headless overwrite each other; uninstall both, install the latter")
    return lost


def _shadowed() -> list[str]:
    """Find packages of ours that another distribution's of the same name hides."""
    home = Path(__file__).resolve().parents[2]
    origins = {name: _origin(name) for name in PACKAGES}
    strange = {name: origin for name, origin in origins.items() if not origin or origin.parents[1] != home}
    return [f"'{name}' is taken by {origin}; use an environment of its own" for name, origin in strange.items()]


def _origin(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).resolve() if spec and spec.origin else None


def _accelerator() -> str:
    try:
        import torch
    except ImportError:
        return "not installed"
    if not torch.cuda.is_available():
        return f"{torch.__version__}, no CUDA GPU: everything runs on the CPU"
    names = ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    return f"{torch.__version__}, CUDA {torch.version.cuda}: {names}"
