"""Places: what each camera looks at, from where, and what lights it. A place knows nothing of the people."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from synthesis.street import lamps, looks, scene
from synthesis.street.config import World
from synthesis.street.draws import Draws, size_eighth
from synthesis.street.lamps import Lamp, Room
from synthesis.street.scene import Array, Illumination, Solids, View
from synthesis.street.stage import Sign, Stage

PERSON = 1.75  # the height in metres that world.cameras.size speaks of
TALLEST = 2.05  # of whoever may walk here, with hair and hat
NEAREST, FARTHEST = 4.0, 30.0  # from the camera's foot to the middle of the walked ground, metres
STEEPEST = 1.6  # times its height a camera is at least away: it does not look down on hats only
TURN = math.radians(25.0)
EIGHTHS = 8
SIGN_STRENGTH = 1.5  # a sign's share in the light around it: its glow, and that of the shop below it
UP, AHEAD = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
UNDER = np.array([[x, 0.0, z] for x in (-4.0, -1.0, 2.0) for z in (-2.0, 1.0)])  # ground that throws light at people


@dataclass(frozen=True)
class Walked:
    """The rectangle of ground that people walk on, metres; its middle is the origin."""

    least_x: float
    most_x: float
    least_z: float
    most_z: float


@dataclass(frozen=True, eq=False)
class Place:
    """What one camera sees when nobody is there, and what lights it."""

    camid: int
    look: str
    view: View  # of the whole frame
    walked: Walked
    size: float  # height in pixels of a person of 1.75 m in the middle of the walked ground
    rectangles: Array
    surfaces: Array
    solids: Solids
    contacts: Array
    lamps: tuple[Lamp, ...]
    signs: tuple[Sign, ...]
    lane: Array  # of passing cars: a point and a direction
    room: Room
    earth: Array  # the ground's mean albedo: what it throws back
    town: Array  # the glow of the night's sky
    reference_day: float = 0.0  # mean unshadowed luminance of the light on a person in the middle
    reference_night: float = 0.0

    def card(self) -> dict[str, float | str]:
        """Give the place's numbers for the table of truth."""
        view, down = self.view, math.asin(-float(self.view.forward[1]))
        card: dict[str, float | str] = {"look": self.look, "focal": view.focal, "size": self.size}
        card |= {"eye_x": float(view.eye[0]), "eye_y": float(view.eye[1]), "eye_z": float(view.eye[2])}
        card |= {"pitch": math.degrees(down), "azimuth": math.degrees(math.atan2(view.eye[0], view.eye[2]))}
        card["wall_z"] = self.room.back
        card |= {"reference_day": self.reference_day, "reference_night": self.reference_night}
        return card | {"lamps": len(self.lamps), "lit_signs": sum(sign.lit for sign in self.signs)}


@lru_cache(maxsize=128)
def place(world: World, seed: int, camid: int) -> Place:
    """Build the place of a camera: a function of the world's settings, the seed and the camera."""
    draws = Draws.of(seed, world.space, "camera", camid)
    size = wanted_size(world, seed, camid)
    view = aimed(world, draws, camid, size)
    ground = walked(view, size)
    stage = Stage(draws, view.eye, ground.most_x, ground.most_z, PERSON / size, world.lamps.signs)
    look = wanted_look(world, seed, camid)
    looks.build(look, stage)
    hung = lamps.lamps(world, draws, stage.room())
    things = sum([*stage.things, *(looks.lamp_post(lamp, stage.fine) for lamp in hung)], scene.NOTHING)
    town = draws.between("town", *world.lamps.ambient) * lamps.MOODS[world.difficulty].town * lamps.TOWN
    made = Place(camid, look, view, ground, size, np.array(stage.rectangles), np.array(stage.surfaces), things,
                 np.array(stage.contacts).reshape(-1, 4), hung, tuple(stage.signs), stage.lane, stage.room(),
                 stage.earth, town)  # fmt: skip
    towards = math.atan2(view.eye[0], view.eye[2])
    noon, dark = lamps.day_of(math.radians(40.0), math.radians(25.0), 0.5, made.earth), night(made, [])
    return replace(made, reference_day=lamps.metered(noon, towards), reference_night=lamps.metered(dark, towards))


@lru_cache(maxsize=4096)
def illumination(place: Place, world: World, seed: int, key: str, seconds: float) -> tuple[Illumination, Illumination]:
    """Light a place for one walk at one moment, by day and by night; the key names the walk."""
    draws = Draws.of(seed, world.space, "light", key)
    passing = draws.chance("car", world.lamps.headlights)
    cars = [lamps.headlights(draws, place.lane, seconds)] if passing else []
    return lamps.day(draws, place.earth), night(place, cars)


