"""The cache: the bytes that Pillow gives, whatever happened to it while it was made or since."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from benchmark import executors, images, manifest, measure
from benchmark.manifest import Manifest
from benchmark.runner import cache
from benchmark.runner.cache import Cache

Mistake = Callable[..., Any]

SIZE = (24, 12)


class Counting:
    """Work here, count the shards, and fail as asked before one of them."""

    def __init__(self, fails_at: int | None = None, error: BaseException | None = None) -> None:
        self.fails_at, self.error, self.done = fails_at, error or KeyboardInterrupt(), 0

    def __call__(self, function: Callable[[Any], Any], shards: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        for position, shard in enumerate(shards):
            if position == self.fails_at:
                raise self.error
            self.done += 1
            yield position, function(shard)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_SHARD_ROWS", 2)


def opened(of: Manifest, folder: Path, executor: Any = executors.serial, resample: str = "bicubic") -> Cache:  # noqa: ANN401
    return cache.opened(of, SIZE, resample, folder, executor)


def slow(of: Manifest, resample: Image.Resampling) -> NDArray[np.uint8]:
    """Decode and resize with Pillow alone."""
    height, width = SIZE
    found = [Image.open(file).convert("RGB").resize((width, height), resample) for file in of.files()]
    return np.stack([np.asarray(picture) for picture in found])


@pytest.mark.parametrize("resample", ["bicubic", "bilinear", "box"])
def test_it_holds_what_pillow_gives(small: Manifest, tmp_path: Path, resample: str) -> None:
    kept = opened(small, tmp_path / "cache", resample=resample)
    wanted = slow(small, Image.Resampling[resample.upper()])
    assert np.array_equal(kept.pixels, wanted)
    assert {file.suffix for file in small.files()} == {".jpg", ".png"}
    assert np.array_equal(np.load(kept.path / "pixels.npy"), wanted)  # any tool can read it
    assert not kept.pixels.flags.writeable


def test_the_sums_are_those_of_the_pixels(small: Manifest, tmp_path: Path) -> None:
    kept = opened(small, tmp_path)
    numbers = kept.pixels.reshape(-1, 3).astype(np.int64)
    assert kept.sums.pixels == len(numbers)
    assert kept.sums.first == tuple(numbers.sum(axis=0))
    assert kept.sums.second == tuple((numbers**2).sum(axis=0))


@given(rows=st.lists(st.integers(0, 6), max_size=20))
def test_rows_come_in_the_order_asked(rows: list[int]) -> None:
    pixels = np.arange(7 * 2 * 1 * 3, dtype=np.uint8).reshape(7, 2, 1, 3)
    kept = Cache(pixels, "", Path(), cache.Sums(0, (), ()))
    places = np.array(rows, np.int64)
    assert np.array_equal(kept.gather(places), pixels[places])
    out = np.zeros((len(rows), 2, 1, 3), np.uint8)
    assert kept.gather(places, out) is out
    assert np.array_equal(out, pixels[places])


def test_a_second_opening_decodes_nothing(small: Manifest, tmp_path: Path) -> None:
    first = opened(small, tmp_path)
    count = Counting()
    second = opened(small, tmp_path, count)
    assert count.done == 0
    assert (second.key, second.sums) == (first.key, first.sums)


def test_the_key_is_of_everything_that_shapes_the_bytes(
    small: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {opened(small, tmp_path).key, opened(small, tmp_path, resample="box").key}
    keys.add(opened(small.select([0, 1, 2]), tmp_path).key)
    keys.add(cache.opened(small, (12, 24), "bicubic", tmp_path).key)
    monkeypatch.setattr(cache, "version", "99".format)
    keys.add(opened(small, tmp_path).key)
    assert len(keys) == 5


def test_a_manifest_that_was_not_measured_has_the_same_cache(small: Manifest, tmp_path: Path) -> None:
    measured = measure.measure(small, tmp_path / "scratch", executors.serial)
    assert opened(small, tmp_path).key == opened(measured, tmp_path).key


def test_a_picture_that_changed_is_another_cache_or_refused(small: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    measured = measure.measure(small, tmp_path / "scratch", executors.serial)
    before = opened(small, tmp_path / "one")
    file = small.files()[0]
    images.save(file, np.full((30, 20, 3), 7, np.uint8))
    after = opened(small, tmp_path / "one")
    assert after.key != before.key
    assert np.array_equal(after.pixels, slow(small, Image.Resampling.BICUBIC))
    with mistake(file, "is not the file that was measured"):
        opened(measured, tmp_path / "two")


def test_a_picture_that_changes_under_our_hands_is_one_line(small: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    def work(function: Callable[[Any], Any], shards: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        images.save(small.files()[5], np.full((30, 20, 3), 7, np.uint8))
        return executors.serial(function, shards)

    with mistake(small.files()[5], "changed while it was read"):
        opened(small, tmp_path, work)


@pytest.mark.parametrize("stop", [0, 1, 3])
def test_a_build_that_was_stopped_goes_on_and_ends_with_equal_bytes(small: Manifest, tmp_path: Path, stop: int) -> None:
    whole = opened(small, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        opened(small, tmp_path / "cut", Counting(stop))
    rest = Counting()
    again = opened(small, tmp_path / "cut", rest)
    assert rest.done == 4 - stop
    assert (again.path / "pixels.npy").read_bytes() == (whole.path / "pixels.npy").read_bytes()
    assert again.sums == whole.sums
    assert sorted(path.name for path in again.path.iterdir()) == ["cache.json", "lock", "pixels.npy"]


def _cut(kept: Cache) -> None:
    os.truncate(kept.path / "pixels.npy", 128 + 3 * SIZE[0] * SIZE[1] * 3)


def _longer(kept: Cache) -> None:
    with (kept.path / "pixels.npy").open("ab") as file:
        file.write(b"more")


def _changed(kept: Cache) -> None:
    with (kept.path / "pixels.npy").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))


def _changed_with_its_time_set_back(kept: Cache) -> None:
    status = (kept.path / "pixels.npy").stat()
    _changed(kept)
    os.utime(kept.path / "pixels.npy", ns=(status.st_atime_ns, status.st_mtime_ns))


def _headless(kept: Cache) -> None:
    with (kept.path / "pixels.npy").open("r+b") as file:
        file.write(b"nonsense")


def _gone(kept: Cache) -> None:
    (kept.path / "pixels.npy").unlink()


def _record_of_nonsense(kept: Cache) -> None:
    (kept.path / "cache.json").write_text("[1")


def _record_of_others(kept: Cache) -> None:
    text = (kept.path / "cache.json").read_text()
    (kept.path / "cache.json").write_text(text.replace(kept.key, "f" * 64))


def _record_of_another_shape(kept: Cache) -> None:
    (kept.path / "cache.json").write_text('{"key": 1, "version": 2, "shards": {"000000000": {"sha256": "a"}}}')


def _remains_of_nonsense(kept: Cache) -> None:
    (kept.path / "shards").mkdir()
    (kept.path / "shards" / "000000000.json").write_text("{")
    (kept.path / "cache.json").unlink()


FAULTS: dict[Callable[[Cache], None], int] = {
    _cut: 3,
    _longer: 0,
    _changed: 1,
    _changed_with_its_time_set_back: 1,
    _headless: 0,
    _gone: 4,
    _record_of_nonsense: 4,
    _record_of_others: 4,
    _record_of_another_shape: 4,
    _remains_of_nonsense: 4,
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_what_was_cut_or_changed_is_decoded_again_and_no_more_than_that(
    fault: Callable[[Cache], None], small: Manifest, tmp_path: Path
) -> None:
    kept = opened(small, tmp_path)
    before, sums = (kept.path / "pixels.npy").read_bytes(), kept.sums
    fault(kept)
    count = Counting()
    again = opened(small, tmp_path, count)
    assert count.done == FAULTS[fault]
    assert (again.path / "pixels.npy").read_bytes() == before
    assert again.sums == sums
    assert np.array_equal(again.pixels, slow(small, Image.Resampling.BICUBIC))


def test_a_cache_under_the_name_of_another_is_not_taken_for_it(small: Manifest, tmp_path: Path) -> None:
    one, other = opened(small, tmp_path), opened(small, tmp_path, resample="box")
    shutil.rmtree(one.path)
    other.path.rename(one.path)
    again = opened(small, tmp_path)
    assert np.array_equal(again.pixels, slow(small, Image.Resampling.BICUBIC))


def test_a_copied_cache_is_looked_at_and_kept(small: Manifest, tmp_path: Path) -> None:
    kept = opened(small, tmp_path)
    file = kept.path / "pixels.npy"
    file.write_bytes(file.read_bytes())
    count = Counting()
    opened(small, tmp_path, count)
    assert count.done == 0


def test_a_picture_that_cannot_be_read_is_one_line(small: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    small.files()[4].write_bytes(b"no picture")
    with mistake(small.files()[4], "not a picture"):
        opened(small, tmp_path)
    small.files()[4].unlink()
    with mistake(small.files()[4], "is not there"):
        opened(small, tmp_path)


def test_a_full_disk_is_one_line(
    small: Manifest, tmp_path: Path, mistake: Mistake, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with mistake(tmp_path, "cannot keep decoded pictures (0.00 GB)", "No space left", "luxreid.toml"):
        opened(small, tmp_path, Counting(1, full))

    def refuse(*_: object) -> None:
        raise full

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with mistake(tmp_path, "No space left"):
        opened(small, tmp_path)


def test_a_folder_that_cannot_be_written_is_one_line(small: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    (tmp_path / "file").write_text("in the way")
    with mistake(tmp_path / "file", "cannot keep decoded pictures"):
        opened(small, tmp_path / "file" / "cache")


def test_who_comes_second_waits_and_decodes_nothing(small: Manifest, tmp_path: Path) -> None:
    begun, go_on, second = threading.Event(), threading.Event(), Counting()

    def first(function: Callable[[Any], Any], shards: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        begun.set()
        assert go_on.wait(60)
        yield from executors.serial(function, shards)

    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(opened, small, tmp_path, first)
        assert begun.wait(60)
        two = threads.submit(opened, small, tmp_path, second)
        time.sleep(0.2)
        assert not two.done()
        go_on.set()
        assert np.array_equal(one.result(60).pixels, two.result(60).pixels)
    assert second.done == 0


def test_processes_give_the_same_bytes(small: Manifest, tmp_path: Path) -> None:
    one = opened(small, tmp_path / "one")
    two = opened(small, tmp_path / "two", executors.executor("processes", 1))
    assert (one.path / "pixels.npy").read_bytes() == (two.path / "pixels.npy").read_bytes()
    assert one.sums == two.sums


BUILD = """
import sys, time
from pathlib import Path
from benchmark import manifest
from benchmark.runner import cache

