"""Who is learnt and tested: refused, since such a score says how well people are kept, not how well they are seen."""

from pathlib import Path

import numpy as np

from benchmark import durable
from benchmark.console import count
from benchmark.errors import UserError
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.runner import weights

Person = tuple[str, int]

_ROLES = ("query", "gallery")
_LETTERS = 12  # of a hash: enough to tell people apart


def identities(found: Manifest) -> set[Person]:
    """Name the known people of a manifest."""
    pids = np.asarray(found.column("pid"), np.int64)
    spaces = found.column("id_space").astype(str)
    return {(str(space), int(pid)) for space, pid in zip(spaces[pids > 0], pids[pids > 0], strict=True)}


def refuse_trained(name: str, trained: Manifest, lists: Lists) -> None:
    """Refuse identities of a training part that are tested."""
    learnt = identities(trained)
    for role in _ROLES:
        shared = learnt & identities(getattr(lists, role))
        if shared:
            raise UserError(f"{name}: {_who(shared)} trained on and in [{role}] of {lists.protocol}")


def refuse_pretrained(path: Path, lists: Lists) -> None:
    """Refuse to test people on whom the first weights were trained, where their file says who they were."""
    seen = set(weights.described(path).get("people", "").split("\n"))
    for role in _ROLES:
        shared = {who for who in identities(getattr(lists, role)) if digest(*who) in seen}
        if shared:
            raise UserError(f"{path}: was trained on {_who(shared)} of [{role}] of {lists.protocol}")


def digest(space: str, pid: int) -> str:
    """Give a person as a weights file lists them."""
    return durable.sha256(f"{space}\x1f{pid}")[:_LETTERS]


def _who(shared: set[Person]) -> str:
    space, pid = min(shared)
    return f"{count(len(shared), 'identity', 'identities')} (such as {space}/{pid})"
