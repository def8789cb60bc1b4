"""What shapes nights of whole frames, beside the settings of the stages."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from benchmark.config import Strict
from synthesis.night.ranges import Positive, Share, Shares, in_order

_Crf = Annotated[int, Field(ge=0, le=51)]


class Config(Strict):
    """How a camera looks at a street, exposes, and stores what it saw."""

    crf: Annotated[tuple[_Crf, _Crf], AfterValidator(in_order)] = (28, 38)
    """H.264's constant rate factor, lowest and highest; drawn once a camera."""
    quality: int = Field(95, ge=1, le=100)
    """JPEG quality of the crops: what degrades them is the video they are cut from."""
    fps: float = Field(25.0, gt=0, le=240)
    """Frames a second, where neither a video nor timestamps say."""
    metering: Literal["people", "frame"] = "people"
    """What is brought to the target lightness: the boxes of a frame, or all of it."""
    response: float = Field(0.5, ge=0)
    """Seconds in which the exposure goes 63 % of the way to what a frame asks for; three times as many for 95 %."""
    person: float = Field(1.7, gt=0)
    """Metres that a box is usually high."""
    focal: float = Field(1.0, gt=0)
    """Focal length in widths of the frame."""
    camera_height: float = Field(5.0, gt=0)
    """Metres above the ground, where there are too few boxes to tell."""
    horizon: float = Field(0.1, lt=1)
    """Share of the frame's height above the horizon, where there are too few boxes to tell."""
    backdrop: Positive = (25.0, 40.0)
    """Metres from which on the ground turns into an upright backdrop, and where it has."""
    behind: Share = 0.3
    """Share of the lamps that stand beyond the people, and not before them."""
    bounce: Share = 0.2
    """Share of the light on the ground that comes back to who stands there."""
    pattern: float = Field(0.3, ge=0)
    """Noise that stays in its place, in standard deviations of the read noise; dark frames bring their own."""
    denoised: Share = 0.5
    """Share of the cameras whose denoiser blends each frame with the one before."""
    blend: Shares = (0.1, 0.3)
    """Weight of the frame before."""
