"""A tiny clip of the street: whole frames in which several people walk, and a manifest of their boxes."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmark import images, manifest
from benchmark.images import Picture
from benchmark.manifest import Manifest
from synthesis.street import framing, places, render, shots
from synthesis.street.body import body
from synthesis.street.config import Cameras, World
from synthesis.street.people import person
from synthesis.street.render import Staged
from synthesis.street.scene import FRAME_HEIGHT, FRAME_WIDTH, Scene
from synthesis.street.shots import Shot
from synthesis.street.trace import trace

WORLD = World(cameras=Cameras(count=2), identities=8, views=(0.0, 1.0), times=("day",), space="clip", occluded=0.0)


def film(folder: Path, frames: int = 6, people: int = 4, camid: int = 1, seed: int = 0, step: int = 6) -> Manifest:
    """Render FOLDER/seen/000010.png ... and crops of them; give a measured manifest of the boxes, named c1."""
    world = WORLD.model_copy(update={"frames": (frames, frames)})
    walks = [walk for walk in shots.walks(world, seed) if walk.camid == camid][:people]
    rows: dict[str, list[object]] = {name: [] for name in ("path", "pid", "frame", "timestamp", "x", "y", "w", "h")}
    for frame in range(frames):
        seen = [shots.shot(world, seed, walk, frame) for walk in walks]
        picture, boxes = _frame(world, seed, seen, step)
        images.save(folder / "seen" / "c1" / f"{frame + 10:06d}.png", picture)
        for shot, (x, y, w, h) in zip(seen, boxes, strict=True):
            if w < 4 or h < 8:
                continue
            path = f"day/{shot.pid:04d}_c{camid}_{frame:04d}.jpg"
            images.save(folder / path, picture[round(y) : round(y + h), round(x) : round(x + w)])
            values = (path, shot.pid, frame + 10, 0.12 * frame, x, y, w, h)
            for name, value in zip(rows, values, strict=True):
                rows[name].append(value)
    count = len(rows["path"])
    fixed: dict[str, object] = {"camid": [camid] * count, "sequence": ["c1"] * count, "time": ["day"] * count}
    made = manifest.build(rows | fixed, "walk", folder)
    measures = [images.measure((folder / path).read_bytes()) for path in made.table["path"].to_pylist()]
    columns = {name: [getattr(one.photometry, name) for one in measures] for name in images.Photometry._fields}
    return made.with_columns(**columns, sha256=[one.sha256 for one in measures])


def _frame(
    world: World, seed: int, seen: list[Shot], step: int
) -> tuple[Picture, list[tuple[float, float, float, float]]]:
    """Render what a camera sees at one moment, and the people's boxes in it."""
    place = places.place(world, seed, seen[0].camid)
    bodies = [body(person(world, seed, shot.pid), shot.pose) for shot in seen]
    solids = place.solids
    for one in bodies:
        solids = one + solids
    day, night = places.illumination(place, world, seed, seen[0].track, seen[0].seconds)
    view = place.view.window(0, 0, FRAME_WIDTH // step, FRAME_HEIGHT // step, step)
    scene = Scene(view, solids, place.rectangles, place.surfaces, place.contacts, day, night)
    staged = Staged(scene, framing.Box(0, 0, 1, 1, 1, 1), (0, 0, 0, 0))
    still = replace(seen[0], speed=0.0)
    picture = render.photograph(world, seed, still, staged, trace(scene, world.quality), "day")
    return picture, [_box(framing.bounds(place.view, one.cones), step) for one in bodies]


def _box(sides: tuple[float, float, float, float], step: int) -> tuple[float, float, float, float]:
    left, top, right, bottom = (
        float(np.clip(side / step, 0, end // step))
        for side, end in zip(sides, (FRAME_WIDTH, FRAME_HEIGHT) * 2, strict=True)
    )
    return left, top, right - left, bottom - top
