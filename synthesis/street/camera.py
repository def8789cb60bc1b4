"""The street's own camera, the same by day and by night: from linear light to an 8-bit picture, and to JPEG.

In the order of the light: veil and blur of the lens, what the corners lose, electrons below the mosaic's filters, their
noise, the full well, the converter; then demosaicing, white balance, colour, tone, noise reduction and sharpening.
The compiled parts are in sensor.py. The night that is made from day pictures has another camera, which shares nothing
with this one, neither code nor ranges: otherwise the true night would flatter it.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmark import images, keyed
from benchmark.images import Picture
from synthesis.street import sensor as kernels
from synthesis.street.config import Quality, Range, World
from synthesis.street.draws import size_eighth
from synthesis.street.scene import FRAME_HEIGHT, FRAME_WIDTH

Light = NDArray[np.float32]  # height x width x 3, linear RGB
Matrix = NDArray[np.float64]

WHITE = (1.0, 1.0, 1.0)
MOVES, FRONT = 1, 2  # a mask's words: the subject, and what stands in front of it
DAY_SECONDS = 1 / 500
BRIGHTEST = 1e6  # a sensor's limit by day, when light is never short
MOST_BALANCE = 8.0  # white balance multiplies no colour by more
NARROW, FAR, FAR_SHARE = 10.0, 70.0, 0.4  # the veil's two widths, in pixels of the frame, and the wide one's share
NOISY = 2.0  # gain from which demosaicing looks for edges only where quality asks for it: most that it finds is noise
MOST_REACH = 12  # pixels to either side that the lens blurs over
# How bright cameras are, by the eighth of the sizes that they stand in: small, medium and big ones are dark as well as
# bright, for otherwise a light level would be a size.
LIGHT_BY_SIZE = (6, 1, 3, 7, 0, 4, 2, 5)
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Sensor:
    """One camera's card. Lengths are in pixels of the 1920 x 1080 frame, signals in electrons."""

    camid: int
    softness: float  # the lens's blur, standard deviation
    veil: float  # share of the light that the lens scatters widely
    vignetting: float  # share of the light that the frame's corners lose
    red: float  # sensitivity relative to green
    blue: float
    crosstalk: float  # share of each of the other two colours that a filter lets through
    full_well: float
    gain: float  # at night: how often the converter's range fits into the full well
    limit: float  # by night light of 1/limit is the darkest that can be brought to white
    seconds: float  # exposure time by night
    read: float
    row: float
    column: float
    offset: float  # fixed pattern in the dark
    uniformity: float  # fixed pattern of the sensitivity, relative
    dark: float  # electrons a second without light
    bits: int
    black: int
    red_balance: float  # what white balance gets wrong
    blue_balance: float
    adaptation: float  # share of the light's colour that white balance takes out, in logarithm
    saturation: float
    fading: float  # share of the saturation that the night's gain takes
    knee: float  # of the tone curve: the smaller, the brighter the shadows
    contrast: float
    toe: float  # share of the codes that is cut off below
    smoothing: float  # codes below which detail counts as noise, by day
    sharpening: float
    quality: int  # of the JPEG
    lightness: float  # what metering aims at by night
    pattern: int  # where the fixed pattern's draws start; 53 bits, which any table holds


class Window(NamedTuple):
    """Where in the frame a picture lies: its corner, and how many of the frame's pixels one of its own is wide."""

    left: float = 0.0
    top: float = 0.0
    step: float = 1.0

    @property
    def area(self) -> float:
        """Say how many of the sensor's sites a pixel takes together; a finer one is a site of its own."""
        return max(self.step, 1.0) ** 2

    @property
    def corner(self) -> tuple[int, int]:
        """Number the line and the column of the site at the corner, on a sensor as coarse as the picture."""
        return math.floor(self.top / self.step + 0.5), math.floor(self.left / self.step + 0.5)


class Exposure(NamedTuple):
    """How a picture is exposed."""

    electrons: float  # that a unit of white light frees below a green filter
    gain: float  # how often the converter's range fits into the full well
    seconds: float


