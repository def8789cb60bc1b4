"""Painting of walls: what they are built of, and windows, doors, shops, shutters. y runs up from the ground."""

import math

from synthesis.street.grounds import coloured, line, lines, within
from synthesis.street.materials import (
    BAY,
    BLANK,
    BRICK,
    DOORS,
    FINE,
    FRAME,
    FRONT,
    GROUND,
    KIND,
    LIT,
    PANELS,
    PANES,
    PLANKS,
    SEED,
    SHOPS,
    SHUTTERS,
    SILL,
    STOREY,
    TALL,
    TOP,
    TRIM,
    WIDE,
    WINDOWS,
)
from synthesis.street.noise import device, hashed, smooth

GLOW_OF_WINDOWS = 0.25  # relative to the lamps' units


@device
def wall(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a wall: the ground floor's front, the windows above it, or what it is built of between them."""
    if material[KIND] == PLANKS:
        planks(material, x, y, out)
        return
    front = material[FRONT]
    if y < material[GROUND] and front != BLANK:
        if front == SHOPS and shop(material, x, y, out):
            return
        if front == SHUTTERS and shutter(material, x, y, out):
            return
        if front == DOORS and door(material, x, y, out):
            return
        if front in (WINDOWS, DOORS) and window(material, x, y, -1, y, out):
            return
    if material[STOREY] > 0.0 and y >= material[GROUND]:
        storey = math.floor((y - material[GROUND]) / material[STOREY])
        up = y - material[GROUND] - storey * material[STOREY]
        if window(material, x, y, storey, up, out):
            return
    built(material, x, y, out)


@device
def built(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint bricks, concrete panels or plaster, dirtier towards the ground."""
    if material[KIND] == BRICK:
        bricks(material, x, y, out)
    elif material[KIND] == PANELS:
        panels(material, x, y, out)
    else:
        plaster(material, x, y, out)
    splash = smooth(2.0 * x, 0.5, int(material[SEED]) + 31)
    dirt = 0.62 + 0.38 * min(1.0, max(0.0, y - 0.35 * splash) / 0.5)
    if material[TOP] - 0.35 < y:  # the cornice
        dirt *= 1.18 if material[TOP] - 0.3 < y else 0.6
    for i in range(3):
        out[i] = min(0.9, out[i] * dirt)


@device
def bricks(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint courses of bricks in mortar; each brick has its own shade and stands a little crooked."""
    seed, fine = int(material[SEED]), material[FINE]
    row = math.floor(y / 0.077)
    u = x / 0.25 + 0.5 * (row & 1)
    column = math.floor(u)
    u, v = u - column, y / 0.077 - row
    mortar = lines(u, v, 0.25, 0.077, 0.006, fine)
    own = hashed(column, row, seed)
    # Bricks smaller than a pixel melt into their mean.
    contrast = min(1.0, 0.05 / max(fine, 0.001))
    stain = 0.8 + 0.4 * smooth(0.37 * x, 0.29 * y, seed + 1)
    coloured(
        material,
        stain * (1.0 + 0.55 * contrast * (own - 0.5)),
        0.5 + contrast * (hashed(row, column, seed + 2) - 0.5),
        out,
    )
    for i in range(3):
        out[i] += mortar * (0.34 * stain - out[i])
    out[7] = 0.12 * contrast * (own - 0.5)
    out[8] = contrast * (
        0.1 * (hashed(column, row, seed + 3) - 0.5) + (0.25 * (v - 0.5) if v < 0.12 or v > 0.88 else 0.0)
    )


@device
def plaster(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint rough plaster with clouds of colour, streaks of rain and mended places."""
    seed = int(material[SEED])
    cloud = smooth(0.5 * x, 0.6 * y, seed)
    streak = smooth(2.7 * x, 0.22 * y, seed + 1)
    mended = 0.35 if smooth(0.31 * x, 0.37 * y, seed + 2) > 0.8 else 0.0
    coloured(material, 0.84 + 0.2 * cloud + 0.12 * streak, mended, out)
    grain = 1.0 / max(0.02, material[FINE])
    i, j = math.floor(grain * x), math.floor(grain * y)
    out[7], out[8] = 0.1 * (hashed(i, j, seed + 3) - 0.5), 0.1 * (hashed(j, i, seed + 4) - 0.5)


@device
def panels(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint slabs of concrete with joints, anchor holes and the dark runs below them."""
    seed, fine = int(material[SEED]), material[FINE]
    column, row = math.floor(x / 2.4), math.floor(y / 1.2)
    u, v = x - 2.4 * column, y - 1.2 * row
    joint = lines(u / 2.4, v / 1.2, 2.4, 1.2, 0.012, fine)
    hole = (abs(u - 1.2) - 0.8) ** 2 + (abs(v - 0.6) - 0.35) ** 2 < 0.0006
    run = max(0.0, smooth(5.0 * x, 0.3 * y, seed + 1) - 0.55) * v
    own = hashed(column, row, seed)
    shade = (0.88 + 0.24 * own) * (0.86 + 0.28 * smooth(1.9 * x, 1.6 * y, seed + 2)) * (1.0 - 0.5 * run)
    coloured(material, shade * (1.0 - 0.6 * joint) * (0.5 if hole else 1.0), 0.4 * own, out)


@device
def planks(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint upright boards with grain, knots and gaps."""
    seed, fine = int(material[SEED]), material[FINE]
    board = math.floor(x / 0.14)
    u = x - 0.14 * board
    gap = line(u, 0.14, 0.006, fine)
    own = hashed(board, 3, seed)
    grain = smooth(42.0 * x, 1.3 * y + 17.0 * own, seed + 1)
    dirt = 0.7 + 0.3 * min(1.0, y / 0.4)
    coloured(material, dirt * (0.72 + 0.36 * own + 0.3 * grain) * (1.0 - 0.75 * gap), own, out)
    out[7] = 0.1 * (own - 0.5)


@device
def glass(x, y, across, up, seed, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a dark pane that seems to mirror the sky; across and up are in 0..1 of the opening."""
    mirror = smooth(1.3 * x + 0.8 * y, 0.9 * y, seed + 41)
    bright = 0.04 + 0.22 * max(0.0, up) * mirror + 0.05 * abs(across - 0.5)
    out[0], out[1], out[2] = 0.82 * bright, 0.95 * bright, 1.1 * bright


@device
def room(pick, strength, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Let a lit room show: mostly warm, some white, few blue."""
    out[3] = GLOW_OF_WINDOWS * strength * (1.0 if pick < 0.75 else 0.65)
    out[4] = GLOW_OF_WINDOWS * strength * (0.66 if pick < 0.45 else 0.85)
    out[5] = GLOW_OF_WINDOWS * strength * (0.3 if pick < 0.45 else (0.7 if pick < 0.75 else 1.0))


@device
def flat(material, column, shade, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Fill in one of the wall's other colours."""
    for i in range(3):
        out[i] = shade * material[column + i]


@device
def window(material, x, y, storey, up, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint the window of a bay, its frame and its sill, and tell whether the point is on one."""
    column = math.floor(x / material[BAY])
    u = x - material[BAY] * column - 0.5 * (material[BAY] - material[WIDE])
    v = up - material[SILL]
    wide, tall = material[WIDE], material[TALL]
    if -0.08 < v <= 0.0 and -0.08 < u < wide + 0.08:
        flat(material, FRAME, 0.9, out)
        return True
    if u < 0.0 or u > wide or v < 0.0 or v > tall:
        return False
    panes = max(1.0, material[PANES])
    pane = wide / panes
    inner = u - pane * math.floor(u / pane)
    edge = min(min(inner, pane - inner), min(v, tall - v))
    if edge < 0.05 or abs(v - 0.68 * tall) < 0.025:
        flat(material, FRAME, 1.0 if v < tall - 0.1 else 0.45, out)  # the lintel's shadow
        return True
    furnish(material, x, y, u / wide, v / tall, column, storey, out)
    return True


@device
def furnish(material, x, y, across, up, column, storey, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint what a window shows: glass, curtains or a blind, and by night the light behind them."""
    seed = int(material[SEED])
    habit, pick = hashed(column, storey, seed + 51), hashed(storey, column, seed + 52)
    glass(x, y, across, up, seed, out)
    veil = 0.0
    if habit < 0.35 and abs(across - 0.5) > 0.22 + 0.2 * pick:
        veil = 0.8 + 0.2 * math.sin(60.0 * across)
    elif 0.35 <= habit < 0.6 and up > 0.25 + 0.6 * pick:
        veil = 0.75 + 0.25 * math.sin(90.0 * up)
    if veil > 0.0:
        out[0], out[1], out[2] = 0.34 * veil + 0.5 * out[0], 0.32 * veil + 0.5 * out[1], 0.28 * veil + 0.5 * out[2]
    if hashed(column, storey, seed + 53) < material[LIT]:
        strength = (0.45 + 0.4 * veil + 0.5 * up) * (0.7 + 0.6 * pick)
        room(pick, strength, out)


@device
def letters(x, y, tall, seed):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Tell whether a point is on lettering: three by five strokes in cells, some cells empty; y in 0..tall."""
    u = x / (0.72 * tall)
    cell = math.floor(u)
    i, j = math.floor((u - cell) * 4.0), math.floor(5.0 * y / tall)
    if i > 2 or j < 0 or j > 4 or hashed(cell, 0, seed + 61) < 0.16:
        return False
    if i == 0:
        return hashed(cell, 1, seed + 62) < 0.75 or j in (0, 4)
    if i == 1:
        return j & 1 == 0 and hashed(cell, j, seed + 63) < 0.7
    return hashed(cell, 10 + j // 2, seed + 64) < 0.7


@device
def shop(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a shop front over two bays: lettering, window with goods, door; tell whether the point is on it."""
    seed, wide = int(material[SEED]), 2.0 * material[BAY]
    number = math.floor(x / wide)
    u, tall = x - wide * number, material[GROUND]
    lit, pick = hashed(number, 2, seed + 71) < 1.5 * material[LIT], hashed(number, 3, seed + 72)
    if u < 0.2 or u > wide - 0.2 or y > tall - 0.15:
        return False
    if y > tall - 0.75:
        fascia(material, u, y - tall + 0.75, wide, number, lit, out)
        return True
    left = 0.3 if hashed(number, 4, seed + 73) < 0.5 else wide - 1.35
    at_door = left < u < left + 1.05
    if at_door and y < 2.15:
        edge = min(min(u - left, left + 1.05 - u), 2.15 - y)
        inside = edge > 0.09 and not 0.9 < y < 1.0
    else:
        pane = within(u - 0.2, 1.3)
        inside = 0.45 < y < tall - 0.82 and 0.05 < pane < 1.25
    if not inside:
        flat(material, TRIM, 0.75 + 0.5 * hashed(number, 5, seed + 74), out)
        return True
    glass(x, y, u / wide, y / tall, seed, out)
    if not at_door:
        goods(x, y, seed + number, out)
    if lit:
        room(pick, 0.6 + 0.7 * y / tall, out)
        for i in range(3):
            out[3 + i] *= 0.55 + min(0.7, 1.6 * out[i])
    return True


@device
def goods(x, y, seed, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint things on shelves behind the glass."""
    i, j = math.floor(x / 0.23), math.floor(y / 0.37)
    u, v = x - 0.23 * i, y - 0.37 * j
    tall, half = 0.1 + 0.22 * hashed(i, j, seed + 75), 0.04 + 0.06 * hashed(j, i, seed + 75)
    narrow = half * (1.0 - 0.5 * max(0.0, v - 0.6 * tall) / tall)
    if hashed(i, j, seed + 76) < 0.6 and abs(u - 0.115) < narrow and v < tall and y < 1.75:
        hue, light = hashed(i, j, seed + 77), 0.08 + 0.2 * hashed(j, i, seed + 77)
        out[0] = light * (1.0 + 0.6 * math.cos(6.28 * hue))
        out[1] = light * (1.0 + 0.5 * math.cos(6.28 * (hue - 0.33)))
        out[2] = light * (1.0 + 0.6 * math.cos(6.28 * (hue - 0.66)))
    elif v < 0.02 and y < 1.8:
        out[0], out[1], out[2] = 0.2, 0.19, 0.17


@device
def fascia(material, u, v, wide, number, lit, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint the board above a shop with its name on it."""
    seed = int(material[SEED]) + 5 * number
    hue = hashed(number, 6, seed)
    board = 0.5 if hue < 0.4 else 1.4
    flat(material, TRIM, min(board, 0.9), out)
    begin = 0.35 + 0.25 * wide * hashed(number, 7, seed)
    if 0.16 < v < 0.46 and begin < u < begin + 0.45 * wide and letters(u - begin, v - 0.16, 0.3, seed):
        light = 0.75 if board < 1.0 else 0.07
        out[0], out[1], out[2] = light, 0.95 * light, 0.85 * light
        if lit:
            room(hue, 1.7, out)
    elif lit:
        for i in range(3):
            out[3 + i] = 0.3 * out[i]


@device
def door(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a front door with panels and a fanlight in every third bay, and tell whether the point is on it."""
    seed = int(material[SEED])
    column = math.floor(x / material[BAY])
    if (column + seed) % 3 != 0:
        return False
    u = x - material[BAY] * (column + 0.5)
    if abs(u) > 0.62 or y > 2.55:
        built(material, x, y, out)
        return True
    if abs(u) > 0.52 or y > 2.47 or 2.05 < y < 2.13:
        flat(material, FRAME, 0.95, out)
        return True
    if y >= 2.13:
        glass(x, y, 0.5, 0.8, seed, out)
        if hashed(column, 1, seed + 81) < material[LIT] + 0.2:
            room(0.2, 1.0, out)
        return True
    panel = abs(abs(u) - 0.26) < 0.17 and (0.2 < y < 0.85 or 1.0 < y < 1.9)
    flat(material, TRIM, 0.8 if panel else 1.0, out)
    if abs(u - 0.43) < 0.03 and abs(y - 1.02) < 0.07:
        out[0], out[1], out[2] = 0.45, 0.4, 0.25
    return True


@device
def shutter(material, x, y, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Paint a roller shutter of a garage, some with a scrawl on it, and tell whether the point is on it."""
    seed = int(material[SEED])
    wide = 1.5 * material[BAY]
    number = math.floor(x / wide)
    u = x - wide * number
    if u < 0.35 or u > wide - 0.35 or y > 2.35:
        return False
    if u < 0.42 or u > wide - 0.42 or y > 2.28:
        flat(material, FRAME, 0.8, out)
        return True
    own = hashed(number, 1, seed + 91)
    slat = math.sin(6.283185307 * y / 0.11)
    fade = min(1.0, 0.03 / max(material[FINE], 0.001))
    rust = max(0.0, smooth(2.3 * x, 1.1 * y, seed + 92) - 0.62)
    for i in range(3):
        paint = material[TRIM + i] if own < 0.5 else material[FRAME + i]
        out[i] = (0.8 + 0.12 * fade * slat) * paint * (0.75 + 0.5 * own) * (1.0 - rust)
    out[0] += 0.12 * rust
    out[8] = 0.45 * fade * math.cos(6.283185307 * y / 0.11)
    if own > 0.45 and 0.7 < y < 1.5 and letters(u - 0.25 * y, y - 0.7, 0.8, seed + number):
        out[0], out[1], out[2] = 0.1 + 0.5 * own * own, 0.12, 0.5 * (1.0 - own)
    return True
