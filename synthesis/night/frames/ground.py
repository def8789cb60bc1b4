"""The lamps' light over a whole frame: on the ground, on what is far behind it, and on everybody who stands there."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthesis.night import kelvin
from synthesis.night.frames.config import Config
from synthesis.night.frames.geometry import Floats, Geometry

LAMPS = (1, 2, 3)
LUMA = np.array([0.299, 0.587, 0.114])  # Rec. 601
LINES = 270  # of the grid at most; the light itself is smooth, people's outlines are not
NEAR = 0.5  # metres that nothing comes nearer to a lamp than
EDGE = 0.25  # metres of height over which a beam ends, as in the lamps stage
_ROUND, _STEEPEST = 1.4, 0.95  # of the cylinder that a person is
_SKY = 5400.0  # kelvin
# Half as wide as a body is, from head to foot of a box, in half widths of it: a head, shoulders, and legs that walk.
_DOWN, _BODY = (0.0, 0.05, 0.14, 0.24, 0.5, 1.0), (0.15, 0.35, 0.4, 0.75, 0.75, 0.65)
_SOFT = 0.3  # half widths over which it fades into what is behind

Grid = NDArray[np.float32]


@dataclass(frozen=True)
class Lamps:
    """Lamps in the camera's space, and the light from everywhere."""

    places: Floats  # (lamps, 3)
    power: Floats  # (lamps, 3): linear RGB
    above: Floats  # (lamps,): part of the light that goes above the lamp
    ambient: Floats  # RGB beside the mean of the lamps' light
    cylinder: float  # how much a person is a cylinder, and not flat

    @classmethod
    def of(cls, row: Mapping[str, float]) -> "Lamps":
        """Take the lamps of one row of the plan."""
        lit = [lamp for lamp in LAMPS if row[f"lamp{lamp}_intensity"] > 0]
        places = [[row[f"lamp{lamp}_at_{axis}"] for axis in "xyz"] for lamp in lit]
        colours = [kelvin.colour(np.array(row[f"lamp{lamp}_kelvin"])) for lamp in lit]
        power = [row[f"lamp{lamp}_intensity"] * colour for lamp, colour in zip(lit, colours, strict=True)]
        sky = kelvin.colour(np.array(row.get("ambient_kelvin", _SKY)))
        return cls(
            np.reshape(np.array(places, np.float64), (-1, 3)),
            np.reshape(np.array(power, np.float64), (-1, 3)),
            np.array([row.get(f"lamp{lamp}_above", 1.0) for lamp in lit], np.float64),
            row["ambient"] * sky.astype(np.float64),
            row["normal_weight"],
        )

    def light(self, points: Floats, normals: Floats) -> Floats:
        """Give the RGB that falls on points (..., 3) with normals: intensity x cosine / r^2, less above a beam."""
        total = np.zeros(np.broadcast_shapes(points.shape, normals.shape))
        for place, power, above in zip(self.places, self.power, self.above, strict=True):
            way = place - points
            squared = np.maximum((way**2).sum(axis=-1), NEAR**2)
            cosine = np.maximum((way * normals).sum(axis=-1), 0.0) / np.sqrt(squared)
            beam = above + (1 - above) * np.clip(way[..., 1] / EDGE + 0.5, 0.0, 1.0)
            total += (beam * cosine / squared)[..., None] * power
        return total


