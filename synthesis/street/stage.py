"""The stage of a place: what its ground, walls, signs and things are made of and where they may be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from synthesis.street import materials as m
from synthesis.street import occluders, scene
from synthesis.street.draws import Draws
from synthesis.street.lamps import Room
from synthesis.street.materials import Colour, material
from synthesis.street.occluders import Point
from synthesis.street.scene import Array, Solids

END = 120.0  # how far streets run to both sides, metres
SKY_AWAY = 110.0
DROP = 0.12  # of a carriageway below the pavement

BRICKS: tuple[tuple[Colour, Colour], ...] = (
    ((0.30, 0.11, 0.07), (0.38, 0.19, 0.12)), ((0.40, 0.29, 0.18), (0.46, 0.38, 0.27)),
    ((0.21, 0.13, 0.11), (0.29, 0.17, 0.12)), ((0.46, 0.43, 0.37), (0.52, 0.50, 0.46)),
)  # fmt: skip
PLASTERS: tuple[Colour, ...] = (
    (0.58, 0.53, 0.42), (0.60, 0.58, 0.54), (0.55, 0.38, 0.22), (0.36, 0.43, 0.46), (0.52, 0.36, 0.31),
    (0.42, 0.46, 0.36),
)  # fmt: skip
CONCRETES: tuple[Colour, ...] = ((0.36, 0.36, 0.35), (0.44, 0.42, 0.38), (0.29, 0.30, 0.32))
WOODS: tuple[Colour, ...] = ((0.22, 0.14, 0.08), (0.27, 0.25, 0.22), (0.12, 0.16, 0.12))
TRIMS: tuple[Colour, ...] = (
    (0.05, 0.12, 0.08), (0.25, 0.04, 0.04), (0.04, 0.07, 0.16), (0.035, 0.035, 0.04), (0.32, 0.22, 0.08),
    (0.05, 0.17, 0.2),
)  # fmt: skip
FRAMES: tuple[Colour, ...] = ((0.62, 0.61, 0.58), (0.09, 0.08, 0.07), (0.3, 0.3, 0.31), (0.45, 0.4, 0.3))
NEONS: tuple[tuple[Colour, Colour], ...] = (
    ((0.5, 0.04, 0.05), (0.9, 0.8, 0.7)), ((0.04, 0.1, 0.5), (0.6, 0.85, 0.95)), ((0.05, 0.35, 0.12), (0.85, 0.9, 0.8)),
    ((0.5, 0.3, 0.04), (0.95, 0.9, 0.8)), ((0.06, 0.05, 0.08), (0.9, 0.25, 0.6)),
)  # fmt: skip


@dataclass(frozen=True)
class Sign:
    """A sign on a wall: its middle, its colour when lit, and its area."""

    at: Array
    colour: Array
    area: float
    lit: bool


@dataclass
class Stage:
    """What a place is made of while it is being built, around the walked ground."""

    draws: Draws
    eye: Array
    across: float  # half the walked ground's sides
    deep: float
    fine: float  # metres that a pixel of the frame sees on a person in the middle
    signs_share: float
    back: float = 0.0  # where the nearest wall behind stands
    left: float = -END
    right: float = END
    rectangles: list[Array] = field(default_factory=list)
    surfaces: list[Array] = field(default_factory=list)
    things: list[Solids] = field(default_factory=list)
    contacts: list[tuple[float, float, float, float]] = field(default_factory=list)
    signs: list[Sign] = field(default_factory=list)
    lane: Array = field(default_factory=lambda: np.zeros(6))
    earth: Array = field(default_factory=lambda: np.zeros(3))  # albedo of the walked ground

    def room(self) -> Room:
        """Tell where lamps may be."""
        return Room(self.left, self.right, self.back, self.deep, float(self.eye[1]), float(self.eye[2]))

    @property
    def near_end(self) -> float:
        """Tell how far the ground reaches on the camera's side."""
        return max(END, float(self.eye[2]) + 20.0)

    def seed(self, name: str) -> int:
        """Draw a pattern's seed."""
        return int(100_000 * self.draws.between(name))

    def rectangle(self, corner: Point, u: Point, v: Point, row: Array, shadow: bool = False) -> None:
        """Add a rectangle of a material; u x v is where it faces."""
        self.rectangles.append(np.array([*corner, *u, *v, len(self.surfaces), shadow]))
        self.surfaces.append(row)

    def strip(self, near: float, far: float, row: Array, y: float = 0.0) -> None:
        """Add a strip of ground along the street, between two depths."""
        self.rectangle((-END, y, near), (2 * END, 0, 0), (0, 0, far - near), row)
        if far <= 0.0 <= near:
            self.earth = row[m.COLOUR : m.COLOUR + 3]

    def wall(self, left: float, right: float, height: float, row: Array, z: float) -> None:
        """Add a wall that faces the camera's side."""
        row[m.TOP] = height
        self.rectangle((left, 0.0, z), (right - left, 0, 0), (0, height, 0), row)

    def put(self, kind: str, name: str, x: float, z: float, yaw: float = 0.0, shadow: bool = False) -> None:
        """Let a thing stand about, unless it stands in a wall or might hide somebody."""
        radius = {"car": 2.3, "tree": 0.4, "bicycle": 0.9, "bush": 0.8, "fence": 1.0}.get(kind, 0.4)
        wide = {"car": 1.0, "bicycle": 0.3}.get(kind, radius) if abs(math.cos(yaw)) > 0.8 else radius
        clear = z < -self.deep - 0.35 - wide or self.beside(x, z, radius)
        if not clear or z < self.back + wide + 0.05 or not self.left + radius < x < self.right - radius:
            return
        solids = occluders.KINDS[kind](Draws.of(self.draws.seed, int(self.draws.key), name))
        if not shadow:
            solids.cones[:, scene.SHADOW] = 0.0
        self.things.append(occluders.moved(solids, x, z, yaw))
        self.contacts.extend(touching(kind, x, z, yaw))

    def beside(self, x: float, z: float, radius: float) -> bool:
        """Tell whether a thing is outside everything between the camera and the walked ground."""
        across, deep = self.across + 0.8, self.deep + 0.8
        corners = ((-across, -deep), (-across, deep), (across, -deep), (across, deep))
        angles = [math.atan2(u - self.eye[0], self.eye[2] - v) for u, v in corners]
        away = math.hypot(x - self.eye[0], z - self.eye[2])
        angle, half = math.atan2(x - self.eye[0], self.eye[2] - z), math.asin(min(1.0, radius / max(away, 1e-6)))
        return angle + half < min(angles) or angle - half > max(angles)


