"""Measuring: the same numbers as one picture at a time, whatever the executor, and nothing done twice."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmark import durable, executors, images, manifest, measure
from benchmark.columns import MEASURED
from benchmark.commands import data
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.plugins import Room

Mistake = Callable[..., AbstractContextManager[None]]
Shard = TypeVar("Shard")
Result = TypeVar("Result")


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "SHARD_ROWS", 2)


class PowerCutError(Exception):
    """What ends a run that is cut short."""


class Stopping:
    """An executor that gives up after some shards, and counts those it was given."""

    def __init__(self, after: int) -> None:
        self.after, self.given = after, 0

    def __call__(self, function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[tuple[int, Result]]:
        """Work on the shards from the last to the first."""
        self.given = len(shards)
        for position in reversed(range(len(shards))):
            if len(shards) - position > self.after:
                raise PowerCutError
            yield position, function(shards[position])


def stored(made: Manifest, path: Path) -> bytes:
    """Give the bytes of a manifest's file."""
    manifest.write(made, path)
    return path.read_bytes()


def test_every_row_holds_what_its_picture_measures(small: Manifest, tmp_path: Path) -> None:
    made = measure.measure(small, tmp_path / "scratch", executors.serial)
    assert made.measured
    for row, file in zip(made.table.to_pylist(), made.files(), strict=True):
        one = images.measure(file.read_bytes())
        expected = {**one.photometry._asdict(), "sha256": one.sha256}
        assert {name: row[name] for name in ("sha256", "width", "height")} == {
            name: expected[name] for name in ("sha256", "width", "height")
        }
        for name in set(MEASURED) - {"sha256"}:
            assert np.float32(row[name]) == np.float32(expected[name]), name
    assert made.labels_sha256 == small.labels_sha256
    assert made.table.drop_columns(list(MEASURED)).equals(small.table.drop_columns(list(MEASURED)))


def test_processes_give_the_same_bytes(small: Manifest, tmp_path: Path) -> None:
    one = measure.measure(small, tmp_path / "a", executors.serial)
    two = measure.measure(small, tmp_path / "b", executors.executor("processes", 2))
    assert stored(one, tmp_path / "a.parquet") == stored(two, tmp_path / "b.parquet")


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_run_that_was_cut_short_goes_on(small: Manifest, tmp_path: Path, after: int) -> None:
    whole = measure.measure(small, tmp_path / "whole", executors.serial)
    with pytest.raises(PowerCutError):
        measure.measure(small, tmp_path / "scratch", Stopping(after))
    second = Stopping(100)
    resumed = measure.measure(small, tmp_path / "scratch", second)
    assert second.given == 4 - after
    assert stored(resumed, tmp_path / "a.parquet") == stored(whole, tmp_path / "b.parquet")


def test_shards_of_another_length_are_not_taken_up(
    small: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PowerCutError):
        measure.measure(small, tmp_path / "scratch", Stopping(1))
    monkeypatch.setattr(measure, "SHARD_ROWS", 3)
    again = Stopping(100)
    assert measure.measure(small, tmp_path / "scratch", again).measured
    assert again.given == 3


def test_a_picture_that_changed_meanwhile_is_measured_anew(small: Manifest, tmp_path: Path) -> None:
    with pytest.raises(PowerCutError):
        measure.measure(small, tmp_path / "scratch", Stopping(4 - 1))
    changed = small.files()[6]
    images.save(changed, np.full((9, 5, 3), 200, np.uint8))
    made = measure.measure(small, tmp_path / "scratch", executors.serial)
    assert made.table["sha256"].to_pylist()[6] == durable.sha256(changed.read_bytes())


@pytest.mark.parametrize("kept", ["st_size", "st_mtime_ns"])
def test_neither_size_nor_time_alone_says_that_a_picture_is_unchanged(
    small: Manifest, tmp_path: Path, kept: str
) -> None:
    from PIL import Image

    def save(value: int, height: int) -> os.stat_result:
        # Without compression the size follows from the shape alone.
        Image.fromarray(np.full((height, 5, 3), value, np.uint8)).save(changed, compress_level=0)
        return changed.stat()

    changed = small.files()[5]
    assert changed.suffix == ".png"
    before = save(10, 9)
    with pytest.raises(PowerCutError):
        measure.measure(small, tmp_path / "scratch", Stopping(4 - 1))
    save(20, 9 if kept == "st_size" else 10)
    later = 0 if kept == "st_mtime_ns" else 10**9
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns + later))
    same = {name for name in ("st_size", "st_mtime_ns") if getattr(changed.stat(), name) == getattr(before, name)}
    assert same == {kept}
    made = measure.measure(small, tmp_path / "scratch", executors.serial)
    assert made.table["sha256"].to_pylist()[5] == durable.sha256(changed.read_bytes())


