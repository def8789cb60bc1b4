"""`data check`: whether a manifest still says the truth about its files, and about the set it claims to be."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import durable, images
from benchmark.card import Card
from benchmark.columns import KNOWN
from benchmark.console import count
from benchmark.errors import UserError
from benchmark.executors import Executor
from benchmark.manifest import Manifest, read
from benchmark.progress import track
from benchmark.tree import pictures

SHARD_ROWS = 2000
SHOWN = 20  # files named per kind of difference; the rest is counted
_COUNTED = (("image", "images"), ("identity", "identities"))  # of a card, in its order


class Row(NamedTuple):
    """What a manifest says of one file."""

    image_id: str
    root: str
    path: str
    sha256: str | None
    size: tuple[int | None, int | None]  # width, height
    mask: str | None


class Finding(NamedTuple):
    """One file that is not as it should be; kinds are listed in their sorted order."""

    kind: str
    image_id: str
    text: str


def check(manifest: Manifest, card: Card | None, execute: Executor) -> list[str]:
    """Compare a manifest with its files, and with a card where there is one; an empty list means that all agrees."""
    rows = _rows(manifest)
    unmeasured = manifest.table["sha256"].null_count
    lines = [*_file_lines(rows, execute), *_unnamed(rows, card.beside if card else ())]
    if card is not None:
        lines += _card_lines(manifest, card)
    if unmeasured:
        # A line of its own, though no file differs: an empty list promises that the bytes are those once measured.
        lines.append(f"{count(unmeasured, 'row')} not measured, so bytes not checked; run `luxreid data measure`")
    return lines


def _rows(manifest: Manifest) -> list[Row]:
    table = manifest.table
    names = ("image_id", "source", "path", "sha256", "width", "height")
    masks = table["mask"].to_pylist() if "mask" in table.column_names else [None] * len(manifest)
    columns = [table[name].to_pylist() for name in names]
    return [
        Row(image_id, str(manifest.roots[source].absolute()), path, sha256, (width, height), mask)
        for image_id, source, path, sha256, width, height, mask in zip(*columns, masks, strict=True)
    ]


def _file_lines(rows: Sequence[Row], execute: Executor) -> Iterator[str]:
    shards = [rows[start : start + SHARD_ROWS] for start in range(0, len(rows), SHARD_ROWS)]
    findings: list[Finding] = []
    for _, found in track(execute(_check_shard, shards), "check", len(shards)):
        findings += found
    for kind, group in groupby(sorted(findings), lambda finding: finding.kind):
        same = list(group)
        yield from (f"{finding.image_id}: {finding.text}" for finding in same[:SHOWN])
        if len(same) > SHOWN:
            yield f"... and {count(len(same) - SHOWN, 'more file')}: {kind}"


def _check_shard(rows: Sequence[Row]) -> list[Finding]:
    return [Finding(kind, row.image_id, text) for row in rows for kind, text in (*_picture(row), *_mask(row))]


def _picture(row: Row) -> Iterator[tuple[str, str]]:
    data, reason = _bytes(row.root, row.path)
    if data is None:
        yield reason, reason
        return
    if row.sha256 is not None and durable.sha256(data) != row.sha256:
        yield "changed", "changed: its sha256 is not the one that was measured"
    try:
        height, width, _ = images.decode(data).shape
    except images.PictureError as error:
        yield "cannot be decoded", f"cannot be decoded: {error}"
        return
    if row.size != (None, None) and row.size != (width, height):
        yield "size differs", f"size differs: the file has {width} x {height}, the row {row.size[0]} x {row.size[1]}"


def _mask(row: Row) -> Iterator[tuple[str, str]]:
    if row.mask is not None:
        data, reason = _bytes(row.root, row.mask)
        if data is None:
            yield f"mask {reason}", f"mask {row.mask}: {reason}"


def _bytes(root: str, path: str) -> tuple[bytes | None, str]:
    """Read a file, or say in a few words why not."""
    try:
        return durable.read_bytes(images.locate(Path(root), path)), ""
    except images.PictureError:
        return None, "leaves the root through a link"
    except UserError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            return None, "missing"
        return None, f"cannot be read: {getattr(error.__cause__, 'strerror', error)}"


def _unnamed(rows: Sequence[Row], beside: Sequence[str]) -> Iterator[str]:
    """Find pictures that no row names, nor another manifest in the same root; roots may lie in one another."""
    named = {f"{row.root}/{path}" for row in rows for path in (row.path, row.mask) if path}
    roots = sorted({row.root for row in rows})
    named.update(name for root in roots for name in _named_by_others(root))
    left_out = tuple(f"{folder}/" for folder in beside if not any(row.path.startswith(f"{folder}/") for row in rows))
    listed = {root: pictures(Path(root)).pictures for root in roots}
    found = {f"{root}/{path}" for root in roots for path in listed[root] if not path.startswith(left_out)}
    if all("/" in row.path for row in rows):
        # A set in folders may have a figure of itself beside its manifest.
        found = {name for name in found if not any(Path(name).parent == Path(root) for root in roots)}
    extra = sorted(found - named)
    if extra:
        shown = ", ".join(extra[:3]) + (", ..." if len(extra) > 3 else "")
        yield f"{count(len(extra), 'picture')} under the root in no row: {shown}"


def _named_by_others(root: str) -> Iterator[str]:
    """Name the pictures of all manifests that lie in a root: a day and its night may share one."""
    for file in sorted(Path(root).glob("*.parquet")):
        try:
            table = read(file).table
        except UserError:
            continue  # some other table, or a broken one: it vouches for nothing
        for column in ("path", "mask"):
            paths = table[column].to_pylist() if column in table.column_names else []
            yield from (f"{root}/{path}" for path in paths if path)


def _card_lines(manifest: Manifest, card: Card) -> list[str]:
    lines = []
    identities = manifest.identities()
    for part, expected in card.counts.items():
        rows = _part(manifest, part)
        people = identities[rows]
        found = (int(rows.sum()), len(np.unique(people[people >= 0])))
        for nouns, number, wanted in zip(_COUNTED, found, expected, strict=True):
            if wanted is not None and number != wanted:
                lines.append(f"{part}: {count(number, *nouns)}, {card.title} has {wanted:,}")
    cameras = len(set(manifest.table["camid"].to_pylist()) - {0})
    if card.cameras is not None and cameras != card.cameras:
        lines.append(f"all: {count(cameras, 'camera')}, {card.title} has {card.cameras}")
    if lines and card.note:
        lines[-1] += f" (what a difference usually means: {card.note})"
    return lines


def _part(manifest: Manifest, part: str) -> NDArray[np.bool_]:
    if part == "all":
        return np.ones(len(manifest), dtype=bool)
    if part in ("query", "gallery"):
        return manifest.column(part).astype(bool)
    if part in KNOWN["split"].allowed:
        return np.asarray(manifest.column("split") == part, dtype=bool)
    return np.array([part in lists for lists in manifest.table["subsets"].to_pylist()], dtype=bool)
