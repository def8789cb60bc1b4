"""What is printed is what the board holds, and a label is text in every format, whatever it holds."""

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.cells import cell_len
from rich.text import Text

from leaderboards import labels, rendering, store, tables
from leaderboards.gathered import Where
from leaderboards.rendering import csv as csv_table
from leaderboards.rendering import latex, markdown, terminal, words
from leaderboards.store import Board
from leaderboards.tables import WHOLE, Asked, Cell, Column, Line, Lost, Table
from tests.leaderboards import crowd

WHERE = Where("board", "set", "protocol", "a" * 64, "b" * 64)
NASTY = (
    "<script>alert(1)</script>",
    "a | b || c",
    r"50% & $x_1$ #1 {a} \b ~c^d \\",
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "[0.5cm] x",
    "*bold* _it_ `code` [link](http://x.y) ![p](q) ~~s~~",
    "http://evil.example and www.evil.example and a@b.example",
    "-- --- ,,, ?` !` '' `` \" [1] *",
    'he said "no", twice',
    "漢字 Ünï é",
    "&amp; &#60;",
    "1. list",
    "# title",
    "\\",
)
labels_ = st.one_of(st.sampled_from(NASTY), st.text(max_size=30)).map(labels.plain).filter(bool)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    root = tmp_path_factory.mktemp("rendered")
    return crowd.board(root / "board", crowd.bundles(root, seeds=range(5)))


@pytest.fixture(scope="module")
def made(board: Board) -> list[Table]:
    return tables.tables(board, Asked(by=("overall", "light", "light+size"), pairs=("light",)))


def line(name: str = "n", cells: tuple[Cell, ...] = (Cell(0.5),), **facts: Any) -> Line:  # noqa: ANN401
    made = Line("=1", name, name, "c", ("r",), "ran here", "open", True, 3, (), (), cells)
    return replace(made, **facts)


def table(label: str = "label", **facts: Any) -> Table:  # noqa: ANN401
    """Make a table that says a label wherever somebody else's text can stand."""
    columns = (Column("all", "mAP", WHOLE, 0.1, 1234, 40, 2.5), Column(label, "mAP", ("query", "s", label, None)))
    cells = (Cell(0.5, 0.01, 0.4, 0.6, bold=True), Cell(0.25, level=label, reason="low_support"))
    paper = {"method": label, "backbone": None, "ap_rule": "unknown", "denominator": "unknown", "source": label}
    paper |= dict.fromkeys(words.PRINTED) | {"mAP": 0.123, "dataset": label, "protocol": label, "note": label}
    known = {
        "ranked": (line(label, cells, flags=(label,), disclosures=(label,)),),
        "apart": (line(label, cells, place="-", why=label),),
        "lost": (Lost(label, label, ("r1", "r2")),),
        "published": (paper,),
        "caption": (label,),
    }
    return Table(label, WHERE, "mAP", columns, **(known | facts))


# A label that somebody chose.


@given(st.text(max_size=60))
def test_plain_text_is_one_line_that_can_be_printed(text: str) -> None:
    made = labels.plain(text)
    assert made.isprintable()
    assert made == made.strip()
    if text.isprintable() and "  " not in text.strip():
        assert made == text.strip()


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\u202eb", "a\nb", "a\u2028b", "a\x00b", "a\u200bb"])
def test_what_moves_a_cursor_or_turns_the_writing_about_is_a_blank(text: str) -> None:
    assert re.fullmatch(r"a (\[31m)?b", labels.plain(text))


@pytest.mark.parametrize(
    ("facts", "flagged"),
    [
        ({}, True),
        ({"disclosures": []}, True),
        ({"disclosures": ["from us"]}, False),
        ({"pretrain_data": ["A"]}, False),
        ({"submission_sha256": "0"}, False),
        ({"provenance": "ran_here"}, False),
        ({"provenance": "verified", "added_as": "rescored"}, True),
    ],
)
def test_features_that_come_without_a_word_are_flagged(facts: dict[str, Any], flagged: bool) -> None:
    assert ("nothing disclosed" in labels.flags([{"provenance": "rescored"} | facts])) == flagged


# CSV.


def lines_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@given(labels_)
def test_csv_holds_labels_as_they_are_and_nothing_that_a_spreadsheet_computes(label: str) -> None:
    rows = lines_of(csv_table.text([table(label)]))
    expected = f"'{label}" if label[0] in "=+-@" else label
    for row in rows:
        assert None not in row
        assert {"ranked": row["name"], "apart": row["why"], "lost": row["why"], "published": row["source"]}[
            row["section"]
        ] == expected
        for value in row.values():
            assert not value.startswith(("=", "+", "@", "\t", "\r"))
            assert not value.startswith("-") or re.fullmatch(r"-[\d.e-]+", value)
    assert [row["section"] for row in rows] == ["ranked"] * 2 + ["apart"] * 2 + ["lost", "published"]


