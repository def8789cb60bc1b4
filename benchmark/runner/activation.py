"""Where a method looks when it recognises somebody, and how much of that is the person.

Grad-CAM (Selvaraju et al., ICCV 2017), with the cosine to the right person in place of a class: what of a query's
activation brings its vector closer to the mean vector of its own identity in the gallery.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmark import durable, images, junk, strata
from benchmark.errors import UserError
from benchmark.figures import activation as figure
from benchmark.figures import ranked_lists, style
from benchmark.images import PictureError
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.progress import track
from benchmark.runner import extract
from benchmark.runner.extract import How
from benchmark.runner.flops import evaluating
from benchmark.runner.interfaces import Context, Look, Method

ROWS = 64  # pictures that are looked at together
SCHEMES = ("night600-light", "stops-5")
TABLE = pa.schema(
    [("image_id", pa.string()), *((name, pa.float32()) for name in ("share", "area", "lightness", "stops"))]
)

Maps = NDArray[np.float32]  # pictures x h x w, never negative


class Decoded(Protocol):
    """Pictures of one size, decoded."""

    def gather(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Give some of them, height x width x 3 each."""


class Inside(NamedTuple):
    """How much of an activation lies on the person, and how much would if it were the same everywhere."""

    share: float  # NaN where nothing is activated
    area: float


