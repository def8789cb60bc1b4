"""STAND-IN for the night chain (replaced by its own issue): an exposure change in linear light, and nothing else."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark import images, keyed, manifest
from benchmark.columns import MEASURED
from benchmark.manifest import Manifest

RANGE = (-7.0, -0.5)  # stops


def darken(picture: images.Picture, stops: float) -> images.Picture:
    """Give a picture less light: decode sRGB, scale, encode (IEC 61966-2-1)."""
    code = np.arange(256) / 255
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4) * 2.0**stops
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-12) ** (1 / 2.4) - 0.055)
    dark: images.Picture = np.round(255 * encoded).clip(0, 255).astype(np.uint8)[picture]
    return dark


def write(day: Manifest, folder: Path, seed: int) -> Manifest:
    """Darken every picture of a day manifest; identities, scenes and cameras stay what they were."""
    low, high = RANGE
    exposure = low + (high - low) * keyed.uniform(seed, keyed.keys(day.table["image_id"].to_pylist()), "exposure")
    paths = [str(path) for path in day.column("path")]
    for path, source, stops in zip(paths, day.column("source"), exposure, strict=True):
        images.save(folder / path, darken(images.load(day.roots[str(source)], path), float(stops)), sync=False)
    kept = {name: day.table[name] for name in day.table.column_names if name not in (*MEASURED, "image_id", "source")}
    source = str(day.column("source")[0]).replace("day", "night")
    parents, scenes = day.table["image_id"], pc.coalesce(day.table["scene"], day.table["image_id"])
    kept |= {"parent": parents, "scene": scenes, "exposure": pa.array(exposure, pa.float32())}
    night = manifest.build(kept | {"time": ["night"] * len(day)}, source, folder)
    manifest.write(night, folder / "manifest.parquet")
    return night