def test_csv_gives_the_numbers_of_the_board_to_the_last_digit(board: Board, made: list[Table]) -> None:
    kept = {
        (row["config_id"], row["cut"], row["scheme_id"], row["q_stratum"], row["g_stratum"], row["metric"]): row
        for row in store.load(board, "means").table.to_pylist()
    }
    rows = [row for row in lines_of(csv_table.text(made)) if row["cut"] != "worst"]
    assert len(rows) == 2 * (5 + 4 + 7 + 10)
    for row in rows:
        key = [row[name].removeprefix("'") or None for name in ("cut", "scheme_id", "q_stratum", "g_stratum", "metric")]
        own = kept[(row["config_id"], *key)]  # type: ignore[index]
        for name in ("value", "sd_seeds", "ci_lo", "ci_hi"):
            assert (float(row[name]) if row[name] else None) == own[name]
        assert (int(row["n_query"]), int(row["n_id"])) == (own["n_query"], own["n_id"])


def named(label: str) -> str:
    """Say by hand what a paper's row of one label is called."""
    more = any(sign in label for sign in "(,;:")
    return f"{label}; {label} [1]" if more else f"{label} [1]"


def test_csv_says_how_far_each_is_behind_the_leader(made: list[Table]) -> None:
    rows = [row for row in lines_of(csv_table.text(made[:1])) if row["metric"] == "mAP"]
    poor = next(cell for one in made[0].ranked if one.name == "poor" for cell in one.cells)
    behind = [float(rows[1][name]) for name in ("difference", "difference_lo", "difference_hi", "p", "p_corrected")]
    assert rows[0]["name"] == "good"
    assert (rows[0]["difference"], rows[0]["p"]) == ("", "")
    assert behind == list(poor.behind or ())
    assert behind[1] < behind[0] < behind[2]


# Markdown, read by another's parser.


def tokens(text: str) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        yield token
        yield from token.children or ()


ALLOWED = {"text", "softbreak", "strong_open", "strong_close", "em_open", "em_close", "text_special", "inline"}


def grids(text: str) -> list[list[list[str]]]:
    """Read the tables as rows of texts."""
    found: list[list[list[str]]] = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and found and token.level > 3:
            found[-1][-1].append("".join(part.content for part in token.children or ()))
    return found


@given(labels_)
def test_markdown_is_text_and_keeps_its_cells(label: str) -> None:
    text = markdown.text([table(label)])
    inline = {part.type for token in tokens(text) for part in token.children or ()}
    assert inline <= ALLOWED
    main, apart, papers = grids(text)
    assert {len(row) for row in (*main, *apart)} == {5}
    assert {len(row) for row in papers} == {9}
    assert main[0][-1] == main[1][1] == apart[1][0] == apart[1][2] == papers[1][3] == label
    assert papers[1][0] == named(label)
    assert main[1][-1] == f"25.0 (n < 30) in {label}"
    texts = ["".join(part.content for part in token.children or ()) for token in tokens(text) if token.type == "inline"]
    assert label in texts  # the caption


@pytest.mark.parametrize("label", ["http://evil.example", "www.evil.example", "x@evil.example", "https://a.b"])
def test_markdown_makes_no_links_of_bare_addresses(label: str) -> None:
    assert label not in markdown.text([table(label)])


# LaTeX, read by a little parser of its own.

_NAMED = {
    **{"textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<", "textgreater": ">"},
    **{"textbar": "|", "textasciigrave": "`", "textquotesingle": "'", "ldots": "…", "pm": "±", "char": '"'},
}
_IDLE = {"footnotesize", "textbf", "ensuremath", "textcolor"}


def read(text: str) -> str:
    """Read what LaTeX would set; anything that would be an order is refused."""
    made, place, depth = "", 0, 0
    while place < len(text):
        letter = text[place]
        if letter == "\\":
            found = re.match(r"\\(?:([a-zA-Z]+)(?:34)? ?|(.))", text[place:])
            assert found, text
            place += found.end()
            if found[2]:
                assert found[2] in "{}$&#%_", text
                made += found[2]
            elif found[1] not in _IDLE:
                made += _NAMED[found[1]]
                assert text[place : place + 1] in ("{", "}"), text  # a blank behind it would be eaten
            continue
        depth += (letter == "{") - (letter == "}")
        assert depth >= 0, text
        assert letter not in "#%&_^~", text
        made += "" if letter in "{}$" else letter
        place += 1
    assert depth == 0, text
    return made


