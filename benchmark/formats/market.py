"""The layout of Market-1501 (Zheng et al., ICCV 2015): three folders, names like 0002_c1s1_000451_03.jpg."""

import re
from pathlib import PurePosixPath

import numpy as np

from benchmark.manifest import Manifest

FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}

# Common loaders read one digit of the camera, ([-\d]+)_c(\d): a tenth camera would be taken for the first.
CAMERAS = 9
IDENTITIES = 9999

_NAME = re.compile(r"(-?[0-9]+)_c([0-9])s([0-9]+)_([0-9]+)_([0-9]+)\.jpg")
_ROLES = {folder: role for role, folder in FOLDERS.items()}


def name(pid: int, camid: int, frame: int, box: int) -> str:
    """Name a picture: junk is -1, a distractor 0000; the sequence, a number here and a text in manifests, is 1."""
    who = "-1" if pid == -1 else f"{pid:04d}"
    return f"{who}_c{camid}s1_{frame:06d}_{box:02d}.jpg"


def parse(path: str) -> dict[str, object] | None:
    """Read a row from a path under the root, or None where it is not of this layout."""
    place = PurePosixPath(path)
    role, found = _ROLES.get(str(place.parent)), _NAME.match(place.name)
    if role is None or found is None:
        return None
    pid, camid, sequence, frame, _ = found.groups()
    return {
        "path": path,
        "pid": int(pid),
        "camid": int(camid),
        "sequence": sequence,
        "frame": int(frame),
        "split": "train" if role == "train" else "test",
        "query": role == "query",
        "gallery": role == "gallery",
    }


def problem(manifest: Manifest) -> str | None:
    """Say what of a manifest the names cannot hold."""
    pids, camids = manifest.column("pid"), manifest.column("camid")
    if int(np.max(camids)) > CAMERAS:
        return f"camera {np.max(camids)}: this layout's loaders read one digit, cameras 1 to {CAMERAS}"
    if int(np.max(pids)) > IDENTITIES:
        return f"pid {np.max(pids)}: this layout has four digits, up to {IDENTITIES}"
    return None
