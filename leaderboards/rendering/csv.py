"""Tables as one long CSV: a line a number, with everything it must be read beside, at full precision."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from leaderboards import labels
from leaderboards.rendering import words
from leaderboards.tables import Cell, Column, Line, Lost, Table

_BEHIND = ("difference", "difference_lo", "difference_hi", "p", "p_corrected")  # the leader of the column
COLUMNS = (
    *("board", "title", "eval_set", "protocol_id", "lists_sha256", "protocol_sha256"),
    *("section", "place", "name", "method", "config_id", "run_ids", "tier", "division", "official"),
    *("seeds", "n_test_evals", "flags", "disclosures", "why"),
    *("cut", "scheme_id", "q_stratum", "g_stratum", "column", "level", "metric"),
    *("value", "sd_seeds", "ci_lo", "ci_hi", "bold", "reason"),
    *_BEHIND,
    *("chance", "n_query", "n_id", "positives_per_query"),
    *("dataset", "protocol", "ap_rule", "denominator", "source", "note"),
)
SECTIONS = ("ranked", "apart", "lost", "published")

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute what begins so


def text(tables: Sequence[Table]) -> str:
    """Give tables as lines; a text that a spreadsheet would take for a formula stands behind an apostrophe."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows(tables))
    return buffer.getvalue()


def rows(tables: Sequence[Table]) -> Iterator[dict[str, Any]]:
    """Give a row a number."""
    for table in tables:
        where = vars(table.where) | {"title": table.title}
        for section, lines in (("ranked", table.ranked), ("apart", table.apart)):
            for line in lines:
                for column, cell in zip(table.columns, line.cells, strict=True):
                    yield where | {"section": section} | _line(line) | _column(column) | _value(cell)
        yield from (where | {"section": "lost"} | _lost(one) for one in table.lost)
        for row in table.published:
            for metric, head in zip(words.PRINTED, words.HEADS, strict=True):
                if row[metric] is not None:
                    yield where | {"section": "published"} | _published(row, metric) | {"column": head}


def write_dictionary(out: Path) -> None:
    """Write what the columns mean beside a file: `table.csv` gets `table.dictionary.csv`."""
    from leaderboards import dictionary

    dictionary.write(out.with_name(f"{out.stem}.dictionary.csv"), ("table",))


def _line(line: Line) -> dict[str, Any]:
    return {
        "place": "" if line.place == words.NONE else line.place.lstrip("="),
        "name": line.name,
        "method": line.method,
        "config_id": line.config_id,
        "run_ids": " ".join(line.run_ids),
        "tier": line.tier,
        "division": line.division,
        "official": line.official,
        "seeds": line.seeds,
        "n_test_evals": line.tests,
        "flags": "; ".join(line.flags),
        "disclosures": "; ".join(line.disclosures),
        "why": line.why,
    }


def _column(column: Column) -> dict[str, Any]:
    cut, scheme, q, g = column.place
    said = {"cut": cut, "scheme_id": scheme, "q_stratum": q, "g_stratum": g, "column": column.title}
    support = {"n_query": column.queries, "n_id": column.identities, "positives_per_query": column.positives}
    return said | {"metric": column.metric, "chance": column.chance} | support


def _value(cell: Cell) -> dict[str, Any]:
    found = {"value": cell.value, "sd_seeds": cell.sd, "ci_lo": cell.low, "ci_hi": cell.high}
    found |= dict(zip(_BEHIND, cell.behind or (), strict=False))
    return found | {"level": cell.level, "bold": cell.bold, "reason": cell.reason}


def _lost(one: Lost) -> dict[str, Any]:
    return {"name": one.name, "why": one.why, "run_ids": " ".join(one.run_ids)}


def _published(row: dict[str, Any], metric: str) -> dict[str, Any]:
    name = " ".join(labels.plain(row[key]) for key in ("method", "backbone") if row[key])
    facts = ("method", "dataset", "protocol", "ap_rule", "denominator", "source", "note")
    said = {key: labels.plain(row[key]) for key in facts if row[key]}
    return said | {"name": name, "tier": "literature", "metric": metric, "value": row[metric]}


def _cell(value: object) -> str:
    """Print a value: numbers as Python does, so that they are read back to the last digit."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return repr(value)
    return f"'{value}" if str(value).startswith(_FORMULA) else str(value)
