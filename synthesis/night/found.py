"""What the shards of a night left, put together in the order of the parents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import durable, keyed
from benchmark.columns import MEASURED
from benchmark.errors import UserError
from benchmark.progress import track
from synthesis.night import aside as asides
from synthesis.night import chain
from synthesis.night.columns import VERSION
from synthesis.night.order import Order, Pictures
from synthesis.night.work import Shard


@dataclass(frozen=True)
class Found:
    """All pictures that were made, in the order of their parents."""

    pictures: Pictures
    files: list[tuple[str, ...]]
    plan: dict[str, NDArray[Any]]
    solved: dict[str, NDArray[np.float32]]  # NaN where a stage found nothing
    blocks: NDArray[np.uint64]  # keys of cameras' lights
    measures: dict[str, list[Any]]
    bytes: list[int]
    pixels: list[str]
    aside: list[tuple[int, str]]  # parents and reasons


def gather(order: Order, shards: Sequence[Shard]) -> Found:
    """Put together what the shards found."""
    parts, records = [], []
    for shard in track(shards, "tables"):
        record = durable.read_json(shard.record)
        made = shard.pictures[np.array(record["rows"], np.int64)]
        parts.append((Pictures(shard.rows[made.parent], made.draw, made.step), shard, record))
        records.append(record)
    aside = [(int(shard.rows[int(key)]), why) for _, shard, record in parts for key, why in record["aside"].items()]
    pictures = Pictures(*(np.concatenate([getattr(part, name) for part, _, _ in parts]) for name in _NUMBERS))
    if not len(pictures):
        listed = asides.write(order, aside, shards[0].out)
        raise UserError(
            f"synth night: all {len(aside)} pictures were set aside: {aside[0][1]}; {listed} says why of each"
        )
    rank = np.lexsort((pictures.step, pictures.draw, pictures.parent))
    files = [shard.files[row] for _, shard, record in parts for row in record["rows"]]
    made = pictures[rank]
    plan = order.plan(made) if order.frames is None else _of_clips(parts, rank)
    return Found(
        made,
        _taken(files, rank),
        plan,
        _solved(records, rank),
        _blocks(order, made) if order.frames is None else _blocks_of_clips(parts)[rank],
        {name: _taken([one for record in records for one in record["measures"][name]], rank) for name in MEASURED},
        _taken([one for record in records for one in record["bytes"]], rank),
        _taken([one for record in records for one in record["pixels"]], rank),
        sorted(aside),
    )


_NUMBERS = ("parent", "draw", "step")


def _taken(values: list[Any], rank: NDArray[np.intp]) -> list[Any]:
    return [values[place] for place in rank.tolist()]


def _of_clips(parts: Sequence[tuple[Pictures, Shard, dict[str, Any]]], rank: NDArray[np.intp]) -> dict[str, Any]:
    plans = [chain.rows(shard.plan or {}, record["rows"]) for _, shard, record in parts if record["rows"]]
    return {name: np.concatenate([plan[name] for plan in plans])[rank] for name in plans[0]}


def _blocks(order: Order, made: Pictures) -> NDArray[np.uint64]:
    return np.asarray(order.facts.select(made.parent).with_draws(made.draw, made.step).keys["camera"], np.uint64)


def _blocks_of_clips(parts: Sequence[tuple[Pictures, Shard, dict[str, Any]]]) -> NDArray[np.uint64]:
    keys = [keyed.key(f"{VERSION}\ncamera\n{shard.clip.camera}") for _, shard, _ in parts]
    return np.repeat(np.array(keys, np.uint64), [len(part) for part, _, _ in parts])


def _solved(records: Sequence[Mapping[str, Any]], rank: NDArray[np.intp]) -> dict[str, NDArray[np.float32]]:
    names = dict.fromkeys(name for record in records for name in record["solved"])
    solved = {}
    for name in names:
        values = [record["solved"].get(name) or [None] * len(record["rows"]) for record in records]
        flat = np.array([np.nan if one is None else one for part in values for one in part], np.float32)
        solved[name] = flat[rank]
    return solved
