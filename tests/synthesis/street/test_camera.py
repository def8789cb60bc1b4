"""The street's camera: laws that a sensor obeys, numpy twins of the compiled parts, and purity."""

import ast
import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import scipy.interpolate
import scipy.ndimage
import scipy.special
import scipy.stats
from numpy.typing import NDArray

from benchmark import images, keyed
from synthesis.street import camera, config
from synthesis.street import sensor as kernels
from synthesis.street.camera import Exposure, Sensor, Window

Floats = NDArray[np.float32]

STREET = Path(kernels.__file__).parent
WORLD = config.World(space="test-camera")
KEY = keyed.key("shot")
NIGHT = Exposure(2000.0, 12.0, 0.02)
HERE = Window(600.0, 300.0)
LINES, COLUMNS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0x8CB92BA72F3D8DD7)


def card(camid: int = 1, **changes: Any) -> Sensor:  # noqa: ANN401
    """Draw a camera, and change some of its numbers."""
    return dataclasses.replace(camera.sensor(WORLD, 0, camid), **changes)


def ideal(**changes: Any) -> Sensor:  # noqa: ANN401
    """Give a camera that treats every site alike."""
    alike = {"vignetting": 0.0, "uniformity": 0.0, "offset": 0.0, "column": 0.0, "row": 0.0, "dark": 0.0}
    return card(**(alike | {"bits": 12, "black": 256} | changes))


def flat(value: float, height: int = 64, width: int = 64) -> Floats:
    return np.full((height, width, 3), value, np.float32)


def scenery(seed: int, height: int = 48, width: int = 40, spread: float = 0.8) -> Floats:
    """Draw patches of random colours in uneven light."""
    generator = np.random.default_rng(seed)
    patches = np.exp(spread * generator.standard_normal((math.ceil(height / 8), math.ceil(width / 8), 3)))
    light = patches.repeat(8, 0).repeat(8, 1)[:height, :width] * np.linspace(0.3, 1.0, width)[:, None]
    return (0.05 * light).astype(np.float32)


def green_sites(raw: NDArray[np.uint16]) -> NDArray[np.float64]:
    """Give the codes of the green sites, on a window whose corner is the frame's."""
    y, x = np.indices(raw.shape)
    return np.asarray(raw[(y + x) & 1 == 1], np.float64)


# What is drawn


def test_a_camera_is_drawn_within_the_worlds_ranges_and_stays_as_it_is() -> None:
    ranges = config.Cameras(count=3, balance=(0.95, 1.05), quality=(60, 61), blur=(0.03, 0.04), lightness=(20.0, 90.0))
    for camid in range(1, 20):
        drawn = camera.sensor(config.World(cameras=ranges), 5, camid)
        assert 0.95 <= drawn.red_balance <= 1.05
        assert 0.95 <= drawn.blue_balance <= 1.05
        assert drawn.quality in (60, 61)
        assert 0.03 <= drawn.seconds <= 0.04
        assert 20 <= drawn.lightness <= 90
        more = config.World(identities=7, cameras=ranges.model_copy(update={"count": 99}))
        assert camera.sensor(more, 5, camid) == drawn
        assert drawn not in (camera.sensor(config.World(cameras=ranges), 6, camid), card(camid))


def test_a_card_holds_plain_numbers_only() -> None:
    values = dataclasses.asdict(card()).values()
    assert {type(value) for value in values} == {int, float}
    assert all(value < 2**53 for value in values)


@pytest.mark.parametrize("seed", range(5))
def test_eight_cameras_in_a_row_stand_in_different_eighths_of_lightness(seed: int) -> None:
    low, high = WORLD.cameras.lightness
    aims = [camera.sensor(WORLD, seed, camid).lightness for camid in range(3, 11)]
    eighths = [int(8 * math.log(aim / low) / math.log(high / low)) for aim in aims]
    assert sorted(eighths) == list(range(8))
    for parity in (eighths[::2], eighths[1::2]):  # those that look across, and those that look down
        assert min(parity) < 3
        assert max(parity) > 4


# The sensor


def test_variance_against_mean_is_a_line_of_gain_and_read_noise() -> None:
    sensor = ideal(read=3.0, full_well=8000.0)
    exposure = Exposure(8000.0, 10.0, 0.0)
    codes = (4095 - 256) * 10.0 / 8000.0  # an electron
    means, variances = [], []
    for number, light in enumerate((0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.03, 0.06)):
        key = keyed.key(f"patch {number}")
        raw = green_sites(camera.expose_raw(flat(light, 192, 192), sensor, exposure, 0, key, Window()))
        means.append(raw.mean() - sensor.black)
        variances.append(raw.var())
    slope, intercept = np.polyfit(means, variances, 1, w=1 / np.array(variances))
    assert slope == pytest.approx(codes, rel=0.03)
    assert intercept == pytest.approx((3.0 * codes) ** 2 + 1 / 12, rel=0.05)
    np.testing.assert_allclose(means, np.array([0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.03, 0.06]) * 8000 * codes,
                               rtol=0.02)  # fmt: skip


