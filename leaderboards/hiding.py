"""Pictures that others embed while their labels stay at home: neutral names, and a manifest that says no more."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark import durable, manifest, progress, resolve, stored
from benchmark.columns import MEASURED
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.protocol import Protocol

SOURCE = "hidden"
QUERY, GALLERY = "hidden-query", "hidden-gallery"  # words in `subsets`

_LETTERS = 20  # of a hash
_KEPT = ("modality", "time", "object", *MEASURED)  # who is on a picture, where and when, is not among them


def hide(images: Manifest, plan: Protocol, out: Path) -> Path:
    """Copy the pictures of a protocol under neutral names and write their manifest; equal files become one.

    What is handed in for them is scored with the manifest that stayed: both know the hash of every picture.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: is there and is not empty; name a new folder")
    roles = _roles(images, plan)
    hashes = np.asarray(images.table["sha256"].to_pylist())
    rows = np.flatnonzero(roles.any(axis=0))
    names, first, copies = np.unique(hashes[rows], return_index=True, return_inverse=True)
    paths = []
    for name, row in progress.track(list(zip(names, rows[first], strict=True)), "copying pictures"):
        suffix = Path(images.file(int(row))[1]).suffix.lower()
        path = f"pictures/{name[:_LETTERS]}{suffix}"
        durable.write_bytes(out / path, stored.read(images, int(row)), sync=False)
        paths.append(path)
    words = [
        [word for word, role in zip((QUERY, GALLERY), roles, strict=True) if role[rows][copies == place].any()]
        for place in range(len(names))
    ]
    given = {name: images.table[name].take(pa.array(rows[first])) for name in _KEPT}
    target = out / "manifest.parquet"
    manifest.write(
        manifest.build(given | {"path": paths, "subsets": words, "split": ["test"] * len(paths)}, SOURCE, out), target
    )
    return target


def is_hidden(images: Manifest) -> bool:
    """Say whether a manifest was made by `hide`."""
    return any(_marked(images, word).any() for word in (QUERY, GALLERY))


def roles(images: Manifest) -> tuple[Manifest, Manifest]:
    """Give the queries and the gallery of a manifest without labels."""
    return images.select(_marked(images, QUERY)), images.select(_marked(images, GALLERY))


def _marked(images: Manifest, word: str) -> NDArray[np.bool_]:
    subsets = images.table["subsets"].combine_chunks()
    found = np.zeros(len(images), dtype=bool)
    rows = pc.list_parent_indices(subsets).filter(pc.equal(pc.list_flatten(subsets), word))
    found[rows.to_numpy()] = True
    return found


def _roles(images: Manifest, plan: Protocol) -> NDArray[np.bool_]:
    """Say of every row whether it is asked for, and whether it is searched, in any trial: (2, rows)."""
    found = np.zeros((2, len(images)), dtype=bool)
    for trial in range(plan.trials.count):
        one = resolve.resolve(images, plan, trial, trains=False)
        for place, part in enumerate((one.query, one.gallery)):
            found[place] |= pc.is_in(images.table["image_id"], part.table["image_id"].combine_chunks()).to_numpy()
    return found
