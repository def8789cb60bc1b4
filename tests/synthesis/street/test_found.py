"""What rendering tells of a shot: shares that are hidden or cut off, against whole silhouettes and hand-made boxes."""

import math
from dataclasses import replace

import numpy as np
import pytest

from synthesis.street import found, framing, render, shots
from synthesis.street.config import World
from synthesis.street.framing import Box
from synthesis.street.render import Staged, Taken
from synthesis.street.trace import trace

WORLD, SEED = World(identities=4, views=(0, 1), frames=(3, 3), occluded=0.7), 5


@pytest.fixture(scope="module")
def taken() -> list[Taken]:
    """Take all shots of a small world, half of them with something in the way."""
    return [
        render.take(WORLD, SEED, shot)
        for walk in shots.walks(WORLD, SEED)
        for shot in shots.shots(WORLD, SEED, walk)
    ]  # fmt: skip


def cut(staged: Staged, box: Box) -> Staged:
    """Look at another box of the same scene."""
    view = framing.window(replace(staged.scene.view, step=1.0), box)
    return replace(staged, box=box, scene=replace(staged.scene, view=view))


def test_a_whole_body_with_nothing_before_it_is_all_there(taken: list[Taken]) -> None:
    free = [one for one in taken if np.array_equal(one.rendering.mask, one.rendering.amodal)]
    assert free
    assert all(found.inside(one.staged) == 1 for one in free)
    assert {found.occluded(one) for one in free} == {0.0}


def test_what_something_hides_is_its_share_of_the_silhouette(taken: list[Taken]) -> None:
    hidden = [one for one in taken if (one.rendering.amodal & ~one.rendering.mask).any()]
    assert hidden
    for one in hidden:
        rendering = one.rendering
        assert found.occluded(one) == pytest.approx(1 - rendering.mask.sum() / rendering.amodal.sum())


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("across", [False, True])
def test_the_share_inside_a_cut_box_is_that_of_the_whole_silhouette(
    taken: list[Taken], share: float, across: bool
) -> None:
    for one in taken[::5]:
        box, whole, (left, top, right, bottom) = one.staged.box, one.rendering.amodal, one.staged.full
        if across:
            end = math.floor(left + share * (right - left) - box.x)
            part, kept = box._replace(w=end, width=end), whole[:, :end]
        else:
            end = math.floor(top + share * (bottom - top) - box.y)
            part, kept = box._replace(h=end, height=end), whole[:end]
        assert found.inside(cut(one.staged, part)) == pytest.approx(kept.sum() / whole.sum(), abs=0.02)


def test_what_a_box_cuts_off_counts_as_hidden_besides_what_is_behind_something(taken: list[Taken]) -> None:
    for one in taken:
        whole, seen = one.rendering.amodal, one.rendering.mask
        box, (_, top, _, bottom) = one.staged.box, one.staged.full
        end = math.floor(top + 0.6 * (bottom - top) - box.y)
        part = cut(one.staged, box._replace(h=end, height=end))
        share = found.occluded(replace(one, staged=part, rendering=trace(part.scene)))
        assert share == pytest.approx(1 - seen[:end].sum() / whole.sum(), abs=0.02)


def test_a_body_outside_its_box_is_hidden_altogether(taken: list[Taken]) -> None:
    one = taken[0]
    aside = cut(one.staged, Box(one.staged.full[2] + 40, 10, 8, 16, 8, 16))
    away = replace(one, staged=aside, rendering=trace(aside.scene))
    assert found.occluded(away) == 1
    assert found.visible(aside.box, away.rendering.mask) is None


def test_the_box_of_what_is_seen_holds_the_first_and_the_last_pixel() -> None:
    mask = np.zeros((8, 4), bool)
    mask[2, 1] = mask[6, 2] = True
    assert found.visible(Box(100, 50, 8, 16, 4, 8), mask) == (102, 54, 4, 10)


def test_measures_are_those_of_the_stored_file(taken: list[Taken]) -> None:
    seen = found.found(taken[0])
    assert set(seen.measures) == {"day", "night"}
    assert seen.measures["day"]["height"] == taken[0].staged.box.height
    assert seen.measures["day"]["lightness"] > seen.measures["night"]["lightness"]
