"""Looks: what lies on the ground, what stands behind it and what stands about, in eight kinds of street corner."""

import math
from collections.abc import Callable

import numpy as np

from synthesis.street import materials as m
from synthesis.street import occluders
from synthesis.street.lamps import Lamp
from synthesis.street.materials import material
from synthesis.street.scene import Solids
from synthesis.street.stage import (
    DROP,
    END,
    WOODS,
    Stage,
    along,
    drive,
    facade,
    foreground,
    grey,
    ground,
    houses,
    lawn,
    pick,
    road_ahead,
    sign,
    sky,
    slabs,
    stones,
    tarmac,
)


def behind(stage: Stage, low: float, high: float) -> float:
    """Draw how far behind the walked ground something stands; give its depth."""
    return -stage.deep - stage.draws.between("behind", low, high)


def terrace(stage: Stage) -> None:
    """Build brick houses with front doors, a pavement of slabs and a road before it."""
    houses(stage, facade(stage, "house", m.BRICK, m.DOORS), behind(stage, 2.5, 5.0))
    stage.strip(road_ahead(stage), stage.back, slabs(stage))
    along(stage, "bin", 1, stage.back + 0.5)
    along(stage, "bicycle", 2, stage.back + 0.45)
    along(stage, "tree", 1, -stage.deep - 0.9, None)


def high_street(stage: Stage) -> None:
    """Build shops with lit windows and signs."""
    row = facade(stage, "house", m.PLASTER, m.SHOPS)
    houses(stage, row, behind(stage, 2.5, 4.5))
    stage.strip(road_ahead(stage), stage.back, slabs(stage))
    x = stage.draws.between("sign x", -0.6, 0.6) * stage.across
    sign(stage, "sign", x, row[m.GROUND] + 0.12, stage.draws.between("sign wide", 2.4, 4.0), 0.7)
    sign(stage, "blade", x + 5.0, row[m.GROUND] + 0.9, 0.9, 0.9)
    along(stage, "bollard", 3, -stage.deep - 0.9)
    along(stage, "bin", 1, stage.back + 0.5)


def office(stage: Stage) -> None:
    """Build concrete with bands of windows behind a car park."""
    row = facade(stage, "house", m.PANELS, m.WINDOWS, wide=2.0, bay=2.4, tall=1.3, panes=2)
    houses(stage, row, behind(stage, 6.5, 10.0), 8.0, 15.0)
    lot = stage.back + 5.2
    near = stage.deep + stage.draws.between("yard", 1.5, 3.5)
    foreground(stage, near)
    stage.strip(near, lot, tarmac(stage, "yard", cover_x=END + 1.0, cover_y=near - 0.4))
    bays = tarmac(stage, "lot", marking=m.PARKING, marking_x=0.0, marking_y=0.05, marking_size=4.8)
    stage.strip(lot, stage.back, bays)
    for i in range(4):
        if stage.draws.chance(f"car {i}", 0.75):
            x = 2.5 * round(0.4 * stage.draws.between("lot x", -4, 4)) + 2.5 * (i - 2) + 1.25
            turn = 0.5 * math.pi if stage.draws.chance(f"car {i} turn", 0.6) else -0.5 * math.pi
            stage.put("car", f"car {i}", x, stage.back + 2.7, turn)
    sign(stage, "sign", stage.draws.between("sign x", -4, 4), 3.1, 2.6, 0.6)
    drive(stage, stage.deep + 2.4)


def park(stage: Stage) -> None:
    """Lay a path between lawns, with trees, bushes and houses far behind."""
    far = behind(stage, 22.0, 32.0)
    houses(stage, facade(stage, "house", m.PLASTER, m.WINDOWS), far, 9.0, 16.0)
    edge = stage.deep + stage.draws.between("path", 0.2, 0.9)
    stage.strip(stage.near_end, edge, lawn(stage, "near lawn"))
    stage.strip(-edge, stage.back, lawn(stage, "far lawn"))
    kind = m.TILES if stage.draws.chance("paved", 0.5) else m.ASPHALT
    path = slabs(stage, "path") if kind == m.TILES else tarmac(stage, "path")
    stage.strip(edge, -edge, path)
    along(stage, "bush", 5, -edge - 1.3, None, True)
    along(stage, "tree", 3, -edge - 4.0, None, True)
    drive(stage, stage.deep + 2.0)


def alley(stage: Stage) -> None:
    """Build garages with shutters on cobbles, and a wall at one side."""
    houses(stage, facade(stage, "house", m.PLASTER, m.SHUTTERS, bay=2.4), behind(stage, 2.5, 4.0), 4.0, 7.0)
    stage.strip(stage.near_end, stage.back, stones(stage, "cobbles"))
    side = -1.0 if stage.eye[0] > 0 else 1.0
    x = side * (stage.across + stage.draws.between("side wall", 0.9, 2.0))
    row = facade(stage, "side", m.BRICK, m.BLANK)
    row[m.TOP] = height = stage.draws.between("side height", 3.5, 7.0)
    near = stage.deep + 1.5 + 0.4 * float(stage.eye[2])
    long = near - stage.back
    corner, u = ((x, 0.0, near), (0, 0, -long)) if side < 0 else ((x, 0.0, stage.back), (0, 0, long))
    stage.rectangle(corner, u, (0, height, 0), row, shadow=True)
    stage.left, stage.right = (x, END) if side < 0 else (-END, x)
    along(stage, "bin", 3, stage.back + 0.5)
    along(stage, "bicycle", 1, stage.back + 0.45)
    sign(stage, "sign", stage.draws.between("sign x", -3, 3), 2.6, 1.6, 0.5)
    stage.lane = np.array([-0.5 * side * stage.across, 0.65, stage.deep + 4.0, 0.0, 0.0, -1.0])


