"""What shapes a world: the keys of a preset."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from benchmark import config, durable
from benchmark.config import Strict
from synthesis.street.presets import PRESETS as PRESETS

Number = TypeVar("Number", int, float)


def _refusal(what: str) -> PydanticCustomError:
    return PydanticCustomError("impossible", "{what}", {"what": what})


def _in_order(ends: tuple[Number, Number]) -> tuple[Number, Number]:
    if ends[0] > ends[1]:
        raise _refusal(f"no range goes from {ends[0]:g} to {ends[1]:g}; write the smaller number first")
    return ends


_MOST = 1e6  # of any length or factor: whatever is larger is a slip of the pen
_Part = Annotated[float, Field(ge=0, le=_MOST)]
_Above = Annotated[float, Field(gt=0, le=_MOST)]
_Size = Annotated[float, Field(ge=4, le=1000)]
_Level = Annotated[float, Field(gt=0, le=255)]
_Percent = Annotated[int, Field(ge=1, le=100)]
_Few = Annotated[int, Field(ge=0, le=4)]  # every light that casts shadows costs a ray per pixel

Range = Annotated[tuple[_Part, _Part], AfterValidator(_in_order)]  # from, to
Lengths = Annotated[tuple[_Above, _Above], AfterValidator(_in_order)]  # the same, and nothing is 0
Sizes = Annotated[tuple[_Size, _Size], AfterValidator(_in_order)]
Levels = Annotated[tuple[_Level, _Level], AfterValidator(_in_order)]
Percents = Annotated[tuple[_Percent, _Percent], AfterValidator(_in_order)]
Counts = Annotated[tuple[_Few, _Few], AfterValidator(_in_order)]
Difficulty = Literal["easy", "normal", "hard"]
Quality = Literal["fast", "full"]

MOST_IDENTITIES, MOST_CAMERAS, MOST_FRAMES = 100_000, 99, 999
_Pictures = Annotated[int, Field(ge=1, le=MOST_FRAMES)]

# Keys that say which pictures there are, and never what is on them: a person is the same with more company. The space
# and the difficulty are words of the name.
APART = {"identities", "views", "frames", "mean_frames", "times", "space", "difficulty"}


class Cameras(Strict):
    """How the cameras are drawn; even ones look across the street, odd ones look down."""

    count: int = Field(8, ge=1, le=MOST_CAMERAS)
    """How many there are, each at a place of its own."""
    focal: Lengths = (1000.0, 3000.0)
    """Focal length in pixels of the 1920 x 1080 frame."""
    size: Sizes = (52.0, 330.0)
    """Height in pixels of a person of 1.75 m in the middle of the walked ground; spread evenly (in logarithm) over the
    cameras, so that a world of eight always has small, medium and big ones."""
    parallel: Lengths = (1.3, 2.4)
    """Height above the ground of the cameras that look across, metres."""
    downward: Lengths = (4.0, 6.5)
    """Height above the ground of those that look down, metres."""
    balance: Lengths = (0.9, 1.12)
    """White balance: what red and blue are multiplied by."""
    quality: Percents = (72, 92)
    """JPEG quality of the stored pictures."""
    noise: Range = (0.7, 1.5)
    """The sensors' read noise, relative to the usual one."""
    lightness: Levels = (13.0, 85.0)
    """What the cameras' metering brings an empty place to by night, 0 to 255; evenly spread, in logarithm."""
    blur: Range = (0.01, 0.04)
    """Exposure time at night, seconds: people smear as they walk."""
    veil: Lengths = (0.015, 0.06)
    """Share of the light that a lens scatters widely."""
    gain: Lengths = (7.0, 18.0)
    """Amplification at night: the larger, the fewer electrons a picture is made of."""
    knee: Lengths = (1.5, 6.0)
    """Tone curve: the smaller, the brighter the shadows."""
    fading: Range = (0.15, 0.5)
    """Share of the colours that the night's amplification takes."""
    smoothing: Range = (1.0, 3.0)
    """Noise reduction: codes below which detail counts as noise, by day."""
    sharpening: Range = (0.3, 1.2)
    """Sharpening, which leaves halos."""


