"""The lights of a place: street lamps, signs, passing cars, the sun and the sky."""

import math
from dataclasses import dataclass

import numpy as np

from synthesis.street import scene
from synthesis.street.config import Difficulty, World
from synthesis.street.draws import Draws
from synthesis.street.scene import Array, Illumination

STRENGTH = 30.0  # what world.lamps.power is relative to
HEADLIGHT, HEADLIGHT_KELVIN = 25.0, 4300.0
HEAD = 2.1  # nobody's is higher
MOST_LIGHTS = 4  # that cast shadows at one time: each costs a ray per pixel
SUN_AWAY, SUN_RADIUS = 60.0, 0.28
SUN, CLEAR, CLOUDY = np.array([0.9, 0.855, 0.774]), np.array([0.336, 0.384, 0.480]), np.array([0.58, 0.60, 0.63])
DOWN = np.array([0.0, -1.0, 0.0])
TOWN = np.array([1.0, 0.8, 0.6])
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True)
class Mood:
    """What a difficulty does to the lights of the night: how strong, how far, how much town, how much of their hue."""

    power: float
    away: float
    town: float
    hue: float


MOODS: dict[Difficulty, Mood] = {
    "easy": Mood(1.2, 0.85, 3.0, 0.4),
    "normal": Mood(1.0, 1.0, 1.0, 0.6),
    "hard": Mood(0.5, 1.4, 0.6, 1.3),
}


@dataclass(frozen=True)
class Lamp:
    """A street lamp."""

    x: float
    y: float
    z: float
    kelvin: float
    intensity: float
    colour: tuple[float, float, float]
    post: bool  # it stands on a post of its own; else it hangs over the street


@dataclass(frozen=True)
class Room:
    """Where lamps may be: in front of the walls, and not right over the people."""

    left: float
    right: float
    back: float
    deep: float  # half the depth of the walked ground
    eye_y: float
    eye_z: float


def kelvin(temperature: float) -> Array:
    """Give the linear RGB of a black body's light, brightest channel 1 (after T. Helland's fit, gamma 2.2)."""
    t = temperature / 100.0
    red = 1.0 if t <= 66 else 1.293 * (t - 60) ** -0.1332
    green = 0.39008 * math.log(t) - 0.63184 if t <= 66 else 1.1299 * (t - 60) ** -0.0755
    blue = 0.0 if t <= 19 else 1.0 if t >= 66 else 0.54321 * math.log(t - 10) - 1.19625
    linear: Array = np.clip([red, green, blue], 0.02, 1.0) ** 2.2
    linear /= linear.max()
    return linear


def lamps(world: World, draws: Draws, room: Room) -> tuple[Lamp, ...]:
    """Hang the lamps of a place: in turn behind the walked ground and on the camera's side."""
    low, high = world.lamps.count
    count = low + int((high - low + 1) * draws.between("lamps"))
    ahead = draws.chance("first lamp is behind", 0.5)
    return tuple(lamp(world, draws, room, i, behind=(i % 2 == 0) == ahead) for i in range(count))


def lamp(world: World, draws: Draws, room: Room, i: int, behind: bool) -> Lamp:
    """Hang one lamp."""
    mood = MOODS[world.difficulty]
    family = world.lamps.kelvin[int(len(world.lamps.kelvin) * draws.between(f"lamp {i} family"))]
    temperature = draws.between(f"lamp {i} kelvin", *family)
    colour = kelvin(temperature) ** mood.hue
    power = STRENGTH * mood.power * draws.between(f"lamp {i} power", *world.lamps.power)
    x = min(max(mood.away * draws.between(f"lamp {i} x", -6.0, 6.0), room.left + 0.4), room.right - 0.4)
    near = (-room.deep - 0.6, -room.deep - 5.0) if behind else (room.deep + 0.4, room.deep + 5.0)
    z = mood.away * draws.between(f"lamp {i} z", *near)
    z = min(max(z, room.back + 0.45), max(room.eye_z + 2.0, room.deep + 0.4))
    # Above the way from the eye to anybody's head: a lamp hides nobody.
    sight = HEAD + (room.eye_y - HEAD) * min(1.0, max(0.0, z + room.deep) / (room.eye_z + room.deep))
    y = max(draws.between(f"lamp {i} height", *world.lamps.height), sight + 0.7)
    return Lamp(x, y, z, temperature, power, (colour[0], colour[1], colour[2]), behind)


