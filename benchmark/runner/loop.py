"""The loop that trains every method: stages, epochs, validation, checkpoints and the log.

What a step computes is a function of (seed, stage, epoch, step, rank) and of the weights, so that a training that was
killed goes on from its last checkpoint and ends with the same bits.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from benchmark import progress
from benchmark.errors import UserError
from benchmark.runner import distributed, hardware, log, optimising, precision, steps, stopping
from benchmark.runner.average import fill
from benchmark.runner.batches import Plan
from benchmark.runner.distributed import Group
from benchmark.runner.faster import Faster
from benchmark.runner.interfaces import Batch, Method, Moment, Stage
from benchmark.runner.loader import Loader
from benchmark.runner.memory import explained_memory
from benchmark.runner.place import Place
from benchmark.runner.recipe import Loop
from benchmark.runner.saving import FOLDER, Saving
from benchmark.runner.steps import Steps
from benchmark.runner.terms import Terms

_PULSE = 10  # steps after which several processes agree on whether to save or to stop

Validate = Callable[[Method], float]


class Stopped(KeyboardInterrupt):
    """A training that was asked to stop, and has left a checkpoint."""


@dataclass(frozen=True)
class Outcome:
    """What a training took."""

    epochs: int
    steps: int
    images: int
    seconds: float
    waited: float  # of these, for pictures
    images_per_s: float  # median, after warm-up
    peak_mb: int | None  # of a GPU
    chosen: str  # last, or the epoch that was best on the validation split
    stopped: bool  # at the limit
    notes: tuple[str, ...] = ()  # what was asked for and not done, and what changed on the way


def fit(
    method: Method,
    plan: Plan,
    loader: Loader,
    options: Loop,
    seed: int,
    folder: Path,
    group: Group,
    validate: Validate | None = None,
    limit: int | None = None,
) -> Outcome:
    """Train all stages, or go on where a checkpoint in the folder stands; the method ends with the chosen weights.

    All that a method changes while it trains must be in its state dict. `validate` is asked every `validate_every`
    epochs where it is given. `limit` stops after so many steps in all.
    """
    if options.validated and validate is None:
        key = 'loop.select = "val"' if options.select == "val" else "loop.validation = true"
        raise UserError(f'{key} needs a validation split, and there is none; set select to "last", validation to false')
    alone = stopping.alone(folder / FOLDER, group)
    with precision.rules(options, group.device), alone, stopping.asked() as asked, explained_memory("training"):
        _place_network(method, options, group)
        training = _Training(
            method=method,
            plan=plan,
            loader=loader,
            options=options,
            seed=seed,
            folder=folder,
            group=group,
            validate=validate,
            limit=limit,
            asked=asked,
        )
        with contextlib.closing(training.log):
            return training.run()


class _Training:
    def __init__(
        self,
        *,
        method: Method,
        plan: Plan,
        loader: Loader,
        options: Loop,
        seed: int,
        folder: Path,
        group: Group,
        validate: Validate | None,
        limit: int | None,
        asked: threading.Event,
    ) -> None:
        self.method, self.plan, self.loader, self.options = method, plan, loader, options
        self.folder, self.group, self.validate, self.limit, self.asked = folder, group, validate, limit, asked
        self.steps = Steps(method, options, group, seed)
        self.stages = list(method.stages())
        self.saving = Saving(folder / FOLDER, group, method, optimising.distinct(self.stages), self.steps.average)
        amp = precision.name(options.precision, group.device)
        start = Place(seed, group.world, device=group.device.type, amp=amp, torch=str(torch.__version__))
        self.place = self.saving.resume(start)
        self.log = log.Log(folder / log.NAME, self.place.log) if group.first else log.Silence()
        self.terms = Terms(self.place.window, loader)
        # Times go on from those of the checkpoint.
        self.begun = time.monotonic() - self.place.seconds
        self.waited_before = self.place.waited - loader.waited
        self.faster: Faster | None = None
        self.where = "before the first step"

    def run(self) -> Outcome:
        if self.group.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.group.device)
        while self.place.stage < len(self.stages) and not self._limited():
            self._stage(self.stages[self.place.stage])
        if self._limited():
            # The line comes after the checkpoint, so that a longer training goes on without it.
            self._save()
            self._write_line()
        return self._outcome()

    def _stage(self, stage: Stage) -> None:
        with explained_memory(f"stage {stage.name}, before its first step"):
            self._enter(stage)
        try:
            for _ in progress.track(range(self.place.epoch, stage.epochs), f"training: {stage.name}"):
                self._epoch(stage)
                if self._limited():
                    return
        finally:
            if self.faster is not None:
                self.faster.undo()
                self.faster = None
        self._write_line()
        self.place.next_stage()
        self.place.finished = self.place.stage == len(self.stages)
        self._save()

    def _enter(self, stage: Stage) -> None:
        """Freeze, thaw and set modes as a stage says, and let the method prepare it."""
        self.steps.thaw(stage)
        if type(self.method).before_stage is not Method.before_stage:
            self._prepare(stage)
        if self.place.fresh and self.steps.average is not None:
            self.steps.average.restart(self.method)
        for optimiser in stage.optimisers:
            optimising.fuse(optimiser)
        self.steps.train_mode(stage)
        self.terms.restart()

    def _prepare(self, stage: Stage) -> None:
        """Call `before_stage` at the weights at which the stage began, also where it is gone on with in its midst."""
        now = None
        if self.place.fresh:
            self.saving.keep("start", self.place)
        else:
            now = {name: tensor.clone() for name, tensor in self.method.state_dict().items()}
            self.saving.take(self.place.kept["start"])
            distributed.barrier(self.group)  # none may remove what another still reads
        self.steps.sow(f"{self.place.stage}/before")
        with self.steps.autocast():
            self.method.before_stage(stage, self.loader)
        if now is not None:
            fill(self.method, now)
        distributed.same_network(self.method)

    def _epoch(self, stage: Stage) -> None:
        place, sampling = self.place, stage.sampling or self.method.needs.sampling
        drawn = self.plan.epoch(place.stage, place.epoch, sampling)
        if not drawn:
            now = f"stage {stage.name}, epoch {place.epoch + 1} of {stage.epochs}"
            raise UserError(f"{now}: no batch; the data has less than one")
        batches = self.loader.epoch(drawn, place.stage, place.epoch, place.step, images=stage.images)
        for step in drawn[place.step :]:
            at = Moment(stage.name, place.epoch, place.taken, stage.epochs, len(drawn), place.step)
            with steps.explained(at, step, self.group.world):
                self._step(stage, next(batches), at, len(step.rows))
            self._after(len(step.rows))
            if self._limited():
                return
        self._end_epoch(stage)

    def _step(self, stage: Stage, batch: Batch, at: Moment, images: int) -> None:
        batch = self.steps.placed(batch)
        if self.faster is None:
            self.faster = self.steps.speed_up(batch, at)
            self.place.notes += [note for note in self.faster.notes if note not in self.place.notes]
            self.terms.restart()
        names, values = self.steps.take(stage, batch, at, self.place.stage)
        self.where = steps.where(at)
        self.terms.add(self.where, names, values, images)

    def _after(self, images: int) -> None:
        """Count a step; write, save and stop where it is time."""
        self.place.count(images)
        if self.place.steps % self.options.log_every == 0:
            self._write_line()
        if self.group.world > 1 and self.place.steps % _PULSE:
            return
        due = self.group.first and self.saving.overdue(self.options.save_every)
        wish = self.group.largest(2.0 if self.asked.is_set() else float(due))
        if wish:
            self._save()
        if wish == 2:
            raise Stopped(f"stopped after {self.place.steps} steps; the same command goes on from there")

    def _end_epoch(self, stage: Stage) -> None:
        self.place.next_epoch()
        last = self.place.epoch == stage.epochs and self.place.stage == len(self.stages) - 1
        if self.validate is not None and (last or self.place.epochs % self.options.validate_every == 0):
            self._write_line()
            self._require_finite()
            with explained_memory(f"stage {stage.name}, the validation after epoch {self.place.epoch}"):
                self._look(self.validate, stage)

    def _look(self, validate: Validate, stage: Stage) -> None:
        """Look at the validation split, and keep the weights where they are to be chosen and the best so far."""
        with self.steps.tested(), precision.tested(self.group.device):
            self.method.eval()
            value = self.group.said(validate(self.method) if self.group.first else 0.0)
            self._choose(value)
        self.log.add(self._at(stage) | {"val_mAP": value})
        self.steps.train_mode(stage)
        self._save()
        self.terms.restart()

    def _choose(self, value: float) -> None:
        if self.options.select == "val" and (self.place.best is None or value > self.place.best):
            whole = sum(stage.epochs for stage in self.stages)
            self.place.best = value
            self.place.chosen = f"epoch {self.place.epochs} of {whole}, best on the validation split"
            self.saving.keep("best", self.place)

    def _write_line(self) -> None:
        self.terms.fetch(self.saving.stands())
        line = self.terms.line()
        if line:
            stage = self.stages[self.place.stage]
            self.log.add(self._at(stage) | line | {"rates": optimising.rates(stage)})

    def _at(self, stage: Stage) -> dict[str, str | int]:
        """Say to programs where the last step stood: they count from 0."""
        return {"stage": stage.name, "epoch": self.place.last, "step": self.place.taken - 1}

    def _require_finite(self) -> None:
        """Refuse to keep broken weights: a gradient may be infinite where the loss is not."""
        self.terms.fetch(self.saving.stands())
        if name := self.steps.broken():
            stands = self.saving.stands()
            raise UserError(f"{self.where}: the weights {name!r} are not finite, though the loss is; {stands}")

    def _save(self) -> None:
        """Write a checkpoint; only what is finite is kept."""
        self._require_finite()
        self.place.seconds = time.monotonic() - self.begun
        self.place.waited = self.waited_before + self.loader.waited
        self.place.log = self.log.sync()
        self.saving.save(self.place)

    def _outcome(self) -> Outcome:
        place, ended = self.place, not self._limited()
        if ended and "best" in place.kept:
            self.saving.take(place.kept["best"])
        elif self.steps.average is not None:
            fill(self.method, self.steps.average.values)
        distributed.same_network(self.method)
        self.method.eval()
        return Outcome(
            epochs=place.epochs,
            steps=place.steps,
            images=place.images,
            seconds=place.seconds,
            waited=place.waited,
            images_per_s=log.speed(log.read(self.folder / log.NAME)) if self.group.first else 0.0,
            peak_mb=hardware.peak_mb(self.group.device),
            chosen=place.chosen if ended else "last",
            stopped=not ended,
            notes=tuple(place.notes),
        )

    def _limited(self) -> bool:
        return self.limit is not None and self.place.steps >= self.limit and not self.place.finished


def _place_network(method: Method, options: Loop, group: Group) -> None:
    """Bring the network to the device before optimisers are made of its parameters."""
    if options.sync_batchnorm and group.world > 1:
        if group.device.type != "cuda":
            raise UserError("loop.sync_batchnorm = true works on GPUs only; set it to false")
        nn.SyncBatchNorm.convert_sync_batchnorm(method)  # type: ignore[no-untyped-call, unused-ignore]
    method.to(group.device)
    if options.channels_last:
        method.to(memory_format=torch.channels_last)
