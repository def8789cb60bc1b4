"""Weights on disk: what is read, and all that is refused."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from benchmark import durable
from benchmark.errors import UserError
from benchmark.runner import checkpoint

PLACE: dict[str, Any] = {"steps": 12, "saves": 3}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


class Evil:
    """Runs code where it is unpickled."""

    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.touched,)


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_weights_come_back_from_both_kinds_of_file(tmp_path: Path) -> None:
    own = network().state_dict()
    (tmp_path / "a.safetensors").write_bytes(checkpoint.encode(own))
    torch.save(own, tmp_path / "b.pth")
    torch.save({"epoch": 3, "state_dict": {"model": own}}, tmp_path / "c.pt")
    for name in ("a.safetensors", "b.pth", "c.pt"):
        assert same(checkpoint.read_weights(tmp_path / name), own)
    assert safetensors.torch.load_file(tmp_path / "a.safetensors").keys() == own.keys()


def test_weights_are_written_whatever_their_layout() -> None:
    twice = nn.Linear(2, 2)
    tied = nn.ModuleDict({"one": twice, "two": twice, "last": nn.Conv2d(2, 2, 3).to(memory_format=torch.channels_last)})
    own = tied.state_dict()
    assert same(safetensors.torch.load(checkpoint.encode(own)), own)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    torch.save({"weight": torch.zeros(1), "more": Evil(touched)}, tmp_path / "zip.pth")
    (tmp_path / "bare.pkl").write_bytes(pickle.dumps({"weight": Evil(touched)}))
    said = "refused: only safetensors, or a file of torch with nothing but tensors in it, is read"
    for name, asks in (("zip.pth", r"; this one asks for \S+"), ("bare.pkl", "")):
        with pytest.raises(UserError, match=f"{name}: {said}{asks}$"):
            checkpoint.read_weights(tmp_path / name)
    assert not touched.exists()
    pickle.loads((tmp_path / "bare.pkl").read_bytes())
    assert touched.exists()  # so it would have run


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"weight": torch.zeros(1), "epoch": 3}, "'epoch' is a int, not a tensor"),
        ([torch.zeros(1)], "holds a list, not named tensors"),
        ({}, "holds no tensor"),
        ({"state_dict": {}}, "holds no tensor"),
        ({1: torch.zeros(1)}, "'1' is a Tensor, not a tensor"),
    ],
)
def test_a_file_without_named_tensors_is_refused(tmp_path: Path, content: object, said: str) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(UserError, match=f"a.pth: {said}"):
        checkpoint.read_weights(tmp_path / "a.pth")


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
@pytest.mark.parametrize("data", [b"", b"not weights", b"PK\x03\x04" + b"\0" * 100, b"\xff" * 200])
def test_a_broken_file_is_one_line(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=name):
        checkpoint.read_weights(tmp_path / name)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.pth: cannot read: No such file"):
        checkpoint.read_weights(tmp_path / "a.pth")


def test_weights_that_do_not_fit_are_listed_and_nothing_is_filled() -> None:
    module, tensors = network(), network().state_dict()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    tensors["0.weight"] = torch.zeros(4, 3, 5, 5)
    for name in ("1.weight", "1.bias", "1.running_mean", "1.running_var"):
        del tensors[name]
    tensors |= {"fc.weight": torch.zeros(1), "fc.bias": torch.zeros(1)}
    said = (
        "a.pth: weights do not fit: 4 missing: 1.weight, 1.bias, 1.running_mean, ...; 2 unexpected: fc.weight, "
        r"fc.bias; 1 of another shape: 0.weight \(4x3x5x5 for 4x3x3x3\)"
    )
    with pytest.raises(UserError, match=said):
        checkpoint.load_into(module, tensors, "a.pth")
    assert same(dict(module.state_dict()), before)


def test_weights_that_fit_are_filled_in_place() -> None:
    module, tensors = network(), {name: tensor + 1 for name, tensor in network().state_dict().items()}
    address = next(module.parameters()).data_ptr()
    checkpoint.load_into(module, tensors, "a.pth")
    assert same(dict(module.state_dict()), tensors)
    assert next(module.parameters()).data_ptr() == address


def saved(folder: Path, **place: int) -> None:
    own = network().state_dict()
    checkpoint.save(folder, PLACE | place, own, {"optimisers": [{"state": {0: torch.ones(2)}, "lr": 0.1}]}, {})


def test_a_checkpoint_comes_back_and_the_older_one_goes(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path) is None
    saved(tmp_path)
    (tmp_path / ".000000012-000003.pt.0123456789ab.part").write_bytes(b"left by a kill")
    kept = checkpoint.put(tmp_path, "best.safetensors", {"one": torch.ones(1)})
    place = PLACE | {"steps": 13, "saves": 4}
    checkpoint.save(tmp_path, place, network().state_dict(), {"n": 1}, {"best.safetensors": kept})
    name = "000000013-000004"
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"best.safetensors", f"{name}.json", f"{name}.pt", f"{name}.safetensors"}
    found = checkpoint.newest(tmp_path)
    assert found is not None
    assert (found.place, found.state) == (place, {"n": 1})
    assert same(found.weights, dict(network().state_dict()))
    assert checkpoint.taken(tmp_path, "best.safetensors", kept)["one"] == 1


def test_an_older_checkpoint_stands_until_the_newer_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill between any two files of a checkpoint leaves the one before it."""
    saved(tmp_path)
    write = durable.write_bytes
    for files in range(3):
        left = iter(range(files))

        def stop(path: Path, data: bytes, left: Any = left) -> None:  # noqa: ANN401
            if next(left, None) is None:
                raise KeyboardInterrupt
            write(path, data)

        with monkeypatch.context() as patched:
            patched.setattr(durable, "write_bytes", stop)
            with pytest.raises(KeyboardInterrupt):
                saved(tmp_path, steps=20, saves=4)
        found = checkpoint.newest(tmp_path)
        assert found is not None
        assert found.place == PLACE
    saved(tmp_path, steps=20, saves=4)
    assert len([*tmp_path.iterdir()]) == 3


