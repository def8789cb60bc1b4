"""One step of training: freezing, precision, gradients, optimisers, the running mean."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from benchmark import keyed
from benchmark.errors import UserError
from benchmark.runner import distributed, faster, memory, optimising, precision
from benchmark.runner.average import Average
from benchmark.runner.batches import Step
from benchmark.runner.distributed import Group
from benchmark.runner.faster import Faster
from benchmark.runner.interfaces import Batch, Method, Moment, Stage
from benchmark.runner.recipe import Loop


class Steps:
    """What a step computes: a function of (seed, stage, epoch, step, rank) and of the weights."""

    def __init__(self, method: Method, options: Loop, group: Group, seed: int) -> None:
        self.method, self.options, self.group, self.seed = method, options, group, seed
        # What the method froze itself, such as the bias of a neck, no stage sets free.
        self.free = {id(one) for one in method.parameters() if one.requires_grad}
        self.learning: list[Parameter] = []
        self.average = Average(method, options.ema) if options.ema else None

    def thaw(self, stage: Stage) -> None:
        """Let learn what a stage trains, and nothing else."""
        self.method.requires_grad_(False).eval()
        for module in stage.trainable:
            for parameter in module.parameters():
                parameter.requires_grad_(id(parameter) in self.free)
        self.learning = [one for one in self.method.parameters() if one.requires_grad]

    def train_mode(self, stage: Stage) -> None:
        """Set the modes that a stage wants."""
        self.method.eval()
        for module in stage.trainable if stage.in_train_mode is None else stage.in_train_mode:
            module.train()

    def placed(self, batch: Batch) -> Batch:
        """Lay pictures out as the network is."""
        if batch.images.ndim != 4 or not self.options.channels_last:
            return batch
        return replace(batch, images=batch.images.contiguous(memory_format=torch.channels_last))

    def take(self, stage: Stage, batch: Batch, at: Moment, number: int) -> tuple[tuple[str, ...], Tensor]:
        """Take a step of the stage of this number; give the loss's terms: names, and means over all processes."""
        self.sow(f"{number}/{at.epoch}/{at.place}/{self.group.rank}")
        terms = self._gradients(batch, at)
        values = torch.stack([term.detach().double() for term in terms.values()])
        means = distributed.average(self.learning, values)
        if self.options.clip:
            nn.utils.clip_grad_norm_([one for one in self.learning if one.grad is not None], self.options.clip)
        optimising.set_rates(stage, at)
        for optimiser in stage.optimisers:
            optimiser.step()
        self.method.after_step(at)
        distributed.same(self.method.buffers())
        if self.average is not None:
            self.average.update(self.method)
        return tuple(terms), means

    def speed_up(self, batch: Batch, at: Moment) -> Faster:
        """Compile or record the backbone, as the recipe says, by this batch."""

        def attempt() -> None:
            self._gradients(batch, at)

        def autocast() -> contextlib.AbstractContextManager[object]:
            return precision.autocast(self.options.precision, self.group.device, cached=False)

        return faster.prepare(self.method, self.options.compile, self.group.device, attempt, autocast)

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Compute in the recipe's precision."""
        return precision.autocast(self.options.precision, self.group.device)

    def sow(self, scope: str) -> None:
        """Seed torch's generators anew, so that none has a state that must be saved."""
        torch.manual_seed(int(keyed.bits(self.seed, keyed.key(scope), "torch")) >> 1)

    def tested(self) -> contextlib.AbstractContextManager[None]:
        """Show the weights that would be kept: the running mean, where there is one."""
        return contextlib.nullcontext() if self.average is None else self.average.shown(self.method)

    def broken(self) -> str:
        """Name the first weights that are not finite; empty: all are."""
        floats = {name: one for name, one in self.method.state_dict().items() if one.is_floating_point()}
        if not floats or torch.stack([one.isfinite().all() for one in floats.values()]).all():
            return ""
        return next(name for name, one in floats.items() if not one.isfinite().all())

    def _gradients(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        for parameter in self.learning:
            parameter.grad = None
        with self.autocast():
            terms = self.method.losses(batch, at)
        torch.autograd.backward(sum(terms.values(), torch.zeros((), device=self.group.device)))
        return terms


def where(at: Moment) -> str:
    """Say where a step stands, as people count."""
    return f"stage {at.stage}, epoch {at.epoch + 1} of {at.epochs}, step {at.place + 1} of {at.steps_per_epoch}"


@contextlib.contextmanager
def explained(at: Moment, step: Step, world: int) -> Iterator[None]:
    """Say in a line what a person can do where a step, or its batch, fails."""
    try:
        with memory.explained_memory(where(at), memory.smaller(step, world)):
            yield
    except RuntimeError as error:
        said = str(error)
        if "does not have a deterministic implementation" not in said:
            raise
        name = said.partition(" does not have")[0]
        raise UserError(f"{where(at)}: {name} gives other bits every time; set loop.deterministic=false") from None
