"""The contact sheet: what is chosen, that nothing lies over anything else, and that every row shows what it says."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox
from PIL import Image

from benchmark import executors
from synthesis.street import render, sheet, write
from synthesis.street.config import Cameras, World
from synthesis.street.order import Order
from synthesis.street.render import Taken
from synthesis.street.scene import PARTS
from synthesis.street.sheet import HIGH, Sheet, Track

ORDER = Order(World(identities=3, views=(0, 0, 1), frames=(2, 2), cameras=Cameras(count=3), space="tiny"), 1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world on disk."""
    folder = tmp_path_factory.mktemp("tiny") / "world"
    write.write(ORDER, folder, executors.serial)
    return folder


@pytest.fixture(scope="module")
def laid(home: Path) -> Sheet:
    return sheet.lay(ORDER, sheet.shown(ORDER, home))


@pytest.fixture(scope="module")
def taken(home: Path) -> Taken:
    """Take the first picture of the first walk."""
    track = sheet.tracks(ORDER, home)[1][0]
    return render.take(ORDER.world, ORDER.seed, sheet._shot(ORDER, track))


def track(pid: int, camid: int, size: str, light: str) -> Track:
    return Track(pid, camid, 0, "", "", (size, light))


def test_people_are_chosen_who_show_more_together() -> None:
    same = [track(1, camid, "Big", "High") for camid in (1, 2, 3, 4)]
    wide = [track(2, camid, size, "Low") for camid, size in enumerate(("Small", "Medium", "Big", "Big"), 1)]
    other = [track(3, camid, "Small", light) for camid, light in enumerate(("Low", "Medium", "High", "High"), 1)]
    seldom = [track(4, 1, "Medium", "Medium")]
    chosen = sheet.choose({1: same, 2: wide, 3: other, 4: seldom})
    assert [rows[0].pid for rows in chosen] == [2, 3, 1]  # 4 is seen by one camera only
    assert all(len(rows) == 4 for rows in chosen)


def test_of_many_walks_those_are_shown_that_differ() -> None:
    lights = ("Low", "Low", "Low", "Low", "Medium", "High")
    walks = [track(1, camid, "Big", light) for camid, light in enumerate(lights, 1)]
    (chosen,) = sheet.choose({1: walks})
    assert [one.camid for one in chosen] == [1, 2, 5, 6]


def test_the_picture_of_a_walk_is_the_one_that_shows_most_of_the_person(home: Path) -> None:
    hidden = sheet._hidden(home)
    for people in sheet.tracks(ORDER, home).values():
        assert len(people) == 3  # one a walk
        for one in people:
            scenes = [scene for scene in hidden if scene.split("/")[1:3] == [str(one.pid), str(one.camid)]]
            shown = next(scene for scene in scenes if scene.endswith(f"/{one.frame}"))
            assert hidden[shown] == min(hidden[scene] for scene in scenes)


def test_one_of_the_people_is_seen_behind_something() -> None:
    chosen = [[track(pid, camid, "Big", "High") for camid in (1, 2)] for pid in (1, 2, 3)]
    shares = {(1, 1): 0.3, (2, 1): 0.2, (2, 2): 0.5, (3, 2): 0.9}
    rows = [one._replace(frame=7, hidden=shares.get(one[:2], 0.0)) for people in chosen for one in people]
    others = {pid: [one for one in rows if one.pid == pid] for pid in (1, 2, 3)}
    shown = sheet.veiled(chosen, others)
    assert shown == [chosen[0], others[2], chosen[2]]  # 3 is as good as gone
    assert sheet.veiled(chosen[2:], others) == [chosen[2]]


@pytest.mark.parametrize("people", [3, 1])
def test_nothing_on_the_sheet_lies_over_anything_else_or_beyond_its_edge(home: Path, people: int) -> None:
    found = sheet.tracks(ORDER, home)
    laid = sheet.lay(ORDER, sheet.choose({pid: found[pid][: 1 if people == 1 else 3] for pid in list(found)[:people]}))
    made = sheet.figure(laid)
    canvas = FigureCanvasAgg(made)
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in made.texts]  # type: ignore[no-untyped-call]
    for x, y, picture in laid.pictures:
        height, width, _ = picture.shape
        boxes.append(Bbox([[x, laid.height - y - height], [x + width, laid.height - y]]))
    page = Bbox([[0, 0], [laid.width, laid.height]])
    for one, other in combinations(boxes, 2):
        common = Bbox.intersection(one, other)
        assert common is None or min(common.width, common.height) < 1, (one, other)
    for one in boxes:
        assert page.x0 <= one.x0 <= one.x1 <= page.x1
        assert page.y0 <= one.y0 <= one.y1 <= page.y1


