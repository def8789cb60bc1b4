"""What a split is like: a table like the Data Statistics paragraph of the Night600 paper, and its Fig. 3."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmark import comparison, counts, tables
from benchmark.console import count
from benchmark.counts import LIGHT, SIZE, Mask, Spread, Summary
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.strata import Strata

if TYPE_CHECKING:
    from rich.table import Table

_EACH = (
    "identities",
    "images",
    "cameras",
    "cameras\nper identity",
    "images\nper identity",
    "images per identity\nand camera",
)


def sentences(manifest: Manifest) -> list[str]:
    """Put a split in words, as the paper puts its own."""
    people, roles = counts.People(manifest), _roles(manifest)
    whole = people.summary(roles["all"])
    named = {role: people.summary(rows) for role, rows in roles.items()}
    parted = ", ".join(
        f"{role} {count(named[role].identities, 'identity', 'identities')}"
        for role in ("train", "val", "test")
        if role in named
    )
    lines = [
        f"{' and '.join(sorted(manifest.roots))}: {count(whole.images, 'image')} of "
        f"{count(whole.identities, 'identity', 'identities')} at {count(whole.cameras, 'camera')}; {parted}"
        + "".join(f", {one}" for one in _nobodies(whole))
    ]
    if alone := unmatched(manifest):
        lines.append(f"{alone:,} of {named['query'].images:,} queries have no picture of theirs at another place")
    if cells := _levels(manifest):
        lines.append(cells)
    return lines


def _nobodies(whole: Summary) -> list[str]:
    named = ((whole.distractors, "distractor"), (whole.junk, "junk image"))
    return [count(number, noun) for number, noun in named if number]


def by_role(manifest: Manifest) -> "Table":
    """Count every role: identities, pictures, cameras, and what each identity has."""
    people = counts.People(manifest)
    body = [[role, *_numbers(people.summary(rows))] for role, rows in _roles(manifest).items()]
    return tables.table(("role", *_EACH), body)


def by_camera(manifest: Manifest) -> "Table":
    """Count pictures of every role, and the identities of the test, at every camera."""
    groups, roles, identities = counts.cameras(manifest), _roles(manifest), manifest.identities()
    roles.pop("all")
    codes = np.where(groups.codes < 0, len(groups.names), groups.codes)
    body = []
    for code, name in enumerate((*groups.names, "unknown")):
        here = codes == code
        if not here.any():
            continue
        met = np.unique(identities[here & roles.get("test", ~here) & (identities >= 0)])
        body.append([name, *(f"{(here & rows).sum():,}" for rows in roles.values()), f"{len(met):,}"])
    return tables.table(("camera", *roles, "test\nidentities"), body)


def unmatched(manifest: Manifest) -> int:
    """Count queries whose identity is nowhere in the gallery but at the query's own place."""
    frame = pd.DataFrame({"who": manifest.identities(), "place": manifest.column("place").astype(np.int64)})
    # Where the place is not known, every picture is taken to have its own.
    frame["place"] = np.where(frame["place"] > 0, frame["place"], -1 - np.arange(len(frame)))
    query, gallery = (manifest.column(name).astype(bool) for name in ("query", "gallery"))
    there = frame[gallery].drop_duplicates()
    asked = frame[query]
    places = asked["who"].map(there.groupby("who").size()).fillna(0)
    own = pd.MultiIndex.from_frame(asked).isin(pd.MultiIndex.from_frame(there))
    return int((places - own == 0).sum())


def draw(manifest: Manifest, path: Path) -> Path:
    """Draw light and size of train, test and all."""
    from benchmark.figures import light_size, style

    found = [counts.levels(manifest, scheme) for scheme in (LIGHT, SIZE)]
    if all(isinstance(one, str) for one in found):
        raise UserError(f"{path}: nothing to draw: {found[0]}")
    return style.save(light_size.light_size([manifest]), path)


def _roles(manifest: Manifest) -> dict[str, Mask]:
    """Give the rows of every role that occurs, the whole test among them."""
    found = counts.roles(manifest)
    split = manifest.column("split")
    names = {"train": "train", "val": "val", "query": "query", "gallery": "gallery"}
    roles = {name: found[key] for name, key in names.items()} | {"test": np.asarray(split == "test")}
    roles |= {"none": found["none"], "all": found["all"]}
    return {name: rows for name, rows in roles.items() if rows.any()}


def _numbers(row: Summary) -> list[str]:
    met = comparison.UNKNOWN if row.cameras_per_identity is None else f"{row.cameras_per_identity:.2f}"
    counted = [f"{number:,}" for number in (row.identities, row.images, row.cameras)]
    return [*counted, met, _spread(row.per_identity), _spread(row.per_identity_camera)]


def _spread(spread: Spread | None) -> str:
    return comparison.UNKNOWN if spread is None else f"{spread.mean:.1f} ({spread.low}-{spread.high})"


def _levels(manifest: Manifest) -> str:
    """Say how light the queries are, where that is measured."""
    found = counts.levels(manifest, LIGHT)
    if not isinstance(found, Strata):
        return ""
    codes = found.codes[manifest.column("query").astype(bool)]
    numbers = np.bincount(codes[codes >= 0], minlength=len(found.levels))
    return f"Queries by {found.scheme.name}: " + ", ".join(
        f"{name} {number:,}" for name, number in zip(found.levels, numbers, strict=True)
    )
