"""The terms of the loss, from the device to the log: gathered where they arise, fetched once for many steps."""

import math
import time
from typing import Any, Protocol

import torch
from torch import Tensor

from benchmark.errors import UserError


class Waiting(Protocol):
    """What counts the seconds in which the loop stood still for pictures."""

    waited: float


class Terms:
    """The steps since the last line of the log."""

    def __init__(self, window: list[dict[str, float]], loader: Waiting) -> None:
        self.window, self.loader = window, loader
        self.pending: list[tuple[str, tuple[str, ...], Tensor]] = []  # still on the device
        self.restart()

    def restart(self) -> None:
        """Begin to measure the time anew."""
        self.clock, self.waited, self.images = time.monotonic(), self.loader.waited, 0

    def add(self, where: str, names: tuple[str, ...], values: Tensor, images: int) -> None:
        """Take the terms of a step; nothing waits for the device."""
        self.pending.append((where, names, values))
        self.images += images

    def fetch(self, standing: str) -> None:
        """Wait for the device and fetch all terms; the first that is not finite ends the training."""
        values = torch.cat([values for _, _, values in self.pending]).tolist() if self.pending else []
        for where, names, _ in self.pending:
            terms = dict(zip(names, values, strict=False))
            del values[: len(names)]
            for name, value in terms.items():
                if not math.isfinite(value):
                    raise UserError(f"{where}: the loss term {name!r} is {value}; {standing}")
            self.window.append(terms)
        self.pending.clear()

    def line(self) -> dict[str, Any]:
        """Give the means since the last line, and begin the next; empty where there was no step."""
        if not self.window:
            return {}
        window = self.window.copy()
        self.window.clear()
        names = sorted({name for terms in window for name in terms})
        means = {name: _mean([terms[name] for terms in window if name in terms]) for name in names}
        seconds, images, waited = time.monotonic() - self.clock, self.images, self.loader.waited - self.waited
        self.restart()
        return {
            "loss": _mean([math.fsum(terms.values()) for terms in window]),
            "terms": means,
            # A training that goes on from a checkpoint may write a line of steps it has not taken itself.
            "images_per_s": round(images / max(seconds, 1e-9), 1) if images else None,
            "waited": round(waited, 4),
        }


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)
