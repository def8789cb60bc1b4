"""Tests of what `data describe` prints and draws."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from benchmark import describe, executors, images, manifest, measure
from benchmark.card import Card
from benchmark.errors import UserError
from benchmark.manifest import Manifest

LIGHTS = (10, 30, 80)  # grey values of flat pictures: one of every light level


def pictures(folder: Path, source: str = "flat") -> Manifest:
    """Store flat pictures of two people seen by three cameras, each camera at a light level of its own."""
    rows: list[dict[str, Any]] = []
    for pid in (1, 2, 0, -1):
        for camera, light in enumerate(LIGHTS, 1):
            path, test = f"{pid}_{camera}.png", pid != 1
            images.save(folder / path, np.full((60 + 70 * camera, 50, 3), light, np.uint8))
            rows.append({"path": path, "pid": pid, "camid": camera, "split": "test" if test else "train"})
            rows[-1] |= {"query": pid == 2 and camera == 1, "gallery": test}
    return manifest.build({name: [row[name] for row in rows] for name in rows[0]}, source, folder)


@pytest.fixture
def flat(tmp_path: Path) -> Manifest:
    return measure.measure(pictures(tmp_path / "flat"), tmp_path / "shards", executors.serial)


def printed(manifests: list[Manifest], cards: list[Card | None] | None = None, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    describe.describe(manifests, cards or [None] * len(manifests), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def row(text: str, *begins: str) -> str:
    """Find the line that begins with some words after the line that begins with others, blanks made single."""
    lines = iter(text.splitlines())
    found = [next(line for line in lines if line.startswith(begin)) for begin in begins]
    return " ".join(found[-1].split())


def test_roles_are_counted_and_overlaps_are_said(flat: Manifest) -> None:
    text = printed([flat])
    assert row(text, "role", "train") == "train 3 1 3 0 0"
    assert row(text, "role", "query") == "query 1 1 1 0 0"
    assert row(text, "role", "gallery") == "gallery 9 1 3 3 3"
    assert row(text, "role", "all") == "all 12 2 3 3 3"
    assert row(text, "Mean", "all") == "all 3.0 (3-3) 3.0 1.0 (1-1)"
    assert "1 image counted in two rows: query and gallery." in text
    assert "in two rows" not in printed([flat.with_columns(query=np.zeros(12, bool))])


def test_levels_are_printed_with_their_scheme_and_edges(flat: Manifest) -> None:
    text = printed([flat])
    assert "night600-light@" in text
    assert "Low below 25.5, Medium [25.5, 51), High 51 and up" in text
    assert "Small below 100, Medium [100, 200), Big 200 and up" in text
    assert row(text, "Light:", "test") == "test 3 33 % 3 33 % 3 33 % 9"
    assert row(text, "Light:", "all") == "all 4 33 % 4 33 % 4 33 % 12"
    assert row(text, "Size:", "train") == "train 0 0 % 1 33 % 2 67 % 3"
    assert row(text, "Camera and light", "2") == "2 0 0 % 4 100 % 0 0 % 4"


def test_light_and_size_are_crossed(flat: Manifest) -> None:
    text = printed([flat])
    # Camera 1: 10 of 255 and 130 px; camera 2: 30 and 200 px; camera 3: 80 and 270 px.
    assert row(text, "Light and size", "Low") == "Low 0 0 % 4 100 % 0 0 % 4"
    assert row(text, "Light and size", "Medium") == "Medium 0 0 % 0 0 % 4 100 % 4"
    assert row(text, "Light and size", "High") == "High 0 0 % 0 0 % 4 100 % 4"


def test_infrared_pictures_have_no_light_level(flat: Manifest) -> None:
    camera = flat.column("camid")
    text = printed([flat.with_columns(modality=np.where(camera == 3, "infrared", "visible"))])
    assert row(text, "Light:", "all") == "all 4 50 % 4 50 % 0 0 % 8"
    assert row(text, "Size:", "all").endswith(" 12")
    assert row(text, "Camera and light", "3") == "3 0 - 0 - 0 - 0"
    assert "4 infrared or thermal images left out" in text


def test_a_scheme_with_one_occupied_level_says_so(flat: Manifest) -> None:
    text = printed([flat.select(flat.column("camid") == 2)])
    assert "night600-light has one occupied level, Medium: it divides nothing here." in text
    assert "one occupied level" not in printed([flat])


def test_an_unmeasured_manifest_is_counted_and_the_command_is_named(tmp_path: Path) -> None:
    text = printed([pictures(tmp_path)])
    assert row(text, "role", "all") == "all 12 2 3 3 3"
    hints = [line for line in text.splitlines() if "luxreid data measure" in line]
    assert len(hints) == 2
    assert "Low below" not in text


def test_size_needs_no_measures_where_the_boxes_are_known(tmp_path: Path) -> None:
    made = pictures(tmp_path).with_columns(h=np.repeat(np.array([99, 100, 200], np.float32), 4))
    text = printed([made])
    assert row(text, "Size:", "all") == "all 4 33 % 4 33 % 4 33 % 12"
    assert sum("luxreid data measure" in line for line in text.splitlines()) == 1


def test_sets_stand_side_by_side_and_brackets_of_a_card_are_text(flat: Manifest, tmp_path: Path) -> None:
    other = pictures(tmp_path / "other", "other")
    card = Card("Flat [bold]", counts={"all": (13, 2)}, view="[red]parallel")
    text = printed([flat, other], [card, None])
    assert row(text, "Sets compared", " ") == "Flat [bold] other"
    assert row(text, "Image Number") == "Image Number 12 (card: 13) 12"
    assert row(text, "Viewpoint") == "Viewpoint [red]parallel -"
    assert row(text, "Glimmer Image") == "Glimmer Image YES (33 %) -"


def test_many_sets_follow_each_other_in_a_narrow_terminal(tmp_path: Path) -> None:
    sets = [pictures(tmp_path / str(number), f"set-{number}") for number in range(describe.TABLE_SETS + 1)]
    text = printed(sets)
    assert text.count("Sets compared") == 2
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    for number in range(len(sets)):
        assert f"set-{number}" in text[text.index("Sets compared") :]


def test_figures_are_drawn_and_equal_input_gives_equal_bytes(flat: Manifest, tmp_path: Path) -> None:
    first, second = (
        describe.draw([flat], tmp_path / name, samples=True, limit=5, seed=3) for name in ("first", "second")
    )
    assert [path.relative_to(tmp_path / "first").as_posix() for path in first] == [
        *("light-size.png", "camera-light.png", "channels.png", "samples.png")
    ]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()
        picture = np.asarray(Image.open(one).convert("RGB"))
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10, f"{one.name} is blank"


def test_the_seed_chooses_the_samples_and_nothing_else(flat: Manifest, tmp_path: Path) -> None:
    drawn = [describe.draw([flat], tmp_path / str(seed), samples=True, limit=99, seed=seed) for seed in range(3)]
    *others, samples = (len({path.read_bytes() for path in paths}) for paths in zip(*drawn, strict=True))
    assert others == [1, 1, 1]
    assert samples > 1


def test_figures_hold_no_version_and_no_date(flat: Manifest, tmp_path: Path) -> None:
    drawn = describe.draw([flat], tmp_path / "figures", samples=False, limit=5, seed=0)
    assert [path.name for path in drawn] == ["light-size.png", "camera-light.png", "channels.png"]
    for path in drawn:
        with Image.open(path) as picture:
            assert set(picture.info) == {"dpi"}


def drawn(manifests: list[Manifest], out: Path, *, samples: bool = False) -> list[str]:
    return [path.name for path in describe.draw(manifests, out, samples=samples, limit=5, seed=0)]


def test_figures_with_nothing_to_show_are_not_drawn_and_that_is_said(
    flat: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = pictures(tmp_path / "plain")
    assert drawn([plain], tmp_path / "a", samples=True) == ["channels.png", "samples.png"]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("light-size.png and camera-light.png: not drawn; ")
    assert "luxreid data measure" in line
    tall = plain.with_columns(h=np.full(12, 99, np.float32))
    assert drawn([tall], tmp_path / "b") == ["light-size.png", "channels.png"]
    assert capsys.readouterr().out.startswith("camera-light.png: not drawn")
    assert drawn([plain, flat], tmp_path / "c") == ["light-size.png", "camera-light.png", "channels.png"]
    assert capsys.readouterr().out == ""
    assert drawn([flat.with_columns(modality="thermal")], tmp_path / "d") == ["light-size.png"]
    assert "channels.png: not drawn, for no picture is visible" in capsys.readouterr().out


def test_a_limit_below_one_is_refused(flat: Manifest, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--limit 0: must be 1 or more"):
        describe.draw([flat], tmp_path / "out", samples=False, limit=0, seed=0)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("samples", [False, True])
def test_a_picture_that_is_not_the_measured_one_leaves_no_figure(flat: Manifest, tmp_path: Path, samples: bool) -> None:
    file = flat.files()[-1]
    images.save(file, np.full((40, 40, 3), 200, np.uint8))
    with pytest.raises(UserError, match=f"{file}: is not the file that was measured; run `luxreid data measure"):
        describe.draw([flat], tmp_path / "out", samples=samples, limit=99, seed=0)
    assert not (tmp_path / "out").exists()


def test_a_sample_that_is_missing_leaves_no_figure(flat: Manifest, tmp_path: Path) -> None:
    # Infrared pictures are read by the sheet only, which is drawn last.
    blind = flat.with_columns(modality="infrared")
    for file in flat.files():
        file.unlink()
    with pytest.raises(UserError, match="is not there"):
        describe.draw([blind], tmp_path / "out", samples=True, limit=99, seed=0)
    assert not (tmp_path / "out").exists()
