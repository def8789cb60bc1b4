"""Painting of what people walk on. x runs along the street, y away from the camera's side, both in metres."""

import math

from synthesis.street.materials import (
    ACROSS,
    ALONG,
    COLOUR,
    COSINE,
    COVER_X,
    COVER_Y,
    DASHES,
    FINE,
    MARKING,
    MARKING_SIZE,
    MARKING_X,
    MARKING_Y,
    NO_MARKING,
    PARKING,
    SECOND,
    SEED,
    SHIFT,
    SINE,
    ZEBRA,
)
from synthesis.street.noise import device, hashed, smooth


@device
def line(place, period, half, fine):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give how much of a line, at either end of a period, is seen at a place in it, blurred to a pixel's size."""
    wide = min(max(half, 0.5 * fine), 0.5 * period)
    return half / wide if min(place, period - place) <= wide else 0.0


@device
def lines(u, v, wide, tall, half, fine):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give how much of the lines between stones of a size is seen at a place (0..1, 0..1) in one."""
    return 1.0 - (1.0 - line(u * wide, wide, half, fine)) * (1.0 - line(v * tall, tall, half, fine))


@device
def within(x, period):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give the place of x in its period; a fifth of the time that % takes."""
    return x - period * math.floor(x / period)


@device
def coloured(material, shade, blend, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Fill in the first colour blended with the second and made lighter or darker."""
    for i in range(3):
        out[i] = shade * (material[COLOUR + i] * (1.0 - blend) + material[SECOND + i] * blend)


@device
def worn(x, y, fine, seed):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give the dirt of any ground: broad stains and grain no finer than a pixel."""
    grain = 1.0 / max(0.012, fine)
    stains = 0.74 + 0.5 * smooth(0.45 * x, 0.6 * y, seed + 11)
    return stains * (0.88 + 0.24 * hashed(math.floor(x * grain), math.floor(y * grain), seed + 12))


@device
def tiles(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint slabs with joints, stains, chewing gum and a manhole cover."""
    seed, fine = int(material[SEED]), material[FINE]
    if covered(material, x, y, out):
        return
    u = (x * material[COSINE] + y * material[SINE]) / material[ALONG]
    v = (y * material[COSINE] - x * material[SINE]) / material[ACROSS]
    row = math.floor(v)
    u += material[SHIFT] * (row & 1)
    column = math.floor(u)
    u, v = u - column, v - row
    joint = lines(u, v, material[ALONG], material[ACROSS], 0.006, fine)
    own = hashed(column, row, seed)
    shade = (0.82 + 0.36 * own) * worn(x, y, fine, seed) * (1.0 - 0.55 * joint)
    coloured(material, shade * gummed(x, y, seed), hashed(row, column, seed + 3), out)
    out[7] = 0.05 * (own - 0.5)
    out[8] = 0.05 * (hashed(column, row, seed + 1) - 0.5)


@device
def gummed(x, y, seed):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give the darkness of old chewing gum: a disc in some cells."""
    i, j = math.floor(1.7 * x), math.floor(1.7 * y)
    if hashed(i, j, seed + 21) > 0.45:
        return 1.0
    across = 1.7 * x - i - 0.2 - 0.6 * hashed(i, j, seed + 22)
    along = 1.7 * y - j - 0.2 - 0.6 * hashed(i, j, seed + 23)
    return 0.72 if across * across + along * along < 0.0022 else 1.0


@device
def covered(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint the manhole cover, an iron disc with knobs, and tell whether the point is on it."""
    u, v = x - material[COVER_X], y - material[COVER_Y]
    away = u * u + v * v
    if away > 0.115:
        return False
    knob = math.sin(70.0 * x) * math.sin(70.0 * y)
    shade = 0.045 if away > 0.09 else 0.085 + 0.03 * knob
    out[0], out[1], out[2] = shade * 1.1, shade, shade * 0.92
    out[7], out[8] = 0.15 * math.cos(70.0 * x), 0.15 * math.cos(70.0 * y)
    return True


@device
def asphalt(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a carriageway: grain, patches of newer asphalt, cracks and worn markings."""
    seed, fine = int(material[SEED]), material[FINE]
    if covered(material, x, y, out):
        return
    i, j = math.floor(x / 5.3), math.floor(y / 2.9)
    u, v = x - 5.3 * i, y - 2.9 * j
    patch = hashed(i, j, seed) < 0.3 and 0.8 < u < 1.8 + 2.6 * hashed(j, i, seed + 1) and 0.5 < v < 2.2
    # Cracks are where a smooth noise is a half, and only where another one is high: no closed contours.
    broken = smooth(0.23 * x, 0.31 * y, seed + 6) > 0.62
    crack = line(abs(smooth(0.9 * x, 0.7 * y, seed + 5) - 0.5), 1.0, 0.006, 0.5 * fine) if broken else 0.0
    shade = worn(x, y, fine, seed) * (0.72 if patch else 1.0) * (1.0 - 0.45 * crack)
    grain = 1.0 / max(0.02, 2.0 * fine)
    fleck = hashed(math.floor(x * grain), math.floor(y * grain), seed + 7)
    coloured(material, shade, 0.25 * fleck, out)
    out[7], out[8] = 0.2 * (fleck - 0.5), 0.2 * (hashed(math.floor(y * grain), math.floor(x * grain), seed + 8) - 0.5)
    if material[MARKING] != NO_MARKING and marked(material, x, y):
        wear = smooth(3.1 * x, 3.1 * y, seed + 9)
        fresh = 1.0 if wear < 0.62 else max(0.0, 1.0 - 6.0 * (wear - 0.62))
        for c in range(3):
            out[c] += fresh * (0.52 * (0.9 + 0.2 * fleck) - out[c])


@device
def marked(material, x, y):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Tell whether a point of the carriageway is painted white."""
    u, v = x - material[MARKING_X], y - material[MARKING_Y]
    size = material[MARKING_SIZE]
    if material[MARKING] == DASHES:
        return abs(v) < 0.06 and within(u, 2.2 * size) < size
    if material[MARKING] == ZEBRA:
        return abs(v) < size and abs(u) < 4.5 and within(u, 1.0) < 0.5
    if material[MARKING] == PARKING:
        return abs(v) < 0.05 or (0.0 < v < size and within(u, 2.5) < 0.1)
    return False


@device
def cobbles(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint rows of round-topped stones, each of its own grey."""
    seed, fine = int(material[SEED]), material[FINE]
    if covered(material, x, y, out):
        return
    across, along = x * material[COSINE] + y * material[SINE], y * material[COSINE] - x * material[SINE]
    v = (along + 0.05 * smooth(0.8 * across, 0.3 * along, seed + 2)) / material[ACROSS]
    row = math.floor(v)
    u = across / material[ALONG] + hashed(row, 7, seed)
    column = math.floor(u)
    u, v = u - column - 0.5, v - row - 0.5
    edge = max(abs(u), abs(v))
    coarse = min(1.0, 0.03 / max(fine, 0.001))  # domes smaller than a pixel do not shade
    gap = coarse * max(0.0, min(1.0, (edge - 0.38) / 0.09))
    own = hashed(column, row, seed + 1)
    coloured(material, (0.72 + 0.56 * own) * worn(x, y, fine, seed) * (1.0 - 0.6 * gap), own, out)
    out[7], out[8] = coarse * 0.7 * u, coarse * 0.7 * v


@device
def grass(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a lawn: blades as grain, dry patches, daisies and fallen leaves."""
    seed, fine = int(material[SEED]), material[FINE]
    grain = 1.0 / max(0.018, fine)
    i, j = math.floor(grain * x), math.floor(0.6 * grain * y)
    blade = hashed(i, j, seed)
    tuft = smooth(2.6 * x, 2.1 * y, seed + 1)
    dry = max(0.0, min(1.0, 2.5 * smooth(0.33 * x, 0.4 * y, seed + 2) - 1.2))
    coloured(material, (0.5 + 0.6 * blade) * (0.6 + 0.7 * tuft), dry, out)
    if hashed(math.floor(16.0 * x), math.floor(16.0 * y), seed + 4) < 0.006:
        out[0], out[1], out[2] = 0.34, 0.23, 0.07
    out[7], out[8] = 0.9 * (blade - 0.5), 0.9 * (hashed(j, i, seed + 3) - 0.5)


@device
def kerb(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a row of long stones."""
    seed, fine = int(material[SEED]), material[FINE]
    stone = math.floor(x / 0.95)
    joint = line(x - 0.95 * stone, 0.95, 0.007, fine)
    shade = (0.86 + 0.28 * hashed(stone, 1, seed)) * worn(4.0 * x, 4.0 * y, 4.0 * fine, seed) * (1.0 - 0.6 * joint)
    coloured(material, shade, 0.0, out)