def test_measured_rows_are_measured_again_only_where_asked(small: Manifest, tmp_path: Path) -> None:
    made = measure.measure(small, tmp_path / "a", executors.serial)
    idle = Stopping(100)
    assert measure.measure(made, tmp_path / "b", idle).table.equals(made.table)
    assert idle.given == 0
    images.save(small.files()[0], np.zeros((9, 5, 3), np.uint8))
    again = measure.measure(made, tmp_path / "c", executors.serial, again=True)
    assert again.table["height"].to_pylist() == [9, *made.table["height"].to_pylist()[1:]]
    assert again.table["lightness"].to_pylist()[0] == 0


def test_only_unmeasured_rows_are_measured(small: Manifest, tmp_path: Path) -> None:
    made = measure.measure(small, tmp_path / "a", executors.serial)
    known = np.arange(len(made)) < 4
    half = {name: [value if keep else None for value, keep in zip(made.table[name].to_pylist(), known, strict=True)]
            for name in MEASURED}  # fmt: skip
    rest = Stopping(100)
    assert measure.measure(made.with_columns(**half), tmp_path / "b", rest).table.equals(made.table)
    assert rest.given == 2


def test_several_roots_are_measured_as_one(small: Manifest, tmp_path: Path) -> None:
    other = tmp_path / "other"
    images.save(other / "only.png", np.full((4, 4, 3), 77, np.uint8))
    joined = manifest.concat([small, manifest.build({"path": ["only.png"]}, "another", other)])
    made = measure.measure(joined, tmp_path / "scratch", executors.serial)
    assert made.table["lightness"].to_pylist()[0] == 77
    assert made.data_sha256 is not None


@pytest.mark.parametrize("name", ["serial", "processes"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"text", "not a picture"),
        (None, "is not there; if the pictures lie elsewhere, give --root"),
    ],
)
def test_a_broken_picture_names_its_file(
    small: Manifest, tmp_path: Path, mistake: Mistake, name: str, content: bytes | None, reason: str
) -> None:
    bad = small.files()[3]
    bad.unlink()
    if content is not None:
        bad.write_bytes(content)
    with mistake(bad, reason):
        measure.measure(small, tmp_path / "scratch", executors.executor(name, 1))


