"""The stand-in night keeps the promises that the real one will keep."""

from pathlib import Path

import numpy as np
import pytest

from benchmark import executors, images, manifest, measure
from benchmark.manifest import Manifest
from synthesis import generate


@pytest.mark.parametrize("stops", [-0.5, -3.0, -7.0])
def test_less_light_is_that_much_less_in_linear_light(stops: float) -> None:
    picture = np.full((16, 8, 3), 200, np.uint8)
    before, dark = images.photometry(picture), generate.darken(picture, stops).astype(int)
    # One code of 255 is a large step in the dark, so the bound is a code either way.
    low, high = (images.photometry((dark + step).astype(np.uint8)).stops for step in (-1, 1))
    assert low <= before.stops + stops <= high
    assert dark.max() < 200


def test_night_inherits_who_where_and_what_and_replays_byte_for_byte(tmp_path: Path) -> None:
    day = small_day(tmp_path / "day")
    nights = [generate.write(day, tmp_path / name, 0) for name in ("one", "two")]
    assert nights[0].table.equals(nights[1].table)
    one, two = (sorted((tmp_path / name).rglob("*.jpg")) for name in ("one", "two"))
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]
    night = nights[0].table
    assert night["parent"].to_pylist() == day.table["image_id"].to_pylist()
    assert set(nights[0].column("time")) == {"night"}
    for name in ("id_space", "pid", "camid", "scene", "attributes", "look_alike"):
        assert night[name].equals(day.table[name]), name
    # A mask lies below the day's folder, and what was measured there is not measured here.
    assert "mask" not in night.column_names
    assert night["sha256"].null_count == night["width"].null_count == len(night)
    assert not set(nights[0].roots) & set(day.roots)


def small_day(folder: Path) -> Manifest:
    """Write a few pictures with all that a street's manifest says."""
    names = [f"day/{pid:04d}/c1_{frame:03d}.jpg" for pid in (1, 2) for frame in (0, 1)]
    for step, path in enumerate(names):
        images.save(folder / path, np.full((16, 8, 3), 90 + 20 * step, np.uint8))
    rows: dict[str, object] = {"path": names, "mask": [path.replace("day", "mask") for path in names]}
    rows |= {"pid": [1, 1, 2, 2], "camid": [1] * 4, "time": ["day"] * 4, "id_space": ["street-x-s0"] * 4}
    rows |= {"scene": [f"street-x-s0/{name}" for name in names], "look_alike": [False, False, True, True]}
    made = manifest.build(rows | {"attributes": ["hat: cap"] * 4}, "street-x-s0-day", folder)
    return measure.measure(made, folder / "shards", executors.serial)
