"""Bundles as sides of a comparison: the seeds of one configuration, and the ranks of a run put together again."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benchmark import query_rows, results
from benchmark.errors import UserError
from benchmark.results import Bundle
from benchmark.scorecard import Trial

_REMAINS = ("lists.parquet", "log.jsonl", "model.safetensors")  # of a run that never ended

Seed = int | None


@dataclass(frozen=True, eq=False)
class Side:
    """The runs of one configuration, one a seed."""

    folder: Path
    method: str
    config_id: str | None
    runs: Mapping[Seed, tuple[Path, Bundle]]
    notes: tuple[str, ...] = ()

    @property
    def seeds(self) -> list[Seed]:
        """Give the seeds in order; a run without one comes first and matches only another without one."""
        return sorted(self.runs, key=lambda seed: -1 if seed is None else seed)


def side(folder: Path) -> Side:
    """Read one side, and refuse what cannot be compared."""
    return joined(folder, *_bundles(folder))


def joined(folder: Path, folders: Sequence[Path], notes: Sequence[str] = ()) -> Side:
    """Read one side that is known to be these bundles."""
    notes = list(notes)
    found = [(path, results.read(path)) for path in folders]
    for path, bundle in found:
        _require_run(path, bundle.run)
        notes += _broken(path, bundle.run)
    configs = {bundle.run["config_id"] for _, bundle in found}
    if len(configs) > 1:
        names = ", ".join(sorted(str(name)[:8] for name in configs))
        raise UserError(f"{folder}: holds {len(configs)} configurations ({names}); one side is the seeds of one")
    twice = [seed for seed, count in Counter(bundle.run["seed"] for _, bundle in found).items() if count > 1]
    if twice:
        paths = ", ".join(path.name for path, bundle in found if bundle.run["seed"] == twice[0])
        raise UserError(f"{folder}: {_seed(twice[0])} is there more than once ({paths}); one run a seed is compared")
    record = found[0][1].run
    runs = {bundle.run["seed"]: (path, bundle) for path, bundle in found}
    return Side(folder, _method(folder, record), record["config_id"], runs, tuple(notes))


def trials(bundle: Bundle, where: Path) -> list[Trial]:
    """Put a bundle's lists and ranks together again, a trial each."""
    rows, listed = (_with_trial(bundle.tables[name]) for name in ("queries", "lists"))
    return [_trial(number, rows, listed, where) for number in sorted(pc.unique(rows["trial"]).to_pylist())]


def listed(seeds: Sequence[Seed]) -> str:
    """Name seeds in one line."""
    return ", ".join(_seed(seed) for seed in seeds)


def _bundles(folder: Path) -> tuple[list[Path], list[str]]:
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder; a side is a bundle, or a folder that holds bundles")
    if (folder / "run.json").exists():
        return [folder], []
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    found = [path for path in inside if (path / "run.json").exists()]
    if not found:
        raise UserError(f"{folder}: holds no run.json, and no folder in it does; a side is a bundle, or holds bundles")
    ended = set(found)
    left = [path for path in inside if path not in ended and any((path / name).exists() for name in _REMAINS)]
    return found, [f"{path}: has no run.json, so the run never ended; left out" for path in left]


def _require_run(path: Path, record: Mapping[str, Any]) -> None:
    if record["provenance"] == "literature":
        raise UserError(f"{path}: is a number from the literature; it has no ranks, and is never tested")
    if record["status"] != "ok":
        raise UserError(f"{path}: the run is {record['status']!r}; only runs that ended well ('ok') are compared")
    if record["list_depth"] is not None:
        raise UserError(f"{path}: holds only the first {record['list_depth']} of each ranking, and AP needs all of it")


def _broken(path: Path, record: Mapping[str, Any]) -> list[str]:
    count = (record["n_nonfinite_q"] or 0) + (record["n_nonfinite_g"] or 0)
    return [f"{path}: {count} vectors could not be scored and rank last; such a run is not ranked"] if count else []


def _method(folder: Path, record: Mapping[str, Any]) -> str:
    return str(record["display_name"] or record["method"] or folder.name)


def _seed(seed: Seed) -> str:
    return "a run without seed" if seed is None else f"seed {seed}"


def _with_trial(table: pa.Table) -> pa.Table:
    """Give the trial of a table that has only one, and does not say so, the number 0."""
    numbers = pc.fill_null(table["trial"], 0)
    return table.set_column(table.column_names.index("trial"), "trial", numbers)


def _trial(number: int, rows: pa.Table, listed: pa.Table, where: Path) -> Trial:
    rows = rows.filter(pc.equal(rows["trial"], number)).sort_by("query_idx")
    own = listed.filter(pc.equal(listed["trial"], number)).sort_by("position")
    query, gallery = (own.filter(pc.equal(own["role"], role)) for role in ("query", "gallery"))
    for part in (query, gallery):
        if part["position"].to_pylist() != list(range(len(part))):
            raise UserError(f"{where}/lists.parquet: the positions of trial {number} do not count from 0 without a gap")
    if rows["image_id"].to_pylist() != query["image_id"].to_pylist():
        raise UserError(f"{where}/queries.parquet: trial {number} has other queries than lists.parquet")
    return Trial(number, query, gallery, query_rows.ranking(rows))
