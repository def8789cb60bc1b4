"""A rendered street, by day or by night: the folder that `luxreid synth street` writes, read back from its names."""

import os
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark import grammar
from benchmark.card import Card
from benchmark.config import Strict
from benchmark.errors import UserError
from benchmark.grammar import Names, Part
from benchmark.manifest import Manifest, build

CARD = Card(
    title="Street",
    access="rendered by `luxreid synth street`",
    labelling="rendered",
    note="a world has as many pictures as its settings say, and fewer with --limit",
)

EXAMPLES: list[dict[str, object]] = [
    {
        "path": "night/0001/c1_000.jpg",
        **{"source": "street-demo-s0-night", "id_space": "street-demo-s0", "pid": 1, "camid": 1, "place": 1},
        **{"time": "night", "split": "none", "query": False, "gallery": False, "frame": 0, "timestamp": 41.0},
        **{"scene": "street-demo-s0/1/1/0", "sequence": "street-demo-s0/1/1", "look_alike": False},
        **{"x": 593.0, "y": 515.0, "w": 100.0, "h": 158.0},
    },
    {
        "path": "night/0001/c1_001.jpg",
        **{"pid": 1, "camid": 1, "frame": 1, "scene": "street-demo-s0/1/1/1", "sequence": "street-demo-s0/1/1"},
    },
    {
        "path": "night/0012/c8_103.jpg",
        "pid": 12,
        "camid": 8,
        "frame": 103,
        "look_alike": True,
        "sequence": "street-demo-s0/12/8",
    },
]

TRUTH, SCHEMA = "truth.parquet", "street-truth/1"
PATTERN = r"(?P<pid>[0-9]{4,})/c(?P<camid>[0-9]+)_(?P<frame>[0-9]{3,})\.jpg"
SAME = ("scene", "pid", "camid", "frame", "timestamp", "x", "y", "w", "h")  # columns of the truth and of the manifest


class Options(Strict):
    """How to read a street."""

    time: Literal["day", "night"] = "night"
    """Which of the two times to read; they are two sets of one `id_space`."""
    unmatched: Literal["error", "skip"] = "error"
    """What to do with pictures whose name does not parse, or of which the truth knows nothing."""


def example_files() -> dict[str, bytes]:
    """Give the files that the examples need beside the pictures."""
    rows: list[dict[str, Any]] = [
        {"scene": f"street-demo-s0/{pid}/{camid}/{frame}", "pid": pid, "camid": camid, "frame": frame}
        | {"timestamp": 36.5, "x": 593.0, "y": 515.0, "w": 100.0, "h": 158.0, "look_alike_of": other}
        for pid, camid, frame, other in ((1, 1, 0, 0), (1, 1, 1, 0), (12, 8, 103, 1))
    ]
    said = {"luxreid.schema": SCHEMA, "name": "street-demo-s0", "night_begins": "4.5"}
    table = pa.Table.from_pylist(rows).replace_schema_metadata(said)
    file = BytesIO()
    pq.write_table(table, file)
    return {TRUTH: file.getvalue()}


def read(root: Path, options: Options) -> Manifest:
    """Read the pictures of one time; who, where and when each was taken says the truth."""
    other = "day" if options.time == "night" else "night"
    ignored = {
        other: f"--set time={other} reads them",
        "mask": "masks, which the column `mask` names",
        "sheet.png": "the contact sheet",
    }
    like = f"{options.time}/0001/c1_000.jpg"
    parts, skips = [Part(options.time)], options.unmatched
    names = grammar.find(root, parts, PATTERN, like, unmatched=skips, ignored=ignored, beside=["world.json"])
    truth = _truth(root)
    names, rows = _known(names, truth, options)
    told = truth.take(pa.array(rows))
    columns = names.columns() | {name: told[name] for name in SAME}
    space = truth.schema.metadata[b"name"].decode()
    columns |= {"id_space": pa.repeat(space, len(rows)), "time": pa.repeat(options.time, len(rows))}
    columns["sequence"] = pc.replace_substring_regex(told["scene"], "/[^/]*$", "")
    columns["timestamp"] = _timestamps(truth, told["timestamp"], options.time, names.notes)
    columns["look_alike"] = pc.greater(told["look_alike_of"], 0)
    if (root / "mask").is_dir():
        stems = (path.partition("/")[2].removesuffix(".jpg") for path in names.paths)
        columns["mask"] = [f"mask/{stem}.png" for stem in stems]
    return build(columns, f"{space}-{options.time}", root, names.notes)


def _truth(root: Path) -> pa.Table:
    try:
        table = pq.read_table(root / TRUTH, columns=[*SAME, "look_alike_of"])
    except (OSError, pa.ArrowException) as error:
        number = getattr(error, "errno", None)
        what = f"cannot read: {os.strerror(number)}" if number else f"not a Parquet file, or a broken one: {error}"
        raise UserError(f"{root / TRUTH}: {what}") from None
    said = table.schema.metadata or {}
    schema = said.get(b"luxreid.schema", b"").decode(errors="replace")
    if schema != SCHEMA or b"name" not in said:
        raise UserError(f"{root / TRUTH}: schema is {schema or 'not named'}, this version reads {SCHEMA}")
    return table


def _timestamps(truth: pa.Table, seconds: pa.ChunkedArray, time: str, notes: list[str]) -> pa.ChunkedArray:
    """Give the seconds of the recording: the truth has those of the day, and the night of a walk comes after it."""
    later = truth.schema.metadata.get(b"night_begins", b"").decode()
    if time == "day":
        return seconds
    if not later:
        notes.append(f"{TRUTH} does not say how much later the night is: no timestamps")
        return pa.nulls(len(seconds), pa.float64())
    return pc.add(seconds, float(later))


def _known(names: Names, truth: pa.Table, options: Options) -> tuple[Names, list[int]]:
    """Find each picture's row of the truth; a picture or a row that stands alone is said."""
    keys = zip(*(truth[name].to_pylist() for name in ("pid", "camid", "frame")), strict=True)
    place = {key: row for row, key in enumerate(keys)}
    found = list(zip(*(names.numbers(name).tolist() for name in ("pid", "camid", "frame")), strict=True))
    missing = [f"{options.time}/{pid:04d}/c{camid}_{frame:03d}.jpg" for pid, camid, frame in place.keys() - set(found)]
    grammar.require(names.root, TRUTH, missing, ())
    strange = [path for path, key in zip(names.paths, found, strict=True) if key not in place]
    if strange:
        text = f"{TRUTH} knows nothing of {len(strange)} of {len(found)} pictures: {grammar.shown(strange)}"
        if options.unmatched == "error":
            raise UserError(f"{names.root}: {text}; --set unmatched=skip skips them")
        names = names.keep(np.array([key in place for key in found]), [f"skipped: {text}"])
    return names, [place[key] for key in found if key in place]
