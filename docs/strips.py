"""Draw what each stage of the night chain does: a strip of pictures a stage, for docs/synthesis.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark import images
from benchmark.images import Picture
from synthesis.night import chain, config
from synthesis.night.columns import Facts
from synthesis.street import config as streets
from synthesis.street import render, shots

HEIGHT, COUNT, SEED = 176, 8, 0
WALKS = (40, 77, 111, 170)  # of the demo's world: who is shown
QUALITY = 82

# A night in which every stage does as little as it can.
NEUTRAL = {
    **{"anchor": 70.0, "target": 70.0, "level": 2, "noise_share": 0.9, "glare": 0.0, "blur": 0.0, "defocus": 0.0},
    **{"shading": 0.0, "shot": 1e-6, "read": 1e-9, "row": 0.0, "red": 1.0, "blue": 1.0, "saturation": 1.0},
    **{"smear": 0, "scale": 1.0, "stored_width": 0, "stored_height": 0, "quality": 95},
}
LAMP = {"lamp1_x": -2.0, "lamp1_y": -4.0, "lamp1_z": 2.0, "lamp1_kelvin": 2900.0, "lamp1_intensity": 1.0}
LAMP |= {"lamp1_kind": 1, "lamp2_intensity": 0.0, "lamp3_intensity": 0.0, "ambient": 0.1, "normal_weight": 0.5}
GLARE = {"glare": 0.3, "glare_x": 0.3, "glare_y": 0.15, "glare_blades": 3, "glare_angle": 20.0}
GLARE |= {"glare_star": 0.8, "glare_width": 0.012, "glare_disc": 0.03}
NOISE = {"shot": 6e-3, "read": 4e-5, "row": 0.15}

# What changes from the left to the right of each stage's strip; the person is the same all along.
STRIPS: dict[str, dict[str, Sequence[float]]] = {
    "shading": {"shading": np.linspace(0, 0.7, COUNT).tolist()},
    "lamps": {
        "lamp1_x": [-3, -2, -1, 0, 1, 2, 3, 3],
        "lamp1_y": [-5, -4, -3, -2, -1, 0, 0, 0.5],
        "lamp1_z": [1.5, 1.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.5],
        "lamp1_kelvin": [1950, 2100, 2700, 3000, 3200, 4200, 5000, 6000],
    },
    "exposure": {"anchor": [8, 14, 20, 25, 37, 50, 70, 95]},
    "glare": {"glare": [0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]},
    "blur": {"blur": [0, 2, 3, 4, 5, 0, 0, 0], "defocus": [0, 0, 0, 0, 0, 0.6, 1.1, 1.5]},
    "noise": {
        "shot": np.geomspace(8e-4, 2e-2, COUNT).tolist(),
        "read": (3.3 * np.geomspace(8e-4, 2e-2, COUNT) ** 2.18).tolist(),
        "row": np.linspace(0, 0.3, COUNT).tolist(),
    },
    "colour": {
        "red": [0.75, 0.9, 1, 1.15, 1, 1, 1, 1],
        "blue": [1.2, 1.1, 1, 0.7, 1, 1, 1, 1],
        "saturation": [1, 1, 1, 1, 0.9, 0.7, 0.5, 0.25],
    },
    "tone": {"digital": [0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 1.8]},
    "smear": {"smear": [0, 1, 2, 0, 1, 2, 0, 1]},
    "scale": {"scale": [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]},
    "codec": {"quality": [95, 88, 75, 65, 55, 45, 35, 25]},
}
ALSO: dict[str, dict[str, float]] = {
    "exposure": NOISE,
    "glare": GLARE,
    "colour": NOISE,
    "smear": NOISE | {"shot": 0.01},
}


def strips() -> dict[str, Picture]:
    """Draw one strip a stage, and one of whole nights."""
    days = [day(walk) for walk in WALKS]
    drawn = {stage: strip(days[place % len(days)], stage) for place, stage in enumerate(STRIPS)}
    return drawn | {"nights": nights(days)}


def day(walk: int) -> Picture:
    """Take one picture of the demo's world by day."""
    world = streets.load("demo", [f"height={HEIGHT}"])
    walks = shots.walks(world, SEED)
    return render.take(world, SEED, shots.shot(world, SEED, walks[walk % len(walks)], 0)).pictures["day"]


def strip(picture: Picture, stage: str) -> Picture:
    """Make a neutral night of one picture, and change one stage from the left to the right."""
    night = config.load("night600")
    changes = NEUTRAL | LAMP | ALSO.get(stage, {}) | STRIPS[stage]
    if "anchor" in STRIPS[stage]:
        changes["target"] = STRIPS[stage]["anchor"]
    plan = changed(planned(night, [picture] * COUNT), changes)
    if "digital" in plan:
        plan |= {"gain": np.full(COUNT, 0.5, np.float32), "glare_left": np.ones(COUNT, np.float32)}
    return beside(developed(night, [picture] * COUNT, plan))


def nights(days: Sequence[Picture]) -> Picture:
    """Draw days above what some named nights make of them."""
    rows = [beside(list(days) * 2)]
    for name in ("night600", "street-lamps", "headlights", "glimmer", "gamma", "maet-like"):
        night = config.load(name)
        shown = list(days) * 2
        rows.append(beside(developed(night, shown, planned(night, shown))))
    return np.vstack(rows)


def planned(night: config.Night, pictures: Sequence[Picture]) -> dict[str, NDArray[Any]]:
    """Plan a night of some pictures, each before a camera of its own."""
    count = len(pictures)
    numbers = dict.fromkeys(("x", "y", "w", "h", "timestamp", "lightness"), np.full(count, np.nan))
    numbers |= {"camid": np.arange(count) + 1.0, "width": np.zeros(count), "height": np.zeros(count)}
    names, zeros = tuple(f"docs/{place}" for place in range(count)), np.zeros(count, np.int64)
    return chain.plan(night, SEED, Facts(names, ("docs",) * count, numbers, zeros, zeros), {})


def changed(plan: dict[str, NDArray[Any]], changes: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Give columns other values, one for all or one each."""
    kinds = {name: plan[name].dtype if name in plan else np.float32 for name in changes}
    same = {name: np.broadcast_to(plan[name][:1], plan[name].shape) for name in plan}
    return same | {
        name: np.broadcast_to(np.asarray(value), (COUNT,)).astype(kinds[name]) for name, value in changes.items()
    }


def developed(night: config.Night, pictures: Sequence[Picture], plan: dict[str, NDArray[Any]]) -> list[Picture]:
    """Develop pictures of any size, one at a time."""
    stages, made = chain.ready(night, {}), []
    for place, picture in enumerate(pictures):
        block = chain.develop(stages, [picture], chain.rows(plan, [place]))
        made.append(images.decode(block.files[0]))
    return made


def beside(pictures: Sequence[Picture]) -> Picture:
    """Put pictures of one height beside each other, as wide as half of it."""
    width = HEIGHT // 2
    cells = []
    for picture in pictures:
        cell = np.zeros((HEIGHT, width, 3), np.uint8)
        shown = np.asarray(Image.fromarray(picture).resize((width - 2, HEIGHT - 2)))
        cell[1:-1, 1:-1] = shown
        cells.append(cell)
    return np.hstack(cells)


def write(folder: Path) -> None:
    """Write all strips."""
    folder.mkdir(parents=True, exist_ok=True)
    for stage, picture in strips().items():
        Image.fromarray(picture).save(folder / f"{stage}.jpg", quality=QUALITY, optimize=True)
