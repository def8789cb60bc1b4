"""Pictures taken in the dark, of which all that is seen is a sensor's own noise with its fixed pattern."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark import durable
from benchmark.errors import UserError
from synthesis.night.pool import Pool

SUFFIXES = (".png", ".tif", ".tiff", ".npy")
MOST_NUMBERS = 200_000_000  # of all frames together, in 2 bytes each
_STEPS = 256  # a standard deviation; what is 128 of them from the mean, such as a hot pixel, is cut

Frame = NDArray[Any]  # height x width x 3


def describe(folder: str) -> dict[str, Any]:
    """Say what a folder holds: the hash of its files, and how many frames of which size."""
    found, digest = _read(folder)
    frames, _, height, width = found.values.shape
    return {"sha256": digest, "frames": frames, "height": height, "width": width}


def load(folder: str, sha256: str | None = None) -> Pool:
    """Make a pool of a folder's frames; files that are no longer those of this hash are refused."""
    found, digest = _read(folder)
    if sha256 not in (None, digest):
        raise UserError(f"{folder}: its dark frames changed since the night was planned (sha256 {digest[:8]} now)")
    return found


@lru_cache(maxsize=2)
def _read(folder: str) -> tuple[Pool, str]:
    files = _files(Path(folder))
    digest, frames = hashlib.sha256(), []
    for file in files:
        data = durable.read_bytes(file)
        digest.update(hashlib.sha256(data).digest())
        frames.append(_frame(file, data))
        if frames[-1].shape != frames[0].shape:
            found, first = _size(frames[-1]), _size(frames[0])
            raise UserError(f"{file}: is {found}, but {files[0].name} is {first}; dark frames must be of one size")
        if len(frames) * frames[0].size > MOST_NUMBERS:
            raise UserError(
                f"{folder}: holds more than {MOST_NUMBERS:,} numbers of dark frames; take fewer, or smaller"
            )
    return _pool(Path(folder), frames), digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder of dark frames")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise UserError(f"{folder}: holds no dark frames; they may end in {', '.join(SUFFIXES)}")
    return files


def _frame(file: Path, data: bytes) -> Frame:
    """Read one frame. In the dark a mosaic's filters do not matter: three of its phases are three channels."""
    values = _array(file) if file.suffix.lower() == ".npy" else _decoded(file, data)
    if values.ndim == 2 and min(values.shape) >= 2:
        height, width = values.shape[0] // 2 * 2, values.shape[1] // 2 * 2
        even, odd = slice(0, None, 2), slice(1, None, 2)
        cut = values[:height, :width]
        values = np.stack([cut[even, even], cut[even, odd], cut[odd, odd]], axis=2)
    if values.ndim != 3 or values.shape[2] != 3:
        raise UserError(f"{file}: is an array of {values.shape}; must be height x width, or height x width x 3")
    return values


def _array(file: Path) -> Frame:
    try:
        values: Frame = np.load(file, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"{file}: not an array that can be read: {error}") from None
    real = np.issubdtype(values.dtype, np.floating) or np.issubdtype(values.dtype, np.integer)
    if not real or not np.isfinite(values).all():
        raise UserError(f"{file}: holds {values.dtype} with what is no number; must be finite numbers")
    return values


def _decoded(file: Path, data: bytes) -> Frame:
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if read is None or read.dtype not in (np.uint8, np.uint16):
        raise UserError(f"{file}: not a picture of 8 or 16 bits that can be read")
    return np.ascontiguousarray(read[:, :, ::-1]) if read.ndim == 3 and read.shape[2] == 3 else read


def _pool(folder: Path, frames: list[Frame]) -> Pool:
    """Centre every channel over all frames, and bring what is left, pattern and all, to unit variance."""
    means = np.mean([frame.mean(axis=(0, 1), dtype=np.float64) for frame in frames], axis=0)
    variance = float(np.mean([np.mean((frame - means) ** 2) for frame in frames]))
    if not variance > 0:
        raise UserError(f"{folder}: its dark frames hold no noise: every number is the same")
    scale, most = _STEPS / np.sqrt(variance), np.iinfo(np.int16).max
    whole = [np.clip(np.rint((frame - means) * scale), -most, most).astype(np.int16) for frame in frames]
    values = np.ascontiguousarray(np.stack(whole).transpose(0, 3, 1, 2))
    return Pool(values, np.float32(1 / np.sqrt(np.mean(values.astype(np.float64) ** 2))))


def _size(frame: Frame) -> str:
    return f"{frame.shape[1]} x {frame.shape[0]}"
