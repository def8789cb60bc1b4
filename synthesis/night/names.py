"""Where the pictures of a night go: the three folders of Market-1501, and `pictures` for what has no role.

Names are Market's own where they can hold the set. Where they cannot, as with a tenth camera, pictures keep the paths
that they had, below the same folders: loaders of Market then find none, or stop, and take no camera for another.
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from benchmark import export
from benchmark.errors import UserError
from benchmark.formats import market
from benchmark.manifest import Manifest

OTHERS = "pictures"  # rows without a split and a role
_SUFFIX = ".jpg"
# Loaders look for ([-\d]+)_c(\d) anywhere in a path: torchreid/data/datasets/image/market1501.py.
_MISREAD = re.compile(r"(?<=[-\d])_c(?=\d)")


def files(parents: Manifest) -> list[list[tuple[str, str]]]:
    """Give every row its files as (role, path): one, or two of a row that is query and gallery."""
    wanted, stands = export.roles(parents), _own(parents)
    named = dict(enumerate(map(_unlike_markets, stands)))
    placed = [row for row, roles in enumerate(wanted) if roles]
    if placed and problem(parents) is None:
        named |= dict(zip(placed, _named(parents.select(placed)), strict=True))
    made = [
        [(role, f"{market.FOLDERS[role]}/{named[row]}") for role in roles] or [("", f"{OTHERS}/{stands[row]}")]
        for row, roles in enumerate(wanted)
    ]
    _require_distinct([path for row in made for _, path in row])
    return made


def variant(path: str, draw: int, step: int | None) -> str:
    """Name one of several nights of a picture: `_d<draw>` for a further draw, `_e<step>` for a step of a ladder."""
    stem = path.removesuffix(_SUFFIX) + (f"_d{draw}" if draw else "")
    return stem + (f"_e{step}" if step is not None else "") + _SUFFIX


def problem(parents: Manifest) -> str | None:
    """Say what of the rows that have a role Market's names cannot hold."""
    placed = [row for row, roles in enumerate(export.roles(parents)) if roles]
    try:
        if placed:
            export.refuse(parents.select(placed), market, "")
    except UserError as error:
        return str(error).removeprefix(": ")
    return None


def _unlike_markets(path: str) -> str:
    """Give a path in which no loader of Market's finds a person and a camera."""
    return _MISREAD.sub("_cam", path)


def _named(rows: Manifest) -> list[str]:
    """Keep names that are Market's own; others are made as `data export` makes them."""
    names = [PurePosixPath(path).name for path in rows.table["path"].to_pylist()]
    whose = zip(names, rows.table["pid"].to_pylist(), rows.table["camid"].to_pylist(), strict=True)
    if all(_is_markets(*one) for one in whose) and len(set(names)) == len(names):
        return names
    return export.names(rows, market)


def _is_markets(name: str, pid: int, camid: int) -> bool:
    found = market.parse(f"{market.FOLDERS['train']}/{name}")
    return found is not None and name.count(".") == 1 and (found["pid"], found["camid"]) == (pid, camid)


def _own(parents: Manifest) -> list[str]:
    """Give the paths that rows have already, as JPEG; several sources have a folder each."""
    pairs = zip(parents.table["source"].to_pylist(), parents.table["path"].to_pylist(), strict=True)
    alone = len(parents.roots) == 1
    names = [path if alone else f"{source}/{path}" for source, path in pairs]
    return [name if name.endswith(_SUFFIX) else name + _SUFFIX for name in names]


def _require_distinct(paths: Sequence[str]) -> None:
    if len(set(paths)) < len(paths):
        seen: set[str] = set()
        twice = next(path for path in paths if path in seen or seen.add(path))  # type: ignore[func-returns-value]
        raise UserError(f"synth night: two pictures would be written to {twice}; rename one of them")