def test_a_link_out_of_the_root_is_refused(small: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    bad = small.files()[3]
    bad.rename(tmp_path / "outside.png")
    bad.symlink_to(tmp_path / "outside.png")
    with mistake("leaves the root", bad.name):
        measure.measure(small, tmp_path / "scratch", executors.serial)


def test_turned_pictures_are_counted(small: Manifest, tmp_path: Path) -> None:
    from PIL import Image

    block = Image.Exif()
    block[0x0112] = 6
    for file in small.files()[:2]:
        Image.open(file).save(file, exif=block)
    made = measure.measure(small, tmp_path / "scratch", executors.serial)
    assert made.notes == ("EXIF orientation ignored in 2 pictures",)


def test_a_file_is_measured_in_place_and_leaves_no_scratch(small: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "pictures" / "manifest.parquet"
    manifest.write(small, path)
    with pytest.raises(PowerCutError):
        measure.measure_file(path, None, path, Stopping(2))
    assert manifest.read(path).table.equals(small.table)
    rest = Stopping(100)
    made = measure.measure_file(path, None, path, rest)
    assert rest.given == 2
    assert manifest.read(path).table.equals(made.manifest.table)
    assert made.manifest.measured
    assert (made.broken, made.tried) == ("", 7)
    assert not [found for found in path.parent.iterdir() if found.suffix == ".measure"]


def test_a_file_is_measured_by_one_process_at_a_time(small: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    path = tmp_path / "pictures" / "manifest.parquet"
    manifest.write(small, path)

    def twice(function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[tuple[int, Result]]:
        measure.measure_file(path, None, path, executors.serial)
        yield 0, function(shards[0])

    with mistake("another process is writing here"):
        measure.measure_file(path, None, path, twice)


def test_all_broken_pictures_are_named_at_once_and_cost_only_their_own_shards(
    small: Manifest, tmp_path: Path, mistake: Mistake
) -> None:
    kept = {file: file.read_bytes() for file in small.files()[2:4]}
    for bad in kept:
        bad.write_bytes(b"text")
    with mistake(*kept, "2 of 7 pictures cannot be measured"):
        measure.measure(small, tmp_path / "scratch", executors.serial)
    for bad, whole in kept.items():
        bad.write_bytes(whole)
    rest = Stopping(100)
    assert measure.measure(small, tmp_path / "scratch", rest).measured
    assert rest.given == 1


def test_the_rest_is_measured_where_broken_pictures_are_skipped(small: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "pictures" / "manifest.parquet"
    manifest.write(small, path)
    whole = measure.measure(small, tmp_path / "whole", executors.serial).table
    kept = small.files()[2].read_bytes()
    small.files()[2].write_bytes(kept[: len(kept) // 2])
    small.files()[6].unlink()
    found = measure.measure_file(path, None, path, executors.serial, skip_broken=True)
    assert found.broken.startswith("2 of 7 pictures cannot be measured: ")
    assert all(str(small.files()[row]) in found.broken for row in (2, 6))
    stored = manifest.read(path).table
    assert stored["sha256"].is_null().to_pylist() == [row in (2, 6) for row in range(7)]
    fine = [row for row in range(7) if row not in (2, 6)]
    assert stored.take(fine).equals(whole.take(fine))
    small.files()[2].write_bytes(kept)
    again = measure.measure_file(path, None, path, executors.serial, skip_broken=True)
    assert (len(again.faults), again.tried) == (1, 2)
    assert manifest.read(path).table["sha256"][2] == whole["sha256"][2]


def test_measuring_again_takes_no_measures_from_a_picture_that_is_gone(small: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "pictures" / "manifest.parquet"
    manifest.write(measure.measure(small, tmp_path / "scratch", executors.serial), path)
    before = manifest.read(path).table
    small.files()[2].unlink()
    found = measure.measure_file(path, None, path, executors.serial, again=True, skip_broken=True)
    assert len(found.faults) == 1
    assert manifest.read(path).table.equals(before)


def test_the_command_says_which_are_broken_and_ends_with_code_one(small: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "pictures" / "manifest.parquet"
    manifest.write(small, path)
    for file in small.files()[:4]:
        file.write_bytes(b"")
    app = data.commands(Room("benchmark.readers", "reader"), Room("benchmark.formats", "format"))
    done = CliRunner().invoke(app, ["measure", str(path), "--skip-broken"])
    assert done.exit_code == 1, done.output
    first, second = done.stdout.splitlines()
    assert first == f"{path}: 3 rows measured, 4 still unmeasured"
    assert second.startswith("4 of 7 pictures cannot be measured: ")
    assert second.endswith(": the file is empty; ...")
    assert second.count("the file is empty") == measure.SHOWN


def test_where_all_pictures_are_broken_none_is_skipped(small: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    path = tmp_path / "pictures" / "manifest.parquet"
    manifest.write(measure.measure(small, tmp_path / "scratch", executors.serial), path)
    before = path.read_bytes()
    with mistake("7 of 7 pictures cannot be measured", "is not there"):
        measure.measure_file(path, tmp_path, path, executors.serial, again=True, skip_broken=True)
    assert path.read_bytes() == before


def test_a_broken_picture_that_was_mended_without_a_trace_is_measured(small: Manifest, tmp_path: Path) -> None:
    bad = small.files()[3]
    whole, status = bad.read_bytes(), bad.stat()
    bad.write_bytes(b"x" * len(whole))
    os.utime(bad, ns=(status.st_atime_ns, status.st_mtime_ns))
    path = tmp_path / "pictures" / "manifest.parquet"
    manifest.write(small, path)
    with pytest.raises(UserError, match="1 of 7 pictures cannot be measured"):
        measure.measure_file(path, None, path, executors.serial)
    bad.write_bytes(whole)
    os.utime(bad, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert measure.measure_file(path, None, path, executors.serial).manifest.measured


def test_a_mistaken_name_leaves_no_lock(tmp_path: Path, mistake: Mistake) -> None:
    with mistake("nope.parquet"):
        measure.measure_file(tmp_path / "nope.parquet", None, tmp_path / "nope.parquet", executors.serial)
    assert list(tmp_path.iterdir()) == []
