"""Augmentation of a whole batch at once, on whichever device its pixels lie.

The order is that of BoT and TransReID: mirror, pad, crop, colour, normalise, erase. What happens to a row is drawn on
the host, a function of (seed, stage, epoch, step, place in the batch over all processes), and is handed over as data.
"""

from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from benchmark import keyed
from benchmark.runner import recipe
from benchmark.runner.interfaces import Triple

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# As published (Zhong et al., AAAI 2020): a rectangle that does not fit is drawn again, at most so often.
_ATTEMPTS = 100
_NOISE_STARTS = 2**20
_GREY = (0.2989, 0.587, 0.114)  # Rec. 601, in torchvision's digits


class Draws(NamedTuple):
    """What happens to every row of a batch; one entry a row."""

    flip: Ints  # 1: mirrored
    top: Ints  # where the window lies in the padded picture
    left: Ints
    erase: Ints  # rows of (top, left, height, width); height 0: nothing is erased
    noise: Ints  # where the row's noise begins
    colour: Floats  # rows of factors for (brightness, contrast, saturation); 1 changes nothing
    grey: Ints  # 1: made grey
    exchange: Ints  # the channel that stands for all three; -1: none
    twin: Floats  # uniform: is a synthetic night shown?
    which: Floats  # uniform: which of them?


def draw(
    options: recipe.Augment, size: tuple[int, int], seed: int, stage: int, epoch: int, step: int, positions: Ints
) -> Draws:
    """Draw what happens to the rows at some places of a batch."""
    keys = keyed.keys([f"{stage}/{epoch}/{step}/{position}" for position in positions])

    def uniform(name: str) -> Floats:
        return keyed.uniform(seed, keys, name)

    window = 2 * options.pad + 1
    spread = np.array([options.brightness, options.contrast, options.saturation])
    factors = 1 + spread * (2 * np.stack([uniform(name) for name in ("brightness", "contrast", "saturation")], 1) - 1)
    return Draws(
        flip=(uniform("flip") < options.flip).astype(np.int64),
        top=(uniform("top") * window).astype(np.int64),
        left=(uniform("left") * window).astype(np.int64),
        erase=_boxes(options, size, seed, keys),
        noise=(uniform("noise") * _NOISE_STARTS).astype(np.int64),
        colour=np.where((uniform("colour") < options.colour)[:, None], factors, 1.0),
        grey=(uniform("grey") < options.grey).astype(np.int64),
        exchange=np.where(uniform("exchange") < options.exchange, (uniform("channel") * 3).astype(np.int64), -1),
        twin=uniform("twin"),
        which=uniform("which twin"),
    )


def _boxes(options: recipe.Augment, size: tuple[int, int], seed: int, keys: keyed.Words) -> Ints:
    """Draw rectangles: area and aspect uniform, and again where one is not smaller than the picture."""
    height, width = size
    boxes = np.zeros((len(keys), 4), np.int64)
    waiting = np.flatnonzero(keyed.uniform(seed, keys, "erase") < options.erase)
    for attempt in range(_ATTEMPTS):
        if not len(waiting):
            break
        own = keys[waiting]
        area, aspect, top, left = (keyed.uniform(seed, own, f"{name} {attempt}") for name in _BOX)
        area = height * width * _between(area, options.erase_area)
        aspect = _between(aspect, options.erase_aspect)
        high, wide = (np.rint(np.sqrt(side)).astype(np.int64) for side in (area * aspect, area / aspect))
        fits = (high < height) & (wide < width)
        tops, lefts = (top * (height - high + 1)).astype(np.int64), (left * (width - wide + 1)).astype(np.int64)
        boxes[waiting[fits]] = np.stack([tops, lefts, high, wide], 1)[fits]
        waiting = waiting[~fits]
    return boxes


_BOX = ("erased area", "erased aspect", "erased top", "erased left")


def _between(uniform: Floats, limits: tuple[float, float]) -> Floats:
    low, high = limits
    return low + (high - low) * uniform


