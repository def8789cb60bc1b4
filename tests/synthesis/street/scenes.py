"""Small scenes made by hand and by chance; they do not change with the look of people."""

from collections.abc import Sequence

import numpy as np

from benchmark import keyed
from synthesis.street import materials
from synthesis.street import scene as table
from synthesis.street.scene import Array, Illumination, Scene, Solids, View

WIDTH, HEIGHT = 48, 24
COLOUR, GLOW = (0.7, 0.5, 0.3), (0.2, 0.4, 0.1)
WORLD = np.array([[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1.0]])  # a local frame that is the world's
UP, FLAT, BLACK = (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0)
Vector = Sequence[float] | Array


def unit(vector: Vector) -> Array:
    return np.asarray(np.asarray(vector, float) / np.linalg.norm(vector))


def view(eye: Vector = (0, 1.6, 8), at: Vector = (0, 0.9, 0), tall: float = 3.0) -> View:
    """Look at a point, where the picture is so many metres tall."""
    forward = unit(np.subtract(at, eye))
    right = unit(np.cross(forward, UP if abs(forward[1]) < 0.99 else FLAT))
    focal = 1080 * float(np.linalg.norm(np.subtract(at, eye))) / tall
    whole = View(np.asarray(eye, float), right, np.cross(right, forward), forward, focal)
    step = 1080 / HEIGHT
    return whole.window(960 - WIDTH * step / 2, 0, WIDTH, HEIGHT, step)


def cone(
    a: Vector,
    b: Vector,
    low: float,
    high: float | None = None,
    squash: float = 1.0,
    axis: Vector = (1, 0, 0),
    kind: int = table.CLOSED,
    owner: int = table.SUBJECT,
    near: Sequence[int] = (),
    shadow: int = 1,
    material: int = 0,
) -> Array:
    row = np.zeros(table.CONE)
    row[table.A : table.A + 3], row[table.B : table.B + 3] = a, b
    row[table.RA], row[table.RB] = low, low if high is None else high
    row[table.SQUASH], row[table.AXIS : table.AXIS + 3], row[table.KIND] = squash, unit(axis), kind
    row[table.OWNER], row[table.PART], row[table.SHADOW] = owner, table.TOP, shadow
    row[table.MATERIAL], row[table.NEAR : table.CONE] = material, [*near, *[-1] * (4 - len(near))]
    return row


def rectangle(corner: Vector, u: Vector, v: Vector, shadow: int = 0, material: int = 0) -> Array:
    return np.array([*corner, *u, *v, material, shadow], float)


def ground(size: float = 40.0) -> Array:
    return rectangle((-size, 0, size), (2 * size, 0, 0), (0, 0, -2 * size))


def lamp(
    position: Vector,
    power: float = 20.0,
    kind: int = table.POINT,
    direction: Vector = (0, -1, 0),
    spread: float = 0.0,
    radius: float = 0.0,
) -> Array:
    return np.array([*position, power, 0.8 * power, 0.5 * power, kind, *unit(direction), spread, radius], float)


def sun(toward: Vector, power: float = 0.9, radius: float = 0.0) -> Array:
    return lamp(60 * unit(toward), power, table.SUN, radius=radius)


def light(lamps: Sequence[Array] = (), above: Vector = BLACK, below: Vector = BLACK) -> Illumination:
    rows = np.array(lamps, float).reshape(-1, table.LIGHT)
    return Illumination(rows, np.asarray(above, float), np.asarray(below, float))


def build(
    cones: Sequence[Array] = (),
    rectangles: Sequence[Array] = (),
    night: Illumination | None = None,
    day: Illumination | None = None,
    contacts: Sequence[Vector] = (),
    look: View | None = None,
    paints: Sequence[Array] | None = None,
) -> Scene:
    """Put a scene together; without other paints all is of one colour, and glows a little."""
    if paints is None:
        paints = [materials.material(materials.GLOW, COLOUR, GLOW, power=0.5)]
    rows = np.array(paints)
    return Scene(
        look or view(),
        Solids(np.array(cones, float).reshape(-1, table.CONE), WORLD, rows),
        np.array(rectangles, float).reshape(-1, table.RECTANGLE),
        rows,
        np.array(contacts, float).reshape(-1, 4),
        day or light(),
        night or light(),
    )


