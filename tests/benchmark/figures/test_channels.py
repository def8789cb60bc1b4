"""Channel sums against numpy on all pixels put together."""

import numpy as np
import pytest
from matplotlib.patches import StepPatch

from benchmark import images
from benchmark.figures import channels
from benchmark.images import Picture
from benchmark.manifest import Manifest


def coloured(seed: int, count: int) -> list[Picture]:
    rng = np.random.default_rng(seed)
    mix = rng.uniform(0, 1, (3, 3))
    return [
        np.clip(rng.integers(0, 120, (rng.integers(1, 40), rng.integers(1, 30), 3)) @ mix, 0, 255).astype(np.uint8)
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_one_pass_gives_numpys_correlation_and_histogram(seed: int) -> None:
    pictures = coloured(seed, 12)
    pixels = np.concatenate([picture.reshape(-1, 3) for picture in pictures])
    found = channels.statistics(iter(pictures))
    assert (found.pictures, found.pixels) == (12, len(pixels))
    assert found.correlation() == pytest.approx(np.corrcoef(pixels.T.astype(float)), abs=1e-12)
    for channel in range(3):
        assert found.histogram[channel].tolist() == np.histogram(pixels[:, channel], np.arange(257))[0].tolist()


def test_a_channel_that_never_changes_has_no_correlation() -> None:
    picture = coloured(0, 1)[0]
    picture[:, :, 1] = 7
    matrix = channels.statistics([picture, picture]).correlation()
    assert np.isnan(matrix).tolist() == [[False, True, False], [True, True, True], [False, True, False]]


def test_a_small_spread_in_very_many_pixels_does_not_drown() -> None:
    many = 10**9  # pixels of 255, 255, 255, and among them two that differ
    histogram = np.zeros((3, 256), np.int64)
    histogram[:, 255], histogram[:, 254] = many - 2, 2
    whole = many * 255**2 - 2 * (255**2 - 254**2)  # R and G differ in the same pixels, B in two others
    apart = many * 255**2 - 4 * (255**2 - 255 * 254)
    products = np.array([[whole, whole, apart], [whole, whole, apart], [apart, apart, whole]])
    matrix = channels.Statistics(1, histogram, products).correlation()
    assert matrix[0] == pytest.approx([1, 1, -2 / (many - 2)])


def test_no_picture_gives_empty_sums() -> None:
    assert channels.statistics([]).pixels == 0


def test_the_sample_is_visible_keyed_and_grows(dusk: Manifest) -> None:
    few, more = channels.sample(dusk, 5, 1), channels.sample(dusk, 9, 1)
    assert len(few) == 5
    assert set(few) < set(more)
    assert set(dusk.column("modality")[more]) == {"visible"}
    assert few != channels.sample(dusk, 5, 2)
    assert channels.sample(dusk, 1000, 1) == np.flatnonzero(dusk.column("modality") == "visible").tolist()


def test_the_plot_holds_the_sampled_files(dusk: Manifest) -> None:
    made = channels.channels([dusk], 7, 0)
    files = np.array(dusk.files())[channels.sample(dusk, 7, 0)]
    pixels = np.concatenate([images.decode(file.read_bytes()).reshape(-1, 3) for file in files])
    lines = [patch for patch in made.axes[0].patches if isinstance(patch, StepPatch)]
    for channel, line in enumerate(lines):
        shares = 100 * np.histogram(pixels[:, channel], np.arange(0, 257, 4))[0] / len(pixels)
        assert line.get_data()[0] == pytest.approx(shares)
        assert line.get_data()[1].tolist() == [4 * bin - 0.5 for bin in range(65)]
    assert [line.get_label() for line in lines] == ["R", "G", "B"]
    numbers = [text.get_text() for text in made.axes[1].texts]
    assert numbers == [f"{value:.3f}" for value in np.corrcoef(pixels.T.astype(float)).ravel()]
    assert made.axes[1].images[0].get_clim() == (-1, 1)  # a colour means one number, whatever the set
    assert "7 of 32 visible pictures read" in made.axes[0].get_title(loc="left")


def test_several_manifests_stand_under_each_other_on_one_scale(dusk: Manifest, noon: Manifest) -> None:
    blind = dusk.with_columns(modality="infrared")
    made = channels.channels([dusk, noon, blind], 3, 0)
    assert len(made.axes) == 6
    assert made.axes[0].get_ylim() == made.axes[2].get_ylim()
    assert "no visible pictures" in made.axes[4].texts[0].get_text()
