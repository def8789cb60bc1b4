"""Painting of arms, legs and shoes, each bone in a frame of its own whose `up` points back along it."""

import math

from synthesis.street.fabrics import (
    BLOCK,
    CHECKS,
    COAT,
    EDGE,
    FIRST,
    FLEX,
    HOODIE,
    LENGTH,
    OWN_PART,
    PATTERN,
    PLAID,
    ROUND,
    SEED,
    SHIRT,
    STYLE,
)
from synthesis.street.noise import device, smooth
from synthesis.street.scene import SHOE as SHOE_PART
from synthesis.street.weaves import bare, coloured, fold, near, tinted, wave, weave


@device
def arm(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint one bone of an arm: sleeve, cuff, folds at the elbow, or skin."""
    down = -y
    if down > material[EDGE]:
        bare(material, out)
        return
    out[6] = material[OWN_PART]
    second = material[ROUND] > 0.0
    seed, style = int(material[SEED]), material[STYLE]
    block = 1.0 if seed % 2 == 0 or (not second and down < 0.06) else 0.0
    u = 0.045 * math.atan2(x, z) if material[PATTERN] == CHECKS or material[PATTERN] == PLAID else x
    weave(material, u, y - (0.29 if second else 0.0), block if material[PATTERN] == BLOCK else 0.0, out)
    left = (material[LENGTH] * 0.95 if second else material[EDGE]) - down
    if second and left < 0.055 and style >= HOODIE and style < COAT:
        coloured(material, FIRST, 0.84 + 0.08 * wave(400.0 * x + 300.0 * z), out)
        return
    if left < (0.05 if second and style == SHIRT else 0.016):
        for i in range(3):
            out[i] *= 0.86
    heavy = 1.25 if style >= HOODIE else 1.0
    loose = smooth(9.0 * x + 5.0 * z + 4.0, 9.0 * y, seed + (3 if second else 1))
    joint = down if second else material[LENGTH] - down
    elbow = (0.14 + 0.30 * min(1.0, material[FLEX])) * heavy * near(joint, 0.06) * (1.2 if z > 0.0 else 0.6)
    fold(95.0 * y + 40.0 * x + 5.0 * loose + seed, elbow * (0.4 + loose), 0.0, 1.0, 0.0, out)
    fold(48.0 * y + 60.0 * x + 7.0 * loose, 0.15 * heavy * (0.3 + loose), 0.4, 0.8, 0.0, out)
    if second and style >= HOODIE:
        fold(120.0 * y + 5.0 * loose, 0.28 * near(left - 0.06, 0.04) * (0.3 + loose), 0.0, 1.0, 0.0, out)


@device
def leg(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint one bone of a leg: trousers with seams and folds at the knee and over the shoe, or skin."""
    down = -y
    if down > material[EDGE]:
        bare(material, out)
        return
    out[6] = material[OWN_PART]
    coloured(material, FIRST, 1.0, out)
    second, seed = material[ROUND] > 0.0, int(material[SEED])
    loose = max(0.0, 1.7 * smooth(6.0 * x + 4.0 * z + 3.0, 7.0 * y, seed + (5 if second else 2)) - 0.45)
    if material[STYLE] > 0.0 and z > 0.0:  # denim fades where it rubs
        fade = 0.45 * near(x, 0.035) * near((down - 0.18) if not second else (down + 0.05), 0.14)
        tinted(0.42, 0.47, 0.55, fade, out)
    if abs(z) < 0.0035:
        tinted(0.0, 0.0, 0.0, 0.30, out)
    joint = down if second else material[LENGTH] - down
    bent = 0.10 + 0.34 * min(1.0, 0.9 * material[FLEX])
    knee = bent * near(joint - 0.01, 0.07) * (0.7 if z > 0.0 else 1.3)
    fold(
        70.0 * y + 30.0 * x * (1.0 if seed % 2 else -1.0) + 5.0 * loose + seed, knee * (0.3 + loose), 0.0, 1.0, 0.0, out
    )
    fold(30.0 * y + 34.0 * x + 6.0 * loose, 0.16 * (0.2 + loose), 0.5, 0.7, 0.0, out)
    if second:
        stack = 0.40 * near(material[LENGTH] - 0.075 - down, 0.05)
        fold(105.0 * y + 25.0 * x + 6.0 * loose + seed, stack * (0.3 + loose), 0.0, 1.0, 0.0, out)
    left = (material[LENGTH] - 0.035 if second else material[EDGE]) - down
    if left < 0.014:
        for i in range(3):
            out[i] *= 0.8


@device
def shoe(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a shoe: sole, toe cap and laces; style 1 is a trainer with a white sole."""
    out[6] = SHOE_PART
    trainer = material[STYLE] > 0.0
    if y < material[EDGE]:
        if trainer:
            tinted(0.66, 0.66, 0.64, 1.0, out)
        else:
            tinted(0.03, 0.025, 0.022, 0.9, out)
        return
    if material[ROUND] == 0.0 and y > 0.008:  # a sock
        tinted(0.05, 0.05, 0.055, 1.0, out)
        return
    if y < material[EDGE] + 0.006:
        tinted(0.0, 0.0, 0.0, 0.35, out)
    if material[ROUND] > 0.0:
        if trainer and z > 0.035:
            tinted(0.6, 0.6, 0.58, 0.5, out)
        return
    if trainer and 0.02 < z < 0.095 and abs(x) < 0.022 and y > -0.055:
        stripe = z / 0.016
        if stripe - math.floor(stripe) < 0.5:
            tinted(0.7, 0.7, 0.68, 0.85, out)
    elif trainer and abs(x) > 0.03 and abs(z - 0.035 + 0.6 * (y + 0.04)) < 0.010:
        tinted(0.7, 0.7, 0.68, 0.7, out)