def rows_of(text: str) -> list[list[str]]:
    """Split a table's lines into cells at every & that is no text."""
    body = [one.removesuffix(" \\\\") for one in text.splitlines() if one.endswith(" \\\\")]
    return [re.split(r"(?<!\\) & ", f" {one}") for one in body]


@given(labels_)
def test_latex_sets_labels_as_they_are(label: str) -> None:
    assert read(latex.escaped(label)) == label
    for joined in ("--", "``", "''", ",,", "?`", "!`"):
        assert joined not in latex.escaped(label)


@given(labels_)
def test_latex_keeps_its_cells_and_begins_no_row_with_what_belongs_to_the_one_before(label: str) -> None:
    text = latex.text([table(label)])
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    rows = rows_of(text)
    main, papers = rows[:-2], rows[-2:]
    assert {len(row) for row in main} == {4}
    assert {len(row) for row in papers} == {9}
    assert read(main[0][-1]).strip() == read(main[1][1]).strip() == label
    assert all(cell.strip().startswith(r"\textcolor{gray}{") for cell in papers[1])
    assert read(papers[1][0]).strip().removeprefix("gray") == named(label)
    assert not any(row[0].strip().startswith(("[", "*")) for row in rows)


def test_latex_labels_are_plain_and_of_one_table_each(made: list[Table]) -> None:
    found = re.findall(r"^\\label\{tab:([a-z0-9-]+)\}$", latex.text(made), flags=re.MULTILINE)
    assert len(set(found)) == len(found) == len(made)
    assert "{*}" not in latex.text(made)


def test_latex_opens_and_closes_every_environment(made: list[Table]) -> None:
    open_ = list[str]()
    for word, name in re.findall(r"\\(begin|end)\{(\w+\*?)\}", latex.text(made)):
        if word == "begin":
            open_.append(name)
        else:
            assert open_.pop() == name
    assert not open_


# Terminal.


@given(labels_)
def test_the_terminal_shows_labels_as_they_are_and_fits(label: str) -> None:
    text = terminal.text([table(label)])
    assert all(cell_len(one) <= terminal.WIDTH for one in text.splitlines())
    assert "".join(label.split()) in "".join(terminal._name(line(label), details=True).plain.split())
    if len(label) < 8:
        assert label in text


def test_everything_fits_and_wide_tables_are_divided(made: list[Table]) -> None:
    text = terminal.text(made)
    assert max(cell_len(one) for one in text.splitlines()) <= terminal.WIDTH
    pairs = made[-1]
    assert len(pairs.columns) == 10
    views = [part for part in terminal.parts([pairs]) if not isinstance(part, str)]
    assert [len(view.columns) - 2 for view in views] == [5, 5]


@given(st.integers(1, 40))
def test_columns_are_divided_evenly_and_none_is_lost(columns: int) -> None:
    blocks = terminal._blocks(columns)
    assert list(itertools.chain(*blocks)) == list(range(columns))
    assert max(map(len, blocks)) <= terminal.ABREAST
    assert max(map(len, blocks)) - min(map(len, blocks)) <= 1


def test_a_hundred_columns_are_for_another_format() -> None:
    columns = tuple(Column(str(number), "mAP", WHOLE) for number in range(100))
    wide = Table("t", WHERE, "mAP", columns, (line(cells=(Cell(0.5),) * 100),))
    assert "too many for a terminal" in terminal.text([wide])


def test_a_sentence_under_several_tables_is_said_once_but_whose_table_it_is_under_each() -> None:
    found = [replace(table(), caption=(f"lists {number}", "how to read", f"own {number}")) for number in range(2)]
    text = terminal.text(found)
    assert text.count("how to read") == 1
    assert text.index("own 1") < text.index("how to read")
    assert text.index("lists 0") < text.index("own 0") < text.index("lists 1")


def test_bold_is_seen_without_a_terminal() -> None:
    assert "50.0*" in terminal.text([table()])
    assert terminal._cell(Cell(0.5)).plain == "50.0"


def test_what_is_bold_is_so_in_every_format() -> None:
    assert "**50.0** ± 1.0 (40.0 to 60.0)" in markdown.text([table()])
    assert r"\textbf{50.0} $\pm$ 1.0" in latex.text([table()])
    assert [row["bold"] for row in lines_of(csv_table.text([table()]))][:2] == ["yes", "no"]
    assert "bold" in str(terminal._cell(Cell(0.5, bold=True)).style)


# All.


