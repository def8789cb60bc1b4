"""Write a world: pictures, masks and maps in shards that a kill does not cost, then the tables, the record last."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmark import durable, manifest, strata
from benchmark.columns import MEASURED
from benchmark.executors import Executor
from benchmark.manifest import Manifest
from benchmark.progress import track
from synthesis import claims
from synthesis.claims import BEGUN, SHARDS
from synthesis.street import maps, places, render, shots, table
from synthesis.street.body import body
from synthesis.street.camera import Exposure
from synthesis.street.config import World
from synthesis.street.found import found
from synthesis.street.framing import Box
from synthesis.street.order import KIND, RECORD, Order
from synthesis.street.people import person
from synthesis.street.shots import Shot, Walk
from synthesis.street.table import Found, Time

TRUTH, MAPS = "truth.parquet", "truth"
TABLED = 64  # shards whose rows become tables at once: tables are small, the lists they are made of are not
SHARD_SHOTS = 32  # less than a second of work: a bar that moves, and little that a kill costs
SCHEMES = {"sizes": "night600-scale", "light": "night600-light"}


@dataclass(frozen=True)
class Shard:
    """Some walks of a world, and where their files go."""

    name: str
    walks: tuple[Walk, ...]
    order: Order
    out: Path
    ledger: durable.Ledger

    @property
    def record(self) -> Path:
        """Say where the ledger puts what was found."""
        return self.ledger.folder / f"{self.name}.json"


def write(order: Order, out: Path, execute: Executor) -> tuple[dict[str, Any], bool]:
    """Write a world into a folder of its own; give its record, and whether there was anything to do.

    What an earlier run of the same order left is kept; a folder of anything else is refused.
    """
    plan = order.plan()
    ledger = durable.Ledger(out / SHARDS, durable.sha256(durable.canonical(plan)))
    if not (claims.claim(KIND, out, plan) and _is_whole(order, out)):
        with durable.locked(ledger.folder / "lock"):
            if not (claims.claim(KIND, out, plan) and _is_whole(order, out)):  # another process may have been faster
                ledger.commit(BEGUN, **plan)
                (out / RECORD).unlink(missing_ok=True)  # of a world that lost files since
                record = _write(order, plan, out, ledger, execute)
                shutil.rmtree(ledger.folder, ignore_errors=True)
                return record, True
    shutil.rmtree(ledger.folder, ignore_errors=True)
    return durable.read_json(out / RECORD), False


def _is_whole(order: Order, out: Path) -> bool:
    """Say whether a finished world still has its files."""
    if not (out / TRUTH).is_file():
        return False
    for time in order.world.times:
        if not (out / f"{time}.parquet").is_file():
            return False
        pictures = manifest.read(out / f"{time}.parquet").table
        files = [path for name in ("path", "mask") for path in pictures[name].to_pylist()] if order.pictures else []
        if not all((out / path).is_file() for path in files):
            return False
    return True


def _write(order: Order, plan: dict[str, Any], out: Path, ledger: durable.Ledger, execute: Executor) -> dict[str, Any]:
    shards = _shards(order, out, ledger)
    done = ledger.done()
    missing = [shard for shard in shards if not claims.holds(done.get(shard.name), out)]
    for _ in track(execute(_write_shard, missing), "render" if order.pictures else "frame", len(missing)):
        pass
    record = plan | _write_tables(order, shards, out)
    _sweep(out)
    durable.write_json(out / RECORD, record)
    return record


def _shards(order: Order, out: Path, ledger: durable.Ledger) -> list[Shard]:
    """Cut a world into shards of whole walks."""
    walks = shots.walks(order.world, order.seed)
    if order.limit is not None:
        walks = first(walks, order.limit)
    ends, count = [], 0
    for place, walk in enumerate(walks, 1):
        count += walk.frames
        if count >= SHARD_SHOTS or place == len(walks):
            ends.append(place)
            count = 0
    parts = zip([0, *ends[:-1]], ends, strict=True)
    return [Shard(f"{start:07d}-{end:07d}", tuple(walks[start:end]), order, out, ledger) for start, end in parts]


def first(walks: Sequence[Walk], limit: int) -> list[Walk]:
    """Cut walks until so many shots are left: all have one before any has two, and what is left over is spread."""
    kept, frame = [0] * len(walks), 0
    while limit > 0 and (longer := [place for place, walk in enumerate(walks) if walk.frames > frame]):
        count = min(limit, len(longer))
        for step in range(count):
            kept[longer[(2 * step + 1) * len(longer) // (2 * count)]] += 1
        limit, frame = limit - count, frame + 1
    return [replace(walk, frames=frames) for walk, frames in zip(walks, kept, strict=True) if frames]


def _write_shard(shard: Shard) -> None:
    """Take the shots of some walks, write their files, and commit what was found."""
    order = shard.order
    files: dict[str, int] = {}
    rows: list[list[Any]] = []
    for shot in _shots(order, shard.walks):
        if order.pictures:
            taken = render.take(order.world, order.seed, shot)
            made = _files(order, shot, taken)
            for path, data in made.items():
                durable.write_bytes(shard.out / path, data, sync=False)
            files |= {path: len(data) for path, data in made.items()}
            rows.append([taken.staged.box, taken.staged.full, _facts(found(taken))])
        else:
            rows.append([*framed(order.world, order.seed, shot), None])
    shard.ledger.commit(shard.name, files=files, rows=rows)


def _shots(order: Order, walks: Sequence[Walk]) -> Iterator[Shot]:
    for walk in walks:
        yield from shots.shots(order.world, order.seed, walk)


def framed(world: World, seed: int, shot: Shot) -> tuple[Box, tuple[float, float, float, float]]:
    """Say where a shot lies in its frame without rendering it: the window that is kept, and the whole body's box."""
    subject = body(person(world, seed, shot.pid), shot.pose)
    return render.frame(world, places.place(world, seed, shot.camid), shot, subject)