def touching(kind: str, x: float, z: float, yaw: float) -> list[tuple[float, float, float, float]]:
    """Give the darkening of the ground under a thing."""
    if kind == "car":
        along = (math.cos(yaw), -math.sin(yaw))
        return [(x + t * along[0], z + t * along[1], 0.95, 0.8) for t in (-1.35, -0.45, 0.45, 1.35)]
    if kind == "bicycle":
        return [(x, z, 0.5, 0.2)]
    return [(x, z, {"bush": 0.9, "tree": 0.6, "fence": 0.3}.get(kind, 0.35), 0.5)]


def pick(stage: Stage, name: str, palette: Sequence[Colour]) -> Colour:
    """Choose a colour and shift it a little."""
    colour = palette[int(len(palette) * stage.draws.between(name))]
    red, green, blue = (c * stage.draws.between(f"{name} {i}", 0.88, 1.12) for i, c in enumerate(colour))
    return red, green, blue


def grey(stage: Stage, name: str, low: float, high: float, warm: float = 0.06) -> Colour:
    """Draw the colour of a stone."""
    light, tint = stage.draws.between(name, low, high), stage.draws.between(f"{name} tint", -0.3, 1.0) * warm
    return light * (1 + tint), light, light * (1 - 1.5 * tint)


def facade(stage: Stage, name: str, kind: int, front: int, **columns: float) -> Array:
    """Make a wall with windows; columns that are given replace what is drawn."""
    draws = stage.draws
    if kind == m.BRICK:
        colour, second = BRICKS[int(len(BRICKS) * draws.between(f"{name} brick"))]
    else:
        colour = pick(stage, f"{name} colour", CONCRETES if kind == m.PANELS else PLASTERS)
        second = (0.8 * colour[0], 0.8 * colour[1], 0.82 * colour[2])
    bay = draws.between(f"{name} bay", 2.1, 3.1)
    drawn = {
        "bay": bay, "storey": draws.between(f"{name} storey", 2.9, 3.5),
        "ground": draws.between(f"{name} ground", 3.2, 3.7),
        "wide": bay * draws.between(f"{name} wide", 0.4, 0.58), "tall": draws.between(f"{name} tall", 1.35, 1.9),
        "sill": draws.between(f"{name} sill", 0.75, 0.95), "panes": 1 + int(2.2 * draws.between(f"{name} panes")),
        "front": front, "lit": stage.signs_share, "seed": stage.seed(f"{name} pattern"), "fine": stage.fine,
    }  # fmt: skip
    row = material(kind, colour, second, **(drawn | columns))
    row[m.FRAME : m.FRAME + 3] = FRAMES[int(len(FRAMES) * draws.between(f"{name} frames"))]
    row[m.TRIM : m.TRIM + 3] = pick(stage, f"{name} trim", TRIMS)
    return row


