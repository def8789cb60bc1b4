"""From a shot to its pictures: build the scene, trace it once, take it with the place's camera by day and by night."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmark import keyed
from benchmark.images import Picture
from synthesis.street import camera, framing, occluders, places
from synthesis.street.body import body
from synthesis.street.config import World
from synthesis.street.framing import Box
from synthesis.street.people import person
from synthesis.street.scene import (
    FRAME_HEIGHT,
    FRAME_WIDTH,
    LIGHT,
    NOTHING,
    OWNER,
    PART,
    SHOE,
    SUBJECT,
    A,
    Array,
    Illumination,
    Scene,
    Solids,
    View,
)
from synthesis.street.shots import Shot, solids
from synthesis.street.table import Time
from synthesis.street.trace import Rendering, trace

DAYLIGHT = 118.0  # what metering aims at by day, 0 to 255
METERING = 0.7  # stops by which the night's exposure of a walk differs from the camera's own, at most
COARSE = 40  # pixels of the frame for one that metering looks at
DARK = Illumination(np.zeros((0, LIGHT)), np.zeros(3), np.zeros(3))
WAIST = 0.95  # metres: where a body's movement is looked at
LEAST_SMEAR = 0.3  # pixels: less of a movement is not seen
FEET, TRUNK = (0.17, 0.5), (0.45, 0.35)  # radius and strength of the darkening below them


@dataclass(frozen=True)
class Staged:
    """A shot's scene and where it lies in the frame."""

    scene: Scene
    box: Box
    full: tuple[float, float, float, float]  # left, top, right, bottom of the whole body, hidden or cut or not


@dataclass(frozen=True)
class Taken:
    """All outputs of one shot."""

    staged: Staged
    rendering: Rendering
    pictures: Mapping[Time, Picture]
    files: Mapping[Time, bytes]  # the same as JPEG
    exposures: Mapping[Time, camera.Exposure]


def stage(world: World, seed: int, shot: Shot) -> Staged:
    """Build the scene of a shot and frame it."""
    place, subject = places.place(world, seed, shot.camid), body(person(world, seed, shot.pid), shot.pose)
    box, full = frame(world, place, shot, subject)
    before = _before(world, seed, shot)
    contacts = np.concatenate([place.contacts, _contacts(subject), _contacts(before)])
    day, night = places.illumination(place, world, seed, shot.track, shot.seconds)
    whole = subject + before + place.solids
    view = framing.window(place.view, box)
    return Staged(Scene(view, whole, place.rectangles, place.surfaces, contacts, day, night), box, full)


def frame(
    world: World, place: places.Place, shot: Shot, subject: Solids
) -> tuple[Box, tuple[float, float, float, float]]:
    """Say where a shot lies in the frame: the window that is kept, and the whole body's box."""
    return (
        framing.frame(place.view, subject.cones, shot.margins, world.height),
        framing.bounds(place.view, subject.cones),
    )


def _before(world: World, seed: int, shot: Shot) -> Solids:
    """Build what stands between a person and the camera."""
    thing = shot.occluder
    if thing is None:
        return NOTHING
    if thing.kind == "person":
        pose = replace(shot.pose, x=thing.x, z=thing.z, yaw=thing.yaw, phase=thing.phase, stride=1.0, activity="walk")
        return body(person(world, seed, thing.pid), pose, owner=1)
    return occluders.moved(solids(world, seed, thing.kind, thing.shape), thing.x, thing.z, thing.yaw)


def _contacts(bodies: Solids) -> Array:
    """Darken the ground below a body: at its feet, and a little all around."""
    cones = bodies.cones
    if not len(cones):
        return np.zeros((0, 4))
    if cones[0, OWNER] < SUBJECT:
        spots = cones[:1, [A, A + 2]]
        return np.column_stack([spots, np.tile(TRUNK, (1, 1))])
    feet = cones[cones[:, PART] == SHOE][:, [A, A + 2]]
    spots = np.concatenate([feet, cones[:1, [A, A + 2]]])
    return np.column_stack([spots, np.array([FEET] * len(feet) + [TRUNK])])


