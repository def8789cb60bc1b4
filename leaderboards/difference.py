"""`board check --against`: what came to a board since an earlier copy or release of it, and what that did to places."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmark import durable
from benchmark.console import count
from benchmark.errors import UserError
from leaderboards import ranking, store
from leaderboards.store import Board, Row

SHOWN = 20  # runs of a kind that are named

# What became of runs, in the order in which it is told, and a word for it.
_KINDS = ("added", "changed", "removed", "ended", "flagged", "cleared", "superseded", "verified")


class Event(NamedTuple):
    """What became of a run."""

    kind: str  # one of _KINDS
    run_id: str
    what: str


class Moved(NamedTuple):
    """A configuration whose place is another one."""

    group: str
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Difference:
    """What is different on a board."""

    old: Path
    events: tuple[Event, ...]
    moved: tuple[Moved, ...]

    @property
    def removed(self) -> list[str]:
        """Name the runs that are gone or say something else now; neither may ever be."""
        return [event.run_id for event in self.events if event.kind in ("removed", "changed")]

    @property
    def lines(self) -> list[str]:
        """Say it to a person."""
        by_kind = {kind: [event for event in self.events if event.kind == kind] for kind in _KINDS}
        found = [f"{count(len(events), 'run')} {kind}" for kind, events in by_kind.items() if events]
        lines = [f"since {self.old}: {', '.join(found) or 'the same runs'}"]
        for kind, events in by_kind.items():
            lines += [f"{kind}: run {event.run_id}{event.what}" for event in events[:SHOWN]]
            lines += [f"{kind}: and {len(events) - SHOWN:,} more"] if len(events) > SHOWN else []
        return lines + [_words(one) for one in self.moved]


class _Seen(NamedTuple):
    """The runs of a board at some time."""

    added: dict[str, list[Row]]  # as their rows were added
    said: dict[str, Row]  # with what was said later


def against(new: Board, old: Path) -> Difference:
    """Compare a board with an earlier one: a board, or the folder of a release."""
    before, after = _old(old), _seen(new)
    return Difference(old, tuple(_events(before, after)), tuple(_moves(before, after)))


def _old(path: Path) -> _Seen:
    if not (path / "release.json").exists():
        return _seen(store.opened(path))
    with tempfile.TemporaryDirectory() as folder:
        return _seen(_released(path, Path(folder)))


def _released(release: Path, folder: Path) -> Board:
    """Make a board that has nothing but a release: its rows are read from that as long as their files are named."""
    view = Board(folder)
    for kind in store.COMPACTED:
        store.released(view, release, kind, ())
    files = durable.read_json(release / "release.json").get("files")
    if not isinstance(files, dict):
        raise UserError(f"{release / 'release.json'}: lists no files")
    for name in (name for name in files if not name.startswith("blobs/") and ".." not in Path(name).parts):
        path = folder / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / "compact").mkdir()
    (folder / "compact" / release.resolve().name).symlink_to(release.resolve())
    return view


def _seen(board: Board) -> _Seen:
    added = dict[str, list[Row]]()
    for row in store.load(board, "runs").table.combine_chunks().to_pylist():
        added.setdefault(row["run_id"], []).append(row)
    return _Seen(added, {row["run_id"]: row for row in store.runs(board).rows})


def _events(before: _Seen, after: _Seen) -> Iterator[Event]:
    for run_id in sorted(after.added.keys() - before.added.keys()):
        yield Event("added", run_id, f": {_name(after.said[run_id])}")
    for run_id in sorted(before.added.keys() - after.added.keys()):
        yield Event("removed", run_id, f": {_name(before.said[run_id])}")
    for run_id in sorted(before.added.keys() & after.added.keys()):
        changes = list(_changed(before.added[run_id], after.added[run_id]))
        yield from (Event("changed", run_id, f": {what}") for what in changes)
        if not changes:
            yield from _told(run_id, before.said[run_id], after.said[run_id])


def _changed(old: Sequence[Row], new: Sequence[Row]) -> Iterator[str]:
    """Say which of a run's rows are not there as they were; a row for a further state may have come."""
    for row in old:
        rivals = [other for other in new if other["status"] == row["status"]]
        if not rivals:
            yield f"its row with status {row['status']} is gone"
        elif row not in rivals:
            names = sorted({*row, *rivals[0]})
            name = next(name for name in names if row.get(name) != rivals[0].get(name))
            yield f"{name} was {row.get(name)!r}, is {rivals[0].get(name)!r}"
        elif len(rivals) > 1 and len(rivals) > sum(other["status"] == row["status"] for other in old):
            yield "a second row says something else"


def _told(run_id: str, old: Row, new: Row) -> Iterator[Event]:
    """Say what marks and further states tell of a run."""
    if old["status"] != new["status"]:
        yield Event("ended", run_id, f": was {old['status']}, is {new['status']}")
    if bool(old["flagged"]) != bool(new["flagged"]):
        why = f": {new['flag_reason']}" if new["flag_reason"] else ""
        yield Event("flagged" if new["flagged"] else "cleared", run_id, why)
    if old["superseded_by"] != new["superseded_by"]:
        yield Event("superseded", run_id, f" by {new['superseded_by']}")
    if old["provenance"] != new["provenance"]:
        yield Event("verified", run_id, f": was {old['provenance']}, is {new['provenance']}")


def _moves(before: _Seen, after: _Seen) -> Iterator[Moved]:
    """Compare places by the mean of what the protocol ranks by, whether a test tells neighbours apart or not."""
    old, new = (_places(seen.said.values()) for seen in (before, after))
    for group in dict.fromkeys([*old, *new]):
        was, now = old.get(group, {}), new.get(group, {})
        for config in dict.fromkeys([*now, *was]):
            one, other = was.get(config), now.get(config)
            if (one and one[1]) != (other and other[1]):
                name = (other or one or ("", ""))[0]
                yield Moved(group, name, one[1] if one else None, other[1] if other else None)


def _places(rows: Iterable[Row]) -> dict[str, dict[str, tuple[str, str]]]:
    """Give name and place of every configuration that is ranked, a group at a time, the best first."""
    made = dict[str, dict[str, tuple[str, str]]]()
    for (lists, _), own in ranking.groups(rows).items():
        counted = ranking.divided(own).counted
        by = next((str(row["rank_by"]) for row in counted if row["rank_by"]), "mAP")
        configs = ranking.configurations(row for row in counted if row.get(by) is not None)
        values = {config: sum(row[by] for row in its) / len(its) for config, its in configs.items()}
        places = ranking.places(values, set(values) - {ranking.leader(values)})
        order = sorted(places, key=lambda config: (-values[config], config))
        if order:
            first = configs[order[0]][0]
            group = f"{first['eval_set']}, {first['protocol_id']}, lists {lists[:8]}, by {by}"
            made[group] = {config: (_called(configs[config][0]), places[config]) for config in order}
    return made


def _name(row: Row) -> str:
    seed = f", seed {row['seed']}" if row["seed"] is not None else ""
    return f"{_called(row)}{seed}, {row['status']}, {row['eval_set']}, {row['protocol_id']}"


def _called(row: Row) -> str:
    return str(row["display_name"] or row["method"] or row["config_id"])


def _words(moved: Moved) -> str:
    if moved.before is None:
        return f"place {moved.after}: {moved.name} is new ({moved.group})"
    if moved.after is None:
        return f"place {moved.before}: {moved.name} is not ranked any more ({moved.group})"
    return f"place {moved.before} -> {moved.after}: {moved.name} ({moved.group})"