def night(place: Place, cars: list[Array]) -> Illumination:
    """Light a place by night: its lamps, passing cars, and the brightest sign if there is room for one more light."""
    lit = sorted((sign for sign in place.signs if sign.lit), key=lambda sign: -sign.area)[:1]
    boards = [
        lamps.light(sign.at, SIGN_STRENGTH * sign.area * sign.colour, scene.LOBE, 0.5, AHEAD, 1.0) for sign in lit
    ]
    rows = [*map(lamps.lamp_light, place.lamps), *cars, *boards][: lamps.MOST_LIGHTS]
    lights = np.array(rows).reshape(-1, scene.LIGHT)
    falling = lamps.irradiance(Illumination(lights, place.town, place.town), UNDER, np.tile(UP, (len(UNDER), 1)))
    return Illumination(lights, place.town, place.earth * falling.mean(axis=0))


def wanted_look(world: World, seed: int, camid: int) -> str:
    """Choose a look: any eight cameras in a row have eight different ones."""
    start = int(8 * Draws.of(seed, world.space, "cameras").between("look"))
    return list(looks.LOOKS)[(3 * (camid - 1) + start) % EIGHTHS]


def wanted_size(world: World, seed: int, camid: int) -> float:
    """Spread the cameras' sizes evenly in logarithm: any eight in a row stand in eight different eighths."""
    within = Draws.of(seed, world.space, "camera", camid).between("size")
    share = (size_eighth(seed, world.space, camid) + within) / EIGHTHS
    low, high = world.cameras.size
    return float(low * (high / low) ** share)


def aimed(world: World, draws: Draws, camid: int, size: float) -> View:
    """Stand the camera where a person in the middle has the wanted size, and let it look at them."""
    down = camid % 2 == 1
    height = draws.between("height", *(world.cameras.downward if down else world.cameras.parallel))
    nearest = max(NEAREST, STEEPEST * height)
    # The focal length that the wanted size needs nearest by and farthest away, as far as the world allows it.
    low = max(world.cameras.focal[0], size * (nearest**2 + height**2) / nearest / PERSON)
    high = min(world.cameras.focal[1], size * FARTHEST / PERSON)
    focal = (
        draws.between("focal", low, high)
        if low < high
        else min(max(low, world.cameras.focal[0]), world.cameras.focal[1])
    )
    turn, pitch = draws.between("turn", -TURN, TURN), draws.between("pitch", -0.15, 0.15)
    near, far = height, 1e7  # from the height on, farther away is smaller
    for _ in range(80):
        middle = 0.5 * (near + far)
        seen = tall(looking(middle, height, turn, 0.9 + pitch, focal))
        near, far = (middle, far) if seen > size else (near, middle)
    return looking(middle, height, turn, 0.9 + pitch, focal)


def looking(distance: float, height: float, turn: float, target: float, focal: float) -> View:
    """Look from a point above the ground at a point above the origin."""
    eye = np.array([distance * math.sin(turn), height, distance * math.cos(turn)])
    forward = np.array([0.0, target, 0.0]) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    return View(eye, right, np.cross(right, forward), forward, focal)


def tall(view: View) -> float:
    """Give the height in pixels of a person in the middle of the walked ground."""
    ends = view.project(np.array([[0.0, 0.0, 0.0], [0.0, PERSON, 0.0]]))
    return float(ends[0, 1] - ends[1, 1])


def walked(view: View, size: float) -> Walked:
    """Choose the ground on which whole people are in the frame, no deeper than sizes stay alike."""
    distance = float(np.hypot(view.eye[0], view.eye[2]))
    across = min(6.0, 0.42 * scene.FRAME_WIDTH * PERSON / size)
    deep = min(2.5, 0.16 * distance)
    for _ in range(40):
        if inside(view, across, deep):
            break
        across, deep = 0.95 * across, 0.95 * deep
    return Walked(-across, across, -deep, deep)


def inside(view: View, across: float, deep: float, margin: float = 0.35) -> bool:
    """Tell whether a person at every corner of the ground is in the frame, limbs included."""
    x, y, z = np.meshgrid([-across - margin, across + margin], [0.0, TALLEST], [-deep - margin, deep + margin])
    seen = view.project(np.stack([x.ravel(), y.ravel(), z.ravel()], axis=-1))
    if seen[:, 2].min() < 0.1:  # one is behind the camera
        return False
    low, high = seen[:, :2].min(axis=0), seen[:, :2].max(axis=0)
    return bool(low.min() >= 0 and high[0] <= scene.FRAME_WIDTH and high[1] <= scene.FRAME_HEIGHT)
