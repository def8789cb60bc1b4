"""Noise of cameras that were measured in the dark, in the digital numbers of a 14-bit sensor.

The numbers are the calibration of Wei et al., "A Physics-based Noise Formation Model for Extreme Low-light Raw
Denoising" (CVPR 2020).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SATURATION = 15_583.0  # digital numbers from black to full scale

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """A scale's logarithm as a line of the system gain's: ln scale = slope ln K + bias + a normal of this spread."""

    slope: float
    bias: float
    spread: float

    def scale(self, gain: Floats, normal: Floats) -> Floats:
        """Give the scale at a system gain, in digital numbers."""
        return np.asarray(np.exp(self.slope * np.log(gain) + self.bias + self.spread * normal))


@dataclass(frozen=True)
class Camera:
    """One measured camera."""

    normal: Line  # read noise: standard deviation of a normal law
    tukey: Line  # or scale of Tukey's lambda law
    row: Line  # standard deviation of what a whole line shares


CAMERAS = {
    "sony_a7s2": Camera(Line(0.541, 1.218, 0.268), Line(0.462, 0.566, 0.263), Line(0.528, -0.592, 0.294)),
    "nikon_d850": Camera(Line(0.563, 0.799, 0.214), Line(0.477, -0.090, 0.239), Line(0.448, -1.798, 0.232)),
    "canon_5d4": Camera(Line(0.677, 1.512, 0.246), Line(0.656, 1.093, 0.286), Line(0.471, -0.808, 0.244)),
}


def tukey_variance(shape: float) -> float:
    """Give the variance of Tukey's lambda law of scale 1; it is finite above a shape of -1/2."""
    if abs(shape) < 1e-6:
        return math.pi**2 / 3  # the logistic law
    both = math.gamma(shape + 1) ** 2 / math.gamma(2 * shape + 2)
    return 2 / shape**2 * (1 / (1 + 2 * shape) - both)


@dataclass(frozen=True)
class Noise:
    """The noise of some pictures, where full scale is 1."""

    shot: Floats  # variance per light
    read: Floats  # variance
    row: Floats  # what a line shares, in standard deviations of the read noise


def noise(camera: Camera, shape: float | None, gain: Floats, ratio: Floats, normals: tuple[Floats, Floats]) -> Noise:
    """Say how much noise there is at a system gain when light is amplified by `ratio`; a shape asks for Tukey's law."""
    unit = ratio / SATURATION
    if shape is None:
        read = camera.normal.scale(gain, normals[0])
    else:
        read = camera.tukey.scale(gain, normals[0]) * math.sqrt(tukey_variance(shape))
    rounding = 1 / 12  # of a digital number, before it is amplified
    deviation = unit * np.sqrt(read**2 + rounding)
    return Noise(gain * unit, deviation**2, camera.row.scale(gain, normals[1]) * unit / deviation)
