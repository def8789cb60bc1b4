"""What lies under a data set's folder, by name only: no file is opened."""

import os
from pathlib import Path
from typing import NamedTuple

from benchmark.errors import UserError
from benchmark.images import SUFFIXES

OUTPUTS = (".parquet", "names.csv", "luxreid.toml")  # how our own files end, which are no part of a set


class Listing(NamedTuple):
    """The pictures under a folder, sorted, with / between folders; and how much else is there."""

    pictures: list[str]
    others: int  # files that are no pictures
    linked: int  # links to folders, which are not followed


def pictures(root: Path) -> Listing:
    """List the pictures under a folder; hidden files and our own outputs do not count."""
    check_root(root)
    found: list[str] = []
    others = linked = 0
    folders = [""]
    while folders:
        start = folders.pop()
        plain, rest = _entries(root, start)
        found += [start + name for name in plain]
        for entry in rest:
            if entry.is_dir(follow_symlinks=False):
                folders.append(f"{start}{entry.name}/")
            elif entry.is_dir():
                linked += 1  # following it could lead out of the root, or round in a circle
            # A link is listed even when its end is gone: dropping it would hide an unmounted disk.
            elif _is_picture(entry.name) and entry.is_symlink():
                found.append(start + entry.name)
            else:
                others += not entry.name.endswith(OUTPUTS)
    return Listing(_encodable(root, sorted(found)), others, linked)


def check_root(root: Path) -> None:
    """Refuse a root that is no folder."""
    if not root.exists():
        raise UserError(f"{root}: no such folder")
    if not root.is_dir():
        raise UserError(f"{root}: is a file, must be the folder of a data set")


def _entries(root: Path, folder: str) -> tuple[list[str], list["os.DirEntry[str]"]]:
    """List a folder: the names of its plain pictures, and all else; sets are large, so this loop is kept short."""
    plain, rest = [], []
    try:
        with os.scandir(root / folder) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith("."):
                    continue
                if _is_picture(name) and entry.is_file(follow_symlinks=False):
                    plain.append(name)
                else:
                    rest.append(entry)
    except OSError as error:
        raise UserError(f"{root / folder}: cannot list: {error.strerror or error}") from None
    return plain, rest


def _encodable(root: Path, paths: list[str]) -> list[str]:
    try:
        "".join(paths).encode()
    except UnicodeEncodeError:
        wrong = next(path for path in paths if path != path.encode(errors="replace").decode())
        raise UserError(f"{root}: the name {wrong!a} is not UTF-8, no table can hold it; rename it") from None
    return paths


def _is_picture(name: str) -> bool:
    return name.endswith(SUFFIXES) or name.lower().endswith(SUFFIXES)
