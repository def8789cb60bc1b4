"""What may come onto a board, and what it becomes there."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark import durable, results
from benchmark.errors import UserError
from leaderboards import entry, history, store
from leaderboards.entry import Said
from tests.leaderboards import crowd


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return crowd.bundle(tmp_path_factory.mktemp("one") / "bundle", "good", 0, draws=0)


@pytest.fixture
def copy(one: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(one, tmp_path / "bundle"))


def files(board: store.Board) -> dict[str, bytes]:
    return {str(path.relative_to(board.root)): path.read_bytes() for path in board.root.rglob("*.parquet")}


def test_a_bundle_comes_back_from_the_board_as_it_went_in(one: Path, tmp_path: Path) -> None:
    board = store.begun(tmp_path / "board")
    row = entry.add(board, one)
    kept, found = store.bundle(board, store.runs(board).rows[0]), results.read(one)
    for name, table in found.tables.items():
        assert kept.tables[name].to_pylist() == table.to_pylist(), name
    told = results.with_times(found.run)
    assert {name: kept.run[name] for name in told} == told
    assert row["queries_sha256"] == found.run["queries_sha256"]  # the very bytes, so the record's own hash still holds


def test_adding_again_changes_nothing(one: Path, tmp_path: Path) -> None:
    board = store.begun(tmp_path / "board")
    entry.add(board, one)
    before = files(board)
    entry.add(board, one)
    assert files(board) == before


def test_lists_are_kept_once_for_all_their_runs(tmp_path: Path) -> None:
    board = crowd.board(tmp_path / "board", crowd.bundles(tmp_path / "runs", seeds=(0, 1), draws=0))
    assert len(store.names(board, "runs")) == len(store.names(board, "queries")) == 4
    assert len(store.names(board, "lists")) == 1


def test_what_a_run_is_said_to_be_is_kept(copy: Path, tmp_path: Path) -> None:
    board = store.begun(tmp_path / "board")
    facts = {"official": True, "division": "open", "display_name": "Ours & <theirs>", "disclosures": ["it saw more"]}
    entry.add(board, copy, Said(facts))
    row = store.runs(board).rows[0]
    assert {name: row[name] for name in facts} == facts


def test_a_known_run_that_says_something_else_is_refused(copy: Path, tmp_path: Path) -> None:
    board = store.begun(tmp_path / "board")
    entry.add(board, copy, Said({"official": True}))
    with pytest.raises(UserError, match=r"is on the board with official = True, here it is None.*board mark"):
        entry.add(board, copy)
    with pytest.raises(UserError, match=r"is on the board with official = True, here it is False"):
        entry.add(board, copy, Said({"official": False}))
    assert len(store.names(board, "runs")) == 1


def test_nothing_that_is_said_overrules_the_record(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"its record says method = 'good', not 'better'"):
        entry.add(store.begun(tmp_path / "board"), copy, Said({"method": "better"}))


def test_a_run_that_went_on_after_a_kill_has_its_later_state(copy: Path, tmp_path: Path) -> None:
    board, whole = store.begun(tmp_path / "board"), results.read(copy)
    started = {name: whole.run[name] for name in ("run_id", "method", "seed", "config_id", "provenance")}
    record = results.run_record(**started, status="killed")
    results.write(results.Bundle(record), tmp_path / "killed")
    entry.add(board, tmp_path / "killed")
    assert [row["status"] for row in store.runs(board).rows] == ["killed"]
    entry.add(board, copy)
    assert [row["status"] for row in store.runs(board).rows] == ["ok"]
    entry.add(board, tmp_path / "killed")
    assert len(store.names(board, "runs")) == 2
    results.write(results.Bundle(record | {"notes": "killed again"}), tmp_path / "again")
    with pytest.raises(UserError, match="is on the board with"):
        entry.add(board, tmp_path / "again")  # it ended well since


@pytest.mark.parametrize("provenance", ["verified", "literature"])
def test_nobody_calls_himself_verified(copy: Path, tmp_path: Path, provenance: str) -> None:
    crowd.altered(copy, provenance=provenance)
    with pytest.raises(UserError, match=rf"its provenance is '{provenance}'; a bundle's is ran_here or rescored"):
        entry.add(store.begun(tmp_path / "board"), copy)


def test_a_changed_figure_does_not_come_in(copy: Path, tmp_path: Path) -> None:
    record = json.loads((copy / "run.json").read_text())
    record["mAP"] += 0.001
    (copy / "run.json").write_text(json.dumps(record))
    board = store.begun(tmp_path / "board")
    with pytest.raises(UserError, match="mAP"):
        entry.add(board, copy)
    assert store.names(board, "runs") == []


def test_a_changed_file_does_not_come_in(copy: Path, tmp_path: Path) -> None:
    data = bytearray((copy / "queries.parquet").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "queries.parquet").write_bytes(data)
    with pytest.raises(UserError, match=r"is not the file that run\.json was written for"):
        entry.add(store.begun(tmp_path / "board"), copy)


def test_equal_lists_that_were_measured_otherwise_are_refused(one: Path, tmp_path: Path) -> None:
    board = store.begun(tmp_path / "board")
    entry.add(board, one)
    brighter = crowd.world()
    light = brighter.table["lightness"].to_numpy() + 60
    table = brighter.table.set_column(brighter.table.column_names.index("lightness"), "lightness", [light])
    other = crowd.bundle(tmp_path / "other", "good", 1, type(brighter)(table, brighter.roots), draws=0)
    assert results.read(other).run["lists_sha256"] == results.read(one).run["lists_sha256"]
    with pytest.raises(UserError, match=r"its lists are on the board as \w+-\w+, measured otherwise"):
        entry.add(board, other)


def test_the_order_of_the_rows_is_no_measure(one: Path) -> None:
    lists = results.read(one).tables["lists"]
    assert entry.measures(lists.take(list(reversed(range(len(lists)))))) == entry.measures(lists)
    darker = lists.set_column(
        lists.column_names.index("stops"), lists.schema.field("stops"), [lists["stops"].to_numpy() - 1]
    )
    assert entry.measures(darker) != entry.measures(lists)


def test_kept_files_are_found_by_their_hash(copy: Path, tmp_path: Path) -> None:
    (copy / "config.json").write_text('{"rate": 1}')
    (copy / "model.safetensors").write_bytes(b"weights")
    for name, weights in (("without", False), ("with", True)):
        board = store.begun(tmp_path / name)
        entry.add(board, copy, Said(weights=weights))
        kept = store.runs(board).rows[0]["files"]
        assert [one["name"] for one in kept] == ["config.json", *(["model.safetensors"] if weights else [])]
        for file in kept:
            data = board.blob(file["sha256"]).read_bytes()
            assert (durable.sha256(data), len(data)) == (file["sha256"], file["size"])
            assert data == (copy / file["name"]).read_bytes()


def test_a_failed_run_is_kept_with_its_reason(tmp_path: Path) -> None:
    record = results.run_record(run_id="f" * 32, status="failed", provenance="ran_here", error_class="OutOfMemoryError")
    results.write(results.Bundle(record | {"reason_code": "oom"}), tmp_path / "failed")
    board = store.begun(tmp_path / "board")
    entry.add(board, tmp_path / "failed")
    row = store.runs(board).rows[0]
    assert (row["status"], row["reason_code"]) == ("failed", "oom")
    assert history.unranked(row)


def test_columns_that_somebody_cut_by_stay_with_the_lists(tmp_path: Path) -> None:
    night = crowd.world()
    hats = ["hat" if row["pid"] % 2 else "none" for row in night.table.select(["pid"]).to_pylist()]
    worn = type(night)(night.table.append_column("hat", [hats]), night.roots)
    folder = crowd.bundle(tmp_path / "bundle", "good", 0, worn, draws=0, by=("hat",))
    board = store.begun(tmp_path / "board")
    entry.add(board, folder)
    row = store.runs(board).rows[0]
    assert row["cuts_by"] == ["hat"]
    assert set(store.tables(board, row, ["lists"])["lists"]["hat"].to_pylist()) == {"hat", "none"}


@pytest.mark.parametrize("recorded", [False, 0])
def test_what_is_said_does_not_overrule_a_no_or_a_nought(copy: Path, tmp_path: Path, recorded: int) -> None:
    name = "official" if recorded is False else "epochs"
    crowd.altered(copy, **{name: recorded})
    with pytest.raises(UserError, match=rf"its record says {name} = {recorded}, not "):
        entry.add(store.begun(tmp_path / "board"), copy, Said({name: type(recorded)(1)}))


def test_a_run_that_another_version_encoded_is_there_already(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = store.begun(tmp_path / "board")
    first = entry.add(board, copy)
    before = files(board)
    plain = results.encoded

    def other(table: pa.Table) -> bytes:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="snappy", write_page_checksum=True)
        return bytes(sink.getvalue().to_pybytes())

    monkeypatch.setattr(results, "encoded", other)
    assert {name: entry.add(board, copy)[name] for name in store.HASHES.values()} == {
        name: first[name] for name in store.HASHES.values()
    }
    assert files(board) == before
    monkeypatch.setattr(results, "encoded", plain)


def test_other_content_of_the_tables_is_no_other_encoding(copy: Path, tmp_path: Path) -> None:
    board = store.begun(tmp_path / "board")
    entry.add(board, copy)
    found = results.read(copy)
    queries = found.tables["queries"]
    nearer = [(value or 0) / 2 for value in queries["d_first_neg"].to_pylist()]
    place = queries.column_names.index("d_first_neg")
    changed = queries.set_column(place, "d_first_neg", pa.array(nearer, pa.float32()))
    record = {name: value for name, value in found.run.items() if name not in store.HASHES.values()}
    results.write(results.Bundle(record, {**found.tables, "queries": changed}), copy)
    with pytest.raises(UserError, match="is on the board with queries_sha256 = "):
        entry.add(board, copy)
