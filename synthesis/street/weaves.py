"""What all painting of people is made of: colours, folds and patterns."""

import math

from synthesis.street.fabrics import (
    BARE,
    BLOCK,
    CHECKS,
    FIRST,
    FREQUENCY,
    PATTERN,
    PHASE,
    PLAID,
    PLAIN,
    PRINT,
    SECOND,
    SEED,
    STRIPES,
)
from synthesis.street.noise import device, hashed
from synthesis.street.scene import SKIN as SKIN_PART


@device
def coloured(material, column, factor, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Take a colour of a row, brighter or darker."""
    out[0], out[1], out[2] = factor * material[column], factor * material[column + 1], factor * material[column + 2]


@device
def tinted(red, green, blue, share, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Mix a share of a colour in."""
    out[0] += share * (red - out[0])
    out[1] += share * (green - out[1])
    out[2] += share * (blue - out[2])


@device
def wave(phase):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give a sine for nothing: parabolas of the same period, height and sign."""
    t = phase / (2.0 * math.pi)
    t -= math.floor(t + 0.5)
    return t * (8.0 - 16.0 * abs(t))


@device
def bump(x, width):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give a smooth hill: 1 in the middle, 0 from `width` on."""
    t = 1.0 - (x / width) ** 2
    return t * t if t > 0.0 else 0.0


@device
def fold(phase, weight, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Tilt the normal across a fold and darken its valley; (x, y, z) is the way across."""
    if weight < 0.02:
        return
    tilt = weight * wave(phase + 0.5 * math.pi)
    out[7] += tilt * x
    out[8] += tilt * y
    out[9] += tilt * z
    shade = 1.0 + 0.55 * weight * (wave(phase) - 0.3)
    out[0] *= shade
    out[1] *= shade
    out[2] *= shade


@device
def near(x, width):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give 1 in the middle and less and less aside."""
    return 1.0 / (1.0 + (x / width) ** 2)


@device
def weave(material, u, v, chest, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a pattern at u (across) and v (up), in metres; `chest` where a print or a block may be."""
    coloured(material, FIRST, 1.0, out)
    pattern = material[PATTERN]
    if pattern == PLAIN:
        return
    a, b = material[FREQUENCY] * u, material[FREQUENCY] * v + material[PHASE]
    a, b = a - math.floor(a), b - math.floor(b)
    share = 0.0
    if pattern == STRIPES:
        share = 1.0 if b < 0.45 else 0.0
    elif pattern == CHECKS:
        share = 0.5 * ((1.0 if a < 0.5 else 0.0) + (1.0 if b < 0.5 else 0.0))
    elif pattern == PLAID:
        share = 0.30 * ((1.0 if a < 0.4 else 0.0) + (1.0 if b < 0.4 else 0.0))
        if 0.66 < a < 0.74 or 0.66 < b < 0.74:
            share = 0.85
    elif pattern == BLOCK:
        share = chest
    elif pattern == PRINT and chest > 0.0:
        share = 1.0 if _printed(int(material[SEED]), u, v - 0.30) else 0.0
    tinted(material[SECOND], material[SECOND + 1], material[SECOND + 2], share, out)


@device
def _printed(seed, u, v):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Say whether a print covers a place: a disc with a hole, a badge, lines of letters, a triangle, or blocks."""
    sort, size = seed % 5, 0.075 + 0.03 * hashed(seed, 1, 7)
    if abs(u) > 0.12 or abs(v) > 0.12:
        return False
    if sort == 0:
        r = math.sqrt(u * u + v * v) / size
        return r < 0.45 or 0.7 < r < 1.0
    if sort == 1:
        return (
            abs(u) < size
            and abs(v) < 0.8 * size
            and not (abs(u) < 0.8 * size and abs(v) < 0.55 * size and v > -0.3 * size)
        )
    if sort == 2:
        return -0.7 * size < v < size - 1.7 * abs(u)
    if sort == 3:  # two lines of capitals: bars of a 3 x 5 grid each
        line, row = math.floor((v + 0.06) / 0.06), (v + 0.06) / 0.06 - math.floor((v + 0.06) / 0.06)
        letter, column = math.floor((0.12 - u) / 0.048), (0.12 - u) / 0.048 - math.floor((0.12 - u) / 0.048)
        if row > 0.75 or column > 0.72 or line < 0 or line > 1:
            return False
        i, j = int(column / 0.24), int(row / 0.15)
        return i == 0 or hashed(i + 3 * letter, j + 5 * line, seed) < 0.5
    return hashed(int((u + 0.12) / 0.03), int((v + 0.12) / 0.03), seed) < 0.5


@device
def bare(material, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint skin."""
    coloured(material, BARE, 1.0, out)
    out[6] = SKIN_PART
