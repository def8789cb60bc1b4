"""A body's shape at rest: rounded cones that hang on the bones, for a person as the card describes them.

All numbers below are metres of a person of 1.75 m with usual proportions; a head's are shares of its height.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from synthesis.street import fabrics
from synthesis.street.bones import CHEST, HEAD, PELVIS, TRUNK
from synthesis.street.people import Person
from synthesis.street.scene import CLOSED, CONE, NEAR, SKIN, Array

Point = tuple[float, float, float]
RIGHT, UP, FORWARD, MIDDLE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0)

USUAL, LEG_SHARE = 1.75, 0.525
LEGS, ABOVE, HEAD_SIZE = USUAL * LEG_SHARE, USUAL * (1 - LEG_SHARE), 0.238
UPPER_ARM_LENGTH, FOREARM_LENGTH, THIGH_LENGTH, SHIN_LENGTH = 0.29, 0.255, 0.425, 0.409
FLAT = 1.38  # how much flatter than wide a trunk is
THICK = {"tshirt": 0.004, "shirt": 0.006, "hoodie": 0.014, "jacket": 0.017, "coat": 0.020}
SIDES = ("left", "right")


@dataclass(frozen=True)
class Sizes:
    """A person's measures, relative to the usual ones or in metres."""

    upper: float  # trunk, arms and head
    lower: float  # legs
    limb: float  # girth of limbs
    leg: float  # girth of legs
    trunk: float  # girth of the trunk
    broad: float  # of the shoulders' bones and muscles
    shoulder: float  # metres from the middle to the joint
    hip: float  # metres, half the width of the hips
    joint: float  # metres from the middle to a hip joint
    cloth: float  # thickness of the top, for a usual trunk
    waist: float  # half the width at the belt, for a usual trunk
    bust: float
    belly: float

    @classmethod
    def of(cls, person: Person) -> "Sizes":
        """Take a person's measures."""
        upper = (1 - person.leg_share) * person.height / ABOVE
        lower = person.leg_share * person.height / LEGS
        limb, trunk = 1 + 0.85 * (person.girth - 1), 1 + 0.75 * (person.girth - 1)
        hip = 0.170 * person.hips * (0.45 + 0.55 * trunk)
        leg = limb * (0.75 + 0.25 * hip * upper / 0.17)
        shoulder = 0.166 * person.shoulders + 0.006
        slender = 4.0 * (person.hips - person.shoulders) + 0.35 if person.facial_hair == "none" else 0.0
        return cls(
            upper=upper,
            lower=lower,
            limb=limb,
            leg=leg,
            trunk=trunk,
            broad=0.5 + 0.5 * shoulder / 0.172,
            shoulder=shoulder * upper,
            hip=hip * upper,
            joint=hip * upper - 0.087 * lower * leg,
            cloth=THICK[person.top],
            waist=(0.142 + 0.02 * person.belly) * (0.5 * trunk + 0.5 * hip / 0.17),
            bust=min(max(slender, 0.0), 1.0),
            belly=person.belly,
        )


End = tuple[int, Point, float]  # bone, place, radius


