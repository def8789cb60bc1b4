"""What was computed before: rows stand once, in one order, whatever files they came from."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboards import derived, history, store
from leaderboards.store import Board

UNITS = (("all", "all"), ("query", "light@1"), ("pair_pos", "light@1"))

cells = st.tuples(
    st.sampled_from("ab"),  # whose
    st.sampled_from([*UNITS, ("worst", "light@1"), ("slope", "stops"), ("query", "other@1")]),
    st.sampled_from([None, "Low", "High"]),
    st.sampled_from(["mAP", "R1"]),
)


def table(rows: list[tuple[str, tuple[str, str], str | None, str]]) -> pa.Table:
    """Make rows of `means/1`; the value says at which place a row stood."""
    made = [
        {"lists_sha256": "l", "analysis": "1", "config_id": who, "run_ids": [f"{who}1", f"{who}2"], "metric": metric}
        | {"cut": unit[0], "scheme_id": unit[1], "q_stratum": level, "value": float(place)}
        for place, (who, unit, level, metric) in enumerate(rows)
    ]
    found = pa.Table.from_pylist(made, history.MEANS)
    return found.append_column(derived.KEY, derived.keys(found, "means"))


@given(st.lists(cells, max_size=40))
def test_rows_stand_once_and_the_first_stays(rows: list[tuple[str, tuple[str, str], str | None, str]]) -> None:
    names = (derived.KEY, "cut", "scheme_id", "q_stratum", "g_stratum", "metric")
    first = [float(rows.index(row)) for row in dict.fromkeys(rows)]
    assert derived.once(table(rows), names)["value"].to_pylist() == first


@given(st.lists(cells, max_size=40, unique=True), st.sampled_from(["a", "ab", "ba", ""]))
def test_rows_stand_in_the_order_of_runs_and_cuts(
    rows: list[tuple[str, tuple[str, str], str | None, str]], wanted: str
) -> None:
    keys = [derived.key([who], [[f"{who}1", f"{who}2"]]) for who in wanted]
    found = derived.ordered(table(rows), keys, UNITS)["value"].to_pylist()
    families = [*UNITS, ("worst", "light@1"), ("slope", "stops")]
    twin = [
        float(place) for who in wanted for unit in families for place, row in enumerate(rows) if row[:2] == (who, unit)
    ]
    assert found == twin


def test_what_follows_from_a_cut_goes_with_it() -> None:
    rows: list[tuple[str, tuple[str, str], str | None, str]] = [
        ("a", unit, None, "mAP") for unit in (*UNITS, ("worst", "light@1"), ("slope", "stops"), ("worst", "other@1"))
    ]
    for units, kept in ((UNITS, [0, 1, 2, 3, 4]), (UNITS[:1], [0, 4]), (UNITS[1:2], [1, 3]), (UNITS[2:], [2])):
        assert derived.of_units(table(rows), units)["value"].to_pylist() == kept


def test_rows_of_other_draws_or_lists_survive_a_merge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "MOST_FILES", 2)
    board = store.begun(tmp_path / "board")
    made = table([("a", UNITS[0], None, "mAP")]).drop_columns([derived.KEY])
    for name, value in (("analysis", "2"), ("lists_sha256", "m"), ("value", 7.0), ("protocol_sha256", "p")):
        place, kind = made.column_names.index(name), made.schema.field(name).type
        changed = made.set_column(place, name, pa.array([value], kind))
        store.publish(board, "means", store.encoded("means", changed))
    store.publish(board, "means", store.encoded("means", made))
    derived.merge(board, "means")
    assert len(store.names(board, "means")) == 1
    loaded = store.load(board, "means").table
    rows = zip(*(loaded[name].to_pylist() for name in ("analysis", "lists_sha256", "protocol_sha256")), strict=True)
    assert sorted(map(str, rows)) == sorted(
        map(str, [("1", "l", None), ("2", "l", None), ("1", "m", None), ("1", "l", "p")])
    )


def test_files_are_not_merged_where_one_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "MOST_FILES", 1)
    board = store.begun(tmp_path / "board")
    for who in "ab":
        made = table([(who, UNITS[0], None, "mAP")]).drop_columns([derived.KEY])
        store.publish(board, "means", store.encoded("means", made))
    broken = damage(board)
    derived.merge(board, "means")
    assert len(store.names(board, "means")) == 2
    assert broken.exists()  # `board check` sets it aside


def damage(board: Board) -> Path:
    path = board.path("means", store.names(board, "means")[0])
    path.write_bytes(path.read_bytes()[:-10])
    return path
