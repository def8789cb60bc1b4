"""Who is seen by which camera when, how they stand there, and what stands before them.

A shot is a pure function of the seed, the person, the camera and the frame: more of any of them changes none.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark import keyed
from synthesis.street import occluders, places
from synthesis.street.config import MOST_CAMERAS, MOST_FRAMES, MOST_IDENTITIES, Difficulty, World, name
from synthesis.street.draws import GOLDEN, ROOT_2, ROOT_7, Draws, spread
from synthesis.street.people import Person, person
from synthesis.street.scene import AXIS, RA, RB, SQUASH, A, Array, B, Pose, Solids

Thing = Literal["pole", "bush", "bin", "car", "bicycle", "fence", "person"]
Activity = Literal["walk", "stand", "phone", "carry"]


@dataclass(frozen=True)
class Walk:
    """One person in front of one camera, and how many pictures it takes."""

    pid: int
    camid: int
    frames: int


@dataclass(frozen=True)
class Occluder:
    """What stands between a person and the camera."""

    kind: Thing
    pid: int  # who it is, if a person: a stranger, never an identity of the world; else 0
    shape: int  # which one of its kind, 0 to 47
    x: float  # where it stands on the ground, metres
    z: float
    yaw: float  # a thing's front looks to the camera, a stranger to where they go
    phase: float  # of a stranger's gait
    way: float  # share of the way from the person to the camera, over the ground
    aside: float  # metres to the camera's right of the line of sight
    height: float  # metres
    cover: float  # share of a body's height that is behind it where it is right before the person


@dataclass(frozen=True)
class Shot:
    """One picture to take: who, where, how, behind what, and how well the detector frames it."""

    pid: int
    camid: int
    frame: int
    seconds: float  # since the walk began
    timestamp: float  # since the recording began; no two walks share a moment
    pose: Pose
    speed: float  # metres per second, along the pose's heading
    occluder: Occluder | None
    margins: tuple[float, float, float, float]  # left, top, right, bottom; shares of the body's height in pixels
    track: str  # key of everything that a whole walk shares
    scene: str  # names the shot in both manifests and in the truth


@dataclass(frozen=True)
class Lane:
    """A closed way over the ground: there, around a half circle, and back; a little bent to one side."""

    x: float  # its middle
    z: float
    heading: float
    straight: float  # length of the part before the turn
    radius: float
    bow: float  # how far it is bent

    def at(self, distance: Array) -> Array:
        """Give the points (n, 2), x and z, after some metres of way."""
        turn, lap = math.pi * self.radius, 2 * (self.straight + math.pi * self.radius)
        along = distance % lap
        back = along >= lap / 2
        here = along % (lap / 2)
        angle = np.clip(here - self.straight, 0, turn) / self.radius
        ahead = np.minimum(here, self.straight) - self.straight / 2 + self.radius * np.sin(angle)
        ahead, aside = np.where(back, -ahead, ahead), np.where(back, 1, -1) * self.radius * np.cos(angle)
        aside = aside + self.bow * np.cos(math.pi * ahead / (self.straight + 2 * self.radius)) ** 2
        sine, cosine = math.sin(self.heading), math.cos(self.heading)
        return np.stack([self.x + ahead * sine + aside * cosine, self.z + ahead * cosine - aside * sine], axis=-1)

    def yaw(self, distance: Array) -> Array:
        """Give the heading on the way."""
        step = self.at(distance + 0.01) - self.at(distance - 0.01)
        return np.asarray(np.arctan2(step[:, 0], step[:, 1]))


@dataclass(frozen=True)
class Motion:
    """How somebody moves through a whole walk, whatever its number of pictures."""

    activity: Activity
    speed: float  # metres per second; 0 stands
    start: float  # metres along the lane
    lane: Lane
    turned: float  # where a standing person looks
    swing: float  # how far they turn, radians
    period: float  # seconds of turning to and fro
    begin: float  # share of that period at the start

    def places(self, seconds: Array) -> Array:
        """Give the points (n, 2) on the ground at some times."""
        return self.lane.at(self.start + self.speed * seconds)


@dataclass(frozen=True)
class Kind:
    """What things of one kind are like, metres."""

    odds: float
    half: float  # half its width
    gap: float  # that it keeps from the person
    speed: float = 0.0


KINDS: dict[Thing, Kind] = {
    "pole": Kind(25, 0.10, 0.5),
    "bush": Kind(17, 0.55, 1.0),
    "bin": Kind(12, 0.30, 0.7),
    "car": Kind(6, 1.75, 1.5),
    "bicycle": Kind(4, 0.80, 0.7),
    "fence": Kind(4, 0.80, 0.6),
    "person": Kind(22, 0.28, 0.7, 1.2),
}
SHAPES = 48  # of every kind
OCCLUDED: dict[Difficulty, float] = {"easy": 0.05, "normal": 0.08, "hard": 0.4}
ACTIVITIES: dict[Activity, float] = {"walk": 62, "phone": 13, "carry": 12, "stand": 13}
# Headings of a lane: across the view, slanting, towards the camera and away from it.
HEADINGS = {"across": 0.4, "slanting": 0.3, "along": 0.3}
ROOM = 3.4  # metres of straight way before whoever starts walking, where the ground allows it
BODY = 0.3  # half a body's width, metres
TALL = 1.7  # a usual body's height, metres
LONGEST = 6.0  # seconds for which a thing stays before a walking person
# How tight the detector frames, shares of the body's height: least and most at a side, above, below.
TIGHT: dict[Difficulty, tuple[float, float, float]] = {
    "easy": (0.04, 0.03, 0.02),
    "normal": (0.03, 0.02, 0.01),
    "hard": (0.01, -0.02, -0.04),
}
LOOSE = (0.14, 0.10, 0.08)


def walks(world: World, seed: int) -> list[Walk]:
    """List all walks of a world, ordered by person and camera."""
    pids = np.arange(1, world.identities + 1)
    views = _views(world, seed, pids)
    cameras, frames = _cameras(world, seed, pids, int(views.max())), _frames(world, seed, pids, int(views.max()))
    person_at, rank = np.nonzero(np.arange(views.max()) < views[:, None])
    pid, camid, frame = pids[person_at], cameras[person_at, rank], frames[person_at, rank]
    order = np.lexsort((camid, pid))
    rows = zip(pid[order].tolist(), camid[order].tolist(), frame[order].tolist(), strict=True)
    return [Walk(*row) for row in rows]


def _views(world: World, seed: int, pids: NDArray[np.int64]) -> NDArray[np.intp]:
    """Choose by how many cameras each person is seen."""
    bounds = np.cumsum(world.views) / np.sum(world.views)
    drawn = spread(seed, (world.space, "identities"), "views", pids, GOLDEN)
    most = int(np.flatnonzero(world.views).max())
    return np.asarray(np.minimum(np.searchsorted(bounds, drawn, side="right"), most) + 1)


def _cameras(world: World, seed: int, pids: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Choose which cameras see each person, in order of rank.

    Among as many people in a row as there are cameras, every camera comes once in every rank: a shuffled Latin square.
    """
    count = world.cameras.count
    block, row = np.divmod(pids - 1, count)
    texts = [f"street\n{world.space}\nblock\n{number}" for number in range(int(block.max()) + 1)]
    keys = keyed.keys(texts)
    columns = range(count)
    people, ranks, names = (
        np.stack([keyed.bits(seed, keys, f"{what} {column}") for column in columns], axis=-1).argsort(axis=-1)[block]
        for what in ("person", "rank", "camera")
    )
    place = (np.take_along_axis(people, row[:, None], axis=1) + ranks[:, :most]) % count
    return np.asarray(np.take_along_axis(names, place, axis=1) + 1)