class Field:
    """The light over a camera's frames: the place is worked out once, and people in every frame.

    Its mean luma over the empty place is 1, so that nobody who comes in changes the light on what stands still.
    """

    def __init__(self, geometry: Geometry, lamps: Lamps, width: int, height: int, config: Config) -> None:
        cell = max(-(-height // LINES), 1)
        self.geometry, self.lamps, self.bounce = geometry, lamps, config.bounce
        self.rows = (np.arange(-(-height // cell)) + 0.5) * height / -(-height // cell)
        self.columns = (np.arange(-(-width // cell)) + 0.5) * width / -(-width // cell)
        place = self._place(config.backdrop)
        mean = float((place @ LUMA).mean())
        self.scale = 1.0 / mean if mean > 0 else 0.0
        self.whole = 1.0 / (float(((place * self.scale + lamps.ambient) @ LUMA).mean()) or 1.0)
        self.empty = self._mixed(place)

    def _place(self, backdrop: tuple[float, float]) -> Floats:
        """Light the ground, which turns into an upright backdrop where it is far."""
        start, end = backdrop
        rows, columns = self.rows[:, None], self.columns[None, :]
        depth = np.minimum(self.geometry.depth(rows), end)
        depth = np.where(rows > self.geometry.horizon, depth, end)
        # A wall from the row on where the ground has come to it; before, more and more things that stand on it.
        upright = np.clip((depth - start) / max(end - start, 1e-6), 0.0, 1.0)[..., None]
        points = self.geometry.at(columns, rows, depth)
        ground = self.lamps.light(points, np.array([0.0, 1.0, 0.0]))
        return (1 - upright) * ground + upright * self.lamps.light(points, np.array([0.0, 0.0, -1.0]))

    def _mixed(self, light: Floats) -> Grid:
        """Bring lamps and the light from everywhere together: rows x columns x 3."""
        return ((light * self.scale + self.lamps.ambient) * self.whole).astype(np.float32)

    def frame(self, boxes: Floats) -> Grid:
        """Give 1 x 3 x rows x columns of light with the people of one frame, those who are nearest last."""
        grid = self.empty.copy()
        for box in boxes[np.lexsort((boxes[:, 0], boxes[:, 1] + boxes[:, 3]))]:
            self._stand(grid, box)
        return np.ascontiguousarray(grid.transpose(2, 0, 1))[None]

    def _stand(self, grid: Grid, box: Floats) -> None:
        """Light one upright person, at the depth of their feet, where the box is not background."""
        x, y, w, h = box.tolist()
        down = slice(*np.searchsorted(self.rows, [y, y + h]).tolist())
        over = slice(*np.searchsorted(self.columns, [x, x + w]).tolist())
        rows, columns = self.rows[down, None], self.columns[None, over]
        if not rows.size or not columns.size:
            return
        side = 2 * (columns - x) / w - 1
        # What is lit as a body and is none shows as a box around it; what is one and is not lit so shows less.
        inside = (np.interp((rows - y) / h, _DOWN, _BODY) - np.abs(side)) / _SOFT
        mask = np.clip(inside, 0.0, 1.0)[..., None].astype(np.float32)
        person = self._mixed(self._person(rows, columns, side, y + h))
        grid[down, over] += mask * (person - grid[down, over])

    def _person(self, rows: Floats, columns: Floats, side: Floats, foot: float) -> Floats:
        depth = self.geometry.depth(np.array(foot))
        points = self.geometry.at(columns, rows, depth)
        turned = np.clip(_ROUND * side, -_STEEPEST, _STEEPEST)
        cylinder = np.stack([turned, np.zeros_like(turned), -np.sqrt(1 - turned**2)], axis=-1)
        weight = self.lamps.cylinder
        light = weight * self.lamps.light(points, cylinder)
        light += (1 - weight) * self.lamps.light(points, np.array([0.0, 0.0, -1.0]))
        below = self.geometry.at(columns.mean(), np.array(foot), depth) * np.array([1.0, 0.0, 1.0])
        return light + self.bounce * self.lamps.light(below, np.array([0.0, 1.0, 0.0]))

    def cut(self, grid: Grid, box: Floats, rows: int, columns: int) -> Grid:
        """Give 3 x rows x columns of a frame's light as it falls on one box."""
        x, y, w, h = box.tolist()
        over = np.searchsorted(self.columns, x + (np.arange(columns) + 0.5) / columns * w)
        down = np.searchsorted(self.rows, y + (np.arange(rows) + 0.5) / rows * h)
        over, down = np.minimum(over, len(self.columns) - 1), np.minimum(down, len(self.rows) - 1)
        return np.asarray(grid[0][:, down[:, None], over])
