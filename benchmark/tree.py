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
    if not root.exists():
        raise UserError(f"{root}: no such folder")
    if not root.is_dir():
        raise UserError(f"{root}: is a file, must be the folder of a data set")
    found: list[str] = []
    others = linked = 0
    folders = [""]
    while folders:
        start = folders.pop()
        for entry in _entries(root, start):
            name = start + entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(name + "/")
            elif entry.is_dir():
                linked += 1  # following it could lead out of the root, or round in a circle
            # A link is listed even when its end is gone: dropping it would hide an unmounted disk.
            elif _is_picture(entry.name) and (entry.is_file() or entry.is_symlink()):
                found.append(name)
            else:
                others += not entry.name.endswith(OUTPUTS)
    return Listing(_encodable(root, sorted(found)), others, linked)


def _entries(root: Path, folder: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(root / folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise UserError(f"{root / folder}: cannot list: {error.strerror or error}") from None


def _encodable(root: Path, paths: list[str]) -> list[str]:
    for path in paths:
        try:
            path.encode()
        except UnicodeEncodeError:
            raise UserError(f"{root}: the name {path!a} is not UTF-8, no table can hold it; rename it") from None
    return paths


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)
