"""The dictionary says something of every column, and of none that is gone."""

import csv
from pathlib import Path

import pytest

from benchmark.errors import UserError
from benchmark.schemas import SCORES
from leaderboards import dictionary, history
from leaderboards.rendering import csv as csv_table


@pytest.mark.parametrize("kind", list(history.KINDS))
def test_no_column_is_missing_or_stale(kind: str) -> None:
    assert set(dictionary.COLUMNS[kind]) == set(history.kind(kind).schema.names)


def test_no_kind_is_missing_or_stale() -> None:
    assert list(dictionary.COLUMNS) == list(history.KINDS)
    assert (*history.KINDS, "table") == dictionary.KNOWN


def test_the_export_has_the_columns_that_are_described_in_their_order() -> None:
    assert tuple(row["column"] for row in dictionary.table("table")) == csv_table.COLUMNS


def test_every_meaning_is_one_sentence_or_a_few_in_a_line() -> None:
    for kind in dictionary.KNOWN:
        for row in dictionary.table(kind):
            text = row["meaning"]
            assert text.endswith("."), (kind, row)
            assert text.isprintable()
            assert len(text) < 120, (kind, row)


def test_numbers_have_a_unit_and_flags_have_none() -> None:
    bare = {"seed", "ci_seed", "flip_seed", "df", "query_idx", "position", "pid", "camid", "place", "trial"}
    bare |= {"stratum_order", "list_depth", "pos_gidx", "top_gidx"}
    for kind in history.KINDS:
        for row in dictionary.table(kind):
            number = "int" in row["type"] or "float" in row["type"] or "double" in row["type"]
            if number and "struct" not in row["type"] and row["column"] not in bare:
                assert row["unit"], (kind, row)
            if row["type"] == "bool":
                assert not row["unit"], (kind, row)
            assert (row["unit"].startswith("SHA-256")) == (row["column"].endswith("sha256")), (kind, row)


def test_scores_are_shares() -> None:
    units = {row["column"]: row["unit"] for row in dictionary.table("runs")}
    assert {units[name] for name in SCORES} == {"share, 0 to 1"}


def test_the_rows_stand_in_the_order_of_the_columns_and_name_type_and_key() -> None:
    rows = dictionary.table("queries")
    assert [row["column"] for row in rows] == history.kind("queries").schema.names
    ranks = next(row for row in rows if row["column"] == "pos_ranks")
    assert ranks == {
        "table": "queries",
        "column": "pos_ranks",
        "type": "list<item: int32>",
        "unit": "rank, from 1",
        "key": "yes",
        "meaning": "Rank of every positive, ascending; junk is left out, ties are pessimistic.",
    }
    assert {row["column"] for row in rows if row["key"]} == set(history.kind("queries").keys)


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    dictionary.write(tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [row for kind in dictionary.KNOWN for row in dictionary.table(kind)]
    dictionary.write(tmp_path / "one.csv", ["marks"])
    assert len((tmp_path / "one.csv").read_text().splitlines()) == 1 + len(history.MARKS)


def test_an_unknown_kind_is_said_in_a_line() -> None:
    with pytest.raises(UserError, match="called 'run'; did you mean 'runs'"):
        dictionary.table("run")