def maps(method: Method, pixels: Tensor, known: Context, how: How, targets: Tensor) -> Tensor:
    """Give the map of every picture in [0, 1], on the grid of the method's `look`."""
    look = _look(method)
    with evaluating(method), torch.enable_grad(), _outputs(look.module) as kept:
        made = extract.vectors(method, pixels, known, replace(how, precision="fp32"))
        closeness = functional.cosine_similarity(made, targets.to(made), dim=1).sum()
        slopes = torch.autograd.grad(closeness, kept, allow_unused=True) if kept and closeness.requires_grad else ()
    parts = [(output, slope) for output, slope in zip(kept, slopes, strict=False) if slope is not None and slope.any()]
    if not parts:
        raise UserError(f"{_name(method)}: its vectors do not depend on what its `look` gives; no map can be drawn")
    # Where mirror images are embedded too, they come second, and what they see is turned back.
    mirrored = {id(output) for output in kept[len(kept) // 2 :]} if method.needs.flip == "sum" else set[int]()
    found = [(_map(output, slope, look, len(pixels)), id(output) in mirrored) for output, slope in parts]
    return torch.stack([one.flip(2) if turned else one for one, turned in found]).sum(dim=0)


def targets(lists: Lists, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Give every query the mean of its positives' vectors, each of length 1; zeros where it sees none."""
    found = junk.matches(*junk.codes(lists.query, lists.gallery), lists.rules.junk)
    owner = np.repeat(np.arange(len(lists.query)), np.diff(found.starts))[~found.hidden]
    rows = found.gallery[~found.hidden]
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.asarray(vectors, np.float32) / np.maximum(length, np.finfo(np.float32).tiny)
    total = np.zeros((len(lists.query), vectors.shape[1]), np.float32)
    np.add.at(total, owner, unit[rows])
    return np.asarray(total / np.maximum(found.positives(), 1)[:, None], np.float32)


def look(method: Method, kept: Decoded, query: Manifest, how: How, targets: NDArray[np.float32]) -> Maps:
    """Give the map of every query, some at a time."""
    device = next(method.parameters()).device
    columns = extract.context(query, how, method)
    parts = []
    for start in track(range(0, len(query), ROWS), "activation maps", -(-len(query) // ROWS)):
        rows = np.arange(start, min(start + ROWS, len(query)))
        pixels = torch.from_numpy(kept.gather(rows)).to(device).permute(0, 3, 1, 2).float() / 255
        camera, modality, night = (torch.from_numpy(column[rows]).to(device) for column in columns)
        made = maps(method, pixels, Context(camera, modality, night), how, torch.from_numpy(targets[rows]).to(device))
        parts.append(made.cpu().numpy().astype(np.float32))
    return np.concatenate(parts)


def inside(activation: NDArray[np.floating], mask: NDArray[np.floating]) -> Inside:
    """Compare a map with a mask, 0 to 1 a pixel; a cell's activation is spread evenly over what it covers."""
    rows, columns = activation.shape
    # A mask that is coarser than the map is cut finer first: averaging over areas is exact only towards coarser ones.
    finer = np.repeat(np.repeat(mask, -(-rows // mask.shape[0]), axis=0), -(-columns // mask.shape[1]), axis=1)
    covered = cv2.resize(finer.astype(np.float64), (columns, rows), interpolation=cv2.INTER_AREA)
    total = float(activation.sum(dtype=np.float64))
    share = float((activation * covered).sum(dtype=np.float64)) / total if total else float("nan")
    return Inside(share, float(mask.mean(dtype=np.float64)))


def mask(manifest: Manifest, row: int) -> NDArray[np.float64] | None:
    """Read the mask of one picture, 1 where the person is; None where it has none."""
    if "mask" not in manifest.table.column_names or (path := manifest.table["mask"][row].as_py()) is None:
        return None
    found = images.load(manifest.file(row)[0], path)[:, :, 0]
    size = tuple(manifest.table[name][row].as_py() for name in ("height", "width"))
    if None not in size and found.shape != size:
        raise PictureError(f"{path}: is {found.shape[1]} x {found.shape[0]}, its picture {size[1]} x {size[0]}")
    return np.asarray(found / 255.0)


def table(query: Manifest, found: Maps) -> pa.Table:
    """Say of every query that has a mask how much of its activation lies in it; null where nothing is activated."""
    rows, parts = [], []
    for row in range(len(query)):
        own = mask(query, row)
        if own is not None:
            rows.append(row)
            parts.append(inside(found[row], own))
    known = query.table.take(pa.array(rows, pa.int64()))
    shares = pa.array([part.share for part in parts], pa.float32(), from_pandas=True)
    areas = pa.array([part.area for part in parts], pa.float32())
    columns = [known["image_id"], shares, areas, known["lightness"], known["stops"]]
    return pa.table(columns, names=TABLE.names).cast(TABLE)


def draw(
    title: str,
    method: Method,
    lists: Lists,
    vectors: NDArray[np.floating],
    how: How,
    kept: Decoded,
    folder: Path,
    seed: int = 0,
) -> Iterator[Path]:
    """Look at every query that has a positive; draw some, and where there are masks, compare all with them.

    `vectors` are the gallery's, `kept` the queries' pictures, both in the order of their lists.
    """
    wanted = targets(lists, vectors)
    rows = np.flatnonzero(wanted.any(axis=1))
    if not len(rows):
        return
    query = lists.query.select(rows)
    found = look(method, Part(kept, rows), query, how, wanted[rows])
    yield style.save(figure.draw(title, _strips(query, found, seed)), folder / "activation.png")
    made = table(query, found)
    if len(made):
        path = folder / "activation.parquet"
        durable.write_atomically(path, lambda file: pq.write_table(made, file, compression="zstd"))
        yield path
        yield style.save(figure.shares(title, levels(query, made)), folder / "activation-shares.png")


def levels(query: Manifest, made: pa.Table) -> list[tuple[str, list[figure.Level]]]:
    """Divide the shares of a table by light; a scheme that finds no light here is left out."""
    rows = np.isin(query.column("image_id").astype(str), made["image_id"].to_pylist())
    asked = query.select(rows)
    share, area = (made[name].to_numpy().astype(np.float64) for name in ("share", "area"))
    people, schemes = asked.identities(), []
    for name in SCHEMES:
        with contextlib.suppress(UserError):
            cut = strata.assign(asked, strata.scheme(name))
            parts = [(level, cut.codes == code) for code, level in enumerate(cut.levels)]
            schemes.append((name, [figure.Level(level, share[own], area[own], people[own]) for level, own in parts]))
    return schemes


class Part(NamedTuple):
    """Some rows of decoded pictures."""

    kept: Decoded
    rows: NDArray[np.intp]

    def gather(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Give pictures by their place among these rows."""
        return self.kept.gather(self.rows[rows])


def _strips(query: Manifest, found: Maps, seed: int) -> list[figure.Strip]:
    """Choose some queries of every level of light."""
    codes, names = _levels(query)
    chosen = ranked_lists.choose(codes, query.column("image_id").astype(str).tolist(), figure.EACH, seed)
    seen = {row: _seen(query, row, found[row]) for row in chosen}
    return [
        figure.Strip(name, [seen[row] for row in chosen if codes[row] == code])
        for code, name in enumerate(names)
        if (codes[chosen] == code).any()
    ]


def _levels(query: Manifest) -> tuple[NDArray[np.int16], Sequence[str]]:
    try:
        cut = strata.assign(query, strata.scheme(SCHEMES[0]))
    except UserError:  # nobody measured the light, or there is none that people see by
        return np.zeros(len(query), np.int16), ("all",)
    return np.where(cut.codes < 0, len(cut.levels), cut.codes).astype(np.int16), (*cut.levels, "no visible light")


def _seen(query: Manifest, row: int, found: NDArray[np.float32]) -> figure.Seen:
    own, lightness = mask(query, row), query.table["lightness"][row].as_py()
    light = "" if lightness is None else f"light {lightness:.1f}"
    caption = "" if own is None else figure.said(*inside(found, own))
    return figure.Seen(images.load(*query.file(row)), found, own, light, caption)


@contextlib.contextmanager
def _outputs(module: nn.Module) -> Iterator[list[Tensor]]:
    """Keep what a module gives out. The graph begins there: of what comes before, no slope is needed."""
    kept: list[Tensor] = []

    def keep(_: nn.Module, __: object, output: object) -> Tensor:
        if not isinstance(output, Tensor):
            raise UserError(f"look: {type(module).__name__} gives {type(output).__name__}, must give one tensor")
        kept.append(output.detach().requires_grad_())
        return kept[-1].clone()  # what follows may write into it

    handle = module.register_forward_hook(keep)
    try:
        yield kept
    finally:
        handle.remove()


def _map(output: Tensor, slope: Tensor, look: Look, pictures: int) -> Tensor:
    """Weigh every channel by its mean slope, add, and keep what is positive (equations 1 and 2)."""
    output, slope = (_grid(part.float(), look, pictures) for part in (output, slope))
    return functional.relu((slope.mean(dim=(2, 3), keepdim=True) * output).sum(dim=1)).detach()


def _grid(values: Tensor, look: Look, pictures: int) -> Tensor:
    """Lay tokens out as they lie in the picture: B x C x h x w."""
    shape = f"{look.grid[0]} x {look.grid[1]} tokens" if look.grid else "B x C x h x w"
    fits = (
        values.ndim == 4 if look.grid is None else values.ndim == 3 and values.shape[1] >= look.grid[0] * look.grid[1]
    )
    if not fits or len(values) != pictures:
        raise UserError(f"look: gives {tuple(values.shape)} for {pictures} pictures, must give {shape}")
    if look.grid is None:
        return values
    height, width = look.grid
    return values[:, -height * width :].transpose(1, 2).reshape(pictures, -1, height, width)


def _look(method: Method) -> Look:
    if method.look is None:
        raise UserError(f"{_name(method)}: says not where it looks (`look`), so no activation map can be drawn")
    return method.look


def _name(method: Method) -> str:
    return type(method).__name__
