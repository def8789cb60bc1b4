"""Rank lists of somebody's own method: tables of two forms in, one compact form kept, distances out.

A list names gallery images, the nearest first. What it does not name stands behind all that it names, in no order.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmark import durable, features
from benchmark.errors import UserError

SCHEMA_ID = "ranks/1"
SCHEMA = pa.schema([("query", pa.int32()), ("trial", pa.int16()), ("gallery", pa.list_(pa.int32()))])
FORMS = "a row a query, `query` and `gallery` (its images in order), or a row an image, `query`, `rank` and `gallery`"

NOWHERE = -1  # the position of an image that no list names
ALL = -1  # the trial of a list that serves all trials

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class RankLists:
    """The lists of all queries; images are positions in `names`."""

    names: list[str]
    query: Codes
    trial: NDArray[np.int16]  # counted from 0; -1: every trial
    starts: Ints  # list i stands from starts[i] up to starts[i + 1]
    items: Codes  # the nearest first

    @property
    def lengths(self) -> Ints:
        """Count the images of every list."""
        return np.diff(self.starts)

    def called(self, place: int) -> str:
        """Name a list for a person."""
        trial = f", trial {self.trial[place]}" if self.trial[place] != ALL else ""
        return f"query {self.names[self.query[place]]!r}{trial}"


def looks_like(path: Path) -> bool:
    """Say whether a file's columns are those of rank lists."""
    if path.is_dir() or path.suffix.lower() not in (".csv", ".parquet"):
        return False
    try:
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8-sig") as file:
                names = [name.strip().strip('"') for name in file.readline().strip().split(",")]
        else:
            names = pq.ParquetFile(path).schema_arrow.names
    except (OSError, UnicodeDecodeError, pa.ArrowException):
        return False  # whoever reads it for what it is not says why it cannot be read
    return {"query", "gallery"} <= set(names)


def load(path: Path) -> RankLists:
    """Read rank lists as a lab writes them: a Parquet file, or a CSV with a row an image."""
    table = _csv(path) if path.suffix.lower() == ".csv" else _parquet(path)
    lacking = {"query", "gallery"} - set(table.column_names)
    if lacking:
        raise UserError(f"{path}: has no column {min(lacking)!r}; rank lists have {FORMS}")
    for name in table.column_names:
        if table[name].null_count and name != "trial":
            raise UserError(f"{path}: column {name!r} holds {table[name].null_count:,} nulls, which it may not")
    return _checked(_from_rows(table, path) if "rank" in table.column_names else _from_lists(table, path), path)


def encoded(lists: RankLists) -> bytes:
    """Give the bytes of `ranks.parquet`: equal lists give equal bytes."""
    order = np.lexsort((lists.query, lists.trial))
    starts = np.concatenate([[0], np.cumsum(lists.lengths[order])])
    within = np.arange(starts[-1]) - np.repeat(starts[:-1], lists.lengths[order])
    items = lists.items[np.repeat(lists.starts[:-1][order], lists.lengths[order]) + within]
    trial = lists.trial[order]
    columns = {
        "query": pa.array(lists.query[order], pa.int32()),
        "trial": pa.array(trial, pa.int16(), mask=trial == ALL),
        "gallery": pa.ListArray.from_arrays(pa.array(starts, pa.int32()), pa.array(items, pa.int32())),
    }
    table = pa.table(columns, schema=SCHEMA.with_metadata({"luxreid.schema": SCHEMA_ID}))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", use_dictionary=False, write_page_checksum=True)
    return buffer.getvalue()


def read(path: Path, names: list[str]) -> RankLists:
    """Read `ranks.parquet` again; its images are positions in `names`. Anybody may have written it."""
    table = _parquet(path)
    found = (table.schema.metadata or {}).get(b"luxreid.schema", b"").decode(errors="replace")
    if found != SCHEMA_ID or table.schema.names != SCHEMA.names or table.schema.types != SCHEMA.types:
        raise UserError(f"{path}: is {found or 'of no named schema'}, this version reads {SCHEMA_ID}")
    query, items = table["query"], pc.list_flatten(table["gallery"])
    if query.null_count or table["gallery"].null_count or items.null_count:
        raise UserError(f"{path}: holds nulls, which it may not")
    numbers = [np.asarray(column.to_numpy(), dtype=np.int32) for column in (query, items)]
    for rows in numbers:
        if len(rows) and not (rows.min() >= 0 and rows.max() < len(names)):
            raise UserError(f"{path}: names a row that is not in rows.parquet, which holds {len(names)}")
    starts = _starts(pc.list_value_length(table["gallery"]).to_numpy())
    return _checked(RankLists(names, numbers[0], _trials(table, path), starts, numbers[1]), path)


