"""Make the night of a day's set: pictures in shards that a kill does not cost, then the tables, the record last."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import durable, images, manifest, stored
from benchmark.errors import UserError
from benchmark.executors import Executor
from benchmark.manifest import Manifest
from benchmark.progress import track
from synthesis import claims
from synthesis.claims import BEGUN, SHARDS
from synthesis.night import card, chain, names, tables, work
from synthesis.night.config import CODE, Night
from synthesis.night.order import KIND, RECIPE, RECORD, Order, Pictures, check, load, toml
from synthesis.night.work import Shard

SHARD_PICTURES, SHARD_PIXELS = 200, 200 * 2**15  # less than a second of work: little that a kill costs


def write(order: Order, out: Path, execute: Executor) -> tuple[dict[str, Any], int | None]:
    """Write a night into a folder of its own; give its record, and how many pictures were made now.

    None of them says that there was nothing to do.

    What an earlier run of the same order left is kept; a folder of anything else is refused.
    """
    check(order)
    plan = order.record()
    ledger = durable.Ledger(out / SHARDS, durable.sha256(durable.canonical(plan)))
    if not (claims.claim(KIND, out, plan) and _is_whole(out)):
        shards = _shards(order, out, ledger)  # what the layout cannot say is refused before anything is written
        with durable.locked(ledger.folder / "lock"):
            if not (claims.claim(KIND, out, plan) and _is_whole(out)):  # another process may have been faster
                ledger.commit(BEGUN, **plan)
                (out / RECORD).unlink(missing_ok=True)  # of a set that lost files since
                record, fresh = _write(order, plan, shards, out, execute)
                shutil.rmtree(ledger.folder, ignore_errors=True)
                return record, fresh
    shutil.rmtree(ledger.folder, ignore_errors=True)
    return durable.read_json(out / RECORD), None


def replay(folder: Path, parents: Manifest, rows: Sequence[int], frames: Path | None = None) -> list[bytes]:
    """Make pictures of a finished night again, from their rows of its plan alone: nothing is drawn or solved.

    Of a night of whole `frames` a row's clip is made again: its exposure depends on frames in which nobody was.
    """
    plan, record = tables.read(folder), durable.read_json(folder / RECORD)
    night = load(folder, record["frames"])
    if night.code != record["recipe"].get(CODE, {}):
        raise UserError(f"{folder}: the code of {' or '.join(night.code)} is not what it was when this night was made")
    if record["frames"]:
        return _replay_clips(folder, night, parents, rows, frames)
    stages = chain.ready(night, record["recipe"]["surveys"])
    place = {name: row for row, name in enumerate(parents.table["image_id"].to_pylist())}
    made = []
    for row in rows:
        parent = plan["parent"][row].as_py()
        if parent not in place:
            raise UserError(f"{folder}: {parent!r}, of which row {row} was made, is not in the manifest that was given")
        picture = images.decode(stored.read(parents, place[parent]))
        made += work.develop(stages, [picture], tables.columns(plan.slice(row, 1)))[1]
    return made


def _replay_clips(
    folder: Path, night: Night, parents: Manifest, rows: Sequence[int], frames: Path | None
) -> list[bytes]:
    """Make crops of whole frames again; their clips are developed anew from what was drawn."""
    from synthesis.night.frames import clip

    if frames is None:
        raise UserError(f"{folder}: was made of whole frames; say in which folder they are")
    plan = tables.read(folder)
    drawn = tables.columns(plan.drop_columns(plan.schema.metadata[b"solved"].decode().split()))
    place = {name: row for row, name in enumerate(parents.table["image_id"].to_pylist())}
    of = [place.get(name, -1) for name in plan["parent"].to_pylist()]
    surveys = durable.read_json(folder / RECORD)["recipe"]["surveys"]
    return clip.replay(drawn, of, clip.find(parents, frames), rows, night, surveys)


def _is_whole(out: Path) -> bool:
    """Say whether a finished set still has its files."""
    if not (out / tables.PLAN).is_file() or not (out / tables.MANIFEST).is_file():
        return False
    made = manifest.read(out / tables.MANIFEST).table
    return all((out / path).is_file() for path in made["path"].to_pylist())


def _write(
    order: Order, plan: dict[str, Any], shards: Sequence[Shard], out: Path, execute: Executor
) -> tuple[dict[str, Any], int]:
    _write_recipe(order, out)
    done = shards[0].ledger.done()
    missing = [shard for shard in shards if not claims.holds(done.get(shard.name), out)]
    pictures = [len(shard.pictures) for shard in missing]
    fresh = 0
    for _, made in track(execute(work.write, missing), "night", sum(pictures), lambda ended: pictures[ended[0]]):
        fresh += made
    record = plan | tables.write(order, shards, out)
    record |= {"terms": card.terms(plan["parents"]["sources"]), "versions": card.versions()}
    for part in out.rglob(".*.part"):  # the halves of files that a kill left
        part.unlink(missing_ok=True)
    card.write(record, out)
    durable.write_json(out / RECORD, record)
    return record, fresh


def _write_recipe(order: Order, out: Path) -> None:
    """Write the night with all its settings, from which workers read it; given as a night, it makes the same."""
    said = {name: value for name, value in order.night.record().items() if name not in ("version", CODE)}
    durable.write_bytes(
        out / RECIPE, f"# The night {order.night.name!r}, with all its settings.\n{toml(said)}".encode()
    )
    if load(out, order.frames is not None).sha256 != order.night.sha256:
        raise UserError(f"night {order.night.name}: has a setting that TOML cannot hold")


def _shards(order: Order, out: Path, ledger: durable.Ledger) -> list[Shard]:
    """Cut the pictures into shards; all that is made of a parent is in one."""
    if order.frames is not None:
        return _clips(order, out, ledger)
    made, files = order.pictures, _files(order)
    ends = np.flatnonzero(np.diff(_numbers(order.parents, made), append=-1)) + 1
    shards = []
    for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        shards.append(_shard(order, made[start:end], files[start:end], f"{start:09d}", out, ledger))
    return shards


def _numbers(parents: Manifest, made: Pictures) -> NDArray[np.int64]:
    """Give every picture its shard: so many pictures, or so many pixels where they are large."""
    area = parents.column("width").astype(np.float64) * parents.column("height").astype(np.float64)
    cost = np.maximum(area / SHARD_PIXELS, 1 / SHARD_PICTURES)[made.parent]
    begun = np.concatenate([[0.0], np.cumsum(cost)[:-1]])
    first = np.searchsorted(made.parent, made.parent)  # a parent's first picture says where all of them go
    return np.asarray(np.floor(begun[first] + 1e-9), np.int64)


def _files(order: Order) -> list[tuple[str, ...]]:
    """Name every picture's files."""
    ladder, made = len(order.steps) > 1, order.pictures
    named = names.files(order.parents)
    rows = zip(made.parent.tolist(), made.draw.tolist(), made.step.tolist(), strict=True)
    return [
        tuple(names.variant(path, draw, step if ladder else None) for _, path in named[parent])
        for parent, draw, step in rows
    ]


