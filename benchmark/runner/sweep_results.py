"""What a sweep found: every recipe over its seeds, and every other recipe against the first over matched seeds."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from benchmark import compare, differences, durable, results, sides, statistics
from benchmark.compare import Comparison, Line
from benchmark.errors import UserError
from benchmark.results import Bundle
from benchmark.statistics import Floats

SCHEMA = "sweep/1"
METRICS = ("mAP", "R1")

_text, _number, _whole = pa.string(), pa.float64(), pa.int32()
TABLE = pa.schema(
    [
        # What a recipe reaches, one line a metric; scores lie between 0 and 1.
        *(
            (name, _text)
            for name in ("recipe", "method", "config_id", "protocol_id", "protocol_sha256", "lists_sha256")
        ),
        ("metric", _text),
        *((name, _number) for name in ("mean", "sd_seeds", "train_s")),
        ("seeds", pa.list_(_whole)),
        ("run_ids", pa.list_(_text)),
        # How it differs from the recipe `against`; null where it was not compared.
        ("against", _text),
        ("matched_seeds", pa.list_(_whole)),
        *((name, _number) for name in ("difference", "se", "low", "high", "df", "p", "p_flip", "p_holm", "detectable")),
        ("same_sign", pa.bool_()),
        *((name, _whole) for name in ("identities", "queries")),
        ("ci_method", _text),
        ("claim", _text),
    ]
)


@dataclass(frozen=True, eq=False)
class Reached:
    """The finished runs of one recipe."""

    name: str
    bundles: Mapping[Path, Bundle]

    def values(self, name: str) -> Floats:
        """Give a number of every run; NaN where a record has none."""
        found = [bundle.run[name] for bundle in self.bundles.values()]
        return np.array([math.nan if value is None else value for value in found], np.float64)

    def listed(self, name: str) -> list[Any]:
        """Give what every run says of itself, where it says something."""
        return [bundle.run[name] for bundle in self.bundles.values() if bundle.run[name] is not None]

    def common(self, name: str) -> str | None:
        """Give what all runs say, where they say the same."""
        said = set(self.listed(name))
        return str(said.pop()) if len(said) == 1 else None


@dataclass(frozen=True, eq=False)
class Found:
    """All recipes of a sweep that have a finished run, and how they compare with the first."""

    reached: tuple[Reached, ...]
    compared: Mapping[str, Comparison]  # of whole lists only; p_holm and claim are corrected for the recipes
    notes: tuple[str, ...]  # who is not compared, and why; which runs are broken


def gather(recipes: Mapping[str, Sequence[Path]], flips: int = differences.FLIPS) -> Found:
    """Read the finished runs of every recipe, and compare every other recipe with the first."""
    reached = [Reached(name, {path: results.read(path) for path in paths}) for name, paths in recipes.items() if paths]
    first = next(iter(recipes), "")
    notes = [f"{name}: no run has ended well, so it is in no table" for name, paths in recipes.items() if not paths]
    compared = dict[str, Comparison]()
    for other in reached if recipes.get(first) else []:
        if other.name != first:
            try:
                compared[other.name] = _whole_lists(recipes[other.name], recipes[first], flips)
            except UserError as error:
                notes.append(f"{other.name} is not compared with {first}: {error}")
    notes += [note for one in compared.values() for side in (one.a, one.b) for note in side.notes]
    return Found(tuple(reached), _corrected(compared), tuple(dict.fromkeys(notes)))


def rows(found: Found) -> Iterator[dict[str, Any]]:
    """Give a flat row a recipe and metric, in the columns of `TABLE`."""
    first = found.reached[0].name if found.reached else ""
    for one in found.reached:
        facts: dict[str, Any] = {
            name: one.common(name) for name in ("method", "config_id", "protocol_id", "protocol_sha256")
        }
        facts |= {
            "recipe": one.name,
            "lists_sha256": one.common("lists_sha256"),
            "train_s": mean(one.values("train_s")),
        }
        for metric in METRICS:
            values = one.values(metric)
            row = facts | {"metric": metric, "mean": mean(values), "sd_seeds": statistics.sd(values)}
            row |= {"seeds": one.listed("seed"), "run_ids": one.listed("run_id")}
            if one.name in found.compared:
                row |= _against(found.compared[one.name], metric, first)
            # NaN is not known
            yield {
                name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()
            }


def write(found: Found, folder: Path) -> list[Path]:
    """Write the rows as sweep.parquet and sweep.csv; a list stands in one cell of the latter."""
    named = [dict.fromkeys(TABLE.names) | row for row in rows(found)]
    table = pa.Table.from_pylist(named, TABLE.with_metadata({"luxreid.schema": SCHEMA}))
    flat = pa.Table.from_pylist([{name: _cell(value) for name, value in row.items()} for row in named], _FLAT)
    durable.write_atomically(folder / "sweep.parquet", lambda file: pq.write_table(table, file))
    durable.write_atomically(folder / "sweep.csv", lambda file: pyarrow.csv.write_csv(flat, file))
    return [folder / "sweep.parquet", folder / "sweep.csv"]


def mean(values: Floats) -> float:
    """Average; NaN of nothing."""
    return float(values.mean()) if len(values) else math.nan


_FLAT = pa.schema([(field.name, _text if pa.types.is_list(field.type) else field.type) for field in TABLE])


def _cell(value: object) -> object:
    return " ".join(str(item) for item in value) if isinstance(value, list) else value


def _whole_lists(own: Sequence[Path], first: Sequence[Path], flips: int) -> Comparison:
    found = compare.compared(sides.joined(own[0].parent, own), sides.joined(first[0].parent, first), flips)
    kept = tuple(line for line in found.lines if line.cut == "all" and line.metric in METRICS)
    return replace(found, lines=kept)


def _corrected(compared: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """Correct p for the number of recipes, metric by metric, and say what can be claimed then."""
    lines = {(name, line.metric): line for name, one in compared.items() for line in one.lines}
    for metric in METRICS:
        family = [key for key in lines if key[1] == metric]
        found = [lines[key].found for key in family]
        corrected = differences.holm(np.array([max(one.p, one.p_flip) for one in found], np.float64))
        for key, p in zip(family, corrected, strict=True):
            claim = differences.claim(lines[key].found, float(p))
            lines[key] = replace(lines[key], p_holm=float(p), claim=claim)
    return {
        name: replace(one, lines=tuple(lines[name, line.metric] for line in one.lines))
        for name, one in compared.items()
    }


def _against(found: Comparison, metric: str, first: str) -> dict[str, Any]:
    line: Line = next(line for line in found.lines if line.metric == metric)
    one = line.found
    shared = ("difference", "se", "low", "high", "df", "p", "p_flip", "same_sign", "identities", "queries")
    return {name: getattr(one, name) for name in shared} | {
        "against": first,
        "matched_seeds": [seed for seed in found.seeds if seed is not None],
        "p_holm": line.p_holm,
        "detectable": differences.detectable(one.se, one.df),
        "ci_method": one.method,
        "claim": line.claim,
    }
