"""Small grey copies of pictures that no change of tone alters, and how much of one is seen in another.

Equalised by rank: a gamma, an exposure or a contrast keeps the order of the grey levels, and so the copy.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark.images import Picture

FINE, COARSE = (64, 32), (16, 8)  # rows and columns: to judge a pair by, and to find candidates by
MOVED = 0.15  # of a side; further than that a copy was cut more than it was copied

_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 25, 1e-4)
_SMOOTH = 5  # pixels of the fine copy, for the search alone
_DETAIL = 2.0  # what is coarser than this many pixels of the fine copy is taken out

Grey = NDArray[np.float32]


class Thumb(NamedTuple):
    """One picture, small."""

    fine: NDArray[np.uint8]  # ranks, 0 to 255
    coarse: Grey  # ranks as a vector of length 1: a dot product is a rank correlation
    gradient: float  # mean difference of neighbours over half the fine grid, in grey levels


def make(picture: Picture) -> Thumb:
    """Shrink and equalise a picture."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine, half, coarse = (_shrunk(grey, rows, columns) for rows, columns in (FINE, (32, 16), COARSE))
    steps = np.abs(np.diff(half, axis=0)).mean() + np.abs(np.diff(half, axis=1)).mean()
    centred = ranks(coarse).ravel() - 0.5
    length = np.linalg.norm(centred)
    return Thumb(
        np.round(255 * ranks(fine)).astype(np.uint8),
        (centred / length if length else centred).astype(np.float32),
        float(steps / 2),
    )


def ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give every value's place among all, 0 to 1; equal values share the middle of their places."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray((middle / max(values.size - 1, 1))[places].reshape(values.shape))


def mirrored(coarse: Grey) -> Grey:
    """Turn coarse copies left to right; one copy a row."""
    return np.ascontiguousarray(coarse.reshape(-1, *COARSE)[:, :, ::-1].reshape(coarse.shape))


def alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Lay one fine copy over the other and correlate their detail: 1 is a copy.

    What is laid over is moved, stretched and sheared a little (Evangelidis and Psarakis, "Parametric image alignment
    using enhanced correlation coefficient maximization", PAMI 2008). Two people before one wall agree in what is
    coarse; only copies agree in what is fine.
    """
    first, second = one.astype(np.float32), other.astype(np.float32)
    warp = _aligned(first, second)
    if _moved(warp) > MOVED:
        return 0.0
    flags, size = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, FINE[::-1]
    laid: Grey = np.asarray(
        cv2.warpAffine(second, warp, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32
    )
    shared = cv2.warpAffine(np.ones_like(second), warp, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP) > 0
    return _correlation(_detail(first)[shared], _detail(laid)[shared])


def _shrunk(grey: Grey, rows: int, columns: int) -> Grey:
    return np.asarray(cv2.resize(grey, (columns, rows), interpolation=cv2.INTER_AREA))


def _aligned(first: Grey, second: Grey) -> Grey:
    start = np.eye(2, 3, dtype=np.float32)
    everywhere = np.ones(FINE, np.uint8)
    try:
        _, warp = cv2.findTransformECC(first, second, start.copy(), cv2.MOTION_AFFINE, _STEPS, everywhere, _SMOOTH)
    except cv2.error:  # the search found no way that leads upwards
        return start
    return np.asarray(warp)


def _moved(warp: Grey) -> float:
    """Say how far the corner goes that goes farthest, as a share of its side."""
    rows, columns = FINE
    corners = np.array([[0, columns, 0, columns], [0, 0, rows, rows], [1, 1, 1, 1]], dtype=np.float32)
    shift = np.abs(warp @ corners - corners[:2]).max(axis=1)
    return float((shift / (columns, rows)).max())


def _detail(grey: Grey) -> Grey:
    return np.asarray(grey - cv2.GaussianBlur(grey, (0, 0), _DETAIL, borderType=cv2.BORDER_REFLECT))


def _correlation(one: Grey, other: Grey) -> float:
    one, other = one - one.mean(), other - other.mean()
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else 0.0
