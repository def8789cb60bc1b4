"""Who is learnt and tested: refused, since such a score says how well people are kept, not how well they are seen."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmark import durable
from benchmark.console import count
from benchmark.errors import UserError
from benchmark.lists import Lists
from benchmark.manifest import Manifest

Person = tuple[str, int]

_ROLES = ("query", "gallery")
_LETTERS = 12  # of a hash: enough to tell people apart


def identities(found: Manifest) -> set[Person]:
    """Name the known people of a manifest."""
    pids = np.asarray(found.column("pid"), np.int64)
    spaces = found.column("id_space").astype(str)
    return {(str(space), int(pid)) for space, pid in zip(spaces[pids > 0], pids[pids > 0], strict=True)}


def digest(space: str, pid: int) -> str:
    """Give a person as trainings and files of weights list them."""
    return durable.sha256(f"{space}\x1f{pid}")[:_LETTERS]


def digests(people: Iterable[Person]) -> list[str]:
    """Give people as they are listed, sorted."""
    return sorted(digest(*who) for who in people)


def refuse_trained(name: str, trained: Manifest, trials: Sequence[Lists]) -> None:
    """Refuse identities of a training part that are tested."""
    learnt = identities(trained)
    for role, lists in _tested(trials):
        shared = learnt & identities(getattr(lists, role))
        if shared:
            raise UserError(f"{name}: {_who(shared)} trained on and in [{role}] of {lists.protocol}")


def refuse_listed(where: Path | str, listed: Iterable[str], trials: Sequence[Lists]) -> None:
    """Refuse to test people who are listed as trained on, where a training or a file of weights lists them."""
    seen = set(listed)
    for role, lists in _tested(trials):
        shared = {who for who in identities(getattr(lists, role)) if digest(*who) in seen}
        if shared:
            raise UserError(f"{where}: was trained on {_who(shared)} of [{role}] of {lists.protocol}")


def _tested(trials: Sequence[Lists]) -> list[tuple[str, Lists]]:
    return [(role, lists) for lists in trials for role in _ROLES]


def _who(shared: set[Person]) -> str:
    space, pid = min(shared)
    return f"{count(len(shared), 'identity', 'identities')} (such as {space}/{pid})"
