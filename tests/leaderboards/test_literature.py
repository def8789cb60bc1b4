"""Numbers of papers: read as printed, put where they belong, and nothing is guessed."""

import csv
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import grammar, protocol
from benchmark.errors import UserError
from benchmark.readers import knight, market1501, msmt17, night600, nightreid
from leaderboards import history, literature, store

HEADER = "dataset,protocol,direction,method,backbone,r1,r5,r10,r20,map,minp,ap_rule,source,note"
ROW = {
    **{"dataset": "Night600", "protocol": "standard", "direction": "", "method": "Ours", "backbone": ""},
    **{"r1": "11.20", "r5": "22.6", "r10": "", "r20": "", "map": "5.40", "minp": "", "ap_rule": "discrete"},
    **{"source": "a paper", "note": ""},
}

# Sets that a reader of their own names; all others are called as their folder is.
SOURCES = {
    **{"Market-1501": "market1501", "Night600": "night600", "NightReID": "nightreid", "Knight": "knight"},
    **{"RGBNT201_rgb": "rgbnt201", "MSMT17_V2": "msmt17-v2"},
}


def file(folder: Path, *rows: dict[str, str]) -> Path:
    path = folder / "mine.csv"
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, names)
        writer.writeheader()
        writer.writerows(rows)
    return path


def printed() -> list[dict[str, str]]:
    """Read the shipped files in the plainest way."""
    rows = []
    for name in literature.SHIPPED:
        with (literature.FOLDER / name).open(newline="") as opened:
            rows += list(csv.DictReader(opened))
    return rows


def mapping() -> list[dict[str, str]]:
    with (literature.FOLDER / "protocols.csv").open(newline="") as opened:
        return list(csv.DictReader(opened))