def _frames(world: World, seed: int, pids: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Choose how many pictures each walk has, by rank; who walks long once walks short the next time."""
    least, longest = world.frames
    mean = (least + longest) / 2 if world.mean_frames is None else world.mean_frames
    steps, power = longest - least + 1, _power(longest - least + 1, mean - least)
    drawn = np.empty((len(pids), most))
    for rank in range(most):
        even = spread(seed, (world.space, "identities"), f"frames {rank // 2}", pids, ROOT_2)
        drawn[:, rank] = even if rank % 2 == 0 else 1 - even
    return least + np.minimum((steps * drawn**power).astype(np.int64), steps - 1)


@lru_cache(maxsize=16)
def _power(steps: int, mean: float) -> float:
    """Find the power of a uniform number that spreads 0, 1, ... steps - 1 with a mean."""
    reached, low, high = np.arange(1, steps) / steps, 1e-3, 1e3
    for _ in range(100):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if (1 - reached ** (1 / middle)).sum() > mean else (low, middle)
    return middle


def shot(world: World, seed: int, walk: Walk, frame: int) -> Shot:
    """Give one shot of a walk."""
    return shots(world, seed, walk)[frame]


@lru_cache(maxsize=64)
def shots(world: World, seed: int, walk: Walk) -> tuple[Shot, ...]:
    """Give all shots of a walk, in order."""
    draws = Draws.of(seed, world.space, "walk", walk.pid, walk.camid)
    place = places.place(world, seed, walk.camid)
    motion = _motion(draws, place.walked)
    seconds = world.interval * np.arange(walk.frames, dtype=np.float64)
    poses = _poses(draws, motion, person(world, seed, walk.pid), seconds)
    things = _occluders(world, seed, walk, draws, motion, place.view.eye, seconds)
    margins = _margins(world, seed, walk, draws)
    begin, track = _begin(world, walk), "\n".join(["street", world.space, "walk"])
    start, key = f"{name(world, seed)}/{walk.pid}/{walk.camid}", f"{track}\n{walk.pid}\n{walk.camid}"
    return tuple(
        Shot(
            walk.pid,
            walk.camid,
            frame,
            second,
            begin + second,
            pose,
            motion.speed,
            thing,
            sides,
            key,
            f"{start}/{frame}",
        )
        for frame, (second, pose, thing, sides) in enumerate(zip(seconds.tolist(), poses, things, margins, strict=True))
    )


def _begin(world: World, walk: Walk) -> float:
    """Give every walk a time of its own, long enough for the longest, and as long again for its night."""
    return 2 * MOST_FRAMES * world.interval * (MOST_CAMERAS * (walk.pid - 1) + walk.camid - 1)


def night_begins(world: World) -> float:
    """Say how much later than its day the night of a walk is."""
    return MOST_FRAMES * world.interval


def _motion(draws: Draws, ground: places.Walked) -> Motion:
    """Draw how somebody moves; their way stays on the ground."""
    activity = draws.pick("activity", ACTIVITIES)
    stands = activity == "stand" or (activity == "phone" and draws.chance("stands", 0.5))
    lane = _lane(draws, ground)
    return Motion(
        activity=activity,
        speed=0.0
        if stands
        else draws.between("speed", 0.8, 1.2)
        if activity == "phone"
        else draws.about("speed", 1.0, 1.7),
        start=draws.between("start", 0.0, max(lane.straight - ROOM, 0.1)),
        lane=lane,
        turned=draws.between("turned", -math.pi, math.pi),
        swing=draws.between("swing", 0.1, 0.9),
        period=draws.between("period", 4.0, 9.0),
        begin=draws.between("period begins"),
    )


def _lane(draws: Draws, ground: places.Walked) -> Lane:
    """Lay a way through a point in the ground's inner part, as long as the ground allows."""
    wide, deep = (ground.most_x - ground.least_x) / 2, (ground.most_z - ground.least_z) / 2
    radius = min(0.3, 0.35 * wide, 0.35 * deep)
    bow = draws.between("bow", -1, 1) * radius
    inner = wide - radius - abs(bow), deep - radius - abs(bow)
    heading = _heading(draws)
    point = (0.6 * draws.between("x", -1, 1) * inner[0], 0.6 * draws.between("z", -1, 1) * inner[1])
    way = (math.sin(heading), math.cos(heading))
    ends = sorted(
        (sign * limit - here) / (step or 1e-9)
        for here, limit, step in zip(point, inner, way, strict=True)
        for sign in (-1, 1)
    )
    # Of the four times at which a line meets a rectangle's four sides, the two in the middle are on the rectangle.
    middle, length = (ends[1] + ends[2]) / 2, ends[2] - ends[1]
    x = (ground.least_x + ground.most_x) / 2 + point[0] + middle * way[0]
    z = (ground.least_z + ground.most_z) / 2 + point[1] + middle * way[1]
    # A short way is bent less, so that it stays about as long as it would be straight.
    return Lane(x, z, heading, max(length - 2 * radius, 0.01), radius, max(min(bow, 0.06 * length), -0.06 * length))


def _heading(draws: Draws) -> float:
    """Draw where a lane leads; 0 is towards the camera's side."""
    kind, sign = draws.pick("heading", HEADINGS), 1 if draws.chance("heading's side", 0.5) else -1
    if kind == "across":
        return sign * (math.pi / 2 + draws.between("angle", -0.2, 0.2))
    forth = math.pi if draws.chance("away", 0.5) else 0.0
    return forth + sign * (draws.between("angle", 0.35, 1.2) if kind == "slanting" else draws.between("angle", 0, 0.35))


def _poses(draws: Draws, motion: Motion, who: Person, seconds: Array) -> list[Pose]:
    """Place a person at some times; the gait follows the way they went."""
    way = motion.speed * seconds
    stride = min(1.0, 0.45 + 0.4 * motion.speed) if motion.speed else 0.0
    step = who.stride * who.leg_share * who.height * max(stride, 0.5)
    phase = (2 * math.pi * draws.between("phase") + math.pi * way / step) % (2 * math.pi)
    turning = np.sin(2 * math.pi * (seconds / motion.period + motion.begin))
    yaw = motion.lane.yaw(motion.start + way) if motion.speed else motion.turned + motion.swing * turning
    looks = draws.between("looks", 0.15, 0.6) if draws.chance("looks around", 0.5) else 0.05
    look = looks * np.sin(2 * math.pi * (seconds / draws.between("looks for", 3, 7) + draws.between("looks at")))
    look = look * (0.2 if motion.activity == "phone" else 1.0)
    rows = np.column_stack([motion.places(seconds), yaw, phase, np.full_like(way, stride), look]).tolist()
    return [Pose(x, z, turn, at, stride, motion.activity, head) for x, z, turn, at, stride, head in rows]


@dataclass(frozen=True)
class Passing:
    """A thing before which somebody passes, or a stranger who passes before them."""

    kind: Thing
    pid: int
    shape: int
    height: float
    way: float
    cover: float
    off: float  # metres by which it misses the line of sight in the middle
    side: float  # from where a stranger comes to somebody who stands
    lasts: float  # seconds for which one is behind the other


def solids(world: World, seed: int, kind: str, shape: int) -> Solids:
    """Build what stands in the way, at its own origin; a stranger is built as any person is."""
    return occluders.occluder(kind, seed, f"{world.space}\n{shape}")


def _occluders(
    world: World, seed: int, walk: Walk, draws: Draws, motion: Motion, eye: Array, seconds: Array
) -> list[Occluder | None]:
    """Choose what stands before a person at some times: they walk past it, so neighbouring pictures share it."""
    share = OCCLUDED[world.difficulty] if world.occluded is None else world.occluded
    thing = _passing(world, seed, draws, motion, eye)
    # Time is cut into equal pieces; in the first part of each something is in the way.
    even = float(spread(seed, (world.space, "camera", walk.camid), "occluded", walk.pid, ROOT_7))
    piece = seconds * share / thing.lasts + even
    inside = piece % 1.0 < share
    if not inside.any():
        return [None] * len(seconds)
    halfway = np.zeros(len(seconds))
    if math.isfinite(thing.lasts):
        halfway = (np.floor(piece) + share / 2 - even) * thing.lasts / share
    rows = _standing(motion, thing, eye, seconds, halfway)
    kind, pid, shape, height, cover = thing.kind, thing.pid, thing.shape, thing.height, thing.cover
    return [
        Occluder(kind, pid, shape, x, z, yaw, phase, way, aside, height, cover) if seen else None
        for seen, (x, z, yaw, phase, way, aside) in zip(inside.tolist(), rows.tolist(), strict=True)
    ]


def _passing(world: World, seed: int, draws: Draws, motion: Motion, eye: Array) -> Passing:
    """Draw a thing, and set it where a camera sees it before the person without the two touching."""
    kind = draws.pick("thing", {what: row.odds for what, row in KINDS.items()})
    stranger = MOST_IDENTITIES + 1 + int(draws.between("stranger") * 2**20) if kind == "person" else 0
    shape = int(draws.between("shape") * SHAPES)
    height = person(world, seed, stranger).height if stranger else tall(solids(world, seed, kind, shape))
    line = eye[[0, 2]] - (motion.lane.x, motion.lane.z)
    distance, angle = float(np.hypot(*line)), motion.lane.heading - math.atan2(*line)
    towards, across = abs(motion.speed * math.cos(angle)), abs(motion.speed * math.sin(angle))
    row = KINDS[kind]
    way = _way(draws, min((row.gap + 0.6 * towards) / distance, 0.5), height, float(eye[1]))
    passes = 1.6 * (BODY * (1 - way) + row.half) / max(across * (1 - way) + row.speed, 1e-9)
    meets = 2 * max(way * distance - row.gap, 0.4) / max(towards, 1e-9)
    return Passing(
        kind=kind,
        pid=stranger,
        shape=shape,
        height=height,
        way=way,
        cover=min(max((height - way * float(eye[1])) / (1 - way) / TALL, 0.0), 1.0),
        off=draws.between("aside", -0.6, 0.6) * BODY,
        side=-1.0 if draws.chance("comes from left", 0.5) else 1.0,
        lasts=min(passes, meets, LONGEST) if motion.speed or row.speed else math.inf,
    )


def _way(draws: Draws, nearest: float, height: float, eye: float) -> float:
    """Choose how far towards the camera a thing stands; a camera sees over a low one that is far from the person."""
    way, hidden = draws.between("way", nearest, 0.5), TALL * draws.between("hidden", 0.3, 0.75)
    if eye <= height:
        return way
    # This far away its upper end is before the wanted height of the body.
    return min(max((height - hidden) / max(eye - hidden, 1e-9), nearest), way)


def tall(thing: Solids) -> float:
    """Give the height of a thing: how far the highest of its spheres reaches up."""
    cones = thing.cones
    up = cones[:, AXIS + 1] ** 2
    # A sphere that is squashed along the vertical reaches less far.
    reach = np.sqrt(1 - up + up / cones[:, SQUASH] ** 2)
    return float(np.maximum(cones[:, A + 1] + reach * cones[:, RA], cones[:, B + 1] + reach * cones[:, RB]).max())


def _standing(motion: Motion, thing: Passing, eye: Array, seconds: Array, halfway: Array) -> Array:
    """Give a thing's x, z, yaw, gait, and its way and offset from the line of sight, at some times."""
    camera, here, there = eye[[0, 2]], motion.places(seconds), motion.places(halfway)
    line = camera - there
    unit = line / np.linalg.norm(line, axis=1, keepdims=True)
    right = np.stack([unit[:, 1], -unit[:, 0]], axis=-1)  # seen from the camera
    side = _sides(motion, right, halfway, thing.side)
    walked = KINDS[thing.kind].speed * (seconds - halfway)
    spot = there + thing.way * line + (thing.off + side * walked)[:, None] * right
    sight, away = camera - here, spot - here
    far = np.linalg.norm(sight, axis=1)
    way = (away * sight).sum(axis=1) / far**2
    aside = (away[:, 0] * sight[:, 1] - away[:, 1] * sight[:, 0]) / far
    faces = right * side[:, None] if KINDS[thing.kind].speed else unit
    yaw = np.arctan2(faces[:, 0], faces[:, 1])
    return np.column_stack([spot, yaw, (4.2 * walked) % (2 * math.pi), way, aside])


def _sides(motion: Motion, right: Array, halfway: Array, otherwise: float) -> Array:
    """Let whoever passes come the other way, 1 or -1."""
    if not motion.speed:
        return np.full(len(halfway), otherwise)
    step = motion.places(halfway + 0.05) - motion.places(halfway - 0.05)
    return np.where((step * right).sum(axis=1) > 0, -1.0, 1.0)


def _margins(world: World, seed: int, walk: Walk, draws: Draws) -> list[tuple[float, float, float, float]]:
    """Let a detector frame a walk more or less tightly, and each picture a little otherwise."""
    texts = [f"street\n{world.space}\nshot\n{walk.pid}\n{walk.camid}\n{frame}" for frame in range(walk.frames)]
    keys = keyed.keys(texts)
    least = dict(zip(("side", "above", "below"), TIGHT[world.difficulty], strict=True))
    most = dict(zip(("side", "above", "below"), LOOSE, strict=True))
    columns = []
    for side, kind in (("left", "side"), ("above", "above"), ("right", "side"), ("below", "below")):
        share = 0.7 * draws.between(f"margin {side}") + 0.3 * keyed.uniform(seed, keys, f"margin {side}")
        columns.append(least[kind] + (most[kind] - least[kind]) * share)
    return [(left, top, right, low) for left, top, right, low in np.column_stack(columns).tolist()]
