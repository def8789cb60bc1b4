"""The tracer once more, in plain NumPy: slow, short, and the readable definition of what a picture is.

The kernel of trace.py must agree with it. It asks every ray about every body, and has no grid, no known origins and no
compiled code. The formulas are those of a rounded cone (a sphere that rolls along a straight line while its radius
changes evenly), in the space that a cone's squash makes round.
"""

import functools
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthesis.street import cloth, surfaces
from synthesis.street import scene as table
from synthesis.street.scene import Array, Illumination, Scene
from synthesis.street.trace import (
    BLEND,
    BODY_FADE,
    BODY_SHADE,
    FOOT,
    LIFT,
    SAMPLES,
    SHORT,
    SOFT,
    STEP,
    SURFACE_KINDS,
    Pixels,
    Rendering,
)

NEAREST = 1e-4  # metres: what a ray meets before is where it starts
LEVEL = 0.9  # a normal that points up more than this belongs to the ground

Rows = NDArray[np.intp]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Cone:
    """A cone as the sphere (0, low) and the sphere (core, high), in the space that makes both round."""

    row: Array
    core: Array
    low: float
    high: float

    @classmethod
    def of(cls, row: Array) -> "Cone":
        """Read a row of the table."""
        core = _stretch(row, row[table.B : table.B + 3] - row[table.A : table.A + 3])
        return cls(row, core, float(row[table.RA]), float(row[table.RB]))

    @property
    def narrowing(self) -> float:
        """The first radius less the second one."""
        return self.low - self.high

    @property
    def straight(self) -> float:
        """The square of the side's length; not above 0 where one sphere holds the other."""
        return float(self.core @ self.core) - self.narrowing**2

    def into(self, points: Array) -> Array:
        """Move points of the world into the stretched space."""
        return _stretch(self.row, points - self.row[table.A : table.A + 3])

    def foot(self, inside: Array) -> Array:
        """Give the share of the core where the middle of the nearest sphere lies."""
        if self.straight <= 0:
            return np.full(len(inside), 0.0 if self.low >= self.high else 1.0)
        length, along = float(self.core @ self.core), inside @ self.core
        aside = np.maximum(_square(inside) * length - along * along, 0) / self.straight
        return np.asarray(np.clip((along - self.narrowing * np.sqrt(aside)) / length, 0, 1))

    def surface(self, points: Array) -> tuple[Array, Array]:
        """Give the outward unit normal at points, and their signed distance from the surface, to first order."""
        inside = self.into(points)
        foot = self.foot(inside)
        away = inside - foot[:, None] * self.core
        length = np.maximum(np.sqrt(_square(away)), 1e-12)
        # The stretch is symmetric, so a gradient comes back into the world through the stretch itself.
        gradient = _stretch(self.row, away / length[:, None])
        steepness = np.sqrt(_square(gradient))
        return gradient / steepness[:, None], (length - self.low + foot * self.narrowing) / steepness

    def meets(self, origins: Array, aim: Array) -> Array:
        """Give the distance along rays to the surface, infinite where it is not met."""
        start, way = self.into(origins), _stretch(self.row, aim)
        if self.row[table.KIND] == table.OPEN:
            return _nearest(*self._side(start, way))
        ends = (_ball(start, way, self.low)[0], _ball(start - self.core, way, self.high)[0])
        return _nearest(self._side(start, way)[0], *ends)

    def _side(self, start: Array, way: Array) -> tuple[Array, Array]:
        """Give the distances where rays enter and leave the straight side, infinite where they do not."""
        if self.straight <= 0:
            return np.full(len(way), np.inf), np.full(len(way), np.inf)
        length, lift = float(self.core @ self.core), self.low * self.narrowing
        rise, along = way @ self.core, start @ self.core
        across = (start * way).sum(axis=1)
        a = self.straight * _square(way) - rise * rise
        b = self.straight * across - along * rise + lift * rise
        c = self.straight * _square(start) - along * along + 2 * lift * along - self.low**2 * length
        found = []
        for root in _roots(a, b, c):
            height = along + np.where(np.isfinite(root), root, 0) * rise - lift
            found.append(np.where((height > 0) & (height < self.straight), root, np.inf))
        return found[0], found[1]