@lru_cache(maxsize=1024)
def sensor(world: World, seed: int, camid: int) -> Sensor:
    """Draw the camera's model: a function of the seed and the camera only."""
    key = keyed.key(f"street\n{world.space}\ncamera\n{camid}")
    ranges = world.cameras

    def draw(name: str, low: float = 0.0, high: float = 1.0) -> float:
        return low + (high - low) * float(keyed.uniform(seed, key, f"sensor {name}"))

    def spread(name: str, bounds: Range) -> float:
        return float(bounds[0] * (bounds[1] / bounds[0]) ** draw(name))

    noise, bits = draw("noise", *ranges.noise), 10 if draw("bits") < 0.5 else 12
    return Sensor(
        camid=camid,
        softness=draw("softness", 0.6, 0.95),
        veil=spread("veil", ranges.veil),
        vignetting=draw("vignetting", 0.1, 0.4),
        red=draw("red", 0.5, 0.66),
        blue=draw("blue", 0.44, 0.6),
        crosstalk=draw("crosstalk", 0.05, 0.12),
        full_well=draw("full well", 8000.0, 14000.0),
        gain=spread("gain", ranges.gain),
        limit=spread("limit", (12.0, 40.0)),
        seconds=spread("seconds", ranges.blur),
        read=0.9 * noise,
        row=noise * draw("row", 0.1, 0.3),
        column=noise * draw("column", 0.1, 0.3),
        offset=noise * draw("offset", 0.2, 0.6),
        uniformity=draw("uniformity", 0.004, 0.012),
        dark=spread("dark", (2.0, 20.0)),
        bits=bits,
        black=2 ** (bits - 4),
        red_balance=draw("red balance", *ranges.balance),
        blue_balance=draw("blue balance", *ranges.balance),
        adaptation=draw("adaptation", 0.3, 0.7),
        saturation=draw("saturation", 0.9, 1.2),
        fading=draw("fading", *ranges.fading),
        knee=draw("knee", *ranges.knee),
        contrast=draw("contrast", 0.0, 0.5),
        toe=draw("toe", 0.005, 0.03),
        smoothing=draw("smoothing", *ranges.smoothing),
        sharpening=draw("sharpening", *ranges.sharpening),
        quality=round(draw("quality", *ranges.quality)),
        lightness=_lightness(world, seed, camid, draw("lightness")),
        pattern=int(keyed.bits(seed, key, "sensor pattern")) >> 11,
    )


def _lightness(world: World, seed: int, camid: int, within: float) -> float:
    """Spread what the cameras' metering aims at evenly in logarithm: any eight in a row stand in different eighths."""
    low, high = world.cameras.lightness
    return float(low * (high / low) ** ((LIGHT_BY_SIZE[size_eighth(seed, world.space, camid)] + within) / 8))


def exposure_for(
    target: float,
    radiance: ArrayLike,
    sensor: Sensor,
    *,
    daylight: bool = False,
    cast: tuple[float, float, float] = WHITE,
) -> Exposure:
    """Meter: find the exposure that brings a place to a lightness (mean of max(R, G, B), 0 to 255).

    `radiance` is a mean, or better a sample of the place's light (..., 3): the tone curve bends, so the mean of its
    codes is not the code of the mean. By night there is no more light than the exposure time collects.
    """
    if not 0 < target < 255:
        raise ValueError(f"lightness {target} must be above 0 and below 255")
    gain = 1.0 if daylight else sensor.gain
    bright = np.asarray(radiance, np.float64)
    bright = bright.reshape(-1, 3) if bright.ndim else np.full((1, 3), bright)
    seen = (bright @ _display(sensor, gain, cast).T).max(axis=1)
    if not np.isfinite(seen).all():
        raise ValueError("the light to meter must be finite")
    scale = float(
        kernels.meter(seen.astype(np.float32), _tone(sensor), target, BRIGHTEST if daylight else sensor.limit)
    )
    return Exposure(scale * sensor.full_well / gain, gain, DAY_SECONDS if daylight else sensor.seconds)


def expose(
    light: Light,
    sensor: Sensor,
    exposure: Exposure,
    seed: int,
    key: np.uint64,
    *,
    left: float = 0.0,
    top: float = 0.0,
    step: float = 1.0,
    cast: tuple[float, float, float] = WHITE,
    motion: tuple[float, float] | None = None,
    mask: NDArray[np.integer] | NDArray[np.bool_] | None = None,
    quality: Quality = "fast",
) -> Picture:
    """Take a picture of linear light, 8 bits.

    `left`, `top` and `step` say where in the frame the light was seen; `cast` is the light's colour, as far as white
    balance knows it; `motion` (right, down; in pixels of the picture) is how far what the mask calls 1 moves meanwhile.
    """
    light = _checked(light)
    if motion is not None and mask is not None:
        light = _moved(light, mask, motion)
    window = Window(left, top, step)
    raw = expose_raw(light, sensor, exposure, seed, key, window)
    line, column = window.corner
    phase = ((line - kernels.MARGIN) & 1, (column - kernels.MARGIN) & 1)
    scale, matrix = _colour(sensor, exposure.gain, cast)
    careful = quality == "full" or exposure.gain < NOISY
    detail, taps = _detail(sensor, exposure.gain, careful)
    picture: Picture = kernels.develop(
        raw, phase, np.float32(sensor.black), scale, matrix, _tone(sensor), taps, detail, careful
    )
    return picture