def _shard(
    order: Order, made: Pictures, files: Sequence[tuple[str, ...]], name: str, out: Path, ledger: durable.Ledger
) -> Shard:
    rows, local = np.unique(made.parent, return_inverse=True)
    pictures, parents = Pictures(local.astype(np.int64), made.draw, made.step), order.parents.select(rows)
    night = order.night.sha256
    return Shard(name, rows, parents, pictures, tuple(files), order.seed, order.surveys, out, night, ledger)


def _clips(order: Order, out: Path, ledger: durable.Ledger) -> list[Shard]:
    """Make a shard of every clip; a limit takes whole clips, as many as hold so many boxes."""
    from synthesis.night.frames import clip

    assert order.frames is not None
    clips = clip.find(order.parents, order.frames)
    plan = clip.plan(order.night, order.seed, order.parents, clips, surveys=order.surveys)
    named, shards, boxes = names.files(order.parents), [], 0
    for number, one in enumerate(clips):
        if order.limit is not None and boxes >= order.limit:
            break
        rows = np.asarray(one.rows, np.int64)
        made = Pictures(rows, np.zeros_like(rows), np.zeros_like(rows))
        files = [tuple(path for _, path in named[row]) for row in rows.tolist()]
        shard = _shard(order, made, files, f"{number:09d}", out, ledger)
        shards.append(replace(shard, clip=one, plan=chain.rows(plan, rows)))
        boxes += len(rows)
    return shards