@dataclass(frozen=True)
class Rectangle:
    """A flat rectangle, seen from both sides."""

    row: Array
    corner: Array
    u: Array
    v: Array

    @classmethod
    def of(cls, row: Array) -> "Rectangle":
        """Read a row of the table."""
        return cls(row, *(row[column : column + 3] for column in (table.CORNER, table.EDGE_U, table.EDGE_V)))

    @property
    def normal(self) -> Array:
        """The unit normal, on the side from which u turns to v against the clock."""
        return _unit(np.cross(self.u, self.v))

    def along(self, points: Array) -> tuple[Array, Array]:
        """Give the metres along both edges from the corner."""
        away = points - self.corner
        return away @ _unit(self.u), away @ _unit(self.v)

    def meets(self, origins: Array, aim: Array) -> Array:
        """Give the distance along rays to the rectangle, infinite where it is not met."""
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = ((self.corner - origins) @ self.normal) / (aim @ self.normal)
        distance = np.where(np.isfinite(distance), distance, 0)
        u, v = self.along(origins + distance[:, None] * aim)
        inside = (u >= 0) & (v >= 0) & (u <= np.linalg.norm(self.u)) & (v <= np.linalg.norm(self.v))
        return np.where(inside & (distance > NEAREST), distance, np.inf)


Body = Cone | Rectangle


@dataclass(frozen=True)
class Samples:
    """What rays see; the rows of arrays are the rays."""

    day: Array
    night: Array
    irradiance: Array
    albedo: Array
    emission: Array
    normal: Array
    depth: Array
    owner: Rows
    part: Rows
    body: Rows  # a cone's row, then the rectangles'; -1 nothing
    seen: Array  # (rays, lights): the share of each light that is seen
    amodal: Flags  # whether the subject is there, in front or behind


@dataclass(frozen=True)
class Coat:
    """What a body is painted with, and the axes that the painting is laid out in."""

    material: Array
    part: float
    origin: Array
    axes: Array  # rows: right, up, forward; a rectangle is flat, and has no third one


def trace(scene: Scene, quality: str = "fast") -> Rendering:
    """Trace a scene. `full` softens shadows, and averages four samples where two bodies meet in a pixel."""
    full, size = quality == "full", (scene.view.height, scene.view.width)
    disc = range(len(SOFT)) if full else None
    middle = look(scene, aims(scene, *SAMPLES[0]), disc)
    day, night = middle.day.copy(), middle.night.copy()
    if full:
        edge = edges(middle, size).ravel()
        samples = [look(scene, aims(scene, *place)[edge], range(k, k + 1)) for k, place in enumerate(SAMPLES[1:])]
        day[edge], night[edge] = (np.mean([getattr(one, name) for one in samples], axis=0) for name in ("day", "night"))

    def image(rows: Array) -> Pixels:
        return rows.reshape(*size, *rows.shape[1:]).astype(np.float32)

    return Rendering(
        day=image(day),
        night=image(night),
        irradiance=image(middle.irradiance),
        albedo=image(middle.albedo),
        emission=image(middle.emission),
        normal=image(middle.normal),
        depth=image(middle.depth),
        mask=(middle.owner == table.SUBJECT).reshape(size),
        part=middle.part.reshape(size).astype(np.int8),
        visible=(255 * middle.seen + 0.5).reshape(*size, middle.seen.shape[1]).astype(np.uint8),
        owner=middle.owner.reshape(size).astype(np.int8),
        amodal=middle.amodal.reshape(size),
    )


def aims(scene: Scene, x: float, y: float) -> Array:
    """Give the unit direction through every pixel, at a place in it: (0, 0) is its middle, a half its rim."""
    view = scene.view
    across = view.left + (np.arange(view.width) + 0.5 + x) * view.step - table.FRAME_WIDTH / 2
    down = view.top + (np.arange(view.height) + 0.5 + y) * view.step - table.FRAME_HEIGHT / 2
    right, below = (grid.ravel()[:, None] / view.focal for grid in np.meshgrid(across, down))
    return _unit(view.forward + right * view.right - below * view.up)


