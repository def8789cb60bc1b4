"""What the tests of the core share: textured pictures, a small manifest, and the law that a mistake is one line."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image, ImageFilter

from benchmark import images, keyed, manifest
from benchmark.errors import UserError

# No deadline: a shared machine is slow at times. Derandomised: a run is green or red for a reason, never by chance.
settings.register_profile("house", deadline=None, derandomize=True, database=None)
settings.load_profile("house")

# The first three share one camera; the sizes are none that a block or a cell of the grid divides.
SIZES = ((64, 32), (128, 64), (37, 19), (61, 45), (256, 128), (90, 31), (17, 16))


def _texture(seed: int, height: int, width: int) -> images.Picture:
    """Draw blurred noise: smooth enough for JPEG, and no two pictures alike."""
    counter = np.arange(height * width * 3, dtype=np.uint64)
    noise = (keyed.uniform(seed, counter, "texture") * 256).astype(np.uint8).reshape(height, width, 3)
    return np.asarray(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1.5))).copy()


@pytest.fixture(scope="session")
def texture() -> Callable[[int, int, int], images.Picture]:
    """Give a function (seed, height, width) -> picture."""
    return _texture


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Lay out a folder of seven pictures, one of them a PNG."""
    root = tmp_path / "pictures"
    for number, (height, width) in enumerate(SIZES):
        suffix = "png" if number == 3 else "jpg"
        images.save(root / f"{number % 2}" / f"{number:04d}.{suffix}", _texture(number, height, width), sync=False)
    return root


@pytest.fixture
def small(pictures: Path) -> manifest.Manifest:
    """Give the unmeasured manifest of `pictures`."""
    paths = [path.relative_to(pictures).as_posix() for path in sorted(pictures.rglob("*.*"))]
    pids, camids = [1, 1, 2, 2, 3, 0, -1], [1, 2, 1, 2, 3, 3, 1]
    return manifest.build({"path": paths, "pid": pids, "camid": camids}, "toy", pictures)


@contextlib.contextmanager
def _mistake(*words: object) -> Iterator[None]:
    with pytest.raises(UserError) as caught:
        yield
    message = str(caught.value)
    assert len(message.splitlines()) == 1, message
    for word in words:
        assert str(word) in message, f"{word!r} is not in: {message}"


@pytest.fixture(scope="session")
def mistake() -> Callable[..., AbstractContextManager[None]]:
    """Give a context that expects a UserError of one line, which holds all the words given."""
    return _mistake


def _attempt(work: Callable[[], Any], begins: str = "") -> Any:  # noqa: ANN401
    found = message = None
    try:
        found = work()
    except UserError as error:
        message = str(error)
    if message is not None:
        assert len(message.splitlines()) == 1, message
        assert message.startswith(begins), message
    return found


@pytest.fixture(scope="session")
def attempt() -> Callable[..., Any]:
    """Give a function that calls another: its result, or None where it raised a UserError of one line."""
    return _attempt
