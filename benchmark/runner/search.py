"""Search in one's own pictures: the closest of a folder for every query, by a trained network. No labels are needed."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from benchmark import durable, images, tree
from benchmark.console import count
from benchmark.errors import UserError
from benchmark.figures import sheet, style
from benchmark.figures.sheet import Cell, Strip
from benchmark.images import Picture
from benchmark.progress import track
from benchmark.runner import cache, extract
from benchmark.runner.export import known
from benchmark.runner.extract import Trained
from benchmark.scoring import Vectors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = 64  # pictures that are embedded together
SCORES = 2**24  # that are held at a time
QUERIES = 24  # on a contact sheet
SHOWN = sheet.ACROSS - 1  # pictures of a ranking on it
TABLE = pa.schema([("query", pa.string()), ("rank", pa.int32()), ("path", pa.string()), ("distance", pa.float32())])

Embed = Callable[[Sequence[Picture]], NDArray[np.floating]]


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures under a folder that have a vector, and those that could not be read, with the reason."""

    root: Path
    paths: tuple[str, ...]
    vectors: NDArray[np.float32]
    broken: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Found:
    """The first of every query's ranking: positions in the gallery, -1 where there is no further picture."""

    queries: Pictures
    gallery: Pictures
    rows: NDArray[np.int64]  # queries x K
    distances: NDArray[np.float32]

    def table(self) -> pa.Table:
        """Give a row a hit, ranks counted from 1."""
        query, place = np.nonzero(self.rows >= 0)
        names, paths = (np.array(part.paths, dtype=object) for part in (self.queries, self.gallery))
        hits = self.rows[query, place]
        columns = [names[query], place + 1, paths[hits], self.distances[query, place]]
        return pa.table(dict(zip(TABLE.names, columns, strict=True)), schema=TABLE)


def embedder(trained: Trained) -> Embed:
    """Make a function of pictures of any size; camera and time of one's own pictures are unknown to the network."""
    method, how = trained.method, trained.how
    if method.needs.cameras:
        raise UserError(f"{type(method).__name__} embeds with the camera, and one's own pictures name none it knows")
    device = next(method.parameters()).device

    @torch.no_grad()
    def embed(pictures: Sequence[Picture]) -> NDArray[np.floating]:
        block = np.stack([cache.resized(picture, how.size, how.resample) for picture in pictures])
        pixels = torch.from_numpy(block).to(device).permute(0, 3, 1, 2).float() / 255
        return np.asarray(extract.vectors(method.eval(), pixels, known(pixels, how), how).cpu().numpy())

    return embed


