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
from benchmark.runner import checkpoint

SCHEMA = "backbone/1"
_ABOUT = "about"  # one key: safetensors writes several in any order, and equal weights must give equal bytes


@dataclass(frozen=True, eq=False)
class Found:
    """A file's tensors, and what a run record says of them."""

    path: Path
    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def find(pretrained: str, backbone: str, folder: Path) -> Path:
    """Say which file is meant: `street` is the one that `bench pretrain` made, all else a path."""
    if pretrained != "street":
        return Path(pretrained)
    path = street(backbone, folder)
    if not path.exists():
        raise UserError(
            f'pretrained = "street": there is no {path}; two commands make it: `luxreid synth street --preset pretrain '
            f"--out pretrain` and `luxreid bench pretrain --data pretrain/day.parquet --recipe street-pretrain "
            f"--set config.backbone={backbone}`"
        )
    return path


def street(backbone: str, folder: Path) -> Path:
    """Say where the weights that were made on the street lie."""
    return folder / f"{backbone}.safetensors"


def read(path: Path, backbone: str) -> Found:
    """Read a file; one that says it is another backbone's is refused."""
    # Hashed from the bytes that lie there, so that compared runs can be shown to have begun alike.
    digest = durable.sha256(durable.read_bytes(path))
    about = described(path)
    if about.get("backbone", backbone) != backbone:
        raise UserError(f"{path}: holds weights of {about['backbone']}, not of {backbone}")
    facts: dict[str, Any] = {"pretrain_id": about.get("recipe") or path.name, "pretrain_sha256": digest}
    if about.get("trained_on"):
        facts["pretrain_data"] = about["trained_on"].split("\n")
    return Found(path, checkpoint.read_weights(path), facts)


def described(path: Path) -> dict[str, str]:
    """Read what a file of ours says of itself; any other file says nothing."""
    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(_ABOUT, "{}"))
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path}: not a safetensors file: {error}") from None
    return {str(name): str(value) for name, value in about.items()} if isinstance(about, dict) else {}


def write(path: Path, backbone: nn.Module, trained_on: Sequence[str], recipe: str, **said: str) -> str:
    """Write a trained backbone with what it was trained on, and give the file's hash."""
    facts: Mapping[str, Any] = getattr(backbone, "facts", {})
    about = {"schema": SCHEMA, "backbone": str(facts.get("backbone", "")), "recipe": recipe}
    about |= {"trained_on": "\n".join(trained_on)} | said
    tensors = {name: value.detach().cpu().contiguous() for name, value in backbone.state_dict().items()}
    data = save(tensors, metadata={_ABOUT: durable.canonical(about)})
    durable.write_bytes(path, data)
    return durable.sha256(data)
