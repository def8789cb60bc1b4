"""Kill a training at random moments: weights, optimisers and log are in the end those that nobody disturbed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.runner import checkpoint
from tests.benchmark.runner import toys

KILLS, MOST = 6, 5  # times that it is killed, each after up to so many more checkpoints

RUN = """
import sys, time
from pathlib import Path
import torch
from benchmark.runner.loop import Stopped
from tests.benchmark.runner import toys

torch.set_num_threads(1)
changed = dict(ema=0.9, clip=1.0, select="val", validate_every=2, save_every=float(sys.argv[2]))
score = lambda method: -abs(float(next(method.parameters()).detach().abs().sum()) - 31.2)
class Slow(toys.Prepared):
    def after_step(self, at):
        super().after_step(at)
        time.sleep(float(sys.argv[3]))
print("go", flush=True)
try:
    toys.fit(toys.make(Slow), Path(sys.argv[1]), toys.options(**changed), validate=score)
except Stopped:
    sys.exit(3)
"""


def start(folder: Path, save_every: float, sleep: float) -> subprocess.Popen[bytes]:
    """Start a training and wait until it begins."""
    command = [sys.executable, "-c", RUN, str(folder), str(save_every), str(sleep)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"go\n"
    return process


def ended(folder: Path) -> checkpoint.Checkpoint:
    found = checkpoint.newest(folder / "checkpoint")
    assert found is not None
    assert found.place["finished"]
    return found


def require_same(left: Any, right: Any) -> None:  # noqa: ANN401
    """Compare nested tensors and numbers bit for bit."""
    if isinstance(left, Tensor):
        assert torch.equal(left, right)
    elif isinstance(left, dict):
        assert left.keys() == right.keys()
        for name in left:
            require_same(left[name], right[name])
    elif isinstance(left, list):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            require_same(one, other)
    else:
        assert left == right


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train in one go."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert start(folder, 60, 0).wait(120) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_training_ends_with_the_same_bits(undisturbed: Path, tmp_path: Path, number: int) -> None:
    rng, codes = np.random.default_rng(number), []
    for _ in range(KILLS):
        process = start(tmp_path, 1e-9, 0.01)
        wait_for_checkpoints(tmp_path, int(rng.integers(0, MOST)), process)
        time.sleep(float(rng.uniform(0, 0.02)))
        process.send_signal(number)
        codes.append(process.wait(60))
    assert set(codes) <= {-number, 3, 0}
    assert sum(code != 0 for code in codes) >= 3, "it was never killed in its midst"
    assert start(tmp_path, 60, 0).wait(120) == 0
    left, right = ended(tmp_path), ended(undisturbed)
    require_same(left.weights, right.weights)
    require_same(left.state, right.state)
    assert toys.lines(tmp_path) == toys.lines(undisturbed)
    # Nothing is left of the kills.
    assert {path.suffix for path in (tmp_path / "checkpoint").iterdir()} == {".json", ".pt", ".safetensors"}
    assert left.place["chosen"] == right.place["chosen"]


def wait_for_checkpoints(folder: Path, more: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until so many more checkpoints were written, or it has ended."""
    goal = newest(folder) + more
    while newest(folder) < goal and process.poll() is None:
        time.sleep(0.002)


def newest(folder: Path) -> int:
    names = sorted(path.stem for path in (folder / "checkpoint").glob("*.json"))
    return int(names[-1].partition("-")[2]) if names else 0
