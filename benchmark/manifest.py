"""The manifest: one row an image, the one table that every room reads and writes. An invalid one cannot be made."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmark import durable, validity
from benchmark.columns import COLUMNS, DEFAULTS, EXTRAS, KNOWN, LABEL_COLUMNS, MEASURED, NAMES, SCHEMA
from benchmark.errors import UserError

_FIELD, _ITEM = "\x1f", "\x1e"  # no text of a manifest may hold a control character, so these part fields safely


@dataclass(frozen=True, eq=False)
class Manifest:
    """A valid table, sorted by `image_id`, and the folder under which each source's pictures lie."""

    table: pa.Table
    roots: Mapping[str, Path]
    notes: tuple[str, ...] = field(default=())  # what a reader wants said; never stored

    def __post_init__(self) -> None:
        table = _arranged(self.table)
        validity.check(table)
        absent = set(pc.unique(table["source"]).to_pylist()) - set(self.roots)
        if absent:
            raise UserError(f"manifest: no folder is known for source {min(absent)!r}")
        object.__setattr__(self, "table", table)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def frame(self) -> pd.DataFrame:
        """Give the table as pandas; whole numbers stay whole where some are null."""
        kinds = {pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype(), pa.bool_(): pd.BooleanDtype()}
        frame: pd.DataFrame = self.table.to_pandas(types_mapper=kinds.get)
        return frame

    def column(self, name: str) -> NDArray[np.generic]:
        """Give one column as an array: null is NaN in a column of numbers, None in one of texts."""
        if name not in self.table.column_names:
            raise UserError(f"manifest: no column {name!r}; it has {', '.join(self.table.column_names)}")
        return np.asarray(self.table[name].to_numpy())

    def file(self, row: int) -> tuple[Path, str]:
        """Give the root and the path of one row's picture, as `images.load` takes them."""
        return self.roots[self.table["source"][row].as_py()], self.table["path"][row].as_py()

    def files(self) -> list[Path]:
        """Locate every picture."""
        pairs = zip(self.table["source"].to_pylist(), self.table["path"].to_pylist(), strict=True)
        return [self.roots[source] / path for source, path in pairs]

    def select(self, rows: NDArray[np.generic] | Sequence[int]) -> "Manifest":
        """Keep some rows, given as a mask or as positions."""
        rows = np.asarray(rows)
        positions = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        return replace(self, table=self.table.take(pa.array(positions)))

    def with_columns(self, **columns: object) -> "Manifest":
        """Replace or add columns: arrays as long as the table, in its order, or one value for all rows."""
        table = self.table
        for name, values in columns.items():
            values = pa.scalar(values) if isinstance(values, str | int | float) else values
            if isinstance(values, pa.Scalar):
                values = pa.repeat(values, table.num_rows)
            known = KNOWN.get(name)
            array = _array(name, values, known.type if known else None)
            place = table.column_names.index(name) if name in table.column_names else None
            table = table.append_column(name, array) if place is None else table.set_column(place, name, array)
        return replace(self, table=table)

    def identities(self) -> NDArray[np.int64]:
        """Give every (id_space, pid) a number, in sorted order; -1 for distractors and junk."""
        pids = np.asarray(self.table["pid"].to_numpy(), dtype=np.int64)
        spaces = self.table["id_space"].combine_chunks().dictionary_encode()
        names = spaces.dictionary.to_pylist()
        rank = np.array([sorted(names).index(name) for name in names], dtype=np.int64)
        codes = rank[spaces.indices.to_numpy()] * 2**32 + pids
        _, numbers = np.unique(codes[pids > 0], return_inverse=True)
        result = np.full(len(pids), -1, dtype=np.int64)
        result[pids > 0] = numbers
        return result

    @property
    def measured(self) -> bool:
        """Say whether every row carries its photometry and its hash."""
        return all(self.table[name].null_count == 0 for name in MEASURED)

    def require_measured(self, why: str) -> None:
        """Stop where a row lacks measures that `why` needs."""
        missing = self.table["sha256"].null_count
        if missing:
            raise UserError(f"{why}: {missing} of {len(self)} rows unmeasured; run `luxreid data measure` first")

    @property
    def labels_sha256(self) -> str:
        """Hash what people or protocols said of the images; docs/manifest.md gives the recipe."""
        return _hash_rows([_text(self.table[name]) for name in LABEL_COLUMNS])

    @property
    def data_sha256(self) -> str | None:
        """Hash which pictures these are; None until every row is hashed."""
        if self.table["sha256"].null_count:
            return None
        return _hash_rows([self.table["image_id"], self.table["sha256"]])


