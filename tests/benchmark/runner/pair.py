"""What two processes do together; torchrun starts this, and each leaves a file with what it found."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmark.runner import distributed
from benchmark.runner.distributed import Group
from benchmark.runner.interfaces import Batch, Moment, Stage
from benchmark.runner.loop import Stopped
from tests.benchmark.runner.toys import Batches, Pictures, Toy, fit, make, options, weights

EPOCHS = 8  # of three steps each


class Long(Toy):
    """A toy that learns longer, and keeps a buffer that every process fills in its own way."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("own", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def stages(self) -> Sequence[Stage]:
        return [Stage("all", EPOCHS, (self.adam(),), lambda at: 1 - at.step / 40, (self,))]

    def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        self.noted = self.get_buffer("own").clone()
        with torch.no_grad():
            self.get_buffer("own").add_(batch.images.double().mean())
            self.get_buffer("count").add_(int(batch.row[0]))
        return super().losses(batch, at)


class Asked(Long):
    """A toy of which one process is asked to stop."""

    def after_step(self, at: Moment) -> None:
        if at.step == 4 and os.environ.get("RANK") == "1":
            os.kill(os.getpid(), signal.SIGTERM)


def gradient(group: Group) -> dict[str, Tensor]:
    """Give the gradient of one batch, averaged, and its terms."""
    method = make(Long)
    steps = Batches(7).epoch(0, 0, "pk")
    batch = next(Pictures(group.rank, group.world).epoch(steps, 0, 0))
    terms = method.losses(batch, Moment("all", 0, 0, 1, 3))
    torch.autograd.backward(sum(terms.values(), torch.zeros(())))
    learning = [*method.parameters()]
    means = distributed.average(learning, torch.stack([one.detach() for one in terms.values()]))
    found = {name: one.grad for name, one in method.named_parameters() if one.grad is not None}
    return found | {"terms": means}


def trained(group: Group, folder: Path, limits: Sequence[int | None]) -> dict[str, Tensor]:
    """Train in one go or in several, and give the weights."""
    for limit in limits:
        method = make(Long)
        fit(method, folder, options(clip=2.0, ema=0.5), group, limit=limit)
    return weights(method)


def missing(group: Group) -> list[Tensor | None]:
    """Average where one process lacks a gradient, and where all do."""
    parameters = [torch.nn.Parameter(torch.zeros(2)) for _ in range(3)]
    parameters[0].grad = torch.full((2,), 1.0 + group.rank)
    if group.rank == 0:
        parameters[1].grad = torch.full((2,), 8.0)
    distributed.average(parameters, torch.zeros(1))
    return [one.grad for one in parameters]


def stopped(group: Group, folder: Path) -> tuple[int, Tensor]:
    """Say after how many steps a process stopped, and which buffer it had before the last."""
    method = make(Asked)
    try:
        fit(method, folder, group=group)
    except Stopped as error:
        return int(str(error).split()[2]), method.noted
    return -1, method.noted


def main(out: Path) -> None:
    """Do everything once."""
    torch.set_num_threads(1)
    group = distributed.start("cpu")
    rows = torch.arange(4).reshape(2, 2) + 10 * group.rank
    found: dict[str, Any] = {
        "group": [group.rank, group.world],
        "rows": distributed.everyone_plain(rows),
        "gradient": gradient(group),
        "straight": trained(group, out / "straight", [None]),
        "resumed": trained(group, out / "resumed", [5, 13, None]),
        "missing": missing(group),
        "largest": [group.largest(float(group.rank)), group.largest(0.0)],
        "said": group.said(5.0 + group.rank),
        "stopped": stopped(group, out / "stopped"),
    }
    torch.save(found, out / f"{group.rank}.pt")
    distributed.barrier(group)
    distributed.stop()
    threads = [task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")]
    (out / f"threads-{group.rank}.txt").write_text("\n".join(threads))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
