"""From one training to the next: whom the first has seen is not forgotten, and no weights are lost in silence."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from baselines import backbones
from benchmark import leaks, manifest
from benchmark.errors import UserError
from benchmark.runner import pretraining, training, weights
from benchmark.runner.interfaces import World
from benchmark.runner.job import Job
from tests.benchmark.runner import painted

torch.set_num_threads(1)
BOT = "baselines.methods.bot"
WORLD = World({"painted": 8}, 3, ("visible",), (32, 16))


@pytest.fixture(scope="module")
def set_of(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return painted.world(tmp_path_factory.mktemp("set"))


def job(folder: Path, data: Path, out: str, test: bool = False, pretrained: str | bool = False, **more: object) -> Job:
    """Ask for BoT on the tiny backbone: on odd people, or on those of `more`."""
    config = {"backbone": "tiny", "pretrained": pretrained, "epochs": 1, "centre": 0.0}
    more |= {} if test else {"test": "", "protocol": ""}
    return painted.job(folder, data, out, 0, **more, method=BOT, size=[32, 16], config=config)


def people(data: Path, *pids: int) -> set[str]:
    (space,) = set(manifest.read(data).column("id_space").astype(str))
    return {leaks.digest(space, pid) for pid in pids}


def test_two_trainings_in_a_row_remember_the_first_ones_people(set_of: Path, tmp_path: Path) -> None:
    even, odd = ([{"data": "painted", "rows": {"pid": list(range(first, 17, 2))}}] for first in (2, 1))
    first = pretraining.pretrain(job(tmp_path, set_of, "first", train=even))
    assert first == tmp_path / "weights" / "tiny.safetensors"
    assert weights.people(first) == people(set_of, *range(2, 17, 2))
    kept = first.rename(tmp_path / "even.safetensors")
    second = pretraining.pretrain(job(tmp_path, set_of, "second", pretrained=str(kept), train=odd))
    assert weights.people(second) == people(set_of, *range(1, 17))
    assert weights.described(second)["trained_on"] == "painted"
    # The tested people are the even ones, and the second training did not see them itself.
    with pytest.raises(UserError, match=r"tiny.safetensors: was trained on 8 identities .* of \[query\]"):
        training.train(job(tmp_path, set_of, "third", test=True, pretrained="street"))


@pytest.mark.parametrize("named", ["", "model.safetensors"])
def test_a_training_begins_another_and_is_refused_where_it_has_seen_who_is_tested(
    named: str, set_of: Path, tmp_path: Path
) -> None:
    rows = [{"data": "painted", "rows": {"pid": [1, 2, 3, 5]}}]
    folder = training.train(job(tmp_path, set_of, "seen", train=rows))
    with pytest.raises(UserError, match=r"model.safetensors: was trained on 1 identity \(such as painted/2\)"):
        training.train(job(tmp_path, set_of, "tested", test=True, pretrained=str(folder / named)))
    clean = training.train(job(tmp_path, set_of, "clean"))
    wanted = job(tmp_path, set_of, "ok", test=True, pretrained=str(clean / named))
    assert training.first_weights(wanted) == clean / "model.safetensors"
    begun = backbones.build("tiny", str(clean / named), WORLD).state_dict()
    left = load_file(clean / "model.safetensors")
    assert all(torch.equal(value, left[f"backbone.{name}"]) for name, value in begun.items())
    training.train(wanted)
    assert weights.people(tmp_path / "ok" / "model.safetensors") == people(set_of, *range(1, 17, 2))


def test_a_preview_is_not_put_where_others_find_it(
    set_of: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = replace(job(tmp_path, set_of, "preview"), limit=1)
    assert pretraining.pretrain(asked) == asked.out
    assert capsys.readouterr().out.count("a preview of 1 step: its backbone is not put where") == 1
    assert not (tmp_path / "weights").exists()


def test_other_weights_are_replaced_only_where_that_was_asked_for(set_of: Path, tmp_path: Path) -> None:
    path = pretraining.pretrain(job(tmp_path, set_of, "one"))
    before, born = path.read_bytes(), path.stat().st_mtime_ns
    assert pretraining.pretrain(job(tmp_path, set_of, "again")) == path  # the same training, so the same bytes
    assert path.stat().st_mtime_ns == born
    other = replace(job(tmp_path, set_of, "other"), seed=1)
    with pytest.raises(
        UserError,
        match=r"tiny.safetensors: holds other weights \([0-9a-f]{12}\) than .*/other made \([0-9a-f]{12}\).*--again",
    ) as caught:
        pretraining.pretrain(other)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert pretraining.pretrain(replace(other, again=True)) == path
    assert path.read_bytes() != before
    # What was trained is kept: without the old file in its way it is put there, and nothing is trained again.
    made, trained = path.read_bytes(), (other.out / "model.safetensors").stat().st_mtime_ns
    path.unlink()
    assert pretraining.pretrain(other).read_bytes() == made
    assert (other.out / "model.safetensors").stat().st_mtime_ns == trained