def light(at: Array, colour: Array, kind: int, radius: float, direction: Array = DOWN, spread: float = 0.0) -> Array:
    """Make a row of the table of lights."""
    row = np.zeros(scene.LIGHT)
    row[scene.POSITION : scene.INTENSITY], row[scene.INTENSITY : scene.LIGHT_KIND] = at, colour
    row[scene.LIGHT_KIND], row[scene.SPREAD], row[scene.RADIUS] = kind, spread, radius
    row[scene.DIRECTION : scene.SPREAD] = direction
    return row


def lamp_light(lamp: Lamp) -> Array:
    """Make the light of a street lamp."""
    at, colour = np.array([lamp.x, lamp.y, lamp.z]), lamp.intensity * np.array(lamp.colour)
    return light(at, colour, scene.POINT, 0.15)


def day(draws: Draws, earth: Array) -> Illumination:
    """Make the sun and the sky of a walk; the sun stands on the camera's side of the street."""
    height = math.radians(draws.between("sun height", 12.0, 65.0))
    return day_of(height, math.radians(draws.between("sun side", -80.0, 80.0)), draws.between("clouds"), earth)


def day_of(height: float, side: float, clouds: float, earth: Array) -> Illumination:
    """Make the light of a sun at a height and a side (radians) behind some clouds; the ground throws it back."""
    direction = np.array([math.cos(height) * math.sin(side), math.sin(height), math.cos(height) * math.cos(side)])
    low = math.exp(-4.0 * math.sin(height))
    sun = SUN * (1.0 - clouds**2) * (1.0 - low * np.array([0.1, 0.3, 0.55]))
    above = (CLEAR + clouds * (CLOUDY - CLEAR)) * (0.7 + 0.3 * math.sin(height))
    below = earth * (above + sun * math.sin(height))
    return Illumination(light(SUN_AWAY * direction, sun, scene.SUN, SUN_RADIUS)[None], above, below)


def headlights(draws: Draws, lane: Array, seconds: float) -> Array:
    """Make the lights of a car that drives along a lane: start, direction (3 + 3), here at a moment."""
    speed, ahead = draws.between("car speed", 4.0, 11.0), draws.between("car ahead", 4.0, 13.0)
    start, direction = lane[:3], lane[3:]
    at = start + direction * min(speed * seconds - ahead, 0.0 if direction[2] else 100.0)
    # The beams point a little down and a little to the pavement.
    aim = direction + np.array([0.0, -0.06, 0.0]) - np.array([0.0, 0.0, 0.3 * np.sign(lane[2]) * (direction[2] == 0)])
    aim /= np.linalg.norm(aim)
    return light(at, HEADLIGHT * kelvin(HEADLIGHT_KELVIN), scene.LOBE, 0.12, aim, 6.0)


def irradiance(illumination: Illumination, points: Array, normals: Array) -> Array:
    """Give the unshadowed light on surfaces, RGB."""
    upward = normals[:, 1:2]
    total: Array = illumination.above * (0.5 + 0.5 * upward) + illumination.below * (0.5 - 0.5 * upward)
    for row in illumination.lights:
        way = row[scene.POSITION : scene.INTENSITY] - points
        away = np.linalg.norm(way, axis=1)
        way /= away[:, None]
        fall = np.ones(len(points)) if row[scene.LIGHT_KIND] == scene.SUN else 1 / (math.pi * np.maximum(away**2, 0.25))
        if row[scene.LIGHT_KIND] == scene.LOBE:
            fall = fall * np.maximum(-(way @ row[scene.DIRECTION : scene.SPREAD]), 0.0) ** row[scene.SPREAD]
        facing = np.maximum((way * normals).sum(axis=1), 0.0)
        total = total + (facing * fall)[:, None] * row[scene.INTENSITY : scene.LIGHT_KIND]
    return total


def metered(illumination: Illumination, towards: float, x: float = 0.0, z: float = 0.0) -> float:
    """Give the mean luminance of the light on what a camera in a direction (radians) sees of a person, unshadowed."""
    turns = towards + np.radians([-60.0, -30.0, 0.0, 30.0, 60.0])
    normals = np.stack([np.sin(turns), np.zeros(5), np.cos(turns)], axis=-1)
    points = np.array([[x, y, z] for y in (0.4, 1.0, 1.5)])
    light = irradiance(illumination, np.repeat(points, 5, axis=0), np.tile(normals, (3, 1)))
    return float((light @ LUMINANCE).mean())
