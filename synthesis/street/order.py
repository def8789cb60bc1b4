"""What world is to be written."""

from dataclasses import dataclass
from typing import Any

from synthesis.claims import Kind, version
from synthesis.street.config import World, name

SCHEMA = "street-world/1"
RECORD = "world.json"  # of a world that is there as a whole
_PLANNED = ("preset", "seed", "version", "pictures", "truth", "limit", "config")  # what makes two worlds the same
KIND = Kind("world", SCHEMA, RECORD, _PLANNED)


@dataclass(frozen=True)
class Order:
    """What is to be written."""

    world: World
    seed: int = 0
    preset: str = ""
    pictures: bool = True  # else only the tables
    truth: bool = False  # all maps of every picture, too
    limit: int | None = None  # of shots, for a look

    def plan(self) -> dict[str, Any]:
        """Put down all that shapes the files."""
        said: dict[str, Any] = {"schema": SCHEMA, "name": name(self.world, self.seed)}
        said |= {"preset": self.preset, "seed": self.seed}
        said |= {"version": version(), "pictures": self.pictures, "truth": self.truth, "limit": self.limit}
        return said | {"config": self.world.model_dump(mode="json")}
