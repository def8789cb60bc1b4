"""What is worn and carried over a body's shape: hems, skirts, collars, hair, hats and bags, as cones at rest.

Metres of a person of 1.75 m, and shares of a head's height, as in `figure`; a trolley case is as big for everybody.
"""

from dataclasses import replace

from synthesis.street import fabrics
from synthesis.street.arms import AXLE
from synthesis.street.bones import CASE, CHEST, HAND, HEAD, HELD, PELVIS, TRUNK
from synthesis.street.figure import FLAT, HEAD_SIZE, RIGHT, UP, Cones, Put, Sizes
from synthesis.street.people import Person
from synthesis.street.scene import BAG, COAT, HAIR, HAT, OPEN

BELOW_WRIST = 0.085  # where a hand holds something
CASE_REACH = 1.02  # from a case's wheels to its handle
CARRIED_Z = 0.27  # how far before the hips a parcel is held
BELT_Y = 0.10


def clothes(cones: Cones, sizes: Sizes, person: Person) -> None:
    """Put down what hangs free of the body: hem, skirt, collar, hood."""
    put = Put(cones, sizes.upper, TRUNK, fabrics.ROW_TRUNK, fabrics.own_part(person))
    hip = sizes.hip / sizes.upper
    if not fabrics.tucked(person):
        tail(put, sizes, person)
    if person.bottom == "skirt":
        low, flare = (-0.27, 0.012) if fabrics.trait(person, 4) else (-0.41, 0.045)
        high = (TRUNK, (0, fabrics.SKIRT_FROM, -0.004), sizes.waist + 0.012)
        hem = (TRUNK, (0.0, low, 0.0), hip + flare)
        replace(put, part=COAT)("skirt", high, hem, ("pelvis",), 1.2, kind=OPEN, drape=0.078 * sizes.limb)
    put = replace(put, frame=CHEST, row=fabrics.ROW_COLLAR)
    if person.top != "tshirt":
        collar(put, sizes, person)
    if person.hood:
        hood(put, sizes)


def tail(put: Put, sizes: Sizes, person: Person) -> None:
    """Put down the lower end of a top that is worn outside; a coat's must hold both legs."""
    cloth, belly = sizes.cloth, sizes.belly
    ease, room, flat = {"hoodie": (-0.004, 0.0, FLAT), "coat": (0.026, 0.080 * sizes.limb, 1.25)}.get(
        person.top, (0.006, 0.0, FLAT)
    )
    high = (TRUNK, (0.0, BELT_Y, 0.004 + 0.018 * belly), sizes.waist + cloth + 0.006)
    low = (TRUNK, (0.0, fabrics.hem(person), 0.002 + 0.012 * belly), sizes.hip / sizes.upper + cloth + ease)
    put("drape", high, low, ("belly", "pelvis"), flat, kind=OPEN, drape=room)


def collar(put: Put, sizes: Sizes, person: Person) -> None:
    """Put a collar round the neck; its lower edge is hidden in the chest."""
    low, high, foot, tall = {"shirt": (0.078, 0.064, 0.470, 0.085), "hoodie": (0.092, 0.074, 0.460, 0.090)}.get(
        person.top, (0.084, 0.071, 0.462, 0.098)
    )
    low *= sizes.broad * sizes.trunk
    ends = (CHEST, (0.0, foot, -0.014), low), (CHEST, (0.0, foot + tall, -0.022), high)
    put("collar", *ends, ("left slope", "right slope"), kind=OPEN)


def hood(put: Put, sizes: Sizes) -> None:
    """Hang a hood on the back."""
    back = -0.078 - sizes.cloth
    put("hood", (CHEST, (-0.06, 0.50, back), 0.05), (CHEST, (0.06, 0.50, back), 0.05), ("hood tip",), 1.15)
    high, low = (CHEST, (0.0, 0.490, back), 0.078), (CHEST, (0.0, 0.375, back - 0.020), 0.040)
    put("hood tip", high, low, ("hood", "chest"), 1.7)


