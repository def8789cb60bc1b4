"""The one place that opens and writes videos: H.264 in, or whatever FFmpeg reads, and H.264 out, through PyAV."""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, NamedTuple

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from benchmark import durable
from benchmark.images import Picture, PictureError

SUFFIXES = (".mp4", ".mkv", ".avi", ".mov")
DENOMINATOR = 60_000  # of a frame rate: holds 30000/1001
# As a camera encodes, which cannot look ahead. One thread, the same arithmetic on every processor, and no date in the
# file: equal frames give equal bytes. (What looks ahead reads memory that nobody filled where a width is odd for it.)
_ENCODER = {
    **{"preset": "medium", "tune": "zerolatency", "threads": "1", "flags": "+bitexact"},
    "x264-params": "cpu-independent=1:scenecut=0",
}
# A whole picture begins every second and only there, the others build on the one before them: a GOP as long as the
# frame rate, of one I-frame and P-frames, as surveillance cameras have it (Axis, user manual of the Q86 series, "About
# GOP length"). x264's own 250 frames let a night's noise fade from the first frame on and never come back.
GOP_SECONDS = 1
# Without these the conversion between RGB and YUV rounds down: a picture loses more than one code each time.
_EXACT = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)
_MUXER = {"fflags": "+bitexact", "movflags": "+faststart"}


class Frame(NamedTuple):
    """One picture of a video."""

    number: int  # from 0, in the order shown
    seconds: float  # since the first
    picture: Picture


class Shape(NamedTuple):
    """What a video says of itself."""

    width: int
    height: int
    fps: float
    frames: int  # 0 where it does not say


def shape(path: Path) -> Shape:
    """Look at a video without decoding it."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate
        return Shape(stream.codec_context.width, stream.codec_context.height, float(rate or 0), stream.frames)


def read(path: Path) -> Iterator[Picture]:
    """Decode a video picture by picture; one that is broken or cut off raises `PictureError`."""
    return (frame.picture for frame in frames(path))


def frames(path: Path) -> Iterator[Frame]:
    """Decode a video with numbers and times; a rotation that the file asks for is ignored, as with pictures."""
    number, begin = -1, 0.0
    with _opened(path) as container:
        stream = container.streams.video[0]
        # A decoder hides what it cannot read behind the frame before; a broken file must not look whole.
        stream.codec_context.options = {"err_detect": "explode"}
        stream.codec_context.thread_count = 1
        declared = stream.frames
        for number, frame in enumerate(container.decode(stream)):
            if frame.is_corrupt:
                raise PictureError(f"{path}: frame {number} is broken")
            seconds = float(frame.time or 0.0)
            begin = begin if number else seconds
            yield Frame(number, seconds - begin, _picture(frame))
    if number + 1 < max(declared, 1):
        raise PictureError(f"{path}: broken or cut off: {number + 1} of {declared} frames can be read")


def _picture(frame: av.VideoFrame) -> Picture:
    return np.asarray(frame.reformat(format="rgb24", interpolation=_EXACT).to_ndarray(), np.uint8)


def write(path: Path, numbered: Iterable[tuple[int, Picture]], fps: float, crf: int) -> None:
    """Write pictures of one size as H.264 in MP4, atomically; each comes with its number in time, the first with 0.

    An odd side is made even by repeating its last line, since H.264 halves the resolution of colours.
    """
    durable.write_atomically(path, lambda file: _encode(file, numbered, fps, crf))


def stored(picture: Picture, crf: int) -> Picture:
    """Say what is left of a picture that begins a video."""
    file = io.BytesIO()
    _encode(file, [(0, picture)], 25.0, crf, bare=True)
    file.seek(0)
    height, width, _ = picture.shape
    with av.open(file, "r", format="h264") as container:
        return _picture(next(container.decode(video=0)))[:height, :width]


def _encode(
    file: IO[bytes], numbered: Iterable[tuple[int, Picture]], fps: float, crf: int, *, bare: bool = False
) -> None:
    rate = Fraction(fps).limit_denominator(DENOMINATOR)
    kind = {"format": "h264"} if bare else {"format": "mp4", "options": _MUXER}
    with av.open(file, "w", **kind) as container:
        stream: Any = None
        for number, picture in numbered:
            even = np.pad(picture, [(0, length % 2) for length in picture.shape[:2]] + [(0, 0)], mode="edge")
            stream = stream or _stream(container, rate, even, crf)
            frame = _frame(even)
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        if stream is None:
            raise ValueError("a video needs at least one picture")
        container.mux(stream.encode(None))


def _stream(container: Any, rate: Fraction, picture: Picture, crf: int) -> Any:  # noqa: ANN401
    stream = container.add_stream("libx264", rate=rate, options=_ENCODER | {"crf": str(crf)})
    stream.height, stream.width, _ = picture.shape
    stream.pix_fmt, stream.codec_context.time_base = "yuv420p", 1 / rate
    stream.codec_context.gop_size = max(round(rate * GOP_SECONDS), 1)
    # Named, since players guess by the size where nothing is said.
    stream.codec_context.colorspace, stream.codec_context.color_range = Colorspace.ITU601, ColorRange.MPEG
    return stream


def _frame(picture: Picture) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    return frame.reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.MPEG, interpolation=_EXACT
    )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise PictureError(f"{path}: is not there")
    try:
        with av.open(path, "r") as container:
            if not container.streams.video:
                raise PictureError(f"{path}: holds no video")
            yield container
    except av.FFmpegError as error:
        raise PictureError(f"{path}: broken, or not a video that can be read: {error.strerror or error}") from None
