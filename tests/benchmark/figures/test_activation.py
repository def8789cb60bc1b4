"""Heat where the map says so, the outline where the mask ends, and means, chance and intervals at their level."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import statistics
from benchmark.figures import activation, style
from benchmark.figures.activation import Level, Seen, Strip


def seen(mask: bool = True, caption: str = "") -> Seen:
    """Make a dark picture with a map that is warm in the upper left."""
    found = np.zeros((4, 2), np.float32)
    found[0, 0] = 1
    body = np.zeros((40, 20))
    body[10:30, 5:15] = 1
    return Seen(np.full((40, 20, 3), 20, np.uint8), found, body if mask else None, "light 9.1", caption)


def colourful(picture: NDArray[np.uint8]) -> NDArray[np.int64]:
    whole = picture.astype(np.int64)
    return np.asarray(whole.max(axis=2) - whole.min(axis=2))


def test_colour_lies_where_the_map_is_warm() -> None:
    made = activation.overlaid(seen(mask=False))
    assert made.shape == (activation.TALL, activation.TALL // 2, 3)
    rows, columns = (side // 2 for side in made.shape[:2])
    colour = colourful(made)
    assert colour[:10, :10].min() > 60
    assert colour[rows:].max() == colour[:, columns + columns // 2 :].max() == 0


def test_the_outline_of_the_person_is_white() -> None:
    without, with_mask = activation.overlaid(seen(mask=False)), activation.overlaid(seen())
    changed = np.argwhere((without != with_mask).any(axis=2))
    np.testing.assert_array_equal(changed.min(axis=0), [80, 40])
    np.testing.assert_array_equal(changed.max(axis=0), [239, 119])
    assert all((with_mask[row, column] == 255).all() for row, column in changed)
    inside = (changed > [80, 40]).all(axis=1) & (changed < [239, 119]).all(axis=1)
    assert not inside.any()


def test_a_map_of_nothing_colours_nothing() -> None:
    assert colourful(activation.overlaid(seen(mask=False)._replace(activation=np.zeros((4, 2))))).max() == 0


def test_a_level_is_two_rows_with_their_captions() -> None:
    made = activation.draw("$title", [Strip("Low", [seen(caption="60, chance 25")] * 3), Strip("High", [seen()] * 12)])
    assert len(made.axes) == 2 * 3 + 2 * activation.EACH
    texts = [text.get_text() for text in made.texts]
    assert texts[:3] == ["$title", activation.LEGEND, activation.OUTLINE]
    assert texts.count("light 9.1") == 3 + activation.EACH
    assert texts.count("60, chance 25") == 3
    assert [text for text in texts if text in ("Low", "High", "where it looks")] == [
        *("Low", "where it looks"),
        *("High", "where it looks"),
    ]
    np.testing.assert_array_equal(np.asarray(made.axes[3].images[0].get_array()), activation.overlaid(seen()))


def test_without_masks_nothing_is_said_of_them() -> None:
    texts = [text.get_text() for text in activation.draw("x", [Strip("all", [seen(mask=False)])]).texts]
    assert activation.OUTLINE not in texts


def test_headings_lie_in_the_figure() -> None:
    made = activation.draw("long title " * 8, [Strip("Low", [seen()])])
    made.canvas.draw()
    extents = [text.get_window_extent() for text in made.texts[:3]]
    width, height = made.get_size_inches() * made.dpi
    assert max(extent.x1 for extent in extents) <= width
    assert max(extent.y1 for extent in extents) <= height
    assert extents[2].y0 >= made.axes[0].get_window_extent().y1


def test_without_queries_it_says_so() -> None:
    assert "no query to show" in [text.get_text() for text in activation.draw("x", []).texts]
    assert "no masked query" in activation.shares("x", []).axes[0].texts[0].get_text()


def level(name: str, people: int, each: int = 2, nothing: int = 0) -> Level:
    rng = np.random.default_rng(people)
    share = rng.random(people * each)
    share[: each * nothing : each] = np.nan
    return Level(name, share, rng.random(people * each) / 2, np.repeat(np.arange(people), each))


def test_means_chance_and_intervals_stand_at_their_level() -> None:
    many, few = level("Low", 40, nothing=3), level("High", 10)
    made = activation.shares("x", [("night600-light", [many, level("Medium", 0), few])])
    (axes,) = made.axes
    lines = [np.asarray(one.get_ydata(), float) for one in axes.lines]
    for found in (many.known(), few):
        dots = [one for one in lines if len(one) == len(found.share)]
        np.testing.assert_allclose(dots[0], 100 * found.share)
        for value in (found.share.mean(), found.area.mean()):
            assert any(len(one) == 2 and np.allclose(one, 100 * value) for one in lines)
    known = many.known()
    (span,) = statistics.intervals(
        statistics.bootstrap(known.share[:, None], known.identities.astype(np.int64), activation.DRAWS)
    )
    drawn = [box.get_paths()[0].get_extents() for box in axes.collections if box.get_paths()]
    assert any(np.allclose([box.y0, box.y1], [100 * span.low, 100 * span.high], atol=0.5) for box in drawn)
    title = axes.get_title(loc="left").replace("\n", " ")
    assert title == "night600-light; left out: 3 queries in which nothing is activated"
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert labels[1] == "Medium\nno query"
    assert labels[0].startswith(f"Low\n{activation.said(known.share.mean(), known.area.mean())}\n77 queries\n40 id")
    assert labels[2].endswith("20 queries\n10 id\nunder 30:\nno interval")


def test_two_schemes_stand_side_by_side_and_are_drawn_again_alike(tmp_path: Path) -> None:
    schemes = [("night600-light", [level("Low", 35)]), ("stops-5", [level(name, 8) for name in "abcde"])]
    files = [style.save(activation.shares("x", schemes), tmp_path / name) for name in ("a", "b")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert [axes.get_title(loc="left") for axes in activation.shares("x", schemes).axes] == [
        "night600-light",
        "stops-5",
    ]


@pytest.mark.parametrize(("share", "text"), [(0.604, "60, chance 25"), (float("nan"), "nothing")])
def test_shares_are_said_with_what_chance_gives(share: float, text: str) -> None:
    assert activation.said(share, 0.25) == text
