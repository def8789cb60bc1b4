"""Weights that a backbone begins with: found, hashed, described, refused."""

import hashlib
import json
import pickle
from pathlib import Path
from types import MappingProxyType

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from benchmark.errors import UserError
from benchmark.runner import weights

torch.set_num_threads(1)


class Small(nn.Module):
    """A network of one layer."""

    facts = MappingProxyType({"backbone": "small"})

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Linear(3, 2)


def written(folder: Path) -> tuple[Path, dict[str, Tensor], str]:
    torch.manual_seed(0)
    made, path = Small(), folder / "small.safetensors"
    return path, made.state_dict(), weights.write(path, made, ["street-s0-day", "b"], "street-pretrain", seed="7")


def test_what_is_written_is_read_again_with_its_hash_and_history(tmp_path: Path) -> None:
    path, tensors, digest = written(tmp_path)
    found = weights.read(path, "small")
    assert set(found.tensors) == set(tensors)
    assert all(torch.equal(found.tensors[name], value) for name, value in tensors.items())
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.facts == {
        "pretrain_id": "street-pretrain",
        "pretrain_sha256": digest,
        "pretrain_data": ["street-s0-day", "b"],
    }
    assert weights.described(path)["seed"] == "7"


def test_equal_weights_give_equal_bytes(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = written(tmp_path / "one")[0], written(tmp_path / "two")[0]
    assert one.read_bytes() == two.read_bytes()


def test_street_is_a_file_in_the_folder_of_weights_and_anything_else_a_path(tmp_path: Path) -> None:
    path, _, _ = written(tmp_path)
    assert weights.find("street", "small", tmp_path) == path
    assert weights.find("some/where.pth", "small", tmp_path) == Path("some/where.pth")


@pytest.mark.parametrize(
    ("backbone", "recipe"),
    [
        ("tiny", "street-pretrain`"),
        ("resnet50", "street-pretrain-resnet50`"),
        ("vit_small", "street-pretrain-resnet50 --set config.backbone=vit_small`"),
    ],
)
def test_missing_weights_of_the_street_are_one_line_with_the_two_commands(
    backbone: str, recipe: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        weights.find("street", backbone, tmp_path)
    line = str(caught.value)
    assert "\n" not in line
    assert f"{tmp_path}/{backbone}.safetensors" in line
    assert "luxreid synth street --preset pretrain --out" in line
    assert f"luxreid bench pretrain --data pretrain/day.parquet --recipe {recipe}" in line


def test_weights_of_another_backbone_are_refused(tmp_path: Path) -> None:
    path, _, _ = written(tmp_path)
    with pytest.raises(UserError, match="holds weights of small, not of tiny"):
        weights.read(path, "tiny")


def test_files_of_others_say_nothing_of_themselves_and_are_hashed_all_the_same(tmp_path: Path) -> None:
    bare, state = tmp_path / "bare.safetensors", tmp_path / "state.pth"
    save_file({"a": torch.ones(2)}, bare)
    torch.save({"a": torch.ones(2)}, state)
    for path in (bare, state):
        found = weights.read(path, "tiny")
        assert torch.equal(found.tensors["a"], torch.ones(2))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert found.facts == {"pretrain_id": path.name, "pretrain_sha256": digest}


class Trap:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("sprung"),))


@pytest.mark.parametrize("name", ["trap.pth", "trap.safetensors", "trap.bin"])
def test_a_pickle_is_never_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(pickle.dumps({"a": Trap()}))
    with pytest.raises(UserError, match=name):
        weights.read(Path(name), "tiny")
    torch.save({"a": Trap()}, name)
    with pytest.raises(UserError, match=name):
        weights.read(Path(name), "tiny")
    assert not Path("sprung").exists()


def test_a_file_that_is_cut_or_absent_is_one_line(tmp_path: Path) -> None:
    path, _, _ = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    for fault in (path, tmp_path / "nowhere.safetensors", tmp_path / "nowhere.pth"):
        with pytest.raises(UserError, match=fault.name):
            weights.read(fault, "small")
    with pytest.raises(UserError, match=r"nowhere.safetensors: cannot read"):
        weights.people(tmp_path / "nowhere.safetensors")


