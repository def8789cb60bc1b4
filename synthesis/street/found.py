"""What only rendering tells of a shot: how much of the person is hidden, what is seen of them, how light it is."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import images
from synthesis.street.framing import Box
from synthesis.street.render import DARK, Staged, Taken
from synthesis.street.scene import MATERIAL_SIZE, OWNER, RECTANGLE, SUBJECT, Array, Scene, Solids
from synthesis.street.table import Found
from synthesis.street.trace import trace

COARSE = 64  # lines of a silhouette


def found(taken: Taken) -> Found:
    """Look at a shot's outputs."""
    measures = {time: measured(data) for time, data in taken.files.items()}
    return Found(occluded(taken), visible(taken.staged.box, taken.rendering.mask), taken.exposures, measures)


def measured(data: bytes) -> Mapping[str, Any]:
    """Give the manifest's measured columns of a stored file."""
    measurement = images.measure(data)
    return measurement.photometry._asdict() | {"sha256": measurement.sha256}


def occluded(taken: Taken) -> float:
    """Give the share of the body's silhouette that something hides, or that lies outside the picture."""
    whole, seen = int(taken.rendering.amodal.sum()), int(taken.rendering.mask.sum())
    return 1 - min(seen / whole, 1.0) * inside(taken.staged) if whole else 1.0


def inside(staged: Staged) -> float:
    """Give the share of the body's silhouette that lies in the picture; it is traced coarsely where the box cuts it."""
    (left, top, right, bottom), box = staged.full, staged.box
    if box.x <= left and box.y <= top and right <= box.x + box.w and bottom <= box.y + box.h:
        return 1.0
    step = (bottom - top) / COARSE
    silhouette = _silhouette(staged, step, math.ceil((right - left) / step))
    across = _covered(left, step, silhouette.shape[1], box.x, box.x + box.w)
    down = _covered(top, step, silhouette.shape[0], box.y, box.y + box.h)
    return float(down @ silhouette @ across) / max(int(silhouette.sum()), 1)


def _covered(start: float, step: float, count: int, low: float, high: float) -> Array:
    """Give the share of each of some pixels in a row that lies between two edges."""
    edges = start + step * np.arange(count + 1)
    share: Array = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None) / step
    return share


def _silhouette(staged: Staged, step: float, width: int) -> NDArray[np.bool_]:
    """Trace the body alone over the whole of its box."""
    solids, view = staged.scene.solids, staged.scene.view
    body = Solids(solids.cones[solids.cones[:, OWNER] == SUBJECT], solids.frames, solids.materials)
    window = view.window(staged.full[0], staged.full[1], width, COARSE, step)
    nothing = np.zeros((0, RECTANGLE)), np.zeros((0, MATERIAL_SIZE)), np.zeros((0, 4))
    return trace(Scene(window, body, *nothing, DARK, DARK)).mask


def visible(box: Box, mask: NDArray[np.bool_]) -> tuple[float, float, float, float] | None:
    """Give the box (x, y, w, h) in the frame of what is seen of the person; None where nothing is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    across, down = box.w / box.width, box.h / box.height
    left, top, right, bottom = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    return box.x + left * across, box.y + top * down, (right - left) * across, (bottom - top) * down
