"""Saving a training, and taking it up again where it stood."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch.optim import Optimizer

from benchmark.errors import UserError
from benchmark.runner import checkpoint, distributed, optimising, place
from benchmark.runner.average import Average, fill
from benchmark.runner.distributed import Group
from benchmark.runner.interfaces import Method
from benchmark.runner.place import Place

FOLDER = "checkpoint"  # in the training's own


@dataclass(eq=False)
class Saving:
    """The checkpoints of one training; the first process writes, all read."""

    folder: Path
    group: Group
    method: Method
    optimisers: Sequence[Optimizer]
    average: Average | None
    standing: int | None = None  # steps of the newest checkpoint; None: there is none
    saved: float = field(default_factory=time.monotonic)

    def resume(self, start: Place) -> Place:
        """Take up the newest checkpoint and give its place; where there is none, the start."""
        found, where = checkpoint.newest(self.folder), str(self.folder)
        if found is not None:
            start = place.read(found.place, start, where)
            self.standing = start.steps
            checkpoint.load_into(self.method, found.weights, where)
            try:
                for optimiser, state in zip(self.optimisers, found.state["optimisers"], strict=True):
                    optimising.load(optimiser, state)
                if self.average is not None:
                    self.average.take(found.state["average"])
            except (KeyError, ValueError) as error:
                raise UserError(f"{where}: its optimisers are not those of this training: {error}") from None
        distributed.same_network(self.method)  # also: none may remove what another still reads
        return start

    def save(self, where: Place) -> None:
        """Write a checkpoint."""
        where.saves += 1
        if self.group.first:
            kept = {one["name"]: one["sha256"] for one in where.kept.values()}
            mean = {} if self.average is None else self.average.values
            state = {"optimisers": [optimising.state(one) for one in self.optimisers], "average": mean}
            checkpoint.save(self.folder, where.record(), self.method.state_dict(), state, kept)
        self.saved, self.standing = time.monotonic(), where.steps

    def keep(self, what: str, where: Place) -> None:
        """Put the weights as they are aside, for as long as the place names them."""
        if self.group.first:
            name = f"{what}-{where.steps:09d}-{where.saves:06d}.safetensors"
            sha256 = checkpoint.put(self.folder, name, self.method.state_dict())
            where.kept[what] = {"name": name, "sha256": sha256}

    def take(self, kept: Mapping[str, str]) -> None:
        """Fill the network with weights that were put aside."""
        fill(self.method, checkpoint.taken(self.folder, **kept))

    def overdue(self, seconds: float) -> bool:
        """Say whether the newest checkpoint is older than that."""
        return time.monotonic() - self.saved > seconds

    def stands(self) -> str:
        """Say what is left where a training breaks."""
        if self.standing is None:
            return "no checkpoint was written yet"
        return f"the last good checkpoint, of {self.standing} steps, stands"
