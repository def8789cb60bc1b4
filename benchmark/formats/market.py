"""The layout of Market-1501 (Zheng et al., ICCV 2015): three folders, names like 0002_c1s1_000451_03.jpg.

The loaders of torchreid and fast-reid look for these folders under one called Market-1501-v15.09.15.
"""

import re
from pathlib import PurePosixPath

import numpy as np

from benchmark.manifest import Manifest

FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}

# Common loaders read one digit of the camera, ([-\d]+)_c(\d): a tenth camera would be taken for the first.
CAMERAS = 9
IDENTITIES = 9999

# What the set itself has, and torchreid and fast-reid assert: torchreid/data/datasets/image/market1501.py.
OWN_CAMERAS = 6
OWN_IDENTITIES = 1501

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


def notes(manifest: Manifest) -> list[str]:
    """Say what the common loaders of Market-1501 itself will not take."""
    pid, camid = int(np.max(manifest.column("pid"))), int(np.max(manifest.column("camid")))
    loaders, lines = "the Market-1501 loaders of torchreid and fast-reid stop", []
    if pid > OWN_IDENTITIES:
        lines.append(f"pid {pid}: {loaders} at pids over {OWN_IDENTITIES}")
    if camid > OWN_CAMERAS:
        lines.append(f"camera {camid}: {loaders} at cameras over {OWN_CAMERAS}")
    return lines
