"""Painting of the trunk: tops, belts, seats, skirts, and straps across them.

The place in the trunk's frame decides what is seen; all cones of the trunk share it, so nothing has a seam.
"""

import math

from synthesis.street.fabrics import (
    BACKPACK,
    BELT,
    BLOCK,
    CHECKS,
    COAT,
    EDGE,
    FIRST,
    HOODIE,
    JACKET,
    LOWER,
    LOWER_PART,
    OVER_LEFT,
    OWN_PART,
    PATTERN,
    PLAID,
    PRINT,
    SECOND,
    SEED,
    SHIRT,
    SKIRT,
    STRAP,
    STRAP_COLOUR,
    STYLE,
    TSHIRT,
)
from synthesis.street.noise import device, smooth
from synthesis.street.scene import BAG as BAG_PART
from synthesis.street.weaves import bare, coloured, fold, near, tinted, wave, weave


@device
def trunk(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint what is between neck and thighs, skirts and coats' tails too."""
    if _is_neck(material, x, y, z):
        bare(material, out)
    elif y > material[EDGE]:
        out[6] = material[OWN_PART]
        _top(material, x, y, z, out)
    else:
        out[6] = material[LOWER_PART]
        if material[SKIRT] > 0.0:
            _skirt(material, x, y, z, out)
        else:
            _seat(material, x, y, z, out)
    if material[STRAP] > 0.0 and _under_strap(material, x, y, z):
        coloured(material, STRAP_COLOUR, 1.0, out)
        out[6], out[7], out[8], out[9] = BAG_PART, 0.0, 0.0, 0.0


@device
def _is_neck(material, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Say whether a place lies within the neckline."""
    if y < 0.40 or y > 0.565:  # above the shoulders there is only the neck itself
        return y > 0.40
    style = material[STYLE]
    if style == TSHIRT:
        return _ring(x, z) < 1.0 and y > 0.500 - 0.45 * z + 7.0 * x * x
    return y > 0.52 and (x / 0.062) ** 2 + ((z + 0.018) / 0.066) ** 2 < 1.0


@device
def _ring(x, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give how far a place is from the neck, 1 at a round neckline."""
    return (x / 0.082) ** 2 + ((z + 0.002) / 0.088) ** 2


@device
def _top(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Paint the upper garment on the trunk."""
    style, seed, pattern = material[STYLE], int(material[SEED]), material[PATTERN]
    u, chest = x, 0.0
    if pattern in (CHECKS, PLAID):
        u = 0.16 * math.atan2(x, z)
    elif pattern == BLOCK:
        chest = 1.0 if y > 0.27 + 0.05 * (seed % 3) else 0.0
    elif pattern == PRINT:
        chest = 1.0 if z > 0.0 else 0.0
    weave(material, u, y, chest, out)
    if z > 0.0:
        _front(material, style, x, y, out)
    if style == TSHIRT and y > max(0.40, 0.486 - 0.45 * z + 6.0 * x * x) and _ring(x, z) < 1.45:
        coloured(material, FIRST, 0.80, out)
    above = y - material[EDGE]
    if (style == HOODIE and above < 0.05) or (style == JACKET and seed % 4 < 2 and above < 0.045):
        rib = wave(260.0 * x + 200.0 * z)
        coloured(material, FIRST, 0.84 + 0.08 * rib, out)
        return
    if above < 0.014:
        for i in range(3):
            out[i] *= 0.85
    if style == COAT and y < 0.05:
        _tails(material, x, y, z, out)
    _crease(material, style, seed, x, y, z, out)


@device
def _crease(material, style, seed, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fold the cloth of a trunk: across at the waist, aslant below the armpits, a little everywhere."""
    sign = 1.0 if x > 0.0 else -1.0
    side, back = abs(x), 0.02 if z < 0.0 else 0.0
    heavy = 1.25 if style >= HOODIE else 1.0
    loose = smooth(7.0 * x + 3.0 * z + 9.0, 6.0 * y, seed)
    waist = 0.60 * heavy * near(y - 0.07 - back, 0.055) * (0.35 + 4.0 * side) * (0.4 + loose)
    fold(75.0 * y + 26.0 * side + 5.0 * loose + seed, waist, 0.0, 1.0, 0.0, out)
    armpit = 0.70 * heavy * near(math.sqrt((side - 0.155) ** 2 + (y - 0.37) ** 2), 0.075) * (0.3 + loose)
    fold(70.0 * (0.55 * y - 0.85 * side) + 4.0 * loose + seed, armpit, -0.85 * sign, 0.55, 0.0, out)
    drape = 0.30 * heavy * (0.2 + loose) * near(y - 0.15, 0.16)
    fold(34.0 * x + 22.0 * y * sign + 6.0 * loose, drape, 1.0, 0.5 * sign, 0.0, out)


@device
def _front(material, style, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Paint what is in front: buttons, zips, pockets, lapels, strings."""
    side = abs(x)
    if style == SHIRT:
        if 0.010 < side < 0.070 and 0.40 + 0.9 * side < y < 0.48:  # the collar's points
            for i in range(3):
                out[i] *= 0.88
            return
        if abs(side - 0.016) < 0.0022:
            tinted(0.0, 0.0, 0.0, 0.28, out)
        spot = y / 0.085
        if x * x + (0.085 * (spot - math.floor(spot)) - 0.042) ** 2 < 0.0065**2:
            tinted(material[SECOND], material[SECOND + 1], material[SECOND + 2], 0.8, out)
        if 0.055 < x < 0.125 and 0.26 < y < 0.345 and (y > 0.335 or x < 0.0585 or x > 0.1215 or y < 0.264):
            tinted(0.0, 0.0, 0.0, 0.22, out)
    elif style == HOODIE:
        pocket = 0.135 - 0.35 * max(0.0, y - 0.03)
        if (-0.03 < y < 0.125 and abs(side - pocket) < 0.005) or (side < pocket and abs(y - 0.125) < 0.004):
            tinted(0.0, 0.0, 0.0, 0.40, out)
        if abs(side - 0.030 - 0.01 * wave(30.0 * y)) < 0.004 and 0.33 < y < 0.49:
            tinted(0.7, 0.7, 0.68, 0.75, out)
    elif style == JACKET:
        if side < 0.0045:
            tinted(0.25, 0.25, 0.26, 0.8, out)
        elif side < 0.014:
            tinted(0.0, 0.0, 0.0, 0.35, out)
        if abs(side - 0.105 + 0.25 * (y - 0.06)) < 0.0045 and 0.0 < y < 0.12:
            tinted(0.0, 0.0, 0.0, 0.55, out)
    elif style == COAT:
        _lapels(material, x, y, out)


@device
def _lapels(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Paint a coat's opening: what shows in the neck, lapels, and a row of buttons."""
    side, rise = abs(x), y - 0.22
    if rise > 0.0:
        inner, outer = 0.26 * rise, 0.26 * rise + 0.048 * min(1.0, 6.0 * rise)
        if side < inner:
            coloured(material, SECOND, 1.0, out)
        elif side < outer:
            for i in range(3):
                out[i] *= 0.90
        elif side < outer + 0.005:
            tinted(0.0, 0.0, 0.0, 0.45, out)
        return
    if abs(x - 0.018) < 0.0035:
        tinted(0.0, 0.0, 0.0, 0.55, out)
    spot = (y + 0.02) / 0.105
    if (x + 0.012) ** 2 + (0.105 * (spot - math.floor(spot)) - 0.05) ** 2 < 0.011**2:
        tinted(0.03, 0.03, 0.03, 0.8, out)
    if abs(y - 0.015) < 0.005 and 0.075 < side < 0.15:
        tinted(0.0, 0.0, 0.0, 0.45, out)


@device
def _tails(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Let a coat hang: folds that widen to the hem, and the slit in front."""
    low = min(1.0, (0.05 - y) / 0.35)
    if z > 0.0 and y < -0.10 and abs(x - 0.018) < 0.16 * (-0.10 - y):
        coloured(material, LOWER, 0.45, out)
        out[6] = material[LOWER_PART]
        return
    _hang(6.0, 0.22 * low, int(material[SEED]), x, y, z, out)


@device
def _hang(count, weight, seed, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Lay folds round a tube that hangs from the waist."""
    angle, away = math.atan2(x, z), math.sqrt(x * x + z * z) + 1e-9
    wander = smooth(2.0 * angle + 7.0, 2.5 * y, seed)
    fold(count * angle + 5.0 * wander + seed, weight * (0.4 + wander), z / away, 0.0, -x / away, out)


@device
def _skirt(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    coloured(material, LOWER, 1.0, out)
    if y > 0.045:
        for i in range(3):
            out[i] *= 0.8
        return
    seed = int(material[SEED])
    low = min(1.0, (0.05 - y) / 0.30)
    _hang(8.0 + 6.0 * (seed % 3), 0.10 + 0.42 * low, seed, x, y, z, out)


@device
def _seat(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Paint the upper end of trousers: belt, fly, pockets, folds at the crotch."""
    coloured(material, LOWER, 1.0, out)
    if material[BELT] > 0.0 and abs(y - material[BELT]) < 0.020:
        if z > 0.0 and abs(x) < 0.024:
            tinted(0.45, 0.42, 0.36, 1.0, out)
        else:
            tinted(0.045, 0.03, 0.022, 1.0, out)
        return
    side, dark = abs(x), 0.0
    if z > 0.0:
        if (abs(x - 0.004) < 0.003 and y > -0.10) or (abs(side - 0.095 - 0.6 * (y - 0.02)) < 0.004 and y > -0.06):
            dark = 0.4
        fold(
            60.0 * (0.8 * y + 0.6 * side) + material[SEED],
            0.32 * near(y + 0.10, 0.05) * near(side - 0.06, 0.06),
            0.0,
            1.0,
            0.0,
            out,
        )
    else:
        if 0.035 < side < 0.125 and -0.11 < y < 0.0 and (side < 0.039 or side > 0.121 or y > -0.004 or y < -0.106):
            dark = 0.45
        if side < 0.010:
            dark = max(dark, 0.25)
    tinted(0.0, 0.0, 0.0, dark, out)


@device
def _under_strap(material, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Say whether a bag's strap covers a place."""
    if material[STRAP] == BACKPACK:
        side = abs(x)
        if side > 0.105 and z > -0.10 and abs(y - 0.205 + 0.5 * (side - 0.105)) < 0.014:  # back below the arm
            return True
        if y < 0.20 or (z < -0.03 and y < 0.46):
            return False
        return abs(side - 0.092 - 0.06 * max(0.0, 0.36 - y)) < 0.021
    along = (0.52 - y) / 0.56
    if along < -0.2 or along > 1.0:
        return False
    course = (-0.095 + 0.275 * along) * (1.0 if material[STRAP] == OVER_LEFT else -1.0)
    return abs(x - course) < 0.020