class Draw:
    """Named numbers of one random scene."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, name: str, count: int, low: Vector | float, high: Vector | float) -> Array:
        """Draw rows between two bounds."""
        size = (count, np.size(low))
        counters = np.arange(size[0] * size[1], dtype=np.uint64).reshape(size)
        return np.asarray(low + keyed.uniform(self.seed, counters, name) * np.subtract(high, low))


def some_cones(draw: Draw, count: int, low: Vector, high: Vector, blend: bool) -> list[Array]:
    """Scatter cones of every sort: round and squashed, closed and open, of several owners."""
    a, way = draw("a", count, low, high), draw("way", count, (-0.5,) * 3, (0.5,) * 3)
    if blend:  # every other one hangs on the one before
        a[1::2] = (a + way)[:-1:2][: len(a[1::2])]
    radius, axis = draw("radius", count, (0.06, 0.06), (0.35, 0.35)), draw("axis", count, (-1,) * 3, (1,) * 3)
    sort = draw("sort", count, (0,) * 5, (1,) * 5)
    squash = np.where(sort[:, 4] < 0.4, 1, draw("squash", count, 0.4, 1.8)[:, 0])
    return [
        cone(
            a[i], a[i] + way[i], radius[i, 0], radius[i, 1], squash[i], axis[i],
            kind=table.OPEN if sort[i, 0] < 0.3 else table.CLOSED,
            owner=int(4 * sort[i, 1]) - 1,
            near=((i ^ 1) % count, (i + 3) % count) if blend else (),
            shadow=int(sort[i, 2] < 0.9),
            material=int(3 * sort[i, 3]),
        )
        for i in range(count)
    ]  # fmt: skip


def some_paints() -> list[Array]:
    """Two colours, and one paint with noise that tilts normals."""
    return [
        materials.material(materials.GLOW, COLOUR, GLOW, power=0.5),
        materials.material(materials.GLOW, (0.2, 0.3, 0.6)),
        materials.material(materials.FOLIAGE, (0.3, 0.4, 0.1), (0.1, 0.2, 0.1), seed=5, fine=0.01),
    ]


def street(seed: int, blend: bool = False, painted: bool = False, look: View | None = None) -> Scene:
    """Scatter cones in front of a wall, lit by the sun, and by a lamp, a lobe and a low lamp at night."""
    draw = Draw(seed)
    cones = some_cones(draw, 12, (-2, 0.2, -1), (2, 1.9, 1), blend)
    if not painted:
        for row in cones:
            row[table.MATERIAL] = 0
    places = draw("lamps", 3, (-6, 3, 1), (6, 8, 6))
    lamps = [
        lamp(places[0], 60, radius=0.1),
        lamp(places[1], 80, table.LOBE, np.subtract((0, 0.8, 0), places[1]), 6.0, radius=0.1),
        lamp((places[2, 0], 0.7, 7.0), 40),
    ]
    day = light([sun(draw("sun", 1, (-1, 0.5, 0.3), (1, 1.5, 1))[0], radius=0.5)], (0.34, 0.38, 0.48), (0.1, 0.1, 0.1))
    return build(
        cones,
        [ground(), rectangle((-7, 0, -3), (14, 0, 0), (0, 4.5, 0), shadow=1, material=2 if painted else 0)],
        light(lamps, (0.03, 0.025, 0.02), (0.01, 0.01, 0.01)),
        day,
        [(0, 0, 0.4, 0.5), (1, 0.5, 0.3, 0.4)] if blend else (),
        look,
        some_paints(),
    )


def some_beams(draw: Draw, count: int) -> list[Array]:
    """Lay long flat beams: seen from a light near by they reach from one side of the world to the other."""
    middle = draw("middle", count, (-2, 0.5, -2), (2, 3, 2))
    u, v = draw("u", count, (-1,) * 3, (1,) * 3), draw("v", count, (-1,) * 3, (1,) * 3)
    edges = [(30 * unit(u[i]), 0.4 * unit(np.cross(u[i], v[i]))) for i in range(count)]
    return [rectangle(middle[i] - edge / 2, edge, narrow, shadow=1) for i, (edge, narrow) in enumerate(edges)]


def surrounded(seed: int) -> Scene:
    """Put the eye and the lights among the cones: bodies beside, behind, and around what looks at them."""
    draw = Draw(seed)
    eye, at = draw("eye", 1, (-1, 0.3, -1), (1, 1.8, 1))[0], draw("at", 1, (-3,) * 3, (3,) * 3)[0]
    lamps = draw("lamps", 2, (-2, 0.2, -2), (2, 2.5, 2))
    return build(
        some_cones(draw, 24, (-2.5, -0.2, -2.5), (2.5, 2.2, 2.5), blend=True),
        [ground(6), rectangle((-1.5, 0, 2), (3, 0, 0.4), (0, 1.5, 0), shadow=1), *some_beams(draw, 3)],
        light([lamp(place, 5.0, radius=0.05) for place in lamps], (0.1, 0.1, 0.1)),
        light([sun(np.add(at, (0, 4, 0)))], (0.3, 0.3, 0.4), (0.1, 0.1, 0.1)),
        look=view(eye, eye + unit(at), tall=1.6),
        paints=some_paints(),
    )
