"""Videos: what is written is read again, equal frames are equal bytes, and what is broken is one line."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from benchmark import images, video
from benchmark.errors import UserError
from benchmark.images import Picture, PictureError


def pan(count: int = 12, width: int = 96, height: int = 64) -> list[Picture]:
    """Give a smooth picture that moves to the right; its colours are soft, since their resolution is halved."""
    random = np.random.default_rng(0)
    coarse = random.uniform(50, 200, (6, 9, 1)) + random.uniform(-25, 25, (6, 9, 3))
    coarse[:, -1] = coarse[:, 0]
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    return [np.roll(picture, number, axis=1) for number in range(count)]


def psnr(one: Picture, other: Picture) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    video.write(tmp_path / "clip.mp4", enumerate(pan()), 25.0, 18)
    return tmp_path / "clip.mp4"


def test_what_is_written_is_read(clip: Path) -> None:
    found = list(video.frames(clip))
    assert [frame.number for frame in found] == list(range(12))
    assert [frame.seconds for frame in found] == pytest.approx(np.arange(12) / 25)
    assert min(psnr(frame.picture, picture) for frame, picture in zip(found, pan(), strict=True)) > 32
    # Every frame is nearest to the one it was made of, not to its neighbour.
    for frame in found:
        distance = [psnr(frame.picture, picture) for picture in pan()]
        assert int(np.argmax(distance)) == frame.number
    assert video.shape(clip) == (96, 64, 25.0, 12)


def test_conversion_does_not_darken(tmp_path: Path) -> None:
    flat = [np.full((64, 96, 3), code, np.uint8) for code in (6, 30, 90)]
    video.write(tmp_path / "flat.mp4", enumerate(flat), 25, 10)
    for frame, picture in zip(video.read(tmp_path / "flat.mp4"), flat, strict=True):
        assert abs(images.lightness(frame) - images.lightness(picture)) <= 1


def test_missing_numbers_are_missing_time(tmp_path: Path) -> None:
    numbers = [0, 1, 5, 6, 20]
    video.write(tmp_path / "gaps.mp4", zip(numbers, pan(), strict=False), 10, 23)
    assert [frame.seconds for frame in video.frames(tmp_path / "gaps.mp4")] == pytest.approx(np.array(numbers) / 10)


def test_equal_frames_give_equal_bytes(tmp_path: Path) -> None:
    for width in (96, 98, 103):
        files = [tmp_path / f"{width}-{number}.mp4" for number in range(4)]
        for file in files:
            # What the memory held before must not show.
            _ = [np.random.default_rng(1).integers(0, 256, 50_000, np.uint8) for _ in range(20)]
            video.write(file, enumerate(pan(20, width)), 25, 23)
        assert len({file.read_bytes() for file in files}) == 1


def test_an_odd_side_gains_a_line(tmp_path: Path) -> None:
    odd = pan(3, 45, 33)
    video.write(tmp_path / "odd.mp4", enumerate(odd), 25, 10)
    for frame, picture in zip(video.read(tmp_path / "odd.mp4"), odd, strict=True):
        assert frame.shape == (34, 46, 3)
        assert psnr(frame[:33, :45], picture) > 32


def test_every_second_begins_with_a_whole_picture(tmp_path: Path) -> None:
    cut = [*pan(10), *(255 - picture for picture in pan(15))]  # nothing but time asks for one
    video.write(tmp_path / "clip.mp4", enumerate(cut), 10, 23)
    with av.open(tmp_path / "clip.mp4") as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [place for place, packet in enumerate(packets) if packet.is_keyframe] == [0, 10, 20]
    assert [packet.pts for packet in packets] == [packet.dts for packet in packets]  # none is built on a later one


def test_a_higher_factor_stores_less(tmp_path: Path) -> None:
    sizes = []
    for crf in (18, 28, 38):
        video.write(tmp_path / f"{crf}.mp4", enumerate(pan()), 25, crf)
        sizes.append((tmp_path / f"{crf}.mp4").stat().st_size)
    assert all(more > less for more, less in pairwise(sizes))


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[int, Picture]]:
        yield 0, pan()[0]
        raise PictureError("frame 1 is broken")

    with pytest.raises(PictureError, match="frame 1"):
        video.write(tmp_path / "clip.mp4", broken(), 25, 23)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_file_that_is_cut_off_is_one_line(clip: Path, share: float) -> None:
    data = clip.read_bytes()
    clip.write_bytes(data[: int(share * len(data))])
    with pytest.raises(PictureError, match=r"clip\.mp4: ") as error:
        list(video.read(clip))
    assert "\n" not in str(error.value)


def test_broken_frames_are_not_hidden(clip: Path) -> None:
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + 2000
    data[start : start + 400] = bytes(400)
    clip.write_bytes(data)
    with pytest.raises(PictureError, match=r"clip\.mp4: .*(broken|cut off)"):
        list(video.read(clip))


def test_what_is_no_video_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video" * 100)
    with pytest.raises(UserError, match=r"text\.mp4: broken, or not a video"):
        list(video.read(tmp_path / "text.mp4"))
    with pytest.raises(UserError, match="is not there"):
        video.shape(tmp_path / "none.mp4")
