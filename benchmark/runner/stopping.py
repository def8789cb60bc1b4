"""A training that is alone in its folder, and that can be asked to stop."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from benchmark import durable
from benchmark.runner import checkpoint
from benchmark.runner.distributed import Group


def alone(folder: Path, group: Group) -> contextlib.AbstractContextManager[None]:
    """Refuse a folder of checkpoints that another training writes to."""
    return durable.locked(folder / checkpoint.LOCK) if group.first else contextlib.nullcontext()


@contextlib.contextmanager
def asked() -> Iterator[threading.Event]:
    """Make a wish of the first SIGTERM or Ctrl-C, granted after a checkpoint; a second one is obeyed at once."""
    wish = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield wish  # only the main thread is told of signals
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if wish.is_set():
            raise KeyboardInterrupt
        wish.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