def square(stage: Stage) -> None:
    """Build an open square of cobbles with trees and houses around it."""
    houses(stage, facade(stage, "house", m.PLASTER, m.SHOPS), behind(stage, 14.0, 22.0), 9.0, 15.0)
    stage.strip(stage.near_end, stage.back, stones(stage, "cobbles"))
    sign(stage, "sign", stage.draws.between("sign x", -5, 5), 3.8, 4.0, 1.0)
    along(stage, "tree", 3, -stage.deep - 5.0, None, True)
    along(stage, "bollard", 4, -stage.deep - 1.2)
    along(stage, "bicycle", 2, -stage.deep - 2.6, 0.2)
    drive(stage, stage.deep + 3.0)


def site(stage: Stage) -> None:
    """Put up a wooden fence with bushes before it and houses behind it."""
    fence = behind(stage, 2.5, 4.5)
    houses(stage, facade(stage, "house", m.BRICK, m.WINDOWS), fence - 8.0, 8.0, 13.0)
    stage.back = fence
    wood = pick(stage, "wood", WOODS)
    weathered = (0.6 * wood[0], 0.62 * wood[1], 0.66 * wood[2])
    planks = material(m.PLANKS, wood, weathered, seed=stage.seed("planks"), fine=stage.fine)
    stage.wall(-END, END, stage.draws.between("fence height", 1.7, 2.3), planks, fence)
    edge = -stage.deep - stage.draws.between("verge", 0.3, 1.2)
    begin = road_ahead(stage)
    stage.strip(begin, edge, slabs(stage))
    stage.strip(edge, fence - 8.0, lawn(stage, "verge"))
    along(stage, "bush", 4, fence + 1.0, None, True)
    along(stage, "pole", 1, -stage.deep - 0.9)


def crossing(stage: Stage) -> None:
    """Lay a zebra crossing over a road, houses and parked cars beyond it."""
    half = stage.deep + stage.draws.between("road", 0.6, 1.5)
    houses(stage, facade(stage, "house", m.PLASTER, m.DOORS), behind(stage, 7.0, 10.5))
    x = END + stage.draws.between("zebra x", -0.3, 0.3) * stage.across
    near = half + stage.draws.between("road wide", 2.0, 4.0)
    road = tarmac(stage, "road", marking=m.ZEBRA, marking_x=x, marking_y=near, marking_size=half - 0.3)
    stage.strip(near, -half - 2.6, road)
    foreground(stage, near)
    curb = ground(stage, "kerb", m.KERB, grey(stage, "kerb colour", 0.26, 0.4))
    stage.rectangle((-END, 0.0, -half - 2.6), (2 * END, 0, 0), (0, DROP, 0), curb)
    stage.strip(-half - 2.6, stage.back, slabs(stage), DROP)
    along(stage, "car", 2, -half - 1.5, 0.0, True)
    along(stage, "pole", 2, -half - 3.0)
    sign(stage, "sign", stage.draws.between("sign x", -4, 4), 3.3, 2.2, 0.6)
    drive(stage, half + 1.6)


LOOKS: dict[str, Callable[[Stage], None]] = {
    "terrace": terrace, "high street": high_street, "office": office, "park": park, "alley": alley, "square": square,
    "site": site, "crossing": crossing,
}  # fmt: skip


def build(look: str, stage: Stage) -> None:
    """Build a place of a look."""
    LOOKS[look](stage)
    sky(stage)


def lamp_post(lamp: Lamp, fine: float) -> Solids:
    """Build a street lamp: a glowing head, on a post or on a wire; its own light passes through all."""
    glow = material(m.GLOW, (0.6, 0.6, 0.58), lamp.colour, power=0.12 * lamp.intensity)
    up = lamp.y + 0.1
    cones = [
        occluders.cone((-0.22, up, 0.0), (0.22, up, 0.0), 0.1, 0.1, 0, squash=1.8, shadow=False),
        occluders.cone((-0.26, up + 0.1, 0.0), (0.26, up + 0.1, 0.0), 0.12, 0.12, 1, squash=2.5, shadow=False),
    ]
    if lamp.post:
        foot = (0.0, 0.0, -0.35)
        cones.append(occluders.cone(foot, (0.0, lamp.y - 0.4, -0.35), 0.08, 0.05, 1, shadow=False))
        cones.append(occluders.cone((0.0, lamp.y - 0.4, -0.35), (0.0, up + 0.12, 0.0), 0.05, 0.04, 1, shadow=False))
    else:
        wire = max(0.01, 0.7 * fine)  # thinner than a pixel it would be seen in dashes
        for end in (-9.0, 9.0):
            cones.append(occluders.cone((0.0, up + 0.15, 0.0), (end, up + 0.5, 0.0), wire, wire, 1, shadow=False))
    iron = material(m.METAL, (0.1, 0.11, 0.11), occluders.RUST)
    return occluders.moved(occluders.thing(cones, [glow, iron]), lamp.x, lamp.z)