def printed(cell: Cell) -> list[str]:
    """Say by hand which numbers of a cell are printed."""
    return [f"{100 * number:.1f}" for number in (cell.value, cell.sd, cell.low, cell.high) if number is not None]


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+\.\d", text)


def test_printed_numbers_are_those_of_the_table_to_the_digit(made: list[Table]) -> None:
    for one in made:
        expected = [printed(cell) for line in one.ranked for cell in line.cells]
        grid = grids(markdown.text([one]))[0]
        cells = [cell for row in grid[1 : 1 + len(one.ranked)] for cell in row[3:]]
        assert [numbers(cell) for cell in cells] == expected
        shown = [numbers(terminal._cell(cell).plain) for line in one.ranked for cell in line.cells]
        assert shown == expected
        pairs = [(latex._score(cell), latex._interval(cell)) for line in one.ranked for cell in line.cells]
        assert [numbers(score) + numbers(interval) for score, interval in pairs] == expected


@pytest.mark.parametrize("show", [terminal.text, markdown.text, latex.text])
def test_every_table_says_of_what_it_is_and_what_its_numbers_stand_beside(
    show: Callable[[list[Table]], str], made: list[Table]
) -> None:
    text = " ".join(show(made[:1]).replace("\\", "").split())
    for said in (made[0].where.lists_sha256[:8], made[0].where.protocol_sha256[:8], "5 seeds a row", "10,000 draws"):
        assert said in text
    for said in ("chance", "queries", "people", "positives", "180", "90", "Holm"):
        assert said in text


def test_words_that_several_rows_disclose_are_told_once() -> None:
    told = [line(name, disclosures=("x", *more)) for name, more in (("a", ()), ("b", ("y",)), ("c", ("y",)))]
    assert words.remarks(table(ranked=tuple(told), apart=(), published=())) == ["Every row: x", "b, c: y"]


def test_footnotes_of_papers_are_told_once_and_what_the_source_says_of_its_protocol_is_shown() -> None:
    facts = dict.fromkeys(words.PRINTED) | {"backbone": "R", "note": "inferred", "source": "s"}
    papers = tuple(facts | {"method": "M", "protocol": said} for said in ("standard", "standard (trained on x)"))
    shown = table(published=papers, ranked=(), apart=())
    assert [words.paper(shown, row) for row in papers] == ["M R [1]", "M R; standard (trained on x) [1]"]
    assert words.remarks(shown) == ["[1] inferred"]


def test_why_there_is_no_number_and_why_no_place() -> None:
    short = replace(
        table(), ranked=(), apart=(line("n", (Cell(reason="truncated"), Cell(0.5)), place="-", why="dirty"),)
    )
    for show in (terminal.text, markdown.text, latex.text):
        text = show([short])
        assert "truncated" in text
        assert "dirty" in text
        assert "label (2 runs)" in text
    row = next(row for row in lines_of(csv_table.text([short])) if row["section"] == "apart")
    assert (row["value"], row["reason"], row["why"], row["place"]) == ("", "truncated", "dirty", "")


def test_a_number_of_a_paper_keeps_its_two_digits() -> None:
    row = dict.fromkeys(words.PRINTED) | {"mAP": 0.1436, "R1": 0.112, "R5": 0.29, "R10": 0.0007}
    assert words.printed(row) == ["14.36", "11.2", "29.0", "0.07", "-"]


def test_a_group_whose_runs_all_failed_is_shown() -> None:
    empty = Table("t", WHERE, "mAP", (), lost=(Lost("m", "failed (oom)", ("r" * 32,)),), caption=("c",))
    for show in (terminal.text, markdown.text, latex.text, csv_table.text):
        assert "failed (oom)" in show([empty])


@pytest.mark.parametrize("show", [terminal.text, markdown.text, latex.text])
def test_an_empty_board_says_so(show: Callable[[list[Table]], str], tmp_path: Path) -> None:
    assert "No run is on this board." in show(tables.tables(store.begun(tmp_path / "board"), Asked()))


@pytest.mark.parametrize("form", list(rendering.FORMATS))
def test_writing_goes_into_a_file_or_out(
    form: str, made: list[Table], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rendering.write(made, form, tmp_path / "table.txt")
    rendering.write(made, form)
    assert capsys.readouterr().out == (tmp_path / "table.txt").read_text(encoding="utf-8")
    beside = tmp_path / "table.dictionary.csv"
    assert beside.exists() == (form == "csv")
    if form == "csv":
        assert [row["column"] for row in lines_of(beside.read_text())] == list(csv_table.COLUMNS)


def test_rich_reads_no_markup_in_a_name() -> None:
    assert terminal._name(line("[red]x[/red]"), details=False) == Text("[red]x[/red]")
