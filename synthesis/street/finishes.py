"""Painting of the sky, signs, and the things that stand about: plants, cars, metal, lamps."""

import math

from synthesis.street.grounds import coloured, line, within
from synthesis.street.materials import (
    COLOUR,
    FINE,
    FRONT_WHEEL,
    GLASS_FROM,
    GLASS_TO,
    HEIGHT,
    POWER,
    REAR_WHEEL,
    SECOND,
    SEED,
    SLAT,
    WHEEL_RADIUS,
    WIDTH,
)
from synthesis.street.noise import device, hashed, smooth
from synthesis.street.walls import GLOW_OF_WINDOWS, letters


@device
def sky(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a sky with clouds, paler towards the horizon."""
    seed = int(material[SEED])
    cloud = 0.65 * smooth(0.018 * x, 0.05 * y, seed) + 0.35 * smooth(0.06 * x, 0.14 * y, seed + 1)
    pale = max(0.0, min(1.0, max(1.0 - y / 60.0, 3.0 * cloud - 1.3)))
    coloured(material, 1.0, pale, out)
    out[8] = 8.0  # it faces up, so that it is as bright as the fill from above


@device
def sign(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a board with a border and lettering; where it is on, the board glows and the lettering glows more."""
    seed, wide, tall = int(material[SEED]), material[WIDTH], material[HEIGHT]
    edge = min(min(x, wide - x), min(y, tall - y))
    size = 0.5 * tall
    on = 0.1 * wide < x < 0.9 * wide and letters(x - 0.1 * wide, y - 0.25 * tall, size, seed)
    bright = on or 0.04 * tall < edge < 0.1 * tall
    coloured(material, 1.0, 1.0 if bright else 0.0, out)
    for i in range(3):
        out[3 + i] = GLOW_OF_WINDOWS * material[POWER] * (1.5 if bright else 0.7) * out[i]


@device
def foliage(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint leaves: cells of many greens that face anywhere, in clumps with dark between them."""
    seed, size = int(material[SEED]), max(0.045, 1.3 * material[FINE])
    # Two slanted coordinates give diamonds; a third keeps them apart where the first two agree.
    u, v, w = (x + 0.6 * y + 0.3 * z) / size, (y - 0.6 * x + 0.5 * z) / size, (z - 0.3 * y) / (3.0 * size)
    i, j, k = math.floor(u), math.floor(v), math.floor(w)
    leaf, tone = hashed(i + 59 * k, j, seed), hashed(j, i - 31 * k, seed + 1)
    u, v = u - i - 0.3 - 0.4 * leaf, v - j - 0.3 - 0.4 * tone
    clump = smooth(4.3 * x + 2.9 * z, 4.7 * y - 1.7 * z, seed + 2)
    deep = 1.0 if u * u + v * v < 0.2 and leaf > 0.12 else 0.42
    coloured(material, deep * (0.5 + 0.5 * tone) * (0.4 + 0.95 * clump), tone, out)
    out[7], out[8], out[9] = 1.6 * (leaf - 0.5) + 0.6 * u, 1.2 * (clump - 0.45) + 0.6 * v, 1.6 * (tone - 0.5)


@device
def bark(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a trunk with upright furrows."""
    seed = int(material[SEED])
    furrow = smooth(31.0 * (x + 0.7 * z), 3.0 * y, seed)
    coloured(material, 0.5 + 0.8 * furrow, smooth(2.0 * x, 1.2 * y, seed + 1), out)
    out[7], out[9] = 0.6 * (furrow - 0.5), 0.4 * (furrow - 0.5)


@device
def car(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a car: lacquer, windows between pillars, seams of doors, sills, lights and plates. x runs to its front."""
    front, rear = material[FRONT_WHEEL], material[REAR_WHEEL]
    middle, low, high = 0.5 * (front + rear), material[GLASS_FROM], material[GLASS_TO]
    if low < y < high:
        pillar = min(abs(x - middle + 0.05), abs(abs(x - middle + 0.05) - 1.0))
        if pillar > 0.05 or abs(z) < 0.35:
            bright = 0.03 + 0.2 * (y - low) / (high - low) * smooth(2.0 * x + y, 3.0 * y, int(material[SEED]))
            out[0], out[1], out[2] = 0.9 * bright, bright, 1.1 * bright
            return
    if y < 0.22 or (y < 0.36 and abs(z) < 0.6):
        out[0], out[1], out[2] = 0.035, 0.035, 0.037
        return
    coloured(material, 0.9 + 0.2 * min(1.0, max(0.0, y - 0.3)), 0.0, out)
    arch, up = min(abs(x - front), abs(x - rear)), y - material[WHEEL_RADIUS]
    if arch * arch + up * up < (material[WHEEL_RADIUS] + 0.03) ** 2:
        out[0], out[1], out[2] = 0.02, 0.02, 0.02
    elif abs(z) > 0.45 and y < low:
        seam = line(min(abs(x - middle), abs(abs(x - middle) - 0.98)), 1.0, 0.008, material[FINE])
        handle = abs(abs(x - middle - 0.45) - 0.49) < 0.08 and abs(y - 0.82) < 0.016
        for i in range(3):
            out[i] *= (1.0 - 0.7 * seam) * (0.4 if handle else 1.0)
    lights(x, y, z, front, rear, out)


@device
def lights(x, y, z, front, rear, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a car's lamps and plates onto its ends."""
    if 0.6 < y < 0.74 and abs(z) > 0.38 and x > front + 0.5:
        out[0], out[1], out[2] = 0.75, 0.75, 0.72
    elif 0.62 < y < 0.8 and abs(z) > 0.45 and x < rear - 0.5:
        out[0], out[1], out[2] = 0.42, 0.02, 0.02
    elif 0.46 < y < 0.57 and abs(z) < 0.26 and (x > front + 0.4 or x < rear - 0.4):
        out[0], out[1], out[2] = 0.7, 0.68, 0.6


@device
def metal(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint painted metal with scratches and rust, in slats where it has some."""
    seed = int(material[SEED])
    rust = max(0.0, smooth(9.0 * (x + z), 5.0 * y, seed) - 0.7)
    shade = 0.85 + 0.3 * smooth(3.0 * (x - z), 2.0 * y, seed + 1)
    if material[SLAT] > 0.0 and within(y, material[SLAT]) < 0.3 * material[SLAT]:
        shade *= 0.4
    coloured(material, shade, min(1.0, 2.0 * rust), out)


@device
def tyre(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a wheel: rubber around a rim with six spokes."""
    radius = material[WHEEL_RADIUS]
    at = min(abs(x - material[FRONT_WHEEL]), abs(x - material[REAR_WHEEL])) / radius
    up = y / radius - 1.0
    away = at * at + up * up
    if away > 0.44:
        out[0], out[1], out[2] = 0.025, 0.025, 0.026
    else:
        spoke = away < 0.05 or away > 0.33 or math.cos(6.0 * math.atan2(up, at)) > 0.1
        coloured(material, 1.0 if spoke else 0.15, 0.0, out)


@device
def glow(material, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a lamp's head: pale by day, glowing by night."""
    for i in range(3):
        out[i] = material[COLOUR + i]
        out[3 + i] = material[POWER] * material[SECOND + i]
