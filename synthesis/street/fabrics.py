"""What people are made of: the kinds that cloth.paint knows, the columns of their rows, and a person's rows.

Lengths in a row are metres of a person of 1.75 m; SIZE turns the person's own metres into those.
"""

from functools import lru_cache

import numpy as np

from synthesis.street import scene
from synthesis.street.gait import BALL_Y
from synthesis.street.people import Colour, Person
from synthesis.street.scene import MATERIAL_SIZE, Array

SKIN, HEAD, TRUNK, ARM, LEG, SHOE, BAG, LEATHER, HAIR, HAT = range(10)
KINDS = (SKIN, HEAD, TRUNK, ARM, LEG, SHOE, BAG, LEATHER, HAIR, HAT)

# Columns of every row. FIRST is the colour of the thing itself, SECOND that of its pattern, BARE the skin's.
KIND, FIRST, SECOND, BARE, PATTERN, FREQUENCY, PHASE, SEED, SIZE, FLEX, EDGE, LENGTH, OWN_PART, STYLE = (
    0, 1, 4, 7, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
)  # fmt: skip
# FLEX: how far the limb's joint is bent, radians; the one column that depends on the moment.

# Of the trunk: what is worn below, the strap's colour and course, and where the belt is (0 none).
LOWER, STRAP_COLOUR, STRAP, LOWER_PART, HOOD, SHOULDER, BELT, SKIRT, ROUND = 20, 23, 26, 27, 28, 29, 30, 31, 32
NO_STRAP, BACKPACK, OVER_LEFT, OVER_RIGHT = 0, 1, 2, 3  # a shoulder bag's strap, by the shoulder it lies on
# Of the head: hair and hat colours, and what grows or sits where.
HAIR_COLOUR, HAT_COLOUR, HAIRCUT, BEARD, GLASSES, HAT_KIND, AGE = 20, 23, 26, 27, 28, 29, 30

PATTERNS = {"plain": 0, "stripes": 1, "checks": 2, "plaid": 3, "print": 4, "block": 5}
PLAIN, STRIPES, CHECKS, PLAID, PRINT, BLOCK = range(6)
STYLES = {"tshirt": 0, "shirt": 1, "hoodie": 2, "jacket": 3, "coat": 4}
TSHIRT, SHIRT, HOODIE, JACKET, COAT = range(5)
CUTS = {"bald": 0, "short": 1, "bob": 2, "long": 3, "bun": 4, "ponytail": 5}
BEARDS = {"none": 0, "stubble": 1, "moustache": 2, "beard": 3}
HATS = {"none": 0, "cap": 1, "beanie": 2, "brim": 3}

# Where the rows of a person are; of pairs the left one comes first.
ROW_SKIN, ROW_HEAD, ROW_TRUNK, ROW_UPPER_ARM, ROW_FOREARM, ROW_THIGH, ROW_SHIN, ROW_SHOE = 0, 1, 2, 3, 5, 7, 9, 11
ROW_TOES, ROW_BAG, ROW_LEATHER, ROW_HAIR, ROW_HAT, ROW_PARCEL, ROW_COLLAR, ROW_PHONE, ROWS = (
    12, 13, 14, 15, 16, 17, 18, 19, 20,
)  # fmt: skip

SOLE = -0.066  # the upper edge of a shoe's sole below the ankle
SKIRT_FROM = 0.06  # where a skirt begins above the hips
SHORT_SLEEVE, SHORTS, WHOLE = 0.17, 0.37, 9.0  # how far down a limb the cloth goes
_DARK, _CARTON = (0.02, 0.02, 0.022), (0.36, 0.25, 0.15)


def trait(person: Person, number: int) -> bool:
    """Give one of the small habits that no attribute names: bits of the pattern's seed."""
    return bool(person.pattern_seed >> number & 1)


def tucked(person: Person) -> bool:
    """Tell whether the top is worn inside what is below it."""
    if person.bottom == "skirt":
        return person.top in ("tshirt", "shirt")
    return person.top == "shirt" and trait(person, 0)


def own_part(person: Person) -> int:
    """Give the part that the top is."""
    return scene.COAT if person.top == "coat" else scene.TOP


def hem(person: Person) -> float:
    """Give where the top ends, above (or below) the hips."""
    if tucked(person):
        return SKIRT_FROM + 0.035
    if person.top == "coat":
        return -0.30 if trait(person, 1) else -0.43
    return {"tshirt": -0.085, "shirt": -0.11, "hoodie": -0.075, "jacket": -0.10}[person.top]


