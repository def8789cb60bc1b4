"""The page for those who read a board with their own tools: each of its examples gives what the store gives."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from leaderboards import compact, store
from leaderboards.store import Board
from tests.leaderboards import crowd, shelf

PAGE = Path(__file__).parents[2] / "docs" / "reading.md"


def examples() -> dict[str, str]:
    """Read the examples of the page by their headings."""
    parts = re.split(r"^## (.*)$", PAGE.read_text(), flags=re.MULTILINE)[1:]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    found = {title: "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)) for title, text in pairs}
    assert all(found.values())
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a board of evaluated runs and of rows as earlier and later versions write them."""
    root = tmp_path_factory.mktemp("reading")
    board = crowd.board(root / "board", crowd.bundles(root, seeds=(0, 1), of=crowd.world(15), draws=0))
    older(board, "0" * 32)
    later(board, "f" * 32)
    store.publish(board, "queries", store.encoded("queries", shelf.queries(1)))  # of an addition that never ended
    compact.compact(board)
    return root


def older(board: Board, run_id: str) -> None:
    """Add a row without some columns and with narrower numbers; it is the first file by name."""
    table = shelf.table("runs", [shelf.record(0, "failed") | {"run_id": run_id}])
    table = table.drop_columns(["n_gallery", "files", "train_sets"])
    for name, kind in (("seed", pa.int16()), ("mAP", pa.float32())):
        table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    written(board, table, run_id)


def later(board: Board, run_id: str) -> None:
    """Add a row with a column that this version does not know."""
    table = shelf.table("runs", [shelf.record(1, "failed") | {"run_id": run_id}])
    written(board, table.append_column("watts", pa.array([310])), run_id)


def written(board: Board, table: pa.Table, run_id: str) -> None:
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"luxreid.schema": "runs/1"}), buffer, write_page_checksum=True)
    store.publish(board, "runs", buffer.getvalue(), f"{run_id}-")


@pytest.fixture
def seen(place: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Run the page from top to bottom; note what its examples have made by the end of each part."""
    monkeypatch.chdir(place)
    names: dict[str, Any] = {}
    made = dict[str, dict[str, Any]]()
    for title, code in examples().items():
        exec(compile(code, f"{PAGE.name}: {title}", "exec"), names)
        made[title] = dict(names)
    return made


def rows(table: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Give rows by run, whoever read them."""
    if isinstance(table, pd.DataFrame):
        table = pa.Table.from_pandas(table, preserve_index=False)
    table = table if isinstance(table, pa.Table) else table.to_arrow()
    names = sorted(set(table.column_names) - {store.FILE})
    return sorted(table.select(names).to_pylist(), key=lambda row: str(row["run_id"]))


def test_every_reader_gives_what_the_store_gives(seen: dict[str, dict[str, Any]]) -> None:
    expected = rows(seen["With the project itself"]["runs"])
    assert [row["watts"] for row in expected] == [None] * 5 + [310]
    assert {row["seed"] for row in expected} == {0, 1}
    for title, names in seen.items():
        assert rows(names["runs"]) == expected, title
    kinds = {title: type(names["runs"]).__module__.split(".")[0] for title, names in seen.items()}
    assert set(kinds.values()) == {"pyarrow", "pandas", "polars"}


def test_the_example_of_people_gives_the_records_own_number(seen: dict[str, dict[str, Any]], place: Path) -> None:
    ended = [row for row in store.runs(Board(place / "board")).rows if row["status"] == "ok"]
    stored = {row["run_id"]: row["mAP_id_macro"] for row in ended}
    found = dict(seen["DuckDB"]["macro"])
    assert found.keys() == stored.keys()
    assert len(found) == 4
    for run_id, value in stored.items():
        assert found[run_id] == pytest.approx(value, abs=1e-9)


def test_the_example_of_light_gives_what_the_tables_say(seen: dict[str, dict[str, Any]]) -> None:
    last = seen["The lists of a run"]
    queries, lists = last["queries"], store.tables(last["board"], last["best"])["lists"]
    light = lists.filter(pc.equal(lists["role"], "query")).sort_by("position")["lightness"].to_numpy()
    first = np.array([ranks[0] == 1 if ranks else False for ranks in queries["pos_ranks"].to_pylist()])
    valid = np.array([bool(ranks) for ranks in queries["pos_ranks"].to_pylist()])
    level = np.floor(light[queries["query_idx"].to_numpy()] / 25) * 25
    expected = [(one, first[valid & (level == one)].mean(), (valid & (level == one)).sum()) for one in np.unique(level)]
    assert last["by_light"] == [(start, pytest.approx(share), count) for start, share, count in expected]
    assert len(expected) == 3
