"""Where bodies lie in the frame: formulas for a sphere, and the pixels that the tracer finds."""

import math
from dataclasses import replace

import numpy as np
import pytest

from synthesis.street import config, framing, render, shots
from synthesis.street.scene import CONE, FRAME_HEIGHT, FRAME_WIDTH, RA, RB, SQUASH, A, Array, B, View
from synthesis.street.trace import trace

WORLD = config.load("demo", ["occluded=0"])
SHOTS = [shots.shot(WORLD, 0, walk, 0) for walk in shots.walks(WORLD, 0)[::8]]


def view(focal: float = 1500.0) -> View:
    x, y, z = np.eye(3)
    return View(eye=np.array([0.0, 1.5, 8.0]), right=x, up=y, forward=-z, focal=focal)


def sphere(
    x: float, y: float, z: float, radius: float, squash: float = 1.0, axis: tuple[float, ...] = (1, 0, 0)
) -> Array:
    cone = np.zeros((1, CONE))
    cone[0, A : A + 3] = cone[0, B : B + 3] = (x, y, z)
    cone[0, [RA, RB, SQUASH]] = radius, radius, squash
    cone[0, 9:12] = axis
    return cone


@pytest.mark.parametrize("radius", [0.05, 0.3, 1.0])
def test_a_sphere_straight_ahead_is_as_big_as_the_cone_that_touches_it(radius: float) -> None:
    left, top, right, bottom = framing.bounds(view(), sphere(0, 1.5, 0, radius))
    half = 1500 * math.tan(math.asin(radius / 8))
    assert [left, right] == pytest.approx([FRAME_WIDTH / 2 - half, FRAME_WIDTH / 2 + half])
    assert [top, bottom] == pytest.approx([FRAME_HEIGHT / 2 - half, FRAME_HEIGHT / 2 + half])


def test_a_sphere_aside_lies_between_two_tangents() -> None:
    left, _, right, _ = framing.bounds(view(), sphere(3, 1.5, 0, 0.5))
    middle, half = math.atan2(3, 8), math.asin(0.5 / math.hypot(3, 8))
    wanted = [FRAME_WIDTH / 2 + 1500 * math.tan(middle + side * half) for side in (-1, 1)]
    assert [left, right] == pytest.approx(wanted)


@pytest.mark.parametrize("squash", [1.0, 1.5, 4.0])
def test_a_squashed_sphere_is_thinner_along_its_axis_only(squash: float) -> None:
    """Far away an ellipsoid's image has the ratio of its axes."""
    x, y, z = np.eye(3)
    far = View(1000 * z, x, y, -z, 1e5)
    left, top, right, bottom = framing.bounds(far, sphere(0, 0, 0, 0.4, squash))
    assert right - left == pytest.approx(2 * 0.4 / squash * 100, rel=1e-3)
    assert bottom - top == pytest.approx(2 * 0.4 * 100, rel=1e-3)


@pytest.mark.parametrize("number", range(len(SHOTS)))
def test_the_box_holds_the_body_and_touches_it_on_every_side(number: int) -> None:
    staged = render.stage(WORLD, 0, SHOTS[number])
    left, top, right, bottom = staged.full
    # The whole body, a little wider than its box, at four samples a pixel of the frame.
    wide, high = math.ceil(2 * (right - left)) + 12, math.ceil(2 * (bottom - top)) + 12
    window = staged.scene.view.window(left - 3, top - 3, wide, high, 0.5)
    unlit = replace(staged.scene, view=window, day=render.DARK, night=render.DARK)
    rows, columns = np.nonzero(trace(unlit).amodal)
    found = columns.min() / 2 + left - 3, rows.min() / 2 + top - 3, (columns.max() + 1) / 2, (rows.max() + 1) / 2
    seen = np.array([found[0], found[1], found[2] + left - 3, found[3] + top - 3])
    inside = np.array([seen[0] - left, seen[1] - top, right - seen[2], bottom - seen[3]])
    assert (inside > -0.51).all()  # half a pixel of the frame is one sample
    assert (inside < 1.5).all()


def test_a_window_shows_what_the_frame_shows_there() -> None:
    """A crop that is cut from a frame and one that is rendered alone are the same."""
    staged = render.stage(WORLD, 0, SHOTS[2])
    view = staged.scene.view
    whole = trace(staged.scene)
    inner = replace(staged.scene, view=view.window(view.left + 7, view.top + 5, view.width - 12, view.height - 9))
    part = trace(inner)
    for name in ("day", "night", "albedo", "normal", "depth", "mask", "part", "visible"):
        cut = getattr(whole, name)[5 : view.height - 4, 7 : view.width - 5]
        np.testing.assert_allclose(getattr(part, name).astype(float), cut.astype(float), rtol=1e-6, atol=1e-6)


def test_stored_pixels_are_the_frames_own_and_stay_inside_it() -> None:
    for shot in SHOTS:
        box = render.stage(WORLD, 0, shot).box
        assert (box.w, box.h) == (box.width, box.height)
        assert box.x == int(box.x) >= 0
        assert box.y == int(box.y) >= 0
        assert box.x + box.w <= FRAME_WIDTH
        assert box.y + box.h <= FRAME_HEIGHT


@pytest.mark.parametrize("height", [8, 64, 256, 333])
def test_a_given_height_gives_half_the_width_and_holds_the_whole_body(height: int) -> None:
    world = WORLD.model_copy(update={"height": height})
    for shot in SHOTS[:4]:
        staged = render.stage(world, 0, shot)
        box, (left, top, right, bottom) = staged.box, staged.full
        assert (box.height, box.width) == (height, round(height / 2))
        assert box.w / box.width == pytest.approx(box.h / box.height)  # pixels stay square
        assert box.x <= left + 1e-6
        assert right <= box.x + box.w + box.h / height
        assert box.y <= top + 1e-6
        assert bottom <= box.y + box.h + 1e-6


def test_a_body_at_the_frames_edge_is_cut_there() -> None:
    box = framing.frame(view(), sphere(-6.0, 1.5, 0, 0.9), (0.1, 0.1, 0.1, 0.1), None)
    assert box.x == 0
    assert box.width >= framing.LEAST
    away = framing.frame(view(), sphere(-60.0, 1.5, 0, 0.9), (0, 0, 0, 0), None)
    assert away.x == 0
    assert away.width == framing.LEAST
