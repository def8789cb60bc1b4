"""What a recipe's names mean here: the manifests, the lists of the test, and the sources that are trained on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark import durable, filters, leaks, manifest, protocol, resolve
from benchmark.console import count
from benchmark.errors import UserError
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.protocol import Protocol
from benchmark.runner.job import Job
from benchmark.runner.pool import Source
from benchmark.runner.recipe import Part


@dataclass(frozen=True, eq=False)
class Materials:
    """Everything that is read before a training begins."""

    sources: tuple[Source, ...]
    tested: Manifest | None  # the whole set, as its manifest stands
    plan: Protocol | None
    trials: tuple[Lists, ...]  # what will be tested: one where every trial trains a network of its own
    train_sets: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]

    @property
    def lists(self) -> Lists | None:
        """Give the lists of the trial that is trained for."""
        return self.trials[0] if self.trials else None

    @property
    def object(self) -> str:
        """Say whom the pictures show."""
        return str(self.sources[0].manifest.column("object")[0])


def gather(job: Job) -> Materials:
    """Read and resolve; refuse a recipe that trains on somebody whom it tests."""
    recipe = job.recipe
    if bool(recipe.test) != bool(recipe.protocol):
        raise UserError(f"recipe {job.name}: test and protocol belong together; one of them is missing")
    read = _Reader(job)
    plan = protocol.load(recipe.protocol) if recipe.protocol else None
    tested = read(recipe.test) if recipe.test else None
    sources = tuple(_source(part, read, plan, job) for part in recipe.train)
    trials: tuple[Lists, ...] = ()
    if plan is not None and tested is not None:
        # Who trains is the recipe's to say; the rows of the protocol's own [train] may lie in another file.
        numbers = [job.trial] if plan.apart else range(plan.trials.count)
        trials = tuple(resolve.resolve(tested, plan, number, trains=False) for number in numbers)
        for source in sources:
            leaks.refuse_trained(source.name, source.manifest, trials)
    facts = [fact for source in sources for fact in _facts(source)]
    if tested is not None and recipe.loop.select == "val":
        chosen_by = tested.column("split").astype(str) == "val"
        facts += _fact(tested.select(chosen_by), "val") if chosen_by.any() else ()
    notes = tuple(dict.fromkeys(note for lists in trials for note in lists.notes))
    return Materials(sources, tested, plan, trials, tuple(facts), notes)


class _Reader:
    """Reads every manifest once."""

    def __init__(self, job: Job) -> None:
        self.settings, self.read = job.settings, dict[str, Manifest]()

    def __call__(self, name: str) -> Manifest:
        if name not in self.read:
            self.read[name] = manifest.read(self.settings.manifest(name))
        return self.read[name]


def _source(part: Part, read: _Reader, plan: Protocol | None, job: Job) -> Source:
    whole, where = read(part.data), f"recipe {job.name}: [[train]] {part.data}:"
    if part.rows is not None:
        rows = filters.meet(whole, part.rows, where)
    elif plan is not None:
        rows = filters.meet(whole, plan.filters("train", job.trial), f"{where} [train] of {plan.name}:")
    else:
        rows = np.isin(whole.column("split").astype(str), ["train", "none"])
    people = np.asarray(rows & (whole.column("pid").astype(np.int64) >= 1))
    if not people.any():
        raise UserError(f"{where} no row of a known person is left to train on, of {count(len(whole), 'row')}")
    chosen = whole.select(people)
    twins = read(part.twins.data) if part.twins else None
    probability = part.twins.probability if part.twins else 0.0
    parents = read(part.parents) if part.parents else None
    for used in (chosen, twins, parents):
        if used is not None:
            used.require_measured(f"{where} a training names its pictures by their hashes")
    return Source(part.name or part.data, chosen, twins, probability, parents)


def _facts(source: Source) -> Iterator[dict[str, Any]]:
    """Say on what is trained, with what is shown in its place and what it was made from."""
    used = source.manifest
    yield from _fact(used, "train")
    if source.twins is not None:
        shown = np.isin(source.twins.table["parent"].to_pylist(), used.table["image_id"].to_pylist())
        yield from _fact(source.twins.select(shown), "twins") if shown.any() else ()
    if source.parents is not None:
        named = np.isin(source.parents.table["image_id"].to_pylist(), used.table["parent"].to_pylist())
        yield from _fact(source.parents.select(named), "parents") if named.any() else ()


def synth_recipe(sources: Sequence[Source]) -> str | None:
    """Name the recipe of synthetic pictures that are trained on: its hash, or that of the sorted list of several."""
    shown = [one for source in sources for one in (source.manifest, source.twins) if one is not None]
    columns = [one.table[_RECIPE].to_pylist() for one in shown if _RECIPE in one.table.column_names]
    recipes = sorted({recipe for column in columns for recipe in column if recipe})
    return recipes[0] if len(recipes) == 1 else durable.sha256(durable.canonical(recipes)) if recipes else None


_RECIPE = "synth_recipe_sha256"  # a column of nights that were made, and of run/1


def _fact(used: Manifest, split: str) -> Iterator[dict[str, Any]]:
    """Name a set in the words of `run/1`: the hashes are of the rows that are used, so that every choice shows."""
    name = "+".join(sorted(set(used.column("source").astype(str))))
    yield {"name": name, "labels_sha256": used.labels_sha256, "data_sha256": used.data_sha256, "split": split}
