"""Pictures: decoding against Pillow, photometry against numpy, and every kind of file that is no good."""

import io
import math
import os
import struct
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from benchmark import images, keyed
from benchmark.images import PictureError

Mistake = Callable[..., AbstractContextManager[None]]
Attempt = Callable[..., Any]
Texture = Callable[[int, int, int], images.Picture]

ORIENTATION = 0x0112


def save(picture: NDArray[np.generic], kind: str, mode: str | None = None, **options: Any) -> bytes:  # noqa: ANN401
    """Encode with Pillow, after a change of mode where one is named."""
    image = Image.fromarray(picture)
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, kind, **options)
    return buffer.getvalue()


def pillow(data: bytes) -> images.Picture:
    """Decode with Pillow alone."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def noise(seed: int, height: int, width: int, low: int, high: int) -> images.Picture:
    """Draw a picture of independent bytes between two levels, both included."""
    count = np.arange(height * width * 3, dtype=np.uint64)
    drawn = low + np.floor(keyed.uniform(seed, count, "noise") * (high - low + 1))
    return drawn.astype(np.uint8).reshape(height, width, 3)


def assert_kernel_equals_numpy(picture: images.Picture) -> None:
    """Hold the compiled kernel to its numpy twin."""
    found, plain = images.photometry(picture), images.photometry_plain(picture)
    assert (found.width, found.height) == (picture.shape[1], picture.shape[0])
    np.testing.assert_allclose(found, plain, rtol=1e-9, atol=1e-9)


levels = st.tuples(st.integers(0, 255), st.integers(0, 255)).map(sorted)


@given(seed=st.integers(0, 2**32), height=st.integers(1, 70), width=st.integers(1, 70), levels=levels)
@example(seed=1, height=1, width=1, levels=[0, 255])
@example(seed=1, height=1, width=50, levels=[0, 255])
@example(seed=1, height=50, width=1, levels=[0, 255])
@example(seed=1, height=7, width=3, levels=[0, 255])
@example(seed=1, height=16, width=8, levels=[0, 255])
@example(seed=1, height=256, width=128, levels=[0, 255])
@example(seed=1, height=17, width=9, levels=[0, 0])
@example(seed=1, height=17, width=9, levels=[255, 255])
@example(seed=1, height=31, width=5, levels=[0, 4])
def test_the_kernel_equals_numpy(seed: int, height: int, width: int, levels: list[int]) -> None:
    assert_kernel_equals_numpy(noise(seed, height, width, *levels))


def test_the_kernel_reads_views_as_they_look() -> None:
    picture = noise(3, 40, 30, 0, 255)
    for view in (picture[::-1], picture[:, ::2], picture[:, :, ::-1], picture[5:21, 3:19]):
        assert_kernel_equals_numpy(view)


@given(seed=st.integers(0, 2**32), height=st.integers(1, 40), width=st.integers(1, 40), levels=levels)
def test_luma_and_percentiles_equal_pillow_and_numpy(seed: int, height: int, width: int, levels: list[int]) -> None:
    picture = noise(seed, height, width, *levels)
    grey = np.asarray(Image.fromarray(picture).convert("L"))
    light = images.photometry(picture)
    assert light.luma == pytest.approx(grey.mean(), rel=1e-12)
    assert (light.p05, light.p95) == pytest.approx(tuple(np.percentile(grey, [5, 95])), rel=1e-12)


def stops_slowly(picture: images.Picture) -> float:
    """Average over the 8 x 16 grid by repeating every pixel until the cells are whole blocks."""
    code = picture / 255
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
    tall, wide = (math.lcm(size, cells) for size, cells in zip(linear.shape, (16, 8), strict=True))
    big = linear.repeat(tall // linear.shape[0], 0).repeat(wide // linear.shape[1], 1)
    cells = big.reshape(16, tall // 16, 8, wide // 8).mean(axis=(1, 3))
    return float(np.log2(max(np.median(cells), 2**-13)))


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (16, 8), (33, 20), (64, 32), (50, 1)])
def test_stops_equal_their_definition(size: tuple[int, int]) -> None:
    for seed, (low, high) in enumerate([(0, 255), (0, 3), (200, 255), (30, 60)]):
        picture = noise(seed, *size, low, high)
        assert images.photometry(picture).stops == pytest.approx(stops_slowly(picture), abs=1e-9)


def test_black_white_and_the_thresholds() -> None:
    black, white = np.zeros((5, 4, 3), np.uint8), np.full((5, 4, 3), 255, np.uint8)
    assert images.photometry(black) == (4, 5, 0, 0, -13, 0, 0, 1, 0)
    assert images.photometry(white) == pytest.approx((4, 5, 255, 255, 0, 255, 255, 0, 1), abs=1e-12)
    four = np.array([[[3, 3, 3], [0, 4, 0], [250, 0, 0], [0, 0, 251]]], np.uint8)
    light = images.photometry(four)
    assert (light.dark, light.saturated) == (0.25, 0.25)
    assert light.lightness == images.lightness(four) == (3 + 4 + 250 + 251) / 4


@pytest.mark.parametrize("size", [(128, 64), (37, 19), (1, 1), (8, 300)])
@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"progressive": True}, {"quality": 20}], ids=str)
def test_jpeg_equals_pillow(texture: Texture, size: tuple[int, int], options: dict[str, Any]) -> None:
    data = save(texture(5, *size), "JPEG", **options)
    np.testing.assert_array_equal(images.decode(data), pillow(data))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_pictures_come_back(texture: Texture, kind: str) -> None:
    picture = texture(6, 21, 34)
    np.testing.assert_array_equal(images.decode(save(picture, kind)), picture)


def test_webp_equals_pillow(texture: Texture) -> None:
    data = save(texture(6, 21, 34), "WEBP")
    np.testing.assert_array_equal(images.decode(data), pillow(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_grey_becomes_three_equal_channels(texture: Texture, kind: str) -> None:
    data = save(texture(7, 40, 30), kind, "L")
    found = images.decode(data)
    assert found.shape == (40, 30, 3)
    np.testing.assert_array_equal(found, np.asarray(Image.open(io.BytesIO(data)))[:, :, None].repeat(3, 2))


@pytest.mark.parametrize("mode", ["P", "1"])
def test_palettes_and_bits_equal_pillow(texture: Texture, mode: str) -> None:
    data = save(texture(8, 40, 30), "PNG", mode)
    np.testing.assert_array_equal(images.decode(data), pillow(data))


def exif(orientation: int) -> bytes:
    """Make an EXIF block that asks for a turn."""
    block = Image.Exif()
    block[ORIENTATION] = orientation
    return block.tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_exif_orientation_is_ignored_and_counted(texture: Texture, kind: str) -> None:
    picture = texture(9, 48, 24)
    plain = save(picture, kind)
    turned = save(picture, kind, exif=exif(6))
    np.testing.assert_array_equal(images.decode(turned), images.decode(plain))
    assert images.is_rotated(turned)
    assert not images.is_rotated(plain)
    assert not images.is_rotated(save(picture, kind, exif=exif(1)))
    assert images.measure(turned).photometry == images.measure(plain).photometry
    assert images.measure(turned).rotated
    assert not images.measure(plain).rotated


def test_a_tiff_orientation_is_ignored_and_counted(texture: Texture) -> None:
    picture = texture(9, 48, 24)
    turned = save(picture, "TIFF", tiffinfo={ORIENTATION: 6})
    np.testing.assert_array_equal(images.decode(turned), picture)
    assert images.is_rotated(turned)
    assert not images.is_rotated(save(picture, "TIFF"))


def test_broken_exif_harms_nothing(texture: Texture) -> None:
    data = save(texture(9, 48, 24), "JPEG", exif=exif(6))
    start = data.index(b"Exif\0\0")
    for position in range(start, start + 30):
        broken = data[:position] + b"\xff" + data[position + 1 :]
        assert images.is_rotated(broken) in (True, False)


def opencv(picture: NDArray[np.uint16], suffix: str) -> bytes:
    """Encode with OpenCV, which writes 16 bits."""
    done, data = cv2.imencode(suffix, picture)
    assert done
    return data.tobytes()


def bomb() -> bytes:
    """Make a PNG of a few bytes that claims 40000 x 40000 pixels."""
    header = struct.pack(">IIBBBBB", 40000, 40000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    body = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def jpeg_bomb() -> bytes:
    """Make a JPEG whose header claims 60000 x 60000 pixels."""
    data = bytearray(save(np.zeros((8, 8, 3), np.uint8), "JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", 60000, 60000)
    return bytes(data)


SAMPLE = noise(1, 20, 30, 0, 255)
DEEP = SAMPLE.astype(np.uint16) * 256

BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty"),
    "text": (b"this is no picture\n" * 20, "not a picture"),
    "two bytes": (b"\xff\xd8", "broken or cut off|not a picture"),
    "zeros": (bytes(1000), "not a picture"),
    "cmyk jpeg": (save(SAMPLE, "JPEG", "CMYK"), "is CMYK, must be 8-bit RGB or grey"),
    "cmyk tiff": (save(SAMPLE, "TIFF", "CMYK"), "is CMYK, must be 8-bit RGB or grey"),
    "grey 16-bit png": (opencv(DEEP[:, :, 0], ".png"), "is 16-bit, must be 8-bit RGB or grey"),
    "grey 16-bit tiff": (opencv(DEEP[:, :, 0], ".tiff"), "is 16-bit, must be 8-bit RGB or grey"),
    "colour 16-bit png": (opencv(DEEP, ".png"), "is 16-bit, must be 8-bit RGB or grey"),
    "colour 16-bit tiff": (opencv(DEEP, ".tiff"), "is 16-bit, must be 8-bit RGB or grey"),
    "rgba png": (save(SAMPLE, "PNG", "RGBA"), "is transparent, must be 8-bit RGB or grey"),
    "grey alpha png": (save(SAMPLE, "PNG", "LA"), "is transparent, must be 8-bit RGB or grey"),
    "clear palette png": (save(SAMPLE, "PNG", "P", transparency=0), "is transparent, must be 8-bit RGB or grey"),
    "clear colour png": (save(SAMPLE, "PNG", transparency=(1, 2, 3)), "is transparent, must be 8-bit RGB or grey"),
    "float tiff": (save(SAMPLE, "TIFF", "F"), "is floating point, must be 8-bit RGB or grey"),
    "lab tiff": (save(SAMPLE, "TIFF", "LAB"), "is LAB, must be 8-bit RGB or grey"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nquit\n", "not a picture"),
    "png bomb": (bomb(), "pixels"),
    "jpeg bomb": (jpeg_bomb(), "60000 x 60000 pixels, must be at most 100 million"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_one_line(name: str) -> None:
    data, reason = BAD[name]
    with pytest.raises(PictureError, match=reason) as caught:
        images.decode(data)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
def test_a_cut_picture_is_refused(texture: Texture, attempt: Attempt, kind: str) -> None:
    data = save(texture(4, 64, 32), kind)
    whole = images.decode(data)
    refused = 0
    cuts = [*range(0, len(data) - 20, max(1, len(data) // 40)), *range(len(data) - 20, len(data))]
    for length in cuts:
        found = attempt(partial(images.decode, data[:length]))
        refused += found is None
        if found is not None:
            np.testing.assert_array_equal(found, whole)  # only the end mark was lost
    assert refused > len(cuts) - 25


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
@given(data=st.data())
def test_a_damaged_picture_is_a_picture_or_a_mistake(attempt: Attempt, kind: str, data: st.DataObject) -> None:
    whole = bytearray(save(SAMPLE, kind))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, min(len(whole), 400) - 1))] = data.draw(st.integers(0, 255))
    found = attempt(lambda: images.decode(bytes(whole)))
    if found is not None:
        assert found.dtype == np.uint8
        assert found.shape[2:] == (3,)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"RIFF"]))
def test_junk_is_a_mistake(junk: bytes, start: bytes) -> None:
    with pytest.raises(PictureError):
        images.decode(start + junk)


def test_load_names_the_file(pictures: Path, mistake: Mistake) -> None:
    (pictures / "bad.jpg").write_bytes(b"no picture")
    with mistake(pictures / "bad.jpg", "not a picture"):
        images.load(pictures, "bad.jpg")
    with mistake(pictures / "none.jpg", "is not there", "give --root"):
        images.load(pictures, "none.jpg")
    with mistake(pictures / "0", "cannot read", "directory"):
        images.load(pictures, "0")


def test_links_may_not_leave_the_root(pictures: Path, tmp_path: Path, mistake: Mistake) -> None:
    images.save(tmp_path / "outside" / "x.jpg", images.load(pictures, "0/0000.jpg"))
    (pictures / "leaves.jpg").symlink_to(tmp_path / "outside" / "x.jpg")
    (pictures / "leaving").symlink_to(tmp_path / "outside")
    (pictures / "stays.jpg").symlink_to("0/0000.jpg")
    (pictures / "staying").symlink_to(pictures / "0")
    (pictures / "loop").symlink_to("loop")
    for path in ("leaves.jpg", "leaving/x.jpg", "../outside/x.jpg", "leaving/../leaving/x.jpg"):
        with mistake(path, f"leaves the root {pictures}"):
            images.load(pictures, path)
    for path in ("stays.jpg", "staying/0000.jpg"):
        np.testing.assert_array_equal(images.load(pictures, path), images.load(pictures, "0/0000.jpg"))
    with mistake("loop"):
        images.load(pictures, "loop")


def test_a_root_may_be_a_link(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(pictures)
    np.testing.assert_array_equal(images.load(tmp_path / "link", "0/0000.jpg"), images.load(pictures, "0/0000.jpg"))


def test_a_root_may_be_relative(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pictures.parent)
    relative = images.load(Path(pictures.name), "0/0000.jpg")
    np.testing.assert_array_equal(relative, images.load(pictures, "0/0000.jpg"))


def test_save_and_load(tmp_path: Path, texture: Texture) -> None:
    picture = texture(3, 64, 32)
    for name in ("a.png", "A.PNG"):
        images.save(tmp_path / name, picture)
        np.testing.assert_array_equal(images.load(tmp_path, name), picture)
    images.save(tmp_path / "a.jpg", picture, quality=90)
    assert (tmp_path / "a.jpg").read_bytes() == images.encode(picture, 90)
    loss = np.abs(images.load(tmp_path, "a.jpg").astype(int) - picture)
    assert 0 < loss.mean() < 3
    assert images.encode(picture, 50) != images.encode(picture, 90)
    mirrored = images.encode(picture[:, ::-1])
    np.testing.assert_array_equal(images.decode(mirrored), pillow(mirrored))
    assert images.encode(picture[:, ::-1].copy()) == mirrored


def test_a_failed_save_leaves_the_old_picture(
    tmp_path: Path, texture: Texture, mistake: Mistake, monkeypatch: pytest.MonkeyPatch
) -> None:
    images.save(tmp_path / "a.jpg", texture(3, 64, 32))
    old = (tmp_path / "a.jpg").read_bytes()

    def fail(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", fail)
    with mistake(tmp_path / "a.jpg", "cannot write", "No space left"):
        images.save(tmp_path / "a.jpg", texture(4, 64, 32))
    assert (tmp_path / "a.jpg").read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]