@pytest.mark.parametrize("mean", [0.02, 0.7, 3.0, 7.99])
def test_few_photons_follow_the_poisson_law(mean: float) -> None:
    uniforms = ((np.arange(20000) + 0.5) / 20000).astype(np.float32)
    counts = np.empty_like(uniforms)
    kernels.few_photons(np.full_like(uniforms, mean), uniforms, counts)
    exact = scipy.stats.poisson.ppf(uniforms.astype(float), mean)
    assert (counts != exact).mean() < 2e-4  # uniforms that fall on a step but for rounding
    assert counts.mean() == pytest.approx(mean, rel=0.002)
    assert counts.var() == pytest.approx(mean, rel=0.005)


@pytest.mark.parametrize("mean", [8.0, 30.0, 1000.0])
def test_many_photons_have_the_poisson_laws_moments(mean: float) -> None:
    uniforms = ((np.arange(100000) + 0.5) / 100000).astype(np.float32)
    counts = np.zeros_like(uniforms)
    kernels.many_photons(np.full_like(uniforms, mean), uniforms, counts, kernels.NORMAL)
    assert (counts == np.floor(counts)).all()
    assert counts.mean() == pytest.approx(mean, rel=0.001)
    assert counts.var() == pytest.approx(mean, rel=0.01)
    assert scipy.stats.skew(counts) == pytest.approx(1 / math.sqrt(mean), abs=0.02)
    away = np.abs(counts - scipy.stats.poisson.ppf(uniforms.astype(float), mean))
    assert away[100:-100].max() <= 1  # the outermost thousandths are drawn along a straight line


def test_a_line_may_mix_few_and_many_photons() -> None:
    mean = np.linspace(0, 20, 4000, dtype=np.float32)
    uniforms = np.full_like(mean, 0.5)
    counts = np.empty_like(mean)
    kernels.few_photons(mean, uniforms, counts)
    kernels.many_photons(mean, uniforms, counts, kernels.NORMAL)
    np.testing.assert_array_less(np.abs(counts - scipy.stats.poisson.ppf(0.5, mean)), 1.01)
    assert (np.diff(counts) >= 0).all()


def test_the_table_of_the_normal_law_is_the_normal_law() -> None:
    steps = np.arange(kernels.STEPS + 1) / kernels.STEPS
    np.testing.assert_allclose(kernels.NORMAL[1:-1], scipy.special.ndtri(steps[1:-1]), rtol=1e-6)
    draws = np.interp((np.arange(10**6) + 0.5) / 10**6, steps, kernels.NORMAL)
    assert draws.var() == pytest.approx(1, abs=1e-3)
    assert scipy.stats.kurtosis(draws) == pytest.approx(0, abs=0.02)


def test_the_full_well_clips() -> None:
    sensor = ideal(full_well=5000.0, read=0.0)
    raw = camera.expose_raw(flat(100.0), sensor, Exposure(5000.0, 1.0, 0.002), 0, KEY, Window())
    assert (raw == 4095).all()
    # With more room in the converter than in the well, it is the well that ends the signal.
    numbers = camera._numbers(sensor, Exposure(5000.0, 0.5, 0.002), 1.0)
    assert numbers[kernels.FULL_WELL] * numbers[kernels.GAIN] == pytest.approx((4095 - 256) / 2)
    raw = camera.expose_raw(flat(100.0), sensor, Exposure(5000.0, 0.5, 0.002), 0, KEY, Window())
    assert np.unique(raw).tolist() == [round(256 + (4095 - 256) / 2)]


def test_dark_current_grows_with_time_and_noise_stays_above_zero() -> None:
    sensor = ideal(dark=500.0, read=4.0)
    exposures = [Exposure(2000.0, 10.0, seconds) for seconds in (0.0, 0.1, 0.2)]
    means = [camera.expose_raw(flat(0.0), sensor, exposure, 0, KEY, Window()).mean() for exposure in exposures]
    codes = (4095 - 256) * 10 / sensor.full_well
    np.testing.assert_allclose(np.diff(means), 50 * codes, rtol=0.02)
    assert means[0] == pytest.approx(256, abs=0.5)