@pytest.mark.parametrize("kind", ["safetensors", "pt"])
@pytest.mark.parametrize("harm", ["cut", "flip", "remove"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, kind: str, harm: str) -> None:
    saved(tmp_path)
    path = tmp_path / f"000000012-000003.{kind}"
    data = path.read_bytes()
    harmed = {"cut": data[:-1], "flip": data[:300] + bytes([data[300] ^ 1]) + data[301:]}
    path.unlink()
    if harm in harmed:
        path.write_bytes(harmed[harm])
    with pytest.raises(UserError, match="cannot read" if harm == "remove" else "is damaged, or another's: its hash"):
        checkpoint.newest(tmp_path)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ("{", "not JSON"),
        ("[]", "holds a JSON list, not an object"),
        ('{"schema": "checkpoint/9"}', "schema is 'checkpoint/9', this version reads 'checkpoint/1'"),
        ('{"schema": "checkpoint/1", "files": []}', "names no files or no place; it was changed"),
        ('{"schema": "checkpoint/1", "files": {}, "place": {}}', "is damaged, or another's"),
    ],
)
def test_a_foreign_record_is_refused(tmp_path: Path, record: str, said: str) -> None:
    saved(tmp_path)
    (tmp_path / "000000012-000003.json").write_text(record)
    with pytest.raises(UserError, match=said):
        checkpoint.newest(tmp_path)


def test_a_state_with_code_is_refused_even_with_its_hash(tmp_path: Path) -> None:
    saved(tmp_path)
    path, record = tmp_path / "000000012-000003.pt", tmp_path / "000000012-000003.json"
    torch.save({"optimisers": Evil(tmp_path / "touched")}, path)
    changed = json.loads(record.read_text())
    changed["files"][path.name] = durable.sha256(path.read_bytes())
    record.write_text(json.dumps(changed))
    with pytest.raises(UserError, match="refused: only safetensors"):
        checkpoint.newest(tmp_path)
    assert not (tmp_path / "touched").exists()


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        saved(tmp_path / "file" / "folder")