class Lamps(Strict):
    """How the night's lights are drawn."""

    count: Counts = (2, 3)
    """Street lamps at one place, least and most."""
    height: Lengths = (4.5, 8.0)
    """Metres above the ground."""
    power: Range = (0.4, 1.6)
    """Relative to 30 units of intensity."""
    kelvin: Annotated[tuple[Lengths, ...], Field(min_length=1)] = ((1900.0, 2300.0), (2700.0, 3200.0), (3800.0, 6000.0))
    """Families of lamps by colour temperature, with even odds: sodium, warm and cool by default."""
    ambient: Range = (0.004, 0.03)
    """The town's glow."""
    signs: float = Field(0.3, ge=0, le=1)
    """Share of lit windows and signs."""
    headlights: float = Field(0.4, ge=0, le=1)
    """Share of walks that a car with its lights on passes."""


class World(Strict):
    """A world: who is in it, who sees them, and when."""

    cameras: Cameras = Cameras()
    lamps: Lamps = Lamps()
    identities: int = Field(24, ge=1, le=MOST_IDENTITIES)
    """How many people live in it."""
    views: tuple[_Part, ...] = Field((0.0, 0.0, 1.0), validate_default=True)
    """Odds that a person is seen by 1, 2, 3, ... cameras; no more than there are."""
    frames: Annotated[tuple[_Pictures, _Pictures], AfterValidator(_in_order)] = (3, 3)
    """Pictures in one walk past one camera, least and most."""
    mean_frames: float | None = Field(None, gt=0)
    """Their mean, where the least and the most differ; default: the middle."""
    interval: float = Field(0.12, gt=0, le=60)
    """Seconds between two pictures of a walk."""
    times: tuple[Literal["day", "night"], ...] = ("day", "night")
    """Which pictures are written."""
    height: int | None = Field(None, ge=8, le=1080)
    """Stored height in pixels; default: what the camera sees. With it the width is half of it."""
    quality: Quality = "fast"
    """fast: one ray a pixel, hard shadows; full: soft shadows and smooth edges."""
    difficulty: Difficulty = "normal"
    """Clothes, look-alikes, what stands in the way, how tight the boxes are, how strong the lamps."""
    look_alikes: float | None = Field(None, ge=0, le=1)
    """Share of people who wear another one's clothes; default: as the difficulty says."""
    occluded: float | None = Field(None, ge=0, le=1)
    """Share of pictures with something in front of the person; default: as the difficulty says."""
    space: str = Field("demo", pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)
    """Names the world: two worlds with different names share nobody, whatever their seeds."""

    @field_validator("views")
    @classmethod
    def _can_be_met(cls, odds: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        most = max((place for place, odd in enumerate(odds, 1) if odd > 0), default=0)
        if not most:
            raise _refusal("these odds sum to 0; at least one must be above it")
        if "cameras" in info.data and most > info.data["cameras"].count:
            raise _refusal(f"somebody is seen by {most} cameras, and there are {info.data['cameras'].count}")
        return odds

    @field_validator("mean_frames")
    @classmethod
    def _is_between(cls, mean: float | None, info: ValidationInfo) -> float | None:
        least, most = info.data.get("frames", (0, _MOST))
        if mean is not None and not least <= mean <= most:
            raise _refusal(f"the mean must be within frames, {least} to {most}")
        return mean

    @field_validator("times")
    @classmethod
    def _once_each(cls, times: tuple[str, ...]) -> tuple[str, ...]:
        if not times or len(set(times)) < len(times):
            raise _refusal("name day, night or both, each once")
        return times


def load(preset: str, sets: Sequence[str] = ()) -> World:
    """Read a preset by its name, or a TOML file of one's own by its path, and change it by `a.b=value` settings."""
    return config.load(World, PRESETS.path(preset), sets)


@lru_cache(maxsize=64)
def name(world: World, seed: int) -> str:
    """Name a world and its identities; what is on the pictures of two worlds with one name is the same."""
    words = ["street", world.space, f"s{seed}"]
    words += [world.difficulty] if world.difficulty != "normal" else []
    own = _shape(load(world.space)) if world.space in PRESETS.names() else None
    shape = _shape(world)
    return "-".join(words if shape == own else [*words, durable.sha256(shape)[:8]])


@lru_cache(maxsize=16)
def _shape(world: World) -> str:
    return json.dumps(world.model_dump(exclude=APART), sort_keys=True)
