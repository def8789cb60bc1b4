"""Things of the street as bodies: what stands before people, and what stands about. Each stands at its own origin."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from synthesis.street import scene
from synthesis.street.draws import Draws
from synthesis.street.materials import (
    BARK,
    CAR,
    FOLIAGE,
    FRONT_WHEEL,
    GLASS_FROM,
    GLASS_TO,
    METAL,
    REAR_WHEEL,
    TYRE,
    WHEEL_RADIUS,
    Colour,
    material,
)
from synthesis.street.scene import Array, Solids

Point = tuple[float, float, float]

LACQUERS: tuple[Colour, ...] = (
    (0.6, 0.6, 0.6), (0.3, 0.31, 0.32), (0.05, 0.05, 0.055), (0.35, 0.03, 0.03), (0.04, 0.08, 0.24), (0.1, 0.11, 0.12),
    (0.05, 0.16, 0.12), (0.5, 0.44, 0.3),
)  # fmt: skip
PAINTS: tuple[Colour, ...] = (
    (0.05, 0.09, 0.06), (0.22, 0.23, 0.24), (0.04, 0.04, 0.045), (0.08, 0.14, 0.25), (0.4, 0.12, 0.04), (0.36,) * 3,
)  # fmt: skip
PLATES: tuple[Colour, ...] = ((0.5, 0.03, 0.03), (0.03, 0.08, 0.4), (0.4, 0.3, 0.03))
RUST: Colour = (0.16, 0.07, 0.03)
DISC = 6.0  # a body squashed along its own axis this many times has flat ends


def cone(
    start: Point, end: Point, start_radius: float, end_radius: float, material: int = 0, kind: int = scene.CLOSED,
    squash: float = 1.0, axis: Point = (0.0, 1.0, 0.0), shadow: bool = True,
) -> Array:  # fmt: skip
    """Make one row of the table of cones."""
    row = np.zeros(scene.CONE)
    row[scene.A : scene.A + 3], row[scene.B : scene.B + 3] = start, end
    row[scene.RA], row[scene.RB] = start_radius, end_radius
    row[scene.SQUASH], row[scene.AXIS : scene.AXIS + 3] = squash, axis
    row[scene.KIND], row[scene.MATERIAL], row[scene.SHADOW] = kind, material, shadow
    row[scene.OWNER], row[scene.PART], row[scene.NEAR :] = scene.THING, scene.BACKGROUND, -1
    return row


def thing(cones: Sequence[Array], materials: Sequence[Array]) -> Solids:
    """Join rows to a thing with one local frame: x right, y up, z towards the camera."""
    return Solids(np.array(cones), np.concatenate([np.zeros(3), np.eye(3).ravel()])[None], np.array(materials))


def moved(solids: Solids, x: float, z: float, yaw: float = 0.0, y: float = 0.0) -> Solids:
    """Put bodies somewhere on the ground, turned so that they look along (sin yaw, 0, cos yaw)."""
    turn = np.array([[math.cos(yaw), 0.0, -math.sin(yaw)], [0.0, 1.0, 0.0], [math.sin(yaw), 0.0, math.cos(yaw)]])
    cones, frames = solids.cones.copy(), solids.frames.copy()
    cones[:, scene.A : scene.RA] = (cones[:, scene.A : scene.RA].reshape(-1, 3) @ turn + (x, y, z)).reshape(-1, 6)
    cones[:, scene.AXIS : scene.AXIS + 3] = cones[:, scene.AXIS : scene.AXIS + 3] @ turn
    frames[:] = (frames.reshape(-1, 3) @ turn).reshape(-1, scene.FRAME_SIZE)
    frames[:, :3] += (x, y, z)
    return Solids(cones, frames, solids.materials)


@lru_cache(maxsize=1024)
def occluder(kind: str, seed: int, key: str) -> Solids:
    """Build a thing of a kind: a function of the kind, the seed and the key."""
    return KINDS[kind](Draws.of(seed, "occluder", kind, key))


def pole(draws: Draws) -> Solids:
    """Build the post of a traffic sign, or a plain one."""
    radius, height = draws.between("radius", 0.045, 0.11), draws.between("height", 2.7, 4.2)
    cones = [cone((0, 0, 0), (0, height, 0), radius, radius), cone((0, 0, 0), (0, 0.25, 0), 1.7 * radius, 1.6 * radius)]
    if not draws.chance("plate", 0.6):
        return thing(cones, [metal(draws)])
    # A round plate with a coloured rim: a disc before a larger one.
    y = height - 0.35
    for radius_of_disc, before, row in ((0.33, radius, 1), (0.25, radius + 0.04, 2)):
        disc = (0.0, y, before), (0.0, y, before + 0.01)
        cones.append(cone(*disc, radius_of_disc, radius_of_disc, row, squash=DISC, axis=(0, 0, 1)))
    plate = PLATES[int(3 * draws.between("sign"))]
    return thing(cones, [metal(draws), material(METAL, plate, plate), material(METAL, (0.7,) * 3, (0.5,) * 3)])


def metal(draws: Draws, slat: float = 0.0, paints: Sequence[Colour] = PAINTS) -> Array:
    """Choose the paint of a thing of metal."""
    paint = paints[int(len(paints) * draws.between("paint"))]
    return material(METAL, paint, RUST, seed=int(1000 * draws.between("rust")), slat=slat)


def leaves(draws: Draws) -> Array:
    """Choose the green of a plant."""
    dry = draws.between("dry") ** 2
    green = (0.07 + 0.16 * dry, 0.16 + 0.05 * dry, 0.035)
    return material(
        FOLIAGE, green, (0.16 + 0.2 * dry, 0.24, 0.07), seed=int(1000 * draws.between("leaves")), fine=0.015
    )


def bush(draws: Draws) -> Solids:
    """Build a bush of clumps of leaves."""
    wide, tall = draws.between("wide", 0.45, 0.8), draws.between("tall", 0.75, 1.35)
    cones = []
    for i in range(7):
        turn, out = 2.4 * i + draws.between("turn", 0, 6), 0.16 + 0.62 * ((i * 0.618) % 1.0)
        x, z = wide * out * math.cos(turn), 0.7 * wide * out * math.sin(turn)
        radius = (0.62 - 0.25 * out) * wide * (0.85 + 0.3 * ((i * 0.414) % 1.0))
        top = tall * (1.0 - 0.45 * out) - radius
        cones.append(cone((0.9 * x, 0.05, 0.9 * z), (x, max(0.1, top), z), 0.7 * radius, radius))
    return thing(cones, [leaves(draws)])


def tree(draws: Draws) -> Solids:
    """Build a street tree: a trunk and a crown of clumps."""
    trunk, wide = draws.between("trunk", 2.2, 2.9), draws.between("wide", 1.1, 1.7)
    cones = [cone((0, 0, 0), (0.1, trunk + 0.8, 0), 0.15, 0.08, 1), cone((0, -0.05, 0), (0, 0.2, 0), 0.24, 0.14, 1)]
    start = draws.between("turn", 0, 6)
    for i in range(9):
        turn, out, up = 2.4 * i + start, 0.45 + 0.5 * ((i * 0.618) % 1.0), i / 8
        x, z = wide * out * (1.0 - 0.4 * up) * math.cos(turn), wide * out * (1.0 - 0.4 * up) * math.sin(turn)
        y, radius = trunk + wide * (0.3 + 0.95 * up), wide * (0.55 - 0.16 * ((i * 0.414) % 1.0))
        cones.append(cone((0.6 * x, y, 0.6 * z), (x, y + 0.2, z), 0.8 * radius, radius))
    return thing(cones, [leaves(draws), material(BARK, (0.12, 0.09, 0.065), (0.17, 0.15, 0.11))])


def car(draws: Draws) -> Solids:
    """Build a parked car that points along x."""
    long, tall = draws.between("long", 1.4, 1.72), draws.between("tall", 0.98, 1.12)
    wheel, front, rear = 0.31, long - 0.32, -long + 0.38
    # Each storey of the body is three rolls side by side, flattened to one slab.
    cones = []
    for y, high, start, end, slim in ((0.44, 0.33, -long, long, 1.0), (0.7, 0.27, 0.12 - long, long - 0.4, 0.8)):
        cones += [
            cone((start, y, z), (end, y, slim * z), r, slim * r, squash=r / high)
            for z, r in ((-0.42, 0.45), (0.0, 0.62), (0.42, 0.45))
        ]
    cones += [
        cone((-0.5 * long, 0.93, z), (0.1 * long, 0.93, z), 0.52, 0.52, squash=1.12 / tall) for z in (-0.22, 0.22)
    ]
    for row, near in ((0, 1), (1, 0), (1, 2), (2, 1), (3, 4), (4, 3), (4, 5), (5, 4), (6, 7), (7, 6)):
        cones[row][scene.NEAR + (cones[row][scene.NEAR] >= 0)] = near
    side = (0.0, 0.0, 1.0)
    cones += [
        cone((x, wheel, z - 0.07), (x, wheel, z + 0.07), wheel, wheel, 1, squash=DISC, axis=side)
        for x in (front, rear)
        for z in (-0.77, 0.77)
    ]
    lacquer = LACQUERS[int(len(LACQUERS) * draws.between("lacquer"))]
    body = material(CAR, lacquer, fine=0.01, seed=int(1000 * draws.between("glass")))
    tyres = material(TYRE, (0.36, 0.36, 0.37))
    for made in (body, tyres):
        made[[FRONT_WHEEL, REAR_WHEEL, WHEEL_RADIUS]] = front, rear, wheel
    body[[GLASS_FROM, GLASS_TO]] = 1.0, 0.91 + 0.38 * tall
    return thing(cones, [body, tyres])


def bin_(draws: Draws) -> Solids:
    """Build a litter bin or a bin on wheels."""
    radius, tall = draws.between("radius", 0.22, 0.32), draws.between("tall", 0.75, 1.1)
    slat = draws.between("slat", 0.06, 0.09) if draws.chance("slatted", 0.5) else 0.0
    cones = [
        cone((0, 0.06, 0), (0, tall, 0), 0.88 * radius, radius, squash=DISC),
        cone((0, tall + 0.04, 0), (0, tall + 0.06, 0), 1.06 * radius, 0.9 * radius, 1, squash=3.0),
    ]
    return thing(cones, [metal(draws, slat), material(METAL, (0.05, 0.05, 0.05), RUST)])


def bicycle(draws: Draws) -> Solids:
    """Build a bicycle that points along x."""
    hub, crank, seat, head = 0.33, (-0.06, 0.3, 0.0), (-0.2, 0.82, 0.0), (0.37, 0.84, 0.0)
    tubes: list[tuple[Point, Point, float]] = [
        (crank, seat, 0.017), (crank, head, 0.02), ((-0.18, 0.76, 0), (0.36, 0.78, 0), 0.017),
        ((-0.52, hub, 0), crank, 0.012), ((-0.52, hub, 0), (-0.19, 0.74, 0), 0.012), (head, (0.54, hub, 0), 0.016),
        ((0.35, 0.98, -0.28), (0.35, 0.98, 0.28), 0.014), (head, (0.35, 0.98, 0), 0.015),
    ]  # fmt: skip
    cones = [cone(start, end, radius, radius) for start, end, radius in tubes]
    cones.append(cone((-0.32, 0.87, 0), (-0.1, 0.88, 0), 0.07, 0.03, 1, squash=2.0))
    # A ring seen from its side is a short open cone; its radii may not differ by more than it is long.
    for x, side in ((-0.52, 0.035), (0.54, 0.035), (-0.52, -0.035), (0.54, -0.035)):
        cones.append(cone((x, hub, side), (x, hub, 0), 0.295, 0.328, 1, scene.OPEN))
    return thing(cones, [metal(draws, paints=LACQUERS), material(METAL, (0.03,) * 3, (0.03,) * 3)])


def fence(draws: Draws) -> Solids:
    """Build a railing."""
    half, tall = draws.between("half", 0.6, 1.0), draws.between("tall", 0.85, 1.1)
    bars = np.linspace(-half, half, 2 * round(half / 0.15) + 1)
    cones = [cone((x, 0, 0), (x, tall, 0), 0.014, 0.014) for x in bars]
    cones += [cone((-half, y, 0), (half, y, 0), 0.022, 0.022) for y in (0.14, tall)]
    cones += [cone((x, 0, 0), (x, tall + 0.06, 0), 0.03, 0.03) for x in (-half, half)]
    return thing(cones, [metal(draws)])


def bollard(draws: Draws) -> Solids:
    """Build a short post."""
    tall, radius = draws.between("tall", 0.75, 1.0), draws.between("radius", 0.06, 0.1)
    cones = [
        cone((0, 0, 0), (0, tall, 0), 1.2 * radius, radius),
        cone((0, tall - 0.16, 0), (0, tall - 0.12, 0), 1.12 * radius, 1.12 * radius, 1, squash=2.0),
    ]
    return thing(cones, [metal(draws), material(METAL, (0.6, 0.58, 0.55), (0.4, 0.38, 0.35))])


KINDS: dict[str, Callable[[Draws], Solids]] = {
    "pole": pole, "bush": bush, "car": car, "bin": bin_, "bicycle": bicycle, "fence": fence, "tree": tree,
    "bollard": bollard,
}  # fmt: skip
OCCLUDERS = ("pole", "bush", "car", "bin", "bicycle", "fence")  # those that may stand before a person