def jpeg(picture: Picture, sensor: Sensor) -> bytes:
    """Encode a picture as the camera does."""
    return images.encode(picture, sensor.quality)


def expose_raw(
    light: Light, sensor: Sensor, exposure: Exposure, seed: int, key: np.uint64, window: Window
) -> NDArray[np.uint16]:
    """Give the sensor's codes, with a margin around the picture."""
    light = _checked(light)
    height, width, _ = light.shape
    sharp = kernels.focus(light, *_veil(light, sensor, window.step), _blur(sensor.softness / window.step))
    response = _response(sensor) * (exposure.electrons * window.area)
    raw: NDArray[np.uint16] = kernels.capture(
        sharp,
        response.astype(np.float32),
        *_shade(sensor.vignetting, window, height, width),
        *_sites(window, height, width),
        np.uint64(keyed.bits(seed, key, "sensor noise")),
        np.uint64(sensor.pattern),
        _numbers(sensor, exposure, window.area),
        kernels.NORMAL,
    )
    return raw


def _checked(light: Light) -> Light:
    if light.ndim != 3 or light.shape[2] != 3 or not light.size:
        raise ValueError(f"light of shape {light.shape}, must be height x width x 3")
    return np.ascontiguousarray(light, np.float32)


def _sites(window: Window, height: int, width: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Count out the sensor's lines and columns below a picture and its margin."""
    line, column = window.corner
    lines = np.arange(line - kernels.MARGIN, line + height + kernels.MARGIN)
    columns = np.arange(column - kernels.MARGIN, column + width + kernels.MARGIN)
    return lines.astype(np.uint64), columns.astype(np.uint64)


def _numbers(sensor: Sensor, exposure: Exposure, area: float) -> NDArray[np.float32]:
    top = 2**sensor.bits - 1
    root = math.sqrt(area)
    codes = (top - sensor.black) * exposure.gain / (sensor.full_well * area)
    numbers = np.empty(kernels.NUMBERS, np.float32)
    numbers[kernels.FULL_WELL] = sensor.full_well * area
    numbers[kernels.DARK] = sensor.dark * exposure.seconds * area
    # Triangular draws have a variance of 1/6.
    numbers[kernels.UNIFORMITY], numbers[kernels.OFFSET] = (
        math.sqrt(6) * sensor.uniformity / root,
        math.sqrt(6) * sensor.offset * root,
    )
    numbers[kernels.COLUMN], numbers[kernels.ROW] = sensor.column * root, sensor.row * root
    numbers[kernels.READ] = sensor.read * root
    numbers[kernels.GAIN], numbers[kernels.BLACK], numbers[kernels.TOP] = codes, sensor.black, top
    return numbers


def _moved(light: Light, mask: NDArray[np.integer] | NDArray[np.bool_], motion: tuple[float, float]) -> Light:
    down, right, weights = _path(*motion)
    words = np.ascontiguousarray(mask, np.uint8)
    if words.shape != light.shape[:2]:
        raise ValueError(f"the mask is {words.shape}, the light {light.shape[:2]}")
    moved: Light = kernels.smear(light, words, down, right, weights)
    return moved


def _path(across: float, along: float) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Cut a straight path into whole pixels with the share of the time that is spent at each."""
    reach = math.ceil(max(abs(across), abs(along)) / 2) + 1
    times = (np.arange(4 * reach) + 0.5) / (4 * reach) - 0.5
    y, x = along * times, across * times
    row, column = np.floor(y).astype(int), np.floor(x).astype(int)
    share = np.zeros((2 * reach + 1, 2 * reach + 1))
    for ahead, rows in ((0, 1 - (y - row)), (1, y - row)):
        for beside, columns in ((0, 1 - (x - column)), (1, x - column)):
            np.add.at(share, (row + ahead + reach, column + beside + reach), rows * columns / len(times))
    share[reach, reach] = 0  # what stays in its place changes nothing
    down, right = np.nonzero(share > 1e-6)
    return down - reach, right - reach, share[down, right].astype(np.float32)


def _veil(light: Light, sensor: Sensor, step: float) -> tuple[Light, np.float32]:
    """Scatter a share of the light over two widths; also give the share that is left."""
    means = kernels.cells(light)
    if not np.isfinite(means).all():
        place = tuple(int(number) for number in np.argwhere(~(np.isfinite(light) & (light >= 0)))[0])
        raise ValueError(f"light {light[place]} at (y, x, channel) {place}: must be finite, 0 or more")
    height, width, _ = means.shape
    spread = np.zeros_like(means)
    for sigma, share in ((NARROW, 1 - FAR_SHARE), (FAR, FAR_SHARE)):
        down, along = (_scatter(count, max(sigma / step / kernels.CELL, 0.75)) for count in (height, width))
        rows = (down @ means.reshape(height, -1)).reshape(means.shape)
        spread += np.float32(sensor.veil * share) * (along @ rows)
    return spread, np.float32(1 - sensor.veil)


@lru_cache(maxsize=512)
def _scatter(count: int, sigma: float) -> NDArray[np.float32]:
    """Give the weights of a Gaussian over a line of cells; beyond its ends it is as bright as within."""
    place = np.arange(count)
    weights = np.exp(-0.5 * ((place[:, None] - place) / sigma) ** 2)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(weights, np.float32)


@lru_cache(maxsize=512)
def _blur(sigma: float) -> NDArray[np.float32]:
    """Give the taps of a Gaussian."""
    reach = min(max(1, math.ceil(2.5 * sigma)), MOST_REACH)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-3)) ** 2)
    return np.asarray(taps / taps.sum(), np.float32)


def _shade(
    vignetting: float, window: Window, height: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Say what is left of the light on every line, and what every column takes of that."""
    corner = (FRAME_WIDTH**2 + FRAME_HEIGHT**2) / 4
    place = (np.arange(max(height, width) + 2 * kernels.MARGIN) - kernels.MARGIN + 0.5) * window.step
    down = place[: height + 2 * kernels.MARGIN] + (window.top - FRAME_HEIGHT / 2)
    across = place[: width + 2 * kernels.MARGIN] + (window.left - FRAME_WIDTH / 2)
    lines = np.maximum(1 - vignetting * down**2 / corner, 0.5)
    return lines.astype(np.float32), np.minimum(vignetting * across**2 / corner, 0.4).astype(np.float32)


@lru_cache(maxsize=256)
def _response(sensor: Sensor) -> Matrix:
    """Say how sensitive each filter's sites are to each colour of light; green's row adds to 1."""
    mixed = np.full((3, 3), sensor.crosstalk) + (1 - 3 * sensor.crosstalk) * np.eye(3)
    return np.array([[sensor.red], [1.0], [sensor.blue]]) * mixed


@lru_cache(maxsize=4096)
def _colour(
    sensor: Sensor, gain: float, cast: tuple[float, float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give the factors of the filters' codes (white balance included) and the colour matrix after them."""
    response = _response(sensor)
    white = response @ np.maximum(np.asarray(cast, np.float64), 1e-3)
    # Under a light as white as (1, 1, 1) the balance takes out the sensitivities; of a cast it sees only a part.
    seen = white / response.sum(axis=1)
    balance = (seen[1] / seen) ** sensor.adaptation / response.sum(axis=1)
    balance *= (sensor.red_balance, 1.0, sensor.blue_balance)
    factors = np.minimum(balance, MOST_BALANCE) / (2**sensor.bits - 1 - sensor.black)
    plain = (np.eye(3) - sensor.crosstalk) / (1 - 3 * sensor.crosstalk)
    saturation = sensor.saturation * (1 - sensor.fading * min(math.log2(gain) / 5, 1.0))
    matrix = (saturation * np.eye(3) + (1 - saturation) * np.array(LUMA)) @ plain
    return factors.astype(np.float32), matrix.astype(np.float32)


def _display(sensor: Sensor, gain: float, cast: tuple[float, float, float]) -> Matrix:
    """Give the matrix from light to what the tone curve gets, with 1 where green light of 1 fills the range."""
    factors, matrix = _colour(sensor, gain, cast)
    scale = 2**sensor.bits - 1 - sensor.black
    return np.asarray(matrix @ (scale * factors[:, None] * _response(sensor)), np.float64)


def _tone(sensor: Sensor) -> NDArray[np.float32]:
    return np.array([sensor.knee, sensor.contrast, sensor.toe], np.float32)


@lru_cache(maxsize=512)
def _detail(sensor: Sensor, gain: float, careful: bool) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Set noise reduction and sharpening: the more gain, the more counts as noise, and the wider it is smoothed."""
    noisy = min(math.log2(gain) / 5, 1.0)
    strong = 1 + sensor.sharpening * (1 - 0.8 * noisy)
    weak = sensor.smoothing * math.sqrt(gain) * (1 + noisy * careful)  # care keeps the grain, too
    detail = np.array([0.9 - 0.6 * noisy, strong, weak, 60.0, 0.01 * gain], np.float32)
    taps = np.exp(-0.5 * (np.array([2.0, 1.0, 0.0]) / (1.2 + 0.3 * noisy)) ** 2)
    return detail, (taps / (2 * taps.sum() - 1)).astype(np.float32)
