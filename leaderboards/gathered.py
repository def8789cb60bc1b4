"""Which runs of a board stand in its tables: group by group, ranked, apart, or without any number."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from benchmark import cuts
from benchmark.cuts import Cut, Kind
from benchmark.errors import UserError
from leaderboards import labels, ranking, store, submission
from leaderboards.store import Board, Row

UNKNOWN = "not known"


@dataclass(frozen=True)
class Where:
    """What all rows of a table have in common."""

    board: str
    eval_set: str
    protocol_id: str
    lists_sha256: str
    protocol_sha256: str


@dataclass(frozen=True, eq=False)
class Gathered:
    """The runs of one group. A configuration may stand in two places: some of its runs count, others do not."""

    where: Where
    first: Row  # any of its runs; all agree in what they were asked
    counted: Mapping[str, Sequence[Row]]  # of every configuration that may be ranked, a run a seed
    apart: Mapping[str, Sequence[Row]]  # what has numbers and may not be ranked
    lost: Sequence[Row]  # what has no numbers, or none that may be averaged with others
    reasons: Mapping[str, str]  # of a run_id
    names: Mapping[str, str]  # of a configuration
    tests: Mapping[str, int]  # of a method: how often it was evaluated on these lists, as far as is known
    submissions: Mapping[str, int]  # of a method: how often it was handed in for these lists


def gathered(board: Board, protocols: Collection[str] = (), lists: Collection[str] = ()) -> list[Gathered]:
    """Gather the runs of a board by their groups, those of the protocols and lists that are asked for."""
    rows = store.runs(board).rows
    groups = [(key, own) for key, own in _homed(rows).items() if _asked(own, key, protocols, lists)]
    if rows and not groups:
        known = sorted({f"{row.get('protocol_id')} on lists {str(row.get('lists_sha256'))[:8]}" for row in rows})
        raise UserError(f"{board.root}: no run is by such a protocol on such lists; there are: {'; '.join(known)}")
    made = [_group(board, own) for _, own in groups]
    return sorted(made, key=lambda one: (one.where.eval_set, one.where.protocol_id, one.where.lists_sha256))


def cut(board: Board, group: Gathered, text: str, kind: Kind = "query") -> Cut:
    """Cut a group's lists as is asked for."""
    table = store.read(board, "lists", store.files(group.first)["lists"])
    query, gallery = (table.filter(pc.equal(table["role"], role)) for role in ("query", "gallery"))
    return cuts.parse(text, query, gallery, kind)


def _homed(rows: Sequence[Row]) -> dict[ranking.Group, list[Row]]:
    """Group runs; one that met no lists before it ended stands with its configuration, or its set and protocol."""
    groups = ranking.groups(row for row in rows if row.get("lists_sha256"))
    homes: dict[object, set[ranking.Group]] = {}
    for key, own in groups.items():
        for row in own:
            for name in _homes(row):
                homes.setdefault(name, set()).add(key)
    for row in rows:
        if not row.get("lists_sha256"):
            found = [homes[name] for name in _homes(row) if len(homes.get(name, ())) == 1]
            groups.setdefault(next(iter(found[0])) if found else (UNKNOWN, UNKNOWN), []).append(row)
    return groups


def _homes(row: Row) -> list[tuple[str, ...]]:
    """Name what only runs of one group share; a configuration's hash holds its lists."""
    names = (("config_id",), ("eval_set", "protocol_id"))
    return [tuple(str(row[name]) for name in keys) for keys in names if all(row.get(name) for name in keys)]


def _asked(rows: Sequence[Row], key: ranking.Group, protocols: Collection[str], lists: Collection[str]) -> bool:
    named = not protocols or any(row.get("protocol_id") in protocols for row in rows)
    return named and (not lists or any(key[0].startswith(digits) for digits in lists))


def _group(board: Board, rows: Sequence[Row]) -> Gathered:
    counted, others = ranking.divided(rows)
    apart, lost = _apart(others, counted)
    shown = ranking.configurations([*counted, *apart])
    first = next(iter([*counted, *apart, *rows]))
    said = [labels.plain(first.get(name) or UNKNOWN) for name in ("eval_set", "protocol_id")]
    hashes = [str(first.get(name) or UNKNOWN) for name in ("lists_sha256", "protocol_sha256")]
    return Gathered(
        where=Where(board.root.resolve().name, said[0], said[1], hashes[0], hashes[1]),
        first=first,
        counted=ranking.configurations(counted),
        apart=ranking.configurations(apart),
        lost=lost,
        reasons={row["run_id"]: reason for row, reason in others},
        names=labels.names(shown),
        tests=_tests(rows),
        submissions={
            name: submission.count(rows, name, hashes[0]) for name in {str(row.get("method")) for row in rows}
        },
    )


def _apart(others: Iterable[tuple[Row, str]], counted: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Divide what is not ranked: one run a configuration and seed with numbers of the same lists, and the rest."""
    apart, lost = dict[tuple[str, int | None], Row](), list[Row]()
    measured = counted[0].get("measures_sha256") if counted else None
    for row, _ in others:
        key = (str(row.get("config_id")), row.get("seed"))
        whole = row.get("status") == "ok" and not row.get("broken") and "queries" in store.files(row)
        known = all(row.get(name) for name in ("config_id", "lists_sha256", "protocol_sha256", "lists_file_sha256"))
        measured = measured or row.get("measures_sha256")
        if whole and known and key not in apart and row.get("measures_sha256") in (None, measured):
            apart[key] = row
        else:
            lost.append(row)
    return list(apart.values()), lost


def _tests(rows: Sequence[Row]) -> dict[str, int]:
    """Count evaluations by method: what its runs say, or the runs that are here, whichever is more."""
    here = Counter(str(row.get("method")) for row in rows if row.get("status") == "ok")
    for row in rows:
        method = str(row.get("method"))
        here[method] = max(here[method], row.get("n_test_evals") or 0)
    return dict(here)
