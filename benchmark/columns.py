"""`manifest/1`: the columns of the one table that everybody reads and writes, as data."""

from dataclasses import dataclass

import pyarrow as pa

SCHEMA = "manifest/1"


@dataclass(frozen=True)
class Column:
    """One column: its type, whether it may be null, and what it may hold."""

    name: str
    type: pa.DataType
    null: bool = False
    allowed: tuple[str, ...] = ()  # the words of an enum
    low: float | None = None
    high: float | None = None


_TEXT, _FLOAT = pa.string(), pa.float32()

COLUMNS = (
    Column("image_id", _TEXT),
    Column("source", _TEXT),
    Column("path", _TEXT),
    Column("id_space", _TEXT),
    Column("pid", pa.int32(), low=-1),
    Column("camid", pa.int16(), low=0),
    Column("place", pa.int16(), low=0),
    Column("split", _TEXT, allowed=("train", "val", "test", "none")),
    Column("query", pa.bool_()),
    Column("gallery", pa.bool_()),
    Column("subsets", pa.list_(_TEXT)),
    Column("modality", _TEXT, allowed=("visible", "infrared", "thermal")),
    Column("time", _TEXT, allowed=("day", "night", "unknown")),
    Column("object", _TEXT, allowed=("person", "vehicle")),
    Column("parent", _TEXT, null=True),
    Column("scene", _TEXT, null=True),
    Column("exposure", _FLOAT, null=True),
    Column("sequence", _TEXT, null=True),
    Column("frame", pa.int32(), null=True),
    Column("timestamp", pa.float64(), null=True),
    Column("x", _FLOAT, null=True),
    Column("y", _FLOAT, null=True),
    Column("w", _FLOAT, null=True, low=0),
    Column("h", _FLOAT, null=True, low=0),
    Column("width", pa.int32(), null=True, low=1),
    Column("height", pa.int32(), null=True, low=1),
    Column("lightness", _FLOAT, null=True, low=0, high=255),
    Column("luma", _FLOAT, null=True, low=0, high=255),
    Column("stops", _FLOAT, null=True, low=-13, high=0.001),
    Column("p05", _FLOAT, null=True, low=0, high=255),
    Column("p95", _FLOAT, null=True, low=0, high=255),
    Column("dark", _FLOAT, null=True, low=0, high=1),
    Column("saturated", _FLOAT, null=True, low=0, high=1),
    Column("sha256", _TEXT, null=True),
)

# Facts that only some sets know: one name and one type wherever they appear. Other columns are kept as they are.
EXTRAS = (
    *(Column(name, _TEXT, null=True) for name in ("label", "view", "slot", "attributes", "box_source", "link_how")),
    *(Column(name, _TEXT, null=True) for name in ("scenario", "mask")),
    *(Column(name, pa.bool_(), null=True) for name in ("distractor", "look_alike")),
    Column("noise", _FLOAT, null=True),
)

# `data measure` fills these together, from the stored file.
MEASURED = ("width", "height", "lightness", "luma", "stops", "p05", "p95", "dark", "saturated", "sha256")

NAMES = tuple(column.name for column in COLUMNS)
KNOWN = {column.name: column for column in (*COLUMNS, *EXTRAS)}

# What a row holds where a reader says nothing. Columns that are not here must be given, or may be null.
DEFAULTS: dict[str, object] = {
    "pid": 0,
    "camid": 0,
    "split": "none",
    "query": False,
    "gallery": False,
    "subsets": [],
    "modality": "visible",
    "time": "unknown",
    "object": "person",
}

LABEL_COLUMNS = (
    *("image_id", "id_space", "pid", "camid", "place", "split", "query", "gallery"),
    *("subsets", "modality", "time", "object"),
)
