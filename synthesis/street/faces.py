"""Painting of heads: face, hairline, beard, glasses and the edge of a hat, all by place on the head.

u is sideways (from the middle), v up from the chin, w forward from the ears, in heights of a head.
"""

import math

from synthesis.street.fabrics import (
    BEARD,
    FIRST,
    GLASSES,
    HAIR_COLOUR,
    HAIRCUT,
    HAT_COLOUR,
    HAT_KIND,
    PHASE,
    SEED,
    SIZE,
    STYLE,
)
from synthesis.street.noise import device, smooth
from synthesis.street.scene import HAIR, HAT, SKIN
from synthesis.street.weaves import bump, coloured, tinted, wave

HEIGHT = 0.238
EYE_U, EYE_V = 0.138, 0.500


@device
def head(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint skull, jaw, nose, and the caps of hair and hats over them."""
    scale = material[SIZE] / HEIGHT
    side, u, v, w = scale * x, scale * abs(x), scale * y, scale * z
    if material[HAT_KIND] > 0.0 and v > 0.665 + 0.17 * w:
        hat(material, side, v, w, out)
    elif _has_hair(material, u, v, w):
        hair(material, side, v, w, out)
    else:
        _face(material, side, u, v, w, out)


@device
def hair(material, side, v, w, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint hair: strands that fall from the crown."""
    angle = math.atan2(side, w + 0.08)
    strand = smooth(14.0 * angle, 2.5 * v + 3.0 * material[PHASE], int(material[SEED]))
    coloured(material, HAIR_COLOUR, 0.70 + 0.65 * strand, out)
    out[6] = HAIR
    out[7], out[9] = 0.5 * (strand - 0.5) * math.cos(angle), -0.5 * (strand - 0.5) * math.sin(angle)


@device
def hat(material, side, v, w, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a cap with its seams, a knitted beanie with its turned edge, or a crown with its ribbon."""
    kind, edge = material[HAT_KIND], v - 0.665 - 0.17 * w
    angle = math.atan2(side, w + 0.05)
    shade = 1.0
    if kind == 1.0:
        seam = abs(wave(3.0 * angle + 0.5 * math.pi))
        shade = 0.82 if seam < 0.06 else 0.78 if edge < 0.02 else 1.0
    elif kind == 2.0:
        rib = wave(40.0 * angle)
        shade = 0.92 + 0.08 * rib
        out[7], out[9] = 0.2 * rib * math.cos(angle), -0.2 * rib * math.sin(angle)
        shade *= 0.72 if abs(edge - 0.15) < 0.012 else 1.06 if edge < 0.15 else 1.0
    elif edge < 0.13:
        shade = 0.45
    coloured(material, HAT_COLOUR, shade, out)
    out[6] = HAT


@device
def _has_hair(material, u, v, w):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Say whether a place lies within the hairline."""
    if material[HAIRCUT] == 0.0:
        return False
    if w < -0.05:
        return v > 0.16 + (0.0 if material[HAIRCUT] > 1.0 else 0.10) - 0.3 * (w + 0.05)
    if w < 0.075:
        return (v > 0.46 and u > 0.15) or v > 0.80
    return v > 0.845 - 0.9 * max(0.0, u - 0.16) - 0.35 * max(0.0, 0.20 - w)


@device
def _face(material, side, u, v, w, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Paint skin and what is on it."""
    coloured(material, FIRST, 1.0, out)
    out[6] = SKIN
    if w < 0.08:
        if material[BEARD] == 3.0 and v < 0.45 and u > 0.2 and w > -0.02:
            _grow(material, 0.9, out)
        _temple(material, u, v, w, out)
        return
    # Cheeks and nose are a little redder, the sockets darker.
    blush = 0.16 * max(
        bump(math.sqrt((u - 0.18) ** 2 + (v - 0.33) ** 2), 0.13), bump(math.sqrt(u * u + (v - 0.33) ** 2), 0.07)
    )
    out[1], out[2] = out[1] * (1.0 - blush), out[2] * (1.0 - blush)
    socket = 1.0 - 0.30 * bump((u - EYE_U) / 1.5, 0.085) * bump(v - EYE_V - 0.02, 0.11)
    socket -= 0.22 * bump(u - 0.045, 0.035) * bump(v - 0.42, 0.13)  # beside the nose
    socket -= 0.25 * bump(u - 0.035, 0.03) * bump(v - 0.282, 0.022)  # nostrils
    socket -= 0.18 * bump(u, 0.09) * bump(v - 0.105, 0.03)  # under the lip
    for i in range(3):
        out[i] *= socket
    _whiskers(material, u, v, w, out)
    _mouth(material, u, v, out)
    _brow(material, u, v, out)
    _eye(material, side, u, v, out)
    if material[GLASSES] > 0.0:
        _glasses(u, v, out)
        _temple(material, u, v, w, out)


@device
def _temple(material, u, v, w, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Paint the arm of the glasses."""
    if material[GLASSES] > 0.0 and u > 0.22 and abs(v - 0.525) < 0.012 and -0.04 < w < 0.30:
        tinted(0.02, 0.02, 0.022, 1.0, out)


@device
def _grow(material, share, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    tinted(0.8 * material[HAIR_COLOUR], 0.8 * material[HAIR_COLOUR + 1], 0.8 * material[HAIR_COLOUR + 2], share, out)
    if share > 0.6:
        out[6] = HAIR


@device
def _whiskers(material, u, v, w, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Paint stubble, a moustache or a beard."""
    kind = material[BEARD]
    if kind == 0.0:
        return
    moustache = abs(v - 0.245) < 0.032 - 0.08 * max(0.0, u - 0.06) and u < 0.15
    # The beard's upper edge rises from the lip to the ear.
    chin = v < 0.145 + 1.3 * max(0.0, u - 0.10)
    if (chin and kind != 2.0) or moustache:
        _grow(material, 0.35 if kind == 1.0 else 0.92, out)


@device
def _mouth(material, u, v, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    half = 0.115
    if u >= half:
        return
    bow = 1.0 - (u / half) ** 2
    middle = 0.187 + 0.05 * u  # the corners are a little higher
    full = 0.040 if material[STYLE] > 0.0 else 0.028
    if -full * bow < v - middle < 0.75 * full * bow:
        red = 0.75 if material[STYLE] > 0.0 else 0.5
        tinted(0.85 * material[FIRST], 0.52 * material[FIRST + 1], 0.55 * material[FIRST + 2], red, out)
    if abs(v - middle) < 0.010:
        for i in range(3):
            out[i] *= 0.38


@device
def _brow(material, u, v, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    arch = 0.592 + 0.035 * (1.0 - ((u - 0.15) / 0.1) ** 2)
    thick = 0.013 if material[STYLE] > 0.0 else 0.021
    if 0.05 < u < 0.235 and abs(v - arch) < thick * (1.0 - 0.5 * max(0.0, (u - 0.15) / 0.085)):
        tinted(0.6 * material[HAIR_COLOUR], 0.6 * material[HAIR_COLOUR + 1], 0.6 * material[HAIR_COLOUR + 2], 0.85, out)


@device
def _eye(material, side, u, v, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    across, over = (u - EYE_U) / 0.078, (v - EYE_V) / 0.036
    lid = 1.0 - across * across
    if lid <= 0.0 or abs(over) > math.sqrt(lid) + 0.35:
        return
    if over > 0.75 * math.sqrt(lid):  # lashes and the lid's shade
        tinted(0.03, 0.02, 0.02, 0.85, out)
    elif over < -math.sqrt(lid):
        return
    elif (u - EYE_U) ** 2 + (v - EYE_V - 0.004) ** 2 < 0.036**2:
        tinted(0.03, 0.022, 0.018, 1.0, out)
    else:
        tinted(0.62, 0.60, 0.58, 0.9, out)


@device
def _glasses(u, v, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    ring = math.sqrt(((u - 0.142) / 0.105) ** 2 + ((v - EYE_V + 0.005) / 0.080) ** 2)
    if 0.90 < ring < 1.05 or (u < 0.042 and abs(v - 0.515) < 0.013):
        tinted(0.02, 0.02, 0.022, 1.0, out)
    elif ring <= 0.90:
        tinted(0.30, 0.32, 0.34, 0.12, out)
