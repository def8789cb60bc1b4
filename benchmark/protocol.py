"""A protocol as data: who trains, who asks, who is searched, what a query does not see, and what ranks the results."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from benchmark import config, durable
from benchmark.config import Strict
from benchmark.errors import UserError
from benchmark.plugins import Shelf

SCHEMA = "protocol/1"  # raised when a default or a meaning changes under an old name
TRIAL = "{t}"

PROTOCOLS = Shelf("benchmark.protocols", "protocol")

# What a stored row is called, decides nothing; and training data is recorded with a result and may differ.
UNHASHED = {"name", "title", "notes", "train"}


def _refusal(what: str) -> PydanticCustomError:
    return PydanticCustomError("impossible", "{what}", {"what": what})


def _values(given: object) -> list[object]:
    """Take one value for a list of one; refuse what no column can hold."""
    values = given if isinstance(given, list | tuple) else [given]
    if not values:
        raise _refusal("an empty list selects nothing")
    for value in values:
        if not isinstance(value, bool | int | float | str):
            raise _refusal("must be a value, or a list of values")
        if isinstance(value, float) and not math.isfinite(value):
            raise _refusal("must be a finite number")
        if isinstance(value, int) and abs(value) > 2**53:
            raise _refusal(f"{value} is larger than any number in a manifest")
        braces = re.findall(r"\{[^{}]*\}|[{}]", value) if isinstance(value, str) else []
        if set(braces) - {TRIAL}:
            raise _refusal(f"only {TRIAL}, the number of the trial, is filled in")
    return list(values)


Value = bool | int | float | str
Filter = Annotated[
    dict[str, Annotated[list[Value], BeforeValidator(_values)]],
    Field(min_length=1),  # a table without a filter would take every row
]
Place = Annotated[int, Field(ge=1, le=2**15 - 1)]  # 0 is unknown


class Junk(Strict):
    """Which gallery rows a query does not see. Its own copy it never sees, in any protocol."""

    same_place: bool = True
    """Rows of its own identity at its own place: a match in the same view is too easy (Market-1501). Place 0 is
    unknown and equals nothing."""
    place_pairs: tuple[tuple[Place, Place], ...] = ()
    """Pairs (query's place, gallery's place): rows that are not seen, whoever is on them."""

    @property
    def words(self) -> str:
        """Say the rules in words, as `run/1` keeps them."""
        said = ["own copy"] + ["same identity same place"] * self.same_place
        said += [f"place {theirs} for a query at place {own}" for own, theirs in sorted(set(self.place_pairs))]
        return "; ".join(said)

    @classmethod
    def read(cls, words: str, where: str = "junk_rule") -> "Junk":
        """Read the rules back from their words."""
        pairs = re.findall(r"place (\d{1,5}) for a query at place (\d{1,5})", words)
        same_place = "same identity same place" in words.split("; ")
        said = {"same_place": same_place, "place_pairs": [[int(own), int(theirs)] for theirs, own in pairs]}
        rules = config.check(cls, said, where)
        if rules.words != words:
            raise UserError(f"{where} = {words!r}: must be said as in {cls().words!r}")
        return rules


# The keys that say nothing to a sampler: whoever writes one of them means another sampler.
_IDLE = {"all": {"role", "per", "shots", "seed"}, "keyed": set[str](), "pyrandom": {"seed"}, "official": {"seed"}}


class Trials(Strict):
    """How often a protocol is repeated, and how each repetition draws its rows."""

    count: int = Field(1, ge=1, le=1000)
    """How many trials there are; results are averaged over them."""
    first: int = Field(0, ge=0, le=1000)
    """The number that the set gives its first trial: what `{t}` stands for, and what `pyrandom` is seeded with."""
    sampler: Literal["all", "keyed", "pyrandom", "official"] = "all"
    """`all`: every row; `keyed`: our own draw; `pyrandom`: Python's `random`, as published code has it; `official`:
    the set's own list."""
    role: Literal["query", "gallery"] = "gallery"
    """Whose rows are drawn."""
    per: Literal["identity", "identity-camera"] = "identity-camera"
    """Of what so many rows are drawn."""
    shots: int = Field(1, ge=1)
    """How many rows are drawn; all where there are fewer."""
    seed: int = Field(0, ge=0)
    """The seed of `keyed`."""
    official: str = ""
    """The word in `subsets` that marks the official draw, with `{t}` for the trial."""

    @model_validator(mode="after")
    def _fits(self) -> "Trials":
        if self.sampler == "pyrandom" and self.shots != 1:
            raise _refusal("pyrandom draws one row, as the published code does; keyed draws several")
        if (self.sampler == "official") != bool(self.official):
            raise _refusal("the sampler official, and no other, names the set's own list under the key official")
        for name in sorted(self.model_fields_set & _IDLE[self.sampler]):
            raise _refusal(f"{name} says nothing where the sampler is {self.sampler}")
        return self

    def number(self, trial: int) -> int:
        """Give the number that the set gives a trial; trials are counted from 0."""
        return self.first + trial


