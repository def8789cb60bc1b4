"""`data describe`: what is in a manifest, as tables for the terminal and figures for the eye."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark import comparison, counts, levels, tables
from benchmark.card import Card
from benchmark.console import count, say
from benchmark.counts import LIGHT, SIZE, Spread, Summary
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.strata import Strata

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

TABLE_SETS = 4  # sets that stand side by side in one table: what 100 columns hold

_DASH = comparison.UNKNOWN
_HOLDS = ("role", "images", "identities", "cameras", "distractors\n(pid 0)", "junk\n(pid -1)")
_EACH = ("role", "images\nper identity", "cameras\nper identity", "images per identity\nand camera")


def describe(manifests: Sequence[Manifest], cards: Sequence[Card | None], console: "Console") -> None:
    """Print the tables."""
    for name, manifest in zip(counts.names(manifests), manifests, strict=True):
        _print(console, f"\n{name}: {count(len(manifest), 'image')}")
        _describe_people(manifest, console)
        _describe_levels(manifest, console)
    _compare(manifests, cards, console)


def draw(manifests: Sequence[Manifest], folder: Path, *, samples: bool, limit: int, seed: int) -> list[Path]:
    """Draw the figures that have something to show into a folder and give their paths."""
    from benchmark.figures import camera_light, channels, light_size, style
    from benchmark.figures import samples as sheets

    if limit < 1:
        raise UserError(f"--limit {limit}: must be 1 or more")
    light, size = (_measured(manifests, scheme) for scheme in (LIGHT, SIZE))
    drawn: dict[str, Figure] = {}
    if light or size:
        drawn["light-size.png"] = light_size.light_size(manifests)
    if light:
        drawn["camera-light.png"] = camera_light.camera_light(manifests)
    else:
        names = "camera-light.png" if size else "light-size.png and camera-light.png"
        say(f"{names}: not drawn; {counts.levels(manifests[0], LIGHT)}")
    if any((manifest.column("modality") == "visible").any() for manifest in manifests):
        drawn["channels.png"] = channels.channels(manifests, limit, seed)
    else:
        say("channels.png: not drawn, for no picture is visible")
    if samples:
        drawn["samples.png"] = sheets.samples(manifests, seed)
    # Saved after all are drawn: a picture that cannot be read leaves no half set of figures.
    return [style.save(figure, folder / name) for name, figure in drawn.items()]


def _measured(manifests: Sequence[Manifest], scheme: str) -> bool:
    return any(isinstance(counts.levels(manifest, scheme), Strata) for manifest in manifests)


def _describe_people(manifest: Manifest, console: "Console") -> None:
    roles, people = counts.roles(manifest), counts.People(manifest)
    found = {role: people.summary(mask) for role, mask in roles.items() if mask.any()}
    _table(console, _HOLDS, [[role, *(f"{number:,}" for number in row[:5])] for role, row in found.items()])
    _print(console, "\nMean (smallest-largest)")
    _table(console, _EACH, [_averages(role, row) for role, row in found.items()])
    for one, other in combinations([role for role in roles if role != "all"], 2):
        if both := int((roles[one] & roles[other]).sum()):
            _print(console, f"{count(both, 'image')} counted in two rows: {one} and {other}.")
    if unknown := int((people.cameras < 0).sum()):
        _print(console, f"{count(unknown, 'image')} of no known camera (camid 0), counted in no column of cameras.")


def _averages(role: str, row: Summary) -> list[str]:
    met = _DASH if row.cameras_per_identity is None else f"{row.cameras_per_identity:.1f}"
    return [role, _spread(row.per_identity), met, _spread(row.per_identity_camera)]


def _spread(spread: Spread | None) -> str:
    return _DASH if spread is None else f"{spread.mean:.1f} ({spread.low}-{spread.high})"


def _describe_levels(manifest: Manifest, console: "Console") -> None:
    light, size = counts.levels(manifest, LIGHT), counts.levels(manifest, SIZE)
    groups = counts.splits(manifest)
    for found, heading in ((light, "Light"), (size, "Size")):
        if isinstance(found, str):
            _print(console, f"\n{found}")
            continue
        bounds = ", ".join(f"{name} {limit}" for name, limit in zip(found.levels, levels.limits(found), strict=True))
        for line in (f"\n{heading}: {levels.title(found.scheme)}", bounds, *levels.remarks(found)):
            _print(console, line)
        _table_of_levels(console, "split", found.levels, counts.by_split(groups, found))
    if isinstance(light, Strata) and isinstance(size, Strata):
        table = counts.cross(light.codes, size.codes, (len(light.levels), len(size.levels)))
        _print(console, "\nLight and size, images with a light level")
        _table_of_levels(console, "light", size.levels, dict(zip(light.levels, table, strict=True)))
    if isinstance(light, Strata):
        _print(console, "\nCamera and light, images with a light level")
        _table_of_levels(console, "camera", light.levels, counts.by_camera(counts.cameras(manifest), light))


def _table_of_levels(
    console: "Console", what: str, names: Sequence[str], rows: Mapping[str, NDArray[np.int64]]
) -> None:
    """Print counts with their shares of the row."""
    body = [[name, *_with_shares(number), f"{number.sum():,}"] for name, number in rows.items()]
    _table(console, (what, *names, "images"), body)


def _with_shares(numbers: NDArray[np.int64]) -> list[str]:
    total = int(numbers.sum())
    return [f"{number:,} {comparison.percent(number / total) if total else _DASH:>8}" for number in numbers]


def _compare(manifests: Sequence[Manifest], cards: Sequence[Card | None], console: "Console") -> None:
    """Print Table I, a few sets side by side and the next ones under them."""
    titles = comparison.titles(manifests, cards)
    columns = [comparison.facts(manifest, card) for manifest, card in zip(manifests, cards, strict=True)]
    for start in range(0, len(columns), TABLE_SETS):
        part = slice(start, start + TABLE_SETS)
        rows = [list(row) for row in zip(comparison.FACTS, *columns[part], strict=True)]
        _print(console, "\nSets compared, as in Table I of the Night600 paper")
        _table(console, ("", *titles[part]), rows)
    _print(console, f"Glimmer Image: visible pictures at the Low level of {LIGHT}. {_DASH} where nobody knows.")


def _table(console: "Console", columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    console.print(tables.table(columns, rows))


def _print(console: "Console", line: str) -> None:
    console.print(line, markup=False, highlight=False, emoji=False)
