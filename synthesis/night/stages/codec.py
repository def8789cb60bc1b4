"""Encode as the camera does: JPEG at its quality, with its blocks where they happened to lie.

Cropping cuts a frame's 8x8 blocks anywhere. `store` encodes the crop itself, so that blocks always start at its corner;
`shifted` encodes it with some replicated context before its corner, cuts it out and stores it at high quality.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from benchmark import images
from benchmark.config import Strict
from benchmark.images import Picture
from synthesis.night.block import Block, Plan
from synthesis.night.columns import Columns
from synthesis.night.ranges import in_order

LOCAL = True
TAKES = "pictures"
GIVES = "files"
PHASES = 8  # pixels a side of JPEG's blocks
Percent = Annotated[int, Field(ge=1, le=100)]
COLUMNS = {
    "quality": "quality of the camera's JPEG",
    "phase_x": "columns that its blocks are shifted by",
    "phase_y": "rows that its blocks are shifted by",
    "shifted": "whether they are, and the picture is stored anew",
    "colour_444": "whether colour has all rows and columns",
    "stored_quality": "quality of what is stored anew",
}


class Config(Strict):
    """How cameras encode."""

    quality: Annotated[tuple[Percent, Percent], AfterValidator(in_order)] = (35, 88)
    """JPEG quality, least and most: whole numbers, all alike likely."""
    mode: Literal["auto", "store", "shifted"] = "auto"
    """store: the stored file is the camera's; shifted: blocks lie anywhere; auto: shifted where the night is exact."""
    subsampling: Literal["420", "444"] = "420"
    """420: half as many lines and columns of colour, as in nearly every camera's JPEG and H.264; 444: all of them."""
    stored: int = Field(95, ge=95, le=100)
    """Quality at which a shifted picture is stored."""
    consistent: bool = True
    """Whether all pictures of a camera have one quality; else each has its own."""


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Draw the quality, and where the blocks lie."""
    config: Config = columns.config
    low, high = config.quality
    drawn = columns.between("quality", low, high + 1, "camera" if config.consistent else "image")
    shifted = columns.exact if config.mode == "auto" else config.mode == "shifted"
    phases = {name: columns.between(name, 0, PHASES if shifted else 0) for name in ("phase_x", "phase_y")}
    same = {"shifted": shifted, "colour_444": config.subsampling == "444", "stored_quality": np.int8(config.stored)}
    return {
        "quality": drawn.astype(np.int8),
        **{name: phase.astype(np.int8) for name, phase in phases.items()},
        **{name: np.full(len(columns), value) for name, value in same.items()},
    }


def apply(block: Block, plan: Plan) -> None:
    """Encode every picture."""
    names = ("quality", "shifted", "phase_x", "phase_y", "colour_444", "stored_quality")
    rows = zip(*(plan[name].tolist() for name in names), strict=True)
    block.files = [_encode(picture, *row) for picture, row in zip(block.pictures, rows, strict=True)]


def _encode(picture: Picture, quality: int, shifted: bool, right: int, down: int, full: bool, stored: int) -> bytes:
    if not shifted:
        return _jpeg(picture, quality, full)
    height, width, _ = picture.shape
    framed = np.asarray(cv2.copyMakeBorder(picture, down, 0, right, 0, cv2.BORDER_REPLICATE), np.uint8)
    seen = simplejpeg.decode_jpeg(_jpeg(framed, quality, full))
    return images.encode(seen[down : down + height, right : right + width], stored)


def _jpeg(picture: Picture, quality: int, full: bool) -> bytes:
    colour = "444" if full else "420"
    data: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(picture), quality=quality, colorsubsampling=colour)
    return data