def take(world: World, seed: int, shot: Shot) -> Taken:
    """Render a shot and take its pictures."""
    staged = stage(world, seed, shot)
    rendering = trace(staged.scene, world.quality)
    exposures = {time: exposure(world, seed, shot, time) for time in world.times}
    pictures = {time: photograph(world, seed, shot, staged, rendering, time) for time in world.times}
    model = camera.sensor(world, seed, shot.camid)
    files = {time: camera.jpeg(picture, model) for time, picture in pictures.items()}
    return Taken(staged, rendering, pictures, files, exposures)


def photograph(world: World, seed: int, shot: Shot, staged: Staged, rendering: Rendering, time: Time) -> Picture:
    """Take a picture of a rendering with the place's camera."""
    model, view = camera.sensor(world, seed, shot.camid), staged.scene.view
    light = rendering.day if time == "day" else rendering.night
    exposed = exposure(world, seed, shot, time)
    before = rendering.amodal & ~rendering.mask
    return camera.expose(
        light, model, exposed, seed, keyed.key(f"{shot.track}\n{shot.frame}\n{time}"),
        left=view.left, top=view.top, step=view.step, cast=cast(world, seed, shot, time),
        motion=_smear(shot, view, exposed.seconds), quality=world.quality,
        mask=rendering.mask * np.uint8(camera.MOVES) + before * np.uint8(camera.FRONT),
    )  # fmt: skip


def _smear(shot: Shot, view: View, seconds: float) -> tuple[float, float] | None:
    """Give the pixels of the picture by which a walking person moves while the shutter is open."""
    way = shot.speed * seconds
    if not way:
        return None
    x, z, yaw = shot.pose.x, shot.pose.z, shot.pose.yaw
    here = np.array([[x, WAIST, z], [x + way * np.sin(yaw), WAIST, z + way * np.cos(yaw)]])
    (across, down, _), (to_across, to_down, _) = view.project(here)
    motion = (float(to_across - across) / view.step, float(to_down - down) / view.step)
    return motion if max(map(abs, motion)) > LEAST_SMEAR else None


def exposure(world: World, seed: int, shot: Shot, time: Time) -> camera.Exposure:
    """Say how the camera exposes: by night as the empty place needs it, by day as the light of the walk does."""
    exposed = _metered(world, seed, shot.camid, shot.track if time == "day" else "", time)[0]
    if time == "day":
        return exposed
    # Metering follows what else is in the frame: it is not the same for every walk past a camera.
    wanders = METERING * (2 * float(keyed.uniform(seed, keyed.key(shot.track), "metering")) - 1)
    return exposed._replace(electrons=exposed.electrons * 2**wanders)


def cast(world: World, seed: int, shot: Shot, time: Time) -> tuple[float, float, float]:
    """Give the colour of the light that the camera's white balance knows."""
    return _metered(world, seed, shot.camid, shot.track if time == "day" else "", time)[1]


@lru_cache(maxsize=4096)
def _metered(
    world: World, seed: int, camid: int, track: str, time: Time
) -> tuple[camera.Exposure, tuple[float, float, float]]:
    model = camera.sensor(world, seed, camid)
    radiance, irradiance = _empty(world, seed, camid, track, time)
    colour = irradiance / irradiance.max()
    white = (float(colour[0]), float(colour[1]), float(colour[2]))
    target, daylight = (DAYLIGHT, True) if time == "day" else (model.lightness, False)
    return camera.exposure_for(target, radiance, model, daylight=daylight, cast=white), white


def _empty(world: World, seed: int, camid: int, track: str, time: Time) -> tuple[NDArray[np.float64], Array]:
    """Give a coarse picture of the place without people, as metering sees it, and the mean colour of its light."""
    place = places.place(world, seed, camid)
    view = place.view.window(0, 0, FRAME_WIDTH // COARSE, FRAME_HEIGHT // COARSE, COARSE)
    day, night = places.illumination(place, world, seed, track, 0.0) if track else (DARK, places.night(place, []))
    light = day if time == "day" else night
    empty = Scene(view, place.solids, place.rectangles, place.surfaces, place.contacts, DARK, light)
    seen = trace(empty, "fast")
    return seen.night.astype(np.float64), seen.irradiance.reshape(-1, 3).mean(axis=0, dtype=np.float64)