def houses(stage: Stage, main: Array, z: float, low: float = 6.0, high: float = 14.0) -> None:
    """Put up the main house and its two neighbours, of other looks."""
    left = -stage.draws.between("house left", 9.0, 16.0)
    right = stage.draws.between("house right", 9.0, 16.0)
    stage.back = z
    stage.wall(left, right, stage.draws.between("house height", low, high), main, z)
    kinds = (m.PLASTER, m.BRICK, m.PANELS)
    for i, (start, end) in enumerate(((-END, left), (right, END))):
        kind = kinds[(int(main[m.KIND]) - m.PLASTER + 1 + i) % 3]
        row = facade(
            stage, f"neighbour {i}", kind, (m.WINDOWS, m.DOORS, m.SHOPS)[int(3 * stage.draws.between(f"front {i}"))]
        )
        stage.wall(start, end, stage.draws.between(f"neighbour {i} height", low, high), row, z)


def ground(stage: Stage, name: str, kind: int, colour: Colour, **columns: float) -> Array:
    """Make a ground; its x runs from the street's left end."""
    second = (0.85 * colour[0], 0.87 * colour[1], 0.9 * colour[2])
    drawn = {"seed": stage.seed(f"{name} pattern"), "fine": 1.5 * stage.fine, "cover_x": 1e3}
    return material(kind, colour, second, **(drawn | columns))


def slabs(stage: Stage, name: str = "slabs") -> Array:
    """Make a pavement of slabs, square or long, straight or turned."""
    size, style = stage.draws.between(f"{name} size", 0.3, 0.9), int(4 * stage.draws.between(f"{name} style"))
    turn = (0.0, 0.0, math.pi / 4, stage.draws.between(f"{name} turn", 0.0, 0.5))[style]
    across = (size, 0.5 * size, size, 0.66 * size)[style]
    colour = grey(stage, f"{name} colour", 0.16, 0.34)
    shift, cosine, sine = 0.5 * (style == 1), math.cos(turn), math.sin(turn)
    row = ground(stage, name, m.TILES, colour, along=size, across=across, shift=shift, cosine=cosine, sine=sine)
    return with_cover(stage, name, row)


def with_cover(stage: Stage, name: str, row: Array) -> Array:
    """Put a manhole cover into a ground."""
    row[m.COVER_X] = END + stage.draws.between(f"{name} cover x", -stage.across, stage.across)
    row[m.COVER_Y] = stage.draws.between(f"{name} cover y", 0.6, 3.0)
    return row


def tarmac(stage: Stage, name: str, **columns: float) -> Array:
    """Make a carriageway."""
    return ground(stage, name, m.ASPHALT, grey(stage, f"{name} colour", 0.08, 0.17, 0.03), **columns)


def stones(stage: Stage, name: str) -> Array:
    """Make a ground of cobbles, straight or turned."""
    size, turn = stage.draws.between(f"{name} size", 0.1, 0.17), stage.draws.between(f"{name} turn", -0.8, 0.8)
    colour, cosine, sine = grey(stage, f"{name} colour", 0.15, 0.28), math.cos(turn), math.sin(turn)
    return ground(stage, name, m.COBBLES, colour, along=1.25 * size, across=size, cosine=cosine, sine=sine)


