"""Sheets of pictures, as Figs. 4 and 6 of the Night600 paper: people over cameras, and the darkest ones."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark import counts, images, keyed
from benchmark import stored as files
from benchmark.figures import style
from benchmark.figures.sheet import ACROSS, Cell, Strip, sheet
from benchmark.images import Picture
from benchmark.manifest import Manifest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PEOPLE = 4
DARKEST = 0.01  # the share of the visible pictures from which the dark rows are chosen
SHOWN_AT = 0.4  # where brightening puts the 95th percentile of a picture, in linear light
LARGEST_GAIN = 4096.0  # a black picture stays black


def samples(manifests: Sequence[Manifest], seed: int) -> "Figure":
    """Draw the sheet: a few manifests side by side, more of them one under the other."""
    blocks = [
        # People first: their rows are equally many in most sets, so that they stand beside each other.
        [*_people_strips(name, manifest, seed), *_dark_strips(name, manifest, seed)]
        for name, manifest in zip(counts.names(manifests), manifests, strict=True)
    ]
    return sheet(blocks if len(blocks) <= style.BESIDE else [list(chain(*blocks))])


def darkest(manifest: Manifest, seed: int) -> list[int]:
    """Choose rows among the darkest visible pictures, the darkest first; none where nothing is measured."""
    light = np.where(manifest.column("modality") == "visible", manifest.column("lightness").astype(float), np.nan)
    rows = np.argsort(light, kind="stable")[: int(np.isfinite(light).sum())]
    pool = np.sort(rows[: max(ACROSS, int(DARKEST * len(rows)))])
    chosen = pool[_shuffled(manifest, pool, seed)[:ACROSS]]
    return [int(row) for row in chosen[np.argsort(light[chosen], kind="stable")]]


def people(manifest: Manifest, seed: int) -> list[list[int]]:
    """Choose a few people, seen by two or more cameras where there are such, and rows of each over all cameras."""
    who, cameras = manifest.identities(), counts.cameras(manifest).codes
    pairs = np.unique(np.stack([who, cameras])[:, who >= 0], axis=1)
    numbers, met = np.unique(pairs[0], return_counts=True)
    numbers = numbers[met > 1] if (met > 1).any() else numbers
    firsts = np.searchsorted(who, numbers, sorter=np.argsort(who, kind="stable"))
    spaces, pids = manifest.column("id_space"), manifest.column("pid")
    texts = [f"{spaces[row]}/{pids[row]}" for row in firsts]
    order = keyed.order(seed, keyed.keys(texts), "describe-people")[:PEOPLE]
    return [_over_cameras(manifest, np.flatnonzero(who == numbers[position]), cameras, seed) for position in order]


def brighten(picture: Picture) -> tuple[Picture, float]:
    """Multiply the linear light of a picture, never down, and give the gain. For the eye only: this is no method."""
    linear = images.to_linear(picture / 255.0)
    bright = float(np.percentile(linear.max(axis=2), 95))
    gain = min(max(SHOWN_AT / bright, 1.0), LARGEST_GAIN) if bright else 1.0
    brightened = np.round(255 * images.from_linear(np.minimum(linear * gain, 1.0)))
    return brightened.astype(np.uint8), gain


def _shuffled(manifest: Manifest, rows: NDArray[np.integer], seed: int) -> NDArray[np.intp]:
    return keyed.order(seed, keyed.keys(manifest.column("image_id")[rows].tolist()), "describe-samples")


def _over_cameras(manifest: Manifest, rows: NDArray[np.integer], cameras: counts.Codes, seed: int) -> list[int]:
    """Take one picture of every camera, then a second, until the row is full; order them by camera and row."""
    rows = rows[_shuffled(manifest, rows, seed)]
    turns: dict[int, int] = {}
    turn = []
    for camera in cameras[rows].tolist():
        turn.append(turns.get(camera, 0))
        turns[camera] = turn[-1] + 1
    chosen = rows[np.lexsort((cameras[rows], turn))[:ACROSS]]
    return [int(row) for row in chosen[np.lexsort((chosen, cameras[chosen]))]]


def _dark_strips(name: str, manifest: Manifest, seed: int) -> list[Strip]:
    rows = darkest(manifest, seed)
    if not rows:
        return [
            Strip(
                "", heading=f"{name}: no darkest pictures, for no visible one is measured; run `luxreid data measure`"
            )
        ]
    light = manifest.column("lightness")
    stored = [files.load(manifest, row) for row in rows]
    brightened = [brighten(picture) for picture in stored]
    number = int((manifest.column("modality") == "visible").sum())
    heading = f"{name}: {len(rows)} of the darkest among {number:,} visible pictures"
    cells = [Cell(picture, f"light {light[row]:.1f}") for picture, row in zip(stored, rows, strict=True)]
    strips = [Strip("as stored", cells, heading)]
    if any(round(gain) > 1 for _, gain in brightened):
        cells = [Cell(picture, f"gain {gain:,.0f}") for picture, gain in brightened]
        strips.append(Strip("brightened for\nthe eye only,\nin linear light", cells))
    return strips


def _people_strips(name: str, manifest: Manifest, seed: int) -> list[Strip]:
    chosen = people(manifest, seed)
    if not chosen:
        return [Strip("", heading=f"{name}: no identities")]
    total, pids, captions = int(manifest.identities().max()) + 1, manifest.column("pid"), _captions(manifest)
    heading = f"{name}: {len(chosen)} of {total:,} identities over cameras. Light level: visible pictures only"
    strips = [
        Strip(f"identity {pids[rows[0]]}", [Cell(files.load(manifest, row), captions(row)) for row in rows])
        for rows in chosen
    ]
    return [strips[0]._replace(heading=heading), *strips[1:]]


def _captions(manifest: Manifest) -> Callable[[int], str]:
    """Say of a row which camera took it, and at which light level, or that it was not visible light."""
    camera, modality = manifest.column("camid"), manifest.column("modality")
    light = counts.levels(manifest, counts.LIGHT)

    def caption(row: int) -> str:
        place = f"cam {camera[row] or '?'}"
        if modality[row] != "visible":
            return f"{place}, {modality[row]}"
        return place if isinstance(light, str) else f"{place}, {light.levels[light.codes[row]]}"

    return caption
