"""A little set that others embed or rank: its vectors, its rank lists, and a form that is filled in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark import config, manifest, resolve
from benchmark.features import Features
from benchmark.manifest import Manifest
from benchmark.protocol import Protocol
from leaderboards.facts import Facts
from tests.benchmark import little

FORM: dict[str, Any] = {
    "method": "theirs",
    "contact": "a lab",
    "official": True,
    "division": "open",
    "train_sets": ["market1501"],
    "pretrain_data": ["imagenet"],
    "other_data": [],
    "overlap_declared": False,
    "ckpt_selection": "last",
    "n_test_evals": 3,
    "rerank": "none",
    "flip_tta": False,
}

# Three trials, each with one of the two gallery pictures of a person.
SHOTS = """
title = "one picture a person, drawn three times"
[train]
split = "train"
[query]
query = true
[gallery]
gallery = true
[trials]
count = 3
sampler = "keyed"
per = "identity"
"""

NOISE = 2.0  # so much that some match is far down a list

Ranked = dict[str, list[str]]


def facts(**more: object) -> Facts:
    """Fill in the form."""
    return config.check(Facts, FORM | {"metric": "euclidean"} | more, "about.toml")


def world(folder: Path, of: Manifest | None = None) -> tuple[Path, Manifest]:
    """Write the manifest of a little set."""
    path = folder / "manifest.parquet"
    manifest.write(of or little.world(), path)
    return path, manifest.read(path)


def vectors(path: Path, of: Manifest, seed: int = 0, names: Sequence[str] | None = None) -> Path:
    """Write vectors with the names of their rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, features=little.vectors(of, NOISE, seed), image_id=names or of.table["image_id"].to_pylist())
    return path


def features(of: Manifest, seed: int = 0) -> Features:
    """Give the same vectors as our own runner would."""
    known: dict[str, Any] = {"method": "theirs", "seed": None, "config": {}}
    return Features(of.table["image_id"].to_pylist(), little.vectors(of, NOISE, seed), known)


def ranked(of: Manifest, plan: Protocol, trial: int = 0, seed: int = 0) -> Ranked:
    """Rank the gallery of a trial for every query by the distances of these vectors."""
    one, given = resolve.resolve(of, plan, trial, trains=False), features(of, seed)
    query, gallery = given.of(one.query), given.of(one.gallery)
    far = ((query[:, None].astype(np.float64) - gallery[None]) ** 2).sum(axis=2)
    names = one.gallery.table["image_id"].to_pylist()
    rows = [[names[place] for place in np.argsort(row)] for row in far]
    return dict(zip(one.query.table["image_id"].to_pylist(), rows, strict=True))


def lists(path: Path, *trials: Ranked, depth: int | None = None) -> Path:
    """Write rank lists, a row a query; with a column of trials where there are several."""
    rows = [(query, number, images[:depth]) for number, part in enumerate(trials) for query, images in part.items()]
    columns = {"query": [row[0] for row in rows], "gallery": [row[2] for row in rows]}
    if len(trials) > 1:
        columns["trial"] = [row[1] for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path
