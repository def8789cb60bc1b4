"""Which pictures a sheet shows, and that it shows them as they are."""

from pathlib import Path

import numpy as np
import pytest

from benchmark import executors, images, measure
from benchmark import manifest as manifests
from benchmark.columns import MEASURED
from benchmark.figures import samples
from benchmark.figures.sheet import ACROSS, Cell, Strip, sheet
from benchmark.manifest import Manifest


def test_the_darkest_are_the_darkest_visible_in_order(dusk: Manifest) -> None:
    light = dusk.column("lightness").astype(float)
    visible = np.flatnonzero(dusk.column("modality") == "visible")
    expected = sorted(visible.tolist(), key=lambda row: light[row])[:ACROSS]
    assert samples.darkest(dusk, 0) == expected


def test_dark_rows_of_a_large_set_are_drawn_by_the_seed_from_its_darkest_percent(dusk: Manifest) -> None:
    count = 3000
    columns = {name: [dusk.column(name)[0]] * count for name in MEASURED if name != "lightness"}
    light = np.random.default_rng(0).permutation(count).astype(np.float32) / count * 255
    columns |= {"path": [f"{row}.png" for row in range(count)], "lightness": light.tolist()}
    large = manifests.build(columns, "large", dusk.roots["dusk"])
    first, again, other = (samples.darkest(large, seed) for seed in (1, 1, 2))
    shades = large.column("lightness").astype(float)
    assert first == again != other
    assert all(shades[row] < 255 * 0.01 for row in first)
    assert list(shades[first]) == sorted(shades[first])


def test_people_are_seen_by_several_cameras_and_the_seed_chooses_them(dusk: Manifest) -> None:
    chosen = samples.people(dusk, 0)
    assert chosen == samples.people(dusk, 0)
    assert any(chosen != samples.people(dusk, seed) for seed in (1, 2, 3))
    pids, cameras = dusk.column("pid"), dusk.column("camid")
    assert len(chosen) == samples.PEOPLE
    assert len({pids[rows[0]] for rows in chosen}) == samples.PEOPLE
    for rows in chosen:
        assert len(set(pids[rows])) == 1
        assert pids[rows[0]] >= 1
        assert cameras[rows].tolist() == [1, 1, 2, 2, 3, 3]


def test_every_camera_comes_before_a_second_picture_of_one(dusk: Manifest) -> None:
    # One camera has 30 pictures, two have one each: all three must be in a row of eight.
    count = 32
    cameras = [1] * 30 + [2, 3]
    made = manifests.build(
        {"path": [f"{row:02d}.png" for row in range(count)], "pid": [5] * count, "camid": cameras},
        "one",
        dusk.roots["dusk"],
    )
    (rows,) = samples.people(made, 0)
    assert len(rows) == ACROSS
    assert made.column("camid")[rows].tolist() == [1] * 6 + [2, 3]


def test_people_of_one_camera_are_shown_only_where_there_are_no_others(dusk: Manifest) -> None:
    single = dusk.select(dusk.column("camid") == 1)
    assert len(samples.people(single, 0)) == samples.PEOPLE
    mixed = dusk.select((dusk.column("camid") == 1) | (dusk.column("pid") == 4))
    assert [mixed.column("pid")[rows[0]] for rows in samples.people(mixed, 0)] == [4]
    assert samples.people(dusk.select(dusk.identities() < 0), 0) == []


def test_brightening_scales_linear_light() -> None:
    codes = np.arange(0, 40, dtype=np.uint8).reshape(5, 8)
    picture = np.stack([codes, codes // 2, codes // 4], axis=2)
    shown, gain = samples.brighten(picture)
    assert gain > 1
    for before, after in zip(picture.ravel().tolist(), shown.ravel().tolist(), strict=True):
        wanted = min(linear(before) * gain, 1)
        assert linear(max(after - 0.51, 0)) <= wanted + 1e-9
        assert linear(min(after + 0.51, 255)) >= wanted - 1e-9


def linear(code: float) -> float:
    value = code / 255
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("value", [0, 200, 255])
def test_black_and_bright_pictures_are_left_as_they_are(value: int) -> None:
    picture = np.full((4, 3, 3), value, np.uint8)
    shown, gain = samples.brighten(picture)
    assert gain == 1
    assert np.array_equal(shown, picture)


def test_the_sheet_says_what_was_done_and_shows_both_rows(dusk: Manifest) -> None:
    made = samples.samples([dusk], 0)
    texts = [text.get_text() for text in made.texts]
    assert any("8 of the darkest among 32 visible pictures" in text for text in texts)
    assert "brightened for\nthe eye only,\nin linear light" in texts
    assert any("visible pictures only" in text for text in texts)
    assert "cam 3, infrared" in texts
    assert len(made.axes) == 2 * ACROSS + samples.PEOPLE * 6
    dark = [axes.images[0].get_array() for axes in made.axes[-2 * ACROSS :]]
    stored, shown = dark[:ACROSS], dark[ACROSS:]
    assert all(np.mean(np.asarray(b)) > np.mean(np.asarray(a)) for a, b in zip(stored, shown, strict=True))


def test_a_bright_set_has_no_brightened_row(tmp_path: Path) -> None:
    for number in range(3):
        images.save(tmp_path / "set" / f"{number}.png", np.full((60, 30, 3), 180 + number, np.uint8))
    made = manifests.build({"path": [f"{number}.png" for number in range(3)], "pid": [1] * 3}, "noon", tmp_path / "set")
    measured = measure.measure(made, tmp_path / "shards", executors.serial)
    texts = [text.get_text() for text in samples.samples([measured], 0).texts]
    assert "as stored" in texts
    assert not any("brightened" in text or "gain" in text for text in texts)


def test_two_sets_stand_side_by_side_and_four_under_each_other(dusk: Manifest) -> None:
    one, two, four = (samples.samples([dusk] * number, 0).get_size_inches() for number in (1, 2, 4))
    assert two.tolist() == pytest.approx([2 * one[0], one[1]])
    assert four[0] == pytest.approx(one[0])
    assert four[1] > 3 * one[1]


def test_an_unmeasured_set_and_a_set_without_people_say_so(noon: Manifest) -> None:
    texts = [text.get_text() for text in samples.samples([noon.select(noon.identities() < 0)], 0).texts]
    assert texts[0] == "noon: no identities"
    assert "luxreid data" in texts[1]


def test_pictures_keep_their_shape_and_lie_inside_their_strips() -> None:
    cells = [Cell(np.zeros(shape, np.uint8), "x") for shape in ((256, 128, 3), (40, 160, 3), (300, 20, 3))]
    made = sheet([[Strip("one", cells, "heading"), Strip("two", cells)], [Strip("three", cells)]])
    made.canvas.draw()
    boxes = [axes.get_position() for axes in made.axes]
    width, height = made.get_size_inches()
    for axes, box in zip(made.axes, boxes, strict=True):
        rows, columns = np.asarray(axes.images[0].get_array()).shape[:2]
        assert box.height * height / (box.width * width) == pytest.approx(rows / columns)
    assert min(box.y0 for box in boxes[:3]) > max(box.y1 for box in boxes[3:6])
    assert max(box.x1 for box in boxes[:6]) < min(box.x0 for box in boxes[6:])
    assert all(box.y0 > 0 and box.y1 < 1 and box.x1 < 1 for box in boxes)