@lru_cache(maxsize=1024)
def materials(person: Person, upper: float, lower: float) -> Array:
    """Give a person's rows, for a trunk and for legs that are so much bigger than the usual ones."""
    rows = np.zeros((ROWS, MATERIAL_SIZE))
    rows[:, SIZE], rows[:, SEED] = 1.0 / upper, person.pattern_seed
    rows[ROW_THIGH : ROW_TOES + 1, SIZE] = 1.0 / lower
    rows[:, BARE : BARE + 3] = person.skin
    _row(rows, ROW_SKIN, SKIN, person.skin, scene.SKIN)
    _head(rows[ROW_HEAD], person)
    rows[ROW_HAIR] = rows[ROW_HEAD]
    rows[ROW_HAIR, KIND] = HAIR
    _row(rows, ROW_HAT, HAT, person.hat_colour, scene.HAT)
    for row, kind in ((ROW_TRUNK, TRUNK), (ROW_UPPER_ARM, ARM), (ROW_FOREARM, ARM)):
        for one in (row,) if kind == TRUNK else (row, row + 1):
            _cloth(rows[one], kind, person)
    _trunk(rows[ROW_TRUNK], person)
    _limbs(rows, person)
    _row(rows, ROW_SHOE, SHOE, person.shoe_colour, scene.SHOE)
    rows[ROW_SHOE, STYLE] = trait(person, 5)
    rows[ROW_TOES] = rows[ROW_SHOE]
    rows[ROW_SHOE, EDGE], rows[ROW_TOES, EDGE] = SOLE, SOLE - BALL_Y
    rows[ROW_TOES, ROUND] = 1.0
    _row(rows, ROW_BAG, BAG, person.bag_colour, scene.BAG)
    rows[ROW_BAG, STYLE] = ("none", "backpack", "handbag", "shoulder", "trolley").index(person.bag)
    _row(rows, ROW_LEATHER, LEATHER, tuple(0.6 * c for c in person.bag_colour), scene.BAG)
    _row(rows, ROW_PHONE, LEATHER, _DARK, scene.BAG)
    _row(rows, ROW_PARCEL, BAG, _CARTON, scene.BAG)
    rows[ROW_PARCEL, STYLE] = 5
    collar = person.second_colour if person.pattern == "block" else person.top_colour
    _row(rows, ROW_COLLAR, LEATHER, collar, int(rows[ROW_TRUNK, OWN_PART]))
    return rows


def _row(rows: Array, row: int, kind: int, colour: tuple[float, ...], part: int) -> None:
    rows[row, KIND], rows[row, FIRST : FIRST + 3], rows[row, OWN_PART] = kind, colour, part
    rows[row, SECOND : SECOND + 3] = _DARK


def _head(row: Array, person: Person) -> None:
    row[KIND], row[FIRST : FIRST + 3], row[OWN_PART] = HEAD, person.skin, scene.SKIN
    row[HAIR_COLOUR : HAIR_COLOUR + 3], row[HAT_COLOUR : HAT_COLOUR + 3] = person.hair, person.hat_colour
    row[HAIRCUT], row[BEARD] = CUTS[person.hair_style], BEARDS[person.facial_hair]
    row[GLASSES], row[HAT_KIND] = person.glasses, HATS[person.hat]
    row[STYLE] = person.hips > person.shoulders
    row[PHASE] = person.phase


def _cloth(row: Array, kind: int, person: Person) -> None:
    row[KIND], row[FIRST : FIRST + 3], row[SECOND : SECOND + 3] = kind, person.top_colour, person.second_colour
    row[PATTERN], row[FREQUENCY], row[PHASE] = PATTERNS[person.pattern], person.frequency, person.phase
    row[STYLE], row[EDGE], row[OWN_PART] = STYLES[person.top], hem(person), own_part(person)


def _trunk(row: Array, person: Person) -> None:
    row[LOWER : LOWER + 3], row[LOWER_PART] = person.bottom_colour, scene.BOTTOM
    if person.bottom == "skirt":
        row[SKIRT], row[LOWER_PART] = 1.0, scene.COAT
    row[STRAP_COLOUR : STRAP_COLOUR + 3] = 0.7 * np.array(person.bag_colour)
    if person.bag == "backpack":
        row[STRAP] = BACKPACK
    elif person.bag == "shoulder":
        row[STRAP] = OVER_LEFT if person.bag_side == "right" else OVER_RIGHT
    row[HOOD], row[SHOULDER], row[ROUND] = person.hood, 0.172 * person.shoulders, person.belly
    row[BELT] = SKIRT_FROM + 0.03 if tucked(person) else 0.0


def _limbs(rows: Array, person: Person) -> None:
    for side in range(2):
        upper, fore = rows[ROW_UPPER_ARM + side], rows[ROW_FOREARM + side]
        upper[LENGTH], fore[LENGTH] = 0.29, 0.255
        sleeve = SHORT_SLEEVE if person.sleeves == "short" else WHOLE
        upper[EDGE], fore[EDGE] = sleeve, sleeve - 0.29
        upper[ROUND], fore[ROUND] = 0.0, 1.0  # the second bone of a limb
        for row, length, lower in ((ROW_THIGH, 0.425, 0.0), (ROW_SHIN, 0.409, 1.0)):
            leg = rows[row + side]
            leg[KIND], leg[FIRST : FIRST + 3], leg[OWN_PART] = LEG, person.bottom_colour, scene.BOTTOM
            leg[LENGTH], leg[ROUND] = length, lower
            leg[EDGE] = {"trousers": WHOLE, "shorts": SHORTS, "skirt": 0.0}[person.bottom] - 0.425 * lower
            leg[STYLE] = _is_denim(person.bottom_colour)


def _is_denim(colour: Colour) -> bool:
    return colour[2] > 1.5 * colour[0] and sum(colour) < 0.7