def test_a_file_lists_whom_it_has_seen_and_one_of_somebody_else_nobody(tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    weights.write(path, Small(), ["a"], "r", people="ab12\ncd34")
    assert weights.people(path) == {"ab12", "cd34"}
    weights.write(path, Small(), ["a"], "r", people="")
    save_file({"a": torch.ones(2)}, tmp_path / "model.safetensors")
    torch.save({"a": torch.ones(2)}, tmp_path / "state.pth")
    for name in ("small.safetensors", "model.safetensors", "state.pth"):
        assert weights.people(tmp_path / name) == set()


def training(folder: Path, **changes: object) -> Path:
    """Leave what a training leaves: weights of backbone and head, and its record."""
    torch.manual_seed(0)
    folder.mkdir(exist_ok=True)
    path = folder / "model.safetensors"
    tensors = {f"backbone.{name}": value for name, value in Small().state_dict().items()}
    save_file(tensors | {"heads.0.weight": torch.ones(3, 2)}, path)
    run = {
        "method": "bot",
        "config_id": "0123456789abcdef",
        "backbone": "small",
        "train_sets": [{"name": "night"}, {"name": "night"}, {"name": "day"}],
        "pretrain_id": "street-pretrain",
        "pretrain_data": ["street-s0-day", "day"],
    }
    record: dict[str, object] = {"schema": "training/1", "state": "trained", "people": ["ab12", "cd34"], "run": run}
    record |= {"ckpt_sha256": hashlib.sha256(path.read_bytes()).hexdigest()} | changes
    (folder / "training.json").write_text(json.dumps(record))
    return path


@pytest.mark.parametrize("named", ["t", "t/model.safetensors"])
def test_a_training_gives_its_backbone_what_it_is_and_whom_it_has_seen(named: str, tmp_path: Path) -> None:
    path = training(tmp_path / "t")
    assert weights.find(str(tmp_path / named), "small", tmp_path) == path
    found = weights.read(path, "small")
    torch.manual_seed(0)
    expected = Small().state_dict()
    assert set(found.tensors) == set(expected)
    assert all(torch.equal(found.tensors[name], value) for name, value in expected.items())
    assert found.facts == {
        "pretrain_id": "bot-0123456789ab",
        "pretrain_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "pretrain_data": ["night", "day", "street-s0-day"],
    }
    assert weights.people(path) == {"ab12", "cd34"}
    with pytest.raises(UserError, match="holds weights of small, not of tiny"):
        weights.read(path, "tiny")


def test_what_a_training_began_with_is_named_even_where_only_its_name_is_known() -> None:
    sets = {"train_sets": [{"name": "night"}]}
    assert weights.seen(sets) == ["night"]
    assert weights.seen(sets | {"pretrain_id": "timm/resnet50.tv_in1k"}) == ["night", "timm/resnet50.tv_in1k"]
    assert weights.seen(sets | {"pretrain_id": "r", "pretrain_data": ["day", "night"]}) == ["night", "day"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "begun"}, "is no finished training"),
        ({"ckpt_sha256": "0"}, r"model.safetensors: is not the file that .*training.json was written for"),
        ({"run": {"method": "bot"}}, r"training.json: run: 'config_id' is missing"),
        ({"people": "ab12"}, "people is str, must be a list"),
    ],
)
def test_a_training_that_is_not_whole_is_refused(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    path = training(tmp_path, **changes)
    reading = (lambda: weights.read(path, "small")) if "ckpt_sha256" in changes else (lambda: weights.people(path))
    with pytest.raises(UserError, match=said):
        reading()


def test_a_training_that_does_not_say_whom_it_has_seen_begins_nothing(tmp_path: Path) -> None:
    path = training(tmp_path)
    record = json.loads((tmp_path / "training.json").read_text())
    del record["people"]
    (tmp_path / "training.json").write_text(json.dumps(record))
    for reading in (lambda: weights.people(path), lambda: weights.read(path, "small")):
        with pytest.raises(UserError, match="'people' is missing"):
            reading()


def test_a_training_without_a_backbone_and_a_folder_without_a_training_are_refused(tmp_path: Path) -> None:
    save_file({"heads.0.weight": torch.ones(3, 2)}, tmp_path / "model.safetensors")
    digest = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    headless = training(tmp_path / "t", ckpt_sha256=digest)
    headless.write_bytes((tmp_path / "model.safetensors").read_bytes())
    with pytest.raises(UserError, match="bot names no backbone"):
        weights.read(headless, "small")
    with pytest.raises(UserError, match="is a folder and no training"):
        weights.find(str(tmp_path), "small", tmp_path)