def require(lists: RankLists, trial: int, query: Ints, gallery: Ints, depth: int | None, where: Path) -> None:
    """Refuse lists of a trial that are not of these queries, name other images, or lack some."""
    mine = np.flatnonzero(np.isin(lists.trial, (ALL, trial)))
    asked, wanted = lists.query[mine], np.unique(gallery[gallery != NOWHERE])
    size = len(wanted) + int((gallery == NOWHERE).sum())
    lacking, more = np.setdiff1d(query, asked), np.flatnonzero(~np.isin(asked, query))
    if len(lacking):
        raise UserError(f"{where}: {len(lacking):,} queries have no list, such as {lists.names[lacking[0]]!r}")
    if len(more):
        raise UserError(f"{where}: {lists.called(mine[more[0]])} is no query here (and {len(more) - 1:,} more)")
    _require_known(lists, mine, wanted, where)
    if depth is not None and depth >= size:
        raise UserError(f"{where}: depth = {depth}, but the gallery holds {size:,} images; leave depth out")
    wrong = mine[lists.lengths[mine] != (depth or len(wanted))]
    if len(wrong) and depth is not None:
        raise UserError(
            f"{where}: {lists.called(wrong[0])}: its list has {lists.lengths[wrong[0]]} images, depth is {depth}"
        )
    if len(wrong):
        first = lists.items[lists.starts[wrong[0]] : lists.starts[wrong[0] + 1]]
        name = lists.names[np.setdiff1d(wanted, first)[0]]
        raise UserError(
            f"{where}: {lists.called(wrong[0])}: its list has {len(first):,} of {len(wanted):,} images and lacks "
            f"{name!r}; a list names the whole gallery, or say depth = the number of images in every list"
        )


def distances(lists: RankLists, trial: int, query: Ints, gallery: Ints) -> Floats:
    """Give the place of every gallery row in every query's list; `query` and `gallery` are positions in `names`.

    Rows that a list does not name all share the place behind its last, so the evaluator sees them as tied.
    """
    made = np.empty((len(query), len(gallery)), np.float32)
    own = {int(name): place for place, name in enumerate(lists.query) if lists.trial[place] in (ALL, trial)}
    last = int(lists.lengths.max(initial=0))
    place = np.full(len(lists.names) + 1, last, np.float32)  # the last one is that of images that are NOWHERE
    for row, name in enumerate(query):
        mine = own[int(name)]
        items = lists.items[lists.starts[mine] : lists.starts[mine + 1]]
        place[items] = np.arange(len(items), dtype=np.float32)
        made[row] = place[gallery]
        place[items] = last
    return made


def _require_known(lists: RankLists, mine: Ints, wanted: Ints, where: Path) -> None:
    known = np.zeros(len(lists.names), dtype=bool)
    known[wanted] = True
    for place in mine:
        items = lists.items[lists.starts[place] : lists.starts[place + 1]]
        strange = items[~known[items]]
        if len(strange):
            name = lists.names[strange[0]]
            raise UserError(f"{where}: {lists.called(place)}: its list names {name!r}, which is not in the gallery")


def _from_lists(table: pa.Table, path: Path) -> RankLists:
    kind = table["gallery"].type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        raise UserError(f"{path}: gallery is {kind} and there is no column 'rank'; rank lists have {FORMS}")
    starts = _starts(pc.list_value_length(table["gallery"]).to_numpy())
    return _named(table["query"], pc.list_flatten(table["gallery"]), _trials(table, path), starts, path)


def _from_rows(table: pa.Table, path: Path) -> RankLists:
    """Put the rows of each list together, by their ranks."""
    if not pa.types.is_integer(table["rank"].type):
        raise UserError(f"{path}: rank is {table['rank'].type}, must be whole numbers")
    rank = table["rank"].to_numpy().astype(np.int64)
    trial, asker = _trials(table, path), _encoded(table["query"], "query", path)
    codes = asker.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    order = np.lexsort((rank, codes, trial))
    rank, trial, codes = rank[order], trial[order], codes[order]
    begin = np.flatnonzero(np.diff(codes, prepend=-1) | np.diff(trial, prepend=np.int16(-2)))
    starts = np.concatenate([begin, [len(rank)]])
    wrong = rank != np.arange(len(rank)) - np.repeat(begin, np.diff(starts)) + 1
    if wrong.any():
        first = int(np.argmax(wrong))
        raise UserError(
            f"{path}: query {asker.dictionary[int(codes[first])].as_py()!r} has the rank {rank[first]} where "
            f"{first - begin[begin <= first][-1] + 1} must stand; ranks count from 1, each once"
        )
    rows = pa.array(order)
    asked = table["query"].take(rows.take(pa.array(begin)))
    return _named(asked, table["gallery"].take(rows), trial[begin], starts, path)


