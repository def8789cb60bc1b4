"""Bundles: schemas, hashes, and what a broken one is refused for."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark import durable, results
from benchmark.errors import UserError
from benchmark.lists import hash_table
from benchmark.results import Bundle
from benchmark.schemas import LISTS, QUERIES, REQUIRED, RUN, SCORES, STRATA

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
LISTED = {
    "role": "query",
    "position": 0,
    "image_id": "a/b",
    "sha256": "0" * 64,
    "id_space": "a",
    "pid": 1,
    "camid": 2,
    "place": 2,
    "scene": "s",
}
CELL = {"run_id": "r", "scheme_id": "light@1", "cut": "query", "metric": "mAP", "value": 0.5}
FILES = {"config.json": b"{}\n", "log.jsonl": b'{"step":0}\n', "model.safetensors": bytes(range(64))}


def record(**facts: object) -> dict[str, Any]:
    return results.run_record(**({"run_id": "r", "status": "ok", "provenance": "ran_here", "mAP": 0.5} | facts))


def bundle() -> Bundle:
    tables = {name: pa.Table.from_pylist([], schema) for name, schema in TABLES.items()}
    tables["lists"] = pa.Table.from_pylist([LISTED, LISTED | {"role": "gallery"}], LISTS)
    tables["queries"] = pa.Table.from_pylist([QUERY], QUERIES)
    tables["strata"] = pa.Table.from_pylist([CELL], STRATA)
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


def test_whatever_write_fails_no_run_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {"run.json", *FILES, *(f"{name}.parquet" for name in TABLES)}
    write = durable.write_atomically
    written: list[str] = []

    def failing(path: Path, fill: Callable[[IO[bytes]], object], *, sync: bool = True) -> None:
        assert sync  # the record vouches for what is on the disk
        if len(written) == allowed:
            raise UserError(f"{path}: cannot write")
        write(path, fill, sync=sync)
        written.append(path.name)

    monkeypatch.setattr(durable, "write_atomically", failing)
    for allowed in range(len(whole)):
        written.clear()
        with pytest.raises(UserError, match="cannot write"):
            results.write(bundle(), tmp_path / str(allowed), FILES)
        assert len(written) == allowed
        assert "run.json" not in written
    written.clear()
    allowed = len(whole)
    results.write(bundle(), tmp_path / "all", FILES)
    assert set(written) == whole


def test_a_failed_run_is_kept_without_tables(tmp_path: Path) -> None:
    results.write(Bundle(record(status="failed", error_class="OutOfMemoryError")), tmp_path)
    assert results.read(tmp_path).tables == {}


def test_what_an_earlier_run_left_belongs_to_no_later_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results.write(bundle(), tmp_path)
    results.write(Bundle(record(run_id="later", status="failed")), tmp_path)
    found = results.read(tmp_path)
    assert (found.run["run_id"], found.tables) == ("later", {})
    results.write(bundle(), tmp_path)

    def failing(path: Path, data: bytes) -> None:
        raise UserError(f"{path}: cannot write {len(data)} bytes")

    monkeypatch.setattr(durable, "write_bytes", failing)
    with pytest.raises(UserError, match="cannot write"):
        results.write(bundle(), tmp_path)
    assert not (tmp_path / "run.json").exists()  # a folder without one is a run that never ended


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
        ({"seed": 2**40}, "seed = 1099511627776, must be of type int32"),
        ({"seed": 2**70}, "must be of type int32"),
        ({"ram_gb": 1e300}, "must be of type float"),
        ({"mAP": 10**400}, "must be of type double"),
        ({"notes": "\ud800"}, "must be of type string"),
        *[({name: value}, "must lie between 0 and 1") for name in SCORES for value in (-0.001, 1.001)],
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


def reread(folder: Path, name: str, table: pa.Table, schema_id: str = "") -> Bundle:
    """Put another version's table into a bundle, as that version would have written it, and read the bundle."""
    table = table.replace_schema_metadata({"luxreid.schema": schema_id or f"{name}/1"})
    pq.write_table(table, folder / f"{name}.parquet")
    changed = durable.read_json(folder / "run.json")
    if name != "lists":
        changed[f"{name}_sha256"] = durable.sha256((folder / f"{name}.parquet").read_bytes())
    durable.write_json(folder / "run.json", changed)
    return results.read(folder)


@pytest.mark.parametrize("name", list(TABLES))
def test_an_older_table_is_filled_with_nulls(name: str, tmp_path: Path) -> None:
    results.write(bundle(), tmp_path)
    whole = bundle().tables[name]
    optional = [column for column in whole.column_names if column not in REQUIRED[name]]
    found = reread(tmp_path, name, whole.drop_columns(optional)).tables[name]
    assert found.schema.remove_metadata() == TABLES[name]
    for column in whole.column_names:
        assert found[column].to_pylist() == ([None] * len(whole) if column in optional else whole[column].to_pylist())


