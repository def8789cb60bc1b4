"""What the map of cameras and light shows equals what is counted."""

import re

import numpy as np
import pytest

from benchmark import counts
from benchmark import manifest as manifests
from benchmark.columns import MEASURED
from benchmark.figures import camera_light
from benchmark.manifest import Manifest


def test_cells_hold_slow_counts_and_colours_their_shares(dusk: Manifest) -> None:
    (axes,) = camera_light.camera_light([dusk]).axes
    frame = dusk.frame()
    frame = frame[frame["modality"] == "visible"]
    low, high = frame["lightness"] < 25.5, frame["lightness"] >= 51
    expected = np.array(
        [[int((here & (frame["camid"] == camera)).sum()) for here in (low, ~low & ~high, high)] for camera in (1, 2, 3)]
    )
    assert expected.sum() == len(frame)
    shown = np.array([int(text.get_text().split()[0]) for text in axes.texts]).reshape(3, 3)
    assert shown.tolist() == expected.tolist()
    colours = np.asarray(axes.images[0].get_array(), dtype=float)
    assert colours[:2] == pytest.approx(expected[:2] / expected[:2].sum(axis=1, keepdims=True))
    assert colours[2].tolist() == [0, 0, 0]  # the third camera is infrared
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1", "2", "3"]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        *("Low\nbelow 25.5", "Medium\n[25.5, 51)", "High\n51 and up")
    ]
    assert f"dusk: {len(frame)} visible pictures" in axes.get_title(loc="left")


def test_an_unmeasured_manifest_says_so_and_the_others_are_drawn(dusk: Manifest, noon: Manifest) -> None:
    made = camera_light.camera_light([noon, dusk])
    assert "luxreid data" in made.axes[0].texts[0].get_text()
    assert not made.axes[0].images
    assert len(made.axes[1].texts) == 9
    assert "visible pictures only" in made.get_suptitle()


def test_maps_side_by_side_have_lines_of_one_height(dusk: Manifest) -> None:
    left, right = camera_light.camera_light([dusk, dusk.select(dusk.column("camid") == 1)]).axes
    assert left.get_ylim() == right.get_ylim() == (2.5, -0.5)
    assert left.get_position().y0 == right.get_position().y0
    assert left.get_position().x1 < right.get_position().x0
    above, *_, below = camera_light.camera_light([dusk] * 4).axes
    assert above.get_position().x0 == below.get_position().x0


def test_of_very_many_cameras_the_fullest_are_shown_in_their_order(dusk: Manifest) -> None:
    cameras = np.repeat(np.arange(1, camera_light.MOST + 11), 2)[10:]  # cameras 6 to 60, two pictures each
    cameras = np.append(cameras, np.arange(6, camera_light.MOST + 6))  # and a third one of all but the last five
    columns = {name: [dusk.column(name)[0]] * len(cameras) for name in MEASURED}
    columns |= {"path": [f"{row:03d}.png" for row in range(len(cameras))], "camid": cameras.tolist()}
    (axes,) = camera_light.camera_light([manifests.build(columns, "many", dusk.roots["dusk"])]).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"{camera}" for camera in range(6, 56)]
    assert f"the {camera_light.MOST} of 55 cameras" in re.sub(r"\s+", " ", axes.get_title(loc="left"))


def test_pictures_of_unknown_cameras_have_a_row(dusk: Manifest) -> None:
    camera = np.where(dusk.column("camid") == 2, 0, dusk.column("camid"))
    made = dusk.with_columns(camid=camera)
    (axes,) = camera_light.camera_light([made]).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1", "3", "unknown"]
    light = counts.levels(made, counts.LIGHT)
    assert not isinstance(light, str)
    assert sum(int(text.get_text().split()[0]) for text in axes.texts) == (light.codes >= 0).sum()
