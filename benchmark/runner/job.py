"""One training that is asked for: recipe, method, seed, data and place, as plain data that travels to a worker."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmark import config
from benchmark.config import Strict
from benchmark.errors import UserError
from benchmark.runner.recipe import Recipe
from benchmark.settings import Settings

RECORD, SCHEMA = "training.json", "training/1"  # the file that says that a folder holds a training, and whose


@dataclass(frozen=True)
class Job:
    """What to train, and where it goes."""

    recipe: Recipe
    name: str  # of the recipe
    module: str  # of the method: a dotted path
    seed: int
    device: str
    settings: Settings
    out: Path
    limit: int | None = None  # steps: a preview
    again: bool = False
    trial: int = 0
    workers: int = 1  # processes that decode pictures
    ledger: Path | None = None  # the folder whose ledger counts looks at the test; default: the one that holds `out`

    def method(self) -> ModuleType:
        """Import the method's module."""
        return import_module(self.module)

    def config(self) -> Strict:
        """Check the method's own keys."""
        model: type[Strict] = self.method().Config
        return config.check(model, self.recipe.config, f"recipe {self.name}: config")

    def resolved(self) -> dict[str, Any]:
        """Give everything that shapes the result but the seed and the data: what `config_id` hashes."""
        recipe = self.recipe.model_dump(mode="json", exclude={"title", "config"})
        # How often something is said or saved shapes nothing, and neither does a look that chooses nothing.
        idle = ["log_every", "save_every", "validation"]
        for name in idle if self.recipe.loop.select == "val" else [*idle, "validate_every"]:
            del recipe["loop"][name]
        limit = {} if self.limit is None else {"limit": self.limit}
        return {"method": self.config().model_dump(mode="json"), "recipe": recipe} | limit


def require_test(job: Job) -> None:
    """Refuse to test where the recipe says of no set how."""
    if not (job.recipe.test and job.recipe.protocol):
        raise UserError(f"recipe {job.name}: names no test set and protocol, so it can be trained and not tested")


def require_shape(found: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
    """Refuse a record that somebody else wrote or cut."""
    for name in names:
        if name not in found:
            raise UserError(f"{where}: {name!r} is missing")
