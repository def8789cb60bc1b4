"""Painting of everything but people: one function, called at every hit of a material of kinds 50 to 99."""

from synthesis.street import finishes, grounds, walls
from synthesis.street.materials import (
    ASPHALT,
    BARK,
    CAR,
    COBBLES,
    FOLIAGE,
    GRASS,
    KERB,
    KIND,
    METAL,
    PLANKS,
    SIGN,
    SKY,
    TILES,
    TYRE,
)
from synthesis.street.noise import device

MOST = 0.95  # no surface gives back more of the light


@device
def paint(material, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Fill in albedo, emission and the tilt of the normal of a point in the material's own frame, in metres."""
    for i in range(3):
        out[3 + i], out[7 + i] = 0.0, 0.0
    kind = material[KIND]
    if kind <= PLANKS:
        walls.wall(material, x, y, out)
    elif kind <= KERB:
        ground(material, kind, x, y, out)
    elif kind <= SIGN:
        if kind == SKY:
            finishes.sky(material, x, y, out)
        else:
            finishes.sign(material, x, y, out)
    else:
        thing(material, kind, x, y, z, out)
    for i in range(3):
        out[i], out[3 + i] = min(MOST, max(0.0, out[i])), max(0.0, out[3 + i])


@device
def ground(material, kind, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint what is walked on."""
    if kind == TILES:
        grounds.tiles(material, x, y, out)
    elif kind == ASPHALT:
        grounds.asphalt(material, x, y, out)
    elif kind == COBBLES:
        grounds.cobbles(material, x, y, out)
    elif kind == GRASS:
        grounds.grass(material, x, y, out)
    else:
        grounds.kerb(material, x, y, out)


@device
def thing(material, kind, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint what stands about."""
    if kind == FOLIAGE:
        finishes.foliage(material, x, y, z, out)
    elif kind == BARK:
        finishes.bark(material, x, y, z, out)
    elif kind == CAR:
        finishes.car(material, x, y, z, out)
    elif kind == METAL:
        finishes.metal(material, x, y, z, out)
    elif kind == TYRE:
        finishes.tyre(material, x, y, z, out)
    else:
        finishes.glow(material, out)
