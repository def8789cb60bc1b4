"""Draw what each stage of the night chain does: a strip of pictures a stage, for docs/synthesis.md.

`python -c "from pathlib import Path; from docs import strips; strips.write(Path('docs/pictures/night'))"` draws them
alone; docs/make.py draws them with all else.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark import images
from benchmark.images import Picture
from synthesis.night import chain, config
from synthesis.night.block import Block
from synthesis.night.columns import Facts
from synthesis.night.curve import tone
from synthesis.night.sheet import Cell, Row, page
from synthesis.night.stages import linearise, quantise
from synthesis.street import config as streets
from synthesis.street import render, shots

HEIGHT, COUNT, SEED = 176, 8, 0
WALKS = (40, 77, 111, 170, 5, 22, 133, 152)  # of the demo's world: who is shown
QUALITY = 66
NIGHTS = ("night600", "street-lamps", "headlights", "glimmer", "gamma", "maet-like")
READABLE = "exposure.shares=[0.0, 0.0, 1.0]"  # Low and Medium are there to be hardly seen

# A night in which every stage does as little as it can.
NEUTRAL = {
    **{"anchor": 70.0, "target": 70.0, "level": 2, "noise_share": 0.9, "glare": 0.0, "blur": 0.0, "defocus": 0.0},
    **{"shading": 0.0, "shot": 1e-6, "read": 1e-9, "row": 0.0, "red": 1.0, "blue": 1.0, "saturation": 1.0},
    **{"smear": 0, "scale": 1.0, "stored_width": 0, "stored_height": 0, "quality": 95},
}
LAMP = {"lamp1_x": -2.0, "lamp1_y": -4.0, "lamp1_z": 2.0, "lamp1_kelvin": 3800.0, "lamp1_intensity": 1.0}
LAMP |= {"lamp1_kind": 1, "lamp1_above": 1.0, "lamp2_intensity": 0.0, "lamp3_intensity": 0.0, "ambient": 0.1}
LAMP |= {"normal_weight": 0.5, "ground": 0.8, "ground_top": 0.3}
EVEN = {"lamp1_intensity": 0.0, "ambient": 1.0, "ambient_kelvin": 6500.0}
GLARE = {"glare": 0.3, "glare_x": 0.15, "glare_y": 0.1, "glare_blades": 3, "glare_angle": 20.0, "glare_pair": 0.0}
GLARE |= {"glare_star": 0.8, "glare_width": 0.012, "glare_disc": 0.025}
CAR = {"lamp1_x": -5.0, "lamp1_y": 0.6, "lamp1_z": 5.0, "lamp1_kelvin": 5500.0, "lamp1_above": 0.3, "ground": 0.0}
NOISE = {"shot": 6e-3, "read": 4e-5, "row": 0.15}
SHOT = [8e-4, 1.3e-3, 2e-3, 3e-3, 5e-3, 8e-3, 1.3e-2, 2e-2]


Same = Mapping[str, float]


class Sweep(NamedTuple):
    """What changes from the left to the right of a row; the person is the same all along."""

    label: str
    captions: Sequence[str]
    columns: Mapping[str, Any]


def over(label: str, column: str, values: Sequence[float], unit: str = "", also: Same | None = None) -> Sweep:
    """Sweep over one column; others are the same all along."""
    return Sweep(label, [f"{value:g}{unit}" for value in values], {**(also or {}), column: values})


def metres(label: str, axis: str, values: Sequence[float], **also: float) -> Sweep:
    """Sweep over a lamp's place, of which two units are a metre; the ground is two below the middle."""
    places = [2 - 2 * value if axis == "y" else 2 * value for value in values]
    return Sweep(label, [f"{value:g} m" for value in values], {f"lamp1_{axis}": places} | also)


def noisy(label: str, **also: float) -> Sweep:
    """Sweep over a camera's noise: reading follows the photons', as it does from camera to camera."""
    read = [3.3 * shot**2.18 for shot in SHOT]
    return Sweep(label, [f"{shot:g}" for shot in SHOT], {"shot": SHOT, "read": read} | also)


STRIPS: dict[str, list[Sweep]] = {
    "shading": [over("power", "shading", [0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1], also=EVEN | {"shading_sigma": 0.06})],
    "lamps": [
        metres("aside", "x", [-4, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 4], lamp1_y=-5.0, lamp1_z=3.0, ambient=0.03),
        metres("height", "y", [0.7, 1.2, 1.8, 2.4, 3, 4, 5.5, 8], lamp1_x=-1.0, lamp1_z=1.0, ambient=0.03),
        over("colour", "lamp1_kelvin", [1900, 2200, 2700, 3200, 4000, 4800, 5600, 6500], " K"),
    ],
    "exposure": [
        Sweep(
            "lightness",
            [str(value) for value in (16, 24, 32, 41, 51, 63, 77, 93)],
            {name: [16, 24, 32, 41, 51, 63, 77, 93] for name in ("anchor", "target")} | NOISE | {"shot": 2e-3},
        )
    ],
    "glare": [
        over("strength", "glare", [0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6], also=GLARE),
        over(
            "distance of\nthe second",
            "glare_pair",
            [0, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2],
            also=GLARE | CAR | {"glare_x": 0.06, "glare_y": 0.7},
        ),
    ],
    "blur": [
        over("motion", "blur", [0, 2, 3, 4, 5, 6, 8, 10], " px"),
        over("defocus", "defocus", [0, 0.5, 0.75, 1, 1.25, 1.5, 2, 3], " px"),
    ],
    "noise": [
        noisy("photons"),
        over("rows", "row", [0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.2], also={"shot": 5e-3, "read": 4e-4}),
    ],
    "colour": [
        over("red", "red", [0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4]),
        over("blue", "blue", [0.5, 0.7, 0.85, 1, 1.2, 1.4, 1.7, 2]),
        over("saturation", "saturation", [1, 0.9, 0.75, 0.6, 0.45, 0.3, 0.15, 0]),
    ],
    "tone": [
        over("digital gain", "digital", [0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 1.8], also={"gain": 0.5, "glare_left": 1.0})
    ],
    "smear": [
        noisy("none", smear=0),
        noisy("colour", smear=1),
        noisy("colour\nand luma", smear=2),
    ],
    "scale": [over("scale", "scale", [1, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])],
    "codec": [over("quality", "quality", [95, 88, 75, 60, 45, 35, 20, 10])],
}
# Who is shown, of the people in WALKS: with a wide shadow, before a plain wall, with a thing to carry.
WHO = {"shading": 1, "lamps": 1, "exposure": 4, "glare": 6, "blur": 4, "noise": 5, "colour": 6, "tone": 7, "smear": 5}
SMALL = ("noise", "smear", "codec")  # drawn from small pictures, each pixel enlarged: what they do is as small as one