@dataclass
class Cones:
    """Cones that are put down one by one, under names by which others can blend with them."""

    rows: list[list[float]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    near: list[Sequence[str]] = field(default_factory=list)

    def table(self) -> Array:
        """Give all rows, with neighbours by position; a name that is not there is nobody's neighbour."""
        rows = np.array(self.rows, float)
        place = {name: i for i, name in enumerate(self.names)}
        for row, names in zip(rows, self.near, strict=True):
            found = [place[name] for name in names if name in place][: CONE - NEAR]
            row[NEAR : NEAR + len(found)] = found
        return rows


@dataclass(frozen=True)
class Put:
    """Puts down cones of one size (their unit, in metres), painted in one frame, with one material, as one part."""

    cones: Cones
    size: float
    frame: int
    row: int
    part: int

    def __call__(
        self,
        name: str,
        a: End,
        b: End,
        near: Sequence[str] = (),
        squash: float = 1.0,
        axis: Point = FORWARD,
        kind: int = CLOSED,
        drape: float = 0.0,
    ) -> None:
        """Put down a cone between two ends."""
        numbers = [self.size * number for number in (*a[1], *b[1], a[2], b[2])]
        paint = (self.frame, self.row, 0, self.part, 1)  # the owner comes later; all cast shadows
        # The order of the columns of the scene's table, then of the skeleton's.
        self.cones.rows.append([*numbers, squash, *axis, kind, *paint, -1, -1, -1, -1, a[0], b[0], self.size * drape])
        self.cones.names.append(name)
        self.cones.near.append(near)


def trunk(cones: Cones, sizes: Sizes, person: Person) -> None:
    """Put down pelvis, belly and chest; with the shoulders they are painted in one frame, so no seam shows."""
    put = Put(cones, sizes.upper, TRUNK, fabrics.ROW_TRUNK, fabrics.own_part(person))
    cloth, wide, paunch, hip = sizes.cloth, sizes.trunk, sizes.belly, sizes.hip / sizes.upper
    seat = 0.098 * wide
    left, right = (PELVIS, (seat - hip, -0.015, -0.012), seat), (PELVIS, (hip - seat, -0.015, -0.012), seat)
    put("pelvis", left, right, ("belly", "left hip", "right hip", "drape"))
    loin = (0.146 + 0.012 * paunch) * (0.5 * wide + 0.5 * hip / 0.17) + cloth
    waist = (TRUNK, (0.0, 0.175, 0.026 * paunch), (0.131 + 0.024 * paunch) * wide + cloth)
    put("belly", (PELVIS, (0, 0.03, 0.006 + 0.014 * paunch), loin), waist, ("pelvis", "chest", "drape"), FLAT)
    ribs = 0.146 * wide * sizes.broad + cloth
    put("chest", waist, (CHEST, (0, 0.375, -0.008), ribs), ("belly", "girdle", "bust"), FLAT)
    if sizes.bust > 0.1:
        apart, radius = 0.056 * wide, (0.054 + 0.010 * sizes.bust) * wide + 0.6 * cloth
        depth = (ribs - 0.004) / FLAT + 0.012 + 0.014 * sizes.bust - radius
        left, right = (CHEST, (-apart, 0.310, depth), radius), (CHEST, (apart, 0.310, depth), radius)
        put("bust", left, right, ("chest", "belly"))
    shoulders(sizes, put)


def shoulders(sizes: Sizes, put: Put) -> None:
    """Put down the shoulders, the slopes up to the neck, and the neck."""
    cloth, broad, shoulder = sizes.cloth, sizes.broad, sizes.shoulder / sizes.upper
    end, thick = shoulder - 0.040, 0.058 * broad + cloth
    near = ("chest", "left slope", "right slope")
    put("girdle", (CHEST, (-end, 0.452, -0.014), thick), (CHEST, (end, 0.452, -0.014), thick), near)
    for side, sign in zip(SIDES, (-1, 1), strict=True):
        high = (CHEST, (sign * 0.026, 0.560, -0.026), 0.044 + 0.3 * cloth)
        low = (CHEST, (sign * (shoulder - 0.022), 0.471, -0.014), 0.049 * broad + cloth)
        put(f"{side} slope", high, low, ("girdle", f"{side} upper arm", "neck", "chest"))
    neck = 0.054 * (0.6 + 0.4 * sizes.limb) * (0.5 + 0.5 * broad) - 0.006 * sizes.bust
    low, high = (CHEST, (0.0, 0.495, -0.018), neck + 0.004), (HEAD, (0.0, 0.081, -0.017), neck)
    put("neck", low, high, ("left slope", "right slope", "jaw", "skull"))


def head(cones: Cones, sizes: Sizes, person: Person) -> None:
    """Put down skull, jaw, nose and ears; the face is painted on them."""
    put = Put(cones, sizes.upper * HEAD_SIZE, HEAD, fabrics.ROW_HEAD, SKIN)
    back, front = (HEAD, (0, 0.660, -0.115), 0.330), (HEAD, (0, 0.640, 0.085), 0.308)
    put("skull", back, front, ("jaw", "nose", "hair"), 1.04, RIGHT)
    chin = 0.165 - 0.022 * sizes.bust
    high, low = (HEAD, (0.0, 0.520, 0.095), 0.285), (HEAD, (0.0, chin, 0.185), chin)
    put("jaw", high, low, ("skull", "nose", "neck"), 1.06, RIGHT)
    put("nose", (HEAD, (0, 0.520, 0.366), 0.024), (HEAD, (0, 0.335, 0.402), 0.043), ("jaw", "skull"))
    if person.hair_style in ("bob", "long"):
        return  # hair covers the ears
    ear = replace(put, row=fabrics.ROW_SKIN)
    for side, sign in zip(SIDES, (-1, 1), strict=True):
        high, low = (HEAD, (sign * 0.318, 0.52, -0.035), 0.066), (HEAD, (sign * 0.300, 0.39, -0.010), 0.045)
        ear(f"{side} ear", high, low, (), 2.2, RIGHT)
