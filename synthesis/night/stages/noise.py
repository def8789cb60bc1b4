"""Add the sensor's noise in linear light: shot noise that grows with the light, read noise, and noise of whole lines.

A pixel gains n sqrt(shot light + read) + row sqrt(read) m, where n is its number in a pool of unit variance and m its
line's. After Foi et al. (IEEE TIP 2008) for the two variances; the line from shot to read noise is that of Brooks et
al., "Unprocessing Images for Learned Raw Denoising" (CVPR 2019).
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmark.compiled import compiled
from benchmark.config import Strict
from synthesis.night import darkframes, pool, profiles
from synthesis.night.block import Block, Plan
from synthesis.night.columns import Columns, Facts, Floats
from synthesis.night.pool import Pool
from synthesis.night.ranges import Amount, Positive

LOCAL = True
TAKES = "light"
NORMAL, TUKEY, DARK = range(3)  # laws of the read noise
_ADC_TOP = 4095  # the highest of 12 bits
COLUMNS = {
    "shot": "variance of shot noise at full scale",
    "read": "variance of read noise",
    "row": "standard deviation of the noise of rows, in that of read noise",
    "noise_x": "left edge of the window in the pool",
    "noise_y": "upper edge of the window in the pool",
    "noise_flip": "whether the window is upside down",
    "row_offset": "first number of the rows' noise in its pool",
    "read_law": "law of read noise: 0 normal, 1 Tukey-lambda, 2 dark frames",
    "read_shape": "shape of a Tukey-lambda law",
    "read_x": "left edge of the window in the pool of read noise",
    "read_y": "upper edge of that window",
    "read_frame": "which dark frame",
    "adc": "highest code of a sensor that rounds before colours are mixed; 0: it does not",
}


class Config(Strict):
    """How much noise, and of which camera."""

    consistent: bool = True
    """Pictures under one light of a camera share shot, read and line noise; each has its own window of the pool."""
    profile: Literal["line", "sony_a7s2", "nikon_d850", "canon_5d4"] = "line"
    """line: read noise follows from shot noise by a line; else a camera measured in the dark."""
    shot: Positive = (8e-4, 2e-2)
    """Profile line: variance of shot noise at full scale, lowest and highest; all logarithms alike likely."""
    read_slope: float = 2.18
    """Profile line: ln read = read_slope ln shot + read_offset + a normal of read_spread, where read is a variance."""
    read_offset: float = 1.2
    """Profile line: see read_slope."""
    read_spread: float = Field(0.26, ge=0)
    """Profile line: see read_slope."""
    read_most: float = Field(2.5e-3, ge=0)
    """Profile line: the largest variance of read noise."""
    row: Amount = (0.0, 0.3)
    """Profile line: noise of whole lines in standard deviations of the read noise, lowest and highest."""
    gain: Positive = (0.1, 30.0)
    """Measured cameras: system gain in digital numbers an electron; all logarithms alike likely."""
    ratio: Positive = (100.0, 300.0)
    """Measured cameras: how much too dark an exposure is and is then amplified."""
    law: Literal["normal", "tukey"] = "normal"
    """Law of the read noise: normal, or Tukey's lambda with heavier tails."""
    shape: float = Field(-0.1, gt=-0.5, le=0.5)
    """Law tukey: its shape; .14 is nearly normal, 0 logistic, -.2 has heavy tails."""
    dark_frames: str = ""
    """A folder of pictures taken in the dark: their noise, with its fixed pattern, becomes the read and line noise."""
    strict_adc: bool = False
    """Clip and round to 12 bits here, as a sensor does, and not only after colours are mixed."""


