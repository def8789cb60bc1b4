"""The reader `street`: what a rendered world's names and truth say equals the manifests that were written with it."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark import manifest
from benchmark.errors import UserError
from benchmark.executors import executor
from benchmark.manifest import Manifest
from benchmark.readers import street
from synthesis.street import config
from synthesis.street.order import Order
from synthesis.street.write import write


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the tables of a small world, without a picture."""
    out = tmp_path_factory.mktemp("table") / "world"
    write(
        Order(config.load("demo", ["look_alikes=0.3"]), 3, "demo", pictures=False, limit=60), out, executor("serial", 1)
    )
    return out


@pytest.fixture
def world(table: Path, tmp_path: Path) -> Path:
    """Copy a world, and put empty files where its pictures would be."""
    root = tmp_path / "world"
    root.mkdir()
    for file in table.iterdir():
        if file.is_file():
            (root / file.name).write_bytes(file.read_bytes())
    for time in ("day", "night"):
        rows = manifest.read(root / f"{time}.parquet").table
        for name in (*rows["path"].to_pylist(), *rows["mask"].to_pylist()):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
    return root


def read(root: Path, **options: Any) -> Manifest:  # noqa: ANN401
    return street.read(root, street.Options(**options))


def refusal(root: Path, **options: Any) -> str:  # noqa: ANN401
    with pytest.raises(UserError) as error:
        read(root, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("time", ["day", "night"])
def test_the_manifest_is_rebuilt(time: str, world: Path) -> None:
    written, found = manifest.read(world / f"{time}.parquet"), read(world, time=time)
    assert found.labels_sha256 == written.labels_sha256
    # What clothes a person wears is in the truth, but its words are not.
    assert set(written.table.column_names) - set(found.table.column_names) == {"attributes"}
    for name in set(found.table.column_names) - {"timestamp"}:
        assert found.table[name].equals(written.table[name]), name
    assert len(set(found.column("look_alike"))) == 2


def test_the_night_is_as_much_later_as_the_truth_says(world: Path) -> None:
    day, night = (manifest.read(world / f"{time}.parquet").column("timestamp") for time in ("day", "night"))
    assert read(world, time="day").column("timestamp").tolist() == day.tolist()
    table = pq.read_table(world / "truth.parquet")
    said = {key: text for key, text in table.schema.metadata.items() if key != b"night_begins"}
    pq.write_table(table.replace_schema_metadata(said), world / "truth.parquet")
    found = read(world)
    assert found.table["timestamp"].null_count == len(found)
    assert "truth.parquet does not say how much later the night is: no timestamps" in found.notes
    later = float(night[0] - day[0])
    pq.write_table(table.replace_schema_metadata(said | {"night_begins": str(later)}), world / "truth.parquet")
    assert read(world).column("timestamp") == pytest.approx(night)


def test_what_belongs_to_a_world_and_is_not_read_is_a_note(world: Path) -> None:
    (world / "sheet.png").touch()
    notes = read(world, time="night").notes[:3]
    assert [note.partition(":")[0] for note in notes] == ["day/", "mask/", "sheet.png"]


def test_a_world_without_masks(world: Path) -> None:
    for file in (world / "mask").rglob("*.png"):
        file.unlink()
    for folder in sorted((world / "mask").rglob("*"), reverse=True):
        folder.rmdir()
    (world / "mask").rmdir()
    assert "mask" not in read(world).table.column_names


def test_a_picture_that_is_gone(world: Path) -> None:
    path = read(world).table["path"][0].as_py()
    (world / path).unlink()
    assert refusal(world) == f"{world}: truth.parquet names 1 picture not there: {path}"


def test_a_picture_of_which_the_truth_knows_nothing(world: Path) -> None:
    whole = read(world)
    (world / "night" / "0001").mkdir(exist_ok=True)
    (world / "night" / "0001" / "c99_000.jpg").touch()
    text = f"truth.parquet knows nothing of 1 of {len(whole) + 1} pictures: night/0001/c99_000.jpg"
    assert refusal(world) == f"{world}: {text}; --set unmatched=skip skips them"
    found = read(world, unmatched="skip")
    assert found.table.equals(whole.table)
    assert f"skipped: {text}" in found.notes


def test_a_table_without_pictures(table: Path) -> None:
    assert refusal(table).startswith(f"{table}: must hold night/")


@pytest.mark.parametrize("fault", ["missing", "broken", "foreign", "newer", "nameless"])
def test_a_truth_that_cannot_be_read(fault: str, world: Path) -> None:
    file = world / "truth.parquet"
    table = pq.read_table(file)
    file.unlink()
    if fault == "broken":
        file.write_bytes(b"PAR1")
    elif fault == "foreign":
        pq.write_table(pa.table({"scene": ["a"]}), file)
    elif fault in ("newer", "nameless"):
        said = {"luxreid.schema": "street-truth/2", "name": "x"} if fault == "newer" else {}
        pq.write_table(table.replace_schema_metadata(said), file)
    assert str(file) in refusal(world)
