"""The stand-in street and night keep the promises that the real ones will keep."""

from pathlib import Path

import numpy as np
import pytest

from benchmark import images, manifest
from synthesis import generate
from synthesis.street import stand_in


def test_a_crop_is_a_function_of_its_names_and_people_differ() -> None:
    assert np.array_equal(stand_in.crop(0, 3, 2, 1), stand_in.crop(0, 3, 2, 1))
    assert len({stand_in.figure(0, person) for person in range(1, 25)}) == 24
    assert stand_in.figure(0, 1) != stand_in.figure(1, 1)


@pytest.mark.parametrize("stops", [-0.5, -3.0, -7.0])
def test_less_light_is_that_much_less_in_linear_light(stops: float) -> None:
    picture = np.full((16, 8, 3), 200, np.uint8)
    before, dark = images.photometry(picture), generate.darken(picture, stops).astype(int)
    # One code of 255 is a large step in the dark, so the bound is a code either way.
    low, high = (images.photometry((dark + step).astype(np.uint8)).stops for step in (-1, 1))
    assert low <= before.stops + stops <= high
    assert dark.max() < 200


def test_night_inherits_who_where_and_what_and_replays_byte_for_byte(tmp_path: Path) -> None:
    stand_in.write(tmp_path / "street-day", 0)
    day = manifest.read(tmp_path / "street-day" / "manifest.parquet")
    nights = [generate.write(day, tmp_path / name, 0) for name in ("one", "two")]
    assert nights[0].table.equals(nights[1].table)
    one, two = (sorted((tmp_path / name).rglob("*.jpg")) for name in ("one", "two"))
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]
    assert nights[0].table["parent"].to_pylist() == day.table["image_id"].to_pylist()
    assert set(nights[0].column("time")) == {"night"}
    assert nights[0].table["id_space"].equals(day.table["id_space"])
