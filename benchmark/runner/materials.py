"""What a recipe's names mean here: the manifests, the lists of the test, and the sources that are trained on."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark import filters, manifest, protocol, resolve
from benchmark.console import count
from benchmark.errors import UserError
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.protocol import Protocol
from benchmark.runner import leaks
from benchmark.runner.job import Job
from benchmark.runner.pool import Source
from benchmark.runner.recipe import Part


@dataclass(frozen=True, eq=False)
class Materials:
    """Everything that is read before a training begins."""

    sources: tuple[Source, ...]
    tested: Manifest | None  # the whole set, as its manifest stands
    plan: Protocol | None
    lists: Lists | None  # of the trial that is trained for
    train_sets: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]

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
    lists, notes = None, list[str]()
    if plan is not None and tested is not None:
        # Who trains is the recipe's to say; the rows of the protocol's own [train] may lie in another file.
        lists = resolve.resolve(tested, plan, job.trial, trains=False)
        notes += lists.notes
        for source in sources:
            leaks.refuse_trained(source.name, source.manifest, lists)
    facts = tuple(_fact(source) for source in sources)
    return Materials(sources, tested, plan, lists, facts, tuple(notes))


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
    return Source(part.name or part.data, chosen, twins, probability, parents)


def _fact(source: Source) -> dict[str, Any]:
    """Say on what is trained, in the words of `run/1`: the hashes are of the rows, so that every choice shows."""
    used = source.manifest
    return {
        "name": "+".join(sorted(set(used.column("source").astype(str)))),
        "labels_sha256": used.labels_sha256,
        "data_sha256": used.data_sha256,
        "split": "train",
    }
