"""What night is to be made of which pictures."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark import durable, images
from benchmark.console import count
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from synthesis.claims import Kind, version
from synthesis.night import chain, config, names
from synthesis.night.columns import Facts
from synthesis.night.config import Night

SCHEMA = "night-set/1"
RECORD, RECIPE = "night.json", "night.toml"  # the record is written last; the recipe can be given as a night
ASIDE = "set-aside.csv"
_PLANNED = ("name", "seed", "limit", "version", "frames", "parents", "recipe")  # what makes two sets the same
KIND = Kind("night", SCHEMA, RECORD, _PLANNED, frozenset({RECIPE, ASIDE}), frozenset({"recipe.about"}))
DARK = 51.0  # the lightness below which a picture's light level is Low or Medium
LOOKED_AT = 8  # pictures that are looked for before anything is made


def framed(night: Night) -> Night:
    """Give what is left of a night where it is made of whole frames: some stages are about single pictures."""
    from synthesis.night.frames import clip  # with a library for videos, which few need

    return clip.reduced(night)


def load(out: Path, frames: bool) -> Night:
    """Read the night that a folder was begun with."""
    night = config.load(str(out / RECIPE))
    return framed(night) if frames else night


@dataclass(frozen=True)
class Pictures:
    """Pictures to be made: of which row, which draw, at which step of a ladder of exposures."""

    parent: NDArray[np.int64]
    draw: NDArray[np.int64]
    step: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.parent)

    def __getitem__(self, rows: slice | NDArray[np.generic]) -> "Pictures":
        return Pictures(self.parent[rows], self.draw[rows], self.step[rows])


class Day(NamedTuple):
    """The rows of a manifest that a night can be made of, and the others."""

    parents: Manifest
    unmeasured: Manifest | None  # most often of pictures that cannot be decoded
    infrared: int  # rows of infrared or thermal pictures, which are left out


def day(given: Manifest) -> Day:
    """Take the rows of visible light that were measured; a manifest without one is refused."""
    visible = given.column("modality") == "visible"
    if not visible.any():
        raise UserError(f"synth night: all {len(given)} rows are infrared or thermal; nights are made of visible light")
    lit = given if visible.all() else given.select(visible)
    known = np.array(lit.table["sha256"].is_valid())
    if known.all() or not known.any():  # of the second, `check` says what to do
        return Day(lit, None, int((~visible).sum()))
    return Day(lit.select(known), lit.select(~known), int((~visible).sum()))


@dataclass(frozen=True, eq=False)
class Order:
    """What is to be made."""

    night: Night
    parents: Manifest
    seed: int = 0
    limit: int | None = None  # of pictures, for a look
    frames: Path | None = None  # a folder of whole frames, of which the parents' boxes are cut
    unmeasured: Manifest | None = None  # rows that are set aside
    infrared: int = 0  # rows that were left out

    def __post_init__(self) -> None:
        if self.frames is not None:
            object.__setattr__(self, "night", framed(self.night))

    @cached_property
    def facts(self) -> Facts:
        """Give what a plan may know of the parents."""
        return Facts.of(self.parents)

    @cached_property
    def surveys(self) -> dict[str, dict[str, Any]]:
        """Let stages look at all parents once."""
        return chain.survey(self.night, self.facts)

    @property
    def recipe(self) -> dict[str, Any]:
        """Put down all that shapes the pictures, beside the parents themselves."""
        return {"seed": self.seed, **self.night.record(), "surveys": self.surveys}

    @cached_property
    def recipe_sha256(self) -> str:
        """Hash the recipe; what is said about a night is not part of it."""
        return durable.sha256(durable.canonical([self.seed, self.night.sha256, self.surveys]))

    def source(self, parent: str) -> str:
        """Name the source of the nights of a source's pictures."""
        return f"{parent}+{self.night.name}-{self.recipe_sha256[:8]}"

    @property
    def steps(self) -> tuple[float, ...]:
        """Give the ladder of exposures, in stops; one step is no ladder."""
        return tuple(getattr(self.night.settings.get("exposure"), "steps", ())) or (0.0,)

    @cached_property
    def pictures(self) -> Pictures:
        """List what is made: every draw and step of a row behind each other, all rows or those of the limit."""
        shape = (len(self.parents), self.night.shape.draws, len(self.steps))
        made = Pictures(*(np.ravel(numbers) for numbers in np.indices(shape, np.int64)))
        return made if self.limit is None else made[self._spread(made, self.limit)]

    def _spread(self, made: Pictures, limit: int) -> NDArray[np.int64]:
        """Choose pictures over the whole set, and over the levels alike; a ladder that is begun is made as a whole."""
        steps = len(self.steps)
        levels = np.asarray(self.plan(made).get("level", np.zeros(len(made)))).reshape(-1, steps).max(axis=1)
        units = spread(levels, -(-limit // steps))
        return np.asarray((units[:, None] * steps + np.arange(steps)).ravel())

    def plan(self, made: Pictures) -> dict[str, NDArray[Any]]:
        """Draw the columns of some pictures."""
        facts = self.facts.select(made.parent).with_draws(made.draw, made.step)
        return chain.plan(self.night, self.seed, facts, self.surveys)

    def record(self) -> dict[str, Any]:
        """Put down what is made of what."""
        said: dict[str, Any] = {"schema": SCHEMA, "name": self.night.name, "recipe_sha256": self.recipe_sha256}
        said |= {"seed": self.seed, "limit": self.limit, "version": version(), "frames": self.frames is not None}
        return said | {"parents": self._parents(), "recipe": self.recipe}

    def _parents(self) -> dict[str, Any]:
        sources = sorted(pc.unique(self.parents.table["source"]).to_pylist())
        hashes = {"data_sha256": self.parents.data_sha256, "labels_sha256": self.parents.labels_sha256}
        left = {"unmeasured": len(self.unmeasured) if self.unmeasured else 0, "infrared": self.infrared}
        hashes["table_sha256"] = _hashed(self.parents.table)
        return {"sources": sources, "rows": len(self.parents), **left, **hashes}


def spread(levels: NDArray[np.generic], wanted: int) -> NDArray[np.int64]:
    """Choose so many places, of each level alike as far as it has them, spread evenly over the level."""
    groups = sorted((np.flatnonzero(levels == level) for level in np.unique(levels)), key=len)
    chosen = []
    for place, group in enumerate(groups):
        share = min(len(group), -(-wanted // (len(groups) - place)))
        chosen.append(group[(2 * np.arange(share) + 1) * len(group) // max(2 * share, 1)])
        wanted -= share
    return np.sort(np.concatenate(chosen))


def _hashed(table: pa.Table) -> str:
    """Hash all columns: boxes and times shape a night, too."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return durable.sha256(sink.getvalue().to_pybytes())


def check(order: Order) -> list[str]:
    """Refuse parents that no night can be made of; give what a person should know of the others."""
    parents = order.parents
    parents.require_measured("synth night")
    unlit = parents.table.filter(pc.not_equal(parents.table["modality"], "visible"))
    if len(unlit):
        said = f"{count(len(unlit), 'row')} of {len(parents)} infrared or thermal, such as {unlit['image_id'][0]}"
        raise UserError(f"synth night: {said}; nights are made of visible light")
    if "synth_recipe_sha256" in parents.table.column_names:
        made = parents.table.filter(pc.is_valid(parents.table["synth_recipe_sha256"]))
        if len(made):
            raise UserError(
                f"synth night: {made['image_id'][0]} is of a made night already; give the day that it is of"
            )
    _refuse_shared(parents.table)
    looked_at = spread(np.zeros(len(parents)), LOOKED_AT).tolist()
    if order.frames is None and not any(images.locate(*parents.file(row)).exists() for row in looked_at):
        images.read(*parents.file(0))  # one that is gone is set aside; where none is there, the folder is wrong
    return [*_left_out(order), *_warnings(parents)]


def _refuse_shared(table: pa.Table) -> None:
    """Refuse a picture that is trained on and tested on: its two nights would differ, and it would not show."""
    trained = pc.is_in(table["split"], pa.array(["train", "val"]))
    tested = pc.or_(
        pc.equal(table["split"], "test"), pc.and_(pc.or_(table["query"], table["gallery"]), pc.invert(trained))
    )
    both = pc.is_in(table["sha256"], table.filter(trained)["sha256"].combine_chunks())
    shared = table.filter(pc.and_(tested, both))
    if len(shared):
        hashed = pc.and_(trained, pc.equal(table["sha256"], shared["sha256"][0]))
        pair = f"{table.filter(hashed)['image_id'][0]} and {shared['image_id'][0]}"
        raise UserError(f"synth night: {pair} are one picture (equal sha256), on both sides of the train/test split")


def _left_out(order: Order) -> list[str]:
    """Say which rows no night is made of, and which names are not Market's."""
    said = []
    if order.infrared:
        said.append(
            f"warning: {count(order.infrared, 'row')} infrared or thermal left out: nights are of visible light"
        )
    if order.unmeasured:
        rows = len(order.parents) + len(order.unmeasured)
        said.append(f"warning: {len(order.unmeasured)} of {rows} rows unmeasured (`luxreid data measure`): set aside")
    problem = names.problem(order.parents)
    if problem:
        kept = "pictures keep their own names in its folders, the manifest has the labels"
        said.append(f"warning: Market-1501's names cannot hold this set: {problem}; {kept}")
    return said


def _warnings(parents: Manifest) -> list[str]:
    """Say of a set that is dark already that it is."""
    lightness = float(np.median(parents.column("lightness").astype(np.float64)))
    nights = float((parents.column("time") == "night").mean())
    if nights > 0.5:
        return [f"warning: {100 * nights:.0f} % of the pictures are of a night already (column time)"]
    if lightness < DARK:
        return [
            f"warning: the pictures are dark already: median lightness {lightness:.0f}, a day has {DARK:.0f} and more"
        ]
    return []


def toml(record: Mapping[str, Any], table: str = "") -> str:
    """Write plain data as TOML; a key without a value is left out, as its default is that."""
    plain = {key: value for key, value in record.items() if not isinstance(value, dict) and value is not None}
    lines = [f"[{table}]"] * bool(table) + [f"{_key(key)} = {_toml(value)}" for key, value in plain.items()]
    tables = {key: value for key, value in record.items() if isinstance(value, dict)}
    inner = [toml(value, f"{table}.{_key(key)}" if table else _key(key)) for key, value in tables.items()]
    return "\n".join([*lines, *(f"\n{text}".rstrip("\n") for text in inner)]) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_toml(one)}" for key, one in value.items() if one is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return _plain(value)


def _plain(value: object) -> str:
    """Write a text, a number or a truth value as in JSON; TOML asks for one more escape."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else _plain(name)
