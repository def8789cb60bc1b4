"""Augmentation: the bits of Pillow and torchvision where they do the same, and the frequencies that were asked for."""

from typing import Any

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tv
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import binom, chisquare, ks_2samp, kstest
from torch import Tensor

from benchmark.runner import augment
from benchmark.runner.augment import Draws
from benchmark.runner.recipe import Augment

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
NONE = Augment(flip=0, pad=0, erase=0)
MANY = np.arange(20_000)
SIZE = (64, 32)


@pytest.fixture(params=["cpu", "device"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Work on the way of the CPU, or on that of a GPU; both run on a CPU."""
    if request.param == "device":
        monkeypatch.setattr(augment, "_cut", augment._looked_up)
        monkeypatch.setattr(augment, "_erased_in_place", augment._erased_by_mask)
    return str(request.param)


def pixels(count: int, height: int = 24, width: int = 12, low: int = 0) -> Tensor:
    """Make noise; two pictures are never alike."""
    rng = np.random.default_rng(count * height)
    return torch.from_numpy(rng.integers(low, 256, (count, height, width, 3), dtype=np.uint8))


def drawn(options: Augment, count: int, size: tuple[int, int] = (24, 12), seed: int = 0) -> Draws:
    return augment.draw(options, size, seed, 0, 0, 0, np.arange(count))


def pillow(of: Tensor) -> list[Image.Image]:
    return [Image.fromarray(picture) for picture in of.numpy()]


def published(picture: Image.Image, draws: Draws, row: int, pad: int) -> Tensor:
    """Mirror, pad and cut as torchvision does."""
    width, height = picture.size
    picture = tv.hflip(picture) if draws.flip[row] else picture
    picture = tv.crop(tv.pad(picture, pad, fill=0), int(draws.top[row]), int(draws.left[row]), height, width)
    found: Tensor = tv.to_tensor(picture)
    return found


def test_without_augmentation_it_is_pillow_and_torchvision_bit_for_bit(path: str) -> None:
    of = pixels(9)
    images, views = augment.apply(of, None, drawn(NONE, 9), NONE, IMAGENET, ("raw", "resized", "parent"))
    raw = torch.stack([tv.to_tensor(picture) for picture in pillow(of)])
    assert torch.equal(images, torch.stack([tv.normalize(one, *IMAGENET) for one in raw]))
    assert all(torch.equal(views[name], raw) for name in ("raw", "resized", "parent"))
    plain, seen = augment.plain(of, of.flip(0), IMAGENET, ("raw", "resized", "parent"))
    assert torch.equal(plain, images)
    assert torch.equal(seen["raw"], raw)
    assert torch.equal(seen["resized"], raw)
    assert torch.equal(seen["parent"], raw.flip(0))


def test_every_byte_becomes_the_float_that_torchvision_makes_of_it() -> None:
    of = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).expand(1, 16, 16, 3)
    images, _ = augment.plain(of, None, IMAGENET)
    assert torch.equal(images[0], tv.normalize(tv.to_tensor(of[0].numpy()), *IMAGENET))


@pytest.mark.parametrize("pad", [0, 1, 10, 40])
def test_the_geometry_is_torchvisions_bit_for_bit(path: str, pad: int) -> None:
    of, options = pixels(60), Augment(flip=0.5, pad=pad, erase=0)
    draws = drawn(options, 60)
    images, views = augment.apply(of, None, draws, options, IMAGENET, ("raw", "resized"))
    raw = torch.stack([published(picture, draws, row, pad) for row, picture in enumerate(pillow(of))])
    assert torch.equal(views["raw"], raw)
    assert torch.equal(images, torch.stack([tv.normalize(one, *IMAGENET) for one in raw]))
    assert torch.equal(views["resized"], torch.stack([tv.to_tensor(picture) for picture in pillow(of)]))
    assert 0 < draws.flip.sum() < 60


def test_the_parent_has_the_very_geometry_of_the_image(path: str) -> None:
    of, options = pixels(50, low=1), Augment(flip=0.5, pad=5, erase=1, colour=1, grey=0.5, exchange=0.5)
    of[:, :, :, 1:] //= 2  # no channel is like another
    draws = drawn(options, 50)
    _, views = augment.apply(of, 255 - of, draws, options, IMAGENET, ("parent", "raw"))
    raw = torch.round(views["raw"] * 255)
    inside = raw.amax(1, keepdim=True) > 0
    assert torch.equal(torch.round(views["parent"] * 255), torch.where(inside, 255 - raw, 0))
    assert 0 < inside.float().mean() < 1
    _, alone = augment.apply(of, None, draws, options, IMAGENET, ("parent", "raw"))
    assert torch.equal(alone["parent"], alone["raw"])


def test_no_view_is_touched_by_what_comes_after_geometry(path: str) -> None:
    of = pixels(20)
    all_on = Augment(flip=0.5, pad=4, erase=1, erase_fill="mean", colour=1, grey=1, exchange=1)
    draws = drawn(all_on, 20)
    _, views = augment.apply(of, of, draws, all_on, IMAGENET, ("raw", "parent", "resized"))
    _, bare = augment.apply(of, of, draws, Augment(pad=4, erase=0), IMAGENET, ("raw", "parent", "resized"))
    assert all(torch.equal(views[name], bare[name]) for name in views)


def test_both_ways_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    for fill in ("zero", "mean", "noise"):
        options = Augment(pad=7, erase=0.8, erase_fill=fill, colour=0.5, grey=0.3, exchange=0.3)
        draws = drawn(options, 40)
        found = []
        for way in ("cpu", "device"):
            with monkeypatch.context() as patch:
                if way == "device":
                    patch.setattr(augment, "_cut", augment._looked_up)
                    patch.setattr(augment, "_erased_in_place", augment._erased_by_mask)
                found.append(augment.apply(pixels(40), None, draws, options, IMAGENET)[0])
        assert torch.equal(*found)


@pytest.mark.gpu
def test_a_gpu_gives_the_same_bits() -> None:
    views = ("raw", "resized", "parent")
    for fill in ("zero", "mean", "noise"):
        options = Augment(pad=7, erase=0.8, erase_fill=fill, exchange=0.5)
        draws = drawn(options, 40)
        here, seen = augment.apply(pixels(40), pixels(40) // 2, draws, options, IMAGENET, views)
        of = pixels(40).cuda()
        there, known = augment.apply(of, of // 2, draws, options, IMAGENET, views)
        assert torch.equal(there.cpu(), here)
        assert all(torch.equal(known[name].cpu(), seen[name]) for name in views)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**31),
    places=st.lists(st.integers(0, 200), min_size=1, max_size=8, unique=True),
    at=st.tuples(st.integers(0, 3), st.integers(0, 200), st.integers(0, 5000)),
)
def test_a_row_is_drawn_by_its_place_alone(seed: int, places: list[int], at: tuple[int, int, int]) -> None:
    options = Augment(colour=0.5, grey=0.5, exchange=0.5)
    whole = augment.draw(options, SIZE, seed, *at, np.arange(201))
    some = augment.draw(options, SIZE, seed, *at, np.array(places))
    for all_rows, few in zip(whole, some, strict=True):
        assert np.array_equal(all_rows[places], few)


def test_no_two_steps_or_seeds_are_alike() -> None:
    options = Augment(colour=1)
    first = augment.draw(options, SIZE, 0, 0, 0, 0, np.arange(8))
    for other in ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (0, 0, 1, 1)):
        again = augment.draw(options, SIZE, *other, np.arange(8))
        assert not np.array_equal(first.colour, again.colour)
        assert not np.array_equal(first.twin, again.twin)


def share(found: NDArray[Any], wanted: float) -> None:
    """Hold a share against the exact distribution of its count: outside of it once in a million seeds."""
    low, high = binom.ppf([5e-7, 1 - 5e-7], len(found), wanted)
    assert low <= int(found.sum()) <= high


def even(found: NDArray[Any], kinds: int) -> None:
    """Hold counts against an even spread."""
    assert set(np.unique(found)) == set(range(kinds))
    assert chisquare(np.bincount(found.astype(int), minlength=kinds)).pvalue > 1e-3


def test_everything_happens_as_often_as_was_asked() -> None:
    options = Augment(flip=0.3, pad=4, erase=0.6, colour=0.7, grey=0.2, exchange=0.4)
    draws = augment.draw(options, SIZE, 5, 0, 0, 0, MANY)
    share(draws.flip, 0.3)
    share(draws.erase[:, 2] > 0, 0.6)
    share((draws.colour != 1).any(axis=1), 0.7)
    share(draws.grey, 0.2)
    share(draws.exchange >= 0, 0.4)
    even(draws.exchange[draws.exchange >= 0], 3)
    even(draws.top, 9)
    even(draws.left, 9)
    even(draws.top * 9 + draws.left, 81)
    assert kstest(draws.twin, "uniform").pvalue > 1e-3
    assert kstest(draws.which, "uniform").pvalue > 1e-3


def test_nothing_hangs_on_another_thing() -> None:
    options = Augment(pad=4, colour=0.5, grey=0.5, exchange=0.5)
    draws = augment.draw(options, SIZE, 3, 0, 0, 0, MANY)
    happened = (draws.erase[:, 2] > 0, (draws.colour != 1).any(axis=1), draws.exchange >= 0)
    columns = (draws.flip, draws.top, draws.left, draws.noise, draws.grey, draws.twin, draws.which, *happened)
    assert abs(np.corrcoef(np.stack([column.astype(float) for column in columns])) - np.eye(10)).max() < 0.03


def test_what_never_or_always_happens() -> None:
    never = augment.draw(NONE, SIZE, 0, 0, 0, 0, MANY)
    for nothing in (never.flip, never.top, never.left, never.erase, never.grey, never.exchange + 1, never.colour - 1):
        assert not nothing.any()
    always = Augment(flip=1, erase=1, colour=1, grey=1, exchange=1)
    draws = augment.draw(always, SIZE, 0, 0, 0, 0, MANY)
    assert draws.flip.all()
    assert draws.grey.all()
    assert (draws.exchange >= 0).all()
    assert (draws.erase[:, 2:] > 0).all()


def test_colour_moves_as_far_as_was_asked_and_evenly() -> None:
    options = Augment(colour=1, brightness=0.2, contrast=0.15, saturation=0.4)
    factors = augment.draw(options, SIZE, 0, 0, 0, 0, MANY).colour
    for column, most in enumerate((0.2, 0.15, 0.4)):
        assert kstest((factors[:, column] - 1 + most) / (2 * most), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(factors.T) - np.eye(3)).max() < 0.03


def rectangle(rng: np.random.Generator, options: Augment) -> tuple[int, int, int, int]:
    """Draw a rectangle as published, one picture at a time."""
    height, width = SIZE
    for _ in range(100):
        area = rng.uniform(*options.erase_area) * height * width
        aspect = rng.uniform(*options.erase_aspect)
        high, wide = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if high < height and wide < width:
            return int(rng.integers(0, height - high + 1)), int(rng.integers(0, width - wide + 1)), high, wide
    return 0, 0, 0, 0


def test_rectangles_are_spread_as_the_published_loop_spreads_them() -> None:
    options, rng = Augment(erase=1), np.random.default_rng(1)
    boxes = augment.draw(options, SIZE, 1, 0, 0, 0, MANY).erase
    slow = np.array([rectangle(rng, options) for _ in MANY])
    for column in range(4):
        assert ks_2samp(boxes[:, column], slow[:, column]).pvalue > 1e-3
    assert ks_2samp(boxes[:, 2] * boxes[:, 3], slow[:, 2] * slow[:, 3]).pvalue > 1e-3
    assert ks_2samp(boxes[:, 2] / boxes[:, 3], slow[:, 2] / slow[:, 3]).pvalue > 1e-3


def test_rectangles_keep_their_bounds() -> None:
    options = Augment(erase=1, erase_area=(0.1, 0.2), erase_aspect=(0.5, 2.0))
    top, left, high, wide = augment.draw(options, SIZE, 1, 0, 0, 0, MANY).erase.T
    assert (top.min(), (top + high).max()) == (0, SIZE[0])  # within the picture, and up to its edges
    assert (left.min(), (left + wide).max()) == (0, SIZE[1])
    # Each side is rounded, by a half at most.
    area = SIZE[0] * SIZE[1]
    assert ((high + 0.5) * (wide + 0.5) >= 0.1 * area).all()
    assert ((high - 0.5) * (wide - 0.5) <= 0.2 * area).all()
    assert ((high + 0.5) / (wide - 0.5) >= 0.5).all()
    assert ((high - 0.5) / (wide + 0.5) <= 2).all()


def test_a_rectangle_that_never_fits_is_left_out() -> None:
    # Twice as high as wide, as the picture is: it would be the whole of it.
    options = Augment(erase=1, erase_area=(1, 1), erase_aspect=(2, 2))
    assert not augment.draw(options, SIZE, 0, 0, 0, 0, np.arange(5)).erase.any()


@pytest.mark.parametrize("fill", ["zero", "mean", "noise"])
def test_erasing_fills_the_rectangle_and_nothing_else(path: str, fill: Any) -> None:  # noqa: ANN401
    of, options = pixels(200), Augment(flip=0, pad=0, erase=0.7, erase_fill=fill)
    draws = drawn(options, 200)
    images, _ = augment.apply(of, None, draws, options, IMAGENET)
    plain, _ = augment.plain(of, None, IMAGENET)
    held = []
    for row, (top, left, high, wide) in enumerate(draws.erase):
        box = torch.zeros((24, 12), dtype=torch.bool)
        box[top : top + high, left : left + wide] = True
        assert torch.equal(images[row][:, ~box], plain[row][:, ~box])
        held.append(images[row][:, box])
    filled = torch.cat(held, 1)
    wanted = {"zero": (0.0, 0.0, 0.0), "mean": IMAGENET[0]}
    if fill in wanted:
        assert torch.equal(filled, torch.tensor(wanted[fill]).reshape(3, 1).expand_as(filled))
    else:
        assert kstest(filled.flatten().numpy(), "norm").pvalue > 1e-3
        assert abs(np.corrcoef(filled.numpy()) - np.eye(3)).max() < 0.05
        assert len(np.unique(draws.noise)) > 195


def test_colour_is_torchvisions(path: str) -> None:
    of, options = pixels(30), Augment(flip=0, pad=0, erase=0, colour=1, brightness=0.5, contrast=0.5, saturation=0.5)
    draws = drawn(options, 30)
    images, _ = augment.apply(of, None, draws, options, ((0.0,) * 3, (1.0,) * 3))
    for row, picture in enumerate(pillow(of)):
        brightness, contrast, saturation = draws.colour[row]
        one = tv.adjust_brightness(tv.to_tensor(picture), brightness)
        one = tv.adjust_saturation(tv.adjust_contrast(one, contrast), saturation)
        torch.testing.assert_close(images[row], one, rtol=0, atol=2e-6)


def test_a_factor_of_one_changes_no_bit() -> None:
    of, options = pixels(6), Augment(flip=0, pad=0, erase=0, colour=0.001)
    draws = drawn(options, 6)
    assert (draws.colour == 1).all()
    assert torch.equal(augment.apply(of, None, draws, options, IMAGENET)[0], augment.plain(of, None, IMAGENET)[0])


def test_grey_and_exchange_make_three_equal_channels_of_the_right_one() -> None:
    of = pixels(40)
    raw = augment.unit(of)
    neutral: Any = ((0.0,) * 3, (1.0,) * 3)
    grey = Augment(flip=0, pad=0, erase=0, grey=0.5)
    draws = drawn(grey, 40)
    images, _ = augment.apply(of, None, draws, grey, neutral)
    for row, is_grey in enumerate(draws.grey):
        wanted = tv.rgb_to_grayscale(raw[row], 3) if is_grey else raw[row]
        torch.testing.assert_close(images[row], wanted, rtol=0, atol=1e-6)
    exchange = Augment(flip=0, pad=0, erase=0, exchange=0.5)
    draws = drawn(exchange, 40)
    images, _ = augment.apply(of, None, draws, exchange, neutral)
    for row, channel in enumerate(draws.exchange):
        wanted = raw[row] if channel < 0 else raw[row][[channel] * 3]
        assert torch.equal(images[row], wanted)
    assert set(draws.exchange) == {-1, 0, 1, 2}


def test_a_row_does_not_depend_on_its_batch(path: str) -> None:
    options = Augment(pad=3, erase=0.5, erase_fill="noise", colour=0.5, grey=0.3, exchange=0.3)
    of, draws = pixels(16), drawn(options, 16)
    whole, _ = augment.apply(of, None, draws, options, IMAGENET)
    for row in range(16):
        own = Draws(*(column[row : row + 1] for column in draws))  # type: ignore[arg-type]
        alone, _ = augment.apply(of[row : row + 1], None, own, options, IMAGENET)
        assert torch.equal(alone[0], whole[row])


def test_what_it_was_given_stays_as_it_was(path: str) -> None:
    of, options = pixels(8), Augment(erase=1, colour=1, grey=1)
    before = of.clone()
    _, views = augment.apply(of, of, drawn(options, 8), options, IMAGENET, ("raw", "resized", "parent"))
    assert torch.equal(of, before)
    assert all(view.min() >= 0 and view.max() <= 1 for view in views.values())


def test_pictures_lie_with_channels_last() -> None:
    options = Augment()
    images, _ = augment.apply(pixels(4), None, drawn(options, 4), options, IMAGENET)
    assert images.shape == (4, 3, 24, 12)
    assert images.is_contiguous(memory_format=torch.channels_last)
