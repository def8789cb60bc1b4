"""Weights that a backbone begins with: found, hashed, described, refused."""

import hashlib
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


def test_missing_weights_of_the_street_are_one_line_with_the_two_commands(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        weights.find("street", "tiny", tmp_path)
    line = str(caught.value)
    assert "\n" not in line
    assert f"{tmp_path}/tiny.safetensors" in line
    assert "luxreid synth street --preset pretrain --out" in line
    assert "luxreid bench pretrain --data" in line
    assert "config.backbone=tiny" in line


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