def apply(
    pixels: Tensor,
    parents: Tensor | None,
    draws: Draws,
    options: recipe.Augment,
    normalise: tuple[Triple, Triple],
    wanted: Collection[str] = (),
) -> tuple[Tensor, dict[str, Tensor]]:
    """Augment bytes B x H x W x 3, and make the views that are wanted under the same geometry.

    Gives B x 3 x H x W, with channels last in memory; no row depends on the others.
    """
    device = pixels.device
    raw = unit(_geometry(pixels, draws, options.pad))
    views = {"raw": raw, "resized": unit(pixels)} if "resized" in wanted else {"raw": raw}
    if "parent" in wanted:
        views["parent"] = raw if parents is None else unit(_geometry(parents, draws, options.pad))
    images = raw
    if options.colour:
        images = _coloured(images, _sent(draws.colour.astype(np.float32), device))
    if options.grey:
        images = _where(_sent(draws.grey, device) > 0, grey(images), images)
    if options.exchange:
        images = _exchanged(images, _sent(draws.exchange, device))
    images = normalised(images, normalise)
    if options.erase:
        images = _erased(images, draws, options.erase_fill, normalise)
    return images, {name: views[name] for name in wanted}


def plain(
    pixels: Tensor, parents: Tensor | None, normalise: tuple[Triple, Triple], wanted: Collection[str] = ()
) -> tuple[Tensor, dict[str, Tensor]]:
    """Give pictures and views as they are, without augmentation."""
    raw = unit(pixels)
    views = {"raw": raw, "resized": raw, "parent": raw}
    if parents is not None and "parent" in wanted:
        views["parent"] = unit(parents)
    return normalised(raw, normalise), {name: views[name] for name in wanted}


def unit(pixels: Tensor) -> Tensor:
    """Turn bytes B x H x W x 3 into B x 3 x H x W in [0, 1]."""
    # By a tensor, not by a number: a GPU would multiply by 1 / 255, which rounds otherwise.
    return pixels.float().div_(torch.full((1,), 255.0, device=pixels.device)).permute(0, 3, 1, 2)


def normalised(images: Tensor, normalise: tuple[Triple, Triple]) -> Tensor:
    """Subtract the mean and divide by the deviation, as torchvision does."""
    count, channels, height, width = images.shape
    mean, std = _lines(normalise, width, images.device)
    # Whole lines of R, G, B, R, ...: a loop over three channels would be many times slower.
    lines = images.permute(0, 2, 3, 1).reshape(count, height, width * channels)
    return (lines - mean).div_(std).reshape(count, height, width, channels).permute(0, 3, 1, 2)


