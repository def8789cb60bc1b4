"""Noise: how much, of which law, and which number of the pool each pixel gets."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark.errors import UserError
from synthesis.night import pool
from synthesis.night.stages import noise
from tests.synthesis.night.facts import facts
from tests.synthesis.night.planned import Light, columns, lit, plan, rows

STRICT: dict[str, Any] = {"strict_adc": True}
LAWS: list[dict[str, Any]] = [{}, {"law": "tukey"}, STRICT, {"profile": "nikon_d850", "law": "tukey", **STRICT}]


def flat(level: float, height: int = 300, width: int = 400, count: int = 1) -> Light:
    return np.full((count, 3, height, width), level, np.float32)


def slow(light: Light, row: dict[str, Any]) -> NDArray[np.float64]:
    """Add the normal pool's noise to one picture, pixel by pixel, by the formula."""
    made = np.empty(light.shape)
    values, unit, lines = pool.normal().values[0], float(pool.normal().unit), pool.lines()
    step = -1 if row["noise_flip"] else 1
    for channel, y, x in np.ndindex(light.shape):
        number = values[channel, (row["noise_y"] + step * y) % 1024, (row["noise_x"] + x) % 1024] * unit
        line = lines[(row["row_offset"] + y) % 65536]
        before = float(light[channel, y, x])
        deviation = np.sqrt(max(row["shot"] * before + row["read"], 0))
        made[channel, y, x] = before + number * deviation + row["row"] * np.sqrt(row["read"]) * line
    return made


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (40, 30), (2, 64), (2, 65), (2, 128), (2, 129)])
def test_every_pixel_has_the_number_of_its_place_in_the_window(shape: tuple[int, int]) -> None:
    planned = plan(noise, facts(6))
    assert planned["noise_flip"].any()
    assert not planned["noise_flip"].all()
    planned["noise_x"][:2] = 1023  # wraps at once
    planned["noise_y"][:4] = (0, 1022, 1022, 0)
    planned["row_offset"][:2] = 65535
    light = np.random.default_rng(1).uniform(-0.2, 1.5, (6, 3, *shape)).astype(np.float32)
    made = lit(noise, light, planned)
    for place in range(6):
        row = {name: values[place].item() for name, values in planned.items()}
        np.testing.assert_allclose(made[place], slow(light[place], row), atol=2e-6)


@pytest.mark.parametrize(("shot", "read", "row"), [(8e-4, 0.0, 0.0), (5e-3, 1e-4, 0.3), (2e-2, 2.5e-3, 0.0)])
def test_the_variance_on_flat_patches_is_a_line(shot: float, read: float, row: float) -> None:
    levels = (0.02, 0.1, 0.4, 0.9)
    planned = plan(noise, facts(4))
    for name, value in (("shot", shot), ("read", read), ("row", row)):
        planned[name][:] = value
    light = np.concatenate([flat(level, 1024, 1024) for level in levels])
    made = lit(noise, light, planned).astype(np.float64)
    for level, picture in zip(levels, made, strict=True):
        pixels = picture - picture.mean(axis=(0, 2), keepdims=True)  # without what lines share
        assert pixels.var() == pytest.approx(shot * level + read, rel=0.05)
        assert picture.mean() == pytest.approx(level, abs=2e-3)
        lines = picture.mean(axis=(0, 2)).var()
        assert lines == pytest.approx(row**2 * read, rel=0.15, abs=2e-5)


def test_the_line_of_the_profile_holds_over_many_pictures() -> None:
    planned = plan(noise, facts(20_000), consistent=False)
    shot, read = planned["shot"].astype(float), planned["read"].astype(float)
    assert shot.min() >= 8e-4 * (1 - 1e-6)
    assert shot.max() <= 2e-2
    assert np.median(np.log(shot)) == pytest.approx(np.log(np.sqrt(8e-4 * 2e-2)), abs=0.03)
    rest = np.log(read) - 2.18 * np.log(shot) - 1.2
    assert rest.mean() == pytest.approx(0, abs=0.01)
    assert rest.std() == pytest.approx(0.26, abs=0.01)
    assert planned["row"].min() >= 0
    assert planned["row"].mean() == pytest.approx(0.15, abs=0.003)