def lawn(stage: Stage, name: str) -> Array:
    """Make a lawn."""
    dry = stage.draws.between(f"{name} dry", 0.0, 0.06)
    row = ground(stage, name, m.GRASS, (0.055 + dry, 0.115 + 0.4 * dry, 0.03))
    row[m.SECOND : m.SECOND + 3] = (0.2, 0.17, 0.08)
    return row


def road_ahead(stage: Stage) -> float:
    """Lay a road between the camera and the pavement, a step lower; give where the pavement begins."""
    edge = stage.deep + stage.draws.between("pavement", 0.5, 1.6)
    road = tarmac(stage, "road", marking=m.DASHES, marking_x=0.0, marking_y=3.0, marking_size=1.5)
    wide = stage.draws.between("road wide", 5.5, 7.0)
    stage.strip(edge + wide, edge + 0.3, road, -DROP)
    foreground(stage, edge + wide)
    gutter = ground(stage, "gutter", m.KERB, grey(stage, "gutter colour", 0.16, 0.24))
    stage.strip(edge + 0.3, edge, gutter, 0.01 - DROP)
    curb = ground(stage, "kerb", m.KERB, grey(stage, "kerb colour", 0.26, 0.4))
    stage.rectangle((-END, -DROP, edge), (2 * END, 0, 0), (0, DROP, 0), curb)
    stage.strip(edge, edge - 0.16, curb)
    drive(stage, edge + 1.8)
    return edge - 0.16


def foreground(stage: Stage, edge: float) -> None:
    """Lay what is on the camera's side of a road: a pavement, then a lawn, a car park or more of it."""
    far_end = edge + stage.draws.between("near pavement", 2.5, 4.5)
    stage.strip(far_end, edge, slabs(stage, "near slabs"))
    if stage.draws.chance("near lawn", 0.5):
        stage.strip(stage.near_end, far_end, lawn(stage, "near lawn"))
        return
    bays = tarmac(stage, "near bays", marking=m.PARKING, marking_x=0.7, marking_y=0.3, marking_size=4.8)
    stage.strip(far_end + 6.0, far_end, bays)
    stage.strip(stage.near_end, far_end + 6.0, tarmac(stage, "near yard"))


def drive(stage: Stage, z: float) -> None:
    """Let cars pass along the street at a depth."""
    way = 1.0 if stage.draws.chance("drive right", 0.5) else -1.0
    stage.lane = np.array([0.0, 0.65, z, way, 0.0, 0.0])


def sky(stage: Stage) -> None:
    """Close the picture with a sky."""
    blue: Colour = (0.42, 0.62, 0.93)
    row = material(m.SKY, blue, (0.86, 0.88, 0.9), seed=stage.seed("clouds"))
    stage.rectangle((-450, -1, -SKY_AWAY), (900, 0, 0), (0, 140, 0), row)


def sign(stage: Stage, name: str, x: float, y: float, wide: float, tall: float) -> None:
    """Hang a sign on the wall behind, lit or not."""
    board, letters = NEONS[int(len(NEONS) * stage.draws.between(f"{name} colour"))]
    lit = stage.draws.chance(f"{name} lit", min(1.0, 2.0 * stage.signs_share))
    row = material(m.SIGN, board, letters, seed=stage.seed(f"{name} letters"), width=wide, height=tall, power=3.0 * lit)
    stage.rectangle((x - wide / 2, y, stage.back + 0.12), (wide, 0, 0), (0, tall, 0), row)
    colour = np.add(board, 0.35 * np.array(letters))
    stage.signs.append(Sign(np.array([x, y + tall / 2, stage.back + 0.2]), colour, wide * tall, lit))


def along(stage: Stage, kind: str, count: int, z: float, yaw: float | None = 0.0, shadow: bool = False) -> None:
    """Let some things of a kind stand along the back at drawn places."""
    reach = stage.across + 3.0
    for i in range(count):
        x = reach * (2.0 * (i + stage.draws.between(f"{kind} {i} x", 0.15, 0.85)) / count - 1.0)
        turn = stage.draws.between(f"{kind} {i} yaw", 0, 2 * math.pi) if yaw is None else yaw
        stage.put(kind, f"{kind} {i}", x, z + stage.draws.between(f"{kind} {i} z", -0.2, 0.2), turn, shadow)
