"""The loop that trains every method: stages, optimisers, precision, averages, checkpoints and the log.

What a step computes is a function of (seed, stage, epoch, step, rank) and of the weights, so that a training that was
killed goes on from its last checkpoint and ends with the same bits.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from benchmark import durable, keyed, progress
from benchmark.errors import UserError
from benchmark.runner import checkpoint, distributed, faster, hardware, log, optimising, place, precision
from benchmark.runner.average import Average, fill
from benchmark.runner.batches import Plan, Step
from benchmark.runner.distributed import Group
from benchmark.runner.interfaces import Batch, Method, Moment, Stage
from benchmark.runner.loader import Loader
from benchmark.runner.place import Place
from benchmark.runner.recipe import Loop
from benchmark.runner.terms import Terms

FOLDER = "checkpoint"
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
    notes: tuple[str, ...] = ()  # what was asked for and not done


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

    All that a method changes while it trains must be in its state dict. `limit` stops after so many steps in all.
    """
    if options.select == "val" and validate is None:
        raise UserError('loop.select = "val" needs a validation split, and there is none; set it to "last"')
    with precision.rules(options, group.device), _alone(folder, group), _asked_to_stop() as asked:
        _place_network(method, options, group)
        training = _Training(method, plan, loader, options, Place(seed, group.world), folder, group)
        training.validate, training.limit, training.asked = validate, limit, asked
        with contextlib.closing(training.log):
            return training.run()


