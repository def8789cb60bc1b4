"""The tables of a board as data: their columns today, and how a file of an earlier day is read.

A board outlives the code that wrote it. Within a major version columns may be added and a number may become wider; a
file that lacks a column has null there, one that has a column we do not know keeps it. Nothing else is read as if it
fitted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from benchmark.errors import UserError, nearest
from benchmark.schemas import LISTS, QUERIES, REQUIRED, RUN, STRATA

_text, _flag, _int, _float = pa.string(), pa.bool_(), pa.int32(), pa.float64()
_time = pa.timestamp("us", tz="UTC")
_texts = pa.list_(_text)

# What the board adds to `run/1`; docs/leaderboards.md says what each column means.
BOARD = pa.schema(
    [
        ("lists_file_sha256", _text),  # queries and strata are named in run/1
        ("measures_sha256", _text),  # what the levels were read from: lists equal in this and lists_sha256 cut alike
        ("disclosures", _texts),  # what whoever handed it in says of it, in words
        ("contact", _text),
        ("submission_sha256", _text),  # of the submission that was scored; null: a bundle
        ("files", pa.list_(pa.struct([("name", _text), ("sha256", _text), ("size", pa.int64())]))),  # kept as blobs
    ]
)

# What is said of a run after it was added; rows of the board are never changed.
MARKS = pa.schema(
    [
        ("run_id", _text),
        ("mark", _text),  # one of MARKS_KNOWN
        ("value", _text),  # superseded: the run that stands for it; reason: the code; verified: whose machine
        ("why", _text),
        ("at", _time),
        ("package_version", _text),
        ("git_commit", _text),
    ]
)
MARKS_KNOWN = ("flagged", "cleared", "superseded", "verified", "reason")

# Why there is no number.
REASONS = (
    *("not_run", "failed", "killed", "not_tested", "oom", "declined_contaminated", "not_applicable"),
    *("truncated", "low_support"),
)

# Numbers from the literature: never ranked, never bold, never tested.
PUBLISHED = pa.schema(
    [
        *((name, _text) for name in ("method", "backbone", "dataset", "protocol", "direction")),
        *((name, _text) for name in ("eval_set", "protocol_id")),  # where it stands; null: shown with no run of ours
        *((name, _float) for name in ("mAP", "mINP", "R1", "R5", "R10", "R20")),  # shares, 0 to 1
        *((name, _text) for name in ("ap_rule", "denominator", "source", "note")),
        ("n_query", _int),  # of the official lists: a group with another number has other lists
    ]
)

_place = [
    *((name, _text) for name in ("lists_sha256", "protocol_sha256", "measures_sha256", "analysis")),
    *((name, _text) for name in ("scheme_id", "scheme_sha256", "cut", "q_stratum", "g_stratum")),
    ("stratum_order", pa.int16()),
    ("metric", _text),
]

# The seeds of one configuration together. Derived: may be deleted, and is made again.
MEANS = pa.schema(
    [
        *_place,
        ("config_id", _text),
        ("run_ids", _texts),  # by seed
        *((name, _float) for name in ("value", "sd_seeds", "sd_trials", "se", "ci_lo", "ci_hi")),
        ("ci_method", _text),
        *((name, _int) for name in ("ci_B", "ci_seed", "seeds", "n_query", "n_id", "n_pos_pairs", "n_gallery")),
        ("low_support", _flag),
    ]
)

# One configuration against another over the seeds that both have. Derived.
PAIRS = pa.schema(
    [
        *_place,
        *((name, _text) for name in ("config_a", "config_b")),
        *((name, _texts) for name in ("run_ids_a", "run_ids_b")),
        *((name, _float) for name in ("a", "b", "difference", "se", "ci_lo", "ci_hi", "df", "p", "p_flip", "p_holm")),
        ("ci_method", _text),
        *((name, _int) for name in ("flips", "flip_seed", "seeds", "n_id", "n_query")),
        ("same_sign", _flag),
        ("claim", _text),  # of a: better, worse, or nothing
    ]
)


@dataclass(frozen=True)
class Kind:
    """One kind of table that a board keeps."""

    name: str
    schema_id: str
    schema: pa.Schema
    keys: tuple[str, ...]  # present in every file, and never null
    derived: bool = False


KINDS = {
    kind.name: kind
    for kind in (
        Kind("runs", "runs/1", pa.unify_schemas([RUN, BOARD]), REQUIRED["run"]),
        Kind("queries", "queries/1", QUERIES, REQUIRED["queries"]),
        Kind("strata", "strata/1", STRATA, REQUIRED["strata"]),
        Kind("lists", "lists/1", LISTS, REQUIRED["lists"]),
        Kind("marks", "marks/1", MARKS, ("run_id", "mark", "at")),
        Kind("published", "published/1", PUBLISHED, ("method", "dataset", "ap_rule", "source")),
        Kind("means", "means/1", MEANS, ("lists_sha256", "config_id", "scheme_id", "cut", "metric"), derived=True),
        Kind("pairs", "pairs/1", PAIRS, ("lists_sha256", "config_a", "config_b", "scheme_id", "metric"), derived=True),
    )
}

# Who may be ranked, and what a run of our own must show for it.
RANKABLE = ("ran_here", "rescored", "verified")
_SHOWN = ("seed", "ckpt_sha256", "log_sha256")

_WIDER = {
    pa.int16(): (pa.int8(),),
    pa.int32(): (pa.int8(), pa.int16()),
    pa.int64(): (pa.int8(), pa.int16(), pa.int32()),
    pa.float32(): (pa.float16(),),
    pa.float64(): (pa.float16(), pa.float32()),
}


def kind(name: str) -> Kind:
    """Find a kind by its name."""
    if name not in KINDS:
        raise UserError(f"no table of a board is called {name!r}; {nearest(name, list(KINDS))}")
    return KINDS[name]


def unranked(row: Mapping[str, Any]) -> str:
    """Say why a run may not be ranked; nothing where it may."""
    return next((reason for reason in (_ended(row), _disputed(row), _incomplete(row), _unfair(row)) if reason), "")


def _ended(row: Mapping[str, Any]) -> str:
    if row.get("status") == "ok":
        return ""
    more = row.get("reason_code") or row.get("error_class") or row.get("notes")
    return f"{row.get('status')} ({more})" if more else str(row.get("status"))


def _disputed(row: Mapping[str, Any]) -> str:
    """Look at what was found or said of a run after it ended."""
    if row.get("broken"):
        return f"broken: {row['broken']}"
    if row.get("flagged"):
        return f"flagged: {row.get('flag_reason') or 'no reason given'}"
    return f"superseded by {row['superseded_by'][:8]}" if row.get("superseded_by") else ""


def _incomplete(row: Mapping[str, Any]) -> str:
    """Look for what makes a run's numbers traceable."""
    if row.get("provenance") not in RANKABLE:
        return f"provenance is {row.get('provenance')}"
    ours = _ours(row)
    needed = ("lists_sha256", "protocol_sha256", "config_id", *(_SHOWN if ours else ()))
    lacking = [name for name in needed if row.get(name) in (None, "")]
    # A package that is installed has no commit; its version names the code, where it is a release.
    released = "dev" not in (row.get("package_version") or "dev")
    lacking += ["git_commit"] * (ours and not (row.get("git_commit") or released))
    lacking += ["git_dirty"] * bool(ours and row.get("git_commit") and row.get("git_dirty") is None)
    lacking += ["deterministic"] * (ours and row.get("deterministic") is None)
    return f"its record has no {', '.join(lacking)}" if lacking else ""


