"""What is plotted of light and size equals what is counted."""

from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.patches import Rectangle, StepPatch

from benchmark import counts
from benchmark.figures import light_size
from benchmark.manifest import Manifest

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def steps(axes: "Axes") -> dict[str, StepPatch]:
    return {str(patch.get_label()): patch for patch in axes.patches if isinstance(patch, StepPatch)}


def bars(axes: "Axes") -> list[list[float]]:
    return [[bar.get_height() for bar in group if isinstance(bar, Rectangle)] for group in axes.containers]


def test_light_histograms_hold_the_visible_pictures_of_every_split(dusk: Manifest) -> None:
    axes = light_size.light_size([dusk]).axes[0]
    frame = dusk.frame()
    frame = frame[frame["modality"] == "visible"]
    drawn = steps(axes)
    chosen = {"train": frame[frame["split"] == "train"], "test": frame[frame["split"] == "test"], "all": frame}
    assert set(drawn) == {f"{split} ({len(rows)})" for split, rows in chosen.items()}
    for split, rows in chosen.items():
        shares = drawn[f"{split} ({len(rows)})"].get_data()[0]
        slow = [sum(5.1 * bin <= light < 5.1 * (bin + 1) for light in rows["lightness"]) for bin in range(50)]
        assert shares.tolist() == pytest.approx([100 * number / len(rows) for number in slow])
        assert shares.sum() == pytest.approx(100)


def test_level_bars_are_the_counted_shares(dusk: Manifest) -> None:
    made = light_size.light_size([dusk])
    for position, scheme in ((1, counts.LIGHT), (3, counts.SIZE)):
        found = counts.levels(dusk, scheme)
        assert not isinstance(found, str)
        table = counts.by_split(counts.splits(dusk), found)
        expected = [100 * row / row.sum() for row in table.values()]
        assert bars(made.axes[position]) == pytest.approx(np.array(expected))
        assert [text.get_text() for text in made.axes[position].texts][:3] == [f"{share:.0f}" for share in expected[0]]


def test_pictures_beyond_the_last_bin_are_in_it_and_it_is_said(dusk: Manifest) -> None:
    heights = np.full(len(dusk), 120.0, np.float32)
    heights[0] = 5000
    axes = light_size.light_size([dusk.with_columns(h=heights)]).axes[2]
    shares, edges, _ = steps(axes)[f"all ({len(dusk)})"].get_data()
    assert edges[-1] < 5000
    assert shares[-1] == pytest.approx(100 / len(dusk))
    assert f"last bin: {edges[-2]:g} and up" in axes.get_xlabel()


def test_edges_are_bin_edges_and_drawn(dusk: Manifest) -> None:
    made = light_size.light_size([dusk])
    for position, edges in ((0, [25.5, 51.0]), (2, [100.0, 200.0])):
        axes = made.axes[position]
        assert [float(np.asarray(line.get_xdata())[0]) for line in axes.lines] == edges
        assert set(edges) <= set(next(iter(steps(axes).values())).get_data()[1].tolist())


def test_two_manifests_share_their_axes_and_an_unmeasured_one_says_so(dusk: Manifest, noon: Manifest) -> None:
    made = light_size.light_size([dusk, dusk.select(dusk.column("pid") == 1), noon])
    assert len(made.axes) == 12
    for row in (0, 2):  # three sets beside each other: three panels a row
        assert made.axes[3 * row].get_xlim() == made.axes[3 * row + 1].get_xlim()
        assert made.axes[3 * row].get_ylim() == made.axes[3 * row + 1].get_ylim()
    assert "dusk (1): 32 visible pictures" in made.axes[0].get_title(loc="left")
    assert "luxreid data" in made.axes[2].texts[0].get_text()
    assert "visible pictures only" in made.get_suptitle()


@pytest.mark.parametrize(("number", "across", "down"), [(1, 4, 1), (2, 2, 4), (3, 3, 4), (4, 4, 4)])
def test_a_few_sets_stand_side_by_side_and_more_under_each_other(
    number: int, across: int, down: int, dusk: Manifest
) -> None:
    made = light_size.light_size([dusk] * number)
    made.draw_without_rendering()
    boxes = [axes.get_position() for axes in made.axes]
    assert (len({round(box.x0, 2) for box in boxes}), len({round(box.y0, 2) for box in boxes})) == (across, down)
    labels = [axes.get_xlabel().split(",")[0] for axes in made.axes if axes.get_xlabel()]
    assert (labels.count("lightness"), len(labels)) == (number, 2 * number)


def test_a_set_without_splits_draws_one_line(dusk: Manifest) -> None:
    plain = dusk.with_columns(split="none", gallery=np.zeros(len(dusk), bool))
    assert list(steps(light_size.light_size([plain]).axes[0])) == ["all (32)"]
