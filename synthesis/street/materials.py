"""What the street's things are made of: the kinds that surfaces.paint knows and the columns of their rows."""

import numpy as np

from synthesis.street.scene import MATERIAL_SIZE, Array

Colour = tuple[float, float, float]

BLACK: Colour = (0.0, 0.0, 0.0)

PLASTER, BRICK, PANELS, PLANKS = 50, 51, 52, 53
TILES, ASPHALT, COBBLES, GRASS, KERB = 60, 61, 62, 63, 64
SKY, SIGN = 70, 71
FOLIAGE, BARK, CAR, METAL, TYRE, GLOW = 80, 81, 82, 83, 84, 85
KINDS = (PLASTER, BRICK, PANELS, PLANKS, TILES, ASPHALT, COBBLES, GRASS, KERB, SKY, SIGN,
         FOLIAGE, BARK, CAR, METAL, TYRE, GLOW)  # fmt: skip

# Columns of every row.
KIND, COLOUR, SECOND, SEED, FINE = 0, 1, 4, 7, 8  # FINE: metres that one pixel of the frame sees; finer lines fade

# Walls: a grid of bays and storeys above a ground floor.
BAY, STOREY, GROUND, WIDE, TALL, SILL, FRONT, LIT, FRAME, TRIM, PANES, TOP = (
    9,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
    17,
    20,
    23,
    24,
)
BLANK, SHOPS, WINDOWS, DOORS, SHUTTERS = 0, 1, 2, 3, 4  # FRONT: what the ground floor shows

# Ground: size of a stone along and across, the shift of every other row, and the turn of the pattern.
ALONG, ACROSS, SHIFT, COSINE, SINE = 9, 10, 11, 12, 13
COVER_X, COVER_Y = 14, 15  # the middle of a manhole cover
MARKING, MARKING_X, MARKING_Y, MARKING_SIZE = 16, 17, 18, 19
NO_MARKING, DASHES, ZEBRA, PARKING = 0, 1, 2, 3

# Signs and things that glow.
WIDTH, HEIGHT, POWER = 9, 10, 11
# Cars, their wheels, and metal with slats.
FRONT_WHEEL, REAR_WHEEL, WHEEL_RADIUS, GLASS_FROM, GLASS_TO = 9, 10, 11, 12, 13
SLAT = 9


def material(kind: int, colour: Colour, second: Colour = BLACK, **columns: float) -> Array:
    """Make a row; further columns go by their names above, in small letters."""
    row = np.zeros(MATERIAL_SIZE)
    row[KIND], row[COLOUR : COLOUR + 3], row[SECOND : SECOND + 3] = kind, colour, second
    row[COSINE] = 1.0 if kind in (TILES, COBBLES) else 0.0
    for name, value in columns.items():
        row[globals()[name.upper()]] = value
    return row