class Rules(Strict):
    """What the evaluation must know of a protocol, once its rows are resolved."""

    junk: Junk = Junk()
    """Which gallery rows a query does not see."""
    trials: Trials = Trials()
    """How often the protocol is repeated, and how each repetition draws its rows."""
    cmc: Literal["first", "dedup"] = "first"
    """`first`: the rank of the first match; `dedup`: among identities, each at the rank of its best image."""
    rank_by: Literal["mAP", "mAP_trapz", "mINP", "mAP_id_macro", "R1", "R5", "R10"] = "mAP"
    """The number by which a table of results is sorted."""
    invalid_queries: Literal["skip", "count"] = "skip"
    """What a query without a positive does to a mean: nothing, or it counts as 0."""


class Protocol(Rules):
    """One TOML file."""

    name: str
    """The file's name."""
    title: str
    """What it is, in a line."""
    notes: tuple[str, ...] = ()
    """What whoever uses it must know."""
    train: Filter
    """The rows to train on."""
    query: Filter
    """The rows that ask."""
    gallery: Filter
    """The rows that are searched."""

    def filters(self, role: str, trial: int) -> Mapping[str, Sequence[Value]]:
        """Give the filters of a role with the number of a trial filled in; trials are counted from 0."""
        wanted: Filter = getattr(self, role)
        number = str(self.trials.number(trial))
        return {
            name: [value.replace(TRIAL, number) if isinstance(value, str) else value for value in values]
            for name, values in wanted.items()
        }

    @property
    def apart(self) -> bool:
        """Say whether every trial trains on a list of its own."""
        return self.trials.count > 1 and any(TRIAL in str(value) for values in self.train.values() for value in values)

    @model_validator(mode="after")
    def _repeats(self) -> "Protocol":
        values = [value for part in (self.train, self.query, self.gallery) for value in part.values()]
        words = [str(word) for value in values for word in value] + [self.trials.official]
        drawn = self.trials.sampler in ("keyed", "pyrandom")
        if self.trials.count > 1 and not drawn and not any(TRIAL in word for word in words):
            raise _refusal(f"trials.count is {self.trials.count}, but all trials are alike: no {TRIAL}, and no draw")
        return self

    @property
    def sha256(self) -> str:
        """Hash what decides a result: whether a default is written out, or a value alone in a list, is all the same."""
        # Defaults are left out, so that a key that comes later changes no old hash.
        said = self.model_dump(exclude_defaults=True, exclude=UNHASHED)
        for role in ("query", "gallery"):
            said[role] = {name: sorted({durable.canonical(one) for one in said[role][name]}) for name in said[role]}
        if "place_pairs" in said.get("junk", {}):
            said["junk"]["place_pairs"] = sorted(set(self.junk.place_pairs))
        return durable.sha256(durable.canonical({"schema": SCHEMA, **said}))


def load(name: str | Path) -> Protocol:
    """Load a protocol by its name, or from a TOML file of one's own."""
    path = PROTOCOLS.path(str(name))
    table = config.read_toml(path)
    if "name" in table:
        raise UserError(f"{path}: unknown key 'name': a protocol is called as its file is, {path.stem!r}")
    return config.check(Protocol, table | {"name": path.stem}, str(path))
