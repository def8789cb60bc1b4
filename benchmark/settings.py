"""`luxreid.toml`: what a person's recipes call a data set, and where weights and decoded pictures are kept."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from benchmark import config
from benchmark.config import Strict
from benchmark.errors import UserError, nearest

NAME = "luxreid.toml"


class Settings(Strict):
    """One file, in the folder one works in; paths in it are relative to it."""

    data: dict[str, Path] = Field(default_factory=dict)
    """What recipes call a set, and the manifest that it means."""
    weights: Path = Path("weights")
    """Where `bench pretrain` puts what `pretrained = "street"` means."""
    cache: Path = Path("cache")
    """Where pictures are kept decoded and resized."""

    def manifest(self, name: str) -> Path:
        """Give the manifest of a name."""
        if name not in self.data:
            hint = f"; {nearest(name, sorted(self.data))}" if self.data else ""
            raise UserError(f"no manifest is bound to {name!r}: give --data {name}=FILE, or [data] in {NAME}{hint}")
        return self.data[name]


def load(bindings: Sequence[str] = (), folder: Path = Path()) -> Settings:
    """Read the file, where there is one, and bind what the command line names; `name=FILE`."""
    path = folder / NAME
    found = config.load(Settings, path) if path.exists() else Settings()
    data = {name: folder / file for name, file in found.data.items()} | dict(_binding(text) for text in bindings)
    return found.model_copy(update={"data": data, "weights": folder / found.weights, "cache": folder / found.cache})


def _binding(text: str) -> tuple[str, Path]:
    name, equals, file = text.partition("=")
    if not (equals and name.strip() and file.strip()):
        raise UserError(f"--data {text}: write it as name=MANIFEST")
    return name.strip(), Path(file.strip())