def test_read_noise_has_a_bound() -> None:
    read = plan(noise, facts(2000), consistent=False, shot=[2e-2, 0.1])["read"]
    assert read.max() == np.float32(2.5e-3)
    assert 0.1 < (read == read.max()).mean() < 0.9
    assert plan(noise, facts(2000), consistent=False, shot=[2e-2, 0.1], read_most=1.0)["read"].max() > 0.01


def test_a_camera_keeps_its_noise_but_not_its_window() -> None:
    known = facts(200, camid=np.arange(200) % 2 + 1, timestamp=0.0)
    planned = plan(noise, known)
    for name in ("shot", "read", "row"):
        assert len(np.unique(planned[name])) == 2
        assert len(np.unique(planned[name][::2])) == 1
    assert len(np.unique(planned["noise_x"])) > 150
    apart = plan(noise, known, consistent=False)
    assert len(np.unique(apart["shot"])) == 200


@pytest.mark.parametrize("options", LAWS)
@given(seed=st.integers(0, 2**32), height=st.integers(1, 40), width=st.integers(1, 40))
@settings(max_examples=15, deadline=None)
def test_no_picture_depends_on_its_company(options: dict[str, Any], seed: int, height: int, width: int) -> None:
    planned = plan(noise, facts(5), seed, **options)
    light = np.random.default_rng(seed).random((5, 3, height, width)).astype(np.float32)
    together = lit(noise, light, planned)
    for place in (3, 0):
        alone = lit(noise, light[place : place + 1], rows(planned, place))
        np.testing.assert_array_equal(alone[0], together[place])
    turned = lit(noise, light[::-1], rows(planned, 4, 3, 2, 1, 0))
    np.testing.assert_array_equal(turned[::-1], together)


def test_pictures_larger_than_the_pool_see_it_again() -> None:
    planned = plan(noise, facts(1), 3)
    planned["row"][:] = 0
    made = lit(noise, flat(0.1, 1030, 2060), planned)[0]
    np.testing.assert_array_equal(made[:, :, :1000], made[:, :, 1024:2024])
    np.testing.assert_array_equal(made[:, :6], made[:, 1024:])
    assert (made[:, :500, :500] != made[:, 500:1000, :500]).mean() > 0.9


def test_windows_are_spread_over_the_pool_and_half_of_them_flipped() -> None:
    planned = plan(noise, facts(20_000))
    for name, most in (("noise_x", 1024), ("noise_y", 1024), ("row_offset", 65536)):
        assert planned[name].min() >= 0
        assert planned[name].max() < most
        assert np.histogram(planned[name], 8, (0, most))[0].min() > 2300
    assert planned["noise_flip"].mean() == pytest.approx(0.5, abs=0.02)
    assert abs(np.corrcoef(planned["noise_x"], planned["noise_y"])[0, 1]) < 0.03


def test_tukeys_read_noise_has_the_variance_but_not_the_tails_of_a_normal() -> None:
    planned = plan(noise, facts(1), law="tukey", shape=-0.2)
    planned["shot"][:], planned["read"][:], planned["row"][:] = 1e-3, 1e-3, 0
    made = lit(noise, flat(0.5, 1024, 1024), planned).astype(np.float64) - 0.5
    assert made.var() == pytest.approx(1.5e-3, rel=0.05)
    planned["shot"][:] = 0
    made = lit(noise, flat(0.5, 1024, 1024), planned).astype(np.float64) - 0.5
    assert (abs(made) > 4 * made.std()).mean() > 10 * 6.3e-5