def build(rows: pd.DataFrame | Mapping[str, object], source: str, root: Path, notes: Sequence[str] = ()) -> Manifest:
    """Make a manifest from a reader's rows: `path` is needed, everything else has a default."""
    given: dict[str, object] = {str(name): rows[name] for name in rows}  # type: ignore[index]
    if "path" not in given:
        raise UserError(f"{source}: a reader must give the column 'path'")
    count = len(np.asarray(given["path"], dtype=object))
    if not count:
        raise UserError(f"{root}: no picture found")
    given["source"] = pa.repeat(source, count)
    given["image_id"] = pc.binary_join_element_wise(source, _array("path", given["path"], pa.string()), "/")
    given.setdefault("id_space", given["source"])
    given.setdefault("place", given.get("camid", pa.repeat(0, count)))
    arrays = {}
    for column in (*COLUMNS, *EXTRAS):
        if column.name in given:
            arrays[column.name] = _array(column.name, given.pop(column.name), column.type)
        elif column.name in DEFAULTS:
            arrays[column.name] = pa.repeat(pa.scalar(DEFAULTS[column.name], column.type), count)
        elif column.name in NAMES:
            arrays[column.name] = pa.nulls(count, column.type)
    arrays |= {name: _array(name, values, None) for name, values in given.items()}
    return Manifest(pa.table(arrays), {source: root}, tuple(notes))


def read(path: Path, root: Path | None = None) -> Manifest:
    """Read a manifest; the pictures lie in its folder, or under `root`."""
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name the manifest in it, such as {path / 'manifest.parquet'}")
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        found = (file.schema_arrow.metadata or {}).get(b"luxreid.schema", b"").decode()
        if found != SCHEMA:
            raise UserError(f"{path}: schema is {found or 'not named'}, this version reads {SCHEMA}")
        table = _narrowed(file.read())
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        # What the system refuses has a number; a failed page checksum or a broken footer has none.
        number = getattr(error, "errno", None)
        what = f"cannot read: {os.strerror(number)}" if number else f"not a Parquet file, or a broken one: {error}"
        raise UserError(f"{path}: {what}") from None
    folder = (root or path.parent).absolute()
    try:
        validity.check_columns(table)
        return Manifest(table, dict.fromkeys(pc.unique(table["source"]).to_pylist(), folder))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def write(manifest: Manifest, path: Path) -> None:
    """Write a manifest atomically; equal manifests give equal bytes. A file that is no manifest is never replaced."""
    if path.exists() and not _is_manifest(path):
        raise UserError(f"{path}: is there and is no manifest; name another file, or remove it")
    table = _under_one_root(manifest).replace_schema_metadata({"luxreid.schema": SCHEMA})
    durable.write_atomically(
        path,
        lambda file: pq.write_table(table, file, compression="zstd", row_group_size=2**17, write_page_checksum=True),
    )


def _narrowed(table: pa.Table) -> pa.Table:
    """Take the wide or encoded texts that other writers use for what they are."""
    for place, column in enumerate(table.schema):
        kind = _narrow(column.type)
        if kind != column.type:
            table = table.set_column(place, column.name, table[place].cast(kind))
    return table