@pytest.mark.parametrize("name", list(TABLES))
def test_a_newer_table_keeps_what_is_unknown_at_its_end(name: str, tmp_path: Path) -> None:
    results.write(bundle(), tmp_path)
    whole = bundle().tables[name]
    found = reread(tmp_path, name, whole.add_column(0, "of_tomorrow", pa.array(["x"] * len(whole)))).tables[name]
    assert found.column_names == [*whole.column_names, "of_tomorrow"]
    assert found.drop_columns("of_tomorrow").to_pylist() == whole.to_pylist()
    assert set(found["of_tomorrow"].to_pylist()) == {"x"}


@pytest.mark.parametrize(("name", "column"), [(name, column) for name in TABLES for column in REQUIRED[name]])
def test_a_table_without_a_key_is_refused(name: str, column: str, tmp_path: Path) -> None:
    results.write(bundle(), tmp_path)
    whole = bundle().tables[name]
    with pytest.raises(UserError, match=f"has no column '{column}'"):
        reread(tmp_path, name, whole.drop_columns(column))
    place = whole.column_names.index(column)
    with pytest.raises(UserError, match=f"column '{column}' holds {len(whole)} nulls"):
        reread(tmp_path, name, whole.set_column(place, whole.schema[place], pa.nulls(len(whole), whole[place].type)))


def test_a_table_of_another_type_or_major_version_is_refused(tmp_path: Path) -> None:
    results.write(bundle(), tmp_path)
    whole = bundle().tables["queries"]
    place = whole.column_names.index("n_ties")
    with pytest.raises(UserError, match="column 'n_ties' is int64, must be int32"):
        reread(tmp_path, "queries", whole.set_column(place, "n_ties", pa.nulls(1, pa.int64())))
    with pytest.raises(UserError, match="is queries/2, this version reads queries/1"):
        reread(tmp_path, "queries", whole, "queries/2")
    double = whole.append_column("ap", whole["ap"])
    with pytest.raises(UserError, match="cannot be read as a Parquet table: Multiple matches"):
        reread(tmp_path, "queries", double)
    with pytest.raises(UserError, match="two columns have one name"):
        results.write(Bundle(record(), dict(bundle().tables) | {"queries": double}), tmp_path)


