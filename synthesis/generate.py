"""STAND-IN for the night chain (replaced by its own issue): an exposure change in linear light, and nothing else."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark import images, keyed, manifest
from benchmark.columns import MEASURED
from benchmark.manifest import Manifest

RANGE = (-7.0, -0.5)  # stops
OWN = ("image_id", "source", "mask", *MEASURED)  # what a picture does not share with its parent


def darken(picture: images.Picture, stops: float) -> images.Picture:
    """Give a picture less light: decode sRGB, scale, encode."""
    encoded = images.from_linear(images.to_linear(np.arange(256) / 255) * 2.0**stops)
    dark: images.Picture = np.round(255 * encoded).clip(0, 255).astype(np.uint8)[picture]
    return dark


def write(day: Manifest, folder: Path, seed: int) -> Manifest:
    """Darken every picture of a day manifest; identities, scenes and cameras stay what they were."""
    low, high = RANGE
    exposure = low + (high - low) * keyed.uniform(seed, keyed.keys(day.table["image_id"].to_pylist()), "exposure")
    for row, stops in enumerate(exposure):
        root, path = day.file(row)
        images.save(folder / path, darken(images.load(root, path), float(stops)), sync=False)
    kept = {name: day.table[name] for name in day.table.column_names if name not in OWN}
    source = f"{day.column('source')[0]}+darker"
    parents, scenes = day.table["image_id"], pc.coalesce(day.table["scene"], day.table["image_id"])
    kept |= {"parent": parents, "scene": scenes, "exposure": pa.array(exposure, pa.float32())}
    night = manifest.build(kept | {"time": ["night"] * len(day)}, source, folder)
    manifest.write(night, folder / "manifest.parquet")
    return night