def test_the_file_shows_the_pictures_pixel_by_pixel_and_is_the_same_again(home: Path, laid: Sheet) -> None:
    path = sheet.write(ORDER, home)
    assert path == home.with_name("world-sheet.png")
    data = path.read_bytes()
    with Image.open(path) as image:
        shown = np.asarray(image.convert("RGB"))
    assert shown.shape == (laid.height, laid.width, 3)
    assert len(laid.pictures) == 3 * 3 * 7
    for x, y, picture in laid.pictures:
        assert np.array_equal(shown[y : y + HIGH, x : x + picture.shape[1]], picture)
    assert sheet.write(ORDER, home).read_bytes() == data


def test_the_longest_captions_stay_in_the_narrowest_column() -> None:
    captions = [sheet.Words(40, 40, text, sheet.TINY) for text in ("Medium 50", "High 255", "888 x 1080", "camera 88")]
    made = sheet.figure(Sheet(200, 80, [], captions))
    canvas = FigureCanvasAgg(made)
    for text in made.texts:
        assert text.get_window_extent(canvas.get_renderer()).width < sheet.NARROW + sheet.GAP  # type: ignore[no-untyped-call]


def test_the_sheet_of_the_folder_one_stands_in_lies_beside_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "world").mkdir()
    monkeypatch.chdir(tmp_path / "world")
    assert sheet.beside(Path()).resolve() == (tmp_path / "world-sheet.png").resolve()
    assert sheet.beside(Path("../world")) == Path("../world-sheet.png")


def test_normals_are_seen_from_the_camera(taken: Taken) -> None:
    view = taken.staged.scene.view
    towards = np.tile((-view.forward).astype(np.float32), (4, 2, 1))
    seen = sheet.normals(replace(taken, rendering=replace(taken.rendering, normal=towards)))
    assert np.abs(seen.astype(int) - [128, 128, 255]).max() <= 1


def test_the_near_is_brighter_and_twice_the_light_looks_the_same(taken: Taken) -> None:
    ramp = np.geomspace(3, 30, 64, dtype=np.float32).reshape(8, 8)
    ramp[0, 0] = np.inf
    shown = sheet.depth(replace(taken, rendering=replace(taken.rendering, depth=ramp))).sum(axis=2).ravel().astype(int)
    assert (np.diff(shown[1:]) <= 0).all()
    assert shown[0] == shown.min()
    rendering = taken.rendering
    brighter = replace(taken, rendering=replace(rendering, irradiance=2 * rendering.irradiance))
    assert np.abs(sheet.light(brighter).astype(int) - sheet.light(taken)).max() <= 1


def test_parts_have_their_colours_and_what_is_hidden_is_grey(taken: Taken) -> None:
    part = np.array([[0, 7], [-1, -1]], np.int8)
    mask, amodal = part >= 0, np.array([[True, True], [True, False]])
    seen = sheet.parts(replace(taken, rendering=replace(taken.rendering, part=part, mask=mask, amodal=amodal)))
    assert [sheet._hex(tuple(pixel)) for pixel in seen.reshape(-1, 3).tolist()] == [  # type: ignore[arg-type]
        sheet.COLOURS[0], sheet.COLOURS[7], sheet._hex(sheet.HIDDEN), sheet._hex(sheet.BACKGROUND),
    ]  # fmt: skip
    assert len(sheet.COLOURS) == len(PARTS)


def test_a_world_by_day_has_a_sheet_without_night_pictures(tmp_path: Path) -> None:
    order = replace(ORDER, world=ORDER.world.model_copy(update={"times": ("day",), "identities": 1, "height": 32}))
    write.write(order, tmp_path / "world", executors.serial)
    laid = sheet.lay(order, sheet.shown(order, tmp_path / "world"))
    assert len(laid.pictures) == 3 * 6
    assert "true night" not in {line.text for line in laid.words}