def refused(path: Path) -> str:
    with pytest.raises(UserError) as error:
        literature.read(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_printed_digit_comes_back() -> None:
    rows = literature.shipped().to_pylist()
    assert len(rows) == len(printed()) == 295
    for row, line in zip(rows, printed(), strict=True):
        for theirs, ours in literature.NUMBERS.items():
            assert (row[ours] is None) == (line[theirs] == ""), (line, theirs)
            if line[theirs]:
                digits = len(line[theirs].partition(".")[2])
                assert f"{100 * row[ours]:.{digits}f}" == line[theirs]
        for name in ("dataset", "protocol", "direction", "method", "backbone", "ap_rule", "source", "note"):
            assert (row[name] or "") == line[name]


def test_rows_of_the_papers_by_hand() -> None:
    rows = literature.rows_for(literature.shipped(), "night600", "night600")
    eda = rows[1]
    assert (eda["method"], eda["mAP"], eda["R1"]) == ("EDA", 0.116, 0.238)
    assert (eda["ap_rule"], eda["denominator"], eda["source"]) == ("unknown", "unknown", "msm8976/NightReID README")
    idf = literature.rows_for(literature.shipped(), "night600", "night600-idf")
    best = next(row for row in idf if row["method"] == "IDF_IDE+")
    assert (best["mAP"], best["R1"], best["ap_rule"]) == (0.0663, 0.1363, "trapezoid")
    assert best["denominator"] == "all queries"
    assert [row["mAP"] for row in idf] == sorted((row["mAP"] for row in idf), reverse=True)


def test_what_is_mapped_is_ours_or_none_and_nothing_is_stale() -> None:
    known = set(protocol.PROTOCOLS.names())
    used = {(row["dataset"], row["protocol"], row["direction"]) for row in printed()}
    for row in mapping():
        assert (row["eval_set"] == "none") == (row["protocol_id"] == "none")
        assert row["protocol_id"] in {*known, "none"}
        assert row["why"]
        assert (row["dataset"], row["protocol"], row["direction"]) in used
        if row["eval_set"] != "none":
            expected = SOURCES.get(row["dataset"]) or grammar.source_name(Path(row["dataset"]))
            assert row["eval_set"] == expected
    keys = Counter(tuple(row[name] for name in ("dataset", "protocol", "direction", "ap_rule")) for row in mapping())
    assert max(keys.values()) == 1


@pytest.mark.parametrize(
    ("name", "card", "counted"),
    [
        ("Market-1501", market1501.CARD, "query"),
        ("Night600", night600.CARD, "query"),
        ("MSMT17_V2", msmt17.CARD, "query"),
    ],
)
def test_the_number_of_queries_is_the_readers(name: str, card: object, counted: str) -> None:
    numbers = {row["n_query"] for row in mapping() if row["dataset"] == name and row["n_query"]}
    assert numbers == {str(card.counts[counted][0])}  # type: ignore[attr-defined]


def test_lists_of_several_protocols_have_the_readers_numbers() -> None:
    counts = nightreid.CARD.counts
    for row in mapping():
        if row["dataset"] == "NightReID":
            size = row["protocol"].split("-")[0]
            assert int(row["n_query"]) == counts[f"query-{size}"][0]
    assert knight.CARD.title == "Knight"
    assert {row["n_query"] for row in mapping() if row["dataset"] == "Knight"} == {""}  # no official split is known


def test_a_denominator_is_never_more_than_what_somebody_said() -> None:
    rows = literature.shipped().to_pylist()
    with (literature.FOLDER / "denominators.csv").open(newline="") as opened:
        said = {(row["source"], row["ap_rule"]): row["denominator"] for row in csv.DictReader(opened)}
    assert {(row["source"], row["ap_rule"]) for row in rows} >= set(said)
    for row in rows:
        note = row["note"] or ""
        if "all-query denominator" in note:
            assert row["denominator"] == "all queries"
        elif "valid queries" in note:
            assert row["denominator"] == "valid queries"
        if row["ap_rule"] == "unknown":
            assert row["denominator"] == "unknown"
        assert row["denominator"] == said.get((row["source"], row["ap_rule"]), "unknown")
    assert sum(row["denominator"] != "unknown" for row in rows) < len(rows) / 4


def test_rows_whose_set_or_direction_nobody_says_stand_nowhere() -> None:
    rows = [row for row in literature.shipped().to_pylist() if row["eval_set"] is None]
    assert {(row["dataset"], row["protocol"], row["direction"]) for row in rows} >= {
        ("SYSU-MM01", None, "IR->VIS"),
        ("RegDB", "10 trials", None),
        ("LLCM", None, None),
        ("MSMT17", "single-query", None),
        ("CUHK03", "single-query", None),
    }
    assert all(row["protocol_id"] is None and row["n_query"] is None for row in rows)


def test_an_unmapped_protocol_fails_in_one_line_that_names_it(tmp_path: Path) -> None:
    said = refused(file(tmp_path, ROW, ROW | {"protocol": "ours", "direction": "N->D"}))
    assert "line 3: dataset 'Night600', protocol 'ours', direction 'N->D', AP rule discrete" in said
    assert "mapped for Night600: standard" in said
    assert "'Night600'" in refused(file(tmp_path, ROW | {"dataset": "Night60"}))
    # Nobody says where a trained-elsewhere row of another AP rule stands.
    strange = ROW | {"protocol": "standard (cross-set, trained on Knight c1c2)"}
    assert "AP rule discrete, is mapped to no protocol" in refused(file(tmp_path, strange))


def test_a_lab_may_say_itself_where_its_rows_stand(tmp_path: Path) -> None:
    own = ROW | {"protocol": "ours", "eval_set": "yard", "protocol_id": "yard-night", "denominator": "valid queries"}
    table = literature.read(file(tmp_path, own))
    (row,) = literature.rows_for(table, "yard", "yard-night", n_query=7, protocol_sha256="0" * 64)
    assert (row["R1"], row["denominator"], row["n_query"]) == (0.112, "valid queries", None)
    assert (
        literature.read(file(tmp_path, own | {"eval_set": "none", "protocol_id": "none"}))["eval_set"][0].as_py()
        is None
    )
    assert "both or neither" in refused(file(tmp_path, own | {"protocol_id": ""}))
    assert "denominator = 'all'" in refused(file(tmp_path, own | {"denominator": "all"}))


def test_a_row_of_ours_is_not_given_a_denominator_because_another_source_has_one(tmp_path: Path) -> None:
    table = literature.read(file(tmp_path, ROW | {"ap_rule": "trapezoid"}))
    assert table["protocol_id"].to_pylist() == ["night600-idf"]
    assert table["denominator"].to_pylist() == ["unknown"]


def test_other_lists_and_changed_rules_under_an_old_name_get_no_row() -> None:
    table = literature.shipped()
    rows = literature.rows_for(table, "market1501", "market-style")
    assert len(rows) == 20
    own = protocol.load("market-style").sha256
    assert literature.rows_for(table, "market1501", "market-style", 3368, own) == rows
    assert literature.rows_for(table, "market1501", "market-style", 3368, "0" * 64) == []
    assert literature.rows_for(table, "market1501", "market-style", 1000) == []
    assert literature.rows_for(table, "market1501+night600-1a2b3c4d", "market-style") == []
    assert literature.rows_for(table, "night600", "market-style") == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"map": "nan"}, "line 2: map = 'nan', must be a percentage"),
        ({"map": "-1"}, "map = '-1', must be a percentage"),
        ({"map": "100.1"}, "map = '100.1', must be a percentage"),
        ({"map": "1_0"}, "map = '1_0', must be a percentage"),
        ({"map": "5,4"}, "map = '5,4', must be a percentage"),
        ({"ap_rule": "trapez"}, "ap_rule = 'trapez'; did you mean 'trapezoid'?"),
        ({"method": " "}, "method is empty"),
        ({"source": ""}, "source is empty"),
        ({"r5": "11.19"}, "r1 is above r5"),
        ({"r1": "", "r5": "", "map": ""}, "holds no number"),
        ({"r1": "0.11", "r5": "0.22", "map": "0.05"}, "these look like shares"),
        ({"note": "two\nlines"}, r"note = 'two\nlines' holds what cannot be printed in a line"),
        ({"mapp": "5.4"}, "unknown column 'mapp'; did you mean 'map'?"),
    ],
)
def test_a_mistake_in_a_row_is_said_in_a_line(change: dict[str, str], said: str, tmp_path: Path) -> None:
    assert said in refused(file(tmp_path, ROW | change))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "has no column 'dataset'"),
        (f"{HEADER}\n".encode(), "holds no row"),
        (f"{HEADER}\nNight600,standard\n".encode(), "line 2: has 2 cells, the header has 14"),
        (f"{HEADER},map\n".encode(), "two columns are called 'map'"),
        (HEADER.replace("source", "quelle").encode(), "has no column 'source'"),
        (f'{HEADER}\n"Night600'.encode(), "line 2: not CSV"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_broken_file_is_said_in_a_line(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_bytes(data)
    assert said in refused(tmp_path / "mine.csv")


def test_a_row_that_stands_twice_is_refused(tmp_path: Path) -> None:
    assert "'Ours' from 'a paper' stands twice" in refused(file(tmp_path, ROW, ROW))


def test_a_spreadsheets_mark_empty_lines_and_absent_columns_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(
        b"\xef\xbb\xbfap_rule,source,dataset,protocol,method,map\r\n\r\nunknown,x,Night600,standard,M,9\r\n"
    )
    (row,) = literature.read(path).to_pylist()
    assert (row["method"], row["mAP"], row["R1"], row["backbone"]) == ("M", 0.09, None, None)


@given(st.integers(0, 10_000))
def test_a_share_is_the_nearest_number_to_the_printed_percentage(hundredths: int) -> None:
    text = str(Decimal(hundredths) / 100)
    text = text if re.fullmatch(r"[0-9.]+", text) else "0"
    share = literature._share(text, "map", "here")
    assert share is not None
    assert f"{100 * share:.2f}" == f"{Decimal(text):.2f}"
    assert share == float(f"{Decimal(text) / 100:.6f}")


def test_a_labs_rows_are_put_on_its_board_once_and_stand_beside_the_shipped(tmp_path: Path) -> None:
    board = store.begun(tmp_path / "board")
    assert len(literature.on(board)) == 295
    path = file(tmp_path, ROW)
    assert literature.add(board, path) == literature.add(board, path) == 1
    assert len(store.names(board, "published")) == 1
    more = file(tmp_path, ROW, ROW | {"method": "Others & <b>$"})
    assert literature.add(board, more) == 2
    found = literature.on(board)
    assert found.schema == history.PUBLISHED
    assert len(found) == 297  # Ours stands in both files
    methods = [row["method"] for row in literature.rows_for(found, "night600", "night600", 2180)]
    assert {"Ours", "Others & <b>$"} <= set(methods)


def test_what_lies_on_a_board_reads_back_as_it_was_read(tmp_path: Path) -> None:
    board = store.begun(tmp_path / "board")
    literature.add(board, literature.FOLDER / "night_person.csv")
    (name,) = store.names(board, "published")
    assert store.read(board, "published", name).to_pylist() == literature.shipped().to_pylist()[:132]
