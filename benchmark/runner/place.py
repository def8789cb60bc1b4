"""Where a training stands: what a checkpoint holds beside weights and optimisers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from benchmark.errors import UserError

_OTHERWISE = "go on as it was begun, or delete it to start over"


@dataclass
class Place:
    """Counts, choices, and what was not written to the log yet."""

    seed: int
    world: int
    device: str  # its kind
    amp: str  # what is computed in
    torch: str  # its version
    stage: int = 0
    epoch: int = 0
    step: int = 0  # the next one, within the epoch
    taken: int = 0  # steps, within the stage
    steps: int = 0
    epochs: int = 0
    images: int = 0
    last: int = 0  # the epoch of the last step
    saves: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    log: int = 0  # bytes
    best: float | None = None
    chosen: str = "last"
    finished: bool = False
    window: list[dict[str, float]] = field(default_factory=list)  # terms of the steps since the log's last line
    kept: dict[str, dict[str, str]] = field(default_factory=dict)  # `start` of the stage, `best`: name and hash
    notes: list[str] = field(default_factory=list)

    @property
    def fresh(self) -> bool:
        """Say whether the stage has not begun."""
        return (self.epoch, self.step, self.taken) == (0, 0, 0)

    def count(self, images: int) -> None:
        """Count one step."""
        self.last = self.epoch
        self.step, self.taken, self.steps, self.images = (
            *(self.step + 1, self.taken + 1, self.steps + 1),
            self.images + images,
        )

    def next_epoch(self) -> None:
        """Count one epoch."""
        self.epoch, self.step, self.epochs = self.epoch + 1, 0, self.epochs + 1

    def next_stage(self) -> None:
        """Stand at the beginning of the next stage."""
        self.stage, self.epoch, self.step, self.taken = self.stage + 1, 0, 0, 0
        self.kept.pop("start", None)

    def record(self) -> dict[str, Any]:
        """Give it as plain data."""
        return asdict(self)


def read(record: Mapping[str, Any], start: Place, where: str) -> Place:
    """Read a place that the training which begins at `start` goes on from; that of another training is refused."""
    if set(record) != {one.name for one in fields(Place)}:
        raise UserError(f"{where}: its checkpoint was written by another version; delete it to start over")
    if record["seed"] != start.seed:
        raise UserError(f"{where}: its checkpoint is of seed {record['seed']}, this training has {start.seed}")
    if record["world"] != start.world:
        raise UserError(
            f"{where}: its checkpoint is of {record['world']} processes, go on with as many, not {start.world}"
        )
    begun = f"{where}: its checkpoint is of a training"
    if record["device"] != start.device:
        raise UserError(f"{begun} on {record['device']}, this one is on {start.device}; {_OTHERWISE}")
    if record["amp"] != start.amp:
        raise UserError(f"{begun} in {record['amp']}, this one computes in {start.amp}; {_OTHERWISE}")
    found = Place(**record)
    if found.torch != start.torch:
        found.notes.append(f"begun with torch {found.torch}, gone on with {start.torch} after step {found.steps}")
        found.torch = start.torch
    return found