def _named(
    query: pa.ChunkedArray, gallery: pa.ChunkedArray, trial: NDArray[np.int16], starts: Ints, path: Path
) -> RankLists:
    """Give images numbers by their names, so that equal lists are equal whatever order their rows had."""
    if gallery.null_count:
        raise UserError(f"{path}: {gallery.null_count:,} images in lists are null")
    both = [_encoded(column, name, path) for column, name in ((query, "query"), (gallery, "gallery"))]
    known = [one.dictionary.to_pylist() for one in both]
    if any(None in own for own in known):
        raise UserError(f"{path}: an image is null")
    names = sorted(set().union(*known))
    place = {name: number for number, name in enumerate(names)}
    query_codes, items = (
        np.array([place[name] for name in own], np.int32)[one.indices.to_numpy(zero_copy_only=False)]
        for one, own in zip(both, known, strict=True)
    )
    used = np.zeros(len(names), dtype=bool)  # a dictionary may hold what no row does
    used[query_codes] = used[items] = True
    fewer = (np.cumsum(used) - 1).astype(np.int32)
    kept = [name for name, one in zip(names, used, strict=True) if one]
    return RankLists(kept, fewer[query_codes], trial, starts, fewer[items])


def _encoded(column: pa.ChunkedArray, name: str, path: Path) -> pa.DictionaryArray:
    """Give texts as numbers and a dictionary, as which they are read: spelled out they may not fit into memory."""
    encoded = pa.types.is_dictionary(column.type)
    kind = column.type.value_type if encoded else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise UserError(f"{path}: {name} is {kind}, must be text: image_ids")
    if not encoded:
        column = pc.dictionary_encode(column.cast(pa.string()) if pa.types.is_string_view(kind) else column)
    found = column.unify_dictionaries().combine_chunks()
    return found.chunk(0) if isinstance(found, pa.ChunkedArray) else found


def _trials(table: pa.Table, path: Path) -> NDArray[np.int16]:
    if "trial" not in table.column_names or table["trial"].null_count == len(table):
        return np.full(len(table), ALL, np.int16)
    column = table["trial"]
    if column.null_count or not pa.types.is_integer(column.type):
        raise UserError(f"{path}: trial must be a whole number in every row, or in none; trials count from 0")
    found = column.to_numpy().astype(np.int64)
    if found.min() < 0 or found.max() > np.iinfo(np.int16).max:
        raise UserError(f"{path}: trial {found.min() if found.min() < 0 else found.max()}: trials count from 0")
    return np.asarray(found, dtype=np.int16)


def _starts(lengths: NDArray[Any]) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _checked(lists: RankLists, path: Path) -> RankLists:
    """Refuse what cannot be rank lists, whatever set they are about."""
    if not len(lists.query):
        raise UserError(f"{path}: holds no list")
    if "" in lists.names:
        raise UserError(f"{path}: an image has no name")
    askers = lists.trial.astype(np.int64) * 2**32 + lists.query
    _, first, count = np.unique(askers, return_index=True, return_counts=True)
    if (count > 1).any():
        raise UserError(f"{path}: {lists.called(int(first[count > 1][0]))} has {count.max()} lists")
    if (lists.lengths == 0).any():
        raise UserError(f"{path}: {lists.called(int(np.argmin(lists.lengths)))}: its list is empty")
    last = np.empty(len(lists.names), dtype=np.int64)  # where a name stood last in the list at hand
    for place in range(len(lists.query)):
        items = lists.items[lists.starts[place] : lists.starts[place + 1]]
        last[items] = np.arange(len(items))
        twice = np.flatnonzero(last[items] != np.arange(len(items)))
        if len(twice):
            raise UserError(f"{path}: {lists.called(place)}: its list names {lists.names[items[twice[0]]]!r} twice")
    return lists


def _csv(path: Path) -> pa.Table:
    kinds = {"query": pa.string(), "gallery": pa.string(), "rank": pa.int64(), "trial": pa.int64()}
    options = pa_csv.ConvertOptions(column_types=kinds, strings_can_be_null=False)
    try:
        table = pa_csv.read_csv(io.BytesIO(durable.read_bytes(path)), convert_options=options)
    except pa.ArrowException as error:
        raise UserError(f"{path}: not a CSV of rank lists: {str(error).splitlines()[0]}") from None
    features.require_once(table.column_names, f"{path}: columns")
    return table


def _parquet(path: Path) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            features.require_once(file.schema_arrow.names, f"{path}: columns")
            leaves = [file.schema.column(place) for place in range(len(file.schema.names))]
            texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        with pq.ParquetFile(path, read_dictionary=texts, page_checksum_verification=True) as file:
            # A group at a time: a table of all of them would hold its texts spelled out, and may be too long for one.
            parts = [file.read_row_group(number) for number in range(file.num_row_groups)]
            table = pa.concat_tables([file.schema_arrow.empty_table(), *parts], promote_options="permissive")
        table.validate(full=True)  # a flipped byte may leave texts that are no UTF-8
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or str(error).splitlines()[0]}") from None
    except pa.ArrowException as error:
        raise UserError(f"{path}: not a Parquet file, or a broken one: {str(error).splitlines()[0]}") from None
    return table