@lru_cache(maxsize=16)
def _lines(normalise: tuple[Triple, Triple], width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    # Kept: what is sent anew at every step makes the host wait for the device.
    mean, std = (torch.tensor(part).repeat(width).to(device) for part in normalise)
    return mean, std


def grey(images: Tensor) -> Tensor:
    """Give the luma of pictures, as one channel."""
    red, green, blue = images.unbind(1)
    return (_GREY[0] * red + _GREY[1] * green + _GREY[2] * blue).unsqueeze(1)


def _sent(values: Ints | NDArray[np.float32], device: torch.device) -> Tensor:
    return torch.from_numpy(values).to(device, non_blocking=True)


def _where(rows: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(rows.reshape(-1, 1, 1, 1), yes, no)


def _geometry(pixels: Tensor, draws: Draws, pad: int) -> Tensor:
    """Mirror, pad with black and cut the window."""
    return _cut(pixels, draws, pad) if pixels.device.type == "cpu" else _looked_up(pixels, draws, pad)


def _looked_up(pixels: Tensor, draws: Draws, pad: int) -> Tensor:
    """Find for every pixel of the batch where it comes from: a few large operations, as a GPU wants them."""
    count, height, width, _ = pixels.shape
    device = pixels.device
    flip, top, left = _sent(np.stack([draws.flip, draws.top, draws.left]), device).unsqueeze(2)
    y = torch.arange(height, device=device) + top - pad
    x = torch.arange(width, device=device) + left - pad
    inside = ((y >= 0) & (y < height)).unsqueeze(2) & ((x >= 0) & (x < width)).unsqueeze(1)
    x = torch.where(flip > 0, width - 1 - x, x).clamp_(0, width - 1)
    row = torch.arange(count, device=device).reshape(-1, 1, 1)
    found = pixels[row, y.clamp_(0, height - 1).unsqueeze(2), x.unsqueeze(1)]
    return torch.where(inside.unsqueeze(3), found, 0)


def _cut(pixels: Tensor, draws: Draws, pad: int) -> Tensor:
    """Copy every row's window: several times as fast on a CPU, and the same bits."""
    height, width = pixels.shape[1:3]
    found = torch.zeros_like(pixels)
    source, target = pixels.numpy(), found.numpy()
    for row, (flip, top, left) in enumerate(zip(draws.flip, draws.top - pad, draws.left - pad, strict=True)):
        (y, from_y), (x, from_x) = _overlap(int(top), height), _overlap(int(left), width)
        picture = cv2.flip(source[row], 1) if flip else source[row]
        target[row, y, x] = picture[from_y, from_x]
    return found


def _overlap(shift: int, length: int) -> tuple[slice, slice]:
    """Say which part of a line is filled, and from which part."""
    first = max(0, -shift)
    last = max(first, min(length, length - shift))
    return slice(first, last), slice(first + shift, last + shift)


def _coloured(images: Tensor, factors: Tensor) -> Tensor:
    """Change brightness, contrast and saturation, in this order, each as torchvision does."""
    brightness, contrast, saturation = factors.T.reshape(3, -1, 1, 1, 1)
    images = (images * brightness).clamp_(0, 1)
    images = _blended(images, grey(images).mean((1, 2, 3), keepdim=True), contrast)
    return _blended(images, grey(images), saturation)


def _blended(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    return (factor * images + (1 - factor) * other).clamp_(0, 1)


def _exchanged(images: Tensor, channel: Tensor) -> Tensor:
    """Let one channel stand for all three (Ye et al., ICCV 2021)."""
    rows = torch.arange(len(images), device=images.device)
    one = images[rows, channel.clamp(min=0)].unsqueeze(1)
    return _where(channel >= 0, one, images)


def _erased(images: Tensor, draws: Draws, fill: str, normalise: tuple[Triple, Triple]) -> Tensor:
    """Fill every row's rectangle, after normalisation."""
    if images.device.type == "cpu":
        return _erased_in_place(images, draws, fill, normalise)
    return _erased_by_mask(images, draws, fill, normalise)


def _erased_by_mask(images: Tensor, draws: Draws, fill: str, normalise: tuple[Triple, Triple]) -> Tensor:
    _, _, height, width = images.shape
    device = images.device
    top, left, high, wide = _sent(np.ascontiguousarray(draws.erase.T), device).reshape(4, -1, 1, 1, 1)
    y, x = torch.arange(height, device=device).reshape(-1, 1), torch.arange(width, device=device)
    box = (y >= top) & (y < top + high) & (x >= left) & (x < left + wide)
    values = _noise(images, draws.noise) if fill == "noise" else _colour(fill, normalise, device)
    return torch.where(box, values, images)


def _erased_in_place(images: Tensor, draws: Draws, fill: str, normalise: tuple[Triple, Triple]) -> Tensor:
    _, channels, height, width = images.shape
    length = channels * height * width
    for row in np.flatnonzero(draws.erase[:, 2]):
        top, left, high, wide = (int(number) for number in draws.erase[row])
        y, x = slice(top, top + high), slice(left, left + wide)
        if fill == "noise":
            own = _bank(length + _NOISE_STARTS, images.device)[int(draws.noise[row]) :][:length]
            images[row, :, y, x] = own.reshape(height, width, channels)[y, x].permute(2, 0, 1)
        else:
            images[row, :, y, x] = _colour(fill, normalise, images.device)
    return images


@lru_cache(maxsize=16)
def _colour(fill: str, normalise: tuple[Triple, Triple], device: torch.device) -> Tensor:
    values = normalise[0] if fill == "mean" else (0.0, 0.0, 0.0)
    return torch.tensor(values).reshape(3, 1, 1).to(device)


def _noise(images: Tensor, starts: Ints) -> Tensor:
    """Look up normal noise: the same bits on every device, which its own generator would not give."""
    count, channels, height, width = images.shape
    length = channels * height * width
    bank = _bank(length + _NOISE_STARTS, images.device)
    places = _sent(starts, images.device).reshape(-1, 1) + torch.arange(length, device=images.device)
    return bank[places].reshape(count, height, width, channels).permute(0, 3, 1, 2)


@lru_cache(maxsize=4)
def _bank(length: int, device: torch.device) -> Tensor:
    uniform = keyed.uniform(0, np.arange(length, dtype=np.uint64), "erasing noise")
    return torch.from_numpy(ndtri(uniform + 2.0**-25).astype(np.float32)).to(device)