def survey(config: Config, facts: Facts) -> dict[str, Any]:
    """Say which pools the noise comes from."""
    of_lines = hashlib.sha256(pool.lines().tobytes()).hexdigest()
    found: dict[str, Any] = {"pool": pool.normal().sha256, "lines": of_lines}
    if config.dark_frames:
        return found | {"dark": darkframes.describe(config.dark_frames)}
    return found | ({"tukey": pool.tukey(config.shape).sha256} if config.law == "tukey" else {})


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Draw how strong the noise is, and which window of the pools a picture gets."""
    config: Config = columns.config
    noise = _line(columns) if config.profile == "line" else _measured(columns)
    law = DARK if config.dark_frames else TUKEY if config.law == "tukey" else NORMAL
    read = _dark_windows(columns) if law == DARK else _windows(columns, "read", (1, pool.SIDE, pool.SIDE))
    windows = _windows(columns, "noise", (1, pool.SIDE, pool.SIDE))
    return {
        "shot": noise.shot,
        "read": noise.read,
        "row": noise.row * (law != DARK),  # dark frames have the noise of their own lines
        "noise_x": windows["noise_x"],
        "noise_y": windows["noise_y"],
        "noise_flip": columns.chance("flip", 0.5),
        "row_offset": _whole(columns.uniform("row_offset"), pool.LINES),
        "read_law": np.full(len(columns), law, np.int8),
        "read_shape": np.full(len(columns), config.shape if law == TUKEY else 0.0),
        **read,
        "adc": np.full(len(columns), _ADC_TOP if config.strict_adc else 0, np.int32),
    }


def _line(columns: Columns) -> profiles.Noise:
    config: Config = columns.config
    scope = "camera" if config.consistent else "image"
    log_shot = columns.between("shot", math.log(config.shot[0]), math.log(config.shot[1]), scope=scope)
    spread = config.read_spread * columns.normal("read", scope)
    read = np.minimum(np.exp(config.read_slope * log_shot + config.read_offset + spread), config.read_most)
    return profiles.Noise(np.exp(log_shot), read, columns.between("row", *config.row, scope=scope))


def _measured(columns: Columns) -> profiles.Noise:
    config: Config = columns.config
    scope = "camera" if config.consistent else "image"
    gain = np.exp(columns.between("gain", math.log(config.gain[0]), math.log(config.gain[1]), scope=scope))
    ratio = columns.between("ratio", *config.ratio, scope=scope)
    normals = (columns.normal("read", scope), columns.normal("row", scope))
    shape = config.shape if config.law == "tukey" else None
    return profiles.noise(profiles.CAMERAS[config.profile], shape, gain, ratio, normals)


def _windows(columns: Columns, name: str, shape: tuple[int, int, int]) -> dict[str, NDArray[Any]]:
    frames, height, width = shape
    windows = {
        f"{name}_x": _whole(columns.uniform(f"{name}_x"), width),
        f"{name}_y": _whole(columns.uniform(f"{name}_y"), height),
    }
    return windows if name == "noise" else windows | {"read_frame": _whole(columns.uniform("read_frame"), frames)}


def _dark_windows(columns: Columns) -> dict[str, NDArray[Any]]:
    """Cut dark frames where the picture was in its own frame: a fixed pattern stays where it is on the sensor."""
    found = columns.survey or survey(columns.config, columns.facts)
    frames, height, width = (int(found["dark"][name]) for name in ("frames", "height", "width"))
    windows = _windows(columns, "read", (frames, height, width))
    for name, size in (("x", width), ("y", height)):
        place = columns.facts.numbers[name]
        known = np.nan_to_num(np.floor(place)).astype(np.int64) % size
        windows[f"read_{name}"] = np.where(np.isnan(place), windows[f"read_{name}"], known).astype(np.int32)
    return windows


def _whole(uniform: Floats, count: int) -> NDArray[np.int32]:
    return (uniform * count).astype(np.int32)


@dataclass(frozen=True)
class Sensor:
    """The stage with the dark frames that it was set to, if any."""

    dark: Pool | None = None

    def plan(self, columns: Columns) -> Mapping[str, NDArray[Any]]:
        """Draw how strong the noise is, and which window of the pools a picture gets."""
        return plan(columns)

    def apply(self, block: Block, plan: Plan) -> None:
        """Add noise to linear light."""
        assert block.light is not None
        one = _first(plan)
        wide = next((wide for wide in pool.NEAR if block.light.shape[3] <= wide), None)
        one = one.near(wide) if wide else one
        _add(block.light, one.pool.values, one.pool.unit, one.windows, one.strengths, pool.lines())
        for row in np.flatnonzero(plan["read_law"]).tolist():
            two = self._second(plan, row)
            _add(block.light[row : row + 1], two.pool.values, two.pool.unit, two.windows, two.strengths, pool.lines())
        if plan["adc"].any():
            _convert(block.light, np.asarray(plan["adc"], np.float32))

    def _second(self, plan: Plan, row: int) -> "_Pass":
        """Take the read noise of one picture from a pool of its own law."""
        if plan["read_law"][row] == TUKEY:
            source = pool.tukey(round(float(plan["read_shape"][row]), 6))
        else:
            assert self.dark is not None, "dark frames are planned, but this stage was not made `ready` with them"
            source = self.dark
        window = [plan["read_frame"][row], plan["read_x"][row], plan["read_y"][row], 1, 0]
        strength = np.array([[0, plan["read"][row], 0]], np.float32)
        return _Pass(source, np.array([window], np.int64), strength)


def ready(config: Config, survey: Mapping[str, Any] | None) -> Sensor:
    """Read the dark frames, where there are any; they must be those that the survey saw."""
    if not config.dark_frames:
        return Sensor()
    return Sensor(darkframes.load(config.dark_frames, survey["dark"]["sha256"] if survey else None))


def apply(block: Block, plan: Plan) -> None:
    """Add noise to linear light; for dark frames, see `ready`."""
    Sensor().apply(block, plan)


@dataclass(frozen=True)
class _Pass:
    """Noise of one pool for some pictures."""

    pool: Pool
    windows: NDArray[np.int64]  # a row a picture: frame, left, top, step from line to line, first of `lines`
    strengths: NDArray[np.float32]  # a row a picture: shot, read, standard deviation of lines

    def near(self, wide: int) -> "_Pass":
        """Take the same numbers from where lines of narrow windows lie close together."""
        windows = self.windows.copy()
        windows[:, 0], windows[:, 1] = np.divmod(self.windows[:, 1], wide)
        return _Pass(pool.near(wide), windows, self.strengths)


def _first(plan: Plan) -> _Pass:
    """Take shot and line noise from the normal pool, and read noise, too, where it has the same law."""
    windows = np.empty((len(plan["shot"]), 5), np.int64)
    windows[:, 0] = 0
    windows[:, 1] = plan["noise_x"]
    windows[:, 2] = plan["noise_y"]
    windows[:, 3] = 1 - 2 * np.asarray(plan["noise_flip"], np.int64)  # a flipped window is read upwards
    windows[:, 4] = plan["row_offset"]
    strengths = np.empty((len(windows), 3), np.float32)
    strengths[:, 0] = plan["shot"]
    strengths[:, 1] = plan["read"] * (plan["read_law"] == NORMAL)
    strengths[:, 2] = plan["row"] * np.sqrt(plan["read"])
    return _Pass(pool.normal(), windows, strengths)


@compiled
def _add(light, values, unit, windows, strengths, lines):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    count, _, height, width = light.shape
    pool_height, pool_width = values.shape[2], values.shape[3]
    zero = np.float32(0)
    for i in range(count):
        frame, left, top, step, offset = windows[i]
        shot, read, row = strengths[i]
        for channel in range(3):
            for y in range(height):
                line = row * lines[(offset + y) % len(lines)]
                numbers = values[frame, channel, (top + step * y) % pool_height]
                pixels = light[i, channel, y]
                done = 0
                while done < width:  # a picture wider than what is left of the pool goes on at its left edge
                    start = (left + done) % pool_width
                    length = min(pool_width - start, width - done)
                    part, here = numbers[start : start + length], pixels[done : done + length]
                    for x in range(length):
                        deviation = np.sqrt(max(shot * here[x] + read, zero))
                        here[x] = (here[x] + (np.float32(part[x]) * unit) * deviation) + line
                    done += length


@compiled
def _convert(light, tops):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Clip to the range of an analogue-digital converter and round to its steps."""
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    for i in range(len(light)):
        top = tops[i]
        if top > zero:
            pixels = light[i].reshape(-1)
            for x in range(len(pixels)):
                pixels[x] = np.floor(min(max(pixels[x], zero), one) * top + half) / top