def _narrow(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _narrow(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_narrow(kind.value_type))
    return kind


def _is_manifest(path: Path) -> bool:
    try:
        return bool((pq.read_metadata(path).metadata or {}).get(b"luxreid.schema", b"").startswith(b"manifest/"))
    except (OSError, pa.ArrowException):
        return False


def common_root(manifest: Manifest) -> Path:
    """Find the folder that holds the pictures of all sources."""
    return Path(os.path.commonpath([_plain(root) for root in manifest.roots.values()]))


def concat(manifests: Sequence[Manifest]) -> Manifest:
    """Put manifests of different sources together; each source keeps its root."""
    roots: dict[str, Path] = {}
    for manifest in manifests:
        twice = set(roots) & set(manifest.roots)
        if twice:
            raise UserError(f"concat: source {min(twice)!r} is in two manifests; a source may be joined once")
        roots |= manifest.roots
    try:
        table = pa.concat_tables([manifest.table for manifest in manifests], promote_options="default")
    except pa.ArrowException as error:
        raise UserError(f"concat: columns of one name differ in type: {str(error).splitlines()[0]}") from None
    return Manifest(table, roots, tuple(note for manifest in manifests for note in manifest.notes))


def _under_one_root(manifest: Manifest) -> pa.Table:
    """Rewrite `path` and `mask`, never `image_id`, where several roots must become one."""
    if len({_plain(root) for root in manifest.roots.values()}) == 1:
        return manifest.table
    root = common_root(manifest)
    start = {source: PurePosixPath(_plain(folder).relative_to(root)) for source, folder in manifest.roots.items()}
    sources = manifest.table["source"].to_pylist()
    moved = {}
    for name in sorted({"path", "mask"} & set(manifest.table.column_names)):
        pairs = zip(sources, manifest.table[name].to_pylist(), strict=True)
        moved[name] = [path and str(start[source] / path) for source, path in pairs]
    return manifest.with_columns(**moved).table


def _plain(folder: Path) -> Path:
    """Make a folder absolute; only the file system knows where `..` leads, since a link may stand before it."""
    return folder.resolve() if ".." in folder.parts else folder.absolute()


def _arranged(table: pa.Table) -> pa.Table:
    """Bring columns and rows into the one order: schema, known extras, the rest by name; rows by `image_id`."""
    validity.check_columns(table)
    rest = sorted(set(table.column_names) - set(KNOWN))
    names = [*NAMES, *(column.name for column in EXTRAS if column.name in table.column_names), *rest]
    table = table.select(names).replace_schema_metadata(None).combine_chunks()
    table = table.set_column(names.index("subsets"), "subsets", _sorted_lists(table["subsets"]))
    identifiers = table["image_id"]
    # Most tables come sorted; looking is far cheaper than sorting.
    if table.num_rows > 1 and not pc.all(pc.less_equal(identifiers[:-1], identifiers[1:])).as_py():
        table = table.take(pc.sort_indices(identifiers)).combine_chunks()
    return table


def _sorted_lists(lists: pa.ChunkedArray) -> pa.Array:
    """Sort every list and drop what stands twice; the distinct lists are few, the rows many."""
    array = lists.combine_chunks()
    words = pc.list_flatten(array)
    if array.null_count or words.null_count or pc.any(pc.match_substring(words, _ITEM)).as_py():
        return array  # left for the check to name
    codes = pc.binary_join(array, _ITEM).dictionary_encode()
    distinct = [sorted({word for word in text.split(_ITEM) if word}) for text in codes.dictionary.to_pylist()]
    return pa.array(distinct, pa.list_(pa.string())).take(codes.indices)


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_list(column.type):
        return pc.binary_join(column, _ITEM)
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _hash_rows(columns: list[pa.ChunkedArray]) -> str:
    lines = pc.binary_join_element_wise(*columns, _FIELD)
    return durable.sha256("".join(f"{line}\n" for line in lines.to_pylist()))


def _array(name: str, values: object, kind: pa.DataType | None) -> pa.Array:
    try:
        if isinstance(values, pa.ChunkedArray | pa.Array):
            array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
            return array.cast(kind) if kind is not None and array.type != kind else array
        if kind is not None and pa.types.is_list(kind) and any(isinstance(value, str) for value in list(values)):  # type: ignore[call-overload]
            raise TypeError("a text stands where a list of texts must be")  # Arrow would take it for a list of letters
        # A NaN stays a NaN, and is refused; None is null, and so is what pandas takes for missing.
        array = pa.array(values, kind, from_pandas=isinstance(values, pd.Series))
        return array.cast(pa.string()) if pa.types.is_large_string(array.type) else array
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"manifest: column {name!r}: {str(error).splitlines()[0]}") from None
