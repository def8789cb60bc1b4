"""Small copies: what changes of tone, cut and compression leave of them."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from scipy.stats import rankdata

from benchmark import images, keyed, thumbs
from benchmark.images import Picture

Texture = Callable[[int, int, int], Picture]


def test_ranks_are_the_means_of_tied_places() -> None:
    values = np.floor(20 * keyed.uniform(0, np.arange(512, dtype=np.uint64), "values")).reshape(32, 16)
    expected = (rankdata(values.ravel()) - 1) / (values.size - 1)
    assert np.allclose(thumbs.ranks(values).ravel(), expected, atol=1e-12)
    assert np.unique(thumbs.ranks(np.full((4, 4), 7.0))).tolist() == [0.5]


def test_a_flat_picture_has_no_gradient_and_is_like_nothing(texture: Texture) -> None:
    flat, other = thumbs.make(np.full((128, 64, 3), 9, np.uint8)), thumbs.make(texture(0, 128, 64))
    assert flat.gradient == 0
    assert not flat.coarse.any()
    assert thumbs.alike(flat.fine, other.fine) == thumbs.alike(flat.fine, flat.fine) == 0


def test_the_gradient_is_in_grey_levels_a_step() -> None:
    ramp = np.repeat(np.arange(128, dtype=np.uint8)[:, None, None], 64, axis=1).repeat(3, axis=2)
    # Four rows of the picture make one of 32, so a step down is 4 levels, one across is none.
    assert thumbs.make(ramp).gradient == pytest.approx(2, abs=0.01)


def test_a_coarse_copy_is_a_unit_vector_that_mirroring_turns(texture: Texture) -> None:
    picture = texture(1, 128, 64)
    coarse = thumbs.make(picture).coarse
    assert np.linalg.norm(coarse) == pytest.approx(1, abs=1e-5)
    turned = thumbs.mirrored(coarse[None])[0]
    assert turned @ thumbs.make(np.ascontiguousarray(picture[:, ::-1])).coarse == pytest.approx(1, abs=1e-5)
    assert coarse @ turned < 0.5


def test_tones_do_not_matter_and_pictures_do(texture: Texture) -> None:
    picture = texture(2, 128, 64)
    darker = (255 * (picture / 255) ** 2.2 + 0.5).astype(np.uint8)
    one = thumbs.make(picture)
    assert thumbs.alike(one.fine, thumbs.make(darker).fine) > 0.97
    assert thumbs.alike(one.fine, thumbs.make(255 - picture).fine) < 0.2
    assert thumbs.alike(one.fine, thumbs.make(texture(3, 128, 64)).fine) < 0.4


def test_what_was_cut_far_off_is_no_copy(texture: Texture) -> None:
    picture = texture(4, 128, 64)
    one = thumbs.make(picture)
    assert thumbs.alike(one.fine, thumbs.make(np.ascontiguousarray(picture[2:, :-2])).fine) > 0.8
    assert thumbs.alike(one.fine, thumbs.make(np.ascontiguousarray(picture[40:, 20:])).fine) < 0.5


def test_sizes_do_not_matter(texture: Texture) -> None:
    picture = images.decode(images.encode(texture(5, 256, 128)))
    half = picture.reshape(128, 2, 64, 2, 3).mean(axis=(1, 3)).round().astype(np.uint8)
    assert thumbs.alike(thumbs.make(picture).fine, thumbs.make(half).fine) > 0.95


def test_a_copy_may_be_moved_so_far_and_no_further(texture: Texture, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Image.fromarray(texture(7, 40, 20))
    wide = np.asarray(small.resize((80, 160), Image.Resampling.BICUBIC))
    one, moved = (thumbs.make(np.ascontiguousarray(wide[start : start + 120, :60])) for start in (0, 12))
    assert thumbs.alike(one.fine, moved.fine) > 0.95  # by a tenth of the height
    monkeypatch.setattr(thumbs, "MOVED", 0.08)
    assert thumbs.alike(one.fine, moved.fine) == 0