class _Training:
    def __init__(
        self, method: Method, plan: Plan, loader: Loader, options: Loop, start: Place, folder: Path, group: Group
    ) -> None:
        self.method, self.plan, self.loader, self.options = method, plan, loader, options
        self.folder, self.group, self.place = folder, group, start
        self.validate: Validate | None = None
        self.limit: int | None = None
        self.asked = threading.Event()
        # What the method froze itself, such as the bias of a neck, no stage sets free.
        self.free = {id(one) for one in method.parameters() if one.requires_grad}
        self.learning: list[Parameter] = []
        self.stages = list(method.stages())
        self.optimisers = optimising.distinct(self.stages)
        self.average = Average(method, options.ema) if options.ema else None
        self._resume()
        self.log = log.Log(folder / log.NAME, self.place.log) if group.first else log.Silence()
        self.terms = Terms(self.place.window, loader)
        self.begun = self.place.seconds, self.place.waited, time.monotonic(), loader.waited
        self.saved, self.standing = time.monotonic(), self.place.steps
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
        self._enter(stage)
        speed: list[faster.Faster] = []
        try:
            for _ in progress.track(range(self.place.epoch, stage.epochs), f"training: {stage.name}"):
                self._epoch(stage, speed)
                if self._limited():
                    return
        finally:
            for one in speed:
                one.undo()
        self._write_line()
        self.place.next_stage()
        self.place.finished = self.place.stage == len(self.stages)
        self._save()

    def _epoch(self, stage: Stage, speed: list[faster.Faster]) -> None:
        where, sampling = self.place, stage.sampling or self.method.needs.sampling
        steps = self.plan.epoch(where.stage, where.epoch, sampling)
        if not steps:
            raise UserError(f"stage {stage.name}, epoch {where.epoch}: no batch; the data has less than one")
        for batch in self.loader.epoch(steps, where.stage, where.epoch, where.step, images=stage.images):
            at = Moment(stage.name, where.epoch, where.taken, stage.epochs, len(steps), where.step)
            placed = self._placed(batch)
            if not speed:
                speed.append(self._speed_up(placed, at))
            step = steps[where.step]
            with _explained(_where(at), step, self.group.world):
                self._step(stage, placed, at, len(step.rows))
            self._after(len(step.rows))
            if self._limited():
                return
        self._end_epoch(stage)

    def _enter(self, stage: Stage) -> None:
        """Freeze, thaw and set modes as a stage says, and let the method prepare it."""
        self.method.requires_grad_(False).eval()
        for module in stage.trainable:
            for parameter in module.parameters():
                parameter.requires_grad_(id(parameter) in self.free)
        self.learning = [one for one in self.method.parameters() if one.requires_grad]
        if type(self.method).before_stage is not Method.before_stage:
            self._prepare(stage)
        if self.place.fresh and self.average is not None:
            self.average.restart(self.method)
        for optimiser in stage.optimisers:
            optimising.fuse(optimiser)
        self._train_mode(stage)
        self.terms.restart()

    def _prepare(self, stage: Stage) -> None:
        """Call `before_stage` at the weights at which the stage began, also where it is gone on with in its midst."""
        now = None
        if self.place.fresh:
            if self.group.first:
                self.place.kept["start"] = self._put("start")
        else:
            now = {name: tensor.clone() for name, tensor in self.method.state_dict().items()}
            fill(self.method, checkpoint.taken(self.folder / FOLDER, **self.place.kept["start"]))
            distributed.barrier(self.group)  # none may remove what another still reads
        self._sow(f"{self.place.stage}/before")
        with self._autocast():
            self.method.before_stage(stage, self.loader)
        if now is not None:
            fill(self.method, now)
        distributed.same_network(self.method)

    def _train_mode(self, stage: Stage) -> None:
        self.method.eval()
        for module in stage.trainable if stage.in_train_mode is None else stage.in_train_mode:
            module.train()

    def _placed(self, batch: Batch) -> Batch:
        """Lay pictures out as the network is."""
        if batch.images.ndim != 4 or not self.options.channels_last:
            return batch
        return replace(batch, images=batch.images.contiguous(memory_format=torch.channels_last))

    def _step(self, stage: Stage, batch: Batch, at: Moment, images: int) -> None:
        self._sow(f"{self.place.stage}/{at.epoch}/{self.place.step}/{self.group.rank}")
        terms = self._gradients(batch, at)
        values = torch.stack([term.detach().double() for term in terms.values()])
        self.where = _where(at)
        self.terms.add(self.where, tuple(terms), distributed.average(self.learning, values), images)
        if self.options.clip:
            nn.utils.clip_grad_norm_([one for one in self.learning if one.grad is not None], self.options.clip)
        optimising.set_rates(stage, at)
        for optimiser in stage.optimisers:
            optimiser.step()
        self.method.after_step(at)
        distributed.same(self.method.buffers())
        if self.average is not None:
            self.average.update(self.method)

    def _gradients(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        for parameter in self.learning:
            parameter.grad = None
        with self._autocast():
            terms = self.method.losses(batch, at)
        torch.autograd.backward(sum(terms.values(), torch.zeros((), device=self.group.device)))
        return terms

    def _after(self, images: int) -> None:
        """Count a step; write, save and stop where it is time."""
        self.place.count(images)
        if self.place.steps % self.options.log_every == 0:
            self._write_line()
        if self.group.world > 1 and self.place.steps % _PULSE:
            return
        due = self.group.first and time.monotonic() - self.saved > self.options.save_every
        wish = self.group.largest(2.0 if self.asked.is_set() else float(due))
        if wish:
            self._save()
        if wish == 2:
            raise Stopped(f"stopped after {self.place.steps} steps; the same command goes on from there")

    def _end_epoch(self, stage: Stage) -> None:
        self.place.next_epoch()
        last = self.place.epoch == stage.epochs and self.place.stage == len(self.stages) - 1
        if self.validate is not None and (last or self.place.epochs % self.options.validate_every == 0):
            self._validate(self.validate, stage)

    def _validate(self, validate: Validate, stage: Stage) -> None:
        """Look at the validation split, and keep the weights where they are the best so far."""
        self._write_line()
        self._require_finite()
        shown = contextlib.nullcontext() if self.average is None else self.average.shown(self.method)
        with shown, precision.tested(self.group.device):
            self.method.eval()
            value = self.group.said(validate(self.method) if self.group.first else 0.0)
            self._choose(value)
        self.log.add({"stage": stage.name, "epoch": self.place.last, "step": self.place.taken - 1, "val_mAP": value})
        self._train_mode(stage)
        self._save()
        self.terms.restart()

    def _choose(self, value: float) -> None:
        if self.options.select == "val" and (self.place.best is None or value > self.place.best):
            self.place.best = value
            self.place.chosen = f"epoch {self.place.epochs}, best on the validation split"
            if self.group.first:
                self.place.kept["best"] = self._put("best")

    def _write_line(self) -> None:
        self._fetch()
        line = self.terms.line()
        if line:
            stage = self.stages[self.place.stage]
            at = {"stage": stage.name, "epoch": self.place.last, "step": self.place.taken - 1}
            self.log.add(at | line | {"rates": optimising.rates(stage)})

    def _fetch(self) -> None:
        self.terms.fetch(self._stands())

    def _stands(self) -> str:
        return f"the last good checkpoint, of {self.standing} steps, stands"

    def _require_finite(self) -> None:
        """Refuse to keep broken weights: a gradient may be infinite where the loss is not."""
        self._fetch()
        floats = {name: one for name, one in self.method.state_dict().items() if one.is_floating_point()}
        if floats and not torch.stack([one.isfinite().all() for one in floats.values()]).all():
            name = next(name for name, one in floats.items() if not one.isfinite().all())
            raise UserError(f"{self.where}: the weights {name!r} are not finite, though the loss is; {self._stands()}")

    def _save(self) -> None:
        """Write a checkpoint; only what is finite is kept."""
        self._require_finite()
        where, (seconds, waited, begin, before) = self.place, self.begun
        where.seconds, where.waited = seconds + time.monotonic() - begin, waited + self.loader.waited - before
        where.log, where.saves = self.log.sync(), where.saves + 1
        if self.group.first:
            kept = {one["name"]: one["sha256"] for one in where.kept.values()}
            weights = self.method.state_dict()
            checkpoint.save(self.folder / FOLDER, where.record(), weights, self._state(), kept)
        self.saved, self.standing = time.monotonic(), where.steps

    def _state(self) -> dict[str, Any]:
        mean = {} if self.average is None else self.average.values
        return {"optimisers": [optimising.state(one) for one in self.optimisers], "average": mean}

    def _resume(self) -> None:
        """Take up the newest checkpoint, where there is one."""
        found, where = checkpoint.newest(self.folder / FOLDER), str(self.folder / FOLDER)
        if found is not None:
            self.place = place.read(found.place, self.place.seed, self.place.world, where)
            checkpoint.load_into(self.method, found.weights, where)
            try:
                for optimiser, state in zip(self.optimisers, found.state["optimisers"], strict=True):
                    optimising.load(optimiser, state)
                if self.average is not None:
                    self.average.take(found.state["average"])
            except (KeyError, ValueError) as error:
                raise UserError(f"{where}: its optimisers are not those of this training: {error}") from None
        distributed.same_network(self.method)  # also: none may remove what another still reads

    def _put(self, what: str) -> dict[str, str]:
        name = f"{what}-{self.place.steps:09d}-{self.place.saves:06d}.safetensors"
        return {"name": name, "sha256": checkpoint.put(self.folder / FOLDER, name, self.method.state_dict())}

    def _outcome(self) -> Outcome:
        where, ended = self.place, not self._limited()
        if ended and "best" in where.kept:
            fill(self.method, checkpoint.taken(self.folder / FOLDER, **where.kept["best"]))
        elif self.average is not None:
            fill(self.method, self.average.values)
        distributed.same_network(self.method)
        self.method.eval()
        speed = log.speed(log.read(self.folder / log.NAME)) if self.group.first else 0.0
        return Outcome(
            *(where.epochs, where.steps, where.images, where.seconds, where.waited, speed),
            *(hardware.peak_mb(self.group.device), where.chosen if ended else "last", not ended, tuple(where.notes)),
        )

    def _speed_up(self, batch: Batch, at: Moment) -> faster.Faster:
        def attempt() -> None:
            self._gradients(batch, at)

        def autocast() -> contextlib.AbstractContextManager[object]:
            return precision.autocast(self.options.precision, self.group.device, cached=False)

        done = faster.prepare(self.method, self.options.compile, self.group.device, attempt, autocast)
        self.place.notes += [note for note in done.notes if note not in self.place.notes]
        self.terms.restart()
        return done

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        return precision.autocast(self.options.precision, self.group.device)

    def _sow(self, scope: str) -> None:
        torch.manual_seed(int(keyed.bits(self.place.seed, keyed.key(scope), "torch")) >> 1)

    def _limited(self) -> bool:
        return self.limit is not None and self.place.steps >= self.limit and not self.place.finished


def _where(at: Moment) -> str:
    return f"stage {at.stage}, epoch {at.epoch}, step {at.step}"


def _place_network(method: Method, options: Loop, group: Group) -> None:
    """Bring the network to the device before optimisers are made of its parameters."""
    if options.sync_batchnorm and group.world > 1:
        if group.device.type != "cuda":
            raise UserError("loop.sync_batchnorm = true works on GPUs only; set it to false")
        nn.SyncBatchNorm.convert_sync_batchnorm(method)  # type: ignore[no-untyped-call, unused-ignore]
    method.to(group.device)
    if options.channels_last:
        method.to(memory_format=torch.channels_last)


def _alone(folder: Path, group: Group) -> contextlib.AbstractContextManager[None]:
    """Refuse a folder that another training writes to."""
    return durable.locked(folder / FOLDER / checkpoint.LOCK) if group.first else contextlib.nullcontext()


@contextlib.contextmanager
def _explained(where: str, step: Step, world: int) -> Iterator[None]:
    """Say in a line what a person can do where a step fails."""
    try:
        yield
    except RuntimeError as error:
        said = str(error)
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in said:
            raise UserError(f"{where}: out of memory; {_smaller(step, world)}") from None
        if "does not have a deterministic implementation" in said:
            name = said.partition(" does not have")[0]
            raise UserError(f"{where}: {name} gives other bits every time; set loop.deterministic=false") from None
        raise


def _smaller(step: Step, world: int) -> str:
    """Say which batch to try: half of this one, which all processes can share."""
    rows, layout = len(step.rows), step.layout
    if layout is None:
        return f"a batch has {rows} pictures: try batches.batch={max(rows // 2 // world * world, world)}"
    shape = f"a batch has {rows} pictures, {layout.identities} identities of {layout.instances}"
    half = layout.identities // 2 // world * world
    if half:
        return f"{shape}: try batches.identities={half}"
    return f"{shape}: try batches.instances={max(layout.instances // 2, 1)}"


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """Make a wish of the first SIGTERM or Ctrl-C, granted after a checkpoint; a second one is obeyed at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked  # only the main thread is told of signals
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
