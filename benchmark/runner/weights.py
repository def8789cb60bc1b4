"""Weights that a backbone begins with: where they lie, whose they are, and files of one's own making."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from benchmark import durable
from benchmark.errors import UserError
from benchmark.runner import checkpoint, job

SCHEMA = "backbone/1"
TRAINED = "model.safetensors"  # a training's weights, beside its record
_ABOUT = "about"  # one key: safetensors writes several in any order, and equal weights must give equal bytes
_PART = "backbone."  # what a method's weights put before those of its backbone


@dataclass(frozen=True, eq=False)
class Found:
    """A file's tensors, and what a run record says of them."""

    path: Path
    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def find(pretrained: str, backbone: str, folder: Path) -> Path:
    """Say which file is meant: `street` is what `bench pretrain` made; else a path, of a file or of a training."""
    if pretrained == "street":
        return _made(backbone, folder)
    path = Path(pretrained)
    if not path.is_dir():
        return path
    if not (path / job.RECORD).exists():
        raise UserError(
            f"pretrained = {pretrained!r}: is a folder and no training; give a file, or a training's folder"
        )
    return path / TRAINED


def _made(backbone: str, folder: Path) -> Path:
    path = street(backbone, folder)
    if path.exists():
        return path
    recipe, own = ("street-pretrain", "tiny") if backbone == "tiny" else ("street-pretrain-resnet50", "resnet50")
    changed = "" if backbone == own else f" --set config.backbone={backbone}"
    raise UserError(
        f'pretrained = "street": there is no {path}; two commands make it: `luxreid synth street --preset pretrain '
        f"--out pretrain` and `luxreid bench pretrain --data pretrain/day.parquet --recipe {recipe}{changed}`"
    )


def street(backbone: str, folder: Path) -> Path:
    """Say where the weights that were made on the street lie."""
    return folder / f"{backbone}.safetensors"


def read(path: Path, backbone: str) -> Found:
    """Read a file; one that says it is another backbone's is refused."""
    # Hashed from the bytes that lie there, so that compared runs can be shown to have begun alike.
    digest = durable.sha256(durable.read_bytes(path))
    record = _training(path)
    found = _of_file(path) if record is None else _of_training(path, record, digest)
    theirs = found.facts.pop("backbone", backbone)
    if theirs != backbone:
        raise UserError(f"{path}: holds weights of {theirs}, not of {backbone}")
    return Found(path, found.tensors, found.facts | {"pretrain_sha256": digest})


def people(path: Path) -> set[str]:
    """List whom weights have seen, as `leaks.digest` names people; a file of somebody else lists nobody."""
    record = _training(path)
    listed = described(path).get("people", "").split() if record is None else record["people"]
    if not isinstance(listed, list):
        raise UserError(f"{path.with_name(job.RECORD)}: people is {type(listed).__name__}, must be a list")
    return set(map(str, listed))


def seen(run: Mapping[str, Any]) -> list[str]:
    """Name the sets that a training's weights have seen: its own, and what they began with."""
    begun = run.get("pretrain_data") or [run.get("pretrain_id")]
    return list(dict.fromkeys(str(name) for name in (*(one["name"] for one in run["train_sets"]), *begun) if name))


def described(path: Path) -> dict[str, str]:
    """Read what a file of ours says of itself; any other file says nothing."""
    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(_ABOUT, "{}"))
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or error}") from None
    except (SafetensorError, ValueError) as error:
        raise UserError(f"{path}: not a safetensors file: {error}") from None
    return {str(name): str(value) for name, value in about.items()} if isinstance(about, dict) else {}


def encoded(backbone: nn.Module, trained_on: Sequence[str], recipe: str, **said: str) -> bytes:
    """Give a trained backbone as a file, with what it was trained on."""
    facts: Mapping[str, Any] = getattr(backbone, "facts", {})
    about = {"schema": SCHEMA, "backbone": str(facts.get("backbone", "")), "recipe": recipe}
    about |= {"trained_on": "\n".join(trained_on)} | said
    tensors = {name: value.detach().cpu().contiguous() for name, value in backbone.state_dict().items()}
    return bytes(save(tensors, metadata={_ABOUT: durable.canonical(about)}))


def write(path: Path, backbone: nn.Module, trained_on: Sequence[str], recipe: str, **said: str) -> str:
    """Write a trained backbone with what it was trained on, and give the file's hash."""
    data = encoded(backbone, trained_on, recipe, **said)
    durable.write_bytes(path, data)
    return durable.sha256(data)


def _of_file(path: Path) -> Found:
    about = described(path)
    facts: dict[str, Any] = {"pretrain_id": about.get("recipe") or path.name}
    if "backbone" in about:
        facts["backbone"] = about["backbone"]
    if about.get("trained_on"):
        facts["pretrain_data"] = about["trained_on"].split("\n")
    return Found(path, checkpoint.read_weights(path), facts)


def _of_training(path: Path, record: Mapping[str, Any], digest: str) -> Found:
    """Take the backbone out of a training's weights."""
    if record["ckpt_sha256"] != digest:
        raise UserError(f"{path}: is not the file that {path.with_name(job.RECORD)} was written for")
    run, every = record["run"], checkpoint.read_weights(path)
    tensors = {name.removeprefix(_PART): value for name, value in every.items() if name.startswith(_PART)}
    if not tensors:
        raise UserError(f"{path}: {run['method']} names no backbone, so there is none to begin with")
    facts = {"pretrain_id": f"{run['method']}-{run['config_id'][:12]}", "pretrain_data": seen(run)}
    return Found(path, tensors, facts | ({"backbone": run["backbone"]} if "backbone" in run else {}))


def _training(path: Path) -> dict[str, Any] | None:
    """Read the record of the training whose weights a file is; None where it is no training's."""
    beside = path.with_name(job.RECORD)
    record = durable.read_json(beside) if path.name == TRAINED and beside.exists() else {}
    if record.get("schema") != job.SCHEMA:
        return None
    if record.get("state") != "trained":
        raise UserError(f"{beside}: is no finished training ({job.SCHEMA}); state is {record.get('state')!r}")
    job.require_shape(record, ("people", "run", "ckpt_sha256"), str(beside))
    job.require_shape(record["run"], ("method", "config_id", "train_sets"), f"{beside}: run")
    return record
