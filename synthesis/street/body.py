"""A person at one moment, as solids: the shape at rest is made once a person, and follows the bones of every pose."""

from functools import lru_cache

import numpy as np

from synthesis.street import bones, extremities, fabrics, figure, garments, skeleton
from synthesis.street.figure import (
    FOREARM_LENGTH,
    HEAD_SIZE,
    SHIN_LENGTH,
    SIDES,
    THIGH_LENGTH,
    UPPER_ARM_LENGTH,
    Cones,
    Sizes,
)
from synthesis.street.people import Person
from synthesis.street.scene import CONE, FRAME_SIZE, OWNER, SUBJECT, Array, Pose, Solids

CHIN_Y, EARS_Z = 0.590, 0.014  # a head's origin, above the hips and before the spine
IN_HAND = ("handbag", "trolley")

# Which rows of materials bend with which joint (elbows, then knees): both bones of a limb.
_BENT = [
    fabrics.ROW_UPPER_ARM, fabrics.ROW_UPPER_ARM + 1, fabrics.ROW_FOREARM, fabrics.ROW_FOREARM + 1,
    fabrics.ROW_THIGH, fabrics.ROW_THIGH + 1, fabrics.ROW_SHIN, fabrics.ROW_SHIN + 1,
]  # fmt: skip
_JOINTS = [0, 1, 0, 1, 2, 3, 2, 3]


def body(person: Person, pose: Pose, owner: int = SUBJECT) -> Solids:
    """Build a person in a pose."""
    rest, build, materials = _figure(person, pose.activity if pose.activity in ("phone", "carry") else "")
    activity = bones.ACTIVITIES[pose.activity]
    moment = np.array([pose.x, pose.z, pose.yaw, pose.phase, pose.stride, activity, pose.look])
    frames, cones, bends = np.empty((bones.BONES, FRAME_SIZE)), np.empty((len(rest), CONE)), np.empty(4)
    skeleton.move(build, moment, rest, frames, cones, bends)
    cones[:, OWNER] = owner
    rows = materials.copy()
    rows[_BENT, fabrics.FLEX] = bends[_JOINTS]
    return Solids(cones, frames, rows)


def turn(person: Person) -> float:
    """Give the metres that a person walks at full stride during one turn of the phase: two steps."""
    return 2.0 * person.stride * person.leg_share * person.height


@lru_cache(maxsize=1024)
def _figure(person: Person, busy: str) -> tuple[Array, Array, Array]:
    """Give a person's cones at rest, what the skeleton needs to know, and the materials."""
    sizes, cones, hand = Sizes.of(person), Cones(), _telephone_hand(person)
    side, free = SIDES.index(person.bag_side), busy == "carry" and person.bag in IN_HAND
    grips = [person.bag in IN_HAND and not free and i == side for i in range(2)]
    grips[hand] |= busy == "phone"
    figure.trunk(cones, sizes, person)
    figure.head(cones, sizes, person)
    extremities.arms(cones, sizes, person, (grips[0], grips[1]))
    extremities.legs(cones, sizes, person)
    garments.clothes(cones, sizes, person)
    garments.hair(cones, sizes, person)
    garments.hat(cones, sizes, person)
    if not free:  # both arms are full: the bag stays at home
        garments.bag(cones, sizes, person)
    if busy == "carry":
        garments.parcel(cones, sizes)
    if busy == "phone":
        garments.phone(cones, sizes, hand, _calls(person))
    return cones.table(), _build(person, sizes), fabrics.materials(person, sizes.upper, sizes.lower)


def _telephone_hand(person: Person) -> int:
    """Give the hand that carries no bag."""
    return 1 - SIDES.index(person.bag_side)


def _calls(person: Person) -> bool:
    """Tell whether the telephone is at the ear, rather than before the face."""
    return fabrics.trait(person, 6)


def _build(person: Person, sizes: Sizes) -> Array:
    """Fill the skeleton's columns."""
    build, upper, lower = np.zeros(bones.BUILD), sizes.upper, sizes.lower
    # As far out as hanging arms must be to pass the hips, and what is worn there.
    width = max(sizes.hip, sizes.waist * upper) + sizes.cloth + 0.045
    out = max(0.10, (width - sizes.shoulder) / (0.43 * upper))
    side = SIDES.index(person.bag_side)
    for column, value in {
        bones.LEG: person.leg_share * person.height,
        bones.THIGH_LENGTH: lower * THIGH_LENGTH,
        bones.SHIN_LENGTH: lower * SHIN_LENGTH,
        bones.FOOT_SCALE: lower,
        bones.HIP_X: sizes.joint,
        bones.SHOULDER_X: sizes.shoulder,
        bones.SHOULDER_Y: upper * 0.468,
        bones.SHOULDER_Z: upper * -0.012,
        bones.ARM_LENGTH: upper * UPPER_ARM_LENGTH,
        bones.FOREARM_LENGTH: upper * FOREARM_LENGTH,
        bones.GRIP: upper * garments.BELOW_WRIST,
        bones.HEAD_Y: upper * CHIN_Y,
        bones.HEAD_Z: upper * EARS_Z,
        bones.HEAD_PIVOT: upper * (CHIN_Y + 0.25 * HEAD_SIZE),
        bones.OUT_LEFT: out + (0.16 if person.bag == "shoulder" and side == 0 else 0.0),
        bones.OUT_RIGHT: out + (0.16 if person.bag == "shoulder" and side == 1 else 0.0),
        bones.STRIDE: person.stride,
        bones.SWING: person.swing,
        bones.BOUNCE: person.bounce,
        bones.LEAN: person.lean,
        bones.BAG_SIDE: side,
        bones.HANDBAG: person.bag == "handbag",
        bones.TROLLEY: person.bag == "trolley",
        bones.PHONE_SIDE: _telephone_hand(person),
        bones.CALLS: _calls(person),
        bones.CASE_LENGTH: garments.CASE_REACH,
        bones.CARRIED_Z: upper * garments.CARRIED_Z,
    }.items():
        build[column] = value
    return build
