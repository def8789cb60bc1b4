"""The layout of Night600 (Lu et al., TMM 2023): three folders, names like 000012_c3_000007_00.jpg."""

import re
from pathlib import PurePosixPath

import numpy as np

from benchmark.manifest import Manifest

FOLDERS = {"train": "bounding_box_train", "query": "query_3", "gallery": "bounding_box_test"}

CAMERAS = 8
IDENTITIES = 999999

# What follows the camera in the authors' own names is not established: any tail is read, and nothing from it.
_NAME = re.compile(r"([0-9]{6})_c([1-8])_.*\.jpg")
_ROLES = {folder: role for role, folder in FOLDERS.items()}


def name(pid: int, camid: int, frame: int, box: int) -> str:
    """Name a picture; the tail, frame and box, is our own."""
    return f"{pid:06d}_c{camid}_{frame:06d}_{box:02d}.jpg"


def parse(path: str) -> dict[str, object] | None:
    """Read a row from a path under the root, or None where it is not of this layout."""
    place = PurePosixPath(path)
    role, found = _ROLES.get(str(place.parent)), _NAME.fullmatch(place.name)
    if role is None or found is None or int(found[1]) == 0:
        return None
    return {
        "path": path,
        "pid": int(found[1]),
        "camid": int(found[2]),
        "split": "train" if role == "train" else "test",
        "query": role == "query",
        "gallery": role == "gallery",
    }


def problem(manifest: Manifest) -> str | None:
    """Say what of a manifest the names cannot hold."""
    pids, camids = manifest.column("pid"), manifest.column("camid")
    if int(np.max(camids)) > CAMERAS:
        return f"camera {np.max(camids)}: this layout has cameras 1 to {CAMERAS}"
    if int(np.min(pids)) < 1:
        return f"pid {np.min(pids)}: this layout knows neither distractors (0) nor junk (-1)"
    if int(np.max(pids)) > IDENTITIES:
        return f"pid {np.max(pids)}: this layout has six digits, up to {IDENTITIES}"
    return None


def notes(manifest: Manifest) -> list[str]:
    """Say what other people's loaders will not take; of this layout nothing is known."""
    return []