def _ours(row: Mapping[str, Any]) -> bool:
    """Say whether a run was trained here: a verified one shows what it had to show before."""
    return (row.get("added_as") or row.get("provenance")) != "rescored"


def _unfair(row: Mapping[str, Any]) -> str:
    """Look at how a run came about."""
    if row.get("git_dirty"):
        whose = "the code" if row.get("provenance") == "ran_here" else "the evaluator that scored it"
        return f"{whose} had changes that no commit holds"
    if row.get("deterministic") is False:
        return "it ran in a way that is not deterministic"
    if broken := (row.get("n_nonfinite_q") or 0) + (row.get("n_nonfinite_g") or 0):
        return f"{broken} vectors could not be scored"
    return "its weights were chosen on the test set" if row.get("ckpt_selection") == "test_best" else ""


def upcast(table: pa.Table, kind: Kind, where: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Bring a file's table into today's columns; unknown ones stay, at the end."""
    found = (table.schema.metadata or {}).get(b"luxreid.schema", b"").decode(errors="replace")
    if found != kind.schema_id:
        raise UserError(f"{where}: is {found or 'of no named schema'}, this version reads {kind.schema_id}")
    names = kind.schema.names if (fits := table.schema.equals(kind.schema)) else table.column_names
    if len(set(names)) < len(names):
        raise UserError(f"{where}: two columns have one name")
    for key in kind.keys if columns is None else [key for key in kind.keys if key in columns]:
        if key not in names:
            raise UserError(f"{where}: has no column {key!r}; needed: {', '.join(kind.keys)}")
        if table[key].null_count:
            raise UserError(f"{where}: column {key!r} holds {table[key].null_count} nulls, which it may not")
    if fits:  # as most files do, and a board has thousands
        return table.replace_schema_metadata()
    present, known = dict(zip(names, table.columns, strict=True)), set(kind.schema.names)
    wanted = [field for field in kind.schema if columns is None or field.name in columns]
    arrays = [_column(present.get(field.name), len(table), field, where) for field in wanted]
    extra = {name: column for name, column in present.items() if name not in known}
    return pa.table([*arrays, *extra.values()], names=[*(field.name for field in wanted), *extra])


def _column(column: pa.ChunkedArray | None, rows: int, field: pa.Field, where: str) -> pa.ChunkedArray:
    if column is None:
        return pa.chunked_array([pa.nulls(rows, field.type)])
    if column.type == field.type:
        return column
    if column.type in _WIDER.get(field.type, ()) or pa.types.is_null(column.type):
        return column.cast(field.type)
    if pa.types.is_dictionary(column.type) and column.type.value_type == field.type:
        return column.cast(field.type)
    raise UserError(f"{where}: column {field.name!r} is {column.type}, must be {field.type}")
