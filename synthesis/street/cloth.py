"""Painting of people: one function that the kernel calls at every hit of a material of kinds 0 to 49.

What is cloth and what is skin, and where a hem, a belt or a collar runs, follows from the place in the bone's frame,
not from which cone was hit. Folds tilt the normal and shade the colour a little; they follow joints, waist and armpits.
"""

from synthesis.street import faces, limbs, trunks
from synthesis.street.fabrics import ARM, BAG, FIRST, HAIR, HAT, HEAD, KIND, LEG, SHOE, SIZE, SKIN, STYLE, TRUNK
from synthesis.street.noise import device
from synthesis.street.scene import BAG as BAG_PART
from synthesis.street.scene import SKIN as SKIN_PART
from synthesis.street.weaves import coloured, tinted, wave

MOST = 0.95  # no surface gives back more of the light


@device
def paint(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Fill in albedo, part and the tilt of the normal of a point in a bone's frame, in metres."""
    for i in range(3):
        out[3 + i], out[7 + i] = 0.0, 0.0
    kind, scale = material[KIND], material[SIZE]
    if kind == TRUNK:
        trunks.trunk(material, scale * x, scale * y, scale * z, out)
    elif kind == ARM:
        limbs.arm(material, scale * x, scale * y, scale * z, out)
    elif kind == LEG:
        limbs.leg(material, scale * x, scale * y, scale * z, out)
    elif kind == HEAD:
        faces.head(material, x, y, z, out)
    else:
        _thing(material, kind, scale * x, scale * y, scale * z, out)
    for i in range(3):
        out[i] = min(MOST, max(0.0, out[i]))


@device
def _thing(material, kind, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    coloured(material, FIRST, 1.0, out)
    if kind == SKIN:
        out[6] = SKIN_PART
    elif kind == SHOE:
        limbs.shoe(material, x, y, z, out)
    elif kind == BAG:
        _bag(material, x, y, z, out)
    elif kind == HAIR:
        faces.hair(material, x / faces.HEIGHT, y / faces.HEIGHT, z / faces.HEIGHT, out)
    elif kind == HAT:
        coloured(material, FIRST, 0.9, out)


@device
def _bag(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Paint a bag by its sort: seams, zips, flaps, tape."""
    out[6] = BAG_PART
    style, dark = material[STYLE], 0.0
    if style == 1.0:
        if abs(y - 0.405) < 0.005 or abs(y - 0.215) < 0.004 or (abs(abs(x) - 0.085) < 0.003 and z < -0.2):
            dark = 0.5
        elif abs(abs(x) - 0.045) < 0.004 and y > 0.25:
            dark = 0.3
    elif style == 2.0:
        if (abs(abs(z) - 0.055) < 0.008 and y > -0.26) or abs(y + 0.185) < 0.004:
            dark = 0.4
        elif abs(z) < 0.014 and abs(y + 0.21) < 0.012:
            tinted(0.5, 0.42, 0.2, 0.9, out)
    elif style == 3.0:
        if abs(y + 0.075 + 0.25 * (z + 0.05) ** 2) < 0.004 or abs(abs(z + 0.05) - 0.11) < 0.003:
            dark = 0.5
        elif abs(z + 0.05) < 0.018 and abs(y + 0.09) < 0.014:
            tinted(0.5, 0.45, 0.3, 0.9, out)
    elif style == 4.0:
        if abs(y - 0.50) < 0.004 or abs(y - 0.07) < 0.004:
            dark = 0.6
        groove = wave(120.0 * x)
        out[7] += 0.25 * groove
    elif abs(x) < 0.03 or abs(y - 0.262) < 0.004:
        tinted(0.50, 0.42, 0.28, 0.8, out)
    elif 0.05 < x < 0.12 and z > 0.3 and 0.11 < y < 0.17:
        tinted(0.7, 0.7, 0.68, 1.0, out)
    tinted(0.0, 0.0, 0.0, dark, out)
