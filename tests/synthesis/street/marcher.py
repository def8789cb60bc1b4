"""A slow second opinion on the tracer: it walks along rays by distance functions, and shares no formula with it.

Shadow rays go from the surface to the light (the tracer goes the other way), normals are differences of the distance.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthesis.street import scene as table
from synthesis.street.scene import Array, Illumination, Scene

NEAR_ENOUGH, FAR, STEPS, HEAD_START, SHADOW_OFFSET, SHADOW_GAP = 1e-7, 200.0, 3000, 2e-5, 0.015, 0.02
Distance = Callable[[Array], Array]


@dataclass(frozen=True)
class Sight:
    """What a ray meets first: the distance (infinite: nothing), the outward normal, and which body."""

    distance: Array
    normal: Array
    body: NDArray[np.intp]  # a cone's row, then the rectangles'; -1 nothing


def cone(row: Array) -> Distance:
    """Give the distance from a rounded cone, in the half plane through its axis: along it, and away from it."""
    a, b, axis = row[table.A : table.A + 3], row[table.B : table.B + 3], row[table.AXIS : table.AXIS + 3]
    squash, low, high = row[table.SQUASH], row[table.RA], row[table.RB]
    core = b - a + (squash - 1) * ((b - a) @ axis) * axis
    length = float(np.linalg.norm(core))
    sine = np.clip((low - high) / length, -1, 1) if length > 0 else np.sign(low - high)
    cosine = np.sqrt(1 - sine * sine)

    def distance(points: Array) -> Array:
        away = points - a
        away = away + (squash - 1) * (away @ axis)[:, None] * axis
        along = away @ (core / length) if length > 0 else np.zeros(len(away))
        aside = np.sqrt(np.maximum((away * away).sum(axis=1) - along * along, 0))
        rise = along * cosine - aside * sine  # along the straight side, from where it leaves the first sphere
        first, second = np.hypot(along, aside) - low, np.hypot(along - length, aside) - high
        side = along * sine + aside * cosine - low
        if row[table.KIND] == table.OPEN:  # a sheet: its rims are what is nearest beyond its ends
            over = np.maximum(np.maximum(-rise, rise - length * cosine), 0)
            return np.asarray(np.hypot(side, over) / max(squash, 1))
        hull = np.where(rise < 0, first, np.where(rise > length * cosine, second, side))
        return np.asarray(hull / max(squash, 1))

    return distance


def rectangle(row: Array) -> Distance:
    """Give the distance from a flat rectangle."""
    corner, u, v = row[table.CORNER :][:3], row[table.EDGE_U :][:3], row[table.EDGE_V :][:3]

    def distance(points: Array) -> Array:
        away = points - corner
        nearest = np.zeros_like(away)
        for edge in (u, v):
            nearest = nearest + np.clip(away @ edge / (edge @ edge), 0, 1)[:, None] * edge
        return np.asarray(np.linalg.norm(away - nearest, axis=1))

    return distance


def bodies(scene: Scene) -> list[Distance]:
    """Give every body's distance function, in the order of the tables."""
    return [cone(row) for row in scene.solids.cones] + [rectangle(row) for row in scene.rectangles]


def rays(scene: Scene) -> Array:
    """Give the direction through the middle of every pixel."""
    view = scene.view
    across = view.left + (np.arange(view.width) + 0.5) * view.step - table.FRAME_WIDTH / 2
    down = view.top + (np.arange(view.height) + 0.5) * view.step - table.FRAME_HEIGHT / 2
    across, down = (grid.ravel() for grid in np.meshgrid(across, down))
    aim = view.focal * view.forward + across[:, None] * view.right - down[:, None] * view.up
    return np.asarray(aim / np.linalg.norm(aim, axis=1, keepdims=True))


def march(distances: list[Distance], origins: Array, aim: Array, reach: Array) -> tuple[Array, NDArray[np.intp]]:
    """Walk until something is near enough: the way gone (infinite where nothing is met), and what was met."""
    gone, met = np.full(len(origins), np.inf), np.full(len(origins), -1)
    rows, way = np.arange(len(origins)), np.zeros(len(origins))
    for _ in range(STEPS):
        if not len(rows) or not distances:
            return gone, met
        away = np.stack([distance(origins[rows] + way[:, None] * aim[rows]) for distance in distances])
        least = away.min(axis=0)
        arrived = least < NEAR_ENOUGH
        gone[rows[arrived]], met[rows[arrived]] = way[arrived], away.argmin(axis=0)[arrived]
        way = way + least
        keep = ~arrived & (way < reach[rows])
        rows, way = rows[keep], way[keep]
    gone[rows], met[rows] = np.nan, -2  # along a surface for ever: no opinion
    return gone, met


def see(scene: Scene) -> Sight:
    """Find what every pixel shows."""
    distances, aim = bodies(scene), rays(scene)
    eye = np.broadcast_to(scene.view.eye, aim.shape)
    gone, met = march(distances, eye, aim, np.full(len(aim), FAR))
    normal = np.zeros_like(aim)
    for body in np.unique(met[met >= 0]):
        rows = met == body
        # A little before the surface: a sheet's distance has no slope on the sheet itself.
        normal[rows] = slope(distances[body], (eye + (gone[:, None] - HEAD_START) * aim)[rows])
    return Sight(gone, normal, met)


def lit(scene: Scene, points: Array, normals: Array, light: Array) -> NDArray[np.bool_]:
    """Tell which points see a light, walking from the surface."""
    cones = [cone(row) for row in scene.solids.cones if row[table.SHADOW] == 1]
    flats = [rectangle(row) for row in scene.rectangles if row[table.RECTANGLE_SHADOW] == 1]
    start = points + SHADOW_OFFSET * normals
    way = light[table.POSITION : table.POSITION + 3] - start
    reach = np.linalg.norm(way, axis=1)
    aim = way / reach[:, None]
    _, met = march(cones + flats, start + SHADOW_GAP * aim, aim, reach - SHADOW_GAP)
    return np.asarray(met == -1)


def irradiance(scene: Scene, light: Illumination, points: Array, normals: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Light points of things that nothing touches, by the formula: the irradiance, and which lights arrive."""
    up = normals[:, 1:2]
    total = light.above * (0.5 + 0.5 * up) + light.below * (0.5 - 0.5 * up)
    seen = np.zeros((len(points), len(light.lights)), bool)
    for column, lamp in enumerate(light.lights):
        way = lamp[table.POSITION : table.POSITION + 3] - points
        far = np.linalg.norm(way, axis=1)
        cosine = (way * normals).sum(axis=1) / far
        fall = 1 / (np.pi * np.maximum(far * far, 0.25)) if lamp[table.LIGHT_KIND] != table.SUN else np.ones(len(far))
        if lamp[table.LIGHT_KIND] == table.LOBE:
            beam = -(way @ lamp[table.DIRECTION : table.DIRECTION + 3]) / far
            fall = fall * np.maximum(beam, 0) ** lamp[table.SPREAD]
        turned = np.flatnonzero(cosine > 0)
        seen[turned, column] = lit(scene, points[turned], normals[turned], lamp)
        arriving = seen[:, column] * cosine * fall
        total = total + arriving[:, None] * lamp[table.INTENSITY : table.INTENSITY + 3]
    return total, seen


def slope(distance: Distance, points: Array, step: float = 1e-6) -> Array:
    """Give the direction in which a distance grows, by differences."""
    sides = [distance(points + step * unit) - distance(points - step * unit) for unit in np.eye(3)]
    slope = np.stack(sides, axis=1)
    return np.asarray(slope / np.linalg.norm(slope, axis=1, keepdims=True))
