"""Bundles: schemas, hashes, and what a broken one is refused for."""

import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark import durable, results
from benchmark.errors import UserError
from benchmark.results import Bundle
from benchmark.schemas import LISTS, QUERIES, RUN, STRATA

TABLES = {"lists": LISTS, "queries": QUERIES, "strata": STRATA}
QUERY = {
    "run_id": "r",
    "trial": 0,
    "query_idx": 0,
    "image_id": "a/b",
    "pid": 1,
    "pos_ranks": [1, 7],
    "pos_gidx": [3, 0],
}


def record(**facts: object) -> dict[str, Any]:
    return results.run_record(**({"run_id": "r", "status": "ok", "provenance": "ran_here", "mAP": 0.5} | facts))


def bundle() -> Bundle:
    tables = {name: pa.Table.from_pylist([], schema) for name, schema in TABLES.items()}
    tables["queries"] = pa.Table.from_pylist([QUERY], QUERIES)
    times = {"started_at": "2026-01-02T03:04:05+00:00", "train_sets": [{"name": "s", "split": "train"}]}
    return Bundle(record(**times), tables)


def test_round_trip(tmp_path: Path) -> None:
    given = bundle()
    results.write(given, tmp_path)
    found = results.read(tmp_path)
    assert found.tables["queries"].to_pylist() == given.tables["queries"].to_pylist()
    assert {k: v for k, v in found.run.items() if not k.endswith("_sha256")} == {
        k: v for k, v in given.run.items() if not k.endswith("_sha256")
    }
    assert list(found.run) == list(RUN.names)


def test_equal_bundles_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        results.write(bundle(), tmp_path / name)
    for file in ("run.json", "lists.parquet", "queries.parquet", "strata.parquet"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_run_becomes_a_typed_row() -> None:
    table = results.runs_table([bundle().run])
    assert table.schema == RUN
    assert table["started_at"].to_pylist() == [datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)]
    assert table["train_sets"].to_pylist()[0][0]["name"] == "s"


def test_a_failed_run_is_kept_without_tables(tmp_path: Path) -> None:
    results.write(Bundle(record(status="failed", error_class="OutOfMemoryError")), tmp_path)
    assert results.read(tmp_path).tables == {}


def test_a_good_run_needs_its_tables(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs the tables"):
        results.write(Bundle(record()), tmp_path)
    assert not (tmp_path / "run.json").exists()


@pytest.mark.parametrize("file", ["queries.parquet", "strata.parquet"])
def test_a_flipped_byte_is_found(file: str, tmp_path: Path) -> None:
    results.write(bundle(), tmp_path)
    data = bytearray((tmp_path / file).read_bytes())
    data[len(data) // 2] ^= 4
    (tmp_path / file).write_bytes(data)
    with pytest.raises(UserError, match=f"{file}: is not the file"):
        results.read(tmp_path)


def test_a_table_of_another_run_or_schema_is_refused(tmp_path: Path) -> None:
    results.write(bundle(), tmp_path)
    stranger = pa.Table.from_pylist([QUERY | {"run_id": "other"}], QUERIES)
    results.write(Bundle(record(), dict(bundle().tables) | {"queries": stranger}), tmp_path / "strange")
    with pytest.raises(UserError, match="rows of another run"):
        results.read(tmp_path / "strange")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "lists.parquet")
    with pytest.raises(UserError, match="this version reads lists/1"):
        results.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"maP": 0.1}, "did you mean 'mAP'"),
        ({"mAP": "0.1"}, "must be of type double"),
        ({"seed": 1.5}, "must be of type int32"),
        ({"seed": True}, "must be of type int32"),
        ({"official": 1}, "must be of type bool"),
        ({"mAP": float("nan")}, "must be finite"),
        ({"status": "fine"}, "allowed: ok, failed"),
        ({"provenance": "heard"}, "allowed: ran_here"),
        ({"started_at": "yesterday"}, "ISO 8601"),
        ({"started_at": "2026-01-02T03:04:05"}, "with its zone"),
        ({"run_id": None}, "'run_id' is missing"),
        ({"schema_version": "run/9"}, "this version reads 'run/1'"),
        ({"train_sets": [3]}, "must be of type list"),
    ],
)
def test_a_wrong_record_is_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    durable.write_json(tmp_path / "run.json", record(status="failed"))
    text = (tmp_path / "run.json").read_text()
    broken = durable.read_json(tmp_path / "run.json") | change
    with pytest.raises(UserError, match=said) as caught:
        results.check_run(broken, "run.json")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "run.json").read_text() == text


def test_ids_group_seeds_and_tell_runs_apart() -> None:
    one, two = {"method": "m", "seed": 0}, {"method": "m", "seed": 1}
    assert results.config_id(one) == results.config_id(two) != results.config_id({"method": "n", "seed": 0})
    assert len({results.run_id(one, "a"), results.run_id(one, "b"), results.run_id(two, "a")}) == 3