def strips() -> dict[str, Picture]:
    """Draw one strip a stage, and one of whole nights."""
    days = [day(walk) for walk in WALKS]
    made = {stage: strip(days[WHO.get(stage, 2)], stage) for stage in STRIPS}
    return made | {"linearise": linearised(days[1]), "quantise": quantised(days[3]), "nights": nights(days)}


def day(walk: int) -> Picture:
    """Take one picture of the demo's world by day."""
    world = streets.load("demo", [f"height={HEIGHT}"])
    walks = shots.walks(world, SEED)
    return render.take(world, SEED, shots.shot(world, SEED, walks[walk % len(walks)], 0)).pictures["day"]


def strip(picture: Picture, stage: str) -> Picture:
    """Make a neutral night of one picture, and change one stage from the left to the right."""
    night = config.load("night600")
    if stage in SMALL:
        height, width, _ = picture.shape
        picture = np.asarray(Image.fromarray(picture).resize((width // 2, height // 2), Image.Resampling.BOX))
    rows = []
    for sweep in STRIPS[stage]:
        columns = {name: np.float32(1) for name in ("gain", "glare_left") if name in sweep.columns}
        plan = changed(planned(night, [picture] * COUNT), NEUTRAL | LAMP | columns | dict(sweep.columns))
        rows.append(row(developed(night, [picture] * COUNT, plan), sweep.captions, sweep.label))
    return drawn(rows)


def row(pictures: Sequence[Picture], captions: Sequence[str], label: str) -> Row:
    """Put pictures beside each other, each above its caption."""
    return Row([Cell([picture], said) for picture, said in zip(pictures, captions, strict=True)], label=label)


def linearised(picture: Picture) -> Picture:
    """Take the same share of codes and of light away: half the light is far more than half the code."""
    shares = [2.0**-stop for stop in range(COUNT)]
    captions = ["all"] + [f"1/{2**stop}" for stop in range(1, COUNT)]
    light = linearise.TABLE[picture].astype(np.float64)
    codes = [np.rint(picture * share).astype(np.uint8) for share in shares]
    return drawn(
        [
            row(codes, captions, "of codes"),
            row([np.rint(255 * tone(light * share)).astype(np.uint8) for share in shares], captions, "of light"),
        ]
    )


def quantised(picture: Picture) -> Picture:
    """Round light of which there is less and less, and brighten what is left as much."""
    shares = [1, 4, 16, 64, 128, 256, 512, 1024]
    light = np.ascontiguousarray(linearise.TABLE[picture].transpose(2, 0, 1))[None]
    rows = []
    for bits, label in ((8, "8 bits\nof the root"), (12, "12 bits\nof light")):
        made = []
        for share in shares:
            block = Block([picture], light / np.float32(share))
            quantise.apply(block, {"bits": np.array([bits], np.int8)})
            assert block.codes is not None
            codes = block.codes[0].transpose(1, 2, 0).astype(np.float64)
            left = (codes / quantise.ROOT_TOP) ** 2 if bits == 8 else codes / quantise.LIGHT_TOP
            made.append(np.rint(255 * tone(left * share)).astype(np.uint8))
        rows.append(row(made, [f"1/{share}" if share > 1 else "all" for share in shares], label))
    return drawn(rows)


def nights(days: Sequence[Picture]) -> Picture:
    """Draw days above what some named nights make of them."""
    rows = [row(days, [""] * len(days), "day")]
    for name in NIGHTS:
        weak = "exposure" not in config.load(name).modules
        night = config.load(name, [] if weak else [READABLE])
        rows.append(row(developed(night, days, planned(night, days)), [""] * len(days), name))
    return drawn(rows)


def planned(night: config.Night, pictures: Sequence[Picture]) -> dict[str, NDArray[Any]]:
    """Plan a night of some pictures, each before a camera of its own."""
    count = len(pictures)
    numbers = dict.fromkeys(("x", "y", "w", "h", "timestamp", "lightness"), np.full(count, np.nan))
    numbers |= {"camid": np.arange(count) + 1.0}
    numbers |= {
        name: np.array([picture.shape[axis] for picture in pictures], np.float64)
        for axis, name in enumerate(("height", "width"))
    }
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


def drawn(rows: Sequence[Row]) -> Picture:
    """Turn rows into a picture."""
    buffer = io.BytesIO()
    page(rows).savefig(buffer, format="png")
    return np.asarray(Image.open(buffer).convert("RGB"))


def write(folder: Path) -> None:
    """Write all strips."""
    folder.mkdir(parents=True, exist_ok=True)
    for stage, picture in strips().items():
        Image.fromarray(picture).save(folder / f"{stage}.jpg", quality=QUALITY, optimize=True)
