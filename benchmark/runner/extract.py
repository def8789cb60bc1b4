"""Vectors of pictures by a trained method: one pass, no labels seen."""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark import config, durable, executors
from benchmark.errors import UserError
from benchmark.features import Features
from benchmark.manifest import Manifest
from benchmark.progress import track
from benchmark.runner import augment, cache, checkpoint, precision
from benchmark.runner.interfaces import Context, Method, Triple, World
from benchmark.runner.job import RECORD, SCHEMA, require_shape
from benchmark.runner.memory import explained_memory

ROWS = 256  # pictures that are embedded together
AHEAD = 2  # such blocks that are made ready before they are asked for


@dataclass(frozen=True)
class How:
    """What embedding needs to know beside the network."""

    size: tuple[int, int]
    resample: str
    cameras: tuple[tuple[str, int], ...]  # (id_space, camid), in the order in which the training counted them
    modalities: tuple[str, ...]
    normalise: tuple[Triple, Triple]
    precision: str

    def record(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {
            "size": list(self.size),
            "resample": self.resample,
            "cameras": [list(camera) for camera in self.cameras],
            "modalities": list(self.modalities),
            "normalise": [list(part) for part in self.normalise],
            "precision": self.precision,
        }


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained method, as its folder holds it."""

    method: Method
    how: How
    facts: dict[str, Any]  # of its training, under their names in run/1, and its `config`


def load(folder: Path, device: torch.device) -> Trained:
    """Build the method again and give it its weights; nothing in a file is executed."""
    path = folder / RECORD
    found = durable.read_json(path)
    if found.get("schema") != SCHEMA or found.get("state") != "trained":
        raise UserError(f"{path}: is no finished training ({SCHEMA}); state is {found.get('state')!r}")
    require_shape(found, ("module", "config", "world", "how", "run", "resolved", "ckpt_sha256"), str(path))
    weights = folder / "model.safetensors"
    if durable.sha256(durable.read_bytes(weights)) != found["ckpt_sha256"]:
        raise UserError(f"{weights}: is not the file that {path} was written for")
    module = import_module(found["module"])
    # Its own weights come from the file, so none are looked for elsewhere.
    own = found["config"] | ({"pretrained": False} if "pretrained" in found["config"] else {})
    method: Method = module.build(config.check(module.Config, own, str(path)), _world(found["world"]))
    checkpoint.load_into(method, checkpoint.read_weights(weights), str(weights))
    facts = found["run"] | {"config": found["resolved"], "ckpt_sha256": found["ckpt_sha256"]}
    facts["people"] = found.get("people", [])
    return Trained(method.to(device).eval(), _how(found["how"]), facts)


def _world(found: Mapping[str, Any]) -> World:
    size = (int(found["size"][0]), int(found["size"][1]))
    return World(dict(found["identities"]), found["cameras"], tuple(found["modalities"]), size, found["object"])


def _how(found: Mapping[str, Any]) -> How:
    mean, std = (tuple(part) for part in found["normalise"])
    return How(
        *((found["size"][0], found["size"][1]), found["resample"]),
        *(tuple((space, camid) for space, camid in found["cameras"]), tuple(found["modalities"])),
        *((mean, std), found["precision"]),
    )


def features(
    method: Method, manifest: Manifest, how: How, folder: Path, facts: Mapping[str, Any], workers: int = 1
) -> Features:
    """Embed every picture of a manifest; `folder` keeps them decoded."""
    kept = cache.opened(manifest, how.size, how.resample, folder, executors.chosen("", workers))
    vectors = embed(method, kept, manifest, how)
    image_ids = [str(image) for image in manifest.column("image_id")]
    return Features(image_ids, vectors, dict(facts))


@torch.no_grad()
def embed(method: Method, kept: cache.Cache, manifest: Manifest, how: How) -> NDArray[np.float32]:
    """Give one vector a picture, in the manifest's order."""
    with explained_memory("embedding", "set a smaller size, or end what else uses the memory"):
        return _embedded(method, kept, manifest, how)


def _embedded(method: Method, kept: cache.Cache, manifest: Manifest, how: How) -> NDArray[np.float32]:
    training, device = method.training, next(method.parameters()).device
    known = [torch.from_numpy(column).to(device) for column in context(manifest, how, method)]
    method.eval()
    parts = []
    for rows, pixels in track(_ahead(kept, len(manifest), device), "embed", -(-len(manifest) // ROWS)):
        camera, modality, night = (column[rows] for column in known)
        images = augment.unit(pixels.to(device, non_blocking=True))
        parts.append(vectors(method, images, Context(camera, modality, night), how))
    method.train(training)
    return np.asarray(torch.cat(parts).cpu().numpy(), np.float32)


def _ahead(kept: cache.Cache, count: int, device: torch.device) -> Iterator[tuple[slice, Tensor]]:
    """Gather blocks of pictures, one ahead of whoever embeds them."""
    blocks = [slice(start, min(start + ROWS, count)) for start in range(0, count, ROWS)]
    with ThreadPoolExecutor(1, thread_name_prefix="extract") as thread:
        waiting = deque(thread.submit(_gathered, kept, block, device) for block in blocks[:AHEAD])
        for place, block in enumerate(blocks):
            pixels = waiting.popleft().result()
            if place + AHEAD < len(blocks):
                waiting.append(thread.submit(_gathered, kept, blocks[place + AHEAD], device))
            yield block, pixels


def _gathered(kept: cache.Cache, block: slice, device: torch.device) -> Tensor:
    rows = np.arange(block.start, block.stop)
    shape = (len(rows), *kept.pixels.shape[1:])
    buffer = torch.empty(shape, dtype=torch.uint8, pin_memory=device.type == "cuda")
    kept.gather(rows, buffer.numpy())
    return buffer


def context(manifest: Manifest, how: How, method: Method) -> tuple[NDArray[np.int64], ...]:
    """Say of every picture what a method may know: camera, modality, night."""
    places = {camera: position for position, camera in enumerate(how.cameras)}
    spaces, camids = manifest.column("id_space").astype(str), manifest.column("camid")
    camera = np.array([places.get((str(s), int(c)), -1) for s, c in zip(spaces, camids, strict=True)], np.int64)
    if method.needs.cameras and (camera < 0).any():
        row, strange = int(np.argmax(camera < 0)), int((camera < 0).sum())
        raise UserError(
            f"{type(method).__name__} embeds with the camera, and {strange} of {len(camera)} pictures are of one "
            f"that it was not trained on, such as camera {int(camids[row])} of {spaces[row]}"
        )
    words = manifest.column("modality").astype(str)
    modality = np.array([how.modalities.index(word) if word in how.modalities else -1 for word in words], np.int64)
    time = manifest.column("time").astype(str)
    return camera, modality, np.select([time == "night", time == "day"], [1, 0], -1).astype(np.int64)


def vectors(method: Method, pixels: Tensor, known: Context, how: How) -> Tensor:
    """Embed pictures in [0, 1], and add the vectors of their mirror images where the method asks for it."""
    total = _one(method, pixels, known, how)
    return total + _one(method, pixels.flip(3), known, how) if method.needs.flip == "sum" else total


def _one(method: Method, pixels: Tensor, known: Context, how: How) -> Tensor:
    views = dict.fromkeys(method.needs.views, pixels)
    with precision.autocast(how.precision, pixels.device):
        images = augment.normalised(pixels, how.normalise)  # by the very code that a training uses
        made = method.embed(images, Context(known.camera, known.modality, known.night, views))
    return made.float()