def pictures(place: Path, embed: Embed) -> Pictures:
    """Embed a picture, or all under a folder; broken ones are named, and only where all are it is an error."""
    root, paths = (place.parent, [place.name]) if place.is_file() else (place, tree.pictures(place).pictures)
    if not paths:
        raise UserError(f"{place}: holds no picture ({', '.join(images.SUFFIXES)})")
    kept, parts, broken = list[str](), list[NDArray[np.float32]](), list[tuple[str, str]]()
    for block in track(_blocks(paths), f"embed {place.name}", -(-len(paths) // ROWS)):
        names, loaded = _loaded(root, block, broken)
        if not names:
            continue
        vectors = np.asarray(embed(loaded), np.float32)
        fine = np.asarray(np.isfinite(vectors).all(axis=1) & vectors.any(axis=1))
        broken += [(name, "its vector is no direction") for name, good in zip(names, fine, strict=True) if not good]
        kept += [name for name, good in zip(names, fine, strict=True) if good]
        parts.append(vectors[fine])
    if not kept:
        raise UserError(f"{place}: none of {count(len(paths), 'picture')} can be used; {broken[0][0]}: {broken[0][1]}")
    return Pictures(root, tuple(kept), np.concatenate(parts), tuple(sorted(broken)))


def search(queries: Pictures, gallery: Pictures, first: int, metric: str = "cosine") -> Found:
    """Rank the gallery for every query; a query never finds its own file. Equal distances go by path."""
    if first < 1:
        raise UserError(f"--first {first}: must be 1 or more")
    source = Vectors(queries.vectors, gallery.vectors, metric)
    own = _own(queries, gallery)
    depth = min(first, len(gallery.paths))
    rows, scores = np.empty((source.queries, depth), np.int64), np.empty((source.queries, depth), np.float32)
    step = max(SCORES // source.gallery, 1)
    for start in range(0, source.queries, step):
        part = np.arange(start, min(start + step, source.queries))
        block = np.empty((len(part), source.gallery), np.float32)
        source.fill(part, block)
        hidden = np.flatnonzero(own[part] >= 0)
        block[hidden, own[part][hidden]] = -np.inf
        rows[part] = np.argsort(-block, axis=1, kind="stable")[:, :depth]
        scores[part] = np.take_along_axis(block, rows[part], axis=1)
    asked = np.repeat(np.arange(source.queries), depth)
    far = source.distances(scores.ravel(), asked).reshape(rows.shape)
    # One picture's cosine with its copy is now and then rounded to more than 1.
    far = np.maximum(far, 0) if metric == "cosine" else far
    return Found(queries, gallery, np.where(np.isinf(scores), -1, rows), np.asarray(far, np.float32))


def write(found: Found, folder: Path) -> list[Path]:
    """Write the rankings as a table for programs and as one for people, and a contact sheet of the first queries."""
    table = found.table()
    parquet, text, picture = (folder / f"search{suffix}" for suffix in (".parquet", ".csv", ".png"))
    durable.write_atomically(parquet, lambda file: pq.write_table(table, file, compression="zstd"))
    durable.write_bytes(text, _csv(table))
    return [parquet, text, style.save(draw(found), picture)]


def draw(found: Found) -> "Figure":
    """Draw a strip a query: itself, then what was found, the closest first."""
    number = len(found.queries.paths)
    shown = f", {QUERIES} of them shown" if number > QUERIES else ""
    heading = (
        f"{count(number, 'query', 'queries')}{shown}, searched in {count(len(found.gallery.paths), 'picture')}; "
        "under each its rank and distance"
    )
    strips = [Strip("", heading=heading), *(_strip(found, query) for query in range(min(number, QUERIES)))]
    return sheet.sheet([strips])


def _strip(found: Found, query: int) -> Strip:
    cells = [Cell(_shown(found.queries, query), "query")]
    for place, row in enumerate(found.rows[query, :SHOWN].tolist()):
        if row >= 0:
            caption = f"{place + 1}   {_short(float(found.distances[query, place]))}"
            cells.append(Cell(_shown(found.gallery, row), caption))
    return Strip(_label(found.queries.paths[query]), cells)


def _short(distance: float) -> str:
    return f"{distance:.3f}" if abs(distance) < 10 else f"{distance:.4g}"


def _label(path: str) -> str:
    """Fold a long path, and keep its end."""
    lines = fill(path, 15, break_long_words=True).split("\n")
    return "\n".join(lines if len(lines) <= 5 else ["...", *lines[-4:]])


def _shown(part: Pictures, row: int) -> Picture:
    try:
        return images.load(part.root, part.paths[row])
    except UserError:  # it was there a moment ago
        return np.full((2, 1, 3), 228, np.uint8)


def _blocks(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), ROWS):
        yield paths[start : start + ROWS]


def _loaded(root: Path, paths: Sequence[str], broken: list[tuple[str, str]]) -> tuple[list[str], list[Picture]]:
    """Decode some pictures; what cannot be decoded is added to the broken ones."""
    names, loaded = list[str](), list[Picture]()
    for path in paths:
        try:
            loaded.append(images.load(root, path))
            names.append(path)
        except UserError as error:
            broken.append((path, str(error).removeprefix(f"{root / path}: ")))
    return names, loaded


def _own(queries: Pictures, gallery: Pictures) -> NDArray[np.int64]:
    """Find every query's own file in the gallery; -1 where it is not there."""
    places = {(gallery.root / path).resolve(): row for row, path in enumerate(gallery.paths)}
    return np.array([places.get((queries.root / path).resolve(), -1) for path in queries.paths], np.int64)


def _csv(table: pa.Table) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.column_names)
    for query, rank, path, distance in zip(*(column.to_pylist() for column in table.columns), strict=True):
        writer.writerow([query, rank, path, f"{distance:.6g}"])
    return buffer.getvalue().encode()