def hair(cones: Cones, sizes: Sizes, person: Person) -> None:
    """Put down hair that stands out from the head; short hair is a cap, painted up to the hairline."""
    put = Put(cones, sizes.upper * HEAD_SIZE, HEAD, fabrics.ROW_HEAD, HAIR)
    cut, loose = person.hair_style, replace(put, row=fabrics.ROW_HAIR)
    if cut == "bald":
        return
    falls = cut in ("bob", "long")
    if person.hat == "none":
        full = 0.012 if falls else 0.0
        put("hair", (HEAD, (0, 0.69, -0.15), 0.347 + full), (HEAD, (0, 0.70, 0.03), 0.325 + full), ("skull",))
    if falls:
        ends = (HEAD, (0, 0.64, -0.125), 0.362), (HEAD, (0, 0.02, -0.150), 0.335)
        loose("curtain", *ends, ("hair", "fall"), kind=OPEN)
    if cut == "long":
        back = (0.0, 0.41 / HEAD_SIZE, (-0.082 - sizes.cloth) / HEAD_SIZE)
        loose("fall", (HEAD, (0, 0.40, -0.230), 0.250), (CHEST, back, 0.34), ("curtain",), 1.6)
    elif cut == "ponytail":
        loose("tail", (HEAD, (0, 0.66, -0.435), 0.090), (HEAD, (0, 0.08, -0.500), 0.070), ("hair", "skull"))
    elif cut == "bun":
        high = 0.88 if person.hat == "none" else 0.50
        loose("bun", (HEAD, (0, high, -0.40), 0.15), (HEAD, (0, high - 0.02, -0.44), 0.13))


def hat(cones: Cones, sizes: Sizes, person: Person) -> None:
    """Put on a hat: a shell that the head's paint divides from the face, and a brim."""
    shell = Put(cones, sizes.upper * HEAD_SIZE, HEAD, fabrics.ROW_HEAD, HAT)
    brim = replace(shell, row=fabrics.ROW_HAT)
    if person.hat == "cap":
        shell("hat", (HEAD, (0, 0.715, -0.125), 0.352), (HEAD, (0, 0.720, 0.075), 0.338))
        brim("brim", (HEAD, (0, 0.770, 0.230), 0.235), (HEAD, (0, 0.715, 0.500), 0.190), (), 9.0, UP)
    elif person.hat == "beanie":
        shell("hat", (HEAD, (0, 0.725, -0.120), 0.362), (HEAD, (0, 0.745, 0.060), 0.350))
    elif person.hat == "brim":
        shell("hat", (HEAD, (0, 0.740, -0.050), 0.375), (HEAD, (0, 0.900, -0.050), 0.330), (), 1.7, UP)
        brim("brim", (HEAD, (0, 0.745, -0.060), 0.640), (HEAD, (0, 0.740, 0.010), 0.630), (), 18.0, UP)


def bag(cones: Cones, sizes: Sizes, person: Person) -> None:
    """Put down the bag, joined to the body or to the hand."""
    put = Put(cones, sizes.upper, CHEST, fabrics.ROW_BAG, BAG)
    if person.bag == "backpack":
        backpack(put, sizes)
    elif person.bag == "handbag":
        handbag(replace(put, frame=HELD))
    elif person.bag == "shoulder":
        shoulder_bag(replace(put, frame=PELVIS), sizes, person)
    elif person.bag == "trolley":
        trolley(replace(put, frame=CASE, size=1.0))


def backpack(put: Put, sizes: Sizes) -> None:
    """Put a bag with a pocket on the back; its straps are painted on the trunk."""
    back = -0.150 - sizes.cloth
    put("bag", (CHEST, (0, 0.175, back), 0.142), (CHEST, (0, 0.385, back + 0.012), 0.118), ("pocket",), 1.55)
    low, high = (CHEST, (0, 0.145, back - 0.075), 0.098), (CHEST, (0, 0.235, back - 0.070), 0.088)
    put("pocket", low, high, ("bag",), 2.2)


