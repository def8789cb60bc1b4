"""The one place that opens and writes pictures, and measures their light.

`lightness`, the mean of max(R, G, B), is what every light level and every exposure in this project refers to.
"""

import hashlib
import io
import os
import warnings
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from benchmark import durable
from benchmark.errors import UserError

Picture = NDArray[np.uint8]  # height x width x 3, RGB

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")  # no others: Pillow hands PostScript to an outside program
MAX_PIXELS, MAX_SIDE = 100_000_000, 65_535  # a JPEG's longest side
_ORIENTATION = 0x0112
_PLAIN_MODES = ("1", "L", "P", "RGB")

# Rec. 601 luma in 16-bit fixed point, rounded: the arithmetic of Pillow's convert("L"), so luma is a whole number.
_RED, _GREEN, _BLUE, _HALF = 19595, 38470, 7471, 32768
GRID = (16, 8)  # rows and columns of the area-averaged grid whose median gives `stops`
FLOOR = 2.0**-13  # a black crop has no logarithm


def to_linear(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """Undo the curve of sRGB (IEC 61966-2-1): codes in [0, 1] become linear light."""
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def from_linear(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply the curve of sRGB: linear light in [0, 1] becomes codes."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)


_LUMINANCE = np.outer([0.2126, 0.7152, 0.0722], to_linear(np.arange(256) / 255))  # Rec. 709, a row a channel


class PictureError(UserError):
    """A picture that cannot be used; the text is the reason."""


class Photometry(NamedTuple):
    """The light of one picture, in the units of the manifest's columns."""

    width: int
    height: int
    lightness: float
    luma: float
    stops: float
    p05: float
    p95: float
    dark: float
    saturated: float


class Measurement(NamedTuple):
    """All that `data measure` learns from one file."""

    photometry: Photometry
    sha256: str
    rotated: bool  # an EXIF orientation was there, and was ignored


def locate(root: Path, path: str) -> Path:
    """Find a picture under its root; one that leaves the root through a link is refused."""
    file = root / path
    # The folder is looked up once for all its pictures; the picture itself may be a link too.
    place = Path(_real(str(file.parent))) / file.name
    place = Path(os.path.realpath(place)) if place.is_symlink() else place
    if not place.is_relative_to(_real(str(root))):
        raise PictureError(f"{path}: leaves the root {root} through a link")
    return file


def read(root: Path, path: str) -> bytes:
    """Read the file of one picture of a manifest."""
    file = locate(root, path)
    if not file.exists():
        raise UserError(f"{file}: is not there; if the pictures lie elsewhere, give --root")
    return durable.read_bytes(file)


def load(root: Path, path: str) -> Picture:
    """Read and decode one picture of a manifest."""
    file = root / path
    try:
        return decode(read(root, path))
    except PictureError as error:
        raise PictureError(f"{file}: {error}") from None


def decode(data: bytes) -> Picture:
    """Decode a picture to RGB. Grey becomes three equal channels; an EXIF orientation is ignored."""
    if not data:
        raise PictureError("the file is empty")
    if data[:2] == b"\xff\xd8":
        try:
            height, width, space, _ = simplejpeg.decode_jpeg_header(data)
            _check_size(height, width)
            if space not in ("CMYK", "YCCK"):
                # simplejpeg gives the very bytes that Pillow gives, in half the time, and refuses a cut file.
                picture: Picture = simplejpeg.decode_jpeg(data)
                return picture
        except ValueError:
            pass  # Pillow reads some files that this decoder does not, and says better what is wrong with the rest
    return _decode_with_pillow(data)


def is_rotated(data: bytes) -> bool:
    """Say whether a file asks to be turned or mirrored."""
    try:
        return bool(_exif(data).get(_ORIENTATION, 1) != 1)
    except Exception:  # broken metadata asks for nothing
        return False


def measure(data: bytes) -> Measurement:
    """Decode and measure one stored file."""
    return Measurement(photometry(decode(data)), hashlib.sha256(data).hexdigest(), is_rotated(data))


def encode(picture: Picture, quality: int = 95) -> bytes:
    """Encode to JPEG, without chroma subsampling: at crop size halved colour costs more than it saves."""
    data: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(picture), quality=quality, colorsubsampling="444")
    return data


def save(path: Path, picture: Picture, quality: int = 95, *, sync: bool = True) -> None:
    """Write a JPEG, or a PNG where the name says so, atomically."""
    if path.suffix.lower() == ".png":
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        durable.write_bytes(path, buffer.getvalue(), sync=sync)
    else:
        durable.write_bytes(path, encode(picture, quality), sync=sync)


def lightness(picture: Picture) -> float:
    """Give the mean over the crop of max(R, G, B), 0 to 255."""
    return photometry(picture).lightness


def photometry(picture: Picture) -> Photometry:
    """Measure the light of a picture with the compiled kernel."""
    height, width, _ = picture.shape
    return Photometry(width, height, *_photometry(np.ascontiguousarray(picture), _LUMINANCE))


def photometry_plain(picture: Picture) -> Photometry:
    """Measure the light of a picture with numpy: the definition to read, which the tests hold the kernel to."""
    height, width, _ = picture.shape
    brightest = picture.max(axis=2)
    red, green, blue = (picture[:, :, channel].astype(np.int64) for channel in range(3))
    luma = (_RED * red + _GREEN * green + _BLUE * blue + _HALF) >> 16
    linear = sum(_LUMINANCE[channel][picture[:, :, channel]] for channel in range(3))
    grid = _area_weights(height, GRID[0]) @ linear @ _area_weights(width, GRID[1]).T
    stops = np.log2(max(np.median(grid), FLOOR))
    p05, p95 = np.percentile(luma, [5, 95])
    light = (brightest.mean(), luma.mean(), stops, p05, p95, (brightest < 4).mean(), (brightest > 250).mean())
    return Photometry(width, height, *(float(value) for value in light))


def _area_weights(length: int, cells: int) -> NDArray[np.float64]:
    """Give the share of every cell's area that every pixel of a line covers."""
    edges = np.arange(cells + 1) * (length / cells)
    pixel = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    weights: NDArray[np.float64] = np.maximum(overlap, 0) * (cells / length)
    return weights


def _compiled(function):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Compile, and keep the result on disk where there is a folder to keep it in."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither this folder nor the user's cache can be written
        return numba.njit(nogil=True)(function)


@_compiled
def _photometry(picture, luminance):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    height, width, _ = picture.shape
    rows, columns = GRID
    peak = dark = saturated = 0
    # Four histograms in turn: in a dark picture neighbours hit one bin, and would wait for each other.
    counts = np.zeros((4, 256), np.int64)
    strips = np.zeros((rows, width))  # linear luminance, averaged down the lines of every row of cells
    brightest, luma, line = np.empty(width, np.uint8), np.empty(width, np.uint8), np.empty(width)
    for y in range(height):
        pixels = picture[y].reshape(-1)
        # Bytes only, and no sums: so the compiler makes a vector loop of it.
        for x in range(width):
            red, green, blue = pixels[3 * x], pixels[3 * x + 1], pixels[3 * x + 2]
            brightest[x] = max(red, max(green, blue))
            weighted = np.uint32(_RED) * np.uint32(red) + np.uint32(_GREEN) * np.uint32(green)
            luma[x] = (weighted + np.uint32(_BLUE) * np.uint32(blue) + np.uint32(_HALF)) >> np.uint32(16)
        # Sums of a line in 32 bits, which hold any line of a picture that is let in: twice as many at a time.
        line_peak, line_dark, line_saturated = np.uint32(0), np.uint32(0), np.uint32(0)
        for x in range(width):
            line_peak += np.uint32(brightest[x])
            line_dark += np.uint32(brightest[x] < 4)
            line_saturated += np.uint32(brightest[x] > 250)
        peak += int(line_peak)
        dark += int(line_dark)
        saturated += int(line_saturated)
        for x in range(width):
            counts[x & 3, luma[x]] += 1
            line[x] = luminance[0, pixels[3 * x]] + luminance[1, pixels[3 * x + 1]] + luminance[2, pixels[3 * x + 2]]
        for row in range(y * rows // height, rows):
            overlap = min((row + 1) * height / rows, y + 1.0) - max(row * height / rows, float(y))
            if overlap <= 0:
                break
            weight, strip = overlap * rows / height, strips[row]
            for x in range(width):
                strip[x] += weight * line[x]
    grid = np.empty((rows, columns))
    for row in range(rows):
        _average(strips[row], grid[row])
    cells = np.sort(grid.ravel())
    median = (cells[(len(cells) - 1) // 2] + cells[len(cells) // 2]) / 2
    histogram = counts.sum(axis=0)
    area = height * width
    total = 0
    for value in range(256):
        total += value * histogram[value]
    p05, p95 = _percentile(histogram, 5), _percentile(histogram, 95)
    return peak / area, total / area, np.log2(max(median, FLOOR)), p05, p95, dark / area, saturated / area


@_compiled
def _average(line, cells):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Average a line over equal cells; a pixel on an edge counts in both cells by its share."""
    length, count = len(line), len(cells)
    for cell in range(count):
        low, high = cell * length / count, (cell + 1) * length / count
        first, last = int(low), min(int(np.ceil(high)), length) - 1
        total = 0.0
        for x in range(first, last + 1):
            total += line[x]
        total -= line[first] * (low - first) + line[last] * (last + 1 - high)
        cells[cell] = total * count / length


@_compiled
def _percentile(histogram, percent):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give a percentile of a histogram, interpolated between neighbours as numpy.percentile does."""
    position = percent / 100 * (histogram.sum() - 1)
    below, seen = -1, 0
    for value in range(256):
        seen += histogram[value]
        if below < 0 and seen > int(position):
            below = value
        if below >= 0 and seen > int(np.ceil(position)):
            return below + (value - below) * (position - int(position))
    return 255.0


def _exif(data: bytes) -> Image.Exif:
    exif = Image.Exif()
    if data[:2] == b"\xff\xd8":
        start = data.find(b"Exif\0\0", 0, 65536)
        if start >= 0:
            exif.load(data[start:])
    elif data[:4] != b"\x89PNG" or b"eXIf" in data:  # Pillow decodes all of a PNG to look for it
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exif = Image.open(io.BytesIO(data), formats=_FORMATS).getexif()
    return exif


def _decode_with_pillow(data: bytes) -> Picture:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata; size is checked here
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
            _check_size(image.height, image.width)
            if image.mode not in _PLAIN_MODES or "transparency" in image.info or _is_deep(image):
                raise PictureError(f"is {_describe(image)}, must be 8-bit RGB or grey")
            if image.format == "TIFF":
                image.getexif()[_ORIENTATION] = 1  # else Pillow turns the picture while it decodes
            picture: Picture = np.array(image.convert("RGB"))
            return picture
    except Image.DecompressionBombError as error:
        raise PictureError(str(error)) from None
    except UnidentifiedImageError:
        raise PictureError("not a picture that can be read") from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError) as error:
        raise PictureError(f"broken or cut off: {error or type(error).__name__}") from None


def _is_deep(image: Image.Image) -> bool:
    """Say whether the file holds more than 8 bits a channel; the mode of a 48-bit picture is plain RGB."""
    return any(";16" in str(tile) for tile in getattr(image, "tile", ()))


def _describe(image: Image.Image) -> str:
    if image.mode.startswith("I") or _is_deep(image):
        return "16-bit"
    if image.mode in ("RGBA", "LA") or "transparency" in image.info:
        return "transparent"
    return {"F": "floating point"}.get(image.mode, image.mode)


def _check_size(height: int, width: int) -> None:
    if height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
        allowed = f"{MAX_PIXELS // 1_000_000} million, {MAX_SIDE} a side"
        raise PictureError(f"{width} x {height} pixels, must be at most {allowed}")


@lru_cache(maxsize=65536)
def _real(folder: str) -> str:
    return os.path.realpath(folder)