cache._SHARD_ROWS = 4
decode = cache._decode

def slowly(shard):
    facts = decode(shard)
    print(shard.name, flush=True)
    time.sleep(0.05)
    return facts

cache._decode = slowly
cache.opened(manifest.read(Path(sys.argv[1])), (24, 12), "bicubic", Path(sys.argv[2]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("shards", [1, 4, 9])
def test_a_killed_build_goes_on_and_ends_with_equal_bytes(
    shards: int, tmp_path: Path, texture: Callable[[int, int, int], images.Picture]
) -> None:
    paths = [f"{number:03d}.jpg" for number in range(48)]
    for number, path in enumerate(paths):
        images.save(tmp_path / path, texture(number, 40, 20), sync=False)
    manifest.write(manifest.build({"path": paths}, "toy", tmp_path), tmp_path / "manifest.parquet")
    words = [sys.executable, "-c", BUILD, str(tmp_path / "manifest.parquet"), str(tmp_path / "cut")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(shards):
            process.stdout.readline()
        time.sleep(0.01 * shards)
        process.send_signal(signal.SIGKILL)
    table = manifest.read(tmp_path / "manifest.parquet")
    cache._SHARD_ROWS = 4  # as the killed one had them; put back by the fixture
    count = Counting()
    again, whole = opened(table, tmp_path / "cut", count), opened(table, tmp_path / "whole")
    assert 0 < count.done <= 12 - shards
    assert (again.path / "pixels.npy").read_bytes() == (whole.path / "pixels.npy").read_bytes()