def handbag(put: Put) -> None:
    """Hang a bag from the hand by two straps."""
    put("bag", (HELD, (0, -0.345, 0), 0.155), (HELD, (0, -0.150, 0), 0.125), (), 3.2, RIGHT, OPEN)
    put("bottom", (HELD, (0, -0.332, -0.110), 0.044), (HELD, (0, -0.332, 0.110), 0.044), ("bag",))
    put("lid", (HELD, (0, -0.165, -0.090), 0.034), (HELD, (0, -0.165, 0.090), 0.034), ("bag",))
    strap = replace(put, row=fabrics.ROW_LEATHER)
    for name, z in (("front strap", 0.075), ("back strap", -0.075)):
        strap(name, (HELD, (0.0, -0.140, z), 0.0065), (HELD, (0.0, 0.0, 0.12 * z), 0.0065))


def shoulder_bag(put: Put, sizes: Sizes, person: Person) -> None:
    """Hang a bag beside the hip; its strap is painted across the trunk."""
    side = -1.0 if person.bag_side == "left" else 1.0
    x, z = side * (sizes.hip / sizes.upper + sizes.cloth + 0.008), -0.050
    put("bag", (PELVIS, (x, -0.195, z), 0.160), (PELVIS, (x, 0.0, z), 0.145), (), 2.9, RIGHT, OPEN)
    put("bottom", (PELVIS, (x, -0.180, z - 0.105), 0.049), (PELVIS, (x, -0.180, z + 0.105), 0.049), ("bag",))
    put("lid", (PELVIS, (x, -0.020, z - 0.095), 0.044), (PELVIS, (x, -0.020, z + 0.095), 0.044), ("bag",))


def trolley(put: Put) -> None:
    """Stand a ribbed case on two wheels, with a handle that reaches into the hand."""
    names = ("bag", "bag middle", "bag right")
    for name, x in zip(names, (-0.105, 0.0, 0.105), strict=True):
        put(name, (CASE, (x, 0.080, -0.070), 0.100), (CASE, (x, 0.480, -0.070), 0.100), names, 2.2, UP)
    metal = replace(put, row=fabrics.ROW_LEATHER)
    for name, x in (("left", -0.06), ("right", 0.06)):
        metal(f"{name} rod", (CASE, (x, 0.45, -0.030), 0.009), (CASE, (x, CASE_REACH, 0.0), 0.009))
        metal(f"{name} wheel", (CASE, (2.2 * x, 0.0, 0.0), AXLE), (CASE, (2.5 * x, 0.0, 0.0), AXLE))
    metal("handle", (CASE, (-0.06, CASE_REACH, 0.0), 0.012), (CASE, (0.06, CASE_REACH, 0.0), 0.012))


def parcel(cones: Cones, sizes: Sizes) -> None:
    """Put a parcel into the bent arms."""
    put = Put(cones, sizes.upper, TRUNK, fabrics.ROW_PARCEL, BAG)
    z = CARRIED_Z
    put("parcel", (TRUNK, (0.0, 0.060, z), 0.160), (TRUNK, (0.0, 0.270, z), 0.160), (), 1.5, kind=OPEN)
    for name, y in (("parcel bottom", 0.066), ("parcel top", 0.262)):
        put(name, (TRUNK, (-0.050, y, z), 0.104), (TRUNK, (0.050, y, z), 0.104), (), 8.0, UP)


def phone(cones: Cones, sizes: Sizes, i: int, ear: bool) -> None:
    """Put a telephone into a hand, along the cheek or upright before the face."""
    put, x = Put(cones, sizes.upper, HAND + i, fabrics.ROW_PHONE, BAG), 0.030 - 0.060 * i
    low, high = ((x, -0.120, 0.0), (x, -0.040, 0.0)) if ear else ((x, -0.080, 0.020), (x, -0.080, 0.100))
    put("phone", (HAND + i, low, 0.036), (HAND + i, high, 0.036), (), 7.0, RIGHT)
