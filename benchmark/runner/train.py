"""STAND-IN (replaced by the issue on the runner): one process, pictures in memory, PK batches, no checkpoints."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmark import images, keyed
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.runner.interfaces import Batch, Context, Layout, Method, Moment, Needs, Stage, World


@dataclass(frozen=True)
class Pictures:
    """Decoded pictures of one size and what is known of them."""

    pixels: NDArray[np.uint8]
    label: NDArray[np.int64]
    camera: NDArray[np.int64]  # position among the set's cameras; -1 unknown
    modality: NDArray[np.int64]  # position in World.modalities
    night: NDArray[np.int64]  # 1 night, 0 day, -1 unknown

    def batch(self, rows: NDArray[np.intp], needs: Needs, layout: Layout | None) -> Batch:
        """Put some rows on the device."""
        known = (self.label, self.camera, self.modality, self.night)
        label, camera, modality, night = (torch.from_numpy(column[rows]) for column in known)
        raw = torch.from_numpy(self.pixels[rows]).permute(0, 3, 1, 2).float() / 255
        if needs.normalise == "data":
            raise UserError("training: the stand-in loop takes no statistics from the data")
        mean, std = (torch.tensor(part).reshape(3, 1, 1) for part in needs.normalise)
        place = torch.from_numpy(rows)
        domain = torch.zeros_like(label)
        return Batch((raw - mean) / std, label, domain, camera, modality, night, place, layout, {"raw": raw})


@dataclass(frozen=True)
class Plain:
    """All training pictures, for a method's `before_stage`."""

    data: Pictures
    needs: Needs

    def plain(self) -> Iterator[Batch]:
        """Pass once over every picture, in order."""
        for rows in np.array_split(np.arange(len(self.data.label)), max(1, len(self.data.label) // 64)):
            yield self.data.batch(rows, self.needs, None)


def pictures(manifest: Manifest, size: tuple[int, int]) -> Pictures:
    """Decode and resize all pictures of a manifest."""
    height, width = size
    loaded = (images.load(*manifest.file(row)) for row in range(len(manifest)))
    pixels = [cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in loaded]
    cameras, modalities = (
        np.setdiff1d(manifest.column("camid"), [0]),
        np.unique(manifest.column("modality").astype(str)),
    )
    camid, time = manifest.column("camid"), manifest.column("time")
    return Pictures(
        np.stack(pixels).astype(np.uint8),
        manifest.identities(),
        np.where(camid == 0, -1, np.searchsorted(cameras, camid)),
        np.searchsorted(modalities, manifest.column("modality").astype(str)),
        np.select([time == "night", time == "day"], [1, 0], -1),
    )


def world(train: Manifest, size: tuple[int, int]) -> World:
    """Say what a method may know."""
    return World(
        {str(train.column("id_space")[0]): int(train.identities().max()) + 1},
        len(np.setdiff1d(train.column("camid"), [0])),
        tuple(sorted({str(modality) for modality in train.column("modality")})),
        size,
    )


def train(method: Method, data: Pictures, seed: int) -> list[float]:
    """Train all stages and give the loss of every step."""
    history = []
    for stage in method.stages():
        method.before_stage(stage, Plain(data, method.needs))
        _prepare(method, stage)
        for epoch in range(stage.epochs):
            batches = list(_batches(method, data.label, seed, epoch))
            for step, rows in enumerate(batches):
                at = Moment(stage.name, epoch, epoch * len(batches) + step, stage.epochs, len(batches))
                layout = Layout(("all",), method.needs.identities, method.needs.instances)
                history.append(_step(method, stage, data.batch(rows, method.needs, layout), at))
    return history


def _prepare(method: Method, stage: Stage) -> None:
    """Freeze what a stage does not train, and put in train mode what it says."""
    method.requires_grad_(False).eval()
    for module in stage.trainable:
        module.requires_grad_()
    for module in stage.trainable if stage.in_train_mode is None else stage.in_train_mode:
        module.train()


def _step(method: Method, stage: Stage, batch: Batch, at: Moment) -> float:
    loss = torch.stack(list(method.losses(batch, at).values())).sum()
    if not torch.isfinite(loss):
        raise UserError(f"training: the loss is {loss.item()} in stage {stage.name}, step {at.step}")
    torch.autograd.backward(loss)
    for optimiser in stage.optimisers:
        for group in optimiser.param_groups:
            factor = group.get("schedule", stage.schedule)(at)
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    method.after_step(at)
    return loss.item()


@torch.no_grad()
def embed(method: Method, data: Pictures) -> NDArray[np.float32]:
    """Embed all pictures."""
    method.eval()
    batch = data.batch(np.arange(len(data.label)), method.needs, None)
    context = Context(batch.camera, batch.modality, batch.night, batch.views)
    return np.asarray(method.embed(batch.images, context).numpy(), dtype=np.float32)


def _batches(method: Method, label: NDArray[np.int64], seed: int, epoch: int) -> Iterator[NDArray[np.intp]]:
    """Draw P identities x K pictures, a function of (seed, epoch) only."""
    rng = np.random.default_rng(int(keyed.bits(seed, keyed.key(f"epoch\n{epoch}"), "batches")))
    needs = method.needs
    people = rng.permutation(np.unique(label))
    for start in range(0, len(people) - needs.identities + 1, needs.identities):
        chosen = people[start : start + needs.identities]
        own = [np.flatnonzero(label == person) for person in chosen]
        # A picture stands twice only where a person has fewer than K.
        yield np.concatenate([rng.choice(rows, needs.instances, replace=len(rows) < needs.instances) for rows in own])
