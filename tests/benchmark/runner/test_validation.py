"""The validation split: looked at where a recipe says so, and chosen by only where it says that too."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import manifest, results
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.runner import training
from tests.benchmark.runner import painted

BATCHES = {"identities": 2, "instances": 2}


@pytest.fixture(scope="module")
def parted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set in which every other person of the training is kept for validation."""
    folder = tmp_path_factory.mktemp("set")
    found = manifest.read(painted.world(folder))
    splits = np.where(found.column("pid").astype(int) % 4 == 1, "val", found.column("split").astype(str))
    path = folder / "parted.parquet"
    manifest.write(Manifest(found.with_columns(split=splits.tolist()).table, {"painted": folder}), path)
    return path


def train(folder: Path, path: Path, out: str, **loop: Any) -> Path:  # noqa: ANN401
    return training.train(painted.job(folder, path, out, loop={"precision": "fp32", **loop}, batches=BATCHES))


def curve(folder: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(line["epoch"], line["val_mAP"]) for line in lines if "val_mAP" in line]


def test_a_curve_can_be_had_without_a_choice(parted: Path, tmp_path: Path) -> None:
    plain = train(tmp_path, parted, "plain")
    looked = train(tmp_path, parted, "looked", validation=True, validate_every=2)
    chosen = train(tmp_path, parted, "chosen", select="val", validate_every=2)
    assert curve(plain) == []
    assert [epoch for epoch, _ in curve(looked)] == [1, 2]
    assert curve(looked) == curve(chosen)
    assert all(0 < value <= 1 for _, value in curve(looked))
    assert results.read(looked).run["ckpt_selection"] == "last"
    assert (looked / "model.safetensors").read_bytes() == (plain / "model.safetensors").read_bytes()
    best = max(curve(chosen), key=lambda one: one[1])[0] + 1
    assert results.read(chosen).run["ckpt_selection"] == f"epoch {best} of 3, best on the validation split"


def test_a_set_without_a_validation_split_is_refused(parted: Path, tmp_path: Path) -> None:
    whole = parted.parent / "manifest.parquet"
    with pytest.raises(UserError, match=r"little: loop\.validation = true, and painted has no row in the split val"):
        train(tmp_path, whole, "none", validation=True)
