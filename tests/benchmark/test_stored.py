"""What is read of a manifest's pictures is what was measured, or nothing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmark import images, stored
from benchmark.errors import UserError
from benchmark.executors import serial
from benchmark.manifest import Manifest
from benchmark.measure import measure


def test_unchanged_files_are_read_as_they_are(small: Manifest, tmp_path: Path) -> None:
    measured = measure(small, tmp_path / "shards", serial)
    for row, file in enumerate(measured.files()):
        assert stored.read(measured, row) == file.read_bytes()
        assert np.array_equal(stored.load(measured, row), images.decode(file.read_bytes()))


def test_another_picture_in_the_place_of_a_measured_one_is_refused(
    small: Manifest, texture: Callable[[int, int, int], images.Picture], tmp_path: Path
) -> None:
    measured = measure(small, tmp_path / "shards", serial)
    file = measured.files()[1]
    images.save(file, texture(99, 30, 20))
    for read in (stored.read, stored.load):
        with pytest.raises(UserError, match=rf"{file}: is not the file that was measured; run `luxreid data measure"):
            read(measured, 1)
        read(measured, 0)
    # Nobody said which bytes an unmeasured row has.
    assert stored.load(small, 1).shape == (30, 20, 3)


def test_a_file_that_is_no_picture_is_named(small: Manifest) -> None:
    file = small.files()[2]
    file.write_text("no picture")
    assert stored.read(small, 2) == b"no picture"
    with pytest.raises(UserError, match=f"{file}: not a picture"):
        stored.load(small, 2)
