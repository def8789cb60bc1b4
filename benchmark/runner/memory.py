"""Memory that ran out, in one line that says what to set."""

import contextlib
from collections.abc import Iterator

from benchmark.errors import UserError
from benchmark.runner.batches import Step

SMALLER = "set a smaller size or a smaller batch (batches.identities, batches.batch), or end what else uses the memory"
# Not every allocator of torch raises its OutOfMemoryError: the CPU's, pinned memory's and the libraries' do not.
_SAID = ("out of memory", "can't allocate memory", "STATUS_ALLOC_FAILED")


@contextlib.contextmanager
def explained_memory(what: str, remedy: str = SMALLER) -> Iterator[None]:
    """Make one line of memory that runs out: what was being done, and what to set."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) or any(said in str(error) for said in _SAID):
            raise UserError(f"{what}: out of memory; {remedy}") from None
        raise


def smaller(step: Step, world: int) -> str:
    """Say which batch to try: half of this one, which all processes can share."""
    rows, layout = len(step.rows), step.layout
    if layout is None:
        key, half, shape = "batch", rows // 2 // world * world, ""
    else:
        halves = f"{len(layout.halves)} halves x " if len(layout.halves) > 1 else ""
        shape = f": {halves}{layout.identities} identities x {layout.instances}"
        key, half = "identities", layout.identities // 2 // world * world
        if not half:
            key, half = "instances", layout.instances // 2
    return f"a batch has {rows} pictures{shape}; try {f'batches.{key}={half}' if half else 'a smaller size'}"
