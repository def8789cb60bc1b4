"""Which pictures make a batch: a pure function of (seed, stage, epoch), the same list on every process.

P identities x K pictures follow the sampler of BoT (Luo et al., CVPR Workshops 2019): the pictures of an identity are
shuffled and cut into chunks of K, and every batch takes a chunk of each of P identities, until fewer than P have one.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmark import keyed
from benchmark.console import count
from benchmark.errors import UserError
from benchmark.runner import chunks, recipe
from benchmark.runner.chunks import Members
from benchmark.runner.interfaces import Layout, Needs, Sampling
from benchmark.runner.pool import Pool

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Step:
    """One batch over all processes."""

    rows: Ints  # positions in the pool, arranged as the layout says: halves x identities x instances
    layout: Layout | None  # None where rows were shuffled


def share(step: Step, rank: int, world: int) -> tuple[Ints, Layout | None]:
    """Give the positions within a batch that one process computes: whole identities, with both of their halves."""
    places, layout = np.arange(len(step.rows)), step.layout
    if layout is None:
        own = _portion(len(places), world, "batches.batch")
        return places[rank * own : (rank + 1) * own], None
    own = _portion(layout.identities, world, "batches.identities")
    people = places.reshape(len(layout.halves), layout.identities, layout.instances)
    return people[:, rank * own : (rank + 1) * own].reshape(-1), replace(layout, identities=own)


def _portion(whole: int, world: int, key: str) -> int:
    if whole % world:
        raise UserError(f"{key} = {whole} cannot be shared by {world} processes: set it to a multiple of {world}")
    return whole // world


@dataclass(frozen=True, eq=False)
class _Part:
    """What batches are drawn from: one domain, or all of them together."""

    rows: Ints
    halves: tuple[str, ...] = ()
    members: tuple[Members, ...] = ()  # empty where rows are shuffled


class Plan:
    """The batches of every epoch, after what the method asks and the recipe changes."""

    def __init__(self, pool: Pool, options: recipe.Batches, order: recipe.Order, needs: Needs, seed: int) -> None:
        self.pool, self.options, self.order, self.seed = pool, options, order, seed
        self.identities = options.identities or needs.identities
        self.instances = options.instances or needs.instances
        self.batch = options.batch or needs.batch
        self.counts = order.counts or (1,) * len(pool.sources)
        self.notes: tuple[str, ...] = ()
        self._known: dict[Sampling, list[_Part]] = {}
        self.require(needs.sampling)

    def require(self, sampling: Sampling, epochs: int | None = None) -> None:
        """Refuse a stage whose sampling the pictures do not allow, or whose epochs end before a part has its turn."""
        if sampling not in self._known:
            self._known[sampling] = [self._part(rows, where, sampling) for where, rows in self._sources()]
        by_epoch = self.order.how == "pretrain-finetune" or (self.order.how, self.order.by) == ("alternate", "epoch")
        before, last = sum(self.counts[: len(self.pool.sources) - 1]), self.pool.sources[-1]
        if by_epoch and epochs is not None and epochs <= before:
            raise UserError(
                f"order.counts: {count(before, 'epoch')} come before those of {last.name}, and the stage ends after "
                f"{epochs}; give it more epochs"
            )

    def epoch(self, stage: int, epoch: int, sampling: Sampling) -> list[Step]:
        """Give the batches of one epoch; `epoch` counts within its stage."""
        self.require(sampling)
        scope = f"{stage}/{epoch}"
        parts = self._known[sampling]
        if len(parts) == 1:
            return self._draw(parts[0], scope)
        if self.order.how == "alternate" and self.order.by == "iteration":
            return self._alternate(parts, scope)
        return self._draw(parts[self._turn(epoch)], scope)

    def _sources(self) -> Iterator[tuple[str, Ints]]:
        """Give what batches are drawn from, each under a name for messages."""
        if self.order.how == "mix" or len(self.pool.sources) == 1:
            yield "training", np.arange(len(self.pool.label))
            return
        for position, source in enumerate(self.pool.sources):
            yield f"training on {source.name}", np.arange(*self.pool.starts[position : position + 2])

    def _turn(self, epoch: int) -> int:
        """Say whose turn an epoch is where parts take whole epochs."""
        ends = np.cumsum(self.counts)
        place = epoch % ends[-1] if self.order.how == "alternate" else epoch
        return int(np.searchsorted(ends, place, side="right"))

    def _alternate(self, parts: Sequence[_Part], scope: str) -> list[Step]:
        """Take turns until the first part is through; the others come round again, freshly shuffled."""
        first = self._draw(parts[0], f"{scope}/0")
        others = [self._forever(part, f"{scope}/{place}") for place, part in enumerate(parts[1:], start=1)]
        steps = []
        for start in range(0, len(first), self.counts[0]):
            steps += first[start : start + self.counts[0]]
            for other, turns in zip(others, self.counts[1:], strict=True):
                steps += itertools.islice(other, turns)
        return steps

    def _forever(self, part: _Part, scope: str) -> Iterator[Step]:
        for lap in itertools.count():
            yield from self._draw(part, f"{scope}/{lap}")

    def _draw(self, part: _Part, scope: str) -> list[Step]:
        """Draw one pass over a part."""
        if part.members:
            return self._people(part, scope)
        rows = part.rows[keyed.order(self.seed, part.rows, f"{scope} rows")]
        whole = len(rows) // self.batch * self.batch  # what is left over waits for the next epoch
        return [Step(own, None) for own in rows[:whole].reshape(-1, self.batch)]

    def _people(self, part: _Part, scope: str) -> list[Step]:
        """Draw P identities, each with its next chunk of K in every half, until fewer than P have one."""
        often = self._often(part)
        cut = chunks.spread if self.options.cameras == "spread" else chunks.shuffled
        tables = [cut(members, often, self.instances, self.seed, scope) for members in part.members]
        starts = np.cumsum(often) - often
        layout = Layout(part.halves, self.identities, self.instances)
        return [
            Step(np.concatenate([table[starts[people] + numbers].reshape(-1) for table in tables]), layout)
            for people, numbers in chunks.turns(often, self.identities, self.seed, f"{scope} identities")
        ]

    def _often(self, part: _Part) -> Ints:
        """Say how often every identity comes; the half with fewer pictures shows its own again."""
        sizes: Ints = np.max([members.sizes for members in part.members], axis=0)
        often = sizes // self.instances if self.options.epoch == "images" else np.ones_like(sizes)
        return np.maximum(often, 1)

    def _part(self, rows: Ints, where: str, sampling: Sampling) -> _Part:
        """Prepare a part for a sampling; refuse what cannot fill one batch."""
        if sampling == "shuffle":
            if len(rows) < self.batch:
                found = count(len(rows), "picture")
                raise UserError(
                    f"{where}: {found}, a batch takes {self.batch}; set batches.batch to {len(rows)} or less"
                )
            return _Part(rows)
        self._require_cameras(rows, where)
        split = self._split(rows, where) if sampling == "pk-pairs" else {"all": rows}
        members, people = self._members(split, where)
        if people < self.identities:
            raise UserError(f"{where}: {self._too_few(people, tuple(split))}")
        return _Part(rows, tuple(split), members)

    def _too_few(self, people: int, halves: tuple[str, ...]) -> str:
        """Say that there are fewer identities than a batch takes, and what to do."""
        if not people:
            return f"no identity (id_space and pid) has pictures of {' and '.join(halves)}{self._hint()}"
        found = count(people, "identity", "identities")
        both = f" with pictures of {' and '.join(halves)}" if len(halves) > 1 else ""
        return f"{found}{both}, a batch takes {self.identities}; set batches.identities to {people} or less"

    def _hint(self) -> str:
        """Name what lets a half come from another part, where it may not."""
        apart = self.order.how != "mix" and len(self.pool.sources) > 1
        return '; order.how = "mix" takes the halves of a person from all parts' if apart else ""

    def _require_cameras(self, rows: Ints, where: str) -> None:
        if self.options.cameras == "spread" and (self.pool.camera[rows] < 0).all():
            raise UserError(f'{where}: no picture says its camera (camid 0), so batches.cameras must be "any"')

    def _split(self, rows: Ints, where: str) -> dict[str, Ints]:
        """Part the rows in two halves: visible first, or day first."""
        if self.options.halves == "modality":
            names, values = self.pool.modalities, self.pool.modality[rows]
        else:
            names, values = ("day", "night"), self.pool.night[rows]
        if len(names) != 2:
            raise UserError(
                f"{where}: batches.halves = modality takes two modalities, found {', '.join(names)}; "
                "choose rows by train.rows, or set it to time"
            )
        halves = {name: rows[values == value] for value, name in enumerate(names)}
        for name, own in halves.items():
            if not len(own):
                lacking = f"batches.halves = {self.options.halves}, and none of {len(rows)} is {name}"
                raise UserError(f"{where}: {lacking}{self._hint()}")
        unknown = int((values < 0).sum())
        if unknown:
            self.notes += (f"{where}: {count(unknown, 'picture')} of neither half left out",)
        return halves

    def _members(self, split: dict[str, Ints], where: str) -> tuple[tuple[Members, ...], int]:
        """Sort the identities that every half shows, and count them; say how many were left out."""
        own = [self.pool.person[rows] for rows in split.values()]
        everyone = np.unique(np.concatenate(own))
        kept = everyone[np.all([np.isin(everyone, one) for one in own], axis=0)]
        if len(kept) < len(everyone):
            lacking = count(len(everyone) - len(kept), "identity", "identities")
            self.notes += (f"{where}: {lacking} of {len(everyone)} left out: in one half only",)
        return tuple(self._sorted(rows, kept) for rows in split.values()), len(kept)

    def _sorted(self, rows: Ints, kept: Ints) -> Members:
        identity = self.pool.person[rows]
        known = np.isin(identity, kept)
        person = np.searchsorted(kept, identity[known])
        order = np.argsort(person, kind="stable")
        rows = rows[known][order]
        return Members(rows, person[order], self.pool.camera[rows])