def test_a_strict_converter_clips_and_has_4096_steps() -> None:
    planned = plan(noise, facts(2), strict_adc=True)
    ramp = np.broadcast_to(np.linspace(-0.5, 1.5, 600, dtype=np.float32), (2, 3, 40, 600))
    made = lit(noise, np.ascontiguousarray(ramp), planned)
    codes = made.astype(np.float64) * 4095
    assert made.min() == 0
    assert made.max() == 1
    np.testing.assert_allclose(codes, np.rint(codes), atol=1e-3)
    loose = lit(noise, np.ascontiguousarray(ramp), plan(noise, facts(2)))
    assert loose.min() < 0
    assert loose.max() > 1
    np.testing.assert_allclose(made, np.clip(loose, 0, 1), atol=0.51 / 4095)


@pytest.fixture
def dark(tmp_path: Path) -> Path:
    """Three frames of 16 bits with a pattern that stays, and an offset that differs by channel."""
    rng = np.random.default_rng(5)
    pattern = rng.normal(0, 30, (64, 48, 3))
    for number in range(3):
        frame = np.array([500, 600, 700]) + pattern + rng.normal(0, 10, (64, 48, 3))
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.rint(frame).astype(np.uint16)[:, :, ::-1])
    return tmp_path


def test_dark_frames_bring_their_pattern_where_it_is_on_the_sensor(dark: Path) -> None:
    known = facts(40, x=np.where(np.arange(40) < 20, 7.6, np.nan), y=np.full(40, 70.0), camid=1.0)
    planned = plan(noise, known, dark_frames=str(dark))
    planned["shot"][:], planned["read"][:] = 0, 4e-4
    assert not planned["row"].any()
    sensor = noise.ready(noise.Config(dark_frames=str(dark)), None)
    made = lit(sensor, flat(0.2, 20, 16, 40), planned).astype(np.float64) - 0.2
    assert made.std() == pytest.approx(0.02, rel=0.1)
    assert set(planned["read_frame"]) == {0, 1, 2}
    assert set(planned["read_x"][:20]) == {7}
    assert set(planned["read_y"]) == {6}  # 70 in a frame of 64
    assert len(set(planned["read_x"][20:])) > 5
    one, other = (int(np.flatnonzero(planned["read_frame"][:20] == frame)[0]) for frame in (0, 1))
    assert np.corrcoef(made[one].ravel(), made[other].ravel())[0, 1] == pytest.approx(0.9, abs=0.04)
    frames = np.array([cv2.imread(str(dark / f"{n}.png"), cv2.IMREAD_UNCHANGED) for n in range(3)])[..., ::-1]
    mean = frames.mean(axis=(0, 1, 2))
    wanted = frames[0][6:26, 7:23].transpose(2, 0, 1) - mean[:, None, None]
    assert np.corrcoef(made[one].ravel(), wanted.ravel())[0, 1] > 0.9999


def test_dark_frames_that_changed_since_the_plan_are_refused(dark: Path) -> None:
    config = noise.Config(dark_frames=str(dark))
    found = noise.survey(config, facts(1))
    assert noise.ready(config, found).dark is not None
    found["dark"]["sha256"] = "0" * 64
    with pytest.raises(UserError, match="its dark frames changed since the night was planned"):
        noise.ready(config, found)


def test_a_survey_names_the_pools_that_shape_the_pictures(dark: Path) -> None:
    plain = noise.survey(noise.Config(), facts(1))
    assert set(plain) == {"pool", "lines"}
    tukey = noise.survey(noise.Config(law="tukey"), facts(1))
    assert tukey["tukey"] != noise.survey(noise.Config(law="tukey", shape=0.1), facts(1))["tukey"]
    found = noise.survey(noise.Config(dark_frames=str(dark)), facts(1))["dark"]
    assert (found["frames"], found["height"], found["width"]) == (3, 64, 48)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"shot": [2e-2, 8e-4]}, "shot"),
        ({"shot": [0.0, 1e-2]}, "shot"),
        ({"shape": -0.5}, "shape"),
        ({"profile": "sony"}, "sony_a7s2"),
        ({"row": [-0.1, 0.2]}, "row"),
    ],
)
def test_settings_that_make_no_sense_are_one_line(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        columns(noise, facts(1), **options)