def edges(seen: Samples, size: tuple[int, int]) -> Flags:
    """Tell the pixels that an edge divides from one beside them, above, or below."""
    near = np.where(np.isfinite(seen.depth), seen.depth, 0)
    body, owner, part, depth = (each.reshape(size) for each in (seen.body, seen.owner, seen.part, near))
    found = np.zeros(size, bool)
    for here, there in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        step = np.abs(depth[here] - depth[there]) > STEP
        # Within a person it takes more than another cone: where two cones of a limb meet there is no edge.
        other = (part[here] != part[there]) | (owner[here] != owner[there]) | (owner[here] < 0) | step
        edge = (body[here] != body[there]) & other
        found[here] |= edge
        found[there] |= edge
    return found


def look(scene: Scene, aim: Array, disc: range | None) -> Samples:
    """Follow rays from the eye, and light what they meet: from the middle of lamps, or from points of their discs."""
    bodies = _bodies(scene)
    eye = np.broadcast_to(scene.view.eye, aim.shape)
    depth, body = _first(bodies, eye, aim)
    mine = [Cone.of(row) for row in scene.solids.cones if row[table.OWNER] == table.SUBJECT]
    amodal, met = _first(mine, eye, aim)[1] >= 0, body >= 0
    points = scene.view.eye + np.where(met, depth, 0)[:, None] * aim
    flat, bent, painted = _surfaces(scene, bodies, body, points, aim)
    owner = _owners(scene)[body]
    air = np.where(met, _open_air(scene, body, owner, points, flat), 0)
    by_day, seen_by_day = _irradiance(scene, scene.day, points, flat, bent, air, disc)
    by_night, seen_by_night = _irradiance(scene, scene.night, points, flat, bent, air, disc)
    albedo, emission = painted[:, 0:3], painted[:, 3:6]
    part = np.where(owner == table.SUBJECT, painted[:, 6], table.BACKGROUND).astype(int)
    seen = np.concatenate([seen_by_day, seen_by_night], axis=1)
    day, night = albedo * by_day, albedo * by_night + emission
    return Samples(day, night, by_night, albedo, emission, bent, depth, owner, part, body, seen, amodal)


def _bodies(scene: Scene) -> list[Body]:
    return [*map(Cone.of, scene.solids.cones), *map(Rectangle.of, scene.rectangles)]


def _owners(scene: Scene) -> Rows:
    # One more at the end, where the body -1 looks.
    nobody = np.full(len(scene.rectangles) + 1, table.THING)
    return np.append(scene.solids.cones[:, table.OWNER].astype(int), nobody)


def _first(bodies: Sequence[Body], origins: Array, aim: Array) -> tuple[Array, Rows]:
    """Give the distance to the first body that each ray meets, and which it is: infinite and -1 for none."""
    if not bodies:
        return np.full(len(aim), np.inf), np.full(len(aim), -1)
    distances = np.stack([body.meets(origins, aim) for body in bodies])
    depth = np.asarray(distances.min(axis=0))
    return depth, np.where(np.isfinite(depth), distances.argmin(axis=0), -1)


def _surfaces(scene: Scene, bodies: list[Body], body: Rows, points: Array, aim: Array) -> tuple[Array, Array, Array]:
    """Give the true normals where rays end, the ones that light sees, and what the painting says."""
    flat, bent = np.zeros_like(points), np.zeros_like(points)
    painted = np.zeros((len(points), table.OUT))
    for which in np.unique(body[body >= 0]):
        rows, coat = body == which, _coat(scene, which)
        flat[rows], blended = _normals(bodies, bodies[which], points[rows], aim[rows])
        painted[rows] = [_painted(coat, *place) for place in (points[rows] - coat.origin) @ coat.axes.T]
        bent[rows] = _unit(blended + painted[rows, 7:10] @ coat.axes)
    return flat, bent, painted


