"""Weights and where training stands, on disk: no pickle is run, and what is damaged or foreign is refused.

A checkpoint is three files, named by its step: weights (safetensors), the state of the optimisers and of the averages
(tensors and numbers only), and a JSON record with the hashes of both, written last. Older ones are removed after it.
"""

import contextlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from benchmark import durable
from benchmark.errors import UserError

SCHEMA = "checkpoint/1"
LOCK = ".lock"
_SHOWN = 3  # names in a message
_FORBIDDEN = re.compile(r"GLOBAL (\S+) was not an allowed")
_NESTS = ("state_dict", "model", "teacher")  # under which published files keep their weights


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read named tensors: safetensors, or a file of torch that holds nothing but tensors."""
    data = durable.read_bytes(path)
    found: Any
    if path.suffix == ".safetensors":
        try:
            found = safetensors.torch.load(data)
        except Exception as error:
            raise UserError(f"{path}: not a safetensors file: {error}") from None
    else:
        found = _unpickled(data, path)
    return _tensors(found, path)


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Fill a module; a name or shape that does not fit is refused, so that nothing stays random in silence."""
    own = module.state_dict()
    shapes = [
        f"{name} ({_shape(tensors[name])} for {_shape(own[name])})"
        for name in own
        if name in tensors and tensors[name].shape != own[name].shape
    ]
    faults = {
        "missing": [name for name in own if name not in tensors],
        "unexpected": [name for name in tensors if name not in own],
        "of another shape": shapes,
    }
    told = [f"{len(names)} {what}: {_first(names)}" for what, names in faults.items() if names]
    if told:
        raise UserError(f"{where}: weights do not fit: {'; '.join(told)}")
    module.load_state_dict(dict(tensors))


def encode(tensors: Mapping[str, Tensor]) -> bytes:
    """Write named tensors as safetensors."""
    # Copies: safetensors takes neither other layouts than the plain one nor two names for one memory.
    plain = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    return bytes(safetensors.torch.save(plain))


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Where a training stood."""

    place: dict[str, Any]
    weights: dict[str, Tensor]
    state: dict[str, Any]


def put(folder: Path, name: str, tensors: Mapping[str, Tensor]) -> str:
    """Write weights that later checkpoints name, and give their hash."""
    data = encode(tensors)
    durable.write_bytes(folder / name, data)
    return durable.sha256(data)


def save(
    folder: Path,
    place: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    state: Mapping[str, Any],
    kept: Mapping[str, str],
) -> None:
    """Write a checkpoint, then remove what neither it nor `kept` (names and hashes of `put`) names."""
    # The number of the checkpoint keeps two of the same step apart: a file that a record names never changes.
    name = f"{place['steps']:09d}-{place['saves']:06d}"
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    parts = {f"{name}.safetensors": encode(weights), f"{name}.pt": buffer.getvalue()}
    for file, data in parts.items():
        durable.write_bytes(folder / file, data)
    files = {file: durable.sha256(data) for file, data in parts.items()}
    durable.write_json(folder / f"{name}.json", {"schema": SCHEMA, "files": {**files, **kept}, "place": dict(place)})
    for path in sorted(folder.iterdir()):
        if path.name not in (f"{name}.json", LOCK, *files, *kept):
            with contextlib.suppress(OSError):
                path.unlink()


def newest(folder: Path) -> Checkpoint | None:
    """Read the newest checkpoint, where there is one; one that is damaged is refused."""
    records = sorted(folder.glob("*.json"))
    if not records:
        return None
    record = durable.read_json(records[-1])
    if record.get("schema") != SCHEMA:
        raise UserError(f"{records[-1]}: schema is {record.get('schema')!r}, this version reads {SCHEMA!r}")
    if not isinstance(record.get("files"), dict) or not isinstance(record.get("place"), dict):
        raise UserError(f"{records[-1]}: names no files or no place; it was changed")
    weights, state = (records[-1].with_suffix(kind) for kind in (".safetensors", ".pt"))
    for path in (weights, state):
        _require_whole(path, record["files"].get(path.name))
    return Checkpoint(record["place"], read_weights(weights), _unpickled(durable.read_bytes(state), state))


def taken(folder: Path, name: str, sha256: str) -> dict[str, Tensor]:
    """Read weights that `put` wrote."""
    _require_whole(folder / name, sha256)
    return read_weights(folder / name)


def _require_whole(path: Path, sha256: str | None) -> None:
    if durable.sha256(durable.read_bytes(path)) != sha256:
        raise UserError(f"{path}: is damaged, or another's: its hash is not the recorded one; delete {path.parent}")


def _unpickled(data: bytes, path: Path) -> Any:  # noqa: ANN401
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        # Of torch's paragraphs only the name says something: the rest is advice to run the file's code.
        name = _FORBIDDEN.search(str(error))
        asks = f"; this one asks for {name[1]}" if name else ""
        raise UserError(
            f"{path}: refused: only safetensors, or a file of torch with nothing but tensors in it, is read{asks}"
        ) from None


def _tensors(found: object, path: Path) -> dict[str, Tensor]:
    while isinstance(found, Mapping) and (nest := next((name for name in _NESTS if _is_nest(found, name)), "")):
        found = found[nest]
    if not isinstance(found, Mapping):
        raise UserError(f"{path}: holds a {type(found).__name__}, not named tensors")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(f"{path}: {str(name)[:60]!r} is a {type(value).__name__}, not a tensor")
    if not found:
        raise UserError(f"{path}: holds no tensor")
    return {name: value.detach() for name, value in found.items()}


def _is_nest(found: Mapping[Any, Any], name: str) -> bool:
    return isinstance(found.get(name), Mapping)


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "1 number"


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