def test_older_and_newer_records_are_read(tmp_path: Path) -> None:
    durable.write_json(
        tmp_path / "run.json",
        {"of_tomorrow": 5, "schema_version": "run/1", "run_id": "r", "status": "failed", "provenance": "ran_here"},
    )
    found = results.read(tmp_path).run
    assert list(found) == [*RUN.names, "of_tomorrow"]
    assert found["of_tomorrow"] == 5
    assert found["mAP"] is None
    assert results.runs_table([found]).schema == RUN


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": "3"}, "must be of type int32"),
        ({"run_id": None}, "'run_id' is missing"),
        ({"status": None}, "'status' is missing"),
        ({"provenance": None}, "'provenance' is missing"),
        ({"schema_version": "run/2"}, "this version reads 'run/1'"),
    ],
)
def test_a_record_that_cannot_be_understood_is_not_read(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    durable.write_json(tmp_path / "run.json", record(status="failed") | change)
    with pytest.raises(UserError, match=said):
        results.read(tmp_path)


def test_what_is_unknown_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown key 'maP'; did you mean 'mAP'"):
        results.write(Bundle(record(status="failed") | {"maP": 1}), tmp_path)
    tables = dict(bundle().tables)
    tables["queries"] = tables["queries"].append_column("n_tie", pa.array([1]))
    with pytest.raises(UserError, match=r"queries.parquet: unknown column 'n_tie'; did you mean 'n_ties'"):
        results.write(Bundle(record(), tables), tmp_path)
    tables["queries"] = bundle().tables["queries"].drop_columns("n_ties").append_column("n_ties", pa.array([2**40]))
    with pytest.raises(UserError, match=r"queries.parquet: does not fit queries/1"):
        results.write(Bundle(record(), tables), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("column", "value"), [("pid", 2), ("place", 3), ("sha256", "1" * 64), ("role", "gallery")])
def test_a_changed_list_is_found(column: str, value: object, tmp_path: Path) -> None:
    results.write(bundle(), tmp_path)
    rows = bundle().tables["lists"].to_pylist()
    rows[0][column] = value
    with pytest.raises(UserError, match=r"lists.parquet: its rows are not those that lists_sha256"):
        reread(tmp_path, "lists", pa.Table.from_pylist(rows, LISTS))


def test_a_list_is_known_by_its_rows_not_by_its_bytes(tmp_path: Path) -> None:
    results.write(bundle(), tmp_path)
    turned = bundle().tables["lists"].take([1, 0])
    assert reread(tmp_path, "lists", turned).run["lists_sha256"] == hash_table(bundle().tables["lists"])
    with pytest.raises(UserError, match="not those that lists_sha256 of the run names"):
        results.write(Bundle(record(lists_sha256="0" * 64), bundle().tables), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_the_top_of_a_ranking_may_be_kept(tmp_path: Path) -> None:
    top = {"top_gidx": [5, 3, 0], "top_dist": [0.25, 0.5, 0.75]}
    tables = dict(bundle().tables) | {"queries": pa.Table.from_pylist([QUERY | top, QUERY | {"query_idx": 1}], QUERIES)}
    results.write(Bundle(record(), tables), tmp_path)
    rows = results.read(tmp_path).tables["queries"].to_pylist()
    assert {name: rows[0][name] for name in top} == top
    assert rows[1]["top_dist"] is None


def test_files_beside_the_tables_are_kept_and_vouched_for(tmp_path: Path) -> None:
    results.write(bundle(), tmp_path, FILES)
    found = results.read(tmp_path).run
    assert found["ckpt_sha256"] == durable.sha256(FILES["model.safetensors"])
    assert found["log_sha256"] == durable.sha256(FILES["log.jsonl"])
    assert all((tmp_path / name).read_bytes() == data for name, data in FILES.items())
    for name in ("model.safetensors", "log.jsonl"):
        results.write(bundle(), tmp_path / f"of-{name}", FILES)
        (tmp_path / f"of-{name}" / name).write_bytes(FILES[name] + b" ")
        with pytest.raises(UserError, match=f"{name}: is not the file"):
            results.read(tmp_path / f"of-{name}")
        (tmp_path / f"of-{name}" / name).unlink()
        assert results.read(tmp_path / f"of-{name}").run["ckpt_sha256"] == found["ckpt_sha256"]


@pytest.mark.parametrize("name", ["run.json", "queries.parquet", "../out", "a/b", "", ".."])
def test_a_file_cannot_take_the_place_of_another(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be the name"):
        results.write(bundle(), tmp_path / "in", {name: b""})
    assert not list(tmp_path.iterdir())


INPUTS: dict[str, Any] = {
    "method": "m",
    "config": {"rate": 0.003, "epochs": 3},
    "seed": 0,
    "train_sets": [{"name": "s", "labels_sha256": "l", "data_sha256": "d", "split": "train"}],
    "lists_sha256": "q",
    "protocol_sha256": "p",
}


@pytest.mark.parametrize(
    "change",
    [
        {"method": "n"},
        {"config": {"rate": 0.004, "epochs": 3}},
        {"train_sets": [INPUTS["train_sets"][0] | {"labels_sha256": "k"}]},
        {"train_sets": [INPUTS["train_sets"][0] | {"data_sha256": "e"}]},
        {"lists_sha256": "r"},
        {"protocol_sha256": "o"},
    ],
)
def test_every_input_but_the_seed_names_a_configuration(change: dict[str, Any]) -> None:
    one, two = results.run_inputs(**INPUTS), results.run_inputs(**(INPUTS | change))
    assert results.config_id(one) != results.config_id(two)
    assert results.run_id(one, "a") != results.run_id(two, "a")


def test_ids_group_seeds_and_tell_runs_apart() -> None:
    one, two = results.run_inputs(**INPUTS), results.run_inputs(**(INPUTS | {"seed": 1}))
    assert results.config_id(one) == results.config_id(two)
    assert len(results.config_id(one)) == 64
    assert len({results.run_id(one, "a"), results.run_id(one, "b"), results.run_id(two, "a")}) == 3
    assert len(results.run_id(one, "a")) == 32
    assert len({results.nonce() for _ in range(100)}) == 100


def test_a_set_is_known_by_its_hashes_not_by_its_name() -> None:
    renamed = INPUTS | {"train_sets": [INPUTS["train_sets"][0] | {"name": "t"}]}
    assert results.config_id(results.run_inputs(**renamed)) == results.config_id(results.run_inputs(**INPUTS))


def test_floats_are_hashed_as_their_text() -> None:
    def name(knob: object) -> str:
        return results.config_id(results.run_inputs(**(INPUTS | {"config": {"deep": [{"knob": knob}]}})))

    assert name(0.003) == name("0.003") != name(0.0030000001)
    assert name(1e-07) == name("1e-07")
    # A whole float keeps its point: 1.0 is another knob than 1, and a flag is not a number.
    assert name(1.0) == name("1.0")
    assert len({name(1.0), name(1), name(True), name("1")}) == 4
    with pytest.raises(UserError, match="nan is not finite"):
        name(float("nan"))