def _normals(bodies: list[Body], body: Body, points: Array, aim: Array) -> tuple[Array, Array]:
    """Give the true normals, towards the viewer, and those that flow into the neighbours' (of any length)."""
    if isinstance(body, Rectangle):
        normal = np.where((aim @ body.normal > 0)[:, None], -body.normal, body.normal)
        return normal, normal
    normal, _ = body.surface(points)
    blended = normal.copy()
    for row in body.row[table.NEAR : table.CONE].astype(int):
        if row >= 0 and isinstance(other := bodies[row], Cone):
            theirs, distance = other.surface(points)
            blended += (np.maximum(1 - np.abs(distance) / BLEND, 0) ** 2)[:, None] * theirs
    inner = (normal * aim).sum(axis=1) > 0 if body.row[table.KIND] == table.OPEN else np.zeros(len(aim), bool)
    side = np.where(inner, -1, 1)[:, None]
    return side * normal, side * blended


def _coat(scene: Scene, body: int) -> Coat:
    cones, solids = len(scene.solids.cones), scene.solids
    if body < cones:
        row = solids.cones[body]
        frame = solids.frames[int(row[table.FRAME])]
        return Coat(solids.materials[int(row[table.MATERIAL])], row[table.PART], frame[:3], frame[3:].reshape(3, 3))
    one = Rectangle.of(scene.rectangles[body - cones])
    axes = np.stack([_unit(one.u), _unit(one.v), np.zeros(3)])
    return Coat(scene.surfaces[int(one.row[table.RECTANGLE_MATERIAL])], table.BACKGROUND, one.corner, axes)


def _painted(coat: Coat, x: float, y: float, z: float) -> Array:
    out = np.zeros(table.OUT)
    out[6] = coat.part
    paint = _uncompiled(cloth.paint if coat.material[0] < SURFACE_KINDS else surfaces.paint)
    paint(coat.material, float(x), float(y), float(z), out)
    return out


@functools.cache
def _uncompiled(function: Any) -> Callable[..., None]:  # noqa: ANN401 - a compiled function has no type of its own
    """Take a compiled function, and those that it calls, as the plain Python they are written in."""
    plain = function.py_func
    names = {name: _plain(plain.__globals__[name]) for name in plain.__code__.co_names if name in plain.__globals__}
    return types.FunctionType(plain.__code__, names, plain.__name__, plain.__defaults__)


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a function's text can name
    if hasattr(value, "py_func"):
        return _uncompiled(value)
    if isinstance(value, types.ModuleType) and value.__name__.startswith("synthesis."):
        return types.SimpleNamespace(**{name: _plain(each) for name, each in vars(value).items() if name[0] != "_"})
    return value


def _open_air(scene: Scene, body: Rows, owner: Rows, points: Array, flat: Array) -> Array:
    """Give the share of the fill that arrives: less on people's legs, and on the ground where something touches it."""
    height = np.clip(points[:, 1] / BODY_FADE, 0, 1)
    ground = (body >= len(scene.solids.cones)) & (points[:, 1] < FOOT) & (flat[:, 1] > LEVEL)
    left = np.ones(len(points))
    for x, z, radius, strength in scene.contacts:
        away = (points[:, 0] - x) ** 2 + (points[:, 2] - z) ** 2
        left *= 1 - strength * np.exp(-away / radius**2)
    return np.where(owner >= 0, BODY_SHADE + (1 - BODY_SHADE) * height, np.where(ground, left, 1.0))