def test_binned_sites_collect_more_light_and_are_less_noisy() -> None:
    sensor = ideal(softness=0.0001)
    fine, coarse = (
        green_sites(camera.expose_raw(flat(0.01), sensor, NIGHT, 0, KEY, Window(step=step))) for step in (1.0, 3.0)
    )
    assert coarse.mean() == pytest.approx(fine.mean(), rel=0.01)
    assert coarse.std() == pytest.approx(fine.std() / 3, rel=0.08)


def frames(sensor: Sensor, first: int, count: int = 12) -> NDArray[np.float64]:
    """Average some frames of a grey wall."""
    keys = [keyed.key(f"frame {number}") for number in range(first, first + count)]
    wall = flat(0.5, 40, 40)
    exposure = Exposure(8000.0, 1.0, 0.002)
    return np.asarray(np.mean([camera.expose_raw(wall, sensor, exposure, 0, key, HERE) for key in keys], axis=0))


def correlation(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    """Correlate two patterns within each filter's sites."""
    parts = [(plane[y::2, x::2] - plane[y::2, x::2].mean()).ravel() for plane in (one, two) for y in (0, 1)
             for x in (0, 1)]  # fmt: skip
    return float(np.corrcoef(np.concatenate(parts[:4]), np.concatenate(parts[4:]))[0, 1])


def test_the_fixed_pattern_is_the_cameras_own() -> None:
    strong = {"uniformity": 0.02, "vignetting": 0.0}
    mine, again, others = frames(card(1, **strong), 0), frames(card(1, **strong), 50), frames(card(2, **strong), 50)
    assert correlation(mine, again) > 0.7
    assert abs(correlation(mine, others)) < 0.1


def test_a_window_rendered_alone_has_the_same_sites_and_noise() -> None:
    sensor, wall = card(), flat(0.01, 60, 50)
    raw = camera.expose_raw(wall, sensor, NIGHT, 0, KEY, HERE)
    for step in (1.0, 2.5):
        whole = camera.expose_raw(wall, sensor, NIGHT, 0, KEY, Window(HERE.left, HERE.top, step))
        inner = Window(HERE.left + 7 * step, HERE.top + 12 * step, step)
        part = camera.expose_raw(wall[:30, :20], sensor, NIGHT, 0, KEY, inner)
        height, width = part.shape
        np.testing.assert_array_equal(part, whole[12 : 12 + height, 7 : 7 + width])
    assert (raw != camera.expose_raw(wall, sensor, NIGHT, 0, KEY, Window(HERE.left + 2, HERE.top + 2))).mean() > 0.5


# Numpy twins


def mixed(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def uniform(word: NDArray[np.uint64]) -> Floats:
    return (((word >> np.uint64(41)).astype(np.float64) + 0.5) / 2**23).astype(np.float32)


def normal(word: NDArray[np.uint64]) -> Floats:
    steps = np.arange(kernels.STEPS + 1) / kernels.STEPS
    return np.interp(uniform(word), steps, kernels.NORMAL).astype(np.float32)


def sensed(light: Floats, sensor: Sensor, exposure: Exposure, key: np.uint64, window: Window) -> NDArray[np.float64]:
    """Expose a sensor in plain numpy: the codes before they are rounded."""
    height, width = light.shape[:2]
    corner = np.array(window.corner) - kernels.MARGIN
    lines, columns = (corner[axis] + np.arange(light.shape[axis]) for axis in (0, 1))
    bayer = (lines[:, None] & 1) + (columns & 1)  # red 0, green 1, blue 2
    shade = [(np.arange(count) + 0.5 - kernels.MARGIN) * window.step for count in (height, width)]
    down, across = shade[0] + window.top - 540, shade[1] + window.left - 960
    left = 1 - sensor.vignetting * (down[:, None] ** 2 + across**2) / (540**2 + 960**2)
    area, root = window.area, math.sqrt(window.area)
    colours = np.einsum("fc,yxc->yxf", camera._response(sensor), light) * left[..., None]
    freed = np.take_along_axis(colours, bayer[..., None], 2)[..., 0] * exposure.electrons * area

    y, x = lines.astype(np.uint64)[:, None], columns.astype(np.uint64)[None, :]
    site = y * LINES + x * COLUMNS
    pattern, noise = np.uint64(sensor.pattern), np.uint64(keyed.bits(0, key, "sensor noise"))
    words = mixed(pattern ^ site)
    parts = [((words >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(float) / 65536 for shift in (48, 32, 16, 0)]
    even = 1 + math.sqrt(6) * sensor.uniformity / root * (parts[0] + parts[1] - 1)
    offset = math.sqrt(6) * sensor.offset * root * (parts[2] + parts[3] - 1)
    mean = sensor.dark * exposure.seconds * area + freed * even
    words = mixed(noise ^ site)
    z, deviation = normal(words).astype(float), np.sqrt(np.maximum(mean - 1 / 12, 0.1))
    many = np.floor(mean + deviation * z + (z * z - 1) / 6 + (z - z**3) / 72 / deviation + 0.5)
    count = np.where(mean < kernels.FEW, scipy.stats.poisson.ppf(uniform(words).astype(float), mean), many)
    rows = sensor.row * root * normal(mixed(~(noise ^ (y * LINES))))
    stripes = sensor.column * root * normal(mixed(~(pattern ^ (x * COLUMNS))))
    read = sensor.read * root * normal(words << np.uint64(32))
    electrons = np.minimum(count, sensor.full_well * area) + offset + rows + stripes + read
    top = 2**sensor.bits - 1
    codes = sensor.black + (top - sensor.black) * exposure.gain / (sensor.full_well * area) * electrons
    clipped: NDArray[np.float64] = np.clip(codes, 0, top)
    return clipped


@pytest.mark.parametrize("window", [Window(), HERE, Window(31.0, 17.0, 2.5), Window(-8.0, -3.0, 0.4)])
@pytest.mark.parametrize("camid", [1, 2])
def test_the_sensor_agrees_with_numpy(camid: int, window: Window) -> None:
    sensor = card(camid, softness=1e-4, veil=0.0)
    light = scenery(camid) * 0.3
    found = camera.expose_raw(light, sensor, NIGHT, 0, KEY, window)
    margin = kernels.MARGIN
    padded = np.pad(light, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    away = np.abs(found - sensed(padded, sensor, NIGHT, KEY, window))
    # A mean on the edge between two counts may fall to either side: an electron more or less.
    assert (away > 0.51).mean() < 0.002
    assert away.max() < 3 + (2**sensor.bits) * NIGHT.gain / sensor.full_well / window.area


@pytest.mark.parametrize("shape", [(48, 40), (1, 1), (1, 37), (37, 1), (17, 23)])
def test_the_optics_agree_with_numpy(shape: tuple[int, int]) -> None:
    light, sensor = scenery(3, *shape), card(veil=0.2, softness=1.1)
    light[0, 0] = 5.0
    veil, kept = camera._veil(light, sensor, 1.0)
    found = kernels.focus(light, veil, kept, camera._blur(sensor.softness))
    expected = plain_focus(light, sensor)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-7)


def plain_focus(light: Floats, sensor: Sensor) -> NDArray[np.float64]:
    """Blur and veil a picture in plain numpy."""
    height, width, _ = light.shape
    cell = kernels.CELL
    down, across = math.ceil(height / cell), math.ceil(width / cell)
    means = np.array([[light[y * cell : (y + 1) * cell, x * cell : (x + 1) * cell].astype(float).mean((0, 1))
                       for x in range(across)] for y in range(down)])  # fmt: skip
    veil = np.zeros_like(means)
    for sigma, share in ((camera.NARROW, 1 - camera.FAR_SHARE), (camera.FAR, camera.FAR_SHARE)):
        spread = means
        for axis, count in ((0, down), (1, across)):
            away = np.subtract.outer(np.arange(count), np.arange(count)) * cell / sigma
            weights = np.exp(-0.5 * away**2)
            spread = np.moveaxis(np.tensordot(weights / weights.sum(1, keepdims=True), spread, (1, axis)), 0, axis)
        veil += sensor.veil * share * spread
    for axis, count in ((0, height), (1, width)):
        middles = (np.arange(veil.shape[axis]) + 0.5) * cell
        between = scipy.interpolate.interp1d(middles, veil, axis=axis, assume_sorted=True) if len(middles) > 1 else None
        places = np.clip(np.arange(count) + 0.5, middles[0], middles[-1])
        veil = between(places) if between else veil.repeat(count, axis)
    margin = kernels.MARGIN
    hazy = np.pad((1 - sensor.veil) * light + veil, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    taps = camera._blur(sensor.softness).astype(float)
    for axis in (0, 1):
        hazy = scipy.ndimage.correlate1d(hazy, taps, axis, mode="nearest")
    return hazy


def mosaic(picture: Floats, sensor: Sensor, phase: tuple[int, int]) -> NDArray[np.uint16]:
    """See a picture of linear colours through the mosaic, without noise."""
    light = np.take_along_axis(picture, filters(picture.shape[:2], phase)[..., None], 2)[..., 0]
    return np.asarray(np.round(sensor.black + (2**sensor.bits - 1 - sensor.black) * light), np.uint16)


def filters(shape: tuple[int, ...], phase: tuple[int, int]) -> NDArray[np.intp]:
    """Name the filter over every site: red 0, green 1, blue 2."""
    y, x = np.indices(shape)
    return np.asarray(((y + phase[0]) & 1) + ((x + phase[1]) & 1))


def plainly(raw: NDArray[np.uint16], sensor: Sensor, phase: tuple[int, int], careful: bool) -> images.Picture:
    """Develop without correction of colours, noise reduction and sharpening."""
    scale = np.full(3, 1 / (2**sensor.bits - 1 - sensor.black), np.float32)
    detail = np.array([1, 1, 1, 1e6, 0.01], np.float32)
    nothing = np.array([0, 0, 1], np.float32)
    picture: images.Picture = kernels.develop(
        raw, phase, np.float32(sensor.black), scale, np.eye(3, dtype=np.float32), camera._tone(sensor), nothing,
        detail, careful,
    )  # fmt: skip
    return picture


def code(light: NDArray[Any], sensor: Sensor) -> NDArray[np.float64]:
    """Apply the tone curve in plain numpy."""
    root = np.sqrt(np.clip(light.astype(float), 0, 1))
    bent = (1 + sensor.knee) * root / (root + sensor.knee)
    steep = bent + sensor.contrast * bent * (1 - bent) * (2 * bent - 1)
    return np.asarray(255 * np.maximum(steep - sensor.toe, 0) / (1 - sensor.toe))


PHASES = [(0, 0), (0, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize("phase", PHASES)
def test_a_flat_colour_comes_out_of_the_mosaic_exactly(phase: tuple[int, int], careful: bool) -> None:
    sensor = card(bits=12, black=256)
    colour = np.array([0.31, 0.52, 0.12], np.float32)
    picture = plainly(mosaic(np.broadcast_to(colour, (31, 30, 3)), sensor, phase), sensor, phase, careful)
    assert np.unique(picture.reshape(-1, 3), axis=0).tolist() == [np.floor(code(colour, sensor) + 0.5).tolist()]


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize("phase", PHASES)
def test_a_smooth_ramp_comes_out_of_the_mosaic_closely(phase: tuple[int, int], careful: bool) -> None:
    sensor = card(bits=12, black=256)
    y, x = np.indices((60, 50)) / 60
    ramp = np.stack([0.2 + 0.5 * x, 0.3 + 0.4 * y, 0.6 - 0.3 * x], -1).astype(np.float32)
    picture = plainly(mosaic(ramp, sensor, phase), sensor, phase, careful)
    margin = kernels.MARGIN
    assert np.abs(picture - code(ramp, sensor)[margin:-margin, margin:-margin]).max() < 1.6


@pytest.mark.parametrize("phase", PHASES)
def test_careful_demosaicing_is_closer_at_an_edge(phase: tuple[int, int]) -> None:
    sensor, margin = card(bits=12, black=256), kernels.MARGIN
    edge = np.full((40, 40, 3), 0.08, np.float32)
    edge[:, 20:] = 0.6
    truth = code(edge, sensor)[margin:-margin, margin:-margin]
    raw = mosaic(edge, sensor, phase)
    quick, careful = (np.abs(plainly(raw, sensor, phase, choice) - truth).mean() for choice in (False, True))
    assert careful < 0.5 * quick


def plain_develop(raw: NDArray[np.uint16], phase: tuple[int, int], sensor: Sensor, gain: float) -> NDArray[np.float64]:
    """Process a sensor's codes in plain numpy, with bilinear demosaicing by convolution."""
    scale, matrix = camera._colour(sensor, gain, camera.WHITE)
    detail, taps = camera._detail(sensor, gain, False)
    bayer = filters(raw.shape, phase)
    linear = np.minimum((raw.astype(float) - sensor.black) * scale[bayer], 1)
    cross = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
    square = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    colours = [scipy.ndimage.convolve(np.where(bayer == number, linear, 0), weights)
               for number, weights in ((0, square), (1, cross), (2, square))]  # fmt: skip
    codes = code(np.einsum("oc,cyx->yxo", matrix, colours), sensor)
    luma = codes @ np.array(camera.LUMA)
    kernel = np.array([*taps, taps[1], taps[0]], float)
    base, red, blue = (
        scipy.ndimage.correlate1d(scipy.ndimage.correlate1d(plane, kernel, 0), kernel, 1)
        for plane in (luma, codes[..., 0] - luma, codes[..., 2] - luma)
    )
    fine = luma - base
    factor = detail[0] + (detail[1] - detail[0]) * fine**2 / (fine**2 + detail[2] ** 2)
    sharp = base + np.clip(fine * factor, -detail[3], detail[3])
    green = sharp - (camera.LUMA[0] * red + camera.LUMA[2] * blue) / camera.LUMA[1]
    margin = kernels.MARGIN
    return np.stack([sharp + red, green, sharp + blue], -1)[margin:-margin, margin:-margin].clip(0, 255)


@pytest.mark.parametrize("camid", [1, 2, 3])
@pytest.mark.parametrize("left", [600.0, 601.0])
def test_the_processing_agrees_with_numpy(camid: int, left: float) -> None:
    sensor, light, window = card(camid), scenery(camid), Window(left, 301.0)
    light[10:20, 12:22], light[20:30, 12:22] = 3.0, 0.0
    raw = camera.expose_raw(light, sensor, NIGHT, 0, KEY, window)
    found = camera.expose(light, sensor, NIGHT, 0, KEY, left=left, top=301.0)
    corner = window.corner
    phase = ((corner[0] - kernels.MARGIN) & 1, (corner[1] - kernels.MARGIN) & 1)
    assert np.abs(found - plain_develop(raw, phase, sensor, NIGHT.gain)).max() < 0.52


def plain_smear(light: Floats, mask: NDArray[np.uint8], motion: tuple[float, float]) -> NDArray[np.float64]:
    """Average what is seen while the subject moves: many moments, each drawn by interpolation."""
    moves, front = (mask == camera.MOVES).astype(float), mask == camera.FRONT
    total = np.zeros(light.shape)
    times = (np.arange(64) + 0.5) / 64 - 0.5
    for time in times:
        shift = (motion[1] * time, motion[0] * time)
        cover = scipy.ndimage.shift(moves, shift, order=1)
        shown = np.stack([scipy.ndimage.shift(light[..., c].astype(float), shift, order=1, mode="nearest")
                          for c in range(3)], -1)  # fmt: skip
        subject = np.stack([scipy.ndimage.shift(light[..., c] * moves, shift, order=1) for c in range(3)], -1)
        outside = subject + (1 - cover[..., None]) * light
        total += np.where((moves > 0)[..., None], shown, outside)
    total /= len(times)
    total[front] = light[front]
    return total


def test_the_smear_is_the_mean_over_the_exposure() -> None:
    light = flat(0.1, 40, 40)
    light[12:28, 15:25] = np.linspace(0.3, 0.9, 10, dtype=np.float32)[:, None]
    mask = np.zeros((40, 40), np.uint8)
    mask[12:28, 15:25] = camera.MOVES
    for motion in ((5.0, 0.0), (-3.0, 2.0), (0.7, -0.3)):
        found = camera._moved(light, mask, motion)
        np.testing.assert_allclose(found, plain_smear(light, mask, motion), atol=0.02)
    np.testing.assert_array_equal(camera._moved(light, mask, (0.0, 0.0)), light)
    assert camera._moved(light, mask, (6.0, 0.0))[20].std() < light[20].std()


def test_what_stands_in_front_stays_sharp() -> None:
    light, mask = scenery(4, 40, 40), np.zeros((40, 40), np.uint8)
    mask[10:30, 12:28] = camera.MOVES
    mask[:, 18:20] = camera.FRONT
    found = camera._moved(light, mask, (6.0, 1.0))
    np.testing.assert_array_equal(found[:, 18:20], light[:, 18:20])
    np.testing.assert_array_equal(found[:5], light[:5])
    assert np.abs(found[15:25, 12:18] - light[15:25, 12:18]).max() > 0.005


def test_a_lamp_throws_a_veil_that_falls_off() -> None:
    light = flat(0.0, 640, 640)
    light[318:322, 318:322] = 50.0
    found = camera._veil(light, card(veil=0.04), 1.0)[0].mean(axis=2)
    assert (np.diff(found[40, 40:]) < 0).all()
    assert found[40, 40] > 4 * found[40, 45] > 0
    assert found.sum() * kernels.CELL**2 == pytest.approx(0.04 * 16 * 50, rel=0.01)  # no light is lost


# Tone and metering


@pytest.mark.parametrize("camid", range(1, 9))
def test_the_tone_curve_never_falls_and_uses_all_codes(camid: int) -> None:
    sensor = card(camid, bits=10, black=64)
    greys = [int(plainly(np.full((11, 11), level, np.uint16), sensor, (0, 0), False)[0, 0, 1])
             for level in range(0, 1024, 3)]  # fmt: skip
    assert (np.diff(greys) >= 0).all()
    assert (greys[0], greys[-1]) == (0, 255)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("target", "daylight"), [(20.0, False), (45.0, False), (90.0, False), (115.0, True)])
def test_metering_reaches_its_target(seed: int, target: float, daylight: bool) -> None:
    sensor, light = card(seed + 1), scenery(seed, 96, 64)
    exposure = camera.exposure_for(target, light[::3, ::3], sensor, daylight=daylight)
    picture = camera.expose(light, sensor, exposure, 0, KEY, left=900.0, top=480.0)
    assert images.lightness(picture) == pytest.approx(target, abs=7)


def test_metering_knows_the_lights_colour() -> None:
    sodium = (1.0, 0.55, 0.2)
    sensor, light = card(), scenery(1, 96, 64) * np.array(sodium, np.float32)
    exposure = camera.exposure_for(60.0, light[::3, ::3], sensor, cast=sodium)
    balanced = camera.expose(light, sensor, exposure, 0, KEY, left=900.0, top=480.0, cast=sodium)
    assert images.lightness(balanced) == pytest.approx(60, abs=6)
    plain = camera.expose(light, sensor, exposure, 0, KEY, left=900.0, top=480.0)
    warmth = [picture[..., 0].mean() / picture[..., 2].mean() for picture in (balanced, plain)]
    assert 1.1 < warmth[0] < warmth[1]


def test_a_dark_place_stays_dark_by_night_only() -> None:
    sensor, light = card(), flat(2e-4)
    night = camera.exposure_for(90.0, 2e-4, sensor)
    assert night.electrons * night.gain == pytest.approx(sensor.limit * sensor.full_well, rel=1e-4)
    assert images.lightness(camera.expose(light, sensor, night, 0, KEY)) < 40
    day = camera.exposure_for(90.0, 2e-4, sensor, daylight=True)
    assert images.lightness(camera.expose(light, sensor, day, 0, KEY, left=900.0, top=480.0)) > 75


def test_the_day_is_cleaner_than_the_night() -> None:
    sensor, light = card(), flat(0.05)
    spreads = []
    for daylight in (True, False):
        exposure = camera.exposure_for(70.0, 0.05, sensor, daylight=daylight)
        spreads.append(camera.expose(light, sensor, exposure, 0, KEY).std(axis=(0, 1)).mean())
    assert 0 < spreads[0] < 3
    assert spreads[1] > 2 * spreads[0]


def test_a_colour_comes_through_the_whole_camera() -> None:
    sensor = ideal(red_balance=1.0, blue_balance=1.0, saturation=1.0, read=0.0)
    colour = np.array([0.42, 0.3, 0.15], np.float32)
    exposure = Exposure(sensor.full_well, 1.0, camera.DAY_SECONDS)
    picture = camera.expose(np.broadcast_to(colour, (64, 64, 3)), sensor, exposure, 0, KEY)
    np.testing.assert_allclose(picture.mean((0, 1)), code(colour, sensor), atol=0.7)


def test_the_nights_gain_takes_colour() -> None:
    sensor, light = card(fading=0.5), np.broadcast_to(np.array([0.4, 0.1, 0.1], np.float32), (64, 64, 3))
    ratios = []
    for daylight in (True, False):
        exposure = camera.exposure_for(90.0, light[:1, :1], sensor, daylight=daylight)
        assert exposure.seconds == (camera.DAY_SECONDS if daylight else sensor.seconds)
        colour = camera.expose(light, sensor, exposure, 0, KEY).mean((0, 1))
        ratios.append(colour[1] / colour[0])
    assert ratios[0] < 0.85 * ratios[1]


def test_sharpening_leaves_a_halo() -> None:
    light = flat(0.1, 48, 48)
    light[:, 24:] = 0.4
    exposure = Exposure(8000.0, 1.0, camera.DAY_SECONDS)
    dull, sharp = (
        camera.expose(light, ideal(sharpening=amount), exposure, 0, KEY).mean((0, 2)) for amount in (0.0, 2.4)
    )
    assert sharp[24:27].max() > sharp[30:].mean() + 4
    assert sharp[21:24].min() < sharp[:18].mean() - 4
    assert dull[24:27].max() < dull[30:].mean() + 1


@pytest.mark.parametrize("target", [0.0, 255.0, -3.0, math.nan])
def test_an_impossible_lightness_is_refused(target: float) -> None:
    with pytest.raises(ValueError, match="must be above 0 and below 255"):
        camera.exposure_for(target, 0.1, card())


def test_metering_refuses_light_that_is_no_number() -> None:
    with pytest.raises(ValueError, match="finite"):
        camera.exposure_for(50.0, [[0.1, math.nan, 0.1]], card())


# The whole camera


@pytest.mark.parametrize("quality", ["fast", "full"])
def test_a_picture_is_a_function_of_its_seed_and_key(quality: config.Quality) -> None:
    sensor, light = card(), scenery(2)

    def shot(seed: int, key: str) -> images.Picture:
        return camera.expose(light, sensor, NIGHT, seed, keyed.key(key), quality=quality)

    first = shot(0, "one")
    np.testing.assert_array_equal(first, shot(0, "one"))
    for other in (shot(1, "one"), shot(0, "two")):
        assert (first != other).any(axis=2).mean() > 0.5
        assert np.abs(first.astype(int) - other).mean() < 12


@pytest.mark.parametrize("quality", ["fast", "full"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3), (8, 16)])
def test_tiny_pictures_work(shape: tuple[int, int], quality: config.Quality) -> None:
    light, mask = flat(0.05, *shape), np.ones(shape, bool)
    sensor = card()
    exposure = camera.exposure_for(80.0, 0.05, sensor, daylight=True)
    for step in (0.25, 1.0, 6.0):
        picture = camera.expose(
            light, sensor, exposure, 0, KEY, left=900.0, top=500.0, step=step, motion=(9.0, -4.0), mask=mask,
            quality=quality,
        )  # fmt: skip
        assert picture.shape == (*shape, 3)
        assert images.lightness(picture) == pytest.approx(80, abs=6)
        assert images.decode(camera.jpeg(picture, sensor)).shape == picture.shape


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -0.01])
@pytest.mark.parametrize("place", [(0, 0, 0), (12, 30, 2), (46, 38, 1)])
def test_light_that_cannot_be_is_refused(bad: float, place: tuple[int, int, int]) -> None:
    light = scenery(0, 47, 39)
    light[place] = bad
    with pytest.raises(ValueError, match=r"must be finite, 0 or more") as caught:
        camera.expose(light, card(), NIGHT, 0, KEY)
    assert str(place) in str(caught.value)


@pytest.mark.parametrize("shape", [(8, 8), (0, 8, 3), (8, 8, 4)])
def test_light_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must be height x width x 3"):
        camera.expose(np.zeros(shape, np.float32), card(), NIGHT, 0, KEY)


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="the mask is"):
        camera.expose(flat(0.1), card(), NIGHT, 0, KEY, motion=(2.0, 0.0), mask=np.ones((3, 3), bool))


def test_the_jpeg_has_the_cameras_quality() -> None:
    picture = camera.expose(scenery(1), card(), NIGHT, 0, KEY)
    sizes = [len(camera.jpeg(picture, card(quality=quality))) for quality in (30, 60, 90)]
    assert sizes == sorted(set(sizes))


def test_without_a_folder_for_the_cache_it_still_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = numba.njit

    def without_cache(*arguments: Any, cache: bool = False, **options: Any) -> Any:  # noqa: ANN401
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(*arguments, **options)

    monkeypatch.setattr(numba, "njit", without_cache)
    compiled: Callable[[Callable[[int], int]], Callable[[int], int]] = kernels._compiled
    assert compiled(lambda number: number + 1)(2) == 3


# Who may not be asked


def strangers(source: str) -> list[str]:
    """Name the imports and strings of a module that lead to the night that is made from day pictures."""
    tree = ast.parse(source)
    return sorted({name for name in [*_imported(tree), *_strings(tree)] if _is_night(name)})


def _is_night(name: str) -> bool:
    return name.split(".")[:2] in (["synthesis", "night"], ["synthesis", "nights"])


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            # `from . import x` in synthesis/street is synthesis.street.x, and `from .. import x` is synthesis.x.
            base = {0: "", 1: "synthesis.street", 2: "synthesis"}[node.level]
            module = ".".join(part for part in (base, node.module) if part)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _strings(tree: ast.AST) -> Iterator[str]:
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value.replace("/", ".").lstrip(".")


def test_the_street_shares_nothing_with_the_night_made_from_day() -> None:
    files = sorted(STREET.rglob("*.py"))
    assert STREET / "camera.py" in files
    found = {file.name: strangers(file.read_text()) for file in files}
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import synthesis.night",
        "import synthesis.night.noise as noise",
        "from synthesis import night",
        "from synthesis.night.stages import tone",
        "from .. import night",
        "from ..night import tone",
        "def f():\n    from synthesis.nights import x",
        "load('synthesis.night')",
        "read('synthesis/nights/sodium.toml')",
    ],
)
def test_a_forbidden_import_is_seen(source: str) -> None:
    assert strangers(source) != []


def test_other_imports_are_let_through() -> None:
    source = '"""Not like synthesis.night."""\nfrom synthesis.street import camera\nimport nightly\nx = "by night"'
    assert strangers(source) == []