def _files(order: Order, shot: Shot, taken: render.Taken) -> dict[str, bytes]:
    made = {table.picture_path(time, shot): data for time, data in taken.files.items()}
    made[table.mask_path(shot)] = maps.mask(taken.rendering.mask)
    if order.truth:
        made[maps_path(shot)] = maps.archive(taken)
    return made


def maps_path(shot: Shot) -> str:
    """Name the archive of a shot's maps."""
    return str(Path(MAPS, *Path(table.mask_path(shot)).parts[1:]).with_suffix(".npz"))


def _facts(found: Found) -> list[Any]:
    """Put what was found into plain lists; a world has many rows."""
    exposures = {time: list(exposure) for time, exposure in found.exposures.items()}
    measures = {time: [row[key] for key in MEASURED] for time, row in found.measures.items()}
    return [found.occluded, found.visible, exposures, measures]


def _found(facts: list[Any]) -> Found:
    occluded, visible, exposures, measures = facts
    return Found(
        occluded,
        tuple(visible) if visible else None,
        {time: Exposure(*numbers) for time, numbers in exposures.items()},
        {time: dict(zip(MEASURED, values, strict=True)) for time, values in measures.items()},
    )


def _write_tables(order: Order, shards: Sequence[Shard], out: Path) -> dict[str, Any]:
    """Write the manifests and the truth, and count what is in them."""
    starts = range(0, len(shards), TABLED)
    parts = [_tables(order, shards[start : start + TABLED], out) for start in track(starts, "tables")]
    made = {}
    for time in order.world.times:
        rows = pa.concat_tables([pictures[time].table for pictures, _ in parts])
        made[time] = Manifest(rows, parts[0][0][time].roots)
        manifest.write(made[time], out / f"{time}.parquet")
    table.write_truth(pa.concat_tables([told for _, told in parts]), out / TRUTH)
    return _counts(made)


def _tables(order: Order, shards: Sequence[Shard], out: Path) -> tuple[dict[Time, Manifest], pa.Table]:
    """Make the manifests and the truth of some shards; what was found is read back from their records."""
    world, seed = order.world, order.seed
    taken = [shot for shard in shards for shot in _shots(order, shard.walks)]
    rows = [row for shard in shards for row in durable.read_json(shard.record)["rows"]]
    boxes, full = (np.array([row[place] for row in rows], np.float64) for place in (0, 1))
    full[:, 2:] -= full[:, :2]  # from its sides to its size
    known = [_found(row[2]) for row in rows] if order.pictures else []
    pictures = {time: table.pictures(world, seed, time, out, taken, boxes, known) for time in world.times}
    return pictures, table.truth(world, seed, taken, boxes, full, known)


def _counts(made: Mapping[Time, Manifest]) -> dict[str, Any]:
    one = next(iter(made.values()))
    numbers = {"identities": _distinct(one, "pid"), "cameras": _distinct(one, "camid")}
    numbers |= {"tracks": _distinct(one, "sequence"), "crops": len(one)}
    light = {time: _levels(pictures, SCHEMES["light"]) for time, pictures in made.items() if pictures.measured}
    named = {key: strata.scheme(scheme).id for key, scheme in SCHEMES.items()}
    return {"counts": numbers, "schemes": named, "sizes": _levels(one, SCHEMES["sizes"]), "light": light}


def _distinct(pictures: Manifest, column: str) -> int:
    return len(set(pictures.column(column)))


def _levels(pictures: Manifest, scheme: str) -> dict[str, int]:
    cut = strata.assign(pictures, strata.scheme(scheme))
    return dict(zip(cut.levels, np.bincount(cut.codes, minlength=len(cut.levels)).tolist(), strict=True))


def _sweep(out: Path) -> None:
    """Remove the halves of files that a kill left."""
    for part in out.rglob(".*.part"):
        part.unlink(missing_ok=True)