def _irradiance(
    scene: Scene, light: Illumination, points: Array, flat: Array, bent: Array, air: Array, disc: range | None
) -> tuple[Array, Array]:
    """Add up the fill and the lights that are seen: the irradiance, and the share of each light."""
    up = bent[:, 1:2]
    total = air[:, None] * (light.above * (0.5 + 0.5 * up) + light.below * (0.5 - 0.5 * up))
    seen = np.zeros((len(points), len(light.lights)))
    for column, lamp in enumerate(light.lights):
        way = lamp[table.POSITION : table.POSITION + 3] - points
        far = np.sqrt(_square(way))
        toward = way / far[:, None]
        facing = (bent * toward).sum(axis=1)
        arriving = np.maximum(facing, 0) * _fall(lamp, far, toward)
        rows = np.flatnonzero((arriving > 0) & ((flat * toward).sum(axis=1) > 0))
        seen[rows, column] = _share(scene, lamp, points[rows] + LIFT * flat[rows], disc)
        total += (seen[:, column] * arriving)[:, None] * lamp[table.INTENSITY : table.INTENSITY + 3]
    return total, seen


def _fall(lamp: Array, far: Array, toward: Array) -> Array:
    """Give how much of a light's intensity arrives; `toward` is the unit way to the light."""
    if lamp[table.LIGHT_KIND] == table.SUN:
        return np.ones(len(far))
    fall = 1 / (np.pi * np.maximum(far * far, 0.25))
    if lamp[table.LIGHT_KIND] == table.LOBE:
        beam = -toward @ lamp[table.DIRECTION : table.DIRECTION + 3]
        fall = fall * np.maximum(beam, 0) ** lamp[table.SPREAD]
    return np.asarray(fall)


def _share(scene: Scene, lamp: Array, points: Array, disc: range | None) -> Array:
    """Give the share of a light that points see, looking from the light."""
    if disc is None:
        return _free(scene, lamp[table.POSITION : table.POSITION + 3], points)
    free = np.stack([_free(scene, origin, points) for origin in _disc(lamp)[disc.start : disc.stop]])
    # Where the first two, which are opposite points, agree, the others go unasked.
    return np.asarray(np.where(free[:2].mean(axis=0) == 0.5, free.mean(axis=0), free[0]))


def _free(scene: Scene, origin: Array, points: Array) -> Array:
    """Give 1 for the points that can be seen from an origin."""
    cones = [Cone.of(row) for row in scene.solids.cones if row[table.SHADOW] == 1]
    flats = [Rectangle.of(row) for row in scene.rectangles if row[table.RECTANGLE_SHADOW] == 1]
    way = points - origin
    far = np.sqrt(_square(way))
    met, _ = _first([*cones, *flats], np.broadcast_to(origin, way.shape), way / far[:, None])
    return (met >= far - SHORT).astype(float)


def _disc(lamp: Array) -> Array:
    """Spread points over a lamp's disc, which faces one metre above the middle of the scene."""
    position = lamp[table.POSITION : table.POSITION + 3]
    away = position - np.array([0.0, 1.0, 0.0])
    across = _unit(np.cross(away, [0.0, 1.0, 0.001]))
    over = _unit(np.cross(away, across))
    return np.stack([position + lamp[table.RADIUS] * (x * across + y * over) for x, y in SOFT])


def _stretch(row: Array, vectors: Array) -> Array:
    axis = row[table.AXIS : table.AXIS + 3]
    return np.asarray(vectors + (row[table.SQUASH] - 1) * np.expand_dims(vectors @ axis, -1) * axis)


def _square(vectors: Array) -> Array:
    return np.asarray((vectors * vectors).sum(axis=-1))


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.sqrt(_square(vectors))[..., None])


def _ball(start: Array, way: Array, radius: float) -> tuple[Array, Array]:
    return _roots(_square(way), (start * way).sum(axis=1), _square(start) - radius * radius)


def _roots(a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    """Solve a t^2 + 2 b t + c = 0: first where the left side falls (the way in), then where it rises (out)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(b * b - a * c)
        # Each root has two forms; the one that adds numbers of one sign keeps its digits.
        into = np.where(b < 0, c / (root - b), (-b - root) / a)
        out = np.where(b < 0, (root - b) / a, -c / (b + root))
    return np.where(np.isfinite(into), into, np.inf), np.where(np.isfinite(out), out, np.inf)


def _nearest(*distances: Array) -> Array:
    ahead = [np.where(distance > NEAREST, distance, np.inf) for distance in distances]
    return np.asarray(np.min(ahead, axis=0))
