"""What a street scene is made of: the tables that every part of the street fills or reads.

Metres; x to the right, y up, z towards the camera's side; the ground is y = 0. A person's heading `yaw` looks along
(sin yaw, 0, cos yaw). Light is linear, RGB. All numbers are float64 in plain arrays, so that one kernel can read them.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Columns of the table of cones. A cone is the hull of a sphere (A, RA) and a sphere (B, RB), in a space that is
# stretched SQUASH times along the unit vector AXIS about A: so a SQUASH of 1.6 gives a body that is flatter there.
A, B, RA, RB, SQUASH, AXIS, KIND, FRAME, MATERIAL, OWNER, PART, SHADOW, NEAR, CONE = (
    0, 3, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 18, 22,
)  # fmt: skip
CLOSED, OPEN = 0, 1  # kinds: the whole hull, or only its side between the two end circles, seen from both sides
SUBJECT, THING = 0, -1  # owners; other people are 1, 2, ...
# SHADOW: 1 casts a shadow. NEAR: rows of up to four cones whose normals are blended with this one's, -1 for none.

# Columns of the table of rectangles: a corner, two edges whose lengths are the sides, a material, a shadow flag.
CORNER, EDGE_U, EDGE_V, RECTANGLE_MATERIAL, RECTANGLE_SHADOW, RECTANGLE = 0, 3, 6, 9, 10, 11

# Columns of the table of lights.
POSITION, INTENSITY, LIGHT_KIND, DIRECTION, SPREAD, RADIUS, LIGHT = 0, 3, 6, 7, 10, 11, 12
POINT, SUN, LOBE = 0, 1, 2  # inverse square; none, from 60 m away; inverse square times cos^SPREAD about DIRECTION

FRAME_SIZE = 12  # a local frame: origin, then the unit vectors right, up, forward
MATERIAL_SIZE = 40  # a material: its kind, then what that kind needs
OUT = 10  # what painting gives: albedo RGB, emission RGB, part, tilt of the normal (right, up, forward)

# Parts of the subject; everything else is BACKGROUND.
BACKGROUND, SKIN, HAIR, TOP, BOTTOM, SHOE, BAG, COAT, HAT = -1, 0, 1, 2, 3, 4, 5, 6, 7
PARTS = ("skin", "hair", "top", "bottom", "shoe", "bag", "coat", "hat")  # `coat` is a skirt, too

FRAME_WIDTH, FRAME_HEIGHT = 1920, 1080


@dataclass(frozen=True)
class Pose:
    """How a person stands at one moment."""

    x: float  # where the pelvis is above the ground
    z: float
    yaw: float
    phase: float  # of the gait, radians: a full turn is two steps
    stride: float  # 0 stands still, 1 walks with the full swing
    activity: str  # walk, stand, phone, carry
    look: float = 0.0  # the head's turn against the body, radians


@dataclass(frozen=True)
class Solids:
    """Bodies with their local frames and materials; rows refer to each other by position."""

    cones: Array  # (n, CONE)
    frames: Array  # (m, FRAME_SIZE)
    materials: Array  # (k, MATERIAL_SIZE)

    def __add__(self, other: "Solids") -> "Solids":
        """Put two together: the rows that the second one refers to move behind the first one's."""
        moved = other.cones.copy()
        moved[:, FRAME] += len(self.frames)
        moved[:, MATERIAL] += len(self.materials)
        near = moved[:, NEAR:CONE]
        near[near >= 0] += len(self.cones)
        return Solids(
            np.concatenate([self.cones, moved]),
            np.concatenate([self.frames, other.frames]),
            np.concatenate([self.materials, other.materials]),
        )


NOTHING = Solids(np.zeros((0, CONE)), np.zeros((0, FRAME_SIZE)), np.zeros((0, MATERIAL_SIZE)))


@dataclass(frozen=True)
class View:
    """A pinhole camera with a frame of 1920 x 1080, and the window of it that is looked at."""

    eye: Array
    right: Array
    up: Array
    forward: Array  # the direction of looking
    focal: float  # pixels of the frame
    left: float = 0.0  # the window's corner in the frame, in pixels
    top: float = 0.0
    step: float = 1.0  # pixels of the frame for one pixel of the picture
    width: int = FRAME_WIDTH  # of the picture
    height: int = FRAME_HEIGHT

    def window(self, left: float, top: float, width: int, height: int, step: float = 1.0) -> "View":
        """Look at a part of the frame only."""
        return replace(self, left=left, top=top, width=width, height=height, step=step)

    def project(self, points: Array) -> Array:
        """Give the frame's coordinates (x right, y down, in pixels) and the depth along `forward` of points (n, 3)."""
        away = points - self.eye
        depth = away @ self.forward
        across = FRAME_WIDTH / 2 + self.focal * (away @ self.right) / depth
        down = FRAME_HEIGHT / 2 - self.focal * (away @ self.up) / depth
        return np.stack([across, down, depth], axis=-1)


@dataclass(frozen=True)
class Illumination:
    """The light at one moment: fill without direction, and the lights that cast shadows."""

    lights: Array  # (n, LIGHT)
    above: Array  # RGB of the fill that comes from above: sky by day, the town's glow by night
    below: Array  # RGB of the fill that comes back from the ground


@dataclass(frozen=True)
class Scene:
    """Everything that is needed to trace a picture, by day and by night: one geometry, two lights."""

    view: View
    solids: Solids  # people and things
    rectangles: Array  # (n, RECTANGLE): ground, walls, signs
    surfaces: Array  # (k, MATERIAL_SIZE): what the rectangles are made of
    contacts: Array  # (n, 4): x, z, radius and strength of the darkening where something touches the ground
    day: Illumination
    night: Illumination
